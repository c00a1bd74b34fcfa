"""Clauses in words, for explain."""

from __future__ import annotations

from datetime import date

from rules.clauses import (
    COUNTED,
    Amount,
    Clause,
    Expression,
    Group,
    Joint,
    Learned,
    Missing,
    OneOf,
    Placeholder,
    Test,
)
from rules.columns import Kind

JOINTS = {Joint.ALL: "all of", Joint.ANY: "any of", Joint.NONE: "none of"}

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day(value: date) -> str:
    """`5 Mar 2026`."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def clause(test: Test) -> str:
    """`status_category is in progress`, `over 20 business days in status`."""
    if test.subject.name in COUNTED and not test.subject.custom and isinstance(test.words[0], Amount):
        return f"{test.wrote} {_spoken(test.subject.name)}"
    if any(isinstance(word, Learned) for word in test.words):
        return f"{test.wrote.partition(',')[0]} of {_spoken(test.subject.name)}"
    return f"{test.subject} is {test.wrote}" if _needs_is(test) else f"{test.subject} {test.wrote}"


def _spoken(name: str) -> str:
    return {"age_days": "days old"}.get(name, name.replace("_", " "))


def _needs_is(test: Test) -> bool:
    return not test.wrote.casefold().startswith(("has ", "lacks ", "contains ", "not has ", "not contains "))


def clears(clause: Clause) -> str:
    """What has to happen so that a clause that holds no longer does."""
    if isinstance(clause, Group):
        return (
            "none of its alternatives hold"
            if clause.joint is Joint.ANY
            else f"{JOINTS[clause.joint]} … no longer holds"
        )
    if isinstance(clause, Expression):
        return "its sql no longer holds"
    return _clears_negated(clause) if clause.negated else _clears_test(clause)


def _clears_test(test: Test) -> str:
    subject, words = test.subject, test.words
    if any(isinstance(word, Missing | Placeholder) for word in words):
        if subject.kind is Kind.DATE:
            return "the outcome is reviewed" if subject.name == "outcome_reviewed_at" else f"{subject} is set"
        real = " with something real" if any(isinstance(word, Placeholder) for word in words) else ""
        return f"{subject} is filled in{real}"
    if subject.kind is Kind.CATEGORY:
        return f"the status leaves {test.wrote}"
    return _MOVES.get(COUNTED[subject.name].moment if subject.name in COUNTED else subject.name, f"{subject} changes")


_MOVES = {
    "status": "the status changes",
    "status_since": "the status changes",
    "due_at": "the due date is moved",
    "outcome_reviewed_at": "the outcome is reviewed",
    "outcome_grade": "the outcome is improved",
}


def _clears_negated(test: Test) -> str:
    if isinstance(test.words[0], Missing):
        return f"{test.subject} is emptied"
    if isinstance(test.words[0], OneOf) and test.subject.kind in (Kind.LABELS, Kind.PEOPLE):
        return f"{test.subject} has {' or '.join(test.words[0].values)}"
    if test.subject.kind is Kind.CATEGORY:
        return f"the status becomes {test.wrote.removeprefix('not ')}"
    if isinstance(test.words[0], OneOf):
        values = " or ".join(value.replace("_", " ") for value in test.words[0].values)
        return f"{test.subject} becomes {values}"
    return f"{test.subject} changes"
