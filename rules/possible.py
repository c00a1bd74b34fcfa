"""Whether a rule can match at all: finds conditions that contradict each other, before anybody waits for the label.

For each column that is asked about, a few telling values are tried: those that the rule names, and those just beside
them. Only what none of them can satisfy is called impossible; where that would not be certain, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rules.clauses import (
    COUNTED,
    Ago,
    Amount,
    Clause,
    Contains,
    Expression,
    Fixed,
    Group,
    How,
    Joint,
    Missing,
    OneOf,
    Past,
    Placeholder,
    Subject,
    Test,
    Within,
    Word,
)
from rules.columns import CATEGORIES, GRADES, Kind
from rules.compile import steps_test
from rules.grading import Placeholders
from rules.ruleset import Rule

_MOST = 500
"""Ways through `any` that are followed; a rule with more of them is taken for possible."""

_LEAST, _GREATEST = {"percent_complete": 0.0, "items_below": 0.0, "finished_below": 0.0}, {"percent_complete": 100.0}
_PLACEHOLDERS = Placeholders()

Value = str | float | None


def can_match(rule: Rule) -> bool:
    """False where no item whatever can satisfy the rule."""
    if rule.ladder is None:
        return _any_way([rule.when])
    ladder = rule.ladder
    ways = [[rule.when, steps_test(ladder, ladder.steps[0])]]
    ways += [[rule.when, each.when, steps_test(ladder, each.steps[0])] for each in ladder.overrides]
    return any(_any_way(way) for way in ways)


def _any_way(clauses: list[Clause]) -> bool:
    return any(number >= _MOST or _fits_all(tests) for number, tests in enumerate(_ways(clauses)))


def _ways(clauses: Sequence[Clause]) -> Iterator[list[Test]]:
    """Each choice among the alternatives, as the single clauses that must then hold together."""
    if not clauses:
        yield []
        return
    first, rest = clauses[0], clauses[1:]
    if isinstance(first, Test):
        yield from ([first, *tests] for tests in _ways(rest))
    elif isinstance(first, Expression):
        yield from _ways(rest)
    elif first.joint is Joint.ANY:
        for part in first.parts:
            yield from _ways([part, *rest])
    elif first.joint is Joint.ALL:
        yield from _ways([*first.parts, *rest])
    else:
        yield from _ways([*map(_opposite, first.parts), *rest])


def _opposite(clause: Clause) -> Clause:
    """What must hold so that the clause does not; of SQL nothing is known either way."""
    if isinstance(clause, Test):
        return Test(clause.subject, clause.words, not clause.negated)
    if isinstance(clause, Expression):
        return clause
    if clause.joint is Joint.NONE:
        return Group(Joint.ANY, clause.parts)
    return Group(Joint.ANY if clause.joint is Joint.ALL else Joint.ALL, tuple(map(_opposite, clause.parts)))


def _fits_all(tests: Sequence[Test]) -> bool:
    """Whether, for each column by itself, one value satisfies every clause on it."""
    by_basis: dict[Subject, list[Test]] = {}
    for test in tests:
        by_basis.setdefault(_basis(test.subject), []).append(test)
    return all(_fits(basis, asked) for basis, asked in by_basis.items())


def _basis(subject: Subject) -> Subject:
    """Days since a time ask about that time."""
    counted = COUNTED.get(subject.name) if not subject.custom else None
    return Subject(counted.moment) if counted else subject


def _fits(basis: Subject, tests: Sequence[Test]) -> bool:
    words = [word for test in tests for word in test.words]
    if basis.kind in (Kind.PEOPLE, Kind.LABELS) or any(_beyond(test, word) for test in tests for word in test.words):
        return True
    return any(all(_holds(test, value) for test in tests) for value in _values(basis, words))


def _beyond(test: Test, word: Word) -> bool:
    """What trying values cannot settle: calendars, and texts that must not contain something."""
    counted = COUNTED.get(test.subject.name) if not test.subject.custom else None
    business = (counted is not None and counted.business) or (isinstance(word, Ago) and word.business)
    return business or isinstance(word, Fixed) or (isinstance(word, Contains) and test.negated)


def _values(basis: Subject, words: Sequence[Word]) -> list[Value]:
    if basis.kind in (Kind.CATEGORY, Kind.GRADE):
        return [None, *(CATEGORIES if basis.kind is Kind.CATEGORY else GRADES)]
    if basis.kind is Kind.TEXT:
        return [*_texts(words)]
    step = 1.0 if basis.kind is Kind.DATE else 0.25
    named = [0.0, *(_number(word) * sign for word in words for sign in (1, -1))]
    numbers = [number + beside for number in named for beside in (-step, 0, step)]
    least, greatest = _LEAST.get(basis.name, float("-inf")), _GREATEST.get(basis.name, float("inf"))
    return [None, *(number for number in numbers if least <= number <= greatest)]


def _number(word: Word) -> float:
    return word.number if isinstance(word, Amount) else word.days if isinstance(word, Ago | Within) else 0.0


def _texts(words: Sequence[Word]) -> Iterator[str]:
    yield from ("", "tbd", "a text that nobody names")
    parts = [word.text for word in words if isinstance(word, Contains)]
    yield from (" ".join([start, *parts]) for start in ("lorem", "a text that nobody names"))
    for word in words:
        if isinstance(word, OneOf):
            yield from word.values


def _holds(test: Test, value: Value) -> bool:
    return any(_says(test, word, value) for word in test.words) != test.negated


def _says(test: Test, word: Word, value: Value) -> bool:
    match word:
        case Missing():
            return not value if test.subject.kind is Kind.TEXT else value is None
        case OneOf(values):
            return value in values
    if value is None:
        return False
    return _text_says(word, value) if isinstance(value, str) else _number_says(word, value)


def _text_says(word: Word, value: str) -> bool:
    return word.text in value if isinstance(word, Contains) else isinstance(word, Placeholder) and _PLACEHOLDERS(value)


def _number_says(word: Word, value: float) -> bool:
    """Of a time, `value` is how many days ago it was."""
    match word:
        case Amount(how, number):
            return _compare(how, value, number)
        case Ago(how, days, _):
            return value >= 0 and _compare(how, value, days)
        case Within(days):
            return -days <= value <= 0
    return isinstance(word, Past) and value > 0


def _compare(how: How, value: float, number: float) -> bool:
    return {
        How.OVER: value > number,
        How.UNDER: value < number,
        How.AT_LEAST: value >= number,
        How.AT_MOST: value <= number,
        How.EXACTLY: value == number,
    }[how]
