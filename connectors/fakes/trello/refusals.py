"""What a Trello answers when it does not do as it is asked: mostly a line of plain text."""

from __future__ import annotations

from connectors.fakes.server import Answer

PLAIN = {"Content-Type": "text/plain; charset=utf-8"}


class RefusalError(Exception):
    """Ends the handling of a request with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def plain(status: int, text: str) -> RefusalError:
    return RefusalError(Answer(status, headers=PLAIN, body=text.encode()))


def coded(status: int, error: str, message: str) -> RefusalError:
    """Refusals that have a code are JSON."""
    return RefusalError(Answer(status, {"error": error, "message": message}))


def not_found() -> RefusalError:
    return plain(404, "The requested resource was not found.")


def rate_limited() -> Answer:
    """https://developer.atlassian.com/cloud/trello/guides/rest-api/rate-limits/; there is no Retry-After."""
    return Answer(429, {"error": "API_TOKEN_LIMIT_EXCEEDED", "message": "Rate limit exceeded"})


def too_many_cards() -> RefusalError:
    return coded(403, "API_TOO_MANY_CARDS_REQUESTED", "Too many cards requested")


def no_permission() -> RefusalError:
    """What an observer gets who wants to change a card."""
    return plain(401, "unauthorized card permission requested")
