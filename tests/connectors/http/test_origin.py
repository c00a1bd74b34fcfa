"""Requests go to one origin, and credentials with them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import BusyError, InputError, SetupError, UnsafeError
from connectors.http import Http
from connectors.http.origin import Origin, is_loopback, normal
from tests.connectors.http.conftest import TOKEN, Opener
from tests.fakes.scripted import Clock, Reply, Scripted


@pytest.mark.parametrize(
    ("base_url", "says"),
    [
        ("", "not an address"),
        ("example.atlassian.net", "not an address"),
        ("ftp://example.com", "not an address"),
        ("https://", "not an address"),
        ("https://[", "not an address"),
        ("https://exam ple.com", "not an address"),
        ("https://example.com:port", "not an address"),
        ("http://example.com", "does not start with https"),
        ("http://10.0.0.1", "does not start with https"),
        ("http://127.0.0.1.example.com", "does not start with https"),
        ("https://me:secret-word@example.com", "holds a name or a password"),
        ("https://example.com/?a=b", "goes on after its path"),
        ("https://example.com/#top", "goes on after its path"),
    ],
)
def test_a_bad_base_url_is_a_mistake_to_correct(opened: Opener, base_url: str, says: str) -> None:
    http = opened(base_url)
    with pytest.raises(SetupError, match=says) as caught:
        http.get_json("/x")
    assert caught.value.next_step
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "10.0.0.1", "example.com", "localhost.example.com", "127.0.0.1.nip.io"]
)
def test_not_this_machine(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "link",
    [
        "{stranger}/next",
        "https://127.0.0.1/next",
        "http://localhost:{port}/next",
        "http://127.0.0.1:1/next",
        "http://127.0.0.1:{port}@{stranger_place}/next",
        "http://{stranger_place}\\@127.0.0.1:{port}/next",
        "http://127.0.0.2:{port}/next",
        "ftp://127.0.0.1:{port}/next",
        "http://[",
        "http://",
        "https://exam ple/next",
        "://",
    ],
)
def test_a_link_to_another_origin_is_not_followed(http: Http, server: Scripted, stranger: Scripted, link: str) -> None:
    port = server.url.rpartition(":")[2]
    with pytest.raises((UnsafeError, InputError)):
        http.get_json(link.format(stranger=stranger.url, port=port, stranger_place=stranger.url.partition("//")[2]))
    assert stranger.seen == []
    assert server.seen == []


def test_a_link_within_the_origin_is_followed(http: Http, server: Scripted) -> None:
    assert http.get_json(f"{server.url}/next?page=2") == {}
    assert http.get_json(f"{server.url.upper().replace('HTTP', 'http')}/next") == {}
    assert server.seen == ["GET /next?page=2", "GET /next"]


def test_a_redirect_to_another_origin_is_refused(http: Http, server: Scripted, stranger: Scripted) -> None:
    server.play(Reply(302, headers={"Location": f"{stranger.url}/login"}))
    with pytest.raises(UnsafeError, match=r"sends us on to another site, 127\.0\.0\.1; correct base_url"):
        http.get_json("/x")
    assert stranger.seen == []


@pytest.mark.parametrize(
    "location", ["//{place}/x", "http://{place}", "\\\\{place}", "javascript:alert(1)", "http://["]
)
def test_a_redirect_in_disguise_is_refused(http: Http, server: Scripted, stranger: Scripted, location: str) -> None:
    server.play(Reply(302, headers={"Location": location.format(place=stranger.url.partition("//")[2])}), Reply())
    try:
        http.get_json("/x")
    except UnsafeError:
        pass
    else:
        assert len(server.seen) == 2, "it went elsewhere"
    assert stranger.seen == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_origin_is_followed_with_credentials(http: Http, server: Scripted, status: int) -> None:
    server.play(Reply(status, headers={"Location": "/y"}), Reply.json({"found": True}))
    assert http.get_json("/x") == {"found": True}
    assert server.seen == ["GET /x", "GET /y"]
    assert server.requests[1].headers["Authorization"] == f"Bearer {TOKEN}"


def test_circles_end(http: Http, server: Scripted) -> None:
    server.play(Reply(302, headers={"Location": "/x"}))
    with pytest.raises(InputError, match="circles"):
        http.get_json("/x")
    assert len(server.seen) == 4


def test_a_write_is_not_redirected(writing: Http, server: Scripted) -> None:
    server.play(Reply(302, headers={"Location": "/elsewhere"}), Reply())
    with pytest.raises(InputError, match="PUT"):
        writing.put_json("/x", {})
    assert server.seen == ["PUT /x"]


hosts = st.sampled_from(["example.com", "example.com.evil.net", "evil.net", "xn--bcher-kva.example", "sub.example.com"])
schemes = st.sampled_from(["http", "https", "HTTPS"])
ports = st.sampled_from(["", ":443", ":80", ":8443"])


@given(scheme=schemes, host=hosts, port=ports, path=st.from_regex(r"(/[a-z0-9.]{0,5}){0,4}", fullmatch=True))
def test_only_the_same_scheme_host_and_port_pass(scheme: str, host: str, port: str, path: str) -> None:
    url = normal(f"{scheme}://{host}{port}{path}")
    ours = scheme.lower() == "https" and host == "example.com" and port in ("", ":443")
    try:
        Origin("https://example.com/base").lock(url)
    except UnsafeError:
        assert not ours
    else:
        assert ours


@given(path=st.from_regex(r"/[a-z]{1,9}", fullmatch=True))
def test_paths_are_told_below_the_base(path: str) -> None:
    origin = Origin("https://api.example.com/ex/jira/1234/")
    assert origin.path(origin.url(path)) == path
    assert origin.path(f"https://api.example.com{path}") == path


def test_the_environment_s_proxy_is_not_for_this_machine(
    http: Http, server: Scripted, stranger: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", stranger.url)
    monkeypatch.setenv("http_proxy", stranger.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert http.get_json("/x") == {}
    assert (len(server.seen), stranger.seen) == (1, [])


def test_the_environment_s_proxy_is_for_all_others(
    opened: Opener, stranger: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", stranger.url)
    monkeypatch.setenv("https_proxy", stranger.url)
    stranger.play(Reply(403))
    with pytest.raises(SetupError, match="behind a proxy"):
        opened("https://tool.example").get_json("/x")
    assert stranger.seen == ["CONNECT tool.example:443"]
    assert "Authorization" not in stranger.requests[0].headers


def test_certificates_that_are_not_there_are_a_mistake(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
    with pytest.raises(SetupError, match=r"REQUESTS_CA_BUNDLE names /no/such/bundle\.pem"):
        http.get_json("/x")


@pytest.mark.usefixtures("clock")
def test_a_host_that_speaks_no_tls_cannot_be_reached(opened: Opener, server: Scripted) -> None:
    """Nor can one that is just being restarted, so it is tried again."""
    http = opened(server.url.replace("http", "https"), writable=True)
    with pytest.raises(BusyError, match=r"cannot be reached; .* correct base_url if it stays so"):
        http.get_json("/x")
    assert http.traffic.requests == 5
    with pytest.raises(BusyError):
        http.post_json("/x", {})
    assert http.traffic.requests == 6, "the fault may have come after the request"
    assert server.seen == []


@pytest.fixture
def encrypted(server: Scripted, tmp_path: Path) -> tuple[str, Path]:
    """The scripted host's address over TLS, and the certificate that it made for itself."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost")
    names = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate))
    subprocess.run(["openssl", *made, *names], check=True, capture_output=True)
    server.encrypt(certificate, key)
    return server.url.replace("http", "https"), certificate


def test_a_certificate_that_nobody_vouches_for_is_a_mistake(
    opened: Opener, server: Scripted, encrypted: tuple[str, Path], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SetupError, match="does not prove who it is"):
        opened(encrypted[0]).get_json("/x")
    assert (server.seen, clock.waits) == ([], [])


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_machine_may_trust_certificates_of_its_own(
    opened: Opener, encrypted: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(name, str(encrypted[1]))
    http = opened(encrypted[0])
    assert http.get_json("/x") == {}
    session = http.mount(requests.Session())
    prepared = requests.Request("GET", f"{encrypted[0]}/y").prepare()
    assert session.send(prepared).json() == {}, "as Smartsheet's SDK sends"


def test_a_client_s_built_in_address_leads_to_base_url(opened: Opener, server: Scripted) -> None:
    session = opened(f"{server.url}/1", known_as="https://api.tool.example/1").session
    assert session.request("GET", "https://api.tool.example/1/boards?filter=all", params={"a": "b"}).json() == {}
    assert server.seen == ["GET /1/boards?filter=all&a=b"]
    with pytest.raises(UnsafeError):
        session.get("https://api.tool.example/10/boards")
