"""As long as the host asks, and no longer than a run has."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Paced
from connectors.errors import BusyError
from connectors.http import Answer, Http, JiraPolicy, Limits, Policy, server_time
from connectors.http.answers import retry_after
from tests.connectors.http.conftest import Opener
from tests.fakes.scripted import Clock, Reply, Scripted

NOW = datetime(2026, 3, 20, 9, 30, tzinfo=UTC)


def dated(**headers: str) -> Answer:
    """An answer sent at `NOW` by the host's clock."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(429, {"Date": format_datetime(NOW, usegmt=True), **names})


@given(st.integers(0, 10**9 - 1))
def test_seconds(seconds: int) -> None:
    assert retry_after(dated(Retry_After=str(seconds))) == seconds


@given(st.decimals(0, 100_000, places=3))
def test_fractions(seconds: object) -> None:
    assert retry_after(dated(Retry_After=f" {seconds} ")) == pytest.approx(float(str(seconds)))


@given(st.integers(-100_000, 10**8))
def test_dates_by_the_host_s_own_clock(seconds: int) -> None:
    then = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after(dated(Retry_After=then)) == max(0, seconds)


@pytest.mark.parametrize("text", ["Friday, 20-Mar-26 09:30:45 GMT", "Fri Mar 20 09:30:45 2026"])
def test_the_obsolete_forms_of_dates(text: str) -> None:
    assert retry_after(dated(Retry_After=text)) == 45


@given(st.text(max_size=40))
def test_whatever_else_is_sent_is_no_wait(text: str) -> None:
    wait = retry_after(dated(Retry_After=text))
    assert wait is None or 0 <= wait <= 10**12


@pytest.mark.parametrize("text", ["", "soon", "-5", "1,5", "1e3", "inf", "0x10", "Fri, 99 Mar 2026 09:30:45 GMT"])
def test_what_says_nothing(text: str) -> None:
    assert retry_after(dated(Retry_After=text)) is None


def test_a_date_without_the_host_s_clock_says_nothing() -> None:
    assert retry_after(Answer(429, {"Retry-After": format_datetime(NOW, usegmt=True)})) is None


@pytest.mark.parametrize("text", ["9" * 400, "9" * 12])
def test_a_wait_for_ever_is_a_long_one(text: str) -> None:
    assert retry_after(dated(Retry_After=text)) == 1e9


def test_the_server_s_clock(http: Http, server: Scripted) -> None:
    now = server_time(http.send("GET", "/x").headers)
    assert now is not None
    assert abs((datetime.now(UTC) - now).total_seconds()) < 60


# Waits.


@pytest.mark.parametrize(("asked", "least"), [("7", 7), ("1.5", 1.5), ("0", 2), ("soon", 2)])
@pytest.mark.parametrize("status", [429, 503])
def test_it_waits_as_long_as_the_host_says(
    http: Http, server: Scripted, clock: Clock, status: int, asked: str, least: float
) -> None:
    server.play(Reply(status, headers={"Retry-After": asked}), Reply())
    http.get_json("/x")
    assert least <= clock.waited <= least + 3
    assert http.traffic.waited == pytest.approx(clock.waited)


def test_who_watches_sees_how_long_it_waits_and_how_fast_it_may_ask(
    http: Http, server: Scripted, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def watched(seconds: float) -> None:
        seen.append(http.traffic.waiting)
        clock.sleep(seconds)

    monkeypatch.setattr(time, "sleep", watched)
    server.play(Reply(429, headers={"Retry-After": "7"}), Reply())
    http.get_json("/x")
    assert isinstance(http.traffic, Paced)
    assert max(seen) == pytest.approx(7, abs=0.1)
    assert seen == sorted(seen, reverse=True), "it does not go by"
    assert (http.traffic.waiting, http.traffic.rate) == (0, Policy.rate)


def test_it_waits_longer_each_time_and_never_twice_the_same(http: Http, server: Scripted, clock: Clock) -> None:
    server.play(Reply(500))
    with pytest.raises(BusyError):
        http.get_json("/x")
    assert 2 + 4 + 8 + 16 <= clock.waited <= 2 + 4 + 8 + 16 + 4
    assert clock.waited % 1 != 0, "no jitter"


def test_a_wait_of_half_an_hour_ends_the_turn(http: Http, server: Scripted, clock: Clock) -> None:
    server.play(Reply.json({"message": "Rate limit exceeded."}, 429, Retry_After="1847"))
    with pytest.raises(BusyError, match=r"too many requests .*Rate limit exceeded.* wait for 31 minutes; the next run"):
        http.get_json("/x")
    assert (clock.waits, len(server.seen)) == ([], 1)


def test_an_hour_in_a_header_of_a_good_answer_ends_the_next_turn(
    opened: Opener, server: Scripted, clock: Clock
) -> None:
    until = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-03-20T10:30:00Z"}
    reply = Reply(headers={**until, "Date": "Fri, 20 Mar 2026 09:30:00 GMT"})
    server.play(lambda handler: without_date(handler, reply))
    http = opened(policy=JiraPolicy())
    assert http.get_json("/x") == {}
    with pytest.raises(BusyError, match="60 minutes"):
        http.get_json("/x")
    assert (clock.waits, len(server.seen)) == ([], 1)


def test_seconds_in_a_header_of_a_good_answer_are_waited_first(opened: Opener, server: Scripted, clock: Clock) -> None:
    server.play(Reply(headers={"RateLimit": '"burst";r=0;t=12'}), Reply())
    http = opened()
    http.get_json("/x")
    assert clock.waits == []
    http.get_json("/x")
    assert clock.waited == pytest.approx(12, abs=0.1)
    assert http.traffic.repeats == 0


def test_the_budget_is_for_the_whole_run(opened: Opener, server: Scripted, clock: Clock) -> None:
    server.play(*[Reply(429, headers={"Retry-After": "40"}), Reply()] * 2, Reply(429, headers={"Retry-After": "40"}))
    http = opened(limits=Limits(budget=100))
    for _ in range(2):
        http.get_json("/x")
    with pytest.raises(BusyError, match="wait for 40 seconds"):
        http.get_json("/x")
    assert 80 <= clock.waited < 100


def test_backing_off_takes_from_the_budget_too(opened: Opener, server: Scripted, clock: Clock) -> None:
    server.play(Reply(500))
    with pytest.raises(BusyError, match="keeps us waiting"):
        opened(limits=Limits(budget=5)).get_json("/x")
    assert clock.waited <= 5


def test_pacing_takes_nothing_from_the_budget(opened: Opener, server: Scripted, clock: Clock) -> None:
    http = opened(limits=Limits(budget=0))
    for _ in range(100):
        http.get_json("/x")
    assert clock.waited == pytest.approx((100 - Policy.burst) / Policy.rate, abs=0.5)


class Slow(Policy):
    rate = 1
    burst = 1


def test_sources_on_one_host_share_its_bucket(opened: Opener, server: Scripted, clock: Clock) -> None:
    for http in (opened(policy=Slow()), opened(policy=Slow())):
        http.get_json("/x")
    assert clock.waited == pytest.approx(1)


def test_a_429_holds_the_others_back(opened: Opener, server: Scripted, clock: Clock) -> None:
    one, other = opened(limits=Limits(attempts=1)), opened()
    server.play(Reply(429, headers={"Retry-After": "9"}), Reply())
    with pytest.raises(BusyError):
        one.get_json("/x")
    other.get_json("/x")
    assert clock.waited == pytest.approx(9, abs=0.1)


def test_a_429_of_one_issue_does_not(opened: Opener, server: Scripted, clock: Clock) -> None:
    one, other = (opened(writable=True, policy=JiraPolicy(), limits=Limits(attempts=1)) for _ in range(2))
    server.play(Reply(429, headers={"Retry-After": "9", "RateLimit-Reason": "jira-per-issue-on-write"}), Reply())
    with pytest.raises(BusyError):
        one.put_json("/rest/api/3/issue/1", {})
    other.put_json("/rest/api/3/issue/2", {})
    assert clock.waits == []


# Ends.


def test_a_wait_ends_when_the_turn_does(opened: Opener, server: Scripted) -> None:
    stopping = threading.Event()
    server.play(Reply(429, headers={"Retry-After": "200"}))
    http = opened(stopping=stopping)
    threading.Timer(0.3, stopping.set).start()
    began = time.monotonic()
    with pytest.raises(BusyError, match="turn ended"):
        http.get_json("/x")
    assert time.monotonic() - began < 5


def test_what_is_in_hand_is_finished_without_waiting(opened: Opener, server: Scripted, clock: Clock) -> None:
    stopping = threading.Event()
    stopping.set()
    http = opened(stopping=stopping, policy=Slow())
    assert http.get_json("/x") == {}
    with pytest.raises(BusyError, match="turn ended"):
        http.get_json("/x")
    assert (len(server.seen), clock.waits) == (1, [])


@pytest.mark.parametrize("promise", ["GET", "POST"])
def test_a_silent_host_is_not_waited_for_for_ever(opened: Opener, server: Scripted, promise: str) -> None:
    silent = threading.Event()

    def say_nothing(_: object) -> None:
        silent.wait(10)

    server.play(say_nothing)
    try:
        with pytest.raises(BusyError, match="does not answer in time"):
            opened(writable=True, limits=Limits(read=0.2, attempts=1)).send(promise, "/x")
    finally:
        silent.set()
    assert len(server.seen) == 1


def test_an_answer_that_trickles_in_ends(opened: Opener, server: Scripted) -> None:
    server.play(Reply(body=b'"' + b"x" * 1000 + b'"', piece=1, pause=0.05))
    with pytest.raises(BusyError, match="for one answer"):
        opened(limits=Limits(transfer=0.5, read=5)).get_json("/x")


def without_date(handler: object, reply: Reply) -> None:
    """Send a reply with its own `Date` alone: the server module would put the real one first."""
    handler.date_time_string = lambda: reply.headers["Date"]  # type: ignore[attr-defined]
    headers = {name: value for name, value in reply.headers.items() if name != "Date"}
    Reply(reply.status, reply.body, headers).send(handler)  # type: ignore[arg-type]
