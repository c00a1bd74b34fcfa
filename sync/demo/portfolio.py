"""What the made-up company works on: drawn from a seed, the same each time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class Stage(StrEnum):
    """How far a piece of work is; each tool has its own words for it."""

    TODO = "to do"
    DOING = "in progress"
    REVIEW = "in review"
    DONE = "done"


FIELDS = {
    "sponsor": "Executive sponsor",
    "outcome_metric": "Success metric",
    "outcome_baseline": "Baseline",
    "outcome_target": "Target",
    "outcome_category": "Business goal",
    "outcome_reviewed_at": "Metric reviewed",
}
"""What a rule calls it -> what the company calls it, in each of its tools."""

PEOPLE = ("Nadia Brooks", "Leah Stone", "Tom Okafor", "Ines Duarte", "Ravi Menon", "Greta Lind")
SPONSORS = ("Helen Marsh", "Omar Haddad", "Sofia Keller")
GOALS = ("Grow", "Reduce cost", "Improve customer experience", "Manage risk")
METRICS = (
    ("Abandoned baskets", "31 %", "24 %"),
    ("Calls to the hotline per week", "400", "150"),
    ("Customer churn per year", "5 %", "3 %"),
    ("Days from order to delivery", "4.5", "2"),
    ("Stock write-offs per quarter", "220 k€", "120 k€"),
    ("Minutes to close a till", "35", "10"),
)
"""A measure, where it stood, and where it is to go."""
NO_METRICS = ("TBD", "n/a", "99.9 % uptime", "Team velocity", "Happier customers", "Better reporting")
"""What people write to get past the form."""

VERBS = ("Renew", "Simplify", "Automate", "Merge", "Speed up", "Retire")
THINGS = {
    "delivery": ("the checkout", "order tracking", "card payments", "the search", "gift cards", "the price feed"),
    "boards": ("the spring campaign", "the newsletter", "store signage", "the press kit", "loyalty offers"),
    "sheets": ("the supplier audit", "fire safety checks", "the lease review", "returns at the till", "staff rotas"),
    "rooms": ("the hiring page", "onboarding", "the travel policy", "exit interviews", "the training catalogue"),
    "plans": ("the warehouse layout", "the conveyor", "dock scheduling"),
}
"""By source: what it is about."""


@dataclass
class Work:
    """One piece of work as people know it."""

    source: str
    title: str
    owner: str | None
    history: Sequence[tuple[datetime, Stage]]
    """When it came into each stage, the first of which is when it was written down; oldest first, aware."""
    values: dict[str, str] = field(default_factory=dict)
    """By the names of `FIELDS`."""
    stage: Stage = Stage.TODO
    """Where it is now."""


def portfolio(seed: int, now: datetime) -> list[Work]:
    """All that the company works on at the moment `now`, some of it for months."""
    chance = random.Random(seed)  # noqa: S311 - a made-up company is no secret
    return [work for source in THINGS for work in _works(source, chance, now)]


def _works(source: str, chance: random.Random, now: datetime) -> Iterator[Work]:
    titles = [f"{verb} {thing}" for thing in THINGS[source] for verb in VERBS]
    for title in chance.sample(titles, len(titles) * 5 // 6):
        yield Work(source, title, _owner(chance), list(_history(chance, now)), _values(chance, now))


def new_work(chance: random.Random, now: datetime, number: int) -> Work:
    """What somebody has just written down, in a hurry: mostly without saying what it is for."""
    source = chance.choice([name for name in THINGS if name != "plans"])
    title = f"{chance.choice(VERBS)} {chance.choice(THINGS[source])} once more ({number})"
    return Work(source, title, _owner(chance), [(now, Stage.TODO)], _values(chance, now) if number % 2 else {})


def good_metric(chance: random.Random, now: datetime) -> dict[str, str]:
    """A measure with all that belongs to it, looked at a moment ago."""
    metric, baseline, target = chance.choice(METRICS)
    texts = (f"{metric}: from {baseline} to {target}", baseline, target, chance.choice(GOALS), f"{now:%Y-%m-%d}")
    return dict(zip(list(FIELDS)[1:], texts, strict=True))


def _owner(chance: random.Random) -> str | None:
    return chance.choice(PEOPLE) if chance.random() < 0.93 else None


def _history(chance: random.Random, now: datetime) -> Iterator[tuple[datetime, Stage]]:
    """A start up to half a year ago, and how far it came since."""
    far = chance.choices(range(4), weights=(5, 4, 2, 3))[0]
    days = sorted((chance.triangular(1, 120, 1) ** 2 / 90 + 1 for _ in range(far + 1)), reverse=True)
    for stage, ago in zip(Stage, days, strict=False):
        yield (now - timedelta(days=ago)).replace(microsecond=0), stage


def _values(chance: random.Random, now: datetime) -> dict[str, str]:
    """Mostly a sponsor and a metric worth the name; else what was left out, or is none."""
    values = {"sponsor": chance.choice(SPONSORS)} if chance.random() < 0.8 else {}
    drawn = chance.random()
    if drawn < 0.8:
        values |= good_metric(chance, now - timedelta(days=chance.randrange(5, 110)))
    elif drawn < 0.92:
        values |= {"outcome_metric": chance.choice(NO_METRICS)}
    return values
