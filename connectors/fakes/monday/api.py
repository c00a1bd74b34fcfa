"""The server: every request is noted, counted, let in or not, and answered by the schema."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from graphql import DocumentNode, GraphQLError, execute_sync, parse, validate

from connectors.fakes.monday.account import TOKEN, Account
from connectors.fakes.monday.refusals import DAILY, refused
from connectors.fakes.monday.schema import Roots, schema
from connectors.fakes.server import Answer, FakeServer, Request

Json = dict[str, Any]

BUDGET = 10_000_000
"""Complexity of a minute, for a personal token."""

QUERY_LIMIT = 5_000_000


@dataclass
class Quirks:
    """What a real account does on some days."""

    daily: int | None = None
    """Calls of a day: Free allows 200."""
    per_item: int = 600
    """Complexity of an item of a page."""
    too_complex_above: int = QUERY_LIMIT
    slow_write: float = 0.0
    """Seconds before a mutation is carried out."""
    spoil: Callable[[str, Json], Json] | None = None
    """Changes a good answer: takes the query and the answer."""


@dataclass
class Script:
    """An answer out of the ordinary for the next requests whose query contains a text."""

    answer: Answer
    times: int
    query: str


class Monday:
    """One account at `url`, until it is closed."""

    def __init__(
        self,
        account: Account | None = None,
        *,
        judge: Callable[[str, Json], None] | None = None,
        port: int = 0,
    ) -> None:
        self.account = account or Account()
        self.roots = Roots(self.account)
        self.quirks = Quirks()
        self.token = TOKEN
        self.calls = 0
        """Since midnight."""
        self._judge = judge
        self._scripts: list[Script] = []
        self._lock = threading.RLock()
        self.server = FakeServer(self.answer, port)

    @property
    def url(self) -> str:
        """What `base_url` is to be."""
        return f"{self.server.url}/v2"

    @property
    def requests(self) -> Sequence[Request]:
        return self.server.requests

    @property
    def asked(self) -> Counter[str]:
        """How many requests came, by what they asked for first: `boards`, `next_items_page`, `create_or_get_tag` …"""
        return Counter(kind_of(json.loads(request.body)["query"]) for request in self.requests)

    def script(self, answer: Answer, times: int = 1, query: str = "") -> None:
        """Let the next `times` requests whose query contains `query` get this answer."""
        self._scripts.append(Script(answer, times, query))

    def forget_scripts(self) -> None:
        """Answer as usual from now on."""
        self._scripts.clear()

    def close(self) -> None:
        self.server.close()

    # Every request

    def answer(self, request: Request) -> Answer:
        if self.quirks.slow_write and b"mutation" in request.body:
            threading.Event().wait(self.quirks.slow_write)
        with self._lock:
            answer = self._answer(request)
        return replace(answer, headers={"Date": format_datetime(self.account.now, usegmt=True), **answer.headers})

    def _answer(self, request: Request) -> Answer:
        if request.method != "POST" or request.path != "/v2":
            return Answer(404, {"message": "Not Found"})
        if request.headers.get("Authorization") != self.token:  # with "Bearer" before it, too
            return refused("NOT_AUTHENTICATED", "Not Authenticated", 401)
        body = request.json
        query, variables = str(body["query"]), body.get("variables") or {}
        self.calls += 1
        if self.quirks.daily is not None and self.calls > self.quirks.daily:
            return refused(DAILY, "Daily limit exceeded", 429)
        for script in self._scripts:
            if script.times > 0 and script.query in query:
                script.times -= 1
                return script.answer
        if self._judge:
            self._judge(query, variables)
        return self._executed(query, variables)

    def _executed(self, query: str, variables: Json) -> Answer:
        document, errors = checked(query)
        if document is None:
            return Answer(200, {"errors": [error.formatted for error in errors]})
        cost = self._cost(query, variables)
        if cost > self.quirks.too_complex_above:
            said = f"Query has complexity of {cost}, which exceeds max complexity of {self.quirks.too_complex_above}"
            return refused("maxComplexityExceeded", said)
        left = {"before": BUDGET, "after": BUDGET - cost, "query": cost, "reset_in_x_seconds": 60}
        done = execute_sync(
            schema(), document, root_value={"complexity": left}, variable_values=variables, context_value=self.roots
        )
        shown: Json = {"data": done.data, "extensions": {"request_id": "a1b2"}}
        if done.errors:
            shown["errors"] = [error.formatted for error in done.errors]
        return Answer(200, self.quirks.spoil(query, shown) if self.quirks.spoil else shown)

    def _cost(self, query: str, variables: Json) -> int:
        return 1000 + self.quirks.per_item * int(variables.get("limit") or 0) * ("items_page" in query)


@lru_cache(maxsize=200)
def checked(query: str) -> tuple[DocumentNode | None, Sequence[GraphQLError]]:
    """The query, if it is one that the schema knows."""
    try:
        document = parse(query)
    except GraphQLError as error:
        return None, [error]
    errors = validate(schema(), document)
    for one in errors:
        one.extensions = {"code": "GRAPHQL_VALIDATION_FAILED"}
    return (None if errors else document), errors


def kind_of(query: str) -> str:
    """The first field of a query that says what it is about."""
    names = (
        "items_page",
        "boards",
        "items",
        "create_or_get_tag",
        "create_column",
        "change_multiple_column_values",
        "me",
    )
    return next((name for name in ("next_items_page", *names) if f"{name}(" in query or f"{name} {{" in query), "")
