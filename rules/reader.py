"""Makes a `Rule` of one `[[rule]]` table, and writes down every mistake on the way instead of stopping at the first."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import pairwise
from typing import TypeGuard

from connectors.model import Exempting
from rules import casecalendar, escape, learned, words
from rules.calendar import CalendarTerms
from rules.clauses import Clause, Group, Joint, Learned, Subject, Test, tests_of
from rules.columns import ANSWERABLE, COLUMNS, Kind
from rules.places import Path, Places
from rules.ruleset import Came, Case, Ladder, Moment, On, Override, Rollout, Rule, RuleSet, Step
from rules.says import PLACES
from rules.text import fold

DEEPEST = 8
"""How deep `any`, `all` and `none` may be nested: more is a slip, and SQLite has a limit too."""
MOST = 200
"""Clauses of one rule, likewise."""
LONGEST_LABEL = 255

RULE_KEYS = {
    "id": "its name, in lower case with hyphens",
    "on": "what it is asked about: item, or initiative",
    "says": "the reason that people read, with {columns} to fill in",
    "label": "the label that it puts",
    "when": "the condition",
    "ladder": "labels by steps, in place of label",
    "rollout": "how its labels come into the tools",
    "test": "items and the labels that they must get",
}
LADDER_KEYS = ("measure", "steps", "override")
STEP_KEYS = ("over", "label", *learned.TERMS)
ROLLOUT_KEYS = ("per_run", "first")
MEANING_KEYS = ("on", "when", "label", "ladder")
OVERRIDE_KEYS = ("when", "steps")
TEST_KEYS = ("now", "item", "history", "calendar", "learned", "expect", "later")
HISTORY_KEYS = ("on", "status", "status_category")
LATER_KEYS = ("on", "expect")
IN_HISTORY = ("status", "status_category", "status_since")
"""Columns that a test's `history` gives, so that its `item` must not."""

DERIVED_FROM = {
    "age_days": "created_at",
    "days_in_status": "status_since",
    "business_days_in_status": "status_since",
    "days_since_review": "outcome_reviewed_at",
    "outcome_grade": "outcome_metric",
    "underway_days": "started_at",
}
UNTESTABLE = ("source", "parent_key", "outcome_from", "initiative_key")
"""Columns that a single item in a test cannot have."""


ONLY_ON = {
    On.ITEM: ("parent_key", "sponsor_above", "outcome_from", "initiative_key"),
    On.INITIATIVE: ("disagree_on", "disagreement"),
}
"""Columns that only an item has, or only an initiative."""


class Mistakes:
    """What is wrong in one rule: (path in the file, field, why)."""

    def __init__(self) -> None:
        self._found: list[tuple[Path, str, str]] = []

    def add(self, path: Path, field: str, why: str) -> None:
        """Write one down."""
        self._found.append((path, field, why))

    def __iter__(self) -> Iterator[tuple[Path, str, str]]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


@dataclass(frozen=True, slots=True)
class Known:
    """What config says that rule files must agree with."""

    prefix: str = ""
    """All labels begin with it."""
    calendars: Mapping[str, CalendarTerms] | None = None
    """Those that tests may name; None where tests will not be run, so that it does not matter."""


class _Reader:
    """Reads one rule; every method takes the path of what it reads, and gives nothing where that is a mistake."""

    def __init__(self, known: Known, places: Places, mistakes: Mistakes) -> None:
        self.prefix, self.calendars, self.places, self.mistakes = known.prefix, known.calendars, places, mistakes
        self.on = On.ITEM

    def wrong(self, path: Path, field: str, why: str) -> None:
        self.mistakes.add(path, field, why)

    def table(self, value: object, path: Path, field: str, allowed: Sequence[str]) -> dict[str, object] | None:
        """A table of the allowed keys."""
        if not isinstance(value, dict):
            self.wrong(path, field, f"this is a table with the keys {', '.join(allowed)}, and not {_kind(value)}")
            return None
        for key in value:
            if key not in allowed:
                why = f'unknown key "{key}"{words.meant(key, allowed)}; allowed are {", ".join(allowed)}'
                self.wrong((*path, key), field, why)
        return value

    def text(self, entry: dict[str, object], key: str, path: Path, field: str) -> str | None:
        """A text that must be there, and say something."""
        value = entry.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
        why = "this is missing" if key not in entry else f"this must be a text that is not empty, not {_kind(value)}"
        self.wrong((*path, key), field, why)
        return None

    def id(self, entry: dict[str, object], path: Path) -> str | None:
        text = self.text(entry, "id", path, "id")
        if text is not None and not re.fullmatch(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*", text):
            self.wrong((*path, "id"), "id", f'"{text}" must be lower-case letters, digits and hyphens: no-metric')
            return None
        return text

    def kind(self, entry: dict[str, object], path: Path) -> On:
        """What the rule is asked about; from then on, columns that this does not have are mistakes."""
        value = entry.get("on", "item")
        if value in list(On):
            self.on = On(str(value))
        else:
            self.wrong((*path, "on"), "on", f'write "item" or "initiative", and not {_kind(value)}')
        return self.on

    def has(self, name: str, path: Path, field: str) -> bool:
        """Whether what the rule is about has this column."""
        for on, names in ONLY_ON.items():
            if on is not self.on and name in names:
                hint = 'write on = "initiative" in the rule' if on is On.INITIATIVE else "leave it out"
                self.wrong(path, field, f"only {'initiatives' if on is On.INITIATIVE else 'items'} have this: {hint}")
                return False
        return True

    def label(self, entry: dict[str, object], path: Path, field: str = "label") -> str | None:
        text = self.text(entry, "label", path, field)
        if text is None:
            return None
        if not text.startswith(self.prefix):
            why = f'"{text}" must begin with "{self.prefix}", which marks the labels that are ours'
            self.wrong((*path, "label"), field, why)
        elif self.prefix and Exempting(f"{self.prefix}exempt", date.min).names(text):
            why = f'"{text}" is how people exempt an item, and so no rule\'s label: choose another'
            self.wrong((*path, "label"), field, why)
        elif not text.isprintable() or len(text) > LONGEST_LABEL or text == self.prefix:
            why = f"a label is one line of at most {LONGEST_LABEL} characters, and more than its prefix"
            self.wrong((*path, "label"), field, why)
        else:
            return text
        return None

    def says(self, entry: dict[str, object], path: Path) -> tuple[str | Subject, ...]:
        text = self.text(entry, "says", path, "says")
        if text is None:
            return ()
        place, parts = (*path, "says"), list[str | Subject]()
        for number, piece in enumerate(PLACES.split(text)):
            part = self.place_in_says(piece, place) if number % 2 else piece
            if number % 2 == 0 and ("{" in piece or "}" in piece):
                self.wrong(place, "says", "a brace stands alone: write {column}, with both")
            if part:
                parts.append(part)
        return tuple(parts)

    def place_in_says(self, name: str, place: Path) -> Subject | None:
        custom = re.fullmatch(r'fields\.(?:"([^"]+)"|(.+))', name.strip())
        if custom:
            return Subject(custom[1] or custom[2], custom=True)
        if name.strip() in COLUMNS:
            return Subject(name.strip()) if self.has(name.strip(), place, "says") else None
        self.wrong(place, "says", f'there is no column "{name}"{words.meant(name, list(COLUMNS))}')
        return None

    def clause(self, value: object, path: Path, field: str) -> Clause | None:
        """A condition: a table of columns, and of `any`, `all` and `none`; all of them must hold."""
        if not isinstance(value, dict):
            why = f'a condition is a table, {{ status_category = "not done" }}, and not {_kind(value)}'
            self.wrong(path, field, why)
            return None
        if not value:
            self.wrong(path, field, "the condition is empty, and a rule never means everything: name a column")
            return None
        if sum(isinstance(step, str) and step in list(Joint) for step in path) > DEEPEST:
            self.wrong(path, field, f"any, all and none are nested more than {DEEPEST} deep: split the rule")
            return None
        parts = [part for key, inner in value.items() for part in self.parts(key, inner, (*path, key))]
        return _joined(Joint.ALL, [part for part in parts if part is not None]) if None not in parts else None

    def parts(self, key: str, value: object, path: Path) -> list[Clause | None]:
        if key in list(Joint):
            return [self.group(Joint(key), value, path)]
        if key == "fields":
            return self.fields(value, path)
        if key == "sql":
            return [self.sql(value, path)]
        if key not in COLUMNS:
            allowed = [*COLUMNS, *Joint, "fields", "sql"]
            why = f'there is no column "{key}"{words.meant(key, allowed)}; `unstuck rules columns` lists them'
            self.wrong(path, key, why)
            return [None]
        return [self.test(Subject(key), value, path) if self.may_ask(key, path) else None]

    def may_ask(self, name: str, path: Path) -> bool:
        """Whether the rule's condition may ask this column."""
        if name == "updated_at":
            self.wrong(path, name, "no rule may ask this, as our own labels move it: use status_since")
            return False
        return self.has(name, path, name)

    def group(self, joint: Joint, value: object, path: Path) -> Clause | None:
        entries = value if isinstance(value, list) else [value]
        if not entries:
            self.wrong(path, joint, "the list is empty: name at least one condition")
            return None
        parts = [self.clause(entry, (*path, number), joint) for number, entry in enumerate(entries)]
        known = [part for part in parts if part is not None]
        return _joined(joint, known) if len(known) == len(parts) else None

    def sql(self, value: object, path: Path) -> Clause | None:
        if not isinstance(value, str):
            self.wrong(path, "sql", f"this is a condition as a text in quotes, and not {_kind(value)}")
            return None
        try:
            return escape.expression(value)
        except escape.EscapeError as error:
            self.wrong(path, "sql", str(error))
            return None

    def fields(self, value: object, path: Path) -> list[Clause | None]:
        if not isinstance(value, dict) or not value:
            self.wrong(path, "fields", 'name the custom field: fields."Cost centre" = "missing"')
            return [None]
        found: list[Clause | None] = []
        for name, inner in value.items():
            if not name.strip() or not name.isprintable() or '"' in name or "\\" in name:
                why = "a custom field's name cannot hold quotes, backslashes or line breaks: rename it in config"
                self.wrong((*path, name), "fields", why)
                found.append(None)
            else:
                found.append(self.test(Subject(name, custom=True), inner, (*path, name)))
        return found

    def test(self, subject: Subject, value: object, path: Path) -> Clause | None:
        try:
            test = words.parse(subject, value)
            if any(isinstance(word, Learned) for word in test.words):
                self.can_learn(subject)
        except ValueError as error:
            self.wrong(path, str(subject), str(error))
            return None
        if subject.kind is Kind.LABELS and self.prefix:
            return self.foreign(test, path)
        return test

    def foreign(self, test: Test, path: Path) -> Clause | None:
        named = [value for word in test.words for value in getattr(word, "values", ())]
        own = next((value for value in named if value.startswith(fold(self.prefix))), None)
        if own is None:
            return test
        why = f'"{own}" is one of our own labels, which rules cannot see: name what the other rule asks instead'
        self.wrong(path, str(test.subject), why)
        return None

    def ladder(self, value: object, path: Path) -> Ladder | None:
        entry = self.table(value, path, "ladder", LADDER_KEYS)
        if entry is None:
            return None
        measure = self.measure(entry, path)
        steps = self.steps(entry, path, measure)
        overrides = self.overrides(entry.get("override", []), (*path, "override"), measure)
        return Ladder(measure, steps, overrides) if measure and steps and overrides is not None else None

    def measure(self, entry: dict[str, object], path: Path) -> Subject | None:
        name = self.text(entry, "measure", path, "ladder.measure")
        numbers = [column.name for column in COLUMNS.values() if column.kind is Kind.NUMBER]
        if name is None or name in numbers:
            return Subject(name) if name else None
        why = f'"{name}" is no column of numbers{words.meant(name, numbers)}; write one of {", ".join(numbers)}'
        self.wrong((*path, "measure"), "ladder.measure", why)
        return None

    def steps(self, entry: dict[str, object], path: Path, measure: Subject | None) -> tuple[Step, ...]:
        """Steps that rise; none where one of them is a mistake."""
        value, place = entry.get("steps"), (*path, "steps")
        if not isinstance(value, list) or not value:
            self.wrong(place, "ladder.steps", 'name at least one step: steps = [ { over = 10, label = "…" } ]')
            return ()
        steps = [self.step(step, (*place, number), measure) for number, step in enumerate(value)]
        known = [step for step in steps if step is not None]
        if len(known) < len(steps):
            return ()
        for lower, higher in pairwise(known):
            why = learned.rises(lower, higher)
            if why:
                self.wrong((*place, known.index(higher)), "ladder.steps", f"the steps must rise, and {why}")
        if len({step.label for step in known}) < len(known):
            self.wrong(place, "ladder.steps", "two steps have one label: give each its own")
        return tuple(known)

    def step(self, value: object, path: Path, measure: Subject | None) -> Step | None:
        entry = self.table(value, path, "ladder.steps", STEP_KEYS)
        if entry is None:
            return None
        label, over = self.label(entry, path, "ladder.steps.label"), entry.get("over")
        if isinstance(over, bool) or not isinstance(over, int | float | str):
            why = 'each step needs a number, over = 10, or a percentile, over = "p85"'
            self.wrong((*path, "over"), "ladder.steps", why)
            return None
        if measure is None or label is None:
            return None
        try:
            return Step(self.threshold(measure, over, entry), label)
        except ValueError as error:
            self.wrong((*path, "over"), "ladder.steps", str(error))
            return None

    def threshold(self, measure: Subject, over: float | str, entry: dict[str, object]) -> float | Learned:
        """What a step must be over. Raises ValueError with one sentence."""
        terms = {name: value for name, value in entry.items() if name in learned.TERMS}
        if isinstance(over, str):
            found = learned.read(over, terms)
            self.can_learn(measure)
            return found
        words.parse(measure, over)
        if terms:
            raise ValueError(f'{next(iter(terms))} goes with a percentile, such as over = "p85", and not with a number')
        return float(over)

    def can_learn(self, subject: Subject) -> None:
        """Raises ValueError with one sentence where a percentile has no past to come from."""
        if subject != Subject(learned.MEASURE):
            raise ValueError(f"a percentile can be learned of {learned.MEASURE} only: measure that, or write a number")
        if self.on is On.INITIATIVE:
            raise ValueError("an initiative has no statuses of its own to learn from: write a number")

    def overrides(self, value: object, path: Path, measure: Subject | None) -> tuple[Override, ...] | None:
        if not isinstance(value, list):
            self.wrong(path, "ladder.override", "write it as [[rule.ladder.override]], in two pairs of brackets")
            return None
        found = [self.override(entry, (*path, number), measure) for number, entry in enumerate(value)]
        known = tuple(override for override in found if override is not None)
        return known if len(known) == len(found) else None

    def override(self, value: object, path: Path, measure: Subject | None) -> Override | None:
        entry = self.table(value, path, "ladder.override", OVERRIDE_KEYS)
        if entry is None:
            return None
        when = self.clause(entry.get("when", {}), (*path, "when"), "ladder.override.when")
        steps = self.steps(entry, path, measure)
        return Override(when, steps) if when and steps else None

    def rollout(self, value: object, path: Path) -> Rollout:
        """What `rollout` says; the default where that is a mistake."""
        if value == "now":
            return Rollout(now=True)
        if not isinstance(value, dict) or not value:
            why = f'write "now", {{ per_run = 25 }} or {{ first = "Collection name" }}, and not {_kind(value)}'
            self.wrong(path, "rollout", why)
            return Rollout()
        entry = self.table(value, path, "rollout", ROLLOUT_KEYS) or {}
        per_run, first = entry.get("per_run"), None
        if per_run is not None and (isinstance(per_run, bool) or not isinstance(per_run, int) or per_run < 1):
            self.wrong((*path, "per_run"), "rollout.per_run", "this is how many items a run may label: 1 or more")
            per_run = None
        if "first" in entry:
            first = self.text(entry, "first", path, "rollout.first")
        return Rollout(per_run=per_run, first=first)

    def cases(self, value: object, path: Path, labels: Sequence[str], percents: Sequence[int]) -> tuple[Case, ...]:
        if not isinstance(value, list):
            self.wrong(path, "test", "write it as [[rule.test]], in two pairs of brackets")
            return ()
        found = [self.case(entry, (*path, number), labels, percents) for number, entry in enumerate(value)]
        return tuple(case for case in found if case is not None)

    def case(self, value: object, path: Path, labels: Sequence[str], percents: Sequence[int]) -> Case | None:
        entry = self.table(value, path, "test", TEST_KEYS)
        if entry is None:
            return None
        now, item = entry.get("now"), entry.get("item")
        if not isinstance(now, date):
            self.wrong((*path, "now"), "test.now", "write the day for which it is tested: now = 2026-03-20")
            return None
        if not isinstance(item, dict):
            self.wrong((*path, "item"), "test.item", 'write the item as a table: item = { status = "To do" }')
            return None
        for name, inner in item.items():
            if self.has(name, (*path, "item", name), f"test.item.{name}"):
                self.item_value(name, inner, (*path, "item", name))
        history = self.history(entry, path, item, _day_of(now))
        first = Moment(now, self.expected(entry, path, "test.expect", labels), self.places.line(path))
        later = self.later(entry, path, labels, _day_of(now))
        calendar = self.calendar(entry, path)
        past, items = self.past(entry.get("learned", {}), (*path, "learned"), percents)
        return Case(tuple(sorted(item.items())), (first, *later), history, self.on, calendar, past, items)

    def past(
        self, value: object, path: Path, percents: Sequence[int]
    ) -> tuple[tuple[tuple[int, int], ...], int | None]:
        """What a test says of its team's past: percentile -> days, and from how many items, if that is said."""
        asked = tuple(f"p{percent}" for percent in percents)
        entry = self.table(value, path, "test.learned", (*asked, "items"))
        whole = {name: days for name, days in (entry or {}).items() if _is_count(days)}
        if entry is not None and len(whole) < len(entry):
            self.wrong(path, "test.learned", "these are whole numbers: learned = { p85 = 6, items = 143 }")
        items = whole.get("items")
        return tuple((percent, whole[f"p{percent}"]) for percent in percents if f"p{percent}" in whole), items

    def calendar(self, entry: dict[str, object], path: Path) -> str | CalendarTerms | None:
        """The test's own calendar; none where there is a mistake, or it counts plain weeks."""
        if "calendar" not in entry:
            return None
        try:
            calendar = casecalendar.read(entry["calendar"])
            if self.calendars is not None:
                casecalendar.check(calendar, self.calendars)
        except ValueError as error:
            self.wrong((*path, "calendar"), "test.calendar", str(error))
            return None
        return calendar

    def history(self, entry: dict[str, object], path: Path, item: dict[str, object], first: date) -> tuple[Came, ...]:
        """Where the item stood, rising in time; none where there is a mistake, or no history."""
        place = (*path, "history")
        if "history" not in entry:
            return ()
        found = [came for at, table in self.dated(entry["history"], place, "test.history", HISTORY_KEYS)
                 if (came := self.came(table, at))]  # fmt: skip
        for name in IN_HISTORY:
            if name in item:
                self.wrong((*path, "item", name), f"test.item.{name}", "the history says this: write it in one of both")
        if found and found[0].on > first:
            why = f"the item was nowhere on {first}: begin its history on that day or before"
            self.wrong(place, "test.history", why)
        for before, after in pairwise(found):
            if (before.status, before.status_category) == (after.status, after.status_category):
                self.wrong(place, "test.history", f'"{after.status}" comes twice in a row: leave the second one out')
        return tuple(found)

    def came(self, entry: dict[str, object], path: Path) -> Came | None:
        status, category = self.text(entry, "status", path, "test.history"), entry.get("status_category")
        why = item_mistake("status_category", category) if "status_category" in entry else ""
        if why:
            self.wrong((*path, "status_category"), "test.history", why)
        day = entry["on"]
        return Came(day, status, str(category) if category else None) if status and isinstance(day, date) else None

    def later(self, entry: dict[str, object], path: Path, labels: Sequence[str], first: date) -> list[Moment]:
        """The days after the first on which the test looks again."""
        place, found = (*path, "later"), list[Moment]()
        for at, table in self.dated(entry.get("later", []), place, "test.later", LATER_KEYS):
            day = table["on"]
            if isinstance(day, date):
                expect = self.expected(table, at, "test.later", labels)
                found.append(Moment(day, expect, self.places.line(at)))
        if found and isinstance(found[0].now, date) and found[0].now <= first:
            self.wrong(place, "test.later", f"{found[0].now} is not later than now, {first}: put the days in order")
        return found

    def dated(
        self, value: object, path: Path, field: str, allowed: Sequence[str]
    ) -> Iterator[tuple[Path, dict[str, object]]]:
        """The tables of a list, each with the day `on`, which rises."""
        if not isinstance(value, list) or ("history" in field and not value):
            self.wrong(path, field, f"this is a list of tables: [ {{ on = 2026-03-05, {allowed[1]} = … }} ]")
            return
        before: date | None = None
        for number, inner in enumerate(value):
            entry, place = self.table(inner, (*path, number), field, allowed), (*path, number)
            day = entry.get("on") if entry is not None else None
            if entry is None:
                continue
            if not isinstance(day, date) or isinstance(day, datetime):
                self.wrong((*place, "on"), field, "write the day without a time: on = 2026-03-05")
            elif before is not None and day <= before:
                self.wrong((*place, "on"), field, f"the days must rise, and {day} comes after {before}")
            else:
                before = day
                yield place, entry

    def expected(self, entry: dict[str, object], path: Path, field: str, labels: Sequence[str]) -> frozenset[str]:
        value, place = entry.get("expect"), (*path, "expect")
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(label, str) for label in values):
            self.wrong(place, field, "write the label that it must get, or [] for none")
            return frozenset()
        for label in values:
            if label not in labels:
                why = f'this rule never puts "{label}"{words.meant(label, labels)}; it puts {", ".join(labels)}'
                self.wrong(place, field, why)
        return frozenset(values)

    def item_value(self, name: str, value: object, path: Path) -> None:
        """Whether a test's item can have this value."""
        why = item_mistake(name, value)
        if why:
            self.wrong(path, f"test.item.{name}", why)


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _day_of(now: date) -> date:
    return now.date() if isinstance(now, datetime) else now


def item_mistake(name: str, value: object) -> str:
    """Why an item in a test cannot have this value in this column; empty where it can."""
    if name == "unknown":
        return "" if _texts(value, ANSWERABLE) else "this is the list of the columns that the tool cannot answer"
    if name == "fields":
        fine = isinstance(value, dict) and all(isinstance(inner, str) for inner in value.values())
        return "" if fine else 'custom fields are texts: fields = { "Cost centre" = "4711" }'
    if name in DERIVED_FROM:
        return f"this is worked out from {DERIVED_FROM[name]}: write that instead"
    if name not in COLUMNS or name in UNTESTABLE:
        known = [column for column in COLUMNS if column not in (*DERIVED_FROM, *UNTESTABLE)]
        return f"an item in a test has no such column{words.meant(name, known)}"
    wanted, fits = _FITS[COLUMNS[name].kind]
    return "" if fits(value) else f"this must be {wanted}, and not {_kind(value)}"


def _texts(value: object, among: Sequence[str] | None = None) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, str) and (among is None or entry in among) for entry in value
    )


_FITS: dict[Kind, tuple[str, Callable[[object], bool]]] = {
    Kind.TEXT: ("a text in quotes", lambda value: isinstance(value, str)),
    Kind.CATEGORY: (
        '"todo", "in progress" or "done"',
        lambda value: isinstance(value, str) and fold(value).replace("_", " ") in ("todo", "in progress", "done"),
    ),
    Kind.DATE: ("a day such as 2026-03-05", lambda value: isinstance(value, date)),
    Kind.NUMBER: ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    Kind.PEOPLE: ("a list of texts", _texts),
    Kind.LABELS: ("a list of texts", _texts),
}


def _joined(joint: Joint, parts: Sequence[Clause]) -> Clause:
    if len(parts) == 1 and joint is not Joint.NONE:
        return parts[0]
    return Group(joint, tuple(parts))


def _kind(value: object) -> str:
    """What a value is, in words."""
    names: tuple[tuple[type, str], ...] = (
        (bool, str(value).lower()),
        (str, f'"{value}"'),
        (int, str(value)),
        (float, str(value)),
        (list, "a list"),
        (dict, "a table"),
        (datetime, "a time"),
        (date, "a date"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "a time of day")


def read_rule(
    entry: dict[str, object], file: str, path: Path, places: Places, known: Known, mistakes: Mistakes
) -> Rule | None:
    """The rule, or None where `mistakes` says what is wrong with it."""
    reader = _Reader(known, places, mistakes)
    reader.table(entry, path, "", tuple(RULE_KEYS))
    on = reader.kind(entry, path)
    rule_id, says = reader.id(entry, path), reader.says(entry, path)
    when = reader.clause(entry.get("when", {}), (*path, "when"), "when")
    label = ladder = None
    if "ladder" not in entry:
        label = reader.label(entry, path)
    elif "label" in entry:
        reader.wrong(
            (*path, "label"), "label", "a rule has a label or a ladder, not both: the ladder's steps have theirs"
        )
    else:
        ladder = reader.ladder(entry["ladder"], (*path, "ladder"))
    rollout = reader.rollout(entry["rollout"], (*path, "rollout")) if "rollout" in entry else Rollout()
    if when is not None and sum(1 for _ in tests_of(when)) > MOST:
        reader.wrong((*path, "when"), "when", f"the condition has more than {MOST} clauses: split the rule")
    rule = Rule(rule_id or "", says, when or Group(Joint.ALL, ()), label, ladder, file, places.line(path))
    percents = learned.percents(RuleSet((rule,), ()))
    tests = reader.cases(entry.get("test", []), (*path, "test"), rule.labels, percents) if not mistakes else ()
    if mistakes:
        return None
    return replace(rule, on=on, tests=tests, rollout=rollout, meaning=_meaning(entry))


def _meaning(entry: dict[str, object]) -> str:
    """A hash of what the file says, so that it stays the same when the classes made of it change."""
    told = {key: entry[key] for key in MEANING_KEYS if key in entry}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]
