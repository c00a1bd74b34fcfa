"""The clock of "stuck", for systems that keep no history: what moved between two pulls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connectors.model import Certainty, StatusCategory, Transition, WorkItem


@dataclass(frozen=True, slots=True)
class Known:
    """What the store holds of an item's movement."""

    status: str | None
    category: StatusCategory | None
    percent_complete: float | None
    since: datetime | None
    since_is: Certainty


@dataclass(frozen=True, slots=True)
class Observed:
    """Since when an item is where it is, and the transition that shows it, if it moved."""

    since: datetime | None
    since_is: Certainty
    transition: Transition | None = None


def observe(known: Known | None, item: WorkItem, seen_at: datetime, *, progress: bool) -> Observed:
    """Compare an item with what was known of it; `seen_at` is when the tool showed it so.

    A new item counts from what its tool says, else "at least" from now on. A movement counts from `seen_at`: that
    it has not moved since is certain, when it moved before is not. Only a start that the tool itself calls exact
    goes before what was observed. `progress`: a change of `percent_complete` is movement too.
    """
    told = Observed(item.status_since, item.status_since_is)
    if told.since and told.since_is is Certainty.EXACT:
        moved = known is not None and _moved(known, item, progress)
        return Observed(told.since, Certainty.EXACT, _transition(known, item, told.since) if moved else None)
    if known is None:
        return told if told.since else Observed(seen_at, Certainty.AT_LEAST)
    if not _moved(known, item, progress):
        return Observed(known.since or told.since or seen_at, known.since_is)
    at = max(seen_at, known.since) if known.since else seen_at
    return Observed(at, Certainty.AT_LEAST, _transition(known, item, at))


def _moved(known: Known, item: WorkItem, progress: bool) -> bool:
    if (known.status, known.category) != (item.status, item.status_category):
        return True
    return progress and known.percent_complete != item.percent_complete


def _transition(known: Known | None, item: WorkItem, at: datetime) -> Transition | None:
    if known is None or item.status is None:
        return None
    return Transition(
        ref=item.ref,
        at=at,
        from_status=known.status,
        to_status=item.status,
        from_category=known.category,
        to_category=item.status_category,
        percent_complete=item.percent_complete,
    )
