"""What time moves: a threshold is a cut-off day, and from one evaluation to the next it passes over some days.

Only an item whose day lies among those can answer otherwise by the mere passing of time.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor

from rules.clauses import (
    COUNTED,
    Ago,
    Amount,
    Counted,
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
from rules.compile import Scope, steps_test, subjects_of
from rules.learned import MEASURE, learned_in
from rules.ruleset import Rule

Range = tuple[str, int, int]
"""A column of days, the last day before those that a cut-off passed over, and the last of them."""

AGED = {**COUNTED, "underway_days": Counted("started_at", business=False)}
"""Columns that count days, by what they count from; the last from the item's own start or one below it."""

REVIEWED = "outcome_reviewed_at_day"
"""The column of days that heirs share with the item that gives them its outcome."""

_GRADE = Subject("outcome_grade")


def ranges(rule: Rule, scope: Scope, before: Scope) -> tuple[Range, ...]:
    """Where items lie that may answer the rule otherwise in `scope` than on the day of `before`."""
    both = zip(cuts(rule, before), cuts(rule, scope), strict=True)
    moved = {(column, min(was, now), max(was, now)) for (column, was), (_, now) in both if was != now}
    return tuple(sorted(moved.union(_bands(rule, scope, before))))


def _bands(rule: Rule, scope: Scope, before: Scope) -> Iterator[Range]:
    """What learned thresholds may have passed over since another day: each lay, and lies, within its own bounds.

    So it does not matter what was learned then and is now.
    """
    for learned in learned_in(rule) if scope.ordinal != before.ordinal else ():
        for calendar in scope.today.calendars:
            least, most = (
                [each.latest(days, business=True, calendar=calendar) for each in (before, scope)]
                for days in (learned.at_least, learned.at_most)
            )
            yield f"{COUNTED[MEASURE].moment}_day", min(most), max(least)


def cuts(rule: Rule, scope: Scope) -> Iterator[tuple[str, int]]:
    """Every column of days that the rule compares with a day that moves, and that day; always in the same order."""
    for test in _tests(rule):
        for word in test.words:
            yield from _word_cuts(word, test.subject, scope)
    if _review_matters(rule):
        yield REVIEWED, scope.ordinal - scope.today.review_days - 1


def ages_in_sql(rule: Rule) -> bool:
    """Whether SQL of the rule reads how old something is: what it makes of that is not known."""
    read = {subject for expression in rule.expressions for subject in expression.subjects}
    return any(subject.name in AGED for subject in read if not subject.custom)


def counts_days(rule: Rule) -> bool:
    """Whether the rule's reason says another number each day: it is kept so that this changes nothing."""
    return any(subject.name in AGED for subject in said(rule) if not subject.custom)


def said(rule: Rule) -> set[Subject]:
    """What the rule's reason shows."""
    return {part for part in rule.says if isinstance(part, Subject)}


def asked(rule: Rule) -> set[str]:
    """The columns that the rule's answer or its reason depends on."""
    return {subject.name for subject in subjects_of(rule) | said(rule) if not subject.custom}


def _tests(rule: Rule) -> Iterator[Test]:
    yield from tests_of(rule.when)
    if rule.ladder is not None:
        for override in rule.ladder.overrides:
            yield from tests_of(override.when)
        for step in rule.ladder.all_steps():
            yield steps_test(rule.ladder, step)


def _review_matters(rule: Rule) -> bool:
    """Time turns the grade `complete` into `unreviewed`: a rule that takes both for the same does not notice."""
    if _GRADE in said(rule) or any(_GRADE in expression.subjects for expression in rule.expressions):
        return True
    words = [word for test in _tests(rule) if test.subject == _GRADE for word in test.words]
    return any(isinstance(word, OneOf) and len({"complete", "unreviewed"} & {*word.values}) == 1 for word in words)


def _word_cuts(word: Word, subject: Subject, scope: Scope) -> Iterator[tuple[str, int]]:
    counted = None if subject.custom else AGED.get(subject.name)
    day = f"{counted.moment if counted else subject.name}_day"
    match word:
        case Amount(how, number) if counted:
            for days in (floor(number), ceil(number)):
                yield from ((day, cut) for cut in _day_cuts(how, days, scope, business=counted.business))
        case Learned():
            yield from ((day, cut) for cut in _day_cuts(How.OVER, word.at_most, scope, business=True))
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
