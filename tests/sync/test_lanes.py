"""Steps of several lanes at a time: none is lost, doubled or out of order, and none holds up another."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Generator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.lanes import Cut, Lane, side_by_side
from sync.stopping import Stopping


def lane(steps: Generator[int], *, budget: float = 60, grace: float = 5, ahead: int = 1) -> Lane[int]:
    return Lane(steps, threading.Event(), budget=budget, grace=grace, ahead=ahead)


def counted(amount: int) -> Generator[int]:
    yield from range(amount)


@given(st.lists(st.integers(0, 6), max_size=5), st.integers(0, 2))
def test_every_step_comes_once_and_in_order(amounts: Sequence[int], ahead: int) -> None:
    lanes = {str(at): lane(counted(amount), ahead=ahead) for at, amount in enumerate(amounts)}
    came: dict[str, list[int]] = {name: [] for name in lanes}
    for name, step in side_by_side(lanes, Stopping()):
        came[name].append(step)
    assert came == {str(at): [*range(amount)] for at, amount in enumerate(amounts)}
    assert all(one.cut is None and one.error is None and not one.stuck for one in lanes.values())


@given(st.integers(1, 6), st.integers(0, 2))
def test_a_lane_is_never_further_ahead_than_it_may_be(amount: int, ahead: int) -> None:
    begun: list[int] = []

    def steps() -> Generator[int]:
        for number in range(amount):
            begun.append(number)
            yield number

    for _, step in side_by_side({"a": lane(steps(), ahead=ahead)}, Stopping()):
        time.sleep(0.001)
        assert len(begun) <= step + 1 + ahead


def test_what_breaks_one_lane_leaves_the_others_whole() -> None:
    def broken() -> Generator[int]:
        yield 1
        raise KeyError("x")

    lanes = {"a": lane(broken()), "b": lane(counted(50))}
    assert sorted(side_by_side(lanes, Stopping())) == sorted([("a", 1), *(("b", number) for number in range(50))])
    assert isinstance(lanes["a"].error, KeyError)
    assert lanes["b"].error is None


def test_what_is_no_mere_failure_ends_the_run() -> None:
    def killed() -> Generator[int]:
        yield 1
        raise SystemExit("killed")

    with pytest.raises(SystemExit):
        list(side_by_side({"a": lane(killed())}, Stopping()))


def test_a_lane_over_its_budget_finishes_the_step_in_hand() -> None:
    def slow(stopping: threading.Event) -> Generator[int]:
        for number in range(100):
            stopping.wait(0.1)
            yield number

    event = threading.Event()
    lanes = {"a": Lane(slow(event), event, budget=0.25, grace=5, ahead=1), "b": lane(counted(3))}
    came = list(side_by_side(lanes, Stopping()))
    assert [step for name, step in came if name == "b"] == [0, 1, 2]
    mine = [step for name, step in came if name == "a"]
    assert mine == [*range(len(mine))]
    assert 0 < len(mine) < 100
    assert (lanes["a"].cut, lanes["a"].stuck) == (Cut.BUDGET, False)
    assert lanes["b"].cut is None


def test_a_lane_that_hangs_is_left_behind() -> None:
    over = threading.Event()

    def hangs() -> Generator[int]:
        yield 1
        over.wait(20)
        yield 2

    lanes = {"a": lane(hangs(), budget=0.2, grace=0.2)}
    began = time.monotonic()
    assert list(side_by_side(lanes, Stopping())) == [("a", 1)]
    assert time.monotonic() - began < 15
    assert (lanes["a"].cut, lanes["a"].stuck) == (Cut.BUDGET, True)
    over.set()


def test_a_stop_ends_every_lane_and_is_no_failure() -> None:
    stopping = Stopping()

    def endless() -> Generator[int]:
        number = 0
        while True:
            yield (number := number + 1)

    lanes = {"a": lane(endless()), "b": lane(endless())}
    for _, step in side_by_side(lanes, stopping):
        if step == 5 and stopping.by is None:
            stopping.ask(signal.SIGTERM)
    assert [one.cut for one in lanes.values()] == [Cut.STOP, Cut.STOP]
    assert [one.error for one in lanes.values()] == [None, None]


def test_a_caller_that_gives_up_ends_every_lane() -> None:
    closed = threading.Event()

    def endless() -> Generator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    taking = side_by_side({"a": lane(endless())}, Stopping())
    assert next(taking) == ("a", 1)
    taking.close()
    assert closed.wait(20)


def test_a_second_signal_ends_at_once() -> None:
    stopping = Stopping()
    stopping.ask(signal.SIGTERM)
    assert stopping.by == "SIGTERM"
    with pytest.raises(KeyboardInterrupt):
        stopping.ask(signal.SIGINT)
