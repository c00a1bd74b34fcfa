"""What Smartsheet really answered to writes: the fake answers the same, and the connector makes sense of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.base import Outcome, SourceSetup
from connectors.fakes.server import Answer
from connectors.fakes.smartsheet.account import TOKEN
from connectors.fakes.smartsheet.api import Smartsheet
from connectors.model import ItemRef, LabelChange
from connectors.smartsheet import SmartsheetConnector
from connectors.smartsheet.reading import parse_cursor
from tests.fakes.smartsheet_recorded import load_sheet, moment

pytestmark = pytest.mark.filterwarnings("ignore:ssl.OP_NO_SSL:DeprecationWarning")

Json = dict[str, Any]
LABELS = "Maintains"
"""The recorded sheet's multi-select column."""


@pytest.fixture
def smartsheet() -> Iterator[Smartsheet]:
    with closing(Smartsheet()) as smartsheet:
        yield smartsheet


@pytest.fixture
def pairs(samples: Path) -> list[Json]:
    found: list[Json] = json.loads((samples / "smartsheet" / "recorded_api_pairs_dmfigol_MIT.json").read_text("utf-8"))
    return found


def of(pairs: list[Json], cassette: str) -> tuple[Json, Json, Json, Json]:
    """The sheet before, the request that changed it, what was answered to that, and the sheet after."""
    mine = [one for one in pairs if one["cassette"] == f"TestUpdateSheet.{cassette}.yaml"]
    at = next(number for number, one in enumerate(mine) if changes_rows(one["request"]))
    sheets = [(number, one["response"]["body"]) for number, one in enumerate(mine) if is_sheet(one)]
    before = next(body for number, body in reversed(sheets) if number < at)
    after: Json = next((body for number, body in sheets if number > at), {})
    return before, mine[at]["request"], mine[at]["response"]["body"], after


def changes_rows(request: Json) -> bool:
    path = request["uri"].partition("?")[0]
    return request["method"] != "GET" and path.endswith(("/rows", "/sort")) and not is_seeding(request)


def is_seeding(request: Json) -> bool:
    return bool(request["method"] == "POST" and request["uri"].endswith("/rows"))


def is_sheet(one: Json) -> bool:
    return "level=2" in one["request"]["uri"] and "rows" in one["response"]["body"]


def shown(body: Mapping[str, Any]) -> Json:
    """Of a sheet's answer, what says how it is: recordings also have what no connector asks about."""
    parts: Json = {name: body[name] for name in ("version", "totalRowCount", "rows")}
    return parts


def ask(smartsheet: Smartsheet, method: str, path: str, body: object = None) -> Json:
    answer = requests.request(
        method, f"{smartsheet.url}{path}", json=body, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=5
    )
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def test_the_fake_answers_a_write_as_smartsheet_did(smartsheet: Smartsheet, pairs: list[Json]) -> None:
    before, request, answer, after = of(pairs, "test_sheet_update_rows")
    sheet = load_sheet(smartsheet.account, before)
    whole = f"/sheets/{sheet.id}?level=2&include=objectValue"
    assert shown(ask(smartsheet, "GET", whole)) == shown(before)
    smartsheet.account.now = moment(answer["result"][0]["modifiedAt"])
    assert ask(smartsheet, "PUT", f"/sheets/{sheet.id}/rows", request["body"]) == answer
    assert shown(ask(smartsheet, "GET", whole)) == shown(after)


@pytest.mark.parametrize("cassette", ["test_sheet_delete_row", "test_sheet_sort_rows"])
def test_the_fake_modifies_the_rows_that_smartsheet_modified(
    smartsheet: Smartsheet, pairs: list[Json], cassette: str
) -> None:
    before, request, answer, after = of(pairs, cassette)
    sheet = load_sheet(smartsheet.account, before)
    after = after or answer
    smartsheet.account.now = max(moment(row["modifiedAt"]) for row in after["rows"])
    if cassette == "test_sheet_sort_rows":
        column = next(one for one in sheet.columns if one.id == request["body"]["sortCriteria"][0]["columnId"])
        smartsheet.account.sort(sheet, column.title)
    else:
        gone = next(row for row in sheet.rows if str(row.id) in request["uri"])
        smartsheet.account.delete_row(sheet, gone)
    now = ask(smartsheet, "GET", f"/sheets/{sheet.id}?level=2&include=objectValue")
    touched = [(row["id"], row["rowNumber"], row["modifiedAt"]) for row in after["rows"]]
    assert [(row["id"], row["rowNumber"], row["modifiedAt"]) for row in now["rows"]] == touched
    assert now["version"] == after["version"]


def test_a_recorded_answer_to_a_write_is_understood(smartsheet: Smartsheet, pairs: list[Json]) -> None:
    """Two rows, answered in the sheet's order and not in ours, with the version that our write made."""
    before, request, answer, _ = of(pairs, "test_sheet_update_rows")
    sheet = load_sheet(smartsheet.account, before)
    smartsheet.script(Answer(json=answer), method="PUT")
    options = {"base_url": smartsheet.url, "token": TOKEN, "label_column": LABELS}
    refs = [ItemRef("portfolio", str(row["id"])) for row in request["body"]]
    with closing(SmartsheetConnector(SourceSetup("portfolio", options, writable=True))) as connector:
        [collection] = connector.collections()
        list(connector.pull(collection, None))
        results = list(connector.apply(collection, [LabelChange(ref, add=("pmo-one",)) for ref in refs]))
    assert [(result.ref, result.outcome) for result in results] == [(ref, Outcome.DONE) for ref in refs]
    cursor = parse_cursor(results[-1].cursor)
    assert cursor is not None
    assert cursor.version == answer["version"] == sheet.version + 1


def test_labels_are_written_in_the_shape_that_smartsheet_took(smartsheet: Smartsheet, pairs: list[Json]) -> None:
    before, *_ = of(pairs, "test_sheet_update_rows")
    sheet = load_sheet(smartsheet.account, before)
    taken = [cell for one in pairs if is_seeding(one["request"]) for row in rows_in(one) for cell in row["cells"]]
    shapes = [cell["objectValue"] for cell in taken if "objectValue" in cell]
    options = {"base_url": smartsheet.url, "token": TOKEN, "label_column": LABELS}
    row = sheet.rows[0]
    theirs = list(row.cells[sheet.column(LABELS).id].value)
    with closing(SmartsheetConnector(SourceSetup("portfolio", options, writable=True))) as connector:
        [collection] = connector.collections()
        list(connector.apply(collection, [LabelChange(ItemRef("portfolio", str(row.id)), add=("pmo-one",))]))
    [put] = [one.json for one in smartsheet.requests if one.method == "PUT"]
    [cell] = put[0]["cells"]
    assert {frozenset(shape) for shape in shapes} == {frozenset(cell["objectValue"])}
    assert {shape["objectType"] for shape in shapes} == {cell["objectValue"]["objectType"]}
    assert cell["objectValue"]["values"] == [*theirs, "pmo-one"]


def rows_in(pair: Json) -> list[Json]:
    body = pair["request"]["body"]
    return body if isinstance(body, list) else [body]
