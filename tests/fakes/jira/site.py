"""What a Jira holds, and what its people do in it: the back door.

Nothing here speaks HTTP. Every edit takes a second of the site's own clock, is noted in the log, and leaves the
history that a real Jira leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

TICK = timedelta(seconds=1)
BEFORE_ITS_HISTORY = timedelta(milliseconds=7)
"""`updated` is a little earlier than the history that caused it, as recorded issues show."""

CATEGORIES = {
    "undefined": (1, "No Category"),
    "new": (2, "To Do"),
    "done": (3, "Done"),
    "indeterminate": (4, "In Progress"),
}
"""By key: id and English name. https://developer.atlassian.com/cloud/jira/platform/rest/v3/ (status category)"""

ALL_WE_MAY = frozenset({"BROWSE_PROJECTS", "EDIT_ISSUES", "ADD_COMMENTS", "ADMINISTER_PROJECTS"})


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


US = Person("712020:00000000-0000-4000-8000-00000000b07a", "Label bot", "bot@example.com")
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


class Site:
    """The site's own mind."""

    def __init__(
        self, *, cloud: bool, zone: str = "UTC", now: datetime = datetime(2026, 3, 20, 12, tzinfo=UTC)
    ) -> None:
        self.cloud = cloud
        self.zone = ZoneInfo(zone)
        """The site's default user zone, in which times are given. Nothing obliges a user to have the same."""
        self.now = now
        self.us = US
        self.quirks = Quirks()
        self.projects: dict[str, Project] = {}
        self.issues: dict[str, Issue] = {}
        self.statuses: dict[str, Status] = {}
        self.fields: dict[str, Field] = {one.id: one for one in SYSTEM_FIELDS}
        self.former_keys: dict[str, str] = {}
        """Key that an issue had before it moved -> its id."""
        self.log: list[Entry] = []
        self.mailed: list[str] = []
        """Ids of issues whose watchers got mail because of us."""
        self.changes = 0
        """Counts every change of what a search could see."""
        self._unindexed: dict[str, Unindexed] = {}
        self._last_id = 10_000
        for name, category in (("To Do", "new"), ("In Progress", "indeterminate"), ("Done", "done")):
            self.new_status(name, category)

    # What there is

    def issue(self, id_or_key: str) -> Issue:
        """By id, by key, or by a key that it had before it moved. Raises `KeyError`."""
        if id_or_key in self.issues:
            return self.issues[id_or_key]
        for issue in self.issues.values():
            if issue.key == id_or_key:
                return issue
        return self.issues[self.former_keys[id_or_key]]

    def status(self, name_or_id: str) -> Status:
        """By id, or the first of that name. Raises `KeyError`."""
        for status in self.statuses.values():
            if name_or_id in (status.id, status.name):
                return status
        raise KeyError(name_or_id)

    def writes(self) -> list[Entry]:
        """What our account wrote."""
        return [entry for entry in self.log if entry.who == self.us]

    def everything(self) -> object:
        """All that could change by a write."""
        return deepcopy((self.issues, self.log, self.mailed))

    def searchable(self, fresh: Sequence[str] = ()) -> Iterator[Issue]:
        """Every issue as search sees it; those whose ids are `fresh`, as they are."""
        for issue_id in {**self.issues, **self._unindexed}:
            lagging = self._unindexed.get(issue_id)
            seen = self.issues.get(issue_id)
            if lagging and self.now < lagging.until and issue_id not in fresh:
                seen = lagging.believed
            if seen is not None:
                yield seen

    def text(self, moment: datetime) -> str:
        """A time as this site writes it: `2026-03-20T13:00:00.000+0100`."""
        local = moment.astimezone(self.zone)
        return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03}{local:%z}"

    def new_id(self) -> str:
        self._last_id += 1
        return str(self._last_id)

    def take_in(self, issue: Issue) -> None:
        """An issue from elsewhere, with the id and the key that it has."""
        self.issues[issue.id] = issue
        self._last_id = max(self._last_id, int(issue.id), *(history.id for history in issue.histories))
        project = self.projects[issue.project]
        project.numbers = max(project.numbers, int(issue.key.rpartition("-")[2]))
        self.changes += 1

    # What administrators do

    def new_project(self, key: str, name: str, *, team_managed: bool = False) -> Project:
        project = self.projects[key] = Project(self.new_id(), key, name, team_managed)
        self.changes += 1
        return project

    def new_status(self, name: str, category: str, project: str | None = None) -> Status:
        """Statuses of team-managed projects may have the names of others."""
        status = Status(self.new_id(), name, category, self.projects[project].id if project else None)
        self.statuses[status.id] = status
        return status

    def rename_status(self, status: str, name: str) -> None:
        """The id stays, and what histories say of it."""
        old = self.status(status)
        new = self.statuses[old.id] = replace(old, name=name)
        for issue in self.issues.values():
            if issue.status["id"] == old.id:
                self.spoil(issue.id, status=status_json(new))

    def new_field(self, name: str, custom: str = "textarea", type_: str = "string") -> Field:
        """A custom field; nothing forbids a name that there is."""
        made = Field(f"customfield_{self.new_id()}", name, type_, custom)
        self.fields[made.id] = made
        return made

    def permit(self, project: str, *permissions: str) -> None:
        """What our account may do in a project from now on; without any it cannot even see it."""
        self.projects[project].we_may = set(permissions)
        self.changes += 1

    def migrate_workflow(self, issues: Sequence[str], to: str, *, moves_updated: bool = False) -> None:
        """Give many issues another workflow, and with it another status, as an administrator does at one stroke.

        Recorded histories show both in one entry, and that `updated` does not always follow.
        """
        for one in issues:
            issue, before = self.issue(one), self.issue(one).updated
            items = [self._status_item(issue, to), workflow_item()]
            self._edit(issue, ADA, items, "workflow", status=self._status_json(to))
            if not moves_updated:
                issue.updated = before

    # What people do

    def pass_time(self, time: timedelta) -> None:
        self.now += time

    def new_issue(self, project: str, summary: str, *, who: Person = ADA, **fields: Any) -> Issue:
        """Make an issue; `fields` as the API gives them, rich text as plain."""
        issue_id = self.new_id()
        self._tick(issue_id, None)
        status = next(iter(self.statuses))
        values = {"summary": summary, "labels": [], "description": None, **NO_VALUES, **fields}
        values.setdefault("status", self._status_json(status))
        values.setdefault("issuetype", issue_type("Story"))
        values.setdefault("creator", who)
        issue = Issue(issue_id, self.projects[project].next_key(), project, self.now, self.now, values)
        self.issues[issue_id] = issue
        self.log.append(Entry(who, issue.id, "made"))
        return issue

    def transition(self, issue: str, to: str, *, who: Person = ADA, ids: bool = True) -> None:
        """Move to another status; without `ids` the history has null in `from` and `to`, which happens."""
        found = self.issue(issue)
        item = self._status_item(found, to)
        if not ids:
            item |= {"from": None, "to": None}
        self._edit(found, who, [item], f"status {to}", status=self._status_json(to))

    def retitle(self, issue: str, summary: str, *, who: Person = ADA) -> None:
        self.edit(issue, who=who, summary=summary)

    def edit(self, issue: str, *, who: Person = ADA, **values: Any) -> None:
        """Give fields other values, which become part of the history as text."""
        found = self.issue(issue)
        items = [
            change_item(self.fields[name].name, name, str(found.fields.get(name) or ""), str(value or ""))
            for name, value in values.items()
        ]
        self._edit(found, who, items, f"edited {', '.join(values)}", **values)

    def label(self, issue: str, *, add: Sequence[str] = (), remove: Sequence[str] = (), who: Person = ADA) -> None:
        """Put labels on and take labels off in one edit; what changes nothing leaves no trace (undocumented)."""
        found = self.issue(issue)
        before = found.labels
        after = [label for label in before if label not in remove]
        after += [label for label in dict.fromkeys(add) if label not in after]
        if sorted(after) == sorted(before):
            return
        item = change_item("labels", "labels", " ".join(before), " ".join(after)) | {"from": "", "to": ""}
        what = " ".join([*(f"+{label}" for label in add), *(f"-{label}" for label in remove)])
        self._edit(found, who, [item], what, labels=after)

    def move_project(self, issue: str, project: str, *, who: Person = ADA) -> None:
        """The id stays; key and project change, and the old key still leads to it."""
        found = self.issue(issue)
        old, new = self.projects[found.project], self.projects[project]
        key = new.next_key()
        items = [
            change_item("Key", None, found.key, key) | {"from": None, "to": None},
            change_item("project", "project", old.name, new.name) | {"from": old.id, "to": new.id},
        ]
        self.former_keys[found.key] = found.id
        self._edit(found, who, items, f"moved to {project}")
        found.key, found.project = key, project

    def delete(self, issue: str, *, who: Person = ADA) -> None:
        """Nothing is left of it but what search still believes."""
        found = self.issue(issue)
        self._tick(found.id, found)
        del self.issues[found.id]
        self.log.append(Entry(who, found.id, "deleted"))

    def spoil(self, issue: str, **fields: Any) -> None:
        """Give fields values that no person could give them, without a trace; `...` takes the field away."""
        found = self.issue(issue)
        for name, value in fields.items():
            if value is ...:
                found.fields.pop(name, None)
            else:
                found.fields[name] = value
        found.cache.clear()
        self.changes += 1

    def record(self, issue: str, *items: Mapping[str, Any], author: Person | None = ADA) -> None:
        """Add any history at all, by nobody if so, which as such does not move `updated`."""
        found = self.issue(issue)
        self._tick(found.id, as_it_is(found))
        found.histories.append(History(int(self.new_id()), self.now, author, items))
        found.cache.clear()

    # What every edit does

    def comment(self, issue: Issue, who: Person, body: Any, comment_id: str | None = None) -> dict[str, Any]:
        """Write a comment, or rewrite one. It moves `updated` and leaves no history. Raises `KeyError` without one."""
        if comment_id is None:
            found: dict[str, Any] = {"id": self.new_id(), "author": who, "created": self.now}
            issue.comments.append(found)
        else:
            found = {one["id"]: one for one in issue.comments}[comment_id]
        self._edit(issue, who, [], "commented")
        found |= {"body": body, "updateAuthor": who, "updated": self.now}
        return found

    def set_property(self, issue: Issue, who: Person, key: str, value: Any) -> None:
        """Properties leave no history and do not move `updated` (believed in general, documented nowhere)."""
        issue.properties[key] = value
        issue.cache.clear()
        self.log.append(Entry(who, issue.id, f"property {key}"))

    def drop_property(self, issue: Issue, who: Person, key: str) -> None:
        del issue.properties[key]
        issue.cache.clear()
        self.log.append(Entry(who, issue.id, f"no property {key}"))

    def _edit(self, issue: Issue, who: Person, items: Sequence[Mapping[str, Any]], what: str, **values: Any) -> None:
        self._tick(issue.id, as_it_is(issue))
        if items:
            issue.histories.append(History(int(self.new_id()), self.now, who, items))
        issue.fields.update(values)
        issue.updated = self.now - BEFORE_ITS_HISTORY
        issue.cache.clear()
        self.log.append(Entry(who, issue.id, what))

    def _tick(self, issue: str, believed: Issue | None) -> None:
        """A second goes by; what search `believed` of the issue, it believes until its lag is over.

        What is edited again in that time lags all the longer.
        """
        lagging = self._unindexed.get(issue)
        if lagging and self.now < lagging.until:
            believed = lagging.believed
        self.changes += 1
        self.now += TICK
        self._unindexed[issue] = Unindexed(believed, self.now + self.quirks.lag)

    def _status_json(self, name_or_id: str) -> dict[str, Any]:
        return status_json(self.status(name_or_id))

    def _status_item(self, issue: Issue, to: str) -> dict[str, Any]:
        old, new = issue.status, self.status(to)
        return change_item("status", "status", old["name"], new.name) | {"from": old["id"], "to": new.id}


# Shapes that the state is made of.

NO_VALUES: Mapping[str, Any] = {
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
