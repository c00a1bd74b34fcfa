"""From a file to its records: everything that items are made of, still as text, with memory flat.

Resources and assignments follow the tasks in the file, so the tasks' records wait in a temporary file without a name
until all of it was read; nothing here depends on the order of the file's parts.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from connectors.base import Notice
from connectors.errors import InputError
from connectors.msproject.fields import BASELINE, Definition, parse_definitions, parse_int
from connectors.msproject.xml import Pass, Record, Shape

MAX_TASKS = 1_000_000
"""Project itself ends at one million."""

_HEAD = ("Name", "Title", "GUID", "CreationDate", "StatusDate", "CurrentDate", "LastSaved")

TASK_ELEMENTS = (
    "UID", "Name", "IsNull", "ExternalTask", "Active", "Recurring", "Summary", "Milestone", "IsSubproject",
    "OutlineLevel", "PercentComplete", "ActualStart", "ActualFinish", "Stop", "Resume", "CreateDate",
    "Deadline", "Finish", "Priority", "Contact", "HyperlinkAddress", "Notes",
)  # fmt: skip
"""Elements of a task that every item is made from; mapped ones come on top."""

_ENTERPRISE = tuple(f"b4{number:05x}" for number in range(0x08000, 0x08200))
"""Project 2007 writes values of enterprise fields into elements named by the field's number in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Lookups:
    """Values of outline codes: what a task's `ValueID` or `ValueGUID` stands for."""

    by_id: dict[tuple[int, str], tuple[str, str]] = field(default_factory=dict)
    """(FieldID, ValueID) -> (text, ParentValueID)."""
    by_guid: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Value's GUID -> (FieldID, ValueID)."""

    def text(self, field_id: int, value_id: str, guid: str) -> str:
        """The text of a value below those of its ancestors, joined with dots; `""` if there is no such value."""
        if (field_id, value_id) not in self.by_id:
            field_id, value_id = self.by_guid.get(guid, (field_id, value_id))
        parts: list[str] = []
        while (field_id, value_id) in self.by_id and len(parts) < 20:
            text, value_id = self.by_id[field_id, value_id]
            parts.append(text)
        return ".".join(reversed(parts))


class Spill:
    """Records of tasks, put by in a temporary file without a name until all of an export was read."""

    def __init__(self, name: str) -> None:
        import tempfile

        self._name = name
        self._count = 0
        self._file = tempfile.TemporaryFile(prefix="unstuck-")  # noqa: SIM115 - closed by `close`

    def add(self, record: Record) -> None:
        """Keep one more. Raises `InputError` beyond `MAX_TASKS`."""
        self._count += 1
        if self._count > MAX_TASKS:
            raise InputError(f"{self._name} has more than {MAX_TASKS:,} tasks", "split the project")
        data = marshal.dumps(record)
        self._file.write(len(data).to_bytes(4) + data)

    def __iter__(self) -> Iterator[Record]:
        self._file.seek(0)
        while size := self._file.read(4):
            yield marshal.loads(self._file.read(int.from_bytes(size)))  # noqa: S302 - our own file, which has no name

    def close(self) -> None:
        self._file.close()


@dataclass(slots=True)
class Export:
    """One file, read. `close` gives the temporary file back."""

    head: dict[str, str]
    """Leaves of the project itself: Name, Title, GUID and the dates, as far as they are there."""
    definitions: list[Definition]
    lookups: Lookups
    sha: str
    resources: dict[str, str] = field(default_factory=dict)
    """UID -> name, of people (not of material or cost)."""
    assignments: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Task UID -> resource UIDs."""
    spill: Spill | None = None
    numbered: bool = True
    """Whether the tasks' UIDs are whole numbers, of which 0 is the project itself; else any text is one."""
    remarks: tuple[Notice, ...] = ()
    """What `check --live` tells of how this file is read, where that is not plain."""

    def tasks(self) -> Iterator[Record]:
        """The tasks' records in document order."""
        return iter(self.spill or ())

    def close(self) -> None:
        if self.spill:
            self.spill.close()


def _definition_shapes() -> dict[str, Shape]:
    value = Shape("ID", "ValueID", "FieldGUID", "ParentValueID", "Value")
    described = ("FieldID", "FieldName", "Alias", "Guid", "CFType", "Ltuid", "Formula")
    attribute = Shape(*described, nested={"ValueList": Shape(nested={"Value": value})})
    code = Shape(*described, nested={"Values": Shape(nested={"Value": value})})
    return {
        "ExtendedAttributes": Shape(nested={"ExtendedAttribute": attribute}),
        "OutlineCodes": Shape(nested={"OutlineCode": code}),
    }


def _task_shape(extra: frozenset[str], emit: Callable[[Record], None]) -> Shape:
    nested = {
        "ExtendedAttribute": Shape("FieldID", "Value", "ValueID", "ValueGUID"),
        "OutlineCode": Shape("FieldID", "ValueID", "ValueGUID"),
    }
    if "Baseline" in extra:
        nested["Baseline"] = Shape("Number", *BASELINE)
    return Shape(*TASK_ELEMENTS, *_ENTERPRISE, *(extra - {"Baseline"}), nested=nested, emit=emit)


def read_head(stream: BinaryIO, name: str) -> Export:
    """What stands before the tasks: enough to know the project and its fields. Raises `InputError`."""
    one = Pass(Shape(*_HEAD, nested={**_definition_shapes(), "Tasks": Shape(last=True)}), name)
    one.read(stream)
    return _export(one)


def read_export(stream: BinaryIO, name: str, extra: frozenset[str] = frozenset()) -> Export:
    """The whole file. `extra` names further elements of tasks to keep. Raises `InputError`."""
    spill = Spill(name)
    try:
        return _read_export(stream, name, extra, spill)
    except BaseException:
        spill.close()
        raise


def _read_export(stream: BinaryIO, name: str, extra: frozenset[str], spill: Spill) -> Export:
    resources: dict[str, str] = {}
    assignments: dict[str, tuple[str, ...]] = {}
    shared: dict[tuple[str, ...], tuple[str, ...]] = {}

    def resource(record: Record) -> None:
        if record.get("Type", "1").strip() == "1" and record.get("Name", "").strip():
            resources[record.get("UID", "").strip()] = record["Name"].strip()

    def assignment(record: Record) -> None:
        uid = record.get("TaskUID", "").strip()
        who = (*assignments.get(uid, ()), record.get("ResourceUID", "").strip())
        assignments[uid] = shared.setdefault(who, who)

    one = Pass(_project_shape(extra, spill.add, resource, assignment), name)
    one.read(stream)
    export = _export(one)
    export.resources, export.assignments, export.spill = resources, assignments, spill
    return export


_Emit = Callable[[Record], None]


def _project_shape(extra: frozenset[str], task: _Emit, resource: _Emit, assignment: _Emit) -> Shape:
    parts = {
        "Tasks": Shape(nested={"Task": _task_shape(extra, task)}),
        "Resources": Shape(nested={"Resource": Shape("UID", "Name", "Type", emit=resource)}),
        "Assignments": Shape(nested={"Assignment": Shape("TaskUID", "ResourceUID", emit=assignment)}),
    }
    return Shape(*_HEAD, nested={**_definition_shapes(), **parts})


def _export(one: Pass) -> Export:
    attributes = [
        each for part in one.project.get("ExtendedAttributes", ()) for each in part.get("ExtendedAttribute", ())
    ]
    codes = [each for part in one.project.get("OutlineCodes", ()) for each in part.get("OutlineCode", ())]
    head = {name: one.project[name].strip() for name in _HEAD if name in one.project}
    definitions = parse_definitions([*attributes, *codes])
    return Export(head, definitions, _parse_lookups(codes), one.digest.hexdigest())


def _parse_lookups(codes: list[Record]) -> Lookups:
    lookups = Lookups()
    for code in codes:
        # A lookup table that fields share has no field of its own; its values are found by their GUID.
        field_id = parse_int(code.get("FieldID")) or -len(lookups.by_id) - 1
        for value in [each for values in code.get("Values", ()) for each in values.get("Value", ())]:
            value_id = value.get("ValueID", "").strip()
            lookups.by_id[field_id, value_id] = (value.get("Value", "").strip(), value.get("ParentValueID", "").strip())
            lookups.by_guid[value.get("FieldGUID", "").strip()] = (field_id, value_id)
    return lookups
