"""A copy of the store that can be trusted, made while a run writes: SQLite's online backup, checked, then renamed.

The copy is one state of the store. It is a file of its own, without `…-wal`, and takes the place of an earlier one in
one step, so that at every moment there is a whole backup.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sync.stops import InvalidStop
from sync.store import PATIENCE, damage, refuse_foreign, refuse_unusable, sqlite_in_words

_IN_USE = ("-wal", "-shm", "-journal", ".lock")
"""What lies beside a store that something works with, and never beside a backup."""


def back_up(store: Path, target: Path) -> int:
    """Copy the store to `target`, over an earlier backup of it. Returns the size in bytes.

    The store is not migrated, so that one can be backed up before a new version touches it. Raises `InvalidStop`
    where `target` is something else than a backup, the copy cannot be written, or it is not sound.
    """
    refuse_unusable(store, create=False)
    target = target.resolve()
    with _in_words(target):
        _refuse_to_overwrite(store, target)
        with _beside(target) as copy:
            _copy(store, copy, target)
            _verify(copy, store)
            shutil.copymode(store, copy)
            _put(copy, target)
            return target.stat().st_size


def _refuse_to_overwrite(store: Path, target: Path) -> None:
    """Nothing but an earlier backup is ever lost to a backup."""
    if target == store.resolve() or (target.exists() and target.samefile(store)):
        raise InvalidStop(f"{target}: is the store itself; name another file for the backup.")
    if target.is_dir():
        raise InvalidStop(f"{target}: is a folder; name a file in it for the backup.")
    if not target.parent.is_dir():
        raise InvalidStop(f"{target}: its folder does not exist; create it, or name another file.")
    for ending in _IN_USE:
        if target.with_name(target.name + ending).exists():
            raise InvalidStop(f"{target}: is a store in use ({target.name}{ending} lies beside it); name another file.")
    if target.exists() and not target.is_file():
        raise InvalidStop(f"{target}: is no ordinary file; name another file for the backup.")
    if target.is_file() and target.stat().st_size:
        _refuse_if_no_backup(target)


def _refuse_if_no_backup(target: Path) -> None:
    with sqlite_in_words(target), closing(sqlite3.connect(f"{target.as_uri()}?mode=ro", uri=True)) as connection:
        refuse_foreign(connection, target)


@contextmanager
def _in_words(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidStop(f"{target}: the backup cannot be written ({error.strerror}); name another file.") from error


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A new file in the target's folder, which is gone at the end unless it took the target's place."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    os.close(handle)
    copy = Path(name)
    try:
        yield copy
    finally:
        for ending in ("", *_IN_USE):
            copy.with_name(copy.name + ending).unlink(missing_ok=True)


def _copy(store: Path, copy: Path, target: Path) -> None:
    """All pages in one step: in WAL mode that is one state of the store, and keeps nobody from writing."""
    with (
        sqlite_in_words(store),
        closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=rw", uri=True, timeout=PATIENCE)) as source,
    ):
        refuse_foreign(source, store)
        with closing(sqlite3.connect(copy)) as into, _full_where(target):
            source.backup(into)


@contextmanager
def _full_where(target: Path) -> Iterator[None]:
    """Of the two files, the one that is written is the one for which there is no room."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or ""
        if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")) and "READ" not in name:
            raise InvalidStop(
                f"{target}: there is no room for the backup ({name}); make some, or name a file elsewhere: the store "
                "and the backup before this one are as they were."
            ) from error
        raise


def _verify(copy: Path, store: Path) -> None:
    """Make it one file that can be read anywhere, and look at every page of it."""
    with sqlite_in_words(store), closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        wrong = damage(connection)
        is_empty = not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    if is_empty:  # the very first run has just begun
        raise InvalidStop(f"{store}: there is no store yet; `unstuck run` makes it.")
    if wrong is not None:
        raise InvalidStop(f"{store}: is damaged ({wrong}), and was not backed up; restore it from an earlier backup.")


def _put(copy: Path, target: Path) -> None:
    """In place, also after a power cut."""
    _flush(copy)
    copy.replace(target)
    _flush(target.parent)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
