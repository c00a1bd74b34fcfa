"""Excel workbooks: which of their sheets holds tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.base import Notice
from connectors.errors import InputError
from connectors.msproject.tables.layout import TOP, Layout, Wanted, find_layout
from connectors.msproject.tables.package import Package, Sheet
from connectors.msproject.tables.sheet import Row, read_rows, read_top


@dataclass(frozen=True, slots=True)
class Found:
    """The sheet that holds tasks."""

    sheet: Sheet
    layout: Layout
    remarks: tuple[Notice, ...]

    def rows(self, package: Package, strings: list[str]) -> Iterator[Row]:
        """The rows below its header."""
        return (row for row in read_rows(package, self.sheet, strings) if row[0] > self.layout.header)


def find_tasks(package: Package, wanted: Wanted, title: str = "") -> Found:
    """The one sheet that holds tasks, or the one of this title. Raises `InputError` if there is none, or several."""
    name = package.name
    sheets = [sheet for sheet in package.sheets if not title or sheet.title.casefold() == title.casefold()]
    if not sheets:
        raise InputError(f'{name} has no sheet "{title}"', "correct `sheet` of this source")
    pivots = [sheet.title for sheet in sheets if sheet.is_pivot]
    found = [
        (sheet, layout)
        for sheet in sheets
        if not sheet.is_pivot and (layout := find_layout(read_top(package, sheet, TOP), wanted))
    ]
    if len(found) == 1:
        return Found(*found[0], (*_left_out(name, pivots), _told(name, found[0][0])))
    if found:
        titles = ", ".join(f'"{sheet.title}"' for sheet, _ in found)
        raise InputError(f"{name} has several sheets of tasks: {titles}", "say which one with `sheet` for this source")
    raise _no_tasks(name, pivots)


def _left_out(name: str, pivots: list[str]) -> Iterator[Notice]:
    for title in pivots:
        yield Notice("fine", f'{name}: the sheet "{title}" is a visual report (a pivot table) and is left out')


def _told(name: str, sheet: Sheet) -> Notice:
    return Notice("fine", f'{name}: tasks are read from the sheet "{sheet.title}"')


def _no_tasks(name: str, pivots: list[str]) -> InputError:
    if pivots:
        return InputError(
            f"{name} holds a visual report (a pivot table) and no table of tasks",
            "use File > Save As > Excel Workbook in Project, or export the plan from Planner",
        )
    return InputError(
        f"{name} has no table of tasks: no row names a column for the task's name and one more that is known",
        "give its titles in `columns`, or export it again with a header row",
    )
