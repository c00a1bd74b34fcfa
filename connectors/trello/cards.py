"""Cards as work items: pure functions, from what Trello gives to what the core knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.model import Certainty, ItemRef, StatusCategory, WorkItem
from connectors.trello.api import Json, moment, text, with_ids
from connectors.trello.fields import Reader
from connectors.trello.history import Trace, certainty, made_at
from connectors.trello.statuses import ARCHIVED, Place

UNANSWERED = frozenset(
    {"percent_complete", "priority", "sponsor", "outcome_metric", "outcome_category", "outcome_baseline"}
    | {"outcome_target", "outcome_actual", "outcome_reviewed_at", "started_at", "finished_at"}
)
"""Columns that a card has nothing for, unless they are mapped or its history tells."""

NO_WORK = frozenset({"separator", "board", "link", "mirror"})
"""Roles of cards that stand for something else."""


@dataclass(frozen=True, slots=True)
class Board:
    """What is needed of a board to read its cards."""

    id: str
    name: str
    places: Mapping[str, Place]
    members: Mapping[str, str]
    """Id -> full name."""
    checklists: Mapping[str, Sequence[Json]]
    """By id of the card."""
    reader: Reader
    of_archived: StatusCategory


def names_of(members: Sequence[Json]) -> dict[str, str]:
    return {one["id"]: text(one, "fullName") or text(one, "username") or one["id"] for one in members}


def by_card(checklists: Sequence[Json]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = defaultdict(list)
    for one in checklists:
        found[str(one.get("idCard"))].append(one)
    return found


def is_work(card: Json) -> bool:
    """Whether a card is a piece of work, and not a template, a line between cards, a link, or another card's mirror."""
    return not card.get("isTemplate") and card.get("cardRole") not in NO_WORK and not card.get("mirrorSourceId")


def parse_card(card: Json, board: Board, trace: Trace, source: str) -> WorkItem:
    """One card. Raises `KeyError`, `TypeError` or `ValueError` if it is none."""
    checklists = board.checklists.get(card["id"]) or with_ids(card.get("checklists"))
    mapped, custom, unread = board.reader.columns(card, checklists)
    columns, unknown = own_columns(card, board, trace)
    return WorkItem(
        ref=ItemRef(source, card["id"]),
        key=text(card, "shortLink") or card["id"],
        title=text(card, "name"),
        collection=board.id,
        url=text(card, "shortUrl") or None,
        project=mapped.pop("project", board.name),
        type=mapped.pop("type", "card"),
        created_at=made_at(card),
        updated_at=moment(card.get("dateLastActivity")),
        labels=labels(card),
        description=text(card, "desc"),
        fields=custom,
        links=links(card),
        unknown=frozenset((unknown - mapped.keys()) | unread),
        **{**columns, **mapped},
    )


def own_columns(card: Json, board: Board, trace: Trace) -> tuple[dict[str, Any], set[str]]:
    """Columns that a mapping may replace, with those of the status, and the names of those that are unknown."""
    columns = status_columns(card, board, trace)
    unknown = {name for name, value in columns.items() if value is None}
    columns["due_at"] = moment(card.get("due"))
    category = columns["status_category"]
    columns["finished_at"] = finished_at(card, columns) if category is StatusCategory.DONE else None
    columns["started_at"] = started_at(trace, columns) if trace.from_the_start else None
    columns["assignees"] = people = assignees(card, board)
    columns["owner"] = people[0] if len(people) == 1 else None
    unknown |= UNANSWERED | ({"owner"} if len(people) > 1 else set())
    unknown -= {"finished_at"} if columns["finished_at"] or category in OPEN else set()
    unknown -= {"started_at"} if trace.from_the_start else set()
    return columns, unknown


OPEN = (StatusCategory.TODO, StatusCategory.IN_PROGRESS)


def status_columns(card: Json, board: Board, trace: Trace) -> dict[str, Any]:
    """The columns of the status; `None` for those that cannot be told."""
    place = board.places.get(str(card.get("idList")))
    since: datetime | None = trace.since
    category: StatusCategory | None = board.of_archived
    if card.get("closed") or (place and place.closed):
        # When a list was archived, its cards say nothing of it.
        since = trace.since if card.get("closed") else None
        status, status_id = ARCHIVED, "archived"
    elif place:
        status, status_id, category = place.name, place.id, place.category
    else:
        return dict.fromkeys(("status", "status_id", "status_category", "status_since"))
    return {
        "status": status or status_id,
        "status_id": status_id,
        "status_category": category,
        "status_since": since,
        "status_since_is": certainty(trace) if since else Certainty.AT_LEAST,
    }


def started_at(trace: Trace, columns: Mapping[str, Any]) -> datetime | None:
    """When a card whose moves are all known first came to be worked on."""
    since: datetime | None = columns["status_since"]
    return trace.started or (since if columns["status_category"] is StatusCategory.IN_PROGRESS else None)


def finished_at(card: Json, columns: Mapping[str, Any]) -> datetime | None:
    """When a card that is done came to be so, if that is known exactly."""
    if (completed := moment(card.get("dateCompleted"))) is not None:
        return completed
    return columns["status_since"] if columns["status_since_is"] is Certainty.EXACT else None


def assignees(card: Json, board: Board) -> tuple[str, ...]:
    members = card.get("idMembers") or ()
    return tuple(sorted({board.members.get(str(one), str(one)) for one in members}))


def labels(card: Json) -> tuple[str, ...]:
    """The names of a card's labels. Those that are only a colour have none."""
    return tuple(sorted({text(one, "name") for one in card.get("labels") or () if isinstance(one, dict)} - {""}))


def links(card: Json) -> tuple[str, ...]:
    """The addresses that people attached to a card; not those of files that they uploaded."""
    attached = (one for one in card.get("attachments") or () if isinstance(one, dict) and not one.get("isUpload"))
    return tuple(dict.fromkeys(url for url in (text(one, "url") for one in attached) if url))
