"""The whole job on MS Project exports: pull, rules, plan, labelled copies, and what people do in between."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.msproject import TEXT1, TEXT30, define, needs_java, project, task, value
from tests.sync.town import RULES
from tests.system.inbox import InboxTown

CONFIG = """
timezone = "Europe/Berlin"
brakes.share = 1.0
brakes.per_rule = 500
[sources.plan]
system = "msproject"
path   = "inbox/*.xml"
settle_seconds = 0
[sources.plan.fields]
sponsor = "Sponsor"
"""

SPONSOR = define(TEXT1, "Text1", "Sponsor")
LABELS = define(TEXT30, "Text30", "Labels", SecondaryPID=255869057)


class Office(InboxTown):
    """A town whose tool is a folder of exports."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, CONFIG)

    def export(self, *tasks: str, name: str = "atlas.xml", labelled: bool = False, **head: Any) -> None:
        """Project saves a file; `labelled`: from a project into which the labels were brought home."""
        definitions = (SPONSOR, LABELS) if labelled else (SPONSOR,)
        text = project(*tasks, definitions=definitions, **{"StatusDate": "2026-03-18T17:00:00", **head})
        (self.inbox / name).write_text(text, encoding="utf-8")

    def copy(self, name: str = "atlas.xml") -> Path:
        return self.inbox / "labelled" / name

    def shown(self, name: str = "atlas.xml") -> dict[str, list[str]]:
        """The labels that a person sees who opens the copy, by UID; tasks without labels left out."""
        return self.seen_in(f"labelled/{name}")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def sponsored(uid: int, sponsor: str | None, *labels: str, **leaves: Any) -> str:
    values = [value(TEXT1, sponsor)] if sponsor else []
    values += [value(TEXT30, "; ".join(labels))] if labels else []
    return task(uid, f"Task {uid}", *values, **leaves)


NOTHING = {"items": 0, "added": 0, "removed": 0, "copies": 0, "deleted_labels": 0}


def test_a_label_comes_and_goes_and_then_nothing_is_written(office: Office) -> None:
    office.export(sponsored(1, None), sponsored(2, None), sponsored(3, "Ada"))
    before = (office.inbox / "atlas.xml").read_bytes()
    assert office.run().json["written"] == {"items": 2, "added": 2, "removed": 0, "copies": 1, "deleted_labels": 0}
    assert office.shown() == {"1": ["pmo-no-sponsor"], "2": ["pmo-no-sponsor"]}
    assert office.run().json["written"] == NOTHING
    assert (office.inbox / "atlas.xml").read_bytes() == before

    office.export(sponsored(1, "Grace"), sponsored(2, None), sponsored(3, "Ada"))
    summary = office.run().json
    assert summary["planned"] == {"items": 1, "add": 0, "remove": 1, "copies": 1}
    assert office.shown() == {"2": ["pmo-no-sponsor"]}
    stamp = office.copy().stat().st_mtime_ns
    assert office.run().json["written"] == NOTHING
    assert office.copy().stat().st_mtime_ns == stamp


def test_a_new_export_gets_a_new_copy_though_no_label_changes(office: Office) -> None:
    office.export(sponsored(1, None))
    office.run()
    office.export(sponsored(1, None, PercentComplete=0, Notes="A new note"))
    summary = office.run().json
    assert summary["planned"] == {"items": 0, "add": 0, "remove": 0, "copies": 1}
    assert summary["written"]["copies"] == 1
    assert "A new note" in office.copy().read_text()
    assert office.shown() == {"1": ["pmo-no-sponsor"]}
    assert office.run().json["written"] == NOTHING


def test_options_that_cannot_be_right_are_told_before_anything_is_read(office: Office) -> None:
    office.write_config(CONFIG.replace('system = "msproject"', 'system = "msproject"\ncopies = "../elsewhere"'))
    for command in (["check"], ["run"]):
        said = office.unstuck(*command)
        assert said.code == 2
        assert said.err.startswith("sources.plan: copies = ")


def test_without_labels_there_is_no_copy(office: Office) -> None:
    office.export(sponsored(1, "Ada"))
    office.run()
    office.export(sponsored(1, "Ada", Notes="x"))
    assert office.run().json["planned"]["copies"] == 0
    assert not office.copy().exists()


def test_labels_that_came_home_are_still_ours(office: Office) -> None:
    office.export(sponsored(1, None), sponsored(2, None))
    office.run()
    office.export(sponsored(1, None, "theirs", "pmo-no-sponsor"), sponsored(2, None, "pmo-no-sponsor"), labelled=True)
    assert office.run().json["planned"]["items"] == 0
    # The cause is gone, but the label is still in the project until the copy comes home again.
    for note in ("a", "b"):
        office.export(
            sponsored(1, "Ada", "theirs", "pmo-no-sponsor", Notes=note),
            sponsored(2, None, "pmo-no-sponsor"),
            labelled=True,
        )
        office.run()
        assert office.shown() == {"1": ["theirs"], "2": ["pmo-no-sponsor"]}
        assert office.run().json["written"] == NOTHING
    office.export(sponsored(1, "Ada", "theirs"), sponsored(2, None, "pmo-no-sponsor"), labelled=True)
    assert office.run().json["planned"] == {"items": 0, "add": 0, "remove": 0, "copies": 1}


def test_a_label_taken_off_in_project_stays_off(office: Office) -> None:
    office.export(sponsored(1, None))
    office.run()
    office.export(sponsored(1, None, "pmo-no-sponsor"), labelled=True)
    office.run()
    office.export(sponsored(1, None), labelled=True)
    assert office.run().json["vetoes"] == 1
    assert office.shown() == {}
    assert office.run().json["written"] == NOTHING


def test_a_label_taken_off_in_the_copy_stays_off_and_the_copy_is_not_overwritten(office: Office) -> None:
    office.export(sponsored(1, None), sponsored(2, "Ada"))
    office.run()
    edited = office.copy().read_text().replace("pmo-no-sponsor", "keep-me")
    office.copy().write_text(edited)
    assert office.run().json["vetoes"] == 1
    office.export(sponsored(1, None), sponsored(2, "Ada"), Title="Saved anew")
    for _ in range(2):
        assert office.run().json["written"] == NOTHING
    office.export(sponsored(1, None), sponsored(2, None))
    said = office.unstuck("run", "--apply")
    assert said.code == 1
    assert "is not as we wrote it" in said.err
    assert office.copy().read_text() == edited
    office.copy().unlink()
    office.run()
    assert office.shown() == {"2": ["pmo-no-sponsor"]}


def test_a_file_that_is_gone_clears_nothing(office: Office) -> None:
    office.export(sponsored(1, None), name="a.xml")
    office.export(sponsored(1, None), name="b.xml")
    office.run()
    shown = office.copy("a.xml").read_bytes()
    (office.inbox / "a.xml").unlink()
    said = office.unstuck("run", "--apply")
    assert said.code == 0
    assert "a.xml is not there any more; its 1 items and their labels are kept" in said.err
    assert office.copy("a.xml").read_bytes() == shown
    assert office.unstuck("run", "--apply").err == ""  # said once; from then on in the status
    assert "a.xml" not in office.unstuck("run", "--apply").err
    assert "is not there any more" in office.unstuck("status").out
    (office.inbox / "b.xml").unlink()
    assert office.unstuck("run", "--apply").code == 1  # a whole folder that is empty is a share not mounted
    assert len(office.unstuck("items", "--format", "json").json) == 2


@pytest.mark.parametrize("broken", ["<Project", "", "<!DOCTYPE x><Project/>", "no XML at all"])
def test_a_file_that_breaks_keeps_what_was_known(office: Office, broken: str) -> None:
    office.export(sponsored(1, None), name="a.xml")
    office.export(sponsored(1, None), name="b.xml")
    office.run()
    (office.inbox / "a.xml").write_text(broken)
    office.export(sponsored(1, "Ada"), name="b.xml")
    said = office.unstuck("run", "--apply")
    assert said.code == 1
    assert "plan: a.xml " in said.err
    assert len(office.unstuck("items", "--format", "json").json) == 2
    assert office.shown("a.xml") == {"1": ["pmo-no-sponsor"]}
    assert office.shown("b.xml") == {}


def test_a_task_that_is_deleted_is_gone_and_comes_back(office: Office) -> None:
    office.export(sponsored(1, None), sponsored(2, None))
    office.run()
    office.export(sponsored(2, None))
    office.run()
    assert [item["key"] for item in office.unstuck("items", "--format", "json").json] == ["atlas-2"]
    office.export(sponsored(1, None), sponsored(2, None))
    office.run()
    assert office.shown() == {"1": ["pmo-no-sponsor"], "2": ["pmo-no-sponsor"]}


def test_progress_between_exports_restarts_the_clock(office: Office) -> None:
    started = {"PercentComplete": 20, "ActualStart": "2026-02-02T08:00:00", "Stop": "2026-02-04T17:00:00"}
    office.export(sponsored(1, "Ada", **started))
    office.run()
    assert office.shown() == {"1": ["pmo-stuck-20d"]}
    [item] = office.unstuck("items", "--format", "json").json
    assert (item["status_since"], item["status_since_is"]) == ("2026-02-04T16:00:00Z", "at_least")
    office.export(sponsored(1, "Ada", **{**started, "PercentComplete": 30}))
    office.run()
    assert office.shown() == {}
    [item] = office.unstuck("items", "--format", "json").json
    assert item["status_since"] == "2026-03-18T16:00:00Z"
    office.now = "2026-04-07T12:00:00"
    office.run()
    assert office.shown() == {"1": ["pmo-stuck-10d"]}


MONTHS = {1: (10, 10), 2: (10, 30), 3: (20, 30), 4: (20, 30), 5: (20, 40), 6: (20, 40)}
"""Percent of two tasks in a year's exports."""


def save_month(office: Office, month: int) -> None:
    tasks = [sponsored(uid, "Ada", PercentComplete=percent) for uid, percent in enumerate(MONTHS[month], 1)]
    tasks += [sponsored(3, "Ada", PercentComplete=10)] if month < 4 else []  # deleted in April
    dates: dict[str, Any] = {"StatusDate": f"2026-{month:02}-28T17:00:00", "CreationDate": "2025-11-01T08:00:00"}
    office.export(*tasks, name=f"Atlas 2026-{month:02}.xml", **dates)


def history(office: Office) -> tuple[list[Any], list[Any]]:
    """What the store knows of the tasks' movement: items and transitions."""
    items = office.unstuck("items", "--format", "json").json
    with sqlite3.connect(office.folder / "unstuck.db") as db:
        steps = db.execute(
            "SELECT i.native_id, t.at, t.to_status, t.percent_complete FROM transition t "
            "JOIN item i ON i.id = t.item_id WHERE i.missing_since IS NULL ORDER BY 1, 2"
        ).fetchall()
    db.close()
    return [[item[name] for name in ("key", "status_since", "status_since_is")] for item in items], steps


@pytest.fixture
def by_month(tmp_path: Path) -> tuple[list[Any], list[Any]]:
    """What is known after a run a month."""
    (tmp_path / "by-month").mkdir()
    office = Office(tmp_path / "by-month")
    for month in MONTHS:
        save_month(office, month)
        office.run()
    return history(office)


@pytest.mark.parametrize("first", [(), (1,), (1, 2, 3), (1, 2, 3, 4, 5)], ids=str)
def test_a_drawer_of_exports_is_the_history_that_a_run_a_month_would_have_seen(
    office: Office, by_month: tuple[list[Any], list[Any]], first: tuple[int, ...]
) -> None:
    for months in (first, MONTHS.keys() - {*first}):
        for month in months:
            save_month(office, month)
        if months:
            office.run()
    assert history(office) == by_month
    assert [key for key, *_ in by_month[0]] == ["Atlas-1", "Atlas-2"]
    assert len(by_month[1]) == 3
    for again in ((), ("--full",)):
        assert office.unstuck("run", "--apply", "--json", *again).json["written"] == NOTHING
        assert history(office) == by_month


def test_exports_found_later_tell_what_moved(office: Office, by_month: tuple[list[Any], list[Any]]) -> None:
    save_month(office, 6)
    office.run()
    for month in range(1, 6):
        save_month(office, month)
    office.run()
    assert history(office)[1] == by_month[1]
    office.run()
    assert history(office)[1] == by_month[1]


def test_the_labels_of_a_project_stay_in_one_copy_whatever_its_newest_export_is_called(office: Office) -> None:
    office.export(sponsored(1, None), name="Portfolio.xml")
    office.run()
    office.export(sponsored(1, None), sponsored(2, None), name="Portfolio (1).xml", StatusDate="2026-03-19T17:00:00")
    assert office.run().json["written"]["added"] == 1
    assert office.shown("Portfolio.xml") == {"1": ["pmo-no-sponsor"], "2": ["pmo-no-sponsor"]}
    assert [path.name for path in office.copy().parent.glob("*.xml")] == ["Portfolio.xml"]
    (office.inbox / "Portfolio.xml").unlink()
    assert office.run().json["written"] == NOTHING


@needs_java
def test_labels_of_an_mpp_file_come_and_go_in_xml_beside_it(office: Office, samples: Path) -> None:
    office.write_config(CONFIG.replace("*.xml", '*"\ncache = "cache').replace('"Sponsor"', '"Text5"'))
    source = samples / "msproject" / "mpp" / "aspose-Homemoveplan.mpp"
    path = office.inbox / "move.mpp"
    path.write_bytes(source.read_bytes())
    written = office.run().json["written"]
    assert written["items"] == written["added"] > 10
    assert written["copies"] == 1
    shown = office.shown("move.mpp.xml")
    assert len(shown) == written["items"]
    assert office.run().json["written"] == NOTHING
    assert path.read_bytes() == source.read_bytes()
    office.write_rules(RULES.replace('sponsor         = "missing"', 'title = "no such task"'))
    said = office.unstuck("run", "--apply", "--force", "rule")
    assert said.code == 0, said.err
    assert office.shown("move.mpp.xml") == {}
    assert path.read_bytes() == source.read_bytes()


def test_a_plan_writes_no_copy(office: Office) -> None:
    office.export(sponsored(1, None))
    assert office.unstuck("run").code == 0
    assert office.unstuck("plan", "-o", "plan.json").code == 0
    assert not office.copy().parent.exists()
    assert office.unstuck("apply", "plan.json", "--all").code == 0
    assert office.shown() == {"1": ["pmo-no-sponsor"]}


@pytest.mark.slow
def test_killed_at_any_moment_the_next_run_finishes(office: Office) -> None:
    for name in ("a.xml", "b.xml", "c.xml"):
        office.export(*(sponsored(uid, None) for uid in range(1, 150)), name=name)
    inputs = {path: path.read_bytes() for path in office.inbox.glob("*.xml")}
    for tenth in range(2, 14):
        process = subprocess.Popen(
            office.command("run", "--apply"), cwd=office.folder, env=office.environment(), stdout=subprocess.DEVNULL
        )
        time.sleep(tenth / 20)
        process.kill()
        process.wait()
    office.run()
    assert office.run().json["written"] == NOTHING
    for path, text in inputs.items():
        assert path.read_bytes() == text
        assert len(office.shown(path.name)) == 149
    assert sorted(path.name for path in office.copy().parent.iterdir()) == [".unstuck.json", "a.xml", "b.xml", "c.xml"]
