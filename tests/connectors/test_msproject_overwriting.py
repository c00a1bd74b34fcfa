"""Whatever people save between our writes into a file: none of it is lost, and their part stays as they left it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Collection, Outcome
from connectors.model import ItemRef, LabelChange
from connectors.msproject.overwriting import OVER_INPUT
from tests.fakes.msproject import Folder, project, task
from tests.fakes.tables import delimited

UIDS = (1, 2, 3)
LABELS = ("pmo-a", "pmo-b")
Wanted = frozenset[tuple[int, str]]

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("export"), st.text("xyz", max_size=2)),
        st.tuples(st.just("edit"), st.text("xyz", min_size=1, max_size=2)),
        st.tuples(st.just("label"), st.frozensets(st.tuples(st.sampled_from(UIDS), st.sampled_from(LABELS)))),
    ),
    min_size=1,
    max_size=8,
)


class Share:
    """A folder in which one file is worked in by people, and labelled by us."""

    def __init__(self, root: Path, name: str) -> None:
        self.folder = Folder(root, options={"path": "inbox/*", "labels_go_into": OVER_INPUT})
        self.name = name
        self.path = self.folder.inbox / name
        self.ours: Wanted = frozenset()
        self.replaced: set[bytes] = set()
        """What people saved and we wrote over."""
        self.by_us = b""

    def export(self, note: str) -> None:
        """The plan anew, without any label."""
        if self.name.endswith(".xml"):
            content = project(*(task(uid, f"Task {uid} [{note}]") for uid in UIDS)).encode()
        else:
            content = delimited([("Unique ID", "Name"), *((uid, f"Täsk {uid} [{note}]") for uid in UIDS)]).encode()
        self.path.write_bytes(content)

    def edit(self, note: str) -> None:
        """A person opens the file as it is, writes on, and saves."""
        self.path.write_bytes(self.path.read_bytes().replace(b" [", b" [" + note.encode()))

    def label(self, wanted: Wanted) -> None:
        """A run in which rules ask for exactly these."""
        before, labels = self.path.read_bytes(), dict.fromkeys(UIDS, ())
        changes = [
            LabelChange(
                ItemRef("plan", f"{self.name}#{uid}"),
                add=tuple(label for label in LABELS if (uid, label) in wanted),
                remove=tuple(label for label in LABELS if (uid, label) not in wanted),
            )
            for uid in labels
        ]
        connector, collection = self.folder.open(), Collection(self.name, self.name)
        list(connector.pull(collection, None))
        results = list(connector.apply(collection, changes))
        assert {result.outcome for result in results} <= {Outcome.DONE, Outcome.UNCHANGED}
        if before not in (self.by_us, self.path.read_bytes()):
            self.replaced.add(before)
        if before != self.path.read_bytes():
            self.by_us = self.path.read_bytes()
        assert self.shown() == wanted
        assert self.replaced <= self.kept()

    def shown(self) -> Wanted:
        found = self.folder.items(self.name).values()
        return frozenset((int(item.ref.native_id.rpartition("#")[2]), label) for item in found for label in item.labels)

    def kept(self) -> set[bytes]:
        return {path.read_bytes() for path in self.folder.inbox.glob("before-labels/plan.*")}


@settings(max_examples=30)
@given(STEPS, st.sampled_from(["plan.xml", "plan.csv"]))
def test_nothing_that_a_person_saved_is_lost(
    steps: list[tuple[Literal["export", "edit"], str] | tuple[Literal["label"], Wanted]], name: str
) -> None:
    with tempfile.TemporaryDirectory() as root:
        share = Share(Path(root), name)
        share.export("")
        exported = share.path.read_bytes()
        for step in steps:
            if step[0] == "export":
                share.export(step[1])
                exported = share.path.read_bytes()
            elif step[0] == "edit":
                share.edit(step[1])
            else:
                share.label(step[1])
        notes = share.path.read_bytes().count(b"[")
        share.label(frozenset())
        assert share.path.read_bytes().count(b"[") == notes
        if all(step[0] != "edit" for step in steps):
            assert share.path.read_bytes() == exported, "without our labels it is not as it was"
