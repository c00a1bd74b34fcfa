"""The reference connector, and the one that tests run on: a small tool whose whole state is one JSON file.

Copy it to start a connector; `docs/connectors/writing.md` walks through it. People work in this tool by editing
the file. It looks like this, where every name of an item that is not explained here is a column of `WorkItem`:

    {"changed": 7,                                     the highest `changed` in the file; each change takes the next
     "collections": [{"native_id": "B1", "name": "Delivery"}],
     "items": [{"native_id": "1", "collection": "B1", "key": "APP-1", "title": "Faster checkout",
                "changed": 7, "status": "Doing", "status_category": "in_progress", "labels": ["blue"],
                "parent": "5", "due_at": "2026-03-31T00:00:00+00:00",
                "fields": {"Success metric": "churn"}, "locked": false,
                "transitions": [{"at": "2026-02-01T09:00:00+00:00", "to_status": "Doing", "changed": 6}]}],
     "deleted": [{"native_id": "2", "collection": "B1", "changed": 5}],
     "log": [{"by": "us", "item": "1", "add": ["blue"], "remove": []}],
     "outage": {"pages": 1}}                           the tool gives one page and then fails; likewise "writes"
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, ClassVar

from connectors.base import (
    Capabilities,
    ChangeResult,
    Collection,
    Granularity,
    Notice,
    Option,
    Outcome,
    Page,
    SourceSetup,
    exempted,
)
from connectors.errors import BusyError, GoneError, InputError, SetupError, UnsafeError
from connectors.model import Certainty, Cursor, ItemRef, LabelChange, StatusCategory, Transition, WorkItem

Json = dict[str, Any]

OPTIONS = (
    Option("world", "the JSON file that holds the tool's state, relative to the config's folder", required=True),
    Option("page_size", "how many items come at a time", "integer", default=100),
)


class MemoryConnector:
    """Reads and labels the items of one JSON file."""

    system: ClassVar[str] = "memory"
    summary: ClassVar[str] = "a JSON file, for trying things out and for tests; labels go into the same file"
    capabilities: ClassVar[Capabilities] = Capabilities(
        writes=Granularity.LABEL, incremental=True, history=True, deletions=True, conditional_writes=True
    )
    options: ClassVar[tuple[Option, ...]] = OPTIONS

    def __init__(self, setup: SourceSetup) -> None:
        self._setup = setup
        self._file = setup.folder / str(setup.options["world"])
        self._page_size = max(1, int(setup.options.get("page_size") or 100))
        self._writes = 0

    def check(self) -> Sequence[Notice]:
        world = read_world(self._file)
        notices = [Notice("fine", f"{self._file.name} holds {len(world['items'])} items")]
        if not os.access(self._file.parent, os.W_OK):
            notices.append(Notice("problem", f"{self._file.parent} cannot be written to; give this account the right"))
        known = {name for entry in world["items"] for name in entry.get("fields", {})}
        for column, name in sorted(self._setup.fields.items()):
            if name not in known:
                notices.append(Notice("problem", f'no item has a field "{name}" for {column}; correct its name'))
        return notices

    def collections(self) -> Sequence[Collection]:
        found = parse_collections(read_world(self._file))
        return choose(found, self._setup.collections) if self._setup.collections else found

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        world = read_world(self._file)
        if collection.native_id not in {known.native_id for known in parse_collections(world)}:
            raise GoneError(
                f'the collection "{collection.name}" is not there any more', "correct the config if it moved"
            )
        pieces = cut(entries_after(cursor, in_collection(world, collection)), self._page_size)
        readable = True
        for number, piece in enumerate(pieces, start=1):
            if number > world["outage"].get("pages", number):
                raise BusyError("the tool stopped answering", "the next run goes on from here")
            page = parse_page(piece, self._setup, cursor)
            readable = readable and not page.skipped  # what could not be read is not gone
            last = number == len(pieces)
            yield replace(page, complete=last, full=last and cursor is None and readable)

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        if not self._setup.writable:
            raise UnsafeError("this run may not write", "start it with --apply")
        for change in changes:
            yield self._write(collection, change)

    def close(self) -> None:
        """Nothing stays open between two calls."""

    # Requests: everything that reaches the tool.

    def _write(self, collection: Collection, change: LabelChange) -> ChangeResult:
        """Read, change and write back at once, so that what a person does meanwhile is not lost."""
        world = read_world(self._file)
        entry = next((entry for entry in world["items"] if is_at(entry, collection, change.ref)), None)
        if entry is None:
            return ChangeResult(change.ref, Outcome.GONE, "the item is not in the tool any more; nothing is to be done")
        before = list(entry.get("labels", ()))
        labels = change.applied_to(before)
        if labels == before:  # before anything else: what is so already cannot be stale
            return ChangeResult(change.ref, Outcome.UNCHANGED, "", tuple(sorted(before)), version_of(entry))
        if exempt := exempted(change, before):
            return exempt
        if refusal := why_not(entry, change):
            return ChangeResult(change.ref, *refusal)
        if self._writes >= world["outage"].get("writes", self._writes + 1):
            raise BusyError("the tool stopped answering", "the next run goes on from here")
        self._writes += 1
        world["changed"] = 1 + last_change(world)
        entry |= {"labels": labels, "changed": world["changed"]}
        record = {"by": "us", "item": change.ref.native_id, "add": [*change.add], "remove": [*change.remove]}
        world["log"].append(record)
        write_world(self._file, world)
        return ChangeResult(
            change.ref, Outcome.DONE, "", tuple(sorted(labels)), version_of(entry), change.already_on(before)
        )


def read_world(file: Path) -> Json:
    """The tool's state, with every part there. Raises `SetupError` without a file, `InputError` for another kind."""
    try:
        world = json.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SetupError(f"there is no file {file}", 'correct "world" or create it') from error
    except OSError as error:
        raise SetupError(f"{file} cannot be read ({error.strerror})", "correct its permissions") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not JSON ({error})", "correct it") from error
    if not is_world(world):
        raise InputError(f"{file} is not the world of a memory source", "correct it as connectors/memory.py shows")
    return {part: world.get(part, kind()) for part, kind in PARTS.items()}


PARTS: dict[str, type] = {
    "changed": int,
    "collections": list,
    "items": list,
    "deleted": list,
    "log": list,
    "outage": dict,
}


def is_world(world: object) -> bool:
    """Whether the parts are of the right kind, as far as everything else relies on them."""
    if not isinstance(world, dict):
        return False
    if any(type(world.get(part, kind())) is not kind for part, kind in PARTS.items()):
        return False
    needed = {
        "collections": {"native_id", "name"},
        "items": {"native_id", "collection"},
        "deleted": {"native_id", "collection"},
    }
    return all(is_entry(entry, names) for part, names in needed.items() for entry in world.get(part, ()))


def is_entry(entry: object, needed: set[str]) -> bool:
    """Whether one collection, item or mark of a deletion can be found and counted, and labelled."""
    if not isinstance(entry, dict) or not needed <= entry.keys():
        return False
    kinds = {"changed": int, "labels": list, "fields": dict}
    if any(type(entry.get(name, kind())) is not kind for name, kind in kinds.items()):
        return False
    return all(isinstance(label, str) for label in entry.get("labels", ()))


def write_world(file: Path, world: Json) -> None:
    """Replace the file in one step: whoever reads it, and whenever we are killed, it is the old one or the new one."""
    beside = file.with_name(f"{file.name}.new")
    with beside.open("w", encoding="utf-8") as stream:
        json.dump(world, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(file)


# Pure functions: from what the tool says to what the core knows, and back.


def parse_collections(world: Json) -> list[Collection]:
    """All collections, sorted by id."""
    found = [Collection(str(one["native_id"]), str(one["name"]), one.get("url")) for one in world["collections"]]
    return sorted(found, key=lambda collection: collection.native_id)


def choose(found: Sequence[Collection], wanted: Sequence[str]) -> list[Collection]:
    """The collections that config names, by id or name. Raises `SetupError` for a name that none has."""
    for name in wanted:
        if not any(name in (one.native_id, one.name) for one in found):
            known = ", ".join(one.name for one in found) or "none"
            raise SetupError(f'there is no collection "{name}"', f"correct its name (there are: {known})")
    return [one for one in found if one.native_id in wanted or one.name in wanted]


def in_collection(world: Json, collection: Collection) -> list[Json]:
    """What a pull of `collection` is made from: its items, and the marks of those deleted."""
    return [
        entry
        for entry in [*world["items"], *({**entry, "is_deleted": True} for entry in world["deleted"])]
        if str(entry["collection"]) == collection.native_id
    ]


def last_change(world: Json) -> int:
    """The number of the latest change, also where a person's edit of the file forgot to count it."""
    return max(int(entry.get("changed", 0)) for entry in [world, *world["items"], *world["deleted"]])


def entries_after(cursor: Cursor | None, entries: Sequence[Json]) -> list[Json]:
    """What a pull that goes on from `cursor` gives, in its order."""
    return sorted((entry for entry in entries if cursor is None or place(entry) > after(cursor)), key=place)


def cut(entries: Sequence[Json], size: int) -> list[Sequence[Json]]:
    """The entries in pages; one empty page if there are none."""
    return [entries[at : at + size] for at in range(0, len(entries), size)] or [()]


def place(entry: Json) -> tuple[int, str]:
    """Where an entry comes in a pull: in the order of change, so that what changes meanwhile comes later again."""
    return (int(entry.get("changed", 0)), str(entry["native_id"]))


def after(cursor: Cursor) -> tuple[int, str]:
    """The place that a cursor stands for."""
    changed, _, native_id = cursor.value.partition(":")
    return (int(changed), native_id)


def parse_page(entries: Sequence[Json], setup: SourceSetup, start: Cursor | None) -> Page:
    """A page of these entries; an item that cannot be read is skipped with a sentence. `start`: the pull's cursor."""
    items: list[WorkItem] = []
    transitions: list[Transition] = []
    skipped: list[str] = []
    for entry in entries:
        if entry.get("is_deleted"):
            continue
        try:
            item, history = parse_item(entry, setup), parse_transitions(entry, setup)
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
            skipped.append(f"item {entry['native_id']} cannot be read ({error!r}); correct it in the tool")
        else:
            items.append(item)
            transitions += history
    deleted = tuple(ItemRef(setup.name, str(entry["native_id"])) for entry in entries if entry.get("is_deleted"))
    cursor = Cursor("{}:{}".format(*place(entries[-1]))) if entries else start or Cursor("0:")
    return Page(tuple(items), tuple(transitions), deleted, tuple(skipped), cursor)


TEXTS = (
    "url",
    "type",
    "project",
    "status",
    "status_id",
    "priority",
    "owner",
    "sponsor",
    "description",
    "outcome_metric",
    "outcome_category",
    "outcome_baseline",
    "outcome_target",
    "outcome_actual",
)
TIMES = (
    "status_since",
    "created_at",
    "updated_at",
    "started_at",
    "finished_at",
    "due_at",
    "outcome_reviewed_at",
)


def parse_item(entry: Json, setup: SourceSetup) -> WorkItem:
    """One item. Raises `ValueError`, `KeyError` or `TypeError` if it is none."""
    mapped, fields, unknown = parse_mapped(entry, setup.fields)
    entry = {**entry, **mapped}
    columns: Json = {name: parse_text(entry.get(name)) for name in TEXTS}
    columns |= {name: parse_time(entry.get(name), setup.timezone) for name in TIMES}
    return WorkItem(
        ref=ItemRef(setup.name, str(entry["native_id"])),
        key=parse_text(entry.get("key")) or str(entry["native_id"]),
        title=parse_text(entry["title"]) or "",
        collection=str(entry["collection"]),
        parent_ref=ItemRef(setup.name, str(entry["parent"])) if entry.get("parent") else None,
        status_category=parse_category(entry, setup.statuses),
        status_since_is=Certainty(entry.get("status_since_is", Certainty.AT_LEAST)),
        percent_complete=parse_percent(entry.get("percent_complete")),
        assignees=tuple(str(name).strip() for name in entry.get("assignees", ())),
        labels=tuple(sorted(set(entry.get("labels", ())))),
        fields=fields,
        links=tuple(str(target) for target in entry.get("links", ())),
        version=version_of(entry),
        unknown=unknown | frozenset(entry.get("unknown", ())),
        **columns,
    )


def parse_mapped(entry: Json, mapping: Mapping[str, str]) -> tuple[Json, dict[str, str], frozenset[str]]:
    """Values of columns and of custom fields that config maps, and the names of those that this item cannot answer."""
    own = entry.get("fields", {})
    values = {column: own[name] for column, name in mapping.items() if name in own}
    columns = {column: value for column, value in values.items() if column in WorkItem.__dataclass_fields__}
    custom = {column: parse_text(value) or "" for column, value in values.items() if column not in columns}
    return columns, custom, frozenset(mapping.keys() - values.keys())


def parse_category(entry: Json, statuses: Mapping[str, StatusCategory]) -> StatusCategory | None:
    """What config says about the status comes before what the tool says."""
    for name in (entry.get("status_id"), entry.get("status")):
        if name is not None and name in statuses:
            return statuses[name]
    own = entry.get("status_category")
    return None if own is None else StatusCategory(own)


def parse_transitions(entry: Json, setup: SourceSetup) -> list[Transition]:
    """The whole history of one item, each time that the item comes: the core knows what it has."""
    ref = ItemRef(setup.name, str(entry["native_id"]))
    found = []
    for one in entry.get("transitions", ()):
        at = parse_time(one["at"], setup.timezone)
        if at is None:
            raise ValueError("a transition without a time")
        to_category = parse_category(
            {"status": one["to_status"], "status_category": one.get("to_category")}, setup.statuses
        )
        from_category = parse_category(
            {"status": one.get("from_status"), "status_category": one.get("from_category")}, setup.statuses
        )
        percent = parse_percent(one.get("percent_complete"))
        found.append(Transition(ref, at, one["to_status"], to_category, one.get("from_status"), from_category, percent))
    return found


def parse_text(value: object) -> str | None:
    """Text without surrounding space; half a character pair, which JSON can hold and no file can, is replaced."""
    return None if value is None else str(value).strip().encode("utf-8", "replace").decode("utf-8")


def parse_percent(value: object) -> float | None:
    """A number from 0 to 100."""
    percent = None if value is None else float(str(value))
    if percent is not None and not 0 <= percent <= 100:
        raise ValueError(f"{value} percent")
    return percent


def parse_time(value: str | None, zone: tzinfo | None) -> datetime | None:
    """An aware time from ISO 8601; one without an offset is in the source's time zone."""
    if not value:
        return None
    time = datetime.fromisoformat(value)
    if time.tzinfo is None and zone is None:
        raise ValueError(f"{value} has no offset, and the source no timezone")
    return time if time.tzinfo else time.replace(tzinfo=zone)


def version_of(entry: Json) -> str:
    """What a conditional write sends back."""
    return str(entry.get("changed", 0))


def is_at(entry: Json, collection: Collection, ref: ItemRef) -> bool:
    """Whether the entry is this very item, in this collection."""
    return str(entry["native_id"]) == ref.native_id and str(entry["collection"]) == collection.native_id


def why_not(entry: Json, change: LabelChange) -> tuple[Outcome, str] | None:
    """Why the tool will not make this change, if it will not."""
    if change.version not in (None, version_of(entry)):
        return Outcome.STALE, "the item changed since it was planned; the next run plans anew"
    if entry.get("locked"):
        return Outcome.REFUSED, "the item is locked; unlock it in the tool"
    return None
