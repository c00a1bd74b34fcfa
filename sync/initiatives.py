"""Initiatives: what hangs together across tools, and what is true of it as a whole.

Each initiative is a row of `item` of its own, under the source `initiative`, so that rules, days that pass and findings
go on as for any item. Which items are in it stands in `anchor`: those that carry its key or are linked across tools;
whatever hangs below them is in it, too, down to the next anchor. Only initiatives that something changed in are made
again.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime

from rules.table import INITIATIVE, PULLED, moment
from sync import links
from sync.merging import Order, Settings, Top, Totals, merged
from sync.store import Store


def update(store: Store, wanted: Settings, now: datetime) -> list[str]:
    """Bring links and initiatives up to date with what was written since the last evaluation.

    Returns a sentence for each shared key that from now on says nothing.

    Items are linked to their parents already. Killed anywhere, it begins again: `dirty` is emptied by the evaluation.
    """
    before = store.setting("initiatives") or ""
    if before == wanted.signature and (not before or not store.value("SELECT 1 FROM dirty LIMIT 1")):
        return []
    too_wide, anew = list[str](), before != wanted.signature
    with nullcontext() if anew else store.few_of_many(), store.deriving() as connection:
        if wanted.links.wanted:
            links.update(connection, wanted.links, now, anew=anew)
            too_wide = regroup(connection, wanted.links.most)
            remake(connection, wanted.order, now, anew=anew)
        else:
            links.forget(connection)
            forget(connection, now)
        store.remember("initiatives", wanted.signature)
    return too_wide


# Which items belong together


_USABLE = "k.how = 'key' AND k.name NOT IN (SELECT name FROM wide_key)"


def regroup(connection: sqlite3.Connection, most: int) -> list[str]:
    """Bring `anchor` up to date for the items in `seed`; in the caller's transaction.

    Returns a sentence for each key that from now on says nothing.

    The temporary table `touched` gets the initiatives that lost or gained an anchor. Those in it that are not `sure` to
    differ are looked at closer.
    """
    connection.execute("DROP TABLE IF EXISTS temp.touched")
    connection.execute("CREATE TEMP TABLE touched (initiative_id INTEGER PRIMARY KEY, sure INTEGER NOT NULL DEFAULT 1)")
    too_wide = _count_keys(connection, most)
    _reach(connection)
    identities = dict(_identities(connection, most))
    _make_rows(connection, set(identities.values()))
    _write_anchors(connection, identities)
    return too_wide


def _count_keys(connection: sqlite3.Connection, most: int) -> list[str]:
    """Keys on more items than `most` say nothing."""
    before = {row[0] for row in connection.execute("SELECT name FROM wide_key")}
    moved = "name IN (SELECT name FROM temp.moved_name)"
    connection.execute(f"DELETE FROM wide_key WHERE {moved}")
    connection.execute(
        f"INSERT INTO wide_key SELECT name, count(*) FROM link WHERE how = 'key' AND {moved} "
        "GROUP BY name HAVING count(*) > ?",
        (most,),
    )
    rows = connection.execute("SELECT name, items FROM wide_key ORDER BY name").fetchall()
    return [
        f'The key "{name}" stands on {items} items, more than the {most} that [links] most allows: it joins nothing; '
        "correct it where it is wrong, or raise most."
        for name, items in rows
        if name not in before
    ]


def _reach(connection: sqlite3.Connection) -> None:
    """Fill `reach` with the seeds and all that links lead to from there; those with a key of their own lead no further.

    `key` is the shared key that an item goes by: its own, or the one that it is itself called by.
    """
    own = f"SELECT k.name FROM link k WHERE k.item_id = {{0}} AND {_USABLE}"
    called = f"SELECT k.name FROM link k WHERE k.to_id = {{0}} AND {_USABLE} LIMIT 1"
    key = f"coalesce(({own}), ({called}))"
    connection.execute("DROP TABLE IF EXISTS temp.reach")
    connection.execute("CREATE TEMP TABLE reach (id INTEGER PRIMARY KEY, key TEXT)")
    steps = [
        f"SELECT {there}, {key.format(there)} FROM reached CROSS JOIN link l ON {here} = reached.id "
        f"WHERE reached.key IS NULL AND {there} IS NOT NULL"
        for here, there in (("l.item_id", "l.to_id"), ("l.to_id", "l.item_id"))
    ]
    connection.execute(
        f"WITH RECURSIVE reached(id, key) AS (SELECT item_id, NULL FROM temp.seed UNION {' UNION '.join(steps)}) "
        f"INSERT OR IGNORE INTO temp.reach SELECT id, {key.format('reached.id')} FROM reached"
    )


def _identities(connection: sqlite3.Connection, most: int) -> Iterator[tuple[int, str]]:
    """Each item in `reach` that is an anchor, with the name of its initiative; none where that cannot be told."""
    rows = connection.execute(
        "SELECT r.id, r.key FROM temp.reach r CROSS JOIN item i ON i.id = r.id WHERE i.missing_since IS NULL"
    )
    keys: dict[int, str | None] = dict(rows.fetchall())
    yield from ((item, f"key:{key}") for item, key in keys.items() if key is not None)
    touching = defaultdict[int, set[str]](set)
    together = _Together()
    for one, other in _edges(connection):
        ends = [end for end in (one, other) if keys.get(end, "") is None]
        if len(ends) == 2:
            together.join(one, other)
        elif ends:
            touching[ends[0]].add(keys[other if ends[0] == one else one] or "")
    for item, name in connection.execute(_NAMED):
        touching[item].add(name)
    groups = defaultdict[int, list[int]](list)
    for item in (item for item, key in keys.items() if key is None):
        groups[together.first(item)].append(item)
    for first, items in groups.items():
        named = set[str]().union(*(touching[item] for item in items if item in touching))
        identity = f"key:{named.pop()}" if len(named) == 1 else f"item:{first}" if 1 < len(items) <= most else None
        if identity is not None:
            yield from ((item, identity) for item in items)


_NAMED = (
    "SELECT r.id, l.name FROM temp.reach r CROSS JOIN link l ON l.item_id = r.id AND l.how <> 'key' "
    f"AND l.to_id IS NULL WHERE r.key IS NULL AND EXISTS (SELECT 1 FROM link k WHERE k.name = l.name AND {_USABLE})"
)
"""Items that name a shared key in a text, and carry none."""


def _edges(connection: sqlite3.Connection) -> Iterable[tuple[int, int]]:
    """Links between two tools. Within one tool, everything is linked with everything sooner or later."""
    return connection.execute(
        "SELECT l.item_id, l.to_id FROM temp.reach r CROSS JOIN link l ON l.item_id = r.id AND l.to_id IS NOT NULL "
        "CROSS JOIN item a ON a.id = l.item_id CROSS JOIN item b ON b.id = l.to_id WHERE a.source <> b.source "
        "AND a.missing_since IS NULL AND b.missing_since IS NULL"
    )


class _Together:
    """Items that were joined, and the first of each group: the one with the lowest id."""

    def __init__(self) -> None:
        self._above: dict[int, int] = {}

    def first(self, item: int) -> int:
        while (above := self._above.get(item, item)) != item:
            self._above[item] = self._above.get(above, above)
            item = above
        return item

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.first(one), self.first(other)))
        self._above[high] = low


def _make_rows(connection: sqlite3.Connection, identities: Iterable[str]) -> None:
    """See that every initiative has its row; what is in it comes later."""
    connection.executemany(
        "INSERT INTO item (source, collection, native_id, key, title, first_seen) "
        f"VALUES ('{INITIATIVE}', '{INITIATIVE}', ?1, ?1, '', '') ON CONFLICT DO NOTHING",
        ((identity,) for identity in sorted(identities)),
    )


def _write_anchors(connection: sqlite3.Connection, identities: Mapping[int, str]) -> None:
    """Write what differs."""
    connection.execute("DROP TABLE IF EXISTS temp.wanted_anchor")
    connection.execute("CREATE TEMP TABLE wanted_anchor (item_id INTEGER PRIMARY KEY, initiative_id INTEGER)")
    connection.executemany(
        "INSERT INTO temp.wanted_anchor VALUES "
        f"(?, (SELECT id FROM item WHERE source = '{INITIATIVE}' AND native_id = ?))",
        identities.items(),
    )
    kept = (
        "EXISTS (SELECT 1 FROM temp.wanted_anchor w "
        "WHERE w.item_id = anchor.item_id AND w.initiative_id = anchor.initiative_id)"
    )
    gone = f"FROM anchor WHERE item_id IN (SELECT id FROM temp.reach) AND NOT {kept}"
    connection.execute(f"INSERT OR IGNORE INTO temp.touched (initiative_id) SELECT initiative_id {gone}")
    connection.execute(f"DELETE {gone}")
    connection.execute(
        "INSERT OR IGNORE INTO temp.touched (initiative_id) SELECT initiative_id FROM temp.wanted_anchor "
        "WHERE item_id NOT IN (SELECT item_id FROM anchor)"
    )
    connection.execute(
        "INSERT INTO anchor (item_id, initiative_id) SELECT item_id, initiative_id FROM temp.wanted_anchor "
        "WHERE true ON CONFLICT DO NOTHING"
    )


# What is true of an initiative


def remake(connection: sqlite3.Connection, order: Order, now: datetime, *, anew: bool) -> None:
    """Make the rows of all initiatives anew that something changed in; in the caller's transaction."""
    _touch(connection, anew=anew)
    _gather_members(connection)
    totals = dict(_totals(connection))
    _count_again(connection, totals)
    made = set[int]()
    for initiative, tops in _tops(connection, order):
        made.add(initiative)
        _write(connection, initiative, tops, totals[initiative], order)
    gone = [(moment(now), row[0]) for row in connection.execute("SELECT initiative_id FROM temp.touched")]
    connection.executemany(
        "UPDATE item SET missing_since = ?, hash = NULL WHERE id = ? AND missing_since IS NULL",
        [row for row in gone if row[1] not in made],
    )


def forget(connection: sqlite3.Connection, now: datetime) -> None:
    """There are to be none any more; in the caller's transaction."""
    connection.execute("DELETE FROM anchor")
    connection.execute("DELETE FROM wide_key")
    connection.execute(
        "UPDATE item SET missing_since = ?, hash = NULL WHERE source = ? AND missing_since IS NULL",
        (moment(now), INITIATIVE),
    )


def _touch(connection: sqlite3.Connection, *, anew: bool) -> None:
    """Add the initiatives that a changed item is in, or was in before its place in a hierarchy changed."""
    if anew:
        connection.execute(
            "INSERT OR IGNORE INTO temp.touched (initiative_id) "
            "SELECT id FROM item WHERE source = ? AND missing_since IS NULL",
            (INITIATIVE,),
        )
        return
    own = "SELECT initiative_id FROM temp.looked CROSS JOIN anchor ON item_id = looked.id"
    connection.execute(f"INSERT OR IGNORE INTO temp.touched (initiative_id) {own}")
    hanging = "SELECT item_id FROM dirty WHERE kin UNION SELECT item_id FROM temp.seed UNION SELECT id FROM temp.reach"
    moved = "SELECT id FROM temp.looked CROSS JOIN dirty ON item_id = id AND moved"
    for start, sure in ((hanging, 1), (moved, 0)):
        connection.execute(_ABOVE.format(start=start, sure=sure))


_ABOVE = (
    "WITH RECURSIVE changed(id) AS ({start}), up(id) AS (SELECT id FROM changed "
    "UNION SELECT parent_id FROM changed CROSS JOIN item USING (id) WHERE parent_id IS NOT NULL "
    "UNION SELECT i.parent_id FROM up CROSS JOIN item i ON i.id = up.id "
    "WHERE i.parent_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM anchor a WHERE a.item_id = up.id)) "
    "INSERT OR IGNORE INTO temp.touched SELECT a.initiative_id, {sure} FROM up CROSS JOIN anchor a ON a.item_id = up.id"
)
"""Touches the initiatives that these items are in, and those that they would be in without being anchors."""


def _count_again(connection: sqlite3.Connection, totals: Mapping[int, Totals]) -> None:
    """Leave only those in `touched` that are to be made again.

    Where none that speaks for an initiative was written, its row differs in what is counted together, if at all.
    """
    known = connection.execute(
        "SELECT t.initiative_id, n.totals, n.came, i.percent_complete, i.status_since, i.started_at "
        "FROM temp.touched t CROSS JOIN initiative_detail n ON n.item_id = t.initiative_id "
        "CROSS JOIN item i ON i.id = t.initiative_id WHERE NOT sure AND i.missing_since IS NULL"
    )
    settled, moved, started, counts = [], [], [], []
    for initiative, told, came, *before in known.fetchall():
        now = totals[initiative]
        if told != repr(now):
            progress = before[0] if "percent_complete" in json.loads(came) else now.progress
            if [bool(each) for each in before] != [bool(progress), bool(now.status_since), bool(now.started_at)]:
                continue  # whether it is known at all is to be asked anew
            times = now.times
            moved.append(
                (times["status_since"], times["status_since_day"], times["status_since_is"], progress, initiative)
            )
            if now.started_at != before[2]:
                started.append((now.started_at, now.started_at_day, initiative))
            counts.append((now.members, now.known_finished, repr(now), initiative))
        settled.append((initiative,))
    connection.executemany(_MOVED, moved)
    connection.executemany(_STARTED, started)
    connection.executemany(_COUNTS, counts)
    connection.executemany("DELETE FROM temp.touched WHERE initiative_id = ?", settled)


_MOVED = (
    "UPDATE item SET status_since = ?, status_since_day = ?, status_since_is = ?, percent_complete = ?, hash = NULL "
    "WHERE id = ?"
)
_STARTED = "UPDATE item SET started_at = ?, started_at_day = ? WHERE id = ?"
_COUNTS = "UPDATE initiative_detail SET members = ?, finished = ?, totals = ? WHERE item_id = ?"


def _gather_members(connection: sqlite3.Connection) -> None:
    """Fill `within` with everything that is in the touched initiatives.

    What hangs below an anchor, down to the next ones, hangs below no other: nothing is met twice, and a ring of parents
    is either out of reach or ends at the anchor.
    """
    connection.execute("DROP TABLE IF EXISTS temp.within")
    connection.execute("CREATE TEMP TABLE within (item_id INTEGER PRIMARY KEY, initiative_id INTEGER)")
    connection.execute(
        "WITH RECURSIVE below(initiative, id) AS (SELECT t.initiative_id, a.item_id FROM temp.touched t "
        "CROSS JOIN anchor a ON a.initiative_id = t.initiative_id UNION ALL SELECT below.initiative, c.id FROM below "
        "CROSS JOIN item c ON c.parent_id = below.id WHERE NOT EXISTS (SELECT 1 FROM anchor x WHERE x.item_id = c.id)) "
        "INSERT INTO temp.within SELECT id, initiative FROM below"
    )


_MEMBERS = "FROM temp.within w CROSS JOIN item i ON i.id = w.item_id WHERE i.missing_since IS NULL"


def _totals(connection: sqlite3.Connection) -> Iterator[tuple[int, Totals]]:
    """By initiative, over everything in it. Times are compared as texts, with what goes with them behind."""
    for row in connection.execute(
        "SELECT w.initiative_id, count(*), count(CASE i.status_category WHEN 'done' THEN 1 END), "
        "count(i.status_category), "
        "max(i.status_since || ' ' || i.status_since_day || ' ' || ifnull(i.status_since_is, 'at_least')), "
        f"min(i.started_at || ' ' || i.started_at_day) {_MEMBERS} GROUP BY 1"
    ):
        since, since_day, since_is = (row[4] or "  ").split(" ")
        started, started_day = (row[5] or " ").split(" ")
        yield (
            row[0],
            Totals(
                members=row[1],
                finished=row[2],
                categorised=row[3],
                status_since=since or None,
                status_since_day=int(since_day) if since_day else None,
                status_since_is=since_is or None,
                started_at=started or None,
                started_at_day=int(started_day) if started_day else None,
            ),
        )


def _tops(connection: sqlite3.Connection, order: Order) -> Iterator[tuple[int, list[Top]]]:
    """Each touched initiative with the anchors that hang below no other item of it, the most trusted source first.

    Where parents run in a ring there is no such, and all of its anchors count.
    """
    rows = connection.execute(
        f"SELECT a.initiative_id, i.id, i.calendar, "
        "(SELECT k.target FROM link k WHERE k.item_id = i.id AND k.how = 'key'), "
        "EXISTS (SELECT 1 FROM temp.within p WHERE p.initiative_id = a.initiative_id AND p.item_id = i.parent_id), "
        f"d.description, d.fields, {', '.join(f'i.{name}' for name in PULLED)} "
        "FROM temp.touched t CROSS JOIN anchor a ON a.initiative_id = t.initiative_id "
        "CROSS JOIN item i ON i.id = a.item_id LEFT JOIN item_detail d ON d.item_id = i.id ORDER BY a.initiative_id"
    )
    initiative, found = 0, list[tuple[bool, Top]]()
    for row in rows:
        if row[0] != initiative and found:
            yield initiative, _in_order(found, order)
            found = []
        initiative = row[0]
        found.append((bool(row[4]), Top(row[1], row[2], row[3], row[5], row[6], row[7:])))
    if found:
        yield initiative, _in_order(found, order)


def _in_order(found: Sequence[tuple[bool, Top]], order: Order) -> list[Top]:
    tops = [top for below, top in found if not below] or [top for _, top in found]
    return sorted(tops, key=lambda top: (order.rank(top.source), top.item_id))


_STORED = (*PULLED, "calendar", "outcome_id", "missing_since", "hash")


def _write(connection: sqlite3.Connection, initiative: int, tops: Sequence[Top], totals: Totals, order: Order) -> None:
    """Write the row and what stands beside it, if anything of it changed."""
    there = connection.execute(f"SELECT {', '.join(_STORED)} FROM item WHERE id = ?", (initiative,)).fetchone()
    before = dict(zip(_STORED, there, strict=True))
    whole = merged(before["native_id"], tops, totals, order)
    digest = hashlib.blake2b(repr(whole).encode(), digest_size=16).digest()
    _mark_labelled(connection, initiative, tops, order)
    if before["hash"] == digest and not before["missing_since"]:
        return
    wanted = dict(zip(_STORED, (*whole.row, tops[0].calendar, initiative, None, digest), strict=True))
    # an index is written for each column that is named, whether it changed or not
    changed = {name: value for name, value in wanted.items() if value != before[name]}
    places = ", ".join(f"{name} = ?" for name in changed)
    connection.execute(f"UPDATE item SET {places} WHERE id = ?", (*changed.values(), initiative))
    connection.execute(
        "INSERT INTO item_detail (item_id, description, fields) VALUES (?, ?, ?) "
        "ON CONFLICT (item_id) DO UPDATE SET description = excluded.description, fields = excluded.fields",
        (initiative, whole.description, json.dumps(whole.fields, ensure_ascii=False, sort_keys=True)),
    )
    connection.execute(
        "INSERT INTO initiative_detail (item_id, head_id, members, finished, disagree_on, disagreement, came, totals) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (item_id) DO UPDATE SET head_id = excluded.head_id, "
        "members = excluded.members, finished = excluded.finished, disagree_on = excluded.disagree_on, "
        "disagreement = excluded.disagreement, came = excluded.came, "
        "totals = excluded.totals",
        (
            initiative,
            tops[0].item_id,
            totals.members,
            totals.known_finished,
            ", ".join(whole.disagree_on),
            whole.disagreement,
            json.dumps(whole.came),
            repr(totals),
        ),
    )


def _mark_labelled(connection: sqlite3.Connection, initiative: int, tops: Sequence[Top], order: Order) -> None:
    """Mark the members that the initiative's labels go to."""
    chosen = [top.item_id for top in tops if top.source in order.labelled] if order.labelled else [tops[0].item_id]
    connection.execute(
        "UPDATE anchor SET labelled = item_id IN (SELECT value FROM json_each(?1)) "
        "WHERE initiative_id = ?2 AND labelled <> (item_id IN (SELECT value FROM json_each(?1)))",
        (json.dumps(chosen), initiative),
    )
