"""`plan_labels` is pure; its laws hold for every state of an item."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.model import ItemRef
from sync.plan import ItemState, Plan, Reason, plan_labels

LABELS = st.frozensets(st.sampled_from(["pmo-a", "pmo-b", "pmo-c", "blue"]))
WHY = Reason("rule", "Because")


@st.composite
def states(draw: st.DrawFn) -> list[ItemState]:
    return [
        ItemState(
            item_id=number,
            ref=ItemRef("tool", str(number)),
            key=f"APP-{number}",
            title="",
            collection="B1",
            present=draw(LABELS),
            desired=dict.fromkeys(draw(LABELS) - {"blue"}, (WHY,)),
            ours=dict.fromkeys(draw(LABELS) - {"blue"}, WHY),
            vetoed=draw(LABELS),
        )
        for number in range(draw(st.integers(0, 4)))
    ]


def after(state: ItemState, plan: Plan) -> frozenset[str]:
    change = next((each for each in plan.changes if each.item_id == state.item_id), None)
    return (state.present | set(change.add)) - set(change.remove) if change else state.present


@given(states())
def test_only_what_is_ours_goes(found: list[ItemState]) -> None:
    plan = plan_labels(found, len(found))
    for state in found:
        assert state.present - after(state, plan) <= set(state.ours)


@given(states())
def test_afterwards_the_tool_carries_what_the_rules_say(found: list[ItemState]) -> None:
    plan = plan_labels(found, len(found))
    for state in found:
        labels = after(state, plan)
        assert set(state.desired) - state.vetoed <= labels
        assert not (set(state.ours) & labels) - set(state.desired)
        assert labels - state.present <= set(state.desired) - state.vetoed


@given(states())
def test_a_plan_is_a_fixed_point(found: list[ItemState]) -> None:
    plan = plan_labels(found, len(found))
    settled = [
        ItemState(
            item_id=state.item_id,
            ref=state.ref,
            key=state.key,
            title="",
            collection="B1",
            present=after(state, plan),
            desired=state.desired,
            ours=dict.fromkeys(after(state, plan) & (set(state.ours) | set(state.desired)), WHY),
            vetoed=state.vetoed,
        )
        for state in found
    ]
    assert plan_labels(settled, len(found)).changes == ()


@given(states())
def test_every_change_has_a_reason_and_none_is_empty(found: list[ItemState]) -> None:
    for change in plan_labels(found, len(found)).changes:
        assert change.add or change.remove
        assert all(change.reasons[label] for label in (*change.add, *change.remove))


@given(states())
def test_the_order_of_states_does_not_matter(found: list[ItemState]) -> None:
    assert plan_labels(found, 9) == plan_labels(reversed(found), 9)
