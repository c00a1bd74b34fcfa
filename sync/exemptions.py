"""What is exempt, by labels in the tools and by files, and what that does to a plan: nothing is desired there.

Exemptions are looked at twice: when a plan is made, and again right before it is written (`Guard`, and
`LabelChange.unless`, by which connectors look at the labels that an item has at that moment).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from connectors.model import Exempting
from sync.plan import Held, Hold, ItemState, PlannedChange, Reason
from sync.stops import InvalidStop

TOLD = timedelta(days=14)
"""How long after its end an exemption is still mentioned, so that somebody renews it or takes it out."""


@dataclass(frozen=True, slots=True)
class Exemption:
    """One `[[exemption]]`, checked. What it does not name, it is not limited to."""

    place: str
    """File and line."""
    source: str | None
    key: str | None
    rule: str | None
    reason: str
    approver: str
    until: date
    """The last day."""

    def covers(self, source: str, key: str, rule: str) -> bool:
        """Whether it keeps the rule's labels off the item."""
        return (
            self.source in (None, source)
            and self.rule in (None, rule)
            and (self.key is None or self.key.casefold() == key.casefold())
        )

    def __str__(self) -> str:
        return f"exempt until {_day(self.until)}: {self.reason} ({self.approver}, {self.place})"

    @property
    def about(self) -> str:
        """What is exempt."""
        item = self.key or (f"source {self.source}" if self.source else "")
        return " on ".join(each for each in (f"rule {self.rule}" if self.rule else "", item) if each)


@dataclass(frozen=True)
class Exemptions:
    """All that is exempt on one day."""

    unless: Exempting
    """The labels that exempt."""
    entries: tuple[Exemption, ...] = ()
    """Those of the files that are in force."""
    ended: tuple[Exemption, ...] = ()
    """Those whose end was not long ago."""

    @cached_property
    def _by_key(self) -> Mapping[str | None, Sequence[Exemption]]:
        found: dict[str | None, list[Exemption]] = defaultdict(list)
        for entry in self.entries:
            found[entry.key.casefold() if entry.key else None].append(entry)
        return found

    def entry_for(self, source: str, key: str, rule: str) -> Exemption | None:
        """The entry of a file that keeps the rule's labels off the item; of several, the one that holds longest."""
        near = (*self._by_key.get(key.casefold(), ()), *self._by_key.get(None, ()))
        covering = [entry for entry in near if entry.covers(source, key, rule)]
        return max(covering, key=lambda entry: entry.until, default=None)

    def why(self, source: str, key: str, rule: str, label: str | None) -> str | None:
        """Why the rule puts nothing on the item, if that is so. `label` is the one on the item that exempts it."""
        if label is not None:
            return told_of_label(self.unless, label)
        entry = self.entry_for(source, key, rule) if self.entries else None
        return str(entry) if entry else None

    def as_json(self) -> dict[str, Any]:
        """The shape of docs/json.md."""
        return {"entries": len(self.entries), "ended": [f"{each.about}: {each}" for each in self.ended]}

    def narrow(self, states: Iterable[ItemState]) -> Iterator[ItemState]:
        """Nothing is desired any more that is exempt. A label that other rules ask for as well stays desired."""
        for state in states:
            label = self.unless.among(state.present)
            yield self._narrowed(state, label) if label or self.entries else state

    def _narrowed(self, state: ItemState, label: str | None) -> ItemState:
        desired, exempt = dict[str, tuple[Reason, ...]](), dict[str, str]()
        for wanted, reasons in state.desired.items():
            whys = [self.why(state.ref.source, state.key, reason.rule, label) for reason in reasons]
            left = tuple(reason for reason, why in zip(reasons, whys, strict=True) if why is None)
            if left:
                desired[wanted] = left
            else:
                exempt[wanted] = next(why for why in whys if why)
        return replace(state, desired=desired, exempt=exempt)


def told_of_label(unless: Exempting, label: str) -> str:
    """What an exempting label means, for people."""
    until = unless.until(label)
    if until is None and label.strip().casefold() != unless.label.casefold():
        return f"exempt by its label {label}, which names no day: write it like {unless.label}-until-2026-12-31"
    return f"exempt by its label {label}" if until is None else f"exempt until {_day(until)} by its label {label}"


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


class Guard:
    """Looks at the files again right before a write: somebody may have exempted an item since it was planned."""

    def __init__(self, unless: Exempting, read_again: Callable[[], Exemptions]) -> None:
        self.unless, self._read_again = unless, read_again
        self.mistakes: dict[str, None] = {}
        """What is wrong with files that were edited meanwhile, one sentence each."""

    def narrowed(self, changes: Sequence[PlannedChange]) -> tuple[list[PlannedChange], list[Held]]:
        """The changes that may be written now, and the labels that are not put on after all."""
        try:
            now = self._read_again()
        except InvalidStop as stop:
            self.mistakes |= dict.fromkeys(
                f"{line}; until that is corrected, no label is put on." for line in stop.lines
            )
            now = None
        left, held = list[PlannedChange](), list[Held]()
        for change in changes:
            off = {label: why for label in change.add if (why := _why_off(change, label, now))}
            add = tuple(label for label in change.add if label not in off)
            held += [Held(change.ref, change.key, label, why, Hold.EXEMPT) for label, why in off.items()]
            if add or change.remove:
                left.append(replace(change, add=add))
        return left, held


def _why_off(change: PlannedChange, label: str, now: Exemptions | None) -> str | None:
    if now is None:
        return "the files of exemptions cannot be read"
    whys = [now.why(change.ref.source, change.key, reason.rule, None) for reason in change.reasons[label]]
    return whys[0] if all(whys) else None
