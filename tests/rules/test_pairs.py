"""Every value word against every column: taken where it makes sense, refused with a reason where it does not.

What is taken must also have been seen to answer yes, no and unknown, and each time as the plain reading does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from connectors.model import Certainty, ItemRef, StatusCategory, WorkItem
from rules.clauses import Subject
from rules.columns import ANSWERABLE, COLUMNS, Column, Kind, unknown_bit
from rules.compile import Scope, clause_sql
from rules.engine import prepare
from rules.table import resolve
from rules.words import WordError, parse
from tests.rules.items import NOW, TODAY, item, store
from tests.rules.reference import OF_INITIATIVES, Reading
from tests.rules.test_language import OURS, PAIRS

TEXTS, LISTS = {Kind.TEXT, Kind.PEOPLE}, {Kind.PEOPLE, Kind.LABELS}
SENSE: list[tuple[Any, set[Kind]]] = [
    ("missing", set(Kind)),
    ("present", set(Kind)),
    ("not missing", set(Kind)),
    ("placeholder", {Kind.TEXT, Kind.GRADE}),
    ("missing or placeholder", {Kind.TEXT, Kind.GRADE}),
    ("Sales", TEXTS),
    ("not Sales", TEXTS),
    ("contains ale", TEXTS),
    (["Sales", "e"], TEXTS),
    (["past"], TEXTS),
    ("has frozen", LISTS),
    ("lacks frozen", LISTS),
    ("missing or has frozen", LISTS),
    ("todo", TEXTS | {Kind.CATEGORY}),
    ("not in progress", TEXTS | {Kind.CATEGORY}),
    (["todo", "done"], TEXTS | {Kind.CATEGORY}),
    ("vague", TEXTS | {Kind.GRADE}),
    (["vague", "no target"], TEXTS | {Kind.GRADE}),
    ("at most vague", {Kind.GRADE, Kind.PEOPLE}),
    ("over no target", {Kind.GRADE, Kind.PEOPLE}),
    ("over 30", {Kind.NUMBER}),
    ("at least 5", {Kind.NUMBER}),
    ("not under 5", {Kind.NUMBER}),
    ("missing or over 5", {Kind.NUMBER}),
    ("5", TEXTS | {Kind.NUMBER}),
    (5, {Kind.NUMBER}),
    ("over 30 days ago", {Kind.DATE}),
    ("at most 5 business days ago", {Kind.DATE}),
    ("never", {Kind.DATE}),
    ("never or over 90 days ago", {Kind.DATE}),
    ("past", {Kind.DATE}),
    ("not past", {Kind.DATE}),
    ("within 7 days", {Kind.DATE}),
    ("before 2026-03-01", {Kind.DATE}),
    ("on 2026-03-01", {Kind.DATE}),
    (date(2026, 3, 1), {Kind.DATE}),
    (True, set()),
    ("", set()),
    ([], set()),
    ([5], set()),
    ({"over": 5}, set()),
]
"""A word, and the kinds of columns on which it makes sense."""


@pytest.mark.parametrize("column", COLUMNS.values(), ids=lambda column: column.name)
def test_a_word_is_taken_where_it_makes_sense_and_refused_with_a_reason_elsewhere(column: Column) -> None:
    for word, kinds in SENSE:
        said = refusal(column.name, word)
        assert (not said) == (column.kind in kinds), (word, said)
        if said:
            assert "\n" not in said
            assert any(way_on in said for way_on in ("use ", "did you mean", "write ", "ask ", "name ")), said


def refusal(name: str, word: Any) -> str:
    try:
        parse(Subject(name), word)
    except WordError as error:
        return str(error)
    return ""


TAKEN = [(name, word) for name, column in COLUMNS.items() for word, kinds in SENSE if column.kind in kinds]
ALL = [*PAIRS, *(pair for pair in TAKEN if pair not in PAIRS)]


# Items that tell the words apart


_MOMENTS = [None, *(NOW + timedelta(days=day) for day in (
    -400, -92, -40, -31, -30, -19, -15, -14, -11, -10, -9, -7, -5, -3, -1, 0, 1, 7, 8, 30,
))]  # fmt: skip
_TEXTS = [
    None, "", "Done", "in review", "Straße", "missing", "tbd", "xyz", "e", "10", "placeholder", "present", "past",
    "todo", "in progress", "vague", "no target", "5", "Sales",
]  # fmt: skip
_METRICS = ["99.9 % uptime", "Happier customers", *["Churn to 3 %"] * 8]
_LABELS = [(), ("frozen",), ("späť", "x"), ("pmo-x",), ("ours", "Frozen")]
_PEOPLE = [(), (" ",), ("r",), *((text, "Ann") for text in ("Done", "straße", "frozen", *_TEXTS[10:]) if text)]
_PERCENT = [None, 0.0, 4.0, 5.0, 9.5, 10.0, 11.0, 31.0, 100.0]
_RANKS = ["at most vague", "over no target"]
"""Names that nobody has, and that only a list of people takes for names."""


def _one(number: int) -> WorkItem:
    """The n-th item: each column walks through its own values, none in step with another."""

    def pick(values: Sequence[Any], at: int = number) -> Any:
        return values[at % len(values)]

    texts = {name: pick(_TEXTS, number + place) for place, name in enumerate(_BY_KIND[Kind.TEXT])}
    moments = {name: pick(_MOMENTS, number + 3 * place) for place, name in enumerate(_BY_KIND[Kind.DATE])}
    graded = number % 2 == 0
    outcome = {"outcome_metric": pick(_METRICS, number // 2)} if graded else {}
    if graded and number % 4:
        outcome |= {"outcome_baseline": "5 %", "outcome_target": "3 %" if number % 3 else None}
    values = {**texts, **moments, **outcome} | {name: texts[name] or "" for name in ("key", "title", "collection")}
    one = item(
        f"n{number}",
        status_category=pick([None, *StatusCategory]),
        status_since_is=pick([*Certainty]),
        percent_complete=pick(_PERCENT),
        assignees=pick(_PEOPLE + [(rank,) for rank in _RANKS]),
        labels=pick(_LABELS),
        unknown=frozenset(ANSWERABLE) if number % 10 == 9 else frozenset(),
        **values,
    )
    source, parent = pick(_TEXTS, number + 1) or "", pick(_TEXTS)
    return replace(one, ref=ItemRef(source, f"n{number}"), parent_ref=ItemRef(source, parent) if parent else None)


_BY_KIND = {
    kind: [name for name, column in COLUMNS.items() if column.kind is kind and not column.derived] for kind in Kind
}
_BY_KIND[Kind.TEXT].remove("status_since_is")

CORPUS = [_one(number) for number in range(12 * len(_TEXTS) * 2)]
FAMILY = ("items_below", "finished_below", "outcome_from", "sponsor_above")
"""Columns that an item alone cannot show."""


def families() -> Iterator[tuple[WorkItem, list[WorkItem], dict[str, Any]]]:
    """An item, those above and below it, and what its `FAMILY` columns then hold."""
    for number, text in enumerate([*_TEXTS, *_TEXTS[1:]]):
        below, untold = number % 33, number % 5 == 4
        finished = 0 if untold else below if number % 2 or below == 10 else below // 2
        began = NOW - timedelta(days=number - 1)
        unknown = frozenset({"parent_ref", "sponsor", "started_at"}) if number % 7 == 2 else frozenset[str]()
        one = item(f"n{number}", parent_ref=ItemRef("test", f"up{number}") if text else None, unknown=unknown)
        above = item(f"up{number}", key=text or "", sponsor=text, outcome_metric="Churn to 3 %")
        children = [
            item(
                f"n{number}-{child}",
                parent_ref=one.ref,
                status_category=StatusCategory.DONE if child < finished else StatusCategory.TODO,
                unknown=frozenset({"status_category"} if untold else ()),
                started_at=began if child == 0 else None,
            )
            for child in range(below)
        ]
        holds: dict[str, Any] = {"items_below": below, "finished_below": None if untold and below else finished}
        holds |= {"sponsor_above": text, "outcome_from": text, "began": began if below else None}
        yield one, [*([above] if text else []), *children], holds


def answers(connection: sqlite3.Connection, pairs: list[tuple[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """What SQLite says of each pair, by the native id of each item."""
    prepare(connection, TODAY)
    found = {}
    for name, word in pairs:
        sql = clause_sql(parse(Subject(name), word), Scope(TODAY, OURS))
        rows = connection.execute(f"SELECT native_id, {sql.text} FROM work_item", sql.values)
        found[name, str(word)] = {row[0]: None if row[1] is None else bool(row[1]) for row in rows}
    return found


def could(name: str, word: Any) -> set[bool | None]:
    """The answers that some item gives."""
    known: set[bool | None] = {False} if word == "under 0" else {True, False}
    if name == "items_below":  # a number, always
        known -= {"missing": {True}, "present": {False}, "not missing": {False}, "at least 0": {False}}.get(word, set())
    return known | ({None} if unknown_bit(name) else set())


def assert_all_seen(seen: Mapping[tuple[str, Any], set[bool | None]]) -> None:
    """`status_since_is` holds one of two words, and is never empty."""
    missed = {
        pair: could(*pair) - got for pair, got in seen.items() if could(*pair) - got and pair[0] != "status_since_is"
    }
    assert not missed


def test_every_pair_answers_yes_no_and_unknown_as_a_plain_reading_does() -> None:
    pairs = [(name, word) for name, word in ALL if name not in (*FAMILY, *OF_INITIATIVES)]
    got = answers(store(CORPUS), pairs)
    readings = {one.ref.native_id: Reading(one, TODAY, prefix="pmo-", ours=["ours"]) for one in CORPUS}
    for name, word in pairs:
        expected = {native_id: reading.clause(name, word) for native_id, reading in readings.items()}
        assert got[name, str(word)] == expected, (name, word)
    assert_all_seen({pair: set(by_item.values()) for pair, by_item in got.items()})


def test_every_pair_on_what_is_above_and_below_does_too() -> None:
    pairs = [(name, word) for name, word in ALL if name in (*FAMILY, "underway_days")]
    all_families = [*families()]
    connection = store([each for one, around, _ in all_families for each in (one, *around)])
    resolve(connection, ("test",))
    got = answers(connection, pairs)
    seen: dict[tuple[str, str], set[bool | None]] = {pair: set() for pair in got}
    for one, _, holds in all_families:
        reading = Reading(one, TODAY, prefix="pmo-", ours=["ours"], around=holds)
        for name, word in pairs:
            answer = got[name, str(word)][one.ref.native_id]
            assert answer is reading.clause(name, word), (name, word, holds)
            seen[name, str(word)].add(answer)
    assert_all_seen(seen)
