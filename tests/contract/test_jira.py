"""The Jira connector keeps the contract, on Cloud and on Data Center."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from connectors.contract_http import HttpConnectorContract, HttpWorld
from connectors.jira import JiraConnector
from tests.fakes.jira_world import JiraCloudWorld, JiraServerWorld


class TestJiraCloud(HttpConnectorContract):
    connector = JiraConnector

    @pytest.fixture
    def world(self) -> Iterator[HttpWorld]:
        with closing(JiraCloudWorld()) as world:
            yield world


class TestJiraDataCenter(HttpConnectorContract):
    connector = JiraConnector

    @pytest.fixture
    def world(self) -> Iterator[HttpWorld]:
        with closing(JiraServerWorld()) as world:
            yield world
