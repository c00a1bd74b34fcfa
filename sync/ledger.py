"""Whose label it is: what we put where and why, what people took off, and which writes have no result yet.

A label is ours only while the ledger says that we put it there. Everything here runs in the caller's transaction
and looks only at collections that answered completely in this run (`temp.fresh`).
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from connectors.base import MadeLabel
from connectors.model import ItemRef
from rules.table import moment
from sync.plan import ItemState, Reason

_HAS = "EXISTS (SELECT 1 FROM json_each(item.labels) WHERE value = {row}.label)"


def remember_fresh(connection: sqlite3.Connection, fresh: Iterable[tuple[str, str]]) -> None:
    """Fill `temp.fresh` with (source, collection)."""
    connection.execute("DROP TABLE IF EXISTS temp.fresh")
    connection.execute("CREATE TEMP TABLE fresh (source TEXT, collection TEXT, PRIMARY KEY (source, collection))")
    connection.executemany("INSERT INTO temp.fresh VALUES (?, ?)", fresh)


def settle(connection: sqlite3.Connection, now: datetime) -> None:
    """Give intents that a killed run left open their result, by what the tool shows now.

    What shows was written, and is ours; what does not show was not, and is planned again if it is still wanted.
    """
    at = moment(now)
    fresh = (
        "FROM item JOIN temp.fresh f ON f.source = item.source AND f.collection = item.collection "
        "WHERE item.id = journal.item_id AND journal.result_at IS NULL"
    )
    shows = _HAS.format(row="journal")
    connection.execute(
        "INSERT INTO ledger (item_id, label, rule, reason, run_id, put_at) "
        "SELECT item_id, label, rule, reason, run_id, intent_at FROM journal "
        f"WHERE action = 'add' AND EXISTS (SELECT 1 {fresh} AND {shows}) "
        "ON CONFLICT (item_id, label) DO UPDATE SET off_at = NULL"
    )
    connection.execute(
        "DELETE FROM ledger WHERE EXISTS (SELECT 1 FROM journal WHERE journal.item_id = ledger.item_id "
        f"AND journal.label = ledger.label AND action = 'remove' AND EXISTS (SELECT 1 {fresh} AND NOT {shows}))"
    )
    connection.execute(
        f"UPDATE journal SET result_at = ?, result = CASE WHEN {shows} = (action = 'add') "
        f"THEN 'done' ELSE 'lost' END, message = 'found after a run that ended early' {fresh}",
        (at,),
    )


def notice_people(
    connection: sqlite3.Connection, now: datetime, veto_days: int, vanished: Iterable[tuple[str, str, str]] = ()
) -> int:
    """Turn every label of ours that a person took off into a veto, and lift the vetoes that are over.

    A labelled copy that is outdated shows nothing of what people did to the copy before: there, only a label that
    had come home into the input, and is not in it any more, was taken off. Nor are labels taken off by people that
    are `vanished`: (source, collection, label). Returns how many vetoes are new.
    """
    at, until = moment(now), moment(now + timedelta(days=veto_days))
    connection.execute("DROP TABLE IF EXISTS temp.vanished")
    connection.execute("CREATE TEMP TABLE vanished (source TEXT, collection TEXT, label TEXT)")
    connection.executemany("INSERT INTO temp.vanished VALUES (?, ?, ?)", vanished)
    connection.execute(
        "DELETE FROM veto WHERE until <= ? OR EXISTS "
        "(SELECT 1 FROM item WHERE item.id = veto.item_id AND item.status IS NOT veto.status)",
        (at,),
    )
    here = (
        "FROM item JOIN temp.fresh f ON f.source = item.source AND f.collection = item.collection "
        "JOIN collection c ON c.source = item.source AND c.native_id = item.collection "
        "WHERE item.id = ledger.item_id AND item.missing_since IS NULL"
    )
    shows = _HAS.format(row="ledger")
    connection.execute(f"UPDATE ledger SET home = 1, off_at = NULL {here} AND c.copy_outdated AND {shows}")
    connection.execute(f"DELETE FROM ledger WHERE off_at IS NOT NULL AND EXISTS (SELECT 1 {here} AND c.copy_outdated)")
    kept = (
        "NOT EXISTS (SELECT 1 FROM temp.vanished v WHERE v.source = item.source AND v.collection = item.collection "
        "AND v.label = ledger.label)"
    )
    off = f"(NOT c.copy_outdated OR ledger.home) AND NOT {shows} AND {kept}"
    taken = f"off_at IS NULL AND EXISTS (SELECT 1 {here} AND {off})"
    connection.execute(f"INSERT INTO veto_noticed (rule, noticed_at) SELECT rule, ? FROM ledger WHERE {taken}", (at,))
    vetoes = connection.execute(
        "INSERT INTO veto (item_id, label, rule, noticed_at, until, status) "
        "SELECT item_id, label, rule, ?, ?, (SELECT status FROM item WHERE id = item_id) FROM ledger "
        f"WHERE {taken} ON CONFLICT (item_id, label) DO UPDATE SET until = excluded.until",
        (at, until),
    )
    connection.execute(f"DELETE FROM ledger WHERE {taken}")
    return vetoes.rowcount


def states(connection: sqlite3.Connection, also: Iterable[int] = ()) -> Iterator[ItemState]:
    """Every item of a fresh collection at which a label is at stake, with all that planning needs.

    That is: where rules found something, where a label of ours is, and the items `also`.
    """
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS at_stake (item_id INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM temp.at_stake")
    connection.executemany("INSERT INTO temp.at_stake VALUES (?)", [(item_id,) for item_id in also])
    desired: dict[int, dict[str, list[Reason]]] = defaultdict(lambda: defaultdict(list))
    for item_id, label, rule, text in connection.execute(
        "SELECT item_id, label, rule, reason FROM finding ORDER BY rule, item_id"
    ):
        desired[item_id][label].append(Reason(rule, text))
    ours: dict[int, dict[str, Reason]] = defaultdict(dict)
    for item_id, label, rule, text in connection.execute(
        "SELECT item_id, label, rule, reason FROM ledger WHERE off_at IS NULL"
    ):
        ours[item_id][label] = Reason(rule, text)
    vetoed: dict[int, set[str]] = defaultdict(set)
    for item_id, label in connection.execute("SELECT item_id, label FROM veto"):
        vetoed[item_id].add(label)
    for row in connection.execute(
        "SELECT i.id, i.source, i.native_id, i.key, i.title, i.collection, i.owner, i.version, i.labels, "
        "c.copy_outdated FROM item i JOIN temp.fresh f ON f.source = i.source AND f.collection = i.collection "
        "JOIN collection c ON c.source = i.source AND c.native_id = i.collection "
        "WHERE i.missing_since IS NULL AND (i.id IN (SELECT item_id FROM finding) "
        "OR i.id IN (SELECT item_id FROM ledger) OR i.id IN (SELECT item_id FROM temp.at_stake)) ORDER BY i.id"
    ):
        item_id, source, native_id, key, title, collection, owner, version, labels, outdated = row
        mine = ours.get(item_id, {})
        yield ItemState(
            item_id=item_id,
            ref=ItemRef(source, native_id),
            key=key,
            title=title,
            collection=collection,
            owner=owner,
            version=version,
            present=frozenset(json.loads(labels)) | (frozenset(mine) if outdated else frozenset()),
            desired={label: tuple(reasons) for label, reasons in desired.get(item_id, {}).items()},
            ours=mine,
            vetoed=frozenset(vetoed.get(item_id, ())),
        )


def remember_made(connection: sqlite3.Connection, source: str, collection: str, labels: Iterable[MadeLabel]) -> None:
    """Keep which labels a write had to make in a collection: those alone may be deleted there again."""
    connection.executemany(
        "INSERT INTO made_label (source, collection, native_id, label) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(source, collection, label.native_id, label.name) for label in labels],
    )


def considered(connection: sqlite3.Connection) -> dict[str, int]:
    """How many items of each source stand behind a plan."""
    return dict(
        connection.execute(
            "SELECT f.source, count(i.id) FROM temp.fresh f LEFT JOIN item i ON i.source = f.source "
            "AND i.collection = f.collection AND i.missing_since IS NULL GROUP BY f.source"
        ).fetchall()
    )


def outdated_copies(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """(source, collection) of fresh collections whose labelled copy does not show this input."""
    return connection.execute(
        "SELECT c.source, c.native_id FROM collection c JOIN temp.fresh f "
        "ON f.source = c.source AND f.collection = c.native_id WHERE c.copy_outdated"
    ).fetchall()
