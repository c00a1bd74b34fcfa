"""Sources are pulled side by side and written to side by side, and none harms another. Signals stop a run gently."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.board import TOKEN, BoardWorld
from tests.sync.town import CONFIG, Said, Town

OTHERS = "".join(f'[sources.{name}]\nsystem = "memory"\nworld = "{name}.json"\n' for name in ("slow", "third"))


class SlowTown(Town):
    """A town with three tools, of which some have bad days."""

    def __init__(self, folder: Path, config: str = CONFIG + OTHERS) -> None:
        super().__init__(folder, "brakes.share = 1.0\n" + config)
        self.days: dict[str, Any] = {}
        for name in ("slow", "third"):
            world = {
                "collections": [{"native_id": "B1", "name": "Delivery"}],
                "items": [
                    {"native_id": str(number), "collection": "B1", "key": f"{name}-{number}", "title": "x",
                     "status": "Doing", "status_category": "in_progress", "sponsor": "", "labels": [],
                     "changed": number}
                    for number in range(1, 7)
                ],
            }  # fmt: skip
            (folder / f"{name}.json").write_text(json.dumps(world))

    def command(self, *arguments: str) -> Sequence[str]:
        return [sys.executable, "-m", "tests.fakes.slow", *arguments]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return super().environment({"SLOW": json.dumps(self.days), **(more or {})})

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments), cwd=self.folder, env=self.environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def labelled(self, name: str) -> list[str]:
        """Which items of a tool carry our label."""
        world = json.loads((self.folder / f"{name}.json").read_text())
        return [item["native_id"] for item in world["items"] if "pmo-no-sponsor" in item["labels"]]

    def log_of(self, name: str) -> list[str]:
        world = json.loads((self.folder / f"{name}.json").read_text())
        return [record["item"] for record in world.get("log", ())]


ALL = ["1", "2", "3", "4", "5", "6"]


@pytest.fixture
def slow(tmp_path: Path) -> SlowTown:
    return SlowTown(tmp_path)


def ended(process: subprocess.Popen[str], within: float = 30) -> Said:
    out, err = process.communicate(timeout=within)
    assert "Traceback" not in err, err
    return Said(process.returncode, out, err)


def wait_until(true: Callable[[], bool], within: float = 30) -> None:
    until = time.monotonic() + within
    while not true():
        assert time.monotonic() < until, "it never came so far"
        time.sleep(0.01)


def test_sources_are_pulled_side_by_side(slow: SlowTown) -> None:
    slow.days = {name: {"meet": ["slow", "third", "tool"]} for name in ("slow", "third", "tool")}
    said = slow.unstuck("run", "--json")
    assert said.code == 0, said.err
    assert [source["source"] for source in said.json["sources"]] == ["tool", "slow", "third"]


@pytest.mark.parametrize("how", [{}, {"deaf": True}], ids=["polite", "deaf"])
def test_a_source_over_its_budget_ends_its_own_turn_only(slow: SlowTown, how: dict[str, bool]) -> None:
    slow.write_config(
        "brakes.share = 1.0\n" + CONFIG
        + OTHERS.replace('world = "slow.json"', 'world = "slow.json"\nbudget = "1s"\npage_size = 1')
    )  # fmt: skip
    slow.days = {"slow": {"page": 0.4, **how}}
    said = slow.unstuck("run", "--apply", "--json")
    assert said.code == 1
    [problem] = said.json["problems"]
    assert problem.startswith("slow: its budget of 1 second is used up; what came is kept")
    assert slow.labelled("third") == ALL
    assert slow.labelled("slow") == []  # nothing is planned without a whole answer
    kept = len(slow.unstuck("items", "--source", "slow", "--format", "json").json)
    assert 0 < kept < 6
    slow.days = {}
    said = slow.unstuck("run", "--apply", "--json")
    assert said.code == 0
    read = {source["source"]: source["items"] for source in said.json["sources"]}
    assert read["slow"] == 6 - kept  # it went on, and did not begin anew
    assert slow.labelled("slow") == ALL


def test_a_source_that_hangs_holds_neither_the_run_nor_the_process(slow: SlowTown) -> None:
    slow.write_config("brakes.share = 1.0\n" + CONFIG + OTHERS.replace('"slow.json"', '"slow.json"\nbudget = "1s"'))
    slow.days = {"slow": {"page": 600, "deaf": True}}
    said = slow.unstuck("run", "--apply")
    assert said.code == 1
    assert "its budget of 1 second is used up" in said.err
    assert slow.labelled("third") == ALL


def test_a_source_that_hangs_while_it_is_written_to_holds_up_no_other(slow: SlowTown) -> None:
    slow.write_config("brakes.share = 1.0\n" + CONFIG + OTHERS.replace('"slow.json"', '"slow.json"\nbudget = "2s"'))
    slow.days = {"slow": {"write": 1.5, "deaf": True}}
    said = slow.unstuck("run", "--apply")
    assert said.code == 1
    assert "its budget of 2 seconds was used up while labels were written" in said.err
    assert slow.labelled("third") == ALL
    assert slow.log_of("slow") < ALL
    slow.days = {}
    assert slow.unstuck("run", "--apply").code == 0
    assert slow.log_of("slow") == ALL  # each once


def test_no_write_begins_before_the_result_of_the_one_before_is_kept(slow: SlowTown) -> None:
    slow.days = {"slow": {"watch": True}}
    assert slow.unstuck("run", "--apply", "--source", "slow").code == 0
    assert (slow.folder / "watched").read_text().split() == ["6", "5", "4", "3", "2", "1"]


@pytest.mark.parametrize("how", ["garbage", "exit"])
def test_whatever_a_connector_does_is_one_sentence(slow: SlowTown, how: str) -> None:
    slow.unstuck("run", "--apply")
    slow.days = {"slow": {how: True}}
    said = slow.unstuck("run", "--apply", "--full")
    assert said.code == 1
    assert [line for line in said.err.splitlines() if line.startswith("slow: Delivery: its connector ran into a bug")]
    assert len(slow.unstuck("items", "--format", "json").json) == 12


def test_a_connector_that_cannot_even_be_closed(slow: SlowTown) -> None:
    slow.days = {"slow": {"close": True}}
    assert slow.unstuck("run", "--apply").code == 0
    assert slow.labelled("slow") == ALL


# Signals

SIGNALS = [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "Ctrl-C")]


@pytest.mark.parametrize(("number", "name"), SIGNALS)
def test_a_signal_while_pulling_keeps_what_came_and_the_next_run_goes_on(
    slow: SlowTown, number: signal.Signals, name: str
) -> None:
    slow.write_config("brakes.share = 1.0\n" + CONFIG + OTHERS.replace('"slow.json"', '"slow.json"\npage_size = 1'))
    slow.unstuck("run", "--source", "tool")
    slow.days = {"slow": {"page": 0.5}}
    process = slow.start("run", "--apply")
    wait_until(lambda: bool(slow.unstuck("items", "--source", "slow", "--format", "json").json))
    process.send_signal(number)
    said = ended(process)
    assert said.code == 1
    assert f"Stopped by {name}; what was done is kept, and the next run goes on." in said.err
    assert slow.labelled("slow") == slow.labelled("third") == []  # no plan was made of half of the pull
    kept = len(slow.unstuck("items", "--source", "slow", "--format", "json").json)
    slow.days = {}
    said = slow.unstuck("run", "--apply", "--json")
    assert said.code == 0
    assert {source["source"]: source["items"] for source in said.json["sources"]}["slow"] == 6 - kept
    assert slow.labelled("slow") == slow.labelled("third") == ALL


@pytest.mark.parametrize(("number", "name"), SIGNALS)
def test_a_signal_while_writing_finishes_the_write_in_hand(slow: SlowTown, number: signal.Signals, name: str) -> None:
    slow.days = {"slow": {"write": 0.5, "deaf": True}}
    process = slow.start("run", "--apply")
    wait_until(lambda: len(slow.log_of("slow")) >= 2)
    process.send_signal(number)
    said = ended(process)
    assert (said.code, f"Stopped by {name}" in said.err) == (1, True)
    assert 2 <= len(slow.log_of("slow")) < 6
    status = slow.unstuck("status", "--format", "json").json
    assert status["labels"] == len(slow.log_of("slow")) + len(slow.log_of("third"))  # each write got its result
    slow.days = {}
    assert slow.unstuck("run", "--apply").code == 0
    assert slow.log_of("slow") == ALL
    assert slow.unstuck("run", "--apply", "--json").json["planned"]["items"] == 0


def test_a_second_ctrl_c_ends_at_once(slow: SlowTown) -> None:
    slow.days = {"slow": {"page": 600, "deaf": True}}
    process = slow.start("run")
    wait_until((slow.folder / "slow.here").exists)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    said = ended(process, within=4)  # less than a source that hangs is given
    assert said.code == 130
    assert "Stopped. The next run goes on from here." in said.err
    slow.days = {}
    assert slow.unstuck("run", "--apply").code == 0


def test_a_run_that_hangs_in_a_host_stops_within_seconds(tmp_path: Path) -> None:
    world = BoardWorld()
    try:
        board = world.new_collection("Team")
        world.new_item(board, "One")
        whole, hangs = world.server.answer, []

        def answer(request: Any) -> Any:
            hangs.append(request)
            time.sleep(20)
            return whole(request)

        world.server.answer = answer
        config = f'[sources.team]\nsystem = "board"\nbase_url = "{world.server.url}"\ntoken = {{ env = "TOKEN" }}\n'
        town = SlowTown(tmp_path, config)
        process = subprocess.Popen(
            town.command("run"), cwd=tmp_path, env=town.environment({"TOKEN": TOKEN}), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        wait_until(lambda: bool(hangs))
        process.send_signal(signal.SIGTERM)
        said = ended(process, within=15)
        assert (said.code, "Stopped by SIGTERM" in said.err) == (1, True)
    finally:
        world.close()
