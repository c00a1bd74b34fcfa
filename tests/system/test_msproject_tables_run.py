"""The whole job on workbooks and CSV files: pull, rules, plan, labelled copies, read-back, and labels off again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.tables import delimited, planner, repacked, sharing, wizard, workbook
from tests.system.inbox import InboxTown

CONFIG = """
timezone = "Europe/Berlin"
brakes.share = 1.0
brakes.per_rule = 500
[sources.plan]
system = "msproject"
path   = "inbox/*"
settle_seconds = 0
[sources.plan.fields]
sponsor = "Text1"
"""

NOTHING = {"items": 0, "added": 0, "removed": 0, "copies": 0, "deleted_labels": 0}
Tasks = dict[int, str | None]
"""UID -> sponsor."""


class Office(InboxTown):
    """A town whose tool is a folder of tables."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, CONFIG)

    def export(self, name: str, content: bytes) -> None:
        (self.inbox / name).write_bytes(content)

    def shown(self, name: str) -> dict[str, list[str]]:
        """The labels that a person sees who opens the copy, by id; tasks without labels left out."""
        return self.seen_in(f"labelled/{name}")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def as_wizard(tasks: Tasks) -> bytes:
    return sharing(wizard(*((uid, f"Task {uid}", 0, sponsor) for uid, sponsor in tasks.items())))


def as_plain_table(tasks: Tasks) -> bytes:
    rows = [
        ("Eindeutige Nr.", "Vorgangsname", "Text1", "Labels"),
        *((uid, f"T{uid}", who, None) for uid, who in tasks.items()),
    ]
    return workbook(("Plan", rows))


def as_comma(tasks: Tasks) -> bytes:
    return delimited(
        [("Unique_ID", "Name", "Text1"), *((uid, f"Täsk {uid}", who or "") for uid, who in tasks.items())]
    ).encode()


def as_windows(tasks: Tasks) -> bytes:
    rows = [
        ("N° unique", "Nom de la tâche", "Text1"),
        *((uid, f"Tâche {uid}", who or "") for uid, who in tasks.items()),
    ]
    return delimited(rows, ";").encode("cp1252")


def as_utf_16(tasks: Tasks) -> bytes:
    rows = [("Unique_ID", "Name", "Text1"), *((uid, f"Task {uid}", who or "") for uid, who in tasks.items())]
    return b"\xff\xfe" + delimited(rows, "\t", "\n").encode("utf-16-le")


KINDS: dict[str, Callable[[Tasks], bytes]] = {
    "wizard.xlsx": as_wizard, "plain.xlsx": as_plain_table, "comma.csv": as_comma, "windows.csv": as_windows,
    "unicode.txt": as_utf_16,
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_a_label_comes_and_goes_and_then_nothing_is_written(office: Office, name: str) -> None:
    make = KINDS[name]
    office.export(name, make({1: None, 2: None, 3: "Ada"}))
    before = (office.inbox / name).read_bytes()
    assert office.run().json["written"] == {"items": 2, "added": 2, "removed": 0, "copies": 1, "deleted_labels": 0}
    assert office.shown(name) == {"1": ["pmo-no-sponsor"], "2": ["pmo-no-sponsor"]}
    assert office.run().json["written"] == NOTHING
    assert (office.inbox / name).read_bytes() == before

    office.export(name, make({1: "Grace", 2: None, 3: "Ada"}))
    assert office.run().json["planned"] == {"items": 1, "add": 0, "remove": 1, "copies": 1}
    assert office.shown(name) == {"2": ["pmo-no-sponsor"]}
    stamp = (office.inbox / "labelled" / name).stat().st_mtime_ns
    assert office.run().json["written"] == NOTHING
    assert (office.inbox / "labelled" / name).stat().st_mtime_ns == stamp


@pytest.mark.parametrize("name", KINDS)
def test_a_label_that_a_person_took_off_in_the_copy_stays_off(office: Office, name: str) -> None:
    office.export(name, KINDS[name]({1: None, 2: "Ada"}))
    office.run()
    copy = office.inbox / "labelled" / name
    copy.write_bytes(_without(copy.read_bytes()))
    assert office.run().json["vetoes"] == 1
    assert office.shown(name) == {}
    assert office.run().json["written"] == NOTHING


def _without(copy: bytes) -> bytes:
    """The copy as a person leaves it who empties the cell."""
    if not copy.startswith(b"PK"):
        codec = "utf-16-le" if copy.startswith(b"\xff\xfe") else "cp1252"
        return copy.decode(codec).replace("pmo-no-sponsor", "").encode(codec)
    from tests.fakes.tables import part

    name = "xl/worksheets/sheet1.xml"
    return repacked(copy, **{name: part(copy, name).replace(b"pmo-no-sponsor", b" ")})


def test_planners_labels_stay_and_ours_join_them(office: Office) -> None:
    office.write_config(CONFIG.replace('"Text1"', '"Completed By"'))
    office.export("plan.xlsx", planner(("AbC-1", "Dig", "In progress", "03/31/2026", "Pink")))
    office.run()
    assert office.shown("plan.xlsx") == {"AbC-1": ["Pink", "pmo-no-sponsor"]}
    assert office.run().json["written"] == NOTHING


def test_a_workbook_that_breaks_keeps_what_was_known(office: Office) -> None:
    office.export("a.xlsx", as_wizard({1: None}))
    office.export("b.csv", as_comma({1: None}))
    office.run()
    office.export("a.xlsx", as_wizard({1: None})[:-200])
    office.export("b.csv", as_comma({1: "Ada"}))
    said = office.unstuck("run", "--apply")
    assert said.code == 1
    assert "plan: a.xlsx cannot be read as an Excel workbook" in said.err
    assert len(office.unstuck("items", "--format", "json").json) == 2
    assert office.shown("a.xlsx") == {"1": ["pmo-no-sponsor"]}
    assert office.shown("b.csv") == {}


def test_an_ambiguous_column_stops_its_file_and_check_says_how_to_settle_it(office: Office) -> None:
    rows = [("Unique ID", "Name", "Finish"), (1, "Dig", "03/04/2026")]
    office.export("a.csv", delimited(rows).encode())
    office.export("b.csv", as_comma({1: None}))
    said = office.unstuck("run", "--apply")
    assert said.code == 1
    assert 'a.csv: "03/04/2026" in the column "Finish" can be read in two ways' in said.err
    assert office.shown("b.csv") == {"1": ["pmo-no-sponsor"]}
    assert 'date_order = "dmy" (day first)' in office.unstuck("check", "--live").out
    office.write_config(CONFIG.replace("[sources.plan.fields]", 'date_order = "mdy"\n[sources.plan.fields]'))
    office.run()
    [item] = [item for item in office.unstuck("items", "--format", "json").json if item["collection"] == "a.csv"]
    assert item["due_at"].startswith("2026-03-0")


def test_check_shows_how_each_file_is_read(office: Office) -> None:
    office.export("windows.csv", as_windows({1: None}))
    office.export("plan.xlsx", workbook(("Plan", [("Name", "WBS", "Finish"), ("Dig", "1", "13/04/2026")])))
    out: Any = office.unstuck("check", "--live").out
    for words in (
        "windows.csv: text in Windows-1252 (by its letters), columns set apart by a semicolon",
        'windows.csv: tasks are told apart by "N° unique"',
        'plan.xlsx: tasks are read from the sheet "Plan"',
        "plan.xlsx: dates are read with the day first",
        'no id of tasks that lasts, so they are told apart by "WBS" and "Name"',
    ):
        assert words in " ".join(out.split()), out


def test_moved_rows_and_other_columns_make_nothing_new(office: Office) -> None:
    office.export("p.csv", as_comma({1: None, 2: "Ada", 3: None}))
    office.run()
    office.export("p.csv", as_comma({3: None, 1: None, 2: "Ada"}))
    summary = office.run().json
    assert summary["planned"] == {"items": 0, "add": 0, "remove": 0, "copies": 1}
    assert office.shown("p.csv") == {"3": ["pmo-no-sponsor"], "1": ["pmo-no-sponsor"]}


def test_a_plan_writes_no_copy(office: Office) -> None:
    office.export("p.xlsx", as_wizard({1: None}))
    assert office.unstuck("run").code == 0
    assert not (office.inbox / "labelled").exists()
