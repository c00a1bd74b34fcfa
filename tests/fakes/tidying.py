"""A tool in which labels are things of their own: the memory connector with a list of each collection's labels.

The list is a file beside the world; a label that is not on it is made before it is put on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from connectors.base import ChangeResult, Collection, MadeLabel, Outcome, Tidied
from connectors.errors import UnsafeError
from connectors.memory import MemoryConnector, read_world
from connectors.model import LabelChange
from tests.fakes.memory import MemoryWorld


class Listing:
    """The labels of all collections: "collection/name"."""

    def __init__(self, world: Path) -> None:
        self._file = world.with_suffix(".labels.json")

    def read(self) -> set[str]:
        return set(json.loads(self._file.read_text())) if self._file.exists() else set()

    def write(self, labels: set[str]) -> None:
        self._file.write_text(json.dumps(sorted(labels)))


class TidyingConnector(MemoryConnector):
    def _write(self, collection: Collection, change: LabelChange) -> ChangeResult:
        listing = Listing(self._file)
        known, wanted = listing.read(), {f"{collection.native_id}/{label}" for label in change.add}
        listing.write(known | wanted)
        return replace(super()._write(collection, change), made=self.told(sorted(wanted), known))

    def told(self, wanted: Sequence[str], known: set[str]) -> tuple[MadeLabel, ...]:
        return tuple(MadeLabel(label, label.partition("/")[2]) for label in wanted if label not in known)

    def tidy(self, collection: Collection, made: Sequence[MadeLabel]) -> Iterator[Tidied]:
        if not self._setup.writable:
            raise UnsafeError("this run may not write", "start it with --apply")
        for label in made:
            known = Listing(self._file).read()
            if label.native_id not in known:
                yield Tidied(label, Outcome.GONE)
            elif self.is_carried(collection, label):
                yield Tidied(label, Outcome.REFUSED, "an item carries it; take it off")
            else:
                Listing(self._file).write(self.less(known, label))
                yield Tidied(label, Outcome.DONE)

    def is_carried(self, collection: Collection, label: MadeLabel) -> bool:
        items = [item for item in read_world(self._file)["items"] if item["collection"] == collection.native_id]
        return any(label.name in item["labels"] for item in items)

    def less(self, known: set[str], label: MadeLabel) -> set[str]:
        return known - {label.native_id}


class TidyingWorld(MemoryWorld):
    def put_label(self, item: str, label: str) -> None:
        super().put_label(item, label)
        listing = Listing(self.file)
        listing.write(listing.read() | {f"{self.item(item)['collection']}/{label}"})

    def labels_there(self, collection: str) -> set[str]:
        places = (label.partition("/") for label in Listing(self.file).read())
        return {label for place, _, label in places if place == collection}
