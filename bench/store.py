"""Storing work items: a first time, again unchanged, with 1 % changed, and with all of them changed.

    python bench/store.py            100,000 and 1,000,000 items (4 GB of disk, a quarter of an hour)
    python bench/store.py --small    2,000 only
    python bench/store.py --write    also put the table into docs/benchmarks.md

unstuck takes pages of work items as a run does (`sync.pull`), into its own store with all indexes and triggers. The
others get the same pages and make the same rows of them with the same function, into one table with a key and nothing
else, by an upsert in one transaction a page, as durable as ours. CPU counts, without what making items up takes. Every
way and size has a process and a file of its own. Exits 1 if a limit is missed, which --small only shows.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

from tables import peak_mb, put_into_docs, with_bytecode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIZES, SMALL = (100_000, 1_000_000), (2_000,)
PAGE = 500
ROUNDS = {"first": 0, "unchanged": 0, "1 % changed": 100, "all changed": 1}
"""In each round, one item of so many is edited; 0 is none."""
CONFIG = '[sources.bench]\nsystem = "steady"\n'

Taker = Callable[[tuple[Any, ...]], object]
"""Stores a page of work items."""


def pages(count: int, every: int) -> Iterator[tuple[Any, ...]]:
    """All items, in pages; one of `every` is edited."""
    from generators.items import items
    from generators.steady import NOW

    page = []
    for number, item in enumerate(items(count, NOW)):
        edited = every and number % every == 0
        page.append(replace(item, title=f"{item.title}, one of {every}") if edited else item)
        if len(page) == PAGE or number == count - 1:
            yield tuple(page)
            page.clear()


# Ways


def unstuck(folder: Path) -> Taker:
    """What becomes of a page that a connector gives."""
    from generators.steady import NOW

    from connectors.base import Collection, Page
    from rules.grading import Grader
    from sync import config as configs
    from sync.pull import Came, SourcePull, Terms
    from sync.store import open_store

    (folder / "config.toml").write_text(CONFIG)
    config = configs.load(folder / "config.toml")
    source = config.sources["bench"]
    terms = Terms(NOW, Grader(), config.finder, config.brakes)
    pull = SourcePull(open_store(folder / "items.db"), source, source.connector(source.setup), terms)
    return lambda items: pull.take(Came(Collection("bench", "bench"), Page(items=items)))


def rows_of(items: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """What all others store: the columns that unstuck stores, long texts among them."""
    from rules.grading import Grader
    from rules.table import detail_row, pulled_row

    grader = Grader()
    return [(*pulled_row(item, UTC, grader), *detail_row(item)) for item in items]


def columns() -> tuple[str, ...]:
    from rules.table import PULLED

    return (*PULLED, "description", "fields")


KEY = ("source", "native_id")
DETAIL = (
    "INSERT INTO item_detail VALUES ((SELECT id FROM item WHERE source = ? AND native_id = ?), ?, ?) "
    "ON CONFLICT (item_id) DO UPDATE SET description = excluded.description, fields = excluded.fields"
)


def connected(folder: Path) -> sqlite3.Connection:
    """A file that is as safe from a power cut as ours."""
    connection = sqlite3.connect(folder / "items.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"CREATE TABLE item ({', '.join(columns())}, PRIMARY KEY {KEY})".replace("'", ""))
    return connection


def raw(folder: Path) -> Taker:
    """`executemany` of an upsert."""
    connection, names = connected(folder), columns()
    upsert = (
        f"INSERT INTO item VALUES ({', '.join('?' * len(names))}) ON CONFLICT (source, native_id) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in names)
    )

    def take(items: tuple[Any, ...]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(upsert, rows_of(items))
        connection.execute("COMMIT")

    return take


def raw_inside(folder: Path) -> Taker:
    """The same into unstuck's own tables, with all their indexes and triggers."""
    from rules.table import PULLED
    from sync.store import open_store

    connection, at = open_store(folder / "items.db").connection, (PULLED.index("source"), PULLED.index("native_id"))
    upsert = (
        f"INSERT INTO item ({', '.join(PULLED)}) VALUES ({', '.join('?' * len(PULLED))}) "
        "ON CONFLICT (source, native_id) DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in PULLED)
    )

    def take(items: tuple[Any, ...]) -> None:
        rows = rows_of(items)
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(upsert, [row[:-2] for row in rows])
        connection.executemany(DETAIL, [(row[at[0]], row[at[1]], *row[-2:]) for row in rows])
        connection.execute("COMMIT")

    return take


def rows_alone(_: Path) -> Taker:
    """What all but unstuck do before they store."""
    return rows_of


def sqlite_utils(folder: Path) -> Taker:
    """`upsert_all` in one `atomic()`, which is its fastest."""
    from sqlite_utils import Database

    database, names = Database(connected(folder)), columns()

    def take(items: tuple[Any, ...]) -> None:
        rows = [dict(zip(names, row, strict=True)) for row in rows_of(items)]
        with database.atomic():
            database.table("item").upsert_all(rows, pk=KEY)

    return take


def sqlalchemy(folder: Path) -> Taker:
    """Core: one statement with a list of parameters."""
    from sqlalchemy import Column, MetaData, Table, create_engine
    from sqlalchemy.dialects.sqlite import insert

    connected(folder).close()
    engine, names = create_engine(f"sqlite:///{folder / 'items.db'}"), columns()
    table = Table("item", MetaData(), *(Column(name, primary_key=name in KEY) for name in names))
    new = insert(table)
    upsert = new.on_conflict_do_update(index_elements=KEY, set_={name: new.excluded[name] for name in names})

    def take(items: tuple[Any, ...]) -> None:
        with engine.begin() as connection:
            connection.execute(upsert, [dict(zip(names, row, strict=True)) for row in rows_of(items)])

    return take


WAYS: Mapping[str, Callable[[Path], Taker]] = {
    "unstuck": unstuck,
    "raw sqlite3": raw,
    "raw, inside": raw_inside,
    "rows alone": rows_alone,
    "sqlite-utils": sqlite_utils,
    "SQLAlchemy": sqlalchemy,
}


# Measuring


def child(way: str, folder: Path, count: int) -> dict[str, Any]:
    """In a process of its own: seconds of CPU of each round, and by how much the files grew in the unchanged one."""
    take, said = WAYS[way](folder), dict[str, Any]()
    for name, every in ROUNDS.items():
        seconds, before = 0.0, size_of(folder)
        for page in pages(count, every):
            start = time.process_time()
            take(page)
            seconds += time.process_time() - start
        said |= {name: seconds, f"{name}, grown": size_of(folder) - before}
    if size_of(folder):
        with sqlite3.connect(folder / "items.db") as connection:
            edited = "SELECT count(*) FROM item WHERE title LIKE '%, one of 1'"
            said["stored"] = connection.execute(edited).fetchone()[0]
    return {**said, "peak": peak_mb()}


def size_of(folder: Path) -> int:
    """Bytes of the file and its `-wal`."""
    return sum(file.stat().st_size for file in folder.glob("items.db*") if not file.name.endswith("-shm"))


def measured(way: str, count: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as folder:
        command = [sys.executable, __file__, "--child", way, folder, str(count)]
        done = subprocess.run(command, env=with_bytecode(), stdout=subprocess.PIPE, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    if said.get("stored", count) != count:
        raise SystemExit(f"{way} stored {said['stored']} of {count} items")
    return said


MOST = {"first": 1.3, "unchanged": 0.25}
"""How many times what raw sqlite3 takes ours may take."""
LEAST = {"sqlite-utils": 3.0, "SQLAlchemy": 2.0}
"""How many times what ours takes the others must take, in every round."""


def lines(count: int, found: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """The rows of one size, and what is missed."""
    mine, plain = found["unstuck"], found["raw sqlite3"]
    rows, missed = list[str](), list[str]()
    for name in ROUNDS:
        share, most, inside = mine[name] / plain[name], MOST.get(name), found["raw, inside"][name]
        times = {way: found[way][name] / mine[name] for way in LEAST}
        cells = [f"{count:,}", name, f"{mine[name]:.2f} s", f"{plain[name]:.2f} s", f"{share:.2f}×"]
        cells += [f"{most}×" if most else "", f"{mine[name] / inside:.2f}×"]
        cells += [f"{found['rows alone'][name]:.2f} s", *(f"{each:.1f}×" for each in times.values())]
        rows.append(f"| {' | '.join(cells)} |")
        missed += [f"{count:,}, {name}: {share:.2f}× of raw"] if most and share > most else []
        missed += [f"{count:,}, {name}: {way} takes {each:.1f}×" for way, each in times.items() if each < LEAST[way]]
    grown = mine["unchanged, grown"]
    rows.append(f"| {count:,} | bytes by which file and WAL grew, unchanged | {grown} | | | 0 | | | | |")
    rows.append(f"| {count:,} | peak memory | {mine['peak']:.0f} MB | {plain['peak']:.0f} MB | | | | | | |")
    return rows, [*missed, *([f"{count:,}: unchanged rows take {grown} bytes"] if grown else [])]


def table(sizes: tuple[int, ...]) -> tuple[str, list[str]]:
    """Measure, and make the table in Markdown; also what is missed."""
    over = " | ".join(f"{way}, {least:.0f}× or more" for way, least in LEAST.items())
    rows = [
        "| items | round | unstuck, CPU | raw sqlite3 | ratio | limit | beside raw in unstuck's own tables "
        f"| making rows alone | {over} |"
    ]
    rows.append("|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    missed = list[str]()
    for count in sizes:
        more, less = lines(count, {way: measured(way, count) for way in WAYS})
        rows, missed = rows + more, missed + less
        print("\n".join(rows), flush=True)
    return "\n".join(rows), missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--child", nargs=3, metavar=("WAY", "FOLDER", "ITEMS"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        way, folder, count = chosen.child
        print(json.dumps(child(way, Path(folder), int(count))))
        return 0
    text, missed = table(SMALL if chosen.small else SIZES)
    if chosen.write:
        put_into_docs("store", "Storing", text)
    for each in missed:
        print(f"missed: {each}", file=sys.stderr)
    return 1 if missed and not chosen.small else 0


if __name__ == "__main__":
    sys.exit(main())
