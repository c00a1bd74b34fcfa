"""The one SQLite file: opened, migrated, and the transactions in which everything happens.

sqlite-utils serves schema and migrations, all other work is plain `sqlite3`. Transactions are explicit and belong to
the caller: `with store.transaction():` is `BEGIN IMMEDIATE … COMMIT`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.migrations import migrations
from sync.stops import InvalidStop

if TYPE_CHECKING:
    from sqlite_utils import Database

APPLICATION_ID = 0x756E7374
"""`unst`: marks the file as ours (`file(1)` and other programs show it)."""

PATIENCE = 30.0
"""How long to wait, in seconds, for another program that writes into the file."""

_ATTEMPTS, _PAUSE = 100, 0.05
"""How often, and after how many seconds, to ask again for what SQLite does not wait for."""
_LARGEST_WAL = 64 * 2**20
"""Bytes. A reader that holds one state for long makes `…-wal` grow; once it is gone, the file is cut to this size."""

_PAGES_IN_WAL = 4_000
"""So many pages (16 MB) may wait in `…-wal`, as a run writes many of them more than once."""
_CACHE = 16 * 2**20
"""Bytes of pages kept in memory, and as many for each sort."""
_CACHE_FOR_FEW = 24 * 2**20
"""The same where few items of many are looked at several times: they lie scattered over the file."""


class Store:
    """An open store. Close it, or use it in a `with`."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path
        self._file = _identity(path)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    @cached_property
    def db(self) -> Database:
        """For changes of the schema. Importing sqlite-utils takes longer than most commands do, and few need it."""
        import sqlite_utils

        return sqlite_utils.Database(self.connection)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and durable when it returns. Raises `InvalidStop` if the file was taken away meanwhile."""
        self._refuse_if_taken_away()
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    @contextmanager
    def deriving(self) -> Iterator[sqlite3.Connection]:
        """A transaction of what can be worked out again from the rest of the store.

        It lasts whatever becomes of the process. A power cut may undo it, until the next `transaction` is committed;
        never that one without this, so that nothing is ever built on what is lost.
        """
        self.connection.execute("PRAGMA synchronous = NORMAL")
        try:
            with self.transaction() as connection:
                yield connection
        finally:
            self.connection.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def few_of_many(self) -> Iterator[None]:
        """For work on what changed. It sorts little, so that more memory is left for pages."""
        self._keep_pages(_CACHE_FOR_FEW)
        try:
            yield
        finally:
            self._keep_pages(_CACHE)

    def _keep_pages(self, size: int) -> None:
        self.connection.execute(f"PRAGMA cache_size = -{size // 1024}")

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """One state of the store, whatever a run writes meanwhile. Temporary tables made in it are gone afterwards."""
        self.connection.execute("BEGIN")
        try:
            yield self.connection
        finally:
            self.connection.execute("ROLLBACK")

    def _refuse_if_taken_away(self) -> None:
        """SQLite goes on writing into a file that was deleted, and all of it would be lost when we end."""
        if _identity(self.path) != self._file:
            raise InvalidStop(
                f"{self.path}: was deleted or replaced while it was in use; put it back, or restore a backup, and run "
                "again: without it nothing is known of the labels that are ours."
            )

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
        self.connection.execute(
            "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )


def open_store(path: Path, *, create: bool = True) -> Store:
    """Open the store, bringing its schema up to date. Raises `InvalidStop` with one sentence where it can't be used."""
    refuse_unusable(path, create=create)
    with sqlite_in_words(path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE)
        try:
            return _prepared(connection, path)
        except BaseException:
            connection.close()
            raise


def refuse_unusable(path: Path, *, create: bool) -> None:
    """Raise `InvalidStop` for a path at which no store can be."""
    if path.is_dir():
        raise InvalidStop(f"{path}: is a folder; name a file as `store` in the config.")
    if not path.parent.is_dir():
        raise InvalidStop(f"{path}: its folder does not exist; create it, or correct `store` in the config.")
    if not create and not path.exists():
        raise InvalidStop(f"{path}: there is no store yet; `unstuck run` makes it.")


@contextmanager
def sqlite_in_words(path: Path) -> Iterator[None]:
    """Turn what SQLite says of the file at `path` into an `InvalidStop` with one sentence; a bug of ours stays one."""
    try:
        yield
    except sqlite3.Error as error:
        said = explain_error(path, error)
        if said is None:
            raise
        raise InvalidStop(said) from error


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file is at a path; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _prepared(connection: sqlite3.Connection, path: Path) -> Store:
    refuse_foreign(connection, path)
    _refuse_newer(connection, path)
    connection.execute("PRAGMA foreign_keys = ON")
    # WAL lets people read (Datasette, reports) while a run writes; with it, NORMAL loses no committed write to a
    # crash of the process. FULL also survives a power cut, which the journal of writes into other tools must.
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {_LARGEST_WAL}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_PAGES_IN_WAL}")
    connection.execute(f"PRAGMA cache_size = -{_CACHE // 1024}")
    store = Store(connection, path)
    if migrations.pending(connection):
        # All steps at once: killed anywhere, the file is as it was; and two commands cannot both migrate it.
        with store.transaction():
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            migrations.apply(store.db)
    return store


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch a new store to WAL. That needs the file alone for a moment, and SQLite does not wait for it by itself."""
    for attempt in range(_ATTEMPTS):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(_PAUSE)
        else:
            return


def refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `InvalidStop` if the file is another program's."""
    if _tables(connection) and connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise InvalidStop(f"{path}: is a database of another program; name another file.")


def _refuse_newer(connection: sqlite3.Connection, path: Path) -> None:
    newer = migrations.foreign(connection)
    if newer:
        raise InvalidStop(f"{path}: was written by a newer unstuck (it has {newer[0]}); install that version or newer.")


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def damage(connection: sqlite3.Connection) -> str | None:
    """What is wrong with the file, in SQLite's words, if anything is: every page, every index, every reference."""
    verdict: str = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        return " ".join(verdict.split())
    loose = connection.execute("PRAGMA foreign_key_check").fetchone()
    return f"a row of {loose[0]} refers to a row of {loose[2]} that is not there" if loose else None


_HELD = "is held by another program; close it there, or try again."
_PERMISSIONS = "check the permissions of the file, of …-wal and …-shm beside it, and of its folder."

_IN_WORDS = {
    "SQLITE_NOTADB": "is not an SQLite database; name another file.",
    "SQLITE_CORRUPT": "is damaged; restore it from a backup, or move it away to start a new one.",
    "SQLITE_BUSY": _HELD,
    "SQLITE_LOCKED": _HELD,
    "SQLITE_READONLY": f"cannot be written to; {_PERMISSIONS}",
    "SQLITE_PERM": f"cannot be written to; {_PERMISSIONS}",
    "SQLITE_CANTOPEN": f"cannot be opened; {_PERMISSIONS}",
    "SQLITE_FULL": "the disk is full; make room, then run again: nothing was lost.",
    "SQLITE_IOERR": "cannot be written or read ({why}); see that the disk is not full, over quota or failing, then run "
    "again.",
    "SQLITE_NOLFS": "is too large for this disk; move it to another one.",
    "SQLITE_NOMEM": "there is not enough memory to work on it; make room, then run again.",
    "SQLITE_PROTOCOL": "cannot be locked on this kind of disk; move it to a local one.",
}
"""By the beginning of SQLite's name of an error. What is not here (a constraint, a wrong statement) is our bug."""


def explain_error(path: Path, error: sqlite3.Error) -> str | None:
    """One sentence on what SQLite said of the file, and what to do; None if it is not the file's fault."""
    name = getattr(error, "sqlite_errorname", None) or ""
    for beginning, said in _IN_WORDS.items():
        if name.startswith(beginning):
            return f"{path}: {said.format(why=name)}"
    return None
