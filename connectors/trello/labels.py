"""Putting labels on cards and taking them off, one at a time, by the ids that they have on the card's board.

Names of labels are not unique on a board: the one with the lowest id stands for all of its name, and a name that is
there is never made again. https://developer.atlassian.com/cloud/trello/rest/api-group-cards/#api-cards-id-idlabels-post
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from connectors.base import ChangeResult, Collection, MadeLabel, Outcome, Tidied, exempted
from connectors.errors import AccessError, AuthError, ConnectorError, GoneError, SetupError
from connectors.model import LabelChange
from connectors.trello.api import MOST, Api, Json, is_no_leave, text, with_ids
from connectors.wording import many

LONGEST = 16_384
"""Characters of a label's name."""


class Labeller:
    """Labels the cards of one board."""

    def __init__(self, api: Api, board: Collection, colors: Mapping[str, str], color: str) -> None:
        self._api, self._board = api, board
        self._colors, self._color = colors, color
        self._ids: dict[str, str] | None = None
        self._is_full = False
        self._made: list[MadeLabel] = []
        """Made on the board, and not told yet."""

    def write(self, change: LabelChange) -> ChangeResult:
        """Do what is still to be done. Raises a `ConnectorError` for what more than this card would meet."""
        result = self._write_card(change)
        made, self._made = tuple(self._made), []
        return replace(result, made=made)

    def _write_card(self, change: LabelChange) -> ChangeResult:
        if long := next((label for label in change.add if not 1 <= len(label.strip()) <= LONGEST), None):
            problem = f'"{long[:20]}…" is no label for Trello, which holds 1 to {LONGEST} characters; shorten it'
            return ChangeResult(change.ref, Outcome.REFUSED, problem)
        try:
            card = self._api.card(change.ref.native_id)
            if card.get("idBoard") != self._board.native_id:
                moved = "the card was moved to another board; the next run looks for it there"
                return ChangeResult(change.ref, Outcome.STALE, moved)
            return self._write(change, labels_on(card))
        except GoneError:
            return ChangeResult(change.ref, Outcome.GONE, "the card is not there any more; nothing is to be done")

    def _write(self, change: LabelChange, on: Mapping[str, list[str]]) -> ChangeResult:
        adds = [label.strip() for label in change.add if label.strip() not in on]
        removes = [label for label in change.remove if label in on]
        if not adds and not removes:
            return ChangeResult(change.ref, Outcome.UNCHANGED, "", tuple(sorted(on)))
        if exempt := exempted(change, on, "card"):
            return exempt
        card, written = change.ref.native_id, False
        try:
            for label in adds:  # all are made before one is put on, so that a refusal leaves the card as it was
                self._id_of(label)
            for label in adds:
                self._put(card, label)
                written = True
            for label in removes:
                for label_id in on[label]:
                    self._take(card, label_id)
                    written = True
        except ConnectorError as error:
            if written or (refusal := self._why_refused(error)) is None:
                raise
            return ChangeResult(change.ref, Outcome.REFUSED, refusal)
        already = frozenset(label for label in change.add if label.strip() in on)
        return ChangeResult(change.ref, Outcome.DONE, "", tuple(sorted({*on, *adds} - {*removes})), already=already)

    def _why_refused(self, error: ConnectorError) -> str | None:
        """The sentence for what Trello will not do, if it is about this board and not about us or the day."""
        if is_no_leave(error):
            return (
                f'this account may not label cards on the board "{self._board.name}"; '
                "make it a member that is more than an observer"
            )
        if isinstance(error, AccessError | SetupError):
            return f"Trello does not take the label: {error}"
        return None

    # One label

    def _put(self, card: str, label: str) -> None:
        """Put a label on. That it is on already is as good."""
        for attempt in (1, 2):
            try:
                self._api.put_label(card, self._id_of(label))
            except (SetupError, GoneError) as error:
                if error.refusal and "already on the card" in error.refusal.said:
                    return
                if attempt == 2:
                    raise
                self._ids = None  # somebody deleted it from the board: look again
            else:
                return

    def _take(self, card: str, label_id: str) -> None:
        """Take a label off. That it is not on any more is as good, however Trello says so."""
        try:
            self._api.take_label(card, label_id)
        except (SetupError, GoneError):
            if any(label_id in ids for ids in labels_on(self._api.card(card)).values()):
                raise

    def _id_of(self, label: str) -> str:
        """A label's id on this board, where it is made if there is none of its name."""
        if self._ids is None:
            found = self._api.labels(self._board.native_id)
            self._ids, self._is_full = lowest_ids(found), len(found) >= MOST
        if label not in self._ids:
            if self._is_full:  # of more than these nobody would tell us, and the same would be made again and again
                raise AccessError(
                    f'the board "{self._board.name}" has {MOST} labels, as many as a board can have',
                    "delete some that no card carries",
                )
            color = self._colors.get(label, self._color)
            made = self._api.make_label(self._board.native_id, label, None if color == "none" else color)
            self._made.append(MadeLabel(made, label))
            self._ids[label] = made
        return self._ids[label]


def tidy(api: Api, board: Collection, made: Sequence[MadeLabel]) -> Iterator[Tidied]:
    """Delete those of our labels that no card of the board carries, by what the board shows at this moment."""
    names = {label["id"]: text(label, "name") for label in api.labels(board.native_id)}
    carried = Counter(label for card in api.cards_with_labels(board.native_id) for label in card.get("idLabels") or ())
    for label in made:
        now, cards = names.get(label.native_id), carried[label.native_id]
        if now is None:
            yield Tidied(label, Outcome.GONE)
        elif now != label.name:
            yield Tidied(label, Outcome.STALE, f'it was renamed "{now}"; delete it on the board if nobody needs it')
        elif cards:
            why = f"it is on {many(cards, 'card')}, perhaps archived; take it off, and do it again"
            yield Tidied(label, Outcome.REFUSED, why)
        else:
            yield delete(api, label)


def delete(api: Api, label: MadeLabel) -> Tidied:
    """Delete one label. Raises a `ConnectorError` for what the others would meet too."""
    try:
        api.delete_label(label.native_id)
    except GoneError:
        return Tidied(label, Outcome.GONE)
    except AuthError as error:
        if not is_no_leave(error):
            raise
        return Tidied(label, Outcome.FAILED, "this account may not delete it; make it a member, or delete it by hand")
    return Tidied(label, Outcome.DONE)


def labels_on(card: Json) -> dict[str, list[str]]:
    """The labels that a card carries: name -> ids. Those that are only a colour have no name."""
    found: dict[str, list[str]] = defaultdict(list)
    for label in with_ids(card.get("labels")):
        if name := text(label, "name"):
            found[name].append(label["id"])
    return dict(found)


def lowest_ids(labels: list[Json]) -> dict[str, str]:
    """Name -> the lowest id of that name."""
    return {text(one, "name"): one["id"] for one in sorted(labels, key=lambda one: str(one["id"]), reverse=True)}
