"""The table of assignments that Project's export wizard writes beside that of tasks: who does what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from connectors.base import Notice
from connectors.msproject.tables.layout import Layout
from connectors.msproject.tables.package import hostile
from connectors.msproject.tables.sheet import Row, cell_text
from connectors.msproject.tables.words import ASSIGNED_TASK, ASSIGNMENT_MARKS, NAME, plain, split
from connectors.msproject.xml import Record

MAX_ASSIGNMENTS = 1_000_000
_TASK = {title: element for element, titles in ASSIGNED_TASK.items() for title in split(titles)}
_PERSON = frozenset(split(ASSIGNMENT_MARKS))


@dataclass(frozen=True, slots=True)
class AssignmentLayout:
    """Where in a sheet assignments stand."""

    header: int
    by: str
    """The element of a task that an assignment names it by: UID, ID or Name."""
    task: int
    person: int


def find_assignments(top: Sequence[Row], tasks: Layout) -> AssignmentLayout | None:
    """The table of assignments that begins in these first rows, if it names tasks by something that `tasks` has.

    By Unique ID rather than ID, and by ID rather than Name: the names of two tasks may be the same.
    """
    for number, cells in top:
        titles = [plain(cell) if isinstance(cell, str) else "" for cell in cells]
        person = next((at for at, title in enumerate(titles) if title in _PERSON), None)
        named = {_TASK[title]: at for at, title in reversed([*enumerate(titles)]) if title in _TASK}
        by = next((element for element in ASSIGNED_TASK if element in named and element in tasks.at), None)
        if person is not None and by is not None:
            return AssignmentLayout(number, by, named[by], person)
    return None


@dataclass(slots=True)
class Assigned:
    """Names by task, and how tasks are told apart there."""

    by: str = "UID"
    people: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _met: Counter[str] = field(default_factory=Counter)

    def see(self, key: str) -> None:
        """Count a task, as two of one name cannot be told apart."""
        if key in self.people:
            self._met[key] += 1

    def to(self, record: Record) -> tuple[str, ...]:
        """The people who do a task; nobody, if it is not known which of several is meant."""
        key = record.get(self.by, "").strip()
        return () if self._met[key] > 1 else self.people.get(key, ())

    def remarks(self, name: str) -> Iterator[Notice]:
        """What is to be told of it."""
        doubtful = sorted(key for key, count in self._met.items() if count > 1)
        if self.people:
            by = {NAME: "name", "UID": "Unique ID"}.get(self.by, self.by)
            yield Notice("fine", f"{name}: who does a task is read from its assignments too, by the task's {by}")
        if doubtful:
            yield Notice(
                "warning",
                f'{name}: several tasks are called "{doubtful[0]}", and assignments tell tasks apart by name, so '
                "nobody is assigned to them; add Unique ID to the map of tasks, and Task Unique ID to the other",
            )


def read_assignments(name: str, layout: AssignmentLayout, rows: Iterable[Row]) -> Assigned:
    """The rows below the header. Raises `InputError` if there are too many to hold."""
    found = Assigned(layout.by)
    for count, (_, cells) in enumerate(rows):
        if count > MAX_ASSIGNMENTS:
            raise hostile(name, f"more than {MAX_ASSIGNMENTS:,} assignments")
        key, person = (cell_text(cells[at]).strip() if at < len(cells) else "" for at in (layout.task, layout.person))
        known = found.people.get(key, ())
        if key and person and person not in known:
            found.people[key] = (*known, person)
    return found
