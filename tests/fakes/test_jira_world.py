"""The worlds of the contract suite for Jira: what people do in them arrives where a connector looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
import requests

from connectors.fakes.jira.doors import TOKEN
from connectors.fakes.server import BadDay
from tests.fakes.jira_openapi import Judge
from tests.fakes.jira_world import DESCRIPTION, JiraCloudWorld, JiraServerWorld, JiraWorld

KINDS = (JiraCloudWorld, JiraServerWorld)


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest) -> Iterator[JiraWorld]:
    with closing(request.param()) as world:
        yield world


def ask(world: JiraWorld, path: str) -> requests.Response:
    """Ask as a connector with the world's set-up would."""
    options = world.setup().options
    auth = (options["email"], options["token"]) if "email" in options else None
    headers = {} if auth else {"Authorization": f"Bearer {options['token']}"}
    url = f"{options['base_url']}/rest/api/2/{path}"
    return requests.get(url, auth=auth, headers=headers, timeout=10, allow_redirects=False)


def test_what_people_do_can_be_asked_for(world: JiraWorld) -> None:
    first, second = world.new_collection("First"), world.new_collection("Second")
    item = world.new_item(first, "  Title\nof two lines ")
    world.put_label(item, "two labels")
    issue = ask(world, f"issue/{item}").json()
    assert issue["fields"]["project"]["id"] == first
    assert issue["fields"]["summary"] == world.held("  Title\nof two lines ") == "Title of two lines"
    assert {*issue["fields"]["labels"]} == world.labels_of(item) == {"two", "labels"}
    world.edit(item, "x" * 300)
    assert len(ask(world, f"issue/{item}").json()["fields"]["summary"]) == 255
    moved = world.move(item)
    assert ask(world, f"issue/{item}").json()["fields"]["status"]["name"] == moved
    other = world.new_item(second, "Other")
    world.remove(item)
    assert ask(world, f"issue/{item}").status_code == 404
    assert ask(world, f"issue/{other}").ok


def test_reading_changes_nothing_and_an_edit_does(world: JiraWorld) -> None:
    item = world.new_item(world.new_collection("First"), "One")
    before = world.everything()
    ask(world, f"issue/{item}")
    assert world.everything() == before
    world.put_label(item, "theirs")
    assert world.everything() != before


def test_time_goes_by(world: JiraWorld) -> None:
    before = world.site.now
    world.settle()
    assert ask(world, "serverInfo").json()["serverTime"] == world.site.text(world.site.now)
    assert (world.site.now - before).total_seconds() > 3_600


def test_bad_days_come_as_ordered(world: JiraWorld) -> None:
    world.next(BadDay.REDIRECT, after=1)
    assert [ask(world, "serverInfo").status_code for _ in range(3)] == [200, 302, 200]
    assert len(world.requests()) == 3
    requests.get(f"{world.stranger.url}/rest/api/2/serverInfo", headers={"Authorization": TOKEN}, timeout=10)
    assert world.elsewhere() == ["GET /rest/api/2/serverInfo"]
    world.ruin()
    assert ask(world, "serverInfo").status_code == 500


def test_a_request_that_is_not_described_fails_the_world() -> None:
    world = JiraCloudWorld()
    if not DESCRIPTION.is_file():
        world.close()
        pytest.skip("no ../shared/specs beside this checkout")
    assert isinstance(world.judge, Judge)
    world.judge.complaints.append("GET /rest/api/3/field, request: there is no parameter fields")
    with pytest.raises(AssertionError, match="no parameter fields"):
        world.close()
