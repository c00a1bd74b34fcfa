"""The rows of one sheet, read in one pass: cells as text, numbers and truth values, dates as ISO text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import BinaryIO

from connectors.msproject.tables.dates import serial_date
from connectors.msproject.tables.package import MAX_DEPTH, Feed, Package, Sheet, Styles, hostile, local, unescape

Cell = str | float | bool | None
"""What stands in a cell. A date is ISO text, and a percentage in a cell that is shown as one is text: `40%`."""
Row = tuple[int, list[Cell]]
"""The row's number, from 1, and its cells from column A on; cells beyond the last one with a value are left out."""

MAX_COLUMNS = 500
"""Columns beyond are not looked at."""
MAX_ROWS = 1 << 20
_EPOCHS = {False: datetime(1899, 12, 30), True: datetime(1904, 1, 1)}  # noqa: DTZ001 - wall time


@lru_cache(maxsize=2048)
def column_index(letters: str) -> int:
    """`A` is 0, `AA` is 26; a large number for what is no column."""
    number = 0
    for letter in letters:
        if not "A" <= letter <= "Z" or number > MAX_ROWS:
            return MAX_ROWS
        number = number * 26 + ord(letter) - 64
    return number - 1


def column_letters(index: int) -> str:
    """The other way round."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def cell_text(cell: Cell) -> str:
    """A cell as people see it."""
    if isinstance(cell, bool):
        return "Yes" if cell else "No"
    if isinstance(cell, float):
        return f"{cell:.15g}" if cell != int(cell) else str(int(cell))
    return cell or ""


class SheetReading(Feed):
    """Turns the XML of a sheet into rows."""

    def __init__(self, name: str, strings: list[str] | None, styles: Styles, *, since_1904: bool) -> None:
        """`strings` may be `None`: then a cell with a shared string holds its index (see `wanted`)."""
        super().__init__(name)
        self.rows: list[Row] = []
        self._strings = strings
        self.wanted = -1
        """The highest index of a shared string that was met."""
        self._styles = styles
        self._epoch = _EPOCHS[since_1904]
        self._make_handlers()

    def read(self, stream: BinaryIO) -> Iterator[Row]:
        for _ in self.chunks(stream):
            yield from self.rows
            self.rows.clear()

    def _make_handlers(self) -> None:  # noqa: C901 - the hot loop, in one scope on purpose, as in connectors.msproject.xml
        parser, rows, value_of, pieces = self.parser, self.rows, self._value, self.pieces
        cells: list[Cell] = []
        number, column, depth = 0, 0, 0
        attributes: dict[str, str] = {}
        in_cell = False

        def start(written: str, given: dict[str, str]) -> None:
            nonlocal number, column, attributes, in_cell, depth
            name = written if ":" not in written else local(written)
            if name == "c":
                letters = given.get("r", "").rstrip("0123456789")
                column = column_index(letters) if letters else column + 1
                attributes, in_cell = given, True
            elif name in ("v", "t") and in_cell:
                parser.CharacterDataHandler = pieces.append
            elif name == "row":
                given_number = given.get("r", "")
                number = int(given_number) if given_number.isdigit() else number + 1
                column = -1
                if number > MAX_ROWS:
                    raise hostile(self.name, f"more than {MAX_ROWS:,} rows")
            depth += 1
            if depth > MAX_DEPTH:
                raise hostile(self.name, f"elements nested beyond {MAX_DEPTH} levels")

        def end(written: str) -> None:
            nonlocal cells, in_cell, depth
            depth -= 1
            parser.CharacterDataHandler = None
            name = written if ":" not in written else local(written)
            if name == "c":
                in_cell = False
                if pieces and column < MAX_COLUMNS:
                    cells += [None] * (column + 1 - len(cells))
                    cells[column] = value_of(attributes, "".join(pieces))
                pieces.clear()
            elif name == "row":
                if cells:
                    rows.append((number, cells))
                cells = []

        parser.StartElementHandler, parser.EndElementHandler = start, end

    def _value(self, attributes: dict[str, str], text: str) -> Cell:
        kind = attributes.get("t", "n")
        if kind == "s":
            return self._shared(text)
        if kind in ("str", "inlineStr"):
            return unescape(text)
        if kind == "e":
            return None  # a formula that came to nothing
        if kind == "b":
            return text.strip() in ("1", "true")
        return text.strip() if kind == "d" else self._number(text, attributes.get("s", ""))

    def _shared(self, text: str) -> str:
        index = int(text)
        self.wanted = max(self.wanted, index)
        if self._strings is None:
            return ""
        return self._strings[index] if 0 <= index < len(self._strings) else ""

    def _number(self, text: str, style: str) -> Cell:
        value = float(text)
        if not style.isdigit():
            return value
        at, styles = int(style), self._styles
        if at in styles.dates:
            return serial_date(value, self._epoch) or value
        if at in styles.percents:
            return f"{value * 100:.10g}%"
        return f"{value * 24:.10g} h" if at in styles.elapsed else value


def read_rows(package: Package, sheet: Sheet, strings: list[str]) -> Iterator[Row]:
    """All rows of a sheet that hold anything. Raises `InputError`."""
    reading = SheetReading(package.name, strings, package.styles, since_1904=package.since_1904)
    with package.open(sheet.part) as stream:
        yield from reading.read(stream)


def read_top(package: Package, sheet: Sheet, count: int) -> list[Row]:
    """The first rows, without reading the workbook's strings further than these rows need."""
    counting = SheetReading(package.name, None, package.styles, since_1904=package.since_1904)
    with package.open(sheet.part) as stream:
        for at, _ in enumerate(counting.read(stream), 1):
            if at >= count:
                break
    rows = read_rows(package, sheet, package.strings(counting.wanted) if counting.wanted >= 0 else [])
    return [row for _, row in zip(range(count), rows, strict=False)]
