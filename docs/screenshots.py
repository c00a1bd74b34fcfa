"""Write docs/images: the report of the example portfolio, as a browser shows it on a desk, in the dark and on a phone.

Needs chromium and the extra `dev`. Beside the pictures stands a hash of what made them, which a test compares.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
SHA = IMAGES / "report.sha256"
NOW = "2026-11-20T08:00:00"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")

VIEWS = {
    "report.png": {"viewport": {"width": 1200, "height": 1040}, "color_scheme": "light"},
    "report-dark.png": {"viewport": {"width": 1200, "height": 1040}, "color_scheme": "dark"},
    "report-phone.png": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}
PLACES = {"report-dark.png": "#aging"}
"""Where a picture begins, if not at the top."""


def report(folder: Path) -> Path:
    """The report of a copy of the example, with the clock of `make run`."""
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("out", "labelled"))
    (folder / "examples" / "out").mkdir()
    environment = {**os.environ, "UNSTUCK_NOW": NOW, "PYTHONPATH": str(ROOT)}
    unstuck = [sys.executable, "-m", "sync.cli", "--config", "examples/config.toml"]
    for command in (["run", "--plan-only"], ["run", "--apply"], ["report", "-o", "report.html"]):
        subprocess.run([*unstuck, *command], cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
    return folder / "report.html"


def sha() -> str:
    """Changes with what makes the report look as it does."""
    looks = [ROOT / "sync" / "report" / name for name in ("page.html", "page.css", "page.js", "charts.py")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in looks)).hexdigest()


def main() -> None:
    from playwright.sync_api import sync_playwright

    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        file = report(Path(name))
        chromium = shutil.which("chromium") or "chromium"
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        for image, look in VIEWS.items():
            page = browser.new_context(**look, reduced_motion="reduce").new_page()
            page.goto(file.as_uri() + PLACES.get(image, ""))
            page.wait_for_selector("html[data-ready]", state="attached")
            page.screenshot(path=IMAGES / image)
        SHA.write_text(sha() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
