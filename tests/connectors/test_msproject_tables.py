"""Workbooks and CSV files through the connector: found, read, and labelled in copies that differ in the labels only."""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.styles import Font

from connectors.base import Collection, Outcome
from connectors.errors import InputError, SetupError
from connectors.model import ItemRef, LabelChange, WorkItem
from connectors.msproject.tables.options import make_tables
from connectors.msproject.tables.package import open_package
from connectors.msproject.tables.sheet import column_index, column_letters, read_rows
from connectors.msproject.tables.text import field_spans
from tests.fakes.msproject import ZONE, Folder
from tests.fakes.tables import delimited, part, planner, repacked, sharing, wizard, workbook

HEADER = ("Unique ID", "Task Name", "Start", "% Complete")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, options={"path": "inbox/*"})


def items(folder: Folder, name: str) -> dict[str, WorkItem]:
    return {item.ref.native_id.removeprefix(f"{name}#"): item for item in folder.items(name).values()}


def told(folder: Folder) -> list[str]:
    return [notice.text for notice in folder.open().check()]


def label(folder: Folder, name: str, uid: str, *add: str, remove: tuple[str, ...] = (), **more: Any) -> Outcome:
    """One run that makes this one change."""
    connector = folder.open()
    list(connector.pull(Collection(name, name), None))
    change = LabelChange(ItemRef("plan", f"{name}#{uid}"), add=add, remove=remove, **more)
    [result] = connector.apply(Collection(name, name), [change])
    return result.outcome


# -- the vendors' exports


def test_the_export_wizard(folder: Folder) -> None:
    folder.fields = {"sponsor": "Text1", "planned": "Start"}
    folder.export("atlas.xlsx", wizard((11, "Dig", 0.4, "Ada"), (12, "Fill", 1, None)))
    found = items(folder, "atlas.xlsx")
    assert list(found) == ["11", "12"]
    dig = found["11"]
    assert (dig.key, dig.title, dig.percent_complete, dig.sponsor) == ("atlas-11", "Dig", 40, "Ada")
    assert (dig.status, dig.due_at) == ("In progress", datetime(2026, 3, 20, 17, tzinfo=ZONE))
    assert dig.fields == {"planned": "2026-03-02T08:00:00"}
    assert (found["12"].status, found["12"].sponsor) == ("Done", "")
    assert 'atlas.xlsx: tasks are told apart by "Unique_ID"' in told(folder)


def test_planner_basic(folder: Folder) -> None:
    folder.fields = {"bucket": "Bucket Name"}
    folder.export("plan.xlsx", planner(("AbC-1_x", "Dig", "In progress", "03/31/2026", "Pink;Blue"),
                                       ("AbC-2_y", "Fill", "Completed", "", "")))  # fmt: skip
    found = items(folder, "plan.xlsx")
    dig = found["AbC-1_x"]
    assert (dig.status, dig.percent_complete, dig.project) == ("In progress", 50, "Atlas")
    assert (dig.assignees, dig.labels, dig.fields) == (("Ada", "Max"), ("Blue", "Pink"), {"bucket": "To do"})
    assert (dig.created_at, dig.due_at) == (datetime(2026, 1, 15, tzinfo=ZONE), datetime(2026, 3, 31, tzinfo=ZONE))
    assert found["AbC-2_y"].status == "Done"
    [page] = folder.pull("plan.xlsx")
    assert page.as_of == datetime(2026, 3, 18, tzinfo=ZONE)
    assert "plan.xlsx: dates are read with the month first" in told(folder)


@pytest.mark.parametrize("name", ["planner-premium-2023-shape.xlsx", "planner-premium-2025-shape.xlsx"])
def test_planner_premium_old_and_new(folder: Folder, samples: Path, name: str) -> None:
    folder.export(name, (samples / "msproject/synthetic" / name).read_bytes())
    found = items(folder, name)
    assert list(found) == ["1 Phase Ä", "1.1 Anforderungen klären", '1.2 Build, test & "ship"', "2 Go-live"]
    assert [item.percent_complete for item in found.values()] == [40, 100, 25, 0]
    assert [item.type for item in found.values()] == ["summary", "task", "task", "milestone"]
    below = found["1.1 Anforderungen klären"]
    assert below.parent_ref == found["1 Phase Ä"].ref
    assert below.assignees == ("Jürgen Groß", "Ana López")
    assert below.project == "Umzug 2026"
    assert any("no id of tasks that lasts" in text for text in told(folder))


TABLES = ("project-de-semicolon-cp1252.csv", "project-en-us-comma-cp1252.csv", "project-tab-utf16le-bom.txt",
          "project-utf8-bom.csv", "project-ru-semicolon-cp1251.csv")  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_the_same_plan_in_five_dialects(folder: Folder, samples: Path, name: str) -> None:
    folder.fields = {"begin": "Start", "length": "Duration"}
    folder.export(name, (samples / "msproject/synthetic" / name).read_bytes())
    found = list(items(folder, name).values())
    assert [item.percent_complete for item in found] == [40, 100, 25, 0]
    assert [item.fields["begin"] for item in found] == [f"2026-03-{day}T00:00:00" for day in ("02", "02", "09")] + [""]
    assert [item.fields["length"] for item in found] == ["124h", "40h", "80h", "0h"]
    assert found[2].title == 'Build, test & "ship"'
    if "ru" not in name:  # that one was written by a program that had no such letters
        assert found[1].title == "Anforderungen klären"


SHEETS = ("aspose-default-task-map-semicolon.csv",)


def test_every_sample_of_a_table_is_read_as_expected(samples: Path) -> None:
    """By the test below, which reads it in the plainest way there is."""
    assert sorted(path.name for path in (samples / "msproject/sheets").iterdir()) == [*SHEETS]


@pytest.mark.parametrize("name", SHEETS)
def test_the_default_map_of_project(folder: Folder, samples: Path, name: str) -> None:
    path = samples / "msproject/sheets" / name
    folder.fields = {"begin": "Start", "end": "Finish", "level": "Outline Level", "length": "Duration", "cost": "Cost"}
    folder.export(name, path.read_bytes())
    found = list(items(folder, name).values())
    rows = list(csv.DictReader(io.StringIO(path.read_text()), delimiter=";"))
    assert [item.title for item in found] == [row["Task_Name"] for row in rows]
    for item, row in zip(found, rows, strict=True):
        day, month, year = row["Start_Date"][4:12].split(".")
        assert item.fields["begin"] == f"20{year}-{month}-{day}T{row['Start_Date'][-5:]}:00"
        day, month, year = row["Finish_Date"][4:12].split(".")
        assert item.fields["end"] == f"20{year}-{month}-{day}T{row['Finish_Date'][-5:]}:00"
        number, unit = row["Duration"].split()
        assert item.fields["length"] == f"{float(number) * {'d': 8, 'h': 1, 'w': 40}[unit[0]]:g}h"
        assert item.fields["cost"] == f"{float(row['Cost'].removeprefix('$').replace(',', '')):.2f}"
        assert item.fields["level"] == row["Outline_Level"]
        assert f"{item.percent_complete:g}%" == row["Percent_Comp"]


# -- finding the table


@pytest.mark.parametrize(
    "header",
    [
        ("Eindeutige Nr.", "Vorgangsname", "Anfang", "% Abgeschlossen"),
        ("N° unique", "Nom de la tâche", "Début", "% achevé"),
        ("Id. único", "Nombre de tarea", "Comienzo", "% completado"),
        ("Id exclusiva", "Nome da tarefa", "Início", "% concluída"),
        ("UNIQUE_ID", "TASK_NAME", "START_DATE", "PERCENT_COMPLETE"),
    ],
)
def test_titles_in_five_languages(folder: Folder, header: tuple[str, ...]) -> None:
    folder.export("plan.csv", delimited([header, (7, "Dig", "2026-03-02", "40%")], ";"))
    folder.fields = {"begin": "Start"}
    [(uid, item)] = items(folder, "plan.csv").items()
    assert (uid, item.title, item.fields["begin"], item.percent_complete) == ("7", "Dig", "2026-03-02T00:00:00", 40)


def test_a_language_that_is_not_known_is_taught_by_config(folder: Folder) -> None:
    folder.export("plan.csv", delimited([("Zadanie", "Koniec"), ("Kopać", "31.03.2026")]))
    with pytest.raises(InputError, match=r"no line names a column for the task's name.*give its titles in `columns`"):
        folder.items("plan.csv")
    folder.options["columns"] = {"Zadanie": "Task Name", "Koniec": "Finish"}
    assert items(folder, "plan.csv")["Kopać"].due_at == datetime(2026, 3, 31, tzinfo=ZONE)


@pytest.mark.parametrize(
    "wrong",
    [{"columns": {"X": "Nonsense"}}, {"encoding": "klingon"}, {"encoding": "utf-7"}, {"delimiter": ";"},
     {"date_order": "european"}, {"decimal": "comma"}],
)  # fmt: skip
def test_options_that_cannot_be_right_are_refused_at_once(folder: Folder, wrong: dict[str, Any]) -> None:
    folder.options |= wrong
    with pytest.raises(SetupError, match=next(iter(wrong))):
        folder.open()


def test_lines_above_merged_rows_blank_rows_and_headings_are_no_tasks(folder: Folder) -> None:
    rows = [("Portfolio of the north",), (), HEADER, (), ("", "Phase one"), (1, "Dig", "2026-03-02", 0.5),
            (None, None, None, None, "x"), (2, "Fill", None, None)]  # fmt: skip

    def merge(book: Workbook) -> None:
        book.worksheets[0].merge_cells("A1:D1")
        book.worksheets[0].merge_cells("B5:D5")

    folder.export("plan.xlsx", workbook(("Plan", rows), finish=merge))
    assert list(items(folder, "plan.xlsx")) == ["1", "2"]
    assert folder.pull("plan.xlsx")[-1].skipped == ()


def test_what_is_merged_over_several_rows_holds_for_all_of_them(folder: Folder) -> None:
    header = ("Phase", "Unique ID", "Name", "Text1", "Labels")
    rows = [header, ("North", 1, "Dig", "Ada", "theirs"), (None, 2, "Fill", None, None), (None, None),
            (None, 3, "Pave"), ("South", 4, "Plant", "Max", None), (None, 5, "Water")]  # fmt: skip

    def merge(book: Workbook) -> None:
        for area in ("A2:A5", "D2:D3", "E2:E3", "A6:A7", "C6:C7"):
            book.worksheets[0].merge_cells(area)

    folder.fields = {"phase": "Phase", "sponsor": "Text1"}
    folder.export("plan.xlsx", workbook(("Plan", rows), finish=merge))
    found = items(folder, "plan.xlsx")
    assert {uid: (item.fields["phase"], item.sponsor) for uid, item in found.items()} == {
        "1": ("North", "Ada"), "2": ("North", "Ada"), "3": ("North", ""), "4": ("South", "Max"),
    }  # fmt: skip
    assert {uid: item.labels for uid, item in found.items() if item.labels} == {"1": ("theirs",)}
    assert folder.pull("plan.xlsx")[-1].skipped == ()


def test_an_empty_cell_that_is_not_merged_stays_empty(folder: Folder) -> None:
    rows = [("Phase", "Unique ID", "Name"), ("North", 1, "Dig"), (None, 2, "Fill")]
    folder.fields = {"phase": "Phase"}
    folder.export("plan.xlsx", workbook(("Plan", rows)))
    assert [item.fields["phase"] for item in items(folder, "plan.xlsx").values()] == ["North", ""]


@given(st.data())
def test_merges_of_any_kind_are_filled_down(data: st.DataObject) -> None:
    """Each row has what stands in the first cell of its merge, or in its own; some cells are empty."""
    edges = data.draw(st.lists(st.integers(2, 30), min_size=2, max_size=8, unique=True).map(sorted))
    spans = {(column, first, last) for column in "AD" for first, last in zip(edges[::2], edges[1::2], strict=False)}

    def text(column: str, row: int) -> str | None:
        return f"{column}{row}" if row % 3 else None

    def shown(column: str, row: int) -> str | None:
        return text(column, next((first for at, first, last in spans if at == column and first <= row <= last), row))

    def merge(book: Workbook) -> None:
        for column, first, last in spans:
            book.worksheets[0].merge_cells(f"{column}{first}:{column}{last}")

    rows = [(text("A", row), row, f"Task {row}", text("D", row)) for row in range(2, 31)]
    content = workbook(("Plan", [("Phase", "Unique ID", "Name", "Text1"), *rows]), finish=merge)
    excel, _ = make_tables({"label_field": "Labels"}, {"phase": "Phase", "sponsor": "Text1"})
    export = excel.read(io.BytesIO(content), "a.xlsx", frozenset())
    found = [[each["Value"] for each in record.get("ExtendedAttribute", ())] for record in export.tasks()]
    export.close()
    assert found == [[text for text in (shown("A", row), shown("D", row)) if text] for row in range(2, 31)]


ASSIGNMENT_TABLES: dict[str, list[tuple[Any, ...]]] = {
    "by Unique ID": [("Unique_ID", "Task_Unique_ID", "Resource_Name"), (1, 11, "Ada"), (2, 11, "Max"), (3, 12, "Ada"),
                     (4, 99, "Grace")],
    "by row": [("Task_ID", "Task_Name", "Resource_Name"), (1, "?", "Ada"), (1, "?", "Max"), (2, "?", "Ada")],
    "by name": [("Task_Name", "Resource_Name"), ("Dig", "Ada"), ("   Dig", "Max"), ("Fill", "Ada"), ("Dig", "Ada")],
    "in German": [("Vorgangsname", "Ressourcenname"), ("Dig", "Ada"), ("Dig", "Max"), ("Fill", "Ada")],
}  # fmt: skip


@pytest.mark.parametrize("table", ASSIGNMENT_TABLES.values(), ids=ASSIGNMENT_TABLES)
@pytest.mark.parametrize("sheet", ["", "Tasks"])
def test_who_does_a_task_is_read_from_the_table_of_assignments(
    folder: Folder, table: list[tuple[Any, ...]], sheet: str
) -> None:
    tasks = [("ID", "Unique_ID", "Name"), (1, 11, "Dig"), (2, 12, "Fill"), (3, 13, "Pave")]
    resources = [("ID", "Resource_Name", "Type"), (1, "Ada", "Work")]
    folder.options["sheet"] = sheet
    book = workbook(("Resource_Table", resources), ("Assignment_Table", table), ("Tasks", tasks))
    folder.export("atlas.xlsx", sharing(book))
    found = items(folder, "atlas.xlsx")
    assert {uid: item.assignees for uid, item in found.items()} == {"11": ("Ada", "Max"), "12": ("Ada",), "13": ()}
    assert found["12"].owner == "Ada"
    assert any("who does a task is read from its assignments too" in text for text in told(folder))


def test_names_in_the_table_of_tasks_come_first_and_doubtful_ones_count_for_nobody(folder: Folder) -> None:
    tasks = [("Unique_ID", "Name", "Resource_Names"), (1, "Dig", "Grace"), (2, "Dig", None), (3, "Fill", None)]
    assignments = [("Task_Name", "Resource_Name"), ("Dig", "Ada"), ("Fill", "Max")]
    folder.export("a.xlsx", workbook(("Task_Table", tasks), ("Assignment_Table", assignments)))
    assert [item.assignees for item in items(folder, "a.xlsx").values()] == [("Grace",), (), ("Max",)]
    assert any('several tasks are called "Dig"' in text for text in told(folder))


def test_one_sheet_among_several(folder: Folder) -> None:
    table = [HEADER, (1, "Dig", None, 0)]
    notes = [("Who", "What"), ("Ada", "said so")]
    assignments = [("Task_Name", "Resource_Name", "Start", "% Complete"), ("Dig", "Ada", None, 0)]
    folder.export("one.xlsx", workbook(("Notes", notes), ("Assignment_Table", assignments), ("Plan", table)))
    assert list(items(folder, "one.xlsx")) == ["1"]
    folder.export("two.xlsx", workbook(("North", table), ("South", [HEADER, (2, "Fill", None, 0)])))
    with pytest.raises(InputError, match=r'several sheets of tasks: "North", "South"; say which one with `sheet`'):
        folder.items("two.xlsx")
    folder.options["sheet"] = "south"
    assert list(items(folder, "two.xlsx")) == ["2"]
    with pytest.raises(InputError, match=r'one\.xlsx has no sheet "south"'):
        folder.items("one.xlsx")


RELATION = (
    b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r" '
    b'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/pivotTable" Target="../p.xml"/>'
    b"</Relationships>"
)


def test_visual_reports_are_left_out_with_a_word(folder: Folder) -> None:
    pivot = {"xl/worksheets/_rels/sheet1.xml.rels": RELATION, "xl/p.xml": b"<pivotTableDefinition/>"}
    table = [HEADER, (1, "Dig", None, 0)]
    folder.export("both.xlsx", repacked(workbook(("Task Usage", table), ("Plan", table)), **pivot))
    assert list(items(folder, "both.xlsx")) == ["1"]
    assert any('"Task Usage" is a visual report' in text for text in told(folder))
    folder.export("only.xlsx", repacked(workbook(("Task Usage", table)), **pivot))
    with pytest.raises(InputError, match="holds a visual report"):
        folder.items("only.xlsx")


# -- ids


def test_a_configured_key_identifies_tasks_that_have_no_id(folder: Folder) -> None:
    header = ("Task number", "Name", "Ticket")
    folder.options["task_key"] = "Ticket"
    folder.export("p.csv", delimited([header, (1, "Dig", "PRJ-7"), (2, "Fill", "PRJ-9")]))
    before = items(folder, "p.csv")
    folder.export("p.csv", delimited([header, (1, "Fill up", "PRJ-9"), (2, "Dig", "PRJ-7")]))
    assert list(before) == ["PRJ-7", "PRJ-9"]
    assert items(folder, "p.csv")["PRJ-9"].title == "Fill up"
    assert label(folder, "p.csv", "PRJ-7", "pmo-x") is Outcome.DONE
    assert {uid: item.labels for uid, item in items(folder, "p.csv").items()} == {"PRJ-9": (), "PRJ-7": ("pmo-x",)}
    assert 'p.csv: tasks are told apart by "Ticket"' in told(folder)


def test_names_that_repeat_are_told_apart_by_where_they_stand(folder: Folder) -> None:
    rows = [("Name", "Outline Level"), ("North", 1), ("Test", 2), ("Test", 2), ("South", 1), ("Test", 2)]
    folder.export("p.csv", delimited(rows))
    found = items(folder, "p.csv")
    assert list(found) == ["North", "North / Test", "North / Test (2)", "South", "South / Test"]
    assert found["South / Test"].parent_ref == found["South"].ref
    assert label(folder, "p.csv", "North / Test (2)", "pmo-x") is Outcome.DONE
    assert [uid for uid, item in items(folder, "p.csv").items() if item.labels] == ["North / Test (2)"]


def test_an_id_may_hold_any_sign(folder: Folder) -> None:
    folder.export("p.csv", delimited([("Name", "WBS"), ("Port C# to F#", "1.1")]))
    assert label(folder, "p.csv", "1.1 Port C# to F#", "pmo-x") is Outcome.DONE


# -- conventions of a file


def test_an_ambiguous_date_column_is_refused_until_config_settles_it(folder: Folder) -> None:
    folder.export("p.csv", delimited([("Name", "Finish"), ("Dig", "03/04/2026")]))
    with pytest.raises(InputError, match=r'"03/04/2026" in the column "Finish" can be read in two ways; settle it'):
        folder.items("p.csv")
    assert any(
        "can be read in two ways" in notice.text for notice in folder.open().check() if notice.level == "problem"
    )
    folder.options["date_order"] = "dmy"
    assert items(folder, "p.csv")["Dig"].due_at == datetime(2026, 4, 3, tzinfo=ZONE)


def test_an_ambiguous_number_is_refused_until_config_settles_it(folder: Folder) -> None:
    folder.fields = {"effort": "Work"}
    folder.export("p.csv", delimited([("Name", "Work"), ("Dig", "1.200 hrs")]))
    with pytest.raises(InputError, match=r'decimal = "\." \(1,234\.5\) or decimal = ","'):
        folder.items("p.csv")
    folder.options["decimal"] = ","
    assert items(folder, "p.csv")["Dig"].fields["effort"] == "1200h"


def test_a_mapped_column_of_any_title_is_a_date_where_the_item_has_one(folder: Folder) -> None:
    folder.fields = {"outcome_reviewed_at": "Last looked at", "note": "When"}
    rows = [("Name", "WBS", "Last looked at", "When"), ("Dig", 1, "13/04/2026", "03/04/2026")]
    folder.export("p.csv", delimited(rows))
    item = items(folder, "p.csv")["1 Dig"]
    assert item.outcome_reviewed_at == datetime(2026, 4, 13, tzinfo=ZONE)
    assert item.fields["note"] == "03/04/2026"


@pytest.mark.parametrize(
    ("cells", "percents"),
    [((0.4, 1, 0), [40, 100, 0]), ((40, 100, 0.5), [40, 100, 0.5]), (("40%", "1 %", 1), [40, 1, 100]),
     (("0,25", "1,0", ""), [25, 100, None])],
)  # fmt: skip
def test_percentages_as_fractions_and_as_numbers(folder: Folder, cells: tuple[Any, ...], percents: list[Any]) -> None:
    rows = [(number, f"T{number}", None, cell) for number, cell in enumerate(cells, 1)]
    folder.export("p.xlsx", workbook(("Plan", [HEADER, *rows])))
    assert [item.percent_complete for item in items(folder, "p.xlsx").values()] == percents


def test_serials_and_dates_of_1904(folder: Folder) -> None:
    folder.fields = {"begin": "Start"}
    day = datetime(2026, 3, 2, 8)  # noqa: DTZ001 - wall time

    def since_1904(book: Workbook) -> None:
        from openpyxl.utils.datetime import MAC_EPOCH

        book.epoch = MAC_EPOCH

    rows = [HEADER, (1, "Dig", day, 0)]
    folder.export("mac.xlsx", workbook(("Plan", rows), finish=since_1904))
    folder.export("pc.xlsx", workbook(("Plan", [HEADER, (1, "Dig", 46083 + 1 / 3, 0)])))
    for name in ("mac.xlsx", "pc.xlsx"):
        assert items(folder, name)["1"].fields["begin"] == "2026-03-02T08:00:00", name


@pytest.mark.parametrize(
    ("codec", "bom", "said"),
    [("utf-8", b"", "UTF-8"), ("utf-8", b"\xef\xbb\xbf", "UTF-8 (by its byte order mark)"),
     ("utf-16-le", b"\xff\xfe", "UTF-16 (by its byte order mark)"), ("utf-16-be", b"\xfe\xff", "UTF-16 (by"),
     ("utf-16-le", b"", "UTF-16 (by its zero bytes)"), ("cp1252", b"", "Windows-1252 (by its letters)")],
)  # fmt: skip
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encodings_and_delimiters_are_found_and_told(
    folder: Folder, codec: str, bom: bytes, said: str, delimiter: str
) -> None:
    text = delimited([("Unique ID", "Name"), (1, "Prüfung, groß; “quoted”")], delimiter)
    folder.export("p.csv", bom + text.encode(codec))
    assert items(folder, "p.csv")["1"].title == "Prüfung, groß; “quoted”"
    sign = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}[delimiter]
    assert any(said in line and f"by a {sign}" in line for line in told(folder))


def test_a_code_page_that_is_not_plain_is_asked_for(folder: Folder) -> None:
    text = delimited([("Unique ID", "Name"), (1, "Задача")])
    folder.export("p.csv", text.encode("cp1251"))
    with pytest.raises(InputError, match=r"neither UTF-8 nor plainly Windows-1252; set encoding"):
        folder.items("p.csv")
    folder.options["encoding"] = "cp1251"
    assert items(folder, "p.csv")["1"].title == "Задача"


# -- reading a workbook

CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9, allow_nan=False),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12),
    st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(microsecond=0)),  # noqa: DTZ001
)  # fmt: skip


def _as_openpyxl_reads(cell: Any) -> Any:
    if isinstance(cell, datetime):
        return cell.isoformat()
    return float(cell) if isinstance(cell, int) and not isinstance(cell, bool) else cell


@settings(max_examples=60)
@given(st.lists(st.lists(CELLS, max_size=5), max_size=6), st.booleans())
def test_cells_are_those_that_openpyxl_reads(rows: list[list[Any]], shared: bool) -> None:
    book = sharing(workbook(("S", rows))) if shared else workbook(("S", rows))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sheet = load_workbook(io.BytesIO(book), read_only=True, data_only=True).worksheets[0]
        sheet.reset_dimensions()
        theirs = {number: list(row) for number, row in enumerate(sheet.iter_rows(values_only=True), 1)}
    with open_package(io.BytesIO(book), "s.xlsx") as package:
        ours = dict(read_rows(package, package.sheets[0], package.strings()))
    for number, row in theirs.items():
        expected = [_as_openpyxl_reads(cell) for cell in row]
        while expected and expected[-1] is None:
            expected.pop()
        assert ours.get(number, []) == expected


def test_columns_by_letters() -> None:
    for index in (0, 25, 26, 701, 702, 16_383):
        assert column_index(column_letters(index)) == index
    assert [column_letters(index) for index in (0, 25, 26, 702)] == ["A", "Z", "AA", "AAA"]


def test_strings_of_several_runs_and_with_readings(folder: Folder) -> None:
    book = sharing(workbook(("Plan", [("Unique ID", "Name"), (1, "Dig")])))
    runs = b"<r><t>Di</t></r><r><t>g_x000D_ it</t></r><rPh sb='0' eb='1'><t>no</t></rPh>"
    strings = part(book, "xl/sharedStrings.xml").replace(b"<t>Dig</t>", runs)
    folder.export("p.xlsx", repacked(book, **{"xl/sharedStrings.xml": strings}))
    assert items(folder, "p.xlsx")["1"].title == "Dig\r it"
    assert folder.open().check()[1].level == "fine"


# -- copies


def dressed(book: Workbook) -> None:
    """What a library that loads and saves a workbook loses, or a person would miss."""
    sheet = book.worksheets[0]
    sheet["A1"].font = Font(bold=True)
    sheet["B2"].comment = Comment("mind the gap", "Ada")
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = "A1:D3"
    sheet["D2"].number_format = "0%"
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=4, min_row=1, max_row=3))
    sheet.add_chart(chart, "H2")


def values(book: bytes, sheet: int = 0) -> list[tuple[Any, ...]]:
    loaded = load_workbook(io.BytesIO(book), data_only=True)
    return list(loaded.worksheets[sheet].iter_rows(values_only=True))


def test_a_labelled_workbook_differs_in_one_column_of_one_sheet(folder: Folder) -> None:
    rows = [HEADER, (1, "Dig", None, 0.5), (2, "Fill", None, 1)]
    original = workbook(("Plan", rows), ("Other", [("x",)]), finish=dressed)
    path = folder.export("p.xlsx", original)
    assert label(folder, "p.xlsx", "2", "pmo-a", "pmo-ü&<b>") is Outcome.DONE
    assert path.read_bytes() == original
    copy = folder.copy("p.xlsx").read_bytes()
    assert values(copy) == [
        (*row, *more) for row, more in zip(values(original), [("Labels",), (None,), ("pmo-a; pmo-ü&<b>",)], strict=True)
    ]
    with zipfile.ZipFile(io.BytesIO(original)) as old, zipfile.ZipFile(io.BytesIO(copy)) as new:
        assert new.namelist() == old.namelist()
        differing = [name for name in old.namelist() if old.read(name) != new.read(name)]
    assert differing == ["xl/worksheets/sheet1.xml"]
    sheet, before = part(copy, differing[0]).decode(), part(original, differing[0]).decode()
    stripped = re.sub(r'<c r="E[12]*3?"[^>]*>.*?</c>', "", sheet).replace('ref="A1:E3"', 'ref="A1:D3"', 1)
    assert stripped == before
    loaded = load_workbook(io.BytesIO(copy))
    assert loaded.worksheets[0]["A1"].font.bold
    assert loaded.worksheets[0]["E1"].style == loaded.worksheets[0]["D1"].style


def test_labels_join_a_column_that_is_there_and_leave_it(folder: Folder) -> None:
    rows = [("Labels", *HEADER), ("theirs", 1, "Dig", None, 0), (None, 2, "Fill", None, 0)]
    original = workbook(("Plan", rows))
    folder.export("p.xlsx", original)
    assert label(folder, "p.xlsx", "1", "pmo-a") is Outcome.DONE
    assert label(folder, "p.xlsx", "2", "pmo-a") is Outcome.DONE
    assert [row[0] for row in values(folder.copy("p.xlsx").read_bytes())] == ["Labels", "theirs", "pmo-a"]
    sheet = part(folder.copy("p.xlsx").read_bytes(), "xl/worksheets/sheet1.xml").decode()
    assert re.findall(r'r="([A-D])3"', sheet) == sorted(re.findall(r'r="([A-D])3"', sheet))  # else Excel "repairs" it
    # A label that came home into the input is taken off; the copy shows what is left.
    folder.export("p.xlsx", workbook(("Plan", [rows[0], ("theirs; pmo-a", *rows[1][1:]), ("pmo-a", *rows[2][1:])])))
    assert label(folder, "p.xlsx", "1", remove=("pmo-a",)) is Outcome.DONE
    assert [row[0] for row in values(folder.copy("p.xlsx").read_bytes())] == ["Labels", "theirs", "pmo-a"]
    assert label(folder, "p.xlsx", "2", remove=("pmo-a",)) is Outcome.DONE
    assert [row[0] for row in values(folder.copy("p.xlsx").read_bytes())] == ["Labels", "theirs; pmo-a", None]


def test_planners_own_column_of_labels_is_used_in_any_language(folder: Folder) -> None:
    rows = [("Aufgaben-ID", "Aufgabenname", "Bezeichnungen", "Fortschritt"), ("x1", "Dig", "Rosa", "In Arbeit")]
    folder.export("p.xlsx", workbook(("Aufgaben", rows)))
    assert items(folder, "p.xlsx")["x1"].labels == ("Rosa",)
    assert label(folder, "p.xlsx", "x1", "pmo-a") is Outcome.DONE
    assert items(folder, "p.xlsx")["x1"].labels == ("Rosa", "pmo-a")
    assert values(folder.copy("p.xlsx").read_bytes())[1] == ("x1", "Dig", "Rosa; pmo-a", "In Arbeit")


def test_the_same_copy_is_not_written_again(folder: Folder) -> None:
    folder.export("p.xlsx", wizard((1, "Dig", 0, None)))
    label(folder, "p.xlsx", "1", "pmo-a")
    stamp = folder.copy("p.xlsx").stat().st_mtime_ns
    assert label(folder, "p.xlsx", "1", "pmo-a") is Outcome.UNCHANGED
    assert folder.copy("p.xlsx").stat().st_mtime_ns == stamp


def test_what_cannot_be_written_is_said(folder: Folder) -> None:
    folder.export("p.csv", delimited([("Unique ID", "Name"), (1, "Prüfung")]).encode("cp1252"))
    connector = folder.open()
    list(connector.pull(Collection("p.csv", "p.csv"), None))
    changes = [
        LabelChange(ItemRef("plan", f"p.csv#{uid}"), add=(text,)) for uid, text in ((1, "✓"), (9, "a"), (1, "a;b"))
    ]
    results = list(connector.apply(Collection("p.csv", "p.csv"), changes))
    assert [result.outcome for result in results] == [Outcome.REFUSED, Outcome.GONE, Outcome.REFUSED]
    assert "cp1252 has no '✓'; export it as CSV UTF-8, or rename the label" in results[0].message
    assert not folder.copy("p.csv").exists()


FIELD = st.text(st.characters(codec="cp1252", min_codepoint=32) | st.sampled_from('\r\n";, \t'), max_size=10)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=6),
    st.sampled_from(
        [("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")]
    ),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\r\n", "\n", "\r"]),
    st.booleans(),
    st.sets(st.integers(0, 5)),
)
def test_a_labelled_csv_is_its_input_and_one_more_column(
    tmp_path_factory: pytest.TempPathFactory,
    fields: list[tuple[str, str]],
    written: tuple[str, bytes],
    delimiter: str,
    line_end: str,
    quote_all: bool,
    labelled: set[int],
) -> None:
    codec, bom = written
    folder = Folder(tmp_path_factory.mktemp("csv"), options={"path": "inbox/*"})
    rows = [("Unique ID", "Name", "Notes"), *((at, f"T{one}", two) for at, (one, two) in enumerate(fields, 1))]
    quote_all |= any(sign in text for pair in fields for text in pair for sign in "\r\n")  # Python quotes its own only
    original = bom + delimited(rows, delimiter, line_end, quote_all=quote_all).encode(codec)
    folder.export("p.csv", original)
    assert list(items(folder, "p.csv")) == [str(at) for at in range(1, len(rows))]
    wanted = {at for at in labelled if 0 < at < len(rows)}
    folder.apply("p.csv", **{f"u{at}": ["pmo-a", "pmo-b"] for at in wanted})
    assert folder.copy("p.csv").exists() == bool(wanted)
    if wanted:
        copy = folder.copy("p.csv").read_bytes()
        assert copy.startswith(bom)
        read = list(csv.reader(io.StringIO(copy[len(bom) :].decode(codec), newline=""), delimiter=delimiter))
        before = list(csv.reader(io.StringIO(original[len(bom) :].decode(codec), newline=""), delimiter=delimiter))
        assert [row[:-1] for row in read] == before
        assert [row[-1] for row in read] == ["Labels", *("pmo-a; pmo-b" * (at in wanted) for at in range(1, len(rows)))]
        assert {int(uid) for uid, item in items(folder, "p.csv").items() if item.labels} == wanted


def test_other_bytes_of_a_csv_stay_as_they_are(folder: Folder) -> None:
    lines = ["sep=;", '"Unique ID";"Name" ;Labels;More', '1;"a ""b""\r\nc";;x', "", "2;d", '3; e ;mine;"q"']
    text = "\r\n".join(lines)
    folder.export("p.csv", text)
    folder.apply("p.csv", u1=["pmo-a"], u2=["pmo-a"], u3=["pmo-a"])
    lines[2:] = ['1;"a ""b""\r\nc";pmo-a;x', "", "2;d;pmo-a", '3; e ;"mine; pmo-a";"q"']
    assert folder.copy("p.csv").read_bytes().decode() == "\r\n".join(lines)


@given(st.text(st.sampled_from('ab";, \n'), max_size=30), st.sampled_from(",;"))
def test_cells_are_found_where_the_csv_module_finds_them(body: str, delimiter: str) -> None:
    body = body.rstrip("\n")
    rows = list(csv.reader([line + "\n" for line in body.split("\n")], delimiter=delimiter)) if body else []
    if len(rows) == 1 and rows[0]:
        assert len(field_spans(body, delimiter)) == len(rows[0])
