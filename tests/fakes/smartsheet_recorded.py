"""Sheets as they were recorded from the real API, for the fake to hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from connectors.fakes.smartsheet.account import Account, Cell, Column, Row, Sheet

Json = dict[str, Any]


def load_sheet(account: Account, body: Json) -> Sheet:
    """A sheet whose answer (at level 2, with objectValue) was `body`, with its ids, times and version."""
    sheet = Sheet(body["id"], body["name"], moment(body["createdAt"]), [column_of(one) for one in body["columns"]])
    sheet.access, sheet.version = body["accessLevel"], body["version"]
    for one in body["rows"]:
        row = Row(one["id"], moment(one["createdAt"]), moment(one["modifiedAt"]), one.get("parentId"))
        row.cells = {cell["columnId"]: cell_of(cell) for cell in one["cells"]}
        sheet.rows.append(row)
        sheet.by_id[row.id] = row
    account.sheets[sheet.id] = sheet
    return sheet


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def column_of(one: Json) -> Column:
    return Column(
        one["id"],
        one["title"],
        one["type"],
        list(one.get("options", ())),
        restricted=bool(one.get("validation")),
        primary=bool(one.get("primary")),
        formula=one.get("formula"),
        system=one.get("systemColumnType"),
        locked=bool(one.get("lockedForUser")),
        symbol=one.get("symbol"),
        hidden=bool(one.get("hidden")),
    )


def cell_of(one: Json) -> Cell:
    whole = one["objectValue"] if isinstance(one.get("objectValue"), dict) else {}
    values, contact = whole.get("values"), whole.get("objectType") == "CONTACT"
    value = values or (
        {key: text for key, text in whole.items() if key != "objectType"} if contact else one.get("value")
    )
    return Cell(value, one.get("formula"))
