"""What a cell means. Pure functions on the JSON of cells at `level=2` with `include=objectValue`.

https://developers.smartsheet.com/api/smartsheet/openapi/cells: a simple value stands in `value`; values of multi-select
and multi-contact columns stand in `objectValue` alone. Only empty cells have neither.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

Json = Mapping[str, Any]

_ERROR = re.compile(
    r"#((?:CIRCULAR|DIVIDE BY|INCORRECT|INVALID|NESTED|NO|PERMISSION|UNSUPPORTED)(?: [A-Z-]+)+|[A-Z]+ EXPECTED|BLOCKED"
    r"|CALCULATING\.*|IMBALANCED|OVERFLOW|REF|UNPARSEABLE|UNSUPPORTED)!?"
)
"""`#NO MATCH`, `#UNPARSEABLE`, `#INVALID COLUMN TYPE`: nothing else marks the error of a formula.
https://help.smartsheet.com/articles/2476176-formula-error-messages"""

_PARTS: Mapping[str, float] = {"empty": 0, "quarter": 25, "half": 50, "three quarter": 75, "full": 100}
"""The symbols of progress bars and Harvey balls."""


class NoAnswerError(ValueError):
    """The cell holds something that does not answer: a formula's error, text where a date should be."""


def is_error(value: object) -> bool:
    return isinstance(value, str) and bool(_ERROR.fullmatch(value.strip()))


def is_blank(cell: Json) -> bool:
    """Whether nobody put anything in: empty, an unticked box, or what a formula made."""
    if cell.get("formula"):
        return True
    return not cell.get("value") and not cell.get("objectValue")


def text_of(cell: Json) -> str:
    """The text that people see; `""` for an empty cell. Raises `NoAnswerError` for a formula's error."""
    value = cell.get("value")
    if is_error(value):
        raise NoAnswerError(str(value))
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if (names := parts_of(cell)) is not None:
        return ", ".join(names)
    shown = cell.get("displayValue")
    return clean(value if shown is None else shown)


def names_of(cell: Json) -> tuple[str, ...]:
    """The people in a cell by their names, or their addresses; of a cell with text, the text."""
    names = parts_of(cell)
    if names is None:
        names = (text_of(cell),)
    return tuple(name for name in dict.fromkeys(names) if name)


def values_of(cell: Json) -> tuple[str, ...]:
    """The values of a multi-select cell, in its order."""
    names = parts_of(cell)
    if names is None:
        value = cell.get("value")
        names = (clean(value),) if value else ()
    return tuple(name for name in dict.fromkeys(names) if name)


def parts_of(cell: Json) -> tuple[str, ...] | None:
    """The values of a cell that can hold several, and the name of a contact; `None` for any other cell."""
    whole = cell.get("objectValue")
    if not isinstance(whole, Mapping):
        return None
    if isinstance(values := whole.get("values"), list):
        return tuple(name_of(one) for one in values)
    if whole.get("objectType") == "CONTACT":
        return (name_of(whole),)
    return None


def name_of(one: object) -> str:
    """A value of several, or a contact, which may lack its name or its address."""
    if isinstance(one, Mapping):
        return clean(one.get("name") or one.get("email"))
    return clean(one)


def percent_of(cell: Json) -> float | None:
    """0 to 100; `None` for an empty cell. Raises `NoAnswerError`.

    A column that shows percent holds fractions: 0.4 is shown as `40%`. Other columns hold what people typed.
    """
    value, shown = cell.get("value"), str(cell.get("displayValue") or "")
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return _within(_number_in(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NoAnswerError(str(value))
    return _within(value * 100 if shown.rstrip().endswith("%") or 0 < value <= 1 else float(value))


def _number_in(text: str) -> float:
    if (part := _PARTS.get(text.strip().casefold())) is not None:
        return part
    if match := re.fullmatch(r"\s*(\d{1,3}(?:[.,]\d+)?)\s*%?\s*", text):
        return float(match[1].replace(",", "."))
    raise NoAnswerError(text)


def _within(percent: float) -> float:
    if not 0 <= percent <= 100:
        raise NoAnswerError(f"{percent} percent")
    return round(percent, 6)


def moment_of(cell: Json, zone: tzinfo | None) -> datetime | None:
    """When; `None` for an empty cell. Raises `NoAnswerError` for text that is no date.

    Dates of project columns (ABSTRACT_DATETIME) and plain dates have no zone; they are the source's.
    """
    value = cell.get("value")
    whole = cell.get("objectValue")
    if value is None and isinstance(whole, Mapping):
        value = whole.get("value")
    if value is None or value == "":
        return None
    return moment(str(value), zone)


def moment(text: str, zone: tzinfo | None) -> datetime:
    """An aware time from ISO 8601. `10/12/26`, typed into a cell, could be one of two days, and so is none."""
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise NoAnswerError(text) from None
    return time if time.tzinfo else time.replace(tzinfo=zone or UTC)


def clean(value: object) -> str:
    """Text without surrounding space; half a character pair, which JSON can hold and no file can, is replaced."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().encode("utf-8", "replace").decode("utf-8")
