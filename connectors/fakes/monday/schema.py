"""What the account answers to a query: `graphql-core` on the schema beside this file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema, build_schema

from connectors.fakes.monday.account import Account, Board, Column, Item, option_of
from connectors.fakes.monday.refusals import refusal
from connectors.fakes.monday.values import stamp, value_of

Json = dict[str, Any]

LIFE = timedelta(minutes=60)
"""Of a cursor, from the first page on."""

MOST_ITEMS = 500
MOST_IDS = 100


@dataclass
class Paging:
    """What a cursor stands for."""

    items: Sequence[Item]
    at: int
    began: datetime


@dataclass
class Roots:
    """Everything that a request can begin with."""

    account: Account
    cursors: dict[str, Paging] = field(default_factory=dict)
    version_kind: str = "current"
    deny_labels: bool = False
    """The account may not make options of a dropdown."""
    tag_case: bool = False
    """Tags are made in small letters."""
    before_write: list[Any] = field(default_factory=list)
    """What people do between our reading and our write, each once."""
    _numbers: Any = field(default_factory=count)

    # Reading

    def boards(self, _: Any, **asked: Any) -> list[Board]:
        found = [board for board in self.account.boards.values() if board.state == "active"]
        if asked.get("ids") is not None:
            found = [board for board in found if board.id in asked["ids"]]
        if asked.get("workspace_ids") is not None:
            found = [board for board in found if board.workspace and board.workspace[0] in asked["workspace_ids"]]
        start = (asked["page"] - 1) * asked["limit"]
        return found[start : start + asked["limit"]]

    def items_page(
        self, board: Board, *, limit: int, query_params: Json | None = None, hierarchy_scope_config: str | None = None
    ) -> Json:
        """Active items only; of a multi-level board only the uppermost, unless all are asked for."""
        found = [item for item in board.items.values() if item.state == "active"]
        if board.hierarchy == "multi_level" and hierarchy_scope_config != "allItems":
            found = [item for item in found if item.parent is None]
        for rule in (query_params or {}).get("rules") or ():
            found = [item for item in found if is_since(item, rule)]
        return self._page(Paging(found, 0, self.account.now), limit)

    def next_items_page(self, _: Any, *, cursor: str, limit: int) -> Json:
        paging = self.cursors.get(cursor)
        if paging is None or self.account.now - paging.began > LIFE:
            raise refusal("CursorExpiredError", "The cursor provided for pagination has expired. Please refresh it.")
        return self._page(paging, limit)

    def _page(self, paging: Paging, limit: int) -> Json:
        if limit > MOST_ITEMS:
            raise refusal("InvalidArgumentException", f"limit must be at most {MOST_ITEMS}")
        end = paging.at + limit
        cursor = None
        if end < len(paging.items):
            cursor = f"MSw5NzI4-{next(self._numbers)}"
            self.cursors[cursor] = Paging(paging.items, end, paging.began)
        return {"cursor": cursor, "items": paging.items[paging.at : end]}

    def items(
        self, _: Any, *, ids: Sequence[str], limit: int, page: int, exclude_nonactive: bool = False
    ) -> list[Item]:
        if len(ids) > MOST_IDS:
            raise refusal("InvalidArgumentException", f"at most {MOST_IDS} ids")
        found = [item for number in ids if (item := self.account.item(number))]
        if exclude_nonactive:
            found = [item for item in found if item.state == "active"]
        return found[(page - 1) * limit : page * limit]

    # Writing

    def create_or_get_tag(self, _: Any, *, tag_name: str, board_id: str | None = None) -> Json:
        board = self.account.boards[board_id] if board_id else Board("", "")
        tag = self.account.tag(tag_name.lower() if self.tag_case else tag_name, board)
        return {"id": tag.id, "name": tag.name}

    def create_column(self, _: Any, *, board_id: str, column_type: str, title: str) -> Column:
        return self.account.add_column(self._board(board_id), title, column_type)

    def change_multiple_column_values(
        self, _: Any, *, board_id: str, item_id: str, column_values: str, create_labels_if_missing: bool = False
    ) -> Item:
        """The whole value of each column, in place of what was there."""
        while self.before_write:
            self.before_write.pop(0)()
        board = self._board(board_id)
        item = board.items.get(item_id)
        if item is None or item.state != "active":
            raise refusal("ResourceNotFoundException", "Item not found in board or item inactive")
        if item.locked:
            raise refusal("UserUnauthorizedException", "User unauthorized to perform action")
        if not isinstance(column_values, str):
            raise refusal("InvalidArgumentException", "column_values must be a JSON string")
        for number, value in json.loads(column_values).items():
            column = board.by_id(number)
            if column is None:
                raise refusal("InvalidColumnIdException", "This column ID doesn't exist for the board")
            self.account.put(item, column, self._names(column, value, board, create=create_labels_if_missing))
        return item

    def _names(self, column: Column, value: Any, board: Board, *, create: bool) -> list[str] | None:
        """The names of the tags or options that a write leaves on an item."""
        if not value:
            return None
        if column.type == "tags":
            known = [tag for number in value["tag_ids"] if (tag := self.account.tags.get(number))]
            return [tag.name for tag in known if tag.board in (None, board.id)]
        if column.type != "dropdown":
            raise refusal("ColumnValueException", "invalid value", error_data={"column_type": column.type})
        names = [str(name) for name in value["labels"]]
        known_options = {option["label"] for option in column.settings["labels"]}
        if {*names} - known_options and not create:
            raise refusal("ColumnValueException", "invalid value - label does not exist in column")
        if {*names} - known_options and self.deny_labels:
            raise refusal("UserUnauthorizedException", "User unauthorized to change the board's structure")
        for name in names:
            option_of(column, name)
        return names

    def _board(self, number: str) -> Board:
        board = self.account.boards.get(number)
        if board is None:
            raise refusal("InvalidBoardIdException", "board does not exist")
        if board.access == "view":
            raise refusal("UserUnauthorizedException", "User unauthorized to perform action")
        return board


def is_since(item: Item, rule: Mapping[str, Any]) -> bool:
    """Days, not moments; anything else than the one rule that is served is refused."""
    served = ("__last_updated__", "UPDATED_AT", "greater_than_or_equals", "EXACT")
    asked = (rule["column_id"], rule.get("compare_attribute"), rule.get("operator"), rule["compare_value"][0])
    if asked != served:
        raise refusal("InvalidArgumentException", "the fake has no such filter")
    return item.updated.date() >= date.fromisoformat(rule["compare_value"][1])


# The schema, with what it takes from an account


@cache
def schema() -> GraphQLSchema:
    """One for all fakes: what is asked is found in the context, which is `Roots`."""
    made = build_schema((Path(__file__).parent / "schema.graphql").read_text("utf-8"))
    resolvers: dict[str, dict[str, Any]] = {
        "Query": {
            "boards": lambda root, info, **asked: info.context.boards(root, **asked),
            "items": lambda root, info, **asked: info.context.items(root, **asked),
            "next_items_page": lambda root, info, **asked: info.context.next_items_page(root, **asked),
            "complexity": lambda root, _: root["complexity"],
            "me": lambda *_: {"id": "4021", "name": "PMO Bot", "email": "pmo-bot@example.com"},
            "version": lambda _, info: {"kind": info.context.version_kind, "value": "2026-10"},
        },
        "Mutation": {
            name: partial(written, name)
            for name in ("create_or_get_tag", "create_column", "change_multiple_column_values")
        },
        "Board": {
            "url": lambda board, _: f"https://example.monday.com/boards/{board.id}",
            "board_kind": lambda board, _: board.kind,
            "hierarchy_type": lambda board, _: board.hierarchy,
            "access_level": lambda board, _: board.access,
            "items_count": lambda board, _: sum(item.state == "active" for item in board.items.values()),
            "workspace": lambda board, _: (
                dict(zip(("id", "name"), board.workspace, strict=True)) if board.workspace else None
            ),
            "items_page": lambda board, info, **asked: info.context.items_page(board, **asked),
        },
        "Item": {
            "url": lambda item, _: f"https://example.monday.com/boards/{item.board}/pulses/{item.id}",
            "created_at": lambda item, _: stamp(item.created),
            "updated_at": lambda item, _: stamp(item.updated),
            "board": lambda item, info: info.context.account.boards[item.board],
            "group": lambda item, _: {"id": "topics", "title": item.group},
            "parent_item": lambda item, info: info.context.account.item(item.parent) if item.parent else None,
            "column_values": column_values,
        },
    }
    for name, fields in resolvers.items():
        kind = made.type_map[name]
        assert isinstance(kind, GraphQLObjectType)
        for one, resolve in fields.items():
            kind.fields[one].resolve = resolve
    return made


def written(name: str, root: Any, info: Any, **asked: Any) -> Any:
    """A field of a mutation."""
    return getattr(info.context, name)(root, **asked)


def column_values(
    item: Item, info: Any, ids: Sequence[str] | None = None, capabilities: Sequence[str] | None = None
) -> list[Json]:
    """Columns that roll up come only if what is calculated is asked for."""
    account: Account = info.context.account
    columns = [one for one in account.boards[item.board].columns if not one.archived and (ids is None or one.id in ids)]
    if not capabilities:
        columns = [column for column in columns if not column.rolls_up]
    return [value_of(account, item, column) for column in columns]
