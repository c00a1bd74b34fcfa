"""A connector as different from the memory connector as the contract allows: it only ever writes a labelled copy.

It reads the same JSON file, always whole, and remembers nothing: no cursor, no history, no versions.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from connectors.base import Capabilities, ChangeResult, Collection, Granularity, Outcome, Page, SourceSetup
from connectors.errors import UnsafeError
from connectors.memory import MemoryConnector, read_world, write_world
from connectors.model import Cursor, LabelChange
from tests.fakes.memory import MemoryWorld


class CopyingConnector(MemoryConnector):
    """Labels go into `labelled.json` beside the input: the labels of every item, and the hash of the input."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        writes=Granularity.COLLECTION, progress=True, label_max_length=40, label_forbids=";"
    )

    def __init__(self, setup: SourceSetup) -> None:
        super().__init__(setup)
        self.copy = copy_beside(self._file)

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        shown = load(self.copy)
        outdated = bool(shown) and shown["made_from"] != digest(self._file)
        for page in super().pull(collection, None):
            items = (
                replace(item, version=None, labels=tuple(shown["labels"].get(item.ref.native_id, item.labels)))
                if shown
                else replace(item, version=None)
                for item in page.items
            )
            yield Page(
                tuple(items),
                complete=page.complete,
                full=page.complete and cursor is None,
                copy_outdated=page.complete and outdated,
            )

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        if not self._setup.writable:
            raise UnsafeError("this run may not write", "start it with --apply")
        labels = {entry["native_id"]: sorted(entry["labels"]) for entry in read_world(self._file)["items"]}
        results = [self._show(labels, change) for change in changes]
        copy = {"made_from": digest(self._file), "labels": labels}
        if load(self.copy) != copy:
            write_world(self.copy, copy)
        yield from results

    def _show(self, labels: dict[str, list[str]], change: LabelChange) -> ChangeResult:
        """Put one change into the labels that the copy will show."""
        before = labels.get(change.ref.native_id)
        if before is None:
            return ChangeResult(
                change.ref, Outcome.GONE, "the item is not in the input any more; nothing is to be done"
            )
        if not all(fits(label, self.capabilities) for label in change.add):
            return ChangeResult(change.ref, Outcome.REFUSED, "the label cannot be held; shorten it, and use no ;")
        shown = load(self.copy).get("labels", {}).get(change.ref.native_id, before)
        exempt = change.unless and change.unless.among([*before, *shown])
        add = {*change.add} & {*shown} if exempt else {*change.add}
        after = sorted({*before, *add} - {*change.remove})
        labels[change.ref.native_id] = after
        if add != {*change.add}:
            return ChangeResult(change.ref, Outcome.EXEMPT, f"{exempt} was put on; the item is left alone")
        return ChangeResult(change.ref, Outcome.DONE, "", tuple(after))


def fits(label: str, can: Capabilities) -> bool:
    return len(label) <= (can.label_max_length or len(label)) and not set(label) & set(can.label_forbids)


def copy_beside(file: Path) -> Path:
    return file.with_name("labelled.json")


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def load(copy: Path) -> dict[str, Any]:
    """The copy as it is; empty if there is none."""
    found: dict[str, Any] = json.loads(copy.read_text("utf-8")) if copy.exists() else {}
    return found


class CopyingWorld(MemoryWorld):
    """Teams look at the copy, where there is one."""

    def labels_of(self, item: str) -> set[str]:
        shown = load(copy_beside(self.file))
        return set(shown["labels"][item]) if shown else super().labels_of(item)

    def everything(self) -> object:
        return self.file.read_bytes(), load(copy_beside(self.file))

    def input_of(self, collection: str) -> bytes:
        return self.file.read_bytes()
