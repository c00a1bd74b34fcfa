"""The end of `unstuck retire`: labels that we made on boards are deleted there, once nothing carries them.

Only those of which the store knows that we made them; one that was there before us, or that people made, stays.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence

from connectors.base import Collection, MadeLabel, Outcome, Tidied, Tidying
from sync.lanes import Lane, side_by_side
from sync.opened import Opened
from sync.plan import Plan
from sync.pull import placed, sentence
from sync.secrets import redacted
from sync.store import Store
from sync.summary import RunReport, UnusedLabel, Wish

_Step = tuple[Collection, Tidied]

_OVER = (Outcome.DONE, Outcome.GONE, Outcome.STALE)

_GRACE = 15.0
"""How long a source may take to finish the write in hand once it was asked to stop, in seconds."""

_MADE = """
SELECT m.source, m.collection, c.name, m.native_id, m.label,
  (SELECT count(*) FROM item i WHERE i.source = m.source AND i.collection = m.collection AND i.missing_since IS NULL
   AND EXISTS (SELECT 1 FROM json_each(i.labels) WHERE value = m.label)) AS carried
FROM made_label m JOIN temp.fresh f ON f.source = m.source AND f.collection = m.collection
JOIN collection c ON c.source = m.source AND c.native_id = m.collection
WHERE ?1 IS NULL OR m.source = ?1 ORDER BY m.source, m.collection, m.label
"""


def sources(connection: sqlite3.Connection) -> frozenset[str]:
    """The sources in which we made labels."""
    return frozenset(source for (source,) in connection.execute("SELECT DISTINCT source FROM made_label"))


def unused(connection: sqlite3.Connection, source: str | None, plan: Plan) -> list[UnusedLabel]:
    """The labels of ours that nothing carries once the plan is written, as far as the store can tell.

    In collections that answered in this run, of one source or of all.
    """
    off = Counter((change.ref.source, change.collection, label) for change in plan.changes for label in change.remove)
    return [
        UnusedLabel(where, Collection(collection, name), MadeLabel(native_id, label))
        for where, collection, name, native_id, label, carried in connection.execute(_MADE, (source,))
        if carried <= off[where, collection, label]
    ]


def tidy(store: Store, sources: Sequence[Opened], wish: Wish, report: RunReport) -> None:
    """Delete the report's unused labels, and say what keeps those that stay."""
    lanes = {one.source.name: lane for one in sources if (lane := _lane(one, report.unused))}
    for name, (collection, tidied) in side_by_side(lanes, wish.stopping):
        _keep(store, name, collection, tidied, report)
    for one in sources:
        if lane := lanes.get(one.source.name):
            one.stuck = lane.stuck
            if lane.error is not None and lane.cut is None:
                why = f"{one.source.name}: labels that nothing carries could not be deleted: {sentence(lane.error)}"
                report.written.problems.append(why)
    report.stopped = wish.stopping.by


def _lane(one: Opened, labels: Iterable[UnusedLabel]) -> Lane[_Step] | None:
    wanted: dict[Collection, list[MadeLabel]] = {}
    for label in labels:
        if label.source == one.source.name:
            wanted.setdefault(label.collection, []).append(label.label)
    if not wanted or not isinstance(one.connector, Tidying) or one.stopping.is_set():
        return None
    return Lane(_steps(one.connector, wanted), one.stopping, budget=one.source.budget, grace=_GRACE, ahead=0)


def _steps(connector: Tidying, wanted: Mapping[Collection, Sequence[MadeLabel]]) -> Generator[_Step]:
    """Delete, collection by collection. Touches no store, so that any thread can wait for it."""
    for collection, labels in wanted.items():
        for tidied in connector.tidy(collection, labels):
            yield collection, tidied


def _keep(store: Store, source: str, collection: Collection, tidied: Tidied, report: RunReport) -> None:
    """Forget a label that is not there any more, or is not ours alone; say why one stays."""
    if tidied.outcome in _OVER:
        with store.transaction() as connection:
            which = (source, tidied.label.native_id)
            connection.execute("DELETE FROM made_label WHERE source = ? AND native_id = ?", which)
    report.written.deleted += tidied.outcome is Outcome.DONE
    if tidied.message:
        why = placed(source, collection, f'the label "{tidied.label.name}" stays: {redacted(tidied.message)}.')
        failed = tidied.outcome is Outcome.FAILED
        (report.written.problems if failed else report.tidying_notices).append(why)
