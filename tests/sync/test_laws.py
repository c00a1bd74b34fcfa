"""The laws, at the level of the command, on the memory connector. Each fails if its law is broken."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.sync.town import CONFIG, LONG_AGO, RULES, Town


def labelled(town: Town) -> None:
    """Three items, two of them labelled by us."""
    town.add(1, sponsor="")
    town.add(2, status_since=LONG_AGO)
    town.add(3)
    said = town.unstuck("run", "--apply")
    assert said.code == 0, said.err
    assert town.labels(1) == ["pmo-no-sponsor"]
    assert town.labels(2) == ["pmo-stuck-10d"]
    assert town.labels(3) == []


# 1. Absence is evidence only after a complete answer


def test_an_answer_that_was_cut_short_clears_nothing(town: Town) -> None:
    labelled(town)
    world = town.world
    town.world = {**world, "items": world["items"][2:], "outage": {"pages": 0}}
    assert town.unstuck("run", "--apply", "--full").code == 1
    assert {item["key"] for item in town.unstuck("items", "--format", "json").json} == {"APP-1", "APP-2", "APP-3"}
    town.world = world
    assert town.plan() == {}


def test_a_source_that_is_down_stops_no_other_and_keeps_what_was_known(town: Town) -> None:
    town.write_config(CONFIG + '[sources.other]\nsystem = "memory"\nworld = "other.json"\n')
    town.add(1, sponsor="")
    said = town.unstuck("run", "--apply", "--json")
    assert said.code == 1
    assert town.labels(1) == ["pmo-no-sponsor"]
    assert [problem for problem in said.json["problems"] if problem.startswith("other:")]


def test_a_collection_that_shrank_sharply_is_not_believed(town: Town) -> None:
    for number in range(1, 21):
        town.add(number, sponsor="" if number == 1 else "Ada")
    town.unstuck("run", "--apply")
    for number in range(2, 12):
        town.remove(number)
    town.edit(1, sponsor="Ada")
    for _ in range(2):  # it trips again, as long as nothing was done about it
        said = town.unstuck("run", "--apply", "--full")
        assert said.code == 3
        assert "shrank from 20 items to 10" in said.err
        assert town.labels(1) == ["pmo-no-sponsor"]
    assert len(town.unstuck("items", "--format", "json").json) == 20
    assert town.unstuck("run", "--apply", "--full", "--force", "shrink").code == 0
    assert len(town.unstuck("items", "--format", "json").json) == 10
    assert town.labels(1) == []


def test_deletions_that_a_tool_tells_of_are_not_believed_either_if_they_are_too_many(town: Town) -> None:
    for number in range(1, 21):
        town.add(number, sponsor="" if number < 3 else "Ada")
    assert town.unstuck("run", "--apply").code == 0
    world = town.world
    for number in range(2, 12):
        world["changed"] += 1
        world["deleted"].append({"native_id": str(number), "collection": "B1", "changed": world["changed"]})
    world["items"] = [item for item in world["items"] if not 2 <= int(item["native_id"]) < 12]
    town.world = world
    for _ in range(2):
        said = town.unstuck("run", "--apply")
        assert said.code == 3
        assert "shrank from 20 items to 10" in said.err
    assert len(town.unstuck("items", "--format", "json").json) == 20
    assert town.unstuck("run", "--apply", "--force", "shrink").code == 0
    assert len(town.unstuck("items", "--format", "json").json) == 10


def test_an_item_that_vanished_is_kept_and_comes_back_as_itself(town: Town) -> None:
    labelled(town)
    world = town.world
    town.remove(3)
    assert town.unstuck("run", "--apply", "--full").code == 0
    assert {item["key"] for item in town.unstuck("items", "--format", "json").json} == {"APP-1", "APP-2"}
    town.world = world
    town.unstuck("run", "--full")
    assert len(town.unstuck("items", "--format", "json").json) == 3


def test_an_entry_that_cannot_be_read_is_not_gone(town: Town) -> None:
    labelled(town)
    town.edit(1, due_at="soon")
    said = town.unstuck("run", "--apply", "--full")
    assert said.code == 1
    assert "item 1 cannot be read" in said.err
    assert len(town.unstuck("items", "--format", "json").json) == 3


def test_an_item_that_moved_is_not_gone_though_its_old_collection_says_so(town: Town) -> None:
    world = town.world
    world["collections"].append({"native_id": "A1", "name": "Intake"})  # it is pulled before B1
    town.world = world
    town.add(1, sponsor="")
    town.add(2)
    town.unstuck("run", "--apply")
    town.edit(1, collection="A1")
    world = town.world
    world["changed"] += 1
    world["deleted"].append({"native_id": "1", "collection": "B1", "changed": world["changed"]})
    town.world = world
    town.unstuck("run", "--apply")
    assert [item["key"] for item in town.unstuck("items", "--format", "json").json] == ["APP-1", "APP-2"]
    town.edit(1, sponsor="Ada")
    town.unstuck("run", "--apply")
    assert town.labels(1) == []


# 2. We touch only what is ours


def test_other_peoples_labels_stay(town: Town) -> None:
    town.add(1, sponsor="", labels=["blue", "pmo-board", "pmo-stuck-10d"])
    town.unstuck("run", "--apply")
    assert town.labels(1) == ["blue", "pmo-board", "pmo-stuck-10d", "pmo-no-sponsor"]
    town.edit(1, sponsor="Ada")
    town.unstuck("run", "--apply")
    assert town.labels(1) == ["blue", "pmo-board", "pmo-stuck-10d"]  # one of ours by name, but a person put it on


def test_a_label_that_was_there_before_us_is_not_adopted(town: Town) -> None:
    town.add(1, sponsor="", labels=["pmo-no-sponsor"])
    town.unstuck("run", "--apply")
    assert town.writes == []
    town.edit(1, sponsor="Ada")
    town.unstuck("run", "--apply")
    assert town.labels(1) == ["pmo-no-sponsor"]


def test_a_rule_may_only_use_labels_with_the_managed_prefix(town: Town) -> None:
    town.write_rules(RULES.replace("pmo-no-sponsor", "blue"))
    said = town.unstuck("run", "--apply")
    assert said.code == 2
    assert '"blue"' in said.err


# 3. It converges


def test_the_next_run_writes_nothing(town: Town) -> None:
    labelled(town)
    written = town.writes
    for _ in range(2):
        said = town.unstuck("run", "--apply", "--json")
        assert said.json["planned"] == {"items": 0, "add": 0, "remove": 0, "copies": 0}
    assert town.writes == written


def test_a_label_goes_when_its_cause_is_gone(town: Town) -> None:
    labelled(town)
    town.edit(1, sponsor="Ada")
    town.edit(2, status="Done", status_category="done")
    town.unstuck("run", "--apply")
    assert town.labels(1) == town.labels(2) == []


def test_a_ladder_moves_on_in_one_write(town: Town) -> None:
    labelled(town)
    town.now = "2026-04-15T12:00:00"
    town.unstuck("run", "--apply")
    assert town.labels(2) == ["pmo-stuck-20d"]
    assert town.writes[-1] in (
        {"by": "us", "item": "2", "add": ["pmo-stuck-20d"], "remove": ["pmo-stuck-10d"]},
        {"by": "us", "item": "3", "add": ["pmo-stuck-10d"], "remove": []},
        {"by": "us", "item": "1", "add": ["pmo-stuck-10d"], "remove": []},
    )
    assert [write["item"] for write in town.writes].count("2") == 2


def test_a_rule_that_is_deleted_takes_its_labels_along(town: Town) -> None:
    labelled(town)
    town.write_rules(RULES[RULES.index("[[rule]]\nid   =") :])
    town.unstuck("run", "--apply")
    assert town.labels(1) == []
    assert town.labels(2) == ["pmo-stuck-10d"]


# 4. Our own write is not activity


def test_our_write_resets_no_clock(town: Town) -> None:
    labelled(town)
    before = town.unstuck("items", "--format", "json").json
    for number in (1, 2):
        town.edit(number, updated_at="2026-03-20T12:00:00+00:00")  # as tools do when they are written to
    town.unstuck("run", "--apply", "--full")
    after = town.unstuck("items", "--format", "json").json
    for item in (*before, *after):
        item.pop("updated_at")
    assert before == after
    assert town.plan() == {}


# 5. A person's removal wins


def test_what_a_person_took_off_stays_off(town: Town) -> None:
    labelled(town)
    town.unlabel(1, "pmo-no-sponsor")
    said = town.unstuck("run", "--apply", "--json")
    assert said.json["vetoes"] == 1
    town.unstuck("run", "--apply", "--full")
    assert town.labels(1) == []
    assert "taken off by a person" in town.unstuck("explain", "APP-1").out
    assert "held back" in town.unstuck("plan").out


def test_what_was_left_behind_in_a_move_is_no_veto(town: Town) -> None:
    """Some tools take no labels along into another board."""
    town.world = {**town.world, "collections": [{"native_id": one, "name": one} for one in ("B1", "B2")]}
    town.add(1, sponsor=None)
    town.unstuck("run", "--apply")
    town.edit(1, labels=[], collection="B2")
    town.unstuck("run", "--apply")
    assert town.labels(1) == ["pmo-no-sponsor"]
    town.unlabel(1, "pmo-no-sponsor")
    town.unstuck("run", "--apply")
    assert town.labels(1) == [], "there as anywhere, a person's removal is one"


@pytest.mark.parametrize("how", ["status", "time"])
def test_a_veto_ends(town: Town, how: str) -> None:
    labelled(town)
    town.unlabel(1, "pmo-no-sponsor")
    town.unstuck("run", "--apply")
    if how == "status":
        town.edit(1, status="Waiting", status_since="2026-03-20T09:00:00+00:00")
    else:
        town.now = "2026-06-19T12:00:00"
    town.unstuck("run", "--apply")
    assert "pmo-no-sponsor" in town.labels(1)


# 6. A dry run cannot write


@pytest.mark.parametrize(
    "command",
    [
        ["run"],
        ["run", "--plan-only"],
        ["plan", "-o", "plan.csv"],
        ["check", "--live"],
        ["explain", "APP-1"],
        ["items"],
        ["findings"],
        ["status"],
        ["rules", "test"],
    ],
    ids=" ".join,
)
def test_commands_that_should_not_write_do_not(town: Town, command: list[str]) -> None:
    town.add(1, sponsor="")
    town.unstuck("run")
    before = town.world_file.read_bytes()
    assert town.unstuck(*command).code == 0
    assert town.world_file.read_bytes() == before


def test_config_can_allow_writes_and_the_command_can_still_refuse(town: Town) -> None:
    town.write_config("writes.apply = true\n" + CONFIG)
    town.add(1, sponsor="")
    town.unstuck("run", "--plan-only")
    assert town.writes == []
    town.unstuck("run")
    assert town.labels(1) == ["pmo-no-sponsor"]


# 7. Brakes abort, they never truncate


def test_too_large_a_share_stops_everything(town: Town) -> None:
    for number in range(1, 21):
        town.add(number, sponsor="" if number <= 7 else "Ada")
    said = town.unstuck("run", "--apply")
    assert said.code == 3
    assert "7 of 20 items would change (35%)" in said.err
    assert town.writes == []
    assert town.unstuck("run", "--apply", "--force", "count").code == 3
    assert town.unstuck("run", "--apply", "--force", "share").code == 0
    assert len(town.writes) == 7


def test_too_many_changes_stop_everything(town: Town) -> None:
    town.write_config("brakes.count = 2\n" + CONFIG)
    for number in range(1, 4):
        town.add(number, sponsor="")
    said = town.unstuck("run", "--apply")
    assert said.code == 3
    assert "3 items would change" in said.err
    assert town.writes == []


def test_a_rule_that_suddenly_matches_nothing_stops_everything(town: Town) -> None:
    for number in range(1, 41):
        town.add(number, sponsor="" if number <= 12 else "Ada")
    town.unstuck("run", "--apply", "--force", "share")
    town.write_rules(RULES.replace('"not done"', '"done"'))
    for _ in range(2):
        said = town.unstuck("run", "--apply", "--force", "share")
        assert said.code == 3
        assert 'rule "no-sponsor" suddenly matches nothing' in said.err
    assert len(town.writes) == 12
    assert town.unstuck("run", "--apply", "--force", "share", "--force", "rule").code == 0
    assert len(town.writes) == 24


def test_a_rule_that_suddenly_matches_everything_stops_everything(town: Town) -> None:
    for number in range(1, 41):
        town.add(number, sponsor="" if number == 1 else "Ada")
    town.unstuck("run", "--apply")
    town.write_rules(RULES.replace('"missing"', '"present"'))
    said = town.unstuck("run", "--apply", "--force", "share")
    assert said.code == 3
    assert 'rule "no-sponsor" suddenly matches 39 of 40' in said.err
    assert len(town.writes) == 1


# 8. Killed anywhere, the next run finishes


@pytest.mark.slow
def test_a_run_that_is_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    town = Town(tmp_path, "brakes.share = 1.0\n" + CONFIG)
    for number in range(1, 26):
        town.add(number, sponsor="", labels=["blue"])
    town.unstuck("run")
    for moment in range(12):
        process = subprocess.Popen(town.command("run", "--apply"), cwd=tmp_path, env=town.environment())
        deadline = time.monotonic() + 20
        while len(town.writes) < 2 * moment and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        process.kill()
        process.wait()
    said = town.unstuck("run", "--apply", "--json")
    assert said.code == 0, said.err
    written = [write["item"] for write in town.writes]
    assert sorted(written) == sorted({str(number) for number in range(1, 26)})
    assert all(town.labels(number) == ["blue", "pmo-no-sponsor"] for number in range(1, 26))
    assert town.plan() == {}
    for number in range(1, 26):
        town.edit(number, sponsor="Ada")
    town.unstuck("run", "--apply", "--force", "rule")
    assert all(town.labels(number) == ["blue"] for number in range(1, 26))


# 11. Unknown is an answer


def test_what_a_tool_cannot_answer_is_no_finding(town: Town) -> None:
    town.write_config(CONFIG + 'fields = { sponsor = "Executive sponsor" }\n')
    town.add(1, sponsor="")
    town.add(2, sponsor="", fields={"Executive sponsor": ""})
    assert town.plan() == {"APP-2": ["+pmo-no-sponsor"]}


def test_a_start_that_is_not_proved_is_shown_as_at_least(town: Town) -> None:
    town.add(1, status_since=LONG_AGO, status_since_is="at_least")
    town.unstuck("run")
    [finding] = town.unstuck("findings", "--format", "json").json
    assert "at least 14" in finding["reason"]


# 13. Every failure says which source, which item, what happened and what to do next


def test_a_write_that_is_refused_says_so_and_stops_no_other(town: Town) -> None:
    town.add(1, sponsor="", locked=True)
    town.add(2, sponsor="")
    said = town.unstuck("run", "--apply")
    assert said.code == 1
    assert "tool: APP-1: the item is locked; unlock it in the tool" in said.err
    assert town.labels(2) == ["pmo-no-sponsor"]


def test_a_tool_that_stops_answering_while_we_write(town: Town) -> None:
    for number in range(1, 4):
        town.add(number, sponsor="")
    town.world = {**town.world, "outage": {"writes": 1}}
    said = town.unstuck("run", "--apply")
    assert said.code == 1
    assert [line for line in said.err.splitlines() if line.startswith("tool")] == [
        "tool: Delivery: the tool stopped answering; the next run goes on from here."
    ]
    town.world = {**town.world, "outage": {}}
    assert town.unstuck("run", "--apply").code == 0
    assert [write["item"] for write in town.writes] == ["1", "2", "3"]


# One run at a time


def test_a_second_run_is_told_that_one_is_under_way(town: Town) -> None:
    import filelock

    town.add(1, sponsor="")
    with filelock.FileLock(town.folder / "unstuck.db.lock"):
        said = town.unstuck("run", "--apply")
    assert said.code == 4
    assert town.writes == []
    assert town.unstuck("run", "--apply").code == 0


def test_people_can_read_the_store_with_other_programs(town: Town) -> None:
    labelled(town)
    with sqlite3.connect(town.folder / "unstuck.db") as reader:
        rows = reader.execute("SELECT key, labels FROM work_item ORDER BY key").fetchall()
    reader.close()
    assert rows[0] == ("APP-1", '["pmo-no-sponsor"]')
