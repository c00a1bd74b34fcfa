"""Clauses become SQL over the view `work_item`, with three answers: 1, 0, and NULL for "unknown".

SQL's own logic then carries the unknown through `all`, `any` and `none`. What is known and empty answers 1 or 0.
Thresholds in days are comparisons of integers with a cut-off day that is worked out here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from rules.calendar import Calendar
from rules.clauses import (
    COUNTED,
    Ago,
    Amount,
    Clause,
    Contains,
    Counted,
    Expression,
    Fixed,
    Group,
    How,
    Joint,
    Learned,
    Missing,
    OneOf,
    Past,
    Placeholder,
    Side,
    Subject,
    Test,
    Within,
    Word,
    tests_of,
)
from rules.columns import Kind, custom_path
from rules.escape import truth
from rules.grading import Placeholders
from rules.learned import MEASURE
from rules.ruleset import Ladder, Rule, RuleSet, Step
from rules.text import blank_sql, contains_sql, fold, fold_sql, is_one_of_sql
from rules.today import Today

_NEVER_ENDING = 10_000_000
"""An ordinal after the last day of the calendar."""


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL and the values for its `?`, in order."""

    text: str
    values: tuple[object, ...] = ()


def join(operator: str, parts: Iterable[Sql]) -> Sql:
    """The parts in brackets, with the operator between them."""
    parts = tuple(parts)
    return Sql(
        f"({f' {operator} '.join(part.text for part in parts)})", tuple(v for part in parts for v in part.values)
    )


@dataclass(frozen=True, slots=True)
class Doubts:
    """The bits of `unknown` that any of the items has, of its own and of its outcome's; as a rule there are few.

    Where a bit is in nobody's, no look at it is compiled.
    """

    own: int = -1
    outcome: int = -1

    def about(self, subject: Subject) -> int:
        """The bit that may say that the subject is unknown; 0 if none does. A custom field has none."""
        return (subject.bit or 0) & (self.outcome if subject.from_outcome else self.own)


@dataclass(frozen=True)
class Scope:
    """What clauses are compiled for: a day, the labels that are ours and so invisible to rules, and the doubts."""

    today: Today
    ruleset: RuleSet
    doubts: Doubts = Doubts()
    lasting: bool = False
    """Whether reasons are to be kept while days go by."""

    @cached_property
    def ordinal(self) -> int:
        """Today."""
        return self.today.date.toordinal()

    @cached_property
    def placeholders(self) -> Placeholders:
        """What counts as a placeholder."""
        return Placeholders(self.today.placeholders)

    def cutoff(self, more_than: int, *, business: bool) -> Sql:
        """The latest day since which more than so many days have passed, by the item's own calendar."""
        if not business or not self.today.others:
            return Sql("?", (self.latest(more_than, business=business),))
        days = [self.latest(more_than, business=True, calendar=calendar) for calendar in self.today.calendars]
        cases = " ".join(f"WHEN {number} THEN ?" for number in range(1, len(days)))
        return Sql(f"CASE calendar {cases} ELSE ? END", (*days[1:], days[0]))

    def latest(self, more_than: int, *, business: bool, calendar: Calendar | None = None) -> int:
        """The latest day since which more than so many days have passed, by the default calendar or the one given.

        Business days are never below 0.
        """
        if not business:
            return self.ordinal - more_than - 1
        if more_than < 0:
            return _NEVER_ENDING
        return (calendar or self.today.calendar).cutoff(self.today.date, more_than).toordinal()


def clause_sql(clause: Clause, scope: Scope) -> Sql:
    """Whether the clause holds: 1, 0 or NULL."""
    if isinstance(clause, Test):
        return test_sql(clause, scope)
    if isinstance(clause, Expression):
        return expression_sql(clause, scope.doubts)
    parts = [clause_sql(part, scope) for part in clause.parts]
    joined = join("AND" if clause.joint is Joint.ALL else "OR", parts)
    return Sql(f"(NOT {joined.text})", joined.values) if clause.joint is Joint.NONE else joined


def expression_sql(expression: Expression, doubts: Doubts) -> Sql:
    """Whether the SQL holds; NULL where anything that it reads is unknown."""
    known = [where_known(subject, Sql("1"), doubts) for subject in expression.subjects]
    all_known = " AND ".join(f"{sql.text} IS NOT NULL" for sql in known)
    text = f"(CASE WHEN {all_known} THEN {truth(expression.text)} END)"
    return Sql(text, tuple(value for sql in known for value in sql.values))


def test_sql(test: Test, scope: Scope) -> Sql:
    """Whether one clause holds: 1, 0 or NULL."""
    subject = test.subject
    column = "v" if subject.custom else subject.name
    holds = join("OR", [_word_sql(word, subject, column, scope) for word in test.words])
    if test.negated:
        holds = Sql(f"(NOT {holds.text})", holds.values)
    return where_known(subject, holds, scope.doubts)


def where_known(subject: Subject, answer: Sql, doubts: Doubts) -> Sql:
    """The answer, or NULL where the tool cannot tell what is in the subject. A custom field's value is named `v`."""
    if subject.custom:
        text = f"(SELECT CASE WHEN v IS NOT NULL THEN {answer.text} END FROM (SELECT json_extract(fields, ?) AS v))"
        return Sql(text, (*answer.values, custom_path(subject.name)))
    mask, bit = "outcome_unknown" if subject.from_outcome else "unknown", doubts.about(subject)
    return Sql(f"(CASE WHEN ({mask} & {bit}) = 0 THEN {answer.text} END)", answer.values) if bit else answer


def _word_sql(word: Word, subject: Subject, column: str, scope: Scope) -> Sql:
    if subject.name in COUNTED and not subject.custom:
        return _counted_sql(word, COUNTED[subject.name], scope)
    match subject.kind:
        case Kind.DATE:
            return _date_sql(word, f"{column}_day", scope)
        case Kind.NUMBER:
            return _number_sql(word, column)
        case Kind.PEOPLE | Kind.LABELS:
            return _list_sql(word, subject.kind, column, scope)
        case Kind.GRADE | Kind.CATEGORY:
            return _named_sql(word, subject.kind, column)
    return _text_sql(word, column, scope)


def _definite(text: str, *values: object) -> Sql:
    """A comparison with something that may be empty: then it does not hold."""
    return Sql(f"ifnull({text}, 0)", values)


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" for _ in values)


def _text_sql(word: Word, column: str, scope: Scope) -> Sql:
    match word:
        case Missing():
            return Sql(f"({blank_sql(column)})")
        case OneOf(values):
            return _definite(is_one_of_sql(column, len(values)), *values)
        case Contains(text):
            return _definite(contains_sql(column), text)
        case Placeholder() if column == "outcome_metric":
            return Sql("(outcome_grade = 'placeholder')")
        case Placeholder():
            text, parameters = scope.placeholders.sql(column)
            return _definite(text, *parameters)
    raise _misplaced(word, column)


def _named_sql(word: Word, kind: Kind, column: str) -> Sql:
    match word:
        case Missing():
            return Sql(f"(ifnull({column}, '') = '')")
        case OneOf(values) if kind is Kind.GRADE:
            return Sql(f"({column} IN ({_marks(values)}))", values)  # NULL is a grade that cannot be told
        case OneOf(values):
            return _definite(f"{column} IN ({_marks(values)})", *values)
    raise _misplaced(word, column)


_COMPARISONS = {How.OVER: ">", How.UNDER: "<", How.AT_LEAST: ">=", How.AT_MOST: "<=", How.EXACTLY: "="}


def _number_sql(word: Word, column: str) -> Sql:
    match word:
        case Missing():
            return Sql(f"({column} IS NULL)")
        case Amount(how, number):
            return _definite(f"{column} {_COMPARISONS[how]} ?", number)
    raise _misplaced(word, column)


def _counted_sql(word: Word, counted: Counted, scope: Scope) -> Sql:
    day = f"{counted.moment}_day"
    match word:
        case Missing():
            return Sql(f"({day} IS NULL)")
        case Amount(how, number):
            return _days_sql(day, how, int(number), scope, business=counted.business)
        case Learned():
            threshold = threshold_sql(word, scope)
            return _definite(f"{MEASURE} > {threshold.text}", *threshold.values)
    raise _misplaced(word, day)


def threshold_sql(learned: Learned, scope: Scope) -> Sql:
    """The business days that an item may take."""
    known = known_sql("CASE WHEN items >= ? THEN max(?, min(?, days)) END", learned, scope)
    values = (learned.from_items, learned.at_least, learned.at_most, *known.values, learned.otherwise)
    return Sql(f"ifnull({known.text}, ?)", values)


def known_sql(what: str, learned: Learned, scope: Scope) -> Sql:
    """What is known of the percentile for items of the item's kind; NULL where nothing is.

    The newest month counts that is not after the day; of the kind, what the tool does not tell is empty.
    """
    kind = "in_source = source AND in_collection = collection AND of_type = ifnull(type, '') "
    month = "(SELECT max(month) FROM learned_month WHERE percent = ? AND month <= ?)"
    return Sql(
        f"(SELECT {what} FROM learned WHERE month = {month} AND percent = ? AND {kind}"
        "AND in_status = ifnull(status, ''))",
        (learned.percent, scope.today.date.isoformat(), learned.percent),
    )


def _days_sql(day: str, how: How, days: int, scope: Scope, *, business: bool) -> Sql:
    """Whether so many days have passed since `day`: more than N have, where `day` is the cut-off or before it."""
    over, reached = (scope.cutoff(more_than, business=business) for more_than in (days, days - 1))
    match how:
        case How.OVER:
            return _definite(f"{day} <= {over.text}", *over.values)
        case How.AT_LEAST:
            return _definite(f"{day} <= {reached.text}", *reached.values)
        case How.UNDER:
            return _definite(f"{day} > {reached.text}", *reached.values)
        case How.AT_MOST:
            return _definite(f"{day} > {over.text}", *over.values)
        case How.EXACTLY:
            return _definite(f"({day} > {over.text} AND {day} <= {reached.text})", *over.values, *reached.values)


def _date_sql(word: Word, day: str, scope: Scope) -> Sql:
    match word:
        case Missing():
            return Sql(f"({day} IS NULL)")
        case Past():
            return _definite(f"{day} < ?", scope.ordinal)
        case Within(days):
            return _definite(f"{day} BETWEEN ? AND ?", scope.ordinal, scope.ordinal + days)
        case Fixed(side, fixed):
            sign = {Side.BEFORE: "<", Side.ON: "=", Side.AFTER: ">"}[side]
            return _definite(f"{day} {sign} ?", fixed.toordinal())
        case Ago(how, days, business):
            arrived = _definite(f"{day} <= ?", scope.ordinal)
            return join("AND", [arrived, _days_sql(day, how, days, scope, business=business)])
    raise _misplaced(word, day)


def _list_sql(word: Word, kind: Kind, column: str, scope: Scope) -> Sql:
    """A list holds something if one of its entries does; our own labels are no entries."""
    value = fold_sql("value")
    match word:
        case Missing():
            entry = Sql(f"{value} <> ''")
        case OneOf(values):
            entry = Sql(f"{value} IN ({_marks(values)})", values)
        case Contains(text):
            entry = Sql(f"instr({value}, ?) > 0", (text,))
        case _:
            raise _misplaced(word, column)
    if kind is Kind.LABELS:
        entry = join("AND", [entry, _foreign_sql(value, scope.ruleset)])
    exists = "NOT EXISTS" if isinstance(word, Missing) else "EXISTS"
    return Sql(f"({exists} (SELECT 1 FROM json_each(ifnull({column}, '[]')) WHERE {entry.text}))", entry.values)


def _foreign_sql(value: str, ruleset: RuleSet) -> Sql:
    """A rule that saw our labels would see its own answer, and never come to rest."""
    own = tuple(sorted({fold(label) for label in ruleset.labels}))
    known = Sql(f"{value} NOT IN ({_marks(own)})", own)
    prefix = fold(ruleset.prefix)
    return join("AND", [known, Sql(f"substr({value}, 1, ?) <> ?", (len(prefix), prefix))]) if prefix else known


def _misplaced(word: Word, column: str) -> TypeError:
    return TypeError(f"{word} on {column}: rules.words lets no rule say that")


def steps_test(ladder: Ladder, step: Step) -> Test:
    """The clause "over this step's threshold"."""
    return Test(ladder.measure, (step.word,), wrote=f"over {step.threshold}")


def _highest_sql(ladder: Ladder, steps: tuple[Step, ...], scope: Scope) -> Sql:
    """The label of the highest step that is reached, else NULL."""
    cases = [(test_sql(steps_test(ladder, step), scope), step.label) for step in reversed(steps)]
    text = "(CASE " + " ".join(f"WHEN {test.text} THEN ?" for test, _ in cases) + " END)"
    return Sql(text, tuple(value for test, label in cases for value in (*test.values, label)))


def _by_override(ladder: Ladder, choices: list[Sql], scope: Scope) -> Sql:
    """The choice of the first override that holds, else the last choice; NULL where one before that is unknown."""
    text, values = "(CASE", tuple[object, ...]()
    for override, choice in zip(ladder.overrides, choices, strict=False):
        when = clause_sql(override.when, scope)
        text += f" WHEN {when.text} IS NULL THEN NULL WHEN {when.text} THEN {choice.text}"
        values += (*when.values, *when.values, *choice.values)
    return Sql(f"{text} ELSE {choices[-1].text} END)", (*values, *choices[-1].values)) if values else choices[-1]


def _each_steps(ladder: Ladder) -> list[tuple[Step, ...]]:
    return [*(override.steps for override in ladder.overrides), ladder.steps]


def answer_sql(rule: Rule, scope: Scope) -> Sql:
    """Whether the rule labels the item: 1, 0 or NULL."""
    when = clause_sql(rule.when, scope)
    if rule.ladder is None:
        return when
    ladder = rule.ladder
    lowest = [test_sql(steps_test(ladder, steps[0]), scope) for steps in _each_steps(ladder)]
    return join("AND", [when, _by_override(ladder, lowest, scope)])


def label_sql(rule: Rule, scope: Scope) -> Sql:
    """The label that the rule puts on an item that it labels."""
    if rule.ladder is None:
        return Sql("?", (rule.label,))
    ladder = rule.ladder
    highest = [_highest_sql(ladder, steps, scope) for steps in _each_steps(ladder)]
    return _by_override(ladder, highest, scope)


def steps_sql(ladder: Ladder, scope: Scope) -> Sql:
    """Which steps apply: the number of the override that holds, -1 for none, NULL for unknown."""
    choices = [Sql("?", (number,)) for number in (*range(len(ladder.overrides)), -1)]
    return _by_override(ladder, choices, scope)


def subjects_of(rule: Rule) -> set[Subject]:
    """Everything that the rule's answer depends on."""
    clauses: list[Clause] = [rule.when]
    found = set[Subject]()
    if rule.ladder is not None:
        found.add(rule.ladder.measure)
        clauses += [override.when for override in rule.ladder.overrides]
    while clauses:
        clause = clauses.pop()
        if isinstance(clause, Group):
            clauses += clause.parts
        elif isinstance(clause, Expression):
            found.update(clause.subjects)
        else:
            found.add(clause.subject)
    return found


def counts_business_days(rule: Rule) -> bool:
    """Whether it is not all the same to the rule which calendar an item goes by."""
    counted = (COUNTED.get(subject.name) for subject in subjects_of(rule) if not subject.custom)
    if any(each is not None and each.business for each in counted):
        return True
    clauses = [rule.when, *(override.when for override in (rule.ladder.overrides if rule.ladder else ()))]
    words = (word for clause in clauses for test in tests_of(clause) for word in test.words)
    return any(isinstance(word, Ago) and word.business for word in words)
