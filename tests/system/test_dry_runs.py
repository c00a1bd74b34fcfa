"""Law 6, on a server that counts: a command that should not write sends nothing that writes, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sync.cli import unstuck
from tests.system.office import Office

STAYS = "daemon"
HARMLESS: dict[str, list[list[str]]] = {
    "apply": [["plan.json"], ["--expect", "0000000000000000"]],
    "backup": [["copy.db"]],
    "check": [[], ["--live"]],
    "connectors": [[]],
    "daemon": [["--every", "1h"], ["--every", "1h", "--plan-only"]],
    "demo": [["tick", "nowhere"]],
    "digest": [[]],
    "explain": [["APP-1"]],
    "export": [["--parquet", "warehouse"]],
    "findings": [[]],
    "init": [["new"]],
    "items": [[]],
    "links": [[], ["APP-1"]],
    "plan": [[], ["-o", "again.csv"]],
    "report": [["-o", "report.html"], ["--format", "json"], ["--datasette"]],
    "retire": [[], ["--source", "team"]],
    "rules backtest": [["--since", "2026-03-01"]],
    "rules capture": [["APP-1"]],
    "rules check": [[]],
    "rules columns": [[]],
    "rules diff": [["rules.d/pmo.toml", "rules.d/pmo.toml"]],
    "rules list": [[]],
    "rules resume": [["stuck"]],
    "rules schema": [[]],
    "rules test": [[]],
    "run": [[], ["--full"], ["--plan-only"], ["--force", "share"]],
    "status": [[]],
    "undo": [["2"]],
}
"""Every command, with arguments with which it must not write into a tool: it was not told to with `--apply`, no row of
the saved plan is ticked, or the plan is not the one that is expected."""


def leaves(group: click.Group, before: str = "") -> Iterator[str]:
    """The names of all commands."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, f"{before}{name} ")
        else:
            yield before + name


def test_every_command_is_tried() -> None:
    assert sorted(leaves(unstuck)) == sorted(HARMLESS), "say in HARMLESS how a new command is told not to write"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Run 1 only planned, run 2 wrote; since then there is something to put on and something to take off."""
    office = Office(tmp_path_factory.mktemp("office"))
    try:
        assert office.unstuck("run").code == 0
        assert office.unstuck("run", "--apply").code == 0
        assert office.writes
        assert office.writes_to_board
        office.retitle(1, "fine")
        office.retitle(2, "stuck")
        assert office.unstuck("plan", "-o", "plan.json").code == 0
        yield office
    finally:
        office.close()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [(name, arguments) for name, tried in HARMLESS.items() for arguments in tried],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_command_that_should_not_write_does_not(office: Office, name: str, arguments: list[str]) -> None:
    file, before = office.world_file.read_bytes(), len(office.server.requests)
    words = [*name.split(), *arguments]
    if name == STAYS:
        said = office.for_a_while(*words, until=lambda: len(office.server.requests) >= before + 2)
    else:
        said = office.unstuck(*words)
    asked = office.server.requests[before:]
    assert {request.method for request in asked} <= {"GET"}, said
    assert office.world_file.read_bytes() == file
    assert said.code in (0, 1, 2, 3), said
    assert bool(asked) == reaches(name, arguments), f"{said}\n{asked}"


def reaches(name: str, arguments: list[str]) -> bool:
    """Whether the command asks the tools anything; else the count says nothing."""
    if name in ("check", "apply"):
        return arguments in (["--live"], ["--expect", "0000000000000000"])
    return name in ("run", "plan", "daemon", "retire", "undo")


def test_the_same_commands_write_when_they_are_told_to(office: Office, tmp_path: Path) -> None:
    """So that the count above can fail."""
    before = len(office.writes_to_board), len(office.writes)
    assert office.unstuck("run", "--apply").code == 0
    assert len(office.writes_to_board) == before[0] + 2
    assert len(office.writes) == before[1] + 2
