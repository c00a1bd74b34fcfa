"""The one place that reads the clock."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sync.stops import InvalidStop

VARIABLE = "UNSTUCK_NOW"


@dataclass(frozen=True, slots=True)
class Clock:
    """The time that this command works with; frozen, so that one run has one now."""

    now: datetime
    """Aware, UTC, whole seconds."""
    rehearsal: bool
    """Whether `UNSTUCK_NOW` set it; then no label is written to a host beyond loopback."""
    _read_at: float = field(default_factory=time.monotonic, compare=False, repr=False)

    def after(self) -> datetime:
        """The time that it is by now, however the system's clock was set meanwhile; in a rehearsal, time stands."""
        if self.rehearsal:
            return self.now
        return self.now + timedelta(seconds=round(self.seconds()))

    def seconds(self) -> float:
        """How long this command has worked."""
        return time.monotonic() - self._read_at


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
