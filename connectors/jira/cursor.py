"""Where a pull of one project left off, as the text that the core keeps."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from connectors.model import Cursor

FORM = 1
"""Raise it when cursors mean something else: older ones are then dropped, and the project is read anew."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a later pull of a project must know of the ones before."""

    since: datetime
    """By the server's clock: every change before it is known."""
    swept: datetime
    """By the server's clock: when all ids were last compared."""
    ids: str
    """The ids of all issues that were ever given and not taken back, packed: to see which of them vanished."""
    after: int | None = None
    """In a first pull that is not over yet: the last id that was given; the ids are those that it is to give."""

    def cursor(self) -> Cursor:
        values = {"form": FORM, "since": millis(self.since), "swept": millis(self.swept), "ids": self.ids}
        return Cursor(json.dumps(values | ({} if self.after is None else {"after": self.after})))

    def reached(self, after: int) -> Mark:
        return replace(self, after=after)


def read(cursor: Cursor) -> Mark | None:
    """What a cursor says; `None` for one of another form."""
    try:
        values = json.loads(cursor.value)
        if values["form"] != FORM:
            return None
        unpacked(values["ids"])
        return Mark(moment(values["since"]), moment(values["swept"]), values["ids"], values.get("after"))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None


def packed(ids: Iterable[int]) -> str:
    """Ids in few bytes: the steps from each to the next, compressed. 10,000 of them take some 10 kB at most."""
    ordered = sorted(ids)
    steps = (str(one - before) for before, one in zip([0, *ordered], ordered, strict=False))
    return base64.b85encode(zlib.compress(",".join(steps).encode())).decode()


def unpacked(text: str) -> list[int]:
    """Sorted. Raises `ValueError` for what `packed` did not make."""
    try:
        steps = zlib.decompress(base64.b85decode(text)).decode()
    except (zlib.error, binascii.Error, UnicodeError) as error:
        raise ValueError("not a list of ids") from error
    found, last = [], 0
    for step in steps.split(",") if steps else ():
        last += int(step)
        found.append(last)
    return found


def millis(moment: datetime) -> int:
    """Milliseconds since 1970: the one form of a time that JQL reads alike in every account's time zone."""
    return round(moment.timestamp() * 1000)


def moment(value: int) -> datetime:
    return datetime.fromtimestamp(value / 1000, UTC)
