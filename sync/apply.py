"""Writing a plan: the intent is committed before each call and the result after it.

One call a collection, in which each item is written once. A process that is killed in between leaves open intents,
which the next run settles by what the tool shows (`sync.ledger.settle`).
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Literal

from connectors.base import ChangeResult, Collection, Connector, Granularity, Outcome
from connectors.model import ItemRef, LabelChange
from rules.table import moment
from sync import turns
from sync.config import Source
from sync.durations import spoken
from sync.exemptions import Guard
from sync.lanes import Cut, Lane, side_by_side
from sync.ledger import remember_made
from sync.opened import Opened
from sync.plan import Held, Hold, Plan, PlannedChange
from sync.pull import placed, sentence
from sync.secrets import redacted
from sync.stopping import Stopping
from sync.stops import Stop
from sync.store import Store

_GRACE = 15.0
"""How long a source may take to finish the write in hand once it was asked to stop, in seconds."""

PIECE = 100
"""Changes that are handed to a connector at once, unless it writes more in one request; before each piece, files of
exemptions are read again."""
_WRITTEN = (Outcome.DONE, Outcome.UNCHANGED)


@dataclass(slots=True)
class ApplyReport:
    """What came of writing a plan."""

    items: int = 0
    added: int = 0
    removed: int = 0
    copies: int = 0
    deleted: int = 0
    """Labels that were deleted from collections, as nothing carries them any more."""
    held: list[Held] = field(default_factory=list)
    """Labels that were not put on, as somebody exempted their items since they were planned."""
    problems: list[str] = field(default_factory=list)
    """Sentences: which source, which item, what happened and what to do next."""
    stopped: bool = False
    """Whether it was to stop before everything was written."""


@dataclass(frozen=True, slots=True)
class _Intent:
    journal_id: int
    action: Literal["add", "remove"]
    label: str
    rule: str
    reason: str


def apply_plan(
    store: Store,
    plan: Plan,
    sources: Sequence[Opened],
    run_id: int,
    now: datetime,
    guard: Guard,
    stopping: Stopping,
) -> ApplyReport:
    """Write every change of the plan, all sources side by side.

    A failed write leaves its own item as it is and stops no other; a slow source delays none.
    """
    turn_of = {one.source.name: _Turn(run_id, moment(now), guard, ApplyReport()) for one in sources}
    opened = {one.source.name: one for one in sources}
    writers: dict[str, list[_Writer]] = defaultdict(list)
    for (source, collection), changes in sorted(_grouped(plan).items()):
        for piece in _pieces(changes, opened[source].connector):
            writers[source].append(_Writer(store, opened[source].connector, source, collection, turn_of[source], piece))
    lanes = {
        one.source.name: Lane(
            _writes(writers[one.source.name], one.stopping),
            one.stopping,
            budget=one.source.budget,
            grace=_GRACE,
            ahead=0,
        )
        for one in sources
        if one.source.name in writers
    }
    for name, keep in side_by_side(lanes, stopping):
        turns.count(store, opened[name], now)
        keep()
    for one in sources:
        if lane := lanes.get(one.source.name):
            one.stuck = lane.stuck
            _end(turn_of[one.source.name].report, lane, one.source)
    report = _together(turn.report for turn in turn_of.values())
    report.problems += guard.mistakes
    return report


def _grouped(plan: Plan) -> dict[tuple[str, str], list[PlannedChange]]:
    """The changes by (source, collection), also of collections whose copy alone is to be made anew."""
    grouped: dict[tuple[str, str], list[PlannedChange]] = defaultdict(list)
    for change in plan.changes:
        grouped[change.ref.source, change.collection].append(change)
    for place in plan.copies:
        grouped.setdefault(place, [])
    return grouped


def _pieces(changes: Sequence[PlannedChange], connector: Connector) -> Iterator[Sequence[PlannedChange]]:
    """What is handed to a connector at once; a labelled copy is one piece."""
    can = connector.capabilities
    size = max(1, len(changes)) if can.writes is Granularity.COLLECTION else max(PIECE, can.batch)
    for at in range(0, max(1, len(changes)), size):
        yield changes[at : at + size]


def _writes(writers: Sequence[_Writer], stopping: threading.Event) -> Generator[Callable[[], None]]:
    """Write, and hand over what the caller's thread is to keep in the store: intents before, results after.

    No write begins before the caller is done with what came before it.
    """
    refused: set[Collection] = set()
    for writer in writers:
        if writer.collection in refused:
            continue  # it could not be written to at all
        yield writer.intend
        try:
            for result in writer.connector.apply(writer.collection, writer.calls):
                yield partial(writer.keep, result)
                if writer.failed:
                    refused.add(writer.collection)
                    break
        except Exception as error:
            if stopping.is_set():
                raise
            refused.add(writer.collection)
            yield partial(writer.fail, error)
        else:
            yield writer.finish


def _end(report: ApplyReport, lane: Lane[Callable[[], None]], source: Source) -> None:
    report.stopped = lane.cut is Cut.STOP
    if lane.cut is Cut.BUDGET:
        report.problems.append(
            f"{source.name}: its budget of {spoken(source.budget)} was used up while labels were written; the next run "
            f"writes the rest: give it more with budget in [sources.{source.name}] if that happens often."
        )


def _together(reports: Iterable[ApplyReport]) -> ApplyReport:
    """The sum, in the given order."""
    whole = ApplyReport()
    for report in reports:
        whole.items += report.items
        whole.added += report.added
        whole.removed += report.removed
        whole.copies += report.copies
        whole.held += report.held
        whole.problems += report.problems
        whole.stopped = whole.stopped or report.stopped
    return whole


@dataclass(frozen=True, slots=True)
class _Turn:
    """What all writers to one source share."""

    run_id: int
    at: str | None
    guard: Guard
    report: ApplyReport


class _Writer:
    """Writes one piece of what is to change in one collection."""

    def __init__(
        self,
        store: Store,
        connector: Connector,
        source: str,
        collection: str,
        turn: _Turn,
        changes: Sequence[PlannedChange],
    ) -> None:
        self.store, self.connector, self.source = store, connector, source
        name = store.value("SELECT name FROM collection WHERE source = ? AND native_id = ?", (source, collection))
        self.collection = Collection(collection, name or collection)
        self.run_id, self.at, self.guard, self.report = turn.run_id, turn.at, turn.guard, turn.report
        self.whole = connector.capabilities.writes is Granularity.COLLECTION
        self.changes = changes
        self.planned: dict[ItemRef, PlannedChange] = {}
        self.intents: dict[ItemRef, list[_Intent]] = {}
        self.calls: Sequence[LabelChange] = ()
        self.results: list[ChangeResult] = []
        self.failed = False

    def intend(self) -> None:
        """Commit what is about to be written, less what was exempted meanwhile."""
        changes, held = self.guard.narrowed(self.changes)
        self.report.held += held
        self.planned = {change.ref: change for change in changes}
        self.intents = self._intend(changes)
        self.calls = self._whole_copy(self.planned) if self.whole else [self._as_change(change) for change in changes]

    def keep(self, result: ChangeResult) -> None:
        """Commit what became of one change; of a copy, once all of it is known."""
        if self.whole:
            self.results.append(result)
            return
        try:
            with self.store.transaction() as connection:
                self._record(connection, self.planned.get(result.ref), result, self.intents)
                self._move_cursor(connection, result)
                remember_made(connection, self.source, self.collection.native_id, result.made)
        except (sqlite3.Error, Stop):
            raise
        except Exception as error:  # noqa: BLE001 - a result that is none is the connector's fault
            self.fail(error)

    def finish(self) -> None:
        """Every result was given."""
        if not self.whole:
            return
        try:
            self._record_copy(self.results, self.planned, self.intents)
        except (sqlite3.Error, Stop):
            raise
        except Exception as error:  # noqa: BLE001
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Intents without a result stay open: whether they were written is seen in the tool by the next run."""
        self.failed = True
        self.report.problems.append(placed(self.source, self.collection, sentence(error)))

    def _intend(self, changes: Sequence[PlannedChange]) -> dict[ItemRef, list[_Intent]]:
        """Commit what is about to be written."""
        intents: dict[ItemRef, list[_Intent]] = {}
        with self.store.transaction() as connection:
            for change in changes:
                intents[change.ref] = [self._intent(connection, change, *step) for step in _steps(change)]
        return intents

    def _intent(
        self, connection: sqlite3.Connection, change: PlannedChange, action: Literal["add", "remove"], label: str
    ) -> _Intent:
        reasons = change.reasons[label]
        rule, text = reasons[0].rule, "; ".join(reason.text for reason in reasons)
        row = connection.execute(
            "INSERT INTO journal (run_id, item_id, action, label, rule, reason, intent_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self.run_id, change.item_id, action, label, rule, text, self.at),
        )
        return _Intent(row.lastrowid or 0, action, label, rule, text)

    def _as_change(self, change: PlannedChange) -> LabelChange:
        return LabelChange(
            change.ref, change.add, change.remove, change.version, self.guard.unless, self._reasons_after(change)
        )

    def _reasons_after(self, change: PlannedChange) -> dict[str, str]:
        """Label -> why, for all of ours that the item carries once it is written."""
        ours: dict[str, str] = dict(
            self.store.connection.execute(
                "SELECT label, reason FROM ledger WHERE item_id = ? AND off_at IS NULL", (change.item_id,)
            )
        )
        ours |= {label: "; ".join(reason.text for reason in change.reasons[label]) for label in change.add}
        return {label: text for label, text in sorted(ours.items()) if label not in change.remove}

    def _whole_copy(self, planned: Mapping[ItemRef, PlannedChange]) -> list[LabelChange]:
        """All that the labelled copy is to show beyond its input: what is ours already, and what is planned.

        A label of ours that came home into the input and was taken off since (`off_at`) must be taken off again.
        """
        kept: dict[ItemRef, dict[str, bool]] = {ref: {} for ref in planned}
        for native_id, label, off in self.store.connection.execute(
            "SELECT i.native_id, l.label, l.off_at IS NOT NULL FROM ledger l JOIN item i ON i.id = l.item_id "
            "WHERE i.source = ? AND i.collection = ? AND i.missing_since IS NULL",
            (self.source, self.collection.native_id),
        ):
            kept.setdefault(ItemRef(self.source, native_id), {})[label] = not off
        for ref, change in planned.items():
            kept[ref].update(dict.fromkeys(change.add, True))
            kept[ref].update(dict.fromkeys(change.remove, False))
        return [
            LabelChange(
                ref,
                add=tuple(sorted(label for label, on in labels.items() if on)),
                remove=tuple(sorted(label for label, on in labels.items() if not on)),
                unless=self.guard.unless,
            )
            for ref, labels in sorted(kept.items())
        ]

    # Results

    def _record_copy(
        self,
        results: Sequence[ChangeResult],
        planned: Mapping[ItemRef, PlannedChange],
        intents: Mapping[ItemRef, Sequence[_Intent]],
    ) -> None:
        """One file was written at once, so all its results are one transaction."""
        with self.store.transaction() as connection:
            for result in results:
                self._record(connection, planned.get(result.ref), result, intents)
            if all(result.outcome in _WRITTEN for result in results):
                connection.execute(
                    "UPDATE collection SET copy_outdated = 0 WHERE source = ? AND native_id = ?",
                    (self.source, self.collection.native_id),
                )
                self.report.copies += 1

    def _record(
        self,
        connection: sqlite3.Connection,
        change: PlannedChange | None,
        result: ChangeResult,
        intents: Mapping[ItemRef, Sequence[_Intent]],
    ) -> None:
        """Keep what became of one change; `None` is a label that a new copy carries on from an earlier one."""
        steps = intents.get(result.ref, ())
        if change and result.outcome is Outcome.EXEMPT:
            held = (Held(result.ref, change.key, label, result.message, Hold.EXEMPT) for label in change.add)
            self.report.held += held
            self._finish_intents(connection, steps, result.outcome, result.message)
            return
        if result.outcome not in _WRITTEN:
            key, message = change.key if change else result.ref.native_id, redacted(result.message)
            self.report.problems.append(f"{self.source}: {key}: {message}")
            self._finish_intents(connection, steps, result.outcome, message)
            return
        for intent in steps:
            did = result.outcome is Outcome.DONE and intent.label not in result.already
            if change and (did or self._is_ours(connection, change.item_id, intent)):
                self._enter(connection, change.item_id, intent)
        self._finish_intents(connection, steps, result.outcome, "")
        self._keep_labels(connection, change, result)
        if change:
            if result.message:
                self.report.problems.append(redacted(f"{self.source}: {change.key}: {result.message}"))
            self.report.items += 1
            self.report.added += len(change.add)
            self.report.removed += len(change.remove)

    def _move_cursor(self, connection: sqlite3.Connection, result: ChangeResult) -> None:
        """What we wrote ourselves need not be pulled; a collection that is to be read anew stays so."""
        if result.cursor is not None:
            connection.execute(
                "UPDATE collection SET cursor = ? WHERE source = ? AND native_id = ? AND cursor IS NOT NULL",
                (result.cursor.value, self.source, self.collection.native_id),
            )

    def _keep_labels(self, connection: sqlite3.Connection, change: PlannedChange | None, result: ChangeResult) -> None:
        """Put the labels of now onto the stored item.

        Without its hash the next pull reads the item anew: if a person took the label off at once, the item looks
        exactly as it did before our write.
        """
        which = (result.ref.source, result.ref.native_id)
        labels = result.labels
        if labels is None and change:
            row = connection.execute("SELECT labels FROM item WHERE source = ? AND native_id = ?", which).fetchone()
            labels = tuple((set(json.loads(row[0])) | set(change.add)) - set(change.remove))
        if labels is not None:
            connection.execute(
                "UPDATE item SET labels = ?, version = coalesce(?, version), hash = NULL "
                "WHERE source = ? AND native_id = ?",
                (json.dumps(sorted(labels), ensure_ascii=False), result.version, *which),
            )

    def _enter(self, connection: sqlite3.Connection, item_id: int, intent: _Intent) -> None:
        """Keep the ledger. A removal from a copy stays on record while the input still carries the label."""
        if intent.action == "add":
            connection.execute(
                "INSERT INTO ledger (item_id, label, rule, reason, run_id, put_at) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (item_id, label) DO UPDATE SET rule = excluded.rule, reason = excluded.reason, "
                "run_id = excluded.run_id, put_at = excluded.put_at, off_at = NULL",
                (item_id, intent.label, intent.rule, intent.reason, self.run_id, self.at),
            )
            return
        which = (item_id, intent.label)
        connection.execute("DELETE FROM ledger WHERE item_id = ? AND label = ? AND NOT home", which)
        connection.execute("UPDATE ledger SET off_at = ? WHERE item_id = ? AND label = ?", (self.at, *which))

    def _is_ours(self, connection: sqlite3.Connection, item_id: int, intent: _Intent) -> bool:
        """Whether a label that was already so is so through us: a person may have put the same one there just now.

        It is if our last write of it was lost, as far as we know: a tool may be late to show it.
        """
        if self.whole or intent.action == "remove":
            return True
        last = connection.execute(
            "SELECT action = 'add' AND (result_at IS NULL OR result = 'lost') FROM journal "
            "WHERE item_id = ? AND label = ? AND id < ? AND (result_at IS NULL OR result IN ('done', 'unchanged', "
            "'lost')) ORDER BY id DESC LIMIT 1",
            (item_id, intent.label, intent.journal_id),
        ).fetchone()
        return last is not None and bool(last[0])

    def _finish_intents(
        self, connection: sqlite3.Connection, intents: Iterable[_Intent], result: str, message: str
    ) -> None:
        connection.executemany(
            "UPDATE journal SET result_at = ?, result = ?, message = ? WHERE id = ?",
            [(self.at, result, message, intent.journal_id) for intent in intents],
        )


def _steps(change: PlannedChange) -> list[tuple[Literal["add", "remove"], str]]:
    """In the order in which the journal shows them."""
    adds: list[tuple[Literal["add", "remove"], str]] = [("add", label) for label in change.add]
    return adds + [("remove", label) for label in change.remove]
