"""Writes a `[[rule.test]]` from an item of the store: what the rule sees of it today, and the labels it then gets."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from rules.calendar import WEEKDAYS, WEEKEND, CalendarTerms
from rules.casecalendar import KEYS as CALENDAR_KEYS
from rules.columns import ANSWERABLE, COLUMNS, Kind, unknown_bit
from rules.compile import Scope, counts_business_days, known_sql, subjects_of
from rules.learned import learned_in
from rules.reader import DERIVED_FROM, UNTESTABLE
from rules.ruleset import Case, Moment, Rule, RuleSet
from rules.selftest import Terms, run_case
from rules.text import fold

_PERCENTILE = re.compile(r"p\d+")
_GRADED_BY = ("outcome_metric", "outcome_baseline", "outcome_target", "outcome_reviewed_at")


class CaptureError(Exception):
    """The rule asks what a test cannot hold: the message is a sentence."""


def capture(
    connection: sqlite3.Connection, ruleset: RuleSet, rule: Rule, item_id: int, day: date, terms: Terms
) -> Case:
    """The test of a rule that an item of the view `work_item` (as of `day`) makes; it passes under `terms`.

    Raises CaptureError where the rule asks about a column that the item of a test cannot have.
    """
    subjects = subjects_of(rule)
    wrong = sorted(subject.name for subject in subjects if not subject.custom and subject.name in UNTESTABLE)
    if wrong:
        raise CaptureError(f'rule "{rule.id}" asks about {wrong[0]}, which the item of a test cannot have')
    row = _row(connection, item_id)
    names = {name for subject in subjects if not subject.custom for name in _basis(subject.name)}
    custom = {subject.name for subject in subjects if subject.custom}
    item = dict(_values(row, names, ruleset)) | _custom(row, custom)
    bare = Case(tuple(sorted(item.items())), (Moment(day, frozenset(), rule.line),))
    alone = RuleSet((rule,), ruleset.files, ruleset.prefix)
    past, items = _past(connection, rule, item_id, Scope(terms.today(day), ruleset))
    bare = replace(bare, calendar=_calendar(rule, row, terms), learned=past, learned_items=items)
    got = run_case(alone, bare, rule.id, rule.file, terms)[0].got
    return replace(bare, moments=(Moment(day, got, rule.line),))


def _calendar(rule: Rule, row: Mapping[str, Any], terms: Terms) -> str | CalendarTerms | None:
    """The item's calendar, where the rule counts business days and they are not those of plain weeks."""
    if not counts_business_days(rule):
        return None
    named = [*terms.calendars]
    if 0 < row["calendar"] <= len(named):
        return str(named[row["calendar"] - 1])
    plain = CalendarTerms(weekend=terms.usual.weekend)
    return None if terms.usual == plain else terms.usual


def _past(
    connection: sqlite3.Connection, rule: Rule, item_id: int, scope: Scope
) -> tuple[tuple[tuple[int, int], ...], int | None]:
    """What is known of the percentiles that the rule asks for, for items of the item's kind."""
    past, items = dict[int, int](), None
    for learned in learned_in(rule):
        known = known_sql("days || ' ' || items", learned, scope)
        query = f"SELECT {known.text} FROM temp.work_item WHERE id = ?"
        [told] = connection.execute(query, (*known.values, item_id)).fetchone()
        if told:
            past[learned.percent], items = map(int, told.split())
    return tuple(sorted(past.items())), items


def _row(connection: sqlite3.Connection, item_id: int) -> dict[str, Any]:
    cursor = connection.execute("SELECT * FROM work_item WHERE id = ?", (item_id,))
    return dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))


def _basis(name: str) -> tuple[str, ...]:
    """The columns that a test writes where a rule asks about this one."""
    if name == "outcome_grade":
        return _GRADED_BY
    basis = DERIVED_FROM.get(name, name)
    return (basis, "status_since_is") if basis == "status_since" else (basis,)


def _values(row: Mapping[str, Any], names: set[str], ruleset: RuleSet) -> Iterator[tuple[str, object]]:
    unknown = sorted(name for name in names if name in ANSWERABLE and _is_unknown(row, name))
    for name in sorted(names - set(unknown)):
        value = _value(row, name, ruleset)
        if value not in (None, "", []) and (name, value) != ("status_since_is", "exact"):
            yield name, value
    if unknown:
        yield "unknown", unknown


def _is_unknown(row: Mapping[str, Any], name: str) -> bool:
    bit, mask = unknown_bit(name) or 0, "outcome_unknown" if name.startswith("outcome_") else "unknown"
    return row[mask] is None or bool(row[mask] & bit)


def _value(row: Mapping[str, Any], name: str, ruleset: RuleSet) -> object:
    """A column as a test writes it: days in the configured time zone, and other people's labels only."""
    match COLUMNS[name].kind:
        case Kind.DATE:
            ordinal = row[f"{name}_day"]
            return date.fromordinal(ordinal) if ordinal else None
        case Kind.CATEGORY:
            return (row[name] or "").replace("_", " ")
        case Kind.PEOPLE:
            return json.loads(row[name] or "[]")
        case Kind.LABELS:
            return [label for label in json.loads(row[name] or "[]") if not _is_ours(label, ruleset)]
    return row[name]


def _is_ours(label: str, ruleset: RuleSet) -> bool:
    known = {fold(own) for own in ruleset.labels}
    return fold(label) in known or bool(ruleset.prefix and fold(label).startswith(fold(ruleset.prefix)))


def _custom(row: Mapping[str, Any], names: set[str]) -> dict[str, object]:
    """The custom fields that are known; one that a test leaves out is unknown."""
    fields = json.loads(row["fields"] or "{}")
    known = {name: fields[name] for name in sorted(names) if fields.get(name) is not None}
    return {"fields": known} if known else {}


def as_toml(case: Case, comment: str) -> str:
    """The test as it stands in a rule file."""
    moment = case.moments[0]
    labels = sorted(moment.expect)
    expect = _toml(labels[0]) if len(labels) == 1 else _toml(labels)
    calendar = f"calendar = {_toml(_described(case.calendar))}\n" if case.calendar else ""
    past = {f"p{percent}": days for percent, days in case.learned} | {"items": case.learned_items}
    learned = f"learned = {_toml(past)}\n" if case.learned else ""
    return (
        f"[[rule.test]]     # {' '.join(comment.split())}\n"
        f"now    = {_toml(moment.now)}\nitem   = {_toml(dict(case.item))}\n{calendar}{learned}expect = {expect}\n"
    )


def _described(calendar: str | CalendarTerms) -> object:
    """As `casecalendar.read` takes it."""
    if isinstance(calendar, str):
        return calendar
    weekend = [WEEKDAYS[day] for day in sorted(calendar.weekend)] if calendar.weekend != WEEKEND else None
    keys = (("country", calendar.country), ("region", calendar.region), ("weekend", weekend))
    described: dict[str, object] = {key: value for key, value in keys if value is not None}
    return described | ({"days_off": sorted(calendar.days_off)} if calendar.days_off else {})


def _toml(value: object) -> str:
    match value:
        case dict():
            return "{ " + ", ".join(f"{_key(name)} = {_toml(inner)}" for name, inner in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case date():
            return value.isoformat()
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case float() if value.is_integer():
            return str(int(value))
    return str(value)


def _key(name: str) -> str:
    plain = name in COLUMNS or name in ("fields", "unknown", "items", *CALENDAR_KEYS) or _PERCENTILE.fullmatch(name)
    return name if plain else _toml(name)
