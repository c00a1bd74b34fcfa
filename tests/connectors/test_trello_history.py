"""Since when a card is where it is: proved by actions, kept between pulls, and never moved by our own label."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Collection, Page
from connectors.fakes.trello.site import LISTS
from connectors.fakes.trello.state import GRACE, US, Board
from connectors.model import Certainty, Cursor, Transition, WorkItem
from connectors.trello import TrelloConnector, api, connector
from connectors.trello.history import parse_step
from tests.fakes.trello_world import TrelloWorld

EXACT, AT_LEAST = Certainty.EXACT, Certainty.AT_LEAST


@pytest.fixture
def world() -> Iterator[TrelloWorld]:
    with closing(TrelloWorld()) as world:
        yield world


def pull(world: TrelloWorld, board: Board, cursor: Cursor | None = None) -> list[Page]:
    with closing(TrelloConnector(world.setup())) as connector:
        return [*connector.pull(Collection(board.id, board.name), cursor)]


def items_of(pages: list[Page]) -> dict[str, WorkItem]:
    return {item.ref.native_id: item for page in pages for item in page.items}


def moves_of(pages: list[Page], card: str) -> list[Transition]:
    return [step for page in pages for step in page.transitions if step.ref.native_id == card]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


# By example


def test_a_card_counts_from_its_last_arrival(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    card = world.site.new_card(board, "One")
    world.settle()
    world.site.move(card, "Doing")
    arrived = world.site.now
    world.settle()
    world.site.edit(card, name="Another title")
    world.site.label(card, "x", who=US)
    pages = pull(world, board)
    item = items_of(pages)[card]
    assert (item.status_since, item.status_since_is) == (arrived, EXACT)
    assert item.started_at == arrived
    assert item.updated_at is not None
    assert item.updated_at > arrived
    assert [(step.from_status, step.to_status) for step in moves_of(pages, card)] == [
        (None, "To Do"),
        ("To Do", "Doing"),
    ]


def test_a_list_that_was_renamed_is_the_same_list(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    card = world.site.new_card(board, "One")
    world.site.move(card, "Doing")
    arrived = world.site.now
    world.settle()
    world.site.change_list(board, "Doing", name="In Progress")
    pages = pull(world, board)
    item = items_of(pages)[card]
    assert (item.status, item.status_since) == ("In Progress", arrived)
    assert [step.to_status for step in moves_of(pages, card)] == ["To Do", "In Progress"]


def test_a_pull_that_goes_on_keeps_what_an_earlier_one_proved(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    still, moved = world.site.new_card(board, "Still", "Doing"), world.site.new_card(board, "Moved", "Doing")
    cursor = pull(world, board)[-1].cursor
    before = items_of(pull(world, board))
    world.settle()
    world.site.label(still, "pmo-x", who=US)
    world.site.move(moved, "Done")
    pages = pull(world, board, cursor)
    assert "since=" in world.requests()[-1]
    after = items_of(pages)
    assert after[still].status_since == before[still].status_since
    assert after[still].started_at == before[still].started_at
    assert after[moved].finished_at == world.site.now
    assert [(step.from_status, step.to_status) for step in moves_of(pages, moved)] == [("Doing", "Done")]


def test_a_card_that_came_back_from_the_archive_counts_anew(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    card = world.site.new_card(board, "One", "Doing")
    world.settle()
    world.site.archive(card)
    cursor = pull(world, board)[-1].cursor
    world.settle()
    world.site.archive(card, closed=False)
    for pages in (pull(world, board), pull(world, board, cursor)):
        item = items_of(pages)[card]
        assert (item.status, item.status_since, item.status_since_is) == ("Doing", world.site.now, EXACT)


def test_what_history_does_not_reach_back_to_is_at_least(world: TrelloWorld) -> None:
    """An export, or a board whose oldest actions are not given any more."""
    board = world.site.new_board("Delivery")
    card = world.site.new_card(board, "Old", "Doing")
    world.settle()
    other = world.site.new_card(board, "New", "Doing")
    board.actions = [action for action in board.actions if action["data"].get("card", {}).get("id") == other]
    oldest = instant(board.actions[0]["date"])
    item = items_of(pull(world, board))[card]
    assert (item.status_since, item.status_since_is) == (oldest, AT_LEAST)
    assert {"started_at"} <= item.unknown


def test_without_any_action_a_card_is_there_at_least_since_it_was_last_touched(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    card = world.site.new_card(board, "Old", "Doing")
    board.actions.clear()
    touched = instant(world.site.card(card)["dateLastActivity"])
    pages = pull(world, board)
    assert (items_of(pages)[card].status_since, items_of(pages)[card].status_since_is) == (touched, AT_LEAST)
    world.settle()
    world.site.label(card, "pmo-x", who=US)
    after = items_of(pull(world, board, pages[-1].cursor))[card]
    assert after.status_since == touched, "our own label moved the clock"


def test_a_board_that_was_copied_has_no_actions_for_its_cards(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    card = world.site.new_card(board, "Copied along", "Doing")
    board.actions = [action | {"type": "copyBoard"} for action in board.actions if action["type"] == "createBoard"]
    item = items_of(pull(world, board))[card]
    assert (item.status_since, item.status_since_is) == (item.created_at, EXACT)


def test_a_move_whose_action_is_late_is_at_least_and_then_exact(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    card = world.site.new_card(board, "One")
    cursor = pull(world, board)[-1].cursor
    world.settle()
    world.site.move(card, "Doing")
    moved = world.site.now
    world.site.quirks.late_actions = 1
    pages = pull(world, board, cursor)
    assert (items_of(pages)[card].status, items_of(pages)[card].status_since_is) == ("Doing", AT_LEAST)
    world.site.quirks.late_actions = 0
    world.site.edit(card, name="Touched")
    item = items_of(pull(world, board, pages[-1].cursor))[card]
    assert (item.status_since, item.status_since_is) == (moved, EXACT)


def test_a_card_from_another_board_counts_from_its_arrival(world: TrelloWorld) -> None:
    here, there = world.site.new_board("Here"), world.site.new_board("There")
    card = world.site.new_card(here, "One", "Doing")
    world.settle()
    world.site.move_to_board(card, there, "Doing")
    item = items_of(pull(world, there))[card]
    assert (item.status_since, item.status_since_is) == (world.site.now, EXACT)
    assert "started_at" in item.unknown, "what was before is on another board"


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"type": "updateCard"},
        {"type": "updateCard", "data": None},
        {"type": "updateCard", "data": {"old": {"idList": "a"}, "card": {"id": 7}, "listAfter": {"id": "b"}}},
        {"type": "updateCard", "data": {"old": {"name": "a"}, "card": {"id": "c"}, "list": {"id": "b"}}},
        {"type": "createCard", "date": "yesterday", "data": {"card": {"id": "c"}, "list": {"id": "b"}}},
        {"type": "deleteCard", "date": "2026-03-20T12:00:00.000Z", "data": {"card": {"id": "c"}, "list": {"id": "b"}}},
        {"type": "commentCard", "date": "2026-03-20T12:00:00.000Z", "data": {"card": {"id": "c"}}},
    ],
)
def test_actions_that_say_nothing_of_a_place_are_passed_over(action: dict[str, Any]) -> None:
    assert parse_step(action) is None


# By property: whatever people do, and whenever we look


@dataclass
class Model:
    """What is so, kept as a person would who watched."""

    since: dict[str, datetime] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)

    def at(self, card: str, status: str, when: datetime) -> None:
        if self.status.get(card) != status:
            self.since[card], self.status[card] = when, status


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["make", "move", "archive", "restore", "edit", "label", "ours", "wait", "pull", "rename"]),
        st.integers(0, 5),
        st.sampled_from(LISTS),
    ),
    max_size=25,
)


def play(world: TrelloWorld, board: Board, model: Model, cards: list[str], kind: str, number: int, name: str) -> None:
    """One thing that people do, or we."""
    site = world.site
    place = [*board.lists.values()][LISTS.index(name)]
    if kind == "make" or not cards:
        card = site.new_card(board, f"Card {len(cards)}", place["id"])
        cards.append(card)
        model.at(card, place["id"], site.now)
        return
    card = cards[number % len(cards)]
    entry = site.card(card)
    if kind == "move" and not entry["closed"] and entry["idList"] != place["id"]:
        site.move(card, place["id"], who=GRACE)
        model.at(card, place["id"], site.now)
    elif kind in ("archive", "restore") and entry["closed"] == (kind == "restore"):
        site.archive(card, closed=kind == "archive")
        model.at(card, "archived" if kind == "archive" else entry["idList"], site.now)
    elif kind == "edit":
        site.edit(card, name=f"Title {site.now}")
    elif kind in ("label", "ours"):
        site.label(card, f"label {number}", who=US if kind == "ours" else GRACE)
    elif kind == "wait":
        site.pass_time(timedelta(hours=number * 7))
    elif kind == "rename":
        site.change_list(board, place["id"], name=f"{place['name']}!")


def told(item: WorkItem) -> WorkItem:
    return replace(item, started_at=None, unknown=item.unknown - {"started_at"})


@settings(max_examples=25)
@given(steps=STEPS)
@pytest.mark.parametrize("most", [2, 1000])
def test_every_pull_knows_since_when_and_goes_on_as_if_from_scratch(
    most: int, steps: list[tuple[str, int, str]]
) -> None:
    """With pages of two and of a thousand."""
    patch = pytest.MonkeyPatch()
    with closing(TrelloWorld()) as world, patch.context():
        patch.setattr(api, "MOST", most)
        patch.setattr(connector, "MOST", most)
        world.trello.clock = iter(range(0, 10**9, 10)).__next__
        patch.setattr("time.sleep", lambda _: None)
        board, model, cards = world.site.new_board("Delivery"), Model(), list[str]()
        seen: dict[str, WorkItem] = {}
        cursor: Cursor | None = None
        for kind, number, name in [*steps, ("pull", 0, "Done")]:
            if kind != "pull":
                play(world, board, model, cards, kind, number, name)
                continue
            pages = pull(world, board, cursor)
            cursor, came = pages[-1].cursor, items_of(pages)
            seen = came if pages[-1].full else seen | came
            assert {card: item.status_since for card, item in seen.items()} == model.since
            assert {item.status_since_is for item in seen.values()} <= {EXACT}
            assert {card: item.status_id for card, item in seen.items()} == model.status
            # From scratch only as many pages are read as it takes, so that less may be known of the time before.
            assert {card: told(item) for card, item in seen.items()} == {
                card: told(item) for card, item in items_of(pull(world, board)).items()
            }
    patch.undo()
