"""What is to change: desired labels against the labels seen and the ledger of labels that we put there. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.model import ItemRef


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a label goes on or off."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class ItemState:
    """All that planning knows of one item. Only items whose collection answered completely are planned."""

    item_id: int
    ref: ItemRef
    key: str
    title: str
    collection: str
    owner: str | None = None
    version: str | None = None
    present: frozenset[str] = frozenset()
    """The labels that the tool shows, or that its next labelled copy carries on."""
    desired: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)
    """From the findings; a label that several rules ask for has several reasons."""
    ours: Mapping[str, Reason] = field(default_factory=dict)
    """From the ledger: what we put there and no person took off."""
    vetoed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """What is to become of one item's labels, and why."""

    item_id: int
    ref: ItemRef
    key: str
    title: str
    collection: str
    owner: str | None
    version: str | None
    add: tuple[str, ...]
    remove: tuple[str, ...]
    reasons: Mapping[str, tuple[Reason, ...]]

    def as_json(self) -> dict[str, Any]:
        """The shape of docs/json.md."""
        return {
            "source": self.ref.source,
            "native_id": self.ref.native_id,
            "key": self.key,
            "title": self.title,
            "owner": self.owner,
            "add": list(self.add),
            "remove": list(self.remove),
            "reasons": [
                {"label": label, "rule": reason.rule, "reason": reason.text}
                for label in (*self.add, *self.remove)
                for reason in self.reasons[label]
            ],
        }


@dataclass(frozen=True, slots=True)
class Held:
    """A label that a rule asks for and that is not put on, and who holds it back."""

    ref: ItemRef
    key: str
    label: str
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The smallest set of label changes that makes the tools say what the rules say. Data: sorted, printable."""

    considered: int
    changes: tuple[PlannedChange, ...] = ()
    held: tuple[Held, ...] = ()
    copies: tuple[tuple[str, str], ...] = ()
    """(source, collection) whose labelled copy must be issued anew even where no label changes."""

    @property
    def empty(self) -> bool:
        """Whether applying it would write nothing."""
        return not self.changes and not self.copies

    @property
    def sha(self) -> str:
        """Names exactly these changes, whatever the day's wording of their reasons."""
        meaning = [[change.ref.source, change.ref.native_id, change.add, change.remove] for change in self.changes]
        return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """The shape of docs/json.md."""
        return {
            "considered": self.considered,
            "sha": self.sha,
            "changes": [change.as_json() for change in self.changes],
            "held": [
                {"source": held.ref.source, "key": held.key, "label": held.label, "why": held.why} for held in self.held
            ],
            "copies": [{"source": source, "collection": collection} for source, collection in self.copies],
        }


def plan_labels(states: Iterable[ItemState], considered: int, copies: Iterable[tuple[str, str]] = ()) -> Plan:
    """Compare. `considered` counts the items behind `states`, which need only hold those with a label at stake."""
    changes, held = [], []
    for state in states:
        wanted = {label for label in state.desired if label not in state.present}
        add = tuple(sorted(wanted - state.vetoed))
        remove = tuple(sorted(label for label in state.ours if label in state.present and label not in state.desired))
        held += [Held(state.ref, state.key, label, "a person took it off") for label in sorted(wanted & state.vetoed)]
        if add or remove:
            changes.append(_change(state, add, remove))
    changes.sort(key=lambda change: (change.ref.source, change.collection, change.item_id))
    return Plan(considered, tuple(changes), tuple(sorted(held, key=lambda each: each.ref)), tuple(sorted(copies)))


def _change(state: ItemState, add: tuple[str, ...], remove: tuple[str, ...]) -> PlannedChange:
    reasons = {label: state.desired[label] for label in add}
    for label in remove:
        was = state.ours[label]
        reasons[label] = (Reason(was.rule, f"no longer: {was.text[:1].lower()}{was.text[1:]}"),)
    return PlannedChange(
        item_id=state.item_id,
        ref=state.ref,
        key=state.key,
        title=state.title,
        collection=state.collection,
        owner=state.owner,
        version=state.version,
        add=add,
        remove=remove,
        reasons=reasons,
    )
