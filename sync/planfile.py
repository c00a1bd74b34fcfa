"""Saved plans: written by `unstuck plan -o`, ticked by a person, applied exactly so by `unstuck apply`.

JSON, CSV and XLSX hold the same. Each row carries a checksum over all but its tick and its wording, and names the rules
that it was made from, so that an edit beyond ticks, an old plan, or one made from other rules is refused.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from rules.table import moment
from sync.plan import Plan, PlannedChange
from sync.stops import InvalidStop, UnsafeStop

GOOD_FOR = timedelta(days=7)
_COLUMNS = ("approve", "source", "key", "title", "owner", "add", "remove", "reasons", "native_id", "plan", "check")
_TICKS = {"x", "yes", "y", "true", "1", "✓", "✔", "ok", "ja", "oui", "si", "sí"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Row:
    """One change of a saved plan, as far as its checksum covers it."""

    source: str
    native_id: str
    add: tuple[str, ...]
    remove: tuple[str, ...]

    @classmethod
    def of(cls, change: PlannedChange) -> Row:
        """The row of a planned change."""
        return cls(change.ref.source, change.ref.native_id, change.add, change.remove)

    def check(self, plan: str) -> str:
        """The checksum of this row in the plan named `plan`."""
        meaning = json.dumps([plan, self.source, self.native_id, self.add, self.remove])
        return hashlib.sha256(meaning.encode()).hexdigest()[:12]


def save(path: Path, plan: Plan, rules_sha: str, now: datetime) -> None:
    """Write a plan as .json, .csv or .xlsx, no row ticked. Raises `InvalidStop` where that can't be done."""
    refuse_ending(path)
    name = f"{moment(now)} {rules_sha}"
    try:
        _WRITERS[path.suffix.lower()](path, plan, name)
    except OSError as error:
        raise InvalidStop(f"{path}: cannot be written ({error.strerror}); name another file.") from error


def _rows(plan: Plan, name: str) -> Iterable[dict[str, Any]]:
    for change in plan.changes:
        yield {**change.as_json(), "plan": name, "check": Row.of(change).check(name)}


def _write_json(path: Path, plan: Plan, name: str) -> None:
    changes = [{"approve": False, **row} for row in _rows(plan, name)]
    whole = {"considered": plan.considered, "changes": changes}
    path.write_text(json.dumps(whole, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _write_csv(path: Path, plan: Plan, name: str) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows(_cells(plan, name))


def _cells(plan: Plan, name: str) -> Iterator[dict[str, str]]:
    """The rows of a table, as text."""
    for row in _rows(plan, name):
        reasons = "; ".join(reason["reason"] for reason in row["reasons"])
        labels = {key: "; ".join(row[key]) for key in ("add", "remove")}
        texts = {key: harmless(row[key] or "") for key in ("source", "key", "title", "owner", "native_id")}
        rest = {"approve": "", "reasons": harmless(reasons), "plan": name, "check": row["check"]}
        yield {**texts, **labels, **rest}


def _write_xlsx(path: Path, plan: Plan, name: str) -> None:
    """A sheet to tick rows in: the header stays in sight and filters, and what only a program reads is hidden."""
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = Workbook()
    sheet = book.create_sheet("Plan", 0)
    sheet.append(_COLUMNS)
    for cells in _cells(plan, name):
        sheet.append([_FORBIDDEN.sub("", cells[column]) for column in _COLUMNS])
    for number, column in enumerate(_COLUMNS, start=1):
        sheet.cell(1, number).font = Font(bold=True)
        shape = sheet.column_dimensions[get_column_letter(number)]
        shape.width, shape.hidden = _WIDTHS.get(column, 16), column in ("native_id", "plan", "check")
    sheet.freeze_panes, sheet.auto_filter.ref = "B2", sheet.dimensions
    tick = DataValidation("list", formula1='"x"', allow_blank=True)
    tick.add(f"A2:A{max(2, sheet.max_row)}")
    sheet.add_data_validation(tick)
    book.save(path)


_WRITERS = {".json": _write_json, ".csv": _write_csv, ".xlsx": _write_xlsx}
_WIDTHS = {"approve": 9, "title": 50, "reasons": 60}
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""What a cell of a workbook cannot hold."""


def refuse_ending(path: Path) -> None:
    """Raises `InvalidStop` for a file whose name does not say how a plan is to be saved."""
    if path.suffix.lower() not in _WRITERS:
        raise InvalidStop(f"{path}: a plan is saved as .csv, .xlsx or .json; name a file that ends so.")


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def load(path: Path, rules_sha: str, now: datetime, *, every_row: bool) -> frozenset[Row]:
    """The approved rows of a saved plan: the ticked ones, or all of them with `every_row`.

    Raises `InvalidStop` for a file that is no plan, and `UnsafeStop` for a plan that was edited beyond its ticks,
    is older than `GOOD_FOR`, or was made from other rules.
    """
    rows = _read(path)
    approved = set()
    for number, (row, values) in enumerate(rows, start=1):
        name = str(values.get("plan", ""))
        if row.check(name) != values.get("check"):
            raise UnsafeStop(
                f"{path}: row {number} was edited beyond its tick, so nothing is written; make the plan anew with "
                "`unstuck plan -o`, and only tick rows."
            )
        _refuse_old(path, name, rules_sha, now)
        if every_row or _ticked(values.get("approve")):
            approved.add(row)
    return frozenset(approved)


def _refuse_old(path: Path, name: str, rules_sha: str, now: datetime) -> None:
    made_at, _, sha = name.partition(" ")
    if now - datetime.fromisoformat(made_at) > GOOD_FOR:
        raise UnsafeStop(
            f"{path}: this plan was made at {made_at} and is good for {GOOD_FOR.days} days; make it anew with "
            "`unstuck plan -o`."
        )
    if sha != rules_sha:
        raise UnsafeStop(
            f"{path}: this plan was made from other rules than today's; make it anew with `unstuck plan -o`."
        )


def _ticked(value: object) -> bool:
    return value is True or str(value or "").strip().lower() in _TICKS


def _read(path: Path) -> list[tuple[Row, Mapping[str, Any]]]:
    try:
        parse = {".csv": _parse_csv, ".xlsx": _parse_xlsx}.get(path.suffix.lower(), _parse_json)
        return [_row(values) for values in parse(path)]
    except OSError as error:
        raise InvalidStop(
            f"{path}: cannot be read ({error.strerror}); name a plan saved with `unstuck plan -o`."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error, BadZipFile) as error:
        raise InvalidStop(f"{path}: is not a saved plan; make one with `unstuck plan -o`.") from error


def _parse_json(path: Path) -> Sequence[Mapping[str, Any]]:
    changes: list[Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8-sig"))["changes"]
    return changes


def _parse_csv(path: Path) -> Sequence[Mapping[str, Any]]:
    text = path.read_text(encoding="utf-8-sig")
    dialect = csv.Sniffer().sniff(text.split("\n", 1)[0], ",;\t")
    return [_from_cells(row) for row in csv.DictReader(text.splitlines(), dialect=dialect)]


def _parse_xlsx(path: Path) -> Sequence[Mapping[str, Any]]:
    from openpyxl import load_workbook

    book = load_workbook(path, read_only=True, data_only=True)
    try:
        header, *rows = ([_text(cell) for cell in row] for row in book.worksheets[0].iter_rows(values_only=True))
    finally:
        book.close()
    return [_from_cells(dict(zip(header, row, strict=False))) for row in rows if any(row)]


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)


def _from_cells(row: Mapping[str, str]) -> Mapping[str, Any]:
    return {**row, **_plain(row), "add": _labels(row["add"]), "remove": _labels(row["remove"])}


def _labels(cell: str) -> list[str]:
    return [label.strip() for label in cell.split(";") if label.strip()]


def _plain(row: Mapping[str, str]) -> dict[str, str]:
    """Undo `harmless` where the checksum needs the text as it was."""
    return {
        key: row[key][1:] if row[key][:1] == "'" and row[key][1:].startswith(_FORMULA) else row[key]
        for key in ("source", "native_id")
    }


def _row(values: Mapping[str, Any]) -> tuple[Row, Mapping[str, Any]]:
    return Row(values["source"], values["native_id"], tuple(values["add"]), tuple(values["remove"])), values


def narrow(plan: Plan, approved: frozenset[Row]) -> tuple[Plan, list[Row]]:
    """The plan of now, less every change that was not approved exactly so; and the approved rows that drifted."""
    kept = tuple(change for change in plan.changes if Row.of(change) in approved)
    there = {Row.of(change) for change in kept}
    drifted = sorted(approved - there, key=lambda row: (row.source, row.native_id))
    places = {(change.ref.source, change.collection) for change in kept}
    copies = tuple(copy for copy in plan.copies if copy in places)
    return Plan(plan.considered, kept, plan.held, copies), drifted
