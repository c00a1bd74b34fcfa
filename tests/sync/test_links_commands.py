"""`unstuck links`, and rules on initiatives, as commands: two tools, people, and what goes wrong in between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sync.trees import WHY
from tests.sync.town import Town

CONFIG = """
[links]
key = "initiative_id"
tools = true
patterns = ["[A-Z]+-[0-9]+"]
most = 3
[initiatives]
order = ["sheet", "tool"]
labels = ["sheet", "tool"]
[sources.tool]
system = "memory"
world = "world.json"
[sources.tool.fields]
initiative_id = "Initiative"
[sources.sheet]
system = "memory"
world = "sheet.json"
[sources.sheet.fields]
initiative_id = "Ini"
"""

RULES = """
[[rule]]
id = "no-sponsor"
on = "initiative"
label = "pmo-no-sponsor"
says = "Nobody sponsors {title}"
rollout = "now"
[rule.when]
status_category = "not done"
sponsor = "missing"
"""


class TwoTools(Town):
    """A town with a sheet beside its tool."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, CONFIG, RULES)
        self.rows: list[dict[str, Any]] = []
        self.row("1", Ini="INI-7")

    def row(self, number: str, links: tuple[str, ...] = (), title: str = "Checkout", **fields: str) -> None:
        """A person writes a row of the sheet; the sheet has no sponsors."""
        kept = [row for row in self.rows if row["native_id"] != number]
        entry: dict[str, Any] = {"native_id": number, "collection": "S", "key": f"ROAD-{number}", "title": title}
        entry["status"] = "Doing"
        entry |= {"status_category": "in_progress", "labels": self.sheet_labels(number), "fields": fields}
        self.rows = [*kept, {**entry, "links": [*links], "unknown": ["sponsor"], "changed": len(kept) + 1}]
        self.save()

    def save(self) -> None:
        sheet = {"collections": [{"native_id": "S", "name": "Sheet"}], "items": self.rows, "deleted": [], "log": []}
        (self.folder / "sheet.json").write_text(json.dumps(sheet))

    def sheet_labels(self, number: str = "1") -> list[str]:
        file = self.folder / "sheet.json"
        rows = json.loads(file.read_text())["items"] if file.exists() else []
        return next((row["labels"] for row in rows if row["native_id"] == number), [])

    def run(self, *more: str) -> str:
        said = self.unstuck("run", "--apply", "--full", "--force", "share", *more)
        assert said.code == 0, said.out + said.err
        return said.out + said.err

    def tree(self, key: str) -> Any:
        return self.unstuck("links", key, "--format", "json").json


@pytest.fixture
def town(tmp_path: Path) -> TwoTools:
    return TwoTools(tmp_path)


def test_labels_go_to_the_parts_that_config_names_and_off_again(town: TwoTools) -> None:
    town.add(1, sponsor="", fields={"Initiative": "ini-7"})
    town.add(2, sponsor="", parent="1")
    town.run()
    assert (town.labels(1), town.labels(2), town.sheet_labels()) == (["pmo-no-sponsor"], [], ["pmo-no-sponsor"])
    assert town.unstuck("findings", "--format", "json").json[0]["source"] == "initiative"
    town.edit(1, sponsor="Ada")
    town.run()
    assert (town.labels(1), town.sheet_labels()) == ([], [])
    before = len(town.writes)
    town.run()
    assert len(town.writes) == before


def test_parquet_has_what_is_found_of_an_initiative_with_its_parts(town: TwoTools) -> None:
    town.add(1, sponsor="", fields={"Initiative": "INI-7"})
    town.add(2, sponsor="", parent="1")
    town.run()
    assert town.unstuck("export", "--parquet", "out").code == 0
    assert {path.name for path in (town.folder / "out" / "findings").iterdir()} == {"source=sheet", "source=tool"}
    with duckdb.connect() as connection:
        files = "read_parquet('{}/{}/**/*.parquet', hive_partitioning = true)"
        found = connection.execute(f"SELECT source, key, label FROM {files.format(town.folder / 'out', 'findings')}")
        assert sorted(found.fetchall()) == [("sheet", "ROAD-1", "pmo-no-sponsor"), ("tool", "APP-1", "pmo-no-sponsor")]
        items = connection.execute(f"SELECT key, initiative_key FROM {files.format(town.folder / 'out', 'items')}")
        assert sorted(items.fetchall()) == [("APP-1", "INI-7"), ("APP-2", "INI-7"), ("ROAD-1", "INI-7")]


def test_a_person_is_heard_for_the_part_that_a_label_was_on(town: TwoTools) -> None:
    town.add(1, sponsor="", fields={"Initiative": "INI-7"})
    town.run()
    town.unlabel(1, "pmo-no-sponsor")
    town.run()
    assert (town.labels(1), town.sheet_labels()) == ([], ["pmo-no-sponsor"])


def test_only_the_head_gets_labels_where_config_names_no_source(town: TwoTools) -> None:
    town.write_config(CONFIG.replace('labels = ["sheet", "tool"]', ""))
    town.add(1, sponsor="", fields={"Initiative": "INI-7"})
    town.run()
    assert (town.labels(1), town.sheet_labels()) == ([], ["pmo-no-sponsor"])


def test_a_key_that_too_many_share_is_told_once_and_not_used(town: TwoTools) -> None:
    for number in range(1, 4):
        town.add(number, sponsor="", fields={"Initiative": "INI-7"})
    assert 'The key "ini-7" stands on 4 items, more than the 3' in town.run()
    assert town.labels(1) == []
    assert "stands on" not in town.run()
    unused = town.unstuck("links", "--format", "json").json
    assert [(row["target"], row["why"]) for row in unused] == [("ini-7", "stands on 4 items")]
    town.edit(3, fields={"Initiative": "TBD"})
    town.run()
    assert town.labels(1) == ["pmo-no-sponsor"]


def test_a_link_that_leads_to_two_items_or_to_one_that_is_gone_is_told(town: TwoTools) -> None:
    town.add(1, key="APP-1")
    town.add(2, key="APP-9")
    town.add(3, key="app-9")
    town.row("1", links=("https://elsewhere.example/x",), title="APP-1 and APP-9")
    town.run()
    assert [member["key"] for member in town.tree("APP-1")[0]["members"]] == ["ROAD-1", "APP-1"]
    town.remove(1)
    town.run("--force", "shrink")
    told = {link["target"]: link["why"] for link in town.tree("ROAD-1")[0]["not_used"]}
    assert told == {
        "APP-1": "the item that it leads to is gone",
        "APP-9": "more than one item goes by it",
        "https://elsewhere.example/x": WHY[None],
    }
    assert town.tree("ROAD-1")[0]["initiative"] is None
    assert "APP-9 more than one item goes by it" in town.unstuck("links", "road-1").out


def test_rings_of_links_and_parents_end(town: TwoTools) -> None:
    town.add(1, parent="2", fields={"Initiative": "INI-7"}, title="see ROAD-1")
    town.add(2, parent="1", fields={"Initiative": "INI-7"})
    town.row("1", title="APP-1, APP-2", Ini="INI-7")
    town.run()
    said = town.unstuck("links", "INI-7")
    assert said.code == 0
    assert all(f"{key} (" in said.out for key in ("APP-1", "APP-2", "ROAD-1"))


def test_explain_tells_which_tool_a_value_came_from(town: TwoTools) -> None:
    town.add(1, sponsor="Ada", fields={"Initiative": "INI-7"})
    town.run()
    for key in ("APP-1", "ini-7"):
        told = town.unstuck("explain", key).out
        assert "sponsor is missing" in told
        assert "Ada (from APP-1 in tool)" in told


def test_what_is_in_no_initiative_is_shown_in_its_hierarchy(town: TwoTools) -> None:
    town.add(1)
    town.add(2, parent="1")
    town.run()
    tree = town.tree("APP-2")[0]
    assert [member["key"] for member in tree["members"]] == ["APP-1"]
    assert tree["members"][0]["below"][0]["key"] == "APP-2"
    assert town.unstuck("links", "NO-1").code == 2


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('key = "initiative_id"', 'key = "initative_id"', 'did you mean "initiative_id"?'),
        ('"[A-Z]+-[0-9]+"', '"[A-Z"', "is no regular expression"),
        ('"[A-Z]+-[0-9]+"', '"x*"', "matches nothing at all"),
        ('order = ["sheet", "tool"]', 'order = ["sheets"]', 'did you mean "sheet"?'),
        ('labels = ["sheet", "tool"]', 'columns = { due_on = "tool" }', 'did you mean "due_at"?'),
        ("[sources.sheet]", "[sources.initiative]", "initiatives stand under this name"),
    ],
)
def test_mistakes_in_config(town: TwoTools, old: str, new: str, told: str) -> None:
    assert old in CONFIG
    town.write_config(CONFIG.replace(old, new))
    said = town.unstuck("check")
    assert said.code == 2
    assert told in said.out + said.err
