"""Files cut short, called by other names and with bytes changed: each ends in items or in one sentence."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from connectors.errors import ConnectorError
from tests.fakes.msproject import Folder, needs_java, project, task, write_foreign

SAMPLES = {
    "xml": "mspdi/task-text-project2019-mspdi.xml",
    "mpp": "mpp/mpp14task.mpp",
    "mpp9": "mpp/sample.mpp",
    "mpx": "mpx/task-text-project98.mpx",
}
NATIVE = ("mpp", "mpp9", "mpx")
CASES = 10_000 if os.environ.get("UNSTUCK_SOAK") else 20
"""Files of each kind with changed bytes; all of them in `make soak`."""
ROUND = 250
"""Files that are looked at in one run."""

EACH = [pytest.param(kind, marks=needs_java if kind in NATIVE else ()) for kind in SAMPLES]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, options={"path": "inbox/*", "cache": "cache", "java_mb": 256, "java_seconds": 60})


def read_all(folder: Folder) -> dict[str, int | ConnectorError]:
    """File name -> how many tasks came of it, or the error that it ended in; anything else fails the test."""
    connector = folder.open()
    found: dict[str, int | ConnectorError] = {}
    for collection in connector.collections():
        try:
            found[collection.name] = sum(len(page.items) for page in connector.pull(collection, None))
        except ConnectorError as error:
            found[collection.name] = error
    connector.close()
    return found


def check_sentences(found: dict[str, int | ConnectorError]) -> None:
    for name, result in found.items():
        if not isinstance(result, int):
            assert str(result).startswith(name), result
            assert "\n" not in str(result)
            assert len(str(result)) < 300


@pytest.mark.parametrize("kind", EACH)
def test_a_file_that_is_cut_short_at_any_tenth(folder: Folder, samples: Path, kind: str) -> None:
    folder.options["identity"] = "file"
    source = samples / "msproject" / SAMPLES[kind]
    whole = source.read_bytes()
    for tenth in range(10):
        folder.export(f"cut-{tenth}{source.suffix}", whole[: len(whole) * tenth // 10])
    found = read_all(folder)
    assert len(found) == 10
    check_sentences(found)
    if kind == "xml":
        assert not any(isinstance(result, int) for result in found.values()), "half a file passed for a whole one"


@needs_java
def test_whatever_a_file_is_called_it_is_read_as_what_it_is(folder: Folder, samples: Path) -> None:
    folder.options["identity"] = "file"
    sources = [samples / "msproject" / path for path in SAMPLES.values()]
    for source in sources:
        for suffix in (".xml", ".mpp", ".mpt", ".mpx", ".xer", ".pmxml", ".csv", ".bak"):
            folder.export(f"{source.stem}{suffix}", source.read_bytes())
    found = read_all(folder)
    for source in sources:
        results = [found[f"{source.stem}{suffix}"] for suffix in (".xml", ".mpp", ".mpt", ".mpx", ".xer", ".bak")]
        assert isinstance(results[0], int)
        assert results[0] > 0
        assert len({str(result) for result in results}) == 1


@pytest.mark.parametrize("kind", EACH)
@pytest.mark.timeout(1_800)
def test_changed_bytes_end_in_items_or_a_sentence(tmp_path: Path, samples: Path, kind: str) -> None:
    source = samples / "msproject" / SAMPLES[kind]
    fuzz(tmp_path, source.read_bytes(), source.suffix)


@needs_java
@pytest.mark.parametrize("kind", ["xer", "pmxml"])
@pytest.mark.timeout(1_800)
def test_changed_bytes_of_primaveras_files_too(tmp_path: Path, kind: str) -> None:
    rows = (task(uid, f"Täsk {uid}", ID=uid, Start="2026-03-02T08:00:00", Duration="PT8H0M0S") for uid in range(1, 20))
    (tmp_path / "plan.xml").write_text(project(*rows, Title="Atlas"))
    write_foreign(tmp_path, "plan")
    fuzz(tmp_path, (tmp_path / f"plan.{kind}").read_bytes(), f".{kind}")


def fuzz(root: Path, whole: bytes, suffix: str) -> None:
    """Read files with one or many bytes changed, in rounds that each have a folder, a cache and a Java of their own."""
    chance = random.Random(8)
    began = time.monotonic()
    for start in range(0, CASES, ROUND):
        (root / "round").mkdir()
        options = {"path": "inbox/*", "cache": "cache", "identity": "file", "java_mb": 256, "java_seconds": 60}
        folder = Folder(root / "round", options=options)
        for number in range(start, min(start + ROUND, CASES)):
            data = bytearray(whole)
            for _ in range(chance.choice((1, 3, 30, 100))):
                data[chance.randrange(len(data))] = chance.randrange(256)
            folder.export(f"fuzzed-{number}{suffix}", bytes(data))
        found = read_all(folder)
        assert len(found) == min(ROUND, CASES - start)
        check_sentences(found)
        shutil.rmtree(root / "round")
    assert time.monotonic() - began < 60 + CASES / 5
