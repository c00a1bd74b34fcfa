"""Reads rule files: strict, with every mistake of every file found at once, each with its place.

A rule file cannot run code. What it cannot say is refused here, with the reason and what was probably meant; what
passes is complete, and means what it says.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from rules.calendar import CalendarTerms
from rules.places import Places
from rules.possible import can_match
from rules.reader import Known, Mistakes, read_rule
from rules.ruleset import Rule, RuleSet
from rules.schema import schema
from rules.text import fold

__all__ = ["Problem", "RuleErrors", "builtin_files", "lint", "load", "schema"]

LARGEST = 1_000_000
"""Bytes of a rule file."""


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """One mistake, and where it stands. `rule` and `field` are empty where there is none to name."""

    file: str
    line: int
    rule: str
    field: str
    why: str

    def __str__(self) -> str:
        rule = f'rule "{self.rule}": ' if self.rule else ""
        field = f"{self.field}: " if self.field else ""
        return f"{self.file}:{self.line}: {rule}{field}{self.why}"


class RuleErrors(Exception):  # noqa: N818 - it holds many errors, and is named so
    """Rule files that cannot be used; `problems` holds all their mistakes, by file and line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


class _FileError(Exception):
    """A file that holds no rules at all: the sentence, and the line."""

    def __init__(self, why: str, line: int = 1) -> None:
        super().__init__(why)
        self.line = line


def builtin_files() -> list[Path]:
    """The rule packs that are shipped, by name."""
    return sorted(_BUILTIN.glob("*.toml"))


def load(files: Sequence[Path], *, prefix: str = "", calendars: Mapping[str, CalendarTerms] | None = None) -> RuleSet:
    """The rules of all files, in the order given. Every label must begin with `prefix`.

    `calendars` are those that tests may name, where they are to be run. Raises RuleErrors with all
    mistakes of all files.
    """
    rules: list[Rule] = []
    problems: list[Problem] = []
    taken: dict[str, str] = {}
    if not files:
        raise RuleErrors([Problem("rules", 1, "", "", "there is no rule file: name at least one in the config")])
    for file in files:
        found, wrong = _load_file(file, Known(prefix, calendars), taken)
        rules += found
        problems += wrong
    if problems:
        raise RuleErrors(problems)
    return RuleSet(tuple(rules), tuple(map(_name_of, files)), prefix)


_BUILTIN = Path(__file__).parent / "builtin"


def _name_of(file: Path) -> str:
    """What a file is called in messages: as it was given, but for a shipped pack, which lies where nobody looks."""
    return f"builtin/{file.name}" if file.parent == _BUILTIN else str(file)


def _load_file(file: Path, known: Known, taken: dict[str, str]) -> tuple[list[Rule], list[Problem]]:
    name = _name_of(file)
    try:
        text = _text_of(file)
        entries = _entries(_parse(text))
    except _FileError as error:
        return [], [Problem(name, error.line, "", "", str(error))]
    places, rules, problems = Places(text), list[Rule](), list[Problem]()
    for number, entry in enumerate(entries):
        mistakes, path = Mistakes(), ("rule", number)
        rule = read_rule(entry, name, path, places, known, mistakes)
        rule_id = entry["id"] if isinstance(entry.get("id"), str) else ""
        problems += [Problem(name, places.line(at), str(rule_id), field, why) for at, field, why in mistakes]
        problems += _duplicate(name, places.line(path), str(rule_id), taken)
        if rule is not None:
            rules.append(rule)
    return rules, problems


def _text_of(file: Path) -> str:
    try:
        if not file.is_file():
            raise _FileError("there is no such file" if not file.exists() else "this is no file that can be read")
        if file.stat().st_size > LARGEST:
            raise _FileError("the file is over 1 MB, which no file of rules needs to be: split it, or name another")
        raw = file.read_bytes()
    except OSError as error:
        raise _FileError(f"the file cannot be read: {error.strerror}") from None
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _FileError("the file is not UTF-8: save it anew with the encoding UTF-8", line) from None


def _parse(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(place[1]) if place and place[1] else text.count("\n") + 1
        what = str(error)[: place.start()] if place else str(error)
        raise _FileError(f"this is not TOML: {what[:1].lower()}{what[1:]}", line) from None
    except RecursionError:
        raise _FileError("the file is nested too deeply to be read") from None


def _entries(document: dict[str, object]) -> list[dict[str, object]]:
    if not document:
        raise _FileError("the file is empty: begin a rule with [[rule]], or take the file out of the config")
    strange = [key for key in document if key != "rule"]
    if strange:
        raise _FileError(f'unknown key "{strange[0]}": a rule file holds [[rule]] tables and nothing else')
    entries = document["rule"]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries) or not entries:
        raise _FileError("rules begin with [[rule]], in two pairs of brackets")
    return entries


def _duplicate(file: str, line: int, rule_id: str, taken: dict[str, str]) -> list[Problem]:
    """The mistake of an id that another rule has; `taken` says where each first stands."""
    key = fold(rule_id)
    if key in taken:
        why = f"this id is taken by the rule in {taken[key]}: give one of them another"
        return [Problem(file, line, rule_id, "id", why)]
    if key:
        taken[key] = f"{file}:{line}"
    return []


_NONE: Mapping[str, str] = MappingProxyType({})
_NO_LENGTHS: Mapping[str, int] = MappingProxyType({})


def lint(
    ruleset: RuleSet, forbidden: Mapping[str, str] = _NONE, max_length: Mapping[str, int] = _NO_LENGTHS
) -> list[Problem]:
    """What is no mistake, but will surprise. By source: the characters that its labels cannot hold, and the longest."""
    problems: list[Problem] = []
    spelling: dict[str, str] = {}
    for rule in ruleset.rules:
        surprises = _surprises(rule, spelling, forbidden, max_length)
        problems += [Problem(rule.file, rule.line, rule.id, field, why) for field, why in surprises]
    return sorted(problems)


def _surprises(
    rule: Rule, spelling: dict[str, str], forbidden: Mapping[str, str], max_length: Mapping[str, int]
) -> list[tuple[str, str]]:
    found = [] if rule.tests else [("test", "the rule has no [[rule.test]]: nobody would notice if it broke")]
    if not can_match(rule):
        found.append(("when", "its conditions contradict each other, so that it can never match: change or drop one"))
    for label in rule.labels:
        other = spelling.setdefault(re.sub(r"[\s_-]+", "-", fold(label)), label)
        if other != label:
            found.append(("label", f'"{label}" and "{other}" are two labels to every tool: write one of them'))
        for source, characters in forbidden.items():
            bad = [character for character in characters if character in label]
            if bad:
                names = " or ".join("a space" if character == " " else f'"{character}"' for character in bad)
                found.append(("label", f'the source "{source}" cannot hold {names} in a label: rename "{label}"'))
        for source, most in max_length.items():
            if len(label) > most:
                found.append(
                    ("label", f'the source "{source}" holds labels of at most {most} characters: shorten "{label}"')
                )
    return found
