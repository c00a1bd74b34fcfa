"""The clock of "stuck" where a tool keeps no history."""

from __future__ import annotations

from datetime import UTC, datetime

from connectors.model import Certainty, ItemRef, StatusCategory, WorkItem
from sync.history import Known, observe

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
