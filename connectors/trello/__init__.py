"""Trello: boards as collections, cards as work items, lists as statuses, and labels as labels."""

from connectors.trello.connector import TrelloConnector

__all__ = ["TrelloConnector"]
