"""The calendar of a test: one that config names (`"munich"`), a country's (`"DE"`, `"DE-BY"`), or one described."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime

from rules.calendar import WEEKDAYS, Calendar, CalendarTerms

KEYS = ("country", "region", "weekend", "days_off")


def read(value: object) -> str | CalendarTerms:
    """What a test's `calendar` means, as TOML has it. Raises ValueError with one sentence."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    if not isinstance(value, dict) or not value:
        raise ValueError('name a calendar, such as "DE-BY" or one of your config, or describe it: { country = "DE" }')
    for key in value:
        if key not in KEYS:
            raise ValueError(f'a calendar has no key "{key}"; it has {", ".join(KEYS)}')
    country, region = (_code(value, key) for key in ("country", "region"))
    weekend = _weekend(value.get("weekend", ["saturday", "sunday"]))
    return CalendarTerms(country, region, weekend, _days(value.get("days_off", [])))


def _code(table: Mapping[str, object], key: str) -> str | None:
    value = table.get(key)
    if value is None or (isinstance(value, str) and value):
        return value
    raise ValueError(f'the {key} of a calendar is a code in quotes, such as "DE" or "BY"')


def _weekend(names: object) -> frozenset[int]:
    if not isinstance(names, list) or not all(str(name).lower() in WEEKDAYS for name in names):
        raise ValueError('the weekend of a calendar is a list of days: ["saturday", "sunday"]')
    return frozenset(WEEKDAYS.index(str(name).lower()) for name in names)


def _days(days: object) -> tuple[date, ...]:
    if isinstance(days, list) and all(isinstance(day, date) and not isinstance(day, datetime) for day in days):
        return tuple(days)
    raise ValueError("the days_off of a calendar are a list of days: [2026-12-24]")


def check(given: str | CalendarTerms, named: Mapping[str, CalendarTerms]) -> None:
    """Raises ValueError as `resolve` does; which places are known does not differ by year."""
    resolve(given, named, 2026)


def resolve(given: str | CalendarTerms, named: Mapping[str, CalendarTerms], year: int) -> Calendar:
    """The calendar for days around that year; `named` are those of config. Raises ValueError with one sentence."""
    if isinstance(given, CalendarTerms):
        return given.calendar(year)
    if given in named:
        return replace(named[given].calendar(year), name=given)
    country, _, region = given.partition("-")
    if country.isupper() and len(country) == 2:
        return CalendarTerms(country, region or None).calendar(year)
    raise ValueError(f'no calendar is called "{given}"{_instead(given, named)}')


def _instead(given: str, named: Iterable[str]) -> str:
    close = difflib.get_close_matches(given, list(named), 1, 0.5)
    if close:
        return f' (did you mean "{close[0]}"?)'
    return ': add it to the config as [calendars.NAME], or write a country, such as "DE", or "DE-BY" with its region'
