"""The report as one page: no network, no scripts but one, and that only filters, sorts and searches the list.

Its policy (CSP) allows exactly that script and that stylesheet, by their hashes. Every text from a tool is escaped by
the template, or lies in the packed list and becomes text of the page, never markup.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from sync.durations import spoken
from sync.report import charts
from sync.report.model import BANDS, Group, Report, Row
from sync.report.tables import age, aging

MOST_BYTES = 3_500_000
"""Of the packed list, as it stands in the page: with the rest of it, a page stays under 5 MB."""
TOP_GROUPS = 12
WITHOUT_SCRIPTS = 100
"""Rows of the list that those see who do not run scripts."""
_MOST_ROWS = 50
"""Of the tables of stuck and un-stuck items."""


def page(report: Report) -> str:
    """The whole file."""
    style, script = asset("page.css"), asset("page.js")
    packed, listed = pack(report.rows, report.stuck)
    policy = (
        f"default-src 'none'; script-src 'sha256-{_sha(script)}'; style-src 'sha256-{_sha(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return _template().render(
        report=report,
        policy=policy,
        # our own files
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        packed=packed,
        listed=listed,
        first=by_need(report.rows, report.stuck)[:WITHOUT_SCRIPTS],
        most=_MOST_ROWS,
        top=TOP_GROUPS,
        charts=_charts(report),
        group_tables={name: _largest(groups) for name, groups in report.groups.items()},
        aging=aging(report),
        dots=charts.WIDE.dots,
    )


@cache
def asset(name: str) -> str:
    """One of the files beside this module."""
    return (resources.files("sync.report") / name).read_text(encoding="utf-8")


def _sha(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"day": _day, "count": _count, "share": _share, "age": age, "spoken": spoken}
    return environment.from_string(asset("page.html"))


def _day(value: Any) -> str:
    return f"{value.day} {value:%b %Y}" if value else ""


def _count(value: int | None) -> str:
    """12,345, with spaces that do not break."""
    return "–" if value is None else f"{value:,}"


def _share(part: int, whole: int) -> str:
    """Rounded, but never to 0 % or 100 % where it is not that."""
    if not whole or part in (0, whole):
        return "100 %" if whole and part == whole else "0 %"
    return f"{min(99, max(1, round(100 * part / whole)))} %"


def _charts(report: Report) -> dict[str, Markup]:
    """By name; what has nothing to show is not there."""
    drawn: dict[str, Markup] = {}
    for name, groups in report.groups.items():
        named = [group for group in groups if group.name][:TOP_GROUPS]
        if len(named) > 1:
            says = f"Open items by {name}, and whether they serve an outcome; the table beneath has the numbers."
            drawn[name] = charts.svg(charts.outcomes(named), says)
    if report.aging.rows:
        drawn["aging"] = charts.svg(charts.aging(report.aging))
    if any(week.begun or week.finished for week in report.weeks):
        flow = charts.weeks(report.weeks, ("begun", "finished"))
        drawn["flow"] = charts.svg(flow, "Items begun and finished by week; the table beneath has the numbers.")
    if sum(week.findings is not None for week in report.weeks) > 1:
        found = charts.weeks(report.weeks, ("findings",))
        drawn["findings"] = charts.svg(found, "Findings at the end of each week; the table beneath has the numbers.")
    if sum(bool(week.grades) for week in report.weeks) > 1:
        graded = charts.outcomes_by_week(report.weeks)
        drawn["graded"] = charts.svg(graded, "Open items by outcome, by week; the table beneath has the numbers.")
    return drawn


def _largest(groups: Sequence[Group]) -> list[Group]:
    """The largest, and all others as one."""
    if len(groups) <= TOP_GROUPS:
        return list(groups)
    rest = groups[TOP_GROUPS - 1 :]
    others = Group(
        f"{len(rest)} others",
        sum(group.open for group in rest),
        {band: sum(group.bands[band] for group in rest) for band in BANDS},
        {grade: sum(group.grades[grade] for group in rest) for grade in rest[0].grades},
        sum(group.stuck for group in rest),
        sum(group.findings for group in rest),
    )
    return [*groups[: TOP_GROUPS - 1], others]


# The list


def by_need(rows: Sequence[Row], stuck: Sequence[Row]) -> list[Row]:
    """What is stuck for longest first, then what rules found, then the rest."""
    is_in = {row.id for row in stuck}
    found = [row for row in rows if row.found and row.id not in is_in]
    return [*stuck, *found, *(row for row in rows if not row.found)]


def pack(rows: Sequence[Row], stuck: Sequence[Row], most: int = MOST_BYTES) -> tuple[str, int]:
    """The list for the script (JSON, gzip, base64), and how many rows of it fit; the most needy do."""
    chosen: Sequence[Row] = by_need(rows, stuck)
    while True:
        raw = json.dumps(columns(chosen), ensure_ascii=False, separators=(",", ":")).encode()
        packed = base64.b64encode(gzip.compress(raw, mtime=0)).decode()
        if len(packed) <= most or not chosen:
            return packed, len(chosen)
        chosen = chosen[: int(len(chosen) * most / len(packed) * 0.97)]


def columns(rows: Sequence[Row]) -> dict[str, Any]:
    """The list by column; what comes again and again is a number, an index into `words`."""
    words: dict[str, int] = {}

    def word(text: str | None) -> int:
        return words.setdefault(text or "", len(words))

    packed = {
        "key": [row.key for row in rows],
        "title": [row.title for row in rows],
        "url": [row.url or "" for row in rows],
        "source": [word(row.source) for row in rows],
        "project": [word(row.project) for row in rows],
        "owner": [word(row.owner) for row in rows],
        "status": [word(row.status) for row in rows],
        "category": [word(row.category) for row in rows],
        "since": [row.since.isoformat() if row.since else "" for row in rows],
        "least": [int(row.at_least) for row in rows],
        "days": [row.business_days for row in rows],
        "grade": [word(row.grade) for row in rows],
        "found": [[[word(found.rule), word(found.reason)] for found in row.found] for row in rows],
    }
    return {"words": list(words), **packed}
