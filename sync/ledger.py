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
from itertools import groupby
from operator import itemgetter
from typing import Any

from connectors.base import MadeLabel
from connectors.model import ItemRef
from rules.table import moment
from rules.text import fold, fold_sql, register
from sync.exemptions import Exemptions
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


_OF_INITIATIVES = (
    "UNION ALL SELECT a.item_id, f.label, f.rule, f.reason || ' (initiative ' || n.key || ')' FROM temp.at_stake s "
    "CROSS JOIN anchor a ON a.item_id = s.item_id AND a.labelled "
    "CROSS JOIN finding f ON f.item_id = a.initiative_id CROSS JOIN item n ON n.id = a.initiative_id "
)
"""What is found of initiatives whose labels an item gets: as the view `finding_on_item`, but for few items."""


def put_at_stake(connection: sqlite3.Connection, items: Iterable[int]) -> None:
    """Name the items that `states` is about."""
    connection.execute("DROP TABLE IF EXISTS temp.at_stake")
    connection.execute("CREATE TEMP TABLE at_stake (item_id INTEGER PRIMARY KEY)")
    connection.executemany("INSERT INTO temp.at_stake VALUES (?)", [(item_id,) for item_id in items])


def find_at_stake(connection: sqlite3.Connection, exemptions: Exemptions) -> None:
    """Name the items of which planning may have something to say.

    That is: where rules ask for a label that does not show, where a label of ours is that none asks for, and where
    one of ours may be exempt. All else is as it should be, and is most of a store that has settled.
    """
    put_at_stake(connection, ())
    register(connection)
    named = fold(json.dumps(exemptions.unless.label, ensure_ascii=False)[1:-1])
    exempt = "?" if exemptions.entries else f"instr({fold_sql('item.labels')}, ?)"
    connection.execute(
        "INSERT OR IGNORE INTO temp.at_stake "
        "SELECT f.item_id FROM finding_kept f CROSS JOIN item ON item.id = f.item_id "
        f"WHERE NOT {_HAS.format(row='f')} "
        "UNION ALL SELECT a.item_id FROM anchor a CROSS JOIN finding_kept f ON f.item_id = a.initiative_id "
        f"CROSS JOIN item ON item.id = a.item_id WHERE a.labelled AND NOT {_HAS.format(row='f')} "
        "UNION ALL SELECT l.item_id FROM ledger l WHERE l.off_at IS NULL AND NOT EXISTS "
        "(SELECT 1 FROM finding_kept f WHERE f.item_id = l.item_id AND f.label = l.label) "
        "UNION ALL SELECT l.item_id FROM ledger l CROSS JOIN item ON item.id = l.item_id "
        f"WHERE l.off_at IS NULL AND {exempt}",
        (bool(exemptions.entries) or named,),
    )


def states(connection: sqlite3.Connection) -> Iterator[ItemState]:
    """The items at stake in fresh collections, with all that planning needs, one after the other by id."""
    found, ours, vetoed = (
        _ByItem(connection.execute(f"SELECT {columns} FROM temp.at_stake CROSS JOIN {table} USING (item_id) {order}"))
        for columns, table, order in (
            ("item_id, label, rule, reason", "finding", _OF_INITIATIVES + "ORDER BY item_id, rule"),
            ("item_id, label, rule, reason", "ledger", "WHERE off_at IS NULL ORDER BY item_id"),
            ("item_id, label", "veto", "ORDER BY item_id"),
        )
    )
    for row in connection.execute(
        "SELECT i.id, i.source, i.native_id, i.key, i.title, i.collection, i.owner, i.version, i.labels, "
        "c.copy_outdated FROM temp.at_stake s CROSS JOIN item i ON i.id = s.item_id "
        "JOIN temp.fresh f ON f.source = i.source AND f.collection = i.collection "
        "JOIN collection c ON c.source = i.source AND c.native_id = i.collection "
        "WHERE i.missing_since IS NULL ORDER BY s.item_id"
    ):
        item_id, source, native_id, key, title, collection, owner, version, labels, outdated = row
        mine = {label: Reason(rule, text) for label, rule, text in ours.of(item_id)}
        desired: dict[str, list[Reason]] = defaultdict(list)
        for label, rule, text in found.of(item_id):
            desired[label].append(Reason(rule, text))
        yield ItemState(
            item_id=item_id,
            ref=ItemRef(source, native_id),
            key=key,
            title=title,
            collection=collection,
            owner=owner,
            version=version,
            present=frozenset(json.loads(labels)) | (frozenset(mine) if outdated else frozenset()),
            desired={label: tuple(reasons) for label, reasons in desired.items()},
            ours=mine,
            vetoed=frozenset(label for (label,) in vetoed.of(item_id)),
        )


def remember_made(connection: sqlite3.Connection, source: str, collection: str, labels: Iterable[MadeLabel]) -> None:
    """Keep which labels a write had to make in a collection: those alone may be deleted there again."""
    connection.executemany(
        "INSERT INTO made_label (source, collection, native_id, label) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(source, collection, label.native_id, label.name) for label in labels],
    )


class _ByItem:
    """Rows that come in the order of items, whose id is in front; only one item's are in memory."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._groups = groupby(rows, itemgetter(0))
        self._ahead: tuple[int, list[tuple[Any, ...]]] | None = None
        self._step()

    def of(self, item_id: int) -> list[tuple[Any, ...]]:
        """The rest of the item's rows. Items must be asked for in their order; some may be left out."""
        while self._ahead is not None and self._ahead[0] < item_id:
            self._step()
        return self._ahead[1] if self._ahead is not None and self._ahead[0] == item_id else []

    def _step(self) -> None:
        following = next(self._groups, None)
        self._ahead = (following[0], [row[1:] for row in following[1]]) if following else None


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
