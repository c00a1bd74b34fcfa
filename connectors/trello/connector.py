"""Trello: each board a collection, its cards the work items, the list that a card is in its status."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from connectors.base import (
    Capabilities,
    ChangeResult,
    Collection,
    Cost,
    Granularity,
    MadeLabel,
    Notice,
    Option,
    Page,
    SourceSetup,
    Tidied,
)
from connectors.errors import ConnectorError, GoneError, SetupError, UnsafeError
from connectors.model import Cursor, LabelChange, StatusCategory, Transition, WorkItem
from connectors.trello.api import BASE, MOST, Api, Json, entries, is_no_leave, text, with_ids
from connectors.trello.cards import Board, by_card, is_work, names_of, parse_card
from connectors.trello.fields import Reader, parse_targets
from connectors.trello.history import Read, Step, Trace, follow, read_actions, settle, transitions
from connectors.trello.labels import LONGEST, Labeller, tidy
from connectors.trello.state import State, digest_of, parse_cursor
from connectors.trello.statuses import Place, Statuses
from connectors.wording import many

PAGE = 100
"""Cards in one transaction of the store."""

OPTIONS = (
    Option("key", "the API key of your Power-Up, from trello.com/power-ups/admin", "secret", required=True),
    Option("token", "a token of the account that reads boards and puts labels on", "secret", required=True),
    Option("workspace", "short name or id of a workspace whose boards are read; else all of the account's"),
    Option("color", 'colour of labels that are made, or "none"; people see no label without one', default="yellow"),
    Option("colors", "label -> its colour, where that is another one", "table of text"),
    Option("base_url", "where Trello's API is", default=BASE),
)


class TrelloConnector:
    """Reads the boards that one account sees. Labels are made on each board once, and go on and off one at a time."""

    system: ClassVar[str] = "trello"
    summary: ClassVar[str] = "Trello boards; labels go onto the cards"
    capabilities: ClassVar[Capabilities] = Capabilities(
        writes=Granularity.LABEL, incremental=True, history=True, label_max_length=LONGEST
    )
    options: ClassVar[tuple[Option, ...]] = OPTIONS

    def __init__(self, setup: SourceSetup) -> None:
        self._setup = setup
        self._targets = parse_targets(setup.fields)
        self._with_checklists = any(target.kind == "checklist" for target in self._targets)
        self._statuses = Statuses(setup.statuses)
        self._api = Api(setup)

    def check(self) -> Sequence[Notice]:
        """Who we are, and of each board: what its lists are taken for, what is not mapped, and may we write?"""
        me = self._api.me()
        boards = self.collections()
        who = text(me, "fullName") or text(me, "username") or "somebody"
        notices = [Notice("fine", f"signed in as {who}; reads {many(len(boards), 'board')}")]
        if not boards:
            notices.append(Notice("warning", "no board is read; add the account to one, or correct workspace"))
        for board in boards:
            notices += self._check_board(board, str(me.get("id")))
        return notices

    def collections(self) -> Sequence[Collection]:
        """The boards that config names by id, short link, address or name, or all open ones that can be seen.

        One that is named and closed is among them: its `pull` says so. Raises `SetupError` for one that is not there.
        """
        found = self._api.boards(self._setup.options.get("workspace"))
        if self._setup.collections:
            chosen = [self._named(wanted, found) for wanted in self._setup.collections]
        else:
            chosen = [board for board in found if not board.get("closed")]
        unique = {board["id"]: as_collection(board) for board in chosen}
        return [unique[board] for board in sorted(unique)]

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        """All cards if anything on the board changed since `cursor`, with the moves since then; else none.

        A board is read as a whole or not at all, so its pages are `full` together; only the last has a cursor.
        """
        known = parse_cursor(cursor)
        raw = self._board(collection, cards=known is None or not known.is_big)
        is_big = "cards" not in raw or len(entries(raw["cards"])) >= MOST
        cards = raw.pop("cards", []) if is_big else raw["cards"]
        state = State(digest_of(raw), is_big, None, None)
        if known and known.digest == state.digest and not known.is_old(self._api.now):
            yield Page(cursor=cursor, complete=True)
            return
        if is_big:  # which thousand a board comes with is not documented; pages are by age
            cards = [*self._api.cards(collection.native_id, checklists=self._with_checklists)]
        yield from self._pages(self._look(collection, raw, cards, known), state)

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        if not self._setup.writable:
            raise UnsafeError("this run may not write", "start it with --apply")
        options = self._setup.options
        labeller = Labeller(self._api, collection, options.get("colors") or {}, options.get("color") or "yellow")
        for change in changes:
            yield labeller.write(change)

    def tidy(self, collection: Collection, made: Sequence[MadeLabel]) -> Iterator[Tidied]:
        if not self._setup.writable:
            raise UnsafeError("this run may not write", "start it with --apply")
        yield from tidy(self._api, collection, made)

    @property
    def traffic(self) -> Cost:
        return self._api.traffic

    def close(self) -> None:
        self._api.close()

    # Reading

    def _named(self, wanted: str, found: Sequence[Json]) -> Json:
        """The board that config means."""
        link = short_link(wanted)
        by_id = [board for board in found if wanted == board["id"] or (link and link == board.get("shortLink"))]
        by_name = [board for board in found if wanted == text(board, "name")]
        by_name = [board for board in by_name if not board.get("closed")] or by_name
        if len(by_name) > 1 and not by_id:
            links = " and ".join(sorted(text(board, "shortLink") for board in by_name))
            raise SetupError(f'{len(by_name)} boards are called "{wanted}"', f"name the short link of one: {links}")
        return next(iter(by_id or by_name), None) or self._asked_for(wanted, link)

    def _asked_for(self, wanted: str, link: str | None) -> Json:
        """A board that the account is no member of and may see all the same."""
        if link:
            try:
                return self._api.board(link)
            except ConnectorError as error:
                if not (is_no_leave(error) or isinstance(error, GoneError | SetupError)):
                    raise
        hint = "correct its name in collections, or add the account to it"
        raise SetupError(f'there is no board "{wanted}" that this account sees', hint)

    def _board(self, collection: Collection, *, cards: bool) -> Json:
        try:
            board = self._api.board(collection.native_id, cards=cards, checklists=self._with_checklists)
        except ConnectorError as error:
            if is_no_leave(error) or isinstance(error, GoneError):
                problem = GoneError(
                    f'the board "{collection.name}" is not there any more, or not for this account',
                    "add the account to it again, or take it out of collections",
                )
                problem.refusal = error.refusal
                raise problem from None
            raise
        if board.get("closed"):
            raise GoneError(f'the board "{collection.name}" is closed', "reopen it, or take it out of collections")
        return board

    def _look(self, collection: Collection, raw: Json, cards: Sequence[Json], known: State | None) -> _Look:
        """Read what moved the cards, and put everything together."""
        places = self._places(raw, cards, collection.native_id)
        work = [card for card in cards if is_work(card)]
        traces = known.traces if known else {}
        unproved = {} if known else {card["id"]: str(card.get("idList")) for card in work if not card.get("closed")}
        pages = self._api.actions(collection.native_id, known.since if known else None)
        board = Board(
            id=collection.native_id,
            name=text(raw, "name") or collection.name,
            places=places,
            members=names_of(with_ids(raw.get("members"))),
            checklists=by_card(with_ids(raw.get("checklists"))),
            reader=Reader(self._targets, with_ids(raw.get("customFields")), self._setup.timezone),
            of_archived=self._statuses.of_archived,
        )
        read = read_actions(pages, unproved)
        newest = read.newest or (known.newest if known else None)
        return _Look(board, work, replace(read, newest=newest), traces, self._setup.name)

    def _places(self, raw: Json, cards: Sequence[Json], board: str) -> Mapping[str, Place]:
        """The lists by id; asked for again where a card is in one that was made a moment ago."""
        lists = with_ids(raw.get("lists"))
        if {card.get("idList") for card in cards} - {one["id"] for one in lists}:
            lists = with_ids(self._api.board(board).get("lists"))
        return {one["id"]: self._statuses.place(one) for one in lists}

    def _pages(self, look: _Look, state: State) -> Iterator[Page]:
        traces = look.traces()
        state = replace(state, read_at=self._api.now, newest=look.read.newest, traces=traces)
        items, moves, skipped = look.items(traces)
        pieces = [items[start : start + PAGE] for start in range(0, len(items), PAGE)] or [[]]
        for number, piece in enumerate(pieces, start=1):
            page = Page(tuple(piece), tuple(step for item in piece for step in moves[item.ref.native_id]))
            if number < len(pieces):
                yield page
            else:  # a card that could not be read is neither gone nor done with
                whole = replace(page, skipped=tuple(skipped), complete=True, full=not skipped)
                yield whole if skipped else replace(whole, cursor=state.to_cursor())

    # Checking

    def _check_board(self, board: Collection, me: str) -> Iterator[Notice]:
        try:
            raw = self._board(board, cards=False)
        except ConnectorError as error:
            yield Notice("problem", f"{board.name}: {error}")
            return
        places = [self._statuses.place(one) for one in with_ids(raw.get("lists")) if not one.get("closed")]
        yield Notice("fine", f"{board.name}: {in_words(places)}")
        if unclear := [place.name for place in places if place.category is None]:
            names = ", ".join(f'"{name}"' for name in unclear)
            yield Notice(
                "warning", f"{board.name}: what the lists {names} stand for is not known; add them to statuses"
            )
        for target in Reader(self._targets, with_ids(raw.get("customFields")), None).missing:
            missing = f'there is no custom field "{target.name}", so {target.column} is unknown'
            yield Notice("warning", f"{board.name}: {missing}; add it there, or correct its name")
        roles = {one.get("idMember"): one.get("memberType") for one in raw.get("memberships") or () if is_entry(one)}
        if roles.get(me) == "observer":
            yield Notice("problem", f"{board.name}: this account only observes and cannot label; make it a member")
        for name, status in limits(raw):
            yield Notice("warning", f"{board.name}: close to Trello's limit of {name} ({status}); tidy up")


@dataclass(frozen=True, slots=True)
class _Look:
    """All that was read of a board."""

    board: Board
    cards: Sequence[Json]
    read: Read
    known: Mapping[str, Trace]
    source: str

    def traces(self) -> dict[str, Trace]:
        """Where each card is."""
        places = self.board.places.values()
        underway = {place.id for place in places if place.category is StatusCategory.IN_PROGRESS}
        led_to, known = follow(self.read.steps, self.known, underway), self.known
        return {
            card["id"]: settle(card, led_to.get(card["id"]), known.get(card["id"]), self.read) for card in self.cards
        }

    def items(self, traces: Mapping[str, Trace]) -> tuple[list[WorkItem], dict[str, list[Transition]], list[str]]:
        """The work items, the moves of each, and a sentence for each card that could not be read."""
        steps = defaultdict[str, list[Step]](list)
        for step in self.read.steps:
            steps[step.card].append(step)
        items: list[WorkItem] = []
        moves: dict[str, list[Transition]] = {}
        skipped: list[str] = []
        places, archived = self.board.places, self.board.of_archived
        for card in self.cards:
            try:
                item = parse_card(card, self.board, traces[card["id"]], self.source)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                skipped.append(f"the card {card['id']} cannot be read ({type(error).__name__}); please report it")
            else:
                known = self.known.get(card["id"])
                items.append(item)
                moves[card["id"]] = [*transitions(steps[card["id"]], known, item.ref, places, archived)]
        return items, moves, skipped


# Pure functions


def as_collection(board: Json) -> Collection:
    return Collection(board["id"], text(board, "name") or board["id"], text(board, "url") or None)


def short_link(wanted: str) -> str | None:
    """The id or the short link in what people copy: an address, or one of the two."""
    if "://" in wanted:
        return wanted.partition("/b/")[2].partition("/")[0] or None
    return wanted if wanted.isascii() and wanted.isalnum() else None


def in_words(places: Sequence[Place]) -> str:
    """What the lists of a board are taken for, and how that is known."""
    said = {"config": "by config", "type": "by its type", "name": "by its name"}
    known = [f'"{one.name}" is {one.category.replace("_", " ")} {said[one.known_by]}' for one in places if one.category]
    return ", ".join(known) or "no list is known for what it stands for"


def is_entry(value: Any) -> bool:
    return isinstance(value, dict)


def limits(board: Json) -> Iterator[tuple[str, str]]:
    """Limits of Trello that a board is close to, or has reached."""
    groups = board.get("limits")
    for thing, of_thing in groups.items() if isinstance(groups, dict) else ():
        for one in of_thing.values() if isinstance(of_thing, dict) else ():
            status = one.get("status") if isinstance(one, dict) else None
            if status not in (None, "ok"):
                yield thing, str(status)
