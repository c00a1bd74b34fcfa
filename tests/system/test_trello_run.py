"""The whole job on Trello: the real command, a Trello on this machine, and what people do on their boards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.fakes.server import Answer
from connectors.fakes.trello.api import KEY, TOKEN, Trello
from connectors.fakes.trello.refusals import PLAIN
from connectors.fakes.trello.state import US, Board
from tests.fakes.trello_recorded import load_board
from tests.sync.test_terminal import bare, on_terminal
from tests.sync.town import Said, Town

CONFIG = """
brakes.share = 1.0
[sources.boards]
system = "trello"
base_url = "{url}"
key = {{ env = "TRELLO_KEY" }}
token = {{ env = "TRELLO_TOKEN" }}
[sources.boards.colors]
"pmo-stuck-20d" = "red"
[sources.boards.fields]
sponsor = "Executive sponsor"
"""


class Office(Town):
    """A town whose tool is a Trello with one board."""

    def __init__(self, folder: Path, trello: Trello) -> None:
        super().__init__(folder, CONFIG.format(url=trello.url))
        self.trello, self.site = trello, trello.site
        self.site.now = datetime(2026, 2, 2, 9, tzinfo=UTC)
        self.board = self.site.new_board("Delivery")
        self.site.new_field(self.board, "Executive sponsor")

    def environment(self, more: Any = None) -> dict[str, str]:
        return super().environment({"TRELLO_KEY": KEY, "TRELLO_TOKEN": TOKEN, **(more or {})})

    def card(self, title: str, sponsor: str = "Ada", at: str = "2026-02-02", to: str = "Doing") -> str:
        """A person makes a card in the first list, and on a day moves it."""
        card = self.site.new_card(self.board, title)
        if sponsor:
            self.site.fill(card, "Executive sponsor", text=sponsor)
        self.site.now = max(self.site.now, datetime.fromisoformat(f"{at}T10:00:00+00:00"))
        self.site.move(card, to)
        return card

    def today(self) -> None:
        self.site.now = datetime.fromisoformat(self.now).replace(tzinfo=UTC)

    def run(self, code: int = 0) -> Said:
        said = self.unstuck("run", "--apply", "--json")
        assert said.code == code, said.out + said.err
        return said

    def items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.unstuck("items", "--format", "json").json
        return found

    def ages(self) -> dict[str, tuple[str, str]]:
        return {item["title"]: (item["status_since"], item["status_since_is"]) for item in self.items()}

    def labels_of(self, card: str) -> list[str]:
        return sorted(self.site.labels_of(card))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with closing(Trello()) as trello:
        office = Office(tmp_path, trello)
        yield office
        assert trello.refused == 0, "too many requests in too little time"


def test_labels_go_on_and_off_and_then_nothing_is_written(office: Office) -> None:
    bare, stuck = office.card("No sponsor", sponsor="", at="2026-03-18"), office.card("Stuck", at="2026-03-18")
    fine = office.card("Fine", at="2026-03-18")
    office.board.actions.sort(key=lambda action: str(action["date"]))
    office.today()
    office.now = "2026-04-03T12:00:00"
    office.run()
    assert office.labels_of(bare) == ["pmo-no-sponsor", "pmo-stuck-10d"]
    assert office.labels_of(stuck) == ["pmo-stuck-10d"]
    before = len(office.trello.writing_requests)
    office.run()
    assert len(office.trello.writing_requests) == before, "a second run wrote something"

    office.site.fill(bare, "Executive sponsor", text="Grace")
    office.site.move(stuck, "Done")
    office.run()
    assert office.labels_of(bare) == ["pmo-stuck-10d"]
    assert office.labels_of(stuck) == []
    assert office.labels_of(fine) == ["pmo-stuck-10d"]


def test_our_label_resets_no_clock_and_takes_its_own_colour(office: Office) -> None:
    card = office.card("Stuck", at="2026-02-02")
    office.today()
    office.run()
    assert office.labels_of(card) == ["pmo-stuck-20d"]
    assert office.site.card(card)["dateLastActivity"].startswith("2026-03-20")
    assert [one["color"] for one in office.board.labels.values()] == ["red"]
    before = office.ages()
    office.run()
    assert office.ages() == before == {"Stuck": ("2026-02-02T10:00:01Z", "exact")}
    assert office.labels_of(card) == ["pmo-stuck-20d"]


def test_a_persons_removal_is_a_veto(office: Office) -> None:
    card = office.card("No sponsor", sponsor="", at="2026-03-18")
    office.today()
    office.run()
    office.site.unlabel(card, "pmo-no-sponsor")
    for _ in range(2):
        office.run()
        assert office.labels_of(card) == []
    office.site.move(card, "To Do")  # another status: the question may be asked again
    office.run()
    assert office.labels_of(card) == ["pmo-no-sponsor"]


def test_other_peoples_labels_stay(office: Office) -> None:
    card = office.card("No sponsor", sponsor="", at="2026-03-18")
    office.site.label(card, "theirs")
    office.site.label(card, "pmo-by-hand")
    office.today()
    office.run()
    office.site.fill(card, "Executive sponsor", text="Grace")
    office.site.edit(card, desc="now it has one")
    office.run()
    assert office.labels_of(card) == ["pmo-by-hand", "theirs"]


def test_a_plan_sends_nothing_that_writes(office: Office) -> None:
    office.card("No sponsor", sponsor="")
    office.today()
    assert "pmo-no-sponsor" in office.unstuck("run").out
    assert office.unstuck("check", "--live").code == 0
    assert office.trello.writing_requests == []


def test_an_unchanged_board_costs_one_request_beside_the_list_of_boards(office: Office) -> None:
    office.card("Fine", at="2026-03-18")
    office.today()
    office.run()
    before = len(office.trello.requests)
    office.run()
    assert [request.path for request in office.trello.requests[before:]] == [
        "/1/members/me/boards",
        f"/1/boards/{office.board.id}",
    ]


def test_a_token_that_was_revoked_clears_nothing(office: Office) -> None:
    card = office.card("No sponsor", sponsor="", at="2026-03-18")
    office.today()
    office.run()
    office.trello.tokens.clear()
    said = office.run(code=1)
    assert "invalid token" in said.out + said.err
    assert TOKEN not in said.out + said.err
    assert office.labels_of(card) == ["pmo-no-sponsor"]
    items = office.items()
    assert len(items) == 1


def test_a_token_that_expires_while_it_writes_is_finished_by_the_next_run(office: Office) -> None:
    cards = [office.card(f"Card {number}", sponsor="", at="2026-03-18") for number in range(3)]
    office.today()
    expired = Answer(401, headers=PLAIN, body=b"invalid token")
    office.trello.script(expired, times=1_000, method="POST", path=f"/cards/{cards[1]}/")
    office.run(code=1)
    assert office.labels_of(cards[1]) == []
    office.trello._scripts.clear()
    office.run()
    assert [office.labels_of(card) for card in cards] == [["pmo-no-sponsor"]] * 3
    assert len([one for one in office.site.writes() if one == "+pmo-no-sponsor"]) == 3


def test_an_archived_card_is_done_and_its_label_comes_off(office: Office) -> None:
    card = office.card("No sponsor", sponsor="", at="2026-03-18")
    office.today()
    office.run()
    office.site.archive(card)
    office.run()
    assert office.labels_of(card) == []
    [item] = office.items()
    assert (item["status"], item["status_category"]) == ("Archived", "done")


def test_a_card_that_moves_to_another_board_stays_itself(office: Office) -> None:
    card = office.card("No sponsor", sponsor="", at="2026-03-18")
    other = office.site.new_board("Other")
    office.site.new_field(other, "Executive sponsor")
    office.site.new_card(office.board, "Stays")
    office.today()
    office.run()
    office.site.move_to_board(card, other, "To Do")
    office.run()
    assert office.labels_of(card) == ["pmo-no-sponsor"]
    shown = office.items()
    assert len([item for item in shown if item["title"] == "No sponsor"]) == 1


def test_a_board_that_closes_keeps_what_is_known(office: Office) -> None:
    office.card("No sponsor", sponsor="", at="2026-03-18")
    office.site.new_card(office.site.new_board("Other"), "Elsewhere")
    office.today()
    office.run()
    office.board.closed = True
    office.run()
    assert [item["labels"] for item in office.items() if item["title"] == "No sponsor"] == [["pmo-no-sponsor"]]
    office.write_config(
        CONFIG.format(url=office.trello.url).replace(
            "[sources.boards.c", 'collections = ["Delivery"]\n[sources.boards.c'
        )
    )
    [problem] = office.run(code=1).json["problems"]
    assert 'the board "Delivery" is closed; reopen it' in problem


def test_a_board_where_we_may_not_write_is_named(office: Office) -> None:
    office.card("No sponsor", sponsor="", at="2026-03-18")
    office.board.members[US.id] = (US, "observer")
    office.today()
    [problem] = office.run(code=1).json["problems"]
    assert 'may not label cards on the board "Delivery"' in problem
    assert office.site.writes() == []
    assert "observes" in office.unstuck("check", "--live").out


def test_an_exemption_put_on_after_the_pull_holds(office: Office) -> None:
    """The card that is written first gets its label, and a person exempts the other meanwhile."""
    first, second = (office.card(f"Card {number}", sponsor="", at="2026-03-18") for number in range(2))
    office.site.label(second, "pmo-exempt-until-2026-12-31")
    office.today()
    office.run()
    assert office.labels_of(first) == ["pmo-no-sponsor"]
    assert office.labels_of(second) == ["pmo-exempt-until-2026-12-31"]


def test_retire_takes_off_all_that_was_ever_put_on(office: Office) -> None:
    cards = [office.card(f"Card {number}", sponsor="", at="2026-03-18") for number in range(3)]
    office.site.label(cards[0], "theirs")
    office.today()
    office.run()
    assert office.unstuck("retire", "--apply").code == 0
    assert [office.labels_of(card) for card in cards] == [["theirs"], [], []]


def names(board: Board) -> set[str]:
    return {str(label["name"]) for label in board.labels.values()}


def test_retire_deletes_the_labels_that_we_made_once_no_card_carries_them(office: Office) -> None:
    cards = [office.card(f"Card {number}", sponsor="", at="2026-02-02") for number in range(2)]
    office.site.new_label(office.board, "pmo-no-sponsor")  # theirs: it was there before us
    office.site.label(cards[1], "theirs")
    office.today()
    office.run()
    assert names(office.board) == {"pmo-no-sponsor", "pmo-stuck-20d", "theirs"}
    said = office.unstuck("retire")
    assert said.code == 0, "it was not only planned"
    assert "x pmo-stuck-20d  Delivery  deleted there" in said.out
    assert "x pmo-no-sponsor" not in said.out
    assert "Nothing was written" in said.out
    assert names(office.board) == {"pmo-no-sponsor", "pmo-stuck-20d", "theirs"}
    said = office.unstuck("retire", "--apply")
    assert (said.code, "1 label deleted" in said.out) == (0, True), said.out + said.err
    assert names(office.board) == {"pmo-no-sponsor", "theirs"}
    assert office.labels_of(cards[1]) == ["theirs"]
    assert office.unstuck("retire").out.splitlines()[-1] == "Nothing to change."


def test_a_label_that_a_person_put_on_another_card_is_not_deleted(office: Office) -> None:
    card, other = (office.card(title, at="2026-02-02") for title in ("Stuck", "Other"))
    office.site.move(other, "Done")
    office.today()
    office.run()
    office.site.label(other, "pmo-stuck-20d")
    assert "x pmo-stuck-20d" not in office.unstuck("retire").out
    assert office.unstuck("retire", "--apply").code == 0
    assert (office.labels_of(card), office.labels_of(other)) == ([], ["pmo-stuck-20d"])
    office.site.unlabel(other, "pmo-stuck-20d")
    said = office.unstuck("retire", "--apply", "--json").json
    assert said["unused_labels"] == [{"source": "boards", "collection": "Delivery", "label": "pmo-stuck-20d"}]
    assert said["written"]["deleted_labels"] == 1
    assert names(office.board) == set()


def test_what_carries_a_label_is_looked_at_right_before(office: Office) -> None:
    """A template is no work item, and so not in the store."""
    office.card("Stuck", at="2026-02-02")
    template = office.site.new_card(office.board, "Template", isTemplate=True)
    office.today()
    office.run()
    office.site.label(template, "pmo-stuck-20d")
    said = office.unstuck("retire", "--apply", "--json")
    assert (said.code, said.json["written"]["deleted_labels"]) == (0, 0)
    assert office.labels_of(template) == ["pmo-stuck-20d"]
    said = office.unstuck("retire", "--apply")
    assert 'Delivery: the label "pmo-stuck-20d" stays: it is on 1 card, perhaps archived' in said.err + said.out


def test_labels_that_cannot_be_deleted_are_said_and_done_by_the_next(office: Office) -> None:
    office.card("Stuck", at="2026-02-02")
    office.today()
    office.run()
    expired = Answer(401, headers=PLAIN, body=b"invalid token")
    office.trello.script(expired, times=1, method="DELETE", path="/1/labels/")
    said = office.unstuck("retire", "--apply")
    assert said.code == 1
    assert "labels that nothing carries could not be deleted" in said.out + said.err
    assert names(office.board) == {"pmo-stuck-20d"}
    assert office.unstuck("retire", "--apply").code == 0
    assert names(office.board) == set()


def real(board: Board) -> int:
    return len([card for card in board.cards.values() if not card["closed"]])


def test_a_real_board_goes_through_a_whole_run(office: Office, samples: Path) -> None:
    del office.site.boards[office.board.id]
    file = samples / "trello" / "gocd_scrubbed_plus_customfields_SYNTHETIC.json"
    board = load_board(office.site, file)
    office.write_config(CONFIG.format(url=office.trello.url).replace("Executive sponsor", "Outcome type"))
    theirs = {card: set(entry["idLabels"]) for card, entry in board.cards.items()}
    office.now = "2026-03-21T12:00:00"
    office.run()
    items = office.items()
    assert len(items) == 122
    assert {item["status_category"] for item in items} == {"todo", "in_progress", "done"}
    labelled = {card for card, entry in board.cards.items() if set(entry["idLabels"]) != theirs[card]}
    assert labelled
    assert all(set(board.cards[card]["idLabels"]) >= theirs[card] for card in theirs)
    assert not {item["key"] for item in items if item["status_category"] == "done"} & {
        board.cards[card]["shortLink"] for card in labelled
    }
    office.site.pass_time(timedelta(days=1))
    before = len(office.trello.writing_requests)
    office.run()
    assert len(office.trello.writing_requests) == before


def test_who_watches_sees_how_fast_the_tool_may_be_asked(office: Office) -> None:
    office.card("Ship it")
    office.today()
    shown = bare(on_terminal(office, "run", width=120))
    assert re.search(r"boards ━+ +1 item +([\d,]+/s)? +(\d\.\d of )?9 requests/s( allowed)? +0:\d\d", shown), shown
