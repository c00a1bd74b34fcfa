"""Why an issue has its labels, in one comment of ours and in a property, on Cloud and on Data Center."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import ChangeResult, Collection, Outcome
from connectors.errors import BusyError
from connectors.fakes.jira.doors import TOKEN
from connectors.fakes.jira.shapes import document, plain
from connectors.fakes.jira.state import ADA, US
from connectors.fakes.server import Answer
from connectors.jira import JiraConnector
from connectors.jira.telling import HEADING, LONGEST, SETTLED, as_wiki, shortened
from connectors.model import ItemRef, LabelChange
from tests.fakes.jira_world import JiraCloudWorld, JiraServerWorld, JiraWorld


class Desk:
    """One issue, and what we write on it."""

    def __init__(self, world: JiraWorld) -> None:
        self.world, self.site = world, world.site
        self.board = world.new_collection("The app")
        self.issue = self.site.issue(world.new_item(self.board, "Faster checkout"))
        self.on = {"comment": True, "property": True}

    def write(self, *, issue: str = "", **reasons: str) -> ChangeResult:
        """Let our labels be those that there are reasons for (`pmo_x` is `pmo-x`)."""
        which = self.site.issue(issue) if issue else self.issue
        told = {label.replace("_", "-"): why for label, why in reasons.items()}
        ours = {label for label in which.labels if label.startswith("pmo-")}
        change = LabelChange(
            ItemRef("delivery", which.id),
            add=tuple(sorted(told.keys() - ours)),
            remove=tuple(sorted(ours - told.keys())),
            reasons=told,
        )
        setup = self.world.setup()
        options = {"base_url": self.world.jira.url, "token": TOKEN, **self.on}
        options |= {"email": US.email} if self.world.cloud else {}
        with closing(JiraConnector(type(setup)(setup.name, options, writable=True))) as connector:
            [result] = connector.apply(Collection(self.board, "The app"), [change])
        return result

    def said(self) -> list[str]:
        """What the comments on the issue say."""
        return [
            plain(one["body"]) if isinstance(one["body"], dict) else str(one["body"]) for one in self.issue.comments
        ]

    def sent(self) -> list[str]:
        """What was written since this was asked last: method and path, without the version and ids."""
        found = self.world.jira.writing_requests
        self.world.jira.server.requests.clear()
        return [
            f"{one.method} {'/'.join(part for part in one.path.split('/')[5:] if not part.isdigit())}" for one in found
        ]


@pytest.fixture(params=[JiraCloudWorld, JiraServerWorld])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    with closing(request.param()) as world:
        yield Desk(world)


def test_off_unless_asked_for(desk: Desk) -> None:
    desk.on = {}
    desk.write(pmo_x="Nobody sponsors it")
    assert desk.sent() == ["PUT "]
    assert desk.issue.comments == []
    assert desk.issue.properties == {}


def test_one_comment_that_is_kept_up_to_date(desk: Desk) -> None:
    desk.write(pmo_x="Nobody sponsors it")
    assert desk.said() == [f"{HEADING}\npmo-x: Nobody sponsors it"]
    desk.write(pmo_x="Nobody sponsors it", pmo_y="For 10 days")
    assert desk.said() == [f"{HEADING}\npmo-x: Nobody sponsors it\npmo-y: For 10 days"]
    desk.write()
    assert desk.said() == [SETTLED]
    desk.write(pmo_y="For 12 days")
    assert desk.said() == [f"{HEADING}\npmo-y: For 12 days"], "the same comment again, not a second one"


def test_the_property_goes_with_the_labels_and_when_they_go(desk: Desk) -> None:
    desk.on = {"property": True}
    desk.write(pmo_x="Nobody sponsors it")
    assert desk.issue.properties == {"unstuck": {"labels": {"pmo-x": "Nobody sponsors it"}}}
    assert desk.sent() == ["PUT "], "in the request that puts the label on"
    desk.write()
    assert desk.issue.properties == {}
    desk.write(pmo_x="a")
    desk.issue.properties.clear()
    assert desk.write().outcome is Outcome.DONE, "somebody else removed it"


def test_other_comments_are_not_ours(desk: Desk) -> None:
    """Not a colleague's, and not one that our account wrote for another reason."""
    body: Any = document("Theirs") if desk.world.cloud else "Theirs"
    for who in (ADA, US):
        desk.site.comment(desk.issue, who, body)
    desk.site.comment(desk.issue, ADA, body, properties={"unstuck": {"labels": {}}})
    desk.write(pmo_x="a")
    desk.write()
    assert desk.said() == ["Theirs", "Theirs", "Theirs", SETTLED]


def test_our_comment_is_found_among_hundreds(desk: Desk) -> None:
    for number in range(250):
        desk.site.comment(desk.issue, ADA, f"No. {number}")
        if number == 220:
            desk.write(pmo_x="a")
    desk.write()
    assert desk.said().count(SETTLED) == 1
    assert len(desk.issue.comments) == 251


def test_nothing_to_say_makes_no_comment(desk: Desk) -> None:
    desk.site.label(desk.issue.id, add=["pmo-x"])
    desk.write()
    assert desk.issue.comments == []
    assert desk.issue.labels == []


def test_what_says_so_already_is_not_written_again(desk: Desk) -> None:
    desk.write(pmo_x="a")
    desk.sent()
    desk.site.label(desk.issue.id, remove=["pmo-x"])
    desk.write(pmo_x="a")
    assert desk.sent() == ["PUT "], "the label alone"


def test_killed_between_the_two_there_is_still_one_comment(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    desk.world.jira.script(Answer(500), 100, "PUT")
    with pytest.raises(BusyError):
        desk.write(pmo_x="a")
    assert desk.said() == [f"{HEADING}\npmo-x: a"]
    assert desk.issue.labels == []
    desk.world.jira.stop_scripts()
    assert desk.write(pmo_x="a").outcome is Outcome.DONE
    assert desk.said() == [f"{HEADING}\npmo-x: a"]


def test_without_leave_to_comment_the_labels_go_on_and_it_is_said_once(desk: Desk) -> None:
    key = desk.issue.project
    desk.site.permit(key, "BROWSE_PROJECTS", "EDIT_ISSUES", "ADMINISTER_PROJECTS")
    result = desk.write(pmo_x="a")
    assert result.outcome is Outcome.DONE
    assert "no comment could be written in The app" in result.message
    assert desk.issue.labels == ["pmo-x"]
    assert desk.issue.properties
    assert not desk.site.mailed, "what was refused was the comment, and not the quiet"


def test_only_the_first_comment_is_heard(desk: Desk) -> None:
    desk.write(pmo_x="a")
    assert desk.site.mailed == [desk.issue.id]
    desk.write(pmo_x="a", pmo_y="b")
    desk.write()
    assert desk.site.mailed == [desk.issue.id]


def test_comments_count_where_writes_to_an_issue_are_limited(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monotonic = time.monotonic
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + sum(waited))
    desk.site.quirks.writes_per_issue = 1
    assert desk.write(pmo_x="a").outcome is Outcome.DONE
    assert sum(waited) >= 2
    assert (desk.issue.labels, len(desk.issue.comments)) == (["pmo-x"], 1)


def test_an_issue_that_is_exempt_or_moved_is_told_nothing(desk: Desk) -> None:
    desk.site.new_project("ELSE", "Elsewhere")
    desk.site.move_project(desk.issue.id, "ELSE")
    assert desk.write(pmo_x="a").outcome is Outcome.STALE
    assert desk.issue.comments == []


def test_nobody_is_mentioned_and_nothing_is_linked_on_data_center() -> None:
    with closing(JiraServerWorld()) as world:
        desk = Desk(world)
        desk.write(pmo_x="By [~ada] in {code} with !http://x/y.png! and \\\\ *all*")
        assert desk.said() == [
            f"{HEADING}\npmo-x: By \\[\\~ada\\] in \\{{code\\}} with \\!http://x/y.png\\! and &#92;&#92; \\*all\\*"
        ]


@given(st.text("[]{}!*_|^~+?\\ ab", max_size=30))
def test_no_markup_is_left_in_a_text(text: str) -> None:
    """Every letter that could begin markup is behind a backslash, and every backslash before one."""
    wiki = as_wiki(text)
    assert all(wiki[place - 1] == "\\" for place, letter in enumerate(wiki) if letter in "[]{}!*_|^~+?")
    assert wiki.count("\\") == sum(text.count(letter) for letter in "[]{}!*_|^~+?")


def test_a_long_reason_fits_into_a_property(desk: Desk) -> None:
    reasons = {f"pmo_{number}": "long " * 1_000 for number in range(40)}
    assert desk.write(**reasons).outcome is Outcome.DONE
    assert len(shortened("x" * 1_000)) == LONGEST
