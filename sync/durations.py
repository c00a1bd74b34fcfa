"""Lengths of time, as people write them: `90s`, `15m`, `36h`, `2d`."""

from __future__ import annotations

import re

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """How many seconds a text stands for. Raises `ValueError` if it is no length of time over zero."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", text.strip())
    length = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not 0 < length < 10_000 * _SECONDS["d"]:
        raise ValueError(f'"{text}" is no length of time; write it like 90s, 15m, 36h or 2d')
    return length


def spoken(length: float) -> str:
    """A number of seconds, in its largest unit of which there are at least two, rounded down: `45 minutes`."""
    for unit, name in (("d", "day"), ("h", "hour"), ("m", "minute")):
        if length >= 2 * _SECONDS[unit]:
            return f"{int(length // _SECONDS[unit])} {name}s"
    return f"{length:.3g} second{'' if length == 1 else 's'}"
