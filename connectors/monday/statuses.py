"""What a status stands for in the flow of work: by config, by monday.com's own mark of what is done, by its word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.model import StatusCategory

TODO, UNDERWAY, DONE = StatusCategory.TODO, StatusCategory.IN_PROGRESS, StatusCategory.DONE

WORDS: Mapping[str, StatusCategory] = {
    word: category
    for category, words in {
        TODO: "not started, to do, todo, new, open, planned, backlog, requested, proposed, upcoming, draft, pending,"
        " scheduled, ready to start, future steps, up next, ideas",
        UNDERWAY: "working on it, in progress, in-progress, started, active, working, doing, on track, at risk,"
        " off track, delayed, late, behind, blocked, stalled, stuck, on hold, hold, paused, waiting,"
        " waiting for review, pending review, in review, review, testing, in testing, pending deploy, in development,"
        " planning, execution, executing, monitoring",
        DONE: "done, complete, completed, closed, finished, resolved, delivered, cancelled, canceled, rejected,"
        " archived, launched, live, released, won, lost",
    }.items()
    for word in words.split(", ")
}
"""The labels of monday.com's own templates, and other usual ones."""


class Statuses:
    """Categories of labels. `configured` is by a label's text; `""` is an item whose status nobody set."""

    def __init__(self, configured: Mapping[str, StatusCategory]) -> None:
        self._configured = {name.strip().casefold(): category for name, category in configured.items()}

    def category(self, label: str, *, is_done: bool = False) -> StatusCategory | None:
        """`None` for a label that says nothing. What nobody gave a status, nobody has begun."""
        plain = label.strip().casefold()
        if (known := self._configured.get(plain)) is not None:
            return known
        if is_done:
            return DONE
        return WORDS.get(plain) if plain else TODO


def rolled_up(categories: Sequence[StatusCategory | None]) -> StatusCategory | None:
    """What the categories of all items below one come down to; `None` where one is not known, and matters."""
    if UNDERWAY in categories or {TODO, DONE} <= {*categories}:
        return UNDERWAY
    return categories[0] if len({*categories}) == 1 else None
