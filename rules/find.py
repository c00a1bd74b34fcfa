"""Asks rules about items inside SQLite: many rules in one pass over the items, no Python for each item.

The pass marks each item with a bit for each rule that holds, and another for each that could not tell. Reasons and the
labels of ladders are then worked out for the marked items only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rules.compile import Doubts, Scope, Sql, answer_sql, join, label_sql, subjects_of
from rules.escape import failure, limited
from rules.lasting import kept_sql
from rules.moved import counts_days
from rules.ruleset import On, Rule, RuleSet
from rules.says import says_sql

_TOGETHER = 60
"""Rules that share a pass: a bit each, of the 63 that an integer has."""


@dataclass(frozen=True, slots=True)
class RuleCount:
    """What one rule made of all items."""

    rule: str
    matched: int
    considered: int
    """All items that are not missing, or all initiatives."""
    unknown: int
    """Items about which the rule could not tell, because a tool cannot answer; they get no label."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What became of each rule; the findings are in the temporary table `found`."""

    counts: tuple[RuleCount, ...]
    failures: tuple[tuple[str, str], ...] = ()
    """The id of each rule that could not be evaluated, and a sentence why. It has no findings."""
    is_new: bool = field(default=True, compare=False)
    """Whether rules were asked: else these are the results of the last time."""
    items: int = 0
    """Items that are not missing; initiatives are not among them."""
    doubts: Doubts = field(default=Doubts(), compare=False)
    """What is unknown of any item, at most."""


def doubts_of(masks: Iterable[tuple[int, int | None]]) -> Doubts:
    """The doubts of items with these `unknown` and `outcome_unknown`; of an outcome that is not linked all is."""
    own = outcome = 0
    for mine, theirs in masks:
        own |= mine
        outcome |= -1 if theirs is None else theirs
    return Doubts(own, outcome)


def clear(connection: sqlite3.Connection) -> None:
    """Make `found` and `unsure` anew, for `find` to fill, and what it marks items in."""
    connection.execute("DROP TABLE IF EXISTS temp.found")
    connection.execute("CREATE TEMP TABLE found (item_id INTEGER, rule TEXT, label TEXT, reason TEXT, counts INTEGER)")
    connection.execute("DROP TABLE IF EXISTS temp.unsure")
    connection.execute("CREATE TEMP TABLE unsure (rule INTEGER, item_id INTEGER)")
    connection.execute("DROP TABLE IF EXISTS temp.hit")
    connection.execute("CREATE TEMP TABLE hit (item_id INTEGER PRIMARY KEY, hits INTEGER, unsure INTEGER)")


def find(
    connection: sqlite3.Connection, scope: Scope, positions: Sequence[int], items: str, considered: int
) -> Evaluation:
    """Ask the rules at these positions of the scope's set about `items`: SQL for the view `work_item` or part of it.

    Adds to `found` and `unsure`. A rule that fails in SQLite fails alone.
    """
    search = _Search(connection, scope, items, considered)
    plain = [position for position in positions if not scope.ruleset.rules[position].expressions]
    for start in range(0, len(plain), _TOGETHER):
        search.ask(plain[start : start + _TOGETHER])
    for position in positions:
        if position not in plain:
            with limited(connection, considered):
                search.ask([position])
    return search.result()


def together(ruleset: RuleSet, parts: Iterable[Evaluation], items: int) -> Evaluation:
    """What several searches made of rules, in the order of the rules; no two searched for the same rule."""
    counts, failures = dict[str, RuleCount](), dict[str, tuple[str, str]]()
    for part in parts:
        counts |= {count.rule: count for count in part.counts}
        failures |= {failure[0]: failure for failure in part.failures}
    names = [rule.id for rule in ruleset.rules]
    return Evaluation(
        tuple(counts[name] for name in names if name in counts),
        tuple(failures[name] for name in names if name in failures),
        items=items,
    )


def of_kind(ruleset: RuleSet, positions: Iterable[int], on: On) -> list[int]:
    """Those of the rules at these positions that are asked about items, or about initiatives."""
    return [position for position in positions if ruleset.rules[position].on is on]


class _Search:
    """One call of `find`."""

    def __init__(self, connection: sqlite3.Connection, scope: Scope, items: str, considered: int) -> None:
        self.connection, self.scope, self.items, self.considered = connection, scope, items, considered
        self.counts: dict[int, RuleCount] = {}
        self.failures: dict[int, tuple[str, str]] = {}

    def result(self) -> Evaluation:
        """What became of the rules, in their order."""
        counts = tuple(self.counts[position] for position in sorted(self.counts))
        return Evaluation(counts, tuple(self.failures[position] for position in sorted(self.failures)))

    def ask(self, positions: Sequence[int]) -> None:
        """All in one pass; each in one of its own where one of them fails, or they are too much for one statement."""
        try:
            self._mark(positions)
        except sqlite3.Error as error:
            if len(positions) == 1:
                self._fail(positions[0], error)
            else:
                for position in positions:
                    self.ask([position])
            return
        for bit, position in enumerate(positions):
            try:
                self._take(position, 1 << bit)
            except sqlite3.Error as error:
                self._fail(position, error)

    def _rule(self, position: int) -> Rule:
        return self.scope.ruleset.rules[position]

    def _fail(self, position: int, error: sqlite3.Error) -> None:
        rule = self._rule(position).id
        self.connection.execute("DELETE FROM temp.found WHERE rule = ?", (rule,))
        why = f'rule "{rule}" could not be evaluated: {failure(error)}; its labels stay as they are'
        self.failures[position] = (rule, why)

    def _reason(self, rule: Rule) -> tuple[Sql, bool]:
        """What to say of the items, and whether that is kept as a reason that counts days."""
        lasting = self.scope.lasting and counts_days(rule)
        return kept_sql(rule, self.scope) if lasting else says_sql(rule.says), lasting

    def _mark(self, positions: Sequence[int]) -> None:
        """Fill `hit`: for each item that any of the rules holds for, or could not tell about, a bit for each."""
        hits, unsure = list[Sql](), [Sql("0")]
        for bit, position in enumerate(positions):
            rule = self._rule(position)
            answer = answer_sql(rule, self.scope)
            hits.append(_bit(bit, answer))
            doubtful = _doubtful_sql(rule, self.scope.doubts)
            if doubtful:
                # CASE, as SQLite may otherwise work out the whole answer first
                unanswered = Sql(f"CASE WHEN {doubtful} THEN {answer.text} IS NULL END", answer.values)
                unsure.append(_bit(bit, unanswered))
        marks = [join("|", hits), join("|", unsure)]
        self.connection.execute("DELETE FROM temp.hit")
        # LIMIT keeps SQLite from putting the long expressions into the condition, and so working them out twice
        each = f"SELECT id, {marks[0].text} AS hits, {marks[1].text} AS unsure FROM {self.items} LIMIT -1"
        self.connection.execute(
            f"INSERT INTO temp.hit SELECT * FROM ({each}) WHERE hits OR unsure", (*marks[0].values, *marks[1].values)
        )

    def _take(self, position: int, bit: int) -> None:
        """What the rule found: those of `hit` that have its bit."""
        rule, run = self._rule(position), self.connection.execute
        label, reason, counts = label_sql(rule, self.scope), *self._reason(rule)
        if rule.ladder is None and all(isinstance(part, str) for part in rule.says):
            items, own = "temp.hit", "item_id"
        else:
            items, own = f"temp.{rule.on.view}", "id"
        mine = f"{own} IN (SELECT item_id FROM temp.hit WHERE hits & ?)" if own == "id" else "hits & ?"
        found = run(
            f"INSERT INTO temp.found SELECT {own}, ?, {label.text}, {reason.text}, {counts:d} FROM {items} "
            f"WHERE {mine}",
            (rule.id, *label.values, *reason.values, bit),
        )
        unsure = 0
        if _doubtful_sql(rule, self.scope.doubts):
            unsure = run(
                "INSERT INTO temp.unsure SELECT ?, item_id FROM temp.hit WHERE unsure & ?", (position, bit)
            ).rowcount
        self.counts[position] = RuleCount(rule.id, found.rowcount, self.considered, unsure)


def _bit(bit: int, answer: Sql) -> Sql:
    """The bit where the answer is yes. In a CASE, SQLite leaves out what cannot matter any more."""
    return Sql(f"CASE WHEN {answer.text} THEN {1 << bit} ELSE 0 END", answer.values)


def _doubtful_sql(rule: Rule, doubts: Doubts) -> str:
    """SQL for whether the rule might not be able to tell; empty where it surely can about each of the items."""
    own = outcome = 0
    for subject in subjects_of(rule):
        if subject.custom:
            return "1"
        if subject.from_outcome:
            outcome |= doubts.about(subject)
        else:
            own |= doubts.about(subject)
    parts = [f"(unknown & {own}) <> 0"] if own else []
    parts += [f"ifnull((outcome_unknown & {outcome}) <> 0, 1)"] if outcome else []
    return " OR ".join(parts)
