"""Recorded issues, served as they were recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import Field, History, Issue, Project, Status

KEPT_ELSEWHERE = ("project", "created", "updated")


def load_statuses(site: Site, file: Path) -> None:
    """Every status of GET /status."""
    for one in json.loads(file.read_text("utf-8")):
        project = one.get("scope", {}).get("project", {}).get("id")
        site.statuses[one["id"]] = Status(one["id"], one["name"], one["statusCategory"]["key"], project)


def load_issues(site: Site, file: Path) -> list[str]:
    """Every issue of a search with its changelog; their ids. Fields that nobody described are custom ones."""
    entries = json.loads(file.read_text("utf-8"))
    for entry in entries:
        load_issue(site, entry)
    return [entry["id"] for entry in entries]


def load_issue(site: Site, entry: Mapping[str, Any]) -> Issue:
    values = entry["fields"]
    project = values["project"]
    site.projects.setdefault(
        project["key"], Project(project["id"], project["key"], project["name"], bool(project.get("simplified")))
    )
    for name in values:
        site.fields.setdefault(name, Field(name, name, "any", "textfield" if name.startswith("customfield") else None))
    issue = Issue(
        id=entry["id"],
        key=entry["key"],
        project=project["key"],
        created=moment(values["created"]),
        updated=moment(values["updated"]),
        fields={name: value for name, value in values.items() if name not in KEPT_ELSEWHERE},
        histories=[load_history(one) for one in entry.get("changelog", {}).get("histories", [])],
    )
    site.take_in(issue)
    return issue


def load_history(entry: Mapping[str, Any]) -> History:
    return History(int(entry["id"]), moment(entry["created"]), entry.get("author"), entry["items"])


def moment(text: str) -> datetime:
    """A time as Jira writes it, its offset without a colon."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
