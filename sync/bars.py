"""A bar for each source that is pulled: what came, how fast, how fast its host may be asked, and what is left.

Text is worked out whenever a bar is drawn, so that a wait for the host is seen to go by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from connectors.base import Cost, Paced
from connectors.wording import many

_ROOMY, _TIGHT = 90, 60
"""Terminals narrower than that get no rates, and no bars."""
_WORTH_TELLING = 1.0
"""Seconds; shorter waits are how a source keeps its pace."""
_A_RATE = 3.0
"""Seconds; before, what a host lets through at once would look like more than it allows."""


class Bars:
    """Drawn on the console from `with` on; they stay as they are at its end."""

    def __init__(
        self,
        expected: Mapping[str, int | None],
        costs: Mapping[str, Callable[[], Cost | None]],
        console: Console,
    ) -> None:
        self._costs, self._expected = costs, expected
        self._drawn = Progress(*self._columns(console.width), console=console, refresh_per_second=4)
        self._tasks = {source: self._drawn.add_task(source, total=total, items=0) for source, total in expected.items()}

    def __enter__(self) -> None:
        self._drawn.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._drawn.tasks if kind is None else ():  # what came is all there is
            whole = max(task.completed, 1)
            self._drawn.update(task.id, total=whole, completed=whole)
        self._drawn.stop()

    def move(self, source: str, items: int, share: float) -> None:
        """So many items came, and this share of the source's collections is done."""
        self._drawn.update(
            self._tasks[source], completed=items, items=items, total=whole(self._expected[source], items, share)
        )

    def _columns(self, width: int) -> list[ProgressColumn]:
        name = TextColumn("{task.description}", markup=False, table_column=Column(overflow="ellipsis", no_wrap=True))
        columns: list[ProgressColumn] = [name, _Told(_items), _Told(_time)]
        if width >= _TIGHT:
            columns.insert(1, BarColumn(bar_width=24))
        if width >= _ROOMY:
            columns[3:3] = [_Told(_speed), _Told(lambda task: pace(self._costs[task.description](), task.elapsed))]
        return columns


def whole(expected: int | None, items: int, share: float) -> float | None:
    """How many items will come in all: as many as are expected, else as many again from the collections to come."""
    if expected is None and not share:
        return None
    return max(expected or items / share, items + 1)  # it is not done before all is taken in


class _Told(ProgressColumn):
    """What a function says of a bar."""

    def __init__(self, tell: Callable[[Task], str]) -> None:
        super().__init__(Column(justify="right", no_wrap=True))
        self._tell = tell

    def render(self, task: Task) -> Text:
        return Text(self._tell(task))


def _items(task: Task) -> str:
    return many(task.fields["items"], "item")


def _speed(task: Task) -> str:
    return f"{task.fields['items'] / task.elapsed:,.0f}/s" if task.elapsed and task.fields["items"] else ""


def _time(task: Task) -> str:
    """What is left, as far as that can be told; else how long it takes already, or took."""
    left = None if task.finished else task.time_remaining
    return _clock(task.elapsed or 0) if left is None else f"{_clock(left)} left"


def _clock(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{left:02}" if minutes >= 60 else f"{minutes}:{left:02}"


def pace(cost: Cost | None, elapsed: float | None) -> str:
    """How fast a source's host is asked, of how fast it may be; or for how long it lets us wait."""
    if not isinstance(cost, Paced):
        return ""
    if cost.waiting >= _WORTH_TELLING:
        return f"waits {_clock(cost.waiting)} for its host"
    if not cost.rate:
        return ""
    if not elapsed or elapsed < _A_RATE:
        return f"{cost.rate:g} requests/s allowed"
    return f"{cost.requests / elapsed:.1f} of {cost.rate:g} requests/s"
