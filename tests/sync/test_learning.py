"""Percentiles of the stored past are those of a plain recomputation, and rules go by them as by any threshold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.model import StatusCategory, WorkItem
from rules.calendar import Calendar
from rules.loader import load
from rules.ruleset import RuleSet
from rules.table import moment
from sync import learning
from sync.clock import Clock
from sync.retention import Retention, forget
from sync.store import Store, open_store
from tests.rules.items import NOW, TODAY, item
from tests.sync.test_incremental import agrees, new_store, put

LADDER = """
[[rule]]
id = "slow"
says = "{status} for {business_days_in_status} business days"
when = { status_category = "in progress" }
[rule.ladder]
measure = "business_days_in_status"
steps = [ { over = "p50", otherwise = 4, at_least = 1, at_most = 9, from_items = 2, label = "l-50" },
          { over = "p85", otherwise = 8, at_least = 1, at_most = 15, from_items = 2, label = "l-85" } ]
"""
CLAUSE = """
[[rule]]
id = "late"
label = "l-late"
says = "late"
when = { business_days_in_status = "over p70, otherwise 5, from 1 items" }
[[rule]]
id = "not-late"
label = "l-not-late"
says = "not late"
when = { business_days_in_status = "not over p70, otherwise 5, at least 2, at most 6, from 3 items" }
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    file = tmp_path_factory.mktemp("rules") / "learned.toml"
    file.write_text(LADDER + CLAUSE)
    return load([file])


ZONES = {"test": ZoneInfo("Europe/Berlin"), "west": ZoneInfo("America/Sao_Paulo"), "east": ZoneInfo("Asia/Tokyo")}
"""In Sao Paulo midnight was skipped in autumn and came twice in spring, until 2019."""
CALENDARS = (TODAY.calendar, Calendar(weekend=frozenset({4, 5}), name="other"))
CLOCKS = learning.Clocks(CALENDARS, ZoneInfo("Europe/Berlin"), ZONES)


SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Moved:
    """One transition, so many hours after the one before."""

    hours: int
    status: str
    category: str | None
    origin: str


_MOVED = st.builds(
    Moved,
    st.sampled_from([0, 0, 1, 5, 23, 24, 30, 100, 200, 3000]),
    st.sampled_from(["To do", "Doing", "In Review", "Done"]),
    st.sampled_from([None, "todo", "in_progress", "in_progress", "done", "done"]),
    st.sampled_from(["tool", "tool", "observed"]),
)


@dataclass(frozen=True)
class Life:
    """One item with its history."""

    source: str
    collection: str
    type: str | None
    calendar: int
    created: bool
    begins: datetime
    moves: tuple[Moved, ...]

    @property
    def transitions(self) -> list[tuple[datetime, Moved]]:
        at, found = self.begins, []
        for move in self.moves:
            at += timedelta(hours=move.hours)
            found.append((at, move))
        return found


_LIVES = st.lists(
    st.builds(
        Life,
        source=st.sampled_from(["test", "test", "test", "west", "west", "east", "elsewhere"]),
        collection=st.sampled_from(["c", "c", "c", "d"]),
        type=st.sampled_from([None, None, "", "Story"]),
        calendar=st.sampled_from([0, 0, 0, 1, 7]),
        created=st.booleans(),
        begins=st.integers(0, 300 * 24 * 3600).map(lambda after: datetime(2018, 1, 20, tzinfo=UTC) + after * SECOND),
        moves=st.builds(
            lambda moves, end: (*moves, *end),
            st.lists(_MOVED, max_size=5),
            st.sampled_from([(), *[(Moved(50, "Done", "done", "tool"),)] * 5]),
        ),
    ),
    max_size=25,
)


def write(store: Store, lives: Sequence[Life]) -> None:
    """Fill a store with them."""
    columns = "id, source, collection, native_id, key, title, type, calendar, created_at"
    with store.transaction() as connection:
        for number, life in enumerate(lives, 1):
            connection.execute(
                f"INSERT INTO item ({columns}) VALUES (?, ?, ?, ?, ?, '', ?, ?, ?)",
                (number, life.source, life.collection, number, number, life.type, life.calendar,
                 moment(life.begins) if life.created else None),
            )  # fmt: skip
            connection.execute(
                "INSERT OR IGNORE INTO collection (source, native_id, name) VALUES (?, ?, '')",
                (life.source, life.collection),
            )
            before = Moved(0, "To do", "todo", "")
            for nth, (at, move) in enumerate(life.transitions):
                connection.execute(
                    "INSERT INTO transition (item_id, at, from_status, to_status, from_category, to_category, "
                    "percent_complete, origin) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (number, moment(at), before.status, move.status, before.category, move.category, nth, move.origin),
                )
                before = move


def recomputed(lives: Sequence[Life], first: date, percents: Sequence[int]) -> set[tuple[object, ...]]:
    """What `learned` holds for a month, by the docs and without SQL."""
    until = datetime(first.year, first.month, 1, tzinfo=CLOCKS.zone)
    since = until.replace(year=first.year - 1)
    took = defaultdict[tuple[str, str, str, str], list[int]](list)
    for life in lives:
        known = [(at, move) for at, move in life.transitions if at < until]
        if not known or known[-1][1].category != "done" or known[-1][0] < since:
            continue
        for status, days in _last_stays(life, known).items():
            took[life.source, life.collection, life.type or "", status].append(days)
    return {
        (first.isoformat(), percent, *kind, min(day for day in days if _share(day, days) >= percent), len(days))
        for kind, days in took.items()
        for percent in percents
    }


def _share(day: int, days: Sequence[int]) -> float:
    return 100 * sum(each <= day for each in days) / len(days)


def _last_stays(life: Life, known: Sequence[tuple[datetime, Moved]]) -> dict[str, int]:
    zone, calendar = ZONES.get(life.source, CLOCKS.zone), CALENDARS[life.calendar if life.calendar < 2 else 0]
    stays = [(move.status, move.category, at, left) for (at, move), (left, _) in pairwise(known)]
    if life.created and known[0][1].origin == "tool":
        stays.insert(0, ("To do", "todo", life.begins, known[0][0]))
    last = dict[str, tuple[datetime, datetime]]()
    for status, category, came, left in stays:
        if category != "done":
            last[status] = max((came, left), last.get(status, (came, left)))
    return {
        status: calendar.business_days(came.astimezone(zone).date(), left.astimezone(zone).date())
        for status, (came, left) in last.items()
    }


@settings(max_examples=150)
@given(_LIVES, st.dates(date(2018, 3, 1), date(2019, 5, 1)).map(lambda day: day.replace(day=1)))
def test_percentiles_are_those_of_a_plain_recomputation(rules: RuleSet, lives: list[Life], first: date) -> None:
    today = replace(TODAY, now=datetime(first.year, first.month, 17, 12, tzinfo=UTC))
    with new_store() as store:
        write(store, lives)
        learning.learn(store, rules, today, CLOCKS, rehearsal=False)
        kept = set(store.connection.execute("SELECT * FROM main.learned"))
        assert kept == recomputed(lives, first, (50, 70, 85))
        with store.snapshot() as connection:
            connection.execute("DELETE FROM main.learned_month")
            learning.lay(connection, rules, [first], CLOCKS)
            assert set(connection.execute("SELECT * FROM temp.learned")) == kept


# Rules by what was learned


@dataclass(frozen=True)
class Step:
    """What happens between two evaluations."""

    written: Sequence[tuple[str, str, str, int]]
    """Items: native id, type, status, and so many days in it."""
    finished: Sequence[tuple[str, str, int]]
    """Items that get done: type, the status that they were in, and for so many days."""
    days: int
    holiday: bool
    killed: bool
    """The run ends between learning and asking the rules."""


_TYPES, _STATUSES = st.sampled_from(["Story", "Bug"]), st.sampled_from(["Doing", "In Review"])
_STEPS = st.lists(
    st.builds(
        Step,
        written=st.lists(st.tuples(st.sampled_from("abcdefgh"), _TYPES, _STATUSES, st.integers(0, 20)), max_size=4),
        finished=st.lists(st.tuples(_TYPES, _STATUSES, st.integers(0, 25)), max_size=6),
        days=st.sampled_from([0, 1, 1, 2, 5, 20, 31, 31, 62, -3, -31]),
        holiday=st.sampled_from([False] * 9 + [True]),
        killed=st.sampled_from([False] * 4 + [True]),
    ),
    min_size=2,
    max_size=6,
)


def finish(store: Store, now: datetime, of_type: str, status: str, days: int) -> None:
    """An item that was for so many days in a status is done."""
    number = store.value("SELECT count(*) FROM item")
    put(store, item(f"done-{number}", type=of_type, status="Done", status_category=StatusCategory.DONE))
    [done] = store.connection.execute("SELECT id FROM item WHERE native_id = ?", (f"done-{number}",)).fetchone()
    came = now - timedelta(days=days, hours=1)
    rows = ((done, came, "To do", status, "in_progress"), (done, now - timedelta(hours=1), status, "Done", "done"))
    with store.transaction() as connection:
        for which, at, before, after, category in rows:
            connection.execute(
                "INSERT INTO transition (item_id, at, from_status, to_status, to_category, origin) "
                "VALUES (?, ?, ?, ?, ?, 'tool')",
                (which, moment(at), before, after, category),
            )


def underway(now: datetime, native_id: str, of_type: str, status: str, days: int) -> WorkItem:
    """An item that has been in a status for so many days."""
    since = now - timedelta(days=days)
    return item(native_id, type=of_type, status=status, status_category=StatusCategory.IN_PROGRESS, status_since=since)


@settings(max_examples=60)
@given(_STEPS)
def test_rules_that_go_by_what_was_learned_miss_nothing(rules: RuleSet, steps: list[Step]) -> None:
    """Built on the last evaluation, over months that begin and clocks that go back."""
    today = replace(TODAY, others=(CALENDARS[1],))
    with new_store() as store:
        store.connection.execute("INSERT INTO collection (source, native_id, name) VALUES ('test', 'c', 'C')")
        for step in steps:
            today = replace(today, now=today.now + timedelta(days=step.days))
            if step.holiday:
                calendar = today.calendar
                today = replace(today, calendar=replace(calendar, holidays=calendar.holidays | {date(2026, 3, 18)}))
            for written in step.written:
                put(store, underway(today.now, *written))
            for finished in step.finished:
                finish(store, today.now, *finished)
            learning.learn(store, rules, today, CLOCKS, rehearsal=False)
            if not step.killed:
                agrees(store, rules, today)


def labels(store: Store, native_id: str) -> set[str]:
    """What an item is found for."""
    found = "SELECT label FROM finding JOIN item ON id = item_id WHERE native_id = ?"
    return {row["label"] for row in store.rows(found, (native_id,))}


def test_a_month_passes_over_what_its_threshold_does(rules: RuleSet) -> None:
    """Up and down, while no item moves and each evaluation is built on the last."""
    with new_store() as store:
        store.connection.execute("INSERT INTO collection (source, native_id, name) VALUES ('test', 'c', 'C')")
        for days in range(30):
            put(store, underway(datetime(2026, 2, 27, 12, tzinfo=UTC), f"i{days}", "Story", "Doing", days))
        found = list[set[str]]()
        for month, day, took in ((2, 27, 13), (3, 2, 5), (3, 31, 1), (4, 1, 20), (4, 2, 0)):
            today = replace(TODAY, now=datetime(2026, month, day, 12, tzinfo=UTC))
            learning.learn(store, rules, today, CLOCKS, rehearsal=False)
            assert agrees(store, rules, today) == bool(found)
            found.append(labels(store, "i4"))
            for _ in range(40):
                finish(store, today.now, "Story", "Doing", took)
        assert found == [{"l-not-late"}, {"l-not-late"}, {"l-85", "l-late"}, {"l-85", "l-late"}, {"l-85", "l-late"}]


def test_what_a_rehearsal_kept_is_worked_out_anew_by_the_first_run_that_is_none(rules: RuleSet) -> None:
    with new_store() as store:
        store.connection.execute("INSERT INTO collection (source, native_id, name) VALUES ('test', 'c', 'C')")
        to_come = replace(TODAY, now=datetime(2026, 4, 2, 12, tzinfo=UTC))
        put(store, underway(to_come.now, "a", "Story", "Doing", 12))  # 8 business days
        for rehearsal, took, found in ((True, 5, {"l-85", "l-late"}), (False, 25, {"l-50"}), (True, 1, {"l-50"})):
            for _ in range(9):
                finish(store, datetime(2026, 3, 30, tzinfo=UTC), "Story", "Doing", took)
            learning.learn(store, rules, to_come, CLOCKS, rehearsal=rehearsal)
            agrees(store, rules, to_come)
            assert labels(store, "a") == found


def test_what_only_other_days_and_months_would_say_is_not_laid(rules: RuleSet) -> None:
    """What the store kept is gone by, also where history would tell something else by now."""
    with new_store() as store:
        store.connection.execute("INSERT INTO learned_month VALUES ('2026-03-01', 85, 0), ('2026-02-01', 50, 0)")
        store.connection.execute("INSERT INTO learned VALUES ('2026-03-01', 85, 'test', 'c', '', 'Doing', 3, 40)")
        with store.snapshot() as connection:
            learning.lay(connection, rules, [date(2026, 2, 1), date(2026, 3, 1)], CLOCKS)
            assert len(connection.execute("SELECT * FROM temp.learned").fetchall()) == 1
            months = set(connection.execute("SELECT month, percent FROM temp.learned_month"))
            assert months == {(month, percent) for month in ("2026-02-01", "2026-03-01") for percent in (50, 70, 85)}


def test_old_months_are_forgotten_and_the_one_that_days_went_by_is_not(tmp_path: Path) -> None:
    months = ("2024-12-01", "2025-01-01", "2025-02-01", "2026-03-01")
    with open_store(tmp_path / "unstuck.db") as store:
        for month in months:
            store.connection.execute("INSERT INTO learned_month VALUES (?, 85, 0)", (month,))
            store.connection.execute("INSERT INTO learned VALUES (?, 85, 'test', 'c', '', 'Doing', 3, 40)", (month,))
        assert forget(store, Retention(400, 400), Clock(NOW, rehearsal=True)) == 0
        assert forget(store, Retention(400, 400), Clock(NOW, rehearsal=False)) == 4  # 13 February 2025
        for name in ("learned", "learned_month"):
            kept = [row["month"] for row in store.rows(f"SELECT month FROM {name} ORDER BY month")]
            assert kept == ["2025-02-01", "2026-03-01"]
