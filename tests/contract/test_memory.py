"""The reference connector keeps the contract, and so do connectors that can do less or write otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from connectors.base import Capabilities, ChangeResult, Collection, Page
from connectors.contract import ConnectorContract, World
from connectors.errors import UnsafeError
from connectors.memory import MemoryConnector
from connectors.model import Cursor, LabelChange
from tests.fakes.copying import CopyingConnector, CopyingWorld
from tests.fakes.memory import MemoryWorld
from tests.fakes.tidying import TidyingConnector, TidyingWorld


class TestMemory(ConnectorContract):
    connector = MemoryConnector

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return MemoryWorld(tmp_path)


class TestCopying(ConnectorContract):
    connector = CopyingConnector

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return CopyingWorld(tmp_path)


class TestTidying(ConnectorContract):
    connector = TidyingConnector

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return TidyingWorld(tmp_path)


class LeastConnector(MemoryConnector):
    """It can read, and that is all."""

    capabilities: ClassVar[Capabilities] = Capabilities()

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        for page in super().pull(collection, None):
            items = tuple(replace(item, version=None) for item in page.items)
            yield replace(page, items=items, transitions=(), deleted=(), full=page.full and cursor is None)

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        raise UnsafeError("this tool has no labels", "take the source out of [writes]")


class TestLeast(ConnectorContract):
    connector = LeastConnector

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return MemoryWorld(tmp_path)
