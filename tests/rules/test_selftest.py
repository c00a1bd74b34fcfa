"""The runner of rules' own tests: strict both ways, and one line for each difference."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.loader import RuleErrors, load
from rules.selftest import Terms, run
from tests.rules.items import BERLIN

RULES = """
[[rule]]
id = "old"
label = "old"
says = "Created {created_at}"
[rule.when]
created_at = "over 5 days ago"
sponsor = "missing"
fields."CC" = "present"
[[rule.test]]
now = 2026-03-20
item = { created_at = 2026-03-14, fields = { CC = "1" } }
expect = "old"
[[rule.test]]
now = 2026-03-20T00:30:00+01:00
item = { created_at = 2026-03-15T00:10:00, fields = { CC = "1" } }
expect = []
[[rule.test]]
now = 2026-03-20
item = { created_at = 2026-03-14, fields = { CC = "1" } }
expect = []
[[rule.test]]
now = 2026-03-20
item = { created_at = 2026-03-15, sponsor = "Ann" }
expect = "old"
"""


def test_differences_are_one_line_each_and_both_ways(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text(RULES)
    results = run(load([file]), Terms(zone=BERLIN))
    assert [result.passed for result in results] == [True, True, False, False]
    lines = [str(result).removeprefix(f"{tmp_path}/") for result in results]
    assert lines[0] == 'r.toml:10: rule "old", test 1: passed'
    assert lines[2] == 'r.toml:18: rule "old", test 3: expected no label, got old (Created 14 Mar 2026)'
    assert lines[3] == (
        'r.toml:22: rule "old", test 4: expected old, got no label '
        "(no: created_at is over 5 days ago, seeing 15 Mar 2026; no: sponsor is missing, seeing Ann; "
        'unknown: fields."CC" is present, seeing unknown)'
    )


HISTORY = """
[[rule]]
id = "stuck"
says = "{status} since {status_since}"
when = { status_category = "in progress" }
[rule.ladder]
measure = "days_in_status"
steps = [ { over = 2, label = "slow" }, { over = 5, label = "stuck" } ]
[[rule.test]]
now = 2026-03-20
item = { title = "x" }
history = [ { on = 2026-03-01, status = "To do", status_category = "todo" },
            { on = 2026-03-19, status = "Doing", status_category = "in progress" },
            { on = 2026-03-26, status = "Closed" } ]
expect = []
later = [ { on = 2026-03-21, expect = [] },
          { on = 2026-03-22, expect = "slow" },
          { on = 2026-03-25, expect = "slow" },
          { on = 2026-03-26, expect = [] } ]
"""


def test_a_history_moves_the_item_and_later_days_look_again(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text(HISTORY)
    assert [result.got for result in run(load([file]), Terms())] == [
        frozenset(labels) for labels in ((), (), ("slow",), ("stuck",), ())
    ]
    [wrong] = [str(result) for result in run(load([file]), Terms()) if not result.passed]
    assert wrong.removeprefix(f"{tmp_path}/") == (
        'r.toml:16: rule "stuck", test 1, on 2026-03-25: expected slow, got stuck (Doing since 19 Mar 2026)'
    )


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("on = 2026-03-01", "on = 2026-03-21", "the days must rise, and 2026-03-19 comes after 2026-03-21"),
        ("on = 2026-03-01", "on = 2026-03-01T09:00:00", "write the day without a time"),
        ("now = 2026-03-20", "now = 2026-02-01", "the item was nowhere on 2026-02-01"),
        ("now = 2026-03-20", "now = 2026-03-21", "2026-03-21 is not later than now"),
        ('title = "x"', 'status = "x"', "the history says this"),
        ('status = "Doing", status_category = "in progress"', 'status = "To do", status_category = "todo"', "twice"),
        (', status = "Closed"', "", "this is missing"),
        ('status_category = "todo"', 'status_category = "sleeping"', "in progress"),
        ('expect = "slow" }', 'expect = "sloow" }', 'did you mean "slow"'),
        ("{ on = 2026-03-22", "{ at = 2026-03-22", 'unknown key "at"'),
        ("expect = []\n", "expect = []\nhistoyr = []\n", 'did you mean "history"'),
    ],
)
def test_mistakes_in_history_and_later_are_named(tmp_path: Path, old: str, new: str, why: str) -> None:
    assert old in HISTORY
    file = tmp_path / "r.toml"
    file.write_text(HISTORY.replace(old, new, 1))
    with pytest.raises(RuleErrors) as caught:
        load([file])
    assert why in str(caught.value)
    assert all(problem.line >= 10 for problem in caught.value.problems)
