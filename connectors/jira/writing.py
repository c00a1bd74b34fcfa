"""Putting labels on issues and taking them off: what is there is read right before, and the write is a delta."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set

from connectors.base import ChangeResult, Outcome, exempted
from connectors.errors import AccessError, BusyError, ConnectorError, GoneError, SetupError
from connectors.jira.parse import UNREADABLE
from connectors.jira.pulling import project_of
from connectors.jira.site import Json, Project
from connectors.jira.telling import Teller
from connectors.jira.visit import Visit
from connectors.model import LabelChange

LONGEST = 255
"""Characters of a label. Known to everybody, documented nowhere."""
SPACES = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""No label has any of these: Jira's answer to one is 400, and people's labels end at one."""
BATCH = 20
"""Issues whose labels are read at once, right before they are written."""
ONE_ISSUE = frozenset({409, 423})
"""Statuses that are about one issue, at one moment."""


class Writer:
    """Writes into the issues of one project."""

    def __init__(self, visit: Visit, project: Project) -> None:
        self.visit, self.site, self.project = visit, visit.site, project
        self.teller = Teller(visit, project, self._put)
        self.quiet = True
        """Whether we may write without mail to all who watch, as far as we know."""

    def write(self, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        for start in range(0, len(changes), BATCH):
            batch = changes[start : start + BATCH]
            issues = self.site.fresh([change.ref.native_id for change in batch], ["labels", "project"])
            there = {str(issue.get("id")): issue for issue in issues}
            for change in batch:
                yield self._write(change, there.get(change.ref.native_id))

    def _write(self, change: LabelChange, issue: Json | None) -> ChangeResult:
        if issue is None:
            return ChangeResult(change.ref, Outcome.GONE, "the issue is not in Jira any more, or not shown to us")
        before = labels_of(issue)
        add = [label for label in dict.fromkeys(change.add) if label not in before]
        remove = [label for label in dict.fromkeys(change.remove) if label in before and label not in change.add]
        after = tuple(sorted({*before, *add} - {*remove}))
        if not add and not remove:
            return ChangeResult(change.ref, Outcome.UNCHANGED, "", after)
        if left_alone := self._left_alone(change, issue, before, add):
            return left_alone
        try:
            along, untold = self.teller.tell(change.ref.native_id, change.reasons)
            self._put(f"issue/{change.ref.native_id}", {**delta(add, remove), **along})
        except ConnectorError as error:
            return ChangeResult(change.ref, *self._became(error))
        return ChangeResult(change.ref, Outcome.DONE, untold, after, already=change.already_on(before))

    def _left_alone(
        self, change: LabelChange, issue: Json, labels: Set[str], add: Sequence[str]
    ) -> ChangeResult | None:
        """The result for an issue that is not to be written as it is now, if it is not."""
        if project_of(issue) != self.project.id:
            left = f"the issue left {self.project.name} since it was planned; the next run plans anew"
            return ChangeResult(change.ref, Outcome.STALE, left)
        if exempt := exempted(change, labels, "issue"):
            return exempt
        problem = next(filter(None, map(why_no_label, add)), None)
        return ChangeResult(change.ref, Outcome.REFUSED, problem) if problem else None

    def _put(self, path: str, body: Json) -> None:
        """Without mail to all who watch, if we may; a quiet write by others is dropped whole, so it is repeated aloud.

        https://jira.atlassian.com/browse/JRACLOUD-34423 and the description of PUT /issue, which says "ignored".
        """
        if self.quiet:
            try:
                self.site.answer("PUT", path, body, {"notifyUsers": "false"})
            except AccessError:
                pass  # it may be the quiet that is not ours, or the write
            else:
                return
        self.site.answer("PUT", path, body)
        self.quiet = False

    def _became(self, error: ConnectorError) -> tuple[Outcome, str]:
        """What became of one issue's write. Raises the error again if it is about more than this issue."""
        refusal = error.refusal
        if isinstance(error, GoneError):
            return Outcome.GONE, "the issue is not in Jira any more, or not shown to us"
        if isinstance(error, AccessError):
            return Outcome.REFUSED, f"we may not edit issues in {self.project.name}; ask its administrator for leave"
        if isinstance(error, SetupError) and refusal:
            return Outcome.REFUSED, self._why_not(refusal.body, str(error))
        if isinstance(error, BusyError) and refusal and refusal.status in ONE_ISSUE:
            return Outcome.FAILED, "somebody else was editing the issue; the next run tries again"
        raise error

    def _why_not(self, body: object, otherwise: str) -> str:
        errors = body.get("errors") if isinstance(body, Mapping) else None
        if isinstance(errors, Mapping) and "labels" in errors:
            return f"Jira does not take the labels: see that {self.project.name} has Labels on its edit screen"
        return otherwise


def labels_of(issue: Json) -> set[str]:
    try:
        return {str(label) for label in issue["fields"]["labels"] or ()}
    except UNREADABLE:
        return set()


def delta(add: Sequence[str], remove: Sequence[str]) -> Json:
    """Deltas, and never the whole set, so that what people edit meanwhile stays.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-put
    """
    steps = [{"add": label} for label in add] + [{"remove": label} for label in remove]
    return {"update": {"labels": steps}}


def why_no_label(label: str) -> str | None:
    """Why Jira would not take a label, in a sentence."""
    if not label or re.search(r"\s", label):
        return f'"{" ".join(label.split())}" cannot be a label in Jira: it has a space in it; write it without'
    if len(label) > LONGEST:
        return f'"{label[:20]}…" is longer than the {LONGEST} characters of a label in Jira; shorten it'
    return None
