"""The adapter that every session carries. One layer owns policy: what is mounted here retries nothing by itself."""

from __future__ import annotations

import http.client
import os
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import requests
import tenacity
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from connectors.errors import BusyError, ConnectorError, InputError, SetupError, UnsafeError
from connectors.http import answers
from connectors.http.answers import Answer, Meaning
from connectors.http.origin import Origin
from connectors.http.pacing import NEXT_RUN, Bucket, Limits, Patience, Traffic, bucket_of, in_words
from connectors.http.policy import Policy
from connectors.http.secrets import QUIET_LOGS, Credentials, Redactor

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 3
PIECE = 65_536
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Doing it twice is doing it once (RFC 9110, 9.2.2)."""


class Promise(Enum):
    """What a connector promises of one request, where the method does not say it."""

    READS = "a POST that only reads, and may be sent by a run that may not write"
    REPEATABLE = "a write that does no harm when it is sent twice"


class _AttemptError(Exception):
    """One attempt's end. Never leaves this module: what it was is in `error`."""

    def __init__(self, error: ConnectorError, *, again: bool = False, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error, self.again, self.wait = error, again, wait


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, and what may be done with it."""

    request: requests.PreparedRequest
    options: Mapping[str, Any]
    path: str
    reads: bool
    repeatable: bool


class Transport(HTTPAdapter):
    """Carries the requests of one source to one origin. Threads may share it.

    Raises a `ConnectorError` for whatever is not a good answer, so that no client gets to see, log or retry one. The
    error comes without causes: those hold requests, and requests hold credentials.
    """

    def __init__(
        self,
        origin: Origin,
        credentials: Credentials,
        *,
        writable: bool,
        policy: Policy,
        limits: Limits,
        stopping: threading.Event,
    ) -> None:
        super().__init__(max_retries=0)
        self.traffic = Traffic(rate=policy.rate)
        self.redact = Redactor(credentials.secrets)
        self._origin, self._credentials, self._writable = origin, credentials, writable
        self._policy, self._limits = policy, limits
        self._patience = Patience(limits.budget, stopping, self.traffic)
        self._bucket = bucket_of(origin.key, policy.rate, policy.burst)

    def send(
        self, request: requests.PreparedRequest, *_: Any, promise: Promise | None = None, **options: Any
    ) -> requests.Response:
        """Send a request until it is answered well. Raises a `ConnectorError`, and nothing else.

        `Session.send` hands every option through by its name, `promise` too.
        """
        QUIET_LOGS.watch(self.redact)
        try:
            return self._carried(request, options, promise)
        except ConnectorError as error:
            problem = without_secrets(error, self.redact)
        raise problem

    def close(self) -> None:
        """Close the connections. The host's bucket is forgotten with the last source that is open."""
        super().close()
        self._bucket = Bucket(self._policy.rate, self._policy.burst)

    def _carried(
        self, request: requests.PreparedRequest, options: Mapping[str, Any], promise: Promise | None
    ) -> requests.Response:
        asked = self._allowed(request, options, promise)
        for _redirect in range(1 + MOST_REDIRECTS):
            response = self._patiently(asked)
            if response.status_code not in REDIRECTS:
                return response
            asked = self._redirected(asked, response)
        raise InputError(f"{self._origin.host} sends us around in circles", "correct base_url")

    # Before anything is sent.

    def _allowed(
        self, request: requests.PreparedRequest, options: Mapping[str, Any], promise: Promise | None
    ) -> _Asked:
        """The request, if it may be sent at all. Raises `SetupError` or `UnsafeError`."""
        method, url = (request.method or "GET").upper(), request.url or ""
        self._origin.lock(url)
        if self.redact.sees(url):
            raise UnsafeError("a credential was about to be sent in an address", "report this: it is a fault of ours")
        path = self._origin.path(url)
        reads = promise is Promise.READS or self._policy.reads(method, path, body_of(request))
        if not reads and not self._writable:
            raise UnsafeError(
                f"this run may not write, and {method} {path} would",
                "start it with --apply if the labels are to be written",
            )
        repeatable = reads or method in IDEMPOTENT or promise is Promise.REPEATABLE
        return _Asked(request, options, path, reads and method != "HEAD", repeatable)

    def _redirected(self, asked: _Asked, response: requests.Response) -> _Asked:
        """What to ask instead. Only reading is redirected, and only within the origin."""
        target = self._origin.redirected(asked.request.url or "", response.headers.get("Location", ""))
        if asked.request.method not in ("GET", "HEAD"):
            raise InputError(
                f"{self._origin.host} answers a {asked.request.method} by sending us elsewhere", "correct base_url"
            )
        request = asked.request.copy()
        request.url = target
        return self._allowed(request, asked.options, None)

    # Attempts.

    def _patiently(self, asked: _Asked) -> requests.Response:
        """Try as often as it can help and the budget lasts."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, _AttemptError) and error.again),
            stop=tenacity.stop_after_attempt(self._limits.attempts),
            wait=self._wait,
            sleep=self._rest,
            reraise=True,
        )
        try:
            return retrying(self._once, asked)
        except _AttemptError as failed:
            error = failed.error
        raise error

    def _rest(self, seconds: float) -> None:
        self._patience.spend(seconds)
        self.traffic.add(repeats=1)

    _backoff = staticmethod(tenacity.wait_exponential_jitter(multiplier=2, max=30, jitter=1))

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Seconds until the next attempt: what the host asked for, or longer each time."""
        failed = state.outcome.exception() if state.outcome else None
        asked = failed.wait if isinstance(failed, _AttemptError) else None
        return asked if asked is not None and asked >= 1 else float(self._backoff(state))

    def _once(self, asked: _Asked) -> requests.Response:
        """One attempt. Raises `_AttemptError`, without a cause."""
        self._patience.queue(self._bucket.take(self._policy.cost(asked.request.method or "", asked.path)))
        response = self._exchange(asked)
        answer = Answer(response.status_code, response.headers, response.content, asked.path)
        if failed := self._judge(answer, asked):
            raise failed
        return response

    def _exchange(self, asked: _Asked) -> requests.Response:
        """Send, and read all of the answer."""
        try:
            response = super().send(self._sealed(asked.request), **self._options(asked.options))
            with response:
                self._read(response)
        except _AttemptError as failed:
            problem = failed
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            problem = self._no_answer(error, asked)
        else:
            response.request, response.url = asked.request, asked.request.url or ""
            return response
        raise problem

    def _sealed(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """A copy that lets us in. The one that clients hold, log and put into their errors has no credentials."""
        sealed = request.copy()
        sealed.headers.update(self._credentials.headers)
        self.traffic.add(requests=1, sent=len(body_of(request)))
        return sealed

    def _options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Of a session's options, those that are ours to decide."""
        return {
            **given,
            "stream": True,
            "timeout": (self._limits.connect, self._limits.read),
            "verify": own_certificates() or True,
            "proxies": self._proxies,
        }

    @cached_property
    def _proxies(self) -> Mapping[str, str]:
        """Those that the environment names for the host."""
        return {} if self._origin.is_loopback else get_environ_proxies(self._origin.base_url)

    def _read(self, response: requests.Response) -> None:
        """Read the body, up to its limits in size and time."""
        body = BytesIO()  # pieces in a list would take the body's memory twice
        size, ends_at = 0, time.monotonic() + self._limits.transfer
        while piece := response.raw.read1(PIECE, decode_content=True):  # whatever came, so that a trickle is seen
            size += body.write(piece)
            if size > self._limits.body:
                raise _AttemptError(
                    InputError(
                        f"{self._origin.host} sent more than {self._limits.body // 1_000_000} MB in one answer",
                        "configure fewer fields or collections",
                    )
                )
            if time.monotonic() > ends_at:
                raise _AttemptError(
                    BusyError(
                        f"{self._origin.host} took more than {in_words(self._limits.transfer)} for one answer", NEXT_RUN
                    )
                )
        response._content = body.getvalue()  # where `content` and `json()` of a read response look
        self.traffic.add(received=size)

    # What came of it.

    def _judge(self, answer: Answer, asked: _Asked) -> _AttemptError | None:
        """What is wrong with an answer, if anything is. The bucket hears of limits that are near."""
        status = self._policy.status(answer)
        if (pause := self._policy.pause(answer)) > 0:
            self._bucket.hold(pause)
        if status in REDIRECTS:
            return None
        if 200 <= status < 300:
            fine = self._policy.is_fine(answer)
            error = None if fine else answers.checked(self._origin.host, answer, reads=asked.reads)
            cut = error is not None and not answers.is_whole(answer.body) and answer.is_json
            return _AttemptError(error, again=cut and asked.repeatable) if error else None
        return self._refused(answer, status, asked)

    def _refused(self, answer: Answer, status: int, asked: _Asked) -> _AttemptError:
        error = answers.refused(self._origin.host, answer, status, self.redact)
        may = status == 429 or (status in answers.REPEATABLE and asked.repeatable)
        if not may or self._policy.is_hopeless(answer):
            return _AttemptError(error)
        asks = (answers.retry_after(answer), self._policy.wait(answer))
        wait = max((seconds for seconds in asks if seconds is not None), default=None)
        if status == 429 and not self._policy.is_of_one_item(answer):
            self._bucket.hold(wait or 0)
        if wait and not self._patience.affords(wait):
            return _AttemptError(too_long(error, wait))
        return _AttemptError(error, again=True, wait=wait)

    def _no_answer(self, error: Exception, asked: _Asked) -> _AttemptError:
        """A connection that failed: repeated where that is safe, or where nothing was sent at all."""
        problem = describe(self._origin.host, error)
        problem.unsent = is_unsent(error)
        if isinstance(problem, SetupError):
            return _AttemptError(problem)
        return _AttemptError(problem, again=asked.repeatable or problem.unsent)


# What connections end with.


UNMADE = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
"""The connection was never made, so the host cannot have done anything."""

ENDINGS: tuple[tuple[tuple[type[Exception], ...], Meaning], ...] = (
    (
        (ssl.SSLCertVerificationError,),
        Meaning(SetupError, "does not prove who it is", "correct base_url, or let this machine trust its certificate"),
    ),
    (
        (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError),
        Meaning(SetupError, "is behind a proxy that does not let us through", "correct the proxy's settings"),
    ),
    (
        (*UNMADE, requests.exceptions.SSLError, urllib3.exceptions.SSLError),
        Meaning(BusyError, "cannot be reached", "the next run tries again; correct base_url if it stays so"),
    ),
    (
        (requests.Timeout, urllib3.exceptions.TimeoutError),
        Meaning(BusyError, "does not answer in time", NEXT_RUN),
    ),
    (
        (http.client.IncompleteRead, urllib3.exceptions.InvalidChunkLength, urllib3.exceptions.DecodeError),
        Meaning(InputError, "sent an answer that was cut short", NEXT_RUN),
    ),
    (
        (ValueError,),
        Meaning(SetupError, "cannot be asked", "correct credentials that hold line breaks or letters of no header"),
    ),
    ((OSError,), Meaning(BusyError, "broke off the connection", NEXT_RUN)),
)
"""What became of a connection; the first that fits. An error's own text names addresses, and is not for people."""


def describe(host: str, error: Exception) -> ConnectorError:
    """What became of a connection, in words."""
    parts = within(error)
    fitting = (meaning for kinds, meaning in ENDINGS if any(isinstance(part, kinds) for part in parts))
    meaning = next(fitting, answers.BROKEN_HOST)
    return meaning.error(f"{host} {meaning.what}", meaning.next_step)


def is_unsent(error: Exception) -> bool:
    return any(isinstance(part, UNMADE) for part in within(error))


def within(error: BaseException) -> list[object]:
    """An error and those that it was made from: urllib3 wraps them as arguments and reasons."""
    found: list[object] = [error]
    for one in found:
        if isinstance(one, BaseException) and len(found) < 20:
            found += [inner for inner in (*one.args, getattr(one, "reason", None)) if isinstance(inner, BaseException)]
    return found


def too_long(error: ConnectorError, wait: float) -> BusyError:
    """The refusal of a host that asks for more patience than a run has."""
    busy = BusyError(f"{error.what} and asks us to wait for {in_words(wait)}", NEXT_RUN)
    busy.refusal = error.refusal
    return busy


def without_secrets(error: ConnectorError, redact: Redactor) -> ConnectorError:
    """The same error, and nothing that a host could have smuggled into it, nor where it came from."""
    clean = type(error)(redact(error.what), redact(error.next_step))
    clean.refusal, clean.unsent = error.refusal, error.unsent
    return clean


def body_of(request: requests.PreparedRequest) -> bytes:
    body = request.body
    return body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""


def own_certificates() -> str | None:
    """The bundle that this machine is told to trust, which requests asks for only in some of its ways to send."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if path := os.environ.get(name):
            if not Path(path).exists():
                raise _AttemptError(SetupError(f"{name} names {path}, which is not there", "correct or unset it"))
            return path
    return None
