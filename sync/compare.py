"""Whose labels would change if other rule files were in force: two evaluations of one state of the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rules import engine
from rules.ruleset import RuleSet
from rules.today import Today
from sync import learning
from sync.store import Store


@dataclass(frozen=True, slots=True)
class Difference:
    """One label that would go on one item, or off it."""

    source: str
    native_id: str
    key: str
    title: str
    action: str
    """`add` or `remove`."""
    label: str
    rule: str
    """All rules that ask for the label, or asked for it, joined with `, `."""
    reason: str

    def as_json(self) -> dict[str, Any]:
        """The shape of docs/json.md."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class RuleDifference:
    """What becomes of one rule. `before` and `after` count items; None where the rule is not there, or failed."""

    rule: str
    before: int | None
    after: int | None
    add: int
    remove: int

    def as_json(self) -> dict[str, Any]:
        """The shape of docs/json.md."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a swap of rule files would do today."""

    differences: tuple[Difference, ...]
    rules: tuple[RuleDifference, ...]
    failures: tuple[str, ...]
    """Sentences on rules that could not be evaluated; their labels stay, and so are not compared."""

    @property
    def items(self) -> int:
        """How many items would change."""
        return len({(each.source, each.native_id) for each in self.differences})

    def as_json(self) -> dict[str, Any]:
        """The shape of docs/json.md."""
        return {
            "items": self.items,
            "changes": [each.as_json() for each in self.differences],
            "rules": [each.as_json() for each in self.rules],
            "problems": list(self.failures),
        }


def compare(store: Store, old: RuleSet, new: RuleSet, today: Today, clocks: learning.Clocks) -> Comparison:
    """Evaluate both on the store as it is; nothing is written but temporary tables, which are gone afterwards."""
    with store.snapshot() as connection:
        both = RuleSet((*old.rules, *new.rules), ())
        learning.lay(connection, both, [today.date.replace(day=1)], clocks)
        before = engine.evaluate(connection, old, today)
        connection.execute("CREATE TEMP TABLE found_before AS SELECT * FROM temp.found")
        after = engine.evaluate(connection, new, today)
        failed = [rule for evaluation in (before, after) for rule, _ in evaluation.failures]
        kept = {label for ruleset in (old, new) for rule in ruleset.rules if rule.id in failed for label in rule.labels}
        gained = _only_in(store, "found", "found_before", "add")
        lost = _only_in(store, "found_before", "found", "remove")
    differences = [each for each in (*gained, *lost) if each.label not in kept]
    differences.sort(key=lambda each: (each.source, each.key, each.action, each.label))
    failures = dict.fromkeys(f"{why}." for evaluation in (before, after) for _, why in evaluation.failures)
    return Comparison(tuple(differences), tuple(_by_rule(before, after, differences)), tuple(failures))


def _only_in(store: Store, here: str, there: str, action: str) -> list[Difference]:
    """The labels that items have in one table of findings and not in the other."""
    rows = store.rows(
        "SELECT i.source, i.native_id, i.key, i.title, f.label, group_concat(f.rule, ', ') AS rule, "
        f"group_concat(f.reason, '; ') AS reason FROM temp.{here} f JOIN item i ON i.id = f.item_id "
        f"WHERE (f.item_id, f.label) NOT IN (SELECT item_id, label FROM temp.{there}) GROUP BY i.id, f.label"
    )
    return [Difference(action=action, **row) for row in rows]


def _by_rule(
    before: engine.Evaluation, after: engine.Evaluation, differences: Sequence[Difference]
) -> list[RuleDifference]:
    was = {count.rule: count.matched for count in before.counts}
    now = {count.rule: count.matched for count in after.counts}
    moved = Counter((rule, each.action) for each in differences for rule in each.rule.split(", "))
    return [
        RuleDifference(rule, was.get(rule), now.get(rule), moved[rule, "add"], moved[rule, "remove"])
        for rule in dict.fromkeys((*was, *now))
    ]
