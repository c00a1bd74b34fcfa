"""Excel workbooks as exports, and their labelled copies: the sheet's own bytes with other label cells.

A workbook is never loaded and saved again, as that loses charts, images and whatever else the library does not know.
The one sheet is spliced, and every other part of the package goes into the copy as it is.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import IO, BinaryIO, ClassVar

from connectors.errors import InputError
from connectors.msproject.kinds import Asked, Labelled
from connectors.msproject.parse import parse_labels
from connectors.msproject.splice import Edit, escape
from connectors.msproject.tables.labels import MAX_TEXT, LabelPlan, label_texts, plan_labels
from connectors.msproject.tables.layout import Wanted
from connectors.msproject.tables.package import OLE, Feed, Package, local, open_package
from connectors.msproject.tables.sheet import MAX_COLUMNS, column_index, column_letters
from connectors.msproject.tables.table import Conventions, TableExport, describe, read_table
from connectors.msproject.tables.workbook import Found, find_tasks
from connectors.msproject.xml import CHUNK

_TAG = 4096
"""Bytes within which a tag of a sheet ends."""


@dataclass(frozen=True, slots=True)
class Excel:
    """Workbooks by Project's export wizard, by Planner, and of people's own."""

    title: ClassVar[str] = "Excel workbook"
    suffixes: ClassVar[tuple[str, ...]] = (".xlsx", ".xlsm")
    labels_itself: ClassVar[bool] = True
    wanted: Wanted
    sheet: str
    date_order: str
    decimal: str

    def fits(self, start: bytes, suffix: str) -> bool:
        return start.startswith(b"PK\3\4") or (start.startswith(OLE) and suffix in (*self.suffixes, ".xls"))

    def read_head(self, stream: BinaryIO, name: str) -> TableExport:
        with open_package(stream, name) as package:
            found = find_tasks(package, self.wanted, self.sheet)
            conventions = Conventions(self.date_order, self.decimal)
            conventions.see_head(found.layout)
            export = describe(name, found.layout, self.wanted, (), conventions.so_far(name))
            return _told(export, package, found)

    def read(self, stream: BinaryIO, name: str, extra: frozenset[str]) -> TableExport:
        with self._reading(stream, name, extra) as (export, _, _):
            return export

    def copy_name(self, name: str) -> str:
        return name

    def read_labels(self, stream: BinaryIO, name: str, label_field: str) -> dict[str, tuple[str, ...]]:
        export = self.read(stream, name, frozenset())
        try:
            return {uid: parse_labels(text) for uid, _, text in label_texts(export)}
        finally:
            export.close()

    def label(
        self,
        stream: BinaryIO,
        name: str,
        changes: Asked,
        shown: Mapping[str, tuple[str, ...]],
        label_field: str,
    ) -> Labelled:
        with self._reading(stream, name, frozenset()) as (export, package, found):
            try:
                plan = plan_labels(export, name, changes, shown, partial(_unwritable, export))
                edits = _edits(package, found, export, plan, label_field) if plan.texts else []
            finally:
                export.close()
            copy = partial(_render, stream, name, found.sheet.part, edits)
            return Labelled(export.sha, bool(edits), plan.results, copy)

    @contextmanager
    def _reading(
        self, stream: BinaryIO, name: str, extra: frozenset[str]
    ) -> Iterator[tuple[TableExport, Package, Found]]:
        digest = hash_stream(stream)
        with open_package(stream, name) as package:
            found = find_tasks(package, self.wanted, self.sheet)
            strings = package.strings()
            assigned = found.assigned(package, strings)
            rows, conventions = found.rows(package, strings), Conventions(self.date_order, self.decimal)
            table = read_table(name, found.layout, rows, self.wanted, extra, conventions, assigned)
            export = _told(table, package, found)
            export.sha = digest
            yield export, package, found


def _told(export: TableExport, package: Package, found: Found) -> TableExport:
    if modified := package.modified():
        export.head["LastSaved"] = modified
    export.remarks = (*found.remarks, *export.remarks)
    return export


def hash_stream(stream: BinaryIO) -> str:
    """SHA-256 of a file, which is left at its start."""
    digest = sha256()
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
    stream.seek(0)
    return digest.hexdigest()


def _unwritable(export: TableExport, text: str) -> str:
    if export.layout and export.layout.label is None and export.width >= MAX_COLUMNS:
        return f"it has {MAX_COLUMNS} columns, and so no room for one more; add a column for labels"
    return f"a cell of Excel holds {MAX_TEXT:,} characters; take some out" if len(text) > MAX_TEXT else ""


def _edits(package: Package, found: Found, export: TableExport, plan: LabelPlan, label_field: str) -> list[Edit]:
    """The edits of the sheet's bytes that put the texts into the label column, which is made if there is none."""
    texts, column = dict(plan.texts), found.layout.label
    if column is None:
        column = export.width
        texts[found.layout.header] = label_field
    with tempfile.TemporaryFile(prefix="unstuck-") as unpacked, package.open(found.sheet.part) as part:
        while chunk := part.read(CHUNK):
            unpacked.write(chunk)
        unpacked.seek(0)
        placing = _Placing(package.name, column, texts)
        placing.read(unpacked)
        if placing.encoding not in ("utf-8", "us-ascii", "ascii"):
            raise InputError(f"{package.name} has a sheet that is not in UTF-8", "save it anew from Excel")
        edits = [*placing.dimension(unpacked), *(placing.edit(unpacked, row, text) for row, text in texts.items())]
        return sorted(edits, key=lambda edit: edit.start)


@dataclass(slots=True)
class _Place:
    """Where a row's label cell is or would be: `end` is `None` for one that is not there."""

    start: int
    end: int | None
    style: str
    prefix: str


class _Placing(Feed):
    """Finds where label cells stand, in byte offsets."""

    def __init__(self, name: str, column: int, rows: Mapping[int, str]) -> None:
        super().__init__(name)
        self._column = column
        self._rows = rows
        self._places: dict[int, _Place] = {}
        self._dimension: tuple[int, str] | None = None
        self._number = 0
        self._at = -1
        self._style = ""
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end

    def read(self, stream: BinaryIO) -> None:
        for _ in self.chunks(stream):
            pass

    def _start(self, written: str, attributes: dict[str, str]) -> None:
        name = local(written)
        if name == "row":
            given = attributes.get("r", "")
            self._number = int(given) if given.isdigit() else self._number + 1
            self._at, self._style = -1, ""
        elif name == "dimension":
            self._dimension = (self.parser.CurrentByteIndex, attributes.get("ref", ""))
        elif name == "c" and self._number in self._rows:
            letters = attributes.get("r", "").rstrip("0123456789")
            self._at = column_index(letters) if letters else self._at + 1
            if self._at >= self._column and self._number not in self._places:
                style = attributes.get("s", "") if self._at == self._column else self._style
                self._place(written, style)
            self._style = attributes.get("s", "")

    def _end(self, written: str) -> None:
        name = local(written)
        if name == "c" and self._at == self._column and self._number in self._places:
            self._places[self._number].end = self.parser.CurrentByteIndex
        elif name == "row" and self._number in self._rows and self._number not in self._places:
            self._place(written.removesuffix("row") + "c", self._style)

    def _place(self, written: str, style: str) -> None:
        prefix = written.removesuffix("c")
        self._places[self._number] = _Place(self.parser.CurrentByteIndex, None, style, prefix)

    def edit(self, stream: BinaryIO, row: int, text: str) -> Edit:
        """The edit that puts a text into the row's label cell."""
        place = self._places[row]
        p, ref = place.prefix, f"{column_letters(self._column)}{row}"
        style = f' s="{escape(place.style)}"' if place.style else ""
        new = f'<{p}c r="{ref}"{style}/>'
        if text:
            inside = f'<{p}is><{p}t xml:space="preserve">{escape(text)}</{p}t></{p}is>'
            new = f'<{p}c r="{ref}"{style} t="inlineStr">{inside}</{p}c>'
        end = place.start if place.end is None else _after(stream, place.end)
        return Edit(place.start, end, new.encode())

    def dimension(self, stream: BinaryIO) -> Iterator[Edit]:
        """The edit that lets the sheet's own note of its size take in the label column."""
        at, ref = self._dimension or (0, "")
        found = re.fullmatch(r"([A-Z]+[0-9]+:)([A-Z]+)([0-9]+)", ref)
        if found and column_index(found[2]) < self._column:
            stream.seek(at)
            tag = stream.read(_TAG).partition(b">")[0]
            new = f"{found[1]}{column_letters(self._column)}{found[3]}".encode()
            yield Edit(at, at + len(tag), tag.replace(ref.encode(), new))


def _after(stream: BinaryIO, end: int) -> int:
    """The offset after an element, given that of its end tag, or that after it if it closes itself."""
    stream.seek(end)
    text = stream.read(_TAG)
    return end + text.index(b">") + 1 if re.match(rb"</([^:>]+:)?c\s*>", text) else end


def _render(stream: BinaryIO, name: str, part: str, edits: Sequence[Edit]) -> Iterator[bytes]:
    """The bytes of the copy."""
    if not edits:
        stream.seek(0)
        while chunk := stream.read(CHUNK):
            yield chunk
        return
    with tempfile.TemporaryFile(prefix="unstuck-") as file:
        with open_package(stream, name) as package, zipfile.ZipFile(file, "w") as copy:
            for info in package.archive.infolist():
                _copy_part(package, info, copy, edits if info.filename == part else ())
        file.seek(0)
        while chunk := file.read(CHUNK):
            yield chunk


def _copy_part(package: Package, info: zipfile.ZipInfo, copy: zipfile.ZipFile, edits: Sequence[Edit]) -> None:
    new = zipfile.ZipInfo(info.filename, info.date_time)
    new.compress_type, new.external_attr, new.create_system = info.compress_type, info.external_attr, info.create_system
    with package.open(info.filename) as source, copy.open(new, "w", force_zip64=info.file_size > 1 << 30) as target:
        at = 0
        for edit in edits:
            at += _pass_on(source, target, edit.start - at)
            target.write(edit.new)
            at += len(source.read(edit.end - edit.start))
        while chunk := source.read(CHUNK):
            target.write(chunk)


def _pass_on(source: BinaryIO, target: IO[bytes], count: int) -> int:
    left = count
    while left > 0:
        chunk = source.read(min(CHUNK, left))
        target.write(chunk)
        left -= len(chunk)
    return count
