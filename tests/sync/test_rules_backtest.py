"""`unstuck rules backtest`: the rules over the stored past agree with what runs of those days did."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.sync.town import CONFIG, RULES, Town


def transition(on: str, before: str | None, after: str) -> dict[str, Any]:
    """A change of status at nine on that day, between `Doing` and `Done`."""
    category = {"Doing": "in_progress", "Done": "done", "Open": "todo"}
    return {
        "at": f"{on}T09:00:00+00:00",
        "from_status": before,
        "from_category": category.get(before or ""),
        "to_status": after,
        "to_category": category[after],
    }


def backtest(town: Town, since: str, *more: str) -> dict[str, Any]:
    """The result for programs, of the rules in force."""
    said = town.unstuck("rules", "backtest", "rules.d", "--since", since, *more, "--format", "json")
    assert said.code == 0, said.err
    result: dict[str, Any] = said.json
    return result


def changes(result: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Labels put on and taken off, on the days that had any."""
    return {day["day"]: (day["add"], day["remove"]) for day in result["days"] if day["add"] or day["remove"]}


@pytest.fixture
def moving(town: Town) -> Town:
    """One item in Doing since 2 February, done on 27 February, taken up again on 3 March."""
    town.add(
        1,
        created_at="2026-01-05T09:00:00+00:00",
        status_since="2026-03-03T09:00:00+00:00",
        transitions=[
            transition("2026-02-02", "Open", "Doing"),
            transition("2026-02-27", "Doing", "Done"),
            transition("2026-03-03", "Done", "Doing"),
        ],
    )
    town.unstuck("run")
    return town


def test_labels_go_on_and_off_with_the_status(moving: Town) -> None:
    result = backtest(moving, "2026-01-01")
    assert changes(result) == {
        "2026-02-17": (1, 0),  # 11 business days after 2 February
        "2026-02-27": (0, 1),
        "2026-03-18": (1, 0),
    }
    assert result["labels"] == [
        {
            "source": "tool",
            "native_id": "1",
            "key": "APP-1",
            "title": "Item 1",
            "label": "pmo-stuck-10d",
            "rule": "stuck",
            "first": "2026-02-17",
            "off": None,
            "times": 2,
        }
    ]
    assert result["rules"][1] == {"rule": "stuck", "items": 1, "add": 2, "remove": 1, "most": 1}
    assert len(result["days"]) == 79


def test_an_item_is_left_out_before_it_was_created_and_after_it_was_gone(moving: Town) -> None:
    moving.now = "2026-03-19T12:00:00"
    moving.remove(1)
    moving.add(2, created_at="2026-03-10T09:00:00+00:00", sponsor="", status_since="2026-03-10T09:00:00+00:00")
    moving.unstuck("run", "--full", "--force", "shrink")
    moving.now = "2026-03-20T12:00:00"
    result = backtest(moving, "2026-01-01")
    considered = {day["day"]: day["considered"] for day in result["days"]}
    expected = {"2026-01-04": 0, "2026-01-05": 1, "2026-03-09": 1, "2026-03-10": 2, "2026-03-19": 1, "2026-03-20": 1}
    assert {day: considered[day] for day in expected} == expected
    assert changes(result)["2026-03-10"] == (1, 0)
    assert "2026-03-19" not in changes(result)  # its label is not taken off: it went with it


def test_the_last_day_is_what_a_run_finds_today(town: Town) -> None:
    town.add(1, sponsor="", status_since="2026-03-02T09:00:00+00:00", started_at="2026-03-25T09:00:00+00:00")
    town.add(2, status_since="2026-02-02T09:00:00+00:00", transitions=[transition("2026-02-02", "Done", "Doing")])
    town.add(3, status="Done", status_category="done", finished_at="2026-03-10T09:00:00+00:00")
    town.unstuck("run")
    found = {(row["key"], row["label"]) for row in town.unstuck("findings", "--format", "json").json}
    assert len(found) == 3
    result = backtest(town, "2026-03-20")
    assert {(row["key"], row["label"]) for row in result["labels"]} == found


def test_it_agrees_with_the_runs_of_those_days(town: Town) -> None:
    """Live through two weeks with a run a day, then look back at them."""
    town.write_rules(
        RULES + '[[rule]]\nid = "begun"\nlabel = "pmo-begun"\nsays = "x"\nrollout = "now"\n'
        '[rule.when]\nstatus = "Doing"\nstarted_at = "over 3 days ago"\n'
    )
    town.now = "2026-03-01T12:00:00"
    for number, since in ((1, "2026-02-23"), (2, "2026-02-16")):
        town.add(
            number,
            created_at="2026-02-10T09:00:00+00:00",
            started_at=f"{since}T09:00:00+00:00",
            status_since=f"{since}T09:00:00+00:00",
            transitions=[transition(since, "Open", "Doing")],
        )
    lived = {}
    for day in range(2, 16):
        today = f"2026-03-{day:02}"
        town.now = f"{today}T12:00:00"
        if day % 3 == 0:
            _move(town, 1 + day % 2, today, "Doing" if day > 8 else "Done")
        if day == 7:
            begun = f"{today}T09:00:00+00:00"
            town.add(3, created_at=begun, started_at=begun, status_since=begun)
        written = town.unstuck("run", "--apply", "--json").json["written"]
        lived[today] = (written["added"], written["removed"])
    result = backtest(town, "2026-03-02")
    assert changes(result) == {day: moved for day, moved in lived.items() if moved != (0, 0)}
    assert sum(added + removed for added, removed in lived.values()) >= 6


def _move(town: Town, number: int, on: str, status: str) -> None:
    """A person changes the status; the tool writes its history."""
    item = next(each for each in town.world["items"] if each["native_id"] == str(number))
    step = transition(on, item["status"], status)
    town.edit(
        number,
        status=status,
        status_category=step["to_category"],
        status_since=step["at"],
        transitions=[*item.get("transitions", []), step],
    )


def test_progress_that_was_observed(town: Town) -> None:
    """Where a tool keeps no history: unknown before it was first seen, and before progress was first recorded."""
    town.write_rules(
        '[[rule]]\nid = "slow"\nlabel = "pmo-slow"\nsays = "x"\n[rule.when]\npercent_complete = "under 50"\n'
        '[[rule]]\nid = "doing"\nlabel = "pmo-doing"\nsays = "x"\n[rule.when]\nstatus = "Doing"\n'
    )
    town.now = "2026-03-05T12:00:00"
    town.add(1, created_at="2026-03-01T09:00:00+00:00", status_since="2026-03-15T09:00:00+00:00", percent_complete=60)
    town.unstuck("run")
    with closing(sqlite3.connect(town.folder / "unstuck.db")) as connection, connection:
        connection.executemany(
            "INSERT INTO transition (item_id, at, from_status, to_status, from_category, to_category, "
            "percent_complete, origin) VALUES (1, ?, 'Doing', 'Doing', 'in_progress', 'in_progress', ?, 'observed')",
            [("2026-03-10T09:00:00Z", 20), ("2026-03-15T09:00:00Z", 60)],
        )
    town.now = "2026-03-20T12:00:00"
    result = backtest(town, "2026-03-01")
    assert {row["label"]: (row["first"], row["off"]) for row in result["labels"]} == {
        "pmo-doing": ("2026-03-05", None),
        "pmo-slow": ("2026-03-10", "2026-03-15"),
    }
    assert result["todays_values"] == []


def test_what_history_does_not_prove_labels_nobody(town: Town) -> None:
    town.add(1, created_at="2026-01-05T09:00:00+00:00", sponsor="")  # in Doing since 19 March; before, who knows
    town.unstuck("run")
    result = backtest(town, "2026-03-10")
    assert changes(result) == {"2026-03-19": (1, 0)}
    assert [day["unclear"] for day in result["days"]] == [1] * 9 + [0] * 2
    said = town.unstuck("rules", "backtest", "rules.d/pmo.toml", "--since", "2026-03-10")
    assert "On 2026-03-10 history does not tell the status of 1 of 1 item," in said.out
    assert "The store keeps no history of sponsor: every day is given today's value." in said.out


def test_the_brakes_that_would_have_tripped(town: Town) -> None:
    for number in range(1, 21):
        created = f"2026-03-{number // 2 + 1:02}T09:00:00+00:00"
        step = transition("2026-03-18", "Doing", "Done") if number > 1 else transition("2026-03-18", "Open", "Doing")
        town.add(
            number, sponsor="", created_at=created, status_since=step["at"], status=step["to_status"],
            status_category=step["to_category"], transitions=[step],
        )  # fmt: skip
    town.write_config(CONFIG + "[brakes]\ncount = 18\n")
    town.unstuck("run")
    tripped = {day["day"]: [brake["name"] for brake in day["brakes"]] for day in backtest(town, "2026-03-01")["days"]}
    assert {day: names for day, names in tripped.items() if names} == {"2026-03-18": ["share", "count", "unusual"]}
    assert [brake["name"] for brake in backtest(town, "2026-03-12")["days"][0]["brakes"]] == ["share", "count"]


def test_for_people(moving: Town) -> None:
    said = moving.unstuck("rules", "backtest", "rules.d/*.toml", "--since", "2026-02-01", "--until", "2026-03-19")
    assert said.code == 0
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[:4] == [
        ["day", "add", "remove", "labelled", "brakes"],
        ["2026-02-17", "1", "0", "1"],
        ["2026-02-27", "0", "1", "0"],
        ["2026-03-18", "1", "0", "1"],
    ]
    assert "1 label came back after being taken off:" in said.out
    assert ["tool", "APP-1", "pmo-stuck-10d", "2", "Item", "1"] in lines
    assert "1 item would have got a label from 2026-02-01 to 2026-03-19." in said.out


def test_a_rule_that_fails_fails_alone(moving: Town) -> None:
    with closing(sqlite3.connect(moving.folder / "unstuck.db")) as connection, connection:
        connection.execute("UPDATE item SET labels = '['")
    moving.write_rules(RULES.replace('sponsor         = "missing"', 'labels = "has x"'))
    said = moving.unstuck("rules", "backtest", "rules.d", "--since", "2026-03-17", "--format", "json")
    assert said.code == 1
    assert len(said.json["problems"]) == 1
    assert 'rule "no-sponsor" could not be evaluated' in said.json["problems"][0]
    assert changes(said.json) == {"2026-03-18": (1, 0)}


def test_nothing_is_written(moving: Town) -> None:
    def dump() -> list[str]:
        with closing(sqlite3.connect(moving.folder / "unstuck.db")) as connection:
            return list(connection.iterdump())

    before, world = dump(), moving.world
    assert changes(backtest(moving, "2026-02-01"))
    assert (dump(), moving.world) == (before, world)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["rules.d", "--since", "2026-04-01"], "--since 2026-04-01 is later than 2026-03-20"),
        (["rules.d", "--since", "2026-03-01", "--until", "2026-03-21"], "--until 2026-03-21 is still to come"),
        (["rules.d", "--since", "1926-03-01"], "over ten years"),
        (["rules.d", "--since", "June"], "'June' does not match"),
        (["rules.d"], "Missing option '--since'"),
        (["nothing.toml", "--since", "2026-03-01"], "nothing.toml: there is no such file or folder"),
    ],
)
def test_what_is_asked_wrongly(moving: Town, arguments: list[str], why: str) -> None:
    said = moving.unstuck("rules", "backtest", *arguments)
    assert said.code == 2
    assert why in said.err
