"""The command that stays: `daemon`."""

from __future__ import annotations

from pathlib import Path

from sync import durations
from sync.commands import runs
from sync.commands.shared import load
from sync.config import Config
from sync.daemon import Daemon, Ended, Job
from sync.ending import exit_code
from sync.stops import Exit, InvalidStop
from sync.summary import RunReport, Wish

_BESIDES = 600.0
"""What a cycle may take beyond its slowest source, in seconds."""


def daemon(path: Path | None, every: str, apply_: bool | None, *, debug: bool) -> int:
    """Cycle until told to stop. Starts only if config and rules are right."""
    try:
        seconds = durations.seconds(every)
    except ValueError as error:
        raise InvalidStop(f"--every: {error}.") from error

    def job() -> Job:
        config, ruleset = load(path)

        def cycle(shown: str | None) -> Ended:
            reports: list[RunReport] = []
            wish = Wish("daemon", apply=config.apply if apply_ is None else apply_)

            def run() -> int:
                return runs.run_and_tell(config, ruleset, wish, shown=shown, keep=reports.append)

            return _ended(exit_code(run, debug=debug), reports, shown)

        return Job(cycle, _longest(config))

    return Daemon(job, seconds).serve()


def _ended(code: int, reports: list[RunReport], shown: str | None) -> Ended:
    """A run in which some source answered worked, whatever else failed: the others must not wait for it."""
    if not reports:
        return Ended(code, worked=code == Exit.LOCKED, plan=shown)
    [report] = reports
    worked = code == Exit.FINE or any(source.fresh for source in report.sources)
    return Ended(code, worked, None if report.applied else report.plan.sha)


def _longest(config: Config) -> float:
    """Pulling and writing each take as long as the slowest source may."""
    return 2 * max(source.budget for source in config.sources.values()) + _BESIDES
