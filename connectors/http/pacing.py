"""How fast and how patient: a token bucket for each host, and what one source may wait in one run."""

from __future__ import annotations

import threading
import time
import weakref
from dataclasses import dataclass, field

from connectors.errors import BusyError

SLICE = 0.25
"""Seconds; a wait looks this often whether it is to end."""

FREE_WAIT = 60.0
"""Seconds; waiting for one's turn takes nothing from the budget up to here. A longer turn is a refusal in disguise."""

LONGEST_HOLD = 86_400.0
"""Seconds; some hosts write numbers that are none."""

NEXT_RUN = "the next run tries again"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one source may take, in seconds, bytes and attempts."""

    connect: float = 10.0
    read: float = 60.0
    """Between two pieces of an answer, and before the first: hosts think for half a minute before they say 504."""
    transfer: float = 300.0
    """For a whole answer, so that one that trickles in ends too."""
    body: int = 100_000_000
    """Bytes of an answer, unpacked."""
    attempts: int = 5
    budget: float = 300.0
    """For all waits in one run that the host asks for, or that follow its failures."""


@dataclass(slots=True)
class Traffic:
    """What one source cost so far, and how fast it may go on."""

    rate: float = 0.0
    """Requests a second that its host's bucket lets through on average; 0 where that is not known."""
    requests: int = 0
    repeats: int = 0
    """How many of the requests were not the first of their kind."""
    sent: int = 0
    """Bytes of bodies."""
    received: int = 0
    """Bytes of bodies, unpacked."""
    waited: float = 0.0
    """Seconds."""
    _waits_until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, *, requests: int = 0, repeats: int = 0, sent: int = 0, received: int = 0, waited: float = 0) -> None:
        with self._lock:
            self.requests += requests
            self.repeats += repeats
            self.sent += sent
            self.received += received
            self.waited += waited

    def wait(self, seconds: float) -> None:
        """A wait begins."""
        with self._lock:
            self._waits_until = max(self._waits_until, time.monotonic() + seconds)

    @property
    def waiting(self) -> float:
        """Seconds until the longest wait in hand is over."""
        return max(0.0, self._waits_until - time.monotonic())


class Bucket:
    """A token bucket (in its form as GCRA, one number) that threads share.

    In any stretch of `t` seconds it lets through at most `burst + rate * t`. Whoever comes first is served first.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._each = 1 / rate
        self._burst = max(burst, 1) / rate
        self._full_at = 0.0
        self._lock = threading.Lock()

    def take(self, cost: float = 1.0) -> float:
        """Take a place in the queue; returns the seconds until it is one's turn."""
        with self._lock:
            now = time.monotonic()
            self._full_at = max(self._full_at, now) + cost * self._each
            return max(0.0, self._full_at - self._burst - now)

    def hold(self, seconds: float) -> None:
        """Let nobody through for so long; then one at a time, since the host's own bucket is empty too."""
        with self._lock:
            held_until = time.monotonic() + min(seconds, LONGEST_HOLD) + self._burst - self._each
            self._full_at = max(self._full_at, held_until)


_buckets: weakref.WeakValueDictionary[tuple[str, float, float], Bucket] = weakref.WeakValueDictionary()
_buckets_lock = threading.Lock()


def bucket_of(host: str, rate: float, burst: float) -> Bucket:
    """The bucket that all sources on a host share while one of them is open."""
    with _buckets_lock:
        return _buckets.setdefault((host, rate, burst), Bucket(rate, burst))


class Patience:
    """How long one source may still wait in this run. Its waits end when its turn is over."""

    def __init__(self, budget: float, stopping: threading.Event, traffic: Traffic) -> None:
        self._budget = self._left = budget
        self._stopping = stopping
        self._traffic = traffic
        self._lock = threading.Lock()

    def affords(self, seconds: float) -> bool:
        return seconds <= self._left

    def queue(self, seconds: float) -> None:
        """Wait for one's turn. Raises `BusyError` for a turn that is too far off, or when the turn is over."""
        if seconds > FREE_WAIT:
            self.spend(seconds)
        else:
            self._sleep(seconds)

    def spend(self, seconds: float) -> None:
        """Wait, from the budget. Raises `BusyError` if too little of it is left, or when the turn is over."""
        with self._lock:
            if seconds > self._left:
                raise BusyError(
                    f"the host keeps us waiting: {in_words(self._budget - self._left)} so far, and"
                    f" {in_words(seconds)} more are asked for",
                    NEXT_RUN,
                )
            self._left -= seconds
        self._sleep(seconds)

    def _sleep(self, seconds: float) -> None:
        self._traffic.wait(seconds)
        while seconds > 0:
            if self._stopping.is_set():
                raise BusyError("its turn ended while it waited for the host", NEXT_RUN)
            time.sleep(min(seconds, SLICE))
            self._traffic.add(waited=min(seconds, SLICE))
            seconds -= SLICE


def in_words(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
