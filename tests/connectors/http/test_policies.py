"""Each vendor's limits are read before they bite, and its refusals for what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from connectors.errors import AccessError, AuthError, BusyError, ConnectorError, SetupError
from connectors.http import Answer, Http, JiraPolicy, MondayPolicy, Policy, Promise, SmartsheetPolicy, TrelloPolicy
from tests.connectors.http.conftest import Opener
from tests.fakes.scripted import Clock, Reply, Scripted

DATE = "Fri, 20 Mar 2026 09:30:00 GMT"


def answer(headers: Mapping[str, str], status: int = 200, body: Any = None) -> Answer:
    named = CaseInsensitiveDict({"Date": DATE, **headers})
    return Answer(status, named, b"" if body is None else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({}, 0),
        ({"RateLimit": '"default";r=50;t=30'}, 0),
        ({"RateLimit": '"default";r=0;t=30'}, 30),
        ({"RateLimit": '"a";r=0;t=3, "b";r=0;t=40, "c";r=9;t=99'}, 40),
        ({"RateLimit": "limit=10, remaining=0, reset=7"}, 7),
        ({"RateLimit": "limit=10, remaining=5, reset=7"}, 0),
        ({"Beta-RateLimit": '"burst";r=0;t=2'}, 2),
        ({"RateLimit": "nonsense"}, 0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-03-20T09:30:25Z"}, 25),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-03-20T10:30+01:00"}, 0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-03-20T09:31"}, 60),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1773999025"}, 25),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "2026-03-20T09:30:25Z"}, 0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "tomorrow"}, 0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "999999999999"}, 0),
        ({"X-RateLimit-Remaining": "0"}, 0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-03-20T09:30:25Z", "Date": "?"}, 0),
    ],
)
def test_standard_headers(headers: dict[str, str], pause: float) -> None:
    assert Policy().pause(answer(headers)) == pause


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"X-RateLimit-NearLimit": "true", "X-RateLimit-Remaining": "9"}, 1),
        ({"X-RateLimit-NearLimit": "false"}, 0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-03-20T09:30:25Z"}, 25),
        ({"X-RateLimit-Interval-Seconds": "10", "X-RateLimit-FillRate": "5", "X-RateLimit-Remaining": "0"}, 10),
        ({"X-RateLimit-Interval-Seconds": "10", "X-RateLimit-FillRate": "5", "X-RateLimit-Remaining": "3"}, 0),
        ({"X-RateLimit-Interval-Seconds": "10"}, 0),
    ],
)
def test_jira_s_headers(headers: dict[str, str], pause: float) -> None:
    assert JiraPolicy().pause(answer(headers)) == pause


@pytest.mark.parametrize("reason", ["AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED", "OUT, AUTHENTICATED_FAILED"])
@pytest.mark.parametrize("status", [200, 302, 403, 404])
def test_jira_s_answers_to_nobody_are_no_answers(
    opened: Opener, server: Scripted, status: int, reason: str, clock: Clock
) -> None:
    """A rejected token is served as anonymous: 200 and no issues. Taken at its word, all labels would go."""
    server.play(Reply(status, b'{"issues": []}', {"X-Seraph-LoginReason": reason, "Location": "/login.jsp"}))
    with pytest.raises(AuthError, match="does not accept the credentials"):
        opened(policy=JiraPolicy()).get_json("/rest/api/3/search/jql")
    assert clock.waits == []


@pytest.mark.parametrize("reason", ["OK", ""])
def test_jira_s_answers_to_us_are(opened: Opener, server: Scripted, reason: str) -> None:
    server.play(Reply(headers={"X-Seraph-LoginReason": reason}))
    assert opened(policy=JiraPolicy()).get_json("/x") == {}


def test_a_wrong_bearer_token_of_jira(opened: Opener, server: Scripted) -> None:
    server.play(Reply(403, b'{"error": "Failed to parse Connect Session Auth Token"}'))
    with pytest.raises(AuthError):
        opened(policy=JiraPolicy()).get_json("/x")


def test_trello_s_countdown(opened: Opener, server: Scripted, clock: Clock) -> None:
    names = ("X-Rate-Limit-Api-Token-Remaining", "X-Rate-Limit-Api-Token-Interval-Ms")
    server.play(
        Reply(headers=dict(zip(names, ("6", "10000"), strict=True))),
        Reply(headers=dict(zip(names, ("5", "10000"), strict=True))),
        Reply(),
    )
    http = opened(policy=TrelloPolicy())
    for waited in (0, 0, 10):
        http.get_json("/x")
        assert clock.waited == pytest.approx(waited, abs=0.1)


@pytest.mark.parametrize("limit", TrelloPolicy.LIMITS)
def test_trello_counts_in_several_ways(limit: str) -> None:
    headers = {f"X-Rate-Limit-{limit}-Remaining": "0", f"X-Rate-Limit-{limit}-Interval-Ms": "900000"}
    assert TrelloPolicy().pause(answer(headers)) == 900
    assert TrelloPolicy().wait(answer(headers, 429)) == 900


def test_trello_s_429_waits_for_its_interval(opened: Opener, server: Scripted, clock: Clock) -> None:
    server.play(Reply.json({"error": "API_TOKEN_LIMIT_EXCEEDED", "message": "Rate limit exceeded"}, 429), Reply())
    opened(policy=TrelloPolicy()).get_json("/x")
    assert clock.waited == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize(
    ("status", "code", "requests", "least"),
    [(429, 4003, 2, 60), (500, 4002, 2, 2), (500, 4004, 2, 2), (503, 4001, 2, 2), (500, 4000, 1, 0)],
)
def test_smartsheet_s_codes(
    opened: Opener, server: Scripted, clock: Clock, status: int, code: int, requests: int, least: float
) -> None:
    server.play(Reply.json({"errorCode": code, "message": "Sorry"}, status), Reply())
    http = opened(policy=SmartsheetPolicy())
    if requests == 1:
        with pytest.raises(BusyError):
            http.get_json("/x")
    else:
        http.get_json("/x")
    assert len(server.seen) == requests
    assert least <= clock.waited <= least + 1


def test_smartsheet_s_other_codes_mean_their_status(opened: Opener, server: Scripted) -> None:
    server.play(Reply.json({"errorCode": 1002, "message": "Your access token is invalid."}, 401))
    with pytest.raises(AuthError, match=r"Your access token is invalid\., 1002"):
        opened(policy=SmartsheetPolicy()).get_json("/x")


def test_a_cell_s_history_counts_as_ten(opened: Opener, clock: Clock) -> None:
    http = opened(policy=SmartsheetPolicy())
    for _ in range(6):
        http.get_json("/sheets/1/rows/2/columns/3/history")
    assert clock.waited == pytest.approx((60 - 30) / 4.5, abs=0.1)


def test_no_minute_sees_more_than_a_vendor_allows() -> None:
    for policy, allowed, seconds in [(SmartsheetPolicy, 300, 60), (TrelloPolicy, 100, 10), (MondayPolicy, 1000, 60)]:
        assert policy.burst + policy.rate * seconds <= allowed


def test_our_own_requests_never_reach_what_is_left_to_others() -> None:
    """Trello would be left alone for the rest of its ten seconds, each time."""
    assert 100 - (TrelloPolicy.burst + TrelloPolicy.rate * 10) > TrelloPolicy.RESERVE


QUERY = {"query": "{ boards { id } }"}


def error(code: str, **extensions: object) -> dict[str, object]:
    return {"data": {}, "errors": [{"message": "No.", "extensions": {"code": code, **extensions}}]}


@pytest.mark.parametrize(
    "reply",
    [
        Reply.json(error("COMPLEXITY_BUDGET_EXHAUSTED", retry_in_seconds=21), 429),
        Reply.json(error("COMPLEXITY_BUDGET_EXHAUSTED", retry_in_seconds=21)),
        Reply.json(error("maxConcurrencyExceeded", retry_in_seconds=21)),
        Reply.json({"error_code": "ComplexityException", "error_message": "budget, reset in 21 seconds"}),
        Reply.json({"errors": [{"message": "Complexity budget exhausted, reset in 21 seconds"}]}, 429),
        Reply.json(error("IP_RATE_LIMIT_EXCEEDED"), 429, Retry_After="21"),
    ],
)
def test_monday_s_ways_to_be_busy(opened: Opener, server: Scripted, clock: Clock, reply: Reply) -> None:
    server.play(reply, Reply.json({"data": 1}))
    assert opened(policy=MondayPolicy()).post_json("/v2", QUERY) == {"data": 1}
    assert clock.waited == pytest.approx(21, abs=0.1)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("NOT_AUTHENTICATED", AuthError), ("UserUnauthorizedException", AccessError), ("DAILY_LIMIT_EXCEEDED", BusyError)],
)
def test_monday_s_refusals_with_a_good_status(
    opened: Opener, server: Scripted, clock: Clock, code: str, kind: type[ConnectorError]
) -> None:
    server.play(Reply.json(error(code)))
    with pytest.raises(kind, match=r"status 200: No"):
        opened(policy=MondayPolicy()).post_json("/v2", QUERY)
    assert (clock.waits, len(server.seen)) == ([], 1)


def test_monday_s_errors_of_a_query_are_the_connector_s(opened: Opener, server: Scripted) -> None:
    body = error("ColumnValueException")
    server.play(Reply.json(body))
    assert opened(policy=MondayPolicy()).post_json("/v2", QUERY) == body


def test_monday_s_mutations_are_repeated_only_when_turned_away(opened: Opener, server: Scripted, clock: Clock) -> None:
    http = opened(policy=MondayPolicy(), writable=True)
    server.play(Reply.json(error("INTERNAL_SERVER_ERROR")), Reply.json(error("RATE_LIMIT_EXCEEDED")), Reply.json(1))
    mutation = {"query": "mutation { a }"}
    with pytest.raises(BusyError):
        http.post_json("/v2", mutation)
    assert clock.waits == []
    assert http.post_json("/v2", mutation) == 1
    assert len(server.seen) == 3


def test_monday_s_answers_in_part_are_not_taken_for_refusals_of_all(opened: Opener, server: Scripted) -> None:
    of_one = {**error("UserUnauthorizedException"), "data": {"m0": {"id": "1"}, "m1": None}}
    server.play(Reply.json(of_one))
    http = opened(policy=MondayPolicy(), writable=True)
    assert http.post_json("/v2", {"query": "mutation { a }"}) == of_one


def test_monday_s_mutations_that_were_carried_out_in_part_are_not_sent_again(opened: Opener, server: Scripted) -> None:
    in_part = {**error("COMPLEXITY_BUDGET_EXHAUSTED", retry_in_seconds=1), "data": {"m0": {"id": "1"}, "m1": None}}
    http = opened(policy=MondayPolicy(), writable=True)
    server.play(Reply.json(in_part))
    with pytest.raises(BusyError):
        http.post_json("/v2", {"query": "mutation { a }"})
    assert len(server.seen) == 1
    server.play(Reply.json(in_part), Reply.json({"data": {"a": 1}}))
    assert http.post_json("/v2", QUERY) == {"data": {"a": 1}}, "a query is asked again"


def test_monday_s_complexity_is_read_before_it_bites(opened: Opener, server: Scripted, clock: Clock) -> None:
    fits = {"data": {"complexity": {"query": 10, "after": 10, "reset_in_x_seconds": 30}}}
    fits_no_more = {"data": {"complexity": {"query": 10, "after": 9, "reset_in_x_seconds": 30}}}
    server.play(Reply.json(fits), Reply.json(fits_no_more), Reply.json({}))
    http = opened(policy=MondayPolicy())
    for waited in (0, 0, 30):
        http.post_json("/v2", QUERY)
        assert clock.waited == pytest.approx(waited, abs=0.1)


@pytest.mark.parametrize("body", [{"complexity": {}}, {"complexity": {"query": "a", "after": None}}, {"complexity": 1}])
def test_a_complexity_that_says_nothing(body: object) -> None:
    assert MondayPolicy().pause(answer({}, body=body)) == 0


def test_a_plain_host_s_400_stays_one(http: Http, server: Scripted) -> None:
    server.play(Reply.json(error("RATE_LIMIT_EXCEEDED"), 400))
    with pytest.raises(SetupError):
        http.post_json("/x", {}, promise=Promise.READS)
