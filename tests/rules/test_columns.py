"""One vocabulary, defined once: the columns of rules are the fields of a work item."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from connectors.model import WorkItem
from rules.columns import ANSWERABLE, COLUMNS, NOT_WORDS
from rules.table import moment

zones = st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-1439, 1439))
times = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=zones | st.just(UTC))  # noqa: DTZ001


def test_the_words_are_the_fields_of_a_work_item() -> None:
    own = {column.name for column in COLUMNS.values() if not column.derived}
    assert own == {field.name for field in fields(WorkItem)} - NOT_WORDS


def test_what_can_be_unknown_is_a_field() -> None:
    assert set(ANSWERABLE) <= {field.name for field in fields(WorkItem)}
    assert len(set(ANSWERABLE)) == len(ANSWERABLE) < 63  # bits of one SQLite integer


@given(times)
def test_a_time_is_stored_in_utc_to_the_second(value: datetime) -> None:
    assert moment(value) == value.astimezone(UTC).strftime(f"{value.astimezone(UTC).year:04d}-%m-%dT%H:%M:%SZ")
