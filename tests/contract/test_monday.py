"""monday.com keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from connectors.contract_http import HttpConnectorContract, HttpWorld
from connectors.monday import MondayConnector
from tests.fakes.monday_world import MondayWorld


class TestMonday(HttpConnectorContract):
    connector = MondayConnector

    @pytest.fixture
    def world(self) -> Iterator[HttpWorld]:
        with closing(MondayWorld()) as world:
            yield world
