"""Stores of every earlier version become today's, with all that they hold, wherever the process is killed."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from rules import table
from sync.migrations import migrations
from sync.store import APPLICATION_ID, damage, open_store
from tests.sync.town import ROOT, Town

STEPS = migrations.names

LATER_COLUMNS = {"calendar": "m005_calendars", "metric_described": "m006_described_metrics"}
"""Columns that the first step makes today, and did not make until the step that adds them came."""

ITEM = "source, collection, native_id, key, title, status, status_category, labels"
DATA = {
    "item": f"INSERT INTO item (id, {ITEM}, first_seen) VALUES "
    "(1, 'tool', 'B1', '1', 'APP-1', 'Ours', 'Doing', 'in_progress', '[\"pmo-no-sponsor\"]', '2026-01-05T09:00:00Z'),"
    "(2, 'tool', 'B1', '2', 'APP-2', 'Vetoed', 'Doing', 'in_progress', '[]', '2026-01-05T09:00:00Z'),"
    "(3, 'tool', 'B1', '3', 'APP-3', 'Half written', 'Doing', 'in_progress', '[]', '2026-01-05T09:00:00Z')",
    "item_detail": "INSERT INTO item_detail VALUES (1, 'A description', '{}'), (2, NULL, '{}'), (3, NULL, '{}')",
    "transition": "INSERT INTO transition (item_id, at, to_status, origin) "
    "VALUES (1, '2026-01-06T09:00:00Z', 'Doing', 'observed')",
    "collection": "INSERT INTO collection (source, native_id, name, complete_at) "
    "VALUES ('tool', 'B1', 'Delivery', '2026-01-07T09:00:00Z')",
    "run": "INSERT INTO run (id, started_at, command) VALUES (1, '2026-01-07T09:00:00Z', 'run')",
    "finding": "INSERT INTO finding VALUES "
    "(1, 'no-sponsor', 'pmo-no-sponsor', 'Nobody sponsors it', '2026-01-07T09:00:00Z')",
    "rule_count": "INSERT INTO rule_count VALUES ('no-sponsor', 1, 3, 3, 0)",
    "ledger": "INSERT INTO ledger (item_id, label, rule, reason, run_id, put_at) VALUES "
    "(1, 'pmo-no-sponsor', 'no-sponsor', 'Nobody sponsors it', 1, '2026-01-07T09:00:00Z')",
    "veto": "INSERT INTO veto (item_id, label, rule, noticed_at, until, status) VALUES "
    "(2, 'pmo-no-sponsor', 'no-sponsor', '2026-03-07T09:00:00Z', '2026-06-07T09:00:00Z', 'Doing')",
    "journal": "INSERT INTO journal (run_id, item_id, action, label, rule, reason, intent_at) VALUES "
    "(1, 3, 'add', 'pmo-no-sponsor', 'no-sponsor', 'Nobody sponsors it', '2026-01-07T09:00:00Z')",
    "setting": "INSERT INTO setting VALUES ('grader', 'an old one')",
}
"""What a store held: a label of ours, one that a person took off, and a write whose result never came."""


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def make_old(path: Path, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store as a version with the first so many steps left it, with data in every table."""
    declared = table.TABLES
    for column, step in LATER_COLUMNS.items():
        if STEPS.index(step) >= steps:
            declared, times = re.subn(rf"\b{column} INTEGER NOT NULL DEFAULT 0,\s*", "", declared)
            assert times == 1
    monkeypatch.setattr(table, "TABLES", declared)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrations.apply(Database(connection), stop_before=STEPS[steps] if steps < len(STEPS) else None)
        for name, statement in DATA.items():
            if name in tables(connection):
                connection.execute(statement)
    monkeypatch.undo()


def shape(path: Path) -> dict[str, object]:
    """Everything in the schema but indexes that a run makes for its rules, in whatever order columns were added."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE 'item_by_%'"
        ).fetchall()
        return {
            name: sorted(column[1:] for column in connection.execute(f"PRAGMA table_info({name})"))
            if kind == "table"
            else sql
            for kind, name, sql in rows
        }


@pytest.mark.parametrize("steps", range(1, len(STEPS) + 1), ids=lambda steps: STEPS[steps - 1])
def test_a_store_of_an_earlier_version_is_gone_on_with(
    town: Town, steps: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = town.folder / "unstuck.db"
    make_old(store, steps, monkeypatch)
    town.add(1, sponsor="Ada", labels=["pmo-no-sponsor"])
    town.add(2, sponsor="")
    town.add(3, sponsor="", labels=["pmo-no-sponsor"])
    said = town.unstuck("run", "--apply")
    assert said.code == 0, said.err
    with open_store(tmp_path / "fresh.db"):
        assert shape(store) == shape(tmp_path / "fresh.db")
    with closing(sqlite3.connect(store)) as connection:
        assert damage(connection) is None
        [first_seen] = connection.execute("SELECT first_seen FROM item WHERE key = 'APP-1'").fetchone()
        assert first_seen == "2026-01-05T09:00:00Z"
        assert connection.execute("SELECT count(*) FROM transition WHERE origin = 'observed'").fetchone() == (1,)
        ours = set(connection.execute("SELECT item_id FROM ledger"))
    if steps == 1:  # there was no ledger yet: nothing is known to be ours
        assert town.labels(1) == ["pmo-no-sponsor"]
    else:
        assert town.labels(1) == []  # it was known to be ours
        assert town.labels(2) == []  # a person's no still holds
        assert ours == {(3,)}  # what a killed run left open was settled


KILLED_AT_EACH_STATEMENT = """
import os, sqlite3, sys
from pathlib import Path
import sync.store

prepared, path = sync.store._prepared, Path(sys.argv[1])

def dying(connection, path):
    statements = 0
    def count(_):
        nonlocal statements
        statements += 1
        if statements > wait:
            os._exit(9)
    connection.set_trace_callback(count)
    return prepared(connection, path)

sync.store._prepared = dying
for wait in range(0, 100_000, int(sys.argv[2])):
    child = os.fork()
    if child == 0:
        sync.store.open_store(path).connection.close()
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    connection = sqlite3.connect(path)
    assert sync.store.damage(connection) is None
    steps = connection.execute("SELECT count(*) FROM _sqlite_migrations").fetchone()[0]
    kept = connection.execute("SELECT count(*) FROM ledger").fetchone()[0]
    connection.close()
    print(ended, steps, kept)
    if ended == 0:
        break
"""


def test_killed_at_any_statement_the_store_is_the_old_one_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "unstuck.db"
    make_old(path, 3, monkeypatch)
    command = [
        sys.executable,
        "-c",
        KILLED_AT_EACH_STATEMENT,
        str(path),
        "1" if os.environ.get("UNSTUCK_SOAK") else "7",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seen = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(seen) > 20
    assert seen[-1] == (0, len(STEPS), 1)
    assert {steps for _, steps, _ in seen} <= {3, len(STEPS)}
    assert {kept for *_, kept in seen} == {1}


OPEN_WHEN_TOLD = """
import sys, time
from pathlib import Path
from sync.store import open_store
path = Path(sys.argv[1])
print("ready", flush=True)
time.sleep(max(0, float(sys.stdin.readline()) - time.time()))
open_store(path).connection.close()
"""


def test_two_commands_at_once_do_not_both_migrate(tmp_path: Path) -> None:
    for attempt in range(3):
        command = [sys.executable, "-c", OPEN_WHEN_TOLD, str(tmp_path / f"{attempt}.db")]
        pipe = subprocess.PIPE
        opening = [
            subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe, stderr=pipe) for _ in range(4)
        ]
        for process in opening:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        start = f"{time.time() + 0.3}\n"
        for process in opening:
            assert process.stdin is not None
            process.stdin.write(start)
            process.stdin.flush()
        for process in opening:
            _, err = process.communicate()
            assert (process.returncode, err) == (0, "")
