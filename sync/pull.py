"""Taking what one source gives into the store: a transaction a page, nothing gone without a whole answer."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import orjson

from connectors.base import Collection, Connector, Page
from connectors.errors import ConnectorError
from connectors.model import Certainty, Cursor, ItemRef, StatusCategory, Transition, WorkItem
from rules.described import Finder
from rules.grading import Grader
from rules.table import PULLED, detail_row, moment, pulled_row, without_nul
from sync import links
from sync.config import Brakes, Source
from sync.history import Earlier, Known
from sync.secrets import redacted
from sync.stops import Stop
from sync.store import Store

log = logging.getLogger("unstuck")

_SEVERAL = 2
"""One collection that goes is tidying up."""

_NUL = rb"\u0000"
"""How JSON shows a NUL; or what a text has that looks like it."""

_AT = {name: position for position, name in enumerate(PULLED)}
_SINCE, _SINCE_DAY, _SINCE_IS = (_AT[name] for name in ("status_since", "status_since_day", "status_since_is"))

_UPSERT = (
    f"INSERT INTO item ({', '.join(PULLED)}, hash, first_seen) "
    f"VALUES ({', '.join('?' * (len(PULLED) + 2))}) ON CONFLICT (source, native_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in (*PULLED, "hash"))
    + ", missing_since = NULL"
)
_BY_REF = "(SELECT id FROM item WHERE source = ? AND native_id = ?)"
_DETAIL = (
    f"INSERT INTO item_detail (item_id, description, fields) VALUES ({_BY_REF}, ?, ?) "
    "ON CONFLICT (item_id) DO UPDATE SET description = excluded.description, fields = excluded.fields"
)
_LEFT_BEHIND = (
    "DELETE FROM ledger WHERE item_id = (SELECT id FROM item WHERE source = ? AND native_id = ? AND collection <> ?) "
    "AND NOT EXISTS (SELECT 1 FROM json_each(?) WHERE value = ledger.label)"
)
"""Labels that an item did not take along into another collection: no person took them off."""
_UNSUITABLE = (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError, sqlite3.IntegrityError)
"""What SQLite says of values that it cannot hold. Anything else that it says is about the store itself."""
_TRANSITION = (
    "INSERT INTO transition (item_id, at, from_status, to_status, from_category, to_category, percent_complete, origin)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_IDS = "SELECT native_id, id FROM item WHERE source = ? AND native_id IN (SELECT value FROM json_each(?))"


@dataclass(slots=True)
class SourceReport:
    """What came of pulling one source."""

    source: str
    fresh: list[str] = field(default_factory=list)
    """Collections that answered completely in this run, by native id: only their items may be planned."""
    seen: int = 0
    changed: int = 0
    vanished: int = 0
    problems: list[str] = field(default_factory=list)
    """Sentences: what failed, and what to do next. Any of them makes the run end with 1."""
    notices: list[str] = field(default_factory=list)
    """Sentences: worth knowing, but nothing failed."""
    shrunk: list[str] = field(default_factory=list)
    """Sentences for the brake `shrink`."""
    requests: int | None = None
    """How often its host was asked, writes too; `None` of a source that has none, or does not count."""
    bytes: int | None = None
    """Of bodies, sent and received, unpacked."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a pull needs to know of the run it is part of."""

    now: datetime
    grader: Grader
    finder: Finder
    brakes: Brakes
    full: bool = False
    """Ask for everything, whatever the cursors say."""
    accept_shrink: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """The collections that the source has."""

    collections: Sequence[Collection]


@dataclass(frozen=True, slots=True)
class Came:
    """One page of a collection; `None` once all that it had to give was given."""

    collection: Collection
    page: Page | None


@dataclass(frozen=True, slots=True)
class Failed:
    """A collection's turn ended with an error; the others still get theirs."""

    collection: Collection
    error: Exception


Step = Listed | Came | Failed


def steps(connector: Connector, cursors: Mapping[str, Cursor], stopping: threading.Event) -> Generator[Step]:
    """All that a connector gives, asked for step by step. Touches no store, so that any thread can wait for it.

    What a connector raises once it was told to stop ends everything: it is no news of a collection.
    """
    collections = connector.collections()
    yield Listed(collections)
    for collection in collections:
        try:
            for page in connector.pull(collection, cursors.get(collection.native_id)):
                yield Came(collection, page)
        except Exception as error:
            if stopping.is_set():
                raise
            yield Failed(collection, error)
        else:
            yield Came(collection, None)


class SourcePull:
    """Takes into the store what a source gives, step by step: an error leaves what was known as it was."""

    def __init__(self, store: Store, source: Source, connector: Connector, terms: Terms) -> None:
        self.store, self.source, self.connector, self.terms = store, source, connector, terms
        self.report = SourceReport(source.name)
        self._open: _Pull | None = None
        self._failed: Collection | None = None

    def cursors(self) -> dict[str, Cursor]:
        """Where the last pull of each collection left off, unless config now reads items differently."""
        if self.terms.full:
            return {}
        rows = self.store.connection.execute(
            "SELECT native_id, cursor FROM collection WHERE source = ? AND fingerprint = ? AND cursor <> ''",
            (self.source.name, self.source.fingerprint),
        )
        return {native_id: Cursor(value) for native_id, value in rows}

    def take(self, step: Step) -> None:
        """Store one step. What is wrong with it ends its collection's turn, and no other's."""
        match step:
            case Listed(collections):
                _mention_absent(self.store, self.source, collections, self.terms, self.report)
            case Failed(collection, error):
                self._fail(collection, error)
            case Came(collection, page) if collection != self._failed:
                try:
                    self._take(collection, page)
                except _UNSUITABLE as error:
                    self._fail(collection, error)
                except (sqlite3.Error, Stop):
                    raise
                except Exception as error:  # noqa: BLE001 - a page that is none is the connector's fault
                    self._fail(collection, error)

    def _take(self, collection: Collection, page: Page | None) -> None:
        if page is not None:
            self._pull(collection).take(page)
            return
        self._pull(collection).end()
        self._open = None

    def _fail(self, collection: Collection, error: Exception) -> None:
        self._open, self._failed = None, collection
        self.report.problems.append(placed(self.source.name, collection, sentence(error)))
        _remember_problem(self.store, self.source, collection, sentence(error))

    def _pull(self, collection: Collection) -> _Pull:
        if self._open is None:
            self._open = _Pull(self.store, self.source, self.connector, collection, self.terms, self.report)
        return self._open

    def fail(self, error: Exception) -> None:
        """The source did not even say which collections it has."""
        self.report.problems.append(f"{self.source.name}: {sentence(error)}")


def placed(source: str, collection: Collection, text: str) -> str:
    """A sentence with where it happened in front; a collection that it begins with is not named twice."""
    known = text.startswith((collection.name, collection.native_id))
    return f"{source}: {text}" if known else f"{source}: {collection.name}: {text}"


def sentence(error: Exception) -> str:
    """What a connector raised, for people. Anything but a `ConnectorError` is a bug in it, and is said to be one."""
    log.debug("%s", error, exc_info=error)
    if isinstance(error, ConnectorError):
        return redacted(f"{error}.")
    bug = redacted(f"{type(error).__name__}: {error}")
    return f"its connector ran into a bug ({bug}); --debug shows where; please report it."


def _mention_absent(
    store: Store, source: Source, listed: Sequence[Collection], terms: Terms, report: SourceReport
) -> None:
    """A collection that is not there any more is not an empty one: its items stay as they were."""
    there = {collection.native_id for collection in listed}
    stored = store.rows(
        "SELECT native_id, name, problem FROM collection c WHERE source = ? AND EXISTS (SELECT 1 FROM item i "
        "WHERE i.source = c.source AND i.collection = c.native_id AND i.missing_since IS NULL)",
        (source.name,),
    )
    gone = [row for row in stored if row["native_id"] not in there]
    for row in gone:
        row["items"] = store.value(f"SELECT count(*) FROM item WHERE {_PRESENT}", (source.name, row["native_id"]))
    # All of them at once is a share that is not mounted or a token that lost its rights, not tidying up.
    lost_all = bool(gone) and len(gone) == len(stored)
    # One that goes, or one after the other, is: what was told of before is accepted.
    news = [row for row in gone if row["problem"] != _absent(row["items"])]
    if not lost_all and _lost_many(source, news, len(stored) - len(gone) + len(news), terms, report):
        return
    for row in gone:
        told = _absent(row["items"])
        if lost_all:
            report.problems.append(f"{source.name}: {row['name']} {told}.")
        elif row["problem"] != told:  # once; from then on `unstuck status` shows it
            report.notices.append(f"{source.name}: {row['name']} {told}.")
        _remember_problem(store, source, Collection(row["native_id"], row["name"]), told, absent=not lost_all)


def _absent(items: int) -> str:
    return (
        f"is not there any more; its {items} items and their labels are kept as they were: "
        "put it back if that was not meant"
    )


def _lost_many(
    source: Source, gone: Sequence[Mapping[str, Any]], known: int, terms: Terms, report: SourceReport
) -> bool:
    """Whether too many of the `known` collections went at once to be tidying up; it is asked again until accepted."""
    limits, items = terms.brakes.of(source.name), sum(row["items"] for row in gone)
    if terms.accept_shrink or len(gone) < _SEVERAL or items < limits.least or len(gone) <= limits.shrink * known:
        return False
    report.shrunk.append(
        f"{source.name}: {len(gone)} of {known} collections are not there any more, with {items} items, more than the "
        f"{limits.shrink:.0%} that [brakes] shrink allows; all is kept as it was. Look whether the token lost its "
        "rights, or files were moved; if that is right, run once with --force shrink."
    )
    return True


def _remember_problem(
    store: Store, source: Source, collection: Collection, problem: str, *, absent: bool = False
) -> None:
    with store.transaction() as connection:
        connection.execute(
            "INSERT INTO collection (source, native_id, name, problem, absent) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (source, native_id) DO UPDATE SET problem = excluded.problem, absent = excluded.absent",
            (source.name, collection.native_id, collection.name, problem, int(absent)),
        )


class Seen:
    """Which of the items that were stored when it was made were seen since: a bit each, as there may be millions."""

    def __init__(self, newest: int) -> None:
        self._newest = newest
        self._bits = bytearray(newest // 8 + 1)

    def add(self, item_id: int) -> None:
        """The item was seen."""
        if item_id <= self._newest:
            self._bits[item_id >> 3] |= 1 << (item_id & 7)

    def __contains__(self, item_id: int) -> bool:
        """What is newer came with what was seen."""
        return item_id > self._newest or bool(self._bits[item_id >> 3] & 1 << (item_id & 7))


_Row = tuple[WorkItem, list[object], tuple[str | None, str], bytes]
"""An item, its rows for `item` and `item_detail`, and their hash."""
_Stored = tuple[int | None, bytes | None, bool]
"""An item's id, its hash, and whether it is present in the collection that is pulled."""
_PRESENT = "source = ? AND collection = ? AND missing_since IS NULL"


class _Pull:
    """One pull of one collection."""

    def __init__(
        self,
        store: Store,
        source: Source,
        connector: Connector,
        collection: Collection,
        terms: Terms,
        report: SourceReport,
    ) -> None:
        self.store, self.source, self.connector = store, source, connector
        self.collection, self.terms, self.report = collection, terms, report
        self.zone = source.setup.timezone or UTC
        self.skipped = self.complete = False
        self.seen = Seen(store.value("SELECT max(id) FROM item") or 0)
        self.arrived = self.left = 0
        """Items that this pull brought into the collection, and those that it marked as gone."""
        self.earlier = Earlier(progress=connector.capabilities.progress)
        self.deleted = 0
        """Items that were there, and of which the tool said in this pull that they are gone."""

    def take(self, page: Page) -> None:
        """Store a page, in one transaction."""
        with self.store.transaction() as connection:
            self._store_page(connection, page)
            if page.complete:
                self.complete = True
                self._finish(connection, page)

    def end(self) -> None:
        """The last page was given."""
        if not self.complete:
            self.report.problems.append(
                f"{self.source.name}: {self.collection.name}: the answer was cut short; what came is kept, and the "
                "next run goes on from there."
            )

    @cached_property
    def present(self) -> int:
        """How many items there were before this pull. They are counted when it matters, which is seldom."""
        here: int = self.store.value(f"SELECT count(*) FROM item WHERE {_PRESENT}", self._place)
        return here - self.arrived + self.left

    @property
    def _place(self) -> tuple[str, str]:
        return self.source.name, self.collection.native_id

    # One page

    def _store_page(self, connection: sqlite3.Connection, page: Page) -> None:
        seen_at = page.as_of or self.terms.now
        if page.past:
            self.earlier.take(page.items, seen_at)
            return
        self._store_items(connection, page.items, seen_at)
        self._store_transitions(connection, page.transitions, "tool")
        self._mark_missing(connection, page.deleted)
        self.skipped = self.skipped or bool(page.skipped)
        for sentence in page.skipped:
            self.report.problems.append(placed(self.source.name, self.collection, redacted(sentence)))
        if self._is_too_much(self.deleted):  # it is asked anew, and what it says is gone is looked at again
            self._remember(connection, cursor=None)
        elif page.cursor is not None:  # all before it was read as config says now: a first pull may take several runs
            self._remember(connection, cursor=page.cursor.value, fingerprint=self.source.fingerprint)

    def _store_items(self, connection: sqlite3.Connection, items: Sequence[WorkItem], seen_at: datetime) -> None:
        rows, details, changed = [], [], []
        observed: list[Transition] = []
        now = moment(self.terms.now)
        for item, row, detail, digest in self._changed(connection, items):
            observed += self._set_since(connection, item, row, seen_at)
            rows.append((*row, digest, now))
            details.append((item.ref.source, item.ref.native_id, *detail))
            changed.append(item)
        if connection.execute("SELECT EXISTS (SELECT 1 FROM ledger)").fetchone()[0]:
            places = [(one.ref.source, one.ref.native_id, one.collection, json.dumps(one.labels)) for one in changed]
            connection.executemany(_LEFT_BEHIND, places)
        connection.executemany(_UPSERT, rows)
        connection.executemany(_DETAIL, details)
        links.keep_given(connection, changed)
        self._store_transitions(connection, observed, "observed")
        self.report.seen += len(items)
        self.report.changed += len(rows)

    def _changed(self, connection: sqlite3.Connection, items: Sequence[WorkItem]) -> Iterator[_Row]:
        """The items whose content differs from what is stored; the others cost no write at all."""
        known = self._stored(connection, items)
        for pulled in items:
            item, row, detail, digest = self._as_stored(pulled)
            item_id, stored, is_present = known.get(item.ref.native_id, (None, None, False))
            if item_id is not None:
                self.seen.add(item_id)
            if not is_present:
                self.arrived += 1
                known[item.ref.native_id] = (item_id, digest, True)
            if stored != digest or not is_present or self.earlier.moved(item.ref.native_id):
                yield item, row, detail, digest

    def _as_stored(self, pulled: WorkItem) -> _Row:
        item, described = self.terms.finder.fill(pulled)
        row = list(pulled_row(item, self.zone, self.terms.grader, described=described))
        detail = detail_row(item)
        told = orjson.dumps((row, detail, *item.links))
        if _NUL in told and (kept := without_nul(pulled)) != pulled:
            return self._as_stored(kept)
        return item, row, detail, hashlib.blake2b(told, digest_size=16).digest()

    def _stored(self, connection: sqlite3.Connection, items: Sequence[WorkItem]) -> dict[str, _Stored]:
        """What is known of these items, by native id."""
        rows = connection.execute(
            "SELECT native_id, item.id, hash, missing_since IS NULL AND collection = ?2 FROM json_each(?3) asked "
            "CROSS JOIN item ON source = ?1 AND native_id = asked.value",
            (*self._place, json.dumps([item.ref.native_id for item in items])),
        )
        return {native_id: (item_id, digest, bool(is_here)) for native_id, item_id, digest, is_here in rows}

    def _set_since(
        self, connection: sqlite3.Connection, item: WorkItem, row: list[object], seen_at: datetime
    ) -> Sequence[Transition]:
        """Where the tool keeps no history, put what we observed into the row; the transitions that we saw."""
        if self.connector.capabilities.history:
            return ()
        found, steps = self.earlier.observe(self._known(connection, item), item, seen_at)
        row[_SINCE], row[_SINCE_IS] = moment(found.since), found.since_is
        row[_SINCE_DAY] = found.since.astimezone(self.zone).toordinal() if found.since else None
        return steps

    def _known(self, connection: sqlite3.Connection, item: WorkItem) -> Known | None:
        row = connection.execute(
            "SELECT status, status_category, percent_complete, status_since, status_since_is FROM item "
            "WHERE source = ? AND native_id = ?",
            (item.ref.source, item.ref.native_id),
        ).fetchone()
        if row is None:
            return None
        status, category, percent, since, since_is = row
        return Known(
            status,
            StatusCategory(category) if category else None,
            percent,
            datetime.fromisoformat(since) if since else None,
            Certainty(since_is),
        )

    def _store_transitions(
        self, connection: sqlite3.Connection, transitions: Sequence[Transition], origin: str
    ) -> None:
        if not transitions:
            return
        asked = json.dumps(list({step.ref.native_id for step in transitions}))
        ids = dict(connection.execute(_IDS, (self.source.name, asked)))
        connection.executemany(
            _TRANSITION,
            [
                (
                    ids.get(step.ref.native_id),
                    moment(step.at),
                    step.from_status,
                    step.to_status,
                    step.from_category and str(step.from_category),  # SQLite takes its time with what is no plain text
                    step.to_category and str(step.to_category),
                    step.percent_complete,
                    origin,
                )
                for step in transitions
            ],
        )

    def _mark_missing(self, connection: sqlite3.Connection, deleted: Sequence[ItemRef]) -> None:
        """What the tool says is gone, unless that is too much in one pull to be believed."""
        places = [(ref.source, self.collection.native_id, ref.native_id) for ref in deleted]
        here = f"{_PRESENT} AND native_id = ?"
        known = [place for place in places if connection.execute(f"SELECT 1 FROM item WHERE {here}", place).fetchone()]
        self.deleted += len(known)
        if self._is_too_much(self.deleted):
            return
        now = moment(self.terms.now)
        connection.executemany(f"UPDATE item SET missing_since = ? WHERE {here}", [(now, *place) for place in known])
        self.left += len(known)
        self.report.vanished += len(known)

    # The end of a pull

    def _finish(self, connection: sqlite3.Connection, page: Page) -> None:
        gone = self._unseen(connection) if page.full else []
        if self._shrank(max(len(gone), self.deleted)):
            self._remember(connection, cursor=None)
            return
        now = moment(self.terms.now)
        if not self.skipped:  # an entry that could not be read may be the very item that seems to be gone
            connection.executemany("UPDATE item SET missing_since = ? WHERE id = ?", [(now, each) for each in gone])
            self.report.vanished += len(gone)
        elif page.full:
            self._remember(connection, cursor=None)
        self._remember(
            connection,
            fingerprint=self.source.fingerprint,
            as_of=moment(page.as_of),
            complete_at=now,
            copy_outdated=int(page.copy_outdated),
            problem=None,
            absent=0,
        )
        self.report.fresh.append(self.collection.native_id)

    def _unseen(self, connection: sqlite3.Connection) -> list[int]:
        """The items that were there before this pull, and that none of its pages had."""
        rows = connection.execute(f"SELECT id FROM item WHERE {_PRESENT}", self._place)
        return [item_id for (item_id,) in rows if item_id not in self.seen]

    def _is_too_much(self, gone: int) -> bool:
        """Whether so many items went at once that it is not to be believed."""
        if gone == 0 or self.terms.accept_shrink:
            return False
        limits, present = self.terms.brakes.of(self.source.name), self.present
        return present >= limits.least and gone > limits.shrink * present

    def _shrank(self, gone: int) -> bool:
        """Whether too much went at once. The cursor is then dropped, so that it is asked anew."""
        if not self._is_too_much(gone):
            return False
        self.report.shrunk.append(
            f"{self.source.name}: {self.collection.name} shrank from {self.present} items to {self.present - gone}, "
            f"more than the {self.terms.brakes.of(self.source.name).shrink:.0%} that [brakes] shrink allows; they are "
            "not taken for gone. "
            "If that is right, run once with --force shrink."
        )
        return True

    def _remember(self, connection: sqlite3.Connection, **values: object) -> None:
        values = {"name": self.collection.name, "pulled_at": moment(self.terms.now), **values}
        columns = ", ".join(values)
        updates = ", ".join(f"{column} = excluded.{column}" for column in values)
        connection.execute(
            f"INSERT INTO collection (source, native_id, {columns}) VALUES (?, ?{', ?' * len(values)}) "
            f"ON CONFLICT (source, native_id) DO UPDATE SET {updates}",
            (self.source.name, self.collection.native_id, *values.values()),
        )


def regrade(store: Store, grader: Grader) -> None:
    """Grade every stored metric again if the words that grading goes by have changed since they were graded."""
    if store.setting("grader") == grader.sha:
        return
    with store.transaction() as connection:
        texts = connection.execute("SELECT DISTINCT outcome_metric FROM item WHERE metric_grade IS NOT NULL").fetchall()
        connection.executemany(
            "UPDATE item SET metric_grade = ? WHERE outcome_metric IS ? AND metric_grade IS NOT NULL",
            [(grader.grade(text), text) for (text,) in texts],
        )
        store.remember("grader", grader.sha)
