"""One cycle: lock, pull every source alone, evaluate, plan, brakes, apply if allowed, and say how it went."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack

from rules import table
from rules.ruleset import RuleSet
from sync import exemptionfiles, findings, learning, log, rollout, takeback, tidying, turns
from sync.apply import apply_plan
from sync.clock import Clock
from sync.config import Config, Source
from sync.dating import date_statuses
from sync.exemptions import Guard
from sync.opened import Opened
from sync.planning import Learned, keep, plan_run, plan_taking_back
from sync.retention import forget
from sync.sources import chosen, opened, pull_all, refuse_rehearsal
from sync.store import Store
from sync.summary import RunReport, Wish
from sync.takeback import Aim
from sync.today import today
from sync.tracing import trace_gone


def cycle(config: Config, ruleset: RuleSet, store: Store, clock: Clock, wish: Wish) -> RunReport:
    """One run on an open, locked store."""
    sources, waiting = turns.due(store, chosen(config, wish), wish, clock.now)
    if wish.apply:
        refuse_rehearsal(sources, clock)
    exemptions = exemptionfiles.read(config, ruleset, clock.now)
    report = RunReport(_begin(store, clock, wish), clock, applied=wish.apply, exemptions=exemptions, waiting=waiting)
    learned: Learned | None = None
    with ExitStack() as closing:
        connections = _open(store, sources, clock, wish, closing)
        pull_all(config, store, connections, clock, wish, report)
        if not report.stopped:
            trace_gone(store, connections, wish, report)
            _evaluate(config, ruleset, store, clock, wish, report)
            if date_statuses(ruleset, store, connections, clock, wish, report):
                _evaluate(config, ruleset, store, clock, wish, report)
            learned = plan_run(config, ruleset, store, clock, wish, report)
            _write(config, ruleset, store, connections, clock, wish, report)
        _tally(connections, report)
        turns.answered(store, sources, wish, report, clock.now)
        _finish(config, ruleset, store, clock, report, learned)
    if not report.stopped:
        forget(store, config.retention, clock)
    return report


def take_back(config: Config, store: Store, clock: Clock, wish: Wish, aim: Aim) -> RunReport:
    """Pull, and take back what `aim` names, on an open, locked store. Rules are not asked."""
    at_stake = takeback.sources(store.connection, aim)
    if aim.what == "retire":
        at_stake |= tidying.sources(store.connection)
    sources, _ = turns.due(store, [one for one in chosen(config, wish) if one.name in at_stake], wish, clock.now)
    if wish.apply:
        refuse_rehearsal(sources, clock)
    exemptions = exemptionfiles.by_label(config, clock.now)
    report = RunReport(_begin(store, clock, wish), clock, applied=wish.apply, exemptions=exemptions)
    with ExitStack() as closing:
        connections = _open(store, sources, clock, wish, closing)
        pull_all(config, store, connections, clock, wish, report)
        report.findings = store.value("SELECT count(*) FROM finding")
        if not report.stopped:
            plan_taking_back(config, store, clock, wish, report, aim)
            if aim.what == "retire":
                report.unused = tidying.unused(store.connection, wish.source, report.plan)
            if wish.apply and not report.tripped:
                with store.transaction() as connection:
                    takeback.remember(connection, report.plan, aim, clock.now, config.veto_days)
            _write(config, None, store, connections, clock, wish, report)
            if wish.apply and not report.tripped and not report.stopped:
                tidying.tidy(store, connections, wish, report)
        _tally(connections, report)
        _finish(config, None, store, clock, report, None)
    return report


def _open(store: Store, sources: Sequence[Source], clock: Clock, wish: Wish, closing: ExitStack) -> list[Opened]:
    connections = [opened(source, wish) for source in sources]
    for one in connections:
        closing.callback(one.close)
        closing.callback(turns.count, store, one, clock.now)
    return connections


def _write(
    config: Config,
    ruleset: RuleSet | None,
    store: Store,
    sources: Sequence[Opened],
    clock: Clock,
    wish: Wish,
    report: RunReport,
) -> None:
    report.stopped = wish.stopping.by
    if report.stopped:
        return
    if wish.apply and not report.tripped:
        wish.progress("writing labels" if not report.plan.empty else "nothing to write")
        guard = Guard(report.exemptions.unless, lambda: exemptionfiles.read(config, ruleset, clock.now))
        with ExitStack() as closing:
            # Where a turn was cut short, a thread that was left behind may still use the connector.
            writers = [
                _open(store, [one.source], clock, wish, closing)[0] if one.stopping.is_set() else one for one in sources
            ]
            report.written = apply_plan(store, report.plan, writers, report.run_id, clock.now, guard, wish.stopping)
            _tally([one for one in writers if one not in sources], report)
        report.stopped = wish.stopping.by if report.written.stopped else None


def _tally(connections: Sequence[Opened], report: RunReport) -> None:
    """Add what the hosts were asked to the sources' reports."""
    of = {source.source: source for source in report.sources}
    for one in connections:
        cost = one.cost()
        if cost is not None:
            source = of[one.source.name]
            source.requests = (source.requests or 0) + cost.requests
            source.bytes = (source.bytes or 0) + cost.sent + cost.received


def _begin(store: Store, clock: Clock, wish: Wish) -> int:
    with store.transaction() as connection:
        row = connection.execute(
            "INSERT INTO run (started_at, command, rehearsal) VALUES (?, ?, ?)",
            (table.moment(clock.now), wish.command, int(clock.rehearsal)),
        )
    log.of_run(row.lastrowid)
    log.note("run_started", command=wish.command, apply=wish.apply)
    return row.lastrowid or 0


def _evaluate(config: Config, ruleset: RuleSet, store: Store, clock: Clock, wish: Wish, report: RunReport) -> None:
    moment = today(config, clock.now)
    clocks = learning.clocks_of(config, moment)
    learning.learn(store, ruleset, moment, clocks, rehearsal=clock.rehearsal, progress=wish.progress)
    wish.progress("evaluating rules")
    evaluation = findings.evaluate(store, ruleset, moment)
    report.counts = evaluation.counts
    report.rule_failures = [f"{why}." for _, why in evaluation.failures]
    report.evaluated = evaluation.is_new
    report.findings = findings.count(store, evaluation)


def _finish(
    config: Config, ruleset: RuleSet | None, store: Store, clock: Clock, report: RunReport, learned: Learned | None
) -> None:
    """Record the run, and what it taught the brakes, if it has anything to teach."""
    report.seconds = 0.0 if clock.rehearsal else clock.seconds()
    with store.transaction() as connection:
        if learned is not None:
            keep(store, config, report, learned)
        if ruleset is not None:
            answered = [source.source for source in report.sources if source.fresh]
            rollout.remember_seen(connection, ruleset, [count.rule for count in report.counts], answered, clock.now)
        connection.execute(
            "UPDATE run SET finished_at = ?, exit_code = ?, summary = ? WHERE id = ?",
            (
                table.moment(clock.after()),
                int(report.exit_code),
                json.dumps(report.as_json(), ensure_ascii=False),
                report.run_id,
            ),
        )
    log.note("run_finished", exit_code=int(report.exit_code), seconds=round(report.seconds, 1))
