"""Cycle after cycle, each in a process of its own that is forked from this one.

This process holds the config and the rules, and waits; a cycle's memory, threads and bugs end with its process, and
the store is open nowhere else. What it waits for comes by one file descriptor: signals, and the end of a cycle.
Time is counted on the monotonic clock, from the start of one cycle to the start of the next.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from sync import log, notify
from sync.durations import spoken
from sync.stops import Exit, Stop

LONGEST_PAUSE = 3600.0
"""Failures make the pause longer up to this, or up to the usual one if that is longer. Seconds."""
JITTER = 0.1
"""Up to this share of the pause comes on top, so that many daemons do not call at the same moment."""
PATIENCE = 30.0
"""How long a cycle may take to end once it was told to, in seconds."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a cycle ended, as its process tells it."""

    code: int
    worked: bool
    """Whether any source answered, or nothing was the matter."""
    plan: str | None = None
    """The sha of the plan that waits for a person and was shown."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to do in each cycle, as config and rules were when they were read."""

    cycle: Callable[[str | None], Ended]
    """Is given `Ended.plan` of the cycle before."""
    longest: float
    """A cycle that takes longer, in seconds, hangs."""


def pause(every: float, failures: int) -> float:
    """Seconds from the start of a cycle to the start of the next, after so many failures in a row."""
    return every if failures == 0 else min(every * 2.0 ** min(failures, 32), max(every, LONGEST_PAUSE))


class Daemon:
    """Serves until it is told to stop. `load` raises `Stop` where config or rules are wrong."""

    def __init__(self, load: Callable[[], Job], every: float) -> None:
        self._load, self._every = load, every
        self._job = load()
        self._came: set[signal.Signals] = set()
        self._stops = 0
        self._failures = 0
        self._plan: str | None = None
        self._wakes, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._petting = notify.watchdog_seconds()

    def serve(self) -> int:
        """Cycle until SIGTERM or Ctrl-C."""
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, self._note)
        notify.tell(READY=1, STATUS="Started.")
        while not self._stops:
            began = time.monotonic()
            self._one_cycle()
            length = pause(self._every, self._failures) * (1 + JITTER * random.random())  # noqa: S311 - no secret
            self._wait(began + length)
        notify.tell(STOPPING=1, STATUS="Stopped.")
        log.note("daemon_stopped")
        return Exit.FINE

    def _note(self, number: int, _: object) -> None:
        self._came.add(signal.Signals(number))
        self._stops += number in (signal.SIGTERM, signal.SIGINT)

    # Waiting

    def _wait(self, until: float) -> None:
        """Until the next cycle is due, or we are to stop."""
        notify.tell(STATUS=f"The next run begins in {spoken(max(1.0, until - time.monotonic()))}.")
        while not self._stops and (left := until - time.monotonic()) > 0:
            self._sleep(left)
            if signal.SIGHUP in self._came:
                self._reload()

    def _sleep(self, seconds: float) -> None:
        """Until something comes, and no longer than so; systemd hears that we are alive."""
        if self._petting is not None:
            notify.tell(WATCHDOG=1)
            seconds = min(seconds, self._petting)
        select.select([self._wakes], [], [], max(0.0, seconds))
        with suppress(BlockingIOError):
            while os.read(self._wakes, 512):
                pass

    def _reload(self) -> None:
        """Config and rules as they are now; what is wrong is said once, and what was in force stays so."""
        self._came.discard(signal.SIGHUP)
        notify.reloading()
        try:
            self._job = self._load()
            log.note("daemon_reloaded")
        except Stop as stop:
            for line in stop.lines:
                log.say(line, "daemon_not_reloaded")
            log.say("Config and rules stay as they were before; correct them and reload.", "daemon_not_reloaded")
        notify.tell(READY=1)

    # One cycle

    def _one_cycle(self) -> None:
        notify.tell(STATUS="A run is under way.")
        ended = self._watched(*self._forked())
        self._failures = 0 if ended.worked else self._failures + 1
        self._plan = ended.plan
        if not ended.worked and self._failures == 1 and not self._stops:
            log.note("daemon_backs_off", exit_code=ended.code)

    def _forked(self) -> tuple[int, int]:
        """Start a cycle. Returns its process's id and where to read how it ended."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            self._be_the_cycle(writing)
        os.close(writing)
        return child, reading

    def _be_the_cycle(self, writing: int) -> None:
        """In the new process: never returns. A group of its own keeps a terminal's Ctrl-C to the daemon alone."""
        code = int(Exit.BUG)
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            ended = self._job.cycle(self._plan)
            code = ended.code
            os.write(writing, json.dumps([ended.code, ended.worked, ended.plan]).encode())
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def _watched(self, child: int, reading: int) -> Ended:
        """Wait for the cycle to end; tell it to stop when we are, and when it hangs."""
        hangs_at = time.monotonic() + self._job.longest
        dies_at = float("inf")
        passed_on = 0
        while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            now = time.monotonic()
            if passed_on < self._stops or (now >= hangs_at and dies_at == float("inf")):
                if passed_on == self._stops:
                    log.say(f"The run hangs after {spoken(self._job.longest)} and is stopped.", "daemon_run_hangs")
                passed_on = self._stops
                dies_at = now + PATIENCE
                os.kill(child, signal.SIGTERM)
            elif now >= dies_at:
                os.kill(child, signal.SIGKILL)
            self._sleep(min(hangs_at, dies_at, now + 60.0) - now if now < dies_at else 1.0)
        _, status = os.waitpid(child, 0)
        with os.fdopen(reading, "rb") as answer:
            told = answer.read()
        if told:
            code, worked, plan = json.loads(told)
            return Ended(code, worked, plan)
        if not self._stops:
            how = os.waitstatus_to_exitcode(status)
            log.say(f"The run ended without a word (status {how}); the next one goes on from there.", "daemon_run_died")
        return Ended(int(Exit.BUG), worked=False, plan=self._plan)
