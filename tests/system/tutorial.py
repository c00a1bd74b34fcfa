"""The company of docs/tutorial.md: its four tools on this machine, and one export of MS Project in Downloads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from connectors.fakes.jira.api import Jira
from connectors.fakes.jira.doors import TOKEN as JIRA_TOKEN
from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import US
from connectors.fakes.monday.account import TOKEN as MONDAY_TOKEN
from connectors.fakes.monday.account import Account as MondayAccount
from connectors.fakes.monday.api import Monday
from connectors.fakes.smartsheet.account import TOKEN as SMARTSHEET_TOKEN
from connectors.fakes.smartsheet.account import Account
from connectors.fakes.smartsheet.api import Smartsheet
from connectors.fakes.trello.api import KEY, Trello
from connectors.fakes.trello.api import TOKEN as TRELLO_TOKEN
from connectors.fakes.trello.site import Site as TrelloSite

EXPORT = Path(__file__).resolve().parents[2] / "examples" / "inbox" / "warehouse.xml"
NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Company:
    """Where its tools are, and what opens them."""

    here: Mapping[str, str]
    """What the page says -> what it is on this machine."""
    hosts: Mapping[str, str]
    """By system, for those whose address is the same for everybody."""
    secrets: Mapping[str, str]


@contextmanager
def company(home: Path) -> Iterator[Company]:
    """Everything that the walk finds in its tools, and below the user's `home`."""
    (home / "Downloads").mkdir(parents=True)
    (home / "Downloads" / "Warehouse.xml").write_bytes(EXPORT.read_bytes())
    with ExitStack() as closed:
        jira, trello, smartsheet, monday = (
            closed.enter_context(closing(tool)) for tool in (_jira(), _trello(), _smartsheet(), _monday())
        )
        yield Company(
            {"https://example.atlassian.net": jira.url, "you@example.com": US.email},
            {"trello": trello.url, "smartsheet": smartsheet.url, "monday": monday.url},
            {
                "JIRA_TOKEN": JIRA_TOKEN,
                "TRELLO_KEY": KEY,
                "TRELLO_TOKEN": TRELLO_TOKEN,
                "SMARTSHEET_TOKEN": SMARTSHEET_TOKEN,
                "MONDAY_TOKEN": MONDAY_TOKEN,
            },
        )


def _jira() -> Jira:
    site = Site(cloud=True, now=datetime(2026, 10, 12, 9, tzinfo=UTC))
    site.new_project("APP", "The app")
    metric = site.new_field("Success metric", "textfield").id
    metrics = {"Faster checkout": "Abandoned carts from 31 % to 24 %", "New design": "tbd", "Search by photo": None}
    for title, says in metrics.items():
        issue = site.new_issue("APP", title)
        site.spoil(issue.id, **{metric: says})
        site.transition(issue.id, "In Progress")
    site.now = NOW
    return Jira(site)


def _trello() -> Trello:
    site = TrelloSite(datetime(2026, 11, 16, 9, tzinfo=UTC))
    board = site.new_board("Marketing", "To Do", "Doing", "Done")
    site.new_field(board, "Success metric")
    site.move(site.new_card(board, "Winter campaign"), "Doing")
    site.now = NOW
    return Trello(site)


def _smartsheet() -> Smartsheet:
    account = Account()
    account.now = datetime(2026, 11, 17, 9, tzinfo=UTC)
    columns = (("Task Name", "TEXT_NUMBER"), ("Status", "PICKLIST"), ("% Complete", "TEXT_NUMBER"))
    sheet = account.new_sheet(
        "Roadmap", (*columns, ("Success metric", "TEXT_NUMBER"), ("PMO labels", "MULTI_PICKLIST"))
    )
    account.add_row(sheet, {"Task Name": "New ERP", "Status": "In Progress", "Success metric": "n/a"})
    account.now = NOW
    return Smartsheet(account)


def _monday() -> Monday:
    account = MondayAccount()
    account.now = datetime(2026, 11, 17, 9, tzinfo=UTC)
    account.add_item(account.new_board("Hiring"), "Data engineers", Status="Working on it")
    account.now = NOW
    return Monday(account)
