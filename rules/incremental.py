"""Evaluates what changed and what time moved, and finds exactly what a whole evaluation would find.

The store remembers in `dirty` which items were written since the last evaluation; triggers see to it, so that nothing
can be forgotten, and it is emptied in the transaction that stores the findings, so that a killed run loses nothing.
What only grew older is found by range scans: a threshold is a cut-off day, and between two evaluations it moved from
one day to another; only items whose day lies between can answer otherwise than the last time.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from math import ceil, floor

from rules.clauses import (
    COUNTED,
    Ago,
    Amount,
    Counted,
    How,
    Past,
    Subject,
    Test,
    Within,
    Word,
    tests_of,
)
from rules.compile import Scope, steps_test, subjects_of
from rules.engine import doubts_of_all, prepare
from rules.find import Evaluation, RuleCount, clear, doubts_of, find
from rules.ruleset import Rule, RuleSet
from rules.says import says_sql
from rules.table import resolve_sql
from rules.today import Today

TABLES = """
CREATE TABLE dirty (item_id INTEGER PRIMARY KEY, was_there INTEGER NOT NULL, kin INTEGER NOT NULL DEFAULT 1);
CREATE TABLE unsure (rule INTEGER NOT NULL, item_id INTEGER NOT NULL, PRIMARY KEY (rule, item_id)) WITHOUT ROWID;
CREATE INDEX item_orphan ON item (source, parent_native_id) WHERE parent_id IS NULL AND parent_native_id IS NOT NULL;
CREATE INDEX item_heir ON item (outcome_id) WHERE outcome_id <> id;
"""
"""`dirty.was_there`: whether the last evaluation counted the item. `dirty.kin`: whether what others take from it was
written, or what links it to others. `unsure`: about which items a rule, named by its position in the set, could not
tell. Beside them it takes the store's `finding` (item_id, rule, label, reason)."""

_KIN = (
    "parent_native_id", "parent_id", "missing_since", "key", "unknown", "metric_grade", "metric_described",
    "outcome_metric", "outcome_category", "outcome_baseline", "outcome_target", "outcome_actual",
    "outcome_reviewed_at", "outcome_reviewed_at_day",
)  # fmt: skip
"""Columns that links and inheritance are made of, and those that an heir or a child shows as its own."""

TRIGGERS = f"""
CREATE TRIGGER item_is_new AFTER INSERT ON item BEGIN
  INSERT INTO dirty (item_id, was_there) VALUES (new.id, 0) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER item_was_written AFTER UPDATE ON item BEGIN
  INSERT INTO dirty (item_id, was_there, kin)
  VALUES (new.id, old.missing_since IS NULL, {" OR ".join(f"old.{name} IS NOT new.{name}" for name in _KIN)})
  ON CONFLICT DO UPDATE SET kin = 1 WHERE excluded.kin;
END;
CREATE TRIGGER item_was_moved AFTER UPDATE OF parent_id ON item WHEN old.parent_id IS NOT new.parent_id BEGIN
  INSERT INTO dirty (item_id, was_there, kin) SELECT id, missing_since IS NULL, 0 FROM item WHERE id = old.parent_id
  ON CONFLICT DO NOTHING;
END;
"""
"""They fill `dirty`."""

_REVIEWED = "outcome_reviewed_at_day"

_AGED = {**COUNTED, "underway_days": Counted("started_at", business=False)}
"""Columns that count days, by what they count from; the last from the item's own start or one below it."""

_BELOW = frozenset({"items_below", "finished_below", "underway_days"})
_AROUND = _BELOW | {"sponsor_above"}
"""Columns that are answered by other items: those below, and those above."""


@dataclass(frozen=True, slots=True)
class Last:
    """What the last evaluation left, under the same signature and without a failure."""

    day: int
    """Its local day, as an ordinal."""
    considered: int
    counts: Mapping[str, tuple[int, int]]
    """Rule -> how many items matched, and about how many it could not tell."""


def signature(ruleset: RuleSet, today: Today) -> str:
    """Names the rules and all that gives them their meaning but the day; where it differs, all is evaluated anew.

    A calendar knows the holidays of some years only, and moves on with the year.
    """
    free = [(sorted(calendar.weekend), sorted(calendar.holidays)) for calendar in today.calendars]
    meaning = (ruleset.sha, free, today.review_days, today.placeholders)
    return hashlib.sha256(repr(meaning).encode()).hexdigest()


def is_current(connection: sqlite3.Connection, today: Today, last: Last) -> bool:
    """Whether nothing was written since the last evaluation, and the day is still the same."""
    return last.day == today.date.toordinal() and not connection.execute("SELECT 1 FROM dirty LIMIT 1").fetchone()


def asked_anew(ruleset: RuleSet, today: Today, last: Last) -> list[int]:
    """The positions of rules that are to be asked about every item: what SQL makes of an age is not known."""
    if last.day == today.date.toordinal():
        return []
    return [position for position, rule in enumerate(ruleset.rules) if _holds_sql_on_an_age(rule)]


def _holds_sql_on_an_age(rule: Rule) -> bool:
    read = {subject for expression in rule.expressions for subject in expression.subjects}
    return any(subject.name in _AGED for subject in read if not subject.custom)


def resolve(connection: sqlite3.Connection, inheriting: Sequence[str]) -> None:
    """What `table.resolve` does, for items that were written and those below them; in the caller's transaction."""
    parents, outcomes = resolve_sql(len(inheriting), _LINKED, "SELECT id FROM temp.below")
    connection.execute(parents)  # items that get or lose a parent become dirty by it
    marks = ", ".join("?" for _ in inheriting) or "NULL"
    connection.execute("DROP TABLE IF EXISTS temp.below")
    connection.execute("CREATE TEMP TABLE below (id INTEGER PRIMARY KEY)")
    connection.execute(
        "WITH RECURSIVE down(id) AS (SELECT item_id FROM dirty WHERE kin UNION SELECT item.id FROM down "
        f"CROSS JOIN item ON item.parent_id = down.id WHERE item.metric_grade = 0 AND item.source IN ({marks})) "
        "INSERT INTO temp.below SELECT id FROM down",
        tuple(inheriting),
    )
    connection.execute(outcomes, tuple(inheriting))


_LINKED = (
    "SELECT item_id FROM dirty WHERE kin UNION ALL SELECT orphan.id FROM dirty "
    "CROSS JOIN item new ON dirty.kin AND new.id = dirty.item_id "
    "CROSS JOIN item orphan INDEXED BY item_orphan ON orphan.source = new.source "
    "AND orphan.parent_native_id = new.native_id AND orphan.parent_id IS NULL AND orphan.parent_native_id IS NOT NULL"
)
"""Items whose parent may be another than it was: no item is ever deleted, or gets another id."""


def unchanged(ruleset: RuleSet, last: Last) -> Evaluation:
    """The last evaluation's result, where it is current."""
    return Evaluation(tuple(_count(rule, last, *last.counts[rule.id]) for rule in ruleset.rules))


def _count(rule: Rule, last: Last, matched: int, unknown: int) -> RuleCount:
    return RuleCount(rule.id, matched, last.considered, unknown)


def evaluate(
    connection: sqlite3.Connection, ruleset: RuleSet, today: Today, last: Last, anew: Collection[int]
) -> Evaluation:
    """Fill the temporary tables `found` and `unsure` as `engine.evaluate` does, for the items in `touched` (id) only.

    The rules at the positions `anew` are asked about all items. `reworded` (item_id, rule, reason) gets the findings
    that stay and whose reason counts days. The counts are those of a whole evaluation.
    """
    scope = Scope(today, ruleset)
    before = Scope(replace(today, now=datetime.combine(date.fromordinal(last.day), time(12), today.zone)), ruleset)
    _touch(connection, scope, before)
    prepare(connection, today)
    clear(connection)
    considered = _considered(connection, last)
    followed = [position for position in range(len(ruleset.rules)) if position not in anew]
    masks = connection.execute(f"SELECT DISTINCT unknown, outcome_unknown FROM {_TOUCHED}").fetchall()
    part = find(connection, replace(scope, doubts=doubts_of(masks)), followed, _TOUCHED, considered)
    whole = Evaluation(())
    if anew:
        doubting = replace(scope, doubts=doubts_of_all(connection))
        whole = find(connection, doubting, sorted(anew), "temp.work_item", considered)
    reworded = _reword(connection, [ruleset.rules[position] for position in followed], scope, before)
    return Evaluation(
        _whole_counts(connection, ruleset, part, whole, last), (*part.failures, *whole.failures, *reworded)
    )


_TOUCHED = "(SELECT * FROM temp.work_item WHERE id IN (SELECT id FROM temp.touched))"


def index(connection: sqlite3.Connection, ruleset: RuleSet, today: Today) -> None:
    """Make the indexes on the days that the rules' thresholds are about, where they are not there yet.

    Only once they are needed: they would cost a first pull of many items more than anything else.
    """
    for column in sorted({column for column, _ in _cuts(Scope(today, ruleset))}):
        name = f"item_by_{column}"
        connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON item ({column}) WHERE {column} IS NOT NULL")


# What is touched


def _touch(connection: sqlite3.Connection, scope: Scope, before: Scope) -> None:
    connection.execute("DROP TABLE IF EXISTS temp.touched")
    connection.execute("CREATE TEMP TABLE touched (id INTEGER PRIMARY KEY)")
    touch = "INSERT OR IGNORE INTO temp.touched SELECT"
    connection.execute(f"{touch} item_id FROM dirty")
    heirs = f"{touch} id FROM item WHERE outcome_id <> id AND outcome_id IN"
    connection.execute(f"{heirs} (SELECT item_id FROM dirty WHERE kin)")
    if _asked(scope.ruleset) & {"parent_key"}:
        connection.execute(f"{touch} id FROM item WHERE parent_id IN (SELECT item_id FROM dirty WHERE kin)")
    if _asked(scope.ruleset) & {"sponsor_above"}:
        connection.execute(f"{touch} id FROM ({_DESCENDANTS})")
    for column, after, until in _moved(scope, before):
        aged = f"id FROM item WHERE {column} > ? AND {column} <= ?"
        connection.execute(f"{touch} {aged}", (after, until))
        if column == _REVIEWED:
            connection.execute(f"{heirs} (SELECT {aged})", (after, until))
    if _asked(scope.ruleset) & _BELOW:
        connection.execute(f"{touch} id FROM ({_ANCESTORS})")


_DESCENDANTS = (
    "WITH RECURSIVE down(id) AS (SELECT item_id FROM dirty UNION SELECT item.id FROM down "
    "CROSS JOIN item ON item.parent_id = down.id) SELECT id FROM down"
)
_ANCESTORS = (
    "WITH RECURSIVE up(id) AS (SELECT id FROM temp.touched UNION SELECT item.parent_id FROM up "
    "CROSS JOIN item ON item.id = up.id WHERE item.parent_id IS NOT NULL) SELECT id FROM up"
)


def _asked(ruleset: RuleSet) -> set[str]:
    """The columns that any rule asks about."""
    return {subject.name for rule in ruleset.rules for subject in _subjects(rule) if not subject.custom}


def _moved(scope: Scope, before: Scope) -> Iterator[tuple[str, int, int]]:
    """The days that cut-offs passed over: column, the last day before them, and the last of them."""
    ranges = {
        (column, min(was, now), max(was, now))
        for (column, was), (_, now) in zip(_cuts(before), _cuts(scope), strict=True)
        if was != now
    }
    yield from sorted(ranges)


def _cuts(scope: Scope) -> Iterator[tuple[str, int]]:
    """Every column of days that a rule compares with a day that moves, and that day; always in the same order."""
    for rule in scope.ruleset.rules:
        for test in _tests(rule):
            for word in test.words:
                yield from _word_cuts(word, test.subject, scope)
        if Subject("outcome_grade") in _subjects(rule):
            yield _REVIEWED, scope.ordinal - scope.today.review_days - 1


def _tests(rule: Rule) -> Iterator[Test]:
    yield from tests_of(rule.when)
    if rule.ladder is not None:
        for override in rule.ladder.overrides:
            yield from tests_of(override.when)
        for step in rule.ladder.all_steps():
            yield steps_test(rule.ladder, step)


def _subjects(rule: Rule) -> set[Subject]:
    """Everything that the rule's answer or its reason depends on."""
    return subjects_of(rule) | {part for part in rule.says if isinstance(part, Subject)}


def _word_cuts(word: Word, subject: Subject, scope: Scope) -> Iterator[tuple[str, int]]:
    counted = None if subject.custom else _AGED.get(subject.name)
    day = f"{counted.moment if counted else subject.name}_day"
    match word:
        case Amount(how, number) if counted:
            for days in (floor(number), ceil(number)):
                yield from ((day, cut) for cut in _day_cuts(how, days, scope, business=counted.business))
        case Ago(how, days, business):
            yield day, scope.ordinal
            yield from ((day, cut) for cut in _day_cuts(how, days, scope, business=business))
        case Past():
            yield day, scope.ordinal - 1
        case Within(days):
            yield day, scope.ordinal - 1
            yield day, scope.ordinal + days


def _day_cuts(how: How, days: int, scope: Scope, *, business: bool) -> Iterator[int]:
    for calendar in scope.today.calendars:
        if how is not How.AT_LEAST and how is not How.UNDER:
            yield scope.latest(days, business=business, calendar=calendar)
        if how is not How.OVER and how is not How.AT_MOST:
            yield scope.latest(days - 1, business=business, calendar=calendar)


# Reasons that count days


def _counts_days(rule: Rule) -> bool:
    return any(isinstance(part, Subject) and not part.custom and part.name in _AGED for part in rule.says)


def _reword(
    connection: sqlite3.Connection, rules: Sequence[Rule], scope: Scope, before: Scope
) -> Iterator[tuple[str, str]]:
    """List the findings of items that are not touched, and whose reason says another number than the last time."""
    connection.execute("DROP TABLE IF EXISTS temp.reworded")
    connection.execute("CREATE TEMP TABLE reworded (item_id INTEGER, rule TEXT, reason TEXT)")
    for rule in rules:
        if scope.ordinal != before.ordinal and _counts_days(rule):
            reason = says_sql(rule.says)
            try:
                connection.execute(
                    f"INSERT INTO temp.reworded SELECT id, ?, {reason.text} FROM temp.work_item WHERE id IN "
                    "(SELECT item_id FROM finding WHERE rule = ? AND item_id NOT IN (SELECT id FROM temp.touched))",
                    (rule.id, *reason.values, rule.id),
                )
            except sqlite3.Error as error:
                yield rule.id, f'rule "{rule.id}" could not say why: {error}; its reasons stay as they are'


# Counts


def _considered(connection: sqlite3.Connection, last: Last) -> int:
    row = connection.execute(
        "SELECT total(item.missing_since IS NULL) - total(was_there) FROM dirty CROSS JOIN item ON item.id = item_id"
    ).fetchone()
    return last.considered + int(row[0])


def _whole_counts(
    connection: sqlite3.Connection, ruleset: RuleSet, part: Evaluation, whole: Evaluation, last: Last
) -> tuple[RuleCount, ...]:
    """The last counts, less what the touched items had part in them, and with what they have now."""
    gone = dict(
        connection.execute(
            "SELECT rule, count(*) FROM finding WHERE item_id IN (SELECT id FROM temp.touched) GROUP BY rule"
        ).fetchall()
    )
    positions = {rule.id: position for position, rule in enumerate(ruleset.rules)}
    counts = {count.rule: count for count in whole.counts}
    for count in part.counts:
        matched, unknown = last.counts[count.rule]
        if unknown:
            unknown -= connection.execute(
                "SELECT count(*) FROM main.unsure WHERE rule = ? AND item_id IN (SELECT id FROM temp.touched)",
                (positions[count.rule],),
            ).fetchone()[0]
        matched -= gone.get(count.rule, 0)
        counts[count.rule] = RuleCount(count.rule, matched + count.matched, count.considered, unknown + count.unknown)
    return tuple(sorted(counts.values(), key=lambda count: positions[count.rule]))
