"""What is asked of a Jira: the `jira` package's client on our transport, and what Cloud and Data Center do otherwise.

Both are read the same way: a listing gives the ids and keys of issues, a few large pages of them; the issues are then
fetched by their ids. So no issue is missed because a page shifted, and many can be fetched at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.errors import BusyError, GoneError, InputError, SetupError

if TYPE_CHECKING:
    import requests

    from connectors.http import Http

Json = Mapping[str, Any]

LISTED = 5_000
"""Issues on a page of Cloud that names no other fields than the key."""
LISTED_BY_DATA_CENTER = 1_000
AT_ONCE = 100
"""Issues that /issue/bulkfetch gives at a time."""
HISTORIES = 10_000
"""Entries on a page of /changelog/bulkfetch."""
PROJECTS = 50
TRIES = 3


@dataclass(frozen=True, slots=True)
class Project:
    """A project that we can look into."""

    id: str
    key: str
    name: str


class Site(ABC):
    """One Jira. Every method may raise a `ConnectorError`."""

    api: ClassVar[str]
    is_cloud: ClassVar[bool]

    def __init__(self, http: Http, base_url: str) -> None:
        """Reaches nothing. The client's own retries are off, and it holds no credentials: the transport has both."""
        import jira

        self.http, self._base_url = http, base_url
        self.client = jira.JIRA(
            server=base_url,
            options={"rest_api_version": self.api},
            get_server_info=False,
            max_retries=0,
            timeout=(10.0, 60.0),
        )
        http.mount(self.client._session)
        # One thread parses for all: each that does keeps the memory which that took (malloc has a heap for each).
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="jira-reader")

    # Through the client

    def get(self, path: str, **params: str | int) -> Any:
        return self.answer("GET", path, params=params)

    def post(self, path: str, body: Json) -> Any:
        return self.answer("POST", path, body)

    def answer(self, method: str, path: str, body: Any = None, params: Mapping[str, str | int] | None = None) -> Any:
        """The JSON of an answer, or `None` of a write that is answered with nothing."""
        response = self.send(method, path, body, params)
        return self.json_of(response.content) if response.content else None

    def send(
        self, method: str, path: str, body: Any = None, params: Mapping[str, str | int] | None = None
    ) -> requests.Response:
        """The whole response, for its headers."""
        from requests import RequestException

        url = self._base_url + path if path.startswith("/") else self.client._get_url(path)
        try:
            response: requests.Response = self.client._session.request(method, url, json=body, params=params or None)
        except RequestException:  # before it came to our transport, which raises its own
            problem = SetupError("base_url is not an address of a site", "write it as https://… and the site's name")
        else:
            return response
        raise problem

    def json_of(self, body: bytes) -> Any:
        """Not by `response.json`, which takes a slower parser, and another one where that is installed."""
        from connectors.http.answers import parsed

        return self._reader.submit(parsed, "Jira", body).result()

    def close(self) -> None:
        self._reader.shutdown()
        self.client._session.close()
        self.http.close()

    # Who and what there is

    def enter(self) -> tuple[Json, datetime]:
        """Our account, and what time it is there. A credential that is not accepted is an error here, and only here.

        Elsewhere Cloud may take its bearer for nobody, and answer with 200 and nothing.
        """
        from connectors.http import server_time

        response = self.send("GET", "myself")
        me, now = self.json_of(response.content), server_time(response.headers)
        if not isinstance(me, Mapping) or not (me.get("accountId") or me.get("name")):
            raise InputError("the site does not say who we are", "correct base_url")
        if now is None:
            raise InputError("the site does not say what time it is", "correct base_url, or the proxy before it")
        return me, now

    def server_info(self) -> Json:
        """At an address that both kinds have, so that each can be told from the other."""
        return self.mapping(self.get("/rest/api/2/serverInfo"))

    def fields(self) -> list[Json]:
        return self.entries(self.get("field"))

    def statuses(self) -> list[Json]:
        return self.entries(self.get("status"))

    def may(self, project: Project, *permissions: str) -> set[str]:
        """Those of the permissions that we have in a project. Asked without one, Jira says yes to too much."""
        answer = self.get("mypermissions", permissions=",".join(permissions), projectKey=project.key)
        known = self.mapping(self.mapping(answer).get("permissions"))
        return {name for name in permissions if self.mapping(known.get(name)).get("havePermission") is True}

    @abstractmethod
    def projects(self) -> list[Project]:
        """Every project whose issues we may see."""

    # Issues

    @abstractmethod
    def listing(self, jql: str) -> Iterator[tuple[int, str]]:
        """Id and key of every issue that matches, each once, in no order that matters."""

    @abstractmethod
    def issues(self, ids: Sequence[int | str], fields: Sequence[str]) -> list[Json]:
        """Up to `AT_ONCE` issues by id or key; those that are not there any more, or not for us, are left out."""

    def asked(self, ids: Sequence[int | str], fields: Sequence[str]) -> Callable[[], list[Json]]:
        """The same, asked for now, and read when it is called: as bytes, an answer takes a fraction of the memory."""
        found = self.issues(ids, fields)
        return lambda: found

    @abstractmethod
    def fresh(self, ids: Sequence[int | str], fields: Sequence[str]) -> list[Json]:
        """The same from the database, which knows what an index may not have yet, or has lost for a while."""

    def histories(self, ids: Sequence[int], *, whole: bool) -> dict[str, list[Json]] | None:
        """The changelogs of up to 1,000 issues by id, of statuses alone unless `whole`.

        `None` where they come with the issues.
        """
        return None

    def web_links(self, issue_id: int) -> list[Json]:
        """Links that lead out of Jira; none of an issue that is gone. There is no way to ask for those of several.

        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-remote-links/
        """
        with suppress(GoneError):
            return self.entries(self.get(f"issue/{issue_id}/remotelink"))
        return []

    # What answers are made of

    def mapping(self, value: object) -> Json:
        if not isinstance(value, Mapping):
            raise InputError("Jira's answer is not what was asked for", "correct base_url")
        return value

    def entries(self, value: object) -> list[Json]:
        if not isinstance(value, list) or not all(type(one) is dict for one in value):
            raise InputError("Jira's answer is not what was asked for", "correct base_url")
        return value

    def place(self, issue: Json) -> tuple[int, str]:
        try:
            return int(issue["id"]), str(issue["key"])
        except (KeyError, ValueError, TypeError):
            problem = InputError("Jira lists an issue without an id and a key", "report this to its administrator")
        raise problem


class CloudSite(Site):
    """https://developer.atlassian.com/cloud/jira/platform/rest/v3/"""

    api = "3"
    is_cloud = True

    def projects(self) -> list[Project]:
        found: list[Project] = []
        while True:
            page = self.mapping(
                self.get("project/search", action="browse", maxResults=PROJECTS, startAt=len(found), orderBy="key")
            )
            values = self.entries(page.get("values"))
            found += [project_of(value) for value in values]
            if page.get("isLast") is True or not values:
                return list({one.id: one for one in found}.values())

    def listing(self, jql: str) -> Iterator[tuple[int, str]]:
        """The end is a page without a token, or one that says so; a page without issues is not (as documented)."""
        seen: set[int] = set()
        tokens: set[str] = set()
        more: Json = {}
        while True:
            page = self.mapping(self.post("search/jql", {"jql": jql, "fields": ["key"], "maxResults": LISTED, **more}))
            places = [self.place(issue) for issue in self.entries(page.get("issues"))]
            yield from (place for place in places if place[0] not in seen)
            seen.update(issue_id for issue_id, _ in places)
            token = page.get("nextPageToken")
            if page.get("isLast") is True or not token:
                return
            if token in tokens:
                raise InputError("Jira's pages lead in a circle", "the next run tries again")
            tokens.add(token)
            more = {"nextPageToken": token}

    def issues(self, ids: Sequence[int | str], fields: Sequence[str]) -> list[Json]:
        return self.asked(ids, fields)()

    def asked(self, ids: Sequence[int | str], fields: Sequence[str]) -> Callable[[], list[Json]]:
        body = {"issueIdsOrKeys": [str(one) for one in ids], "fields": [*fields]}
        answered = self.send("POST", "issue/bulkfetch", body).content
        return lambda: self.entries(self.mapping(self.json_of(answered)).get("issues"))

    fresh = issues

    def histories(self, ids: Sequence[int], *, whole: bool) -> dict[str, list[Json]]:
        """One issue's entries may be on several pages; an issue without any is on none."""
        found: dict[str, list[Json]] = {}
        tokens: set[str] = set()
        body = {"issueIdsOrKeys": [str(one) for one in ids], "maxResults": HISTORIES}
        body |= {} if whole else {"fieldIds": ["status"]}
        while True:
            page = self.mapping(self.post("changelog/bulkfetch", body))
            for log in self.entries(page.get("issueChangeLogs")):
                found.setdefault(str(log.get("issueId")), []).extend(self.entries(log.get("changeHistories") or []))
            token = page.get("nextPageToken")
            if not token:
                return found
            if token in tokens:
                raise InputError("Jira's pages lead in a circle", "the next run tries again")
            tokens.add(token)
            body |= {"nextPageToken": token}


class ServerSite(Site):
    """Data Center: https://docs.atlassian.com/software/jira/docs/api/REST/9.12.0/"""

    api = "2"
    is_cloud = False

    def projects(self) -> list[Project]:
        return [project_of(value) for value in self.entries(self.get("project"))]

    def listing(self, jql: str) -> Iterator[tuple[int, str]]:
        """Pages count from the first issue, and shift when one before them comes or goes.

        So each begins with the last issue of the page before it. If that is another one, issues may have slipped
        through, and everything is listed anew.
        """
        for _ in range(TRIES):
            found = self._listed(jql)
            if found is not None:
                yield from found.items()
                return
        raise BusyError("its issues come and go faster than they can be listed", "the next run tries again")

    def _listed(self, jql: str) -> dict[int, str] | None:
        found: dict[int, str] = {}
        start = 0
        while True:
            body = {"jql": jql, "fields": ["key"], "maxResults": LISTED_BY_DATA_CENTER, "startAt": start}
            page = self.mapping(self.post("search", body))
            places = [self.place(issue) for issue in self.entries(page.get("issues"))]
            if found and (not places or places[0][0] not in found):
                return None
            before = len(found)
            found.update(places)
            start += max(len(places) - 1, 0)
            if start + 1 >= int(page.get("total") or 0) or len(found) == before:
                return found

    def issues(self, ids: Sequence[int | str], fields: Sequence[str]) -> list[Json]:
        """By a query that is not checked, since a checked one is refused as a whole if one of the issues is gone."""
        body = {
            "jql": f"key in ({', '.join(map(str, ids))})",
            "fields": [*fields],
            "expand": ["changelog"],
            "maxResults": len(ids),
            "validateQuery": False,
        }
        try:
            found = self.entries(self.mapping(self.post("search", body)).get("issues"))
        except SetupError:
            found = []
        there = {str(issue.get(name)) for issue in found for name in ("id", "key")}
        absent = [one for one in ids if str(one) not in there]
        return found + self._each(absent, fields, expand="changelog")

    def fresh(self, ids: Sequence[int | str], fields: Sequence[str]) -> list[Json]:
        return self._each(ids, fields)

    def _each(self, ids: Sequence[int | str], fields: Sequence[str], **more: str) -> list[Json]:
        found = []
        for one in ids:
            with suppress(GoneError):
                found.append(self.mapping(self.get(f"issue/{one}", fields=",".join(fields), **more)))
        return found


def project_of(value: Json) -> Project:
    try:
        return Project(str(value["id"]), str(value["key"]), str(value["name"]))
    except KeyError:
        problem = InputError("Jira lists a project without an id, a key or a name", "correct base_url")
    raise problem
