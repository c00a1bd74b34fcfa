"""How fast and how small a pull of an Excel workbook is, beside pandas with openpyxl.

    python bench/xlsx_pull.py            20,000 and 100,000 rows
    python bench/xlsx_pull.py --small    1,000 only
    python bench/xlsx_pull.py --write    also put the table into docs/benchmarks.md

Needs the extra `bench`. Each reading runs in a process of its own, in turn; the fastest counts, and its peak memory.
Times are CPU seconds (all use one thread), so that other work on the machine does not decide. pandas stops at a table
of cells; a pull goes on to work items: dates read, levels and people worked out.

Exits 1 if a limit is missed: the time of pandas with openpyxl at 20,000 rows and more (below that it is mostly imports
that are measured), and 100 MB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tables import peak_mb, put_into_docs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIZES = (20_000, 100_000)
MAX_RATIO = 1.0
RATIO_COUNTS_FROM = 20_000
MAX_MB = 100


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
        fields={"sponsor": "Sponsor", "planned": "Start"},
        timezone=ZoneInfo("Europe/Berlin"),
        folder=path.parent,
    )
    connector = MSProjectConnector(setup)
    (collection,) = connector.collections()
    return sum(len(page.items) for page in connector.pull(collection, None))


def read_other(path: Path) -> int:
    """The table of cells as pandas reads it."""
    import pandas

    return len(pandas.read_excel(path, engine="openpyxl"))


def child(who: str, path: Path) -> None:
    """In a process of its own: read, and print seconds, megabytes and the count."""
    started = time.process_time()
    count = {"ours": read_ours, "other": read_other}[who](path)
    print(json.dumps([time.process_time() - started, peak_mb(), count]))


def _run(who: str, path: Path, tasks: int) -> tuple[float, float]:
    done = subprocess.run([sys.executable, __file__, "--child", who, str(path)], check=True, capture_output=True)
    seconds, peak, count = json.loads(done.stdout)
    if count != tasks:
        raise SystemExit(f"{who} read {count} of {tasks} rows")
    return seconds, peak


def measure(tasks: int, folder: Path) -> Row:
    """Write a workbook of this size, read it both ways, and remove it."""
    from generators.tables import write

    path = folder / f"large-{tasks}.xlsx"
    write(path, tasks)
    try:
        runs = [[_run(who, path, tasks) for who in ("ours", "other")] for _ in range(2)]
        (ours, peak), (other, other_peak) = (min(each) for each in zip(*runs, strict=True))
        return Row(tasks, path.stat().st_size / 1e6, ours, other, peak, other_peak)
    finally:
        path.unlink()


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| rows | file | unstuck | pandas with openpyxl | ratio | limit | peak | limit | peak of pandas |",
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
        rows = [measure(tasks, Path(folder)) for tasks in ((1_000,) if chosen.small else SIZES)]
    print(table(rows))
    if chosen.write:
        put_into_docs("xlsx_pull", "Pulling Excel workbooks", table(rows))
    return 0 if all(row.is_within for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
