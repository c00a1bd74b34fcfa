"""How texts are compared, in Python and in SQL: without regard to case and to surrounding space.

Most rows are ASCII, and for those SQLite's own `lower` and `trim` do; a registered Python function sees the others
only, so that a scan of all items stays inside SQLite.
"""

from __future__ import annotations

import sqlite3
import unicodedata

_SPACES = "char(9,10,11,12,13,28,29,30,31,32)"
"""SQL for the ASCII characters that `str.strip` takes off."""


def fold(text: str) -> str:
    """A text as it is compared: case-folded, composed, without surrounding space."""
    return unicodedata.normalize("NFC", text.casefold()).strip()


def ascii_or(column: str, native: str, function: str) -> str:
    """SQL that computes `native` for ASCII texts (and NULL), and calls the registered `function` for the others."""
    return f"CASE WHEN length({column}) <> length(CAST({column} AS BLOB)) THEN {function}({column}) ELSE {native} END"


def fold_sql(column: str) -> str:
    """SQL for `fold` of a column; NULL of NULL."""
    return ascii_or(column, f"lower(trim({column}, {_SPACES}))", "fold")


def blank_sql(column: str) -> str:
    """SQL for whether `fold` of a column leaves nothing; never NULL. Most texts show it by their first character."""
    return f"CASE WHEN {column} BETWEEN '!' AND '~' THEN 0 ELSE ifnull({fold_sql(column)}, '') = '' END"


def is_one_of_sql(column: str, count: int) -> str:
    """SQL for whether `fold` of a column is one of so many parameters, which are folded; NULL of NULL.

    NOCASE saves making a text in small letters of each row's; in folded texts there is nothing for it to do.
    """
    value = ascii_or(column, f"trim({column}, {_SPACES})", "fold")
    return f"({value}) COLLATE NOCASE IN ({', '.join('?' * count)})"


def contains_sql(column: str) -> str:
    """SQL for whether a parameter, which is folded, is somewhere in `fold` of a column; NULL of NULL."""
    return f"instr({ascii_or(column, f'lower({column})', 'fold')}, ?) > 0"


def register(connection: sqlite3.Connection) -> None:
    """Give the connection the function that `fold_sql` calls."""
    connection.create_function("fold", 1, fold, deterministic=True)
