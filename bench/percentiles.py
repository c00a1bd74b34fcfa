"""How much CPU time and memory it takes to learn a month's percentiles from a long history.

    python bench/percentiles.py            1,000,000 items with 5,000,000 transitions
    python bench/percentiles.py --small    a form that takes a second
    python bench/percentiles.py --write    and put the table into docs/benchmarks.md

The store is filled by another process, so that the memory is that of learning. Then a ladder with two percentiles is
asked about all items and, on the next day, about what time moved.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tables import peak_mb, put_into_docs

from rules.calendar import Calendar
from rules.engine import Today
from rules.loader import load
from rules.ruleset import RuleSet
from rules.table import moment
from sync import findings, learning
from sync.store import open_store

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
ENOUGH_MB = 100
STATUSES = (("Ready", "todo"), ("Doing", "in_progress"), ("In Review", "in_progress"), ("QA", "in_progress"))
DONE = ("Done", "done")
TYPES = ("Story", "Task", "Bug", "Spike")
ITEMS_OF_A_BOARD = 2_500
RULES = """
[[rule]]
id   = "stuck"
says = "{status} for {business_days_in_status} business days"
when = { status_category = "in progress" }
[rule.ladder]
measure = "business_days_in_status"
steps = [ { over = "p85", otherwise = 10, label = "pmo-slow" },
          { over = "p95", otherwise = 20, label = "pmo-very-slow" } ]
"""

Row = tuple[object, ...]


def history(number: int) -> list[tuple[datetime, str, str]]:
    """The five transitions of an item; two of three items are done after them."""
    chance, found = Random(number), []
    at = NOW - timedelta(days=chance.randrange(20, 500), seconds=chance.randrange(86_400))
    for status, category in STATUSES:
        found.append((at, status, category))
        at += timedelta(hours=chance.expovariate(1 / 60))
    return [*found, (at, *(DONE if number % 3 else STATUSES[1]))]


def items(count: int) -> Iterator[Row]:
    """Of four types, on boards of the same size."""
    for number in range(1, count + 1):
        at, status, category = history(number)[-1]
        board, of_type = str(number // ITEMS_OF_A_BOARD), TYPES[number % len(TYPES)]
        yield (number, "bench", board, number, number, "an item", of_type, status, category, moment(at),
               at.toordinal(), "exact", "[]")  # fmt: skip


def transitions(count: int) -> Iterator[Row]:
    """Of all items."""
    for number in range(1, count + 1):
        before = ("Open", "todo")
        for at, status, category in history(number):
            yield (number, moment(at), *before, status, category)
            before = (status, category)


def fill(path: Path, count: int) -> None:
    """A store as pulls would leave it."""
    with open_store(path) as store, store.transaction() as connection:
        connection.execute("INSERT INTO collection (source, native_id, name) VALUES ('bench', '0', 'a board')")
        connection.executemany(
            "INSERT INTO item (id, source, collection, native_id, key, title, type, status, status_category, "
            "status_since, status_since_day, status_since_is, labels) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            items(count),
        )
        connection.executemany(
            "INSERT INTO transition (item_id, at, from_status, from_category, to_status, to_category, origin) "
            "VALUES (?, ?, ?, ?, ?, ?, 'tool')",
            transitions(count),
        )


def rules(folder: Path) -> RuleSet:
    """With percentiles."""
    file = folder / "rules.toml"
    file.write_text(RULES)
    return load([file])


def main() -> int:
    """Measure, and print a table. 1 if it took more memory than it may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    count = 2_000 if arguments.small else 1_000_000
    if arguments.fill:
        fill(arguments.fill, count)
        return 0
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "unstuck.db"
        small = ["--small"] if arguments.small else []
        subprocess.run([sys.executable, __file__, "--fill", str(path), *small], check=True)
        text, peak = measured(path, rules(Path(name)))
    print(text)
    if arguments.write:
        put_into_docs("percentiles", "Learned thresholds", text)
    return int(peak > ENOUGH_MB)


def measured(path: Path, ruleset: RuleSet) -> tuple[str, float]:
    """The table, and the peak of memory while learning, in MB."""
    today = Today(NOW, UTC, Calendar())
    with open_store(path) as store:
        moves = store.value("SELECT count(*) FROM transition")
        start = time.process_time()
        learning.learn(store, ruleset, today, learning.Clocks(today.calendars, UTC, {}), rehearsal=False)
        learned, peak = time.process_time() - start, peak_mb()
        kinds, stays = store.connection.execute("SELECT count(*) / 2, sum(items) / 2 FROM learned").fetchone()
        seconds = []
        for days in (0, 1):
            start = time.process_time()
            later = Today(NOW + timedelta(days=days), UTC, Calendar())
            findings.evaluate(store, ruleset, later)
            seconds.append(time.process_time() - start)
    rows = (
        ("p85 and p95 of a month", f"{learned:.1f} s", f"{peak:.0f} MB"),
        ("the rule about all items", f"{seconds[0]:.2f} s", ""),
        ("the rule on the next day, nothing changed", f"{seconds[1]:.2f} s", f"{peak_mb():.0f} MB in all"),
    )
    head = f"{moves:,} transitions: {stays:,} stays of {kinds:,} kinds count"
    table = ["| | CPU time | peak memory |", "|---|---:|---:|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join([head, "", *table]), peak


if __name__ == "__main__":
    raise SystemExit(main())
