"""Which labels of a board are deleted again: those that we made and that no card carries, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from connectors.base import Collection, MadeLabel, Outcome, Tidied
from connectors.errors import AuthError
from connectors.fakes.server import Answer
from connectors.fakes.trello.refusals import PLAIN
from connectors.fakes.trello.site import Site
from connectors.fakes.trello.state import Board
from connectors.trello import TrelloConnector
from tests.fakes.trello_world import TrelloWorld


@pytest.fixture
def world() -> Iterator[TrelloWorld]:
    with closing(TrelloWorld()) as world:
        yield world


@pytest.fixture
def site(world: TrelloWorld) -> Site:
    return world.site


@pytest.fixture
def board(site: Site) -> Board:
    return site.new_board("Delivery")


def tidy(world: TrelloWorld, board: Board, *labels: str) -> list[Tidied]:
    """What becomes of labels, by their ids, that we made with the name `pmo-x`."""
    with closing(TrelloConnector(world.setup())) as connector:
        return list(connector.tidy(Collection(board.id, board.name), [MadeLabel(one, "pmo-x") for one in labels]))


def deleted(world: TrelloWorld) -> list[str]:
    return [one for one in world.trello.writing_requests if one.startswith("DELETE")]


def test_a_label_that_no_card_carries_goes_and_its_neighbours_stay(
    world: TrelloWorld, site: Site, board: Board
) -> None:
    ours, alike, theirs = (site.new_label(board, name) for name in ("pmo-x", "pmo-x", "pmo-y"))
    [tidied] = tidy(world, board, ours)
    assert (tidied.outcome, tidied.message) == (Outcome.DONE, "")
    assert set(board.labels) == {alike, theirs}


@pytest.mark.parametrize("archived", [False, True])
def test_a_label_that_a_card_carries_stays(world: TrelloWorld, site: Site, board: Board, archived: bool) -> None:
    card = site.new_card(board, "One")
    site.label(card, "pmo-x")
    site.archive(card, archived)
    [tidied] = tidy(world, board, *board.labels)
    assert tidied.outcome is Outcome.REFUSED
    assert tidied.message.startswith("it is on 1 card, perhaps archived")
    assert not deleted(world)


def test_a_card_beyond_the_thousandth_is_asked_too(world: TrelloWorld, site: Site, board: Board) -> None:
    """The one that carries the label is the oldest."""
    first = site.new_card(board, "First")
    site.label(first, "pmo-x")
    for number in range(1_000):
        site.new_card(board, f"Card {number}")
    [tidied] = tidy(world, board, *board.labels)
    assert tidied.outcome is Outcome.REFUSED
    assert not deleted(world)


def test_a_label_that_somebody_renamed_is_not_ours_any_more(world: TrelloWorld, site: Site, board: Board) -> None:
    ours = site.new_label(board, "pmo-x")
    board.labels[ours]["name"] = "important"
    [tidied] = tidy(world, board, ours)
    assert tidied.outcome is Outcome.STALE
    assert '"important"' in tidied.message
    assert not deleted(world)


def test_a_label_that_is_gone_is_gone(world: TrelloWorld, site: Site, board: Board) -> None:
    ours = site.new_label(board, "pmo-x")
    site.delete_label(board, ours)
    assert [tidied.outcome for tidied in tidy(world, board, ours)] == [Outcome.GONE]
    late = site.new_label(board, "pmo-x")
    gone = Answer(404, headers=PLAIN, body=b"The requested resource was not found.")
    world.trello.script(gone, method="DELETE", path=f"/labels/{late}")
    assert [tidied.outcome for tidied in tidy(world, board, late)] == [Outcome.GONE]


def test_where_we_may_not_delete_the_others_get_their_turn(world: TrelloWorld, site: Site, board: Board) -> None:
    first, second = site.new_label(board, "pmo-x"), site.new_label(board, "pmo-x")
    no = Answer(401, headers=PLAIN, body=b"unauthorized permission requested")
    world.trello.script(no, times=9, method="DELETE", path=f"/labels/{first}")
    refused, done = tidy(world, board, first, second)
    assert (refused.outcome, done.outcome) == (Outcome.FAILED, Outcome.DONE)
    assert "may not" in refused.message
    assert set(board.labels) == {first}


def test_a_token_that_ends_meanwhile_is_said(world: TrelloWorld, site: Site, board: Board) -> None:
    ours = site.new_label(board, "pmo-x")
    expired = Answer(401, headers=PLAIN, body=b"invalid token")
    world.trello.script(expired, times=9, method="DELETE")
    with pytest.raises(AuthError):
        tidy(world, board, ours)
