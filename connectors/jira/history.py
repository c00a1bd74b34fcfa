"""What an issue's changelog says of its statuses: pure, and the same for Cloud and Data Center.

Everything goes by the ids of statuses: names are changed, translated, and shared by several. The status in which an
issue was made is in no changelog: it is the one that the first change came from, or the present one.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from connectors.model import Certainty, ItemRef, StatusCategory, Transition

Clock = Literal["first", "last"]
SECONDS_AT_MOST = 100_000_000_000
"""A larger number of `created` is milliseconds: as seconds it would be the year 5138."""
AT_ONE_STROKE = timedelta(minutes=1)
_STROKE = int(AT_ONE_STROKE.total_seconds())


class Move(NamedTuple):
    """One change of an issue's status."""

    at: datetime
    order: int
    """The history's id: two of the same moment happened in the order of their ids."""
    author: str
    before: tuple[str | None, str]
    """Id and name of the status that it left; either may be missing."""
    after: tuple[str | None, str]
    migrated: bool = False
    """An administrator gave the issue another workflow; nobody moved it."""


class Statuses:
    """The site's statuses, by id: names, and categories after what config says."""

    def __init__(
        self,
        names: Mapping[str, str],
        categories: Mapping[str, StatusCategory],
        chosen: Mapping[str, StatusCategory],
    ) -> None:
        """`chosen` is by name or id, as config has it."""
        self._names, self._categories, self._chosen = names, categories, chosen
        self._known: dict[tuple[str | None, str], tuple[str, StatusCategory | None]] = {}

    def shown(self, status: tuple[str | None, str]) -> tuple[str, StatusCategory | None]:
        """The name that a status (its id, and its name when history was written) has today, and its category."""
        found = self._known.get(status)
        if found is None:
            status_id, then = status
            name = self._names.get(status_id or "", then)
            chosen = self._chosen.get(status_id or "") or self._chosen.get(name) or self._chosen.get(then)
            found = self._known[status] = name, chosen or self._categories.get(status_id or "")
        return found


def parse_moves(histories: Iterable[Mapping[str, Any]]) -> list[Move]:
    """All changes of status in a changelog, in their order. Raises what `parse.UNREADABLE` lists."""
    moves: list[Move] = []
    for history in histories:
        items = history["items"]
        for item in items:
            if item.get("fieldId") == "status" or is_of(item, "status"):
                at, order, author = parse_created(history["created"]), int(history["id"]), parse_author(history)
                migrated = len(items) > 1 and any(is_of(other, "workflow") for other in items)
                before = status_of(item.get("from"), item.get("fromString"))
                moves.append(Move(at, order, author, before, status_of(item.get("to"), item.get("toString")), migrated))
    moves.sort(key=itemgetter(0, 1))
    return moves


def is_of(item: Mapping[str, Any], field: str) -> bool:
    return str(item.get("fieldId") or item.get("field")).lower() == field


def status_of(status_id: object, name: object) -> tuple[str | None, str]:
    """Id and name of a status; either may be missing."""
    return str(status_id) if status_id not in (None, "") else None, str(name or "").strip()


def parse_author(history: Mapping[str, Any]) -> str:
    """Who it was, as far as that can be told apart: deleted users and some imports have none."""
    author = history.get("author")
    if not isinstance(author, dict):
        return ""
    return str(author.get("accountId") or author.get("key") or author.get("name") or "")


def parse_created(value: object) -> datetime:
    """The time of an entry: text inline, and from /changelog/bulkfetch a number, in milliseconds as measured.

    The description of that endpoint says text, and its example is in seconds.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return datetime.fromtimestamp(value if value < SECONDS_AT_MOST else value / 1000, UTC)
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    raise ValueError("a history without a time")


def at_one_stroke(moves: Mapping[str, Sequence[Move] | None]) -> set[str]:
    """Issues (keys of `moves`) that one person moved within a minute of another issue: this may be a migration."""
    by_author: defaultdict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for issue, found in moves.items():
        for move in found or ():
            by_author[move.author].append((move.at, issue))
    return {
        issue
        for theirs in by_author.values()
        for (at, one), (later, other) in pairwise(sorted(theirs))
        if one != other and later - at <= AT_ONE_STROKE
        for issue in (one, other)
    }


class LastMoves:
    """The last moves of many issues, in 17 bytes each: to see what was done at one stroke to issues read apart."""

    def __init__(self) -> None:
        self._authors: dict[str, int] = {}
        self._when = array("q")
        """Seconds since 1970, with the number of who it was in the upper bits: another author's are never near."""
        self._issues = array("q")
        self._looked_at = array("b")

    def add(self, moves: Mapping[str, Sequence[Move] | None], looked_at: Set[str]) -> None:
        """`looked_at` are the issues whose whole history was read."""
        for issue, found in moves.items():
            if found:
                author = self._authors.setdefault(found[-1].author, len(self._authors))
                self._when.append((author << 40) + int(found[-1].at.timestamp()))
                self._issues.append(int(issue))
                self._looked_at.append(issue in looked_at)

    def overlooked(self) -> list[int]:
        """Issues that one person moved last within a minute of another's last move, and were not looked at; sorted."""
        order = sorted(range(len(self._when)), key=self._when.__getitem__)
        near = (pair for pair in pairwise(order) if self._when[pair[1]] - self._when[pair[0]] <= _STROKE)
        return sorted({self._issues[one] for pair in near for one in pair if not self._looked_at[one]})


def stay(
    created: datetime | None, status: tuple[str | None, str], moves: Sequence[Move], clock: Clock
) -> tuple[datetime | None, Certainty]:
    """Since when an issue is in its status (id and name), by its moves in order, and how well that is known.

    `None` if its history does not lead there. A migration is no entry: what came to the old status stays where it
    is, under another name.
    """
    all_by_id = status[0] and all(move.before[0] and move.after[0] for move in moves)
    ids = {} if all_by_id else ids_by_name(status, moves)
    since = created
    here = key_of(moves[0].before if moves else status, ids)
    entries = {here: since}
    for move in moves:
        here = move.after[0] or key_of(move.after, ids)
        if not move.migrated:
            since = move.at
        entries.setdefault(here, since)
    if here != key_of(status, ids):
        since = None
    elif clock == "first":
        since = entries[here]
    return since, Certainty.EXACT if since else Certainty.AT_LEAST


def ids_by_name(status: tuple[str | None, str], moves: Sequence[Move]) -> Mapping[str, str]:
    """For moves that do not say by id where they led, which some do not."""
    seen = [status, *(move.before for move in moves), *(move.after for move in moves)]
    return {name: status_id for status_id, name in reversed(seen) if status_id}


def key_of(status: tuple[str | None, str], ids: Mapping[str, str]) -> str:
    return status[0] or ids.get(status[1]) or f"?{status[1]}"


def transitions(ref: ItemRef, moves: Iterable[Move], statuses: Statuses) -> list[Transition]:
    """The moves as the core knows them; one that names no status proves nothing."""
    found = []
    for move in moves:
        to, category = statuses.shown(move.after)
        before, before_category = statuses.shown(move.before)
        if to:
            found.append(Transition(ref, move.at, to, category, before or None, before_category))
    return found


def first_underway(
    moves: Sequence[Transition], created: datetime | None, category: StatusCategory | None
) -> datetime | None:
    """When it first came into a status that is in progress; `category` is the present one."""
    if (moves[0].from_category if moves else category) is StatusCategory.IN_PROGRESS:
        return created
    return next((move.at for move in moves if move.to_category is StatusCategory.IN_PROGRESS), None)
