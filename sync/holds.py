"""What a plan leaves as it is for now: a plan and what is known of its rules and people, made narrower. Pure.

In this order; the first that holds a label back is the one that is named:

1. an exemption, and 2. a person's veto: before a plan is made (`sync.exemptions`, `sync.plan`);
3. a rule that is new or was changed is to be seen in one run first: nothing goes on, nothing comes off;
4. a rule that is paused, and 5. a collection that its `rollout` has not come to: nothing goes on;
6. `rollout.per_run` and the weekly budget of each person: the oldest findings go on, the others wait.

A ladder's next step takes the place of the step before: 6 lets it pass, and 3 to 5 hold both. Nothing but 3 holds back
a removal whose cause is gone, and nothing at all one that an exemption asks for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from connectors.wording import many
from rules.ruleset import Rule
from sync.plan import Held, Hold, Plan, PlannedChange, in_order

Why = tuple[Hold, str]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known beyond the plan itself."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    """Those in force, by id."""
    unseen: frozenset[tuple[str, str]] = frozenset()
    """(rule, source) where no run has seen the rule as it is now, and this run is to write."""
    paused: frozenset[str] = frozenset()
    """Rules."""
    collections: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """(source, native id) -> name."""
    since: Mapping[tuple[int, str], str] = field(default_factory=dict)
    """(item, label) -> when it was first found. What is missing counts as found just now."""
    people: Mapping[int, str] = field(default_factory=dict)
    """Item -> the person whose attention it takes; nobody's is missing."""
    spent: Mapping[str, int] = field(default_factory=dict)
    """Person -> labels put on in the last seven days."""
    budget: int = 0
    """Labels for each person in seven days; 0 is no limit."""


def hold(plan: Plan, facts: Facts) -> Plan:
    """The plan without what is to stay as it is, which `held` lists instead."""
    return _slowly(_stopped(plan, facts), facts)


# 3, 4 and 5: rules that do not write here


def _stopped(plan: Plan, facts: Facts) -> Plan:
    stops = _Stops(facts)
    if stops.none:
        return plan
    exempt = {(held.ref, held.label) for held in plan.held if held.kind is Hold.EXEMPT}
    changes, held = list[PlannedChange](), list[Held]()
    for change in plan.changes:
        off = dict(_stopped_additions(change, stops))
        waiting = {reason.rule: off[label][0] for label in off for reason in change.reasons[label]}
        stays = [label for label in change.remove if (change.ref, label) not in exempt]
        off |= dict(_stopped_removals(change, stays, stops, waiting))
        held += _listed(change, off)
        changes.append(_with_live_reasons(_without(change, off), stops))
    return _narrowed(plan, changes, held)


class _Stops:
    """Which rules write where. The answers are few, and are asked for each label."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.none = not facts.unseen and not facts.paused and not any(r.rollout.first for r in facts.rules.values())
        self.claimed = {
            (source, label): rule
            for rule, source in sorted(facts.unseen)
            for label in (facts.rules[rule].labels if rule in facts.rules else ())
        }
        """(source, label) -> the unseen rule that may ask for it."""
        self._known: dict[tuple[str, str, str], Why | None] = {}

    def why(self, change: PlannedChange, rule: str) -> Why | None:
        """Why the rule puts nothing on in the collection of this change."""
        asked = (rule, change.ref.source, change.collection)
        if asked not in self._known:
            self._known[asked] = self._find(*asked)
        return self._known[asked]

    def _find(self, rule_id: str, source: str, collection: str) -> Why | None:
        facts, rule = self.facts, self.facts.rules.get(rule_id)
        if (rule_id, source) in facts.unseen:
            return Hold.SEEN_FIRST, _seen_first(rule_id)
        if rule_id in facts.paused:
            return Hold.PAUSED, f'rule "{rule_id}" is paused'
        first = rule.rollout.first if rule else None
        if first not in (None, collection, facts.collections.get((source, collection))):
            return Hold.ROLLOUT, f'rule "{rule_id}" labels {first} first'
        return None

    def unseen(self, change: PlannedChange, label: str) -> str | None:
        """The unseen rule that put the label on, or that may ask for it."""
        rule, source = change.reasons[label][0].rule, change.ref.source
        return rule if (rule, source) in self.facts.unseen else self.claimed.get((source, label))


def _stopped_additions(change: PlannedChange, stops: _Stops) -> Iterator[tuple[str, Why]]:
    """A label stays off if every rule that asks for it is stopped."""
    for label in change.add:
        whys = [stops.why(change, reason.rule) for reason in change.reasons[label]]
        if whys[0] and all(whys):
            yield label, whys[0]


def _stopped_removals(
    change: PlannedChange, labels: Sequence[str], stops: _Stops, waiting: Mapping[str, Hold]
) -> Iterator[tuple[str, Why]]:
    """What an unseen rule put on, or may ask for, stays; so does a step whose next one is stopped (`waiting`)."""
    for label in labels:
        rule, unseen = change.reasons[label][0].rule, stops.unseen(change, label)
        if unseen is not None:
            yield label, (Hold.SEEN_FIRST, f"stays on: {_seen_first(unseen)}")
        elif rule in waiting:
            yield label, (waiting[rule], f'stays on until rule "{rule}" puts on the next')


def _seen_first(rule: str) -> str:
    return f'rule "{rule}" is new or was changed, and is seen first; the next run writes'


def _with_live_reasons(change: PlannedChange, stops: _Stops) -> PlannedChange:
    """Only rules that are not stopped are a reason to put a label on."""
    live = {
        label: tuple(each for each in change.reasons[label] if not stops.why(change, each.rule)) for label in change.add
    }
    return replace(change, reasons={**change.reasons, **live})


# 6: labels that have to wait their turn


def _slowly(plan: Plan, facts: Facts) -> Plan:
    if not facts.people and not any(rule.rollout.per_run for rule in facts.rules.values()):
        return plan
    turns = sorted(
        (facts.since.get((change.item_id, label), "~"), change.item_id, label, change)
        for change in plan.changes
        for label in change.add
        if not _is_next_step(change, label)
    )
    quotas = _Quotas(facts)
    off: dict[int, dict[str, Why]] = {}
    for _, item_id, label, change in turns:
        why = quotas.take(change, label)
        if why:
            off.setdefault(item_id, {})[label] = why
    held = [each for change in plan.changes for each in _listed(change, off.get(change.item_id, {}))]
    return _narrowed(plan, [_without(change, off.get(change.item_id, {})) for change in plan.changes], held)


def _is_next_step(change: PlannedChange, label: str) -> bool:
    """Whether the label takes the place of another of the same rule, which the people know already."""
    leaving = {change.reasons[each][0].rule for each in change.remove}
    return any(reason.rule in leaving for reason in change.reasons[label])


class _Quotas:
    """What may still be put on in this run."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.used, self.spent = Counter[str](), Counter(facts.spent)

    def take(self, change: PlannedChange, label: str) -> Why | None:
        """Use up one turn for a label, or say why there is none."""
        rules = [reason.rule for reason in change.reasons[label]]
        free = next((rule for rule in rules if self._has_room(rule)), None)
        if free is None:
            return Hold.ROLLOUT, f'rule "{rules[0]}" labels {self._per_run(rules[0])} more a run'
        person = self.facts.people.get(change.item_id)
        if person is not None and self.spent[person] >= self.facts.budget:
            return (
                Hold.BUDGET,
                f"{person} has got {many(self.facts.budget, 'label')} in seven days, and gets more later",
            )
        self.used[free] += 1
        if person is not None:
            self.spent[person] += 1
        return None

    def _has_room(self, rule: str) -> bool:
        per_run = self._per_run(rule)
        return per_run is None or self.used[rule] < per_run

    def _per_run(self, rule: str) -> int | None:
        known = self.facts.rules.get(rule)
        return known.rollout.per_run if known else None


# What both are made of


def _without(change: PlannedChange, off: Mapping[str, Why]) -> PlannedChange:
    if not off:
        return change
    add, remove = (tuple(label for label in labels if label not in off) for labels in (change.add, change.remove))
    return replace(change, add=add, remove=remove)


def _listed(change: PlannedChange, off: Mapping[str, Why]) -> list[Held]:
    return [Held(change.ref, change.key, label, why, kind) for label, (kind, why) in off.items()]


def _narrowed(plan: Plan, changes: Sequence[PlannedChange], held: Sequence[Held]) -> Plan:
    kept = tuple(change for change in changes if change.add or change.remove)
    return replace(plan, changes=kept, held=in_order((*plan.held, *held)))
