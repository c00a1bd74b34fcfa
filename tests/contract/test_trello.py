"""Trello keeps the contract, also of those behind HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from connectors.contract_http import HttpConnectorContract, HttpWorld
from connectors.trello import TrelloConnector
from tests.fakes.trello_world import TrelloWorld


class TestTrello(HttpConnectorContract):
    connector = TrelloConnector

    @pytest.fixture
    def world(self) -> Iterator[HttpWorld]:
        with closing(TrelloWorld()) as world:
            yield world
