"""The one polite transport: every connector to a host, and every client that it uses, talks through it.

`Http` is one source's way to its host. `Http.session`, or any session of a vendor's client after `Http.mount`, carries
a `Transport`, and that alone decides what is sent, how fast, how often, and what an answer means:

- only to the origin of `base_url`, over https, and never with a credential in the URL;
- nothing that writes, unless it was made `writable`;
- always with timeouts; repeated only where that is safe; waiting as long as the host asks, within a budget;
- an answer is JSON, whole, of a bearable size and with a good status, or it is a `ConnectorError`.

docs/connectors/transport.md tells how to use it, docs/decisions/11-one-transport.md why it is shaped so.
"""

from __future__ import annotations

from connectors.http.answers import Answer, server_time
from connectors.http.client import Http
from connectors.http.pacing import Limits, Traffic
from connectors.http.policy import (
    JiraPolicy,
    MondayPolicy,
    Policy,
    SmartsheetPolicy,
    TrelloPolicy,
)
from connectors.http.secrets import Credentials
from connectors.http.transport import Promise, Transport

__all__ = [
    "Answer",
    "Credentials",
    "Http",
    "JiraPolicy",
    "Limits",
    "MondayPolicy",
    "Policy",
    "Promise",
    "SmartsheetPolicy",
    "Traffic",
    "Transport",
    "TrelloPolicy",
    "server_time",
]
