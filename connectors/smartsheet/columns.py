"""The columns of a sheet: which of them config means, which are guessed, and which can be written to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.errors import SetupError
from connectors.model import WorkItem

Json = dict[str, Any]

LABELS, FLAG, REASON, KEY = "labels", "flag", "reason", "key"
"""Roles of columns that are not columns of a work item to read (or, as `labels`, are named by an option)."""

SETTLED = frozenset(
    {"ref", "collection", "url", "type", "project", "parent_ref", "status_id", "status_category", "status_since"}
    | {"status_since_is", "created_at", "updated_at", "labels", "fields", "version", "unknown", "title"}
)
"""Columns of a work item that this connector settles itself."""
MAPPABLE = frozenset(WorkItem.__dataclass_fields__) - SETTLED

GUESSES: Mapping[str, tuple[str, ...]] = {
    "status": ("Status", "State", "Task Status", "Project Status", "Stage"),
    "percent_complete": ("% Complete", "Percent Complete", "% Done", "Progress"),
    "started_at": ("Actual Start", "Actual Start Date", "Started", "Start", "Start Date"),
    "due_at": ("Finish", "Due", "Due Date", "End", "End Date", "Finish Date", "Target Date", "Deadline"),
    "finished_at": ("Actual Finish", "Actual End Date", "Completed On", "Completion Date", "Date Completed"),
    "assignees": ("Assigned To", "Assignee", "Assignees"),
    "owner": ("Owner", "Task Owner", "Project Owner", "Project Manager", "Responsible"),
    "sponsor": ("Sponsor", "Executive Sponsor", "Project Sponsor"),
    "priority": ("Priority",),
    "description": ("Description", "Notes"),
    "outcome_metric": ("Outcome Metric", "Success Metric", "Business Outcome"),
    "Health": ("Health", "Overall Health", "RAG", "RYG"),
}
"""What a column is taken for by its title, if config does not say: the first that a sheet has. `Health` makes a custom
field. The titles are those of Smartsheet's own project templates and their usual variants."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column as Smartsheet describes it.

    https://developers.smartsheet.com/api/smartsheet/openapi/columns/column
    """

    id: int
    title: str
    type: str
    """TEXT_NUMBER, PICKLIST, MULTI_PICKLIST, CHECKBOX, DATE …; `""` for one that is newer than the client."""
    primary: bool = False
    options: tuple[str, ...] = ()
    restricted: bool = False
    """Its values must be among `options`."""
    formula: bool = False
    system: bool = False
    numbering: bool = False
    """It numbers the rows: what people call them by."""
    locked: bool = False
    """For us; who owns the sheet sees its locks, and is not bound by them."""

    def __str__(self) -> str:
        return f'column "{self.title}"'


@dataclass(frozen=True, slots=True)
class Roles:
    """What config says about columns."""

    fields: Mapping[str, str] = field(default_factory=dict)
    """A work item's column, or a custom field's own name, or `key` -> a title or id."""
    labels: str = ""
    flag: str = ""
    reason: str = ""

    def check(self) -> None:
        """Raise `SetupError` for a column that no column of a sheet can be."""
        wrong = sorted(SETTLED & self.fields.keys())
        if wrong:
            hint = "use label_column for it" if wrong[0] == "labels" else "take it out"
            raise SetupError(f'the column "{wrong[0]}" cannot be mapped to a column of a sheet', hint)

    @property
    def wanted(self) -> dict[str, str]:
        """Role -> the title or id that config gives."""
        own = {LABELS: self.labels, FLAG: self.flag, REASON: self.reason}
        return {**self.fields, **{role: name for role, name in own.items() if name}}


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column of one sheet plays which role."""

    primary: Column | None
    columns: Mapping[str, Column]
    missing: Mapping[str, str]
    """Role -> the title or id that config gives, where the sheet has no such column."""
    guessed: frozenset[str] = frozenset()

    def __getitem__(self, role: str) -> Column | None:
        return self.columns.get(role)

    @property
    def ids(self) -> list[int]:
        """Every column that is read, each once."""
        first = [self.primary.id] if self.primary else []
        return list(dict.fromkeys([*first, *(column.id for column in self.columns.values())]))

    @property
    def remembered(self) -> dict[str, int]:
        """What finds the columns of config again when they are renamed."""
        return {role: column.id for role, column in self.columns.items() if role not in self.guessed}


def parse_column(data: Json) -> Column:
    """One column from its JSON. Raises `KeyError` or `ValueError` if it is none."""
    return Column(
        id=int(data["id"]),
        title=str(data.get("title") or "").strip(),
        type=str(data.get("type") or ""),
        primary=bool(data.get("primary")),
        options=tuple(str(option) for option in data.get("options") or ()),
        restricted=bool(data.get("validation")),
        formula=bool(data.get("formula")),
        system=bool(data.get("systemColumnType")),
        numbering=data.get("systemColumnType") == "AUTO_NUMBER",
        locked=bool(data.get("lockedForUser")),
    )


def lay_out(columns: Sequence[Column], roles: Roles, remembered: Mapping[str, int]) -> Layout:
    """Find the column of each role: by config, else by the id that it had last time, else by its title.

    Raises `SetupError` where a configured title is that of several columns.
    """
    by_id = {column.id: column for column in columns}
    found: dict[str, Column] = {}
    for role, name in roles.wanted.items():
        column = find(name, columns) or by_id.get(remembered.get(role, 0))
        if column:
            found[role] = column
    guessed = guess(columns, taken=roles.wanted.keys() | found.keys(), used=found.values())
    primary = next((column for column in columns if column.primary), None)
    missing = {role: name for role, name in roles.wanted.items() if role not in found}
    return Layout(primary, found | guessed, missing, frozenset(guessed))


def find(name: str, columns: Iterable[Column]) -> Column | None:
    """The column of this id or title; spaces and capitals count only where they tell two apart."""
    columns = list(columns)
    exact = [column for column in columns if name == str(column.id)] or [
        column for column in columns if name.strip() == column.title
    ]
    fitting = exact or [column for column in columns if plain(name) == plain(column.title)]
    if len(fitting) > 1:
        ids = " or ".join(str(column.id) for column in fitting)
        raise SetupError(
            f'the sheet has {len(fitting)} columns called "{name}"', f"name the one meant by its id: {ids}"
        )
    return fitting[0] if fitting else None


def guess(columns: Iterable[Column], taken: Iterable[str], used: Iterable[Column]) -> dict[str, Column]:
    """Role -> column for what config leaves open. A title that several columns have is no good guess."""
    titles: dict[str, list[Column]] = {}
    for column in columns:
        titles.setdefault(plain(column.title), []).append(column)
    spoken_for, ids = {*taken}, {column.id for column in used}
    found: dict[str, Column] = {}
    for role, names in GUESSES.items():
        fitting = (titles.get(plain(name), []) for name in names)
        one = next((each[0] for each in fitting if len(each) == 1 and each[0].id not in ids), None)
        if one and role not in spoken_for:
            found[role] = one
    numbers = [column for same in titles.values() for column in same if column.numbering]
    if len(numbers) == 1 and KEY not in spoken_for:
        found[KEY] = numbers[0]
    return found


def plain(title: str) -> str:
    """A title without what people write differently: `% Complete` and `percent  complete` are one."""
    return re.sub(r"[\s_]+", " ", title.replace("%", "percent")).strip().casefold()


def why_unwritable(column: Column) -> tuple[str, str] | None:
    """Why nothing can be written into a column, and what to do; `None` if it can.

    Writing there is refused by the tool too: 1302, 1046 and 1039 of
    https://developers.smartsheet.com/api/smartsheet/error-codes
    """
    if column.formula:
        return f"the {column} is filled by a formula", "name another column, or take its column formula away"
    if column.system:
        return f"the {column} is filled by Smartsheet itself", "name another column"
    if column.locked:
        return f"the {column} is locked", "let the sheet's owner unlock it"
    return None
