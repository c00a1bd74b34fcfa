"""Evaluates rules wholly inside SQLite: no Python for each item.

What is not ASCII is folded by a registered function; nothing else leaves SQLite.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import date

from rules.calendar import fill_table
from rules.compile import Doubts, Scope
from rules.find import Evaluation, RuleCount, clear, doubts_of, find, of_kind, together
from rules.ruleset import On, RuleSet
from rules.table import CALENDAR_DAY, COUNTED_BACK, INITIATIVE, initiative_view_sql, view_sql
from rules.text import register
from rules.today import Today

__all__ = ["Evaluation", "RuleCount", "Today", "evaluate", "prepare"]


def prepare(connection: sqlite3.Connection, today: Today) -> None:
    """Lay the temporary view `work_item` over the store as of `today`, replacing an earlier one.

    Business days come from a temporary calendar of its own, so that what the store holds for people cannot differ.
    It reaches back as far as the items need it.
    """
    register(connection)
    scope = Scope(today, RuleSet((), ()))
    connection.create_function("is_placeholder", 1, scope.placeholders, deterministic=True)
    connection.execute("DROP VIEW IF EXISTS temp.work_item")
    connection.execute("DROP TABLE IF EXISTS temp.calendar_day")
    connection.execute(CALENDAR_DAY.replace("CREATE TABLE", "CREATE TEMP TABLE"))
    fill_table(connection, "temp.calendar_day", today.calendars, first_day(connection, today), today.date)
    # a calendar that config no longer has is the default one, until the next run assigns them anew
    calendar = f"CASE WHEN i.calendar < {len(today.calendars)} THEN i.calendar ELSE 0 END" if today.others else "0"
    # Indexes are for finding few items; one that tempts SQLite makes looking at all of them slower.
    view = view_sql("TEMP VIEW work_item", str(scope.ordinal), today.review_days, calendar, "item i NOT INDEXED")
    connection.execute(view)
    connection.execute("DROP VIEW IF EXISTS temp.initiative")
    connection.execute(initiative_view_sql("TEMP VIEW initiative", str(scope.ordinal), today.review_days, calendar))


def first_day(connection: sqlite3.Connection, today: Today) -> date:
    """The day from which the items need business days to be counted."""
    ordinal = today.date.toordinal()
    # the condition is that of the index which a store with rules on this day has: then it is no scan
    row = connection.execute("SELECT min(status_since_day) FROM item WHERE status_since_day IS NOT NULL").fetchone()
    return date.fromordinal(max(ordinal - COUNTED_BACK, min(ordinal, row[0] or ordinal)))


def evaluate(connection: sqlite3.Connection, ruleset: RuleSet, today: Today, *, lasting: bool = False) -> Evaluation:
    """Fill the temporary table `found` (item_id, rule, label, reason, counts) with what the rules find today.

    With `lasting`, reasons that count days are as `rules.lasting` keeps them; those have `counts`.

    The temporary table `unsure` (rule, item_id) gets the items about which a rule could not tell; there, a rule is
    its position in the set. A rule that fails in SQLite fails alone.
    """
    prepare(connection, today)
    clear(connection)
    considered = {On.ITEM: count_items(connection), On.INITIATIVE: count_initiatives(connection)}
    doubts = doubts_of_all(connection)
    scope = Scope(today, ruleset, doubts, lasting)
    found = [
        find(connection, scope, positions, f"temp.{on.view}", considered[on])
        for on in On
        if (positions := of_kind(ruleset, range(len(ruleset.rules)), on))
    ]
    return replace(together(ruleset, found, considered[On.ITEM]), doubts=doubts)


def count_items(connection: sqlite3.Connection) -> int:
    """How many items are not missing; initiatives do not count."""
    present = "SELECT count(*) FROM item WHERE missing_since IS NULL"
    count: int = connection.execute(present).fetchone()[0]
    return count - count_initiatives(connection)


def count_initiatives(connection: sqlite3.Connection) -> int:
    """How many there are."""
    present = "SELECT count(*) FROM item WHERE source = ? AND missing_since IS NULL"
    count: int = connection.execute(present, (INITIATIVE,)).fetchone()[0]
    return count


def doubts_of_all(connection: sqlite3.Connection) -> Doubts:
    """What is unknown of any item. Whose outcome an item has is a matter among the same items."""
    masks = connection.execute("SELECT DISTINCT unknown, outcome_id IS NULL FROM item NOT INDEXED").fetchall()
    own = doubts_of((mask, 0) for mask, _ in masks).own
    return Doubts(own, -1 if any(unlinked for _, unlinked in masks) else own)
