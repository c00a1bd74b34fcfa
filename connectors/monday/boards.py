"""The boards of an account: which of them are read, and the hidden boards that their subitems lie on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.base import Collection
from connectors.errors import SetupError
from connectors.monday.api import Api
from connectors.monday.columns import Column, parse_column

Json = Mapping[str, Any]

SUBITEMS = "sub_items_board"


@dataclass(frozen=True, slots=True)
class Board:
    """One board: https://developer.monday.com/api-reference/reference/boards"""

    id: str
    name: str
    url: str | None = None
    type: str = "board"
    """`board`, `sub_items_board`, or what holds no items: `document`, `custom_object`."""
    is_public: bool = True
    """Its tags are those of the whole account; other boards have tags of their own."""
    is_multi_level: bool = False
    may_edit: bool = True
    items: int = 0
    workspace: tuple[str, str] = ("", "")
    """Id and name; the main workspace has neither."""
    columns: tuple[Column, ...] = field(default=(), repr=False)

    @property
    def is_of_subitems(self) -> bool:
        return self.type == SUBITEMS

    @property
    def subitems(self) -> list[str]:
        """Ids of the boards that its subitems lie on; a multi-level board has them on itself."""
        found = (one for column in self.columns if column.type == "subtasks" for one in ids_in(column.settings))
        return [] if self.is_multi_level else [*found]

    def as_collection(self) -> Collection:
        return Collection(self.id, self.name, self.url)


def ids_in(settings: Json) -> list[str]:
    """The boards that a column leads to."""
    found = settings.get("boardIds") or settings.get("board_ids") or ()
    return [str(one) for one in found] if isinstance(found, list) else []


def parse_board(data: Json) -> Board:
    """One board from its JSON. Raises `KeyError` or `TypeError` if it is none."""
    workspace = data.get("workspace") or {}
    columns = (parse_column(column) for column in data.get("columns") or () if not column.get("archived"))
    return Board(
        id=str(data["id"]),
        name=str(data.get("name") or data["id"]).strip(),
        url=data.get("url") or None,
        type=str(data.get("type") or "board"),
        is_public=data.get("board_kind") == "public",
        is_multi_level=data.get("hierarchy_type") == "multi_level",
        may_edit=data.get("access_level") != "view",
        items=int(data.get("items_count") or 0),
        workspace=(str(workspace.get("id") or ""), str(workspace.get("name") or "")),
        columns=tuple(columns),
    )


def chosen(api: Api, names: Sequence[str], workspaces: Sequence[str], *, subitems: bool) -> dict[str, Board]:
    """The boards that config names, or all, by id; each is followed by the boards of its subitems.

    Where config gives nothing but ids, only those are asked for. Raises `SetupError` for a name that nothing has, or
    several things have.
    """
    only_ids = bool(names) and all(is_id(name) for name in names)
    places = [name for name in workspaces if is_id(name)] if all(map(is_id, workspaces)) else []
    listed = {board.id: board for board in map(parse_board, api.boards(names if only_ids else (), places))}
    parents = [board for board in listed.values() if board.type == "board"]
    if names:
        found = [named(name, list(listed.values())) for name in names]
    elif workspaces:
        found = [board for place in workspaces for board in within(place, parents)]
    else:
        found = parents
    boards = {board.id: board for board in found}
    if subitems:
        boards |= below(api, boards, listed)
    return dict(sorted(boards.items()))


def below(api: Api, boards: Mapping[str, Board], listed: Mapping[str, Board]) -> dict[str, Board]:
    """The boards of the subitems of these boards. One that this account cannot see is left out."""
    wanted = {one for board in boards.values() for one in board.subitems}
    unlisted = sorted(wanted - listed.keys())
    known = {**listed, **{board.id: board for board in map(parse_board, api.boards(unlisted) if unlisted else ())}}
    return {one: known[one] for one in wanted & known.keys()}


def named(name: str, boards: Sequence[Board]) -> Board:
    """The board that config calls so."""
    fitting = [one for one in boards if name == one.id] or [one for one in boards if name.strip() == one.name]
    if not fitting:
        raise SetupError(
            f'there is no board "{name}" that this account sees', "correct it, or let the account see that board"
        )
    if len(fitting) > 1:
        ids = " or ".join(one.id for one in fitting)
        raise SetupError(f'there are {len(fitting)} boards called "{name}"', f"name the one meant by its id: {ids}")
    return fitting[0]


def within(place: str, boards: Sequence[Board]) -> Iterator[Board]:
    """The boards of a workspace, by its id or name."""
    fitting = [board for board in boards if place in board.workspace]
    if not fitting:
        raise SetupError(f'there is no board in a workspace "{place}" that this account sees', "correct workspaces")
    yield from fitting


def is_id(name: str) -> bool:
    return name.isascii() and name.isdigit()
