"""What becomes of label changes in a table: the new text of each row's label cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from connectors.base import ChangeResult, Outcome
from connectors.model import LabelChange
from connectors.msproject.parse import parse_labels
from connectors.msproject.splice import FORBIDDEN, MAX_VALUE, change_text
from connectors.msproject.tables.table import FIRST_FIELD, TableExport

MAX_TEXT = 32_767
"""Characters in a cell of Excel."""


@dataclass(slots=True)
class LabelPlan:
    """The cells to be written, and what becomes of each change."""

    texts: dict[int, str] = field(default_factory=dict)
    """Row's number -> new text of its label cell; `""` empties it."""
    results: list[ChangeResult] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Spot:
    row: int
    text: str
    """What stands in the label cell."""


def label_texts(export: TableExport) -> Iterator[tuple[str, int, str]]:
    """Id, row's number and text of the label cell, of every task."""
    at = export.layout.label if export.layout else None
    field_id = "" if at is None else str(FIRST_FIELD + at)
    for record in export.tasks():
        values = (each["Value"] for each in record.get("ExtendedAttribute", ()) if each["FieldID"] == field_id)
        yield record["UID"], record["@"], next(values, "")


def plan_labels(
    export: TableExport,
    name: str,
    changes: Sequence[tuple[str | None, LabelChange]],
    shown: Mapping[str, tuple[str, ...]],
    unwritable: Callable[[str], str],
) -> LabelPlan:
    """Work out the label cells. `unwritable` says why a text cannot be written, or `""`."""
    wanted = {uid for uid, _ in changes}
    spots: dict[str, _Spot] = {}
    for uid, row, text in label_texts(export):
        if uid in wanted:
            spots.setdefault(uid, _Spot(row, text))
    planning = _Planning(name, shown, unwritable, LabelPlan())
    for known, change in changes:
        spot = spots.get(known) if known else None
        planning.plan.results.append(planning.change(known or "", spot, change))
    return planning.plan


@dataclass(frozen=True, slots=True)
class _Planning:
    name: str
    shown: Mapping[str, tuple[str, ...]]
    unwritable: Callable[[str], str]
    plan: LabelPlan

    def change(self, uid: str, spot: _Spot | None, change: LabelChange) -> ChangeResult:
        if spot is None:
            told = f"{change.ref} is not in {self.name} any more; the next run sees that"
            return ChangeResult(change.ref, Outcome.GONE, told)
        if unfit := _unfit(change.add):
            told = f"{change.ref} cannot carry {unfit!r}; take semicolons and control characters out of the label"
            return ChangeResult(change.ref, Outcome.REFUSED, told)
        if any(len(label.encode("utf-16-le")) // 2 > MAX_VALUE for label in change.add):
            told = f"a label for {change.ref} is over {MAX_VALUE} characters, the most that Project holds; shorten it"
            return ChangeResult(change.ref, Outcome.REFUSED, told)
        own = parse_labels(spot.text)
        shown = self.shown.get(uid, own)
        exempt = change.unless.among((*own, *shown)) if change.unless else None
        if exempt and not {*change.add} <= {*shown}:
            self.change(uid, spot, replace(change, add=tuple(label for label in change.add if label in shown)))
            told = f'"{exempt}" was put on, so {change.ref} gets no new label; the next run takes that into account'
            return ChangeResult(change.ref, Outcome.EXEMPT, told)
        after = change_text(spot.text, change)
        if after != spot.text:
            if problem := self.unwritable(after):
                told = f"the labels of {change.ref} cannot be written to {self.name}: {problem}"
                return ChangeResult(change.ref, Outcome.REFUSED, told, labels=own)
            self.plan.texts[spot.row] = after
        labels = parse_labels(after)
        return ChangeResult(change.ref, Outcome.UNCHANGED if labels == shown else Outcome.DONE, labels=labels)


def _unfit(labels: Iterable[str]) -> str | None:
    return next((label for label in labels if any(sign in FORBIDDEN or ord(sign) < 32 for sign in label)), None)
