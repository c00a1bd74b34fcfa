"""Words as people write them: numbers with what they count."""

from __future__ import annotations


def many(number: int, one: str, several: str = "") -> str:
    """`1 item`, `2 items`, `1,200 items`."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"
