"""Which addresses stay on this machine."""

from __future__ import annotations

from urllib.parse import urlsplit

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_local(url: str) -> bool:
    """Whether a URL leads to this machine. Raises `ValueError` for what is no URL."""
    return urlsplit(url).hostname in _LOOPBACK
