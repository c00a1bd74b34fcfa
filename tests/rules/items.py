"""Work items in memory for rule tests, and random ones for properties."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from connectors.model import Certainty, ItemRef, StatusCategory, WorkItem
from rules.calendar import Calendar
from rules.columns import ANSWERABLE
from rules.grading import Grader
from rules.selftest import insert
from rules.table import TABLES
from rules.today import Today

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
CALENDAR = Calendar(holidays=frozenset({date(2026, 3, 9), date(2026, 1, 1)}), name="own")
TODAY = Today(NOW, BERLIN, CALENDAR)


def item(native_id: str = "1", **values: Any) -> WorkItem:
    """A work item with just these values."""
    return WorkItem(
        ItemRef("test", native_id), **{"key": f"T-{native_id}", "title": "a title", "collection": "c"} | values
    )


def store(items: Iterable[WorkItem]) -> sqlite3.Connection:
    """The tables in memory, with these items; `item.id` counts from 1."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(TABLES)
    for one in items:
        insert(connection, one, BERLIN, Grader())
    return connection


TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "TBD",
            "tbd.",
            " n/a ",
            "???",
            "xxx",
            "x",
            "-",
            "…",
            "à définir",
            "À DÉFINIR!",
            "noch offen",
            "lorem ipsum x",
            "Done",
            "done ",
            "DONE",
            "In Review",
            "in  review",
            "Straße",
            "STRASSE",
            "İstanbul",
            "ﬁnance",
            "\tdone\n",
            "a\x00b",
            "Größe 5 %",
            "Revenue +5 %",
            "uptime 99 %",
            "99 % uptime for customers",
            "Q3 2026",
            "nice",
            "é",
            "e\u0301",
            "\u00a0done",
            "missing",
            "[x]*?",
            "tbd: revenue +5%",
            "insert your text here",
        ]
    ),
    st.text(max_size=6),
    st.text("xX-?. tbd", max_size=5),
)

MOMENTS = st.one_of(
    st.none(),
    st.integers(-60 * 24, 20 * 24).map(lambda hours: NOW + timedelta(hours=hours)),
    st.integers(-400, 40).map(lambda days: NOW + timedelta(days=days)),
)

_OPTIONAL = st.none() | TEXTS

ITEMS = st.builds(
    WorkItem,
    ref=st.just(ItemRef("test", "1")),
    key=TEXTS,
    title=TEXTS,
    collection=TEXTS,
    url=_OPTIONAL,
    type=_OPTIONAL,
    project=_OPTIONAL,
    parent_ref=st.none() | st.just(ItemRef("test", "parent")),
    status=_OPTIONAL,
    status_id=_OPTIONAL,
    status_category=st.none() | st.sampled_from(StatusCategory),
    status_since=MOMENTS,
    status_since_is=st.sampled_from(Certainty),
    created_at=MOMENTS,
    updated_at=MOMENTS,
    started_at=MOMENTS,
    finished_at=MOMENTS,
    due_at=MOMENTS,
    percent_complete=st.none() | st.sampled_from([0.0, 0.5, 5.0, 30.0, 99.5, 100.0]),
    priority=_OPTIONAL,
    assignees=st.lists(TEXTS, max_size=2).map(tuple),
    owner=_OPTIONAL,
    sponsor=_OPTIONAL,
    labels=st.lists(
        st.sampled_from(["Frozen", "frozen", "PMO-own", "pmo-x", "ours", "späť", "SPÄŤ", " "]), max_size=3
    ).map(tuple),
    outcome_metric=_OPTIONAL,
    outcome_category=_OPTIONAL,
    outcome_baseline=_OPTIONAL,
    outcome_target=_OPTIONAL,
    outcome_actual=_OPTIONAL,
    outcome_reviewed_at=MOMENTS,
    description=_OPTIONAL,
    fields=st.fixed_dictionaries({}, optional={"Cost centre": TEXTS, "Größe's": TEXTS}),
    unknown=st.frozensets(st.sampled_from([*ANSWERABLE, "Cost centre"]), max_size=4),
)
