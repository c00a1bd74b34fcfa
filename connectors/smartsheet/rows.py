"""Pure functions from the rows of a sheet to work items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Final, TypeVar

from connectors.model import ItemRef, StatusCategory, WorkItem
from connectors.smartsheet.cells import (
    Json,
    NoAnswerError,
    clean,
    is_blank,
    moment,
    moment_of,
    names_of,
    percent_of,
    text_of,
    values_of,
)
from connectors.smartsheet.columns import FLAG, KEY, LABELS, MAPPABLE, REASON, Column, Layout

DATES = ("started_at", "finished_at", "due_at", "outcome_reviewed_at")
OUTCOMES = ("outcome_metric", "outcome_category", "outcome_baseline", "outcome_target", "outcome_actual")
TEXTS = ("priority", "owner", "sponsor", "description", *OUTCOMES)
OWN = frozenset({LABELS, FLAG, REASON})
"""Roles of columns that we write to: they say nothing about the work."""

PARKED = "filtered out by connector"
"""Smartsheet's own connectors for Jira and Salesforce park rows that left their filter below a row that begins so:
https://help.smartsheet.com/articles/2476541"""

WHOLE = ("sheetId", "reportId", "sightId")
"""What a hyperlink has that leads to something else than an address."""

EMPTY: Final[Json] = {}

Answer = TypeVar("Answer")

CATEGORIES: Mapping[str, StatusCategory] = {
    word: category
    for category, words in {
        StatusCategory.TODO: "not started, to do, todo, new, open, planned, backlog, requested, proposed, upcoming,"
        " draft, pending, scheduled, deferred",
        StatusCategory.IN_PROGRESS: "in progress, in-progress, started, active, working, doing, on track, at risk,"
        " off track, delayed, late, behind, blocked, stalled, stuck, on hold, hold, paused, waiting, in review, review,"
        " testing, in testing, planning, execution, executing, monitoring, red, yellow, green",
        StatusCategory.DONE: "complete, completed, done, closed, finished, resolved, delivered, cancelled, canceled,"
        " rejected, archived, launched, live, blue",
    }.items()
    for word in words.split(", ")
}
"""What the usual words of a status column mean, where config does not say."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What config says about reading one source."""

    source: str
    zone: tzinfo | None = None
    statuses: Mapping[str, StatusCategory] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet, with what config says about it worked out."""

    native_id: str
    name: str
    layout: Layout
    setting: Setting

    def ref(self, row: object) -> ItemRef:
        return ItemRef(self.setting.source, str(row))


def parse_items(sheet: Sheet, rows: Iterable[Json], skipped: list[str]) -> Iterator[WorkItem]:
    """The work items of all rows of a sheet, which come in the sheet's order: each right after its parent or sibling.

    Left out are blank rows, rows that a connector of Smartsheet's parked, and, with a sentence in `skipped`, rows that
    cannot be read.
    """
    left_out: set[object] = set()
    for row, is_parent in with_children(rows):
        if row.get("parentId") in left_out or is_parked(sheet.layout, row):
            left_out.add(row["id"])
        elif not is_parent and is_blank_row(sheet.layout, row):
            continue
        else:
            try:
                yield parse_row(sheet, row, is_parent=is_parent)
            except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
                number = row.get("rowNumber", row.get("id"))
                skipped.append(
                    f"row {number} cannot be read ({type(error).__name__}: {error}); correct it in the sheet"
                )


def with_children(rows: Iterable[Json]) -> Iterator[tuple[Json, bool]]:
    """Each row, and whether it has rows below it: the first of them comes right after it."""
    last: Json | None = None
    for row in rows:
        if last is not None:
            yield last, row.get("parentId") == last["id"]
        last = row
    if last is not None:
        yield last, False


def is_parked(layout: Layout, row: Json) -> bool:
    title = cells_of(row).get(layout.primary.id if layout.primary else 0, EMPTY).get("value")
    return isinstance(title, str) and title.strip().casefold().startswith(PARKED)


def is_blank_row(layout: Layout, row: Json) -> bool:
    """Whether nobody wrote anything into the columns that are read. Ours, and Smartsheet's own, do not count."""
    ignored = {column.id for role, column in layout.columns.items() if role in OWN or column.system}
    return all(is_blank(cell) for number, cell in cells_of(row).items() if number not in ignored)


def parse_row(sheet: Sheet, row: Json, *, is_parent: bool) -> WorkItem:
    """One work item. Raises `KeyError`, `ValueError` or `TypeError` if the row is none."""
    cells = Cells(sheet.layout, cells_of(row))
    status, percent = cells.ask("status", text_of), cells.ask("percent_complete", percent_of)
    category = category_of(status, percent, sheet.setting.statuses)
    if category is None:
        cells.unknown.add("status_category")
    assignees = cells.ask("assignees", names_of) or ()
    columns: dict[str, Any] = {name: cells.ask(name, text_of) for name in TEXTS}
    columns |= {name: cells.ask(name, lambda cell: moment_of(cell, sheet.setting.zone)) for name in DATES}
    if "owner" in cells.unknown and len(assignees) == 1 and "assignees" not in cells.unknown:
        columns["owner"] = assignees[0]
        cells.unknown.discard("owner")
    if "started_at" in sheet.layout.guessed and category is StatusCategory.TODO:
        columns["started_at"] = None  # a planned start is no start
    return WorkItem(
        ref=sheet.ref(row["id"]),
        key=cells.ask(KEY, text_of) or f"{sheet.name} {row['rowNumber']}",
        title=title_of(sheet.layout, cells),
        collection=sheet.native_id,
        url=row.get("permalink"),
        type="summary" if is_parent else "task",
        project=sheet.name,
        parent_ref=sheet.ref(row["parentId"]) if row.get("parentId") else None,
        status=status or None,
        status_category=category,
        created_at=cells.own_time("created_at", row.get("createdAt")),
        updated_at=cells.own_time("updated_at", row.get("modifiedAt")),
        percent_complete=percent,
        assignees=assignees,
        labels=tuple(sorted(cells.ask(LABELS, values_of) or ())),
        fields=cells.custom(),
        links=links_of(row),
        unknown=frozenset(cells.unknown - {KEY, LABELS}),
        **columns,
    )


class Cells:
    """The cells of one row by their roles; notes which of them give no answer."""

    def __init__(self, layout: Layout, cells: Mapping[int, Json]) -> None:
        self.layout, self.cells = layout, cells
        self.unknown: set[str] = set()

    def ask(self, role: str, meaning: Callable[[Json], Answer]) -> Answer | None:
        """What the cell of a role means; `None`, and noted as unknown, if there is no such column or no answer."""
        column = self.layout[role]
        try:
            if column is not None:
                return meaning(self.of(column))
        except NoAnswerError:
            pass
        self.unknown.add(role)
        return None

    def of(self, column: Column) -> Json:
        return self.cells.get(column.id, EMPTY)

    def own_time(self, role: str, text: object) -> datetime | None:
        """A time of the row itself, which is in UTC."""
        try:
            return moment(clean(text), None)
        except NoAnswerError:
            self.unknown.add(role)
            return None

    def custom(self) -> dict[str, str]:
        """The fields that are no columns of a work item."""
        found = {}
        for role in sorted((self.layout.columns.keys() | self.layout.missing.keys()) - MAPPABLE - OWN):
            text = self.ask(role, text_of)
            if text is not None:
                found[role] = text
        return found


def links_of(row: Json) -> tuple[str, ...]:
    """The addresses that its cells lead to, each once. A link to a whole sheet, report or dashboard is to no work item.

    https://developers.smartsheet.com/api/smartsheet/openapi/cells: `hyperlink`.
    """
    links = (cell["hyperlink"] for cell in row.get("cells") or () if isinstance(cell.get("hyperlink"), Mapping))
    urls = (clean(link.get("url")) for link in links if not any(link.get(name) for name in WHOLE))
    return tuple(url for url in dict.fromkeys(urls) if url)


def title_of(layout: Layout, cells: Cells) -> str:
    try:
        title = text_of(cells.of(layout.primary)) if layout.primary else ""
    except NoAnswerError:
        title = ""
    return title or "(no name)"


def category_of(
    status: str | None, percent: float | None, statuses: Mapping[str, StatusCategory]
) -> StatusCategory | None:
    """What config says of a status, what its word usually means, or what the progress shows; `None` if nothing does."""
    if status:
        known = statuses.get(status) or CATEGORIES.get(status.casefold())
        if known:
            return known
    if percent is None:
        return None
    if percent >= 100:
        return StatusCategory.DONE
    return StatusCategory.IN_PROGRESS if percent > 0 else StatusCategory.TODO


def cells_of(row: Json) -> dict[int, Json]:
    return {cell["columnId"]: cell for cell in row.get("cells") or ()}
