"""Tells why a rule does or does not label an item: every clause, the value seen, and what would change the answer.

Each clause is answered by the very SQL that the evaluation runs, so that the two cannot differ.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from rules import phrases
from rules.calendar import Calendar
from rules.clauses import (
    COUNTED,
    Ago,
    Amount,
    Clause,
    Expression,
    Group,
    How,
    Joint,
    Learned,
    Missing,
    Past,
    Subject,
    Test,
)
from rules.columns import Kind
from rules.compile import (
    Scope,
    Sql,
    answer_sql,
    clause_sql,
    known_sql,
    label_sql,
    steps_sql,
    steps_test,
    test_sql,
    threshold_sql,
)
from rules.engine import prepare
from rules.escape import failure, limited
from rules.ruleset import On, Rule, RuleSet, Step
from rules.says import says_sql, value_sql
from rules.today import Today


class Answer(StrEnum):
    """The four answers of a clause."""

    YES = "yes"
    NO = "no"
    NOT_APPLICABLE = "not applicable"
    """It asks about the amount or the day of something that is empty; counts as no."""
    UNKNOWN = "unknown"
    """The tool cannot tell; never labels."""


@dataclass(frozen=True, slots=True)
class ClauseAnswer:
    """One line of a rule's condition, answered."""

    answer: Answer
    text: str
    """The clause in words."""
    value: str
    """What is there, and where it came from."""
    depth: int = 0
    """How many groups (any, all, none) are around it."""
    matches_on: date | None = None
    """The day on which the answer turns to yes by the mere passing of time."""

    @property
    def blocks(self) -> bool:
        """Whether the rule would need another answer here; what is inside a group never decides alone."""
        return self.depth == 0 and self.answer is not Answer.YES


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """What one rule says of one item."""

    rule: str
    file: str
    line: int
    label: str | None
    """The label that it puts; None where it puts none."""
    matched: bool
    reason: str
    """The rule's own sentence, where it matched."""
    clauses: tuple[ClauseAnswer, ...]
    matches_on: date | None = None
    """Where only time is missing: the day on which the rule will label the item."""
    clears_when: str = ""
    next_step: tuple[str, date] | None = None
    """The next label of the ladder, and the day it comes."""


_TAKEN_WITH = {
    "outcome_grade": "outcome_metric",
    "days_since_review": "outcome_reviewed_at",
    "status_category": "status",
    "status_id": "status",
}
"""Columns of an initiative that come from the member that another column comes from."""


class _Item:
    """One item in the view: asks SQLite about it."""

    def __init__(self, connection: sqlite3.Connection, item_id: int, scope: Scope) -> None:
        self.connection, self.item_id, self.scope = connection, item_id, scope
        found = connection.execute("SELECT came FROM initiative_detail WHERE item_id = ?", (item_id,)).fetchone()
        self.on = On.INITIATIVE if found else On.ITEM
        self._came: dict[str, int] = json.loads(found[0]) if found else {}
        self.failure = ""
        """What SQLite said when it last could not answer."""

    def ask(self, sql: Sql) -> Any:
        """The value of one SQL expression for this item; None where it fails on it, as a rule's own SQL may."""
        query = f"SELECT {sql.text} FROM temp.{self.on.view} WHERE id = ?"
        try:
            with limited(self.connection, 1):
                row = self.connection.execute(query, (*sql.values, self.item_id)).fetchone()
        except sqlite3.Error as error:
            self.failure = failure(error)
            return None
        return row[0] if row else None

    def giver(self, column: str) -> str:
        """Of an initiative: the member that the value of the column is from, and its tool; empty if it is nobody's."""
        member = self._came.get(_TAKEN_WITH.get(column, column))
        row = self.connection.execute("SELECT key, source FROM item WHERE id = ?", (member,)).fetchone()
        return f"{row[0]} in {row[1]}" if row else ""

    @property
    def calendar(self) -> Calendar:
        """The calendar that it goes by."""
        calendars, number = self.scope.today.calendars, int(self.ask(Sql("calendar")))
        return calendars[number] if number < len(calendars) else calendars[0]

    def day(self, moment: str) -> date | None:
        """The local day of one of its times."""
        ordinal = self.ask(Sql(f"{moment}_day"))
        return date.fromordinal(ordinal) if ordinal else None


def explain(connection: sqlite3.Connection, ruleset: RuleSet, today: Today, item_id: int) -> list[RuleAnswer]:
    """What every rule says of the item or initiative `item.id`, in the order of the files.

    Lays the view `work_item` as of `today`. Raises LookupError where there is no such item, or it is missing.
    """
    prepare(connection, today)
    item = _Item(connection, item_id, Scope(today, ruleset))
    if item.ask(Sql("1")) is None:
        raise LookupError(f"there is no work item {item_id}")
    ruleset = replace(ruleset, rules=tuple(rule for rule in ruleset.rules if rule.on is item.on))
    answers = [_explain_rule(item, rule) for rule in ruleset.rules]
    days = sorted({day for answer in answers for day in _candidates(answer)})
    return _with_days(connection, ruleset, today, item_id, answers, days)


def _explain_rule(item: _Item, rule: Rule) -> RuleAnswer:
    clauses = list(_clauses(item, rule.when, 0))
    matched = bool(item.ask(answer_sql(rule, item.scope)))
    steps = _steps(item, rule)
    if rule.ladder is not None:
        if steps is None:
            text, value = "the ladder's overrides can be told apart", "unknown"
            clauses.append(ClauseAnswer(Answer.UNKNOWN, text, value))
        else:
            reached = _reached(item, rule, steps)
            clauses.append(_test_answer(item, steps_test(rule.ladder, reached or steps[0]), 0))
    return RuleAnswer(
        rule.id,
        rule.file,
        rule.line,
        item.ask(label_sql(rule, item.scope)) if matched else None,
        matched,
        item.ask(says_sql(rule.says)) if matched else "",
        tuple(clauses),
        clears_when=clears_when(rule) if matched else "",
        next_step=_next_step(item, rule, steps) if matched and steps else None,
    )


def _clauses(item: _Item, clause: Clause, depth: int) -> Iterator[ClauseAnswer]:
    """The clause and what is in it, outermost first."""
    if isinstance(clause, Test):
        yield _test_answer(item, clause, depth)
        return
    if isinstance(clause, Expression):
        yield _expression_answer(item, clause, depth)
        return
    if clause.joint is Joint.ALL and depth == 0:
        for part in clause.parts:
            yield from _clauses(item, part, depth)
        return
    answer = _answer(item.ask(clause_sql(clause, item.scope)))
    text = phrases.JOINTS[clause.joint]
    yield ClauseAnswer(answer, text, _how_many(clause), depth)
    for part in clause.parts:
        yield from _clauses(item, part, depth + 1)


def _expression_answer(item: _Item, expression: Expression, depth: int) -> ClauseAnswer:
    item.failure = ""
    answer = _answer(item.ask(clause_sql(expression, item.scope)))
    failed = f" (it fails on them: {item.failure})" if item.failure else ""
    seen = ", ".join(f"{subject}: {item.ask(value_sql(subject))}" for subject in expression.subjects)
    return ClauseAnswer(answer, f"sql {expression.wrote}", seen + failed, depth)


def _how_many(group: Group) -> str:
    return "one condition" if len(group.parts) == 1 else f"{len(group.parts)} conditions"


def _answer(value: int | None) -> Answer:
    return Answer.UNKNOWN if value is None else Answer.YES if value else Answer.NO


def _test_answer(item: _Item, test: Test, depth: int) -> ClauseAnswer:
    answer = _answer(item.ask(test_sql(test, item.scope)))
    if answer is Answer.NO and not test.negated and _asks_of_nothing(item, test):
        answer = Answer.NOT_APPLICABLE
    day = _turns_on(item, test) if answer is Answer.NO else None
    past = [f"; {_past(item, word)}" for word in test.words if isinstance(word, Learned)]
    value = _value(item, test.subject) + "".join(past)
    return ClauseAnswer(answer, phrases.clause(test), value, depth, day)


def _past(item: _Item, learned: Learned) -> str:
    """What the item's own kind says of the percentile, and what holds for that reason."""
    told, where = item.ask(known_sql("json_array(month, days, items)", learned, item.scope)), _whose(item)
    month, days, items = json.loads(told) if told else ("", 0, 0)
    if items < learned.from_items:
        return f"{learned.otherwise} days hold{_too_few(item, learned, items, where)}"
    first = phrases.day(date.fromisoformat(month))
    known = f"your team's p{learned.percent} {where} is {days} days, from {items} items (as of {first})"
    holds = item.ask(threshold_sql(learned, item.scope))
    return known if holds == days else f"{known}, and {holds} hold: {_bound(learned, days)}"


def _too_few(item: _Item, learned: Learned, items: int, where: str) -> str:
    if not item.ask(Sql("EXISTS (SELECT 1 FROM learned_month WHERE percent = ?)", (learned.percent,))):
        return f" until the next run, which learns p{learned.percent}"
    finished = {0: "no finished item was", 1: "only 1 finished item was"}.get(
        items, f"only {items} finished items were"
    )
    return f", as {finished} {where} in a year, and p{learned.percent} needs {learned.from_items}"


def _whose(item: _Item) -> str:
    kind = item.ask(Sql("nullif(type, '')"))
    return f"in {item.ask(value_sql(Subject('status')))}{f' ({kind})' if kind else ''}"


def _bound(learned: Learned, days: int) -> str:
    return f"never fewer than {learned.at_least}" if days < learned.at_least else f"never more than {learned.at_most}"


def _asks_of_nothing(item: _Item, test: Test) -> bool:
    if test.subject.kind not in (Kind.DATE, Kind.NUMBER) or Missing() in test.words:
        return False
    return bool(item.ask(test_sql(Test(test.subject, (Missing(),)), item.scope)))


def _value(item: _Item, subject: Subject) -> str:
    """What is there, and where it came from."""
    giver = "" if subject.custom else item.giver(subject.name)
    return f"{_seen(item, subject)} (from {giver})" if giver else _seen(item, subject)


def _seen(item: _Item, subject: Subject) -> str:
    value = str(item.ask(value_sql(subject)))
    if subject.name == "outcome_grade" and item.ask(Sql("ifnull(outcome_metric, '') <> ''")):
        value += f': "{item.ask(value_sql(Subject("outcome_metric")))}"'
    if subject.from_outcome and not subject.custom:
        giver = item.ask(Sql("outcome_from"))
        if subject.name in ("outcome_metric", "outcome_grade") and item.ask(Sql("outcome_described")):
            value += " (found in the description)"
        return f"{value} (inherited from {giver})" if giver else value
    if subject.name in COUNTED and not subject.custom:
        since = item.ask(value_sql(Subject(COUNTED[subject.name].moment)))
        calendar = f", calendar {item.calendar.name}" if COUNTED[subject.name].business else ""
        return f"{value} (since {since}{calendar})"
    if subject.name in ("status", "status_category"):
        return f"{value} (since {item.ask(value_sql(Subject('status_since')))})"
    return value


def _turns_on(item: _Item, test: Test) -> date | None:
    """The day on which a clause that says no will say yes, if nothing but time passes."""
    if test.negated:
        return None
    words = (_as_amount(item, word) if isinstance(word, Learned) else word for word in test.words)
    days = [day for word in words if (day := _word_turns_on(item, test.subject, word)) is not None]
    future = [day for day in days if day > item.scope.today.date]
    return min(future, default=None)


def _as_amount(item: _Item, learned: Learned) -> Amount:
    """What holds of it as long as nothing else is learned."""
    return Amount(How.OVER, item.ask(threshold_sql(learned, item.scope)))


def _word_turns_on(item: _Item, subject: Subject, word: object) -> date | None:
    business = False
    if subject.name in COUNTED and not subject.custom:
        moment, business = COUNTED[subject.name].moment, COUNTED[subject.name].business
    elif subject.kind is Kind.DATE:
        moment = subject.name
    else:
        return None
    since = item.day(moment)
    match word:
        case _ if since is None:
            return None
        case Past():
            return since + timedelta(days=1)
        case Amount(How.OVER | How.AT_LEAST as how, number):
            return _after(item, since, int(number) - (how is How.AT_LEAST), business=business)
        case Ago(How.OVER | How.AT_LEAST as how, days, working):
            return _after(item, since, days - (how is How.AT_LEAST), business=working)
    return None


def _after(item: _Item, since: date, more_than: int, *, business: bool) -> date | None:
    """The first day on which more than so many days have passed."""
    if more_than < 0:
        return since
    if business:
        return item.calendar.reached(since, more_than)
    return since + timedelta(days=more_than + 1)


def _steps(item: _Item, rule: Rule) -> tuple[Step, ...] | None:
    """The steps of the ladder that apply to the item; None where that is unknown, or there is no ladder."""
    if rule.ladder is None:
        return None
    number = item.ask(steps_sql(rule.ladder, item.scope))
    if number is None:
        return None
    return rule.ladder.steps if number < 0 else rule.ladder.overrides[number].steps


def _reached(item: _Item, rule: Rule, steps: tuple[Step, ...]) -> Step | None:
    ladder = rule.ladder
    if ladder is None:
        return None
    reached = [step for step in steps if item.ask(test_sql(steps_test(ladder, step), item.scope))]
    return reached[-1] if reached else None


def _next_step(item: _Item, rule: Rule, steps: tuple[Step, ...]) -> tuple[str, date] | None:
    reached = _reached(item, rule, steps)
    later = steps[steps.index(reached) + 1 :] if reached else ()
    if not later or rule.ladder is None:
        return None
    day = _turns_on(item, steps_test(rule.ladder, later[0]))
    return (later[0].label, day) if day else None


def clears_when(rule: Rule) -> str:
    """Each thing that would end the match by itself. What a `none` shuts out is not among them: nobody aims for it."""
    top = [part for part in _top_level(rule.when) if not isinstance(part, Group) or part.joint is not Joint.NONE]
    parts = [phrases.clears(part) for part in top]
    if rule.ladder is not None:
        parts.append(phrases.clears(steps_test(rule.ladder, rule.ladder.steps[0])))
    return " or ".join(dict.fromkeys(parts))


def _top_level(clause: Clause) -> tuple[Clause, ...]:
    return clause.parts if isinstance(clause, Group) and clause.joint is Joint.ALL else (clause,)


def _candidates(answer: RuleAnswer) -> list[date]:
    """The day on which a rule might match: when the last of what blocks it has turned, if time turns all of it."""
    if answer.matched:
        return []
    days = [clause.matches_on for clause in answer.clauses if clause.blocks]
    known = [day for day in days if day is not None]
    return [max(known)] if known and len(known) == len(days) else []


def _with_days(
    connection: sqlite3.Connection,
    ruleset: RuleSet,
    today: Today,
    item_id: int,
    answers: list[RuleAnswer],
    days: list[date],
) -> list[RuleAnswer]:
    """The answers, with the days that hold when the rules are really asked for those days."""
    holding: dict[tuple[str, date], bool] = {}
    for day in days:
        later = replace(today, now=today.now + timedelta(days=(day - today.date).days))
        prepare(connection, later)
        item = _Item(connection, item_id, Scope(later, ruleset))
        for rule in ruleset.rules:
            holding[rule.id, day] = bool(item.ask(answer_sql(rule, item.scope)))
    if days:
        prepare(connection, today)
    found = [next(iter(_candidates(answer)), None) for answer in answers]
    return [
        replace(answer, matches_on=day) if day and holding[answer.rule, day] else answer
        for answer, day in zip(answers, found, strict=True)
    ]


def as_text(key: str, answers: list[RuleAnswer]) -> str:
    """The answers for people, an empty line between rules: what labels the item first, then what soon will."""
    ordered = sorted(answers, key=lambda answer: (not answer.matched, answer.matches_on or date.max))
    return "\n\n".join("\n".join(_lines(key, answer)) for answer in ordered)


_SHORT = {Answer.YES: "yes", Answer.NO: "NO", Answer.NOT_APPLICABLE: "n/a", Answer.UNKNOWN: "?"}


def _lines(key: str, answer: RuleAnswer) -> Iterator[str]:
    label = answer.label or "no label"
    yield f"{key}  {label}   rule {answer.rule}, {answer.file}:{answer.line}"
    width = max((len(clause.text) + 2 * clause.depth for clause in answer.clauses), default=0)
    for clause in answer.clauses:
        text = ("  " * clause.depth + clause.text).ljust(width)
        when = f": yes from {phrases.day(clause.matches_on)}" if clause.matches_on else ""
        yield f"  {_SHORT[clause.answer]:<3}  {text}   {clause.value}{when}"
    if answer.matches_on:
        yield f"  will match on {phrases.day(answer.matches_on)} if nothing changes"
    if answer.clears_when:
        following = (
            f" · next step {answer.next_step[0]} on {phrases.day(answer.next_step[1])}" if answer.next_step else ""
        )
        yield f"  clears when {answer.clears_when}{following}"


def as_json(answers: list[RuleAnswer]) -> list[dict[str, Any]]:
    """The answers as JSON holds them; days as `2026-03-05`, the next step as `{"label": …, "on": …}`."""
    return [{**_plain(asdict(answer)), "next_step": _plain_step(answer)} for answer in answers]


def _plain_step(answer: RuleAnswer) -> dict[str, str] | None:
    return {"label": answer.next_step[0], "on": answer.next_step[1].isoformat()} if answer.next_step else None


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case date():
            return value.isoformat()
        case StrEnum():
            return value.value
    return value
