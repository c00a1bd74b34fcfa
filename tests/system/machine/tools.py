"""Three tools in memory, one for each granularity, in which people work, which fail in many ways, and which log all.

A tool remembers every state that it was ever in, so that a late answer can be one that was true a while ago. Nothing
here knows the product's planning; it only serves pages and takes writes, as `connectors/base.py` asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar

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
)
from connectors.errors import BusyError, UnsafeError
from connectors.model import Certainty, Cursor, ItemRef, LabelChange, StatusCategory, WorkItem

COLLECTIONS = ("B1", "B2")
STATUSES = {
    "To do": StatusCategory.TODO,
    "Doing": StatusCategory.IN_PROGRESS,
    "In Review": StatusCategory.IN_PROGRESS,
    "Done": StatusCategory.DONE,
}
TOKEN = "s3cr3t-t0ken-of-the-machine"
"""What each tool is opened with; it must not turn up anywhere."""


class Killed(BaseException):
    """The process ended here. Nothing catches it, as nothing catches SIGKILL."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item as it is in its tool."""

    native_id: str
    collection: str
    status: str = "Doing"
    since: datetime | None = None
    sponsor: str | None = "Ada"
    """`None`: the tool cannot answer."""
    labels: frozenset[str] = frozenset()
    changed: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """All of a tool at one moment."""

    items: Mapping[str, Item] = field(default_factory=dict)
    deleted: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(collection, native id) of what went -> when."""
    changed: int = 0

    def of(self, collection: str) -> dict[str, Item]:
        """The items of one collection."""
        return {native_id: item for native_id, item in self.items.items() if item.collection == collection}


Content = frozenset[Item]


def content(state: State, collection: str) -> Content:
    """All that a file would hold of a collection."""
    return frozenset(replace(item, changed=0) for item in state.of(collection).values())


@dataclass(frozen=True, slots=True)
class Copy:
    """A labelled copy."""

    made_from: Content
    labels: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Write:
    """One write of ours that the tool took: what it was asked for, and what that changed."""

    native_id: str
    collection: str
    asked: LabelChange
    before: frozenset[str]
    add: frozenset[str]
    remove: frozenset[str]

    @property
    def changed_something(self) -> bool:
        """Whether it did, or everything was so already."""
        return bool(self.add or self.remove)


@dataclass(slots=True)
class Trouble:
    """What goes wrong with a tool during one run."""

    late: int = 0
    """So many of the latest edits are not in its answers yet."""
    pages: int | None = None
    """So many pages come, over all collections …"""
    then: str = "fails"
    """… and then it `fails`, `stops` (the stream just ends), or is `silent` (the last page is not marked as such)."""
    twice: bool = False
    """Each page comes twice."""
    writes: int | None = None
    """So many writes are taken, and then it fails …"""
    unheard: bool = False
    """… after it made the change, so that we do not hear of it."""
    meddled: bool = False
    """Right before our first write, a person puts the very label on the item that we are about to put there."""
    dies_at: int | None = None
    """The process is killed at this step of the connector: a page, or one half of a write."""


class Tool:
    """A tool: its state, everything that ever was its state, and what we did to it."""

    def __init__(self, name: str, kind: type[ToolConnector]) -> None:
        self.name, self.kind = name, kind
        self.states = [State()]
        self.served_from = 0
        """Answers come from no earlier state: a tool never forgets what it once said, or what we wrote."""
        self.trouble = Trouble()
        self.dead = False
        self.steps = self.pages = self.writes_taken = 0
        self.copies: dict[str, Copy] = {}
        """Labelled copies, by collection."""
        self.answered: dict[str, State] = {}
        """Collections that gave all that was asked for in this run, and the state that they gave, labels as shown."""
        self.read: dict[str, State] = {}
        """What each collection was pulled from last."""
        self.outdated: set[str] = set()
        """Those of them whose labelled copy was made from another input."""
        self.applied = 0
        """How often we began to write in this run."""
        self.calls: list[LabelChange] = []
        """All that we were asked to write in this run."""
        self.log: list[Write] = []
        """What was written in this run."""

    @property
    def now(self) -> State:
        """Its present state."""
        return self.states[-1]

    def begin(self, trouble: Trouble) -> None:
        """A new run."""
        self.trouble, self.dead = trouble, False
        self.steps = self.pages = self.writes_taken = 0
        self.answered, self.outdated, self.calls, self.log, self.applied = {}, set(), [], [], 0

    # People, and our own writes

    def put(self, item: Item) -> None:
        """Make the item what this says. A move to another collection leaves a mark in the old one."""
        state, before = self.now, self.now.items.get(item.native_id)
        changed, deleted = state.changed + 1, dict(state.deleted)
        deleted.pop((item.collection, item.native_id), None)
        if before and before.collection != item.collection:
            deleted[before.collection, item.native_id] = changed
        items = {**state.items, item.native_id: replace(item, changed=changed)}
        self.states.append(State(items, deleted, changed))

    def remove(self, native_id: str, *, traceless: bool) -> None:
        """Delete an item; without a trace, only a full pull can tell."""
        state = self.now
        changed, items, deleted = state.changed + 1, dict(state.items), dict(state.deleted)
        collection = items.pop(native_id).collection
        if not traceless:
            deleted[collection, native_id] = changed
        self.states.append(State(items, deleted, changed))

    def bring_home(self, collection: str) -> None:
        """The labelled copy becomes the input, as when a person goes on working in it."""
        copy = self.copies.get(collection)
        for native_id, item in self.now.of(collection).items():
            if copy and native_id in copy.labels:
                self.put(replace(item, labels=copy.labels[native_id]))

    def shown(self, state: State, collection: str) -> State:
        """What people see: the labelled copy if it is one of this very input, else the input."""
        copy = self.copies.get(collection)
        if copy is None or copy.made_from != content(state, collection):
            return state
        return replace(
            state,
            items={**state.items, **{each: replace(state.items[each], labels=on) for each, on in copy.labels.items()}},
        )

    def meddle(self, changes: Sequence[LabelChange], collection: str) -> None:
        """A person is a moment faster than we are."""
        item = self.now.items.get(changes[0].ref.native_id)
        if self.trouble.meddled and item and item.collection == collection and changes[0].add:
            self.put(replace(item, labels=item.labels | {changes[0].add[0]}))

    # What connectors ask of it

    def step(self) -> None:
        """Count one step of the connector; the process may end here."""
        if self.dead:
            raise Killed
        self.steps += 1
        if self.steps == self.trouble.dies_at:
            self.dead = True
            raise Killed

    def answer(self) -> State:
        """The state that it answers with, which may be late, but never earlier than what it said before."""
        at = max(self.served_from, len(self.states) - 1 - self.trouble.late)
        self.served_from = at
        return self.states[at]

    def notice_copy(self, collection: str, state: State) -> bool:
        """Whether there is a copy of the collection that does not show this state of it."""
        outdated = collection in self.copies and self.shown(state, collection) is state
        (self.outdated.add if outdated else self.outdated.discard)(collection)
        return outdated

    def write(self, change: LabelChange, collection: str, *, versioned: bool) -> ChangeResult:
        """Change the labels of one item, and no other label of it."""
        item = self.now.items.get(change.ref.native_id)
        if item is None or item.collection != collection:
            return ChangeResult(change.ref, Outcome.GONE, "the item is not there any more; nothing is to be done")
        add, remove = frozenset(change.add) - item.labels, frozenset(change.remove) & item.labels
        write = Write(item.native_id, collection, change, item.labels, add, remove)
        if not write.changed_something:
            self.log.append(write)
            self.served_from = len(self.states) - 1  # it said what is there now
            return ChangeResult(change.ref, Outcome.UNCHANGED, "", tuple(sorted(item.labels)), str(item.changed))
        if versioned and change.version not in (None, str(item.changed)):
            return ChangeResult(change.ref, Outcome.STALE, "it changed meanwhile; the next run plans anew")
        self.refuse_writes()
        self.put(replace(item, labels=(item.labels | add) - remove))
        self.served_from = len(self.states) - 1
        self.log.append(write)
        if self.trouble.unheard and self.writes_taken == self.trouble.writes:
            raise BusyError(f"the answer to {TOKEN} never came", "the next run goes on")
        labels = self.now.items[item.native_id].labels
        already = write.before & {*change.add}
        return ChangeResult(change.ref, Outcome.DONE, "", tuple(sorted(labels)), str(self.now.changed), already)

    def make_copy(self, collection: str, changes: Sequence[LabelChange]) -> list[ChangeResult]:
        """Make the labelled copy: the input, and these changes."""
        state, before = self.now, self.shown(self.now, collection)
        labels = {native_id: item.labels for native_id, item in state.of(collection).items()}
        shown = self.copies[collection].labels if collection in self.copies else {}
        results = []
        for change in changes:
            native_id = change.ref.native_id
            if native_id not in labels:
                results.append(ChangeResult(change.ref, Outcome.GONE, "it is not in the file any more"))
                continue
            was, add = before.items[native_id].labels, frozenset(change.add)
            seen = shown.get(native_id, frozenset())
            found = change.unless.among(was | seen) if change.unless else None
            withheld = add - seen - was if found else frozenset()
            labels[native_id] = is_ = (labels[native_id] | (add - withheld)) - {*change.remove}
            if withheld:
                results.append(ChangeResult(change.ref, Outcome.EXEMPT, f"{found} was put on; it gets no new label"))
                continue
            self.log.append(Write(native_id, collection, change, was, is_ - was, was - is_))
            results.append(ChangeResult(change.ref, Outcome.DONE, "", tuple(sorted(is_))))
        self.copies[collection] = Copy(content(state, collection), labels)
        return results

    def refuse_writes(self) -> None:
        """Fail if it takes no more writes in this run."""
        limit, heard = self.trouble.writes, not self.trouble.unheard
        if limit is not None and self.writes_taken >= limit and (heard or self.writes_taken > limit):
            raise BusyError(f"the tool took {limit} writes and no more", "the next run goes on")
        self.writes_taken += 1


TOOLS: dict[str, Tool] = {}
"""By the option `tool` of a source: connectors are made by the product, and find their tool here."""


class ToolConnector:
    """What the three have in common: the pull."""

    system: ClassVar[str] = "tool"
    summary: ClassVar[str] = "A tool in memory."
    capabilities: ClassVar[Capabilities] = Capabilities()
    options: ClassVar[tuple[Option, ...]] = (
        Option("tool", "its name", required=True),
        Option("token", "opens it", "secret", required=True),
    )

    def __init__(self, setup: SourceSetup) -> None:
        self.setup, self.tool = setup, TOOLS[str(setup.options["tool"])]

    def check(self) -> Sequence[Notice]:
        return [Notice("fine", "it is there")]

    def collections(self) -> Sequence[Collection]:
        self.tool.step()
        if self.tool.trouble.pages == 0 and self.tool.trouble.then == "fails":
            raise BusyError(f"the tool is down for {self.setup.options['token']}", "the next run tries again")
        return [Collection(each, f"Board {each}") for each in COLLECTIONS]

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        name = collection.native_id
        self.tool.read[name] = self.tool.answer()
        state = self.tool.shown(self.tool.read[name], name)
        pages = self.pages(state, name, cursor)
        outdated = self.tool.notice_copy(name, self.tool.read[name])
        for number, page in enumerate(pages, start=1):
            self.tool.step()
            last = number == len(pages)
            if self.tool.pages == self.tool.trouble.pages:
                if self.tool.trouble.then == "fails":
                    raise BusyError("the tool stopped answering", "the next run goes on from here")
                if self.tool.trouble.then == "silent":
                    yield replace(page, complete=False, full=False)
                return
            self.tool.pages += 1
            if self.tool.trouble.twice:
                yield replace(page, complete=False, full=False)
            if last:
                self.tool.answered[name] = state
            yield replace(page, complete=last, full=last and self.is_full(cursor), copy_outdated=last and outdated)

    def is_full(self, cursor: Cursor | None) -> bool:
        return cursor is None

    def pages(self, state: State, collection: str, cursor: Cursor | None) -> list[Page]:
        """Two items a page, in the order of change, each page with the place that it leads to."""
        after = int(cursor.value) if cursor else -1
        items = sorted((i for i in state.of(collection).values() if i.changed > after), key=lambda item: item.changed)
        gone = tuple(
            ItemRef(self.setup.name, native_id)
            for (place, native_id), changed in sorted(state.deleted.items())
            if place == collection and changed > after
        )
        pieces = [items[at : at + 2] for at in range(0, len(items), 2)] or [[]]
        pages = [
            Page(tuple(map(self.shown, piece)), cursor=Cursor(str(piece[-1].changed)) if piece else None)
            for piece in pieces
        ]
        last = replace(pages[-1], deleted=gone, cursor=Cursor(str(state.changed)))
        return [*pages[:-1], last if self.capabilities.deletions else replace(last, deleted=())]

    def shown(self, item: Item) -> WorkItem:
        """The item as the core is to know it. `updated_at` moves with every write, also ours."""
        exact = self.capabilities.history
        return WorkItem(
            ref=ItemRef(self.setup.name, item.native_id),
            key=item.native_id.upper(),
            title=f"Item {item.native_id}",
            collection=item.collection,
            status=item.status,
            status_category=STATUSES[item.status],
            status_since=item.since if exact else None,
            status_since_is=Certainty.EXACT if exact else Certainty.AT_LEAST,
            updated_at=datetime.fromisoformat("2026-01-01T00:00:00+00:00") + timedelta(hours=item.changed),
            sponsor=item.sponsor,
            unknown=frozenset({"sponsor"}) if item.sponsor is None else frozenset(),
            labels=tuple(sorted(item.labels)),
            version=str(item.changed) if self.capabilities.conditional_writes else None,
        )

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        if not self.setup.writable:
            raise UnsafeError("this run may not write", "start it with --apply")
        self.tool.applied += 1
        self.tool.meddle(changes, collection.native_id)
        for change in changes:
            self.tool.calls.append(change)
            self.tool.step()
            result = self.write(change, collection.native_id)
            self.tool.step()
            yield result

    def write(self, change: LabelChange, collection: str) -> ChangeResult:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


class ByLabel(ToolConnector):
    """Knows when a status began, says what changed and what went, and refuses writes onto what changed."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        writes=Granularity.LABEL, incremental=True, history=True, deletions=True, conditional_writes=True
    )

    def write(self, change: LabelChange, collection: str) -> ChangeResult:
        return exempt(self.tool, change) or self.tool.write(change, collection, versioned=True)


class ByItem(ToolConnector):
    """Always gives everything, keeps no history, and merges with the labels that are there at the moment."""

    capabilities: ClassVar[Capabilities] = Capabilities(writes=Granularity.ITEM)

    def pages(self, state: State, collection: str, cursor: Cursor | None) -> list[Page]:
        return super().pages(state, collection, None)

    def write(self, change: LabelChange, collection: str) -> ChangeResult:
        return exempt(self.tool, change) or self.tool.write(change, collection, versioned=False)


class ByCopy(ByItem):
    """Is a file that is never written to: our labels show in a copy, which is always made as a whole."""

    capabilities: ClassVar[Capabilities] = Capabilities(writes=Granularity.COLLECTION)

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        if not self.setup.writable:
            raise UnsafeError("this run may not write", "start it with --apply")
        tool, name = self.tool, collection.native_id
        tool.applied += 1
        tool.calls += changes
        tool.step()
        if content(tool.read[name], name) != content(tool.now, name):
            yield from (ChangeResult(each.ref, Outcome.STALE, "it was exported anew") for each in changes)
            return
        tool.refuse_writes()
        results = tool.make_copy(name, changes)
        if tool.trouble.unheard and tool.writes_taken == tool.trouble.writes:
            raise BusyError("nobody knows whether the copy is in place", "the next run goes on")
        tool.step()
        yield from results


def exempt(tool: Tool, change: LabelChange) -> ChangeResult | None:
    """An exemption that holds at the moment of writing: nothing goes on."""
    item = tool.now.items.get(change.ref.native_id)
    found = change.unless.among(item.labels) if item and change.unless and change.add else None
    return ChangeResult(change.ref, Outcome.EXEMPT, f"{found} was put on; it is left alone") if found else None


KINDS: dict[str, type[ToolConnector]] = {"by_label": ByLabel, "by_item": ByItem, "by_copy": ByCopy}
