"""What `unstuck init` asks a person who named no tools."""

from __future__ import annotations

import click

from connectors import registry
from connectors.base import Option
from sync import beginning, output
from sync.beginning import Tool
from sync.config import did_you_mean

_FIELDS = {
    "outcome_metric": "the field that holds an item's business-outcome metric",
    "sponsor": "the field that holds its sponsor",
}
"""What rules most want to know, and no tool has a field of its own for."""


def tools() -> list[Tool]:
    """The tools that a person has, described as far as they can say."""
    known = [name for name in registry.names() if name != "memory"]
    output.say(f"Which of these do you use? {', '.join(known)}")
    output.say("(Several with commas; none for a config with all of them as examples. Enter leaves a question open.)")
    named = _names(_answer("Tools"))
    while unknown := [name for name in named if name not in known]:
        for name in unknown:
            output.say(f'There is no "{name}"; {did_you_mean(name, known)}')
        named = _names(_answer("Tools"))
    return [_ask_about(Tool(system, system)) for system in named]


def _names(answer: str) -> list[str]:
    """The names in an answer, each once."""
    return list(dict.fromkeys(answer.lower().replace(",", " ").split()))


def _ask_about(tool: Tool) -> Tool:
    output.say(f"\n{tool.system}: {registry.load(tool.system).summary}")
    for option in tool.known.values():
        if option.required or option.asked:
            _ask(tool, option)
    fields = {column: _answer(f"  {says[0].upper()}{says[1:]}") for column, says in _FIELDS.items()}
    tool.maps["fields"] = {column: field for column, field in fields.items() if field}
    return tool


def _ask(tool: Tool, option: Option) -> None:
    """Ask for one option until the answer can be used. A secret itself is never asked for."""
    question, default = f"  {option.help[0].upper()}{option.help[1:]}", ""
    if option.kind == "secret":
        question, default = f"{question}: the environment variable that holds it", beginning.variable_for(tool, option)
    while answer := _answer(question, default):
        try:
            beginning.put(tool, option.name, answer)
            return
        except ValueError as error:
            output.say(f"  {option.name} {error}")


def _answer(question: str, default: str = "") -> str:
    answer: str = click.prompt(question, default=default, show_default=bool(default))
    return answer.strip()
