"""Pure functions from the items of a board to work items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import cached_property, partial
from typing import Any, Final

from connectors.base import Fate
from connectors.model import Certainty, ItemRef, StatusCategory, WorkItem
from connectors.monday.boards import Board
from connectors.monday.columns import GROUP, KEY, LABELS, MAPPABLE, Column, Layout
from connectors.monday.statuses import Statuses, rolled_up
from connectors.monday.values import (
    Json,
    NoAnswerError,
    changed_at,
    clean,
    keys_of,
    labels_of,
    moment,
    moment_of,
    names_of,
    percent_of,
    status_labels,
    text_of,
)

DATES = ("finished_at", "due_at", "outcome_reviewed_at")
OUTCOMES = ("outcome_metric", "outcome_category", "outcome_baseline", "outcome_target", "outcome_actual")
TEXTS = ("priority", "owner", "sponsor", "description", *OUTCOMES)

COLUMNS = (*TEXTS, *DATES, "started_at", "assignees", "percent_complete")
"""Columns of a work item that are what a column of the board says."""

STATUS = ("status", "status_category", "status_since")

EMPTY: Final[Json] = {}

Meaning = Callable[[Json], Any]
"""What a value of a column means. Raises `NoAnswerError`."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What config says about reading one source."""

    source: str
    zone: tzinfo | None = None
    statuses: Statuses = field(default_factory=lambda: Statuses({}))


@dataclass(frozen=True)
class Place:
    """One board, with what config says about it worked out."""

    board: Board
    layout: Layout
    setting: Setting
    project: str
    """What people call the work: the board's name, and for subitems that of the board above."""
    labels: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    """Index -> label of the status column, and whether it stands for done: for a status that can roll up."""

    @classmethod
    def of(cls, board: Board, layout: Layout, setting: Setting, project: str) -> Place:
        return cls(board, layout, setting, project, status_labels(layout["status"]))

    @cached_property
    def custom(self) -> Sequence[str]:
        """The fields that are no columns of a work item."""
        return sorted((self.layout.columns.keys() | self.layout.missing.keys()) - MAPPABLE - {LABELS, KEY})

    @cached_property
    def asked(self) -> Sequence[tuple[str, str, Meaning]]:
        """Role, column and meaning of all that stands in columns of the board, but for the status."""
        columns = self.layout.columns
        return [(role, columns[role].id, meaning) for role, meaning in self._meanings.items() if role in columns]

    @cached_property
    def silent(self) -> frozenset[str]:
        """The roles that no column of the board has."""
        return frozenset(self._meanings.keys() - self.layout.columns.keys())

    @cached_property
    def _meanings(self) -> Mapping[str, Meaning]:
        zone = self.setting.zone
        return {
            **dict.fromkeys((KEY, *TEXTS, *self.custom), text_of),
            **dict.fromkeys(DATES, partial(moment_of, zone=zone)),
            "started_at": partial(moment_of, zone=zone, starts=True),
            "percent_complete": percent_of,
            "assignees": names_of,
            LABELS: labels_of,
        }


@dataclass(frozen=True, slots=True)
class Status:
    """Where an item stands, and since when. What is not known is named in `unknown`."""

    label: str | None = None
    index: str | None = None
    category: StatusCategory | None = None
    since: datetime | None = None
    since_is: Certainty = Certainty.AT_LEAST
    unknown: frozenset[str] = frozenset()


def parse_item(item: Json, place: Place) -> WorkItem:
    """One work item. Raises `KeyError`, `TypeError`, `ValueError` or `AttributeError` if it is none."""
    values = Values(item, place)
    created = own_time(item, "created_at", values)
    is_parent = place.board.is_multi_level and any(value.get("is_leaf") is False for value in values.by_id.values())
    status = status_of(values, place, created)
    values.unknown |= status.unknown
    columns = mapped(values, place, status.category)
    parent, given = item.get("parent_item"), values.given
    return WorkItem(
        ref=ItemRef(place.setting.source, str(item["id"])),
        key=given.get(KEY) or str(item["id"]),
        title=clean(item["name"]) or "(no name)",
        collection=place.board.id,
        url=item.get("url") or None,
        type="subitem" if place.board.is_of_subitems else "summary" if is_parent else "item",
        project=place.project,
        parent_ref=ItemRef(place.setting.source, str(parent["id"])) if parent else None,
        status=status.label,
        status_id=status.index,
        status_category=status.category,
        status_since=status.since,
        status_since_is=status.since_is,
        created_at=created,
        updated_at=own_time(item, "updated_at", values),
        labels=tuple(sorted(given.get(LABELS, ()))),
        fields={name: given[name] for name in place.custom if name in given},
        unknown=frozenset(values.unknown - {KEY, LABELS}),
        **columns,
    )


def mapped(values: Values, place: Place, category: StatusCategory | None) -> dict[str, Any]:
    """The columns of a work item that stand in columns of the board, or follow from one."""
    found = {name: values.given[name] for name in COLUMNS if name in values.given}
    assignees: tuple[str, ...] = found.get("assignees", ())
    if "owner" in values.unknown and len(assignees) == 1:
        found["owner"] = assignees[0]
        values.unknown.discard("owner")
    if "started_at" in place.layout.guessed and category is StatusCategory.TODO:
        found["started_at"] = None  # a planned start is no start
    return found


class Values:
    """The column values of one item by their roles, and the roles that get no answer: no column, or none in it."""

    def __init__(self, item: Json, place: Place) -> None:
        self.by_id: dict[str, Json] = {value["id"]: value for value in item["column_values"]}
        self.by_id[GROUP] = {"text": (item.get("group") or EMPTY).get("title")}
        self.unknown = {*place.silent}
        self.given: dict[str, Any] = {}
        for role, column, meaning in place.asked:
            value = self.by_id.get(column)
            try:
                if value is not None:
                    self.given[role] = meaning(value)
                    continue
            except NoAnswerError:
                pass
            self.unknown.add(role)

    def of(self, column: Column | None) -> Json | None:
        return self.by_id.get(column.id) if column else None


def fate_of(item: Json | None, board: str) -> Fate | None:
    """Where an item went that was asked for by its id; `None` if it is on the board. Trash is emptied after 30 days.

    https://developer.monday.com/api-reference/reference/items
    """
    if item is None or item.get("state") == "deleted":
        return Fate.DELETED
    if item.get("state") == "archived":
        return Fate.ARCHIVED
    return None if str((item.get("board") or EMPTY).get("id")) == board else Fate.MOVED


def own_time(item: Json, role: str, values: Values) -> datetime | None:
    """A time of the item itself, which is in UTC."""
    try:
        return moment(clean(item.get(role)), None)
    except NoAnswerError:
        values.unknown.add(role)
        return None


def status_of(values: Values, place: Place, created: datetime | None) -> Status:
    """Where an item stands. Nobody is blamed for a status that monday.com sums up from the items below."""
    value = values.of(place.layout["status"])
    if value is None:
        return Status(unknown=frozenset(STATUS))
    if "battery_value" in value:
        return of_battery(value, place, created)
    if value.get("type") != "status":  # a group, a mirrored status, a dropdown: nobody knows since when
        return told(place, text_of(value), None, is_done=False)
    label, index = clean(value.get("label")), value.get("index")
    at = since(value.get("updated_at"), created)
    return told(place, label, index, is_done=bool(value.get("is_done")), since=at)


def of_battery(value: Json, place: Place, created: datetime | None) -> Status:
    """A status of a multi-level board that can roll up: one label of an item with none below, else a sum."""
    found = [place.labels.get(key, ("", False)) for key in keys_of(value)]
    if value.get("is_leaf"):
        label, is_done = found[0] if found else ("", False)
        keys = keys_of(value)
        at = since(changed_at(value), created)
        return told(place, label, keys[0] if keys else None, is_done=is_done, since=at)
    statuses = place.setting.statuses
    category = rolled_up([statuses.category(label, is_done=is_done) for label, is_done in found])
    unknown = {"status", "status_since", *(() if category else ("status_category",))}
    return Status(category=category, unknown=frozenset(unknown))


Since = tuple[datetime | None, Certainty]


def told(
    place: Place, label: str, index: object, *, is_done: bool, since: Since = (None, Certainty.AT_LEAST)
) -> Status:
    category = place.setting.statuses.category(label, is_done=is_done)
    unknown = frozenset(() if category else ("status_category",))
    return Status(label or None, None if index is None else str(index), category, *since, unknown)


def since(changed: str | None, created: datetime | None) -> Since:
    """The moment at which a status was set; one that never was is as it began, as far as can be told."""
    try:
        return moment(clean(changed), None), Certainty.EXACT
    except NoAnswerError:
        return created, Certainty.AT_LEAST
