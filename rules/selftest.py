"""Runs the tests that stand beside the rules, each on its own frozen clock, and tells differences in one line."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import date, datetime, time, tzinfo
from typing import Any

from connectors.model import Certainty, ItemRef, StatusCategory, WorkItem
from rules.calendar import Calendar
from rules.columns import COLUMNS, Kind
from rules.described import Finder
from rules.engine import evaluate
from rules.explain import explain
from rules.grading import SHIPPED, Grader
from rules.ruleset import Case, RuleSet
from rules.table import PULLED, TABLES, detail_row, pulled_row, resolve
from rules.text import fold
from rules.today import Today

NOON = time(12)
"""When on its day a test happens that names no time."""

_FINDER = Finder()


@dataclass(frozen=True, slots=True)
class TestResult:
    """What became of one `[[rule.test]]`."""

    __test__ = False

    rule: str
    number: int
    """Counted from 1 within the rule."""
    file: str
    line: int
    expected: frozenset[str]
    got: frozenset[str]
    because: str = ""
    """What the rule found, or why it found nothing; empty where the test passes."""

    @property
    def passed(self) -> bool:
        """Whether the rule put exactly the labels that were expected."""
        return self.expected == self.got and not self.because

    def __str__(self) -> str:
        where = f'{self.file}:{self.line}: rule "{self.rule}", test {self.number}'
        if self.passed:
            return f"{where}: passed"
        return f"{where}: expected {_names(self.expected)}, got {_names(self.got)} ({self.because})"


def _names(labels: frozenset[str]) -> str:
    return ", ".join(sorted(labels)) or "no label"


def run(
    ruleset: RuleSet,
    calendar: Calendar,
    zone: tzinfo,
    review_days: int = 92,
    placeholders: tuple[str, ...] = SHIPPED,
    finder: Finder = _FINDER,
) -> list[TestResult]:
    """Run every test of every rule; each sees its own rule and its own item only."""
    grader, results = Grader(placeholders), list[TestResult]()
    for rule in ruleset.rules:
        alone = RuleSet((rule,), ruleset.files, ruleset.prefix)
        for number, case in enumerate(rule.tests, 1):
            today = Today(_moment(case.now, zone), zone, calendar, review_days, placeholders)
            results.append(_run_one(alone, case, number, today, grader, finder))
    return results


def _run_one(alone: RuleSet, case: Case, number: int, today: Today, grader: Grader, finder: Finder) -> TestResult:
    rule = alone.rules[0]
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.executescript(TABLES)
        for item in items_of(case, today.zone):
            insert(connection, item, today.zone, grader, finder)
        evaluation = evaluate(connection, alone, today)
        got = frozenset(row[0] for row in connection.execute("SELECT label FROM temp.found WHERE item_id = 1"))
        because = evaluation.failures[0][1] if evaluation.failures else ""
        if got != case.expect and not because:
            because = _because(connection, alone, today)
        return TestResult(rule.id, number, rule.file, case.line, case.expect, got, because)
    finally:
        connection.close()


def _because(connection: sqlite3.Connection, alone: RuleSet, today: Today) -> str:
    answer = explain(connection, alone, today, 1)[0]
    if answer.matched:
        return answer.reason
    blocking = (clause for clause in answer.clauses if clause.blocks)
    return "; ".join(f"{clause.answer}: {clause.text}, seeing {clause.value}" for clause in blocking)


def insert(
    connection: sqlite3.Connection, item: WorkItem, zone: tzinfo, grader: Grader, finder: Finder = _FINDER
) -> None:
    """Put one item into empty tables."""
    item, described = finder.fill(item)
    marks = ", ".join("?" for _ in PULLED)
    connection.execute(
        f"INSERT INTO item ({', '.join(PULLED)}, first_seen) VALUES ({marks}, '')",
        pulled_row(item, zone, grader, described=described),
    )
    connection.execute(
        "INSERT INTO item_detail (item_id, description, fields) VALUES (last_insert_rowid(), ?, ?)", detail_row(item)
    )
    resolve(connection, ())


AROUND = ("items_below", "finished_below", "sponsor_above")
"""What a test says of an item in place of showing the items above and below it."""


def items_of(case: Case, zone: tzinfo) -> list[WorkItem]:
    """The item of a test, and after it those that its `AROUND` stands for."""
    item, given = item_of(case, zone), dict(case.item)
    around: list[WorkItem] = []
    if given.get("sponsor_above"):
        above = _beside("above", sponsor=str(given["sponsor_above"]))
        item = replace(item, parent_ref=above.ref)
        around.append(above)
    finished = _number(given.get("finished_below"))
    for number in range(max(finished, _number(given.get("items_below")))):
        category = StatusCategory.DONE if number < finished else StatusCategory.TODO
        around.append(_beside(f"below-{number}", parent_ref=item.ref, status_category=category))
    return [item, *around]


def _number(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _beside(native_id: str, **values: Any) -> WorkItem:
    return WorkItem(ItemRef("test", native_id), native_id, native_id, "tests", **values)


def item_of(case: Case, zone: tzinfo) -> WorkItem:
    """The work item of a test. What it does not name is empty, except for what an item cannot be without."""
    given = dict(case.item)
    values: dict[str, object] = {"key": "TEST-1", "title": "a test", "collection": "tests"}
    values["status_since_is"] = Certainty.EXACT
    for name, value in given.items():
        if name in AROUND:
            continue
        values[name] = _as_field(name, value, zone)
    values["unknown"] = frozenset(_strings(given.get("unknown", [])))
    return WorkItem(ref=ItemRef("test", "1"), **values)  # type: ignore[arg-type]  # checked by rules.reader


def _strings(value: object) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else []


def _as_field(name: str, value: object, zone: tzinfo) -> object:
    """A value from TOML as the field of a work item has it."""
    kind = COLUMNS[name].kind if name in COLUMNS else None
    if isinstance(value, date):
        return _moment(value, zone)
    if kind is Kind.CATEGORY:
        return StatusCategory(fold(str(value)).replace(" ", "_"))
    if kind in (Kind.PEOPLE, Kind.LABELS):
        return tuple(_strings(value))
    if name == "status_since_is":
        return Certainty(fold(str(value)).replace(" ", "_"))
    return value


def _moment(day: date | datetime, zone: tzinfo) -> datetime:
    """A day, or a time that may lack its zone, as a time in the zone."""
    if not isinstance(day, datetime):
        return datetime.combine(day, NOON, zone)
    return day if day.tzinfo else day.replace(tzinfo=zone)
