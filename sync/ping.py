"""A call after each run to a service that raises the alarm when none comes: healthchecks.io and its like.

A GET of the configured URL when the run was fine, and of the URL with `/fail` behind its path when it was not
(https://healthchecks.io/docs/signaling_failures/). No message shows more of the URL than its host:
the rest is a secret.
"""

from __future__ import annotations

import logging
from urllib.parse import urljoin, urlsplit, urlunsplit

from sync.hosts import is_local

SECONDS = 10
_REDIRECTS = 3


def mistake(url: str) -> str | None:
    """Why a URL cannot be pinged, if it cannot."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no URL; copy the whole of it from where it was made"
    if parts.scheme not in ("https", "http") or not host:
        return "is no URL; copy the whole of it from where it was made"
    if parts.username or parts.password:
        return "must not carry a user and password; use a URL of its own for this check"
    if parts.scheme == "http" and not is_local(url):
        return f"goes to {host} without encryption; write https"
    return None


def send(url: str, *, fine: bool) -> str | None:
    """Ping. Returns a sentence if nobody seems to have heard it: a run is not worse for it."""
    import requests

    logging.getLogger("urllib3").setLevel(logging.WARNING)  # it would log the whole URL with --debug
    session = requests.Session()
    session.trust_env = not is_local(url)  # no proxy stands between us and this machine
    target = url if fine else _failed(url)
    try:
        for _ in range(_REDIRECTS):
            with session.get(target, timeout=SECONDS, allow_redirects=False, stream=True) as answer:
                if not answer.is_redirect:
                    return None if answer.ok else _sentence(url, f"was answered with status {answer.status_code}")
                target = urljoin(target, answer.headers["Location"])
            if _origin(target) != _origin(url):
                return _sentence(url, "was sent on to another host, which is refused")
    except (requests.RequestException, ValueError) as error:
        return _sentence(url, f"did not get through ({type(error).__name__})")
    return _sentence(url, "was sent on and on")


def _failed(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/fail"))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _sentence(url: str, what: str) -> str:
    return f"[metrics] ping: the call to {urlsplit(url).hostname} {what}; look at the URL, and whether the host is up."
