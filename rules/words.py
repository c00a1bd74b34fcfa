"""Value words: what may stand to the right of a column, `"over 10 business days ago"`, and what it means.

Strict: what is no word of the column's kind is refused with the reason, and with what was probably meant.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime

from rules import learned
from rules.clauses import (
    COUNTED,
    Ago,
    Amount,
    Contains,
    Fixed,
    How,
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
)
from rules.columns import CATEGORIES, GRADES, Kind
from rules.text import fold

FURTHEST = 36_500
"""No threshold in days is further away: a hundred years."""

_HOWS = "|".join(How)
_NOT = re.compile(r"not\s+(?P<rest>.+)", re.I | re.S)
_OR = re.compile(r"(?:missing|never)\s+or\s+(?P<rest>.+)", re.I | re.S)
_CONTAINS = re.compile(r"contains\s+(?P<text>.+)", re.I | re.S)
_HAS = re.compile(r"(?P<word>has|lacks)\s+(?P<text>.+)", re.I | re.S)
_AMOUNT = re.compile(rf"(?P<how>{_HOWS})\s+(?P<number>-?\d+(?:\.\d+)?)", re.I)
_AGO = re.compile(rf"(?P<how>{_HOWS})\s+(?P<days>\d+)\s+(?P<business>business\s+)?days?\s+ago", re.I)
_WITHIN = re.compile(r"within\s+(?P<days>\d+)\s+days?", re.I)
_FIXED = re.compile(r"(?P<side>before|on|after)\s+(?P<day>\d{4}-\d\d-\d\d)", re.I)
_RANK = re.compile(r"(?P<how>over|under|at least|at most)\s+(?P<grade>.+)", re.I)

_NO_NAME = rf"(?:{_HOWS}|within)\s+-?\d.*|never(?!\s+or\s)(?:\s.*)?|past|(?:before|after|on)\s+\d{{4}}-.*"
_RESERVED = re.compile(rf"{_NO_NAME}|(?:has|lacks)\s+.+", re.I | re.S)
"""Words of other kinds: on a text they are more likely a mistake than a value."""

_AMBIGUOUS = frozenset(
    f"not {rest}"
    for rest in ("started", "applicable", "assigned", "set", "planned", "required", "needed", "approved", "ready")
)
"""Names of statuses and the like that read as "not X"."""

_MEANT = {
    **dict.fromkeys(
        ("", "empty", "blank", "null", "none", "nothing", "unset", "not set", "absent", "is empty"), "missing"
    ),
    **dict.fromkeys(
        ("any", "anything", "set", "filled", "exists", "not empty", "not blank", "not null", "*"), "present"
    ),
    **dict.fromkeys(
        ("placeholder or missing", "missing or a placeholder", "empty or placeholder"), "missing or placeholder"
    ),
}
"""What people write, and what they mean by it."""
_SYNONYMS = (
    (r"(?:more than|greater than|longer than|older than|above|after|>)\s*(\d.*)", r"over \1"),
    (r"(?:less than|fewer than|shorter than|younger than|below|<)\s*(\d.*)", r"under \1"),
    (r"(?:not less than|>=)\s*(\d.*)", r"at least \1"),
    (r"(?:not more than|up to|<=)\s*(\d.*)", r"at most \1"),
    (r"(?:contain|include|includes|containing|including|matches|like)\s+(.+)", r"contains \1"),
    (r"(?:!=|<>|is not|isn't|except)\s*(.+)", r"not \1"),
    (r"(?:==?|is|equals)\s+(.+)", r"\1"),
)
_TEXT_WORDS = ("missing", "present", "placeholder", "missing or placeholder")

FORMS: dict[Kind, tuple[str, ...]] = {
    Kind.TEXT: ("X", "not X", "contains X", *_TEXT_WORDS),
    Kind.CATEGORY: ("todo", "in progress", "done", "not done", "missing", "present"),
    Kind.GRADE: (*(grade.replace("_", " ") for grade in GRADES), "at most vague", "not complete"),
    Kind.DATE: ("over 30 days ago", "over 10 business days ago", "never or over 90 days ago", "within 7 days", "past",
                "before 2026-03-01", "missing", "present"),
    Kind.NUMBER: ("over 30", "under 5", "at least 1", "at most 9", "exactly 0", "missing", "present"),
    Kind.PEOPLE: ("X", "not X", "has X", "lacks X", "contains X", "missing", "present"),
    Kind.LABELS: ("has X", "lacks X", "missing", "present"),
}  # fmt: skip
"""Examples of what may be written on each kind; `X` stands for a text of one's own."""


_EITHER = r"(?:not\s+)?(?:(?:missing|never)\s+or\s+)?"
_NAMES = {kind: "|".join(name.replace("_", r"[\s_]+") for name in names)
          for kind, names in ((Kind.CATEGORY, CATEGORIES), (Kind.GRADE, GRADES))}  # fmt: skip

PATTERNS: dict[Kind, str] = {
    Kind.CATEGORY: _NAMES[Kind.CATEGORY],
    Kind.GRADE: rf"(?:(?:over|under|at least|at most)\s+)?(?:{_NAMES[Kind.GRADE]})",
    Kind.DATE: "|".join(("never", "past", _AGO.pattern, _WITHIN.pattern, _FIXED.pattern)),
    Kind.NUMBER: rf"{_AMOUNT.pattern}|{learned.PATTERN}|-?\d+(?:\.\d+)?",
    Kind.LABELS: _HAS.pattern,
}
"""Regular expressions, in any case, of what `not` and `missing or` may stand before; kinds of text have none."""
PATTERNS = {kind: rf"\s*{_EITHER}(?:missing|present|{pattern})\s*" for kind, pattern in PATTERNS.items()}
NO_TEXT = {
    Kind.TEXT: rf"\s*{_EITHER}(?:{_RESERVED.pattern})\s*",
    Kind.PEOPLE: rf"\s*{_EITHER}(?:{_NO_NAME}|placeholder)\s*",
}
"""Likewise, what columns of text refuse because it asks about something else."""


class WordError(ValueError):
    """A value that is no word of its column: the message is a sentence with the reason."""


def parse(subject: Subject, value: object) -> Test:
    """The clause that `value`, as it comes from TOML, means on `subject`. Raises WordError."""
    if isinstance(value, str):
        return _parse_text(subject, value)
    if isinstance(value, list):
        return Test(subject, (_list(subject, value),), wrote="one of " + ", ".join(map(str, value)))
    word, wrote = _bare(subject, value)
    return Test(subject, (word,), wrote=wrote)


def _parse_text(subject: Subject, wrote: str) -> Test:
    text = wrote.strip()
    _refuse_near_misses(subject, text)
    negated = _NOT.fullmatch(text)
    if negated and fold(text) in _AMBIGUOUS and subject.kind is Kind.TEXT:
        raise WordError(
            f'"{text}" could be a value or its opposite: write ["{text}"] for the value, '
            f'or none = [ {{ {subject} = ["{negated["rest"]}"] }} ] for everything else'
        )
    rest = negated["rest"] if negated else text
    either = _OR.fullmatch(rest)
    words = (*_word(subject, "missing"), *_alternative(subject, either["rest"])) if either else _word(subject, rest)
    flipped = fold(rest) == "present" or _says_lacks(subject, rest)
    return Test(subject, words, negated=bool(negated) != flipped, wrote=text)


def _alternative(subject: Subject, text: str) -> tuple[Word, ...]:
    """What may follow `missing or`: a word that is not itself a negation."""
    if _NOT.fullmatch(text) or fold(text) in ("missing", "present", "never") or _says_lacks(subject, text):
        raise WordError(f'"missing or {text}" is more than one clause can say: join two with any = [ … ]')
    return _word(subject, text)


def _says_lacks(subject: Subject, text: str) -> bool:
    has = _HAS.fullmatch(text)
    return bool(has and fold(has["word"]) == "lacks" and subject.kind in (Kind.LABELS, Kind.PEOPLE))


def _word(subject: Subject, text: str) -> tuple[Word, ...]:
    """The words that a text without `not` and `or` means; `present` and `lacks` are for the caller to negate."""
    if fold(text) in ("missing", "present"):
        return (OneOf(("missing",)) if subject.kind is Kind.GRADE else Missing(),)
    return (_BY_KIND[subject.kind](subject, text),)


def _text(subject: Subject, text: str) -> Word:
    if fold(text) == "placeholder":
        return Placeholder()
    contains = _CONTAINS.fullmatch(text)
    if contains:
        return Contains(_value(contains["text"]))
    rank = _RANK.fullmatch(text)
    if rank and "_".join(fold(rank["grade"]).split()) in GRADES:
        raise WordError(f'"{text}" is for outcome_grade, and {subject} is text: ask that one{_exactly(text)}')
    if _RESERVED.fullmatch(text):
        raise WordError(f'{subject} is text, and "{text}" asks about something else: {_forms(subject)}{_exactly(text)}')
    return OneOf((_value(text),))


def _category(subject: Subject, text: str) -> Word:
    return OneOf((_known(subject, text, CATEGORIES),))


def _grade(subject: Subject, text: str) -> Word:
    rank = _RANK.fullmatch(text)
    if not rank:
        return OneOf((_known(subject, text, GRADES),))
    at = GRADES.index(_known(subject, rank["grade"], GRADES))
    start, end = {
        How.OVER: (at + 1, len(GRADES)),
        How.AT_LEAST: (at, len(GRADES)),
        How.UNDER: (0, at),
        How.AT_MOST: (0, at + 1),
    }[How(fold(rank["how"]))]
    if start >= end:
        raise WordError(f'no grade is "{text}": they run from missing to complete')
    return OneOf(GRADES[start:end])


def _known(subject: Subject, text: str, names: Sequence[str]) -> str:
    name = "_".join(fold(text).replace("_", " ").split())
    if name in names:
        return name
    spoken = [known.replace("_", " ") for known in names]
    raise WordError(f'"{text}" is no {subject.kind}: write one of {", ".join(spoken)}{meant(text, spoken)}')


def _number(subject: Subject, text: str) -> Word:
    percentile = _learned(subject, text)
    if percentile:
        return percentile
    amount = _AMOUNT.fullmatch(text) or _AMOUNT.fullmatch(f"exactly {text}")
    if amount:
        return _amount(subject, How(fold(amount["how"])), float(amount["number"]))
    longer = re.fullmatch(rf"((?:{_HOWS})\s+\d+)\s+(?:business\s+)?days?(?:\s+ago)?", text, re.I)
    hint = f' (did you mean "{longer[1]}"?)' if longer else ""
    raise WordError(f'{subject} is a number, and "{text}" is not: {_forms(subject)}{hint}')


def _learned(subject: Subject, text: str) -> Learned | None:
    try:
        found = learned.read_clause(text)
    except ValueError as error:
        raise WordError(str(error)) from None
    if found and subject.name != learned.MEASURE:
        raise WordError(f"a percentile can be learned of {learned.MEASURE} only: ask that one, or write a number")
    return found


def _amount(subject: Subject, how: How, number: float) -> Amount:
    if not math.isfinite(number) or abs(number) > 1e15:
        raise WordError(f"{subject} cannot be compared with {number}: write an ordinary number")
    if subject.name in COUNTED and (number != int(number) or not 0 <= number <= FURTHEST):
        raise WordError(f"{subject} counts whole days: write a whole number from 0 to {FURTHEST}")
    return Amount(how, number)


def _date(subject: Subject, text: str) -> Word:
    if fold(text) == "never":
        return Missing()
    if fold(text) == "past":
        return Past()
    ago, within, fixed = _AGO.fullmatch(text), _WITHIN.fullmatch(text), _FIXED.fullmatch(text)
    if ago:
        return Ago(How(fold(ago["how"])), _days(ago["days"]), bool(ago["business"]))
    if within:
        return Within(_days(within["days"]))
    if fixed:
        return Fixed(Side(fold(fixed["side"])), _day(fixed["day"]))
    bare = re.fullmatch(rf"(?:{_HOWS})\s+\d+(\s+(business\s+)?days?)?", text, re.I)
    hint = f' (did you mean "{text}{"" if bare[1] else " days"} ago"?)' if bare else ""
    raise WordError(f'{subject} is a date, and "{text}" says nothing about one: {_forms(subject)}{hint}')


def _days(digits: str) -> int:
    if len(digits) > 5 or int(digits) > FURTHEST:
        raise WordError(f"{digits} days are more than a hundred years: write at most {FURTHEST}")
    return int(digits)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WordError(f'"{text}" is no day of the calendar: write year-month-day, such as 2026-03-01') from None


def _people(subject: Subject, text: str) -> Word:
    contains, has = _CONTAINS.fullmatch(text), _HAS.fullmatch(text)
    if contains:
        return Contains(_value(contains["text"]))
    if has:
        return OneOf((_value(has["text"]),))
    if _RESERVED.fullmatch(text) or fold(text) == "placeholder":
        raise WordError(f'{subject} is a list of people, and "{text}" asks about something else: {_forms(subject)}')
    return OneOf((_value(text),))


def _labels(subject: Subject, text: str) -> Word:
    has = _HAS.fullmatch(text)
    if has:
        return OneOf((_value(has["text"]),))
    hint = "" if _RESERVED.fullmatch(text) or len(text.split()) > 1 else f' (did you mean "has {text}"?)'
    raise WordError(f"{subject} are a list of labels: {_forms(subject)}{hint}")


_BY_KIND: dict[Kind, Callable[[Subject, str], Word]] = {
    Kind.TEXT: _text,
    Kind.CATEGORY: _category,
    Kind.GRADE: _grade,
    Kind.DATE: _date,
    Kind.NUMBER: _number,
    Kind.PEOPLE: _people,
    Kind.LABELS: _labels,
}


def _value(text: str) -> str:
    folded = fold(text)
    if not folded:
        raise WordError('an empty text is never what a value is compared with: write "missing"')
    return folded


def _list(subject: Subject, values: list[object]) -> Word:
    """One of several values, each taken literally: the way to name a value that looks like a word."""
    if not values:
        raise WordError("the list is empty, and nothing is one of nothing: name at least one value")
    wrong = next((value for value in values if not isinstance(value, str)), None)
    if wrong is not None:
        raise WordError(f'a list holds texts, and {wrong} is none: write "{wrong}", in quotes')
    texts = [str(value) for value in values]
    if subject.kind in (Kind.CATEGORY, Kind.GRADE):
        names = CATEGORIES if subject.kind is Kind.CATEGORY else GRADES
        return OneOf(tuple(_known(subject, text, names) for text in texts))
    if subject.kind not in (Kind.TEXT, Kind.PEOPLE):
        raise WordError(f"{subject} takes no list: {_forms(subject)}; join several with any = [ … ]")
    word = next((text for text in texts if fold(text) in (*_TEXT_WORDS, "never")), None)
    if word is not None and len(texts) > 1:
        raise WordError(
            f'in a list every entry is an exact value, and "{word}" is a word: join the two with any = [ … ]'
        )
    return OneOf(tuple(_value(text) for text in texts))


def _bare(subject: Subject, value: object) -> tuple[Word, str]:
    """A value that is neither text nor list: a number, a date, true."""
    if isinstance(value, bool):
        raise WordError(f'{str(value).lower()} is no value word: write "present" or "missing"')
    if isinstance(value, int | float):
        if subject.kind is not Kind.NUMBER:
            raise WordError(f"{subject} is {_article(subject.kind)}, not a number: {_forms(subject)}")
        return _amount(subject, How.EXACTLY, value), f"exactly {value}"
    if isinstance(value, date) and not isinstance(value, datetime) and subject.kind is Kind.DATE:
        return Fixed(Side.ON, value), f"on {value}"
    if isinstance(value, dict):
        raise WordError(f"{subject} takes a value, not a table: {_forms(subject)}")
    reason = "write the day without the time" if subject.kind is Kind.DATE else _forms(subject)
    raise WordError(f"{subject} is {_article(subject.kind)}, and {value} does not fit: {reason}")


def _article(kind: Kind) -> str:
    return {Kind.TEXT: "text", Kind.PEOPLE: "a list of people", Kind.LABELS: "a list of labels"}.get(kind, f"a {kind}")


def _forms(subject: Subject) -> str:
    return "use " + ", ".join(f'"{form}"' for form in FORMS[subject.kind])


def _refuse_near_misses(subject: Subject, text: str) -> None:
    """A misspelt word must not silently become a value that nothing has."""
    folded = fold(text)
    wanted = _MEANT.get(folded) if subject.kind is not Kind.GRADE else None
    for pattern, repair in _SYNONYMS if wanted is None else ():
        match = re.fullmatch(pattern, text, re.I | re.S)
        if match and not _FIXED.fullmatch(text):
            wanted = match.expand(repair)
            break
    bare = folded.removeprefix("not ").strip()
    if wanted is None and bare not in _TEXT_WORDS:
        wanted = next(iter(difflib.get_close_matches(bare, _TEXT_WORDS, 1, 0.86)), None)
    if wanted is not None:
        exact = _exactly(text) if folded and subject.kind is Kind.TEXT else ""
        raise WordError(f'"{text}" is no word of the rule language (did you mean "{wanted}"?){exact}')


def _exactly(text: str) -> str:
    return f'; for a text of just this name write ["{text}"]'


def meant(wrong: str, known: Sequence[str]) -> str:
    """` (did you mean "…"?)` where one of the known names is near; else nothing."""
    close = difflib.get_close_matches(fold(wrong), known, 1, 0.6)
    return f' (did you mean "{close[0]}"?)' if close else ""
