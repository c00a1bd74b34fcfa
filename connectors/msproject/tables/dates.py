"""Dates as people and programs write them, read as Project's local wall time: `2026-03-05T08:00:00`.

Read are ISO 8601, numeric dates in the order that the file keeps to, and long dates in five languages, each with or
without a weekday and a time. A two-digit year is the last part, and lies in 1950 to 2049, as on Windows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType

from connectors.msproject.tables.words import FILLERS, MONTH, WEEKDAY, plain

ORDERS = {"dmy": "day first", "mdy": "month first"}
"""What comes first in a date; the year comes last, or first if it has four digits."""
_NUMERIC = re.compile(r"(?<![\d.,/-])(\d{1,4})\s?([./-])\s?(\d{1,2})\s?\2\s?(\d{4}|\d{2})(?!\d|[./-]\d)\.?")
_TIME = re.compile(r"(?<!\d)(\d{1,2})(?::|h|(?<=\d)\.)(\d{2})(?:[:.](\d{2}))?(?:\.\d+)?\s*([ap](?=\W*m))?(?!\d)", re.I)
_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+")
_LONGEST = 60
"""Characters in a date: `segunda-feira, 15 de fevereiro de 2026 08:00:00` has 48."""
_FIRST_SERIAL, _LAST_SERIAL = 20_000, 80_000
"""Days since 1899-12-30 that count as a date where a number stands: 1954 to 2119."""

Readings = Mapping[str, str]
_NONE: Readings = MappingProxyType({})


@lru_cache(maxsize=8192)  # the rows of a table share their dates
def date_readings(text: str) -> Readings:
    """Order of day and month -> ISO text, for those orders in which this is a date; the same twice if it is clear."""
    text = text.strip()
    if len(text) > _LONGEST or not any(sign.isdigit() for sign in text):
        return _NONE
    clear = _iso(text) or _serial(text)
    if clear:
        return _both(clear)
    numeric = _NUMERIC.search(text)
    if numeric:
        return _numeric(numeric, text[: numeric.start()] + " " + text[numeric.end() :])
    return _long(text)


def _both(clear: str) -> Readings:
    return dict.fromkeys(ORDERS, clear)


def _iso(text: str) -> str:
    if not re.match(r"\d{4}-\d\d-\d\d(?!\d)", text):
        return ""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None, microsecond=0).isoformat()
    except ValueError:
        return ""


def _serial(text: str) -> str:
    text = text.replace(",", ".")
    return serial_date(float(text)) if re.fullmatch(r"\d{5}(\.\d{1,15})?", text) else ""


def serial_date(days: float, epoch: datetime = datetime(1899, 12, 30)) -> str:  # noqa: DTZ001 - wall time
    """A spreadsheet's number of a day as ISO text; `""` if it lies too far off to be meant as one."""
    if not _FIRST_SERIAL <= days < _LAST_SERIAL:
        return ""
    moment = epoch + timedelta(seconds=round(days * 86_400))
    return moment.isoformat()


def _numeric(found: re.Match[str], rest: str) -> Readings:
    clock, weekday, is_date = _rest(rest)
    if not is_date:
        return _NONE
    first, sign, second, third = found.groups()
    if len(first) == 4:
        day = _day(int(first), int(second), int(third))
        return _both(_joined(day, clock)) if day else _NONE
    if len(first) > 2:
        return _NONE
    year = _year(third)
    days = {"dmy": _day(year, int(second), int(first))}
    # No country puts the month first before a dot.
    days["mdy"] = days["dmy"] if sign == "." else _day(year, int(first), int(second))
    if weekday is not None and any(day and day.weekday() == weekday for day in days.values()):
        days = {order: day for order, day in days.items() if day and day.weekday() == weekday}
    return {order: _joined(day, clock) for order, day in days.items() if day}


def _long(text: str) -> Readings:
    """`15. Januar 2026 08:00`, `January 15, 2026 8:00 AM`."""
    clock, text = _clock(text)
    words = [plain(word) for word in _WORD.findall(text)]
    months = [MONTH[word] for word in words if word in MONTH]
    known = all(word in MONTH or word in WEEKDAY or word in FILLERS for word in words)
    numbers = _NUMBER.findall(text)
    if not months or not known or len(numbers) != 2:
        return _NONE
    day, year = reversed(numbers) if len(numbers[0]) == 4 else numbers
    # "mar" is also Tuesday, in French and Spanish, which then comes first.
    found = _day(_year(year), months[-1], int(day)) if len(year) in (2, 4) else None
    return _both(_joined(found, clock)) if found else _NONE


def _rest(text: str) -> tuple[time, int | None, bool]:
    """What stands beside a numeric date: the time, the weekday, and whether it is nothing else."""
    clock, text = _clock(text)
    words = [plain(word) for word in _WORD.findall(text)]
    weekday = next((WEEKDAY[word] for word in words if word in WEEKDAY), None)
    known = all(word in WEEKDAY or word in FILLERS for word in words)
    return clock, weekday, known and not _NUMBER.search(text)


def _clock(text: str) -> tuple[time, str]:
    """The time of day (midnight if there is none), and the text without it."""
    found = _TIME.search(text)
    if not found:
        return time(), text
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if found[4]:
        hour = hour % 12 + (12 if found[4].lower() == "p" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return time(), text
    return time(hour, minute, second), text[: found.start()] + " " + text[found.end() :]


def _year(digits: str) -> int:
    year = int(digits)
    return year if len(digits) == 4 else year + (2000 if year < 50 else 1900)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _joined(day: date, clock: time) -> str:
    return datetime.combine(day, clock).isoformat()
