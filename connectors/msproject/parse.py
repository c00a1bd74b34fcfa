"""Pure functions from a task's record to a work item."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any

from connectors.errors import InputError, SetupError
from connectors.model import Certainty, ItemRef, StatusCategory, WorkItem
from connectors.msproject.fields import Field, Kind, find_field, parse_int
from connectors.msproject.reader import Export
from connectors.msproject.xml import Record

DATE_COLUMNS = frozenset(
    {"created_at", "updated_at", "started_at", "finished_at", "due_at", "status_since", "outcome_reviewed_at"}
)
_OUTCOME = ("metric", "category", "baseline", "target", "actual")
TEXT_COLUMNS = frozenset(
    {"title", "url", "type", "project", "status", "priority", "owner", "sponsor", "description"}
    | {f"outcome_{name}" for name in _OUTCOME}
)
COLUMNS = DATE_COLUMNS | TEXT_COLUMNS | {"percent_complete", "assignees"}
"""Columns of a work item that a field can be mapped to; any other name makes one of `WorkItem.fields`."""
FIXED = frozenset(WorkItem.__dataclass_fields__) - COLUMNS
"""Columns that this connector settles itself."""
UNANSWERED = frozenset({"sponsor", "updated_at", "outcome_reviewed_at", *(f"outcome_{name}" for name in _OUTCOME)})
"""Columns that Project has no field of its own for: unknown unless one is mapped."""

LONGEST_PAUSE_DAYS = 4
"""Work that resumes within so many days of its stop paused for a night, a weekend or a holiday, and is not on hold."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What config says about reading one source."""

    source: str
    zone: tzinfo
    fields: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, StatusCategory] = field(default_factory=dict)
    label_field: str = "Labels"
    task_key: str | None = None
    """The field that tells tasks apart, if that is not the UID."""

    def check(self) -> None:
        """Raise `SetupError` for a column that no field can be mapped to."""
        wrong = sorted(FIXED & set(self.fields))
        if wrong:
            hint = "use label_field for it" if wrong[0] == "labels" else "take it out"
            raise SetupError(f'the column "{wrong[0]}" cannot be mapped to a field of Project', hint)


@dataclass(frozen=True, slots=True)
class File:
    """One export, with what config says about it worked out."""

    native_id: str
    """Of the project that it is an export of."""
    name: str
    """Its own, for people."""
    stem: str
    setting: Setting
    export: Export
    project: str
    as_of: datetime | None
    mapped: Mapping[str, Field]
    """Column or custom name -> the field that this file has for it."""
    unknown: frozenset[str]
    labels: Field | None
    custom_names: tuple[str, ...]
    """The configured names that are no columns, sorted."""
    task_key: Field | None
    """The field that tells tasks apart, if that is not the UID."""

    def ref(self, key: str) -> ItemRef:
        return ItemRef(self.setting.source, f"{self.native_id}#{key}")


def open_file(native_id: str, name: str, export: Export, setting: Setting) -> File:
    """Resolve the configured names in this export. Raises `InputError` if it lacks the field that tells tasks apart."""
    task_key = find_field(setting.task_key, export.definitions) if setting.task_key else None
    if setting.task_key and task_key is None:
        raise InputError(f'{name} has no field "{setting.task_key}", which task_key names', "correct task_key")
    stem = native_id.rpartition("/")[2].rpartition(".")[0] or native_id
    found = {name: find_field(wanted, export.definitions) for name, wanted in setting.fields.items()}
    labels = find_field(setting.label_field, export.definitions)
    head = export.head
    return File(
        native_id,
        name,
        stem,
        setting,
        export,
        head.get("Title") or head.get("Name", "").removesuffix(".xml") or stem,
        parse_as_of(export, setting.zone),
        {name: each for name, each in found.items() if each},
        frozenset(name for name, each in found.items() if not each) | (UNANSWERED - set(found)),
        labels if labels and labels.custom is not None else None,
        tuple(sorted(set(setting.fields) - COLUMNS)),
        task_key,
    )


def parse_as_of(export: Export, zone: tzinfo) -> datetime | None:
    """When the file's state was the state of things: its status date, else its current date, else the last saving."""
    dates = (parse_date(export.head.get(name), zone) for name in ("StatusDate", "CurrentDate", "LastSaved"))
    return next((date for date in dates if date), None)


@dataclass(slots=True)
class Outline:
    """Walks the tasks in document order, and knows which are work items and what each stands under."""

    name: str
    numbered: bool = True
    """Whether UIDs are whole numbers; else any text is one."""
    skipped: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _above: list[tuple[int, str]] = field(default_factory=list)
    """(level, UID) of the tasks that the present one stands under."""
    _recurring: int | None = None
    """The level of the recurring task whose occurrences follow."""

    def place(self, record: Record) -> tuple[str, str | None] | None:
        """UID and parent's UID of a work item; `None` for a row that is none."""
        if _flag(record, "IsNull") or _flag(record, "ExternalTask"):
            return None
        uid = self._uid(record)
        if uid == "0" or self._is_bad(uid, record):
            return None
        level = _level(record)
        if self._is_occurrence(level, _flag(record, "Recurring")):
            return None
        while self._above and self._above[-1][0] >= level:
            self._above.pop()
        parent = self._above[-1][1] if self._above else None
        self._above.append((level, uid))
        return uid, parent

    def _is_occurrence(self, level: int, recurring: bool) -> bool:
        """Whether this is one date of a recurring task above it; real work below such a task is none."""
        if self._recurring is not None and level <= self._recurring:
            self._recurring = None
        if recurring and self._recurring is not None:
            return True
        if recurring:
            self._recurring = level
        return False

    def _uid(self, record: Record) -> str:
        """The task's UID, or `""` if it has no valid one."""
        text: str = record.get("UID", "").strip()
        if not self.numbered:
            return text
        number = parse_int(text)
        return "" if number is None or number < 0 else str(number)

    def _is_bad(self, uid: str, record: Record) -> bool:
        title = record.get("Name", "").strip() or "(no name)"
        if not uid:
            self.skipped.append(f'{self.name}: the task "{title}" has no valid UID and was left out; export it again.')
        elif uid in self._seen:
            self.skipped.append(
                f'{self.name}: the task "{title}" has UID {uid} like an earlier one and was left out; export it again.'
            )
        else:
            self._seen.add(uid)
            return False
        return True


def _level(record: Record) -> int:
    level = parse_int(record.get("OutlineLevel"))
    return 1 if level is None else level


@dataclass(frozen=True, slots=True)
class Place:
    """Which work item a record is, and where it stands."""

    uid: str
    key: str
    """What tells it apart in its project for ever: the UID, unless config says otherwise."""
    parent: str | None
    """The key of the task that it stands under."""


def parse_items(file: File, skipped: list[str], shown: Mapping[str, tuple[str, ...]]) -> Iterator[WorkItem]:
    """All work items of a file. `shown` overrides labels by UID: those of the labelled copy."""
    for record, place in _places(file, skipped):
        yield parse_item(record, place, file, shown.get(place.uid))


def parse_uids(file: File) -> dict[str, str]:
    """Key -> UID of all work items of a file."""
    return {place.key: place.uid for _, place in _places(file, [])}


def _places(file: File, skipped: list[str]) -> Iterator[tuple[Record, Place]]:
    outline = Outline(file.name, file.export.numbered, skipped)
    keys: dict[str, str] = {}
    """UID -> key, where the two differ."""
    taken: set[str] = set()
    for record in file.export.tasks():
        found = outline.place(record)
        if not found:
            continue
        uid, parent = found
        if not file.task_key:
            yield record, Place(uid, uid, parent)
        elif key := _key(record, file, taken, skipped):
            keys[uid] = key
            yield record, Place(uid, key, keys.get(parent) if parent else None)


def _key(record: Record, file: File, taken: set[str], skipped: list[str]) -> str:
    """The text that tells a task apart; `""`, with a sentence, if it has none or an earlier one has the same."""
    title, named = record.get("Name", "").strip() or "(no name)", file.setting.task_key
    key = field_text(file.task_key, record, parse_custom(record), file.export) if file.task_key else ""
    if key and key not in taken:
        taken.add(key)
        return key
    why = f'has the {named} "{key}" like an earlier one' if key else f"has no {named}"
    skipped.append(f'{file.name}: the task "{title}" {why}, which tells tasks apart, and was left out; correct it.')
    return ""


def parse_item(record: Record, place: Place, file: File, shown: tuple[str, ...] | None) -> WorkItem:
    """One task as a work item."""
    uid = place.uid
    zone = file.setting.zone
    values: dict[str, Any] = {
        "title": record.get("Name", "").strip() or "(no name)",
        "type": parse_type(record),
        "project": file.project,
        "url": _url(record),
        "created_at": parse_date(record.get("CreateDate"), zone),
        "started_at": parse_date(record.get("ActualStart"), zone),
        "finished_at": parse_date(record.get("ActualFinish"), zone),
        "due_at": parse_date(record.get("Deadline"), zone) or parse_date(record.get("Finish"), zone),
        "percent_complete": parse_percent(record.get("PercentComplete")),
        "priority": record.get("Priority", "").strip(),
        "assignees": record.get("Assignees") or parse_assignees(uid, file.export),
        "description": record.get("Notes", "").strip(),
    }
    custom = parse_custom(record)
    values["owner"] = record.get("Contact", "").strip() or _only(values["assignees"])
    values |= parse_status(record, values, file)
    _map_columns(values, record, custom, file)
    own = parse_labels(field_text(file.labels, record, custom, file.export)) if file.labels else ()
    return WorkItem(
        ref=file.ref(place.key),
        key=f"{file.stem}-{uid}",
        collection=file.native_id,
        parent_ref=None if place.parent is None else file.ref(place.parent),
        labels=own if shown is None else shown,
        fields=_custom_fields(record, custom, file),
        links=tuple(filter(None, [_url(record)])),
        unknown=file.unknown,
        **values,
    )


_TYPES = (
    ("IsSubproject", "subproject"), ("Recurring", "recurring"), ("Summary", "summary"), ("Milestone", "milestone"),
)  # fmt: skip


def parse_type(record: Record) -> str:
    """What kind of row it is."""
    return next((kind for element, kind in _TYPES if _flag(record, element)), "task")


def parse_assignees(uid: str, export: Export) -> tuple[str, ...]:
    """Names of the people assigned, in the order of their assignments, each once."""
    assigned = export.assignments.get(uid)
    if not assigned:
        return ()
    names = (export.resources.get(resource) for resource in assigned)
    return tuple(dict.fromkeys(name for name in names if name))


def parse_status(record: Record, values: Mapping[str, Any], file: File) -> dict[str, Any]:
    """`status`, its category, and since when at least. The table is in docs/connectors/msproject.md."""
    status, category, since = _derive_status(record, values, file)
    certainty = Certainty.EXACT if status == "Done" and since else Certainty.AT_LEAST
    return {
        "status": status,
        "status_category": file.setting.statuses.get(status, category),
        "status_since": since,
        "status_since_is": certainty,
    }


def _derive_status(
    record: Record, values: Mapping[str, Any], file: File
) -> tuple[str, StatusCategory, datetime | None]:
    percent = values["percent_complete"] or 0
    started, finished, as_of = values["started_at"], values["finished_at"], file.as_of
    if record.get("Active", "1").strip() in ("0", "false"):
        return "Inactive", StatusCategory.DONE, None
    if percent >= 100 or finished:
        return "Done", StatusCategory.DONE, finished
    if not percent and not started:
        return "Not started", StatusCategory.TODO, values["created_at"]
    stop, resume = (
        parse_date(record.get("Stop"), file.setting.zone),
        parse_date(record.get("Resume"), file.setting.zone),
    )
    if stop and resume and _is_on_hold(stop, resume, as_of):
        return "On hold", StatusCategory.IN_PROGRESS, stop
    moved = [date for date in (started, stop) if date and (as_of is None or date <= as_of)]
    return "In progress", StatusCategory.IN_PROGRESS, max(moved, default=None)


def _is_on_hold(stop: datetime, resume: datetime, as_of: datetime | None) -> bool:
    return as_of is not None and stop < as_of < resume and (resume - stop).days >= LONGEST_PAUSE_DAYS


def _map_columns(values: dict[str, Any], record: Record, custom: Mapping[int, Record], file: File) -> None:
    for column, mapped in file.mapped.items():
        if column not in COLUMNS:
            continue
        text = field_text(mapped, record, custom, file.export)
        if column == "status":
            _map_status(values, text, file)
        elif column in DATE_COLUMNS:
            values[column] = parse_date(text, file.setting.zone)
        elif column == "percent_complete":
            values[column] = parse_percent(text)
        elif column == "assignees":
            values[column] = tuple(dict.fromkeys(name.strip() for name in re.split("[;,]", text) if name.strip()))
        else:
            values[column] = text
    if "status" in file.unknown:
        values.update(status=None, status_since=None)


def _map_status(values: dict[str, Any], text: str, file: File) -> None:
    """Take the status from the mapped field, where it says one. When it came into that status, the file cannot tell."""
    if not text or values["status"] == "Inactive":
        return
    category = file.setting.statuses.get(text, values["status_category"])
    values.update(status=text, status_category=category, status_since=None, status_since_is=Certainty.AT_LEAST)


def _custom_fields(record: Record, custom: Mapping[int, Record], file: File) -> dict[str, str]:
    return {
        name: field_text(file.mapped[name], record, custom, file.export) if name in file.mapped else ""
        for name in file.custom_names
    }


def parse_custom(record: Record) -> dict[int, Record]:
    """FieldID -> the element that holds the task's value."""
    found: dict[int, Record] = {}
    for element in ("OutlineCode", "ExtendedAttribute"):
        for value in record.get(element, ()):
            field_id = parse_int(value.get("FieldID"))
            if field_id is not None:
                found[field_id] = value
    return found


def field_text(wanted: Field, record: Record, custom: Mapping[int, Record], export: Export) -> str:
    """The value of a field as people read it in Project; dates in ISO 8601, durations in hours. `""` if empty."""
    if wanted.custom is not None:
        raw = _custom_text(wanted.custom, record, custom, export)
    elif wanted.baseline is not None:
        lines: list[Record] = record.get("Baseline", [])
        raw = next((line for line in lines if line.get("Number", "0").strip() == wanted.baseline), Record()).get(
            wanted.element, ""
        )
    else:
        raw = record.get(wanted.element, "")
    return format_value(wanted.kind, raw.strip())


def _custom_text(field_id: int, record: Record, custom: Mapping[int, Record], export: Export) -> str:
    value = custom.get(field_id)
    if value is None:
        enterprise: str = record.get(f"{field_id:07x}", "")
        return enterprise
    text: str = value.get("Value", "")
    return text if text.strip() else _looked_up(field_id, value, export)


def _looked_up(field_id: int, value: Record, export: Export) -> str:
    value_id, guid = value.get("ValueID", "").strip(), value.get("ValueGUID", "").strip()
    choices = (each.choices for each in export.definitions if each.field_id == field_id)
    listed = next((each[value_id] for each in choices if value_id in each), "")
    return listed or export.lookups.text(field_id, value_id, guid)


def format_value(kind: Kind, raw: str) -> str:
    """A raw value as people read it: flags as Yes and No, costs from hundredths, durations as hours."""
    if kind is Kind.FLAG:
        return "Yes" if raw in ("1", "true") else "No"
    if kind is Kind.COST:
        return _format_cost(raw)
    if kind is Kind.DURATION:
        return _format_duration(raw)
    return raw


def _format_cost(raw: str) -> str:
    match = re.fullmatch(r"(-?)0*([0-9]{1,18}?)(\.0*)?", raw)
    if not match:
        return raw
    hundredths = int(match[2] or "0")
    return f"{match[1]}{hundredths // 100}.{hundredths % 100:02}"


def _format_duration(raw: str) -> str:
    match = re.fullmatch(r"(-?)PT([0-9]{1,9})H([0-9]{1,4})M([0-9.]{1,9})S", raw)
    if not match:
        return raw
    hours = int(match[2]) + int(match[3]) / 60
    return f"{match[1]}{hours:g}h" if hours < 1e5 else f"{match[1]}{match[2]}h"


def parse_labels(text: str) -> tuple[str, ...]:
    """`"a; b"` as labels, sorted, each once."""
    return tuple(sorted({label.strip() for label in text.split(";")} - {""}))


_PERCENT = re.compile(r"\s*([0-9]{1,6}(\.[0-9]{0,6})?)\s*")


@lru_cache(maxsize=1024)
def parse_percent(text: str | None) -> float | None:
    """0 to 100, or `None`."""
    match = _PERCENT.fullmatch(text or "")
    return min(float(match[1]), 100.0) if match else None


@lru_cache(maxsize=4096)  # the tasks of a project share their dates
def parse_date(text: str | None, zone: tzinfo) -> datetime | None:
    """`2026-03-05T08:00:00`, local wall time in `zone`, as an aware datetime; `None` if it is no date."""
    if not text:
        return None
    try:
        date = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if not 1900 < date.year < 2200:  # hostile or empty; the far ends cannot be put into another time zone
        return None
    return date if date.tzinfo else date.replace(tzinfo=zone)


def _flag(record: Record, element: str) -> bool:
    return record.get(element, "").strip() in ("1", "true")


def _url(record: Record) -> str | None:
    address: str = record.get("HyperlinkAddress", "").strip()
    return address if address.startswith(("http://", "https://")) else None


def _only(names: tuple[str, ...]) -> str | None:
    return names[0] if len(names) == 1 else None
