"""Being asked to stop: SIGTERM and Ctrl-C let a run finish the page or the write in hand; the next run goes on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NAMES = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "Ctrl-C"}


class Stopping:
    """Whether a run was asked to stop, and by what."""

    def __init__(self) -> None:
        self.by: str | None = None

    def ask(self, number: int, _: FrameType | None = None) -> None:
        """Note a signal; the second one ends the process at once, whatever is in hand."""
        if self.by is not None:
            raise KeyboardInterrupt
        self.by = NAMES[signal.Signals(number)]


@contextmanager
def heeded() -> Iterator[Stopping]:
    """Signals are noted in what this gives, until it ends. Only a process's main thread can hear them."""
    stopping = Stopping()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = {number: signal.signal(number, stopping.ask) for number in NAMES}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
