"""What monday.com answers when it does not do as it is asked: in four forms, often with status 200.

https://developer.monday.com/api-reference/docs/error-handling
"""

from __future__ import annotations

from typing import Any

from graphql import GraphQLError

from connectors.fakes.server import Answer

DAILY = "DAILY_LIMIT_EXCEEDED"


def refusal(code: str, message: str, **more: Any) -> GraphQLError:
    """An error of one part of a request: the others are answered."""
    return GraphQLError(message, extensions={"code": code, "status_code": 200, **more})


def refused(code: str, message: str, status: int = 200, **more: Any) -> Answer:
    """An error of the whole request, with the form of today."""
    error = {"message": message, "extensions": {"code": code, "status_code": status, **more}}
    return Answer(status, {"errors": [error], "extensions": {"request_id": "b1c2"}})


def refused_as_before(code: str, message: str, status: int) -> Answer:
    """The form of old times, which comes back now and then."""
    return Answer(200, {"error_code": code, "status_code": status, "error_message": message, "error_data": {}})


def web_page(status: int = 502) -> Answer:
    text = b"<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>"
    return Answer(status, headers={"Content-Type": "text/html"}, body=text)


def too_busy(seconds: int = 7) -> Answer:
    """The budget of a minute is used up."""
    said = f"Complexity budget exhausted, query cost 30001 budget remaining 19986, reset in {seconds} seconds"
    return refused("COMPLEXITY_BUDGET_EXHAUSTED", said, 429, retry_in_seconds=seconds)
