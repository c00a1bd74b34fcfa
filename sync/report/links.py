"""What may become a link: only what a browser opens as a web page, whatever a tool says is its address."""

from __future__ import annotations

from urllib.parse import urlsplit


def safe(url: str | None) -> str | None:
    """The address if it is one of the web, else None: `javascript:` and its like come from a card as well."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.hostname else None
