"""One writer at a time, for tools in which two at once refuse or spoil each other's writes into one collection."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.errors import BusyError, SetupError

if TYPE_CHECKING:
    from filelock import AcquireReturnProxy, FileLock

PATIENCE = 60.0
"""Seconds; another run has written its batch by then, or will not be done soon."""

LATER = "the next run tries again"


@contextmanager
def alone(system: str, collection: str, stopping: threading.Event | None = None) -> Iterator[None]:
    """No other source or run of ours on this machine writes into the collection meanwhile.

    Raises `BusyError` if somebody does for too long, or if our own turn ends while we wait for that.
    """
    import tempfile

    folder = Path(tempfile.gettempdir()) / f"unstuck-{os.getuid()}"
    with _taken(folder, f"{system}-{collection}", stopping or threading.Event()):
        yield


def _taken(folder: Path, name: str, stopping: threading.Event) -> AcquireReturnProxy[FileLock]:
    """The collection's lock, taken; leaving it as a context gives it back."""
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock", timeout=PATIENCE, poll_interval=0.25, thread_local=False)
        return lock.acquire(cancel_check=stopping.is_set)
    except Timeout:
        problem = BusyError("our turn ended while another run wrote labels into it", LATER)
        if not stopping.is_set():
            problem = BusyError("another run has been writing labels into it for a minute", LATER)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SetupError(f"{folder} cannot be written to ({reason})", "correct its rights, or set TMPDIR") from error
    raise problem
