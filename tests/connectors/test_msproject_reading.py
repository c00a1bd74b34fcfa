"""From tasks to work items: status, dates, people, custom fields, outline."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Notice
from connectors.errors import SetupError
from connectors.model import Certainty, StatusCategory, WorkItem
from tests.fakes.msproject import TEXT1, ZONE, Folder, define, element, project, task, value

TODO, IN_PROGRESS, DONE = StatusCategory.TODO, StatusCategory.IN_PROGRESS, StatusCategory.DONE


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def _one(folder: Folder, *children: str, definitions: tuple[str, ...] = (), **leaves: object) -> WorkItem:
    folder.export("atlas.xml", project(task(1, "Task", *children, **leaves), definitions=definitions))
    return folder.items("atlas.xml")["atlas-1"]


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


@pytest.mark.parametrize(
    ("leaves", "status", "category", "since", "certainty"),
    [
        ({"CreateDate": "2026-01-05T08:00:00"}, "Not started", TODO, "2026-01-05T08:00:00", Certainty.AT_LEAST),
        ({"PercentComplete": 0}, "Not started", TODO, None, Certainty.AT_LEAST),
        ({"ActualStart": "2026-03-02T08:00:00"}, "In progress", IN_PROGRESS, "2026-03-02T08:00:00", Certainty.AT_LEAST),
        (
            {"ActualStart": "2026-03-02T08:00:00", "PercentComplete": 40, "Stop": "2026-04-01T17:00:00"},
            "In progress", IN_PROGRESS, "2026-04-01T17:00:00", Certainty.AT_LEAST,
        ),
        (  # progress recorded beyond the date of the file does not count
            {"ActualStart": "2026-03-02T08:00:00", "PercentComplete": 40, "Stop": "2026-12-01T17:00:00"},
            "In progress", IN_PROGRESS, "2026-03-02T08:00:00", Certainty.AT_LEAST,
        ),
        (
            {"PercentComplete": 40, "Stop": "2026-04-01T17:00:00", "Resume": "2027-01-04T08:00:00"},
            "On hold", IN_PROGRESS, "2026-04-01T17:00:00", Certainty.AT_LEAST,
        ),
        (  # over a weekend (2 November 2026 is a Monday, 8:00)
            {"PercentComplete": 40, "Stop": "2026-10-30T17:00:00", "Resume": "2026-11-02T09:00:00"},
            "In progress", IN_PROGRESS, "2026-10-30T17:00:00", Certainty.AT_LEAST,
        ),
        (
            {"PercentComplete": 100, "ActualFinish": "2026-05-05T17:00:00"},
            "Done", DONE, "2026-05-05T17:00:00", Certainty.EXACT,
        ),
        ({"PercentComplete": 100}, "Done", DONE, None, Certainty.AT_LEAST),
        ({"Active": 0, "PercentComplete": 40}, "Inactive", DONE, None, Certainty.AT_LEAST),
    ],
)  # fmt: skip
def test_status_and_since_when(
    folder: Folder, leaves: dict[str, Any], status: str, category: str, since: str | None, certainty: Certainty
) -> None:
    item = _one(folder, **leaves)
    assert (item.status, item.status_category) == (status, category)
    assert item.status_since == (_at(since) if since else None)
    assert item.status_since_is is certainty


def test_config_may_settle_the_category_of_a_derived_status(folder: Folder) -> None:
    folder.setup["statuses"] = {"Not started": StatusCategory.DONE}
    assert _one(folder).status_category is DONE


def test_a_status_may_come_from_a_field(folder: Folder) -> None:
    folder.fields = {"status": "Ampel"}
    folder.setup["statuses"] = {"Rot": StatusCategory.TODO}
    ampel = (define(TEXT1, "Text1", "Ampel"),)
    red = _one(folder, value(TEXT1, "Rot"), definitions=ampel, PercentComplete=40, ActualStart="2026-03-02T08:00:00")
    assert (red.status, red.status_category, red.status_since) == ("Rot", TODO, None)
    green = _one(folder, value(TEXT1, "Grün"), definitions=ampel, PercentComplete=40)
    assert (green.status, green.status_category) == ("Grün", IN_PROGRESS)
    empty = _one(folder, definitions=ampel, PercentComplete=100)
    assert (empty.status, empty.status_category) == ("Done", DONE)
    undefined = _one(folder, PercentComplete=40)
    assert undefined.status is None
    assert "status" in undefined.unknown


def test_dates_fall_back(folder: Folder) -> None:
    assert _one(folder, Finish="2026-05-05T17:00:00").due_at == _at("2026-05-05T17:00:00")
    assert _one(folder, Finish="2026-05-05T17:00:00", Deadline="2026-06-05T17:00:00").due_at == _at(
        "2026-06-05T17:00:00"
    )
    for head, as_of in (
        ({"StatusDate": "2026-10-01T17:00:00", "LastSaved": "2026-10-02T17:00:00"}, "2026-10-01T17:00:00"),
        ({"CurrentDate": "2026-10-03T08:00:00", "LastSaved": "2026-10-02T17:00:00"}, "2026-10-03T08:00:00"),
        ({"CurrentDate": None, "LastSaved": "2026-10-02T17:00:00"}, "2026-10-02T17:00:00"),
    ):
        folder.export("atlas.xml", project(**head))
        (page,) = folder.pull("atlas.xml")
        assert page.as_of == _at(as_of)
        (again,) = folder.pull("atlas.xml", page.cursor)
        assert again.as_of == page.as_of


@pytest.mark.parametrize("bad", ["0001-01-01T00:00:00", "9999-12-31T23:59:59", "soon", "2026-13-01T00:00:00"])
def test_what_is_no_date_is_none(folder: Folder, bad: str) -> None:
    assert _one(folder, CreateDate=bad).created_at is None


def test_people(folder: Folder) -> None:
    resources = element(
        "Resources",
        element("Resource", UID=0, Type=1),
        element("Resource", UID=1, Name="Ada", Type=1),
        element("Resource", UID=2, Name="Concrete", Type=0),
        element("Resource", UID=3, Name="Grace"),
    )
    pairs = [(1, 1), (1, 2), (2, 3), (2, 1), (2, 3), (3, -65535), (4, 1)]
    assignments = element("Assignments", *(element("Assignment", TaskUID=t, ResourceUID=r) for t, r in pairs))
    tasks = [task(uid, Contact="Linus" if uid == 4 else None) for uid in (1, 2, 3, 4)]
    for text in (project(*tasks, parts=resources + assignments), project(*tasks, before=assignments + resources)):
        folder.export("atlas.xml", text)
        items = folder.items("atlas.xml").values()
        assert [(item.assignees, item.owner) for item in items] == [
            (("Ada",), "Ada"), (("Grace", "Ada"), None), ((), None), (("Ada",), "Linus"),
        ]  # fmt: skip


def test_mapped_fields_of_every_kind(folder: Folder) -> None:
    folder.fields = {
        "outcome_metric": "Metric", "sponsor": "Text2", "outcome_reviewed_at": "Reviewed", "owner": "Text3",
        "assignees": "Text4", "due_at": "Baseline Finish", "percent_complete": "Physical % Complete",
        "cost": "Cost1", "strategic": "Flag1", "not set": "Flag2", "benefit": "Number1", "effort": "Duration1",
        "wbs": "WBS", "work": "Work", "enterprise": "Enterprise Thing", "2007": "188776450", "nowhere": "No such field",
        "started": "Baseline Start",
    }  # fmt: skip
    definitions = (
        define(TEXT1, "Text1", "Metric"), define(188743945, "Date1", "Reviewed"),
        define(188776449, "Enterprise Thing", CFType=7), define(188776450, "Other"),
    )  # fmt: skip
    values = (
        value(TEXT1, " cut churn by 5 % "), value(188743734, "Ada"), value(188743737, "Grace"),
        value(188743740, "Ada; Grace, Ada"), value(188743945, "2026-02-03T08:00:00"), value(188743786, "12345"),
        value(188743752, "1"), value(188743767, "3.5"), value(188743783, "PT12H30M0S"), value(188776449, "corporate"),
        element("Baseline", Number=1, Finish="2030-01-01T17:00:00"),
        element("Baseline", Number=0, Start="2026-01-02T08:00:00", Finish="2026-08-01T17:00:00"),
        "<b408002>hex</b408002>",
    )  # fmt: skip
    item = _one(
        folder,
        *values,
        definitions=definitions,
        WBS="1.2",
        Work="PT16H0M0S",
        PhysicalPercentComplete=7,
        PercentComplete=5,
    )
    assert (item.outcome_metric, item.sponsor, item.owner) == ("cut churn by 5 %", "Ada", "Grace")
    assert item.assignees == ("Ada", "Grace")
    assert item.outcome_reviewed_at == _at("2026-02-03T08:00:00")
    assert item.due_at == _at("2026-08-01T17:00:00")
    assert item.percent_complete == 7
    assert item.fields == {
        "cost": "123.45", "strategic": "Yes", "not set": "No", "benefit": "3.5", "effort": "12.5h", "wbs": "1.2",
        "work": "16h", "enterprise": "corporate", "2007": "hex", "nowhere": "", "started": "2026-01-02T08:00:00",
    }  # fmt: skip
    assert item.unknown >= {"nowhere", "updated_at", "outcome_target"}
    assert not item.unknown & {"outcome_metric", "sponsor", "outcome_reviewed_at", "cost"}


def test_lookup_values_of_outline_codes_and_value_lists(folder: Folder) -> None:
    folder.fields = {"unit": "Business unit", "site": "Outline Code2", "grade": "Grade"}
    values = element(
        "Values",
        element("Value", ValueID=1, FieldGUID="G-1", ParentValueID=0, Value="Group"),
        element("Value", ValueID=2, FieldGUID="G-2", ParentValueID=1, Value="IT"),
        element("Value", ValueID=3, FieldGUID="G-3", ParentValueID=3, Value="its own parent"),
    )
    codes = element("OutlineCodes", element("OutlineCode", values, FieldID=188744096, Alias="Business unit"))
    grades = element("ValueList", element("Value", ID=9, Value="A+"))
    grade = element("ExtendedAttribute", grades, FieldID=TEXT1, FieldName="Text1", Alias="Grade")
    children = (
        element("OutlineCode", FieldID=188744096, ValueID=2),
        element("OutlineCode", FieldID=188744098, ValueID=77, ValueGUID="G-2"),
        element("ExtendedAttribute", FieldID=TEXT1, ValueID=9),
    )
    loop = element("OutlineCode", FieldID=188744096, ValueID=3)
    folder.export("atlas.xml", project(task(1, "T", *children), task(2, "T", loop), definitions=[grade], before=codes))
    items = folder.items("atlas.xml")
    assert items["atlas-1"].fields == {"unit": "Group.IT", "site": "Group.IT", "grade": "A+"}
    assert items["atlas-2"].fields["unit"].startswith("its own parent")


def test_labels_of_the_input_are_those_of_the_label_field(folder: Folder) -> None:
    definitions = (define(TEXT1, "Text1", "labels "),)
    assert _one(folder, value(TEXT1, "b;  a ;; b"), definitions=definitions).labels == ("a", "b")
    assert _one(folder, value(TEXT1, "b")).labels == ()
    folder.options["label_field"] = "Text1"
    assert _one(folder, value(TEXT1, "b")).labels == ("b",)


def test_rows_that_are_no_work_items(folder: Folder) -> None:
    folder.export(
        "atlas.xml",
        project(
            task(0, "Atlas", OutlineLevel=0, Summary=1),
            task(1, "Phase", Summary=1),
            task(2, None, IsNull=1, OutlineLevel=0),
            task(3, "Ghost", ExternalTask=1, OutlineLevel=1),
            task(4, "Work", OutlineLevel=2),
            task(5, "Weekly", OutlineLevel=2, Recurring=1, Summary=1),
            task(6, "Weekly 1", OutlineLevel=3, Recurring=1),
            task(7, "Weekly 2", OutlineLevel=3, Recurring=1),
            task(8, "Real work below it", OutlineLevel=3),
            task(9, "Gate", OutlineLevel=2, Milestone=1),
            task(10, "Inserted", IsSubproject=1, Summary=1),
            task(4, "Twin"),
            task("x", "No number"),
            task(11, " ", OutlineLevel=5),
            Title="Project Atlas",
        ),
    )
    (page,) = folder.pull("atlas.xml")
    rows = [
        (item.key, item.title, item.type, item.parent_ref and item.parent_ref.native_id, item.project)
        for item in page.items
    ]
    assert rows == [
        ("atlas-1", "Phase", "summary", None, "Project Atlas"),
        ("atlas-4", "Work", "task", "atlas.xml#1", "Project Atlas"),
        ("atlas-5", "Weekly", "recurring", "atlas.xml#1", "Project Atlas"),
        ("atlas-8", "Real work below it", "task", "atlas.xml#5", "Project Atlas"),
        ("atlas-9", "Gate", "milestone", "atlas.xml#1", "Project Atlas"),
        ("atlas-10", "Inserted", "subproject", None, "Project Atlas"),
        ("atlas-11", "(no name)", "task", "atlas.xml#10", "Project Atlas"),
    ]
    assert len(page.skipped) == 2
    assert '"Twin" has UID 4 like an earlier one' in page.skipped[0]
    assert '"No number" has no valid UID' in page.skipped[1]


def test_only_web_addresses_become_urls(folder: Folder) -> None:
    assert _one(folder, HyperlinkAddress="https://tracker.example/1").url == "https://tracker.example/1"
    assert _one(folder, HyperlinkAddress="javascript:alert(1)").url is None


def test_pages_hold_everything_once_and_in_order(folder: Folder) -> None:
    folder.export("atlas.xml", project(*(task(uid) for uid in range(1, 1002))))
    pages = folder.pull("atlas.xml")
    assert [len(page.items) for page in pages] == [500, 500, 1]
    assert [page.complete for page in pages] == [False, False, True]
    assert [page.cursor is None for page in pages] == [True, True, False]
    assert [item.key for page in pages for item in page.items] == [f"atlas-{uid}" for uid in range(1, 1002)]


def test_an_unchanged_file_costs_one_empty_page_and_a_changed_one_is_read_anew(folder: Folder) -> None:
    folder.export("atlas.xml", project(task(1), task(2)))
    (first,) = folder.pull("atlas.xml")
    assert first.full
    (second,) = folder.pull("atlas.xml", first.cursor)
    assert (second.items, second.complete, second.full, second.cursor) == ((), True, False, first.cursor)
    folder.export("atlas.xml", project(task(2)))
    (third,) = folder.pull("atlas.xml", first.cursor)
    assert [item.key for item in third.items] == ["atlas-2"]
    assert third.full, "a task that was deleted is gone at once"
    folder.fields = {"sponsor": "Text1"}
    (fourth,) = folder.pull("atlas.xml", third.cursor)
    assert len(fourth.items) == 1, "what config maps is part of what was read"


@pytest.mark.parametrize("column", ["labels", "key", "status_category"])
def test_a_column_that_cannot_be_mapped_is_a_mistake_in_config(folder: Folder, column: str) -> None:
    folder.fields = {column: "Text1"}
    with pytest.raises(SetupError, match=f'"{column}" cannot be mapped'):
        folder.open()


def test_check_names_fields_that_a_file_does_not_have(folder: Folder) -> None:
    folder.fields = {"sponsor": "Sponsor", "outcome_metric": "Metric"}
    folder.export("atlas.xml", project(task(1), definitions=[define(TEXT1, "Text1", "Metric")]))
    notices = folder.open().check()
    assert notices == [
        Notice("fine", "1 export in inbox/*.xml"),
        Notice("warning", 'atlas.xml has no field "Sponsor", so sponsor is unknown there'),
    ]
