"""The stand-in for Jira Cloud, and what is asked of it, are held to the vendor's own OpenAPI description."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.fakes.jira.api import Jira
from connectors.fakes.jira.doors import TOKEN
from connectors.fakes.jira.many import many_issues
from connectors.fakes.jira.refusals import Limit, rate_limited
from connectors.fakes.jira.state import US
from connectors.fakes.server import RETRY_AFTER, Answer, Request
from tests.fakes.jira_openapi import Judge

BY_ID = "id is not EMPTY ORDER BY id"
QUERY = {"jql": BY_ID, "fields": ["summary", "parent"], "expand": "changelog", "maxResults": 10}

TOUR: list[tuple[str, str, Any]] = [
    ("GET", "serverInfo", None),
    ("GET", "myself", None),
    ("GET", "field", None),
    ("GET", "status", None),
    ("GET", "label", None),
    ("GET", "project/search?maxResults=2&startAt=2", None),
    ("GET", "mypermissions?permissions=EDIT_ISSUES,ADMINISTER_PROJECTS&projectKey=APP0", None),
    ("GET", f"search/jql?jql={BY_ID}&fields=*all&maxResults=5&reconcileIssues=1", None),
    ("POST", "search/jql", QUERY),
    ("POST", "search/jql", {**QUERY, "fields": ["id"], "reconcileIssues": [1], "properties": ["unstuck"]}),
    ("POST", "search/approximate-count", {"jql": "project = APP0"}),
    ("POST", "changelog/bulkfetch", {"issueIdsOrKeys": ["APP0-1", "APP1-1"], "fieldIds": ["status"], "maxResults": 1}),
    ("POST", "issue/bulkfetch", {"issueIdsOrKeys": ["APP0-1", "NONE-1"], "fields": ["summary"]}),
    ("PUT", "issue/APP0-1?notifyUsers=false", {"update": {"labels": [{"add": "pmo-x"}, {"remove": "debt"}]}}),
    ("PUT", "issue/APP0-1?returnIssue=true", {"update": {"labels": [{"add": "pmo-y"}]}}),
    ("PUT", "issue/APP0-1/properties/unstuck", {"rule": "stuck"}),
    ("PUT", "issue/APP0-1/properties/unstuck", {"rule": "none"}),
    ("GET", "issue/APP0-1/properties/unstuck", None),
    ("DELETE", "issue/APP0-1/properties/unstuck", None),
    ("GET", "issue/APP0-1?fields=summary,labels&expand=changelog&properties=unstuck", None),
    ("GET", "issue/APP0-1/changelog?startAt=0&maxResults=5", None),
]


@pytest.fixture
def judge(specs: Path) -> Judge:
    return Judge(specs / "jira" / "jira-v3-subset.json")


@pytest.fixture
def jira(judge: Judge) -> Iterator[Jira]:
    with closing(Jira(many_issues(25), judge=judge)) as jira:
        yield jira


def ask(jira: Jira, method: str, path: str, body: Any = None, *, version: str = "3") -> requests.Response:
    url = f"{jira.url}/rest/api/{version}/{path}"
    return requests.request(method, url, json=body, auth=(US.email, TOKEN), timeout=10)


def test_everything_that_can_be_asked_is_answered_as_described(jira: Jira, judge: Judge) -> None:
    for method, path, body in TOUR:
        assert ask(jira, method, path, body).ok, f"{method} {path}"
    assert judge.complaints == []
    described = {path.partition("?")[0].replace("APP0-1", "{issueIdOrKey}") for _, path, _ in TOUR}
    assert {name.partition("/rest/api/3/")[2] for name in judge.judged} == {
        path.replace("properties/unstuck", "properties/{propertyKey}") for path in described
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "complaint"),
    [
        ("GET", "mypermissions?permissions=EDIT_ISSUES&project=APP0", None, "there is no parameter project"),
        ("GET", f"search/jql?jql={BY_ID}&maxResults=5&startAt=0", None, "there is no parameter startAt"),
        ("GET", "project/search?maxResults=5&maxResults=6", None, "more than once"),
        ("PUT", "issue/APP0-1?notifyUsers=0", {"update": {}}, "notifyUsers"),
        ("PUT", "issue/APP0-1?quiet=true", {"update": {}}, "there is no parameter quiet"),
        ("POST", "search/approximate-count?jql=x", {"jql": "project = APP0"}, "there is no parameter jql"),
        ("GET", f"search/jql?jql={BY_ID}&reconcileIssues=APP0-1", None, "reconcileIssues"),
    ],
)
def test_a_request_that_is_not_described_is_noticed(
    jira: Jira, judge: Judge, method: str, path: str, body: Any, complaint: str
) -> None:
    ask(jira, method, path, body)
    assert [one for one in judge.complaints if complaint in one]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (Answer(json={"issues": [{"id": 1}]}), "$.issues[0].id"),
        (Answer(json={"issues": "none"}), "issues"),
        (Answer(json={"isLast": "yes"}), "isLast"),
        (Answer(json=[]), "answer"),
        (Answer(201, {}), "does not answer with this status"),
    ],
)
def test_an_answer_that_is_not_described_is_noticed(jira: Jira, judge: Judge, answer: Answer, complaint: str) -> None:
    jira.script(answer)
    ask(jira, "POST", "search/jql", QUERY)
    assert [one for one in judge.complaints if complaint.replace("$", "answer") in one]


def test_a_body_of_another_kind_is_noticed(judge: Judge) -> None:
    target = "/rest/api/3/issue/APP0-1"
    judge(Request("PUT", target, {"Content-Type": "text/plain"}, b"{}"), Answer(204))
    assert judge.complaints == ["PUT /rest/api/3/issue/{issueIdOrKey}, request: a body of the type text/plain"]


def test_an_operation_that_does_not_exist_is_noticed(jira: Jira, judge: Judge) -> None:
    ask(jira, "DELETE", "search/jql")
    assert judge.complaints == ["DELETE /rest/api/3/search/jql is no operation"]


def test_what_real_answers_break_is_forgiven(jira: Jira, judge: Judge) -> None:
    log = {"issueId": "1", "changeHistories": [{"created": 1774008004000, "author": None, "items": [{"from": None}]}]}
    jira.script(Answer(json={"issueChangeLogs": [log], "nextPageToken": None, "more": 1}))
    jira.script(rate_limited(Limit.BURST, str(RETRY_AFTER)))
    for _ in range(2):
        ask(jira, "POST", "changelog/bulkfetch", {"issueIdsOrKeys": ["APP0-1"]})
    ask(jira, "POST", "issue/APP0-1/comment", {"body": "no document"})
    ask(jira, "GET", "myself", version="2")
    assert judge.complaints == []
    assert len(judge.judged) == 1, "what is not described, and other versions, cannot be judged"
