"""A lively made-up portfolio in three tools (the memory connector's): always the same for the same number of items."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
CONFIG = "timezone = 'Europe/London'\n[calendar]\ncountry = 'GB'\n"
SHARES = {"delivery": 0.6, "boards": 0.25, "portfolio": 0.15}
"""Sources, and how much of everything is in each."""

_STATUSES = {
    "delivery": ("Backlog", "In Progress", "In Review", "Blocked", "Waiting for vendor", "Done"),
    "boards": ("Ideas", "Doing", "Waiting", "Shipped"),
    "portfolio": ("Not started", "In progress", "On hold", "Complete"),
}
_TODO, _DONE = {"Backlog", "Ideas", "Not started"}, {"Done", "Shipped", "Complete"}
_VERBS = ("Move", "Replace", "Shorten", "Automate", "Agree", "Review", "Pilot", "Retire", "Measure", "Translate")
_THINGS = (
    "the returns desk", "supplier invoices", "card terminals in the north", "the loyalty app", "stock counts",
    "night deliveries", "the price file", "opening hours", "gift cards", "the shift planner", "self-checkouts",
    "the complaints inbox", "bakery forecasts", "the fuel contract", "click and collect", "product photos",
)  # fmt: skip
_WHY = ("before Christmas", "for franchise stores", "in wave two", "with the new carrier", "for Ireland", "at last", "")
_TOWNS = """
Ayr Bath Bolton Bury Cardiff Chester Cork Derby Derry Dover Dublin Dundee Durham Ealing Ely Exeter Falkirk Galway Hull
Ipswich Jarrow Kendal Leeds Leek Luton Lynn Margate Neath Newry Oban Oxford Perth Poole Rhyl Ripon Rugby Ryde Stoke
Tralee Truro Wells Whitby Wigan Woking York
"""
_FIRST = ("Ana", "Ben", "Dev", "Grace", "Iris", "Jo", "Kofi", "Lucy", "Marek", "Priya", "Ravi", "Sam", "Tom", "Zoë")
_LAST = ("Barnes", "Cole", "Grant", "Iyer", "Lin", "Marsh", "Mensah", "Nair", "Novak", "Okafor", "Reid", "Ruiz")
_METRICS = (
    ("Complaints a month: 410 to 250", "410", "250"), ("Cost per delivery -6 %", "4.10", "3.85"),
    ("Baskets over £30: +4 points", "31", "35"), ("Churn of card holders -2 points", "11", None),
    ("Happier customers", None, None), ("99.95 % uptime", "99.9", "99.95"), ("TBD", None, None), (None, None, None),
)  # fmt: skip


def worlds(count: int) -> dict[str, dict[str, Any]]:
    """By source, a world for the memory connector; `count` items in all."""
    chance = random.Random(count)
    numbers = iter(range(1, count + 1))
    made: dict[str, dict[str, Any]] = {}
    for source, share in SHARES.items():
        many = round(count * share)
        items = [_item(source, next(numbers), chance) for _ in range(many)]
        names = sorted({item["collection"] for item in items})
        made[source] = {"changed": count, "collections": [{"native_id": name, "name": name} for name in names],
                        "items": items, "deleted": [], "log": []}  # fmt: skip
    return made


def _item(source: str, number: int, chance: random.Random) -> dict[str, Any]:
    status = chance.choice(_STATUSES[source])
    category = "todo" if status in _TODO else "done" if status in _DONE else "in_progress"
    created = NOW - timedelta(days=chance.randrange(20, 500), hours=chance.randrange(24))
    started = created + timedelta(days=chance.randrange(15))
    since = NOW - (NOW - started) * chance.random() ** 3
    metric, baseline, target = chance.choice(_METRICS)
    who = [f"{chance.choice(_FIRST)} {chance.choice(_LAST)}" for _ in range(3)]
    team = f"{source.title()} {chance.choice('ABCDEFGH')}"
    return {
        "native_id": str(number),
        "collection": team,
        "project": team,
        "key": f"{source[:3].upper()}-{number}",
        "title": _title(chance),
        "url": f"https://{source}.example.com/items/{number}",
        "type": "Task",
        "changed": number,
        "status": status,
        "status_category": category,
        "status_since": since.isoformat(),
        "status_since_is": "exact" if chance.random() < 0.9 else "at_least",
        "created_at": created.isoformat(),
        "started_at": None if category == "todo" else started.isoformat(),
        "finished_at": since.isoformat() if category == "done" else None,
        "owner": chance.choice(who) if chance.random() < 0.85 else None,
        "sponsor": chance.choice(who) if chance.random() < 0.8 else None,
        "labels": [],
        "outcome_metric": metric,
        "outcome_baseline": baseline,
        "outcome_target": target,
        "outcome_category": "Grow" if metric else None,
        "outcome_reviewed_at": (NOW - timedelta(days=chance.randrange(150))).isoformat() if metric else None,
    }


def _title(chance: random.Random) -> str:
    place = f"in {chance.choice(_TOWNS.split())}"
    return " ".join((chance.choice(_VERBS), chance.choice(_THINGS), place, chance.choice(_WHY))).strip()


def lay(folder: Path, count: int, more: str = "") -> None:
    """Write the worlds and a config for them into a folder."""
    config = CONFIG
    for source, world in worlds(count).items():
        (folder / f"{source}.json").write_text(json.dumps(world), encoding="utf-8")
        config += f'[sources.{source}]\nsystem = "memory"\nworld = "{source}.json"\npage_size = 1000\n'
    (folder / "config.toml").write_text(config + more, encoding="utf-8")
