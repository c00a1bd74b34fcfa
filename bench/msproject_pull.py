"""How fast and how small a pull of a Microsoft Project export is, beside a bare `lxml.iterparse` of the same fields.

    python bench/msproject_pull.py            1,000, 20,000 and 100,000 tasks (386 MB; takes a minute)
    python bench/msproject_pull.py --small    1,000 only
    python bench/msproject_pull.py --write    also put the table into docs/benchmarks.md

Each reading runs in a process of its own, three times in turn; the fastest counts, and its peak memory. Times are CPU
seconds (all use one thread), so that other work on the machine does not decide. "Bare lxml.iterparse" reads each field
with findtext, as one writes it; "at its fastest" walks each element's children once, and is shown beside it.

"MPXJ" reads the same file with MSPDIReader of the package `mpxj`, Java's start included: where there is Java.

Exits 1 if a limit is missed: 1.5 times the time of bare lxml.iterparse at 20,000 tasks and more (below that it is
mostly imports that are measured), and 60 MB; and of MPXJ, a tenth of its time at 1,000 tasks, half at 20,000, 1/1.3 at
100,000, and a twentieth of its memory at that size.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from tables import peak_mb, put_into_docs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIZES = (1_000, 20_000, 100_000)
MAX_RATIO = 1.5
RATIO_COUNTS_FROM = 20_000
MAX_MB = 60
FASTER_THAN_MPXJ = {1_000: 10.0, 20_000: 2.0, 100_000: 1.3}
SMALLER_THAN_MPXJ = {100_000: 20.0}


class Row(NamedTuple):
    """One size, measured: seconds and megabytes."""

    tasks: int
    megabytes: float
    ours: float
    other: float
    fastest: float
    peak: float
    mpxj: tuple[float, float] | None
    """Seconds and megabytes; `None` without Java."""

    @property
    def ratio(self) -> float:
        return self.ours / self.other

    @property
    def is_within(self) -> bool:
        is_fast = self.ratio <= MAX_RATIO or self.tasks < RATIO_COUNTS_FROM
        return self.peak <= MAX_MB and is_fast and self.is_better_than_mpxj

    @property
    def is_better_than_mpxj(self) -> bool:
        if self.mpxj is None:
            return True
        seconds, megabytes = self.mpxj
        faster, smaller = FASTER_THAN_MPXJ[self.tasks], SMALLER_THAN_MPXJ.get(self.tasks, 0)
        return self.ours * faster <= seconds and self.peak * smaller <= megabytes


def read_ours(path: Path) -> int:
    """A full pull through the connector, as a run does it."""
    from zoneinfo import ZoneInfo

    from connectors.base import SourceSetup
    from connectors.msproject import MSProjectConnector

    setup = SourceSetup(
        "bench",
        {"path": path.name, "settle_seconds": 0},
        fields={"outcome_metric": "Outcome Metric", "sponsor": "Sponsor"},
        timezone=ZoneInfo("Europe/Berlin"),
        folder=path.parent,
    )
    connector = MSProjectConnector(setup)
    (collection,) = connector.collections()
    return sum(len(page.items) for page in connector.pull(collection, None))


SPACE = "{http://schemas.microsoft.com/project}"


def read_other(path: Path) -> int:
    """The same fields as one writes it with lxml, and nothing else: no checks, no dates, no items."""
    from connectors.msproject.reader import TASK_ELEMENTS

    resources: dict[str | None, str | None] = {}
    assignments: dict[str | None, list[str | None]] = {}
    tasks = 0
    for element in _elements(path):
        if element.tag == SPACE + "Task":
            record: dict[str, Any] = {name: element.findtext(SPACE + name) for name in TASK_ELEMENTS}
            values = element.iterfind(SPACE + "ExtendedAttribute")
            record["values"] = [(each.findtext(SPACE + "FieldID"), each.findtext(SPACE + "Value")) for each in values]
            tasks += 1
        elif element.tag == SPACE + "Resource":
            resources[element.findtext(SPACE + "UID")] = element.findtext(SPACE + "Name")
        else:
            task = assignments.setdefault(element.findtext(SPACE + "TaskUID"), [])
            task.append(element.findtext(SPACE + "ResourceUID"))
    return tasks


def read_fastest(path: Path) -> int:
    """The fastest way known to us to get at the same texts with lxml: one walk over the children of each element."""
    from connectors.msproject.reader import TASK_ELEMENTS

    wanted = {SPACE + name for name in (*TASK_ELEMENTS, "TaskUID", "ResourceUID")}
    tasks = 0
    for element in _elements(path):
        record: dict[str, Any] = {child.tag: child.text for child in element if child.tag in wanted}
        values = element.iterchildren(SPACE + "ExtendedAttribute")
        record["values"] = [{leaf.tag: leaf.text for leaf in each} for each in values]
        tasks += element.tag == SPACE + "Task"
    return tasks


def _elements(path: Path) -> Iterator[Any]:
    """Tasks, resources and assignments, each forgotten when the next is asked for."""
    from lxml import etree

    tags = [SPACE + name for name in ("Task", "Resource", "Assignment")]
    for _, element in etree.iterparse(str(path), events=("end",), tag=tags):
        yield element
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def child(who: str, path: Path) -> None:
    """In a process of its own: read, and print seconds, megabytes and the count."""
    started = time.process_time()
    count = {"ours": read_ours, "other": read_other, "fastest": read_fastest}[who](path)
    print(json.dumps([time.process_time() - started, peak_mb(), count]))


def _run(who: str, path: Path, tasks: int) -> tuple[float, float]:
    done = subprocess.run([sys.executable, __file__, "--child", who, str(path)], check=True, capture_output=True)
    seconds, peak, count = json.loads(done.stdout)
    if count != tasks:
        raise SystemExit(f"{who} read {count} of {tasks} tasks")
    return seconds, peak


def _run_mpxj(path: Path) -> tuple[float, float] | None:
    """CPU seconds and peak megabytes of a reading by MPXJ, in a heap that it needs."""
    java = shutil.which("java")
    if not java or not find_spec("mpxj"):
        return None
    from connectors.msproject.java import find_jars

    jars, _ = find_jars()
    flags = ("-Xmx4g", "-XX:+UseSerialGC", "-Dlog4j2.loggerContextFactory=" + QUIET)
    command = [java, *flags, "-cp", f"{jars}/*", str(ROOT / "bench/ReadMspdi.java"), str(path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit("MPXJ could not read it")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


QUIET = "org.apache.logging.log4j.simple.SimpleLoggerContextFactory"


def measure(tasks: int, folder: Path) -> Row:
    """Write a file of this size, read it both ways, and remove it."""
    from generators.msproject import write

    path = folder / f"large-{tasks}.xml"
    write(path, tasks)
    try:
        runs = [[_run(who, path, tasks) for who in ("ours", "other", "fastest")] for _ in range(3)]
        (ours, peak), (other, _), (fastest, _) = (min(each) for each in zip(*runs, strict=True))
        return Row(tasks, path.stat().st_size / 1e6, ours, other, fastest, peak, _run_mpxj(path))
    finally:
        path.unlink()


def _beside_mpxj(row: Row) -> str:
    if row.mpxj is None:
        return "| no Java | | | |"
    seconds, megabytes = row.mpxj
    return f"| {seconds:.2f} s | {megabytes:,.0f} MB | {seconds / row.ours:.1f}× | {megabytes / row.peak:.0f}× |"


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| tasks | file | unstuck | bare lxml.iterparse | ratio | limit | lxml at its fastest | peak | limit "
        "| MPXJ | its peak | faster | smaller |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row.tasks:,} | {row.megabytes:.1f} MB | {row.ours:.2f} s | {row.other:.2f} s | {row.ratio:.2f}× "
        f"| {MAX_RATIO}× | {row.fastest:.2f} s | {row.peak:.0f} MB | {MAX_MB} MB "
        f"{_beside_mpxj(row)}"
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
