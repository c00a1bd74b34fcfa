"""Rules over the stored past, day by day: labels put on and taken off, and which brake would have tripped.

Each day counts as if the changes of the day before had been written. The first day puts on all that is found then.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from rules import engine
from rules import learned as learned_rules
from rules.compile import subjects_of
from rules.ruleset import RuleSet
from rules.today import Today
from sync import brakes, learning, past
from sync.config import Config
from sync.store import Store
from sync.usual import Usual

_NOON = time(12)


@dataclass(frozen=True, slots=True)
class Day:
    """What one day brought. Labels of items that are gone by then are not taken off: they are gone as well."""

    day: date
    considered: int
    """Items that were there."""
    unclear: int
    """Those of them whose status history does not prove on that day."""
    add: int
    remove: int
    labelled: int
    """Items that carry a label at the end of the day."""
    tripped: tuple[brakes.Tripped, ...]

    def as_json(self) -> dict[str, Any]:
        """The shape of docs/json.md."""
        return {
            "day": self.day.isoformat(),
            "considered": self.considered,
            "unclear": self.unclear,
            "add": self.add,
            "remove": self.remove,
            "labelled": self.labelled,
            "brakes": [{"name": brake.name, "why": brake.sentence} for brake in self.tripped],
        }


@dataclass(slots=True)
class Backtest:
    """What the rules would have done. Rows are dicts in the shape of docs/json.md."""

    since: date
    until: date
    days: list[Day] = field(default_factory=list)
    rules: list[dict[str, Any]] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)
    """One row for each label that an item had; `times` over 1 is flapping."""
    todays: list[str] = field(default_factory=list)
    """Columns that the rules ask for and that hold today's value on every day."""
    learned: list[dict[str, Any]] = field(default_factory=list)
    """The percentiles that the rules went by, by month and kind of item."""
    failures: list[str] = field(default_factory=list)

    @property
    def flapping(self) -> list[dict[str, Any]]:
        """Labels that came back after they had been taken off, the worst first."""
        return sorted((row for row in self.labels if row["times"] > 1), key=lambda row: -row["times"])

    @property
    def items(self) -> int:
        """How many items got a label at any time."""
        return len({(row["source"], row["native_id"]) for row in self.labels})

    def as_json(self) -> dict[str, Any]:
        """The shape of docs/json.md."""
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "items": self.items,
            "days": [day.as_json() for day in self.days],
            "rules": self.rules,
            "labels": self.labels,
            "todays_values": self.todays,
            "learned": self.learned,
            "problems": self.failures,
        }


def backtest(
    store: Store,
    config: Config,
    ruleset: RuleSet,
    today: Today,
    period: tuple[date, date],
    progress: Callable[[str], None] = lambda _: None,
) -> Backtest:
    """Walk from the first to the last day of `period`, which does not reach beyond `today`. Writes nothing."""
    since, until = period
    result = Backtest(since, until)
    zones = {name: source.setup.timezone or UTC for name, source in config.sources.items()}
    with store.snapshot() as connection:
        months = [date(number // 12, number % 12 + 1, 1) for number in range(_month(since), _month(until) + 1)]
        if learned_rules.percents(ruleset):
            progress("what is usual")
        learning.lay(connection, ruleset, months, learning.clocks_of(config, today))
        past.lay(connection, zones, config.timezone, today.date.toordinal())
        walk = _Walk(connection, config, ruleset, today, result)
        for ordinal in range(since.toordinal(), until.toordinal() + 1):
            day = date.fromordinal(ordinal)
            if day == since or day.day == 1:
                progress(f"{day:%B %Y}")
            walk.step(day)
        result.rules = walk.rules()
        result.labels = _labels(store)
        result.todays = _without_history(connection, ruleset)
        result.learned = _learned(store, ruleset, months)
    return result


def _month(day: date) -> int:
    """A number that is one more in the next month."""
    return day.year * 12 + day.month - 1


class _Walk:
    """The days, one after the other."""

    def __init__(
        self, connection: sqlite3.Connection, config: Config, ruleset: RuleSet, today: Today, result: Backtest
    ) -> None:
        self.connection, self.config, self.ruleset = connection, config, ruleset
        self.today, self.result = today, result
        self.before: dict[str, tuple[int, int]] = {}
        self.usual = Usual()
        self.most = dict.fromkeys((rule.id for rule in ruleset.rules), 0)
        for table in ("wanted", "worn"):
            connection.execute(
                f"CREATE TEMP TABLE {table} (item_id INTEGER, label TEXT, rule TEXT, PRIMARY KEY (item_id, label)) "
                "WITHOUT ROWID"
            )
        connection.execute("CREATE TEMP TABLE moved (day INTEGER, item_id INTEGER, label TEXT, rule TEXT, action TEXT)")

    def step(self, day: date) -> None:
        """Evaluate one day, and note what it changes."""
        ordinal, first = day.toordinal(), not self.result.days
        past.go(self.connection, ordinal, self.today.date.toordinal(), first=first)
        now = datetime.combine(day, _NOON, self.today.zone)
        evaluation = engine.evaluate(self.connection, self.ruleset, replace(self.today, now=now))
        self._note_failures(evaluation)
        self._note_changes(ordinal, [rule for rule, _ in evaluation.failures])
        self.result.days.append(self._told(day, evaluation.counts))

    def _note_failures(self, evaluation: engine.Evaluation) -> None:
        for _, why in evaluation.failures:
            if f"{why}." not in self.result.failures:
                self.result.failures.append(f"{why}.")

    def _note_changes(self, ordinal: int, failed: Sequence[str]) -> None:
        """Compare what is found with what is worn. A rule that failed keeps its labels where they are."""
        run, kept = self.connection.execute, ", ".join("?" for _ in failed)
        run("DELETE FROM temp.wanted")
        run("INSERT OR IGNORE INTO temp.wanted SELECT item_id, label, rule FROM temp.found")
        run(f"INSERT OR IGNORE INTO temp.wanted SELECT * FROM temp.worn WHERE rule IN ({kept})", tuple(failed))
        run("DELETE FROM temp.worn WHERE item_id IN (SELECT id FROM temp.item WHERE missing_since IS NOT NULL)")
        for action, here, there in (("add", "wanted", "worn"), ("remove", "worn", "wanted")):
            run(
                f"INSERT INTO temp.moved SELECT ?, item_id, label, rule, ? FROM temp.{here} h WHERE NOT EXISTS "
                f"(SELECT 1 FROM temp.{there} t WHERE t.item_id = h.item_id AND t.label = h.label)",
                (ordinal, action),
            )
        run("DELETE FROM temp.worn")
        run("INSERT INTO temp.worn SELECT * FROM temp.wanted")

    def _told(self, day: date, counts: Sequence[engine.RuleCount]) -> Day:
        considered = self._counted("SELECT source, count(*) FROM temp.item WHERE missing_since IS NULL GROUP BY 1")
        for count in counts:
            self.most[count.rule] = max(self.most[count.rule], count.matched)
        moved = self._counted("SELECT action, count(*) FROM temp.moved WHERE day = ? GROUP BY 1", day.toordinal())
        return Day(
            day=day,
            considered=sum(considered.values()),
            unclear=self._count("SELECT count(*) FROM temp.item WHERE missing_since IS NULL AND unclear"),
            add=moved.get("add", 0),
            remove=moved.get("remove", 0),
            labelled=self._count("SELECT count(DISTINCT item_id) FROM temp.worn"),
            tripped=tuple(self._tripped(day, considered, counts)),
        )

    def _tripped(
        self, day: date, considered: Mapping[str, int], counts: Sequence[engine.RuleCount]
    ) -> Sequence[brakes.Tripped]:
        """The brakes that would have stopped the day, and what the next days' go by: all was written after all."""
        limits, changed = self.config.brakes, self._changed(day)
        known = [rule for rule in self.most if self.usual.knows(rule)]
        tripped = [
            *brakes.of_changes(changed, considered, limits, first=not self.result.days),
            *brakes.of_rules(counts, self.before, limits),
            *self.usual.check(self._changed(day, known), limits.unusual, limits.least),
        ]
        self.before |= {count.rule: (count.matched, count.considered) for count in counts}
        self.usual.add(changed, considered, self.most)
        return tripped

    def _changed(self, day: date, rules: Sequence[str] | None = None) -> brakes.Changed:
        """How many items the day changes; because of some rules only, if any are named."""
        only = "" if rules is None else f"AND rule IN ({', '.join('?' for _ in rules)})"
        moved = f"temp.moved JOIN temp.item ON id = item_id WHERE day = ? {only}"
        values = (day.toordinal(), *(rules or ()))
        return brakes.Changed(
            self._counted(f"SELECT source, count(DISTINCT item_id) FROM {moved} GROUP BY 1", *values),
            self._counted(f"SELECT rule, count(DISTINCT item_id) FROM {moved} GROUP BY 1", *values),
            self._counted(
                f"SELECT {brakes.WHOSE}, count(DISTINCT item_id) FROM {moved} AND {brakes.WHOSE} IS NOT NULL "
                "GROUP BY 1",
                *values,
            ),
        )

    def _counted(self, sql: str, *values: object) -> Mapping[str, int]:
        return dict(self.connection.execute(sql, values).fetchall())

    def _count(self, sql: str) -> int:
        count: int = self.connection.execute(sql).fetchone()[0]
        return count

    def rules(self) -> list[dict[str, Any]]:
        """What became of each rule over all days."""
        rows = self.connection.execute(
            "SELECT rule, count(DISTINCT item_id), sum(action = 'add'), sum(action = 'remove') FROM temp.moved "
            "GROUP BY rule"
        )
        sums = {rule: rest for rule, *rest in rows}
        names = ("items", "add", "remove")
        return [
            {"rule": rule, **dict(zip(names, sums.get(rule, (0, 0, 0)), strict=True)), "most": most}
            for rule, most in self.most.items()
        ]


def _labels(store: Store) -> list[dict[str, Any]]:
    """Every label that any item had. `off` is the day on which it last came off, None while it is on."""
    rows = store.rows(
        "SELECT i.source, i.native_id, i.key, i.title, m.label, min(m.rule) AS rule, min(m.day) AS first, "
        "CASE WHEN w.item_id IS NULL THEN max(m.day) FILTER (WHERE m.action = 'remove') END AS off, "
        "count(*) FILTER (WHERE m.action = 'add') AS times FROM temp.moved m JOIN temp.item i ON i.id = m.item_id "
        "LEFT JOIN temp.worn w ON w.item_id = m.item_id AND w.label = m.label "
        "GROUP BY m.item_id, m.label ORDER BY i.source, i.id, m.label"
    )
    for row in rows:
        for name in ("first", "off"):
            row[name] = date.fromordinal(row[name]).isoformat() if row[name] else None
    return rows


def _without_history(connection: sqlite3.Connection, ruleset: RuleSet) -> list[str]:
    """What the rules ask for and history does not tell."""
    known = past.KNOWN_BY_DAY
    if not connection.execute("SELECT 1 FROM temp.move WHERE tracked LIMIT 1").fetchone():
        known -= {"percent_complete"}
    asked = {subject for rule in ruleset.rules for subject in subjects_of(rule)}
    return sorted(str(subject) for subject in asked if subject.custom or subject.name not in known)


def _learned(store: Store, ruleset: RuleSet, months: Sequence[date]) -> list[dict[str, Any]]:
    """What was known well enough for any rule, the oldest first, and the largest kinds."""
    return store.rows(
        "SELECT month, in_source AS source, coalesce(c.name, in_collection) AS collection, of_type AS type, "
        "in_status AS status, percent, days, items FROM temp.learned "
        "LEFT JOIN collection c ON c.source = in_source AND c.native_id = in_collection "
        "JOIN json_each(?) wanted ON wanted.key = percent AND items >= wanted.value "
        "WHERE month >= ? ORDER BY month, items DESC, 2, 3, 4, 5, percent",
        (json.dumps(learned_rules.least_items(ruleset)), months[0].isoformat()),
    )


def period(since: date, until: date | None, today: date) -> tuple[date, date]:
    """The days from `since` to `until` (today if None). Raises ValueError with a sentence where there are none."""
    last = until or today
    if last > today:
        raise ValueError(f"--until {last} is still to come; today is {today}")
    if since > last:
        raise ValueError(f"--since {since} is later than {last}; name an earlier day")
    if last - since > timedelta(days=3660):
        raise ValueError(f"--since {since} is over ten years before {last}; name a later day")
    return since, last
