"""Items that go by different calendars, in one evaluation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from connectors.model import WorkItem
from rules.calendar import Calendar
from rules.clauses import Subject
from rules.compile import Scope, clause_sql
from rules.engine import prepare
from rules.explain import explain
from rules.loader import builtin_files, load
from rules.table import assign_calendars
from rules.words import parse
from tests.rules.items import ITEMS, TODAY, item, store
from tests.rules.reference import Reading
from tests.rules.test_calendar import CALENDARS
from tests.rules.test_language import FAST, OURS, WORDS

BUSINESS = [("business_days_in_status", word) for word in WORDS[Subject("age_days").kind]] + [
    (name, word)
    for name in ("due_at", "status_since")
    for word in WORDS[Subject("due_at").kind]
    if "business" in str(word)
]


@FAST
@given(ITEMS, CALENDARS, CALENDARS)
def test_every_word_of_business_days_goes_by_the_items_own_calendar(
    one: WorkItem, first: Calendar, second: Calendar
) -> None:
    today = replace(TODAY, others=(first, second))
    connection = store([one])
    prepare(connection, today)
    for number, calendar in enumerate(today.calendars):
        connection.execute("UPDATE item SET calendar = ?", (number,))
        reading = Reading(one, replace(TODAY, calendar=calendar), prefix="pmo-", ours=["ours"])
        for name, word in BUSINESS:
            sql = clause_sql(parse(Subject(name), word), Scope(today, OURS))
            got = connection.execute(f"SELECT {sql.text} FROM work_item", sql.values).fetchone()[0]
            assert (None if got is None else bool(got)) is reading.clause(name, word), (number, name, word)


def test_a_project_has_its_calendar_before_its_source_has() -> None:
    connection = store([item("1", project=" Stand  "), item("2", project="stand"), item("3"), item("4", project="x")])
    assign_calendars(connection, {"test": 1, "other": 2}, {("test", "STAND"): 2, ("other", "x"): 3})
    assert connection.execute("SELECT calendar FROM item ORDER BY id").fetchall() == [(2,), (2,), (1,), (1,)]
    before = connection.total_changes
    assign_calendars(connection, {"test": 1}, {("test", "STAND"): 2})
    assert connection.execute("SELECT changes()").fetchone()[0] == 0
    assign_calendars(connection, {}, {})
    assert connection.execute("SELECT calendar FROM item").fetchall() == [(0,)] * 4
    assert connection.total_changes > before


@pytest.mark.parametrize(("number", "name"), [(0, "own"), (1, "six days"), (7, "own")])
def test_explain_names_the_calendar_that_was_counted_by(number: int, name: str) -> None:
    one = item(status="Doing", status_since=TODAY.now)
    today = replace(TODAY, others=(Calendar(frozenset({6}), name="six days"),))
    connection = store([one])
    connection.execute("UPDATE item SET calendar = ?", (number,))
    stuck = next(answer for answer in explain(connection, load(builtin_files()), today, 1) if answer.rule == "stuck")
    assert stuck.clauses[-1].value.startswith("at least 0 ")
    assert f"calendar {name}" in stuck.clauses[-1].value
