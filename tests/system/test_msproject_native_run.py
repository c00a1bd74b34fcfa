"""The whole job on files that only MPXJ reads, as other programs write them: MPXJ writes them here, from MSPDI.

It writes neither .mpp (see test_msproject_run.py) nor .mpt, which is a sample's.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.fakes.msproject import FOREIGN, element, needs_java, project, task, write_foreign
from tests.system.inbox import InboxTown

CONFIG = """
timezone = "Europe/Berlin"
brakes.share = 1.0
brakes.per_rule = 500
[sources.plan]
system = "msproject"
path   = "inbox/*"
cache  = "cache"
settle_seconds = 0
"""
RULES = """
[[rule]]
id    = "no-owner"
label = "pmo-no-owner"
says  = "Nobody does it"
rollout = "now"
[rule.when]
type  = "task"
owner = "missing"
"""
NOTHING = {"items": 0, "added": 0, "removed": 0, "copies": 0, "deleted_labels": 0}
Owners = dict[int, str | None]
"""UID of a task -> who does it."""
BEFORE: Owners = {2: "Ada", 3: None, 4: None}
AFTER: Owners = {2: "Ada", 3: "Max", 4: None}

pytestmark = needs_java


def plan(owners: Owners) -> str:
    """A phase with tasks, in MSPDI."""
    dates = {"Start": "2026-03-02T08:00:00", "Finish": "2026-03-27T17:00:00", "Duration": "PT160H0M0S",
             "RemainingDuration": "PT160H0M0S", "PercentComplete": 0}  # fmt: skip
    people = sorted({who for who in owners.values() if who})
    rows = [task(1, "Phase", ID=1, Summary=1, **dates)]
    rows += [task(uid, f"Task {uid}", ID=uid, **{**dates, "OutlineLevel": 2}) for uid in owners]
    resources = [element("Resource", UID=at, ID=at, Name=who, Type=1) for at, who in enumerate(people, 1)]
    assignments = [
        element("Assignment", UID=uid, TaskUID=uid, ResourceUID=people.index(who) + 1, Units=1, Work="PT8H0M0S")
        for uid, who in owners.items()
        if who
    ]
    parts = element("Resources", *resources) + element("Assignments", *assignments)
    return project(*rows, parts=parts, Title="Atlas", StatusDate="2026-03-18T17:00:00")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plan before and after somebody took a task on, in every kind."""
    folder = tmp_path_factory.mktemp("written")
    (folder / "before.xml").write_text(plan(BEFORE))
    (folder / "after.xml").write_text(plan(AFTER))
    write_foreign(folder, "before", "after")
    return folder


class Office(InboxTown):
    """A town whose tool is a folder of files that only their own programs write."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, CONFIG, RULES)

    def shown(self, name: str) -> dict[str, list[str]]:
        """The labels that a person sees who opens the copy, by UID; tasks without labels left out."""
        return self.seen_in(f"labelled/{name}")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


OURS = ["pmo-no-owner"]


def test_labels_come_and_go_in_xml_beside_files_of_every_kind(office: Office, written: Path) -> None:
    for kind in FOREIGN:
        shutil.copy(written / f"before.{kind}", office.inbox / f"{kind}-plan.{kind}")
    assert office.run().json["written"] == {"items": 6, "added": 6, "removed": 0, "copies": 3, "deleted_labels": 0}
    for kind in FOREIGN:
        assert office.shown(f"{kind}-plan.{kind}.xml") == {"3": OURS, "4": OURS}, kind
        assert (office.inbox / f"{kind}-plan.{kind}").read_bytes() == (written / f"before.{kind}").read_bytes()
    assert office.run().json["written"] == NOTHING
    found = {item["key"]: item for item in office.unstuck("items", "--format", "json").json}
    for kind in FOREIGN:
        keys = [f"{kind}-plan-{uid}" for uid in range(1, 5)]
        assert [found[key]["title"] for key in keys] == ["Phase", "Task 2", "Task 3", "Task 4"], kind
        assert [found[key]["type"] for key in keys] == ["summary", "task", "task", "task"], kind
        assert [found[key]["owner"] for key in keys] == [None, "Ada", None, None], kind
        assert {found[key]["status"] for key in keys} == {"Not started"}, kind

    for kind in FOREIGN:
        shutil.copy(written / f"after.{kind}", office.inbox / f"{kind}-plan.{kind}")
    assert office.run().json["planned"] == {"items": 3, "add": 0, "remove": 3, "copies": 3}
    for kind in FOREIGN:
        assert office.shown(f"{kind}-plan.{kind}.xml") == {"4": OURS}, kind
    assert office.run().json["written"] == NOTHING
    assert office.unstuck("retire", "--apply").code == 0
    for kind in FOREIGN:
        assert office.shown(f"{kind}-plan.{kind}.xml") == {}, kind


def test_labels_come_and_go_in_xml_beside_a_template(office: Office, samples: Path) -> None:
    original = (samples / "msproject/mpp/aspose-Homemoveplan.mpp").read_bytes()
    path = office.inbox / "move.mpt"
    path.write_bytes(original)
    written = office.run().json["written"]
    assert written["items"] == written["added"] > 10
    assert len(office.shown("move.mpt.xml")) == written["items"]
    assert office.run().json["written"] == NOTHING
    assert office.unstuck("retire", "--apply").code == 0
    assert office.shown("move.mpt.xml") == {}
    assert path.read_bytes() == original
