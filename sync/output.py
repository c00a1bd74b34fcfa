"""What people and programs see: tables that fit a terminal, plain lines when piped, JSON and CSV."""

from __future__ import annotations

import csv
import json
import re
import sys
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


def table(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> None:
    """A table that fits the terminal; whole cells in even columns when piped."""
    cells = [[" ".join(cell.split()) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(cells, columns)
        return
    widths = [max(len(row[at]) for row in [list(columns), *cells]) for at in range(len(columns))]
    for row in [list(columns), *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _rich_table(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column.replace("_", " "), overflow="fold" if column in ("reason", "title") else "ellipsis")
    for row in rows:
        shown.add_row(*(Text(_MOMENT.sub(r"\1 \2", cell)) for cell in row))
    Console().print(shown)
