"""Runs the tests that stand beside the rules, each on its own frozen clock, and tells differences in one line."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, tzinfo
from functools import cached_property
from typing import Any

from connectors.model import Certainty, ItemRef, StatusCategory, WorkItem
from rules.calendar import Calendar, CalendarTerms
from rules.casecalendar import resolve as resolve_calendar
from rules.columns import COLUMNS, Kind
from rules.described import Finder
from rules.engine import evaluate
from rules.explain import RuleAnswer, explain
from rules.grading import SHIPPED, Grader
from rules.learned import MOST_ITEMS
from rules.ruleset import Came, Case, Moment, On, RuleSet
from rules.table import INITIATIVE, PULLED, TABLES, detail_row, pulled_row, resolve
from rules.text import fold
from rules.today import Today

NOON = time(12)
"""When on its day a test happens that names no time."""

_FINDER = Finder()


@dataclass(frozen=True)
class Terms:
    """What tests are run under: plain weeks unless told otherwise, so that a test says the same in every country."""

    calendar: Calendar = field(default_factory=Calendar)
    zone: tzinfo = UTC
    review_days: int = 92
    placeholders: tuple[str, ...] = SHIPPED
    finder: Finder = _FINDER
    calendars: Mapping[str, CalendarTerms] = field(default_factory=dict)
    """Those that config names, sorted by name: a test may ask for one of them."""
    usual: CalendarTerms = field(default_factory=CalendarTerms)
    """The calendar of items for which config names none; `capture` writes it where it is not plain weeks."""

    @cached_property
    def grader(self) -> Grader:
        """Grades the metrics of the tests' items."""
        return Grader(self.placeholders)

    def today(self, now: date | datetime) -> Today:
        """The frozen clock of a test."""
        return Today(moment_of(now, self.zone), self.zone, self.calendar, self.review_days, self.placeholders)

    def under(self, case: Case) -> Terms:
        """With the calendar that the test asks for. Raises ValueError where there is no such."""
        if case.calendar is None:
            return self
        return replace(self, calendar=resolve_calendar(case.calendar, self.calendars, case.moments[0].now.year))


@dataclass(frozen=True, slots=True)
class TestResult:
    """What became of one test at one of its moments."""

    __test__ = False

    name: str
    """`rule "stuck", test 2`."""
    file: str
    line: int
    expected: frozenset[str]
    got: frozenset[str]
    because: str = ""
    """What the rules found, or why they found nothing; empty where the test passes."""

    @property
    def passed(self) -> bool:
        """Whether the rules put exactly the labels that were expected."""
        return self.expected == self.got and not self.because

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: {self.name}"
        if self.passed:
            return f"{where}: passed"
        return f"{where}: expected {_names(self.expected)}, got {_names(self.got)} ({self.because})"


def _names(labels: frozenset[str]) -> str:
    return ", ".join(sorted(labels)) or "no label"


def run(ruleset: RuleSet, terms: Terms) -> list[TestResult]:
    """Run every test of every rule; each sees its own rule and its own item only."""
    results: list[TestResult] = []
    for rule in ruleset.rules:
        alone = RuleSet((rule,), ruleset.files, ruleset.prefix)
        for number, case in enumerate(rule.tests, 1):
            results += run_case(alone, case, f'rule "{rule.id}", test {number}', rule.file, terms)
    return results


def run_case(ruleset: RuleSet, case: Case, name: str, file: str, terms: Terms) -> list[TestResult]:
    """One test against all rules of the set, at each of its moments; `name` and `file` say where it stands.

    Raises ValueError for a calendar that is not there: the loader refuses it, where it knows the calendars.
    """
    results, terms = list[TestResult](), terms.under(case)
    for number, moment in enumerate(case.moments):
        with item_at(case, moment, terms) as connection:
            got, because = _got(connection, ruleset, moment, terms.today(moment.now))
        when = f", on {moment.now}" if number else ""
        results.append(TestResult(f"{name}{when}", file, moment.line, moment.expect, got, because))
    return results


@contextmanager
def item_at(case: Case, moment: Moment, terms: Terms) -> Iterator[sqlite3.Connection]:
    """The tables in memory, with nothing in them but the test's item as it is at that moment; its id is 1."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.executescript(TABLES)
        for item in items_of(case, terms.today(moment.now)):
            insert(connection, item, terms.zone, terms.grader, terms.finder)
        _insert_past(connection, case, terms.today(moment.now))
        if case.on is On.INITIATIVE:
            _insert_initiative(connection, dict(case.item))
        yield connection
    finally:
        connection.close()


def _got(connection: sqlite3.Connection, ruleset: RuleSet, moment: Moment, today: Today) -> tuple[frozenset[str], str]:
    """The labels that the rules put, and why, where they are not those expected."""
    evaluation = evaluate(connection, ruleset, today)
    got = frozenset(row[0] for row in connection.execute("SELECT label FROM temp.found"))
    if evaluation.failures:
        return got, evaluation.failures[0][1]
    return got, "" if got == moment.expect else _because(connection, ruleset, today, got ^ moment.expect)


def _because(connection: sqlite3.Connection, ruleset: RuleSet, today: Today, labels: frozenset[str]) -> str:
    """What the rules say that these labels come from, or should have come from."""
    concerned = tuple(rule for rule in ruleset.rules if labels & set(rule.labels))
    answers = explain(connection, RuleSet(concerned, ruleset.files, ruleset.prefix), today, 1)
    if len(ruleset.rules) == 1:
        return "; ".join(map(_reason, answers))
    return "; ".join(f"{answer.rule}: {_reason(answer)}" for answer in answers)


def _reason(answer: RuleAnswer) -> str:
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


_ENOUGH = MOST_ITEMS
"""Finished items of a past of which a test does not say how many there were."""


def _insert_past(connection: sqlite3.Connection, case: Case, today: Today) -> None:
    """What the test says of its team's past, for the item's kind as it is on that day."""
    month, items = today.date.replace(day=1).isoformat(), case.learned_items
    for percent, days in case.learned:
        connection.execute("INSERT INTO learned_month (month, percent) VALUES (?, ?)", (month, percent))
        connection.execute(
            "INSERT INTO learned SELECT ?, ?, source, collection, ifnull(type, ''), ifnull(status, ''), ?, ? "
            "FROM item WHERE id = 1",
            (month, percent, days, _ENOUGH if items is None else items),
        )


def _insert_initiative(connection: sqlite3.Connection, given: dict[str, object]) -> None:
    """What an initiative has beside its row; it is the first item."""
    said = [str(given.get(name, "")) for name in ("disagree_on", "disagreement")]
    connection.execute(
        "INSERT INTO initiative_detail (item_id, head_id, members, finished, disagree_on, disagreement, came) "
        "VALUES (1, 1, ?, ?, ?, ?, '{}')",
        (_number(given.get("items_below")), _number(given.get("finished_below")), *said),
    )


AROUND = ("items_below", "finished_below", "sponsor_above", "disagree_on", "disagreement")
"""What a test says of an item in place of showing the items above and below it."""


def items_of(case: Case, today: Today) -> list[WorkItem]:
    """The item of a test, and after it those that its `AROUND` stands for."""
    item, given = item_of(case, today), dict(case.item)
    if case.on is On.INITIATIVE:
        return [item]
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


def item_of(case: Case, today: Today) -> WorkItem:
    """The work item of a test on a day. What it does not name is empty, except for what an item cannot be without."""
    given = {**dict(case.item), **_from_history(case.history, today.date)}
    values: dict[str, object] = {"key": "TEST-1", "title": "a test", "collection": "tests"}
    values["status_since_is"] = Certainty.EXACT
    for name, value in given.items():
        if name in AROUND:
            continue
        values[name] = _as_field(name, value, today.zone)
    values["unknown"] = frozenset(_strings(given.get("unknown", [])))
    return WorkItem(ref=ItemRef(INITIATIVE if case.on is On.INITIATIVE else "test", "1"), **values)  # type: ignore[arg-type]  # checked by rules.reader


def _from_history(history: tuple[Came, ...], day: date) -> dict[str, object]:
    """The status of the last line that is not after the day."""
    so_far = [came for came in history if came.on <= day]
    if not so_far:
        return {}
    came = so_far[-1]
    category = {"status_category": came.status_category} if came.status_category else {}
    return {"status": came.status, "status_since": came.on, **category}


def _strings(value: object) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else []


def _as_field(name: str, value: object, zone: tzinfo) -> object:
    """A value from TOML as the field of a work item has it."""
    kind = COLUMNS[name].kind if name in COLUMNS else None
    if isinstance(value, date):
        return moment_of(value, zone)
    if kind is Kind.CATEGORY:
        return StatusCategory(fold(str(value)).replace(" ", "_"))
    if kind in (Kind.PEOPLE, Kind.LABELS):
        return tuple(_strings(value))
    if name == "status_since_is":
        return Certainty(fold(str(value)).replace(" ", "_"))
    return value


def moment_of(day: date | datetime, zone: tzinfo) -> datetime:
    """A day, or a time that may lack its zone, as a time in the zone."""
    if not isinstance(day, datetime):
        return datetime.combine(day, NOON, zone)
    return day if day.tzinfo else day.replace(tzinfo=zone)
