"""The reference connector keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.contract import ConnectorContract, World
from connectors.memory import MemoryConnector
from tests.fakes.memory import MemoryWorld


class TestMemory(ConnectorContract):
    connector = MemoryConnector

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return MemoryWorld(tmp_path)
