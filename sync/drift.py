"""What vanished from a tool since the last run: a field, a status, a label of ours. Then rules see what is not so.

Renaming is the usual cause, and nobody tells the daemon. Compared is with what was seen in the last run that no brake
stopped; so a brake trips again until somebody has looked.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rules.clauses import Clause, Contains, Expression, Group, OneOf, Subject, Test
from rules.columns import custom_path, unknown_bit
from rules.ruleset import RuleSet
from rules.table import INITIATIVE, PULLED
from rules.text import fold
from sync.brakes import Tripped
from sync.config import Brakes, Config

_LITTLE = 10
"""A tenth is next to nothing: a few items may have been edited meanwhile."""
_HALF = 0.5
"""A new status with so large a share of the items of one that is gone looks like the same under another name."""

STATUS = Subject("status")

Depends = Callable[[str, str], bool]
"""(source, status) -> whether config or a rule goes by this name."""


@dataclass(frozen=True, slots=True, order=True)
class Field:
    """A mapped field, in one collection: sheets and boards have columns of their own."""

    source: str
    collection: str
    column: str
    """The work item's column, or the name that config gives the field."""
    name: str
    """The name or id in the tool."""


@dataclass(frozen=True, slots=True, order=True)
class Status:
    """A status, in one collection: ids of two collections may mean different things."""

    source: str
    collection: str
    id: str
    """"" where the tool has none."""
    name: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What the stored items show."""

    fields: Mapping[Field, tuple[int, int]]
    """On how many items it is filled, and how many items there are."""
    statuses: Mapping[Status, int]
    """How many items are in it."""


# Reading and remembering


def look(connection: sqlite3.Connection, config: Config) -> Seen:
    """What the items show now."""
    fields: dict[Field, tuple[int, int]] = {}
    for source, column, name in _mapped(config):
        fields |= {Field(source, at, column, name): numbers for at, numbers in _filled(connection, source, column)}
    # grouping needs no index, and looking up each row through one takes far longer than reading all of them
    statuses = connection.execute(
        "SELECT source, collection, coalesce(status_id, ''), status, count(*) FROM item NOT INDEXED "
        "WHERE missing_since IS NULL AND status <> '' AND source <> ? GROUP BY 1, 2, 3, 4",
        (INITIATIVE,),
    )
    return Seen(fields, {Status(*names): items for *names, items in statuses})


def _mapped(config: Config) -> list[tuple[str, str, str]]:
    """(source, column, name in the tool)"""
    return [
        (name, column, in_tool)
        for name, source in config.sources.items()
        for column, in_tool in source.setup.fields.items()
    ]


def _filled(connection: sqlite3.Connection, source: str, column: str) -> list[tuple[str, tuple[int, int]]]:
    """For each collection, on how many items a mapped field is filled, and how many items there are."""
    is_slim = column in PULLED
    answered = f"NOT i.unknown & {unknown_bit(column) or 0}"
    if column == "outcome_metric":  # one that was found in a description is not the field's
        answered += " AND NOT i.metric_described"
    value = f"i.{column}" if is_slim else _ELSEWHERE.get(column, "json_extract(d.fields, :path)")
    rows = connection.execute(
        f"SELECT i.collection, count(CASE WHEN {answered} AND {value} NOT IN ('', '[]') THEN 1 END), count(*) "
        f"FROM item i NOT INDEXED {'' if is_slim else 'LEFT JOIN item_detail d ON d.item_id = i.id'} "
        "WHERE i.source = :source AND i.missing_since IS NULL GROUP BY 1",
        {"source": source, "path": custom_path(column)},
    )
    return [(collection, (filled, items)) for collection, filled, items in rows]


_ELSEWHERE = {"description": "d.description", "parent_ref": "i.parent_native_id"}
"""Where columns lie that have no column of their name in `item`."""


def signature(config: Config) -> str:
    """Changes with what is looked at."""
    return json.dumps(_mapped(config), ensure_ascii=False)


def read(connection: sqlite3.Connection) -> Seen:
    """What was seen in the last run that no brake stopped."""
    fields = connection.execute("SELECT source, collection, field_column, field, filled, items FROM seen_field")
    statuses = connection.execute("SELECT source, collection, status_id, status, items FROM seen_status")
    return Seen(
        {Field(*names): (filled, items) for *names, filled, items in fields},
        {Status(*names): items for *names, items in statuses},
    )


def keep(connection: sqlite3.Connection, before: Seen, now: Seen) -> None:
    """Remember what is seen, in the caller's transaction. Only what differs is written."""
    if before.fields != now.fields:
        connection.execute("DELETE FROM seen_field")
        connection.executemany(
            "INSERT INTO seen_field (source, collection, field_column, field, filled, items) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (field.source, field.collection, field.column, field.name, *numbers)
                for field, numbers in now.fields.items()
            ],
        )
    if before.statuses != now.statuses:
        connection.execute("DELETE FROM seen_status")
        connection.executemany(
            "INSERT INTO seen_status (source, collection, status_id, status, items) VALUES (?, ?, ?, ?, ?)",
            [(each.source, each.collection, each.id, each.name, items) for each, items in now.statuses.items()],
        )


# Comparing


Names = Mapping[tuple[str, str], str]
"""(source, collection's id) -> collection's name."""


def of_fields(before: Seen, now: Seen, limits: Brakes, names: Names) -> list[Tripped]:
    """The brake on a mapped field that was filled on many items and is on (nearly) none of them."""
    were, are = _with_totals(before), _with_totals(now)
    lost = {
        field
        for field, (filled, items) in are.items()
        for was, of in [were.get(field, (0, 0))]
        if min(was, items) >= limits.of(field.source).least and _is_little(filled, items, was, of)
    }
    return [
        Tripped(
            "field",
            f'{_place(field.source, field.collection, names)}: the field "{field.name}" ({field.column}) is filled on '
            f"{are[field][0]} of {are[field][1]} items, and was on {were[field][0]} of {were[field][1]} the last time. "
            "Look whether it was renamed or emptied in the tool, and correct it there or in "
            f"[sources.{field.source}.fields]; if it is right, run once with --force field.",
        )
        for field in sorted(lost)
        if field.collection == _WHOLE or replace(field, collection=_WHOLE) not in lost
    ]


_WHOLE = ""
"""In place of a collection: all of the source's together."""


def _with_totals(seen: Seen) -> dict[Field, tuple[int, int]]:
    totals: dict[Field, tuple[int, int]] = {}
    for field, (filled, items) in seen.fields.items():
        whole = replace(field, collection=_WHOLE)
        before = totals.get(whole, (0, 0))
        totals[whole] = (before[0] + filled, before[1] + items)
    return {**totals, **seen.fields}


def _place(source: str, collection: str, names: Names) -> str:
    return source if collection == _WHOLE else f"{source}: {names.get((source, collection), collection)}"


def _is_little(filled: int, items: int, was: int, of: int) -> bool:
    """In number, and also as a share: items that left took theirs along, and new ones may have none yet."""
    return _LITTLE * filled <= was and _LITTLE * filled * of <= was * items


def of_statuses(before: Seen, now: Seen, depends: Depends, limits: Brakes) -> list[Tripped]:
    """The brake on a status that config or a rule names and that has another name now."""
    renamed = {**_alike(before, now, limits), **_same_id(before, now)}
    return [
        Tripped(
            "status",
            f'{source}: the status "{old}" seems to be called "{new}" now. Put the new name into the rules and into '
            f"[sources.{source}.statuses], wherever the old one stands; if both are meant as they are, run once with "
            "--force status.",
        )
        for (source, old), new in sorted(renamed.items())
        if depends(source, old) and not depends(source, new)
    ]


def _same_id(before: Seen, now: Seen) -> dict[tuple[str, str], str]:
    """(source, old name) -> new name, where the tool's id of the status tells: even one item is proof."""
    names: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for each in before.statuses:
        names[each.source, each.collection, each.id].append(each.name)
    return {
        (each.source, known[0]): each.name
        for each in sorted(now.statuses)
        if each.id and len(known := names[each.source, each.collection, each.id]) == 1 and each.name != known[0]
    }


def _alike(before: Seen, now: Seen, limits: Brakes) -> dict[tuple[str, str], str]:
    """(source, old name) -> new name, where one is gone and a new one has about as many items.

    Gone from the whole source, or from one collection.
    """
    were, are = _by_place(before), _by_place(now)
    found = {}
    for (source, collection), statuses in were.items():
        there = are[source, collection]
        new = [(items, name) for name, items in there.items() if name not in statuses]
        for old, was in statuses.items():
            if old not in there and was >= limits.of(source).least and new and max(new)[0] >= _HALF * was:
                found[source, old] = max(new)[1]
    return found


def _by_place(seen: Seen) -> dict[tuple[str, str], Counter[str]]:
    """(source, collection) -> how many items are in each status."""
    places: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for status, items in seen.statuses.items():
        for collection in (_WHOLE, status.collection):
            places[status.source, collection][status.name] += items
    return places


def depends(config: Config, ruleset: RuleSet) -> Depends:
    """Which statuses are gone by: those in `[sources.NAME.statuses]`, and those that rules name."""
    mapped = {name: set(map(fold, source.setup.statuses)) for name, source in config.sources.items()}
    names, parts, texts = set[str](), list[str](), list[str]()
    for clause in _clauses(ruleset):
        if isinstance(clause, Expression):
            texts.append(fold(clause.text))
        else:
            names.update(value for word in clause.words if isinstance(word, OneOf) for value in word.values)
            parts += [word.text for word in clause.words if isinstance(word, Contains)]

    def by_name(source: str, status: str) -> bool:
        name = fold(status)
        if name in names or name in mapped.get(source, ()):
            return True
        return any(part in name for part in parts) or any(name in text for text in texts)

    return by_name


def _clauses(ruleset: RuleSet) -> Iterator[Test | Expression]:
    """What rules ask of the status."""
    clauses: list[Clause] = []
    for rule in ruleset.rules:
        clauses += [rule.when, *(override.when for override in (rule.ladder.overrides if rule.ladder else ()))]
    while clauses:
        clause = clauses.pop()
        if isinstance(clause, Group):
            clauses += clause.parts
        elif STATUS in (clause.subjects if isinstance(clause, Expression) else (clause.subject,)):
            yield clause


# Labels


@dataclass(frozen=True, slots=True)
class LabelLoss:
    """How many items of a collection carry a label of ours by the ledger, and on how many of them it is not seen."""

    source: str
    collection: str
    name: str
    label: str
    ours: int
    off: int


def label_losses(connection: sqlite3.Connection) -> list[LabelLoss]:
    """What the tools show of our labels, in the collections that answered in this run (`temp.fresh`).

    Of labelled copies that are outdated only what had come home: they show nothing else of the copy before.
    """
    rows = connection.execute(
        "SELECT i.source, i.collection, c.name, l.label, count(*), sum(NOT EXISTS "
        "(SELECT 1 FROM json_each(i.labels) WHERE value = l.label)) "
        "FROM ledger l JOIN item i ON i.id = l.item_id "
        "JOIN temp.fresh f ON f.source = i.source AND f.collection = i.collection "
        "JOIN collection c ON c.source = i.source AND c.native_id = i.collection "
        "WHERE l.off_at IS NULL AND i.missing_since IS NULL AND (NOT c.copy_outdated OR l.home) GROUP BY 1, 2, 4"
    )
    return [LabelLoss(*row) for row in rows]


def vanished_labels(losses: Sequence[LabelLoss], limits: Brakes) -> list[tuple[str, LabelLoss]]:
    """Losses that no people with a will of their own explain, and where: in the whole source, else in a collection."""
    totals: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for loss in losses:
        totals[loss.source, loss.label].update(ours=loss.ours, off=loss.off)
    found = []
    for loss in (loss for loss in losses if loss.off):
        least, total = limits.of(loss.source).least, totals[loss.source, loss.label]
        if _all_at_once(total["ours"], total["off"], least):
            found.append((loss.source, loss))
        elif _all_at_once(loss.ours, loss.off, least):
            found.append((f"{loss.source}: {loss.name}", loss))
    return found


def _all_at_once(ours: int, off: int, least: int) -> bool:
    return ours >= least and _LITTLE * (ours - off) <= ours


def of_labels(vanished: Sequence[tuple[str, LabelLoss]]) -> list[Tripped]:
    """The brake on labels of ours that are gone from all their items at once."""
    numbers: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for place, loss in vanished:
        numbers[place, loss.label].update(ours=loss.ours, off=loss.off)
    return [
        Tripped(
            "label",
            f'{place}: the label "{label}" is gone from {number["off"]} of the {number["ours"]} items that we put it '
            "on. Look whether it was renamed or deleted in the tool, or cannot be read, and put that right; if people "
            "took it off, run once with --force label, and it stays off.",
        )
        for (place, label), number in sorted(numbers.items())
    ]
