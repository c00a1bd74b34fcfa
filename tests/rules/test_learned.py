"""Percentiles in rules: what SQLite answers, what tests of rules may say, and where their thresholds lie."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.model import WorkItem
from rules import sheets
from rules.clauses import Subject
from rules.compile import Scope, clause_sql
from rules.edges import unnoticed
from rules.engine import prepare
from rules.learned import read_clause
from rules.loader import RuleErrors, load, schema
from rules.ruleset import RuleSet
from rules.selftest import Terms, run, run_case
from rules.words import parse
from tests.rules.items import ITEMS, TODAY, store
from tests.rules.reference import Reading

_KNOWN = st.lists(
    st.tuples(
        st.sampled_from(["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"]),
        st.sampled_from([80, 85]),
        st.booleans(),
        st.integers(0, 30),
        st.integers(1, 12),
    ),
    max_size=6,
    unique_by=lambda row: row[:3],
)
_DAYS = st.integers(1, 20)


@given(ITEMS, _KNOWN, st.tuples(_DAYS, _DAYS, _DAYS).map(sorted), st.integers(1, 12), st.booleans())
def test_a_percentile_is_the_threshold_that_its_kind_has(
    one: WorkItem, known: list[tuple[str, int, bool, int, int]], bounds: list[int], least: int, negated: bool
) -> None:
    at_least, otherwise, at_most = bounds
    said = f"over p85, otherwise {otherwise}, at least {at_least}, at most {at_most}, from {least} items"
    connection = store([one])
    for month, percent, same, days, items in known:
        kind = (one.ref.source, one.collection, one.type or "", (one.status or "") if same else "of another")
        connection.execute("INSERT OR IGNORE INTO learned_month VALUES (?, ?, 0)", (month, percent))
        connection.execute("INSERT INTO learned VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (month, percent, *kind, days, items))
    prepare(connection, TODAY)
    clause = parse(Subject("business_days_in_status"), f"not {said}" if negated else said)
    sql = clause_sql(clause, Scope(TODAY, RuleSet((), ())))
    [answer] = connection.execute(f"SELECT {sql.text} FROM work_item WHERE id = 1", sql.values).fetchone()
    months = [row[0] for row in known if row[0] <= "2026-03-20" and row[1] == 85]
    rows = [row for row in known if row[0] == max(months, default="") and row[1] == 85 and row[2] and row[4] >= least]
    threshold = max(at_least, min(at_most, rows[0][3])) if rows else otherwise
    expected = Reading(one, TODAY).clause("business_days_in_status", f"{'not ' * negated}over {threshold}")
    assert (None if answer is None else bool(answer)) == expected


def test_case_and_space_make_no_difference() -> None:
    plain = read_clause("over p85, otherwise 10, at least 5, at most 20, from 30 items")
    assert plain == read_clause("over p85, otherwise 10")
    assert plain == read_clause("  OVER  P85 ,from 30 items,at  least 5,otherwise 10")
    assert read_clause("over 85") is None


RULE = """
[[rule]]
id = "slow"
says = "slow"
when = { status_category = "in progress" }
[rule.ladder]
measure = "business_days_in_status"
steps = [ { over = "p85", otherwise = 4, STEP label = "l" } ]
"""
TEST = """
[[rule.test]]
now = 2026-03-20
item = { status_category = "in progress", status_since = SINCE }
learned = LEARNED
expect = EXPECT
"""


def written(folder: Path, tests: list[tuple[str, str, str]], step: str = "") -> RuleSet:
    file = folder / "r.toml"
    text = RULE.replace("STEP", step)
    for since, learned, expect in tests:
        text += TEST.replace("SINCE", since).replace("LEARNED", learned).replace("EXPECT", expect)
    file.write_text(text)
    return load([file])


YES, NO = '"l"', "[]"
FIXED = [("2026-03-16", "{}", NO), ("2026-03-13", "{}", YES)]
PAST = [("2026-03-12", "{ p85 = 6 }", NO), ("2026-03-11", "{ p85 = 6 }", YES)]
BOUNDED = [("2026-03-18", "{ p85 = 1 }", NO), ("2026-03-17", "{ p85 = 1 }", YES),
           ("2026-03-10", "{ p85 = 99 }", NO), ("2026-03-09", "{ p85 = 99 }", YES)]  # fmt: skip


def test_a_test_may_say_what_was_learned_and_from_how_many(tmp_path: Path) -> None:
    few = [("2026-03-13", "{ p85 = 6, items = 29 }", YES), ("2026-03-13", "{ p85 = 6, items = 30 }", NO)]
    results = run(written(tmp_path, [*FIXED, *PAST, *BOUNDED, *few]), Terms())
    assert [str(result) for result in results if not result.passed] == []
    assert len(results) == 10
    [wrong] = run(written(tmp_path, [("2026-03-11", "{ p85 = 6 }", NO)]), Terms())
    assert not wrong.passed


def test_later_days_know_it_too(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    later = TEST.replace("SINCE", "2026-03-12").replace("LEARNED", "{ p85 = 6 }").replace("EXPECT", NO)
    file.write_text(
        RULE.replace("STEP", "at_most = 100,") + later + f"later = [ {{ on = 2026-04-01, expect = {YES} }} ]\n"
    )
    assert [result.passed for result in run(load([file]), Terms())] == [True, True]


def test_every_number_that_a_rule_sets_is_to_be_held_in_place(tmp_path: Path) -> None:
    def left(*tests: tuple[str, str, str], step: str = "") -> list[str]:
        return [edge.what for edge in unnoticed(written(tmp_path, list(tests), step), Terms())]

    assert left(*FIXED, *PAST) == []
    percentile = "business_days_in_status p85 becomes p8"
    assert left(*FIXED) == [f"{percentile}4", f"{percentile}6"]
    fixed = "business_days_in_status otherwise = 4 becomes otherwise ="
    assert left(*PAST) == [f"{fixed} 3", f"{fixed} 5"]
    own = "at_least = 3, at_most = 7, from_items = 9,"
    assert len(left(*FIXED, *PAST, step=own)) == 6
    bounds = [("2026-03-17", "{ p85 = 1 }", NO), ("2026-03-16", "{ p85 = 1 }", YES),
              ("2026-03-11", "{ p85 = 99 }", NO), ("2026-03-10", "{ p85 = 99 }", YES)]  # fmt: skip
    few = [("2026-03-13", "{ p85 = 6, items = 8 }", YES), ("2026-03-13", "{ p85 = 6, items = 9 }", NO)]
    assert left(*FIXED, *PAST, *bounds, *few, step=own) == []


@pytest.mark.parametrize(
    ("learned", "why"),
    [
        ("{ p90 = 6 }", 'unknown key "p90"'),
        ("{ p85 = 6.5 }", "these are whole numbers"),
        ("{ p85 = -1 }", "these are whole numbers"),
        ("6", "this is a table"),
    ],
)
def test_mistakes_in_what_was_learned_are_named(tmp_path: Path, learned: str, why: str) -> None:
    with pytest.raises(RuleErrors, match=why):
        written(tmp_path, [("2026-03-13", learned, YES)])


def test_the_schema_takes_what_the_loader_takes(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    check = jsonschema.Draft202012Validator(json.loads(json.dumps(schema()))).is_valid
    step = {"over": "p85", "otherwise": 10, "label": "l"}
    rule = {"id": "a", "says": "a", "when": {"key": "present"}}

    def valid(**step: object) -> bool:
        return bool(check({"rule": [{**rule, "ladder": {"measure": "business_days_in_status", "steps": [step]}}]}))

    assert valid(**step)
    assert valid(**step, at_least=5, at_most=20, from_items=3)
    for wrong in ({"over": "p0"}, {"over": "p100"}, {"over": "p850"}, {"otherwise": 0}, {"sample": 3}):
        assert not valid(**{**step, **wrong}), wrong
    assert not valid(over="p85", label="l")
    clause = {"business_days_in_status": "over p85, otherwise 10, at least 5, at most 20, from 30 items"}
    assert check({"rule": [{**rule, "when": clause, "label": "l"}]})
    test = {"now": "2026-03-20", "item": {}, "learned": {"p85": 6, "items": 30}, "expect": []}
    assert check({"rule": [{**rule, "label": "l", "test": [test]}]})


def test_a_table_says_it_in_a_column_of_its_own(tmp_path: Path) -> None:
    ruleset = written(tmp_path, [])
    (tmp_path / "t.csv").write_text(
        "now,status category,status since,p85,expect\n2026-03-20,in progress,2026-03-12,6,\n"
        "2026-03-20,in progress,2026-03-11,6,l\n2026-03-20,in progress,2026-03-12,,l\n"
    )
    rows = sheets.read(tmp_path / "t.csv", ["l"], {})
    results = [result for row in rows for result in run_case(ruleset, row.case, row.name, "t.csv", Terms())]
    assert [str(result) for result in results if not result.passed] == []
    assert len(results) == 3
