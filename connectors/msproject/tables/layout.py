"""Where in a sheet the table of tasks begins, what its columns hold, and how its tasks are told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.msproject.tables.sheet import Cell, Row
from connectors.msproject.tables.words import (
    ASSIGNMENT_MARKS,
    ELEMENT,
    HEAD_LEAF,
    LABELS,
    NAME,
    TASK_ID,
    TASK_TITLES,
    plain,
    split,
)

TOP = 60
"""Rows within which the header must stand."""
_ASSIGNMENTS = frozenset(split(ASSIGNMENT_MARKS))
_TASK_TITLES = frozenset(split(TASK_TITLES))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What config says of tables."""

    fields: Mapping[str, str]
    """A work item's column or a custom name -> title of a table's column, or Project's own name."""
    label_field: str
    columns: Mapping[str, str]
    """Further titles -> what they hold: Project's own name of it, or its title in a known language."""
    key: str
    """Title of the column that tells tasks apart, where config says so; its values are kept for that."""

    def element(self, title: str) -> str:
        """What a column of this title holds, by Project's own name; `""` if that is not known."""
        name = plain(title)
        for given, meant in self.columns.items():
            if plain(given) == name:
                return ELEMENT.get(plain(meant), "")
        return ELEMENT.get(name, "")


@dataclass(frozen=True, slots=True)
class Layout:
    """One table of tasks."""

    header: int
    """The header's row."""
    titles: tuple[str, ...]
    """Of all columns, from the first; `""` where a column has none."""
    at: Mapping[str, int]
    """Element -> column."""
    head: Mapping[str, Cell]
    """What stands above the table: leaf of the project's head -> cell."""
    identity: tuple[int, ...]
    """The columns that a task's id is made of: one, or its place in the outline and its name."""
    label: int | None
    """The column that holds labels."""

    @property
    def numbered(self) -> bool:
        """Whether ids are Project's own Unique IDs."""
        return self.identity == (self.at.get("UID"),)

    @property
    def by_name(self) -> bool:
        """Whether the export has no ids of tasks, so that these are told apart by their names."""
        return self.identity[-1:] == (self.at[NAME],)

    def column(self, title: str) -> int | None:
        """The column of this title."""
        wanted = plain(title)
        return next((at for at, each in enumerate(self.titles) if each and plain(each) == wanted), None)


def find_layout(top: Sequence[Row], wanted: Wanted) -> Layout | None:
    """The table of tasks that begins in these first rows; `None` if none does.

    Its header is the row with the most columns that are known, of which one must be the task's name.
    """
    rated = [(_rating(cells, wanted), -number, cells) for number, cells in top]
    rating, number, cells = max(rated, default=(0, 0, []), key=lambda each: each[:2])
    if rating < 2:
        return None
    return _make_layout(-number, cells, [row for row in top if row[0] < -number], wanted)


def _rating(cells: Sequence[Cell], wanted: Wanted) -> int:
    """How many columns a row names that are known, if it can be a header of tasks; else 0."""
    titles = [cell for cell in cells if isinstance(cell, str) and cell.strip()]
    if {plain(title) for title in titles} & _ASSIGNMENTS or len(titles) < len([c for c in cells if c is not None]):
        return 0
    elements = {wanted.element(title) for title in titles} - {""}
    named = {plain(name) for name in (*wanted.fields.values(), wanted.label_field, wanted.key) if name}
    others = sum(plain(title) in named and not wanted.element(title) for title in titles)
    return len(elements) + others if NAME in elements else 0


def _make_layout(header: int, cells: Sequence[Cell], above: Sequence[Row], wanted: Wanted) -> Layout:
    titles = tuple(cell.strip() if isinstance(cell, str) else "" for cell in cells)
    at: dict[str, int] = {}
    for column, title in enumerate(titles):
        element = wanted.element(title)
        if element and (element not in at or plain(title) in _TASK_TITLES):
            at[element] = column
    layout = Layout(header, titles, at, _read_head(above), (), None)
    label = layout.column(wanted.label_field)
    if label is None and wanted.element(wanted.label_field) == LABELS:
        label = at.get(LABELS)
    return Layout(header, titles, at, layout.head, _identity(layout), label)


def _read_head(above: Sequence[Row]) -> dict[str, Cell]:
    """The lines `label | value` above a table."""
    found: dict[str, Cell] = {}
    for _, cells in above:
        leaf = HEAD_LEAF.get(plain(str(cells[0] or "").rstrip(":"))) if cells else None
        if leaf and len(cells) > 1 and cells[1] is not None:
            found.setdefault(leaf, cells[1])
    return found


def _identity(layout: Layout) -> tuple[int, ...]:
    """Unique ID, else Planner's Task ID, else GUID, else the place in the outline and the name."""
    at = layout.at
    one = next((at[element] for element in ("UID", TASK_ID, "GUID") if element in at), None)
    if one is not None:
        return (one,)
    outline = next((at[element] for element in ("WBS", "OutlineNumber") if element in at), None)
    return (at[NAME],) if outline is None else (outline, at[NAME])
