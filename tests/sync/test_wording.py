"""Words as people write them."""

from __future__ import annotations

import pytest

from connectors.wording import many
from sync.wording import mid_sentence


@pytest.mark.parametrize(
    ("sentence", "within"),
    [
        ("Nobody sponsors it", "nobody sponsors it"),
        ("A sponsor is missing", "a sponsor is missing"),
        ("In progress for 7 days", "in progress for 7 days"),
        ("In Progress for 7 days", "In Progress for 7 days"),
        ("Ada Lovelace left", "Ada Lovelace left"),
        ("ERP is down", "ERP is down"),
        ("4 of 5 are late", "4 of 5 are late"),
        ("X", "x"),
        ("", ""),
    ],
)
def test_a_sentence_within_another(sentence: str, within: str) -> None:
    assert mid_sentence(sentence) == within


@pytest.mark.parametrize(
    ("number", "told"),
    [(0, "0 vetoes"), (1, "1 veto"), (2, "2 vetoes"), (1200, "1,200 vetoes"), (10**6, "1,000,000 vetoes")],
)
def test_how_many(number: int, told: str) -> None:
    assert many(number, "veto", "vetoes") == told
    assert many(1, "item") + many(3, "item") == "1 item3 items"
