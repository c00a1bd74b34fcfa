"""An Excel workbook of any size, as Project's export wizard writes one: texts shared, dates as text."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

HEADER = (
    "ID", "Unique_ID", "Active", "Name", "Duration", "Start_Date", "Finish_Date", "Predecessors", "Outline_Level",
    "Percent_Complete", "Resource_Names", "Sponsor", "Notes",
)  # fmt: skip
_SPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_LETTERS = "ABCDEFGHIJKLM"


def write(path: Path, tasks: int) -> None:
    """Write a workbook of so many tasks."""
    strings: dict[str, int] = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as package:
        for name, text in _small_parts():
            package.writestr(name, text)
        with package.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(f'<worksheet xmlns="{_SPACE}"><dimension ref="A1:M{tasks + 1}"/><sheetData>'.encode())
            for number, row in enumerate(_rows(tasks), 1):
                sheet.write(_row(number, row, strings).encode())
            sheet.write(b"</sheetData></worksheet>")
        texts = "".join(f"<si><t>{escape(text)}</t></si>" for text in strings)
        package.writestr("xl/sharedStrings.xml", f'<sst xmlns="{_SPACE}">{texts}</sst>')


def _rows(tasks: int) -> Iterator[tuple[str | float | None, ...]]:
    yield HEADER
    for number in range(1, tasks + 1):
        yield (
            number, number + 10, "Yes", f"Task {number} of the portfolio", f"{number % 40 + 1} days",
            f"March {number % 28 + 1}, 2026 8:00 AM", f"April {number % 28 + 1}, 2026 5:00 PM", number - 1 or None,
            number % 4 + 1, (0, 0.25, 0.5, 1)[number % 4], "Ana López,Jürgen Groß", "Ada" if number % 3 else None,
            f"Note {number % 100}",
        )  # fmt: skip


def _row(number: int, row: tuple[str | float | None, ...], strings: dict[str, int]) -> str:
    cells = []
    for letter, cell in zip(_LETTERS, row, strict=True):
        if isinstance(cell, str):
            cells.append(f'<c r="{letter}{number}" t="s"><v>{strings.setdefault(cell, len(strings))}</v></c>')
        elif cell is not None:
            cells.append(f'<c r="{letter}{number}"><v>{cell}</v></c>')
    return f'<row r="{number}" spans="1:13">{"".join(cells)}</row>'


def _small_parts() -> Iterator[tuple[str, str]]:
    parts = {"workbook": "sheet.main", "worksheets/sheet1": "worksheet", "sharedStrings": "sharedStrings"}
    overrides = "".join(
        f'<Override PartName="/xl/{name}.xml" ContentType="{_KIND}.{kind}+xml"/>' for name, kind in parts.items()
    )
    default = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    yield "[Content_Types].xml", f'<Types xmlns="{_PACKAGE}/content-types">{default}{overrides}</Types>'
    yield "_rels/.rels", _relations({"r1": ("officeDocument", "xl/workbook.xml")})
    targets = {"r1": ("worksheet", "worksheets/sheet1.xml"), "r2": ("sharedStrings", "sharedStrings.xml")}
    yield "xl/_rels/workbook.xml.rels", _relations(targets)
    sheet = '<sheets><sheet name="Task_Table1" sheetId="1" r:id="r1"/></sheets>'
    yield "xl/workbook.xml", f'<workbook xmlns="{_SPACE}" xmlns:r="{_RELATIONS}">{sheet}</workbook>'


def _relations(targets: dict[str, tuple[str, str]]) -> str:
    links = "".join(
        f'<Relationship Id="{key}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for key, (kind, target) in targets.items()
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>'
