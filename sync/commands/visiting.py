"""Asking a source outside of runs, for `check --live` and `init --sheet`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from connectors.base import Connector, Metered
from sync import clock as clocks
from sync import turns
from sync.commands.shared import opened_store
from sync.config import Config, Source
from sync.opened import Opened
from sync.sources import make


@contextmanager
def asked(config: Config, source: Source, *, writable: bool) -> Iterator[Connector]:
    """A source's connector outside of runs. Its calls count among those of the day, where there is a store to count in.

    Raises `InvalidStop` for options that cannot be right.
    """
    if not (issubclass(source.connector, Metered) and config.store.exists()):
        with closing(make(source, writable=writable)) as connector:
            yield connector
        return
    now = clocks.read().now
    with opened_store(config, create=False) as store:
        source = turns.counted(store, source, now)
        one = Opened(source, make(source, writable=writable), threading.Event())
        try:
            yield one.connector
        finally:
            turns.count(store, one, now)
            one.close()
