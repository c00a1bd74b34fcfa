"""The one SQLite file: opened, migrated, and the transactions in which everything happens.

sqlite-utils serves schema, migrations and small calls; bulk work is `executemany` on its connection. Transactions
are explicit and belong to the caller: `with store.transaction():` is `BEGIN IMMEDIATE … COMMIT`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlite_utils

from sync.migrations import migrations
from sync.stops import InvalidStop

APPLICATION_ID = 0x756E7374
"""`unst`: marks the file as ours (`file(1)` and other programs show it)."""


class Store:
    """An open store. Close it, or use it in a `with`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path
        self.db = sqlite_utils.Database(connection)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and durable when it returns."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """All rows of a query, as dicts."""
        cursor = self.connection.execute(sql, parameters)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The first column of the first row, or None."""
        row = self.connection.execute(sql, parameters).fetchone()
        return row[0] if row else None

    def setting(self, name: str) -> str | None:
        """A remembered value."""
        value: str | None = self.value("SELECT value FROM setting WHERE name = ?", (name,))
        return value

    def remember(self, name: str, value: str) -> None:
        """Keep a value for `setting`, in the caller's transaction."""
        self.db.table("setting").upsert({"name": name, "value": value}, pk="name")


def open_store(path: Path, *, create: bool = True) -> Store:
    """Open the store, bringing its schema up to date. Raises `InvalidStop` with one sentence where it can't be used."""
    if not create and not path.exists():
        raise InvalidStop(f"{path}: there is no store yet; `unstuck run` makes it.")
    if not path.parent.is_dir():
        raise InvalidStop(f"{path}: its folder does not exist; create it, or correct `store` in the config.")
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            return _prepared(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise InvalidStop(explain_error(path, error)) from error


def _prepared(connection: sqlite3.Connection, path: Path) -> Store:
    _refuse_foreign(connection, path)
    connection.execute("PRAGMA foreign_keys = ON")
    # WAL lets people read (Datasette, reports) while a run writes; with it, NORMAL loses no committed write to a
    # crash of the process. FULL also survives a power cut, which the journal of writes into other tools must.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    store = Store(connection, path)
    if migrations.pending(store.db):
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrations.apply(store.db)
    return store


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise InvalidStop(f"{path}: is a database of another program; name another file as `store` in the config.")
    known = {step.name for step in migrations._migrations}
    if "_sqlite_migrations" not in tables:
        return
    applied = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = 'unstuck'")
    newer = sorted({row[0] for row in applied} - known)
    if newer:
        raise InvalidStop(f"{path}: was written by a newer unstuck (it has {newer[0]}); install that version or newer.")


def explain_error(path: Path, error: sqlite3.Error) -> str:
    """One sentence on what SQLite said of the file, and what to do."""
    code = getattr(error, "sqlite_errorname", "") or ""
    if code.startswith("SQLITE_NOTADB"):
        return f"{path}: is not an SQLite database; name another file as `store` in the config."
    if code.startswith("SQLITE_CORRUPT"):
        return f"{path}: is damaged; restore it from a backup, or move it away to start a new one."
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"{path}: is held by another program; close it there, or try again."
    if code.startswith("SQLITE_READONLY"):
        return f"{path}: cannot be written to; check the permissions of the file and its folder."
    if code.startswith("SQLITE_FULL"):
        return f"{path}: the disk is full; make room, then run again: nothing was lost."
    return f"{path}: cannot be used ({error}); check the file and its folder."
