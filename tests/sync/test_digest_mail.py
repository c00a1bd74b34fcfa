"""Mail, against a real SMTP server on this machine and on its bad days: one sentence, and nobody has two."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from sync.digest import people
from sync.digest.mail import message
from sync.digest.terms import By, Terms, is_address
from tests.fakes.smtp import CUT, HANG, TRICKLE, FakeSmtp
from tests.sync.test_digest import Office

SECRET = "hunter2-and-more"
UNKNOWN = "whether the digest"


@pytest.fixture
def server() -> Iterator[FakeSmtp]:
    server = FakeSmtp()
    yield server
    server.close()


@pytest.fixture
def office(tmp_path: Path, server: FakeSmtp) -> Office:
    """Ada and Ben have something that is stuck."""
    office = Office(tmp_path, server)
    office.configure('unsubscribe = "pmo@example.com"\n')
    office.stuck(1)
    office.stuck(2, owner="Ben Okri")
    assert office.unstuck("run").code == 0
    return office


def problems(office: Office, code: int = 1) -> list[str]:
    """What sending says."""
    said = office.unstuck("digest", "--apply")
    assert (said.code, said.out) == (code, "")
    return said.err.splitlines()


def again(office: Office) -> list[str]:
    """Whom the next try reaches, on a good day."""
    office.server.answers, office.server.of_recipient = {}, {}
    before = len(office.server.taken)
    office.unstuck("digest", "--apply")
    return office.server.recipients[before:]


# A good day


def test_a_mail(office: Office) -> None:
    assert problems(office, code=0) == []
    assert office.server.recipients == ["ada@example.com", "ben@example.com"]
    mail = office.server.taken[0][1]
    assert (mail["From"], mail["To"]) == ("PMO <pmo@example.com>", "Ada Lovelace <ada@example.com>")
    assert mail["Subject"] == "Work items: 1 stuck"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] == "<mailto:pmo@example.com?subject=no%20digest>"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    for number in (0, 1):
        assert "at most once a week" in office.text(number)
        assert "write to pmo@example.com" in office.text(number)
    office.configure()
    office.now = "2026-03-27T12:00:00"
    assert problems(office, code=0) == []
    assert "List-Unsubscribe" not in office.server.taken[-1][1]
    assert "write to" not in office.text()


def test_what_a_tool_says_is_text_and_nothing_else(office: Office) -> None:
    nasty = "<script>alert(1)</script> & \u202e*b*\r\nBcc: eve@example.com\r\n.\r\nQUIT"
    office.edit(1, title=nasty, url="javascript:alert(1)")
    office.edit(2, title=f"\n.\n{nasty}", owner="Ben\r\nBcc: eve@example.com")
    office.configure(addresses='[digest.addresses]\n"Ben Bcc: eve@example.com" = "ben@example.com"\n')
    office.unstuck("run")
    assert office.unstuck("digest", "--apply").code == 0
    [(_, mail)] = office.server.taken
    assert "Bcc" not in mail
    assert mail["To"].addresses[0].addr_spec == "ben@example.com"
    [_, page] = [part.get_content() for part in mail.iter_parts()]
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; *b* Bcc: eve@example.com . QUIT" in page
    assert "javascript:" not in office.unstuck("digest").out
    assert [line for line in office.server.lines if line.startswith("RCPT")] == ["RCPT TO:<ben@example.com>"]


@given(st.text(), st.text(), st.text())
def test_no_name_nor_title_becomes_a_header(name: str, title: str, page: str) -> None:
    made = message(("PMO", "pmo@example.com"), (name, "ada@example.com"), {"Subject": "S"}, title, page)
    head, _, _ = made.as_bytes().replace(b"\r\n", b"\n").partition(b"\n\n")
    names = [line.partition(b":")[0] for line in head.split(b"\n") if not line.startswith((b" ", b"\t"))]
    assert names == [b"From", b"To", b"Subject", b"MIME-Version", b"Content-Type"]
    assert [each.addr_spec for each in made["To"].addresses] == ["ada@example.com"]


def test_a_dot_alone_ends_no_mail(office: Office) -> None:
    from email.policy import SMTP

    from sync.digest.mail import Mailer
    from sync.digest.terms import Security, Server

    mail = EmailMessage(policy=SMTP)
    mail.set_content("one\n.\n..\nRCPT TO:<eve@example.com>\n", cte="7bit")
    server = Server("127.0.0.1", office.server.port, Security.NONE, None, None, ("", "pmo@example.com"))
    with Mailer(server, None, 2) as mailer:
        mailer.send("pmo@example.com", "ada@example.com", mail)
    assert office.server.taken[0][1].get_content().split() == ["one", ".", "..", "RCPT", "TO:<eve@example.com>"]


# One person's trouble


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (
            {"RCPT": "550 no such user"},
            "does not take mail for ada@example.com (550 no such user); correct the address",
        ),
        ({"RCPT": "451 greylisted"}, "does not take mail for ada@example.com (451 greylisted); try again later"),
        ({"DATA": "452 full"}, "does not take mail for ada@example.com (452 full); try again later"),
        ({"DOT": "554 looks like spam"}, "does not take the mail (554 looks like spam); ask who runs it"),
    ],
)
def test_a_refusal_of_one_is_no_matter_of_the_others(office: Office, answers: dict[str, str], says: str) -> None:
    office.server.of_recipient = {"ada@example.com": answers}
    assert problems(office) == [f"Ada Lovelace: 127.0.0.1 {says}; nothing was sent."]
    assert office.server.recipients == ["ben@example.com"]
    assert again(office) == ["ada@example.com"]


@pytest.mark.parametrize("ending", [CUT, HANG, TRICKLE, "hello, is this a web server?"])
def test_an_end_after_the_final_dot_is_unknown_and_never_sent_again(office: Office, ending: str) -> None:
    office.configure(timeout="0.5s")
    office.server.of_recipient = {"ada@example.com": {"DOT": ending}}
    closed, of_ada, left = problems(office)
    assert closed.startswith("127.0.0.1 ")
    assert of_ada.startswith("Ada Lovelace: 127.0.0.1 ")
    assert UNKNOWN in of_ada
    assert '--again "Ada Lovelace"' in of_ada
    assert left == "1 digest left untried; the next `unstuck digest --apply` goes on."
    assert again(office) == ["ben@example.com"]
    told = office.unstuck("digest", "--apply")
    assert (told.code, told.out, told.err) == (1, "", "")  # cron was told by the one before
    assert office.unstuck("digest", "--apply", "--again", "Ada Lovelace").code == 0
    assert office.server.recipients[-1] == "ada@example.com"
    assert problems(office, code=0) == []


def test_what_is_unknown_is_said_once_and_ends_with_its_week(office: Office) -> None:
    office.server.of_recipient = {"ada@example.com": {"DOT": CUT}}
    problems(office)
    office.server.of_recipient = {}
    [said] = problems(office)
    page = (Path(__file__).parents[2] / "docs" / "digest.md").read_text(encoding="utf-8")
    assert said in " ".join(page.split())
    assert problems(office) == []
    office.now = "2026-03-27T12:00:00"
    assert problems(office, code=0) == []
    assert office.server.recipients[-2:] == ["ada@example.com", "ben@example.com"]


# The server's trouble


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"HELLO": CUT}, "cut the connection"),
        ({"HELLO": HANG}, "does not answer in time"),
        ({"HELLO": TRICKLE}, "does not answer in time"),
        ({"HELLO": "554 no service for you"}, "does not let us in (554 no service for you); try again later"),
        ({"EHLO": CUT}, "cut the connection"),
        ({"MAIL": "550 not from there"}, "does not take mail from pmo@example.com (550 not from there)"),
        ({"MAIL": HANG}, "does not answer in time"),
        ({"MAIL": "421 too busy"}, "does not take mail from pmo@example.com (421 too busy)"),
        ({"RCPT": "421 too busy"}, "does not take mail for ada@example.com (421 too busy)"),
        ({"RCPT": CUT}, "cut the connection"),
        ({"DATA": CUT}, "cut the connection"),
        ({"DATA": HANG}, "does not answer in time"),
    ],
)
def test_a_server_on_a_bad_day_is_one_sentence(office: Office, answers: dict[str, str], says: str) -> None:
    office.configure(timeout="0.5s")
    office.server.answers = answers
    closed, *left = problems(office)
    assert f"127.0.0.1 {says}" in closed
    assert left == ["2 digests left untried; the next `unstuck digest --apply` goes on."]
    assert office.server.taken == []
    assert again(office) == ["ada@example.com", "ben@example.com"]


def test_nobody_is_there(office: Office) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    config = (office.folder / "config.toml").read_text().split("\n", 1)[1]
    office.write_config(config.replace(f":{office.server.port}", f":{port}"))
    closed, _ = problems(office)
    assert "127.0.0.1 cannot be reached; look at it" in closed


# Killed


def test_killed_while_the_server_thinks(office: Office) -> None:
    """The mail is there, and we never heard so."""
    office.server.answers = {"DOT": HANG}
    process = subprocess.Popen(
        office.command("digest", "--apply"), cwd=office.folder, env=office.environment(), stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30
    while not office.server.taken and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    office.server.answers = {}
    [said] = problems(office)
    assert said.startswith("Ada Lovelace: whether the digest of 2026-W12 arrived is not known")
    assert office.server.recipients == ["ada@example.com", "ben@example.com"]


def test_asked_to_stop_it_ends_after_the_mail_in_hand(office: Office) -> None:
    office.server.answers = {"DOT": HANG}
    process = subprocess.Popen(
        office.command("digest", "--apply"), cwd=office.folder, env=office.environment(), stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30
    while not office.server.taken and time.monotonic() < deadline:
        time.sleep(0.02)
    process.terminate()
    assert process.wait(timeout=30) == 1
    assert office.server.recipients == ["ada@example.com"]


# Encryption and credentials


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def secured(tmp_path: Path, server: FakeSmtp, security: str, more: str = "") -> Office:
    office = Office(tmp_path, server)
    office.configure(f'security = "{security}"\n{more}')
    office.stuck(1)
    assert office.unstuck("run").code == 0
    return office


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_encrypted(tmp_path: Path, authority: trustme.CA, context: ssl.SSLContext, security: str) -> None:
    server = FakeSmtp(context, tls=security == "tls", account=f"unstuck:{SECRET}")
    try:
        office = secured(tmp_path, server, security, 'user = "unstuck"\npassword = { env = "SMTP_PASSWORD" }\n')
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        secrets = {"SMTP_PASSWORD": SECRET}
        said = office.unstuck("digest", "--apply", env=secrets)
        assert (said.code, server.taken) == (1, [])
        assert "127.0.0.1 does not prove who it is; correct smtp, or let this machine trust it." in said.err
        trusting = {**secrets, "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
        assert office.unstuck("digest", "--apply", env=trusting).code == 0
        assert (server.recipients, server.encrypted) == (["ada@example.com"], 1)
    finally:
        server.close()


def test_a_server_that_offers_no_encryption_gets_nothing(tmp_path: Path, server: FakeSmtp) -> None:
    office = secured(tmp_path, server, "starttls")
    said = office.unstuck("digest", "--apply")
    assert "127.0.0.1 offers no encryption (STARTTLS)" in said.err
    assert {line.split()[0] for line in server.lines} <= {"ehlo", "QUIT", "quit", "EHLO"}
    assert server.taken == []


def test_a_wrong_password_shows_nowhere(tmp_path: Path) -> None:
    server = FakeSmtp(account="unstuck:right")
    try:
        office = secured(tmp_path, server, "none", 'user = "unstuck"\npassword = { env = "SMTP_PASSWORD" }\n')
        said = office.unstuck("--debug", "digest", "--apply", env={"SMTP_PASSWORD": SECRET})
        assert "does not accept the user and password (no such user or password: [secret])" in said.err
        assert SECRET not in said.out + said.err
        assert SECRET.encode() not in (office.folder / "unstuck.db").read_bytes()
        assert "the environment variable SMTP_PASSWORD is not set" in office.unstuck("digest", "--apply").err
        assert office.unstuck("digest").code == 0
        assert office.unstuck("run").code == 0
    finally:
        server.close()


# Who is whom

TERMS = Terms(
    addresses={"ada lovelace": "ada@corp.example"}, domains=("example.com",), pattern="{first}.{last}@example.com"
)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("Ada Lovelace", "ada@corp.example"),
        ("ADA  lovelace ", "ada@corp.example"),
        ("Ben Okri", "ben.okri@example.com"),
        ("Anne-Marie O'Neill", "anne-marie.oneill@example.com"),
        ("cleo@example.com", "cleo@example.com"),
        ("cleo@Example.COM", "cleo@Example.COM"),
        ("cleo@elsewhere.com", None),
        ("cleo@example.com.evil.org", None),
        ("cleo@notexample.com", None),
        ("Zoë Okri", None),
        ("Ben", None),
        ("Ben van Okri", None),
        ("Ben Okri@evil.org", None),
        ("ben@example.com,eve@evil.org", None),
    ],
)
def test_addresses_are_never_guessed(name: str, address: str | None) -> None:
    assert people.address(TERMS, By.OWNER, name) == address


def test_a_project_has_the_address_that_config_gives_it_and_no_other() -> None:
    assert people.address(TERMS, By.PROJECT, "Ada Lovelace") == "ada@corp.example"
    assert people.address(TERMS, By.PROJECT, "Night Deliveries") is None


@given(st.text())
def test_whatever_stands_in_a_tool_an_address_is_one_and_in_our_domain(name: str) -> None:
    address = people.address(Terms(domains=TERMS.domains, pattern=TERMS.pattern), By.OWNER, name)
    assert address is None or (is_address(address) and address.casefold().endswith("@example.com"))


def test_two_names_with_one_address_get_one_mail(office: Office) -> None:
    office.configure(addresses='[digest.addresses]\n"Ada Lovelace" = "x@example.com"\n"Ben Okri" = "X@example.com"\n')
    assert problems(office, code=0) == []
    assert office.server.recipients == ["x@example.com"]
    assert "Ada Lovelace" in office.text()
    assert "Ben Okri" in office.text()
    office.configure(addresses='[digest.addresses]\n"Warehouse" = "x@example.com"\n')
    office.edit(1, project="Warehouse")
    office.unstuck("run")
    assert office.unstuck("digest", "--apply", "--by", "project").code == 0
    assert office.server.recipients == ["x@example.com"]


def test_no_address_is_in_the_store(office: Office) -> None:
    problems(office, code=0)
    for file in office.folder.glob("unstuck.db*"):
        assert b"ada@example.com" not in file.read_bytes()
