"""The fake itself: its traps are there to be stepped into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.fakes.trello.api import KEY, TOKEN, Trello
from connectors.fakes.trello.many import many_cards
from connectors.fakes.trello.site import Site
from connectors.fakes.trello.state import ADA, US, Board
from tests.fakes.trello_recorded import load_board

AUTHORIZATION = {"Authorization": f'OAuth oauth_consumer_key="{KEY}", oauth_token="{TOKEN}"'}


@pytest.fixture
def trello() -> Iterator[Trello]:
    with closing(Trello()) as trello:
        yield trello


@pytest.fixture
def board(trello: Trello) -> Board:
    return trello.site.new_board("Delivery")


def ask(trello: Trello, path: str, method: str = "GET", **options: Any) -> requests.Response:
    return requests.request(method, f"{trello.url}/{path}", headers=AUTHORIZATION, timeout=10, **options)


def got(trello: Trello, path: str, **params: Any) -> Any:
    return ask(trello, path, params=params).json()


def test_only_a_key_and_a_token_in_the_header_are_let_in(trello: Trello) -> None:
    for header, said in (
        ("", "unauthorized permission requested"),
        (f'OAuth oauth_consumer_key="no", oauth_token="{TOKEN}"', "invalid key"),
        (f'OAuth oauth_consumer_key="{KEY}", oauth_token="no"', "invalid token"),
    ):
        answer = requests.get(f"{trello.url}/members/me", headers={"Authorization": header}, timeout=10)
        assert (answer.status_code, answer.text) == (401, said)
        assert answer.headers["Content-Type"].startswith("text/plain")


def test_the_hundred_and_first_request_in_ten_seconds_is_refused(trello: Trello) -> None:
    now = 1000.0
    trello.clock = lambda: now
    left = [ask(trello, "members/me").headers["X-Rate-Limit-Api-Token-Remaining"] for _ in range(100)]
    assert (left[0], left[-1]) == ("99", "0")
    refused = ask(trello, "members/me")
    assert (refused.status_code, refused.json()["error"]) == (429, "API_TOKEN_LIMIT_EXCEEDED")
    assert "Retry-After" not in refused.headers
    now += 10
    assert ask(trello, "members/me").ok


def test_a_thousand_cards_at_most_and_the_older_ones_by_before() -> None:
    with closing(Trello(many_cards(1_100, 0))) as trello:
        [board] = trello.site.boards.values()
        first = got(trello, f"boards/{board.id}/cards", limit=1000)
        assert {card["id"] for card in first} == set(sorted(board.cards)[-1000:])
        rest = got(trello, f"boards/{board.id}/cards", limit=1000, before=min(card["id"] for card in first))
        assert len(rest) == 100
        nested = got(trello, f"boards/{board.id}", cards="all")["cards"]
        assert {card["id"] for card in nested} == set(sorted(board.cards)[:1000]), "not the newest, but the first"
        refused = ask(trello, f"boards/{board.id}", params={"cards": "all", "card_actions": "all"})
        assert (refused.status_code, refused.json()["error"]) == (403, "API_TOO_MANY_CARDS_REQUESTED")
        assert ask(trello, f"boards/{board.id}/actions", params={"limit": 1001}).status_code == 400


def test_fifty_labels_and_actions_unless_more_are_asked_for(trello: Trello, board: Board) -> None:
    for number in range(60):
        trello.site.new_label(board, f"label {number}")
        trello.site.new_card(board, f"Card {number}")
    assert len(got(trello, f"boards/{board.id}/labels")) == 50
    assert len(got(trello, f"boards/{board.id}/labels", limit=1000)) == 60
    assert len(got(trello, f"boards/{board.id}/actions")) == 50


def test_our_label_moves_the_last_activity_and_leaves_no_action(trello: Trello, board: Board) -> None:
    card, label = trello.site.new_card(board, "One"), trello.site.new_label(board, "x")
    before, actions = trello.site.card(card)["dateLastActivity"], len(board.actions)
    assert ask(trello, f"cards/{card}/idLabels", "POST", json={"value": label}).json() == [label]
    assert trello.site.card(card)["dateLastActivity"] > before
    assert len(board.actions) == actions
    assert trello.site.writes() == ["+x"]
    again = ask(trello, f"cards/{card}/idLabels", "POST", json={"value": label})
    assert (again.status_code, again.text) == (400, "that label is already on the card")
    nonsense = ask(trello, f"cards/{card}/idLabels", "POST", json={"value": "f" * 24})
    assert (nonsense.status_code, nonsense.text) == (400, "invalid value for idLabels")
    assert ask(trello, f"cards/{card}/idLabels/{label}", "DELETE").json() == {"_value": None}
    assert ask(trello, f"cards/{card}/idLabels/{label}", "DELETE").status_code == 400


def test_names_of_labels_are_not_unique(trello: Trello, board: Board) -> None:
    made = [ask(trello, "labels", "POST", json={"idBoard": board.id, "name": "x"}).json()["id"] for _ in range(2)]
    assert len(set(made)) == 2


def test_actions_show_lists_as_they_were_called_then(trello: Trello, board: Board) -> None:
    card = trello.site.new_card(board, "One")
    trello.site.move(card, "Doing")
    trello.site.change_list(board, "Doing", name="In Progress")
    [move] = got(trello, f"boards/{board.id}/actions", filter="updateCard:idList")
    assert move["data"]["listAfter"]["name"] == "Doing"
    assert move["data"]["old"] == {"idList": move["data"]["listBefore"]["id"]}
    rename = got(trello, f"boards/{board.id}/actions", filter="updateList")[0]
    assert rename["data"]["old"] == {"name": "Doing"}


def test_actions_before_and_since(trello: Trello, board: Board) -> None:
    for number in range(5):
        trello.site.new_card(board, f"Card {number}")
    path, kind = f"boards/{board.id}/actions", "createCard"
    every = got(trello, path, filter=kind)
    assert [one["id"] for one in every] == sorted((one["id"] for one in every), reverse=True)
    assert got(trello, path, filter=kind, before=every[2]["id"]) == every[3:]
    assert got(trello, path, filter=kind, since=every[2]["date"]) == every[:2]
    assert got(trello, path, filter=kind, limit=2) == every[:2]


def test_observers_and_strangers_may_not_write(trello: Trello, board: Board) -> None:
    card, label = trello.site.new_card(board, "One"), trello.site.new_label(board, "x")
    board.members[US.id] = (US, "observer")
    refused = ask(trello, f"cards/{card}/idLabels", "POST", json={"value": label})
    assert (refused.status_code, refused.text) == (401, "unauthorized card permission requested")
    del board.members[US.id]
    assert ask(trello, f"boards/{board.id}").status_code == 401
    assert got(trello, "members/me/boards") == []


def test_what_is_not_there(trello: Trello, board: Board) -> None:
    for path in (f"cards/{'a' * 24}", f"boards/{'a' * 24}", "boards/abcdefgh", "nonsense"):
        answer = ask(trello, path)
        assert (answer.status_code, answer.text) == (404, "The requested resource was not found.")
    assert ask(trello, "boards/no-such-id").text == "invalid id"


def test_only_the_fields_that_are_asked_for(trello: Trello, board: Board) -> None:
    card = trello.site.new_card(board, "One")
    assert set(got(trello, f"cards/{card}", fields="name,closed")) == {"id", "name", "closed"}
    assert "@boards.trello.com" in got(trello, f"cards/{card}")["email"]


def test_its_cards_and_actions_have_no_member_that_a_real_one_lacks(samples: Path) -> None:
    real = load_board(Site(), samples / "trello" / "gocd_scrubbed_plus_customfields_SYNTHETIC.json")
    site = Site()
    board = site.new_board("Delivery")
    card = site.new_card(board, "One")
    site.move(card, "Doing")
    site.label(card, "x", who=ADA)
    later = {"isTemplate", "cardRole", "mirrorSourceId", "start", "customFieldItems"}
    assert set(site.card(card)) - later <= set(next(iter(real.cards.values())))
    assert set(next(iter(board.labels.values()))) <= set(next(iter(real.labels.values())))
    moves = [one for one in real.actions if "idList" in one["data"].get("old", {})]
    [ours] = [one for one in board.actions if "idList" in one["data"].get("old", {})]
    assert set(ours) <= set(moves[0])
    assert set(ours["data"]) == set(moves[0]["data"])
    assert set(ours["data"]["card"]) == set(moves[0]["data"]["card"])
