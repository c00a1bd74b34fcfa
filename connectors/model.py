"""The one type that flows from a tool to the rules, and the one that flows back.

The field names of `WorkItem` are the columns of the store's view and the words of the rule language.
Standard library only: every other room may import this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple


class StatusCategory(StrEnum):
    """Where a status stands in the flow of work, whatever its name in the tool."""

    TODO = "todo"
    IN_PROGRESS = "in_progress"
    DONE = "done"


class Certainty(StrEnum):
    """How well the start of a status is known: proved by history, or only "at least since"."""

    EXACT = "exact"
    AT_LEAST = "at_least"


@dataclass(frozen=True, slots=True, order=True)
class ItemRef:
    """Names one work item for ever: the source's name in config, and the tool's immutable id (never the key)."""

    source: str
    native_id: str

    def __str__(self) -> str:
        return f"{self.source}:{self.native_id}"


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One card, issue, row or task, as its tool shows it.

    Every datetime is aware; a date without a time is midnight in the source's time zone. Text is stripped of
    surrounding space. `None` and `""` both mean that the tool has the field and that it is empty; a column that
    the tool or the mapping cannot answer for this item is named in `unknown` instead, so that no rule takes
    silence for a "no".
    """

    ref: ItemRef
    key: str
    """What people call it: `APP-3`, `atlas-12`."""
    title: str
    collection: str
    """`Collection.native_id` of the board, sheet, project or file that it is in."""
    url: str | None = None
    type: str | None = None
    """The tool's own word (Story, Epic …); `summary`, `milestone` and `task` where the tool only has an outline."""
    project: str | None = None
    parent_ref: ItemRef | None = None
    status: str | None = None
    status_id: str | None = None
    status_category: StatusCategory | None = None
    status_since: datetime | None = None
    status_since_is: Certainty = Certainty.AT_LEAST
    created_at: datetime | None = None
    updated_at: datetime | None = None
    """Shown to people, never read as movement: our own write moves it."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    due_at: datetime | None = None
    percent_complete: float | None = None
    """0 to 100."""
    priority: str | None = None
    assignees: tuple[str, ...] = ()
    owner: str | None = None
    sponsor: str | None = None
    labels: tuple[str, ...] = ()
    """All labels that the tool shows on the item, sorted, other people's too."""
    outcome_metric: str | None = None
    outcome_category: str | None = None
    outcome_baseline: str | None = None
    outcome_target: str | None = None
    outcome_actual: str | None = None
    outcome_reviewed_at: datetime | None = None
    description: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    """Every other mapped custom field, by the name that config gives it; empty ones are `""`."""
    links: tuple[str, ...] = ()
    """Where people link it to, as the tool keeps such links apart from texts: addresses, or keys of its own tool."""
    version: str | None = None
    """What a conditional write sends back, where the tool has such a thing."""
    unknown: frozenset[str] = frozenset()
    """Names of columns (or of `fields`) that could not be answered for this item."""


class Transition(NamedTuple):
    """One change of status (or of progress, where progress is what moves), as the tool's history proves it.

    A tuple, as there are several for each item: it is made in a third of the time that a frozen class takes.
    """

    ref: ItemRef
    at: datetime
    to_status: str
    to_category: StatusCategory | None = None
    from_status: str | None = None
    from_category: StatusCategory | None = None
    percent_complete: float | None = None


@dataclass(frozen=True, slots=True)
class Exempting:
    """The labels with which people keep an item free of ours: `pmo-exempt`, `pmo-exempt-until-2026-12-31`.

    Capitals do not count, as some tools change them.
    """

    label: str
    """The one without an end; the others begin so."""
    today: date

    def among(self, labels: Iterable[str]) -> str | None:
        """The one of these labels that holds today, and the longest where several do; None if none does."""
        holding = [label for label in labels if self.names(label) and not self.is_over(label)]
        return max(holding, key=lambda label: (self.until(label) or date.max, label), default=None)

    def names(self, label: str) -> bool:
        """Whether the label is an exemption, over or not."""
        own, text = _plain(self.label), _plain(label)
        return text.startswith(own) and (text == own or text.startswith(_UNTIL, len(own)))

    def until(self, label: str) -> date | None:
        """The last day of an exemption; None for one without an end, and for one that names no day."""
        try:
            return date.fromisoformat(_plain(label).removeprefix(_plain(self.label) + _UNTIL))
        except ValueError:
            return None

    def is_over(self, label: str) -> bool:
        """Whether its last day has passed. A slip in the day leaves it in force: it says what the person wanted."""
        until = self.until(label)
        return until is not None and until < self.today


_UNTIL = "-until-"


def _plain(label: str) -> str:
    return label.strip().casefold()


@dataclass(frozen=True, slots=True)
class LabelChange:
    """What is to become of one item's labels: a delta, never the whole set."""

    ref: ItemRef
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    version: str | None = None
    """`WorkItem.version` as it was when the change was planned; `None` writes unconditionally."""
    unless: Exempting | None = None
    """Put nothing on if the item carries such a label at the moment of writing: see `Connector.apply`."""
    reasons: Mapping[str, str] | None = None
    """Every label of ours that the item carries after this change, and why, in a sentence; `None` if that is not told.
    For tools that show it beside the labels."""

    def applied_to(self, labels: Iterable[str]) -> list[str]:
        """The labels after the change: other people's in their order, and the same if there is nothing to change."""
        kept = [label for label in labels if label not in self.remove]
        return kept + [label for label in dict.fromkeys(self.add) if label not in kept]

    def exempted_by(self, labels: Iterable[str]) -> str | None:
        """The one of these labels that keeps the change from putting anything on, if one does."""
        return self.unless.among(labels) if self.unless and self.add else None

    def already_on(self, labels: Iterable[str]) -> frozenset[str]:
        """What is to be put on and is there, for `ChangeResult.already`."""
        return frozenset(self.add).intersection(labels)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a pull left off. The text is the connector's own; nobody else reads meaning into it."""

    value: str
