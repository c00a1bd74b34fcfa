"""What an issue's changelog says of its statuses: pure, and the same for Cloud and Data Center.

Everything goes by the ids of statuses: names are changed, translated, and shared by several. The status in which an
issue was made is in no changelog: it is the one that the first change came from, or the present one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

from connectors.model import Certainty, ItemRef, StatusCategory, Transition

Clock = Literal["first", "last"]
SECONDS_AT_MOST = 100_000_000_000
"""A larger number of `created` is milliseconds: as seconds it would be the year 5138."""
AT_ONE_STROKE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Move:
    """One change of an issue's status."""

    at: datetime
    order: int
    """The history's id: two of the same moment happened in the order of their ids."""
    author: str
    from_id: str | None
    from_name: str
    to_id: str | None
    to_name: str
    migrated: bool = False
    """An administrator gave the issue another workflow; nobody moved it."""


@dataclass(frozen=True, slots=True)
class Stay:
    """How an issue came to where it is."""

    since: datetime | None
    """When it came into its present status; `None` if the history does not lead there."""
    certainty: Certainty
    started: datetime | None
    """When it first came into a status that is in progress."""
    transitions: tuple[Transition, ...]


@dataclass(frozen=True, slots=True)
class Statuses:
    """The site's statuses: names and categories by id, after what config says."""

    names: Mapping[str, str]
    categories: Mapping[str, StatusCategory]
    chosen: Mapping[str, StatusCategory]
    """By name or id, as config has it."""

    def name(self, status_id: str | None, then: str) -> str:
        """The name that a status has today, or had when history was written."""
        return self.names.get(status_id or "", then)

    def category(self, status_id: str | None, name: str) -> StatusCategory | None:
        return self.chosen.get(status_id or "") or self.chosen.get(name) or self.categories.get(status_id or "")


def parse_moves(histories: Iterable[Mapping[str, Any]]) -> list[Move]:
    """All changes of status in a changelog, in their order. Raises what `parse.UNREADABLE` lists."""
    moves = [move for history in histories for move in parse_history(history)]
    return sorted(moves, key=lambda move: (move.at, move.order))


def parse_history(history: Mapping[str, Any]) -> Iterable[Move]:
    """The changes of status in one entry. One without a `fieldId` is known by its name in English, as all are."""
    items = [item for item in history["items"] if is_of(item, "status")]
    if not items:
        return
    at, order = parse_created(history["created"]), int(history["id"])
    migrated = any(is_of(item, "workflow") for item in history["items"])
    author = parse_author(history.get("author"))
    for item in items:
        names = (str(item.get(name) or "").strip() for name in ("fromString", "toString"))
        yield Move(
            at, order, author, id_of(item.get("from")), next(names), id_of(item.get("to")), next(names), migrated
        )


def is_of(item: Mapping[str, Any], field: str) -> bool:
    return str(item.get("fieldId") or item.get("field") or "").lower() == field


def id_of(value: object) -> str | None:
    return str(value) if value not in (None, "") else None


def parse_author(author: object) -> str:
    """Who it was, as far as that can be told apart: deleted users and some imports have none."""
    if not isinstance(author, Mapping):
        return ""
    return str(author.get("accountId") or author.get("key") or author.get("name") or "")


def parse_created(value: object) -> datetime:
    """The time of an entry: text inline, and from /changelog/bulkfetch a number, in milliseconds as measured.

    The description of that endpoint says text, and its example is in seconds.
    """
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value if value < SECONDS_AT_MOST else value / 1000, UTC)
    raise ValueError("a history without a time")


def at_one_stroke(moves: Mapping[str, Sequence[Move]]) -> set[str]:
    """Issues (keys of `moves`) that one person moved within a minute of another issue: this may be a migration."""
    ordered = sorted((move.author, move.at, issue) for issue, found in moves.items() for move in found)
    return {
        issue
        for (who, at, one), (also, later, other) in pairwise(ordered)
        if who == also and one != other and later - at <= AT_ONE_STROKE
        for issue in (one, other)
    }


def stay(
    ref: ItemRef,
    created: datetime | None,
    status: tuple[str | None, str],
    moves: Sequence[Move],
    statuses: Statuses,
    clock: Clock,
) -> Stay:
    """Since when an issue is in its status (id and name), by its moves in order.

    A migration is no entry: what came to the old status stays where it is, under another name.
    """
    same = _named(moves, status)
    first_seen = (moves[0].from_id, moves[0].from_name) if moves else status
    here = key_of(*first_seen, same)
    since: datetime | None = created
    entries: dict[str, datetime | None] = {here: since}
    for move in moves:
        here = key_of(move.to_id, move.to_name, same)
        if not move.migrated:
            since = move.at
        entries.setdefault(here, since)
    if here != key_of(*status, same):
        since = None
    elif clock == "first":
        since = entries[here]
    certainty = Certainty.EXACT if since else Certainty.AT_LEAST
    transitions = tuple(_transitions(ref, created, first_seen, moves, statuses))
    started = next((one.at for one in transitions if one.to_category is StatusCategory.IN_PROGRESS), None)
    return Stay(since, certainty, started, transitions)


def _named(moves: Sequence[Move], status: tuple[str | None, str]) -> Mapping[str, str]:
    """Ids by name, for moves that do not say which status they led to."""
    pairs = [(move.from_name, move.from_id) for move in moves] + [(move.to_name, move.to_id) for move in moves]
    return {name: status_id for name, status_id in [*pairs, (status[1], status[0])] if status_id}


def key_of(status_id: str | None, name: str, ids: Mapping[str, str]) -> str:
    return status_id or ids.get(name) or f"?{name}"


def _transitions(
    ref: ItemRef, created: datetime | None, first: tuple[str | None, str], moves: Sequence[Move], statuses: Statuses
) -> Iterable[Transition]:
    """The way so far, its beginning included; a history without names of statuses proves nothing."""
    name = statuses.name(*first)
    if created and name:
        yield Transition(ref, created, name, statuses.category(first[0], name))
    for move in moves:
        to, before = statuses.name(move.to_id, move.to_name), statuses.name(move.from_id, move.from_name)
        if to:
            yield Transition(
                ref, move.at, to, statuses.category(move.to_id, to), before or None,
                statuses.category(move.from_id, before),
            )  # fmt: skip
