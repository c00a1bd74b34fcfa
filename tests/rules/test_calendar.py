"""Business days, against counting them one by one, and SQL against Python."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.calendar import Calendar, fill, make
from rules.table import TABLES, business_days_sql

DAYS = st.dates(date(2025, 12, 1), date(2026, 6, 30))
CALENDARS = st.builds(
    Calendar, st.frozensets(st.integers(0, 6), max_size=6), st.frozensets(DAYS, max_size=12), st.just("some")
)


def networkdays(calendar: Calendar, since: date, until: date) -> int:
    """Excel's NETWORKDAYS for a span that does not run backwards."""
    days = [since + timedelta(days=step) for step in range((until - since).days + 1)]
    return sum(day.weekday() not in calendar.weekend and day not in calendar.holidays for day in days)


@given(CALENDARS, DAYS, DAYS)
def test_business_days_are_networkdays_minus_one_in_python_and_in_sql(
    calendar: Calendar, since: date, until: date
) -> None:
    expected = max(0, networkdays(calendar, since, until) - 1)
    assert calendar.business_days(since, until) == expected
    connection = sqlite3.connect(":memory:")
    connection.executescript(TABLES)
    fill(connection, [calendar], date(2025, 12, 1), date(2026, 6, 30))
    query = f"SELECT {business_days_sql('since', 'until', '0')} FROM (SELECT ? AS since, ? AS until)"
    assert connection.execute(query, (since.toordinal(), until.toordinal())).fetchone()[0] == expected
    connection.close()


@given(CALENDARS, DAYS, st.integers(0, 60))
def test_the_cutoff_is_the_latest_day_that_is_long_enough_ago(calendar: Calendar, today: date, more_than: int) -> None:
    cutoff = calendar.cutoff(today, more_than)
    assert calendar.business_days(cutoff, today) > more_than
    assert calendar.business_days(cutoff + timedelta(days=1), today) <= more_than


@given(CALENDARS, DAYS, st.integers(0, 60))
def test_reached_is_the_first_day_that_is_long_enough_after(calendar: Calendar, since: date, more_than: int) -> None:
    reached = calendar.reached(since, more_than)
    assert calendar.business_days(since, reached) > more_than
    assert calendar.business_days(since, reached - timedelta(days=1)) <= more_than


def test_day_ten_is_not_over_ten() -> None:
    calendar = Calendar()
    assert calendar.business_days(date(2026, 3, 6), date(2026, 3, 20)) == 10
    assert calendar.cutoff(date(2026, 3, 20), 10) == date(2026, 3, 5)


def test_holidays_of_a_country_a_region_and_own_days() -> None:
    bavaria = make("DE", "BY", None, [date(2026, 12, 24)], 2026, 2026)
    assert bavaria.name == "DE-BY"
    assert not bavaria.is_business(date(2026, 1, 6))
    assert not bavaria.is_business(date(2026, 12, 24))
    assert make("DE", None, None, [], 2026, 2026).is_business(date(2026, 1, 6))


@pytest.mark.parametrize(
    ("country", "region", "weekend", "why"),
    [
        ("de", None, None, 'did you mean "DE"?'),
        ("Germany", None, None, "it is a code such as"),
        ("DE", "by", None, 'did you mean "BY"?'),
        (None, "BY", None, "add the country"),
        (None, None, range(7), "not all seven"),
        (None, None, [7], "weekdays 0 (Monday) to 6"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused_in_one_sentence(
    country: str | None, region: str | None, weekend: list[int] | None, why: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(why)) as caught:
        make(country, region, weekend, [], 2026, 2026)
    assert "\n" not in str(caught.value)


def test_holidays_are_not_imported_where_no_country_is_named() -> None:
    code = (
        "import sys, rules.calendar as c; c.make(None, None, None, [], 2026, 2026); sys.exit('holidays' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
