"""The table of Project's custom fields, and how configured names find them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.msproject.fields import (
    LOCAL,
    TEXT_FIELDS,
    Definition,
    Field,
    Kind,
    find_field,
    parse_definitions,
    secondary_pid,
)
from tests.fakes.msproject import TEXT1, TEXT30


def test_the_table_agrees_with_the_vendors_numbers(samples: Path) -> None:
    listed = json.loads((samples.parent / "specs/msproject/mspdi_field_ids.json").read_text())["task"]
    assert {field_id: name for field_id, (name, _) in LOCAL.items()} == {
        field_id: listed[str(field_id)]["name"] for field_id in LOCAL
    }
    assert len(LOCAL) == 30 + 10 + 10 + 20 + 20 + 10 + 10 + 10 + 10


def test_secondary_pids_agree_with_recorded_definitions(samples: Path) -> None:
    recorded = json.loads((samples.parent / "specs/msproject/mspdi_extendedattribute_defs.json").read_text())
    for field_id in TEXT_FIELDS:
        assert str(secondary_pid(field_id)) == recorded["field_defs"][str(field_id)]["SecondaryPID"]


def _define(field_id: int, name: str = "", alias: str = "", kind: Kind = Kind.TEXT) -> Definition:
    return Definition(field_id, name, alias, kind, restricted=False, choices={})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Text12", Field(Kind.TEXT, custom=188743998)),
        ("outline code 3", Field(Kind.TEXT, custom=188744100)),
        ("188743767", Field(Kind.NUMBER, custom=188743767)),
        ("Cost2", Field(Kind.COST, custom=188743787)),
        ("% Complete", Field(Kind.NUMBER, element="PercentComplete")),
        ("Percent Complete", Field(Kind.NUMBER, element="PercentComplete")),
        ("WBS", Field(Kind.TEXT, element="WBS")),
        ("Baseline Start", Field(Kind.DATE, element="Start", baseline="0")),
        ("Baseline3 Finish", Field(Kind.DATE, element="Finish", baseline="3")),
        ("Baseline10 Cost", Field(Kind.COST, element="Cost", baseline="10")),
        ("Baseline11 Cost", None),
        ("Sponsor", None),
        ("", None),
    ],
)
def test_a_name_without_definitions(name: str, expected: Field | None) -> None:
    assert find_field(name, []) == expected


def test_an_alias_comes_before_a_name_of_projects_own() -> None:
    definitions = [_define(TEXT1, "Text1", "Deadline"), _define(TEXT30, "Text30", "Sponsor")]
    assert find_field("deadline", definitions) == Field(Kind.TEXT, custom=TEXT1)
    assert find_field("Sponsor", definitions) == Field(Kind.TEXT, custom=TEXT30)


def test_an_enterprise_field_is_found_by_its_name_and_has_the_kind_that_the_file_says() -> None:
    records = [{"FieldID": "188776449", "FieldName": "Benefit", "CFType": "0"}]
    assert find_field("Benefit", parse_definitions(records)) == Field(Kind.COST, custom=188776449)


def test_fields_of_resources_are_not_taken_for_fields_of_tasks() -> None:
    assert parse_definitions([{"FieldID": "205520904", "FieldName": "Text1", "Alias": "Labels"}]) == []
