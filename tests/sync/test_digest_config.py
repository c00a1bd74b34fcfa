"""`[digest]` in config.toml: every mistake is told, with what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync import config as configs
from sync.digest.terms import Every, Security, Server
from sync.stops import InvalidStop

SOURCE = '[sources.tool]\nsystem = "memory"\nworld = "world.json"\n[digest]\n'
MAIL = 'from = "PMO <pmo@example.com>"\n'


def load(folder: Path, lines: str) -> configs.Config:
    file = folder / "config.toml"
    file.write_text(SOURCE + lines)
    return configs.load(file)


def server(folder: Path, lines: str) -> Server:
    found = load(folder, MAIL + lines).digest.server
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('by = "boss"', 'by: "boss" is not possible; write one of owner, sponsor, project'),
        ('every = "hour"', 'every: "hour" is not possible; write one of day, week, month'),
        ("items = 0", "items: must be 1 or more, and is 0"),
        ("most = 0", "most: must be 1 or more, and is 0"),
        ('timeout = "soon"', 'timeout: "soon" is no length of time; write it like 90s, 15m, 36h or 2d'),
        ('domains = ["@example.com"]', 'domains: "@example.com" is no domain; write what stands behind the @'),
        ('pattern = "{name}@example.com"', 'pattern: "{name}@example.com" makes no address'),
        ('pattern = "{first.__class__}@example.com"', "makes no address"),
        ('pattern = "all@example.com"', "makes no address"),
        ('pattern = "{first}.{last}"', "makes no address"),
        ('addresses = { Ada = "ada" }', 'addresses."Ada": "ada" is no e-mail address; write one like ada@example.com'),
        ('addresses = { Ada = "a@x.org, b@x.org" }', "is no e-mail address"),
        (r'addresses = { Ada = "a@x.org\r\nBcc: b@x.org" }', "is no e-mail address"),
        ('smtp = "mail.example.com"', "from: is missing: mail needs a sender"),
        ('from = "PMO <>"', 'from: "PMO <>" is no sender'),
        ('from = "a@x.org\\nBcc: b@x.org"', "is no sender"),
        ('unsubscribe = "https://x.org"', "unsubscribe: \"https://x.org\" is no e-mail address"),
        (f'{MAIL}smtp = "mail.example.com:0"', "is no mail server"),
        (f'{MAIL}smtp = "https://mail.example.com"', "is no mail server"),
        (f'{MAIL}smtp = "mail.example.com"\nsecurity = "none"', "mail would go to mail.example.com without encryption"),
        (f'{MAIL}smtp = "mail.example.com"\nsecurity = "ssl"', "write one of starttls, tls, none"),
        (r'addresses = { Ada = "a..b@x.org" }', "is no e-mail address"),
        ('user = "ü"\npassword = { env = "A" }', "user: must be plain letters on one line"),
        ('user = "u"', "user and password belong together"),
        ('password = "hunter2"', "a secret must not stand in the config itself"),
        ('password = { env = "A", file = "B" }', 'password: must be { env = "NAME" }'),
        ('user = { env = "A" }', "user: must be text in quotes"),
        ('webhook = { env = "A" }', "webhook and chat belong together"),
        ('chat = "irc"\nwebhook = { env = "A" }', "write one of slack, teams"),
    ],
)  # fmt: skip
def test_a_mistake_is_told(tmp_path: Path, lines: str, says: str) -> None:
    with pytest.raises(InvalidStop) as stop:
        load(tmp_path, lines)
    assert any(says in line for line in stop.value.lines), stop.value.lines
    assert "hunter2" not in str(stop.value)


def test_the_defaults(tmp_path: Path) -> None:
    terms = load(tmp_path, "").digest
    assert (terms.every, terms.items, terms.server, terms.webhook) == (Every.WEEK, 10, None, None)


@pytest.mark.parametrize(
    ("lines", "port", "security"),
    [
        ('smtp = "mail.example.com"', 587, Security.STARTTLS),
        ('smtp = "mail.example.com:25"', 25, Security.STARTTLS),
        ('smtp = "mail.example.com"\nsecurity = "tls"', 465, Security.TLS),
        ('smtp = "localhost"', 25, Security.NONE),
        ('smtp = "[::1]:2525"', 2525, Security.NONE),
        ('smtp = "127.0.0.1"\nsecurity = "starttls"', 587, Security.STARTTLS),
    ],
)
def test_mail_is_encrypted_but_on_this_machine(tmp_path: Path, lines: str, port: int, security: Security) -> None:
    assert server(tmp_path, lines)[1:3] == (port, security)


def test_secrets_are_looked_up_by_what_sends_alone(tmp_path: Path) -> None:
    found = server(tmp_path, 'smtp = "localhost"\nuser = "u"\npassword = { env = "NOT_SET_ANYWHERE" }')
    assert found.password == {"env": "NOT_SET_ANYWHERE"}
