"""Whatever a host sends, what comes out is JSON or one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConnectorError
from connectors.http import Credentials, Http, JiraPolicy, Limits, MondayPolicy, Policy, SmartsheetPolicy, TrelloPolicy
from tests.connectors.http.conftest import TOKEN
from tests.fakes.scripted import Reply, Scripted

POLICIES = [Policy, JiraPolicy, TrelloPolicy, SmartsheetPolicy, MondayPolicy]


@pytest.fixture(scope="module")
def hostile() -> Iterator[Scripted]:
    server = Scripted()
    yield server
    server.close()


def asked(server: Scripted, policy: type[Policy]) -> str | None:
    """What one request comes to: nothing to complain of, or a sentence."""
    before = len(server.requests)
    limits = Limits(connect=2, read=2, attempts=1)
    with closing(Http(server.url, Credentials.bearer(TOKEN), policy=policy(), limits=limits)) as http:
        try:
            http.get_json("/x")
            sentence = None
        except ConnectorError as error:
            sentence = str(error)
    assert len(server.requests) > before, "an earlier answer keeps this one away"
    assert sentence is None or (sentence.isprintable() and "; " in sentence and len(sentence) < 600)
    return sentence


numbers = st.sampled_from(
    ["0", "-1", "1", "7.5", "99999999999999999999", "NaN", "", "x", "∞".encode().decode("latin-1")]
)
header_names = st.sampled_from(
    [
        "Retry-After",
        "RateLimit",
        "Beta-RateLimit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Reset",
        "X-RateLimit-Interval-Seconds",
        "X-RateLimit-NearLimit",
        "X-Rate-Limit-Api-Token-Remaining",
        "X-Rate-Limit-Api-Token-Interval-Ms",
        "X-Seraph-LoginReason",
        "Location",
        "Content-Encoding",
        "Date",
    ]
)
header_values = numbers | st.sampled_from(
    ['"a";r=0;t=99999999999999', "gzip", "br", "//[", "http://[::1", "\xff\xfe", "/x"]
)
bodies = st.binary(max_size=60) | st.sampled_from(
    [
        b"{}",
        b"[]",
        b'{"errors": [null, 7, {"extensions": 7}, {"extensions": {"code": 7}}]}',
        b'{"errors": {"a": {"b": ["c"]}}}',
        b'{"error_code": 7, "error": null}',
        b'{"errorCode": "4003"}',
        b'{"errorCode": 4003, "message": ["\\ud800"]}',
        b'{"complexity": {"query": 1, "after": 0, "reset_in_x_seconds": "x"}}',
        b'{"complexity": {"query": 1, "after": 0, "reset_in_x_seconds": 1e999}, "retry_in_seconds": 1}',
        b"<html><title>" + b"x" * 1000,
    ]
)
media = st.sampled_from(["application/json", "text/html", "text/plain", "", "\xff", None])


@given(
    status=st.integers(200, 599),
    headers=st.dictionaries(header_names, header_values, max_size=5),
    body=bodies,
    kind=media,
    policy=st.sampled_from(POLICIES),
)
def test_strange_answers(
    hostile: Scripted, status: int, headers: dict[str, str], body: bytes, kind: str | None, policy: type[Policy]
) -> None:
    hostile.play(Reply(status, body, headers, kind))
    asked(hostile, policy)


@given(
    raw=st.binary(max_size=200),
    head=st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Type: "]),
)
def test_what_is_no_http(hostile: Scripted, raw: bytes, head: bytes) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head + raw)
        handler.close_connection = True

    hostile.play(answer)
    assert asked(hostile, Policy)
