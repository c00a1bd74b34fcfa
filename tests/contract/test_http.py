"""A connector to a host keeps the contract, bad days and all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.contract_http import HttpConnectorContract, HttpWorld
from tests.contract.broken_http import HandMade
from tests.fakes.board import BoardConnector, BoardWorld


class TestBoard(HttpConnectorContract):
    connector = BoardConnector

    @pytest.fixture
    def world(self) -> Iterator[HttpWorld]:
        world = BoardWorld()
        yield world
        world.close()


class TestHandMade(TestBoard):
    """What the broken ones are made from keeps it too, so that each fails for what it gets wrong."""

    connector = HandMade
