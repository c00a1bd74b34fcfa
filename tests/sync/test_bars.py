"""What a bar says while a source is pulled."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO

import pytest
from rich.console import Console

from connectors.base import Cost
from sync.bars import Bars, pace, whole


@dataclass
class Host:
    """What a source cost, and how fast its host may be asked."""

    requests: int = 0
    sent: int = 0
    received: int = 0
    rate: float = 8
    waiting: float = 0


@dataclass
class File:
    """What a source cost that has no pace."""

    requests: int = 0
    sent: int = 0
    received: int = 0


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        (Host(21), "2.1 of 8 requests/s"),
        (Host(450, rate=45.5), "45.0 of 45.5 requests/s"),
        (Host(21, waiting=23.4), "waits 0:23 for its host"),
        (Host(21, waiting=3723), "waits 1:02:03 for its host"),
        (Host(21, waiting=0.2), "2.1 of 8 requests/s"),
        (Host(21, rate=0), ""),
        (Host(21, rate=0, waiting=5), "waits 0:05 for its host"),
        (File(21), ""),
        (None, ""),
    ],
)
def test_what_the_host_allows(cost: Cost | None, told: str) -> None:
    assert pace(cost, 10.0) == told


def test_a_burst_is_no_rate() -> None:
    assert pace(Host(21), 0.5) == pace(Host(), None) == "8 requests/s allowed"


def drawn(draw: Callable[[Bars], None], width: int = 100, expected: int | None = None) -> str:
    """The last picture of a bar of the source `work`, without colour."""
    screen = StringIO()
    console = Console(file=screen, width=width, force_terminal=True, color_system=None)
    bars = Bars({"work": expected}, {"work": lambda: Host(21)}, console)
    with bars:
        draw(bars)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    return re.split(r"[\r\n]+", shown.strip())[-1]


def test_what_came_is_all_there_is() -> None:
    assert re.search(r"work ━{24} +0 items .* 0:0\d$", drawn(lambda _: None))
    assert " 1 item " in drawn(lambda bars: bars.move("work", 1, 0.5))
    assert " 1,200 items " in drawn(lambda bars: bars.move("work", 1200, 0.5), expected=100)


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 200])
def test_a_bar_is_one_line(width: int) -> None:
    shown = drawn(lambda bars: bars.move("work", 123_456, 1), width)
    assert "123,456 items" in shown
    assert len(shown.rstrip()) <= width
    assert ("requests/s" in shown) == (width >= 90)


@pytest.mark.parametrize(
    ("expected", "items", "share", "total"),
    [
        (None, 30, 0.0, None),  # nobody knows
        (None, 30, 0.25, 120),  # a quarter of the boards is done
        (200, 30, 0.25, 200),  # the last time there were 200
        (20, 30, 0.25, 31),  # there are more than the last time
        (None, 30, 1.0, 31),  # done only when all is taken in
    ],
)
def test_what_is_left(expected: int | None, items: int, share: float, total: int | None) -> None:
    assert whole(expected, items, share) == total
