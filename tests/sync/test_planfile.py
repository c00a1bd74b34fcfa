"""Saved plans: only ticks may change."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from openpyxl import load_workbook

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
    if path.suffix == ".xlsx":
        tick_sheet(path, *keys)
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["approve"] = "x" if row["key"] in keys else ""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter=";")  # as a German Excel saves it
        writer.writeheader()
        writer.writerows(rows)


def tick_sheet(path: Path, *keys: str) -> None:
    book = load_workbook(path)
    header, *rows = book.worksheets[0].iter_rows()
    names = [cell.value for cell in header]
    for row in rows:
        row[names.index("approve")].value = "x" if row[names.index("key")].value in keys else None
    book.save(path)


@pytest.mark.parametrize("name", ["plan.json", "plan.csv", "plan.xlsx"])
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


def test_no_cell_of_a_workbook_is_a_formula(planned: Town) -> None:
    planned.add(3, sponsor="", title="bell \x07 and \x0b")
    assert planned.unstuck("plan", "-o", "plan.xlsx").code == 0
    cells = [cell for row in load_workbook(planned.folder / "plan.xlsx").worksheets[0].iter_rows() for cell in row]
    assert '\'=HYPERLINK("x")' in [cell.value for cell in cells]
    assert {cell.data_type for cell in cells if cell.value is not None} == {"s"}


def test_a_workbook_edited_beyond_its_ticks_is_refused(planned: Town) -> None:
    planned.unstuck("plan", "-o", "plan.xlsx")
    path = planned.folder / "plan.xlsx"
    book = load_workbook(path)
    header = [cell.value for cell in book.worksheets[0][1]]
    book.worksheets[0].cell(2, header.index("add") + 1).value = "pmo-stuck-20d"
    book.save(path)
    said = planned.unstuck("apply", "plan.xlsx", "--all")
    assert (said.code, planned.writes) == (3, [])
    assert "row 1 was edited beyond its tick" in said.err


@pytest.mark.parametrize("name", ["plan.xlsx", "plan.csv"])
def test_a_table_that_is_no_plan(planned: Town, name: str) -> None:
    (planned.folder / name).write_bytes(b"\xff\xfe no plan at all")
    said = planned.unstuck("apply", name)
    assert said.code == 2
    assert said.err == f"{name}: is not a saved plan; make one with `unstuck plan -o`.\n"


def test_a_pipeline_applies_the_plan_that_it_expects(planned: Town) -> None:
    sha = planned.unstuck("plan", "--format", "json").json["sha"]
    assert f"Plan {sha}: 2 items, +2 -0 labels." in planned.unstuck("plan").out
    planned.add(3, sponsor="")
    said = planned.unstuck("apply", "--expect", sha)
    assert (said.code, planned.writes) == (3, [])
    assert f"and {sha} was expected" in said.err
    now = planned.unstuck("plan", "--format", "json").json["sha"]
    assert planned.unstuck("apply", "--expect", now).code == 0
    assert len(planned.writes) == 3


def test_what_is_expected_cannot_be_forced(planned: Town) -> None:
    said = planned.unstuck("apply", "--expect", "0000", "--force", "expect")
    assert (said.code, planned.writes) == (2, [])


@pytest.mark.parametrize("arguments", [(), ("plan.json", "--expect", "0000")])
def test_either_a_file_or_a_sha(planned: Town, arguments: tuple[str, ...]) -> None:
    said = planned.unstuck("apply", *arguments)
    assert (said.code, planned.writes) == (2, [])
    assert "Say what to apply" in said.err


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json", '{"changes": [{}]}', '{"changes": 7}'])
def test_a_file_that_is_no_plan(planned: Town, text: str) -> None:
    (planned.folder / "plan.json").write_text(text)
    said = planned.unstuck("apply", "plan.json")
    assert said.code == 2
    assert said.err.startswith("plan.json: ")
    assert planned.unstuck("apply", "nowhere.json").code == 2
    assert planned.unstuck("plan", "-o", "plan.pdf").code == 2
