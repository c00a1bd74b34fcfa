"""Every value word on every column: what SQLite answers is what a plain reading of the same clause says."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.model import WorkItem
from rules.clauses import Clause, Group, Joint, Subject
from rules.columns import COLUMNS, GRADES, Kind
from rules.compile import Scope, clause_sql
from rules.engine import prepare
from rules.reader import DEEPEST
from rules.ruleset import Rule, RuleSet
from rules.words import WordError, parse
from tests.rules.items import ITEMS, TODAY, item, store
from tests.rules.reference import Reading

_TEXT = [
    "Done",
    "not Done",
    "straße",
    "contains e",
    "contains ß",
    "missing",
    "present",
    "placeholder",
    "not placeholder",
    "missing or placeholder",
    "not missing or placeholder",
    "missing or done",
    ["Done", "In Review"],
    ["missing"],
    "  dOnE ",
]
_COUNTS = [
    "over 10",
    "under 10",
    "at least 10",
    "at most 10",
    "exactly 10",
    0,
    10,
    "over 0",
    "under 0",
    "at least 0",
    "at most 0",
    "missing",
    "present",
    "missing or over 10",
    "not over 10",
]
_DAYS = [
    "over 10 days ago",
    "under 10 days ago",
    "at least 1 day ago",
    "at most 0 days ago",
    "exactly 3 days ago",
    "over 10 business days ago",
    "under 10 business days ago",
    "at least 0 business days ago",
    "at most 9 business days ago",
    "exactly 5 business days ago",
    "never or over 30 days ago",
    "never",
    "missing",
    "present",
    "past",
    "not past",
    "within 7 days",
    "within 0 days",
    "before 2026-03-10",
    "on 2026-03-20",
    "after 2026-03-10",
    date(2026, 3, 20),
]

WORDS: dict[Kind, list[Any]] = {
    Kind.TEXT: _TEXT,
    Kind.CATEGORY: [
        "todo",
        "In Progress",
        "in_progress",
        "not done",
        "missing",
        "present",
        ["todo", "in progress"],
        "missing or done",
    ],
    Kind.GRADE: [
        *GRADES,
        "no target",
        "at most vague",
        "over placeholder",
        "under complete",
        "at least no_target",
        "not complete",
        "missing or placeholder",
        ["missing", "no baseline"],
        "present",
    ],
    Kind.DATE: _DAYS,
    Kind.NUMBER: _COUNTS,
    Kind.PEOPLE: [
        "Done",
        "not Done",
        "has done",
        "lacks done",
        "contains r",
        "missing",
        "present",
        ["done", "Straße"],
        "missing or done",
    ],
    Kind.LABELS: [
        "has frozen",
        "lacks FROZEN",
        "not has frozen",
        "has späť",
        "missing",
        "present",
        "missing or has frozen",
    ],
}

PAIRS = [(name, word) for name, column in COLUMNS.items() for word in WORDS[column.kind]]
OURS = RuleSet((Rule("r", ("r",), Group(Joint.ALL, ()), "ours", None, "", 1),), (), "pmo-")
FAST = settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)


def answers(one: WorkItem, clauses: list[Clause]) -> list[bool | None]:
    """What SQLite says of each clause, about this one item."""
    connection = store([one])
    prepare(connection, TODAY)
    scope, found = Scope(TODAY, OURS), []
    for clause in clauses:
        sql = clause_sql(clause, scope)
        value = connection.execute(f"SELECT {sql.text} FROM work_item", sql.values).fetchone()[0]
        found.append(None if value is None else bool(value))
    connection.close()
    return found


def reading(one: WorkItem) -> Reading:
    return Reading(one, TODAY, prefix="pmo-", ours=["ours"])


@settings(FAST, max_examples=60)
@given(ITEMS)
def test_every_word_on_every_column_means_in_sql_what_it_says(one: WorkItem) -> None:
    expected = [reading(one).clause(name, word) for name, word in PAIRS]
    got = answers(one, [parse(Subject(name), word) for name, word in PAIRS])
    differ = [(pair, want, have) for pair, want, have in zip(PAIRS, expected, got, strict=True) if want is not have]
    assert not differ


@FAST
@given(ITEMS, st.sampled_from(["Cost centre", "Größe's", "absent"]))
def test_custom_fields_are_text_and_an_absent_one_is_unknown(one: WorkItem, name: str) -> None:
    expected = [reading(one).condition({"fields": {name: word}}) for word in _TEXT]
    assert answers(one, [parse(Subject(name, custom=True), word) for word in _TEXT]) == expected


_LEAVES = st.sampled_from(
    [{name: word} for name, word in PAIRS if name in ("status", "due_at", "labels", "outcome_grade")]
)
_CONDITIONS = st.recursive(
    _LEAVES,
    lambda inner: st.dictionaries(
        st.sampled_from(["any", "all", "none"]), st.lists(inner, min_size=1, max_size=3), min_size=1
    ),
    max_leaves=8,
)


def _clause(table: dict[str, Any]) -> Clause:
    parts: list[Clause] = []
    for name, value in table.items():
        if name in ("any", "all", "none"):
            parts.append(Group(Joint(name), tuple(_clause(entry) for entry in value)))
        else:
            parts.append(parse(Subject(name), value))
    return Group(Joint.ALL, tuple(parts))


@settings(FAST, max_examples=150)
@given(ITEMS, _CONDITIONS)
def test_groups_carry_the_unknown_as_a_plain_reading_does(one: WorkItem, table: dict[str, Any]) -> None:
    assert answers(one, [_clause(table)]) == [reading(one).condition(table)]


@pytest.mark.parametrize(
    ("values", "clause", "answer"),
    [
        ({}, {"sponsor": "missing"}, True),
        ({}, {"status": "not Done"}, True),
        ({"unknown": frozenset({"sponsor"})}, {"sponsor": "missing"}, None),
        ({"unknown": frozenset({"status"})}, {"status": "not Done"}, None),
        ({"unknown": frozenset({"status"})}, {"none": [{"status": "Done"}]}, None),
        ({"unknown": frozenset({"status"})}, {"any": [{"status": "Done"}, {"sponsor": "missing"}]}, True),
        ({}, {"due_at": "past"}, False),
        ({}, {"due_at": "not past"}, True),
        ({"labels": ("pmo-own",)}, {"labels": "missing"}, True),
        ({"labels": ("ours",)}, {"labels": "missing"}, True),
        ({"labels": ("theirs",)}, {"labels": "missing"}, False),
    ],
)
def test_the_answers_that_people_ask_about(values: dict[str, Any], clause: dict[str, Any], answer: bool | None) -> None:
    assert answers(item(**values), [_clause(clause)]) == [answer]


REFUSED: list[tuple[str, Any, str]] = [
    ("sponsor", "over 30", "sponsor is text"),
    ("sponsor", "mising", 'did you mean "missing"?'),
    ("sponsor", "empty", 'did you mean "missing"?'),
    ("sponsor", "", 'did you mean "missing"?'),
    ("sponsor", "includes Ann", 'did you mean "contains Ann"?'),
    ("sponsor", 3, "sponsor is text, not a number"),
    ("sponsor", True, "true is no value word"),
    ("sponsor", [], "the list is empty"),
    ("sponsor", [1], 'write "1", in quotes'),
    ("sponsor", ["missing", "Ann"], '"missing" is a word'),
    ("sponsor", date(2026, 3, 1), "does not fit"),
    ("sponsor", {"is": "Ann"}, "takes a value, not a table"),
    ("sponsor", "missing or not Ann", "more than one clause"),
    ("sponsor", "missing or present", "more than one clause"),
    ("status", "Not started", 'write ["Not started"]'),
    ("status", "never", "status is text"),
    ("status", "has blockers", 'write ["has blockers"]'),
    ("status_category", "doing", "no status category"),
    ("status_category", "in progres", 'did you mean "in progress"?'),
    ("outcome_grade", "at most good", "no grade"),
    ("outcome_grade", "over complete", "no grade is"),
    ("due_at", "over 30", 'did you mean "over 30 days ago"?'),
    ("due_at", "older than 30 days ago", 'did you mean "over 30 days ago"?'),
    ("due_at", "on 2026-02-30", "no day of the calendar"),
    ("due_at", "over 99999999999999999999 days ago", "more than a hundred years"),
    ("due_at", 5, "due_at is a date"),
    ("due_at", ["past"], "takes no list"),
    ("age_days", "over 30 days ago", 'did you mean "over 30"?'),
    ("age_days", "more than 30", 'did you mean "over 30"?'),
    ("age_days", 1.5, "counts whole days"),
    ("age_days", "over -1", "counts whole days"),
    ("percent_complete", float("nan"), "ordinary number"),
    ("percent_complete", "many", "percent_complete is a number"),
    ("labels", "frozen", 'did you mean "has frozen"?'),
    ("labels", ["frozen"], "takes no list"),
    ("assignees", "over 3", "list of people"),
]


@pytest.mark.parametrize(("name", "word", "why"), REFUSED)
def test_what_makes_no_sense_is_refused_with_the_reason(name: str, word: Any, why: str) -> None:
    with pytest.raises(WordError) as caught:
        parse(Subject(name), word)
    assert why in str(caught.value)


@given(
    st.sampled_from(list(COLUMNS)),
    st.text(max_size=30) | st.integers() | st.floats() | st.booleans() | st.lists(st.text()),
)
def test_any_value_is_a_word_or_a_word_error(name: str, value: Any) -> None:
    try:
        clause = parse(Subject(name), value)
    except WordError:
        return
    assert answers(item(), [clause]) != []


def test_the_deepest_nesting_that_may_be_written_is_not_too_deep_for_sqlite() -> None:
    clause: Clause = parse(Subject("sponsor"), "missing")
    for _ in range(DEEPEST):
        clause = Group(Joint.NONE, (clause,))
    assert answers(item(), [clause]) == [DEEPEST % 2 == 0]
