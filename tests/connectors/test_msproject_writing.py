"""Labelled copies: spliced byte for byte, issued anew, never over what a person made."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Collection, Outcome
from connectors.errors import AccessError, UnsafeError
from connectors.model import ItemRef, LabelChange
from connectors.msproject import copies, files
from tests.fakes.msproject import TEXT1, TEXT30, Folder, define, element, project, task, value

DONE, UNCHANGED, REFUSED, STALE, GONE = (
    Outcome.DONE, Outcome.UNCHANGED, Outcome.REFUSED, Outcome.STALE, Outcome.GONE,
)  # fmt: skip
XML = "atlas.xml"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def _copy(folder: Folder) -> str:
    return folder.copy(XML).read_text()


# -- the splice

PRETTY = """<?xml version="1.0" encoding="UTF-8"?>
<Project xmlns="http://schemas.microsoft.com/project">
\t<Name>a</Name>
\t<ExtendedAttributes/>
\t<Tasks>
\t\t<Task>
\t\t\t<UID>1</UID>
\t\t\t<Name>One</Name>
\t\t\t<Baseline>
\t\t\t\t<Number>0</Number>
\t\t\t</Baseline>
\t\t</Task>
\t\t<Task>
\t\t\t<UID>2</UID>
\t\t</Task>
\t</Tasks>
</Project>
"""

PRETTY_LABELLED = (
    PRETTY.replace(
        "\t<ExtendedAttributes/>",
        """\t<ExtendedAttributes>
\t\t<ExtendedAttribute>
\t\t\t<FieldID>188744016</FieldID>
\t\t\t<FieldName>Text30</FieldName>
\t\t\t<Alias>Labels</Alias>
\t\t\t<SecondaryPID>255869057</SecondaryPID>
\t\t</ExtendedAttribute>
\t</ExtendedAttributes>""",
    )
    .replace(
        "<Name>One</Name>",
        """<Name>One</Name>
\t\t\t<ExtendedAttribute>
\t\t\t\t<FieldID>188744016</FieldID>
\t\t\t\t<Value>a; b</Value>
\t\t\t</ExtendedAttribute>""",
    )
    .replace(
        "<UID>2</UID>",
        """<UID>2</UID>
\t\t\t<ExtendedAttribute>
\t\t\t\t<FieldID>188744016</FieldID>
\t\t\t\t<Value>&lt;c&gt; &amp; d</Value>
\t\t\t</ExtendedAttribute>""",
    )
)


def test_a_copy_looks_as_if_project_had_written_it(folder: Folder) -> None:
    folder.export(XML, PRETTY)
    folder.apply(XML, u1=["a", "b"], u2=["<c> & d"])
    assert _copy(folder) == PRETTY_LABELLED


@pytest.mark.parametrize(
    "lists",
    ["<ExtendedAttributes/>", "<ExtendedAttributes />", "<ExtendedAttributes></ExtendedAttributes>", "",
     f"<ExtendedAttributes>{define(TEXT1, 'Text1')}</ExtendedAttributes>"],
)  # fmt: skip
def test_the_definition_goes_where_it_belongs(folder: Folder, lists: str) -> None:
    text = project(task(1), before="<OutlineCodes/>").replace("<ExtendedAttributes/>", lists)
    folder.export(XML, text)
    folder.apply(XML, u1=["a"])
    definition = define(TEXT30, "Text30", "Labels", SecondaryPID=255869057)
    inside = (
        lists.removeprefix("<ExtendedAttributes>").removesuffix("</ExtendedAttributes>") if "Text1" in lists else ""
    )
    expected = text.replace(f"{lists}<Tasks>", f"<ExtendedAttributes>{inside}{definition}</ExtendedAttributes><Tasks>")
    assert _copy(folder) == expected.replace("</Task>", f"{value(TEXT30, 'a')}</Task>")


@pytest.mark.parametrize("follower", ["Baseline", "OutlineCode", "TimephasedData"])
def test_a_value_stands_after_other_values_and_before_what_follows_them(folder: Folder, follower: str) -> None:
    other, after = value(TEXT1, "x"), element(follower, Number=0)
    folder.export(XML, project(task(1, "T", other, after), task(2, "T", after)))
    folder.apply(XML, u1=["a"], u2=["a"])
    own = value(TEXT30, "a")
    assert f"{other}{own}{after}" in _copy(folder)
    assert f"</Name><OutlineLevel>1</OutlineLevel>{own}{after}" in _copy(folder)


def test_people_s_values_in_the_label_field_stay_letter_for_letter(folder: Folder) -> None:
    definitions = [define(188743998, "Text12", "Labels")]
    folder.export(XML, project(task(1, "T", value(188743998, " Foo;Bar ")), definitions=definitions))
    (result,) = folder.apply(XML, u1=["pmo-x"])
    assert result.labels == ("Bar", "Foo", "pmo-x")
    assert "<Value>Foo;Bar; pmo-x</Value>" in _copy(folder)
    assert folder.items(XML)["atlas-1"].labels == ("Bar", "Foo", "pmo-x")


@pytest.mark.parametrize("empty", ["<Value/>", "<Value></Value>", "", "<Value> </Value>"])
def test_an_empty_value_in_the_input_is_filled(folder: Folder, empty: str) -> None:
    there = f"<ExtendedAttribute><FieldID>{TEXT30}</FieldID>{empty}</ExtendedAttribute>"
    folder.export(XML, project(task(1, "T", there), definitions=[define(TEXT30, "Text30", "Labels")]))
    folder.apply(XML, u1=["a"])
    assert value(TEXT30, "a") in _copy(folder)
    assert _copy(folder).count("<Value>") == 1


def test_the_last_label_takes_the_element_with_it(folder: Folder) -> None:
    labelled = PRETTY_LABELLED.replace("a; b", "pmo-x")
    folder.export(XML, labelled)
    connector = folder.open()
    change = LabelChange(ItemRef("plan", f"{XML}#1"), remove=("pmo-x",))
    (result,) = connector.apply(Collection(XML, XML), [change])
    assert (result.outcome, result.labels) == (DONE, ())
    element_1 = re.escape(
        "\n\t\t\t<ExtendedAttribute>\n\t\t\t\t<FieldID>188744016</FieldID>\n\t\t\t\t<Value>pmo-x</Value>"
    )
    assert _copy(folder) == re.sub(element_1 + r"\s*</ExtendedAttribute>", "", labelled)


def test_a_free_field_is_one_without_definition_and_without_any_value(folder: Folder) -> None:
    text = project(task(1), task(2, "T", value(188744015, "x")), definitions=[define(TEXT30, "Text30")])
    folder.export(XML, text)
    folder.apply(XML, u1=["a"])
    assert define(188744014, "Text28", "Labels", SecondaryPID=255869055) in _copy(folder)


def test_a_field_named_in_config_is_used_whatever_its_alias(folder: Folder) -> None:
    folder.options["label_field"] = "Text5"
    folder.export(XML, project(task(1), definitions=[define(188743743, "Text5", "Ours")]))
    folder.apply(XML, u1=["a"])
    assert value(188743743, "a") in _copy(folder)
    assert _copy(folder).count("<Alias>") == 1


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        (define(188743767, "Number1", "Labels"), "is no text field"),
        (define(188744096, "Outline Code1", "Labels"), "is no text field"),
        (define(TEXT1, "Text1", "Labels", Formula="[Name]"), "formula or a lookup table"),
        (define(TEXT1, "Text1", "Labels", Ltuid="00000000-1"), "formula or a lookup table"),
    ],
)
def test_a_field_that_cannot_hold_labels_is_refused(folder: Folder, definition: str, why: str) -> None:
    folder.export(XML, project(task(1), definitions=[definition]))
    (result,) = folder.apply(XML, u1=["a"])
    assert result.outcome is REFUSED
    assert why in result.message
    assert not folder.copy(XML).exists()


def test_a_value_too_long_is_refused_for_that_item_only(folder: Folder) -> None:
    full = value(TEXT30, "x" * 250)
    folder.export(XML, project(task(1, "T", full), task(2), definitions=[define(TEXT30, "Text30", "Labels")]))
    long, other = folder.apply(XML, u1=["abcd"], u2=["abcd"])
    assert (long.outcome, other.outcome) == (REFUSED, DONE)
    assert "256 characters" in long.message
    assert full in _copy(folder)


ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252", "us-ascii")
LABELS = st.text("abpmo-é✓<&>\"' 😀", min_size=1, max_size=8).map(str.strip).filter(bool)


@st.composite
def _inputs(draw: st.DrawFn) -> bytes:
    """A file in some layout and encoding, with a prefix or none, with other people's labels or none."""
    ids = draw(st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True))
    has_field = draw(st.booleans())
    tasks = []
    for uid in ids:
        own = value(TEXT30, draw(LABELS)) if has_field and draw(st.booleans()) else ""
        extra = draw(st.sampled_from(["", value(TEXT1, "ü > x"), "<!-- </Task> -->", element("Baseline", Number=0)]))
        tasks.append(task(uid, draw(st.sampled_from(["Größe", "a/>", "x]]&gt;"])), own, extra))
    text = project(*tasks, definitions=[define(TEXT30, "Text30", "Labels")] if has_field else [])
    text = text.replace("<Task>", draw(st.sampled_from(["<Task>", "<Task a='>'>", '<Task\n b="/>" >'])))
    if draw(st.booleans()):
        text = re.sub(r"><(?!/)", draw(st.sampled_from([">\n<", ">\r\n  <", ">\n\t\t<"])), text)
    if draw(st.booleans()):
        text = re.sub(r"<(/?)(?=[A-Z])", r"<\1p:", text).replace("xmlns=", "xmlns:p=")
    encoding = draw(st.sampled_from(ENCODINGS))
    declared = {"utf-8-sig": "UTF-8"}.get(encoding, encoding)
    return text.replace("UTF-8", declared, 1).encode(encoding, "xmlcharrefreplace")


@given(data=st.data(), source=_inputs())
def test_adding_shows_and_taking_away_restores(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, source: bytes
) -> None:
    folder = Folder(tmp_path_factory.mktemp("splice"))
    folder.export(XML, source)
    before = folder.items(XML)
    ids = [int(key.rpartition("-")[2]) for key in before]
    wanted = data.draw(st.dictionaries(st.sampled_from(ids), st.lists(LABELS, min_size=1, max_size=3), min_size=1))
    results = folder.apply(XML, **{f"u{uid}": labels for uid, labels in wanted.items()})
    after = folder.items(XML)
    for uid, labels in wanted.items():
        assert after[f"atlas-{uid}"].labels == tuple(sorted({*before[f"atlas-{uid}"].labels, *labels}))
    assert {key: item for key, item in after.items() if int(key.rpartition("-")[2]) not in wanted} == {
        key: item for key, item in before.items() if int(key.rpartition("-")[2]) not in wanted
    }
    assert {result.outcome for result in results} <= {DONE, UNCHANGED}
    assert folder.apply(XML) == []
    assert not folder.copy(XML).exists() or folder.copy(XML).read_bytes() == source
    assert (folder.inbox / XML).read_bytes() == source
    _check_taking_off(folder, source, wanted)


def _check_taking_off(folder: Folder, source: bytes, wanted: dict[int, list[str]]) -> None:
    """Labels that came with the input and are taken off leave every task as it was before they were put on."""
    folder.apply(XML, **{f"u{uid}": labels for uid, labels in wanted.items()})
    if not folder.copy(XML).exists():
        return
    labelled = folder.copy(XML).read_bytes()
    folder.copy(XML).unlink()
    folder.export(XML, labelled)
    before = Folder(folder.root, options={"path": "original/*.xml"})
    (folder.root / "original").mkdir()
    (folder.root / "original" / XML).write_bytes(source)
    old = {item.key: item.labels for page in before.pull(XML) for item in page.items}
    changes = [
        LabelChange(ItemRef("plan", f"{XML}#{uid}"), remove=tuple(set(labels) - set(old[f"atlas-{uid}"])))
        for uid, labels in wanted.items()
    ]
    list(folder.open().apply(Collection(XML, XML), changes))
    assert _tasks(folder.copy(XML).read_bytes()) == _tasks(source)


def _tasks(data: bytes) -> bytes:
    """The bytes from the first task on: the definition, which stays, stands before."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    sign = "Tasks>".encode("utf-16-le" if wide else "ascii")
    return data[data.index(sign) :]


# -- issuing copies


def test_a_run_a_fixed_task_a_second_run_and_a_third_that_writes_nothing(folder: Folder) -> None:
    source = folder.export(XML, project(task(1), task(2)))
    assert [r.outcome for r in folder.apply(XML, u1=["a"], u2=["b"])] == [DONE, DONE]
    assert [r.outcome for r in folder.apply(XML, u2=["b"])] == [UNCHANGED]
    assert folder.items(XML)["atlas-1"].labels == ()
    stamp = folder.copy(XML).stat().st_mtime_ns
    assert [r.outcome for r in folder.apply(XML, u2=["b"])] == [UNCHANGED]
    assert folder.copy(XML).stat().st_mtime_ns == stamp
    assert source.read_text() == project(task(1), task(2))


def test_without_labels_to_show_there_is_no_copy_and_none_is_due(folder: Folder) -> None:
    folder.export(XML, project(task(1)))
    assert folder.apply(XML) == []
    assert not folder.copy(XML).parent.exists()
    assert not folder.pull(XML)[-1].copy_outdated


def test_a_new_export_makes_the_copy_outdated_until_it_is_issued_anew(folder: Folder) -> None:
    folder.export(XML, project(task(1)))
    folder.apply(XML, u1=["a"])
    folder.export(XML, project(task(1, "Renamed")))
    page = folder.pull(XML)[-1]
    assert page.copy_outdated
    assert page.items[0].labels == (), "the old copy says nothing about the new export"
    assert folder.apply(XML) == []
    assert folder.copy(XML).read_bytes() == (folder.inbox / XML).read_bytes()
    assert not folder.pull(XML)[-1].copy_outdated


def test_a_copy_that_was_carried_off_is_due_again_and_settles_without_labels(folder: Folder) -> None:
    folder.export(XML, project(task(1)))
    folder.apply(XML, u1=["a"])
    folder.copy(XML).unlink()
    assert folder.pull(XML)[-1].copy_outdated
    folder.apply(XML)
    assert not folder.copy(XML).exists()
    assert not folder.pull(XML)[-1].copy_outdated


def test_a_person_s_edit_of_the_copy_is_seen_and_never_overwritten(folder: Folder) -> None:
    folder.export(XML, project(task(1), task(2)))
    folder.apply(XML, u1=["a"], u2=["b"])
    edited = _copy(folder).replace("<Value>a</Value>", "<Value>theirs</Value>")
    folder.copy(XML).write_text(edited)
    page = folder.pull(XML)[-1]
    assert [item.labels for item in page.items] == [("theirs",), ("b",)]
    assert not page.copy_outdated
    results = folder.apply(XML, u1=["a"], u2=["b"])
    assert [result.outcome for result in results] == [REFUSED, UNCHANGED]
    assert "move it away" in results[0].message
    assert _copy(folder) == edited


def test_a_file_that_we_never_wrote_is_never_overwritten(folder: Folder) -> None:
    folder.export(XML, project(task(1)))
    folder.copy(XML).parent.mkdir()
    folder.copy(XML).write_text(project(task(1, "theirs")))
    assert [result.outcome for result in folder.apply(XML, u1=["a"])] == [REFUSED]
    assert _copy(folder) == project(task(1, "theirs"))


@pytest.mark.parametrize("memory", ["", "[]", '{"atlas.xml": 3}', '{"atlas.xml": [{"copy": 1}]}', "not json"])
def test_a_lost_memory_is_made_good_where_the_copy_is_what_we_would_write(folder: Folder, memory: str) -> None:
    folder.export(XML, project(task(1)))
    folder.apply(XML, u1=["a"])
    folder.copy(copies.MEMORY).write_text(memory)
    assert [result.outcome for result in folder.apply(XML, u1=["b"])] == [REFUSED]
    assert [result.outcome for result in folder.apply(XML, u1=["a"])] == [UNCHANGED]
    assert [result.outcome for result in folder.apply(XML, u1=["b"])] == [DONE]


@pytest.mark.parametrize("first", [True, False])
def test_killed_between_memory_and_copy_the_next_run_finishes(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    folder.export(XML, project(task(1)))
    if not first:
        folder.apply(XML, u1=["old"])
        folder.export(XML, project(task(1, "Renamed")))
    real = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if target.name == XML:
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            folder.apply(XML, u1=["new"])
    assert folder.pull(XML)[-1].copy_outdated
    assert folder.items(XML)["atlas-1"].labels == ()
    assert [result.outcome for result in folder.apply(XML, u1=["new"])] == [DONE]
    assert folder.items(XML)["atlas-1"].labels == ("new",)
    assert sorted(path.name for path in folder.copy(XML).parent.iterdir()) == [copies.MEMORY, XML]


def test_an_input_that_changed_since_the_pull_is_stale(folder: Folder) -> None:
    folder.export(XML, project(task(1)))
    connector, collection = folder.open(), Collection(XML, XML)
    list(connector.pull(collection, None))
    folder.export(XML, project(task(1, "Renamed")))
    (result,) = connector.apply(collection, [LabelChange(ItemRef("plan", f"{XML}#1"), add=("a",))])
    assert result.outcome is STALE
    assert not folder.copy(XML).exists()


@pytest.mark.parametrize("ref", ["atlas.xml#9", "atlas.xml#0x", "atlas.xml", "other.xml#1", "atlas.xml#²"])
def test_an_item_that_is_not_there_is_gone(folder: Folder, ref: str) -> None:
    folder.export(XML, project(task(1)))
    (result,) = folder.open().apply(Collection(XML, XML), [LabelChange(ItemRef("plan", ref), add=("a",))])
    assert result.outcome is GONE


def test_a_run_that_may_not_write_writes_nothing(folder: Folder) -> None:
    folder.export(XML, project(task(1)))
    connector = folder.open(writable=False)
    with pytest.raises(UnsafeError, match="may not write"):
        list(connector.apply(Collection(XML, XML), []))
    assert not folder.copy(XML).parent.exists()


def test_a_link_in_place_of_the_copy_is_refused(folder: Folder, tmp_path: Path) -> None:
    folder.export(XML, project(task(1)))
    (tmp_path / "elsewhere").mkdir()
    folder.copy(XML).parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeError, match="link"):
        folder.apply(XML, u1=["a"])
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_full_disk_leaves_the_old_copy_and_no_rubbish(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.export(XML, project(task(1)))
    folder.apply(XML, u1=["a"])
    before = _copy(folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _no_permission)
        with pytest.raises(AccessError, match=r"no permission for labelled/atlas\.xml"):
            folder.apply(XML, u1=["b"])
    assert _copy(folder) == before
    assert sorted(path.name for path in folder.copy(XML).parent.iterdir()) == [copies.MEMORY, XML]
    assert [result.outcome for result in folder.apply(XML, u1=["b"])] == [DONE]


def _no_permission(_: int) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_half_written_file_of_a_killed_run_is_no_hindrance(folder: Folder) -> None:
    folder.export(XML, project(task(1)))
    folder.copy(XML).parent.mkdir()
    (folder.copy(XML).parent / f".{XML}.part").write_text("half")
    assert [result.outcome for result in folder.apply(XML, u1=["a"])] == [DONE]
    assert files.hash_file(folder.copy(XML), XML)
