"""What a digest says: items and names as plain data, and nothing of how they are found, shown or sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """Why an item stands in a digest; one that is both is told of as stuck."""

    STUCK = "stuck"
    OUTCOME = "outcome"


@dataclass(frozen=True, slots=True)
class Entry:
    """One item or initiative that rules found."""

    item: int
    """`item.id`."""
    kind: Kind
    source: str
    key: str
    title: str
    url: str | None
    """Only what begins with http."""
    whose: str
    """The owner, sponsor or project; empty if it is nobody's."""
    calendar: int
    """Number of the calendar that it goes by."""
    since: date
    """Local day: since when it is in its status, or since when it is found to have no good outcome."""
    at_least: bool
    """Whether it may be longer than that."""
    reasons: tuple[str, ...]
    """The rules' own sentences."""
    clears: tuple[str, ...]
    """What has to happen, for each of them."""


@dataclass(frozen=True, slots=True)
class Better:
    """An item that an earlier digest told of, and that no rule finds any more."""

    item: int
    source: str
    key: str
    title: str
    url: str | None
    now: str
    """What became of it."""


class Shown(NamedTuple):
    """As much of a digest as people can bear; what is left out is counted."""

    stuck: Sequence[Entry]
    outcome: Sequence[Entry]
    better: Sequence[Better]
    more_stuck: int
    more_outcome: int
    more_better: int


@dataclass(frozen=True, slots=True)
class Content:
    """What there is to tell one or several owners, sponsors or projects."""

    names: tuple[str, ...]
    """As they are spelled in the tools; several where people have one address, or a chat gets one digest of all."""
    stuck: tuple[Entry, ...] = ()
    """The longest first."""
    outcome: tuple[Entry, ...] = ()
    """The longest first."""
    better: tuple[Better, ...] = ()
    away: tuple[str, ...] = ()
    """Sources in it that do not answer: what is said of them may be old."""
    as_of: date | None = None
    """The day of the last run, if that was not today."""

    @property
    def empty(self) -> bool:
        return not (self.stuck or self.outcome or self.better)

    @property
    def items(self) -> tuple[int, ...]:
        """`item.id` of all that is open, shown or not."""
        return tuple(entry.item for entry in (*self.stuck, *self.outcome))

    @property
    def calendars(self) -> frozenset[int]:
        """Numbers of the calendars that its items go by."""
        return frozenset(entry.calendar for entry in (*self.stuck, *self.outcome))

    def shown(self, most: int) -> Shown:
        """At most so many open items: each kind gets half of them, and what the other one leaves over."""
        half = most // 2
        outcome = min(len(self.outcome), max(half, most - len(self.stuck)))
        stuck = min(len(self.stuck), most - outcome)
        better = min(len(self.better), most)
        return Shown(
            self.stuck[:stuck],
            self.outcome[:outcome],
            self.better[:better],
            len(self.stuck) - stuck,
            len(self.outcome) - outcome,
            len(self.better) - better,
        )

    @property
    def subject(self) -> str:
        """What it comes to, in one line that holds no word of a tool."""
        parts = [
            f"{len(self.stuck)} stuck" if self.stuck else "",
            f"{len(self.outcome)} without a good outcome" if self.outcome else "",
            f"{len(self.better)} better" if self.better else "",
        ]
        return f"Work items: {', '.join(part for part in parts if part)}"


def together(contents: Sequence[Content]) -> Content:
    """Several in one."""
    if len(contents) == 1:
        return contents[0]
    return Content(
        tuple(name for each in contents for name in each.names),
        in_order(entry for each in contents for entry in each.stuck),
        in_order(entry for each in contents for entry in each.outcome),
        tuple({better.item: better for each in contents for better in each.better}.values()),
        tuple(dict.fromkeys(source for each in contents for source in each.away)),
        contents[0].as_of,
    )


def in_order(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The longest first."""
    return tuple(sorted(entries, key=lambda entry: (entry.since, entry.source, entry.key)))
