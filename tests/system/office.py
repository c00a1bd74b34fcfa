"""A company with two tools: a board behind a loopback server that counts, and a tool that is a file."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from connectors.fakes.server import Answer, FakeServer, Request
from tests.fakes.board import TOKEN, Tool
from tests.sync.town import Said, Town

RULES = """
[[rule]]
id = "stuck"
label = "pmo-stuck"
says = "{title}"
rollout = "now"
[rule.when]
title = "contains stuck"
[[rule.test]]
now    = 2026-03-20
item   = { title = "stuck" }
expect = "pmo-stuck"
"""
CONFIG = """
[brakes]
share = 1.0
[labels]
flapping_times = 10000
[sources.team]
system = "board"
base_url = "URL"
token = { env = "BOARD_TOKEN" }
[sources.tool]
system = "memory"
world = "world.json"
page_size = 3
"""


class Office(Town):
    """A town with a second tool. Odd items of both are stuck at first, and each has a label of its people."""

    def __init__(self, folder: Path, items: int = 8) -> None:
        self.board = Tool(boards=[{"id": "B1", "name": "Delivery"}])
        self.server = FakeServer(self._answer)
        self.board.url = self.server.url
        self.writes_to_board: list[tuple[str, list[str], list[str]]] = []
        """(card, labels before, labels after) of each write that arrived."""
        self.hooked: Callable[[Request, Callable[[], Answer]], Answer] = lambda _, answer: answer()
        """Stands between a request and its answer."""
        super().__init__(folder, CONFIG.replace("URL", self.server.url), RULES)
        for number in range(1, items + 1):
            title = "stuck" if number % 2 else "fine"
            self.add(number, title=title, labels=[f"blue-{number}"])
            self.board.change(
                str(number),
                id=str(number),
                board="B1",
                title=title,
                labels=[f"blue-{number}"],
                created_at="2026-01-05T09:00:00+01:00",
            )
        self.numbers = range(1, items + 1)

    def close(self) -> None:
        self.server.close()

    # The command

    def command(self, *arguments: str) -> Sequence[str]:
        return [sys.executable, "-m", "tests.system.launch", *arguments]

    def environment(self, more: Any = None) -> dict[str, str]:
        return super().environment({"BOARD_TOKEN": TOKEN, **(more or {})})

    def for_a_while(self, *arguments: str, until: Callable[[], bool]) -> Said:
        """Start a command that stays, and end it as systemd does once `until` is so."""
        process = subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(1000):
            if until():
                break
            threading.Event().wait(0.03)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        return Said(process.returncode, out, err)

    # The tools

    def _answer(self, request: Request) -> Answer:
        return self.hooked(request, lambda: self._taken(request))

    def _taken(self, request: Request) -> Answer:
        if request.method != "PUT":
            return self.board.answer(request)
        card = request.path.split("/")[2]
        before = list(self.board.cards[card]["labels"])
        answer = self.board.answer(request)
        self.writes_to_board.append((card, before, list(self.board.cards[card]["labels"])))
        return answer

    def retitle(self, number: int, title: str) -> None:
        """People change the same item in both tools."""
        self.edit(number, title=title)
        self.board.change(str(number), title=title)

    def shown(self, number: int) -> list[set[str]]:
        """The labels of an item in each tool."""
        return [set(self.labels(number)), set(self.board.cards[str(number)]["labels"])]
