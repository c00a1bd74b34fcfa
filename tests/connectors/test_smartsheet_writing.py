"""What is written into a sheet, what is not, and what becomes of each row."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import turn
from connectors.base import ChangeResult, Collection, Outcome, SourceSetup
from connectors.errors import AccessError, BusyError, SetupError
from connectors.fakes.server import Answer, BadDay
from connectors.fakes.smartsheet.account import TOKEN, Cell, Column, Row, Sheet
from connectors.fakes.smartsheet.api import Smartsheet
from connectors.model import Exempting, ItemRef, LabelChange
from connectors.smartsheet import SmartsheetConnector, fresh, writing
from connectors.smartsheet.reading import parse_cursor

pytestmark = pytest.mark.filterwarnings("ignore:ssl.OP_NO_SSL:DeprecationWarning")

COLUMNS = (
    ("Task Name", "TEXT_NUMBER"),
    ("PMO labels", "MULTI_PICKLIST"),
    ("At Risk", "CHECKBOX"),
    ("Why", "TEXT_NUMBER"),
)


@pytest.fixture
def smartsheet() -> Iterator[Smartsheet]:
    with closing(Smartsheet()) as smartsheet:
        yield smartsheet


@pytest.fixture
def plan(smartsheet: Smartsheet) -> Sheet:
    return smartsheet.account.new_sheet("Plan", COLUMNS)


def setup_of(smartsheet: Smartsheet, **more: Any) -> SourceSetup:
    options = {"base_url": smartsheet.url, "token": TOKEN, "flag_column": "At Risk", "reason_column": "Why", **more}
    return SourceSetup("portfolio", options, writable=True)


def rows_of(smartsheet: Smartsheet, sheet: Sheet, count: int) -> list[Row]:
    return [smartsheet.account.add_row(sheet, {"Task Name": f"Row {number}"}) for number in range(count)]


def change(row: Row, *add: str, **more: Any) -> LabelChange:
    return LabelChange(ItemRef("portfolio", str(row.id)), add=add, **more)


def apply(smartsheet: Smartsheet, sheet: Sheet, changes: Sequence[LabelChange], **more: Any) -> list[ChangeResult]:
    with closing(SmartsheetConnector(setup_of(smartsheet, **more))) as connector:
        return list(connector.apply(Collection(str(sheet.id), sheet.name), changes))


def seen(sheet: Sheet, row: Row, title: str) -> Any:
    return row.cells.get(sheet.column(title).id, Cell()).value


def writes(smartsheet: Smartsheet) -> list[Any]:
    return [one.json for one in smartsheet.requests if one.method == "PUT"]


def test_500_rows_are_one_write_and_the_next_is_another(smartsheet: Smartsheet, plan: Sheet) -> None:
    rows = rows_of(smartsheet, plan, 501)
    results = apply(smartsheet, plan, [change(row, "pmo-one") for row in rows])
    assert {result.outcome for result in results} == {Outcome.DONE}
    assert [len(write) for write in writes(smartsheet)] == [500, 1]
    assert max(len(one.target) for one in smartsheet.requests) < 8000


def test_only_cells_that_change_are_sent(smartsheet: Smartsheet, plan: Sheet) -> None:
    (row,) = rows_of(smartsheet, plan, 1)
    apply(smartsheet, plan, [change(row, "pmo-one", reasons={"pmo-one": "Because"})])
    apply(smartsheet, plan, [change(row, "pmo-two", reasons={"pmo-one": "Because", "pmo-two": "Also\nso"})])
    first, second = ([cell["columnId"] for cell in write[0]["cells"]] for write in writes(smartsheet))
    assert first == [plan.column(title).id for title in ("PMO labels", "At Risk", "Why")]
    assert second == [plan.column(title).id for title in ("PMO labels", "Why")]
    assert seen(plan, row, "Why") == "Because; Also so"


def test_without_reasons_flag_and_reason_are_left_alone(smartsheet: Smartsheet, plan: Sheet) -> None:
    (row,) = rows_of(smartsheet, plan, 1)
    smartsheet.account.set(plan, row, At_Risk=True, Why="mine")
    apply(smartsheet, plan, [change(row, "pmo-one")])
    assert (seen(plan, row, "At Risk"), seen(plan, row, "Why")) == (True, "mine")


def test_a_write_says_who_made_it(smartsheet: Smartsheet, plan: Sheet) -> None:
    (row,) = rows_of(smartsheet, plan, 1)
    apply(smartsheet, plan, [change(row, "pmo-one")])
    (put,) = (one for one in smartsheet.requests if one.method == "PUT")
    assert put.headers["Smartsheet-Change-Agent"] == "unstuck"
    assert put.headers["smartsheet-integration-source"].startswith("SCRIPT,")


def lock_row(_: Sheet, row: Row) -> None:
    row.locked = True


def link_cell(sheet: Sheet, row: Row) -> None:
    row.cells[sheet.column("PMO labels").id] = Cell(["theirs"], link={"sheetId": 1, "status": "OK"})


def put_formula(sheet: Sheet, row: Row) -> None:
    row.cells[sheet.column("At Risk").id] = Cell(None, formula="=Status@row = 1")


@pytest.mark.parametrize(("spoil", "word"), [(lock_row, "locked"), (link_cell, "linked"), (put_formula, "formula")])
def test_a_row_that_is_not_to_be_written_is_refused_before(
    smartsheet: Smartsheet, plan: Sheet, spoil: Callable[[Sheet, Row], None], word: str
) -> None:
    spoilt, fine = rows_of(smartsheet, plan, 2)
    spoil(plan, spoilt)
    reasons = {"pmo-one": "Because"}
    refused, done = apply(smartsheet, plan, [change(row, "pmo-one", reasons=reasons) for row in (spoilt, fine)])
    assert (refused.outcome, done.outcome) == (Outcome.REFUSED, Outcome.DONE)
    assert word in refused.message
    assert [[one["id"] for one in write] for write in writes(smartsheet)] == [[fine.id]]


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(1050, Outcome.REFUSED), (1302, Outcome.REFUSED), (1006, Outcome.GONE), (1277, Outcome.FAILED)],
)
def test_a_row_that_smartsheet_refuses_is_told_and_the_others_are_done(
    smartsheet: Smartsheet, plan: Sheet, code: int, outcome: Outcome
) -> None:
    rows = rows_of(smartsheet, plan, 3)
    failed = {"index": 1, "rowId": rows[1].id, "error": {"errorCode": code, "message": "No."}}
    partial = {"message": "PARTIAL_SUCCESS", "resultCode": 3, "result": [], "version": 99, "failedItems": [failed]}
    smartsheet.script(Answer(json=partial), method="PUT")
    results = apply(smartsheet, plan, [change(row, "pmo-one") for row in rows])
    assert [result.outcome for result in results] == [Outcome.DONE, outcome, Outcome.DONE]
    assert results[1].message


def test_a_row_that_is_deleted_before_the_write_is_gone(smartsheet: Smartsheet, plan: Sheet) -> None:
    stays, goes = rows_of(smartsheet, plan, 2)
    with closing(SmartsheetConnector(setup_of(smartsheet))) as connector:
        send = connector._api.update

        def late(sheet: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
            smartsheet.account.delete_row(plan, goes)
            return send(sheet, rows)

        connector._api.update = late  # type: ignore[method-assign]  # a person who is as quick as that
        changes = [change(goes, "pmo-one"), change(stays, "pmo-one")]
        results = list(connector.apply(Collection(str(plan.id), "Plan"), changes))
    assert [result.outcome for result in results] == [Outcome.GONE, Outcome.DONE]
    assert seen(plan, stays, "PMO labels") == ["pmo-one"]


def test_an_option_list_that_is_closed_takes_what_is_in_it(smartsheet: Smartsheet, plan: Sheet) -> None:
    row, other = rows_of(smartsheet, plan, 2)
    column = plan.column("PMO labels")
    column.restricted, column.options = True, ["pmo-one"]
    done, refused = apply(smartsheet, plan, [change(row, "pmo-one"), change(other, "pmo-two")])
    assert (done.outcome, refused.outcome) == (Outcome.DONE, Outcome.REFUSED)
    assert '"pmo-two"' in refused.message


def formula(column: Column) -> None:
    column.formula = "=1"


def lock(column: Column) -> None:
    column.locked = True


def text(column: Column) -> None:
    column.type = "TEXT_NUMBER"


def rename(column: Column) -> None:
    column.title = "Other"


@pytest.mark.parametrize("spoil", [formula, lock, text, rename])
@pytest.mark.parametrize("title", ["PMO labels", "At Risk"])
def test_a_column_that_cannot_be_written_is_one_sentence(
    smartsheet: Smartsheet, plan: Sheet, spoil: Callable[[Column], None], title: str
) -> None:
    (row,) = rows_of(smartsheet, plan, 1)
    spoil(plan.column(title))
    with pytest.raises(SetupError, match=title):
        apply(smartsheet, plan, [change(row, "pmo-one")])
    assert not writes(smartsheet)


def test_a_commenter_writes_nothing(smartsheet: Smartsheet, plan: Sheet) -> None:
    (row,) = rows_of(smartsheet, plan, 1)
    plan.access = "COMMENTER"
    with pytest.raises(AccessError, match="as an editor"):
        apply(smartsheet, plan, [change(row, "pmo-one")])
    assert not writes(smartsheet)


def cursor_after(smartsheet: Smartsheet, plan: Sheet, row: Row, meanwhile: Callable[[], object]) -> str | None:
    """What a write right after a pull leaves for the next pull."""
    with closing(SmartsheetConnector(setup_of(smartsheet))) as connector:
        (collection,) = connector.collections()
        list(connector.pull(collection, None))
        meanwhile()
        (result,) = connector.apply(collection, [change(row, "pmo-one")])
    return result.cursor.value if result.cursor else None


def test_after_our_write_the_sheet_is_as_we_know_it(smartsheet: Smartsheet, plan: Sheet) -> None:
    (row,) = rows_of(smartsheet, plan, 1)
    cursor = cursor_after(smartsheet, plan, row, lambda: None)
    assert cursor is not None
    assert f'"version": {plan.version}' in cursor
    assert parse_cursor(None) is None


def test_after_our_write_among_others_it_is_not(smartsheet: Smartsheet, plan: Sheet) -> None:
    row, other = rows_of(smartsheet, plan, 2)
    edit = lambda: smartsheet.account.set(plan, other, Task_Name="Edited")  # noqa: E731 - what happens meanwhile
    assert cursor_after(smartsheet, plan, row, edit) is None


# Many rows, and who else writes meanwhile


def labelled(sheet: Sheet, row: Row) -> list[str]:
    return list(seen(sheet, row, "PMO labels") or ())


def fetched(smartsheet: Smartsheet) -> dict[str, int]:
    """How often the sheet was asked for, by how: all of it, some rows, its version."""
    asked = [one for one in smartsheet.requests if one.method == "GET"]
    return {
        "all": sum("page" in one.query for one in asked),
        "some": sum("rowIds" in one.query for one in asked),
        "version": sum(one.path.endswith("/version") for one in asked),
    }


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of four rows, of which two fit into an address, and trust that does not end while a test runs."""
    monkeypatch.setattr(writing, "BATCH", 4)
    monkeypatch.setattr(fresh, "ROWS_IN_AN_ADDRESS", 2)
    monkeypatch.setattr(fresh, "TRUSTED", 60.0)


def test_many_rows_are_read_once_however_many_batches_they_are(smartsheet: Smartsheet, plan: Sheet) -> None:
    rows = rows_of(smartsheet, plan, 1200)
    smartsheet.account.set(plan, rows[1100], PMO_labels=["theirs"])
    with closing(SmartsheetConnector(setup_of(smartsheet))) as connector:
        changes = [change(row, "pmo-one") for row in rows]
        pieces = [changes[at : at + 500] for at in range(0, 1200, 500)]
        results = [one for piece in pieces for one in connector.apply(Collection(str(plan.id), "Plan"), piece)]
    assert {result.outcome for result in results} == {Outcome.DONE}
    assert labelled(plan, rows[1100]) == ["theirs", "pmo-one"]
    assert len(writes(smartsheet)) == 3
    assert fetched(smartsheet) == {"all": 1, "some": 0, "version": 0}


def test_few_rows_are_read_by_their_ids(smartsheet: Smartsheet, plan: Sheet) -> None:
    rows = rows_of(smartsheet, plan, 300)
    apply(smartsheet, plan, [change(row, "pmo-one") for row in rows[:250]])
    assert fetched(smartsheet) == {"all": 0, "some": 1, "version": 0}


@pytest.mark.usefixtures("small")
def test_pages_may_be_smaller_than_we_ask_for(smartsheet: Smartsheet, plan: Sheet) -> None:
    rows = rows_of(smartsheet, plan, 9)
    smartsheet.quirks.largest_page = 4
    results = apply(smartsheet, plan, [change(row, "pmo-one") for row in rows])
    assert [result.outcome for result in results] == [Outcome.DONE] * 9
    assert fetched(smartsheet) == {"all": 3, "some": 0, "version": 0}


Meddling = Callable[[Smartsheet, Sheet, Row], object]


def put_theirs(smartsheet: Smartsheet, sheet: Sheet, row: Row) -> None:
    smartsheet.account.set(sheet, row, PMO_labels=["theirs"])


def exempt(smartsheet: Smartsheet, sheet: Sheet, row: Row) -> None:
    smartsheet.account.set(sheet, row, PMO_labels=["pmo-exempt"])


def delete(smartsheet: Smartsheet, sheet: Sheet, row: Row) -> None:
    smartsheet.account.delete_row(sheet, row)


def write_meanwhile(smartsheet: Smartsheet, sheet: Sheet, rows: Sequence[Row], meddled: Row, how: Meddling) -> Outcome:
    """Label all rows; when the first batch is written, somebody does something to one row. What became of its label."""
    unless = Exempting("pmo-exempt", date(2026, 3, 20))
    changes = [change(row, "pmo-one", unless=unless) for row in rows]
    with closing(SmartsheetConnector(setup_of(smartsheet))) as connector:
        results: list[ChangeResult] = []
        for result in connector.apply(Collection(str(sheet.id), "Plan"), changes):
            if not results:
                how(smartsheet, sheet, meddled)
            results.append(result)
    return next(result.outcome for result in results if result.ref.native_id == str(meddled.id))


MEDDLING = [
    (put_theirs, Outcome.DONE, ["theirs", "pmo-one"]),
    (exempt, Outcome.EXEMPT, ["pmo-exempt"]),
    (delete, Outcome.GONE, []),
]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("how", "outcome", "labels"), MEDDLING)
def test_what_somebody_writes_between_two_batches_holds_in_those_after(
    smartsheet: Smartsheet, plan: Sheet, how: Meddling, outcome: Outcome, labels: list[str]
) -> None:
    """Our second write is answered with a version that is not the one it made alone."""
    rows = rows_of(smartsheet, plan, 12)
    assert write_meanwhile(smartsheet, plan, rows, rows[9], how) is outcome
    assert labelled(plan, rows[9]) == labels
    assert fetched(smartsheet)["all"] == 2


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("how", "outcome", "labels"), MEDDLING)
def test_it_holds_in_the_next_batch_where_that_is_not_written_at_once(
    smartsheet: Smartsheet,
    plan: Sheet,
    monkeypatch: pytest.MonkeyPatch,
    how: Meddling,
    outcome: Outcome,
    labels: list[str],
) -> None:
    """Results took longer to be kept than a version is trusted, so it is asked for again."""
    monkeypatch.setattr(fresh, "TRUSTED", -1.0)
    rows = rows_of(smartsheet, plan, 12)
    assert write_meanwhile(smartsheet, plan, rows, rows[5], how) is outcome
    assert labelled(plan, rows[5]) == labels


@pytest.mark.usefixtures("small")
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11), st.booleans()), max_size=6))
def test_whatever_people_write_between_batches_our_labels_come_to_what_is_there(
    smartsheet: Smartsheet, monkeypatch: pytest.MonkeyPatch, edits: list[tuple[int, int, bool]]
) -> None:
    """Each edit: after which result, of which row, and whether it exempts the row; beside a model of three lines."""
    monkeypatch.setattr(fresh, "TRUSTED", -1.0)
    plan = smartsheet.account.new_sheet("Plan", COLUMNS)
    rows, model = rows_of(smartsheet, plan, 12), [list[str]() for _ in range(12)]
    unless = Exempting("pmo-exempt", date(2026, 3, 20))
    with closing(SmartsheetConnector(setup_of(smartsheet))) as connector:
        changes = [change(row, "pmo-one", unless=unless) for row in rows]
        for number, _ in enumerate(connector.apply(Collection(str(plan.id), "Plan"), changes)):
            for at in range(number, number + 4) if number % 4 == 0 else ():
                model[at] += [] if "pmo-exempt" in model[at] else ["pmo-one"]
            for _, at, exempts in (edit for edit in edits if edit[0] == number):
                model[at] = ["pmo-exempt" if exempts else "theirs"]
                smartsheet.account.set(plan, rows[at], PMO_labels=model[at][:])
    assert [labelled(plan, row) for row in rows] == model


@pytest.mark.usefixtures("small")
def test_what_we_wrote_ourselves_is_read_again_before_it_is_written_again(smartsheet: Smartsheet, plan: Sheet) -> None:
    rows = rows_of(smartsheet, plan, 4)
    with closing(SmartsheetConnector(setup_of(smartsheet))) as connector:
        for label in ("pmo-one", "pmo-two"):
            list(connector.apply(Collection(str(plan.id), "Plan"), [change(row, label) for row in rows]))
    assert [labelled(plan, row) for row in rows] == [["pmo-one", "pmo-two"]] * 4


@pytest.mark.usefixtures("small")
def test_a_write_that_is_carried_out_twice_is_not_taken_for_ours_alone(
    smartsheet: Smartsheet, plan: Sheet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer was lost, and it was sent again: who wrote in between cannot be told from the version."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    rows = rows_of(smartsheet, plan, 8)
    smartsheet.server.next(BadDay.CUT, after=2)  # the columns and the rows come through
    results = apply(smartsheet, plan, [change(row, "pmo-one") for row in rows])
    assert [result.outcome for result in results] == [Outcome.DONE] * 8
    assert fetched(smartsheet)["all"] == 2


@pytest.mark.usefixtures("small")
def test_a_sheet_that_does_not_rest_is_written_by_what_its_rows_hold(smartsheet: Smartsheet, plan: Sheet) -> None:
    rows = rows_of(smartsheet, plan, 4)
    smartsheet.quirks.largest_page = 2
    smartsheet.quirks.between_pages.append(lambda: put_theirs(smartsheet, plan, rows[0]))
    apply(smartsheet, plan, [change(row, "pmo-one") for row in rows])
    assert [labelled(plan, row) for row in rows] == [["theirs", "pmo-one"], *[["pmo-one"]] * 3]
    assert fetched(smartsheet)["some"] == 2


def test_two_runs_take_turns_at_one_sheet(smartsheet: Smartsheet, plan: Sheet) -> None:
    rows = rows_of(smartsheet, plan, 4)
    smartsheet.quirks.slow_write = 0.2
    results: list[ChangeResult] = []
    threads = [
        threading.Thread(target=lambda row=row: results.extend(apply(smartsheet, plan, [change(row, "pmo-one")])))
        for row in rows
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.outcome for result in results] == [Outcome.DONE] * 4
    assert len(writes(smartsheet)) == 4, "4004 was met, and the write repeated"


def test_who_waits_too_long_for_its_turn_leaves_it_to_the_next_run(
    smartsheet: Smartsheet, plan: Sheet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = rows_of(smartsheet, plan, 1)
    monkeypatch.setattr(turn, "PATIENCE", 0.1)
    with turn.alone("smartsheet", str(plan.id)), pytest.raises(BusyError, match="another run"):
        apply(smartsheet, plan, [change(row, "pmo-one")])
    assert not writes(smartsheet)


def test_who_waits_for_its_turn_leaves_when_the_run_is_to_stop(
    smartsheet: Smartsheet, plan: Sheet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = rows_of(smartsheet, plan, 1)
    monkeypatch.setattr(turn, "PATIENCE", 5.0)
    stopping = threading.Event()
    threading.Timer(0.3, stopping.set).start()
    setup = replace(setup_of(smartsheet), stopping=stopping)
    began = time.monotonic()
    with turn.alone("smartsheet", str(plan.id)), closing(SmartsheetConnector(setup)) as connector:
        writing = connector.apply(Collection(str(plan.id), plan.name), [change(row, "pmo-one")])
        with pytest.raises(BusyError, match="our turn ended"):
            next(writing)
    assert time.monotonic() - began < turn.PATIENCE
    assert not writes(smartsheet)
