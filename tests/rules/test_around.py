"""Columns that look above and below an item."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import Any

from connectors.model import ItemRef, StatusCategory, WorkItem
from rules.engine import prepare
from rules.table import resolve
from tests.rules.items import NOW, TODAY, item, store

COLUMNS = ("items_below", "finished_below", "underway_days", "sponsor_above")


def under(parent: str, native_id: str, **values: Any) -> WorkItem:
    return item(native_id, parent_ref=ItemRef("test", parent), **values)


def tree(*items: WorkItem) -> sqlite3.Connection:
    connection = store(items)
    resolve(connection, ())
    prepare(connection, TODAY)
    return connection


def seen(connection: sqlite3.Connection, native_id: str) -> tuple[Any, ...]:
    query = f"SELECT {', '.join(COLUMNS)} FROM work_item WHERE native_id = ?"
    row: tuple[Any, ...] = connection.execute(query, (native_id,)).fetchone()
    return row


def began(days: int) -> dict[str, Any]:
    return {"started_at": NOW - timedelta(days=days)}


DONE: dict[str, Any] = {"status_category": StatusCategory.DONE}
TODO: dict[str, Any] = {"status_category": StatusCategory.TODO}


def test_a_plan_counts_what_is_below_it_on_any_level() -> None:
    plan = item("plan", sponsor="Helen", **began(3))
    connection = tree(
        plan, under("plan", "phase", sponsor=" ", **TODO), under("phase", "a", **began(9), **DONE), under("phase", "b")
    )
    assert seen(connection, "plan") == (3, 1, 9, None)
    assert seen(connection, "phase") == (2, 1, 9, "Helen")
    assert seen(connection, "a") == (0, 0, 9, "Helen")
    assert seen(connection, "b") == (0, 0, None, "Helen")


def test_what_is_missing_counts_no_more() -> None:
    connection = tree(item("plan", sponsor="Helen"), under("plan", "a", **DONE))
    connection.execute("UPDATE item SET missing_since = 'now' WHERE native_id = 'a'")
    assert seen(connection, "plan") == (0, 0, None, None)
    connection.execute("UPDATE item SET missing_since = iif(native_id = 'plan', 'now', NULL)")
    assert seen(connection, "a") == (0, 0, None, None)


def test_a_status_that_cannot_be_told_may_be_finished() -> None:
    vague = under("plan", "a", unknown=frozenset({"status_category"}))
    assert seen(tree(item("plan"), vague), "plan")[:2] == (1, None)
    assert seen(tree(item("plan"), vague, under("plan", "b", **DONE)), "plan")[:2] == (2, 1)


def test_a_ring_of_parents_ends() -> None:
    connection = tree(under("b", "a", **DONE), under("a", "b", **TODO))
    assert seen(connection, "a") == (1, 0, None, None)
    assert seen(connection, "b") == (1, 1, None, None)
