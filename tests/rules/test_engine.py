"""Whole evaluations: findings, reasons, counts, and rules that fail alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from connectors.model import Certainty, StatusCategory, WorkItem
from rules.calendar import Calendar
from rules.clauses import Group, Joint, Missing, Placeholder, Subject, Test
from rules.engine import RuleCount, evaluate
from rules.explain import explain
from rules.loader import builtin_files, load
from rules.ruleset import Rule, RuleSet
from rules.selftest import Terms, run
from rules.table import resolve
from tests.rules.items import BERLIN, ITEMS, NOW, TODAY, item, store
from tests.rules.test_language import FAST

LADDER = """
[[rule]]
id = "stuck"
says = '{status} for {business_days_in_status} business days, since {status_since}: {assignees}, {sponsor}, {fields.CC}'
[rule.when]
status_category = "in progress"
[rule.ladder]
measure = "days_in_status"
steps = [ { over = 10, label = "a" }, { over = 20, label = "b" } ]
[[rule.ladder.override]]
when = { sponsor = "Ann" }
steps = [ { over = 30, label = "b" } ]
[[rule.ladder.override]]
when = { status = "In Review" }
steps = [ { over = 1, label = "c" } ]
"""


INHERITED = """
[[rule]]
id = "inherited"
label = "inherited"
says = "{outcome_metric} from {outcome_from}"
when = { outcome_category = "Grow", outcome_from = "present" }
"""


def ruleset_of(folder: Path, text: str) -> RuleSet:
    file = folder / "rules.toml"
    file.write_text(text)
    return load([file])


def findings(ruleset: RuleSet, *items: WorkItem) -> list[tuple[Any, ...]]:
    connection = store(items)
    assert evaluate(connection, ruleset, TODAY).failures == ()
    found = connection.execute(
        "SELECT key, rule, label, reason FROM temp.found JOIN item ON id = item_id ORDER BY 1, 2"
    )
    return found.fetchall()


def ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


def stuck(days: int, **values: Any) -> WorkItem:
    return item(status_category=StatusCategory.IN_PROGRESS, status_since=ago(days), **{"status": "Doing"} | values)


@pytest.mark.parametrize(
    ("one", "label"),
    [
        (stuck(10), None),
        (stuck(11), "a"),
        (stuck(20), "a"),
        (stuck(21), "b"),
        (stuck(400), "b"),
        (stuck(30, sponsor="ann"), None),
        (stuck(31, sponsor="Ann"), "b"),
        (stuck(2, status="in review"), "c"),
        (stuck(2, status="In Review", sponsor="Ann"), None),
        (stuck(50, unknown=frozenset({"sponsor"})), None),
        (stuck(50, unknown=frozenset({"status_since"})), None),
        (stuck(50, sponsor="Ann", unknown=frozenset({"status"})), "b"),
    ],
)
def test_a_ladder_puts_the_highest_step_and_the_first_override_wins(
    tmp_path: Path, one: WorkItem, label: str | None
) -> None:
    assert [row[2] for row in findings(ruleset_of(tmp_path, LADDER), one)] == ([label] if label else [])


def test_the_reason_shows_what_is_there_and_what_is_not_known_for_sure(tmp_path: Path) -> None:
    one = stuck(15, assignees=("Zoë", "Bob"), fields={"CC": "4711"})
    text = "Doing for at least 10 business days, since 5 Mar 2026 or earlier: Zoë, Bob, nothing, 4711"
    assert findings(ruleset_of(tmp_path, LADDER), one)[0][3] == text
    exact = stuck(15, status_since_is=Certainty.EXACT)
    text = "Doing for 10 business days, since 5 Mar 2026: nothing, nothing, unknown"
    assert findings(ruleset_of(tmp_path, LADDER), exact)[0][3] == text


def test_items_that_are_missing_are_not_looked_at(tmp_path: Path) -> None:
    connection = store([stuck(50)])
    connection.execute("UPDATE item SET missing_since = '2026-03-01T00:00:00Z'")
    assert evaluate(connection, ruleset_of(tmp_path, LADDER), TODAY).counts == (RuleCount("stuck", 0, 0, 0),)


def test_what_a_tool_cannot_answer_is_counted(tmp_path: Path) -> None:
    vague = item("2", status_since=ago(50), unknown=frozenset({"status_category"}))
    items = [stuck(50), vague, item("3", unknown=frozenset({"owner"}))]
    connection = store(items)
    assert evaluate(connection, ruleset_of(tmp_path, LADDER), TODAY).counts == (RuleCount("stuck", 1, 3, 1),)


def test_an_inherited_outcome_is_judged_by_what_its_giver_knows(tmp_path: Path) -> None:
    parent = item("p", outcome_metric="Churn -2 points", outcome_category="grow")
    child = item("c", parent_ref=parent.ref, unknown=frozenset({"outcome_category"}))
    connection = store([parent, child])
    resolve(connection, ["test"])
    evaluate(connection, ruleset_of(tmp_path, INHERITED), TODAY)
    assert connection.execute("SELECT reason FROM temp.found").fetchall() == [("Churn -2 points from T-p",)]


def test_a_rule_that_fails_fails_alone(tmp_path: Path) -> None:
    good = ruleset_of(tmp_path, LADDER).rules[0]
    broken = Test(Subject("sponsor"), (Missing(),) * 3000)
    bad = Rule("bad", ("x",), Group(Joint.ALL, (broken,)), "x", None, "f", 1)
    connection = store([stuck(50)])
    evaluation = evaluate(connection, RuleSet((bad, good), ()), TODAY)
    assert [count.rule for count in evaluation.counts] == ["stuck"]
    assert [rule for rule, _ in evaluation.failures] == ["bad"]
    assert "could not be evaluated" in evaluation.failures[0][1]
    assert connection.execute("SELECT rule FROM temp.found").fetchall() == [("stuck",)]


def test_evaluating_again_on_another_day_starts_anew(tmp_path: Path) -> None:
    ruleset, connection = ruleset_of(tmp_path, LADDER), store([stuck(10)])
    assert evaluate(connection, ruleset, TODAY).counts[0].matched == 0
    later = type(TODAY)(NOW + timedelta(days=1), BERLIN, Calendar())
    for _ in range(2):
        evaluate(connection, ruleset, later)
        assert connection.execute("SELECT label FROM temp.found").fetchall() == [("a",)]


def test_the_local_day_decides(tmp_path: Path) -> None:
    ruleset, connection = ruleset_of(tmp_path, LADDER), store([stuck(10)])
    midnight = datetime(2026, 3, 20, 22, 59, tzinfo=UTC)
    for now, matched in ((midnight, 0), (midnight + timedelta(minutes=1), 1)):
        assert evaluate(connection, ruleset, type(TODAY)(now, BERLIN, Calendar())).counts[0].matched == matched


SHIPPED = load(builtin_files(), prefix="pmo-")


def test_every_shipped_rule_passes_its_tests_and_has_both_kinds() -> None:
    failed = [str(result) for result in run(SHIPPED, Terms(zone=BERLIN)) if not result.passed]
    assert failed == []
    for rule in SHIPPED.rules:
        expected = [case.moments[0].expect for case in rule.tests]
        assert frozenset() in expected
        assert frozenset().union(*expected) == set(rule.labels), rule.id


@FAST
@given(ITEMS)
def test_no_item_gets_two_labels_on_its_metric_and_finished_work_gets_none(one: WorkItem) -> None:
    labels = [row[2] for row in findings(SHIPPED, one)]
    assert len([label for label in labels if "outcome" in label and label != "pmo-outcome-no-category"]) <= 1
    if one.status_category is StatusCategory.DONE or "status_category" in one.unknown:
        assert labels == []


@FAST
@given(ITEMS)
def test_explain_agrees_with_the_evaluation(one: WorkItem) -> None:
    connection = store([one])
    evaluate(connection, SHIPPED, TODAY)
    found = dict(connection.execute("SELECT rule, label FROM temp.found").fetchall())
    for answer in explain(connection, SHIPPED, TODAY, 1):
        assert answer.label == found.get(answer.rule)
        assert answer.matched == (not any(clause.blocks for clause in answer.clauses))


def test_a_placeholder_in_a_column_beyond_ascii(tmp_path: Path) -> None:
    assert Placeholder() in load([_sponsor(tmp_path)]).rules[0].when.words  # type: ignore[union-attr]
    found = findings(
        load([_sponsor(tmp_path)]), item("1", sponsor="À définir…"), item("2", sponsor="Zoë"), item("3", sponsor="tbd")
    )
    assert [row[0] for row in found] == ["T-1", "T-3"]


def _sponsor(folder: Path) -> Path:
    file = folder / "sponsor.toml"
    file.write_text('[[rule]]\nid = "s"\nlabel = "s"\nsays = "s"\nwhen = { sponsor = "placeholder" }\n')
    return file
