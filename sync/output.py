"""What people and programs see: tables that fit a terminal, plain lines when piped, JSON and CSV."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import click

_MOMENT = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\dZ$")
"""A time as programs read it; people are shown it to the minute."""


def emit(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], form: str, nothing: str) -> None:
    """Print rows as `json` with every key, as `csv` or else as a table with `columns`; `nothing` if there are none."""
    if form == "json":
        emit_json(rows)
    elif form == "csv":
        from sync.planfile import harmless

        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([[harmless(as_text(row.get(column))) for column in columns] for row in rows])
    elif not rows:
        click.echo(nothing)
    else:
        table([[as_text(row.get(column)) for column in columns] for row in rows], columns)


def emit_json(value: object) -> None:
    """Print JSON: indented for people, one line for programs."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def as_text(value: object) -> str:
    """One cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(entry) for entry in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {entry}" for key, entry in value.items())
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def say(text: str, indent: int = 2) -> None:
    """Print sentences, on a terminal in lines that fit it."""
    click.echo(hang(text, indent))


def hang(text: str, indent: int = 6) -> str:
    """Lines as they are; on a terminal each as lines that fit it, those after the first indented."""
    if not sys.stdout.isatty():
        return text
    width, margin = shutil.get_terminal_size().columns, " " * indent
    lines = text.split("\n")
    return "\n".join(textwrap.fill(line, width, subsequent_indent=margin, break_on_hyphens=False) for line in lines)


def table(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> None:
    """A table that fits the terminal, or where it cannot, a row below the other; whole cells in columns when piped."""
    cells = [[" ".join(cell.split()) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _fitted(cells, columns)
        return
    widths = [min(max(len(row[at]) for row in [list(columns), *cells]), _WIDEST) for at in range(len(columns))]
    for row in [list(columns), *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


_GAP = 2
_WIDEST = 100
"""Of a column when piped: one title of 40,000 characters is no reason to fill up all other rows."""
_SHORT = 24
"""Columns whose cells are no longer are shown whole: a key that is cut is none."""
_NARROWEST = 12
"""Of a column whose text is wrapped; wider, where a word is."""


def _fitted(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> None:
    """Without the columns in which nothing stands, times to the minute."""
    shown = [at for at in range(len(columns)) if any(row[at] for row in rows)]
    heads = [columns[at].replace("_", " ") for at in shown]
    cells = [[_MOMENT.sub(r"\1 \2", row[at]) for at in shown] for row in rows]
    least = [_least([*head.split(), *column]) for head, *column in zip(heads, *cells, strict=True)]
    if sum(least) + _GAP * (len(least) - 1) > shutil.get_terminal_size().columns:
        _stacked(cells, heads)
    else:
        _rich_table(cells, heads, least)


def _least(cells: Sequence[str]) -> int:
    """How wide their column is at least."""
    longest = max(map(len, cells))
    words = max(len(word) for cell in cells for word in cell.split())
    return longest if longest <= _SHORT else min(max(words, _NARROWEST), _SHORT)


def _stacked(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> None:
    """Each row as lines, a cell on each."""
    margin = max(map(len, heads)) + _GAP
    for number, row in enumerate(rows):
        if number:
            click.echo("")
        for head, cell in zip(heads, row, strict=True):
            if cell:
                click.echo(hang(f"{head.ljust(margin)}{cell}", margin))


def _rich_table(rows: Sequence[Sequence[str]], heads: Sequence[str], least: Sequence[int]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for head, width in zip(heads, least, strict=True):
        shown.add_column("\n".join(textwrap.wrap(head, width)), overflow="fold", min_width=width)
    for row in rows:
        shown.add_row(*map(Text, row))
    Console().print(shown)
