"""What `unstuck check --live` says of a Jira: who we are, what each project lets us do, and what config names."""

from __future__ import annotations

from collections.abc import Iterator, Set

from connectors.base import Notice
from connectors.errors import SetupError
from connectors.jira.parse import chosen_field
from connectors.jira.site import Project
from connectors.jira.visit import Visit

NEEDED = ("BROWSE_PROJECTS", "EDIT_ISSUES", "ADMINISTER_PROJECTS")
TO_COMMENT = ("ADD_COMMENTS", "EDIT_OWN_COMMENTS")


def notices(visit: Visit) -> Iterator[Notice]:
    me, _ = visit.entered
    yield from _of_the_site(visit)
    yield Notice("fine", f"we are {me.get('displayName') or me.get('name')} there")
    projects = sorted(visit.projects.values(), key=lambda project: project.key)
    if not projects:
        yield Notice("warning", "no project is shown to us; give our account leave to browse some")
    for project in projects:
        may = visit.site.may(project, *NEEDED, *(TO_COMMENT if visit.wishes.comment else ()))
        yield _of_a_project(project, may)
        if visit.wishes.comment and {"BROWSE_PROJECTS", "EDIT_ISSUES"} <= may:
            yield _of_its_comments(project, may)
    yield from _of_the_config(visit)


def _of_the_site(visit: Visit) -> Iterator[Notice]:
    info = visit.site.server_info()
    kind = "Cloud" if info.get("deploymentType") == "Cloud" else "Data Center"
    if (kind == "Cloud") != visit.site.is_cloud:
        what = "give email, and an API token" if kind == "Cloud" else "take email out, and give a personal access token"
        yield Notice("problem", f"this is Jira {kind}, and the config is for the other; {what}")
    else:
        yield Notice("fine", f"Jira {kind}, version {info.get('version')}")


def _of_a_project(project: Project, may: Set[str]) -> Notice:
    """Asked with the project's key: without one, Jira says yes to what we may do in any project."""
    if "BROWSE_PROJECTS" not in may:
        return Notice("problem", f"{project.key}: we may not see its issues; give our account leave to browse it")
    if "EDIT_ISSUES" not in may:
        return Notice("warning", f"{project.key}: we may read, and not put labels on; give our account leave to edit")
    if "ADMINISTER_PROJECTS" not in may:
        return Notice(
            "warning",
            f"{project.key}: who watches an issue gets mail when we label it; make our account its administrator "
            "if that is not wanted",
        )
    return Notice("fine", f"{project.key}: we may put labels on without mail to those who watch")


def _of_its_comments(project: Project, may: Set[str]) -> Notice:
    if may >= {*TO_COMMENT}:
        return Notice("fine", f"{project.key}: we may comment; who watches gets mail of the first comment on an issue")
    return Notice(
        "warning",
        f"{project.key}: we may not comment; give our account leave to add comments and to edit its own, or take "
        "comment out",
    )


def _of_the_config(visit: Visit) -> Iterator[Notice]:
    for column, name in sorted(visit.setup.fields.items()):
        try:
            ids = chosen_field(column, name, visit.known_fields)
        except SetupError as error:
            yield Notice("problem", str(error))
        else:
            yield Notice("fine", f'{column} comes from "{name}" ({", ".join(ids)})')
    known = {str(status.get(part)) for status in visit.site.statuses() for part in ("id", "name")}
    for status in sorted(visit.setup.statuses.keys() - known):
        yield Notice("problem", f'there is no status "{status}"; correct it under statuses')
    if visit.wishes.jql:
        found = sum(len(ids) for ids in visit.all_ids.values())
        yield Notice("fine" if found else "warning", f"{found} issues match jql")
    if visit.wishes.web_links:
        found = len(visit.linked_ids)
        cost = "each costs a request when it changed, and once in sweep_hours"
        yield Notice("fine" if found else "warning", f"{found} issues match web_links: {cost}")
