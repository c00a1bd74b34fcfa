"""monday.com: each board a collection, its items the work items, labels in a tags or dropdown column of the board."""

from connectors.monday.connector import MondayConnector

__all__ = ["MondayConnector"]
