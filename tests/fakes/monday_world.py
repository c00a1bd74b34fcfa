"""A monday.com account for the contract suite and for tests of the command.

class TestMonday(HttpConnectorContract):
    connector = MondayConnector

    @pytest.fixture
    def world(self) -> Iterator[HttpWorld]:
        with closing(MondayWorld()) as world:
            yield world

Where the vendor's schema lies beside the checkout, closing a world fails if a query was none of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from connectors.base import SourceSetup
from connectors.contract_http import FOREVER, HttpWorld
from connectors.fakes.monday.account import TOKEN, Item
from connectors.fakes.monday.api import Monday
from connectors.fakes.server import BadDay, FakeServer
from tests.conftest import SHARED
from tests.fakes.monday_judge import MondayJudge

DESCRIPTION = SHARED / "specs" / "monday" / "schema-2026-10-subset.graphql"


class MondayWorld(HttpWorld):
    """One account whose people do what the suite asks of them; ids are monday.com's own."""

    several_pages: ClassVar[int | None] = 5

    def __init__(self) -> None:
        self.judge = MondayJudge(DESCRIPTION) if DESCRIPTION.is_file() else None
        self.monday = Monday(judge=self.judge)
        self.account = self.monday.account
        self.stranger = FakeServer(self.monday.answer)
        self.monday.server.elsewhere = self.stranger.url

    def close(self) -> None:
        self.monday.close()
        self.stranger.close()
        assert not (self.judge and self.judge.complaints), self.judge.complaints

    def setup(self, *, writable: bool = True) -> SourceSetup:
        options = {"base_url": self.monday.url, "token": TOKEN, "page_size": 2}
        return SourceSetup("boards", options, writable=writable)

    def new_collection(self, name: str) -> str:
        return self.account.new_board(name).id

    def new_item(self, collection: str, title: str) -> str:
        values: dict[str, Any] = {"Status": "Working on it", "Progress": 40, "Due_date": "2026-06-30", "Owner": ["Ada"]}
        return self.account.add_item(self.account.boards[collection], title, **values).id

    def edit(self, item: str, title: str) -> None:
        self.account.rename(self.item(item), title)

    def remove(self, item: str) -> None:
        self.account.delete(self.item(item))

    def put_label(self, item: str, label: str) -> None:
        self.account.set(self.item(item), PMO_labels=[*self.account.labels(self.item(item)), label])

    def labels_of(self, item: str) -> set[str]:
        return set(self.account.labels(self.item(item)))

    def item(self, number: str) -> Item:
        found = self.account.item(number)
        assert found is not None
        return found

    def settle(self) -> None:
        """The filter by time knows days only."""
        self.account.pass_time(timedelta(days=3))

    def everything(self) -> object:
        return self.account.everything()

    def ruin(self) -> None:
        self.next(BadDay.SERVER_ERROR, FOREVER)

    def next(self, bad_day: BadDay, times: int = 1, after: int = 0) -> None:
        self.monday.server.next(bad_day, times, after)

    def requests(self) -> Sequence[str]:
        return [f"{request.method} {request.target}" for request in self.monday.requests]

    def elsewhere(self) -> Sequence[str]:
        return [f"{request.method} {request.target}" for request in self.stranger.requests]
