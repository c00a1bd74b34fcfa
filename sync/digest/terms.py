"""The table `[digest]` of config.toml: what is known of it before anything is gathered or sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from sync import durations
from sync.hosts import is_local_host

Wrong = Callable[[str, str], None]
"""Told of a mistake: the key, and why it is one."""

Reference = Mapping[str, str]
"""Where a secret is. It is looked up only by what sends: a run and a plan do without."""


class By(StrEnum):
    """Whom digests are for."""

    OWNER = "owner"
    SPONSOR = "sponsor"
    PROJECT = "project"


class Every(StrEnum):
    """The stretch of time in which nobody gets more than one. Weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Security(StrEnum):
    """How mail is protected on its way to the server."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class Chat(StrEnum):
    """What a webhook leads to."""

    SLACK = "slack"
    TEAMS = "teams"


PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"(?=.{{1,254}}$)(?!.{{65,}}@){_ATOM}(\.{_ATOM})*@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]{{2,}}")
"""RFC 5321's Mailbox, without what is quoted: at most 64 letters before the @."""
_SENDER = re.compile(r"(?:([^<>\r\n]*?)\s*<([^<>\s]+)>|([^<>\s]+))")
_BLANKS = ("{first}", "{last}", "{initial}")


def is_address(text: str) -> bool:
    """Whether it is one plain e-mail address: nothing in it could be taken for a second one, or for a header."""
    return bool(_ADDRESS.fullmatch(text))


class Server(NamedTuple):
    """Where mail is handed over."""

    host: str
    port: int
    security: Security
    user: str | None
    password: Reference | None
    sender: tuple[str, str]
    """Name and address."""


@dataclass(frozen=True, slots=True)
class Terms:
    """`[digest]`, checked. Names of people are folded (`folded`) where they are keys."""

    by: By = By.OWNER
    every: Every = Every.WEEK
    items: int = 10
    most: int = 200
    send: bool = True
    opt_out: tuple[str, ...] = ()
    """Names of files, or globs."""
    addresses: Mapping[str, str] | None = None
    domains: tuple[str, ...] = ()
    pattern: str | None = None
    unsubscribe: str | None = None
    server: Server | None = None
    webhook: Reference | None = None
    chat: Chat = Chat.SLACK
    timeout: float = 30.0
    """Seconds."""


def folded(name: str) -> str:
    """A person's name as it is compared: capitals and spaces make no difference, and neither does the tool."""
    return " ".join(name.split()).casefold()


_TABLES = ("addresses", "password", "webhook")


def read(table: Mapping[str, Any], given: object, wrong: Wrong) -> Terms:
    """The terms from the table with its defaults, and as it was `given`; `wrong` hears of each mistake.

    A text of it is no reference as other tables may have: what looks at digests looks up no secrets.
    """
    texts = {key: value for key, value in given.items() if key not in _TABLES} if isinstance(given, dict) else {}
    for key in (key for key, value in texts.items() if isinstance(value, dict)):
        wrong(f"digest.{key}", "must be text in quotes; only password and webhook are looked up elsewhere")
    for domain in table["domains"] or ():
        if not is_address(f"x@{domain}"):
            wrong("digest.domains", f'"{domain}" is no domain; write what stands behind the @: "example.com"')
    return Terms(
        by=_one_of(By, "by", table["by"], wrong),
        every=_one_of(Every, "every", table["every"], wrong),
        items=_at_least_one("items", table, wrong),
        most=_at_least_one("most", table, wrong),
        send=table["send"],
        opt_out=tuple(table["opt_out"] or ()),
        addresses=_addresses(table["addresses"] or {}, wrong),
        domains=tuple(domain.casefold() for domain in table["domains"] or ()),
        pattern=_pattern(table["pattern"], wrong),
        unsubscribe=_unsubscribe(table["unsubscribe"], wrong),
        server=_server(table, wrong),
        webhook=table["webhook"],
        chat=_chat(table, wrong),
        timeout=_timeout(table["timeout"], wrong),
    )


_Kind = TypeVar("_Kind", bound=StrEnum)


def _one_of(kind: type[_Kind], key: str, word: str, wrong: Wrong) -> _Kind:
    known = {each.value: each for each in kind}
    if word not in known:
        wrong(f"digest.{key}", f'"{word}" is not possible; write one of {", ".join(known)}')
    return known.get(word, next(iter(kind)))


def _at_least_one(key: str, table: Mapping[str, Any], wrong: Wrong) -> int:
    number: int = table[key]
    if number < 1:
        wrong(f"digest.{key}", f"must be 1 or more, and is {number}")
    return number


def _addresses(table: Mapping[str, str], wrong: Wrong) -> Mapping[str, str]:
    for name, address in table.items():
        if not is_address(address):
            wrong(f'digest.addresses."{name}"', f'"{address}" is no e-mail address; write one like ada@example.com')
    return {folded(name): address for name, address in table.items()}


def _pattern(pattern: str | None, wrong: Wrong) -> str | None:
    if pattern is not None:
        filled = pattern.format_map(dict.fromkeys(("first", "last", "initial"), "x")) if _fits(pattern) else ""
        if filled == pattern or not is_address(filled):
            wrong("digest.pattern", f'"{pattern}" makes no address; write it like "{{first}}.{{last}}@example.com"')
    return pattern


def _fits(pattern: str) -> bool:
    """Whether nothing but the known blanks stands in braces."""
    return not re.search(r"[{}]", re.sub("|".join(map(re.escape, _BLANKS)), "", pattern))


def _sender(table: Mapping[str, Any], wrong: Wrong) -> tuple[str, str]:
    text = table["from"]
    if text is None and table["smtp"] is not None:
        wrong("digest.from", 'is missing: mail needs a sender, like "PMO <pmo@example.com>"')
    if text is None:
        return "", ""
    found = _SENDER.fullmatch(text.strip())
    address = (found[2] or found[3]) if found else ""
    if not found or not is_address(address):
        wrong("digest.from", f'"{text}" is no sender; write one like "PMO <pmo@example.com>"')
    return ((found[1] or "").strip('" ') if found else "", address)


def _unsubscribe(address: str | None, wrong: Wrong) -> str | None:
    if address is not None and not is_address(address):
        wrong("digest.unsubscribe", f'"{address}" is no e-mail address; name one that a person reads')
    return address


def _server(table: Mapping[str, Any], wrong: Wrong) -> Server | None:
    sender, user = _sender(table, wrong), table["user"] or ""
    if (table["user"] is None) != (table["password"] is None):
        wrong("digest.user", "user and password belong together; write both, or neither")
    if not user.isascii() or not user.isprintable():
        wrong("digest.user", "must be plain letters on one line: mail servers know no others")
    if table["smtp"] is None:
        return None
    found = re.fullmatch(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", table["smtp"])
    if not found or not 0 < int(found[2] or 25) < 65_536:
        wrong("digest.smtp", f'"{table["smtp"]}" is no mail server; write its name, and its port if that is unusual')
        return None
    host = found[1].strip("[]")
    security = _security(table["security"], host, wrong)
    return Server(host, int(found[2] or PORTS[security]), security, table["user"], table["password"], sender)


def _security(word: str | None, host: str, wrong: Wrong) -> Security:
    local = is_local_host(host)
    if word is None:
        return Security.NONE if local else Security.STARTTLS
    security = _one_of(Security, "security", word, wrong)
    if security is Security.NONE and not local:
        wrong("digest.security", f"mail would go to {host} without encryption; write starttls or tls")
    return security


def _chat(table: Mapping[str, Any], wrong: Wrong) -> Chat:
    if (table["webhook"] is None) != (table["chat"] is None):
        wrong("digest.chat", 'webhook and chat belong together; write both, with chat = "slack" or "teams"')
    return Chat.SLACK if table["chat"] is None else _one_of(Chat, "chat", table["chat"], wrong)


def _timeout(text: str, wrong: Wrong) -> float:
    try:
        return durations.seconds(text)
    except ValueError as error:
        wrong("digest.timeout", str(error))
        return 30.0
