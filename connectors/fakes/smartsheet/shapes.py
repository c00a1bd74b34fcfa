"""How things look on the wire, as recorded from the real API (levels 0 and 2), where it is not documented."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.fakes.smartsheet.account import Cell, Column, Row, Sheet

Json = dict[str, Any]
DATES = ("DATE", "ABSTRACT_DATETIME", "DATETIME")
SEVERAL = {"MULTI_PICKLIST": 2, "MULTI_CONTACT_LIST": 1}
"""Types of columns that are shown as text below a level."""


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def column_json(column: Column, index: int, level: int) -> Json:
    shown_as_text = level < SEVERAL.get(column.type, 0)
    found: Json = {
        "id": column.id,
        "version": 2 if column.type == "MULTI_PICKLIST" else 0,
        "index": index,
        "title": column.title,
        "type": "TEXT_NUMBER" if shown_as_text else column.type,
        "validation": column.restricted,
        "width": 150,
    }
    optional = {
        "primary": column.primary,
        "options": column.options,
        "formula": column.formula,
        "systemColumnType": column.system,
        "symbol": column.symbol,
        "hidden": column.hidden,
        "locked": column.locked,
        "lockedForUser": column.locked,
    }
    return found | {name: value for name, value in optional.items() if value}


def listed_sheet(sheet: Sheet, *, version: bool) -> Json:
    found: Json = {
        "id": sheet.id,
        "name": sheet.name,
        "accessLevel": sheet.access,
        "permalink": permalink(sheet),
        "createdAt": stamp(sheet.created),
        "modifiedAt": stamp(max((row.modified for row in sheet.rows), default=sheet.created)),
    }
    return found | ({"version": sheet.version} if version else {})


def permalink(sheet: Sheet) -> str:
    return f"https://app.smartsheet.com/sheets/{sheet.id}"


def sheet_json(sheet: Sheet, columns: Iterable[Column], rows: Iterable[Row], ask: Ask) -> Json:
    chosen = list(columns)
    places = places_of(sheet)
    shown = [column_json(column, number, ask.level) for number, column in enumerate(sheet.columns) if column in chosen]
    return {
        **listed_sheet(sheet, version=True),
        "totalRowCount": len(sheet.rows),
        "ganttEnabled": False,
        "dependenciesEnabled": False,
        "isMultiPicklistEnabled": True,
        "columns": shown,
        "rows": [row_json(sheet, row, places[row.id], chosen, ask) for row in rows],
    }


class Ask:
    """How much of each cell is asked for."""

    def __init__(self, query: Json) -> None:
        include = str(query.get("include", "")).split(",")
        self.level = int(query.get("level", 0))
        self.objects = "objectValue" in include
        self.permalinks = "rowPermalink" in include
        self.empty = "nonexistentCells" not in str(query.get("exclude", "")).split(",")


def row_json(sheet: Sheet, row: Row, place: Place, columns: Sequence[Column], ask: Ask) -> Json:
    found: Json = {"id": row.id, "rowNumber": place.number}
    if row.parent:
        found["parentId"] = row.parent
    if place.before:
        found["siblingId"] = place.before
    found |= {"expanded": True, "createdAt": stamp(row.created), "modifiedAt": stamp(row.modified)}
    if row.locked:
        found |= {"locked": True, "lockedForUser": True}
    if ask.permalinks:
        found["permalink"] = f"{permalink(sheet)}?rowId={row.id}"
    cells = [(column, row.cells.get(column.id, Cell(formula=column.formula))) for column in columns]
    found["cells"] = [
        cell_json(column, cell, ask)
        for column, cell in cells
        if ask.empty or cell.value not in (None, []) or cell.formula or column.formula
    ]
    return found


@dataclass(frozen=True)
class Place:
    """Where a row stands."""

    number: int
    before: int | None
    """The id of the row before it that has the same parent."""


def places_of(sheet: Sheet) -> dict[int, Place]:
    """By the rows' ids."""
    last: dict[int | None, int] = {}
    found: dict[int, Place] = {}
    for number, row in enumerate(sheet.rows, start=1):
        found[row.id] = Place(number, last.get(row.parent))
        last[row.parent] = row.id
    return found


def cell_json(column: Column, cell: Cell, ask: Ask) -> Json:
    """A cell with several values has no `value`, and below its level is a text."""
    found: Json = {"columnId": column.id}
    if cell.value not in (None, []):
        if column.type in SEVERAL:
            found |= several(column, cell.value, ask)
        else:
            found |= single(column, cell.value, ask)
    if formula := cell.formula or column.formula:
        found["formula"] = formula
    if cell.link:
        found["linkInFromCell"] = cell.link
    if cell.hyperlink:
        found["hyperlink"] = hyperlink_json(cell.hyperlink)
    return found


def hyperlink_json(target: str | int) -> Json:
    """A link to a sheet has its id and its address."""
    if isinstance(target, int):
        return {"sheetId": target, "url": f"https://app.smartsheet.com/sheets/{target}"}
    return {"url": target}


def several(column: Column, values: list[Any], ask: Ask) -> Json:
    text = ", ".join(one if isinstance(one, str) else one.get("name") or one["email"] for one in values)
    if ask.level < SEVERAL[column.type]:
        return {"value": text, "displayValue": text}
    kind = column.type.removesuffix("_LIST")
    contacts = [one if isinstance(one, str) else {"objectType": "CONTACT", **one} for one in values]
    return ({"objectValue": {"objectType": kind, "values": contacts}} if ask.objects else {}) | {"displayValue": text}


def single(column: Column, value: Any, ask: Ask) -> Json:
    if isinstance(value, dict):  # a contact
        found: Json = {"value": value.get("email", value.get("name")), "displayValue": value.get("name", "")}
        return found | ({"objectValue": {"objectType": "CONTACT", **value}} if ask.objects else {})
    plain = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if column.type in DATES and re.match(r"\d{4}-\d\d-\d\d", str(value)):  # and not text that somebody typed there
        return {"value": plain} | ({"objectValue": {"objectType": column.type, "value": plain}} if ask.objects else {})
    found = {"value": plain} | ({"objectValue": plain} if ask.objects else {})
    if isinstance(value, bool) or column.type in DATES:
        return found
    return found | {"displayValue": shown(column, value)}


def shown(column: Column, value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value * 100:g}%" if column.percent else f"{value:g}"
