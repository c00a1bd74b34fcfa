"""A chat's webhook: one message into one channel, through the transport that all tools are reached by.

The address is a secret, as whoever has it can post. A POST is repeated only after a 429, which says that nothing was
done; where no answer says what became of it, that is not known.
"""

from __future__ import annotations

from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

from connectors.errors import AccessError, AuthError, ConnectorError, GoneError, SetupError, UnsafeError
from connectors.http import Answer, Credentials, Http, Limits, Policy
from sync import secrets
from sync.digest.memory import Outcome, Result


class ChatPolicy(Policy):
    """Slack: a message a second, 429 with `Retry-After`, and `ok` as plain text where it was taken
    (https://docs.slack.dev/apis/web-api/rate-limits, https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).
    Teams Workflows: four requests a second, and an empty answer with status 202
    (https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using).
    """

    rate = 1
    burst = 1

    def is_fine(self, answer: Answer) -> bool:
        return answer.body.strip() in (b"ok", b"1")


_SECRET = 16
"""Letters; what is shorter in an address is a word like "services"."""

_TO_CORRECT = (SetupError, AuthError, AccessError, GoneError, UnsafeError)
"""Errors after which a person must do something, and nothing was done."""


class Hook:
    """One channel's webhook; use it in a `with`."""

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        inner = (*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query)))
        for secret in (url, parts.path, parts.query, *(part for part in inner if len(part) >= _SECRET)):
            secrets.hide(secret)
        self.host, self._target = parts.netloc, parts._replace(scheme="", netloc="").geturl()
        limits = Limits(connect=min(10, timeout), read=timeout, transfer=timeout, attempts=3, budget=120)
        base = f"{parts.scheme}://{parts.netloc}"
        self._http = Http(base, Credentials(), writable=True, policy=ChatPolicy(), limits=limits)

    def __enter__(self) -> Hook:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._http.close()

    def send(self, payload: object) -> Outcome:
        """Post one message, and what became of it."""
        try:
            self._http.send("POST", self._target, body=payload)
        except ConnectorError as error:
            return _became(error)
        return Outcome(Result.SENT)


def _became(error: ConnectorError) -> Outcome:
    what = secrets.redacted(error.what)
    refused = error.refusal is not None and error.refusal.status < 500
    if refused or error.unsent or isinstance(error, _TO_CORRECT):
        busy = error.refusal is not None and error.refusal.status == 429
        next_step = "try again later" if busy or error.unsent else "correct webhook, or what it leads to"
        return Outcome(Result.REFUSED, f"{what}; {next_step}")
    return Outcome(Result.UNKNOWN, what)
