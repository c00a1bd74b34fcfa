"""What is read of a board, and what is asked for to read it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest

from connectors.base import Collection, Notice, Page, SourceSetup
from connectors.errors import ConnectorError, GoneError, InputError, SetupError
from connectors.fakes.server import Answer
from connectors.fakes.trello.many import many_cards
from connectors.fakes.trello.state import ADA, GRACE, US, limit
from connectors.model import Cursor, StatusCategory, WorkItem
from connectors.trello import TrelloConnector
from connectors.trello.statuses import guess
from tests.fakes.trello_world import TrelloWorld


@pytest.fixture
def world() -> Iterator[TrelloWorld]:
    with closing(TrelloWorld()) as world:
        yield world


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits take no time, and to whoever measures it they have passed."""
    waited: list[float] = []
    monotonic = time.monotonic
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + sum(waited))
    return waited


def pull(world: TrelloWorld, board: str, cursor: Cursor | None = None, **setup: Any) -> list[Page]:
    with closing(TrelloConnector(replace(world.setup(), **setup))) as connector:
        return [*connector.pull(Collection(board, "Board"), cursor)]


def read(world: TrelloWorld, board: str, cursor: Cursor | None = None, **setup: Any) -> dict[str, WorkItem]:
    """Items by their title."""
    return {item.title: item for page in pull(world, board, cursor, **setup) for item in page.items}


def checked(world: TrelloWorld, **setup: Any) -> list[Notice]:
    with closing(TrelloConnector(replace(world.setup(), **setup))) as connector:
        return [*connector.check()]


def test_only_what_is_needed_is_asked_for(world: TrelloWorld) -> None:
    """A card's e-mail address lets anybody write to the board."""
    board = world.site.new_board("Delivery")
    world.site.new_card(board, "One")
    pages = pull(world, board.id, fields={"outcome_metric": "checklist: Outcome"})
    assert "boards.trello.com" not in repr(pages)
    assert not re.search(r"fields=all|\bemail\b", unquote("".join(world.requests())))
    assert "boards.trello.com" in json.dumps(board.cards), "the fake has no addresses to keep secret"


# Size


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("quirk", [{}, {"most_cards": 300}, {"slow_beyond": 300}])
def test_a_board_of_over_a_thousand_cards_is_read_whole(quirk: dict[str, int]) -> None:
    with closing(TrelloWorld(many_cards(1_100, 1))) as world:
        for name, value in quirk.items():
            setattr(world.site.quirks, name, value)
        [board] = world.site.boards.values()
        pages = pull(world, board.id)
        assert {item.ref.native_id for page in pages for item in page.items} == set(board.cards)
        assert pages[-1].full
        assert world.trello.refused == 0

        before = len(world.requests())
        assert not pull(world, board.id, pages[-1].cursor)[-1].items
        assert len(world.requests()) == before + 1, "an unchanged board costs one request"

        oldest = min(board.cards)
        world.site.edit(oldest, name="Another title")
        assert "Another title" in {
            item.title for page in pull(world, board.id, pages[-1].cursor) for item in page.items
        }


def test_a_big_board_is_looked_at_once_a_day_whatever_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody wrote down whether an edit of a custom field moves the board's `dateLastActivity`."""
    world = TrelloWorld()
    monkeypatch.setattr("connectors.trello.connector.MOST", 3)
    monkeypatch.setattr("connectors.trello.api.MOST", 3)
    with closing(world):
        board = world.site.new_board("Delivery")
        world.site.new_field(board, "Sponsor")
        cards = [world.site.new_card(board, f"Card {number}") for number in range(7)]
        cursor = pull(world, board.id, fields={"sponsor": "Sponsor"})[-1].cursor
        world.site.fill(cards[0], "Sponsor", text="Ada")
        world.settle()
        assert not read(world, board.id, cursor, fields={"sponsor": "Sponsor"})
        for _ in range(4):
            world.settle()
        assert read(world, board.id, cursor, fields={"sponsor": "Sponsor"})["Card 0"].sponsor == "Ada"


def test_a_small_board_shows_every_edit(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    world.site.new_field(board, "Sponsor")
    card = world.site.new_card(board, "One")
    cursor = pull(world, board.id, fields={"sponsor": "Sponsor"})[-1].cursor
    world.site.fill(card, "Sponsor", text="Ada")
    assert read(world, board.id, cursor, fields={"sponsor": "Sponsor"})["One"].sponsor == "Ada"


@pytest.mark.parametrize("value", ["", "nonsense", "c$-", "7"])
def test_a_cursor_of_another_version_is_none(world: TrelloWorld, value: str) -> None:
    board = world.site.new_board("Delivery")
    world.site.new_card(board, "One")
    assert pull(world, board.id, Cursor(value))[-1].full


# Cards


@pytest.mark.parametrize(
    "kind",
    [
        {"isTemplate": True},
        {"cardRole": "separator"},
        {"cardRole": "link"},
        {"cardRole": "board"},
        {"cardRole": "mirror"},
        {"mirrorSourceId": "5bb0000000000000000000aa"},
    ],
)
def test_what_is_no_work_is_left_out(world: TrelloWorld, kind: dict[str, Any]) -> None:
    board = world.site.new_board("Delivery")
    world.site.new_card(board, "Work")
    world.site.new_card(board, "None", **kind)
    assert [*read(world, board.id)] == ["Work"]


def test_a_card_has_what_people_see_on_it(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    board.members[GRACE.id] = (GRACE, "normal")
    card = world.site.new_card(
        board, "One", "Doing", idMembers=[GRACE.id, ADA.id], due="2026-06-30T12:00:00.000Z", desc="Why\n"
    )
    world.site.label(card, "blue one")
    item = read(world, board.id)["One"]
    assert item.key == world.site.card(card)["shortLink"]
    assert item.url == f"https://trello.com/c/{item.key}"
    assert (item.type, item.project, item.description) == ("card", "Delivery", "Why")
    assert (item.status, item.status_category) == ("Doing", StatusCategory.IN_PROGRESS)
    assert item.assignees == ("Ada", "Grace")
    assert item.owner is None
    assert "owner" in item.unknown, "of two, nobody knows who answers for it"
    assert item.labels == ("blue one",)
    assert item.due_at == datetime(2026, 6, 30, 12, tzinfo=UTC)
    assert {"sponsor", "outcome_metric", "percent_complete", "priority"} <= item.unknown


def test_the_only_member_owns_a_card(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    world.site.new_card(board, "Owned", idMembers=[ADA.id])
    world.site.new_card(board, "Nobody's")
    items = read(world, board.id)
    assert items["Owned"].owner == "Ada"
    assert items["Nobody's"].owner is None
    assert "owner" not in items["Nobody's"].unknown


def test_labels_that_are_only_a_colour_have_no_name(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    card = world.site.new_card(board, "One")
    world.site.label(card, "")
    world.site.label(card, "x")
    assert read(world, board.id)["One"].labels == ("x",)


def test_what_cannot_be_read_is_named_and_takes_nothing_for_gone(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    world.site.new_card(board, "Good")
    bad = world.site.new_card(board, "Bad")
    world.site.card(bad)["idMembers"] = 7
    [page] = pull(world, board.id)
    assert [item.title for item in page.items] == ["Good"]
    assert bad in page.skipped[0]
    assert page.complete
    assert not page.full
    assert page.cursor is None


@pytest.mark.parametrize("answer", [[], "text", 7, None, {"id": "x", "cards": 7}, {"id": "x", "cards": [{}]}])
def test_strange_answers_are_one_sentence(world: TrelloWorld, answer: Any) -> None:
    board = world.site.new_board("Delivery")
    world.trello.script(Answer(json=answer), times=10, path=f"/boards/{board.id}?")
    with pytest.raises(InputError):
        pull(world, board.id)


# Statuses


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("To Do", "todo"),
        ("📥 Inbox (3)", "todo"),
        ("Backlog/Future Work/Ideas", "todo"),
        ("Doing", "in_progress"),
        ("Doing this week", "in_progress"),
        ("Ready for QA", "in_progress"),
        ("IN BEARBEITUNG", "in_progress"),
        ("à faire", "todo"),
        ("進行中", "in_progress"),
        ("✅ Done!", "done"),
        ("Done - March 2026", "done"),
        ("Won't do", "done"),
        ("Not done", None),
        ("Sprint 42", None),
        ("", None),
        ("42", None),
        ("🚀", None),
    ],
)
def test_a_name_says_what_a_list_stands_for_or_nothing(name: str, category: str | None) -> None:
    assert guess(name) == category


def test_config_goes_before_type_and_type_before_name(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery", "Doing", "Sprint 42", "Named")
    world.site.change_list(board, "Doing", type="done")
    for name in ("Doing", "Sprint 42", "Named"):
        world.site.new_card(board, name, name)
    place = world.site.list_of(board, "Named")["id"]
    statuses = {"sprint 42": StatusCategory.IN_PROGRESS, place: StatusCategory.DONE}
    items = read(world, board.id, statuses=statuses)
    assert {title: item.status_category for title, item in items.items()} == {
        "Doing": "done", "Sprint 42": "in_progress", "Named": "done",
    }  # fmt: skip
    said = " ".join(notice.text for notice in checked(world, statuses=statuses))
    assert '"Doing" is done by its type' in said
    assert '"Sprint 42" is in progress by config' in said


def test_a_list_that_stands_for_nothing_known_is_named(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery", "Sprint 42")
    world.site.new_card(board, "One")
    item = read(world, board.id)["One"]
    assert item.status == "Sprint 42"
    assert "status_category" in item.unknown
    assert any(notice.level == "warning" and '"Sprint 42"' in notice.text for notice in checked(world))


def test_archived_cards_and_lists_are_what_they_are(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    archived, in_archived = world.site.new_card(board, "Archived", "Doing"), world.site.new_card(board, "Below", "Done")
    world.site.archive(archived)
    world.site.change_list(board, "Done", closed=True)
    assert not world.site.card(in_archived)["closed"]
    items = read(world, board.id)
    assert {item.status for item in items.values()} == {"Archived"}
    assert {item.status_category for item in items.values()} == {"done"}
    assert items["Archived"].status_since == datetime.fromisoformat(world.site.card(archived)["dateClosed"])
    assert "status_since" in items["Below"].unknown
    again = read(world, board.id, statuses={"Archived": StatusCategory.TODO})
    assert again["Archived"].status_category == "todo"


def test_a_list_made_while_we_read_is_asked_for_again(world: TrelloWorld) -> None:
    """The board's own answer came before; its cards are in a list that it does not name."""
    board = world.site.new_board("Delivery")
    card = world.site.new_card(board, "One")
    before = {"id": board.id, "name": "Delivery", "closed": False, "lists": [], "cards": [world.site.card(card)]}
    world.trello.script(Answer(json=before), path="cards=all")
    assert read(world, board.id)["One"].status == "To Do"


# Mapped columns

FIELDS = {
    "outcome_metric": "Success metric", "outcome_category": "Kind", "outcome_reviewed_at": "Reviewed",
    "percent_complete": "Progress", "Agreed": "Agreed", "sponsor": "checklist: Sponsors",
    "outcome_target": "description: Target", "priority": "No such field",
}  # fmt: skip


def test_custom_fields_checklists_and_descriptions(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    world.site.new_field(board, "Success metric")
    world.site.new_field(board, "Kind", "list", "Grow", "Save")
    world.site.new_field(board, "Reviewed", "date")
    world.site.new_field(board, "Progress", "number")
    world.site.new_field(board, "Agreed", "checkbox")
    full = world.site.new_card(board, "Full", desc="Intro\n**Target:** churn below 2 %\n")
    world.site.fill(full, "Success metric", text="  Churn ")
    world.site.fill(full, "Kind", option="Save")
    world.site.fill(full, "Reviewed", date="2026-03-11T04:00:00.000Z")
    world.site.fill(full, "Progress", number="40")
    world.site.fill(full, "Agreed", checked="true")
    world.site.add_checklist(full, "Sponsors", "Ada", "Grace")
    world.site.new_card(board, "Empty")
    items = read(world, board.id, fields=FIELDS)
    item = items["Full"]
    assert (item.outcome_metric, item.outcome_category, item.percent_complete) == ("Churn", "Save", 40.0)
    assert item.outcome_reviewed_at == datetime(2026, 3, 11, 4, tzinfo=UTC)
    assert item.fields == {"Agreed": "Yes"}
    assert (item.sponsor, item.outcome_target) == ("Ada; Grace", "churn below 2 %")
    assert "priority" in item.unknown
    empty = items["Empty"]
    assert (empty.outcome_metric, empty.sponsor, empty.outcome_target) == (None, None, None)
    assert not {"outcome_metric", "sponsor", "outcome_target"} & empty.unknown, "empty is not unknown"
    assert empty.fields == {"Agreed": "No"}


def test_without_the_power_up_custom_fields_are_unknown(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    world.site.new_field(board, "Success metric")
    world.site.fill(world.site.new_card(board, "One"), "Success metric", text="Churn")
    board.custom_fields_on = False
    item = read(world, board.id, fields={"outcome_metric": "Success metric"})["One"]
    assert "outcome_metric" in item.unknown
    notices = checked(world, fields={"outcome_metric": "Success metric"})
    assert any('no custom field "Success metric"' in notice.text for notice in notices)


@pytest.mark.parametrize(
    ("description", "found"),
    [
        ("Sponsor: Ada", "Ada"),
        ("- **Sponsor:** Ada", "Ada"),
        ("## Sponsor\n\nAda Lovelace\nof finance\n\nMore", "Ada Lovelace of finance"),
        ("Sponsor\nAda", "Ada"),
        ("Sponsors are welcome", ""),
        ("Sponsor:\n# Next\nAda", ""),
        ("nothing", ""),
    ],
)
def test_a_section_of_the_description(world: TrelloWorld, description: str, found: str) -> None:
    board = world.site.new_board("Delivery")
    world.site.new_card(board, "One", desc=description)
    item = read(world, board.id, fields={"sponsor": "description: sponsor"})["One"]
    assert (item.sponsor or "") == found


def test_a_text_that_is_no_date_is_unknown_where_a_date_is_needed(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    world.site.new_card(board, "One", desc="Reviewed: soon")
    world.site.new_card(board, "Two", desc="Reviewed: 2026-03-01")
    items = read(world, board.id, fields={"outcome_reviewed_at": "description: Reviewed"})
    assert "outcome_reviewed_at" in items["One"].unknown
    assert items["Two"].outcome_reviewed_at == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "mapped", [{"status": "Stage"}, {"title": "Name"}, {"sponsor": "checklist:"}, {"sponsor": " "}]
)
def test_a_mapping_that_cannot_be_is_told_at_once(world: TrelloWorld, mapped: dict[str, str]) -> None:
    with pytest.raises(SetupError, match=r"fields\."):
        TrelloConnector(replace(world.setup(), fields=mapped))


# Boards


def listed(world: TrelloWorld, *wanted: str, **options: Any) -> list[str]:
    setup = replace(world.setup(), collections=wanted)
    with closing(TrelloConnector(replace(setup, options={**setup.options, **options}))) as connector:
        return [collection.name for collection in connector.collections()]


def test_boards_by_id_short_link_address_and_name(world: TrelloWorld) -> None:
    board, _ = world.site.new_board("Delivery"), world.site.new_board("Other")
    for wanted in (board.id, board.short_link, board.url, f"https://trello.com/b/{board.short_link}", "Delivery"):
        assert listed(world, wanted) == ["Delivery"]
    assert listed(world, "Delivery", board.id) == ["Delivery"], "a board is read once, however often it is named"


def test_a_name_that_several_boards_have_is_none(world: TrelloWorld) -> None:
    twins = [world.site.new_board("Twin") for _ in range(2)]
    with pytest.raises(SetupError, match=twins[1].short_link):
        listed(world, "Twin")
    assert listed(world, twins[0].short_link) == ["Twin"]
    twins[1].closed = True
    assert listed(world, "Twin") == ["Twin"], "one that is closed is not meant"


def test_boards_of_a_workspace(world: TrelloWorld) -> None:
    acme = world.site.new_organization("acme")
    world.site.new_board("Delivery", organization=acme)
    world.site.new_board("Private")
    assert listed(world, workspace="acme") == ["Delivery"]
    with pytest.raises(GoneError):
        listed(world, workspace="nobody")


def test_closed_boards_are_not_discovered_and_boards_of_others_not_seen(world: TrelloWorld) -> None:
    world.site.new_board("Open")
    world.site.new_board("Closed").closed = True
    foreign = world.site.new_board("Foreign")
    del foreign.members[US.id]
    assert listed(world) == ["Open"]
    for wanted in (foreign.short_link, foreign.id, "Foreign", "nope"):
        with pytest.raises(SetupError, match=wanted):
            listed(world, wanted)


def test_a_board_that_is_closed_gone_or_not_ours_any_more_is_one_sentence(world: TrelloWorld) -> None:
    boards = [world.site.new_board(name) for name in ("Closed", "Gone", "Lost")]
    boards[0].closed = True
    del world.site.boards[boards[1].id]
    del boards[2].members[US.id]
    for board in boards:
        with pytest.raises(GoneError, match="board") as refused:
            pull(world, board.id)
        assert "\n" not in str(refused.value)


def test_a_board_near_its_limits_is_told(world: TrelloWorld) -> None:
    board = world.site.new_board("Delivery")
    board.limits["labels"]["perBoard"] = limit(1000, "warn")
    assert any("close to Trello's limit of labels" in notice.text for notice in checked(world))


@pytest.mark.parametrize("bad", [{"key": ""}, {"token": 'x", oauth_token="y'}, {"key": "a b"}, {"token": "a\nb"}])
def test_a_key_or_token_that_cannot_be_one_is_told_at_once(world: TrelloWorld, bad: dict[str, str]) -> None:
    setup = world.setup()
    with pytest.raises(SetupError) as refused:
        TrelloConnector(replace(setup, options={**setup.options, **bad}))
    assert not [value for value in bad.values() if value and value in str(refused.value)]


def test_the_real_host_is_the_default(world: TrelloWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """And py-trello's built-in address is led to `base_url`, never around it."""
    monkeypatch.setattr("time.sleep", lambda _: None)  # between the tries
    options = {name: value for name, value in world.options().items() if name != "base_url"}
    reaching_out = pytest.raises((AssertionError, ConnectorError), match=r"tried to reach|api\.trello\.com")
    with closing(TrelloConnector(SourceSetup("x", options))) as connector, reaching_out:
        connector.collections()  # the guard of all tests lets none reach out
    assert not world.requests()
