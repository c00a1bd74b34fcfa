"""How a rule's labels come into the tools: seen first, some a run, one collection first, so many a person a week."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from sync.store import open_store
from tests.sync.town import CONFIG, LONG_AGO, RULES, Town

SEEN_FIRST = RULES.replace('rollout = "now"\n', "")
WEEKLY = "labels.per_person_per_week = 2\n" + CONFIG


def slowly(rollout: str) -> str:
    return RULES.replace('"now"', rollout)


def apply(town: Town, *more: str) -> Any:
    said = town.unstuck("run", "--apply", "--json", *more)
    assert said.code == 0, said.err
    return said.json


def labelled(town: Town) -> set[str]:
    return {item["key"] for item in town.world["items"] if any(label.startswith("pmo-") for label in item["labels"])}


# Seen first


def test_a_new_rule_is_seen_in_one_run_before_it_writes(town: Town) -> None:
    town.write_rules(SEEN_FIRST)
    town.add(1, sponsor="")
    said = town.unstuck("run", "--apply")
    assert said.code == 0
    assert "pmo-no-sponsor  APP-1  held back: rule" in said.out  # also under cron, or nobody would see it
    assert town.writes == []
    assert [found["key"] for found in town.unstuck("findings", "--format", "json").json] == ["APP-1"]
    assert apply(town)["held"]["seen first"] == 0
    assert town.labels(1) == ["pmo-no-sponsor"]


def test_what_is_seen_first_is_listed(town: Town) -> None:
    town.write_rules(SEEN_FIRST)
    town.add(1, sponsor="")
    assert apply(town)["held"]["seen first"] == 1


def test_a_run_that_only_plans_shows_what_the_next_one_writes_and_counts(town: Town) -> None:
    town.write_rules(SEEN_FIRST)
    town.add(1, sponsor="")
    assert town.plan() == {"APP-1": ["+pmo-no-sponsor"]}
    apply(town)
    assert town.labels(1) == ["pmo-no-sponsor"]


def test_a_saved_plan_of_a_fresh_store_can_be_applied(town: Town) -> None:
    town.write_rules(SEEN_FIRST)
    town.add(1, sponsor="")
    town.unstuck("plan", "-o", "plan.csv")
    assert town.unstuck("apply", "plan.csv", "--all").code == 0
    assert town.labels(1) == ["pmo-no-sponsor"]


@pytest.mark.parametrize(
    ("old", "new"),
    [('sponsor         = "missing"', 'sponsor         = "contains Ada"'), ('"pmo-no-sponsor"', '"pmo-other"')],
    ids=["condition", "label"],
)
def test_a_changed_rule_neither_adds_nor_removes_at_first(town: Town, old: str, new: str) -> None:
    town.write_rules(SEEN_FIRST)
    town.add(1, sponsor="")
    town.add(2)
    town.unstuck("run")
    apply(town)
    written = town.writes
    town.write_rules(SEEN_FIRST.replace(old, new))
    assert apply(town)["held"]["seen first"] >= 2
    assert town.writes == written
    assert town.labels(1) == ["pmo-no-sponsor"]
    apply(town)
    assert town.labels(1) == ([] if "Ada" in new else ["pmo-other"])
    assert town.labels(2) == (["pmo-no-sponsor"] if "Ada" in new else [])


def test_other_wording_is_not_another_rule(town: Town) -> None:
    town.write_rules(SEEN_FIRST)
    town.add(1, sponsor="")
    town.unstuck("run")
    town.write_rules("# a comment\n" + SEEN_FIRST.replace("Nobody sponsors it", "No sponsor"))
    apply(town)
    assert town.labels(1) == ["pmo-no-sponsor"]


def test_a_label_of_a_deleted_rule_goes_at_once_and_the_rule_is_new_when_it_comes_back(town: Town) -> None:
    town.write_rules(SEEN_FIRST)
    town.add(1, sponsor="")
    town.unstuck("run")
    apply(town)
    town.write_rules(SEEN_FIRST[SEEN_FIRST.index("[[rule]]\nid   =") :])
    apply(town)
    assert town.labels(1) == []
    town.write_rules(SEEN_FIRST)
    apply(town)
    assert town.labels(1) == []
    apply(town)
    assert town.labels(1) == ["pmo-no-sponsor"]


def test_a_source_that_did_not_answer_has_seen_nothing(town: Town) -> None:
    town.write_rules(SEEN_FIRST)
    town.add(1, sponsor="")
    town.world = {**town.world, "outage": {"pages": 0}}
    assert town.unstuck("run", "--apply").code == 1
    town.world = {**town.world, "outage": {}}
    apply(town)
    assert town.writes == []
    apply(town)
    assert town.labels(1) == ["pmo-no-sponsor"]


def test_a_run_of_one_source_has_seen_nothing_in_another(town: Town) -> None:
    town.write_config(CONFIG + '[sources.other]\nsystem = "memory"\nworld = "other.json"\n')
    town.write_rules(SEEN_FIRST)
    town.add(1, sponsor="")
    (town.folder / "other.json").write_text(town.world_file.read_text())
    apply(town, "--source", "tool")
    apply(town)
    assert town.labels(1) == ["pmo-no-sponsor"]
    assert "pmo-no-sponsor" not in (town.folder / "other.json").read_text()
    apply(town)
    assert "pmo-no-sponsor" in (town.folder / "other.json").read_text()


def test_an_older_store_is_not_held_up(town: Town) -> None:
    town.add(1, sponsor="")
    apply(town)
    town.write_rules(SEEN_FIRST)
    town.add(2, sponsor="")
    with sqlite3.connect(town.folder / "unstuck.db") as old:
        for table in ("rule_seen", "veto_noticed", "rule_pause"):
            old.execute(f"DROP TABLE {table}")
        old.execute("DROP INDEX journal_of_item")
        old.execute("DELETE FROM _sqlite_migrations WHERE name LIKE 'm009%'")
    old.close()
    apply(town)
    assert town.labels(2) == ["pmo-no-sponsor"]
    town.write_rules(SEEN_FIRST.replace('sponsor         = "missing"', 'sponsor         = "contains Ada"'))
    apply(town)
    assert town.labels(1) == ["pmo-no-sponsor"]  # from now on, a change is noticed


def test_a_brake_that_was_lifted_does_not_meet_an_unseen_rule_again(town: Town) -> None:
    """What the first run says to do must work: look, then lift the brake."""
    town.write_rules(SEEN_FIRST)
    for number in range(1, 21):
        town.add(number, sponsor="" if number <= 7 else "Ada")
    assert "share" in town.unstuck("run").err
    apply(town, "--force", "share")
    assert len(town.writes) == 7


# Some a run, one collection first


def test_so_many_a_run_the_oldest_findings_first(town: Town) -> None:
    town.write_rules(slowly("{ per_run = 2 }"))
    town.add(9, sponsor="")
    town.unstuck("run")
    town.now = "2026-03-21T12:00:00"
    for number in (1, 2, 3):
        town.add(number, sponsor="")
    assert 'held back: rule "no-sponsor" labels 2 more a run' in town.unstuck("plan").out
    assert apply(town)["held"]["rollout"] == 2
    assert labelled(town) == {"APP-9", "APP-1"}
    apply(town)
    assert labelled(town) == {"APP-9", "APP-1", "APP-2", "APP-3"}


def test_what_waits_for_its_turn_comes_off_without_waiting(town: Town) -> None:
    town.write_rules(slowly("{ per_run = 1 }"))
    for number in (1, 2):
        town.add(number, sponsor="")
    town.unstuck("run")
    for _ in range(2):
        apply(town)
    for number in (1, 2):
        town.edit(number, sponsor="Ada")
    apply(town)
    assert labelled(town) == set()


def test_a_ladders_next_step_does_not_wait(town: Town) -> None:
    town.write_rules(slowly("{ per_run = 1 }"))
    for number in (1, 2):
        town.add(number, status_since=LONG_AGO)
    town.unstuck("run")
    for _ in range(2):
        apply(town)
    town.now = "2026-04-15T12:00:00"
    apply(town)
    assert town.labels(1) == town.labels(2) == ["pmo-stuck-20d"]


@pytest.mark.parametrize("named", ["Second", "B2"])
def test_one_collection_first(town: Town, named: str) -> None:
    town.write_rules(slowly(f'{{ first = "{named}" }}'))
    world = town.world
    world["collections"].append({"native_id": "B2", "name": "Second"})
    town.world = world
    town.add(1, sponsor="")
    town.add(2, sponsor="", collection="B2")
    town.unstuck("run")
    for _ in range(2):
        assert apply(town)["held"]["rollout"] == 1
        assert labelled(town) == {"APP-2"}
    assert "labels " + named + " first" in town.unstuck("plan").out
    town.write_rules(RULES)
    apply(town)
    assert labelled(town) == {"APP-1", "APP-2"}


def test_a_collection_that_is_not_there_is_told(town: Town) -> None:
    town.write_rules(slowly('{ first = "Delivrey" }'))
    town.add(1, sponsor="")
    said = town.unstuck("run")
    assert 'rollout.first names "Delivrey"' in said.err


# So many a person a week


def test_a_person_gets_so_many_labels_a_week_the_oldest_findings_first(town: Town) -> None:
    town.write_config(WEEKLY)
    town.write_rules(RULES)
    town.add(1, owner="Bea", sponsor="", status_since=LONG_AGO)
    town.unstuck("run")
    town.now = "2026-03-21T12:00:00"
    for number, owner in ((2, "Bea"), (3, "Cem"), (4, " bea")):
        town.add(number, owner=owner, sponsor="")
    told = apply(town)
    assert labelled(town) == {"APP-1", "APP-3"}
    assert len(town.labels(1)) == 2
    assert told["held"]["budget"] == 2
    assert "Bea has got 2 labels in seven days" in town.unstuck("plan").out
    town.now = "2026-03-28T11:59:00"
    apply(town)
    assert labelled(town) == {"APP-1", "APP-3"}
    town.now = "2026-03-28T12:00:00"
    apply(town)
    assert labelled(town) == {"APP-1", "APP-2", "APP-3", "APP-4"}


def test_whose_it_is_without_an_owner(town: Town) -> None:
    town.write_config(WEEKLY)
    for number in (1, 2, 3):
        town.add(number, assignees=["Bea", f"Other {number}"], sponsor="")
    for number in (4, 5, 6):
        town.add(number, sponsor="")  # nobody's: nobody is bothered
    apply(town)
    assert labelled(town) == {"APP-1", "APP-2", "APP-4", "APP-5", "APP-6"}


def test_a_removal_and_a_next_step_never_wait_for_a_budget(town: Town) -> None:
    town.write_config(WEEKLY)
    for number in (1, 2):
        town.add(number, owner="Bea", status_since=LONG_AGO)
    apply(town)
    town.now = "2026-03-27T12:00:00"
    town.edit(1, status="Done", status_category="done")
    town.edit(2, status_since="2026-02-02T09:00:00+00:00")
    apply(town)
    assert town.labels(1) == []
    assert town.labels(2) == ["pmo-stuck-20d"]
    town.add(3, owner="Bea", sponsor="")
    town.add(4, owner="Bea", sponsor="")
    town.now = "2026-03-27T13:00:00"  # the first two are a week old now, and the step in between counts for nothing
    apply(town)
    assert labelled(town) == {"APP-2", "APP-3", "APP-4"}


def test_a_store_keeps_when_a_rule_was_seen(town: Town) -> None:
    town.write_rules(SEEN_FIRST)
    town.add(1)
    town.unstuck("run")
    with open_store(town.folder / "unstuck.db") as store:
        seen = store.rows("SELECT rule, source, seen_at FROM rule_seen ORDER BY rule")
    assert [(row["rule"], row["source"]) for row in seen] == [("no-sponsor", "tool"), ("stuck", "tool")]
    assert {row["seen_at"] for row in seen} == {"2026-03-20T12:00:00Z"}
