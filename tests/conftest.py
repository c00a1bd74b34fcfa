"""Shared by all tests: no network beyond loopback, and where the vendors' samples may be found."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Machines are shared and slow at times, so no test is timed; CI tries the same examples each time, people new ones.
settings.register_profile("people", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("people"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "people")

SHARED = Path(__file__).resolve().parents[2] / "shared"
"""Vendors' specs and recorded data may lie beside the checkout; tests that need them skip where they do not."""


@pytest.fixture
def samples() -> Path:
    """The folder of recorded data; skips the test where it is absent."""
    folder = SHARED / "samples"
    if not folder.is_dir():
        pytest.skip("no ../shared/samples beside this checkout")
    return folder


@pytest.fixture
def specs() -> Path:
    """The folder of the vendors' own API descriptions; skips the test where it is absent."""
    folder = SHARED / "specs"
    if not folder.is_dir():
        pytest.skip("no ../shared/specs beside this checkout")
    return folder


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to any host but this one fails the test."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else None
        if host is not None and host not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
