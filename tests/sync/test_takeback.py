"""Undo and retire: what we wrote goes, and nothing else."""

from __future__ import annotations

import pytest

from tests.sync.town import CONFIG, LONG_AGO, Town

OTHER = """
[sources.other]
system = "memory"
world  = "world.json"
"""


@pytest.fixture
def labelled(town: Town) -> Town:
    """Run 1 put a label on each of three items; one carries a label of a person beside it."""
    town.add(1, sponsor="")
    town.add(2, sponsor="", labels=["pmo-hand-made", "urgent"])
    town.add(3, status_since=LONG_AGO)
    assert town.unstuck("run", "--apply").code == 0
    assert [town.labels(number) for number in (1, 2, 3)] == [
        ["pmo-no-sponsor"],
        ["pmo-hand-made", "urgent", "pmo-no-sponsor"],
        ["pmo-stuck-10d"],
    ]
    return town


def test_undo_plans_first(labelled: Town) -> None:
    said = labelled.unstuck("undo", "1")
    assert said.code == 0
    assert "- pmo-no-sponsor  APP-1" in said.out
    assert "taken back: run 1" in said.out
    assert "unstuck undo 1 --apply" in said.out
    assert len(labelled.writes) == 3


def test_undo_takes_back_what_one_run_wrote_and_it_stays_off(labelled: Town) -> None:
    labelled.add(4, sponsor="")
    assert labelled.unstuck("run", "--apply").code == 0
    assert labelled.unstuck("undo", "1", "--apply").code == 0
    assert [labelled.labels(number) for number in (1, 2, 3, 4)] == [
        [],
        ["pmo-hand-made", "urgent"],
        [],
        ["pmo-no-sponsor"],
    ]
    assert labelled.plan() == {}
    assert "taken back with `unstuck undo`" in labelled.unstuck("explain", "APP-1").out


def test_what_was_undone_comes_back_when_the_status_changes(labelled: Town) -> None:
    labelled.unstuck("undo", "1", "--apply")
    labelled.edit(1, status="Review")
    assert labelled.plan() == {"APP-1": ["+pmo-no-sponsor"]}


def test_undo_puts_back_what_the_run_took_off(labelled: Town) -> None:
    labelled.edit(1, sponsor="Ada")
    assert labelled.unstuck("run", "--apply").code == 0
    assert labelled.labels(1) == []
    said = labelled.unstuck("undo", "2", "--apply")
    assert said.code == 0
    assert labelled.labels(1) == ["pmo-no-sponsor"]
    assert "Mend the rules before the next run" in said.out
    assert labelled.plan() == {"APP-1": ["-pmo-no-sponsor"]}


def test_an_undo_can_be_undone(labelled: Town) -> None:
    labelled.unstuck("undo", "1", "--apply")
    assert labelled.unstuck("undo", "2", "--apply").code == 0
    assert [labelled.labels(number) for number in (1, 3)] == [["pmo-no-sponsor"], ["pmo-stuck-10d"]]
    assert labelled.plan() == {}


def test_undo_leaves_alone_what_changed_since(labelled: Town) -> None:
    labelled.unlabel(1, "pmo-no-sponsor")
    labelled.edit(3, sponsor="", status_since="2026-02-10T09:00:00+00:00")
    labelled.unstuck("run", "--apply")
    before = [labelled.labels(number) for number in (1, 3)]
    said = labelled.unstuck("undo", "1", "--apply")
    assert said.code == 0
    assert [labelled.labels(number) for number in (1, 3)] == before
    assert "o pmo-no-sponsor  APP-1  held back: a person changed it since" in said.out
    assert "o pmo-stuck-10d  APP-3  held back: run 2 changed it since" in said.out
    assert labelled.labels(2) == ["pmo-hand-made", "urgent"]


def test_a_persons_removal_outlives_undo(labelled: Town) -> None:
    labelled.unlabel(1, "pmo-no-sponsor")
    labelled.unstuck("run", "--apply")
    labelled.unstuck("undo", "1", "--apply")
    labelled.unstuck("undo", "3", "--apply")
    assert labelled.labels(1) == []
    assert labelled.labels(2) == ["pmo-hand-made", "urgent", "pmo-no-sponsor"]


@pytest.mark.parametrize(("run", "known"), [("7", "the last that wrote are 1"), ("0", "the last that wrote are 1")])
def test_a_run_that_is_not_there(labelled: Town, run: str, known: str) -> None:
    said = labelled.unstuck("undo", run)
    assert said.code == 2
    assert said.err == f"There is no run {run}; {known}.\n"


def test_nothing_to_undo(labelled: Town) -> None:
    labelled.unstuck("plan")
    said = labelled.unstuck("undo", "2", "--apply", "--json")
    assert said.code == 0
    assert said.json["planned"] == {"items": 0, "add": 0, "remove": 0, "copies": 0}
    assert len(labelled.writes) == 3


def test_retire_plans_first_and_then_removes_every_label_of_ours(labelled: Town) -> None:
    said = labelled.unstuck("retire")
    assert said.code == 0
    assert "unstuck retire --apply" in said.out
    assert len(labelled.writes) == 3
    said = labelled.unstuck("retire", "--apply")
    assert said.code == 0
    assert "out of cron" in said.out
    assert [labelled.labels(number) for number in (1, 2, 3)] == [[], ["pmo-hand-made", "urgent"], []]
    assert labelled.unstuck("retire").out.splitlines()[-1] == "Nothing to change."


def test_retire_is_not_stopped_by_the_brakes_on_amounts(town: Town) -> None:
    for number in range(1, 21):
        town.add(number, sponsor="")
    assert town.unstuck("run", "--apply", "--force", "share").code == 0
    assert len(town.writes) == 20
    assert town.unstuck("retire", "--apply").code == 0
    assert not [number for number in range(1, 21) if town.labels(number)]


def test_retire_of_one_source(labelled: Town) -> None:
    labelled.write_config(CONFIG + OTHER.replace("world.json", "other.json"))
    (labelled.folder / "other.json").write_text(labelled.world_file.read_text().replace("pmo-", "x-"))
    assert labelled.unstuck("run", "--apply").code == 0
    assert labelled.unstuck("retire", "--source", "other", "--apply").code == 0
    assert labelled.labels(1) == ["pmo-no-sponsor"]
    assert labelled.unstuck("retire", "--source", "nowhere").code == 2


def test_retire_says_which_source_did_not_answer(labelled: Town) -> None:
    world = labelled.world
    labelled.world_file.write_text("{")
    said = labelled.unstuck("retire", "--apply")
    assert said.code == 1
    assert "tool: 3 labels to take back stayed, as this run got no answer" in said.err
    labelled.world = world
    assert labelled.unstuck("retire", "--apply").code == 0
    assert labelled.labels(1) == []


def test_a_source_that_shrank_stops_an_undo(town: Town) -> None:
    for number in range(1, 21):
        town.add(number, sponsor="")
    town.unstuck("run", "--apply", "--force", "share")
    for number in range(2, 21):
        town.remove(number)
    assert town.unstuck("run", "--full").code == 3
    said = town.unstuck("undo", "1", "--apply")
    assert said.code == 3
    assert "Brake shrink" in said.err
    assert town.labels(1) == ["pmo-no-sponsor"]
    assert town.unstuck("undo", "1", "--apply", "--force", "shrink").code == 0
    assert town.labels(1) == []
