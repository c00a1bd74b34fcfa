"""One vocabulary, defined once: the columns of rules are the fields of a work item."""

from __future__ import annotations

from dataclasses import fields

from connectors.model import WorkItem
from rules.columns import ANSWERABLE, COLUMNS, NOT_WORDS


def test_the_words_are_the_fields_of_a_work_item() -> None:
    own = {column.name for column in COLUMNS.values() if not column.derived}
    assert own == {field.name for field in fields(WorkItem)} - NOT_WORDS


def test_what_can_be_unknown_is_a_field() -> None:
    assert set(ANSWERABLE) <= {field.name for field in fields(WorkItem)}
    assert len(set(ANSWERABLE)) == len(ANSWERABLE) < 63  # bits of one SQLite integer
