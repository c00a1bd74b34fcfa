"""How fast and how small a pull of a Microsoft Project export is, beside a bare `lxml.iterparse` of the same fields.

    python bench/msproject_pull.py            1,000, 20,000 and 100,000 tasks (386 MB; takes a minute)
    python bench/msproject_pull.py --small    1,000 only
    python bench/msproject_pull.py --write    also put the table into docs/benchmarks.md

Each reading runs in a process of its own, three times; the fastest counts, and its peak memory. Exits 1 if a limit is
missed: 1.5 times the time of the other at 20,000 tasks and more (below that it is mostly imports that are measured),
60 MB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from tables import peak_mb, put_into_docs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIZES = (1_000, 20_000, 100_000)
MAX_RATIO = 1.5
RATIO_COUNTS_FROM = 20_000
MAX_MB = 60


class Row(NamedTuple):
    """One size, measured: seconds and megabytes."""

    tasks: int
    megabytes: float
    ours: float
    other: float
    peak: float
    other_peak: float

    @property
    def ratio(self) -> float:
        return self.ours / self.other

    @property
    def is_within(self) -> bool:
        return self.peak <= MAX_MB and (self.ratio <= MAX_RATIO or self.tasks < RATIO_COUNTS_FROM)


def read_ours(path: Path) -> int:
    """A full pull through the connector, as a run does it."""
    from zoneinfo import ZoneInfo

    from connectors.base import SourceSetup
    from connectors.msproject import MSProjectConnector

    setup = SourceSetup(
        "bench",
        {"path": path.name},
        fields={"outcome_metric": "Outcome Metric", "sponsor": "Sponsor"},
        timezone=ZoneInfo("Europe/Berlin"),
        folder=path.parent,
    )
    connector = MSProjectConnector(setup)
    (collection,) = connector.collections()
    return sum(len(page.items) for page in connector.pull(collection, None))


def read_other(path: Path) -> int:
    """The same fields, with lxml and nothing else: no checks, no dates, no items."""
    from lxml import etree

    from connectors.msproject.reader import TASK_ELEMENTS

    space = "{http://schemas.microsoft.com/project}"
    wanted = {space + name for name in (*TASK_ELEMENTS, "TaskUID", "ResourceUID", "Type")}
    inner = {space + "FieldID", space + "Value"}
    tags = [space + name for name in ("Task", "Resource", "Assignment")]
    tasks = 0
    for _, element in etree.iterparse(str(path), events=("end",), tag=tags):
        record: dict[str, Any] = {child.tag: child.text for child in element if child.tag in wanted}
        record["values"] = [
            {leaf.tag: leaf.text for leaf in child if leaf.tag in inner}
            for child in element.iterchildren(space + "ExtendedAttribute")
        ]
        tasks += element.tag == tags[0]
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]
    return tasks


def child(who: str, path: Path) -> None:
    """In a process of its own: read, and print seconds, megabytes and the count."""
    started = time.perf_counter()
    count = {"ours": read_ours, "other": read_other}[who](path)
    print(json.dumps([time.perf_counter() - started, peak_mb(), count]))


def _measure(who: str, path: Path, tasks: int) -> tuple[float, float]:
    runs = []
    for _ in range(3):
        done = subprocess.run([sys.executable, __file__, "--child", who, str(path)], check=True, capture_output=True)
        seconds, peak, count = json.loads(done.stdout)
        if count != tasks:
            raise SystemExit(f"{who} read {count} of {tasks} tasks")
        runs.append((seconds, peak))
    return min(runs)


def measure(tasks: int, folder: Path) -> Row:
    """Write a file of this size, read it both ways, and remove it."""
    from generators.msproject import write

    path = folder / f"large-{tasks}.xml"
    write(path, tasks)
    try:
        ours, peak = _measure("ours", path, tasks)
        other, other_peak = _measure("other", path, tasks)
        return Row(tasks, path.stat().st_size / 1e6, ours, other, peak, other_peak)
    finally:
        path.unlink()


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| tasks | file | unstuck | bare lxml.iterparse | ratio | limit | peak | limit | lxml's peak |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row.tasks:,} | {row.megabytes:.1f} MB | {row.ours:.2f} s | {row.other:.2f} s | {row.ratio:.2f}× "
        f"| {MAX_RATIO}× | {row.peak:.0f} MB | {MAX_MB} MB | {row.other_peak:.0f} MB |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--child", nargs=2, metavar=("WHO", "FILE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        child(chosen.child[0], Path(chosen.child[1]))
        return 0
    with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as folder:
        rows = [measure(tasks, Path(folder)) for tasks in (SIZES[:1] if chosen.small else SIZES)]
    print(table(rows))
    if chosen.write:
        put_into_docs("msproject_pull", "Pulling Microsoft Project exports", table(rows))
    return 0 if all(row.is_within for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
