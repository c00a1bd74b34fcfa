"""What people who watch a run see of it: what is being done, and a bar for each source that is pulled.

On a terminal only. Cron, pipes and `--log-format json` get nothing of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Watcher:
    """Nobody watches."""

    def __call__(self, doing: str) -> None:
        """Told what begins."""

    def pulling(self, expected: Mapping[str, int | None]) -> AbstractContextManager[None]:
        """While sources are pulled: by source, how many items will come, if that is known."""
        return nullcontext()

    def pulled(self, source: str, items: int) -> None:
        """Told after each step how many items of a source came so far."""


class Terminal(Watcher):
    """Somebody does."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, doing: str) -> None:
        click.echo(f"… {doing}", err=True)

    @contextmanager
    def pulling(self, expected: Mapping[str, int | None]) -> Iterator[None]:
        """Bars that stay as they are when all is done. Without colour if `NO_COLOR` is set."""
        from rich import progress
        from rich.console import Console

        self._bars = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(bar_width=24),
            progress.TextColumn("{task.completed:,.0f} items", justify="right"),
            progress.TextColumn("{task.fields[rate]}", justify="right"),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            refresh_per_second=4,
        )
        self._tasks = {source: self._bars.add_task(source, total=total, rate="") for source, total in expected.items()}
        with self._bars:
            yield
            for task in self._bars.tasks:  # what came is all there is
                self._bars.update(task.id, total=max(task.completed, 1), completed=max(task.completed, 1))

    def pulled(self, source: str, items: int) -> None:
        """Move the bar."""
        if self._bars is not None:
            task = self._bars.tasks[self._tasks[source]]
            rate = f"{items / task.elapsed:,.0f}/s" if task.elapsed else ""
            self._bars.update(task.id, completed=items, rate=rate)


def watcher() -> Watcher:
    """As stderr is: a terminal, or not."""
    return Terminal() if sys.stderr.isatty() else Watcher()
