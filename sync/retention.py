"""What the store forgets, and when: old runs with what they wrote, and items that vanished long ago.

Never what something still needs: the run and the journal of a label that is on, an item with a label, veto or open
write of ours, a run that a brake compares with. Transitions of an item go with the item and not before, so that no
clock and no backtest is cut short.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from rules.table import moment
from sync.clock import Clock
from sync.store import Store

ALWAYS = 100
"""So many of the newest runs are kept whatever their age, for a store that is seldom used and a clock that jumped."""
_AT_ONCE = 500
"""Rows a transaction, so that others never wait long for the file."""
_GOES_WITH_ITEM = frozenset({"item_detail", "transition", "finding_kept", "gone", "unproved"}) | {
    "given_link", "link", "anchor", "initiative_detail",
}  # fmt: skip
"""Tables whose rows are nothing without their item. A row in any other table that names an item keeps it."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what nothing needs any more is kept, in days."""

    runs_days: int
    vanished_days: int


def forget(store: Store, keep: Retention, clock: Clock) -> int:
    """Delete what is too old, in small transactions, once a day. Returns how many rows went, beside their details.

    Nothing goes in a rehearsal: its clock is made up.
    """
    day = clock.now.date().isoformat()
    if clock.rehearsal or store.setting("forgotten") == day:
        return 0
    gone = sum(_delete_all(store, table, which) for table, which in _outdated(store.connection, keep, clock.now))
    with store.transaction() as connection:
        gone += _forget_learned(connection, clock.now - timedelta(days=keep.runs_days))
        store.remember("forgotten", day)
    return gone


def _outdated(connection: sqlite3.Connection, keep: Retention, now: datetime) -> Iterator[tuple[str, str]]:
    """Table and condition, in an order in which each makes room for the next."""
    old, gone = (moment(now - timedelta(days=days)) for days in (keep.runs_days, keep.vanished_days))
    lasting = f"(SELECT ifnull(min(id), 0) FROM (SELECT id FROM run ORDER BY id DESC LIMIT {ALWAYS}))"
    yield (
        "journal",
        f"run_id < {lasting} AND result_at < '{old}' AND NOT EXISTS (SELECT 1 FROM ledger l "
        "WHERE l.item_id = journal.item_id AND l.label = journal.label AND l.run_id = journal.run_id)",
    )
    yield "run", f"id < {lasting} AND started_at < '{old}' AND {_unnamed(connection, 'run', frozenset())}"
    yield "item", f"missing_since < '{gone}' AND {_unnamed(connection, 'item', _GOES_WITH_ITEM)} AND {_ALONE}"


_ALONE = (
    "NOT EXISTS (SELECT 1 FROM item other WHERE other.parent_id = item.id) "
    "AND NOT EXISTS (SELECT 1 FROM item other WHERE other.outcome_id = item.id AND other.outcome_id <> other.id)"
)
"""No other item stands below it or has its outcome from it."""


def _unnamed(connection: sqlite3.Connection, table: str, but: frozenset[str]) -> str:
    """SQL: no row names this row of `table`, in any table of the store `but` these."""
    column = f"{table}_id"
    naming = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        if name not in but and any(info[1] == column for info in connection.execute(f"PRAGMA table_info({name})"))
    ]
    return " AND ".join(f"NOT EXISTS (SELECT 1 FROM {name} n WHERE n.{column} = {table}.id)" for name in naming)


def _forget_learned(connection: sqlite3.Connection, before: datetime) -> int:
    """What was learned in months before the last one that began by then."""
    old = "month < (SELECT max(month) FROM learned_month WHERE month <= ?)"
    day = (before.date().isoformat(),)
    rows = connection.execute(f"DELETE FROM learned WHERE {old}", day).rowcount
    return rows + connection.execute(f"DELETE FROM learned_month WHERE {old}", day).rowcount


def _delete_all(store: Store, table: str, which: str) -> int:
    """Delete batch by batch; a process that is killed has deleted some, and the next run goes on."""
    deleted = 0
    while True:
        with store.transaction() as connection:
            rows = connection.execute(
                f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {which} LIMIT {_AT_ONCE})"
            ).rowcount
        deleted += rows
        if rows < _AT_ONCE:
            return deleted
