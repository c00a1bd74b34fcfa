"""A label that goes on and off again and again is left as it is until it was quiet."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.model import ItemRef
from sync import flapping
from sync.config import Flapping
from sync.flapping import Flap
from sync.plan import ItemState, Plan, Reason, plan_labels
from tests.sync.test_plan import states
from tests.sync.town import CONFIG, RULES, Town

TERMS = Flapping(times=2, days=10)
ONE_RULE = RULES[: RULES.index("[[rule]]\nid   =")]


@pytest.fixture
def restless(town: Town) -> Town:
    """On four days, the label of item 1 went on, off, on and off; now it would go on again."""
    town.write_config("[labels]\nflapping_times = 2\nflapping_days = 10\n" + CONFIG)
    town.write_rules(ONE_RULE)
    town.add(1)
    town.add(2)
    for day in range(1, 5):
        turn(town, day, sponsor="" if day % 2 else "Ada")
    assert [write["add"] for write in town.writes] == [["pmo-no-sponsor"], []] * 2
    town.now = "2026-03-05T12:00:00"
    town.edit(1, sponsor="")
    return town


def turn(town: Town, day: int, sponsor: str) -> str:
    """A person gives item 1 a sponsor, or takes it away; then comes the day's run. What it said."""
    town.now = f"2026-03-{day:02}T12:00:00"
    town.edit(1, sponsor=sponsor)
    said = town.unstuck("run", "--apply")
    assert said.code == 0, said.err
    return said.err


def test_a_label_that_flaps_is_left_as_it_is(restless: Town) -> None:
    before = restless.writes
    restless.edit(2, sponsor="")
    said = restless.unstuck("run", "--apply")
    assert said.code == 0
    assert "tool: APP-1: pmo-no-sponsor went on and off 2 times in 10 days, and is left as it is" in said.err
    assert [write["item"] for write in restless.writes[len(before) :]] == ["2"]  # the others go on as ever
    assert restless.unstuck("run", "--apply").err == ""  # it is said once
    [held] = restless.unstuck("plan", "--format", "json").json["held"]
    assert held == {
        "source": "tool",
        "key": "APP-1",
        "label": "pmo-no-sponsor",
        "why": "it went on and off 2 times in 10 days; left as it is until 15 Mar 2026",
        "kind": "flapping",
    }
    assert "pmo-no-sponsor: goes on and off; left as it is since 2026-03-05" in restless.unstuck("explain", "APP-1").out


def test_it_is_let_go_when_it_was_quiet(restless: Town) -> None:
    turn(restless, 5, "")
    assert restless.labels(1) == []
    turn(restless, 14, "")
    assert restless.labels(1) == []
    turn(restless, 15, "")
    assert restless.labels(1) == ["pmo-no-sponsor"]


def test_it_is_not_let_go_while_it_still_turns(restless: Town) -> None:
    before = restless.writes
    for day in range(5, 18):
        turn(restless, day, "" if day % 2 else "Ada")
    assert restless.writes == before
    turn(restless, 18, "")  # quiet since the 17th
    turn(restless, 26, "")
    assert restless.writes == before
    turn(restless, 27, "")
    assert restless.labels(1) == ["pmo-no-sponsor"]


def test_it_is_left_on_where_it_is_on(restless: Town) -> None:
    restless.write_config("[labels]\nflapping_times = 3\nflapping_days = 4\n" + CONFIG)
    turn(restless, 5, "")  # the first write is four days old, and counts no more
    restless.write_config("[labels]\nflapping_times = 2\nflapping_days = 4\n" + CONFIG)
    said = turn(restless, 5, "Ada")
    assert "went on and off" in said
    assert restless.labels(1) == ["pmo-no-sponsor"]


def test_what_people_do_to_a_label_is_no_flapping(town: Town) -> None:
    town.write_config("[labels]\nflapping_times = 1\nveto_days = 0\n" + CONFIG)
    town.add(1, sponsor="")
    town.unstuck("run", "--apply")
    for _ in range(3):
        town.unlabel(1, "pmo-no-sponsor")
        town.unstuck("run", "--apply")
        town.label(1, "pmo-no-sponsor")
        town.unstuck("run", "--apply")
    assert town.unstuck("plan", "--format", "json").json["held"] == []


# Holding is pure

WHEN = Flap(date(2026, 3, 15), is_new=True)
FLAPS = st.dictionaries(st.tuples(st.integers(0, 3), st.sampled_from(["pmo-a", "pmo-b", "pmo-c"])), st.just(WHEN))


def labels(plan: Plan) -> set[tuple[int, str]]:
    return {(change.item_id, label) for change in plan.changes for label in (*change.add, *change.remove)}


@given(states(), FLAPS)
def test_what_flaps_is_held_and_nothing_is_lost(found: list[ItemState], flaps: dict[tuple[int, str], Flap]) -> None:
    whole = plan_labels(found, len(found))
    plan = flapping.hold(whole, flaps, TERMS)
    assert not labels(plan) & set(flaps)
    assert labels(plan) <= labels(whole)
    held = {(int(each.ref.native_id), each.label) for each in plan.held if each not in whole.held}
    assert held | labels(plan) == labels(whole)
    assert not held & labels(plan)
    assert set(whole.held) <= set(plan.held)
    assert all(change.add or change.remove for change in plan.changes)
    assert all(set(change.reasons) == {*change.add, *change.remove} for change in plan.changes)


@given(states())
def test_where_nothing_flaps_the_plan_stays(found: list[ItemState]) -> None:
    plan = plan_labels(found, len(found))
    assert flapping.hold(plan, {}, TERMS) == plan


def on_a_ladder(rule: str) -> Plan:
    """An item that moves from one step to the next, and has the label of another rule to lose."""
    state = ItemState(
        item_id=1, ref=ItemRef("tool", "1"), key="APP-1", title="", collection="B1",
        present=frozenset({"pmo-10d", "pmo-other"}),
        desired={"pmo-20d": (Reason("stuck", "In it for 21 days"),)},
        ours={"pmo-10d": Reason(rule, "In it for 11 days"), "pmo-other": Reason("other", "Other")},
    )  # fmt: skip
    return plan_labels([state], 1)


@pytest.mark.parametrize("flaps", ["pmo-10d", "pmo-20d"])
def test_a_ladder_keeps_one_label(flaps: str) -> None:
    plan = flapping.hold(on_a_ladder("stuck"), {(1, flaps): WHEN}, TERMS)
    assert labels(plan) == {(1, "pmo-other")}
    assert {held.label for held in plan.held} == {"pmo-10d", "pmo-20d"}


def test_another_rules_label_takes_nobodys_place() -> None:
    plan = flapping.hold(on_a_ladder("old"), {(1, "pmo-10d"): WHEN}, TERMS)
    assert labels(plan) == {(1, "pmo-20d"), (1, "pmo-other")}
