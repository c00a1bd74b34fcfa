"""Which labels of people's own keep an item free of ours, and on which day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.model import Exempting

TODAY = date(2026, 3, 20)
UNLESS = Exempting("pmo-exempt", TODAY)


@pytest.mark.parametrize(
    "label",
    ["pmo-exempt", "PMO-Exempt ", "pmo-exempt-until-2026-03-20", "pmo-exempt-until-2026-12-31", "pmo-exempt-until-May"],
)
def test_what_exempts(label: str) -> None:
    assert UNLESS.among(["blue", label]) == label


@pytest.mark.parametrize(
    "label", ["blue", "pmo-exempt-until-2026-03-19", "pmo-exempted", "pmo-exemption", "x-pmo-exempt", "exempt", ""]
)
def test_what_does_not(label: str) -> None:
    assert UNLESS.among([label]) is None


def test_of_several_the_longest_holds() -> None:
    until = ["pmo-exempt-until-2026-05-01", "pmo-exempt-until-2026-07-01", "pmo-exempt-until-2026-01-01"]
    assert UNLESS.among(until) == until[1]
    assert UNLESS.among([*until, "pmo-exempt"]) == "pmo-exempt"


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.dates(date(1900, 1, 2), date(2200, 1, 1)))
def test_the_last_day_still_counts(until: date, today: date) -> None:
    label = f"pmo-exempt-until-{until}"
    assert (Exempting("pmo-exempt", today).among([label]) == label) is (until >= today)
    assert Exempting("pmo-exempt", until + timedelta(days=1)).is_over(label)
