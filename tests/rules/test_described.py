"""Metrics that stand in a description."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.model import WorkItem
from rules.described import LONGEST, SHIPPED, Finder
from rules.explain import explain
from rules.loader import builtin_files, load
from tests.rules.items import ITEMS, TODAY, item, store

FOUND = [
    ("Outcome: churn down 2 points", "churn down 2 points"),
    ("We do this.\n\n  success METRIC : 5 % more orders  \nmore", "5 % more orders"),
    ("**Business outcome:** fewer returns", "fewer returns"),
    ("*Outcome*: fewer returns", "fewer returns"),
    ("- KPI = 12 %", "12 %"),
    ("2. Outcome – 12 %", "12 %"),
    ("## Outcome\n\nChurn down\n2 points\n\nNot this", "Churn down 2 points"),
    ("h2. Success metric\n* 5 % more orders", "5 % more orders"),
    ("Outcome\nChurn down", "Churn down"),
    ("Outcome:\r\nChurn down", "Churn down"),
    ("Outcome:\n## Scope\nall", None),
    ("Outcome:\nScope:\nall", None),
    ("Outcome:\n\nKPI: 3 %", "3 %"),
    ("Outcome: TBD", "TBD"),
    ("The outcome: nobody knows", None),
    ("Outcomes of the meeting: none", None),
    ("Outcome", None),
    ("kpis of the team were discussed", None),
    ("", None),
    (None, None),
]


@pytest.mark.parametrize(("description", "metric"), FOUND)
def test_a_metric_is_found_where_it_is_labelled(description: str | None, metric: str | None) -> None:
    assert Finder().find(description) == metric


def test_labels_of_ones_own_are_found_as_they_stand() -> None:
    finder = Finder((*SHIPPED, "What we gain (€)"))
    assert finder.find("what we  gain (€): 5 %") == "5 %"
    assert finder.find("What we gain €: 5 %") is None
    assert finder.sha != Finder().sha
    assert Finder(reversed(SHIPPED)).sha == Finder().sha


@given(st.text("Outcome: *#\nab.", max_size=60), st.text(max_size=30))
def test_what_is_found_is_one_line_that_stands_there(start: str, end: str) -> None:
    found = Finder().find(f"{start}\nOutcome: {end}")
    assert found is None or (found == found.strip() and 0 < len(found) <= LONGEST)


@given(ITEMS)
def test_a_metric_that_is_there_is_never_replaced(one: WorkItem) -> None:
    filled, described = Finder(("a",)).fill(one)
    assert described == (filled != one)
    if (one.outcome_metric or "").strip() or "description" in one.unknown:
        assert not described


def test_the_grade_and_explain_say_where_it_was_found() -> None:
    here = item("1", description="Outcome: happier people", unknown=frozenset({"outcome_metric"}))
    elsewhere = item("2", outcome_metric="happier people", description="Outcome: none")
    connection = store([here, elsewhere])
    for number, note in ((1, ' "happier people" (found in the description)'), (2, ' "happier people"')):
        rules = {rule.rule: rule for rule in explain(connection, load(builtin_files()), TODAY, number)}
        values = [clause.value for clause in rules["outcome-vague"].clauses]
        assert f"vague:{note}" in values
