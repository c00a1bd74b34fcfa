"""Exemptions: by a label in the tool and by files, when planning and again right before a write (law 9)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.model import Exempting, ItemRef
from sync import apply as applying
from sync.exemptions import Exemption, Exemptions
from sync.plan import ItemState, Reason
from tests.sync.test_interrupted import Meddled, here, run, unversioned  # noqa: F401 - fixtures
from tests.sync.town import CONFIG, LONG_AGO, ROOT, RULES, Town

FILES = 'exemptions = ["exempt*.toml"]\n' + CONFIG
ENTRY = """
[[exemption]]
source   = "tool"
key      = "app-1"
reason   = "The sponsor changes at the turn of the year"
approver = "Ada Lovelace"
until    = 2026-03-31
"""


def exempt(town: Town, text: str, name: str = "exemptions.toml") -> None:
    town.write_config(FILES)
    (town.folder / name).write_text(text)


def apply(town: Town) -> Any:
    said = town.unstuck("run", "--apply", "--json")
    assert said.code == 0, said.err
    return said.json


# By label


@pytest.mark.parametrize("label", ["pmo-exempt", "PMO-Exempt-until-2026-03-20"])
def test_an_exempt_item_gets_no_label_and_loses_those_that_it_has(town: Town, label: str) -> None:
    town.add(1, sponsor="", labels=[label])
    town.add(2, sponsor="", status_since=LONG_AGO)
    told = apply(town)
    assert town.labels(1) == [label]
    assert (told["held"]["exempt"], told["exemptions"]["items"]) == (1, 1)
    town.label(2, label)
    apply(town)
    assert town.labels(2) == [label]
    assert apply(town)["planned"] == {"items": 0, "add": 0, "remove": 0, "copies": 0}
    assert town.labels(2) == [label]  # it is a person's, and never ours to take off


def test_why_an_exempt_item_loses_a_label_is_told(town: Town) -> None:
    town.add(1, sponsor="")
    apply(town)
    town.label(1, "pmo-exempt-until-2026-12-31")
    said = town.unstuck("plan")
    assert "- pmo-no-sponsor  APP-1" in said.out
    assert "exempt until 31 Dec 2026 by its label pmo-exempt-until-2026-12-31" in said.out
    assert "Held back: 1 exempt." in said.out
    assert "Exempt: 1 item by label, 0 by file." in said.out
    assert "no rule labels the item" in town.unstuck("explain", "APP-1").out


def test_an_exemption_that_is_over_holds_nothing(town: Town) -> None:
    town.add(1, sponsor="", labels=["pmo-exempt-until-2026-03-20"])
    apply(town)
    town.now = "2026-03-21T00:00:00"
    apply(town)
    assert town.labels(1) == ["pmo-exempt-until-2026-03-20", "pmo-no-sponsor"]


def test_the_last_day_ends_where_the_people_are(town: Town) -> None:
    town.write_config('timezone = "America/Los_Angeles"\n' + CONFIG)
    town.add(1, sponsor="", labels=["pmo-exempt-until-2026-03-20"])
    town.now = "2026-03-21T06:59:00"  # still the evening of the 20th there
    apply(town)
    assert town.labels(1) == ["pmo-exempt-until-2026-03-20"]


def test_a_slip_in_the_day_exempts_and_is_explained(town: Town) -> None:
    town.add(1, sponsor="", labels=["pmo-exempt-until-easter"])
    apply(town)
    assert town.labels(1) == ["pmo-exempt-until-easter"]
    assert "names no day" in town.unstuck("explain", "APP-1").out


def test_exempting_is_no_veto_and_ending_it_brings_the_label_back(town: Town) -> None:
    town.add(1, sponsor="")
    apply(town)
    town.label(1, "pmo-exempt")
    apply(town)
    town.unlabel(1, "pmo-exempt")
    assert apply(town)["vetoes"] == 0
    assert town.labels(1) == ["pmo-no-sponsor"]


# By file


def test_a_file_exempts_an_item(town: Town) -> None:
    exempt(town, ENTRY)
    for number in (1, 2):
        town.add(number, sponsor="", status_since=LONG_AGO)
    told = apply(town)
    assert town.labels(1) == []
    assert len(town.labels(2)) == 2
    assert told["held"]["exempt"] == 2
    assert told["exemptions"] == {"items": 0, "entries": 1, "ended": []}
    said = town.unstuck("explain", "APP-1").out
    assert "pmo-no-sponsor: exempt until 31 Mar 2026: The sponsor changes at the turn of the year" in said
    assert "(Ada Lovelace, exemptions.toml:2)" in said
    assert town.unstuck("status", "--format", "json").json["exemptions"]["entries"] == 1
    assert "Exempt: 0 items by label, 1 by file." in town.unstuck("status").out


@pytest.mark.parametrize("names", ['rule = "no-sponsor"', 'source = "tool"\nkey = "APP-1"\nrule = "no-sponsor"'])
def test_a_file_exempts_from_one_rule(town: Town, names: str) -> None:
    exempt(town, '[[exemption]]\nreason = "x"\napprover = "Ada"\nuntil = 2026-12-31\n' + names)
    town.add(1, sponsor="", status_since=LONG_AGO)
    apply(town)
    assert town.labels(1) == ["pmo-stuck-10d"]


def test_an_exemption_takes_labels_off_and_its_end_brings_them_back(town: Town) -> None:
    town.add(1, sponsor="")
    apply(town)
    exempt(town, ENTRY)
    apply(town)
    assert town.labels(1) == []
    town.now = "2026-04-01T12:00:00"
    said = town.unstuck("run", "--json").json
    assert said["exemptions"]["ended"] == [
        "app-1: exempt until 31 Mar 2026: The sponsor changes at the turn of the year (Ada Lovelace, exemptions.toml:2)"
    ]
    assert "No exemption any more: app-1" in town.unstuck("plan").out
    assert "No exemption any more: app-1" in town.unstuck("check").out
    apply(town)
    assert "pmo-no-sponsor" in town.labels(1)
    town.now = "2026-04-15T12:00:00"
    assert town.unstuck("run", "--json").json["exemptions"]["ended"] == []


def test_all_mistakes_of_all_files_come_at_once_and_nothing_is_done(town: Town) -> None:
    exempt(town, ENTRY.replace("until    =", "untill   =").replace('"tool"', '"tol"'))
    exempt(town, '[[exemption]]\nreason = ""\nuntil = "2026-12-31"\n', "exempt-b.toml")
    exempt(town, "[exemption]\n", "exempt-c.toml")
    exempt(town, ENTRY.replace('source   = "tool"\n', ""), "exempt-d.toml")
    exempt(town, ENTRY + 'rule = "no-sponser"\n', "exempt-e.toml")
    exempt(town, ENTRY + "[[exemptions]]\n", "exempt-f.toml")
    exempt(town, "[[", "exempt-g.toml")
    town.add(1, sponsor="")
    said = town.unstuck("run", "--apply")
    assert said.code == 2
    assert town.writes == []
    assert [line.partition(": I")[0] for line in said.err.splitlines()] == [
        "exempt-b.toml:2: reason: must be text in quotes that is not empty",
        "exempt-b.toml:1: approver: is missing; an exemption says why, and who allowed it",
        "exempt-b.toml:3: until: must be a day without quotes: until = 2026-12-31",
        "exempt-b.toml:1: it names nothing; give it the source and key of an item, a source, or a rule",
        "exempt-c.toml:1: exemptions begin with [[exemption]], in two pairs of brackets",
        "exempt-d.toml:3: source: is missing; two sources may use one key",
        'exempt-e.toml:8: rule: there is no rule "no-sponser"; did you mean "no-sponsor"?',
        "exempt-f.toml:8: exemptions: there is no such key; a file of exemptions holds [[exemption]] tables only",
        "exempt-g.toml: is not valid TOML",
        'exemptions.toml:7: untill: there is no such key; did you mean "until"?',
        "exemptions.toml:2: until: is missing; an exemption has a last day: until = 2026-12-31",
    ]
    assert town.unstuck("check").code == 2
    assert town.unstuck("explain", "APP-1").code == 2


def test_what_is_over_may_name_what_is_gone(town: Town) -> None:
    exempt(town, ENTRY.replace("2026-03-31", "2026-01-31").replace('"tool"', '"a tool that was switched off"'))
    town.add(1, sponsor="")
    apply(town)
    assert town.labels(1) == ["pmo-no-sponsor"]


def test_a_name_that_finds_no_file_is_a_mistake(town: Town) -> None:
    town.write_config(FILES)
    said = town.unstuck("run", "--apply")
    assert said.code == 2
    assert 'exemptions: "exempt*.toml" finds no file' in said.err


# 9. Exemptions are checked again at the moment of writing


def test_a_label_that_exempts_after_the_pull_is_noticed_before_the_write(
    here: Town,  # noqa: F811
    run: Callable[..., int],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here.add(1, sponsor="")
    monkeypatch.setattr(Meddled, "before", lambda: unversioned(here, labels=["pmo-exempt"]))
    assert run("--apply", "--json") == 0
    assert '"held": {"exempt": 1' in capsys.readouterr().out
    assert here.writes == []
    assert here.labels(1) == ["pmo-exempt"]
    monkeypatch.setattr(Meddled, "before", None)
    assert run("--apply") == 0
    assert here.writes == []


def test_a_label_that_exempts_after_the_pull_lets_removals_through(
    here: Town,  # noqa: F811
    run: Callable[..., int],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here.add(1, sponsor="")
    assert run("--apply") == 0
    here.edit(1, sponsor="Ada")
    monkeypatch.setattr(Meddled, "before", lambda: unversioned(here, labels=["pmo-exempt", "pmo-no-sponsor"]))
    assert run("--apply") == 0
    assert here.labels(1) == ["pmo-exempt"]


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "PIECE", 1)


@pytest.mark.usefixtures("one_by_one")
def test_a_file_that_exempts_after_the_plan_is_noticed_before_the_write(
    here: Town,  # noqa: F811
    run: Callable[..., int],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exempt(here, ENTRY.replace("app-1", "APP-9"))
    for number in (1, 2, 3):
        here.add(number, sponsor="")
    other = ENTRY.replace("app-1", "APP-2")
    monkeypatch.setattr(Meddled, "before", lambda: exempt(here, other))
    assert run("--apply") == 0
    assert [here.labels(number) for number in (1, 2, 3)] == [["pmo-no-sponsor"], [], ["pmo-no-sponsor"]]


@pytest.mark.usefixtures("one_by_one")
def test_a_file_that_breaks_after_the_plan_stops_labels_and_lets_removals_through(
    here: Town,  # noqa: F811
    run: Callable[..., int],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    exempt(here, ENTRY.replace("app-1", "APP-9"))
    here.add(1, sponsor="")
    here.add(4, sponsor="")
    assert run("--apply") == 0
    here.add(2, sponsor="")
    here.edit(1, sponsor="Ada")
    here.edit(4, sponsor="Ada")
    here.add(3, sponsor="")
    monkeypatch.setattr(Meddled, "before", lambda: exempt(here, "[["))
    assert run("--apply") == 1
    assert [here.labels(number) for number in (1, 2, 3, 4)] == [[], [], [], []]
    said = capsys.readouterr().err
    assert said.count("exemptions.toml: is not valid TOML") == 1
    assert "no label is put on" in said


def test_rules_cannot_use_the_labels_that_exempt(town: Town) -> None:
    town.write_rules(RULES.replace("pmo-no-sponsor", "pmo-exempt"))
    said = town.unstuck("run")
    assert said.code == 2
    assert "how people exempt an item" in said.err


def test_a_prefix_of_ones_own(tmp_path: Path) -> None:
    town = Town(tmp_path, 'labels.prefix = "q "\n' + CONFIG, RULES.replace("pmo-", "q "))
    town.add(1, sponsor="", labels=["pmo-exempt"])
    town.add(2, sponsor="", labels=["q exempt"])
    apply(town)
    assert town.labels(1) == ["pmo-exempt", "q no-sponsor"]
    assert town.labels(2) == ["q exempt"]


@pytest.mark.parametrize("how", ["label", "file", "broken file"])
def test_undo_puts_no_label_back_onto_an_exempt_item(town: Town, how: str) -> None:
    town.add(1, sponsor="")
    apply(town)
    town.edit(1, sponsor="Ada")
    apply(town)
    if how == "label":
        town.label(1, "pmo-exempt")
    else:
        exempt(town, ENTRY if how == "file" else "[[")
    before = town.labels(1)
    assert town.unstuck("undo", "2", "--apply").code == (1 if how == "broken file" else 0)
    assert town.labels(1) == before


def test_a_broken_file_does_not_keep_us_from_leaving(town: Town) -> None:
    town.add(1, sponsor="")
    apply(town)
    exempt(town, "[[")
    town.unstuck("retire", "--apply")
    assert town.labels(1) == []


def test_the_entry_of_the_docs_is_right(town: Town) -> None:
    [entry] = re.findall(r"^\[\[exemption\]\]\n.*?(?=```)", (ROOT / "docs" / "operations.md").read_text(), re.M | re.S)
    exempt(town, entry.replace('"delivery"', '"tool"'))
    town.add(3, key="APP-3", sponsor="", status_since=LONG_AGO)
    apply(town)
    assert town.labels(3) == ["pmo-stuck-10d"]


NAMES = st.sampled_from([None, "a", "b"])


@given(
    st.lists(st.tuples(NAMES, NAMES, NAMES, st.dates(date(2026, 3, 18), date(2026, 3, 22))), max_size=4),
    st.frozensets(
        st.sampled_from(["blue", "pmo-exempt", "pmo-exempt-until-2026-03-19", "pmo-exempt-until-2026-03-20"])
    ),
)
def test_what_is_exempt_is_not_desired_and_nothing_else_changes(
    named: list[tuple[str | None, str | None, str | None, date]], present: frozenset[str]
) -> None:
    today = date(2026, 3, 20)
    entries = [Exemption("f:1", source, key, rule, "x", "y", until) for source, key, rule, until in named]
    exemptions = Exemptions(Exempting("pmo-exempt", today), tuple(each for each in entries if each.until >= today))
    desired = {"pmo-1": (Reason("a", "a"), Reason("b", "b")), "pmo-2": (Reason("b", "b"),)}
    state = ItemState(1, ItemRef("a", "1"), "B", "", "c", present=present, desired=desired)
    [narrowed] = exemptions.narrow([state])
    by_label = bool(present & {"pmo-exempt", "pmo-exempt-until-2026-03-20"})
    off = {rule for rule in "ab" if by_label or any(holds(entry, rule, today) for entry in entries)}
    assert {reason.rule for reason in narrowed.desired.get("pmo-1", ())} == {"a", "b"} - off
    assert set(narrowed.desired) | set(narrowed.exempt) == set(desired)
    assert ("pmo-2" in narrowed.exempt) is ("b" in off)
    assert replace(narrowed, desired=desired, exempt={}) == state


def holds(entry: Exemption, rule: str, today: date) -> bool:
    """For the item `b` (or `B`) of source `a`."""
    return (
        entry.until >= today and entry.source in (None, "a") and entry.key in (None, "b") and entry.rule in (None, rule)
    )
