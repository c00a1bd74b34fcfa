"""What is said on stderr: sentences for people, or with `--log-format json` one JSON object a line and nothing else."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

import click

from sync.colour import Colour, toned
from sync.secrets import Formatter, redacted

Level = Literal["debug", "info", "warning", "error"]
_TONES: Mapping[Level, Colour] = {"warning": "yellow", "error": "red"}

_run: int | None = None
"""The run that this process works on; it works on one at a time."""


class JsonLines(io.TextIOBase):
    """Stands in for stderr: whatever is written to it, by whom ever, comes out as one JSON object for each line."""

    def __init__(self, under: TextIO) -> None:
        self.under = under
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line.strip():
                self.put("warning", "message", line.rstrip())
        return len(text)

    def flush(self) -> None:
        self.under.flush()

    def fileno(self) -> int:
        return self.under.fileno()

    def put(self, level: str, event: str, text: str | None, **facts: Any) -> None:
        """Write one object."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {"ts": at, "level": level, "event": event, "run": _run, **facts, "text": text and redacted(text)}
        kept = {name: value for name, value in told.items() if value is not None}
        self.under.write(json.dumps(kept, ensure_ascii=False, default=str) + "\n")
        self.under.flush()


class _Handler(logging.Handler):
    """Records of the logging module, for `--debug`. A thread is named after the source that it waits for."""

    def __init__(self, lines: JsonLines) -> None:
        super().__init__()
        self._lines = lines
        self.setFormatter(Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        source = None if record.threadName == "MainThread" else record.threadName
        text = self.format(record)  # with its traceback, if it has one
        self._lines.put(record.levelname.lower(), "log", text, logger=record.name, source=source)


def choose(form: str) -> None:
    """What stderr carries from now on: `text` or `json`."""
    if form == "json" and not isinstance(sys.stderr, JsonLines):
        sys.stderr = JsonLines(sys.stderr)


def show_debug() -> None:
    """Show what the logging module is told, too."""
    text = logging.StreamHandler()
    text.setFormatter(Formatter("%(levelname)s %(name)s: %(message)s"))
    handler = _Handler(sys.stderr) if isinstance(sys.stderr, JsonLines) else text
    logging.basicConfig(level=logging.DEBUG, handlers=[handler])


def of_run(run: int | None) -> None:
    """From now on, what is logged belongs to this run."""
    global _run  # noqa: PLW0603 - as there is one stderr, there is one run
    _run = run


def say(text: str, event: str, level: Level = "warning", **facts: Any) -> None:
    """Something that a person should read."""
    if isinstance(sys.stderr, JsonLines):
        sys.stderr.put(level, event, text, **facts)
    else:
        tone = _TONES.get(level)
        click.echo(toned(redacted(text), tone, sys.stderr) if tone else redacted(text), err=True)


def note(event: str, **facts: Any) -> None:
    """Something for those who gather logs alone: people are told nothing while all is well."""
    if isinstance(sys.stderr, JsonLines):
        sys.stderr.put("info", event, None, **facts)
