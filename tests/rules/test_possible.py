"""Rules that can never match are found, and no other is called so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connectors.model import WorkItem
from rules.clauses import Subject
from rules.loader import builtin_files, lint, load
from rules.possible import can_match
from rules.ruleset import Rule
from rules.words import parse
from tests.rules.items import ITEMS
from tests.rules.test_language import FAST, PAIRS, _clause, answers


def rule(table: dict[str, Any]) -> Rule:
    return Rule("r", ("r",), _clause(table), "l", None, "f", 1)


NEVER: list[dict[str, Any]] = [
    {"all": [{"sponsor": "missing"}, {"sponsor": "Ann"}]},
    {"all": [{"sponsor": "Bob"}, {"sponsor": "Ann"}]},
    {"status": "Done", "none": [{"status": ["Done", "Closed"]}]},
    {"all": [{"status_category": "done"}, {"status_category": "not done"}]},
    {"all": [{"outcome_grade": "at most vague"}, {"outcome_grade": "over technical"}, {"outcome_grade": "not vague"}]},
    {"all": [{"age_days": "over 30"}, {"age_days": "under 30"}]},
    {"all": [{"age_days": "over 30"}, {"created_at": "under 10 days ago"}]},
    {"all": [{"due_at": "past"}, {"due_at": "within 7 days"}]},
    {"all": [{"due_at": "missing"}, {"due_at": "past"}]},
    {"percent_complete": "over 100"},
    {"percent_complete": "under 0"},
    {"items_below": "under 0"},
    {"sponsor": "missing", "any": [{"sponsor": "Ann"}, {"sponsor": "contains b"}]},
]


@pytest.mark.parametrize("table", NEVER)
def test_contradictions_are_found(table: dict[str, Any]) -> None:
    assert not can_match(rule(table))


SOMETIMES: list[dict[str, Any]] = [
    {"sponsor": "missing", "any": [{"sponsor": "Ann"}, {"owner": "Ann"}]},
    {"all": [{"sponsor": "contains a"}, {"sponsor": "not contains b"}]},
    {"all": [{"sponsor": "contains lee"}, {"sponsor": "placeholder"}]},
    {"all": [{"percent_complete": "over 99"}, {"percent_complete": "under 100"}]},
    {"all": [{"age_days": "over 30"}, {"age_days": "under 32"}]},
    {"all": [{"labels": "has x"}, {"labels": "has y"}]},
    {"all": [{"status_since": "over 10 business days ago"}, {"days_in_status": "under 20"}]},
]


@pytest.mark.parametrize("table", SOMETIMES)
def test_what_may_match_is_left_alone(table: dict[str, Any]) -> None:
    assert can_match(rule(table))


_LEAVES = st.sampled_from([{name: word} for name, word in PAIRS])
_TABLES = st.recursive(
    _LEAVES,
    lambda inner: st.dictionaries(
        st.sampled_from(["any", "all", "none"]), st.lists(inner, min_size=1, max_size=3), min_size=1
    ),
    max_leaves=6,
)


@settings(FAST, max_examples=100)
@given(ITEMS, _TABLES)
def test_no_item_ever_matches_what_is_called_impossible(one: WorkItem, table: dict[str, Any]) -> None:
    assume(not can_match(rule(table)))
    assert answers(one, [_clause(table)]) != [True]


@pytest.mark.parametrize(("name", "word"), PAIRS)
def test_a_single_clause_is_nearly_always_possible(name: str, word: Any) -> None:
    impossible = word in ("under 0",) and name in ("percent_complete", "items_below", "finished_below")
    found = can_match(Rule("r", ("r",), parse(Subject(name), word), "l", None, "f", 1))
    assert found is not impossible


LADDER = """
[[rule]]
id = "stuck"
says = "stuck"
when = { days_in_status = "under 5" }
[rule.ladder]
measure = "days_in_status"
steps = [ { over = 10, label = "a" } ]
[[rule.test]]
now = 2026-03-20
item = {}
expect = []
"""


def test_check_warns_of_it(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(LADDER)
    [warning] = lint(load([file]))
    assert str(warning).endswith('rules.toml:2: rule "stuck": when: its conditions contradict each other, '
                                 "so that it can never match: change or drop one")  # fmt: skip
    file.write_text(LADDER.replace("under 5", "under 50"))
    assert lint(load([file])) == []
    assert lint(load(builtin_files(), prefix="pmo-")) == []
