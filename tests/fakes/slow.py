"""The real command, with a memory connector (or the board) that has bad days: `python -m tests.fakes.slow run --apply`.

`SLOW` in the environment says which, by source: `{"tool": {"page": 0.5, "deaf": true}}`. All seconds.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from connectors import registry
from connectors.base import ChangeResult, Collection, Connector, Page
from connectors.errors import BusyError
from connectors.memory import MemoryConnector
from connectors.model import Cursor, LabelChange


class SlowConnector(MemoryConnector):
    """Waits before each page and after each write; hangs, breaks, or meets the other sources."""

    @property
    def _day(self) -> dict[str, Any]:
        day: dict[str, Any] = json.loads(os.environ.get("SLOW", "{}")).get(self._setup.name, {})
        return day

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        self._meet()
        if self._day.get("garbage"):
            yield Page(items=cast(Any, ("no item",)))
        if self._day.get("exit"):
            raise RuntimeError("the vendor's library lost its mind")
        for page in super().pull(collection, cursor):
            self._wait("page")
            yield page

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        results = super().apply(collection, changes)
        for _ in changes:
            self._watch()
            result = next(results)
            self._wait("write")
            yield result

    def _watch(self) -> None:
        """Note how many writes have no result yet, as the store has it right before a write."""
        if not self._day.get("watch"):
            return
        time.sleep(0.05)  # as long as the other thread could need
        with closing(sqlite3.connect(self._setup.folder / "unstuck.db")) as reader:
            [open_writes] = reader.execute("SELECT count(*) FROM journal WHERE result_at IS NULL").fetchone()
        with (self._setup.folder / "watched").open("a") as file:
            file.write(f"{open_writes} ")

    def close(self) -> None:
        if self._day.get("close"):
            raise RuntimeError("the connection was gone already")

    def _wait(self, what: str) -> None:
        seconds = self._day.get(what, 0)
        if self._day.get("deaf") or self._setup.stopping is None:
            time.sleep(seconds)
        elif self._setup.stopping.wait(seconds):
            raise BusyError("told to stop waiting", "the next run tries again")

    def _meet(self) -> None:
        """Go on only once every source that is to be met pulls as well."""
        names = self._day.get("meet", ())
        (self._setup.folder / f"{self._setup.name}.here").touch()
        until = time.monotonic() + 20
        while not all((self._setup.folder / f"{name}.here").exists() for name in names):
            if time.monotonic() > until:
                raise BusyError("the others never came", "pull them side by side")
            time.sleep(0.01)


def load(system: str) -> type[Connector]:
    """The connector of a system, slowed down."""
    if system == "board":
        from tests.fakes.board import BoardConnector

        return BoardConnector
    return SlowConnector


if __name__ == "__main__":
    registry.load = load
    if os.environ.get("STARTED"):
        Path(os.environ["STARTED"]).touch()
    from sync import cli

    cli.main()
