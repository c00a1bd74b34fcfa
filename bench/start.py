"""What a command takes to start, against a bare Python: CPU time, as it waits for nothing.

    python bench/start.py            the fastest of 15 starts each
    python bench/start.py --small    of 3
    python bench/start.py --write    also put the table into docs/benchmarks.md

`status` runs on a store of one source with a hundred items; then also with a source of each system in its config,
whose connectors are imported for their options. Exits 1 if a limit is missed, which --small only shows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tables import put_into_docs, with_bytecode

ROOT = Path(__file__).resolve().parent.parent
UNSTUCK = str(Path(sys.executable).parent / "unstuck")

ROUNDS = 15
CONFIG = '[sources.tool]\nsystem = "memory"\nworld = "world.json"\n'
EACH = (
    CONFIG
    + """
[sources.jira]
system = "jira"
base_url = "https://example.atlassian.net"
token = { env = "NONE" }
[sources.trello]
system = "trello"
key = { env = "NONE" }
token = { env = "NONE" }
[sources.sheets]
system = "smartsheet"
token = { env = "NONE" }
[sources.monday]
system = "monday"
token = { env = "NONE" }
[sources.plans]
system = "msproject"
path = "*.xml"
"""
)
"""A source of each system; looking at the store resolves no secrets."""


class Command(NamedTuple):
    """A command, and how many times as long as a bare Python it may take."""

    said: str
    argument: str
    config: str
    limit: float


COMMANDS = (
    Command("`unstuck --version`", "--version", CONFIG, 6.0),
    Command("`unstuck --help`", "--help", CONFIG, 6.0),
    Command("`unstuck status`", "status", CONFIG, 12.0),
    Command("`unstuck status`, a source of each system", "status", EACH, 12.0),
)


def seconds(command: Sequence[str], folder: Path) -> float:
    """CPU time of a command."""
    environment, quiet = {**with_bytecode(), "PYTHONPATH": str(ROOT)}, subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, cwd=folder, env=environment) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime


def company(folder: Path, config: str) -> Path:
    """A folder with a config and what its tool holds."""
    items = [
        {"native_id": str(number), "collection": "B1", "key": f"A-{number}", "title": f"Item {number}", "labels": []}
        for number in range(100)
    ]
    world = {"collections": [{"native_id": "B1", "name": "Delivery"}], "items": items, "deleted": [], "log": []}
    folder.mkdir()
    (folder / "world.json").write_text(json.dumps(world))
    (folder / "config.toml").write_text(CONFIG)
    seconds([UNSTUCK, "run"], folder)
    (folder / "config.toml").write_text(config)
    return folder


def measure(rounds: int, folder: Path) -> tuple[str, bool]:
    """The table in Markdown, and whether all limits are met. The commands take turns, and the fastest round counts:
    the others measure what else the machine did.
    """
    folders = {config: company(folder / str(number), config) for number, config in enumerate((CONFIG, EACH))}
    bare, best = 9.9, dict.fromkeys(COMMANDS, 9.9)
    for _ in range(rounds):
        bare = min(bare, seconds([sys.executable, "-c", "pass"], folder))
        best = {each: min(best[each], seconds([UNSTUCK, each.argument], folders[each.config])) for each in COMMANDS}
    rows = ["| command | ours | `python -c pass` | ratio | limit |", "|---|--:|--:|--:|--:|"]
    for each, took in best.items():
        times = f"{took * 1000:.0f} ms | {bare * 1000:.0f} ms | {took / bare:.1f}×"
        rows.append(f"| {each.said} | {times} | {each.limit:.0f}× |")
    return "\n".join(rows), all(took <= each.limit * bare for each, took in best.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as folder:
        text, met = measure(3 if chosen.small else ROUNDS, Path(folder))
    print(text)
    if chosen.write:
        put_into_docs("start", "Starting", text)
    return 0 if met or chosen.small else 1


if __name__ == "__main__":
    sys.exit(main())
