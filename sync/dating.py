"""Exact starts instead of "at least", from tools that can prove them but are not to be asked about every item.

Asked is about items that a rule found by how long they are in their status, once for each status: what the tool said
stays in the store, as does that it could not say.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

from connectors.base import Collection, Dated, Dating
from connectors.model import Certainty, ItemRef
from rules.moved import AGED, asked
from rules.ruleset import Rule, RuleSet
from rules.table import moment
from sync import log, told
from sync.clock import Clock
from sync.lanes import Lane, side_by_side
from sync.opened import Opened
from sync.pull import sentence
from sync.store import Store
from sync.summary import RunReport, Wish

_GRACE = 5.0
"""How long a source may take to end once it was asked to stop, in seconds."""

_WANTED = """
SELECT i.collection, c.name, i.native_id
FROM (SELECT DISTINCT item_id FROM finding_kept WHERE rule IN (SELECT value FROM json_each(?3))) f
CROSS JOIN item i ON i.id = f.item_id
JOIN collection c ON c.source = i.source AND c.native_id = i.collection
WHERE i.source = ?1 AND i.missing_since IS NULL AND i.status_since_is = 'at_least'
AND i.collection IN (SELECT value FROM json_each(?2))
AND NOT EXISTS (SELECT 1 FROM unproved u WHERE u.item_id = i.id AND u.status_since IS i.status_since)
ORDER BY i.collection, i.id
"""
"""From the findings, which are few, to their items, which are not."""

Wanted = Mapping[Collection, Sequence[ItemRef]]


@dataclass(slots=True)
class _Turn:
    """One source that is asked."""

    opened: Opened
    lane: Lane[Dated]
    proved: int = 0


def date_statuses(
    ruleset: RuleSet, store: Store, sources: Sequence[Opened], clock: Clock, wish: Wish, report: RunReport
) -> bool:
    """Ask; whether any item has another start now, so that rules are to look at it again.

    What goes wrong is a problem of its source, and changes nothing of what was known.
    """
    turns = _turns(ruleset, store, sources, report)
    if turns:
        wish.progress("asking since when")
    for name, dated in side_by_side({name: turn.lane for name, turn in turns.items()}, wish.stopping):
        turns[name].proved += _keep(store, turns[name].opened, dated, clock)
    for name, turn in turns.items():
        turn.opened.stuck = turn.lane.stuck
        log.note("statuses_dated", source=name, items=turn.proved)
        _tell(store, name, turn.lane, clock, report)
    return any(turn.proved for turn in turns.values())


def _turns(ruleset: RuleSet, store: Store, sources: Sequence[Opened], report: RunReport) -> dict[str, _Turn]:
    """The sources that have something to say of what rules found, by name."""
    rules = json.dumps([rule.id for rule in ruleset.rules if counts_days_in_status(rule)])
    fresh = {source.source: source.fresh for source in report.sources}
    turns = {}
    for one in sources:
        if not isinstance(one.connector, Dating) or one.stopping.is_set():
            continue
        wanted: dict[Collection, list[ItemRef]] = defaultdict(list)
        name = one.source.name
        for collection, title, native_id in store.connection.execute(_WANTED, (name, json.dumps(fresh[name]), rules)):
            wanted[Collection(collection, title)].append(ItemRef(name, native_id))
        if wanted:
            answers = _answers(one.connector, wanted)
            turns[name] = _Turn(one, Lane(answers, one.stopping, budget=one.source.budget, grace=_GRACE, ahead=1))
    return turns


def counts_days_in_status(rule: Rule) -> bool:
    """Whether the rule's answer or its reason depends on since when a status holds."""
    counting = {name for name, counted in AGED.items() if counted.moment == "status_since"}
    return bool(asked(rule) & {"status_since", *counting})


def _answers(connector: Dating, wanted: Wanted) -> Generator[Dated]:
    """All that a source has to say. Touches no store, so that any thread can wait for it."""
    for collection, refs in wanted.items():
        yield from connector.date(collection, refs)


def _keep(store: Store, opened: Opened, dated: Dated, clock: Clock) -> bool:
    """Keep an answer, and whether it proves another start. One that is still to come is of a move after the pull."""
    which = (dated.ref.source, dated.ref.native_id)
    if dated.since is not None and dated.since > clock.now:
        return False
    with store.transaction() as connection:
        if dated.since is None:
            connection.execute(
                "INSERT INTO unproved (item_id, status_since) "
                "SELECT id, status_since FROM item WHERE source = ? AND native_id = ? "
                "ON CONFLICT (item_id) DO UPDATE SET status_since = excluded.status_since",
                which,
            )
            return False
        day = dated.since.astimezone(opened.source.setup.timezone or UTC).toordinal()
        connection.execute(
            "UPDATE item SET status_since = ?, status_since_day = ?, status_since_is = ? "
            "WHERE source = ? AND native_id = ?",
            (moment(dated.since), day, Certainty.EXACT, *which),
        )
    return True


def _tell(store: Store, source: str, lane: Lane[Dated], clock: Clock, report: RunReport) -> None:
    """Say what ended a source's answers, once. What it did not come to waits for the next run."""
    [own] = [one for one in report.sources if one.source == source]
    problems = []
    if lane.error is not None and lane.cut is None:
        problems = [f"{source}: since when items are in their status could not be asked: {sentence(lane.error)}"]
    own.problems += problems
    news = told.news(store, f"dating:{source}", problems, clock.now)
    report.repeated |= {problem for problem in problems if problem not in news}
