"""How column values look on the wire."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from connectors.fakes.monday.account import Account, Cell, Column, Item

Json = dict[str, Any]

TYPES = {
    "status": "StatusValue",
    "tags": "TagsValue",
    "dropdown": "DropdownValue",
    "people": "PeopleValue",
    "date": "DateValue",
    "timeline": "TimelineValue",
    "numbers": "NumbersValue",
    "checkbox": "CheckboxValue",
    "mirror": "MirrorValue",
    "formula": "FormulaValue",
    "board_relation": "BoardRelationValue",
    "dependency": "DependencyValue",
    "text": "TextValue",
    "long_text": "LongTextValue",
    "progress": "ProgressValue",
    "item_id": "ItemIdValue",
    "subtasks": "SubtasksValue",
    "unsupported": "UnsupportedValue",
}


def stamp(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def value_of(account: Account, item: Item, column: Column) -> Json:
    """One column value, with the name of its GraphQL type."""
    cell, is_leaf = item.cells.get(column.id, Cell()), item.id not in account.parents
    shared = {"id": column.id, "type": column.type, "is_leaf": is_leaf, "text": None, "value": None}
    if column.rolls_up:
        return {**shared, "__typename": "BatteryValue", **battery(account, item, column)}
    special = SHAPES.get(column.type, of_text)(account, column, cell)
    if cell.value is not None and column.type in RAW:
        shared["value"] = json.dumps({**RAW[column.type](special), "changed_at": stamp(cell.changed)})
    elif special.get("text") and column.type in ("text", "numbers"):
        shared["value"] = json.dumps(special["text"])
    return {**shared, "__typename": TYPES[column.type], **special}


def of_text(_: Account, column: Column, cell: Cell) -> Json:
    return {"text": None if column.type == "unsupported" else "" if cell.value is None else str(cell.value)}


def status(_: Account, column: Column, cell: Cell) -> Json:
    label = label_of(column, cell.value)
    value = None if cell.value is None else json.dumps({"index": cell.value, "changed_at": stamp(cell.changed)})
    return {
        "text": label["label"],
        "label": label["label"],
        "index": cell.value,
        "is_done": bool(label["is_done"]),
        "updated_at": stamp(cell.changed),
        "value": value,
    }


def label_of(column: Column, index: object) -> Json:
    found = (one for one in column.settings["labels"] if one["index"] == index)
    return next(found, {"label": None, "is_done": False})


def battery(account: Account, item: Item, column: Column) -> Json:
    """Of an item without others below, its own label; else how many of the items below, at any depth, have which."""
    found = Counter(str(index_in(one, column)) for one in leaves(account, item))
    own = item.cells.get(column.id, Cell())
    counted = [{"key": key, "count": number} for key, number in sorted(found.items())]
    raw = {"index": own.value, "changed_at": stamp(own.changed)} if item.id not in account.parents else None
    return {"battery_value": counted, "value": json.dumps(raw) if raw else None}


def leaves(account: Account, item: Item) -> list[Item]:
    if item.id not in account.parents:
        return [item]
    return [leaf for one in account.below(item) for leaf in leaves(account, one)]


def index_in(item: Item, column: Column) -> int:
    value = item.cells.get(column.id, Cell()).value
    return 5 if value is None else int(value)


def tags(account: Account, _: Column, cell: Cell) -> Json:
    found = [account.tags[number] for number in cell.value or ()]
    shown = [{"id": tag.id, "name": tag.name} for tag in found]
    return {"tag_ids": [tag.id for tag in found], "tags": shown, "text": ", ".join(tag.name for tag in found)}


def dropdown(_: Account, column: Column, cell: Cell) -> Json:
    names = {option["id"]: option["label"] for option in column.settings["labels"]}
    found = [{"id": number, "label": names[number]} for number in cell.value or ()]
    return {"values": found, "text": ", ".join(one["label"] for one in found) or None}


def people(_: Account, __: Column, cell: Cell) -> Json:
    names = list(cell.value or ())
    return {
        "text": ", ".join(names),
        "persons_and_teams": [{"id": str(4000 + number)} for number, _ in enumerate(names)],
    }


def date(_: Account, __: Column, cell: Cell) -> Json:
    day, clock = [*(cell.value or "").split(" "), ""][:2]
    return {"date": day or None, "time": clock or None, "text": cell.value or ""}


def timeline(_: Account, __: Column, cell: Cell) -> Json:
    start, end = cell.value or (None, None)
    shown = [f"{one}T00:00:00+00:00" if one else None for one in (start, end)]
    return {"from": shown[0], "to": shown[1], "text": f"{start} - {end}" if start else ""}


def numbers(_: Account, __: Column, cell: Cell) -> Json:
    return {"number": cell.value, "text": "" if cell.value is None else f"{cell.value:g}"}


def checkbox(_: Account, __: Column, cell: Cell) -> Json:
    return {"checked": bool(cell.value), "text": "v" if cell.value else ""}


def from_elsewhere(_: Account, __: Column, cell: Cell) -> Json:
    return {"display_value": cell.value or ""}


RAW: dict[str, Callable[[Json], Json]] = {
    "tags": lambda shown: {"tag_ids": shown["tag_ids"]},
    "dropdown": lambda shown: {"ids": [one["id"] for one in shown["values"]]},
    "people": lambda shown: {
        "personsAndTeams": [{"id": int(one["id"]), "kind": "person"} for one in shown["persons_and_teams"]]
    },
    "date": lambda shown: {"date": shown["date"], "time": shown["time"] or ""},
    "timeline": lambda shown: {end: shown[end] and shown[end][:10] for end in ("from", "to")},
    "checkbox": lambda shown: {"checked": str(shown["checked"]).lower()},
}
"""Type of a column -> what its raw value has, in which clients of old read it.
https://developer.monday.com/api-reference/reference/column-types-reference"""

SHAPES: dict[str, Callable[[Account, Column, Cell], Json]] = {
    "status": status,
    "tags": tags,
    "dropdown": dropdown,
    "people": people,
    "date": date,
    "timeline": timeline,
    "numbers": numbers,
    "checkbox": checkbox,
    "mirror": from_elsewhere,
    "formula": from_elsewhere,
    "board_relation": from_elsewhere,
    "dependency": from_elsewhere,
}
