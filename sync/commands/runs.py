"""Commands that pull and plan, and may write: `run`, `plan`, `apply`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from connectors.wording import many
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
    tell_change,
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
        _tell(report, as_json, report.problems if watching else report.news, hint=_HINTS.get(wish.command, ""))
    written = report.stopped is not None or reporting.after(config, ruleset)
    return report.exit_code or (Exit.FINE if written else Exit.PARTLY)


def _needs_a_person(report: RunReport, shown: str | None) -> bool:
    """Whether cron should mail this: something failed, was refused, or waits to be approved or looked at."""
    waits = not report.applied and not report.plan.empty and report.plan.sha != shown
    people_first = any(pause.is_new for pause in report.pauses) or any(
        held.kind is Hold.SEEN_FIRST for held in report.held
    )
    return bool(report.news or report.notices or report.tripped or waits or people_first)


_HINTS = {"run": "; `unstuck run --apply` writes them"}
"""By command: how to go on from what was only planned."""


def _tell(report: RunReport, as_json: bool, problems: Sequence[str] | None = None, *, hint: str = "") -> None:
    """The summary; for people with these problems, or all."""
    if as_json:
        output.emit_json(report.as_json())
        return
    rehearsal_note(report.clock)
    for source in report.sources:
        output.say(
            f"{source.source}: {many(len(source.fresh), 'collection')}, {many(source.seen, 'item')} read, "
            f"{source.changed:,} changed" + (f", {source.vanished:,} gone" if source.vanished else "") + _cost(source)
        )
    for sentence in report.waiting:
        output.say(sentence)
    output.say(f"{many(report.findings, 'finding')} on {many(report.plan.considered, 'item')}.")
    tell_unknown(report.counts)
    _tell_plan(report.plan, is_all=not report.unused)
    for label in report.unused:
        output.say(
            f"  x {label.label.name}  {label.collection.name}  deleted there, if nothing carries it: we made it", 6
        )
    if report.applied and not report.tripped:
        written = report.written
        copies = f", {many(written.copies, 'labelled copy', 'labelled copies')}" if written.copies else ""
        deleted = f", {many(written.deleted, 'label')} deleted" if written.deleted else ""
        output.say(f"Written: {_on_and_off(written.items, written.added, written.removed)}{copies}{deleted}.")
    elif not report.plan.empty:
        output.say(f"Planned: {_of(report.plan)}{'' if report.tripped else hint}.")
    _tell_held(report)
    _tell_troubles(report, report.problems if problems is None else problems)


def _on_and_off(items: int, on: int, off: int) -> str:
    """`2 items, +3 -0 labels`."""
    return f"{many(items, 'item')}, +{on:,} -{off:,} labels"


def _of(plan: Plan) -> str:
    on, off = sum(len(each.add) for each in plan.changes), sum(len(each.remove) for each in plan.changes)
    return _on_and_off(len(plan.changes), on, off)


def _cost(source: SourceReport) -> str:
    """How often a source's host was asked, and how much came and went."""
    if source.requests is None or source.bytes is None:
        return ""
    size = f"{source.bytes / 1e6:.1f} MB" if source.bytes >= 1e6 else f"{source.bytes / 1e3:.0f} kB"
    return f"; {many(source.requests, 'request')}, {size}"


def _tell_plan(plan: Plan, *, is_all: bool = True) -> None:
    if plan.empty and is_all:
        output.say("Nothing to change.")
    for change in plan.changes:
        for label in (*change.add, *change.remove):
            why = [reason.text for reason in change.reasons[label]]
            tell_change("+" if label in change.add else "-", label, change.key, change.title, why)
    for source, collection in plan.copies:
        output.say(f"  = {source}: the labelled copy of {collection} is made anew from the changed input", 6)
    for held in plan.held:
        shown = f"o {held.label}"
        line = output.hang(f"  {shown}  {held.key}  held back: {held.why}")
        click.echo(line.replace(shown, toned(shown, "bright_black", sys.stdout), 1))


def _tell_held(report: RunReport) -> None:
    """Why labels stay as they are, counted; and what exempts, and which rules are paused."""
    kinds = [f"{number} {kind}" for kind, number in counted(report.held).items() if number]
    if kinds:
        output.say(f"Held back: {', '.join(kinds)}.")
    entries = len(report.exemptions.entries)
    if report.exempt_items or entries:
        output.say(f"Exempt: {many(report.exempt_items, 'item')} by label, {entries} by file.")
    for held in report.written.held:
        output.say(f"  o {held.label}  {held.key}  not put on: {held.why}", 6)
    for ended in report.exemptions.ended:
        output.say(f"No exemption any more: {ended.about}, {ended}.")
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
            output.say(f"Plan {report.plan.sha}: {_of(report.plan)}.")
        if output_file is not None:
            output.say(f"Saved to {output_file}. Tick rows in `approve`, then `unstuck apply {output_file}`.")
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
        output.say(f"Nothing was written; take this back with `unstuck undo {aim.run_id} --apply`.")
    elif any(change.add for change in report.plan.changes):
        output.say("Mend the rules before the next run: it takes off again what they do not ask for.")


def retire(path: Path | None, source: str | None, apply_: bool, force: Sequence[str], as_json: bool) -> int:
    """Take off every label that we ever put, and nothing else; without `apply_` only show which."""
    config = configs.load(configs.find(path))
    wish = Wish(command="retire", apply=apply_, source=source, force=_forced(force), progress=watcher())
    with _at_work(config, wish, create=False) as (store, heeding):
        report = take_back(config, store, clocks.read(), heeding, takeback.retiring(store.connection, source))
    _tell(report, as_json)
    if not as_json and (report.unused or not report.plan.empty):
        output.say(
            "Take `unstuck run` out of cron now, or it labels again."
            if report.applied
            else "Nothing was written; take these labels off with `unstuck retire --apply`."
        )
    return report.exit_code
