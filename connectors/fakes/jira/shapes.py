"""Jira's JSON, made of what a site holds."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.fakes.jira.asking import Ask
from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import Field, History, Issue, Person, Project, Status, status_json

DECORATED = frozenset({"status", "issuetype", "priority"})
EXPAND = "operations,versionedRepresentations,editmeta,changelog,renderedFields"


class Shapes:
    """All shapes of one site, as seen by one request."""

    def __init__(self, site: Site, ask: Ask) -> None:
        self.site = site
        self.ask = ask
        self.rest = f"{ask.base}/rest/api/{ask.version}"

    # Issues

    def issue_bytes(
        self, issue: Issue, fields: Sequence[str], *, histories: int = 0, properties: Sequence[str] = ()
    ) -> bytes:
        """One issue as JSON text, from the cache if it was asked for like this before."""
        changes = self.site.changes if issue.fields.get("parent") else 0
        wanted = (self.rest, *fields, histories, *properties, changes, self.site.quirks.shuffles_histories)
        if wanted not in issue.cache:
            found = self.issue(issue, fields, histories=histories, properties=properties)
            issue.cache[wanted] = json.dumps(found).encode()
        return issue.cache[wanted]

    def issue(
        self, issue: Issue, fields: Sequence[str], *, histories: int = 0, properties: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The fields that were asked for; names that no field has are ignored. `histories` are the most inline."""
        if [*fields] == ["id"]:
            return {"id": issue.id}
        found: dict[str, Any] = {"expand": EXPAND, "id": issue.id, "self": f"{self.rest}/issue/{issue.id}"}
        found["key"] = issue.key
        if {*fields} - {"id", "key"}:
            found["fields"] = self.fields(issue, fields)
        if histories:
            found["changelog"] = self.changelog(issue, histories)
        if properties:
            found["properties"] = {key: issue.properties[key] for key in properties if key in issue.properties}
        return found

    def fields(self, issue: Issue, wanted: Sequence[str]) -> dict[str, Any]:
        everything = bool({*wanted} & {"*all", "*navigable"})
        hidden = {name[1:] for name in wanted if name.startswith("-")}
        hidden |= {field.id for field in self.site.fields.values() if not field.visible}
        names = [*issue.fields, "project", "created", "updated"]
        chosen = [name for name in names if (everything or name in wanted) and name not in hidden]
        return {name: self.value(issue, name) for name in chosen}

    def value(self, issue: Issue, name: str) -> Any:
        if name == "project":
            return self.project(self.site.projects[issue.project])
        if name in ("created", "updated"):
            return self.site.text(issue.created if name == "created" else issue.updated)
        value = issue.fields[name]
        if isinstance(value, Person):
            return self.person(value)
        if name == "parent" and value and self.site.issues.get(value["id"]):
            return self.parent(self.site.issues[value["id"]])
        if name in DECORATED and isinstance(value, dict) and "self" not in value:  # recorded ones have theirs
            return self.decorated(name, value)
        field = self.site.fields.get(name)
        return self.rich(value) if field and field.is_rich else value

    def decorated(self, kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
        """With what nobody asks for and everybody gets: where it is, what it looks like, and what it is about."""
        icon = f"{self.ask.base}/images/icons/{kind}/{value['id']}.svg"
        found = {**value, "self": f"{self.rest}/{kind}/{value['id']}", "iconUrl": icon}
        if kind != "priority":
            found["description"] = f"What this {kind} is for, in a sentence."
        if category := value.get("statusCategory"):
            found["statusCategory"] = {"self": f"{self.rest}/statuscategory/{category['id']}", **category}
        return found

    def avatars(self, of: str) -> dict[str, str]:
        """As recorded before their addresses were taken out of the recordings: four sizes, each with its address."""
        place = f"{self.ask.base}/rest/api/{self.ask.version}/universal_avatar/view/type/{of}"
        return {f"{size}x{size}": f"{place}?size={size}&v=2" for size in (48, 24, 16, 32)}

    def parent(self, issue: Issue) -> dict[str, Any]:
        found = self.issue(issue, ["summary", "status", "issuetype", "priority"])
        return {name: value for name, value in found.items() if name != "expand"}

    def rich(self, value: Any) -> Any:
        """A document for version 3, text for version 2, whichever of the two somebody wrote."""
        if self.ask.version == "3":
            return document(value) if isinstance(value, str) else value
        return plain(value) if isinstance(value, Mapping) else value

    # Histories

    def changelog(self, issue: Issue, most: int) -> dict[str, Any]:
        """The inline one. Cloud gives the newest, newest first; Data Center all, oldest first."""
        ordered = sorted(issue.histories, key=lambda one: (one.at, one.id))
        shown = ordered[::-1][:most] if self.site.cloud else ordered
        if self.site.quirks.shuffles_histories:
            random.Random(issue.id).shuffle(shown)
        shapes = [self.history(one, self.site.text(one.at), one.items) for one in shown]
        return {"startAt": 0, "maxResults": len(shown), "total": len(ordered), "histories": shapes}

    def history(self, history: History, created: Any, items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {"id": str(history.id)}
        if history.author is not None:
            found["author"] = self.person(history.author) if isinstance(history.author, Person) else history.author
        return found | {"created": created, "items": [*items]}

    def history_bytes(self, issue: Issue, history: History, created: Any, fields: Sequence[str]) -> bytes:
        """One entry as JSON text with the items of these fields alone, from the cache if it can be."""
        wanted = (self.rest, history.id, created, *fields)
        if wanted not in issue.cache:
            items = items_of(history, fields)
            issue.cache[wanted] = json.dumps(self.history(history, created, items)).encode()
        return issue.cache[wanted]

    # Everything else

    def person(self, person: Person) -> dict[str, Any]:
        known = {
            "avatarUrls": self.avatars(f"user/avatar/{person.id}"),
            "displayName": person.name,
            "active": person.active,
            "timeZone": person.zone,
        }
        if self.site.cloud:
            return {
                "self": f"{self.rest}/user?accountId={person.id}",
                "accountId": person.id,
                "accountType": person.kind,
                **known,
            }
        return {
            "self": f"{self.rest}/user?username={person.login}",
            "name": person.login,
            "key": person.id,
            "emailAddress": person.email,
            **known,
        }

    def comment(self, comment: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: self.plain_value(value) for name, value in comment.items() if name not in ("body", "properties")}
        return found | {"body": self.rich(comment["body"])}

    def plain_value(self, value: Any) -> Any:
        if isinstance(value, Person):
            return self.person(value)
        return self.site.text(value) if isinstance(value, datetime) else value

    def status(self, status: Status) -> dict[str, Any]:
        return {"self": f"{self.rest}/status/{status.id}", **status_json(status)}

    def project(self, project: Project) -> dict[str, Any]:
        found = {
            "self": f"{self.rest}/project/{project.id}",
            "id": project.id,
            "key": project.key,
            "name": project.name,
            "projectTypeKey": "software",
            "avatarUrls": self.avatars(f"project/avatar/{project.id}"),
        }
        return found | ({"simplified": project.team_managed} if self.site.cloud else {})

    def field(self, field: Field) -> dict[str, Any]:
        number = field.id.rpartition("_")[2]
        found: dict[str, Any] = {
            "id": field.id,
            **({"key": field.id, "untranslatedName": field.name} if self.site.cloud else {}),
            "name": field.name,
            "custom": field.custom is not None,
            "orderable": True,
            "navigable": True,
            "searchable": True,
            "clauseNames": [f"cf[{number}]", field.name] if field.custom else [field.id],
        }
        if field.project:
            found["scope"] = {"type": "PROJECT", "project": {"id": self.site.projects[field.project].id}}
        plugin = "com.pyxis.greenhopper.jira:" if str(field.custom).startswith("gh-") else ""
        kind = f"{plugin or 'com.atlassian.jira.plugin.system.customfieldtypes:'}{field.custom}"
        known = {"custom": kind, "customId": int(number)} if field.custom else {"system": field.id}
        return found | {"schema": {"type": field.type, **known}}


def items_of(history: History, fields: Sequence[str]) -> list[Mapping[str, Any]]:
    """The items of a history that change one of these fields; all without any. Some kinds of items name no field."""
    return [item for item in history.items if not fields or item.get("fieldId") in fields]


def document(text: str) -> dict[str, Any]:
    """Text in Atlassian's document format, a paragraph for each line.

    https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
    """
    lines = [[{"type": "text", "text": line}] if line else [] for line in text.split("\n")]
    return {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": line} for line in lines]}


def plain(node: Mapping[str, Any]) -> str:
    """What version 2 makes of a document: its text, a line for each block."""
    if node.get("type") == "text":
        return str(node["text"])
    inner = [plain(child) for child in node.get("content", [])]
    return ("\n" if node.get("type") == "doc" else "").join(inner)
