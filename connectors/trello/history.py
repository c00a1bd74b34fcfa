"""Since when a card is where it is: from the board's actions, never from `dateLastActivity`, which our own label moves.

Lists go by their ids, since an action shows the name that a list had then. What history proves is exact; what it does
not reach back to is "at least".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from connectors.model import Certainty, ItemRef, StatusCategory, Transition
from connectors.trello.api import Json, moment, text
from connectors.trello.statuses import ARCHIVED, Place

MADE = frozenset({"createCard", "copyCard", "emailCard", "convertToCardFromCheckItem"})
BEGUN = frozenset({"createBoard", "copyBoard"})
Status = tuple[str | None, StatusCategory | None]
MOST_PAGES = 200
"""Of actions in one pull; beyond, a start is "at least"."""


class Step(NamedTuple):
    """One action that put a card where it is."""

    card: str
    at: datetime
    to: str
    """Id of the list."""
    to_name: str
    """As it was called then."""
    closed: bool = False
    made: bool = False
    """Whether the card began here."""


class Trace(NamedTuple):
    """Where a card was last known to be, and since when."""

    to: str
    closed: bool
    since: datetime
    is_exact: bool
    from_the_start: bool = False
    """Whether all of the card's moves are known."""
    started: datetime | None = None
    """When it first came into a list that stands for work in progress, as far as is known."""

    def is_at(self, card: Json) -> bool:
        return self.to == card.get("idList") and self.closed == bool(card.get("closed"))


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a board's actions."""

    steps: Sequence[Step] = ()
    """Oldest first."""
    newest: str | None = None
    """The date of the newest action, as Trello writes it."""
    oldest: datetime | None = None
    is_whole: bool = False
    """Whether the action was among them with which the board began."""


def read_actions(pages: Iterable[Sequence[Json]], unproved: Mapping[str, str]) -> Read:
    """Go back through a board's actions until each card of `unproved` (id -> its list) is seen to come there."""
    waiting, steps = dict(unproved), []
    newest = oldest = None
    is_whole = False
    for number, page in enumerate(pages, start=1):
        if page:
            newest = newest or text(page[0], "date") or None
            oldest = moment(page[-1].get("date")) or oldest
        for action in page:
            if step := parse_step(action):
                steps.append(step)
                if waiting.get(step.card) == step.to and not step.closed:
                    del waiting[step.card]
            else:
                is_whole = is_whole or action.get("type") in BEGUN
        if number == MOST_PAGES or (unproved and not waiting):
            break
    return Read(steps[::-1], newest, oldest, is_whole)


def parse_step(action: Json) -> Step | None:
    """What an action says of where a card is, if anything."""
    kind, data = action.get("type"), part(action, "data")
    card, place, is_archiving = part(data, "card"), "list", False
    if kind == "updateCard":
        old = part(data, "old")
        if "idList" in old:
            place = "listAfter"
        elif "closed" not in old:
            return None
        is_archiving = place == "list" and card.get("closed") is True
    elif kind not in MADE and kind != "moveCardToBoard":
        return None
    to, at = part(data, place), moment(action.get("date"))
    card_id, list_id = card.get("id"), to.get("id")
    if at is None or not isinstance(card_id, str) or not isinstance(list_id, str):
        return None
    return Step(card_id, at, list_id, str(to.get("name") or ""), is_archiving, kind in MADE)


def part(entry: Json, name: str) -> Json:
    value: Any = entry.get(name)
    return value if isinstance(value, dict) else {}


def follow(steps: Iterable[Step], known: Mapping[str, Trace], underway: Collection[str]) -> dict[str, Trace]:
    """Where each card is after the steps. `underway` are the ids of lists that stand for work in progress.

    Steps that are in `known` already change nothing.
    """
    traces = dict(known)
    for step in steps:
        before = traces.get(step.card)
        started = before.started if before else None
        if started is None and step.to in underway and not step.closed:
            started = step.at
        from_the_start = step.made or bool(before and before.from_the_start)
        traces[step.card] = Trace(step.to, step.closed, step.at, True, from_the_start, started)
    return traces


def settle(card: Json, trace: Trace | None, known: Trace | None, read: Read) -> Trace:
    """Where a card is and since when, whatever its actions say: what it shows itself is what is so.

    `trace` is where the actions left it, `known` where an earlier pull did.
    """
    for proved in (trace, known):  # `known` if it was moved on between our look at the cards and that at the actions
        if proved is not None and proved.is_at(card):
            return proved
    here = Trace(str(card.get("idList")), bool(card.get("closed")), made_at(card), True)
    if here.closed:
        closed_at = moment(card.get("dateClosed"))
        return here._replace(since=closed_at or touched_at(card), is_exact=closed_at is not None)
    if trace is None:
        return unmoved(card, here, read)
    arrivals = [step.at for step in read.steps if step.card == card["id"] and step.to == here.to]
    return here._replace(since=arrivals[-1] if arrivals else touched_at(card), is_exact=bool(arrivals))


def unmoved(card: Json, here: Trace, read: Read) -> Trace:
    """Of a card that no action speaks of: it is here since it was made if all actions are known, else at least."""
    if read.is_whole:
        return here._replace(from_the_start=True)
    since = max(here.since, read.oldest) if read.oldest else touched_at(card)
    return here._replace(since=since, is_exact=False)


def touched_at(card: Json) -> datetime:
    """When anything on the card last changed: it has been where it is at least since then."""
    return moment(card.get("dateLastActivity")) or made_at(card)


def made_at(card: Json) -> datetime:
    """When a card was made: the first 8 digits of its id are the second."""
    try:
        return datetime.fromtimestamp(int(str(card["id"])[:8], 16), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


# For the core


def transitions(
    steps: Iterable[Step], known: Trace | None, ref: ItemRef, places: Mapping[str, Place], of_archived: StatusCategory
) -> Iterator[Transition]:
    """One card's changes of status since it was `known`, in order. Lists have the names that they have now."""
    before: Status = (None, None)
    if known is not None:
        before = (ARCHIVED, of_archived) if known.closed else status(known.to, known.to, places)
    for step in steps:
        if known is not None and step.at <= known.since:
            continue
        name, category = (ARCHIVED, of_archived) if step.closed else status(step.to, step.to_name, places)
        yield Transition(ref, step.at, name, category, *before)
        before = (name, category)


def status(to: str, then: str, places: Mapping[str, Place]) -> tuple[str, StatusCategory | None]:
    """What a list is called and stands for; one that is not there any more has the name that it had then."""
    place = places.get(to)
    return (place.name or to, place.category) if place else (then or to, None)


def certainty(trace: Trace) -> Certainty:
    return Certainty.EXACT if trace.is_exact else Certainty.AT_LEAST
