"""The company's tools, and how its people use each: one small class for each system, all with the same verbs."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from typing import Any, ClassVar, Protocol

from connectors.fakes.jira.api import Jira, is_write
from connectors.fakes.jira.site import Site as JiraSite
from connectors.fakes.jira.state import Person
from connectors.fakes.monday.account import Item
from connectors.fakes.monday.api import Monday
from connectors.fakes.server import FakeServer, Request
from connectors.fakes.smartsheet.account import Row
from connectors.fakes.smartsheet.api import Smartsheet
from connectors.fakes.trello.api import Trello
from connectors.fakes.trello.site import Site as TrelloSite
from connectors.fakes.trello.state import Member
from sync.demo.portfolio import FIELDS, PEOPLE, Stage, Work

LABELS = "PMO labels"
"""The column for labels, where the tool has columns for that."""


class Tool(Protocol):
    """What people do in a tool. Work is named by its title, which is used once in each."""

    def at(self, now: datetime) -> None:
        """It is so late; never earlier than it was."""
        ...

    def begin(self, work: Work) -> None:
        """Write a piece of work down, to do."""
        ...

    def move(self, title: str, stage: Stage) -> None: ...

    def fill(self, title: str, name: str, text: str) -> None:
        """Fill in the field that the company calls `FIELDS[name]`."""
        ...


class Server(Tool, Protocol):
    """A tool behind a loopback server, where people see labels and put them on and off."""

    server: FakeServer

    @property
    def url(self) -> str:
        """What `base_url` is to be."""
        ...

    def is_write(self, request: Request) -> bool:
        """Whether a request may change something."""
        ...

    def labels(self, title: str) -> list[str]: ...

    def label(self, title: str, name: str) -> None: ...

    def unlabel(self, title: str, name: str) -> None: ...


class JiraTool:
    """A Cloud site with one project."""

    words: ClassVar = {Stage.TODO: "To Do", Stage.DOING: "In Progress", Stage.REVIEW: "In Review", Stage.DONE: "Done"}

    def __init__(self, start: datetime, port: int) -> None:
        self.site = JiraSite(cloud=True, now=start)
        self.site.new_project("APP", "Web shop")
        self.site.new_status("In Review", "indeterminate")
        self._fields = {name: self.site.new_field(shown, "textfield").id for name, shown in FIELDS.items()}
        self._ids: dict[str, str] = {}
        jira = Jira(self.site, port=port)
        self.server, self.url = jira.server, jira.url

    def at(self, now: datetime) -> None:
        self.site.now = max(self.site.now, now)

    def begin(self, work: Work) -> None:
        values: dict[str, Any] = {self._fields[name]: text for name, text in work.values.items()}
        owner = {"assignee": Person(f"5b10a2844c20165700ed{ident(work.owner):04}", work.owner)} if work.owner else {}
        self._ids[work.title] = self.site.new_issue("APP", work.title, **owner, **values).id

    def move(self, title: str, stage: Stage) -> None:
        self.site.transition(self._ids[title], self.words[stage])

    def fill(self, title: str, name: str, text: str) -> None:
        values: dict[str, Any] = {self._fields[name]: text}
        self.site.edit(self._ids[title], **values)

    def is_write(self, request: Request) -> bool:
        return is_write(request)

    def labels(self, title: str) -> list[str]:
        return self.site.issue(self._ids[title]).labels

    def label(self, title: str, name: str) -> None:
        self.site.label(self._ids[title], add=[name])

    def unlabel(self, title: str, name: str) -> None:
        self.site.label(self._ids[title], remove=[name])


class TrelloTool:
    """One board, with the company's people on it."""

    words: ClassVar = {Stage.TODO: "To Do", Stage.DOING: "Doing", Stage.REVIEW: "Review", Stage.DONE: "Done"}

    def __init__(self, start: datetime, port: int) -> None:
        self.site = TrelloSite(start)
        board = self._board = self.site.new_board("Marketing", *self.words.values())
        for name in PEOPLE:
            member = Member(f"5bb0000000000000000001{ident(name):02}", name, name.split()[0].lower())
            board.members[member.id] = (member, "normal")
        for shown in FIELDS.values():
            self.site.new_field(board, shown)
        self._ids: dict[str, str] = {}
        trello = Trello(self.site, port=port)
        ages = count(step=60)
        trello.clock = lambda: float(next(ages))  # no limit of requests: nobody is to wait for a demo
        self.server, self.url = trello.server, trello.url

    def at(self, now: datetime) -> None:
        self.site.now = max(self.site.now, now)

    def begin(self, work: Work) -> None:
        owners = [one for one, (member, _) in self._board.members.items() if member.name == work.owner]
        card = self._ids[work.title] = self.site.new_card(self._board, work.title, idMembers=owners)
        for name, text in work.values.items():
            self.site.fill(card, FIELDS[name], text=text)

    def move(self, title: str, stage: Stage) -> None:
        self.site.move(self._ids[title], self.words[stage])

    def fill(self, title: str, name: str, text: str) -> None:
        self.site.fill(self._ids[title], FIELDS[name], text=text)

    def is_write(self, request: Request) -> bool:
        return request.method != "GET"

    def labels(self, title: str) -> list[str]:
        return self.site.labels_of(self._ids[title])

    def label(self, title: str, name: str) -> None:
        self.site.label(self._ids[title], name)

    def unlabel(self, title: str, name: str) -> None:
        self.site.unlabel(self._ids[title], name)


class SmartsheetTool:
    """One sheet."""

    words: ClassVar = {
        Stage.TODO: "Not Started",
        Stage.DOING: "In Progress",
        Stage.REVIEW: "In Review",
        Stage.DONE: "Complete",
    }

    def __init__(self, start: datetime, port: int) -> None:
        smartsheet = Smartsheet(port=port)
        self.account = smartsheet.account
        self.account.now = start
        titled = [("Task Name", "TEXT_NUMBER"), ("Status", "PICKLIST"), ("Assigned To", "CONTACT_LIST")]
        titled += [(shown, "TEXT_NUMBER") for shown in FIELDS.values()]
        self._sheet = self.account.new_sheet("Store operations", [*titled, (LABELS, "MULTI_PICKLIST")])
        self._rows: dict[str, Row] = {}
        self.server, self.url = smartsheet.server, smartsheet.url

    def at(self, now: datetime) -> None:
        self.account.now = max(self.account.now, now)

    def begin(self, work: Work) -> None:
        values: dict[str, Any] = {FIELDS[name]: text for name, text in work.values.items()}
        if work.owner:
            values["Assigned To"] = {"name": work.owner, "email": f"{work.owner.split()[0].lower()}@example.com"}
        status = self.words[Stage.TODO]
        self._rows[work.title] = self.account.add_row(
            self._sheet, {"Task Name": work.title, "Status": status, **values}
        )

    def move(self, title: str, stage: Stage) -> None:
        self._edit(title, "Status", self.words[stage])

    def fill(self, title: str, name: str, text: str) -> None:
        self._edit(title, FIELDS[name], text)

    def is_write(self, request: Request) -> bool:
        return request.method != "GET"

    def labels(self, title: str) -> list[str]:
        cell = self._rows[title].cells.get(self._sheet.column(LABELS).id)
        return list(cell.value or ()) if cell else []

    def label(self, title: str, name: str) -> None:
        self._edit(title, LABELS, [*self.labels(title), name])

    def unlabel(self, title: str, name: str) -> None:
        self._edit(title, LABELS, [one for one in self.labels(title) if one != name] or None)

    def _edit(self, title: str, column: str, value: object) -> None:
        self.account.set(self._sheet, self._rows[title], **{column: value})


class MondayTool:
    """One board."""

    words: ClassVar = {
        Stage.TODO: "Not Started",
        Stage.DOING: "Working on it",
        Stage.REVIEW: "In Review",
        Stage.DONE: "Done",
    }

    def __init__(self, start: datetime, port: int) -> None:
        monday = Monday(port=port)
        self.account = monday.account
        self.account.now = start
        titled = [("Status", "status"), ("Owner", "people"), *((shown, "text") for shown in FIELDS.values())]
        self._board = self.account.new_board("People and culture", [*titled, (LABELS, "tags")])
        self._items: dict[str, Item] = {}
        self.server, self.url = monday.server, monday.url

    def at(self, now: datetime) -> None:
        self.account.now = max(self.account.now, now)

    def begin(self, work: Work) -> None:
        item = self._items[work.title] = self.account.add_item(self._board, work.title)
        self._put(item, "Status", self.words[Stage.TODO])
        if work.owner:
            self._put(item, "Owner", [work.owner])
        for name, text in work.values.items():
            self._put(item, FIELDS[name], text)

    def move(self, title: str, stage: Stage) -> None:
        self._put(self._items[title], "Status", self.words[stage])

    def fill(self, title: str, name: str, text: str) -> None:
        self._put(self._items[title], FIELDS[name], text)

    def is_write(self, request: Request) -> bool:
        return b"mutation" in request.body

    def labels(self, title: str) -> list[str]:
        return self.account.labels(self._items[title], LABELS)

    def label(self, title: str, name: str) -> None:
        self._put(self._items[title], LABELS, [*self.labels(title), name])

    def unlabel(self, title: str, name: str) -> None:
        self._put(self._items[title], LABELS, [one for one in self.labels(title) if one != name])

    def _put(self, item: Item, column: str, value: object) -> None:
        self.account.put(item, self._board.column(column), value)


def ident(name: str) -> int:
    """A number that a person keeps."""
    return PEOPLE.index(name)
