"""What people who watch a run see of it: what is being done, and a bar for each source that is pulled.

On a terminal only. Cron, pipes and `--log-format json` get nothing of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

import click

from connectors.base import Cost

if TYPE_CHECKING:
    from sync.bars import Bars


class Watcher:
    """Nobody watches."""

    def __call__(self, doing: str) -> None:
        """Told what begins."""

    def pulling(
        self, expected: Mapping[str, int | None], costs: Mapping[str, Callable[[], Cost | None]]
    ) -> AbstractContextManager[None]:
        """While sources are pulled: by source, how many items will come, if that is known, and what it cost so far."""
        return nullcontext()

    def pulled(self, source: str, items: int, share: float) -> None:
        """Told after each step how many items of a source came, and which share of its collections is done."""


class Terminal(Watcher):
    """Somebody does."""

    def __init__(self) -> None:
        self._bars: Bars | None = None

    def __call__(self, doing: str) -> None:
        click.echo(f"… {doing}", err=True)

    @contextmanager
    def pulling(
        self, expected: Mapping[str, int | None], costs: Mapping[str, Callable[[], Cost | None]]
    ) -> Iterator[None]:
        """Bars that stay as they are when all is done. Without colour if `NO_COLOR` is set."""
        from rich.console import Console

        from sync.bars import Bars

        self._bars = Bars(expected, costs, Console(stderr=True))
        with self._bars:
            yield

    def pulled(self, source: str, items: int, share: float) -> None:
        """Move the bar."""
        if self._bars is not None:
            self._bars.move(source, items, share)


def watcher() -> Watcher:
    """As stderr is: a terminal, or not."""
    return Terminal() if sys.stderr.isatty() else Watcher()
