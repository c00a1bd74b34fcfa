"""From findings to a plan: settle open writes, hear what people took off, compare, and check the brakes."""

from __future__ import annotations

from collections.abc import Mapping

from rules.ruleset import RuleSet
from sync import brakes, ledger, rollout, takeback, vetoes
from sync.clock import Clock
from sync.config import Config
from sync.holds import hold
from sync.plan import Plan, plan_labels
from sync.standing import exempt_by_label
from sync.store import Store
from sync.summary import RunReport, Wish
from sync.takeback import Aim


def plan_run(config: Config, ruleset: RuleSet, store: Store, clock: Clock, wish: Wish, report: RunReport) -> None:
    """Fill the report's plan and brakes."""
    report.vetoes = _hear(config, store, clock, report)
    with store.transaction() as connection:
        report.pauses = vetoes.review(connection, config, ruleset, clock.now)
    report.exempt_items = exempt_by_label(store, report.exemptions.unless)
    considered = ledger.considered(store.connection)
    states = report.exemptions.narrow(ledger.states(store.connection))
    plan = plan_labels(states, sum(considered.values()), ledger.outdated_copies(store.connection))
    facts = rollout.facts(config, ruleset, store, clock.now, writes=wish.apply)
    report.rule_notices = rollout.nowhere(facts)
    plan = hold(plan, facts)
    report.plan = wish.narrow(plan) if wish.narrow else plan
    before = _counts_before(store)
    shrunk = [sentence for source in report.sources for sentence in source.shrunk]
    tripped = brakes.check(report.plan, considered, config.brakes, shrunk, report.counts, before)
    report.tripped = [*_unexpected(report.plan, wish), *(brake for brake in tripped if brake.name not in wish.force)]


def plan_taking_back(config: Config, store: Store, clock: Clock, wish: Wish, report: RunReport, aim: Aim) -> None:
    """Fill the report's plan with what takes back `aim`.

    How much that is, the operator was shown: of the brakes, only a source that shrank stops it.
    """
    report.vetoes = _hear(config, store, clock, report)
    connection = store.connection
    considered = sum(ledger.considered(connection).values())
    states, copies = ledger.states(connection, aim.items), ledger.outdated_copies(connection)
    report.plan = takeback.plan(states, considered, copies, aim)
    report.unreached = [_unreached(source, labels) for source, labels in takeback.out_of_reach(connection, aim)]
    shrunk = [sentence for source in report.sources for sentence in source.shrunk]
    report.tripped = [brakes.Tripped("shrink", sentence) for sentence in shrunk if "shrink" not in wish.force]


def _unreached(source: str, labels: int) -> str:
    return (
        f"{source}: {labels} label(s) to take back are where this run got no answer (see above, or the source is "
        "not in the config any more); they stay: do it again once it answers."
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


def _hear(config: Config, store: Store, clock: Clock, report: RunReport) -> int:
    """Settle what a killed run left open, and notice what people took off. Returns how many vetoes are new."""
    can_write = {name for name, source in config.sources.items() if source.connector.capabilities.writes}
    fresh = [
        (source.source, collection)
        for source in report.sources
        for collection in source.fresh
        if source.source in can_write
    ]
    with store.transaction() as connection:
        ledger.remember_fresh(connection, fresh)
        ledger.settle(connection, clock.now)
        return ledger.notice_people(connection, clock.now, config.veto_days)


def _counts_before(store: Store) -> Mapping[str, tuple[int, int]]:
    """Of the last run that no brake stopped, by rule: how many items it matched, and how many it looked at."""
    return {
        row["rule"]: (row["matched"], row["considered"])
        for row in store.rows("SELECT rule, matched, considered FROM rule_count")
    }
