"""Delimited text as exports, and their labelled copies: the file's own text with other label cells."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import BinaryIO, ClassVar

from connectors.base import Notice
from connectors.errors import InputError
from connectors.msproject.kinds import Asked, Labelled
from connectors.msproject.parse import parse_labels
from connectors.msproject.tables.delimited import DELIMITERS, Encoding, Line, detect_encoding, read_lines
from connectors.msproject.tables.excel import hash_stream
from connectors.msproject.tables.labels import label_texts, plan_labels
from connectors.msproject.tables.layout import TOP, Layout, Wanted, find_layout
from connectors.msproject.tables.sheet import MAX_COLUMNS, Row
from connectors.msproject.tables.table import Conventions, TableExport, describe, read_table

_BLOCK = 1_000
"""Lines of a copy that are encoded at a time."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one file is written."""

    encoding: Encoding
    delimiter: str
    layout: Layout

    def lines(self, stream: BinaryIO, name: str) -> Iterator[Line]:
        """All of its rows, also those above the table."""
        return read_lines(stream, name, self.encoding, self.delimiter)

    def rows(self, stream: BinaryIO, name: str) -> Iterator[Row]:
        """Those of the table, below its header."""
        return (_row(line) for line in self.lines(stream, name) if line.number > self.layout.header)


@dataclass(frozen=True, slots=True)
class DelimitedText:
    """CSV and tab-separated text by an export map of Project, by Planner's users, and of people's own."""

    title: ClassVar[str] = "CSV"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".txt", ".tsv")
    labels_itself: ClassVar[bool] = True
    wanted: Wanted
    encoding: str
    delimiter: str
    date_order: str
    decimal: str

    def fits(self, start: bytes, suffix: str) -> bool:
        return False  # text has no signature

    def read_head(self, stream: BinaryIO, name: str) -> TableExport:
        dialect = self._detect(stream, name)
        conventions = Conventions(self.date_order, self.decimal)
        conventions.see_head(dialect.layout)
        export = describe(name, dialect.layout, self.wanted, (), conventions.so_far(name))
        export.remarks = (_tell(name, dialect), *export.remarks)
        return export

    def read(self, stream: BinaryIO, name: str, extra: frozenset[str]) -> TableExport:
        return self._read(stream, name, extra)[0]

    def _read(self, stream: BinaryIO, name: str, extra: frozenset[str]) -> tuple[TableExport, Dialect]:
        digest = hash_stream(stream)
        dialect = self._detect(stream, name)
        conventions = Conventions(self.date_order, self.decimal)
        export = read_table(name, dialect.layout, dialect.rows(stream, name), self.wanted, extra, conventions)
        export.sha = digest
        export.remarks = (_tell(name, dialect), *export.remarks)
        return export, dialect

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
        export, dialect = self._read(stream, name, frozenset())
        try:
            plan = plan_labels(export, name, changes, shown, partial(_unwritable, dialect.encoding))
        finally:
            export.close()
        texts, column = dict(plan.texts), dialect.layout.label
        if column is None:
            column = export.width
            texts[dialect.layout.header] = label_field
        writer = _Writer(dialect, column, texts if plan.texts else {}, name)
        return Labelled(export.sha, bool(plan.texts), plan.results, partial(writer.chunks, stream))

    def _detect(self, stream: BinaryIO, name: str) -> Dialect:
        """The dialect whose delimiter gives a header with the most columns that are known. Raises `InputError`."""
        encoding = detect_encoding(stream, name, self.encoding)
        signs = [DELIMITERS[self.delimiter]] if self.delimiter else DELIMITERS.values()
        found = []
        for sign in signs:
            top = [_row(line) for line in islice(read_lines(stream, name, encoding, sign), TOP)]
            if layout := find_layout(top, self.wanted):
                found.append(Dialect(encoding, sign, layout))
        stream.seek(0)
        if not found:
            raise InputError(
                f"{name} has no table of tasks: no line names a column for the task's name and one more that is known",
                "give its titles in `columns`, or export it again with a header line",
            )
        return max(found, key=lambda each: len(each.layout.at))


def _row(line: Line) -> Row:
    return line.number, [cell or None for cell in line.cells[:MAX_COLUMNS]]


def _tell(name: str, dialect: Dialect) -> Notice:
    sign = next(title for title, sign in DELIMITERS.items() if sign == dialect.delimiter)
    return Notice("fine", f"{name}: text in {dialect.encoding.title}, columns set apart by a {sign}")


def _unwritable(encoding: Encoding, text: str) -> str:
    try:
        text.encode(encoding.codec)
    except UnicodeEncodeError as error:
        return f"{encoding.codec} has no {text[error.start]!r}; export it as CSV UTF-8, or rename the label"
    return ""


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the text of a file with other cells in one column."""

    dialect: Dialect
    column: int
    texts: Mapping[int, str]
    """Line's number -> new text of the cell; empty to write the file as it is."""
    name: str

    def chunks(self, stream: BinaryIO) -> Iterator[bytes]:
        """The bytes of the copy."""
        encoding = self.dialect.encoding
        yield encoding.bom
        lines = self.dialect.lines(stream, self.name)
        while block := list(islice(lines, _BLOCK)):
            yield "".join(map(self._written, block)).encode(encoding.codec)
        stream.seek(0)

    def _written(self, line: Line) -> str:
        if not self.texts or line.number < self.dialect.layout.header or not line.cells:
            return line.raw
        text = self.texts.get(line.number)
        body, end = _split_end(line.raw)
        spans = field_spans(body, self.dialect.delimiter)
        if self.column < len(spans):
            if text is None:
                return line.raw
            start, stop = spans[self.column]
            return body[:start] + self._quoted(text, body) + body[stop:] + end
        if text is None and self.dialect.layout.label is not None:
            return line.raw  # a short line, and the column was there before us
        missing = self.dialect.delimiter * (self.column - len(spans) + 1)
        return body + missing + self._quoted(text or "", body) + end

    def _quoted(self, text: str, body: str) -> str:
        """A cell's text as the file's other cells are written."""
        quotes_all = body.startswith('"') and body.endswith('"') and bool(text)
        if quotes_all or any(sign in text for sign in (self.dialect.delimiter, '"')) or text != text.strip():
            return '"' + text.replace('"', '""') + '"'
        return text


def _split_end(raw: str) -> tuple[str, str]:
    body = raw.rstrip("\r\n")
    return body, raw[len(body) :]


def field_spans(body: str, delimiter: str) -> list[tuple[int, int]]:
    """Where the cells of a row start and end, as Python's `csv` reads them: a quote counts at a cell's start only."""
    spans, at = [], 0
    sign = re.escape(delimiter)
    pattern = re.compile(rf'(?:"(?:[^"]|"")*(?:"|$))?[^{sign}]*')
    while True:
        found = pattern.match(body, at)
        end = found.end() if found else len(body)
        spans.append((at, end))
        if end >= len(body):
            return spans
        at = end + 1


def known_encoding(name: str) -> str:
    """The codec of an encoding that config names; `""` if it is none that can be written back."""
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        return ""
    if codec.startswith("utf-16"):
        return "utf-16-be" if codec.endswith("be") else "utf-16-le"
    return {"utf-8-sig": "utf-8"}.get(codec, codec if _is_plain(codec) else "")


def _is_plain(codec: str) -> bool:
    """Whether ASCII stands for itself in it."""
    sample = bytes(range(32, 127))
    try:
        return sample.decode(codec) == sample.decode("ascii")
    except (UnicodeError, LookupError):
        return False
