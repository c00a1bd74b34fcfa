"""From the rows of a table to the records of an export, named as Project's XML names them.

What a text means may be told only by the last row (`31/12/2026` settles `03/04/2026`), so rows wait as texts in a
temporary file, and become records when they are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from connectors.base import Notice
from connectors.errors import InputError
from connectors.msproject.fields import BUILTIN, Definition, Kind
from connectors.msproject.parse import DATE_COLUMNS
from connectors.msproject.reader import TASK_ELEMENTS, Export, Lookups, Spill
from connectors.msproject.tables.assignments import Assigned
from connectors.msproject.tables.conventions import Convention
from connectors.msproject.tables.dates import ORDERS, date_readings
from connectors.msproject.tables.layout import Layout, Wanted
from connectors.msproject.tables.numbers import DECIMALS, cost, duration, number, number_readings
from connectors.msproject.tables.sheet import Cell, Row, cell_text
from connectors.msproject.tables.words import (
    COMPLETED,
    NAME,
    PERCENT_OF,
    PROGRESS,
    RESOURCES,
    YES_WORDS,
    is_nothing,
    plain,
)
from connectors.msproject.xml import Record

FIRST_FIELD = 188776448
"""FieldID of the first column; Project gives numbers from here on to an enterprise's own fields."""
_OUTLINE = ("OutlineLevel", "OutlineNumber", "WBS")
_ALWAYS = frozenset({*TASK_ELEMENTS, *_OUTLINE, "ID", PROGRESS, COMPLETED, RESOURCES})
_NUMBERED = re.compile(r"\d+(\.\d+)*\.?")


class Form(Enum):
    """What the text of a column is turned into."""

    TEXT = "text"
    DATE = "date"
    PERCENT = "percent"
    FLAG = "flag"
    DURATION = "duration"
    COST = "cost"


_FORMS = {Kind.DATE: Form.DATE, Kind.FLAG: Form.FLAG, Kind.DURATION: Form.DURATION, Kind.COST: Form.COST}
_WITH_DECIMALS = (Form.PERCENT, Form.DURATION, Form.COST)


@dataclass(frozen=True, slots=True)
class Column:
    """One column that is kept."""

    at: int
    title: str
    form: Form
    element: str
    """The element that its value becomes; `""` for a custom field alone."""
    field_id: int | None
    """The custom field that its value also becomes, because config names the column."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How the texts of one file are written."""

    order: str
    decimal: str
    fractions: bool
    """Whether a bare number in a column of percentages is a fraction: 1 is 100 %."""

    def turn(self, form: Form, text: str) -> str:
        """A cell's text as Project's XML has it; `""` if it means nothing there."""
        if is_nothing(text):
            return ""
        if form is Form.DATE:
            return date_readings(text).get(self.order, "")
        if form is Form.FLAG:
            return "1" if plain(text) in YES_WORDS else "0"
        if form is Form.DURATION:
            return duration(text, self.decimal)
        if form is Form.COST:
            return cost(text, self.decimal)
        return self.percent(text) if form is Form.PERCENT else text

    def percent(self, text: str) -> str:
        """`40%`, `0.4` or `40` as `40`."""
        value = number(text, self.decimal)
        if value is None:
            return ""
        return f"{value * 100 if self.fractions and '%' not in text else value:.6g}"


@dataclass(slots=True)
class TableExport(Export):
    """An export that was read from a table."""

    width: int = 0
    """Columns of the widest row."""
    layout: Layout | None = None
    columns: tuple[Column, ...] = ()
    ways: Ways = field(default_factory=lambda: Ways("dmy", ".", fractions=False))
    assigned: Assigned = field(default_factory=Assigned)
    """Who does what, by another table of the file: for tasks of which this one names nobody."""

    def tasks(self) -> Iterator[Record]:
        """The tasks' records in the order of the rows, each with its row's number as `@`."""
        levels = Levels(self.layout.at if self.layout else {})
        names = Names(self.layout) if self.layout and self.layout.by_name else None
        before: Record | None = None
        for row in self.spill or ():
            record = self._record(row)
            level = record["OutlineLevel"] = levels.level(record)
            if names:
                record["UID"] = names.identify(record["UID"], level)
            if before is not None:
                yield _finished(before, below=level > before["OutlineLevel"])
            before = record
        if before is not None:
            yield _finished(before, below=False)

    def _record(self, row: Record) -> Record:
        record: Record = {"@": row["@"], "UID": row["UID"]}
        for column, text in zip(self.columns, row["cells"], strict=True):
            if not text:
                continue
            value = self.ways.turn(column.form, text)
            if column.element:
                record[column.element] = value
            if column.field_id is not None:
                record.setdefault("ExtendedAttribute", []).append({"FieldID": str(column.field_id), "Value": value})
        record = _completed(record)
        if self.assigned.people and not record.get("Assignees"):
            record["Assignees"] = self.assigned.to(record)
        return record


def _completed(record: Record) -> Record:
    """With what other columns say of it, where a record lacks Project's own fields."""
    percent = record.get("PercentComplete") or PERCENT_OF.get(plain(record.get(PROGRESS, "")), "")
    done = plain(record.get(COMPLETED, "")) in YES_WORDS
    record["PercentComplete"] = "100" if done else percent
    if RESOURCES in record:
        record["Assignees"] = split_names(record[RESOURCES])
    return record


def _finished(record: Record, *, below: bool) -> Record:
    """With what only the next row tells: whether tasks stand below this one."""
    if below:
        record.setdefault("Summary", "1")
    record["OutlineLevel"] = str(record["OutlineLevel"])
    return record


def split_names(text: str) -> tuple[str, ...]:
    """`Ana López[50%]; Max` as names, each once."""
    names = re.split(r"[;,]", re.sub(r"\[[^\]]*\]", "", text))
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


class Levels:
    """How deep each task stands: by its level, else by the dots in its number, else by how far its name is indented."""

    def __init__(self, at: Mapping[str, int]) -> None:
        self._by = next((element for element in _OUTLINE if element in at), "")
        self._indents: list[int] = []

    def level(self, record: Record) -> int:
        """1 for the topmost."""
        text = record.get(self._by, "").strip()
        if self._by == "OutlineLevel":
            return int(text) if text.isdigit() and len(text) < 5 else 1
        if self._by:
            return text.rstrip(".").count(".") + 1 if _NUMBERED.fullmatch(text) else 1
        name: str = record.get(NAME, "")
        indent = len(name) - len(name.lstrip())
        while self._indents and self._indents[-1] >= indent:
            self._indents.pop()
        self._indents.append(indent)
        return len(self._indents)


class Names:
    """Ids for tasks that have none: what stands in their columns, below the names above where no number says where they
    stand; the second of its like is `… (2)`."""

    def __init__(self, layout: Layout) -> None:
        self._by_path = len(layout.identity) == 1
        self._above: list[str] = []
        self._count: dict[str, int] = {}

    def identify(self, own: str, level: int) -> str:
        """The id of the next task, given its own part and how deep it stands."""
        found = own
        if self._by_path:
            del self._above[max(level - 1, 0) :]
            self._above.append(own)
            found = " / ".join(self._above)
        count = self._count[found] = self._count.get(found, 0) + 1
        return found if count == 1 else f"{found} ({count})"


def read_table(
    name: str,
    layout: Layout,
    rows: Iterable[Row],
    wanted: Wanted,
    extra: frozenset[str],
    conventions: Conventions,
    assigned: Assigned | None = None,
) -> TableExport:
    """The rows below the header, as an export without its `sha`. Raises `InputError`."""
    assigned = assigned or Assigned()
    columns = choose_columns(layout, wanted, extra)
    spill, width = Spill(name), len(layout.titles)
    try:
        conventions.see_head(layout)
        for row in rows:
            width = max(width, len(row[1]))
            kept = _keep(row, layout, columns, conventions)
            if kept:
                spill.add(kept)
                if assigned.people:
                    assigned.see(_cell(row[1], layout.at.get(assigned.by)))
        ways = conventions.settle(name)
    except BaseException:
        spill.close()
        raise
    export = describe(name, layout, wanted, columns, ways)
    export.spill, export.width, export.assigned = spill, width, assigned
    export.remarks += (*conventions.remarks(name, ways), *assigned.remarks(name))
    return export


def describe(name: str, layout: Layout, wanted: Wanted, columns: Sequence[Column], ways: Ways) -> TableExport:
    """An export without its tasks: what stands above the table, and its columns."""
    head = {leaf: cell_text(cell).strip() for leaf, cell in layout.head.items()}
    if "StatusDate" in head:
        head["StatusDate"] = ways.turn(Form.DATE, head["StatusDate"])
    return TableExport(
        head,
        _definitions(layout, wanted, columns),
        Lookups(),
        "",
        numbered=layout.numbered,
        remarks=(tell_identity(name, layout, wanted),),
        layout=layout,
        columns=tuple(columns),
        ways=ways,
    )


def tell_identity(name: str, layout: Layout, wanted: Wanted) -> Notice:
    """How tasks are told apart, in words."""
    key = layout.column(wanted.key) if wanted.key else None
    titles = [layout.titles[at] for at in (layout.identity if key is None else (key,))]
    if not layout.by_name or key is not None:
        return Notice("fine", f'{name}: tasks are told apart by "{titles[0]}"')
    columns = " and ".join(f'"{title}"' for title in titles)
    return Notice(
        "warning",
        f"{name}: this export has no id of tasks that lasts, so they are told apart by {columns}, and one that is "
        "moved or renamed becomes a new one; if a column has an id, name it as `task_key`",
    )


def _definitions(layout: Layout, wanted: Wanted, columns: Sequence[Column]) -> list[Definition]:
    forms = {column.at: column.form for column in columns}
    kinds = {form: kind for kind, form in _FORMS.items()}
    return [
        Definition(
            FIRST_FIELD + at,
            title,
            wanted.label_field if at == layout.label else title,
            kinds.get(forms.get(at, Form.TEXT), Kind.TEXT),
            restricted=False,
            choices={},
        )
        for at, title in enumerate(layout.titles)
        if title
    ]


def choose_columns(layout: Layout, wanted: Wanted, extra: frozenset[str]) -> list[Column]:
    """The columns that items are made from: those that Project has a name for, and those that config names."""
    elements = {at: element for element, at in layout.at.items()}
    named: dict[int, str] = {} if layout.label is None else {layout.label: "labels"}
    for target, title in [*wanted.fields.items(), ("", wanted.key)]:
        at = layout.column(title) if title else None
        if at is not None:
            named.setdefault(at, target)
    kept = []
    for at, title in enumerate(layout.titles):
        element = elements.get(at, "")
        used = element in _ALWAYS or element in extra
        if used or at in named:
            form = _form(element, named.get(at, ""))
            field_id = FIRST_FIELD + at if at in named else None
            kept.append(Column(at, title, form, element if used else "", field_id))
    return kept


def _form(element: str, target: str) -> Form:
    if element == "PercentComplete" or target == "percent_complete":
        return Form.PERCENT
    if target in DATE_COLUMNS:
        return Form.DATE
    return _FORMS.get(BUILTIN.get(element, Kind.TEXT), Form.TEXT)


def identify(cells: Sequence[Cell], layout: Layout) -> str:
    """The id of the task in a row; `""` if it has none."""
    parts = (cell_text(cells[at]) if at < len(cells) else "" for at in layout.identity)
    return " ".join(" ".join(parts).split())


def _cell(cells: Sequence[Cell], at: int | None) -> str:
    return cell_text(cells[at]).strip() if at is not None and at < len(cells) else ""


def is_task(cells: Sequence[Cell], layout: Layout) -> bool:
    """Whether a row is a task: it has a name, and is no heading that stands alone in its row."""
    at = layout.at[NAME]
    if at >= len(cells) or cells[at] is None or not cell_text(cells[at]).strip():
        return False
    return layout.by_name or identify(cells, layout) != "" or _filled(cells) > 1


def _filled(cells: Sequence[Cell]) -> int:
    return sum(cell is not None and cell != "" for cell in cells)


def _keep(row: Row, layout: Layout, columns: Sequence[Column], conventions: Conventions) -> Record | None:
    number, cells = row
    if not is_task(cells, layout):
        return None
    width = len(cells)
    texts = [cell_text(cells[column.at]) if column.at < width else "" for column in columns]
    conventions.see(columns, texts)
    return {"@": number, "UID": identify(cells, layout), "cells": texts}


class Conventions:
    """What the values of one file tell about how it is written."""

    def __init__(self, date_order: str, decimal: str) -> None:
        """Both as config settles them; `""` if it does not."""
        self._dates = Convention(ORDERS, date_readings, "date_order", date_order)
        self._numbers = Convention(DECIMALS, number_readings, "decimal", decimal)
        self._highest = dict.fromkeys(DECIMALS, 0.0)
        """The highest bare number in a column of percentages, by decimal sign."""

    def see_head(self, layout: Layout) -> None:
        """Take the date of the export into account."""
        if "StatusDate" in layout.head:
            self._dates.see(cell_text(layout.head["StatusDate"]), "date of export")

    def see(self, columns: Sequence[Column], texts: Sequence[str]) -> None:
        """Take a row into account."""
        for column, text in zip(columns, texts, strict=True):
            if not text or column.form in (Form.TEXT, Form.FLAG):
                continue
            if column.form is Form.DATE:
                self._dates.see(text, column.title)
            else:
                self._numbers.see(text, column.title)
                if column.form is Form.PERCENT and "%" not in text:
                    self._see_percent(text)

    def _see_percent(self, text: str) -> None:
        for decimal, value in number_readings(text).items():
            self._highest[decimal] = max(self._highest[decimal], value)

    def settle(self, name: str) -> Ways:
        """How the file is written. Raises `InputError` where that stays open."""
        decimal = self._numbers.settle(name)
        return Ways(self._dates.settle(name), decimal, fractions=self._highest[decimal] <= 1)

    def so_far(self, name: str) -> Ways:
        """The same from what was seen of the file yet; what stays open is read as nothing."""
        try:
            return self.settle(name)
        except InputError:
            return Ways("", "", fractions=False)

    def remarks(self, name: str, ways: Ways) -> Iterator[Notice]:
        """What was found, for people to look at."""
        if self._dates.is_told:
            yield Notice("fine", f"{name}: dates are read with the {ORDERS[ways.order]}")
        if self._numbers.is_told:
            yield Notice("fine", f"{name}: numbers are read like {DECIMALS[ways.decimal]}")
