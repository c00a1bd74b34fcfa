"""An answer is JSON, whole, of a bearable size and with a good status, or an error that says what to do."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import (
    AccessError,
    AuthError,
    BusyError,
    ConnectorError,
    GoneError,
    InputError,
    Refusal,
    SetupError,
)
from connectors.http import Http, JiraPolicy, Limits, Promise
from connectors.http.answers import REPEATABLE, is_whole, meaning_of, parsed, quoted
from tests.connectors.http.conftest import Opener
from tests.fakes.scripted import Clock, Reply, Scripted


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (400, SetupError, "does not accept the request"),
        (401, AuthError, "does not accept the credentials"),
        (402, AccessError, "another plan"),
        (403, AccessError, "does not let these credentials do this"),
        (404, GoneError, "has no such thing, or hides it"),
        (405, SetupError, "not for this use"),
        (407, AuthError, "behind a proxy"),
        (408, BusyError, "took too long"),
        (409, BusyError, "another change"),
        (410, GoneError, "does not offer this any more"),
        (412, BusyError, "newer state"),
        (413, InputError, "too large"),
        (414, InputError, "too long"),
        (418, InputError, "none of ours"),
        (422, SetupError, "does not accept the request"),
        (423, BusyError, "locked"),
        (429, BusyError, "too many requests"),
        (451, AccessError, "legal reasons"),
        (500, BusyError, "fault of its own"),
        (501, BusyError, "fault of its own"),
        (503, BusyError, "down for a while"),
        (504, BusyError, "took too long"),
        (530, BusyError, "fault of its own"),
        (300, InputError, "none of ours"),
        (304, InputError, "none of ours"),
    ],
)
@pytest.mark.usefixtures("clock")
def test_what_a_status_means(http: Http, server: Scripted, status: int, error: type[Exception], says: str) -> None:
    server.play(Reply(status, b""))
    with pytest.raises(ConnectorError, match=says) as caught:
        http.get_json("/x")
    assert type(caught.value) is error
    assert str(caught.value).startswith("127.0.0.1:"), "which host?"
    assert f"status {status}" in str(caught.value)
    assert caught.value.next_step
    assert caught.value.refusal == Refusal(status)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply.json({"errorMessages": ["No project.", "No field."], "errors": {}}, 400), "No project., No field"),
        (Reply.json({"errorMessages": [], "errors": {"labels": "It has spaces."}}, 400), "It has spaces"),
        (Reply.json({"errorCode": 1036, "message": "Wrong column.", "refId": "x1"}, 400), "Wrong column., 1036"),
        (Reply.json({"message": "Slow down", "error": "API_LIMIT"}, 400), "Slow down, API_LIMIT"),
        (Reply.json({"error": {"message": "nested"}}, 400), "nested"),
        (Reply.json([{"message": "in a list"}], 400), "in a list"),
        (Reply.json({"reason": "an unknown word"}, 400), "an unknown word"),
        (Reply(400, b"invalid value for idLabels", media="text/plain"), "invalid value for idLabels"),
        (Reply(400, b'{"message": "mislabelled"}', media="text/plain"), "mislabelled"),
        (Reply(400, b"{cut", media="application/json"), ""),
        (
            Reply(400, b"<html><title>Oops &amp; sorry</title>lots of text</html>", media="text/html"),
            "Oops &amp; sorry",
        ),
        (Reply(400, b"\x00\xff\xfe", media="application/octet-stream"), ""),
        (Reply(400, b"[" * 100_000, media="application/json"), ""),
        (Reply.json({"message": "a\nb\t\u202ec\x1b[31m" + "x" * 500}, 400), "a b c [31m" + "x" * 189 + "…"),
    ],
)
def test_the_host_s_own_words_are_in_the_sentence(http: Http, server: Scripted, reply: Reply, said: str) -> None:
    server.play(reply)
    with pytest.raises(SetupError) as caught:
        http.get_json("/x")
    assert caught.value.refusal is not None
    assert caught.value.refusal.said == said
    assert f"(status 400{': ' if said else ''}{said})" in str(caught.value)


def test_connectors_can_tell_refusals_apart(http: Http, server: Scripted) -> None:
    body = {"errorCode": 1036, "message": "Wrong column.", "detail": {"index": 3, "rowId": 7}}
    server.play(Reply.json(body, 400))
    with pytest.raises(SetupError) as caught:
        http.get_json("/x")
    assert caught.value.refusal == Refusal(400, "Wrong column., 1036", body)


@given(st.text())
def test_a_quote_fits_into_a_line(text: str) -> None:
    line = quoted(text)
    assert len(line) <= 200
    assert line.isprintable()
    assert line == " ".join(line.split())


# Bodies.


@pytest.mark.parametrize("value", [{}, [], {"a": [1, None, "ü"]}, "text", 7, None, True])
@pytest.mark.parametrize("media", ["application/json", "application/json; charset=utf-8", "application/hal+json"])
def test_json_is_believed(http: Http, server: Scripted, value: Any, media: str) -> None:
    server.play(Reply(body=json.dumps(value).encode(), media=media))
    assert http.get_json("/x") == value


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        (Reply(body=b'{"a": 1}', media=None), InputError, "something that it does not name"),
        (Reply(body=b'{"a": 1}', media="text/plain"), InputError, "answers with text/plain"),
        (Reply(body=b"%PDF", media="application/pdf"), InputError, "answers with application/pdf"),
        (Reply.page("<html><body>Confluence</body></html>"), InputError, "a web page .* correct base_url"),
        (Reply(body=b"<!DOCTYPE HTML><p>Maintenance", media="application/json"), InputError, "a web page"),
        (Reply.page("<html><form>Log in <input type=password></form></html>"), AuthError, "sign-in page"),
        (Reply.page("<html><form action='https://sso.example/saml'></form></html>"), AuthError, "sign-in page"),
        (Reply(body=b"", media="application/json"), InputError, "empty answer"),
        (Reply(204, b""), InputError, "empty answer"),
        (Reply(body=b'{"a": nope}'), InputError, "not well-formed"),
        (Reply(body=b'{"a": 1}}'), InputError, "not well-formed"),
        (Reply(body=b'{"a": "\xff\xfe"}'), InputError, "not well-formed"),
        (Reply(body=b"[" * 100_000 + b"]" * 100_000), InputError, "nested too deeply"),
        (Reply(body=b"9" * 10_000), InputError, "not well-formed"),
    ],
)
def test_what_is_not_json_is_not_an_empty_answer(
    http: Http, server: Scripted, clock: Clock, reply: Reply, error: type[Exception], says: str
) -> None:
    server.play(reply)
    with pytest.raises(error, match=says) as caught:
        http.get_json("/x")
    assert type(caught.value) is error
    assert (clock.waits, len(server.seen)) == ([], 1)


WHOLE = json.dumps({"issues": [{"id": str(number)} for number in range(50)], "isLast": True}).encode()

CUTS = [
    Reply(body=WHOLE[:500], length=len(WHOLE)),
    Reply(body=WHOLE[:500]),
    Reply(body=gzip.compress(WHOLE)[:50], headers={"Content-Encoding": "gzip"}, length=len(gzip.compress(WHOLE))),
    Reply(body=b"not gzip", headers={"Content-Encoding": "gzip"}),
    Reply(body=b"ff\r\n" + WHOLE[:20], chunked=True),
    Reply(body=b"40\r\n" + WHOLE[:64] + b"\r\n", chunked=True),
    Reply(body=b"zz\r\n" + WHOLE[:64] + b"\r\n", chunked=True),
]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.usefixtures("clock")
def test_an_answer_that_was_cut_is_asked_for_again(http: Http, server: Scripted, cut: Reply) -> None:
    server.play(cut, Reply(body=WHOLE))
    assert http.get_json("/x") == json.loads(WHOLE)
    assert len(server.seen) == 2


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.usefixtures("clock")
def test_an_answer_that_is_always_cut_is_none(http: Http, server: Scripted, cut: Reply) -> None:
    server.play(cut)
    with pytest.raises((InputError, BusyError), match=r"cut short|broke off") as caught:
        http.get_json("/x")
    assert "IncompleteRead" not in str(caught.value)


def test_a_cut_answer_to_a_write_is_not_asked_for_again(writing: Http, server: Scripted, clock: Clock) -> None:
    server.play(CUTS[0], Reply())
    with pytest.raises(InputError, match="cut short"):
        writing.post_json("/x", {})
    assert (clock.waits, len(server.seen)) == ([], 1)


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda one: st.lists(one) | st.dictionaries(st.text(), one),
)


@given(trees)
def test_whole_json_is_seen_to_be_whole(value: Any) -> None:
    assert is_whole(json.dumps(value).encode())
    assert is_whole(b"\xef\xbb\xbf  " + json.dumps(value, ensure_ascii=False).encode() + b"\r\n")


odd = st.text(st.characters(exclude_categories=()))
"""Halves of pairs, too: JSON can hold them."""
plain = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | odd
values = st.recursive(plain, lambda one: st.lists(one) | st.dictionaries(odd, one))


@given(values, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_json_is_read_as_the_standard_library_reads_it(value: Any, encoding: str) -> None:
    body = json.dumps(value).encode(encoding)
    assert parsed("host", body) == json.loads(body)


@given(st.lists(st.integers(), min_size=1), st.data())
def test_json_without_its_end_is_not(value: list[int], data: st.DataObject) -> None:
    body = json.dumps({"a": value}).encode()
    assert not is_whole(body[: data.draw(st.integers(1, len(body) - 1))])


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_that_is_too_large_is_left(opened: Opener, server: Scripted, packed: bool) -> None:
    body = b'"' + b"x" * 3_000_000 + b'"'
    if packed:
        server.play(Reply(body=gzip.compress(body), headers={"Content-Encoding": "gzip"}))
    else:
        server.play(Reply(body=body))
    http = opened(limits=Limits(body=2_000_000))
    with pytest.raises(InputError, match="more than 2 MB"):
        http.get_json("/x")
    assert len(server.seen) == 1
    assert http.traffic.received == 0


def test_packed_and_chunked_answers_are_read(http: Http, server: Scripted) -> None:
    server.play(
        Reply(body=gzip.compress(WHOLE), headers={"Content-Encoding": "gzip"}),
        Reply(body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(WHOLE), WHOLE), chunked=True),
    )
    for _ in range(2):
        assert http.get_json("/x") == json.loads(WHOLE)
    assert http.traffic.received == 2 * len(WHOLE)


@pytest.mark.parametrize("status", [200, 204])
def test_what_was_asked_for_is_not_nothing(opened: Opener, server: Scripted, status: int) -> None:
    """Jira has been seen to answer 200 with no body to whoever it does not know; its client makes {} of it."""
    server.play(Reply(status, b""))
    http = opened(policy=JiraPolicy())
    for ask in (
        lambda: http.get_json("/x"),
        lambda: http.post_json("/rest/api/3/search/jql", {}),
        lambda: http.post_json("/x", {}, promise=Promise.READS),
        lambda: http.session.get(f"{server.url}/x"),
    ):
        with pytest.raises(InputError, match="empty answer"):
            ask()


def test_writes_may_be_answered_with_nothing(writing: Http, server: Scripted) -> None:
    server.play(Reply(204, b""), Reply(200, b""), Reply(201, b"", media=None), Reply.json({"_value": None}))
    assert writing.put_json("/x", {}) is None
    assert writing.post_json("/x", {}) is None
    assert writing.put_json("/x", {}) is None
    assert writing.post_json("/x", {}) == {"_value": None}


def test_one_connection_is_kept_open(http: Http, server: Scripted) -> None:
    server.play(Reply(body=WHOLE), Reply(404), Reply(body=WHOLE))
    http.get_json("/x")
    with pytest.raises(GoneError):
        http.get_json("/x")
    http.get_json("/x")
    assert server.connections == 1


@pytest.mark.usefixtures("clock")
def test_what_it_cost(writing: Http, server: Scripted) -> None:
    server.play(Reply(500), Reply(body=b"[1]"))
    writing.put_json("/x", {"ab": 1})
    traffic = writing.traffic
    assert (traffic.requests, traffic.repeats, traffic.sent, traffic.received) == (2, 1, 2 * 9, 2 + 3)
    assert 2 <= traffic.waited <= 3


def test_lists_and_numbers_are_parameters(http: Http, server: Scripted) -> None:
    http.get_json("/x?a=1", {"b": 2, "c": ["d e", "f&g"]})
    assert server.seen == ["GET /x?a=1&b=2&c=d+e&c=f%26g"]
    assert server.requests[0].headers["Accept"] == "application/json"


# The page on the transport.

PAGE = Path(__file__).resolve().parents[3] / "docs" / "connectors" / "transport.md"


def rows(heading: str) -> list[list[str]]:
    """The cells of a table below a heading."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {heading}")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def statuses(cell: str) -> set[int]:
    spans = re.findall(r"\b(\d{3}) to (\d{3})\b", cell)
    inside = {number for first, last in spans for number in range(int(first), int(last) + 1)}
    return inside | {int(number) for number in re.findall(r"\b(\d{3})\b", cell)}


def test_the_page_names_the_error_of_every_status() -> None:
    told = {status: row[1].strip("`") for row in rows("What does an answer mean?") for status in statuses(row[0])}
    for status in (*range(400, 600), 300, 304):
        assert told.get(status, "InputError") == meaning_of(status).error.__name__, status


def test_the_page_names_the_statuses_that_are_repeated() -> None:
    both, safe = rows("Is it repeated?")[1:3]
    assert statuses(both[0]) | statuses(safe[0]) == REPEATABLE
    assert statuses(both[0]) == {429}
