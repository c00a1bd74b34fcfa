"""The clock of "stuck": what a changelog proves, in every form in which Jira gives one."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.jira.history import (
    LastMoves,
    Move,
    Statuses,
    at_one_stroke,
    first_underway,
    parse_moves,
    stay,
    transitions,
)
from connectors.model import Certainty, ItemRef, StatusCategory

MADE = datetime(2026, 1, 5, 9, tzinfo=UTC)
NAMES = {"1": "To Do", "2": "In Progress", "3": "Done", "4": "In Review"}
CATEGORIES = {
    "1": StatusCategory.TODO,
    "2": StatusCategory.IN_PROGRESS,
    "3": StatusCategory.DONE,
    "4": StatusCategory.IN_PROGRESS,
}
STATUSES = Statuses(NAMES, CATEGORIES, {})
REF = ItemRef("delivery", "10001")


def on(day: int) -> datetime:
    return MADE + timedelta(days=day)


def item(before: str, after: str, **more: Any) -> dict[str, Any]:
    names = {"fromString": NAMES.get(before, before), "toString": NAMES.get(after, after)}
    return {"field": "status", "fieldId": "status", "from": before, "to": after, **names, **more}


def entry(day: int, *items: dict[str, Any], **more: Any) -> dict[str, Any]:
    created = int(on(day).timestamp() * 1000)
    return {"id": str(100 + day), "author": {"accountId": "ada"}, "created": created, "items": [*items], **more}


WORKFLOW = {"field": "Workflow", "fieldtype": "jira", "from": "1", "fromString": "Old", "to": "2", "toString": "New"}
LABELS = {"field": "labels", "fieldId": "labels", "from": "", "to": "", "fromString": "", "toString": "pmo-stuck"}


def since(status: str, *histories: dict[str, Any], clock: Any = "last") -> datetime | None:
    return stay(MADE, (status, NAMES[status]), parse_moves(histories), clock)[0]


def test_who_never_moved_is_there_since_it_was_made() -> None:
    assert stay(MADE, ("1", "To Do"), [], "last") == (MADE, Certainty.EXACT)
    assert stay(None, ("1", "To Do"), [], "last") == (None, Certainty.AT_LEAST)


def test_the_last_entry_counts_or_the_first() -> None:
    histories = [entry(1, item("1", "2")), entry(5, item("2", "1")), entry(9, item("1", "2"))]
    assert since("2", *histories) == on(9)
    assert since("2", *histories, clock="first") == on(1)


def test_the_first_entry_of_the_status_it_was_made_in_is_its_making() -> None:
    histories = [entry(1, item("1", "2")), entry(5, item("2", "1"))]
    assert since("1", *histories) == on(5)
    assert since("1", *histories, clock="first") == MADE


@pytest.mark.parametrize("form", ["ms", "s", "text"])
def test_times_come_in_three_forms(form: str) -> None:
    at = on(3)
    created = {"ms": int(at.timestamp() * 1000), "s": int(at.timestamp()), "text": "2026-01-08T17:00:00.000+0800"}[form]
    assert since("2", entry(3, item("1", "2"), created=created)) == at


def test_a_migration_is_no_movement() -> None:
    """An administrator's exchange of the workflow shows as both in one entry."""
    histories = [entry(1, item("1", "2")), entry(9, item("2", "4"), WORKFLOW)]
    assert since("4", *histories) == on(1)
    assert since("4", *histories, clock="first") == on(1)
    assert since("4", entry(9, item("1", "4"), WORKFLOW)) == MADE
    assert since("3", *histories, entry(12, item("4", "3"))) == on(12)


def test_our_own_label_is_no_movement() -> None:
    histories = [entry(1, item("1", "2")), entry(9, LABELS)]
    assert since("2", *histories) == on(1)


def test_a_history_that_leads_elsewhere_proves_nothing() -> None:
    assert stay(MADE, ("3", "Done"), parse_moves([entry(1, item("1", "2"))]), "last") == (None, Certainty.AT_LEAST)


def test_moves_without_ids_go_by_name() -> None:
    nameless = [
        entry(1, item("1", "2", **{"from": None, "to": None})),
        entry(2, item("2", "1")),
        entry(3, item("1", "2")),
    ]
    assert since("2", *nameless) == on(3)
    assert since("2", *nameless, clock="first") == on(1)
    assert since("2", nameless[0]) == on(1)


def test_a_renamed_status_is_the_same() -> None:
    moved = entry(1, item("1", "2", toString="In Development"))
    assert since("2", moved) == on(1)
    (found,) = transitions(REF, parse_moves([moved]), STATUSES)
    assert (found.to_status, found.to_category) == ("In Progress", StatusCategory.IN_PROGRESS)


def test_a_status_that_is_no_more_keeps_its_name() -> None:
    (found,) = transitions(REF, parse_moves([entry(1, item("1", "77", toString="Parked"))]), STATUSES)
    assert (found.from_status, found.to_status, found.to_category) == ("To Do", "Parked", None)


def test_config_decides_a_category_first() -> None:
    chosen = Statuses(NAMES, CATEGORIES, {"In Review": StatusCategory.DONE, "1": StatusCategory.IN_PROGRESS})
    (found,) = transitions(REF, parse_moves([entry(1, item("1", "4"))]), chosen)
    assert (found.from_category, found.to_category) == (StatusCategory.IN_PROGRESS, StatusCategory.DONE)


def test_work_started_when_it_first_was_in_progress() -> None:
    there = transitions(REF, parse_moves([entry(1, item("1", "3")), entry(2, item("3", "2"))]), STATUSES)
    assert first_underway(there, MADE, StatusCategory.IN_PROGRESS) == on(2)
    from_there = transitions(REF, parse_moves([entry(1, item("2", "3"))]), STATUSES)
    assert first_underway(from_there, MADE, StatusCategory.DONE) == MADE
    assert first_underway([], MADE, StatusCategory.IN_PROGRESS) == MADE
    assert first_underway([], MADE, StatusCategory.TODO) is None


@pytest.mark.parametrize(
    "broken",
    [
        {"id": "1", "items": [item("1", "2")]},
        {"id": "1", "created": None, "items": [item("1", "2")]},
        {"id": "x", "created": 1, "items": [item("1", "2")]},
        {"id": "1", "created": "yesterday", "items": [item("1", "2")]},
        {"id": "1", "created": 1},
    ],
)
def test_a_history_that_is_none_is_no_answer(broken: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        parse_moves([broken])


def move(who: str, seconds: float) -> Move:
    return Move(MADE + timedelta(seconds=seconds), 1, who, ("1", "To Do"), ("2", "In Progress"))


def test_what_one_person_moved_within_a_minute_is_looked_at() -> None:
    moves = {"a": [move("admin", 0)], "b": [move("admin", 59)], "c": [move("ada", 30)], "d": [move("admin", 200)]}
    assert at_one_stroke(moves) == {"a", "b"}
    assert at_one_stroke({"a": [move("ada", 0), move("ada", 5)], "b": None}) == set()


MOVED = st.tuples(st.sampled_from(["admin", "ada"]), st.integers(0, 600))


@given(st.lists(st.tuples(MOVED, st.booleans()), max_size=12))
def test_issues_that_are_read_apart_are_seen_together(issues: list[tuple[tuple[str, int], bool]]) -> None:
    last, everything = LastMoves(), {str(number): [move("ada", -900), move(*one)] for number, (one, _) in
                                     enumerate(issues)}  # fmt: skip
    looked_at = {str(number) for number, (_, looked) in enumerate(issues) if looked}
    for issue, found in everything.items():
        last.add({issue: found, "98": None, "99": []}, looked_at)
    together = at_one_stroke({issue: found[1:] for issue, found in everything.items()})
    assert last.overlooked() == sorted(map(int, together - looked_at))


WALKS = st.lists(st.tuples(st.integers(1, 1000), st.sampled_from("1234"), st.booleans()), max_size=12)


@given(WALKS, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_the_clock_only_goes_on_at_moves(
    walk: list[tuple[int, str, bool]], chance: random.Random
) -> None:
    """Against a reading of one move after another; histories come in any order, Cloud's newest first."""
    here, day, since_last, first = "1", 0, MADE, {"1": MADE}
    histories = []
    for wait, there, migrated in walk:
        day += wait
        histories.append(entry(day, item(here, there), *([WORKFLOW] if migrated else [])))
        here = there
        since_last = since_last if migrated else on(day)
        first.setdefault(here, since_last)
    chance.shuffle(histories)
    assert since(here, *histories) == since_last
    assert since(here, *histories, clock="first") == first[here]


@pytest.mark.parametrize("name", ["devlake", "jirametrics"])
def test_recorded_histories_lead_to_the_present_status(samples: Path, name: str) -> None:
    issues = json.loads((samples / "jira" / f"{name}_issues_with_changelog_cloud.json").read_text("utf-8"))
    for issue in issues:
        status, created = issue["fields"]["status"], datetime.fromisoformat(issue["fields"]["created"])
        moves = parse_moves(issue["changelog"]["histories"])
        found, certainty = stay(created, (status["id"], status["name"]), moves, "last")
        assert certainty is Certainty.EXACT, issue["key"]
        assert found is not None
        assert found >= created


def test_a_recorded_migration_of_a_whole_site_restarts_no_clock(samples: Path) -> None:
    """On 2021-03-28 an administrator gave 30 of these 33 issues another workflow, in 26 seconds."""
    issues = json.loads((samples / "jira" / "devlake_issues_with_changelog_cloud.json").read_text("utf-8"))
    found = []
    for issue in issues:
        status, created = issue["fields"]["status"], datetime.fromisoformat(issue["fields"]["created"])
        moves = parse_moves(issue["changelog"]["histories"])
        found.append(stay(created, (status["id"], status["name"]), moves, "last")[0])
    restarted = [one for one in found if one and one.date().isoformat() == "2021-03-28"]
    assert not restarted
