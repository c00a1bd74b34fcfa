"""An account, and the back door by which people work in it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

US = "pmo-bot@example.com"
TOKEN = "ll352u9jujauoqz4gstvsae05smartsheet"


@dataclass
class Column:
    """A column as its sheet's owner made it."""

    id: int
    title: str
    type: str = "TEXT_NUMBER"
    options: list[str] = field(default_factory=list)
    restricted: bool = False
    primary: bool = False
    formula: str | None = None
    system: str | None = None
    locked: bool = False
    symbol: str | None = None
    percent: bool = False
    """Numbers are shown as percent."""
    hidden: bool = False


@dataclass
class Cell:
    """What is in a cell: text, a number, a box, a list of texts (multi-select), a contact or a list of contacts."""

    value: Any = None
    formula: str | None = None
    link: dict[str, Any] | None = None
    hyperlink: str | int | None = None
    """An address, or the id of a sheet."""


@dataclass
class Row:
    id: int
    created: datetime
    modified: datetime
    parent: int | None = None
    cells: dict[int, Cell] = field(default_factory=dict)
    locked: bool = False


@dataclass(frozen=True)
class Entry:
    """One value that a cell had, from then on."""

    value: Any
    at: datetime


@dataclass
class Sheet:
    id: int
    name: str
    created: datetime
    columns: list[Column] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    by_id: dict[int, Row] = field(default_factory=dict)
    version: int = 1
    access: str = "OWNER"
    history: dict[tuple[int, int], list[Entry]] = field(default_factory=dict)
    """By row and column, the oldest first."""

    def column(self, title: str) -> Column:
        (found,) = (column for column in self.columns if column.title == title)
        return found

    def row(self, number: int) -> Row | None:
        return self.by_id.get(number)


@dataclass
class Place:
    """A workspace or a folder."""

    id: int
    name: str
    sheets: list[int] = field(default_factory=list)
    folders: list[int] = field(default_factory=list)


@dataclass
class Report:
    id: int
    name: str
    sheets: list[int] = field(default_factory=list)


Titled = tuple[str, str]
PLAN: tuple[Column | Titled, ...] = (
    ("Task Name", "TEXT_NUMBER"),
    ("Status", "PICKLIST"),
    ("% Complete", "TEXT_NUMBER"),
    ("Finish", "DATE"),
    ("Assigned To", "CONTACT_LIST"),
    ("PMO labels", "MULTI_PICKLIST"),
)
"""The columns of a small plan."""


class Account:
    """All that one account sees. Every method is what a person does, but for those that say otherwise."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
        self.sheets: dict[int, Sheet] = {}
        self.workspaces: dict[int, Place] = {}
        self.folders: dict[int, Place] = {}
        self.reports: dict[int, Report] = {}
        self._ids = count(4_583_173_393_803_140, 1_126_899)

    def everything(self) -> object:
        """All that the account holds, to be compared."""
        return copy.deepcopy((self.sheets, self.workspaces, self.folders, self.reports))

    def pass_time(self, span: timedelta) -> None:
        self.now += span

    def new_id(self) -> int:
        return next(self._ids)

    # Sheets

    def new_sheet(self, name: str, columns: Iterable[Column | Titled] = PLAN) -> Sheet:
        sheet = Sheet(self.new_id(), name, self.now)
        for column in columns:
            self.add_column(sheet, column)
        sheet.columns[0].primary = True
        self.sheets[sheet.id] = sheet
        return sheet

    def add_column(self, sheet: Sheet, column: Column | Titled) -> Column:
        made = column if isinstance(column, Column) else Column(self.new_id(), *column)
        made.id = made.id or self.new_id()
        made.percent = made.percent or made.title.startswith("%")
        sheet.columns.append(made)
        sheet.version += 1
        return made

    def delete_sheet(self, sheet: Sheet) -> None:
        del self.sheets[sheet.id]

    # Rows

    def add_row(self, sheet: Sheet, values: Mapping[str, Any], parent: Row | None = None) -> Row:
        """`values` by the titles of their columns. A row with a parent comes last below it."""
        row = Row(self.new_id(), self.now, self.now, parent.id if parent else None)
        at = len(sheet.rows)
        if parent:
            at = 1 + max(number for number, one in enumerate(sheet.rows) if self._is_below(sheet, one, parent))
        sheet.rows.insert(at, row)
        sheet.by_id[row.id] = row
        for title, value in values.items():
            self.put(sheet, row, sheet.column(title), value)
        sheet.version += 1
        return row

    def _is_below(self, sheet: Sheet, row: Row, parent: Row) -> bool:
        one: Row | None = row
        while one is not None and one is not parent:
            one = sheet.row(one.parent) if one.parent else None
        return one is parent

    def set(self, sheet: Sheet, row: Row, **values: Any) -> None:
        """By title, with `_` for a space."""
        for title, value in values.items():
            self.put(sheet, row, sheet.column(title.replace("_", " ")), value)
        row.modified = self.now
        sheet.version += 1

    def put(self, sheet: Sheet, row: Row, column: Column, value: Any) -> None:
        """Put a value into a cell as the tool itself does, without a new version."""
        if isinstance(value, str):
            value = value[:4000] or None
        before = row.cells.get(column.id, Cell())
        if value != before.value:
            row.cells[column.id] = Cell(value, before.formula, before.link)
            sheet.history.setdefault((row.id, column.id), []).append(Entry(value, self.now))

    def delete_row(self, sheet: Sheet, row: Row) -> None:
        """The row after it is modified too: it moves up."""
        at = sheet.rows.index(row)
        sheet.rows[:] = [one for one in sheet.rows if not self._is_below(sheet, one, row)]
        sheet.by_id = {one.id: one for one in sheet.rows}
        for after in sheet.rows[at : at + 1]:
            after.modified = self.now
        sheet.version += 1

    def sort(self, sheet: Sheet, title: str) -> None:
        """Every row is modified, also the one that did not move. Only for sheets without hierarchy."""
        column = sheet.column(title)
        sheet.rows.sort(key=lambda row: str(row.cells.get(column.id, Cell()).value or ""))
        for row in sheet.rows:
            row.modified = self.now
        sheet.version += 1

    # Places

    def new_workspace(self, name: str, *sheets: Sheet, folders: Iterable[Place] = ()) -> Place:
        place = self._place(name, sheets, folders)
        self.workspaces[place.id] = place
        return place

    def new_folder(self, name: str, *sheets: Sheet, folders: Iterable[Place] = ()) -> Place:
        place = self._place(name, sheets, folders)
        self.folders[place.id] = place
        return place

    def _place(self, name: str, sheets: Iterable[Sheet], folders: Iterable[Place]) -> Place:
        return Place(self.new_id(), name, [one.id for one in sheets], [one.id for one in folders])

    def new_report(self, name: str, *sheets: Sheet) -> Report:
        report = Report(self.new_id(), name, [one.id for one in sheets])
        self.reports[report.id] = report
        return report
