"""The stand-in for Jira understands JQL as Jira does, and refuses what Jira refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.fakes.jira.jql import Clause, Value, parse
from connectors.fakes.jira.matching import Reader
from connectors.fakes.jira.refusals import RefusalError
from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import US, Issue, Person, issue_type

START = datetime(2026, 3, 20, 12, tzinfo=UTC)


def some_site() -> Site:
    """APP-1 to APP-3 in three statuses, and OPS-1, an epic above APP-2 and without an assignee."""
    site = Site(cloud=True, zone="Asia/Shanghai", now=START)
    site.new_project("APP", "The app")
    site.new_project("OPS", "Operations")
    metric = site.new_field("Success metric")
    for number in range(3):
        made = site.new_issue("APP", f"Item {number}", assignee=US)
        site.spoil(made.id, **{metric.id: "calls" if number else None})
    epic = site.new_issue("OPS", "The epic", issuetype=issue_type("Epic", 1), duedate="2026-03-01")
    site.spoil("APP-2", parent={"id": epic.id})
    site.transition("APP-2", "In Progress")
    site.transition("APP-3", "Done")
    site.label("APP-3", add=["pmo-stuck", "Other"])
    return site


def keys(site: Site, jql: str, user: Person = US) -> list[str]:
    """Keys of the issues that a query finds, in its order."""
    query = parse(jql)
    reader = Reader(site, user)
    test, key = reader.test(query), reader.key(query)
    return [issue.key for issue in sorted(filter(test, site.searchable()), key=key)]


@pytest.mark.parametrize(
    ("jql", "found"),
    [
        ("project = APP ORDER BY key", "APP-1 APP-2 APP-3"),
        ("project = APP ORDER BY key DESC", "APP-3 APP-2 APP-1"),
        ("project = app", "APP-3 APP-2 APP-1"),
        ('project = "The app" ORDER BY id', "APP-1 APP-2 APP-3"),
        ("project in (APP, OPS) order by project desc, key asc", "OPS-1 APP-1 APP-2 APP-3"),
        ("project != OPS ORDER BY key", "APP-1 APP-2 APP-3"),
        ('status = "In Progress"', "APP-2"),
        ("statusCategory != Done ORDER BY key", "APP-1 APP-2 OPS-1"),
        ("statusCategory = 'In Progress'", "APP-2"),
        ("labels = pmo-stuck", "APP-3"),
        ("labels = PMO-STUCK", ""),
        ("labels is EMPTY ORDER BY key", "APP-1 APP-2 OPS-1"),
        ("labels != Other", ""),
        ("labels in (Other, absent)", "APP-3"),
        ("labels is not EMPTY", "APP-3"),
        ("issuetype = epic", "OPS-1"),
        ("parent = OPS-1", "APP-2"),
        ("assignee = currentUser() ORDER BY key", "APP-1 APP-2 APP-3"),
        ("assignee = EMPTY", "OPS-1"),
        ("key in (APP-1, OPS-1) ORDER BY key", "APP-1 OPS-1"),
        ("due < '2026-03-02'", "OPS-1"),
        ("summary ~ epic", "OPS-1"),
        ("'Success metric' is EMPTY AND project = APP", "APP-1"),
        ("cf[10006] ~ calls ORDER BY key", "APP-2 APP-3"),
        ("NOT project = APP", "OPS-1"),
        ("!(project = APP) OR key = APP-1 ORDER BY key", "APP-1 OPS-1"),
        ("project = OPS OR project = APP AND status = Done ORDER BY key", "APP-3 OPS-1"),
        ("(project = OPS OR project = APP) AND status = Done", "APP-3"),
        ("updated >= -1m ORDER BY key", "APP-1 APP-2 APP-3 OPS-1"),
        ("updated <= -1m", ""),
        (r"summary ~ '\u0045pic'", "OPS-1"),
        ("updated in (now())", ""),
        ("updated in now() or key = APP-1", "APP-1"),
        ("parent is not EMPTY", "APP-2"),
        ("created <= now() AND updated >= 0 AND project = OPS", "OPS-1"),
    ],
)
def test_a_query_finds(jql: str, found: str) -> None:
    assert " ".join(keys(some_site(), jql)) == found


@pytest.mark.parametrize(
    ("jql", "why"),
    [
        ("projcet = APP", "Field 'projcet' does not exist"),
        ("project = NONE", "'none' does not exist for the field 'project'"),
        ("status = Nowhere", "'Nowhere' does not exist"),
        ("statusCategory = Somewhere", "does not exist"),
        ("issuetype = Nothing", "does not exist"),
        ("key = APP-99", "An issue with key 'APP-99' does not exist"),
        ("id in (99999)", "A value with ID '99999' does not exist"),
        ("project = APP ORDER BY projcet", "Field 'projcet' does not exist"),
        ("key is not EMPTY ORDER BY " + ", ".join(["id"] * 8), "at most 7 fields"),
        ("project = ORDER", "reserved"),
        ("project = a@b", "reserved"),
        ("project = 'APP", "does not end"),
        (r"summary ~ '\q'", "illegal JQL escape"),
        ("project APP", "expecting an operator"),
        ("project = APP status = Done", "expecting either 'OR' or 'AND'"),
        ("project = ", "not the end"),
        ("project = (APP)", "expecting a value"),
        ("project in APP", "expecting '('"),
        ("project in (APP", "expecting ')'"),
        ("project is APP", "cannot be used"),
        ("project = APP ORDER key", "expecting 'by'"),
        ("status > Done", "not supported"),
        ("summary = Item", "not supported"),
        ("labels ~ pmo", "not supported"),
        ("updated >= '2026-03-20 12:00:00'", "is invalid"),
        ("updated >= '2026-03-20T12:00'", "is invalid"),
        ("updated >= '1774008000000'", "is invalid"),
        ("updated >= EMPTY", "cannot be used"),
        ("updated >= 99999999999999999999", "is invalid"),
        ("updated >= -99999999999w", "is invalid"),
        ("assignee = someFunction(1, 'two')", "function"),
        (r"summary ~ '\ü'", "illegal JQL escape"),
        ("updated >= startOfTime()", "function"),
    ],
)
def test_what_jira_refuses_is_refused(jql: str, why: str) -> None:
    with pytest.raises(RefusalError) as refused:
        keys(some_site(), jql)
    assert refused.value.answer.status == 400
    assert why in refused.value.answer.json["errorMessages"][0]


def test_what_the_stand_in_does_not_know_is_no_answer() -> None:
    with pytest.raises(RefusalError) as refused:
        parse("status WAS Done")
    assert refused.value.answer.status == 501


def test_nobody_is_told_what_there_is() -> None:
    site = some_site()
    query = parse("project = NONE AND key = APP-99 AND status = Nowhere")
    assert not any(map(Reader(site, None, strict=False).test(query), site.searchable()))


ZONES = st.sampled_from(["UTC", "Asia/Shanghai", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Auckland"])


@given(zone=ZONES, seconds=st.integers(-5_000, 5_000))
def test_numbers_are_moments_and_quoted_times_are_the_users(zone: str, seconds: int) -> None:
    """The trap: the same moment as a quoted time reaches further back or less far, by the user's offset from UTC."""
    site = some_site()
    user = Person("u", "User", zone=zone)
    moment = START + timedelta(seconds=seconds)
    after = [issue.key for issue in site.issues.values() if issue.updated >= moment]
    assert keys(site, f"updated >= {int(moment.timestamp() * 1000)} ORDER BY id", user) == after
    minute = f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
    after_minute = [one.key for one in site.issues.values() if one.updated >= moment.replace(second=0, microsecond=0)]
    assert keys(site, f'updated >= "{minute}" ORDER BY id', user) == after_minute


@given(st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"])))
def test_any_text_can_be_quoted(text: str) -> None:
    quoted = "".join(f"\\u{ord(one):04x}" if ord(one) < 32 or one in '"\\' else one for one in text)
    assert parse(f'labels = "{quoted}"').condition == Clause("labels", "=", (Value(text, quoted=True),))


Made = tuple[str, Callable[[Issue], bool]]

CLAUSES: list[Made] = [
    ("project = APP", lambda issue: issue.project == "APP"),
    ("status = Done", lambda issue: issue.status["name"] == "Done"),
    ("labels is EMPTY", lambda issue: not issue.labels),
    ("key = APP-2", lambda issue: issue.key == "APP-2"),
    ("assignee is EMPTY", lambda issue: issue.fields["assignee"] is None),
]


def negated(made: Made) -> Made:
    return f"NOT ({made[0]})", lambda issue: not made[1](issue)


def both(one: Made, other: Made) -> Made:
    return f"({one[0]}) AND ({other[0]})", lambda issue: one[1](issue) and other[1](issue)


def either(one: Made, other: Made) -> Made:
    return f"({one[0]}) or ({other[0]})", lambda issue: one[1](issue) or other[1](issue)


CONDITIONS = st.recursive(
    st.sampled_from(CLAUSES),
    lambda inner: st.one_of(st.builds(negated, inner), st.builds(both, inner, inner), st.builds(either, inner, inner)),
    max_leaves=8,
)


@given(CONDITIONS)
def test_conditions_combine(made: Made) -> None:
    site = some_site()
    expected = [issue.key for issue in site.issues.values() if made[1](issue)]
    assert keys(site, f"{made[0]} ORDER BY id") == expected
