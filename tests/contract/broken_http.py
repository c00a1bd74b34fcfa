"""For every test of bad days a connector that does not stand that day."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import requests

from connectors.base import ChangeResult, Collection, Outcome, Page
from connectors.errors import AccessError, AuthError, BusyError, ConnectorError, InputError, UnsafeError
from connectors.model import Cursor, LabelChange
from tests.fakes.board import TOKEN, BoardConnector

BROKEN: list[tuple[str, type[BoardConnector]]] = []


def breaks(fails: str, connector: type[BoardConnector]) -> None:
    """Enter a broken connector into the list, with the test that must catch it."""
    BROKEN.append((fails, connector))


class Impatient(BoardConnector):
    def wait(self, seconds: float) -> None:
        super().wait(min(seconds, 1))


class DoesNotKnow429(BoardConnector):
    def send(self, method: str, url: str, body: object) -> requests.Response | None:
        response = super().send(method, url, body)
        if response is not None and response.status_code == 429:
            raise InputError("the tool answered with status 429", "look it up")
        return response


class EmptyWhenBusy(BoardConnector):
    """After the last attempt it makes do with nothing, which looks like an empty board."""

    def given_up(self) -> Any:
        return {"cards": [], "next": None}


class GivesUpAtOnce(BoardConnector):
    """No second attempt where there was no good answer; one with a status 429 excepted."""

    def send(self, method: str, url: str, body: object) -> requests.Response | None:
        response = super().send(method, url, body)
        if response is None or response.status_code >= 500:
            raise BusyError("the tool did not answer", "the next run tries again")
        return response


class TriesTokensAgain(BoardConnector):
    def judged(self, response: requests.Response) -> Any:
        if response.status_code == 401:
            self.wait(1)
        return super().judged(response)


class CallsItAnAccident(BoardConnector):
    """Whatever the status, the next run is to try again."""

    def judged(self, response: requests.Response) -> Any:
        try:
            return super().judged(response)
        except (AuthError, AccessError) as error:
            raise BusyError(error.what, "the next run tries again") from error


class ReadsNothingIntoHtml(BoardConnector):
    def parsed(self, response: requests.Response) -> Any:
        try:
            return super().parsed(response)
        except InputError:
            return {"cards": [], "next": None}


class FollowsRedirects(BoardConnector):
    def send(self, method: str, url: str, body: object) -> requests.Response | None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        response = self._session.request(method, url, json=body, headers=headers, timeout=5)
        if response.history:
            raise UnsafeError("the tool sent us to another host", "correct base_url if it moved")  # too late
        return response


class FollowsLinks(BoardConnector):
    """Wherever the next page is said to be, and with the token."""

    def lock(self, url: str) -> None:
        """Nothing is refused."""


class ForgetsEncryption(FollowsLinks):
    def send(self, method: str, url: str, body: object) -> requests.Response | None:
        return super().send(method, url, body) if "127.0.0.1" in url else None  # nobody answers there


class TokenInTheUrl(BoardConnector):
    def send(self, method: str, url: str, body: object) -> requests.Response | None:
        return super().send(method, f"{url}{'&' if '?' in url else '?'}token={TOKEN}", body)


class QuotesTheAnswer(BoardConnector):
    """An error page may repeat what we sent."""

    def judged(self, response: requests.Response) -> Any:
        try:
            return super().judged(response)
        except ConnectorError as error:
            raise type(error)(f"{error.what} ({response.text[:500]})", error.next_step) from error


class LogsItsHeaders(BoardConnector):
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


class SendsAndForgets(BoardConnector):
    """It writes once, and does not look at what came of it."""

    def _ask(self, method: str, target: str, body: object) -> Any:
        if method != "PUT":
            return super()._ask(method, target, body)
        return self.send(method, self._base + target, body)


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
breaks("test_401_is_for_a_person_and_not_tried_again", TriesTokensAgain)
breaks("test_401_is_for_a_person_and_not_tried_again", CallsItAnAccident)
breaks("test_403_is_for_the_administrator", CallsItAnAccident)
breaks("test_html_is_not_an_empty_answer", ReadsNothingIntoHtml)
breaks("test_a_redirect_to_another_host_is_not_followed", FollowsRedirects)
breaks("test_a_link_to_another_host_is_not_followed", FollowsLinks)
breaks("test_secrets_are_in_no_message_and_no_url", TokenInTheUrl)
breaks("test_secrets_are_in_no_message_and_no_url", QuotesTheAnswer)
breaks("test_secrets_are_in_no_message_and_no_url", LogsItsHeaders)
breaks("test_without_leave_nothing_is_sent", LooksFirst)
breaks("test_a_write_on_a_bad_day_is_not_called_done", HopesForTheBest)
breaks("test_a_write_on_a_bad_day_is_not_called_done", SendsAndForgets)
breaks("test_no_secret_goes_over_plain_http", ForgetsEncryption)
