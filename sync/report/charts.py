"""The charts: SVG without scripts, styles or colours of its own. The page's stylesheet colours it by class.

Drawn by pygal, and stripped of what only its own tooltips need. Each comes twice, for wide screens and for phones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from markupsafe import Markup

from sync.report.model import BANDS, PERCENTILES, Aging, Group, Row, Week
from sync.report.plotting import Style, pygal

OLDEST = 0.08
"""Of the dots, where not all items are shown: the oldest items, whoever is in between."""


@dataclass(frozen=True, slots=True)
class Size:
    """Where a chart is read. `label` is how many characters a name may take."""

    name: str
    width: int
    height: int
    label: int
    dots: int
    """A cloud of more says no more."""


WIDE, NARROW = Size("wide", 1040, 420, 34, 500), Size("narrow", 400, 380, 14, 160)

Draw = Callable[[Size], Any]


def svg(draw: Draw, says: str | None = None) -> Markup:
    """The chart for both sizes; `says` is what it shows, for those who do not see it.

    Without that, they are not told of it at all: what is beneath it says the same.
    """
    return Markup("").join(_one(draw(size), size, says) for size in (WIDE, NARROW))


def _one(chart: Any, size: Size, says: str | None) -> Markup:
    chart.add_xml_filter(lambda root: _stripped(root, size, says))
    # pygal escapes what it writes
    return Markup(chart.render(is_unicode=True))  # noqa: S704


def _options(size: Size, height: int | None = None) -> dict[str, Any]:
    fonts = dict.fromkeys(("label_font_size", "major_label_font_size", "value_font_size"), 13)
    return {
        "style": Style(**fonts),
        "css": [], "js": [], "no_prefix": True, "disable_xml_declaration": True,
        "width": size.width, "height": height or size.height, "margin": 4, "margin_right": 20,
        "show_legend": False, "classes": [f"chart {size.name}"], "truncate_label": size.label,
    }  # fmt: skip


_INKLESS = {"desc", "defs", "title"}


def _stripped(root: Any, size: Size, says: str | None) -> Any:
    """Without tooltips, comments, and everything that a strict page refuses."""
    for parent in list(root.iter()):
        for child in list(parent):
            name = str(child.tag).rpartition("}")[2] if isinstance(child.tag, str) else "comment"
            kind = child.get("class") or "" if isinstance(child.tag, str) else ""
            if name == "desc" and kind == "label":
                child.tag = child.tag.replace("desc", "title")  # what browsers show of a dot
            elif name in _INKLESS or name == "comment" or "tooltip-overlay" in kind or "background" in kind.split():
                parent.remove(child)
    root.attrib.pop("id", None)
    if says is None:
        root.set("aria-hidden", "true")
    else:
        root.set("role", "img")
        root.set("aria-label", says)
    return root


# Outcomes


def outcomes(groups: Sequence[Group]) -> Draw:
    """How many open items each group has, by how good their outcome is; the largest on top."""
    shown = groups[::-1]
    top = max(1, *(group.open for group in shown))

    def draw(size: Size) -> Any:
        chart = pygal.HorizontalStackedBar(
            **_options(size, 34 * len(shown) + 40), show_y_guides=False, range=(0, top), spacing=6
        )
        chart.y_labels = [{"label": f"{ticked:,}", "value": ticked} for ticked in _ticks(top)]
        chart.x_labels = [group.name for group in shown]
        for band in BANDS:
            chart.add(band, [group.bands[band] for group in shown])
        return chart

    return draw


# Work in progress


def aging(work: Aging) -> Draw:
    """Each item in progress by its status, how old it is, and how old work usually gets."""
    top = max([*(row.age or 0 for row in work.rows), *work.lines.values(), 1])

    def draw(size: Size) -> Any:
        columns = _columns(work, size)
        chart = pygal.XY(
            **_options(size), stroke=False, dots_size=4, show_x_guides=False,
            xrange=(0.4, len(columns) + 0.6), range=(0, top * 1.04),
        )  # fmt: skip
        chart.x_labels = [{"label": name, "value": at} for name, at in _labels(columns, _usual(work, size))]
        chart.y_labels = [{"label": f"{days:,}", "value": days} for days in _ticks(top)]
        for each in PERCENTILES:
            level = work.lines[each]
            ends = [(0.4, level), (len(columns) + 0.6, level)]
            chart.add(f"{each} %", ends, stroke=True, show_dots=False)
        chart.add("items", _dots(sample(work.rows, size.dots), columns))
        chart.add_xml_filter(_keyless)
        chart.add_xml_filter(lambda root: _named_lines(root, work.lines))
        return chart

    return draw


def sample(rows: Sequence[Row], most: int) -> Sequence[Row]:
    """So many rows at most: the oldest, and of the others as many from each age as there are of it."""
    if len(rows) <= most:
        return rows
    oldest = int(OLDEST * most)
    step = (len(rows) - oldest) / (most - oldest)
    return [*rows[:oldest], *(rows[oldest + int(at * step)] for at in range(most - oldest))]


def _labels(columns: Mapping[str, int], usual: Mapping[str, str]) -> list[tuple[str, int]]:
    names: dict[int, list[str]] = {}
    for status, at in columns.items():
        names.setdefault(at, []).append((status or "no status") + usual.get(status, ""))
    return [(found[0] if len(found) == 1 else "others", at) for at, found in names.items()]


def _columns(work: Aging, size: Size) -> dict[str, int]:
    """Status -> its place from the left; as many as there is room for, the others share the last."""
    room = 8 if size is WIDE else 4
    statuses = [column.status for column in work.columns]
    if len(statuses) <= room:
        return {status: at for at, status in enumerate(statuses, start=1)}
    return {status: min(at, room) for at, status in enumerate(statuses, start=1)}


def _usual(work: Aging, size: Size) -> dict[str, str]:
    """Status -> what finished items say of it, as far as there is room for that."""
    room = size.width // _CHARACTER // max(1, len(set(_columns(work, size).values())))
    found: dict[str, str] = {}
    for column in work.columns:
        for shown in range(len(column.usual), 0, -1):
            text = " · " + ", ".join(usual.short for usual in column.usual[:shown])
            if len(column.status) + len(text) <= min(room, size.label):
                found[column.status] = text
                break
    return found


_CHARACTER = 8
"""Pixels, or less."""


def _dots(rows: Sequence[Row], columns: Mapping[str, int]) -> list[dict[str, Any]]:
    """Side by side within their column, always at the same places."""
    beside: dict[int, count[int]] = {at: count() for at in columns.values()}
    dots = []
    for row in rows:
        at = columns[row.status or ""]
        shift = (next(beside[at]) * 0.618034) % 1 - 0.5  # the golden ratio spreads evenly, however many there are
        label = f"{row.key} · {row.title[:60]} · {row.age} days"
        dot: dict[str, Any] = {"value": (round(at + 0.7 * shift, 3), row.age), "label": label}
        if row.url:
            dot["xlink"] = {"href": row.url, "target": "_blank"}
        dots.append(dot)
    return dots


def _ticks(top: int) -> list[int]:
    """Round numbers from 0 up, at most seven."""
    step = next(step for step in _STEPS if top / step <= 6)
    return list(range(0, top + 1, step))


_STEPS = [factor * 10**power for power in range(9) for factor in (1, 2, 5)]


def _keyless(root: Any) -> Any:
    """The table beneath has the same links: nobody should have to tab through hundreds of dots to get there."""
    for link in [each for each in root.iter() if each.tag in _LINKS]:
        link.set("href", link.attrib.pop("{http://www.w3.org/1999/xlink}href"))
        link.set("tabindex", "-1")
        link.set("rel", "noopener noreferrer")
    return root


_LINKS = ("a", "{http://www.w3.org/2000/svg}a")
"""With lxml, pygal's own nodes have their namespace in the tag; without, they do not."""


def _named_lines(root: Any, lines: Mapping[int, int]) -> Any:
    """Write beside each line what it is: nobody should have to compare dashes with a legend."""
    drawn = [each for each in root.iter() if (each.get("class") or "").startswith("line reactive")]
    for line, (percent, days) in zip(drawn, lines.items(), strict=False):
        x, y = line.get("d").rpartition("L")[2].split()
        name = line.makeelement(line.tag.replace("path", "text"), {"class": "named", "x": x, "y": str(float(y) - 5)})
        name.text = f"{percent} % · {days} days"
        root.find(".//*[@class='plot overlay']").append(name)
    return root


# Weeks


def weeks(trend: Sequence[Week], names: Sequence[str]) -> Draw:
    """Some numbers of each week, side by side."""
    top = max(1, *(getattr(week, name) or 0 for week in trend for name in names))
    return _by_week(pygal.Bar, trend, {name: [getattr(week, name) for week in trend] for name in names}, top)


def outcomes_by_week(trend: Sequence[Week]) -> Draw:
    """How many open items each week ended with, by how good their outcome was."""
    top = max(1, *(sum(week.bands.values()) for week in trend))
    return _by_week(pygal.StackedBar, trend, {band: [week.bands.get(band) for week in trend] for band in BANDS}, top)


def _by_week(kind: Any, trend: Sequence[Week], series: Mapping[str, Sequence[int | None]], top: int) -> Draw:
    def draw(size: Size) -> Any:
        chart = kind(**_options(size, 240), show_x_guides=False, show_minor_x_labels=False, range=(0, top), spacing=4)
        chart.y_labels = [{"label": f"{ticked:,}", "value": ticked} for ticked in _ticks(top)]
        chart.x_labels = [f"{week.monday.day} {week.monday:%b}" for week in trend]
        every = 1 if size is WIDE else 3
        chart.x_labels_major = chart.x_labels[::-every][::-1]
        for name, numbers in series.items():
            chart.add(name, numbers)
        return chart

    return draw
