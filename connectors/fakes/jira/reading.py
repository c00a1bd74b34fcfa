"""What else can be asked of a Jira: who we are, what we may do, and what there is."""

from __future__ import annotations

from collections.abc import Set

from connectors.fakes.jira.asking import Ask
from connectors.fakes.jira.refusals import RefusalError
from connectors.fakes.jira.searching import ALL_HISTORIES, Search
from connectors.fakes.jira.shapes import Shapes
from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import Issue, Project
from connectors.fakes.jira.writing import known
from connectors.fakes.server import Answer

INLINE_IN_ISSUE = 100
PROJECTS_ON_A_PAGE = 50
ISSUES_IN_BULK = 100

BROWSE = frozenset({"BROWSE_PROJECTS"})
ACTIONS = {
    "view": frozenset({"BROWSE_PROJECTS", "ADMINISTER_PROJECTS"}),
    "browse": BROWSE,
    "edit": frozenset({"ADMINISTER_PROJECTS"}),
}
"""What `action` of /project/search asks for: one of these permissions."""

PERMISSIONS = {
    "ADMINISTER": ("0", "GLOBAL", "Administer Jira"),
    "BULK_CHANGE": ("33", "GLOBAL", "Make bulk changes"),
    "BROWSE_PROJECTS": ("10", "PROJECT", "Browse Projects"),
    "EDIT_ISSUES": ("12", "PROJECT", "Edit Issues"),
    "ADD_COMMENTS": ("15", "PROJECT", "Add Comments"),
    "EDIT_OWN_COMMENTS": ("35", "PROJECT", "Edit Own Comments"),
    "ADMINISTER_PROJECTS": ("23", "PROJECT", "Administer Projects"),
}
"""By key: id, kind and English name."""


def server_info(site: Site, ask: Ask) -> Answer:
    """GET /serverInfo: anybody may know. `deploymentType` is Server for Data Center too."""
    known_of_cloud = {"version": "1001.0.0-SNAPSHOT", "versionNumbers": [1001, 0, 0], "buildNumber": 100_280}
    known_of_server = {"version": "9.12.7", "versionNumbers": [9, 12, 7], "buildNumber": 9_120_007}
    return Answer(
        json={
            "baseUrl": ask.site_url,
            **(known_of_cloud if site.cloud else known_of_server),
            "deploymentType": "Cloud" if site.cloud else "Server",
            "buildDate": "2026-01-15T00:00:00.000+0000",
            "serverTime": site.text(site.now),
            "scmInfo": "0" * 40,
            "serverTitle": "Jira",
        }
    )


def myself(site: Site, ask: Ask) -> Answer:
    """GET /myself: the one question that nobody gets no answer to."""
    user = known(ask)
    return Answer(json={**Shapes(site, ask).person(user), "emailAddress": user.email, "locale": "en_US"})


def fields(site: Site, ask: Ask) -> Answer:
    """GET /field: those that we can see."""
    shapes = Shapes(site, ask)
    seen = (field for field in site.fields.values() if field.visible and (ask.user or not field.custom))
    return Answer(json=[shapes.field(field) for field in seen])


def statuses(site: Site, ask: Ask) -> Answer:
    """GET /status."""
    shapes = Shapes(site, ask)
    return Answer(json=[shapes.status(status) for status in site.statuses.values()] if ask.user else [])


def browsable(site: Site, ask: Ask, permissions: Set[str] = BROWSE) -> list[Project]:
    """The projects in which we have one of these permissions, by key; by default those whose issues we can see."""
    seen = (project for project in site.projects.values() if ask.user and permissions & project.we_may)
    return sorted(seen, key=lambda project: project.key)


def project_page(site: Site, ask: Ask) -> Answer:
    """GET /project/search, of Cloud: without `action=browse` also projects that we administer but cannot see into.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-projects/#api-rest-api-3-project-search-get
    """
    keys, permissions = ask.texts("keys"), ACTIONS.get(ask.text("action", "view"))
    if permissions is None:
        raise RefusalError(400, "The action is none of view, browse and edit.")
    found = [project for project in browsable(site, ask, permissions) if not keys or project.key in keys]
    start, most = ask.number("startAt", 0), min(ask.number("maxResults", 50), PROJECTS_ON_A_PAGE)
    page = found[start : start + most]
    here = f"{ask.base}/rest/api/{ask.version}/project/search?maxResults={most}&startAt="
    is_last = start + len(page) >= len(found)
    return Answer(
        json={
            "self": f"{here}{start}",
            **({} if is_last else {"nextPage": f"{here}{start + most}"}),
            "maxResults": most,
            "startAt": start,
            "total": len(found),
            "isLast": is_last,
            "values": [Shapes(site, ask).project(project) for project in page],
        }
    )


def projects(site: Site, ask: Ask) -> Answer:
    """GET /project, of Data Center: all at once."""
    return Answer(json=[Shapes(site, ask).project(project) for project in browsable(site, ask)])


def my_permissions(site: Site, ask: Ask) -> Answer:
    """GET /mypermissions: without a project it says yes to what we may do in any project.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-permissions/#api-rest-api-3-mypermissions-get
    """
    keys = ask.texts("permissions") or ([] if site.cloud else [*PERMISSIONS])
    if not keys:
        raise RefusalError(400, "The 'permissions' query parameter is required.")
    for key in keys:
        if key not in PERMISSIONS:
            raise RefusalError(400, f"Unrecognized permission: {key}")
    asked = ask.text("projectKey") or ask.text("projectId")
    seen = [project for project in browsable(site, ask) if not asked or asked in (project.key, project.id)]
    if asked and not seen:
        raise RefusalError(404, f"No project could be found with key '{asked}'.")
    granted = {permission for project in seen for permission in project.we_may}
    return Answer(json={"permissions": {key: permission(key, have=key in granted) for key in keys}})


def permission(key: str, *, have: bool) -> dict[str, object]:
    number, kind, name = PERMISSIONS[key]
    return {"id": number, "key": key, "name": name, "type": kind, "description": "", "havePermission": have}


def labels(site: Site, _: Ask) -> Answer:
    """GET /label, of Cloud: every label on the site."""
    found = sorted({label for issue in site.issues.values() for label in issue.labels})
    return Answer(json={"startAt": 0, "maxResults": 1_000, "total": len(found), "isLast": True, "values": found})


def one_issue(site: Site, ask: Ask, issue: Issue) -> Answer:
    """GET /issue/{id}, also by a key from before a move."""
    most = INLINE_IN_ISSUE if site.cloud else ALL_HISTORIES
    wanted = ask.texts("fields") or ["*all"]
    histories = most if "changelog" in ask.texts("expand") else 0
    properties = ask.texts("properties")
    return Answer(json=Shapes(site, ask).issue(issue, wanted, histories=histories, properties=properties))


def issue_changelog(site: Site, ask: Ask, issue: Issue) -> Answer:
    """GET /issue/{id}/changelog, of Cloud: the oldest first."""
    shapes, ordered = Shapes(site, ask), sorted(issue.histories, key=lambda one: (one.at, one.id))
    start, most = ask.number("startAt", 0), min(ask.number("maxResults", 100), INLINE_IN_ISSUE)
    page = ordered[start : start + most]
    return Answer(
        json={
            "startAt": start,
            "maxResults": most,
            "total": len(ordered),
            "isLast": start + len(page) >= len(ordered),
            "values": [shapes.history(one, site.text(one.at), one.items) for one in page],
        }
    )


def web_links(_: Site, ask: Ask, issue: Issue) -> Answer:
    """GET /issue/{id}/remotelink: links of one issue that lead out of this Jira, all at once.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-remote-links/
    """
    here = f"{ask.base}/rest/api/{ask.version}/issue/{issue.key}/remotelink"
    return Answer(json=[{"self": f"{here}/{one['id']}", **one} for one in issue.web_links])


def issues_in_bulk(site: Site, search: Search, ask: Ask) -> Answer:
    """POST /issue/bulkfetch, of Cloud: what is not there comes under `issueErrors`.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-bulkfetch-post
    """
    body = ask.members(issueIdsOrKeys=list, fields=list, expand=list, properties=list, fieldsByKeys=bool)
    wanted = [str(one) for one in body.get("issueIdsOrKeys", [])]
    if not wanted or len(wanted) > ISSUES_IN_BULK:
        raise RefusalError(400, f"You may only fetch from 1 to {ISSUES_IN_BULK} issues at a time.")
    found = search.known(ask, wanted)
    there = {name for one in found for name in (one.id, one.key)}
    there |= {key for key, issue_id in site.former_keys.items() if issue_id in there}
    shapes, fields_wanted = Shapes(site, ask), body.get("fields") or ["*navigable"]
    histories = INLINE_IN_ISSUE if "changelog" in body.get("expand", []) else 0
    return Answer(
        json={
            "issues": [shapes.issue(one, fields_wanted, histories=histories) for one in found],
            "issueErrors": [
                {"id": one, "errorMessage": "Issue does not exist or you do not have permission to see it."}
                for one in wanted
                if one not in there
            ],
        }
    )
