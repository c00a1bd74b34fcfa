"""Links and initiatives over many items: how long they take beside the rules, at first and when 1 % changed.

    python bench/links.py            1,000,000 items, 100,000 links, 50,000 initiatives that all items are in
    python bench/links.py --small    a form that takes a second
    python bench/links.py --write    also put the table into docs/benchmarks.md

Seconds of a run's linking (`sync.initiatives.update`) and of its evaluation of the shipped rules, on one store; of the
days after the first, the median of three. Exits 1 if a new day's links cost more than its rules, which --small only
shows.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from generators.items import items
from tables import peak_mb, put_into_docs

from rules import engine, grading, table
from rules.calendar import Calendar
from rules.loader import builtin_files, load
from sync import findings, initiatives, links
from sync.merging import Order, Settings
from sync.store import Store, open_store

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
WANTED = Settings(links.Terms(tools=True), Order(("bench", "other"), {}, frozenset(), "pmo-", grading.Placeholders()))


FEW = 0.02
"""Of the changed items, so many lose their links."""


def fill(store: Store, count: int) -> None:
    """Plans of ten items, in turn in one tool and in the other; each is linked with its neighbour, both ways."""
    grader = grading.Grader()
    names = (*table.PULLED, "first_seen")
    with store.transaction() as connection:
        connection.executemany(
            f"INSERT INTO item ({', '.join(names)}) VALUES ({', '.join('?' for _ in names)})",
            ((*table.pulled_row(item, UTC, grader), "") for item in items(count, NOW)),
        )
        connection.execute("UPDATE item SET source = 'other' WHERE CAST(native_id AS INTEGER) / 10 % 2")
        connection.execute("INSERT INTO item_detail (item_id) SELECT id FROM item")
        connection.execute(
            "INSERT INTO given_link SELECT a.id, b.url FROM item a JOIN item b ON b.id = "
            "CASE a.source WHEN 'other' THEN a.id - 10 ELSE a.id + 10 END WHERE a.parent_native_id IS NULL"
        )


def change(store: Store, count: int, chance: random.Random) -> None:
    """People change one item of a hundred: some move on, some get a sponsor or progress; and a few links go."""
    now = table.moment(NOW)
    changes = (
        ("status = 'In Review', status_since = ?", now),
        ("percent_complete = ?", chance.randrange(100)),
        ("sponsor = ?", f"somebody {chance.random()}"),
    )
    with store.transaction() as connection:
        for item in chance.sample(range(1, count + 1), max(1, count // 100)):
            columns, value = chance.choice(changes)
            connection.execute(f"UPDATE item SET {columns} WHERE id = ?", (value, item))
            if chance.random() < FEW:
                connection.execute("DELETE FROM given_link WHERE item_id = ?", (item,))


def run(store: Store, day: int) -> tuple[float, float]:
    """Seconds of linking, and of the rules with what they need."""
    moment = NOW + timedelta(days=day)
    ruleset = load(builtin_files())
    start = time.perf_counter()
    findings.link(store, findings.Links((), {}, {}))
    parents = time.perf_counter()
    initiatives.update(store, WANTED, moment)
    linked = time.perf_counter()
    findings.evaluate(store, ruleset, engine.Today(moment, UTC, Calendar()))
    return linked - parents, time.perf_counter() - linked + parents - start


def measure(count: int) -> tuple[str, bool]:
    """The table, and whether a new day's links cost less than its rules."""
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "unstuck.db") as store:
        fill(store, count)
        first, days, chance = run(store, 0), list[tuple[float, float]](), random.Random(1)
        for day in (1, 2, 3):
            change(store, count, chance)
            days.append(run(store, day))
        there = store.value("SELECT count(*) FROM link"), store.value("SELECT count(*) FROM initiative")
    linked, ruled = (statistics.median(each) for each in zip(*days, strict=True))
    lines = [
        f"{count:,} items, {there[0]:,} links, {there[1]:,} initiatives; peak memory {peak_mb():.0f} MB.\n",
        "| | links and initiatives | rules | ratio | limit |\n|---|--:|--:|--:|--:|",
        f"| first run | {first[0]:.2f} s | {first[1]:.2f} s | {first[0] / first[1]:.2f}× | |",
        f"| a new day, 1 % changed | {linked:.2f} s | {ruled:.2f} s | {linked / ruled:.2f}× | below 1× |",
    ]
    return "\n".join(lines), linked < ruled


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    table_, within = measure(2_000 if chosen.small else 1_000_000)
    print(table_)
    if chosen.write:
        put_into_docs("links", "Links and initiatives", table_)
    return 0 if within or chosen.small else 1


if __name__ == "__main__":
    sys.exit(main())
