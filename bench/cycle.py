"""What a whole run costs, from the pull to the plan, and what one costs in which nothing happened.

    python bench/cycle.py            10,000, 100,000 and 1,000,000 items (2 GB of disk, some minutes)
    python bench/cycle.py --small    1,000 and 2,000 only
    python bench/cycle.py --write    also put the tables into docs/benchmarks.md

The tool makes its items up as they are asked for, so that time and memory are unstuck's own. Twenty rules find
something on one item of ten. A first run pulls, evaluates and plans all of them. Then the labels are put on in the
store as an apply would leave them, a run settles, and runs follow in which nothing changed. Every size has a process
of its own. Exits 1 if a limit is missed, which --small only shows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tables import peak_mb, put_into_docs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIZES, SMALL = (10_000, 100_000, 1_000_000), (1_000, 2_000)
MAX_UNCHANGED, MAX_PLAN, ROUNDS = 1.5, 2.0, 5
MAX_MB = {100_000: 200, 1_000_000: 300}

RULE = """
[[rule]]
id = "noted-{0}"
label = "pmo-noted-{0}"
says = "In {{status}}"
when = {{ labels = "has noted-{0}" }}
"""
CONFIG = """
rules = ["rules.toml"]
[sources.bench]
system = "steady"
items = {items}
noted = {noted}
"""
LABELLED = """
UPDATE item SET labels = json_insert(labels, '$[#]', (SELECT label FROM finding_kept f WHERE f.item_id = item.id))
WHERE id IN (SELECT item_id FROM finding_kept);
INSERT INTO ledger (item_id, label, rule, reason, run_id, put_at)
SELECT item_id, label, rule, reason, 1, '' FROM finding_kept;
"""
"""What applying the plan leaves in the store."""


def company(folder: Path, items: int) -> Path:
    """The config of so many items, with its rules."""
    from generators.steady import KINDS

    (folder / "rules.toml").write_text("".join(RULE.format(kind) for kind in range(KINDS)))
    (folder / "config.toml").write_text(CONFIG.format(items=items, noted=items // 10))
    return folder / "config.toml"


class Stopwatch:
    """Seconds of CPU of the calls that go through it, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def of(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            start = time.process_time()
            try:
                return call(*arguments, **named)
            finally:
                self.seconds[name] = self.seconds.get(name, 0) + time.process_time() - start

        return timed


def cycle(config_file: Path) -> Any:
    """One run as `unstuck run` does it; returns its report."""
    from generators import steady

    from sync import clock
    from sync import run as runs
    from sync.commands.shared import load
    from sync.store import open_store
    from sync.summary import Wish

    os.environ[clock.VARIABLE] = steady.NOW.isoformat()
    config, ruleset = load(config_file)
    with open_store(config.store) as store:
        return runs.cycle(config, ruleset, store, clock.read(), Wish(command="run"))


def first(config_file: Path) -> dict[str, Any]:
    """A run on everything: seconds of each part, and memory."""
    from sync import findings
    from sync import run as runs

    watch = Stopwatch()
    findings.link = watch.of("rules", findings.link)
    findings.evaluate = watch.of("rules", findings.evaluate)
    runs.plan_run = watch.of("plan", runs.plan_run)
    start = time.process_time()
    report = cycle(config_file)
    if len(report.plan.changes) != report.findings:
        raise SystemExit(f"{len(report.plan.changes)} changes for {report.findings} findings")
    seconds = time.process_time() - start
    return {**watch.seconds, "all": seconds, "planned": len(report.plan.changes), "peak": peak_mb()}


def unchanged(config_file: Path) -> dict[str, Any]:
    """Seconds of runs in which nothing changed, once all labels are on."""
    from sync.store import open_store

    with open_store(config_file.parent / "unstuck.db") as store, store.transaction() as connection:
        for statement in LABELLED.split(";"):
            connection.execute(statement)
    cycle(config_file)
    times, cpu = [], []
    for _ in range(ROUNDS):
        start, began = time.perf_counter(), time.process_time()
        report = cycle(config_file)
        times.append(time.perf_counter() - start)
        cpu.append(time.process_time() - began)
        if not (report.plan.empty and report.findings) or report.problems:
            raise SystemExit(f"not settled: {len(report.plan.changes)} changes, {report.problems}")
    return {"wall": min(times), "cpu": min(cpu), "peak": peak_mb()}


def measured(what: str, config_file: Path) -> dict[str, Any]:
    """What a child says: measure in a process of its own."""
    command = [sys.executable, __file__, "--child", what, str(config_file)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def tables(sizes: tuple[int, ...]) -> tuple[str, list[str]]:
    """Measure, and make both tables in Markdown; also what is missed."""
    whole = ["| items | labels planned | whole run, CPU | rules | plan | plan / rules | limit | peak | limit |"]
    quiet = ["| items | nothing changed, wall | CPU | beside the smallest | limit |"]
    whole.append("|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    quiet.append("|--:|--:|--:|--:|--:|")
    missed, least = list[str](), 0.0
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as folder:
            config_file = company(Path(folder), size)
            one, other = measured("first", config_file), measured("unchanged", config_file)
        least, most = least or other["cpu"], MAX_MB.get(size)
        share, growth = one["plan"] / one["rules"], other["cpu"] / least
        whole.append(
            f"| {size:,} | {one['planned']:,} | {one['all']:.1f} s | {one['rules']:.2f} s | {one['plan']:.2f} s | "
            f"{share:.2f}× | {MAX_PLAN}× | {one['peak']:.0f} MB | {f'{most} MB' if most else ''} |"
        )
        quiet.append(
            f"| {size:,} | {other['wall'] * 1000:.0f} ms | {other['cpu'] * 1000:.0f} ms | {growth:.2f}× | "
            f"{MAX_UNCHANGED}× |"
        )
        missed += [f"{size:,}: planning {share:.2f}×"] if share > MAX_PLAN else []
        missed += [f"{size:,}: peak {one['peak']:.0f} MB"] if most and one["peak"] > most else []
        missed += [f"{size:,}: unchanged {growth:.2f}×"] if growth > MAX_UNCHANGED else []
        print("\n".join(("", *whole, "", *quiet)), flush=True)
    return "\n".join((*whole, "", *quiet)), missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "CONFIG"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        what, config_file = chosen.child
        print(json.dumps({"first": first, "unchanged": unchanged}[what](Path(config_file))))
        return 0
    text, missed = tables(SMALL if chosen.small else SIZES)
    if chosen.write:
        put_into_docs("cycle", "Whole runs, and runs in which nothing changed", text)
    for each in missed:
        print(f"missed: {each}", file=sys.stderr)
    return 1 if missed and not chosen.small else 0


if __name__ == "__main__":
    sys.exit(main())
