"""A token bucket lets through what it says, in the order in which it was asked, whoever asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BusyError
from connectors.http.pacing import Bucket, Patience, Traffic, bucket_of
from tests.connectors.http.conftest import Opener
from tests.fakes.scripted import Clock, Reply, Scripted

gaps = st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=60)


def starts(bucket: Bucket, clock: Clock, gaps: Sequence[float]) -> list[float]:
    """When each request may go, if they come so many seconds after one another."""
    found = []
    for gap in gaps:
        clock.sleep(gap)
        found.append(clock.monotonic() + bucket.take())
    return found


def with_clock(bucket: Bucket, gaps: Sequence[float]) -> list[float]:
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(time, "monotonic", clock.monotonic)
        return starts(bucket, clock, gaps)


@given(gaps=gaps, rate=st.floats(0.5, 50), burst=st.integers(1, 30))
def test_no_stretch_of_time_sees_more_than_it_may(gaps: list[float], rate: float, burst: int) -> None:
    times = with_clock(Bucket(rate, burst), gaps)
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + rate * (times[last] - times[first]) + 1e-3


@given(gaps=gaps, rate=st.floats(0.5, 50), burst=st.integers(1, 30))
def test_first_come_first_served_and_none_waits_longer_than_the_queue(
    gaps: list[float], rate: float, burst: int
) -> None:
    times = with_clock(Bucket(rate, burst), gaps)
    assert times == sorted(times)
    assert times[-1] - times[0] <= sum(gaps) + len(gaps) / rate + 1e-6


@given(gaps=gaps, rate=st.floats(0.5, 50), burst=st.integers(1, 30))
def test_no_time_is_given_away(gaps: list[float], rate: float, burst: int) -> None:
    """Whoever must wait goes at the very moment when the bucket has something again."""
    times = with_clock(Bucket(rate, burst), gaps)
    arrivals = [sum(gaps[: number + 1]) for number in range(len(gaps))]
    for number in range(burst, len(times)):
        soonest = max(arrivals[number] - arrivals[0], 0) + times[0]
        assert times[number] <= max(soonest, times[number - 1] + 1 / rate) + 1e-6


def test_a_request_may_cost_more(clock: Clock) -> None:
    bucket = Bucket(rate=1, burst=10)
    assert bucket.take(10) == 0
    assert bucket.take(10) == pytest.approx(10)


def test_a_held_bucket_lets_one_through_at_a_time(clock: Clock) -> None:
    bucket = Bucket(rate=2, burst=10)
    bucket.hold(7)
    assert [bucket.take() for _ in range(3)] == pytest.approx([7, 7.5, 8])


def test_holding_never_shortens(clock: Clock) -> None:
    bucket = Bucket(rate=2, burst=10)
    bucket.hold(7)
    bucket.hold(1)
    assert bucket.take() == pytest.approx(7)


def test_threads_together_get_no_more_than_one_would() -> None:
    bucket, waits = Bucket(rate=1, burst=5), []

    def ask() -> None:
        waits.extend([bucket.take() for _ in range(50)])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(round(wait) for wait in waits) == pytest.approx([0] * 5 + list(range(1, 396)), abs=2)
    assert len(waits) == 400


def test_one_bucket_for_a_host_and_another_for_another() -> None:
    ours = bucket_of("https://a.example:443", 1, 1)
    assert bucket_of("https://a.example:443", 1, 1) is ours
    assert bucket_of("https://b.example:443", 1, 1) is not ours


def test_a_host_that_no_source_is_open_on_is_forgotten(opened: Opener, server: Scripted, clock: Clock) -> None:
    server.play(Reply(429, headers={"Retry-After": "900"}), Reply())
    first = opened()
    for _ in range(2):
        with pytest.raises(BusyError):
            first.get_json("/x")
    assert len(server.seen) == 1, "the bucket was not held"
    first.close()
    assert opened().get_json("/x") == {}


def test_a_budget_is_shared_by_threads(clock: Clock) -> None:
    patience, refused = Patience(10, threading.Event(), Traffic()), []

    def wait() -> None:
        try:
            patience.spend(1)
        except BusyError as error:
            refused.append(error)

    threads = [threading.Thread(target=wait) for _ in range(15)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 5
    assert clock.waited == pytest.approx(10)


def test_traffic_of_threads_adds_up() -> None:
    traffic = Traffic()

    def add() -> None:
        for _ in range(2_000):
            traffic.add(requests=1, received=2)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (traffic.requests, traffic.received) == (8_000, 16_000)
