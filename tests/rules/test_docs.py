"""docs/rules.md: every example loads and passes its tests, every word in its tables is one, every truth is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rules.clauses import Group, Joint, Subject, Test
from rules.columns import COLUMNS, GRADES, Kind
from rules.loader import load
from rules.selftest import Terms, run
from rules.words import parse
from tests.rules.items import BERLIN, item
from tests.rules.test_language import answers

TEXT = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.S)


@pytest.mark.parametrize("example", EXAMPLES, ids=[re.search(r'id\s+= "(.*)"', text)[1] for text in EXAMPLES])  # type: ignore[index]
def test_every_example_loads_and_passes_its_tests(tmp_path: Path, example: str) -> None:
    file = tmp_path / "example.toml"
    file.write_text(example, encoding="utf-8")
    ruleset = load([file], prefix="pmo-")
    assert [str(result) for result in run(ruleset, Terms(zone=BERLIN)) if not result.passed] == []


def _table_row(start: str) -> list[str]:
    line = next(line for line in TEXT.splitlines() if line.startswith(f"| {start}"))
    return re.findall(r'`("[^`]*"|\[[^`]*\]|\d+)`', line.split("|")[2])


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("text,", "status"),
        ("`status_category`", "status_category"),
        ("dates,", "due_at"),
        ("numbers,", "age_days"),
        ("`outcome_grade`", "outcome_grade"),
        ("`assignees`", "assignees"),
        ("`labels`", "labels"),
        ("every column", "owner"),
    ],
)
def test_every_word_in_the_table_of_words_is_one(row: str, column: str) -> None:
    words = _table_row(row)
    assert words
    for word in words:
        value = (
            re.findall(r'"([^"]*)"', word) if word.startswith("[") else int(word) if word.isdigit() else word.strip('"')
        )
        assert parse(Subject(column), value)


def test_the_measures_and_grades_named_are_all_there_are() -> None:
    for name, column in COLUMNS.items():
        assert (f"`{name}`" in TEXT) or column.kind is not Kind.NUMBER
    assert re.findall(r"^\| `(\w+)` \| ", TEXT.split("## How good")[1], re.M) == list(GRADES)


_LEAF = {
    "yes": parse(Subject("sponsor"), "missing"),
    "no": parse(Subject("sponsor"), "present"),
    "unknown": parse(Subject("owner"), "missing"),
}
_TRUTH = {True: "yes", False: "no", None: "unknown"}


@pytest.mark.parametrize("row", re.findall(r"^\| (\w+) and (\w+) \| (\w+) \| (\w+) \| (\w+) \|$", TEXT, re.M))
def test_the_truth_table_is_true(row: tuple[str, ...]) -> None:
    parts: tuple[Test, ...] = (_LEAF[row[0]], _LEAF[row[1]])
    one = item(unknown=frozenset({"owner"}))
    for joint, expected in zip((Joint.ALL, Joint.ANY, Joint.NONE), row[2:], strict=True):
        for ordered in (parts, parts[::-1]):
            assert _TRUTH[answers(one, [Group(joint, ordered)])[0]] == expected
