"""A source that is open for one run."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from connectors.base import Connector
from sync.config import Source

log = logging.getLogger("unstuck")


@dataclass(slots=True)
class Opened:
    """One source of this run, with its connector."""

    source: Source
    connector: Connector
    stopping: threading.Event
    stuck: bool = False
    """Whether a thread that was left behind still uses the connector."""

    def close(self) -> None:
        """Close the connector. Whatever that says comes too late to matter, and stops no other source."""
        if self.stuck:
            return
        try:
            self.connector.close()
        except Exception as error:
            log.debug("%s: closing: %s", self.source.name, error, exc_info=error)
