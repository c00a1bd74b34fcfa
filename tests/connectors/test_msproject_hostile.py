"""Files cut short, called by other names and with bytes changed: each ends in items or in one sentence."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from connectors.errors import ConnectorError
from tests.fakes.msproject import Folder, needs_java

SAMPLES = {
    "xml": "mspdi/task-text-project2019-mspdi.xml",
    "mpp": "mpp/mpp14task.mpp",
    "mpp9": "mpp/sample.mpp",
    "mpx": "mpx/task-text-project98.mpx",
}
NATIVE = ("mpp", "mpp9", "mpx")
FUZZED = 10_000 if os.environ.get("UNSTUCK_SOAK") else 600
"""Changed bytes for each kind, one or a few a file; all of them in `make soak`."""

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
@pytest.mark.timeout(600)
def test_changed_bytes_end_in_items_or_a_sentence(folder: Folder, samples: Path, kind: str) -> None:
    folder.options["identity"] = "file"
    chance = random.Random(8)
    source = samples / "msproject" / SAMPLES[kind]
    whole = source.read_bytes()
    changed = 0
    for number in range(10**6):
        if changed >= FUZZED:
            break
        data = bytearray(whole)
        many = chance.choice((1, 3, 30, 100))
        for _ in range(many):
            data[chance.randrange(len(data))] = chance.randrange(256)
        changed += many
        folder.export(f"fuzzed-{number}{source.suffix}", bytes(data))
    began = time.monotonic()
    found = read_all(folder)
    check_sentences(found)
    assert len(found) > FUZZED / 100
    assert time.monotonic() - began < 30 + FUZZED / 20
