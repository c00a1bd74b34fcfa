"""Law 8, with the real command: killed again and again in the middle of pulls and writes, it still gets there.

`make soak` kills it 300 times.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from connectors.fakes.server import Answer, Request
from tests.system.office import Office

KILLS = 300 if os.environ.get("UNSTUCK_SOAK") else 12
LABEL = "pmo-stuck"
log = logging.getLogger("soak")


class Storm:
    """Kills runs at random moments while people go on working. A seed makes it the same storm again."""

    def __init__(self, office: Office, seed: int) -> None:
        self.office, self.random = office, random.Random(seed)
        self.stuck = {number: number % 2 == 1 for number in office.numbers}
        self.theirs = {number: {f"blue-{number}"} for number in office.numbers}
        self.ended = Counter[str]()
        """How runs ended, by the moment that was chosen."""

    def strike(self) -> None:
        """People change something, a run begins, and is killed."""
        self._people()
        moment = self.random.choice([self._in_a_request, self._in_a_request, self._after_a_while, self._in_a_write])
        process = subprocess.Popen(
            self.office.command("run", "--apply", *(["--full"] if self.random.random() < 0.3 else [])),
            cwd=self.office.folder,
            env=self.office.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        moment(process)
        process.kill()  # if it is not dead yet
        code = process.wait()
        wait_for_what_is_in_hand()
        self.office.hooked = lambda _, answer: answer()
        self.ended[f"{moment.__name__.strip('_')}: {'killed' if code < 0 else 'was done before'}"] += 1

    def _people(self) -> None:
        for number in self.random.sample(list(self.office.numbers), 2):
            self.stuck[number] = not self.stuck[number]
            self.office.retitle(number, "stuck" if self.stuck[number] else "fine")
        number = self.random.choice(list(self.office.numbers))
        self.theirs[number] ^= {"green"}
        for tool, labels in zip(("file", "board"), self.office.shown(number), strict=True):
            self._label(tool, number, sorted(labels ^ {"green"}))

    def _label(self, tool: str, number: int, labels: list[str]) -> None:
        if tool == "file":
            self.office.edit(number, labels=labels)
        else:
            self.office.board.change(str(number), labels=labels)

    # Moments

    def _in_a_request(self, process: subprocess.Popen[bytes]) -> None:
        """At a request to the board: before it does anything, or when it is done and has not answered yet."""
        left, done_first = self.random.randint(1, 12), self.random.random() < 0.5

        def hooked(_: Request, answer: Callable[[], Answer]) -> Answer:
            nonlocal left
            left -= 1
            if left:
                return answer()
            if done_first:
                answer()
            process.kill()
            process.wait()
            return Answer(500)

        self.office.hooked = hooked
        process.wait(60)

    def _after_a_while(self, process: subprocess.Popen[bytes]) -> None:
        """At any moment at all, mostly between two statements of SQLite."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self.random.uniform(0.1, 1.2))

    def _in_a_write(self, process: subprocess.Popen[bytes]) -> None:
        """As soon as another write shows in the file."""
        file, before = self.office.world_file, self.office.world_file.read_bytes()
        while process.poll() is None and file.read_bytes() == before:
            time.sleep(0.001)


def wait_for_what_is_in_hand() -> None:
    """The server may still carry out what a killed run asked for, and people do not write into the middle of that."""
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(10)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_again_and_again_it_gets_there(tmp_path: Path) -> None:
    office = Office(tmp_path)
    try:
        storm = Storm(office, seed=20260320)
        for _ in range(KILLS):
            storm.strike()
        log.info("%s runs: %s", KILLS, dict(storm.ended))
        assert sum(number for how, number in storm.ended.items() if how.endswith(": killed")) > KILLS / 2
        said = office.unstuck("run", "--apply", "--full")
        assert said.code == 0, said
        check_labels(storm)
        check_writes(office)
        written = len(office.writes_to_board), len(office.writes)
        assert office.unstuck("run", "--apply").code == 0
        assert (len(office.writes_to_board), len(office.writes)) == written
        check_store(tmp_path / "unstuck.db")
    finally:
        office.close()


def check_labels(storm: Storm) -> None:
    """Both tools carry what the rule says, and every label that a person put on."""
    for number in storm.office.numbers:
        expected = storm.theirs[number] | ({LABEL} if storm.stuck[number] else set())
        assert storm.office.shown(number) == [expected, expected], f"item {number}"


def check_writes(office: Office) -> None:
    """Each write changed something, and nothing of anybody else; our label went on and off in turn, never twice."""
    for card, before, after in office.writes_to_board:
        assert set(before) ^ set(after) == {LABEL}, f"card {card}: {before} became {after}"
    for number in office.numbers:
        turns = [LABEL in write["add"] for write in office.writes if write["item"] == str(number)]
        assert all(one is not other for one, other in pairwise(turns)), f"item {number}: {turns}"


def check_store(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as store:
        assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert store.execute("PRAGMA foreign_key_check").fetchall() == []
        assert store.execute("SELECT count(*) FROM journal WHERE result_at IS NULL").fetchone() == (0,)
