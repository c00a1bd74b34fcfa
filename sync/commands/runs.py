"""Commands that pull and plan, and may write: `run`, `plan`, `apply`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from rules.ruleset import RuleSet
from sync import clock as clocks
from sync import config as configs
from sync import log, monitoring, output, planfile, takeback
from sync.brakes import NAMES as BRAKES
from sync.colour import toned
from sync.commands import reporting
from sync.commands.shared import (
    load,
    load_rules,
    opened_store,
    rehearsal_note,
    rule_files,
    short,
    tell_unknown,
)
from sync.config import Config
from sync.lock import locked
from sync.plan import Hold, Plan, counted
from sync.pull import SourceReport
from sync.run import cycle, take_back
from sync.stopping import heeded
from sync.stops import Exit, InvalidStop
from sync.store import Store
from sync.summary import RunReport, Wish
from sync.takeback import Aim
from sync.watching import watcher


def run(
    path: Path | None, apply_: bool | None, source: str | None, full: bool, force: Sequence[str], as_json: bool
) -> int:
    """One cycle."""
    config = configs.load(configs.find(path))
    ruleset = monitoring.watched(config, lambda: load_rules(rule_files(config), config.prefix))
    wish = Wish(
        command="run",
        apply=config.apply if apply_ is None else apply_,
        source=source,
        full=full,
        force=_forced(force),
        progress=watcher(),
    )
    return run_and_tell(config, ruleset, wish, as_json=as_json)


def _forced(names: Sequence[str]) -> frozenset[str]:
    for name in names:
        if name not in BRAKES:
            raise InvalidStop(f"--force {name}: there is no such brake; {configs.did_you_mean(name, BRAKES)}")
    return frozenset(names)


def _cycle(config: Config, ruleset: RuleSet, wish: Wish) -> RunReport:
    clock = clocks.read()
    with _at_work(config, wish, create=True) as (store, heeding):
        return cycle(config, ruleset, store, clock, heeding)


@contextmanager
def _at_work(config: Config, wish: Wish, *, create: bool) -> Iterator[tuple[Store, Wish]]:
    """The store, locked, and the wish with an ear for signals."""
    with heeded() as stopping, locked(config.store), opened_store(config, create=create) as store:
        yield store, replace(wish, stopping=stopping)


def run_and_tell(
    config: Config,
    ruleset: RuleSet,
    wish: Wish,
    *,
    as_json: bool = False,
    shown: str | None = None,
    keep: Callable[[RunReport], object] = lambda _: None,
) -> int:
    """One cycle, and what people are to know of it. `shown` is the sha of a plan that they were shown already."""
    report = monitoring.watched(config, lambda: _cycle(config, ruleset, wish))
    keep(report)
    monitoring.after(config, report)
    watching = sys.stdout.isatty() or sys.stderr.isatty()
    if as_json or watching or _needs_a_person(report, shown):
        _tell(report, as_json, report.problems if watching else report.news)
    written = report.stopped is not None or reporting.after(config, ruleset)
    return report.exit_code or (Exit.FINE if written else Exit.PARTLY)


def _needs_a_person(report: RunReport, shown: str | None) -> bool:
    """Whether cron should mail this: something failed, was refused, or waits to be approved or looked at."""
    waits = not report.applied and not report.plan.empty and report.plan.sha != shown
    people_first = any(pause.is_new for pause in report.pauses) or any(
        held.kind is Hold.SEEN_FIRST for held in report.held
    )
    return bool(report.news or report.notices or report.tripped or waits or people_first)


def _tell(report: RunReport, as_json: bool, problems: Sequence[str] | None = None) -> None:
    """The summary; for people with these problems, or all."""
    if as_json:
        output.emit_json(report.as_json())
        return
    rehearsal_note(report.clock)
    for source in report.sources:
        click.echo(
            f"{source.source}: {len(source.fresh)} collection(s), {source.seen} item(s) read, {source.changed} changed"
            + (f", {source.vanished} gone" if source.vanished else "")
            + _cost(source)
        )
    for sentence in report.waiting:
        click.echo(sentence)
    click.echo(f"{report.findings} finding(s) on {report.plan.considered} item(s).")
    tell_unknown(report.counts)
    _tell_plan(report.plan, is_all=not report.unused)
    for label in report.unused:
        click.echo(f"  x {label.label.name}  {label.collection.name}  deleted there, if nothing carries it: we made it")
    if report.applied and not report.tripped:
        written = report.written
        copies = f", {written.copies} labelled copies" if written.copies else ""
        deleted = f", {written.deleted} label(s) deleted" if written.deleted else ""
        click.echo(f"Written: {written.items} item(s), +{written.added} -{written.removed} label(s){copies}{deleted}.")
    _tell_held(report)
    _tell_troubles(report, report.problems if problems is None else problems)


def _cost(source: SourceReport) -> str:
    """How often a source's host was asked, and how much came and went."""
    if source.requests is None or source.bytes is None:
        return ""
    size = f"{source.bytes / 1e6:.1f} MB" if source.bytes >= 1e6 else f"{source.bytes / 1e3:.0f} kB"
    return f"; {source.requests} request(s), {size}"


def _tell_plan(plan: Plan, *, is_all: bool = True) -> None:
    if plan.empty and is_all:
        click.echo("Nothing to change.")
    for change in plan.changes:
        for sign, labels in (("+", change.add), ("-", change.remove)):
            for label in labels:
                why = "; ".join(reason.text for reason in change.reasons[label])
                shown = toned(f"{sign} {label}", "green" if sign == "+" else "yellow", sys.stdout)
                click.echo(f'  {shown}  {change.key}  "{short(change.title)}"  {why}')
    for source, collection in plan.copies:
        click.echo(f"  = {source}: the labelled copy of {collection} is made anew from the changed input")
    for held in plan.held:
        shown = toned(f"o {held.label}", "bright_black", sys.stdout)
        click.echo(f"  {shown}  {held.key}  held back: {held.why}")


def _tell_held(report: RunReport) -> None:
    """Why labels stay as they are, counted; and what exempts, and which rules are paused."""
    kinds = [f"{number} {kind}" for kind, number in counted(report.held).items() if number]
    if kinds:
        click.echo(f"Held back: {', '.join(kinds)}.")
    entries = len(report.exemptions.entries)
    if report.exempt_items or entries:
        click.echo(f"Exempt: {report.exempt_items} item(s) by label, {entries} by file.")
    for held in report.written.held:
        click.echo(f"  o {held.label}  {held.key}  not put on: {held.why}")
    for ended in report.exemptions.ended:
        click.echo(f"No exemption any more: {ended.about}, {ended}.")
    for pause in report.pauses:
        log.say(f"{pause.sentence[0].upper()}{pause.sentence[1:]}", "rule_paused", rule=pause.rule)


def _tell_troubles(report: RunReport, problems: Sequence[str]) -> None:
    for sentence in report.notices:
        log.say(sentence, "notice", source=report.source_of(sentence))
    for sentence in problems:
        log.say(sentence, "problem", "error", source=report.source_of(sentence))
    for brake in report.tripped:
        log.say(f"Brake {brake.name}: {brake.sentence}", "brake", "error", brake=brake.name)
    if report.refused:
        log.say("Nothing was written.", "refused", "error")


def plan(path: Path | None, output_file: Path | None, source: str | None, form: str) -> int:
    """Pull, evaluate, plan, show; and save if asked."""
    if output_file is not None:
        planfile.refuse_ending(output_file)
    config, ruleset = load(path)
    report = _cycle(config, ruleset, Wish(command="plan", source=source, progress=watcher()))
    if output_file is not None:
        planfile.save(output_file, report.plan, ruleset.sha, report.clock.now)
    if form == "json":
        output.emit_json(report.plan.as_json())
    elif form == "csv":
        rows = [{**change.as_json(), "reasons": _sentences(change.as_json())} for change in report.plan.changes]
        output.emit(rows, ("source", "key", "title", "add", "remove", "reasons"), "csv", "")
    else:
        rehearsal_note(report.clock)
        _tell_plan(report.plan)
        _tell_held(report)
        if not report.plan.empty:
            click.echo(f"Plan {report.plan.sha}.")
        if output_file is not None:
            click.echo(f"Saved to {output_file}. Tick rows in `approve`, then `unstuck apply {output_file}`.")
    _tell_troubles(report, report.problems)
    return report.exit_code


def _sentences(change: Mapping[str, Any]) -> str:
    return "; ".join(reason["reason"] for reason in change["reasons"])


def apply(
    path: Path | None, file: Path | None, expect: str | None, every_row: bool, force: Sequence[str], as_json: bool
) -> int:
    """Apply a saved plan, or the one whose SHA is expected."""
    if (file is None) == (expect is None):
        raise InvalidStop("Say what to apply: either the file of a saved plan, or --expect with the SHA of a plan.")
    if file is not None:
        return _apply_saved(path, file, every_row, force, as_json)
    config, ruleset = load(path)
    wish = Wish(command="apply", apply=True, force=_forced(force), expect=expect, progress=watcher())
    return run_and_tell(config, ruleset, wish, as_json=as_json)


def _apply_saved(path: Path | None, file: Path, every_row: bool, force: Sequence[str], as_json: bool) -> int:
    """What was approved, and of that only what is still exactly so."""
    config, ruleset = load(path)
    approved = planfile.load(file, ruleset.sha, clocks.read().now, every_row=every_row)
    if not approved:
        raise InvalidStop(f"{file}: no row is ticked; put an x into `approve` of the rows to apply, or use --all.")
    drifted: list[planfile.Row] = []

    def narrow(now: Plan) -> Plan:
        kept, gone = planfile.narrow(now, approved)
        drifted.extend(gone)
        return kept

    wish = Wish(command="apply", apply=True, force=_forced(force), narrow=narrow, progress=watcher())
    code = run_and_tell(config, ruleset, wish, as_json=as_json)
    for row in drifted:
        log.say(
            f"{row.source}: {row.native_id} changed since the plan was made and was left alone; plan it anew.",
            "drifted",
            source=row.source,
        )
    return code or (Exit.PARTLY if drifted else Exit.FINE)


# Taking back


def undo(path: Path | None, run_id: int, apply_: bool, force: Sequence[str], as_json: bool) -> int:
    """Take back what one run wrote, as far as it is still so; without `apply_` only show what that is."""
    config = configs.load(configs.find(path))
    wish = Wish(command="undo", apply=apply_, force=_forced(force), progress=watcher())
    with _at_work(config, wish, create=False) as (store, heeding):
        _refuse_unknown(store, run_id)
        aim = takeback.undoing(store.connection, run_id)
        report = take_back(config, store, clocks.read(), heeding, aim)
    _tell(report, as_json)
    if not as_json:
        _tell_undone(report, aim)
    return report.exit_code


def _refuse_unknown(store: Store, run_id: int) -> None:
    if store.value("SELECT 1 FROM run WHERE id = ?", (run_id,)) is None:
        wrote = store.rows("SELECT DISTINCT run_id FROM journal WHERE result = 'done' ORDER BY run_id DESC LIMIT 5")
        runs = ", ".join(str(row["run_id"]) for row in wrote)
        known = f"the last that wrote are {runs}" if runs else "none has written anything yet"
        raise InvalidStop(f"There is no run {run_id}; {known}.")


def _tell_undone(report: RunReport, aim: Aim) -> None:
    if report.plan.empty:
        return
    if not report.applied:
        click.echo(f"Nothing was written; take this back with `unstuck undo {aim.run_id} --apply`.")
    elif any(change.add for change in report.plan.changes):
        click.echo("Mend the rules before the next run: it takes off again what they do not ask for.")


def retire(path: Path | None, source: str | None, apply_: bool, force: Sequence[str], as_json: bool) -> int:
    """Take off every label that we ever put, and nothing else; without `apply_` only show which."""
    config = configs.load(configs.find(path))
    wish = Wish(command="retire", apply=apply_, source=source, force=_forced(force), progress=watcher())
    with _at_work(config, wish, create=False) as (store, heeding):
        report = take_back(config, store, clocks.read(), heeding, takeback.retiring(store.connection, source))
    _tell(report, as_json)
    if not as_json and (report.unused or not report.plan.empty):
        click.echo(
            "Take `unstuck run` out of cron now, or it labels again."
            if report.applied
            else "Nothing was written; take these labels off with `unstuck retire --apply`."
        )
    return report.exit_code
