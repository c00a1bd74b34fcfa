"""One cycle: lock, pull every source alone, evaluate, plan, brakes, apply if allowed, and say how it went."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import filelock

from connectors.base import Connector
from connectors.errors import SetupError
from rules import calendar as calendars
from rules import engine, table
from rules.grading import SHIPPED, Grader
from rules.ruleset import RuleSet
from sync import brakes, findings, ledger
from sync.apply import ApplyReport, apply_plan
from sync.clock import Clock
from sync.config import CalendarTerms, Config, Source
from sync.plan import Plan, plan_labels
from sync.pull import SourceReport, Terms, pull_source, regrade
from sync.stops import Exit, InvalidStop, LockedStop, UnsafeStop
from sync.store import Store

_YEARS_BACK, _YEARS_ON = 30, 3
"""Public holidays are known to the calendar for so many years."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Wish:
    """What this run was asked for."""

    command: str
    apply: bool = False
    source: str | None = None
    full: bool = False
    force: frozenset[str] = frozenset()
    """Brakes lifted for this run."""
    narrow: Callable[[Plan], Plan] | None = None
    """Applied to the plan before brakes: keeps the approved changes of a saved plan only."""
    progress: Callable[[str], None] = lambda _: None
    """Told what is being done, for people who watch."""


@dataclass(slots=True)
class RunReport:
    """How a run went: what is printed, and what `--json` shows."""

    run_id: int
    clock: Clock
    applied: bool
    sources: list[SourceReport] = field(default_factory=list)
    counts: Sequence[engine.RuleCount] = ()
    rule_failures: list[str] = field(default_factory=list)
    findings: int = 0
    vetoes: int = 0
    plan: Plan = field(default_factory=lambda: Plan(0))
    tripped: list[brakes.Tripped] = field(default_factory=list)
    written: ApplyReport = field(default_factory=ApplyReport)

    @property
    def problems(self) -> list[str]:
        """Every sentence about something that failed."""
        return [
            *(sentence for source in self.sources for sentence in source.problems),
            *self.rule_failures,
            *self.written.problems,
        ]

    @property
    def notices(self) -> list[str]:
        """Every sentence that is worth knowing, though nothing failed."""
        return [sentence for source in self.sources for sentence in source.notices]

    @property
    def refused(self) -> bool:
        """Whether a brake stopped the run. A vanished part of a source stops it even where it only planned."""
        return bool(self.tripped) and (self.applied or any(brake.name == "shrink" for brake in self.tripped))

    @property
    def exit_code(self) -> Exit:
        """As documented in docs/operations.md."""
        if self.refused:
            return Exit.UNSAFE
        return Exit.PARTLY if self.problems else Exit.FINE

    def as_json(self) -> dict[str, Any]:
        """The shape of docs/json.md."""
        return {
            "run": self.run_id,
            "now": self.clock.now.isoformat().replace("+00:00", "Z"),
            "rehearsal": self.clock.rehearsal,
            "applied": self.applied and not self.refused,
            "exit_code": int(self.exit_code),
            "sources": [
                {
                    "source": source.source,
                    "collections": len(source.fresh),
                    "items": source.seen,
                    "changed": source.changed,
                    "vanished": source.vanished,
                    "problems": source.problems,
                    "notices": source.notices,
                }
                for source in self.sources
            ],
            "findings": self.findings,
            "vetoes": self.vetoes,
            "considered": self.plan.considered,
            "planned": {
                "items": len(self.plan.changes),
                "add": sum(len(change.add) for change in self.plan.changes),
                "remove": sum(len(change.remove) for change in self.plan.changes),
                "copies": len(self.plan.copies),
            },
            "brakes": [{"name": brake.name, "why": brake.sentence} for brake in self.tripped],
            "written": {
                "items": self.written.items,
                "added": self.written.added,
                "removed": self.written.removed,
                "copies": self.written.copies,
            },
            "problems": self.problems,
        }


def today(config: Config, now: datetime) -> engine.Today:
    """The clock, calendar and words that rules are evaluated with. Raises `InvalidStop` for an unknown country."""
    calendar = _calendar(config, "calendar", config.calendar, now)
    named = [
        replace(_calendar(config, f"calendars.{name}", terms, now), name=name)
        for name, terms in config.calendars.items()
    ]
    words = (*SHIPPED, *config.placeholders)
    return engine.Today(
        now, config.timezone, calendar, review_days=config.review_days, placeholders=words, others=tuple(named)
    )


def _calendar(config: Config, place: str, terms: CalendarTerms, now: datetime) -> calendars.Calendar:
    first, last = now.year - _YEARS_BACK, now.year + _YEARS_ON
    try:
        return calendars.make(terms.country, terms.region, terms.weekend, terms.days_off, first, last)
    except ValueError as error:
        raise InvalidStop(f"{config.path}: {place}: {error}") from error


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Hold the lock that lets one run at a time work on a store; a crash releases it. Raises `LockedStop`."""
    lock = filelock.FileLock(f"{store}.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise LockedStop(f"Another run is working on {store}; try again when it is done.") from error
    except OSError as error:
        raise InvalidStop(f"{store}.lock cannot be made ({error.strerror}); check the folder of `store`.") from error
    try:
        yield
    finally:
        lock.release()


def cycle(config: Config, ruleset: RuleSet, store: Store, clock: Clock, wish: Wish) -> RunReport:
    """One run on an open, locked store."""
    sources = _chosen(config, wish)
    if wish.apply:
        _refuse_rehearsal(sources, clock)
    run_id = _begin(store, clock, wish)
    report = RunReport(run_id, clock, applied=wish.apply)
    with ExitStack() as opened:
        connectors = {source.name: _open(opened, source, wish) for source in sources}
        _pull_all(config, store, sources, connectors, clock, wish, report)
        _evaluate(config, ruleset, store, clock, wish, report)
        before = _plan(config, store, clock, wish, report)
        if wish.apply and not report.tripped:
            wish.progress("writing labels" if not report.plan.empty else "nothing to write")
            report.written = apply_plan(store, report.plan, connectors, run_id, clock.now)
        _finish(store, clock, report, before)
    return report


def _chosen(config: Config, wish: Wish) -> list[Source]:
    if wish.source is None:
        return list(config.sources.values())
    if wish.source not in config.sources:
        known = ", ".join(sorted(config.sources))
        raise InvalidStop(f'There is no source "{wish.source}" in {config.path}; it has: {known}.')
    return [config.sources[wish.source]]


def _refuse_rehearsal(sources: Sequence[Source], clock: Clock) -> None:
    """While the clock is made up, no label goes to a host beyond this one."""
    for source in sources:
        host = urlsplit(str(source.setup.options.get("base_url") or "")).hostname
        if clock.rehearsal and host is not None and host not in _LOOPBACK:
            raise UnsafeStop(
                f"{source.name}: no label is written to {host} while UNSTUCK_NOW sets the clock; "
                "unset it, or plan only."
            )


def _begin(store: Store, clock: Clock, wish: Wish) -> int:
    with store.transaction() as connection:
        row = connection.execute(
            "INSERT INTO run (started_at, command, rehearsal) VALUES (?, ?, ?)",
            (table.moment(clock.now), wish.command, int(clock.rehearsal)),
        )
    return row.lastrowid or 0


def _open(opened: ExitStack, source: Source, wish: Wish) -> Connector:
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


def _pull_all(
    config: Config,
    store: Store,
    sources: Sequence[Source],
    connectors: Mapping[str, Connector],
    clock: Clock,
    wish: Wish,
    report: RunReport,
) -> None:
    grader = Grader((*SHIPPED, *config.placeholders))
    regrade(store, grader)
    terms = Terms(
        now=clock.now,
        grader=grader,
        finder=config.finder,
        shrink=config.brakes.shrink,
        least=config.brakes.least,
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


def _evaluate(config: Config, ruleset: RuleSet, store: Store, clock: Clock, wish: Wish, report: RunReport) -> None:
    wish.progress("evaluating rules")
    moment_ = today(config, clock.now)
    _keep_calendar(store, moment_)
    evaluation = findings.evaluate(store, ruleset, moment_)
    report.counts = evaluation.counts
    report.rule_failures = [f"{why}." for _, why in evaluation.failures]
    report.findings = store.value("SELECT count(*) FROM finding")


def _keep_calendar(store: Store, moment_: engine.Today) -> None:
    """Keep the business days in the store, for people who query it with other programs."""
    weeks = [[sorted(calendar.weekend), sorted(map(str, calendar.holidays))] for calendar in moment_.calendars]
    meaning = [weeks, moment_.now.year]
    signature = hashlib.sha256(json.dumps(meaning).encode()).hexdigest()[:16]
    if store.setting("calendar") != signature:
        first, last = (date(moment_.now.year + years, 1, 1) for years in (-_YEARS_BACK, _YEARS_ON))
        with store.transaction() as connection:
            calendars.fill(connection, moment_.calendars, first, last)
            store.remember("calendar", signature)


def _plan(config: Config, store: Store, clock: Clock, wish: Wish, report: RunReport) -> Mapping[str, tuple[int, int]]:
    """Settle what was left open, hear what people took off, and plan. Returns the rules' counts of the last time."""
    can_write = {name for name, source in config.sources.items() if source.connector.capabilities.writes}
    fresh = [
        (source.source, collection)
        for source in report.sources
        for collection in source.fresh
        if source.source in can_write
    ]
    with store.transaction() as connection:
        ledger.remember_fresh(connection, fresh)
        ledger.settle(connection, clock.now)
        report.vetoes = ledger.notice_people(connection, clock.now, config.veto_days)
    considered = ledger.considered(store.connection)
    plan = plan_labels(
        ledger.states(store.connection), sum(considered.values()), ledger.outdated_copies(store.connection)
    )
    report.plan = wish.narrow(plan) if wish.narrow else plan
    before = {
        row["rule"]: (row["matched"], row["considered"])
        for row in store.rows("SELECT rule, matched, considered FROM rule_count")
    }
    shrunk = [sentence for source in report.sources for sentence in source.shrunk]
    tripped = brakes.check(report.plan, considered, config.brakes, shrunk, report.counts, before)
    report.tripped = [brake for brake in tripped if brake.name not in wish.force]
    return before


def _finish(store: Store, clock: Clock, report: RunReport, before: Mapping[str, tuple[int, int]]) -> None:
    """Record the run. The rules' counts are kept only if no brake tripped, so that it trips again the next time."""
    with store.transaction() as connection:
        if not report.tripped:
            connection.executemany(
                "INSERT INTO rule_count (rule, run_id, matched, considered, unknown) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (rule) DO UPDATE SET run_id = excluded.run_id, matched = excluded.matched, "
                "considered = excluded.considered, unknown = excluded.unknown",
                [
                    (count.rule, report.run_id, count.matched, count.considered, count.unknown)
                    for count in report.counts
                    if before.get(count.rule) != (count.matched, count.considered)
                ],
            )
        connection.execute(
            "UPDATE run SET finished_at = ?, exit_code = ?, summary = ? WHERE id = ?",
            (
                table.moment(clock.now),
                int(report.exit_code),
                json.dumps(report.as_json(), ensure_ascii=False),
                report.run_id,
            ),
        )
