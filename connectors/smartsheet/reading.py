"""Reading a whole sheet, page by page, and only if all its pages are of one version."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from connectors.base import Page
from connectors.errors import BusyError, InputError
from connectors.model import Cursor, WorkItem
from connectors.smartsheet.api import Api, Json
from connectors.smartsheet.rows import Sheet, parse_items

ATTEMPTS = 3
MAX_SENTENCES = 100


@dataclass(frozen=True, slots=True)
class Seen:
    """A sheet as it was read last: what a cursor holds."""

    version: int
    columns: Mapping[str, int] = field(default_factory=dict)
    """Role -> the id of its column, to find it again when it is renamed."""

    def as_cursor(self) -> Cursor:
        return Cursor(json.dumps({"version": self.version, "columns": self.columns}, sort_keys=True))


def parse_cursor(cursor: Cursor | None) -> Seen | None:
    """What a cursor holds; `None` for none, and for one of another time."""
    try:
        data = json.loads(cursor.value) if cursor else None
        return Seen(int(data["version"]), dict(data["columns"])) if data else None
    except (ValueError, TypeError, KeyError):
        return None


class MovedError(Exception):
    """The sheet changed between two of its pages, so that rows may have come twice or not at all."""


class Reading:
    """One attempt to read a sheet."""

    def __init__(self, api: Api, sheet: Sheet, size: int) -> None:
        self._api, self._sheet, self._size = api, sheet, size
        self.version: int | None = None
        self.given: set[str] = set()
        """Items that were given so far."""
        self.skipped: list[str] = []

    def pages(self) -> Iterator[Page]:
        """All items; the last page is not marked yet as such. Raises `MovedError`."""
        for items in cut(parse_items(self._sheet, self._rows(), self.skipped), self._size):
            self.given |= {item.ref.native_id for item in items}
            yield Page(tuple(items))

    def _rows(self) -> Iterator[Json]:
        api, sheet = self._api, self._sheet

        def page(number: int) -> Json:
            answer = api.page(sheet.native_id, sheet.layout.ids, self._size, number)
            if number == 1:
                self.version = answer.get("version")
            return answer

        return every_row(page)


def every_row(page: Callable[[int], Json]) -> Iterator[Json]:
    """Every row of a sheet once, whose pages are asked for by their number.

    Raises `MovedError`. A page past the end may be empty, or the last one again: only ids tell.
    """
    ids: set[object] = set()
    number, version = 1, None
    while True:
        answer = page(number)
        if number == 1:
            version = answer.get("version")
        if answer.get("version") != version:
            raise MovedError
        fresh = [row for row in answer["rows"] if row["id"] not in ids]
        ids |= {row["id"] for row in fresh}
        yield from fresh
        total = answer.get("totalRowCount")
        if len(ids) == total or (total is None and not fresh):
            return
        if not fresh:
            raise InputError(f"Smartsheet sent {len(ids)} of the {total} rows", "the next run tries again")
        number += 1


def read(api: Api, sheet: Sheet, size: int) -> Iterator[tuple[Page, Seen | None]]:
    """The pages of a sheet; with the last one, which is complete, what was seen.

    An item that an earlier attempt gave and the last one did not was deleted meanwhile: such a pull is not full, and
    leaves no cursor, so that the next one reads the sheet again and misses the item.
    """
    before: set[str] = set()
    for _ in range(ATTEMPTS):
        attempt = Reading(api, sheet, size)
        try:
            last = yield from all_but_last(attempt.pages())
        except MovedError:
            before |= attempt.given
            continue
        steady = before <= attempt.given
        seen = Seen(attempt.version, sheet.layout.remembered) if steady and attempt.version is not None else None
        skipped = sentences(attempt.skipped)
        yield (
            Page(
                last.items,
                skipped=skipped,
                cursor=seen.as_cursor() if seen and not skipped else None,
                complete=True,
                full=steady and not skipped,
            ),
            seen,
        )
        return
    raise BusyError("the sheet changes faster than it can be read", "the next run tries again")


def all_but_last(pages: Iterator[Page]) -> Generator[tuple[Page, None], None, Page]:
    """Give every page but the last, which is returned."""
    last = next(pages)
    for page in pages:
        yield last, None
        last = page
    return last


def cut(items: Iterable[WorkItem], size: int) -> Iterator[list[WorkItem]]:
    """The items in pieces; one empty piece if there are none."""
    piece: list[WorkItem] = []
    for item in items:
        if len(piece) == size:
            yield piece
            piece = []
        piece.append(item)
    yield piece


def sentences(skipped: list[str]) -> tuple[str, ...]:
    more = len(skipped) - MAX_SENTENCES
    return (*skipped[:MAX_SENTENCES], *([f"{more} more rows were left out"] if more > 0 else ()))
