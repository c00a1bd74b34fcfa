"""The vendors' own clients, each over our transport, as their connectors are to make them.

What these tests show is what docs/connectors/transport.md says of each: how its session is given to us, what of its own
is switched off, and that it then reads, waits, refuses and keeps secrets like everything else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import jira
import pytest
import smartsheet
import trello

from connectors.errors import AuthError, BusyError, ConnectorError, InputError, UnsafeError
from connectors.http import Credentials, Http, JiraPolicy, Limits, SmartsheetPolicy, TrelloPolicy
from tests.connectors.http.conftest import TOKEN
from tests.fakes.scripted import Clock, Reply, Scripted, hang_up

pytestmark = pytest.mark.filterwarnings("ignore:ssl.OP_NO_SSL:DeprecationWarning")  # of Smartsheet's own adapter

NOT_OURS = "unused: the transport lets us in"


def jira_over(http: Http, base_url: str) -> jira.JIRA:
    """Made without a request and without credentials; its retries are off, since 0 leaves one attempt."""
    client = jira.JIRA(server=base_url, get_server_info=False, max_retries=0)
    http.mount(client._session)
    return client


def trello_over(http: Http) -> trello.TrelloClient:
    """Without a key, py-trello's `key` and `token` parameters are None, and requests leaves such out of the address."""
    return trello.TrelloClient(api_key=None, http_service=http.session)


def smartsheet_over(http: Http, base_url: str) -> smartsheet.Smartsheet:
    """It must have some token, and puts it into a header that the transport replaces. 0 seconds leave one attempt."""
    client = smartsheet.Smartsheet(access_token=NOT_OURS, max_retry_time=0, api_base=base_url, user_agent="unstuck")
    client.errors_as_exceptions(True)
    http.mount(client._session)
    return client


@dataclass(frozen=True)
class Client:
    """What the tests need of one."""

    name: str
    read: Callable[[], Any]
    write: Callable[[], Any]
    answer: Reply
    holds: object


def made(name: str, http: Http, url: str) -> Client:
    if name == "jira":
        one = jira_over(http, url)
        answer = Reply.json({"accountId": "5b10", "displayName": "Bot"})
        return Client(name, one.myself, lambda: one.add_comment("A-1", "x"), answer, one)
    if name == "trello":
        two = trello_over(http)
        answer = Reply.json([{"id": "b1", "name": "Board", "closed": False, "url": "u", "desc": ""}])
        return Client(name, two.list_boards, lambda: two.add_board("x"), answer, two)
    three = smartsheet_over(http, url)
    answer = Reply.json({"id": 7, "name": "Sheet", "rows": [], "columns": []})
    column = smartsheet.models.Column({"title": "x", "type": "TEXT_NUMBER", "index": 0})
    return Client(name, lambda: three.Sheets.get_sheet(7), lambda: three.Sheets.add_columns(7, [column]), answer, three)


POLICIES = {"jira": JiraPolicy(), "trello": TrelloPolicy(), "smartsheet": SmartsheetPolicy()}

Maker = Callable[..., Client]


@pytest.fixture(params=sorted(POLICIES))
def client(request: pytest.FixtureRequest, server: Scripted) -> Iterator[Maker]:
    """Makes the client, over a transport with these options."""
    opened: list[Http] = []

    def make(**options: Any) -> Client:
        known_as = "https://api.trello.com/1" if request.param == "trello" else None
        policy = POLICIES[request.param]
        http = Http(server.url, Credentials.bearer(TOKEN), policy=policy, known_as=known_as, **options)
        opened.append(http)
        return made(request.param, http, server.url)

    yield make
    for http in opened:
        with closing(http):
            pass


def test_it_reads_and_only_the_transport_knows_the_secret(
    client: Maker, server: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    one = client()
    server.play(one.answer)
    assert one.read()
    assert server.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert "token=" not in server.requests[0].target
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(vars(one.holds))


def test_what_it_logs_of_an_echo_is_redacted(client: Maker, server: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level("DEBUG", name)
    one = client()
    server.play(Reply(one.answer.status, one.answer.body.replace(b"B", TOKEN.encode()).replace(b"S", TOKEN.encode())))
    one.read()
    assert caplog.text
    assert TOKEN not in caplog.text


def test_a_bad_token_is_said_once(client: Maker, server: Scripted, clock: Clock) -> None:
    one = client()
    server.play(Reply(401, f"invalid token {TOKEN}".encode(), media="text/plain"))
    with pytest.raises(AuthError, match="invalid token") as caught:
        one.read()
    assert TOKEN not in str(caught.value)
    assert (clock.waits, len(server.seen)) == ([], 1)


@pytest.mark.parametrize(
    "fault", [Reply(429, headers={"Retry-After": "7.5"}), Reply(503, headers={"Retry-After": "8"}), Reply(500), hang_up]
)
def test_a_fault_is_waited_out_by_us_alone(client: Maker, server: Scripted, clock: Clock, fault: Reply) -> None:
    one = client()
    server.play(fault, one.answer)
    assert one.read()
    assert len(server.seen) == 2
    assert 2 <= clock.waited <= 61


def test_faults_without_end_are_ended_by_us_alone(client: Maker, server: Scripted, clock: Clock) -> None:
    server.play(Reply.json({"errorCode": 4001, "message": "Maintenance"}, 503))
    with pytest.raises(BusyError):
        client().read()
    assert len(server.seen) == Limits().attempts, "the client's own attempts multiply ours"


def test_an_hour_is_not_slept_through(client: Maker, server: Scripted, clock: Clock) -> None:
    server.play(Reply(429, headers={"Retry-After": "Sat, 21 Nov 2099 10:00:00 GMT"}))
    with pytest.raises(BusyError, match="minutes"):
        client().read()
    assert (clock.waits, len(server.seen)) == ([], 1)


def test_without_leave_it_cannot_write(client: Maker, server: Scripted) -> None:
    with pytest.raises(UnsafeError, match="may not write"):
        client().write()
    assert server.connections == 0


def test_with_leave_it_writes_once(client: Maker, server: Scripted, clock: Clock) -> None:
    one = client(writable=True)
    server.play(hang_up, one.answer)
    with pytest.raises(BusyError):
        one.write()
    assert len(server.seen) == 1


def test_a_redirect_elsewhere_is_refused(client: Maker, server: Scripted, stranger: Scripted) -> None:
    server.play(Reply(302, headers={"Location": f"{stranger.url}/login"}))
    with pytest.raises(UnsafeError):
        client().read()
    assert stranger.seen == []


@pytest.mark.parametrize(
    "reply",
    [Reply.page("<html>Log in <form><input type=password></form></html>"), Reply(body=b"hello", media="text/plain")],
)
def test_a_page_is_not_an_answer(client: Maker, server: Scripted, reply: Reply) -> None:
    server.play(reply)
    with pytest.raises((AuthError, InputError)):
        client().read()


def test_a_silent_host_is_given_up(client: Maker, server: Scripted) -> None:
    server.play(Reply(pause=1.5, body=b"{}" * 2, piece=1))
    with pytest.raises(BusyError, match="in time"):
        client(limits=Limits(read=0.3, attempts=1)).read()


def test_every_error_of_theirs_is_one_of_ours(client: Maker, server: Scripted, clock: Clock) -> None:
    one = client()
    for status in (400, 403, 404, 409, 410, 418, 500, 504):
        server.play(Reply.json({"message": "No", "errorCode": 1}, status))
        with pytest.raises(ConnectorError, match="No"):
            one.read()


def test_jira_s_own_posts_of_searches_are_known_to_read(server: Scripted) -> None:
    with closing(Http(server.url, Credentials.bearer(TOKEN), policy=JiraPolicy())) as http:
        client = jira_over(http, server.url)
        client.deploymentType = "Cloud"
        server.play(Reply.json({"issues": [], "isLast": True}))
        found = client.enhanced_search_issues("project = A", json_result=True, use_post=True, maxResults=50)
        assert found == {"issues": [], "isLast": True}
        assert server.seen[-1] == "POST /rest/api/2/search/jql"


def test_trello_s_wrong_ways_to_log_in_are_refused(server: Scripted) -> None:
    """As its README makes a client: the token is in every address."""
    with closing(Http(server.url, Credentials.bearer(TOKEN), known_as="https://api.trello.com/1")) as http:
        client = trello.TrelloClient(api_key="key", api_secret=TOKEN, http_service=http.session)
        with pytest.raises(UnsafeError, match="address"):
            client.list_boards()
        with pytest.raises(UnsafeError, match="address"):
            trello_over(http).list_hooks(TOKEN)
    assert server.connections == 0
