"""A request as the endpoints see it: who asks for what, with every parameter checked as Jira checks it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors.fakes.jira.refusals import RefusalError
from connectors.fakes.jira.state import Person
from connectors.fakes.server import Request

BAD_PAYLOAD = "Invalid request payload. Refer to the REST API documentation and try again."


@dataclass(frozen=True)
class Ask:
    """One request that was let in."""

    request: Request
    version: str
    """`2` or `3`."""
    base: str
    """The URL in front of `/rest`, for links."""
    site_url: str
    """The URL of the site itself, which people open in a browser."""
    user: Person | None
    """`None` is somebody whom nobody knows."""
    validates: bool = True
    """Data Center's `validateQuery`: whether a query is checked before it is run."""

    @property
    def strict(self) -> bool:
        """Whether a query that names what is not there is refused: nobody is told what there is."""
        return self.user is not None and self.validates

    # Parameters of the URL

    def texts(self, name: str) -> list[str]:
        """Every value of a parameter that is repeated, comma-separated, or both."""
        found = parse_qs(urlsplit(self.request.target).query).get(name, [])
        return [word.strip() for text in found for word in text.split(",") if word.strip()]

    def text(self, name: str, otherwise: str = "") -> str:
        return parse_qs(urlsplit(self.request.target).query).get(name, [otherwise])[-1]

    def flag(self, name: str, *, otherwise: bool) -> bool:
        return self.text(name, str(otherwise)).lower() == "true"

    def number(self, name: str, otherwise: int) -> int:
        text = self.text(name, str(otherwise))
        try:
            return int(text)
        except ValueError:
            raise RefusalError(404, f"'{text}' is not a number.") from None

    # The body

    def body(self) -> Any:
        if not self.request.headers.get("Content-Type", "").startswith("application/json"):
            raise RefusalError(415, "Unsupported Media Type")
        try:
            return json.loads(self.request.body)
        except ValueError:
            raise RefusalError(400, BAD_PAYLOAD) from None

    def members(self, **kinds: type) -> Mapping[str, Any]:
        """A body that is an object with these members and no others, each of its kind, or of null."""
        body = self.body()
        if not isinstance(body, dict) or not body.keys() <= kinds.keys():
            raise RefusalError(400, BAD_PAYLOAD)
        for name, value in body.items():
            if not isinstance(value, kinds[name]) or (kinds[name] is int and isinstance(value, bool)):
                raise RefusalError(400, BAD_PAYLOAD)
        return body


def between(value: int, least: int, most: int, what: str) -> int:
    if not least <= value <= most:
        raise RefusalError(400, f"{what} must be between {least} and {most}.")
    return value


def texts_only(values: Sequence[Any]) -> list[str]:
    if not all(isinstance(value, str) for value in values):
        raise RefusalError(400, BAD_PAYLOAD)
    return list(values)
