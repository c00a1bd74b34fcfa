"""`hold` is pure; its laws hold for every plan and whatever is known."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from connectors.model import ItemRef
from rules.clauses import Group, Joint, Subject
from rules.ruleset import Ladder, Rollout, Rule, Step
from sync.holds import Facts, hold
from sync.plan import Held, Hold, ItemState, Plan, PlannedChange, Reason, plan_labels

STEPS = (Step(10, "pmo-b1"), Step(20, "pmo-b2"))
ANY = Group(Joint.ALL, ())
RULES = {
    "a": Rule("a", ("a",), ANY, "pmo-a", None, "f", 1),
    "b": Rule("b", ("b",), ANY, None, Ladder(Subject("days_in_status"), STEPS), "f", 9),
    "c": Rule("c", ("c",), ANY, "pmo-a", None, "f", 20),
}
OWNERS = {"pmo-a": ("a", "c"), "pmo-b1": ("b",), "pmo-b2": ("b",)}
SOURCES = ("one", "two")


@st.composite
def states(draw: st.DrawFn) -> list[ItemState]:
    return [draw(state(number)) for number in range(draw(st.integers(0, 6)))]


@st.composite
def state(draw: st.DrawFn, number: int) -> ItemState:
    asking = draw(st.frozensets(st.sampled_from(["a", "c"])))
    step = draw(st.sampled_from([None, "pmo-b1", "pmo-b2"]))
    desired = {"pmo-a": tuple(Reason(rule, rule) for rule in sorted(asking))} if asking else {}
    desired |= {step: (Reason("b", "b"),)} if step else {}
    on = {label: Reason(draw(st.sampled_from(OWNERS[label])), "x") for label in draw(st.frozensets(LABELS, max_size=2))}
    exempt = dict.fromkeys(draw(st.frozensets(st.sampled_from(sorted(desired)))), "exempt") if desired else {}
    return ItemState(
        item_id=number,
        ref=ItemRef(draw(st.sampled_from(SOURCES)), str(number)),
        key=str(number),
        title="",
        collection=draw(st.sampled_from(["B1", "B2"])),
        present=frozenset(on),
        ours=on,
        desired={label: reasons for label, reasons in desired.items() if label not in exempt},
        vetoed=draw(st.frozensets(LABELS, max_size=1)),
        exempt=exempt,
    )


LABELS = st.sampled_from(sorted(OWNERS))
ROLLOUTS = st.builds(
    Rollout, now=st.booleans(), per_run=st.none() | st.integers(1, 3), first=st.none() | st.sampled_from(["B1", "Two"])
)


@st.composite
def known(draw: st.DrawFn) -> Facts:
    pairs = st.tuples(st.sampled_from(sorted(RULES)), st.sampled_from(SOURCES))
    return Facts(
        rules={name: replace(rule, rollout=draw(ROLLOUTS)) for name, rule in RULES.items()},
        unseen=draw(st.frozensets(pairs, max_size=3)),
        paused=draw(st.frozensets(st.sampled_from(sorted(RULES)), max_size=2)),
        collections={(source, "B2"): "Two" for source in SOURCES},
        since=draw(st.dictionaries(st.tuples(st.integers(0, 5), LABELS), st.sampled_from("123"))),
        people=draw(st.dictionaries(st.integers(0, 5), st.sampled_from(["Bea", "Cem"]))),
        spent=draw(st.dictionaries(st.sampled_from(["Bea", "Cem"]), st.integers(0, 4))),
        budget=draw(st.integers(1, 4)),
    )


def labels(plan: Plan, action: str) -> set[tuple[ItemRef, str]]:
    return {(change.ref, label) for change in plan.changes for label in getattr(change, action)}


def held(plan: Plan) -> set[tuple[ItemRef, str]]:
    return {(each.ref, each.label) for each in plan.held}


@given(states(), known())
def test_it_only_narrows_and_lists_every_label_that_it_leaves_out(found: list[ItemState], facts: Facts) -> None:
    before = plan_labels(found, len(found))
    after = hold(before, facts)
    gone = {*labels(before, "add"), *labels(before, "remove")} - {*labels(after, "add"), *labels(after, "remove")}
    assert labels(after, "add") <= labels(before, "add")
    assert labels(after, "remove") <= labels(before, "remove")
    assert gone == held(after) - held(before)
    assert set(before.held) <= set(after.held)
    assert len(held(after)) == len(after.held), "a label is named once"
    assert all(change.add or change.remove for change in after.changes)


@given(states(), known())
def test_holding_twice_is_holding_once(found: list[ItemState], facts: Facts) -> None:
    once = hold(plan_labels(found, len(found)), facts)
    assert hold(once, facts) == once


@given(states())
def test_nothing_known_holds_nothing(found: list[ItemState]) -> None:
    plan = plan_labels(found, len(found))
    assert hold(plan, Facts()) == plan


@given(states(), known())
def test_an_unseen_rule_moves_nothing(found: list[ItemState], facts: Facts) -> None:
    for change in hold(plan_labels(found, len(found)), facts).changes:
        unseen = {rule for rule, source in facts.unseen if source == change.ref.source}
        assert not any(reason.rule in unseen for label in change.add for reason in change.reasons[label])
        exempt = next(state.exempt for state in found if state.ref == change.ref)
        for label in set(change.remove) - set(exempt):
            assert not unseen & {*OWNERS[label], change.reasons[label][0].rule}


@given(states(), known())
def test_an_exemption_takes_off_whatever_else_holds(found: list[ItemState], facts: Facts) -> None:
    after = labels(hold(plan_labels(found, len(found)), facts), "remove")
    assert {(state.ref, label) for state in found for label in state.exempt if label in state.ours} <= after


@given(states(), known())
def test_a_removal_waits_for_nothing_but_an_unseen_rule_or_its_own_next_step(
    found: list[ItemState], facts: Facts
) -> None:
    before = plan_labels(found, len(found))
    after = hold(before, replace(facts, unseen=frozenset()))
    held_rules = {
        (change.ref, reason.rule)
        for change in before.changes
        for label in change.add
        if (change.ref, label) in held(after)
        for reason in change.reasons[label]
    }
    for ref, label in labels(before, "remove") - labels(after, "remove"):
        assert any((ref, rule) in held_rules for rule in OWNERS[label])


@given(states(), known())
def test_nobody_gets_more_than_the_budget_and_no_rule_more_than_its_share(found: list[ItemState], facts: Facts) -> None:
    plan = hold(plan_labels(found, len(found)), facts)
    fresh = [(change, label) for change in plan.changes for label in change.add if not is_next_step(change, label)]
    for person in ("Bea", "Cem"):
        got = sum(facts.people.get(change.item_id) == person for change, _ in fresh)
        assert got <= max(0, facts.budget - facts.spent.get(person, 0))
    for name in ("b",):  # pmo-a may count for either of its two rules
        per_run = facts.rules[name].rollout.per_run
        assert per_run is None or sum(name == change.reasons[label][0].rule for change, label in fresh) <= per_run


def is_next_step(change: PlannedChange, label: str) -> bool:
    leaving = {change.reasons[each][0].rule for each in change.remove}
    return any(reason.rule in leaving for reason in change.reasons[label])


@given(states(), known())
def test_the_oldest_findings_go_first(found: list[ItemState], facts: Facts) -> None:
    """Whoever waits for the budget is no older than any whose label of this run is on the same person's item."""
    facts = replace(facts, rules=RULES)
    before = plan_labels(found, len(found))
    plan = hold(before, facts)
    ids = {state.ref: state.item_id for state in found}
    steps = {(change.ref, label) for change in before.changes for label in change.add if is_next_step(change, label)}
    for waiting in (each for each in plan.held if each.kind is Hold.BUDGET):
        turn = age(facts, ids[waiting.ref], waiting.label)
        for ref, label in labels(plan, "add") - steps:
            if facts.people.get(ids[ref]) == facts.people[ids[waiting.ref]]:
                assert age(facts, ids[ref], label) < turn


def age(facts: Facts, item: int, label: str) -> tuple[str, int, str]:
    return facts.since.get((item, label), "~"), item, label


@given(states(), known())
def test_a_label_that_two_rules_ask_for_goes_on_for_the_one_that_may(found: list[ItemState], facts: Facts) -> None:
    after = hold(plan_labels(found, len(found)), replace(facts, unseen=frozenset(), budget=10**6))
    for change in after.changes:
        for label in change.add:
            assert change.reasons[label]
            assert not facts.paused & {reason.rule for reason in change.reasons[label]}


def test_what_is_held_says_by_whom() -> None:
    item = ItemState(0, ItemRef("one", "0"), "APP-1", "", "B1", desired={"pmo-a": (Reason("a", "a"),)})
    plan = plan_labels([item], 1)
    facts = Facts(rules=RULES, unseen=frozenset({("a", "one")}))
    why = 'rule "a" is new or was changed, and is seen first; the next run writes'
    assert hold(plan, facts).held == (Held(item.ref, "APP-1", "pmo-a", why, Hold.SEEN_FIRST),)
    assert hold(plan, Facts(rules=RULES, paused=frozenset({"a"}))).held[0].kind is Hold.PAUSED
