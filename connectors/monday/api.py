"""What is asked of monday.com: one small GraphQL client on the polite transport.

The packages on PyPI write values into the text of their queries, and take some refusals for answers; so this is ours.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from connectors.base import Cost, SourceSetup
from connectors.errors import (
    AccessError,
    BusyError,
    ConnectorError,
    GoneError,
    InputError,
    SetupError,
)
from connectors.monday import queries
from connectors.wording import many

if TYPE_CHECKING:
    from connectors.http import Promise

Json = dict[str, Any]

log = logging.getLogger("unstuck")

BASE_URL = "https://api.monday.com/v2"

VERSION = "2026-10"
"""Each version is served for half a year at least, and then the next one instead, without a word:
https://developer.monday.com/api-reference/docs/api-versioning"""

GOOD_VERSIONS = ("current", "maintenance")

BOARDS_AT_ONCE, FEWER_BOARDS = 100, 10
IDS_AT_ONCE = 100
"""Items that may be asked for by their ids: https://developer.monday.com/api-reference/reference/items"""

NEXT_RUN = "the next run tries again"

MEANINGS: tuple[tuple[str, type[ConnectorError], str, str], ...] = (
    (r"DAILY_LIMIT", BusyError, "has no calls left for today", "the run after midnight UTC goes on"),
    (r"UNAUTHORIZED|PERMISSION|FORBIDDEN", AccessError, "does not let this account do this", "ask the board's owner"),
    (r"NOT_?FOUND|INVALIDBOARDID|INVALIDITEMID", GoneError, "has no such thing, or hides it", "correct the config"),
    (r"VALIDATION|UNDEFINED|PARSE", InputError, "does not know what is asked for", "update unstuck"),
    (r"COLUMN|ARGUMENT|INPUT", SetupError, "does not accept what is asked for", "correct what it names"),
)
"""What the code of an error means, where the transport does not know it; the first that fits.
https://developer.monday.com/api-reference/docs/error-handling"""


class ExpiredError(BusyError):
    """A cursor is older than an hour, and everything is to be asked from the start."""


class TooComplexError(InputError):
    """One query asked for more than one query may; a smaller page will do."""


class Api:
    """One account. Every method raises a `ConnectorError`, and nothing else."""

    def __init__(self, setup: SourceSetup, allowed: int) -> None:
        """`allowed` is how many calls may still be made today."""
        from connectors.http import Credentials, Http, MondayPolicy

        self._url = str(setup.options.get("base_url") or BASE_URL).rstrip("/")
        token = str(setup.options.get("token") or "").strip()
        self._http = Http(
            self._url,
            Credentials.header(token, token),
            writable=setup.writable,
            policy=MondayPolicy(),
            stopping=setup.stopping,
        )
        self._http.session.headers["API-Version"] = VERSION
        self._allowed, self._further = allowed, 0
        self.now: datetime | None = None
        """The host's own clock, as its last answer gave it."""
        self.version: Mapping[str, str] = {}
        """The version that is served, with its kind, once it was told."""

    @property
    def calls(self) -> int:
        """How many were made. Each mutation of one request counts: whether it does is not documented."""
        return self._http.traffic.requests + self._further

    @property
    def left(self) -> int:
        return self._allowed - self.calls

    def require(self, calls: int) -> None:
        """Raise `BusyError` before what would need more calls than are left for today."""
        if calls > self.left:
            raise BusyError(
                f"this takes {many(calls, 'call')}, of which daily_calls leaves {max(0, self.left)} for today",
                "the first run after midnight UTC goes on; where that stays too few, name fewer boards, or set every",
            )

    @property
    def traffic(self) -> Cost:
        return self._http.traffic

    def close(self) -> None:
        self._http.close()

    # Reading

    def me(self) -> Json:
        data = self.ask(queries.ME)
        self._note_version(data.get("version"))
        return mapping(data, "me")

    def boards(self, ids: Sequence[str] = (), workspaces: Sequence[str] = ()) -> Iterator[Json]:
        """Active boards with their columns: those of these ids, or all that the account sees."""
        if not ids:
            yield from self._boards({"workspaces": list(workspaces)} if workspaces else {}, BOARDS_AT_ONCE)
        for at in range(0, len(ids), BOARDS_AT_ONCE):
            piece = list(ids[at : at + BOARDS_AT_ONCE])
            yield from self._boards({"ids": piece}, BOARDS_AT_ONCE, len(piece))

    def _boards(self, which: Json, limit: int, most: int | None = None) -> Iterator[Json]:
        """All pages, in smaller ones if the columns of so many boards are too much for one query."""
        page, given = 1, 0
        while given != most:
            try:
                data = self.ask(queries.BOARDS, limit=limit, page=page, **which)
            except TooComplexError:
                if page > 1 or limit == FEWER_BOARDS:
                    raise
                limit = FEWER_BOARDS
                continue
            self._note_version(data.get("version"))
            found = objects(data, "boards")
            yield from found
            if len(found) < limit:
                return
            page, given = page + 1, given + len(found)

    def first_page(self, fields: str, board: str, **variables: Any) -> Json:
        """The first items of a board, and its cursor."""
        boards = objects(self.ask(queries.first_page(fields), board=board, **variables), "boards")
        if not boards:
            raise GoneError("the board is not there, or this account does not see it any more", "correct the config")
        return mapping(boards[0], "items_page")

    def next_page(self, fields: str, cursor: str, **variables: Any) -> Json:
        return mapping(self.ask(queries.next_page(fields), cursor=cursor, **variables), "next_items_page")

    def labels(self, items: Sequence[str], column: str) -> dict[str, Json]:
        """At most `IDS_AT_ONCE` items as they are now, also archived and deleted ones, with one column each."""
        return {
            str(item["id"]): item
            for item in objects(self.ask(queries.LABELS, ids=list(items), columns=[column]), "items")
        }

    def states(self, items: Sequence[str]) -> dict[str, Json]:
        """Of at most `IDS_AT_ONCE` items their `state` and `board`; none of those that are not even in the trash."""
        return {str(item["id"]): item for item in objects(self.ask(queries.STATES, ids=list(items)), "items")}

    # Writing

    def tag(self, name: str, board: str | None) -> Json:
        """The tag of this name, which is made if need be; of one board only, if a board is given."""
        from connectors.http import Promise

        variables = {"name": name, **({"board": board} if board else {})}
        answer = self._send(queries.TAG, variables, promise=Promise.REPEATABLE)
        return mapping(whole(answer), "create_or_get_tag")

    def add_column(self, board: str, title: str, kind: str) -> None:
        whole(self._send(queries.ADD_COLUMN, {"board": board, "title": title, "type": kind}))

    def write(self, board: str, column: str, values: Sequence[tuple[str, str]]) -> Json:
        """Write a column of several items, given as (id, JSON text). What comes back may be whole only in part."""
        variables: Json = {"board": board, "columns": [column], "create": True}
        for number, (item, value) in enumerate(values):
            variables |= {f"item{number}": item, f"value{number}": value}
        self.require(len(values))
        self._further += len(values) - 1
        return self._send(queries.write(len(values)), variables)

    # Every request

    def ask(self, query: str, **variables: Any) -> Json:
        """The data of a query that was answered in full: an answer with errors has no part that can be trusted."""
        return whole(self._send(query, variables))

    def _send(self, query: str, variables: Json, promise: Promise | None = None) -> Json:
        from connectors.http import server_time
        from connectors.http.answers import parsed

        self.require(1)
        try:
            response = self._http.send(
                "POST", self._url, body={"query": query, "variables": variables}, promise=promise
            )
        except ConnectorError as error:
            problem = particular(told(error.refusal.body)) if error.refusal else None
            if problem is None:
                raise
        else:
            self.now = server_time(response.headers) or self.now
            answer = parsed("monday.com", response.content) if response.content else None
            if isinstance(answer, dict):
                return answer
            raise InputError("monday.com sent an answer that is none of ours", "correct base_url")
        raise problem

    def _note_version(self, version: object) -> None:
        """Log what is served, once; a version that is not kept up any more is a warning."""
        if isinstance(version, dict) and not self.version:
            self.version = {name: str(value) for name, value in version.items()}
            log.debug("monday.com serves API version %s (%s)", self.version.get("value"), self.version.get("kind"))


def whole(answer: Json) -> Json:
    """The data of an answer. Raises what its errors are, if it has any."""
    if errors := told(answer):
        raise particular(errors) or problem_of(errors[0])
    data = answer.get("data")
    if not isinstance(data, dict):
        raise InputError("monday.com sent an answer without data", NEXT_RUN)
    return data


def told(answer: object) -> list[Json]:
    """The errors in an answer: a list of them, or one that is the whole answer, as in old times."""
    if not isinstance(answer, dict):
        return []
    errors = answer.get("errors")
    found = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    if errors and not found:
        return [{"message": str(errors)}]
    if not found and (answer.get("error_code") or answer.get("error_message")):
        return [{"message": answer.get("error_message"), "extensions": {"code": answer.get("error_code")}}]
    return found


def code_of(error: Json) -> str:
    """An error's code, or nothing."""
    extensions = error.get("extensions")
    return str(extensions.get("code") or "") if isinstance(extensions, dict) else ""


def particular(errors: Sequence[Json]) -> ConnectorError | None:
    """The two errors that are answered by asking otherwise."""
    texts = [f"{code_of(error)} {error.get('message')}".casefold() for error in errors]
    if any(re.search(r"cursor\s*(has\s*)?(been\s*)?expired|expired.*cursor", text) for text in texts):
        return ExpiredError("monday.com forgot where the reading was", NEXT_RUN)
    if any("maxcomplexity" in text or "max complexity" in text for text in texts):
        return TooComplexError("monday.com finds the question too complex", "map fewer columns in fields")
    return None


def problem_of(error: Json) -> ConnectorError:
    """What an error means to people, with monday.com's own words."""
    from connectors.http.answers import quoted

    code, said = code_of(error), quoted(str(error.get("message") or "")) or "without a word"
    for pattern, kind, what, next_step in MEANINGS:
        if re.search(pattern, code.upper()):
            return kind(f"monday.com {what} ({said})", next_step)
    return BusyError(f"monday.com could not answer in full ({said})", f"{NEXT_RUN}; report it if that stays so")


def mapping(data: Json, name: str) -> Json:
    """What an answer has under a name. Raises `InputError` if that is no object: nothing is not an empty answer."""
    found = data.get(name)
    if not isinstance(found, dict):
        raise InputError(f"monday.com answered without {name}", NEXT_RUN)
    return found


def objects(data: Json, name: str) -> list[Json]:
    """The list that an answer has under a name, without what is `null` in it. Raises `InputError` if it is none."""
    found = data.get(name)
    if not isinstance(found, list):
        raise InputError(f"monday.com answered without {name}", NEXT_RUN)
    return [one for one in found if isinstance(one, dict)]
