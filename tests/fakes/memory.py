"""The JSON file of a memory source, as people work in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from connectors.base import SourceSetup
from connectors.contract import World

STATUSES = ("To do", "Doing", "Done")


class MemoryWorld(World):
    """A world file, for the contract suite and for tests that edit it between two runs of the command.

    Every edit takes the next number of `changed`, as one in a real tool would, and is noted in the log.
    """

    several_pages: ClassVar[int | None] = 5

    def __init__(self, folder: Path, name: str = "world.json") -> None:
        self.file = folder / name
        if not self.file.exists():
            self._store({"changed": 0, "collections": [], "items": [], "deleted": [], "log": []})

    def setup(self, *, writable: bool = True) -> SourceSetup:
        options = {"world": self.file.name, "page_size": 2}
        return SourceSetup(name="small", options=options, folder=self.file.parent, writable=writable)

    def new_collection(self, name: str) -> str:
        world = self._load()
        native_id = f"B{99 - len(world['collections'])}"  # the second sorts before the first
        world["collections"].append({"native_id": native_id, "name": name})
        self._store(world)
        return native_id

    def new_item(self, collection: str, title: str, **columns: Any) -> str:
        """Any other column of a work item can be given, as the file holds it."""
        world = self._load()
        native_id = str(1 + len(world["items"]) + len(world["deleted"]))
        entry = {
            "native_id": native_id,
            "collection": collection,
            "key": f"APP-{native_id}",
            "title": title,
            "created_at": "2026-01-05T09:00:00+01:00",
            "due_at": "2026-06-30T00:00:00+02:00",
            "percent_complete": 40,
            "labels": [],
        }
        self._changed(world, entry | columns, "items")
        return native_id

    def edit(self, item: str, title: str | None = None, **columns: Any) -> None:
        """Give an item another title, or any other column another value."""
        self._edit(item, columns if title is None else {"title": title, **columns})

    def remove(self, item: str) -> None:
        world = self._load()
        entry = self._pick(world, item)
        self._changed(world, {"native_id": item, "collection": entry["collection"]}, "deleted")

    def put_label(self, item: str, label: str) -> None:
        self._edit(item, {"labels": [*self.item(item)["labels"], label]})

    def take_label(self, item: str, label: str) -> None:
        self._edit(item, {"labels": [one for one in self.item(item)["labels"] if one != label]})

    def labels_of(self, item: str) -> set[str]:
        return set(self.item(item)["labels"])

    def move(self, item: str) -> str:
        entry = self.item(item)
        history = entry.get("transitions", [])
        status = STATUSES[(len(history) + 1) % len(STATUSES)]
        moved = {"at": f"2026-02-{len(history) + 1:02}T09:00:00+00:00", "to_status": status}
        self._edit(item, {"status": status, "transitions": [*history, moved]})
        return status

    def everything(self) -> object:
        return self.file.read_bytes()

    def ruin(self) -> None:
        self.file.write_bytes(self.file.read_bytes()[:-20])

    def item(self, item: str) -> dict[str, Any]:
        """One item as the file holds it."""
        return next(entry for entry in self._load()["items"] if entry["native_id"] == item)

    def log(self, by: str = "us") -> list[dict[str, Any]]:
        """Every write by `us` (the connector) or by a `person`."""
        return [record for record in self._load()["log"] if record["by"] == by]

    def outage(self, **after: int) -> None:
        """Fail after so many `pages` of a pull or so many `writes` of a run; with neither, work again."""
        self._store({**self._load(), "outage": after})

    def _edit(self, item: str, columns: dict[str, Any]) -> None:
        world = self._load()
        self._changed(world, self._pick(world, item) | columns, "items")

    def _pick(self, world: dict[str, Any], item: str) -> dict[str, Any]:
        """Take an item out of `world`."""
        entry: dict[str, Any] = next(entry for entry in world["items"] if entry["native_id"] == item)
        world["items"].remove(entry)
        return entry

    def _changed(self, world: dict[str, Any], entry: dict[str, Any], part: str) -> None:
        world["changed"] += 1
        world[part].append(entry | {"changed": world["changed"]})
        world["log"].append({"by": "person", "item": entry["native_id"]})
        self._store(world)

    def _load(self) -> dict[str, Any]:
        world: dict[str, Any] = json.loads(self.file.read_text("utf-8"))
        return world

    def _store(self, world: dict[str, Any]) -> None:
        self.file.write_text(json.dumps(world, indent=1), "utf-8")
