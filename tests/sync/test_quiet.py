"""What planning need not look at: items that are as they should be, and all of them where nothing happened."""

from __future__ import annotations

import json
import sqlite3
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.model import Exempting
from sync import ledger
from sync.exemptions import Exemption, Exemptions
from sync.plan import Plan, plan_labels
from sync.store import Store
from tests.rules.items import item
from tests.sync.test_incremental import new_store, put
from tests.sync.town import CONFIG, LONG_AGO, Town

# Items at stake

LABELS = ("pmo-a", "pmo-b", 'pmo-"c"', "pmo-ß")
PEOPLES = ("blue", "PMO-Exempt", "pmo-exempt-until-2026-03-01")
UNLESS = Exempting("pmo-exempt", date(2026, 3, 20))
ENTRY = Exemption("file:1", None, "1", None, "Because", "Ada", date(2026, 4, 1))
SOME = st.frozensets(st.sampled_from(LABELS))


def fill(store: Store, data: st.DataObject) -> None:
    """Items with any labels, findings, labels of ours and vetoes."""
    with store.transaction() as connection:
        for outdated, collection in enumerate(("plain", "outdated")):
            values = ("test", collection, collection, outdated)
            connection.execute(
                "INSERT INTO collection (source, native_id, name, copy_outdated) VALUES (?, ?, ?, ?)", values
            )
    for number in range(1, data.draw(st.integers(1, 4)) + 1):
        shown = data.draw(st.frozensets(st.sampled_from(LABELS + PEOPLES)))
        collection = data.draw(st.sampled_from(["plain", "outdated"]))
        put(store, item(str(number), key=str(number), collection=collection, labels=tuple(sorted(shown))))
        with store.transaction() as connection:
            for label in sorted(data.draw(SOME)):
                connection.execute("INSERT INTO finding_kept VALUES (?, 'r', ?, 'Because', 0, '')", (number, label))
            for label in sorted(data.draw(SOME)):
                off = data.draw(st.sampled_from([None, "2026-03-01"]))
                row = (number, label, "r", "Because", 1, "", 0, off)
                connection.execute("INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            for label in sorted(data.draw(SOME)):
                connection.execute(
                    "INSERT INTO veto (item_id, label, rule, noticed_at, until) VALUES (?, ?, 'r', '', '')",
                    (number, label),
                )


def plan(store: Store, exemptions: Exemptions) -> Plan:
    return plan_labels(exemptions.narrow(ledger.states(store.connection)), 1)


@given(st.data(), st.booleans())
def test_what_is_not_at_stake_has_no_part_in_the_plan(data: st.DataObject, has_entries: bool) -> None:
    exemptions = Exemptions(UNLESS, (ENTRY,) if has_entries else ())
    with new_store() as store:
        fill(store, data)
        ledger.remember_fresh(store.connection, [("test", "plain"), ("test", "outdated")])
        ledger.find_at_stake(store.connection, exemptions)
        narrow = plan(store, exemptions)
        ledger.put_at_stake(store.connection, [row[0] for row in store.connection.execute("SELECT id FROM item")])
        assert narrow == plan(store, exemptions)


# Runs in which nothing happened


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """Three items with a label of ours, one of which a person took off again; all has settled."""
    town = Town(tmp_path, "[labels]\nveto_days = 7\n" + CONFIG)
    for number in range(1, 4):
        town.add(number, sponsor=None)
    town.add(4, sponsor="Ada")
    assert town.unstuck("run", "--apply").code == 0
    town.unlabel(1, "pmo-no-sponsor")
    for _ in range(2):
        assert town.unstuck("run", "--apply").code == 0
    return town


def smuggle(town: Town) -> None:
    """Claim behind the command's back that a label of people's is ours: whoever looks at the item takes it off."""
    with sqlite3.connect(town.folder / "unstuck.db") as connection:
        connection.execute(
            "INSERT INTO ledger (item_id, label, rule, reason, run_id, put_at) "
            "SELECT id, 'blue', 'gone', 'Because', 1, '' FROM item WHERE key = 'APP-4'"
        )
    connection.close()


@pytest.fixture
def marked(town: Town) -> Town:
    """A settled town in which a plan says something of APP-4 as soon as somebody looks at it."""
    town.label(4, "blue")
    for _ in range(2):
        assert town.plan() == {}
    smuggle(town)
    return town


SEEN = {"APP-4": ["-blue"]}


def told(town: Town) -> dict[str, Any]:
    """What a run says that does not differ from run to run."""
    said = town.unstuck("run", "--json").json
    assert isinstance(said, dict)
    return {key: said[key] for key in ("findings", "held", "exemptions", "considered", "planned", "rules", "vetoes")}


def test_where_nothing_happened_nobody_looks(marked: Town) -> None:
    assert marked.plan() == {}
    assert marked.plan() == {}


def test_a_quiet_run_says_what_one_that_looks_says(town: Town) -> None:
    town.edit(2, labels=["pmo-no-sponsor", "pmo-exempt"])
    told(town)
    quiet = told(town)
    with sqlite3.connect(town.folder / "unstuck.db") as connection:
        note = json.loads(connection.execute("SELECT value FROM setting WHERE name = 'quiet'").fetchone()[0])
        connection.execute("DELETE FROM setting WHERE name = 'quiet'")
    connection.close()
    assert len(note["at_stake"]) == 2
    assert quiet == told(town)
    assert quiet["held"] | {"veto": 1, "exempt": 1} == quiet["held"]
    assert quiet["planned"]["remove"] == 1


@pytest.mark.parametrize("happened", ["an edit", "a day", "a run that takes back", "a rule", "an exemption"])
def test_whatever_happens_is_looked_at(marked: Town, happened: str) -> None:
    if happened == "an edit":
        marked.edit(3, title="Another")
    elif happened == "a day":
        marked.now = "2026-03-21T12:00:00"
    elif happened == "a run that takes back":
        assert marked.unstuck("undo", "1").code == 0
    elif happened == "a rule":
        marked.write_rules('[[rule]]\nid="x"\nlabel="pmo-x"\nsays="x"\nwhen={ status="missing" }\n')
    else:
        config = 'exemptions = ["e.toml"]\n[labels]\nveto_days = 7\n' + CONFIG
        (marked.folder / "e.toml").write_text(
            '[[exemption]]\nsource = "tool"\nkey = "APP-9"\nreason = "So"\napprover = "Ada"\nuntil = 2026-04-01\n'
        )
        marked.write_config(config)
    assert marked.plan().get("APP-4") == SEEN["APP-4"]


def test_a_veto_ends_on_time(town: Town) -> None:
    for now in ("2026-03-27T08:00:00", "2026-03-27T09:00:00"):
        town.now = now
        assert town.plan() == {}
    town.now = "2026-03-27T12:00:00"
    assert town.plan() == {"APP-1": ["+pmo-no-sponsor"]}


def test_a_label_that_a_cut_answer_showed_as_gone_is_heard_of_once_it_is_whole(town: Town) -> None:
    """The item is not told of again; that its collection answers again is what happened."""
    town.write_config("[labels]\nveto_days = 7\n" + CONFIG + "page_size = 1\n")
    for _ in range(2):
        assert town.plan() == {}
    town.unlabel(2, "pmo-no-sponsor")
    whole = town.world
    town.edit(3, title="Another")
    town.world = {**town.world, "outage": {"pages": 1}}
    assert town.unstuck("run").code == 1
    town.world = whole  # and so the rest of the answer brings nothing
    assert town.unstuck("run", "--apply", "--json").json["vetoes"] == 1
    assert town.labels(2) == []


def test_what_waits_for_its_turn_is_planned_again(town: Town) -> None:
    """A plan that is not written is the same the next time, and is written when asked for."""
    town.add(5, status_since=LONG_AGO)
    assert [town.plan() for _ in range(3)] == [{"APP-5": ["+pmo-stuck-10d"]}] * 3
    assert town.unstuck("run", "--apply").code == 0
    assert town.labels(5) == ["pmo-stuck-10d"]
    assert town.plan() == {}
