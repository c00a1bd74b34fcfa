"""What an answer means: one table from status to error, and what must be so before a body is believed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

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
from connectors.http.pacing import NEXT_RUN
from connectors.http.secrets import Redactor

LONGEST_QUOTE = 200
"""Characters of a host's own message that a sentence bears."""

LONGEST_READ = 100_000
"""Bytes of a page or a text that are looked at."""

REPEATABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, *range(520, 531)})
"""Statuses after which the same request may be answered well. 520 to 530 are those of a proxy in front of the host."""


@dataclass(frozen=True)
class Answer:
    """One answer as it arrived, whole."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in any case."""
    body: bytes = b""
    path: str = ""
    """Of the request, below `base_url`."""

    @property
    def media(self) -> str:
        """What the body says it is: `application/json`."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def is_json(self) -> bool:
        return bool(re.fullmatch(r"(application|text)/([\w.-]+\+)?json", self.media))

    @property
    def loosely(self) -> Any:
        """The body read as JSON whatever it says it is, or `None`: for refusals, which are often mislabelled."""
        if self.body[:100].lstrip()[:1] not in (b"{", b"["):
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def seconds_until(self, moment: datetime) -> float | None:
        """How long after this answer `moment` is, by the host's own clock; `None` if it did not say what time it is.

        The clocks of two machines differ, so ours is not asked.
        """
        now = server_time(self.headers)
        return max(0.0, (moment - now).total_seconds()) if now else None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a status is to us."""

    error: type[ConnectorError]
    what: str
    next_step: str


MEANINGS: Mapping[int, Meaning] = {
    400: Meaning(SetupError, "does not accept the request", "correct what it names, if that is in the config"),
    401: Meaning(AuthError, "does not accept the credentials", "correct or renew them"),
    402: Meaning(AccessError, "asks for another plan to be paid", "ask the tool's administrator"),
    403: Meaning(AccessError, "does not let these credentials do this", "ask the tool's administrator"),
    404: Meaning(GoneError, "has no such thing, or hides it", "correct the config, or ask for leave to see it"),
    405: Meaning(SetupError, "knows this address, but not for this use", "correct base_url"),
    407: Meaning(AuthError, "is behind a proxy that wants to know who we are", "correct the proxy's settings"),
    408: Meaning(BusyError, "took too long", NEXT_RUN),
    409: Meaning(BusyError, "had another change in hand at that moment", NEXT_RUN),
    410: Meaning(GoneError, "does not offer this any more", "correct the config, or update unstuck"),
    412: Meaning(BusyError, "has a newer state than we knew of", NEXT_RUN),
    413: Meaning(InputError, "finds the request too large", "configure fewer fields or collections"),
    414: Meaning(InputError, "finds the address too long", "configure fewer fields or collections"),
    422: Meaning(SetupError, "does not accept the request", "correct what it names, if that is in the config"),
    423: Meaning(BusyError, "has it locked", NEXT_RUN),
    425: Meaning(BusyError, "is not ready", NEXT_RUN),
    429: Meaning(BusyError, "gets too many requests", NEXT_RUN),
    451: Meaning(AccessError, "may not show this, for legal reasons", "ask the tool's administrator"),
    503: Meaning(BusyError, "is down for a while", NEXT_RUN),
    504: Meaning(BusyError, "took too long", NEXT_RUN),
}
"""Statuses that mean something of their own, by RFC 9110 and RFC 6585."""

BROKEN_HOST = Meaning(BusyError, "has a fault of its own", NEXT_RUN)
STRANGE = Meaning(InputError, "gives an answer that is none of ours", "correct base_url")


def meaning_of(status: int) -> Meaning:
    return MEANINGS.get(status) or (BROKEN_HOST if 500 <= status < 600 else STRANGE)


def refused(host: str, answer: Answer, status: int, redact: Redactor) -> ConnectorError:
    """The error that a refusal is: what it means, with the host's own words. `status` is what it comes down to."""
    meaning = meaning_of(status)
    said = quoted(redact(said_in(answer)))
    error = meaning.error(
        f"{host} {meaning.what} (status {answer.status}{': ' if said else ''}{said})", meaning.next_step
    )
    error.refusal = Refusal(answer.status, said, redacted(answer.loosely, redact))
    return error


def quoted(text: str) -> str:
    """A host's own words, fit for one line of ours."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split()).rstrip(".;:,! ")
    return line if len(line) <= LONGEST_QUOTE else f"{line[: LONGEST_QUOTE - 1]}…"


def redacted(value: Any, redact: Redactor) -> Any:
    """JSON with the secrets taken out of every text in it."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redacted(one, redact) for one in value]
    if isinstance(value, dict):
        return {redact(key): redacted(one, redact) for key, one in value.items()}
    return value


def said_in(answer: Answer) -> str:
    """The host's own message, wherever vendors put it; nothing for a web page but its title."""
    if (data := answer.loosely) is not None:
        return ", ".join(dict.fromkeys(messages_in(data, answer.status)))
    start = answer.body[:LONGEST_READ].decode("utf-8", "replace")
    if is_page(answer):
        title = re.search(r"<title[^>]*>([^<]*)", start, re.IGNORECASE)
        return title[1] if title else ""
    return start if answer.media == "text/plain" else ""


SAYING = (
    "errorMessages",
    "errors",
    "message",
    "errorMessage",
    "error_message",
    "error",
    "detail",
    "title",
    "errorCode",
)
"""Where vendors put their messages: Jira its list and its mapping, Smartsheet and Trello, Jira when it is down,
monday.com, Trello, RFC 9457 twice, and Smartsheet's number."""


def messages_in(data: Any, status: int) -> Iterator[str]:
    """Every text that is a message, in the body of a refusal."""
    if isinstance(data, str | int) and not isinstance(data, bool):
        yield str(data)
    elif isinstance(data, list):
        for one in data[:5]:
            yield from messages_in(one, status)
    elif isinstance(data, dict):
        known = [data[name] for name in SAYING if name in data]
        texts = [value for value in data.values() if isinstance(value, str)][:5] if status >= 400 else []
        for one in known or texts:
            yield from messages_in(one, status)


def is_page(answer: Answer) -> bool:
    return "html" in answer.media or answer.body[:200].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def checked(host: str, answer: Answer, *, reads: bool) -> ConnectorError | None:
    """What is wrong with a good status' body, if anything is. Only what was written may be answered with nothing."""
    if not answer.body:
        return InputError(f"{host} sent an empty answer", NEXT_RUN) if reads else None
    if is_page(answer):
        return of_a_page(host, answer)
    if not answer.is_json:
        kind = quoted(answer.media) or "something that it does not name"
        return InputError(f"{host} answers with {kind}, where data was asked for", "correct base_url")
    return None if is_whole(answer.body) else cut_short(host)


def cut_short(host: str) -> InputError:
    return InputError(f"{host} sent an answer that was cut short", NEXT_RUN)


def of_a_page(host: str, answer: Answer) -> ConnectorError:
    """A web page where data should be is a sign-in page, or a site that is not the tool's."""
    text = answer.body[:LONGEST_READ].lower()
    if b"<form" in text and re.search(rb"type=.?password|sign.?in|log.?in|sso|saml", text):
        return AuthError(
            f"{host} shows a sign-in page where data was asked for", "renew the token, or correct base_url"
        )
    return InputError(
        f"{host} shows a web page where data was asked for", "correct base_url, or wait for a maintenance to end"
    )


def is_whole(body: bytes) -> bool:
    """Whether JSON ends as it began. Costs nothing, and sees what was cut where the host did not say how long it is."""
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    return text[-1:] == {b"{": b"}", b"[": b"]", b'"': b'"'}.get(text[:1], text[-1:])


def parsed(host: str, body: bytes) -> Any:
    """The JSON of a body. Raises `InputError` for what is none, or is too deep or too long for a computer.

    Whole numbers of more than 64 bits lose their last digits; no tool has such.
    """
    with suppress(ValueError):
        return orjson.loads(body)  # takes half the time
    return parsed_leniently(host, body)


def parsed_leniently(host: str, body: bytes) -> Any:
    """The same of what is not strictly JSON, or not UTF-8: halves of pairs, NaN, a mark of the bytes' order."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        reason = quoted(str(error).partition(":")[0]) if isinstance(error, ValueError) else "nested too deeply"
        problem = InputError(f"{host} sent an answer that is not well-formed ({reason})", NEXT_RUN)
    raise problem


# Times


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """The host's own clock, from the `Date` that every answer has (RFC 9110, 6.6.1)."""
    return http_date(headers.get("Date", ""))


def http_date(text: str) -> datetime | None:
    """A date in any of the forms of RFC 9110, 5.6.7, which are all in UTC."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def retry_after(answer: Answer) -> float | None:
    """Seconds that `Retry-After` asks for: whole ones, fractions (which hosts send all the same), or an HTTP date."""
    text = answer.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        return float(text)
    if text.isdigit():
        return 1e9
    moment = http_date(text)
    return answer.seconds_until(moment) if moment else None
