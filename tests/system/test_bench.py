"""The small form of each measurement runs, so that none rots; what it measures is not looked at."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
SCRIPTS = sorted(path.name for path in BENCH.glob("*.py") if path.name not in ("claims.py", "duck.py", "tables.py"))


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_small_form_runs(script: str) -> None:
    needed = {"rules.py": "rule_engine", "store.py": "sqlalchemy", "xlsx_pull.py": "pandas"}.get(script, "sys")
    if importlib.util.find_spec(needed) is None:
        pytest.skip("the extra `bench` is not installed")
    done = subprocess.run([sys.executable, str(BENCH / script), "--small"], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert "|" in done.stdout


def test_the_first_table_says_what_the_others_say() -> None:
    """`python bench/claims.py --write` makes it again."""
    said = subprocess.run([sys.executable, str(BENCH / "claims.py")], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert said.stdout.strip() in (BENCH.parent / "docs/benchmarks.md").read_text(encoding="utf-8")
