"""Which digests were sent, so that nobody gets two for one week, whatever happens in between.

The intent is committed before a digest is handed over, and the result after it. One without a result is unknown: it
may have arrived, so it is not sent again unless a person says so. An index of the store holds the law: of the digests
of a period that count, no two are for the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from rules.table import moment
from sync.clock import Clock
from sync.digest.terms import By, Every, folded
from sync.store import Store

WEBHOOK = "webhook"
"""Who a chat's channel is."""


class Way(StrEnum):
    """How a digest gets to people."""

    MAIL = "mail"
    WEBHOOK = "webhook"
    HERE = "here"
    """Printed, or written into a file."""


class Result(StrEnum):
    """What became of a digest that was handed over."""

    SENT = "sent"
    REFUSED = "refused"
    """It surely did not arrive: it may be sent again."""
    UNKNOWN = "unknown"
    """It may have arrived."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it, and what was said if it was not sent."""

    result: Result
    why: str = ""


@dataclass(frozen=True, slots=True)
class Period:
    """The week that a digest is the one of; or the day or month."""

    name: str
    rehearsal: bool


def period(day: date, every: Every, clock: Clock) -> Period:
    """The one that a local day is in."""
    year, week, _ = day.isocalendar()
    names = {Every.DAY: day.isoformat(), Every.WEEK: f"{year}-W{week:02}", Every.MONTH: f"{day:%Y-%m}"}
    return Period(names[every], clock.rehearsal)


def of_name(name: str) -> str:
    """Who people of a name are, here."""
    return f"name:{folded(name)}"


def of_printed(name: str) -> str:
    """The same where it was only printed: mail may still be sent, once there is an address."""
    return f"here:{folded(name)}"


def of_address(address: str) -> str:
    """Who has an address, here: the address itself is not kept."""
    return f"address:{hashlib.sha256(address.casefold().encode()).hexdigest()[:24]}"


@dataclass(frozen=True, slots=True)
class Last:
    """The last digest for somebody, before this period."""

    name: str
    """As it was spelled then."""
    items: frozenset[int]
    """`item.id` of what it told of."""


def before(store: Store, now: Period) -> Mapping[str, Last]:
    """Who -> their last digest of another period, sent or printed."""
    rows = store.connection.execute(
        "SELECT f.who, f.name, d.items FROM digest_for f JOIN digest d ON d.id = f.digest_id "
        "WHERE (f.who, f.digest_id) IN (SELECT who, max(digest_id) FROM digest_for g JOIN digest e ON e.id = digest_id "
        "WHERE e.rehearsal = ? AND e.period <> ? AND e.result IS NOT 'refused' GROUP BY who) ORDER BY d.id",
        (int(now.rehearsal), now.name),
    )
    lasts = ((who, Last(name, frozenset(json.loads(items)))) for who, name, items in rows)
    return {of_name(last.name) if who == of_printed(last.name) else who: last for who, last in lasts}


def had(store: Store, now: Period) -> Mapping[str, Result]:
    """Who -> what became of their digest of this period, which is not to be sent again."""
    rows = store.connection.execute(
        "SELECT who, ifnull(result, 'unknown') FROM digest_for f JOIN digest d ON d.id = f.digest_id "
        "WHERE f.rehearsal = ? AND f.period = ? AND f.counts",
        (int(now.rehearsal), now.name),
    )
    return {who: Result(result) for who, result in rows}


@dataclass(frozen=True, slots=True)
class Sending:
    """A digest that is about to be handed over."""

    period: Period
    by: By
    way: Way
    who: Mapping[str, str]
    """All that it is for, as `of_name` and `of_address` call them -> as people do."""
    items: Sequence[int]
    """`item.id` of all that it tells of."""
    again: bool
    """By a person's word: an earlier one of this period counts no more."""


def begin(store: Store, clock: Clock, sending: Sending) -> int:
    """Keep that it is about to be handed over. Raises `sqlite3.IntegrityError` if somebody has one of this period."""
    marks = (int(sending.period.rehearsal), sending.period.name)
    with store.transaction() as connection:
        if sending.again:
            connection.executemany(
                "UPDATE digest_for SET counts = 0 WHERE rehearsal = ? AND period = ? AND who = ?",
                [(*marks, each) for each in sending.who],
            )
        row = connection.execute(
            "INSERT INTO digest (rehearsal, period, audience, way, begun_at, items) VALUES (?, ?, ?, ?, ?, ?)",
            (*marks, sending.by, sending.way, moment(clock.now), json.dumps(sending.items)),
        )
        connection.executemany(
            "INSERT INTO digest_for (rehearsal, period, digest_id, who, name) VALUES (?, ?, ?, ?, ?)",
            [(*marks, row.lastrowid, who, name) for who, name in sending.who.items()],
        )
    return row.lastrowid or 0


def end(store: Store, clock: Clock, digest: int, outcome: Outcome) -> None:
    """Keep what became of it. What was refused counts no more."""
    with store.transaction() as connection:
        connection.execute(
            "UPDATE digest SET ended_at = ?, result = ?, why = ? WHERE id = ?",
            (moment(clock.after()), outcome.result, outcome.why or None, digest),
        )
        if outcome.result is Result.REFUSED:
            connection.execute("UPDATE digest_for SET counts = 0 WHERE digest_id = ?", (digest,))


def forget(store: Store, clock: Clock, days: int) -> None:
    """Delete what is older than runs are kept. Nothing goes in a rehearsal: its clock is made up."""
    if not clock.rehearsal:
        with store.transaction() as connection:
            connection.execute("DELETE FROM digest WHERE begun_at < ?", (moment(clock.now - timedelta(days=days)),))
