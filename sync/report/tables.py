"""The report as plain tables: what JSON, CSV, XLSX and Markdown are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter

from rules.columns import GRADES
from sync.durations import spoken
from sync.report.model import BANDS, PERCENTILES, Group, Report, Row, SourceAge

Cell = str | int | float | date | tuple[str, ...] | None
Plain = str | int | float | date | None
"""A cell where one cell is one value."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `name` is its key in JSON and its sheet in a workbook."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]

    def as_dicts(self) -> Iterator[dict[str, object]]:
        """Rows by column, as JSON has them: days are ISO 8601."""
        for row in self.rows:
            yield dict(zip(self.columns, map(_in_json, row), strict=True))

    def flat(self) -> Iterator[list[Plain]]:
        """Rows in which several texts in one cell are one."""
        for row in self.rows:
            yield ["; ".join(cell) if isinstance(cell, tuple) else cell for cell in row]


def _in_json(cell: Cell) -> object:
    return cell.isoformat() if isinstance(cell, date) else cell


def tables(report: Report) -> list[Table]:
    """All of them, in the order in which people ask."""
    groups = [("all", report.all), *((by, group) for by, found in report.groups.items() for group in found)]
    return [
        summary(report),
        Table("sources", "How old the data is", _SOURCE, [_source(each) for each in report.sources]),
        Table("outcomes", "Open items, and the outcome that they serve", _GROUP, [_group(*each) for each in groups]),
        aging(report),
        Table("stuck", "Stuck, the longest first", ITEM, [_item(row) for row in report.stuck]),
        _fields("unstuck", "Not stuck any more", ("source", "key", "title", "now", "url"), report.unstuck),
        weeks(report),
        outcomes_by_week(report),
        rules_by_week(report),
        _fields("rules", "What each rule found", _RULE, report.rules),
        _fields("vetoes", "Labels that people took off", _VETO, report.vetoes),
        _fields("exemptions", "Exemptions in files", _EXEMPTION, report.exemptions),
        items(report),
    ]


def _fields(name: str, title: str, columns: tuple[str, ...], things: Iterable[object]) -> Table:
    """A table of things that have a field for each column."""
    return Table(name, title, columns, [attrgetter(*columns)(thing) for thing in things])


_RULE = ("rule", "says", "findings", "unknown", "vetoes", "paused")
_VETO = ("source", "key", "title", "label", "rule", "cause", "noticed", "until", "url")
_EXEMPTION = ("about", "reason", "approver", "until", "place")


def summary(report: Report) -> Table:
    """The numbers at the top."""
    rows: list[tuple[str, Cell]] = [
        ("made_at", report.made_at.isoformat(timespec="minutes")),
        ("items", report.items),
        ("open", report.all.open),
        *((f"outcome_{band}", report.all.bands[band]) for band in BANDS),
        ("stuck", len(report.stuck)),
        ("unstuck", len(report.unstuck)),
        ("compared_with", report.compared_with),
        ("findings", report.findings),
        ("vetoes", len(report.vetoes)),
        ("exempt_by_label", report.exempt_items),
        ("exempt_by_file", len(report.exemptions)),
    ]
    return Table("summary", "In short", ("what", "value"), rows)


ITEM = (
    "source", "key", "title", "project", "owner", "status", "status_category", "status_since", "status_since_is",
    "business_days_in_status", "due_at", "outcome_grade", "labels", "reasons", "url",
)  # fmt: skip


def items(report: Report) -> Table:
    """Every item that is open, or that a rule found."""
    return Table("items", "Items that are open, or that a rule found", ITEM, [_item(row) for row in report.rows])


def _item(row: Row) -> tuple[Cell, ...]:
    certainty = ("at_least" if row.at_least else "exact") if row.since else None
    labels = tuple(dict.fromkeys(found.label for found in row.found))
    reasons = tuple(dict.fromkeys(found.reason for found in row.found))
    return (
        row.source, row.key, row.title, row.project, row.owner, row.status, row.category, row.since, certainty,
        row.business_days, row.due, row.grade, labels, reasons, row.url,
    )  # fmt: skip


_SOURCE = ("source", "system", "items", "as_of", "age", "warnings")


def _source(source: SourceAge) -> tuple[Cell, ...]:
    return (source.source, source.system, source.items, _time(source.as_of), age(source), source.warnings)


def age(source: SourceAge) -> str | None:
    """How old its data is, for people."""
    return None if source.age is None else spoken(source.age.total_seconds())


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z") if at else None


_GRADE_COLUMNS = tuple(f"grade_{grade}" for grade in GRADES)
_GROUP = ("by", "name", "open", *BANDS, "stuck", "findings", *_GRADE_COLUMNS)


def _group(by: str, group: Group) -> tuple[Cell, ...]:
    bands, grades = (group.bands[band] for band in BANDS), (group.grades[grade] for grade in GRADES)
    return (by, group.name, group.open, *bands, group.stuck, group.findings, *grades)


def aging(report: Report) -> Table:
    """Of each status, how many items are in progress in it, and how old they are."""
    columns = (
        "status",
        "items",
        *(f"days_{each}" for each in PERCENTILES),
        "oldest",
        f"over_{PERCENTILES[1]}",
        "learned",
    )
    rows: list[tuple[Cell, ...]] = [
        (one.status, len(one.ages), *one.lines.values(), one.ages[-1], one.over, ", ".join(map(str, one.usual)) or None)
        for one in report.aging.columns
    ]
    return Table("aging", "Age of what is in progress, in days", columns, rows)


def weeks(report: Report) -> Table:
    """What was begun, finished and found, by week."""
    columns = ("monday", "begun", "finished", "findings")
    return _fields("weeks", "By week, from Monday", columns, report.weeks)


def outcomes_by_week(report: Report) -> Table:
    """How many open items had each grade in the last report of each week of which that is known."""
    rows: list[tuple[Cell, ...]] = [
        (week.monday, *(week.bands[band] for band in BANDS), *(week.grades.get(grade, 0) for grade in GRADES))
        for week in report.weeks
        if week.grades
    ]
    columns = ("monday", *BANDS, *_GRADE_COLUMNS)
    return Table("outcomes_by_week", "Open items by the grade of their outcome, by week", columns, rows)


def rules_by_week(report: Report) -> Table:
    """How many items each rule found, at the end of each week of which that is known."""
    rows = [(week.monday, rule, found) for week in report.weeks for rule, found in week.rules.items()]
    return Table("rules_by_week", "What each rule found, by week", ("monday", "rule", "findings"), rows)
