"""What a rule's condition is made of: clauses on single columns, and `all`, `any` and `none` of further clauses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from rules.columns import COLUMNS, Kind, unknown_bit


class How(StrEnum):
    """How an amount or a day is compared."""

    OVER = "over"
    UNDER = "under"
    AT_LEAST = "at least"
    AT_MOST = "at most"
    EXACTLY = "exactly"


@dataclass(frozen=True, slots=True)
class Missing:
    """There is nothing in it."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """There is a text in it, and it says nothing: TBD, n/a, ???"""


@dataclass(frozen=True, slots=True)
class OneOf:
    """It is one of these: folded texts, or the vocabulary's own words for categories and grades."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contains:
    """This folded text is somewhere in it."""

    text: str


@dataclass(frozen=True, slots=True)
class Amount:
    """A number compared with a fixed one."""

    how: How
    number: float


@dataclass(frozen=True, slots=True)
class Learned:
    """More business days than so many percent of the finished items of its kind needed, as their own past tells."""

    percent: int
    otherwise: int
    """What holds until enough is known."""
    at_least: int
    at_most: int
    """Whatever was learned, the threshold is never outside of these."""
    from_items: int
    """So many items must have been finished."""


@dataclass(frozen=True, slots=True)
class Ago:
    """A day that lies so many days back; never one that is still to come."""

    how: How
    days: int
    business: bool


@dataclass(frozen=True, slots=True)
class Within:
    """Today, or one of the coming days."""

    days: int


@dataclass(frozen=True, slots=True)
class Past:
    """A day before today."""


class Side(StrEnum):
    """Where a day lies from another."""

    BEFORE = "before"
    ON = "on"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Fixed:
    """A day compared with one of the calendar."""

    side: Side
    day: date


Word = Missing | Placeholder | OneOf | Contains | Amount | Learned | Ago | Within | Past | Fixed


@dataclass(frozen=True, slots=True)
class Subject:
    """What a clause asks about: a column, or a custom field (`fields."Cost centre"`)."""

    name: str
    custom: bool = False

    @property
    def kind(self) -> Kind:
        """What it holds; custom fields hold text."""
        return Kind.TEXT if self.custom else COLUMNS[self.name].kind

    @property
    def bit(self) -> int | None:
        """The bit that says "unknown", for columns that have one."""
        return None if self.custom else unknown_bit(self.name)

    @property
    def from_outcome(self) -> bool:
        """Whether it is the outcome's, and so the outcome's giver knows whether it is known."""
        return (
            not self.custom and self.name != "outcome_from" and self.name.startswith(("outcome_", "days_since_review"))
        )

    def __str__(self) -> str:
        return f'fields."{self.name}"' if self.custom else self.name


@dataclass(frozen=True, slots=True)
class Counted:
    """A number that is no more than the days since a time."""

    moment: str
    business: bool


COUNTED = {
    "age_days": Counted("created_at", business=False),
    "days_in_status": Counted("status_since", business=False),
    "business_days_in_status": Counted("status_since", business=True),
    "days_since_review": Counted("outcome_reviewed_at", business=False),
}
"""Thresholds on these are cut-off days: comparisons of integers."""


@dataclass(frozen=True, slots=True)
class Test:
    """One line of a condition: any of `words` holds of the subject; or, `negated`, none does."""

    __test__ = False

    subject: Subject
    words: tuple[Word, ...]
    negated: bool = False
    wrote: str = field(default="", compare=False, repr=False)
    """As it stands in the rule file."""


class Joint(StrEnum):
    """How the clauses of a group are joined."""

    ALL = "all"
    ANY = "any"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Group:
    """Clauses that are joined; never empty."""

    joint: Joint
    parts: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Expression:
    """The escape: a condition in SQL, vetted by `rules.escape`. It cannot be told where a subject is unknown."""

    text: str
    """SQL over the columns of the view; its brackets match."""
    subjects: tuple[Subject, ...]
    """All that it reads."""
    wrote: str = field(default="", compare=False, repr=False)
    """As it stands in the rule file, on one line."""


Clause = Test | Group | Expression


def tests_of(clause: Clause) -> Iterator[Test]:
    """All single clauses, in the order in which they are written."""
    if isinstance(clause, Test):
        yield clause
    elif isinstance(clause, Group):
        for part in clause.parts:
            yield from tests_of(part)


def expressions_of(clause: Clause) -> Iterator[Expression]:
    """Every use of the escape in it."""
    if isinstance(clause, Expression):
        yield clause
    elif isinstance(clause, Group):
        for part in clause.parts:
            yield from expressions_of(part)
