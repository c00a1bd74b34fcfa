"""What a board's items and column values mean, and how its pages are put together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Collection, Page, SourceSetup
from connectors.errors import AccessError, BusyError, ConnectorError, GoneError, InputError, SetupError
from connectors.fakes.monday.account import TOKEN
from connectors.fakes.monday.api import Monday
from connectors.fakes.server import Answer
from connectors.model import Certainty, Cursor, StatusCategory, WorkItem
from connectors.monday import MondayConnector
from connectors.monday.api import problem_of, told
from connectors.monday.boards import Board
from connectors.monday.columns import Column, Layout, Roles, find, guess, lay_out, parse_column
from connectors.monday.items import Place, Setting, parse_item
from connectors.monday.reading import parse_cursor
from connectors.monday.statuses import Statuses, rolled_up
from connectors.monday.values import NoAnswerError, labels_of, moment_of, names_of, percent_of, status_labels, text_of

BERLIN = ZoneInfo("Europe/Berlin")
TODO, UNDERWAY, DONE = StatusCategory.TODO, StatusCategory.IN_PROGRESS, StatusCategory.DONE


@pytest.fixture
def monday() -> Iterator[Monday]:
    with closing(Monday()) as monday:
        yield monday


def setup_of(monday: Monday, **more: Any) -> SourceSetup:
    options = {"base_url": monday.url, "token": TOKEN}
    options |= {name: more.pop(name) for name in list(more) if name not in SourceSetup.__dataclass_fields__}
    return SourceSetup("boards", options, **more)


def pages_of(setup: SourceSetup, board: str, cursor: Cursor | None = None) -> list[Page]:
    with closing(MondayConnector(setup)) as connector:
        return list(connector.pull(Collection(board, "Plan"), cursor))


def items_of(setup: SourceSetup, board: str) -> dict[str, WorkItem]:
    return {item.title: item for page in pages_of(setup, board) for item in page.items}


# Values


@pytest.mark.parametrize(
    ("text", "people", "names"),
    [
        ("Ada Lovelace, Bob", 2, ("Ada Lovelace", "Bob")),
        ("Lovelace, Ada", 1, ("Lovelace, Ada",)),
        ("", 0, ()),
        ("Ada, Ada", 2, ("Ada",)),
    ],
)
def test_people_are_told_apart_only_where_that_is_sure(text: str, people: int, names: tuple[str, ...]) -> None:
    value = {"type": "people", "text": text, "persons_and_teams": [{"id": str(number)} for number in range(people)]}
    assert names_of(value) == names


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ({"type": "date", "date": "2026-06-30", "time": None}, datetime(2026, 6, 30, tzinfo=BERLIN)),
        ({"type": "date", "date": "2026-06-30", "time": "13:25:00"}, datetime(2026, 6, 30, 13, 25, tzinfo=UTC)),
        ({"type": "date", "date": None, "time": None, "text": ""}, None),
        ({"type": "timeline", "from": None, "to": "2026-06-30"}, datetime(2026, 6, 30, tzinfo=BERLIN)),
        ({"type": "timeline", "from": None, "to": None}, None),
        ({"type": "mirror", "display_value": "2026-06-30"}, datetime(2026, 6, 30, tzinfo=BERLIN)),
    ],
)  # fmt: skip
def test_when(value: dict[str, Any], at: datetime | None) -> None:
    assert moment_of(value, BERLIN) == at


def test_a_timeline_has_a_start_too() -> None:
    value = {"type": "timeline", "from": "2026-06-01T00:00:00+00:00", "to": "2026-06-30T00:00:00+00:00"}
    assert moment_of(value, BERLIN, starts=True) == datetime(2026, 6, 1, tzinfo=BERLIN)


@pytest.mark.parametrize("text", ["10/12/26", "soon", "2026-02-30", "2026-06-30, 2026-07-01"])
def test_text_that_is_no_date_is_no_answer(text: str) -> None:
    with pytest.raises(NoAnswerError):
        moment_of({"type": "mirror", "display_value": text}, BERLIN)


@pytest.mark.parametrize(
    ("value", "percent"),
    [
        ({"number": 40, "text": "40"}, 40),
        ({"number": None, "text": ""}, None),
        ({"text": "62.5%"}, 62.5),
        ({"text": "62,5 %"}, 62.5),
        ({"display_value": "80"}, 80),
    ],
)
def test_percent(value: dict[str, Any], percent: float | None) -> None:
    assert percent_of(value) == percent


@pytest.mark.parametrize("value", [{"number": 140}, {"number": -1}, {"text": "most"}, {"number": float("nan")}])
def test_what_is_no_percent_is_no_answer(value: dict[str, Any]) -> None:
    with pytest.raises(NoAnswerError):
        percent_of(value)


def test_text_is_where_the_column_has_it() -> None:
    assert text_of({"type": "mirror", "text": None, "display_value": " from there "}) == "from there"
    assert text_of({"type": "formula", "text": "", "display_value": "42"}) == "42"
    assert text_of({"type": "checkbox", "text": "v", "checked": True}) == "Yes"
    assert text_of({"type": "checkbox", "text": "", "checked": None}) == "No"
    with pytest.raises(NoAnswerError):
        text_of({"type": "unsupported", "text": None})


def test_labels_are_those_of_tags_and_of_dropdowns() -> None:
    assert labels_of({"tags": [{"name": "b"}, {"name": "a"}, {"name": " b "}]}) == ("b", "a")
    assert labels_of({"values": [{"label": "one, two"}, {"label": ""}]}) == ("one, two",)
    assert labels_of({}) == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    [
        "id",
        "type",
        "text",
        "date",
        "time",
        "number",
        "tags",
        "values",
        "from",
        "to",
        "display_value",
        "label",
        "index",
        "battery_value",
        "is_leaf",
        "updated_at",
        "persons_and_teams",
        "checked",
        "value",
        "is_done",
    ]
)
LAYOUT = Layout(
    {role: Column(role, role, "text") for role in ("status", "due_at", "percent_complete", "owner", "labels", "Own")},
    {},
)
PLACE = Place(Board("1", "Plan"), LAYOUT, Setting("boards"), "Plan")


@given(st.dictionaries(names, json_values), st.sampled_from([*LAYOUT.columns]))
def test_no_value_is_worse_than_unreadable(value: dict[str, Any], role: str) -> None:
    """Whatever a value holds, an item is made of it, or one of the errors with which it is left out and named."""
    entry = {"id": "7", "name": "One", "column_values": [{**value, "id": role}]}
    try:
        item = parse_item(entry, PLACE)
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError):
        return
    assert item.title == "One"
    assert item.percent_complete is None or 0 <= item.percent_complete <= 100


# Columns


def columns(*titled: tuple[str, str]) -> list[Column]:
    return [Column(f"c{number}", title, kind) for number, (title, kind) in enumerate(titled)]


def test_a_column_is_guessed_by_title_and_type() -> None:
    found = guess(columns(("Status", "status"), ("Owner", "text"), ("Timeline", "timeline"), ("Person", "people")), ())
    assert {role: column.title for role, column in found.items()} == {
        "status": "Status",
        "due_at": "Timeline",
        "started_at": "Timeline",
        "assignees": "Person",
    }


def test_the_only_status_column_is_the_status_whatever_its_name() -> None:
    assert guess(columns(("Etapa", "status")), ())["status"].title == "Etapa"
    assert "status" not in guess(columns(("Etapa", "status"), ("Prioridad", "status")), ())
    assert "status" not in guess(columns(("Status", "status"), ("Status", "status")), ())


def test_what_config_names_goes_before_every_guess() -> None:
    layout = lay_out(columns(("Status", "status"), ("Stage", "status")), Roles({"status": "stage "}, "PMO labels"), {})
    assert layout["status"] == Column("c1", "Stage", "status")
    assert layout.missing == {"labels": "PMO labels"}


def test_two_columns_of_one_title_are_named_by_their_ids() -> None:
    two = columns(("Metric", "text"), ("metric", "text"))
    assert find("metric", two) == two[1], "capitals tell them apart"
    with pytest.raises(SetupError, match=r'2 columns called "METRIC"; name the one meant by its id: "c0" or "c1"'):
        find("METRIC", two)
    assert find("c1", two) == two[1]


def test_settings_are_read_in_their_old_form_too() -> None:
    old = parse_column(
        {"id": "s", "title": "S", "type": "status", "settings": '{"labels": {"1": "Done"}, "done_colors": [1]}'}
    )
    new = parse_column(
        {
            "id": "s",
            "title": "S",
            "type": "status",
            "settings": {"labels": [{"index": 1, "label": "Done", "is_done": True}]},
        }
    )
    assert status_labels(old) == status_labels(new) == {"1": ("Done", True)}


@pytest.mark.parametrize("column", ["labels", "url", "status_since"])
def test_what_the_connector_settles_cannot_be_mapped(monday: Monday, column: str) -> None:
    with pytest.raises(SetupError, match="cannot be mapped"):
        MondayConnector(setup_of(monday, fields={column: "X"}))


# Status


def test_categories_are_of_config_then_of_monday_then_of_the_word() -> None:
    statuses = Statuses({"Done": UNDERWAY, "": UNDERWAY})
    assert statuses.category("done", is_done=True) is UNDERWAY
    assert statuses.category("") is UNDERWAY
    assert Statuses({}).category("Etapa 4", is_done=True) is DONE
    assert Statuses({}).category("Working on it") is UNDERWAY
    assert Statuses({}).category("Etapa 4") is None
    assert Statuses({}).category("") is TODO


@given(st.lists(st.sampled_from([TODO, UNDERWAY, DONE, None]), max_size=6))
def test_a_sum_is_done_or_not_begun_only_if_everything_below_is(below: list[StatusCategory | None]) -> None:
    found = rolled_up(below)
    for all_of in (TODO, DONE):
        assert (found is all_of) == (bool(below) and {*below} == {all_of})
    assert found is not UNDERWAY or len({*below}) > 1 or {*below} == {UNDERWAY}


def test_a_status_counts_from_when_it_was_set(monday: Monday) -> None:
    board = monday.account.new_board("Plan")
    item = monday.account.add_item(board, "One", Status="Working on it")
    set_at = item.cells[board.column("Status").id].changed
    monday.account.pass_time(timedelta(days=4))
    monday.account.rename(item, "Renamed")
    found = items_of(setup_of(monday), board.id)["Renamed"]
    assert (found.status, found.status_category, found.status_id) == ("Working on it", UNDERWAY, "0")
    assert (found.status_since, found.status_since_is) == (set_at, Certainty.EXACT)


def test_a_status_that_nobody_set_is_as_old_as_the_item_at_least(monday: Monday) -> None:
    board = monday.account.new_board("Plan")
    item = monday.account.add_item(board, "One")
    found = items_of(setup_of(monday), board.id)["One"]
    assert (found.status, found.status_category) == (None, TODO)
    assert (found.status_since, found.status_since_is) == (item.created, Certainty.AT_LEAST)


def test_a_group_can_be_the_status(monday: Monday) -> None:
    board = monday.account.new_board("Plan")
    monday.account.add_item(board, "One").group = "In progress"
    found = items_of(setup_of(monday, fields={"status": "group"}), board.id)["One"]
    assert (found.status, found.status_category, found.status_since) == ("In progress", UNDERWAY, None)
    assert "status_since" not in found.unknown, "the core observes it"


def test_multi_level_boards_come_with_all_levels_and_sums_blame_nobody(monday: Monday) -> None:
    account = monday.account
    board = account.new_board("Programme", hierarchy="multi_level")
    top = account.add_item(board, "Top")
    middle = account.add_item(board, "Middle", top)
    leaf = account.add_item(board, "Leaf", middle, Status="Stuck")
    account.add_item(board, "Done leaf", middle, Status="Done")
    found = items_of(setup_of(monday), board.id)
    assert {title: item.type for title, item in found.items()} == {
        "Top": "summary", "Middle": "summary", "Leaf": "item", "Done leaf": "item"
    }  # fmt: skip
    assert found["Leaf"].parent_ref == found["Middle"].ref
    assert (found["Top"].status_category, found["Done leaf"].status_category) == (UNDERWAY, DONE)
    assert {"status", "status_since"} <= found["Top"].unknown
    assert "status_category" not in found["Top"].unknown
    assert (found["Leaf"].status, found["Leaf"].status_since_is) == ("Stuck", Certainty.EXACT)
    assert found["Leaf"].status_since == leaf.cells[board.column("Status").id].changed


# Boards


def test_boards_by_workspace(monday: Monday) -> None:
    account = monday.account
    pmo = account.new_board("A", workspace=("77", "PMO"))
    account.new_board("B", workspace=("78", "Sales"))
    account.new_board("C", type="document", workspace=("77", "PMO"))
    for place in ("PMO", "77"):
        with closing(MondayConnector(setup_of(monday, workspaces=[place]))) as connector:
            assert [one.native_id for one in connector.collections()] == [pmo.id], place
    lost = MondayConnector(setup_of(monday, workspaces=["Nowhere"]))
    with closing(lost), pytest.raises(SetupError, match='no board in a workspace "Nowhere"'):
        lost.collections()


def test_two_boards_of_one_name_are_named_by_their_ids(monday: Monday) -> None:
    ids = [monday.account.new_board("Same").id for _ in range(2)]
    connector = MondayConnector(setup_of(monday, collections=("Same",)))
    with closing(connector), pytest.raises(SetupError, match=f"{ids[0]} or {ids[1]}"):
        connector.collections()


def test_ids_ask_for_nothing_but_their_boards_and_those_of_their_subitems(monday: Monday) -> None:
    boards = [monday.account.new_board(f"Board {number}") for number in range(3)]
    below = monday.account.new_subitems(boards[1])
    with closing(MondayConnector(setup_of(monday, collections=(boards[1].id,)))) as connector:
        assert [one.native_id for one in connector.collections()] == sorted([boards[1].id, below.id])
    asked = [request.json["variables"].get("ids") for request in monday.requests]
    assert asked == [[boards[1].id], [below.id]]


def test_more_boards_than_one_answer_holds(monday: Monday) -> None:
    made = [monday.account.new_board(f"Board {number}", columns=()).id for number in range(230)]
    with closing(MondayConnector(setup_of(monday))) as connector:
        assert len(connector.collections()) == 230
    assert len(monday.requests) == 3
    with closing(MondayConnector(setup_of(monday, collections=tuple(made)))) as connector:
        assert [one.native_id for one in connector.collections()] == made


def test_boards_too_complex_for_one_query_are_asked_for_in_smaller_pieces(monday: Monday) -> None:
    for number in range(12):
        monday.account.new_board(f"Board {number}", columns=())
    too_much = {
        "message": "Query has complexity which exceeds max complexity",
        "extensions": {"code": "maxComplexityExceeded"},
    }
    monday.script(Answer(json={"errors": [too_much]}), query="boards(")
    with closing(MondayConnector(setup_of(monday))) as connector:
        assert len(connector.collections()) == 12


# Pages


def test_a_board_goes_over_as_many_pages_as_it_takes(monday: Monday) -> None:
    board = monday.account.new_board("Plan")
    for number in range(1203):
        monday.account.add_item(board, f"Item {number}")
    pages = pages_of(setup_of(monday), board.id)
    assert [len(page.items) for page in pages] == [500, 500, 203]
    assert dict(monday.asked) == {"boards": 1, "items_page": 1, "next_items_page": 2}


def test_an_item_that_was_deleted_while_a_board_was_read_anew_is_no_evidence(monday: Monday) -> None:
    board = monday.account.new_board("Plan")
    items = [monday.account.add_item(board, f"Item {number}") for number in range(5)]
    stream = MondayConnector(setup_of(monday, page_size=2)).pull(Collection(board.id, "Plan"), None)
    came = [next(stream)]
    monday.roots.cursors.clear()  # an hour went by
    monday.account.delete(items[0])
    came += list(stream)
    assert came[-1].complete
    assert not came[-1].full, "what an earlier attempt gave is missing in the last one"
    assert came[-1].cursor is None


def test_cursors_that_always_expire_end_the_turn(monday: Monday) -> None:
    board = monday.account.new_board("Plan")
    for number in range(5):
        monday.account.add_item(board, f"Item {number}")
    expired = {"message": "Cursor has expired", "extensions": {"code": "CursorException"}}
    monday.script(Answer(json={"errors": [expired]}), times=9, query="next_items_page")
    with pytest.raises(BusyError, match="longer to read than a cursor lives"):
        pages_of(setup_of(monday, page_size=2), board.id)


def test_what_changed_is_all_that_comes_until_a_sweep_is_due(monday: Monday) -> None:
    account = monday.account
    board = account.new_board("Plan")
    items = [account.add_item(board, f"Item {number}") for number in range(4)]
    account.pass_time(timedelta(days=3))
    setup = setup_of(monday, sweep_hours=100)
    first = pages_of(setup, board.id)[-1]
    account.pass_time(timedelta(days=3))
    account.rename(items[2], "Renamed")
    second = pages_of(setup, board.id, first.cursor)[-1]
    assert [item.title for item in second.items] == ["Renamed"]
    assert not second.full
    account.pass_time(timedelta(days=3))
    third = pages_of(setup, board.id, second.cursor)[-1]
    assert len(third.items) == 4
    assert third.full


@pytest.mark.parametrize("change", ["a column", "a status' label", "the mapping"])
def test_a_board_that_is_read_otherwise_is_read_anew(monday: Monday, change: str) -> None:
    account = monday.account
    board = account.new_board("Plan")
    account.add_item(board, "One")
    account.pass_time(timedelta(hours=1))
    cursor = pages_of(setup_of(monday), board.id)[-1].cursor
    fields = {}
    if change == "a column":
        account.add_column(board, "Description", "text")
    elif change == "a status' label":
        board.column("Status").settings["labels"][0]["label"] = "In Arbeit"
    else:
        fields = {"Cost centre": "Progress"}
    assert pages_of(setup_of(monday, fields=fields), board.id, cursor)[-1].full


@given(st.text(max_size=60) | st.from_regex(r'\{"reading": 1.{0,40}\}', fullmatch=True))
def test_a_cursor_of_nobody_is_none(text: str) -> None:
    assert parse_cursor(Cursor(text)) is None


# Errors


@pytest.mark.parametrize(
    "answer",
    [
        {"data": {"boards": None}},
        {"data": {"boards": [None]}},
        {"data": {"boards": [{"items_page": None}]}},
        {"data": {"boards": [{"items_page": {"cursor": None, "items": None}}]}},
        {"data": {"boards": [{"items_page": {"cursor": None}}]}},
        {"data": None},
        {"data": []},
        {},
        {"data": {"boards": []}},
        {"data": {"boards": [{"items_page": {"items": []}}]}, "errors": [{"message": "No", "path": ["boards"]}]},
        {"data": {"boards": [{"items_page": {"items": []}}]}, "errors": ["No"]},
        {"error_code": "SomethingElse", "error_message": "No", "status_code": 200},
        {"error_message": "No"},
    ],
)
def test_an_answer_that_is_none_is_not_an_empty_board(monday: Monday, answer: Any) -> None:
    board = monday.account.new_board("Plan")
    monday.account.add_item(board, "One")
    monday.script(Answer(json=answer), query="items_page")
    with pytest.raises((InputError, BusyError, GoneError)):
        pages_of(setup_of(monday), board.id)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("DAILY_LIMIT_EXCEEDED", BusyError),
        ("UserUnauthorizedException", AccessError),
        ("ResourceNotFoundException", GoneError),
        ("InvalidBoardIdException", GoneError),
        ("GRAPHQL_VALIDATION_FAILED", InputError),
        ("undefinedField", InputError),
        ("ColumnValueException", SetupError),
        ("InvalidColumnIdException", SetupError),
        ("InvalidArgumentException", SetupError),
        ("", BusyError),
        ("SomethingNew", BusyError),
    ],
)
def test_what_the_code_of_an_error_means(code: str, kind: type[ConnectorError]) -> None:
    error = problem_of({"message": "Their own words.\n\nIn two lines", "extensions": {"code": code}})
    assert type(error) is kind
    assert "Their own words. In two lines" in str(error)
    assert error.next_step


@given(st.dictionaries(st.sampled_from(["errors", "error_code", "error_message", "data", "x"]), json_values))
def test_whatever_an_answer_holds_its_errors_are_told_in_words(answer: dict[str, Any]) -> None:
    for error in told(answer):
        assert "\n" not in str(problem_of(error))
    assert bool(told(answer)) == any(answer.get(name) for name in ("errors", "error_code", "error_message"))


def test_an_item_that_cannot_be_read_is_named_and_is_not_gone(monday: Monday) -> None:
    board = monday.account.new_board("Plan")
    for title in ("One", "Two"):
        monday.account.add_item(board, title)

    def spoil(query: str, answer: dict[str, Any]) -> dict[str, Any]:
        if "items_page" in query:
            answer["data"]["boards"][0]["items_page"]["items"][0]["column_values"] = None
        return answer

    monday.quirks.spoil = spoil
    (page,) = pages_of(setup_of(monday), board.id)
    assert [item.title for item in page.items] == ["Two"]
    assert "cannot be read" in page.skipped[0]
    assert page.complete
    assert not page.full
    assert page.cursor is None


# What is sent


def test_the_token_goes_bare_into_a_header_and_the_version_is_pinned(monday: Monday) -> None:
    with closing(MondayConnector(setup_of(monday))) as connector:
        connector.check()
    assert {request.headers["Authorization"] for request in monday.requests} == {TOKEN}
    assert {request.headers["API-Version"] for request in monday.requests} == {"2026-10"}
    assert TOKEN not in "".join(request.target + request.body.decode() for request in monday.requests)


@pytest.mark.parametrize(("kind", "warned"), [("current", False), ("maintenance", False), ("deprecated", True)])
def test_a_version_that_is_not_kept_up_any_more_is_warned_of(monday: Monday, kind: str, warned: bool) -> None:
    monday.roots.version_kind = kind
    with closing(MondayConnector(setup_of(monday))) as connector:
        notices = connector.check()
    assert any("update unstuck" in notice.text for notice in notices) == warned


def test_only_the_columns_that_are_read_are_asked_for(monday: Monday) -> None:
    board = monday.account.new_board("Plan")
    monday.account.add_column(board, "Salary", "numbers")
    pages_of(setup_of(monday), board.id)
    asked = next(one.json["variables"]["columns"] for one in monday.requests if "items_page" in one.json["query"])
    wanted = {column.id for column in board.columns} - {board.column("Salary").id}
    assert {*asked} == wanted
