"""Colour that means something, on a terminal: green goes on, yellow comes off or is a warning, red failed."""

from __future__ import annotations

import os
from typing import Literal, TextIO

import click

Colour = Literal["green", "yellow", "red", "bright_black"]


def toned(text: str, colour: Colour, stream: TextIO) -> str:
    """The text in a colour, if it goes to a terminal and nobody set `NO_COLOR` (https://no-color.org)."""
    wanted = stream.isatty() and not os.environ.get("NO_COLOR")
    return click.style(text, fg=colour) if wanted else text
