"""NUL in what a tool says: SQLite ends a text at it in some places and not in others, so it never enters the store."""

from __future__ import annotations

from datetime import UTC

from hypothesis import given

from connectors.model import ItemRef, WorkItem
from rules.grading import Grader
from rules.table import detail_row, pulled_row, without_nul
from tests.rules.items import ITEMS
from tests.sync.town import LONG_AGO, Town


def test_a_reason_that_counts_days_is_whole(town: Town) -> None:
    town.add(1, status="Do\0ing", status_since=LONG_AGO)
    assert town.unstuck("run").code == 0
    [finding] = town.unstuck("findings", "--format", "json").json
    assert finding["reason"] == "In Doing for 14 business days"


def test_an_item_is_not_taken_for_a_changed_one_at_each_pull(town: Town) -> None:
    town.add(1, status="Do\0ing", title="a\0b", labels=["x\0y"], assignees=["A\0nn"])
    town.unstuck("run")
    again = town.unstuck("run", "--full", "--json").json
    assert again["sources"][0]["changed"] == 0
    [item] = town.unstuck("items", "--format", "json").json
    assert (item["status"], item["title"], item["labels"], item["assignees"]) == ("Doing", "ab", ["xy"], ["Ann"])


@given(item=ITEMS)
def test_no_column_holds_one(item: WorkItem) -> None:
    kept = without_nul(item)
    row = (*pulled_row(kept, UTC, Grader()), *detail_row(kept))
    named = (kept.ref.source, kept.ref.native_id, kept.collection)
    assert not [value for value in row if isinstance(value, str) and value not in named and "\0" in value]
    assert without_nul(kept) == kept


def test_what_names_an_item_or_its_place_stays_as_it_is() -> None:
    item = WorkItem(
        ItemRef("tool", "1\0"), "K\0", "t", "c\0", fields={"a\0": "b\0", "c": "d"}, unknown=frozenset({"c"})
    )
    kept = without_nul(item)
    assert (kept.ref.native_id, kept.collection, kept.key) == ("1\0", "c\0", "K")
    assert kept.fields == {"a\0": "b", "c": "d"}
    assert kept.unknown == {"c"}
