"""docs/tutorial.md, walked word for word: each command is typed as it stands there, and says what stands below it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.sync.town import ROOT
from tests.system.tutorial import NOW, Company, company

PAGE = ROOT / "docs" / "tutorial.md"

_PASSES = ("Rehearsal: ", "… ")
"""Lines that are not shown: the clock of this test, and what a terminal shows while something is done."""


@dataclass
class Step:
    """A command, and what it is to say; `…` stands for anything."""

    command: str
    says: list[str] = field(default_factory=list)


def steps(page: str) -> Iterator[Step]:
    """The commands of all blocks marked `console`; one that ends with a backslash goes on in the next line."""
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        step: Step | None = None
        for line in block.splitlines():
            if line.startswith("$ "):
                if step:
                    yield step
                step = Step(line[2:])
            elif step and step.command.endswith("\\"):
                step.command = f"{step.command[:-1].rstrip()} {line.strip()}"
            elif step:
                step.says.append(line)
        if step:
            yield step


class Walker:
    """A person at a terminal, who follows the page."""

    def __init__(self, home: Path, company: Company) -> None:
        self.home, self.company, self.folder = home, company, home
        self.environment = {
            **os.environ,
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "UNSTUCK_NOW": f"{NOW:%Y-%m-%dT%H:%M:%S}",
        }

    def do(self, command: str) -> str:
        """What the command says. Sets what the shell would keep for the next one."""
        for said, is_here in self.company.here.items():
            command = command.replace(said, is_here)
        name, *arguments = words = shlex.split(command)
        if name == "cd":
            self.folder = self.folder / arguments[0]
        elif name == "export":
            variable = arguments[0].partition("=")[0]
            self.environment[variable] = self.company.secrets[variable]
        elif name == "unstuck":
            return self.unstuck(words[1:])
        else:
            subprocess.run(["bash", "-c", command], cwd=self.folder, env=self.environment, check=True)
        return ""

    def unstuck(self, arguments: list[str]) -> str:
        heard = on_a_terminal([sys.executable, "-m", "sync.cli", *arguments], self.folder, self.environment)
        assert "Traceback" not in heard, heard
        if arguments[0] == "init":
            self.find_tools_on_this_machine()
        lines = [line for line in heard.splitlines() if not line.startswith(_PASSES)]
        return "\n".join(lines).replace(str(self.home), "~")

    def find_tools_on_this_machine(self) -> None:
        """Add the one line that no reader needs: where a system is, that is in the same place for everybody."""
        config = next(self.folder.rglob("config.toml"))
        text = config.read_text()
        for system, url in self.company.hosts.items():
            text = text.replace(f'\nsystem = "{system}"', f'\nsystem = "{system}"\nbase_url = "{url}"')
        config.write_text(text)


def on_a_terminal(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """What a person reads at a wide terminal without colours, on which nothing moves."""
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 400, 0, 0))
    plain = {**environment, "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "400"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=plain)
    os.close(theirs)
    heard = b""
    with (
        suppress(OSError),
        os.fdopen(terminal, "rb", buffering=0) as stream,
    ):  # an error says that the other end was closed
        while said := stream.read(4096):
            heard += said
    process.wait(60)
    return heard.decode().replace("\r\n", "\n")


def is_as_told(says: list[str], heard: str) -> bool:
    """`…` in a line stands for anything in it, and alone for any lines."""
    lines = (r"(?:.*\n)*" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n" for line in says)
    told = "".join(f"{line.rstrip()}\n" for line in heard.strip().splitlines())
    return re.fullmatch("".join(lines), told) is not None


@pytest.mark.slow
def test_the_tutorial_is_as_it_stands_there(tmp_path: Path) -> None:
    walk = list(steps(PAGE.read_text(encoding="utf-8")))
    assert len([step for step in walk if step.command.startswith("unstuck")]) >= 8
    with company(tmp_path / "home") as tools:
        walker = Walker(tmp_path / "home", tools)
        for step in walk:
            heard = walker.do(step.command)
            assert is_as_told(step.says, heard), f"$ {step.command}\n{heard}\n--- the page says:\n" + "\n".join(
                step.says
            )


def test_another_answer_is_noticed() -> None:
    assert is_as_told(["a … c", "…", "z"], "a b c\n1\n2\nz")
    assert not is_as_told(["a … c", "z"], "a b c\nmore\nz")
    assert not is_as_told([], "something")
