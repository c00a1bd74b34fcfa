"""The whole job on monday.com: the real command against the fake account, and what people do in between."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors.fakes.monday.account import TOKEN, Item
from connectors.fakes.monday.api import Monday
from connectors.fakes.monday.refusals import refused, refused_as_before, too_busy, web_page
from connectors.fakes.server import Answer, Request
from tests.sync.town import Said, Town

CONFIG = """
[brakes]
share = 1.0
[sources.boards]
system   = "monday"
base_url = "{url}"
token    = {{ env = "MONDAY_TOKEN" }}
{more}
"""

ADA = ["Ada"]


class Office(Town):
    """A town whose tool is a monday.com account with one board."""

    def __init__(self, folder: Path, monday: Monday) -> None:
        self.monday, self.account = monday, monday.account
        super().__init__(folder)
        self.configure()
        self.board = self.account.new_board("Plan")
        self.token = TOKEN

    def configure(self, more: str = "") -> None:
        self.write_config(CONFIG.format(url=self.monday.url, more=more))

    def environment(self, more: Any = None) -> dict[str, str]:
        return super().environment({"MONDAY_TOKEN": self.token, **(more or {})})

    def new(self, name: str, status: str = "Working on it", parent: Item | None = None, **values: Any) -> Item:
        return self.account.add_item(self.board, name, parent, Status=status, **values)

    def run(self, *more: str, code: int = 0) -> Said:
        said = self.unstuck("run", "--apply", "--json", *more)
        assert said.code == code, said.out + said.err
        return said

    def seen(self, item: Item) -> list[str]:
        return self.account.labels(item)

    def asked(self) -> dict[str, int]:
        """What was asked for since the last time, and how often."""
        asked = dict(self.monday.asked)
        self.monday.server.requests.clear()
        return asked

    def counted(self) -> int:
        """The calls of today, as the store has them."""
        with closing(sqlite3.connect(self.folder / "unstuck.db")) as connection:
            [turns] = connection.execute("SELECT value FROM setting WHERE name = 'turns'").fetchone() or ["{}"]
        return int(json.loads(turns).get("boards", {"calls": 0})["calls"])

    def fates(self) -> dict[str, str | None]:
        """What the store tells people of items that went, by title."""
        with closing(sqlite3.connect(self.folder / "unstuck.db")) as connection:
            return dict(connection.execute("SELECT title, fate FROM gone_work"))

    def kill(self, at: int) -> None:
        """Let a run that writes die at its request number `at`, which is carried out."""
        answer, left = self.monday.server.answer, iter(range(at - 1, -1, -1))

        def last(request: Request) -> Answer:
            found = answer(request)
            if next(left) == 0:
                process.kill()
                process.wait()
            return found

        self.monday.server.answer = last
        process = subprocess.Popen(self.command("run", "--apply"), cwd=self.folder, env=self.environment())
        assert process.wait(60) < 0
        self.monday.server.answer = answer

    def columns(self, *names: str) -> list[dict[str, Any]]:
        """Every item as the store has it."""
        return [{name: item[name] for name in names} for item in self.unstuck("items", "--format", "json").json]


def problems(said: Said) -> str:
    return "\n".join(said.json["problems"])


@pytest.fixture
def monday() -> Iterator[Monday]:
    monday = Monday()
    yield monday
    monday.close()


@pytest.fixture
def office(tmp_path: Path, monday: Monday) -> Office:
    return Office(tmp_path, monday)


def test_a_tag_comes_and_goes_and_what_people_put_on_stays(office: Office) -> None:
    lonely, sponsored = office.new("Lonely", PMO_labels=["theirs"]), office.new("Sponsored", Sponsor=ADA)
    office.run()
    assert office.seen(lonely) == ["theirs", "pmo-no-sponsor"]
    assert office.seen(sponsored) == []
    office.account.set(lonely, Sponsor=ADA)
    office.run()
    assert office.seen(lonely) == ["theirs"]


def test_a_second_run_writes_nothing_and_costs_two_calls(office: Office) -> None:
    for number in range(30):
        office.new(f"Item {number}")
    office.run()
    assert office.asked() == {
        "items_page": 1, "boards": 1, "items": 2, "create_or_get_tag": 1, "change_multiple_column_values": 2
    }  # fmt: skip
    office.run()
    assert office.asked() == {"boards": 1, "items_page": 1}


def test_labels_can_go_into_a_dropdown(office: Office) -> None:
    office.configure('label_column = "Flags"')
    office.account.add_column(office.board, "Flags", "dropdown")
    lonely = office.new("Lonely", Flags=["theirs"])
    office.run()
    assert office.account.labels(lonely, "Flags") == ["theirs", "pmo-no-sponsor"]
    office.account.set(lonely, Sponsor=ADA)
    office.run()
    assert office.account.labels(lonely, "Flags") == ["theirs"]


@pytest.mark.parametrize("column", ["Status", "Owner"])
def test_labels_never_go_into_a_status_or_another_column_of_the_team_s(office: Office, column: str) -> None:
    office.configure(f'label_column = "{column}"')
    lonely = office.new("Lonely", Owner=ADA)
    said = office.run(code=1)
    assert f'boards: Plan: the column "{column}" is of the type' in problems(said)
    assert "name a tags column" in problems(said)
    assert office.columns("status", "owner") == [{"status": "Working on it", "owner": "Ada"}]
    assert office.seen(lonely) == []


def test_the_clock_is_the_status_own_and_neither_our_tag_nor_an_edit_resets_it(office: Office) -> None:
    item = office.new("Slow")
    office.now = "2026-03-27T12:00:00"
    office.run()
    assert office.seen(item) == ["pmo-no-sponsor"]
    office.account.rename(item, "Slow, and renamed")
    office.now = "2026-04-07T12:00:00"
    office.run()
    assert office.seen(item) == ["pmo-no-sponsor", "pmo-stuck-10d"]
    (row,) = office.columns("status_since_is", "status_since")
    assert row["status_since_is"] == "exact"
    assert row["status_since"].startswith("2026-03-20T09:00")
    office.account.set(item, Status="Done", Sponsor=ADA)
    office.run()
    assert office.seen(item) == []


def test_subitems_are_read_from_their_own_board_and_labelled_there(office: Office) -> None:
    below = office.account.new_subitems(office.board)
    parent = office.new("Parent", Sponsor=ADA)
    child = office.account.add_item(below, "Child", parent, Status="Stuck")
    office.run()
    assert office.seen(child) == ["pmo-no-sponsor"]
    by_title = {row["title"]: row for row in office.columns("title", "type", "parent_key", "project", "key")}
    assert by_title["Child"] == {
        "title": "Child", "type": "subitem", "parent_key": parent.id, "project": "Plan", "key": child.id
    }  # fmt: skip
    office.configure("subitems = false")
    assert "Subitems of Plan is not there any more" in office.run().out


def test_what_multi_level_boards_sum_up_is_a_parent_and_not_a_stuck_item(office: Office) -> None:
    office.board = office.account.new_board("Programme", hierarchy="multi_level")
    parent = office.new("Parent", Sponsor=ADA)
    child = office.new("Child", parent=parent, Sponsor=ADA)
    office.new("Done child", parent=parent, status="Done", Sponsor=ADA)
    office.now = "2026-05-20T12:00:00"
    office.run()
    assert office.seen(child) == ["pmo-stuck-20d"]
    assert office.seen(parent) == []
    by_title = {row["title"]: row for row in office.columns("title", "type", "status", "status_category", "parent_key")}
    assert by_title["Parent"] == {
        "title": "Parent", "type": "summary", "status": None, "status_category": "in_progress", "parent_key": None
    }  # fmt: skip
    assert by_title["Child"]["parent_key"] == parent.id
    assert by_title["Child"]["status"] == "Working on it"


def test_a_person_between_our_reading_and_our_write_is_seen_afterwards(office: Office) -> None:
    lonely = office.new("Lonely")
    office.run()
    office.account.set(lonely, PMO_labels=None)
    office.run()
    assert office.seen(lonely) == [], "a person took it off"
    office.run()
    assert office.seen(lonely) == [], "and it stays off"


def test_what_was_archived_or_deleted_is_gone_after_a_sweep_and_comes_back(office: Office) -> None:
    office.new("Stays", Sponsor=ADA)
    archived, deleted = office.new("Archived", Sponsor=ADA), office.new("Deleted", Sponsor=ADA)
    office.run()
    office.account.archive(archived)
    office.account.delete(deleted)
    office.run()
    assert len(office.columns("title")) == 3, "an answer about what changed says nothing of the rest"
    office.monday.account.now = office.monday.account.now.replace(day=22)
    office.run("--force", "shrink")
    assert office.columns("title") == [{"title": "Stays"}]
    archived.state = "active"
    office.account.rename(archived, "Restored")
    office.run()
    assert {row["title"] for row in office.columns("title")} == {"Restored", "Stays"}


def test_what_became_of_items_that_went_is_asked_once_and_told(office: Office) -> None:
    office.new("Stays", Sponsor=ADA)
    other = office.account.new_board("Other")
    gone = {fate: office.new(fate, Sponsor=ADA) for fate in ("archived", "deleted", "moved", "erased")}
    office.configure('collections = ["Plan"]')
    office.run()
    office.account.archive(gone["archived"])
    office.account.delete(gone["deleted"])
    office.account.move(gone["moved"], other)
    office.account.erase(gone["erased"])
    office.asked()
    office.run("--full", "--force", "shrink")
    assert office.asked() == {"boards": 1, "items_page": 1, "items": 1}
    assert office.fates() == {"archived": "archived", "deleted": "deleted", "moved": "moved", "erased": "deleted"}
    said = office.unstuck("explain", gone["archived"].id)
    assert (said.code, said.out) == (2, "")
    named = f'{gone["archived"].id} ("archived", boards)'
    assert f"{named} was archived: it was missed on 2026-03-20, and no rule looks at it." in said.err
    office.run("--full")
    assert office.asked() == {"boards": 1, "items_page": 1}, "once"
    gone["archived"].state = "active"
    office.run("--full")
    assert "archived" not in office.fates()
    office.now = "2026-03-21T12:00:00"
    office.account.delete(gone["archived"])
    office.run("--full", "--force", "shrink")
    assert office.fates()["archived"] == "deleted", "what was true of an earlier time is not told"


def test_a_tool_that_does_not_say_what_became_of_items_holds_nothing_up(office: Office) -> None:
    office.new("Lonely")
    gone = office.new("Gone", Sponsor=ADA)
    office.run()
    office.account.archive(gone)
    office.monday.script(refused("GRAPHQL_VALIDATION_FAILED", "no", 200), query="state board", times=9)
    said = office.run("--full", "--force", "shrink")
    assert "boards: what became of items that went could not be asked: " in said.json["sources"][0]["notices"][0]
    assert office.fates() == {"Gone": None}
    office.monday.forget_scripts()
    office.run("--full")
    assert office.fates() == {"Gone": "archived"}


def test_a_dry_run_sends_no_mutation(office: Office) -> None:
    office.new("Lonely")
    before = office.account.everything()
    for command in (("run",), ("plan",), ("check", "--live"), ("status",)):
        office.unstuck(*command)
    assert office.asked().keys() <= {"boards", "items_page", "me"}
    assert office.account.everything() == before


def test_an_answer_with_errors_is_not_complete_though_it_has_data(office: Office) -> None:
    lonely = office.new("Lonely")
    office.run()

    def spoil(query: str, answer: dict[str, Any]) -> dict[str, Any]:
        if "items_page" not in query:
            return answer
        answer["data"]["boards"][0]["items_page"]["items"] = []
        return {**answer, "errors": [{"message": "Something broke", "extensions": {"code": "ColumnTimeout"}}]}

    office.monday.quirks.spoil = spoil
    said = office.run("--full", code=1)
    assert "boards: Plan: monday.com" in said.out
    assert "Something broke" in said.out
    office.monday.quirks.spoil = None
    assert len(office.columns("title")) == 1
    assert office.seen(lonely) == ["pmo-no-sponsor"]


@pytest.mark.parametrize(
    "answer",
    [
        too_busy(1),
        refused("INTERNAL_SERVER_ERROR", "Internal server error"),
        refused("maxConcurrencyExceeded", "Concurrency limit exceeded", 429, retry_in_seconds=1),
        refused_as_before("ComplexityException", "Complexity budget exhausted, reset in 1 seconds", 429),
        web_page(),
    ],
    ids=["today's", "at status 200", "concurrency", "of old times", "a web page"],
)
def test_what_passes_is_waited_for_in_each_of_its_four_forms(office: Office, answer: Any) -> None:
    lonely = office.new("Lonely")
    office.monday.script(answer, query="items_page")
    office.run()
    assert office.seen(lonely) == ["pmo-no-sponsor"]


def test_a_cursor_that_expires_starts_the_board_over(office: Office) -> None:
    office.configure("page_size = 2")
    for number in range(5):
        office.new(f"Item {number}")
    office.monday.script(refused("CursorExpiredError", "The cursor has expired"), query="next_items_page")
    office.run()
    assert len(office.columns("title")) == 5
    assert office.asked()["items_page"] == 2


def test_a_query_that_is_too_complex_is_asked_for_fewer_items(office: Office) -> None:
    for number in range(60):
        office.new(f"Item {number}", Sponsor=ADA)
    office.monday.quirks.too_complex_above = 40_000
    office.run()
    assert len(office.columns("title")) == 60


def test_a_token_that_is_not_accepted_clears_nothing(office: Office) -> None:
    lonely = office.new("Lonely")
    office.run()
    office.account.set(lonely, Sponsor=ADA)
    office.token = "a-token-that-was-revoked"
    said = office.run(code=1)
    assert "credentials" in said.out
    assert "a-token-that-was-revoked" not in said.out + said.err
    assert office.seen(lonely) == ["pmo-no-sponsor"]
    office.token = TOKEN
    office.run()
    assert office.seen(lonely) == []


def test_a_token_without_the_board_is_told_at_check_time(office: Office) -> None:
    office.configure('collections = ["9999999999"]')
    for command in (("check", "--live"), ("run",)):
        said = office.unstuck(*command)
        assert said.code == 1
        assert 'there is no board "9999999999" that this account sees' in said.out + said.err


def test_two_columns_of_one_title_are_told_with_their_ids(office: Office) -> None:
    office.configure('[sources.boards.fields]\noutcome_metric = "Metric"')
    ids = [office.account.add_column(office.board, "Metric", "text").id for _ in range(2)]
    said = office.unstuck("check", "--live")
    assert f'2 columns called "Metric"; name the one meant by its id: "{ids[0]}" or "{ids[1]}"' in said.out


def test_a_label_column_that_is_gone_or_of_another_type_is_not_everybodys_veto(office: Office) -> None:
    lonely = office.new("Lonely")
    office.run()
    column = office.board.column("PMO labels")
    column.archived = True
    assert "with our labels is gone" in office.run(code=1).out
    column.archived, column.type = False, "text"
    assert "is of another type now" in office.run(code=1).out
    column.type = "tags"
    office.account.set(lonely, Status="Stuck")
    office.run()
    assert office.seen(lonely) == ["pmo-no-sponsor"]


def test_a_renamed_column_is_found_again(office: Office) -> None:
    lonely = office.new("Lonely")
    office.run()
    office.board.column("PMO labels").title = "Labels"
    office.account.set(lonely, Sponsor=ADA)
    office.run()
    assert office.account.labels(lonely, "Labels") == []


def test_a_mapped_column_that_is_gone_is_unknown_and_blames_nobody(office: Office) -> None:
    office.configure('[sources.boards.fields]\nsponsor = "Who pays"')
    lonely = office.new("Lonely")
    said = office.unstuck("check", "--live")
    assert 'Plan has no column "Who pays", so sponsor is unknown there' in said.out
    office.run()
    assert office.seen(lonely) == []


def test_an_item_that_is_locked_is_named_and_the_others_are_written(office: Office) -> None:
    locked, free = office.new("Locked"), office.new("Free")
    locked.locked = True
    said = office.run(code=1)
    assert f"boards: {locked.id}: monday.com does not let this account do this" in said.out
    assert office.seen(free) == ["pmo-no-sponsor"]


def test_a_board_to_view_only_is_read_and_said(office: Office) -> None:
    office.new("Lonely")
    office.board.access = "view"
    assert "for us to view only" in office.unstuck("check", "--live").out
    assert "may only view the board" in office.run(code=1).out


def test_without_a_label_column_the_sentence_says_how_to_add_it_and_that_works(office: Office) -> None:
    lonely = office.new("Lonely")
    office.board.columns.remove(office.board.column("PMO labels"))
    assert "unstuck init --sheet" in office.run(code=1).out
    shown = office.unstuck("init", "--sheet", "Plan")
    assert 'Plan: lacks column "PMO labels", Tags' in shown.out
    assert "PMO labels" not in [column.title for column in office.board.columns]
    office.unstuck("init", "--sheet", "Plan", "--apply")
    office.run()
    assert office.seen(lonely) == ["pmo-no-sponsor"]


def test_private_boards_have_tags_of_their_own(office: Office) -> None:
    office.board.kind = "private"
    lonely = office.new("Lonely")
    office.run()
    assert office.seen(lonely) == ["pmo-no-sponsor"]
    assert [tag.board for tag in office.account.tags.values()] == [office.board.id]


def test_a_tag_that_comes_back_otherwise_is_refused_before_it_is_used(office: Office) -> None:
    rules = office.folder / "rules.d" / "pmo.toml"
    rules.write_text(rules.read_text().replace("pmo-no-sponsor", "pmo-No-Sponsor"))
    office.monday.roots.tag_case = True
    lonely = office.new("Lonely")
    said = office.run(code=1)
    assert 'makes the tag "pmo-no-sponsor" of "pmo-No-Sponsor"' in problems(said)
    assert office.seen(lonely) == []


def test_retire_takes_our_tags_off_and_no_other(office: Office) -> None:
    lonely = office.new("Lonely", PMO_labels=["theirs"])
    office.run()
    assert office.unstuck("retire", "--apply").code == 0
    assert office.seen(lonely) == ["theirs"]


# The calls of a day


def test_calls_are_counted_over_all_runs_of_a_day_and_a_run_that_does_not_fit_does_not_start(office: Office) -> None:
    office.configure("daily_calls = 10")
    lonely = office.new("Lonely")
    office.run()  # the boards, their items, what is there right before, a tag, and the write
    assert office.monday.calls == 5
    office.run()
    office.run()
    office.account.set(lonely, Sponsor=ADA)
    assert office.monday.calls == 9
    said = office.run(code=1)
    assert "this takes 1 call, of which daily_calls leaves 0 for today" in problems(said)
    assert office.monday.calls == 10, "the list of the boards was asked for, and nothing else"
    assert "leaves 0 for today" in problems(office.run(code=1))
    assert office.monday.calls == 10, "and then not even that"
    assert office.seen(lonely) == ["pmo-no-sponsor"], "nothing is taken for gone or good"
    office.now = "2026-03-21T00:10:00"
    office.run()
    assert office.seen(lonely) == []


def test_a_run_that_is_killed_keeps_its_count(office: Office) -> None:
    office.configure("page_size = 1")
    for number in range(6):
        office.new(f"Item {number}")
    office.kill(at=6)
    assert office.monday.calls == 6
    assert office.counted() >= 4, "but for what was on its way"


def test_a_run_that_is_killed_while_it_writes_keeps_its_count(office: Office) -> None:
    for number in range(60):
        office.new(f"Item {number}")
    office.kill(at=6)  # the boards, the items, 25 of them right before, a tag, their writes, and the next 25
    assert office.asked()["change_multiple_column_values"] == 1
    assert office.counted() >= 4 + 25


def test_what_check_and_init_ask_counts_too(office: Office) -> None:
    office.new("Lonely")
    office.run()
    before = office.counted()
    assert before == office.monday.calls
    assert office.unstuck("check", "--live").code == 0
    assert office.unstuck("init", "--sheet", "Plan").code == 0
    assert office.counted() == office.monday.calls > before
    office.configure(f"daily_calls = {office.monday.calls}")
    said = office.unstuck("check", "--live")
    assert said.code == 1
    assert "boards: problem: this takes 1 call, of which daily_calls leaves 0 for today" in said.out
    assert office.counted() == office.monday.calls, "nothing was asked any more"


def test_check_makes_no_store_to_count_in(office: Office) -> None:
    assert office.unstuck("check", "--live").code == 0
    assert not (office.folder / "unstuck.db").exists()


def test_a_board_that_takes_more_calls_than_are_left_is_not_begun(office: Office) -> None:
    office.configure("daily_calls = 4\npage_size = 1")
    for number in range(5):
        office.new(f"Item {number}", Sponsor=ADA)
    said = office.run(code=1)
    assert "boards: Plan: this takes 5 calls, of which daily_calls leaves 3 for today" in problems(said)
    assert office.asked() == {"boards": 1}
    assert office.columns("title") == []


def test_labels_that_take_more_calls_than_are_left_wait_for_another_day(office: Office) -> None:
    office.configure("daily_calls = 6")
    items = [office.new(f"Item {number}") for number in range(10)]
    assert "this takes 11 calls" in problems(office.run(code=1))
    assert [office.seen(item) for item in items] == [[]] * 10


def test_a_sweep_waits_for_a_day_with_enough_calls(office: Office) -> None:
    office.configure("daily_calls = 13\npage_size = 1")
    goes, *_ = [office.new(f"Item {number}", Sponsor=ADA) for number in range(4)]
    office.run()
    office.account.now = office.account.now.replace(day=25)
    office.run()
    assert office.monday.calls == 10, "twice the boards, and four pages"
    office.account.now = office.account.now.replace(day=27)
    office.account.delete(goes)
    office.run()
    assert office.monday.calls == 12, "what changed is read, and the sweep waits"
    assert len(office.columns("title")) == 4
    office.now = "2026-03-21T12:00:00"
    office.run("--force", "shrink")
    assert len(office.columns("title")) == 3


def test_the_tool_s_own_count_ends_the_turn_and_clears_nothing(office: Office) -> None:
    lonely = office.new("Lonely")
    office.run()
    office.account.set(lonely, Sponsor=ADA)
    office.monday.quirks.daily = office.monday.calls + 1
    said = office.run(code=1)
    assert "Daily limit exceeded" in problems(said)
    assert office.seen(lonely) == ["pmo-no-sponsor"]
    office.monday.quirks.daily = None
    office.run()
    assert office.seen(lonely) == []


def test_check_without_a_call_warns_of_turns_that_the_plan_does_not_allow(office: Office) -> None:
    office.configure('daily_calls = 200\nevery = "5m"')
    said = office.unstuck("check")
    assert said.code == 0
    assert (
        "sources.boards: a turn every 5 minutes takes at least 576 calls a day, and 200 are allowed; set every to 15m "
        "or more. (warning)"
    ) in said.out
    assert office.monday.requests == []
    office.configure('daily_calls = 200\nevery = "15m"')
    assert "calls a day" not in office.unstuck("check").out


def test_a_source_takes_part_as_often_as_every_says_and_when_it_is_asked_for(office: Office) -> None:
    office.configure('every = "1h"')
    lonely = office.new("Lonely")
    office.run()
    office.account.set(lonely, Sponsor=ADA)
    office.asked()
    office.now = "2026-03-20T12:30:00"
    said = office.run()
    assert said.json["waiting"] == [
        "boards: not asked, as it answered less than 60 minutes ago; --source boards asks it all the same."
    ]
    assert office.asked() == {}
    assert office.seen(lonely) == ["pmo-no-sponsor"]
    assert office.plan() == {lonely.id: ["-pmo-no-sponsor"]}, "a plan is of now"
    office.now = "2026-03-20T12:59:40"
    office.run()
    assert office.seen(lonely) == []
    office.new("Other")
    office.run("--source", "boards")
    assert len(office.columns("title")) == 2


def test_who_planned_may_write_at_once(office: Office) -> None:
    office.configure('every = "1h"')
    lonely = office.new("Lonely")
    assert office.unstuck("run").code == 0
    office.run()
    assert office.seen(lonely) == ["pmo-no-sponsor"]
    assert office.run().json["waiting"]


def test_a_source_that_failed_does_not_wait_for_its_next_turn(office: Office) -> None:
    office.configure('every = "1d"')
    lonely = office.new("Lonely")
    office.token = "wrong-token-of-another-account"
    office.run(code=1)
    office.token = TOKEN
    office.run()
    assert office.seen(lonely) == ["pmo-no-sponsor"]
