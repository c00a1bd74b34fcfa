"""A real server on the loopback interface that answers just what a test wrote down, byte for byte if need be."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from connectors.fakes.server import Request


@dataclass(frozen=True)
class Reply:
    """One answer. With a `length` that is not the body's, the connection ends where the body does."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    media: str | None = "application/json"
    length: int | None = None
    chunked: bool = False
    piece: int = 1_000_000
    pause: float = 0
    """Seconds after each `piece` bytes of the body."""

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Reply:
        return cls(status, json.dumps(value).encode(), {name.replace("_", "-"): one for name, one in headers.items()})

    @classmethod
    def page(cls, html: str, status: int = 200) -> Reply:
        return cls(status, html.encode(), media="text/html; charset=utf-8")

    def send(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(self.status)
        for name, value in {**({"Content-Type": self.media} if self.media else {}), **self.headers}.items():
            handler.send_header(name, value)
        if self.chunked:
            handler.send_header("Transfer-Encoding", "chunked")
        else:
            handler.send_header("Content-Length", str(len(self.body) if self.length is None else self.length))
        handler.end_headers()
        for start in range(0, len(self.body), self.piece):
            handler.wfile.write(self.body[start : start + self.piece])
            time_to_think(self.pause)
        handler.close_connection = handler.close_connection or self.chunked or self.length is not None


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """End the connection without a word."""
    handler.close_connection = True


def time_to_think(seconds: float) -> None:
    """A pause that does not go through `time.sleep`, which tests replace."""
    if seconds:
        threading.Event().wait(seconds)


Step = Reply | Callable[[BaseHTTPRequestHandler], None]


class Scripted:
    """Plays the steps in turn, and the last one for ever. Keeps every request, and counts connections."""

    def __init__(self, *steps: Step) -> None:
        self.steps = deque(steps or [Reply()])
        self.requests: list[Request] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def seen(self) -> list[str]:
        """Every request, as `METHOD /path?query`."""
        return [f"{request.method} {request.target}" for request in self.requests]

    def encrypt(self, certificate: Path, key: Path) -> None:
        """Speak TLS from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)

    def play(self, *steps: Step) -> None:
        self.steps = deque(steps)

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def _next(self, request: Request) -> Step:
        with self._lock:
            self.requests.append(request)
            return self.steps.popleft() if len(self.steps) > 1 else self.steps[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                server.connections += 1
                super().setup()

            def handle(self) -> None:
                with suppress(ConnectionError, ssl.SSLError):  # whoever asked went away, or speaks otherwise
                    super().handle()

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                request = Request(self.command, self.path, dict(self.headers), self.rfile.read(length))
                step = server._next(request)
                step.send(self) if isinstance(step, Reply) else step(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_CONNECT = handle_any  # noqa: N815

            def log_message(self, *_: object) -> None:
                """The requests are kept; printing them helps nobody."""

        return Handler


@dataclass
class Clock:
    """Time that passes only when somebody sleeps."""

    waits: list[float] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def monotonic(self) -> float:
        return self.started + self.waited

    @property
    def waited(self) -> float:
        return sum(self.waits)
