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
