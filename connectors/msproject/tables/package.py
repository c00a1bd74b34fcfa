"""The parts of an .xlsx file, behind checks that no bomb passes: workbook, sheets, styles and shared strings.

Nothing is unpacked whole and no tree is built: memory stays flat, and what a file says of itself is not relied on.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from posixpath import normpath
from typing import BinaryIO
from xml.parsers import expat

from connectors.errors import InputError
from connectors.msproject.xml import CHUNK, MAX_TAG, MAX_TEXT

MAX_PARTS = 5_000
MAX_UNPACKED = 2 << 30
MAX_RATIO = 300
"""Real workbooks shrink to a tenth or a twentieth; bombs to a thousandth."""
RATIO_COUNTS_FROM = 20 << 20
"""Bytes unpacked, below which a part is harmless whatever its ratio."""
MAX_STRINGS = 128 << 20
"""Bytes of shared strings unpacked: they must be held in memory."""
MAX_DEPTH = 100
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How a workbook starts that is protected with a password, and files of old versions of Office."""
_MAX_DIRECTORY = 4 << 20
"""Bytes of the zip's table of contents."""
_DATE_FORMATS = frozenset([*range(14, 23), *range(27, 37), *range(50, 59)])
"""Ids of the built-in formats that show a number as a date (ECMA-376 part 1, 18.8.30)."""
_PERCENT_FORMATS = frozenset({9, 10})

_Start = Callable[[str, dict[str, str]], None]
_End = Callable[[str, str], None]


def not_excel(name: str) -> InputError:
    return InputError(
        f"{name} cannot be read as an Excel workbook",
        "it may be cut short; open it in Excel and save it anew as .xlsx",
    )


def hostile(name: str, what: str) -> InputError:
    return InputError(f"{name} has {what}", "no export is like that; save it anew from Excel, or split it")


class Feed:
    """One bounded pass over an XML part."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.encoding = "utf-8"
        self.parser = expat.ParserCreate(intern={})
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.XmlDeclHandler = self._declaration
        self.pieces: list[str] = []
        """Text of the element in hand."""
        self._fed = 0

    def chunks(self, stream: BinaryIO) -> Iterator[None]:
        """Feed the stream; yields after each chunk. Raises `InputError`."""
        try:
            while chunk := stream.read(CHUNK):
                self._fed += len(chunk)
                self.parser.Parse(chunk, False)
                if self._fed - max(self.parser.CurrentByteIndex, 0) > MAX_TAG + CHUNK:
                    raise hostile(self.name, f"a tag beyond {MAX_TAG:,} bytes")
                if sum(map(len, self.pieces)) > MAX_TEXT:
                    raise hostile(self.name, f"a text beyond {MAX_TEXT:,} characters")
                yield
            self.parser.Parse(b"", True)
            yield
        except (expat.ExpatError, ValueError, LookupError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise not_excel(self.name) from error

    def _doctype(self, *_: object) -> None:
        raise hostile(self.name, "a DOCTYPE, which can hide attacks")

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self.encoding = (encoding or "utf-8").lower()


def local(written: str) -> str:
    """An element's or attribute's name without its prefix."""
    return written.rpartition(":")[2]


class Walk(Feed):
    """Calls back with the start of each element, and at the end of one without others in it with its text."""

    def __init__(self, name: str, start: _Start, end: _End = lambda _name, _text: None) -> None:
        super().__init__(name)
        self._start, self._end = start, end
        self._depth = 0
        self.parser.StartElementHandler = self._open
        self.parser.EndElementHandler = self._close
        self.parser.CharacterDataHandler = self.pieces.append

    def read(self, stream: BinaryIO) -> None:
        for _ in self.chunks(stream):
            pass

    def _open(self, written: str, attributes: dict[str, str]) -> None:
        self.pieces.clear()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise hostile(self.name, f"elements nested beyond {MAX_DEPTH} levels")
        self._start(local(written), {local(key): value for key, value in attributes.items()})

    def _close(self, written: str) -> None:
        self._depth -= 1
        self._end(local(written), "".join(self.pieces))
        self.pieces.clear()


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook."""

    title: str
    part: str
    """Its part in the package."""
    is_pivot: bool
    """It shows a pivot table, as Project's visual reports do."""


@dataclass(frozen=True, slots=True)
class Styles:
    """What the formats of cells say of the numbers in them, by the cell's style."""

    dates: frozenset[int]
    percents: frozenset[int]
    elapsed: frozenset[int]
    """Hours and minutes that go beyond a day: `[h]:mm`."""


class Package:
    """One .xlsx, opened and checked."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self.archive = archive
        self.name = name
        self._parts = {info.filename: info for info in archive.infolist()}
        self._check()
        self.since_1904 = False
        self.sheets = self._read_sheets()
        self.styles = self._read_styles()

    def _check(self) -> None:
        infos = self.archive.infolist()
        if len(infos) > MAX_PARTS or len(self._parts) < len(infos):
            raise hostile(self.name, "more parts than a workbook has, or two of one name")
        if any(info.flag_bits & 1 for info in infos):
            raise InputError(f"{self.name} is protected with a password", "save it without one")
        if sum(info.file_size for info in infos) > MAX_UNPACKED:
            raise hostile(self.name, f"more than {MAX_UNPACKED >> 20:,} MB when unpacked")
        for info in infos:
            if info.file_size > RATIO_COUNTS_FROM and info.file_size > MAX_RATIO * info.compress_size:
                raise hostile(self.name, "a part that grows beyond measure when unpacked")
        if "[Content_Types].xml" not in self._parts:
            raise InputError(f"{self.name} is a zip file and no Excel workbook", "export it as .xlsx or XML")

    @contextmanager
    def open(self, part: str) -> Iterator[BinaryIO]:
        """A part's bytes. Raises `InputError` if it is not there or not readable."""
        try:
            with self.archive.open(part) as stream:
                yield stream  # type: ignore[misc]  # ZipExtFile reads as any binary file does
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise not_excel(self.name) from error

    def walk(self, part: str, start: _Start, end: _End = lambda _name, _text: None) -> None:
        with self.open(part) as stream:
            Walk(self.name, start, end).read(stream)

    def _relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Relation's id -> its type's last word and the part that it leads to."""
        folder, _, file = part.rpartition("/")
        found: dict[str, tuple[str, str]] = {}

        def start(name: str, attributes: dict[str, str]) -> None:
            if name == "Relationship" and attributes.get("TargetMode") != "External":
                target = attributes.get("Target", "")
                path = target[1:] if target.startswith("/") else normpath(f"{folder}/{target}")
                found[attributes.get("Id", "")] = (attributes.get("Type", "").rpartition("/")[2], path.lstrip("/"))

        relations = f"{folder}/_rels/{file}.rels".lstrip("/")
        if relations in self._parts:
            self.walk(relations, start)
        return found

    def _read_sheets(self) -> list[Sheet]:
        book = next((path for kind, path in self._relations("").values() if kind == "officeDocument"), "")
        if book not in self._parts:
            raise not_excel(self.name)
        self._book = self._relations(book)
        named: list[tuple[str, str]] = []

        def start(name: str, attributes: dict[str, str]) -> None:
            if name == "sheet":
                named.append((attributes.get("name", ""), attributes.get("id", "")))
            elif name == "workbookPr":
                self.since_1904 = attributes.get("date1904") in ("1", "true")

        self.walk(book, start)
        sheets = [(title, *self._book.get(key, ("", ""))) for title, key in named]
        return [
            Sheet(title, part, self._has_pivot(part))
            for title, kind, part in sheets
            if kind == "worksheet" and part in self._parts
        ]

    def _has_pivot(self, part: str) -> bool:
        return any(kind == "pivotTable" for kind, _ in self._relations(part).values())

    def _related(self, kind: str) -> str:
        """The workbook's part of a kind; `""` if it has none."""
        return next((path for each, path in self._book.values() if each == kind and path in self._parts), "")

    def _read_styles(self) -> Styles:
        codes: dict[int, str] = {}
        used: list[int] = []
        inside: list[str] = []

        def start(name: str, attributes: dict[str, str]) -> None:
            inside.append(name)
            number = attributes.get("numFmtId", "")
            if number.isdigit() and name == "numFmt":
                codes[int(number)] = attributes.get("formatCode", "")
            elif name == "xf" and inside[-2:-1] == ["cellXfs"]:
                used.append(int(number) if number.isdigit() else 0)

        def end(_name: str, _text: str) -> None:
            inside.pop()

        if part := self._related("styles"):
            self.walk(part, start, end)
        kinds = [format_kind(number, codes.get(number, "")) for number in used]
        return Styles(*(frozenset(at for at, each in enumerate(kinds) if each == kind) for kind in "d%e"))

    def modified(self) -> str:
        """When the workbook was last saved, as the file says it: ISO 8601 with a zone; `""` if it does not."""
        found: list[str] = []

        def end(name: str, text: str) -> None:
            if name == "modified":
                found.append(text.strip())

        if "docProps/core.xml" in self._parts:
            self.walk("docProps/core.xml", lambda _name, _attributes: None, end)
        return found[0] if found else ""

    def strings(self, upto: int | None = None) -> list[str]:
        """The shared strings, or those up to an index. Raises `InputError` if there are too many to hold."""
        part = self._related("sharedStrings")
        if not part:
            return []
        if self._parts[part].file_size > MAX_STRINGS:
            raise hostile(self.name, f"more than {MAX_STRINGS >> 20} MB of texts")
        reading = Strings(self.name)
        with self.open(part) as stream:
            for _ in reading.chunks(stream):
                if upto is not None and len(reading.strings) > upto:
                    break
        return reading.strings


class Strings(Feed):
    """The shared strings of a workbook: the text of all runs of each, without phonetic readings."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.strings: list[str] = []
        parser, pieces, strings = self.parser, self.pieces, self.strings
        phonetic = 0

        def start(written: str, _attributes: object) -> None:
            nonlocal phonetic
            if written == "t" or local(written) == "t":
                parser.CharacterDataHandler = None if phonetic else pieces.append
            elif local(written) == "rPh":
                phonetic += 1

        def end(written: str) -> None:
            nonlocal phonetic
            parser.CharacterDataHandler = None
            if written == "si" or local(written) == "si":
                strings.append(unescape("".join(pieces)))
                pieces.clear()
            elif local(written) == "rPh":
                phonetic -= 1

        parser.StartElementHandler, parser.EndElementHandler = start, end


def unescape(text: str) -> str:
    """`_x000D_` as the sign that it stands for (ECMA-376 part 1, 22.9.2.19)."""
    if "_x" not in text:
        return text
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), text)


def format_kind(number: int, code: str) -> str:
    """`d` for a format that shows dates, `e` for elapsed time, `%` for percentages, else `""`."""
    if number in _PERCENT_FORMATS:
        return "%"
    if number in _DATE_FORMATS:
        return "d"
    if number in (45, 46, 47):
        return "e"
    if re.search(r"\[(h+|m+|s+)\]", code, re.IGNORECASE):
        return "e"
    bare = re.sub(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]', "", code.partition(";")[0]).lower()
    if "%" in bare:
        return "%"
    return "d" if re.search(r"[dmyhs]", bare) and "general" not in bare else ""


@contextmanager
def open_package(stream: BinaryIO, name: str) -> Iterator[Package]:
    """The workbook in an open file. Raises `InputError`."""
    _check_directory(stream, name)
    try:
        with zipfile.ZipFile(stream) as archive:
            yield Package(archive, name)
    except (zipfile.BadZipFile, NotImplementedError, struct.error, UnicodeError, ValueError, OverflowError) as error:
        raise not_excel(name) from error


def _check_directory(stream: BinaryIO, name: str) -> None:
    """Refuse a table of contents that is too large to be read, before it is."""
    start = stream.read(8)
    if start == OLE:
        raise InputError(
            f"{name} is protected with a password, or no .xlsx inside", "save it in Excel as .xlsx, without a password"
        )
    size = stream.seek(0, 2)
    stream.seek(max(0, size - (1 << 16) - 22))
    tail = stream.read()
    at = tail.rfind(b"PK\5\6")
    stream.seek(0)
    if at < 0 or len(tail) < at + 22:
        raise not_excel(name)
    _, _, _, _, entries, directory, _, _ = struct.unpack("<IHHHHIIH", tail[at : at + 22])
    if entries > MAX_PARTS or directory > _MAX_DIRECTORY:
        raise hostile(name, "more parts than a workbook has")
