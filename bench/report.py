"""How long the report takes to make, and how large it gets.

    python bench/report.py            100,000 items in three tools
    python bench/report.py --small    2,000 only
    python bench/report.py --write    also put the table into docs/benchmarks.md

The portfolio is made up and pulled by the real command. That the page opens in 3 s is measured in a browser, by
tests/system/test_report_in_browser.py. Exits 1 if a limit is missed, which --small only shows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tables import put_into_docs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.fakes import portfolio  # noqa: E402 - the checkout's own

COUNT, SMALL = 100_000, 2_000
MAX_BYTES = 5_000_000
PEAK = (
    "import sys, json; sys.path.append('BENCH'); from tables import peak_mb; from sync.cli import unstuck\n"
    "unstuck.main(sys.argv[1:], standalone_mode=False); print(json.dumps(peak_mb()))"
)


def made(folder: Path, form: str) -> tuple[float, int, float]:
    """Seconds, bytes, and the most memory in MB of one report in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "UNSTUCK_NOW": portfolio.NOW.isoformat()}
    script = PEAK.replace("BENCH", str(ROOT / "bench"))
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script, "report", "-o", f"report.{form}"],
        cwd=folder, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return time.perf_counter() - start, (folder / f"report.{form}").stat().st_size, json.loads(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    wanted = parser.parse_args()
    count = SMALL if wanted.small else COUNT
    lines = ["| items | form | made in | size | limit | peak |", "|--:|---|--:|--:|--:|--:|"]
    met = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        portfolio.lay(folder, count)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "UNSTUCK_NOW": portfolio.NOW.isoformat()}
        run = [sys.executable, "-m", "sync.cli", "run", "--plan-only", "--json"]
        subprocess.run(run, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
        for form in ("html", "csv", "json", "xlsx"):
            seconds, size, peak = made(folder, form)
            met = met and (form != "html" or size < MAX_BYTES)
            limit = f"{MAX_BYTES / 1e6:.0f} MB" if form == "html" else ""
            lines.append(f"| {count:,} | {form} | {seconds:.1f} s | {size / 1e6:.1f} MB | {limit} | {peak:.0f} MB |")
    text = "\n".join(lines)
    print(text)
    if wanted.write:
        put_into_docs("report", "Making the report", text)
    return 0 if met or wanted.small else 1


if __name__ == "__main__":
    sys.exit(main())
