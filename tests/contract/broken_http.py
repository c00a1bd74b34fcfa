"""For every test of bad days a connector that does not stand that day."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import requests

from connectors.base import ChangeResult, Collection, Outcome, Page, SourceSetup
from connectors.errors import (
    AccessError,
    AuthError,
    BusyError,
    ConnectorError,
    GoneError,
    InputError,
    SetupError,
    UnsafeError,
)
from connectors.http import Traffic
from connectors.model import Cursor, LabelChange
from tests.fakes.board import TOKEN, BoardConnector

ATTEMPTS = 3
LATER = "the next run tries again"


class HandMade(BoardConnector):
    """Its own transport instead of ours, where every decision is a method that a broken one can get wrong."""

    def __init__(self, setup: SourceSetup) -> None:
        super().__init__(setup)
        self._base = str(setup.options["base_url"])
        self._session = requests.Session()
        self._traffic = Traffic()

    @property
    def traffic(self) -> Traffic:
        return self._traffic

    def close(self) -> None:
        self._session.close()

    def _ask(self, method: str, target: str, body: object) -> Any:
        """The answer to a request, which is tried again where that can help. `target` may be a whole URL."""
        url = target if "://" in target else self._base + target
        self.lock(url)
        for _ in range(ATTEMPTS):
            response = self.send(method, url, body)
            if response is None or response.status_code >= 500:
                self.wait(1)
            elif response.status_code == 429:
                self.wait(float(response.headers["Retry-After"]))
            else:
                return self.judged(response)
        return self.given_up()

    def lock(self, url: str) -> None:
        """Refuse what is not our host, and hosts beyond this machine without encryption."""
        if urlsplit(url).netloc != urlsplit(self._base).netloc:
            raise UnsafeError("the tool sent us to another host", "correct base_url if it moved")
        if urlsplit(url).scheme != "https" and urlsplit(url).hostname != "127.0.0.1":
            raise SetupError("base_url does not start with https", "correct it")

    def send(self, method: str, url: str, body: object) -> requests.Response | None:
        """The response; `None` if there came none, or not all of it."""
        headers = {"Authorization": f"Bearer {self._setup.options['token']}"}
        self._traffic.add(requests=1)
        try:
            response = self._session.request(method, url, json=body, headers=headers, timeout=5, allow_redirects=False)
        except requests.RequestException:
            return None
        self._traffic.add(received=len(response.content))
        return response

    def wait(self, seconds: float) -> None:
        if self._setup.stopping and self._setup.stopping.is_set():
            raise BusyError("its turn is over", LATER)
        time.sleep(seconds)

    def judged(self, response: requests.Response) -> Any:
        """What a response says, if it is one."""
        status = response.status_code
        if status == 401:
            raise AuthError("the token is not accepted", "renew it")
        if status == 403:
            raise AccessError("the token may not do this", "ask the tool's administrator")
        if status == 404:
            raise GoneError("it is not there", "correct the config if it moved")
        if status != 200:
            raise UnsafeError(f"the tool answered with status {status}, which is none of ours", "correct base_url")
        return self.parsed(response)

    def parsed(self, response: requests.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise InputError("the answer is not JSON", "correct base_url, or wait for a maintenance to end") from error

    def given_up(self) -> Any:
        raise BusyError("the tool is too busy to answer", LATER)


BROKEN: list[tuple[str, type[BoardConnector]]] = []


def breaks(fails: str, connector: type[BoardConnector]) -> None:
    """Enter a broken connector into the list, with the test that must catch it."""
    BROKEN.append((fails, connector))


class Impatient(HandMade):
    def wait(self, seconds: float) -> None:
        super().wait(min(seconds, 1))


class Unstoppable(HandMade):
    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


class PutsOffTheEnd(HandMade):
    """What it has begun to write it wants to bring to an end, however long that takes."""

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        self._setup = replace(self._setup, stopping=None)
        yield from super().apply(collection, changes)


class DoesNotKnow429(HandMade):
    def send(self, method: str, url: str, body: object) -> requests.Response | None:
        response = super().send(method, url, body)
        if response is not None and response.status_code == 429:
            raise InputError("the tool answered with status 429", "look it up")
        return response


class EmptyWhenBusy(HandMade):
    """After the last attempt it makes do with nothing, which looks like an empty board."""

    def given_up(self) -> Any:
        return {"cards": [], "next": None}


class GivesUpAtOnce(HandMade):
    """No second attempt where there was no good answer; one with a status 429 excepted."""

    def send(self, method: str, url: str, body: object) -> requests.Response | None:
        response = super().send(method, url, body)
        if response is None or response.status_code >= 500:
            raise BusyError("the tool did not answer", "the next run tries again")
        return response


class TriesTokensAgain(HandMade):
    def judged(self, response: requests.Response) -> Any:
        if response.status_code == 401:
            self.wait(1)
        return super().judged(response)


class CallsItAnAccident(HandMade):
    """Whatever the status, the next run is to try again."""

    def judged(self, response: requests.Response) -> Any:
        try:
            return super().judged(response)
        except (AuthError, AccessError) as error:
            raise BusyError(error.what, "the next run tries again") from error


class ReadsNothingIntoHtml(HandMade):
    def parsed(self, response: requests.Response) -> Any:
        try:
            return super().parsed(response)
        except InputError:
            return {"cards": [], "next": None}


class FollowsRedirects(HandMade):
    def send(self, method: str, url: str, body: object) -> requests.Response | None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        response = self._session.request(method, url, json=body, headers=headers, timeout=5)
        if response.history:
            raise UnsafeError("the tool sent us to another host", "correct base_url if it moved")  # too late
        return response


class FollowsLinks(HandMade):
    """Wherever the next page is said to be, and with the token."""

    def lock(self, url: str) -> None:
        """Nothing is refused."""


class ForgetsEncryption(FollowsLinks):
    def send(self, method: str, url: str, body: object) -> requests.Response | None:
        return super().send(method, url, body) if "127.0.0.1" in url else None  # nobody answers there


class TokenInTheUrl(HandMade):
    def send(self, method: str, url: str, body: object) -> requests.Response | None:
        return super().send(method, f"{url}{'&' if '?' in url else '?'}token={TOKEN}", body)


class QuotesTheAnswer(HandMade):
    """An error page may repeat what we sent."""

    def judged(self, response: requests.Response) -> Any:
        try:
            return super().judged(response)
        except ConnectorError as error:
            raise type(error)(f"{error.what} ({response.text[:500]})", error.next_step) from error


class LogsItsHeaders(HandMade):
    def judged(self, response: requests.Response) -> Any:
        logging.getLogger("board").debug("sent %s", response.request.headers)
        return super().judged(response)


class LooksFirst(BoardConnector):
    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        self.check()
        yield from super().apply(collection, changes)


class HopesForTheBest(BoardConnector):
    """A write that failed is called done."""

    def _write(self, change: LabelChange) -> ChangeResult:
        try:
            return super()._write(change)
        except ConnectorError:
            return ChangeResult(change.ref, Outcome.DONE)


class SendsAndForgets(HandMade):
    """It writes once, and does not look at what came of it."""

    def _ask(self, method: str, target: str, body: object) -> Any:
        if method != "PUT":
            return super()._ask(method, target, body)
        return self.send(method, self._base + target, body)


class CountsPages(BoardConnector):
    """What it asked before the first page is forgotten."""

    @property
    def traffic(self) -> Traffic:
        whole = self._http.traffic
        return Traffic(requests=whole.requests - 1, received=whole.received)


class CompleteBeforeTheEnd(BoardConnector):
    """The pages that came are all there are, it thinks."""

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        try:
            yield from super().pull(collection, cursor)
        except (BusyError, InputError):
            yield Page(complete=True)


breaks("test_429_waits_as_long_as_it_says", Impatient)
breaks("test_429_waits_as_long_as_it_says", DoesNotKnow429)
breaks("test_429_for_ever_is_busy", EmptyWhenBusy)
breaks("test_429_for_ever_is_busy", DoesNotKnow429)
breaks("test_500_then_fine_is_fine", GivesUpAtOnce)
breaks("test_500_for_ever_is_busy", EmptyWhenBusy)
breaks("test_a_page_cut_in_the_middle_is_asked_for_again", GivesUpAtOnce)
breaks("test_pages_cut_for_ever_are_no_answer", CompleteBeforeTheEnd)
breaks("test_a_wait_ends_when_the_turn_does", Unstoppable)
breaks("test_a_write_waits_no_longer_than_its_turn", PutsOffTheEnd)
breaks("test_401_is_for_a_person_and_not_tried_again", TriesTokensAgain)
breaks("test_401_is_for_a_person_and_not_tried_again", CallsItAnAccident)
breaks("test_403_is_for_the_administrator", CallsItAnAccident)
breaks("test_html_is_not_an_empty_answer", ReadsNothingIntoHtml)
breaks("test_a_redirect_to_another_host_is_not_followed", FollowsRedirects)
breaks("test_a_link_to_another_host_is_not_followed", FollowsLinks)
breaks("test_secrets_are_in_no_message_and_no_url", TokenInTheUrl)
breaks("test_secrets_are_in_no_message_and_no_url", QuotesTheAnswer)
breaks("test_secrets_are_in_no_message_and_no_url", LogsItsHeaders)
breaks("test_what_it_cost_is_counted_in_full", CountsPages)
breaks("test_without_leave_nothing_is_sent", LooksFirst)
breaks("test_a_write_on_a_bad_day_is_not_called_done", HopesForTheBest)
breaks("test_a_write_on_a_bad_day_is_not_called_done", SendsAndForgets)
breaks("test_no_secret_goes_over_plain_http", ForgetsEncryption)
