"""Rules whose labels people take off: counted, paused, told, and let go on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sync.town import CONFIG, RULES, Town

# All that has no sponsor is labelled at once here, which no brake is to mind.
UNBRAKED = "brakes.share = 1.0\n" + CONFIG
CLOSER = RULES.replace('status_category = "not done"', 'status_category = "in progress"')


@pytest.fixture
def unwanted(town: Town) -> Town:
    """Nine items labelled; people take the label off six of them, and a tenth item turns up."""
    town.write_config(UNBRAKED)
    for number in range(1, 10):
        town.add(number, sponsor="")
    apply(town)
    for number in range(1, 7):
        town.unlabel(number, "pmo-no-sponsor")
    town.add(10, sponsor="")
    return town


def apply(town: Town) -> Any:
    said = town.unstuck("run", "--apply", "--json")
    assert said.code == 0, said.err
    return said.json


def test_a_rule_that_people_do_not_want_puts_nothing_more_on(unwanted: Town) -> None:
    told = apply(unwanted)
    why = "people took off 6 of the 9 labels that it had on in 90 days"
    assert told["paused"] == [{"rule": "no-sponsor", "since": "2026-03-20T12:00:00Z", "why": why}]
    assert told["held"]["paused"] == 1
    assert unwanted.labels(10) == []
    assert unwanted.labels(7) == ["pmo-no-sponsor"]  # what is on stays on
    unwanted.edit(7, sponsor="Ada")
    assert apply(unwanted)["written"]["removed"] == 1  # as long as there is a cause


def test_a_pause_is_told_when_it_begins_and_shown_from_then_on(unwanted: Town) -> None:
    assert "unstuck rules resume no-sponsor" in unwanted.unstuck("run", "--apply").err
    assert unwanted.unstuck("run", "--apply").err == ""  # cron mails once
    assert 'Rule "no-sponsor" is paused' in unwanted.unstuck("plan").err
    said = unwanted.unstuck("status").out
    assert "Rule no-sponsor is paused; `unstuck rules resume no-sponsor` lets it go on." in said
    assert "Held back in the last run: 6 veto, 1 paused." in said
    assert 'pmo-no-sponsor: rule "no-sponsor" is paused' in unwanted.unstuck("explain", "APP-10").out
    [row] = unwanted.unstuck("status", "--format", "json").json["objections"]
    assert row == {
        "rule": "no-sponsor",
        "labels": 3,
        "vetoes": 6,
        "taken_off": 6,
        "paused_since": "2026-03-20T12:00:00Z",
    }


def test_an_operator_lets_it_go_on(unwanted: Town) -> None:
    apply(unwanted)
    assert unwanted.unstuck("rules", "resume", "no-sponsor").code == 0
    assert apply(unwanted)["paused"] == []
    assert unwanted.labels(10) == ["pmo-no-sponsor"]
    assert unwanted.labels(1) == []  # a person's removal still wins
    said = unwanted.unstuck("rules", "resume", "no-sponsor")
    assert said.code == 2
    assert "is not paused" in said.err
    assert 'did you mean "no-sponsor"' in unwanted.unstuck("rules", "resume", "no-sponser").err


@pytest.mark.parametrize(("rules", "labels"), [(CLOSER, ["pmo-no-sponsor"]), (RULES.replace("Nobody", "None"), [])])
def test_a_changed_rule_goes_on_and_a_reworded_one_does_not(unwanted: Town, rules: str, labels: list[str]) -> None:
    apply(unwanted)
    unwanted.write_rules(rules)
    apply(unwanted)
    assert unwanted.labels(10) == labels


@pytest.mark.parametrize("terms", ["labels.pause_share = 0.7\n", "labels.pause_least = 7\n"])
def test_both_the_share_and_the_number_count(unwanted: Town, terms: str) -> None:
    unwanted.write_config(terms + UNBRAKED)
    assert apply(unwanted)["paused"] == []
    assert unwanted.labels(10) == ["pmo-no-sponsor"]


def test_labels_that_came_off_by_themselves_speak_for_a_rule(town: Town) -> None:
    town.write_config(UNBRAKED)
    for number in range(1, 31):
        town.add(number, sponsor="")
    apply(town)
    for number in range(10, 31):
        town.edit(number, sponsor="Ada")
    apply(town)
    for number in range(1, 7):
        town.unlabel(number, "pmo-no-sponsor")
    assert apply(town)["paused"] == []  # 6 of 30


def test_what_people_did_long_ago_does_not_count(town: Town) -> None:
    town.write_config(UNBRAKED)
    town.write_rules(RULES[: RULES.index("[[rule]]\nid   =")])
    for number in range(1, 13):
        town.add(number, sponsor="")
    apply(town)
    for number in range(1, 4):
        town.unlabel(number, "pmo-no-sponsor")
    apply(town)
    town.now = "2026-06-20T12:00:00"
    town.unstuck("run")
    for number in range(4, 7):
        town.unlabel(number, "pmo-no-sponsor")
    assert apply(town)["paused"] == []


def test_a_ladder_that_is_paused_keeps_its_step(town: Town) -> None:
    town.write_config("labels.pause_least = 1\n" + UNBRAKED)
    for number in (1, 2):
        town.add(number, status_since="2026-03-02T09:00:00+00:00")
    apply(town)
    town.unlabel(1, "pmo-stuck-10d")
    apply(town)
    town.now = "2026-04-01T12:00:00"
    assert apply(town)["written"]["items"] == 0
    assert town.labels(2) == ["pmo-stuck-10d"]
    town.edit(2, status="Done", status_category="done")
    apply(town)
    assert town.labels(2) == []
