"""Files of TOML tables that people keep beside the config, read strictly: every mistake in one list, with its place."""

from __future__ import annotations

import tomllib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Generic, TypeVar

from rules.places import Places
from sync.config import Config, did_you_mean
from sync.stops import InvalidStop

Entry = TypeVar("Entry")
Place = tuple[str | int, ...]


def files(config: Config, key: str, patterns: Sequence[str]) -> Iterator[Path]:
    """The files that a key of the config names, each once. Raises `InvalidStop` for a name that finds none."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        here = sorted(path for path in config.folder.glob(pattern) if path.is_file())
        if not here:
            raise InvalidStop(f'{config.path}: {key}: "{pattern}" finds no file below {config.folder}; correct it.')
        found |= dict.fromkeys(here)
    yield from found


class TableFile(ABC, Generic[Entry]):
    """One file; it gathers mistakes instead of stopping at the first."""

    table: str
    """What its tables are called: `exemption` for `[[exemption]]`."""
    plural: str
    """And what people call several of them."""
    keys: Sequence[str]

    def __init__(self, path: Path, folder: Path, mistakes: list[str]) -> None:
        self.path, self.name = path, path.relative_to(folder).as_posix()
        self.mistakes = mistakes
        self.places = Places("")

    @abstractmethod
    def entry(self, place: Place, table: Mapping[str, Any]) -> Entry | None:
        """What one table says, if that can be told; `wrong` hears of what is wrong."""

    def read(self) -> list[Entry]:
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
        for key in (key for key in tables if key != self.table):
            self.wrong(
                (key, 0), f"{key}: there is no such key; a file of {self.plural} holds [[{self.table}]] tables only"
            )
        found = tables.get(self.table, [])
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            self.wrong((self.table,), f"{self.plural} begin with [[{self.table}]], in two pairs of brackets")
            return []
        entries = [self._checked((self.table, number), table) for number, table in enumerate(found)]
        return [entry for entry in entries if entry is not None]

    def _checked(self, place: Place, table: Mapping[str, Any]) -> Entry | None:
        before = len(self.mistakes)
        for name in (name for name in table if name not in self.keys):
            self.wrong((*place, name), f"{name}: there is no such key; {did_you_mean(name, self.keys)}")
        entry = self.entry(place, table)
        return entry if len(self.mistakes) == before else None

    def useless(self, why: str) -> list[Entry]:
        self.mistakes.append(f"{self.name}: {why}")
        return []

    def wrong(self, place: Place, why: str) -> None:
        self.mistakes.append(f"{self.at(place)}: {why}")

    def at(self, place: Place) -> str:
        """File and line."""
        return f"{self.name}:{self.places.line(place)}"

    def text(self, place: Place, key: str, table: Mapping[str, Any]) -> str | None:
        value = table.get(key, None)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            self.wrong((*place, key), f"{key}: must be text in quotes that is not empty")
            return None
        return " ".join(value.split())

    def day(self, place: Place, key: str, table: Mapping[str, Any], missing: str) -> date | None:
        """A day; `missing` says why there has to be one."""
        value = table.get(key)
        if type(value) is date:
            return value
        why = "must be a day without quotes" if key in table else missing
        self.wrong((*place, key), f"{key}: {why}: {key} = 2026-12-31")
        return None
