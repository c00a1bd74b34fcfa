"""A run that may not write cannot, and what is sent twice is safe to be."""

from __future__ import annotations

import json

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BusyError, ConnectorError, UnsafeError
from connectors.http import Http, JiraPolicy, MondayPolicy, Policy, Promise, SmartsheetPolicy, TrelloPolicy
from connectors.http.policy import only_queries
from tests.connectors.http.conftest import Opener
from tests.fakes.scripted import Clock, Reply, Scripted, hang_up

WRITES = ["POST", "PUT", "PATCH", "DELETE"]


@pytest.mark.parametrize("method", WRITES)
def test_without_leave_nothing_is_sent(http: Http, server: Scripted, method: str) -> None:
    with pytest.raises(UnsafeError, match=f"may not write, and {method} /x would; start it with --apply"):
        http.send(method, "/x", body={})
    with pytest.raises(UnsafeError):
        http.session.request(method, f"{server.url}/x", json={})
    assert server.connections == 0


@pytest.mark.parametrize("method", [*WRITES, "GET"])
def test_with_leave_everything_is_sent(writing: Http, server: Scripted, method: str) -> None:
    writing.send(method, "/x", body={"a": 1})
    assert server.seen == [f"{method} /x"]


def test_a_post_that_is_promised_to_read_is_sent(http: Http, server: Scripted) -> None:
    assert http.post_json("/search", {"jql": "a"}, promise=Promise.READS) == {}
    assert server.requests[0].json == {"jql": "a"}


@pytest.mark.parametrize("promise", [None, Promise.REPEATABLE])
def test_no_other_promise_lets_a_post_through(http: Http, server: Scripted, promise: Promise | None) -> None:
    with pytest.raises(UnsafeError):
        http.post_json("/search", {}, promise=promise)
    assert server.seen == []


GRAPHQL = b'{"query": "query { me { id } }"}'
MUTATION = b'{"query": "mutation { create_item }"}'


@pytest.mark.parametrize(
    ("policy", "method", "path", "body", "reads"),
    [
        (Policy(), "GET", "/x", b"", True),
        (Policy(), "POST", "/search", b"{}", False),
        (JiraPolicy(), "POST", "/rest/api/3/search/jql", b"{}", True),
        (JiraPolicy(), "POST", "/rest/api/2/search", b"{}", True),
        (JiraPolicy(), "POST", "/rest/api/3/search/approximate-count", b"{}", True),
        (JiraPolicy(), "POST", "/rest/api/3/issue/bulkfetch", b"{}", True),
        (JiraPolicy(), "POST", "/rest/api/3/changelog/bulkfetch", b"{}", True),
        (JiraPolicy(), "PUT", "/rest/api/3/search/jql", b"{}", False),
        (JiraPolicy(), "POST", "/rest/api/3/issue", b"{}", False),
        (JiraPolicy(), "POST", "/rest/api/3/issue/bulk", b"{}", False),
        (JiraPolicy(), "POST", "/rest/api/3/bulk/issues/fields", b"{}", False),
        (JiraPolicy(), "POST", "/rest/api/3/search/jql/more", b"{}", False),
        (JiraPolicy(), "POST", "/elsewhere/rest/api/3/search/jql", b"{}", False),
        (TrelloPolicy(), "POST", "/cards/1/idLabels", b"{}", False),
        (SmartsheetPolicy(), "POST", "/sheets", b"{}", False),
        (MondayPolicy(), "POST", "/v2", GRAPHQL, True),
        (MondayPolicy(), "POST", "/v2", MUTATION, False),
        (MondayPolicy(), "PUT", "/v2", GRAPHQL, False),
    ],
)
def test_what_each_vendor_s_posts_do(policy: Policy, method: str, path: str, body: bytes, reads: bool) -> None:
    assert policy.reads(method, path, body) is reads


def test_what_a_policy_says_is_what_is_sent(opened: Opener, server: Scripted) -> None:
    http = opened(f"{server.url}/jira", policy=JiraPolicy())
    assert http.post_json("/rest/api/3/search/jql", {"jql": "x"}) == {}
    with pytest.raises(UnsafeError):
        http.post_json("/rest/api/3/search/../issue", {})
    with pytest.raises(UnsafeError):
        http.post_json(f"{server.url}/other/rest/api/3/search/jql", {})
    assert server.seen == ["POST /jira/rest/api/3/search/jql"]


@pytest.mark.parametrize(
    "text",
    [
        "query { me { id } }",
        "{ me { id } }",
        "  query Boards($ids: [ID!]) { boards(ids: $ids) { name } }",
        'query { items(name: "mutation { x }") { id } } # mutation',
        'query { items(name: """a mutation\n here""") { id } }',
    ],
)
def test_queries_read(text: str) -> None:
    assert only_queries(json.dumps({"query": text}).encode())


@pytest.mark.parametrize(
    "text",
    [
        "mutation { x }",
        "query A { a } mutation B { b }",
        "query A { a }\nmutation B { b }",
        "subscription { x }",
        "fragment F on T { a } query { ...F }",
        'query { a(b: "\\") { c } } mutation { d }',
        '# query\nmutation { d } # "',
        'query { a(b: "x\rmutation { d } ") }',
        "",
        "me { id }",
    ],
)
def test_what_is_not_plainly_a_query_writes(text: str) -> None:
    assert not only_queries(json.dumps({"query": text}).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b"not json", b'{"query": 7}', b'[{"query": "{ me }"}]'])
def test_what_is_no_graphql_writes(body: bytes) -> None:
    assert not only_queries(body)


harmless = st.text(st.characters(exclude_characters='"\\#\n\r', exclude_categories=["Cs"]), max_size=20)


@given(inside=harmless, after=harmless)
def test_no_text_or_comment_hides_a_mutation(inside: str, after: str) -> None:
    text = f'query {{ a(b: "{inside}") }} # {after}\n mutation {{ c }} # "'
    assert not only_queries(json.dumps({"query": text}).encode())


# Repeats.

FAULTS = [Reply(500), Reply(502), Reply(503), Reply(504), Reply(408), Reply(409), Reply(521), hang_up]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.usefixtures("clock")
def test_what_is_safe_to_repeat_is_repeated(writing: Http, server: Scripted, method: str, fault: Reply) -> None:
    server.play(fault, Reply.json({"fine": 1}))
    assert writing.send(method, "/x").json() == {"fine": 1}
    assert server.seen == [f"{method} /x"] * 2
    assert writing.traffic.repeats == 1


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_may_have_been_done_is_not_repeated(
    writing: Http, server: Scripted, clock: Clock, method: str, fault: Reply
) -> None:
    server.play(fault, Reply())
    with pytest.raises(BusyError):
        writing.send(method, "/x", body={})
    assert server.seen == [f"{method} /x"]
    assert clock.waits == []


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("promise", list(Promise))
@pytest.mark.usefixtures("clock")
def test_what_is_promised_to_be_safe_is_repeated(
    writing: Http, server: Scripted, promise: Promise, fault: Reply
) -> None:
    server.play(fault, Reply.json(1))
    assert writing.post_json("/x", {}, promise=promise) == 1


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.usefixtures("clock")
def test_what_was_turned_away_is_repeated(writing: Http, server: Scripted, method: str) -> None:
    server.play(Reply(429), Reply.json(1))
    assert writing.send(method, "/x", body={}).json() == 1


@pytest.mark.usefixtures("clock")
def test_what_was_never_sent_is_repeated(opened: Opener, server: Scripted) -> None:
    server.close()
    http = opened(writable=True)
    with pytest.raises(BusyError, match="cannot be reached"):
        http.post_json("/x", {})
    assert http.traffic.requests == 5


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 412, 418, 422, 451, 501, 505])
def test_what_a_repeat_cannot_mend_is_asked_once(http: Http, server: Scripted, clock: Clock, status: int) -> None:
    server.play(Reply(status, headers={"Retry-After": "3600"}))
    with pytest.raises(ConnectorError) as caught:
        http.get_json("/x")
    assert len(server.seen) == 1
    assert clock.waits == []
    assert "wait" not in str(caught.value)


@pytest.mark.usefixtures("clock")
def test_it_ends(http: Http, server: Scripted) -> None:
    server.play(Reply(500))
    with pytest.raises(BusyError, match="fault of its own"):
        http.get_json("/x")
    assert len(server.seen) == 5


def test_a_session_s_own_request_is_promised_nothing(http: Http, server: Scripted) -> None:
    request = requests.Request("POST", f"{server.url}/x", json={}).prepare()
    with pytest.raises(UnsafeError):
        http.session.send(request)
