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

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from connectors.model import Exempting
from rules.ruleset import RuleSet
from sync.config import Config, did_you_mean
from sync.exemptions import TOLD, Exemption, Exemptions
from sync.stops import InvalidStop
from sync.tablefiles import Place, TableFile, files


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
    paths = files(config, "exemptions", config.exemptions)
    entries = [entry for path in paths for entry in _File(path, config.folder, mistakes, known, today).read()]
    if mistakes:
        raise InvalidStop(*mistakes)
    in_force = tuple(entry for entry in entries if entry.until >= today)
    ended = tuple(entry for entry in entries if today - TOLD <= entry.until < today)
    return replace(exempt, entries=in_force, ended=ended)


class _File(TableFile[Exemption]):
    table, plural = "exemption", "exemptions"
    keys = ("source", "key", "rule", "reason", "approver", "until")

    def __init__(
        self, path: Path, folder: Path, mistakes: list[str], known: Mapping[str, Sequence[str] | None], today: date
    ) -> None:
        super().__init__(path, folder, mistakes)
        self.known, self.today = known, today

    def entry(self, place: Place, table: Mapping[str, Any]) -> Exemption | None:
        source, key, rule = (self.text(place, name, table) for name in ("source", "key", "rule"))
        reason, approver = (self.needed(place, name, table) for name in ("reason", "approver"))
        until = self.day(place, "until", table, "is missing; an exemption has a last day")
        self.names_something(place, table)
        if until is None:
            return None
        if until >= self.today:  # what is over may name what is gone
            self.is_known(place, "source", source)
            self.is_known(place, "rule", rule)
        return Exemption(self.at(place), source, key, rule, reason, approver, until)

    def needed(self, place: Place, key: str, table: Mapping[str, Any]) -> str:
        if key not in table:
            self.wrong(place, f"{key}: is missing; an exemption says why, and who allowed it")
        return self.text(place, key, table) or ""

    def names_something(self, place: Place, table: Mapping[str, Any]) -> None:
        if not {"source", "key", "rule"} & table.keys():
            self.wrong(place, "it names nothing; give it the source and key of an item, a source, or a rule")
        elif "key" in table and "source" not in table:
            self.wrong((*place, "key"), "source: is missing; two sources may use one key")

    def is_known(self, place: Place, key: str, name: str | None) -> None:
        known = self.known[key]
        if name is not None and known is not None and name not in known:
            self.wrong((*place, key), f'{key}: there is no {key} "{name}"; {did_you_mean(name, known)}')
