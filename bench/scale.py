"""Where one machine ends: a simulated working day of a company with many sources, on one machine and on many.

The product's own limits (`connectors.http.policy`) and measured costs go in; nothing is sent anywhere. Prints the two
tables of docs/scale.md; `--write` puts them there.
"""

from __future__ import annotations

import math
import random
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tables import put_into_docs

from connectors.http.policy import JiraPolicy, MondayPolicy, SmartsheetPolicy, TrelloPolicy

DOCS = Path(__file__).resolve().parent.parent / "docs/scale.md"

# Measured: docs/benchmarks.md, in seconds of one core.
START = 0.4
"""A command that runs, before it pulls."""
EACH_CHANGED = 0.00025
"""One changed item: read, parsed, stored, linked, evaluated and planned."""
EACH_READ = 0.00012
"""One item of a full sweep that is as it was: read, parsed and compared."""
EACH_SOURCE = 0.01
"""A source in which nothing changed."""


@dataclass(frozen=True, slots=True)
class System:
    """What one token of a system allows, and what things cost there."""

    name: str
    rate: float
    """Requests a second."""
    items: float
    """Items a request, history included."""
    idle: int
    """Requests of a run that finds nothing new, for each of its collections."""
    changes: float
    """Label changes a request, with the readings right before them."""
    daily: int | None = None
    """Requests a day that the plan of a middling customer allows."""


SYSTEMS = (
    System("Jira", JiraPolicy.rate, 75, 3, 0.5),
    System("Trello", TrelloPolicy.rate, 190, 1, 0.5),
    System("Smartsheet", SmartsheetPolicy.rate, 500, 1, 165),
    System("monday.com", MondayPolicy.rate, 475, 1, 0.33, daily=10_000),
)


def allowances() -> list[str]:
    """What each API allows in an hour and a day."""
    rows = [
        "| system | requests a second, one token | items an hour, first pull | label changes an hour "
        "| runs a day over 20 unchanged collections |",
        "|---|--:|--:|--:|--:|",
    ]
    for system in SYSTEMS:
        hourly = system.rate * 3600 if system.daily is None else min(system.rate * 3600, system.daily)
        daily = system.rate * 86_400 if system.daily is None else system.daily
        idle = system.idle * (1 if system.name == "Jira" else 20)
        rows.append(
            f"| {system.name} | {system.rate:g} | {hourly * system.items:,.0f} | {hourly * system.changes:,.0f} "
            f"| {daily / idle:,.0f} |"
        )
    return rows


ITEMS = 20_000
"""Of one source."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Sources of 20,000 items each, of which some change in a working day."""

    sources: int
    machines: int
    cores: int = 2
    items: int = ITEMS
    changed_a_day: float = 0.05
    every: float = 900.0
    """Seconds between runs."""
    budget: float = 600.0
    """Seconds; a source's turn ends after so long."""
    slow: float = 0.01
    """Share of turns in which the tool is down or drags, and the budget is used up."""


def ages(fleet: Fleet, seed: int = 1) -> list[float]:
    """How old data was at evenly spread moments of a working day of ten hours, in seconds, sorted.

    Sources are spread over the machines, and each machine runs its own by cron.
    """
    chance = random.Random(seed)
    found: list[float] = []
    for machine in range(fleet.machines):
        runs = _runs(fleet, len(range(machine, fleet.sources, fleet.machines)), chance)
        for (begun, ended), (_, next_ended) in pairwise(runs):
            found += [ended - begun + (next_ended - ended) * part / 10 for part in range(10)]
    return sorted(found)


def _runs(fleet: Fleet, sources: int, chance: random.Random) -> list[tuple[float, float]]:
    """(begin, end) of each run of one machine. One that is due while another goes on is left out, as by cron."""
    done: list[tuple[float, float]] = []
    due, before = 0.0, -fleet.every
    while due < 36_000:
        ended = due + _run(fleet, sources, due - before, chance)
        done.append((due, ended))
        due, before = fleet.every * math.ceil(max(ended, due + 1) / fleet.every), due
    return done


def _run(fleet: Fleet, sources: int, since: float, chance: random.Random) -> float:
    """Seconds of one run: sources wait side by side, and share the cores."""
    used, slowest = START, 0.0
    for _ in range(sources):
        system = chance.choice(SYSTEMS)
        changed = fleet.items * fleet.changed_a_day * since / 36_000
        requests = system.idle + changed / system.items
        answered = sum(chance.lognormvariate(-1.2, 0.6) for _ in range(min(50, math.ceil(requests))))
        waits = max(requests / system.rate, answered)
        if chance.random() < fleet.slow:
            waits = fleet.budget
        used += EACH_SOURCE + changed * EACH_CHANGED
        slowest = max(slowest, waits)
    return max(slowest, used / fleet.cores)


def sweep(fleet: Fleet) -> float:
    """Seconds of a full sweep on the machine that has the most sources: its systems' pages, or its own cores."""
    mine = math.ceil(fleet.sources / fleet.machines)
    slowest = max(fleet.items / system.items / system.rate for system in SYSTEMS)
    return max(slowest, START + mine * fleet.items * EACH_READ / fleet.cores)


def days(small: bool) -> list[str]:
    """The same company on one machine and on many."""
    rows = [
        "| sources | items | machines | data is younger than, half of the time | 95 % of it | a full sweep takes |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for sources in (5, 20) if small else (5, 20, 100, 400, 1_000):
        for machines in dict.fromkeys((1, math.ceil(sources / 20), sources)):
            fleet = Fleet(sources, machines)
            age = ages(fleet)
            rows.append(
                f"| {sources:,} | {sources * ITEMS:,} | {machines:,} | {age[len(age) // 2] / 60:.0f} min "
                f"| {age[len(age) * 95 // 100] / 60:.0f} min | {sweep(fleet) / 60:.1f} min |"
            )
    return rows


def main() -> int:
    tables = "\n".join([*allowances(), "", *days("--small" in sys.argv)])
    print(tables)
    if "--write" in sys.argv:
        put_into_docs("scale", "In numbers", tables, DOCS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
