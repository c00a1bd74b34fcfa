"""The stand-in for Jira behaves as the facts about the real one say: each trap is there to be stepped into."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jira as package
import pytest
import requests

from connectors.fakes.jira.api import Jira
from connectors.fakes.jira.doors import GATEWAY, TOKEN
from connectors.fakes.jira.many import many_issues
from connectors.fakes.jira.refusals import Limit, after, captcha, conflict, rate_limited, rate_limited_by_data_center
from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import ADA, AUTOMATION, US, Entry, change_item
from tests.fakes.jira_recorded import load_issues, load_statuses

ROOT = Path(__file__).resolve().parents[2]
REMADE = ("project", "created", "updated", "parent")
"""Fields that the stand-in writes anew: with links to itself, and in its own zone."""
EVERYTHING = "id is not EMPTY ORDER BY id"


class Caller:
    """Somebody with credentials, or without."""

    def __init__(self, jira: Jira, authorization: str | None, before: str = "", version: str = "") -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        if authorization:
            self.session.headers["Authorization"] = authorization
        self.rest = f"{jira.url}{before}/rest/api/{version or ('3' if jira.site.cloud else '2')}"

    def __call__(self, method: str, path: str, body: Any = None, **parameters: str) -> requests.Response:
        return self.session.request(method, self.rest + path, json=body, params=parameters, timeout=10)

    def get(self, path: str, **parameters: str) -> Any:
        return self.good(self("GET", path, **parameters))

    def post(self, path: str, body: Any) -> Any:
        return self.good(self("POST", path, body))

    def good(self, response: requests.Response) -> Any:
        assert response.ok, response.text
        return response.json()

    def labelled(self, issue: str, *, quietly: bool = True, **operations: str) -> requests.Response:
        """PUT with one operation for each verb."""
        body = {"update": {"labels": [{verb: label} for verb, label in operations.items()]}}
        return self("PUT", f"/issue/{issue}", body, **({"notifyUsers": "false"} if quietly else {}))

    def pages(self, jql: str = EVERYTHING, **wish: Any) -> Iterator[list[Any]]:
        """Every page of a Cloud search."""
        wish = {"jql": jql, "fields": ["summary"], **wish}
        while True:
            answer = self.post("/search/jql", wish)
            yield answer["issues"]
            if "nextPageToken" not in answer:
                return
            wish["nextPageToken"] = answer["nextPageToken"]

    def found(self, jql: str = EVERYTHING, **wish: Any) -> list[str]:
        return [issue["id"] for page in self.pages(jql, **wish) for issue in page]


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


AS_US = basic(US.email, TOKEN)


@pytest.fixture
def jira() -> Iterator[Jira]:
    """A Cloud site with APP-1 to APP-3."""
    site = Site(cloud=True, zone="Asia/Shanghai")
    site.new_project("APP", "The app")
    for number in range(3):
        site.new_issue("APP", f"Item {number}", description="First line\n\nlast line")
    with closing(Jira(site)) as jira:
        yield jira


@pytest.fixture
def us(jira: Jira) -> Caller:
    return Caller(jira, AS_US)


@pytest.fixture
def server() -> Iterator[Jira]:
    """A Data Center with APP-1 to APP-3."""
    site = Site(cloud=False)
    site.new_project("APP", "The app")
    for number in range(3):
        site.new_issue("APP", f"Item {number}")
    with closing(Jira(site)) as jira:
        yield jira


@pytest.fixture
def on_server(server: Jira) -> Caller:
    return Caller(server, f"Bearer {TOKEN}")


def only(site: Site, number: int = 0) -> str:
    """The id of an issue by its place."""
    return [*site.issues][number]


# Who is let in


@pytest.mark.parametrize(
    "authorization", [None, basic(US.email, "wrong"), basic("other@example.com", TOKEN), "Basic nonsense", "Digest x"]
)
def test_nobody_gets_200_and_nothing(jira: Jira, authorization: str | None) -> None:
    nobody = Caller(jira, authorization)
    assert nobody("GET", "/myself").status_code == 401
    assert nobody.found('project = APP AND key = "APP-1"') == []
    assert nobody.get("/project/search")["values"] == []
    assert nobody("GET", f"/issue/{only(jira.site)}").status_code == 404
    assert "X-Seraph-LoginReason" in nobody("GET", "/serverInfo").headers
    before = jira.site.everything()
    assert nobody.labelled(only(jira.site), add="pmo-x").status_code == 404
    assert jira.site.everything() == before


def test_what_is_no_path_of_jira_is_not_found(jira: Jira, us: Caller) -> None:
    for path in ("/no/such/thing", "/issue/APP-1/nothing"):
        assert us("GET", path).status_code == 404
    assert us.session.get(f"{jira.url}/wiki/rest/content", timeout=10).status_code == 404


def test_a_revoked_token_makes_nobody_of_us(jira: Jira, us: Caller) -> None:
    assert len(us.found()) == 3
    jira.doors.tokens.clear()
    assert us.found() == []


def test_a_bearer_is_not_understood_at_the_cloud(jira: Jira) -> None:
    assert Caller(jira, f"Bearer {TOKEN}")("GET", "/myself").status_code == 403


@pytest.mark.parametrize("authorization", [basic(US.email, "scoped"), "Bearer scoped"])
def test_a_token_with_scopes_has_a_door_of_its_own(jira: Jira, authorization: str) -> None:
    jira.doors.tokens["scoped"] = frozenset({"read:jira-work"})
    gateway = Caller(jira, authorization, GATEWAY)
    assert gateway.found() == [*jira.site.issues]
    assert gateway("GET", "/myself").status_code == 401, "reading who we are has a scope of its own"
    assert gateway.labelled(only(jira.site), add="pmo-x").json()["message"] == "Unauthorized; scope does not match"
    assert Caller(jira, basic(US.email, "scoped")).found() == [], "at the site's own door it is nobody's"
    assert Caller(jira, AS_US, GATEWAY)("GET", "/field").status_code == 401, "a token without scopes has the other door"


def test_data_center_knows_tokens_and_passwords(server: Jira) -> None:
    for good in (f"Bearer {TOKEN}", basic("label-bot", server.doors.password)):
        assert Caller(server, good).get("/myself")["name"] == "label-bot"
    for wrong in ("Bearer wrong", basic("label-bot", "wrong")):
        assert Caller(server, wrong)("GET", "/search").status_code == 401
    assert Caller(server, None).get("/search", jql="project = APP")["issues"] == []


# Searching


def test_the_old_search_is_gone(us: Caller) -> None:
    for method in ("GET", "POST"):
        assert us(method, "/search", {"jql": EVERYTHING} if method == "POST" else None).status_code == 410


def test_ids_alone_come_if_no_field_is_named(us: Caller) -> None:
    (issues,) = us.pages(fields=[])
    assert [{*issue} for issue in issues] == [{"id"}] * 3
    issue = us.post("/search/jql", {"jql": EVERYTHING, "fields": ["summary", "no-such-field"]})["issues"][0]
    assert issue["fields"] == {"summary": "Item 0"}
    assert us.get("/search/jql", jql=EVERYTHING, fields="key")["issues"][0].keys() == {"expand", "id", "self", "key"}


def test_pages_hold_what_they_hold() -> None:
    with closing(Jira(many_issues(250))) as jira:
        us = Caller(jira, AS_US)
        assert [len(page) for page in us.pages(maxResults=5_000)] == [100, 100, 50]
        assert [len(page) for page in us.pages(maxResults=5_000, fields=["id"])] == [250]
        assert us.found() == [*jira.site.issues]


@pytest.mark.parametrize(
    "wish",
    [
        {"maxResults": 0},
        {"maxResults": 5_001},
        {"maxResults": "50"},
        {"startAt": 0},
        {"expand": ["changelog"]},
        {"fields": "summary"},
        {"fields": [1]},
        {"reconcileIssues": [*range(51)]},
        {"properties": list("abcdef")},
        {"nextPageToken": "invented"},
        {"jql": ""},
        {"jql": "ORDER BY key"},
        {"jql": None},
    ],
)
def test_a_search_that_cloud_refuses(us: Caller, wish: dict[str, Any]) -> None:
    response = us("POST", "/search/jql", {"jql": EVERYTHING, **wish})
    assert response.status_code == 400
    assert response.json()["errorMessages"]


def test_a_body_must_say_that_it_is_json(us: Caller) -> None:
    response = us.session.post(f"{us.rest}/search/jql", data=b'{"jql": "project = APP"}', timeout=10)
    assert response.status_code == 415
    headers = {"Content-Type": "application/json"}
    assert us.session.post(f"{us.rest}/search/jql", data=b"{", headers=headers, timeout=10).status_code == 400


def test_short_and_empty_pages_are_not_the_last(jira: Jira, us: Caller) -> None:
    jira.site.quirks.short_pages = [0, 1, 0]
    assert [len(page) for page in us.pages()] == [0, 1, 0, 2]
    jira.site.quirks.short_pages = [0, 1, 0]
    assert us.found() == [*jira.site.issues]


def test_an_edit_between_two_pages_hides_nothing(jira: Jira, us: Caller) -> None:
    jira.site.quirks.page_cap = 1
    came = []
    for page in us.pages("project = APP ORDER BY updated"):
        came += [issue["id"] for issue in page]
        if len(came) == 1:
            jira.site.retitle(came[0], "Edited meanwhile")
    assert came == [*jira.site.issues, only(jira.site)]


def test_a_token_can_lead_to_itself(jira: Jira, us: Caller) -> None:
    jira.site.quirks.page_cap = 1
    jira.site.quirks.repeats_token = True
    stream = us.pages()
    assert [next(stream)[0]["id"] for _ in range(5)] == [only(jira.site)] * 5


def test_a_token_is_for_its_query_and_for_a_week(jira: Jira, us: Caller) -> None:
    jira.site.quirks.page_cap = 1
    token = us.post("/search/jql", {"jql": EVERYTHING, "fields": ["summary"]})["nextPageToken"]
    assert us("POST", "/search/jql", {"jql": "project = APP", "nextPageToken": token}).status_code == 400
    jira.site.pass_time(timedelta(days=8))
    assert us("POST", "/search/jql", {"jql": EVERYTHING, "nextPageToken": token}).status_code == 400


@pytest.mark.parametrize("ending", [{"isLast": True}, {"isLast": True, "nextPageToken": None}, {}])
def test_the_end_is_said_in_several_ways(jira: Jira, us: Caller, ending: dict[str, Any]) -> None:
    jira.site.quirks.last_page = ending
    answer = us.post("/search/jql", {"jql": EVERYTHING})
    assert {name: value for name, value in answer.items() if name != "issues"} == ending


def test_search_lags_behind_but_for_what_is_reconciled(jira: Jira, us: Caller) -> None:
    site = jira.site
    site.quirks.lag = timedelta(minutes=2)
    edited, removed = only(site), only(site, 1)
    site.retitle(edited, "Edited")
    site.delete(removed)
    new = site.new_issue("APP", "New").id
    assert us.found("summary ~ Edited") == []
    assert us.found("summary ~ Edited", reconcileIssues=[int(edited)]) == [edited]
    assert removed in us.found()
    assert us("GET", f"/issue/{removed}").status_code == 404
    assert new not in us.found()
    site.pass_time(timedelta(minutes=1))
    site.label(edited, add=["again"])
    site.pass_time(timedelta(minutes=1))
    assert us.found("summary ~ Edited") == [], "what is edited again lags all the longer"
    assert us.found() == [edited, only(site, 1), new]
    site.pass_time(timedelta(minutes=2))
    assert us.found("summary ~ Edited AND labels = again") == [edited]


def test_times_are_in_the_sites_zone(us: Caller) -> None:
    updated = us.get("/issue/APP-1")["fields"]["updated"]
    assert updated == "2026-03-20T20:00:01.000+0800"
    assert us.get("/myself")["timeZone"] == "America/Los_Angeles"
    assert us.get("/serverInfo")["serverTime"].endswith("+0800")


def test_the_clock_is_the_sites_own(jira: Jira, us: Caller) -> None:
    jira.site.now = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert us("GET", "/serverInfo").headers["Date"] == "Tue, 06 May 2031 07:08:09 GMT"


def test_counting(us: Caller) -> None:
    assert us.post("/search/approximate-count", {"jql": "project = APP"}) == {"count": 3}
    assert us("POST", "/search/approximate-count", {"jql": "ORDER BY key"}).status_code == 400


# Histories


def wander(site: Site, issue: str, times: int) -> None:
    for number in range(times):
        site.transition(issue, ("In Progress", "To Do")[number % 2])


def test_inline_histories_are_cut_to_the_newest(jira: Jira, us: Caller) -> None:
    wander(jira.site, "APP-1", 110)
    wish = {"jql": "key = APP-1", "fields": ["summary"], "expand": "changelog"}
    for most, answer in (
        (40, us.post("/search/jql", wish)["issues"][0]["changelog"]),
        (100, us.get("/issue/APP-1", expand="changelog")["changelog"]),
    ):
        assert answer["total"] == 110
        assert len(answer["histories"]) == most
        newest_first = [history["created"] for history in answer["histories"]]
        assert newest_first == sorted(newest_first, reverse=True)
        assert answer["histories"][0]["id"] == str(jira.site.issue("APP-1").histories[-1].id)


def test_inline_histories_can_come_in_no_order(jira: Jira, us: Caller) -> None:
    wander(jira.site, "APP-1", 10)
    jira.site.quirks.shuffles_histories = True
    ids = [int(one["id"]) for one in us.get("/issue/APP-1", expand="changelog")["changelog"]["histories"]]
    assert sorted(ids) == [one.id for one in jira.site.issue("APP-1").histories]
    assert ids not in (sorted(ids), sorted(ids, reverse=True))


def test_bulk_histories_are_whole_and_cut_anywhere(jira: Jira, us: Caller) -> None:
    wander(jira.site, "APP-1", 50)
    wander(jira.site, "APP-3", 3)
    wish = {"issueIdsOrKeys": [*jira.site.issues], "fieldIds": ["status"], "maxResults": 20}
    came: dict[str, list[Any]] = {}
    for _ in range(3):
        answer = us.post("/changelog/bulkfetch", wish)
        for log in answer["issueChangeLogs"]:
            came.setdefault(log["issueId"], []).extend(log["changeHistories"])
        wish["nextPageToken"] = answer.get("nextPageToken")
    assert wish["nextPageToken"] is None
    one, two, three = jira.site.issues.values()
    assert {issue: len(histories) for issue, histories in came.items()} == {one.id: 50, three.id: 3}
    assert [history["created"] for history in came[one.id]] == [
        int(history.at.timestamp() * 1_000) for history in one.histories
    ], "epoch milliseconds, the oldest first"
    assert two.id not in came, "what has no history is absent"


@pytest.mark.parametrize("form", ["ms", "s", "text"])
def test_times_of_bulk_histories_take_three_forms(jira: Jira, us: Caller, form: Any) -> None:
    wander(jira.site, "APP-1", 1)
    jira.site.quirks.bulk_created = form
    log = us.post("/changelog/bulkfetch", {"issueIdsOrKeys": ["APP-1"]})["issueChangeLogs"][0]
    expected = {"ms": 1774008004000, "s": 1774008004, "text": "2026-03-20T20:00:04.000+0800"}
    assert log["changeHistories"][0]["created"] == expected[form]


@pytest.mark.parametrize(
    "wish",
    [
        {"issueIdsOrKeys": []},
        {"issueIdsOrKeys": [str(number) for number in range(1_001)]},
        {"fieldIds": [str(number) for number in range(11)]},
        {"maxResults": 10_001},
        {"maxResults": 0},
        {"startAt": 0},
        {"issueIdsOrKeys": [1]},
        {"nextPageToken": "invented"},
    ],
)
def test_bulk_histories_that_cloud_refuses(us: Caller, wish: dict[str, Any]) -> None:
    assert us("POST", "/changelog/bulkfetch", {"issueIdsOrKeys": ["APP-1"], **wish}).status_code == 400


def test_the_changelog_of_one_issue_is_paged(jira: Jira, us: Caller) -> None:
    wander(jira.site, "APP-1", 120)
    first, last = (us.get("/issue/APP-1/changelog", startAt=start) for start in ("0", "100"))
    assert [len(first["values"]), first["isLast"], len(last["values"]), last["isLast"]] == [100, False, 20, True]
    ids = [int(one["id"]) for one in first["values"] + last["values"]]
    assert ids == sorted(ids)


def test_histories_as_hard_as_real_ones(jira: Jira, us: Caller) -> None:
    site = jira.site
    site.transition("APP-1", "In Progress", ids=False)
    before = us.get("/issue/APP-2")["fields"]["updated"]
    site.migrate_workflow(["APP-2", "APP-3"], "Done")
    (without_ids,) = us.get("/issue/APP-1/changelog")["values"][0]["items"]
    assert (without_ids["from"], without_ids["to"], without_ids["toString"]) == (None, None, "In Progress")
    status, workflow = us.get("/issue/APP-2/changelog")["values"][0]["items"]
    assert (status["fieldId"], status["toString"]) == ("status", "Done")
    assert workflow["field"] == "Workflow"
    assert "fieldId" not in workflow
    assert us.get("/issue/APP-2")["fields"]["updated"] == before
    assert us.get("/issue/APP-2")["fields"]["status"]["name"] == "Done"


def test_a_renamed_status_keeps_its_id(jira: Jira, us: Caller) -> None:
    jira.site.transition("APP-1", "In Progress")
    jira.site.rename_status("In Progress", "In Development")
    status = us.get("/issue/APP-1")["fields"]["status"]
    (item,) = us.get("/issue/APP-1/changelog")["values"][0]["items"]
    assert (status["name"], item["toString"], item["to"]) == ("In Development", "In Progress", status["id"])
    assert status["name"] in [one["name"] for one in us.get("/status")]


def test_any_history_can_be_recorded(jira: Jira, us: Caller) -> None:
    twice = [change_item("Fix Version", "fixVersions", None, version) for version in ("1", "2")]
    before = us.get("/issue/APP-1")["fields"]["updated"]
    jira.site.record("APP-1", *twice, author=None)
    (history,) = us.get("/issue/APP-1/changelog")["values"]
    assert "author" not in history
    assert [item["toString"] for item in history["items"]] == ["1", "2"]
    assert us.get("/issue/APP-1")["fields"]["updated"] == before


# What becomes of issues


def test_a_moved_issue_keeps_its_id(jira: Jira, us: Caller) -> None:
    site = jira.site
    site.new_project("OPS", "Operations")
    site.new_issue("OPS", "There before")
    moved = only(site)
    site.move_project("APP-1", "OPS")
    for name in ("APP-1", "OPS-2", moved):
        assert us.get(f"/issue/{name}")["key"] == "OPS-2"
    answer = us.post("/issue/bulkfetch", {"issueIdsOrKeys": ["APP-1", "99999"], "fields": ["project"]})
    assert [(one["id"], one["fields"]["project"]["key"]) for one in answer["issues"]] == [(moved, "OPS")]
    assert [one["id"] for one in answer["issueErrors"]] == ["99999"]
    assert moved in us.found("project = OPS")
    assert moved not in us.found("project = APP")


def test_a_deleted_issue_leaves_nothing(jira: Jira, us: Caller) -> None:
    gone = only(jira.site)
    jira.site.delete(gone)
    assert us("GET", f"/issue/{gone}").status_code == 404
    assert us.labelled(gone, add="pmo-x").status_code == 404
    assert gone not in us.found()
    assert us("POST", "/search/jql", {"jql": f"id = {gone}"}).status_code == 400
    assert us.post("/changelog/bulkfetch", {"issueIdsOrKeys": [gone]})["issueChangeLogs"] == []


def test_a_project_that_we_may_not_browse_is_as_good_as_gone(jira: Jira, us: Caller) -> None:
    jira.site.permit("APP")
    assert us.found() == []
    assert us.get("/project/search")["total"] == 0
    jira.site.permit("APP", "ADMINISTER_PROJECTS")
    assert us.get("/project/search")["total"] == us.get("/project/search", action="edit")["total"] == 1
    assert us.get("/project/search", action="browse")["total"] == 0
    assert us("GET", "/project/search", action="look").status_code == 400
    assert us("GET", "/issue/APP-1").status_code == 404
    for jql in ("project = APP", "key = APP-1"):
        assert us("POST", "/search/jql", {"jql": jql}).status_code == 400


def test_a_parent_comes_as_a_stub(jira: Jira, us: Caller) -> None:
    child = jira.site.new_issue("APP", "Child", parent={"id": only(jira.site)})
    assert us.get(f"/issue/{child.id}", fields="parent")["fields"]["parent"]["fields"]["summary"] == "Item 0"
    jira.site.retitle("APP-1", "Renamed")
    (page,) = us.pages(f"id = {child.id}", fields=["parent"])
    assert page[0]["fields"]["parent"]["fields"]["summary"] == "Renamed"


def test_rich_text_is_a_document_in_version_3_and_text_in_version_2(jira: Jira, us: Caller) -> None:
    document = us.get("/issue/APP-1")["fields"]["description"]
    texts = [[node["text"] for node in block["content"]] for block in document["content"]]
    assert texts == [["First line"], [], ["last line"]]
    for version in ("2", "latest"):
        assert Caller(jira, AS_US, version=version).get("/issue/APP-1")["fields"]["description"] == (
            "First line\n\nlast line"
        )
    jira.site.spoil("APP-1", description=document)
    assert Caller(jira, AS_US, version="2").get("/issue/APP-1")["fields"]["description"] == "First line\n\nlast line"
    jira.site.spoil("APP-1", description=...)
    assert "description" not in us.get("/issue/APP-1")["fields"]


# Writing


def test_labels_are_deltas_and_one_edit_is_one_history(jira: Jira, us: Caller) -> None:
    site, issue = jira.site, only(jira.site)
    site.label(issue, add=["theirs", "old"])
    site.label(issue, add=["after"])
    histories, before = len(site.issue(issue).histories), site.issue(issue).updated
    assert us.labelled(issue, add="pmo-x", remove="old").status_code == 204
    assert us.get(f"/issue/{issue}")["fields"]["labels"] == ["theirs", "after", "pmo-x"]
    (history,) = us.get(f"/issue/{issue}/changelog", startAt=str(histories))["values"]
    assert history["author"]["accountId"] == us.get("/myself")["accountId"], "our echo is told by its author"
    (item,) = history["items"]
    assert (item["fieldId"], item["fromString"], item["toString"]) == (
        "labels",
        "theirs old after",
        "theirs after pmo-x",
    )
    assert site.issue(issue).updated > before, "a label moves `updated`, always"
    assert site.writes() == [Entry(US, issue, "+pmo-x -old")]


@pytest.mark.parametrize("body", [{"fields": {"labels": ["b"]}}, {"update": {"labels": [{"set": ["b"]}]}}])
def test_labels_that_are_set_replace_all(jira: Jira, us: Caller, body: Any) -> None:
    """What a connector must not do, since it would take off what people put on meanwhile."""
    jira.site.label("APP-1", add=["theirs"])
    assert us("PUT", "/issue/APP-1", body).status_code == 204
    assert jira.site.issue("APP-1").labels == ["b"]


def test_what_changes_nothing_leaves_no_trace(jira: Jira, us: Caller) -> None:
    issue = only(jira.site)
    us.labelled(issue, add="pmo-x")
    before = jira.site.everything()
    assert us.labelled(issue, add="pmo-x").status_code == 204
    assert us.labelled(issue, remove="absent").status_code == 204
    assert jira.site.everything() == before


def test_an_issue_can_come_back_with_the_write(jira: Jira, us: Caller) -> None:
    body = {"update": {"labels": [{"add": "pmo-x"}]}}
    response = us("PUT", "/issue/APP-1", body, returnIssue="true")
    assert response.json()["fields"]["labels"] == ["pmo-x"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"update": {"labels": [{"add": "Test Application"}]}}, "contains spaces which is invalid"),
        ({"update": {"labels": [{"add": "fine"}, {"add": "not\tfine"}]}}, "contains spaces which is invalid"),
        ({"update": {"labels": [{"add": "x" * 256}]}}, "exceeds"),
        ({"update": {"labels": [{"add": "a"}]}, "fields": {"labels": []}}, "both"),
        ({"update": {"summary": [{"set": "Mine"}]}}, "cannot be set"),
        ({"fields": {"summary": "Mine"}}, "cannot be set"),
        ({"update": {"labels": [{"put": "a"}]}}, "Unsupported"),
        ({"update": {"labels": ["a"]}}, "Invalid request payload"),
        ({"labels": ["a"]}, "Invalid request payload"),
        ([], "Invalid request payload"),
    ],
)
def test_a_write_that_jira_refuses_writes_nothing(jira: Jira, us: Caller, body: Any, why: str) -> None:
    before = jira.site.everything()
    response = us("PUT", "/issue/APP-1", body)
    assert response.status_code == 400
    assert why in response.text
    assert jira.site.everything() == before


def test_the_longest_label_is_fine(us: Caller) -> None:
    assert us.labelled("APP-1", add="ä" * 255).status_code == 204


def may_not_edit(jira: Jira) -> None:
    jira.site.permit("APP", "BROWSE_PROJECTS", "ADMINISTER_PROJECTS")


def no_labels_on_the_screen(jira: Jira) -> None:
    jira.site.projects["APP"].labels_on_screen = False


@pytest.mark.parametrize("trouble", [may_not_edit, no_labels_on_the_screen])
def test_labels_that_cannot_be_set(jira: Jira, us: Caller, trouble: Callable[[Jira], None]) -> None:
    trouble(jira)
    before = jira.site.everything()
    response = us.labelled("APP-1", add="pmo-x")
    assert response.status_code == 400
    assert "not on the appropriate screen" in response.json()["errors"]["labels"]
    assert jira.site.everything() == before


def test_a_quiet_write_without_the_right_is_dropped_whole(jira: Jira, us: Caller) -> None:
    jira.site.permit("APP", "BROWSE_PROJECTS", "EDIT_ISSUES")
    before = jira.site.everything()
    response = us.labelled("APP-1", add="pmo-x")
    assert (response.status_code, jira.site.everything()) == (403, before)
    assert "discard the user notification" in response.text
    assert us.labelled("APP-1", add="pmo-x", quietly=False).status_code == 204
    assert jira.site.mailed == [only(jira.site)]


def test_a_quiet_write_mails_nobody(jira: Jira, us: Caller) -> None:
    us.labelled("APP-1", add="pmo-x")
    assert jira.site.mailed == []


def test_permissions_are_over_reported_without_a_project(jira: Jira, us: Caller) -> None:
    jira.site.new_project("OPS", "Operations")
    jira.site.permit("OPS", "BROWSE_PROJECTS")

    def may(**where: str) -> bool:
        answer = us.get("/mypermissions", permissions="EDIT_ISSUES,ADMINISTER_PROJECTS", **where)
        return bool(answer["permissions"]["EDIT_ISSUES"]["havePermission"])

    assert (may(), may(projectKey="APP"), may(projectKey="OPS")) == (True, True, False)
    assert us("GET", "/mypermissions").status_code == 400
    assert us("GET", "/mypermissions", permissions="FLY").status_code == 400
    assert us("GET", "/mypermissions", permissions="EDIT_ISSUES", projectKey="NONE").status_code == 404


def test_comments_are_documents_and_can_be_rewritten(jira: Jira, us: Caller) -> None:
    body = {"body": {"type": "doc", "version": 1, "content": []}}
    before = jira.site.issue("APP-1").updated
    written = us("POST", "/issue/APP-1/comment", body)
    assert written.status_code == 201
    path = f"/issue/APP-1/comment/{written.json()['id']}"
    assert us("PUT", path, body).status_code == 200
    assert [one["id"] for one in us.get("/issue/APP-1/comment")["comments"]] == [written.json()["id"]]
    assert jira.site.issue("APP-1").updated > before
    assert us("POST", "/issue/APP-1/comment", {"body": "text"}).status_code == 400
    assert Caller(jira, AS_US, version="2")("POST", "/issue/APP-1/comment", {"body": "text"}).status_code == 201
    assert us("PUT", "/issue/APP-1/comment/99", body).status_code == 404
    jira.site.permit("APP", "BROWSE_PROJECTS", "EDIT_ISSUES")
    assert us("POST", "/issue/APP-1/comment", body).status_code == 403


def test_properties_are_quiet(jira: Jira, us: Caller) -> None:
    path = "/issue/APP-1/properties/unstuck"
    before = us.get("/issue/APP-1", expand="changelog")
    assert us("GET", path).status_code == 404
    assert [us("PUT", path, {"rule": "stuck"}).status_code for _ in range(2)] == [201, 200]
    assert us.get(path)["value"] == {"rule": "stuck"}
    assert us.get("/issue/APP-1", expand="changelog") == before
    (page,) = us.pages("key = APP-1", properties=["unstuck", "other"])
    assert page[0]["properties"] == {"unstuck": {"rule": "stuck"}}
    assert us("PUT", path, "x" * 40_000).status_code == 400
    jira.site.permit("APP", "BROWSE_PROJECTS")
    assert us("DELETE", path).status_code == 403
    jira.site.permit("APP", "BROWSE_PROJECTS", "EDIT_ISSUES")
    assert us("DELETE", path).status_code == 204
    assert us("GET", path).status_code == 404


def test_properties_can_go_with_the_labels(jira: Jira, us: Caller) -> None:
    body = {"update": {"labels": [{"add": "pmo-x"}]}, "properties": [{"key": "unstuck", "value": [1]}]}
    assert us("PUT", "/issue/APP-1", body).status_code == 204
    assert jira.site.issue("APP-1").properties == {"unstuck": [1]}


# Fields and statuses


def test_names_of_fields_and_statuses_are_not_unique(jira: Jira, us: Caller) -> None:
    for _ in range(2):
        jira.site.new_field("Success metric")
    jira.site.new_status("In Progress", "indeterminate", project="APP")
    fields = [field for field in us.get("/field") if field["name"] == "Success metric"]
    assert len({field["id"] for field in fields}) == 2
    assert fields[0]["schema"]["custom"].endswith(":textarea")
    statuses = [status for status in us.get("/status") if status["name"] == "In Progress"]
    assert [status.get("scope", {}).get("type") for status in statuses] == [None, "PROJECT"]
    assert {status["statusCategory"]["key"] for status in statuses} == {"indeterminate"}


def test_a_field_that_is_empty_is_null_and_one_that_is_not_there_is_absent(jira: Jira, us: Caller) -> None:
    jira.site.new_project("TEAM", "A team's own", team_managed=True)
    everywhere, theirs = jira.site.new_field("Sponsor"), jira.site.new_field("Sponsor", project="TEAM")
    jira.site.new_issue("TEAM", "One")
    for key, fields in (("APP-1", {everywhere.id}), ("TEAM-1", {everywhere.id, theirs.id})):
        found = us.get(f"/issue/{key}", fields=f"{everywhere.id},{theirs.id}")["fields"]
        assert found == dict.fromkeys(fields)
    scopes = {field["id"]: field.get("scope") for field in us.get("/field") if field["name"] == "Sponsor"}
    project = {"id": jira.site.projects["TEAM"].id}
    assert scopes == {everywhere.id: None, theirs.id: {"type": "PROJECT", "project": project}}


def test_the_category_has_a_clock_of_its_own(jira: Jira, us: Caller) -> None:
    site = jira.site
    site.new_status("In Review", "indeterminate")

    def dates() -> tuple[str, str | None]:
        fields = us.get("/issue/APP-1")["fields"]
        return fields["statuscategorychangedate"], fields["resolutiondate"]

    assert dates() == ("2026-03-20T20:00:01.000+0800", None)
    site.transition("APP-1", "In Progress")
    began = dates()
    assert began == ("2026-03-20T20:00:04.000+0800", None)
    site.transition("APP-1", "In Review")
    assert dates() == began, "another status of the same category"
    site.transition("APP-1", "Done")
    assert dates() == ("2026-03-20T20:00:06.000+0800",) * 2
    resolved, moved = us.get("/issue/APP-1/changelog", startAt="2")["values"][0]["items"]
    assert (resolved["field"], resolved["toString"], moved["toString"]) == ("resolution", "Done", "Done")
    site.migrate_workflow(["APP-1"], "In Progress")
    assert dates() == ("2026-03-20T20:00:06.000+0800",) * 2, "a migration moves neither"
    site.transition("APP-1", "Done")
    site.transition("APP-1", "To Do")
    assert dates() == ("2026-03-20T20:00:09.000+0800", None)


def test_links_of_the_gateway_are_the_gateways_but_people_open_the_site(jira: Jira) -> None:
    jira.doors.tokens["scoped"] = frozenset({"read:jira-work"})
    gateway = Caller(jira, basic(US.email, "scoped"), GATEWAY)
    assert gateway.get("/serverInfo")["baseUrl"] == jira.url
    assert gateway.get("/issue/APP-1")["self"].startswith(jira.url + GATEWAY)


# Bad days


@pytest.mark.parametrize("limit", Limit)
def test_every_reason_for_429(jira: Jira, us: Caller, limit: Limit) -> None:
    wait = after(jira.site.now, 1_847)
    jira.script(rate_limited(limit, wait, reset=jira.site.now), times=2, method="PUT", path=only(jira.site))
    assert us("GET", f"/issue/{only(jira.site)}").ok, "only what is meant meets it"
    for _ in range(2):
        response = us.labelled(only(jira.site), add="pmo-x")
        assert response.status_code == 429
        assert response.headers["RateLimit-Reason"] == limit
        assert response.headers["Retry-After"] == "Fri, 20 Mar 2026 12:30:50 GMT"
        assert response.headers["X-RateLimit-Reset"] == "2026-03-20T12:00Z"
    assert us.labelled(only(jira.site), add="pmo-x").status_code == 204


def test_409_once(jira: Jira, us: Caller) -> None:
    jira.script(conflict(), method="PUT")
    assert [us.labelled("APP-1", add="pmo-x").status_code for _ in range(2)] == [409, 204]


def test_data_center_has_bad_days_of_its_own(server: Jira, on_server: Caller) -> None:
    server.script(rate_limited_by_data_center())
    server.script(captcha(server.url))
    limited, denied = (on_server("GET", "/myself") for _ in range(2))
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "0")
    assert denied.headers["X-Authentication-Denied-Reason"].startswith("CAPTCHA_CHALLENGE")
    assert on_server.get("/search", jql="project = APP", maxResults="1000")["maxResults"] == 1_000
    server.site.quirks.reindexing = True
    assert on_server.get("/search", jql="project = APP")["total"] == 0


def test_the_burst_limit_is_told_before_it_bites(jira: Jira, us: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jira, "clock", lambda: 7.0)
    jira.site.quirks.requests_per_second = 5
    responses = [us("GET", "/myself") for _ in range(7)]
    assert [one.status_code for one in responses] == [200] * 5 + [429] * 2
    assert responses[0].headers["X-RateLimit-Remaining"] == "4"
    assert [one.headers.get("X-RateLimit-NearLimit") for one in responses[:5]] == [None] * 4 + ["true"]
    assert us("GET", "/field").ok, "every endpoint has its own"
    monkeypatch.setattr(jira, "clock", lambda: 7.4)
    assert [us("GET", "/myself").status_code for _ in range(3)] == [200, 200, 429], "it fills as time goes by"


def test_one_issue_can_be_written_too_often(jira: Jira, us: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jira, "clock", lambda: 7.0)
    jira.site.quirks.writes_per_issue = 3
    responses = [us.labelled("APP-1", add=f"pmo-{number}") for number in range(4)]
    assert [one.status_code for one in responses] == [204, 204, 204, 429]
    assert responses[-1].headers["RateLimit-Reason"] == "jira-per-issue-on-write"
    assert us.labelled("APP-2", add="pmo-x").status_code == 204, "another issue is not meant"
    assert us("GET", "/issue/APP-1").ok, "reading is not meant"
    monkeypatch.setattr(jira, "clock", lambda: 9.0)
    assert us.labelled("APP-1", add="pmo-x").status_code == 204


def test_messages_can_come_in_any_language(jira: Jira, us: Caller) -> None:
    jira.site.quirks.translates = True
    jira.site.permit("APP", "BROWSE_PROJECTS", "EDIT_ISSUES")
    response = us.labelled("APP-1", add="pmo-x")
    assert response.status_code == 403
    assert "notification" not in response.text
    assert us.labelled("APP-1", quietly=False, add="a b").json()["errors"].keys() == {"labels"}


def test_requests_are_counted(jira: Jira, us: Caller) -> None:
    us.found()
    us.labelled("APP-1", add="pmo-x")
    us.labelled("APP-2", add="pmo-x")
    assert jira.counted == {"POST /search/jql": 1, "PUT /issue/*": 2}
    assert [one.method for one in jira.writing_requests] == ["PUT", "PUT"], "a search writes nothing"


# Data Center


def test_data_center_pages_by_offset_and_they_shift(server: Jira, on_server: Caller) -> None:
    server.site.quirks.page_cap = 1
    came = []
    for start in range(3):
        answer = on_server.get("/search", jql="project = APP ORDER BY updated", startAt=str(start))
        assert (answer["startAt"], answer["total"]) == (start, 3)
        came += [issue["key"] for issue in answer["issues"]]
        server.site.retitle("APP-1", f"Edited {start}")
    assert came == ["APP-1", "APP-3", "APP-1"], "APP-2 was lost between two pages"


def test_data_center_has_whole_histories_inline_and_no_others(server: Jira, on_server: Caller) -> None:
    wander(server.site, "APP-1", 150)
    wish = {"jql": "key = APP-1", "expand": ["changelog"], "fields": ["summary"]}
    changelog = on_server.post("/search", wish)["issues"][0]["changelog"]
    assert (changelog["total"], len(changelog["histories"])) == (150, 150)
    for method, path in (
        ("GET", "/issue/APP-1/changelog"),
        ("POST", "/changelog/bulkfetch"),
        ("POST", "/search/jql"),
        ("GET", "/project/search"),
    ):
        assert on_server(method, path, {} if method == "POST" else None).status_code == 404
    assert Caller(server, f"Bearer {TOKEN}", version="3")("GET", "/myself").status_code == 404


def test_data_center_says_what_it_is(on_server: Caller) -> None:
    assert on_server.get("/serverInfo")["deploymentType"] == "Server"
    assert [project["key"] for project in on_server.get("/project")] == ["APP"]
    author = on_server.get("/issue/APP-1")["fields"]["creator"]
    assert (author["name"], author["key"]) == (ADA.login, ADA.id)
    assert "accountId" not in author
    assert on_server.labelled("APP-1", add="pmo-x").status_code == 204


# With others


@pytest.mark.parametrize("edition", ["jira", "server"])
def test_the_jira_package_gets_along_with_it(edition: str, request: pytest.FixtureRequest) -> None:
    site: Jira = request.getfixturevalue(edition)
    who = {"basic_auth": (US.email, TOKEN)} if site.site.cloud else {"token_auth": TOKEN}
    with closing(package.JIRA(server=site.url, max_retries=0, timeout=10, **who)) as client:
        found = client.search_issues("project = APP ORDER BY key", fields=["summary"], json_result=True)
        assert isinstance(found, dict)
        assert [issue["key"] for issue in found["issues"]] == ["APP-1", "APP-2", "APP-3"]
        issue = client.issue("APP-1")
        issue.update(notify=False, update={"labels": [{"add": "pmo-x"}]})
        assert issue.fields.labels == ["pmo-x"]


@pytest.mark.parametrize("site_name", ["devlake", "jirametrics"])
def test_recorded_issues_are_served_as_they_were(samples: Path, site_name: str) -> None:
    site = Site(cloud=True, zone="Asia/Shanghai")
    file = samples / "jira" / f"{site_name}_issues_with_changelog_cloud.json"
    load_statuses(site, samples / "jira" / f"{site_name}_statuses_cloud.json")
    ids = {*load_issues(site, file)}
    recorded = {entry["id"]: entry for entry in json.loads(file.read_text("utf-8"))}
    with closing(Jira(site)) as jira:
        us = Caller(jira, AS_US)
        assert {*us.found()} == ids
        for issue in ids:
            served = us.get(f"/issue/{issue}", expand="changelog")
            told, known = served["fields"], recorded[issue]["fields"]
            assert told.keys() == known.keys()
            assert {name: told[name] for name in told if name not in REMADE} == {
                name: known[name] for name in known if name not in REMADE
            }
            assert (told.get("parent") or {}).get("id") == (known.get("parent") or {}).get("id")
            assert served["changelog"]["total"] == len(recorded[issue]["changelog"]["histories"])
            newest = {one["id"]: one["items"] for one in served["changelog"]["histories"]}
            assert newest == {one["id"]: one["items"] for one in recorded[issue]["changelog"]["histories"]}
        made = site.new_issue(next(iter(site.projects)), "New")
        assert made.id not in ids


def test_many_issues_are_the_same_for_the_same_seed() -> None:
    one, same, other = many_issues(40), many_issues(40), many_issues(40, seed=2)
    assert one.issues == same.issues
    assert one.issues != other.issues
    authors = {history.author for issue in one.issues.values() for history in issue.histories}
    assert AUTOMATION in authors
    assert all(issue.histories[-1].items[0]["toString"] == issue.status["name"] for issue in one.issues.values())
    assert all(issue.created < issue.histories[0].at <= issue.updated < one.now for issue in one.issues.values())


def test_it_can_run_in_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "connectors.fakes.jira", "--issues", "30", "--data-center", "--latency", "0.2"]
    command += ["--rate", "0.001"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url, who = (process.stdout.readline().strip() for _ in range(2))
        headers = {"Authorization": f"Bearer {who.split()[1]}"}
        response = requests.get(f"{url}/rest/api/2/search?jql=project=APP0", headers=headers, timeout=10)
        assert response.json()["total"] == 6
        assert response.elapsed.total_seconds() >= 0.2
        assert requests.get(f"{url}/rest/api/2/search", headers=headers, timeout=10).status_code == 429
        process.communicate("", timeout=10)
    assert process.returncode == 0


def test_data_center_checks_queries_unless_it_is_told_not_to(on_server: Caller) -> None:
    """A checked query that names what is not there is refused whole; another finds the rest."""
    body = {"jql": "key in (APP-2, 99999, GONE-1)", "fields": ["key"]}
    assert on_server("POST", "/search", body).status_code == 400
    assert on_server("GET", "/search", jql=str(body["jql"])).status_code == 400
    for asked in (
        on_server.post("/search", {**body, "validateQuery": False}),
        on_server.get("/search", jql=str(body["jql"]), validateQuery="false"),
    ):
        assert [issue["key"] for issue in asked["issues"]] == ["APP-2"]


def test_issues_for_benchmarks_are_as_fat_as_recorded_ones(samples: Path) -> None:
    """As those get them who name no fields. Recorded ones have lost their avatars' addresses."""
    recorded = [
        one
        for site in ("devlake", "jirametrics")
        for one in json.loads((samples / "jira" / f"{site}_issues_with_changelog_cloud.json").read_text("utf-8"))
    ]
    with closing(Jira(many_issues(30))) as jira:
        made = Caller(jira, AS_US).post(
            "/search/jql", {"jql": EVERYTHING, "fields": ["*all"], "expand": "changelog", "maxResults": 30}
        )["issues"]

    def weights(issues: Sequence[Any], part: str) -> list[int]:
        return [len(json.dumps(without(one[part], "avatarUrls"))) for one in issues]

    for part in ("fields", "changelog"):
        fat, slim = max(weights(recorded, part)), min(weights(recorded, part))
        assert slim < sum(weights(made, part)) / len(made) < fat, part
    assert (
        min(len(one["fields"]) for one in recorded)
        < len(made[0]["fields"])
        < max(len(one["fields"]) for one in recorded)
    )


def without(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: without(one, name) for key, one in value.items() if key != name}
    return [without(one, name) for one in value] if isinstance(value, list) else value
