"""Pure functions from the items of a board to work items."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from functools import partial
from typing import Any, Final, TypeVar

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

STATUS = ("status", "status_category", "status_since")

EMPTY: Final[Json] = {}

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Setting:
    """What config says about reading one source."""

    source: str
    zone: tzinfo | None = None
    statuses: Statuses = field(default_factory=lambda: Statuses({}))


@dataclass(frozen=True, slots=True)
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
    values = Values(item, place.layout)
    created = own_time(item, "created_at", values)
    is_parent = place.board.is_multi_level and any(value.get("is_leaf") is False for value in values.by_id.values())
    status = status_of(values, place, created)
    values.unknown |= status.unknown
    columns = mapped(values, place, status.category)
    parent = item.get("parent_item")
    return WorkItem(
        ref=ItemRef(place.setting.source, str(item["id"])),
        key=values.ask(KEY, text_of) or str(item["id"]),
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
        percent_complete=values.ask("percent_complete", percent_of),
        labels=tuple(sorted(values.ask(LABELS, labels_of) or ())),
        fields=values.custom(),
        unknown=frozenset(values.unknown - {KEY, LABELS}),
        **columns,
    )


def mapped(values: Values, place: Place, category: StatusCategory | None) -> dict[str, Any]:
    """The columns of a work item that stand in columns of the board, or follow from one."""
    zone = place.setting.zone
    found: dict[str, Any] = {name: values.ask(name, text_of) for name in TEXTS}
    found |= {name: values.ask(name, partial(moment_of, zone=zone)) for name in DATES}
    found["started_at"] = values.ask("started_at", partial(moment_of, zone=zone, starts=True))
    assignees: tuple[str, ...] = values.ask("assignees", names_of) or ()
    found["assignees"] = assignees
    if "owner" in values.unknown and len(assignees) == 1:
        found["owner"] = assignees[0]
        values.unknown.discard("owner")
    if "started_at" in place.layout.guessed and category is StatusCategory.TODO:
        found["started_at"] = None  # a planned start is no start
    return found


class Values:
    """The column values of one item by their roles; notes which of them give no answer."""

    def __init__(self, item: Json, layout: Layout) -> None:
        self.layout = layout
        self.by_id: dict[str, Json] = {str(value["id"]): value for value in item["column_values"]}
        self.by_id[GROUP] = {"text": (item.get("group") or EMPTY).get("title")}
        self.unknown: set[str] = set()

    def ask(self, role: str, meaning: Callable[[Json], Answer]) -> Answer | None:
        """What the value of a role means; `None`, and noted as unknown, if there is no such column or no answer."""
        column = self.layout[role]
        try:
            if column is not None and (value := self.by_id.get(column.id)) is not None:
                return meaning(value)
        except NoAnswerError:
            pass
        self.unknown.add(role)
        return None

    def of(self, column: Column | None) -> Json | None:
        return self.by_id.get(column.id) if column else None

    def custom(self) -> dict[str, str]:
        """The fields that are no columns of a work item."""
        found = {}
        for role in sorted((self.layout.columns.keys() | self.layout.missing.keys()) - MAPPABLE - {LABELS, KEY}):
            text = self.ask(role, text_of)
            if text is not None:
                found[role] = text
        return found


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
    found = told(place, label, index, is_done=bool(value.get("is_done")))
    return since(found, value.get("updated_at"), created)


def of_battery(value: Json, place: Place, created: datetime | None) -> Status:
    """A status of a multi-level board that can roll up: one label of an item with none below, else a sum."""
    found = [place.labels.get(key, ("", False)) for key in keys_of(value)]
    if value.get("is_leaf"):
        label, is_done = found[0] if found else ("", False)
        keys = keys_of(value)
        return since(told(place, label, keys[0] if keys else None, is_done=is_done), changed_at(value), created)
    statuses = place.setting.statuses
    category = rolled_up([statuses.category(label, is_done=is_done) for label, is_done in found])
    unknown = {"status", "status_since", *(() if category else ("status_category",))}
    return Status(category=category, unknown=frozenset(unknown))


def told(place: Place, label: str, index: object, *, is_done: bool) -> Status:
    category = place.setting.statuses.category(label, is_done=is_done)
    unknown = frozenset(() if category else ("status_category",))
    return Status(label or None, None if index is None else str(index), category, unknown=unknown)


def since(status: Status, changed: str | None, created: datetime | None) -> Status:
    """With the moment at which the status was set; one that never was is as it began, as far as can be told."""
    try:
        at = moment(clean(changed), None)
    except NoAnswerError:
        return replace(status, since=created)
    return replace(status, since=at, since_is=Certainty.EXACT)
