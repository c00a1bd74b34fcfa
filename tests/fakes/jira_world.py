"""A Jira for the contract suite and for tests of the command: Cloud, or Data Center.

class TestCloud(HttpConnectorContract):
    connector = JiraConnector

    @pytest.fixture
    def world(self) -> Iterator[HttpWorld]:
        with closing(JiraCloudWorld()) as world:
            yield world

Where the vendor's OpenAPI description lies beside the checkout, closing a Cloud world fails if a request or an answer
was not as it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from connectors.base import SourceSetup
from connectors.fakes.jira.api import Jira
from connectors.fakes.jira.doors import TOKEN
from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import ADA, US
from tests.conftest import SHARED
from tests.fakes.jira_openapi import Judge
from tests.fakes.loopback_world import LoopbackWorld

DESCRIPTION = SHARED / "specs" / "jira" / "jira-v3-subset.json"
TITLE_LENGTH = 255
A_WHILE = timedelta(hours=6)
"""Longer than any overlap of two pulls should be."""


class JiraWorld(LoopbackWorld):
    """One site whose people do what the suite asks of them; ids of items and collections are Jira's own ids."""

    several_pages: ClassVar[int | None] = 5
    cloud: ClassVar[bool]

    def __init__(self) -> None:
        self.judge = Judge(DESCRIPTION) if self.cloud and DESCRIPTION.is_file() else None
        self.site = Site(cloud=self.cloud, zone="Asia/Shanghai")
        self.site.quirks.page_cap = 2
        self.jira = Jira(self.site, judge=self.judge)
        super().__init__(self.jira)

    def close(self) -> None:
        super().close()
        assert not (self.judge and self.judge.complaints), self.judge.complaints

    def options(self) -> Mapping[str, Any]:
        """Small pages, so that there are several, and vanished issues looked for each time."""
        return {"base_url": self.jira.url, "token": TOKEN, "page_size": 2, "sweep_hours": 0}

    def setup(self, *, writable: bool = True) -> SourceSetup:
        return SourceSetup("delivery", self.options(), writable=writable)

    def new_collection(self, name: str) -> str:
        """A project. The second has an id that sorts after, and a key that sorts before."""
        return self.site.new_project(f"P{99 - len(self.site.projects)}", name).id

    def new_item(self, collection: str, title: str) -> str:
        (project,) = (one.key for one in self.site.projects.values() if one.id == collection)
        return self.site.new_issue(
            project, self.held(title), duedate="2026-06-30", assignee=ADA, resolutiondate=None
        ).id

    def held(self, title: str) -> str:
        """A summary is one line, and not a long one."""
        return title.replace("\n", " ").strip()[:TITLE_LENGTH]

    def edit(self, item: str, title: str) -> None:
        self.site.retitle(item, self.held(title))

    def remove(self, item: str) -> None:
        self.site.delete(item)

    def put_label(self, item: str, label: str) -> None:
        """In Jira a space ends one label and starts the next."""
        self.site.label(item, add=label.split())

    def labels_of(self, item: str) -> set[str]:
        return set(self.site.issue(item).labels)

    def move(self, item: str) -> str:
        names = [status.name for status in self.site.statuses.values()]
        name = names[(names.index(self.site.issue(item).status["name"]) + 1) % len(names)]
        self.site.transition(item, name)
        return name

    def everything(self) -> object:
        return self.site.everything()

    def settle(self) -> None:
        self.site.pass_time(A_WHILE)


class JiraCloudWorld(JiraWorld):
    """A Cloud site, with an account's e-mail address and API token."""

    cloud = True

    def options(self) -> Mapping[str, Any]:
        return {**super().options(), "email": US.email}


class JiraServerWorld(JiraWorld):
    """A Data Center site, with a personal access token."""

    cloud = False
