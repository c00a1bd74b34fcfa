"""Values for people: the `says` of a rule filled in, and what explain shows. All of it is computed in SQL."""

from __future__ import annotations

import re

from rules.clauses import COUNTED, Subject
from rules.columns import Kind
from rules.compile import Doubts, Sql, where_known

LONGEST = 200
"""Characters of one value in a reason."""

PLACES = re.compile(r"\{([^{}]*)\}")

_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


def day_sql(ordinal: str) -> str:
    """SQL for `5 Mar 2026` of an ordinal."""
    julian = f"({ordinal} + 1721424.5)"
    month = f"substr('{_MONTHS}', 3 * strftime('%m', {julian}) - 2, 3)"
    return f"(CAST(strftime('%d', {julian}) AS INTEGER) || ' ' || {month} || ' ' || strftime('%Y', {julian}))"


def wrote(parts: tuple[str | Subject, ...]) -> str:
    """The sentence as it stands in the rule file."""
    return "".join(part if isinstance(part, str) else f"{{{part}}}" for part in parts)


def says_sql(parts: tuple[str | Subject, ...]) -> Sql:
    """The sentence with its values in their places."""
    pieces = [Sql("?", (part,)) if isinstance(part, str) else value_sql(part) for part in parts]
    return Sql(" || ".join(piece.text for piece in pieces), tuple(value for piece in pieces for value in piece.values))


def value_sql(subject: Subject, empty: str = "nothing") -> Sql:
    """What is in the subject, for people: never NULL."""
    known = where_known(subject, Sql(f"ifnull({_shown(subject)}, '{empty}')"), Doubts())
    return Sql(f"ifnull({known.text}, 'unknown')", known.values)


def _shown(subject: Subject) -> str:
    name = "v" if subject.custom else subject.name
    if name in COUNTED and not subject.custom:
        return _at_least(COUNTED[name].moment, f"CAST({name} AS TEXT)", before=True)
    match subject.kind:
        case Kind.DATE:
            return _at_least(name, day_sql(f"{name}_day"), before=False)
        case Kind.NUMBER:
            return f"CASE WHEN {name} IS NOT NULL THEN printf('%.15g', {name}) END"
        case Kind.CATEGORY | Kind.GRADE:
            return f"replace({name}, '_', ' ')"
        case Kind.PEOPLE | Kind.LABELS:
            return f"(SELECT group_concat(value, ', ') FROM json_each({name}))"
    return f"CASE WHEN length({name}) > {LONGEST} THEN substr({name}, 1, {LONGEST}) || '…' ELSE nullif({name}, '') END"


def _at_least(moment: str, text: str, *, before: bool) -> str:
    """A status that may have begun earlier is shown as such."""
    if moment != "status_since":
        return text
    marked = f"'at least ' || {text}" if before else f"{text} || ' or earlier'"
    return f"CASE WHEN status_since_is = 'at_least' THEN {marked} ELSE {text} END"
