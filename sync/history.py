"""The clock of "stuck", for systems that keep no history: what moved between two pulls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class _Trail:
    """One item through earlier states."""

    known: Known
    seen: datetime
    """Since when it was seen as it is in the last of them."""
    steps: list[Transition] = field(default_factory=list)


class Earlier:
    """Earlier states of a collection, oldest first: what moved in them, as if each had been pulled in its time."""

    def __init__(self, *, progress: bool) -> None:
        self._progress = progress
        self._trails: dict[str, _Trail] = {}

    def take(self, items: Iterable[WorkItem], as_of: datetime) -> None:
        """One more state, later than those before."""
        for item in items:
            self._observe(item, as_of)

    def moved(self, native_id: str) -> bool:
        """Whether an item moved in these states."""
        return native_id in self._trails and bool(self._trails[native_id].steps)

    def observe(self, known: Known | None, item: WorkItem, seen_at: datetime) -> tuple[Observed, list[Transition]]:
        """Like the function `observe`, with what the earlier states tell; and all transitions that they show."""
        if item.ref.native_id not in self._trails:
            found = observe(known, item, seen_at, progress=self._progress)
            return found, [found.transition] if found.transition else []
        found = self._observe(item, seen_at)
        trail = self._trails.pop(item.ref.native_id)
        if known is None:
            return found, trail.steps
        later = observe(known, item, trail.seen, progress=self._progress)
        if later.transition:
            return later, [*trail.steps, later.transition]
        if trail.steps and later.since_is is Certainty.AT_LEAST:
            later = Observed(max(trail.seen, later.since or trail.seen), Certainty.AT_LEAST)
        return later, trail.steps

    def _observe(self, item: WorkItem, seen_at: datetime) -> Observed:
        """One more state of one item."""
        trail = self._trails.get(item.ref.native_id)
        found = observe(trail.known if trail else None, item, seen_at, progress=self._progress)
        state = Known(item.status, item.status_category, item.percent_complete, found.since, found.since_is)
        if trail is None:
            self._trails[item.ref.native_id] = _Trail(state, seen_at)
            return found
        trail.known = state
        if found.transition:
            trail.seen = found.transition.at
            trail.steps.append(found.transition)
        return found


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
