"""Moves every threshold of every rule by one, and names the moves that no test of the rule notices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from rules.clauses import COUNTED, Ago, Amount, Clause, Fixed, Group, How, Past, Subject, Test, Within, Word
from rules.engine import evaluate
from rules.ruleset import Case, Ladder, Moment, Override, Rule, RuleSet, Step
from rules.selftest import Terms, item_at


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
    """A rule with one threshold moved, and which."""

    what: str
    rule: Rule


def unnoticed(ruleset: RuleSet, terms: Terms, tables: tuple[Case, ...] = ()) -> list[Edge]:
    """Every threshold, moved up or down by one, that passes all tests of its rule and all rows of the tables.

    The tests themselves must pass.
    """
    return [edge for rule in ruleset.rules for edge in _of_rule(rule, ruleset, terms, tables)]


def _of_rule(rule: Rule, ruleset: RuleSet, terms: Terms, tables: tuple[Case, ...]) -> list[Edge]:
    left = [*_moves(rule)]
    for case in (*rule.tests, *tables):
        for moment in case.moments if left else ():
            left = _still_unnoticed(rule, left, case, moment, ruleset, terms)
    return [Edge(rule, moved.what) for moved in left]


def _still_unnoticed(
    rule: Rule, left: list[_Moved], case: Case, moment: Moment, ruleset: RuleSet, terms: Terms
) -> list[_Moved]:
    """Those of the moved rules that label the item as the rule itself does, all evaluated in one go."""
    numbered = tuple(replace(moved.rule, id=str(number)) for number, moved in enumerate(left))
    itself = replace(rule, id="itself")
    with item_at(case, moment, terms) as connection:
        together = RuleSet((itself, *numbered), ruleset.files, ruleset.prefix)
        failed = {name for name, _ in evaluate(connection, together, terms.today(moment.now)).failures}
        found = dict(connection.execute("SELECT rule, label FROM temp.found"))
    wanted = found.get("itself")
    return [
        moved for number, moved in enumerate(left) if found.get(str(number)) == wanted and str(number) not in failed
    ]


def _moves(rule: Rule) -> Iterator[_Moved]:
    for what, clause in _clauses(rule.when):
        yield _Moved(what, replace(rule, when=clause))
    if rule.ladder is not None:
        for what, ladder in _ladders(rule.ladder):
            yield _Moved(what, replace(rule, ladder=ladder))


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
        for word, what in _words(measure, Amount(How.OVER, step.over)):
            if isinstance(word, Amount):
                moved = replace(step, over=word.number)
                yield f"{measure} {what}", (*steps[:number], moved, *steps[number + 1 :])


def _clauses(clause: Clause) -> Iterator[tuple[str, Clause]]:
    """The clause with one threshold in it moved, for each way to do that."""
    if isinstance(clause, Test):
        for number, word in enumerate(clause.words):
            for moved, what in _words(clause.subject, word):
                words = (*clause.words[:number], moved, *clause.words[number + 1 :])
                yield f"{clause.subject} {what}", replace(clause, words=words)
    elif isinstance(clause, Group):  # a condition in SQL keeps its thresholds to itself
        for number, part in enumerate(clause.parts):
            for what, inner in _clauses(part):
                yield what, replace(clause, parts=(*clause.parts[:number], inner, *clause.parts[number + 1 :]))


def _words(subject: Subject, word: Word) -> Iterator[tuple[Word, str]]:
    """The word moved down and up, where that can make a difference, and in words."""
    for by in (-1, 1):
        match word:
            case Amount(how, number) if _can_differ(subject, how, number + by):
                yield Amount(how, number + by), f"{how} {number:g} becomes {how} {number + by:g}"
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
