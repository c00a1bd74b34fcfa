"""Searches and changelogs, page by page."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from connectors.fakes.jira.asking import BAD_PAYLOAD, Ask, between, texts_only
from connectors.fakes.jira.jql import Query, parse
from connectors.fakes.jira.matching import Reader
from connectors.fakes.jira.refusals import RefusalError, error_json
from connectors.fakes.jira.shapes import Shapes, items_of
from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import History, Issue
from connectors.fakes.server import Answer

TOKEN_LIVES = timedelta(days=7)
INLINE_IN_SEARCH = 40
ALL_HISTORIES = 1_000_000
SMALL_FIELDS = {"id", "key"}
SMALL_PAGE = 5_000
"""The most of Cloud's pages that hold ids and keys alone."""
CLOUD_PAGE, DATA_CENTER_PAGE = 100, 1_000
QUERIES_KEPT = 20

GONE = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. "
    "A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)
UNBOUNDED = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
TOO_MANY_ISSUES = "You may only load changelogs for a maximum of 1,000 issues by ID or key at a time."


@dataclass(frozen=True)
class Walk:
    """Where a token leads on to."""

    jql: str
    after: Any
    """The sort key of the last issue that was given; for changelogs, how many histories were."""
    until: datetime


@dataclass(frozen=True)
class Found:
    """The answer to a query, kept for its next page."""

    issues: Sequence[Issue]
    key: Callable[[Issue], Any]


class Search:
    """What remembers tokens, and answers to queries while nothing changes."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._walks: dict[str, Walk] = {}
        self._found: dict[object, Found] = {}

    # Endpoints

    def by_token(self, ask: Ask) -> Answer:
        """GET and POST /search/jql, of Cloud.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/#api-rest-api-3-search-jql-post
        """
        wish = Wish.of_get(ask) if ask.request.method == "GET" else Wish.of_post(ask)
        between(wish.most, 1, SMALL_PAGE, "maxResults")
        if len(wish.fresh) > 50:
            raise RefusalError(400, "You may only reconcile up to 50 issues.")
        if len(wish.properties) > 5:
            raise RefusalError(400, "You may only ask for up to 5 properties.")
        found = self._find(ask, wish.jql, wish.fresh, bounded=True)
        start = self._start(found, wish)
        page = found.issues[start : start + self._page_size(wish)]
        ending = dict(self.site.quirks.last_page)
        if start + len(page) < len(found.issues):
            after = found.key(page[-1]) if page else self._after(wish)
            ending = {"isLast": False, "nextPageToken": self._next_token(wish, after)}
        histories = INLINE_IN_SEARCH if "changelog" in wish.expand else 0
        return issues_answer(Shapes(self.site, ask), page, wish, histories, ending)

    def by_offset(self, ask: Ask) -> Answer:
        """GET and POST /search, of Data Center: pages shift when what they count from changes.

        https://docs.atlassian.com/software/jira/docs/api/REST/9.12.0/#api/2/search
        """
        wish = Wish.of_get(ask) if ask.request.method == "GET" else Wish.of_post(ask, startAt=int, validateQuery=object)
        ask = replace(ask, validates=wish.validates)
        found = self._find(ask, wish.jql, wish.fresh, bounded=False)
        issues = () if self.site.quirks.reindexing else found.issues
        size = min(wish.most, self.site.quirks.page_cap or DATA_CENTER_PAGE)
        page = issues[wish.start : wish.start + size]
        ending = {"startAt": wish.start, "maxResults": size, "total": len(issues)}
        histories = ALL_HISTORIES if "changelog" in wish.expand else 0
        return issues_answer(Shapes(self.site, ask), page, wish, histories, ending)

    def removed(self, _: Ask) -> Answer:
        """GET and POST /search, of Cloud."""
        return Answer(410, error_json(GONE))

    def count(self, ask: Ask) -> Answer:
        """POST /search/approximate-count."""
        jql = str(ask.members(jql=str).get("jql", ""))
        return Answer(json={"count": len(self._find(ask, jql, (), bounded=True).issues)})

    def changelogs(self, ask: Ask) -> Answer:
        """POST /changelog/bulkfetch: histories of many issues, the oldest first, cut into pages anywhere.

        Issues without a matching history are absent, and of a matching one only the matching items are given
        (which nobody documents: the harder case for who wants to see what else was changed with a status).
        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-changelog-bulkfetch-post
        """
        body = ask.members(issueIdsOrKeys=list, fieldIds=list, maxResults=int, nextPageToken=str)
        wanted = texts_only(body.get("issueIdsOrKeys", []))
        if not wanted or len(wanted) > 1_000:
            raise RefusalError(400, TOO_MANY_ISSUES if wanted else BAD_PAYLOAD)
        fields = texts_only(body.get("fieldIds", []))
        if len(fields) > 10:
            raise RefusalError(400, "You may only filter by a maximum of 10 field IDs.")
        between(body.get("maxResults", 1_000), 1, 10_000, "maxResults")
        return self._changelog_page(ask, self._histories(ask, wanted, fields), body)

    # Queries

    def visible(self, ask: Ask, issue: Issue) -> bool:
        return ask.user is not None and "BROWSE_PROJECTS" in self.site.projects[issue.project].we_may

    def _find(self, ask: Ask, jql: str, fresh: Sequence[str], *, bounded: bool) -> Found:
        state = (jql, fresh, ask.user, ask.strict, self.site.now, self.site.changes, self.site.quirks.lag)
        if state not in self._found:
            query = parse(jql)
            if bounded and query.condition is None:
                raise RefusalError(400, UNBOUNDED)
            if len(self._found) > QUERIES_KEPT:
                self._found.clear()
            self._found[state] = self._found_by(ask, query, fresh)
        return self._found[state]

    def _found_by(self, ask: Ask, query: Query, fresh: Sequence[str]) -> Found:
        reader = Reader(self.site, ask.user, strict=ask.strict)
        test, key = reader.test(query), reader.key(query)
        seen = (issue for issue in self.site.searchable(fresh) if self.visible(ask, issue) and test(issue))
        return Found(sorted(seen, key=key), key)

    def _page_size(self, wish: Wish) -> int:
        if self.site.quirks.short_pages:
            return self.site.quirks.short_pages.pop(0)
        small = {*wish.fields} <= SMALL_FIELDS
        return min(wish.most, SMALL_PAGE if small else self.site.quirks.page_cap or CLOUD_PAGE)

    # Tokens

    def _start(self, found: Found, wish: Wish) -> int:
        after = self._after(wish)
        return 0 if after is None else bisect_right(found.issues, after, key=found.key)

    def _after(self, wish: Wish) -> Any:
        return self._walk(wish.token, wish.jql).after if wish.token else None

    def _next_token(self, wish: Wish, after: Any) -> str:
        if self.site.quirks.repeats_token:
            return self._token("Chg-again", Walk(wish.jql, None, self.site.now + TOKEN_LIVES))
        return self._token(f"Chg-{len(self._walks)}", Walk(wish.jql, after, self.site.now + TOKEN_LIVES))

    def _token(self, name: str, walk: Walk) -> str:
        self._walks[name] = walk
        return name

    def _walk(self, token: str, jql: str) -> Walk:
        walk = self._walks.get(token)
        if walk is None or walk.jql != jql or walk.until < self.site.now:
            raise RefusalError(400, "The provided next page token is invalid or expired.")
        return walk

    # Changelogs

    def _histories(self, ask: Ask, wanted: Sequence[str], fields: Sequence[str]) -> list[tuple[Issue, History]]:
        found = [
            (issue, history)
            for issue in self.known(ask, wanted)
            for history in issue.histories
            if items_of(history, fields)
        ]
        return sorted(found, key=lambda one: (one[1].at, int(one[0].id), one[1].id))

    def known(self, ask: Ask, wanted: Sequence[str]) -> list[Issue]:
        """The issues that are there and may be seen, each once; the others are passed over in silence."""
        by_key = (
            {issue.key: issue.id for issue in self.site.issues.values()} if any("-" in one for one in wanted) else {}
        )
        ids = dict.fromkeys(by_key.get(one) or self.site.former_keys.get(one) or one for one in wanted)
        there = [self.site.issues[one] for one in ids if one in self.site.issues]
        return sorted((one for one in there if self.visible(ask, one)), key=lambda one: int(one.id))

    def _changelog_page(self, ask: Ask, matching: Sequence[tuple[Issue, History]], body: Mapping[str, Any]) -> Answer:
        wanted, most = str(body["issueIdsOrKeys"]), body.get("maxResults", 1_000)
        start = self._walk(body["nextPageToken"], wanted).after if body.get("nextPageToken") else 0
        page = sorted(matching[start : start + most], key=lambda one: int(one[0].id))
        logs = [
            b'{"issueId":"%s","changeHistories":[%s]}' % (issue_id.encode(), self._log(ask, histories, body))
            for issue_id, histories in groupby(page, key=lambda one: one[0].id)
        ]
        ending = dict(self.site.quirks.end_of_bulk)
        if start + most < len(matching):
            walk = Walk(wanted, start + most, self.site.now + TOKEN_LIVES)
            ending = {"nextPageToken": self._token(f"Log-{len(self._walks)}", walk)}
        return Answer(body=with_ending(b'{"issueChangeLogs":[' + b",".join(logs) + b"]", ending))

    def _log(self, ask: Ask, histories: Iterable[tuple[Issue, History]], body: Mapping[str, Any]) -> bytes:
        shapes, fields = Shapes(self.site, ask), body.get("fieldIds", [])
        return b",".join(shapes.history_bytes(issue, one, self._moment(one.at), fields) for issue, one in histories)

    def _moment(self, at: datetime) -> int | str:
        form = self.site.quirks.bulk_created
        if form == "text":
            return self.site.text(at)
        return int(at.timestamp() * 1000) if form == "ms" else int(at.timestamp())


@dataclass(frozen=True)
class Wish:
    """What a search asks for, by whichever way it came."""

    jql: str
    fields: tuple[str, ...]
    most: int
    start: int = 0
    token: str = ""
    expand: str = ""
    properties: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    validates: bool = True

    @classmethod
    def of_get(cls, ask: Ask) -> Wish:
        return cls(
            jql=ask.text("jql"),
            fields=tuple(ask.texts("fields")) or usual_fields(ask),
            most=ask.number("maxResults", 50),
            start=ask.number("startAt", 0),
            token=ask.text("nextPageToken"),
            expand=",".join(ask.texts("expand")),
            properties=tuple(ask.texts("properties")),
            fresh=tuple(ask.texts("reconcileIssues")),
            validates=ask.flag("validateQuery", otherwise=True),
        )

    @classmethod
    def of_post(cls, ask: Ask, **also: type) -> Wish:
        """`expand` is one text on Cloud, also here, and a list on Data Center."""
        cloud = {"nextPageToken": str, "expand": str, "reconcileIssues": list, "failFast": bool}
        server = {"expand": list, **also}
        common = {"jql": str, "fields": list, "maxResults": int, "properties": list, "fieldsByKeys": bool}
        body = ask.members(**common, **(server if also else cloud))
        expand = body.get("expand", "")
        return cls(
            jql=body.get("jql", ""),
            fields=tuple(texts_only(body.get("fields", []))) or usual_fields(ask),
            most=body.get("maxResults", 50),
            start=body.get("startAt", 0),
            token=body.get("nextPageToken", ""),
            expand=expand if isinstance(expand, str) else ",".join(texts_only(expand)),
            properties=tuple(texts_only(body.get("properties", []))),
            fresh=tuple(str(one) for one in body.get("reconcileIssues", [])),
            validates=body.get("validateQuery", True) is not False,
        )


def usual_fields(ask: Ask) -> tuple[str, ...]:
    """What comes if none is named: ids alone from /search/jql, everything from the old search."""
    return ("id",) if ask.request.path.endswith("/search/jql") else ("*navigable",)


def issues_answer(
    shapes: Shapes, page: Sequence[Issue], wish: Wish, histories: int, ending: Mapping[str, Any]
) -> Answer:
    """The page, put together from parts that were made once."""
    parts = [shapes.issue_bytes(one, wish.fields, histories=histories, properties=wish.properties) for one in page]
    return Answer(body=with_ending(b'{"issues":[' + b",".join(parts) + b"]", ending))


def with_ending(beginning: bytes, ending: Mapping[str, Any]) -> bytes:
    """An object that was begun as JSON text, with its last members."""
    return beginning + (b"," if ending else b"") + json.dumps(ending).encode()[1:]
