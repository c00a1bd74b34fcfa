"""The report in a real browser: it draws, filters and sorts, calls nobody, and is for everybody."""

from __future__ import annotations

import re
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sync.report import page as pages
from tests.fakes import portfolio
from tests.sync.test_report import unpacked
from tests.sync.town import fork_server
from tests.system.browser import chromium

pytestmark = pytest.mark.slow

MAX_BYTES, MAX_SECONDS = 5_000_000, 3.0


@dataclass
class Open:
    """A report that is open in the browser, and what it said and asked for."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def told(self) -> str:
        return str(self.page.inner_text("#told"))

    @property
    def rows(self) -> list[list[str]]:
        texts = "rows => rows.map(row => [...row.cells].map(cell => cell.innerText))"
        found = self.page.locator("#items tbody tr").evaluate_all(texts)
        return [[str(cell) for cell in row] for row in found]

    def settle(self, before: str) -> None:
        """Wait until the list tells something else than before. The page's own policy forbids to wait within it."""
        for _ in range(200):
            if self.told != before:
                return
            time.sleep(0.02)
        raise AssertionError(f"the list still says {before}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


def made(folder: Path, count: int) -> Path:
    """The report of a portfolio of so many items, by the real commands."""
    portfolio.lay(folder, count)
    environment = {"UNSTUCK_NOW": "2026-11-20T08:00:00", "PATH": "", "HOME": str(folder)}
    for command in (["run", "--plan-only"], ["report", "-o", "report.html"]):
        code, _, said = fork_server().run(command, folder, environment)
        assert code == 0, said
    return folder / "report.html"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("portfolio"), 5_000)


def opened(browser: Any, file: Path, **how: Any) -> Open:
    page = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **how}).new_page()
    report = Open(page)
    page.on("console", lambda message: report.said.append(message.text))
    page.on("pageerror", lambda error: report.said.append(str(error)))
    page.on("request", lambda request: report.asked.append(request.url))
    page.goto(file.as_uri())
    if how.get("java_script_enabled", True):
        page.wait_for_selector("html[data-ready]", state="attached")
    return report


@pytest.fixture
def report(browser: Any, file: Path) -> Iterator[Open]:
    found = opened(browser, file)
    yield found
    assert found.said == [], "nothing on the console"
    assert found.asked == [file.as_uri()], "nobody is called"
    found.page.context.close()


def test_charts_are_drawn(report: Open) -> None:
    charts = report.page.locator("svg.chart.wide")
    assert charts.count() >= 5
    for chart in charts.all():
        box = chart.bounding_box()
        assert box["width"] > 600
        assert box["height"] > 60
    dots = report.page.locator("#aging svg.wide a")
    assert dots.count() == 500
    assert dots.first.get_attribute("href").startswith("https://")
    drawn = report.page.locator("#aging svg.wide .dot").first
    assert drawn.evaluate("dot => getComputedStyle(dot).fill") == "rgb(31, 79, 191)"
    assert report.page.locator("#outcomes svg.wide .rect").count() > 30


def test_searching_and_filtering(report: Open, file: Path) -> None:
    listed = unpacked(file.read_text(encoding="utf-8"))
    before = report.told
    assert before.startswith(f"{len(listed['key']):,} items")
    report.page.fill("[name=text]", "gift cards IRELAND")
    report.settle(before)
    expected = [title for title in listed["title"] if "gift cards" in title and "Ireland" in title]
    assert report.told.split()[0] == str(len(expected))
    assert sorted(row[0].split(" ", 1)[1] for row in report.rows) == sorted(expected)[: len(report.rows)]
    before = report.told
    report.page.select_option("[name=source]", "=boards")
    report.settle(before)
    assert {row[1] for row in report.rows} == {"boards"}
    before = report.told
    report.page.click("button[type=reset]")
    report.settle(before)
    before = report.told
    report.page.select_option("[name=rule]", "=stuck")
    report.settle(before)
    stuck = listed["words"].index("stuck")
    expected = [each for each in listed["found"] if any(rule == stuck for rule, _ in each)]
    assert report.told.startswith(f"{len(expected):,} items")


def test_sorting_with_the_keyboard(report: Open) -> None:
    report.page.focus("th[data-sort=days] button")
    report.page.keyboard.press("Enter")
    head = report.page.locator("th[data-sort=days]")
    assert head.get_attribute("aria-sort") == "descending"
    days = [int(row[5].strip("≥ ").replace(",", "") or 0) for row in report.rows]
    assert days == sorted(days, reverse=True)
    report.page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    report.page.click("th[data-sort=grade] button")
    assert head.get_attribute("aria-sort") is None
    assert {row[6] for row in report.rows} == {"missing"}


def test_more_rows_come_when_asked_for(report: Open) -> None:
    assert len(report.rows) == 100
    report.page.click("#more")
    assert len(report.rows) == 200
    assert "of which the first 200 are shown" in report.told


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_is_for_everybody(browser: Any, file: Path, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed (extra `dev`)")
    report = opened(browser, file, color_scheme=scheme, viewport={"width": width, "height": 844})
    found = axe.Axe().run(report.page).response["violations"]
    assert [(each["id"], [node["html"][:120] for node in each["nodes"][:3]]) for each in found] == []
    assert report.page.evaluate("document.documentElement.scrollWidth") == width, "nothing sticks out"
    report.page.context.close()


def test_light_and_dark_are_seen(browser: Any, file: Path) -> None:
    for scheme, paper in (("light", (255, 255, 255)), ("dark", (20, 22, 26))):
        report = opened(browser, file, color_scheme=scheme, viewport={"width": 640, "height": 480})
        colours = pixels(report.page.screenshot())
        assert max(colours, key=lambda colour: colours[colour]) == paper
        assert len(colours) > 50, "it is not blank"
        report.page.context.close()


def test_it_reads_without_scripts(browser: Any, file: Path) -> None:
    report = opened(browser, file, java_script_enabled=False)
    assert "Scripts are off" in report.page.inner_text("#list")
    assert report.page.locator("#filter").is_hidden()
    assert report.page.locator("#items tbody tr").count() == pages.WITHOUT_SCRIPTS
    assert report.page.locator("svg.chart.wide").count() >= 5
    report.page.context.close()


def test_it_prints(browser: Any, file: Path) -> None:
    report = opened(browser, file)
    pdf = report.page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) > 5
    report.page.context.close()


def test_hostile_titles_do_nothing(browser: Any, tmp_path: Path) -> None:
    hostile = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
    portfolio.lay(tmp_path, 60)
    world = (tmp_path / "boards.json").read_text().replace("Move ", "Move " + hostile.replace('"', r"\""))
    world = world.replace("https://boards.example.com", "javascript:document.title='taken'//")
    (tmp_path / "boards.json").write_text(world)
    environment = {"UNSTUCK_NOW": "2026-11-20T08:00:00", "PATH": "", "HOME": str(tmp_path)}
    for command in (["run", "--plan-only"], ["report", "-o", "report.html"]):
        assert fork_server().run(command, tmp_path, environment)[0] == 0
    report = opened(browser, tmp_path / "report.html")
    assert report.page.title().startswith("Portfolio report")
    assert report.page.locator("img").count() == 0
    assert report.page.locator("a[href^=javascript]").count() == 0
    assert report.said == []
    report.page.context.close()


def test_a_hundred_thousand_items(browser: Any, tmp_path: Path) -> None:
    file = made(tmp_path, 100_000)
    assert file.stat().st_size < MAX_BYTES
    listed = f"{len(unpacked(file.read_text(encoding='utf-8'))['key']):,} items"
    took = (opening(browser, file, listed) for _ in range(3))
    assert any(seconds < MAX_SECONDS for seconds in took), "a slow one measures what else goes on"


def opening(browser: Any, file: Path, listed: str) -> float:
    """Seconds until a report is there, its list too."""
    began = time.monotonic()
    report = opened(browser, file)
    took = time.monotonic() - began
    assert report.told.startswith(listed)
    assert report.said == []
    report.page.context.close()
    return took


def pixels(png: bytes) -> dict[tuple[int, int, int], int]:
    """How often each colour is in a picture: a PNG of 8 bits a channel, as browsers make it."""
    width, height, _, kind = struct.unpack(">IIBB", png[16:26])
    channels = {2: 3, 6: 4}[kind]
    data, at = b"", 8
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at : at + 8])
        data += png[at + 8 : at + 8 + length] if name == b"IDAT" else b""
        at += 12 + length
    return counted(zlib.decompress(data), width, height, channels)


def counted(raw: bytes, width: int, height: int, channels: int) -> dict[tuple[int, int, int], int]:
    """Undo the filters of PNG, line by line, and count."""
    line, found = bytearray(width * channels), dict[tuple[int, int, int], int]()
    size = width * channels + 1
    for row in range(height):
        kind, now = raw[row * size], bytearray(raw[row * size + 1 : (row + 1) * size])
        for at in range(len(now)):
            left = now[at - channels] if at >= channels else 0
            corner = line[at - channels] if at >= channels else 0
            now[at] = (now[at] + predicted(kind, left, line[at], corner)) % 256
        for at in range(0, len(now), channels):
            colour = (now[at], now[at + 1], now[at + 2])
            found[colour] = found.get(colour, 0) + 1
        line = now
    return found


def predicted(kind: int, left: int, above: int, corner: int) -> int:
    """The five filters of PNG."""
    if kind == 4:
        guess = left + above - corner
        return min((left, above, corner), key=lambda each: abs(guess - each))
    return (0, left, above, (left + above) // 2)[kind]
