"""What a Trello is made of: members, boards, and what is on them, in the shapes in which the API gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Json = dict[str, Any]
Role = Literal["admin", "normal", "observer"]


@dataclass(frozen=True)
class Member:
    id: str
    name: str
    username: str

    def to_json(self) -> Json:
        return {"id": self.id, "fullName": self.name, "username": self.username}


US = Member("5bb0000000000000000000b0", "Label bot", "labelbot")
ADA = Member("5bb0000000000000000000ad", "Ada", "ada")
GRACE = Member("5bb0000000000000000000ce", "Grace", "grace")
NOBODY = Member("5bb000000000000000000000", "Somebody else", "else")


@dataclass
class Board:
    """One board. Entries are kept as the API gives them, but for what is worked out anew for each answer."""

    id: str
    name: str
    short_link: str
    organization: str | None = None
    closed: bool = False
    last_activity: str = ""
    lists: dict[str, Json] = field(default_factory=dict)
    labels: dict[str, Json] = field(default_factory=dict)
    cards: dict[str, Json] = field(default_factory=dict)
    checklists: dict[str, Json] = field(default_factory=dict)
    custom_fields: dict[str, Json] = field(default_factory=dict)
    custom_fields_on: bool = True
    """Whether the board has the Power-Up."""
    actions: list[Json] = field(default_factory=list)
    """Oldest first."""
    members: dict[str, tuple[Member, Role]] = field(default_factory=dict)
    limits: Json = field(default_factory=lambda: {"labels": {"perBoard": limit(1000)}, "cards": {}})
    numbers: int = 0
    """Of cards ever made on it."""

    @property
    def url(self) -> str:
        return f"https://trello.com/b/{self.short_link}/{self.name.lower().replace(' ', '-')}"

    def role_of(self, member: Member) -> Role | None:
        return self.members[member.id][1] if member.id in self.members else None


@dataclass(frozen=True)
class Entry:
    """One line of the log: who wrote what."""

    who: Member
    what: str


@dataclass
class Quirks:
    """How a real Trello can behave, and this one does on demand."""

    most_cards: int | None = None
    """More cards than this in one answer are refused with API_TOO_MANY_CARDS_REQUESTED."""
    slow_beyond: int | None = None
    """More cards than this in one answer end in a 504."""
    nested_in_order_of_place: bool = True
    """Of a board with over a thousand cards, a nested call gives the first ones by place, not the newest."""
    refuses_absent_labels: bool = True
    """Taking off a label that is not on is refused (nobody wrote down whether it is)."""
    late_actions: int = 0
    """So many of the newest actions do not show yet."""


def limit(most: int, status: str = "ok") -> Json:
    return {"status": status, "disableAt": most, "warnAt": most * 9 // 10}


def text_of(moment: datetime) -> str:
    """A time as Trello writes it: `2026-03-20T12:00:00.000Z`."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def chosen(entry: Mapping[str, Any], fields: str) -> Json:
    """Of an entry its id and the fields that were asked for; unknown names are passed over."""
    if fields == "all":
        return dict(entry)
    wanted = ("id", *(name for name in fields.split(",") if name != "id"))
    return {name: entry[name] for name in wanted if name in entry}
