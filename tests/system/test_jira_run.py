"""The whole job on Jira: labels go onto issues and off again, and what people and administrators do in between."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.fakes.jira.api import Jira
from connectors.fakes.jira.doors import TOKEN
from connectors.fakes.jira.refusals import conflict
from connectors.fakes.jira.shapes import plain
from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import ADA, US
from tests.sync.town import Said, Town

CONFIG = """
brakes.share = 1.0
labels.flapping_times = 1000
[sources.delivery]
system   = "jira"
base_url = "{url}"
token    = {{ env = "JIRA_TOKEN" }}
{more}
[sources.delivery.fields]
sponsor = "Executive sponsor"
"""


BESIDE = """
[links]
tools = true
[sources.plan]
system = "memory"
world  = "plan.json"
"""
ROADMAP = {
    "collections": [{"native_id": "P", "name": "Plan"}],
    "items": [{"native_id": "7", "collection": "P", "key": "ROAD-7", "title": "Checkout", "status": "Doing",
               "url": "https://plan.example.com/roadmap/7"}],
}  # fmt: skip


class Firm(Town):
    """A town whose tool is a Jira: APP-1 has a sponsor, APP-2 has none; UNSTUCK_NOW follows the site's clock."""

    def __init__(self, folder: Path, *, cloud: bool) -> None:
        self.site = Site(cloud=cloud, zone="Asia/Shanghai")
        self.site.new_project("APP", "The app")
        self.sponsor = self.site.new_field("Executive sponsor", "textfield").id
        self.jira = Jira(self.site)
        self.sponsored = self.issue("Ada")
        self.orphan = self.issue(None)
        super().__init__(folder, "")
        self.configure()

    def configure(self, more: str = "") -> None:
        email = f'email = "{US.email}"\n' if self.site.cloud else ""
        self.write_config(CONFIG.format(url=self.jira.url, more=email + more))

    def issue(self, sponsor: str | None, project: str = "APP") -> str:
        made = self.site.new_issue(project, "Faster checkout")
        self.site.spoil(made.id, **{self.sponsor: sponsor})
        return made.id

    def sponsor_it(self) -> None:
        """A person fills in the sponsor that was missing."""
        values: dict[str, Any] = {self.sponsor: "Grace"}
        self.site.edit(self.orphan, **values)

    def environment(self, more: Any = None) -> dict[str, str]:
        now = f"{self.site.now:%Y-%m-%dT%H:%M:%S}"
        return {**super().environment(more), "UNSTUCK_NOW": now, "JIRA_TOKEN": TOKEN, **(more or {})}

    def run(self, *arguments: str, code: int = 0) -> Said:
        said = self.unstuck("run", "--apply", "--json", *arguments)
        assert said.code == code, said.err
        return said

    def later(self, **time: int) -> None:
        self.site.pass_time(timedelta(**time))

    def labels_of(self, issue: str) -> set[str]:
        return set(self.site.issue(issue).labels)

    def comments(self) -> list[str]:
        """What those on the issue without a sponsor say."""
        bodies = [one["body"] for one in self.site.issue(self.orphan).comments]
        return [plain(body) if isinstance(body, dict) else body for body in bodies]

    def asked(self) -> list[str]:
        """What was asked since the last time this was asked, ids as `*`."""
        counted = [f"{one.method} {one.path.partition('/rest/api/')[2][2:]}" for one in self.jira.requests]
        self.jira.server.requests.clear()
        return counted

    def stored(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "unstuck.db")) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(params=["cloud", "data center"])
def firm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Firm]:
    firm = Firm(tmp_path, cloud=request.param == "cloud")
    yield firm
    firm.jira.close()


def test_labels_go_on_and_off_again_and_then_nothing_is_written(firm: Firm) -> None:
    firm.run()
    assert firm.labels_of(firm.orphan) == {"pmo-no-sponsor"}
    assert firm.labels_of(firm.sponsored) == set()
    assert not firm.site.mailed, "nobody who watches is to get mail"
    writes = len(firm.site.writes())
    firm.run()
    assert len(firm.site.writes()) == writes, "the second run wrote"
    firm.later(hours=1)
    firm.sponsor_it()
    firm.run()
    assert firm.labels_of(firm.orphan) == set()


def test_a_plan_sends_nothing_that_writes(firm: Firm) -> None:
    for command in (["plan"], ["run"], ["check", "--live"], ["items"], ["findings"]):
        assert firm.unstuck(*command).code == 0
    assert firm.jira.requests
    assert firm.jira.writing_requests == []


def test_an_unchanged_site_is_asked_three_things(firm: Firm) -> None:
    firm.run()
    firm.later(hours=1)
    firm.run()
    firm.asked()
    firm.later(hours=1)
    before = firm.stored("SELECT id, hash FROM item ORDER BY id")
    assert firm.run().json["sources"][0]["changed"] == 0
    assert len(firm.asked()) == 3
    assert firm.stored("SELECT id, hash FROM item ORDER BY id") == before


def test_what_it_cost_is_in_the_summary(firm: Firm) -> None:
    """Reading and writing, as the host counted it."""
    said = firm.unstuck("run")
    assert f"; {len(firm.asked())} requests, " in said.out
    [applied] = firm.run().json["sources"]
    assert "PUT" in "".join(asked := firm.asked())
    assert applied["requests"] == len(asked)
    assert applied["bytes"] > 1_000


def test_a_revoked_token_clears_nothing(firm: Firm) -> None:
    """On Cloud it is answered with 200 and no issues."""
    firm.run()
    firm.jira.doors.tokens.clear()
    firm.later(days=2)
    said = firm.run(code=1)
    assert "credentials" in said.err + said.out
    assert firm.labels_of(firm.orphan) == {"pmo-no-sponsor"}
    assert firm.stored("SELECT count(*) FROM item WHERE missing_since IS NOT NULL") == [(0,)]


def test_a_persons_removal_stays(firm: Firm) -> None:
    firm.run()
    firm.later(minutes=5)
    firm.site.label(firm.orphan, remove=["pmo-no-sponsor"], who=ADA)
    for _ in range(2):
        firm.later(hours=1)
        firm.run()
        assert firm.labels_of(firm.orphan) == set()


def test_other_peoples_labels_stay(firm: Firm) -> None:
    firm.site.label(firm.orphan, add=["pmo-theirs", "blue"])
    firm.run()
    firm.later(hours=1)
    firm.site.label(firm.orphan, add=["green"])
    firm.sponsor_it()
    firm.run()
    assert firm.labels_of(firm.orphan) == {"pmo-theirs", "blue", "green"}


def test_a_moved_issue_keeps_its_identity(firm: Firm) -> None:
    firm.site.new_project("OPS", "Operations")
    firm.run()
    firm.later(hours=1)
    firm.site.move_project(firm.orphan, "OPS")
    firm.later(hours=1)
    firm.run()
    rows = firm.stored(f"SELECT key, missing_since FROM item WHERE native_id = '{firm.orphan}'")
    assert rows == [("OPS-1", None)]
    firm.sponsor_it()
    firm.run()
    assert firm.labels_of(firm.orphan) == set(), "the label that we put on under another key is still ours"


def test_what_vanished_is_found_the_next_day(firm: Firm) -> None:
    firm.site.new_project("OPS", "Operations")
    firm.configure('collections = ["APP"]\n')
    third = firm.issue("Ada")
    firm.run()
    firm.site.delete(firm.sponsored)
    firm.site.move_project(third, "OPS")
    firm.later(hours=1)
    firm.run()
    assert firm.stored("SELECT count(*) FROM item WHERE missing_since IS NOT NULL") == [(0,)], "ids are asked for daily"
    firm.later(days=1)
    firm.run()
    gone = firm.stored("SELECT native_id FROM item WHERE missing_since IS NOT NULL ORDER BY native_id")
    assert gone == [(firm.sponsored,), (third,)]


def test_a_project_that_is_hidden_from_us_is_kept(firm: Firm) -> None:
    firm.run()
    firm.site.permit("APP")
    firm.later(days=2)
    firm.run(code=1)
    assert firm.stored("SELECT count(*) FROM item WHERE missing_since IS NOT NULL") == [(0,)]
    firm.site.permit("APP", "BROWSE_PROJECTS", "EDIT_ISSUES", "ADMINISTER_PROJECTS")
    firm.run()
    assert firm.labels_of(firm.orphan) == {"pmo-no-sponsor"}


def test_without_leave_to_be_quiet_it_is_written_all_the_same(firm: Firm) -> None:
    firm.site.permit("APP", "BROWSE_PROJECTS", "EDIT_ISSUES")
    second = firm.issue(None)
    said = firm.unstuck("check", "--live")
    assert "gets mail" in said.out
    firm.run()
    assert firm.labels_of(firm.orphan) == firm.labels_of(second) == {"pmo-no-sponsor"}
    assert sorted(firm.site.mailed) == [firm.orphan, second]
    puts = [one for one in firm.jira.writing_requests if one.method == "PUT"]
    assert len(puts) == 3, "what is refused once is not tried again for each issue"


def test_without_leave_to_edit_the_others_are_labelled(firm: Firm) -> None:
    firm.site.new_project("OPS", "Operations").we_may = {"BROWSE_PROJECTS", "ADMINISTER_PROJECTS"}
    refused = firm.issue(None, "OPS")
    said = firm.run(code=1)
    assert "OPS-1" in said.out
    assert firm.labels_of(refused) == set()
    assert firm.labels_of(firm.orphan) == {"pmo-no-sponsor"}


def test_a_conflict_is_tried_again(firm: Firm) -> None:
    firm.jira.script(conflict(), method="PUT")
    firm.run()
    assert firm.labels_of(firm.orphan) == {"pmo-no-sponsor"}


def test_our_own_write_resets_no_clock(firm: Firm) -> None:
    firm.site.transition(firm.orphan, "In Progress")
    firm.later(days=20)
    firm.run()
    assert firm.labels_of(firm.orphan) == {"pmo-no-sponsor", "pmo-stuck-10d"}
    since = firm.stored("SELECT native_id, status_since, status_since_is FROM item ORDER BY native_id")
    firm.later(hours=1)
    firm.run()
    assert firm.stored("SELECT native_id, status_since, status_since_is FROM item ORDER BY native_id") == since


TELLING = "comment = true\nproperty = true\n"


def test_why_is_said_in_one_comment_and_a_property_and_settled_with_the_labels(firm: Firm) -> None:
    firm.configure(TELLING)
    issue = firm.site.issue(firm.orphan)
    firm.run()
    assert firm.comments() == ["Why this issue has its labels:\npmo-no-sponsor: Nobody sponsors it"]
    assert issue.properties == {"unstuck": {"labels": {"pmo-no-sponsor": "Nobody sponsors it"}}}
    firm.later(hours=1)
    written = firm.site.everything()
    firm.run()
    assert firm.site.everything() == written, "the second run wrote"
    firm.sponsor_it()
    firm.run()
    assert firm.comments() == ["What was said here is settled, and the labels are off."]
    assert issue.properties == {}


def test_a_comment_resets_no_clock_and_is_no_news(firm: Firm) -> None:
    firm.configure(TELLING)
    firm.site.transition(firm.orphan, "In Progress")
    firm.later(days=20)
    firm.run()
    assert "In In Progress for" in firm.comments()[0]
    since = firm.stored("SELECT native_id, status_since, status_since_is FROM item ORDER BY native_id")
    firm.later(hours=1)
    firm.run()
    assert firm.stored("SELECT native_id, status_since, status_since_is FROM item ORDER BY native_id") == since
    assert len(firm.comments()) == 1


def test_a_plan_says_nothing_in_the_tool(firm: Firm) -> None:
    firm.configure(TELLING)
    for command in (["plan"], ["run"], ["check", "--live"]):
        assert firm.unstuck(*command).code == 0
    assert firm.jira.writing_requests == []


def test_labels_that_are_retired_take_their_comments_to_an_end(firm: Firm) -> None:
    firm.configure(TELLING)
    firm.run()
    firm.later(hours=1)
    assert firm.unstuck("retire", "--apply").code == 0
    assert firm.comments() == ["What was said here is settled, and the labels are off."]
    assert firm.site.issue(firm.orphan).properties == {}


def test_without_leave_to_comment_it_is_said_and_the_labels_go_on(firm: Firm) -> None:
    firm.configure(TELLING)
    firm.site.permit("APP", "BROWSE_PROJECTS", "EDIT_ISSUES", "ADMINISTER_PROJECTS")
    second = firm.issue(None)
    assert "APP: we may not comment" in firm.unstuck("check", "--live").out
    said = firm.run(code=1).json
    [problem] = said["problems"]
    assert ": no comment could be written in The app, the labels were: " in problem
    assert said["written"]["items"] == 2
    assert firm.labels_of(firm.orphan) == firm.labels_of(second) == {"pmo-no-sponsor"}


def test_the_token_is_nowhere(firm: Firm) -> None:
    said = firm.run()
    firm.jira.doors.tokens.clear()
    failed = firm.run(code=1)
    texts = said.out + said.err + failed.out + failed.err
    assert TOKEN not in texts
    assert not [file for file in firm.folder.iterdir() if file.is_file() and TOKEN.encode() in file.read_bytes()]
    assert not [one for one in firm.jira.requests if TOKEN in one.target]


def test_what_is_wrong_with_the_config_is_said_at_once(firm: Firm) -> None:
    firm.configure('jql = "labels = x ORDER BY key"\n')
    said = firm.unstuck("run")
    assert said.code == 2
    assert "ORDER BY" in said.err
    firm.configure('collections = ["NONE"]\n')
    said = firm.unstuck("run")
    assert said.code == 1
    assert 'no project "NONE"' in said.err


def test_a_web_link_joins_an_issue_with_another_tool(firm: Firm) -> None:
    firm.configure('web_links = "issuetype = Story"')
    config = firm.folder / "config.toml"
    config.write_text(config.read_text().replace("[sources.delivery]", BESIDE + "[sources.delivery]", 1))
    (firm.folder / "plan.json").write_text(json.dumps(ROADMAP))
    firm.site.link_web(firm.orphan, "https://plan.example.com/roadmap/7")
    firm.run()
    key = firm.site.issue(firm.orphan).key
    tree = firm.unstuck("links", key)
    assert "links to ROAD-7 since" in tree.out
    firm.later(hours=1)
    firm.site.unlink_web(firm.orphan, "https://plan.example.com/roadmap/7")
    firm.run()
    assert "ROAD-7" not in firm.unstuck("links", key).out
    live = firm.unstuck("check", "--live")
    assert "2 issues match web_links" in live.out
