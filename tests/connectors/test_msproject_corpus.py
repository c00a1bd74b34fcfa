"""Real exports of Project 2002 to 2019: read exactly as another reader reads them, and labelled without a trace."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Outcome
from connectors.errors import InputError
from connectors.model import WorkItem
from connectors.msproject.fields import LOCAL
from tests.fakes.msproject import ZONE, Folder, needs_java

FOLDERS = ("mspdi", "mspdi-by-mpxj")
NATIVE = ("mpp", "mpx")
NAMES = {name: f"raw {name}" for name, _ in LOCAL.values()}
BUILTINS = {"raw WBS": "WBS", "raw level": "Outline Level", "raw number": "Outline Number", "raw start": "Start",
            "raw finish": "Finish", "raw deadline": "Deadline", "raw stop": "Stop", "raw resume": "Resume",
            "raw baseline start": "Baseline Start", "raw baseline finish": "Baseline Finish"}  # fmt: skip

EXPLAINED: dict[tuple[str, int, str], str] = {
    ("task-outlinecodes-project2007-mpp12.mpp", uid, "custom"): "MPXJ writes no outline code without a lookup table"
    for uid in range(11, 21)
}
"""(file, UID, what) -> why we differ from the other reader. An entry that no longer differs fails the test."""

REFUSED = {
    "aspose-PasswordProtected.mpp": "is protected by a password",
    "password-protected-mpp9.mpp": "is protected by a password",
}
"""Samples that neither reader can read, and our sentence."""

NO_ROOM = {"task-text-project2007-mspdi.xml", "task-text-project2019-mspdi.xml"}
"""All 30 text fields are taken."""


def _files(samples: Path, *folders: str) -> list[Path]:
    """The samples that the other reader could read."""
    found = [path for folder in folders for path in sorted((samples / "msproject" / folder).iterdir())]
    return [path for path in found if path.suffix != ".json" and "tasks" in _told(path)]


def _told(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(Path(f"{path}.expected.json").read_text())
    return told


@pytest.fixture
def folder(tmp_path: Path, samples: Path) -> Folder:
    """A folder with every custom field mapped."""
    fields = {NAMES[name]: name for name, _ in LOCAL.values()} | BUILTINS
    return Folder(tmp_path, fields=fields, options={"path": "inbox/*", "cache": "cache"})


def _expected_tasks(path: Path) -> dict[int, dict[str, Any]]:
    rows = _told(path)["tasks"]
    return {row["uid"]: row for row in rows if not row["null"] and row["uid"] != 0 and not row["external"]}


def _drop_occurrences(rows: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    def is_occurrence(row: dict[str, Any]) -> bool:
        parent = rows.get(row["parent_uid"])
        return bool(row["recurring"] and parent and parent["recurring"])

    return {uid: row for uid, row in rows.items() if not is_occurrence(row)}


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE) if text else None


def _as_read(item: WorkItem) -> dict[str, Any]:
    parent = item.parent_ref.native_id.rpartition("#")[2] if item.parent_ref else "0"
    facts: dict[str, Any] = {
        "name": item.title,
        "type": item.type,
        "parent": int(parent),
        "percent": item.percent_complete,
        "actual start": item.started_at,
        "actual finish": item.finished_at,
        "created": item.created_at,
        "priority": item.priority,
        "notes": item.description,
        "people": sorted(item.assignees),
    }
    facts |= {name: item.fields[name] for name in BUILTINS}
    facts["custom"] = {
        name: text
        for name, raw in NAMES.items()
        if (text := item.fields[raw]) not in ("", "No") and not name.startswith("Duration")
    }
    return facts


def _as_expected(row: dict[str, Any], people: set[str]) -> dict[str, Any]:
    custom = {name.upper().replace(" ", "_"): name for name in NAMES}
    return {
        "name": (row["name"] or "").strip() or "(no name)",
        "type": _expected_type(row),
        "parent": row["parent_uid"] or 0,
        "percent": row["percent_complete"],
        "actual start": _moment(row["actual_start"]),
        "actual finish": _moment(row["actual_finish"]),
        "created": _moment(row["create_date"]),
        "priority": str(row["priority"]) if row["priority"] is not None else "",
        "notes": (row["notes"] or "").strip(),
        "people": sorted(name for name in row["resource_names"] if name in people),
        "raw WBS": row["wbs"] or "",
        "raw level": str(row["outline_level"]),
        "raw number": row["outline_number"] or "",
        **{f"raw {name}": row[name.replace(" ", "_")] or "" for name in (
            "start", "finish", "deadline", "stop", "resume", "baseline start", "baseline finish")},
        "custom": {custom[name]: _custom_text(name, value) for name, value in row["custom"].items()
                   if name in custom and not name.startswith("DURATION") and value is not False},
    }  # fmt: skip


def _expected_type(row: dict[str, Any]) -> str:
    if row["subproject_file"]:
        return "subproject"
    return next((kind for kind in ("recurring", "summary", "milestone") if row[kind]), "task")


def _custom_text(name: str, value: Any) -> str:
    if name.startswith("FLAG"):
        return "Yes"
    if name.startswith("COST"):
        return f"{value:.2f}"
    return f"{value:g}" if isinstance(value, float) else str(value).strip()


def _people(path: Path) -> set[str]:
    resources = _told(path)["resources"]
    return {(each["name"] or "").strip() for each in resources if each.get("type", "WORK") in ("WORK", None)}


def _put_all(folder: Folder, paths: list[Path]) -> None:
    for path in paths:
        folder.export(path.name, path.read_bytes())
    folder.open().check()  # all heads: what has to be converted is, at once


def _differences(folder: Folder, path: Path) -> dict[tuple[str, int, str], tuple[object, object]]:
    """(file, UID, what) -> what we read, and what the other reader does."""
    expected = _drop_occurrences(_expected_tasks(path))
    folder.setup["collections"] = (path.name,)
    items = {int(item.ref.native_id.rpartition("#")[2]): item for item in folder.items(path.name).values()}
    assert list(items) == list(expected), path.name
    people = _people(path)
    found: dict[tuple[str, int, str], tuple[object, object]] = {}
    for uid, item in items.items():
        ours, theirs = _as_read(item), _as_expected(expected[uid], people)
        found |= {(path.name, uid, fact): (ours[fact], theirs[fact]) for fact in ours if ours[fact] != theirs[fact]}
    return found


@pytest.mark.parametrize("folders", [FOLDERS, pytest.param(NATIVE, marks=needs_java)], ids=["xml", "native"])
def test_every_task_is_read_as_expected(folder: Folder, samples: Path, folders: tuple[str, ...]) -> None:
    paths = _files(samples, *folders)
    _put_all(folder, paths)
    differences = {key: pair for path in paths for key, pair in _differences(folder, path).items()}
    unexplained = {key: pair for key, pair in differences.items() if key not in EXPLAINED}
    assert not unexplained
    names = {path.name for path in paths}
    explained = {key for key in EXPLAINED if key[0] in names}
    assert not explained - differences.keys(), "no longer different: take these out of the list"
    assert sum(len(_expected_tasks(path)) for path in paths) > 800


@needs_java
def test_every_other_sample_is_refused_with_its_sentence(folder: Folder, samples: Path) -> None:
    here = [path for part in (*FOLDERS, *NATIVE) for path in (samples / "msproject" / part).iterdir()]
    files = {path.name: path for path in here if path.suffix != ".json"}
    assert files.keys() - {path.name for path in _files(samples, *FOLDERS, *NATIVE)} == REFUSED.keys()
    _put_all(folder, [files[name] for name in REFUSED])
    for name, why in REFUSED.items():
        with pytest.raises(InputError, match=f"{name} {why}"):
            folder.items(name)


def test_a_labelled_copy_differs_in_the_labels_only(folder: Folder, samples: Path) -> None:
    folder.options["path"] = "inbox/*.xml"
    for path in _files(samples, *FOLDERS):
        folder.export(path.name, path.read_bytes())
        folder.setup["collections"] = (path.name,)
        before = folder.items(path.name)
        if not before:
            continue
        wanted = {f"u{item.ref.native_id.rpartition('#')[2]}": ("pmo-stuck", "wörk ✓") for item in before.values()}
        results = folder.apply(path.name, **wanted)
        if path.name in NO_ROOM:
            assert {result.outcome for result in results} == {Outcome.REFUSED}
            continue
        assert {result.outcome for result in results} == {Outcome.DONE}, path.name
        assert (folder.inbox / path.name).read_bytes() == path.read_bytes()
        _check_copy(folder, path.name, before)


def _check_copy(folder: Folder, name: str, before: dict[str, WorkItem]) -> None:
    """The copy, read as an input of its own, has the same items but for the labels and the field that holds them."""
    alone = Folder(folder.root, options={"path": "inbox/labelled/*.xml", "copies": "again"}, fields=folder.fields)
    after = {item.key: item for page in alone.pull(name) for item in page.items}
    assert {key: _without_labels(item) for key, item in after.items()} == {
        key: _without_labels(item) for key, item in before.items()
    }
    assert {item.labels for item in after.values()} == {("pmo-stuck", "wörk ✓")}


def _without_labels(item: WorkItem) -> WorkItem:
    fields = {name: text for name, text in item.fields.items() if text != "pmo-stuck; wörk ✓"}
    return replace(item, labels=(), fields={name: text for name, text in fields.items() if text})
