"""Every contract test can fail: each catches a connector that is broken in just the way that it is there for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import ConnectorContract
from connectors.contract_http import HttpConnectorContract
from connectors.fakes.server import BadDay
from tests.contract import broken, broken_http
from tests.fakes.board import BoardConnector, BoardWorld


def must_be_caught(test: Callable[..., None], **given: Any) -> None:
    """The test fails, and in the suite's own words: it is neither skipped nor failed by accident."""
    wanted = {name: given[name] for name in inspect.signature(test).parameters}
    with pytest.raises((AssertionError, pytest.skip.Exception)) as caught:
        test(**wanted)
    assert caught.type is AssertionError, "the contract test does not apply to this broken connector"
    assert str(caught.value), "the contract test does not say what is wrong"


@pytest.mark.parametrize("case", broken.BROKEN, ids=lambda case: case.connector.__name__)
def test_a_broken_connector_is_caught(case: broken.Broken, tmp_path: Path) -> None:
    class Suite(ConnectorContract):
        connector = case.connector

    must_be_caught(getattr(Suite(), case.fails), world=case.world(tmp_path))


@pytest.fixture
def board() -> Iterator[BoardWorld]:
    world = BoardWorld()
    yield world
    world.close()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    return waited


@pytest.mark.parametrize(("fails", "connector_class"), broken_http.BROKEN)
def test_a_connector_that_cannot_stand_a_bad_day_is_caught(
    fails: str,
    connector_class: type[BoardConnector],
    board: BoardWorld,
    waits: list[float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Suite(HttpConnectorContract):
        connector = connector_class

    must_be_caught(getattr(Suite(), fails), world=board, waits=waits, caplog=caplog, bad_day=BadDay.UNAUTHORIZED)


def contract_tests(suite: type) -> set[str]:
    """Those that the class itself adds."""
    return {name for name in vars(suite) if name.startswith("test_")}


def test_every_contract_test_has_a_broken_connector() -> None:
    assert contract_tests(ConnectorContract) == {case.fails for case in broken.BROKEN}
    assert contract_tests(HttpConnectorContract) == {fails for fails, _ in broken_http.BROKEN}
