"""What an evaluation is told: the time, the calendar, and the settings that give the words their meaning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from rules.calendar import Calendar
from rules.grading import SHIPPED


@dataclass(frozen=True, slots=True)
class Today:
    """The moment that rules are evaluated for. `now` is aware; days begin and end in `zone`."""

    now: datetime
    zone: tzinfo
    calendar: Calendar
    review_days: int = 92
    """An outcome that was reviewed longer ago than this is unreviewed."""
    placeholders: tuple[str, ...] = SHIPPED
    others: tuple[Calendar, ...] = ()
    """Named calendars, beside the default one: an item whose `calendar` is 1 goes by the first of them."""

    @property
    def calendars(self) -> tuple[Calendar, ...]:
        """All calendars, by the number that `item.calendar` holds; 0 is the default."""
        return (self.calendar, *self.others)

    @property
    def date(self) -> date:
        """The local day."""
        return self.now.astimezone(self.zone).date()
