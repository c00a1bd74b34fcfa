"""Delimited text: how a file is encoded and set apart, told by itself, and its rows.

Each row comes with the very text that it was read from, so that a copy can keep it letter for letter.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from connectors.errors import InputError
from connectors.msproject.tables.package import hostile
from connectors.msproject.xml import CHUNK, MAX_TEXT

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_ODD = re.compile(r"[^\W\d_\x00-\x7f]{3}|[a-z][‚ƒ„†‡‰‹•][a-z]", re.IGNORECASE)
"""Three accented letters in a row, or a sign within a word: no western European text has those, but one that was
written in another code page and is read as Windows-1252 has."""
_HOLD = 64
"""Characters kept between chunks, so that none of the signs is cut in two."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the bytes of a file are its text, and how that is known."""

    codec: str
    title: str
    bom: bytes = b""


def detect_encoding(stream: BinaryIO, name: str, given: str = "") -> Encoding:
    """The encoding of a file, from all of its bytes; `given` is what config says. Leaves the stream at its start.

    Raises `InputError` where the bytes do not tell.
    """
    start = stream.read(4096)
    stream.seek(0)
    for bom, codec, title in _BOMS:
        if start.startswith(bom):
            return Encoding(codec, f"{title} (by its byte order mark)", bom)
    if given:
        return Encoding(given, f"{given} (by config)")
    if b"\0" in start:
        codec = "utf-16-le" if start[1::2].count(0) >= start[::2].count(0) else "utf-16-be"
        return Encoding(codec, "UTF-16 (by its zero bytes)")
    if _can_be_read(stream, "utf-8"):
        return Encoding("utf-8", "UTF-8")
    if _can_be_read(stream, "cp1252", _ODD):
        return Encoding("cp1252", "Windows-1252 (by its letters)")
    raise InputError(
        f"{name} is neither UTF-8 nor plainly Windows-1252",
        'set encoding for this source, such as encoding = "cp1251", or export it as CSV UTF-8',
    )


def _can_be_read(stream: BinaryIO, codec: str, never: re.Pattern[str] | None = None) -> bool:
    """Whether all bytes are text in this code, in which `never` does not occur. Leaves the stream at its start."""
    decoder = codecs.getincrementaldecoder(codec)()
    held = ""
    try:
        while chunk := stream.read(CHUNK):
            text = held + decoder.decode(chunk)
            if never and never.search(text):
                return False
            held = text[-_HOLD:]
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        stream.seek(0)
    return True


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table, which may take several lines of the file."""

    number: int
    """Of its first line, from 1."""
    cells: list[str]
    raw: str
    """Its text with its line end."""


def read_lines(stream: BinaryIO, name: str, encoding: Encoding, delimiter: str) -> Iterator[Line]:
    """The rows of a file from its start. Raises `InputError`."""
    stream.seek(len(encoding.bom))
    text = io.TextIOWrapper(stream, encoding.codec, errors="strict", newline="")
    raw: list[str] = []

    def lines() -> Iterator[str]:
        while line := text.readline(MAX_TEXT):
            if len(line) >= MAX_TEXT:
                raise hostile(name, f"a line beyond {MAX_TEXT:,} characters")
            raw.append(line)
            yield line.replace("\0", "")

    reader = csv.reader(lines(), delimiter=delimiter)
    number = 1
    try:
        for cells in reader:
            yield Line(number, cells, "".join(raw))
            raw.clear()
            number = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{name} is not well-formed, line {reader.line_num}: {error}", "export it again, or correct that line"
        ) from error
    except UnicodeError as error:
        raise InputError(
            f"{name} is not in the encoding {encoding.codec}", "set encoding for this source, or export it as UTF-8"
        ) from error
    finally:
        text.detach()
