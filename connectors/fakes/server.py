"""A real HTTP server on the loopback interface, for any fake tool, with bad days to order by the back door."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from requests.structures import CaseInsensitiveDict


class BadDay(StrEnum):
    """What can befall a request."""

    BUSY = "429 with Retry-After: 7"
    SERVER_ERROR = "500"
    CUT = "the connection is cut in the middle of the answer's body, after the request was carried out"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    HTML = "200 with a page of HTML"
    REDIRECT = "302 to `FakeServer.elsewhere`"
    LINK = "a good page whose link to the next one leads to `FakeServer.elsewhere`"


RETRY_AFTER = 7
"""Seconds that `BadDay.BUSY` asks to wait."""


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    method: str
    target: str
    """The path with its query."""
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What the tool says to a request."""

    status: int = 200
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """The body ready made, in place of `json`."""

    def to_bytes(self) -> bytes:
        if self.status == 204:
            return b""
        return json.dumps(self.json).encode() if self.body is None else self.body


class FakeServer:
    """Serves `answer` in threads until it is closed, and keeps every request."""

    def __init__(self, answer: Callable[[Request], Answer], port: int = 0) -> None:
        """`port` is any free one unless it is named. Raises `OSError` if that is taken."""
        self.answer = answer
        self.requests: list[Request] = []
        self.elsewhere = ""
        """Where redirects and links lead on a bad day: the URL of another server."""
        self.latency = 0.0
        """Seconds before each answer. They are waited without `time.sleep`, which tests of waiting replace."""
        self._bad_day: BadDay | None = None
        self._bad_times = self._good_times = 0
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def next(self, bad_day: BadDay, times: int = 1, after: int = 0) -> None:
        """Let the next `times` requests meet `bad_day`, once `after` good ones went through."""
        with self._lock:
            self._bad_day, self._bad_times, self._good_times = bad_day, times, after

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _take(self, request: Request) -> BadDay | None:
        """Note a request, and what befalls it."""
        with self._lock:
            self.requests.append(request)
            if self._good_times or not self._bad_times:
                self._good_times = max(0, self._good_times - 1)
                return None
            self._bad_times -= 1
            return self._bad_day

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                request = Request(
                    self.command, self.path, CaseInsensitiveDict(self.headers.items()), self.rfile.read(length)
                )
                server._reply(self, request, server._take(request))

            do_GET = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815 - the names are http.server's

            def log_message(self, *_: object) -> None:
                """The requests are kept; printing them helps nobody."""

        return Handler

    def _reply(self, handler: BaseHTTPRequestHandler, request: Request, bad_day: BadDay | None) -> None:
        if self.latency:
            threading.Event().wait(self.latency)
        if bad_day is None or bad_day in (BadDay.CUT, BadDay.LINK):
            answer = self.answer(request)
            body = answer.to_bytes()
            if bad_day is BadDay.LINK:
                body = body.replace(self.url.encode(), self.elsewhere.encode())
            send(handler, answer.status, answer.headers, body, cut=bad_day is BadDay.CUT)
            return
        status, headers = self._bad_head(bad_day, request)
        echo = f"<html><body>Sorry! You sent {request.target} {dict(request.headers)}</body></html>"
        send(handler, status, headers, echo.encode())

    def _bad_head(self, bad_day: BadDay, request: Request) -> tuple[int, Mapping[str, str]]:
        """Status and headers of an answer that is nothing but a bad day."""
        return {
            BadDay.BUSY: (429, {"Retry-After": str(RETRY_AFTER)}),
            BadDay.SERVER_ERROR: (500, {}),
            BadDay.UNAUTHORIZED: (401, {}),
            BadDay.FORBIDDEN: (403, {}),
            BadDay.HTML: (200, {"Content-Type": "text/html"}),
            BadDay.REDIRECT: (302, {"Location": self.elsewhere + request.target}),
        }[bad_day]


def send(
    handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], body: bytes, *, cut: bool = False
) -> None:
    """Answer; with `cut`, half of the body is missing and the connection ends."""
    handler.send_response_only(status)
    usual = {"Date": handler.date_time_string(), "Content-Type": "application/json"}
    length = {} if status == 204 else {"Content-Length": str(len(body))}
    for name, value in {**usual, **headers, **length}.items():
        handler.send_header(name, value)
    try:
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2] if cut else body)
    except OSError:  # whoever asked is not there any more
        cut = True
    handler.close_connection = handler.close_connection or cut
