"""How often Java is started, and what a run costs, for an inbox of files that only MPXJ reads.

    python bench/mpp_pull.py            20 files: new, unchanged, and one of them changed
    python bench/mpp_pull.py --small    3 files
    python bench/mpp_pull.py --write    also put the table into docs/benchmarks.md

The files are .mpp of ../shared/samples where those lie beside the checkout, else generated .mpx. Java is a shell script
that counts its starts. Seconds are by the clock, as Java works beside us.

Exits 1 if new files take more than one start, or unchanged ones any.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from tables import put_into_docs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
SAMPLES = ROOT.parent / "shared/samples/msproject/mpp"
FILES = 20


@dataclass(frozen=True)
class Row:
    """One run, measured."""

    what: str
    seconds: float
    starts: int
    limit: int
    tasks: int


class Inbox:
    """A folder of files, and a Java that counts."""

    def __init__(self, root: Path, files: int) -> None:
        self.root = root
        java = root / "jdk/bin/java"
        java.parent.mkdir(parents=True)
        java.write_text(f'#!/bin/sh\necho >> "{root}/starts"\nexec "{shutil.which("java")}" "$@"\n')
        java.chmod(0o755)
        os.environ["JAVA_HOME"] = str(root / "jdk")
        (root / "inbox").mkdir()
        self._fill(files)

    def _fill(self, files: int) -> None:
        """Readable ones: neither protected nor damaged."""
        samples = [path for path in sorted(SAMPLES.glob("*.mpp")) if "assword" not in path.name][:files]
        for path in samples:
            shutil.copy(path, self.root / "inbox")
        for number in range(files - len(samples)):
            self.write(f"made-{number}", tasks=200)

    def write(self, name: str, tasks: int) -> None:
        rows = [f"70,{each},{each},Task {each},1,40" for each in range(1, tasks + 1)]
        lines = ["MPX,Microsoft Project for Windows,4.0,ANSI", f"30,{name}", "61,90,98,1,3,44", *rows, ""]
        (self.root / f"inbox/{name}.mpx").write_text("\n".join(lines))

    @property
    def starts(self) -> int:
        log = self.root / "starts"
        return len(log.read_text()) if log.exists() else 0

    def run(self, what: str, limit: int) -> Row:
        """One pull of everything."""
        from connectors.base import SourceSetup
        from connectors.msproject import MSProjectConnector

        options = {"path": "inbox/*", "cache": "cache", "identity": "file", "settle_seconds": 0}
        before, began = self.starts, time.perf_counter()
        connector = MSProjectConnector(
            SourceSetup("bench", options, timezone=ZoneInfo("Europe/Berlin"), folder=self.root)
        )
        tasks = sum(len(page.items) for each in connector.collections() for page in connector.pull(each, None))
        return Row(what, time.perf_counter() - began, self.starts - before, limit, tasks)


def measure(files: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as folder:
        inbox = Inbox(Path(folder), files)
        rows = [inbox.run(f"{files} new files", 1), inbox.run("nothing changed", 0)]
        inbox.write("one-more", tasks=200)
        return [*rows, inbox.run("one more file", 1)]


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| run | tasks | seconds | starts of Java | limit |", "|---|--:|--:|--:|--:|"]
    lines += [f"| {row.what} | {row.tasks:,} | {row.seconds:.2f} | {row.starts} | {row.limit} |" for row in rows]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    if not shutil.which("java"):
        print("| skipped: there is no Java here |")
        return 0
    rows = measure(3 if chosen.small else FILES)
    print(table(rows))
    if chosen.write:
        put_into_docs("mpp_pull", "Pulling files that only MPXJ reads", table(rows))
    return 0 if all(row.starts <= row.limit for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
