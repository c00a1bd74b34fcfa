"""Files of exemptions, read strictly: every mistake of all of them in one list, each with its place.

A file holds tables like this one. All keys are required but `source`, `key` and `rule`, which name what is exempt: one
item (`source` and `key`), a source, a rule, or a rule on one of these.

    [[exemption]]
    source   = "delivery"
    key      = "APP-3"
    rule     = "no-sponsor"                  # without it, all rules
    reason   = "The sponsor changes at the turn of the year"
    approver = "Ada Lovelace"
    until    = 2026-12-31                    # the last day
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from connectors.model import Exempting
from rules.places import Places
from rules.ruleset import RuleSet
from sync.config import Config, did_you_mean
from sync.exemptions import TOLD, Exemption, Exemptions
from sync.stops import InvalidStop

_KEYS = ("source", "key", "rule", "reason", "approver", "until")


def by_label(config: Config, now: datetime) -> Exemptions:
    """What is exempt by labels in the tools, without looking at files."""
    return Exemptions(Exempting(f"{config.prefix}exempt", now.astimezone(config.timezone).date()))


def read(config: Config, ruleset: RuleSet | None, now: datetime) -> Exemptions:
    """Read the files that config names. Raises `InvalidStop` with every mistake in all of them, one line each.

    Without a rule set nobody looks whether the rules that they name are there.
    """
    exempt, mistakes = by_label(config, now), list[str]()
    today = exempt.unless.today
    known = {"source": [*config.sources], "rule": [rule.id for rule in ruleset.rules] if ruleset else None}
    entries = [entry for file in _files(config) for entry in _File(file, config.folder, known, today, mistakes).read()]
    if mistakes:
        raise InvalidStop(*mistakes)
    in_force = tuple(entry for entry in entries if entry.until >= today)
    ended = tuple(entry for entry in entries if today - TOLD <= entry.until < today)
    return replace(exempt, entries=in_force, ended=ended)


def _files(config: Config) -> Iterable[Path]:
    found: dict[Path, None] = {}
    for pattern in config.exemptions:
        here = sorted(path for path in config.folder.glob(pattern) if path.is_file())
        if not here:
            raise InvalidStop(
                f'{config.path}: exemptions: "{pattern}" finds no file below {config.folder}; correct it.'
            )
        found |= dict.fromkeys(here)
    return found


class _File:
    """One file; it gathers mistakes instead of stopping at the first."""

    def __init__(
        self, path: Path, folder: Path, known: Mapping[str, Sequence[str] | None], today: date, mistakes: list[str]
    ) -> None:
        self.path, self.name = path, path.relative_to(folder).as_posix()
        self.known, self.today, self.mistakes = known, today, mistakes
        self.places = Places("")

    def read(self) -> list[Exemption]:
        """The entries that are right; `mistakes` says what is wrong with the others."""
        try:
            text = self.path.read_text(encoding="utf-8-sig")
            tables = tomllib.loads(text)
        except OSError as error:
            return self.useless(f"cannot be read ({error.strerror}); check its permissions")
        except UnicodeDecodeError:
            return self.useless("is not UTF-8 text; save it as UTF-8")
        except tomllib.TOMLDecodeError as error:
            return self.useless(f"is not valid TOML: {error}")
        self.places = Places(text)
        for key in (key for key in tables if key != "exemption"):
            self.wrong((key, 0), f"{key}: there is no such key; a file of exemptions holds [[exemption]] tables only")
        found = tables.get("exemption", [])
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            self.wrong(("exemption",), "exemptions begin with [[exemption]], in two pairs of brackets")
            return []
        entries = [self.entry(number, table) for number, table in enumerate(found)]
        return [entry for entry in entries if entry is not None]

    def useless(self, why: str) -> list[Exemption]:
        self.mistakes.append(f"{self.name}: {why}")
        return []

    def wrong(self, path: tuple[str | int, ...], why: str) -> None:
        self.mistakes.append(f"{self.name}:{self.places.line(path)}: {why}")

    def entry(self, number: int, table: Mapping[str, Any]) -> Exemption | None:
        before, place = len(self.mistakes), ("exemption", number)
        for name in (name for name in table if name not in _KEYS):
            self.wrong((*place, name), f"{name}: there is no such key; {did_you_mean(name, _KEYS)}")
        source, key, rule = (self.text(place, name, table) for name in ("source", "key", "rule"))
        reason, approver = (self.needed(place, name, table) for name in ("reason", "approver"))
        until = self.until(place, table)
        self.names_something(place, table)
        if until is not None and until >= self.today:  # what is over may name what is gone
            self.is_known(place, "source", source)
            self.is_known(place, "rule", rule)
        if until is None or len(self.mistakes) > before:
            return None
        return Exemption(f"{self.name}:{self.places.line(place)}", source, key, rule, reason, approver, until)

    def needed(self, place: tuple[str | int, ...], key: str, table: Mapping[str, Any]) -> str:
        if key not in table:
            self.wrong(place, f"{key}: is missing; an exemption says why, and who allowed it")
        return self.text(place, key, table) or ""

    def text(self, place: tuple[str | int, ...], key: str, table: Mapping[str, Any]) -> str | None:
        value = table.get(key, None)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            self.wrong((*place, key), f"{key}: must be text in quotes that is not empty")
            return None
        return " ".join(value.split())

    def until(self, place: tuple[str | int, ...], table: Mapping[str, Any]) -> date | None:
        value = table.get("until")
        if type(value) is date:
            return value
        why = "must be a day without quotes" if "until" in table else "is missing; an exemption has a last day"
        self.wrong((*place, "until"), f"until: {why}: until = 2026-12-31")
        return None

    def names_something(self, place: tuple[str | int, ...], table: Mapping[str, Any]) -> None:
        if not {"source", "key", "rule"} & table.keys():
            self.wrong(place, "it names nothing; give it the source and key of an item, a source, or a rule")
        elif "key" in table and "source" not in table:
            self.wrong((*place, "key"), "source: is missing; two sources may use one key")

    def is_known(self, place: tuple[str | int, ...], key: str, name: str | None) -> None:
        known = self.known[key]
        if name is not None and known is not None and name not in known:
            self.wrong((*place, key), f'{key}: there is no {key} "{name}"; {did_you_mean(name, known)}')
