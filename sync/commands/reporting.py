"""The command `report`, and the report that a run writes because config says so."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import click

from rules.ruleset import RuleSet
from sync import clock as clocks
from sync import config as configs
from sync import monitoring
from sync.clock import Clock
from sync.commands.shared import load, opened_store, rehearsal_note
from sync.config import Config
from sync.stops import InvalidStop, Stop


def report(path: Path | None, output: Path | None, form: str | None, since: date | None) -> None:
    """Write the report into a file, or print it."""
    from sync.report import writing

    config, ruleset = load(path, secrets=False)
    clock = clocks.read()
    form = form or (writing.form_of(output) if output else "html")
    if output is None and form in ("html", "xlsx") and sys.stdout.isatty():
        raise InvalidStop(f"Name the file that the report goes into: `unstuck report -o report.{form}`.")
    if output is None:
        _make(config, ruleset, clock, form, sys.stdout.buffer.write, since)
        return
    size = _make(config, ruleset, clock, form, partial(writing.write, output), since)
    if sys.stdout.isatty() or sys.stderr.isatty():
        rehearsal_note(clock)
        click.echo(f"Wrote {output}, {max(1, size // 1024):,} KiB.")


def describe(path: Path | None, output: Path | None) -> None:
    """Metadata for Datasette, into a file or printed."""
    from sync.report import datasette, writing

    config = configs.load(configs.find(path), secrets=False)
    content = json.dumps(datasette.metadata(config.store), ensure_ascii=False, indent=2) + "\n"
    if output is None:
        click.echo(content, nl=False)
    else:
        writing.write(output, content.encode())


def _make(
    config: Config,
    ruleset: RuleSet,
    clock: Clock,
    form: str,
    give: Callable[[bytes], object],
    since: date | None = None,
) -> int:
    """Give the report to people, and then remember it as the one of today. Returns its size in bytes."""
    from sync.report import earlier, gather, writing

    with opened_store(config, create=False) as store:
        told = gather.gather(config, ruleset, store, clock, since)
        content = writing.render(told, form)
        give(content)
        earlier.remember(store, clock, told.made_at.date(), (row.id for row in told.stuck), told.all.grades)
    return len(content)


def after(config: Config, ruleset: RuleSet) -> bool:
    """Write the report that config asks for. If that fails it is said; what the run did stays done."""
    if config.report_file is None:
        return True
    from sync.report import writing

    failed: str | None = None
    try:
        give = partial(writing.write, config.report_file)
        _make(config, ruleset, clocks.read(), writing.form_of(config.report_file), give)
    except Stop as stop:
        failed = f"[report] file: {stop}"
    monitoring.tell_once(config, "report", failed)
    return failed is None
