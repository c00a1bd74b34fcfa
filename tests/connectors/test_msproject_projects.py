"""Many exports of one project: which files belong together, which is the newest, and what the others tell."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Outcome, Page
from connectors.errors import BusyError, GoneError, InputError, SetupError
from connectors.model import Cursor, ItemRef, LabelChange
from connectors.msproject.projects import plain_name
from tests.fakes.msproject import TEXT1, Folder, define, project, task, value


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


MARKED = [
    "{} (3).xml", "{}(12).xml", "{} - Copy.xml", "{} - Copy (2).xml", "Copy of {}.xml", "{} - Kopie.xml",
    "Kopie von {}.xml", "{} 2026-03.xml", "{}_20260315.xml", "{}-2026-03-15.xml", "{} 2026-03-15 0900.xml",
    "{} 15.03.2026.xml", "{} 03-2026.xml", "2026-03 {}.xml", "2026-03-15_{}.xml", "{} 2026-03 (1).xml",
]  # fmt: skip
KEPT = [
    "Atlas.xml", "Atlas 2026.xml", "Phase (2024).xml", "atlas-12.xml", "board-0.xml", "2026-03.xml", "(3).xml",
    "Plan B.xml", "Atlas v2.xml", "Copy.xml", "Atlas 2026-13.xml", "99.xml",
]  # fmt: skip


@pytest.mark.parametrize("marked", MARKED)
def test_marks_are_no_part_of_a_name(marked: str) -> None:
    assert plain_name(marked.format("Atlas")) == "Atlas.xml"
    assert plain_name("sub/" + marked.format("Atlas 7")) == "sub/Atlas 7.xml"


@pytest.mark.parametrize("name", KEPT)
def test_what_may_tell_projects_apart_is_kept(name: str) -> None:
    assert plain_name(name) == name


@given(st.text("Atls 03(-)_.2026Copy", min_size=1, max_size=30).map(lambda stem: f"{stem.strip(' .') or 'x'}.xml"))
def test_a_plain_name_is_plain(name: str) -> None:
    assert plain_name(plain_name(name)) == plain_name(name)
    assert plain_name(name).endswith(".xml")
    assert plain_name(name) != ".xml"


def export(folder: Folder, name: str, percent: int, month: int, *more: str, **head: object) -> Path:
    dates: dict[str, Any] = {
        "StatusDate": f"2026-{month:02}-28T17:00:00",
        "CreationDate": "2025-11-01T08:00:00",
        **head,
    }
    return folder.export(name, project(task(1, "Dig", *more, PercentComplete=percent), **dates))


def pages(folder: Folder, cursor: Cursor | None = None, **setup: object) -> list[Page]:
    connector = folder.open(**setup)
    (collection,) = connector.collections()
    return list(connector.pull(collection, cursor))


def told(found: list[Page]) -> list[tuple[str, float | None, bool]]:
    """(month and day, percent of the task, whether it is of the past) of each page."""
    return [
        (f"{page.as_of:%m-%d}" if page.as_of else "", item.percent_complete, page.past)
        for page in found
        for item in page.items
    ]


def test_a_counter_continues_the_project(folder: Folder) -> None:
    export(folder, "Portfolio.xml", 10, 1)
    (before,) = pages(folder)
    (folder.inbox / "Portfolio.xml").unlink()
    export(folder, "Portfolio (3).xml", 20, 2)
    (after,) = pages(folder, before.cursor)
    assert [item.ref for item in after.items] == [item.ref for item in before.items]
    assert [item.ref.native_id for item in after.items] == ["Portfolio.xml#1"]
    assert after.items[0].key == "Portfolio-1"


def test_older_exports_come_as_the_past_in_order_of_their_dates_and_once(folder: Folder) -> None:
    for month, percent in ((3, 30), (1, 10), (2, 20)):
        export(folder, f"Atlas 2026-{month:02}.xml", percent, month)
    found = pages(folder)
    assert told(found) == [("01-28", 10.0, True), ("02-28", 20.0, True), ("03-28", 30.0, False)]
    assert [page.complete for page in found] == [page.full for page in found] == [False, False, True]
    assert [bool(page.cursor) for page in found] == [False, False, True]
    (unchanged,) = pages(folder, found[-1].cursor)
    assert (unchanged.items, unchanged.complete, unchanged.full) == ((), True, False)
    assert unchanged.as_of == found[-1].as_of
    export(folder, "Atlas 2026-05.xml", 50, 5)
    export(folder, "Atlas 2026-04.xml", 40, 4)
    assert told(pages(folder, found[-1].cursor)) == [("03-28", 30, True), ("04-28", 40, True), ("05-28", 50, False)]


def test_the_newest_is_that_of_the_latest_status_date_then_the_one_saved_last(folder: Folder) -> None:
    export(folder, "Atlas.xml", 40, 3, LastSaved="2026-03-29T10:00:00")
    export(folder, "Atlas (1).xml", 50, 3, LastSaved="2026-03-29T11:00:00")
    export(folder, "Atlas (2).xml", 60, 2, LastSaved="2026-04-29T11:00:00")
    assert [percent for _, percent, _ in told(pages(folder))] == [60, 40, 50]


def test_where_a_file_has_no_date_the_day_it_was_written_counts(folder: Folder) -> None:
    for number, name in enumerate(("Atlas (2).xml", "Atlas (1).xml", "Atlas.xml")):
        path = folder.export(name, project(task(number + 1), CurrentDate=None))
        os.utime(path, (1e9 + number * 86_400,) * 2)
    assert [page.items[0].ref.native_id for page in pages(folder)] == ["Atlas.xml#1", "Atlas.xml#2", "Atlas.xml#3"]


def test_exports_of_one_name_and_two_births_are_two_projects(folder: Folder) -> None:
    export(folder, "Rollout (1).xml", 10, 1)
    export(folder, "Rollout (2).xml", 10, 2, CreationDate="2025-12-01T08:00:00")
    with pytest.raises(InputError, match=r"by their names, and of two by the days.*; rename one of them, or set iden"):
        pages(folder)
    assert [notice.level for notice in folder.open().check()] == ["fine", "problem"]
    folder.options["identity"] = "file"
    assert [each.native_id for each in folder.open().collections()] == ["Rollout (1).xml", "Rollout (2).xml"]
    assert list(folder.items("Rollout (2).xml")) == ["Rollout (2)-1"]


def test_an_older_export_that_cannot_be_read_is_told_as_it_may_be_the_newest(folder: Folder) -> None:
    export(folder, "Atlas 2026-03.xml", 10, 3)
    folder.export("Atlas 2026-04.xml", "<Project><cut")
    with pytest.raises(InputError, match=r"^Atlas 2026-04\.xml is not well-formed"):
        pages(folder)


GUID = "E1FB9972-DCD2-E811-AC3F-4CEDDE6E5B57"


def test_by_guid_a_project_keeps_its_tasks_under_any_file_name(folder: Folder) -> None:
    folder.options["identity"] = "guid"
    export(folder, "first.xml", 10, 1, GUID=GUID)
    export(folder, "final really.xml", 20, 2, GUID="{" + GUID.lower() + "}")
    found = pages(folder)
    assert told(found) == [("01-28", 10, True), ("02-28", 20, False)]
    assert {item.ref.native_id for page in found for item in page.items} == {f"{GUID.lower()}#1"}
    folder.apply(GUID.lower())
    results = list(
        folder.open().apply(
            folder.open().collections()[0], [LabelChange(ItemRef("plan", f"{GUID.lower()}#1"), add=("x",))]
        )
    )
    assert [result.outcome for result in results] == [Outcome.DONE]
    (copy,) = (folder.inbox / "labelled").glob("*.xml")
    assert copy.name.startswith(GUID.lower())
    assert folder.labels_in(copy, 1) == ("x",)


def test_by_title_and_where_there_is_none_by_name(folder: Folder) -> None:
    folder.options["identity"] = "title"
    export(folder, "a.xml", 10, 1, Title="Move/2026")
    export(folder, "b.xml", 20, 2, Title="Move/2026")
    export(folder, "c.xml", 20, 2)
    assert [each.native_id for each in folder.open().collections()] == ["Move/2026", "c.xml"]
    assert [len(page.items) for page in folder.pull("Move/2026")] == [1, 1]


def test_an_identity_that_is_none_is_told(folder: Folder) -> None:
    folder.options["identity"] = "hash"
    with pytest.raises(SetupError, match="choose of name, file, guid, title"):
        folder.open()


def test_read_exports_are_moved_away_if_config_says_so_and_not_before_the_store_has_them(folder: Folder) -> None:
    folder.options["archive"] = "read"
    paths = [export(folder, f"Atlas 2026-{month:02}.xml", month, month) for month in (1, 2, 3)]
    contents = [path.read_bytes() for path in paths]
    (folder.inbox / "read").mkdir()
    (folder.inbox / "read" / paths[0].name).write_text("one of that name")
    last = pages(folder)[-1]
    assert all(path.exists() for path in paths)
    pages(folder, last.cursor, writable=False)
    assert all(path.exists() for path in paths), "a run that plans moves nothing"
    (unchanged,) = pages(folder, last.cursor)
    assert unchanged.complete
    assert [path.exists() for path in paths] == [False, False, True]
    assert (folder.inbox / "read" / "Atlas 2026-01 (2).xml").read_bytes() == contents[0]
    assert (folder.inbox / "read" / paths[1].name).read_bytes() == contents[1]
    assert (folder.inbox / "read" / paths[0].name).read_text() == "one of that name"
    (unchanged,) = pages(folder, last.cursor)
    assert not unchanged.items
    export(folder, "Atlas 2026-04.xml", 4, 4)
    assert [percent for _, percent, _ in told(pages(folder, last.cursor))] == [3, 4]


def test_without_the_option_nothing_is_moved(folder: Folder) -> None:
    paths = [export(folder, f"Atlas 2026-{month:02}.xml", month, month) for month in (1, 2)]
    pages(folder, pages(folder)[-1].cursor)
    assert all(path.exists() for path in paths)


@pytest.mark.parametrize("name", ["labelled", "../away", ".."])
def test_an_archive_that_cannot_be(folder: Folder, name: str) -> None:
    folder.options["archive"] = name
    with pytest.raises(SetupError, match="archive ="):
        folder.open()


def test_a_new_file_must_have_come_to_rest(folder: Folder) -> None:
    path = export(folder, "Atlas.xml", 10, 1)
    folder.options["settle_seconds"] = 1
    connector = folder.open()
    (collection,) = connector.collections()
    path.write_bytes(path.read_bytes() + b"\n")  # the share is slow: the rest of it comes now
    with pytest.raises(BusyError, match=r"Atlas\.xml is still being written"):
        list(connector.pull(collection, None))
    assert pages(folder)[-1].complete


def test_what_is_known_already_is_not_waited_for(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    export(folder, "Atlas.xml", 10, 1)
    cursor = pages(folder)[-1].cursor
    folder.options["settle_seconds"] = 3600
    assert not pages(folder, cursor)[-1].items


def test_tasks_are_told_apart_by_a_field_of_choice(folder: Folder) -> None:
    folder.options["task_key"] = "Ticket"
    ticket = define(TEXT1, "Text1", "Ticket")

    def save(*rows: tuple[int, str, int]) -> None:
        tasks = [task(uid, name, value(TEXT1, name), OutlineLevel=level) for uid, name, level in rows]
        folder.export("Atlas.xml", project(*tasks, definitions=[ticket]))

    save((1, "T-1", 1), (2, "T-2", 2))
    before = {item.title: item for page in pages(folder) for item in page.items}
    save((7, "T-1", 1), (3, "T-2", 2))
    after = {item.title: item for page in pages(folder) for item in page.items}
    assert {title: item.ref for title, item in after.items()} == {title: item.ref for title, item in before.items()}
    assert after["T-2"].parent_ref == after["T-1"].ref == ItemRef("plan", "Atlas.xml#T-1")
    assert after["T-2"].key == "Atlas-3"
    connector = folder.open()
    (collection,) = connector.collections()
    changes = [
        LabelChange(ItemRef("plan", "Atlas.xml#T-2"), add=("x",)),
        LabelChange(ItemRef("plan", "Atlas.xml#3"), add=("x",)),
    ]
    assert [each.outcome for each in connector.apply(collection, changes)] == [Outcome.DONE, Outcome.GONE]
    assert folder.labels_in(folder.copy("Atlas.xml"), 3) == ("x",)
    assert {item.title: item.labels for page in pages(folder) for item in page.items} == {"T-1": (), "T-2": ("x",)}
    save((1, "T-1", 1), (2, "T-1", 1), (3, "", 1))
    (page,) = pages(folder)
    assert [item.title for item in page.items] == ["T-1"]
    assert [sentence.partition(", which")[0] for sentence in page.skipped] == [
        'Atlas.xml: the task "T-1" has the Ticket "T-1" like an earlier one',
        'Atlas.xml: the task "(no name)" has no Ticket',
    ]
    folder.export("Atlas.xml", project(task(1)))
    with pytest.raises(InputError, match='has no field "Ticket", which task_key names'):
        pages(folder)


def test_collections_may_be_named_by_any_of_their_files(folder: Folder) -> None:
    export(folder, "Atlas 2026-01.xml", 10, 1)
    export(folder, "Other.xml", 10, 1)
    for name in ("Atlas.xml", "Atlas 2026-01.xml"):
        folder.setup["collections"] = (name,)
        assert [each.native_id for each in folder.open().collections()] == ["Atlas.xml"]
    folder.setup["collections"] = ("Atlas 2026-02.xml",)
    with pytest.raises(GoneError):
        folder.open().collections()


def test_a_cursor_of_before_there_was_a_past_is_understood(folder: Folder) -> None:
    export(folder, "Atlas.xml", 10, 1)
    cursor = pages(folder)[-1].cursor
    assert cursor
    old = Cursor(" ".join(cursor.value.split(" ")[:2]))
    (page,) = pages(folder, old)
    assert page.complete
    assert page.as_of == datetime.fromisoformat("2026-01-28T17:00:00+01:00")
