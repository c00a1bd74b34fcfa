"""The store as Parquet files, for DuckDB, Spark or a warehouse, also over the stores of many machines.

    DIR/items/source=delivery/day=2026-11-21/items.parquet               every item, as of that day's last export
    DIR/findings/source=delivery/day=2026-11-21/findings.parquet         what the rules found, likewise
    DIR/transitions/source=delivery/day=2026-03-05/transitions.parquet   what changed its status on that day

An initiative is made of what is there already: it has no files, and what rules find of it stands with the items that
get its labels. A `day` is one of UTC, so that stores of several time zones agree. `source` and `native_id` name an item
in all three; `source` and `day` stand in the path alone, as readers of Hive partitions expect. A file is put into place
whole, and one that would not change is not written.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rules.columns import COLUMNS, Kind
from rules.table import INITIATIVE
from sync.stops import InvalidStop
from sync.store import Store

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ModuleNotFoundError as missing:
    raise InvalidStop(
        "Parquet files are written with pyarrow, which is not installed; install unstuck with the extra "
        "`parquet`: pip install 'unstuck[parquet]'."
    ) from missing

ROWS = 10_000
"""Rows in memory at once, and in a row group."""
_STATE = b"unstuck.state"
"""Metadata of a file: what it was made from."""
_LAYOUT = 1
"""Part of every state: raise it when the same rows are written differently, so that files are made anew."""

_TIME = pa.timestamp("s", tz="UTC")
_TYPES: dict[Kind, pa.DataType] = {
    Kind.DATE: _TIME,
    Kind.NUMBER: pa.float64(),
    Kind.PEOPLE: pa.list_(pa.string()),
    Kind.LABELS: pa.list_(pa.string()),
}
"""What is not here is text."""


@dataclass(frozen=True, slots=True)
class Exported:
    """How many files were written, and how many were as they should be."""

    written: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class _Field:
    """One column of a file."""

    name: str
    sql: str
    type: pa.DataType

    def array(self, values: Sequence[Any]) -> pa.Array[Any]:
        if pa.types.is_list(self.type):
            return pa.array([json.loads(value or "[]") for value in values], self.type)
        if self.type == _TIME:
            return pa.array(values, pa.string()).cast(_TIME)
        return pa.array(values, self.type)


_ITEM = (
    _Field("native_id", "native_id", pa.string()),
    *(
        _Field(column.name, column.name, _TYPES.get(column.kind, pa.string()))
        for column in COLUMNS.values()
        if column.name != "source"
    ),
    _Field("fields", "fields", pa.string()),
)
"""Every word of the rule language; custom fields as JSON, name to text."""
_FINDING = (
    _Field("native_id", "i.native_id", pa.string()),
    _Field("key", "i.key", pa.string()),
    _Field("rule", "f.rule", pa.string()),
    _Field("label", "f.label", pa.string()),
    _Field("reason", "f.reason", pa.string()),
    _Field("since", "f.since", _TIME),
)
_TRANSITION = (
    _Field("native_id", "i.native_id", pa.string()),
    _Field("key", "i.key", pa.string()),
    _Field("moved_at", "t.at", _TIME),
    *(
        _Field(name, f"t.{name}", pa.string())
        for name in ("from_status", "to_status", "from_category", "to_category", "origin")
    ),
    _Field("percent_complete", "t.percent_complete", pa.float64()),
)
_DAY = "substr(t.at, 1, 10)"


def export(store: Store, folder: Path, now: datetime, only: str | None = None) -> Exported:
    """Write the state of now, and each day's transitions, into `folder`; of the source `only`, or of all in the store.

    Needs `temp.work_item` as of `now`. Raises `InvalidStop` where the folder cannot be written to.
    """
    with _in_words(folder), store.snapshot() as connection:
        sources = connection.execute(
            "SELECT DISTINCT source FROM item WHERE source <> ? ORDER BY source", (INITIATIVE,)
        )
        known = [source for (source,) in sources]
        wanted = [source for source in known if only in (None, source)]
        written = [
            made
            for source in wanted
            for made in (
                *_snapshots(connection, folder, source, now.astimezone(UTC).date()),
                *_transitions(connection, folder, source),
            )
        ]
    return Exported(sum(written), len(written) - sum(written))


def _snapshots(connection: sqlite3.Connection, folder: Path, source: str, day: date) -> Iterator[bool]:
    """What there is now. A day's last export stands for it."""
    items = f"SELECT {_listed(_ITEM)} FROM temp.work_item WHERE source = ? ORDER BY id"
    findings = (
        f"SELECT {_listed(_FINDING)} FROM finding_on_item f JOIN item i ON i.id = f.item_id "
        "WHERE i.source = ? AND i.missing_since IS NULL ORDER BY i.id, f.rule, f.label"
    )
    for name, fields, sql in (("items", _ITEM, items), ("findings", _FINDING, findings)):
        path = _partition(folder, name, source, day.isoformat())
        yield _write(path, fields, connection.execute(sql, (source,)), state=None)


def _transitions(connection: sqlite3.Connection, folder: Path, source: str) -> Iterator[bool]:
    """Each day in a file of its own, made anew where something came since it was made."""
    of_source = "FROM transition t JOIN item i ON i.id = t.item_id WHERE i.source = ?"
    states = {
        day: json.dumps([_LAYOUT, newest]).encode()
        for day, newest in connection.execute(f"SELECT {_DAY}, max(t.id) {of_source} GROUP BY 1", (source,))
    }
    paths = {day: _partition(folder, "transitions", source, day) for day in sorted(states)}
    due = [day for day, path in paths.items() if _state(path) != states[day]]
    yield from (False for _ in range(len(paths) - len(due)))
    rows = connection.execute(
        f"SELECT {_listed(_TRANSITION)}, {_DAY} {of_source} AND {_DAY} IN (SELECT value FROM json_each(?)) "
        "ORDER BY t.at, t.id",
        (source, json.dumps(due)),
    )
    for day, of_day in groupby(rows, key=itemgetter(-1)):
        yield _write(paths[day], _TRANSITION, (row[:-1] for row in of_day), states[day])


def _listed(fields: Iterable[_Field]) -> str:
    return ", ".join(field.sql for field in fields)


def _partition(folder: Path, name: str, source: str, day: str) -> Path:
    return folder / name / f"source={quote(source, safe='')}" / f"day={day}" / f"{name}.parquet"


def _state(path: Path) -> bytes | None:
    """What a file was made from; `None` if it is not there or not one of ours."""
    try:
        metadata = pq.read_metadata(path).metadata
    except (FileNotFoundError, pa.ArrowInvalid):
        return None
    return metadata.get(_STATE) if metadata else None


def _write(path: Path, fields: Sequence[_Field], rows: Iterator[tuple[Any, ...]], state: bytes | None) -> bool:
    """Put a file into place, whole or not at all."""
    schema = pa.schema([(field.name, field.type) for field in fields])
    if state is not None:
        schema = schema.with_metadata({_STATE: state})
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as stream:
            with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
                while batch := list(islice(rows, ROWS)):
                    columns = zip(*batch, strict=True)
                    arrays = [field.array(values) for field, values in zip(fields, columns, strict=True)]
                    writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return True


@contextmanager
def _in_words(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise InvalidStop(f"{where}: cannot be written ({error.strerror or error}); name another folder.") from error
