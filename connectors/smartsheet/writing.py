"""Writing labels into a sheet: merge with what the rows hold, write them together, and say what became of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.base import ChangeResult, Outcome, exempted
from connectors.errors import BusyError, ConnectorError, SetupError
from connectors.model import LabelChange
from connectors.smartsheet.api import Api
from connectors.smartsheet.cells import Json, values_of
from connectors.smartsheet.columns import (
    FLAG,
    LABELS,
    REASON,
    Column,
    Layout,
    why_unwritable,
)
from connectors.smartsheet.fresh import Fresh
from connectors.smartsheet.rows import EMPTY, cells_of

BATCH = 500
"""Rows that one request may update: https://developers.smartsheet.com/api/smartsheet/guides/limitations"""

CELL = 4000
"""Characters of a cell; what is longer is cut without a word."""

LONGEST = 250
"""Characters of a label. The limit is ours: nobody reads a longer one in a cell."""

FORBIDDEN = ",\n"
"""Where values of a cell are shown as one text, and typed in, these stand between them."""

KINDS: Mapping[str, tuple[str, str]] = {
    LABELS: ("Dropdown (Multi Select)", "MULTI_PICKLIST"),
    FLAG: ("Symbols (Flag) or Checkbox", "CHECKBOX"),
    REASON: ("Text/Number", "TEXT_NUMBER"),
}
"""Role -> the type of its column as people choose it, and as Smartsheet calls it."""

NEXT_RUN = "the next run tries again"

REFUSALS: Mapping[int, str] = {
    1004: "we may not change it; let the sheet's owner share it with us as an editor",
    1039: "its column is locked; let the sheet's owner unlock it",
    1042: "the column takes its own options only; add the label to them",
    1046: "the column is filled by Smartsheet itself; name another one",
    1050: "its row is locked; let the sheet's owner unlock it",
    1110: "its cell is linked to another sheet's; take the link away",
    1115: "its cell is linked to another sheet's; take the link away",
    1235: "the column does not take labels; make one of the type Dropdown (Multi Select)",
    1302: "the column is filled by a formula; name another one",
}
"""What a person has to do: https://developers.smartsheet.com/api/smartsheet/error-codes"""

NO_SUCH_ROW = 1006


@dataclass(frozen=True, slots=True)
class Update:
    """One row to be written."""

    change: LabelChange
    cells: tuple[dict[str, Any], ...]
    labels: tuple[str, ...]
    already: frozenset[str]
    """What was to be added, and was there."""

    @property
    def as_json(self) -> dict[str, Any]:
        return {"id": int(self.change.ref.native_id), "cells": list(self.cells)}


class Writing:
    """All writes of one call of `apply` into one sheet."""

    def __init__(self, api: Api, sheet: str, layout: Layout, fresh: Fresh) -> None:
        self._api, self._sheet, self._layout, self._fresh = api, sheet, layout, fresh

    def write(self, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        for at in range(0, len(changes), BATCH):
            yield from self._batch(changes[at : at + BATCH])

    def _batch(self, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        rows = self._fresh.rows([change.ref.native_id for change in changes])
        decided = [decide(self._layout, change, rows.get(change.ref.native_id)) for change in changes]
        updates = [one for one in decided if isinstance(one, Update)]
        failed = self._send(updates) if updates else {}
        results = [self._result(one, failed) for one in decided]
        if updates and self._fresh.seen:
            results[-1] = replace(results[-1], cursor=self._fresh.seen.as_cursor())
        yield from results

    def _result(self, one: Update | ChangeResult, failed: Mapping[str, ChangeResult]) -> ChangeResult:
        if isinstance(one, ChangeResult):
            return one
        return failed.get(one.change.ref.native_id) or done(one)

    def _send(self, updates: Sequence[Update]) -> dict[str, ChangeResult]:
        """Write; the results of those that were refused, by row."""
        answer = self._api.update(self._sheet, [update.as_json for update in updates])
        self._fresh.wrote(answer.get("version"))
        failures = answer.get("failedItems") or []
        if answer.get("resultCode") not in (0, 3):
            raise BusyError("Smartsheet did not say what became of a write", NEXT_RUN)
        return {update.change.ref.native_id: result for update, result in refused(updates, failures)}


def check_columns(layout: Layout) -> None:
    """Raise `SetupError` if labels cannot be written into the sheet, for a reason that lies in its columns."""
    for problem in problems(layout):
        raise problem


def problems(layout: Layout) -> Iterator[ConnectorError]:
    """All that keeps us from writing into a sheet's columns."""
    for role, (kind, _) in KINDS.items():
        column = layout[role]
        if name := layout.missing.get(role):
            yield SetupError(
                f'the sheet has no column "{name}"',
                f"add one of the type {kind}, or let `unstuck init --sheet` do it",
            )
        elif column and (why := why_not_of(role, column)):
            yield SetupError(*why)


@dataclass(frozen=True, slots=True)
class NewColumn:
    """A column that a sheet is to get."""

    title: str
    role: str

    def __str__(self) -> str:
        return f'column "{self.title}", {KINDS[self.role][0]}'

    def as_json(self, at: int) -> dict[str, Any]:
        """Behind the columns that are there; all that are added at once name the same place."""
        symbol = {"symbol": "FLAG"} if self.role == FLAG else {}
        return {"title": self.title, "type": KINDS[self.role][1], "index": at, **symbol}


def missing_columns(layout: Layout) -> list[NewColumn]:
    """What a sheet lacks for our labels. Raises `SetupError` for a column that config names by an id."""
    for role in KINDS:
        if (name := layout.missing.get(role, "")).isdigit():
            raise SetupError(
                f"the sheet has no column with the id {name}", "name the column by a title to have it added"
            )
    return [NewColumn(layout.missing[role], role) for role in KINDS if role in layout.missing]


def why_not_of(role: str, column: Column) -> tuple[str, str] | None:
    """Why a column cannot be our labels, our flag or our reasons, and what to do; `None` if it can."""
    kind, wanted = KINDS[role]
    if column.type != wanted:
        is_now = column.type or "of a type that we do not know"
        return (
            f"the {column} is {is_now}, and not {wanted}",
            f"make another one of the type {kind}; do not change this one's type, which converts its cells",
        )
    return why_unwritable(column)


def decide(layout: Layout, change: LabelChange, row: Json | None) -> Update | ChangeResult:
    """What is to be written into a row, or why nothing is."""
    column = layout[LABELS]
    if row is None or column is None:
        return ChangeResult(change.ref, Outcome.GONE, "the row is not in the sheet any more; nothing is to be done")
    cells = cells_of(row)
    before = values_of(cells.get(column.id, EMPTY))
    after = tuple(change.applied_to(before))
    if after == before:
        return ChangeResult(change.ref, Outcome.UNCHANGED, "", tuple(sorted(before)))
    if exempt := exempted(change, before, "row"):
        return exempt
    written = [label_cell(column, after), *other_cells(layout, change, cells)]
    if refusal := why_not(column, change, after, row, [cells.get(one["columnId"], EMPTY) for one in written]):
        return ChangeResult(change.ref, Outcome.REFUSED, refusal)
    return Update(change, tuple(written), after, change.already_on(before))


def label_cell(column: Column, labels: Sequence[str]) -> dict[str, Any]:
    """A cell with these labels. No list may be empty; an empty text empties the cell."""
    if not labels:
        return {"columnId": column.id, "value": ""}
    whole = {"objectType": "MULTI_PICKLIST", "values": list(labels)}
    return {"columnId": column.id, "objectValue": whole, "strict": False}


def other_cells(layout: Layout, change: LabelChange, cells: Mapping[int, Json]) -> Iterator[dict[str, Any]]:
    """The flag and the reasons, where they are to differ from what is there."""
    if change.reasons is None:
        return
    reasons = "; ".join(dict.fromkeys(change.reasons.values()))
    for role, value in ((FLAG, bool(change.reasons)), (REASON, shortened(reasons))):
        column = layout[role]
        if column and (cells.get(column.id, EMPTY).get("value") or type(value)()) != value:
            yield {"columnId": column.id, "value": value}


def shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= CELL else f"{line[: CELL - 1]}…"


def why_not(column: Column, change: LabelChange, after: Sequence[str], row: Json, cells: Sequence[Json]) -> str | None:
    """Why a row is not to be written, as far as that can be told beforehand."""
    unfit = next((why for label in change.add if (why := why_no_label(column, label))), None)
    if unfit:
        return unfit
    if len(", ".join(after)) > CELL:
        return f"its labels would be longer than the {CELL} characters that a cell holds; take some off"
    if row.get("lockedForUser"):
        return REFUSALS[1050]
    return next((why for cell in cells if (why := why_not_cell(cell))), None)


def why_no_label(column: Column, label: str) -> str | None:
    if len(label) > LONGEST or any(character in label for character in FORBIDDEN):
        shown = " ".join(label[:40].split())
        return f'"{shown}" cannot be a value of the {column}; shorten it, and take commas and line breaks out'
    if column.restricted and label not in column.options:
        return f'the {column} takes its own options only; add "{label}" to them'
    return None


def why_not_cell(cell: Json) -> str | None:
    if cell.get("formula"):
        return "its cell holds a formula; take the formula away"
    return REFUSALS[1110] if cell.get("linkInFromCell") else None


def done(update: Update) -> ChangeResult:
    return ChangeResult(update.change.ref, Outcome.DONE, "", tuple(sorted(update.labels)), already=update.already)


def refused(updates: Sequence[Update], failures: Sequence[Json]) -> Iterator[tuple[Update, ChangeResult]]:
    """What became of the rows that a partial success leaves out."""
    by_row = {int(update.change.ref.native_id): update for update in updates}
    for failure in failures:
        index, error = failure.get("index"), failure.get("error") or {}
        update = by_row.get(failure.get("rowId") or 0)
        if update is None and isinstance(index, int) and 0 <= index < len(updates):
            update = updates[index]
        if update is None:
            raise BusyError("Smartsheet refused a row, and does not say which", "the next run looks what is there")
        yield update, of_failure(update.change, error)


def of_failure(change: LabelChange, error: Json) -> ChangeResult:
    code = int(error.get("errorCode") or 0)
    if code == NO_SUCH_ROW:
        return ChangeResult(change.ref, Outcome.GONE, "the row is not in the sheet any more; nothing is to be done")
    if code in REFUSALS:
        return ChangeResult(change.ref, Outcome.REFUSED, REFUSALS[code])
    said = " ".join(str(error.get("message") or "without a word").split())[:200].rstrip(".")
    return ChangeResult(change.ref, Outcome.FAILED, f"Smartsheet refused it ({code}: {said}); {NEXT_RUN}")
