"""Anything may happen, in any order; after each settling run the laws hold. `make soak` tries ten thousand steps."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from sync import planfile
from sync.stops import UnsafeStop
from sync.summary import Wish
from tests.system.machine.books import Books, TakenBack
from tests.system.machine.driver import EVERY_BRAKE, TALLY, Done, Driver
from tests.system.machine.model import EXEMPT, OURS, Rules
from tests.system.machine.tools import COLLECTIONS, KINDS, STATUSES, TOOLS, Item, Tool, Trouble

SOAK = bool(os.environ.get("UNSTUCK_SOAK"))
log = logging.getLogger("soak")
_START = datetime(2026, 3, 2, 12, tzinfo=UTC)
_NAMES = {"cards": "by_label", "rows": "by_item", "files": "by_copy"}

names = st.sampled_from(sorted(_NAMES))
collections = st.sampled_from(COLLECTIONS)
statuses = st.sampled_from(sorted(STATUSES))
sponsors = st.sampled_from(["", "", "Ada", None])
labels = st.sampled_from([*OURS, *OURS, "blue", EXEMPT])
which = st.integers(0, 1000)
one_of_two = st.booleans()
rulebooks = st.sampled_from(
    [Rules(), Rules(), Rules(sponsor=False), Rules(steps=()), Rules(steps=(5, 30)), Rules(steps=(30,))]
)
troubles = st.builds(
    Trouble,
    late=st.integers(0, 4),
    pages=st.none() | st.integers(0, 4),
    then=st.sampled_from(["fails", "stops", "silent"]),
    twice=st.booleans(),
    writes=st.none() | st.integers(0, 3),
    unheard=st.booleans(),
    meddled=st.booleans(),
)
deaths = st.tuples(names, st.integers(1, 12)) | st.tuples(st.just("sql"), st.integers(1, 160))


def job(name: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """One of the machine's methods, and what to call it with."""
    return st.tuples(st.just(name), st.fixed_dictionaries({"name": names, **arguments}))


jobs = st.one_of(
    job("make", collection=collections, status=statuses, sponsor=sponsors, days=st.integers(0, 25)),
    job("change_status", at=which, status=statuses),
    job("change_sponsor", at=which, sponsor=sponsors),
    job("put_label", at=which, label=labels),
    job("take_label", at=which, label=labels),
    job("take_all_labels", at=which),
    job("delete", at=which, traceless=one_of_two),
    job("restore", at=which),
    job("move", at=which),
    job("bring_home", collection=collections),
)


class Machine(RuleBasedStateMachine):
    """Three tools, one store, people, accidents, and a model of what is right."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machine-", dir=_fast_disk()))
        self.tools = {name: Tool(name, KINDS[kind]) for name, kind in _NAMES.items()}
        TOOLS.clear()
        TOOLS.update(self.tools)
        self.driver = Driver(self.folder, self.tools)
        self.now = _START
        self.books = Books(self.tools)
        self.runs: list[int] = []
        self.made = 0
        self.saved: tuple[Path, frozenset[planfile.Row], Rules, datetime] | None = None

    # What people do

    @initialize()
    def begin(self) -> None:
        for name in _NAMES:
            for number in range(4):
                self.make(name, COLLECTIONS[number % 2], "Doing", "" if number < 2 else "Ada", 3 * number)

    @rule(jobs=st.lists(jobs, min_size=1, max_size=4))
    def work(self, jobs: list[tuple[str, dict[str, Any]]]) -> None:
        """People do one thing or another, in any tool."""
        for name, arguments in jobs:
            getattr(self, name)(**arguments)

    def make(self, name: str, collection: str, status: str, sponsor: str | None, days: int) -> None:
        self.made += 1
        since = self.now - timedelta(days=days)
        self.tools[name].put(Item(f"i{self.made}", collection, status, since, sponsor))

    def change_status(self, name: str, at: int, status: str) -> None:
        if (item := self.pick(name, at)) and item.status != status:
            self.tools[name].put(replace(item, status=status, since=self.now))

    def change_sponsor(self, name: str, at: int, sponsor: str | None) -> None:
        if item := self.pick(name, at):
            self.tools[name].put(replace(item, sponsor=sponsor))

    def put_label(self, name: str, at: int, label: str) -> None:
        """A person puts a label on."""
        if item := self.pick(name, at):
            self.tools[name].put(replace(item, labels=item.labels | {label}))

    def take_label(self, name: str, at: int, label: str) -> None:
        if (item := self.pick(name, at)) and label in item.labels:
            self.tools[name].put(replace(item, labels=item.labels - {label}))

    def take_all_labels(self, name: str, at: int) -> None:
        if (item := self.pick(name, at)) and item.labels:
            self.tools[name].put(replace(item, labels=frozenset()))

    def delete(self, name: str, at: int, traceless: bool) -> None:
        if (item := self.pick(name, at)) and len(self.tools[name].now.items) > 2:
            self.tools[name].remove(item.native_id, traceless=traceless)
            self.books.was_absent.add((name, item.native_id))

    def restore(self, name: str, at: int) -> None:
        """What was deleted comes back as it was."""
        tool = self.tools[name]
        gone = sorted(native_id for source, native_id in self.books.was_absent - self.there() if source == name)
        if gone:
            native_id = gone[at % len(gone)]
            tool.put(next(state.items[native_id] for state in reversed(tool.states) if native_id in state.items))

    def move(self, name: str, at: int) -> None:
        if item := self.pick(name, at):
            self.books.was_absent.add((name, item.native_id))
            self.tools[name].put(replace(item, collection="B2" if item.collection == "B1" else "B1"))

    def bring_home(self, name: str, collection: str) -> None:
        """Somebody goes on working in the labelled copy, where there is one."""
        self.tools[name].bring_home(collection)

    @rule(rules=rulebooks)
    def change_rules(self, rules: Rules) -> None:
        self.driver.rules = rules

    @rule(hours=st.integers(1, 30) | st.integers(200, 1000))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(hours=st.integers(1, 300))
    def clock_jumps_back(self, hours: int) -> None:
        self.now -= timedelta(hours=hours)

    # What runs do

    @rule(cards=troubles, rows=troubles, files=troubles, full=one_of_two, forced=one_of_two)
    def troubled_run(self, cards: Trouble, rows: Trouble, files: Trouble, full: bool, forced: bool) -> None:
        force = EVERY_BRAKE if forced else frozenset[str]()
        self.account(
            self.run({"cards": cards, "rows": rows, "files": files}, Wish("run", apply=True, full=full, force=force))
        )

    @rule(cards=troubles, rows=troubles, files=troubles, death=deaths, after=one_of_two, full=one_of_two)
    def killed_run(
        self, cards: Trouble, rows: Trouble, files: Trouble, death: tuple[str, int], after: bool, full: bool
    ) -> None:
        where, at = death
        troubles_ = {"cards": cards, "rows": rows, "files": files}
        if where in troubles_:
            troubles_[where] = replace(troubles_[where], dies_at=at)
        wish = Wish("run", apply=True, full=full, force=EVERY_BRAKE)
        self.account(self.run(troubles_, wish, at if where == "sql" else None, after=after))

    @rule(full=one_of_two)
    def dry_run(self, full: bool) -> None:
        done = self.run({}, Wish("plan", full=full))
        assert not any(tool.applied for tool in self.tools.values()), "law 6: a run that plans wrote"
        assert done.report is not None
        file = self.folder / "plan.json"
        planfile.save(file, done.report.plan, self.driver.ruleset.sha, self.now)
        rows = frozenset(planfile.Row.of(change) for change in done.report.plan.changes)
        self.saved = (file, rows, self.driver.rules, self.now) if rows else None
        self.account(done)

    @precondition(lambda self: self.saved is not None)
    @rule(late=st.integers(0, 3))
    def apply_saved(self, late: int) -> None:
        assert self.saved is not None
        file, rows, rules, made_at = self.saved
        old = self.now - made_at > planfile.GOOD_FOR or rules != self.driver.rules
        try:
            approved = planfile.load(file, self.driver.ruleset.sha, self.now, every_row=True)
        except UnsafeStop:
            assert old, "a good plan was refused"
            return
        assert not old, "an old plan, or one from other rules, was let through"
        wish = Wish("apply", True, force=EVERY_BRAKE, narrow=lambda plan: planfile.narrow(plan, approved)[0])
        done = self.run({name: Trouble(late=late) for name in _NAMES}, wish)
        for name, tool in self.tools.items():
            for call in () if name == "files" else tool.calls:
                row = planfile.Row(name, call.ref.native_id, call.add, call.remove)
                assert row in rows, f"law 9: {row} was written and never approved"
        self.account(done)

    @precondition(lambda self: self.runs)
    @rule(at=which)
    def undo(self, at: int) -> None:
        run = self.runs[-1 - at % min(4, len(self.runs))]
        back = self.books.back(run)
        self.account(self.take_back(run), back)

    @rule()
    def retire(self) -> None:
        back = self.books.back(None)
        self.account(self.take_back(None), back)
        for name, native_id, label in self.books.beliefs.ours:
            item = self.tools[name].now.items.get(native_id)
            shown = item and self.tools[name].shown(self.tools[name].now, item.collection).items[native_id]
            assert shown is None or label not in shown.labels, (
                f"{label} stayed on {native_id} after unstuck was retired"
            )

    @rule(full=one_of_two)
    def settle(self, full: bool) -> None:
        """Law 3: after a run without faults the tools carry exactly what the rules say; the next writes nothing."""
        before = {name: tool.now for name, tool in self.tools.items()}
        done = self.run({}, Wish("run", apply=True, full=True, force=EVERY_BRAKE))
        assert done.report is not None
        assert not done.report.problems, done.report.problems
        self.account(done)
        assert not self.books.beliefs.open, "law 8: a write is without a result after a run without faults"
        self.books.check_settled(done, before, self.driver.rules)
        again = self.run({}, Wish("run", apply=True, full=full, force=EVERY_BRAKE))
        for tool in self.tools.values():
            assert not tool.applied, f"law 3: the run after a settling one writes: {tool.calls}"
        self.account(again)
        assert not self.driver.secrets_leaked(), "law 10"

    def teardown(self) -> None:
        try:
            if self.made:
                self.settle(full=True)
        finally:
            shutil.rmtree(self.folder)

    # How it is done

    def account(self, done: Done, back: TakenBack | None = None) -> None:
        self.runs.append(done.run)
        self.books.account(done, self.driver.rules, back)

    def pick(self, name: str, at: int) -> Item | None:
        items = self.tools[name].now.items
        return items[sorted(items)[at % len(items)]] if items else None

    def there(self) -> set[tuple[str, str]]:
        return {(name, native_id) for name, tool in self.tools.items() for native_id in tool.now.items}

    def run(
        self, troubles_: dict[str, Trouble], wish: Wish, dies_at: int | None = None, *, after: bool = False
    ) -> Done:
        for name, tool in self.tools.items():
            tool.begin(troubles_.get(name, Trouble()))
        return self.driver.run(self.now, wish, dies_at, after=after)

    def take_back(self, run_id: int | None) -> Done:
        for tool in self.tools.values():
            tool.begin(Trouble())
        wish = Wish("undo" if run_id else "retire", apply=True, force=EVERY_BRAKE)
        return self.driver.take_back(self.now, wish, run_id)


def _fast_disk() -> str | None:
    """Every commit waits for the disk; nothing here is to survive a power cut."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


# A counterexample of thirty steps takes minutes to shorten; whoever looks at one can ask for that.
_PHASES = (Phase.explicit, Phase.generate, *((Phase.shrink,) if os.environ.get("UNSTUCK_SHRINK") else ()))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_whatever_happens_the_laws_hold() -> None:
    """In `make test` always the same 720 steps, in `make soak` 10,000 others each time."""
    examples, steps = (200, 50) if SOAK else (24, 30)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, derandomize=not SOAK, database=None, phases=_PHASES
        ),
    )
    log.info("%s steps: %s", examples * steps, dict(TALLY))
