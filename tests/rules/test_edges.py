"""Thresholds that no test holds in place are named, and only those."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.edges import unnoticed
from rules.loader import builtin_files, load
from rules.selftest import Terms

RULE = """
[[rule]]
id = "a"
label = "a"
says = "a"
when = {{ {when} }}
"""
TEST = """
[[rule.test]]
now = 2026-03-20
item = {{ {item} }}
expect = {expect}
"""


def left(folder: Path, when: str, *tests: tuple[str, str]) -> list[str]:
    file = folder / "r.toml"
    text = RULE.format(when=when) + "".join(TEST.format(item=item, expect=expect) for item, expect in tests)
    file.write_text(text)
    return [edge.what for edge in unnoticed(load([file]), Terms())]


YES, NO = '"a"', "[]"


@pytest.mark.parametrize(
    ("when", "below", "above"),
    [
        ('age_days = "over 10"', ("created_at = 2026-03-10", NO), ("created_at = 2026-03-09", YES)),
        ('created_at = "at least 10 days ago"', ("created_at = 2026-03-11", NO), ("created_at = 2026-03-10", YES)),
        ('created_at = "over 1 business days ago"', ("created_at = 2026-03-19", NO), ("created_at = 2026-03-18", YES)),
        ('percent_complete = "under 5"', ("percent_complete = 4", YES), ("percent_complete = 5", NO)),
        ('percent_complete = "not at most 5"', ("percent_complete = 5", NO), ("percent_complete = 6", YES)),
        ('due_at = "past"', ("due_at = 2026-03-20", NO), ("due_at = 2026-03-19", YES)),
        ('due_at = "within 7 days"', ("due_at = 2026-03-27", YES), ("due_at = 2026-03-28", NO)),
        ('due_at = "before 2026-05-01"', ("due_at = 2026-05-01", NO), ("due_at = 2026-04-30", YES)),
        ('none = { any = [ { age_days = "over 3" }, { sponsor = "present" } ] }',
         ("created_at = 2026-03-17", YES), ("created_at = 2026-03-16", NO)),
    ],
)  # fmt: skip
def test_a_test_on_each_side_holds_a_threshold(
    tmp_path: Path, when: str, below: tuple[str, str], above: tuple[str, str]
) -> None:
    assert left(tmp_path, when, below, above) == []
    assert len(left(tmp_path, when, below)) == 1
    assert len(left(tmp_path, when, above)) == 1
    assert len(left(tmp_path, when)) == 2


VAGUE, MEASURED = 'outcome_metric = "Happier customers"', 'outcome_metric = "Churn to 3 %"'
IT = 'outcome_metric = "99.9 % uptime"'


@pytest.mark.parametrize(
    ("when", "below", "above", "loose"),
    [
        ('outcome_grade = "at most vague"', (VAGUE, YES), (MEASURED, NO),
         ["at most vague becomes at most technical", "at most vague becomes at most no baseline"]),
        ('outcome_grade = "not over technical"', (IT, YES), (VAGUE, NO),
         ["over technical becomes over placeholder", "over technical becomes over vague"]),
        ('outcome_grade = "under placeholder"', ('title = "x"', YES), ('outcome_metric = "TBD"', NO),
         ["under placeholder becomes under technical"]),  # under missing is no word
    ],
)  # fmt: skip
def test_a_test_on_each_side_holds_a_grade(
    tmp_path: Path, when: str, below: tuple[str, str], above: tuple[str, str], loose: list[str]
) -> None:
    assert left(tmp_path, when, below, above) == []
    assert left(tmp_path, when) == [f"outcome_grade {move}" for move in loose]


def test_a_grade_that_is_named_outright_is_no_threshold(tmp_path: Path) -> None:
    assert left(tmp_path, 'outcome_grade = ["missing", "placeholder"]') == []
    assert left(tmp_path, 'outcome_grade = "not vague"') == []


WHOLE = 'outcome_metric = "Churn to 3 %", outcome_baseline = "5 %", outcome_target = "3 %", outcome_reviewed_at = '


@pytest.mark.parametrize("when", ['"unreviewed"', '"not complete"', '["no target", "unreviewed"]'])
def test_the_days_of_a_review_are_a_threshold_of_rules_that_ask_for_it(tmp_path: Path, when: str) -> None:
    late, just = (WHOLE + "2025-12-17", YES), (WHOLE + "2025-12-18", NO)  # 93 and 92 days
    rule = f"outcome_grade = {when}"
    assert left(tmp_path, rule, late, just) == []
    assert left(tmp_path, rule, late) == ["outcomes count as unreviewed after 91 days, not 92"]
    assert left(tmp_path, rule, just) == ["outcomes count as unreviewed after 93 days, not 92"]
    file = tmp_path / "r.toml"
    assert [edge.what for edge in unnoticed(load([file]), Terms(review_days=1))] == [
        "outcomes count as unreviewed after 2 days, not 1"
    ]


def test_a_test_with_a_calendar_holds_by_that_calendar(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    rule = RULE.format(when='business_days_in_status = "over 10"')
    cases = [
        TEST.format(item=f"status_since = 2026-03-0{day}", expect=expect) + 'calendar = { weekend = ["sunday"] }\n'
        for day, expect in ((9, NO), (8, NO), (7, YES))
    ]
    file.write_text(rule + "".join(cases))
    assert unnoticed(load([file]), Terms()) == []
    file.write_text(file.read_text().replace('calendar = { weekend = ["sunday"] }', ""))
    assert len(unnoticed(load([file]), Terms())) == 2


def test_what_cannot_make_a_difference_is_not_asked_for(tmp_path: Path) -> None:
    assert left(tmp_path, 'sponsor = "missing"') == []
    assert left(tmp_path, 'age_days = "at least 0"') == ["age_days at least 0 becomes at least 1"]
    assert left(tmp_path, "percent_complete = 100") == ["percent_complete exactly 100 becomes exactly 99"]


LADDER = """
[[rule]]
id = "l"
says = "l"
when = { owner = "present" }
[rule.ladder]
measure = "age_days"
steps = [ { over = 2, label = "slow" }, { over = 5, label = "late" } ]
[[rule.ladder.override]]
when = { due_at = "within 3 days" }
steps = [ { over = 1, label = "slow" } ]
"""


def test_ladders_overrides_and_later_days_count(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text(LADDER)
    assert len(unnoticed(load([file]), Terms())) == 8
    later = 'later = [ { on = 2026-03-13, expect = "slow" }, { on = 2026-03-15, expect = "slow" },'
    later += ' { on = 2026-03-16, expect = "late" } ]\n'
    case = '[[rule.test]]\nnow = 2026-03-12\nitem = { owner = "Ann", created_at = 2026-03-10 }\nexpect = []\n'
    file.write_text(LADDER + case + later)
    assert next(str(edge).removeprefix(f"{tmp_path}/") for edge in unnoticed(load([file]), Terms())) == (
        'r.toml:2: rule "l": no test notices when in override 1, age_days over 1 becomes over 0; '
        "add a test on each side of the threshold"
    )
    assert len(unnoticed(load([file]), Terms())) == 4


def test_the_shipped_packs_hold_every_threshold_in_place() -> None:
    assert [str(edge) for edge in unnoticed(load(builtin_files(), prefix="pmo-"), Terms())] == []
