"""Writing labels: read the items right before, merge, write them in one request, and look what came of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.base import ChangeResult, Fate, Outcome, exempted
from connectors.errors import AccessError, ConnectorError, GoneError, SetupError
from connectors.model import LabelChange
from connectors.monday.api import NEXT_RUN, Api, Json, problem_of, told
from connectors.monday.boards import Board
from connectors.monday.columns import LABELS, Column, Layout, why_no_labels
from connectors.monday.items import fate_of
from connectors.monday.values import clean, labels_of

BATCH = 25
"""Items that one request writes. It may be more; so few are written at most a second after they were read."""

LONGEST = 250
"""Characters of a label. The limit is ours: nobody reads a longer one in a cell."""

FORBIDDEN = "\n\r\t"


@dataclass(frozen=True, slots=True)
class Update:
    """One item to be written."""

    change: LabelChange
    value: str
    """JSON text, as `change_multiple_column_values` takes it."""
    labels: tuple[str, ...]
    already: frozenset[str]
    """What was to be added, and was there."""


class Tags:
    """The ids of tags by their names, asked for once each; a public board has those of the account."""

    def __init__(self, api: Api, board: Board) -> None:
        self._api, self._board = api, None if board.is_public else board.id
        self._known: dict[str, int] = {}

    def id_of(self, name: str) -> int:
        """Raises `SetupError` if monday.com makes another name of it, which we would not find again."""
        if name not in self._known:
            tag = self._api.tag(name, self._board)
            if clean(tag.get("name")) != name:
                raise SetupError(f'monday.com makes the tag "{clean(tag.get("name"))}" of "{name}"', "name it so")
            self._known[name] = int(tag["id"])
        return self._known[name]


class Writing:
    """All writes of one call of `apply` to one board."""

    def __init__(self, api: Api, board: Board, column: Column) -> None:
        self._api, self._board, self._column = api, board, column
        self._tags = Tags(api, board)

    def write(self, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        for at in range(0, len(changes), BATCH):
            yield from self._batch(changes[at : at + BATCH])

    def _batch(self, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        self._api.require(1 + len(changes))
        items = self._api.labels([change.ref.native_id for change in changes], self._column.id)
        decided = [self._decide(change, items.get(change.ref.native_id)) for change in changes]
        updates = [one for one in decided if isinstance(one, Update)]
        written = self._send(updates) if updates else {}
        yield from (written[one.change.ref.native_id] if isinstance(one, Update) else one for one in decided)

    def _decide(self, change: LabelChange, item: Json | None) -> Update | ChangeResult:
        """What is to be written into an item, or why nothing is."""
        fate = fate_of(item, self._board.id)
        if item is None or fate:
            return ChangeResult(change.ref, Outcome.GONE, why_gone(fate or Fate.DELETED))
        value = value_of(item, self._column)
        before = labels_of(value)
        after = tuple(change.applied_to(before))
        if after == before:
            return ChangeResult(change.ref, Outcome.UNCHANGED, "", tuple(sorted(before)))
        if exempt := exempted(change, before):
            return exempt
        if unfit := next((label for label in change.add if not fits(label)), None):
            return ChangeResult(change.ref, Outcome.REFUSED, why_unfit(unfit))
        try:
            text = json.dumps({self._column.id: self._merged(value, before, after)})
        except SetupError as error:
            return ChangeResult(change.ref, Outcome.REFUSED, str(error))
        return Update(change, text, after, change.already_on(before))

    def _merged(self, value: Mapping[str, Any], before: Sequence[str], after: Sequence[str]) -> Json | None:
        """The column's new value. Of a tag that is there the id is kept, also of one whose name is not told."""
        if not after and not self._nameless(value):
            return None
        if self._column.type == "dropdown":
            return {"labels": list(after)}
        ids = {clean(tag.get("name")): int(tag["id"]) for tag in value.get("tags") or ()}
        kept = [ids[name] for name in before if name in after]
        return {
            "tag_ids": [*self._nameless(value), *kept, *(self._tags.id_of(name) for name in after if name not in ids)]
        }

    def _nameless(self, value: Mapping[str, Any]) -> list[int]:
        """Ids of tags that are on the item, and of which no name came."""
        named = {int(tag["id"]) for tag in value.get("tags") or ()}
        return [one for one in value.get("tag_ids") or () if one not in named]

    def _send(self, updates: Sequence[Update]) -> dict[str, ChangeResult]:
        """Write, and look what is there now."""
        values = [(update.change.ref.native_id, update.value) for update in updates]
        answer = self._api.write(self._board.id, self._column.id, values)
        errors, data = told(answer), answer.get("data")
        shown = data if isinstance(data, dict) else {}
        refused = by_place(errors)
        return {
            update.change.ref.native_id: self._result(
                update, shown.get(f"m{number}"), refused.get(f"m{number}"), errors
            )
            for number, update in enumerate(updates)
        }

    def _result(self, update: Update, shown: object, error: Json | None, errors: Sequence[Json]) -> ChangeResult:
        ref = update.change.ref
        if error or not isinstance(shown, dict):
            problem = problem_of(error or (errors[0] if errors else {}))
            return ChangeResult(ref, outcome_of(problem), str(problem))
        labels = labels_of(value_of(shown, self._column))
        if {*labels} != {*update.labels}:
            return ChangeResult(ref, Outcome.FAILED, f"monday.com did not write all that it was asked to; {NEXT_RUN}")
        return ChangeResult(ref, Outcome.DONE, "", tuple(sorted(labels)), already=update.already)


def label_column(layout: Layout) -> Column:
    """The column that carries labels. Raises `SetupError` if there is none, or one that cannot."""
    column = layout[LABELS]
    if column is None:
        raise SetupError(
            f'the board has no column "{layout.missing.get(LABELS, "")}"',
            "add one of the type Tags, or let `unstuck init --sheet` do it",
        )
    if why := why_no_labels(column):
        raise SetupError(*why)
    return column


def value_of(item: Json, column: Column) -> Mapping[str, Any]:
    """An item's value of a column; an empty one if it has none."""
    return next((value for value in item.get("column_values") or () if value.get("id") == column.id), {})


def why_gone(fate: Fate) -> str:
    where = " to another board" if fate is Fate.MOVED else ""
    return f"the item was {fate}{where}; nothing is to be done"


def fits(label: str) -> bool:
    return len(label) <= LONGEST and not {*label} & {*FORBIDDEN}


def why_unfit(label: str) -> str:
    shown = " ".join(label[:40].split())
    return f'"{shown}" cannot be a label: it is longer than {LONGEST} characters, or has line breaks; shorten it'


def by_place(errors: Sequence[Json]) -> dict[str, Json]:
    """The errors by the part of the request that they are about."""
    found = {}
    for error in errors:
        path = error.get("path")
        if isinstance(path, list) and path:
            found[str(path[0])] = error
    return found


def outcome_of(problem: ConnectorError) -> Outcome:
    """A refusal stays until a person changes something; what is neither that nor gone may work the next time."""
    if isinstance(problem, GoneError):
        return Outcome.GONE
    return Outcome.REFUSED if isinstance(problem, SetupError | AccessError) else Outcome.FAILED
