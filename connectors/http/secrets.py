"""Secrets stay home: what lets us in is added at the last moment, and taken out of all that people or logs see."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

HIDDEN = "[secret]"
LEAST = 4
"""Shorter texts are no secrets: taking each "a" out of a message would help nobody."""

HEADERS = re.compile(r"\b(basic|bearer)\s+[^\s,;'\"<>&{}]{4,}|\b(oauth_\w+)\s*=\s*\"?[^\",\s]+\"?", re.IGNORECASE)
"""Credentials in a header's form, as error pages repeat them, of whomever they are."""

CLIENTS = frozenset({"urllib3", "requests", "requests_oauthlib", "oauthlib", "jira", "smartsheet", "trello"})
"""First parts of the names of loggers that tell of requests."""


@dataclass(frozen=True)
class Credentials:
    """The headers that let us in, and the secrets in them."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def bearer(cls, token: str) -> Credentials:
        return cls({"Authorization": f"Bearer {token}"}, (token,))

    @classmethod
    def basic(cls, user: str, password: str) -> Credentials:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return cls({"Authorization": f"Basic {pair}"}, (password, pair))

    @classmethod
    def header(cls, value: str, *secrets: str) -> Credentials:
        """`Authorization` in a vendor's own form; `secrets` are the parts of `value` that are secret."""
        return cls({"Authorization": value}, secrets)


class Redactor:
    """Takes the secrets out of texts, in every form in which a URL, a page or a log could show them, in any case."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if len(secret) >= LEAST for form in forms_of(secret)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)", re.IGNORECASE)

    def __call__(self, text: str) -> str:
        return HEADERS.sub(lambda found: f"{found[1] or found[2]} {HIDDEN}", self._pattern.sub(HIDDEN, text))

    def sees(self, text: str) -> bool:
        """Whether a secret is in the text."""
        return bool(self._pattern.search(text))


def forms_of(secret: str) -> Iterator[str]:
    """A secret as it stands, and as URLs, JSON, HTML, Python and Basic authentication would write it."""
    yield from (secret, quote(secret), quote(secret, safe=""), quote_plus(secret))
    yield from (html.escape(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1])
    yield base64.b64encode(secret.encode()).decode()


class QuietLogs(logging.Filter):
    """Redacts what the clients log, for as long as a redactor is in use."""

    def __init__(self) -> None:
        super().__init__()
        self._redactors: weakref.WeakSet[Redactor] = weakref.WeakSet()
        self._guard = threading.RLock()  # a signal may log while its own thread is in here

    def watch(self, redactor: Redactor) -> None:
        """Redact with this one too. To be called when the clients are imported, since they make their loggers then."""
        with self._guard:
            self._redactors.add(redactor)
        for name in list(logging.root.manager.loggerDict):
            if name.partition(".")[0] in CLIENTS:
                logging.getLogger(name).addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        shown = logging.Formatter().formatException(record.exc_info) if record.exc_info else None
        with self._guard:
            redactors = list(self._redactors)
        for redactor in redactors:
            text, shown = redactor(text), redactor(shown) if shown else None
        record.msg, record.args = text, ()
        if shown:
            record.exc_info, record.exc_text = None, shown
        return True


QUIET_LOGS = QuietLogs()
