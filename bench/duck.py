"""The rules of bench/rules.py in DuckDB: the same rows in its memory, a statement by hand for each rule."""

from __future__ import annotations

import csv
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb

TYPES = {"id": "INTEGER", "outcome_id": "INTEGER", "percent_complete": "DOUBLE", "metric_grade": "INTEGER"}
TEXTS = (
    "status",
    "status_category",
    "type",
    "title",
    "priority",
    "owner",
    "sponsor",
    "missing_since",
    *(f"outcome_{name}" for name in ("metric", "category", "baseline", "target")),
)
DAYS = ("created_at_day", "status_since_day", "due_at_day", "outcome_reviewed_at_day")
COLUMNS = TYPES | dict.fromkeys(TEXTS, "VARCHAR") | dict.fromkeys(DAYS, "INTEGER")
"""Of `item`, what the statements read."""
NOTHING = "\\N"
"""NULL in the file: an empty text is something else."""


def load(path: Path, folder: Path) -> Any:
    """A DuckDB in memory with the items and the calendar of the store at `path`."""
    database = duckdb.connect()
    with sqlite3.connect(path) as store:
        calendar = {"day": "INTEGER", "business": "INTEGER"}
        for name, columns, where in (("item", COLUMNS, "true"), ("calendar_day", calendar, "calendar = 0")):
            rows = store.execute(f"SELECT {', '.join(columns)} FROM {name} WHERE {where}")
            _copy(database, name, columns, rows, folder / f"{name}.csv")
    return database


def _copy(database: Any, name: str, columns: dict[str, str], rows: Iterable[tuple[Any, ...]], file: Path) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([NOTHING if value is None else value for value in row] for row in rows)
    database.execute(f"CREATE TABLE {name} ({', '.join(f'{column} {type_}' for column, type_ in columns.items())})")
    database.execute(f"COPY {name} FROM '{file}' (HEADER false, NULLSTR '{NOTHING}')")
    file.unlink()


def measure(database: Any, statements: Iterable[str], rounds: int) -> tuple[float, list[tuple[Any, ...]]]:
    """Seconds of the fastest round of all statements, and what they found: rule, findings, sum of the items' ids."""
    times = []
    for _ in range(rounds):
        database.execute("CREATE OR REPLACE TEMP TABLE hand (item_id INTEGER, rule TEXT, label TEXT, reason TEXT)")
        start = time.perf_counter()
        for statement in statements:
            database.execute(statement)
        times.append(time.perf_counter() - start)
    found = "SELECT rule, count(*), CAST(sum(item_id) AS BIGINT) FROM hand GROUP BY rule ORDER BY rule"
    return min(times), database.execute(found).fetchall()
