"""Where a run stops rather than write. A brake aborts, it never truncates; `--force NAME` lifts it for one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rules.engine import RuleCount
from sync.config import Brakes
from sync.plan import Plan

NAMES = ("share", "count", "shrink", "rule")

_NEARLY_ALL = 0.9
_WAS_FEW = 0.5


@dataclass(frozen=True, slots=True)
class Tripped:
    """A brake that tripped, and the sentence that says so and how to go on."""

    name: str
    sentence: str


def check(
    plan: Plan,
    considered: Mapping[str, int],
    limits: Brakes,
    shrunk: Sequence[str],
    counts: Sequence[RuleCount],
    before: Mapping[str, tuple[int, int]],
) -> list[Tripped]:
    """Every brake that trips. `considered`: items by source; `before`: (matched, considered) by rule, last time."""
    tripped = [Tripped("shrink", sentence) for sentence in shrunk]
    tripped += _share(plan, considered, limits)
    if len(plan.changes) > limits.count:
        tripped.append(
            Tripped(
                "count",
                f"{len(plan.changes)} items would change, more than the {limits.count} that [brakes] count allows. "
                "Look at them with `unstuck plan`; if they are right, run once with --force count.",
            )
        )
    for count in counts:
        tripped += _rule(count, before.get(count.rule), limits)
    return tripped


def _share(plan: Plan, considered: Mapping[str, int], limits: Brakes) -> list[Tripped]:
    changed = Counter(change.ref.source for change in plan.changes)
    return [
        Tripped(
            "share",
            f"{source}: {number} of {considered[source]} items would change ({number / considered[source]:.0%}), more "
            f"than the {limits.share:.0%} that [brakes] share allows. Look at them with `unstuck plan`; "
            "if they are right, run once with --force share.",
        )
        for source, number in sorted(changed.items())
        if considered[source] >= limits.least and number > limits.share * considered[source]
    ]


def _rule(now: RuleCount, before: tuple[int, int] | None, limits: Brakes) -> list[Tripped]:
    if before is None:
        return []
    matched, considered = before
    how = None
    if matched >= limits.least and now.matched == 0:
        how = f"matches nothing, and matched {matched} items the last time"
    elif (
        now.considered >= limits.least
        and now.matched >= _NEARLY_ALL * now.considered
        and matched < _WAS_FEW * considered
    ):
        how = f"matches {now.matched} of {now.considered} items, and matched {matched} the last time"
    if how is None:
        return []
    return [
        Tripped(
            "rule",
            f'rule "{now.rule}" suddenly {how}. Look whether the rule, a field or a status was renamed; '
            "if it is right, run once with --force rule.",
        )
    ]
