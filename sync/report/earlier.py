"""What reports of earlier days showed: as stuck, so that the next can tell what got un-stuck, and of outcomes' grades.

One is remembered for each day, the last one, and no more than `KEPT` of them. Rehearsals compare with rehearsals only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from rules.table import moment
from sync.clock import Clock
from sync.store import Store

KEPT = 90
"""One a day for the weeks of a trend, and some."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """One report of an earlier day."""

    day: date
    stuck: Sequence[int]
    """`item.id` of what was stuck."""


def before(store: Store, clock: Clock, day: date, *, including: bool) -> Earlier | None:
    """The last report before `day`, or of that day if it counts too."""
    row = store.connection.execute(
        f"SELECT day, stuck FROM report WHERE rehearsal = ? AND day {'<=' if including else '<'} ? "
        "ORDER BY day DESC LIMIT 1",
        (int(clock.rehearsal), day.isoformat()),
    ).fetchone()
    return Earlier(date.fromisoformat(row[0]), json.loads(row[1])) if row else None


def grades(store: Store, clock: Clock, day: date) -> dict[date, Mapping[str, int]]:
    """By the day of each report before `day` that kept it, the earliest first: how many open items had each grade."""
    rows = store.connection.execute(
        "SELECT day, grades FROM report WHERE rehearsal = ? AND day < ? AND grades IS NOT NULL ORDER BY day",
        (int(clock.rehearsal), day.isoformat()),
    )
    return {date.fromisoformat(day): json.loads(counted) for day, counted in rows}


def remember(store: Store, clock: Clock, day: date, stuck: Iterable[int], graded: Mapping[str, int]) -> None:
    """Remember what is stuck on this day, and how many open items have each grade, for its last report alone."""
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO report (day, rehearsal, made_at, stuck, grades) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (day, rehearsal) DO UPDATE SET made_at = excluded.made_at, stuck = excluded.stuck, "
            "grades = excluded.grades",
            (
                day.isoformat(), int(clock.rehearsal), moment(clock.now), json.dumps(sorted(stuck)),
                json.dumps(dict(graded)),
            ),
        )  # fmt: skip
        connection.execute(
            "DELETE FROM report WHERE rehearsal = ?1 AND day NOT IN "
            "(SELECT day FROM report WHERE rehearsal = ?1 ORDER BY day DESC LIMIT ?2)",
            (int(clock.rehearsal), KEPT),
        )
