"""Chats, against a loopback server on its bad days; and that nobody gets two digests of a week, whatever happens."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.fakes.server import Answer, BadDay, FakeServer, Request
from sync import config as configs
from sync.clock import Clock
from sync.commands.shared import load_rules, rule_files
from sync.digest import sending, writing
from sync.digest.memory import Result
from sync.digest.model import Better, Content, Entry, Kind
from sync.digest.plan import plan
from sync.digest.terms import By, Chat
from sync.digest.webhook import Hook
from sync.stopping import Stopping
from sync.store import Store, open_store
from tests.fakes.scripted import Clock as Waits
from tests.fakes.smtp import CUT, FakeSmtp
from tests.sync.test_digest import ADDRESSES, Office
from tests.sync.town import CONFIG, Town

HOOK = "/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx"


class Channel:
    """A chat with one channel."""

    def __init__(self) -> None:
        self.posts: list[Any] = []
        self.answers: list[Answer] = []
        """In place of the usual one, in turn."""
        self.server = FakeServer(self._answer)

    def _answer(self, request: Request) -> Answer:
        assert (request.method, request.path) == ("POST", HOOK)
        if self.answers:
            return self.answers.pop(0)
        self.posts.append(request.json)
        return Answer(200, body=b"ok", headers={"Content-Type": "text/html"})


@pytest.fixture
def channel() -> Iterator[Channel]:
    channel = Channel()
    yield channel
    channel.server.close()


class Chatting(Town):
    """A town with a chat."""

    def __init__(self, folder: Path, channel: Channel, chat: str = "slack") -> None:
        super().__init__(folder)
        self.channel = channel
        self.write_config(CONFIG + f'[digest]\nwebhook = {{ env = "HOOK" }}\nchat = "{chat}"\ntimeout = "1s"\n')

    def environment(self, more: Any = None) -> dict[str, str]:
        return {**super().environment(more), "HOOK": f"{self.channel.server.url}{HOOK}", **(more or {})}

    def problems(self, code: int = 1) -> list[str]:
        said = self.unstuck("digest", "--apply")
        assert (said.code, said.out) == (code, "")
        assert "abcdefghijkl" not in said.err
        return said.err.splitlines()


@pytest.fixture
def town(tmp_path: Path, channel: Channel) -> Chatting:
    """Something is stuck."""
    town = Chatting(tmp_path, channel)
    town.add(
        1, owner="Ada", status_since="2026-02-16T09:00:00+00:00", title="<!channel> *Move* & mend", url="https://x.y/1"
    )
    town.add(2, status_since="2026-02-16T09:00:00+00:00")
    town.unstuck("run")
    return town


def texts(value: Any) -> list[str]:
    """Every text of a message."""
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for each in value.values() for text in texts(each)]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else []


def test_slack_gets_one_of_all_a_week(town: Chatting) -> None:
    assert town.problems(code=0) == []
    assert town.problems(code=0) == []
    [post] = town.channel.posts
    assert post["text"] == "Work items: 2 stuck"
    assert [block["type"] for block in post["blocks"]] == ["header", "rich_text"]
    told = "".join(texts(post))
    assert "APP-1 <!channel> *Move* & mend (Ada): In Doing for" in told
    assert "APP-2 Item 2 (nobody): In Doing for" in told
    assert "https://x.y/1" in json.dumps(post)
    town.edit(1, status="Done", status_category="done")
    town.now = "2026-03-27T12:00:00"
    town.unstuck("run")
    assert town.problems(code=0) == []
    assert "APP-1 <!channel> *Move* & mend: done (Done)" in "".join(texts(town.channel.posts[-1]))


def test_teams_gets_an_adaptive_card(tmp_path: Path, channel: Channel) -> None:
    town = Chatting(tmp_path, channel, "teams")
    town.add(1, status_since="2026-02-16T09:00:00+00:00", title="**Move** [x](y) {{DATE(x)}}", url="https://x.y/1")
    town.unstuck("run")
    channel.answers = [Answer(202, body=b"")]
    assert town.problems(code=0) == []
    assert town.problems(code=0) == []
    [post] = [request.json for request in channel.server.requests]
    [card] = [attachment["content"] for attachment in post["attachments"]]
    assert (post["type"], card["type"], card["version"]) == ("message", "AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}  # reads no Markdown
    assert "APP-1 **Move** [x](y) { {DATE(x)}}" in texts(post)
    assert "https://x.y/1" in json.dumps(post)


REFUSED, UNKNOWN = "nothing was sent.", "whether the digest arrived is not known"


@pytest.mark.parametrize(
    ("bad_day", "says", "ends"),
    [
        (BadDay.UNAUTHORIZED, "does not accept the credentials (status 401)", REFUSED),
        (BadDay.FORBIDDEN, "does not let these credentials do this (status 403)", REFUSED),
        (BadDay.REDIRECT, "sends us on to another site, elsewhere.example", REFUSED),
        (BadDay.HTML, "shows a web page where data was asked for", UNKNOWN),
        (BadDay.SERVER_ERROR, "has a fault of its own (status 500)", UNKNOWN),
        (BadDay.CUT, "sent an answer that was cut short", UNKNOWN),
    ],
)
def test_a_bad_day_is_one_sentence(town: Chatting, bad_day: BadDay, says: str, ends: str) -> None:
    server = town.channel.server
    server.elsewhere = "https://elsewhere.example"
    server.next(bad_day)
    [said] = town.problems()
    assert said.startswith("the chat: 127.0.0.1:")
    assert says in said
    assert ends in said
    assert len(server.requests) == 1  # a POST is sent once
    again = town.problems(code=0 if ends == REFUSED else 1)
    assert len(server.requests) == (2 if ends == REFUSED else 1)
    if ends == UNKNOWN:
        assert "of 2026-W12 arrived is not known, so it is not sent again" in again[0]
        assert town.unstuck("digest", "--apply", "--again", "webhook").code == 0
        assert len(server.requests) == 2


def test_a_hook_that_is_gone_says_so(town: Chatting) -> None:
    town.channel.answers = [Answer(404, body=f"no_service {HOOK}".encode(), headers={"Content-Type": "text/plain"})]
    [said] = town.problems()
    assert "has no such thing, or hides it (status 404: no_service [secret]); correct webhook" in said


def test_it_waits_as_long_as_it_is_asked_to(town: Chatting) -> None:
    town.channel.answers = [Answer(429, headers={"Retry-After": "1"})]
    assert town.problems(code=0) == []
    assert len(town.channel.posts) == 1


def test_but_not_for_an_hour(town: Chatting) -> None:
    town.channel.answers = [Answer(429, headers={"Retry-After": "3600"})]
    [said] = town.problems()
    assert "gets too many requests (status 429) and asks us to wait for 60 minutes; try again later; nothing" in said
    assert town.problems(code=0) == []
    assert len(town.channel.posts) == 1


def test_a_chat_that_thinks_for_long_may_have_it(town: Chatting) -> None:
    town.channel.server.latency = 3
    [said] = town.problems()
    assert "does not answer in time, so whether the digest arrived is not known" in said
    town.channel.server.latency = 0
    town.problems()
    assert len(town.channel.server.requests) == 1


def test_a_chat_that_is_not_there_did_not_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Waits()
    monkeypatch.setattr(time, "sleep", clock.sleep)
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with Hook(f"http://127.0.0.1:{port}{HOOK}", 1) as hook:
        outcome = hook.send({})
    assert outcome.result is Result.REFUSED
    assert outcome.why == f"127.0.0.1:{port} cannot be reached; try again later"


def test_a_hook_without_encryption_is_refused(town: Chatting) -> None:
    said = town.unstuck("digest", "--apply", env={"HOOK": "http://chat.example.com/secret-path-of-it"})
    assert said.code == 2
    assert "digest.webhook: goes to chat.example.com without encryption; write https" in said.err
    assert "secret-path" not in said.err


# How much fits


def content(items: int, length: int) -> Content:
    def entry(number: int, kind: Kind) -> Entry:
        text, url = 'x"&<>{{é' * length, f"https://tool.example/{'u' * 10 * length}"
        return Entry(
            number, kind, "tool", f"K-{number}", text, url, text, 0, date(2026, 3, 2), False, (text,) * 3, (text,) * 3
        )

    better = tuple(Better(number, "tool", f"B-{number}", "t" * length, None, "done") for number in range(items))
    entries = [entry(number, Kind.STUCK) for number in range(items)]
    return Content(("Ada",), tuple(entries), tuple(entry(number, Kind.OUTCOME) for number in range(items)), better)


@pytest.mark.parametrize("chat", list(Chat))
@given(items=st.integers(0, 30), length=st.integers(0, 40), most=st.integers(1, 40))
@settings(max_examples=20)
def test_a_message_is_never_too_long_and_counts_what_it_leaves_out(
    chat: Chat, items: int, length: int, most: int
) -> None:
    made = writing.payload(content(items, length), By.OWNER, most, chat)
    assert len(json.dumps(made)) <= (9_000 if chat is Chat.SLACK else 20_000)
    told = texts(made)
    shown = sum(text.startswith(("K-", "B-")) for text in told)
    left = sum(int(text.split()[2]) for text in told if text.startswith("… and "))
    assert shown + left == 3 * items
    assert len(made.get("blocks", [])) <= 50


# Whatever happens, nobody gets two


class Killed(BaseException):
    """We are gone, between two steps."""


@contextmanager
def killed_at(store: Store, moment: int | None) -> Iterator[None]:
    """The process ends before (odd) or after (even) one of its transactions."""
    steps = itertools.count(1)
    whole = store.transaction

    @contextmanager
    def dying() -> Iterator[Any]:
        if next(steps) == moment:
            raise Killed
        with whole() as connection:
            yield connection
        if next(steps) == moment:
            raise Killed

    with mock.patch.object(store, "transaction", dying):
        yield


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, FakeSmtp, Channel]]:
    folder, smtp, channel = tmp_path_factory.mktemp("company"), FakeSmtp(), Channel()
    office = Office(folder, smtp)
    office.configure('webhook = { file = "hook" }\nchat = "slack"\n', ADDRESSES, timeout="2s")
    (folder / "hook").write_text(f"{channel.server.url}{HOOK}")
    (folder / "hook").chmod(0o600)
    office.stuck(1)
    office.stuck(2, owner="Ben Okri")
    office.stuck(3, owner="Cleo")
    assert office.unstuck("run").code == 0
    yield folder, smtp, channel
    smtp.close()
    channel.server.close()


MOODS = st.sampled_from(["fine", "fine", "cut after DATA", "cut before", "refuses Ada", "chat cut", "chat redirects"])
TRIES = st.lists(
    st.tuples(st.integers(0, 20), st.none() | st.integers(1, 16), MOODS), min_size=2, max_size=8
)  # day from a Monday on, where we are killed, and how the servers are


@given(tries=TRIES)
@settings(
    max_examples=400 if os.environ.get("UNSTUCK_SOAK") else 20,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_nobody_gets_two_of_a_week_whatever_happens(
    tries: list[tuple[int, int | None, str]], company: tuple[Path, FakeSmtp, Channel]
) -> None:
    folder, smtp, channel = company
    for file in folder.glob("try.db*"):
        file.unlink()
    shutil.copy(folder / "unstuck.db", folder / "try.db")
    got = Counter[tuple[str, int]]()
    for day, killed, mood in sorted(tries, key=lambda each: each[0]):
        mails, posts = len(smtp.taken), len(channel.posts)
        put_in_mood(mood, smtp, channel)
        attempt(folder, Clock(datetime(2026, 3, 16, 8, tzinfo=UTC) + timedelta(days=day), rehearsal=True), killed)
        got.update((recipient, day // 7) for recipient in smtp.recipients[mails:])
        got.update(("chat", day // 7) for _ in channel.posts[posts:])
    assert not [who for who, times in got.items() if times > 1]
    put_in_mood("fine", smtp, channel)
    before = len(smtp.taken)
    attempt(folder, Clock(datetime(2026, 4, 8, 8, tzinfo=UTC), rehearsal=True), None)  # a new week is a new chance
    assert smtp.recipients[before:] == ["ada@example.com", "ben@example.com"]


def put_in_mood(mood: str, smtp: FakeSmtp, channel: Channel) -> None:
    moods: dict[str, Callable[[], object]] = {
        "cut after DATA": lambda: smtp.of_recipient.update({"ada@example.com": {"DOT": CUT}}),
        "cut before": lambda: smtp.of_recipient.update({"ben@example.com": {"RCPT": CUT}}),
        "refuses Ada": lambda: smtp.of_recipient.update({"ada@example.com": {"RCPT": "550 no"}}),
        "chat cut": lambda: channel.server.next(BadDay.CUT),
        "chat redirects": lambda: channel.server.next(BadDay.REDIRECT),
    }
    smtp.of_recipient.clear()
    channel.server.elsewhere = "https://elsewhere.example"
    channel.server.next(BadDay.CUT, times=0)
    moods.get(mood, lambda: None)()


def attempt(folder: Path, clock: Clock, killed: int | None) -> None:
    config = configs.load(folder / "config.toml", secrets=False)
    ruleset = load_rules(rule_files(config), config.prefix)
    with open_store(folder / "try.db") as store, killed_at(store, killed):
        try:
            planned = plan(config, ruleset, store, clock, By.OWNER, frozenset())
            sending.send(planned, sending.ways_of(config, clock), store, clock, lambda _: None, Stopping())
        except Killed:
            pass
