"""The folder: hostile, broken, locked, linked and doubled files, each with one sentence that says what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import pytest

from connectors.base import Collection
from connectors.errors import (
    AccessError,
    BusyError,
    ConnectorError,
    GoneError,
    InputError,
    SetupError,
    UnsafeError,
)
from connectors.msproject import files, reader, xml
from tests.fakes.msproject import Folder, project, task

XML = "atlas.xml"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


REFUSED = {
    "billion-laughs.xml": "has a DOCTYPE",
    "control-char.xml": "is not well-formed, line 2",
    "deep-nesting-100k.xml": "elements nested beyond 200 levels",
    "external-dtd.xml": "has a DOCTYPE",
    "harmless-doctype.xml": "has a DOCTYPE",
    "latin1-but-says-utf8.xml": "is not well-formed, line 2",
    "nul-char-ref.xml": "is not well-formed, line 2",
    "quadratic-blowup.xml": "has a DOCTYPE",
    "truncated.xml": "is not well-formed, line 2",
    "xxe-file.xml": "has a DOCTYPE",
    "xxe-param-entity.xml": "has a DOCTYPE",
}
READ = {
    "bom-utf8.xml": ["Größe – Überprüfung ✓"],
    "duplicate-uid.xml": ["A"],
    "namespace-2007.xml": ["n"],
    "nested-subproject.xml": ["Inserted", "Outer two"],
    "no-namespace.xml": ["n"],
    "prefixed-ns.xml": ["n"],
    "utf16be-bom.xml": ["Größe – Überprüfung ✓"],
    "utf16le-bom.xml": ["Größe – Überprüfung ✓"],
    "windows-1252-declared.xml": ["Größe – Überprüfung"],
}


def test_hostile_files_are_read_as_what_they_are_or_refused_in_one_sentence(folder: Folder, samples: Path) -> None:
    hostile = sorted((samples / "msproject/hostile").glob("*.xml"))
    assert {path.name for path in hostile} == REFUSED.keys() | READ.keys()
    for path in hostile:
        folder.export(path.name, path.read_bytes())
    for name, why in REFUSED.items():
        with pytest.raises(InputError, match=f"^{name} .*{why}.*; .*export it again"):
            folder.pull(name)
    assert {name: [item.title for item in folder.items(name).values()] for name in READ} == READ


def test_one_project_in_six_encodings(folder: Folder, samples: Path) -> None:
    folder.fields = {"duration": "Dauer", "before": "Vorgänger", "unit": "Unternehmer"}
    read = {}
    for path in (samples / "msproject/synthetic/encodings").glob("*.xml"):
        folder.export("atlas.xml", path.read_bytes())
        read[path.name] = [(page.items, page.as_of) for page in folder.pull("atlas.xml")]
    assert len(read) == 6
    assert all(each == read["utf8-nobom.xml"] for each in read.values())
    ((items, _),) = read["utf8-nobom.xml"]
    assert items[0].unknown.isdisjoint(folder.fields), "the fields are found by their German names"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not well-formed"),
        (b"PK\x03\x04 not xml", "cannot be read as an Excel workbook"),
        (b"\xd0\xcf\x11\xe0 an mpp", "not well-formed"),
        (b"<html><body/></html>", "is no MS Project export: its root is <html>"),
        (b'<?xml version="1.0" encoding="klingon"?><Project/>', r"an encoding that cannot be read \(klingon\)"),
        (b'<?xml version="1.0" encoding="shift_jis"?><Project/>', r"an encoding that cannot be read \(shift_jis\)"),
        (f"<Project><Name>{'x' * (xml.MAX_TEXT + 1)}</Name></Project>".encode(), "a text beyond"),
        (f"<Project><Name>{'x' * 5 * xml.MAX_TEXT}".encode(), "a text beyond"),
        (f"<Project><Name a='{'x' * 2 * xml.MAX_TAG}'/></Project>".encode(), "a tag beyond"),
        (("<Project><Tasks>" + "<Task>" * 300).encode(), "elements nested beyond"),
        ((project(task(1)) + "<Project/>").encode(), "not well-formed"),
    ],
)
def test_what_is_no_export(folder: Folder, content: bytes, why: str) -> None:
    folder.export(XML, content)
    with pytest.raises(InputError, match=why):
        folder.pull(XML)


def test_there_is_an_end_to_tasks_and_to_bytes(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.export(XML, project(task(1), task(2), task(3)))
    with monkeypatch.context() as patch:
        patch.setattr(reader, "MAX_TASKS", 2)
        with pytest.raises(InputError, match="more than 2 tasks"):
            folder.pull(XML)
    folder.options["max_mb"] = 0
    with pytest.raises(InputError, match="larger than 0 MB; raise max_mb"):
        folder.pull(XML)


def test_one_bad_file_does_not_hide_the_others(folder: Folder) -> None:
    folder.export("broken.xml", "<Project>")
    folder.export("good.xml", project(task(1)))
    assert [each.native_id for each in folder.open().collections()] == ["broken.xml", "good.xml"]
    assert list(folder.items("good.xml")) == ["good-1"]
    levels = {notice.text.split()[0]: notice.level for notice in folder.open().check()}
    assert levels == {"2": "fine", "broken.xml": "problem"}


def test_an_empty_project_is_complete(folder: Folder) -> None:
    folder.export(XML, "<Project><Tasks/></Project>")
    (page,) = folder.pull(XML)
    assert (page.items, page.complete, page.full) == ((), True, True)


@pytest.mark.parametrize("lock", ["~$atlas.xml", ".~lock.atlas.xml#"])
def test_a_file_that_is_open_elsewhere_waits(folder: Folder, lock: str) -> None:
    folder.export(XML, project(task(1)))
    folder.export(lock, "")
    assert [each.native_id for each in folder.open().collections()] == [XML]
    with pytest.raises(BusyError, match="is open in another program"):
        folder.pull(XML)


@pytest.mark.parametrize("more", ["<Task/>", "cut <short"])
def test_a_file_that_is_still_being_written_waits(folder: Folder, monkeypatch: pytest.MonkeyPatch, more: str) -> None:
    path = folder.export(XML, project(task(1)))
    real = reader.read_export

    def slow(stream: BinaryIO, name: str, extra: frozenset[str]) -> reader.Export:
        with path.open("a") as end:
            end.write(more)
        return real(stream, name, extra)

    monkeypatch.setattr("connectors.msproject.kinds.read_export", slow)
    with pytest.raises(BusyError, match="was written to while it was read"):
        folder.pull(XML)


def test_a_link_out_of_the_folder_is_refused_and_one_within_is_not(folder: Folder) -> None:
    (folder.root / "secret.xml").write_text(project(task(1)))
    (folder.inbox / "out.xml").symlink_to("../secret.xml")
    folder.export(XML, project(task(1)))
    (folder.inbox / "within.xml").symlink_to(XML)
    (folder.inbox / "dangling.xml").symlink_to("nothing.xml")
    with pytest.raises(UnsafeError, match=r"out\.xml is a link out of its folder"):
        folder.pull("out.xml")
    assert list(folder.items("within.xml")) == ["within-1"]
    with pytest.raises(GoneError):
        folder.pull("dangling.xml")


def test_what_is_no_regular_file_is_never_waited_for(folder: Folder) -> None:
    os.mkfifo(folder.inbox / "pipe.xml")
    (folder.inbox / "folder.xml").mkdir()
    (folder.inbox / "linked.xml").symlink_to("folder.xml")
    assert [each.native_id for each in folder.open().collections()] == ["linked.xml"]
    with pytest.raises(InputError, match="not a regular file"):
        folder.pull("linked.xml")


def test_two_files_of_one_project_are_both_refused_and_others_are_not(folder: Folder) -> None:
    guid = "E1FB9972-DCD2-E811-AC3F-4CEDDE6E5B57"
    folder.export("new.xml", project(task(1), GUID=guid))
    folder.export("old.xml", project(task(2), GUID=guid.lower()))
    folder.export("other.xml", project(task(3)))
    folder.export("third.xml", project(task(3)))
    for name, twin in (("new.xml", "old.xml"), ("old.xml", "new.xml")):
        with pytest.raises(InputError, match=f"{name} and {twin} are exports of the same project"):
            folder.pull(name)
    assert folder.items("other.xml")
    folder.setup["collections"] = ("new.xml",)
    assert folder.items("new.xml"), "the operator chose"


def test_collections_are_named_by_their_path_below_the_folder(folder: Folder) -> None:
    folder.options["path"] = "inbox/**/*.xml"
    for name in ("b.xml", "sub/a.xml", ".hidden.xml", "labelled/b.xml", "sub/labelled/a.xml"):
        folder.export(name, project(task(1)))
    assert [(each.native_id, each.name) for each in folder.open().collections()] == [
        ("b.xml", "b.xml"),
        ("sub/a.xml", "a.xml"),
    ]
    assert list(folder.items("sub/a.xml")) == ["a-1"]
    folder.setup["collections"] = ("a.xml",)
    assert [each.native_id for each in folder.open().collections()] == ["sub/a.xml"]
    folder.setup["collections"] = ("a.xml", "nowhere.xml")
    with pytest.raises(GoneError, match="there is no export"):
        folder.open().collections()


def test_a_single_file_and_an_absolute_path_will_do(folder: Folder) -> None:
    folder.export(XML, project(task(1)))
    for path in ("inbox/atlas.xml", str(folder.inbox / "*.xml")):
        folder.options["path"] = path
        assert [each.native_id for each in folder.open().collections()] == [XML]


def test_an_empty_folder_is_legal_and_a_missing_one_is_not(folder: Folder) -> None:
    assert folder.open().collections() == []
    assert [notice.level for notice in folder.open().check()] == ["warning"]
    folder.inbox.rmdir()
    with pytest.raises(GoneError, match="inbox is not there"):
        folder.open().collections()


def test_a_file_that_went_since_it_was_listed_is_gone(folder: Folder) -> None:
    folder.export(XML, project(task(1)))
    connector = folder.open()
    (collection,) = connector.collections()
    (folder.inbox / XML).unlink()
    with pytest.raises(GoneError, match=r"atlas\.xml is not there"):
        list(connector.pull(collection, None))


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root")
def test_an_unreadable_file_and_folder(folder: Folder) -> None:
    folder.export(XML, project(task(1))).chmod(0)
    with pytest.raises(AccessError, match=r"no permission for atlas\.xml"):
        folder.pull(XML)
    folder.inbox.chmod(0)
    try:
        with pytest.raises(AccessError):
            folder.open().collections()
    finally:
        folder.inbox.chmod(0o755)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PermissionError(13, "Permission denied"), AccessError),
        (FileNotFoundError(2, "No such file"), GoneError),
        (OSError(5, "Input/output error"), BusyError),
    ],
)
def test_what_the_operating_system_says_is_put_into_a_sentence(error: OSError, expected: type[ConnectorError]) -> None:
    explained = files.explained(error, XML)
    assert type(explained) is expected
    assert str(explained).startswith(("no permission for atlas.xml", "atlas.xml "))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"path": ""}, "no path"),
        ({"path": "/"}, "names no files"),
        ({"path": "inbox/**"}, "names no files"),
        ({"copies": "../elsewhere"}, "not a folder name"),
        ({"copies": ".."}, "not a folder name"),
    ],
)
def test_options_that_cannot_be(folder: Folder, options: dict[str, str], why: str) -> None:
    folder.options = options
    with pytest.raises(SetupError, match=why):
        folder.open()


def test_a_time_zone_is_required(folder: Folder) -> None:
    with pytest.raises(SetupError, match="time zone"):
        folder.open(timezone=None)


def test_a_hundred_sentences_are_enough(folder: Folder) -> None:
    folder.export(XML, project(*(task(1) for _ in range(200))))
    (page,) = folder.pull(XML)
    assert len(page.skipped) == 101
    assert page.skipped[-1] == "atlas.xml: 99 more tasks were left out."


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files cannot be counted here")
def test_a_pull_that_is_broken_off_leaves_nothing_open(folder: Folder) -> None:
    folder.export(XML, project(*(task(uid) for uid in range(1, 1200))))
    connector = folder.open()
    before = set(Path("/proc/self/fd").iterdir())
    pages = connector.pull(Collection(XML, XML), None)
    next(pages)
    del pages
    connector.close()
    assert set(Path("/proc/self/fd").iterdir()) <= before
