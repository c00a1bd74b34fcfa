"""Evaluates rules wholly inside SQLite: one statement a rule, no Python for each item.

What is not ASCII is folded by a registered function; nothing else leaves SQLite.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date

from rules.calendar import fill_table
from rules.compile import Scope, answer_sql, label_sql, subjects_of
from rules.escape import failure, limited
from rules.ruleset import Rule, RuleSet
from rules.says import says_sql
from rules.table import CALENDAR_DAY, view_sql
from rules.text import register
from rules.today import Today

__all__ = ["Evaluation", "RuleCount", "Today", "evaluate", "prepare"]

_CALENDAR_DAYS = 36_525
"""How far back business days are counted: a century. A wilder date counts as the first day of that."""


@dataclass(frozen=True, slots=True)
class RuleCount:
    """What one rule made of all items."""

    rule: str
    matched: int
    considered: int
    """All items that are not missing."""
    unknown: int
    """Items about which the rule could not tell, because a tool cannot answer; they get no label."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What became of each rule; the findings are in the temporary table `found`."""

    counts: tuple[RuleCount, ...]
    failures: tuple[tuple[str, str], ...] = ()
    """The id of each rule that could not be evaluated, and a sentence why. It has no findings."""


def prepare(connection: sqlite3.Connection, today: Today, items: str = "item") -> None:
    """Lay the temporary view `work_item` over the store as of `today`, replacing an earlier one.

    Business days come from a temporary calendar of its own, so that what the store holds for people cannot differ.
    It reaches back as far as `items`, the rows of `item` that will be looked at, need it.
    """
    register(connection)
    scope = Scope(today, RuleSet((), ()))
    connection.create_function("is_placeholder", 1, scope.placeholders, deterministic=True)
    connection.execute("DROP VIEW IF EXISTS temp.work_item")
    connection.execute("DROP TABLE IF EXISTS temp.calendar_day")
    connection.execute(CALENDAR_DAY.replace("CREATE TABLE", "CREATE TEMP TABLE"))
    oldest = connection.execute(f"SELECT min(status_since_day) FROM {items}").fetchone()[0]
    first = max(scope.ordinal - _CALENDAR_DAYS, min(scope.ordinal, oldest or scope.ordinal))
    fill_table(connection, "temp.calendar_day", today.calendars, date.fromordinal(first), today.date)
    # a calendar that config no longer has is the default one, until the next run assigns them anew
    calendar = f"CASE WHEN i.calendar < {len(today.calendars)} THEN i.calendar ELSE 0 END" if today.others else "0"
    # Indexes are for finding few items; one that tempts SQLite makes looking at all of them slower.
    view = view_sql("TEMP VIEW work_item", str(scope.ordinal), today.review_days, calendar, "item i NOT INDEXED")
    connection.execute(view)


def evaluate(connection: sqlite3.Connection, ruleset: RuleSet, today: Today) -> Evaluation:
    """Fill the temporary table `found` (item_id, rule, label, reason) with what the rules find today.

    The temporary table `unsure` (rule, item_id) gets the items about which a rule could not tell; there, a rule is
    its position in the set. A rule that fails in SQLite fails alone.
    """
    prepare(connection, today)
    considered = connection.execute("SELECT count(*) FROM item WHERE missing_since IS NULL").fetchone()[0]
    return find(connection, Scope(today, ruleset), "temp.work_item", considered)


def find(connection: sqlite3.Connection, scope: Scope, items: str, considered: int) -> Evaluation:
    """Evaluate over `items`, which is the view `work_item` or a table of some of its rows."""
    connection.execute("DROP TABLE IF EXISTS temp.found")
    connection.execute("CREATE TEMP TABLE found (item_id INTEGER, rule TEXT, label TEXT, reason TEXT)")
    connection.execute("DROP TABLE IF EXISTS temp.unsure")
    connection.execute("CREATE TEMP TABLE unsure (rule INTEGER, item_id INTEGER)")
    masks = connection.execute(f"SELECT DISTINCT unknown, outcome_unknown FROM {items}").fetchall()
    counts, failures = list[RuleCount](), list[tuple[str, str]]()
    for position, rule in enumerate(scope.ruleset.rules):
        try:
            with limited(connection, considered) if rule.holds_sql else nullcontext():
                matched = _find(connection, rule, scope, items)
                unknown = _find_unknown(connection, position, scope, items, masks)
        except sqlite3.Error as error:
            connection.execute("DELETE FROM temp.found WHERE rule = ?", (rule.id,))
            failures.append(
                (rule.id, f'rule "{rule.id}" could not be evaluated: {failure(error)}; its labels stay as they are')
            )
        else:
            counts.append(RuleCount(rule.id, matched, considered, unknown))
    return Evaluation(tuple(counts), tuple(failures))


def _find(connection: sqlite3.Connection, rule: Rule, scope: Scope, items: str) -> int:
    label, reason, answer = label_sql(rule, scope), says_sql(rule.says), answer_sql(rule, scope)
    cursor = connection.execute(
        f"INSERT INTO temp.found SELECT id, ?, {label.text}, {reason.text} FROM {items} WHERE {answer.text}",
        (rule.id, *label.values, *reason.values, *answer.values),
    )
    return cursor.rowcount


def _find_unknown(
    connection: sqlite3.Connection, position: int, scope: Scope, items: str, masks: Sequence[tuple[int, int | None]]
) -> int:
    """How often the rule could not tell. `masks` are those that occur: mostly a look at them is enough."""
    rule = scope.ruleset.rules[position]
    subjects = subjects_of(rule)
    own = sum({subject.bit for subject in subjects if subject.bit and not subject.from_outcome})
    outcome = sum({subject.bit for subject in subjects if subject.bit and subject.from_outcome})
    custom = any(subject.custom for subject in subjects)
    if not custom and not any(
        mine & own or (outcome if theirs is None else theirs & outcome) for mine, theirs in masks
    ):
        return 0
    possible = "1" if custom else f"((unknown & {own}) <> 0 OR ifnull((outcome_unknown & {outcome}) <> 0, {outcome}))"
    answer = answer_sql(rule, scope)
    # CASE, as SQLite may otherwise work out the whole answer first
    cursor = connection.execute(
        f"INSERT INTO temp.unsure SELECT ?, id FROM {items} WHERE CASE WHEN {possible} THEN {answer.text} IS NULL END",
        (position, *answer.values),
    )
    return cursor.rowcount
