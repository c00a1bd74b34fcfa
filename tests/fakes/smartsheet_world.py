"""A Smartsheet account for the contract suite and for tests of the command.

class TestSmartsheet(HttpConnectorContract):
    connector = SmartsheetConnector

    @pytest.fixture
    def world(self) -> Iterator[HttpWorld]:
        with closing(SmartsheetWorld()) as world:
            yield world

Where the vendor's OpenAPI description lies beside the checkout, closing a world fails if a request or an answer was not
as it says.
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from connectors.base import SourceSetup
from connectors.fakes.smartsheet.account import TOKEN, Cell, Row, Sheet
from connectors.fakes.smartsheet.api import Smartsheet
from tests.conftest import SHARED
from tests.fakes.loopback_world import LoopbackWorld
from tests.fakes.smartsheet_openapi import SmartsheetJudge

LABELS = "PMO labels"
STATUSES = ("Not Started", "In Progress", "Complete")
DESCRIPTION = SHARED / "specs" / "smartsheet" / "openapi-2025-07.patched.json"


class SmartsheetWorld(LoopbackWorld):
    """One account whose people do what the suite asks of them; ids are Smartsheet's own."""

    several_pages: ClassVar[int | None] = 5

    def __init__(self) -> None:
        self.judge = SmartsheetJudge(DESCRIPTION) if DESCRIPTION.is_file() else None
        self.smartsheet = Smartsheet(judge=self.judge)
        self.account = self.smartsheet.account
        super().__init__(self.smartsheet)

    def close(self) -> None:
        super().close()
        assert not (self.judge and self.judge.complaints), self.judge.complaints

    def setup(self, *, writable: bool = True) -> SourceSetup:
        options = {"base_url": self.smartsheet.url, "token": TOKEN, "page_rows": 2}
        return SourceSetup("portfolio", options, writable=writable)

    def new_collection(self, name: str) -> str:
        return str(self.account.new_sheet(name).id)

    def new_item(self, collection: str, title: str) -> str:
        sheet = self.account.sheets[int(collection)]
        values = {"Task Name": title, "Status": "In Progress", "% Complete": 0.4, "Finish": "2026-06-30"}
        return str(self.account.add_row(sheet, values).id)

    def held(self, title: str) -> str:
        """A cell holds 4,000 characters."""
        return title[:4000].strip()

    def edit(self, item: str, title: str) -> None:
        sheet, row = self.place(item)
        self.account.set(sheet, row, Task_Name=title)

    def remove(self, item: str) -> None:
        self.account.delete_row(*self.place(item))

    def put_label(self, item: str, label: str) -> None:
        sheet, row = self.place(item)
        self.account.set(sheet, row, PMO_labels=[*self.labels(sheet, row), label])

    def labels_of(self, item: str) -> set[str]:
        return set(self.labels(*self.place(item)))

    def labels(self, sheet: Sheet, row: Row) -> list[str]:
        return list(row.cells.get(sheet.column(LABELS).id, Cell()).value or ())

    def move(self, item: str) -> str:
        sheet, row = self.place(item)
        status = row.cells[sheet.column("Status").id].value
        there = STATUSES[(STATUSES.index(status) + 1) % len(STATUSES)]
        self.account.set(sheet, row, Status=there)
        return there

    def settle(self) -> None:
        self.account.pass_time(timedelta(hours=6))

    def place(self, item: str) -> tuple[Sheet, Row]:
        return next((sheet, row) for sheet in self.account.sheets.values() for row in sheet.rows if row.id == int(item))

    def everything(self) -> object:
        return self.account.everything()
