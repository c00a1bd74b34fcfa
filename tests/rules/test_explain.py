"""Explain: every clause with what it saw, the day on which it will match, and the way out."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.model import Certainty, StatusCategory, WorkItem
from rules.engine import evaluate
from rules.explain import Answer, RuleAnswer, as_json, as_text, explain
from rules.loader import builtin_files, load
from rules.today import Today
from tests.rules.items import BERLIN, CALENDAR, NOW, TODAY, item, store
from tests.rules.test_language import FAST

SHIPPED = load(builtin_files(), prefix="pmo-")
SINCE = datetime(2026, 2, 18, 9, tzinfo=UTC)


def answer(one: WorkItem, rule: str) -> RuleAnswer:
    return next(found for found in explain(store([one]), SHIPPED, TODAY, 1) if found.rule == rule)


def in_progress(since: datetime, **values: Any) -> WorkItem:
    given = {"status": "Doing", "status_since_is": Certainty.EXACT, "status_since": since} | values
    return item("1", status_category=StatusCategory.IN_PROGRESS, **given)


def test_a_match_in_full() -> None:
    text = as_text("APP-3", [answer(in_progress(SINCE, type="Task"), "stuck")])
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0].startswith("APP-3 pmo-stuck-20d rule stuck, ")
    assert lines[0].endswith(" builtin/stuck.toml:8")
    assert lines[1:] == [
        "yes status_category is in progress in progress (since 18 Feb 2026)",
        "yes none of 2 conditions",
        "NO type is one of summary, subproject, recurring, Epic, Initiative, Theme Task",
        "NO status is one of Blocked, On hold, Waiting, Impeded Doing (since 18 Feb 2026)",
        "yes over 20 business days in status 21 (since 18 Feb 2026, calendar own)",
        "clears when the status leaves in progress or the status changes · next step pmo-stuck-40d on 17 Apr 2026",
    ]


def test_a_rule_that_only_waits_names_its_day() -> None:
    found = answer(in_progress(datetime(2026, 3, 12, 9, tzinfo=UTC)), "stuck")
    assert (found.matched, found.label, found.matches_on) == (False, None, date(2026, 3, 27))
    assert found.clauses[-1].answer is Answer.NO
    assert "will match on 27 Mar 2026" in as_text("T-1", [found])


def test_a_rule_that_waits_for_more_than_time_names_no_day() -> None:
    found = answer(in_progress(SINCE, due_at=None), "overdue")
    assert found.matches_on is None
    assert [clause.answer for clause in found.clauses if clause.blocks] == [Answer.NOT_APPLICABLE]


def test_what_the_tool_cannot_answer_is_unknown() -> None:
    found = answer(in_progress(SINCE, unknown=frozenset({"percent_complete"})), "untouched")
    assert [clause.value for clause in found.clauses if clause.answer is Answer.UNKNOWN] == ["unknown"]


def test_json_is_plain() -> None:
    found = json.loads(json.dumps(as_json([answer(in_progress(SINCE), "stuck")])))[0]
    assert found["label"] == "pmo-stuck-20d"
    assert found["next_step"] == {"label": "pmo-stuck-40d", "on": "2026-04-17"}
    assert set(found["clauses"][0]) == {"answer", "text", "value", "depth", "matches_on"}


def test_an_item_that_is_not_there_is_a_lookup_error() -> None:
    with pytest.raises(LookupError):
        explain(store([item()]), SHIPPED, TODAY, 2)


TIMED = """
[[rule]]
id = "r"
label = "l"
says = "s"
[rule.when]
due_at = "past"
created_at = "over 5 days ago"
status_since = "at least 4 business days ago"
[[rule]]
id = "flips"
label = "l"
says = "s"
[rule.when]
due_at = "past"
created_at = "under 5 days ago"
"""
DAYS = st.integers(-20, 20).map(lambda days: NOW + timedelta(days=days))


@FAST
@given(DAYS, DAYS, DAYS)
def test_the_day_is_the_first_on_which_the_evaluation_agrees(
    tmp_path_factory: pytest.TempPathFactory, due: datetime, created: datetime, since: datetime
) -> None:
    file: Path = tmp_path_factory.getbasetemp() / "timed.toml"
    file.write_text(TIMED)
    ruleset = load([file])
    connection = store([item(due_at=due, created_at=created, status_since=since)])
    first, flips = explain(connection, ruleset, TODAY, 1)
    assume(not first.matched)

    def matches(rule: int, day: date) -> bool:
        today = Today(datetime(day.year, day.month, day.day, 12, tzinfo=BERLIN), BERLIN, CALENDAR)
        return bool(evaluate(connection, ruleset, today).counts[rule].matched)

    assert first.matches_on is not None
    assert matches(0, first.matches_on)
    assert not matches(0, first.matches_on - timedelta(days=1))
    assert flips.matches_on is None or matches(1, flips.matches_on)


def test_no_day_is_named_where_time_will_also_end_what_holds_today(tmp_path: Path) -> None:
    file = tmp_path / "timed.toml"
    file.write_text(TIMED)
    one = item(due_at=NOW + timedelta(days=10), created_at=NOW)
    flips = explain(store([one]), load([file]), TODAY, 1)[1]
    assert [clause.matches_on for clause in flips.clauses] == [date(2026, 3, 31), None]
    assert flips.matches_on is None
