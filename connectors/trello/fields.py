"""Mapped columns: from custom fields, from a checklist by its name, or from a labelled section of the description."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal, NamedTuple

from connectors.errors import SetupError
from connectors.model import WorkItem
from connectors.trello.api import Json, moment, text

Kind = Literal["field", "checklist", "description"]

DATES = frozenset({"created_at", "started_at", "finished_at", "due_at", "outcome_reviewed_at"})
OWN = frozenset(
    {"ref", "key", "title", "collection", "url", "parent_ref", "status", "status_id", "status_category", "status_since"}
    | {"status_since_is", "updated_at", "labels", "description", "fields", "version", "unknown", "assignees"}
)
"""Columns that Trello itself answers, so that nothing else can."""
MAPPABLE = frozenset(column.name for column in fields(WorkItem)) - OWN


@dataclass(frozen=True, slots=True)
class Target:
    """What a column is mapped to."""

    column: str
    kind: Kind
    name: str


class Value(NamedTuple):
    """A column's text, and whether that is a date."""

    text: str
    is_date: bool = False


def parse_targets(mapped: Mapping[str, str]) -> list[Target]:
    """`[sources.NAME.fields]`. Raises `SetupError` for a column that Trello itself answers, or a name that is none."""
    found = []
    for column, wanted in mapped.items():
        if column in OWN:
            raise SetupError(f"fields.{column} cannot be mapped, since Trello has it itself", "leave it out")
        match = re.fullmatch(r"\s*(checklist|description)\s*:\s*(.*?)\s*", wanted, re.IGNORECASE)
        kind: Any = match[1].lower() if match else "field"
        name = match[2] if match else wanted.strip()
        if not name:
            raise SetupError(f'fields.{column} = "{wanted}" names nothing', "name a custom field or a checklist")
        found.append(Target(column, kind, name))
    return found


class Reader:
    """Reads the mapped columns of one board's cards."""

    def __init__(self, targets: Sequence[Target], definitions: Iterable[Json], zone: tzinfo | None) -> None:
        self._zone = zone or UTC
        by_name = {name: one for one in reversed([*definitions]) for name in (text(one, "name").casefold(), one["id"])}
        self._found = {one: by_name.get(one.name.casefold()) for one in targets}

    @property
    def missing(self) -> list[Target]:
        """Custom fields that this board does not have."""
        return [one for one, definition in self._found.items() if one.kind == "field" and definition is None]

    def columns(self, card: Json, checklists: Sequence[Json]) -> tuple[dict[str, Any], dict[str, str], set[str]]:
        """Of one card: columns of `WorkItem`, custom ones, and the names of those that cannot be answered."""
        columns: dict[str, Any] = {}
        custom: dict[str, str] = {}
        unknown: set[str] = set()
        items = items_of(card)
        for target, definition in self._found.items():
            value = value_of(target, definition, card, items, checklists)
            if value is None:
                unknown.add(target.column)
            elif target.column not in MAPPABLE:
                custom[target.column] = value.text
            elif (read := self._read(target.column, value)) is not None or not value.text:
                columns[target.column] = read
            else:
                unknown.add(target.column)
        return columns, custom, unknown

    def _read(self, column: str, value: Value) -> Any:
        """A text as its column holds it; `None` if it cannot be."""
        if column in DATES:
            return as_moment(value.text, self._zone)
        if column == "percent_complete":
            match = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%?", value.text)
            return float(match[1]) if match and float(match[1]) <= 100 else None
        return value.text or None


def items_of(card: Json) -> dict[object, Json]:
    """The custom fields that a card has values of, by their ids; of two for one field the first."""
    items = [one for one in card.get("customFieldItems") or () if isinstance(one, dict)]
    return {one.get("idCustomField"): one for one in reversed(items)}


def value_of(
    target: Target, definition: Json | None, card: Json, items: Mapping[object, Json], checklists: Sequence[Json]
) -> Value | None:
    """A target's text; `None` if the board does not have such a thing."""
    if target.kind == "checklist":
        return Value(of_checklist(checklists, target.name))
    if target.kind == "description":
        return Value(of_description(text(card, "desc"), target.name))
    return of_field(definition, items.get(definition["id"], {})) if definition else None


def of_field(definition: Json, item: Json) -> Value:
    """A custom field's value: every value is text, in a member named by its type, or an option's id."""
    kind = definition.get("type")
    given = item.get("value")
    value: Json = given if isinstance(given, dict) else {}
    if kind == "checkbox":
        return Value("Yes" if value.get("checked") == "true" else "No")
    if kind == "list":
        options = [one for one in definition.get("options") or () if isinstance(one, dict)]
        return Value(next((text(one.get("value") or {}, "text") for one in options if is_chosen(one, item)), ""))
    return Value(text(value, str(kind)), is_date=kind == "date")


def is_chosen(option: Json, item: Json) -> bool:
    return option.get("id") is not None and option.get("id") == item.get("idValue")


def of_checklist(checklists: Sequence[Json], name: str) -> str:
    """The items of the first checklist of that name, as one line."""
    wanted = name.casefold()
    mine = sorted(
        (one for one in checklists if text(one, "name").casefold() == wanted), key=lambda one: str(one.get("pos"))
    )
    items = [one for one in (mine[0].get("checkItems") or () if mine else ()) if isinstance(one, dict)]
    return "; ".join(name for one in items if (name := text(one, "name")))


def of_description(description: str, label: str) -> str:
    """What stands behind `Label:` on its line, or in the paragraph below a heading or line that is only the label."""
    mark = re.compile(rf"[\s#>*_-]*{re.escape(label)}[\s*_]*(?::[\s*_]*(?P<text>.*))?$", re.IGNORECASE)
    lines = description.splitlines()
    for number, line in enumerate(lines):
        if match := mark.match(line):
            return (match["text"] or "").strip(" *_") or paragraph(lines[number + 1 :])
    return ""


def paragraph(lines: Sequence[str]) -> str:
    """The first lines with something on them, up to an empty one or a heading."""
    found: list[str] = []
    for line in lines:
        if line.lstrip().startswith("#") or (found and not line.strip()):
            break
        found += [line.strip(" \t-*_")] if line.strip() else []
    return " ".join(found).strip()


def as_moment(value: str, zone: tzinfo) -> datetime | None:
    """A date, or a date with a time; without a zone it is one of the source's own."""
    if (aware := moment(value)) is not None:
        return aware
    try:
        return datetime.fromisoformat(value).replace(tzinfo=zone)
    except ValueError:
        return None
