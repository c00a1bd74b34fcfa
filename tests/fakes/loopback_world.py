"""What worlds of tools behind HTTP share: a fake of the tool, and the stranger to whom redirects and links lead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from connectors.contract_http import FOREVER, HttpWorld
from connectors.fakes.server import Answer, BadDay, FakeServer, Request


class Fake(Protocol):
    """A tool behind a server on this machine."""

    server: FakeServer

    def answer(self, request: Request) -> Answer:
        """What the tool says to a request."""
        ...

    def close(self) -> None: ...


class LoopbackWorld(HttpWorld):
    """A world that stands behind `fake`. What people do in it is the subclass's to say."""

    def __init__(self, fake: Fake) -> None:
        self._fake = fake
        self.stranger = FakeServer(fake.answer)
        fake.server.elsewhere = self.stranger.url

    def close(self) -> None:
        self._fake.close()
        self.stranger.close()

    def ruin(self) -> None:
        self.next(BadDay.SERVER_ERROR, FOREVER)

    def next(self, bad_day: BadDay, times: int = 1, after: int = 0) -> None:
        self._fake.server.next(bad_day, times, after)

    def requests(self) -> Sequence[str]:
        return asked(self._fake.server)

    def elsewhere(self) -> Sequence[str]:
        return asked(self.stranger)


def asked(server: FakeServer) -> list[str]:
    return [f"{request.method} {request.target}" for request in server.requests]
