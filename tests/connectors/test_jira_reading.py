"""What becomes of Jira's JSON: fields of every kind, documents, cursors, conditions, and issues that are none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import SourceSetup
from connectors.errors import SetupError
from connectors.jira import JiraConnector
from connectors.jira.adf import document, plain
from connectors.jira.cursor import Mark, packed, read, unpacked
from connectors.jira.history import Statuses, parse_moves
from connectors.jira.parse import Reading, chosen_field, parse_issue, parse_statuses, parse_text, text
from connectors.jira.visit import vetted
from connectors.model import Cursor, ItemRef, StatusCategory, WorkItem

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


def reading(**fields: str) -> Reading:
    return Reading(
        "delivery",
        "https://example.atlassian.net",
        ZoneInfo("Europe/Berlin"),
        Statuses({}, {}, {}),
        "last",
        {name: (field_id,) for name, field_id in fields.items()},
        ("customfield_10014",),
        {"APP-9": "10009"},
    )


def issue(**fields: Any) -> dict[str, Any]:
    status = {"id": "3", "name": "In Progress", "statusCategory": {"key": "indeterminate"}}
    usual = {
        "summary": "Faster checkout",
        "status": status,
        "project": {"id": "10000", "key": "APP", "name": "The app"},
        "created": "2026-03-01T10:00:00.000+0100",
        "updated": "2026-03-02T10:00:00.000+0100",
    }
    own = {name: value for name, value in (usual | fields).items() if value is not ...}
    return {"id": "10001", "key": "APP-1", "fields": own}


def parsed(given: Mapping[str, Any], **fields: str) -> WorkItem:
    return parse_issue(given, [], reading(**fields))[0]


def test_an_issue_is_a_work_item() -> None:
    found = parsed(
        issue(
            labels=["zebra", "ant", "ant"],
            duedate="2026-06-30",
            assignee={"displayName": "Ada", "accountId": "5b"},
            priority=None,
            issuetype={"name": "Story"},
            parent={"id": "10007", "key": "APP-7"},
            description=document("First line\n\nlast line"),
        )
    )
    assert (found.ref, found.key, found.collection) == (ItemRef("delivery", "10001"), "APP-1", "10000")
    assert found.url == "https://example.atlassian.net/browse/APP-1"
    assert (found.title, found.type, found.project, found.priority) == ("Faster checkout", "Story", "The app", None)
    assert (found.status, found.status_id, found.status_category) == ("In Progress", "3", StatusCategory.IN_PROGRESS)
    assert found.status_since == found.created_at == found.started_at == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert found.due_at == datetime(2026, 6, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert (found.labels, found.assignees, found.owner) == (("ant", "zebra"), ("Ada",), "Ada")
    assert found.parent_ref == ItemRef("delivery", "10007")
    assert found.description == "First line\nlast line"
    assert found.unknown >= {"sponsor", "outcome_metric"}


def test_an_epic_link_leads_to_the_epic_where_there_is_no_parent() -> None:
    assert parsed(issue(customfield_10014="APP-9")).parent_ref == ItemRef("delivery", "10009")
    assert parsed(issue(customfield_10014="APP-8")).parent_ref is None
    assert parsed(issue(customfield_10014="APP-9", parent={"id": "5"})).parent_ref == ItemRef("delivery", "5")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        ("", ""),
        ("  Calls \n", "Calls"),
        (7, "7"),
        (7.0, "7"),
        (7.5, "7.5"),
        (True, "Yes"),
        ({"value": "Grow"}, "Grow"),
        ({"value": "Grow", "child": {"value": "Retail"}}, "Grow - Retail"),
        ({"displayName": "Ada", "accountId": "5b"}, "Ada"),
        ([{"name": "1.0"}, {"name": "2.0"}], "1.0, 2.0"),
        (document("a\nb"), "a\nb"),
        ("a\x00b\ud800", "a\ufffdb\ufffd"),
    ],
)
def test_fields_of_any_kind_are_text(value: object, shown: str | None) -> None:
    assert parse_text(value) == shown


def test_a_field_that_is_not_there_is_unknown_and_an_empty_one_is_empty() -> None:
    mapped = {"sponsor": "customfield_1", "outcome_metric": "customfield_2", "Cost centre": "customfield_3"}
    found = parsed(issue(customfield_1=None, customfield_3=None), **mapped)
    assert (found.sponsor, dict(found.fields)) == (None, {"Cost centre": ""})
    assert found.unknown & mapped.keys() == {"outcome_metric"}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("sponsor", {"hasEpicLinkFieldDependency": False, "nonEditableReason": {"reason": "PLUGIN_LICENSE_ERROR"}}),
        ("percent_complete", "most of it"),
        ("percent_complete", 120),
        ("outcome_reviewed_at", "last week"),
        ("Cost centre", {"self": "https://example.atlassian.net"}),
    ],
)
def test_what_nobody_can_read_is_unknown_and_the_issue_stays(column: str, value: object) -> None:
    assert column in parsed(issue(customfield_1=value), **{column: "customfield_1"}).unknown


def test_mapped_columns_have_their_kinds() -> None:
    found = parsed(
        issue(customfield_1="2026-03-05", customfield_2="45 %", customfield_3=[{"displayName": "Ada"}, None]),
        outcome_reviewed_at="customfield_1",
        percent_complete="customfield_2",
        assignees="customfield_3",
    )
    assert found.outcome_reviewed_at == datetime(2026, 3, 5, tzinfo=ZoneInfo("Europe/Berlin"))
    assert (found.percent_complete, found.assignees) == (45.0, ("Ada",))


@pytest.mark.parametrize("gone", ["summary", "status", "project"])
def test_an_issue_without_what_every_issue_has_is_none(gone: str) -> None:
    for value in (..., None, "x") if gone != "summary" else (...,):
        with pytest.raises((KeyError, ValueError, TypeError)):
            parsed(issue(**{gone: value}))


def test_a_long_and_hostile_title_arrives() -> None:
    assert len(parsed(issue(summary="x" * 40_000)).title) == 40_000
    assert parsed(issue(summary="\x1b[31mred\x07")).title == "\ufffd[31mred\ufffd"


@given(st.text())
def test_text_is_stripped_and_can_be_stored(value: str) -> None:
    found = text(value) or ""
    assert found == found.strip()
    found.encode("utf-8")
    assert "\x00" not in found


# Documents


def test_a_document_is_what_people_read() -> None:
    cells = ([{"type": "paragraph", "content": [{"type": "text", "text": word}]}] for word in "ab")
    rows = [{"type": "tableCell", "content": cell} for cell in cells]
    content = [
        {"type": "heading", "content": [{"type": "text", "text": "Outcome: "}, {"type": "text", "text": "calls"}]},
        {"type": "bulletList", "content": [{"type": "listItem", "content": [{"type": "paragraph", "content": [
            {"type": "mention", "attrs": {"id": "5b", "text": "@Ada"}}, {"type": "hardBreak"},
            {"type": "inlineCard", "attrs": {"url": "https://example.com"}}]}]}]},
        {"type": "table", "content": [{"type": "tableRow", "content": rows}]},
        {"type": "mystery"}, {"type": "rule"}, "nonsense",
    ]  # fmt: skip
    assert plain({"type": "doc", "version": 1, "content": content}) == "Outcome: calls\n@Ada\nhttps://example.com\na\nb"


def test_an_empty_document_is_empty_and_a_bottomless_one_is_none() -> None:
    assert plain({"type": "doc", "version": 1, "content": []}) == ""
    deep: dict[str, Any] = {"type": "text", "text": "x"}
    for _ in range(200):
        deep = {"type": "paragraph", "content": [deep]}
    with pytest.raises(ValueError, match="deep"):
        plain({"type": "doc", "content": [deep]})


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1)))
def test_text_becomes_a_document_and_comes_back(lines: list[str]) -> None:
    assert plain(document("\n".join(lines))).split("\n") == (lines or [""])


# Cursors


IDS = st.lists(st.integers(1, 10**12), unique=True)


@given(IDS, st.none() | st.integers(0, 10**12), st.integers(0, 4 * 10**12), st.integers(0, 4 * 10**12))
def test_a_cursor_comes_back(ids: list[int], after: int | None, since: int, swept: int) -> None:
    mark = Mark(
        datetime.fromtimestamp(since / 1000, UTC), datetime.fromtimestamp(swept / 1000, UTC), packed(ids), after
    )
    assert read(mark.cursor()) == mark
    assert unpacked(mark.ids) == sorted(ids)


def test_a_cursor_of_ten_thousand_issues_is_short() -> None:
    assert len(packed(range(10_000, 40_000, 3))) < 1_000
    assert len(packed(number * number for number in range(10_000))) < 30_000


@pytest.mark.parametrize(
    "value", ["", "7", "{}", '{"form": 0}', '{"form": 1, "since": 1, "swept": 1, "ids": "~"}', "[]"]
)
def test_a_cursor_of_another_kind_is_none(value: str) -> None:
    assert read(Cursor(value)) is None


# Config


FIELDS: list[dict[str, Any]] = [
    {"id": "customfield_1", "name": "Success metric"},
    {"id": "customfield_2", "name": "Sponsor"},
    {"id": "customfield_3", "name": "Sponsor"},
    {"id": "customfield_4", "name": "Team", "scope": {"type": "PROJECT", "project": {"id": "1"}}},
    {"id": "customfield_5", "name": "Team", "scope": {"type": "PROJECT", "project": {"id": "2"}}},
    {"id": "customfield_6", "name": "Priorität", "untranslatedName": "Urgency"},
]


def test_fields_are_found_by_id_and_by_name() -> None:
    assert chosen_field("x", "success METRIC", FIELDS) == ("customfield_1",)
    assert chosen_field("x", "customfield_3", FIELDS) == ("customfield_3",)
    assert chosen_field("x", "Team", FIELDS) == ("customfield_4", "customfield_5")
    assert chosen_field("x", "Urgency", FIELDS) == ("customfield_6",)


def test_a_name_of_two_fields_or_of_none_is_a_mistake() -> None:
    with pytest.raises(SetupError, match="customfield_2 or customfield_3"):
        chosen_field("sponsor", "Sponsor", FIELDS)
    with pytest.raises(SetupError, match="no field"):
        chosen_field("sponsor", "Patron", FIELDS)


@pytest.mark.parametrize(
    "jql", ["", "issuetype != Sub-task", 'summary ~ "order by"', "(a = 1) or (b = 2)", "a = ')('", r'a = "\")"']
)
def test_conditions_that_can_stand_among_ours(jql: str) -> None:
    assert vetted("jql", jql) == jql


@pytest.mark.parametrize(
    "jql", ["a = 1 ORDER BY key", "a = 1) or (b = 2", "a = 'x", "(a = 1", "a in (1) order  by key", '"a" order\nby b']
)
def test_conditions_that_break_out_are_refused(jql: str) -> None:
    with pytest.raises(SetupError):
        vetted("jql", jql)


@pytest.mark.parametrize(
    ("options", "fields", "said"),
    [
        ({"clock": "middle"}, {}, "clock"),
        ({"page_size": 0}, {}, "page_size"),
        ({"page_size": 101}, {}, "page_size"),
        ({"overlap": -1}, {}, "overlap"),
        ({"email": "a@example.com", "user": "a"}, {}, "both"),
        ({}, {"status": "Team status"}, "status"),
        ({}, {"labels": "Tags"}, "labels"),
    ],
)
def test_options_that_cannot_be_right_are_refused(options: dict[str, Any], fields: dict[str, str], said: str) -> None:
    with pytest.raises(SetupError, match=said):
        JiraConnector(SourceSetup("x", {"base_url": "https://x.example", "token": "t", **options}, fields=fields))


# Recorded issues


@pytest.mark.parametrize("name", ["devlake", "jirametrics"])
def test_recorded_issues_are_read_whole(samples: Path, name: str) -> None:
    folder = samples / "jira"
    issues = json.loads((folder / f"{name}_issues_with_changelog_cloud.json").read_text("utf-8"))
    statuses = parse_statuses(json.loads((folder / f"{name}_statuses_cloud.json").read_text("utf-8")), {})
    how = Reading("delivery", "https://x.example", UTC, statuses, "last")
    for one in issues:
        item, moves = parse_issue(one, parse_moves(one["changelog"]["histories"]), how)
        assert item.status_category, item.key
        assert item.created_at
        assert item.status_since
        assert [move.at for move in moves] == sorted(move.at for move in moves)
        assert item.status_since - item.created_at >= timedelta(0)
