"""Whether what the store knows is as new as it usually is: learned from the runs of its own past, or set in config."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from rules.table import moment
from sync.clock import Clock
from sync.config import Config
from sync.durations import spoken
from sync.store import Store

PAUSES = 30
"""So many pauses of the past are looked at."""
LEAST = 5
"""Fewer teach nothing."""

_HOUR = 3600.0
_RUNS = (
    "SELECT r.started_at FROM run r, json_each(r.summary, '$.sources') s WHERE r.rehearsal = ? "
    "AND json_extract(s.value, '$.source') = ? {changed} ORDER BY r.started_at DESC LIMIT ?"
)


def stale_limit(pauses: Sequence[float]) -> float | None:
    """How old data may be, in seconds: half as much again as the second longest usual pause, and at least an hour.

    The second longest, so that one outage teaches no patience; weekends come often enough to be learned.
    """
    return None if len(pauses) < LEAST else max(_HOUR, 1.5 * sorted(pauses)[-2])


def quiet_limit(pauses: Sequence[float]) -> float | None:
    """How long nothing may change, in seconds: three times the second longest usual pause, and at least a day."""
    return None if len(pauses) < LEAST else max(24 * _HOUR, 3 * sorted(pauses)[-2])


def worries(config: Config, store: Store, clock: Clock, source: str) -> list[str]:
    """Sentences on one source: that its data is older than usual, or that nothing changes in it any more."""
    found = []
    pulled = store.value(
        "SELECT min(complete_at) FROM collection WHERE source = ? AND complete_at IS NOT NULL AND NOT absent", (source,)
    )
    if pulled is not None:
        limit = config.stale_after or stale_limit(pauses(store, clock, source))
        if limit is not None and (age := _age(pulled, clock)) > limit:
            found.append(
                f"{source}: its data is {spoken(age)} old, and should not be older than {spoken(limit)}: look why "
                "`unstuck run` does not run, or what it says."
            )
    changed = moments(store, clock, source, 1, changed=True)
    if changed:
        limit = config.quiet_after or quiet_limit(pauses(store, clock, source, changed=True))
        if limit is not None and (age := _age(changed[0], clock)) > limit:
            found.append(
                f"{source}: no item of it has changed for {spoken(age)}, where {spoken(limit)} would be much: look "
                f"whether its credentials still see everything with `unstuck check --live`."
            )
    return found


def pauses(store: Store, clock: Clock, source: str, *, changed: bool = False) -> list[float]:
    """Seconds between the last runs that pulled a source; with `changed`, of those that found a change in it."""
    times = [datetime.fromisoformat(each) for each in moments(store, clock, source, PAUSES + 1, changed=changed)]
    return [(later - earlier).total_seconds() for later, earlier in pairwise(times)]


def moments(store: Store, clock: Clock, source: str, most: int, *, changed: bool) -> list[str]:
    """When the last runs began, newest first. Rehearsals learn from rehearsals only."""
    only = "AND json_extract(s.value, '$.changed') > 0" if changed else ""
    rows = store.connection.execute(_RUNS.format(changed=only), (int(clock.rehearsal), source, most))
    return [row[0] for row in rows]


def _age(since: str, clock: Clock) -> float:
    return (datetime.fromisoformat(str(moment(clock.now))) - datetime.fromisoformat(since)).total_seconds()
