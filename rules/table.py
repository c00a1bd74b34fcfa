"""How work items lie in SQLite for the rules: one slim table, and the view over it that rules and people read.

The store keeps these tables in its file; a rule's tests make them in memory. Days are integers (`date.toordinal` in
the configured time zone) beside each time, so that every threshold is a comparison of integers; long text lies in
a table of its own, so that a scan of all items stays small.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from operator import attrgetter
from typing import Any

import orjson

from connectors.model import WorkItem
from rules.columns import COLUMNS, GRADES, Kind, unknown_bit, unknown_mask
from rules.grading import Grader
from rules.text import fold, fold_sql, register

INITIATIVE = "initiative"
"""The source under which initiatives stand as items: no tool gives them, so config must not name one of its own so."""

ProjectCalendars = Mapping[tuple[str, str], int]
"""(source, project) -> number of the calendar."""

DATES = tuple(name for name, column in COLUMNS.items() if column.kind is Kind.DATE)

_TEXTS = (
    "source",
    "collection",
    "native_id",
    "key",
    "title",
    "url",
    "type",
    "project",
    "parent_native_id",
    "status",
    "status_id",
    "status_category",
    "status_since_is",
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
    "version",
)

PULLED = (
    *_TEXTS,
    *(name for moment in DATES for name in (moment, f"{moment}_day")),
    "percent_complete",
    "metric_grade",
    "metric_described",
    "unknown",
)
"""Columns of `item` that a pull fills, in the order of `pulled_row`."""

_INTEGERS = {*(f"{moment}_day" for moment in DATES), "metric_grade", "metric_described", "unknown"}
_FLAGS = ("metric_described", "unknown")


def _declare(name: str) -> str:
    if name in _INTEGERS:
        return f"{name} INTEGER" + (" NOT NULL DEFAULT 0" if name in _FLAGS else "")
    if name == "percent_complete":
        return f"{name} REAL"
    required = name in ("source", "collection", "native_id", "key", "title")
    return f"{name} TEXT" + (" NOT NULL" if required else "")


CALENDAR_DAY = (
    "CREATE TABLE calendar_day (calendar INTEGER NOT NULL, day INTEGER NOT NULL, business INTEGER NOT NULL, "
    "PRIMARY KEY (calendar, day)) WITHOUT ROWID"
)
"""For each calendar and day, how many business days there were up to and including that day."""

COUNTED_BACK = 36_525
"""So many days back business days are counted: a century. A wilder date counts as the first day of that."""

LEARNED_TABLES = """
CREATE TABLE IF NOT EXISTS learned (
  month TEXT NOT NULL, percent INTEGER NOT NULL,
  in_source TEXT NOT NULL, in_collection TEXT NOT NULL, of_type TEXT NOT NULL, in_status TEXT NOT NULL,
  days INTEGER NOT NULL, items INTEGER NOT NULL,
  PRIMARY KEY (month, percent, in_source, in_collection, of_type, in_status)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS learned_month (
  month TEXT NOT NULL, percent INTEGER NOT NULL, rehearsal INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (month, percent)
) WITHOUT ROWID;
"""
"""`learned`: the percentile of each kind of item, as known on the first day of `month` (2026-11-01); `days` are
business days. `learned_month`: what was worked out, also where that gave nothing. An empty type is ''."""

INITIATIVE_TABLES = """
CREATE TABLE IF NOT EXISTS anchor (
  item_id INTEGER PRIMARY KEY REFERENCES item(id) ON DELETE CASCADE,
  initiative_id INTEGER NOT NULL, labelled INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS anchor_initiative ON anchor (initiative_id, labelled);
CREATE TABLE IF NOT EXISTS initiative_detail (
  item_id INTEGER PRIMARY KEY REFERENCES item(id) ON DELETE CASCADE,
  head_id INTEGER NOT NULL, members INTEGER NOT NULL, finished INTEGER,
  disagree_on TEXT NOT NULL, disagreement TEXT NOT NULL, came TEXT NOT NULL,
  totals TEXT NOT NULL DEFAULT ''
);
"""
"""`anchor`: the items that an initiative is made of; what hangs below one is in it, too.
`labelled`: it gets the labels.

`initiative_detail`: what its row in `item` has no column for. `came` is JSON, column -> the member that its value
is from; `totals` is what its row was made of beside the parts on top."""

TABLES = f"""
CREATE TABLE item (
  id INTEGER PRIMARY KEY,
  {", ".join(_declare(name) for name in PULLED)},
  parent_id INTEGER,
  outcome_id INTEGER,
  calendar INTEGER NOT NULL DEFAULT 0,
  hash BLOB,
  first_seen TEXT,
  missing_since TEXT,
  UNIQUE (source, native_id)
);
CREATE TABLE item_detail (
  item_id INTEGER PRIMARY KEY REFERENCES item(id) ON DELETE CASCADE,
  description TEXT,
  fields TEXT NOT NULL DEFAULT '{{}}'
);
{CALENDAR_DAY};
{INITIATIVE_TABLES}
{LEARNED_TABLES}
"""
"""`item.outcome_id` is the item whose outcome counts for this one: itself, or the ancestor that it inherits from.
`item_detail.fields` is JSON, name -> text; null where the tool could not answer.
`item.calendar` is the number of the calendar that it goes by, among `Today.calendars`."""


_TO_THE_SECOND = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def moment(value: datetime | None) -> str | None:
    """A time as the store holds it: UTC to the second, `2026-03-05T08:00:00Z`."""
    if value is None:
        return None
    utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    return orjson.dumps(utc, option=_TO_THE_SECOND).decode()[1:-1]  # a third of the time that `isoformat` takes


def moments(values: Iterable[datetime]) -> list[str]:
    """Many at once, which takes a third of the time again."""
    utc = [value if value.tzinfo is UTC else value.astimezone(UTC) for value in values]
    texts: list[str] = orjson.loads(orjson.dumps(utc, option=_TO_THE_SECOND))
    return texts


def day(value: datetime | None, zone: tzinfo) -> int | None:
    """The local day of a time, as an ordinal."""
    return value.astimezone(zone).toordinal() if value else None


_as_json = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode
"""Made once: `json.dumps` makes an encoder for each call."""


@lru_cache(maxsize=1024)
def _list(values: tuple[str, ...]) -> str:
    """As JSON. Many items have the same people and the same labels."""
    return _as_json(values)


_dates_of = attrgetter(*DATES)


_NAMES = ("ref", "parent_ref", "collection")
"""What names an item or its place; no tool has NULs there."""


def without_nul(item: WorkItem) -> WorkItem:
    """The item without NULs in its texts: inside JSON, as in reasons that count days, SQLite ends a text at one."""
    columns = ((one.name, getattr(item, one.name)) for one in fields(item) if one.name not in _NAMES)
    return replace(item, **{name: _without_nul(value) for name, value in columns if isinstance(value, _TEXT_IN)})


_TEXT_IN = (str, tuple, Mapping)


def _without_nul(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nul(text) for name, text in value.items()}
    if isinstance(value, tuple):
        return tuple(_without_nul(text) for text in value)
    return value.replace("\0", "") if isinstance(value, str) and "\0" in value else value


def pulled_row(item: WorkItem, zone: tzinfo, grader: Grader, *, described: bool = False) -> tuple[object, ...]:
    """The values for `PULLED`. `item.unknown` decides between empty and unknown, also for the metric's grade.

    `described`: the metric was found in the description.
    """
    row: list[object] = [
        item.ref.source,
        item.collection,
        item.ref.native_id,
        item.key,
        item.title,
        item.url,
        item.type,
        item.project,
        item.parent_ref.native_id if item.parent_ref else None,
        item.status,
        item.status_id,
        item.status_category,
        item.status_since_is,
        item.priority,
        _list(tuple(item.assignees)),
        item.owner,
        item.sponsor,
        _list(tuple(item.labels)),
        item.outcome_metric,
        item.outcome_category,
        item.outcome_baseline,
        item.outcome_target,
        item.outcome_actual,
        item.version,
    ]
    for value in _dates_of(item):
        row += (moment(value), day(value, zone)) if value else (None, None)
    metric = None if "outcome_metric" in item.unknown else grader.grade(item.outcome_metric)
    row += (item.percent_complete, metric, int(described), unknown_mask(item.unknown))
    return tuple(row)


def detail_row(item: WorkItem) -> tuple[str | None, str]:
    """`description` and `fields` for `item_detail`."""
    if not item.fields:
        return item.description, "{}"
    known = {name: None if name in item.unknown else value for name, value in item.fields.items()}
    return item.description, _as_json(known)


def _empty_known(name: str) -> str:
    return f"(coalesce(o.{name}, '') = '' AND NOT o.unknown & {unknown_bit(name)})"


def grade_sql(today: str, review_days: int) -> str:
    """SQL for `outcome_grade` of the item `o`. What the tool cannot answer is not held against the item."""
    worst = " ".join(f"WHEN {rank} THEN '{GRADES[rank]}'" for rank in range(4))
    review = f"(o.outcome_reviewed_at_day IS NULL AND NOT o.unknown & {unknown_bit('outcome_reviewed_at')})"
    return (
        f"CASE o.metric_grade {worst} WHEN 4 THEN CASE "
        f"WHEN {_empty_known('outcome_baseline')} THEN 'no_baseline' "
        f"WHEN {_empty_known('outcome_target')} THEN 'no_target' "
        f"WHEN {review} OR {today} - o.outcome_reviewed_at_day > {review_days} THEN 'unreviewed' "
        f"ELSE 'complete' END END"
    )


def business_days_sql(since: str, today: str, calendar: str = "i.calendar") -> str:
    """SQL for the business days after `since` up to `today`: Excel's NETWORKDAYS minus one, never below 0.

    Days before the calendar's first count as that first day.
    """
    of = f"SELECT business FROM calendar_day WHERE calendar = {calendar} AND day"
    until = f"({of} <= {today} ORDER BY day DESC LIMIT 1)"
    before = f"coalesce(({of} < {since} ORDER BY day DESC LIMIT 1), 0)"
    return f"CASE WHEN {since} IS NOT NULL THEN max(0, {until} - {before} - 1) END"


_BELOW = (
    "WITH RECURSIVE below(id) AS (SELECT c.id FROM item c WHERE c.parent_id = i.id "
    "UNION SELECT c.id FROM item c JOIN below ON c.parent_id = below.id) "
)
"""The items below the item `i`, on any level; a ring of parents ends."""
_BELOW_ITEM = "FROM below JOIN item b ON b.id = below.id WHERE b.missing_since IS NULL AND b.id <> i.id"


def below_sql(today: str) -> tuple[str, str, str]:
    """SQL for `items_below`, `finished_below` and `underway_days` of the item `i`: looked up where they are asked."""
    category, known = unknown_bit("status_category"), "NOT b.unknown"
    done = f"count(CASE WHEN b.status_category = 'done' AND {known} & {category} THEN 1 END)"
    vague = f"count(CASE WHEN b.unknown & {category} THEN 1 END)"
    finished = f"CASE WHEN {done} > 0 OR {vague} = 0 THEN {done} END"
    began = f"(SELECT min(day) FROM (SELECT i.started_at_day AS day UNION ALL SELECT b.started_at_day {_BELOW_ITEM}))"
    # most items have nothing below them, and one look at the index is enough to know
    plan = "CASE WHEN EXISTS (SELECT 1 FROM item c WHERE c.parent_id = i.id)"
    return (
        f"{plan} THEN ({_BELOW} SELECT count(*) {_BELOW_ITEM}) ELSE 0 END",
        f"{plan} THEN ({_BELOW} SELECT {finished} {_BELOW_ITEM}) ELSE 0 END",
        f"{today} - {plan} THEN ({_BELOW} SELECT {began}) ELSE i.started_at_day END",
    )


SPONSOR_ABOVE = (
    "(WITH RECURSIVE above(up, sponsor, depth) AS ("
    "SELECT a.parent_id, a.sponsor, 1 FROM item a WHERE a.id = i.parent_id AND a.missing_since IS NULL "
    "UNION ALL SELECT a.parent_id, a.sponsor, depth + 1 FROM above JOIN item a ON a.id = above.up "
    "WHERE ifnull(trim(above.sponsor), '') = '' AND a.missing_since IS NULL AND depth < 64) "
    "SELECT sponsor FROM above WHERE trim(sponsor) <> '')"
)
"""SQL for `sponsor_above` of the item `i`."""

INITIATIVE_OF = (
    "(WITH RECURSIVE above(up, initiative, depth) AS ("
    "SELECT i.parent_id, (SELECT initiative_id FROM anchor WHERE item_id = i.id), 1 UNION ALL "
    "SELECT a.parent_id, (SELECT initiative_id FROM anchor WHERE item_id = a.id), depth + 1 "
    "FROM above JOIN item a ON a.id = above.up WHERE above.initiative IS NULL AND depth < 64) "
    "SELECT n.key FROM above JOIN item n ON n.id = above.initiative)"
)
"""SQL for the key of the initiative that the item `i` is in."""

TODAY_UTC = "CAST(julianday('now') - 1721424.5 AS INTEGER)"
"""SQL for today's ordinal, where nobody hands in a clock: for people who open the file with other programs."""


def view_sql(
    name: str,
    today: str = TODAY_UTC,
    review_days: int = 92,
    calendar: str = "i.calendar",
    items: str = "item i",
) -> str:
    """`CREATE … VIEW name` of all items that are not missing. `today` is SQL for an ordinal, `calendar` for a number.

    Initiatives are left out. Beside the vocabulary it has `id`, `native_id`, `fields`, `unknown`, and a `…_day` for
    each time.
    """
    parts = [
        *_shared_columns(today, review_days, calendar),
        "coalesce(p.key, i.parent_native_id) AS parent_key",
        "{} AS items_below, {} AS finished_below, {} AS underway_days".format(*below_sql(today)),
        f"{SPONSOR_ABOVE} AS sponsor_above",
        f"{INITIATIVE_OF} AS initiative_key",
        "NULL AS disagree_on, NULL AS disagreement",
    ]
    return (
        f"CREATE {name} AS SELECT {', '.join(parts)} FROM {items} "
        "LEFT JOIN item p ON p.id = i.parent_id "
        "LEFT JOIN item o ON o.id = i.outcome_id "
        "LEFT JOIN item_detail d ON d.item_id = i.id "
        f"WHERE i.missing_since IS NULL AND i.source <> '{INITIATIVE}'"
    )


def initiative_view_sql(name: str, today: str = TODAY_UTC, review_days: int = 92, calendar: str = "i.calendar") -> str:
    """`CREATE … VIEW name` of all initiatives, with the columns of `view_sql`; below one is all that is in it."""
    parts = [
        *_shared_columns(today, review_days, calendar),
        "NULL AS parent_key",
        f"n.members AS items_below, n.finished AS finished_below, {today} - i.started_at_day AS underway_days",
        "NULL AS sponsor_above",
        "NULL AS initiative_key",
        "n.disagree_on, n.disagreement",
    ]
    return (
        f"CREATE {name} AS SELECT {', '.join(parts)} FROM initiative_detail n CROSS JOIN item i ON i.id = n.item_id "
        "LEFT JOIN item o ON o.id = i.outcome_id "
        "LEFT JOIN item_detail d ON d.item_id = i.id "
        "WHERE i.missing_since IS NULL"
    )


def _shared_columns(today: str, review_days: int, calendar: str) -> list[str]:
    """What is the same for an item and for an initiative."""
    own = [
        "id", "source", "native_id", "collection", "key", "title", "url", "type", "project", "status", "status_id",
        "status_category", "status_since_is", "percent_complete", "priority", "assignees", "owner", "sponsor",
        "labels", "unknown", "version", "calendar",
    ]  # fmt: skip
    times = [column for column in DATES if not column.startswith("outcome_")]
    outcome = ["outcome_metric", "outcome_category", "outcome_baseline", "outcome_target", "outcome_actual",
               "outcome_reviewed_at", "outcome_reviewed_at_day"]  # fmt: skip
    parts = [f"i.{column}" for column in own]
    parts += [f"i.{column}, i.{column}_day" for column in times]
    parts += [f"o.{column}" for column in outcome]
    return [
        *parts,
        f"{today} - i.created_at_day AS age_days",
        f"{today} - i.status_since_day AS days_in_status",
        f"{business_days_sql('i.status_since_day', today, calendar)} AS business_days_in_status",
        f"{today} - o.outcome_reviewed_at_day AS days_since_review",
        f"{grade_sql(today, review_days)} AS outcome_grade",
        "CASE WHEN i.outcome_id <> i.id THEN o.key END AS outcome_from",
        "o.unknown AS outcome_unknown",
        "o.metric_described AS outcome_described",
        "d.description, d.fields",
    ]


def resolve(connection: sqlite3.Connection, inheriting: Sequence[str]) -> None:
    """Fill `parent_id` and `outcome_id` of all items after a pull; runs in the caller's transaction.

    Items of the sources named in `inheriting` take the outcome of their nearest ancestor that has a metric, where
    they have none themselves. A parent that is missing, unknown or its own descendant ends the search. Only rows
    whose value changes are written.
    """
    everything, write = "SELECT id FROM item", "UPDATE item SET {} = want.value FROM ({}) want WHERE item.id = want.id"
    connection.execute(write.format("parent_id", parents_sql(everything)))
    connection.execute(write.format("outcome_id", outcomes_sql(everything, len(inheriting))), tuple(inheriting))


def parents_sql(linked: str) -> str:
    """SQL for the id and the new `parent_id` of those items that the query `linked` names and that have another."""
    parent = "(SELECT p.id FROM item p WHERE p.source = item.source AND p.native_id = item.parent_native_id)"
    return f"SELECT id, {parent} AS value FROM item WHERE id IN ({linked}) AND parent_id IS NOT {parent}"


def outcomes_sql(below: str, inheriting: int) -> str:
    """SQL for the id and the new `outcome_id` of those items that the query `below` names and that have another.

    It takes the names of so many inheriting sources.
    """
    marks = ", ".join("?" * inheriting) or "NULL"
    return (
        f"WITH RECURSIVE below(id) AS ({below}), up(id, at, depth) AS ("
        "  SELECT id, id, 0 FROM below"
        "  UNION ALL"
        "  SELECT up.id, here.parent_id, up.depth + 1 FROM up JOIN item here ON here.id = up.at"
        f"  WHERE here.source IN ({marks}) AND here.metric_grade = 0 AND here.parent_id IS NOT NULL AND up.depth < 64"
        "), best AS (SELECT up.id AS child, up.at AS giver, min(up.depth) FROM up JOIN item ON item.id = up.at"
        "  WHERE item.metric_grade > 0 AND item.missing_since IS NULL GROUP BY up.id) "
        "SELECT item.id, coalesce(best.giver, item.id) AS value FROM below"
        " CROSS JOIN item ON item.id = below.id LEFT JOIN best ON best.child = item.id "
        "WHERE item.outcome_id IS NOT value"
    )


def assign_calendars(
    connection: sqlite3.Connection, of_sources: Mapping[str, int], of_projects: ProjectCalendars
) -> None:
    """Fill `item.calendar` of all items: by (source, project), else by source, else 0; in the caller's transaction.

    Projects are compared without regard to case and surrounding space. Only rows whose value changes are written.
    """
    register(connection)
    connection.execute("CREATE TEMP TABLE goes_by (source TEXT, project TEXT, calendar INTEGER)")
    named = [(source, fold(project), number) for (source, project), number in of_projects.items()]
    rows = [*named, *((source, None, number) for source, number in of_sources.items())]
    connection.executemany("INSERT INTO goes_by VALUES (?, ?, ?)", rows)
    project = fold_sql("item.project")
    connection.execute(
        "UPDATE item SET calendar = want.calendar FROM (SELECT item.id, coalesce("
        f"(SELECT calendar FROM goes_by g WHERE g.source = item.source AND g.project = {project}), "
        "(SELECT calendar FROM goes_by g WHERE g.source = item.source AND g.project IS NULL), 0"
        f") AS calendar FROM item WHERE source <> '{INITIATIVE}') want "
        "WHERE item.id = want.id AND item.calendar <> want.calendar"
    )
    connection.execute("DROP TABLE temp.goes_by")
