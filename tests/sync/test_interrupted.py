"""What happens between our looking and our writing, and to a run that ends in the middle of a write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connectors import registry
from connectors.base import ChangeResult, Collection, Page
from connectors.memory import MemoryConnector
from connectors.model import Cursor, LabelChange
from sync import cli
from tests.sync.town import LONG_AGO, Town


class Meddled(MemoryConnector):
    """The memory connector, with something happening around a write."""

    before: ClassVar[Callable[[], object] | None] = None
    dies: ClassVar[bool] = False
    boasts: ClassVar[bool] = False

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        if Meddled.before:
            Meddled.before()
        for result in super().apply(collection, changes):
            if Meddled.dies:
                raise SystemExit("killed")  # after the tool has the write, before we know of it
            yield result

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        for page in super().pull(collection, cursor):
            yield replace(page, full=page.complete and cursor is None) if Meddled.boasts else page


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Town:
    """A town whose command runs in this process, with the meddled connector."""
    monkeypatch.setattr(registry, "load", lambda _: Meddled)
    for name, value in (("before", None), ("dies", False), ("boasts", False)):
        monkeypatch.setattr(Meddled, name, value)
    monkeypatch.chdir(tmp_path)
    return Town(tmp_path)


@pytest.fixture
def run(here: Town, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    def call(*arguments: str, command: str = "run") -> int:
        monkeypatch.setenv("UNSTUCK_NOW", here.now)
        with pytest.raises(SystemExit) as stop:
            cli.main([command, *arguments])
        return stop.value.code if isinstance(stop.value.code, int) else -1

    return call


def test_a_label_that_a_person_puts_on_meanwhile_is_theirs(
    here: Town, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    here.add(1, sponsor="")
    monkeypatch.setattr(Meddled, "before", lambda: unversioned(here, labels=["pmo-no-sponsor"]))
    assert run("--apply") == 0
    assert here.writes == []
    monkeypatch.setattr(Meddled, "before", None)
    here.edit(1, sponsor="Ada")
    assert run("--apply") == 0
    assert here.labels(1) == ["pmo-no-sponsor"]


def test_a_write_that_was_lost_long_ago_makes_no_label_ours(
    here: Town, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    here.add(1, sponsor="")
    here.world = {**here.world, "outage": {"writes": 0}}
    assert run("--apply") == 1  # what became of the write, nobody heard
    here.world = {**here.world, "outage": {}}
    assert run("--apply") == 0  # it was lost, and is written again
    here.edit(1, sponsor="Ada")
    assert run("--apply") == 0
    here.edit(1, sponsor="")
    monkeypatch.setattr(Meddled, "before", lambda: unversioned(here, labels=["pmo-no-sponsor"]))
    assert run("--apply") == 0
    monkeypatch.setattr(Meddled, "before", None)
    here.edit(1, sponsor="Ada")
    assert run("--apply") == 0
    assert here.labels(1) == ["pmo-no-sponsor"]


def test_a_label_that_a_person_puts_on_meanwhile_is_theirs_beside_one_that_we_put_on(
    here: Town, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    here.add(1, sponsor="", status_since=LONG_AGO)
    monkeypatch.setattr(Meddled, "before", lambda: unversioned(here, labels=["pmo-no-sponsor"]))
    assert run("--apply") == 0
    assert here.labels(1) == ["pmo-no-sponsor", "pmo-stuck-10d"]
    monkeypatch.setattr(Meddled, "before", None)
    here.edit(1, sponsor="Ada", status="Done", status_category="done")
    assert run("--apply") == 0
    assert here.labels(1) == ["pmo-no-sponsor"]


def unversioned(town: Town, **columns: Any) -> None:
    """An edit that leaves the item's version as it is, as some tools do for labels."""
    world = town.world
    world["items"][0].update(columns)
    town.world = world


def test_an_item_that_changes_meanwhile_is_left_alone_and_planned_anew(
    here: Town, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here.add(1, sponsor="")
    monkeypatch.setattr(Meddled, "before", lambda: here.edit(1, sponsor="Ada"))
    assert run("--apply") == 1
    assert "changed since it was planned" in capsys.readouterr().err
    monkeypatch.setattr(Meddled, "before", None)
    assert run("--apply") == 0
    assert here.writes == []


def test_the_next_run_settles_a_write_whose_answer_never_came(
    here: Town, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    here.add(1, sponsor="")
    monkeypatch.setattr(Meddled, "dies", True)
    run("--apply")
    assert here.labels(1) == ["pmo-no-sponsor"]
    monkeypatch.setattr(Meddled, "dies", False)
    assert run("--apply") == 0
    assert len(here.writes) == 1
    here.edit(1, sponsor="Ada")
    assert run("--apply") == 0
    assert here.labels(1) == []  # it was known to be ours


@pytest.mark.parametrize("back", [("undo", "1"), ("retire",)], ids=" ".join)
def test_what_was_written_without_an_answer_is_taken_back_as_well(
    here: Town, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, back: Sequence[str]
) -> None:
    here.add(1, sponsor="")
    monkeypatch.setattr(Meddled, "dies", True)
    run("--apply")
    assert here.labels(1) == ["pmo-no-sponsor"]
    monkeypatch.setattr(Meddled, "dies", False)
    command, *arguments = back
    assert run(*arguments, "--apply", command=command) == 0
    assert here.labels(1) == []


def test_the_next_run_settles_a_removal_whose_answer_never_came(
    here: Town, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    here.add(1, sponsor="")
    run("--apply")
    here.edit(1, sponsor="Ada")
    monkeypatch.setattr(Meddled, "dies", True)
    run("--apply")
    monkeypatch.setattr(Meddled, "dies", False)
    assert run("--apply") == 0
    here.label(1, "pmo-no-sponsor")  # from now on it is a person's
    assert run("--apply") == 0
    assert here.labels(1) == ["pmo-no-sponsor"]
    assert len(here.writes) == 2


def test_an_entry_that_cannot_be_read_is_not_gone_whatever_the_connector_claims(
    here: Town, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    here.add(1, sponsor="")
    here.add(2)
    run("--apply")
    monkeypatch.setattr(Meddled, "boasts", True)
    here.edit(1, due_at="soon")
    assert run("--apply", "--full") == 1
    assert len(here.unstuck("items", "--format", "json").json) == 2
    here.edit(1, due_at=None)
    assert run("--apply") == 0
    assert here.labels(1) == ["pmo-no-sponsor"]
    assert len(here.writes) == 1


def test_a_bug_in_a_connector_ends_only_its_own_turn(
    here: Town, run: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here.add(1, sponsor="")

    def broken() -> None:
        raise KeyError("fields")

    monkeypatch.setattr(Meddled, "before", broken)
    assert run("--apply") == 1
    said = capsys.readouterr().err
    assert "tool: Delivery: its connector ran into a bug (KeyError: 'fields')" in said
    assert "Traceback" not in said
