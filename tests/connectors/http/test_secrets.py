"""Secrets are on the wire to their host, and nowhere else."""

from __future__ import annotations

import base64
import html
import json
import logging
import traceback
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConnectorError, SetupError, UnsafeError
from connectors.http import Credentials, Http
from connectors.http.secrets import HIDDEN, Redactor
from tests.connectors.http.conftest import TOKEN
from tests.fakes.scripted import Reply, Scripted, hang_up

secrets = st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=30).filter(lambda one: one.strip())


def forms(secret: str) -> Iterator[str]:
    yield from (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret))
    yield from (json.dumps(secret)[1:-1], repr(secret)[1:-1], base64.b64encode(secret.encode()).decode())


@given(secret=secrets, before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_secret_is_taken_out_in_every_form(secret: str, before: str, after: str) -> None:
    redact = Redactor([secret])
    for form in forms(secret):
        text = redact(f"{before}{form}{after}")
        assert HIDDEN in text
        assert form not in text.replace(HIDDEN, "") or form in f"{before}{after}{HIDDEN}"


@given(text=st.text(st.characters(exclude_characters="bBoO"), max_size=80))
def test_without_secrets_nothing_is_taken_out(text: str) -> None:
    assert Redactor([])(text) == text
    assert Redactor(["", "a", "abc"])(text) == text, "too short to be a secret"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdef123",
        "{'Authorization': 'Basic dXNlcjpwYXNz'}",
        'OAuth oauth_consumer_key="k1234", oauth_token="t5678"',
        "authorization=bearer+x abcd Bearer zzzzzz",
    ],
)
def test_anybody_s_credentials_are_taken_out(text: str) -> None:
    shown = Redactor([])(text)
    assert not [one for one in ("abcdef123", "dXNlcjpwYXNz", "k1234", "t5678", "zzzzzz") if one in shown]


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        (Credentials.bearer("tok-1234"), "Bearer tok-1234"),
        (Credentials.basic("me@example.com", "pass:word"), "Basic bWVAZXhhbXBsZS5jb206cGFzczp3b3Jk"),
        (Credentials.header('OAuth oauth_token="tok-1234"', "tok-1234"), 'OAuth oauth_token="tok-1234"'),
    ],
)
def test_credentials_are_sent_and_never_shown(server: Scripted, credentials: Credentials, header: str) -> None:
    http = Http(server.url, credentials)
    response = http.send("GET", "/x")
    http.close()
    assert server.requests[0].headers["Authorization"] == header
    assert "Authorization" not in response.request.headers
    for secret in credentials.secrets:
        assert secret not in repr(credentials)
        assert secret not in http.redact(f"it was {header}, or {secret}")


def test_a_netrc_file_does_not_take_the_place_of_credentials(
    http: Http, server: Scripted, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w", encoding="utf-8") as file:  # noqa: PTH123 - one line
        file.write("machine 127.0.0.1 login other password other-password\n")
    monkeypatch.setenv("NETRC", netrc)
    http.get_json("/x")
    assert server.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("form", [TOKEN, quote(TOKEN, safe=""), quote_plus(TOKEN)])
def test_no_credential_goes_into_an_address(http: Http, server: Scripted, form: str) -> None:
    with pytest.raises(UnsafeError, match="credential was about to be sent in an address") as caught:
        http.get_json(f"/x?token={form}")
    with pytest.raises(UnsafeError):
        http.get_json("/x", {"token": TOKEN})
    with pytest.raises(UnsafeError):
        http.get_json(f"/tokens/{form}/webhooks")
    assert server.connections == 0
    assert TOKEN not in str(caught.value)


def test_not_even_when_a_host_redirects_there(http: Http, server: Scripted) -> None:
    server.play(Reply(302, headers={"Location": f"/x?token={quote(TOKEN, safe='')}"}), Reply())
    with pytest.raises(UnsafeError, match="credential"):
        http.get_json("/x")
    assert len(server.seen) == 1


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


NASTY = f"You sent Authorization: Bearer {TOKEN}, {quote(TOKEN, safe='')}, {html.escape(TOKEN)}"


@pytest.mark.parametrize(
    "step",
    [
        Reply.json({"message": NASTY, "detail": {TOKEN: [TOKEN]}}, 400),
        Reply.json({"errorMessages": [NASTY]}, 401),
        Reply(403, NASTY.encode(), media="text/plain"),
        Reply.page(f"<html><title>{NASTY}</title></html>", 404),
        Reply.page(f"<html>{NASTY}</html>"),
        Reply(body=NASTY.encode(), media=f"text/{TOKEN}"),
        Reply(body=b'{"' + TOKEN.encode() + b'": nope}'),
        Reply(302, headers={"Location": f"https://{TOKEN[:5]}.example/{TOKEN}"}),
        Reply(500, NASTY.encode(), media="text/plain"),
        Reply.json({"message": NASTY}, 429, Retry_After="5000"),
        Reply(body=NASTY.encode(), length=10_000),
        hang_up,
    ],
)
@pytest.mark.usefixtures("clock")
def test_no_error_shows_a_secret(http: Http, server: Scripted, step: Reply, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    server.play(step)
    with pytest.raises(ConnectorError) as caught:
        http.get_json("/x")
    error = caught.value
    texts = [*map(repr, chain(error)), str(error), repr(vars(error)), repr(error.refusal), caplog.text]
    texts.append("".join(traceback.format_exception(error)))
    for form in forms(TOKEN):
        assert not [text for text in texts if form in text]
    assert list(chain(error)) == [error], "a cause holds the request, and that may hold anything"


def test_a_credential_that_cannot_be_sent_is_not_shown(server: Scripted) -> None:
    for secret in ("tok-1234\r\nX-Evil: yes", "tök€n-1234"):
        http = Http(server.url, Credentials.bearer(secret))
        with pytest.raises(SetupError, match="cannot be asked") as caught:
            http.get_json("/x")
        assert "tok" not in "".join(map(repr, chain(caught.value)))
        http.close()
    assert server.seen == []


def test_what_clients_log_is_redacted(http: Http, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    caplog.set_level("DEBUG", "urllib3")  # Smartsheet's SDK turns it down, for everybody
    http.get_json("/x")
    logger = logging.getLogger("urllib3.connectionpool")
    logger.warning("sent %s to %s", {"token": TOKEN}, "there")
    try:
        raise ValueError(TOKEN)
    except ValueError:
        logger.exception("it failed")
    logging.getLogger("board").warning("plain")
    assert TOKEN not in caplog.text
    assert f"sent {{'token': '{HIDDEN}'}} to there" in caplog.text
    assert f"ValueError: {HIDDEN}" in caplog.text
    assert "GET /x" in caplog.text, "urllib3's own records are still there"
