"""Taking back: what one run wrote, or every label that we ever put. Only labels that are still as we left them.

What is to come off and what is to go back on is put to planning as if the rules had asked for exactly that, so that
all its guards hold here too: what is not ours stays, and what a person took off stays off.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from connectors.model import ItemRef
from rules.table import moment
from sync.plan import Held, Hold, ItemState, Plan, PlannedChange, Reason, in_order, plan_labels

Undoing = Literal["undo", "retire"]


@dataclass(frozen=True, slots=True)
class Aim:
    """What is to be taken back."""

    what: Undoing
    off: Mapping[int, frozenset[str]]
    """By item: labels of ours that are to come off."""
    on: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    """By item: labels that we took off and that are to go back on, each with its rule."""
    lifted: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """By item: labels that an earlier undo keeps off, and that this one puts back."""
    left: tuple[Held, ...] = ()
    """What was written then and is not as we left it any more."""
    run_id: int | None = None
    """The run whose writes these are; None takes back those of all runs."""

    @property
    def items(self) -> frozenset[int]:
        """The items at which a label is at stake."""
        return frozenset(self.off) | frozenset(self.on)

    @property
    def why(self) -> str:
        """For the plan, the journal and the ledger."""
        return "taken back: unstuck is being retired" if self.run_id is None else f"taken back: run {self.run_id}"


def retiring(connection: sqlite3.Connection, source: str | None) -> Aim:
    """Every label that we put and that is still ours, in one source or in all.

    Also one that a run put on whose answer never came: whether it is there, this run's pull will tell.
    """
    off: dict[int, set[str]] = defaultdict(set)
    for item_id, label in connection.execute(
        "WITH put AS (SELECT item_id, label FROM ledger WHERE off_at IS NULL "
        "UNION SELECT item_id, label FROM journal WHERE action = 'add' AND result_at IS NULL) "
        "SELECT put.item_id, put.label FROM put JOIN item i ON i.id = put.item_id WHERE (?1 IS NULL OR i.source = ?1)",
        (source,),
    ):
        off[item_id].add(label)
    return Aim("retire", {item_id: frozenset(labels) for item_id, labels in off.items()})


def undoing(connection: sqlite3.Connection, run_id: int) -> Aim:
    """What the run put on and took off, as far as nobody touched it since."""
    off: dict[int, set[str]] = defaultdict(set)
    on: dict[int, dict[str, str]] = defaultdict(dict)
    left = []
    for step in _steps(connection, run_id):
        if step.changed_by is not None:
            left.append(Held(step.ref, step.key, step.label, step.changed_by, Hold.CHANGED))
        elif step.action == "add":
            off[step.item_id].add(step.label)
        else:
            on[step.item_id][step.label] = step.rule
    labels_off = {item_id: frozenset(labels) for item_id, labels in off.items()}
    return Aim("undo", labels_off, on, _lifted(connection, on), tuple(left), run_id)


def _lifted(connection: sqlite3.Connection, on: Mapping[int, Mapping[str, str]]) -> dict[int, frozenset[str]]:
    """What an earlier undo keeps off. A veto of a person is theirs to end."""
    kept_off: dict[int, set[str]] = defaultdict(set)
    for item_id, label in connection.execute("SELECT item_id, label FROM veto WHERE cause = 'undo'"):
        kept_off[item_id].add(label)
    return {item_id: frozenset(kept_off[item_id] & labels.keys()) for item_id, labels in on.items()}


@dataclass(frozen=True, slots=True)
class _Step:
    """One write of a run, and what became of it since."""

    item_id: int
    ref: ItemRef
    key: str
    action: str
    label: str
    rule: str
    changed_by: str | None


def _steps(connection: sqlite3.Connection, run_id: int) -> Iterator[_Step]:
    """What the run wrote, by item and label. A later write of ours, or a hand in the tool, is named.

    What it wrote without an answer counts as written: whether that is so, the pull of the undo will tell.
    """
    for item_id, source, native_id, key, action, label, rule, is_open, later, ours in connection.execute(
        "SELECT j.item_id, i.source, i.native_id, i.key, j.action, j.label, j.rule, j.result_at IS NULL, "
        "(SELECT max(run_id) FROM journal n WHERE n.item_id = j.item_id AND n.label = j.label AND n.id > j.id "
        " AND n.result = 'done'), "
        "(SELECT count(*) FROM ledger l WHERE l.item_id = j.item_id AND l.label = j.label AND l.off_at IS NULL "
        " AND l.run_id = j.run_id) "
        "FROM journal j JOIN item i ON i.id = j.item_id "
        "WHERE j.run_id = ? AND (j.result = 'done' OR j.result_at IS NULL) ORDER BY j.item_id, j.label",
        (run_id,),
    ):
        changed_by = None
        if later is not None:
            changed_by = f"run {later} changed it since"
        elif action == "add" and not ours and not is_open:
            changed_by = "a person changed it since"
        yield _Step(item_id, ItemRef(source, native_id), key, action, label, rule, changed_by)


def sources(connection: sqlite3.Connection, aim: Aim) -> frozenset[str]:
    """The sources that have an item at stake."""
    rows = connection.execute(
        "SELECT DISTINCT source FROM item WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(sorted(aim.items)),),
    )
    return frozenset(source for (source,) in rows)


def plan(states: Iterable[ItemState], considered: int, copies: Iterable[tuple[str, str]], aim: Aim) -> Plan:
    """The plan that takes back, and nothing else. Copies that are outdated for other reasons are left to a run."""
    wanted = [_as_wanted(state, aim) for state in states if state.item_id in aim.items]
    planned = plan_labels(wanted, considered)
    touched = {(change.ref.source, change.collection) for change in planned.changes}
    return replace(
        planned,
        changes=tuple(_because(change, aim) for change in planned.changes),
        held=in_order((*planned.held, *aim.left)),
        copies=tuple(sorted(copy for copy in copies if copy in touched)),
    )


def _as_wanted(state: ItemState, aim: Aim) -> ItemState:
    """The state as if rules had asked for what there would be without the run."""
    off, on = aim.off.get(state.item_id, frozenset()), aim.on.get(state.item_id, {})
    kept = {label: (reason,) for label, reason in state.ours.items() if label not in off}
    back = {label: (Reason(rule, aim.why),) for label, rule in on.items()}
    return replace(state, desired={**kept, **back}, vetoed=state.vetoed - aim.lifted.get(state.item_id, frozenset()))


def _because(change: PlannedChange, aim: Aim) -> PlannedChange:
    reasons = {
        label: tuple(Reason(reason.rule, aim.why) for reason in reasons) for label, reasons in change.reasons.items()
    }
    return replace(change, reasons=reasons)


def remember(connection: sqlite3.Connection, planned: Plan, aim: Aim, now: datetime, days: int) -> None:
    """Keep what an undo takes off from coming back with the next run, as if a person had taken it off in the tool.

    Called before anything is written: a run that is killed in between leaves no label that comes back by itself.
    """
    if aim.run_id is None:
        return
    at, until = moment(now), moment(now + timedelta(days=days))
    connection.executemany(
        "INSERT INTO veto (item_id, label, rule, noticed_at, until, status, cause) "
        "SELECT ?1, ?2, ?3, ?4, ?5, (SELECT status FROM item WHERE id = ?1), 'undo' WHERE true "
        "ON CONFLICT (item_id, label) DO UPDATE SET until = excluded.until",
        [
            (change.item_id, label, change.reasons[label][0].rule, at, until)
            for change in planned.changes
            for label in change.remove
        ],
    )
    connection.executemany(
        "DELETE FROM veto WHERE item_id = ? AND label = ? AND cause = 'undo'",
        [(item_id, label) for item_id, labels in aim.lifted.items() for label in labels],
    )


def out_of_reach(connection: sqlite3.Connection, aim: Aim) -> list[tuple[str, int]]:
    """(source, labels) of what is to come off in collections that did not answer in this run."""
    counts: dict[str, int] = defaultdict(int)
    for item_id, source in connection.execute(
        "SELECT id, source FROM item i WHERE missing_since IS NULL AND id IN (SELECT value FROM json_each(?)) "
        "AND NOT EXISTS (SELECT 1 FROM temp.fresh f WHERE f.source = i.source AND f.collection = i.collection)",
        (json.dumps(sorted(aim.off)),),
    ):
        counts[source] += len(aim.off[item_id])
    return sorted(counts.items())
