"""Microsoft Project exports (MSPDI, *Save As > XML*): read as work items, labelled as annotated copies."""

from connectors.msproject.connector import MSProjectConnector

__all__ = ["MSProjectConnector"]
