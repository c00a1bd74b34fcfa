"""A small tool behind HTTP, and a connector to it: what the contract suite for hosts is tried out on.

GET /boards                      [{"id": "B1", "name": "Delivery"}]
GET /boards/B1/cards?after=7     {"cards": [{"id": "1", "changed": 8, …}], "next": URL or null}, by `changed`
GET /cards/1                     one card
PUT /cards/1/labels              ["all", "labels"], which replace what was there
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from connectors.base import (
    Capabilities,
    ChangeResult,
    Collection,
    Granularity,
    Notice,
    Option,
    Outcome,
    Page,
    SourceSetup,
)
from connectors.contract_http import HttpWorld
from connectors.errors import GoneError, SetupError, UnsafeError
from connectors.fakes.server import Answer, BadDay, FakeServer, Request
from connectors.http import Credentials, Http, Traffic
from connectors.model import Cursor, ItemRef, LabelChange, WorkItem

TOKEN = "s3cr3t-t0k3n"
PAGE_SIZE = 2


class BoardConnector:
    """A whole connector to a host: it parses, and leaves politeness to `connectors.http`."""

    system: ClassVar[str] = "board"
    summary: ClassVar[str] = "Reads cards of boards; labels go on the cards."
    capabilities: ClassVar[Capabilities] = Capabilities(writes=Granularity.ITEM, incremental=True)
    options: ClassVar[tuple[Option, ...]] = (
        Option("base_url", "where the tool is", required=True),
        Option("token", "what lets us in", "secret", required=True),
    )

    def __init__(self, setup: SourceSetup) -> None:
        self._setup = setup
        credentials = Credentials.bearer(str(setup.options["token"]))
        self._http = Http(str(setup.options["base_url"]), credentials, writable=setup.writable, stopping=setup.stopping)

    def check(self) -> Sequence[Notice]:
        return [Notice("fine", f"{len(self._get('/boards'))} boards can be seen")]

    def collections(self) -> Sequence[Collection]:
        found = [Collection(board["id"], board["name"]) for board in self._get("/boards")]
        wanted = self._setup.collections
        for name in wanted:
            if not any(name in (one.native_id, one.name) for one in found):
                raise SetupError(f'there is no board "{name}"', "correct its name")
        return sorted(
            (one for one in found if not wanted or {one.native_id, one.name} & {*wanted}), key=lambda one: one.native_id
        )

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        target: str | None = f"/boards/{collection.native_id}/cards?after={cursor.value if cursor else 0}"
        while target:
            answer = self._get(target)
            target, cards = answer["next"], answer["cards"]
            at = Cursor(str(cards[-1]["changed"])) if cards else cursor
            items = tuple(parse_card(card, self._setup.name) for card in cards)
            yield Page(items, cursor=at, complete=not target, full=not target and cursor is None)

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        if not self._setup.writable:
            raise UnsafeError("this run may not write", "start it with --apply")
        for change in changes:
            try:
                yield self._write(change)
            except GoneError:
                yield ChangeResult(change.ref, Outcome.GONE, "the card is not there any more; nothing is to be done")

    @property
    def traffic(self) -> Traffic | None:
        return self._http.traffic

    def close(self) -> None:
        self._http.close()

    # Requests.

    def _write(self, change: LabelChange) -> ChangeResult:
        path = f"/cards/{change.ref.native_id}"
        before = frozenset(self._get(path)["labels"])
        after = sorted(before - {*change.remove} | {*change.add})
        if set(after) == before:
            return ChangeResult(change.ref, Outcome.UNCHANGED, "", tuple(after))
        if change.add and change.unless and (label := change.unless.among(before)):
            return ChangeResult(change.ref, Outcome.EXEMPT, f"{label} was put on; the card is left alone")
        self._ask("PUT", f"{path}/labels", after)
        return ChangeResult(change.ref, Outcome.DONE, "", tuple(after), already=before & {*change.add})

    def _get(self, target: str) -> Any:
        return self._ask("GET", target, None)

    def _ask(self, method: str, target: str, body: object) -> Any:
        """The answer to a request; `target` may be a whole URL."""
        return self._http.get_json(target) if method == "GET" else self._http.put_json(target, body)


def parse_card(card: dict[str, Any], source: str) -> WorkItem:
    return WorkItem(
        ref=ItemRef(source, card["id"]),
        key=f"#{card['id']}",
        title=card["title"].strip(),
        collection=card["board"],
        created_at=datetime.fromisoformat(card["created_at"]),
        labels=tuple(sorted(set(card["labels"]))),
    )


@dataclass
class Tool:
    """The tool's own mind."""

    boards: list[dict[str, str]] = field(default_factory=list)
    cards: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed: int = 0
    url: str = ""

    def change(self, card: str, **columns: object) -> None:
        self.changed += 1
        self.cards[card] = {**self.cards.get(card, {}), **columns, "changed": self.changed}

    def answer(self, request: Request) -> Answer:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Answer(401, {"error": "who are you?"})
        match [request.method, *request.path.strip("/").split("/")]:
            case ["GET", "boards"]:
                return Answer(json=self.boards)
            case ["GET", "boards", board, "cards"] if any(board == one["id"] for one in self.boards):
                return Answer(json=self.page(board, int(request.query["after"])))
            case ["GET", "cards", card] if card in self.cards:
                return Answer(json=self.cards[card])
            case ["PUT", "cards", card, "labels"] if card in self.cards:
                self.change(card, labels=request.json)
                return Answer(json=self.cards[card])
        return Answer(404, {"error": "no such thing"})

    def page(self, board: str, after: int) -> dict[str, Any]:
        mine = (card for card in self.cards.values() if card["board"] == board and card["changed"] > after)
        cards = sorted(mine, key=lambda card: int(card["changed"]))
        more = len(cards) > PAGE_SIZE
        cards = cards[:PAGE_SIZE]
        following = f"{self.url}/boards/{board}/cards?after={cards[-1]['changed']}" if more else None
        return {"cards": cards, "next": following}


class BoardWorld(HttpWorld):
    """The tool behind a loopback server, and another host that would answer just as well."""

    several_pages: ClassVar[int | None] = 5
    pages_are_links: ClassVar[bool] = True

    def __init__(self) -> None:
        self.tool = Tool()
        self.server, self.stranger = FakeServer(self.tool.answer), FakeServer(self.tool.answer)
        self.tool.url, self.server.elsewhere = self.server.url, self.stranger.url

    def close(self) -> None:
        self.server.close()
        self.stranger.close()

    def setup(self, *, writable: bool = True) -> SourceSetup:
        return SourceSetup("team", {"base_url": self.server.url, "token": TOKEN}, writable=writable)

    def new_collection(self, name: str) -> str:
        board = f"B{99 - len(self.tool.boards)}"
        self.tool.boards.append({"id": board, "name": name})
        return board

    def new_item(self, collection: str, title: str) -> str:
        card = str(self.tool.changed + 1)
        self.tool.change(
            card, id=card, board=collection, title=title, labels=[], created_at="2026-01-05T09:00:00+01:00"
        )
        return card

    def edit(self, item: str, title: str) -> None:
        self.tool.change(item, title=title)

    def remove(self, item: str) -> None:
        del self.tool.cards[item]

    def put_label(self, item: str, label: str) -> None:
        self.tool.change(item, labels=[*self.tool.cards[item]["labels"], label])

    def labels_of(self, item: str) -> set[str]:
        return set(self.tool.cards[item]["labels"])

    def everything(self) -> object:
        return {name: dict(card) for name, card in self.tool.cards.items()}

    def ruin(self) -> None:
        self.next(BadDay.SERVER_ERROR, 1_000)

    def next(self, bad_day: BadDay, times: int = 1, after: int = 0) -> None:
        self.server.next(bad_day, times, after)

    def requests(self) -> Sequence[str]:
        return [f"{request.method} {request.target}" for request in self.server.requests]

    def elsewhere(self) -> Sequence[str]:
        return [f"{request.method} {request.target}" for request in self.stranger.requests]
