"""A scripted host, another that nobody may ask, and time that passes only in waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from connectors.http import Credentials, Http
from tests.fakes.scripted import Clock, Scripted

TOKEN = "T0k3n/With+Signs=="

Opener = Callable[..., Http]


@pytest.fixture
def server() -> Iterator[Scripted]:
    server = Scripted()
    yield server
    server.close()


@pytest.fixture
def stranger() -> Iterator[Scripted]:
    """Another host, which would answer just as well."""
    server = Scripted()
    yield server
    server.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "sleep", clock.sleep)
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    return clock


@pytest.fixture
def opened(server: Scripted) -> Iterator[Opener]:
    """Makes a way to the scripted host; the keywords are those of `Http`."""
    with ExitStack() as stack:

        def make(base_url: str | None = None, **options: Any) -> Http:
            http = Http(server.url if base_url is None else base_url, Credentials.bearer(TOKEN), **options)
            stack.callback(http.close)
            return http

        yield make


@pytest.fixture
def http(opened: Opener) -> Http:
    """A way to the scripted host that may only read."""
    return opened()


@pytest.fixture
def writing(opened: Opener) -> Http:
    return opened(writable=True)
