"""Files of people who want no digest, read strictly: every mistake of all of them in one list, each with its place.

[[opt_out]]
person = "Ada Lovelace"                  # an owner, sponsor or project, as the tools call it
reason = "Reads the report"              # this and the next may be left out
until  = 2026-12-31                      # the last day
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from sync.config import Config
from sync.digest.terms import folded
from sync.stops import InvalidStop
from sync.tablefiles import Place, TableFile, files


class OptOut(NamedTuple):
    """One `[[opt_out]]`, checked."""

    person: str
    """Folded."""
    until: date | None


def read(config: Config, today: date) -> frozenset[str]:
    """Who wants none today, folded. Raises `InvalidStop` with every mistake in the files, one line each."""
    mistakes = list[str]()
    paths = files(config, "digest.opt_out", config.digest.opt_out)
    entries = [entry for path in paths for entry in _File(path, config.folder, mistakes).read()]
    if mistakes:
        raise InvalidStop(*mistakes)
    return frozenset(entry.person for entry in entries if entry.until is None or entry.until >= today)


class _File(TableFile[OptOut]):
    table, plural = "opt_out", "opt-outs"
    keys = ("person", "reason", "until")

    def entry(self, place: Place, table: Mapping[str, Any]) -> OptOut | None:
        if "person" not in table:
            self.wrong(place, "person: is missing; an opt-out says who wants no digest")
        person = self.text(place, "person", table)
        self.text(place, "reason", table)
        until = self.day(place, "until", table, "") if "until" in table else None
        return OptOut(folded(person), until) if person else None
