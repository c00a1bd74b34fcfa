"""What became of items that are not in their tool any more: archived, deleted or moved, where a tool can tell.

Asked is once for each that went, after all sources were pulled; an item that comes back and goes again is asked about
again. Rules look at none of them, whatever the answer: it is for people who wonder where an item is.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence

from connectors.base import Collection, Traced, Tracing
from connectors.model import ItemRef
from sync import log
from sync.lanes import Lane, side_by_side
from sync.opened import Opened
from sync.pull import sentence
from sync.store import Store
from sync.summary import RunReport, Wish

_GRACE = 5.0
"""How long a source may take to end once it was asked to stop, in seconds."""

MOST = 1000
"""Items of one source that are asked about in one run; the others wait for the next."""

_WANTED = """
SELECT i.collection, c.name, i.native_id
FROM item i JOIN collection c ON c.source = i.source AND c.native_id = i.collection
WHERE i.source = ?1 AND i.missing_since IS NOT NULL AND i.collection IN (SELECT value FROM json_each(?2))
AND NOT EXISTS (SELECT 1 FROM gone g WHERE g.item_id = i.id AND g.missing_since = i.missing_since)
ORDER BY i.missing_since DESC, i.collection, i.id LIMIT ?3
"""

_KEEP = """
INSERT INTO gone (item_id, missing_since, fate)
SELECT id, missing_since, ?3 FROM item WHERE source = ?1 AND native_id = ?2 AND missing_since IS NOT NULL
ON CONFLICT (item_id) DO UPDATE SET missing_since = excluded.missing_since, fate = excluded.fate
"""

Wanted = Mapping[Collection, Sequence[ItemRef]]


def trace_gone(store: Store, sources: Sequence[Opened], wish: Wish, report: RunReport) -> None:
    """Ask. What goes wrong is a notice of its source: nothing depends on the answer, and the next run asks again."""
    turns = {one.source.name: (one, lane) for one, lane in _lanes(store, sources, report)}
    fates: dict[str, Counter[str]] = defaultdict(Counter)
    for name, traced in side_by_side({name: lane for name, (_, lane) in turns.items()}, wish.stopping):
        with store.transaction() as connection:
            connection.execute(_KEEP, (traced.ref.source, traced.ref.native_id, traced.fate))
        fates[name][traced.fate or "unknown"] += 1
    for name, (one, lane) in turns.items():
        one.stuck = lane.stuck
        log.note("items_traced", source=name, **fates[name])
        if lane.error is not None and lane.cut is None:
            [own] = [each for each in report.sources if each.source == name]
            own.notices.append(f"{name}: what became of items that went could not be asked: {sentence(lane.error)}")


def _lanes(store: Store, sources: Sequence[Opened], report: RunReport) -> Iterator[tuple[Opened, Lane[Traced]]]:
    """The sources that can tell of something that went, from collections that answered in this run."""
    fresh = {source.source: source.fresh for source in report.sources}
    for one in sources:
        if not isinstance(one.connector, Tracing) or one.stopping.is_set():
            continue
        wanted: dict[Collection, list[ItemRef]] = defaultdict(list)
        name = one.source.name
        for collection, title, native_id in store.connection.execute(_WANTED, (name, json.dumps(fresh[name]), MOST)):
            wanted[Collection(collection, title)].append(ItemRef(name, native_id))
        if wanted:
            answers = _answers(one.connector, wanted)
            yield one, Lane(answers, one.stopping, budget=one.source.budget, grace=_GRACE, ahead=1)


def _answers(connector: Tracing, wanted: Wanted) -> Generator[Traced]:
    """All that a source has to say. Touches no store, so that any thread can wait for it."""
    for collection, refs in wanted.items():
        yield from connector.trace(collection, refs)
