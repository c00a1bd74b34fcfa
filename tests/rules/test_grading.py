"""Placeholders and grades: one definition, in Python and in SQL."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.grading import SHIPPED, Grader, Placeholders
from rules.text import fold, fold_sql, register
from tests.rules.items import TEXTS

PLACEHOLDERS = Placeholders()
AROUND = st.text(" .-?!()[]…–\t", max_size=3)


@pytest.fixture(scope="module")
def connection() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:")
    register(made)
    made.create_function("is_placeholder", 1, PLACEHOLDERS, deterministic=True)
    return made


@given(text=TEXTS | st.text())
def test_sql_folds_as_python_does(connection: sqlite3.Connection, text: str) -> None:
    value = connection.execute(f"SELECT {fold_sql('t')} FROM (SELECT ? AS t)", (text,)).fetchone()[0]
    assert value == fold(text)


@given(text=TEXTS | st.text() | st.builds("{}{}{}".format, AROUND, st.sampled_from(SHIPPED), AROUND))
def test_sql_and_python_agree_on_placeholders_and_so_does_the_grade(connection: sqlite3.Connection, text: str) -> None:
    sql, values = PLACEHOLDERS.sql("t")
    in_sql = connection.execute(f"SELECT {sql} FROM (SELECT ? AS t)", (*values, text)).fetchone()[0]
    assert bool(in_sql) == PLACEHOLDERS(text) == (Grader().grade(text) == 1)


def test_ascii_never_leaves_sqlite() -> None:
    sqlite3.enable_callback_tracebacks(False)  # importing Datasette turns them on, and pytest takes them for failures
    bare = sqlite3.connect(":memory:")
    bare.create_function("fold", 1, fail)
    bare.create_function("is_placeholder", 1, fail)
    sql, values = PLACEHOLDERS.sql("t")
    for text in (" TBD ", "plain", "", None):
        bare.execute(f"SELECT {sql}, {fold_sql('t')} FROM (SELECT ? AS t)", (*values, text)).fetchone()
    with pytest.raises(sqlite3.OperationalError):
        bare.execute(f"SELECT {fold_sql('t')} FROM (SELECT ? AS t)", ("Zoë",)).fetchone()
    bare.close()


def fail(text: str) -> None:
    raise AssertionError(f"{text} was handed to Python")


@given(word=st.sampled_from(SHIPPED), before=AROUND, after=AROUND, upper=st.booleans())
def test_every_shipped_placeholder_is_one_however_it_is_dressed(
    word: str, before: str, after: str, upper: bool
) -> None:
    plain = word.replace("*", "something")
    assert Grader().grade(before + (plain.upper() if upper else plain) + after) == 1


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        (None, 0),
        ("", 0),
        (" \n", 0),
        ("\u00a0", 0),
        ("TBD", 1),
        ("to be defined", 1),
        ("???", 1),
        ("-", 1),
        ("…", 1),
        ("XXX", 1),
        ("<n/a>", 1),
        ("Lorem ipsum dolor", 1),
        ("à définir", 1),
        ("Folgt.", 1),
        ("por definir", 1),
        ("entfällt", 1),
        ("99.9 % uptime", 2),
        ("Deployments per week", 2),
        ("velocity of 40 story points", 2),
        ("80% code coverage", 2),
        ("Fewer bugs", 2),
        ("p95 latency under 200 ms", 2),
        ("Verfügbarkeit 99,9 %", 2),
        ("Happier customers", 3),
        ("Revenue growth by Q3 2026", 3),
        ("ISO 27001 compliance", 3),
        ("costs", 3),
        ("Grow revenue in phase 2", 3),
        ("margin by 31.12.2026", 3),
        ("Churn from 5 % to 3 %", 4),
        ("Revenue +2 M€", 4),
        ("TBD: revenue +5%", 4),
        ("halve the complaints", 4),
        ("99.9 % uptime, so that order losses fall 2 %", 4),
        ("Uptime that saves 20,000 $ a year", 4),
        ("Umsatz +5 %", 4),
        ("٣ % more sales", 4),
    ],
)
def test_grades(text: str | None, grade: int) -> None:
    assert Grader().grade(text) == grade


def test_own_placeholders_extend_the_shipped_ones_and_change_the_sha() -> None:
    own = Grader((*SHIPPED, "ask * later"))
    assert own.grade("Ask Bob later!") == 1
    assert Grader().grade("Ask Bob later!") == 3
    assert own.sha != Grader().sha
    assert Grader((*reversed(SHIPPED), "TBD")).sha == Grader().sha
