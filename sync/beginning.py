"""A config to begin with: the example's parts for the tools that a company has, with what is known filled in."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from connectors import registry
from connectors.base import Option
from sync.config import MAPS, did_you_mean
from sync.settings import SOURCE
from sync.stops import InvalidStop

_TABLE = re.compile(r"^#?\[sources\.([\w-]+)(?:\.([\w-]+))?\]$", re.MULTILINE)
_SYSTEM = re.compile(r'^#?system = "([\w-]+)"', re.MULTILINE)
_KEY = re.compile(r'^#?(?P<key>[\w-]+|"[^"]+") = (?P<rest>.*)$')
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_COMMENTS_FROM = 41
"""The column in which the example's comments begin."""


@dataclass(slots=True)
class Tool:
    """One source that is to be described."""

    name: str
    system: str
    options: dict[str, Any] = field(default_factory=dict)
    """By key, as TOML says it: `{"env": …}` for a secret."""
    maps: dict[str, dict[str, str]] = field(default_factory=dict)
    """`fields`, `statuses` …: by column, what the tool calls it."""

    @property
    def known(self) -> Mapping[str, Option]:
        """The keys of its table."""
        return {option.name: option for option in (*SOURCE[1:], *registry.load(self.system).options)}

    @property
    def missing(self) -> list[Option]:
        """What it cannot do without, and was not said."""
        return [option for name, option in self.known.items() if option.required and name not in self.options]

    @property
    def variables(self) -> dict[str, Option]:
        """Environment variable -> the secret that it is to hold."""
        known = self.known
        return {value["env"]: known[key] for key, value in self.options.items() if known[key].kind == "secret"}

    def new_folders(self, folder: Path) -> list[tuple[str, Option]]:
        """Relative folders, before any wildcard, that its files are to be in and that are not below `folder` yet."""
        found = (
            (str(self.options[name]), option)
            for name, option in self.known.items()
            if name in self.options and option.kind == "files"
        )
        above = ((_above_wildcards(path), option) for path, option in found)
        return [(path, option) for path, option in above if not (folder / path).exists()]


def _above_wildcards(path: str) -> str:
    """`inbox/` of `inbox/*.xml`: the folder that has to be there."""
    folders = PurePath(path).parts[:-1]
    return str(PurePath(*itertools.takewhile(lambda part: not any(sign in part for sign in "*?["), folders)))


def make_tools(named: Sequence[str], settings: Sequence[str]) -> list[Tool]:
    """From `[NAME=]SYSTEM` and `NAME.KEY=VALUE`. A secret that is not said is taken from a variable named after it.

    Raises `InvalidStop` with all mistakes.
    """
    mistakes: list[str] = []
    tools: dict[str, Tool] = {}
    for text in named:
        name, _, system = text.rpartition("=")
        name = name or system
        if system not in registry.names():
            mistakes.append(f'--tool {text}: there is no system "{system}"; {did_you_mean(system, registry.names())}')
        elif name in tools or not re.fullmatch(r"[\w-]+", name):
            mistakes.append(
                f'--tool {text}: "{name}" cannot be a source\'s name or is one already; write NAME={system}.'
            )
        else:
            tools[name] = Tool(name, system)
    if not mistakes:
        mistakes = [mistake for text in settings for mistake in _set(tools, text)]
    if mistakes:
        raise InvalidStop(*mistakes)
    for tool in tools.values():
        name_secrets(tool)
    return list(tools.values())


def name_secrets(tool: Tool) -> None:
    """Say from which environment variables the secrets come that it needs and that were not said."""
    for option in tool.missing:
        if option.kind == "secret":
            tool.options[option.name] = {"env": variable_for(tool, option)}


def variable_for(tool: Tool, option: Option) -> str:
    """The name that the example gives to the variable, or one in its style."""
    return re.sub(r"\W", "_", f"{tool.name}_{option.name}").upper()


def _set(tools: Mapping[str, Tool], text: str) -> Iterator[str]:
    """Take one `NAME.KEY=VALUE` in, or say what is wrong with it."""
    place, equals, value = text.partition("=")
    name, _, key = place.partition(".")
    table, _, column = key.partition(".")
    tool = tools.get(name)
    if not equals or not key:
        yield f"--set {place}: write it as NAME.KEY=VALUE."
    elif tool is None:
        yield f'--set {place}: there is no --tool "{name}"; {did_you_mean(name, list(tools))}'
    elif column and table in MAPS:
        tool.maps.setdefault(table, {})[column] = value
    elif key not in tool.known:
        yield f'--set {place}: {tool.system} has no key "{key}"; {did_you_mean(key, list(tool.known))}'
    else:
        try:
            put(tool, key, value)
        except ValueError as error:
            yield f"--set {place}: {error}"


def put(tool: Tool, key: str, text: str) -> None:
    """What a person said of one key. Raises `ValueError` with a sentence."""
    kind = tool.known[key].kind
    if kind == "secret":
        if not _VARIABLE.fullmatch(text):
            raise ValueError("is a secret; give the name of the environment variable that holds it, not the secret.")
        tool.options[key] = {"env": text}
    elif kind.startswith("list"):
        tool.options[key] = [part.strip() for part in text.split(",") if part.strip()]
    elif kind in ("integer", "number", "yes/no"):
        tool.options[key] = _plain(text, kind)
    elif key == "base_url" and "://" not in text:
        tool.options[key] = f"https://{text}"
    else:
        tool.options[key] = text


def _plain(text: str, kind: str) -> Any:
    if kind == "yes/no" and text in ("true", "false"):
        return text == "true"
    if kind != "yes/no" and re.fullmatch(r"\d+" if kind == "integer" else r"\d+(\.\d+)?", text):
        return json.loads(text)
    raise ValueError("is yes or no: write true or false." if kind == "yes/no" else f"is no {kind}.")


# The text


def compose(example: str, tools: Sequence[Tool]) -> str:
    """The example's general part, and one description for each tool."""
    general, parts = _split(example)
    return "\n\n".join([*general, *(_describe(tool, parts.get(tool.system, [])) for tool in tools)]) + "\n"


def _split(example: str) -> tuple[list[str], dict[str, list[str]]]:
    """Paragraphs that concern everything, and those of each system."""
    general: list[str] = []
    parts: dict[str, list[str]] = {}
    system = None
    for paragraph in example.strip().split("\n\n"):
        found = _TABLE.search(paragraph)
        if found is None:
            general.append(paragraph)
            continue
        if named := _SYSTEM.search(paragraph):
            system = named[1]
        parts.setdefault(system or "", []).append(paragraph)
    return general, parts


def _describe(tool: Tool, paragraphs: Sequence[str]) -> str:
    """The example's paragraphs of a system, with the tool's name and what is known of it."""
    described = []
    left: dict[str | None, dict[str, Any]] = {None: {"system": tool.system, **tool.options}}
    left.update(tool.maps)
    for paragraph in paragraphs or [f"[sources.{tool.name}]"]:
        found = _TABLE.search(paragraph)
        given = left.pop(found[2] if found else None, {})
        lines = [_line(line, tool, given) for line in paragraph.splitlines()]
        described.append("\n".join([*lines, *(f"{_name(key)} = {_toml(value)}" for key, value in given.items())]))
    for table, entries in left.items():
        lines = [f"{_name(key)} = {_toml(value)}" for key, value in entries.items()]
        described.append("\n".join([f"[sources.{tool.name}.{table}]", *lines]))
    return "\n\n".join(described)


def _line(line: str, tool: Tool, given: dict[str, Any]) -> str:
    """One line of the example: filled in, if something is given for it, which is used up; else as a comment."""
    if found := _TABLE.match(line):
        return f"[sources.{tool.name}.{found[2]}]" if found[2] else f"[sources.{tool.name}]"
    found = _KEY.match(line)
    if found is None:
        return line
    key, comment = found["key"].strip('"'), _comment(found["rest"])
    if key in given:
        return f"{_name(key) + ' = ' + _toml(given.pop(key)):{_COMMENTS_FROM}}{comment}".rstrip()
    return line if line.startswith("#") else f"#{line}"


def _comment(rest: str) -> str:
    """The comment behind a value of the example, where values hold no `#`."""
    _, sign, text = rest.partition(" #")
    return f"#{text}" if sign else ""


def _name(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_name(key)} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
