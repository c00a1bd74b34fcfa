"""What may become a link: only what a browser opens as a web page, whatever a tool says is its address."""

from __future__ import annotations

import re

_WEB = re.compile(r"https?://[^\s/]", re.IGNORECASE | re.ASCII)


def safe(url: str | None) -> str | None:
    """The address if it is one of the web, else None: `javascript:` and its like come from a card as well."""
    return url if url and _WEB.match(url) else None
