"""The runner of rules' own tests: strict both ways, and one line for each difference."""

from __future__ import annotations

from pathlib import Path

from rules.calendar import Calendar
from rules.loader import load
from rules.selftest import run
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
    results = run(load([file]), Calendar(), BERLIN)
    assert [result.passed for result in results] == [True, True, False, False]
    lines = [str(result).removeprefix(f"{tmp_path}/") for result in results]
    assert lines[0] == 'r.toml:10: rule "old", test 1: passed'
    assert lines[2] == 'r.toml:18: rule "old", test 3: expected no label, got old (Created 14 Mar 2026)'
    assert lines[3] == (
        'r.toml:22: rule "old", test 4: expected old, got no label '
        "(no: created_at is over 5 days ago, seeing 15 Mar 2026; no: sponsor is missing, seeing Ann; "
        'unknown: fields."CC" is present, seeing unknown)'
    )
