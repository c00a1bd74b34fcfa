"""An account, and the back door by which people work in it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

TOKEN = "eyJhbGciOiJIUzI1NiJ9.monday-token-of-the-pmo-bot"

STATUSES = {"0": "Working on it", "1": "Done", "2": "Stuck", "5": ""}
"""monday.com's own labels of a new status column, by their index; 1 is done."""


@dataclass
class Column:
    """A column as its board's owner made it."""

    id: str
    title: str
    type: str
    settings: dict[str, Any] = field(default_factory=dict)
    archived: bool = False
    rolls_up: bool = False
    """On a multi-level board: sums up the items below."""


@dataclass
class Cell:
    """What is in a cell: text, a number, an index (status), ids (tags, dropdown), names (people), a pair (timeline)."""

    value: Any = None
    changed: datetime | None = None


@dataclass
class Item:
    id: str
    board: str
    name: str
    created: datetime
    updated: datetime
    group: str = "Group"
    parent: str | None = None
    state: str = "active"
    cells: dict[str, Cell] = field(default_factory=dict)
    locked: bool = False
    """Only those to whom it is assigned may change it."""


@dataclass
class Tag:
    id: int
    name: str
    board: str | None = None
    """Of a board that is not public; else of the account."""


@dataclass
class Board:
    id: str
    name: str
    type: str = "board"
    kind: str = "public"
    hierarchy: str = "classic"
    access: str = "edit"
    state: str = "active"
    workspace: tuple[str, str] | None = None
    columns: list[Column] = field(default_factory=list)
    items: dict[str, Item] = field(default_factory=dict)

    def column(self, title: str) -> Column:
        (found,) = (column for column in self.columns if column.title == title)
        return found

    def by_id(self, number: str) -> Column | None:
        return next((column for column in self.columns if column.id == number), None)


Titled = tuple[str, str]
PLAN: tuple[Titled, ...] = (
    ("Status", "status"),
    ("Owner", "people"),
    ("Sponsor", "people"),
    ("Due date", "date"),
    ("Progress", "numbers"),
    ("PMO labels", "tags"),
)
"""The columns of a small plan."""


class Account:
    """All that one account sees. Every method is what a person does, but for those that say otherwise."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
        self.boards: dict[str, Board] = {}
        self.tags: dict[int, Tag] = {}
        self.parents: set[str] = set()
        """Ids of items with others below, on the same board or another."""
        self._ids = count(4_583_173_393, 7)  # no 32 bits hold them
        self._tag_ids = count(21_000_001)

    def everything(self) -> object:
        """All that the account holds, to be compared."""
        return copy.deepcopy((self.boards, self.tags))

    def pass_time(self, span: timedelta) -> None:
        self.now += span

    def new_id(self) -> str:
        return str(next(self._ids))

    # Boards

    def new_board(self, name: str, columns: Iterable[Titled] = PLAN, **more: Any) -> Board:
        board = Board(self.new_id(), name, **more)
        for title, kind in columns:
            self.add_column(board, title, kind)
        self.boards[board.id] = board
        return board

    def new_subitems(self, parent: Board, columns: Iterable[Titled] = PLAN) -> Board:
        """The hidden board that a classic board's subitems lie on, and the column that leads there."""
        board = self.new_board(f"Subitems of {parent.name}", columns, type="sub_items_board", kind=parent.kind)
        self.add_column(parent, "Subitems", "subtasks", {"boardIds": [int(board.id)]})
        return board

    def add_column(self, board: Board, title: str, kind: str, settings: dict[str, Any] | None = None) -> Column:
        if settings is None:
            settings = {}
        if kind == "status" and not settings:
            labels = [
                {"index": int(index), "label": label, "is_done": index == "1"} for index, label in STATUSES.items()
            ]
            settings = {"labels": labels}
        if kind == "dropdown":
            settings = {"labels": [], "limit_select": False, **settings}
        column = Column(f"{kind}_{self.new_id()}", title, kind, settings)
        column.rolls_up = board.hierarchy == "multi_level" and kind == "status"
        board.columns.append(column)
        return column

    # Items

    def add_item(self, board: Board, name: str, parent: Item | None = None, **values: Any) -> Item:
        """`values` by the titles of their columns, with `_` for a space."""
        item = Item(self.new_id(), board.id, name, self.now, self.now, parent=parent.id if parent else None)
        board.items[item.id] = item
        if parent:
            self.parents.add(parent.id)
        self.set(item, **values)
        return item

    def set(self, item: Item, **values: Any) -> None:
        """A status by its label, tags and dropdowns by names, people by names, a timeline by two dates."""
        board = self.boards[item.board]
        for title, value in values.items():
            self.put(item, board.column(title.replace("_", " ")), value)

    def put(self, item: Item, column: Column, value: Any) -> None:
        if column.type == "status" and isinstance(value, str):
            value = index_of(column, value)
        elif column.type == "tags" and value is not None:
            value = [self.tag(name, self.boards[item.board]).id for name in value]
        elif column.type == "dropdown" and value is not None:
            value = [option_of(column, name) for name in value]
        self._touch(item)
        item.cells[column.id] = Cell(value, self.now)

    def rename(self, item: Item, name: str) -> None:
        self._touch(item)
        item.name = name

    def _touch(self, item: Item) -> None:
        """Whatever people do takes a second."""
        self.now += timedelta(seconds=1)
        item.updated = self.now

    def delete(self, item: Item) -> None:
        item.state = "deleted"

    def archive(self, item: Item) -> None:
        item.state = "archived"

    def erase(self, item: Item) -> None:
        """As the trash is emptied after 30 days."""
        del self.boards[item.board].items[item.id]

    def move(self, item: Item, board: Board) -> None:
        self.erase(item)
        item.board, item.cells = board.id, {}
        board.items[item.id] = item

    def item(self, number: str) -> Item | None:
        return next((board.items[number] for board in self.boards.values() if number in board.items), None)

    def below(self, item: Item) -> Iterator[Item]:
        """The items right below, on the same board."""
        board = self.boards[item.board]
        return (one for one in board.items.values() if one.parent == item.id and one.state == "active")

    # Tags

    def tag(self, name: str, board: Board) -> Tag:
        """The tag of this name that a board's people see, made if need be."""
        place = None if board.kind == "public" else board.id
        found = next((tag for tag in self.tags.values() if (tag.name, tag.board) == (name, place)), None)
        if found is None:
            found = Tag(next(self._tag_ids), name, place)
            self.tags[found.id] = found
        return found

    def labels(self, item: Item, title: str = "PMO labels") -> list[str]:
        """The tags or options on an item, as its people see them."""
        column = self.boards[item.board].column(title)
        numbers = item.cells.get(column.id, Cell()).value or []
        if column.type == "tags":
            return [self.tags[number].name for number in numbers]
        names = {option["id"]: option["label"] for option in column.settings["labels"]}
        return [names[number] for number in numbers]


def index_of(column: Column, label: str) -> int | None:
    """The index of a status' label; its column gets one that it does not have."""
    labels = column.settings["labels"]
    for one in labels:
        if one["label"] == label:
            return int(one["index"])
    labels.append({"index": 100 + len(labels), "label": label, "is_done": False})
    return int(labels[-1]["index"])


def option_of(column: Column, name: str) -> int:
    """The id of a dropdown's option, made if need be."""
    options = column.settings["labels"]
    for one in options:
        if one["label"] == name:
            return int(one["id"])
    options.append({"id": 1 + len(options), "label": name})
    return len(options)
