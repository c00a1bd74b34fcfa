"""Saying why beside the labels, where config asks for it: in one comment of ours, and in a property of the issue.

Both go before the labels that they explain. A run that is killed in between finds the same change to be made, finds
the comment by its mark, and writes no second one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress

from connectors.errors import AccessError, GoneError, SetupError
from connectors.jira.adf import document
from connectors.jira.site import Json, Project
from connectors.jira.visit import Visit

KEY = "unstuck"
"""Of the issue's property, and of the property by which our comment is known."""
COMMENTS = 100
"""On a page; Cloud gives no more."""
LONGEST = 300
"""Characters of a reason: a property holds 32,768 in all."""
HEADING = "Why this issue has its labels:"
SETTLED = "What was said here is settled, and the labels are off."

Reasons = Mapping[str, str]
"""Labels of ours that an issue carries, and why. Empty where nothing is left to say."""


class Teller:
    """Tells the reasons in the issues of one project."""

    def __init__(self, visit: Visit, project: Project, put: Callable[[str, Json], None]) -> None:
        """`put` sends a PUT without mail to those who watch, where we may."""
        self.visit, self.site, self.project, self._put = visit, visit.site, project, put
        self._comments = visit.wishes.comment

    def tell(self, issue_id: str, reasons: Reasons | None) -> tuple[Json, str]:
        """What the edit of the labels is to carry along, and a sentence if no comment could be written."""
        if reasons is None:
            return {}, ""
        told = {"labels": {label: shortened(why) for label, why in reasons.items()}}
        problem = self._comment(issue_id, told)
        if not self.visit.wishes.property:
            return {}, problem
        if not reasons:
            with suppress(GoneError):  # it is not there, or the issue is not, as the edit will find
                self.site.answer("DELETE", f"issue/{issue_id}/properties/{KEY}")
            return {}, problem
        return {"properties": [{"key": KEY, "value": told}]}, problem

    def _comment(self, issue_id: str, told: Json) -> str:
        """Labels are not held up by comments that we may not write; that is said once for a project."""
        if not self._comments:
            return ""
        try:
            self._say(issue_id, told)
        except (AccessError, SetupError) as error:
            self._comments = False
            return f"no comment could be written in {self.project.name}, the labels were: {error}"
        return ""

    def _say(self, issue_id: str, told: Json) -> None:
        """Write our comment, or rewrite it, unless it says so already.

        Jira has no quiet way to make a comment, only to change one:
        https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/
        """
        ours = self._ours(issue_id)
        text = spoken(told["labels"])
        body = {
            "body": document(text) if self.site.is_cloud else as_wiki(text),
            "properties": [{"key": KEY, "value": told}],
        }
        if ours is None:
            if told["labels"]:
                self.site.post(f"issue/{issue_id}/comment", body)
        elif ours[1] != told:
            self._put(f"issue/{issue_id}/comment/{ours[0]}", body)

    def _ours(self, issue_id: str) -> tuple[str, object] | None:
        """The id of our comment, and what its mark says. Only comments by our account are asked for it."""
        start = 0
        while True:
            page = self.site.mapping(self.site.get(f"issue/{issue_id}/comment", startAt=start, maxResults=COMMENTS))
            comments = self.site.entries(page.get("comments"))
            for comment in filter(self._is_by_us, comments):
                with suppress(GoneError):
                    mark = self.site.get(f"comment/{comment['id']}/properties/{KEY}")
                    return str(comment["id"]), self.site.mapping(mark).get("value")
            start += len(comments)
            if not comments or start >= int(page.get("total") or 0):
                return None

    def _is_by_us(self, comment: Json) -> bool:
        me, author = self.visit.entered[0], comment.get("author")
        which = "accountId" if self.site.is_cloud else "name"
        return isinstance(author, Mapping) and author.get(which) == me.get(which)


def shortened(why: str) -> str:
    return why if len(why) <= LONGEST else f"{why[: LONGEST - 1]}…"


def spoken(reasons: Reasons) -> str:
    """What our comment says, a line for each label."""
    lines = [f"{label}: {' '.join(why.split())}" for label, why in reasons.items()]
    return "\n".join([HEADING, *lines]) if lines else SETTLED


def as_wiki(text: str) -> str:
    """Text of which Data Center makes no markup: no links, macros, images, and nobody who is mentioned.

    https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa?section=all
    """
    return re.sub(r"[\[\]{}!*_|^~+?]", r"\\\g<0>", text.replace("\\", "&#92;"))
