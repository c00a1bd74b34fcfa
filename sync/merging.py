"""What the members of an initiative say, put together: per column the first that says something. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache

from rules.columns import ANSWERABLE, unknown_bit
from rules.grading import Placeholders
from rules.table import INITIATIVE, PULLED
from rules.text import fold
from sync.links import Terms

_AT = {name: position for position, name in enumerate(PULLED)}


@dataclass(frozen=True)
class Order:
    """What `[initiatives]` says."""

    sources: tuple[str, ...]
    """The most trusted first."""
    columns: Mapping[str, str]
    """Column -> the source that is asked before all others."""
    labelled: frozenset[str]
    """Sources whose members get the labels; none: the head alone does."""
    prefix: str
    """Of labels that are ours, which are no news."""
    placeholders: Placeholders

    @cached_property
    def says_nothing(self) -> Callable[[str], bool]:
        """Whether a text is a placeholder; people's names come again and again."""
        return lru_cache(maxsize=10_000)(self.placeholders)

    def rank(self, source: str) -> int:
        """0 is the most trusted; a source that config does not have any more comes last."""
        return self.sources.index(source) if source in self.sources else len(self.sources)


@dataclass(frozen=True, slots=True)
class Settings:
    """What config says of links and of initiatives."""

    links: Terms
    order: Order

    @property
    def signature(self) -> str:
        """Where it differs, all items are looked at anew."""
        order = self.order
        meaning = [repr(self.links), order.sources, sorted(order.columns.items()), sorted(order.labelled), order.prefix]
        return hashlib.sha256(repr(meaning).encode()).hexdigest()[:16] if self.links.wanted else ""


@dataclass(frozen=True, slots=True)
class Top:
    """A member that hangs below no other one."""

    item_id: int
    calendar: int
    shared_key: str | None
    description: str | None
    fields: str | None
    """JSON, as in `item_detail`."""
    row: tuple[object, ...]
    """The values of `PULLED`."""

    def __getitem__(self, column: str) -> object:
        return self.row[_AT[column]]

    @property
    def source(self) -> str:
        """The source that it is in."""
        return str(self["source"])

    @property
    def done(self) -> bool:
        """Whether its tool says so."""
        return self["status_category"] == "done"


@dataclass(frozen=True, slots=True)
class Totals:
    """Over everything that is in an initiative."""

    members: int
    finished: int
    categorised: int
    """Of so many the status can be told."""
    status_since: str | None
    """When anything in it last moved."""
    status_since_day: int | None
    status_since_is: str | None
    started_at: str | None
    started_at_day: int | None

    @property
    def known_finished(self) -> int | None:
        """As `finished_below`: none where none is done, and the status of some cannot be told."""
        return self.finished if self.finished or self.categorised == self.members else None

    @property
    def progress(self) -> float | None:
        """`percent_complete` where no tool has one."""
        return round(100 * self.finished / self.members, 1) if self.categorised else None

    @property
    def times(self) -> dict[str, object]:
        """The columns of times that only all members together can tell."""
        return {
            "status_since": self.status_since,
            "status_since_day": self.status_since_day,
            "status_since_is": self.status_since_is if self.status_since else "at_least",
            "started_at": self.started_at,
            "started_at_day": self.started_at_day,
        }


@dataclass(frozen=True, slots=True)
class Merged:
    """An initiative: its row and details, where each value came from, and what its members disagree on."""

    row: tuple[object, ...]
    description: str | None
    fields: Mapping[str, str | None]
    came: Mapping[str, int]
    """Column -> the member that its value is from, where it is one's."""
    disagree_on: tuple[str, ...]
    disagreement: str
    totals: Totals


FIRST = (
    "title", "url", "type", "project", "priority", "owner", "sponsor", "outcome_category", "outcome_baseline",
    "outcome_target", "outcome_actual",
)  # fmt: skip
"""Texts of which the first counts that is no placeholder, or else the first."""

CHOSEN = (*FIRST, "status", "outcome_metric", "due_at", "outcome_reviewed_at", "percent_complete")
"""Columns of which config may say which source wins."""

COMPARED = ("sponsor", "outcome_metric", "outcome_target")
"""Texts that all members should agree on."""


def merged(native_id: str, tops: Sequence[Top], totals: Totals, order: Order) -> Merged:
    """The initiative of these members; `tops` come in the order of trust, the first is its head."""
    merger = _Merger(native_id, tops, totals, order)
    merger.fill()
    differences = dict(_differences(tops))
    return Merged(
        tuple(merger.values[name] for name in PULLED),
        next((top.description for top in tops if top.description), None),
        _fields(tops),
        merger.came,
        tuple(differences),
        "; ".join(f"{name}: {told}" for name, told in differences.items()),
        totals,
    )


class _Merger:
    def __init__(self, native_id: str, tops: Sequence[Top], totals: Totals, order: Order) -> None:
        self.tops, self.totals, self.order = tops, totals, order
        self.values: dict[str, object] = dict.fromkeys(PULLED)
        self.values |= {"source": INITIATIVE, "collection": INITIATIVE, "native_id": native_id}
        self.values |= {"metric_described": 0}
        self.came: dict[str, int] = {}

    def asked(self, column: str) -> Sequence[Top]:
        """The members in the order in which they are asked for a column."""
        before = self.order.columns.get(column)
        return sorted(self.tops, key=lambda top: top.source != before) if before else self.tops

    def take(self, column: str, top: Top | None, *with_it: str) -> None:
        """The column, and what goes with it, as a member has it."""
        if top is None:
            return
        for name in (column, *with_it):
            self.values[name] = top[name]
        self.came[column] = top.item_id

    def fill(self) -> None:
        keyed = next((top for top in self.tops if top.shared_key), None)
        self.values["key"] = keyed.shared_key if keyed else self.tops[0]["key"]
        for column in FIRST:
            self.take(column, self.first_text(column))
        self.take("status", self.first("status"), "status_id", "status_category")
        self.take("outcome_metric", self.metric(), "metric_grade", "metric_described")
        for column in ("due_at", "outcome_reviewed_at"):
            self.take(column, self.first(column), f"{column}_day")
        self.take("percent_complete", self.first("percent_complete"))
        self.over_members()
        self.values["assignees"] = _list(name for top in self.tops for name in _entries(top["assignees"]))
        labels = (label for top in self.tops for label in _entries(top["labels"]))
        self.values["labels"] = _list(label for label in labels if not label.startswith(self.order.prefix))
        self.values["unknown"] = self.unknown()
        if not self.values["title"]:
            self.values["title"] = "(no name)"
        if self.values["metric_grade"] is None and not self.is_unknown("outcome_metric"):
            self.values["metric_grade"] = 0

    def first(self, column: str) -> Top | None:
        return next((top for top in self.asked(column) if top[column] not in (None, "")), None)

    def first_text(self, column: str) -> Top | None:
        told = [top for top in self.asked(column) if top[column]]
        return next((top for top in told if not self.order.says_nothing(str(top[column]))), told[0] if told else None)

    def metric(self) -> Top | None:
        """Whoever has one that is more than a placeholder, else one that is."""
        told = [top for top in self.asked("outcome_metric") if top["metric_grade"]]
        return next((top for top in told if top["metric_grade"] != 1), told[0] if told else None)

    def over_members(self) -> None:
        """What only all members together can tell."""
        self.values |= self.totals.times
        self.span("created_at", earliest=True)
        self.span("updated_at", earliest=False)
        if self.values["status_category"] == "done":
            self.span("finished_at", earliest=False)
        if self.values["percent_complete"] is None:
            self.values["percent_complete"] = self.totals.progress

    def span(self, column: str, *, earliest: bool) -> None:
        told = [top for top in self.tops if top[column]]
        if told:
            top = (min if earliest else max)(told, key=lambda top: str(top[column]))
            self.values[column], self.values[f"{column}_day"] = top[column], top[f"{column}_day"]

    def is_unknown(self, column: str) -> bool:
        bit = unknown_bit(column) or 0
        return all(int(str(top["unknown"])) & bit for top in self.tops)

    def unknown(self) -> int:
        """What no member can tell; what one of them has, or knows to be empty, is known."""
        empty = (column for column in ANSWERABLE if column != "parent_ref" and not self.values.get(column))
        return sum(unknown_bit(column) or 0 for column in empty if self.is_unknown(column))


def _entries(value: object) -> list[str]:
    entries: list[str] = json.loads(str(value)) if value else []
    return entries


def _list(entries: Iterator[str]) -> str:
    return json.dumps(list(dict.fromkeys(entries)), ensure_ascii=False)


def _fields(tops: Sequence[Top]) -> dict[str, str | None]:
    """Each custom field as the first member has it that has it at all."""
    found: dict[str, str | None] = {}
    for top in tops:
        for name, value in json.loads(top.fields or "{}").items():
            if not found.get(name):
                found[name] = found.get(name) if value is None else value
    return found


# What members disagree on


def _differences(tops: Sequence[Top]) -> Iterator[tuple[str, str]]:
    """Column -> what they say, and where."""
    if len(tops) == 1:
        return
    for column in COMPARED:
        told = _told(tops, column)
        if len(told) > 1:
            yield column, ", ".join(f"{text} ({', '.join(where)})" for text, where in told.values())
    dates = _due(tops)
    if len(set(dates.values())) > 1:
        shown = (f"{date.fromordinal(day).isoformat()} ({source})" for source, day in dates.items())
        yield "due_at", ", ".join(shown)
    finished = _finished(tops)
    if len(set(finished.values())) > 1:
        yield "status", ", ".join(f"{'done' if done else 'open'} ({source})" for source, done in finished.items())


def _told(tops: Sequence[Top], column: str) -> dict[str, tuple[str, list[str]]]:
    """By folded text: as it was written first, and the sources that say so."""
    found: dict[str, tuple[str, list[str]]] = {}
    for top in tops:
        text = str(top[column] or "").strip()
        if text and not (column == "outcome_metric" and top["metric_grade"] == 1):
            where = found.setdefault(fold(text), (text, []))[1]
            if top.source not in where:
                where.append(top.source)
    return found


def _due(tops: Sequence[Top]) -> dict[str, int]:
    """Source -> the last day that it names. Several parts in one tool may well be due one after the other."""
    found: dict[str, int] = {}
    for top in tops:
        day = top["due_at_day"]
        if isinstance(day, int):
            found[top.source] = max(day, found.get(top.source, day))
    return found


def _finished(tops: Sequence[Top]) -> dict[str, bool]:
    """Source -> whether it is done there, with all its parts."""
    found: dict[str, bool] = {}
    for top in tops:
        if top["status_category"] is not None:
            found[top.source] = top.done and found.get(top.source, True)
    return found
