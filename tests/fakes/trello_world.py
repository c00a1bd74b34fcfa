"""A Trello for the contract suite and for tests of the command."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from connectors.base import SourceSetup
from connectors.fakes.trello.api import KEY, TOKEN, Trello
from connectors.fakes.trello.site import LISTS, Site
from tests.fakes.loopback_world import LoopbackWorld

A_WHILE = timedelta(hours=6)
TITLE_LENGTH = 16_384


class TrelloWorld(LoopbackWorld):
    """Boards whose people do what the suite asks of them; ids of items and collections are Trello's own ids."""

    several_pages: ClassVar[int | None] = 201

    def __init__(self, site: Site | None = None) -> None:
        self.trello = Trello(site)
        self.site = self.trello.site
        super().__init__(self.trello)

    def options(self) -> dict[str, Any]:
        return {"base_url": self.trello.url, "key": KEY, "token": TOKEN}

    def setup(self, *, writable: bool = True) -> SourceSetup:
        return SourceSetup("team", self.options(), writable=writable)

    def new_collection(self, name: str) -> str:
        return self.site.new_board(name).id

    def new_item(self, collection: str, title: str) -> str:
        board = self.site.board(collection)
        return self.site.new_card(board, self.held(title), due="2026-06-30T12:00:00.000Z", start=None)

    def held(self, title: str) -> str:
        return title.strip()[:TITLE_LENGTH]

    def edit(self, item: str, title: str) -> None:
        self.site.edit(item, name=self.held(title))

    def remove(self, item: str) -> None:
        self.site.delete(item)

    def put_label(self, item: str, label: str) -> None:
        self.site.label(item, label)

    def labels_of(self, item: str) -> set[str]:
        return set(self.site.labels_of(item))

    def labels_there(self, collection: str) -> set[str]:
        return {str(label["name"]) for label in self.site.board(collection).labels.values()}

    def move(self, item: str) -> str:
        board = self.site.board_of(item)
        here = LISTS.index(board.lists[board.cards[item]["idList"]]["name"])
        self.site.move(item, there := LISTS[(here + 1) % len(LISTS)])
        return there

    def everything(self) -> object:
        return self.site.everything()

    def settle(self) -> None:
        self.site.pass_time(A_WHILE)
