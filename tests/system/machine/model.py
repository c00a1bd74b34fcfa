"""What ought to be so, worked out anew: a small reading of two rules, and what anyone could know of whose is what.

It shares no code with `rules/` or `sync/`. What it cannot know, because nobody could, it takes from the store: which
writes of a killed run have no result (a label that shows may then be ours or a person's), and when a tool without
history was first seen in a status. Both are checked for being possible.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from connectors.model import StatusCategory
from tests.system.machine.tools import STATUSES, Item, State

EXEMPT = "pmo-exempt"
SPONSOR, STUCK = "pmo-no-sponsor", ("pmo-stuck-10d", "pmo-stuck-20d")
OURS = (SPONSOR, *STUCK)
VETO = timedelta(days=90)

Key = tuple[str, str, str]
"""Source, native id, label."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rule file of a moment."""

    sponsor: bool = True
    steps: tuple[int, ...] = (10, 20)
    """Days in status, for the labels in `STUCK`; none is no such rule."""

    def toml(self) -> str:
        """As the PMO admin writes it."""
        text = "# Nothing is asked for.\n"
        if self.sponsor:
            text += (
                f'[[rule]]\nid = "no-sponsor"\nlabel = "{SPONSOR}"\nsays = "Nobody sponsors it"\nrollout = "now"\n'
                '[rule.when]\nstatus_category = "not done"\nsponsor = "missing"\n'
            )
        if self.steps:
            steps = ", ".join(
                f'{{ over = {days}, label = "{label}" }}' for days, label in zip(self.steps, STUCK, strict=False)
            )
            text += (
                '[[rule]]\nid = "stuck"\nsays = "In {status} for {days_in_status} days"\nrollout = "now"\n'
                '[rule.when]\nstatus_category = "in progress"\n'
                f'[rule.ladder]\nmeasure = "days_in_status"\nsteps = [ {steps} ]\n'
            )
        return text

    def wanted(self, item: Item, since: datetime | None, now: datetime) -> frozenset[str]:
        """The labels that the rules ask for on an item."""
        labels = set()
        category = STATUSES[item.status]
        if any(label.casefold() == EXEMPT for label in item.labels):
            return frozenset()
        if self.sponsor and category is not StatusCategory.DONE and item.sponsor == "":
            labels.add(SPONSOR)
        if category is StatusCategory.IN_PROGRESS and since is not None:
            days = (now.date() - since.date()).days
            reached = [label for over, label in zip(self.steps, STUCK, strict=False) if days > over]
            labels.update(reached[-1:])
        return frozenset(labels)


@dataclass(frozen=True, slots=True)
class Veto:
    """A label that stays off."""

    until: datetime
    status: str | None
    cause: str = "person"


@dataclass(frozen=True, slots=True)
class Row:
    """One item as the store has it after a run."""

    collection: str
    status: str | None
    since: datetime | None
    missing: bool
    labels: frozenset[str]


@dataclass(slots=True)
class Beliefs:
    """Whose labels are whose, as far as anyone who saw every complete answer could know."""

    ours: set[Key] = field(default_factory=set)
    vetoes: dict[Key, Veto] = field(default_factory=dict)
    open: dict[Key, str] = field(default_factory=dict)
    """Writes without a result: `add` or `remove`."""
    home: set[Key] = field(default_factory=set)
    """Labels of ours that came home: the file itself shows them, as somebody went on working in its copy."""
    lost: set[Key] = field(default_factory=set)
    """Labels whose last write seems to have been lost. One that is there after all is taken for a late one of ours."""
    off: set[Key] = field(default_factory=set)
    """Those of them that are to show in no copy any more, although the file still has them."""

    def leave_behind(self, moves: Iterable[tuple[str, str, frozenset[str]]]) -> None:
        """A label that an item did not take along into another collection is nobody's no, and not ours any more."""
        for source, native_id, labels in moves:
            for known in (self.ours, self.off, self.home):
                known -= {key for key in known if key[:2] == (source, native_id) and key[2] not in labels}

    def hear(
        self,
        fresh: Mapping[tuple[str, str], State],
        outdated: Collection[tuple[str, str]],
        rows: Mapping[tuple[str, str], Row],
        now: datetime,
    ) -> list[tuple[Key, str]]:
        """What complete answers tell: how open writes ended, and what people took off. Returns what was written."""
        settled = self._settle(fresh, rows)
        for key, veto in list(self.vetoes.items()):
            row = rows.get(key[:2])
            if veto.until <= now or (row is not None and row.status != veto.status):
                del self.vetoes[key]
        for (source, collection), state in fresh.items():
            is_outdated = (source, collection) in outdated
            for native_id, item in state.of(collection).items():
                if is_outdated:
                    self._come_home(source, item)
                for key in [key for key in self.ours if key[:2] == (source, native_id)]:
                    if key[2] not in item.labels and (key in self.home or not is_outdated):
                        self.ours.discard(key)
                        self.home.discard(key)
                        known = self.vetoes.get(key)
                        self.vetoes[key] = replace(known, until=now + VETO) if known else Veto(now + VETO, item.status)
        return settled

    def _come_home(self, source: str, item: Item) -> None:
        """A new file: what it shows of ours came home; what it does not show any more need not be taken off."""
        for key in [key for key in self.ours | self.off if key[:2] == (source, item.native_id)]:
            if key[2] in item.labels:
                self.home.add(key)
                self.ours.add(key)
            elif key in self.off:
                self.home.discard(key)
            self.off.discard(key)

    def put_on(self, key: Key) -> None:
        """Our own write."""
        self.ours.add(key)
        self.off.discard(key)

    def took_off(self, key: Key) -> None:
        """Our own write. What the file itself shows must be kept off as long as it does."""
        self.ours.discard(key)
        if key in self.home:
            self.off.add(key)

    def _settle(
        self, fresh: Mapping[tuple[str, str], State], rows: Mapping[tuple[str, str], Row]
    ) -> list[tuple[Key, str]]:
        """What shows was written, and is ours; what does not was not."""
        settled = []
        for key, action in list(self.open.items()):
            row = rows[key[:2]]
            state = fresh.get((key[0], row.collection))
            if state is None:
                continue
            item = state.of(row.collection).get(key[1])
            shows = key[2] in (item.labels if item else row.labels)
            self.lost.discard(key)
            if action == "add" and not shows:
                self.lost.add(key)
            if shows is (action == "add"):
                settled.append((key, action))
                if shows:
                    self.put_on(key)
                else:
                    for known in (self.ours, self.off, self.home):
                        known.discard(key)
            del self.open[key]
        return settled
