"""Thresholds that a team's own past gives: `over = "p85"` is more days than 85 of 100 finished items like it needed.

What was learned lies in a table by month; rules read there, and nothing in here works it out (`sync.learning` does).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from rules.clauses import Learned, tests_of
from rules.ruleset import Rule, RuleSet, Step

MEASURE = "business_days_in_status"
"""The one column that has a past to learn from."""
FROM_ITEMS = 30
"""With fewer finished items than this, a percentile says little; a rule may ask for more or fewer."""
MOST_ITEMS = 1_000_000
LONGEST = 3_650
"""Business days; no threshold is further away."""

TERMS = {
    "otherwise": "business days that hold until enough items were finished",
    "at_least": "never fewer business days, whatever was learned; half of otherwise if absent",
    "at_most": "never more, likewise; twice otherwise if absent",
    "from_items": f"so many items must have been finished; {FROM_ITEMS} if absent",
}
"""What stands beside a percentile, and what it means."""

PATTERN = r"over\s+p\d+(?:\s*,\s*(?:otherwise\s+\d+|at\s+least\s+\d+|at\s+most\s+\d+|from\s+\d+\s+items?))*"
"""A percentile as a clause has it: `over p85, otherwise 10, at least 5, at most 20, from 30 items`."""

_PERCENTILE = re.compile(r"p(\d{1,9})", re.I)
_LIKE_ONE = re.compile(r"(?:over\s+)?(?:p\s*)?(\d\d?)(?:\s*%|(?:th|st|nd|rd)?\s*percent(?:ile)?)?", re.I)
_CLAUSE = re.compile(PATTERN, re.I)
_TERM = re.compile(r"(otherwise|at\s+least|at\s+most|from)\s+(\d+)", re.I)


def read(over: str, terms: Mapping[str, object]) -> Learned:
    """A percentile, with what stands beside it as TOML has it. Raises ValueError with one sentence."""
    percent = _percent(over)
    days = {name: _number(name, terms[name]) for name in TERMS if terms.get(name) is not None}
    if "otherwise" not in days:
        raise ValueError(f"p{percent} needs the days that hold until enough is known: write otherwise = 10")
    otherwise = days["otherwise"]
    learned = Learned(
        percent,
        otherwise,
        days.get("at_least", least_of(otherwise)),
        days.get("at_most", most_of(otherwise)),
        days.get("from_items", FROM_ITEMS),
    )
    if not learned.at_least <= otherwise <= learned.at_most:
        raise ValueError(
            f"otherwise = {otherwise} must lie between at_least = {learned.at_least} and at_most = {learned.at_most}"
        )
    return learned


def least_of(otherwise: int) -> int:
    """What `at_least` is if it is absent."""
    return (otherwise + 1) // 2


def most_of(otherwise: int) -> int:
    """What `at_most` is if it is absent."""
    return 2 * otherwise


def _percent(over: str) -> int:
    found = _PERCENTILE.fullmatch(over.strip())
    if found and 1 <= int(found[1]) <= 99:
        return int(found[1])
    like = _LIKE_ONE.fullmatch(over.strip())
    hint = f' (did you mean "p{like[1]}"{_number_too(over)}?)' if like and int(like[1]) and not found else ""
    raise ValueError(f'"{over.strip()}" is no percentile: write p and a number from 1 to 99, such as "p85"{hint}')


def _number_too(over: str) -> str:
    return f", or the number {over.strip()} without quotes" if over.strip().isdecimal() else ""


def _number(name: str, value: object) -> int:
    most = MOST_ITEMS if name == "from_items" else LONGEST
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(f"{name} is a whole number from 1 to {most}, and {value!r} is not: it is {TERMS[name]}")
    return value


def read_clause(text: str) -> Learned | None:
    """What a value word says about a percentile; None where it is about none. Raises ValueError with one sentence."""
    first, *rest = (part.strip() for part in text.split(","))
    asks = re.fullmatch(r"(over|under|at\s+least|at\s+most|exactly)\s+(p\s*\d.*)", first, re.I | re.S)
    if not asks:
        return None
    if asks[1].casefold() != "over":
        raise ValueError(f'a percentile is a threshold to be over, and "{first}" is none: write "over {asks[2]}"')
    percent = f"p{_percent(asks[2])}"
    if not _CLAUSE.fullmatch(text.strip()):
        raise ValueError(
            f'"{", ".join(rest)}" does not say what goes with {percent}: '
            f'write "over {percent}, otherwise 10, at least 5, at most 20, from {FROM_ITEMS} items"'
        )
    given = [("from_items" if term[1].casefold() == "from" else "_".join(term[1].casefold().split()), int(term[2]))
             for term in _TERM.finditer(", ".join(rest))]  # fmt: skip
    twice = next((name for name, _ in given if sum(name == other for other, _ in given) > 1), None)
    if twice:
        raise ValueError(f'"{twice.replace("_", " ")}" stands twice beside {percent}: leave one of them out')
    return read(percent, dict(given))


def rises(lower: Step, higher: Step) -> str:
    """Why a step may not follow another, as far as can be known before anything is learned; empty where it may."""
    if not isinstance(lower.over, Learned) and not isinstance(higher.over, Learned):
        return "" if lower.over < higher.over else f"{higher.over:g} comes after {lower.over:g}: put them in order"
    if isinstance(lower.over, Learned) and isinstance(higher.over, Learned):
        return _both_rise(lower.over, higher.over)
    below = lower.over.at_most if isinstance(lower.over, Learned) else lower.over
    above = higher.over.at_least if isinstance(higher.over, Learned) else higher.over
    if below <= above:
        return ""
    if isinstance(lower.over, Learned):
        return f"p{lower.over.percent} may reach {below:g}, and {above:g} comes after it: write at_most = {above:g}"
    p = higher.over.percent if isinstance(higher.over, Learned) else ""
    return f"p{p} may be as low as {above:g}, and comes after {below:g}: write at_least = {below:g}"


def _both_rise(lower: Learned, higher: Learned) -> str:
    if lower.percent >= higher.percent:
        return f"p{higher.percent} comes after p{lower.percent}: put them in order"
    if lower.otherwise >= higher.otherwise:
        return f"otherwise = {higher.otherwise} comes after otherwise = {lower.otherwise}: put them in order"
    for name in ("at_least", "at_most"):
        one, other = getattr(lower, name), getattr(higher, name)
        if one > other:
            return f"{name} = {other} comes after {name} = {one}: put them in order"
    if lower.from_items != higher.from_items:
        return f"from_items is {lower.from_items} and then {higher.from_items}: learn all steps from as many"
    return ""


def learned_in(rule: Rule) -> Iterable[Learned]:
    """Every percentile that the rule asks for."""
    ladder = rule.ladder
    clauses = (rule.when, *(override.when for override in (ladder.overrides if ladder else ())))
    words = [word for clause in clauses for test in tests_of(clause) for word in test.words]
    words += [step.word for step in ladder.all_steps()] if ladder else []
    return [word for word in words if isinstance(word, Learned)]


def percents(ruleset: RuleSet) -> tuple[int, ...]:
    """Which percentiles any rule asks for, rising."""
    return tuple(sorted(least_items(ruleset)))


def least_items(ruleset: RuleSet) -> dict[int, int]:
    """Percentile -> with how many finished items a rule first goes by it."""
    least: dict[int, int] = {}
    for learned in (each for rule in ruleset.rules for each in learned_in(rule)):
        least[learned.percent] = min(learned.from_items, least.get(learned.percent, MOST_ITEMS))
    return least
