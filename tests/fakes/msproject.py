"""A folder of Microsoft Project exports with a back door: what Project, operators and project managers do to it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.base import ChangeResult, Collection, Page, SourceSetup
from connectors.fakes.msproject import TEXT1, define, element, project, task, value
from connectors.model import Cursor, ItemRef, LabelChange, WorkItem
from connectors.msproject import MSProjectConnector
from connectors.msproject.java import find_jars
from connectors.msproject.splice import read_labels

ZONE = ZoneInfo("Europe/Berlin")

needs_java = pytest.mark.skipif(
    not (shutil.which("java") and find_spec("mpxj")), reason="no Java here, or no MPXJ: pip install mpxj"
)
"""For tests that convert files."""
TEXT30 = 188744016

__all__ = [
    "FOREIGN", "TEXT1", "TEXT30", "ZONE", "Folder", "define", "element", "mpx", "needs_java", "project", "task",
    "value", "write_foreign",
]  # fmt: skip


def mpx(*tasks: str) -> str:
    """A file of Project 98 with tasks of these names, numbered from 1; no date in it."""
    rows = [f"70,{number},{number},{name},1,40" for number, name in enumerate(tasks, 1)]
    columns = "61,90,98,1,3,44"  # ID, Unique ID, Name, Outline Level, % Complete
    return "\n".join(["MPX,Microsoft Project for Windows,4.0,ANSI", "30,Atlas", columns, *rows, ""])


def write_foreign(folder: Path, *names: str) -> None:
    """Save `NAME.xml` of a folder as .mpx, .xer and .pmxml beside it, as other programs would: MPXJ writes them."""
    orders = [f"{folder}/{name}.xml\t{folder}/{name}.{kind}" for name in names for kind in FOREIGN]
    (folder / "orders").write_text("\n".join(orders))
    quiet = "-Dlog4j2.loggerContextFactory=org.apache.logging.log4j.simple.SimpleLoggerContextFactory"
    writer = Path(__file__).with_name("WriteProjects.java")
    command = [shutil.which("java") or "", quiet, "-cp", f"{find_jars()[0]}/*", str(writer), str(folder / "orders")]
    subprocess.run(command, check=True, timeout=100)


FOREIGN = ("mpx", "xer", "pmxml")


@dataclass
class Folder:
    """`inbox/` below a folder of the test's, and connectors over it."""

    root: Path
    options: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    setup: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.inbox.mkdir(exist_ok=True)

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    def export(self, name: str, text: str | bytes) -> Path:
        """Project saves a file (anew)."""
        path = self.inbox / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def copy(self, name: str) -> Path:
        return self.inbox / "labelled" / name

    def source(self, **more: Any) -> SourceSetup:
        """A source that reads the folder."""
        options = {"path": "inbox/*.xml", "settle_seconds": 0, **self.options}
        setup = {"timezone": ZONE, "folder": self.root, "writable": True, "fields": self.fields, **self.setup, **more}
        return SourceSetup("plan", options, **setup)

    def open(self, **more: Any) -> MSProjectConnector:
        """A connector for one more run."""
        return MSProjectConnector(self.source(**more))

    def labels_in(self, file: Path, uid: int) -> tuple[str, ...]:
        """The labels that a person sees on a task who opens this very file, input or copy."""
        return self.all_labels_in(file).get(uid, ())

    def all_labels_in(self, file: Path) -> dict[int, tuple[str, ...]]:
        """UID -> labels, of the same file."""
        with file.open("rb") as stream:
            return read_labels(stream, file.name, "Labels")

    def pull(self, name: str, cursor: Cursor | None = None) -> list[Page]:
        return list(self.open().pull(Collection(name, name), cursor))

    def items(self, name: str) -> dict[str, WorkItem]:
        """Key -> item, of a full pull."""
        return {item.key: item for page in self.pull(name) for item in page.items}

    def apply(self, name: str, **labels: Sequence[str]) -> list[ChangeResult]:
        """One run that pulls and then adds labels, by keyword `u1=["a"]` for UID 1; none means none are to be shown."""
        connector = self.open()
        collection = Collection(name, name)
        list(connector.pull(collection, None))
        changes = [LabelChange(ItemRef("plan", f"{name}#{uid[1:]}"), add=tuple(add)) for uid, add in labels.items()]
        return list(connector.apply(collection, changes))
