"""The store as it was on a day: a temporary `item` that stands before the store's own, moved along by history.

`lay` builds it, `go` moves it from one day to the next; everything that reads `item` or `work_item` without naming a
schema then sees that day, as it was when the day ended. It needs a transaction that is rolled back afterwards
(`Store.snapshot`).

Of an item's past, history proves status, category, percentage and since when. What it does not prove is unknown, so
that no rule guesses. What has a date of its own (creation, start, finish) is not there before that date. All other
columns keep no history, and hold what they hold today.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime, tzinfo
from functools import cache

from rules.columns import unknown_bit

KNOWN_BY_DAY = frozenset(
    {
        "source", "key", "status", "status_category", "status_since", "status_since_is", "days_in_status",
        "business_days_in_status", "percent_complete", "created_at", "age_days", "started_at", "finished_at",
    }
)  # fmt: skip
"""Columns that hold what they held on the day, or never change."""

_EVENTS = ("started_at", "finished_at")
_STATE = (
    "status", "status_category", "percent_complete", "status_since", "status_since_day", "status_since_is", "unknown",
    "unclear",
)  # fmt: skip

_STATUS = unknown_bit("status") or 0
_CATEGORY = unknown_bit("status_category") or 0
_SINCE = unknown_bit("status_since") or 0
_PERCENT = unknown_bit("percent_complete") or 0
_STATUS_BITS = _STATUS | _CATEGORY | _SINCE


def lay(connection: sqlite3.Connection, zones: Mapping[str, tzinfo], otherwise: tzinfo, today: int) -> None:
    """Make the temporary tables. `zones` by source say when days begin; `today` is an ordinal."""

    @cache
    def local_day(source: str, at: str | None) -> int | None:
        return datetime.fromisoformat(at).astimezone(zones.get(source, otherwise)).toordinal() if at else None

    connection.create_function("local_day", 2, local_day, deterministic=True)
    connection.execute("CREATE TEMP TABLE item AS SELECT *, 0 AS unclear FROM main.item ORDER BY id")
    connection.execute("CREATE UNIQUE INDEX temp.past_item ON item (id)")
    _lay_moves(connection, today)
    _lay_lives(connection, today)
    _lay_states(connection, today)


def _lay_moves(connection: sqlite3.Connection, today: int) -> None:
    """`move`: every transition with its day, its number from the first, and its number from the end of its day."""
    connection.execute(
        "CREATE TEMP TABLE move AS SELECT *, row_number() OVER (PARTITION BY item_id ORDER BY at, id) AS nth, "
        "row_number() OVER (PARTITION BY item_id, day ORDER BY at DESC, id DESC) AS from_last, "
        "max(percent_complete IS NOT NULL) OVER (PARTITION BY item_id) AS tracked, "
        "max(day) OVER (PARTITION BY item_id) AS last_day "
        "FROM (SELECT t.*, min(local_day(i.source, t.at), ?) AS day FROM main.transition t "
        "JOIN main.item i ON i.id = t.item_id)",
        (today,),
    )
    connection.execute("CREATE INDEX temp.move_item ON move (item_id, nth)")


def _lay_lives(connection: sqlite3.Connection, today: int) -> None:
    """`life`: from when to when an item was there. Without a creation date it begins with what is first known of it."""
    connection.execute(
        "CREATE TEMP TABLE life AS SELECT i.id AS item_id, seen, tracked, move.day AS first_day, last_day, "
        "min(?1, coalesce(i.created_at_day, "
        "min(ifnull(move.day, ?1), ifnull(i.status_since_day, ?1), ifnull(seen, ?1)))) AS born, "
        "min(local_day(i.source, i.missing_since), ?1) AS gone, i.started_at_day, i.finished_at_day "
        "FROM (SELECT *, local_day(source, first_seen) AS seen FROM main.item) i "
        "LEFT JOIN temp.move ON move.item_id = i.id AND move.nth = 1",
        (today,),
    )
    connection.execute("CREATE UNIQUE INDEX temp.life_item ON life (item_id)")


def _lay_states(connection: sqlite3.Connection, today: int) -> None:
    """`state`: what an item's `_STATE` was from a day on; day 0 is the beginning. A later step may replace a row."""
    connection.execute(
        f"CREATE TEMP TABLE state (item_id INTEGER, day INTEGER, {', '.join(_STATE)}, PRIMARY KEY (item_id, day)) "
        "WITHOUT ROWID"
    )
    for select in (_UNPROVED, _BEFORE_FIRST_MOVE, _AFTER_MOVES, _NOW):
        connection.execute(f"INSERT OR REPLACE INTO temp.state {select}", {"today": today})
    connection.execute("CREATE INDEX temp.state_day ON state (day)")


_UNPROVED = (
    "SELECT i.id, 0, NULL, NULL, CASE WHEN ifnull(tracked, 0) = 0 THEN i.percent_complete END, NULL, NULL, 'at_least', "
    f"i.unknown | {_STATUS_BITS} | CASE WHEN tracked THEN {_PERCENT} ELSE 0 END, 1 "
    "FROM main.item i JOIN temp.life ON life.item_id = i.id"
)

# A tool's own history begins with the item. What we observed begins when we first saw it.
_BEFORE_FIRST_MOVE = (
    "SELECT i.id, CASE origin WHEN 'tool' THEN 0 ELSE seen END, from_status, from_category, "
    "CASE WHEN tracked THEN NULL ELSE i.percent_complete END, "
    "CASE origin WHEN 'tool' THEN i.created_at ELSE i.first_seen END, "
    "CASE origin WHEN 'tool' THEN born ELSE seen END, "
    "CASE WHEN origin = 'tool' AND i.created_at IS NOT NULL THEN 'exact' ELSE 'at_least' END, "
    f"(i.unknown & ~{_STATUS_BITS}) | CASE WHEN from_status IS NULL THEN {_STATUS | _SINCE} ELSE 0 END "
    f"| CASE WHEN from_category IS NULL THEN {_CATEGORY} ELSE 0 END | CASE WHEN tracked THEN {_PERCENT} ELSE 0 END, "
    "from_status IS NULL OR from_category IS NULL "
    "FROM main.item i JOIN temp.life ON life.item_id = i.id JOIN (SELECT item_id, nth, origin, from_status, "
    "from_category, day FROM temp.move) move ON move.item_id = i.id AND move.nth = 1 "
    "WHERE origin = 'tool' OR seen < move.day"
)

_AFTER_MOVES = (
    "SELECT i.id, day, to_status, to_category, "
    "CASE WHEN tracked THEN move.percent_complete ELSE i.percent_complete END, at, day, "
    "CASE origin WHEN 'tool' THEN 'exact' ELSE 'at_least' END, "
    f"(i.unknown & ~{_STATUS_BITS} & ~CASE WHEN tracked THEN {_PERCENT} ELSE 0 END) "
    f"| CASE WHEN to_category IS NULL THEN {_CATEGORY} ELSE 0 END, to_category IS NULL "
    "FROM temp.move JOIN main.item i ON i.id = move.item_id WHERE from_last = 1"
)

_NOW = (
    "SELECT i.id, min(:today, max(ifnull(last_day, 0), coalesce(i.status_since_day, last_day, 0))), i.status, "
    "i.status_category, i.percent_complete, i.status_since, i.status_since_day, i.status_since_is, i.unknown, 0 "
    "FROM main.item i JOIN temp.life ON life.item_id = i.id"
)


def go(connection: sqlite3.Connection, day: int, today: int, *, first: bool) -> None:
    """Move the temporary `item` to the end of `day`: from the day before or, as the `first`, from anywhere."""
    latest = "(SELECT max(day) FROM temp.state WHERE item_id = item.id AND day <= :day)" if first else ":day"
    places = {"day": day, "today": today}
    connection.execute(
        f"UPDATE temp.item SET {', '.join(f'{name} = state.{name}' for name in _STATE)} FROM temp.state "
        f"WHERE state.item_id = item.id AND state.day = {latest}",
        places,
    )
    connection.execute(
        "UPDATE temp.item SET missing_since = CASE WHEN born > :day OR gone <= :day THEN '-' END FROM temp.life "
        "WHERE life.item_id = item.id" + ("" if first else " AND (born = :day OR gone = :day)"),
        places,
    )
    for name in _EVENTS:
        _go_event(connection, name, places, first=first)


def _go_event(connection: sqlite3.Connection, name: str, places: Mapping[str, int], *, first: bool) -> None:
    """What began or ended later had not begun or ended yet; a date that is still to come is a plan, and stays."""
    if first:
        connection.execute(
            f"UPDATE temp.item SET {name} = NULL, {name}_day = NULL WHERE {name}_day > :day AND {name}_day <= :today",
            places,
        )
    else:
        connection.execute(
            f"UPDATE temp.item SET {name} = main.item.{name}, {name}_day = life.{name}_day FROM temp.life "
            f"JOIN main.item ON main.item.id = life.item_id "
            f"WHERE life.item_id = temp.item.id AND life.{name}_day = :day",
            places,
        )
