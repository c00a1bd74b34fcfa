"""Workbooks and CSV files as Project, Planner and people write them."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

from openpyxl import Workbook

WIZARD = (
    "ID",
    "Unique_ID",
    "Name",
    "Duration",
    "Start_Date",
    "Finish_Date",
    "Outline_Level",
    "Percent_Complete",
    "Text1",
)
PLANNER = ("Task ID", "Task Name", "Bucket Name", "Progress", "Priority", "Assigned To", "Created By", "Created Date",
           "Start Date", "Due Date", "Late", "Completed Date", "Completed By", "Description",
           "Completed Checklist Items", "Checklist Items", "Labels")  # fmt: skip

CORE = "docProps/core.xml"
Rows = Sequence[Sequence[Any]]


def workbook(*sheets: tuple[str, Rows], finish: Callable[[Workbook], None] | None = None) -> bytes:
    """An .xlsx with these sheets; `finish` gets at it before it is saved."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
            for cell in sheet[sheet.max_row]:
                if cell.data_type == "f":
                    cell.data_type = "s"  # text that looks like a formula
    if finish:
        finish(book)
    file = io.BytesIO()
    book.save(file)
    core = re.sub(rb">[-0-9]+T[0-9:]+Z<", b">2026-03-01T08:00:00Z<", part(file.getvalue(), CORE))
    return repacked(file.getvalue(), **{CORE: core})


def wizard(*tasks: Sequence[Any]) -> bytes:
    """What Project's export wizard writes: rows of Unique ID, name, percentage and Text1."""
    rows = [
        (number, uid, name, "5 days", "March 2, 2026 8:00 AM", "March 20, 2026 5:00 PM", 1, percent, text)
        for number, (uid, name, percent, text) in enumerate(tasks, 1)
    ]
    return workbook(("Task_Table1", [WIZARD, *rows]), ("Resource_Table1", [("ID", "Resource_Name", "Type")]))


def planner(*tasks: Sequence[Any], exported: str = "03/18/2026") -> bytes:
    """What Planner writes: rows of Task ID, name, progress, due date and labels, all as text."""
    head = [("Plan name", "Atlas"), ("Plan ID", "PLaN-4tlas-000000000000000001"), ("Date of export", exported), ()]
    rows = [
        (
            id_,
            name,
            "To do",
            progress,
            "Medium",
            "Ada;Max",
            "Ada",
            "01/15/2026",
            "",
            due,
            "false",
            "",
            "",
            "",
            "",
            "",
            labels,
        )
        for id_, name, progress, due, labels in tasks
    ]
    return workbook(("Tasks", [*head, PLANNER, *rows]))


def delimited(rows: Rows, delimiter: str = ",", line_end: str = "\r\n", *, quote_all: bool = False) -> str:
    """A CSV file's text."""
    file = io.StringIO(newline="")
    writer = csv.writer(
        file, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    )
    writer.writerows(rows)
    return file.getvalue()


def repacked(book: bytes, **parts: bytes | None) -> bytes:
    """The workbook with parts replaced, added or (`None`) taken out; the same bytes at any time."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name in dict.fromkeys([*old.namelist(), *parts]):
            content = parts[name] if name in parts else old.read(name)
            if content is not None:
                target.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def part(book: bytes, name: str) -> bytes:
    """One part of a workbook."""
    with zipfile.ZipFile(io.BytesIO(book)) as package:
        return package.read(name)


_INLINE = re.compile(r'<c ([^>]*?)t="inlineStr"><is>(.*?)</is></c>', re.DOTALL)
_STRINGS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"
_SPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def sharing(book: bytes) -> bytes:
    """The workbook with its texts in one table, as Excel writes it; openpyxl writes them into the cells."""
    table: dict[str, int] = {}

    def index(found: re.Match[str]) -> str:
        return f'<c {found[1]}t="s"><v>{table.setdefault(found[2], len(table))}</v></c>'

    with zipfile.ZipFile(io.BytesIO(book)) as package:
        names = [name for name in package.namelist() if name.startswith("xl/worksheets/sheet")]
        parts = {name: _INLINE.sub(index, package.read(name).decode()).encode() for name in names}
        relations = package.read("xl/_rels/workbook.xml.rels").decode()
        types = package.read("[Content_Types].xml").decode()
    texts = "".join(f"<si>{text}</si>" for text in table)
    link = f'<Relationship Id="strings" Type="{_STRINGS}" Target="sharedStrings.xml"/></Relationships>'
    parts["xl/sharedStrings.xml"] = f'<sst xmlns="{_SPACE}">{texts}</sst>'.encode()
    parts["xl/_rels/workbook.xml.rels"] = relations.replace("</Relationships>", link).encode()
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    if kind not in types:
        override = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
        parts["[Content_Types].xml"] = types.replace("</Types>", override).encode()
    return repacked(book, **parts)
