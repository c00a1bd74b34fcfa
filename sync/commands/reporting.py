"""The command `report`, and the report that a run writes because config says so."""

from __future__ import annotations

import json
import sys
from datetime import date
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
    content = _made(config, ruleset, clock, form, since)
    if output is None:
        sys.stdout.buffer.write(content)
        return
    writing.write(output, content)
    if sys.stdout.isatty() or sys.stderr.isatty():
        rehearsal_note(clock)
        click.echo(f"Wrote {output}, {max(1, len(content) // 1024):,} KiB.")


def describe(path: Path | None, output: Path | None) -> None:
    """Metadata for Datasette, into a file or printed."""
    from sync.report import datasette, writing

    config = configs.load(configs.find(path), secrets=False)
    content = json.dumps(datasette.metadata(config.store), ensure_ascii=False, indent=2) + "\n"
    if output is None:
        click.echo(content, nl=False)
    else:
        writing.write(output, content.encode())


def _made(config: Config, ruleset: RuleSet, clock: Clock, form: str, since: date | None) -> bytes:
    """The report, remembered as the one of today."""
    from sync.report import earlier, gather, writing

    with opened_store(config, create=False) as store:
        told = gather.gather(config, ruleset, store, clock, since)
        content = writing.render(told, form)
        earlier.remember(store, clock, told.made_at.date(), (row.id for row in told.stuck))
    return content


def after(config: Config, ruleset: RuleSet) -> bool:
    """Write the report that config asks for. If that fails it is said; what the run did stays done."""
    if config.report_file is None:
        return True
    from sync.report import writing

    failed: str | None = None
    try:
        content = _made(config, ruleset, clocks.read(), writing.form_of(config.report_file), None)
        writing.write(config.report_file, content)
    except Stop as stop:
        failed = f"[report] file: {stop}"
    monitoring.tell_once(config, "report", failed)
    return failed is None
