"""The seventh law, brake by brake, as commands: nothing is written, it trips again, and only --force lets it through.

What brakes know of the past is in `sync.usual` and `sync.drift`; their own laws are at the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import config as configs
from sync import drift, usual
from sync.brakes import NAMES, Changed
from sync.config import Brakes
from sync.drift import Field, Seen, Status
from sync.stops import InvalidStop
from sync.store import open_store
from tests.sync.town import CONFIG, RULES, Said, Town

ALL_AT_ONCE = "brakes.share = 1.0\n" + CONFIG
"""So that the share does not trip first."""


def add_items(town: Town, numbers: Sequence[int], **columns: Any) -> None:
    for number in numbers:
        town.add(number, **columns)


def edit_items(town: Town, numbers: Sequence[int], **columns: Any) -> None:
    for number in numbers:
        town.edit(number, **columns)


def tripped(said: Said) -> set[str]:
    return {line.split()[1].rstrip(":") for line in said.err.splitlines() if line.startswith("Brake ")}


def assert_stopped(town: Town, brake: str, sentence: str, command: Sequence[str] = ("run", "--apply")) -> None:
    """It stops everything, again and again, whatever other brake is lifted; and says how to go on."""
    before = town.writes
    others = [word for name in NAMES if name != brake for word in ("--force", name)]
    for more in ([], others):
        said = town.unstuck(*command, *more)
        assert said.code == 3, said.out + said.err
        assert tripped(said) == {brake}
        assert sentence in said.err
        assert f"--force {brake}" in said.err
        assert "Nothing was written." in said.err
    assert town.writes == before


def assert_forced(town: Town, brake: str, command: Sequence[str] = ("run", "--apply")) -> None:
    """It is lifted for one run, which is whole; and then there is nothing left to stop."""
    said = town.unstuck(*command, "--force", brake)
    assert said.code == 0, said.out + said.err
    assert town.unstuck(*command).code == 0


# How much changes


def test_too_many_items_of_one_source(town: Town) -> None:
    town.write_config("brakes.share = 0.5\n" + CONFIG + "[sources.tool.brakes]\ncount = 2\nshare = 1.0\n")
    add_items(town, range(1, 13), sponsor="")
    assert_stopped(
        town, "count", "tool: 12 items would change, more than the 2 that [sources.tool.brakes] count allows"
    )
    assert_forced(town, "count")
    assert len(town.writes) == 12


def test_a_source_can_be_held_shorter_than_the_others(town: Town) -> None:
    town.write_config(CONFIG + "[sources.tool.brakes]\nshare = 0.1\nleast = 5\n")
    add_items(town, range(1, 7))
    town.add(7, sponsor="")
    assert_stopped(town, "share", "1 of 7 items would change (14%), more than the 10% that [brakes] share allows")
    town.write_config(CONFIG + "[sources.tool.brakes]\nshare = 0.2\nleast = 5\n")
    assert town.unstuck("run", "--apply").code == 0


def test_too_many_items_for_one_rule(town: Town) -> None:
    town.write_config("brakes.per_rule = 3\n" + ALL_AT_ONCE)
    add_items(town, range(1, 5), sponsor="")
    add_items(town, range(5, 8), status_since="2026-03-02T09:00:00+00:00")
    assert_stopped(town, "per_rule", 'rule "no-sponsor": 4 items would change, more than the 3 that')
    assert_forced(town, "per_rule")
    assert len(town.writes) == 7


def test_too_many_items_of_one_person(town: Town) -> None:
    town.write_config("brakes.per_person = 3\n" + ALL_AT_ONCE)
    add_items(town, [1, 2], sponsor="", owner="Bo", assignees=["Cy"])
    add_items(town, [3, 4], sponsor="", assignees=["Bo", "Cy"])
    add_items(town, [5, 6, 7], sponsor="", assignees=["Cy"])
    add_items(town, [8, 9, 10, 11, 12], sponsor="")  # nobody's
    assert_stopped(town, "per_person", "Bo: 4 items would change, more than the 3 that [brakes] per_person allows")
    assert_forced(town, "per_person")
    assert len(town.writes) == 12


def test_a_first_run_is_told_how_to_go_on(town: Town) -> None:
    add_items(town, range(1, 13), sponsor="")
    said = town.unstuck("run", "--apply")
    assert said.code == 3
    assert "Nothing has been labelled yet, so a first run often does this." in said.err
    assert "`unstuck plan -o plan.csv`" in said.err
    assert town.unstuck("run", "--apply", "--force", "share").code == 0
    edit_items(town, range(1, 13), sponsor="Ada")
    said = town.unstuck("run", "--apply", "--force", "rule")
    assert "share" in tripped(said)
    assert "a first run" not in said.err


# What is usual


@pytest.fixture
def settled(town: Town) -> Town:
    """A town that has labelled one item a day, on ten days."""
    town.write_config("brakes.least = 3\n" + ALL_AT_ONCE)
    for day in range(1, 11):
        town.now = f"2026-03-{day:02}T12:00:00"
        town.add(day, sponsor="", status_since="2026-03-09T09:00:00+00:00")
        assert town.unstuck("run", "--apply").code == 0
    town.now = "2026-03-11T12:00:00"
    return town


def test_more_than_usual_stops_everything(settled: Town) -> None:
    add_items(settled, range(11, 14), sponsor="")
    assert settled.unstuck("run", "--apply").code == 0  # three times as many are not unusual yet
    settled.now = "2026-03-12T12:00:00"
    add_items(settled, range(14, 18), sponsor="")
    sentence = (
        'rule "no-sponsor": 4 items would change, and on all but one of the last 11 days with runs at most 1 did: '
        "more than the 3 times that [brakes] unusual allows"
    )
    assert_stopped(settled, "unusual", sentence)
    assert_forced(settled, "unusual")
    assert len(settled.writes) == 17


def test_a_rule_that_is_new_has_no_habits(settled: Town) -> None:
    settled.write_rules(
        RULES + '[[rule]]\nid = "new"\nlabel = "pmo-new"\nsays = "New"\nwhen.sponsor = "missing"\nrollout = "now"\n'
    )
    assert settled.unstuck("run", "--apply").code == 0
    assert len(settled.writes) == 20


def test_a_rule_that_is_deleted_by_mistake_is_unusual(settled: Town) -> None:
    settled.write_rules(RULES[RULES.index("[[rule]]\nid   =") :])
    assert_stopped(settled, "unusual", 'rule "no-sponsor": 10 items would change')


def test_a_plan_that_waits_teaches_nothing(town: Town) -> None:
    town.add(1, sponsor="")
    town.unstuck("run")
    assert remembered(town, "SELECT * FROM usual") == []
    town.unstuck("run", "--apply")
    assert remembered(town, "SELECT items FROM usual WHERE kind = 'run'") == [(1,)]


def remembered(town: Town, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(town.folder / "unstuck.db")) as connection:
        return connection.execute(sql).fetchall()


# What shrank


def test_a_source_that_lost_many_collections(town: Town) -> None:
    world = town.world
    boards = [{"native_id": name, "name": name} for name in ("B1", "B2", "B3", "B4")]
    town.world = {**world, "collections": boards}
    for number in range(1, 21):
        town.add(number, sponsor="" if number < 3 else "Ada", collection=f"B{1 + number % 4}")
    town.unstuck("run", "--apply")
    town.edit(1, sponsor="Ada")
    town.world = {**town.world, "collections": boards[:2]}
    sentence = "tool: 2 of 4 collections are not there any more, with 10 items, more than the 30% that"
    assert_stopped(town, "shrink", sentence)
    assert_forced(town, "shrink")
    assert len(town.unstuck("items", "--format", "json").json) == 20
    assert "is not there any more" in town.unstuck("status").out


def test_one_collection_that_goes_is_tidying_up(town: Town) -> None:
    town.world = {**town.world, "collections": [{"native_id": name, "name": name} for name in ("B1", "B2")]}
    add_items(town, range(1, 11), collection="B1")
    add_items(town, range(11, 21), collection="B2")
    town.unstuck("run", "--apply")
    town.world = {**town.world, "collections": [{"native_id": "B1", "name": "B1"}]}
    said = town.unstuck("run", "--apply")
    assert said.code == 0
    assert "B2 is not there any more" in said.err


# What vanished: a field


FIELDS = CONFIG + 'fields = { sponsor = "Executive sponsor", "Cost centre" = "Cost centre" }\n'
FILLED = {"Executive sponsor": "Ada", "Cost centre": "7"}


@pytest.fixture
def sponsored(town: Town) -> Town:
    town.write_config("brakes.share = 1.0\n" + FIELDS)
    add_items(town, range(1, 13), fields=FILLED)
    add_items(town, range(13, 15), fields={**FILLED, "Executive sponsor": ""})
    assert town.unstuck("run", "--apply").code == 0
    assert len(town.writes) == 2
    return town


def test_a_field_that_is_empty_on_all_items_at_once(sponsored: Town) -> None:
    edit_items(sponsored, range(1, 13), fields={**FILLED, "Executive sponsor": ""})
    said = sponsored.unstuck("run", "--apply", "--force", "rule")
    assert tripped(said) == {"field"}
    sentence = 'tool: the field "Executive sponsor" (sponsor) is filled on 0 of 14 items, and was on 12 of 14 the last'
    assert_stopped(sponsored, "field", sentence, ("run", "--apply", "--force", "rule"))
    assert_forced(sponsored, "field", ("run", "--apply", "--force", "rule"))
    assert len(sponsored.writes) == 14


@pytest.mark.parametrize("field", FILLED)
def test_a_field_that_the_tool_does_not_have_any_more(sponsored: Town, field: str) -> None:
    """It cannot be answered then, so labels would come off for no reason."""
    left = {name: value for name, value in FILLED.items() if name != field}
    edit_items(sponsored, range(1, 15), fields=left)
    assert_stopped(sponsored, "field", f'the field "{field}"')
    edit_items(sponsored, range(1, 15), fields=FILLED)
    assert sponsored.unstuck("run", "--apply").code == 0


def test_a_field_that_one_collection_does_not_have_any_more(town: Town) -> None:
    town.write_config("brakes.share = 1.0\n" + FIELDS)
    town.world = {**town.world, "collections": [{"native_id": f"B{n}", "name": f"Board {n}"} for n in (1, 2)]}
    for number in range(1, 31):
        town.add(number, fields=FILLED, collection="B1" if number <= 10 else "B2")
    assert town.unstuck("run", "--apply").code == 0
    edit_items(town, range(1, 11), fields={"Executive sponsor": "Ada"})
    assert_stopped(town, "field", 'tool: Board 1: the field "Cost centre" (Cost centre) is filled on 0 of 10 items')


def test_new_items_without_the_field_are_no_drift(sponsored: Town) -> None:
    town = sponsored
    add_items(town, range(20, 160), fields={"Executive sponsor": "Ada", "Cost centre": ""})
    assert town.unstuck("run", "--apply").code == 0


# What vanished: a status

WITH_REVIEW = (
    RULES + '[[rule.ladder.override]]\nwhen = { status = "In Review" }\nsteps = [{ over = 5, label = "pmo-x" }]\n'
)


def test_a_status_that_a_rule_names_was_renamed(town: Town) -> None:
    town.write_rules(WITH_REVIEW)
    add_items(town, range(1, 13), status="In Review")
    town.add(13, sponsor="")
    town.unstuck("run", "--apply")
    edit_items(town, range(1, 13), status="Peer review")
    town.edit(13, sponsor="Ada")
    assert_stopped(town, "status", 'tool: the status "In Review" seems to be called "Peer review" now')
    town.write_rules(WITH_REVIEW.replace("In Review", "Peer review"))  # what the sentence asks for, and no force
    assert town.unstuck("run", "--apply").code == 0
    assert town.labels(13) == []


def test_a_status_that_was_renamed_in_one_collection(town: Town) -> None:
    town.write_rules(WITH_REVIEW)
    town.world = {**town.world, "collections": [{"native_id": name, "name": name} for name in ("B1", "B2")]}
    for number in range(1, 21):
        town.add(number, status="In Review", collection="B1" if number <= 10 else "B2")
    town.unstuck("run", "--apply")
    edit_items(town, range(1, 11), status="Peer review")
    assert_stopped(town, "status", 'tool: the status "In Review" seems to be called "Peer review" now')


def test_a_status_that_config_maps_was_renamed(town: Town) -> None:
    """The tool's id of it is proof, whatever the number of items."""
    town.write_config(CONFIG + '[sources.tool.statuses]\n"Waiting" = "in_progress"\n')
    town.add(1, status="Waiting", status_id="7")
    town.add(2, sponsor="", status="Waiting", status_id="7")
    town.unstuck("run", "--apply")
    town.edit(2, sponsor="Ada", status="On hold")
    assert_stopped(town, "status", 'tool: the status "Waiting" seems to be called "On hold" now')
    assert_forced(town, "status")
    assert town.labels(2) == []


def test_a_status_that_nobody_names_may_change(town: Town) -> None:
    add_items(town, range(1, 13), status="In Review", status_id="7")
    town.unstuck("run", "--apply")
    edit_items(town, range(1, 13), status="Peer review")
    assert town.unstuck("run", "--apply").code == 0


# What vanished: a label


@pytest.fixture
def labelled(town: Town) -> Town:
    """Twelve items with a label of ours, in two collections."""
    town.write_config(ALL_AT_ONCE)
    town.world = {**town.world, "collections": [{"native_id": name, "name": name} for name in ("B1", "B2")]}
    add_items(town, range(1, 3), sponsor="", collection="B1")
    add_items(town, range(3, 13), sponsor="", collection="B2")
    assert town.unstuck("run", "--apply").code == 0
    assert len(town.writes) == 12
    return town


def test_a_label_that_was_deleted_in_the_tool_is_no_veto(labelled: Town) -> None:
    edit_items(labelled, range(1, 13), labels=["blue"])
    assert_stopped(
        labelled, "label", 'tool: the label "pmo-no-sponsor" is gone from 12 of the 12 items that we put it on'
    )
    assert remembered(labelled, "SELECT * FROM veto") == []
    edit_items(labelled, range(1, 13), labels=["blue", "pmo-no-sponsor"])
    assert labelled.unstuck("run", "--apply").code == 0
    edit_items(labelled, range(1, 13), sponsor="Ada")
    labelled.unstuck("run", "--apply", "--force", "rule")
    assert all(labelled.labels(number) == ["blue"] for number in range(1, 13))  # they were ours all the time


def test_a_label_that_people_took_off_everywhere_stays_off(labelled: Town) -> None:
    edit_items(labelled, range(1, 13), labels=[])
    said = labelled.unstuck("run", "--apply", "--force", "label", "--json")
    assert (said.code, said.json["vetoes"]) == (0, 12)
    assert labelled.unstuck("run", "--apply").code == 0
    assert len(labelled.writes) == 12


def test_a_label_that_was_deleted_in_one_collection(labelled: Town) -> None:
    edit_items(labelled, range(3, 13), labels=[])
    assert_stopped(labelled, "label", 'tool: B2: the label "pmo-no-sponsor" is gone from 10 of the 10 items')


def test_people_may_take_off_what_they_like(labelled: Town) -> None:
    edit_items(labelled, [1, *range(3, 10)], labels=[])
    said = labelled.unstuck("run", "--apply", "--json")
    assert (said.code, said.json["vetoes"]) == (0, 8)


# Config sets brakes, and cannot lift them


@pytest.mark.parametrize("name", NAMES)
def test_config_cannot_lift_a_brake(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    assert configs.load(tmp_path / "config.toml")
    for table in ("brakes", "sources.tool.brakes", "writes"):
        for line in (f"{name} = false", f"{name} = 'off'", f"{name} = 0", f"force = ['{name}']", f"no_{name} = true"):
            (tmp_path / "config.toml").write_text(f"{CONFIG}[{table}]\n{line}\n")
            with pytest.raises(InvalidStop):
                configs.load(tmp_path / "config.toml")


def test_the_help_names_every_brake(town: Town) -> None:
    told = " ".join(town.unstuck("run", "--help").out.split())
    assert f"Lift a brake for this run: {', '.join(NAMES)}." in told


# Laws of what is usual

DAYS = st.lists(st.integers(0, 500), max_size=80)


def known(days: Sequence[int]) -> usual.Usual:
    return usual.Usual({("rule", "r"): days})


def stops(days: Sequence[int], number: int, least: int = 10) -> bool:
    return bool(known(days).check(Changed({"s": number}, {"r": number}), 3, least))


@given(DAYS, st.integers(0, 2000))
def test_too_short_a_past_stops_nothing(days: list[int], number: int) -> None:
    assert not stops(days[: usual.ENOUGH - 1], number)


@given(st.lists(st.integers(0, 500), min_size=usual.ENOUGH, max_size=usual.DAYS), st.integers(0, 9999))
def test_one_exception_is_no_habit(days: list[int], exception: int) -> None:
    """However large one day was, no more is usual than the largest of the others."""
    most = known([*days, exception]).most(("rule", "r"))
    assert most is not None
    assert most <= max(days)


@given(st.lists(st.integers(0, 500), min_size=usual.ENOUGH, max_size=usual.DAYS))
def test_what_happens_every_day_is_usual(days: list[int]) -> None:
    most = sorted(days)[-2]
    assert not stops(days, max(10, 3 * most))
    assert stops(days, max(10, 3 * most) + 1)


@given(st.lists(st.integers(0, 99), min_size=1, max_size=usual.DAYS + 20))
def test_the_store_remembers_the_largest_run_of_the_last_days(
    tmp_path_factory: pytest.TempPathFactory, days: list[int]
) -> None:
    from datetime import date, timedelta

    with open_store(tmp_path_factory.mktemp("usual") / "unstuck.db") as store:
        for number, items in enumerate(days):
            for each in (items, items // 2):
                with store.transaction() as connection:
                    day = date(2026, 1, 1) + timedelta(days=number)
                    usual.keep(connection, day, {usual.ALL: each, ("rule", "r"): each})
        kept = store.connection.execute("SELECT items FROM usual WHERE kind = 'rule' ORDER BY day").fetchall()
        assert [items for (items,) in kept] == days[-usual.DAYS :]
        assert usual.read(store.connection).most(("rule", "r")) == known(days).most(("rule", "r"))


# Laws of drift

LIMITS = Brakes(share=0.3, count=500, least=10, shrink=0.3, per_rule=250, per_person=50, unusual=3)
NUMBERS = st.integers(0, 60)
FIELD_SEEN = st.dictionaries(
    st.builds(
        Field, st.just("tool"), st.sampled_from(["B1", "B2"]), st.sampled_from(["sponsor", "owner"]), st.just("F")
    ),
    st.tuples(NUMBERS, NUMBERS).map(lambda pair: (min(pair), max(pair))),
)
STATUS_SEEN = st.dictionaries(
    st.builds(
        Status,
        st.sampled_from(["tool", "other"]),
        st.sampled_from(["B1", "B2"]),
        st.sampled_from(["", "1", "2"]),
        st.sampled_from(["Doing", "Review", "Done"]),
    ),
    st.integers(1, 60),
)
SEEN = st.builds(Seen, FIELD_SEEN, STATUS_SEEN)


def anything(_: str, status: str) -> bool:
    return status == "Doing"


@given(SEEN)
def test_what_stays_is_no_drift(seen: Seen) -> None:
    assert drift.of_fields(seen, seen, LIMITS, {}) == []
    assert drift.of_statuses(seen, seen, anything, LIMITS) == []


@given(st.integers(1, 60), st.integers(0, 60), st.integers(1, 60), st.integers(0, 60))
def test_a_field_is_lost_where_it_is_on_a_tenth_of_what_it_was(of: int, was: int, items: int, filled: int) -> None:
    was, filled = min(was, of), min(filled, items)
    one = Field("tool", "B1", "sponsor", "S")
    found = drift.of_fields(Seen({one: (was, of)}, {}), Seen({one: (filled, items)}, {}), LIMITS, {})
    little = filled <= Fraction(was, 10) and Fraction(filled, items) <= Fraction(was, of) / 10
    assert bool(found) == (was >= 10 and items >= 10 and little)


@given(SEEN)
def test_nothing_is_drift_in_a_fresh_store(seen: Seen) -> None:
    fresh = Seen({}, {})
    assert drift.of_fields(fresh, seen, LIMITS, {}) == []
    assert drift.of_statuses(fresh, seen, anything, LIMITS) == []


@given(SEEN, st.integers(10, 60))
def test_a_whole_status_under_a_new_name_is_drift(seen: Seen, items: int) -> None:
    others = {status: number for status, number in seen.statuses.items() if status.name != "Doing"}
    before = Seen({}, {**others, Status("tool", "B1", "", "Doing"): items})
    now = Seen({}, {**others, Status("tool", "B1", "", "Under way"): items})
    [found] = drift.of_statuses(before, now, anything, LIMITS)
    assert 'status "Doing" seems to be called "Under way"' in found.sentence


@given(SEEN, SEEN)
def test_what_was_seen_is_remembered_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, first: Seen, then: Seen
) -> None:
    with open_store(tmp_path_factory.mktemp("drift") / "unstuck.db") as store:
        for seen in (first, then):
            with store.transaction() as connection:
                drift.keep(connection, drift.read(connection), seen)
            assert drift.read(store.connection) == seen


LOSS = st.builds(
    lambda collection, label, ours, off: drift.LabelLoss("tool", collection, collection, label, ours, min(ours, off)),
    st.sampled_from(["B1", "B2"]),
    st.sampled_from(["pmo-a", "pmo-b"]),
    st.integers(1, 40),
    st.integers(0, 40),
)


@given(st.lists(LOSS, unique_by=lambda loss: (loss.collection, loss.label)))
def test_many_at_once_are_no_vetoes_and_few_are(losses: list[drift.LabelLoss]) -> None:
    found = [loss for _, loss in drift.vanished_labels(losses, LIMITS)]
    for loss in losses:
        whole = [each for each in losses if each.label == loss.label]
        if loss.off == loss.ours >= LIMITS.least:
            assert loss in found
        if sum(each.off for each in whole) < 0.9 * LIMITS.least:
            assert loss not in found
        if loss in found:
            assert loss.off
            assert drift.of_labels([("tool", loss)])
