"""The contract suite for connectors to a host: `connectors.contract`, and every bad day that a host can have.

The world stands behind a real server on the loopback interface. No test waits: `time.sleep` is recorded instead.
"""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import ClassVar

import pytest

from connectors.base import Counting, Outcome, Page
from connectors.contract import ConnectorContract, Pulled, World, find, for_people, ref, refused, secrets_of
from connectors.errors import (
    AccessError,
    AuthError,
    BusyError,
    ConnectorError,
    InputError,
    SetupError,
    UnsafeError,
)
from connectors.fakes.server import RETRY_AFTER, BadDay
from connectors.model import LabelChange

FOREVER = 1_000_000

FINE = {Outcome.DONE, Outcome.UNCHANGED}


class HttpWorld(World):
    """A world behind a loopback server. Its error pages should repeat the request's headers, as nasty ones do."""

    pages_are_links: ClassVar[bool] = False
    """Whether a page names the next one by a link that the connector follows, so that `BadDay.LINK` can happen."""

    @abstractmethod
    def next(self, bad_day: BadDay, times: int = 1, after: int = 0) -> None:
        """Let the next `times` requests meet this, once `after` good ones went through."""

    @abstractmethod
    def requests(self) -> Sequence[str]:
        """Every request that arrived, as `METHOD /path?query`."""

    @abstractmethod
    def elsewhere(self) -> Sequence[str]:
        """Every request that arrived at the other host, which redirects and links lead to."""


class HttpConnectorContract(ConnectorContract):
    """What a connector to a host must stand beside: every bad day. Waiting takes no time: `time.sleep` is recorded."""

    @pytest.fixture
    def world(self) -> HttpWorld:
        raise NotImplementedError('give the suite a fixture "world"')

    @pytest.fixture(autouse=True)
    def waits(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """Seconds of every wait. To whoever measures time, they have passed."""
        waited: list[float] = []
        monotonic = time.monotonic
        monkeypatch.setattr(time, "sleep", waited.append)
        monkeypatch.setattr(time, "monotonic", lambda: monotonic() + sum(waited))
        return waited

    def on_a_bad_day(self, world: HttpWorld, bad_day: BadDay, *allowed: type[ConnectorError]) -> ConnectorError:
        """The error of a pull whose every request meets `bad_day`."""
        board = world.new_collection("Board")
        for number in range(world.several_pages or 1):
            world.new_item(board, f"Item {number}")
        came: list[Page] = []
        with closing(self.connector(world.setup())) as connector:
            collection = find(connector, board)
            world.next(bad_day, FOREVER)
            error = refused(lambda: came.extend(connector.pull(collection, None)), f"pull() on {bad_day}", *allowed)
        assert not any(page.complete for page in came), f"{bad_day}: a complete answer all the same"
        return error

    def on_a_better_day(self, world: HttpWorld, bad_day: BadDay) -> None:
        """One request meets `bad_day`, and the pull is whole nevertheless."""
        board = world.new_collection("Board")
        made = {world.new_item(board, f"Item {number}") for number in range(3)}
        with closing(self.connector(world.setup())) as connector:
            collection = find(connector, board)
            world.next(bad_day)
            try:
                pulled = Pulled(list(connector.pull(collection, None)))
            except Exception as error:
                raise AssertionError(f"one {bad_day} ended the pull: {error!r}") from error
        assert set(pulled.items) == made, f"{bad_day}: items were lost"
        assert pulled.pages[-1].complete, f"{bad_day}: the pull never came to its end"

    def test_429_waits_as_long_as_it_says(self, world: HttpWorld, waits: list[float]) -> None:
        self.on_a_better_day(world, BadDay.BUSY)
        assert sum(waits) >= RETRY_AFTER, f"Retry-After says {RETRY_AFTER} seconds; it waited {sum(waits)}"

    def test_429_for_ever_is_busy(self, world: HttpWorld) -> None:
        self.on_a_bad_day(world, BadDay.BUSY, BusyError)

    def test_500_then_fine_is_fine(self, world: HttpWorld) -> None:
        self.on_a_better_day(world, BadDay.SERVER_ERROR)

    def test_500_for_ever_is_busy(self, world: HttpWorld) -> None:
        self.on_a_bad_day(world, BadDay.SERVER_ERROR, BusyError)

    def test_a_page_cut_in_the_middle_is_asked_for_again(self, world: HttpWorld) -> None:
        self.on_a_better_day(world, BadDay.CUT)

    def test_pages_cut_for_ever_are_no_answer(self, world: HttpWorld) -> None:
        self.on_a_bad_day(world, BadDay.CUT, BusyError, InputError)

    def test_a_wait_ends_when_the_turn_does(self, world: HttpWorld, waits: list[float]) -> None:
        board = world.new_collection("Board")
        stopping = threading.Event()
        with closing(self.connector(replace(world.setup(), stopping=stopping))) as connector:
            collection = find(connector, board)
            world.next(BadDay.BUSY, FOREVER)
            stopping.set()
            refused(lambda: list(connector.pull(collection, None)), "pull() when its turn is over", BusyError)
        assert sum(waits) < 1, f"it waited {sum(waits)} seconds after `SourceSetup.stopping` was set"

    def test_a_write_waits_no_longer_than_its_turn(self, world: HttpWorld, waits: list[float]) -> None:
        self.only_if_it_writes()
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        stopping = threading.Event()
        with closing(self.connector(replace(world.setup(), stopping=stopping))) as connector:
            collection = find(connector, board)
            change = LabelChange(ref(world, item), add=("pmo-one",))
            world.next(BadDay.BUSY, FOREVER)
            stopping.set()
            refused(lambda: list(connector.apply(collection, [change])), "apply() when its turn is over", BusyError)
        assert sum(waits) < 1, f"it waited {sum(waits)} seconds after `SourceSetup.stopping` was set"

    def test_401_is_for_a_person_and_not_tried_again(self, world: HttpWorld, waits: list[float]) -> None:
        self.on_a_bad_day(world, BadDay.UNAUTHORIZED, AuthError)
        assert not waits, "it waited and tried again, which can lock an account"

    def test_403_is_for_the_administrator(self, world: HttpWorld) -> None:
        self.on_a_bad_day(world, BadDay.FORBIDDEN, AccessError)

    def test_html_is_not_an_empty_answer(self, world: HttpWorld) -> None:
        self.on_a_bad_day(world, BadDay.HTML, InputError, BusyError, AuthError)

    def test_a_redirect_to_another_host_is_not_followed(self, world: HttpWorld) -> None:
        self.on_a_bad_day(world, BadDay.REDIRECT, UnsafeError, InputError)
        assert not world.elsewhere(), "another host was asked"

    def test_a_link_to_another_host_is_not_followed(self, world: HttpWorld) -> None:
        self.only_if(world.pages_are_links, "it follows no links")
        self.on_a_bad_day(world, BadDay.LINK, UnsafeError, InputError)
        assert not world.elsewhere(), "another host was asked"

    def test_secrets_are_in_no_message_and_no_url(self, world: HttpWorld, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("DEBUG")
        setup = world.setup()
        assert secrets_of(setup, self.connector), "the world's set-up holds no secret that could leak"
        for bad_day in BadDay:
            if bad_day is BadDay.LINK and not world.pages_are_links:
                continue
            error = self.on_a_bad_day(world, bad_day, ConnectorError)
            world.next(bad_day, 0)
            for_people(error, setup, self.connector)
        seen = "\n".join([caplog.text, *world.requests()])
        assert not [secret for secret in secrets_of(setup, self.connector) if secret in seen], "in a URL or in the log"

    def test_what_it_cost_is_counted_in_full(self, world: HttpWorld) -> None:
        board = world.new_collection("Board")
        for number in range(world.several_pages or 1):
            world.new_item(board, f"Item {number}")
        with closing(self.connector(world.setup())) as connector:
            self.only_if(isinstance(connector, Counting), "it counts nothing")
            assert isinstance(connector, Counting)
            before = len(world.requests())
            list(connector.pull(find(connector, board), None))
            cost = connector.traffic
        assert cost is not None, "it asked, and says that it asked nothing"
        assert cost.requests == len(world.requests()) - before, "some requests are not counted, or some twice"
        assert cost.received > 0, "it counts no bytes"

    def test_without_leave_nothing_is_sent(self, world: HttpWorld) -> None:
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        with closing(self.connector(world.setup(writable=False))) as connector:
            collection = find(connector, board)
            before = len(world.requests())
            change = LabelChange(ref(world, item), add=("pmo-one",))
            refused(lambda: list(connector.apply(collection, [change])), "apply()", UnsafeError)
        assert len(world.requests()) == before, "it asked the tool before it refused"

    @pytest.mark.parametrize("bad_day", [BadDay.BUSY, BadDay.SERVER_ERROR, BadDay.CUT, BadDay.UNAUTHORIZED])
    def test_a_write_on_a_bad_day_is_not_called_done(self, world: HttpWorld, bad_day: BadDay) -> None:
        self.only_if_it_writes()
        board = world.new_collection("Board")
        for after in range(3):  # a write may be more than one request
            item = world.new_item(board, f"Item {after}")
            with closing(self.connector(world.setup())) as connector:
                collection = find(connector, board)
                world.next(bad_day, after=after)
                change = LabelChange(ref(world, item), add=("pmo-one",))
                try:
                    outcomes = [result.outcome for result in connector.apply(collection, [change])]
                except ConnectorError:
                    outcomes = []
            world.next(bad_day, 0)
            there = world.labels_of(item) == {"pmo-one"}
            assert there or not {*outcomes} & FINE, f"done, but it is not ({bad_day}, request {after + 1})"
            assert self.put(world, board, item, "pmo-one").outcome in FINE, "not even the next run can finish it"
            assert world.labels_of(item) == {"pmo-one"}, "the next run does not finish it"

    def test_no_secret_goes_over_plain_http(self, world: HttpWorld) -> None:
        setup = world.setup()
        away = replace(setup, options={**setup.options, "base_url": "http://192.0.2.1"})  # an address of nobody
        with closing(self.connector(away)) as connector:
            refused(connector.collections, "collections() of a host that is not this one", SetupError, UnsafeError)
