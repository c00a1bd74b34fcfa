"""What a PUT of rows and a POST of columns do, and what they refuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.fakes.server import Answer, Request
from connectors.fakes.smartsheet.account import Account, Cell, Column, Row, Sheet
from connectors.fakes.smartsheet.refusals import RefusalError
from connectors.fakes.smartsheet.shapes import Ask, column_json, places_of, row_json

MOST_ROWS = 500
EDITORS = ("EDITOR", "EDITOR_SHARE", "ADMIN", "OWNER")
ADMINS = ("ADMIN", "OWNER")
Json = dict[str, Any]
AFTER_A_WRITE = Ask({"level": 2})
"""How much of each cell a write is answered with."""


def update_rows(account: Account, sheet: Sheet, request: Request) -> Answer:
    """All rows or none, unless partial success is asked for. The answer has them in the sheet's order."""
    if sheet.access not in EDITORS:
        raise RefusalError(1004)
    asked = request.json
    if not isinstance(asked, list) or len(asked) > MOST_ROWS:
        raise RefusalError(1008, f"a request may have at most {MOST_ROWS} rows")
    partial = request.query.get("allowPartialSuccess") == "true"
    fine, failed = [], []
    for index, one in enumerate(asked):
        try:
            fine.append(checked(sheet, one))
        except RefusalError as refusal:
            if not partial:
                detail = {"index": index, "rowId": one.get("id")}
                return Answer(refusal.status, {**refusal.as_json, "detail": detail})
            failed.append({"index": index, "rowId": one.get("id"), "error": refusal.as_json})
    return written(account, sheet, fine, failed)


def written(
    account: Account, sheet: Sheet, fine: Sequence[tuple[Row, dict[int, Any]]], failed: Sequence[Json]
) -> Answer:
    for row, values in fine:
        for column in sheet.columns:
            if column.id in values:
                account.put(sheet, row, column, values[column.id])
        row.modified = account.now
    sheet.version += bool(fine)
    ids = {row.id for row, _ in fine}
    places = places_of(sheet)
    rows = [row_json(sheet, row, places[row.id], sheet.columns, AFTER_A_WRITE) for row in sheet.rows if row.id in ids]
    whole = {"message": "SUCCESS", "resultCode": 0, "result": rows, "version": sheet.version}
    return Answer(
        json=whole | ({"message": "PARTIAL_SUCCESS", "resultCode": 3, "failedItems": failed} if failed else {})
    )


def checked(sheet: Sheet, asked: Json) -> tuple[Row, dict[int, Any]]:
    """The row that is meant, and its new values by column."""
    row = sheet.row(asked.get("id") or 0)
    if row is None:
        raise RefusalError(1006)
    if row.locked:
        raise RefusalError(1050)
    values: dict[int, Any] = {}
    for cell in asked.get("cells", []):
        column = next((one for one in sheet.columns if one.id == cell.get("columnId")), None)
        if column is None:
            raise RefusalError(1036, cell.get("columnId"))
        if column.id in values:
            raise RefusalError(1037, column.id)
        refuse_column(column)
        if row.cells.get(column.id, Cell()).link:
            raise RefusalError(1110)
        values[column.id] = value_of(column, cell)
    return row, values


def refuse_column(column: Column) -> None:
    if column.formula:
        raise RefusalError(1302)
    if column.system:
        raise RefusalError(1046, column.id)
    if column.locked:
        raise RefusalError(1039, column.id)


def value_of(column: Column, cell: Json) -> Any:
    if "objectValue" in cell:
        return object_of(column, cell)
    value = cell.get("value")
    if value in ("", None):
        return None
    if column.type == "MULTI_PICKLIST":
        raise RefusalError(1235)
    if column.type == "CHECKBOX" and not isinstance(value, bool):
        raise RefusalError(1042, column.id, value, column.type)
    return value


def object_of(column: Column, cell: Json) -> list[str]:
    whole = cell["objectValue"]
    if column.type != "MULTI_PICKLIST" or whole.get("objectType") != "MULTI_PICKLIST":
        raise RefusalError(1235)
    values: list[str] = whole.get("values", [])
    if not values:
        raise RefusalError(1277)
    alien = [one for one in values if one not in column.options]
    if column.restricted and alien:
        raise RefusalError(1042, column.id, alien[0], column.type)
    return list(dict.fromkeys(values))


def add_columns(account: Account, sheet: Sheet, request: Request) -> Answer:
    if sheet.access not in ADMINS:
        raise RefusalError(1004)
    asked = request.json if isinstance(request.json, list) else [request.json]
    titles = [column.title for column in sheet.columns] + [one.get("title") for one in asked]
    if len(set(titles)) < len(titles):
        raise RefusalError(1056)
    first = asked[0].get("index")
    for one in asked:
        if one.get("index") != first:
            raise RefusalError(1135, one.get("index"), first)
    made = [
        account.add_column(
            sheet,
            Column(0, one["title"], one["type"], list(one.get("options", ())), symbol=one.get("symbol")),
        )
        for one in asked
    ]
    result = [column_json(column, sheet.columns.index(column), 2) for column in made]
    return Answer(json={"message": "SUCCESS", "resultCode": 0, "result": result, "version": sheet.version})
