"""Labels on a board: merged with what is there, looked at afterwards, and each item told what became of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import turn
from connectors.base import ChangeResult, Collection, Outcome, SourceSetup
from connectors.errors import AccessError, BusyError, SetupError
from connectors.fakes.monday.account import TOKEN, Board, Item
from connectors.fakes.monday.api import Monday
from connectors.fakes.monday.refusals import refused
from connectors.fakes.server import Answer
from connectors.model import ItemRef, LabelChange
from connectors.monday import MondayConnector


@pytest.fixture
def monday() -> Iterator[Monday]:
    with closing(Monday()) as monday:
        yield monday


@pytest.fixture
def board(monday: Monday) -> Board:
    return monday.account.new_board("Plan")


def setup_of(monday: Monday, **options: Any) -> SourceSetup:
    return SourceSetup("boards", {"base_url": monday.url, "token": TOKEN, **options}, writable=True)


def apply(monday: Monday, board: Board, *changes: LabelChange, **options: Any) -> list[ChangeResult]:
    with closing(MondayConnector(setup_of(monday, **options))) as connector:
        return list(connector.apply(Collection(board.id, board.name), changes))


def put(item: Item, *labels: str, take: tuple[str, ...] = ()) -> LabelChange:
    return LabelChange(ItemRef("boards", item.id), add=labels, remove=take)


labels_ = st.lists(
    st.sampled_from(["theirs", "pmo-a", "pmo-b", 'quo"te\\', "{$x}", "mutation"]), unique=True, max_size=4
)


@settings(max_examples=25)
@given(labels_, labels_, labels_, st.sampled_from(["tags", "dropdown"]))
def test_others_stay_in_their_order_whatever_goes_on_and_off(
    there: list[str], add: list[str], remove: list[str], kind: str
) -> None:
    with closing(Monday()) as monday:
        board = monday.account.new_board("Plan", [("Labels", kind)])
        item = monday.account.add_item(board, "One", Labels=there)
        change = put(item, *add, take=tuple(label for label in remove if label not in add))
        [result] = apply(monday, board, change, label_column="Labels")
        assert monday.account.labels(item, "Labels") == change.applied_to(there)
        assert result.outcome in (Outcome.DONE, Outcome.UNCHANGED)
        assert result.labels == tuple(sorted(change.applied_to(there)))


@pytest.mark.parametrize("kind", ["tags", "dropdown"])
def test_two_sources_of_one_board_take_turns_at_it(monday: Monday, kind: str) -> None:
    """Each write is the whole set of labels: who reads before the other has written would lose the other's."""
    board = monday.account.new_board("Plan", [("Labels", kind)])
    items = [monday.account.add_item(board, f"Item {number}") for number in range(3)]
    monday.quirks.slow_write = 0.1
    results: list[ChangeResult] = []

    def write(label: str) -> None:
        results.extend(apply(monday, board, *(put(item, label) for item in items), label_column="Labels"))

    threads = [threading.Thread(target=write, args=[label]) for label in ("pmo-a", "pmo-b", "pmo-c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.outcome for result in results] == [Outcome.DONE] * 9
    assert [sorted(monday.account.labels(item, "Labels")) for item in items] == [["pmo-a", "pmo-b", "pmo-c"]] * 3


def test_who_waits_too_long_for_its_turn_leaves_it_to_the_next_run(
    monday: Monday, board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = monday.account.add_item(board, "One")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # other tests have boards of the same number
    monkeypatch.setattr(turn, "PATIENCE", 0.1)
    with turn.alone("monday", board.id), pytest.raises(BusyError, match="another run"):
        apply(monday, board, put(item, "pmo-a"))
    assert not monday.account.labels(item)


def test_a_batch_is_one_reading_and_one_request_and_each_tag_is_asked_for_once(monday: Monday, board: Board) -> None:
    items = [monday.account.add_item(board, f"Item {number}") for number in range(60)]
    results = apply(monday, board, *(put(item, "pmo-a", "pmo-b") for item in items))
    assert {result.outcome for result in results} == {Outcome.DONE}
    assert dict(monday.asked) == {"boards": 1, "items": 3, "create_or_get_tag": 2, "change_multiple_column_values": 3}


def test_each_of_a_batch_is_told_what_became_of_it(monday: Monday, board: Board) -> None:
    free, locked, archived, deleted, last = (monday.account.add_item(board, name) for name in "abcde")
    locked.locked = True
    monday.account.archive(archived)
    monday.account.delete(deleted)
    other = monday.account.new_board("Other")
    moved = monday.account.add_item(other, "moved")
    results = apply(monday, board, *(put(item, "pmo-a") for item in (free, locked, archived, deleted, moved, last)))
    assert [result.outcome for result in results] == [
        Outcome.DONE, Outcome.REFUSED, Outcome.GONE, Outcome.GONE, Outcome.GONE, Outcome.DONE
    ]  # fmt: skip
    said = [result.message for result in results]
    assert "does not let this account do this" in said[1]
    assert [words in text for words, text in zip(("archived", "deleted", "moved"), said[2:5], strict=True)] == [
        True
    ] * 3


def test_an_item_that_goes_between_our_reading_and_our_write_is_gone(monday: Monday, board: Board) -> None:
    item, other = (monday.account.add_item(board, name) for name in "ab")
    monday.roots.before_write.append(lambda: monday.account.delete(item))
    results = apply(monday, board, put(item, "pmo-a"), put(other, "pmo-a"))
    assert [result.outcome for result in results] == [Outcome.GONE, Outcome.DONE]


def test_a_write_that_did_not_take_is_not_called_done(monday: Monday, board: Board) -> None:
    item = monday.account.add_item(board, "One")

    def spoil(query: str, answer: dict[str, Any]) -> dict[str, Any]:
        if "m0:" in query:
            answer["data"]["m0"]["column_values"][0].update(tag_ids=[], tags=[])
        return answer

    monday.quirks.spoil = spoil
    [result] = apply(monday, board, put(item, "pmo-a"))
    assert result.outcome is Outcome.FAILED
    assert "did not write all" in result.message


def test_a_tag_whose_name_does_not_come_is_kept(monday: Monday, board: Board) -> None:
    """A tag of another board, after its item was moved here: its id is there, and no name."""
    item = monday.account.add_item(board, "One", PMO_labels=["theirs"])
    [number] = item.cells[board.column("PMO labels").id].value

    def spoil(query: str, answer: dict[str, Any]) -> dict[str, Any]:
        for value in answer["data"].get("items", [{"column_values": []}])[0]["column_values"]:
            value["tags"] = []
        return answer

    monday.quirks.spoil = spoil
    apply(monday, board, put(item, "pmo-a"))
    assert number in item.cells[board.column("PMO labels").id].value


def test_an_answer_without_a_word_on_an_item_is_no_success(monday: Monday, board: Board) -> None:
    item = monday.account.add_item(board, "One")
    answers: list[Any] = [{"data": {}}, {"data": None, "errors": [{"message": "Broken"}]}, {"data": {"m0": None}}]
    for answer in answers:
        monday.script(Answer(json=answer), query="change_multiple_column_values")
        [result] = apply(monday, board, put(item, "pmo-a"))
        assert result.outcome is Outcome.FAILED, answer
        assert "next run" in result.message


def test_labels_that_no_column_holds_are_refused_and_the_others_written(monday: Monday, board: Board) -> None:
    item, other = (monday.account.add_item(board, name) for name in "ab")
    results = apply(monday, board, put(item, 'pmo-"quoted"\nand more'), put(other, 'pmo-"quoted" \\ and {more}'))
    assert [result.outcome for result in results] == [Outcome.REFUSED, Outcome.DONE]
    assert monday.account.labels(other) == ['pmo-"quoted" \\ and {more}']


def test_a_dropdown_whose_options_we_may_not_add_to_is_told(monday: Monday, board: Board) -> None:
    monday.account.add_column(board, "Flags", "dropdown")
    monday.roots.deny_labels = True
    item = monday.account.add_item(board, "One")
    [result] = apply(monday, board, put(item, "pmo-a"), label_column="Flags")
    assert result.outcome is Outcome.REFUSED
    assert "change the board's structure" in result.message


def test_a_dropdown_of_one_value_is_no_column_for_labels(monday: Monday, board: Board) -> None:
    monday.account.add_column(board, "Flags", "dropdown", {"limit_select": True})
    item = monday.account.add_item(board, "One", Flags=["theirs"])
    with pytest.raises(SetupError, match="takes one value only"):
        apply(monday, board, put(item, "pmo-a"), label_column="Flags")
    assert monday.account.labels(item, "Flags") == ["theirs"]


def test_a_board_to_view_only_is_not_written_to(monday: Monday, board: Board) -> None:
    board.access = "view"
    item = monday.account.add_item(board, "One")
    with pytest.raises(AccessError, match="only view"):
        apply(monday, board, put(item, "pmo-a"))
    assert "change_multiple_column_values" not in monday.asked


def test_a_write_that_was_carried_out_in_part_is_not_sent_again(monday: Monday, board: Board) -> None:
    """Sent again, it would put back what a person took off in between."""
    item = monday.account.add_item(board, "One")
    monday.script(
        Answer(json={"data": {"m0": {"id": item.id}}, **refused("COMPLEXITY_BUDGET_EXHAUSTED", "Slower").json}),
        query="change_multiple_column_values",
    )
    with pytest.raises(BusyError):
        apply(monday, board, put(item, "pmo-a"))
    assert monday.asked["change_multiple_column_values"] == 1


def test_names_travel_as_variables(monday: Monday, board: Board) -> None:
    item = monday.account.add_item(board, "One")
    hostile = 'x") { id } } mutation { delete_board(board_id: 1) { id } } #'
    apply(monday, board, put(item, hostile))
    assert monday.account.labels(item) == [hostile]
    assert not [one for one in monday.requests if "delete_board" in json.loads(one.body)["query"]]
