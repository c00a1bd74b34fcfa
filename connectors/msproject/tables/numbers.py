"""Numbers, percentages, durations and costs as tables write them, with a decimal point or a decimal comma."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from connectors.msproject.tables.words import UNIT_HOURS, plain

DECIMALS = {".": "1,234.5", ",": "1.234,5"}
_NUMBER = re.compile(r"([-+−])?\s?(\d[\d.,'’\u00a0\u202f\u2009 ]*)")
_FORMS = {
    ".": re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?|\d+(\.\d+)?"),
    ",": re.compile(r"\d{1,3}(\.\d{3})+(,\d+)?|\d+(,\d+)?"),
}
_LONGEST = 40
_NONE: Mapping[str, float] = MappingProxyType({})


@lru_cache(maxsize=4096)
def number_readings(text: str) -> Mapping[str, float]:
    """Decimal sign -> the one number in this text, for those signs with which it is one; a unit or currency is ignored.

    Blanks and apostrophes set thousands apart with either sign.
    """
    found = _NUMBER.search(text) if len(text) <= _LONGEST else None
    if not found or any(sign.isdigit() for sign in text[found.end() :]):
        return _NONE
    digits = re.sub(r"['’\s]", "", found[2]).rstrip(".,")
    negative = found[1] in ("-", "−")
    plain_numbers = {sign: digits.replace("," if sign == "." else ".", "") for sign, form in _FORMS.items()
                     if form.fullmatch(digits)}  # fmt: skip
    return {
        sign: float(each.replace(",", ".")) * (-1 if negative else 1) for sign, each in plain_numbers.items()
    } or _NONE


def number(text: str, decimal: str) -> float | None:
    """The number in a text; `None` if there is none."""
    return number_readings(text).get(decimal)


@lru_cache(maxsize=4096)
def duration(text: str, decimal: str) -> str:
    """`15,5 Tage?` as `PT124H0M0S`; `""` if it is no duration. A bare number is days, as in Project."""
    value = number(text, decimal)
    unit = plain(re.sub(r"[\d.,'’+−-]", "", text))
    hours = _unit_hours(unit)
    if value is None or hours is None or value < 0:
        return ""
    minutes = round(value * hours * 60)
    return f"PT{minutes // 60}H{minutes % 60}M0S"


def _unit_hours(unit: str) -> float | None:
    if not unit:
        return UNIT_HOURS["d"]
    elapsed = unit[1:] if unit[0] in "ef" and unit not in UNIT_HOURS else unit
    hours = UNIT_HOURS.get(elapsed)
    if hours is None or elapsed == unit:
        return hours
    return {8: 24.0, 40: 168.0, 160: 720.0}.get(int(hours), hours)


@lru_cache(maxsize=4096)
def cost(text: str, decimal: str) -> str:
    """`9 680,00 ₽` in hundredths, as Project's XML has it: `968000`; `""` if it is no amount."""
    value = number(text, decimal)
    return "" if value is None else str(round(value * 100))
