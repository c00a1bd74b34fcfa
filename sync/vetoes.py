"""How people take to a rule: labels of it that they took off, counted; a rule that many do not want is paused.

A paused rule puts nothing more on. What it put on stays, and comes off when its cause is gone. It goes on when an
operator says `unstuck rules resume`, or when its condition or labels are changed.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rules.table import moment
from sync.config import Config
from sync.store import Store

if TYPE_CHECKING:
    from rules.ruleset import RuleSet

WINDOW = timedelta(days=90)
"""Vetoes older than this say nothing about a rule any more."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A rule that is paused."""

    rule: str
    since: str
    why: str
    is_new: bool = False
    """Whether this very run paused it."""

    @property
    def sentence(self) -> str:
        """For people: what happened, and what to do."""
        return (
            f'rule "{self.rule}" is paused: {self.why}. Ask them why; then change the rule, or let it go on as it is '
            f"with `unstuck rules resume {self.rule}`."
        )

    def as_json(self) -> dict[str, Any]:
        """The shape of docs/json.md."""
        return {"rule": self.rule, "since": self.since, "why": self.why}


def review(connection: sqlite3.Connection, config: Config, ruleset: RuleSet, now: datetime) -> list[Pause]:
    """Pause the rules whose labels people do not want, and end the pause of those that were changed. All pauses."""
    _follow_changes(connection, ruleset, now)
    start = moment(now - WINDOW)
    connection.execute("DELETE FROM veto_noticed WHERE noticed_at < ?", (start,))
    objected = connection.execute(_OBJECTED, (config.pause_least,)).fetchall()
    counted = [
        (rule, off, off + _others(connection, rule, start, counted_from)) for rule, off, counted_from in objected
    ]
    new = [(rule, off, had) for rule, off, had in counted if off > config.pause_share * had]
    connection.executemany(
        "UPDATE rule_pause SET paused_at = ?, why = ? WHERE rule = ?",
        [
            (moment(now), f"people took off {off} of the {had} labels that it had on in 90 days", rule)
            for rule, off, had in new
        ],
    )
    names = {rule for rule, _, _ in new}
    return [
        Pause(rule, at, why, rule in names)
        for rule, at, why in connection.execute(
            "SELECT rule, paused_at, why FROM rule_pause WHERE paused_at IS NOT NULL ORDER BY rule"
        )
    ]


_OBJECTED = """
SELECT p.rule, count(*) AS off, p.counted_from FROM rule_pause p
JOIN veto_noticed v ON v.rule = p.rule AND v.noticed_at > p.counted_from
WHERE p.paused_at IS NULL GROUP BY p.rule HAVING off >= ?
"""
"""Rules, and the labels of theirs that people took off: more than a few."""


def _others(connection: sqlite3.Connection, rule: str, start: str | None, counted_from: str) -> int:
    """Labels of a rule that people let be: those that are on, and those that came off as their cause was gone."""
    count: int = connection.execute(
        "SELECT (SELECT count(*) FROM ledger WHERE rule = ?1 AND off_at IS NULL) + (SELECT count(*) FROM journal "
        "WHERE rule = ?1 AND action = 'remove' AND result = 'done' AND result_at > max(?2, ?3))",
        (rule, start, counted_from),
    ).fetchone()[0]
    return count


def _follow_changes(connection: sqlite3.Connection, ruleset: RuleSet, now: datetime) -> None:
    """What people said of a rule that meant something else does not count any more."""
    known = {rule.id: rule.meaning for rule in ruleset.rules}
    connection.execute(f"DELETE FROM rule_pause WHERE rule NOT IN ({', '.join('?' for _ in known)})", [*known])
    connection.executemany(
        "INSERT INTO rule_pause (rule, meaning, counted_from) VALUES (?, ?, '') ON CONFLICT (rule) DO UPDATE "
        "SET meaning = excluded.meaning, counted_from = ?, paused_at = NULL, why = NULL "
        "WHERE meaning <> excluded.meaning",
        [(rule, meaning, moment(now)) for rule, meaning in known.items()],
    )


def resume(store: Store, rule: str, now: datetime) -> bool:
    """Let a rule go on; counting begins anew. False if it was not paused."""
    with store.transaction() as connection:
        resumed = connection.execute(
            "UPDATE rule_pause SET paused_at = NULL, why = NULL, counted_from = ? "
            "WHERE rule = ? AND paused_at IS NOT NULL",
            (moment(now), rule),
        )
    return resumed.rowcount > 0


def by_rule(store: Store) -> list[dict[str, Any]]:
    """For each rule that has labels on, or that people took labels of off: how many, in the shape of docs/json.md."""
    return store.rows(
        "SELECT rule, sum(labels) AS labels, sum(vetoes) AS vetoes, sum(taken_off) AS taken_off, "
        "(SELECT paused_at FROM rule_pause p WHERE p.rule = c.rule) AS paused_since FROM ("
        "SELECT rule, count(*) AS labels, 0 AS vetoes, 0 AS taken_off FROM ledger WHERE off_at IS NULL GROUP BY rule "
        "UNION ALL SELECT rule, 0, count(*), 0 FROM veto GROUP BY rule "
        "UNION ALL SELECT rule, 0, 0, count(*) FROM veto_noticed GROUP BY rule) c GROUP BY rule ORDER BY rule"
    )
