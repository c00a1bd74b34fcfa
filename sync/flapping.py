"""Labels that go on and off again and again are left as they are, and reported: each turn may mail a whole team.

A label flaps if it went on and off `times` times within `days` days and is to turn once more. What the rules say of it
is still followed: it is held until they have said the same for `days` days.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from rules.table import moment
from sync.config import Flapping
from sync.plan import Held, Hold, Plan, PlannedChange, in_order

Labelled = tuple[int, str]
"""An item's id, and a label."""


@dataclass(frozen=True, slots=True)
class Flap:
    """A label that is held on, or off, an item."""

    until: date
    """If it does not turn again."""
    is_new: bool
    """Whether it began in this run."""


def follow(connection: sqlite3.Connection, plan: Plan, now: datetime, terms: Flapping) -> dict[Labelled, Flap]:
    """Bring the stored flapping labels up to date, in the caller's transaction; returns those of the plan."""
    kept_for = timedelta(days=terms.days)
    wanted = "EXISTS (SELECT 1 FROM finding_on_item f WHERE f.item_id = flapping.item_id AND f.label = flapping.label)"
    connection.execute(
        f"UPDATE flapping SET wanted = NOT wanted, turned_at = ? WHERE wanted <> {wanted}", (moment(now),)
    )
    connection.execute("DELETE FROM flapping WHERE turned_at <= ?", (moment(now - kept_for),))
    new = _begin(connection, plan, now, now - kept_for, terms.times)
    rows = connection.execute(
        f"WITH {_PLANNED} SELECT item_id, label, turned_at FROM planned JOIN flapping USING (item_id, label)",
        (_as_json(plan),),
    )
    return {
        (item_id, label): Flap((datetime.fromisoformat(turned_at) + kept_for).date(), (item_id, label) in new)
        for item_id, label, turned_at in rows
    }


def _begin(connection: sqlite3.Connection, plan: Plan, now: datetime, since: datetime, times: int) -> set[Labelled]:
    """Hold what would turn once more; returns what is held from now on. Going on and coming off are two writes."""
    rows = connection.execute(
        f"WITH {_PLANNED} INSERT INTO flapping (item_id, label, rule, held_since, wanted, turned_at) "
        "SELECT item_id, label, rule, ?2, goes_on, ?2 FROM planned p WHERE (SELECT count(*) FROM journal j "
        "WHERE j.item_id = p.item_id AND j.label = p.label AND j.result = 'done' AND j.intent_at > ?3) >= 2 * ?4 "
        "ON CONFLICT (item_id, label) DO NOTHING RETURNING item_id, label",
        (_as_json(plan), moment(now), moment(since), times),
    )
    return {(item_id, label) for item_id, label in rows}


_PLANNED = "planned(item_id, label, rule, goes_on) AS (SELECT {} FROM json_each(?1))".format(
    ", ".join(f"json_extract(value, '$[{number}]')" for number in range(4))
)


def _as_json(plan: Plan) -> str:
    """For `_PLANNED`: each label that the plan puts on or takes off, and the rule that it is for."""
    return json.dumps(
        [
            [change.item_id, label, change.reasons[label][0].rule, int(label in change.add)]
            for change, label in _turning(plan)
        ]
    )


def _turning(plan: Plan) -> Iterator[tuple[PlannedChange, str]]:
    """What goes on and what comes off, but for what an exemption asks for: that is people's will."""
    exempt = {(held.ref, held.label) for held in plan.held if held.kind is Hold.EXEMPT}
    for change in plan.changes:
        for label in (*change.add, *change.remove):
            if (change.ref, label) not in exempt:
                yield change, label


def hold(plan: Plan, flaps: Mapping[Labelled, Flap], terms: Flapping) -> Plan:
    """The plan less what flaps, which it names as held.

    A label of the same rule that would take the place of one that is held stays away too: a ladder has one label.
    """
    if not flaps:
        return plan
    changes, held = [], list(plan.held)
    for change in plan.changes:
        kept = {label: why for label in (*change.add, *change.remove) if (why := _why(change, label, flaps, terms))}
        held += [Held(change.ref, change.key, label, why, Hold.FLAPPING) for label, why in sorted(kept.items())]
        add = tuple(label for label in change.add if label not in kept)
        remove = tuple(label for label in change.remove if label not in kept)
        if add or remove:
            reasons = {label: change.reasons[label] for label in (*add, *remove)}
            changes.append(replace(change, add=add, remove=remove, reasons=reasons))
    return replace(plan, changes=tuple(changes), held=in_order(held))


def _why(change: PlannedChange, label: str, flaps: Mapping[Labelled, Flap], terms: Flapping) -> str | None:
    """Why a label stays as it is, if it does."""
    if flap := flaps.get((change.item_id, label)):
        return f"it went on and off {terms.times} times in {terms.days} days; left as it is until {_day(flap.until)}"
    rules = {reason.rule for reason in change.reasons[label]}
    for other in change.remove if label in change.add else change.add:
        flap = flaps.get((change.item_id, other))
        if flap and rules == {reason.rule for reason in change.reasons[other]}:
            return f"{other} would make room for it, and is left as it is until {_day(flap.until)}"
    return None


def _day(day: date) -> str:
    return f"{day:%-d %b %Y}"


def sentences(plan: Plan, flaps: Mapping[Labelled, Flap], terms: Flapping) -> list[str]:
    """What began to flap, for people; each is said once."""
    return [
        f"{change.ref.source}: {change.key}: {label} went on and off {terms.times} times in {terms.days} days, and is "
        f"left as it is until it was quiet for as long; look at the threshold of rule "
        f'"{change.reasons[label][0].rule}".'
        for change, label in _turning(plan)
        if (change.item_id, label) in flaps and flaps[change.item_id, label].is_new
    ]
