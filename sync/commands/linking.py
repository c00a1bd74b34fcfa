"""`links`: an initiative as a tree with its tools, or all links that are not used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from connectors.wording import many
from sync import output, trees
from sync.commands.shared import looking, short
from sync.stops import InvalidStop
from sync.store import Store


def links(path: Path | None, key: str | None, form: str) -> None:
    """The initiatives that people call KEY, or that its item is in; without a key, what is not used, and why."""
    with looking(path) as (_, store):
        if key is None:
            unused = trees.not_used(store)
            output.emit(unused, ("source", "key", "how", "target", "why"), form, "No link is left aside.")
            return
        found = _trees(store, key)
    if form == "json":
        output.emit_json(found)
        return
    for tree in found:
        for line in _lines(tree):
            click.echo(line)


def _trees(store: Store, key: str) -> list[dict[str, Any]]:
    items = [
        row["id"]
        for view in ("work_item", "initiative")
        for row in store.rows(
            f"SELECT id FROM temp.{view} WHERE key = ? COLLATE NOCASE OR native_id = ? ORDER BY id", (key, key)
        )
    ]
    if not items:
        raise InvalidStop(f'There is no item or initiative "{key}" in the store; `unstuck items` lists the items.')
    initiatives = trees.initiatives_of(store, items)
    if initiatives:
        return [trees.tree(store, initiative) for initiative in initiatives]
    return [trees.hierarchy(store, item) for item in items]


def _lines(tree: Mapping[str, Any]) -> Iterator[str]:
    if tree["initiative"] is None:
        yield "In no initiative."
    else:
        finished = "" if tree["finished"] is None else f", {tree['finished']} of {many(tree['items'], 'item')} done"
        category = str(tree["status_category"] or "status unknown").replace("_", " ")
        yield f'{tree["initiative"]}  "{short(tree["title"])}"  {category}{finished}'
    rows = [*_rows(tree["members"], 1)]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        padded = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        yield f"{padded}  {row[3]}".rstrip()
    if tree["disagreement"]:
        yield f"Its members disagree: {tree['disagreement']}"
    if tree["not_used"]:
        yield "Links that are not used:"
        for link in tree["not_used"]:
            yield f"  {link['key']} ({link['source']}): {link['target']} {link['why']}"


def _rows(nodes: Sequence[trees.Node], depth: int) -> Iterator[tuple[str, str, str, str]]:
    for node in nodes:
        how = f"[{node['how']}]" if node["how"] else ""
        yield f"{'  ' * depth}{node['key']} ({node['source']})", f'"{short(node["title"])}"', node["status"] or "", how
        yield from _rows(node["below"], depth + 1)
