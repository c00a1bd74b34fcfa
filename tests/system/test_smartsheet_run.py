"""The whole job on Smartsheet: the real command against the fake account, and what people do in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.fakes.server import Answer
from connectors.fakes.smartsheet.account import TOKEN, Cell, Column, Row
from connectors.fakes.smartsheet.api import Smartsheet
from tests.fakes.smartsheet_recorded import cell_of, column_of
from tests.sync.town import Said, Town

CONFIG = """
[brakes]
share = 1.0
[sources.portfolio]
system        = "smartsheet"
base_url      = "{url}"
token         = {{ env = "SHEET_TOKEN" }}
flag_column   = "At Risk"
reason_column = "Why"
{more}
"""

COLUMNS = (
    ("Task Name", "TEXT_NUMBER"),
    ("Status", "PICKLIST"),
    ("% Complete", "TEXT_NUMBER"),
    ("Sponsor", "CONTACT_LIST"),
    ("PMO labels", "MULTI_PICKLIST"),
    ("At Risk", "CHECKBOX"),
    ("Why", "TEXT_NUMBER"),
)
ADA = {"name": "Ada", "email": "ada@example.com"}


class Office(Town):
    """A town whose tool is a Smartsheet account with one plan."""

    def __init__(self, folder: Path, smartsheet: Smartsheet) -> None:
        self.smartsheet, self.account = smartsheet, smartsheet.account
        super().__init__(folder, CONFIG.format(url=smartsheet.url, more=""))
        self.plan_sheet = self.account.new_sheet("Plan", COLUMNS)
        self.token = TOKEN

    def environment(self, more: Any = None) -> dict[str, str]:
        return super().environment({"SHEET_TOKEN": self.token, **(more or {})})

    def new(self, name: str, sponsor: object = None, parent: Row | None = None, status: str = "In Progress") -> Row:
        values = {"Task Name": name, "Status": status, "% Complete": 0.4, "Sponsor": sponsor}
        return self.account.add_row(self.plan_sheet, values, parent)

    def edit(self, row: Row, **values: Any) -> None:  # type: ignore[override]  # rows stand for themselves here
        self.account.set(self.plan_sheet, row, **values)

    def seen(self, row: Row, title: str) -> Any:
        return row.cells.get(self.plan_sheet.column(title).id, Cell()).value

    def run(self, *more: str, code: int = 0) -> Said:
        said = self.unstuck("run", "--apply", "--json", *more)
        assert said.code == code, said.out + said.err
        return said

    def asked(self) -> list[str]:
        """What was asked for since the last time."""
        asked = [f"{one.method} {one.path}" for one in self.smartsheet.requests]
        self.smartsheet.server.requests.clear()
        return asked


@pytest.fixture
def smartsheet() -> Iterator[Smartsheet]:
    smartsheet = Smartsheet()
    yield smartsheet
    smartsheet.close()


@pytest.fixture
def office(tmp_path: Path, smartsheet: Smartsheet) -> Office:
    return Office(tmp_path, smartsheet)


def test_label_flag_and_reason_come_and_go_and_what_people_wrote_stays(office: Office) -> None:
    lonely, sponsored = office.new("Lonely"), office.new("Sponsored", ADA)
    office.edit(lonely, PMO_labels=["theirs"])
    office.run()
    assert office.seen(lonely, "PMO labels") == ["theirs", "pmo-no-sponsor"]
    assert office.seen(lonely, "At Risk") is True
    assert office.seen(lonely, "Why") == "Nobody sponsors it"
    assert [office.seen(sponsored, title) for title in ("PMO labels", "At Risk", "Why")] == [None] * 3
    office.edit(lonely, Sponsor=ADA)
    office.run()
    assert office.seen(lonely, "PMO labels") == ["theirs"]
    assert not office.seen(lonely, "At Risk")
    assert office.seen(lonely, "Why") is None


def test_after_a_write_the_sheet_is_not_read_again(office: Office) -> None:
    office.new("Lonely")
    office.run()
    assert f"PUT /2.0/sheets/{office.plan_sheet.id}/rows" in office.asked()
    said = office.run()
    assert office.asked() == ["GET /2.0/sheets"]
    assert said.json["written"]["items"] == 0, said.out


def test_a_person_between_our_reading_and_our_write_is_not_overlooked(office: Office) -> None:
    lonely = office.new("Lonely")
    office.run()
    office.asked()
    other = office.new("New")
    office.run()
    assert office.seen(other, "PMO labels") == ["pmo-no-sponsor"]
    office.edit(lonely, PMO_labels=None)
    office.run()
    assert office.seen(lonely, "PMO labels") is None, "a person took it off"
    office.run()
    assert office.seen(lonely, "PMO labels") is None, "and it stays off"


def test_a_dry_run_sends_no_write(office: Office) -> None:
    office.new("Lonely")
    before = office.account.everything()
    for command in (("run",), ("plan",), ("check", "--live"), ("status",)):
        office.unstuck(*command)
    assert {one.split()[0] for one in office.asked()} == {"GET"}
    assert office.account.everything() == before


def test_a_revoked_token_clears_nothing(office: Office) -> None:
    lonely = office.new("Lonely")
    office.run()
    office.edit(lonely, Sponsor=ADA)
    office.token = "another-token-of-another-region"
    said = office.run(code=1)
    assert "portfolio" in said.err + said.out
    assert "base_url" in said.err + said.out
    assert office.seen(lonely, "PMO labels") == ["pmo-no-sponsor"]
    office.token = TOKEN
    office.run()
    assert office.seen(lonely, "PMO labels") is None


def test_a_sheet_that_we_may_only_view_is_read_and_said(office: Office) -> None:
    lonely = office.new("Lonely")
    office.plan_sheet.access = "VIEWER"
    said = office.run(code=1)
    assert "shared with us as viewer" in said.out + said.err
    assert office.seen(lonely, "PMO labels") is None


def test_a_renamed_column_is_found_again(office: Office) -> None:
    lonely = office.new("Lonely")
    office.run()
    office.plan_sheet.column("PMO labels").title = "Labels"
    office.plan_sheet.column("Why").title = "Reason"
    office.edit(lonely, Sponsor=ADA)
    office.run()
    assert office.seen(lonely, "Labels") is None


def test_a_label_column_that_is_gone_is_not_everybodys_veto(office: Office) -> None:
    lonely = office.new("Lonely")
    office.run()
    column = office.plan_sheet.column("PMO labels")
    office.plan_sheet.columns.remove(column)
    office.edit(lonely, Status="On Hold")
    said = office.run(code=1)
    assert "with our labels is gone" in said.out
    office.plan_sheet.columns.append(column)
    office.edit(lonely, PMO_labels=["pmo-no-sponsor"])
    office.run()
    office.edit(lonely, Status="In Progress")
    office.run()
    assert office.seen(lonely, "PMO labels") == ["pmo-no-sponsor"]


def test_without_a_label_column_the_sentence_says_how_to_add_it(office: Office) -> None:
    office.new("Lonely")
    office.plan_sheet.columns.remove(office.plan_sheet.column("PMO labels"))
    said = office.run(code=1)
    assert "unstuck init --sheet" in said.out + said.err
    assert "Plan" in said.out + said.err


def test_neither_our_write_nor_a_sort_resets_the_clock(office: Office) -> None:
    rows = [office.new(name, ADA) for name in ("Beta", "Alpha")]
    office.run()
    office.now = "2026-03-27T12:00:00"
    office.edit(rows[0], Sponsor=None)
    office.run()
    assert office.seen(rows[0], "PMO labels") == ["pmo-no-sponsor"]
    office.account.sort(office.plan_sheet, "Task Name")
    office.now = "2026-04-07T12:00:00"
    office.run()
    assert office.seen(rows[0], "PMO labels") == ["pmo-no-sponsor", "pmo-stuck-10d"]
    assert office.seen(rows[1], "PMO labels") == ["pmo-stuck-10d"]
    assert "business days" in office.seen(rows[1], "Why")
    office.edit(rows[1], Status="Complete")
    office.run()
    assert office.seen(rows[1], "PMO labels") is None


HISTORY = "/columns/"


def dates(office: Office) -> dict[str, tuple[str, str]]:
    items = office.unstuck("items", "--format", "json").json
    return {item["title"]: (item["status_since"], item["status_since_is"]) for item in items}


def old_row(office: Office, name: str, days: int = 40) -> Row:
    """A row that has been where it is for so many days when we first see it."""
    today = office.account.now
    office.account.now = today - timedelta(days=days)
    row = office.new(name, ADA)
    office.account.now = today
    return row


def test_a_row_that_crosses_a_threshold_is_dated_by_its_history_once(office: Office) -> None:
    stuck, quick = old_row(office, "Stuck"), old_row(office, "Quick")
    office.run()
    assert not [one for one in office.asked() if HISTORY in one], "nothing crossed a threshold yet"
    office.account.now += timedelta(days=6)
    office.edit(quick, Status="On Hold")
    office.now = "2026-03-26T12:00:00"
    office.run()
    assert {name: how for name, (_, how) in dates(office).items()} == {"Stuck": "at_least", "Quick": "at_least"}
    office.now = "2026-04-06T12:00:00"
    office.asked()
    office.run()
    assert sum(HISTORY in one for one in office.asked()) == 2, "status and progress, of the row that crossed it"
    assert dates(office)["Stuck"] == ("2026-02-08T09:00:00Z", "exact")
    assert office.seen(stuck, "PMO labels") == ["pmo-stuck-20d"], "it was labelled by what was only at least"
    assert office.seen(quick, "PMO labels") is None
    for day in ("2026-04-06", "2026-04-07"):
        office.now = f"{day}T18:00:00"
        said = office.run()
        assert said.json["written"]["items"] == 0
        assert not [one for one in office.asked() if HISTORY in one], "what was told once is asked for again"


def test_a_row_that_moved_is_dated_anew(office: Office) -> None:
    row = old_row(office, "Stuck")
    office.run()
    office.now = "2026-04-06T12:00:00"
    office.run()
    office.account.now = datetime(2026, 4, 5, 8, tzinfo=UTC)
    office.edit(row, Status="On Hold")
    office.now = "2026-04-10T12:00:00"
    office.run()
    assert dates(office)["Stuck"] == ("2026-04-10T12:00:00Z", "at_least")
    assert office.seen(row, "PMO labels") is None
    office.now = "2026-04-27T12:00:00"
    office.run()
    assert dates(office)["Stuck"] == ("2026-04-05T08:00:00Z", "exact")
    assert office.seen(row, "PMO labels") == ["pmo-stuck-10d"]


def test_a_start_that_nobody_saw_is_corrected_too(office: Office) -> None:
    """It went and came back between two runs."""
    row = old_row(office, "Back again")
    office.run()
    office.account.now = datetime(2026, 4, 1, 9, tzinfo=UTC)
    office.edit(row, Status="On Hold")
    office.edit(row, Status="In Progress")
    office.now = "2026-04-07T12:00:00"
    office.run()
    assert dates(office)["Back again"] == ("2026-04-01T09:00:00Z", "exact")
    assert office.seen(row, "PMO labels") is None


def test_a_move_after_the_pull_is_left_to_the_next_run(office: Office) -> None:
    old_row(office, "Back again")
    office.run()
    office.account.now = datetime(2026, 4, 6, 13, tzinfo=UTC)
    office.edit(office.plan_sheet.rows[0], Status="On Hold")
    office.edit(office.plan_sheet.rows[0], Status="In Progress")
    office.now = "2026-04-06T12:00:00"
    office.run()
    assert dates(office)["Back again"] == ("2026-03-20T12:00:00Z", "at_least")
    office.now = "2026-04-06T14:00:00"
    office.run()
    assert dates(office)["Back again"] == ("2026-04-06T13:00:00Z", "exact")


def test_a_status_that_a_formula_makes_is_never_asked_for(office: Office) -> None:
    row = old_row(office, "Stuck")
    office.plan_sheet.column("Status").formula = "=VLOOKUP([Key]@row, {Map}, 2, false)"
    office.run()
    office.now = "2026-04-06T12:00:00"
    for _ in range(2):
        office.run()
    assert not [one for one in office.asked() if HISTORY in one]
    assert dates(office)["Stuck"] == ("2026-03-20T12:00:00Z", "at_least")
    assert office.seen(row, "PMO labels") == ["pmo-stuck-10d"]


def test_what_proves_nothing_is_asked_for_once(office: Office) -> None:
    row = old_row(office, "Stuck")
    office.plan_sheet.history.clear()
    office.run()
    office.now = "2026-04-06T12:00:00"
    office.run()
    assert [one for one in office.asked() if HISTORY in one]
    office.now = "2026-04-07T12:00:00"
    office.run()
    assert not [one for one in office.asked() if HISTORY in one]
    assert dates(office)["Stuck"] == ("2026-03-20T12:00:00Z", "at_least")
    assert office.seen(row, "PMO labels") == ["pmo-stuck-10d"]


def test_no_more_rows_are_dated_in_a_run_than_config_says(office: Office) -> None:
    for number in range(3):
        old_row(office, f"Stuck {number}")
    office.write_config(CONFIG.format(url=office.smartsheet.url, more="history_rows = 1"))
    office.run()
    office.now = "2026-04-06T12:00:00"
    for count in (1, 2, 3, 3):
        office.run()
        assert [how for _, how in dates(office).values()].count("exact") == count


def test_a_history_that_cannot_be_asked_for_changes_nothing_and_is_said(office: Office) -> None:
    row = old_row(office, "Stuck")
    office.run()
    office.now = "2026-04-06T12:00:00"
    refusal = Answer(403, json={"errorCode": 1004, "message": "You are not authorized to perform this action."})
    office.smartsheet.script(refusal, times=2, method="GET", path="/history")
    [problem] = office.run(code=1).json["problems"]
    assert problem.startswith("portfolio: since when items are in their status could not be asked: ")
    assert office.seen(row, "PMO labels") == ["pmo-stuck-10d"]
    assert office.unstuck("run", "--apply").out == "", "cron is told the same again"
    office.run()
    assert dates(office)["Stuck"] == ("2026-02-08T09:00:00Z", "exact")


def test_a_row_that_is_deleted_is_gone_and_a_neighbour_is_not_touched(office: Office) -> None:
    first, second = office.new("First"), office.new("Second")
    office.run()
    office.account.delete_row(office.plan_sheet, first)
    office.asked()
    office.run()
    keys = [item["title"] for item in office.unstuck("items", "--format", "json").json]
    assert keys == ["Second"]
    assert not [one for one in office.asked() if one.startswith("PUT")]
    assert office.seen(second, "PMO labels") == ["pmo-no-sponsor"]


def test_a_locked_row_is_named_and_the_others_are_written(office: Office) -> None:
    locked, free = office.new("Locked"), office.new("Free")
    locked.locked = True
    said = office.run(code=1)
    assert "Plan 1: its row is locked" in said.out + said.err
    assert office.seen(free, "PMO labels") == ["pmo-no-sponsor"]


def test_check_says_which_column_is_what_and_what_a_formula_hides(office: Office) -> None:
    office.plan_sheet.column("Status").formula = "=VLOOKUP([Jira Key]@row, {Jira Map}, 2, false)"
    office.plan_sheet.columns[-1] = Column(1, "Something else")
    said = office.unstuck("check", "--live")
    assert 'status is "Status" (guessed)' in said.out
    assert 'column "Status" is a formula' in said.out
    assert 'no column "Why"' in said.out


def test_retire_takes_label_flag_and_reason_off_and_nothing_else(office: Office) -> None:
    lonely = office.new("Lonely")
    office.edit(lonely, PMO_labels=["theirs"])
    office.run()
    assert office.unstuck("retire", "--apply").code == 0
    assert office.seen(lonely, "PMO labels") == ["theirs"]
    assert not office.seen(lonely, "At Risk")
    assert office.seen(lonely, "Why") is None


def test_a_reason_stays_for_the_label_that_stays(office: Office) -> None:
    lonely = office.new("Lonely")
    office.run()
    office.now = "2026-04-10T12:00:00"
    office.run()
    assert office.seen(lonely, "Why").startswith("Nobody sponsors it; In In Progress for")
    office.edit(lonely, Sponsor=ADA)
    office.run()
    assert office.seen(lonely, "PMO labels") == ["pmo-stuck-10d"]
    assert office.seen(lonely, "Why").startswith("In In Progress for")
    assert office.seen(lonely, "At Risk") is True


def test_a_real_sheet_goes_through_a_whole_run(office: Office, samples: Path) -> None:
    """The oddest sheet that there is, with the columns for labels beside its own."""
    sheet = json.loads((samples / "smartsheet" / "synthetic_sheet_all_oddities.json").read_text("utf-8"))
    odd = office.account.new_sheet("Odd", [column_of(one) for one in sheet["columns"]])
    for title, kind in COLUMNS[-3:]:
        if title not in [column.title for column in odd.columns]:
            office.account.add_column(odd, (title, kind))
    made: dict[int, Row] = {}
    for row in sheet["rows"]:
        made[row["id"]] = office.account.add_row(odd, {}, made.get(row.get("parentId", 0)))
        made[row["id"]].cells = {cell["columnId"]: cell_of(cell) for cell in row["cells"]}
    office.run()
    titles = {item["title"] for item in office.unstuck("items", "--format", "json").json}
    assert {"Phase 1", "Build ledger export", "(no name)"} <= titles
    assert not [title for title in titles if title.startswith("Filtered out")]
    office.asked()
    office.run()
    assert office.asked() == ["GET /2.0/sheets"]
