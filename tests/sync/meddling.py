"""What befalls a store while the command works: called in the command's own process, before it starts.

The trouble comes once, right after the first write has reached the tool, and before the store knows of it.
"""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import sync.store
from connectors.base import ChangeResult, Collection
from connectors.memory import MemoryConnector
from connectors.model import LabelChange
from sync.store import open_store

HOLDER = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE'); "
    "print('held', flush=True); sys.stdin.read()"
)
"""A program that writes into the file as long as its stdin is open."""


def impatient() -> None:
    """Wait for another program a moment only."""
    sync.store.PATIENCE = 0.2


def after_the_first_write(trouble: str, store: Path) -> None:
    """Let one of the troubles below happen in the middle of `apply`."""
    real = MemoryConnector._write
    happened: list[object] = []

    def meddled(self: MemoryConnector, collection: Collection, change: LabelChange) -> ChangeResult:
        result = real(self, collection, change)
        if not happened:
            happened.append(TROUBLES[trouble](store))
        return result

    MemoryConnector._write = meddled  # type: ignore[method-assign]  # that is what meddling is


def hold(store: Path) -> subprocess.Popen[str]:
    """Another program takes the file for itself, as long as this process lives."""
    command = [sys.executable, "-c", HOLDER, str(store)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def fill(store: Path) -> None:
    """No file may grow beyond what the store has beside it: what a quota does, and nearly what a full disk does."""
    limit = store.with_name(f"{store.name}-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def delete(store: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        store.with_name(store.name + ending).rename(store.with_name(f"deleted{ending}"))


def replace(store: Path) -> None:
    delete(store)
    open_store(store).connection.close()


TROUBLES: dict[str, Callable[[Path], object]] = {"hold": hold, "fill": fill, "delete": delete, "replace": replace}


def no_room(pages: int) -> None:
    """A disk on which the store gets so many pages and no more: SQLite itself says that it is full."""
    prepared = sync.store._prepared

    def with_little_room(connection: sqlite3.Connection, path: Path) -> sync.store.Store:
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return prepared(connection, path)

    sync.store._prepared = with_little_room
