"""One run's visit to a site: who we are there, what we may see, and what was asked already and need not be again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any

from connectors.base import Collection, SourceSetup
from connectors.errors import GoneError, SetupError
from connectors.jira import parse
from connectors.jira.cursor import millis
from connectors.jira.history import Clock
from connectors.jira.parse import Reading
from connectors.jira.site import Json, Project, Site

Ids = Mapping[str, Sequence[int]]
"""Of issues, by the key of their project."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of a source, checked."""

    jql: str = ""
    clock: Clock = "last"
    overlap: timedelta = timedelta(minutes=10)
    sweep: timedelta = timedelta(hours=24)
    page_size: int = 100
    comment: bool = False
    property: bool = False
    web_links: str = ""


class Visit:
    """Asks each thing once, and only when it is needed: an unchanged site is asked three things."""

    def __init__(self, setup: SourceSetup, site: Site, wishes: Wishes) -> None:
        self.setup, self.site, self.wishes = setup, site, wishes
        self._changes: tuple[datetime, Ids] | None = None
        self._parents: dict[str, str] = {}

    # Who we are, and what there is

    @cached_property
    def entered(self) -> tuple[Json, datetime]:
        """Our account, and the site's time before anything was read. Raises `AuthError` for nobody."""
        try:
            return self.site.enter()
        except GoneError as error:
            problem: Exception = self._other_kind(error)
        raise problem

    def _other_kind(self, error: GoneError) -> Exception:
        """Why even our own account is not there: Cloud taken for Data Center has other addresses, and the reverse."""
        if self.site.is_cloud and self.site.server_info().get("deploymentType") == "Server":
            return SetupError(
                "this is a Data Center, where accounts have no email", "take email out; set user if need be"
            )
        return error

    @property
    def now(self) -> datetime:
        return self.entered[1]

    @cached_property
    def projects(self) -> Mapping[str, Project]:
        """By id: the configured ones, or all that we can see. Raises `SetupError` for one that is not there."""
        self.entered  # noqa: B018 - before anything else: nobody gets answers too, with nothing in them
        found = self.site.projects()
        wanted = self.setup.collections
        for name in wanted:
            if not any(is_named(one, name) for one in found):
                known = ", ".join(sorted(one.key for one in found)[:20]) or "none"
                raise SetupError(f'there is no project "{name}" that we can see', f"correct it; there are: {known}")
        chosen = [one for one in found if not wanted or any(is_named(one, name) for name in wanted)]
        return {one.id: one for one in chosen}

    def project(self, collection: Collection) -> Project:
        """Raises `GoneError` for a project that is not there, or not for us any more."""
        found = self.projects.get(collection.native_id)
        if found is None:
            raise GoneError(
                f"{collection.name} is not there any more, or is not shown to us",
                "give our account leave to browse it, or take it out of collections",
            )
        return found

    # Listings, of all projects at once

    @cached_property
    def all_ids(self) -> Ids:
        return self._listed("")

    @cached_property
    def linked_ids(self) -> frozenset[int]:
        """Issues whose web links are wanted."""
        wanted = self.wishes.web_links
        listed = self._listed(f" AND ({wanted})") if wanted else {}
        return frozenset(one for ids in listed.values() for one in ids)

    def changed_since(self, moment: datetime) -> Ids:
        """Issues whose `updated` is not before `moment`, or somewhat earlier, if another project asked for that."""
        if self._changes is None or moment < self._changes[0]:
            # Only as a number: JQL reads a written time in our account's time zone, and only to the minute.
            self._changes = moment, self._listed(f" AND updated >= {millis(moment)}")
        return self._changes[1]

    def _listed(self, condition: str) -> Ids:
        found: defaultdict[str, list[int]] = defaultdict(list)
        if not self.projects:
            return found
        projects = ", ".join(sorted(self.projects, key=int))
        own = f" AND ({self.wishes.jql})" if self.wishes.jql else ""
        for issue_id, key in self.site.listing(f"project in ({projects}){own}{condition} ORDER BY key ASC"):
            found[key.rpartition("-")[0]].append(issue_id)
        return found

    # How issues are read

    @cached_property
    def known_fields(self) -> list[Json]:
        return self.site.fields()

    @cached_property
    def reading(self) -> Reading:
        fields = parse.chosen_fields(self.setup.fields, self.known_fields)
        return Reading(
            source=self.setup.name,
            url=self.url,
            zone=self.setup.timezone or UTC,
            statuses=parse.parse_statuses(self.site.statuses(), self.setup.statuses),
            clock=self.wishes.clock,
            fields=fields,
            epic_links=parse.epic_links(self.known_fields),
        )

    @cached_property
    def fields(self) -> Sequence[str]:
        """The ids of all fields that an issue is asked for."""
        mapped = [one for ids in self.reading.fields.values() for one in ids]
        return [*dict.fromkeys([*parse.STANDARD, *mapped, *self.reading.epic_links])]

    @cached_property
    def url(self) -> str:
        """Where people open issues: not at the address that tokens with scopes go to."""
        base = str(self.setup.options["base_url"]).strip().rstrip("/")
        return str(self.site.server_info().get("baseUrl") or base).rstrip("/") if "/ex/jira/" in base else base

    def reading_of(self, issues: Iterable[Json]) -> Reading:
        """How these issues are read: with the ids of the epics that they name by key."""
        links = self.reading.epic_links
        if not links:
            return self.reading
        owns = [own for issue in issues if isinstance(own := issue.get("fields"), Mapping) and not own.get("parent")]
        keys = sorted({key for own in owns if (key := parse.epic_key(own, links)) and key not in self._parents})
        for start in range(0, len(keys), 100):
            asked = keys[start : start + 100]
            found = {str(one.get("key")): str(one.get("id")) for one in self.site.issues(asked, ["summary"])}
            self._parents |= {key: found.get(key, "") for key in asked}
        return replace(self.reading, parents=self._parents)


def is_named(project: Project, name: str) -> bool:
    return name in (project.id, project.key, project.name)


def checked_wishes(options: Mapping[str, Any]) -> Wishes:
    """The options as they are to be used. Raises `SetupError` for what cannot be right."""
    clock = str(options.get("clock") or "last")
    if clock not in ("first", "last"):
        raise SetupError(f'clock = "{clock}" is neither', 'write "last" or "first"')
    overlap, sweep, size = (number(options, name) for name in ("overlap", "sweep_hours", "page_size"))
    if not 1 <= size <= 100:
        raise SetupError(f"page_size = {size} is too much or too little", "write a number from 1 to 100")
    return Wishes(
        vetted("jql", str(options.get("jql") or "").strip()),
        "first" if clock == "first" else "last",
        timedelta(minutes=overlap),
        timedelta(hours=sweep),
        size,
        bool(options.get("comment")),
        bool(options.get("property")),
        vetted("web_links", str(options.get("web_links") or "").strip()),
    )


DEFAULTS = {"overlap": 10, "sweep_hours": 24, "page_size": 100}


def number(options: Mapping[str, Any], name: str) -> int:
    value = options.get(name)
    found = DEFAULTS[name] if value is None else int(value)
    if found < 0:
        raise SetupError(f"{name} = {found} is less than nothing", "write 0 or more")
    return found


def vetted(name: str, jql: str) -> str:
    """A condition that can stand in brackets among ours. Raises `SetupError` for one that would break out of them."""
    code, quote, depth = "", "", 0
    letters = iter(jql)
    for letter in letters:
        if quote:
            if letter == "\\":
                next(letters, "")
            quote = "" if letter == quote else quote
            continue
        quote = letter if letter in "\"'" else ""
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth < 0:
            break
        code += " " if quote else letter
    if quote or depth:
        raise SetupError(f"{name} has a quote or a bracket that is not closed, or closed too early", "correct it")
    words = code.replace("(", " ").replace(")", " ").lower().split()
    if ("order", "by") in pairwise(words):
        raise SetupError(f"{name} has an ORDER BY, and is to be a condition alone", "take it out")
    return jql
