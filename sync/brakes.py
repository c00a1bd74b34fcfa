"""Where a run stops rather than write. A brake aborts, it never truncates; `--force NAME` lifts it for one run.

Those on how much changes at once, and on what rules match. What vanished from a tool is in `sync.drift`, what is
more than usual in `sync.usual`.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rules.engine import RuleCount
from sync.config import Brakes
from sync.plan import Plan

NAMES = ("share", "count", "per_rule", "per_person", "unusual", "shrink", "rule", "field", "status", "label")

_NEARLY_ALL = 0.9
_WAS_FEW = 0.5

_LOOK = "Look at them with `unstuck plan`"


@dataclass(frozen=True, slots=True)
class Tripped:
    """A brake that tripped, and the sentence that says so and how to go on."""

    name: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Changed:
    """How many items change. An item counts for each rule that changes a label of it, and for one person at most."""

    sources: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[str, int] = field(default_factory=dict)
    people: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Of all sources."""
        return sum(self.sources.values())


def count_changes(plan: Plan, people: Mapping[int, str], counts: Callable[[str], bool] = lambda _: True) -> Changed:
    """What a plan changes because of the rules that count. `people`: whose an item is, by `item_id`."""
    sources, rules, persons = Counter[str](), Counter[str](), Counter[str]()
    for change in plan.changes:
        why = {reason.rule for reasons in change.reasons.values() for reason in reasons if counts(reason.rule)}
        if why:
            rules.update(why)
            sources[change.ref.source] += 1
            if change.item_id in people:
                persons[people[change.item_id]] += 1
    return Changed(sources, rules, persons)


def whose(connection: sqlite3.Connection, plan: Plan) -> dict[int, str]:
    """The person who looks after each item that the plan changes: its owner, else the first who works on it."""
    return dict(
        connection.execute(
            f"SELECT id, {WHOSE} FROM item WHERE id IN (SELECT value FROM json_each(?)) AND {WHOSE} IS NOT NULL",
            (json.dumps([change.item_id for change in plan.changes]),),
        ).fetchall()
    )


WHOSE = "coalesce(nullif(trim(owner), ''), nullif(trim(json_extract(assignees, '$[0]')), ''))"
"""SQL for the person who looks after an item; NULL if nobody does."""


def of_changes(changed: Changed, considered: Mapping[str, int], limits: Brakes, *, first: bool) -> list[Tripped]:
    """The brakes on how much changes at once. `considered`: items by source; `first`: nothing was ever written."""
    advice = f"{_LOOK}; if they are right, run once with --force"
    if first:
        advice = (
            f"Nothing has been labelled yet, so a first run often does this. {_LOOK}; approve some of them with "
            "`unstuck plan -o plan.csv`, or write all of them: run once with --force"
        )
    return [Tripped(name, f"{what}. {advice} {name}.") for name, what in _too_much(changed, considered, limits)]


def _too_much(changed: Changed, considered: Mapping[str, int], limits: Brakes) -> Iterator[tuple[str, str]]:
    """Brake and finding, for everything of which there is too much."""
    for source, number in sorted(changed.sources.items()):
        of, all_ = limits.of(source), considered[source]
        if all_ >= of.least and number > of.share * all_:
            yield (
                "share",
                f"{source}: {number} of {all_} items would change ({number / all_:.0%}), more than the "
                f"{of.share:.0%} that [brakes] share allows",
            )
        if of.count is not None and number > of.count:
            yield (
                "count",
                f"{source}: {number} items would change, more than the {of.count} that [sources.{source}.brakes] "
                "count allows",
            )
    if changed.total > limits.count:
        yield "count", f"{changed.total} items would change, more than the {limits.count} that [brakes] count allows"
    yield from _too_much_of_one("per_rule", 'rule "{}"', changed.rules, limits.per_rule)
    yield from _too_much_of_one("per_person", "{}", changed.people, limits.per_person)


def _too_much_of_one(name: str, who: str, numbers: Mapping[str, int], most: int) -> Iterator[tuple[str, str]]:
    for one, number in sorted(numbers.items()):
        if number > most:
            yield (
                name,
                f"{who.format(one)}: {number} items would change, more than the {most} that [brakes] {name} allows",
            )


def of_rules(counts: Sequence[RuleCount], before: Mapping[str, tuple[int, int]], limits: Brakes) -> list[Tripped]:
    """The brake on rules that suddenly match nothing, or nearly everything.

    `before`: (matched, considered) by rule, as of the last run that no brake stopped.
    """
    return [
        Tripped(
            "rule",
            f'rule "{now.rule}" suddenly {how}. Look whether the rule, a field or a status was renamed; '
            "if it is right, run once with --force rule.",
        )
        for now in counts
        if now.rule in before and (how := _suddenly(now, *before[now.rule], limits.least)) is not None
    ]


def _suddenly(now: RuleCount, matched: int, considered: int, least: int) -> str | None:
    if matched >= least and now.matched == 0:
        return f"matches nothing, and matched {matched} items the last time"
    nearly_all = now.matched >= _NEARLY_ALL * now.considered
    if now.considered >= least and nearly_all and matched < _WAS_FEW * considered:
        return f"matches {now.matched} of {now.considered} items, and matched {matched} the last time"
    return None
