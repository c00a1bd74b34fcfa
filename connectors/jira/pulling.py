"""Pulling one project: everything, or what came since, page by page, with a few requests always under way."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from connectors.base import Page
from connectors.errors import AccessError, BusyError
from connectors.jira.cursor import Mark, packed, unpacked
from connectors.jira.history import LastMoves, Move, at_one_stroke, parse_moves
from connectors.jira.parse import UNREADABLE, parse_issue
from connectors.jira.site import AT_ONCE, Json, Project
from connectors.jira.visit import Visit
from connectors.model import ItemRef, Transition, WorkItem

T = TypeVar("T")
Moves = Mapping[str, "list[Move] | None"]

UNDER_WAY = 4
"""Requests at a time. More would only wait for the host's limit, or for the reading of what came."""
TOGETHER = 2
"""Pages whose histories are asked for at once."""
MARKED = 10
"""Pages of a first pull from one cursor to the next, which hold all ids each."""
SAMPLE = 20
"""Issues that are all there, although a listing left them out, prove that the listing cannot be believed."""


def pull(visit: Visit, project: Project, mark: Mark | None) -> Iterator[Page]:
    """Everything without a mark; what is left of a first pull, and then what came since, with one."""
    if mark is None:
        ids = sorted(visit.all_ids.get(project.key, ()))
        mark = Mark(visit.now, visit.now, packed(ids), after=0)
        yield from _ended(_walk(visit, project, mark, ids), replace(mark, after=None), full=True)
        return
    if mark.after is not None:
        left = [one for one in unpacked(mark.ids) if one > (mark.after or 0)]
        yield from _walk(visit, project, mark, left)
    yield from _changes(visit, project, replace(mark, after=None))


def _ended(pages: Iterator[Page], mark: Mark, *, full: bool, deleted: Sequence[ItemRef] = ()) -> Iterator[Page]:
    """The pages, of which the last says that it is; an empty one if there are none."""
    last, readable = Page(), True
    for number, page in enumerate(pages):
        if number:
            yield last
        last, readable = page, readable and not page.skipped  # what could not be read is not gone
    yield replace(last, deleted=tuple(deleted), cursor=mark.cursor(), complete=True, full=full and readable)


def _walk(visit: Visit, project: Project, mark: Mark, ids: Sequence[int]) -> Iterator[Page]:
    """A first pull, from which a later run can go on."""
    last = 0
    for number, batch in enumerate(fetched(visit, ids), start=1):
        page, last = read_page(visit, project, batch), max(last, batch.ids[-1])
        yield replace(page, cursor=mark.reached(last).cursor()) if number % MARKED == 0 else page


def _changes(visit: Visit, project: Project, mark: Mark) -> Iterator[Page]:
    """What changed since the mark, with an overlap: search may see an edit only minutes after it was made.

    The new mark is the site's time from before anything was asked, and not that of the newest issue seen: an issue
    that search sees late would be lost.
    """
    known = set(unpacked(mark.ids))
    ids = {*visit.changed_since(mark.since - visit.wishes.overlap).get(project.key, ())}
    gone: set[int] = set()
    left: set[int] = set()
    swept = mark.swept
    if visit.now - mark.swept >= visit.wishes.sweep:
        listed = {*visit.all_ids.get(project.key, ())}
        ids |= listed - known | listed & visit.linked_ids  # nobody says whether a new web link moves `updated`
        gone, left = vanished(visit, project, sorted(known - listed - ids))
        swept = visit.now
    came: set[int] = set()

    def pages() -> Iterator[Page]:
        for batch in fetched(visit, sorted(ids)):
            page = read_page(visit, project, batch)
            came.update(int(issue["id"]) for issue in batch.issues if project_of(issue) == project.id)
            yield page

    deleted = [ItemRef(visit.setup.name, str(one)) for one in sorted(gone)]
    held: Page | None = None
    for page in pages():
        if held is not None:
            yield held
        held = page
    settled = Mark(visit.now, swept, packed((known - gone - left) | came))
    yield from _ended(iter([held] if held else []), settled, full=False, deleted=deleted)


# What vanished


def vanished(visit: Visit, project: Project, missing: Sequence[int]) -> tuple[set[int], set[int]]:
    """Of issues that a listing left out: those that are gone, and those that went to another of our projects.

    Each is looked for by its id first, since a listing can be late, cut or empty while an index is built. Gone is
    also what left our projects, or what the query of the config lets through no more. Before anything is called
    gone, we make sure that we are still let in. Raises `BusyError` for a listing that cannot be believed.
    """
    gone: set[int] = set()
    elsewhere: set[int] = set()
    for start in range(0, len(missing), SAMPLE):
        asked = missing[start : start + SAMPLE]
        there = {str(issue.get("id")): project_of(issue) for issue in visit.site.fresh(asked, ["project"])}
        still = [one for one in asked if there.get(str(one)) == project.id]
        if len(still) == SAMPLE and not visit.wishes.jql:
            raise BusyError(
                f"{project.name}: the search leaves out issues that are there",
                "the next run tries again; let its administrator look at the index if it stays so",
            )
        elsewhere |= {one for one in asked if there.get(str(one)) in visit.projects.keys() - {project.id}}
        gone |= {one for one in asked if one not in elsewhere and (one not in still or visit.wishes.jql)}
    if gone and not visit.site.may(project, "BROWSE_PROJECTS"):
        raise AccessError(f"{project.name} is not shown to us any more", "give our account leave to browse it")
    return gone, elsewhere


def project_of(issue: Json) -> str | None:
    """The id of the project that an issue says it is in."""
    try:
        return str(issue["fields"]["project"]["id"])
    except UNREADABLE:
        return None


# Fetching


@dataclass(frozen=True, slots=True)
class Batch:
    """Issues that were fetched together, with their moves, or `None` where each issue brings its history along."""

    ids: Sequence[int]
    issues: Sequence[Json]
    moves: Moves | None
    links: Mapping[str, Sequence[Json]]
    """By id, of those whose web links are wanted."""


def fetched(visit: Visit, ids: Sequence[int]) -> Iterator[Batch]:
    """The issues with these ids, in batches of a page. The next ones are fetched while one is read.

    Some come again at the end, with another history: see `moves_of`.
    """
    size = visit.wishes.page_size
    fields = visit.fields if ids else ()
    linked = visit.linked_ids if ids else frozenset()
    whole = len(ids) <= AT_ONCE

    def calls() -> Iterator[Callable[[], Any]]:
        for chunk in cut(ids, size * TOGETHER):
            yield partial(moves_of, visit, chunk, whole=whole)
            for part in cut(chunk, size):
                yield partial(visit.site.asked, part, fields)
                yield from (partial(visit.site.web_links, one) for one in part if one in linked)

    last = LastMoves()
    with closing(ahead(calls(), UNDER_WAY)) as answers:
        for chunk in cut(ids, size * TOGETHER):
            moves, looked_at = next(answers)
            if moves and not whole:
                last.add(moves, looked_at)
            for part in cut(chunk, size):
                issues = next(answers)()
                yield Batch(part, issues, moves, {str(one): next(answers) for one in part if one in linked})
    for part in cut(last.overlooked(), size):
        links = {str(one): visit.site.web_links(one) for one in part if one in linked}
        yield Batch(part, visit.site.issues(part, fields), moves_of(visit, part, whole=True)[0], links)


def moves_of(visit: Visit, ids: Sequence[int], *, whole: bool) -> tuple[Moves | None, Set[str]]:
    """Changes of status, and of which issues all of the history was looked at.

    That are those that one person moved within a minute of each other. Only all of it shows whether a workflow was
    exchanged then: the entry for it names no field that could be asked for.
    """
    histories = visit.site.histories(ids, whole=whole)
    if histories is None:
        return None, frozenset()
    moves = read_moves(histories)
    suspects = set() if whole else at_one_stroke(moves)
    if suspects:
        moves |= read_moves(visit.site.histories(sorted(map(int, suspects)), whole=True) or {})
    return moves, suspects


def read_moves(histories: Mapping[str, Sequence[Json]]) -> dict[str, list[Move] | None]:
    """By issue; `None` for a history that cannot be read, so that its issue is reported when it comes."""
    found: dict[str, list[Move] | None] = {}
    for issue, entries in histories.items():
        try:
            found[issue] = parse_moves(entries)
        except UNREADABLE:
            found[issue] = None
    return found


def ahead(calls: Iterator[Callable[[], T]], most: int) -> Generator[T]:
    """What the calls give, in their order, while up to `most` of them are under way."""
    with ThreadPoolExecutor(most, thread_name_prefix="jira") as pool:
        waiting: list[Future[T]] = []
        try:
            for call in calls:
                waiting.append(pool.submit(call))
                if len(waiting) > most:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def cut(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


# Reading


def read_page(visit: Visit, project: Project, batch: Batch) -> Page:
    """The issues of a batch that are (still) in the project. One that cannot be read is left out with a sentence."""
    items: list[WorkItem] = []
    transitions: list[Transition] = []
    skipped: list[str] = []
    reading, ours = visit.reading_of(batch.issues), (project.id, None)
    for issue in batch.issues:
        if project_of(issue) not in ours:
            continue
        try:
            links = batch.links.get(str(issue["id"]), ())
            item, history = parse_issue(issue, moves_in(issue, batch), reading, links)
        except UNREADABLE as error:
            key = issue.get("key") or issue.get("id")
            skipped.append(f"issue {key} cannot be read ({reason(error)}); correct it in Jira")
        else:
            items.append(item)
            transitions += history
    return Page(tuple(items), tuple(transitions), skipped=tuple(skipped))


def moves_in(issue: Json, batch: Batch) -> Sequence[Move]:
    """Raises one of `UNREADABLE` for a history that cannot be read."""
    if batch.moves is None:
        return parse_moves(issue["changelog"]["histories"])
    moves = batch.moves.get(str(issue["id"]), ())
    if moves is None:
        raise ValueError("its history is not as histories are")
    return moves


def reason(error: Exception) -> str:
    """Why an issue cannot be read, in a few words."""
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]}"
    return " ".join(str(error).split())[:200] or "it is not as issues are"
