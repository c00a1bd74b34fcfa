"""One source's way to its host."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import requests

from connectors.errors import InputError
from connectors.http.answers import parsed
from connectors.http.origin import Origin
from connectors.http.pacing import Limits, Traffic
from connectors.http.policy import Policy
from connectors.http.secrets import Credentials
from connectors.http.transport import Promise, Transport

Params = Mapping[str, str | int | list[str]]


class Session(requests.Session):
    """A session whose requests may name an address that a client has built in; they go to `base_url` instead."""

    def __init__(self, origin: Origin, known_as: str | None) -> None:
        super().__init__()
        self._origin, self._known_as = origin, known_as.rstrip("/") if known_as else None

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        if self._known_as and str(request.url).startswith(f"{self._known_as}/"):
            request.url = self._origin.url(str(request.url)[len(self._known_as) :])
        return super().prepare_request(request)


class Http:
    """JSON from and to one host. Every method raises a `ConnectorError`, and nothing else.

    Making one reaches nothing, and says nothing yet of a bad `base_url`. `path` is below `base_url`, or a whole URL
    of the same origin. `known_as` is the address that a client has built in, if it cannot be told another.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        writable: bool = False,
        policy: Policy | None = None,
        limits: Limits | None = None,
        stopping: threading.Event | None = None,
        known_as: str | None = None,
    ) -> None:
        self._origin = Origin(base_url)
        self._transport = Transport(
            self._origin,
            credentials,
            writable=writable,
            policy=policy or Policy(),
            limits=limits or Limits(),
            stopping=stopping or threading.Event(),
        )
        self.session: requests.Session = self.mount(Session(self._origin, known_as))
        self.session.headers.update({"Accept": "application/json", "User-Agent": "unstuck"})

    def mount(self, session: requests.Session) -> requests.Session:
        """Let a client's own session go this way, and no other. It needs no credentials; they are added underneath."""
        session.adapters.clear()
        session.trust_env = False  # it would look through the environment for each request; the transport does it once
        for scheme in ("https://", "http://"):
            session.mount(scheme, self._transport)
        return session

    @property
    def traffic(self) -> Traffic:
        """What it cost so far, for the summary."""
        return self._transport.traffic

    def redact(self, text: str) -> str:
        """A text without the secrets of this source."""
        return self._transport.redact(text)

    def get_json(self, path: str, params: Params | None = None) -> Any:
        """The JSON of a GET."""
        return self._json(self.send("GET", path, params=params))

    def post_json(
        self, path: str, body: object, *, params: Params | None = None, promise: Promise | None = None
    ) -> Any:
        """The JSON of a POST, or `None` for a write that is answered with nothing."""
        return self._json(self.send("POST", path, params=params, body=body, promise=promise))

    def put_json(self, path: str, body: object, *, params: Params | None = None) -> Any:
        """The JSON of a PUT, or `None` where that is nothing. A PUT is repeated: it must say what is to be so."""
        return self._json(self.send("PUT", path, params=params, body=body))

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: object = None,
        promise: Promise | None = None,
    ) -> requests.Response:
        """The whole response, for its headers."""
        request = requests.Request(method, self._origin.url(path), params=params, json=body)
        self._origin.check()
        try:
            return self.session.send(self.session.prepare_request(request), promise=promise)
        except requests.RequestException:  # before it came to our transport, which raises its own
            problem = InputError(f"{self._origin.host} names an address that cannot be read", "correct base_url")
        raise problem

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def _json(self, response: requests.Response) -> Any:
        return parsed(self._origin.host, response.content) if response.content else None
