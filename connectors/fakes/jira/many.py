"""A site with as many issues as a benchmark wants, the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import (
    ADA,
    AUTOMATION,
    NO_VALUES,
    Field,
    History,
    Issue,
    Person,
    change_item,
    issue_type,
    status_json,
)

PEOPLE = [Person(f"5b10a2844c20165700ed{number:04}", f"Person {number}") for number in range(50)]
YEAR = 365 * 24 * 60
"""Minutes."""
UNUSED_FIELDS = 90
"""Custom fields that every issue has and hardly any fills in."""
A_SENTENCE = "As a customer I want to see where my order is, so that I do not have to call anybody. "


def many_issues(count: int, *, cloud: bool = True, projects: int = 5, seed: int = 1) -> Site:
    """Each with a history of 2 to 9 entries, most of them changes of status, all in the year before the site's now."""
    site, chance = Site(cloud=cloud, zone="Asia/Shanghai"), random.Random(seed)
    for number in range(projects):
        site.new_project(f"APP{number}", f"Application {number}")
    site.new_status("In Review", "indeterminate")
    metric, sponsor = site.new_field("Success metric"), site.new_field("Executive sponsor", "textfield")
    others = rest(site)
    keys = [*site.projects]
    epic: Issue | None = None
    for number in range(count):
        issue = one_of_many(site, keys[number % projects], chance, others)
        issue.fields |= outcome(chance, metric, sponsor)
        if number % 20 == 0:
            epic, issue.fields["issuetype"] = issue, issue_type("Epic", 1)
        elif epic is not None:
            issue.fields["parent"] = {"id": epic.id}
        site.issues[issue.id] = issue
    site.changes += 1
    return site


def one_of_many(site: Site, project: str, chance: random.Random, others: Mapping[str, Any]) -> Issue:
    created = site.now - timedelta(minutes=chance.randrange(60, YEAR))
    histories = list(moves(site, chance, site.now - created))
    last = histories[-1]
    status = site.statuses[last.items[0]["to"]] if last.items else next(iter(site.statuses.values()))
    fields: dict[str, Any] = {
        **NO_VALUES,
        **others,
        "summary": f"Show the order's state {chance.random()}",
        "description": A_SENTENCE * chance.randrange(1, 12),
        "status": status_json(status),
        "issuetype": issue_type("Story"),
        "labels": chance.sample(["customer", "backend", "frontend", "debt"], chance.randrange(3)),
        "assignee": chance.choice(PEOPLE),
        "reporter": chance.choice(PEOPLE),
        "creator": ADA,
        "priority": {"id": "3", "name": "Medium"},
    }
    return Issue(site.new_id(), site.projects[project].next_key(), project, created, last.at, fields, histories)


def moves(site: Site, chance: random.Random, age: timedelta) -> Iterator[History]:
    """Wandering between the statuses, with a change of title by an app now and then."""
    statuses = [*site.statuses.values()]
    here, count = statuses[0], chance.randrange(2, 10)
    for number in range(count):
        at = site.now - age * ((count - number) / (count + 1))
        there = chance.choice([one for one in statuses if one is not here])
        items = [change_item("status", "status", here.name, there.name) | {"from": here.id, "to": there.id}]
        author = chance.choice(PEOPLE)
        if number < count - 1 and chance.random() < 0.2:
            items, author, there = [change_item("summary", "summary", "Before", "After")], AUTOMATION, here
        yield History(int(site.new_id()), at, author, items)
        here = there


def rest(site: Site) -> dict[str, Any]:
    """What a real site's issue has beside what we ask for, and gives to those who name no fields.

    Recorded issues have 68 and 155 fields.
    """
    progress = {"progress": 0, "total": 0}
    place = "https://example.atlassian.net/rest/api/3/issue/APP-1"
    sprint, rank = site.new_field("Sprint", "gh-sprint"), site.new_field("Rank", "gh-lexo-rank")
    dates = {"startDate": "2026-01-12T00:38:51.882Z", "endDate": "2026-01-26T00:38:00.000Z"}
    return {
        "aggregateprogress": progress,
        "progress": progress,
        "votes": {"self": f"{place}/votes", "votes": 0, "hasVoted": False},
        "watches": {"self": f"{place}/watchers", "watchCount": 1, "isWatching": False},
        "worklog": {"startAt": 0, "maxResults": 20, "total": 0, "worklogs": []},
        "comment": {"comments": [], "self": f"{place}/comment", "maxResults": 0, "total": 0, "startAt": 0},
        "issuerestriction": {"issuerestrictions": {}, "shouldDisplay": True},
        "workratio": -1,
        **{key: [] for key in ("subtasks", "issuelinks", "attachment", "components", "fixVersions", "versions")},
        **dict.fromkeys(("timespent", "timeestimate", "timeoriginalestimate", "environment", "security")),
        sprint.id: [{"id": 7, "name": "Sprint 7", "state": "closed", "boardId": 8, "goal": "", **dates}],
        rank.id: "0|i000db:",
        **{site.new_field(f"Unused {number}", "textfield").id: None for number in range(UNUSED_FIELDS)},
    }


def outcome(chance: random.Random, metric: Field, sponsor: Field) -> dict[str, str | None]:
    """What the rules look for: there with most, absent or a placeholder with the others."""
    return {
        metric.id: chance.choice(["Calls per week from 400 to 100", "Calls per week", "tbd", None]),
        sponsor.id: chance.choice(["Grace Hopper", "Grace Hopper", None]),
    }
