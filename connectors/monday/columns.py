"""The columns of a board: which of them config means, which are guessed, and which can carry labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.errors import SetupError
from connectors.model import WorkItem

Json = Mapping[str, Any]

LABELS, KEY = "labels", "key"
"""Roles of columns beside the columns of a work item that are read."""

GROUP = "group"
"""What config calls the group that an item is in, which is no column."""

CARRIERS = ("tags", "dropdown")
"""Types of columns that can carry labels. A status holds one value only, and is the team's own."""

SETTLED = frozenset(
    {"ref", "collection", "url", "type", "project", "parent_ref", "status_id", "status_category", "status_since"}
    | {"status_since_is", "created_at", "updated_at", "labels", "fields", "version", "unknown", "title"}
)
"""Columns of a work item that this connector settles itself."""
MAPPABLE = frozenset(WorkItem.__dataclass_fields__) - SETTLED

MOST_FORMULAS = 5
"""Formula columns that one query may ask for: https://developer.monday.com/api-reference/reference/formula"""


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column is taken for by its type and title, if config does not say."""

    types: tuple[str, ...]
    titles: tuple[str, ...]


_PEOPLE, _DATE, _TEXT = ("people",), ("date", "timeline"), ("text", "long_text", "status", "dropdown", "mirror")
GUESSES: Mapping[str, Guess] = {
    "status": Guess(("status",), ("Status", "State", "Stage", "Task Status", "Project Status")),
    "priority": Guess(("status", "dropdown"), ("Priority",)),
    "owner": Guess(_PEOPLE, ("Owner", "Project Owner", "Project Manager", "Responsible")),
    "assignees": Guess(_PEOPLE, ("Person", "People", "Assignee", "Assignees", "Assigned To")),
    "sponsor": Guess((*_PEOPLE, "text"), ("Sponsor", "Executive Sponsor", "Project Sponsor")),
    "due_at": Guess(_DATE, ("Due Date", "Due", "Deadline", "End Date", "Target Date", "Timeline", "Date")),
    "started_at": Guess(_DATE, ("Actual Start", "Start Date", "Start", "Timeline")),
    "finished_at": Guess(("date",), ("Completion Date", "Completed On", "Date Completed", "Actual Finish")),
    "percent_complete": Guess(("numbers", "progress"), ("Progress", "% Complete", "Percent Complete")),
    "description": Guess(("long_text", "text"), ("Description", "Notes")),
    "outcome_metric": Guess(_TEXT, ("Outcome Metric", "Success Metric", "Business Outcome")),
}
"""The titles are those of monday.com's own templates and their usual variants; of several, the first that is there."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: https://developer.monday.com/api-reference/reference/columns"""

    id: str
    """Never changes, unlike the title."""
    title: str
    type: str
    settings: Json = field(default_factory=dict)

    def __str__(self) -> str:
        return f'column "{self.title}"'


@dataclass(frozen=True, slots=True)
class Roles:
    """What config says about columns."""

    fields: Mapping[str, str] = field(default_factory=dict)
    """A work item's column, or a custom field's own name, or `key` -> a title or id, or `group`."""
    labels: str = ""

    def check(self) -> None:
        """Raise `SetupError` for a column that no column of a board can be."""
        wrong = sorted(SETTLED & self.fields.keys())
        if wrong:
            hint = "use label_column for it" if wrong[0] == "labels" else "take it out"
            raise SetupError(f'the column "{wrong[0]}" cannot be mapped to a column of a board', hint)

    @property
    def wanted(self) -> dict[str, str]:
        """Role -> the title or id that config gives."""
        return {**self.fields, **({LABELS: self.labels} if self.labels else {})}


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column of one board plays which role."""

    columns: Mapping[str, Column]
    missing: Mapping[str, str]
    """Role -> the title or id that config gives, where the board has no such column."""
    guessed: frozenset[str] = frozenset()

    def __getitem__(self, role: str) -> Column | None:
        return self.columns.get(role)

    @property
    def ids(self) -> list[str]:
        """Every column that is read, each once."""
        return sorted({column.id for column in self.columns.values()} - {GROUP})

    @property
    def remembered(self) -> dict[str, str]:
        """What finds the columns of config again when they are renamed."""
        return {role: column.id for role, column in self.columns.items() if role not in self.guessed}


def parse_column(data: Json) -> Column:
    """One column from its JSON. Raises `KeyError` if it is none."""
    settings = data.get("settings")
    if isinstance(settings, str):  # as they were before 2025-10
        settings = json.loads(settings or "{}")
    title, kind = str(data.get("title") or "").strip(), str(data.get("type") or "")
    return Column(str(data["id"]), title, kind, settings if isinstance(settings, Mapping) else {})


def lay_out(columns: Sequence[Column], roles: Roles, remembered: Mapping[str, str]) -> Layout:
    """Find the column of each role: by config, else by the id that it had last time, else by its type and title.

    Raises `SetupError` where a configured title is that of several columns.
    """
    by_id = {column.id: column for column in columns} | {GROUP: Column(GROUP, "group", GROUP)}
    found: dict[str, Column] = {}
    for role, name in roles.wanted.items():
        column = find(name, columns) or by_id.get(name) or by_id.get(remembered.get(role, ""))
        if column:
            found[role] = column
    guessed = guess(columns, taken=roles.wanted.keys())
    missing = {role: name for role, name in roles.wanted.items() if role not in found}
    return Layout(guessed | found, missing, frozenset(guessed))


def find(name: str, columns: Iterable[Column]) -> Column | None:
    """The column of this id or title; spaces and capitals count only where they tell two apart."""
    columns = list(columns)
    exact = [column for column in columns if name == column.id] or [
        column for column in columns if name.strip() == column.title
    ]
    fitting = exact or [column for column in columns if plain(name) == plain(column.title)]
    if len(fitting) > 1:
        ids = " or ".join(f'"{column.id}"' for column in fitting)
        raise SetupError(
            f'the board has {len(fitting)} columns called "{name}"', f"name the one meant by its id: {ids}"
        )
    return fitting[0] if fitting else None


def guess(columns: Sequence[Column], taken: Iterable[str]) -> dict[str, Column]:
    """Role -> column for what config leaves open. A title that several columns have is no good guess."""
    spoken_for, found = {*taken}, dict[str, Column]()
    for role, one in GUESSES.items():
        named = ([each for each in columns if plain(each.title) == plain(title)] for title in one.titles)
        fitting = next((each[0] for each in named if len(each) == 1 and each[0].type in one.types), None)
        if fitting and role not in spoken_for:
            found[role] = fitting
    for role, kind in (("status", "status"), (KEY, "item_id")):
        only = [column for column in columns if column.type == kind]
        if len(only) == 1 and role not in found.keys() | spoken_for:
            found[role] = only[0]
    return found


def plain(title: str) -> str:
    """A title without what people write differently: `% Complete` and `percent  complete` are one."""
    return re.sub(r"[\s_]+", " ", title.replace("%", "percent")).strip().casefold()


def why_no_labels(column: Column) -> tuple[str, str] | None:
    """Why a column cannot carry labels, and what to do; `None` if it can."""
    if column.type not in CARRIERS:
        return f"the {column} is of the type {column.type}", "name a tags column, or a dropdown that takes several"
    limited = column.settings.get("limit_select") or column.settings.get("label_limit_count") == 1
    if column.type == "dropdown" and limited:
        return f"the {column} takes one value only", "let it take several, or name a tags column"
    return None
