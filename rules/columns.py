"""The vocabulary: every column of a work item that a rule can name, what kind of value it holds, and what it means.

The names are those of `connectors.model.WorkItem` (a test compares them), followed by what the view derives.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Kind(StrEnum):
    """What a column holds, and so which value words make sense on it."""

    TEXT = "text"
    CATEGORY = "status category"
    GRADE = "grade"
    DATE = "date"
    NUMBER = "number"
    PEOPLE = "people"
    LABELS = "labels"


@dataclass(frozen=True, slots=True)
class Column:
    """One word of the rule language."""

    name: str
    kind: Kind
    help: str
    derived: bool = False
    """Computed by the view; not a field of `WorkItem`."""


GRADES = (
    "missing",
    "placeholder",
    "technical",
    "vague",
    "no_baseline",
    "no_target",
    "unreviewed",
    "complete",
)
"""Of an outcome metric, worst first."""

CATEGORIES = ("todo", "in_progress", "done")

_T, _D, _N = Kind.TEXT, Kind.DATE, Kind.NUMBER

COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        Column("source", _T, "the source's name in config.toml", derived=True),
        Column("key", _T, "what people call the item: APP-3, atlas-12"),
        Column("title", _T, "its title"),
        Column("url", _T, "where to open it"),
        Column("type", _T, "the tool's own word: Story, Epic, task, milestone, summary …"),
        Column("project", _T, "the project's name"),
        Column("collection", _T, "the board, sheet, project or file that it is in"),
        Column("parent_key", _T, "the key of the item above it", derived=True),
        Column("status", _T, "the status as the tool names it"),
        Column("status_id", _T, "the status's id in the tool"),
        Column("status_category", Kind.CATEGORY, "todo, in progress or done"),
        Column(
            "status_since",
            _D,
            "when it came into this status, or last made progress where that is what moves",
        ),
        Column("status_since_is", _T, "exact, or at_least where history does not reach back far enough"),
        Column("created_at", _D, "when it was created"),
        Column("updated_at", _D, "when anything on it was last touched, by us too: never a sign of movement"),
        Column("started_at", _D, "when work on it began"),
        Column("finished_at", _D, "when it was finished"),
        Column("due_at", _D, "when it is due"),
        Column("percent_complete", _N, "0 to 100"),
        Column("priority", _T, "as the tool names it"),
        Column("assignees", Kind.PEOPLE, "who works on it"),
        Column("owner", _T, "who answers for it"),
        Column("sponsor", _T, "who pays or stands for it"),
        Column("labels", Kind.LABELS, "the labels on it, ours and other people's"),
        Column("outcome_metric", _T, "the business outcome that it serves, as a measure"),
        Column("outcome_category", _T, "grow, reduce cost, improve customer experience, manage risk …"),
        Column("outcome_baseline", _T, "where the measure stood before"),
        Column("outcome_target", _T, "where it is to go"),
        Column("outcome_actual", _T, "where it stands"),
        Column("outcome_reviewed_at", _D, "when the measure was last looked at"),
        Column("description", _T, "the long text"),
        Column("age_days", _N, "days since it was created", derived=True),
        Column("days_in_status", _N, "days since status_since", derived=True),
        Column(
            "business_days_in_status",
            _N,
            "business days since status_since, that day not counted",
            derived=True,
        ),
        Column("days_since_review", _N, "days since outcome_reviewed_at", derived=True),
        Column("outcome_grade", Kind.GRADE, "how good the outcome metric is: " + " < ".join(GRADES), derived=True),
        Column("outcome_from", _T, "the key of the item above that the outcome was taken from", derived=True),
        Column("items_below", _N, "how many items hang below it, on any level: 0 for what is no plan", derived=True),
        Column(
            "finished_below",
            _N,
            "how many of the items below it are done; empty if none is, and the status of some cannot be told",
            derived=True,
        ),
        Column("underway_days", _N, "days since work on it, or on anything below it, began", derived=True),
        Column("sponsor_above", _T, "the sponsor of the nearest item above it that has one", derived=True),
        Column("initiative_key", _T, "the key of the initiative that it is in; empty for an initiative", derived=True),
        Column(
            "disagree_on",
            _T,
            "of an initiative: what its members disagree on: sponsor, outcome_metric, outcome_target, due_at, status",
            derived=True,
        ),
        Column("disagreement", _T, "of an initiative: what they say about that, and where", derived=True),
    )
}

NOT_WORDS = frozenset({"ref", "parent_ref", "fields", "links", "version", "unknown"})
"""Fields of `WorkItem` that are no columns: rules name custom fields as `fields."Cost centre"`."""

ANSWERABLE = (
    "type",
    "project",
    "parent_ref",
    "status",
    "status_category",
    "status_since",
    "created_at",
    "updated_at",
    "started_at",
    "finished_at",
    "due_at",
    "percent_complete",
    "priority",
    "assignees",
    "owner",
    "sponsor",
    "labels",
    "outcome_metric",
    "outcome_category",
    "outcome_baseline",
    "outcome_target",
    "outcome_actual",
    "outcome_reviewed_at",
    "description",
    "url",
)
"""Columns that a tool or mapping may be unable to answer; the position is the bit in `item.unknown`. Append only."""


@lru_cache
def unknown_mask(names: frozenset[str]) -> int:
    """The bits in `item.unknown` for these column names; names of custom fields have none."""
    return sum(1 << bit for bit, name in enumerate(ANSWERABLE) if name in names)


def unknown_bit(name: str) -> int | None:
    """The bit that says that `name` is unknown, derived columns by what they are derived from."""
    basis = {
        "parent_key": "parent_ref",
        "age_days": "created_at",
        "days_in_status": "status_since",
        "business_days_in_status": "status_since",
        "status_since_is": "status_since",
        "status_id": "status",
        "days_since_review": "outcome_reviewed_at",
        "outcome_grade": "outcome_metric",
        "items_below": "parent_ref",
        "finished_below": "parent_ref",
        "underway_days": "started_at",
        "sponsor_above": "sponsor",
    }.get(name, name)
    return 1 << ANSWERABLE.index(basis) if basis in ANSWERABLE else None


def custom_path(name: str) -> str:
    """Where a custom field lies in the JSON of `fields`."""
    return f'$."{name}"'
