"""What monitors get after each run: a file of numbers, and a ping. A run is neither better nor worse for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sync import clock as clocks
from sync import log, metrics, ping, told
from sync.clock import Clock
from sync.config import Config
from sync.hosts import is_local
from sync.stops import Exit, LockedStop, Stop
from sync.store import open_store, sqlite_in_words
from sync.summary import RunReport

Result = TypeVar("Result")


def watched(config: Config, call: Callable[[], Result]) -> Result:
    """Call; if nothing comes of it, the ping says so. That another run works is no failure: it pings for itself."""
    try:
        return call()
    except LockedStop:
        raise
    except Exception:
        if config.ping is not None:
            tell_once(config, "ping", _ping(config, clocks.read(), fine=False))
        raise


def after(config: Config, report: RunReport) -> None:
    """Write numbers and ping, as config asks for."""
    if config.metrics_file is not None:
        tell_once(config, "metrics", _write_numbers(config.store, config.metrics_file, report))
    if config.ping is not None and report.stopped is None:
        tell_once(config, "ping", _ping(config, report.clock, fine=report.exit_code == Exit.FINE))


def _write_numbers(path: Path, file: Path, report: RunReport) -> str | None:
    try:
        with open_store(path, create=False) as store, sqlite_in_words(path):
            return metrics.write(file, report, store)
    except Stop as stop:
        return f"[metrics] file: {stop}"


def _ping(config: Config, clock: Clock, *, fine: bool) -> str | None:
    """A rehearsal must not make a monitor believe that all is well, or that it is not."""
    if config.ping is None or (clock.rehearsal and not is_local(config.ping)):
        return None
    return ping.send(config.ping, fine=fine)


def tell_once(config: Config, what: str, sentence: str | None) -> None:
    """Say what went wrong with something that a run does for others, unless people were told after the last run."""
    sentences: Sequence[str] = [sentence] if sentence else []
    try:
        with open_store(config.store, create=False) as store, sqlite_in_words(config.store):
            sentences = told.news(store, what, sentences, clocks.read().now)
    except Stop:
        pass  # the store is what failed: then say it each time
    for each in sentences:
        log.say(each, what)
