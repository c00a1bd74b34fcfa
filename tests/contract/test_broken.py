"""Every contract test can fail: each catches a connector that is broken in just the way that it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.contract import ConnectorContract
from tests.contract.broken import BROKEN, Broken


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.connector.__name__)
def test_a_broken_connector_is_caught(broken: Broken, tmp_path: Path) -> None:
    class Suite(ConnectorContract):
        connector = broken.connector

    with pytest.raises(AssertionError):  # by the suite's own words: neither skipped nor failed by accident
        getattr(Suite(), broken.fails)(broken.world(tmp_path))


def test_every_contract_test_has_a_broken_connector() -> None:
    assert {name for name in vars(ConnectorContract) if name.startswith("test_")} == {one.fails for one in BROKEN}
