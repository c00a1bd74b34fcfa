"""What the memory connector does beyond the contract: locks, outages, mapped fields and items that are none."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Outcome, Page, SourceSetup
from connectors.errors import BusyError, ConnectorError, InputError, SetupError
from connectors.memory import TEXTS, TIMES, MemoryConnector
from connectors.model import Cursor, ItemRef, LabelChange, StatusCategory, WorkItem
from tests.fakes.memory import MemoryWorld


@pytest.fixture
def world(tmp_path: Path) -> MemoryWorld:
    return MemoryWorld(tmp_path)


def pull(setup: SourceSetup, cursor: Cursor | None = None) -> list[Page]:
    connector = MemoryConnector(setup)
    return list(connector.pull(connector.collections()[0], cursor))


def only_item(setup: SourceSetup) -> WorkItem:
    ((item,),) = (page.items for page in pull(setup))
    return item


def test_a_column_comes_from_the_field_that_config_maps(world: MemoryWorld) -> None:
    world.new_item(world.new_collection("Board"), "One", fields={"Success metric": " churn ", "Team": "Red"})
    mapping = {"outcome_metric": "Success metric", "team": "Team", "sponsor": "Executive sponsor"}
    item = only_item(replace(world.setup(), fields=mapping))
    assert item.outcome_metric == "churn"
    assert item.fields == {"team": "Red"}
    assert item.unknown == {"sponsor"}, "a mapped field that the item does not have cannot be answered"


def test_config_says_what_a_status_means(world: MemoryWorld) -> None:
    world.new_item(world.new_collection("Board"), "One", status="Waiting", status_category="todo")
    assert only_item(world.setup()).status_category is StatusCategory.TODO
    setup = replace(world.setup(), statuses={"Waiting": StatusCategory.IN_PROGRESS})
    assert only_item(setup).status_category is StatusCategory.IN_PROGRESS


def test_a_time_without_an_offset_is_the_source_s(world: MemoryWorld) -> None:
    world.new_item(world.new_collection("Board"), "One", due_at="2026-03-31")
    due = only_item(replace(world.setup(), timezone=ZoneInfo("Europe/Berlin"))).due_at
    assert due is not None
    assert due.isoformat() == "2026-03-31T00:00:00+02:00"


def test_an_item_that_cannot_be_read_is_skipped_and_not_gone(world: MemoryWorld) -> None:
    board = world.new_collection("Board")
    world.new_item(board, "One")
    world.new_item(board, "Two", due_at="soon")
    (page,) = pull(world.setup())
    assert [item.title for item in page.items] == ["One"]
    assert "item 2 cannot be read" in page.skipped[0]
    assert page.complete
    assert not page.full


def test_half_a_character_is_replaced(world: MemoryWorld) -> None:
    world.new_item(world.new_collection("Board"), "cut \ud83d")
    assert only_item(world.setup()).title == "cut ?"


def test_an_outage_leaves_the_pages_before_it(world: MemoryWorld) -> None:
    board = world.new_collection("Board")
    for number in range(5):
        world.new_item(board, f"Item {number}")
    world.outage(pages=1)
    connector = MemoryConnector(world.setup())
    pages = connector.pull(connector.collections()[0], None)
    first = next(pages)
    with pytest.raises(BusyError):
        next(pages)
    world.outage()
    assert len(first.items) + sum(len(page.items) for page in pull(world.setup(), first.cursor)) == 5


def test_a_locked_item_is_refused_and_the_next_is_written(world: MemoryWorld) -> None:
    board = world.new_collection("Board")
    items = [world.new_item(board, "One", locked=True), world.new_item(board, "Two")]
    connector = MemoryConnector(world.setup())
    changes = [LabelChange(ItemRef("small", item), add=("pmo-one",)) for item in items]
    results = list(connector.apply(connector.collections()[0], changes))
    assert [result.outcome for result in results] == [Outcome.REFUSED, Outcome.DONE]
    assert [record["item"] for record in world.log()] == [items[1]]


def test_writes_end_with_an_outage(world: MemoryWorld) -> None:
    board = world.new_collection("Board")
    items = [world.new_item(board, f"Item {number}") for number in range(3)]
    world.outage(writes=1)
    connector = MemoryConnector(world.setup())
    results = connector.apply(
        connector.collections()[0], [LabelChange(ItemRef("small", item), add=("pmo-one",)) for item in items]
    )
    assert next(results).outcome is Outcome.DONE
    with pytest.raises(BusyError):
        next(results)
    assert len(world.log()) == 1


def test_a_missing_world_is_a_mistake(tmp_path: Path) -> None:
    setup = SourceSetup("small", {"world": "nowhere.json"}, folder=tmp_path)
    with pytest.raises(SetupError, match=r"there is no file .*nowhere\.json"):
        MemoryConnector(setup).check()


@pytest.mark.parametrize("text", ["", "[]", '{"items": {}}', '{"items": [1]}', '{"items": [{}]}', '{"changed": "1"}'])
def test_a_file_that_is_no_world_is_refused(world: MemoryWorld, text: str) -> None:
    world.file.write_text(text, "utf-8")
    with pytest.raises(InputError):
        MemoryConnector(world.setup()).collections()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
OTHERS = ("title", "labels", "fields", "transitions", "assignees", "percent_complete", "parent", "unknown", "locked")
COLUMN = st.sampled_from([*TEXTS, *TIMES, *OTHERS, "status_category", "status_since_is"])


@given(columns=st.dictionaries(COLUMN, ANYTHING, max_size=4))
def test_whatever_an_item_holds_nothing_but_connector_errors_escape(columns: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        entry = {"native_id": "1", "collection": "B", "title": "One", **columns}
        text = json.dumps({"collections": [{"native_id": "B", "name": "Board"}], "items": [entry]})
        Path(folder, "world.json").write_text(text, "utf-8")
        setup = SourceSetup("small", {"world": "world.json"}, folder=Path(folder), writable=True)
        connector = MemoryConnector(setup)
        try:
            connector.check()
            (board,) = connector.collections()
            (page,) = connector.pull(board, None)
            list(connector.apply(board, [LabelChange(ItemRef("small", "1"), add=("pmo-one",))]))
        except ConnectorError:
            return
        assert len(page.items) + len(page.skipped) == 1
