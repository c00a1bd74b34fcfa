"""Cells that are merged over several rows: what stands in the first of them holds for all."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from connectors.msproject.tables.package import Package, Sheet, hostile
from connectors.msproject.tables.sheet import MAX_COLUMNS, Cell, Row, column_index
from connectors.msproject.xml import CHUNK

MAX_MERGES = 200_000
_MERGE = re.compile(rb"""<(?:\w+:)?mergeCell\s[^<>]*?ref=["']([A-Z]{1,3})([0-9]{1,7}):[A-Z]{1,3}([0-9]{1,7})["']""")
_LONGEST = 300
"""Bytes of a tag that may be cut in two by the end of a chunk."""


@dataclass(frozen=True, slots=True, order=True)
class Merge:
    """One range over several rows; its value stands in `column` of the `first`."""

    first: int
    last: int
    column: int


def read_merges(package: Package, sheet: Sheet) -> list[Merge]:
    """Those of a sheet that cover several rows, from the top down. Raises `InputError` if there are too many to hold.

    They are listed behind all rows, so they are looked for in the sheet's bytes, at a small part of what parsing costs.
    """
    found: set[Merge] = set()
    held = b""
    with package.open(sheet.part) as stream:
        while chunk := stream.read(CHUNK):
            held = held[-_LONGEST:] + chunk
            for column, first, last in _MERGE.findall(held) if b"mergeCell" in held else ():
                at = column_index(column.decode())
                if int(last) > int(first) and at < MAX_COLUMNS:
                    found.add(Merge(int(first), int(last), at))
            if len(found) > MAX_MERGES:
                raise hostile(package.name, f"more than {MAX_MERGES:,} merged cells")
    return sorted(found)


def fill_down(rows: Iterable[Row], merges: Iterable[Merge], but: Collection[int | None]) -> Iterator[Row]:
    """The rows, each with what stands merged over it from above; the columns `but` are left as they are."""
    wanted = [merge for merge in merges if merge.column not in but]
    return _fill_down(rows, wanted) if wanted else iter(rows)


def _fill_down(rows: Iterable[Row], merges: Iterable[Merge]) -> Iterator[Row]:
    coming = iter(merges)
    following = next(coming, None)
    present: dict[int, tuple[Merge, Cell]] = {}
    for number, cells in rows:
        while following and following.first <= number:
            is_here = following.first == number and following.column < len(cells)
            present[following.column] = (following, cells[following.column] if is_here else None)
            following = next(coming, None)
        for column, (merge, cell) in [*present.items()]:
            if number > merge.last:
                del present[column]
            elif number > merge.first and cell is not None:
                _fill(cells, column, cell)
        yield number, cells


def _fill(cells: list[Cell], column: int, cell: Cell) -> None:
    """What a program left below a merge, though nobody sees it, stays."""
    cells += [None] * (column + 1 - len(cells))
    if cells[column] is None:
        cells[column] = cell
