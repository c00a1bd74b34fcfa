"""What the store forgets: all that is old and that nothing needs, and nothing else. On the real clock."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.table import moment
from sync import retention
from sync.clock import Clock
from sync.clock import read as read_clock
from sync.retention import Retention, forget
from sync.store import damage, open_store
from tests.sync.town import CONFIG, RULES, Said, Town

TABLES = ("run", "journal", "item", "item_detail", "transition", "finding", "ledger", "veto")


@contextmanager
def edited(town: Town) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(town.folder / "unstuck.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection


def counts(town: Town) -> dict[str, int]:
    with edited(town) as connection:
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES}


def run(town: Town) -> Said:
    """A run by the real clock: in a rehearsal nothing is forgotten."""
    said = town.unstuck("run", "--apply", "--full", "--force", "share", "--force", "shrink", env={"UNSTUCK_NOW": ""})
    assert said.code == 0, said.err
    return said


def age(town: Town) -> None:
    """Let 500 days pass over everything but vetoes, and the newest 100 runs be others than those that were."""
    with edited(town) as connection:
        for name, column in (
            ("run", "started_at"), ("journal", "intent_at"), ("journal", "result_at"), ("item", "missing_since"),
            ("ledger", "put_at"),
        ):  # fmt: skip
            connection.execute(
                f"UPDATE {name} SET {column} = strftime('%Y-%m-%dT%H:%M:%SZ', julianday({column}) - 500)"
            )
        connection.execute("DELETE FROM setting WHERE name = 'forgotten'")
        connection.executemany(
            "INSERT INTO run (started_at, command) VALUES (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), 'run')",
            [()] * retention.ALWAYS,
        )


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path, CONFIG, RULES.split('[[rule]]\nid   = "stuck"')[0])  # the real clock makes all stuck


def test_old_runs_and_what_they_wrote_go_but_for_labels_that_are_still_on(town: Town) -> None:
    town.add(1, sponsor="")
    town.add(2, sponsor="")
    run(town)
    town.edit(1, sponsor="Ada")
    run(town)
    run(town)
    assert counts(town)["journal"] == 3
    age(town)
    run(town)
    with edited(town) as connection:
        left = connection.execute("SELECT run_id, item_id, action FROM journal").fetchall()
        runs = {number for (number,) in connection.execute("SELECT id FROM run")}
    assert left == [(1, 2, "add")]
    assert 1 in runs
    assert "- pmo-no-sponsor  APP-2" in town.unstuck("undo", "1", env={"UNSTUCK_NOW": ""}).out  # it can be undone
    assert {2, 3} & runs == {2, 3} & rule_counted(town)
    town.edit(2, sponsor="Ada")
    run(town)
    assert town.labels(2) == []


def rule_counted(town: Town) -> set[int]:
    """Runs that brakes compare with."""
    with edited(town) as connection:
        return {number for (number,) in connection.execute("SELECT run_id FROM rule_count")}


def test_the_newest_runs_stay_however_old(town: Town) -> None:
    town.add(1, sponsor="")
    run(town)
    town.edit(1, sponsor="Ada")
    run(town)
    with edited(town) as connection:
        connection.execute("UPDATE run SET started_at = '2001-01-01T00:00:00Z'")
        connection.execute("UPDATE journal SET result_at = '2001-01-01T00:00:00Z'")
        connection.execute("DELETE FROM setting WHERE name = 'forgotten'")
    before = counts(town)
    run(town)
    assert counts(town) == {**before, "run": before["run"] + 1}


def test_items_that_vanished_long_ago_go_with_their_history(town: Town) -> None:
    move = {"at": "2026-03-10T09:00:00+00:00", "from_status": "To do", "to_status": "Doing"}
    town.add(1, transitions=[move])
    town.add(2, transitions=[move])
    run(town)
    town.remove(2)
    run(town)
    assert counts(town)["item"] == 2  # it may come back
    age(town)
    run(town)
    after = counts(town)
    assert (after["item"], after["item_detail"], after["transition"]) == (1, 1, 1)
    town.add(2, sponsor="")
    run(town)
    assert town.labels(2) == ["pmo-no-sponsor"]  # as any new one


def test_a_vanished_item_stays_while_a_label_of_ours_may_be_on_it(town: Town) -> None:
    town.add(1, sponsor="")
    town.add(2)
    run(town)
    world = town.world
    town.remove(1)
    run(town)
    age(town)
    run(town)
    assert counts(town)["item"] == 2
    town.world = world
    town.edit(1, sponsor="Ada")
    run(town)
    assert town.labels(1) == []


def test_a_vanished_item_stays_while_a_persons_no_holds(town: Town) -> None:
    town.add(1, sponsor="")
    town.add(2)
    run(town)
    town.unlabel(1, "pmo-no-sponsor")
    run(town)
    world = town.world
    town.remove(1)
    run(town)
    age(town)
    with edited(town) as connection:
        connection.execute("DELETE FROM journal")
    run(town)
    assert counts(town)["veto"] == 1
    town.world = world
    run(town)
    assert town.labels(1) == []


def test_a_vanished_parent_stays_as_long_as_what_is_below_it(town: Town) -> None:
    town.add(1)
    town.add(2, parent="1")
    run(town)
    town.remove(1)
    run(town)
    age(town)
    run(town)
    [item] = town.unstuck("items", "--format", "json").json
    assert item["parent_key"] == "APP-1"


def test_a_rehearsal_forgets_nothing(town: Town) -> None:
    town.add(1)
    town.add(2)
    run(town)
    town.remove(2)
    run(town)
    age(town)
    before = counts(town)
    town.now = "2040-01-01T00:00:00"
    assert town.unstuck("run").code == 0
    assert counts(town) == {**before, "run": before["run"] + 1}


def test_it_is_done_once_a_day_in_small_steps(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 3)
    for number in range(1, 12):
        town.add(number)
    run(town)
    for number in range(2, 12):
        town.remove(number)
    run(town)
    age(town)
    clock = Clock(read_clock().now, rehearsal=False)
    with open_store(town.folder / "unstuck.db") as store:
        store.connection.execute("DELETE FROM dirty")  # as after any evaluation
        began: list[str] = []
        store.connection.set_trace_callback(lambda said: began.append(said) if said.startswith("BEGIN") else None)
        gone = forget(store, Retention(400, 400), clock)
        assert gone == 10 + (102 - store.value("SELECT count(*) FROM run"))
        assert len(began) >= 5
        assert forget(store, Retention(400, 400), clock) == 0
    assert counts(town)["item"] == 1


# Whatever was in it

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
DAYS_AGO = st.integers(0, 900)


def days_ago(days: int) -> str:
    return moment(NOW - timedelta(days=days)) or ""


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, tuple[object, ...]]]:
    """Statements that fill a store with runs, items (some vanished, some below others), labels, vetoes and writes."""
    runs = sorted(draw(st.lists(DAYS_AGO, min_size=1, max_size=6)), reverse=True)
    items = draw(st.lists(st.tuples(st.none() | DAYS_AGO, st.none() | st.integers(1, 6)), min_size=1, max_size=6))
    item, run = st.integers(1, len(items)), st.integers(1, len(runs))
    rows: list[tuple[str, tuple[object, ...]]] = [
        ("INSERT INTO run (id, started_at, command) VALUES (?, ?, 'run')", (number, days_ago(days)))
        for number, days in enumerate(runs, 1)
    ]
    for number, (gone, parent) in enumerate(items, 1):
        values = (number, str(number), None if gone is None else days_ago(gone), parent)
        rows.append((
            "INSERT INTO item (id, source, collection, native_id, key, title, missing_since, parent_id) "
            "VALUES (?1, 's', 'c', ?2, ?2, '', ?3, ?4)", values,
        ))  # fmt: skip
        rows.append(("INSERT INTO transition (item_id, at, to_status, origin) VALUES (?, '', '', 'tool')", (number,)))
    for run_id, item_id, ended in draw(st.lists(st.tuples(run, item, st.booleans()), max_size=8)):
        at = days_ago(runs[run_id - 1]) if ended else None
        rows.append((
            "INSERT INTO journal (run_id, item_id, action, label, rule, reason, intent_at, result_at) "
            "VALUES (?, ?, 'add', 'l', 'r', '', '', ?)", (run_id, item_id, at),
        ))  # fmt: skip
    for item_id, run_id in draw(st.dictionaries(item, run, max_size=3)).items():
        rows.append(("INSERT INTO ledger VALUES (?, 'l', 'r', '', ?, '', 0, NULL)", (item_id, run_id)))
    for item_id in draw(st.sets(item, max_size=2)):
        veto = "INSERT INTO veto (item_id, label, rule, noticed_at, until) VALUES (?, 'l', 'r', '', '')"
        rows.append((veto, (item_id,)))
    return rows


KEPT = {
    "every item that is there": "SELECT id FROM item WHERE missing_since IS NULL OR missing_since >= :old",
    "every item that another names": "SELECT p.id FROM item c JOIN item p ON p.id = c.parent_id "
    "WHERE c.missing_since IS NULL",
    "their history": "SELECT t.id FROM transition t JOIN item i ON i.id = t.item_id WHERE i.missing_since IS NULL",
    "labels of ours": "SELECT * FROM ledger",
    "what a person said no to": "SELECT * FROM veto",
    "what put a label on that is on": "SELECT j.id FROM journal j JOIN ledger l USING (item_id, label, run_id)",
    "its run": "SELECT r.id FROM run r JOIN ledger l ON l.run_id = r.id",
    "writes without a result": "SELECT id FROM journal WHERE result_at IS NULL",
    "what is young": "SELECT id FROM journal WHERE result_at >= :old",
    "young runs": "SELECT id FROM run WHERE started_at >= :old",
}


@given(histories())
def test_nothing_that_is_needed_goes_and_all_else_does(history: list[tuple[str, tuple[object, ...]]]) -> None:
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "unstuck.db") as store:
        with store.transaction() as connection:
            for statement, values in history:
                connection.execute(statement, values)
            connection.execute("DELETE FROM dirty")
        old = {"old": days_ago(400)}
        before = {name: store.connection.execute(sql, old).fetchall() for name, sql in KEPT.items()}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(retention, "ALWAYS", 1)
            for _ in range(8):  # what is below an item goes before it
                gone = forget(store, Retention(400, 400), Clock(NOW, rehearsal=False))
                store.connection.execute("DELETE FROM setting WHERE name = 'forgotten'")
        assert gone == 0
        assert {name: store.connection.execute(sql, old).fetchall() for name, sql in KEPT.items()} == before
        assert damage(store.connection) is None
        left = store.rows(
            "SELECT id FROM journal j WHERE result_at < ? AND run_id < (SELECT max(id) FROM run) AND NOT EXISTS "
            "(SELECT 1 FROM ledger l WHERE l.item_id = j.item_id AND l.label = j.label AND l.run_id = j.run_id)",
            (days_ago(401),),
        )
        assert left == []


@pytest.mark.parametrize(("key", "least"), [("runs_days", 90), ("vanished_days", 30)])
def test_forgetting_at_once_cannot_be_asked_for(town: Town, key: str, least: int) -> None:
    town.write_config(CONFIG + f"[retention]\n{key} = 1\n")
    said = town.unstuck("run")
    assert said.code == 2
    assert f"retention.{key}: must be {least} or more, and is 1" in said.err
