"""The pages on connectors: the table is the code's own, and the steps of "Writing a connector" work."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

BLOCK = re.compile(r"^```\w+\n# (?P<name>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
"""A file in the page: its name is the first line."""


def test_the_tables_are_generated() -> None:
    generate = runpy.run_path(str(DOCS / "generate.py"))
    front = (ROOT / "README.md").read_text("utf-8")
    assert front == generate["front"](front), "run: python docs/generate.py"
    page = generate["page"]()
    written = (DOCS / "connectors" / "README.md").read_text("utf-8")
    assert written == page, "run: python docs/generate.py"


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package that the page makes, installed into a folder of its own."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for block in BLOCK.finditer((DOCS / "connectors" / "writing.md").read_text("utf-8")):
        (source / block["name"]).write_text(block["text"], "utf-8")
    install = ("pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(target))
    run(sys.executable, "-m", *install, ".", folder=source)
    (source / "unstuck_cards.py").unlink()  # only what is installed is tried
    (source / "target").write_text(str(target), "utf-8")
    return source


def run(*command: str, folder: Path, path: str = "") -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([path, str(ROOT)])}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} said:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_the_connector_of_the_page_passes_the_contract(plugin: Path) -> None:
    report = run(sys.executable, "-m", "pytest", "-rA", folder=plugin, path=(plugin / "target").read_text("utf-8"))
    passed = set(re.findall(r"^PASSED test_cards\.py::TestCards::(\w+)", report, re.MULTILINE))
    assert {"test_hostile_titles_arrive_whole", "test_a_broken_tool_is_not_an_empty_one"} <= passed


@pytest.mark.slow
def test_the_connector_of_the_page_is_found_by_its_name(plugin: Path) -> None:
    unstuck = (sys.executable, "-c", "from sync.cli import main; main()", "connectors")
    assert "cards" in run(*unstuck, folder=plugin, path=(plugin / "target").read_text("utf-8"))
