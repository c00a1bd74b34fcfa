"""Requests: everything that reaches Trello goes through py-trello's `fetch_json`, and so through our transport.

Of py-trello only that is used. Its objects ask again for each card, bring along what must not be stored (`fields=all`
holds each card's secret e-mail address), and give up on labels after the fiftieth. Endpoints and their limits:
https://developer.atlassian.com/cloud/trello/rest/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from connectors.base import Cost, SourceSetup
from connectors.errors import AccessError, AuthError, BusyError, ConnectorError, InputError, SetupError

if TYPE_CHECKING:
    import requests
    from trello import TrelloClient

Json = dict[str, Any]

BASE = "https://api.trello.com/1"
"""What py-trello has built in."""
MOST = 1000
"""Of cards, actions or labels in one answer."""
LEAST = 25
"""Cards in one answer, where Trello finds more too many."""

BOARD_FIELDS = "name,closed,shortLink,url,dateLastActivity,limits"
CARD_FIELDS = (
    "name,desc,closed,idList,labels,due,dateLastActivity,shortLink,shortUrl,isTemplate,cardRole,mirrorSourceId,"
    "dateClosed,dateCompleted,idMembers"
)
"""Those that are read, and no other: `all` holds the address at which a card takes mail, which is a secret."""
LABEL_FIELDS = "name,color"
ATTACHMENT_FIELDS = "url,isUpload"

MOVES = (
    "updateCard:idList,updateCard:closed,createCard,copyCard,emailCard,convertToCardFromCheckItem,moveCardToBoard,"
    "createBoard,copyBoard"
)
"""Of a board's actions, the third that says where its cards are, and the one that it began with."""


@dataclass(frozen=True, slots=True)
class _Answered:
    """What `fetch_json` looks at of an answer, whose JSON is read as all of ours is: `requests` does it slowly."""

    _response: requests.Response

    @property
    def status_code(self) -> int:
        return self._response.status_code

    @property
    def text(self) -> str:
        return self._response.text

    def json(self) -> Any:
        from connectors.http.answers import parsed

        return parsed("Trello", self._response.content)


class _Service:
    """What py-trello sends its requests with: `Http`'s session, with what no client of Trello says by itself."""

    def __init__(self, session: requests.Session) -> None:
        self._session = session
        self.now: datetime | None = None
        """The host's own clock, as its last answer gave it."""

    def request(
        self, method: str, url: str, *, params: Any = None, headers: Any = None, data: Any = None, **_: Any
    ) -> _Answered:
        """One request. Putting a label on does no harm when it is sent twice."""
        import requests

        from connectors.http import Promise, server_time

        promise = Promise.REPEATABLE if method == "POST" and url.endswith("/idLabels") else None
        wanted = requests.Request(method, url, params=params, headers=headers, data=data)
        response = self._session.send(self._session.prepare_request(wanted), promise=promise)
        self.now = server_time(response.headers) or self.now
        return _Answered(response)


class Api:
    """One account's way to its boards. Every method raises a `ConnectorError`, and nothing else."""

    def __init__(self, setup: SourceSetup) -> None:
        """Raises `SetupError` for a key or token that cannot be one."""
        from connectors.http import Credentials, Http, TrelloPolicy

        key, token = (str(setup.options.get(name) or "") for name in ("key", "token"))
        for name, value in (("key", key), ("token", token)):
            if not re.fullmatch(r"[\w-]+", value):
                raise SetupError(f"the {name} is none", "copy it anew from https://trello.com/power-ups/admin")
        header = f'OAuth oauth_consumer_key="{key}", oauth_token="{token}"'
        self._http = Http(
            str(setup.options.get("base_url") or BASE),
            Credentials.header(header, key, token),
            writable=setup.writable,
            policy=TrelloPolicy(),
            stopping=setup.stopping,
            known_as=BASE,
        )
        self._service = _Service(self._http.session)
        self._made: TrelloClient | None = None

    @property
    def now(self) -> datetime | None:
        """The time by Trello's clock when it last answered."""
        return self._service.now

    @property
    def traffic(self) -> Cost:
        return self._http.traffic

    def close(self) -> None:
        self._http.close()

    # Reading

    def me(self) -> Json:
        return mapping(self._get("members/me", fields="username,fullName"))

    def boards(self, workspace: str | None) -> list[Json]:
        """All boards of ours, or those of a workspace, closed ones too."""
        owner = f"organizations/{segment(workspace)}" if workspace else "members/me"
        return entries(self._get(f"{owner}/boards", fields=BOARD_FIELDS, filter="all"))

    def board(self, board: str, *, cards: bool = False, checklists: bool = False) -> Json:
        """A board with its lists, labels, custom fields and members, and with its cards if there are few.

        `cards` may be missing in the answer although they were asked for: Trello refuses to nest many.
        """
        nested = {
            "fields": BOARD_FIELDS,
            "lists": "all",
            "labels": "all",
            "label_fields": LABEL_FIELDS,
            "labels_limit": MOST,
            "customFields": "true",
            "members": "all",
            "member_fields": "username,fullName",
            "memberships": "all",
        }
        with_cards = {
            "cards": "all",
            "card_fields": CARD_FIELDS,
            "card_customFieldItems": "true",
            "card_attachments": "true",
            "card_attachment_fields": ATTACHMENT_FIELDS,
        }
        with_checklists = {"checklists": "all"} if checklists else {}
        path = f"boards/{segment(board)}"
        if cards:
            try:
                return mapping(self._get(path, **nested, **with_cards, **with_checklists))
            except ConnectorError as error:
                if not is_too_much(error):
                    raise
        return mapping(self._get(path, **nested))

    def cards(self, board: str, *, checklists: bool = False) -> Iterator[Json]:
        """All cards of a board with all that is read of them, each once."""
        more = {"checklists": "all"} if checklists else {}
        attached = {"attachments": "true", "attachment_fields": ATTACHMENT_FIELDS}
        return self._cards(board, fields=CARD_FIELDS, customFieldItems="true", **attached, **more)

    def cards_with_labels(self, board: str) -> Iterator[Json]:
        """All cards of a board, each once, with nothing but `idLabels`."""
        return self._cards(board, fields="idLabels")

    def _cards(self, board: str, **wanted: str) -> Iterator[Json]:
        """Cards of every kind, archived ones too, newest pages first. Asks for fewer at a time where it must."""
        limit, before, seen = MOST, "", set[str]()
        path = f"boards/{segment(board)}/cards"
        while True:
            try:
                page = entries(self._get(path, filter="all", limit=limit, before=before or None, **wanted))
            except ConnectorError as error:
                if limit <= LEAST or not is_too_much(error):
                    raise
                limit //= 2
                continue
            new = [card for card in page if card["id"] not in seen]
            yield from new
            seen.update(card["id"] for card in new)
            if len(page) < limit or not new:
                return
            before = min(seen)  # an id begins with the second of its making

    def actions(self, board: str, since: str | None) -> Iterator[list[Json]]:
        """Pages of what moved a board's cards, newest first, back to `since` (a date) or the beginning."""
        before = ""
        while True:
            page = entries(
                self._get(
                    f"boards/{board}/actions",
                    filter=MOVES,
                    fields="data,date,type",
                    member="false",
                    memberCreator="false",
                    limit=MOST,
                    since=since,
                    before=before or None,
                )
            )
            yield page
            if len(page) < MOST or page[-1]["id"] == before:
                return
            before = page[-1]["id"]

    def labels(self, board: str) -> list[Json]:
        """Every label of a board: its thousand, and not just the first fifty."""
        return entries(self._get(f"boards/{board}/labels", fields=LABEL_FIELDS, limit=MOST))

    def card(self, card: str) -> Json:
        """Where a card is, and what labels it has at this moment."""
        return mapping(self._get(f"cards/{segment(card)}", fields="idBoard,idLabels,labels,name"))

    def _get(self, path: str, **params: object) -> Any:
        return self._fetch(path, "GET", query_params=dict(params))

    # Writing

    def make_label(self, board: str, name: str, color: str | None) -> str:
        """Make a label on a board; its id."""
        body = {"idBoard": board, "name": name, "color": color}
        return str(mapping(self._fetch("labels", "POST", post_args=body)).get("id"))

    def put_label(self, card: str, label: str) -> None:
        self._fetch(f"cards/{segment(card)}/idLabels", "POST", post_args={"value": label})

    def take_label(self, card: str, label: str) -> None:
        self._fetch(f"cards/{segment(card)}/idLabels/{segment(label)}", "DELETE")

    def delete_label(self, label: str) -> None:
        """Delete a label from its board, and so from every card."""
        self._fetch(f"labels/{segment(label)}", "DELETE")

    # The client

    def _fetch(self, path: str, method: str, **options: Any) -> Any:
        from requests import RequestException

        try:
            return self._client().fetch_json(path, http_method=method, **options)
        except (RequestException, ValueError):  # an address, or an answer, that is none
            problem = InputError("Trello sent an answer that cannot be read", "the next run tries again")
        raise problem

    def _client(self) -> TrelloClient:
        """Made when it is first used, since importing it takes as long as all the rest. It gets no credentials."""
        if self._made is None:
            from trello import TrelloClient

            self._made = TrelloClient(api_key=None, http_service=self._service)
        return self._made


def segment(text: str) -> str:
    """One part of a path. What Trello calls an id or a short name has no other characters in it."""
    return text if re.fullmatch(r"[\w.-]+", text, re.ASCII) else "none"


# What an answer is to us


def mapping(answer: Any) -> Json:
    """An answer that must be one thing. Raises `InputError` for another kind."""
    if not isinstance(answer, dict):
        raise InputError("Trello answers with something that was not asked for", "correct base_url")
    return answer


def entries(answer: Any) -> list[Json]:
    """An answer that must be a list of things with ids. Raises `InputError` for another kind."""
    found = with_ids(answer)
    if not isinstance(answer, list) or len(found) < len(answer):
        raise InputError("Trello answers with something that was not asked for", "correct base_url")
    return found


def with_ids(found: Any) -> list[Json]:
    """Of a part of an answer, the entries that can be told apart."""
    kept: Sequence[Any] = found if isinstance(found, list) else ()
    return [one for one in kept if isinstance(one, dict) and isinstance(one.get("id"), str)]


def is_too_much(error: ConnectorError) -> bool:
    """Whether Trello would answer if it were asked for less: 403 with a word on it, or half a minute and 504."""
    refusal = error.refusal
    if refusal is None:
        return False
    if isinstance(error, BusyError):
        return refusal.status == 504
    return isinstance(error, AccessError) and "too many" in refusal.said.lower().replace("_", " ")


def is_no_leave(error: ConnectorError) -> bool:
    """Whether a 401 is about this board or card, and not about the token."""
    said = error.refusal.said if error.refusal else ""
    return isinstance(error, AuthError) and "permission requested" in said


def text(entry: Mapping[str, Any], name: str) -> str:
    """A text of an entry without space around it; empty if there is none."""
    value = entry.get(name)
    return value.strip() if isinstance(value, str) else ""


def moment(value: object) -> datetime | None:
    """A time as Trello writes it: `2026-03-20T12:00:00.000Z`."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None
