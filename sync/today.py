"""The clock, calendars and words that rules are evaluated with, from config."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date, datetime

from rules import calendar as calendars
from rules import engine
from rules.grading import SHIPPED
from sync.config import Config
from sync.stops import InvalidStop
from sync.store import Store


def today(config: Config, now: datetime) -> engine.Today:
    """The clock, calendar and words that rules are evaluated with. Raises `InvalidStop` for an unknown country."""
    calendar = _calendar(config, "calendar", config.calendar, now)
    named = [
        replace(_calendar(config, f"calendars.{name}", terms, now), name=name)
        for name, terms in config.calendars.items()
    ]
    words = (*SHIPPED, *config.placeholders)
    return engine.Today(
        now, config.timezone, calendar, review_days=config.review_days, placeholders=words, others=tuple(named)
    )


def _calendar(config: Config, place: str, terms: calendars.CalendarTerms, now: datetime) -> calendars.Calendar:
    try:
        return terms.calendar(now.year)
    except ValueError as error:
        raise InvalidStop(f"{config.path}: {place}: {error}") from error


def keep_calendar(store: Store, moment_: engine.Today) -> None:
    """Keep the business days in the store, for its views; in the caller's transaction.

    They reach back as far as the items need, as those that rules are evaluated with do.
    """
    weeks = [[sorted(calendar.weekend), sorted(map(str, calendar.holidays))] for calendar in moment_.calendars]
    first = min(date(moment_.now.year - calendars.YEARS_BACK, 1, 1), engine.first_day(store.connection, moment_))
    meaning = [weeks, moment_.now.year, first.year]
    signature = hashlib.sha256(json.dumps(meaning).encode()).hexdigest()[:16]
    if store.setting("calendar") != signature:
        last = date(moment_.now.year + calendars.YEARS_ON, 1, 1)
        calendars.fill(store.connection, moment_.calendars, date(first.year, 1, 1), last)
        store.remember("calendar", signature)
