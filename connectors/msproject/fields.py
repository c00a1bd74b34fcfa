"""The fields of a task: the names and numbers of Project's own custom fields, and how a configured name finds one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from connectors.msproject.xml import Record


class Kind(StrEnum):
    """What a field's text in the XML means."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    FLAG = "flag"
    DURATION = "duration"
    COST = "cost"


_T, _N, _D, _F, _L, _C = Kind.TEXT, Kind.NUMBER, Kind.DATE, Kind.FLAG, Kind.DURATION, Kind.COST

_BASE = 0x0B400000
"""Task fields are numbered from here; resource fields from 0x0C400000, assignment fields from 0x0F400000."""


def is_task_field(field_id: int) -> bool:
    """Whether this number names a field of tasks, local or enterprise."""
    return field_id >> 20 == _BASE >> 20


_RUNS = (
    # name, kind, first number of the run, FieldID - _BASE of that one, step, length
    ("Text", _T, 1, 51, 3, 5), ("Text", _T, 6, 66, 1, 5), ("Text", _T, 11, 317, 1, 20),
    ("Start", _D, 1, 52, 3, 5), ("Start", _D, 6, 282, 2, 5),
    ("Finish", _D, 1, 53, 3, 5), ("Finish", _D, 6, 283, 2, 5),
    ("Flag", _F, 1, 72, 1, 10), ("Flag", _F, 11, 292, 1, 10),
    ("Number", _N, 1, 87, 1, 5), ("Number", _N, 6, 302, 1, 15),
    ("Duration", _L, 1, 103, 1, 3), ("Duration", _L, 4, 275, 1, 7),
    ("Cost", _C, 1, 106, 1, 3), ("Cost", _C, 4, 258, 1, 7),
    ("Date", _D, 1, 265, 1, 10),
    ("Outline Code", _T, 1, 416, 2, 10),
)  # fmt: skip

LOCAL: dict[int, tuple[str, Kind]] = {
    _BASE + start + step * index: (f"{name}{first + index}", kind)
    for name, kind, first, start, step, length in _RUNS
    for index in range(length)
}
"""FieldID -> Project's own name and kind, of the custom fields that every file has."""

TEXT_FIELDS = tuple(next(i for i, (name, _) in LOCAL.items() if name == f"Text{n}") for n in range(30, 0, -1))
"""FieldIDs of Text30 down to Text1: the order in which a free one is sought."""


def secondary_pid(field_id: int) -> int:
    """The assignments' twin of a local text field, which Project writes into its definition."""
    return 255869027 + int(LOCAL[field_id][0].removeprefix("Text"))


_CFTYPE = {"0": _C, "1": _D, "2": _L, "3": _D, "4": _F, "5": _N, "6": _D, "7": _T}

_DATES = """ActualFinish ActualStart CommitmentFinish CommitmentStart ConstraintDate CreateDate Deadline EarlyFinish
EarlyStart Finish LateFinish LateStart ManualFinish ManualStart PreLeveledFinish PreLeveledStart Resume Start Stop"""
_DURATIONS = """ActualDuration ActualOvertimeWork ActualWork Duration ManualDuration OvertimeWork RegularWork
RemainingDuration RemainingOvertimeWork RemainingWork Work"""
_COSTS = "ActualCost ActualOvertimeCost Cost FixedCost OvertimeCost RemainingCost RemainingOvertimeCost"
_FLAGS = """Active Critical EffortDriven Estimated ExternalTask HideBar IsPublished IsSubproject Manual Milestone
OverAllocated Recurring Rollup Summary"""
_NUMBERS = "ID OutlineLevel PercentComplete PercentWorkComplete PhysicalPercentComplete Priority UID"
_TEXTS = """Contact DurationText ExternalTaskProject FinishText GUID Hyperlink HyperlinkAddress HyperlinkSubAddress
Name Notes OutlineNumber StartText StatusManager SubprojectName WBS WBSLevel"""

BUILTIN: dict[str, Kind] = {
    name: kind
    for names, kind in (
        (_DATES, _D), (_DURATIONS, _L), (_COSTS, _C), (_FLAGS, _F), (_NUMBERS, _N), (_TEXTS, _T),
    )
    for name in names.split()
}  # fmt: skip
"""Elements of a task that can be mapped by name, and what they hold."""

BASELINE = {"Start": _D, "Finish": _D, "Duration": _L, "Work": _L, "Cost": _C}


def plain(name: str) -> str:
    """A name without what people write differently: `% Complete` and `PercentComplete` are one."""
    return re.sub(r"[\s_]", "", name.replace("%", "percent")).casefold()


_BUILTIN_BY_NAME = {plain(name): name for name in BUILTIN}
_LOCAL_BY_NAME = {plain(name): field_id for field_id, (name, _) in LOCAL.items()}


@dataclass(frozen=True, slots=True)
class Field:
    """Where a mapped value stands in a task: a custom field, an element, or an element of a baseline."""

    kind: Kind
    custom: int | None = None
    element: str = ""
    baseline: str | None = None
    """The baseline's number, `0` to `10`."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One custom field as the file defines it."""

    field_id: int
    name: str
    alias: str
    kind: Kind
    restricted: bool
    """Its values come from a formula or a lookup table, so that free text cannot be put in."""
    choices: dict[str, str]
    """Lookup values by their id."""


def parse_definitions(records: Iterable[Record]) -> list[Definition]:
    """The task fields among `ExtendedAttributes/ExtendedAttribute` or `OutlineCodes/OutlineCode`."""
    found = []
    for record in records:
        field_id = parse_int(record.get("FieldID"))
        if field_id is not None and is_task_field(field_id):
            found.append(_parse_definition(field_id, record))
    return found


def _parse_definition(field_id: int, record: Record) -> Definition:
    local = LOCAL.get(field_id)
    values = [value for values in record.get("ValueList", ()) for value in values.get("Value", ())]
    return Definition(
        field_id,
        (local[0] if local else record.get("FieldName", "")).strip(),
        record.get("Alias", "").strip(),
        local[1] if local else _CFTYPE.get(record.get("CFType", "7").strip(), Kind.TEXT),
        any(record.get(name, "").strip() for name in ("Formula", "Ltuid")) or bool(values),
        {value.get("ID", "").strip(): value.get("Value", "").strip() for value in values},
    )


def find_definition(name: str, definitions: Iterable[Definition]) -> Definition | None:
    """The custom field that people see under this name: by alias before its own name or number."""
    wanted, definitions = plain(name), list(definitions)
    by_alias = [each for each in definitions if each.alias and plain(each.alias) == wanted]
    by_name = [each for each in definitions if wanted in (plain(each.name), str(each.field_id))]
    return next(iter(by_alias + by_name), None)


def find_field(name: str, definitions: Iterable[Definition]) -> Field | None:
    """What a configured name means in this file: alias, own name or number of a custom field, else a built-in.

    `None` if the file does not have such a field.
    """
    definition = find_definition(name, definitions)
    if definition:
        return Field(definition.kind, custom=definition.field_id)
    field_id = _LOCAL_BY_NAME.get(plain(name), parse_int(name))
    if field_id is not None and field_id in LOCAL:
        return Field(LOCAL[field_id][1], custom=field_id)
    element = _BUILTIN_BY_NAME.get(plain(name))
    if element:
        return Field(BUILTIN[element], element=element)
    return _find_baseline(plain(name))


def _find_baseline(name: str) -> Field | None:
    match = re.fullmatch(r"baseline(10|[0-9]?)(\w+)", name)
    element = match and match[2].capitalize()
    if match is None or element not in BASELINE:
        return None
    return Field(BASELINE[element], element=element, baseline=match[1] or "0")


def parse_int(text: str | None) -> int | None:
    """A whole number of at most 18 digits, or `None`."""
    match = re.fullmatch(r"\s*([+-]?[0-9]{1,18})\s*", text or "")
    return int(match[1]) if match else None
