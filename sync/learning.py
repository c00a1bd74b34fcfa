"""Works out, on the first of a month, how long items of each kind usually stay in a status: for `over = "p85"`.

A kind is a collection, a type and a status. An item counts where it was finished in the year before the month, by its
last transition then, once for each status that it left: with its last stay there, in business days of the calendar and
the time zone that it goes by, as `business_days_in_status` counts them. Stays whose beginning is not known (the item
was first seen in the status) are left out; those that were seen to begin between two runs count from when that was
seen, which is what the clock of items in progress does. Nothing that happened later is looked at, so that a month can
be worked out at any time.

All of it runs in SQLite, over index and temporary files, so that the memory does not grow with the history.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from rules import learned
from rules.calendar import Calendar
from rules.ruleset import RuleSet
from rules.table import COUNTED_BACK, LEARNED_TABLES, moment
from rules.today import Today
from sync import findings
from sync.config import Config
from sync.store import Store


@dataclass(frozen=True, slots=True)
class Clocks:
    """When days begin, and which of them are business days."""

    calendars: Sequence[Calendar]
    """By the number that `item.calendar` holds."""
    zone: tzinfo
    """Where months begin, and the days of sources that have no zone of their own."""
    zones: Mapping[str, tzinfo]


def clocks_of(config: Config, today: Today) -> Clocks:
    """As the items' own days are counted."""
    zones = {name: source.setup.timezone or UTC for name, source in config.sources.items()}
    return Clocks(today.calendars, config.timezone, zones)


def learn(
    store: Store,
    ruleset: RuleSet,
    today: Today,
    clocks: Clocks,
    *,
    rehearsal: bool,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Keep the percentiles that the rules ask for and that this month has not been asked for yet.

    They stay as they are until the next month. A rehearsal may be of a month whose past is not over: what it kept is
    worked out anew without one.
    """
    first = today.date.replace(day=1)
    kept = dict(
        store.connection.execute(
            "SELECT percent, rehearsal FROM main.learned_month WHERE month = ?", (first.isoformat(),)
        ).fetchall()
    )
    wanted = [each for each in learned.percents(ruleset) if each not in kept or (kept[each] and not rehearsal)]
    if not wanted:
        return
    progress("learning how long work takes")
    _take(store.connection, first, clocks)
    with store.deriving() as connection:
        if not set(wanted).isdisjoint(kept):
            findings.forget_last(store)  # it went by what is replaced now
        _keep(connection, "main", first, wanted, rehearsal=rehearsal)
    _clear(store.connection)


def lay(connection: sqlite3.Connection, ruleset: RuleSet, months: Iterable[date], clocks: Clocks) -> None:
    """Make a temporary `learned` that stands before the store's own, for months that begin on these days.

    What the store kept of a month is taken from there. Needs a transaction that is rolled back afterwards.
    """
    percents = learned.percents(ruleset)
    for statement in LEARNED_TABLES.replace("CREATE TABLE IF NOT EXISTS", "CREATE TEMP TABLE").split(";"):
        connection.execute(statement)
    for first in months if percents else ():
        month = first.isoformat()
        for name in ("learned", "learned_month"):
            connection.execute(f"INSERT INTO temp.{name} SELECT * FROM main.{name} WHERE month = ?", (month,))
        kept = {
            row[0] for row in connection.execute("SELECT percent FROM temp.learned_month WHERE month = ?", (month,))
        }
        wanted = [percent for percent in percents if percent not in kept]
        if wanted:
            _take(connection, first, clocks)
            _keep(connection, "temp", first, wanted, rehearsal=False)


def _take(connection: sqlite3.Connection, first: date, clocks: Clocks) -> None:
    """Fill `temp.took`: for each kind and number of business days, how many items took so many."""
    _clear(connection)
    until = {"until": _begins(first, clocks.zone), "since": _begins(_year_before(first), clocks.zone)}
    connection.execute("CREATE TEMP TABLE finished (item_id INTEGER PRIMARY KEY)")
    connection.execute(f"INSERT INTO temp.finished {_FINISHED}", until)
    connection.execute(f"CREATE TEMP TABLE stay AS {_LAST_STAYS}", until)
    _lay_days(connection, first, clocks)
    connection.execute(f"CREATE TEMP TABLE took AS {_TOOK.format(_calendar(clocks))}")


def _clear(connection: sqlite3.Connection) -> None:
    for name in ("finished", "stay", "dawn", "clock", "took"):
        connection.execute(f"DROP TABLE IF EXISTS temp.{name}")


def _calendar(clocks: Clocks) -> str:
    """SQL for the calendar of the item `i`: the default one where config does not have its own any more."""
    return f"CASE WHEN i.calendar < {len(clocks.calendars)} THEN i.calendar ELSE 0 END"


def _year_before(first: date) -> date:
    return first.replace(year=first.year - 1)


_FINISHED = """
SELECT i.id FROM main.item i WHERE (
  SELECT t.to_category = 'done' AND t.at >= :since FROM main.transition t
  WHERE t.item_id = i.id AND t.at < :until ORDER BY t.at DESC, t.id DESC LIMIT 1)
"""

_STAYS = """
SELECT item_id, status, came, gone FROM (
  SELECT t.item_id, t.to_status AS status, t.to_category AS category, t.at AS came,
  lead(t.at) OVER (PARTITION BY t.item_id ORDER BY t.at, t.id) AS gone
  FROM temp.finished f CROSS JOIN main.transition t ON t.item_id = f.item_id AND t.at < :until)
WHERE gone IS NOT NULL AND category IS NOT 'done'
UNION ALL
SELECT i.id, t.from_status, i.created_at, t.at FROM temp.finished f CROSS JOIN main.item i ON i.id = f.item_id
CROSS JOIN main.transition t ON t.id = (SELECT id FROM main.transition WHERE item_id = i.id ORDER BY at, id LIMIT 1)
WHERE t.origin = 'tool' AND t.from_status IS NOT NULL AND t.from_category IS NOT 'done' AND i.created_at <= t.at
"""
"""Beginning and end of each; the first begins with the item, where its tool tells all of its history."""

_LAST_STAYS = f"""
SELECT item_id, status, substr(stay, 1, 20) AS came, substr(stay, 21) AS gone FROM (
  SELECT item_id, status, max(came || gone) AS stay FROM ({_STAYS}) GROUP BY item_id, status)
"""
"""All times are as long as 2026-03-05T08:00:00Z, so that two of them compare as one text."""

_TOOK = """
SELECT in_source, in_collection, of_type, in_status, days, count(*) AS items FROM (
  SELECT i.source AS in_source, i.collection AS in_collection, ifnull(i.type, '') AS of_type, s.status AS in_status,
  max(0, (SELECT through FROM temp.dawn WHERE clock = c.number + {0} AND begins <= s.gone
    ORDER BY begins DESC LIMIT 1)
  - ifnull((SELECT before FROM temp.dawn WHERE clock = c.number + {0} AND begins <= s.came
    ORDER BY begins DESC LIMIT 1), 0) - 1) AS days
  FROM temp.stay s CROSS JOIN main.item i ON i.id = s.item_id CROSS JOIN temp.clock c ON c.source = i.source)
GROUP BY 1, 2, 3, 4, 5
"""


def _lay_days(connection: sqlite3.Connection, first: date, clocks: Clocks) -> None:
    """`dawn`: when days begin, UTC, by zone and calendar, with the business days before each, and with it.

    `clock`: which zone a source has.
    """
    sources = [name for (name,) in connection.execute("SELECT DISTINCT source FROM main.collection")]
    zones = {source: clocks.zones.get(source, clocks.zone) for source in sources}
    numbers = {zone: at * len(clocks.calendars) for at, zone in enumerate(dict.fromkeys(zones.values()))}
    connection.execute("CREATE TEMP TABLE clock (source TEXT PRIMARY KEY, number INTEGER) WITHOUT ROWID")
    connection.executemany("INSERT INTO temp.clock VALUES (?, ?)", ((name, numbers[zones[name]]) for name in sources))
    connection.execute(
        "CREATE TEMP TABLE dawn (clock INTEGER, begins TEXT, before INTEGER, through INTEGER, "
        "PRIMARY KEY (clock, begins)) WITHOUT ROWID"
    )
    [oldest] = connection.execute("SELECT min(came) FROM temp.stay").fetchone()
    start = date.fromisoformat(oldest[:10]) - timedelta(days=1) if oldest else first
    start = max(start, first - timedelta(days=COUNTED_BACK))
    connection.execute("SAVEPOINT days")  # outside of a transaction, each row would be one
    for zone, number in numbers.items():
        for at, calendar in enumerate(clocks.calendars):
            rows = _dawns(zone, calendar, start, first + timedelta(days=2))
            connection.executemany(f"INSERT INTO temp.dawn VALUES ({number + at}, ?, ?, ?)", rows)
    connection.execute("RELEASE days")


def _dawns(zone: tzinfo, calendar: Calendar, start: date, end: date) -> Iterator[tuple[str, int, int]]:
    count, day = 0, start
    while day <= end:
        before, count = count, count + calendar.is_business(day)
        yield _begins(day, zone), before, count
        day += timedelta(days=1)


def _begins(day: date, zone: tzinfo) -> str:
    """When a day begins, as the store holds times.

    A midnight that clocks skip begins when they go on, and of one that comes twice the second counts: both are the
    later reading.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return str(max(moment(midnight) or "", moment(midnight.replace(fold=1)) or ""))


_KIND = "in_source, in_collection, of_type, in_status"

_PERCENTILES = f"""
SELECT :month, percent.value, {_KIND}, min(days), total FROM (
  SELECT *, sum(items) OVER (PARTITION BY {_KIND} ORDER BY days) AS so_far,
  sum(items) OVER (PARTITION BY {_KIND}) AS total FROM temp.took)
CROSS JOIN json_each(:percents) percent WHERE so_far * 100 >= percent.value * total
GROUP BY {_KIND}, percent.value
"""
"""The least number of days that so many percent of the items did not exceed: nearest rank."""


def _keep(
    connection: sqlite3.Connection, schema: str, first: date, percents: Sequence[int], *, rehearsal: bool
) -> None:
    """Write the percentiles of `temp.took` into `learned` of a schema, in the caller's transaction."""
    named: dict[str, Any] = {"month": first.isoformat(), "percents": json.dumps(percents), "rehearsal": rehearsal}
    asked = "month = :month AND percent IN (SELECT value FROM json_each(:percents))"
    connection.execute(f"DELETE FROM {schema}.learned WHERE {asked}", named)
    connection.execute(f"INSERT INTO {schema}.learned {_PERCENTILES}", named)
    connection.execute(
        f"INSERT INTO {schema}.learned_month (month, percent, rehearsal) "
        "SELECT :month, value, :rehearsal FROM json_each(:percents) WHERE true "
        "ON CONFLICT DO UPDATE SET rehearsal = excluded.rehearsal",
        named,
    )
