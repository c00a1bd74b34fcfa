"""What a column value means. Pure functions on the JSON that `connectors.monday.queries` asks for.

https://developer.monday.com/api-reference/reference/column-values-v2: `text` is what people see, but for columns that
take it from elsewhere (mirror, formula, connected boards), where it stands in `display_value`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

from connectors.monday.columns import LABELS, Column

Json = Mapping[str, Any]


class NoAnswerError(ValueError):
    """The value does not answer: text where a date should be, a column that the API cannot show."""


def text_of(value: Json) -> str:
    """The text that people see; `""` for an empty value."""
    if value.get("type") == "unsupported":
        raise NoAnswerError("unsupported")
    if value.get("type") == "checkbox":
        return "Yes" if value.get("checked") else "No"
    shown = value.get("display_value")
    return clean(value.get("text") if shown is None else shown)


def names_of(value: Json) -> tuple[str, ...]:
    """The people in a value. Their names come as one text; a name with a comma in it is not torn apart."""
    text = text_of(value)
    people = value.get("persons_and_teams")
    names = [name.strip() for name in text.split(",")]
    if isinstance(people, list) and len(people) != len(names):
        names = [text]
    return tuple(name for name in dict.fromkeys(names) if name)


def labels_of(value: Json) -> tuple[str, ...]:
    """The tags, or the values of a dropdown, in their order."""
    names = (clean(tag.get("name")) for tag in value.get("tags") or ())
    options = (clean(option.get("label")) for option in value.get("values") or ())
    return tuple(name for name in dict.fromkeys((*names, *options)) if name)


def percent_of(value: Json) -> float | None:
    """0 to 100; `None` for an empty value. Raises `NoAnswerError`."""
    number = value.get("number")
    if number is None:
        text = text_of(value).rstrip("% ")
        if not text:
            return None
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            raise NoAnswerError(text) from None
    if not math.isfinite(number) or not 0 <= number <= 100:
        raise NoAnswerError(f"{number} percent")
    return round(float(number), 6)


def moment_of(value: Json, zone: tzinfo | None, *, starts: bool = False) -> datetime | None:
    """When; of a timeline its end, or its start; `None` for an empty value. Raises `NoAnswerError` for text.

    A date with a time is in UTC, one without is the source's day:
    https://developer.monday.com/api-reference/reference/date
    """
    if value.get("type") == "timeline":
        end = value.get("from" if starts else "to")
        return moment(clean(end)[:10], zone) if end else None
    if value.get("date"):
        clock = value.get("time")
        return moment(f"{value['date']}T{clock}Z", zone) if clock else moment(clean(value["date"]), zone)
    text = text_of(value)
    return moment(text, zone) if text else None


def moment(text: str, zone: tzinfo | None) -> datetime:
    """An aware time from ISO 8601. Raises `NoAnswerError`."""
    try:
        if len(text) == len("2026-03-20"):
            return datetime.combine(date.fromisoformat(text), time(), zone or UTC)
        found = datetime.fromisoformat(text)
    except ValueError:
        raise NoAnswerError(text) from None
    return found if found.tzinfo else found.replace(tzinfo=zone or UTC)


def keys_of(value: Json) -> list[str]:
    """The labels' keys in a status that rolls up, each as often as it was counted; of an item with none below, one."""
    counted = value.get("battery_value") or ()
    return [str(one.get("key")) for one in counted if isinstance(one, Mapping) and one.get("count")]


def changed_at(value: Json) -> str | None:
    """When a status that can roll up was set, as its raw value says; it has no `updated_at`."""
    raw = value.get("value")
    try:
        found = json.loads(raw) if isinstance(raw, str) else raw
    except ValueError:
        return None
    at = found.get("changed_at") if isinstance(found, Mapping) else None
    return at if isinstance(at, str) else None


def status_labels(column: Column | None) -> dict[str, tuple[str, bool]]:
    """Index -> a status column's label, and whether it stands for done.

    Settings are a list of labels since 2025-10, and were a mapping with `done_colors` before.
    """
    settings = column.settings if column else {}
    labels, done = settings.get(LABELS), {str(one) for one in settings.get("done_colors") or ()}
    if isinstance(labels, Mapping):
        return {str(index): (clean(label), str(index) in done) for index, label in labels.items()}
    found = (one for one in labels or () if isinstance(one, Mapping)) if isinstance(labels, list) else ()
    return {str(one.get("index", one.get("id"))): (clean(one.get("label")), bool(one.get("is_done"))) for one in found}


def clean(value: object) -> str:
    """Text without surrounding space; half a character pair, which JSON can hold and no file can, is replaced."""
    if value is None:
        return ""
    text = str(value).strip()
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
