"""Numbers for Prometheus' textfile collector: one file, replaced in one step after each run.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rules.table import INITIATIVE
from sync.brakes import NAMES as BRAKES
from sync.store import Store
from sync.summary import RunReport
from sync.version import VERSION


@dataclass(frozen=True, slots=True)
class Gauge:
    """One number, or one for each label."""

    name: str
    help: str
    values: Mapping[tuple[tuple[str, str], ...], float]


def write(file: Path, report: RunReport, store: Store) -> str | None:
    """Write all numbers. Returns a sentence if that failed: a run is not worse for it."""
    beside = file.with_name(f".{file.name}.new")
    try:
        beside.write_text(text(gauges(report, store)), encoding="utf-8")
        beside.chmod(0o644)  # whoever collects is another user
        beside.replace(file)
    except OSError as error:
        why = error.strerror
        return f"[metrics] file: {file} cannot be written ({why}); create its folder or correct its permissions."
    return None


def text(all_gauges: Iterator[Gauge]) -> str:
    """The exposition format."""
    lines = []
    for gauge in all_gauges:
        lines += [f"# HELP {gauge.name} {gauge.help}", f"# TYPE {gauge.name} gauge"]
        for labels, value in gauge.values.items():
            shown = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels)
            lines.append(f"{gauge.name}{{{shown}}} {value!r}" if shown else f"{gauge.name} {value!r}")
    return "\n".join([*lines, ""])


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def gauges(report: RunReport, store: Store) -> Iterator[Gauge]:
    """Everything worth an alarm or a line in a chart."""
    yield _one("unstuck_info", "The version that ran.", 1, version=VERSION)
    yield from _of_run(report, store)
    yield from _of_sources(report, store)
    yield _one("unstuck_findings", "Findings of the rules.", report.findings)
    yield _one("unstuck_labels", "Labels that are on items through us.", _count(store, "ledger WHERE off_at IS NULL"))
    yield _one("unstuck_vetoes", "Labels that people took off and that stay off.", _count(store, "veto"))
    yield _one("unstuck_planned_items", "Items that the last run was to change.", len(report.plan.changes))
    yield _one("unstuck_written_items", "Items that the last run changed.", report.written.items)
    yield _one("unstuck_held_labels", "Labels that the last run held back.", len(report.held))
    tripped = {brake.name for brake in report.tripped}
    yield Gauge(
        "unstuck_brake_tripped",
        "Whether a brake stopped the last run.",
        {(("brake", name),): int(name in tripped) for name in BRAKES},
    )


def _of_run(report: RunReport, store: Store) -> Iterator[Gauge]:
    ended = report.clock.after()
    yield _one("unstuck_last_run_timestamp_seconds", "When the last run ended.", ended.timestamp())
    yield _one("unstuck_last_run_duration_seconds", "How long the last run took.", round(report.seconds, 3))
    yield _one("unstuck_last_run_exit_code", "How the last run ended; see docs/operations.md.", int(report.exit_code))
    fine = store.value("SELECT max(finished_at) FROM run WHERE exit_code = 0")
    if fine is not None:
        yield _one("unstuck_last_success_timestamp_seconds", "When a run last ended with 0.", _seconds(fine))


def _of_sources(report: RunReport, store: Store) -> Iterator[Gauge]:
    sources = [*report.sources]

    def each(name: str, text: str, values: Mapping[str, float]) -> Gauge:
        return Gauge(name, text, {(("source", source),): value for source, value in values.items()})

    yield each(
        "unstuck_source_up",
        "Whether a collection of the source answered completely in the last run.",
        {source.source: int(bool(source.fresh)) for source in sources},
    )
    yield each(
        "unstuck_source_read_items",
        "Items that the last run read from the source.",
        {source.source: source.seen for source in sources},
    )
    yield each(
        "unstuck_source_changed_items",
        "Items of those that had changed.",
        {source.source: source.changed for source in sources},
    )
    yield each(
        "unstuck_source_requests",
        "Requests to the source's host in the last run.",
        {source.source: source.requests for source in sources if source.requests is not None},
    )
    yield each(
        "unstuck_source_bytes",
        "Bytes that went to and came from the source's host in the last run.",
        {source.source: source.bytes for source in sources if source.bytes is not None},
    )
    rows = store.rows(
        "SELECT source, count(*) AS items FROM item WHERE missing_since IS NULL AND source <> ? GROUP BY source",
        (INITIATIVE,),
    )
    yield each(
        "unstuck_source_items", "Items of the source in the store.", {row["source"]: row["items"] for row in rows}
    )
    rows = store.rows("SELECT source, max(complete_at) AS at FROM collection WHERE complete_at <> '' GROUP BY source")
    yield each(
        "unstuck_source_pulled_timestamp_seconds",
        "When a collection of the source last answered completely.",
        {row["source"]: _seconds(row["at"]) for row in rows},
    )


def _one(name: str, text: str, value: float, **labels: str) -> Gauge:
    return Gauge(name, text, {tuple(labels.items()): value})


def _count(store: Store, what: str) -> int:
    found: int = store.value(f"SELECT count(*) FROM {what}")
    return found


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
