"""Excel workbooks: which of their sheets holds tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.base import Notice
from connectors.errors import InputError
from connectors.msproject.tables.assignments import Assigned, AssignmentLayout, find_assignments, read_assignments
from connectors.msproject.tables.layout import TOP, Layout, Wanted, find_layout
from connectors.msproject.tables.merges import fill_down, read_merges
from connectors.msproject.tables.package import Package, Sheet
from connectors.msproject.tables.sheet import Row, read_rows, read_top
from connectors.msproject.tables.words import NAME


@dataclass(frozen=True, slots=True)
class Found:
    """The sheet that holds tasks."""

    sheet: Sheet
    layout: Layout
    remarks: tuple[Notice, ...]
    assignments: tuple[Sheet, AssignmentLayout] | None
    """The sheet that says who does what, if one does."""

    def rows(self, package: Package, strings: list[str]) -> Iterator[Row]:
        """The rows below its header.

        What is merged over several rows holds for each, but for what a row is by: two rows of one name are one task.
        """
        layout = self.layout
        rows = (row for row in read_rows(package, self.sheet, strings) if row[0] > layout.header)
        return fill_down(rows, read_merges(package, self.sheet), {*layout.identity, layout.at[NAME], layout.label})

    def assigned(self, package: Package, strings: list[str]) -> Assigned:
        """Who does what, beyond what the tasks say. Raises `InputError`."""
        if self.assignments is None:
            return Assigned()
        sheet, layout = self.assignments
        rows = (row for row in read_rows(package, sheet, strings) if row[0] > layout.header)
        return read_assignments(package.name, layout, rows)


def find_tasks(package: Package, wanted: Wanted, title: str = "") -> Found:
    """The one sheet that holds tasks, or the one of this title. Raises `InputError` if there is none, or several."""
    name = package.name
    sheets = [sheet for sheet in package.sheets if not title or sheet.title.casefold() == title.casefold()]
    if not sheets:
        raise InputError(f'{name} has no sheet "{title}"', "correct `sheet` of this source")
    pivots = [sheet.title for sheet in sheets if sheet.is_pivot]
    tops = {sheet: read_top(package, sheet, TOP) for sheet in package.sheets if not sheet.is_pivot}
    found = [(sheet, layout) for sheet in sheets if sheet in tops and (layout := find_layout(tops[sheet], wanted))]
    if len(found) == 1:
        [(chosen, layout)] = found
        others = ((sheet, find_assignments(top, layout)) for sheet, top in tops.items() if sheet != chosen)
        assignments = next(((sheet, there) for sheet, there in others if there), None)
        return Found(chosen, layout, (*_left_out(name, pivots), _told(name, chosen)), assignments)
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
