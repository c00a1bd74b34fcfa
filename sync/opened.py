"""A source that is open for one run."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from connectors.base import Connector, Cost, Counting
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
    counted: int = 0
    """The calls of a `Metered` connector that are counted in the store."""

    def cost(self) -> Cost | None:
        """What its host was asked so far, if it is one that is asked over the network."""
        return self.connector.traffic if isinstance(self.connector, Counting) else None

    def close(self) -> None:
        """Close the connector. Whatever that says comes too late to matter, and stops no other source."""
        if self.stuck:
            return
        try:
            self.connector.close()
        except Exception as error:
            log.debug("%s: closing: %s", self.source.name, error, exc_info=error)
