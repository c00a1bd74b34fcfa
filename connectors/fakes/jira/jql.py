"""The grammar of JQL, as far as a connector needs it; what a real Jira refuses to parse is refused here.

https://support.atlassian.com/jira-software-cloud/docs/what-is-advanced-search-in-jira-cloud/
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from connectors.fakes.jira.refusals import RefusalError

_WORDS = """
abort access add after alias all alter and any as asc audit avg before begin between boolean break by byte catch cf
char character check checkpoint collate collation column commit connect continue count create current date decimal
declare decrement default defaults define delete delimiter desc difference distinct divide do double drop else empty
encoding end equals escape exclusive exec execute exists explain false fetch file field first float for from function
go goto grant greater group having identified if immediate in increment index initial inner inout input insert int
integer intersect intersection into is isempty isnull join last left less like limit lock long max min minus mode
modify modulo more multiply next noaudit not notin nowait null number object of on option or order outer output power
previous prior privileges public raise raw remainder rename resource return returns revoke right row rowid rownum rows
select session set share size sqrt start strict string subtract sum synonym table then to trans transaction trigger
true uid union unique update user validate values view when whenever where while with
"""
RESERVED = frozenset(_WORDS.split())
"""Words that must stand in quotes."""

TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<operator>!=|!~|>=|<=|=|~|>|<|!)
    | (?P<mark>[(),])
    | (?P<custom>cf\[\d+\])
    | (?P<word>[^\s"'()=!<>~,+.;?|*/%^$#@\[\]&{}`\\]+)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
ESCAPES = {'"': '"', "'": "'", "\\": "\\", "n": "\n", "r": "\r", "t": "\t", " ": " "}

Comparison = Literal["=", "!=", "~", "!~", ">", ">=", "<", "<=", "in", "not in", "is", "is not"]


@dataclass(frozen=True)
class Value:
    """A literal; `quoted` tells a text from a number."""

    text: str
    quoted: bool = False


@dataclass(frozen=True)
class Empty:
    """EMPTY or NULL."""


@dataclass(frozen=True)
class Call:
    """A function."""

    name: str
    arguments: tuple[str, ...]


Operand = Value | Empty | Call


@dataclass(frozen=True)
class Clause:
    field: str
    operator: Comparison
    operands: tuple[Operand, ...]


@dataclass(frozen=True)
class Both:
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Either:
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    part: Condition


Condition = Clause | Both | Either | Not


@dataclass(frozen=True)
class Order:
    field: str
    descending: bool = False


@dataclass(frozen=True)
class Query:
    condition: Condition | None
    order: tuple[Order, ...]


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    place: int


def parse(text: str) -> Query:
    """Raises `RefusalError` with 400 for what is no JQL."""
    return _Parser(text).query()


def tokens_of(text: str) -> list[Token]:
    found, place = [], 0
    while text[place:].strip():
        match = TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise _wrong(text, place, "a character that is reserved or a text that does not end")
        found.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        place = match.end()
    return found


def _wrong(text: str, place: int, what: str) -> RefusalError:
    return RefusalError(
        400, f"Error in the JQL Query: {what} near '{text[place : place + 10]}' (character {place + 1})."
    )


class _Parser:
    """Recursive descent: or, and, not, clause."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens_of(text)
        self.at = 0

    def query(self) -> Query:
        condition = None if self.at_end or self.is_word("order") else self.either()
        order: Sequence[Order] = ()
        if self.take_word("order"):
            self.expect_word("by")
            order = self.orders()
        if not self.at_end:
            raise self.wrong("expecting either 'OR' or 'AND'")
        return Query(condition, tuple(order))

    def orders(self) -> list[Order]:
        found = []
        while True:
            name = self.field_name()
            descending = self.take_word("desc")
            if not descending:
                self.take_word("asc")
            found.append(Order(name, descending))
            if not self.take_mark(","):
                return found

    def either(self) -> Condition:
        parts = [self.both()]
        while self.take_word("or"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def both(self) -> Condition:
        parts = [self.negated()]
        while self.take_word("and"):
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def negated(self) -> Condition:
        if self.take_word("not") or self.take("operator", "!"):
            return Not(self.negated())
        if self.take_mark("("):
            inner = self.either()
            self.expect_mark(")")
            return inner
        return self.clause()

    def clause(self) -> Clause:
        name = self.field_name()
        operator = self.operator()
        if operator in ("in", "not in"):
            return Clause(name, operator, self.operand_list())
        operand = self.operand()
        if (operator in ("is", "is not")) != isinstance(operand, Empty) and operator not in ("=", "!="):
            raise self.wrong(f"the operator '{operator}' cannot be used with this value")
        return Clause(name, operator, (operand,))

    def operator(self) -> Comparison:
        if self.take_word("in"):
            return "in"
        if self.take_word("is"):
            return "is not" if self.take_word("not") else "is"
        if self.take_word("not"):
            self.expect_word("in")
            return "not in"
        for word in ("was", "changed"):
            if self.is_word(word):
                raise RefusalError(501, f"This stand-in for Jira does not know '{word}'.")
        token = self.next("an operator")
        if token.kind != "operator" or token.text == "!":
            raise self.wrong("expecting an operator", token)
        return token.text  # type: ignore[return-value]  # the pattern of operators names these alone

    def operand_list(self) -> tuple[Operand, ...]:
        if not self.take_mark("("):
            operand = self.operand()
            if not isinstance(operand, Call):
                raise self.wrong("expecting '('")
            return (operand,)
        found = [self.operand()]
        while self.take_mark(","):
            found.append(self.operand())
        self.expect_mark(")")
        return tuple(found)

    def operand(self) -> Operand:
        token = self.next("a value")
        if token.kind == "string":
            return Value(unescaped(token.text), quoted=True)
        if token.kind != "word":
            raise self.wrong("expecting a value", token)
        if token.text.lower() in ("empty", "null"):
            return Empty()
        if token.text.lower() in RESERVED:
            raise self.wrong(f"'{token.text}' is a reserved JQL word; it must stand in quotes", token)
        if self.take_mark("("):
            return Call(token.text.lower(), self.arguments())
        return Value(token.text)

    def arguments(self) -> tuple[str, ...]:
        found: list[str] = []
        while not self.take_mark(")"):
            token = self.next("an argument")
            found.append(unescaped(token.text) if token.kind == "string" else token.text)
            self.take_mark(",")
        return tuple(found)

    def field_name(self) -> str:
        token = self.next("a field name")
        if token.kind == "string":
            return unescaped(token.text)
        if token.kind == "word" and token.text.lower() in RESERVED:
            raise self.wrong(f"'{token.text}' is a reserved JQL word; it must stand in quotes", token)
        if token.kind in ("word", "custom"):
            return token.text
        raise self.wrong("expecting a field name", token)

    # Tokens

    @property
    def at_end(self) -> bool:
        return self.at >= len(self.tokens)

    def next(self, what: str) -> Token:
        if self.at_end:
            raise _wrong(self.text, len(self.text), f"expecting {what} and not the end")
        self.at += 1
        return self.tokens[self.at - 1]

    def is_word(self, word: str) -> bool:
        token = None if self.at_end else self.tokens[self.at]
        return token is not None and token.kind == "word" and token.text.lower() == word

    def take_word(self, word: str) -> bool:
        found = self.is_word(word)
        self.at += found
        return found

    def take(self, kind: str, text: str) -> bool:
        found = not self.at_end and self.tokens[self.at].kind == kind and self.tokens[self.at].text == text
        self.at += found
        return found

    def take_mark(self, mark: str) -> bool:
        return self.take("mark", mark)

    def expect_mark(self, mark: str) -> None:
        if not self.take_mark(mark):
            raise self.wrong(f"expecting '{mark}'")

    def expect_word(self, word: str) -> None:
        if not self.take_word(word):
            raise self.wrong(f"expecting '{word}'")

    def wrong(self, what: str, token: Token | None = None) -> RefusalError:
        place = token.place if token else self.tokens[self.at].place if not self.at_end else len(self.text)
        return _wrong(self.text, place, what)


def unescaped(string: str) -> str:
    r"""The text in a quoted string; only `\" \' \\ \n \r \t \ ` and `\uXXXX` may stand in one."""

    def meant(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        if match[2] not in ESCAPES:
            raise RefusalError(400, f"Error in the JQL Query: '\\{match[2]}' is an illegal JQL escape sequence.")
        return ESCAPES[match[2]]

    return re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", meant, string[1:-1], flags=re.DOTALL)
