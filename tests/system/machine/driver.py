"""Runs the product's own cycle on a real store, kills it where it is told to, and reads what it left behind."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock

from connectors import registry
from rules import loader
from sync import brakes, takeback
from sync import config as configs
from sync.clock import Clock
from sync.run import cycle, take_back
from sync.store import Store, open_store
from sync.summary import RunReport, Wish
from tests.system.machine.model import Key, Row, Rules, Veto
from tests.system.machine.tools import KINDS, TOKEN, Killed, Tool

TALLY = Counter[str]()
"""What happened to all drivers together, for those who watch."""

EVERY_BRAKE = frozenset(brakes.NAMES)
_CONFIG = """
rules = ["rules.toml"]
[labels]
pause_share = 1.0
flapping_times = 10000
[brakes]
least = 3
[sources.cards]
system = "by_label"
tool = "cards"
token = { file = "token" }
[sources.rows]
system = "by_item"
tool = "rows"
token = { file = "token" }
[sources.files]
system = "by_copy"
tool = "files"
token = { file = "token" }
"""


class Deadly(sqlite3.Connection):
    """A connection at which the process can be killed, before or after any statement."""

    left: int | None = None
    """Statements until then; `None` is never."""
    after = False
    dead = False

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        return self._step(super().execute, *arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        return self._step(super().executemany, *arguments)

    def _step(self, call: Callable[..., sqlite3.Cursor], *arguments: Any) -> sqlite3.Cursor:
        if self.dead:
            raise Killed
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.dead = True
                if self.after:
                    call(*arguments)
                raise Killed
        return call(*arguments)


@dataclass(frozen=True, slots=True)
class Left:
    """What a run left in the store."""

    rows: Mapping[tuple[str, str], Row]
    ours: Set[Key]
    off: Set[Key]
    """Labels that came home into a file, and that its copy does not show any more."""
    vetoes: Mapping[Key, Veto]
    open: Mapping[Key, str]
    """Writes without a result."""
    moves: Sequence[tuple[str, str, frozenset[str]]]
    """Items that came into another collection, in order: source, id, and the labels that they took along."""
    last_run: int


@dataclass(slots=True)
class Done:
    """One run, ended one way or another."""

    now: datetime
    report: RunReport | None
    """`None`: it was killed."""
    left: Left

    @property
    def run(self) -> int:
        """Its number; if it was killed before it had one, that of the run before."""
        return self.left.last_run


class Driver:
    """One store, and the tools that its config names."""

    def __init__(self, folder: Path, tools: Mapping[str, Tool]) -> None:
        self.folder, self.tools = folder, tools
        (folder / "config.toml").write_text(_CONFIG)
        (folder / "token").write_text(TOKEN)
        (folder / "token").chmod(0o600)
        with _systems():
            self.config = configs.load(folder / "config.toml")
        self.rules = Rules()
        self._rulesets: dict[Rules, Any] = {}

    @property
    def ruleset(self) -> Any:
        """The rules of now, loaded from a file as the command does."""
        if self.rules not in self._rulesets:
            file = self.folder / "rules.toml"
            file.write_text(self.rules.toml())
            self._rulesets[self.rules] = loader.load([file], prefix="pmo-")
        return self._rulesets[self.rules]

    def run(self, now: datetime, wish: Wish, dies_at: int | None = None, *, after: bool = False) -> Done:
        """One cycle; `dies_at`: the process is killed at that SQL statement, before it or after."""
        clock = Clock(now, rehearsal=False)
        return self._do(now, lambda store: cycle(self.config, self.ruleset, store, clock, wish), dies_at, after)

    def take_back(self, now: datetime, wish: Wish, run_id: int | None) -> Done:
        """Undo one run, or retire."""

        def back(store: Store) -> RunReport:
            aim = takeback.retiring(store.connection, None)
            if run_id is not None:
                aim = takeback.undoing(store.connection, run_id)
            return take_back(self.config, store, Clock(now, rehearsal=False), wish, aim)

        return self._do(now, back, None, after=False)

    def _do(self, now: datetime, what: Callable[[Store], RunReport], dies_at: int | None, after: bool) -> Done:
        report = None
        with mock.patch("sqlite3.connect", _deadly), open_store(self.config.store) as store:
            connection = store.connection
            assert isinstance(connection, Deadly)
            for statement in _NOTE_MOVES:
                connection.execute(statement)
            connection.left, connection.after = dies_at, after
            try:
                report = what(store)
            except Killed:
                connection.dead = True
                for tool in self.tools.values():
                    tool.dead = True
            _wait_for_threads(self.tools)
        TALLY["runs"] += 1
        TALLY["killed runs"] += report is None
        TALLY["runs that a brake stopped"] += bool(report and report.refused)
        TALLY["writes"] += sum(write.changed_something for tool in self.tools.values() for write in tool.log)
        return Done(now, report, self.look())

    def look(self) -> Left:
        """What is in the store."""
        with open_store(self.config.store) as store:
            connection = store.connection
            rows = {
                (source, native_id): Row(collection, status, _time(since), bool(missing), frozenset(json.loads(labels)))
                for source, native_id, collection, status, since, missing, labels in connection.execute(
                    "SELECT source, native_id, collection, status, status_since, missing_since IS NOT NULL, labels "
                    "FROM item"
                )
            }
            named = "SELECT i.source, i.native_id, t.label"
            ours, off = (
                frozenset(
                    connection.execute(f"{named} FROM ledger t JOIN item i ON i.id = t.item_id WHERE {which} NULL")
                )
                for which in ("off_at IS", "off_at IS NOT")
            )
            vetoes = {
                (source, native_id, label): Veto(datetime.fromisoformat(until), status, cause)
                for source, native_id, label, until, status, cause in connection.execute(
                    f"{named}, t.until, t.status, t.cause FROM veto t JOIN item i ON i.id = t.item_id"
                )
            }
            opened = {
                (source, native_id, label): action
                for source, native_id, label, action in connection.execute(
                    f"{named}, t.action FROM journal t JOIN item i ON i.id = t.item_id WHERE t.result_at IS NULL "
                    "ORDER BY t.id"
                )
            }
            moves = [
                (source, native_id, frozenset(json.loads(labels)))
                for source, native_id, labels in connection.execute("DELETE FROM seen_to_move RETURNING *").fetchall()
            ]
            assert connection.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok"
            assert not connection.execute("PRAGMA foreign_key_check").fetchall()
            last = connection.execute("SELECT coalesce(max(id), 0) FROM run").fetchone()[0]
        return Left(rows, ours, off, vetoes, opened, moves, last)

    def secrets_leaked(self) -> list[str]:
        """Files beside the config's own in which the token stands."""
        return [
            path.name
            for path in self.folder.iterdir()
            if path.name != "token" and path.is_file() and TOKEN.encode() in path.read_bytes()
        ]


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


_NOTE_MOVES = (
    "CREATE TABLE IF NOT EXISTS seen_to_move (source TEXT, native_id TEXT, labels TEXT)",
    "CREATE TRIGGER IF NOT EXISTS note_moves AFTER UPDATE OF collection ON item WHEN old.collection <> new.collection "
    "BEGIN INSERT INTO seen_to_move VALUES (new.source, new.native_id, new.labels); END",
)
"""An item may go to and fro within one run, as each collection tells of another moment."""
_connect = sqlite3.connect


def _deadly(*arguments: Any, **options: Any) -> sqlite3.Connection:
    return _connect(*arguments, factory=Deadly, **options)


def _wait_for_threads(names: Mapping[str, Tool]) -> None:
    """The threads of a process die with it; here, they come to an end at their next step."""
    for thread in threading.enumerate():
        if thread.name in names:
            thread.join(10)
            assert not thread.is_alive(), "a connector outlived its run"


@contextmanager
def _systems() -> Iterator[None]:
    with mock.patch.object(registry, "load", lambda system: KINDS[system]):
        yield
