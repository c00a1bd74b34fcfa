"""Reasons that count days, kept so that time alone changes nothing in the store.

Such a reason is kept as JSON, `["In ", "Review", " for ", -738000, " business days"]`: in place of each number stands
the day that it counts from. Where business days are counted, that is less than 0, and the number of the calendar stands
before its last seven digits. `spoken_sql` makes the sentence of it that `says_sql` would make on the day.
"""

from __future__ import annotations

from rules.clauses import Subject
from rules.compile import Doubts, Scope, Sql, where_known
from rules.moved import AGED
from rules.ruleset import Rule
from rules.says import value_sql
from rules.table import COUNTED_BACK, business_days_sql

_CALENDAR = 10_000_000
"""More than any day's ordinal."""


def kept_sql(rule: Rule, scope: Scope) -> Sql:
    """The reason, as it is kept, of a rule that `counts_days`."""
    pieces = [piece for part in rule.says for piece in _pieces(part, scope)]
    return Sql(
        f"json_array({', '.join(piece.text for piece in pieces)})",
        tuple(value for piece in pieces for value in piece.values),
    )


def _pieces(part: str | Subject, scope: Scope) -> list[Sql]:
    if isinstance(part, str):
        return [Sql("?", (part,))]
    if part.custom or part.name not in AGED:
        value = value_sql(part)
        return [Sql(f"'' || {value.text}", value.values)]
    day = Sql(f"ifnull({_since_sql(part.name, scope)}, 'nothing')")
    known = where_known(part, day, Doubts())
    number = Sql(f"ifnull({known.text}, 'unknown')", known.values)
    if AGED[part.name].moment != "status_since":
        return [number]
    marked = f"CASE WHEN status_since_is = 'at_least' AND {part.name} IS NOT NULL THEN 'at least ' END"
    at_least = where_known(part, Sql(marked), Doubts())
    return [Sql(f"ifnull({at_least.text}, '')", at_least.values), number]


def _since_sql(column: str, scope: Scope) -> str:
    """The day from which the column counts, as it is kept; NULL where it is empty."""
    if not AGED[column].business:
        return f"{scope.ordinal} - {column}"
    others = len(scope.today.others)
    calendar = f"CASE WHEN calendar <= {others} THEN calendar ELSE 0 END" if others else "0"
    return f"-({calendar}) * {_CALENDAR} - status_since_day"


def spoken_sql(today: str) -> str:
    """SQL for the sentence of a row that has the `reason` as it is kept, and `counts`: whether it counts days.

    `today` is SQL for an ordinal; `calendar_day` has to hold the days before it.
    """
    since = f"max(-value % {_CALENDAR}, {today} - {COUNTED_BACK})"
    business = business_days_sql(since, today, f"-value / {_CALENDAR}")
    number = f"CASE WHEN type <> 'integer' THEN value WHEN value > 0 THEN {today} - value ELSE {business} END"
    return f"CASE WHEN counts THEN (SELECT group_concat({number}, '') FROM json_each(reason)) ELSE reason END"
