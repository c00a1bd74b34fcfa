"""`sql = "…"`: what it may say means what SQL says, and everything else is refused when the file is read."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.model import ItemRef
from rules.clauses import Subject
from rules.compile import Doubts, expression_sql
from rules.engine import RuleCount, evaluate, prepare
from rules.escape import FUNCTIONS, LONGEST, EscapeError, expression
from rules.explain import Answer, as_text, explain
from rules.loader import load
from rules.ruleset import RuleSet
from tests.rules.items import NOW, TODAY, item, store


def ruleset_of(folder: Path, sql: str) -> RuleSet:
    file = folder / "sql.toml"
    again = '[[rule]]\nid = "other"\nlabel = "pmo-b"\nsays = "s"\nwhen = { sponsor = "missing" }\n'
    rule = f'[[rule]]\nid = "escape"\nlabel = "pmo-a"\nsays = "s"\n[rule.when]\nsql = {sql!r}\n'
    file.write_text(rule + again, encoding="utf-8")
    return load([file], prefix="pmo-")


def answer(sql: str, **values: Any) -> bool | None:
    connection = store([item(**values)])
    prepare(connection, TODAY)
    compiled = expression_sql(expression(sql), Doubts())
    found = connection.execute(f"SELECT {compiled.text} FROM work_item", compiled.values).fetchone()[0]
    return None if found is None else bool(found)


@pytest.mark.parametrize(
    ("sql", "values", "expected"),
    [
        ("due_at_day < started_at_day", {"due_at": NOW, "started_at": NOW + timedelta(days=1)}, True),
        ("due_at_day < started_at_day", {"due_at": NOW, "started_at": NOW}, False),
        ("due_at_day < started_at_day", {"due_at": NOW}, False),
        ("due_at_day < started_at_day", {"unknown": frozenset({"due_at"})}, None),
        ("owner = sponsor OR title LIKE '%(draft)%'", {"title": "Plan (draft)"}, True),
        ('"owner" = sponsor', {"owner": "Ann", "sponsor": "Ann"}, True),
        ("outcome_grade = 'missing' and age_days > 3", {"created_at": NOW - timedelta(days=4)}, True),
        ("outcome_grade = 'missing'", {"unknown": frozenset({"outcome_metric"})}, None),
        ("json_array_length(assignees) > 2", {"assignees": ("a", "b", "c")}, True),
        ("exists (select 1 from json_each(assignees) where value = owner)", {"assignees": ("a",), "owner": "a"}, True),
        ('CAST(fields."Budget, \'26" AS REAL) > 1000', {"fields": {"Budget, '26": "1000.5"}}, True),
        ("fields.\"Budget\" > ''", {"fields": {}}, None),
        ("title", {"title": "12"}, True),
        ("title", {"title": "twelve"}, False),
    ],
)
def test_what_it_says_is_what_sql_says_and_unknown_where_a_tool_cannot_tell(
    sql: str, values: dict[str, Any], expected: bool | None
) -> None:
    assert answer(sql, **values) is expected


REFUSED = [
    ("", "is empty"),
    ("1", "names no column"),
    ("title = " + "'x'" * LONGEST, "longer than"),
    ("titel = 'x'", 'names "titel", and there is no such column (did you mean "title"?)'),
    ('title = "Done"', "single quotes: 'Done'"),
    ("title = 'x", "does not end"),
    ("title = (1", "brackets"),
    ("title) OR (1", "brackets"),
    ("title = 1 -- no more", '"--"'),
    ("title = 1 /* no more", '"/*"'),
    ("title = 1; DROP TABLE item", '";"'),
    ("title = ?", '"?"'),
    ("title = :name", "SQLite cannot read the SQL"),
    ("title, status", "SQLite cannot read the SQL"),
    ("max(title)", "SQLite cannot read the SQL"),
    ("labels LIKE '%x%'", 'labels = "has X"'),
    ("updated_at_day < 1", "no such column"),
    ("updated_at < 'x'", "status_since"),
    ("title = fields", 'fields."Cost centre"'),
    ("id = 1", "no such column"),
    ("hash = 1", "no such column"),
    ("rowid = title", "names"),
    ("title IN (SELECT key FROM work_item)", 'the table "work_item"'),
    ("title IN (SELECT name FROM sqlite_master)", 'the table "sqlite_master"'),
    ("title IN (SELECT name FROM pragma_table_info('item'))", "nothing else"),
    ("load_extension(title)", "load_extension"),
    ("readfile(title)", "readfile"),
    ("random() > age_days", "calls random"),
    ("date('now') > due_at", "calls date"),
    ("is_placeholder(title)", "is_placeholder"),
    ("title MATCH 'x'", "match"),
    ("title IN (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c)", "nothing else"),
    ("title = 1 AND (PRAGMA user_version)", "SQLite cannot read the SQL"),
    ("title = (DELETE FROM item)", "SQLite cannot read the SQL"),
    ("title = 1 UNION SELECT 1", "SQLite cannot read the SQL"),
    (
        "(SELECT count(*) FROM " + ", ".join(f"json_each('[1,2,3,4,5,6,7,8,9]') j{n}" for n in range(9)) + ") > title",
        "count",
    ),
    (
        "exists (SELECT 1 FROM "
        + ", ".join(f"json_each('[1,2,3,4,5,6,7,8,9]') j{n}" for n in range(9))
        + " WHERE j1.value + j2.value + j8.value > 99) or title",
        "takes too long",
    ),
]


def grown(times: int) -> str:
    """SQL that makes a text of 20 letters to that power."""
    return "replace(" * times + "'aaaaaaaaaaaaaaaaaaaa'" + ", 'a', 'aaaaaaaaaaaaaaaaaaaa')" * times


REFUSED += [
    (f"instr({grown(4)}, {grown(3)} || 'b') or title", "too much memory"),  # a single step, and the square of it
    (f"replace({grown(4)}, {grown(3)} || 'b', '') = title", "too much memory"),
    (f"trim({grown(4)}, {grown(3)}) = title", "too much memory"),
    (f"{grown(4)} LIKE '%a%a%a%a%a%b' or title", "too much memory"),
    (f"title IN (WITH a AS (SELECT {grown(3)} AS x) SELECT x || x || x FROM a)", "too much memory"),
    ("title IN (WITH RECURSIVE a AS (SELECT 1 UNION SELECT 2 FROM a) SELECT * FROM a)", "nothing else"),
    ("NOT " * 900 + "title", "SQLite cannot read"),
    ("(" * 1900 + "title" + ")" * 1900, "SQLite cannot read"),
    ("exists (SELECT 1 FROM json_tree(assignees))", "nothing else"),
    ("exists (SELECT 1 FROM main.item)", 'the table "main.item"'),
    ("exists (SELECT 1 FROM temp.found)", 'the table "temp.found"'),
    ("title IN item", 'the table "item"'),
    ("(SELECT sql FROM sqlite_schema) = title", 'the table "sqlite_master"'),
    ("exists (SELECT 1 FROM pragma_database_list)", "nothing else"),
    ("[title] = 1", '"["'),
    ("`title` = 1", '"`"'),
    ("title = @name", "SQLite cannot read"),
    ("title = $name", "SQLite cannot read"),
    ("title = #1", "SQLite cannot read"),
    ("raise(ABORT, 'x') = title", "SQLite cannot read"),
    ("row_number() OVER () = age_days", "row_number"),
    ("title REGEXP 'x'", "may not"),
    ("assignees ->> 0 = 'x'", "calls ->>"),
    ("current_timestamp > title", "calls current_timestamp"),
    ("julianday(CURRENT_DATE) > due_at_day", "may not"),
    ("strftime('%s', 'now') > title", "calls strftime"),
    ("printf('%1000000000d', 1) = title", "calls printf"),
    ("zeroblob(1000000000) = title", "calls zeroblob"),
    ("randomblob(9) = title", "calls randomblob"),
    ("hex(title) = '1'", "calls hex"),
    ("group_concat(title) = 'x'", "calls group_concat"),
    ("last_insert_rowid() = age_days", "calls last_insert_rowid"),
    ("sqlite_version() = title", "calls sqlite_version"),
    ("local_day(source, created_at) = 1", "local_day"),
    ("folded(title) = 'x'", "folded"),
    ("title COLLATE nowhere = 'x'", "SQLite cannot read"),
    ("title = 'a\x00b'", "SQLite cannot read"),
    ("oid = title", "names"),
    ("_rowid_ = title", "names"),
    ("unknown = 0", "no such column"),
    ("missing_since IS NULL", "no such column"),
    ("calendar = 0", "no such column"),
    ("exists (SELECT * FROM (SELECT labels))", 'labels = "has X"'),
    ("exists (SELECT updated_at)", "status_since"),
    ("title = (SELECT fields)", 'fields."Cost centre"'),
    ("json_extract(fıelds, '$') = title", 'fields."Cost centre"'),
    ("title = 1) UNION SELECT id FROM item WHERE (1", "brackets"),
    ("1=1) IS TRUE) THEN 1 END) OR ((SELECT 1 FROM item", "brackets"),
    ("ATTACH 'x' AS y", "SQLite cannot read"),
    ("title = 1 RETURNING 1", "SQLite cannot read"),
    ("title = 1 LIMIT 0", "SQLite cannot read"),
    ("title = 1 GROUP BY 1", "SQLite cannot read"),
    ("title = 1 WINDOW w AS ()", "SQLite cannot read"),
    ("VACUUM INTO 'x'", "SQLite cannot read"),
]


@pytest.mark.parametrize(("sql", "why"), REFUSED)
def test_whatever_else_is_refused_with_the_reason(sql: str, why: str) -> None:
    with pytest.raises(EscapeError) as caught:
        expression(sql)
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_that_grows_without_end_is_refused() -> None:
    grown = "'" + "a" * 30 + "'"
    for _ in range(8):
        grown = f"replace({grown}, 'a', 'aaaaaaaaaaaaaaaaaaaaaaaaa')"
    with pytest.raises(EscapeError, match="too much memory"):
        expression(f"length({grown}) > title")


@given(st.text("abt()'\"-;/*?= ,\\\n[]`", max_size=14) | st.text(max_size=12))
def test_any_text_is_an_expression_or_refused(wrote: str) -> None:
    try:
        found = expression(f"title = {wrote}")
    except EscapeError:
        return
    compiled = expression_sql(found, Doubts())
    connection = store([item()])
    prepare(connection, TODAY)
    connection.execute(f"SELECT {compiled.text}, 1 FROM work_item", compiled.values).fetchall()


def test_a_mistake_in_it_has_its_place_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r'sql.toml:6: rule "escape": sql: the SQL names "titel"'):
        ruleset_of(tmp_path, "titel = 1")
    file = tmp_path / "sql.toml"
    file.write_text(file.read_text().replace("'titel = 1'", "true"))
    with pytest.raises(Exception, match="a condition as a text in quotes, and not true"):
        load([file], prefix="pmo-")


BREAKS = "json_extract(title, '$.a') = 1"


def test_one_that_fails_on_a_row_fails_alone(tmp_path: Path) -> None:
    ruleset = ruleset_of(tmp_path, BREAKS)
    connection = store([item("1", title='{"a": 1}'), item("2", title="no json")])
    evaluation = evaluate(connection, ruleset, TODAY)
    assert evaluation.counts == (RuleCount("other", 2, 2, 0),)
    assert [rule for rule, _ in evaluation.failures] == ["escape"]
    assert "malformed JSON; its labels stay as they are" in evaluation.failures[0][1]
    assert {row[0] for row in connection.execute("SELECT rule FROM temp.found")} == {"other"}


def test_one_that_runs_away_on_what_is_stored_is_stopped(tmp_path: Path) -> None:
    far = ", ".join(f"json_each(assignees) j{number}" for number in range(7))
    ruleset = ruleset_of(tmp_path, f"exists (SELECT 1 FROM {far} WHERE j1.value = j2.value || j6.value || 'x')")
    connection = store([item("1", assignees=tuple(f"person {number}" for number in range(40)))])
    evaluation = evaluate(connection, ruleset, TODAY)
    assert [count.rule for count in evaluation.counts] == ["other"]
    assert "its SQL takes too long; make it simpler; its labels stay as they are" in evaluation.failures[0][1]


def test_a_text_that_is_too_long_for_it_fails_that_rule_alone(tmp_path: Path) -> None:
    ruleset = ruleset_of(tmp_path, "instr(description, 'x' || title) > 0")
    connection = store([item("1", description="y" * 1_100_000), item("2", description="x")])
    evaluation = evaluate(connection, ruleset, TODAY)
    assert [count.rule for count in evaluation.counts] == ["other"]
    assert "reads or makes a text of over 1 MB" in evaluation.failures[0][1]
    assert "over 1 MB" in as_text("T", explain(connection, ruleset, TODAY, 1))


def test_one_that_works_hard_on_every_item_is_stopped_before_long(tmp_path: Path) -> None:
    """So many steps that a single item is fine, and a thousand are minutes of work."""
    people = ", ".join(f"json_each(assignees) j{number}" for number in range(4))
    ruleset = ruleset_of(tmp_path, f"exists (SELECT 1 FROM {people} WHERE j0.value || j3.value = 'x')")
    one = item("1", assignees=tuple(f"person {number}" for number in range(14)))
    assert not evaluate(store([one]), ruleset, TODAY).failures
    many = [replace(one, ref=ItemRef("test", str(number))) for number in range(100)]
    assert evaluate(store(many), ruleset, TODAY).failures


def test_explain_shows_what_it_read_and_where_it_fails(tmp_path: Path) -> None:
    connection = store([item("1", title="no json"), item("2", title='{"a": 1}')])
    for number, expected in ((1, Answer.UNKNOWN), (2, Answer.YES)):
        told = explain(connection, ruleset_of(tmp_path, BREAKS), TODAY, number)[0]
        assert told.clauses[0].answer is expected
        assert told.matched == (expected is Answer.YES)
        assert ("title: no json (it fails on them: malformed JSON)" in as_text("T", [told])) != told.matched
    assert told.clears_when == "its sql no longer holds"


def test_what_it_reads_counts_as_what_the_rule_depends_on() -> None:
    found = expression('due_at_day < 3 and fields."CC" = outcome_grade')
    assert set(found.subjects) == {Subject("due_at"), Subject("CC", custom=True), Subject("outcome_grade")}


def test_items_about_which_it_cannot_tell_are_counted(tmp_path: Path) -> None:
    connection = store([item("1", owner="a", unknown=frozenset({"sponsor"})), item("2", owner="a", sponsor="a")])
    evaluation = evaluate(connection, ruleset_of(tmp_path, "owner = sponsor"), TODAY)
    assert evaluation.counts[0] == RuleCount("escape", 1, 2, 1)


def test_every_function_that_it_may_call_exists() -> None:
    known = {row[0] for row in sqlite3.connect(":memory:").execute("SELECT name FROM pragma_function_list")}
    assert set(FUNCTIONS) - {"json_each"} <= known
