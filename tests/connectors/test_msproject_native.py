"""Files that only MPXJ reads: converted once, all in one start of Java, and no file takes the others down."""

from __future__ import annotations

import os
import shutil
import threading
import time
from importlib import metadata
from pathlib import Path

import pytest

from connectors.errors import AccessError, BusyError, ConnectorError, InputError, SetupError
from tests.fakes.msproject import Folder, mpx, needs_java, project, task

OLE = bytes.fromhex("d0cf11e0a1b11ae1")


class Office(Folder):
    """A folder with Java in a place of its own, whose starts are counted."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, options={"path": "inbox/*", "cache": "cache"})
        self.java = root / "jdk" / "bin" / "java"
        self.java.parent.mkdir(parents=True)
        self.install(f'exec "{shutil.which("java")}" "$@"')

    def install(self, command: str) -> None:
        """Java is from now on this shell command."""
        self.java.write_text(f'#!/bin/sh\necho start >> "{self.root}/starts"\n{command}\n')
        self.java.chmod(0o755)

    @property
    def starts(self) -> int:
        log = self.root / "starts"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def run(self) -> dict[str, int | ConnectorError]:
        """One run: file name -> how many tasks came of it, or why none."""
        connector = self.open()
        found: dict[str, int | ConnectorError] = {}
        for collection in connector.collections():
            try:
                found[collection.name] = sum(len(page.items) for page in connector.pull(collection, None))
            except ConnectorError as error:
                found[collection.name] = error
        connector.close()
        return found


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    office = Office(tmp_path)
    monkeypatch.setenv("JAVA_HOME", str(office.java.parents[1]))
    return office


@pytest.fixture
def mpp(samples: Path) -> Path:
    return samples / "msproject" / "mpp"


def put(office: Office, folder: Path, *names: str) -> None:
    for name in names:
        office.export(name, (folder / name).read_bytes())


@needs_java
def test_files_of_project_98_share_one_start_and_an_unchanged_inbox_needs_none(office: Office) -> None:
    for name in ("a", "b", "c"):
        office.export(f"{name}.mpx", mpx("Dig", name))
    assert office.run() == {"a.mpx": 2, "b.mpx": 2, "c.mpx": 2}
    assert office.starts == 1
    assert office.run() == {"a.mpx": 2, "b.mpx": 2, "c.mpx": 2}
    assert office.starts == 1


@needs_java
def test_a_file_without_a_date_is_never_of_the_day_of_the_conversion(office: Office) -> None:
    office.export("a.mpx", mpx("Dig"))
    (page,) = office.pull("a.mpx")
    assert [(item.title, item.percent_complete) for item in page.items] == [("Dig", 40)]
    assert page.as_of is None


THREE = ("mpp14task.mpp", "sample.mpp", "aspose-Homemoveplan.mpp")


@needs_java
def test_all_files_share_one_start_and_what_did_not_change_needs_none(office: Office, mpp: Path) -> None:
    put(office, mpp, *THREE)
    first = office.run()
    assert all(isinstance(tasks, int) and tasks for tasks in first.values())
    assert office.starts == 1
    assert office.run() == first
    assert office.starts == 1
    put(office, mpp, "mpp14baseline.mpp")
    office.export("copy of sample.mpp", (mpp / "sample.mpp").read_bytes())
    assert office.run().keys() > first.keys()
    assert office.starts == 2


@needs_java
def test_a_bad_file_has_its_sentence_once_and_for_all_and_the_others_are_read(office: Office, mpp: Path) -> None:
    put(office, mpp, "sample.mpp", "aspose-PasswordProtected.mpp", "password-protected-mpp9.mpp")
    office.export("cut.mpp", (mpp / "mpp14task.mpp").read_bytes()[:20_000])
    office.export("word.mpp", OLE + bytes(4000))
    office.export("none.xer", "ERMHDR\t15.2\n%E\n")
    office.export("cut.mpx", "MPX,Microsoft Project for Windows,4.0,ANSI\n10,$,0,2,")
    office.export("cut.xer", "ERMHDR\t15.2\n%T\tPROJECT\n")
    office.export("rubbish.pmxml", '<?xml version="1.0"?><APIBusinessObjects/>')
    for _ in range(2):
        said = {name: str(error) for name, error in office.run().items() if not isinstance(error, int)}
        assert said.keys() == {path.name for path in office.inbox.iterdir()} - {"sample.mpp"}
        assert {name for name, text in said.items() if "is protected by a password" in text} == {
            "aspose-PasswordProtected.mpp",
            "password-protected-mpp9.mpp",
        }
        assert "none.xer holds no project; export each project into a file of its own" in said.values()
        assert all(f"{name} is cut short; " in said[name] for name in ("cut.mpx", "cut.xer"))
        for name in ("cut.mpp", "word.mpp", "rubbish.pmxml"):
            assert said[name].startswith(f"{name} is damaged or no project file ("), said[name]
    assert office.starts == 1


def test_what_is_in_a_file_counts_and_not_its_name(office: Office) -> None:
    office.export("really.mpp", project(task(1)))
    office.export("zip.mpp", b"PK\x03\x04" + bytes(100))
    office.export("empty.mpp", b"")
    office.export("notes.doc", b"just text")
    found = office.run()
    assert found["really.mpp"] == 1
    assert str(found["empty.mpp"]) == "empty.mpp is empty, or of another kind than its name says; export it again"
    assert str(found["zip.mpp"]).startswith("zip.mpp cannot be read as an Excel workbook; ")
    assert str(found["notes.doc"]).startswith("notes.doc is no export that can be read here; export it as one of .")
    assert office.starts == 0


@needs_java
def test_an_mpp_file_that_is_called_xml_is_read_as_what_it_is(office: Office, mpp: Path) -> None:
    office.export("plan.xml", (mpp / "sample.mpp").read_bytes())
    tasks = office.run()
    (office.inbox / "plan.xml").rename(office.inbox / "plan.mpp")
    assert list(office.run().values()) == list(tasks.values()) != [0]


def test_without_java_one_sentence_says_what_to_install(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.export("plan.mpp", OLE + bytes(100))
    office.export("good.xml", project(task(1)))
    office.java.unlink()
    found = office.run()
    assert found["good.xml"] == 1
    assert isinstance(found["plan.mpp"], SetupError)
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", "")
    assert "none is on the path; install one (on Debian: apt install default-jre-headless)" in str(
        office.run()["plan.mpp"]
    )


@needs_java
def test_java_that_does_not_start_is_tried_once_and_says_why(office: Office) -> None:
    office.install("echo 'Unrecognized option: -Xfoo' >&2; exit 1")
    for name in ("a.mpp", "b.mpp"):
        office.export(name, OLE + name.encode() + bytes(100))
    found = office.run()
    assert {type(error) for error in found.values()} == {SetupError}
    assert "Java did not start (Unrecognized option: -Xfoo); try" in str(found["b.mpp"])
    assert office.starts == 1


@needs_java
def test_without_the_extra_one_sentence_says_what_to_install(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: str) -> None:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr("connectors.msproject.java.metadata.distribution", none)
    office.export("plan.mpp", OLE + bytes(100))
    assert 'pip install "unstuck[mpp]"' in str(office.run()["plan.mpp"])


@needs_java
def test_a_file_that_takes_too_much_memory_is_told_so(office: Office, mpp: Path) -> None:
    put(office, mpp, *THREE)
    office.options["java_mb"] = 6
    said = {str(error) for error in office.run().values()}
    assert any("takes more than 6 MB to convert; raise java_mb" in text for text in said) or any(
        "Java did not start" in text for text in said
    )
    office.options["java_mb"] = 512
    assert all(isinstance(tasks, int) for tasks in office.run().values()), "another limit is another try"


@needs_java
@pytest.mark.parametrize(
    ("after", "error", "why"),
    [
        ("sleep 60", InputError, "was not converted within 8 seconds; raise java_seconds"),
        ("exit 134", BusyError, "the converter broke down on"),
        ("kill -9 $$", BusyError, "the converter broke down on"),
    ],
)
def test_a_process_that_hangs_or_dies_costs_the_file_in_hand_and_no_other(
    office: Office, mpp: Path, after: str, error: type[ConnectorError], why: str
) -> None:
    put(office, mpp, *THREE)
    once = f'if [ ! -e "{office.root}/bad" ]; then touch "{office.root}/bad"; echo ready; {after}; fi'
    office.install(f'{once}\nexec "{shutil.which("java")}" "$@"')
    office.options["java_seconds"] = 8 if "sleep" in after else 60
    began = time.monotonic()
    found = office.run()
    assert time.monotonic() - began < 50
    (bad,) = [each for each in found.values() if not isinstance(each, int)]
    assert isinstance(bad, error)
    assert why in str(bad)
    assert office.starts == 2


@needs_java
def test_a_process_that_never_ends_its_output_is_ended(office: Office, mpp: Path) -> None:
    put(office, mpp, "sample.mpp")
    office.options["max_mb"] = 1
    fill = 'set -- $(cut -f3 "$(eval echo \\${$#})"); echo ready; while :; do head -c 300000 /dev/zero >> "$1"; done'
    office.install(fill)
    assert "becomes larger than 1 MB as XML; raise max_mb" in str(office.run()["sample.mpp"])


@needs_java
def test_a_run_that_is_told_to_stop_does_not_wait(office: Office, mpp: Path) -> None:
    put(office, mpp, "sample.mpp")
    office.install("echo ready; sleep 60")
    office.setup["stopping"] = stopping = threading.Event()
    threading.Timer(0.5, stopping.set).start()
    began = time.monotonic()
    assert "told to stop" in str(office.run()["sample.mpp"])
    assert time.monotonic() - began < 10


@needs_java
def test_java_ends_when_the_run_is_killed(office: Office, mpp: Path) -> None:
    """Its standard input ends then."""
    put(office, mpp, "sample.mpp")
    office.install(f'exec "{shutil.which("java")}" "$@" < /dev/null')
    assert isinstance(office.run()["sample.mpp"], BusyError)


@needs_java
def test_a_cache_that_cannot_be_written_is_told(office: Office, mpp: Path) -> None:
    put(office, mpp, "sample.mpp")
    (office.root / "cache").write_text("a file")
    found = office.run()["sample.mpp"]
    assert isinstance(found, AccessError)
    assert "set `cache` to a folder" in str(found)


@needs_java
def test_what_no_run_asked_for_is_thrown_away(office: Office, mpp: Path) -> None:
    put(office, mpp, "sample.mpp", "mpp14task.mpp")
    office.run()
    (office.inbox / "sample.mpp").unlink()
    old = set((office.root / "cache").iterdir())
    for path in old:
        os.utime(path, (0, 0))
    office.run()
    assert office.starts == 1, "what is used is not thrown away, however old it is"
    put(office, mpp, "mpp14baseline.mpp")
    office.run()
    left = set((office.root / "cache").iterdir())
    assert len(old - left) == 1
    assert len(left) == 2


@needs_java
def test_dates_are_those_of_the_file_and_never_of_the_conversion(office: Office, samples: Path) -> None:
    put(office, samples / "msproject" / "mpp", "sample.mpp", "mpp14header.mpp")
    put(office, samples / "msproject" / "mpx", "sample.de.mpx")
    office.options["path"] = "inbox/*"
    as_of = {name: office.pull(name)[-1].as_of for name in ("sample.mpp", "mpp14header.mpp", "sample.de.mpx")}
    assert {name: f"{date:%F %R}" for name, date in as_of.items() if date} == {
        "sample.mpp": "2003-05-08 08:52",  # last saved
        "mpp14header.mpp": "2006-08-01 17:35",  # its status date
        "sample.de.mpx": "2004-04-20 00:00",  # its current date
    }
