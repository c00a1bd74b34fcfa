"""The one escape of the rule language, `sql = "…"`: a condition in SQL over the columns of one work item.

What it may do is decided once, when the file is read: SQLite prepares it against an empty table of the same columns,
and its authorizer reports all that it would read and call. Nothing but those columns and a list of harmless functions
is let through, so that no rule can write, look into other tables or files, read the clock, or ask of other items.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from rules.clauses import Expression, Subject
from rules.columns import COLUMNS, Kind, custom_path
from rules.words import meant

FUNCTIONS = (
    "abs", "coalesce", "glob", "ifnull", "iif", "instr", "json_array_length", "json_each", "json_extract", "length",
    "like", "lower", "ltrim", "max", "min", "nullif", "replace", "round", "rtrim", "substr", "trim", "upper",
)  # fmt: skip
"""What an expression may call; `like` and `glob` are the operators of these names."""

LONGEST = 4_000
"""Characters of an expression."""
STEPS_EACH, STEPS_ANYWAY = 5_000, 2_000_000
"""Steps of SQLite's machine for each item, on average, and besides; ordinary expressions take some dozens."""
LARGEST = 1_000_000
"""Bytes of any text that it reads, or makes on the way: no step can be interrupted, and some take the square of it."""
LARGEST_ALONE = 20_000
"""Bytes of any text that it makes from the few characters that it is tried with."""

_SHUT = {
    "updated_at": "our own labels move it: use status_since",
    "labels": 'our own are among them: write labels = "has X" beside the sql',
    "fields": 'name the custom field: fields."Cost centre"',
}
_DAYS = {f"{name}_day": name for name, column in COLUMNS.items() if column.kind is Kind.DATE and name not in _SHUT}
WORDS = {**{name: name for name in COLUMNS if name not in _SHUT}, **_DAYS}
"""Every name that an expression may read -> the column that it stands for. `due_at_day` is the day as a number."""

_TABLE = "one work item"
"""No rule file names it, so that an expression cannot ask of other items."""

_TOKEN = re.compile(
    r"""(?P<custom>\bfields\s*\.\s*"(?P<name>[^"\\]+)")|\b(?P<bare>fields)\b|'(?:[^']|'')*'|"(?P<quoted>[^"]*)"|(?P<strange>--|/\*|[;`\[?])"""
    r"""|(?P<bracket>[()])|[^'"();`\[?]""",
    re.S | re.I,
)


class EscapeError(ValueError):
    """SQL that a rule may not hold; the message is a sentence with the reason."""


def expression(wrote: str) -> Expression:
    """The clause that the SQL means. Raises EscapeError."""
    if not wrote.strip():
        raise EscapeError("the SQL is empty: write a condition, such as due_at_day < started_at_day")
    if len(wrote) > LONGEST:
        raise EscapeError(f"the SQL is longer than {LONGEST} characters: split the rule")
    text, custom = _closed(wrote.strip())
    names = _read(text)
    subjects = {Subject(WORDS[name]) for name in names if name in WORDS} | {
        Subject(name, custom=True) for name in custom
    }
    if not subjects:
        raise EscapeError("the SQL names no column, and so says the same of every item: name one")
    return Expression(text, tuple(sorted(subjects, key=str)), " ".join(wrote.split()))


def _closed(wrote: str) -> tuple[str, list[str]]:
    """The SQL with its custom fields looked up, and their names; refused unless its brackets stand for themselves."""
    text, custom, depth = "", list[str](), 0
    at = 0
    while at < len(wrote):
        token = _TOKEN.match(wrote, at)
        if token is None:
            raise EscapeError("a text in the SQL does not end: close it with a single quote")
        at = token.end()
        _refuse_token(token)
        depth += {"(": 1, ")": -1}.get(token["bracket"] or "", 0)
        if depth < 0:
            break
        if token["custom"]:
            custom.append(token["name"])
            path = custom_path(token["name"]).replace("'", "''")
            text += f"json_extract(fields, '{path}')"
        else:
            text += token[0]
    if depth:
        raise EscapeError("the brackets of the SQL do not match: each ( needs its )")
    return text, custom


def _refuse_token(token: re.Match[str]) -> None:
    if token["bare"]:
        raise EscapeError(f"the SQL cannot read fields: {_SHUT['fields']}")
    if token["strange"]:
        raise EscapeError(f'the SQL holds "{token["strange"]}": it is one condition, without comments or parameters')
    quoted = token["quoted"]
    if quoted is not None and quoted not in WORDS:
        raise EscapeError(
            f"\"{quoted}\" is no column{meant(quoted, list(WORDS))}; a text stands in single quotes: '{quoted}'"
        )


class _Guard:
    """SQLite asks it about everything that a statement would do; the first refusal is kept as a sentence."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.refusal = ""

    def __call__(self, action: int, first: str | None, second: str | None, *_: object) -> int:
        why = self._why(action, first or "", second or "")
        if not why:
            return sqlite3.SQLITE_OK
        self.refusal = self.refusal or why
        return sqlite3.SQLITE_DENY

    def _why(self, action: int, first: str, second: str) -> str:
        if action == sqlite3.SQLITE_SELECT:
            return ""
        if action == sqlite3.SQLITE_READ:
            return self._why_not_read(first, second)
        if action == sqlite3.SQLITE_FUNCTION:
            fine = second in FUNCTIONS
            return "" if fine else _no_function(second)
        return "the SQL would do more than look at the item's columns, and nothing else is allowed"

    def _why_not_read(self, table: str, column: str) -> str:
        if table == "json_each":
            return ""
        if table != _TABLE:
            return f'the SQL reads the table "{table}", and may only read the columns of the item itself'
        if column and column not in WORDS and column != "fields":
            return _no_column(column)
        self.names.add(column)
        return ""


def _read(text: str) -> set[str]:
    """The names that the SQL reads. Raises EscapeError for all that it must not do."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        guard = _prepared(connection)
        try:
            with limited(connection, 2, LARGEST_ALONE):
                connection.execute(f'SELECT 1 FROM "{_TABLE}" WHERE {truth(text)}').fetchall()
        except sqlite3.Error as error:
            why = guard.refusal or _sentence(str(error))
            if why:
                raise EscapeError(why) from None
        return guard.names
    finally:
        connection.close()


def _prepared(connection: sqlite3.Connection) -> _Guard:
    """A table of an empty item and a full one, with the guard before it."""
    names = (*WORDS, "fields")
    connection.execute(f'CREATE TABLE "{_TABLE}" ({", ".join(names)})')
    lists = [name for name, column in COLUMNS.items() if column.kind is Kind.PEOPLE]
    full = ['["a", "b"]' if name in lists else "{}" if name == "fields" else "12" for name in names]
    marks = ", ".join("?" for _ in names)
    connection.executemany(f'INSERT INTO "{_TABLE}" VALUES ({marks})', [[None] * len(names), full])
    connection.execute("SELECT 1 FROM json_each('[]')").fetchall()  # makes itself known before the guard stands
    guard = _Guard()
    connection.set_authorizer(guard)
    return guard


_DATA = ("malformed JSON", "integer overflow", "bad JSON path")
"""Errors that depend on what is in a column: such a rule fails when it meets the item, and alone."""


def _sentence(error: str) -> str:
    absent = re.fullmatch(r"no such column: (.*)", error)
    if absent:
        return _no_column(absent[1])
    if re.fullmatch(r"no such table: .*", error):
        return f'the SQL reads the table "{error[15:]}", and may only read the columns of the item itself'
    if "no such function: " in error:
        return _no_function(error.rpartition(" ")[2])
    if "interrupted" in error or "too big" in error:
        return "the SQL takes too long, or too much memory, for a single item: make it simpler"
    return "" if any(data in error for data in _DATA) else f"SQLite cannot read the SQL: {error}"


def _no_function(name: str) -> str:
    return f"the SQL calls {name}, which rules may not: they have {', '.join(FUNCTIONS)}"


def failure(error: sqlite3.Error) -> str:
    """Why a rule could not be evaluated, for people: mostly its SQL met an item that it cannot be asked of."""
    if "interrupted" in str(error):
        return "its SQL takes too long; make it simpler"
    if "too big" in str(error):
        return f"its SQL reads or makes a text of over {LARGEST // 1_000_000} MB; ask for less of it"
    return str(error)


def _no_column(name: str) -> str:
    if name in _SHUT:
        return f"the SQL cannot read {name}: {_SHUT[name]}"
    return f'the SQL names "{name}", and there is no such column{meant(name, list(WORDS))}'


def truth(text: str) -> str:
    """SQL for whether the expression holds: 1 or 0, never NULL."""
    return f"(({text}) IS TRUE)"


@contextmanager
def limited(connection: sqlite3.Connection, items: int, largest: int = LARGEST) -> Iterator[None]:
    """While it lasts, a statement over so many items that runs away ends with `sqlite3.Error`.

    So does one that makes a text of more than `largest` bytes.
    """
    every = 20_000
    left = (items * STEPS_EACH + STEPS_ANYWAY) // every

    def tick() -> int:
        nonlocal left
        left -= 1
        return int(left < 0)

    before = connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, largest)
    connection.set_progress_handler(tick, every)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, before)
