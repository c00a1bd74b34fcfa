"""What a JQL query means on a site: which issues match, and in which order. Values that do not exist are refused."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from connectors.fakes.jira.jql import Both, Call, Clause, Condition, Either, Empty, Not, Operand, Query, Value
from connectors.fakes.jira.refusals import RefusalError
from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import Issue, Person

Test = Callable[[Issue], bool]
Kind = Literal["number", "date", "words", "choice"]

DATE_FORMATS = ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d")
"""Minutes are the finest that a quoted time can say, and it is read in the user's own time zone."""

PERIOD = re.compile(r"([+-]?)(\d+)(w|d|h|m)")
UNITS = {"w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

OPERATORS: Mapping[Kind, frozenset[str]] = {
    "number": frozenset(("=", "!=", ">", ">=", "<", "<=", "in", "not in", "is", "is not")),
    "date": frozenset(("=", "!=", ">", ">=", "<", "<=", "in", "not in", "is", "is not")),
    "words": frozenset(("~", "!~", "is", "is not")),
    "choice": frozenset(("=", "!=", "in", "not in", "is", "is not")),
}
ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True)
class Column:
    """A field of JQL: what an issue has in it (several values for labels), and what a literal stands for."""

    kind: Kind
    values: Callable[[Issue], Sequence[Any]]
    read: Callable[[Operand], Any]
    """The value that `values` would give. Raises `RefusalError` for one that does not exist."""


@dataclass(frozen=True)
class Reader:
    """Who asks, since quoted times are read in the user's zone, and what is seen depends on permissions."""

    site: Site
    user: Person | None
    strict: bool = True
    """Whether values that do not exist are refused; a caller whom nobody knows just finds nothing."""

    def test(self, query: Query) -> Test:
        return self._test(query.condition) if query.condition else lambda _: True

    def key(self, query: Query) -> Callable[[Issue], tuple[Any, ...]]:
        """A sort key that no two issues share. Without ORDER BY the newest come first."""
        if len(query.order) > 7:
            raise RefusalError(400, "JQL can be ordered by at most 7 fields.")
        parts = [(self._sorter(one.field), one.descending) for one in query.order]
        last = not query.order

        def key(issue: Issue) -> tuple[Any, ...]:
            found = [_Down(part(issue)) if down else part(issue) for part, down in parts]
            return (*found, -int(issue.id) if last else int(issue.id))

        return key

    # Conditions

    def _test(self, condition: Condition) -> Test:
        match condition:
            case Both(parts):
                tests = [self._test(part) for part in parts]
                return lambda issue: all(test(issue) for test in tests)
            case Either(parts):
                tests = [self._test(part) for part in parts]
                return lambda issue: any(test(issue) for test in tests)
            case Not(part):
                inner = self._test(part)
                return lambda issue: not inner(issue)
            case Clause():
                return self._clause(condition)

    def _clause(self, clause: Clause) -> Test:
        column = self._column(clause.field)
        if clause.operator not in OPERATORS[column.kind]:
            raise RefusalError(400, f"The operator '{clause.operator}' is not supported by the '{clause.field}' field.")
        wanted = [None if isinstance(one, Empty) else column.read(one) for one in clause.operands]
        wanted = [value for one in wanted for value in (one if isinstance(one, list) else [one])]
        return self._comparison(clause.operator, column, wanted)

    @staticmethod
    def _comparison(sign: str, column: Column, wanted: Sequence[Any]) -> Test:
        """An issue without a value matches no comparison, not even `!=`, but for IS EMPTY."""
        if sign in ORDERED:
            compare, bound = ORDERED[sign], wanted[0]
            return lambda issue: any(compare(value, bound) for value in column.values(issue))
        if sign in ("~", "!~"):
            words = str(wanted[0]).lower().replace("*", "").split()
            found: Test = lambda issue: all(  # noqa: E731 - one of two that are combined below
                any(word in str(value).lower() for value in column.values(issue)) for word in words
            )
            return found if sign == "~" else lambda issue: bool(column.values(issue)) and not found(issue)
        if sign in ("=", "in", "is"):
            return lambda issue: any(value in wanted for value in column.values(issue) or [None])
        return lambda issue: (
            all(value not in wanted for value in column.values(issue) or [None])
            and (bool(column.values(issue)) or None in wanted)
        )

    # Fields

    def _column(self, name: str) -> Column:
        plain = name.lower()
        columns: Mapping[str, Callable[[], Column]] = {
            "project": lambda: Column("choice", lambda issue: [issue.project], self._project),
            "status": lambda: Column("choice", lambda issue: _of(issue, "status", "id"), self._status),
            "statuscategory": lambda: Column("choice", _category, self._category),
            "labels": lambda: Column("choice", lambda issue: issue.labels, _text),
            "parent": lambda: Column("number", lambda issue: _ids(_of(issue, "parent", "id")), self._issue),
            "assignee": lambda: self._people("assignee"),
            "reporter": lambda: self._people("reporter"),
            "summary": lambda: Column("words", lambda issue: _of(issue, "summary"), _text),
            "description": lambda: Column("words", lambda issue: _of(issue, "description"), _text),
            "priority": lambda: Column("choice", lambda issue: _of(issue, "priority", "name"), _text),
            "resolution": lambda: Column("choice", lambda issue: _of(issue, "resolution", "name"), _text),
            **dict.fromkeys(("issuetype", "type"), self._types),
            **dict.fromkeys(("id", "issue", "key", "issuekey"), self._ids),
            **dict.fromkeys(("updated", "updateddate"), lambda: self._dates(lambda issue: issue.updated)),
            **dict.fromkeys(("created", "createddate"), lambda: self._dates(lambda issue: issue.created)),
            **dict.fromkeys(("due", "duedate"), lambda: Column("date", self._due, self._date)),
        }
        if plain in columns:
            return columns[plain]()
        return self._custom(name)

    def _sorter(self, name: str) -> Callable[[Issue], Any]:
        if name.lower() in ("key", "issuekey"):
            return lambda issue: (issue.project, int(issue.key.rpartition("-")[2]))
        column = self._column(name)
        return lambda issue: (0, min(column.values(issue))) if column.values(issue) else (1,)

    def _ids(self) -> Column:
        return Column("number", lambda issue: [int(issue.id)], self._issue)

    def _types(self) -> Column:
        known = {_of(issue, "issuetype", "name")[0] for issue in self.site.issues.values() if _of(issue, "issuetype")}
        return Column(
            "choice",
            lambda issue: [name.lower() for name in _of(issue, "issuetype", "name")],
            lambda operand: self._known("issuetype", _text(operand).lower(), {name.lower() for name in known}),
        )

    def _dates(self, value: Callable[[Issue], datetime]) -> Column:
        return Column("date", lambda issue: [value(issue)], self._date)

    def _people(self, name: str) -> Column:
        return Column("choice", lambda issue: [person.id for person in _of(issue, name)], self._person)

    def _custom(self, name: str) -> Column:
        number = re.fullmatch(r"cf\[(\d+)\]", name, re.IGNORECASE)
        wanted = f"customfield_{number[1]}" if number else name.lower()
        ids = [
            field.id
            for field in self.site.fields.values()
            if field.custom and field.visible and wanted in (field.id, field.name.lower())
        ]
        if not ids:
            raise RefusalError(400, f"Field '{name}' does not exist or you do not have permission to view it.")
        kind: Kind = "choice" if self.site.fields[ids[0]].custom == "select" else "words"
        return Column(kind, lambda issue: [str(value) for one in ids for value in _of(issue, one)], _text)

    # Values

    def _known(self, field: str, value: str, known: set[str]) -> str:
        if self.strict and value not in known:
            raise RefusalError(400, f"The value '{value}' does not exist for the field '{field}'.")
        return value

    def _project(self, operand: Operand) -> str:
        text = _text(operand)
        seen = [one for one in self.site.projects.values() if "BROWSE_PROJECTS" in one.we_may]
        keys = {word.lower(): one.key for one in seen for word in (one.name, one.id, one.key)}
        self._known("project", text.lower(), {*keys})
        return keys.get(text.lower(), "")

    def _status(self, operand: Operand) -> list[str]:
        text = _text(operand).lower()
        found = [one.id for one in self.site.statuses.values() if text in (one.id, one.name.lower())]
        if self.strict and not found:
            raise RefusalError(400, f"The value '{_text(operand)}' does not exist for the field 'status'.")
        return found

    def _category(self, operand: Operand) -> str:
        names = {"to do": "new", "in progress": "indeterminate", "done": "done", "no category": "undefined"}
        numbers = {"2": "new", "4": "indeterminate", "3": "done", "1": "undefined"}
        text = _text(operand).lower()
        return self._known("statusCategory", {**names, **numbers}.get(text, text), {*names.values()})

    def _issue(self, operand: Operand) -> int:
        """An id or a key, also one from before a move. What is not there is refused."""
        text = _text(operand)
        if text.isdecimal() and not self.strict:
            return int(text)
        try:
            found = self.site.issue(text.upper())
            if "BROWSE_PROJECTS" not in self.site.projects[found.project].we_may:
                raise KeyError(text)
        except KeyError:
            if not self.strict:
                return 0
            what = f"A value with ID '{text}'" if text.isdecimal() else f"An issue with key '{text}'"
            raise RefusalError(400, f"{what} does not exist for field 'key'.") from None
        return int(found.id)

    def _person(self, operand: Operand) -> str:
        if operand == Call("currentuser", ()):
            return self.user.id if self.user else ""
        return _text(operand)

    def _date(self, operand: Operand) -> datetime:
        """An unquoted number is epoch milliseconds; a period counts from now; a quoted time is in the user's zone."""
        if operand == Call("now", ()):
            return self.site.now
        text = _text(operand)
        try:
            if re.fullmatch(r"-?\d+", text) and isinstance(operand, Value) and not operand.quoted:
                return EPOCH + timedelta(milliseconds=int(text))
            return self._written_date(text) or self.site.now + _period(text)
        except OverflowError:
            raise _no_date(text) from None

    def _written_date(self, text: str) -> datetime | None:
        for form in DATE_FORMATS:
            with suppress(ValueError):
                return datetime.strptime(text, form).replace(tzinfo=self._zone)
        return None

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.user.zone if self.user else "UTC")

    def _due(self, issue: Issue) -> Sequence[datetime]:
        return [datetime.fromisoformat(day).replace(tzinfo=self._zone) for day in _of(issue, "duedate")]


def _period(text: str) -> timedelta:
    match = PERIOD.fullmatch(text)
    if match is None:
        raise _no_date(text)
    return UNITS[match[3]] * int(match[2]) * (-1 if match[1] == "-" else 1)


def _no_date(text: str) -> RefusalError:
    return RefusalError(
        400,
        f"Date value '{text}' for field 'updated' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', "
        "'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'.",
    )


@dataclass(frozen=True)
class _Down:
    """Sorts the other way round."""

    value: Any

    def __lt__(self, other: _Down) -> bool:
        return bool(other.value < self.value)


def _of(issue: Issue, field: str, part: str | None = None) -> list[Any]:
    """The value of a field, or of a part of it, in a list; empty without one."""
    value = issue.fields.get(field)
    if value in (None, ""):
        return []
    return [value] if part is None else [value[part]] if isinstance(value, Mapping) and part in value else []


def _ids(texts: Sequence[str]) -> list[int]:
    return [int(text) for text in texts]


def _category(issue: Issue) -> Sequence[str]:
    return [one["key"] for one in _of(issue, "status", "statusCategory")]


def _text(operand: Operand) -> str:
    if isinstance(operand, Value):
        return operand.text
    name = operand.name if isinstance(operand, Call) else "EMPTY"
    raise RefusalError(400, f"Unable to find JQL function '{name}()' for this field.")
