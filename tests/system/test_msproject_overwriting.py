"""Labels in the input files themselves, where config says so: nothing that a person saved is lost, all is undone."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.errors import ConnectorError
from connectors.msproject.overwriting import OVER_INPUT
from tests.fakes.msproject import TEXT1, Folder, define, mpx, needs_java, project, task, value
from tests.fakes.tables import delimited, part, repacked, sharing, wizard
from tests.system.inbox import InboxTown

COPIES = """
timezone = "Europe/Berlin"
brakes.share = 1.0
brakes.per_rule = 500
[sources.plan]
system = "msproject"
path   = "inbox/*"
cache  = "cache"
settle_seconds = 0
[sources.plan.fields]
sponsor = "Text1"
"""
OVER = COPIES.replace("settle", f'labels_go_into = "{OVER_INPUT}"\nsettle')
NOTHING = {"items": 0, "added": 0, "removed": 0, "copies": 0, "deleted_labels": 0}
Tasks = dict[int, str | None]
"""UID -> sponsor."""


def as_xml(tasks: Tasks, note: str = "") -> bytes:
    rows = [task(uid, f"Task {uid}", *([value(TEXT1, who)] if who else []), Notes=note) for uid, who in tasks.items()]
    return project(*rows, definitions=[define(TEXT1, "Text1")], StatusDate="2026-03-18T17:00:00").encode()


def as_workbook(tasks: Tasks, note: str = "") -> bytes:
    return sharing(wizard(*((uid, f"Task {uid} {note}", 0, who) for uid, who in tasks.items())))


def as_text(tasks: Tasks, note: str = "") -> bytes:
    rows = [
        ("N° unique", "Nom de la tâche", "Text1"),
        *((uid, f"Tâche {uid} {note}", who or "") for uid, who in tasks.items()),
    ]
    return delimited(rows, ";").encode("cp1252")


KINDS: dict[str, Callable[..., bytes]] = {"atlas.xml": as_xml, "atlas.xlsx": as_workbook, "atlas.csv": as_text}


class Office(InboxTown):
    """A town whose tool is a folder of files that labels go into."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, OVER)

    def export(self, name: str, content: bytes) -> None:
        (self.inbox / name).write_bytes(content)

    def read(self, name: str) -> bytes:
        return (self.inbox / name).read_bytes()

    def replace(self, name: str, old: str, new: str) -> None:
        """A person edits the file that lies there."""
        content = self.read(name)
        if not content.startswith(b"PK"):
            assert old.encode() in content
            self.export(name, content.replace(old.encode(), new.encode()))
            return
        parts = {each: part(content, each) for each in ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml")}
        assert any(old.encode() in inside for inside in parts.values())
        edited = {each: inside.replace(old.encode(), new.encode()) for each, inside in parts.items()}
        self.export(name, repacked(content, **edited))

    def shown(self, name: str) -> dict[str, list[str]]:
        """The labels that a person sees who opens the file, by UID; tasks without labels left out."""
        return self.seen_in(name)

    @property
    def originals(self) -> list[bytes]:
        return [path.read_bytes() for path in self.inbox.glob("before-labels/*.*") if path.name != ".unstuck.json"]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


OURS = ["pmo-no-sponsor"]


@pytest.mark.parametrize("name", KINDS)
def test_labels_come_into_the_file_itself_and_with_the_last_one_the_original_is_back(office: Office, name: str) -> None:
    original = KINDS[name]({1: None, 2: None, 3: "Ada"})
    office.export(name, original)
    os.utime(office.inbox / name, ns=(10**18, 10**18))
    (office.inbox / name).chmod(0o640)
    assert office.run().json["written"] == {"items": 2, "added": 2, "removed": 0, "copies": 1, "deleted_labels": 0}
    assert office.shown(name) == {"1": OURS, "2": OURS}
    assert office.originals == [original]
    status = (office.inbox / name).stat()
    assert (status.st_mtime_ns, status.st_mode & 0o777) == (10**18, 0o640)
    assert not (office.inbox / "labelled").exists()
    assert office.run().json["written"] == NOTHING

    office.write_rules(
        "[[rule]]\nid = 'x'\nlabel = 'pmo-x'\nsays = 'x'\nrollout = 'now'\nwhen.title = 'none is called so'\n"
    )
    assert office.unstuck("run", "--apply", "--force", "rule").code == 0
    assert office.read(name) == original
    assert office.run().json["written"] == NOTHING
    assert office.originals == [original]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("words", [("undo", "1"), ("retire",)], ids=" ".join)
def test_what_was_written_is_taken_back_to_the_byte(office: Office, name: str, words: tuple[str, ...]) -> None:
    original = KINDS[name]({1: None, 2: "Ada"})
    office.export(name, original)
    office.run()
    assert office.read(name) != original
    said = office.unstuck(*words)
    assert office.shown(name) == {"1": OURS}, "it only plans until it is told to write"
    said = office.unstuck(*words, "--apply")
    assert said.code == 0, said.err
    assert office.read(name) == original
    if words[0] == "undo":
        assert office.run().json["written"] == NOTHING, "what was undone stays off"


@pytest.mark.parametrize("name", KINDS)
def test_what_a_person_did_meanwhile_stays_when_all_is_taken_back(office: Office, name: str) -> None:
    office.export(name, KINDS[name]({1: None, 2: "Ada"}, "digging"))
    office.run()
    office.replace(name, "digging", "drilling")
    edited = office.read(name)
    assert office.unstuck("retire", "--apply").code == 0
    assert office.shown(name) == {}
    office.replace(name, "drilling", "drilling")  # it is there
    assert edited in office.originals


@pytest.mark.parametrize("name", KINDS)
def test_a_label_that_a_person_takes_out_of_the_file_stays_off(office: Office, name: str) -> None:
    office.export(name, KINDS[name]({1: None, 2: "Ada"}))
    office.run()
    office.replace(name, "pmo-no-sponsor", "not for us")
    assert office.run().json["vetoes"] == 1
    for _ in range(2):
        assert office.run().json["written"] == NOTHING
    assert office.shown(name) == {"1": ["not for us"]}


@pytest.mark.parametrize("name", KINDS)
def test_a_new_export_is_labelled_again_and_kept_as_well(office: Office, name: str) -> None:
    first, second = KINDS[name]({1: None, 2: None}), KINDS[name]({1: "Grace", 2: None, 3: None})
    office.export(name, first)
    office.run()
    office.export(name, second)
    summary = office.run().json
    assert (summary["vetoes"], summary["planned"]) == (0, {"items": 2, "add": 1, "remove": 1, "copies": 1})
    assert office.shown(name) == {"2": OURS, "3": OURS}
    assert sorted(office.originals) == sorted([first, second])
    assert office.run().json["written"] == NOTHING
    office.unstuck("retire", "--apply")
    assert office.read(name) == second


def test_of_several_exports_the_newest_alone_is_written_to(office: Office) -> None:
    old, new = as_xml({1: None}), as_xml({1: None, 2: None}).replace(b"03-18T", b"03-19T")
    office.export("atlas.xml", old)
    office.run()
    labelled = office.read("atlas.xml")
    office.export("atlas (2).xml", new)
    summary = office.run().json
    assert (summary["vetoes"], summary["written"]["added"]) == (0, 1)
    assert office.read("atlas.xml") == labelled
    assert office.shown("atlas (2).xml") == {"1": OURS, "2": OURS}
    assert office.run().json["written"] == NOTHING
    assert len(office.unstuck("items", "--format", "json").json) == 2


@pytest.mark.parametrize(("first", "then"), [(COPIES, OVER), (OVER, COPIES)], ids=["copies first", "over first"])
@pytest.mark.parametrize("name", KINDS)
def test_labels_move_with_the_config_and_none_counts_as_taken_off(
    office: Office, name: str, first: str, then: str
) -> None:
    office.write_config(first)
    original = KINDS[name]({1: None, 2: None})
    office.export(name, original)
    office.run()
    office.write_config(then)
    assert office.run().json["vetoes"] == 0
    seen = name if then == OVER else f"labelled/{name}"
    assert office.shown(name) == {"1": OURS, "2": OURS}
    assert office.run().json["written"] == NOTHING
    assert office.unstuck("retire", "--apply").code == 0
    assert office.shown(seen) == {}
    assert office.run().json["vetoes"] == 0


def test_it_is_never_so_by_chance(office: Office) -> None:
    office.export("atlas.xml", as_xml({1: None}))
    for words in ("input", "yes", OVER_INPUT.upper(), OVER_INPUT.removesuffix(" of each")):
        office.write_config(OVER.replace(OVER_INPUT, words))
        said = office.unstuck("run", "--apply")
        assert said.code == 2
        assert said.err.startswith("sources.plan: labels_go_into = ")
        assert OVER_INPUT in said.err
    office.write_config(COPIES)
    office.run()
    assert office.read("atlas.xml") == as_xml({1: None})


def test_a_run_that_only_plans_writes_nothing(office: Office) -> None:
    office.export("atlas.xml", as_xml({1: None}))
    office.unstuck("run")
    office.unstuck("plan", "-o", "plan.json")
    assert [path.name for path in office.inbox.iterdir()] == ["atlas.xml"]
    assert office.read("atlas.xml") == as_xml({1: None})
    assert office.unstuck("apply", "plan.json", "--all").code == 0
    assert office.shown("atlas.xml") == {"1": OURS}


def test_check_says_which_files_are_written_over(office: Office) -> None:
    office.export("atlas.xml", as_xml({1: None}))
    office.export("old.mpx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    out = " ".join(office.unstuck("check", "--live").out.split())
    assert "atlas.xml: labels are written into this very file, after a backup of it" in out


@needs_java
def test_what_only_its_own_program_can_write_is_left_alone_with_a_sentence(office: Office) -> None:
    office.export("old.mpx", mpx("Dig", "Fill").encode())
    office.export("atlas.xml", as_xml({1: None}))
    for _ in range(2):
        said = office.unstuck("run", "--apply")
        assert said.code == 1
        assert said.err.count("old.mpx is of a kind that only its own program can write") == 1, said.err
    assert office.shown("atlas.xml") == {"1": OURS}
    assert office.read("old.mpx") == mpx("Dig", "Fill").encode()
    assert "take labels_go_into out of this source" in " ".join(office.unstuck("check", "--live").out.split())


def test_a_backup_that_was_touched_stops_the_writing(office: Office) -> None:
    office.export("atlas.xml", as_xml({1: None}))
    office.run()
    [backup] = office.inbox.glob("before-labels/atlas.*.xml")
    backup.write_bytes(b"not any more")
    office.export("atlas.xml", as_xml({1: None}))
    said = office.unstuck("run", "--apply")
    assert said.code == 1
    assert f"before-labels/{backup.name} was changed since it was kept, and is in the way; move it away" in said.err
    assert office.read("atlas.xml") == as_xml({1: None})
    assert backup.read_bytes() == b"not any more"


def test_a_link_is_not_written_over(office: Office) -> None:
    (office.folder / "elsewhere").mkdir()
    office.export("real.xml", as_xml({1: None}))
    (office.inbox / "atlas.xml").symlink_to("real.xml")
    office.write_config(OVER.replace("inbox/*", "inbox/atlas.xml"))
    said = office.unstuck("run", "--apply")
    assert "atlas.xml is a link, which is not written over" in said.err
    assert office.read("real.xml") == as_xml({1: None})


def saved_over(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def saved_beside(path: Path, content: bytes) -> None:
    """As most programs do."""
    new = path.with_name(f"~{path.name}.tmp")
    new.write_bytes(content)
    new.replace(path)


@pytest.mark.parametrize("save", [saved_over, saved_beside])
@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_is_saved_at_the_last_moment_stays_as_it_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, save: Callable[[Path, bytes], None]
) -> None:
    """Whatever was read, worked out and even written to the temporary file by then."""
    folder = Folder(tmp_path, options={"path": "inbox/*", "labels_go_into": OVER_INPUT})
    path = folder.export(name, KINDS[name]({1: None}))
    saved = KINDS[name]({1: "Ada"}, "at the last moment")
    before, fsync = path.read_bytes(), os.fsync

    def at_the_last_moment(handle: int) -> None:
        fsync(handle)
        if path.with_name(f".{name}.part").exists():
            save(path, saved)

    monkeypatch.setattr("connectors.msproject.files.os.fsync", at_the_last_moment)
    with pytest.raises(ConnectorError, match="was saved anew while it was being labelled; the next run reads it again"):
        folder.apply(name, u1=OURS)
    assert path.read_bytes() == saved
    assert [each.read_bytes() for each in folder.inbox.glob("before-labels/atlas*")] == [before]


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_lost_and_the_next_run_finishes(office: Office) -> None:
    tasks = dict.fromkeys(range(1, 150))
    saved = {name: make(tasks) for name, make in KINDS.items()}
    for name, content in saved.items():
        office.export(name, content)
    for tenth in range(2, 14):
        process = subprocess.Popen(
            office.command("run", "--apply"), cwd=office.folder, env=office.environment(), stdout=subprocess.DEVNULL
        )
        time.sleep(tenth / 20)
        process.kill()
        process.wait()
    office.run()
    assert office.run().json["written"] == NOTHING
    for name in saved:
        assert len(office.shown(name)) == 149
    assert sorted(office.originals) == sorted(saved.values())
    assert sorted(path.name for path in office.inbox.iterdir()) == [*sorted(saved), "before-labels"]
    assert office.unstuck("retire", "--apply").code == 0
    assert {name: office.read(name) for name in saved} == saved
