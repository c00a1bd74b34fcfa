"""The clock of "stuck" where a tool keeps no history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from connectors.model import Certainty, ItemRef, StatusCategory, Transition, WorkItem
from sync.history import Earlier, Known, Observed, observe

MARCH, APRIL, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4, 5))
DOING = StatusCategory.IN_PROGRESS


def item(
    percent: float | None = 40, status: str = "Doing", since: datetime | None = None, exact: bool = False
) -> WorkItem:
    return WorkItem(
        ref=ItemRef("plan", "1"),
        key="1",
        title="",
        collection="a",
        status=status,
        status_category=DOING,
        status_since=since,
        status_since_is=Certainty.EXACT if exact else Certainty.AT_LEAST,
        percent_complete=percent,
    )


KNOWN = Known("Doing", DOING, 40, MARCH, Certainty.AT_LEAST)


def test_a_new_item_counts_from_what_its_tool_says() -> None:
    found = observe(None, item(since=MARCH), APRIL, progress=True)
    assert (found.since, found.since_is, found.transition) == (MARCH, Certainty.AT_LEAST, None)


def test_a_new_item_of_which_nothing_is_said_counts_from_now_on() -> None:
    assert observe(None, item(), APRIL, progress=True).since == APRIL


def test_what_has_not_moved_counts_on_whatever_the_tool_says_now() -> None:
    assert observe(KNOWN, item(since=APRIL), MAY, progress=True).since == MARCH


def test_progress_is_movement_where_it_is_said_to_be() -> None:
    moved = observe(KNOWN, item(percent=60), APRIL, progress=True)
    assert (moved.since, moved.since_is) == (APRIL, Certainty.AT_LEAST)
    assert moved.transition is not None
    assert (moved.transition.percent_complete, moved.transition.at) == (60, APRIL)
    assert observe(KNOWN, item(percent=60), APRIL, progress=False).since == MARCH


def test_a_change_of_status_is_movement() -> None:
    moved = observe(KNOWN, item(status="Review"), APRIL, progress=False)
    assert moved.transition is not None
    assert (moved.transition.from_status, moved.transition.to_status, moved.since) == ("Doing", "Review", APRIL)


def test_a_start_that_the_tool_calls_exact_goes_before_what_was_observed() -> None:
    found = observe(KNOWN, item(status="Done", since=MARCH, exact=True), MAY, progress=True)
    assert (found.since, found.since_is) == (MARCH, Certainty.EXACT)
    assert found.transition is not None


def test_an_older_export_turns_no_clock_back() -> None:
    known = Known("Doing", DOING, 40, MAY, Certainty.AT_LEAST)
    assert observe(known, item(percent=60), APRIL, progress=True).since == MAY


# Earlier states, read at once

Step = tuple[object, ...]


def pulled_one_by_one(states: Sequence[WorkItem]) -> tuple[Known | None, set[Step]]:
    """What the store holds after a run a month: the item's movement, and its transitions as the store tells them."""
    known, steps = None, set()
    for month, state in enumerate(states, 1):
        found = observe(known, state, datetime(2026, month, 28, tzinfo=UTC), progress=True)
        known = held(state, found)
        steps |= {step(found.transition)} if found.transition else set()
    return known, steps


def held(state: WorkItem, found: Observed) -> Known:
    return Known(state.status, state.status_category, state.percent_complete, found.since, found.since_is)


def step(transition: Transition) -> Step:
    """What makes a transition one that the store keeps once."""
    return transition.at, transition.to_status, transition.percent_complete


a_state = st.builds(
    item,
    percent=st.sampled_from([0, 20, 40]),
    status=st.sampled_from(["Doing", "Review"]),
    since=st.none() | st.just(datetime(2025, 12, 1, tzinfo=UTC)),
)


@given(st.lists(a_state, min_size=1, max_size=7), st.integers(0, 6))
def test_exports_of_many_months_read_at_once_tell_what_a_run_a_month_would_have(
    states: list[WorkItem], pulled: int
) -> None:
    """`pulled` of them were; the last of these is read again, as where the others go on from."""
    pulled = min(pulled, len(states) - 1)
    known, steps = pulled_one_by_one(states[:pulled])
    earlier = Earlier(progress=True)
    for month in range(max(pulled, 1), len(states)):
        earlier.take([states[month - 1]], datetime(2026, month, 28, tzinfo=UTC))
    found, new = earlier.observe(known, states[-1], datetime(2026, len(states), 28, tzinfo=UTC))
    assert (held(states[-1], found), steps | {step(each) for each in new}) == pulled_one_by_one(states)


@given(st.lists(a_state, min_size=2, max_size=7))
def test_exports_that_are_found_later_add_what_moved_and_turn_no_clock_back(states: list[WorkItem]) -> None:
    """The newest was pulled first, and the older ones after it."""
    known, _ = pulled_one_by_one(states[-1:])
    assert known is not None
    assert known.since is not None
    earlier = Earlier(progress=True)
    for month, state in enumerate(states[:-1], 1):
        earlier.take([state], datetime(2026, month, 28, tzinfo=UTC))
    found, new = earlier.observe(known, states[-1], datetime(2026, len(states), 28, tzinfo=UTC))
    _, all_steps = pulled_one_by_one(states)
    assert {step(each) for each in new} == all_steps
    assert found.since == max([known.since, *(each.at for each in new)])


def test_an_item_of_which_only_the_past_knows_has_no_present() -> None:
    earlier = Earlier(progress=True)
    earlier.take([item(), item(percent=60)], MARCH)
    assert earlier.moved("1")
    assert not earlier.moved("2")
