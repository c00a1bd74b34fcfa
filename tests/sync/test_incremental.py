"""Evaluating what changed, and what time moved, finds exactly what evaluating everything finds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.model import Certainty, ItemRef, StatusCategory, WorkItem
from rules import engine, incremental, table
from rules.calendar import Calendar
from rules.clauses import Missing, Subject, Test
from rules.grading import Grader
from rules.loader import builtin_files, load
from rules.ruleset import Rule, RuleSet
from rules.table import PULLED, detail_row, pulled_row
from sync import findings
from sync.migrations import migrations
from sync.store import Store
from tests.rules.items import BERLIN, ITEMS, NOW, TODAY, item

_WORDS = {
    "age_days": ["over 3", "under 7", "at least 5", "at most 10", "exactly 6"],
    "days_in_status": ["over 2", "exactly 0"],
    "business_days_in_status": ["over 4", "under 3", "at least 0", "at most 6", "exactly 2"],
    "days_since_review": ["over 9", "missing"],
    "created_at": ["over 3 days ago", "under 4 days ago", "exactly 0 days ago", "at most 2 business days ago"],
    "status_since": ["over 5 business days ago", "at least 1 business days ago", "on 2026-03-19"],
    "outcome_reviewed_at": ["never or over 8 days ago", "within 2 days"],
    "due_at": ["past", "within 3 days", "not past", "missing"],
    "outcome_grade": ["unreviewed", "complete", "missing", "at most vague"],
    "outcome_metric": ["placeholder", "contains churn"],
    "outcome_from": ["present"],
    "parent_key": ["contains x", "missing"],
    "status_category": ["not done"],
    "sponsor": ["missing or placeholder"],
    "labels": ["has frozen"],
    "description": ["present"],
    "items_below": ["over 0", "exactly 1", "over 1"],
    "finished_below": ["exactly 0", "over 0"],
    "underway_days": ["over 3", "at most 6", "under 2"],
    "sponsor_above": ["missing", "contains ann"],
}


_SQL = [
    "days_in_status % 3 = 1",
    "underway_days > 2 or due_at_day < started_at_day",
    "outcome_grade = 'unreviewed'",
    "finished_below < items_below",
]
"""The first two read an age, and are asked about every item on a new day; the others are not."""


def _every_word() -> Iterator[str]:
    for column, words in _WORDS.items():
        for number, word in enumerate(words):
            name = f"{column}-{number}"
            shown = f"{{{column}}} {{outcome_metric}}" if number % 2 else "plain"
            yield f'[[rule]]\nid="{name}"\nlabel="l-{name}"\nsays="{shown}"\nwhen={{ {column} = "{word}" }}\n'
    yield '[[rule]]\nid="field"\nlabel="l-field"\nsays="{fields.CC}"\nwhen={ fields = { CC = "missing" } }\n'
    for number, sql in enumerate(_SQL):
        yield f'[[rule]]\nid="sql-{number}"\nlabel="l-sql-{number}"\nsays="so"\nwhen={{ sql = "{sql}" }}\n'
    yield (
        '[[rule]]\nid="ladder"\nsays="{status_since}: {business_days_in_status}"\nwhen={ key = "present" }\n'
        '[rule.ladder]\nmeasure="business_days_in_status"\n'
        'steps=[ { over=1, label="l-1" }, { over=8, label="l-8" } ]\n'
        '[[rule.ladder.override]]\nwhen={ due_at="past" }\nsteps=[ { over=3, label="l-3" } ]\n'
    )


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    file = tmp_path_factory.mktemp("rules") / "all.toml"
    file.write_text("\n".join(_every_word()))
    return load([file, *builtin_files()])


INHERITING = ["test"]
GRADER = Grader()


@contextmanager
def new_store() -> Iterator[Store]:
    store = Store(sqlite3.connect(":memory:", isolation_level=None), Path("memory"))
    migrations.apply(store.db)
    with store:
        yield store


def put(store: Store, one: WorkItem) -> None:
    """Write an item as a pull does."""
    names, updates = ", ".join(PULLED), ", ".join(f"{name} = excluded.{name}" for name in PULLED)
    with store.transaction() as connection:
        connection.execute(
            f"INSERT INTO item ({names}, first_seen) VALUES ({', '.join('?' for _ in PULLED)}, '') "
            f"ON CONFLICT (source, native_id) DO UPDATE SET {updates}, missing_since = NULL",
            pulled_row(one, BERLIN, GRADER),
        )
        connection.execute(
            "INSERT INTO item_detail SELECT id, ?, ? FROM item WHERE native_id = ? "
            "ON CONFLICT (item_id) DO UPDATE SET description = excluded.description, fields = excluded.fields",
            (*detail_row(one), one.ref.native_id),
        )


def lose(store: Store, native_id: str) -> None:
    """Mark an item as gone, as a pull does."""
    with store.transaction() as connection:
        connection.execute("UPDATE item SET missing_since = 'then' WHERE native_id = ?", (native_id,))


def agrees(store: Store, ruleset: RuleSet, today: engine.Today, inheriting: list[str] = INHERITING) -> bool:
    """Evaluate as a run does, and all anew, and compare everything. Returns whether the first was not a whole one."""
    for name in ("touched", "found"):
        store.connection.execute(f"DROP TABLE IF EXISTS temp.{name}")
    findings.link(store, findings.Links(tuple(inheriting), {}, {}))
    evaluation = findings.evaluate(store, ruleset, today)
    made = {row["name"] for row in store.rows("SELECT name FROM sqlite_temp_master")}
    built_on = "touched" in made or "found" not in made
    linked = "SELECT id, parent_id, outcome_id FROM item ORDER BY id"
    links = store.rows(linked)
    table.resolve(store.connection, inheriting)
    assert store.rows(linked) == links
    whole = engine.evaluate(store.connection, ruleset, today)
    assert evaluation == whole
    columns = "item_id, rule, label, reason"
    assert _sorted(store, f"SELECT {columns} FROM finding") == _sorted(store, f"SELECT {columns} FROM temp.found")
    assert _sorted(store, "SELECT * FROM main.unsure") == _sorted(store, "SELECT * FROM temp.unsure")
    assert store.value("SELECT count(*) FROM dirty") == 0
    return built_on


def _sorted(store: Store, sql: str) -> list[tuple[Any, ...]]:
    return sorted(store.connection.execute(sql).fetchall())


@dataclass
class Step:
    """What happens between two evaluations."""

    written: list[tuple[str, str | None, WorkItem]] = field(default_factory=list)
    """Native id, parent's native id, everything else."""
    lost: list[str] = field(default_factory=list)
    days: int = 0
    holiday: bool = False
    inherits: bool = True


_IDS = st.sampled_from("abcdefgh")
_PLAIN = st.builds(
    lambda metric, since, day: item(outcome_metric=metric, status_since=NOW - timedelta(days=since), due_at=day),
    st.sampled_from([None, "", "TBD", "Churn -2 points"]),
    st.integers(0, 20),
    st.none() | st.integers(-5, 5).map(lambda days: NOW + timedelta(days=days)),
)
_STEPS = st.lists(
    st.builds(
        Step,
        written=st.lists(st.tuples(_IDS, st.none() | _IDS, ITEMS | _PLAIN), max_size=3),
        lost=st.lists(_IDS, max_size=1),
        days=st.sampled_from([0, 1, 1, 2, 5, 90, -3]),
        holiday=st.sampled_from([False] * 9 + [True]),
        inherits=st.sampled_from([True] * 9 + [False]),
    ),
    min_size=2,
    max_size=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(_STEPS)
def test_nothing_is_missed_and_nothing_stays(rules: RuleSet, steps: list[Step]) -> None:
    today = TODAY
    with new_store() as store:
        for step in steps:
            for native_id, parent, one in step.written:
                above = ItemRef("test", parent) if parent else None
                put(store, replace(one, ref=ItemRef("test", native_id), parent_ref=above))
            for native_id in step.lost:
                lose(store, native_id)
            today = replace(today, now=today.now + timedelta(days=step.days))
            if step.holiday:
                calendar = today.calendar
                today = replace(today, calendar=replace(calendar, holidays=calendar.holidays | {date(2026, 3, 18)}))
            agrees(store, rules, today, INHERITING if step.inherits else [])


def test_each_rule_alone_day_by_day(rules: RuleSet) -> None:
    """Where no other rule looks at the same items."""
    with new_store() as store:
        for number in range(-4, 26):  # some are still to come
            day = NOW - timedelta(days=number)
            outcome = {"outcome_metric": "Churn -2", "outcome_baseline": "5", "outcome_target": "3"}
            dates = {"status_since": day, "created_at": day, "due_at": NOW + timedelta(days=number - 5)}
            reviewed = NOW - timedelta(days=5 * number)
            put(store, item(str(number), **dates, **outcome, outcome_reviewed_at=reviewed))
            put(store, item(f"below-{number}", parent_ref=ItemRef("test", str(number))))
        for rule in rules.rules:
            alone = replace(rules, rules=(rule,))
            built_on = [agrees(store, alone, replace(TODAY, now=NOW + timedelta(days=day))) for day in range(6)]
            assert built_on == [False] + [True] * 5


_COUNTING = """
[[rule]]
id = "counts"
label = "l"
says = '"{title}" {fields.CC} {age_days} {days_in_status} {business_days_in_status} {days_since_review} {underway_days}'
when = { key = "present" }
"""


def test_a_new_day_writes_no_finding(tmp_path: Path) -> None:
    """And yet each reason says another number."""
    file = tmp_path / "rules.toml"
    file.write_text(_COUNTING)
    ruleset = load([file])
    today = replace(TODAY, others=(Calendar(weekend=frozenset({4, 5}), name="other"),))
    with new_store() as store:
        for days in (-3, 0, 1, 12_000):  # the last from before public holidays are known
            since = {"status_since": NOW - timedelta(days=days), "created_at": NOW - timedelta(days=days)}
            reviewed = {"outcome_metric": "Churn -2", "outcome_reviewed_at": NOW - timedelta(days=days)}
            put(store, item(f"exact{days}", **since, **reviewed, started_at=NOW))
            put(store, item(f"least{days}", **since, status_since_is=Certainty.AT_LEAST, title="[1, 2]"))
        put(store, item("unknown", unknown=frozenset({"status_since", "CC"}), fields={"CC": "7"}))
        put(store, item("heir", parent_ref=ItemRef("test", "exact1"), fields={"CC": "7"}))
        agrees(store, ruleset, today)
        store.connection.execute("UPDATE item SET calendar = 1 WHERE id % 2")
        assert agrees(store, ruleset, today)
        kept, told = "SELECT * FROM finding_kept", "SELECT reason FROM finding"
        before = _sorted(store, kept), _sorted(store, told)
        for day in (1, 3, 400):
            assert agrees(store, ruleset, replace(today, now=NOW + timedelta(days=day)))
            assert _sorted(store, kept) == before[0]
            assert _sorted(store, told) != before[1]


def test_business_days_of_more_than_a_century_are_told_as_they_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(_COUNTING)
    with new_store() as store:
        put(store, item("old", status_since=NOW - timedelta(days=40_000)))
        agrees(store, load([file]), TODAY)
        assert agrees(store, load([file]), replace(TODAY, now=NOW + timedelta(days=1)))


def test_what_lies_below_a_changed_item_follows_it(rules: RuleSet) -> None:
    with new_store() as store:
        for number in range(1, 6):
            above = ItemRef("test", str(number - 1))
            put(store, item(str(number), parent_ref=above))
        put(store, item("own", parent_ref=ItemRef("test", "0"), outcome_metric="Cost -2 %"))
        assert not agrees(store, rules, TODAY)
        for change in (
            item("0", outcome_metric="Churn -2 points"),  # its child waited for it
            item("0", outcome_metric="Churn -3 points"),
            item("0", outcome_metric="Churn -3 points", outcome_category="Grow"),
            item("2", outcome_metric="TBD", parent_ref=ItemRef("test", "1")),
            item("2", parent_ref=ItemRef("test", "5")),  # a ring
            item("2", parent_ref=ItemRef("test", "0")),
            item("0", key="x-0", outcome_metric="Churn -3 points"),
        ):
            put(store, change)
            assert agrees(store, rules, TODAY)
        lose(store, "0")
        assert agrees(store, rules, TODAY)
        assert store.value("SELECT count(*) FROM item WHERE outcome_id = id") == 7


_GIVEN = {
    "outcome_metric": "Churn -3 points",
    "outcome_category": "Grow",
    "outcome_baseline": "",
    "outcome_target": "",
    "outcome_actual": "4",
    "outcome_reviewed_at": NOW - timedelta(days=200),
    "key": "renamed",
    "unknown": frozenset({"outcome_category"}),
}


def test_whatever_an_heir_takes_is_taken_again(tmp_path: Path) -> None:
    """Each by itself; the view has nothing else of the giver."""
    shown = [*_GIVEN, "outcome_from", "outcome_grade", "days_since_review"]
    says = " ".join(f"{{{name}}}" for name in shown if name not in ("key", "unknown"))
    file = tmp_path / "rules.toml"
    file.write_text(f'[[rule]]\nid="all"\nlabel="all"\nsays="{says}"\nwhen={{ outcome_from = "present" }}\n')
    ruleset = load([file])
    plain = {
        "outcome_metric": "Churn -2 points",
        "outcome_category": "Reduce cost",
        "outcome_baseline": "5",
        "outcome_target": "3",
        "outcome_actual": "5",
        "outcome_reviewed_at": NOW,
    }
    for name, value in _GIVEN.items():
        with new_store() as store:
            put(store, item("giver", **plain))
            put(store, item("heir", parent_ref=ItemRef("test", "giver")))
            agrees(store, ruleset, TODAY)
            before = store.value("SELECT reason FROM finding")
            put(store, item("giver", **plain | {name: value}))
            assert agrees(store, ruleset, TODAY)
            assert store.value("SELECT reason FROM finding") != before, name


def test_only_a_rule_whose_sql_reads_an_age_looks_at_every_item_again(rules: RuleSet) -> None:
    with new_store() as store:
        for number in range(50):
            put(store, item(str(number), status_since=NOW - timedelta(days=number)))
        agrees(store, rules, TODAY)
        tomorrow = replace(TODAY, now=NOW + timedelta(days=1))
        anew = incremental.asked_anew(rules, tomorrow, incremental.Last(TODAY.date.toordinal(), 50, {}))
        assert [rules.rules[position].id for position in anew] == ["sql-0", "sql-1"]
        put(store, item("7", title="another"))
        assert agrees(store, rules, tomorrow)
        put(store, item("8", title="another"))
        assert incremental.asked_anew(rules, tomorrow, incremental.Last(tomorrow.date.toordinal(), 50, {})) == []
        assert agrees(store, rules, tomorrow)


def test_what_is_unknown_is_known_to_be_when_a_threshold_passes_over_it(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    when = 'created_at = "over 3 days ago", sponsor = "missing"'
    file.write_text(f'[[rule]]\nid="r"\nlabel="l"\nsays="so"\nwhen={{ {when} }}\n')
    ruleset, unknown = load([file]), frozenset({"sponsor"})
    with new_store() as store:
        for number in (2, 3):
            put(store, item(str(number), created_at=NOW - timedelta(days=number)))
        agrees(store, ruleset, TODAY)
        put(store, item("3", created_at=NOW - timedelta(days=3), unknown=unknown))
        put(store, item("new", created_at=NOW - timedelta(days=5), unknown=unknown))
        assert agrees(store, ruleset, TODAY)
        assert agrees(store, ruleset, replace(TODAY, now=NOW + timedelta(days=1)))
        assert agrees(store, ruleset, replace(TODAY, now=NOW + timedelta(days=2)))
        assert store.rows("SELECT native_id FROM finding JOIN item ON id = item_id") == [{"native_id": "2"}]


def test_where_nothing_changed_nothing_is_looked_at(rules: RuleSet) -> None:
    with new_store() as store:
        for number in range(20):
            put(store, item(str(number), unknown=frozenset({"sponsor"})))
        agrees(store, rules, TODAY)
        told: list[str] = []
        store.connection.set_trace_callback(told.append)
        findings.link(store, findings.Links(tuple(INHERITING), {}, {}))
        evaluation = findings.evaluate(store, rules, replace(TODAY, now=NOW + timedelta(hours=3)))
        store.connection.set_trace_callback(None)
        assert [sql for sql in told if "item" in sql.replace("item_id", "")] == []
        assert [sql for sql in told if not sql.startswith("SELECT")] == []
        assert evaluation == engine.evaluate(store.connection, rules, TODAY)


def test_a_store_of_an_older_version_goes_on(rules: RuleSet) -> None:
    """Its findings stay, and what was written since them is looked at."""
    with Store(sqlite3.connect(":memory:", isolation_level=None), Path("memory")) as store:
        migrations.apply(store.db, stop_before="m007_findings_by_rule")
        for trigger in store.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            store.connection.execute(f"DROP TRIGGER {trigger['name']}")
        store.connection.execute("DROP TABLE dirty")
        store.connection.execute("CREATE TABLE dirty (item_id INTEGER PRIMARY KEY, was_there INTEGER NOT NULL)")
        put(store, item("1"))
        store.connection.execute("INSERT INTO dirty VALUES (1, 0)")
        store.connection.execute("INSERT INTO finding VALUES (1, 'r', 'l', 'so', 'then')")
        migrations.apply(store.db)
        assert store.connection.execute("SELECT * FROM finding").fetchall() == [(1, "r", "l", "so", "then")]
        assert store.connection.execute("SELECT * FROM dirty").fetchall() == [(1, 0, 1, 1)]
        agrees(store, rules, TODAY)
        put(store, item("1", sponsor="Ann"))
        assert agrees(store, rules, TODAY)


def test_what_stands_around_a_changed_item_follows_it(rules: RuleSet) -> None:
    """A plan of three levels and another one beside it; each rule alone, so that no other touches the same items."""
    around = {"items_below", "finished_below", "underway_days", "sponsor_above"}
    chosen = [rule for rule in rules.rules if rule.id.rpartition("-")[0] in around]
    assert len(chosen) == 10

    def put_all(store: Store, known: dict[str, WorkItem], **changed: WorkItem) -> None:
        """Write what differs, and nothing else."""
        tree = {"top": None, "middle": "top", "leaf": "middle", "other": None}
        for native_id, parent in tree.items():
            above = ItemRef("test", parent) if parent else None
            one = changed.get(native_id, item(native_id))
            one = replace(one, ref=ItemRef("test", native_id), parent_ref=one.parent_ref or above)
            if known.get(native_id) != one:
                put(store, one)
            known[native_id] = one

    changes = (
        {"leaf": item("leaf", status_category=StatusCategory.DONE)},
        {"leaf": item("leaf", started_at=NOW - timedelta(days=2))},
        {"top": item("top", sponsor="Ann")},
        {"top": item("top", sponsor="")},
        {"leaf": item("leaf", parent_ref=ItemRef("test", "other"))},
        {"middle": item("middle", parent_ref=ItemRef("test", "other"))},
    )
    for rule in chosen:
        alone = replace(rules, rules=(rule,))
        with new_store() as store:
            known: dict[str, WorkItem] = {}
            put_all(store, known)
            agrees(store, alone, TODAY)
            for days, change in enumerate(changes):
                put_all(store, known, **change)
                assert agrees(store, alone, replace(TODAY, now=NOW + timedelta(days=days)))
            put_all(store, known, leaf=item("leaf", started_at=NOW))
            for day in range(len(changes), len(changes) + 6):
                assert agrees(store, alone, replace(TODAY, now=NOW + timedelta(days=day)))
            lose(store, "leaf")
            assert agrees(store, alone, replace(TODAY, now=NOW + timedelta(days=day)))


@pytest.mark.parametrize(
    "other",
    [
        replace(TODAY, calendar=Calendar()),
        replace(TODAY, review_days=3),
        replace(TODAY, placeholders=("nope",)),
    ],
)
def test_other_settings_need_a_whole_evaluation(rules: RuleSet, other: engine.Today) -> None:
    with new_store() as store:
        put(store, item("1", sponsor="nope", status_since=NOW - timedelta(days=20)))
        agrees(store, rules, TODAY)
        assert not agrees(store, rules, other)
        assert agrees(store, rules, other)
        assert not agrees(store, replace(rules, rules=rules.rules[1:]), other)


def test_after_a_failure_everything_is_evaluated(rules: RuleSet) -> None:
    broken = Rule("bad", ("x",), Test(Subject("sponsor"), (Missing(),) * 3000), "x", None, "f", 1)
    both = RuleSet((broken, *rules.rules), ())
    with new_store() as store:
        put(store, item("1"))
        store.connection.execute("INSERT INTO finding_kept VALUES (1, 'bad', 'x', 'was so', 0, 'then')")
        for _ in range(2):
            assert [rule for rule, _ in findings.evaluate(store, both, TODAY).failures] == ["bad"]
            assert store.value("SELECT reason FROM finding WHERE rule = 'bad'") == "was so"
            assert findings._last(store, incremental.signature(both, TODAY)) is None


def test_a_run_that_is_killed_before_it_stored_what_it_found_loses_nothing(
    rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_store() as store:
        put(store, item("1"))
        agrees(store, rules, TODAY)
        put(store, item("1", sponsor="Ann", created_at=NOW))
        with monkeypatch.context() as killed:
            killed.setattr(findings, "_remember", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
            with pytest.raises(KeyboardInterrupt):
                findings.evaluate(store, rules, TODAY)
        assert store.value("SELECT count(*) FROM dirty") == 1
        assert agrees(store, rules, TODAY)


def test_much_at_once_is_evaluated_whole(rules: RuleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "_FEW", 2)
    with new_store() as store:
        for number in range(20):
            put(store, item(str(number)))
        agrees(store, rules, TODAY)
        for share, built_on in ((4, True), (5, False)):
            for number in range(share):
                put(store, item(str(number), sponsor=f"{share}"))
            assert agrees(store, rules, TODAY) == built_on
