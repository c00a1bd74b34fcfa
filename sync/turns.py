"""How often a source takes part in runs, and how many calls that takes of those that its tool allows a day.

Kept in the store's settings, by source: the calls of a day (by UTC, as tools count them), and when it last answered.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connectors.base import Metered
from rules.table import moment
from sync.config import Source
from sync.durations import spoken
from sync.opened import Opened
from sync.store import Store

if TYPE_CHECKING:
    from sync.summary import RunReport, Wish

_SETTING = "turns"
_RUNS = ("run", "daemon")
_EARLY = 30.0
"""Seconds; cron is no more punctual than that."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is kept of a source. Times are in UTC, as the store holds them."""

    day: str = ""
    calls: int = 0
    answered_at: str | None = None
    applied: bool = False
    """Whether the run that it answered wrote labels."""

    def calls_on(self, now: datetime) -> int:
        return self.calls if self.day == _day(now) else 0


def due(store: Store, sources: Sequence[Source], wish: Wish, now: datetime) -> tuple[list[Source], list[str]]:
    """The sources whose turn it is, each with the calls that it made today; and a sentence for each that waits.

    One with `every` waits until so much time went by since it last answered a run; one that only planned keeps none
    from writing. A run that asks for it by name waits for nothing, nor does a command for something else.
    """
    turns = _turns(store)
    unasked = wish.command in _RUNS and wish.source is None and not wish.full
    waiting = [source for source in sources if unasked and _waits(source, turns.get(source.name), wish, now)]
    turn = [source for source in sources if source not in waiting]
    return [_counted(source, turns, now) for source in turn], [_told(source) for source in waiting]


def counted(store: Store, source: Source, now: datetime) -> Source:
    """The source with the calls that it made today."""
    return _counted(source, _turns(store), now)


def count(store: Store, one: Opened, now: datetime) -> None:
    """Add the calls that a source made since they were counted last: after each page and write, so that a run that is
    killed loses only what was on its way.
    """
    if not isinstance(one.connector, Metered):
        return
    made = one.connector.calls_made()
    if made > one.counted:
        with store.transaction():  # a check may be counting at the same time
            turns = _turns(store)
            turn = turns.get(one.source.name, Turn())
            calls = turn.calls_on(now) + made - one.counted
            turns[one.source.name] = replace(turn, day=_day(now), calls=calls)
            _keep(store, turns)
        one.counted = made


def answered(store: Store, sources: Iterable[Source], wish: Wish, report: RunReport, now: datetime) -> None:
    """Remember which sources with `every` answered without a problem: the others are asked again by the next run."""
    if wish.command not in _RUNS:
        return
    fine = {one.source for one in report.sources if one.fresh} - {report.source_of(each) for each in report.problems}
    waiting = [source for source in sources if source.every is not None and source.name in fine]
    if not waiting:
        return
    with store.transaction():
        turns = _turns(store)
        for source in waiting:
            turns[source.name] = replace(turns.get(source.name, Turn()), answered_at=moment(now), applied=wish.apply)
        _keep(store, turns)


def too_often(sources: Iterable[Source]) -> Iterator[str]:
    """A sentence for each source whose turns come more often than the calls of a day allow."""
    for source in sources:
        if source.every is None or not issubclass(source.connector, Metered):
            continue
        allowed, least = source.connector.calls_a_day(source.setup)
        a_day = math.ceil(timedelta(days=1).total_seconds() / source.every * least)
        if a_day > allowed:
            yield (
                f"sources.{source.name}: a turn every {spoken(source.every)} takes at least {a_day} calls a day, and "
                f"{allowed} are allowed; set every to {math.ceil(least * 24 * 60 / max(1, allowed))}m or more."
            )


def _turns(store: Store) -> dict[str, Turn]:
    found: Mapping[str, Any] = json.loads(store.setting(_SETTING) or "{}")
    return {name: Turn(**turn) for name, turn in found.items()}


def _keep(store: Store, turns: Mapping[str, Turn]) -> None:
    store.remember(_SETTING, json.dumps({name: asdict(turn) for name, turn in sorted(turns.items())}))


def _counted(source: Source, turns: Mapping[str, Turn], now: datetime) -> Source:
    calls = turns[source.name].calls_on(now) if source.name in turns else 0
    return replace(source, setup=replace(source.setup, calls_today=calls))


def _waits(source: Source, turn: Turn | None, wish: Wish, now: datetime) -> bool:
    if source.every is None or turn is None or turn.answered_at is None or (wish.apply and not turn.applied):
        return False
    passed = (now - datetime.fromisoformat(turn.answered_at)).total_seconds()
    return 0 <= passed < source.every - _EARLY


def _told(source: Source) -> str:
    return (
        f"{source.name}: not asked, as it answered less than {spoken(source.every or 0)} ago; "
        f"--source {source.name} asks it all the same."
    )


def _day(now: datetime) -> str:
    return (moment(now) or "")[:10]
