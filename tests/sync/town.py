"""A small company in a folder: a config, rule files, and a tool (the memory connector's) in which people work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.forkserver import ForkServer

ROOT = Path(__file__).resolve().parents[2]


@cache
def fork_server() -> ForkServer:
    """One for this test process."""
    return ForkServer(ROOT)


# `rollout = "now"`: a town is not the place to see a rule first, but for the tests of just that.
RULES = """
[[rule]]
id    = "no-sponsor"
label = "pmo-no-sponsor"
says  = "Nobody sponsors it"
rollout = "now"
[rule.when]
status_category = "not done"
sponsor         = "missing"

[[rule]]
id   = "stuck"
says = "In {status} for {business_days_in_status} business days"
rollout = "now"
[rule.when]
status_category = "in progress"
[rule.ladder]
measure = "business_days_in_status"
steps   = [ { over = 10, label = "pmo-stuck-10d" }, { over = 20, label = "pmo-stuck-20d" } ]
"""

CONFIG = """
[sources.tool]
system = "memory"
world  = "world.json"
"""


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Town:
    """Drives the real command in a process of its own, and edits the tool as people do."""

    def __init__(self, folder: Path, config: str = CONFIG, rules: str = RULES) -> None:
        self.folder = folder
        self.world_file = folder / "world.json"
        self.now = "2026-03-20T12:00:00"
        (folder / "rules.d").mkdir()
        self.write_config(config)
        self.write_rules(rules)
        self.world = {"collections": [{"native_id": "B1", "name": "Delivery"}], "items": [], "deleted": [], "log": []}

    def write_config(self, config: str) -> None:
        (self.folder / "config.toml").write_text('rules = ["rules.d/*.toml"]\n' + config)

    def write_rules(self, rules: str) -> None:
        (self.folder / "rules.d" / "pmo.toml").write_text(rules)

    # The command

    def unstuck(self, *arguments: str, env: Mapping[str, str] | None = None) -> Said:
        """Run `unstuck …` here and now."""
        said = self._run(arguments, self.environment(env))
        assert "Traceback" not in said.err, said.err
        return said

    def _run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Said:
        if type(self).command is Town.command:
            return Said(*fork_server().run(arguments, self.folder, environment))
        command = self.command(*arguments)  # of a town whose command is another program
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def command(self, *arguments: str) -> Sequence[str]:
        return [sys.executable, "-m", "sync.cli", *arguments]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), "UNSTUCK_NOW": self.now, **(more or {})}

    def plan(self) -> dict[str, list[str]]:
        """What would change now: `{"APP-1": ["+pmo-x", "-pmo-y"]}`."""
        said = self.unstuck("plan", "--format", "json")
        assert said.code in (0, 1, 3), said.err
        return {
            change["key"]: [*(f"+{label}" for label in change["add"]), *(f"-{label}" for label in change["remove"])]
            for change in said.json["changes"]
        }

    # The tool, as people use it

    @property
    def world(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.world_file.read_text())
        return loaded

    @world.setter
    def world(self, world: Mapping[str, Any]) -> None:
        self.world_file.write_text(json.dumps(world))

    def add(self, number: int, **columns: Any) -> str:
        """A person makes an item that no rule minds, but for what `columns` say."""
        world = self.world
        item = {
            "native_id": str(number),
            "collection": "B1",
            "key": f"APP-{number}",
            "title": f"Item {number}",
            "status": "Doing",
            "status_category": "in_progress",
            "status_since": "2026-03-19T09:00:00+00:00",
            "status_since_is": "exact",
            "sponsor": "Ada",
            "labels": [],
            **columns,
        }
        self._touch(world, item)
        world["items"].append(item)
        self.world = world
        return f"APP-{number}"

    def edit(self, number: int, **columns: Any) -> None:
        """A person changes an item."""
        world = self.world
        item = self._find(world, number)
        item.update(columns)
        self._touch(world, item)
        self.world = world

    def label(self, number: int, *labels: str) -> None:
        """A person puts labels on."""
        self.edit(number, labels=[*self.labels(number), *labels])

    def unlabel(self, number: int, label: str) -> None:
        """A person takes a label off."""
        self.edit(number, labels=[each for each in self.labels(number) if each != label])

    def remove(self, number: int) -> None:
        """A person deletes an item, without a trace: only a full pull can see it."""
        world = self.world
        world["items"] = [item for item in world["items"] if item["native_id"] != str(number)]
        self.world = world

    def labels(self, number: int) -> list[str]:
        found: list[str] = self._find(self.world, number)["labels"]
        return found

    @property
    def writes(self) -> list[dict[str, Any]]:
        """Every write that reached the tool."""
        log: list[dict[str, Any]] = self.world["log"]
        return log

    @staticmethod
    def _find(world: Mapping[str, Any], number: int) -> dict[str, Any]:
        found: dict[str, Any] = next(item for item in world["items"] if item["native_id"] == str(number))
        return found

    @staticmethod
    def _touch(world: dict[str, Any], item: dict[str, Any]) -> None:
        world["changed"] = world.get("changed", 0) + 1
        item["changed"] = world["changed"]


LONG_AGO = "2026-03-02T09:00:00+00:00"
"""14 business days before the town's day, so that the first step of the ladder is reached."""
