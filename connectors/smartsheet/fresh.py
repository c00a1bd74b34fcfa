"""The rows of a sheet as they are right before they are written.

A write is merged with what its rows hold, so these are read first: a few by their ids, and where there are more than
fit into one address, the label cells of the whole sheet at once. What was read stays true for as long as nobody but us
writes, and that is told by the sheet's version: our write raises it by one (so it was recorded from the real API), and
the answer gives it. If it is one more than before, nothing came in between, and the rows of the next batch are as they
were read. With any other number they are read again.

What somebody writes after the last word that we have of the sheet (the reading, or the answer to the batch before) and
before our next write arrives is not seen in time: Smartsheet has no write on a condition. Reading the rows by their ids
leaves the same gap. So that it gets no wider where whoever keeps our results takes long, a word older than `TRUSTED` is
asked for again, in one small request. A write that Smartsheet makes wait (429) widens it, however the rows were read.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from connectors.errors import AccessError
from connectors.smartsheet.api import ROWS_IN_AN_ADDRESS, Api, Json
from connectors.smartsheet.columns import FLAG, LABELS, REASON, Layout
from connectors.smartsheet.reading import MovedError, Seen, every_row

READERS = ("VIEWER", "COMMENTER")

ROWS_AT_ONCE = 10_000
"""Rows of one answer that has three columns at most. The vendor names no limit for sheets, and this one for reports:
https://developers.smartsheet.com/api/smartsheet/guides/limitations"""

TRUSTED = 2.0
"""Seconds. About as long as reading 500 rows by their ids and writing them takes."""

NOTHING: Final[Json] = {}


class Fresh:
    """The rows of one sheet, for all writes of one run."""

    def __init__(self, api: Api, sheet: str, layout: Layout) -> None:
        self._api, self._sheet = api, sheet
        self._columns = [column.id for role in (LABELS, FLAG, REASON) if (column := layout[role])]
        self._version: object = None
        self._told_at = 0.0
        self._known: dict[str, Json] = {}
        """By id, as they are at `_version`: all rows that were not handed out yet."""
        self.seen: Seen | None = None
        """The sheet as the store has it, for as long as nobody but us changed it since."""

    def rows(self, wanted: Sequence[str]) -> Mapping[str, Json]:
        """These rows as they are now, by id, less those that are not there. They are about to be written, so that they
        are not known any more after this. Raises `AccessError` if the sheet is for us to read only.
        """
        ids = [one for one in wanted if one.isascii() and one.isdigit()]
        if self._known and time.monotonic() - self._told_at > TRUSTED:
            self._follow(self._api.version(self._sheet))
        if len(ids) > ROWS_IN_AN_ADDRESS and not self._known:
            self._read_all()
        found = {one: self._known.pop(one) for one in ids if one in self._known}
        return found if len(found) == len(ids) else self._read(ids)

    def wrote(self, version: object) -> None:
        """Note the version that the answer to a write gives."""
        self._follow(version, by_us=True)

    def _read(self, ids: Sequence[str]) -> dict[str, Json]:
        """Rows by their ids; what is not in the sheet any more is left out."""
        found: dict[str, Json] = {}
        for at in range(0, len(ids), ROWS_IN_AN_ADDRESS):
            answer = self._api.rows(self._sheet, self._columns, ids[at : at + ROWS_IN_AN_ADDRESS])
            refuse_readers(answer)
            self._follow(answer.get("version"))
            found |= {str(row["id"]): row for row in answer["rows"]}
        return found

    def _read_all(self) -> None:
        """Know every row, or none if the sheet changes while it is read."""

        def page(number: int) -> Json:
            answer = self._api.cells(self._sheet, self._columns, ROWS_AT_ONCE, number)
            refuse_readers(answer)
            self._follow(answer.get("version"))
            return answer

        try:
            self._known = {str(row["id"]): slim(row) for row in every_row(page)}
        except MovedError:
            self._known = {}

    def _follow(self, version: object, *, by_us: bool = False) -> None:
        """Take the sheet's version in. What is known stays so only if this is the one that our own write makes."""
        if not is_next(self._version, version, by_us=by_us):
            self._known = {}
        if self.seen and not is_next(self.seen.version, version, by_us=by_us):
            self.seen = None
        elif self.seen and by_us:
            self.seen = Seen(self.seen.version + 1, self.seen.columns)
        self._version, self._told_at = version, time.monotonic()


def is_next(before: object, version: object, *, by_us: bool) -> bool:
    """Whether a sheet of the version `before` is of `version` now because of one write of ours, or of none."""
    return isinstance(before, int) and version == before + by_us


def refuse_readers(answer: Json) -> None:
    if answer.get("accessLevel") in READERS:
        raise AccessError(
            f"the sheet is shared with us as {answer['accessLevel'].lower()}, which may not write",
            "let its owner share it with us as an editor",
        )


def slim(row: Json) -> Json:
    """What a write needs to know of a row. A sheet has 20,000, most of them without any label."""
    return {name: row[name] for name in ("cells", "lockedForUser") if row.get(name)} or NOTHING
