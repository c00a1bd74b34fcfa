"""What a Jira holds, and what its people do in it: the back door.

Nothing here speaks HTTP. Every edit takes a second of the site's own clock, is noted in the log, and leaves the
history that a real Jira leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.fakes.jira.state import (
    ADA,
    NO_VALUES,
    RESOLVED,
    SYSTEM_FIELDS,
    US,
    Entry,
    Field,
    History,
    Issue,
    Person,
    Project,
    Quirks,
    Status,
    Unindexed,
    as_it_is,
    change_item,
    issue_type,
    status_json,
    workflow_item,
)

TICK = timedelta(seconds=1)
BEFORE_ITS_HISTORY = timedelta(milliseconds=7)
"""`updated` is a little earlier than the history that caused it, as recorded issues show."""


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

    def new_field(
        self, name: str, custom: str = "textarea", type_: str = "string", project: str | None = None
    ) -> Field:
        """A custom field, which every issue has from now on (or those of one project, where teams manage theirs).

        Nothing forbids a name that there is.
        """
        made = Field(f"customfield_{self.new_id()}", name, type_, custom, project)
        self.fields[made.id] = made
        for issue in self.issues.values():
            if project in (None, issue.project):
                self.spoil(issue.id, **{made.id: None})
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
        custom = [one.id for one in self.fields.values() if one.custom and one.project in (None, project)]
        values = {"summary": summary, "labels": [], **NO_VALUES, **dict.fromkeys(custom), **fields}
        values.setdefault("status", self._status_json(status))
        values.setdefault("issuetype", issue_type("Story"))
        values.setdefault("creator", who)
        if self.cloud:
            values.setdefault("statuscategorychangedate", self.text(self.now))
        issue = Issue(issue_id, self.projects[project].next_key(), project, self.now, self.now, values)
        self.issues[issue_id] = issue
        self.log.append(Entry(who, issue.id, "made"))
        return issue

    def transition(self, issue: str, to: str, *, who: Person = ADA, ids: bool = True) -> None:
        """Move to another status; without `ids` the history has null in `from` and `to`, which happens.

        What comes to be done is resolved in the same edit; what leaves it no longer is.
        """
        found, category = self.issue(issue), self.status(to).category
        item = self._status_item(found, to)
        if not ids:
            item |= {"from": None, "to": None}
        values, items = {"status": self._status_json(to)}, [item]
        if found.status["statusCategory"]["key"] != category:
            values |= self._of_another_category(found, category)
            items = [*self._resolution_items(found, category), item]
        self._edit(found, who, items, f"status {to}", **values)

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

    def link_web(self, issue: str, url: str, title: str = "A page", *, moves_updated: bool = True) -> None:
        """Add a web link; recorded histories show it, and nobody says whether it moves `updated`."""
        found = self.issue(issue)
        before = found.updated
        link = {"id": int(self.new_id()), "object": {"url": url, "title": title, "icon": {}, "status": {"icon": {}}}}
        found.web_links.append(link)
        self._edit(found, ADA, [change_item("RemoteIssueLink", None, None, f'This issue links to "{title}"')], "linked")
        found.updated = found.updated if moves_updated else before

    def unlink_web(self, issue: str, url: str) -> None:
        found = self.issue(issue)
        found.web_links = [one for one in found.web_links if one["object"]["url"] != url]
        self._edit(found, ADA, [change_item("RemoteIssueLink", None, "This issue links to it", None)], "unlinked")

    def record(self, issue: str, *items: Mapping[str, Any], author: Person | None = ADA) -> None:
        """Add any history at all, by nobody if so, which as such does not move `updated`."""
        found = self.issue(issue)
        self._tick(found.id, as_it_is(found))
        found.histories.append(History(int(self.new_id()), self.now, author, items))
        found.cache.clear()

    # What every edit does

    def comment(
        self,
        issue: Issue,
        who: Person,
        body: Any,
        comment_id: str | None = None,
        properties: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Write a comment, or rewrite one. It moves `updated` and leaves no history. Raises `KeyError` without one."""
        if comment_id is None:
            found: dict[str, Any] = {"id": self.new_id(), "author": who, "created": self.now, "properties": {}}
            issue.comments.append(found)
        else:
            found = {one["id"]: one for one in issue.comments}[comment_id]
        self._edit(issue, who, [], "commented")
        found |= {"body": body, "updateAuthor": who, "updated": self.now}
        found["properties"] = {**found["properties"], **(properties or {})}
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

    def _of_another_category(self, issue: Issue, category: str) -> dict[str, Any]:
        """Fields that follow the category of a status: `statuscategorychangedate` follows nothing else."""
        now, done = self.text(self.now + TICK), category == "done"
        values = {"resolution": RESOLVED if done else None, "resolutiondate": now if done else None}
        return values | ({"statuscategorychangedate": now} if self.cloud else {})

    @staticmethod
    def _resolution_items(issue: Issue, category: str) -> list[dict[str, Any]]:
        old, new = issue.fields.get("resolution"), RESOLVED if category == "done" else None
        if old == new:
            return []
        before, after = ((one["name"], one["id"]) if one else (None, None) for one in (old, new))
        return [change_item("resolution", "resolution", before[0], after[0]) | {"from": before[1], "to": after[1]}]

    def _status_json(self, name_or_id: str) -> dict[str, Any]:
        return status_json(self.status(name_or_id))

    def _status_item(self, issue: Issue, to: str) -> dict[str, Any]:
        old, new = issue.status, self.status(to)
        return change_item("status", "status", old["name"], new.name) | {"from": old["id"], "to": new.id}
