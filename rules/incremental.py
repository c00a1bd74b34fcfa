"""Evaluates what changed and what time moved, and finds exactly what a whole evaluation would find.

The store remembers in `dirty` which items were written since the last evaluation; triggers see to it, so that nothing
can be forgotten, and it is emptied in the transaction that stores the findings, so that a killed run loses nothing.
What only grew older is found by range scans: a threshold is a cut-off day, and between two evaluations it moved from
one day to another; only items whose day lies between can answer otherwise than the last time.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from math import ceil, floor

from rules.clauses import COUNTED, Ago, Amount, Counted, How, Past, Subject, Test, Within, Word, tests_of
from rules.compile import Scope, steps_test, subjects_of
from rules.engine import prepare
from rules.find import Evaluation, RuleCount, clear, find
from rules.ruleset import Rule, RuleSet
from rules.says import says_sql
from rules.table import resolve_sql
from rules.today import Today

TABLES = """
CREATE TABLE dirty (item_id INTEGER PRIMARY KEY, was_there INTEGER NOT NULL);
CREATE TABLE unsure (rule INTEGER NOT NULL, item_id INTEGER NOT NULL, PRIMARY KEY (rule, item_id)) WITHOUT ROWID;
CREATE TRIGGER item_is_new AFTER INSERT ON item BEGIN
  INSERT INTO dirty (item_id, was_there) VALUES (new.id, 0) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER item_was_written AFTER UPDATE ON item BEGIN
  INSERT INTO dirty (item_id, was_there) VALUES (new.id, old.missing_since IS NULL) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER item_was_moved AFTER UPDATE OF parent_id ON item WHEN old.parent_id IS NOT new.parent_id BEGIN
  INSERT INTO dirty (item_id, was_there) SELECT id, missing_since IS NULL FROM item WHERE id = old.parent_id
  ON CONFLICT DO NOTHING;
END;
CREATE INDEX item_orphan ON item (source, parent_native_id) WHERE parent_id IS NULL AND parent_native_id IS NOT NULL;
CREATE INDEX item_heir ON item (outcome_id) WHERE outcome_id <> id;
"""
"""`dirty.was_there`: whether the last evaluation counted the item. `unsure`: about which items a rule, named by its
position in the set, could not tell. Beside them it takes the store's `finding` (item_id, rule, label, reason)."""

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


def can_follow(ruleset: RuleSet) -> bool:
    """Whether all that time moves can be told: what a condition in SQL makes of a day cannot."""
    return not any(rule.holds_sql for rule in ruleset.rules)


def resolve(connection: sqlite3.Connection, inheriting: Sequence[str]) -> None:
    """What `table.resolve` does, for items that were written and those below them; in the caller's transaction."""
    parents, outcomes = resolve_sql(len(inheriting), _LINKED, "SELECT id FROM temp.below")
    connection.execute(parents)  # items that get or lose a parent become dirty by it
    marks = ", ".join("?" for _ in inheriting) or "NULL"
    connection.execute("DROP TABLE IF EXISTS temp.below")
    connection.execute("CREATE TEMP TABLE below (id INTEGER PRIMARY KEY)")
    connection.execute(
        "WITH RECURSIVE down(id) AS (SELECT item_id FROM dirty UNION SELECT item.id FROM down "
        f"CROSS JOIN item ON item.parent_id = down.id WHERE item.metric_grade = 0 AND item.source IN ({marks})) "
        "INSERT INTO temp.below SELECT id FROM down",
        tuple(inheriting),
    )
    connection.execute(outcomes, tuple(inheriting))


_LINKED = (
    "SELECT item_id FROM dirty UNION ALL SELECT orphan.id FROM dirty CROSS JOIN item new ON new.id = dirty.item_id "
    "CROSS JOIN item orphan INDEXED BY item_orphan ON orphan.source = new.source "
    "AND orphan.parent_native_id = new.native_id AND orphan.parent_id IS NULL AND orphan.parent_native_id IS NOT NULL"
)
"""Items whose parent may be another than it was: no item is ever deleted, or gets another id."""


def evaluate(connection: sqlite3.Connection, ruleset: RuleSet, today: Today, last: Last) -> Evaluation:
    """Fill the temporary tables `found` and `unsure` as `engine.evaluate` does, for the items in `touched` (id) only.

    `reworded` (item_id, rule, reason) gets the findings that stay and whose reason counts days. The counts are those
    of a whole evaluation.
    """
    scope = Scope(today, ruleset)
    before = Scope(replace(today, now=datetime.combine(date.fromordinal(last.day), time(12), today.zone)), ruleset)
    _touch(connection, scope, before)
    _list_counting(connection, scope, before)
    prepare(connection, today, f"item WHERE id IN ({_SEEN})")
    columns = ", ".join(_columns(connection, ruleset))
    connection.execute("DROP TABLE IF EXISTS temp.touched_item")
    connection.execute(
        f"CREATE TEMP TABLE touched_item AS SELECT {columns} FROM work_item WHERE id IN (SELECT id FROM temp.touched)"
    )
    clear(connection)
    evaluation = find(connection, scope, range(len(ruleset.rules)), "temp.touched_item", _considered(connection, last))
    failures = (*evaluation.failures, *_reword(connection, ruleset))
    return Evaluation(_whole_counts(connection, ruleset, evaluation, last), failures)


_SEEN = "SELECT id FROM temp.touched UNION ALL SELECT item_id FROM temp.counting"


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
    connection.execute(f"{heirs} (SELECT item_id FROM dirty)")
    if any(Subject("parent_key") in _subjects(rule) for rule in scope.ruleset.rules):
        connection.execute(f"{touch} id FROM item WHERE parent_id IN (SELECT item_id FROM dirty)")
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


def _columns(connection: sqlite3.Connection, ruleset: RuleSet) -> list[str]:
    """The view's columns, without the long ones that no rule asks about."""
    asked = {"fields" if subject.custom else subject.name for rule in ruleset.rules for subject in _subjects(rule)}
    names = [row[1] for row in connection.execute("PRAGMA temp.table_info(work_item)")]
    return [name for name in names if name in asked or name not in _AROUND | {"description", "fields"}]


# Reasons that count days


def _list_counting(connection: sqlite3.Connection, scope: Scope, before: Scope) -> None:
    """The findings of items that are not touched, and whose reason says another number than the last time."""
    connection.execute("DROP TABLE IF EXISTS temp.counting")
    connection.execute("CREATE TEMP TABLE counting (rule TEXT, item_id INTEGER, PRIMARY KEY (rule, item_id))")
    rules = [rule.id for rule in scope.ruleset.rules if _counts_days(rule)]
    if rules and scope.ordinal != before.ordinal:
        marks = ", ".join("?" for _ in rules)
        connection.execute(
            f"INSERT INTO temp.counting SELECT rule, item_id FROM finding WHERE rule IN ({marks}) "
            "AND item_id NOT IN (SELECT id FROM temp.touched)",
            rules,
        )


def _counts_days(rule: Rule) -> bool:
    return any(isinstance(part, Subject) and not part.custom and part.name in _AGED for part in rule.says)


def _reword(connection: sqlite3.Connection, ruleset: RuleSet) -> Iterator[tuple[str, str]]:
    connection.execute("DROP TABLE IF EXISTS temp.reworded")
    connection.execute("CREATE TEMP TABLE reworded (item_id INTEGER, rule TEXT, reason TEXT)")
    for rule in ruleset.rules:
        if _counts_days(rule):
            reason = says_sql(rule.says)
            try:
                connection.execute(
                    f"INSERT INTO temp.reworded SELECT id, ?, {reason.text} FROM work_item "
                    "WHERE id IN (SELECT item_id FROM temp.counting WHERE rule = ?)",
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
    connection: sqlite3.Connection, ruleset: RuleSet, evaluation: Evaluation, last: Last
) -> tuple[RuleCount, ...]:
    """The last counts, less what the touched items had part in them, and with what they have now."""
    gone = dict(
        connection.execute(
            "SELECT rule, count(*) FROM finding WHERE item_id IN (SELECT id FROM temp.touched) GROUP BY rule"
        ).fetchall()
    )
    positions = {rule.id: position for position, rule in enumerate(ruleset.rules)}
    counts = []
    for count in evaluation.counts:
        matched, unknown = last.counts[count.rule]
        if unknown:
            unknown -= connection.execute(
                "SELECT count(*) FROM main.unsure WHERE rule = ? AND item_id IN (SELECT id FROM temp.touched)",
                (positions[count.rule],),
            ).fetchone()[0]
        matched -= gone.get(count.rule, 0)
        counts.append(RuleCount(count.rule, matched + count.matched, count.considered, unknown + count.unknown))
    return tuple(counts)
