"""What `make run` does: the real command on the example portfolio, and where to look afterwards."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NOW = "2026-11-20T08:00:00"
"""The Friday after the last export. A fixed day, so that everybody sees what the files were made to show."""

UNSTUCK = [sys.executable, "-m", "sync.cli", "--config", "examples/config.toml"]


def main() -> int:
    """Run, show, point on. Returns the run's exit code."""
    (ROOT / "examples" / "out").mkdir(exist_ok=True)
    say("Three MS Project exports of a made-up retailer (examples/inbox/*.xml), as of Friday, 20 November 2026.")
    say("First a look (unstuck run), as new rules are seen before they write; then the labels (unstuck run --apply).")
    unstuck("run", "--plan-only", "--json", stdout=subprocess.PIPE)
    done = unstuck("run", "--apply", "--json", stdout=subprocess.PIPE)
    if not done.stdout:
        return done.returncode
    summary: dict[str, Any] = json.loads(done.stdout)
    tell(summary)
    if done.returncode:
        return done.returncode
    unstuck("findings")
    reported = unstuck("report", "-o", "examples/out/report.html")
    if reported.returncode == 0:
        point_on()
    return reported.returncode


def unstuck(*arguments: str, stdout: int | None = None) -> subprocess.CompletedProcess[str]:
    """The command as people run it, with the clock set to `NOW`."""
    environment = {**os.environ, "UNSTUCK_NOW": NOW}
    return subprocess.run([*UNSTUCK, *arguments], cwd=ROOT, env=environment, stdout=stdout, text=True, check=False)


def tell(summary: dict[str, Any]) -> None:
    """What the run did, in a few lines."""
    for sentence in [*summary["problems"], *(brake["why"] for brake in summary["brakes"])]:
        say(sentence)
    files = sum(source["collections"] for source in summary["sources"])
    say(f"Looked at {summary['considered']} tasks in {files} files: {summary['findings']} findings.")
    written = summary["written"]
    if written["copies"]:
        say(f"Labelled copies written: {written['copies']}; labels on: {written['added']}, off: {written['removed']}.")
    else:
        say("Nothing had changed since the last run, so nothing was written.")
    say("")


def point_on() -> None:
    """Where the results lie, and what to try."""
    command = Path(sys.executable).with_name("unstuck")
    shown = str(command.relative_to(ROOT)) if command.is_relative_to(ROOT) else str(command)
    start = shlex.join([shown] if command.exists() else UNSTUCK[:3])
    say(f"""
The labelled copies   examples/inbox/labelled/*.xml   (the exports themselves are as they were)
The store, SQLite     examples/out/unstuck.db
A report to open      examples/out/report.html

Look around:
  export UNSTUCK_NOW={NOW}
  {start} --config examples/config.toml explain warehouse-5
  {start} --config examples/config.toml status
  {start} --config examples/config.toml items --format csv

Change a task in examples/inbox/*.xml and run this again: its labels follow.""")


def say(text: str) -> None:
    """A line for the person who watches, in order with what the command prints."""
    print(text, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # piped into `head`
        sys.stderr.close()
