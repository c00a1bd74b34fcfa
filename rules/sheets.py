"""Tests in a table, for people who live in spreadsheets: one row an item and a day, with the labels it must get.

A CSV or XLSX file (its first sheet) whose headings are `now`, `expect` and the rules' words; `note` is for people.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

from rules import casecalendar, words
from rules.calendar import CalendarTerms
from rules.columns import COLUMNS, Kind
from rules.loader import Problem, RuleErrors
from rules.reader import DERIVED_FROM, UNTESTABLE, item_mistake
from rules.ruleset import Case, Moment
from rules.text import fold

SUFFIXES = (".csv", ".xlsx")
LARGEST = 20_000_000
"""Bytes of a table, unpacked."""

_OWN = ("now", "calendar", "expect", "note")
_WORDS = (*_OWN, *(name for name in COLUMNS if name not in DERIVED_FROM and name not in UNTESTABLE), "unknown")
_PERCENTILE = re.compile(r"p([1-9]\d?)")
_CUSTOM = re.compile(r'fields\.\s*(?:"([^"]+)"|(.+))', re.I)


class _CellError(ValueError):
    """What is wrong with one cell."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what it is called in messages, and the test."""

    name: str
    case: Case


def read(file: Path, labels: Iterable[str], calendars: Mapping[str, CalendarTerms]) -> list[Row]:
    """The rows of a table, whose `expect` may name these labels, and `calendar` these besides countries.

    Raises RuleErrors with all mistakes.
    """
    problems: list[Problem] = []
    rows: list[Row] = []
    lines = list(_lines(file))
    head = _heading(file, lines[0][1] if lines else ())
    for line, cells in lines[1:]:
        given = {name: cell for name, cell in zip(head, cells, strict=False) if cell not in (None, "")}
        if any(value is not None and str(value).strip() for value in given.values()):
            rows += _row(file, line, given, Known(sorted(labels), calendars), problems)
    if not rows and not problems:
        problems.append(Problem(str(file), 1, "", "", "there are no rows below the headings: write one for each item"))
    if problems:
        raise RuleErrors(problems)
    return rows


def _heading(file: Path, cells: Sequence[object]) -> list[str]:
    """The names of the columns; custom fields as `fields.NAME`."""
    names, wrong = list[str](), list[str]()
    for cell in cells:
        text = str(cell or "").strip()
        custom = _CUSTOM.fullmatch(text)
        name = f"fields.{(custom[1] or custom[2]).strip()}" if custom else fold(text).replace(" ", "_")
        if name and not custom and name not in _WORDS and not _PERCENTILE.fullmatch(name):
            wrong.append(_strange(name))
        if name and name in names:
            wrong.append(f'the heading "{text}" comes twice')
        names.append(name)
    wrong += [f'the heading "{need}" is missing' for need in ("now", "expect") if need not in names]
    if wrong:
        raise RuleErrors([Problem(str(file), 1, "", "", why) for why in wrong])
    return names


def _strange(name: str) -> str:
    if name in DERIVED_FROM:
        return f'"{name}" is worked out from {DERIVED_FROM[name]}: write that instead'
    return f'there is no column "{name}"{words.meant(name, _WORDS)}; notes go below the heading "note"'


@dataclass(frozen=True, slots=True)
class Known:
    """What rows may name."""

    labels: list[str]
    calendars: Mapping[str, CalendarTerms]


def _row(file: Path, line: int, given: dict[str, object], known: Known, problems: list[Problem]) -> list[Row]:
    """The row, or nothing where `problems` says what is wrong with it."""
    item, fields, wrong = dict[str, object](), dict[str, object](), len(problems)
    past = _past(file, line, given, problems)
    now = calendar = None
    for name, cell in given.items():
        try:
            if name == "now":
                now = _day(cell)
            elif name == "calendar":
                calendar = _calendar(cell, known)
            elif name.startswith("fields."):
                fields[name.removeprefix("fields.")] = _text(cell)
            elif name and name not in _OWN and not _PERCENTILE.fullmatch(name):
                item[name] = _value(name, cell)
        except _CellError as error:
            problems.append(Problem(str(file), line, "", name, str(error)))
    expect = frozenset(_list(given.get("expect", "")))
    for label in sorted(expect - set(known.labels)):
        why = f'no rule that is tested puts "{label}"{words.meant(label, known.labels)}'
        problems.append(Problem(str(file), line, "", "expect", why))
    if now is None and "now" not in given:
        problems.append(Problem(str(file), line, "", "now", "write the day for which it is tested: 2026-03-20"))
    if now is None or len(problems) > wrong:
        return []
    whole = item | ({"fields": fields} if fields else {})
    case = Case(tuple(sorted(whole.items())), (Moment(now, expect, line),), calendar=calendar, learned=past)
    return [Row(f"{_text(given.get('key', 'the item'))} on {now}", case)]


def _past(file: Path, line: int, given: dict[str, object], problems: list[Problem]) -> tuple[tuple[int, int], ...]:
    """What the row says was learned: percentile -> business days."""
    found = {}
    for name, cell in given.items():
        percentile, days = _PERCENTILE.fullmatch(name), _text(cell)
        if percentile and days.isdecimal():
            found[int(percentile[1])] = int(days)
        elif percentile:
            problems.append(Problem(str(file), line, "", name, f'"{days}" is no number of business days'))
    return tuple(found.items())


def _calendar(cell: object, known: Known) -> str:
    name = _text(cell)
    try:
        casecalendar.check(name, known.calendars)
    except ValueError as error:
        raise _CellError(str(error)) from None
    return name


def _value(name: str, cell: object) -> object:
    """A cell as a test beside a rule would have it."""
    kind = COLUMNS[name].kind if name in COLUMNS else None
    if kind is Kind.DATE:
        return _day(cell)
    if kind is Kind.NUMBER:
        return _number(cell)
    listed = kind in (Kind.PEOPLE, Kind.LABELS) or name == "unknown"
    value = _list(cell) if listed else _text(cell)
    why = item_mistake(name, value)
    if why:
        raise _CellError(why)
    return value


def _day(cell: object) -> date:
    """A day, or a time that is not midnight (spreadsheets write a day as its midnight)."""
    if isinstance(cell, datetime):
        return cell if cell.time() != time() else cell.date()
    if isinstance(cell, date):
        return cell
    try:
        text = _text(cell)
        return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        raise _CellError(f'"{cell}" is no day: write year-month-day, such as 2026-03-05') from None


def _number(cell: object) -> float:
    try:
        return float(_text(cell))
    except ValueError:
        raise _CellError(f'"{cell}" is no number') from None


def _text(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _list(cell: object) -> list[str]:
    return [entry for part in re.split("[,;]", _text(cell)) if (entry := part.strip())]


def _lines(file: Path) -> Iterator[tuple[int, Sequence[object]]]:
    """The rows of the file with their numbers, from 1; the first is the headings."""
    try:
        if file.stat().st_size > LARGEST:
            raise _unreadable(file, "the table is over 20 MB: split it")
        yield from _xlsx(file) if file.suffix.casefold() == ".xlsx" else _csv(file)
    except OSError as error:
        raise _unreadable(file, f"the table cannot be read: {error.strerror}") from None


def _unreadable(file: Path, why: str) -> RuleErrors:
    return RuleErrors([Problem(str(file), 1, "", "", why)])


def _csv(file: Path) -> Iterator[tuple[int, Sequence[object]]]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _unreadable(file, "the table is not UTF-8: save it anew as CSV UTF-8, or as .xlsx") from None
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise _unreadable(file, f"the table is no CSV: {error}") from None


def _xlsx(file: Path) -> Iterator[tuple[int, Sequence[object]]]:
    import openpyxl

    try:
        with zipfile.ZipFile(file) as packed:
            if sum(part.file_size for part in packed.infolist()) > LARGEST:
                raise _unreadable(file, "the table is over 20 MB when unpacked: split it")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about colours and the like
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            yield from enumerate(book.worksheets[0].iter_rows(values_only=True), 1)
            book.close()
    except (zipfile.BadZipFile, SyntaxError, KeyError, ValueError, IndexError):
        raise _unreadable(file, "the table is no XLSX file: save it anew from the spreadsheet program") from None
