"""One writer at a time: Smartsheet refuses (4004) who writes into a sheet that the same token is writing into.

https://developers.smartsheet.com/api/smartsheet/guides/advanced-topics/scalability-options#avoid-executing-parallel-requests
"""

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
def alone(sheet: str, stopping: threading.Event | None = None) -> Iterator[None]:
    """Nobody else on this machine writes into the sheet meanwhile.

    Raises `BusyError` if somebody does for too long, or if our own turn ends while we wait for that.
    """
    import tempfile

    with _taken(Path(tempfile.gettempdir()) / f"unstuck-{os.getuid()}", sheet, stopping or threading.Event()):
        yield


def _taken(folder: Path, sheet: str, stopping: threading.Event) -> AcquireReturnProxy[FileLock]:
    """The sheet's lock, taken; leaving it as a context gives it back."""
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(folder / f"smartsheet-{sheet}.lock", timeout=PATIENCE, poll_interval=0.25, thread_local=False)
        return lock.acquire(cancel_check=stopping.is_set)
    except Timeout:
        problem = BusyError("our turn ended while another run wrote into the sheet", LATER)
        if not stopping.is_set():
            problem = BusyError("another run has been writing into the sheet for a minute", LATER)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SetupError(f"{folder} cannot be written to ({reason})", "correct its rights, or set TMPDIR") from error
    raise problem
