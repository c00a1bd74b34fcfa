"""monday.com: each board a collection, its items the work items, labels in a tags or dropdown column of the board."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from connectors.base import (
    Capabilities,
    ChangeResult,
    Collection,
    Cost,
    Granularity,
    Notice,
    Option,
    Page,
    SourceSetup,
    Traced,
)
from connectors.errors import AccessError, ConnectorError, GoneError, SetupError, UnsafeError
from connectors.model import Cursor, ItemRef, LabelChange
from connectors.monday.api import BASE_URL, GOOD_VERSIONS, IDS_AT_ONCE, Api
from connectors.monday.boards import Board, chosen, is_id, parse_board
from connectors.monday.columns import CARRIERS, GROUP, LABELS, MOST_FORMULAS, Layout, Roles, lay_out
from connectors.monday.items import Place, Setting, fate_of
from connectors.monday.reading import MOST, State, changed_since, digest_of, parse_cursor, read
from connectors.monday.statuses import Statuses
from connectors.monday.writing import BATCH, FORBIDDEN, LONGEST, Writing, label_column
from connectors.turn import alone
from connectors.wording import many

DEFAULT_LABELS = "PMO labels"


class MondayConnector:
    """Reads whole boards once a day, and what changed in between; writes into one column that config names."""

    system: ClassVar[str] = "monday"
    summary: ClassVar[str] = "monday.com boards; labels go into a tags or dropdown column of each board"
    capabilities: ClassVar[Capabilities] = Capabilities(
        writes=Granularity.ITEM,
        incremental=True,
        batch=BATCH,
        label_max_length=LONGEST,
        label_forbids=FORBIDDEN,
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option("token", "an API token of the account that reads and writes", "secret", required=True),
        Option("workspaces", "read the boards of these workspaces only, by id or name", "list of text"),
        Option("subitems", "read the subitems of each board too", "yes/no", default=True),
        Option("label_column", "the tags or dropdown column for labels, by title or id", default=DEFAULT_LABELS),
        Option("daily_calls", "calls a day that this source may make, of those of your plan", "integer", default=1000),
        Option("sweep_hours", "how often to look for vanished items", "integer", default=24),
        Option("page_size", "items fetched at a time, up to 500", "integer", default=MOST),
        Option("base_url", "where the API is", default=BASE_URL),
    )

    def __init__(self, setup: SourceSetup) -> None:
        self._setup = setup
        options: dict[str, Any] = {one.name: setup.options.get(one.name, one.default) for one in self.options}
        self._workspaces = [str(name) for name in options["workspaces"] or ()]
        self._subitems = bool(options["subitems"])
        self._sweep = timedelta(hours=max(0, int(options["sweep_hours"])))
        self._page_size = min(MOST, max(1, int(options["page_size"])))
        self._label_column = str(options["label_column"])
        self._roles = Roles(setup.fields, self._label_column)
        self._roles.check()
        self._setting = Setting(setup.name, setup.timezone, Statuses(setup.statuses))
        self._api = Api(setup, int(options["daily_calls"]) - setup.calls_today)
        self._boards: dict[str, Board] = {}
        """The boards that are read, as they were listed in this run."""
        self._layouts: dict[str, Layout] = {}
        """Of the boards that were pulled in this run: a column that was renamed is known by what the cursor held."""

    def check(self) -> Sequence[Notice]:
        """Who we are, and for each board which column is what, and whether labels can be written."""
        me = self._api.me()
        boards = [self._boards[one.native_id] for one in self.collections()]
        who = str(me.get("name") or me.get("email") or "somebody")
        pages = sum(map(self._pages, boards))
        notices = [
            Notice("fine", f"signed in as {who}; reads {many(len(boards), 'board')}, in about {1 + pages} calls")
        ]
        if (kind := self._api.version.get("kind")) and kind not in GOOD_VERSIONS:
            notices.append(
                Notice(
                    "warning",
                    f"monday.com serves its API as version {self._api.version['value']} ({kind}); update unstuck",
                )
            )
        if not boards:
            notices.append(Notice("warning", "no board is read; let this account see one, or correct workspaces"))
        for board in boards:
            notices += self._check_board(board)
        return notices

    def collections(self) -> Sequence[Collection]:
        self._boards = chosen(self._api, self._setup.collections, self._workspaces, subitems=self._subitems)
        self._api.require(len(self._boards))
        return [board.as_collection() for board in self._boards.values()]

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        """What changed since `cursor`, or all items where that is to be looked for, or is read otherwise by now."""
        known = parse_cursor(cursor)
        board = self._board(collection)
        place = self._place(board, known)
        digest, began = digest_of(place), self._api.now
        base = known if known and known.digest == digest and not self._is_due(known, began, board) else None
        if base is None:
            self._api.require(self._pages(board))
        last, steady = yield from read(self._api, place, self._page_size, changed_since(base) if base else None)
        after = None
        if steady and began:
            after = State(began, base.swept if base else began, place.layout.remembered, digest)
        yield replace(last, cursor=after.to_cursor() if after else None, complete=True, full=steady and base is None)

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        """Alone: data is corrupted by who writes into one board at the same time.

        https://developer.monday.com/api-reference/docs/development-best-practices
        """
        if not self._setup.writable:
            raise UnsafeError("this run may not write", "start it with --apply")
        board = self._board(collection)
        column = label_column(self._layouts.get(board.id) or lay_out(board.columns, self._roles, {}))
        if not board.may_edit:
            raise AccessError("this account may only view the board", "let its owner make it an editor")
        with alone(self.system, board.id, self._setup.stopping):
            yield from Writing(self._api, board, column).write(changes)

    def trace(self, collection: Collection, refs: Sequence[ItemRef]) -> Iterator[Traced]:
        """A board's items are the active ones only: those that are archived vanish like those that are deleted."""
        for at in range(0, len(refs), IDS_AT_ONCE):
            piece = refs[at : at + IDS_AT_ONCE]
            found = self._api.states([ref.native_id for ref in piece])
            yield from (Traced(ref, fate_of(found.get(ref.native_id), collection.native_id)) for ref in piece)

    def prepare(self, collection: Collection, *, really: bool) -> Sequence[str]:
        """Add the tags column for labels that config names and the board does not have."""
        board = self._board(collection)
        if lay_out(board.columns, self._roles, {})[LABELS]:
            return []
        if really:
            with alone(self.system, board.id, self._setup.stopping):
                self._api.add_column(board.id, self._label_column, CARRIERS[0])
        return [f'column "{self._label_column}", Tags']

    @property
    def traffic(self) -> Cost:
        return self._api.traffic

    def close(self) -> None:
        self._api.close()

    # The calls of a day

    def calls_made(self) -> int:
        return self._api.calls

    @classmethod
    def calls_a_day(cls, setup: SourceSetup) -> tuple[int, int]:
        """As configured; and one call for the boards, and one for each of them."""
        return int(setup.options["daily_calls"]), 1 + max(1, len(setup.collections))

    # One board

    def _board(self, collection: Collection) -> Board:
        number = collection.native_id
        if number not in self._boards:
            found = list(self._api.boards([number])) if is_id(number) else []
            if not found:
                raise GoneError(
                    f'there is no board "{collection.name}" that this account sees',
                    "take it out of collections, or let the account see it",
                )
            self._boards[number] = parse_board(found[0])
        return self._boards[number]

    def _project(self, board: Board) -> str:
        """The name of the board, or of the one whose subitems lie on it."""
        above = (one.name for one in self._boards.values() if board.id in one.subitems)
        return next(above, board.name) if board.is_of_subitems else board.name

    def _place(self, board: Board, known: State | None) -> Place:
        layout = lay_out(board.columns, self._roles, known.columns if known else {})
        self._refuse_lost_labels(layout, known)
        self._layouts[board.id] = layout
        return Place.of(board, layout, self._setting, self._project(board))

    def _pages(self, board: Board) -> int:
        """How many calls it takes to read all of a board."""
        return max(1, -(-board.items // self._page_size))

    def _is_due(self, known: State, now: datetime | None, board: Board) -> bool:
        """Whether all of a board is to be read; that waits for another day if too few calls are left for it."""
        late = now is None or now - known.swept >= self._sweep
        return late and self._pages(board) <= self._api.left

    def _refuse_lost_labels(self, layout: Layout, known: State | None) -> None:
        """A label column that is gone is not people taking every label off."""
        column = layout[LABELS]
        if known and LABELS in known.columns and (column is None or column.type not in CARRIERS):
            raise SetupError(
                f'the column "{self._label_column}" with our labels is gone from the board, or is of another type now',
                "put it back, or take unstuck off the board with `unstuck retire`",
            )

    # Checking

    def _check_board(self, board: Board) -> Iterator[Notice]:
        try:
            layout = lay_out(board.columns, self._roles, {})
        except ConnectorError as error:
            yield Notice("problem", f"{board.name}: {error}")
            return
        yield Notice("fine", f"{board.name}: {described(layout)}")
        for role, name in sorted(layout.missing.items() & self._setup.fields.items()):
            yield Notice("warning", f'{board.name} has no column "{name}", so {role} is unknown there')
        status = layout["status"]
        if status and status.type != "status" and status.id != GROUP:
            yield Notice(
                "warning", f"{board.name}: the {status} is no status, so since when it holds is seen by us only"
            )
        if sum(column.type == "formula" for column in layout.columns.values()) > MOST_FORMULAS:
            yield Notice("warning", f"{board.name}: monday.com answers {MOST_FORMULAS} formulas at a time; map fewer")
        if not board.may_edit:
            yield Notice("warning", f"{board.name} is for us to view only: no label can be written")
        try:
            label_column(layout)
        except SetupError as error:
            yield Notice("warning", f"{board.name}: {error}")


def described(layout: Layout) -> str:
    """Which column is what, for people; guesses are marked."""
    parts = [
        f'{role} is "{column.title}"{" (guessed)" if role in layout.guessed else ""}'
        for role, column in sorted(layout.columns.items())
    ]
    return ", ".join(parts) or "no column is known"
