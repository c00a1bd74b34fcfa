"""`unstuck rules diff`: whose labels would change, why, and that nothing is written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.sync.town import LONG_AGO, RULES, Town

QUICKER = RULES.replace("over = 10", "over = 5")


@pytest.fixture
def settled(town: Town) -> Town:
    """A store with items that are in no trouble, stuck since different days, and without a sponsor."""
    town.add(1, status_since="2026-03-11T09:00:00+00:00", title="Seven days")
    town.add(2, status_since=LONG_AGO)
    town.add(3, sponsor="")
    town.unstuck("run")
    (town.folder / "old.toml").write_text(RULES)
    return town


def diff(town: Town, new: str, old: str = "old.toml") -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """The exit code, the changes, and what becomes of each rule."""
    (town.folder / "new.toml").write_text(new)
    said = town.unstuck("rules", "diff", old, "new.toml", "--format", "json")
    return said.code, said.json["changes"], {rule.pop("rule"): rule for rule in said.json["rules"]}


def test_a_lower_threshold_labels_more_items(settled: Town) -> None:
    code, changes, rules = diff(settled, QUICKER)
    assert code == 1
    assert changes == [
        {
            "source": "tool",
            "native_id": "1",
            "key": "APP-1",
            "title": "Seven days",
            "action": "add",
            "label": "pmo-stuck-10d",
            "rule": "stuck",
            "reason": "In Doing for 7 business days",
        }
    ]
    assert rules["stuck"] == {"before": 1, "after": 2, "add": 1, "remove": 0}
    assert rules["no-sponsor"] == {"before": 1, "after": 1, "add": 0, "remove": 0}


def test_a_rule_that_is_dropped_takes_its_labels_off(settled: Town) -> None:
    code, changes, rules = diff(settled, RULES[RULES.index("[[rule]]", 5) :])
    assert code == 1
    assert [(each["action"], each["key"], each["label"]) for each in changes] == [
        ("remove", "APP-3", "pmo-no-sponsor"),
    ]
    assert rules["no-sponsor"] == {"before": 1, "after": None, "add": 0, "remove": 1}


def test_a_label_that_another_rule_takes_over_stays(settled: Town) -> None:
    assert diff(settled, RULES.replace('id    = "no-sponsor"', 'id    = "nobody"'))[:2] == (0, [])


def test_another_wording_changes_no_label(settled: Town) -> None:
    said = settled.unstuck("rules", "diff", "old.toml", "rules.d")
    assert (said.code, said.out) == (0, "No label would change.\n")
    assert diff(settled, RULES.replace("Nobody sponsors it", "Who stands for this?"))[:2] == (0, [])


def test_for_people(settled: Town) -> None:
    (settled.folder / "new.toml").write_text(QUICKER.replace('sponsor         = "missing"', 'sponsor = "Bob"'))
    said = settled.unstuck("rules", "diff", "rules.d/*.toml", "new.toml")
    assert said.code == 1
    assert said.out.splitlines()[:2] == [
        '  + pmo-stuck-10d  APP-1  "Seven days"  because In Doing for 7 business days',
        '  - pmo-no-sponsor  APP-3  "Item 3"  no longer: nobody sponsors it',
    ]
    assert said.out.endswith("2 items would change.\n")


def test_nothing_is_written(settled: Town) -> None:
    def dump() -> list[str]:
        with closing(sqlite3.connect(settled.folder / "unstuck.db")) as connection:
            return list(connection.iterdump())

    before, world = dump(), settled.world
    assert diff(settled, QUICKER)[0] == 1
    assert (dump(), settled.world) == (before, world)


def test_a_rule_that_fails_keeps_its_labels(settled: Town) -> None:
    with closing(sqlite3.connect(settled.folder / "unstuck.db")) as connection, connection:
        connection.execute("UPDATE item SET labels = '[' WHERE key = 'APP-3'")
    (settled.folder / "new.toml").write_text(QUICKER.replace('sponsor         = "missing"', 'labels = "has x"'))
    said = settled.unstuck("rules", "diff", "old.toml", "new.toml", "--format", "json")
    assert said.code == 1
    assert [(each["key"], each["label"]) for each in said.json["changes"]] == [("APP-1", "pmo-stuck-10d")]
    assert 'rule "no-sponsor" could not be evaluated' in said.json["problems"][0]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("nothing.toml", "old.toml", "nothing.toml: there is no such file or folder"),
        ("old.toml", "*.tml", "*.tml: there is no such file or folder"),
        ("old.toml", "empty", "empty: the folder holds no rule file"),
        ("old.toml", "wrong.toml", "wrong.toml:1: "),
    ],
)
def test_names_and_files_that_are_wrong(settled: Town, old: str, new: str, why: str) -> None:
    (settled.folder / "empty").mkdir()
    (settled.folder / "wrong.toml").write_text("[[rules]]\n")
    said = settled.unstuck("rules", "diff", old, new)
    assert said.code == 2
    assert said.err.startswith(why)
