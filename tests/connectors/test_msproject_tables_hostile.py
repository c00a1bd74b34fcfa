"""Tables that are broken or meant to hurt: each ends in one sentence, within memory and time."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.errors import InputError
from connectors.msproject.tables import package
from connectors.msproject.tables.options import make_tables
from tests.fakes.msproject import Folder
from tests.fakes.tables import delimited, part, planner, repacked, sharing, wizard

SHEET = "xl/worksheets/sheet1.xml"
OPTIONS = {"label_field": "Labels"}
WIZARD = sharing(wizard(*((uid, f"Task {uid}", 0.5, "Ada") for uid in range(1, 9))))
CSV = delimited([("Unique ID", "Name", "Start"), *((uid, f"Täsk {uid}", "13/04/2026") for uid in range(1, 9))]).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, options={"path": "inbox/*"})


fuzzed = settings(max_examples=10_000 if os.environ.get("UNSTUCK_SOAK") else 100)
"""All of them in `make soak`."""


def read(name: str, content: bytes) -> int:
    """The count of tasks; `InputError` is the one error that may come of any content."""
    excel, text = make_tables(OPTIONS, {"sponsor": "Text1", "outcome_reviewed_at": "Start"})
    kind = excel if name.endswith(".xlsx") else text
    stream = io.BytesIO(content)
    kind.read_head(stream, name)
    stream.seek(0)
    export = kind.read(stream, name, frozenset({"Duration", "Work", "Cost"}))
    try:
        return sum(1 for _ in export.tasks())
    finally:
        export.close()


def outcome(name: str, content: bytes) -> int | str:
    """The count of tasks, or the one sentence."""
    try:
        return read(name, content)
    except InputError as error:
        sentence = str(error)
    assert sentence.startswith(name)
    assert "\n" not in sentence
    return sentence


def test_an_empty_line_above_a_table() -> None:
    assert read("a.csv", b"\r\n\n" + CSV) == 8


def test_what_is_whole_is_read() -> None:
    assert (read("a.xlsx", WIZARD), read("a.csv", CSV)) == (8, 8)


@pytest.mark.parametrize("tenth", range(10))
def test_a_file_that_is_cut_short(tenth: int) -> None:
    assert isinstance(outcome("a.xlsx", WIZARD[: len(WIZARD) * tenth // 10]), str)
    cut = outcome("a.csv", CSV[: len(CSV) * tenth // 10])
    assert isinstance(cut, str) or cut < 8  # the end of text has no mark: the brake on shrinking stands before that


@pytest.mark.timeout(1_800)
@fuzzed
@given(st.lists(st.tuples(st.integers(0, len(WIZARD) - 1), st.integers(0, 255)), min_size=1, max_size=20))
def test_fuzzed_bytes_of_a_workbook(changes: list[tuple[int, int]]) -> None:
    content = bytearray(WIZARD)
    for at, byte in changes:
        content[at] = byte
    outcome("a.xlsx", bytes(content))


PARTS = (SHEET, "xl/sharedStrings.xml", "xl/styles.xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels")


@pytest.mark.timeout(1_800)
@fuzzed
@given(st.sampled_from(PARTS), st.data())
def test_fuzzed_bytes_of_a_workbooks_parts(name: str, data: st.DataObject) -> None:
    content = bytearray(part(WIZARD, name))
    spots = st.lists(st.tuples(st.integers(0, len(content) - 1), st.sampled_from(b'<>/="& 019Az\0\xff')), max_size=12)
    for at, byte in data.draw(spots):
        content[at] = byte
    outcome("a.xlsx", repacked(WIZARD, **{name: bytes(content)}))


@pytest.mark.timeout(1_800)
@fuzzed
@given(st.lists(st.tuples(st.integers(0, len(CSV) - 1), st.integers(0, 255)), max_size=20))
def test_fuzzed_bytes_of_text(changes: list[tuple[int, int]]) -> None:
    content = bytearray(CSV)
    for at, byte in changes:
        content[at] = byte
    outcome("a.csv", bytes(content))


@pytest.mark.timeout(1_800)
@fuzzed
@given(st.binary(max_size=10_000))
@example(b"\xff\xfe")
@example(b"\xff\xfea")
@example(b"\xef\xbb\xbf")
@example(b'Name,UID\n"')
@example("Name,UID\nÄ,1\udcff".encode("utf-16-le", "surrogatepass"))
def test_any_bytes(content: bytes) -> None:
    outcome("a.csv", content)
    outcome("a.xlsx", content)
    outcome("a.xlsx", b"PK\3\4" + content)


@pytest.mark.parametrize("name", [*PARTS, "[Content_Types].xml", "_rels/.rels"])
def test_a_part_that_is_missing(name: str) -> None:
    found = outcome("a.xlsx", repacked(WIZARD, **{name: None}))
    assert isinstance(found, str) or (found == 8) == (name == "xl/styles.xml")


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({SHEET: b"<!DOCTYPE x [<!ENTITY a 'b'>]><worksheet>&a;</worksheet>"}, "has a DOCTYPE"),
        ({"xl/styles.xml": b"<!DOCTYPE x><styleSheet/>"}, "has a DOCTYPE"),
        ({"xl/sharedStrings.xml": b"<sst>" + b"<si><t>" + b"x" * (2 << 20) + b"</t></si></sst>"}, "a text beyond"),
        ({SHEET: b"<worksheet a='" + b"x" * (3 << 20) + b"'/>"}, "a tag beyond"),
        ({SHEET: b"<worksheet>" + b"<a>" * 300}, "nested beyond"),
        ({"xl/workbook.xml": b"<workbook>" + b"<a>" * 300}, "nested beyond"),
        ({SHEET: b"<worksheet><sheetData><row r='9999999'/></sheetData></worksheet>"}, "more than 1,048,576 rows"),
        ({SHEET: b"<worksheet"}, "cannot be read as an Excel workbook"),
        ({"[Content_Types].xml": None}, "is a zip file and no Excel workbook"),
    ],
)
def test_hostile_parts(parts: dict[str, bytes | None], why: str) -> None:
    assert why in str(outcome("a.xlsx", repacked(WIZARD, **parts)))


def test_more_parts_than_a_workbook_has() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as target:
        for number in range(package.MAX_PARTS + 1):
            target.writestr(f"{number}", b"")
    assert "more parts than a workbook has" in str(outcome("a.xlsx", file.getvalue()))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_parts_of_one_name() -> None:
    file = io.BytesIO(WIZARD)
    with zipfile.ZipFile(file, "a") as target:
        target.writestr(SHEET, b"<worksheet/>")
    assert "two of one name" in str(outcome("a.xlsx", file.getvalue()))


def test_a_workbook_with_a_password_or_of_old() -> None:
    assert "is protected with a password, or no .xlsx inside" in str(outcome("a.xlsx", package.OLE + bytes(5000)))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"Unique ID,Name\n1," + b"x" * (2 << 20), "a line beyond"),
        (b'Unique ID,Name\n1,"' + b"x\n" * 200_000, "is not well-formed, line"),
        (b"Unique ID,Name\n1,a\xff\xfe\xfd\x81", "neither UTF-8 nor plainly Windows-1252"),
        (b"", "no table of tasks"),
        (b"just a letter to Ada\n", "no table of tasks"),
        (b"\n" * 100_000, "no table of tasks"),
    ],
)
def test_hostile_text(content: bytes, why: str) -> None:
    assert why in str(outcome("a.csv", content))


@pytest.mark.parametrize(
    ("name", "content", "ids"),
    [("a.csv", WIZARD, 8), ("a.xml", WIZARD, 8), ("a.txt", planner(("x", "Dig", "Completed", "", "")), 1)],
)
def test_a_workbook_by_another_name_is_read_as_what_it_is(folder: Folder, name: str, content: bytes, ids: int) -> None:
    folder.export(name, content)
    assert len(folder.items(name)) == ids


@pytest.mark.parametrize("name", ["a.xlsx", "a.xml"])
def test_text_by_another_name_has_its_sentence(folder: Folder, name: str) -> None:
    folder.export(name, CSV)
    with pytest.raises(InputError, match=rf"{name} (cannot be read as an Excel workbook|is not well-formed)"):
        folder.items(name)


def _rows(cells: bytes, count: int) -> bytes:
    head = b'<worksheet><sheetData><row r="1"><c r="A1" t="str"><v>Name</v></c><c r="B1" t="str"><v>ID</v></c></row>'
    return head + b"".join(cells.replace(b"N", b"%d" % (at + 2)) for at in range(count)) + b"</sheetData></worksheet>"


BOMBS: dict[str, Callable[[], bytes]] = {
    "zeros": lambda: repacked(WIZARD, **{SHEET: b"<worksheet>" + b" " * (300 << 20)}),
    "strings": lambda: repacked(WIZARD, **{"xl/sharedStrings.xml": b"<sst>" + b"<si><t>x</t></si>" * (8 << 20)}),
    "far corner": lambda: repacked(
        WIZARD, **{SHEET: _rows(b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>', 1)}
    ),
    "wide rows": lambda: repacked(WIZARD, **{SHEET: _rows(b'<row r="N"><c r="XFDN"><v>1</v></c></row>', 200_000)}),
    "one row": lambda: repacked(WIZARD, **{SHEET: _rows(b"<c/>", 2_000_000)}),
}


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS)
def test_no_bomb_costs_memory_or_time(tmp_path: Path, bomb: str) -> None:
    path = tmp_path / "bomb.xlsx"
    path.write_bytes(BOMBS[bomb]())
    script = (
        "import json, sys; from pathlib import Path\n"
        "from tests.connectors.test_msproject_tables_hostile import outcome\n"
        "found = outcome('bomb.xlsx', Path(sys.argv[1]).read_bytes())\n"
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(json.dumps([found, int(peak.split()[1]) // 1024]))\n"
    )
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True, timeout=120
    )
    found, peak = json.loads(done.stdout)
    assert found == 0 or "bomb.xlsx has" in str(found) or "no table of tasks" in str(found), found
    assert peak < 200, f"{peak} MB"
    assert time.monotonic() - started < 60
