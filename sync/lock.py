"""The lock that lets one run at a time work on a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from sync.stops import InvalidStop, LockedStop


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Hold the lock that lets one run at a time work on a store; a crash releases it. Raises `LockedStop`."""
    lock = filelock.FileLock(f"{store}.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise LockedStop(f"Another run is working on {store}; try again when it is done.") from error
    except OSError as error:
        raise InvalidStop(f"{store}.lock cannot be made ({error.strerror}); check the folder of `store`.") from error
    try:
        yield
    finally:
        lock.release()
