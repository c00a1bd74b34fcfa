"""Learned thresholds through the real command: a team's own past says how long is long."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sync.town import Town

SLOW = """
[[rule]]
id    = "slow"
says  = "In {status} for {business_days_in_status} business days"
rollout = "now"
[rule.when]
status_category = "in progress"
[rule.ladder]
measure = "business_days_in_status"
steps   = [ { over = "p85", otherwise = 10, at_least = 2, at_most = 20, from_items = 10, label = "pmo-slow" } ]
"""


def finish(town: Town, number: int, days: int, on: str, status: str = "In Review", **columns: Any) -> None:
    """An item that came into a status so many business days (of one week) before it was done on that day."""
    done = datetime.fromisoformat(on).replace(hour=9, tzinfo=UTC)
    came = done - timedelta(days=days)
    steps = (
        (came, "Open", "todo", status, "in_progress"),
        (done, status, "in_progress", "Done", "done"),
    )
    names = ("at", "from_status", "from_category", "to_status", "to_category")
    town.add(
        number,
        status="Done",
        status_category="done",
        status_since=done.isoformat(),
        finished_at=done.isoformat(),
        transitions=[dict(zip(names, (at.isoformat(), *rest), strict=True)) for at, *rest in steps],
        **columns,
    )


def labels(town: Town) -> dict[str, str]:
    """What the last run found, by item."""
    return {row["key"]: row["label"] for row in town.unstuck("findings", "--format", "json").json}


def known(town: Town, key: str) -> str:
    """What explain shows of the item's threshold."""
    [told] = town.unstuck("explain", key, "--format", "json").json
    value: str = told["rules"][0]["clauses"][-1]["value"]
    return value


@pytest.fixture
def team(town: Town) -> Town:
    """Twelve items were done in February, each after two, three or four days in review; two are in review now."""
    town.write_rules(SLOW)
    for number in range(12):
        finish(town, 100 + number, days=2 + number % 3, on="2026-02-20")  # a Friday
    town.add(1, status="In Review", status_since="2026-03-16T09:00:00+00:00")  # 4 business days
    town.add(2, status="In Review", status_since="2026-03-13T09:00:00+00:00")  # 5
    town.unstuck("run")
    return town


def test_an_item_is_slow_where_its_team_is_faster(team: Town) -> None:
    assert labels(team) == {"APP-2": "pmo-slow"}
    assert known(team, "APP-2") == (
        "5 (since 13 Mar 2026, calendar weekends only); your team's p85 in In Review is 4 days, from 12 items "
        "(as of 1 Mar 2026)"
    )
    text = team.unstuck("explain", "APP-1").out
    assert "over p85 of business days in status" in text
    assert "yes from 23 Mar 2026" in text


def test_too_small_a_past_leaves_the_fixed_number(town: Town) -> None:
    town.write_rules(SLOW)
    for number in range(9):
        finish(town, 100 + number, days=2, on="2026-02-20")
    town.add(1, status="In Review", status_since="2026-03-09T09:00:00+00:00")
    town.unstuck("run")
    assert labels(town) == {}
    assert known(town, "APP-1").endswith(
        "10 days hold, as only 9 finished items were in In Review in a year, and p85 needs 10"
    )
    town.now = "2026-03-24T12:00:00"  # the 11th business day
    town.unstuck("run")
    assert labels(town) == {"APP-1": "pmo-slow"}


def test_what_was_learned_stays_within_its_bounds(team: Town) -> None:
    team.write_rules(SLOW.replace("at_least = 2", "at_least = 5"))
    team.unstuck("run")
    assert labels(team) == {}
    assert known(team, "APP-2").endswith("(as of 1 Mar 2026), and 5 hold: never fewer than 5")
    team.write_rules(SLOW.replace("p85", "p60"))
    assert known(team, "APP-2").endswith("10 days hold until the next run, which learns p60")
    team.write_rules(SLOW.replace("otherwise = 10, at_least = 2, at_most = 20", "otherwise = 2, at_most = 3"))
    team.unstuck("run")
    assert labels(team) == {"APP-1": "pmo-slow", "APP-2": "pmo-slow"}
    assert known(team, "APP-2").endswith("(as of 1 Mar 2026), and 3 hold: never more than 3")


def test_nothing_moves_until_the_month_does(team: Town) -> None:
    """What is done in March counts from April on, and so does what was done before and is heard of in March only."""
    for number in range(60):
        finish(team, 200 + number, days=9, on="2026-03-19" if number % 2 else "2026-02-19")
    team.now = "2026-03-31T12:00:00"
    team.unstuck("run")
    assert labels(team) == {"APP-1": "pmo-slow", "APP-2": "pmo-slow"}
    assert "is 4 days, from 12 items" in known(team, "APP-2")
    team.now = "2026-04-01T12:00:00"
    team.edit(1, status_since="2026-03-26T09:00:00+00:00")  # 4 business days
    team.unstuck("run")
    assert "is 7 days, from 72 items (as of 1 Apr 2026)" in known(team, "APP-2")
    assert labels(team) == {"APP-2": "pmo-slow"}
    team.now = "2026-03-31T13:00:00"  # back again
    team.unstuck("run")
    assert "is 4 days, from 12 items" in known(team, "APP-2")


def test_each_kind_has_its_own_past(team: Town) -> None:
    team.add(3, status="Doing", status_since="2026-03-13T09:00:00+00:00")
    team.add(4, status="In Review", type="Bug", status_since="2026-03-13T09:00:00+00:00")
    team.unstuck("run")
    assert labels(team) == {"APP-2": "pmo-slow"}
    assert "10 days hold, as no finished item was in In Review (Bug) in a year" in known(team, "APP-4")


def test_a_rehearsal_of_a_month_to_come_is_not_believed_later(team: Town) -> None:
    """The clock of a town is always a rehearsal's; what one kept without being one is not replaced by it."""
    with closing(sqlite3.connect(team.folder / "unstuck.db")) as connection, connection:
        assert connection.execute("SELECT DISTINCT rehearsal FROM learned_month").fetchall() == [(1,)]
        connection.execute("UPDATE learned_month SET rehearsal = 0")
        connection.execute("UPDATE learned SET days = 17")
    team.unstuck("run")
    assert "is 17 days" in known(team, "APP-2")


def test_two_files_are_compared_with_what_the_next_run_would_learn(team: Town) -> None:
    (team.folder / "other.toml").write_text(SLOW.replace("p85", "p50"))
    said = team.unstuck("rules", "diff", "rules.d", "other.toml", "--format", "json")
    assert [(each["key"], each["action"]) for each in said.json["changes"]] == [("APP-1", "add")]
    with closing(sqlite3.connect(team.folder / "unstuck.db")) as connection:
        assert connection.execute("SELECT percent FROM learned_month").fetchall() == [(85,)]


def test_backtest_goes_by_what_was_known_then_and_agrees_with_the_runs_of_those_days(town: Town) -> None:
    town.write_rules(SLOW)
    for number in range(10):
        finish(town, 100 + number, days=3, on="2026-01-16")
    for number, since in ((1, "2026-02-16"), (2, "2026-02-25")):
        came = f"{since}T09:00:00+00:00"
        move = {"from_status": "Open", "from_category": "todo", "to_status": "In Review", "to_category": "in_progress"}
        town.add(number, status="In Review", status_since=came, transitions=[{"at": came, **move}])
    lived = []
    for day in range(18, 34):  # from 18 February to 5 March
        now = datetime(2026, 1, 31, 12, tzinfo=UTC) + timedelta(days=day)
        town.now = now.isoformat()[:19]
        if day == 20:
            for number in range(60):
                finish(town, 200 + number, days=1, on="2026-02-20")
        run = town.unstuck("run", "--apply", "--json").json
        lived.append((now.date().isoformat(), run["written"]["added"], run["written"]["removed"]))
    said = town.unstuck("rules", "backtest", "rules.d", "--since", "2026-02-18", "--format", "json").json
    assert [(day["day"], day["add"], day["remove"]) for day in said["days"]] == lived
    assert [day for day in lived if day[1] or day[2]] == [("2026-02-20", 1, 0), ("2026-03-02", 1, 0)]
    kept = [(row["month"], row["status"], row["percent"], row["days"], row["items"]) for row in said["learned"]]
    assert kept == [("2026-02-01", "In Review", 85, 3, 10), ("2026-03-01", "In Review", 85, 1, 70)]
    text = town.unstuck("rules", "backtest", "rules.d", "--since", "2026-02-18").out
    assert "Learned by 2026-03-01" in text
    assert "p85" in text
    with closing(sqlite3.connect(town.folder / "unstuck.db")) as connection, connection:  # as if it never had run
        connection.execute("DELETE FROM learned")
        connection.execute("DELETE FROM learned_month")
    anew = town.unstuck("rules", "backtest", "rules.d", "--since", "2026-02-18", "--format", "json").json
    assert anew == said


def test_the_report_shows_what_rules_go_by(team: Town) -> None:
    aging = json.loads(team.unstuck("report", "--format", "json").out)["aging"]
    assert [(row["status"], row["learned"]) for row in aging] == [("In Review", "p85: 4 from 12 items")]
    assert team.unstuck("report", "-o", "report.html").code == 0
    page = (team.folder / "report.html").read_text(encoding="utf-8")
    assert "In Review · p85: 4" in page
    assert "p85: 4 from 12 items" in page


def test_what_rules_go_by_stands_in_the_chart_where_there_is_room(team: Town) -> None:
    for number in range(30):
        team.add(10 + number, status=f"Waiting for somebody {number % 9}", started_at="2026-03-01T09:00:00+00:00")
    team.unstuck("run")
    team.unstuck("report", "-o", "report.html")
    page = (team.folder / "report.html").read_text(encoding="utf-8")
    assert "In Review · p85" not in page
    assert "p85: 4 from 12 items" in page


def test_a_captured_test_says_what_was_learned(team: Town) -> None:
    said = team.unstuck("rules", "capture", "APP-2")
    assert "learned = { p85 = 4, items = 12 }" in said.out
    assert 'expect = "pmo-slow"' in said.out
    team.write_rules(SLOW + said.out)
    assert team.unstuck("rules", "test").out.strip() == "1 passed, 0 failed"


MISTAKES = {
    'over = "p0", otherwise = 10': '"p0" is no percentile',
    'over = "p100", otherwise = 10': '"p100" is no percentile',
    'over = "p850", otherwise = 10': '"p850" is no percentile',
    'over = "85%", otherwise = 10': 'did you mean "p85"?',
    'over = "85th percentile", otherwise = 10': 'did you mean "p85"?',
    'over = "p85"': "write otherwise = 10",
    'over = "p85", otherwise = 0': "otherwise is a whole number from 1",
    'over = "p85", otherwise = 10, at_least = 11': "must lie between at_least = 11",
    'over = "p85", otherwise = 10, at_most = 4': "must lie between",
    'over = "p85", otherwise = 10, from_items = 2.5': "from_items is a whole number",
    'over = "p85", otherwise = 10, sample = 5': 'unknown key "sample"',
    "over = 5, otherwise = 10": "goes with a percentile",
}


@pytest.mark.parametrize("step", MISTAKES)
def test_what_cannot_be_meant_is_refused_in_one_sentence(town: Town, step: str) -> None:
    head, _, _ = SLOW.partition("steps")
    town.write_rules(head + f'steps = [ {{ {step}, label = "pmo-slow" }} ]\n')
    said = town.unstuck("rules", "check")
    assert said.code == 2
    [line] = said.err.strip().splitlines()
    assert MISTAKES[step] in line
    assert line.startswith("rules.d/pmo.toml:")


ORDERS = {
    ('over = "p85", otherwise = 10', 'over = "p50", otherwise = 20'): "p50 comes after p85",
    ('over = "p50", otherwise = 10', 'over = "p85", otherwise = 10'): "otherwise = 10 comes",
    ('over = "p50", otherwise = 10, at_least = 9', 'over = "p85", otherwise = 12'): "at_least = 6",
    ('over = "p50", otherwise = 5', 'over = "p85", otherwise = 9, from_items = 5'): "from as many",
    ('over = "p50", otherwise = 10', "over = 15"): "p50 may reach 20",
    ("over = 6", 'over = "p85", otherwise = 10'): "p85 may be as low as 5",
}


@pytest.mark.parametrize("steps", ORDERS)
def test_steps_that_cannot_be_sure_to_rise_are_refused(town: Town, steps: tuple[str, str]) -> None:
    head, _, _ = SLOW.partition("steps")
    lower, higher = steps
    town.write_rules(head + f'steps = [ {{ {lower}, label = "pmo-a" }}, {{ {higher}, label = "pmo-b" }} ]\n')
    said = town.unstuck("rules", "check")
    assert said.code == 2
    [line] = said.err.strip().splitlines()
    assert ORDERS[steps] in line


CLAUSES = {
    'business_days_in_status = "over p85"': "write otherwise = 10",
    'business_days_in_status = "over p0, otherwise 5"': '"p0" is no percentile',
    'business_days_in_status = "over p85, otherwise 10, about 3"': '"otherwise 10, about 3" does not say',
    'business_days_in_status = "over p85, otherwise 10, otherwise 5"': "stands twice",
    'business_days_in_status = "under p85, otherwise 10"': 'write "over p85"',
    'days_in_status = "over p85, otherwise 10"': "of business_days_in_status only",
}


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_clause_that_cannot_be_meant_is_refused(town: Town, clause: str) -> None:
    town.write_rules(f'[[rule]]\nid = "x"\nlabel = "pmo-x"\nsays = "x"\n[rule.when]\n{clause}\n')
    said = town.unstuck("rules", "check")
    assert said.code == 2
    [line] = said.err.strip().splitlines()
    assert CLAUSES[clause] in line


def test_an_initiative_has_no_past(town: Town) -> None:
    town.write_rules(SLOW.replace("says  =", 'on = "initiative"\nsays  ='))
    assert "an initiative has no statuses of its own" in town.unstuck("rules", "check").err
