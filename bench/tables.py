"""What the measurements have in common: peak memory, and their tables in docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs/benchmarks.md"


def peak_mb() -> float:
    """The most memory that this process has held since it began."""
    # VmHWM begins anew with each exec; ru_maxrss keeps the parent's peak.
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def with_bytecode() -> dict[str, str]:
    """An environment in which modules of a checkout are compiled once, as those of an installed package are."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def put_into_docs(script: str, title: str, text: str, page: Path = DOCS) -> None:
    """Replace what stands between the marks of `bench/SCRIPT.py` in a page of docs, or add it."""
    machine = f"{os.cpu_count()} CPUs, {platform.machine()}, Python {platform.python_version()}"
    start, end = f"<!-- {script} -->", f"<!-- end of {script} -->"
    block = f"{start}\n## {title}\n\n{datetime.now(UTC):%Y-%m-%d}, {machine}: `bench/{script}.py`\n\n{text}\n{end}"
    old = page.read_text(encoding="utf-8") if page.exists() else "# Benchmarks\n"
    before, found, rest = old.partition(start)
    new = f"{before}{block}{rest.partition(end)[2]}" if found else f"{old.rstrip()}\n\n{block}\n"
    page.write_text(new, encoding="utf-8")
