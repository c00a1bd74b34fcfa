"""The lock that lets one run at a time work on a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from sync.stops import InvalidStop, LockedStop
from sync.store import refuse_unusable


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Hold the lock that lets one run at a time work on a store; a crash releases it. Raises `LockedStop`.

    A folder that is not there is not made: it may be a disk that is not mounted, and the store is on it.
    """
    refuse_unusable(store, create=True)
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
