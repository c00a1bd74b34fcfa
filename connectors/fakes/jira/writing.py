"""What our account may write: labels, comments and entity properties. Every other write is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence, Set
from typing import Any

from connectors.fakes.jira.asking import BAD_PAYLOAD, Ask
from connectors.fakes.jira.refusals import RefusalError
from connectors.fakes.jira.searching import Search
from connectors.fakes.jira.shapes import Shapes
from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import Issue, Person
from connectors.fakes.server import Answer

LABEL_LENGTH = 255
"""Known to everybody, documented nowhere."""
PROPERTY_LENGTH = 32_768
COMMENTS_ON_A_PAGE = 100

NOT_QUIETLY = "To discard the user notification either admin or project admin permissions are required."
NOT_ON_SCREEN = "Field 'labels' cannot be set. It is not on the appropriate screen, or unknown."


def edit_issue(site: Site, ask: Ask, issue: Issue) -> Answer:
    """PUT /issue/{id}: checked whole before anything is written.

    Nobody measured what Data Center does with a quiet write that is not allowed; here it refuses like Cloud.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-put
    """
    body = ask.members(update=dict, fields=dict, properties=list, historyMetadata=dict)
    may = site.projects[issue.project].we_may
    quietly = is_quiet(ask, may)
    add, remove = label_changes(issue, body)
    if (add or remove) and ("EDIT_ISSUES" not in may or not site.projects[issue.project].labels_on_screen):
        raise RefusalError(400, labels=NOT_ON_SCREEN)
    properties = [(one["key"], checked_property(one["value"])) for one in body.get("properties", [])]
    before, user = site.changes, known(ask)
    site.label(issue.id, add=add, remove=remove, who=user)
    for key, value in properties:
        site.set_property(issue, user, key, value)
    if site.changes != before and not quietly:
        site.mailed.append(issue.id)
    if ask.flag("returnIssue", otherwise=False):
        return Answer(json=Shapes(site, ask).issue(issue, ["*all"]))
    return Answer(204)


def is_quiet(ask: Ask, may: Set[str]) -> bool:
    """Whether nobody is to get mail. Raises `RefusalError` where that is not for us to say."""
    quietly = not ask.flag("notifyUsers", otherwise=True)
    if quietly and "ADMINISTER_PROJECTS" not in may:
        raise RefusalError(403, NOT_QUIETLY)
    return quietly


def label_changes(issue: Issue, body: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Labels to add and to remove. Raises `RefusalError` for what Jira refuses, and for edits of anything else."""
    fields, update = body.get("fields", {}), body.get("update", {})
    for name in {*fields, *update} - {"labels"}:
        raise RefusalError(
            400, **{name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."}
        )
    if "labels" in fields and "labels" in update:
        raise RefusalError(400, labels="Field 'labels' cannot be in both 'fields' and 'update'.")
    operations = [{"set": fields["labels"]}] if "labels" in fields else update.get("labels", [])
    after = [*issue.labels]
    for operation in operations:
        after = after_operation(after, operation)
    add = [one for one in after if one not in issue.labels]
    for label in add:
        check_label(label)
    return add, [one for one in issue.labels if one not in after]


def after_operation(labels: Sequence[str], operation: Any) -> list[str]:
    if not isinstance(operation, dict) or len(operation) != 1:
        raise RefusalError(400, BAD_PAYLOAD)
    ((verb, value),) = operation.items()
    if verb == "set" and isinstance(value, list):
        return [str(one) for one in value]
    if verb not in ("add", "remove") or not isinstance(value, str):
        raise RefusalError(400, labels="data was not an array" if verb == "set" else f"Unsupported operation '{verb}'.")
    return [one for one in labels if one != value] + ([value] if verb == "add" else [])


def check_label(label: str) -> None:
    if not label or re.search(r"\s", label):
        raise RefusalError(400, labels=f"The label '{label}' contains spaces which is invalid.")
    if len(label) > LABEL_LENGTH:
        raise RefusalError(400, labels=f"The label '{label[:20]}…' exceeds the limit of {LABEL_LENGTH} characters.")


def comment(site: Site, ask: Ask, issue: Issue, comment_id: str | None = None) -> Answer:
    """POST /issue/{id}/comment, and PUT on one that is there: a document in version 3, text in version 2.

    Only a change can be quiet; nobody measured whether that takes the leave that a quiet edit takes. Here it does.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/
    """
    body = ask.members(body=object, properties=list, visibility=dict)
    may = site.projects[issue.project].we_may
    if ("EDIT_OWN_COMMENTS" if comment_id else "ADD_COMMENTS") not in may:
        raise RefusalError(403, "You do not have the permission to comment on this issue.")
    quietly = comment_id is not None and is_quiet(ask, may)
    text = body.get("body")
    is_document = isinstance(text, dict) and text.get("type") == "doc" and text.get("version") == 1
    if not (is_document if ask.version == "3" else isinstance(text, str) and text.strip()):
        raise RefusalError(400, comment="Comment body is not valid!")
    properties = {one["key"]: checked_property(one["value"]) for one in body.get("properties", [])}
    try:
        written = site.comment(issue, known(ask), text, comment_id, properties)
    except KeyError:
        raise RefusalError(404, f"Can not find a comment for the id: {comment_id}.") from None
    if not quietly:
        site.mailed.append(issue.id)
    return Answer(200 if comment_id else 201, Shapes(site, ask).comment(written))


def comments(site: Site, ask: Ask, issue: Issue) -> Answer:
    """GET /issue/{id}/comment."""
    shapes = [Shapes(site, ask).comment(one) for one in issue.comments]
    start, most = ask.number("startAt", 0), min(ask.number("maxResults", 100), COMMENTS_ON_A_PAGE)
    page = shapes[start : start + most]
    return Answer(json={"startAt": start, "maxResults": most, "total": len(shapes), "comments": page})


def comment_property(site: Site, search: Search, ask: Ask, comment_id: str, key: str) -> Answer:
    """GET /comment/{id}/properties/{key}.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comment-properties/
    """
    for issue in site.issues.values():
        for one in issue.comments:
            if one["id"] == comment_id and search.visible(ask, issue) and key in one["properties"]:
                return Answer(json={"key": key, "value": one["properties"][key]})
    raise RefusalError(404, f"The property with key '{key}' does not exist.")


def properties(site: Site, ask: Ask, issue: Issue, key: str) -> Answer:
    """GET, PUT and DELETE /issue/{id}/properties/{key}.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-properties/
    """
    was_there = key in issue.properties
    if ask.request.method == "PUT":
        require_edit(site, issue)
        site.set_property(issue, known(ask), key, checked_property(ask.body()))
        return Answer(200 if was_there else 201)
    if not was_there:
        raise RefusalError(404, f"The property with key '{key}' does not exist.")
    if ask.request.method == "DELETE":
        require_edit(site, issue)
        site.drop_property(issue, known(ask), key)
        return Answer(204)
    return Answer(json={"key": key, "value": issue.properties[key]})


def require_edit(site: Site, issue: Issue) -> None:
    if "EDIT_ISSUES" not in site.projects[issue.project].we_may:
        raise RefusalError(403, "You do not have permission to edit this issue.")


def checked_property(value: Any) -> Any:
    if len(json.dumps(value)) > PROPERTY_LENGTH:
        raise RefusalError(400, f"The property value is longer than {PROPERTY_LENGTH} characters.")
    return value


def known(ask: Ask) -> Person:
    """The writer. Raises `RefusalError` for somebody whom nobody knows."""
    if ask.user is None:
        raise RefusalError(401, "You are not authenticated. Authentication required to perform this operation.")
    return ask.user
