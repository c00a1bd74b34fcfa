"""`unstuck digest`: what is told to whom, and who gets none. With the command; nothing is sent here but in the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.digest.model import Content, Entry, Kind
from tests.fakes.smtp import FakeSmtp
from tests.sync.town import CONFIG, LONG_AGO, RULES, Said, Town

ADDRESSES = """
[digest.addresses]
"Ada Lovelace" = "ada@example.com"
"Ben Okri" = "ben@example.com"
"""
OUTCOME = """
[[rule]]
id = "no-metric"
label = "pmo-no-metric"
says = "No outcome metric"
rollout = "now"
[rule.when]
status_category = "not done"
outcome_metric = "missing"
"""


class Office(Town):
    """A town with a mail server."""

    def __init__(self, folder: Path, server: FakeSmtp) -> None:
        self.server = server
        super().__init__(folder, rules=RULES + OUTCOME)
        self.configure()

    def configure(self, more: str = "", addresses: str = ADDRESSES, timeout: str = "2s") -> None:
        mail = f'smtp = "127.0.0.1:{self.server.port}"\nfrom = "PMO <pmo@example.com>"\ntimeout = "{timeout}"\n'
        self.write_config(f"{CONFIG}\n[digest]\n{mail}{more}\n{addresses}")

    def add(self, number: int, **columns: Any) -> str:
        """An item that no rule minds, but for what `columns` say."""
        return super().add(number, **{"owner": "Ada Lovelace", "outcome_metric": "Churn 5 % to 3 %", **columns})

    def stuck(self, number: int, **columns: Any) -> str:
        return self.add(number, status_since=LONG_AGO, **columns)

    def digest(self, *arguments: str, code: int = 0) -> Said:
        """After a run."""
        assert self.unstuck("run").code == 0
        said = self.unstuck("digest", *arguments)
        assert said.code == code, said.out + said.err
        return said

    def told(self, *arguments: str) -> dict[str, dict[str, list[str]]]:
        """Name -> part -> keys."""
        contents = self.digest("--format", "json", *arguments).json["contents"]
        parts = ("stuck", "outcome", "better")
        return {
            each["name"]: {part: [item["key"] for item in each[part]] for part in parts if each[part]}
            for each in contents
        }

    def sent(self, *arguments: str) -> list[str]:
        """Whom it is mailed to."""
        before = len(self.server.taken)
        self.digest("--apply", *arguments)
        return self.server.recipients[before:]

    def text(self, number: int = -1) -> str:
        """The plain text of a mail."""
        body = self.server.taken[number][1].get_body(("plain",))
        assert body is not None
        return str(body.get_content())


@pytest.fixture
def server() -> Iterator[FakeSmtp]:
    server = FakeSmtp()
    yield server
    server.close()


@pytest.fixture
def office(tmp_path: Path, server: FakeSmtp) -> Office:
    return Office(tmp_path, server)


# What is told


def test_what_is_stuck_or_without_an_outcome(office: Office) -> None:
    office.stuck(1, url="https://tool.example/1")
    office.add(2, outcome_metric=None)
    office.stuck(3, outcome_metric=None, owner="Ben Okri")
    office.add(4, sponsor=None)
    office.add(5)
    assert office.told() == {
        "Ada Lovelace": {"stuck": ["APP-1"], "outcome": ["APP-2"]},
        "Ben Okri": {"stuck": ["APP-3"]},
    }
    shown = office.digest().out
    assert "[APP-1](<https://tool.example/1>) Item 1" in shown
    assert "In Doing for 14 business days (since 2 Mar 2026)" in shown
    assert "Clears when the status leaves in progress" in shown
    assert "No outcome metric (found on 20 Mar 2026)" in shown.split("# Ben Okri")[0]
    assert "In Doing for 14 business days; No outcome metric (since 2 Mar 2026)" in shown.split("# Ben Okri")[1]


def test_a_start_that_history_cannot_prove_is_at_least(office: Office) -> None:
    office.stuck(1, status_since_is="at_least")
    assert "(since 2 Mar 2026 or longer)" in office.digest().out


@pytest.mark.parametrize(
    ("by", "name"), [("owner", "Ada Lovelace"), ("sponsor", "Grace Hopper"), ("project", "Warehouse")]
)
def test_whom_it_is_for(office: Office, by: str, name: str) -> None:
    office.stuck(1, sponsor="Grace Hopper", project="Warehouse", assignees=["Nobody asked"])
    assert office.told("--by", by) == {name: {"stuck": ["APP-1"]}}
    office.configure(f'by = "{by}"')
    assert office.told() == {name: {"stuck": ["APP-1"]}}


def test_without_an_owner_the_first_who_works_on_it_gets_it(office: Office) -> None:
    office.stuck(1, owner=" ", assignees=["Ben Okri", "Ada Lovelace"])
    assert office.told() == {"Ben Okri": {"stuck": ["APP-1"]}}


def test_an_initiative_is_told_to_its_owner(office: Office) -> None:
    text = (office.folder / "config.toml").read_text().split("\n", 1)[1]
    fields = "[sources.tool.fields]\ninitiative_id = 'Initiative'\n[links]\nkey = 'initiative_id'\n"
    office.write_config(text.replace("[digest]", f"{fields}[digest]"))
    office.write_rules(OUTCOME.replace("label =", 'on = "initiative"\nlabel ='))
    office.add(1, outcome_metric=None, fields={"Initiative": "INI-7"})
    assert office.told() == {"Ada Lovelace": {"outcome": ["INI-7"]}}


def test_what_is_nobodys_is_counted(office: Office) -> None:
    office.stuck(1, owner=None)
    said = office.digest()
    assert "1 item without owner in no digest." in said.err
    assert said.out == ""


def test_one_person_however_tools_spell_the_name(office: Office) -> None:
    office.stuck(1, owner="Ada  Lovelace")
    office.stuck(2, owner="ADA LOVELACE")
    assert office.told() == {"Ada Lovelace": {"stuck": ["APP-1", "APP-2"]}}


def test_what_got_better_since_the_last_one(office: Office) -> None:
    for number in range(1, 6):
        office.stuck(number)
    assert office.sent() == ["ada@example.com"]
    assert "Better" not in office.text()
    office.now = "2026-03-27T12:00:00"
    office.edit(1, status="Done", status_category="done")
    office.edit(2, owner="Ben Okri")
    office.label(3, "pmo-exempt")
    office.remove(4)
    office.unstuck("run", "--full", "--force", "shrink")
    assert office.told() == {
        "Ada Lovelace": {"stuck": ["APP-5"], "better": ["APP-1", "APP-4"]},
        "Ben Okri": {"stuck": ["APP-2"]},
    }
    assert office.sent() == ["ada@example.com", "ben@example.com"]
    told = office.text(-2).split("BETTER")[1]
    assert "done (Done)" in told
    assert "gone from its tool" in told


def test_the_last_one_of_somebody_who_has_nothing_open_any_more(office: Office) -> None:
    office.stuck(1)
    office.sent()
    office.edit(1, status="Done", status_category="done")
    office.now = "2026-03-27T12:00:00"
    assert office.sent() == ["ada@example.com"]
    assert office.server.taken[-1][1]["Subject"] == "Work items: 1 better"
    office.now = "2026-04-01T12:00:00"
    assert office.sent() == []


# What people said no to is not told either


def test_what_is_exempt_is_not_told(office: Office) -> None:
    office.stuck(1, labels=["pmo-exempt"])
    office.stuck(2)
    office.write_config(f'exemptions = ["e.toml"]\n{(office.folder / "config.toml").read_text().split(chr(10), 1)[1]}')
    entry = '[[exemption]]\nsource = "tool"\nkey = "APP-2"\nreason = "r"\napprover = "a"\nuntil = 2026-12-31\n'
    (office.folder / "e.toml").write_text(entry)
    assert office.told() == {}
    assert "nothing to tell" in office.digest().err


def test_a_label_that_a_person_took_off_is_not_told(office: Office) -> None:
    office.stuck(1)
    office.stuck(2)
    office.unstuck("run", "--apply", "--force", "share")
    office.unlabel(1, "pmo-stuck-10d")
    assert office.told() == {"Ada Lovelace": {"stuck": ["APP-2"]}}


def test_a_rule_that_is_paused_or_labels_elsewhere_first_is_not_told(office: Office) -> None:
    for number in range(1, 7):
        office.stuck(number)
    office.unstuck("run", "--apply", "--force", "share", "--force", "rule")
    for number in range(1, 6):
        office.unlabel(number, "pmo-stuck-10d")
    assert office.told() == {}
    office.unstuck("rules", "resume", "stuck")
    assert office.told() == {"Ada Lovelace": {"stuck": ["APP-6"]}}
    office.write_rules(RULES.replace('rollout = "now"', 'rollout = { first = "Another board" }'))
    assert office.told() == {}


# How much is told


def entry(number: int, kind: Kind) -> Entry:
    from datetime import date

    return Entry(number, kind, "tool", f"APP-{number}", "", None, "Ada", 0, date(2026, 3, 2), False, ("r",), ("c",))


@pytest.mark.parametrize(
    ("stuck", "outcome", "most", "shown"),
    [(20, 20, 10, (5, 5)), (20, 2, 10, (8, 2)), (2, 20, 10, (2, 8)), (3, 3, 10, (3, 3)), (4, 4, 1, (1, 0))],
)
def test_each_kind_gets_half_of_the_attention(stuck: int, outcome: int, most: int, shown: tuple[int, int]) -> None:
    content = Content(
        ("Ada",),
        tuple(entry(number, Kind.STUCK) for number in range(stuck)),
        tuple(entry(number, Kind.OUTCOME) for number in range(outcome)),
    )
    told = content.shown(most)
    assert (len(told.stuck), len(told.outcome)) == shown
    assert (told.more_stuck, told.more_outcome) == (stuck - shown[0], outcome - shown[1])


def test_the_longest_are_told_and_the_rest_is_counted(office: Office) -> None:
    office.configure("items = 2")
    office.stuck(1)
    office.add(2, status_since="2026-02-20T09:00:00+00:00")
    office.add(3, status_since="2026-02-10T09:00:00+00:00")
    shown = office.digest().out
    assert shown.index("APP-3") < shown.index("APP-2")
    assert "APP-1 " not in shown
    assert "… and 1 more." in shown
    assert [item["key"] for item in office.digest("--format", "json").json["contents"][0]["stuck"]][-1] == "APP-1"


def test_a_source_that_does_not_answer_is_named(office: Office) -> None:
    office.stuck(1)
    office.unstuck("run")
    office.world_file.rename(office.folder / "away.json")
    assert office.unstuck("run").code == 1
    said = office.unstuck("digest")
    assert "> tool did not answer the last time: what is said of it may be old." in said.out
    office.now = "2026-03-23T12:00:00"
    assert "> As of 20 Mar 2026: nothing was read since. tool did not" in office.unstuck("digest").out


# Who gets none


def test_at_most_one_a_week_and_person(office: Office) -> None:
    office.now = "2026-03-16T08:00:00"  # a Monday
    office.add(1, status_since="2026-02-02T09:00:00+00:00")
    assert office.sent() == ["ada@example.com"]
    for day in range(17, 21):
        office.now = f"2026-03-{day}T08:00:00"
        assert office.sent() == []
        assert office.sent("--by", "sponsor") == []
    assert "Had theirs of 2026-W12: Ada Lovelace." in office.digest().err
    office.now = "2026-03-23T07:00:00"
    assert office.sent() == ["ada@example.com"]


@pytest.mark.parametrize(("every", "then"), [("day", "2026-03-19"), ("week", "2026-03-23"), ("month", "2026-04-01")])
def test_how_often_is_for_config_to_say(office: Office, every: str, then: str) -> None:
    office.configure(f'every = "{every}"')
    office.add(1, status_since="2026-02-02T09:00:00+00:00")
    office.now = "2026-03-18T08:00:00"
    assert (office.sent(), office.sent()) == (["ada@example.com"], [])
    office.now = f"{then}T08:00:00"
    assert office.sent() == ["ada@example.com"]


def test_never_on_a_day_off(office: Office) -> None:
    office.stuck(1)
    office.now = "2026-03-22T12:00:00"  # a Sunday
    assert office.sent() == []
    assert "Have a day off, and get none today: Ada Lovelace." in office.digest().err
    office.now = "2026-03-23T12:00:00"
    assert office.sent() == ["ada@example.com"]


def test_a_day_off_by_the_calendar_of_the_source(office: Office) -> None:
    office.write_config(
        CONFIG
        + f'calendar = "munich"\n[calendars.munich]\ncountry = "DE"\nregion = "BY"\n[digest]\nfrom = "a@example.com"\n'
        f'smtp = "127.0.0.1:{office.server.port}"\n{ADDRESSES}'
    )
    office.stuck(1)
    office.now = "2026-01-06T12:00:00"  # Epiphany, a holiday in Bavaria
    office.edit(1, status_since="2025-12-01T09:00:00+00:00")
    assert office.sent() == []
    office.now = "2026-01-07T12:00:00"
    assert office.sent() == ["ada@example.com"]


def test_nothing_when_there_is_nothing(office: Office) -> None:
    office.add(1)
    said = office.digest("--apply", "-o", "out.md")
    assert (said.out, said.err) == ("", "")
    assert not (office.folder / "out.md").exists()
    assert office.server.lines == []


def test_who_opted_out_gets_none(office: Office) -> None:
    office.configure('opt_out = ["no-*.toml"]')
    office.stuck(1)
    file = office.folder / "no-digest.toml"
    file.write_text('[[opt_out]]\nperson = "ada LOVELACE"\nreason = "reads the report"\nuntil = 2026-03-20\n')
    said = office.digest("--apply")
    assert (said.out, office.server.recipients) == ("", [])
    assert "Opted out: Ada Lovelace." in office.digest().err
    assert "Opt-outs: 1 in force, fine." in office.unstuck("check").out
    office.now = "2026-03-23T08:00:00"
    assert office.sent() == ["ada@example.com"]


def test_mistakes_in_opt_outs_are_told_all_at_once(office: Office) -> None:
    office.configure('opt_out = ["no.toml"]')
    (office.folder / "no.toml").write_text('[[opt_out]]\nperson = 3\n[[opt_out]]\nuntil = "soon"\nname = "x"\n')
    office.unstuck("run")
    said = office.unstuck("digest", "--apply")
    assert said.code == 2
    assert said.err.splitlines()[-4:] == [
        "no.toml:2: person: must be text in quotes that is not empty",
        "no.toml:5: name: there is no such key; known are: person, reason, until",
        "no.toml:3: person: is missing; an opt-out says who wants no digest",
        "no.toml:4: until: must be a day without quotes: until = 2026-12-31",
    ]
    assert office.unstuck("check").code == 2
    (office.folder / "no.toml").unlink()
    assert '"no.toml" finds no file below' in office.unstuck("digest").err


def test_who_has_no_address_is_named_once_and_has_it_printed(office: Office) -> None:
    office.configure(addresses="")
    office.stuck(1)
    said = office.digest("--apply")
    assert said.out.startswith("# Ada Lovelace\n")
    assert said.err == "Without an address, and so only printed: Ada Lovelace; add them to [digest.addresses].\n"
    said = office.digest("--apply")
    assert (said.out, said.err) == ("", "")
    office.now = "2026-03-27T12:00:00"
    said = office.digest("--apply", "-o", "rest.md")
    assert (said.out, said.err) == ("", "")
    assert (office.folder / "rest.md").read_text().startswith("# Ada Lovelace\n")


def test_a_file_that_cannot_be_written_stops_before_anything_is_sent(office: Office) -> None:
    office.stuck(1)
    office.stuck(2, owner="Cleo")
    said = office.digest("--apply", "-o", "no/such/folder.md", code=2)
    assert "cannot be written" in said.err
    assert office.server.lines == []
    assert office.sent() == ["ada@example.com"]


def test_who_gets_an_address_in_the_same_week_gets_the_mail(office: Office) -> None:
    office.configure(addresses="")
    office.stuck(1)
    office.digest("--apply")
    office.configure()
    assert (office.sent(), office.sent()) == (["ada@example.com"], [])


def test_what_was_printed_counts_for_what_got_better(office: Office) -> None:
    office.configure(addresses="")
    office.stuck(1)
    office.digest("--apply")
    office.configure()
    office.edit(1, status="Done", status_category="done")
    office.now = "2026-03-27T12:00:00"
    assert office.told() == {"Ada Lovelace": {"better": ["APP-1"]}}


# Plan first, and the switches


def test_without_apply_nothing_is_sent_nor_remembered(office: Office) -> None:
    office.stuck(1)
    said = office.digest()
    assert "Would be mailed: Ada Lovelace <ada@example.com>." in said.err
    assert "Nothing was sent; send it with `unstuck digest --by owner --apply`." in said.err
    assert office.server.lines == []
    assert office.sent() == ["ada@example.com"]


def test_the_switch(office: Office) -> None:
    office.configure("send = false")
    office.stuck(1)
    said = office.digest("--apply", code=3)
    assert said.err.endswith("digest.send is false: nothing is sent; take it out to send again.\n")
    assert "digest.send is false" in office.digest().err
    assert office.server.lines == []


def test_more_people_than_usual_are_refused(office: Office) -> None:
    office.configure("most = 1")
    office.stuck(1)
    office.stuck(2, owner="Ben Okri")
    assert "2 mails would go out at once" in office.digest("--apply", code=3).err
    assert office.server.lines == []


def test_no_way_to_send(office: Office) -> None:
    office.write_config(CONFIG)
    office.stuck(1)
    said = office.digest()
    assert "# Ada Lovelace" in said.out
    assert "There is no way to send it" in said.err
    assert "there is no way to send it; set smtp or webhook" in office.digest("--apply", code=2).err


def test_a_rehearsal_reaches_no_other_machine(office: Office) -> None:
    office.write_config(CONFIG + '[digest]\nfrom = "a@example.com"\nsmtp = "mail.example.com"\n' + ADDRESSES)
    office.stuck(1)
    assert "while UNSTUCK_NOW sets the clock" in office.digest("--apply", code=3).err


def test_another_run_holds_the_lock(office: Office) -> None:
    from sync.lock import locked

    office.stuck(1)
    office.unstuck("run")
    with locked(office.folder / "unstuck.db"):
        assert office.unstuck("digest", "--apply").code == 4
        assert office.unstuck("digest").code == 0
    assert office.server.lines == []


def test_a_second_one_takes_a_persons_word(office: Office) -> None:
    office.stuck(1)
    office.stuck(2, owner="Ben Okri")
    office.sent()
    assert office.sent("--again", "ada lovelace") == ["ada@example.com"]
    assert office.sent() == []
    assert 'did you mean "Ada Lovelace"?' in office.digest("--apply", "--again", "Ada Lovelade", code=2).err
    assert office.digest("--again", "Ada Lovelace", code=2).err.startswith("Usage:")


def test_secrets_of_sources_are_not_needed(office: Office) -> None:
    office.stuck(1)
    office.unstuck("run")
    text = (office.folder / "config.toml").read_text()
    source = '[sources.jira]\nsystem = "jira"\nbase_url = "https://x.example"\ntoken = { env = "NOT_SET" }\n'
    office.write_config(text.split("\n", 1)[1] + source)
    assert office.unstuck("digest", "--apply").code == 0
    assert office.server.recipients == ["ada@example.com"]


def test_json_says_what_became_of_each(office: Office) -> None:
    office.stuck(1)
    planned = office.digest("--format", "json").json
    assert [(each["state"], each["result"]) for each in planned["digests"]] == [("due", None)]
    sent = json.loads(office.digest("--apply", "--format", "json", "-o", "out.json").out or "{}")
    assert sent == {}
    sent = json.loads((office.folder / "out.json").read_text())
    assert [(each["state"], each["result"]) for each in sent["digests"]] == [("due", "sent")]


def test_old_ones_are_forgotten_but_not_the_last(office: Office) -> None:
    """Those of a rehearsal stay, as its clock is made up; so this looks at the store."""
    from datetime import UTC, datetime, timedelta

    from sync.clock import Clock
    from sync.digest import memory
    from sync.digest.terms import By
    from sync.store import open_store

    with open_store(office.folder / "unstuck.db") as store:
        start = datetime(2026, 1, 5, 8, tzinfo=UTC)
        for week in (0, 1, 60):
            clock = Clock(start + timedelta(weeks=week), rehearsal=False)
            now = memory.Period(f"week {week}", rehearsal=False)
            sending = memory.Sending(now, By.OWNER, memory.Way.MAIL, {"name:ada": "Ada"}, [week], again=False)
            memory.end(store, clock, memory.begin(store, clock, sending), memory.Outcome(memory.Result.SENT))
        memory.forget(store, clock, 400)
        assert store.rows("SELECT period FROM digest_for") == [{"period": "week 60"}]
        assert memory.before(store, memory.Period("now", rehearsal=False))["name:ada"].items == {60}
