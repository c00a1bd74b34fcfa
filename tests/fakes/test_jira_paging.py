"""However the stand-in for Jira cuts its pages, and whatever is edited between two, Cloud loses nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.fakes.jira.asking import Ask
from connectors.fakes.jira.jql import parse
from connectors.fakes.jira.matching import Reader
from connectors.fakes.jira.refusals import RefusalError
from connectors.fakes.jira.searching import Search
from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import US
from connectors.fakes.server import Request

WORDS = ["project", "APP", "=", "!=", "in", "not", "(", ")", ",", "and", "or", "order", "by", "key", "desc", "empty"]
WORDS += ["is", "updated", ">=", "-1d", "0", "'2026-01-01'", "labels", "status", "~", '"', "now()", "cf[1]", "\\", "!"]
WORDS += ["99999999999999999999", "-99999999999w", "created", "parent", "currentUser()", "due"]


def some_site(issues: int) -> Site:
    site = Site(cloud=True)
    site.new_project("APP", "The app")
    for number in range(issues):
        site.new_issue("APP", f"Item {number}")
    return site


def ask(body: object) -> Ask:
    headers = {"Content-Type": "application/json"}
    return Ask(Request("POST", "/rest/api/3/search/jql", headers, json.dumps(body).encode()), "3", "", "", US)


@given(
    order=st.sampled_from(["id", "key DESC", "updated", "updated DESC, id", "status, updated", "summary"]),
    sizes=st.lists(st.integers(0, 4), max_size=6),
    edited=st.lists(st.integers(0, 8), max_size=6),
)
def test_what_stays_as_it_is_comes_once(order: str, sizes: list[int], edited: list[int]) -> None:
    """An issue that is edited on the way may come again or, in an order that goes back in time, not at all."""
    site = some_site(9)
    site.quirks.page_cap, site.quirks.short_pages = 2, list(sizes)
    search, ids, to_edit = Search(site), [*site.issues], list(edited)
    wish: dict[str, Any] = {"jql": f"project = APP ORDER BY {order}"}
    wish["fields"] = ["summary"]
    came: Counter[str] = Counter()
    while wish.get("nextPageToken", "") is not None:
        answer = json.loads(search.by_token(ask(wish)).to_bytes())
        came.update(issue["id"] for issue in answer["issues"])
        wish["nextPageToken"] = answer.get("nextPageToken")
        if to_edit:
            site.retitle(ids[to_edit.pop()], "Edited")
    untouched = {*ids} - {ids[number] for number in edited}
    assert {issue: came[issue] for issue in untouched} == dict.fromkeys(untouched, 1)


@given(moves=st.lists(st.integers(0, 3), max_size=12), most=st.integers(1, 5))
def test_histories_come_once_in_their_order(moves: Sequence[int], most: int) -> None:
    site = some_site(4)
    ids = [*site.issues]
    for number in moves:
        now = site.issue(ids[number]).status["name"]
        site.transition(ids[number], "Done" if now == "To Do" else "To Do")
    search = Search(site)
    wish: dict[str, Any] = {"issueIdsOrKeys": ids, "fieldIds": ["status"], "maxResults": most}
    came: dict[str, list[int]] = {issue: [] for issue in ids}
    while wish.get("nextPageToken", "") is not None:
        answer = json.loads(search.changelogs(ask(wish)).to_bytes())
        assert sum(len(log["changeHistories"]) for log in answer["issueChangeLogs"]) <= most
        for log in answer["issueChangeLogs"]:
            came[log["issueId"]] += [int(history["id"]) for history in log["changeHistories"]]
        wish["nextPageToken"] = answer.get("nextPageToken")
    assert came == {issue: [history.id for history in site.issue(issue).histories] for issue in ids}


CLAUSES = st.tuples(st.sampled_from(WORDS), st.sampled_from(WORDS), st.sampled_from(WORDS)).map(" ".join)


@given(st.one_of(st.text(), st.lists(st.sampled_from(WORDS)).map(" ".join), st.lists(CLAUSES).map(" and ".join)))
def test_any_text_is_a_query_or_refused(text: str) -> None:
    site = some_site(2)
    with suppress(RefusalError):
        reader, query = Reader(site, US), parse(text)
        sorted(filter(reader.test(query), site.searchable()), key=reader.key(query))
