"""Tests in spreadsheets: the same answers from CSV and XLSX, and every mistake with its row."""

from __future__ import annotations

import csv
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from rules import sheets
from rules.loader import RuleErrors, load
from rules.selftest import Terms, run_case
from tests.rules.test_docs import TEXT

HEAD = ["Key", "now", "Status category", "status_since", "labels", 'fields."CC"', "percent_complete", "expect", "note"]
ROWS: list[list[object]] = [
    ["A-1", date(2026, 3, 20), "In progress", date(2026, 3, 18), "blue; red", 4711, 12.5, "slow", "three"],
    ["A-2", datetime.fromisoformat("2026-03-20T08:00:00"), "todo", date(2026, 3, 18), None, None, None, None, "ä"],
    [None] * 9,
    ["A-3", date(2026, 3, 20), "in progress", date(2026, 3, 18), "blue", 4711, 0, None, None],
]
RULES = """
[[rule]]
id = "slow"
label = "slow"
says = "slow {days_in_status}"
[rule.when]
status_category = "in progress"
days_in_status = "over 1"
fields.CC = "4711"
labels = "has blue"
percent_complete = "under 20"
[[rule]]
id = "x"
label = "x"
says = "x"
when = { owner = "present" }
"""


def xlsx(folder: Path, rows: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.save(folder / "t.xlsx")
    return folder / "t.xlsx"


def as_csv(folder: Path, rows: list[list[object]], delimiter: str = ",") -> Path:
    with (folder / "t.csv").open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return folder / "t.csv"


@pytest.mark.parametrize("form", ["xlsx", ",", ";", "\t"])
def test_a_row_is_held_against_all_rules_both_ways(tmp_path: Path, form: str) -> None:
    rows: list[list[object]] = [[*HEAD], *ROWS]
    table = xlsx(tmp_path, rows) if form == "xlsx" else as_csv(tmp_path, rows, form)
    (tmp_path / "r.toml").write_text(RULES)
    ruleset = load([tmp_path / "r.toml"])
    results = [
        str(result)
        for row in sheets.read(table, ruleset.labels, {})
        for result in run_case(ruleset, row.case, row.name, "t", Terms())
    ]
    assert results == [
        "t:2: A-1 on 2026-03-20: passed",
        "t:3: A-2 on 2026-03-20 08:00:00: passed",
        "t:5: A-3 on 2026-03-20: expected no label, got slow (slow: slow 2)",
    ]


@pytest.mark.parametrize(
    ("head", "row", "why"),
    [
        ("now,expect,statsu", "2026-03-20,,x", 't.csv:1: there is no column "statsu" (did you mean "status"?)'),
        ("now,expect,age_days", "2026-03-20,,1", "t.csv:1: \"age_days\" is worked out from created_at"),
        ("now,expect,now", "2026-03-20,,", 't.csv:1: the heading "now" comes twice'),
        ("now,status", "2026-03-20,x", 't.csv:1: the heading "expect" is missing'),
        ("now,expect,status", ",,x", "t.csv:2: now: write the day"),
        ("now,expect", "20.03.2026,", 't.csv:2: now: "20.03.2026" is no day'),
        ("now,expect", "2026-03-20,slwo", 't.csv:2: expect: no rule that is tested puts "slwo" (did you mean "slow"?)'),
        ("now,expect,percent_complete", "2026-03-20,,half", 't.csv:2: percent_complete: "half" is no number'),
        ("now,expect,status_category", "2026-03-20,,asleep", "t.csv:2: status_category: this must be"),
        ("now,expect,unknown", "2026-03-20,,colour", "t.csv:2: unknown: this is the list"),
        ("now,expect,p85", "2026-03-20,,six", 't.csv:2: p85: "six" is no number of business days'),
        ("now,expect,p100", "2026-03-20,,6", 't.csv:1: there is no column "p100"'),
        ("now,expect", "", "t.csv:1: there are no rows below the headings"),
    ],
)  # fmt: skip
def test_mistakes_have_their_row(tmp_path: Path, head: str, row: str, why: str) -> None:
    (tmp_path / "t.csv").write_text(f"{head}\n{row}\n")
    with pytest.raises(RuleErrors) as caught:
        sheets.read(tmp_path / "t.csv", ["slow"], {})
    assert str(caught.value).removeprefix(f"{tmp_path}/").startswith(why)


@pytest.mark.parametrize("name", ["t.csv", "t.xlsx"])
@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"PK\x05\x06" + bytes(18), None])
def test_what_is_no_table_is_one_sentence(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RuleErrors):
        sheets.read(tmp_path / name, [], {})


def test_the_table_in_the_docs_passes_with_the_ladder_in_the_docs(tmp_path: Path) -> None:
    table = TEXT.split("```csv\n")[1].split("```")[0]
    ladder = next(text.split("```")[0] for text in TEXT.split("```toml\n") if 'id   = "ageing"' in text.split("```")[0])
    (tmp_path / "t.csv").write_text(table)
    (tmp_path / "r.toml").write_text(ladder)
    ruleset = load([tmp_path / "r.toml"])
    rows = sheets.read(tmp_path / "t.csv", ruleset.labels, {})
    results = [run_case(ruleset, row.case, row.name, "t", Terms())[0] for row in rows]
    assert [result.passed for result in results] == [True, True]
