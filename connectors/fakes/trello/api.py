"""The server: every request is counted, let in or not, and led to what answers it."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from connectors.fakes.server import Answer, FakeServer, Request
from connectors.fakes.trello.refusals import (
    RefusalError,
    no_permission,
    not_found,
    plain,
    rate_limited,
    too_many_cards,
)
from connectors.fakes.trello.site import Site
from connectors.fakes.trello.state import ADA, Board, Json, chosen

KEY, TOKEN = "k3y-0f-the-p0wer-up", "ATTAs3cr3t-trell0-t0k3n"
MOST = 1000
"""Of anything in one answer."""
SECONDS, A_TOKEN, A_KEY = 10, 100, 300
"""A token's and a key's requests in so many seconds."""

Handler = Callable[..., Any]


@dataclass(frozen=True)
class Ask:
    """One request that was let in."""

    request: Request

    @property
    def query(self) -> Mapping[str, str]:
        return dict(parse_qsl(urlsplit(self.request.target).query, keep_blank_values=True))

    @property
    def body(self) -> Json:
        """A body, of JSON or of a form, and the query: they count the same."""
        text = self.request.body.decode()
        form = json.loads(text) if text.startswith("{") else dict(parse_qsl(text))
        return {**self.query, **form}

    def number(self, name: str, otherwise: int) -> int:
        text = self.query.get(name, str(otherwise))
        if not text.isdigit() or not 0 <= int(text) <= MOST:
            raise plain(400, f"invalid value for {name}")
        return int(text)


@dataclass
class Script:
    """An answer out of the ordinary for the next requests of a kind."""

    answer: Answer
    times: int
    method: str
    path: str

    def takes(self, request: Request) -> bool:
        return self.times > 0 and self.method in ("", request.method) and self.path in request.target


class Trello:
    """One Trello at `url`, until it is closed."""

    def __init__(self, site: Site | None = None, *, port: int = 0) -> None:
        self.site = site or Site()
        self.tokens = {TOKEN}
        """The tokens that are good at this moment."""
        self.clock: Callable[[], float] = time.monotonic
        self.refused = 0
        """How many requests got a 429."""
        self._window, self._used = 0.0, 0
        self._scripts: list[Script] = []
        self._found_for: tuple[str, int] = ("", 0)
        self._by_card: dict[str, list[Json]] = {}
        self._lock = threading.Lock()
        self.server = FakeServer(self.answer, port)

    @property
    def url(self) -> str:
        return f"{self.server.url}/1"

    @property
    def requests(self) -> Sequence[Request]:
        return self.server.requests

    @property
    def writing_requests(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.requests if one.method != "GET"]

    def script(self, answer: Answer, times: int = 1, method: str = "", path: str = "") -> None:
        """Let the next `times` requests with this method, whose path and query contain `path`, get this answer."""
        self._scripts.append(Script(answer, times, method, path))

    def close(self) -> None:
        self.server.close()

    # Every request

    def answer(self, request: Request) -> Answer:
        with self._lock:
            headers = self._counted()
            answer = rate_limited() if headers["X-Rate-Limit-Api-Token-Remaining"] == "-1" else self._answer(request)
        date = self.site.now.strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers["X-Rate-Limit-Api-Token-Remaining"] = headers["X-Rate-Limit-Api-Token-Remaining"].replace("-1", "0")
        return replace(answer, headers={"Date": date, **headers, **answer.headers})

    def _counted(self) -> dict[str, str]:
        """The headers that every answer has; -1 remains where there is one request too many."""
        now = self.clock()
        if now - self._window >= SECONDS:
            self._window, self._used = now, 0
        self._used += 1
        left = max(-1, A_TOKEN - self._used)
        self.refused += left < 0
        return {
            "X-Rate-Limit-Api-Token-Interval-Ms": str(SECONDS * 1000),
            "X-Rate-Limit-Api-Token-Max": str(A_TOKEN),
            "X-Rate-Limit-Api-Token-Remaining": str(left),
            "X-Rate-Limit-Api-Key-Interval-Ms": str(SECONDS * 1000),
            "X-Rate-Limit-Api-Key-Max": str(A_KEY),
            "X-Rate-Limit-Api-Key-Remaining": str(max(0, A_KEY - self._used)),
        }

    def _answer(self, request: Request) -> Answer:
        for script in self._scripts:
            if script.takes(request):
                script.times -= 1
                return script.answer
        try:
            self._let_in(request)
            found = self._route(Ask(request), [unquote(part) for part in request.path.strip("/").split("/")])
        except RefusalError as refusal:
            return refusal.answer
        return Answer(json=found)

    def _let_in(self, request: Request) -> None:
        header = request.headers.get("Authorization", "")
        found = re.fullmatch(r'OAuth oauth_consumer_key="([^"]+)", oauth_token="([^"]+)"', header)
        if found is None:
            raise plain(401, "unauthorized permission requested")
        if found[1] != KEY:
            raise plain(401, "invalid key")
        if found[2] not in self.tokens:
            raise plain(401, "invalid token")

    # Where requests go

    def _route(self, ask: Ask, parts: Sequence[str]) -> Any:
        """What the first of the routes answers that fits; `*` in a route is an id."""
        for route, handler in self._routes().items():
            method, path = route.split(" ")
            names = path.split("/")
            if parts[:1] == ["1"] and method == ask.request.method and len(names) == len(parts) - 1:
                pairs = [*zip(names, parts[1:], strict=True)]
                if all(name in ("*", part) for name, part in pairs):
                    return handler(ask, *(part for name, part in pairs if name == "*"))
        raise not_found()

    def _routes(self) -> Mapping[str, Handler]:
        return {
            "GET members/me": lambda ask: chosen(self.site.us.to_json(), ask.query.get("fields", "all")),
            "GET members/me/boards": lambda ask: self._listed(ask, self.site.boards.values()),
            "GET organizations/*/boards": self._of_organization,
            "GET boards/*": lambda ask, board: self._nested(ask, self._board(board)),
            "GET boards/*/*": lambda ask, board, part: self._part(ask, self._board(board), part),
            "GET lists/*/cards": self._cards_of_list,
            "GET cards/*": lambda ask, card: self._card(ask, self._board_of(card), card),
            "GET cards/*/*": lambda ask, card, part: self._card_part(ask, self._board_of(card), card, part),
            "POST labels": lambda ask: self._make_label(ask, self._board(str(ask.body.get("idBoard")))),
            "POST cards/*/idLabels": lambda ask, card: self._put(ask, self._writable(card), card),
            "DELETE cards/*/idLabels/*": lambda _, card, label: self._take(self._writable(card), card, label),
            "DELETE labels/*": lambda _, label: self._delete_label(label),
        }

    # Reading

    def _board(self, board: str) -> Board:
        if not re.fullmatch(r"[0-9a-f]{24}|[0-9A-Za-z]{8}", board):
            raise plain(400, "invalid id")
        try:
            found = self.site.board(board)
        except KeyError:
            raise not_found() from None
        if found.role_of(self.site.us) is None:
            raise plain(401, "unauthorized permission requested")
        return found

    def _board_of(self, card: str) -> Board:
        if not re.fullmatch(r"[0-9a-f]{24}", card):
            raise plain(400, "invalid id")
        try:
            return self._board(self.site.board_of(card).id)
        except KeyError:
            raise not_found() from None

    def _of_organization(self, ask: Ask, name: str) -> list[Json]:
        wanted = {one for one, title in self.site.organizations.items() if name in (one, title)}
        if not wanted:
            raise not_found()
        return self._listed(ask, (one for one in self.site.boards.values() if one.organization in wanted))

    def _listed(self, ask: Ask, boards: Iterable[Board]) -> list[Json]:
        ours = [board for board in boards if board.role_of(self.site.us)]
        every = ask.query.get("filter", "all") == "all"
        return [
            chosen(self._as_json(board), ask.query.get("fields", "all")) for board in ours if every or not board.closed
        ]

    @staticmethod
    def _as_json(board: Board) -> Json:
        return {
            "id": board.id, "name": board.name, "desc": "", "closed": board.closed, "url": board.url,
            "shortLink": board.short_link, "idOrganization": board.organization, "limits": board.limits,
            "dateLastActivity": board.last_activity, "nodeId": "ari:cloud:trello::board",
        }  # fmt: skip

    def _nested(self, ask: Ask, board: Board) -> Json:
        """A board with what hangs on it."""
        query, answer = ask.query, chosen(self._as_json(board), ask.query.get("fields", "all"))
        if "lists" in query:
            answer["lists"] = self._lists(board, query["lists"])
        if "labels" in query:
            answer["labels"] = [*board.labels.values()][: ask.number("labels_limit", 50)]
        if query.get("customFields") == "true":
            answer["customFields"] = self._custom_fields(board)
        if "members" in query:
            answer["members"] = [member.to_json() for member, _ in board.members.values()]
        if "memberships" in query:
            answer["memberships"] = [{"idMember": one.id, "memberType": role} for one, role in board.members.values()]
        if "checklists" in query:
            answer["checklists"] = [*board.checklists.values()]
        if "cards" in query:
            if "card_actions" in query and len(board.cards) >= MOST:
                raise too_many_cards()
            by_place = self.site.quirks.nested_in_order_of_place
            cards = sorted(self._filtered(board, query["cards"]), key=lambda card: card["pos"], reverse=not by_place)
            fields, items = query.get("card_fields", "all"), query.get("card_customFieldItems") == "true"
            answer["cards"] = self._shown(board, cards[:MOST], fields, items)
            if query.get("card_attachments") == "true":
                self._attach(board, answer["cards"], query.get("card_attachment_fields", "all"))
        return answer

    def _part(self, ask: Ask, board: Board, part: str) -> Any:
        if part == "lists":
            return self._lists(board, ask.query.get("filter", "open"))
        if part == "labels":
            return [*board.labels.values()][: ask.number("limit", 50)]
        if part == "customFields":
            return self._custom_fields(board)
        if part == "actions":
            return self._actions(ask, board.actions[: len(board.actions) - self.site.quirks.late_actions])
        if part == "cards":
            return self._cards(ask, board)
        raise not_found()

    def _cards(self, ask: Ask, board: Board) -> list[Json]:
        return self._page(ask, board, self._filtered(board, ask.query.get("filter", "visible")))

    def _cards_of_list(self, ask: Ask, place: str) -> list[Json]:
        board = next((one for one in self.site.boards.values() if place in one.lists), None)
        if board is None:
            raise not_found()
        cards = self._filtered(self._board(board.id), ask.query.get("filter", "open"))
        return self._page(ask, board, [card for card in cards if card["idList"] == place])

    def _page(self, ask: Ask, board: Board, cards: Sequence[Json]) -> list[Json]:
        """The newest of those that are older than `before` and newer than `since`, in the order of their place."""
        query = ask.query
        before, since = query.get("before", "g"), query.get("since", "")
        cards = [card for card in cards if since < card["id"] < before]
        newest = sorted(cards, key=lambda card: str(card["id"]), reverse=True)[: ask.number("limit", MOST)]
        newest.sort(key=lambda card: card["pos"])
        shown = self._shown(board, newest, query.get("fields", "all"), query.get("customFieldItems") == "true")
        if query.get("attachments") == "true":
            self._attach(board, shown, query.get("attachment_fields", "all"))
        if query.get("checklists") == "all":
            for card in shown:
                card["checklists"] = [one for one in board.checklists.values() if one["idCard"] == card["id"]]
        return shown

    @staticmethod
    def _attach(board: Board, cards: Sequence[Json], fields: str) -> None:
        for card in cards:
            attached = board.cards[card["id"]].get("attachments", [])
            card["attachments"] = [chosen(one, fields) for one in attached]

    def _filtered(self, board: Board, which: str) -> list[Json]:
        kept: dict[str, Callable[[Json], bool]] = {
            "all": lambda card: True,
            "closed": lambda card: bool(card["closed"]),
            "open": lambda card: not card["closed"],
            "visible": lambda card: not card["closed"] and not board.lists[card["idList"]]["closed"],
        }
        if which not in kept:
            raise plain(400, "invalid value for filter")
        return [card for card in board.cards.values() if kept[which](card)]

    def _shown(self, board: Board, cards: Sequence[Json], fields: str, with_items: bool) -> list[Json]:
        quirks = self.site.quirks
        if quirks.most_cards is not None and len(cards) > quirks.most_cards:
            raise too_many_cards()
        if quirks.slow_beyond is not None and len(cards) > quirks.slow_beyond:
            raise RefusalError(Answer(504, headers={"Content-Type": "text/html"}, body=b"<html>504</html>"))
        return [self._one(board, card, fields, with_items) for card in cards]

    @staticmethod
    def _one(board: Board, card: Json, fields: str, with_items: bool) -> Json:
        labels = [board.labels[label] for label in card["idLabels"]]
        answer = chosen({**card, "labels": labels}, fields)
        answer.pop("customFieldItems", None)
        if with_items and board.custom_fields_on:
            answer["customFieldItems"] = card.get("customFieldItems", [])
        return answer

    @staticmethod
    def _lists(board: Board, which: str) -> list[Json]:
        return [one for one in board.lists.values() if which == "all" or one["closed"] == (which == "closed")]

    @staticmethod
    def _custom_fields(board: Board) -> list[Json]:
        return [*board.custom_fields.values()] if board.custom_fields_on else []

    @staticmethod
    def _actions(ask: Ask, actions: Sequence[Json]) -> list[Json]:
        """Newest first; `before` and `since` are ids or dates."""
        query = ask.query
        kinds = query.get("filter", "all").split(",")
        before, since = query.get("before", ""), query.get("since", "")
        found = []
        for action in reversed(actions):
            if before and not earlier(action, before):
                continue
            if since and earlier(action, since, or_same=True):
                break
            if "all" in kinds or any(is_of_kind(action, kind) for kind in kinds):
                found.append(action)
                if len(found) == ask.number("limit", 50):
                    break
        return found

    def _card(self, ask: Ask, board: Board, card: str) -> Json:
        with_items = ask.query.get("customFieldItems") == "true"
        return self._one(board, board.cards[card], ask.query.get("fields", "all"), with_items)

    def _card_part(self, ask: Ask, board: Board, card: str, part: str) -> Any:
        parts: Mapping[str, Callable[[], Any]] = {
            "actions": lambda: self._actions(ask, self._actions_of(board, card)),
            "checklists": lambda: [one for one in board.checklists.values() if one["idCard"] == card],
            "customFieldItems": lambda: board.cards[card].get("customFieldItems", []),
            "attachments": list,
            "pluginData": list,
        }
        if part not in parts:
            raise not_found()
        return parts[part]()

    def _actions_of(self, board: Board, card: str) -> Sequence[Json]:
        """A card's actions, found once for all cards as long as none is added."""
        if self._found_for != (board.id, len(board.actions)):
            self._found_for, self._by_card = (board.id, len(board.actions)), defaultdict(list)
            for action in board.actions:
                self._by_card[action["data"].get("card", {}).get("id")].append(action)
        return self._by_card[card]

    # Writing

    def _writable(self, card: str) -> Board:
        board = self._board_of(card)
        if board.role_of(self.site.us) == "observer":
            raise no_permission()
        return board

    def _make_label(self, ask: Ask, board: Board) -> Json:
        name, color = ask.body.get("name"), ask.body.get("color")
        if board.role_of(self.site.us) == "observer":
            raise plain(401, "unauthorized permission requested")
        if not isinstance(name, str) or not 1 <= len(name) <= 16384:
            raise plain(400, "invalid value for name")
        if color is not None and not re.fullmatch(r"[a-z]+(_light|_dark)?", str(color)):
            raise plain(400, "invalid value for color")
        if len(board.labels) >= board.limits["labels"]["perBoard"]["disableAt"]:
            raise plain(403, "Board has too many labels")
        made = self.site.new_label(board, name, color, who=self.site.us)
        return {**board.labels[made], "limits": {}}

    def _put(self, ask: Ask, board: Board, card: str) -> list[str]:
        label = str(ask.body.get("value"))
        if label not in board.labels:
            raise plain(400, "invalid value for idLabels")
        if label in board.cards[card]["idLabels"]:
            raise plain(400, "that label is already on the card")
        self.site.put(card, label, self.site.us)
        return list(board.cards[card]["idLabels"])

    def _take(self, board: Board, card: str, label: str) -> Json:
        if label in board.cards[card]["idLabels"]:
            self.site.take(card, label, self.site.us)
        elif self.site.quirks.refuses_absent_labels:
            raise plain(400, "that label is not on the card")
        return {"_value": None}

    def _delete_label(self, label: str) -> Json:
        board = next((one for one in self.site.boards.values() if label in one.labels), None)
        if board is None:
            raise not_found()
        self.site.delete_label(self._board(board.id), label, self.site.us)
        return {"_value": None}


def earlier(action: Json, than: str, *, or_same: bool = False) -> bool:
    """Whether an action lies before an id or a date."""
    own = action["id"] if re.fullmatch(r"[0-9a-f]{24}", than) else action["date"]
    return bool(own < than or (or_same and own == than))


def is_of_kind(action: Json, kind: str) -> bool:
    """`updateCard`, or `updateCard:idList` for those that changed just that."""
    name, _, field = kind.partition(":")
    return bool(action["type"] == name and (not field or field in action["data"].get("old", {})))


__all__ = ["ADA", "KEY", "TOKEN", "Trello"]
