"""Who is let in. A credential that Cloud does not accept makes nobody of a caller, and nobody gets 200 and nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.fakes.jira.refusals import RefusalError
from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import Person
from connectors.fakes.server import Answer, Request

TOKEN = "s3cr3t-j1ra-t0k3n"
CLOUD_ID = "11223344-a1b2-4b33-c444-def123456789"
GATEWAY = f"/ex/jira/{CLOUD_ID}"
"""What stands before `/rest` at api.atlassian.com, the only door for tokens with scopes."""

READ, WRITE, WHO = "read:jira-work", "write:jira-work", "read:jira-user"
ALL_SCOPES = frozenset({READ, WRITE, WHO})


@dataclass
class Doors:
    """The credentials that are good at this moment."""

    site: Site
    tokens: dict[str, frozenset[str] | None] = field(default_factory=lambda: {TOKEN: None})
    """Our account's tokens, each with its scopes; `None` is a token without any, which may do all that we may.
    On Data Center personal access tokens."""
    password: str = "p4ssw0rd-0f-the-b0t"
    """On Data Center, for basic authentication."""

    def enter(self, request: Request, path: str, scope: str | None) -> tuple[Person | None, Mapping[str, str]]:
        """Who it is (`None`: nobody), and headers that say so. Raises `RefusalError` at a door that is shut."""
        header = request.headers.get("Authorization", "")
        if path.startswith("/ex/"):
            user: Person | None = self._at_the_gateway(header, path, scope)
        elif self.site.cloud:
            user = self._at_the_cloud(header)
        else:
            user = self._at_the_data_center(header)
        return user, self._headers(header, user)

    def _at_the_gateway(self, header: str, path: str, scope: str | None) -> Person:
        """https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/"""
        scopes = self.tokens.get(self._token(header) or "")
        if not path.startswith(GATEWAY + "/") or scopes is None:
            raise _shut("Unauthorized")
        if scope is not None and scope not in scopes:
            raise _shut("Unauthorized; scope does not match")
        return self.site.us

    def _at_the_cloud(self, header: str) -> Person | None:
        kind, _, secret = header.partition(" ")
        if kind == "Bearer" and secret:
            raise RefusalError(403, "Failed to parse Connect Session Auth Token")
        token = self._token(header)
        return self.site.us if token in self.tokens and self.tokens[token] is None else None

    def _at_the_data_center(self, header: str) -> Person | None:
        """Whoever shows something wrong is sent away; whoever shows nothing is nobody."""
        kind, _, secret = header.partition(" ")
        good = secret in self.tokens if kind == "Bearer" else _pair(header) == (self.site.us.login, self.password)
        if header and not good:
            raise RefusalError(401, "You are not authenticated. Authentication required to perform this operation.")
        return self.site.us if good else None

    def _token(self, header: str) -> str | None:
        """The token of a header: beside the e-mail address, or (at the gateway) on its own."""
        kind, _, secret = header.partition(" ")
        name, password = _pair(header)
        return secret if kind == "Bearer" else password if name == self.site.us.email else None

    def _headers(self, header: str, user: Person | None) -> Mapping[str, str]:
        if user is not None:
            return {"X-AACCOUNTID": user.id} if self.site.cloud else {"X-AUSERNAME": user.login}
        return {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED" if header else "OUT"}


def _pair(header: str) -> tuple[str, str]:
    """User and password of basic authentication; empty without."""
    kind, _, secret = header.partition(" ")
    try:
        name, _, password = base64.b64decode(secret, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return (name, password) if kind == "Basic" else ("", "")


def _shut(message: str) -> RefusalError:
    refusal = RefusalError(401)
    refusal.answer = Answer(401, {"code": 401, "message": message})
    return refusal
