"""Jira, Cloud and Data Center: projects are the collections, issues the items, and labels are Jira's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.base import (
    Capabilities,
    ChangeResult,
    Collection,
    Cost,
    Granularity,
    Notice,
    Option,
    Page,
    SourceSetup,
)
from connectors.errors import SetupError, UnsafeError
from connectors.jira import checking, pulling
from connectors.jira.cursor import read
from connectors.jira.parse import COLUMNS, MAPPABLE
from connectors.jira.site import CloudSite, ServerSite, Site
from connectors.jira.visit import DEFAULTS, Visit, checked_wishes
from connectors.jira.writing import LONGEST, SPACES, Writer
from connectors.model import Cursor, LabelChange

if TYPE_CHECKING:
    from connectors.http import Credentials

OPTIONS = (
    Option("base_url", "the site, such as https://example.atlassian.net", required=True),
    Option("token", "an API token (Cloud) or a personal access token (Data Center)", "secret", required=True),
    Option("email", "on Cloud, the e-mail address of the token's account", asked=True),
    Option("user", "on Data Center without access tokens: the login whose password token is"),
    Option("jql", "only issues that match this condition too"),
    Option("clock", 'a status counts from the "last" or the "first" time that an issue came into it', default="last"),
    Option("overlap", "minutes; how late search may see an edit", "integer", default=DEFAULTS["overlap"]),
    Option("sweep_hours", "how often to look for vanished issues", "integer", default=DEFAULTS["sweep_hours"]),
    Option("page_size", "issues fetched at a time, up to 100", "integer", default=DEFAULTS["page_size"]),
    Option("comment", "say why in a comment too, one for each issue, kept up to date", "yes/no", default=False),
    Option("web_links", "a condition for the issues whose web links are read too, at one request each"),
    Option("property", "keep the labels and why in the issue's property `unstuck` too", "yes/no", default=False),
)


class JiraConnector:
    """Reads the issues of projects with their history, and puts labels on them."""

    system: ClassVar[str] = "jira"
    summary: ClassVar[str] = "Jira, Cloud and Data Center: issues with their history; labels go onto the issues"
    capabilities: ClassVar[Capabilities] = Capabilities(
        writes=Granularity.LABEL,
        incremental=True,
        history=True,
        deletions=True,
        label_max_length=LONGEST,
        label_forbids=SPACES,
    )
    options: ClassVar[tuple[Option, ...]] = OPTIONS

    def __init__(self, setup: SourceSetup) -> None:
        self._setup, self._wishes = setup, checked_wishes(setup.options)
        if setup.options.get("email") and setup.options.get("user"):
            raise SetupError("both email and user are given", "keep email for Cloud, user for Data Center")
        for column in sorted(setup.fields.keys() & COLUMNS - MAPPABLE):
            raise SetupError(f"{column} is Jira's own and cannot come from another field", "take it out of fields")

    def check(self) -> Sequence[Notice]:
        return list(checking.notices(self._visit))

    def collections(self) -> Sequence[Collection]:
        """Projects, by id: their keys and names can change."""
        visit = self._visit
        found = [Collection(one.id, one.name, f"{visit.url}/browse/{one.key}") for one in visit.projects.values()]
        return sorted(found, key=lambda collection: collection.native_id)

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        project = self._visit.project(collection)
        yield from pulling.pull(self._visit, project, read(cursor) if cursor else None)

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        if not self._setup.writable:
            raise UnsafeError("this run may not write", "start it with --apply")
        yield from Writer(self._visit, self._visit.project(collection)).write(changes)

    @property
    def traffic(self) -> Cost | None:
        return self._visit.site.http.traffic if "_visit" in self.__dict__ else None

    def close(self) -> None:
        if "_visit" in self.__dict__:
            self._visit.site.close()

    @cached_property
    def _visit(self) -> Visit:
        """What is learned of the site in this run. The transport and its packages are imported when first used."""
        return Visit(self._setup, self._site(), self._wishes)

    def _site(self) -> Site:
        from connectors.http import Http, JiraPolicy

        options = self._setup.options
        base_url = str(options["base_url"]).strip().rstrip("/")
        http = Http(
            base_url,
            credentials(options),
            writable=self._setup.writable,
            policy=JiraPolicy(),
            stopping=self._setup.stopping,
        )
        return (CloudSite if is_cloud(options) else ServerSite)(http, base_url)


def is_cloud(options: Mapping[str, Any]) -> bool:
    """Cloud's accounts have an e-mail address; tokens with scopes may stand alone, at an address of their own."""
    return bool(options.get("email")) or "/ex/jira/" in str(options["base_url"])


def credentials(options: Mapping[str, Any]) -> Credentials:
    from connectors.http import Credentials

    name = options.get("email") or options.get("user")
    token = str(options["token"])
    return Credentials.basic(str(name), token) if name else Credentials.bearer(token)
