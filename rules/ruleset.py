"""Rules as data: what the loader makes of rule files, and everything else reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from rules.calendar import CalendarTerms
from rules.clauses import Amount, Clause, Expression, How, Learned, Subject, expressions_of


class On(StrEnum):
    """What a rule is asked about."""

    ITEM = "item"
    INITIATIVE = "initiative"

    @property
    def view(self) -> str:
        """The view that holds all of them."""
        return "initiative" if self is On.INITIATIVE else "work_item"


@dataclass(frozen=True, slots=True)
class Step:
    """One rung of a ladder: strictly over this much, this label."""

    over: float | Learned
    label: str

    @property
    def word(self) -> Amount | Learned:
        """What it asks of the measure."""
        return self.over if isinstance(self.over, Learned) else Amount(How.OVER, self.over)

    @property
    def threshold(self) -> str:
        """As people write it: `10`, `p85`."""
        return f"p{self.over.percent}" if isinstance(self.over, Learned) else f"{self.over:g}"


@dataclass(frozen=True, slots=True)
class Override:
    """Other steps, for the items that `when` holds of."""

    when: Clause
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Ladder:
    """Steps on a number column, rising; an item has the label of the highest step that it has reached, and no other.

    The first override whose `when` holds replaces the steps. Where that cannot be known, nothing is.
    """

    measure: Subject
    steps: tuple[Step, ...]
    overrides: tuple[Override, ...] = ()

    def all_steps(self) -> Iterator[Step]:
        """The steps and those of all overrides."""
        yield from self.steps
        for override in self.overrides:
            yield from override.steps


@dataclass(frozen=True, slots=True)
class Came:
    """One line of a test's history: the status that an item came into on a day."""

    on: date
    status: str
    status_category: str | None


@dataclass(frozen=True, slots=True)
class Moment:
    """A time at which a test looks at its item, and the labels that it must have then."""

    now: date | datetime
    """A date, or a time; without an offset it is local."""
    expect: frozenset[str]
    line: int


@dataclass(frozen=True, slots=True)
class Case:
    """One `[[rule.test]]`, or one row of a table: an item, and the labels that it must get as time goes by."""

    item: tuple[tuple[str, object], ...]
    """Column -> value as TOML has it; `fields` and `unknown` too. Sorted."""
    moments: tuple[Moment, ...]
    """`now`, and each of `later`; never none, and in the order of time."""
    history: tuple[Came, ...] = ()
    """Where the item stood, oldest first; begins on the first moment's day or before. Empty: as `item` says."""
    on: On = On.ITEM
    """Whether `item` is one, or an initiative."""
    calendar: str | CalendarTerms | None = None
    """Whose business days count: by name, or described. None: plain weeks."""
    learned: tuple[tuple[int, int], ...] = ()
    """What its team's past says: percentile -> business days, for items of its kind."""
    learned_items: int | None = None
    """From how many items that is. None: from enough."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a rule's labels come into the tools. The default: seen for one run, then all of them."""

    now: bool = False
    """Without being seen first."""
    per_run: int | None = None
    """On so many more items a run."""
    first: str | None = None
    """Only in the collection of this name or id."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One `[[rule]]`. Either `label` or `ladder` is set."""

    id: str
    says: tuple[str | Subject, ...]
    """The reason, as text and the columns to fill in."""
    when: Clause
    label: str | None
    ladder: Ladder | None
    file: str = field(compare=False)
    line: int = field(compare=False)
    tests: tuple[Case, ...] = field(default=(), compare=False)
    rollout: Rollout = field(default=Rollout(), compare=False)
    on: On = On.ITEM
    meaning: str = field(default="", compare=False)
    """Changes with which items get which labels, as the file has it; not with wording, tests, rollout or layout."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that it may put, each once, in the order of the file."""
        if self.ladder is None:
            return (self.label,) if self.label else ()
        return tuple(dict.fromkeys(step.label for step in self.ladder.all_steps()))

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Every use of the escape `sql` in it."""
        overrides = self.ladder.overrides if self.ladder else ()
        clauses = (self.when, *(override.when for override in overrides))
        return tuple(expression for clause in clauses for expression in expressions_of(clause))


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of some files, in the order in which they are written."""

    rules: tuple[Rule, ...]
    files: tuple[str, ...]
    prefix: str = ""
    """All labels begin with it; rules do not see labels that do."""

    @property
    def labels(self) -> frozenset[str]:
        """Every label that any rule may put."""
        return frozenset(label for rule in self.rules for label in rule.labels)

    @property
    def sha(self) -> str:
        """Changes when the rules mean something else; not with their files' layout, comments or tests."""
        meaning = [(rule.id, rule.on, rule.says, rule.when, rule.label, rule.ladder) for rule in self.rules]
        return hashlib.sha256(repr((self.prefix, meaning)).encode()).hexdigest()
