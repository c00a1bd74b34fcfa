"""What a Jira answers when it does not do as it is asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from connectors.fakes.server import Answer


class RefusalError(Exception):
    """Ends the handling of a request with this answer."""

    def __init__(self, status: int, *messages: str, **errors: str) -> None:
        super().__init__(*messages)
        self.answer = Answer(status, error_json(*messages, **errors))


def error_json(*messages: str, **errors: str) -> dict[str, Any]:
    """Jira's ErrorCollection: messages for the request as a whole, and one for each field."""
    return {"errorMessages": list(messages), "errors": errors}


class Limit(StrEnum):
    """Why Cloud answers 429: the values of `RateLimit-Reason`.

    https://developer.atlassian.com/cloud/jira/platform/rate-limiting/
    """

    BURST = "jira-burst-based"
    PER_ISSUE = "jira-per-issue-on-write"
    GLOBAL_QUOTA = "jira-quota-global-based"
    TENANT_QUOTA = "jira-quota-tenant-based"


def rate_limited(limit: Limit, retry_after: str | None = "2", reset: datetime | None = None) -> Answer:
    """Cloud's 429. `retry_after` is sent as it stands: seconds, an HTTP date, or nonsense; `None` leaves it out."""
    headers = {"RateLimit-Reason": limit, "X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0"}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    if reset is not None:
        headers["X-RateLimit-Reset"] = reset.strftime("%Y-%m-%dT%H:%MZ")
    return Answer(429, error_json("Rate limit exceeded."), headers)


def rate_limited_by_data_center(retry_after: str = "0", fill_rate: int = 1) -> Answer:
    """Data Center's 429, whose `retry-after` may be 0.

    https://confluence.atlassian.com/adminjiraserver/adjusting-your-code-for-rate-limiting-987143384.html
    """
    headers = {
        "X-RateLimit-Limit": "10",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Interval-Seconds": "60",
        "X-RateLimit-FillRate": str(fill_rate),
        "retry-after": retry_after,
    }
    return Answer(429, {"message": "Rate limit exceeded."}, headers)


def conflict() -> Answer:
    """Somebody else's edit came between; the same edit may work the next time."""
    return Answer(409, error_json("The issue could not be updated due to a conflicting update."))


def maintenance(retry_after: str | None = None) -> Answer:
    """503, with or without a word on when to come back."""
    return Answer(503, error_json("Jira is starting up."), {"Retry-After": retry_after} if retry_after else {})


def captcha(url: str) -> Answer:
    """Data Center, after too many wrong passwords: a person must log in by hand first."""
    reason = f"CAPTCHA_CHALLENGE; login-url={url}/login.jsp"
    return Answer(403, error_json("Login denied"), {"X-Authentication-Denied-Reason": reason})


def after(moment: datetime, seconds: float) -> str:
    """An HTTP date so many seconds after `moment`, for `Retry-After`."""
    return (moment + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT")
