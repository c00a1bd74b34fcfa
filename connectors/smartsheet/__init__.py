"""Smartsheet: each sheet a collection, its rows the items, labels in a multi-select column of the sheet."""

from connectors.smartsheet.connector import SmartsheetConnector

__all__ = ["SmartsheetConnector"]
