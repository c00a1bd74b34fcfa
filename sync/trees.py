"""An initiative as a tree: what is in it, in which tool, and how that was found; and the links that are not used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from rules.table import INITIATIVE
from sync.store import Store

Node = dict[str, Any]
"""`source`, `key`, `title`, `status`, `how` (a sentence, or None below an item that has one) and `below`."""

WHY = {
    "ambiguous": "more than one item goes by it",
    "gone": "the item that it leads to is gone",
    None: "leads to nothing that is pulled: it is elsewhere, or not visible to the account",
}
"""Why a link is not used, in words."""


def initiatives_of(store: Store, items: Sequence[int]) -> list[int]:
    """The initiatives that these items are in, or are."""
    rows = store.connection.execute(
        "WITH RECURSIVE up(id) AS (SELECT value FROM json_each(?) UNION SELECT i.parent_id FROM up "
        "JOIN item i ON i.id = up.id WHERE i.parent_id IS NOT NULL AND up.id NOT IN (SELECT item_id FROM anchor)) "
        "SELECT initiative_id FROM anchor WHERE item_id IN (SELECT id FROM up) "
        "UNION SELECT id FROM item WHERE source = ? AND id IN (SELECT id FROM up)",
        (str([*items]), INITIATIVE),
    )
    return [row[0] for row in rows]


def tree(store: Store, initiative: int) -> dict[str, Any]:
    """An initiative with its members: those that hang below no other one at the top."""
    whole = store.rows(
        "SELECT key, title, status_category, items_below, finished_below, disagreement FROM temp.initiative "
        "WHERE id = ?",
        (initiative,),
    )[0]
    return {
        "initiative": whole["key"],
        "title": whole["title"],
        "status_category": whole["status_category"],
        "items": whole["items_below"],
        "finished": whole["finished_below"],
        "disagreement": whole["disagreement"],
        "members": _members(store, _within(store, initiative), anchored=True),
        "not_used": not_used(store, initiative),
    }


def hierarchy(store: Store, item: int) -> dict[str, Any]:
    """An item that is in no initiative, below whatever it hangs from in its own tool."""
    top = store.value(
        "WITH RECURSIVE up(id, depth) AS (SELECT ?, 0 UNION ALL SELECT i.parent_id, depth + 1 FROM up "
        "JOIN item i ON i.id = up.id WHERE i.parent_id IS NOT NULL AND depth < 64) "
        "SELECT id FROM up ORDER BY depth DESC LIMIT 1",
        (item,),
    )
    below = [
        row[0]
        for row in store.connection.execute(
            "WITH RECURSIVE below(id) AS (SELECT ? UNION SELECT c.id FROM below JOIN item c ON c.parent_id = below.id) "
            "SELECT id FROM below",
            (top,),
        )
    ]
    empty = dict.fromkeys(("initiative", "title", "status_category", "items", "finished", "disagreement"))
    return {**empty, "members": _members(store, below, anchored=False), "not_used": _unused(store, below)}


def not_used(store: Store, initiative: int | None = None) -> list[dict[str, str]]:
    """Links that are not used, and why: of all that is in an initiative, or of all items.

    Of all items, addresses that lead to no item are left out: most of them are not meant to.
    """
    if initiative is not None:
        return _unused(store, _within(store, initiative))
    wide = store.rows("SELECT name AS target, items FROM wide_key ORDER BY name")
    too_wide = [
        {"source": "", "key": "", "target": row["target"], "how": "key", "why": f"stands on {row['items']} items"}
        for row in wide
    ]
    return [*too_wide, *(row for row in _unused(store, None) if row["why"] != WHY[None])]


def _unused(store: Store, items: Sequence[int] | None) -> list[dict[str, str]]:
    rows = store.rows(
        "SELECT i.source, i.key, l.target, l.how, l.problem FROM link l JOIN item i ON i.id = l.item_id "
        "WHERE l.to_id IS NULL AND l.how <> 'key' AND (?1 IS NULL OR l.item_id IN (SELECT value FROM json_each(?1))) "
        "AND NOT EXISTS (SELECT 1 FROM link k WHERE k.how = 'key' AND k.name = l.name) "
        "ORDER BY i.source, i.id, l.id",
        (None if items is None else str([*items]),),
    )
    return [
        {**{name: row[name] for name in ("source", "key", "target", "how")}, "why": WHY[row["problem"]]} for row in rows
    ]


def _within(store: Store, initiative: int) -> list[int]:
    rows = store.connection.execute(
        "WITH RECURSIVE below(id) AS (SELECT item_id FROM anchor WHERE initiative_id = ? UNION SELECT c.id FROM below "
        "JOIN item c ON c.parent_id = below.id WHERE c.id NOT IN (SELECT item_id FROM anchor)) SELECT id FROM below",
        (initiative,),
    )
    return [row[0] for row in rows]


def _members(store: Store, items: Sequence[int], *, anchored: bool) -> list[Node]:
    """The items as a tree; where parents run in a ring, it is cut open at the oldest item of the first source."""
    rows = {
        row["id"]: row
        for row in store.rows(
            "SELECT id, source, key, title, status, parent_id FROM item "
            "WHERE missing_since IS NULL AND id IN (SELECT value FROM json_each(?)) ORDER BY source, id",
            (str([*items]),),
        )
    }
    how = _how(store, list(rows)) if anchored else {}
    below = defaultdict[int | None, list[int]](list)
    for item, row in rows.items():
        below[row["parent_id"] if row["parent_id"] in rows else None].append(item)
    shown = set[int]()
    tops = [_node(item, rows, below, how, shown) for item in below[None]]
    return tops + [_node(item, rows, below, how, shown) for item in rows if item not in shown]


def _node(
    item: int,
    rows: Mapping[int, Mapping[str, Any]],
    below: Mapping[int | None, Sequence[int]],
    how: Mapping[int, str],
    shown: set[int],
) -> Node:
    shown.add(item)
    node = {name: rows[item][name] for name in ("source", "key", "title", "status")}
    children = [child for child in below.get(item, ()) if child not in shown]
    return {
        **node,
        "how": how.get(item),
        "below": [_node(child, rows, below, how, shown) for child in children if child not in shown],
    }


_HOW = {"key": "carries the key", "tool": "links to", "text": "names"}


def _how(store: Store, items: Sequence[int]) -> dict[int, str]:
    """How each anchor came to be in its initiative, since when."""
    found = defaultdict[int, list[str]](list)
    of_items = "(SELECT value FROM json_each(?1))"
    for row in store.rows(
        "SELECT l.item_id, l.to_id, l.how, l.target, substr(l.since, 1, 10) AS since, a.key, "
        "b.key AS other FROM link l JOIN item a ON a.id = l.item_id LEFT JOIN item b ON b.id = l.to_id "
        f"WHERE (l.item_id IN {of_items} AND (l.how = 'key' OR l.to_id IN {of_items} OR EXISTS "
        "(SELECT 1 FROM link k WHERE k.how = 'key' AND k.name = l.name))) "
        f"OR (l.to_id IN {of_items} AND l.how <> 'key' AND l.item_id IN {of_items}) ORDER BY l.id",
        (str([*items]),),
    ):
        words = f"{_HOW[row['how']]} {row['target'] if row['how'] == 'key' else row['other'] or row['target']}"
        found[row["item_id"]].append(f"{words} since {row['since']}")
        if row["to_id"] is not None:
            by = "is what others call by their key" if row["how"] == "key" else f"linked from {row['key']}"
            found[row["to_id"]].append(f"{by} since {row['since']}" if row["how"] != "key" else by)
    return {item: "; ".join(dict.fromkeys(told)) for item, told in found.items()}
