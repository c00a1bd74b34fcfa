"""Saved plans: only ticks may change."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.sync.town import RULES, Town


@pytest.fixture
def planned(town: Town) -> Town:
    town.add(1, sponsor="", title='=HYPERLINK("x")')
    town.add(2, sponsor="", owner="Grace")
    return town


def tick(path: Path, *keys: str) -> None:
    if path.suffix == ".json":
        whole = json.loads(path.read_text())
        for change in whole["changes"]:
            change["approve"] = change["key"] in keys
        path.write_text(json.dumps(whole))
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["approve"] = "x" if row["key"] in keys else ""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter=";")  # as a German Excel saves it
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("name", ["plan.json", "plan.csv"])
def test_only_ticked_rows_are_applied(planned: Town, name: str) -> None:
    path = planned.folder / name
    assert planned.unstuck("plan", "-o", name).code == 0
    assert planned.writes == []
    said = planned.unstuck("apply", name)
    assert (said.code, planned.writes) == (2, [])
    assert "no row is ticked" in said.err
    tick(path, "APP-2")
    assert planned.unstuck("apply", name).code == 0
    assert planned.labels(1) == []
    assert planned.labels(2) == ["pmo-no-sponsor"]


def test_all_applies_every_row(planned: Town) -> None:
    planned.unstuck("plan", "-o", "plan.json")
    assert planned.unstuck("apply", "plan.json", "--all").code == 0
    assert len(planned.writes) == 2


@pytest.mark.parametrize("edit", [("pmo-no-sponsor", "pmo-other"), ('"native_id": "2"', '"native_id": "1"')])
def test_an_edit_beyond_ticks_is_refused(planned: Town, edit: tuple[str, str]) -> None:
    planned.unstuck("plan", "-o", "plan.json")
    path = planned.folder / "plan.json"
    path.write_text(path.read_text().replace(*edit))
    said = planned.unstuck("apply", "plan.json", "--all")
    assert said.code == 3
    assert "edited beyond its tick" in said.err
    assert planned.writes == []


def test_a_plan_from_other_rules_is_refused(planned: Town) -> None:
    planned.unstuck("plan", "-o", "plan.json")
    planned.write_rules(RULES.replace("over = 10", "over = 11"))
    said = planned.unstuck("apply", "plan.json", "--all")
    assert (said.code, planned.writes) == (3, [])
    assert "made from other rules" in said.err


def test_an_old_plan_is_refused(planned: Town) -> None:
    planned.unstuck("plan", "-o", "plan.json")
    planned.now = "2026-03-28T12:00:00"
    said = planned.unstuck("apply", "plan.json", "--all")
    assert (said.code, planned.writes) == (3, [])
    assert "good for 7 days" in said.err


def test_an_item_that_drifted_is_left_alone(planned: Town) -> None:
    planned.unstuck("plan", "-o", "plan.json")
    planned.edit(1, sponsor="Ada")
    said = planned.unstuck("apply", "plan.json", "--all")
    assert said.code == 1
    assert "tool: 1 changed since the plan was made and was left alone" in said.err
    assert [write["item"] for write in planned.writes] == ["2"]


def test_no_cell_is_a_formula(planned: Town) -> None:
    planned.unstuck("plan", "-o", "plan.csv")
    with (planned.folder / "plan.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert '\'=HYPERLINK("x")' in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json", '{"changes": [{}]}', '{"changes": 7}'])
def test_a_file_that_is_no_plan(planned: Town, text: str) -> None:
    (planned.folder / "plan.json").write_text(text)
    said = planned.unstuck("apply", "plan.json")
    assert said.code == 2
    assert said.err.startswith("plan.json: ")
    assert planned.unstuck("apply", "nowhere.json").code == 2
    assert planned.unstuck("plan", "-o", "plan.pdf").code == 2
