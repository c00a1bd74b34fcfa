"""What a report says: the numbers that every form of it shows, and nothing of how they are found or shown.

Days are `date`s in the zone of the config. What is open is what is not known to be done; what is stuck was found by a
rule that asks how long an item has been where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from rules.columns import GRADES
from sync.exemptions import Exemption

PERCENTILES = (50, 85, 95)

BANDS = ("measured", "weak", "none", "unknown")
"""Of outcomes, best first: a measure that a business counts; something else; nothing; the tool cannot tell."""
_BAND = {grade: ("none", "none", "weak", "weak")[rank] if rank < 4 else "measured" for rank, grade in enumerate(GRADES)}


def percentiles(rising: Sequence[int]) -> dict[int, int]:
    """The least value that so many of a hundred values do not exceed (nearest rank), for each of `PERCENTILES`."""
    return {each: rising[-(-each * len(rising) // 100) - 1] for each in PERCENTILES} if rising else {}


def in_bands(grades: Mapping[str, int]) -> dict[str, int]:
    """How many items are in each of `BANDS`, from how many have each grade."""
    bands = dict.fromkeys(BANDS, 0)
    for grade, number in grades.items():
        bands[_BAND.get(grade, "unknown")] += number
    return bands


@dataclass(frozen=True, slots=True)
class Found:
    """One finding on an item."""

    rule: str
    label: str
    reason: str
    since: date


@dataclass(frozen=True, slots=True)
class Row:
    """One work item: every one that is open, or that a rule found."""

    id: int
    source: str
    key: str
    title: str
    url: str | None
    """Only what begins with http: nothing else from a tool becomes a link."""
    project: str | None
    owner: str | None
    """Who answers for it, else the first who works on it."""
    status: str | None
    category: str | None
    since: date | None
    at_least: bool
    """Whether it may be in its status for longer than `since`."""
    business_days: int | None
    age: int | None
    """Days since work on it began, or since its status if that is not known; for what is in progress."""
    plan: bool
    """Whether other items hang below it: it only sums them up."""
    due: date | None
    grade: str | None
    found: tuple[Found, ...]

    @property
    def open(self) -> bool:
        """Whether it is not known to be done."""
        return self.category != "done"

    @property
    def band(self) -> str:
        """Of `BANDS`."""
        return _BAND[self.grade] if self.grade else "unknown"


@dataclass(frozen=True, slots=True)
class SourceAge:
    """How old what is known of a source is."""

    source: str
    system: str
    items: int
    as_of: datetime | None
    """When the collection that is furthest behind last answered completely; UTC."""
    age: timedelta | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The open items of one source, project or owner; or of all."""

    name: str
    open: int
    bands: Mapping[str, int]
    """Of `BANDS`, each."""
    grades: Mapping[str, int]
    stuck: int
    findings: int
    """On its open items."""


@dataclass(frozen=True, slots=True)
class Usual:
    """A percentile of the business days that finished items were in a status."""

    percent: int
    least: int
    most: int
    """These differ where collections or types do."""
    items: int

    @property
    def short(self) -> str:
        """`p85: 6`."""
        return f"p{self.percent}: {self.least}" + (f"–{self.most}" if self.most > self.least else "")

    def __str__(self) -> str:
        return f"{self.short} from {self.items} items"


@dataclass(frozen=True, slots=True)
class Column:
    """What is in progress in one status."""

    status: str
    ages: tuple[int, ...]
    """Days, rising."""
    over: int
    """How many are older than the second of the lines."""
    usual: tuple[Usual, ...] = ()
    """What finished items say that rules go by."""

    @property
    def lines(self) -> Mapping[int, int]:
        """Percentile -> days, of these."""
        return percentiles(self.ages)


@dataclass(frozen=True, slots=True)
class Aging:
    """Work in progress: how old, in which status."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    """The oldest first."""
    lines: Mapping[int, int]
    """Percentile -> days; empty if nothing is in progress."""
    usual: bool
    """Whether the lines come from what was finished; else from what is in progress itself."""
    finished: int


@dataclass(frozen=True, slots=True)
class Unstuck:
    """An item that was stuck in the report before, and is not any more."""

    source: str
    key: str
    title: str
    url: str | None
    now: str
    """What became of it."""


@dataclass(frozen=True, slots=True)
class Week:
    """One week, from Monday on."""

    monday: date
    begun: int
    finished: int
    findings: int | None
    """At the end of it; None where no run told."""
    rules: Mapping[str, int]
    """Rule -> items that it found then."""
    grades: Mapping[str, int]
    """Grade -> open items by the last report of the week; empty where none kept it."""

    @property
    def bands(self) -> Mapping[str, int]:
        """Of `BANDS`, each; empty where the grades are."""
        return in_bands(self.grades) if self.grades else {}


@dataclass(frozen=True, slots=True)
class Veto:
    """A label that a person took off, or that was taken back."""

    source: str
    key: str
    title: str
    url: str | None
    label: str
    rule: str
    cause: str
    noticed: date
    until: date


@dataclass(frozen=True, slots=True)
class RuleTold:
    """What one rule found, and what people think of it."""

    rule: str
    says: str
    findings: int
    unknown: int
    vetoes: int
    paused: str | None
    """Why it is, if it is."""


@dataclass(frozen=True, slots=True)
class Report:
    """All of it."""

    made_at: datetime
    """In the zone of the config."""
    rehearsal: bool
    run: int | None
    """The last run that got to its end."""
    items: int
    sources: tuple[SourceAge, ...]
    all: Group
    groups: Mapping[str, tuple[Group, ...]]
    """By source, project and owner; the largest first."""
    rows: tuple[Row, ...]
    """By source, in the order in which items came."""
    aging: Aging
    stuck: tuple[Row, ...]
    """The longest first."""
    compared_with: date | None
    """The day of the report that `unstuck` goes by; None if there is none."""
    unstuck: tuple[Unstuck, ...]
    weeks: tuple[Week, ...]
    graded_since: date
    """The first report that kept how many items had each grade; today, if it is this one."""
    rules: tuple[RuleTold, ...]
    vetoes: tuple[Veto, ...]
    exempt_items: int
    exemptions: tuple[Exemption, ...]
    findings: int
    """On all items, open or not: as many as `unstuck findings` lists."""

    @property
    def oldest(self) -> SourceAge | None:
        """The source whose data is oldest, of those that ever answered."""
        answered = [source for source in self.sources if source.as_of]
        return min(answered, key=lambda source: str(source.as_of), default=None)

    @property
    def warnings(self) -> list[str]:
        """Of all sources."""
        return [warning for source in self.sources for warning in source.warnings]
