"""The server: every request is noted, let in or not, and led to what answers it."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from connectors.fakes.jira import reading, writing
from connectors.fakes.jira.asking import Ask
from connectors.fakes.jira.doors import READ, WHO, WRITE, Doors
from connectors.fakes.jira.refusals import Limit, RefusalError, rate_limited
from connectors.fakes.jira.searching import Search
from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import Issue
from connectors.fakes.server import Answer, FakeServer, Request

PATH = re.compile(r"(?P<before>/ex/jira/[^/]+)?/rest/api/(?P<version>2|3|latest)/(?P<rest>.+)")
READING_POSTS = ("/search", "/search/jql", "/search/approximate-count", "/changelog/bulkfetch", "/issue/bulkfetch")
PER_ISSUE_SECONDS = 2
PROPERTY_METHODS = ("GET", "PUT", "DELETE")
NO_ISSUE = "Issue does not exist or you do not have permission to see it."


Handler = Callable[..., Answer]
"""Takes the request, the issue that its path names if it names one, and what else the path names."""


@dataclass
class Script:
    """An answer out of the ordinary for the next requests of a kind."""

    answer: Answer
    times: int
    method: str
    path: str

    def takes(self, request: Request) -> bool:
        return self.times > 0 and self.method in ("", request.method) and self.path in request.path


@dataclass
class Bucket:
    """What is left of an endpoint's burst limit."""

    left: float
    at: float

    def take(self, rate: float, now: float) -> bool:
        self.left = min(max(rate, 1), self.left + (now - self.at) * rate)
        self.at = now
        allowed = self.left >= 1
        self.left -= allowed
        return allowed


class Jira:
    """One Jira at `url`, until it is closed."""

    def __init__(
        self,
        site: Site | None = None,
        *,
        cloud: bool = True,
        judge: Callable[[Request, Answer], None] | None = None,
        port: int = 0,
    ) -> None:
        self.site = site or Site(cloud=cloud)
        self.doors = Doors(self.site)
        self._judge = judge
        self._search = Search(self.site)
        self._scripts: list[Script] = []
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._written: dict[str, list[float]] = {}
        """When writes to an issue were let through."""
        self._lock = threading.Lock()
        self.server = FakeServer(self.answer, port)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def requests(self) -> Sequence[Request]:
        return self.server.requests

    @property
    def writing_requests(self) -> list[Request]:
        """Those that would change something, by their method and path."""
        return [one for one in self.requests if is_write(one)]

    @property
    def counted(self) -> Counter[str]:
        """How many requests came, by method and path below the API's version, ids as `*`: `GET /issue/*`."""
        return Counter(f"{one.method} {kind_of(one)}" for one in self.requests)

    def script(self, answer: Answer, times: int = 1, method: str = "", path: str = "") -> None:
        """Let the next `times` requests with this method, whose path contains `path`, get this answer."""
        self._scripts.append(Script(answer, times, method, path))

    def stop_scripts(self) -> None:
        """From now on it answers as it would."""
        self._scripts.clear()

    def close(self) -> None:
        self.server.close()

    def clock(self) -> float:
        """Seconds for the limits, which count real time."""
        return time.monotonic()

    # Every request

    def answer(self, request: Request) -> Answer:
        with self._lock:
            answer = self._answer(request)
            if self._judge:
                self._judge(request, answer)
        date = self.site.now.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return replace(
            answer, headers={"Date": date, "Content-Type": "application/json;charset=UTF-8", **answer.headers}
        )

    def _answer(self, request: Request) -> Answer:
        for script in self._scripts:
            if script.takes(request):
                script.times -= 1
                return script.answer
        limits = self._limits(request)
        if limits is None:
            return rate_limited(Limit.BURST, "1")
        if self._too_often(request):
            return rate_limited(Limit.PER_ISSUE, "2")
        try:
            answer = self._admitted(request)
        except RefusalError as refusal:
            answer = translated(refusal.answer) if self.site.quirks.translates else refusal.answer
        return replace(answer, headers={**limits, **answer.headers})

    def _limits(self, request: Request) -> Mapping[str, str] | None:
        """Headers that tell what is left of the burst limit, if there is one; `None` if nothing is."""
        rate = self.site.quirks.requests_per_second
        if rate is None:
            return {}
        now = self.clock()
        bucket = self._buckets.setdefault((request.method, kind_of(request)), Bucket(max(rate, 1), now))
        if not bucket.take(rate, now):
            return None
        near = {"X-RateLimit-NearLimit": "true"} if bucket.left < rate / 5 else {}
        return {"X-RateLimit-Limit": f"{rate:.0f}", "X-RateLimit-Remaining": f"{bucket.left:.0f}", **near}

    def _too_often(self, request: Request) -> bool:
        """Whether this is one write too many to its issue."""
        most, now = self.site.quirks.writes_per_issue, self.clock()
        if most is None or not is_write(request):
            return False
        issue = "/".join(endpoint_of(request).split("/")[:3])
        recent = [at for at in self._written.get(issue, []) if now - at < PER_ISSUE_SECONDS]
        self._written[issue] = [*recent, *([now] if len(recent) < most else [])]
        return len(recent) >= most

    def _admitted(self, request: Request) -> Answer:
        match = PATH.fullmatch(request.path)
        if match is None:
            raise RefusalError(404, "null for uri: " + request.path)
        user, headers = self.doors.enter(request, request.path, scope_of(request))
        version = match["version"].replace("latest", "2")
        if version == "3" and not self.site.cloud:
            raise RefusalError(404, "null for uri: " + request.path)
        ask = Ask(request, version, self.url + (match["before"] or ""), self.url, user)
        answer = self._route(ask, match["rest"].split("/"))
        return replace(answer, headers={**headers, **answer.headers})

    # Where requests go

    def _route(self, ask: Ask, parts: Sequence[str]) -> Answer:
        for route, handler in self._routes().items():
            method, pattern = route.split(" ")
            names = pattern.split("/")
            if method == ask.request.method and len(names) == len(parts):
                pairs = list(zip(names, parts, strict=True))
                if all(name in ("*", part) for name, part in pairs):
                    return self._handled(handler, ask, [part for name, part in pairs if name == "*"])
        raise RefusalError(404, "null for uri: " + ask.request.path)

    def _handled(self, handler: Handler, ask: Ask, named: Sequence[str]) -> Answer:
        """The first thing that a path names is an issue, in every path that names one but those of comments alone."""
        if not named or endpoint_of(ask.request).startswith("/comment/"):
            return handler(ask, *named)
        return handler(ask, self._seen(ask, named[0]), *named[1:])

    def _routes(self) -> Mapping[str, Handler]:
        site, search = self.site, self._search
        edition: Mapping[str, Handler] = {
            "GET search/jql": search.by_token,
            "POST search/jql": search.by_token,
            "GET search": search.removed,
            "POST search": search.removed,
            "POST search/approximate-count": search.count,
            "POST changelog/bulkfetch": search.changelogs,
            "POST issue/bulkfetch": partial(reading.issues_in_bulk, site, search),
            "GET issue/*/changelog": partial(reading.issue_changelog, site),
            "GET project/search": partial(reading.project_page, site),
            "GET label": partial(reading.labels, site),
        }
        if not site.cloud:
            edition = {
                "GET search": search.by_offset,
                "POST search": search.by_offset,
                "GET project": partial(reading.projects, site),
            }
        return {
            **edition,
            "GET serverInfo": partial(reading.server_info, site),
            "GET myself": partial(reading.myself, site),
            "GET field": partial(reading.fields, site),
            "GET status": partial(reading.statuses, site),
            "GET mypermissions": partial(reading.my_permissions, site),
            "GET issue/*": partial(reading.one_issue, site),
            "GET issue/*/remotelink": partial(reading.web_links, site),
            "PUT issue/*": partial(writing.edit_issue, site),
            "GET issue/*/comment": partial(writing.comments, site),
            "POST issue/*/comment": partial(writing.comment, site),
            "PUT issue/*/comment/*": partial(writing.comment, site),
            "GET comment/*/properties/*": partial(writing.comment_property, site, search),
            **{f"{method} issue/*/properties/*": partial(writing.properties, site) for method in PROPERTY_METHODS},
        }

    def _seen(self, ask: Ask, id_or_key: str) -> Issue:
        """An issue that we can see; the others are as good as absent."""
        try:
            issue = self.site.issue(id_or_key)
        except KeyError:
            raise RefusalError(404, NO_ISSUE) from None
        if not self._search.visible(ask, issue):
            raise RefusalError(404, NO_ISSUE)
        return issue


def translated(answer: Answer) -> Answer:
    """The same refusal in words that nobody foresaw."""
    errors = {name: f"Übersetzt: {text[::-1]}" for name, text in answer.json.get("errors", {}).items()}
    messages = [f"Übersetzt: {text[::-1]}" for text in answer.json.get("errorMessages", [])]
    return replace(answer, json={"errorMessages": messages, "errors": errors})


def endpoint_of(request: Request) -> str:
    """The path below the API's version."""
    match = PATH.fullmatch(request.path)
    return "/" + match["rest"] if match else request.path


def kind_of(request: Request) -> str:
    """The same with `*` for ids and keys of issues: all of these share a limit."""
    return re.sub(r"^/issue/(?!bulkfetch)[^/]+", "/issue/*", endpoint_of(request))


def is_write(request: Request) -> bool:
    return request.method != "GET" and not (request.method == "POST" and endpoint_of(request) in READING_POSTS)


def scope_of(request: Request) -> str | None:
    """The scope that a token must have for a request, as the OpenAPI description names it for each."""
    endpoint = endpoint_of(request)
    if endpoint == "/serverInfo":
        return None
    return WHO if endpoint == "/myself" else WRITE if is_write(request) else READ
