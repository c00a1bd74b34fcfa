"""What a Trello holds, and what its people do in it: the back door.

Nothing here speaks HTTP. Every edit takes a second of the site's own clock, is noted in the log, and leaves the actions
that a real Trello leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.fakes.trello.state import ADA, US, Board, Entry, Json, Member, Quirks, Role, text_of

TICK = timedelta(seconds=1)
LISTS = ("To Do", "Doing", "Done")


class Site:
    """The site's own mind."""

    def __init__(self, now: datetime = datetime(2026, 3, 20, 12, tzinfo=UTC)) -> None:
        self.now = now
        self.us = US
        self.quirks = Quirks()
        self.boards: dict[str, Board] = {}
        self.organizations: dict[str, str] = {}
        """Id -> name."""
        self.log: list[Entry] = []
        self._numbers = 0

    # What there is

    def board(self, board: str) -> Board:
        """By id or short link. Raises `KeyError`."""
        return next((one for one in self.boards.values() if one.short_link == board), None) or self.boards[board]

    def board_of(self, card: str) -> Board:
        for board in self.boards.values():
            if card in board.cards:
                return board
        raise KeyError(card)

    def card(self, card: str) -> Json:
        return self.board_of(card).cards[card]

    def labels_of(self, card: str) -> list[str]:
        """Names of the labels on a card, in their order."""
        board = self.board_of(card)
        return [board.labels[label]["name"] for label in board.cards[card]["idLabels"]]

    def list_of(self, board: Board, name_or_id: str) -> Json:
        """By id, or the first of that name. Raises `KeyError`."""
        for one in board.lists.values():
            if name_or_id in (one["id"], one["name"]):
                return one
        raise KeyError(name_or_id)

    def writes(self) -> list[str]:
        """What our account wrote."""
        return [entry.what for entry in self.log if entry.who == self.us]

    def everything(self) -> object:
        """All that could change by a write."""
        return deepcopy((self.boards, self.log))

    def new_id(self) -> str:
        """As Trello's: 8 digits of the second, then a number that is used once."""
        self._numbers += 1
        return f"{int(self.now.timestamp()):08x}{self._numbers:016x}"

    # Making things

    def new_organization(self, name: str) -> str:
        self.organizations[made := self.new_id()] = name
        return made

    def new_board(self, name: str, *lists: str, organization: str | None = None, role: Role = "normal") -> Board:
        self._tick()
        board = Board(self.new_id(), name, f"b{self._numbers:07}", organization)
        board.members = {ADA.id: (ADA, "admin"), US.id: (US, role)}
        self.boards[board.id] = board
        self._act(board, ADA, "createBoard")
        for one in lists or LISTS:
            self.new_list(board, one)
        return board

    def new_list(self, board: Board, name: str, **fields: Any) -> str:
        self._tick()
        made = self.new_id()
        board.lists[made] = {
            "id": made, "name": name, "closed": False, "idBoard": board.id, "pos": self._numbers, **fields,
        }  # fmt: skip
        self._act(board, ADA, "createList", list={"id": made, "name": name})
        return made

    def new_label(self, board: Board, name: str, color: str | None = "green", who: Member = ADA) -> str:
        self._tick()
        made = self.new_id()
        board.labels[made] = {"id": made, "idBoard": board.id, "name": name, "color": color}
        self.log.append(Entry(who, f"made label {name}"))
        self._touch(board)
        return made

    def new_field(self, board: Board, name: str, kind: str = "text", *options: str) -> str:
        made = self.new_id()
        choices = [{"id": self.new_id(), "idCustomField": made, "value": {"text": text}} for text in options]
        board.custom_fields[made] = {
            "id": made, "idModel": board.id, "name": name, "type": kind, **({"options": choices} if choices else {}),
        }  # fmt: skip
        return made

    def new_card(self, board: Board, name: str, to: str = "", **fields: Any) -> str:
        """A person makes a card, in the first list unless another is named."""
        self._tick()
        made, number = self.new_id(), board.numbers + 1
        board.numbers = number
        place = self.list_of(board, to) if to else next(iter(board.lists.values()))
        link = f"c{self._numbers:07}"
        board.cards[made] = {
            "id": made, "name": name, "desc": "", "closed": False, "idBoard": board.id, "idList": place["id"],
            "idLabels": [], "idMembers": [], "due": None, "dueComplete": False, "start": None, "idShort": number,
            "shortLink": link, "shortUrl": f"https://trello.com/c/{link}", "isTemplate": False, "cardRole": None,
            "mirrorSourceId": None, "dateLastActivity": text_of(self.now), "pos": self._numbers,
            "email": f"user+secret{number}@boards.trello.com", "customFieldItems": [],
            "url": f"https://trello.com/c/{link}/{number}", "idChecklists": [],
            "badges": {"checkItems": 0, "comments": 0}, **fields,
        }  # fmt: skip
        self._act(board, ADA, "createCard", card=self._named(board, made), list=named(place))
        self.log.append(Entry(ADA, f"made {name}"))
        return made

    # What people do

    def pass_time(self, time: timedelta) -> None:
        self.now += time

    def move(self, card: str, to: str, who: Member = ADA) -> None:
        """Into another list of the same board."""
        board = self.board_of(card)
        before, after = board.lists[board.cards[card]["idList"]], self.list_of(board, to)
        self._edit(card, f"moved to {to}", who, idList=after["id"])
        data = {"old": {"idList": before["id"]}, "listBefore": named(before), "listAfter": named(after)}
        self._act(board, who, "updateCard", card=self._named(board, card) | {"idList": after["id"]}, **data)

    def move_to_board(self, card: str, to: Board, list_name: str) -> None:
        """The id stays; labels stay behind."""
        board, place = self.board_of(card), self.list_of(to, list_name)
        self._edit(card, f"moved to board {to.name}", ADA, idBoard=to.id, idList=place["id"], idLabels=[])
        entry = board.cards.pop(card)
        to.cards[card] = entry
        board.actions = [one for one in board.actions if one["data"].get("card", {}).get("id") != card]
        left = {"card": {"id": card}, "list": {"id": "", "name": ""}}
        self._act(board, ADA, "moveCardFromBoard", **left)
        self._act(to, ADA, "moveCardToBoard", card=self._named(to, card), list=named(place))

    def archive(self, card: str, closed: bool = True, who: Member = ADA) -> None:
        board = self.board_of(card)
        place = board.lists[board.cards[card]["idList"]]
        gone = {"dateClosed": text_of(self.now + TICK)} if closed else {"dateClosed": None}
        self._edit(card, "archived" if closed else "sent back", who, closed=closed, **gone)
        data = {"old": {"closed": not closed}, "list": named(place)}
        self._act(board, who, "updateCard", card=self._named(board, card) | {"closed": closed}, **data)

    def edit(self, card: str, who: Member = ADA, **fields: Any) -> None:
        """Give fields other values."""
        before = {name: self.card(card).get(name) for name in fields}
        self._edit(card, f"edited {', '.join(fields)}", who, **fields)
        board = self.board_of(card)
        self._act(board, who, "updateCard", card=self._named(board, card) | fields, old=before)

    def fill(self, card: str, field: str, **value: Any) -> None:
        """Set a custom field: `text=`, `number=`, `date=`, `checked=`, or `option=` by its text. No trace is left."""
        board = self.board_of(card)
        definition = next(one for one in board.custom_fields.values() if one["name"] == field)
        item: Json = {"id": self.new_id(), "idCustomField": definition["id"], "value": value}
        if "option" in value:
            options = {one["value"]["text"]: one["id"] for one in definition["options"]}
            item |= {"idValue": options[value["option"]], "value": None}
        others = [one for one in self.card(card)["customFieldItems"] if one["idCustomField"] != definition["id"]]
        self.card(card)["customFieldItems"] = [*others, item]

    def add_checklist(self, card: str, name: str, *items: str) -> None:
        board, made = self.board_of(card), self.new_id()
        entries = [{"id": self.new_id(), "name": text, "state": "incomplete", "pos": n} for n, text in enumerate(items)]
        board.checklists[made] = {"id": made, "name": name, "idCard": card, "pos": self._numbers, "checkItems": entries}
        self._edit(card, f"checklist {name}", ADA)

    def attach(self, card: str, url: str, *, upload: bool = False) -> None:
        """A person attaches an address, or uploads a file."""
        attached = self.card(card).setdefault("attachments", [])
        attached.append({"id": self.new_id(), "url": url, "name": url, "isUpload": upload})
        self._edit(card, "attached an address", ADA)

    def label(self, card: str, name: str, who: Member = ADA) -> None:
        """Put a label on by its name, which is made if the board has none of it."""
        board = self.board_of(card)
        known = [label for label, one in board.labels.items() if one["name"] == name]
        self.put(card, known[0] if known else self.new_label(board, name, who=who), who)

    def unlabel(self, card: str, name: str, who: Member = ADA) -> None:
        for label in [one for one in self.card(card)["idLabels"] if self.board_of(card).labels[one]["name"] == name]:
            self.take(card, label, who)

    def put(self, card: str, label: str, who: Member) -> None:
        labels = [*self.card(card)["idLabels"], label]
        self._edit(card, f"+{self.board_of(card).labels[label]['name']}", who, idLabels=labels)

    def take(self, card: str, label: str, who: Member) -> None:
        labels = [one for one in self.card(card)["idLabels"] if one != label]
        self._edit(card, f"-{self.board_of(card).labels[label]['name']}", who, idLabels=labels)

    def delete_label(self, board: Board, label: str, who: Member = ADA) -> None:
        """It goes off every card."""
        self._tick()
        name = board.labels.pop(label)["name"]
        for card in board.cards.values():
            card["idLabels"] = [one for one in card["idLabels"] if one != label]
        self.log.append(Entry(who, f"deleted label {name}"))
        self._touch(board)

    def delete(self, card: str) -> None:
        """Its actions go with it."""
        board = self.board_of(card)
        self._tick()
        del board.cards[card]
        board.actions = [one for one in board.actions if one["data"].get("card", {}).get("id") != card]
        self._act(board, ADA, "deleteCard", card={"id": card})
        self.log.append(Entry(ADA, "deleted a card"))

    def change_list(self, board: Board, which: str, /, **fields: Any) -> None:
        """Rename or archive a list; its cards stay as they are."""
        self._tick()
        place = self.list_of(board, which)
        before = {field: place.get(field) for field in fields}
        place.update(fields)
        self._act(board, ADA, "updateList", list=named(place) | fields, old=before)

    # What every edit does

    def _edit(self, card: str, what: str, who: Member, **fields: Any) -> None:
        self._tick()
        self.card(card).update(fields, dateLastActivity=text_of(self.now))
        self.log.append(Entry(who, what))
        self._touch(self.board_of(card))

    def _act(self, board: Board, who: Member, kind: str, **data: Any) -> None:
        action = {
            "id": self.new_id(), "idMemberCreator": who.id, "type": kind, "date": text_of(self.now),
            "data": {"board": {"id": board.id, "name": board.name}, **data}, "memberCreator": who.to_json(),
        }  # fmt: skip
        board.actions.append(action)
        self._touch(board)

    def _touch(self, board: Board) -> None:
        board.last_activity = text_of(self.now)

    def _tick(self) -> None:
        self.now += TICK

    @staticmethod
    def _named(board: Board, card: str) -> Json:
        entry = board.cards[card]
        return {name: entry[name] for name in ("id", "name", "idShort", "shortLink")}

    def all_cards(self) -> Iterator[Json]:
        for board in self.boards.values():
            yield from board.cards.values()


def named(place: Json) -> Json:
    """A list as actions show it: with the name that it had then."""
    return {"id": place["id"], "name": place["name"]}
