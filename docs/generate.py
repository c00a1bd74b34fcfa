"""Write what is made from the code: docs/connectors/README.md, docs/data.md, and a table in README.md."""

from __future__ import annotations

from pathlib import Path

from connectors import registry
from connectors.base import Capabilities, Connector, Dating, Granularity, Option, Tracing
from sync import data
from sync.data import Described

TARGET = Path(__file__).parent / "connectors" / "README.md"
DATA = Path(__file__).parent / "data.md"
FRONT = Path(__file__).parent.parent / "README.md"

INTRODUCTION = """\
# What each connector can do

This page is generated from the code by `python docs/generate.py`, and the contract suite holds the code to it.
To add a system, see [writing a connector](writing.md).
"""

WRITES = {
    None: "no labels",
    Granularity.LABEL: "one label at a time",
    Granularity.ITEM: "all labels of an item at once, merged with what is there",
    Granularity.COLLECTION: "a labelled copy of the whole collection",
}

PAGES = {"memory": "writing.md"}
"""Where a connector is described, if not on a page of its own name."""


def yes(can: bool) -> str:
    return "yes" if can else "no"


def limits(can: Capabilities) -> str:
    """What a label cannot be."""
    parts = [f"at most {can.label_max_length} characters"] if can.label_max_length else []
    parts += [f"no `{character}`" for character in can.label_forbids if character.isprintable() and character != " "]
    parts += ["no space"] * (" " in can.label_forbids)
    parts += ["no line breaks or other control characters"] * (not can.label_forbids.isprintable())
    return ", ".join(parts) or "none"


def history(one: type[Connector]) -> str:
    """Whether it tells since when a status holds."""
    return "of few items, when asked" if issubclass(one, Dating) else yes(one.capabilities.history)


ROWS = {
    "Labels are written as": lambda one: WRITES[one.capabilities.writes],
    "Limits of a label": lambda one: limits(one.capabilities),
    "Pulls only what changed": lambda one: yes(one.capabilities.incremental),
    "Has a history of statuses": history,
    "Progress counts as movement": lambda one: yes(one.capabilities.progress),
    "Names what was deleted": lambda one: yes(one.capabilities.deletions),
    "Tells archived items from deleted ones": lambda one: yes(issubclass(one, Tracing)),
    "Refuses a write onto a newer item": lambda one: yes(one.capabilities.conditional_writes),
}


def table(connectors: dict[str, type[Connector]]) -> str:
    """Capabilities down, connectors across."""
    heads = [f"[`{name}`]({PAGES.get(name, f'{name}.md')})" for name in connectors]
    lines = [["", *heads], ["---"] * (len(heads) + 1)]
    lines += [[row, *(say(one) for one in connectors.values())] for row, say in ROWS.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def option(one: Option) -> str:
    """A line on one key of `[sources.NAME]`."""
    given = "required" if one.required else f"default `{one.default}`" if one.default is not None else "optional"
    return f"- `{one.name}` ({one.kind}, {given}): {one.help}\n"


def section(name: str, connector: type[Connector]) -> str:
    """What one connector is, and its options."""
    return f"## {name}\n\n{connector.summary}\n\n{''.join(option(one) for one in connector.options)}"


def page() -> str:
    """The whole page, for the connectors that ship."""
    connectors = {name: registry.load(name) for name in sorted(registry.BUILTIN)}
    return "\n".join([INTRODUCTION, table(connectors), *(section(*one) for one in connectors.items())])


SYSTEMS = ("<!-- systems: made by docs/generate.py -->\n", "<!-- end of systems -->")


def systems() -> str:
    """For the front page: each system, and what can be done there."""
    lines = ["| system | reads | labels are written as | status history |", "|---|---|---|---|"]
    for name in sorted(registry.BUILTIN):
        one = registry.load(name)
        link = f"[`{name}`](docs/connectors/{PAGES.get(name, f'{name}.md')})"
        reads, _, labels = one.summary.rstrip(".").rpartition("; labels go ")
        since = {"yes": "from the tool", "no": "observed between runs"}.get(known := history(one), known)
        lines.append(f"| {link} | {reads} | {WRITES[one.capabilities.writes]}, {labels} | {since} |")
    return "\n".join(lines) + "\n"


def front(text: str) -> str:
    """README.md with its table as it is now."""
    start, end = SYSTEMS
    before, _, rest = text.partition(start)
    return f"{before}{start}{systems()}{end}{rest.partition(end)[2]}"


DATA_INTRODUCTION = """\
# The store, table by table

The store is one SQLite file; any program that speaks SQLite can read it, also while a run works. This page is
generated from the code by `python docs/generate.py`, and a test holds it to the schema. Tables may change with a new
version; the views are what to build on.

To look around in a browser:

    unstuck report --datasette -o metadata.json
    datasette unstuck.db -m metadata.json

shows these descriptions, filters to click, and questions that are ready to be asked.
"""


def described(name: str, one: Described) -> str:
    """A table or view."""
    lines = "".join(f"| `{column}` | {text} |\n" for column, text in one.columns.items())
    return f"### {name}\n\n{one.text}\n\n| column | holds |\n|---|---|\n{lines}"


def data_page() -> str:
    """The whole of docs/data.md."""
    parts = [DATA_INTRODUCTION, "## Views, for people\n", *(described(*each) for each in data.VIEWS.items())]
    return "\n".join([*parts, "## Tables, for runs\n", *(described(*each) for each in data.TABLES.items())])


if __name__ == "__main__":
    TARGET.write_text(page(), "utf-8")
    DATA.write_text(data_page(), "utf-8")
    FRONT.write_text(front(FRONT.read_text("utf-8")), "utf-8")
