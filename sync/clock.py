"""The one place that reads the clock."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime

from sync.stops import InvalidStop

VARIABLE = "UNSTUCK_NOW"


@dataclass(frozen=True, slots=True)
class Clock:
    """The time that this command works with; frozen, so that one run has one now."""

    now: datetime
    """Aware, UTC, whole seconds."""
    rehearsal: bool
    """Whether `UNSTUCK_NOW` set it; then no label is written to a host beyond loopback."""


def read() -> Clock:
    """The clock, or what `UNSTUCK_NOW` says (ISO 8601, UTC unless it names a zone). Raises `InvalidStop`."""
    given = os.environ.get(VARIABLE)
    if not given:
        return Clock(datetime.now(UTC).replace(microsecond=0), rehearsal=False)
    try:
        now = datetime.fromisoformat(given)
    except ValueError as error:
        raise InvalidStop(f'{VARIABLE}: "{given}" is no time; write it like 2026-03-20T08:00:00.') from error
    return Clock((now if now.tzinfo else now.replace(tzinfo=UTC)).astimezone(UTC), rehearsal=True)
