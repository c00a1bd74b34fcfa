"""What a sheet's rows and cells mean, and how its pages are put together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Collection, Page, SourceSetup
from connectors.errors import BusyError, GoneError, InputError, SetupError
from connectors.fakes.server import Answer, FakeServer, Request
from connectors.fakes.smartsheet.account import TOKEN, Cell, Column
from connectors.fakes.smartsheet.api import Smartsheet
from connectors.model import StatusCategory, WorkItem
from connectors.smartsheet import SmartsheetConnector
from connectors.smartsheet.cells import NoAnswerError, is_error, moment_of, names_of, percent_of, text_of
from connectors.smartsheet.columns import Roles, guess, lay_out, parse_column
from connectors.smartsheet.reading import parse_cursor
from connectors.smartsheet.rows import Setting, Sheet, parse_items

pytestmark = pytest.mark.filterwarnings("ignore:ssl.OP_NO_SSL:DeprecationWarning")

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def smartsheet() -> Iterator[Smartsheet]:
    with closing(Smartsheet()) as smartsheet:
        yield smartsheet


def setup_of(smartsheet: Smartsheet, **more: Any) -> SourceSetup:
    options = {"base_url": smartsheet.url, "token": TOKEN, "page_rows": 2}
    options |= {name: more.pop(name) for name in list(more) if name not in SourceSetup.__dataclass_fields__}
    return SourceSetup("portfolio", options, **more)


def pages_of(setup: SourceSetup, sheet: str, name: str = "Plan") -> list[Page]:
    with closing(SmartsheetConnector(setup)) as connector:
        return list(connector.pull(Collection(sheet, name), None))


def items_of(setup: SourceSetup, sheet: str) -> dict[str, WorkItem]:
    return {item.title: item for page in pages_of(setup, sheet) for item in page.items}


# Cells


@pytest.mark.parametrize(
    "text", ["#NO MATCH", "#UNPARSEABLE", "#INVALID COLUMN TYPE", "#CIRCULAR REFERENCE", "#DATE EXPECTED", "#REF!"]
)
def test_a_formulas_error_is_no_text(text: str) -> None:
    with pytest.raises(NoAnswerError):
        text_of({"value": text, "displayValue": text})


@pytest.mark.parametrize("text", ["#1 priority", "#TODO", "# no match", "#no match", "NO MATCH"])
def test_what_only_looks_like_an_error_is_text(text: str) -> None:
    assert not is_error(text)


@pytest.mark.parametrize(
    ("cell", "percent"),
    [
        ({"value": 0.4, "displayValue": "40%"}, 40),
        ({"value": 1.0, "displayValue": "100%"}, 100),
        ({"value": 40.0, "displayValue": "40"}, 40),
        ({"value": "40%"}, 40),
        ({"value": "Three Quarter"}, 75),
        ({"value": 0.0, "displayValue": "0%"}, 0),
        ({}, None),
    ],
)
def test_percent(cell: dict[str, Any], percent: float | None) -> None:
    assert percent_of(cell) == percent


@pytest.mark.parametrize("value", ["soon", 140, -1, True])
def test_no_percent(value: object) -> None:
    with pytest.raises(NoAnswerError):
        percent_of({"value": value})


@given(st.floats(0, 1))
def test_a_fraction_that_is_shown_as_percent_is_one(fraction: float) -> None:
    assert percent_of({"value": fraction, "displayValue": "1%"}) == pytest.approx(fraction * 100, abs=1e-6)


def test_dates_have_the_zone_of_the_source() -> None:
    assert moment_of({"value": "2026-07-01"}, BERLIN) == datetime(2026, 7, 1, tzinfo=BERLIN)
    assert moment_of({"value": "2026-07-01T08:00:00"}, None) == datetime(2026, 7, 1, 8, tzinfo=UTC)
    for text in ("Q4-ish", "10/12/26"):
        with pytest.raises(NoAnswerError):
            moment_of({"value": text}, BERLIN)


def test_contacts_are_names_else_addresses() -> None:
    values = [{"name": "Ada", "email": "ada@example.com"}, {"email": "bo@example.com"}, {"name": "A role"}]
    assert names_of({"objectValue": {"objectType": "MULTI_CONTACT", "values": values}}) == (
        "Ada",
        "bo@example.com",
        "A role",
    )
    assert names_of({"value": "Ada & Bo", "objectValue": "Ada & Bo"}) == ("Ada & Bo",)


# Columns


def columns(*titles: str) -> list[Any]:
    return [parse_column({"id": number, "title": title, "type": "DATE"}) for number, title in enumerate(titles, 1)]


def test_config_is_by_title_or_id_and_wins_over_guesses() -> None:
    found = columns("Status", "Phase", "  Due  date ", "Due Date")
    layout = lay_out(found, Roles({"status": "phase", "due_at": "4"}), {})
    assert {role: column.id for role, column in layout.columns.items()} == {"status": 2, "due_at": 4}


def test_a_title_of_two_columns_must_be_told_apart() -> None:
    with pytest.raises(SetupError, match="by its id: 1 or 2"):
        lay_out(columns("Status", "Status"), Roles({"status": "Status"}), {})
    assert "status" not in guess(columns("Status", "status"), (), ())


def test_a_renamed_column_is_found_by_its_id_but_not_if_the_title_is_there() -> None:
    roles = Roles({"sponsor": "Payer"})
    assert lay_out(columns("Who pays"), roles, {"sponsor": 1}).columns["sponsor"].id == 1
    assert lay_out(columns("Who pays", "Payer"), roles, {"sponsor": 1}).columns["sponsor"].id == 2
    assert lay_out(columns("Who pays"), roles, {}).missing == {"sponsor": "Payer"}


def test_what_cannot_be_mapped_is_said() -> None:
    with pytest.raises(SetupError, match="label_column"):
        Roles({"labels": "Tags"}).check()


# Whole sheets


def test_the_oddities(samples: Path) -> None:
    sheet = json.loads((samples / "smartsheet" / "synthetic_sheet_all_oddities.json").read_text("utf-8"))
    found = [parse_column(column) for column in sheet["columns"]]
    roles = Roles({"due_at": "Due", "outcome_metric": "Outcome metric", "Jira": "Jira Status"}, labels="Sync Labels")
    skipped: list[str] = []
    whole = Sheet("123", "Plan", lay_out(found, roles, {}), Setting("portfolio", BERLIN))
    items = {item.ref.native_id: item for item in parse_items(whole, sheet["rows"], skipped)}
    assert not skipped
    assert "9003" not in items, "a blank row is no work"
    assert not [item for item in items.values() if item.title.startswith("Filtered out")]
    assert not [item for item in items.values() if item.parent_ref and item.parent_ref.native_id not in items]
    parent, task, unnamed, odd = (items[number] for number in ("9001", "9002", "9004", "9005"))
    assert (parent.type, parent.percent_complete, parent.status) == ("summary", 40, "In Progress")
    assert task.parent_ref == parent.ref
    assert task.labels == ("added-by-hand-not-an-option", "stuck")
    assert (task.assignees, task.owner) == (("Jane Roe",), "Jane Roe")
    assert task.status_category is StatusCategory.IN_PROGRESS
    assert "Jira" in task.unknown, "a formula's error"
    assert unnamed.title == "(no name)"
    assert {"due_at", "outcome_metric"} <= odd.unknown
    assert "sponsor" in odd.unknown, "there is no such column"


JIRA, CARD = "https://example.atlassian.net/browse/APP-3", "https://trello.com/c/iQ20ZNIV"


@pytest.mark.parametrize(
    ("title", "ticket", "links"),
    [
        (JIRA, None, (JIRA,)),
        (JIRA, CARD, (JIRA, CARD)),
        (CARD, CARD, (CARD,)),
        (None, 4583173393803140, ()),
        (4583173393803140, CARD, (CARD,)),
        (None, "  ", ()),
        (None, None, ()),
    ],
)
def test_links_are_the_addresses_that_its_cells_lead_to(
    smartsheet: Smartsheet, title: str | int | None, ticket: str | int | None, links: tuple[str, ...]
) -> None:
    """A number is the id of a sheet: such a link leads to no work item."""
    plan = smartsheet.account.new_sheet("Plan", [("Task Name", "TEXT_NUMBER"), ("Ticket", "TEXT_NUMBER")])
    row = smartsheet.account.add_row(plan, {"Task Name": "One", "Ticket": "see there"})
    for column, target in zip(plan.columns, (title, ticket), strict=True):
        row.cells[column.id].hyperlink = target
    mapped = setup_of(smartsheet, fields={"ticket": "Ticket"})
    assert items_of(mapped, str(plan.id))["One"].links == links


def test_links_of_columns_that_are_not_read_do_not_come(smartsheet: Smartsheet) -> None:
    plan = smartsheet.account.new_sheet("Plan", [("Task Name", "TEXT_NUMBER"), ("Ticket", "TEXT_NUMBER")])
    row = smartsheet.account.add_row(plan, {"Task Name": "One", "Ticket": "see there"})
    row.cells[plan.column("Ticket").id].hyperlink = JIRA
    assert items_of(setup_of(smartsheet), str(plan.id))["One"].links == ()


class Recorded:
    """Serves a recorded sheet just as it was."""

    def __init__(self, sheet: dict[str, Any]) -> None:
        self.sheet = {"version": 1, "totalRowCount": len(sheet["rows"]), **sheet}
        self.server = FakeServer(self.answer)

    def answer(self, request: Request) -> Answer:
        number = self.sheet["id"]
        match request.path.removeprefix("/2.0/"):
            case "sheets":
                listed = {"id": number, "name": self.sheet["name"], "version": self.sheet["version"]}
                return Answer(json={"pageNumber": 1, "totalPages": 1, "totalCount": 1, "data": [listed]})
            case path if path.endswith("/columns"):
                return Answer(json={"pageNumber": 1, "totalPages": 1, "data": self.sheet["columns"]})
            case path if path == f"sheets/{number}":
                return Answer(json=self.sheet)
        return Answer(404, {"errorCode": 1006, "message": "Not Found."})


@pytest.fixture
def recorded() -> Iterator[Callable[[dict[str, Any]], Recorded]]:
    made: list[Recorded] = []

    def make(sheet: dict[str, Any]) -> Recorded:
        made.append(Recorded(sheet))
        return made[-1]

    yield make
    for one in made:
        one.server.close()


def recorded_sheets(samples: Path) -> list[dict[str, Any]]:
    """Of the recorded pairs, every answer that is a sheet at level 2; and the exported sheets."""
    pairs = json.loads((samples / "smartsheet" / "recorded_api_pairs_dmfigol_MIT.json").read_text("utf-8"))
    bodies = [one["response"]["body"] for one in pairs if "level=2" in one["request"]["uri"]]
    exported = [
        json.loads(path.read_text("utf-8")) for path in sorted((samples / "smartsheet" / "aind").glob("*.json"))
    ]
    return [body for body in [*bodies, *exported] if "rows" in body and "version" in body and "id" in body]


def test_recorded_sheets_are_read_whole(samples: Path, recorded: Callable[[dict[str, Any]], Recorded]) -> None:
    sheets = recorded_sheets(samples)
    assert len(sheets) >= 15
    for sheet in sheets:
        served = recorded(sheet)
        setup = SourceSetup("portfolio", {"base_url": f"{served.server.url}/2.0", "token": TOKEN}, timezone=BERLIN)
        with closing(SmartsheetConnector(setup)) as connector:
            (collection,) = connector.collections()
            pages = list(connector.pull(collection, None))
        items = [item for page in pages for item in page.items]
        filled = [
            row for row in sheet["rows"] if any(cell.get("value") or cell.get("objectValue") for cell in row["cells"])
        ]
        assert not [skipped for page in pages for skipped in page.skipped]
        assert pages[-1].full
        assert len(items) <= len(filled)
        assert not filled or items


# Pages


def test_a_sheet_that_moves_between_pages_is_read_again(smartsheet: Smartsheet) -> None:
    sheet = smartsheet.account.new_sheet("Plan")
    rows = [smartsheet.account.add_row(sheet, {"Task Name": f"Row {number}"}) for number in range(5)]
    smartsheet.quirks.between_pages.append(lambda: smartsheet.account.sort(sheet, "Status"))
    smartsheet.quirks.between_pages.append(lambda: smartsheet.account.set(sheet, rows[0], Task_Name="Edited"))
    pages = pages_of(setup_of(smartsheet), str(sheet.id))
    assert {item.title for page in pages for item in page.items} >= {"Edited", "Row 1", "Row 4"}
    assert pages[-1].complete
    assert pages[-1].full


def test_what_is_deleted_while_the_sheet_is_read_does_not_count_as_there(smartsheet: Smartsheet) -> None:
    sheet = smartsheet.account.new_sheet("Plan")
    rows = [smartsheet.account.add_row(sheet, {"Task Name": f"Row {number}"}) for number in range(6)]
    calls = iter([lambda: None, lambda: smartsheet.account.delete_row(sheet, rows[0])])
    smartsheet.quirks.between_pages += [*calls]
    pages = pages_of(setup_of(smartsheet), str(sheet.id))
    assert pages[-1].complete
    assert not pages[-1].full, "an earlier page gave the row, so the pull cannot say what is gone"
    assert pages[-1].cursor is None


def test_a_sheet_that_never_rests_is_left_for_the_next_run(smartsheet: Smartsheet) -> None:
    sheet = smartsheet.account.new_sheet("Plan")
    for number in range(5):
        smartsheet.account.add_row(sheet, {"Task Name": f"Row {number}"})
    smartsheet.quirks.between_pages += [lambda: smartsheet.account.sort(sheet, "Task Name")] * 9
    with pytest.raises(BusyError):
        pages_of(setup_of(smartsheet), str(sheet.id))


def test_a_sheet_that_is_deleted_between_pages_is_gone(smartsheet: Smartsheet) -> None:
    sheet = smartsheet.account.new_sheet("Plan")
    for number in range(5):
        smartsheet.account.add_row(sheet, {"Task Name": f"Row {number}"})
    smartsheet.quirks.between_pages.append(lambda: smartsheet.account.delete_sheet(sheet))
    with pytest.raises(GoneError):
        pages_of(setup_of(smartsheet), str(sheet.id))


@pytest.mark.parametrize("past_the_end", ["last", "empty"])
def test_fewer_rows_than_it_says_are_no_whole_answer(smartsheet: Smartsheet, past_the_end: str) -> None:
    sheet = smartsheet.account.new_sheet("Plan")
    row = smartsheet.account.add_row(sheet, {"Task Name": "Row"})
    smartsheet.quirks.past_the_end = past_the_end
    sheet.rows.append(row)  # the same row twice: the count is one more than there are
    with pytest.raises(InputError, match="1 of the 2 rows"):
        pages_of(setup_of(smartsheet), str(sheet.id))


def test_an_answer_without_rows_is_not_an_empty_sheet(smartsheet: Smartsheet) -> None:
    sheet = smartsheet.account.new_sheet("Plan")
    smartsheet.script(Answer(json={"version": 7}), path=f"/sheets/{sheet.id}", method="GET")
    smartsheet.script(Answer(json={"version": 7}), path=f"/sheets/{sheet.id}", method="GET")
    with pytest.raises((InputError, BusyError)):
        pages_of(setup_of(smartsheet), str(sheet.id))


def test_only_columns_that_are_read_are_asked_for(smartsheet: Smartsheet) -> None:
    sheet = smartsheet.account.new_sheet("Plan")
    for number in range(400):
        smartsheet.account.add_column(sheet, (f"Column {number}", "TEXT_NUMBER"))
    smartsheet.account.add_row(sheet, {"Task Name": "Row"})
    pages_of(setup_of(smartsheet), str(sheet.id))
    (asked,) = (one.query["columnIds"] for one in smartsheet.requests if one.path.endswith(f"/sheets/{sheet.id}"))
    assert len(asked.split(",")) == 6


# Which sheets


def names(setup: SourceSetup) -> list[str]:
    with closing(SmartsheetConnector(setup)) as connector:
        return sorted(collection.name for collection in connector.collections())


def test_sheets_by_where_they_are(smartsheet: Smartsheet) -> None:
    account = smartsheet.account
    one, two, three, four, _ = (account.new_sheet(name) for name in ("One", "Two", "Three", "Four", "Five"))
    below = account.new_folder("Below", three)
    below.folders.append(below.id)  # circles do no harm
    account.new_workspace("PMO", two, folders=[below])
    account.new_report("All", four)
    smartsheet.quirks.listing_page = 1
    assert names(setup_of(smartsheet, workspaces=["PMO"])) == ["Three", "Two"]
    assert names(setup_of(smartsheet, folders=[str(below.id)])) == ["Three"]
    assert names(setup_of(smartsheet, reports=["All"], collections=("One", str(two.id)))) == ["Four", "One", "Two"]
    with pytest.raises(SetupError, match='no workspace "PMOO"'):
        names(setup_of(smartsheet, workspaces=["PMOO"]))
    assert one.name in names(setup_of(smartsheet))


def test_two_sheets_of_one_name_must_be_told_apart(smartsheet: Smartsheet) -> None:
    for _ in range(2):
        smartsheet.account.new_sheet("Plan")
    with pytest.raises(SetupError, match="2 sheets"):
        names(setup_of(smartsheet, collections=("Plan",)))


@pytest.mark.parametrize("by_token", [True, False])
def test_the_listing_is_whole_however_it_is_paged(smartsheet: Smartsheet, by_token: bool) -> None:
    for number in range(5):
        smartsheet.account.new_sheet(f"Sheet {number}")
    smartsheet.quirks.listing_by_token, smartsheet.quirks.listing_page = by_token, 2
    assert len(names(setup_of(smartsheet))) == 5


def test_a_listing_without_versions_costs_a_request_for_each_sheet(smartsheet: Smartsheet) -> None:
    sheet = smartsheet.account.new_sheet("Plan")
    smartsheet.account.add_row(sheet, {"Task Name": "Row"})
    smartsheet.quirks.no_versions = True
    setup = setup_of(smartsheet)
    with closing(SmartsheetConnector(setup)) as connector:
        (collection,) = connector.collections()
        cursor = [*connector.pull(collection, None)][-1].cursor
        assert not next(connector.pull(collection, cursor)).items
    seen = parse_cursor(cursor)
    assert seen is not None
    assert seen.version == sheet.version
    assert smartsheet.counted["GET /sheets/*/version"] == 1


def test_an_auto_number_is_the_key_and_a_column_of_config_goes_first(smartsheet: Smartsheet) -> None:
    number = Column(0, "Row ID", system="AUTO_NUMBER")
    sheet = smartsheet.account.new_sheet("Plan", [("Task", "TEXT_NUMBER"), number, ("Nickname", "TEXT_NUMBER")])
    row = smartsheet.account.add_row(sheet, {"Task": "Row", "Nickname": "Nick"})
    row.cells[number.id] = Cell("PRJ-0001")
    setup = setup_of(smartsheet)
    assert items_of(setup, str(sheet.id))["Row"].key == "PRJ-0001"
    assert items_of(replace(setup, fields={"key": "Nickname"}), str(sheet.id))["Row"].key == "Nick"
