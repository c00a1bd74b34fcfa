"""What people see on a terminal: tables that fit, colour that means something, bars; and none of it elsewhere."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping

import pytest

from tests.sync.town import LONG_AGO, Town

GREEN, YELLOW, RED, PLAIN = "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[0m"


def on_terminal(town: Town, *arguments: str, width: int = 100, env: Mapping[str, str] | None = None) -> str:
    """What the command shows on a terminal of that width, stdout and stderr as they come."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = {name: value for name, value in town.environment(env).items() if name not in ("COLUMNS", "NO_COLOR")}
    environment |= {"TERM": "xterm-256color", **(env or {})}
    command = [sys.executable, "-m", "sync.cli", *arguments]
    with subprocess.Popen(command, cwd=town.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        shown = b""
        while piece := _read(ours):
            shown += piece
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


def bare(shown: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)


@pytest.fixture
def stuck(town: Town) -> Town:
    town.add(1, sponsor=None, status_since=LONG_AGO, title="A title that is much longer than any terminal is wide " * 3)
    town.add(2, owner="Ada")
    return town


def test_a_plan_is_a_diff_in_colour(stuck: Town) -> None:
    shown = on_terminal(stuck, "run")
    assert f"{GREEN}+ pmo-no-sponsor{PLAIN}  APP-1" in shown
    stuck.unstuck("run", "--apply", "--force", "share")
    stuck.edit(1, sponsor="Ada")
    shown = on_terminal(stuck, "plan")
    assert f"{YELLOW}- pmo-no-sponsor{PLAIN}  APP-1" in shown


def test_what_failed_is_red_and_last(stuck: Town) -> None:
    stuck.unstuck("run")
    stuck.world_file.write_text("no JSON")
    shown = on_terminal(stuck, "run")
    last = shown.rstrip().split("\n")[-1]
    assert last.startswith(f"{RED}tool: ")
    assert "is not JSON" in last


@pytest.mark.parametrize("command", [["run"], ["findings"], ["status"], ["plan"]])
def test_no_color_is_respected(stuck: Town, command: list[str]) -> None:
    stuck.unstuck("run")
    shown = on_terminal(stuck, *command, env={"NO_COLOR": "1"})
    assert not re.findall(r"\x1b\[[0-9;]*3[0-9][0-9;]*m", shown), "no colour"
    assert "APP-1" in shown or command == ["status"]


def test_nothing_of_it_is_piped(stuck: Town) -> None:
    for command in (["run"], ["findings"], ["plan"], ["status"]):
        said = stuck.unstuck(*command)
        assert "\x1b" not in said.out + said.err
        assert "…" not in said.err


@pytest.mark.parametrize("width", [60, 90, 140])
def test_tables_fit_the_terminal(stuck: Town, width: int) -> None:
    stuck.unstuck("run")
    for command in (["findings"], ["items"]):
        lines = bare(on_terminal(stuck, *command, width=width)).split("\n")
        assert max(len(line.rstrip()) for line in lines if not line.startswith("Rehearsal")) <= width
        assert any("APP-1" in line for line in lines)


@pytest.mark.parametrize("width", [40, 70, 140])
def test_lines_fit_the_terminal(stuck: Town, width: int) -> None:
    stuck.unstuck("run")
    for command in (["run"], ["plan"], ["explain", "APP-1"]):
        shown = bare(on_terminal(stuck, *command, width=width)).partition("evaluating rules")[2]
        lines = [line for line in shown.split("\n") if not line.startswith("Rehearsal")]
        assert max(map(len, lines)) <= width
        if command[0] != "explain":
            assert "  + pmo-no-sponsor  APP-1" in shown
            assert "because nobody sponsors it" in re.sub(r"\s+", " ", shown)


def test_bars_for_what_is_pulled(stuck: Town) -> None:
    shown = bare(on_terminal(stuck, "run"))
    assert "… pulling tool" in shown
    assert re.search(r"tool ━+.* 2 items", shown), shown
    shown = bare(on_terminal(stuck, "run", "--full"))
    assert re.search(r"tool ━{24}\s+2 items\s+([\d,]+/s)?\s+0:\d\d\n", shown)


@pytest.mark.parametrize(("items", "told"), [((), "0 items"), ((1,), "1 item ")])
def test_a_bar_says_what_came(town: Town, items: tuple[int, ...], told: str) -> None:
    for item in items:
        town.add(item)
    bar = bare(on_terminal(town, "run", width=40)).split("… evaluating")[0]
    assert re.search(rf"\rtool\s+{told}\s*0:\d\d\n", bar), bar


def test_json_is_alone_on_stdout_also_on_a_terminal(stuck: Town) -> None:
    shown = on_terminal(stuck, "--log-format", "json", "run", "--json")
    assert "━" not in shown
    assert "…" not in bare(shown)


@pytest.mark.parametrize("command", [["--help"], ["rules", "--help"]])
def test_no_help_is_cut_short(town: Town, command: list[str]) -> None:
    assert not re.search(r"(?<!\])\.\.\.$", town.unstuck(*command).out, re.MULTILINE)


def test_where_a_table_does_not_fit_its_rows_are_lists(stuck: Town) -> None:
    stuck.unstuck("run")
    wide, narrow = (bare(on_terminal(stuck, "findings", width=width)) for width in (120, 40))
    assert re.search(r"^source +key +label +title +reason *$", wide, re.MULTILINE)
    assert "\nsource  tool\nkey     APP-1\nlabel   pmo-no-sponsor\n" in narrow
    assert "owner" not in wide
    assert "problem" not in bare(on_terminal(stuck, "status", width=140)), "nothing stands there"


@pytest.mark.parametrize("width", [40, 80])
def test_the_first_page(town: Town, width: int) -> None:
    (town.folder / "config.toml").unlink()
    shown = on_terminal(town, width=width, env={"XDG_CONFIG_HOME": str(town.folder / "nothing")})
    assert "There is no config yet. Begin with `unstuck init .`" in re.sub(r"\s+", " ", shown)
    assert max(len(line) for line in shown.split("\n")) <= width
    assert ("\n  5. unstuck run --apply            writes the labels\n" in shown) == (width >= 80)
    assert "Traceback" not in shown
