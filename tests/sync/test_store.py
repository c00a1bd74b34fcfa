"""The store: opened, refused, and never rewritten where nothing changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rules import table
from sync.stops import InvalidStop
from sync.store import open_store
from tests.sync.town import Town


def refusal(path: Path) -> str:
    with pytest.raises(InvalidStop) as stop:
        open_store(path).connection.close()
    [line] = stop.value.lines
    assert line.startswith(f"{path}: ")
    return line


def test_a_new_store_is_ours_and_current(tmp_path: Path) -> None:
    path = tmp_path / "unstuck.db"
    for _ in range(2):
        with open_store(path) as store:
            assert store.value("PRAGMA application_id") == 0x756E7374
            assert store.value("PRAGMA journal_mode") == "wal"
            assert store.value("SELECT count(*) FROM work_item") == 0


def test_the_migrated_schema_is_the_one_that_rules_are_tested_on(tmp_path: Path) -> None:
    with open_store(tmp_path / "unstuck.db") as store, closing(sqlite3.connect(":memory:")) as memory:
        memory.executescript(table.TABLES)
        for name in ("item", "item_detail", "calendar_day"):
            sql = f"PRAGMA table_info({name})"
            assert store.connection.execute(sql).fetchall() == memory.execute(sql).fetchall()


def test_files_that_are_not_our_store(tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_text("This is no database, but it is long enough to be looked at as one." * 20)
    assert "is not an SQLite database" in refusal(text)
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    assert "is a database of another program" in refusal(other)
    assert "its folder does not exist" in refusal(tmp_path / "nowhere" / "unstuck.db")


def test_a_store_of_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "unstuck.db"
    with open_store(path) as store:
        store.db.table("_sqlite_migrations").insert(
            {"migration_set": "unstuck", "name": "m999_later", "applied_at": "2030-01-01"}
        )
    assert "was written by a newer unstuck (it has m999_later)" in refusal(path)


def test_a_truncated_store(tmp_path: Path) -> None:
    path = tmp_path / "unstuck.db"
    with open_store(path) as store:
        store.connection.execute("PRAGMA journal_mode = DELETE")
    path.write_bytes(path.read_bytes()[:5000])
    assert "is damaged" in refusal(path)


def test_only_what_is_derived_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    """And whatever becomes of that, the next transaction does wait."""
    full, normal = 2, 1
    with open_store(tmp_path / "unstuck.db") as store:
        with store.transaction() as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (full,)
        with store.deriving() as connection:
            assert connection.execute("PRAGMA synchronous").fetchone() == (normal,)
            store.remember("a", "b")
        assert store.value("PRAGMA synchronous") == full
        with pytest.raises(sqlite3.IntegrityError), store.deriving() as connection:
            connection.executemany("UPDATE setting SET value = ?", [("c",), (None,)])
        assert store.value("PRAGMA synchronous") == full
        assert store.setting("a") == "b"


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path / "unstuck.db") as store:
        with pytest.raises(sqlite3.IntegrityError), store.transaction() as connection:
            connection.executemany("INSERT INTO setting VALUES (?, ?)", [("a", "b"), ("c", None)])
        assert store.setting("a") is None


def test_a_wal_that_a_long_reader_made_grow_is_cut_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, limit = tmp_path / "unstuck.db", 100_000
    monkeypatch.setattr("sync.store._LARGEST_WAL", limit)
    monkeypatch.setattr("sync.store._PAGES_IN_WAL", 1_000)
    with open_store(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM item").fetchone()
        for number in range(8):
            with store.transaction():
                store.remember(f"long {number}", "x" * 1_000_000)
        wal = path.with_name("unstuck.db-wal")
        assert wal.stat().st_size > 4_000_000
        reader.execute("COMMIT")
        for number in range(2):  # the first writes all of it back, the second begins anew
            with store.transaction():
                store.remember("short", str(number))
        assert wal.stat().st_size <= limit


def test_unchanged_items_are_not_rewritten(town: Town) -> None:
    for number in range(1, 200):
        town.add(number)
    town.unstuck("run")
    with closing(sqlite3.connect(town.folder / "unstuck.db")) as connection:
        connection.execute("CREATE TRIGGER tell AFTER UPDATE ON item BEGIN SELECT raise(ABORT, 'rewritten'); END")
        connection.execute(
            "CREATE TRIGGER told AFTER UPDATE ON item_detail BEGIN SELECT raise(ABORT, 'rewritten'); END"
        )
    assert town.unstuck("run", "--full", "--json").json["sources"][0]["changed"] == 0
    town.edit(7, title="Another title")
    assert "rewritten" in town.unstuck("run").err


def test_a_history_that_comes_again_is_stored_once(town: Town) -> None:
    move = {"at": "2026-03-10T09:00:00+00:00", "from_status": "To do", "to_status": "Doing"}
    town.add(1, transitions=[move])
    town.unstuck("run")
    town.edit(1, title="Rewritten")
    town.unstuck("run")
    with closing(sqlite3.connect(town.folder / "unstuck.db")) as connection:
        rows = connection.execute("SELECT to_status, origin FROM transition").fetchall()
    assert rows == [("Doing", "tool")]


def test_a_damaged_store_is_one_sentence_in_every_command(town: Town) -> None:
    (town.folder / "unstuck.db").write_text("no database, but long enough to be looked at as one " * 20)
    for command in (["run"], ["check"], ["items"], ["findings"], ["status"], ["explain", "APP-1"]):
        said = town.unstuck(*command)
        assert said.code == 2
        assert "is not an SQLite database" in said.err
