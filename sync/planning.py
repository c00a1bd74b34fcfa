"""From findings to a plan: settle open writes, hear what people took off, compare, hold back, and check the brakes."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.wording import many
from rules.engine import RuleCount
from rules.ruleset import RuleSet
from sync import brakes, drift, flapping, ledger, quiet, rollout, takeback, usual, vetoes
from sync.clock import Clock
from sync.config import Config
from sync.holds import hold
from sync.plan import Plan, plan_labels
from sync.standing import exempt_by_label
from sync.store import Store
from sync.summary import RunReport, Wish
from sync.takeback import Aim

Vanished = list[tuple[str, drift.LabelLoss]]
"""Labels that are gone from all their items at once, and where."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What brakes go by, and what they will go by in the next run if none of them stops this one."""

    counts: Mapping[str, tuple[int, int]]
    """Of the last run that no brake stopped, by rule: how many items it matched, and how many it looked at."""
    before: drift.Seen
    now: drift.Seen
    changed: brakes.Changed
    considered: Mapping[str, int]
    """Source -> how many items stand behind the plan."""


def plan_run(config: Config, ruleset: RuleSet, store: Store, clock: Clock, wish: Wish, report: RunReport) -> Learned:
    """Fill the report's plan and brakes."""
    vanished, considered = _gather(config, store, clock, wish, report)
    with store.transaction() as connection:
        report.pauses = vetoes.review(connection, config, ruleset, clock.now)
    states = report.exemptions.narrow(ledger.states(store.connection))
    plan = plan_labels(states, sum(considered.values()), ledger.outdated_copies(store.connection))
    plan = _hold(config, ruleset, store, clock, wish, plan, report)
    report.plan = wish.narrow(plan) if wish.narrow else plan
    people = brakes.whose(store.connection, report.plan)
    before = drift.read(store.connection)
    now = before if _is_as_seen(config, store, report) else drift.look(store.connection, config)
    learned = Learned(_counts_before(store), before, now, brakes.count_changes(report.plan, people), considered)
    tripped = [
        *_shrunk(report),
        *drift.of_labels(vanished),
        *_of_drift(config, ruleset, store, learned),
        *_of_changes(config, store, considered, report, learned),
    ]
    report.tripped = [*_unexpected(report.plan, wish), *(brake for brake in tripped if brake.name not in wish.force)]
    return learned


def _gather(
    config: Config, store: Store, clock: Clock, wish: Wish, report: RunReport
) -> tuple[Vanished, Mapping[str, int]]:
    """Hear people, and find the items at stake; returns the labels that vanished at once, and what is considered.

    Where nothing happened since the last run, nobody need be heard, and what it found is so still.
    """
    _remember_fresh(config, store, report)
    note = quiet.read(store, report)
    if note is not None:
        report.exempt_items = note.exempt_items
        ledger.put_at_stake(store.connection, note.at_stake)
        return [], note.considered
    vanished = _hear(config, store, clock, wish, report)
    report.exempt_items = exempt_by_label(store, report.exemptions.unless)
    ledger.find_at_stake(store.connection, report.exemptions)
    return vanished, ledger.considered(store.connection)


def plan_taking_back(config: Config, store: Store, clock: Clock, wish: Wish, report: RunReport, aim: Aim) -> None:
    """Fill the report's plan with what takes back `aim`.

    How much that is, the operator was shown: of the brakes, only a source that shrank stops it.
    """
    _remember_fresh(config, store, report)
    _hear(config, store, clock, wish, report)
    connection = store.connection
    considered = sum(ledger.considered(connection).values())
    ledger.put_at_stake(connection, aim.items)
    copies = ledger.outdated_copies(connection)
    report.plan = takeback.plan(ledger.states(connection), considered, copies, aim)
    report.unreached = [_unreached(source, labels) for source, labels in takeback.out_of_reach(connection, aim)]
    report.tripped = [brake for brake in _shrunk(report) if brake.name not in wish.force]


def _shrunk(report: RunReport) -> list[brakes.Tripped]:
    return [brakes.Tripped("shrink", sentence) for source in report.sources for sentence in source.shrunk]


def _unreached(source: str, labels: int) -> str:
    return (
        f"{source}: {many(labels, 'label')} to take back stayed, as this run got no answer there (see above, "
        "or the source is not in the config any more); do it again once it answers."
    )


def _unexpected(plan: Plan, wish: Wish) -> list[brakes.Tripped]:
    if wish.expect is None or wish.expect == plan.sha:
        return []
    return [
        brakes.Tripped(
            "expect",
            f"the plan is {plan.sha} now and {wish.expect} was expected: something changed since; look at it with "
            "`unstuck plan`, and expect the new one if it is right.",
        )
    ]


def _remember_fresh(config: Config, store: Store, report: RunReport) -> None:
    can_write = {name for name, source in config.sources.items() if source.connector.capabilities.writes}
    fresh = [
        (source.source, collection)
        for source in report.sources
        for collection in source.fresh
        if source.source in can_write
    ]
    ledger.remember_fresh(store.connection, fresh)


def _hear(config: Config, store: Store, clock: Clock, wish: Wish, report: RunReport) -> Vanished:
    """Settle what a killed run left open, and notice what people took off. Returns labels that vanished at once.

    Those are no people's doing until somebody says so: they become no vetoes.
    """
    with store.transaction() as connection:
        ledger.settle(connection, clock.now)
        vanished = drift.vanished_labels(drift.label_losses(connection), config.brakes)
        if "label" in wish.force:
            vanished = []
        places = [(loss.source, loss.collection, loss.label) for _, loss in vanished]
        report.vetoes = ledger.notice_people(connection, clock.now, config.veto_days, places)
    return vanished


def _hold(
    config: Config, ruleset: RuleSet, store: Store, clock: Clock, wish: Wish, plan: Plan, report: RunReport
) -> Plan:
    """Hold back what is to be seen first or has to wait, and what flaps."""
    facts = rollout.facts(config, ruleset, store, plan, clock.now, writes=wish.apply)
    report.rule_notices = rollout.nowhere(facts)
    plan = hold(plan, facts)
    with store.transaction() as connection:
        flaps = flapping.follow(connection, plan, clock.now, config.flapping)
    report.flapping = flapping.sentences(plan, flaps, config.flapping)
    return flapping.hold(plan, flaps, config.flapping)


def _is_as_seen(config: Config, store: Store, report: RunReport) -> bool:
    """Whether nothing changed since the last look, so that nobody need look at all items again.

    The last run must have been whole: one that was killed, or stopped by a brake, may have stored what none has seen.
    """
    if any(source.changed or source.vanished for source in report.sources):
        return False
    last_run = store.value("SELECT max(id) FROM run WHERE id < ?", (report.run_id,))
    return store.setting("seen") == _look(last_run, config)


def _look(run_id: int | None, config: Config) -> str:
    return f"{run_id} {drift.signature(config)}"


def _of_drift(config: Config, ruleset: RuleSet, store: Store, learned: Learned) -> list[brakes.Tripped]:
    before, now, limits = learned.before, learned.now, config.brakes
    if before == now:
        return []
    rows = store.connection.execute("SELECT source, native_id, name FROM collection")
    names = {(source, collection): name for source, collection, name in rows}
    return [
        *drift.of_fields(before, now, limits, names),
        *drift.of_statuses(before, now, drift.depends(config, ruleset), limits),
    ]


def _of_changes(
    config: Config, store: Store, considered: Mapping[str, int], report: RunReport, learned: Learned
) -> list[brakes.Tripped]:
    known, limits = usual.read(store.connection), config.brakes
    first = not store.value("SELECT EXISTS (SELECT 1 FROM journal) OR EXISTS (SELECT 1 FROM ledger)")
    return [
        *brakes.of_changes(learned.changed, considered, limits, first=first),
        *brakes.of_rules(report.counts, learned.counts, limits),
        *known.check(brakes.count_changes(report.plan, {}, known.knows), limits.unusual, limits.least),
    ]


def _counts_before(store: Store) -> Mapping[str, tuple[int, int]]:
    """Of the last run that no brake stopped, by rule: how many items it matched, and how many it looked at."""
    return {
        row["rule"]: (row["matched"], row["considered"])
        for row in store.rows("SELECT rule, matched, considered FROM rule_count")
    }


def keep(store: Store, config: Config, report: RunReport, learned: Learned) -> None:
    """Remember what the next run's brakes go by, in the caller's transaction.

    Nothing is learned from a run that a brake stopped, so that it trips again the next time; and how much usually
    changes only from runs that write, as what waits is planned again and again.
    """
    if report.tripped:
        return
    connection = store.connection
    quiet.keep(store, report, learned.considered)
    _keep_counts(connection, report.run_id, report.counts)
    drift.keep(connection, learned.before, learned.now)
    store.remember("seen", _look(report.run_id, config))
    if report.applied:
        sources = [source.source for source in report.sources if source.fresh]
        numbers = usual.numbers(learned.changed, sources, [count.rule for count in report.counts])
        usual.keep(connection, report.clock.now.astimezone(config.timezone).date(), numbers)


def _keep_counts(connection: sqlite3.Connection, run_id: int, counts: Sequence[RuleCount]) -> None:
    connection.executemany(
        "INSERT INTO rule_count (rule, run_id, matched, considered, unknown) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (rule) DO UPDATE SET run_id = excluded.run_id, matched = excluded.matched, "
        "considered = excluded.considered, unknown = excluded.unknown WHERE (matched, considered, unknown) <> "
        "(excluded.matched, excluded.considered, excluded.unknown)",
        [(count.rule, run_id, count.matched, count.considered, count.unknown) for count in counts],
    )
