"""A second reading of the rule language, in plain Python over one work item: what the SQL is compared with.

It shares with the product the vocabulary and the meaning of a single text (`fold`, the grader), and nothing else: it
reads the words as an admin wrote them, and knows nothing of SQL. Answers are True, False, and None for "unknown".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from connectors.model import WorkItem
from rules.columns import COLUMNS, GRADES, Kind
from rules.grading import Grader, Placeholders
from rules.text import fold
from rules.today import Today

Answer = bool | None

_BASIS = {
    "parent_key": "parent_ref",
    "status_id": "status",
    "status_since_is": "status_since",
    "age_days": "created_at",
    "days_in_status": "status_since",
    "business_days_in_status": "status_since",
    "days_since_review": "outcome_reviewed_at",
    "outcome_grade": "outcome_metric",
    "items_below": "parent_ref",
    "finished_below": "parent_ref",
    "underway_days": "started_at",
    "sponsor_above": "sponsor",
}

OF_INITIATIVES = ("initiative_key", "disagree_on", "disagreement")
"""Columns that no item has that stands alone."""


class Reading:
    """Reads conditions for one item as of one day."""

    def __init__(
        self,
        item: WorkItem,
        today: Today,
        prefix: str = "",
        ours: Iterable[str] = (),
        around: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.item, self.today, self.prefix, self.around = item, today, fold(prefix), around
        self.ours = {fold(label) for label in ours}
        self.day = today.now.astimezone(today.zone).date()

    def condition(self, table: Mapping[str, Any]) -> Answer:
        """What a condition, as TOML holds it, says of the item."""
        return _all(answer for name, value in table.items() for answer in self._entry(name, value))

    def _entry(self, name: str, value: Any) -> list[Answer]:
        if name in ("any", "all", "none"):
            answers = [self.condition(entry) for entry in (value if isinstance(value, list) else [value])]
            return [_all(answers) if name == "all" else _any(answers) if name == "any" else _not(_any(answers))]
        if name == "fields":
            return [self._custom(field, wanted) for field, wanted in value.items()]
        return [self.clause(name, value)]

    def _custom(self, name: str, wanted: Any) -> Answer:
        if name in self.item.unknown or name not in self.item.fields:
            return None
        return self._says(Kind.TEXT, self.item.fields[name], wanted)

    def clause(self, name: str, wanted: Any) -> Answer:
        """One column and its value word."""
        if _BASIS.get(name, name) in self.item.unknown:
            return None
        return self._says(COLUMNS[name].kind, self._value(name), wanted)

    def _local(self, moment: datetime | None) -> date | None:
        return moment.astimezone(self.today.zone).date() if moment else None

    def _value(self, name: str) -> Any:
        item = self.item
        since = {
            "age_days": item.created_at,
            "days_in_status": item.status_since,
            "business_days_in_status": item.status_since,
            "days_since_review": item.outcome_reviewed_at,
            "underway_days": self.around.get("began", item.started_at),
        }
        if name in since:
            start = self._local(since[name])
            return None if start is None else self._count(start, business=name.startswith("business"))
        if name == "outcome_grade":
            return self._grade()
        if name == "source":
            return item.ref.source
        if name == "parent_key":
            return item.parent_ref.native_id if item.parent_ref else None
        if name in ("outcome_from", "sponsor_above", "items_below", "finished_below", *OF_INITIATIVES):
            return self.around.get(name, 0 if name.endswith("_below") else None)  # it stands alone
        value = getattr(item, name)
        return self._local(value) if isinstance(value, datetime) else value

    def _count(self, start: date, *, business: bool) -> int:
        if not business:
            return (self.day - start).days
        length = (self.day - start).days + 1
        days = [start + timedelta(days=number) for number in range(max(0, length))]
        return max(0, sum(self.today.calendar.is_business(day) for day in days) - 1)

    def _grade(self) -> str:
        item = self.item
        rank = Grader(self.today.placeholders).grade(item.outcome_metric)
        if rank < 4:
            return GRADES[rank]
        reviewed = self._local(item.outcome_reviewed_at)
        for grade, column in (("no_baseline", "outcome_baseline"), ("no_target", "outcome_target")):
            if column not in item.unknown and not getattr(item, column):
                return grade
        if "outcome_reviewed_at" in item.unknown and reviewed is None:
            return "complete"
        late = reviewed is None or (self.day - reviewed).days > self.today.review_days
        return "unreviewed" if late else "complete"

    def _says(self, kind: Kind, value: Any, wanted: Any) -> bool:
        if isinstance(wanted, list):
            return any(self._exactly(kind, value, entry) for entry in wanted)
        if not isinstance(wanted, str):
            return bool(value == wanted)
        text = wanted.strip()
        if re.match(r"not\s", text, re.I):
            return not self._says(kind, value, text[4:])
        if re.match(r"(missing|never) or ", text, re.I):
            return self._says(kind, value, "missing") or self._says(kind, value, text.split(" or ", 1)[1])
        return self._word(kind, value, text)

    def _exactly(self, kind: Kind, value: Any, entry: str) -> bool:
        if kind is Kind.PEOPLE:
            return fold(entry) in self._entries(kind, value)
        if kind in (Kind.GRADE, Kind.CATEGORY):
            return bool(value == "_".join(fold(entry).replace("_", " ").split()))
        return fold(value or "") == fold(entry)

    def _entries(self, kind: Kind, value: Iterable[str]) -> set[str]:
        folded = {fold(entry) for entry in value}
        if kind is not Kind.LABELS:
            return folded
        foreign = folded - self.ours
        return {label for label in foreign if not (self.prefix and label.startswith(self.prefix))}

    def _empty(self, kind: Kind, value: Any) -> bool:
        if kind in (Kind.PEOPLE, Kind.LABELS):
            return not self._entries(kind, value) - {""}
        if kind is Kind.TEXT:
            return not fold(value or "")
        return bool(value == "missing") if kind is Kind.GRADE else value is None

    def _word(self, kind: Kind, value: Any, text: str) -> bool:
        word = fold(text)
        if word in ("missing", "never", "present"):
            return self._empty(kind, value) != (word == "present")
        if kind in (Kind.NUMBER, Kind.DATE):
            compare = _amount if kind is Kind.NUMBER else self._date
            return value is not None and compare(value, word)
        if kind in (Kind.PEOPLE, Kind.LABELS):
            return self._listed(kind, value, word)
        if kind is Kind.GRADE and word.split()[0] in ("over", "under", "at"):
            how, grade = _groups(r"(over|under|at least|at most) (.+)", word)
            return _compare(how, GRADES.index(value), GRADES.index(grade.replace(" ", "_")))
        if kind is Kind.TEXT:
            return self._text(fold(value or ""), word)
        return self._exactly(kind, value, text)

    def _text(self, value: str, word: str) -> bool:
        if word.startswith("contains "):
            return word.removeprefix("contains ").strip() in value
        return Placeholders(self.today.placeholders)(value) if word == "placeholder" else value == word

    def _listed(self, kind: Kind, value: Iterable[str], word: str) -> bool:
        entries = self._entries(kind, value)
        if word.startswith("contains "):
            return any(word.removeprefix("contains ").strip() in entry for entry in entries)
        if word.startswith("lacks "):
            return word.removeprefix("lacks ").strip() not in entries
        return word.removeprefix("has ").strip() in entries

    def _date(self, value: date, word: str) -> bool:
        if word == "past":
            return value < self.day
        if match := re.fullmatch(r"within (\d+) days?", word):
            return 0 <= (value - self.day).days <= int(match[1])
        if match := re.fullmatch(r"(before|on|after) (\S+)", word):
            fixed = date.fromisoformat(match[2])
            return {"before": value < fixed, "on": value == fixed, "after": value > fixed}[match[1]]
        how, days, business = _groups(r"(\D+) (\d+) (business |)days? ago", word)
        return value <= self.day and _compare(how, self._count(value, business=bool(business)), int(days))


def _groups(pattern: str, word: str) -> tuple[str, ...]:
    match = re.fullmatch(pattern, word)
    assert match, f"the reference cannot read {word}"
    return match.groups()


def _amount(value: float, word: str) -> bool:
    how, number = _groups(r"(\D+) (-?[\d.]+)", word) if word[0].isalpha() else ("exactly", word)
    return _compare(how, value, float(number))


def _compare(how: str, value: float, number: float) -> bool:
    return {
        "over": value > number,
        "under": value < number,
        "at least": value >= number,
        "at most": value <= number,
        "exactly": value == number,
    }[how]


def _not(answer: Answer) -> Answer:
    return None if answer is None else not answer


def _all(answers: Iterable[Answer]) -> Answer:
    found = list(answers)
    return False if False in found else None if None in found else True


def _any(answers: Iterable[Answer]) -> Answer:
    found = list(answers)
    return True if True in found else None if None in found else False
