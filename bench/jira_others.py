"""What a pull of Jira issues with their histories costs with Singer's tools: tap-jira into target-sqlite.

    python bench/jira_others.py            1,000 issues; installs both into folders of their own
    python bench/jira_others.py --small    200, and only what this Python has, which is unstuck
    python bench/jira_others.py --write    also put the table into docs/benchmarks.md

Both keep issues and their histories, from the fake site of bench/jira_pull.py; both sides of the pipe count. To run at
all, they need some help: tap-jira asks https only, and the fake speaks http; it wants a list of transitions with each
issue, which the fake does not give; target-sqlite needs names in `collections` that Python 3.10 moved. What
target-sqlite has no column for (an issue's status and title among it) is lost.

The Airbyte source from PyPI (airbyte-source-jira 4.0.0) cannot be measured: it asks /rest/api/3/search, which Jira
Cloud has removed, and repeats that until it gives up.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from jira_pull import FEW, measure, serving
from tables import put_into_docs

ISSUES = 1_000
"""Ten times as many take Singer's tools two minutes of CPU."""
LEAST = 6.0
"""How many times as much CPU as unstuck it must take; the limit of bench/jira_pull.py for dlt."""

WANTED = ("issues", "changelogs")
TAP = """
from tap_jira import http, main
asked = http.Client.request
def request(self, *words, **options):
    said = asked(self, *words, **options)
    for issue in said.get("issues", ()) if isinstance(said, dict) else ():
        issue.setdefault("transitions", [])
    return said
http.Client.request = request
http.Client.url = lambda self, path: self.base_url.rstrip("/") + "/" + path.lstrip("/")
main()
"""
TARGET = """
import collections, collections.abc
for name in collections.abc.__all__:
    setattr(collections, name, getattr(collections.abc, name))
from target_sqlite import main
main()
"""


def installed(folder: Path, package: str) -> str:
    """A Python of its own that has the package."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin/python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", package], check=True, stderr=subprocess.DEVNULL)
    return python


def selected(tap: list[str], catalog: Path) -> Path:
    """A catalog in which issues and their histories are wanted, as `--discover` gives it."""
    found = json.loads(subprocess.run([*tap, "--discover"], check=True, capture_output=True).stdout)
    for stream in found["streams"]:
        for entry in stream["metadata"] if stream["tap_stream_id"] in WANTED else ():
            entry["metadata"]["selected"] = True
    catalog.write_text(json.dumps(found))
    return catalog


def singer(door: tuple[str, str, str], folder: Path, tap_python: str, target_python: str) -> dict[str, Any]:
    """tap-jira | target-sqlite: CPU of both, and the larger peak."""
    site, user, password = door
    access = {"base_url": site, "username": user, "password": password}
    (folder / "tap.json").write_text(
        json.dumps({**access, "start_date": "2020-01-01T00:00:00Z", "user_agent": "bench"})
    )
    (folder / "target.json").write_text(json.dumps({"database": str(folder / "out.db")}))
    tap = [tap_python, "-c", TAP, "--config", str(folder / "tap.json")]
    target = [target_python, "-c", TARGET, "--config", str(folder / "target.json")]
    chosen = ["--properties", str(selected(tap, folder / "catalog.json"))]
    with subprocess.Popen([*tap, *chosen], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as first:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(target, stdin=first.stdout, **quiet) as second:
            used = [waited(second), waited(first)]
    with sqlite3.connect(folder / "out.db") as connection:
        issues, histories = (connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in WANTED)
    cpu, peak = sum(one.ru_utime + one.ru_stime for one in used), max(one.ru_maxrss for one in used) / 1024
    return {"cpu": cpu, "peak": peak, "issues": issues, "histories": histories}


def waited(process: subprocess.Popen[bytes]) -> resource.struct_rusage:
    """What a process took, once it ended."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used


def table(issues: int, pythons: tuple[str, str] | None) -> tuple[str, bool]:
    """The table in Markdown, and whether the limit is met."""
    rows, met = ["| way | CPU | against unstuck | limit | peak |", "|---|--:|--:|--:|--:|"], True
    with serving(issues) as door, tempfile.TemporaryDirectory(prefix="unstuck-bench-") as name:
        theirs = singer(door, Path(name), *pythons) if pythons else None
        ours = measure("unstuck", door, Path(name))
    rows.append(f"| unstuck | {ours['cpu']:.2f} s | | | {ours['peak']:.0f} MB |")
    if theirs:
        if theirs["issues"] != issues or not theirs["histories"]:
            raise SystemExit(f"tap-jira and target-sqlite stored {theirs['issues']} of {issues} issues")
        ratio = theirs["cpu"] / ours["cpu"]
        met = ratio >= LEAST
        cells = ["tap-jira into target-sqlite", f"{theirs['cpu']:.1f} s", f"{ratio:.1f}×", f"{LEAST:.0f}× or more"]
        rows.append(f"| {' | '.join(cells)} | {theirs['peak']:.0f} MB |")
    return f"{issues:,} issues.\n\n" + "\n".join(rows), met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument(
        "--pythons", nargs=2, metavar=("TAP", "TARGET"), help="Pythons that have tap-jira and target-sqlite"
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as name:
        folder = Path(name)
        pythons = tuple(chosen.pythons) if chosen.pythons else None
        if pythons is None and not chosen.small:
            pythons = installed(folder / "tap", "tap-jira==2.6.0"), installed(folder / "target", "target-sqlite==0.2.0")
        text, met = table(FEW if chosen.small else ISSUES, pythons)
    print(text)
    if chosen.write:
        put_into_docs("jira_others", "Pulling Jira with Singer's tools", text)
    return 0 if met or chosen.small else 1


if __name__ == "__main__":
    sys.exit(main())
