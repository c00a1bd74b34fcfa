"""The contract between the core and a connector.

A connector does input, output and parsing. It does not compare, plan, open SQLite, read the clock or the config:
the core does. A connector can do nothing until its `capabilities` say that it can, and the contract suite
(`connectors.contract`) holds the two together. To write one, copy `connectors/memory.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

from connectors.model import Cursor, ItemRef, LabelChange, StatusCategory, Transition, WorkItem


class Granularity(StrEnum):
    """The least that one write changes."""

    LABEL = "label"
    """One label of one item is put on or taken off, and no other is touched."""
    ITEM = "item"
    """All labels of an item are written at once: the connector merges with what is there, right before."""
    COLLECTION = "collection"
    """The whole collection is issued anew as a labelled copy; the input itself is never changed."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a connector can do. Everything is "cannot" unless it says otherwise."""

    writes: Granularity | None = None
    incremental: bool = False
    """`pull` with a cursor yields only what changed since."""
    history: bool = False
    """Pages carry transitions from the tool's own history; otherwise the core observes changes between runs."""
    progress: bool = False
    """A change of `percent_complete` counts as movement (where the tool records nothing better)."""
    deletions: bool = False
    """Incremental pages name items that were deleted; otherwise only a full pull shows what vanished."""
    conditional_writes: bool = False
    """`LabelChange.version` is honoured: a write onto a newer item is refused as stale."""
    batch: int = 1
    """How many items one request writes. The core hands over as many at once, or more."""
    label_max_length: int | None = None
    label_forbids: str = ""
    """Characters that a label cannot hold in this tool."""


@dataclass(frozen=True, slots=True)
class Option:
    """One key of a table in config.toml: a connector's own in `[sources.NAME]`, beside the ones that all share."""

    name: str
    help: str
    kind: Literal[
        "text", "files", "integer", "number", "yes/no", "list of text", "list of dates", "table of text",
        "secret", "reference",
    ] = "text"  # fmt: skip
    """`files` are a path with wildcards, relative to the config file; a `reference` is where a secret is, for what
    looks it up later."""
    required: bool = False
    default: Any = None
    asked: bool = False
    """Whether it is worth asking for when a source is first described, though not required."""


@dataclass(frozen=True, slots=True)
class SourceSetup:
    """One configured source, checked: what a connector is made from."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """By `Option.name`; defaults filled in, secrets resolved."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """A work item's column, or a custom field's own name -> the field's name or id in the tool."""
    statuses: Mapping[str, StatusCategory] = field(default_factory=dict)
    """The tool's status (name or id) -> category, where config settles it."""
    collections: tuple[str, ...] = ()
    """Ids or names; empty means all that can be seen."""
    timezone: tzinfo | None = None
    """For times that the tool gives without a zone. Required by connectors whose tool does that."""
    folder: Path = field(default_factory=Path)
    """Where relative paths start: the folder of the config file."""
    writable: bool = False
    """Whether this run may write. A connector that is not writable refuses `apply` with `UnsafeError`."""
    calls_today: int = 0
    """What `Metered.calls_made` of earlier runs of this source came to since midnight UTC."""
    stopping: threading.Event | None = None
    """Set when this source's turn is over: the run was told to stop, or its time is used up. What waits (for a rate
    limit, between two tries) should wait on it, and then raise a `BusyError`; the page or write in hand is finished.
    A connector that does not look at it is asked for no further page or write, and is left behind if it hangs."""


@dataclass(frozen=True, slots=True)
class Collection:
    """One board, sheet, project or file of a source."""

    native_id: str
    """Immutable in the tool; for a file, its path below the source's folder."""
    name: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of one pull, stored in one transaction together with its cursor."""

    items: tuple[WorkItem, ...] = ()
    transitions: tuple[Transition, ...] = ()
    deleted: tuple[ItemRef, ...] = ()
    """Items that the tool says are gone (only with `Capabilities.deletions`)."""
    skipped: tuple[str, ...] = ()
    """One sentence for each entry that could not be read as a work item and was left out."""
    cursor: Cursor | None = None
    """Where a later pull of this collection goes on from if this page is the last that arrived."""
    complete: bool = False
    """On the last page only, and only if the tool gave everything that was asked for."""
    full: bool = False
    """On the complete page: the pages of this very pull together held *every* item of the collection, so that an
    item which was not among them is gone. A pull that went on from a cursor may say so only if it gave them all."""
    as_of: datetime | None = None
    """When this was the state of things, if that is not now: a file's status date."""
    past: bool = False
    """The items are an earlier state of the collection, as it was at `as_of`: nothing but history. Such pages come
    before all others of a pull and in the order of their dates, have neither cursor nor transitions, and are neither
    complete nor full. Only connectors without `Capabilities.history` give them: the core observes what moved."""
    copy_outdated: bool = False
    """On the complete page, with `Granularity.COLLECTION`: no labelled copy of this very input exists yet."""


class Outcome(StrEnum):
    """What became of one label change."""

    DONE = "done"
    UNCHANGED = "unchanged"
    """The labels were already so; nothing was written."""
    STALE = "stale"
    """The item changed since it was planned, and was left alone; the next run plans anew."""
    EXEMPT = "exempt"
    """A person has exempted the item (`LabelChange.unless`), and it was left alone. Nothing failed."""
    GONE = "gone"
    """The item is not there any more."""
    REFUSED = "refused"
    """The tool (or the connector, for safety) will not do this until a person changes something."""
    FAILED = "failed"
    """It may work the next time."""


@dataclass(frozen=True, slots=True)
class MadeLabel:
    """A label that a write had to make in its collection before it could be put on, where the tool has such."""

    native_id: str
    """Immutable in the tool."""
    name: str


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """What became of one `LabelChange`."""

    ref: ItemRef
    outcome: Outcome
    message: str = ""
    """For every outcome but done and unchanged: what happened and what to do next, in one sentence. With done: what
    was asked for beside the labels and could not be done; once is enough for what all items share."""
    labels: tuple[str, ...] | None = None
    """All labels on the item after the write, where they are known."""
    version: str | None = None
    """`WorkItem.version` after the write."""
    already: frozenset[str] = frozenset()
    """With done: labels of `LabelChange.add` that the item had right before the write. Somebody put them there since
    the pull, so they do not become ours."""
    cursor: Cursor | None = None
    """Where a later pull goes on from, if nothing but our writes changed the collection since it was pulled in this
    run, and all of them up to this one are told of: so that our own writes are not pulled as news."""
    made: tuple[MadeLabel, ...] = ()
    """Labels that were made in the collection for this write (only by a connector that is `Tidying`). One that was
    there is not among them, whoever made it."""


def exempted(change: LabelChange, labels: Iterable[str], what: str = "item") -> ChangeResult | None:
    """The result for an item that a person has exempted, also if that was after the pull; None if nobody has."""
    if found := change.exempted_by(labels):
        told = f'"{found}" was put on, so the {what} is left alone; the next run takes that into account'
        return ChangeResult(change.ref, Outcome.EXEMPT, told)
    return None


@dataclass(frozen=True, slots=True)
class Notice:
    """One line of `unstuck check --live`."""

    level: Literal["fine", "warning", "problem"]
    text: str


@runtime_checkable
class Preparing(Protocol):
    """A connector to a tool in which labels need something that a person, or this, must first put there."""

    def prepare(self, collection: Collection, *, really: bool) -> Sequence[str]:
        """Put there what labels need and what is missing, named one by one; unless `really`, only name it.

        Asked for by a person, for a collection that the person named; never part of a run.
        """
        ...


@dataclass(frozen=True, slots=True)
class Tidied:
    """What became of a label that was to be deleted."""

    label: MadeLabel
    outcome: Outcome
    """Done, or gone if it is not there any more; stale if somebody renamed it, so that it is not ours any more; refused
    where something carries it; failed if it may work the next time."""
    message: str = ""
    """Beside done and gone: what keeps it, and what to do next."""


@runtime_checkable
class Tidying(Protocol):
    """A connector to a tool in which a label is a thing of its own, and stays when nothing carries it."""

    def tidy(self, collection: Collection, made: Sequence[MadeLabel]) -> Iterator[Tidied]:
        """Delete labels that we made in the collection (`ChangeResult.made`), one answer for each, in their order.

        A label is deleted only if nothing carries it, also nothing that was archived, and if it still has the name that
        we gave it: both are looked at right before. Asked for by `unstuck retire` alone.
        """
        ...


@dataclass(frozen=True, slots=True)
class Dated:
    """Since when one item's status is what it is, by the tool's own history."""

    ref: ItemRef
    since: datetime | None
    """With `Capabilities.progress`, since when its progress is so, too, if that came later. `None` if the tool cannot
    prove it: the item is not asked about again before it moves."""


@runtime_checkable
class Dating(Protocol):
    """A connector to a tool that can prove since when a status holds, but too dearly to do so for every item.

    For those without `Capabilities.history`: what the core only knows as "at least" becomes exact for the items at
    which a rule counts the days.
    """

    def date(self, collection: Collection, refs: Sequence[ItemRef]) -> Iterator[Dated]:
        """Look (never write) into the history of these items of a collection that was pulled in this run.

        One answer for each, in their order, as soon as it is known. The connector ends when it has asked for as much
        as one run should cost; what has no answer is asked about again by a later run.
        """
        ...


class Fate(StrEnum):
    """What became of an item that is not in its collection any more."""

    ARCHIVED = "archived"
    DELETED = "deleted"
    MOVED = "moved"
    """Into another collection of the tool."""


@dataclass(frozen=True, slots=True)
class Traced:
    """What became of one item; `None` if the tool cannot tell, which it is not asked again."""

    ref: ItemRef
    fate: Fate | None


@runtime_checkable
class Tracing(Protocol):
    """A connector to a tool in which items that are archived are left out like deleted ones, and which tells them apart
    when it is asked.
    """

    def trace(self, collection: Collection, refs: Sequence[ItemRef]) -> Iterator[Traced]:
        """Look (never write) what became of items that a full pull of this collection did not have any more.

        One answer for each, in their order.
        """
        ...


class Cost(Protocol):
    """What a source cost so far. Bodies are counted unpacked, in bytes, and refused and repeated requests too."""

    @property
    def requests(self) -> int: ...

    @property
    def sent(self) -> int: ...

    @property
    def received(self) -> int: ...


@runtime_checkable
class Paced(Cost, Protocol):
    """A `Cost` that knows how fast its host may be asked, for people who watch a pull. Looked at by another thread."""

    @property
    def rate(self) -> float:
        """Requests a second that are let through on average; 0 where that is not known."""
        ...

    @property
    def waiting(self) -> float:
        """Seconds until the wait in hand is over, for one's turn or since the host asked for it; 0 if there is none."""
        ...


@runtime_checkable
class Counting(Protocol):
    """A connector that says what it cost, for the run's summary: every one that goes through `connectors.http` can."""

    @property
    def traffic(self) -> Cost | None:
        """Since it was opened, also after it was closed; `None` before it asked for anything."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A connector to a tool that allows only so many calls a day. The core counts them over all runs of a source."""

    def calls_made(self) -> int:
        """How many calls this connector made so far. Asked at any time, by another thread too."""
        ...

    @classmethod
    def calls_a_day(cls, setup: SourceSetup) -> tuple[int, int]:
        """How many calls the source may make a day, and how many a run takes at least."""
        ...


@runtime_checkable
class Connector(Protocol):
    """One source, opened for one run. Made as `Class(setup)`, which does no input or output yet.

    Any method may raise a `ConnectorError`; nothing else may escape. One thread at a time uses a connector, but not
    always the same one, and other sources' connectors work meanwhile in theirs: keep no state outside of `self`.
    """

    system: ClassVar[str]
    """The name in `system = "…"`."""
    summary: ClassVar[str]
    """What it reads and where labels go, in one line for `unstuck connectors`."""
    capabilities: ClassVar[Capabilities]
    options: ClassVar[tuple[Option, ...]]

    def __init__(self, setup: SourceSetup) -> None: ...

    def check(self) -> Sequence[Notice]:
        """Look (never write): can we get in, who are we, do the mapped fields exist, may we write?"""
        ...

    def collections(self) -> Sequence[Collection]:
        """The collections to pull, sorted by `native_id`: the configured ones, or all that can be seen."""
        ...

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        """Yield pages; the last one alone is `complete`. Without a cursor everything, else what came since.

        An error on the way leaves the pages before it valid, and their cursors good to go on from.
        """
        ...

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        """Write, yielding one result for each change, in the order of `changes`, each as soon as it is known.

        Applying the same change twice is the same as applying it once. With `Granularity.COLLECTION` the changes
        are the whole of what the labelled copy is to show beyond its input, also what an earlier copy already
        showed; they may be none.

        Exemptions are looked at again at the moment of writing. Where `LabelChange.unless` is set and the change
        puts anything on, the connector asks `unless.among(labels)` about the labels that the item has *now*, other
        people's too, and if that names one, writes nothing to the item and yields `Outcome.EXEMPT`. "Now" is:

        - `Granularity.ITEM`: the labels that the write is merged with, which were read right before it;
        - `Granularity.LABEL`: labels read for this item, or for the batch of items that is written next, right before
          it is written. Only where the write is conditional on a version that changes with the labels, and the change
          has one, may the reading be left out: a label put on since the pull then makes it `Outcome.STALE`;
        - `Granularity.COLLECTION`: the labels in the input that is copied, and those that its present copy shows. Such
          an item gets no label in the new copy that the present one does not show; what is to come off comes off.
        """
        ...

    def close(self) -> None:
        """Release connections and files. The connector is not used afterwards."""
        ...
