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
    """Keep the business days in the store, for people who query it with other programs."""
    weeks = [[sorted(calendar.weekend), sorted(map(str, calendar.holidays))] for calendar in moment_.calendars]
    meaning = [weeks, moment_.now.year]
    signature = hashlib.sha256(json.dumps(meaning).encode()).hexdigest()[:16]
    if store.setting("calendar") != signature:
        first, last = (date(moment_.now.year + years, 1, 1) for years in (-calendars.YEARS_BACK, calendars.YEARS_ON))
        with store.transaction() as connection:
            calendars.fill(connection, moment_.calendars, first, last)
            store.remember("calendar", signature)
