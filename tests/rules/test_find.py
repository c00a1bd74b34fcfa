"""Many rules in one pass find what each finds alone, whatever is unknown, and a rule that fails fails alone."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.model import ItemRef, WorkItem
from rules import find
from rules.compile import Scope, answer_sql
from rules.engine import evaluate, prepare
from rules.loader import builtin_files, load
from rules.ruleset import Rule, RuleSet
from rules.table import resolve
from tests.rules.items import ITEMS, TODAY, item, store
from tests.rules.test_language import FAST

COLUMNS = {
    "sponsor": ["missing", "placeholder", "Done", "not done", "contains e"],
    "status_category": ["not done", "missing"],
    "outcome_grade": ["at most vague", "unreviewed", "missing"],
    "outcome_category": ["missing", "present"],
    "business_days_in_status": ["over 4", "missing"],
    "days_since_review": ["over 9"],
    "parent_key": ["missing"],
}
OTHERS = """
[[rule]]
id = "field"
label = "field"
says = 'x'
when = { fields = { "Cost centre" = "missing" } }
[[rule]]
id = "sql"
label = "sql"
says = "{sponsor}"
when = { sql = "length(title) > 3 and outcome_metric <> ''" }
[[rule]]
id = "either"
label = "either"
says = "{outcome_grade}"
when.any = [ { sponsor = "missing" }, { none = [ { owner = "done" } ] }, { outcome_target = "present" } ]
"""


def _rules() -> str:
    pairs = [(column, word) for column, words in COLUMNS.items() for word in words]
    return OTHERS + "\n".join(
        f'[[rule]]\nid = "{column}-{number}"\nlabel = "l-{column}-{number}"\nsays = "so"\n'
        f'when = {{ {column} = "{word}" }}'
        for number, (column, word) in enumerate(pairs)
    )


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """More than fit in one pass."""
    folder = tmp_path_factory.mktemp("rules")
    (folder / "own.toml").write_text(_rules())
    ruleset = load([folder / "own.toml", *builtin_files()])
    more = [replace(rule, id=f"{rule.id}-again") for rule in ruleset.rules]
    assert len(ruleset.rules) < find._TOGETHER < 2 * len(ruleset.rules)
    return replace(ruleset, rules=(*ruleset.rules, *more))


def alone(connection: sqlite3.Connection, ruleset: RuleSet, rule: Rule) -> tuple[set[int], set[int]]:
    """The items that the rule's own statement holds for, and those that it cannot tell about, doubting everything."""
    answer = answer_sql(rule, Scope(TODAY, ruleset))
    answers = dict(connection.execute(f"SELECT id, {answer.text} FROM work_item", answer.values).fetchall())
    return {each for each, holds in answers.items() if holds}, {
        each for each, holds in answers.items() if holds is None
    }


@FAST
@given(st.lists(ITEMS, min_size=1, max_size=4), st.booleans())
def test_one_pass_finds_what_each_rule_finds_alone(rules: RuleSet, items: list[WorkItem], linked: bool) -> None:
    above = [None, *(ItemRef("test", str(number)) for number in range(len(items)))]
    connection = store(
        replace(one, ref=ItemRef("test", str(number)), parent_ref=above[number]) for number, one in enumerate(items)
    )
    if linked:
        resolve(connection, ["test"])
    evaluation = evaluate(connection, rules, TODAY)
    assert evaluation.failures == ()
    prepare(connection, TODAY)
    for position, (rule, count) in enumerate(zip(rules.rules, evaluation.counts, strict=True)):
        found = {row[0] for row in connection.execute("SELECT item_id FROM temp.found WHERE rule = ?", (rule.id,))}
        unsure = {row[0] for row in connection.execute("SELECT item_id FROM temp.unsure WHERE rule = ?", (position,))}
        assert (found, unsure) == alone(connection, rules, rule), rule.id
        assert (count.rule, count.matched, count.unknown) == (rule.id, len(found), len(unsure))


def test_a_rule_that_stumbles_over_one_row_leaves_the_others_their_pass(rules: RuleSet) -> None:
    connection = store([item("1"), item("2")])
    connection.execute("UPDATE item_detail SET fields = 'no JSON' WHERE item_id = 2")
    evaluation = evaluate(connection, rules, TODAY)
    assert [rule for rule, _ in evaluation.failures] == ["field", "field-again"]
    assert "malformed JSON" in evaluation.failures[0][1]
    fine = [rule.id for rule in rules.rules if not rule.id.startswith("field")]
    assert [count.rule for count in evaluation.counts] == fine
    assert [count.matched for count in evaluation.counts if count.rule == "sponsor-0"] == [2]


def test_a_reason_that_cannot_be_said_fails_its_rule_alone(tmp_path: Path) -> None:
    rules = '[[rule]]\nid = "a"\nlabel = "a"\nsays = "{fields.CC}"\nwhen = { sponsor = "missing" }\n'
    (tmp_path / "rules.toml").write_text(rules + rules.replace('"a"', '"b"').replace("{fields.CC}", "so"))
    connection = store([item("1")])
    connection.execute("UPDATE item_detail SET fields = 'no JSON'")
    evaluation = evaluate(connection, load([tmp_path / "rules.toml"]), TODAY)
    assert [rule for rule, _ in evaluation.failures] == ["a"]
    assert connection.execute("SELECT rule FROM temp.found").fetchall() == [("b",)]
