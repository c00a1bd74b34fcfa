"""The fake Smartsheet is held to the vendor's description, and the holding itself is awake."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import requests

from connectors.fakes.smartsheet.account import TOKEN
from connectors.fakes.smartsheet.api import Smartsheet
from tests.fakes.smartsheet_openapi import SmartsheetJudge

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def judge_of(specs: Path) -> SmartsheetJudge:
    return SmartsheetJudge(specs / "smartsheet" / "openapi-2025-07.patched.json")


def test_what_is_asked_wrongly_is_noticed(specs: Path) -> None:
    judge = judge_of(specs)
    with closing(Smartsheet(judge=judge)) as fake:
        sheet = fake.account.new_sheet("Plan")
        for query in ("levle=2", "include=objectvalue", "exclude=nothing"):
            before = len(judge.complaints)
            requests.get(f"{fake.url}/sheets/{sheet.id}?{query}", headers=HEADERS, timeout=5)
            assert len(judge.complaints) == before + 1, query


def test_what_is_answered_wrongly_is_noticed(specs: Path) -> None:
    judge = judge_of(specs)
    with closing(Smartsheet(judge=judge)) as fake:
        fake.account.new_sheet("Plan").name = ["no", "text"]  # type: ignore[assignment]  # that is what is wrong
        requests.get(f"{fake.url}/sheets?includeAll=true", headers=HEADERS, timeout=5)
    assert [one for one in judge.complaints if one.startswith("GET /sheets, 200")]


def test_a_sheet_that_did_not_change_is_a_version_and_nothing_else() -> None:
    with closing(Smartsheet()) as fake:
        sheet = fake.account.new_sheet("Plan")
        address = f"{fake.url}/sheets/{sheet.id}?ifVersionAfter={sheet.version}"
        assert requests.get(address, headers=HEADERS, timeout=5).json() == {"version": sheet.version}
        fake.account.sort(sheet, "Status")
        assert "rows" in requests.get(address, headers=HEADERS, timeout=5).json()


def test_below_level_2_several_values_are_one_text() -> None:
    with closing(Smartsheet()) as fake:
        sheet = fake.account.new_sheet("Plan")
        fake.account.add_row(sheet, {"PMO labels": ["one", "two"]})
        asked = f"{fake.url}/sheets/{sheet.id}?include=objectValue&exclude=nonexistentCells"
        (low, high) = (
            requests.get(f"{asked}&level={level}", headers=HEADERS, timeout=5).json()["rows"][0]["cells"][0]
            for level in (0, 2)
        )
    assert (low["value"], low.get("objectValue")) == ("one, two", None)
    assert (high.get("value"), high["objectValue"]["values"]) == (None, ["one", "two"])
