"""Named steps of a schema. What a file has of them is read plainly; only taking steps imports sqlite-utils."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

    Step = Callable[[Database], None]


class Steps:
    """A set of steps in the order in which they were added, each known by its function's name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._steps: dict[str, Step] = {}

    def __call__(self) -> Callable[[Step], Step]:
        """Decorate a function that is a step."""

        def add(step: Step) -> Step:
            self._steps[step.__name__] = step
            return step

        return add

    @property
    def names(self) -> list[str]:
        return [*self._steps]

    def pending(self, connection: sqlite3.Connection) -> list[str]:
        """The steps that are due, in order."""
        taken = self._taken(connection)
        return [name for name in self._steps if name not in taken]

    def foreign(self, connection: sqlite3.Connection) -> list[str]:
        """Steps that the file has and this set has not: a newer one took them."""
        return sorted(self._taken(connection) - self._steps.keys())

    def apply(self, db: Database, *, stop_before: str | None = None) -> None:
        """Take the steps that are due, in the caller's transaction."""
        from sqlite_utils.migrations import Migrations

        migrations = Migrations(self.name)
        for step in self._steps.values():
            migrations()(step)
        migrations.apply(db, stop_before=stop_before)

    def _taken(self, connection: sqlite3.Connection) -> set[str]:
        """As sqlite-utils records them."""
        recorded = "SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'"
        if connection.execute(recorded).fetchone() is None:
            return set()
        taken = "SELECT name FROM _sqlite_migrations WHERE migration_set = ?"
        return {row[0] for row in connection.execute(taken, (self.name,))}
