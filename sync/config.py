"""config.toml: found, read strictly, and turned into what the rest of `sync` works with.

Nothing is guessed and nothing ignored: an unknown key is a mistake with "did you mean", and all mistakes come in
one list. Secrets are references, never literals, and are resolved here (`sync.secrets`).
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from connectors import registry
from connectors.base import Connector, Option, SourceSetup
from connectors.errors import SetupError
from connectors.model import StatusCategory
from rules import described
from rules.calendar import WEEKDAYS, CalendarTerms
from rules.columns import COLUMNS, Kind
from rules.described import Finder
from rules.grading import SHIPPED, Placeholders
from rules.table import INITIATIVE
from sync import durations, ping, secrets, settings
from sync.digest import terms as digests
from sync.links import Terms
from sync.merging import CHOSEN, Order, Settings
from sync.retention import Retention
from sync.stops import InvalidStop

MAPS = ("fields", "statuses", "calendars", "brakes")
"""Tables within a source."""

NO_INITIATIVES = Settings(Terms(), Order((), {}, frozenset(), "", Placeholders()))
"""What hangs together is not asked."""

NO_DIGEST = digests.Terms()
"""Digests go nowhere."""

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True, slots=True)
class Source:
    """One `[sources.NAME]`, checked."""

    name: str
    system: str
    connector: type[Connector]
    setup: SourceSetup
    inherit: bool
    calendar: str | None = None
    """The named calendar that its items go by."""
    calendars: Mapping[str, str] = field(default_factory=dict)
    """A project's name -> the named calendar that its items go by."""
    budget: float = 1800.0
    """How long it may be pulled, and how long written to, in seconds."""
    every: float | None = None
    """How often runs take it in at most, in seconds; `None` for each of them."""
    found_by: str = ""
    """Changes with what finds metrics in descriptions."""

    @property
    def fingerprint(self) -> str:
        """Changes when items must be read anew because they would come out different. Holds no secret."""
        secrets = {option.name for option in self.connector.options if option.kind == "secret"}
        options = {name: value for name, value in self.setup.options.items() if name not in secrets}
        meaning = [self.system, options, dict(self.setup.fields), dict(self.setup.statuses), str(self.setup.timezone)]
        meaning.append(self.found_by)
        return hashlib.sha256(json.dumps(meaning, sort_keys=True, default=str).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class SourceBrakes:
    """The limits of one source: what its `[sources.NAME.brakes]` sets, and `[brakes]` for the rest."""

    share: float
    least: int
    shrink: float
    count: int | None = None
    """None: only that of the whole run counts."""


@dataclass(frozen=True, slots=True)
class Brakes:
    """Where a run stops rather than write: see docs/operations.md."""

    share: float
    count: int
    least: int
    shrink: float
    per_rule: int
    per_person: int
    unusual: float
    sources: Mapping[str, SourceBrakes] = field(default_factory=dict)

    def of(self, source: str) -> SourceBrakes:
        """The limits of a source, also of one that config does not have any more."""
        return self.sources.get(source, SourceBrakes(self.share, self.least, self.shrink))


@dataclass(frozen=True, slots=True)
class Flapping:
    """When a label that goes on and off is left as it is."""

    times: int
    days: int


@dataclass(frozen=True, slots=True)
class Config:
    """The whole of config.toml, checked; paths are absolute."""

    path: Path
    store: Path
    rules: tuple[str, ...]
    timezone: ZoneInfo
    calendar: CalendarTerms
    calendars: Mapping[str, CalendarTerms]
    """The named ones, sorted by name."""
    prefix: str
    veto_days: int
    flapping: Flapping
    pause_share: float
    pause_least: int
    per_person_per_week: int
    """0 is no limit."""
    exemptions: tuple[str, ...]
    """Names of files, or globs."""
    placeholders: tuple[str, ...]
    finder: Finder
    review_days: int
    brakes: Brakes
    retention: Retention
    apply: bool
    metrics_file: Path | None = None
    ping: str | None = None
    """A URL, of which no more than its host is ever shown."""
    report_file: Path | None = None
    stale_after: float | None = None
    """In seconds, as the next; what is not set is learned."""
    quiet_after: float | None = None
    initiatives: Settings = NO_INITIATIVES
    digest: digests.Terms = NO_DIGEST
    sources: Mapping[str, Source] = field(default_factory=dict)

    def calendar_number(self, name: str) -> int:
        """What `item.calendar` holds for a named calendar; 0 is the default one."""
        return [*self.calendars].index(name) + 1

    @property
    def folder(self) -> Path:
        """Where relative paths of the config start."""
        return self.path.parent


def find(named: Path | None) -> Path:
    """The config file: the one named, else config.toml here, else the one in the platform's config folder."""
    if named is not None:
        if not named.is_file():
            raise InvalidStop(f"{named}: there is no such config file; name another with --config FILE.")
        return named
    here = Path("config.toml")
    if here.is_file():
        return here
    import platformdirs

    of_platform = Path(platformdirs.user_config_dir("unstuck")) / "config.toml"
    if of_platform.is_file():
        return of_platform
    raise InvalidStop(
        f"There is no config.toml here, and none in {of_platform.parent}.",
        "Make one with `unstuck init .`, or name one with `unstuck --config FILE …`.",
    )


def load(path: Path, *, secrets: bool = True) -> Config:
    """Read and check a config file. Raises `InvalidStop` with every mistake in it, one line each.

    Without `secrets` none is looked up, for commands that reach no source: whoever edits rules need not have them.
    """
    reader = _Reader(path, _parse(path), secrets=secrets)
    config = reader.config()
    if reader.mistakes:
        raise InvalidStop(*reader.mistakes)
    return config


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InvalidStop(f"{path}: cannot be read ({error.strerror}); check its permissions.") from error
    except UnicodeDecodeError as error:
        raise InvalidStop(f"{path}: is not UTF-8 text; save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidStop(f"{path}: is not valid TOML: {error}.") from error


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A hint that ends a message about an unknown word."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f'did you mean "{close[0]}"?' if close else f"known are: {', '.join(sorted(known))}"


class _Reader:
    """Walks a parsed config and gathers mistakes instead of stopping at the first."""

    def __init__(self, path: Path, data: dict[str, Any], *, secrets: bool) -> None:
        self.path = path
        self.secrets = secrets
        self.folder = path.resolve().parent
        self.data = data
        self.mistakes: list[str] = []

    def wrong(self, place: str, why: str) -> None:
        self.mistakes.append(f"{self.path}: {place}: {why}")

    def config(self) -> Config:
        top = self.table("", self.data, settings.TOP, also=(*settings.TABLES, *settings.NAMED))
        tables = {name: self.subtable(self.data, name, options) for name, options in settings.TABLES.items()}
        labels, brakes = tables["labels"], tables["brakes"]
        calendars = self.calendars()
        finder = Finder((*described.SHIPPED, *tables["outcome"]["patterns"]))
        zone = self.zone("timezone", top["timezone"])
        config = Config(
            path=self.path.resolve(),
            store=self.folder / top["store"],
            rules=tuple(top["rules"]),
            timezone=zone,
            calendar=self.calendar_terms("calendar", tables["calendar"]),
            calendars=calendars,
            prefix=self.prefix(labels["prefix"]),
            veto_days=self.at_least("labels.veto_days", labels["veto_days"], 0),
            flapping=Flapping(
                times=self.at_least("labels.flapping_times", labels["flapping_times"], 1),
                days=self.at_least("labels.flapping_days", labels["flapping_days"], 1),
            ),
            pause_share=self.a_share("labels.pause_share", labels["pause_share"]),
            pause_least=self.at_least("labels.pause_least", labels["pause_least"], 1),
            per_person_per_week=self.at_least("labels.per_person_per_week", labels["per_person_per_week"], 0),
            exemptions=tuple(top["exemptions"]),
            placeholders=tuple(tables["outcome"]["placeholders"]),
            finder=finder,
            review_days=self.at_least("outcome.review_days", tables["outcome"]["review_days"], 1),
            brakes=self.brakes(brakes),
            retention=Retention(
                runs_days=self.at_least("retention.runs_days", tables["retention"]["runs_days"], 90),
                vanished_days=self.at_least("retention.vanished_days", tables["retention"]["vanished_days"], 30),
            ),
            apply=tables["writes"]["apply"],
            metrics_file=self.folder / tables["metrics"]["file"] if tables["metrics"]["file"] else None,
            ping=self.ping(tables["metrics"]["ping"]),
            report_file=self.report(tables["report"]["file"]),
            stale_after=self.optional_duration("status.stale_after", tables["status"]["stale_after"]),
            quiet_after=self.optional_duration("status.quiet_after", tables["status"]["quiet_after"]),
            digest=digests.read(tables["digest"], self.data.get("digest", {}), self.wrong),
            sources=dict(self.sources(zone, tuple(calendars), finder)),
        )
        of_sources = {name: self.source_brakes(name, config.brakes) for name in config.sources}
        config = replace(config, brakes=replace(config.brakes, sources=of_sources))
        return replace(config, initiatives=self.initiatives(tables["links"], tables["initiatives"], config))

    # Initiatives

    def initiatives(self, found: Mapping[str, Any], whole: Mapping[str, Any], config: Config) -> Settings:
        words = (*SHIPPED, *config.placeholders)
        terms = Terms(
            key=self.shared_key(found["key"], config),
            tools=found["tools"],
            patterns=self.patterns(found["patterns"] or ()),
            most=self.at_least("links.most", found["most"], 2),
            placeholders=words,
        )
        order = self.known_sources("initiatives.order", whole["order"] or (), config)
        columns = whole["columns"] or {}
        for column, source in columns.items():
            if column not in CHOSEN:
                self.wrong(f"initiatives.columns.{column}", f"cannot be chosen; {did_you_mean(column, CHOSEN)}")
            self.known_sources(f"initiatives.columns.{column}", (source,), config)
        labelled = self.known_sources("initiatives.labels", whole["labels"] or (), config)
        sources = (*order, *(name for name in config.sources if name not in order))
        return Settings(terms, Order(sources, columns, frozenset(labelled), config.prefix, Placeholders(words)))

    def shared_key(self, name: str | None, config: Config) -> str | None:
        is_column = name in COLUMNS and COLUMNS[name].kind is Kind.TEXT and not COLUMNS[name].derived
        if name and not is_column and not any(name in source.setup.fields for source in config.sources.values()):
            mapped = sorted({field for source in config.sources.values() for field in source.setup.fields})
            hint = did_you_mean(name, mapped) if mapped else f'map it: {name} = "the field\'s name in the tool"'
            self.wrong("links.key", f'no [sources.NAME.fields] maps a field to "{name}"; {hint}')
        return name

    def patterns(self, given: Sequence[str]) -> tuple[str, ...]:
        for pattern in given:
            try:
                if re.compile(pattern).match(""):
                    self.wrong("links.patterns", f'"{pattern}" matches nothing at all; write what a key looks like')
            except re.error as error:
                self.wrong("links.patterns", f'"{pattern}" is no regular expression: {error}')
        return tuple(given) if not self.mistakes else ()

    def known_sources(self, where: str, names: Sequence[str], config: Config) -> tuple[str, ...]:
        for name in names:
            if name not in config.sources:
                self.wrong(where, f'there is no source "{name}"; {did_you_mean(name, list(config.sources))}')
        return tuple(names)

    # Brakes

    def brakes(self, table: Mapping[str, Any]) -> Brakes:
        return Brakes(
            share=self.a_share("brakes.share", table["share"]),
            count=self.at_least("brakes.count", table["count"], 1),
            least=self.at_least("brakes.least", table["least"], 1),
            shrink=self.a_share("brakes.shrink", table["shrink"]),
            per_rule=self.at_least("brakes.per_rule", table["per_rule"], 1),
            per_person=self.at_least("brakes.per_person", table["per_person"], 1),
            unusual=self.at_least("brakes.unusual", table["unusual"], 1),
        )

    def source_brakes(self, name: str, general: Brakes) -> SourceBrakes:
        place = f"sources.{name}."
        own = self.subtable(self.data["sources"][name], "brakes", settings.SOURCE_BRAKES, place)

        def given(key: str, check: Callable[[str, Any], _Number], otherwise: _Number) -> _Number:
            return otherwise if own[key] is None else check(f"{place}brakes.{key}", own[key])

        return SourceBrakes(
            share=given("share", self.a_share, general.share),
            least=given("least", self.at_least_one, general.least),
            shrink=given("shrink", self.a_share, general.shrink),
            count=None if own["count"] is None else self.at_least_one(f"{place}brakes.count", own["count"]),
        )

    # Reports

    def report(self, name: str | None) -> Path | None:
        if name is None:
            return None
        if Path(name).suffix.lower() not in settings.REPORT_ENDINGS:
            self.wrong("report.file", f'"{name}" must end in one of {", ".join(settings.REPORT_ENDINGS)}')
        return self.folder / name

    # Tables and values

    def subtable(
        self, data: Mapping[str, Any], name: str, options: Sequence[Option], place: str = ""
    ) -> dict[str, Any]:
        table = data.get(name, {})
        if not isinstance(table, dict):
            self.wrong(f"{place}{name}", f"must be a table: write [{place}{name}] and its keys below it")
            table = {}
        return self.table(f"{place}{name}.", table, options)

    def table(
        self, place: str, data: Mapping[str, Any], options: Sequence[Option], also: Sequence[str] = ()
    ) -> dict[str, Any]:
        known = [option.name for option in options]
        for key in data:
            if key not in known and key not in also:
                self.wrong(f"{place}{key}", f"there is no such key; {did_you_mean(key, [*known, *also])}")
        return {option.name: self.value(place, data, option) for option in options}

    def value(self, place: str, data: Mapping[str, Any], option: Option) -> Any:
        if option.name not in data:
            if option.required:
                self.wrong(f"{place}{option.name}", f"is missing: {option.help}")
            return option.default
        where, given = f"{place}{option.name}", data[option.name]
        if option.kind in ("secret", "text") and isinstance(given, dict):
            return self.reference(where, given, private=option.kind == "secret") if self.secrets else None
        if option.kind == "reference" and isinstance(given, dict):
            return given if secrets.is_reference(given) else self.wrong(where, f"must be {secrets.HOW}")
        if option.kind in ("secret", "reference"):
            self.wrong(where, f"a secret must not stand in the config itself; write {option.name} = {secrets.HOW}")
            return option.default
        if not _KINDS[option.kind](given):
            self.wrong(where, f"must be {_SAYS[option.kind]}, and is {json.dumps(given, default=str)}")
            return option.default
        return given

    def reference(self, where: str, given: Mapping[str, Any], *, private: bool) -> str | None:
        try:
            return secrets.resolve(given, self.folder, private=private)
        except secrets.NoSecretError as error:
            self.wrong(where, str(error))
            return None

    def zone(self, where: str, name: str) -> ZoneInfo:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            self.wrong(where, f'"{name}" is no time zone; write one like "Europe/Berlin" or "UTC"')
            return ZoneInfo("UTC")

    def calendars(self) -> dict[str, CalendarTerms]:
        tables = self.data.get("calendars", {})
        if not isinstance(tables, dict):
            self.wrong("calendars", "must be tables: write [calendars.NAME] and its keys below it")
            return {}
        return {
            name: self.calendar_terms(f"calendars.{name}", self.subtable(tables, name, settings.CALENDAR, "calendars."))
            for name in sorted(tables)
        }

    def calendar_terms(self, place: str, table: Mapping[str, Any]) -> CalendarTerms:
        weekend = self.weekend(f"{place}.weekend", table["weekend"])
        return CalendarTerms(table["country"], table["region"], weekend, tuple(table["days_off"]))

    def calendar_name(self, where: str, name: Any, known: Sequence[str]) -> str | None:
        if isinstance(name, str) and name not in known:
            hint = did_you_mean(name, known) if known else f"add a table [calendars.{name}]"
            self.wrong(where, f'there is no calendar "{name}"; {hint}')
        return name if name in known else None

    def weekend(self, place: str, names: Sequence[str]) -> frozenset[int]:
        for name in names:
            if name.lower() not in WEEKDAYS:
                self.wrong(place, f'"{name}" is no day; {did_you_mean(name.lower(), WEEKDAYS)}')
        found = frozenset(WEEKDAYS.index(name.lower()) for name in names if name.lower() in WEEKDAYS)
        if len(found) == len(WEEKDAYS):
            self.wrong(place, "leaves no business day; name fewer days")
        return found

    def prefix(self, prefix: str) -> str:
        if not prefix.strip():
            self.wrong("labels.prefix", 'must not be empty: it marks which labels are ours; leave it out for "pmo-"')
        return prefix

    def at_least_one(self, where: str, value: int) -> int:
        return self.at_least(where, value, 1)

    def at_least(self, where: str, value: _Number, least: int) -> _Number:
        if value < least:
            self.wrong(where, f"must be {least} or more, and is {value}")
        return value

    def a_share(self, where: str, value: float) -> float:
        if not 0 < value <= 1:
            self.wrong(where, f"must be a share over 0 and up to 1, and is {value}: write 0.3 for 30 %")
        return float(value)

    def duration(self, where: str, text: str) -> float:
        """In seconds."""
        try:
            return durations.seconds(text)
        except ValueError as error:
            self.wrong(where, str(error))
            return 1.0

    def optional_duration(self, where: str, text: str | None) -> float | None:
        return None if text is None else self.duration(where, text)

    def ping(self, url: str | None) -> str | None:
        if url and (why := ping.mistake(url)):
            self.wrong("metrics.ping", why)
            return None
        return url

    # Sources

    def sources(self, zone: ZoneInfo, calendars: Sequence[str], finder: Finder) -> Iterator[tuple[str, Source]]:
        tables = self.data.get("sources", {})
        if not isinstance(tables, dict) or not tables:
            self.wrong("sources", "there is none; add a table [sources.NAME] with its system")
            return
        for name, table in tables.items():
            if name == INITIATIVE:
                self.wrong(f"sources.{name}", "initiatives stand under this name; call the source something else")
            source = self.source(name, table, zone, calendars)
            if source is not None:
                yield name, replace(source, found_by=finder.sha)

    def source(self, name: str, table: Any, zone: ZoneInfo, calendars: Sequence[str]) -> Source | None:
        place = f"sources.{name}."
        if not isinstance(table, dict):
            self.wrong(place[:-1], f"must be a table: write [sources.{name}] and its keys below it")
            return None
        connector = self.connector(place, table)
        if connector is None:
            return None
        values = self.table(place, table, (*settings.SOURCE, *connector.options), also=MAPS)
        setup = SourceSetup(
            name=name,
            options={option.name: values[option.name] for option in connector.options},
            fields=self.fields(place, table.get("fields", {})),
            statuses=self.statuses(place, table.get("statuses", {})),
            collections=tuple(values["collections"] or ()),
            timezone=self.zone(f"{place}timezone", values["timezone"]) if values["timezone"] else zone,
            folder=self.folder,
        )
        return Source(
            name,
            table["system"],
            connector,
            setup,
            bool(values["inherit"]),
            self.calendar_name(f"{place}calendar", values["calendar"], calendars),
            self.project_calendars(f"{place}calendars", table.get("calendars", {}), calendars),
            self.duration(f"{place}budget", values["budget"]),
            self.optional_duration(f"{place}every", values["every"]),
        )

    def connector(self, place: str, table: Mapping[str, Any]) -> type[Connector] | None:
        system = table.get("system")
        if not isinstance(system, str):
            self.wrong(f"{place}system", f"is missing; known are: {', '.join(registry.names())}")
            return None
        try:
            return registry.load(system)
        except SetupError as error:
            self.wrong(f"{place}system", str(error))
            return None

    def fields(self, place: str, table: Any) -> dict[str, str]:
        if not isinstance(table, dict) or not all(isinstance(name, str) and name for name in table.values()):
            self.wrong(f"{place}fields", 'must be a table of column = "the field\'s name or id in the tool"')
            return {}
        for column in table:
            if column in COLUMNS and COLUMNS[column].derived:
                self.wrong(f"{place}fields.{column}", "is computed and cannot be mapped; leave it out")
        return dict(table)

    def project_calendars(self, place: str, table: Any, known: Sequence[str]) -> dict[str, str]:
        if not isinstance(table, dict) or not all(isinstance(name, str) for name in table.values()):
            self.wrong(place, 'must be a table of "project\'s name" = "calendar\'s name"')
            return {}
        named = {project: self.calendar_name(f'{place}."{project}"', name, known) for project, name in table.items()}
        return {project: name for project, name in named.items() if name is not None}

    def statuses(self, place: str, table: Any) -> dict[str, StatusCategory]:
        if not isinstance(table, dict):
            self.wrong(f"{place}statuses", 'must be a table of "status in the tool" = "in_progress"')
            return {}
        known = [category.value for category in StatusCategory]
        found = {}
        for status, category in table.items():
            if category in known:
                found[status] = StatusCategory(category)
            else:
                self.wrong(
                    f'{place}statuses."{status}"', f'"{category}" is no category; write one of {", ".join(known)}'
                )
        return found


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) and entry for entry in value)


def _named_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(entry, str) and entry for entry in value.values())


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_KINDS: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str) and value != "",
    "files": lambda value: isinstance(value, str) and value != "",
    "integer": _whole,
    "number": lambda value: isinstance(value, float) or _whole(value),
    "yes/no": lambda value: isinstance(value, bool),
    "list of text": _texts,
    "table of text": _named_texts,
    "list of dates": lambda value: isinstance(value, list) and all(type(entry) is date for entry in value),
}

_SAYS = {
    "text": "text in quotes",
    "files": "text in quotes",
    "integer": "a whole number",
    "number": "a number",
    "yes/no": "true or false",
    "list of text": "a list of texts, in [brackets]",
    "table of text": 'a table of "name" = "text"',
    "list of dates": "a list of dates, like [2026-12-24]",
}
