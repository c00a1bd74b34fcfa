"""One portfolio over four tools: work in Jira and Trello, metric in Smartsheet, dates in Project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.fakes.jira.api import Jira
from connectors.fakes.jira.doors import TOKEN as JIRA_TOKEN
from connectors.fakes.jira.site import Site
from connectors.fakes.smartsheet.account import TOKEN as SHEET_TOKEN
from connectors.fakes.smartsheet.api import Smartsheet
from connectors.fakes.trello.api import KEY, Trello
from connectors.fakes.trello.api import TOKEN as TRELLO_TOKEN
from tests.fakes import msproject as project
from tests.sync.town import Said, Town

CONFIG = """
brakes.share = 1.0
[links]
key = "initiative_id"
tools = true
[initiatives]
order = ["sheets", "delivery", "plan", "boards"]
columns = {{ due_at = "plan" }}
labels = ["delivery", "sheets", "boards"]

[sources.delivery]
system = "jira"
base_url = "{jira}"
token = {{ env = "JIRA_TOKEN" }}
[sources.delivery.fields]
initiative_id = "Initiative"
[sources.sheets]
system = "smartsheet"
base_url = "{sheets}"
token = {{ env = "SHEET_TOKEN" }}
label_column = "PMO labels"
[sources.sheets.fields]
initiative_id = "Initiative"
outcome_metric = "Success metric"
sponsor = "Sponsor"
[sources.boards]
system = "trello"
base_url = "{trello}"
key = {{ env = "TRELLO_KEY" }}
token = {{ env = "TRELLO_TOKEN" }}
[sources.plan]
system = "msproject"
path = "inbox/*.xml"
[sources.plan.fields]
initiative_id = "Initiative"
"""

RULES = """
[[rule]]
id = "no-metric"
on = "initiative"
label = "pmo-no-metric"
says = "No business-outcome metric"
rollout = "now"
[rule.when]
status_category = "not done"
outcome_grade = "missing"

[[rule]]
id = "no-metric-alone"
label = "pmo-no-metric"
says = "No business-outcome metric, and in no initiative"
rollout = "now"
[rule.when]
type = "not summary"
initiative_key = "missing"
outcome_metric = "missing"

[[rule]]
id = "no-sponsor"
on = "initiative"
label = "pmo-no-sponsor"
says = "{title}: nobody sponsors it"
rollout = "now"
[rule.when]
status_category = "not done"
sponsor = "missing"

[[rule]]
id = "late"
on = "initiative"
label = "pmo-late"
says = "Was due on {due_at}"
rollout = "now"
when = { due_at = "past" }
"""

SHEET = (
    ("Name", "TEXT_NUMBER"), ("Status", "PICKLIST"), ("Initiative", "TEXT_NUMBER"), ("Success metric", "TEXT_NUMBER"),
    ("Sponsor", "TEXT_NUMBER"), ("PMO labels", "MULTI_PICKLIST"),
)  # fmt: skip


class Portfolio(Town):
    """A town with four tools, and one initiative, INI-7, spread over them."""

    def __init__(self, folder: Path, trello: Trello, smartsheet: Smartsheet, jira: Jira) -> None:
        super().__init__(folder, CONFIG.format(jira=jira.url, sheets=smartsheet.url, trello=trello.url), RULES)
        self.jira, self.account, self.site, self.cards = jira.site, smartsheet.account, jira.site, trello.site
        self.account.now = self.cards.now = self.site.now
        field = self.site.new_field("Initiative", "textfield").id
        self.epic = self.site.new_issue("APP", "Faster checkout")
        self.site.spoil(self.epic.id, **{field: "INI-7"})
        self.sheet = self.account.new_sheet("Portfolio", SHEET)
        values = {"Name": "Checkout", "Status": "In Progress", "Initiative": "ini-7 ", "Sponsor": "Ann"}
        self.row = self.account.add_row(self.sheet, {**values, "Success metric": "Abandoned baskets 30 % to 20 %"})
        self.board = self.cards.new_board("Shop")
        self.card = self.cards.new_card(self.board, "New payment page")
        self.cards.attach(self.card, f"{jira.url}/browse/{self.epic.key}?focusedId=1")
        self.cards.attach(self.card, "https://example.com/mock-up.png", upload=True)
        (folder / "inbox").mkdir()
        self.due("2027-03-01T17:00:00")

    def due(self, day: str) -> None:
        text = project.project(
            project.task(1, "Checkout", project.value(project.TEXT1, "INI-7"), Finish=day, PercentComplete=40),
            definitions=[project.define(project.TEXT1, "Text1", "Initiative")],
            LastSaved=f"{self.site.now:%Y-%m-%dT%H:%M:%S}",
        )
        (self.folder / "inbox" / "rollout.xml").write_text(text, encoding="utf-8")

    def environment(self, more: Any = None) -> dict[str, str]:
        tokens = {"JIRA_TOKEN": JIRA_TOKEN, "SHEET_TOKEN": SHEET_TOKEN, "TRELLO_KEY": KEY, "TRELLO_TOKEN": TRELLO_TOKEN}
        now = f"{self.site.now:%Y-%m-%dT%H:%M:%S}"
        return {**super().environment(more), **tokens, "UNSTUCK_NOW": now, **(more or {})}

    def run(self, *arguments: str) -> Said:
        said = self.unstuck("run", "--apply", "--json", *arguments)
        assert said.code == 0, said.out + said.err
        return said

    def shown(self) -> dict[str, list[str]]:
        """The labels that each tool shows on its part of the initiative."""
        items = self.unstuck("items", "--format", "json").json
        return {item["source"]: sorted(item["labels"]) for item in items}

    def later(self, **time: int) -> None:
        self.site.pass_time(timedelta(**time))
        self.account.now = self.cards.now = self.site.now


@pytest.fixture
def portfolio(tmp_path: Path) -> Iterator[Portfolio]:
    site = Site(cloud=False)
    site.new_project("APP", "The app")
    with ExitStack() as closing:
        trello, smartsheet, jira = Trello(), Smartsheet(), Jira(site)
        for each in (trello, smartsheet, jira):
            closing.callback(each.close)
        yield Portfolio(tmp_path, trello, smartsheet, jira)


def test_one_portfolio_over_four_tools(portfolio: Portfolio) -> None:
    portfolio.run()
    assert portfolio.shown() == {"boards": [], "delivery": [], "plan": [], "sheets": []}
    tree = portfolio.unstuck("links", "INI-7", "--format", "json").json[0]
    assert {member["source"] for member in tree["members"]} == {"boards", "delivery", "plan", "sheets"}

    portfolio.account.set(portfolio.sheet, portfolio.row, Sponsor=None)
    portfolio.later(hours=2)
    portfolio.run()
    portfolio.run()
    everywhere = {name: ["pmo-no-sponsor"] for name in ("boards", "delivery", "sheets")}
    assert portfolio.shown() == {**everywhere, "plan": []}
    assert portfolio.run().json["planned"]["items"] == 0
    told = portfolio.unstuck("explain", portfolio.epic.key).out
    assert "sponsor is missing" in told
    assert f"(from {portfolio.sheet.name} 1 in sheets)" in told

    portfolio.account.set(portfolio.sheet, portfolio.row, Sponsor="Bob")
    portfolio.due("2020-03-01T17:00:00")
    portfolio.later(hours=2)
    portfolio.run()
    portfolio.run()
    assert portfolio.shown()["delivery"] == ["pmo-late"]
    assert "rollout-1 in plan" in portfolio.unstuck("explain", "INI-7").out


def test_a_tool_that_is_down_changes_nothing_in_the_others(portfolio: Portfolio) -> None:
    portfolio.run()
    (portfolio.folder / "inbox" / "rollout.xml").write_text("<Project", encoding="utf-8")
    portfolio.later(hours=2)
    assert portfolio.unstuck("run", "--apply").code == 1
    tree = portfolio.unstuck("links", "INI-7", "--format", "json").json[0]
    assert {member["source"] for member in tree["members"]} == {"boards", "delivery", "plan", "sheets"}
