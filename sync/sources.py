"""Opening the configured sources, and pulling each of them alone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from connectors.base import Connector
from connectors.errors import SetupError
from rules.grading import SHIPPED, Grader
from sync import findings, initiatives, log, told, turns
from sync.clock import Clock
from sync.config import Config, Source
from sync.durations import spoken
from sync.hosts import is_local
from sync.lanes import Cut, Lane, side_by_side
from sync.opened import Opened
from sync.pull import SourcePull, SourceReport, Step, Terms, regrade, steps
from sync.stops import InvalidStop, UnsafeStop
from sync.store import Store
from sync.summary import RunReport, Wish

_GRACE = 5.0
"""How long a source may take to finish the page in hand once it was asked to stop, in seconds."""


def chosen(config: Config, wish: Wish) -> list[Source]:
    """The sources of this run. Raises `InvalidStop` for a name that config does not have."""
    if wish.source is None:
        return list(config.sources.values())
    if wish.source not in config.sources:
        known = ", ".join(sorted(config.sources))
        raise InvalidStop(f'There is no source "{wish.source}" in {config.path}; it has: {known}.')
    return [config.sources[wish.source]]


def refuse_rehearsal(sources: Sequence[Source], clock: Clock) -> None:
    """While the clock is made up, no label goes to a host beyond this one."""
    for source in sources:
        url = str(source.setup.options.get("base_url") or "")
        if clock.rehearsal and url and not is_local(url):
            raise UnsafeStop(
                f"{source.name}: no label is written to {urlsplit(url).hostname} while UNSTUCK_NOW sets the clock; "
                "unset it, or plan only."
            )


def opened(source: Source, wish: Wish) -> Opened:
    """A source with a connector that refuses to write unless this run is to apply."""
    stopping = threading.Event()
    return Opened(source, make(source, writable=wish.apply, stopping=stopping), stopping)


def make(source: Source, *, writable: bool, stopping: threading.Event | None = None) -> Connector:
    """The connector of a source, which reaches nothing yet. Raises `InvalidStop` for options that cannot be right."""
    try:
        return source.connector(replace(source.setup, writable=writable, stopping=stopping))
    except SetupError as error:
        raise InvalidStop(f"sources.{source.name}: {error}.") from error


def pull_all(
    config: Config, store: Store, sources: Sequence[Opened], clock: Clock, wish: Wish, report: RunReport
) -> None:
    """Pull all sources side by side, then link items to parents, outcomes and calendars.

    A source that fails or is slow stops no other. Reports come in the order of the config.
    """
    grader = Grader((*SHIPPED, *config.placeholders))
    regrade(store, grader)
    terms = _terms(config, clock, wish, grader)
    pulls = {one.source.name: SourcePull(store, one.source, one.connector, terms) for one in sources}
    lanes = {
        one.source.name: Lane(
            steps(one.connector, pulls[one.source.name].cursors(), one.stopping),
            one.stopping,
            budget=one.source.budget,
            grace=_GRACE,
            ahead=1,
        )
        for one in sources
    }
    by_name = {one.source.name: one for one in sources}
    wish.progress(f"pulling {', '.join(pulls)}")
    expected = {name: _expected(store, pull) for name, pull in pulls.items()}
    with wish.progress.pulling(expected, {one.source.name: one.cost for one in sources}):
        for name, step in side_by_side(lanes, wish.stopping):
            turns.count(store, by_name[name], clock.now)
            pulls[name].take(step)
            wish.progress.pulled(name, pulls[name].report.seen, pulls[name].share)
    for one in sources:
        lane = lanes[one.source.name]
        one.stuck = lane.stuck
        ended = _ended(pulls[one.source.name], lane, one.source)
        log.note("source_pulled", source=ended.source, items=ended.seen, changed=ended.changed, up=bool(ended.fresh))
        report.sources.append(ended)
    report.stopped = wish.stopping.by
    if not report.stopped:
        report.repeated = frozenset(told.of_sources(store, report.sources, clock.now))
    findings.link(store, _links(config))
    report.link_notices = initiatives.update(store, config.initiatives, clock.now)


def _expected(store: Store, pull: SourcePull) -> int | None:
    """How many items will come: as many as there are, where all are asked for; else nobody knows."""
    if pull.cursors():
        return None
    known: int = store.value(
        "SELECT count(*) FROM item WHERE source = ? AND missing_since IS NULL", (pull.source.name,)
    )
    return known or None


def _terms(config: Config, clock: Clock, wish: Wish, grader: Grader) -> Terms:
    return Terms(
        now=clock.now,
        grader=grader,
        finder=config.finder,
        brakes=config.brakes,
        full=wish.full,
        accept_shrink="shrink" in wish.force,
    )


def _ended(pull: SourcePull, lane: Lane[Step], source: Source) -> SourceReport:
    """The report on a source whose turn is over. What a connector says of being stopped is no news."""
    if lane.cut is Cut.BUDGET:
        pull.report.problems.append(
            f"{source.name}: its budget of {spoken(source.budget)} is used up; what came is kept, and the next run "
            f"goes on from there: give it more with budget in [sources.{source.name}] if that happens often."
        )
    elif lane.cut is None and lane.error is not None:
        pull.fail(lane.error)
    return pull.report


def _links(config: Config) -> findings.Links:
    """Which sources inherit outcomes, and which calendars sources and projects go by."""
    sources = config.sources.values()
    return findings.Links(
        inheriting=tuple(sorted(source.name for source in sources if source.inherit)),
        of_sources={source.name: config.calendar_number(source.calendar) for source in sources if source.calendar},
        of_projects={
            (source.name, project): config.calendar_number(name)
            for source in sources
            for project, name in source.calendars.items()
        },
    )
