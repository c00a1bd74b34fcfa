"""Opening the configured sources, and pulling each of them alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from urllib.parse import urlsplit

from connectors.base import Connector
from connectors.errors import SetupError
from rules.grading import SHIPPED, Grader
from sync import findings
from sync.clock import Clock
from sync.config import Config, Source
from sync.pull import Terms, pull_source, regrade
from sync.stops import InvalidStop, UnsafeStop
from sync.store import Store
from sync.summary import RunReport, Wish

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


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
        host = urlsplit(str(source.setup.options.get("base_url") or "")).hostname
        if clock.rehearsal and host is not None and host not in _LOOPBACK:
            raise UnsafeStop(
                f"{source.name}: no label is written to {host} while UNSTUCK_NOW sets the clock; "
                "unset it, or plan only."
            )


def opened_connector(opened: ExitStack, source: Source, wish: Wish) -> Connector:
    """A connector that refuses to write unless this run is to apply."""
    connector = make(source, writable=wish.apply)
    opened.callback(connector.close)
    return connector


def make(source: Source, *, writable: bool) -> Connector:
    """The connector of a source, which reaches nothing yet. Raises `InvalidStop` for options that cannot be right."""
    try:
        return source.connector(replace(source.setup, writable=writable))
    except SetupError as error:
        raise InvalidStop(f"sources.{source.name}: {error}.") from error


def pull_all(
    config: Config,
    store: Store,
    sources: Sequence[Source],
    connectors: Mapping[str, Connector],
    clock: Clock,
    wish: Wish,
    report: RunReport,
) -> None:
    """Pull every source, then link items to parents, outcomes and calendars. A source that fails stops no other."""
    grader = Grader((*SHIPPED, *config.placeholders))
    regrade(store, grader)
    terms = Terms(
        now=clock.now,
        grader=grader,
        finder=config.finder,
        brakes=config.brakes,
        full=wish.full,
        accept_shrink="shrink" in wish.force,
    )
    for source in sources:
        wish.progress(f"pulling {source.name}")
        report.sources.append(pull_source(store, source, connectors[source.name], terms))
    findings.link(store, _links(config))


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
