"""The MS Project connector keeps the contract, in a folder of exports in which project managers work."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from connectors.base import SourceSetup
from connectors.contract import ConnectorContract, World, ref
from connectors.model import LabelChange
from connectors.msproject import MSProjectConnector
from connectors.msproject.overwriting import OVER_INPUT
from connectors.msproject.tables.options import make_tables
from tests.fakes.msproject import TEXT30, Folder, define, project, task, value
from tests.fakes.tables import delimited, workbook

DATES = {
    "PercentComplete": 40,
    "ActualStart": "2026-10-01T08:00:00",
    "Stop": "2026-10-12T17:00:00",
    "Finish": "2026-11-30T17:00:00",
    "Deadline": "2026-12-15T17:00:00",
    "CreateDate": "2026-09-01T08:00:00",
}
LABELS = define(TEXT30, "Text30", "Labels")


class ProjectWorld(World):
    """Files that Project saves, one a collection; what changed is written when somebody next looks."""

    several_pages: ClassVar[int | None] = 1_100

    def __init__(self, root: Path) -> None:
        self.folder = Folder(root)
        self.titles: dict[str, dict[int, str]] = {}
        self.labels: dict[str, list[str]] = {}
        self.unsaved: set[str] = set()
        self.last_uid = 0

    def setup(self, *, writable: bool = True) -> SourceSetup:
        self._save()
        return self.folder.source(writable=writable)

    def new_collection(self, name: str) -> str:
        file = f"{name.lower()}-{len(self.titles)}.xml"
        self.titles[file] = {}
        self.unsaved.add(file)
        return file

    def new_item(self, collection: str, title: str) -> str:
        self.last_uid += 1
        self.titles[collection][self.last_uid] = title
        self.unsaved.add(collection)
        return f"{collection}#{self.last_uid}"

    def edit(self, item: str, title: str) -> None:
        file, uid = self._at(item)
        self.titles[file][uid] = title

    def remove(self, item: str) -> None:
        file, uid = self._at(item)
        del self.titles[file][uid]

    def put_label(self, item: str, label: str) -> None:
        self._at(item)
        self.labels.setdefault(item, []).append(label)

    def labels_of(self, item: str) -> set[str]:
        self._save()
        file, uid = self._at(item)
        seen = self.folder.copy(file) if self.folder.copy(file).exists() else self.folder.inbox / file
        return set(self.folder.labels_in(seen, uid))

    def everything(self) -> object:
        self._save()
        return {path: path.read_bytes() for path in sorted(self.folder.root.rglob("*")) if path.is_file()}

    def ruin(self) -> None:
        self._save()
        for path in self.folder.inbox.glob("*.xml"):
            path.write_bytes(path.read_bytes()[:-20])

    def held(self, title: str) -> str:
        """XML folds line ends; nothing else is lost."""
        return title.strip()

    def input_of(self, collection: str) -> bytes:
        self._save()
        return (self.folder.inbox / collection).read_bytes()

    def _at(self, item: str) -> tuple[str, int]:
        file, _, uid = item.rpartition("#")
        self.unsaved.add(file)
        return file, int(uid)

    def _save(self) -> None:
        for file in self.unsaved:
            tasks = (self._task(file, uid, title) for uid, title in self.titles[file].items())
            text = project(*tasks, definitions=[LABELS])
            if not (self.folder.inbox / file).exists() or (self.folder.inbox / file).read_text() != text:
                self.folder.export(file, text)
        self.unsaved.clear()

    def _task(self, file: str, uid: int, title: str) -> str:
        labels = self.labels.get(f"{file}#{uid}")
        return task(uid, title, *([value(TEXT30, "; ".join(labels))] if labels else []), **DATES)


class TableWorld(ProjectWorld):
    """The same, with tables for projects: workbooks, and every other one CSV."""

    header = ("Unique_ID", "Name", "Percent_Complete", "Actual_Start", "Finish_Date", "Created", "Labels")

    def setup(self, *, writable: bool = True) -> SourceSetup:
        self.folder.options["path"] = "inbox/*"
        return super().setup(writable=writable)

    def new_collection(self, name: str) -> str:
        suffix = "csv" if len(self.titles) % 2 else "xlsx"
        file = f"{name.lower()}-{len(self.titles)}.{suffix}"
        self.titles[file] = {}
        self.unsaved.add(file)
        return file

    def labels_of(self, item: str) -> set[str]:
        self._save()
        file, uid = self._at(item)
        seen = self.folder.copy(file) if self.folder.copy(file).exists() else self.folder.inbox / file
        excel, text = make_tables({"label_field": "Labels"}, {})
        with seen.open("rb") as stream:
            shown = (excel if file.endswith(".xlsx") else text).read_labels(stream, file, "Labels")
        return set(shown.get(str(uid), ()))

    def ruin(self) -> None:
        self._save()
        for path in self.folder.inbox.glob("*.*"):
            path.write_bytes(path.read_bytes()[:-20] if path.suffix == ".xlsx" else b"Unique_ID;Na")

    def _save(self) -> None:
        for file in self.unsaved:
            rows = [self.header, *(self._row(file, uid, title) for uid, title in self.titles[file].items())]
            content = workbook(("Task_Table1", rows)) if file.endswith(".xlsx") else delimited(rows, ";").encode()
            if not (self.folder.inbox / file).exists() or (self.folder.inbox / file).read_bytes() != content:
                self.folder.export(file, content)
        self.unsaved.clear()

    def _row(self, file: str, uid: int, title: str) -> tuple[object, ...]:
        labels = "; ".join(self.labels.get(f"{file}#{uid}", []))
        return uid, title, "40%", "2026-10-01 08:00", "2026-11-30 17:00", "2026-09-01", labels


class OverwritingWorld(ProjectWorld):
    """People open the very files that labels go into, so what they save has the labels that were in it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.folder.options["labels_go_into"] = OVER_INPUT

    def labels_of(self, item: str) -> set[str]:
        self._save()
        file, _, uid = item.rpartition("#")
        return set(self.folder.labels_in(self.folder.inbox / file, int(uid)))

    def _at(self, item: str) -> tuple[str, int]:
        file, uid = super()._at(item)
        if (self.folder.inbox / file).exists():
            in_file = self.folder.all_labels_in(self.folder.inbox / file)
            for each in self.titles[file]:
                put = self.labels.get(f"{file}#{each}", [])
                self.labels[f"{file}#{each}"] = [*dict.fromkeys([*in_file.get(each, ()), *put])]
        return file, uid


class TestMSProject(ConnectorContract):
    connector = MSProjectConnector

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return ProjectWorld(tmp_path)


class TestMSProjectTables(ConnectorContract):
    connector = MSProjectConnector

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return TableWorld(tmp_path)


class TestMSProjectOverwriting(ConnectorContract):
    connector = MSProjectConnector

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return OverwritingWorld(tmp_path)

    def take(self, world: World, collection: str, item: str, *labels: str) -> None:
        """There is no copy to be made anew without them: the core names what comes off."""
        self.apply(world, collection, LabelChange(ref(world, item), remove=labels))

    def test_the_input_is_never_changed(self, world: World) -> None:
        """But as config says."""
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        before = world.input_of(board)
        self.put(world, board, item, "pmo-one")
        assert world.input_of(board) != before
        self.take(world, board, item, "pmo-one")
        assert world.input_of(board) == before

    def test_an_outdated_copy_is_said_to_be(self, world: World) -> None:
        """What a person saved from a file with labels is no new export."""
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        self.put(world, board, item, "pmo-one")
        world.edit(item, "Edited")
        assert not self.pull(world, board).pages[-1].copy_outdated
