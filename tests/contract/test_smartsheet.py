"""Smartsheet keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from connectors.contract_http import HttpConnectorContract, HttpWorld
from connectors.smartsheet import SmartsheetConnector
from tests.fakes.smartsheet_world import SmartsheetWorld

# The vendor's client makes an adapter of its own, which is not used.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.OP_NO_SSL:DeprecationWarning")


class TestSmartsheet(HttpConnectorContract):
    connector = SmartsheetConnector

    @pytest.fixture
    def world(self) -> Iterator[HttpWorld]:
        with closing(SmartsheetWorld()) as world:
            yield world
