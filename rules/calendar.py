"""Business days: weekends, public holidays and a company's own free days.

Every count agrees with Excel's `NETWORKDAYS(since, until) - 1`, never below 0, and so with `table.business_days_sql`.
"""

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKEND = frozenset({5, 6})


YEARS_BACK, YEARS_ON = 30, 3
"""Public holidays are known for so many years before and after the day that is looked at."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Which days count. `weekend` holds weekdays (Monday is 0), never all seven."""

    weekend: frozenset[int] = WEEKEND
    holidays: frozenset[date] = frozenset()
    name: str = "weekends only"

    def is_business(self, day: date) -> bool:
        """Whether people work on that day."""
        return day.weekday() not in self.weekend and day not in self.holidays

    def business_days(self, since: date, until: date) -> int:
        """The business days from `since` to `until`, both counted, minus one; never below 0."""
        length = (until - since).days + 1
        if length <= 0:
            return 0
        weeks, rest = divmod(length, 7)
        days = weeks * (7 - len(self.weekend))
        days += sum((since.weekday() + step) % 7 not in self.weekend for step in range(rest))
        free = sum(since <= day <= until and day.weekday() not in self.weekend for day in self.holidays)
        return max(0, days - free - 1)

    def cutoff(self, today: date, more_than: int) -> date:
        """The latest day `since` with `business_days(since, today) > more_than` (which is 0 or more)."""
        return _cutoff(self, today, more_than)

    def reached(self, since: date, more_than: int) -> date:
        """The first day `until` with `business_days(since, until) > more_than` (which is 0 or more)."""
        day, left = since - timedelta(days=1), more_than + 2
        while left:
            day += timedelta(days=1)
            left -= self.is_business(day)
        return day


@lru_cache(maxsize=4096)  # one evaluation asks for the same few again and again
def _cutoff(calendar: Calendar, today: date, more_than: int) -> date:
    day, left = today + timedelta(days=1), more_than + 2
    while left:
        day -= timedelta(days=1)
        left -= calendar.is_business(day)
    return day


def make(
    country: str | None, region: str | None, weekend: Iterable[int] | None, extra: Iterable[date], first: int, last: int
) -> Calendar:
    """The calendar of a country (`DE`) and region (`BY`), with `extra` free days, for the years `first` to `last`.

    Without a country only weekends and `extra` are free. `weekend` of None means Saturday and Sunday.
    Raises ValueError with one sentence where the country, region or weekend is no such thing.
    """
    days = WEEKEND if weekend is None else frozenset(weekend)
    if not days <= set(range(7)) or len(days) == 7:
        raise ValueError("the weekend must be some of the weekdays 0 (Monday) to 6 (Sunday), and not all seven")
    if country is None:
        if region is not None:
            raise ValueError(f'the calendar names the region "{region}" but no country; add the country')
        return Calendar(days, frozenset(extra), "weekends only" if not extra else "weekends and own days")
    free = frozenset(_public_holidays(country, region, range(first, last + 1))) | frozenset(extra)
    return Calendar(days, free, f"{country}-{region}" if region else country)


@dataclass(frozen=True, slots=True)
class CalendarTerms:
    """A calendar as people describe it; whether its country and region are known shows when it is made."""

    country: str | None = None
    region: str | None = None
    weekend: frozenset[int] = WEEKEND
    days_off: tuple[date, ...] = ()

    def calendar(self, year: int) -> Calendar:
        """The calendar for a day in that year. Raises ValueError as `make` does."""
        return make(self.country, self.region, self.weekend, self.days_off, year - YEARS_BACK, year + YEARS_ON)


def _public_holidays(country: str, region: str | None, years: range) -> Iterator[date]:
    import holidays

    _check_place(holidays, country, region)
    yield from holidays.country_holidays(country, subdiv=region, years=years)


def _check_place(holidays: ModuleType, country: str, region: str | None) -> None:
    known: dict[str, list[str]] = holidays.list_supported_countries(include_aliases=True)
    if country not in known:
        raise ValueError(f'no holidays are known for the country "{country}"{_meant(country, known)}')
    if region is not None and region not in known[country]:
        if not known[country]:
            raise ValueError(f'{country} has no regions with holidays of their own; leave out the region "{region}"')
        raise ValueError(
            f'no holidays are known for the region "{region}" of {country}{_meant(region, known[country])}'
        )


def _meant(wrong: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = [name for name in names if name.casefold() == wrong.casefold()]
    close = close or difflib.get_close_matches(wrong.upper(), names, 1, 0.5)
    if close:
        return f' (did you mean "{close[0]}"?)'
    return f"; it is a code such as {', '.join(names[:5])}"


def fill(connection: sqlite3.Connection, calendars: Sequence[Calendar], first: date, last: date) -> None:
    """Replace the rows of the store's `calendar_day` by the days `first` to `last`; in the caller's transaction."""
    fill_table(connection, "main.calendar_day", calendars, first, last)


def fill_table(
    connection: sqlite3.Connection, table: str, calendars: Sequence[Calendar], first: date, last: date
) -> None:
    """Replace the rows of `table` (calendar, day, business) by the days `first` to `last` of each calendar."""
    connection.execute("SAVEPOINT calendar")  # outside of a transaction, each row would be one
    connection.execute(f"DELETE FROM {table}")
    for number, calendar in enumerate(calendars):
        rows = ((number, day, business) for day, business in _running(calendar, first, last))
        connection.executemany(f"INSERT INTO {table} (calendar, day, business) VALUES (?, ?, ?)", rows)
    connection.execute("RELEASE calendar")


def _running(calendar: Calendar, first: date, last: date) -> Iterator[tuple[int, int]]:
    count = 0
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        count += calendar.is_business(date.fromordinal(ordinal))
        yield ordinal, count
