"""Where requests may go: to one origin, and nowhere else."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urljoin, urlsplit

import requests

from connectors.errors import SetupError, UnsafeError

PORTS = {"http": 80, "https": 443}


class Origin:
    """Scheme, host and port of a `base_url`, and the path that everything asked for lies below."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.strip().rstrip("/")
        self._own = urlsplit(normal(self.base_url))

    @property
    def host(self) -> str:
        """Name, and port where it is not the usual one: what messages call the host."""
        return self._own.netloc.rpartition("@")[2] or self.base_url

    @property
    def key(self) -> str:
        """What two origins that are the same have in common."""
        return "{}://{}:{}".format(*place(self._own))

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine: there alone `http://` will do, and no proxy is asked."""
        return is_loopback(self._own.hostname or "")

    def url(self, path: str) -> str:
        """The whole URL of `path`, which may be one already: a link, as a page names the next one."""
        return path if "://" in path else f"{self.base_url}/{path.lstrip('/')}"

    def path(self, url: str) -> str:
        """The path of a URL below `base_url`, starting with `/`, or the whole path if it is not below."""
        whole = urlsplit(url).path
        base = self._own.path.rstrip("/")
        return whole[len(base) :] if whole.startswith(f"{base}/") else whole

    def redirected(self, url: str, location: str) -> str:
        """Where a redirect leads. Raises `UnsafeError` if that is another origin."""
        try:
            target = normal(urljoin(url, location))
        except ValueError:
            target = ""
        if not target or place(urlsplit(target)) != place(self._own):
            elsewhere = urlsplit(target).hostname or "an address that cannot be read"
            raise UnsafeError(
                f"{self.host} sends us on to another site, {elsewhere}",
                "correct base_url if it moved; a sign-in page there means that this address is not for programs",
            )
        return target

    def lock(self, url: str) -> None:
        """Refuse a URL that is not ours. Raises `SetupError` for a bad base_url, `UnsafeError` for another origin."""
        self.check()
        if place(urlsplit(url)) != place(self._own):
            raise UnsafeError(
                f"a link leads from {self.host} to {urlsplit(url).hostname or 'nowhere'}, which is another site",
                "correct base_url if the tool moved there",
            )

    def check(self) -> None:
        """Refuse a `base_url` that is no URL, is not encrypted, or holds a password."""
        if not self._own.hostname or self._own.scheme not in PORTS:
            raise SetupError("base_url is not an address of a site", "write it as https://… and the site's name")
        if self._own.username or self._own.password:
            raise SetupError("base_url holds a name or a password", "give credentials by the keys that are for them")
        if self._own.query or urlsplit(self.base_url).fragment:
            raise SetupError("base_url goes on after its path", "cut it off at the ? or #")
        if self._own.scheme != "https" and not self.is_loopback:
            raise SetupError(
                f"base_url does not start with https, and {self.host} is not this machine", "write it with https"
            )


def normal(url: str) -> str:
    """The URL as it would be sent, or an empty text if it is none."""
    prepared = requests.PreparedRequest()
    try:
        prepared.prepare_url(url, None)
    except (requests.RequestException, ValueError):
        return ""
    return prepared.url or ""


def place(url: SplitResult) -> tuple[str, str, int | None]:
    """Scheme, host and port, with the port that a scheme stands for."""
    try:
        port = url.port
    except ValueError:
        port = -1
    return url.scheme.lower(), (url.hostname or "").lower(), port or PORTS.get(url.scheme.lower())


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
