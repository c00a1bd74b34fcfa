"""Reasons to stop a command, each with its exit code and sentences for the person who ran it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class Exit(IntEnum):
    """What a program that called `unstuck` can rely on."""

    FINE = 0
    PARTLY = 1
    """A source or a write failed; the rest was done."""
    INVALID = 2
    """Config, rules, arguments or the store must be corrected first; nothing was done."""
    UNSAFE = 3
    """Refused: a brake, a changed plan, a write that was not allowed; nothing was written."""
    LOCKED = 4
    """Another run holds the lock."""
    BUG = 70


class Stop(Exception):  # noqa: N818 - it is not always an error
    """Ends the command. `lines` are whole sentences, printed one below the other on stderr."""

    exit_code = Exit.INVALID

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines: Sequence[str] = lines


class InvalidStop(Stop):
    """Something must be corrected first."""


class UnsafeStop(Stop):
    """We refuse to write."""

    exit_code = Exit.UNSAFE


class LockedStop(Stop):
    """Another run is under way."""

    exit_code = Exit.LOCKED
