"""Checking and testing rules, as a PMO admin does it: by command, beside a config, and without credentials."""

from __future__ import annotations

import re

import pytest

from sync.store import open_store
from tests.sync.town import CONFIG, LONG_AGO, RULES, Town

CALENDARS = """
[calendar]
country = "DE"
days_off = [2026-03-02]
[calendars.stand]
weekend = ["sunday"]
"""
WAITING = """
[[rule]]
id    = "waiting"
label = "pmo-waiting"
says  = "waiting"
[rule.when]
business_days_in_status = "over 10"
"""
TEST = """
[[rule.test]]
now    = 2026-03-20
item   = {{ status_since = 2026-03-06 }}
{calendar}
expect = {expect}
"""


def case(calendar: str, expect: str = '"pmo-waiting"') -> str:
    return TEST.format(calendar=f"calendar = {calendar}" if calendar else "", expect=expect)


# Calendars of tests


@pytest.mark.parametrize(
    ("calendar", "expect"),
    [
        ("", "[]"),  # plain weeks: exactly 10
        ('"DE"', "[]"),  # no holidays then
        ('"stand"', '"pmo-waiting"'),  # Saturdays count: 12
        ('{ weekend = ["Sunday"] }', '"pmo-waiting"'),
        ('{ weekend = ["sunday"], days_off = [2026-03-09, 2026-03-10] }', "[]"),
    ],
)
def test_a_test_counts_by_the_calendar_that_it_asks_for(town: Town, calendar: str, expect: str) -> None:
    town.write_config(CALENDARS + CONFIG)
    town.write_rules(WAITING + case(calendar, expect))
    said = town.unstuck("rules", "test")
    assert (said.code, said.out) == (0, "1 passed, 0 failed\n")
    wrong = "[]" if expect != "[]" else '"pmo-waiting"'
    town.write_rules(WAITING + case(calendar, wrong))
    assert town.unstuck("rules", "test", "rules.d/pmo.toml").code == 1


def test_a_countrys_holidays_count_for_a_test(town: Town) -> None:
    easter = case('"DE-BY"', "[]").replace("2026-03-20", "2026-04-08").replace("2026-03-06", "2026-03-23")
    town.write_rules(WAITING + easter)  # 13 weekdays, less Good Friday and Easter Monday: 10 of them passed
    assert town.unstuck("rules", "test").code == 0
    town.write_rules(WAITING + easter.replace('calendar = "DE-BY"', ""))
    assert "expected no label, got pmo-waiting" in town.unstuck("rules", "test").out


@pytest.mark.parametrize(
    ("calendar", "why"),
    [
        ('"stnd"', 'no calendar is called "stnd" (did you mean "stand"?)'),
        ('"moon"', 'no calendar is called "moon": add it to the config as [calendars.NAME], or write a country'),
        ('"XX"', 'no holidays are known for the country "XX"'),
        ('"DE-XX"', 'no holidays are known for the region "XX" of DE'),
        ("5", "name a calendar, such as"),
        ("{}", "name a calendar, such as"),
        ('{ contry = "DE" }', 'a calendar has no key "contry"; it has country, region, weekend, days_off'),
        ("{ country = 5 }", "the country of a calendar is a code in quotes"),
        ('{ region = "BY" }', 'names the region "BY" but no country'),
        ('{ weekend = ["funday"] }', "the weekend of a calendar is a list of days"),
        ('{ weekend = ["monday","tuesday","wednesday","thursday","friday","saturday","sunday"] }', "not all seven"),
        ('{ days_off = ["2026-01-01"] }', "the days_off of a calendar are a list of days"),
    ],
)
def test_a_calendar_that_is_none_is_a_mistake_with_its_place(town: Town, calendar: str, why: str) -> None:
    town.write_config(CALENDARS + CONFIG)
    town.write_rules(WAITING + case(calendar))
    for command in (["check"], ["rules", "check"], ["rules", "test"], ["rules", "check", "rules.d/pmo.toml"]):
        said = town.unstuck(*command)
        assert said.code == 2
        assert said.err.startswith('rules.d/pmo.toml:12: rule "waiting": test.calendar: ')
        assert why in said.err
        assert len(said.err.splitlines()) == 1


def test_a_run_does_not_mind_the_calendars_of_tests(town: Town) -> None:
    town.add(1, status_since=LONG_AGO)
    town.write_rules(WAITING + case('"moon"'))
    assert town.plan() == {"APP-1": ["+pmo-waiting"]}


def test_the_rows_of_a_table_name_calendars_too(town: Town) -> None:
    town.write_config(CALENDARS + CONFIG)
    town.write_rules(WAITING)
    table = town.folder / "cases.csv"
    table.write_text(
        "now,status_since,calendar,expect\n2026-03-20,2026-03-06,,\n2026-03-20,2026-03-06,stand,pmo-waiting\n"
    )
    assert town.unstuck("rules", "test", "cases.csv").out == "2 passed, 0 failed\n"
    table.write_text("now,status_since,calendar,expect\n2026-03-20,2026-03-06,stnd,\n")
    said = town.unstuck("rules", "test", "cases.csv")
    assert said.code == 2
    assert 'cases.csv:2: calendar: no calendar is called "stnd" (did you mean "stand"?)' in said.err


def below(rule: str, captured: str) -> str:
    """The rule alone, with the captured test below it."""
    each = (WAITING + RULES).split("[[rule]]")
    return "[[rule]]" + next(text for text in each if f'"{rule}"' in text) + captured


@pytest.mark.parametrize(
    ("config", "calendar"),
    [
        (CONFIG, None),
        (CALENDARS + CONFIG, '{ country = "DE", days_off = [2026-03-02] }'),
        (CALENDARS + CONFIG + 'calendar = "stand"\n', '"stand"'),
        ('[calendar]\nweekend = ["friday", "saturday"]\n' + CONFIG, None),  # as all tests of this config
    ],
)
def test_capture_writes_the_calendar_where_days_are_counted(town: Town, config: str, calendar: str | None) -> None:
    town.write_config(config)
    town.write_rules(WAITING + RULES)
    town.add(1, status_since=LONG_AGO, sponsor="")
    town.unstuck("run")
    for rule in ("waiting", "stuck", "no-sponsor"):
        captured = town.unstuck("rules", "capture", "APP-1", "--rule", rule).out
        written = re.search(r"^calendar = (.*)$", captured, re.M)
        assert (written and written[1]) == (None if rule == "no-sponsor" else calendar)
        town.write_rules(below(rule, captured))
        said = town.unstuck("rules", "test", "--rule", rule)
        assert (said.code, said.out) == (0, "1 passed, 0 failed\n"), captured
        town.write_rules(WAITING + RULES)


# What is warned of


LABELLED = """
[[rule]]
id = "{id}"
label = "{label}"
says = "x"
when = {{ {when} }}
"""
PASSES = """
[[rule.test]]
now = 2026-03-20
item = {}
expect = []
"""


def labelled(label: str = "pmo-a", when: str = 'sponsor = "present"', tests: str = PASSES, name: str = "a") -> str:
    return LABELLED.format(id=name, label=label, when=when) + tests


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        (labelled(tests=""), "test: the rule has no [[rule.test]]"),
        (
            labelled("pmo-no-metric") + labelled("pmo-No Metric", name="b"),
            'label: "pmo-No Metric" and "pmo-no-metric" are two labels to every tool',
        ),
        (
            labelled(when='sponsor = "missing", none = [ { sponsor = "missing" } ]'),
            "when: its conditions contradict each other, so that it can never match",
        ),
        (
            labelled(when='age_days = "over 10", created_at = "under 5 days ago"'),
            "when: its conditions contradict each other, so that it can never match",
        ),
        (labelled("pmo-a;b"), 'label: the source "plans" cannot hold ";" in a label: rename "pmo-a;b"'),
    ],
)
def test_what_will_surprise_is_warned_of_and_is_no_mistake(town: Town, rules: str, why: str) -> None:
    (town.folder / "plan.xml").write_text("")
    town.write_config(CONFIG + '[sources.plans]\nsystem = "msproject"\npath = "*.xml"\n')
    town.write_rules(rules)
    for command in (["rules", "check"], ["check"], ["rules", "check", "rules.d"]):
        said = town.unstuck(*command)
        assert said.code == 0, said.err
        [warning] = [line for line in said.out.splitlines() if line.endswith("(warning)")]
        assert re.match(r'rules\.d/pmo\.toml:\d+: rule "[ab]": ', warning)
        assert why in warning


LADDER = """
[[rule]]
id = "l"
says = "x"
when = { status = "present" }
[rule.ladder]
measure = "age_days"
steps = [ { over = 10, label = "pmo-a" }, { over = 20, label = "pmo-b" } ]
"""


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("over = 20", "over = 5", "the steps must rise, and 5 comes after 10: put them in order"),
        (', label = "pmo-b"', "", "ladder.steps.label: this is missing"),
        ('label = "pmo-b"', 'label = "pmo-a"', "two steps have one label: give each its own"),
    ],
)
def test_a_ladder_that_is_no_ladder_is_a_mistake(town: Town, old: str, new: str, why: str) -> None:
    assert old in LADDER
    town.write_rules(LADDER.replace(old, new))
    said = town.unstuck("rules", "check")
    assert said.code == 2
    assert re.match(r'rules\.d/pmo\.toml:8: rule "l": ladder\.steps', said.err)
    assert why in said.err


# Where rules are found


def test_rules_are_checked_and_tested_without_the_credentials_of_sources(town: Town) -> None:
    town.write_config('[sources.tool]\nsystem = "memory"\nworld = { env = "NOT_SET_HERE" }\n')
    town.write_rules(WAITING + case("", "[]"))
    for command in ("check", "test", "list"):
        assert town.unstuck("rules", command).code == 0
    said = town.unstuck("run")
    assert said.code == 2
    assert "NOT_SET_HERE is not set" in said.err


def test_named_files_are_held_to_the_config_too(town: Town) -> None:
    (town.folder / "draft.toml").write_text(WAITING.replace("pmo-", "xyz-"))
    said = town.unstuck("rules", "check", "draft.toml")
    assert said.code == 2
    assert 'must begin with "pmo-"' in said.err
    (town.folder / "config.toml").unlink()
    assert town.unstuck("rules", "check", "draft.toml", env={"XDG_CONFIG_HOME": str(town.folder)}).code == 0


def test_shipped_rules_are_named_by_their_pack_and_not_by_where_they_lie(town: Town) -> None:
    town.add(1, status_since=LONG_AGO)
    (town.folder / "config.toml").write_text(CONFIG)
    assert town.unstuck("run").code == 0
    told = town.unstuck("explain", "APP-1")
    assert re.search(r"^APP-1  pmo-stuck-10d   rule stuck, builtin/stuck\.toml:\d+$", told.out, re.M)
    listed = town.unstuck("rules", "list", "--format", "json").json
    assert {rule["file"].partition("/")[0] for rule in listed} == {"builtin"}
    [stuck] = [rule for rule in listed if rule["rule"] == "stuck"]
    assert stuck["says"] == "{status} for {business_days_in_status} business days"
    assert "{status} for {business_days_in_status} business days" in town.unstuck("rules", "list").out


# What cannot be told


def test_what_a_rule_cannot_tell_is_counted_and_shown(town: Town) -> None:
    for number in (1, 2, 3):
        town.add(number, unknown=["sponsor"] if number < 3 else [], sponsor="")
    for command in ("run", "status"):
        assert "\n  ? no-sponsor  on 2 of 3 items\n" in town.unstuck(command).out
    expected = [{"rule": "no-sponsor", "matched": 1, "unknown": 2}, {"rule": "stuck", "matched": 0, "unknown": 0}]
    assert town.unstuck("run", "--json").json["rules"] == expected
    assert town.unstuck("status", "--format", "json").json["rules"] == expected
    assert "?    sponsor is missing" in town.unstuck("explain", "APP-1").out
    town.edit(1, unknown=[], sponsor="Ada")  # neither what matches nor what is looked at has changed
    assert "no-sponsor  on 1 of 3 items" in town.unstuck("run").out
    with open_store(town.folder / "unstuck.db") as store:
        assert store.value("SELECT unknown FROM rule_count WHERE rule = 'no-sponsor'") == 1
    town.edit(2, unknown=[], sponsor="Ada")
    assert "Unknown" not in town.unstuck("run").out + town.unstuck("status").out


# What fails while it is evaluated


COUNTS = """
[[rule]]
id = "crowded"
label = "pmo-crowded"
says = "crowded"
when = { sql = "json_array_length(title) > 2" }
rollout = "now"
"""


def test_a_rule_that_fails_on_an_item_fails_alone_and_leaves_its_labels(town: Town) -> None:
    town.write_rules(RULES + COUNTS)
    town.add(1, title="[1, 2, 3]")
    town.add(2, title="[1, 2, 3]", sponsor="")
    assert town.unstuck("run", "--apply").code == 0
    assert (town.labels(1), town.labels(2)) == (["pmo-crowded"], ["pmo-crowded", "pmo-no-sponsor"])
    town.edit(1, title="not a list any more", sponsor="")
    town.edit(2, title="[]")
    said = town.unstuck("run", "--apply")
    assert said.code == 1
    [line] = [line for line in said.err.splitlines() if "crowded" in line]
    assert line == 'rule "crowded" could not be evaluated: malformed JSON; its labels stay as they are.'
    assert (town.labels(1), town.labels(2)) == (["pmo-crowded", "pmo-no-sponsor"], ["pmo-crowded", "pmo-no-sponsor"])
    assert "it fails on them: malformed JSON" in town.unstuck("explain", "APP-1").out
    town.edit(1, title="[]")
    assert town.unstuck("run", "--apply").code == 0
    assert (town.labels(1), town.labels(2)) == (["pmo-no-sponsor"], ["pmo-no-sponsor"])


@pytest.mark.parametrize(
    "sql",
    [
        "title IN (SELECT label FROM ledger)",
        "title = load_extension('x')",
        "title = 1; DELETE FROM item",
        "title IN (SELECT writefile('x', 'y'))",
        "exists (SELECT 1 FROM pragma_table_info('item')) = title",
    ],
)
def test_sql_that_does_more_than_ask_starts_no_run(town: Town, sql: str) -> None:
    town.add(1, sponsor="")
    town.write_rules(RULES + COUNTS.replace("json_array_length(title) > 2", sql))
    for command in (["run", "--apply"], ["rules", "check"], ["rules", "test"]):
        said = town.unstuck(*command)
        assert said.code == 2
        [line] = said.err.splitlines()[-1:]
        assert re.match(r'rules\.d/pmo\.toml:\d+: rule "crowded": sql: the SQL ', line)
    assert town.writes == []
    assert not (town.folder / "x").exists()


def test_all_mistakes_come_at_once_also_an_id_that_is_taken(town: Town) -> None:
    wrong = WAITING.replace("[rule.when]", "[rule.wen]")
    town.write_rules(WAITING + wrong)
    (town.folder / "rules.d" / "z.toml").write_text(wrong)
    said = town.unstuck("rules", "check")
    assert said.code == 2
    assert said.err.count("this id is taken by the rule in rules.d/pmo.toml:2") == 2
    assert said.err.count('unknown key "wen" (did you mean "when"?)') == 2
