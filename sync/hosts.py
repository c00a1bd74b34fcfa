"""Which addresses stay on this machine."""

from __future__ import annotations

from urllib.parse import urlsplit

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_local(url: str) -> bool:
    """Whether a URL leads to this machine. Raises `ValueError` for what is no URL."""
    return is_local_host(urlsplit(url).hostname or "")


def is_local_host(host: str) -> bool:
    """Whether a host is this machine."""
    return host.lower() in _LOOPBACK
