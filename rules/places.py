"""Where things stand in a TOML file: `tomllib` gives values without line numbers, so this light scan finds the lines.

It is only ever given text that `tomllib` has accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*(?:([A-Za-z0-9_-]+)|"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)')[ \t]*(\.?)""")
_VALUE = re.compile(
    r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#[^\n]*|[\[\]{}\n]|[^"'\#\[\]{}\n]+''',
    re.S,
)


class Places:
    """The line of every header and key of a TOML text, counted from 1."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        self._lengths: dict[Path, int] = {}
        table: Path = ()
        for line, header, keys in _statements(text):
            path = self._resolve((), keys) if header else (*table, *keys)
            if header == "[[":
                path = self._append(path)
            if header:
                table = path
            self._lines.setdefault(path, line)

    def line(self, path: Sequence[str | int]) -> int:
        """The line of what is at `path`, or of the nearest thing around it that has a line; 1 for the file itself."""
        at = tuple(path)
        while at and at not in self._lines:
            at = at[:-1]
        return self._lines.get(at, 1)

    def _resolve(self, start: Path, keys: Sequence[str]) -> Path:
        """A header names an array of tables by its name alone, and means its last element."""
        path = start
        for number, key in enumerate(keys):
            path = (*path, key)
            if path in self._lengths and number < len(keys) - 1:
                path = (*path, self._lengths[path] - 1)
        return path

    def _append(self, path: Path) -> Path:
        number = self._lengths.get(path, 0)
        self._lengths[path] = number + 1
        return (*path, number)


def _statements(text: str) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Every statement: its line, `[` or `[[` for a header (else nothing), and the dotted key."""
    at, line = 0, 1
    while True:
        blank = _BLANK.match(text, at)
        start = blank.end() if blank else at
        line += text.count("\n", at, start)
        if start >= len(text):
            return
        header = "[[" if text.startswith("[[", start) else "[" if text[start] == "[" else ""
        keys, end = _keys(text, start + len(header))
        yield line, header, keys
        after = _end_of_line(text, end) if header else _end_of_value(text, end)
        line += text.count("\n", start, after)
        at = after


def _keys(text: str, at: int) -> tuple[tuple[str, ...], int]:
    keys: list[str] = []
    while match := _KEY.match(text, at):
        keys.append(next(group for group in match.groups()[:3] if group is not None))
        at = match.end()
        if not match[4]:
            break
    return tuple(keys), at


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _end_of_value(text: str, at: int) -> int:
    """The first end of a line that is in no string, array or inline table."""
    depth = 0
    for match in _VALUE.finditer(text, at):
        piece = match[0]
        depth += (piece in "[{") - (piece in "]}")
        if piece == "\n" and depth <= 0:
            return match.end()
    return len(text)
