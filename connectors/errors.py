"""What can go wrong with a source, grouped by what there is to do about it.

Every error reads as one sentence that says what happened and one that says what to do next. The core adds
which source and which item. No message holds a secret, and none needs a traceback to be understood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a host said when it refused, without secrets: for connectors that must tell one refusal from another."""

    status: int
    said: str = ""
    """Its own words, shortened. They may be in any language."""
    body: Any = None
    """Its JSON, if it sent some."""


class ConnectorError(Exception):
    """Ends this source's turn; the others go on. The subclasses say what to do."""

    refusal: Refusal | None = None
    unsent: bool = False
    """Whether no connection was made, so that the host cannot have done anything."""

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(f"{what}; {next_step}" if next_step else what)
        self.what = what
        self.next_step = next_step


class SetupError(ConnectorError):
    """A person must correct the config or the tool's set-up: a name that does not exist, a field of another kind."""


class AuthError(ConnectorError):
    """A person must renew the credentials: missing, wrong, expired or revoked."""


class AccessError(ConnectorError):
    """The credentials are good, but the tool does not let them do this: ask its administrator."""


class GoneError(ConnectorError):
    """The collection or item is not there (any more), as far as these credentials can see."""


class BusyError(ConnectorError):
    """Nothing to correct: the next run tries again (rate limits, timeouts, a file that is still being written)."""


class InputError(ConnectorError):
    """The tool answered, or the file holds, what cannot be read as work items: cut short, not well-formed, hostile."""


class UnsafeError(ConnectorError):
    """We refuse: writing was not allowed, or would touch what is not ours."""
