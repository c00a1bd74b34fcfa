"""How labels get onto cards and off them, on a board that people work on at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import ChangeResult, Collection, Outcome
from connectors.errors import AuthError
from connectors.fakes.server import Answer
from connectors.fakes.trello.refusals import PLAIN
from connectors.fakes.trello.site import Site
from connectors.fakes.trello.state import US, Board
from connectors.model import ItemRef, LabelChange
from connectors.trello import TrelloConnector
from connectors.trello.labels import LONGEST
from tests.fakes.trello_world import TrelloWorld


@pytest.fixture
def world() -> Iterator[TrelloWorld]:
    with closing(TrelloWorld()) as world:
        yield world
        forbidden = [one for one in world.trello.writing_requests if one.startswith(("PUT", "DELETE /1/labels"))]
        assert not forbidden, "labels are set one at a time, and no write of one deletes any from the board"


@pytest.fixture
def site(world: TrelloWorld) -> Site:
    return world.site


@pytest.fixture
def board(site: Site) -> Board:
    return site.new_board("Delivery")


def apply(
    world: TrelloWorld, card: str, add: tuple[str, ...] = (), remove: tuple[str, ...] = (), **options: Any
) -> ChangeResult:
    setup = world.setup()
    change = LabelChange(ItemRef("team", card), add, remove)
    board = world.site.board_of(card) if card in {one["id"] for one in world.site.all_cards()} else None
    collection = Collection(options.pop("board", board.id if board else ""), "Delivery")
    with closing(TrelloConnector(replace(setup, options={**setup.options, **options}))) as connector:
        [result] = connector.apply(collection, [change])
        return result


def made(world: TrelloWorld) -> list[str]:
    return [one for one in world.site.writes() if one.startswith("made label")]


def test_a_label_is_made_once_for_a_board_with_its_colour(world: TrelloWorld, site: Site, board: Board) -> None:
    cards = [site.new_card(board, f"Card {number}") for number in range(3)]
    for card in cards:
        assert apply(world, card, ("pmo-x", "pmo-y"), colors={"pmo-y": "red_dark"}).outcome is Outcome.DONE
    assert made(world) == ["made label pmo-x", "made label pmo-y"]
    assert {one["name"]: one["color"] for one in board.labels.values()} == {"pmo-x": "yellow", "pmo-y": "red_dark"}


def test_none_is_a_colour_too(world: TrelloWorld, site: Site, board: Board) -> None:
    apply(world, site.new_card(board, "One"), ("pmo-x",), color="none")
    assert [one["color"] for one in board.labels.values()] == [None]


def test_a_label_beyond_the_fiftieth_is_found(world: TrelloWorld, site: Site, board: Board) -> None:
    """Trello lists fifty unless it is asked for more; whoever does not ask makes the same one again and again."""
    for number in range(60):
        site.new_label(board, f"label {number}")
    apply(world, site.new_card(board, "One"), ("label 59",))
    assert made(world) == []


def test_of_equal_names_the_oldest_stands_for_all(world: TrelloWorld, site: Site, board: Board) -> None:
    oldest, *_ = [site.new_label(board, name) for name in ("pmo-x", "pmo-x", " pmo-x ")]
    card = site.new_card(board, "One")
    apply(world, card, ("pmo-x",))
    assert site.card(card)["idLabels"] == [oldest]
    assert made(world) == []


def test_all_of_a_name_come_off(world: TrelloWorld, site: Site, board: Board) -> None:
    twins = [site.new_label(board, "pmo-x") for _ in range(2)]
    card = site.new_card(board, "One", idLabels=twins)
    assert apply(world, card, remove=("pmo-x",)).outcome is Outcome.DONE
    assert site.card(card)["idLabels"] == []


def test_already_there_is_as_good(world: TrelloWorld, site: Site, board: Board) -> None:
    """A person puts the same one on between our look and our write."""
    card = site.new_card(board, "One")
    there = Answer(400, headers=PLAIN, body=b"that label is already on the card")
    world.trello.script(there, method="POST", path="/idLabels")
    assert apply(world, card, ("pmo-x",)).outcome is Outcome.DONE


@pytest.mark.parametrize("refuses", [True, False])
def test_gone_already_is_as_good(world: TrelloWorld, site: Site, board: Board, refuses: bool) -> None:
    """A person takes it off between our look and our write; what Trello says then is not written down anywhere."""
    card = site.new_card(board, "One")
    site.label(card, "pmo-x")
    site.quirks.refuses_absent_labels = refuses
    [label] = board.labels
    world.trello.script(Answer(json=site.card(card) | {"labels": [board.labels[label]]}), path=f"/cards/{card}?")
    site.unlabel(card, "pmo-x")
    assert apply(world, card, remove=("pmo-x",)).outcome is Outcome.DONE
    assert site.labels_of(card) == []


def test_a_label_that_is_deleted_while_we_write_is_made_again(world: TrelloWorld, site: Site, board: Board) -> None:
    first, second = (site.new_card(board, name) for name in ("One", "Two"))
    setup = world.setup()
    with closing(TrelloConnector(setup)) as connector:
        changes = [LabelChange(ItemRef("team", card), ("pmo-x",)) for card in (first, second)]
        results = connector.apply(Collection(board.id, "Delivery"), changes)
        assert next(results).outcome is Outcome.DONE
        site.delete_label(board, next(iter(board.labels)))
        assert next(results).outcome is Outcome.DONE
    assert site.labels_of(second) == ["pmo-x"]


def test_a_board_full_of_labels_is_told_and_gets_no_more(world: TrelloWorld, site: Site, board: Board) -> None:
    card = site.new_card(board, "One")
    board.labels |= {f"{n:024x}": {"id": f"{n:024x}", "name": f"l{n}", "color": None} for n in range(1000)}
    result = apply(world, card, ("pmo-x",))
    assert result.outcome is Outcome.REFUSED
    assert "1000 labels" in result.message
    assert apply(world, card, ("l7",)).outcome is Outcome.DONE, "those that are there can be used"


def test_a_colour_that_is_none_is_told(world: TrelloWorld, site: Site, board: Board) -> None:
    result = apply(world, site.new_card(board, "One"), ("pmo-x",), color="Mauve 7")
    assert result.outcome is Outcome.REFUSED
    assert "color" in result.message


def test_an_observer_is_told_which_board(world: TrelloWorld, site: Site, board: Board) -> None:
    card = site.new_card(board, "One")
    site.new_label(board, "pmo-x")
    board.members[US.id] = (US, "observer")
    result = apply(world, card, ("pmo-x",))
    assert result.outcome is Outcome.REFUSED
    assert 'the board "Delivery"' in result.message
    assert site.writes() == []


def test_a_token_that_is_over_is_not_about_one_board(world: TrelloWorld, site: Site, board: Board) -> None:
    card = site.new_card(board, "One")
    world.trello.tokens.clear()
    with pytest.raises(AuthError, match="invalid token"):
        apply(world, card, ("pmo-x",))


def test_a_refusal_half_way_is_no_result(world: TrelloWorld, site: Site, board: Board) -> None:
    """What is half done must be looked at again: the journal would call both labels refused."""
    card = site.new_card(board, "One")
    for name in ("pmo-x", "pmo-y"):
        site.new_label(board, name)
    denied = Answer(401, headers=PLAIN, body=b"unauthorized card permission requested")
    world.trello.script(Answer(json=[]), method="POST", path="/idLabels")  # the first is taken
    world.trello.script(denied, method="POST", path="/idLabels")
    with pytest.raises(AuthError):
        apply(world, card, ("pmo-x", "pmo-y"))


def test_a_card_that_went_to_another_board_waits_for_the_next_run(world: TrelloWorld, site: Site, board: Board) -> None:
    card, other = site.new_card(board, "One"), site.new_board("Other")
    site.move_to_board(card, other, "Doing")
    result = apply(world, card, ("pmo-x",), board=board.id)
    assert result.outcome is Outcome.STALE
    assert site.writes() == []


@pytest.mark.parametrize(
    ("label", "outcome"), [("x" * LONGEST, "done"), ("x" * (LONGEST + 1), "refused"), (" ", "refused")]
)
def test_how_long_a_label_may_be(world: TrelloWorld, site: Site, board: Board, label: str, outcome: str) -> None:
    result = apply(world, site.new_card(board, "One"), (label,))
    assert result.outcome == outcome
    assert len(result.message) < 200
