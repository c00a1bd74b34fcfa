"""Moves every threshold of every rule by one, and names the moves that no test of the rule notices."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from rules.clauses import (
    COUNTED,
    Ago,
    Amount,
    Clause,
    Fixed,
    Group,
    How,
    Learned,
    OneOf,
    Past,
    Subject,
    Test,
    Within,
    Word,
    tests_of,
)
from rules.columns import GRADES, Kind
from rules.engine import evaluate
from rules.learned import FROM_ITEMS, TERMS, least_of, most_of
from rules.ruleset import Case, Ladder, Moment, Override, Rule, RuleSet, Step
from rules.selftest import Terms, item_at
from rules.text import fold
from rules.today import Today
from rules.words import WordError, parse


@dataclass(frozen=True, slots=True)
class Edge:
    """A threshold that may be moved by one without a test noticing."""

    rule: Rule
    what: str
    """`business_days_in_status over 10 becomes over 11`."""

    def __str__(self) -> str:
        return (
            f'{self.rule.file}:{self.rule.line}: rule "{self.rule.id}": no test notices when {self.what}; '
            "add a test on each side of the threshold"
        )


@dataclass(frozen=True, slots=True)
class _Moved:
    """A rule with one threshold moved, and which; or the setting that gives one of its words its meaning."""

    what: str
    rule: Rule
    review_days: int


def unnoticed(ruleset: RuleSet, terms: Terms, tables: tuple[Case, ...] = ()) -> list[Edge]:
    """Every threshold, moved up or down by one, that passes all tests of its rule and all rows of the tables.

    The tests themselves must pass.
    """
    return [edge for rule in ruleset.rules for edge in _of_rule(rule, ruleset, terms, tables)]


def _of_rule(rule: Rule, ruleset: RuleSet, terms: Terms, tables: tuple[Case, ...]) -> list[Edge]:
    left = [*_moves(rule, terms.review_days)]
    for case in (*rule.tests, *tables):
        for moment in case.moments if left else ():
            left = _still_unnoticed(rule, left, case, moment, ruleset, terms.under(case))
    return [Edge(rule, moved.what) for moved in left]


def _still_unnoticed(
    rule: Rule, left: list[_Moved], case: Case, moment: Moment, ruleset: RuleSet, terms: Terms
) -> list[_Moved]:
    """Those of the moved rules that label the item as the rule itself does."""
    with item_at(case, moment, terms) as connection:
        today = terms.today(moment.now)
        [wanted] = _labels(connection, [rule], ruleset, today)
        got = dict[_Moved, str | None]()
        for review_days in sorted({moved.review_days for moved in left}):
            alike = [moved for moved in left if moved.review_days == review_days]
            labels = _labels(
                connection, [moved.rule for moved in alike], ruleset, replace(today, review_days=review_days)
            )
            got.update(zip(alike, labels, strict=True))
    return [moved for moved in left if got[moved] == wanted]


_FAILED = "-"
"""In place of a label, where a rule could not be evaluated."""


def _labels(connection: sqlite3.Connection, rules: list[Rule], ruleset: RuleSet, today: Today) -> list[str | None]:
    """What each of the rules labels the item with, all evaluated in one go."""
    numbered = tuple(replace(rule, id=str(number)) for number, rule in enumerate(rules))
    failures = evaluate(connection, RuleSet(numbered, ruleset.files, ruleset.prefix), today).failures
    found = dict(connection.execute("SELECT rule, label FROM temp.found"))
    found |= {name: _FAILED for name, _ in failures}
    return [found.get(rule.id) for rule in numbered]


def _moves(rule: Rule, review_days: int) -> Iterator[_Moved]:
    for what, clause in _clauses(rule.when):
        yield _Moved(what, replace(rule, when=clause), review_days)
    if rule.ladder is not None:
        for what, ladder in _ladders(rule.ladder):
            yield _Moved(what, replace(rule, ladder=ladder), review_days)
    if any(map(_asks_whether_reviewed, _tests(rule))):
        for moved in (review_days - 1, review_days + 1) if review_days > 1 else (2,):
            yield _Moved(f"outcomes count as unreviewed after {moved} days, not {review_days}", rule, moved)


def _tests(rule: Rule) -> Iterator[Test]:
    yield from tests_of(rule.when)
    for override in rule.ladder.overrides if rule.ladder else ():
        yield from tests_of(override.when)


def _asks_whether_reviewed(test: Test) -> bool:
    """Whether the clause tells `unreviewed` from the grade above it."""
    named = {value for word in test.words if isinstance(word, OneOf) for value in word.values}
    return test.subject == Subject("outcome_grade") and ("unreviewed" in named) != ("complete" in named)


def _ladders(ladder: Ladder) -> Iterator[tuple[str, Ladder]]:
    for what, steps in _steps(ladder.measure, ladder.steps):
        yield what, replace(ladder, steps=steps)
    for number, override in enumerate(ladder.overrides):
        before, after = ladder.overrides[:number], ladder.overrides[number + 1 :]
        for what, moved in _overrides(ladder.measure, override):
            yield f"in override {number + 1}, {what}", replace(ladder, overrides=(*before, moved, *after))


def _overrides(measure: Subject, override: Override) -> Iterator[tuple[str, Override]]:
    for what, steps in _steps(measure, override.steps):
        yield what, replace(override, steps=steps)
    for what, clause in _clauses(override.when):
        yield what, replace(override, when=clause)


def _steps(measure: Subject, steps: tuple[Step, ...]) -> Iterator[tuple[str, tuple[Step, ...]]]:
    for number, step in enumerate(steps):
        for word, what in _words(measure, step.word):
            if isinstance(word, Amount | Learned):
                moved = replace(step, over=word.number if isinstance(word, Amount) else word)
                yield f"{measure} {what}", (*steps[:number], moved, *steps[number + 1 :])


def _clauses(clause: Clause) -> Iterator[tuple[str, Clause]]:
    """The clause with one threshold in it moved, for each way to do that."""
    if isinstance(clause, Test):
        for number, word in enumerate(clause.words):
            moves = _ranks(clause, word) if clause.subject.kind is Kind.GRADE else _words(clause.subject, word)
            for moved, what in moves:
                words = (*clause.words[:number], moved, *clause.words[number + 1 :])
                yield f"{clause.subject} {what}", replace(clause, words=words)
    elif isinstance(clause, Group):  # a condition in SQL keeps its thresholds to itself
        for number, part in enumerate(clause.parts):
            for what, inner in _clauses(part):
                yield what, replace(clause, parts=(*clause.parts[:number], inner, *clause.parts[number + 1 :]))


_RANK = re.compile(rf"\b({'|'.join(How)})\s+([a-z_ ]+)")


def _ranks(test: Test, word: Word) -> Iterator[tuple[Word, str]]:
    """`at most vague` and the like, moved by one grade; a grade that is named outright is no threshold."""
    rank = _RANK.search(fold(test.wrote))
    if rank is None or word != _graded(test.subject, rank[0]):
        return
    at = GRADES.index("_".join(rank[2].replace("_", " ").split()))
    for beside in GRADES[max(at - 1, 0) : at] + GRADES[at + 1 : at + 2]:
        moved = f"{rank[1]} {beside.replace('_', ' ')}"
        if (other := _graded(test.subject, moved)) is not None:
            yield other, f"{rank[0]} becomes {moved}"


def _graded(subject: Subject, text: str) -> Word | None:
    """The grades that the text means; None where no grade is so."""
    try:
        return parse(subject, text).words[0]
    except WordError:
        return None


def _words(subject: Subject, word: Word) -> Iterator[tuple[Word, str]]:
    """The word moved down and up, where that can make a difference, and in words."""
    for by in (-1, 1):
        match word:
            case Amount(how, number) if _can_differ(subject, how, number + by):
                yield Amount(how, number + by), f"{how} {number:g} becomes {how} {number + by:g}"
            case Learned():
                yield from _percentiles(word, by)
            case Ago(how, days, business) if _day_can_differ(how, days + by):
                unit = "business days ago" if business else "days ago"
                yield Ago(how, days + by, business), f"{how} {days} {unit} becomes {how} {days + by}"
            case Within(days):
                yield Within(days + by), f"within {days} days becomes within {days + by}"
            case Fixed(side, day):
                moved = day + timedelta(days=by)
                yield Fixed(side, moved), f"{side} {day} becomes {side} {moved}"
            case Past() if by > 0:
                yield Ago(How.OVER, 1, business=False), "past becomes before yesterday"
            case Past():
                yield Ago(How.AT_LEAST, 0, business=False), "past becomes today or past"


def _percentiles(learned: Learned, by: int) -> Iterator[tuple[Word, str]]:
    """A percentile moved, and each number beside it that the rule sets itself."""
    set_by_default = {
        "at_least": least_of(learned.otherwise),
        "at_most": most_of(learned.otherwise),
        "from_items": FROM_ITEMS,
    }
    if 1 <= learned.percent + by <= 99:
        yield replace(learned, percent=learned.percent + by), f"p{learned.percent} becomes p{learned.percent + by}"
    for name in TERMS:
        number = getattr(learned, name)
        if number != set_by_default.get(name):
            yield replace(learned, **{name: number + by}), f"{name} = {number} becomes {name} = {number + by}"


def _can_differ(subject: Subject, how: How, number: float) -> bool:
    """Whether an item can lie on the other side: days are never below 0, and percentages from 0 to 100."""
    if subject.name in COUNTED and not subject.custom:
        return _day_can_differ(how, int(number))
    return subject.name != "percent_complete" or _lowest(how) <= number <= 100 + (how in (How.AT_LEAST, How.UNDER))


def _day_can_differ(how: How, days: int) -> bool:
    return days >= _lowest(how)


def _lowest(how: How) -> int:
    """The least threshold that still divides what is 0 or more: over -1 is everything, and over 0 is not."""
    return 0 if how in (How.AT_LEAST, How.UNDER) else -1
