"""Reading a board, page by page, and what a cursor holds of it."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from connectors.base import Page
from connectors.errors import BusyError
from connectors.model import Cursor, WorkItem
from connectors.monday.api import Api, ExpiredError, TooComplexError, objects
from connectors.monday.items import Place, parse_item
from connectors.monday.queries import MULTI_LEVEL, PLAIN, SUBITEM

Json = dict[str, Any]

READING = 1
"""Raise it when the same answers are read differently, so that boards are read anew."""

MOST, LEAST = 500, 25
"""Items on a page: the vendor's limit, and where it is not worth while to ask for fewer still."""

ATTEMPTS = 3
MAX_SENTENCES = 100

OVERLAP = timedelta(days=1)
"""Days are all that the filter by time knows, and it does not say in which time zone."""


@dataclass(frozen=True, slots=True)
class State:
    """A board as it was read last: what a cursor holds."""

    since: datetime
    """When that began, by monday.com's own clock."""
    swept: datetime
    """When all of it was read."""
    columns: Mapping[str, str]
    """Role -> the id of its column, to find it again when it is renamed."""
    digest: str
    """Changes when items would be read otherwise: other columns, other labels of the status."""

    def to_cursor(self) -> Cursor:
        parts = {"since": self.since.isoformat(), "swept": self.swept.isoformat(), "columns": dict(self.columns)}
        return Cursor(json.dumps({**parts, "digest": self.digest, "reading": READING}, sort_keys=True))


def parse_cursor(cursor: Cursor | None) -> State | None:
    """What a cursor holds; `None` for none, and for one of another version."""
    try:
        data = json.loads(cursor.value) if cursor else None
        if not data or data["reading"] != READING:
            return None
        since, swept = (datetime.fromisoformat(data[name]) for name in ("since", "swept"))
        return State(since, swept, dict(data["columns"]), str(data["digest"]))
    except (ValueError, TypeError, KeyError):
        return None


def digest_of(place: Place) -> str:
    parts = [{role: column.id for role, column in place.layout.columns.items()}, place.labels, place.board.name]
    return blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()


def changed_since(state: State) -> Json:
    """The filter for items that changed since a board was read.

    https://developer.monday.com/api-reference/reference/items-page#query-params
    """
    rule = {
        "column_id": "__last_updated__",
        "compare_value": ["EXACT", (state.since - OVERLAP).date().isoformat()],
        "compare_attribute": "UPDATED_AT",
        "operator": "greater_than_or_equals",
    }
    return {"rules": [rule]}


class Reading:
    """One attempt to read a board, or what changed on it."""

    def __init__(self, api: Api, place: Place, size: int, only: Json | None) -> None:
        self._api, self._place, self._size, self._only = api, place, size, only
        board = place.board
        self._fields = MULTI_LEVEL if board.is_multi_level else SUBITEM if board.is_of_subitems else PLAIN
        self.given: set[str] = set()
        """Items that were given so far."""
        self.skipped: list[str] = []

    def pages(self) -> Iterator[Page]:
        """All items, each once; the last page is not marked yet as such. Raises `ExpiredError`."""
        cursor: str | None = None
        while True:
            answer = self._answer(cursor)
            yield Page(tuple(self._items(objects(answer, "items"))))
            cursor = answer.get("cursor")
            if not cursor:
                return

    def _answer(self, cursor: str | None) -> Json:
        """A page, of fewer items from now on if so many are too much for one query."""
        while True:
            try:
                return self._asked(cursor)
            except TooComplexError:
                if self._size <= LEAST:
                    raise
                self._size = max(LEAST, self._size // 2)

    def _asked(self, cursor: str | None) -> Json:
        shared: Json = {"limit": self._size, "columns": self._place.layout.ids}
        if cursor:
            return self._api.next_page(self._fields, cursor, **shared)
        if self._only:
            shared["only"] = self._only
        if self._place.board.is_multi_level:
            shared["scope"] = "allItems"
        return self._api.first_page(self._fields, self._place.board.id, **shared)

    def _items(self, entries: list[Json]) -> Iterator[WorkItem]:
        for entry in entries:
            try:
                item = parse_item(entry, self._place)
            except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
                self.skipped.append(
                    f"the item {entry.get('id')} cannot be read ({type(error).__name__}: {error}); please report it"
                )
                continue
            if item.ref.native_id not in self.given:
                self.given.add(item.ref.native_id)
                yield item


def read(api: Api, place: Place, size: int, only: Json | None) -> Generator[Page, None, tuple[Page, bool]]:
    """Every page but the last, which is returned, with whether nothing was lost on the way.

    A cursor lives for an hour; after that, all is asked once more. An item that an earlier attempt gave and the last
    one did not was deleted meanwhile.
    """
    before: set[str] = set()
    for _ in range(ATTEMPTS):
        attempt = Reading(api, place, size, only)
        try:
            last = yield from all_but_last(attempt.pages())
        except ExpiredError:
            before |= attempt.given
            continue
        page = Page(last.items, skipped=sentences(attempt.skipped))
        return page, before <= attempt.given and not attempt.skipped
    raise BusyError("the board takes longer to read than a cursor lives", "the next run tries again")


def all_but_last(pages: Iterator[Page]) -> Generator[Page, None, Page]:
    """Give every page but the last, which is returned."""
    last = next(pages)
    for page in pages:
        yield last
        last = page
    return last


def sentences(skipped: list[str]) -> tuple[str, ...]:
    more = len(skipped) - MAX_SENTENCES
    return (*skipped[:MAX_SENTENCES], *([f"{more} more items were left out"] if more > 0 else ()))
