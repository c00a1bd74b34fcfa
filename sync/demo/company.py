"""The company: its tools on this machine, its people, and a log from which both are made again.

What a tool holds is nowhere saved as such. The seed says what it held on the first day, and the log what came since:
days that went by, and requests that wrote. Both are repeated in their order when the demo starts again, and as nothing
in them is left to chance, so comes out what was there. A request is in the log before it is answered, so that a killed
demo has lost nothing that it had promised.
"""

from __future__ import annotations

import base64
import json
import random
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.fakes.server import Answer, FakeServer, Request
from sync.demo.people import Staff
from sync.demo.portfolio import Stage, portfolio
from sync.demo.projectfile import ProjectFile
from sync.demo.tools import JiraTool, MondayTool, Server, SmartsheetTool, Tool, TrelloTool

BEFORE = timedelta(days=200)
"""So long before the demo's first day the company began to work."""
TOOLS: Mapping[str, Callable[[datetime, int], Server]] = {
    "delivery": JiraTool,
    "boards": TrelloTool,
    "sheets": SmartsheetTool,
    "rooms": MondayTool,
}
"""By the name of their source."""
PLANS = "plans"
ACTS_A_DAY = 2
_HEADERS = ("Authorization", "Content-Type")
"""What a tool goes by when a request is repeated. The tokens are made up, and stand in the code of the fakes."""


@dataclass(frozen=True)
class Terms:
    """What a demo was begun with."""

    version: str
    seed: int
    start: datetime
    """Aware, UTC."""
    ports: Mapping[str, int]
    """By source, and `demo` for the door by which `unstuck demo tick` comes in; 0 is any free one."""

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "start": self.start.isoformat()}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Terms:
        return cls(**{**found, "start": datetime.fromisoformat(found["start"])})


class Company:
    """Open for business until it is closed. Raises `OSError` where a port is taken."""

    def __init__(self, terms: Terms, log: Path, plan: Path) -> None:
        self.now = terms.start
        self._lock = threading.Lock()
        self._terms, self._plan_file, self._ticks = terms, plan, 0
        self._answers: dict[str, Callable[[Request], Answer]] = {}
        with self._lock, ExitStack() as opened:  # who asks meanwhile waits; if one cannot be opened, all are closed
            self._log = opened.enter_context(closing(_Log(log)))
            self.servers = {name: self._opened(make, name, opened) for name, make in TOOLS.items()}
            self._door = opened.enter_context(closing(FakeServer(self._at_the_door, terms.ports["demo"])))
            self._plan = ProjectFile(terms.start - BEFORE)
            self._tools: dict[str, Tool] = {**self.servers, PLANS: self._plan}
            self._staff = self._hired()
            self._repeat()
            self._open = opened.pop_all()

    @property
    def terms(self) -> Terms:
        """What it was begun with, with the ports that it got."""
        ports = {name: _port(tool.server) for name, tool in self.servers.items()}
        return replace(self._terms, ports={**ports, "demo": _port(self._door)})

    def close(self) -> None:
        self._open.close()

    def tick(self, days: int) -> list[str]:
        """Let so many days go by; says what people did in them."""
        with self._lock:
            self._log.add({"days": days})
            return self._pass(days)

    def _opened(self, make: Callable[[datetime, int], Server], name: str, opened: ExitStack) -> Server:
        tool = make(self._terms.start - BEFORE, self._terms.ports[name])
        opened.callback(tool.server.close)
        self._answers[name] = tool.server.answer
        tool.server.answer = self._noting(name, tool)
        return tool

    def _hired(self) -> Staff:
        """The people, after they did all that was done before the first day."""
        works = portfolio(self._terms.seed, self._terms.start)
        events = [(at, stage, work) for work in works for at, stage in work.history]
        for at, stage, work in sorted(events, key=lambda event: event[0]):
            tool = self._tools[work.source]
            tool.at(at)
            if stage is Stage.TODO:
                tool.begin(work)
            else:
                tool.move(work.title, stage)
            work.stage = stage
        self._at(self.now)
        return Staff(works, self._tools, self.servers, self.now)

    def _at(self, now: datetime) -> None:
        for tool in self._tools.values():
            tool.at(now)

    def _pass(self, days: int) -> list[str]:
        """The same people do the same things in the same stretch of time, if the tools show them the same."""
        self._ticks += 1
        chance = random.Random(f"{self._terms.seed}/{self._ticks}")  # noqa: S311 - nothing to guess
        times = sorted(self.now + timedelta(days=days * chance.random()) for _ in range(ACTS_A_DAY * days))
        said = list(self._staff.work(chance, [at.replace(microsecond=0) for at in times]))
        self.now += timedelta(days=days)
        self._at(self.now)
        self._plan.save(self._plan_file)
        return said

    # The log

    def _repeat(self) -> None:
        for entry in self._log.read():
            if "days" in entry:
                self._pass(entry["days"])
            else:
                request = Request(entry["method"], entry["target"], entry["headers"], base64.b64decode(entry["body"]))
                self._answers[entry["to"]](request)
        self._plan.save(self._plan_file)

    def _noting(self, name: str, tool: Server) -> Callable[[Request], Answer]:
        """Answers as the tool does, one request after the other, once those that write are in the log."""

        def noting(request: Request) -> Answer:
            with self._lock:
                if tool.is_write(request):
                    self._log.add({"to": name, **_as_json(request)})
                return self._answers[name](request)

        return noting

    def _at_the_door(self, request: Request) -> Answer:
        """`unstuck demo tick` of another process."""
        if (request.method, request.path) != ("POST", "/tick"):
            return Answer(404)
        said = self.tick(int(request.json["days"]))
        return Answer(json={"now": self.now.isoformat(), "said": said})


class _Log:
    """One JSON object a line. A last line that a kill cut short was promised to nobody, and goes."""

    def __init__(self, file: Path) -> None:
        whole = file.read_bytes() if file.exists() else b""
        self._lines = whole[: whole.rfind(b"\n") + 1]
        self._stream = file.open("r+b" if file.exists() else "w+b")
        self._stream.truncate(len(self._lines))
        self._stream.seek(0, 2)

    def read(self) -> list[dict[str, Any]]:
        """What was in it when it was opened."""
        return [json.loads(line) for line in self._lines.splitlines()]

    def add(self, entry: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps(entry).encode() + b"\n")
        self._stream.flush()

    def close(self) -> None:
        self._stream.close()


def _as_json(request: Request) -> dict[str, Any]:
    headers = {name: request.headers[name] for name in _HEADERS if name in request.headers}
    body = base64.b64encode(request.body).decode()
    return {"method": request.method, "target": request.target, "headers": headers, "body": body}


def _port(server: FakeServer) -> int:
    return int(server.url.rpartition(":")[2])
