"""Law 8 on Jira, with the real command: killed at every single request of a run, the next one finishes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.fakes.jira.api import Jira
from connectors.fakes.server import Answer, Request
from tests.system.test_jira_run import TELLING, Firm

MOST = 40
"""Requests of a run that writes, at most."""
EACH = 1 if os.environ.get("UNSTUCK_SOAK") else 3
"""Of so many requests, one is killed at."""


class Killer:
    """Stands before a Jira, and kills a run at one of its requests."""

    def __init__(self, jira: Jira) -> None:
        self.answer = jira.server.answer
        jira.server.answer = self
        self.left, self.done_first = 0, False
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self, request: Request) -> Answer:
        if self.process is None:
            return self.answer(request)
        self.left -= 1
        if self.left:
            return self.answer(request)
        if self.done_first:
            self.answer(request)
        self.process.kill()
        self.process.wait()
        return Answer(500)

    def strike(self, firm: Firm, at: int, *, done_first: bool) -> bool:
        """Whether the run was killed, at its request number `at`, before or after that was carried out."""
        self.left, self.done_first = at, done_first
        self.process = subprocess.Popen(
            firm.command("run", "--apply", "--full"),
            cwd=firm.folder,
            env=firm.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        killed = self.process.wait(60) < 0
        self.process = None
        return killed


@pytest.fixture(params=["cloud", "data center"])
def firm(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Firm]:
    firm = Firm(tmp_path, cloud=request.param == "cloud")
    firm.configure(TELLING)
    yield firm
    firm.jira.close()


@pytest.mark.slow
def test_killed_at_every_request_it_gets_there(firm: Firm) -> None:
    """Before the request is carried out, or after it, in turn. Each kill is of a run with something to put on and
    something to take off; each issue keeps one comment."""
    killer, others = Killer(firm.jira), {firm.issue("Ada"): False, firm.issue(None): True}
    for at in range(1, MOST, EACH):
        for issue, orphaned in others.items():
            firm.site.spoil(issue, **{firm.sponsor: "Ada" if orphaned else None})
            others[issue] = not orphaned
        firm.later(hours=1)
        killed = killer.strike(firm, at, done_first=at % 2 == 0)
        firm.run("--full")
        for issue, orphaned in others.items():
            assert firm.labels_of(issue) == ({"pmo-no-sponsor"} if orphaned else set()), f"killed at request {at}"
            assert len(firm.site.issue(issue).comments) <= 1, f"killed at request {at}"
            assert bool(firm.site.issue(issue).properties) is orphaned, f"killed at request {at}"
        if not killed:
            break
    else:
        raise AssertionError("a run asks more than it should")
    assert at > 10, "it was killed too seldom"
    written = firm.site.everything()
    firm.run("--full")
    assert firm.site.everything() == written
