"""One writer at a time: Smartsheet refuses (4004) who writes into a sheet that the same token is writing into.

https://developers.smartsheet.com/api/smartsheet/guides/advanced-topics/scalability-options#avoid-executing-parallel-requests
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from connectors.errors import BusyError, SetupError

PATIENCE = 60.0
"""Seconds; another run has written its batch by then, or will not be done soon."""


@contextmanager
def alone(sheet: str) -> Iterator[None]:
    """Nobody else on this machine writes into the sheet meanwhile. Raises `BusyError` if somebody does for too long."""
    folder = Path(tempfile.gettempdir()) / f"unstuck-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with FileLock(folder / f"smartsheet-{sheet}.lock", timeout=PATIENCE, poll_interval=0.25, thread_local=False):
            yield
    except Timeout:
        problem = BusyError("another run has been writing into the sheet for a minute", "the next run tries again")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SetupError(f"{folder} cannot be written to ({reason})", "correct its rights, or set TMPDIR") from error
    else:
        return
    raise problem
