"""Since when a row is where it is, by the histories of its cells; and when that is not asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Collection, SourceSetup
from connectors.errors import AccessError
from connectors.fakes.server import Answer
from connectors.fakes.smartsheet.account import TOKEN, Cell, Row, Sheet
from connectors.fakes.smartsheet.api import Smartsheet
from connectors.model import ItemRef
from connectors.smartsheet import SmartsheetConnector

pytestmark = pytest.mark.filterwarnings("ignore:ssl.OP_NO_SSL:DeprecationWarning")

COLUMNS = (
    ("Task Name", "TEXT_NUMBER"),
    ("Status", "PICKLIST"),
    ("% Complete", "TEXT_NUMBER"),
    ("Notes", "TEXT_NUMBER"),
)
HISTORY = "GET /sheets/*/rows/*/columns/*/history"


@pytest.fixture
def smartsheet() -> Iterator[Smartsheet]:
    with closing(Smartsheet()) as smartsheet:
        yield smartsheet


@pytest.fixture
def plan(smartsheet: Smartsheet) -> Sheet:
    return smartsheet.account.new_sheet("Plan", COLUMNS)


@pytest.fixture
def short(smartsheet: Smartsheet) -> Sheet:
    """A sheet without progress: a row costs one history, and a few cost no wait."""
    return smartsheet.account.new_sheet("Short", COLUMNS[:2])


def new(smartsheet: Smartsheet, sheet: Sheet, status: str | None = "In Progress", percent: float | None = None) -> Row:
    values = {"Task Name": "Row", "Status": status, "% Complete": percent}
    there = {column.title for column in sheet.columns}
    return smartsheet.account.add_row(sheet, {title: value for title, value in values.items() if title in there})


def later(smartsheet: Smartsheet, sheet: Sheet, row: Row, **values: Any) -> datetime:
    """A person changes a row a day later; when."""
    smartsheet.account.pass_time(timedelta(days=1))
    smartsheet.account.set(sheet, row, **values)
    return smartsheet.account.now


def dated(smartsheet: Smartsheet, sheet: Sheet, *rows: Row, **options: Any) -> list[datetime | None]:
    """Of the rows that are answered for, since when they are where they are."""
    setup = SourceSetup("portfolio", {"base_url": smartsheet.url, "token": TOKEN, **options})
    with closing(SmartsheetConnector(setup)) as connector:
        refs = [ItemRef("portfolio", str(row.id)) for row in rows]
        answers = list(connector.date(Collection(str(sheet.id), sheet.name), refs))
    assert [answer.ref for answer in answers] == refs[: len(answers)]
    return [answer.since for answer in answers]


def test_a_status_that_came_back_counts_from_its_last_coming(smartsheet: Smartsheet, plan: Sheet) -> None:
    row = new(smartsheet, plan)
    later(smartsheet, plan, row, Status="On Hold")
    back = later(smartsheet, plan, row, Status="In Progress")
    later(smartsheet, plan, row, Notes="nothing new")
    assert dated(smartsheet, plan, row) == [back]


def test_progress_is_movement_too(smartsheet: Smartsheet, plan: Sheet) -> None:
    row = new(smartsheet, plan, percent=0.1)
    moved = later(smartsheet, plan, row, **{"%_Complete": 0.2})
    assert dated(smartsheet, plan, row) == [moved]


def test_the_same_said_otherwise_is_no_movement(smartsheet: Smartsheet, plan: Sheet) -> None:
    made = smartsheet.account.now
    row = new(smartsheet, plan, percent=0.4)
    later(smartsheet, plan, row, **{"%_Complete": "40%", "Status": " In Progress "})
    assert dated(smartsheet, plan, row) == [made]


def test_a_cell_that_nobody_ever_filled_says_nothing(smartsheet: Smartsheet, plan: Sheet) -> None:
    made = smartsheet.account.now
    assert dated(smartsheet, plan, new(smartsheet, plan)) == [made]
    assert dated(smartsheet, plan, new(smartsheet, plan, status=None)) == [None]


def test_a_long_history_is_read_to_its_end(smartsheet: Smartsheet, short: Sheet) -> None:
    row = new(smartsheet, short, status="Step 0")
    for number in range(1, 8):
        last = later(smartsheet, short, row, Status=f"Step {number % 3}")
    smartsheet.quirks.history_page = 3
    assert dated(smartsheet, short, row) == [last]


def test_no_order_of_the_entries_is_relied_on(smartsheet: Smartsheet, short: Sheet) -> None:
    row = new(smartsheet, short)
    later(smartsheet, short, row, Status="On Hold")
    back = later(smartsheet, short, row, Status="In Progress")
    smartsheet.quirks.oldest_first = True
    assert dated(smartsheet, short, row) == [back]


def formula_in_the_status_column(sheet: Sheet, row: Row) -> None:
    sheet.column("Status").formula = "=VLOOKUP([Key]@row, {Map}, 2, false)"


def formula_in_the_progress_column(sheet: Sheet, row: Row) -> None:
    sheet.column("% Complete").formula = "=0.5"


def formula_in_the_cell(sheet: Sheet, row: Row) -> None:
    row.cells[sheet.column("Status").id].formula = "=[Other]@row"


def link_in_the_cell(sheet: Sheet, row: Row) -> None:
    row.cells[sheet.column("Status").id].link = {"sheetId": 1, "status": "OK"}


@pytest.mark.parametrize(
    "spoil",
    [formula_in_the_status_column, formula_in_the_progress_column, formula_in_the_cell, link_in_the_cell],
    ids=lambda spoil: spoil.__name__,
)
def test_what_people_did_not_type_is_never_asked_for(
    smartsheet: Smartsheet, plan: Sheet, spoil: Callable[[Sheet, Row], None]
) -> None:
    row = new(smartsheet, plan, percent=0.5)
    spoil(plan, row)
    assert dated(smartsheet, plan, row) == [None]
    assert smartsheet.counted[HISTORY] == 0


def test_a_history_that_does_not_lead_to_now_proves_nothing(smartsheet: Smartsheet, plan: Sheet) -> None:
    row = new(smartsheet, plan)
    row.cells[plan.column("Status").id] = Cell("On Hold")  # as if its history were late, or cut
    assert dated(smartsheet, plan, row) == [None]


def test_an_error_of_a_formula_in_the_past_ends_the_present(smartsheet: Smartsheet, plan: Sheet) -> None:
    row = new(smartsheet, plan, status="#NO MATCH")
    assert dated(smartsheet, plan, row) == [None]


def test_a_row_that_is_gone_is_answered_for(smartsheet: Smartsheet, plan: Sheet) -> None:
    goes, stays = new(smartsheet, plan), new(smartsheet, plan)
    made = smartsheet.account.now
    smartsheet.account.delete_row(plan, goes)
    assert dated(smartsheet, plan, goes, stays) == [None, made]


def test_no_more_rows_than_a_run_may_ask_for(smartsheet: Smartsheet, short: Sheet) -> None:
    rows = [new(smartsheet, short) for _ in range(5)]
    assert len(dated(smartsheet, short, *rows, history_rows=3)) == 3
    assert smartsheet.counted[HISTORY] == 3
    assert dated(smartsheet, short, *rows, history_rows=0) == []
    assert smartsheet.counted[HISTORY] == 3


def test_rows_of_all_sheets_count_together(smartsheet: Smartsheet, short: Sheet) -> None:
    other = smartsheet.account.new_sheet("Other", COLUMNS[:2])
    setup = SourceSetup("portfolio", {"base_url": smartsheet.url, "token": TOKEN, "history_rows": 3})
    counts = []
    with closing(SmartsheetConnector(setup)) as connector:
        for sheet in (short, other):
            refs = [ItemRef("portfolio", str(new(smartsheet, sheet).id)) for _ in range(2)]
            counts.append(len(list(connector.date(Collection(str(sheet.id), sheet.name), refs))))
    assert counts == [2, 1]


def test_a_history_that_we_may_not_see_is_one_sentence(smartsheet: Smartsheet, plan: Sheet) -> None:
    row = new(smartsheet, plan)
    refusal = Answer(403, json={"errorCode": 1004, "message": "You are not authorized to perform this action."})
    smartsheet.script(refusal, method="GET", path="/history")
    with pytest.raises(AccessError, match="not authorized"):
        dated(smartsheet, plan, row)


STATUSES = st.sampled_from(["Not Started", "In Progress", "On Hold"])
EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("Status"), STATUSES),
        st.tuples(st.just("%_Complete"), st.sampled_from([0.0, 0.25, 0.5])),
        st.tuples(st.just("Notes"), st.text("abc", max_size=2)),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
def test_a_row_is_where_it_is_since_its_last_movement(
    smartsheet: Smartsheet, plan: Sheet, edits: Sequence[tuple[str, Any]]
) -> None:
    smartsheet.account.pass_time(timedelta(days=1))
    now: dict[str, Any] = {"Status": "In Progress", "%_Complete": 0.25}
    row, moved = new(smartsheet, plan, now["Status"], now["%_Complete"]), smartsheet.account.now
    for title, value in edits:
        at = later(smartsheet, plan, row, **{title: value})
        if now.get(title, value) != value:
            now[title], moved = value, at
    assert dated(smartsheet, plan, row) == [moved]
