"""How long a command takes to start, against a bare Python.

    python bench/start.py            the fastest of 15 starts each
    python bench/start.py --small    of 3
    python bench/start.py --write    also put the table into docs/benchmarks.md

`status` runs on a store of one source with a hundred items; then also with a source of each system in its config,
whose connectors are imported for their options. Exits 1 if a limit is missed, which --small only shows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tables import put_into_docs, with_bytecode

ROOT = Path(__file__).resolve().parent.parent

ROUNDS = 15
CONFIG = '[sources.tool]\nsystem = "memory"\nworld = "world.json"\n'
SYSTEMS = """
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
"""One of each; looking at the store resolves no secrets."""

COMMANDS = (
    ("`unstuck --version`", "--version", CONFIG, 6.0),
    ("`unstuck --help`", "--help", CONFIG, 6.0),
    ("`unstuck status`", "status", CONFIG, 12.0),
    ("`unstuck status`, a source of each system", "status", CONFIG + SYSTEMS, 12.0),
)
"""What is said of it, the command, its config, and how many times as long as a bare Python it may take."""


def fastest(command: list[str], rounds: int, folder: Path) -> float:
    """Seconds of the fastest of some rounds: the others measure what else the machine did."""
    environment, times = {**with_bytecode(), "PYTHONPATH": str(ROOT)}, []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=False, cwd=folder, env=environment)
        times.append(time.perf_counter() - start)
    return min(times)


def company(folder: Path) -> None:
    """A config and what its tool holds."""
    items = [
        {"native_id": str(number), "collection": "B1", "key": f"A-{number}", "title": f"Item {number}", "labels": []}
        for number in range(100)
    ]
    world = {"collections": [{"native_id": "B1", "name": "Delivery"}], "items": items, "deleted": [], "log": []}
    (folder / "world.json").write_text(json.dumps(world))
    (folder / "config.toml").write_text(CONFIG)


def measure(rounds: int, folder: Path) -> tuple[str, bool]:
    """The table in Markdown, and whether all limits are met."""
    unstuck = str(Path(sys.executable).parent / "unstuck")
    company(folder)
    fastest([unstuck, "run"], 1, folder)
    bare = fastest([sys.executable, "-c", "pass"], rounds, folder)
    rows, met = ["| command | ours | `python -c pass` | ratio | limit |", "|---|--:|--:|--:|--:|"], True
    for said, command, config, limit in COMMANDS:
        (folder / "config.toml").write_text(config)
        took = fastest([unstuck, command], rounds, folder)
        met = met and took <= limit * bare
        rows.append(f"| {said} | {took * 1000:.0f} ms | {bare * 1000:.0f} ms | {took / bare:.1f}× | {limit:.0f}× |")
    return "\n".join(rows), met


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
