"""What a cursor holds: what the board looked like, and since when each card is where it is.

Trello gives no list of cards that changed, and an action of long ago is dear to find again. So a cursor keeps what
the actions proved, and the next pull reads only those that came since. It is compressed, as cards may be thousands.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from connectors.model import Cursor
from connectors.trello.api import Json, moment
from connectors.trello.history import Trace

READING = 1
"""Raise it when the same answers are read differently, so that boards are read anew."""
OVERLAP = timedelta(minutes=5)
"""How long an action may take to show."""
AT_LEAST_EVERY = timedelta(days=1)
"""How often a big board is read although it says that nothing happened."""


@dataclass(frozen=True, slots=True)
class State:
    """How a board was when it was last read."""

    digest: str
    is_big: bool
    """Whether its cards do not come with the board itself."""
    read_at: datetime | None
    """By Trello's clock."""
    newest: str | None
    """Date of the newest action that was read."""
    traces: Mapping[str, Trace] = field(default_factory=dict)

    @property
    def since(self) -> str | None:
        """From when actions are to be read, with an overlap."""
        newest = moment(self.newest)
        return (newest - OVERLAP).strftime("%Y-%m-%dT%H:%M:%S.000Z") if newest else None

    def is_old(self, now: datetime | None) -> bool:
        """Whether a big board is to be read whatever it says. A small one is read with each look."""
        return self.is_big and (now is None or self.read_at is None or now - self.read_at >= AT_LEAST_EVERY)

    def to_cursor(self) -> Cursor:
        packed = {
            "reading": READING,
            "digest": self.digest,
            "big": self.is_big,
            "read": self.read_at.isoformat() if self.read_at else None,
            "newest": self.newest,
            "cards": {card: pack(trace) for card, trace in self.traces.items()},
        }
        text = json.dumps(packed, separators=(",", ":")).encode()
        return Cursor(base64.b85encode(zlib.compress(text, 6)).decode())


def parse_cursor(cursor: Cursor | None) -> State | None:
    """The state in a cursor; `None` for one that another version wrote."""
    if cursor is None:
        return None
    try:
        packed = json.loads(zlib.decompress(base64.b85decode(cursor.value)))
        if packed["reading"] != READING:
            return None
        traces = {card: unpack(values) for card, values in packed["cards"].items()}
        return State(packed["digest"], packed["big"], moment(packed["read"]), packed["newest"], traces)
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error):
        return None


def pack(trace: Trace) -> list[Any]:
    flags = trace.closed + 2 * trace.is_exact + 4 * trace.from_the_start
    return [trace.to, milliseconds(trace.since), flags, milliseconds(trace.started) if trace.started else 0]


def unpack(values: list[Any]) -> Trace:
    to, since, flags, started = values
    began = of_milliseconds(started) if started else None
    return Trace(to, bool(flags & 1), of_milliseconds(since), bool(flags & 2), bool(flags & 4), began)


def milliseconds(moment_: datetime) -> int:
    return round(moment_.timestamp() * 1000)


def of_milliseconds(number: int) -> datetime:
    return datetime.fromtimestamp(number / 1000, UTC)


def digest_of(board: Json) -> str:
    """Changes when anything of the board that we asked for does. The order of lists and cards is no content."""
    parts = {name: by_id(value) if isinstance(value, list) else value for name, value in board.items()}
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def by_id(entries: list[Any]) -> list[Any]:
    return sorted(entries, key=lambda one: str(one.get("id")) if isinstance(one, dict) else str(one))
