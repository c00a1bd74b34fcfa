"""What is particular about one vendor's limits and manners; everything else is the same for all hosts.

`Policy` is for a host that keeps to the standards. Each vendor's own says where its numbers come from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from connectors.http.answers import Answer


class Policy:
    """How to be polite to a host."""

    rate: ClassVar[float] = 10
    """Requests a second, on average."""
    burst: ClassVar[float] = 20
    """Requests at once, after a rest."""
    reading_posts: ClassVar[tuple[str, ...]] = ()
    """Paths below `base_url`, as regular expressions, where POST only reads."""

    def cost(self, method: str, path: str) -> float:
        """How many requests this one counts as."""
        return 1

    def reads(self, method: str, path: str, body: bytes) -> bool:
        """Whether a request changes nothing. Asked before anything is sent, so "no" is the safe answer."""
        if method in ("GET", "HEAD", "OPTIONS"):
            return True
        return method == "POST" and any(re.fullmatch(pattern, path) for pattern in self.reading_posts)

    def status(self, answer: Answer) -> int:
        """The status that an answer comes down to, where the vendor says it otherwise."""
        return answer.status

    def is_fine(self, answer: Answer) -> bool:
        """Whether an answer with a good status is what was hoped for, although it is no data."""
        return False

    def pause(self, answer: Answer) -> float:
        """Seconds in which the next request would be refused, as far as an answer tells. 0 for none."""
        return max(ietf_pause(answer.headers), reset_pause(answer, "X-RateLimit-Remaining", "X-RateLimit-Reset"))

    def wait(self, answer: Answer) -> float | None:
        """Seconds that a refusal asks for other than by `Retry-After`; `None` where it does not say."""
        return None

    def is_hopeless(self, answer: Answer) -> bool:
        """Whether a repeat cannot help, although its status says that it may."""
        return False

    def is_of_one_item(self, answer: Answer) -> bool:
        """Whether a 429 is about one item only, so that requests for others need not wait."""
        return False


class JiraPolicy(Policy):
    """Jira Cloud and Data Center.

    Cloud allows bursts of 100 requests a second (50 for PUT and DELETE) and tells of each limit in headers:
    https://developer.atlassian.com/cloud/jira/platform/rate-limiting/. Data Center has buckets of its own, if an
    administrator wants them: https://confluence.atlassian.com/adminjiraserver/adjusting-your-code-for-rate-limiting-987143384.html
    """

    rate = 45
    burst = 50
    reading_posts = (
        r"/rest/api/(2|3|latest)/search(/jql|/approximate-count)?",
        r"/rest/api/(2|3|latest)/(issue|changelog)/bulkfetch",
        r"/rest/api/(2|3|latest)/(jql/(parse|match)|permissions/check|issue/watching)",
    )

    def status(self, answer: Answer) -> int:
        """A credential that is not accepted may be served as nobody's, with 200 or 404; a header tells."""
        reason = answer.headers.get("X-Seraph-LoginReason", "").upper()
        if "AUTHENTICATED_FAILED" in reason or "AUTHENTICATION_DENIED" in reason:
            return 401
        if answer.status == 403 and b"Connect Session Auth Token" in answer.body[:2000]:
            return 401
        return answer.status

    def pause(self, answer: Answer) -> float:
        if answer.headers.get("X-RateLimit-Interval-Seconds"):  # Data Center
            left = number(answer.headers, "X-RateLimit-Remaining")
            return number(answer.headers, "X-RateLimit-Interval-Seconds") or 0 if left == 0 else 0
        near = answer.headers.get("X-RateLimit-NearLimit", "").lower() == "true"
        return max(super().pause(answer), 1.0 if near else 0)

    def is_of_one_item(self, answer: Answer) -> bool:
        return answer.headers.get("RateLimit-Reason", "") == "jira-per-issue-on-write"


class TrelloPolicy(Policy):
    """Trello: 100 requests in 10 seconds for a token, 300 for a key, and headers that count down.

    https://developer.atlassian.com/cloud/trello/guides/rest-api/rate-limits/ names the limits; the headers are not
    documented, but every answer has them.
    """

    rate = 9
    burst = 4  # ten seconds then hold 94 requests; with one more, `RESERVE` would stop everything for ten seconds
    LIMITS: ClassVar = ("Api-Token", "Api-Key", "Member", "Db-Query-Time")
    RESERVE = 5
    """What is left to other programs with the same token."""

    def pause(self, answer: Answer) -> float:
        return max(self._pause_for(answer, limit) for limit in self.LIMITS)

    def wait(self, answer: Answer) -> float | None:
        """Trello sends no `Retry-After`: the interval of the limit that was reached, or 10 seconds."""
        return max(10.0, self.pause(answer)) if answer.status == 429 else None

    def _pause_for(self, answer: Answer, limit: str) -> float:
        left = number(answer.headers, f"X-Rate-Limit-{limit}-Remaining")
        interval = number(answer.headers, f"X-Rate-Limit-{limit}-Interval-Ms") or 0
        return interval / 1000 if left is not None and left <= self.RESERVE else 0


class SmartsheetPolicy(Policy):
    """Smartsheet: 300 requests a minute for a token, of which a cell's history counts as ten; no headers tell.

    https://developers.smartsheet.com/api/smartsheet/guides/advanced-topics/scalability-options; error codes:
    https://developers.smartsheet.com/api/smartsheet/error-codes
    """

    rate = 4.5
    burst = 30
    CODES: ClassVar[Mapping[int, int]] = {4001: 503, 4002: 504, 4003: 429, 4004: 503}

    def cost(self, method: str, path: str) -> float:
        return 10 if path.rstrip("/").endswith("/history") else super().cost(method, path)

    def status(self, answer: Answer) -> int:
        return self.CODES.get(self._code(answer), answer.status)

    def wait(self, answer: Answer) -> float | None:
        """The vendor advises to sleep for a minute."""
        return 60 if self.status(answer) == 429 else None

    def is_hopeless(self, answer: Answer) -> bool:
        """4000 is a fault of theirs that the same request meets again."""
        return self._code(answer) == 4000

    def _code(self, answer: Answer) -> int:
        data = answer.loosely if answer.status >= 400 else None
        code = data.get("errorCode") if isinstance(data, dict) else None
        return code if isinstance(code, int) else 0


class MondayPolicy(Policy):
    """monday.com: GraphQL by POST, errors often with status 200, and a budget of complexity for each minute.

    https://developer.monday.com/api-reference/docs/rate-limits and …/docs/error-handling
    """

    rate = 16
    burst = 40
    BUSY: ClassVar = frozenset(
        {
            "COMPLEXITY_BUDGET_EXHAUSTED",
            "COMPLEXITYEXCEPTION",
            "DAILY_LIMIT_EXCEEDED",
            "IP_RATE_LIMIT_EXCEEDED",
            "MAXCONCURRENCYEXCEEDED",
            "MINUTE_RATE_LIMIT_EXCEEDED",
            "RATE_LIMIT_EXCEEDED",
            "TOOMANYREQUESTS",
        }
    )
    CODES: ClassVar[Mapping[str, int]] = {
        "NOT_AUTHENTICATED": 401,
        "UNAUTHORIZED": 401,
        "USERUNAUTHORIZEDEXCEPTION": 403,
        "USER_UNAUTHORIZED": 403,
        "INTERNAL_SERVER_ERROR": 500,
        **dict.fromkeys(BUSY, 429),
    }

    def reads(self, method: str, path: str, body: bytes) -> bool:
        """A POST reads if its GraphQL holds nothing but queries."""
        return super().reads(method, path, body) or (method == "POST" and only_queries(body))

    def status(self, answer: Answer) -> int:
        """What the code of an error comes down to.

        Where a request was taken on, each of its parts may be refused for itself, which is for the connector to see.
        Such an answer is no 429 either: after that the request is sent again, and a part of it may be done.
        """
        known = (self.CODES.get(code.upper().replace(" ", "_")) for code in self._codes(answer))
        status = next((status for status in known if status), answer.status)
        if status == answer.status or not self._has_parts(answer):
            return status
        return answer.status if status in (401, 403) else 503

    def wait(self, answer: Answer) -> float | None:
        """`retry_in_seconds` of an error, or the seconds that its text names."""
        text = answer.body[:20_000].decode("utf-8", "replace")
        found = re.search(r'"retry_in_seconds"\s*:\s*(\d+(?:\.\d+)?)|reset in (\d+) seconds', text)
        return float(found[1] or found[2]) if found else None

    def pause(self, answer: Answer) -> float:
        """The budget's reset, where a query asked for its own complexity and the next like it would not fit."""
        found = re.search(rb'"complexity"\s*:\s*(\{[^{}]*\})', answer.body)
        try:
            complexity = json.loads(found[1]) if found else {}
            dear = complexity["query"] > complexity["after"]
            return float(complexity["reset_in_x_seconds"]) if dear else super().pause(answer)
        except (ValueError, KeyError, TypeError):
            return super().pause(answer)

    def is_hopeless(self, answer: Answer) -> bool:
        """The calls of a day are counted; they come back at midnight UTC."""
        return any(code.upper() == "DAILY_LIMIT_EXCEEDED" for code in self._codes(answer))

    def _has_parts(self, answer: Answer) -> bool:
        body = answer.loosely
        return isinstance(body, dict) and isinstance(body.get("data"), dict) and bool(body["data"])

    def _codes(self, answer: Answer) -> list[str]:
        if b'"error' not in answer.body:
            return []
        data = answer.loosely
        errors = data.get("errors") if isinstance(data, dict) else None
        found = [data.get("error_code")] if isinstance(data, dict) else []
        for error in errors if isinstance(errors, list) else []:
            extensions = error.get("extensions") if isinstance(error, dict) else None
            found.append(extensions.get("code") if isinstance(extensions, dict) else None)
        return [code for code in found if isinstance(code, str)]


# GraphQL


def only_queries(body: bytes) -> bool:
    """Whether a GraphQL request can only read. Anything that is not plainly so is taken for a write."""
    try:
        request: Any = json.loads(body)
    except ValueError:
        return False
    text = request.get("query") if isinstance(request, dict) else None
    if not isinstance(text, str):
        return False
    code = re.sub(r'"""(?:\\"""|(?!""").)*"""|"(?:\\.|[^"\\\n\r])*"|#[^\n\r]*', " ", text, flags=re.DOTALL)
    return bool(re.match(r"[\s,]*(query\b|\{)", code)) and not re.search(r"\b(mutation|subscription)\b", code)


# Headers


def number(headers: Mapping[str, str], name: str) -> float | None:
    """A header's number, if it is there and is one."""
    text = headers.get(name, "").strip()
    return float(text) if re.fullmatch(r"\d{1,12}(\.\d{1,9})?", text) else None


def ietf_pause(headers: Mapping[str, str]) -> float:
    """Seconds until there is quota again, by the `RateLimit` header, where none remains.

    Both forms of https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/: `"burst";r=0;t=30`, and the
    older `limit=10, remaining=0, reset=30`; Atlassian still calls it `Beta-RateLimit`.
    """
    text = headers.get("RateLimit") or headers.get("Beta-RateLimit") or ""
    pauses = [0.0]
    for policy in re.split(r",(?=\s*\")", text):
        left = re.search(r"\b(?:r|remaining)\s*=\s*(\d{1,12})", policy)
        reset = re.search(r"\b(?:t|reset)\s*=\s*(\d{1,12})", policy)
        if left and reset and int(left[1]) == 0:
            pauses.append(float(reset[1]))
    return max(pauses)


def reset_pause(answer: Answer, remaining: str, reset: str) -> float:
    """Seconds until a moment that a header names (ISO 8601, or Unix time), where nothing remains until then."""
    if number(answer.headers, remaining) != 0:
        return 0
    text = answer.headers.get(reset, "").strip()
    try:
        seconds = number(answer.headers, reset)
        moment = datetime.fromtimestamp(seconds, UTC) if seconds is not None else datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return 0
    return answer.seconds_until(moment if moment.tzinfo else moment.replace(tzinfo=UTC)) or 0
