"""A town for every test that needs one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sync.town import Town


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)
