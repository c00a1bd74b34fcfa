"""What a real Trello answered, through the client, the transport and the parser; and a real board's whole history."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from connectors.base import Collection, SourceSetup
from connectors.errors import ConnectorError, GoneError, SetupError
from connectors.model import Certainty
from connectors.trello import TrelloConnector
from connectors.trello.api import Api, Json
from connectors.trello.cards import Board, labels, parse_card
from connectors.trello.fields import Reader
from connectors.trello.history import Trace, made_at
from connectors.trello.statuses import DONE
from tests.fakes.scripted import Reply, Scripted
from tests.fakes.trello_recorded import load_board
from tests.fakes.trello_world import TrelloWorld

KEPT = ("Content-Type", "Date", "X-Rate-Limit-Api-Token-Remaining", "X-Rate-Limit-Api-Token-Interval-Ms")
FOLDER = "trello/ruby-trello-cassettes/spec/cassettes"


class Cassettes(yaml.SafeLoader):
    """Bodies that are not plain text are noted as Ruby does it."""


Cassettes.add_constructor("!binary", lambda _, node: base64.b64decode(node.value))


@pytest.fixture
def exchanges(samples: Path) -> list[Json]:
    files = sorted((samples / FOLDER).glob("*.yml"))
    return [one for file in files for one in yaml.load(file.read_text("utf-8"), Cassettes)["http_interactions"]]


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monotonic = time.monotonic
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + sum(waited))


def body_of(exchange: Json) -> bytes:
    text = exchange["response"]["body"]["string"]
    return text if isinstance(text, bytes) else text.encode()


def reply_of(exchange: Json) -> Reply:
    headers = {name: values[0] for name, values in exchange["response"]["headers"].items() if name in KEPT}
    return Reply(exchange["response"]["status"]["code"], body_of(exchange), headers, media=None)


def asked_again(api: Api, exchange: Json) -> Any:
    """The same request, by our client."""
    url, method = urlsplit(exchange["request"]["uri"]), exchange["request"]["method"].upper()
    query = {name: value for name, value in parse_qsl(url.query) if name not in ("key", "token")}
    return api._fetch(url.path.removeprefix("/1/"), method, query_params=query)


@pytest.mark.usefixtures("no_waits")
def test_every_recorded_exchange_is_read_as_it_was(exchanges: list[Json]) -> None:
    server = Scripted(*(reply_of(one) for one in exchanges))
    setup = SourceSetup("x", {"base_url": server.url, "key": "k", "token": "t"}, writable=True)
    with closing(server), closing(Api(setup)) as api:
        for exchange in exchanges:
            status, body = exchange["response"]["status"]["code"], body_of(exchange)
            if status == 200:
                assert asked_again(api, exchange) == json.loads(body)
                continue
            with pytest.raises(ConnectorError) as refused:
                asked_again(api, exchange)
            assert isinstance(refused.value, {404: GoneError, 400: SetupError}[status])
            assert body.decode().strip(" .") in str(refused.value)
    assert len(server.requests) == len(exchanges) > 200


def cards_in(answer: Any) -> Iterator[Json]:
    if isinstance(answer, dict):
        if {"idList", "idBoard", "dateLastActivity"} <= answer.keys():
            yield answer
        for value in answer.values():
            yield from cards_in(value)
    elif isinstance(answer, list):
        for value in answer:
            yield from cards_in(value)


def test_every_recorded_card_is_a_work_item(exchanges: list[Json]) -> None:
    board = Board("b", "Board", {}, {}, {}, Reader([], [], None), DONE)
    bodies = (body_of(one) for one in exchanges if one["response"]["status"]["code"] == 200)
    cards = [card for body in bodies for card in cards_in(json.loads(body))]
    assert len(cards) > 50
    for card in cards:
        item = parse_card(card, board, Trace(card["idList"], False, made_at(card), True), "x")
        assert item.ref.native_id == card["id"]
        assert item.title == card["name"].strip()
        assert len(item.labels) <= len(card["idLabels"])
        assert item.updated_at is not None
        assert item.created_at is not None
        assert item.created_at <= item.updated_at


def test_the_labels_of_a_recorded_card_are_its_names() -> None:
    card = {"labels": [{"id": "1", "name": "", "color": "red"}, {"id": "2", "name": " Website "}]}
    assert labels(card) == ("Website",)


@pytest.mark.usefixtures("no_waits")
def test_a_real_boards_history_is_exact_where_its_thousand_actions_reach(samples: Path) -> None:
    """An export holds a thousand actions at most: eight weeks of this board."""
    with closing(TrelloWorld()) as world:
        board = load_board(world.site, samples / "trello" / "gocd_scrubbed.json")
        with closing(TrelloConnector(world.setup())) as connector:
            pages = [*connector.pull(Collection(board.id, board.name), None)]
    items = {item.ref.native_id: item for page in pages for item in page.items}
    assert set(items) == set(board.cards)
    arrivals: dict[str, tuple[str, datetime]] = {}
    for action in board.actions:
        data = action["data"]
        place = data.get("listAfter") if "idList" in data.get("old", {}) else None
        place = place or (data["list"] if action["type"] in ("createCard", "convertToCardFromCheckItem") else None)
        if place:
            arrivals[data["card"]["id"]] = (place["id"], datetime.fromisoformat(action["date"]))
    open_cards = [card for card in board.cards.values() if not card["closed"]]
    assert len(open_cards) == 44
    proved = [card for card in open_cards if card["id"] in arrivals]
    assert len(proved) > 30
    for card in proved:
        item = items[card["id"]]
        assert arrivals[card["id"]] == (card["idList"], item.status_since)
        assert item.status_since_is is Certainty.EXACT
    for card in open_cards:
        if card["id"] not in arrivals:
            assert items[card["id"]].status_since_is is Certainty.AT_LEAST
    names = {step.to_status for page in pages for step in page.transitions}
    assert "Up Next" not in {items[card["id"]].status for card in open_cards} or "Up Next" in names
