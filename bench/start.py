"""How long a command takes to start, against a bare Python.

    python bench/start.py            the fastest of 15 starts each
    python bench/start.py --small    of 3
    python bench/start.py --write    also put the table into docs/benchmarks.md

`status` runs on a store of one source with a hundred items. Exits 1 if a limit is missed, which --small only shows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tables import put_into_docs

ROUNDS = 15
LIMITS = {"--version": 6.0, "--help": 6.0, "status": 12.0}
CONFIG = '[sources.tool]\nsystem = "memory"\nworld = "world.json"\n'


def fastest(command: list[str], rounds: int, folder: Path) -> float:
    """Seconds of the fastest of some rounds: the others measure what else the machine did."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True, cwd=folder)
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
    subprocess.run([unstuck, "run"], capture_output=True, check=False, cwd=folder)
    bare = fastest([sys.executable, "-c", "pass"], rounds, folder)
    rows, met = ["| command | against | ratio | limit |", "|---|---|--:|--:|"], True
    for command, limit in LIMITS.items():
        ratio = fastest([unstuck, command], rounds, folder) / bare
        met = met and ratio <= limit
        rows.append(f"| `unstuck {command}` | `python -c pass` | {ratio:.1f}× | {limit:.0f}× |")
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
