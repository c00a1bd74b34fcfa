"""What is to change: desired labels against the labels seen and the ledger of labels that we put there. Pure."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from connectors.model import ItemRef
from sync.wording import mid_sentence

NO_LONGER = "no longer: "
"""How the reason begins for which a label comes off that rules do not ask for any more."""


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
    exempt: Mapping[str, str] = field(default_factory=dict)
    """Labels that rules ask for and that are not in `desired`, as the item is exempt: label -> until when and why."""


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


class Hold(StrEnum):
    """What holds a label back."""

    EXEMPT = "exempt"
    """An exemption: the label is not put on, and comes off."""
    VETO = "veto"
    """A person took it off."""
    SEEN_FIRST = "seen first"
    """The rule is new or was changed: its labels stay as they are until it was seen in one run."""
    PAUSED = "paused"
    """People took off too many labels of the rule."""
    ROLLOUT = "rollout"
    """The rule's `rollout` has not come to it yet."""
    FLAPPING = "flapping"
    """It went on and off again and again: it is left as it is until it was quiet."""
    BUDGET = "budget"
    """The person it belongs to had enough labels this week."""
    CHANGED = "changed since"
    """An undo leaves it alone: a person or a later run changed it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A label that stays as it is on the item (or, if the item is exempt, comes off), whatever the rules say."""

    ref: ItemRef
    key: str
    label: str
    why: str
    kind: Hold

    def as_json(self) -> dict[str, str]:
        """The shape of docs/json.md."""
        named = {"source": self.ref.source, "key": self.key, "label": self.label}
        return {**named, "kind": self.kind.value, "why": self.why}


def in_order(held: Iterable[Held]) -> tuple[Held, ...]:
    """As plans list them."""
    return tuple(sorted(held, key=lambda each: (each.ref.source, each.ref.native_id, each.label)))


def counted(held: Iterable[Held]) -> dict[str, int]:
    """How many labels each kind of hold keeps as they are; every kind is there."""
    found = Counter(each.kind for each in held)
    return {kind.value: found[kind] for kind in Hold}


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
            "held": [held.as_json() for held in self.held],
            "copies": [{"source": source, "collection": collection} for source, collection in self.copies],
        }


def plan_labels(states: Iterable[ItemState], considered: int, copies: Iterable[tuple[str, str]] = ()) -> Plan:
    """Compare. `considered` counts the items behind `states`, which need only hold those with a label at stake."""
    changes, held = list[PlannedChange](), list[Held]()
    for state in states:
        wanted = {label for label in state.desired if label not in state.present}
        add = tuple(sorted(wanted - state.vetoed))
        remove = tuple(sorted(label for label in state.ours if label in state.present and label not in state.desired))
        held += _held(state, wanted)
        if add or remove:
            changes.append(_change(state, add, remove))
    changes.sort(key=lambda change: (change.ref.source, change.collection, change.item_id))
    return Plan(considered, tuple(changes), in_order(held), tuple(sorted(copies)))


def _held(state: ItemState, wanted: Set[str]) -> Iterator[Held]:
    for label in wanted & state.vetoed:
        yield Held(state.ref, state.key, label, "a person took it off", Hold.VETO)
    for label, why in state.exempt.items():
        if label in state.ours or label not in state.present:
            yield Held(state.ref, state.key, label, why, Hold.EXEMPT)


def _change(state: ItemState, add: tuple[str, ...], remove: tuple[str, ...]) -> PlannedChange:
    reasons = {label: state.desired[label] for label in add}
    for label in remove:
        was = state.ours[label]
        gone = state.exempt.get(label, f"{NO_LONGER}{mid_sentence(was.text)}")
        reasons[label] = (Reason(was.rule, gone),)
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
