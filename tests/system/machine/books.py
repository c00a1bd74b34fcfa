"""Keeps count of what could be known, and holds every run against it: the laws, one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from connectors.base import Granularity
from sync.summary import RunReport
from tests.system.machine.driver import Done
from tests.system.machine.model import EXEMPT, VETO, Beliefs, Key, Rules, Veto
from tests.system.machine.tools import TOKEN, Item, State, Tool, Write

Fresh = Mapping[tuple[str, str], State]


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What an undo or a retirement is about."""

    off: frozenset[Key]
    on: frozenset[Key] = frozenset()
    remembered: bool = False
    """Whether what comes off stays off, as with an undo."""


@dataclass(slots=True)
class Books:
    """What could be known of one store and its tools."""

    tools: Mapping[str, Tool]
    beliefs: Beliefs = field(default_factory=Beliefs)
    written: list[tuple[int, str, Key]] = field(default_factory=list)
    """Writes that are done, in order: run, `add` or `remove`, which."""
    pending: dict[Key, int] = field(default_factory=dict)
    """The runs of writes without a result."""
    since: dict[tuple[str, str], tuple[str | None, datetime | None]] = field(default_factory=dict)
    """Status and its start, as the store had them last."""
    was_absent: set[tuple[str, str]] = field(default_factory=set)
    """Items that a person ever deleted or moved."""

    def back(self, run: int | None) -> TakenBack:
        """What the undo of a run, or a retirement, is to take off and put back on."""
        perhaps = {key for key, action in self.beliefs.open.items() if action == "add"} | self.beliefs.ours
        if run is None:
            return TakenBack(frozenset(perhaps))
        last = {key: (by, action) for by, action, key in self.written}
        mine = {key: action for key, (by, action) in last.items() if by == run}
        mine |= {key: action for key, action in self.beliefs.open.items() if self.pending[key] == run}
        off = frozenset(key for key, action in mine.items() if action == "add" and key in perhaps)
        return TakenBack(off, frozenset(key for key, action in mine.items() if action == "remove"), remembered=True)

    def account(self, done: Done, rules: Rules, back: TakenBack | None = None) -> None:
        """Hold what a run did, and what it left in the store, against what could be known."""
        check_words(done.report)
        fresh = self._fresh(done)
        self._check_clocks(done)
        self.beliefs.leave_behind(done.left.moves)
        if done.report is not None or self._got_far(done):
            self._check_items(done, fresh)
            self._hear(done, fresh)
            if back and back.remembered and done.report and not done.report.tripped:
                self._undone(done, fresh, back)
            self._check_writes(done, fresh, rules, back)
            self._keep_writes(done)
        left, known = done.left, self.beliefs
        assert left.ours == known.ours, f"law 2: ours are {set(left.ours)}, and ought to be {known.ours}"
        assert left.off == known.off, f"law 2: off are {set(left.off)}, and ought to be {known.off}"
        assert left.vetoes == known.vetoes, f"law 5: vetoes are {left.vetoes}, and ought to be {known.vetoes}"

    def _fresh(self, done: Done) -> Fresh:
        """Collections that gave a complete answer, and the state that they gave."""
        answered = {
            (name, collection): state
            for name, tool in self.tools.items()
            for collection, state in tool.answered.items()
        }
        if done.report is None:
            return answered
        believed = {(source.source, each) for source in done.report.sources for each in source.fresh}
        assert believed <= answered.keys(), f"law 1: {believed - answered.keys()} did not answer in full"
        return {place: answered[place] for place in believed}

    def _got_far(self, done: Done) -> bool:
        """Whether a run that was killed came as far as to hear what people did."""
        if any(tool.applied for tool in self.tools.values()):
            return True
        left, known = done.left, self.beliefs
        return (
            left.ours != known.ours or left.off != known.off or left.vetoes != known.vetoes or left.open != known.open
        )

    # What a run is to know

    def _hear(self, done: Done, fresh: Fresh) -> None:
        opened = set(self.beliefs.open)
        for key, action in self.beliefs.hear(fresh, self._outdated(), done.left.rows, done.now):
            self.written.append((self.pending[key], action, key))
        for key in opened - self.beliefs.open.keys():
            del self.pending[key]

    def _outdated(self) -> set[tuple[str, str]]:
        """Collections whose copy does not show the file of now."""
        return {(name, each) for name, tool in self.tools.items() for each in tool.outdated}

    def _undone(self, done: Done, fresh: Fresh, back: TakenBack) -> None:
        """What an undo takes off stays off, and what an earlier one kept off it lets go."""
        for key in back.off & self.beliefs.ours:
            if key[2] in self._labels(fresh, done, key):
                known = self.beliefs.vetoes.get(key)
                new = Veto(done.now + VETO, done.left.rows[key[:2]].status, "undo")
                self.beliefs.vetoes[key] = replace(known, until=new.until) if known else new
        for key in back.on:
            if key in self.beliefs.vetoes and self.beliefs.vetoes[key].cause == "undo":
                del self.beliefs.vetoes[key]

    def _labels(self, fresh: Fresh, done: Done, key: Key) -> frozenset[str]:
        """The labels that a run saw on an item, or that a copy carries on; those of one that went without a trace."""
        row = done.left.rows[key[:2]]
        place = (key[0], row.collection)
        if place not in fresh or row.missing:
            return frozenset()
        item = fresh[place].items.get(key[1])
        carried = {key[2]} if place in self._outdated() else set()
        return (item.labels if item else row.labels) | carried

    def _keep_writes(self, done: Done) -> None:
        for name, tool in self.tools.items():
            for write in tool.log:
                self._keep(name, write, done)
        for key in done.left.open.keys() - self.beliefs.open.keys():
            self.pending[key] = done.run
        self.beliefs.open = dict(done.left.open)

    def _keep(self, source: str, write: Write, done: Done) -> None:
        """A write that had an answer: what it put on is ours, what it took off is not any more."""
        for action, keys in zip(("add", "remove"), self._asked(source, write), strict=True):
            for key in keys - done.left.open.keys():
                if write.changed_something or self._is_whole(source):
                    self.written.append((done.run, action, key))
                if action == "remove":
                    self.beliefs.took_off(key)
                elif key[2] in write.add or key in self.beliefs.lost or self._is_whole(source):
                    self.beliefs.put_on(key)
                self.beliefs.lost.discard(key)

    def _is_whole(self, source: str) -> bool:
        return self.tools[source].kind.capabilities.writes is Granularity.COLLECTION

    def _asked(self, source: str, write: Write) -> tuple[set[Key], set[Key]]:
        """What was to go on and to come off, less what a copy only carries on."""
        add, remove = (
            {(source, write.native_id, label) for label in labels} for labels in (write.asked.add, write.asked.remove)
        )
        if self._is_whole(source):
            return add - self.beliefs.ours, remove - self.beliefs.off
        return add, remove

    # The laws

    def _check_items(self, done: Done, fresh: Fresh) -> None:
        """What the store knows of items is what the tools said of them."""
        for (source, collection), state in fresh.items():
            for native_id, item in state.of(collection).items():
                row = done.left.rows[source, native_id]
                assert (row.status, row.collection) == (item.status, collection), f"{native_id}: {row} and not {item}"
                assert not row.missing, f"law 1: {source} {native_id} is there and was taken for gone"

    def _check_clocks(self, done: Done) -> None:
        """No item went that no person ever took, and no clock began anew but for a new status."""
        for place, row in done.left.rows.items():
            assert not row.missing or place in self.was_absent, f"law 1: {place} was taken for gone and never went"
            before = self.since.get(place)
            if before is not None and before[0] == row.status and not self.tools[place[0]].kind.capabilities.history:
                assert row.since == before[1], f"law 4: {place} is in {row.status} since {row.since}, was {before[1]}"
            self.since[place] = (row.status, row.since)

    def _check_writes(self, done: Done, fresh: Fresh, rules: Rules, back: TakenBack | None) -> None:
        assert done.report is None or not done.report.tripped or not any(t.calls for t in self.tools.values()), "law 7"
        for name, tool in self.tools.items():
            asked = [call.ref for call in tool.calls]
            assert len(asked) == len(set(asked)), "law 8: an item was written to twice in one run"
            for write in tool.log:
                assert (name, write.collection) in fresh, f"law 1: {name} {write.collection} did not answer in full"
                assert not write.add or EXEMPT not in write.before, f"law 9: {write} although it was exempt by then"
                add, remove = self._asked(name, write)
                assert remove <= self.beliefs.ours, f"law 2: {remove - self.beliefs.ours} was not ours: {write}"
                assert not add & self.beliefs.vetoes.keys(), f"law 5: a veto was passed over: {write}"
                self._check_reason(write, (add, remove), self.wanted_of(name, write, done, fresh, rules), back)

    def _check_reason(
        self, write: Write, asked: tuple[set[Key], set[Key]], wanted: frozenset[str], back: TakenBack | None
    ) -> None:
        add, remove = asked
        if back:
            assert add <= back.on, f"put on without need: {write}"
            assert remove <= back.off, f"taken off without need: {write}"
            return
        assert {label for *_, label in add} <= wanted, f"law 3: {write}, and the rules ask for {set(wanted)}"
        assert not wanted & {label for *_, label in remove}, f"law 3: {write}, and the rules ask for {set(wanted)}"

    def wanted_of(self, source: str, write: Write, done: Done, fresh: Fresh, rules: Rules) -> frozenset[str]:
        """What the rules ask for on the item of a write, as the run saw it."""
        return self.wanted(source, fresh[source, write.collection].items[write.native_id], done, rules)

    def wanted(self, source: str, item: Item, done: Done, rules: Rules) -> frozenset[str]:
        """What the rules ask for on an item."""
        exact = self.tools[source].kind.capabilities.history
        since = item.since if exact else done.left.rows[source, item.native_id].since
        return rules.wanted(item, since, done.now)

    def check_settled(self, done: Done, before: Mapping[str, State], rules: Rules) -> None:
        """Law 3: other people's labels, and exactly what the rules say, less what people took off."""
        for name, state in before.items():
            for native_id, item in state.items.items():
                shown = self.tools[name].shown(self.tools[name].now, item.collection).items[native_id].labels
                ours = {label for source, of, label in self.beliefs.ours if (source, of) == (name, native_id)}
                vetoed = {label for source, of, label in self.beliefs.vetoes if (source, of) == (name, native_id)}
                theirs = shown - ours
                wanted = self.wanted(name, item, done, rules)
                assert ours == wanted - vetoed - theirs, (
                    f"law 3: {name} {native_id} shows {set(shown)}, ours {ours}, the rules ask for {set(wanted)}, "
                    f"vetoed {vetoed}"
                )
                assert ours <= shown, f"law 3: {name} {native_id} shows {set(shown)}, and ours are {ours}"
                if self._is_whole(name):
                    off = {label for source, of, label in self.beliefs.off if (source, of) == (name, native_id)}
                    assert theirs == item.labels - ours - off, f"law 2: {item} is shown with {set(shown)}"


def check_words(report: RunReport | None) -> None:
    """Law 13: a sentence for each failure, with its source, and no secret (law 10)."""
    for sentence in report.problems if report else ():
        assert sentence.startswith(("cards: ", "rows: ", "files: ")), f"law 13: {sentence}"
        assert TOKEN not in sentence, "law 10"
        assert "bug" not in sentence, f"law 13: {sentence}"
