"""What a Jira is made of: people, projects, fields, issues and their histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

CATEGORIES = {
    "undefined": (1, "No Category"),
    "new": (2, "To Do"),
    "done": (3, "Done"),
    "indeterminate": (4, "In Progress"),
}
"""By key: id and English name. https://developer.atlassian.com/cloud/jira/platform/rest/v3/ (status category)"""

ALL_WE_MAY = frozenset({"BROWSE_PROJECTS", "EDIT_ISSUES", "ADD_COMMENTS", "EDIT_OWN_COMMENTS", "ADMINISTER_PROJECTS"})


@dataclass(frozen=True)
class Person:
    """An account: known by its id on Cloud, by key (the same here) and login on Data Center."""

    id: str
    name: str
    email: str = ""
    zone: str = "Etc/UTC"
    active: bool = True
    kind: Literal["atlassian", "app"] = "atlassian"

    @property
    def login(self) -> str:
        return self.name.lower().replace(" ", "-")


US = Person("712020:00000000-0000-4000-8000-00000000b07a", "Label bot", "bot@example.com", "America/Los_Angeles")
"""Our account, in a zone that is neither UTC nor the site's, so that taking one for another shows."""
ADA = Person("5b10a2844c20165700ede21a", "Ada")
AUTOMATION = Person("557058:f58131cb-b67d-43c7-b30d-6b58d40bd077", "Automation for Jira", kind="app")


@dataclass(frozen=True)
class Status:
    id: str
    name: str
    category: str
    project: str | None = None
    """The id of the team-managed project that it belongs to."""


@dataclass
class Project:
    id: str
    key: str
    name: str
    team_managed: bool = False
    we_may: set[str] = field(default_factory=lambda: set(ALL_WE_MAY))
    """Our account's permissions in it."""
    labels_on_screen: bool = True
    numbers: int = 0
    """Of issues ever made in it or moved to it."""

    def next_key(self) -> str:
        self.numbers += 1
        return f"{self.key}-{self.numbers}"


@dataclass(frozen=True)
class Field:
    """A field as GET /field lists it. Names of custom ones are not unique."""

    id: str
    name: str
    type: str = "string"
    custom: str | None = None
    """The last word of the custom field type's key: `textarea`, `textfield`, `select`, `gh-epic-link` …"""
    project: str | None = None
    """The key of the only project that has it; `None` is every project."""
    visible: bool = True

    @property
    def is_rich(self) -> bool:
        """Whether API v3 gives it as a document instead of text."""
        return self.id == "description" or self.custom == "textarea"


@dataclass(frozen=True)
class History:
    """One entry of a changelog."""

    id: int
    at: datetime
    author: Person | Mapping[str, Any] | None
    """A recorded author is kept as it came; some histories have none."""
    items: Sequence[Mapping[str, Any]]


@dataclass
class Issue:
    """One issue. `fields` are as the API gives them, but for rich text, which may be plain, and the two times."""

    id: str
    key: str
    project: str
    """The project's key."""
    created: datetime
    updated: datetime
    fields: dict[str, Any]
    histories: list[History] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    web_links: list[dict[str, Any]] = field(default_factory=list)
    """Each with its `id`, and its `object`: what it leads to."""
    cache: dict[object, bytes] = field(default_factory=dict, compare=False)
    """Parts of answers, made once; emptied by every edit."""

    @property
    def labels(self) -> list[str]:
        found: list[str] = self.fields.get("labels") or []
        return found

    @property
    def status(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.fields["status"]
        return found


@dataclass
class Unindexed:
    """What search still believes of an issue that was edited, made or deleted a moment ago."""

    believed: Issue | None
    until: datetime


@dataclass(frozen=True)
class Entry:
    """One line of the log: who wrote what."""

    who: Person
    issue: str
    what: str


@dataclass
class Quirks:
    """How a real Jira can behave, and this one does on demand."""

    lag: timedelta = timedelta()
    """How long search goes on to see the past (https://developer.atlassian.com/cloud/jira/platform/search-and-reconcile/)."""
    page_cap: int | None = None
    """Issues on one page of a search that names fields, whatever it asks for: 100 on Cloud, 1,000 on Data Center."""
    short_pages: list[int] = field(default_factory=list)
    """Sizes of the next pages; 0 is an empty page that is not the last."""
    repeats_token: bool = False
    """Every page of a Cloud search leads to itself."""
    last_page: Mapping[str, Any] = field(default_factory=lambda: {"isLast": True})
    """How the last page says so: the documentation has a token that is missing, and one that is null."""
    shuffles_histories: bool = False
    """Inline changelogs come in no order (else newest first)."""
    bulk_created: Literal["ms", "s", "text"] = "ms"
    """`created` of /changelog/bulkfetch: epoch milliseconds as measured, text by the schema, seconds in its example."""
    end_of_bulk: Mapping[str, Any] = field(default_factory=dict)
    """What the last page of /changelog/bulkfetch holds beside the histories."""
    requests_per_second: float | None = None
    """The burst limit of each endpoint and method, in real time; beyond it, 429."""
    writes_per_issue: int | None = None
    """Writes to one issue within two seconds of real time; beyond, 429. Cloud's limit is 20."""
    translates: bool = False
    """Messages come in the account's language, so that nobody can go by their words."""
    reindexing: bool = False
    """Data Center: searches answer with nothing, and 200."""


RESOLVED = {"id": "10000", "name": "Done"}

NO_VALUES: Mapping[str, Any] = {
    "description": None,
    "assignee": None,
    "reporter": None,
    "priority": None,
    "duedate": None,
    "resolution": None,
    "resolutiondate": None,
}

SYSTEM_FIELDS = (
    Field("summary", "Summary"),
    Field("status", "Status", "status"),
    Field("issuetype", "Issue Type", "issuetype"),
    Field("project", "Project", "project"),
    Field("parent", "Parent", "issuelink"),
    Field("labels", "Labels", "array"),
    Field("description", "Description"),
    Field("assignee", "Assignee", "user"),
    Field("reporter", "Reporter", "user"),
    Field("creator", "Creator", "user"),
    Field("priority", "Priority", "priority"),
    Field("duedate", "Due date", "date"),
    Field("created", "Created", "datetime"),
    Field("updated", "Updated", "datetime"),
    Field("resolution", "Resolution", "resolution"),
    Field("resolutiondate", "Resolved", "datetime"),
    Field("statuscategorychangedate", "Status Category Changed", "datetime"),
)


def as_it_is(issue: Issue) -> Issue:
    """A copy that later edits do not reach."""
    return replace(issue, fields=dict(issue.fields), histories=[*issue.histories], cache={})


def change_item(name: str, field_id: str | None, before: str | None, after: str | None) -> dict[str, Any]:
    """One item of a history. Many kinds have no `fieldId`."""
    item = {"field": name, "fieldtype": "custom" if field_id and field_id.startswith("customfield") else "jira"}
    if field_id is not None:
        item["fieldId"] = field_id
    return {**item, "from": None, "fromString": before, "to": None, "toString": after}


def workflow_item() -> dict[str, Any]:
    return change_item("Workflow", None, "Old workflow", "New workflow") | {"from": "10100", "to": "10200"}


def status_json(status: Status) -> dict[str, Any]:
    number, name = CATEGORIES[status.category]
    category = {"id": number, "key": status.category, "colorName": "yellow", "name": name}
    found = {"id": status.id, "name": status.name, "description": "", "statusCategory": category}
    return found | ({"scope": {"type": "PROJECT", "project": {"id": status.project}}} if status.project else {})


def issue_type(name: str, level: int = 0) -> dict[str, Any]:
    """`level` is -1 for subtasks, 1 for epics, more for what is above."""
    return {"id": str(20_000 + level), "name": name, "subtask": level < 0, "hierarchyLevel": level}
