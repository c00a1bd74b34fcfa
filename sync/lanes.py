"""Several sources at a time: each is waited for in a thread of its own, and all that comes is taken in by the caller's.

So connectors wait side by side, and one thread alone writes into SQLite. A lane that is asked to stop, because its
budget is used up or because the run is, finishes the step in hand. One that does not, because it hangs in a socket,
is left behind: its thread is a daemon, which holds no process at its end.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from sync.stopping import Stopping

Step = TypeVar("Step")

_TICK = 0.1
"""How often budgets and signals are looked at while nothing comes, in seconds."""


class Cut(StrEnum):
    """Why a lane was asked to end before it had done everything."""

    BUDGET = "budget"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None
    whole: bool
    """Whether every step was made."""


class Lane(Generic[Step]):
    """One source's steps, made in a thread of its own. `budget` and `grace` are seconds.

    `ahead` steps may be made before the caller is done with the first: 0 means that a step begins only when what
    came of the one before it has been taken in. `stopping` is what the source's connector was given.
    """

    def __init__(
        self,
        steps: Generator[Step],
        stopping: threading.Event,
        *,
        budget: float,
        grace: float,
        ahead: int,
    ) -> None:
        self._steps, self.stopping = steps, stopping
        self._budget, self._grace = budget, grace
        self._room = threading.Semaphore(ahead)
        self._ends_at = self._left_at = float("inf")
        self.cut: Cut | None = None
        """Why it was asked to end, if it was; `None` at the end if it had done everything by then."""
        self.stuck = False
        """Whether it was left behind, so that its connector is still in use."""
        self.error: Exception | None = None
        """What ended it."""

    def start(self, name: str, inbox: queue.SimpleQueue[tuple[str, Step | _End]]) -> None:
        self._ends_at = time.monotonic() + self._budget
        threading.Thread(target=self._work, args=(name, inbox), name=name, daemon=True).start()

    def _work(self, name: str, inbox: queue.SimpleQueue[tuple[str, Step | _End]]) -> None:
        error: BaseException | None = None
        whole = False
        try:
            for step in self._steps:
                inbox.put((name, step))
                self._room.acquire()
                if self.stopping.is_set():
                    break
            else:
                whole = True
            self._steps.close()
        except BaseException as raised:  # noqa: BLE001 - whatever it is, the thread that waits for it must learn of it
            error = raised
        inbox.put((name, _End(error, whole)))

    def taken(self) -> None:
        """The caller is done with a step."""
        self._room.release()

    def watch(self, stopped: bool) -> None:
        """Ask the lane to end if it is time to, and leave it behind if it does not."""
        now = time.monotonic()
        if self.cut is None and (stopped or now >= self._ends_at):
            self.cut = Cut.STOP if stopped else Cut.BUDGET
            self._left_at = now + self._grace
            self.stopping.set()
        self.stuck = now >= self._left_at


def side_by_side(lanes: Mapping[str, Lane[Step]], stopping: Stopping) -> Generator[tuple[str, Step]]:
    """Every step of every lane, as it comes, with the lane's name. What ended a lane is in the lane."""
    inbox: queue.SimpleQueue[tuple[str, Step | _End]] = queue.SimpleQueue()
    for name, lane in lanes.items():
        lane.start(name, inbox)
    running = set(lanes)
    try:
        while running:
            for name in tuple(running):
                lanes[name].watch(stopping.by is not None)
            try:
                name, step = inbox.get(timeout=_TICK)
            except queue.Empty:
                running -= {name for name in running if lanes[name].stuck}
                continue
            if isinstance(step, _End):
                running.discard(name)
                _end(lanes[name], step)
            elif name in running:
                yield name, step
                lanes[name].taken()
    finally:
        for name in running:  # the caller gave up
            lanes[name].stopping.set()
        for lane in lanes.values():  # what was left behind must not wait to be told to go on
            lane.taken()


def _end(lane: Lane[Step], end: _End) -> None:
    """Keep what ended a lane; what is no mere failure ends the run."""
    lane.stuck = False
    lane.cut = None if end.whole else lane.cut
    if end.error is not None and not isinstance(end.error, Exception):
        raise end.error
    lane.error = end.error
