"""The forms of a report, and how each is written: whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

from sync.planfile import harmless
from sync.report.model import Report
from sync.report.tables import Plain, Table, items, tables
from sync.stops import InvalidStop

_MARKDOWN_ROWS = 25
"""A wiki page is no place for more of one table."""
_MARKDOWN = re.compile(r"([\\`*_\[\]|~<>&])")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""What a workbook cannot hold."""


def _html(report: Report) -> bytes:
    from sync.report.page import page

    return page(report).encode()


def _csv(report: Report) -> bytes:
    """The list: one row an item. The mark at the beginning tells spreadsheets that it is UTF-8."""
    table, text = items(report), io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(table.columns)
    writer.writerows([_cell(cell) for cell in row] for row in table.flat())
    return text.getvalue().encode("utf-8-sig")


def _cell(cell: Plain) -> Plain:
    """What no spreadsheet takes for a formula."""
    return harmless(cell) if isinstance(cell, str) else cell


def _json(report: Report) -> bytes:
    """The shape of docs/json.md, a row on each line."""
    summary, *rest = tables(report)
    parts = [f'"summary": {_dumped({str(row["what"]): row["value"] for row in summary.as_dicts()})}']
    for table in rest:
        rows = ",\n".join(_dumped(row) for row in table.as_dicts())
        parts.append(f'"{table.name}": [\n{rows}\n]' if rows else f'"{table.name}": []')
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _xlsx(report: Report) -> bytes:
    """A sheet for each table, with a header that stays in sight and filters."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book, bold = Workbook(write_only=True), Font(bold=True)
    for table in tables(report):
        sheet = book.create_sheet(table.name)
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = f"A1:{get_column_letter(len(table.columns))}{len(table.rows) + 1}"
        for number, column in enumerate(table.columns, start=1):
            sheet.column_dimensions[get_column_letter(number)].width = _WIDTHS.get(column, 14)
        heads = [WriteOnlyCell(sheet, column) for column in table.columns]
        for head in heads:
            head.font = bold
        sheet.append(heads)
        for row in table.flat():
            sheet.append([_FORBIDDEN.sub("", harmless(cell)) if isinstance(cell, str) else cell for cell in row])
    whole = io.BytesIO()
    book.save(whole)
    return whole.getvalue()


_WIDTHS = {"title": 48, "reasons": 60, "says": 48, "warnings": 60, "url": 40, "reason": 48, "what": 20, "value": 24}


def _md(report: Report) -> bytes:
    """For a wiki or a chat: every table but the list, each cut after some rows, which is said."""
    parts = [f"# Portfolio report, {report.made_at:%Y-%m-%d}"]
    parts += [f"> {plain(warning)}" for warning in report.warnings]
    parts += [_md_table(table) for table in tables(report)[:-1] if table.rows]
    return ("\n\n".join(parts) + "\n").encode()


def _md_table(table: Table) -> str:
    lines = [
        f"## {table.title}",
        "",
        _md_row(name.replace("_", " ") for name in table.columns),
        _md_row(["---"] * len(table.columns), escape=False),
    ]
    lines += [_md_row(row) for row in islice(table.flat(), _MARKDOWN_ROWS)]
    if len(table.rows) > _MARKDOWN_ROWS:
        lines += ["", f"… and {len(table.rows) - _MARKDOWN_ROWS} more."]
    return "\n".join(lines)


def _md_row(cells: Iterable[Plain], *, escape: bool = True) -> str:
    return f"| {' | '.join(plain(cell) if escape else str(cell) for cell in cells)} |"


def plain(cell: Plain) -> str:
    """Text that Markdown shows as it is, on one line."""
    return "" if cell is None else _MARKDOWN.sub(r"\\\1", " ".join(str(cell).split()))


FORMS: dict[str, Callable[[Report], bytes]] = {"html": _html, "csv": _csv, "json": _json, "xlsx": _xlsx, "md": _md}


def render(report: Report, form: str) -> bytes:
    """The whole report in one of `FORMS`."""
    return FORMS[form](report)


def form_of(file: Path) -> str:
    """The form that a file's ending names. Raises `InvalidStop`."""
    form = file.suffix.lower().removeprefix(".")
    if form not in FORMS:
        raise InvalidStop(f"{file}: a report ends in .{', .'.join(FORMS)}; name it so, or say which with --format.")
    return form


def write(file: Path, content: bytes) -> None:
    """Put it into the file in one step, so that nobody ever opens half of one. Raises `InvalidStop`."""
    beside: str | None = None
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".part", dir=file.parent)
        with os.fdopen(handle, "wb") as open_file:
            open_file.write(content)
            open_file.flush()
            os.fsync(open_file.fileno())
        Path(beside).chmod(_mode(file))
        Path(beside).replace(file)
    except OSError as error:
        if beside is not None:
            Path(beside).unlink(missing_ok=True)
        why = error.strerror
        raise InvalidStop(f"{file}: cannot be written ({why}); name another file, or make its folder.") from error


def _mode(file: Path) -> int:
    """As the file that it replaces, else as any file that this user makes."""
    try:
        return file.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
