"""What several commands need: the config with its rules, the open store, and how a line is cut short.

Commands that only look at the store, like `status`, need no rules: what reads them is imported where it is used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from connectors.wording import many
from rules.counts import RuleCount
from sync import clock as clocks
from sync import config as configs
from sync import log, output
from sync.colour import toned
from sync.config import Config
from sync.plan import NO_LONGER
from sync.stops import InvalidStop
from sync.store import Store, open_store, sqlite_in_words
from sync.wording import mid_sentence

if TYPE_CHECKING:
    from rules.calendar import CalendarTerms
    from rules.ruleset import RuleSet


def load(path: Path | None, *, secrets: bool = True, tests: bool = False) -> tuple[Config, RuleSet]:
    """Config and rules, or `InvalidStop` with all mistakes of whichever fails first.

    `secrets` are looked up where sources will be reached; of the rules' `tests`, the calendars are looked up.
    """
    config = configs.load(configs.find(path), secrets=secrets)
    return config, load_rules(rule_files(config), config.prefix, config.calendars if tests else None)


def rule_files(config: Config) -> list[Path]:
    """The rule files that are in force. Raises `InvalidStop` for a name that finds none."""
    from rules import loader

    if not config.rules:
        return loader.builtin_files()
    files: list[Path] = []
    for pattern in config.rules:
        found = sorted(path for path in config.folder.glob(pattern) if path.is_file())
        if not found:
            raise InvalidStop(f'{config.path}: rules: "{pattern}" finds no file below {config.folder}; correct it.')
        files += [path for path in map(_from_here, found) if path not in files]
    return files


def _from_here(path: Path) -> Path:
    """As a person who stands in this folder would name it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def load_rules(files: Sequence[Path], prefix: str, calendars: Mapping[str, CalendarTerms] | None = None) -> RuleSet:
    """The rules of these files; `calendars` are those that their tests may name, where tests matter."""
    from rules import loader

    try:
        return loader.load(files, prefix=prefix, calendars=calendars)
    except loader.RuleErrors as errors:
        raise InvalidStop(*(str(problem) for problem in errors.problems)) from errors


@contextmanager
def opened_store(config: Config, *, create: bool) -> Iterator[Store]:
    """The open store; whatever SQLite says of it while it is used becomes one sentence."""
    with open_store(config.store, create=create) as store, sqlite_in_words(config.store):
        yield store


def rehearsal_note(clock: clocks.Clock) -> None:
    if clock.rehearsal:
        log.say(f"Rehearsal: UNSTUCK_NOW sets the clock to {clock.now:%d %b %Y %H:%M} UTC.", "rehearsal", "info")


def short(title: str, most: int = 60) -> str:
    line = " ".join(title.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def tell_change(sign: Literal["+", "-"], label: str, where: str, title: str, reasons: Sequence[str]) -> None:
    """One label of a diff, what it goes onto (`+`) or off (`-`), and why."""
    line = output.hang(f'  {sign} {label}  {where}  "{short(title)}"  {because(reasons)}')
    change = f"{sign} {label}"
    click.echo(line.replace(change, toned(change, "green" if sign == "+" else "yellow", sys.stdout), 1))


def because(reasons: Sequence[str]) -> str:
    """Why a label goes on or off, as it stands behind the item."""
    why = "; ".join(mid_sentence(reason) for reason in reasons)
    return why if why.startswith(NO_LONGER) else f"because {why}"


@contextmanager
def stored(path: Path | None) -> Iterator[tuple[Config, Store]]:
    """A store to look at, as the last run left it."""
    config = configs.load(configs.find(path), secrets=False)
    rehearsal_note(clocks.read())
    with opened_store(config, create=False) as store:
        yield config, store


@contextmanager
def looking(path: Path | None) -> Iterator[tuple[Config, Store]]:
    """A store to look at, with `work_item` as of now."""
    from rules import engine
    from sync.today import today

    with stored(path) as (config, store):
        engine.prepare(store.connection, today(config, clocks.read().now))
        yield config, store


def only_source(config: Config, source: str | None) -> tuple[str, tuple[str, ...]]:
    if source is None:
        return "", ()
    if source not in config.sources:
        raise InvalidStop(f'There is no source "{source}"; {configs.did_you_mean(source, list(config.sources))}')
    return "WHERE source = ?", (source,)


def warn(ruleset: RuleSet, config: Config | None) -> int:
    from rules import loader

    forbidden, longest = {}, {}
    for source in config.sources.values() if config else ():
        can = source.connector.capabilities
        forbidden[source.name] = can.label_forbids
        if can.label_max_length is not None:
            longest[source.name] = can.label_max_length
    warnings = loader.lint(ruleset, forbidden, longest)
    for warning in warnings:
        output.say(f"{warning} (warning)")
    return len(warnings)


_NAMED = 3
"""So many rules of those that share an answer are named to people; JSON has all."""


def tell_unknown(counts: Iterable[RuleCount]) -> None:
    """Which rules could not tell about some items, if any: silence would look like "all is well"."""
    alike: dict[tuple[int, int], list[str]] = {}
    for count in counts:
        if count.unknown:
            alike.setdefault((count.unknown, count.considered), []).append(count.rule)
    if not alike:
        return
    intro = "Unknown, and so without a label, as the tool does not tell, or the config maps no field to it:"
    output.say(intro, 2)
    for (unknown, considered), rules in sorted(alike.items(), reverse=True):
        output.say(f"  ? {_named(rules)}  on {unknown:,} of {many(considered, 'item')}", 6)
    output.say("  `unstuck explain KEY` says what is unknown of an item.", 2)


def _named(rules: Sequence[str]) -> str:
    """`a, b, c and 5 more rules`; all, where that would leave out one."""
    if len(rules) <= _NAMED + 1:
        return ", ".join(rules)
    return f"{', '.join(rules[:_NAMED])} and {len(rules) - _NAMED} more rules"


def items_named(store: Store, key: str, *, required: bool = True) -> list[dict[str, Any]]:
    found = store.rows(
        "SELECT id, source, key, title FROM temp.work_item WHERE key = ? COLLATE NOCASE OR native_id = ?",
        (key, key),
    )
    if not found and required:
        raise InvalidStop(_why_none(store, key))
    return found


def _why_none(store: Store, key: str) -> str:
    """Why the store has no item that people call `key`: what became of the one that it had."""
    gone = store.rows(
        "SELECT i.source, i.key, i.title, substr(i.missing_since, 1, 10) AS since, g.fate FROM item i "
        "LEFT JOIN gone g ON g.item_id = i.id AND g.missing_since = i.missing_since "
        "WHERE i.missing_since IS NOT NULL AND (i.key = ? COLLATE NOCASE OR i.native_id = ?) ORDER BY since DESC",
        (key, key),
    )
    for row in gone:
        fate = f"was {row['fate']}" if row["fate"] else "is not there any more"
        named = f'{row["key"]} ("{short(row["title"])}", {row["source"]})'
        return f"{named} {fate}: it was missed on {row['since']}, and no rule looks at it."
    return f'There is no item "{key}" in the store; `unstuck items` lists them.'
