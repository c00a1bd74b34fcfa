"""From the name in `system = "…"` to the connector's class, imported only when it is used."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING

from connectors.base import Connector
from connectors.errors import SetupError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

GROUP = "unstuck.connectors"

BUILTIN = {
    "jira": "connectors.jira:JiraConnector",
    "memory": "connectors.memory:MemoryConnector",
    "monday": "connectors.monday:MondayConnector",
    "msproject": "connectors.msproject:MSProjectConnector",
    "smartsheet": "connectors.smartsheet:SmartsheetConnector",
    "trello": "connectors.trello:TrelloConnector",
}
"""The same as the entry points in pyproject.toml (a test compares them); reading metadata would cost every start."""


def names() -> list[str]:
    """Every system that can be named in config, shipped and plugged in, sorted."""
    return sorted({*BUILTIN, *(point.name for point in _plugged_in())})


def load(system: str) -> type[Connector]:
    """The connector class for `system`. Raises `SetupError` for a name that nobody provides, or that fails to load."""
    target = BUILTIN.get(system)
    if target is None:
        found = [point for point in _plugged_in() if point.name == system]
        if not found:
            close = difflib.get_close_matches(system, names(), n=1)
            hint = f'did you mean "{close[0]}"?' if close else f"known are: {', '.join(names())}"
            raise SetupError(f'there is no connector for system "{system}"', hint)
        target = found[0].value
    module, _, name = target.partition(":")
    try:
        loaded: type[Connector] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SetupError(f'the connector for "{system}" cannot be loaded ({error})', "reinstall it") from error
    return loaded


def _plugged_in() -> EntryPoints:
    """What other packages provide. Reading that takes longer than most commands do."""
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)
