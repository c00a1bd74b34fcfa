"""Since when a row is where it is, by the histories of its cells: dear, so asked for few rows, and once.

One history counts as ten requests, 30 of them as the 300 that a token has in a minute:
https://developers.smartsheet.com/api/smartsheet/openapi/cells/cellhistory-get
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.smartsheet.api import ROWS_IN_AN_ADDRESS, Api
from connectors.smartsheet.cells import Json, NoAnswerError, moment, percent_of, text_of
from connectors.smartsheet.columns import Column, Layout
from connectors.smartsheet.rows import EMPTY, cells_of

Meaning = Callable[[Json], Any]

MOVEMENT: Mapping[str, Meaning] = {"status": text_of, "percent_complete": percent_of}
"""Role of a column whose change is movement -> what its cell means."""


def date_rows(api: Api, sheet: str, layout: Layout, rows: Sequence[str]) -> Iterator[tuple[str, datetime | None]]:
    """Each row, and since when it is where it is; `None` where its history does not prove it.

    A column that a formula fills is never asked for: nobody documents what its history holds. The cells are read right
    before, as one of them may hold a formula, or a link that fills it.
    """
    columns = {role: column for role in MOVEMENT if (column := layout[role])}
    if not columns or any(column.formula or column.system for column in columns.values()):
        yield from ((row, None) for row in rows)
        return
    for at in range(0, len(rows), ROWS_IN_AN_ADDRESS):
        piece = rows[at : at + ROWS_IN_AN_ADDRESS]
        answer = api.rows(sheet, [column.id for column in columns.values()], piece)
        cells = {str(row["id"]): cells_of(row) for row in answer["rows"]}
        for row in piece:
            yield row, date_row(api, sheet, columns, row, cells[row]) if row in cells else None


def date_row(
    api: Api, sheet: str, columns: Mapping[str, Column], row: str, cells: Mapping[int, Json]
) -> datetime | None:
    """The latest of the moments at which the columns got what they hold."""
    found = []
    for role, column in columns.items():
        cell = cells.get(column.id, EMPTY)
        if cell.get("formula") or cell.get("linkInFromCell"):
            return None
        entries = api.history(sheet, row, column.id)
        if entries or cell.get("value") is not None:
            try:
                found.append(held_since(entries, cell, MOVEMENT[role]))
            except NoAnswerError:
                return None
    return max(found, default=None)


def held_since(entries: Sequence[Json], cell: Json, meaning: Meaning) -> datetime:
    """Since when a cell means what it means now. Raises `NoAnswerError` where its history does not show that.

    No order of the entries is documented; of those of one second, the first is taken for the newest.
    """
    timed = [(moment(str(entry.get("modifiedAt")), None), entry) for entry in reversed(entries)]
    timed.sort(key=lambda one: one[0])
    now, since = meaning(cell), None
    for at, entry in reversed(timed):
        if meaning(entry) != now:
            break
        since = at
    if since is None:
        raise NoAnswerError("the history does not lead to the present value")
    return since
