"""Work items as a company might have them: always the same for the same number."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from connectors.model import Certainty, ItemRef, StatusCategory, WorkItem

STATUSES = (
    ("Backlog", StatusCategory.TODO),
    ("To Do", StatusCategory.TODO),
    ("In Progress", StatusCategory.IN_PROGRESS),
    ("In Review", StatusCategory.IN_PROGRESS),
    ("Blocked", StatusCategory.IN_PROGRESS),
    *[("Done", StatusCategory.DONE)] * 5,
)
_METRICS = ("Churn -2 points", "Cost per order -5 %", "99.9 % uptime", "Happier customers", "TBD", "n/a", None, None)
_PEOPLE = tuple(f"person{number:03}" for number in range(200))


def items(count: int, now: datetime) -> Iterator[WorkItem]:
    """So many items: one in ten is an Epic that carries an outcome, and the others inherit."""
    chance = random.Random(count)
    for number in range(count):
        yield item(number, chance, now)


def item(number: int, chance: random.Random, now: datetime) -> WorkItem:
    """One of them."""
    is_epic = number % 10 == 0
    status, category = chance.choice(STATUSES)
    created = now - timedelta(days=chance.randrange(700), hours=chance.randrange(24))
    since = created + (now - created) * chance.random()
    metric = chance.choice(_METRICS) if is_epic else None
    return WorkItem(
        ItemRef("bench", str(number)),
        key=f"B-{number}",
        title=f"{chance.choice(('Checkout', 'Billing', 'migration of', 'Portal', 'Reports'))} {number}",
        collection="bench",
        url=f"https://tool.example/items/B-{number}",
        type="Epic" if is_epic else chance.choice(("Story", "Task", "Bug")),
        project=f"project {number % 40}",
        parent_ref=None if is_epic else ItemRef("bench", str(number - number % 10)),
        status=status,
        status_category=category,
        status_since=since,
        status_since_is=Certainty.EXACT,
        created_at=created,
        started_at=since if category is not StatusCategory.TODO else None,
        due_at=now + timedelta(days=chance.randrange(-200, 300)) if chance.random() < 0.4 else None,
        percent_complete=float(chance.choice((0, 0, 10, 50, 90))),
        priority=chance.choice(("Low", "Medium", "High")),
        assignees=(chance.choice(_PEOPLE),) if chance.random() < 0.7 else (),
        owner=chance.choice(_PEOPLE) if chance.random() < 0.8 else None,
        sponsor=chance.choice(("Ada Lovelace", "Grace Hopper", "Alan Turing", "TBD", "n/a", None)),
        labels=(f"team-{number % 12}",),
        outcome_metric=metric,
        outcome_category="Grow" if metric and chance.random() < 0.7 else None,
        outcome_baseline="10" if metric and chance.random() < 0.8 else None,
        outcome_target="5" if metric and chance.random() < 0.8 else None,
        outcome_reviewed_at=now - timedelta(days=chance.randrange(200)) if metric else None,
        description="What it is about, in some sentences that no rule reads. " * 5,
    )
