"""A run in which nothing happened need not look at all items to plan what the last one planned.

At its end, a run leaves a note of what it went by, and of the items at stake: what is to change, a veto, an exemption.
Everywhere else the tools showed what the rules say. Where the next run goes by the very same, only the items at stake
are looked at. Whatever writes to the store in between ends that: a pull that brings something, or another run.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from rules.table import moment
from sync.store import Store
from sync.summary import RunReport

_NOTE = "quiet"
_MOST = 1_000
"""With more items at stake than this, all is looked at again."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a run knows that the next one need not find out again."""

    went_by: str
    at_stake: tuple[int, ...]
    """Items about which planning had something to say."""
    considered: Mapping[str, int]
    """As `ledger.considered` counts."""
    exempt_items: int


def read(store: Store, report: RunReport) -> Note | None:
    """The last run's note, if nothing happened since; `temp.fresh` must be filled.

    What brakes and drift go by is compared elsewhere: this is about labels only.
    """
    told = store.setting(_NOTE)
    if told is None or not _nothing_came(report) or _something_is_due(store.connection, report):
        return None
    known = json.loads(told)
    note = Note(known["went_by"], tuple(known["at_stake"]), known["considered"], known["exempt_items"])
    last_run = store.value("SELECT max(id) FROM run WHERE id < ?", (report.run_id,))
    return note if note.went_by == _goes_by(store.connection, report, last_run) else None


def keep(store: Store, report: RunReport, considered: Mapping[str, int]) -> None:
    """Leave a note for the next run, in the caller's transaction, unless too much is at stake.

    What the run wrote is among what was at stake. A note that is left from an earlier run says so, and is not heeded.
    """
    stake = [row[0] for row in store.connection.execute("SELECT item_id FROM temp.at_stake LIMIT ?", (_MOST + 1,))]
    if len(stake) <= _MOST:
        went_by = _goes_by(store.connection, report, report.run_id)
        note = Note(went_by, tuple(stake), considered, report.exempt_items)
        store.remember(_NOTE, json.dumps(asdict(note)))


def _nothing_came(report: RunReport) -> bool:
    return not report.evaluated and not any(source.changed or source.vanished for source in report.sources)


def _something_is_due(connection: sqlite3.Connection, report: RunReport) -> bool:
    """A veto that is over, or a write of a killed run that has no result yet."""
    due: int = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM veto WHERE until <= ?) OR EXISTS (SELECT 1 FROM journal WHERE result_at IS NULL)",
        (moment(report.clock.now),),
    ).fetchone()[0]
    return bool(due)


def _goes_by(connection: sqlite3.Connection, report: RunReport, run_id: int | None) -> str:
    """Names all else that a plan depends on: which run was the last, which collections answered, what is exempt."""
    fresh = connection.execute(
        "SELECT c.source, c.native_id, c.copy_outdated FROM temp.fresh f "
        "JOIN collection c ON c.source = f.source AND c.native_id = f.collection ORDER BY 1, 2"
    ).fetchall()
    meaning = [run_id, fresh, repr(report.exemptions.unless), repr(report.exemptions.entries)]
    return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()
