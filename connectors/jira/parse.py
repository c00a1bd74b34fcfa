"""From Jira's JSON to work items: pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any

from connectors.errors import SetupError
from connectors.jira.adf import is_document, plain
from connectors.jira.history import Clock, Move, Statuses, first_underway, stay, transitions
from connectors.model import ItemRef, StatusCategory, Transition, WorkItem

Json = Mapping[str, Any]

UNREADABLE = (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError)
"""What parsing raises for an issue that is none."""

CATEGORIES = {"new": StatusCategory.TODO, "indeterminate": StatusCategory.IN_PROGRESS, "done": StatusCategory.DONE}
"""By the key of Jira's category; the fourth, `undefined`, says nothing."""

STANDARD = (
    "summary", "status", "issuetype", "project", "parent", "labels", "description", "assignee", "priority", "duedate",
    "created", "updated", "resolutiondate",
)  # fmt: skip
"""The fields that every issue is asked for."""

EPIC_LINK = "gh-epic-link"
"""The end of the type of the field that leads to the epic, by its key, where `parent` does not."""

TEXTS = frozenset(
    {
        "type", "project", "priority", "owner", "sponsor", "description", "outcome_metric", "outcome_category",
        "outcome_baseline", "outcome_target", "outcome_actual",
    }
)  # fmt: skip
TIMES = frozenset({"started_at", "finished_at", "due_at", "outcome_reviewed_at"})
MAPPABLE = TEXTS | TIMES | {"percent_complete", "assignees"}
"""Columns that a field of the site's own may fill."""

NEVER_THERE = frozenset(
    {
        "sponsor", "percent_complete", "outcome_metric", "outcome_category", "outcome_baseline", "outcome_target",
        "outcome_actual", "outcome_reviewed_at",
    }
)  # fmt: skip
"""Columns that Jira has no field for, so that they are unknown unless mapped."""

COLUMNS = frozenset(WorkItem.__dataclass_fields__)

CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Characters that no text has a use for, and halves of pairs, which JSON can hold and no file can."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How issues of one source are read."""

    source: str
    url: str
    """Where people open issues."""
    zone: tzinfo
    """For dates without a time."""
    statuses: Statuses
    clock: Clock
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """A column, or a custom field's own name -> ids of fields; the first that an issue has counts."""
    epic_links: tuple[str, ...] = ()
    parents: Mapping[str, str] = field(default_factory=dict)
    """Ids of epics by their keys, for epic links."""
    unmapped: frozenset[str] = field(init=False)
    """Columns that no field fills."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "unmapped", NEVER_THERE.difference(self.fields))


# Fields


def chosen_fields(mapping: Mapping[str, str], known: Sequence[Json]) -> dict[str, tuple[str, ...]]:
    """The ids of the fields that config names by id or by name. Raises `SetupError` for none, or for two of a name.

    Teams of team-managed projects make fields of one name, each in its own project: of these an issue has one.
    """
    return {column: chosen_field(column, name, known) for column, name in mapping.items()}


def chosen_field(column: str, name: str, known: Sequence[Json]) -> tuple[str, ...]:
    wanted = name.strip().casefold()
    if by_id := [one for one in known if str(one.get("id", "")).casefold() == wanted]:
        return (str(by_id[0]["id"]),)
    names = ("name", "untranslatedName")
    found = [one for one in known if wanted in {str(one.get(which, "")).casefold() for which in names}]
    ids = tuple(str(one["id"]) for one in found)
    if not found:
        raise SetupError(f'there is no field "{name}" for {column}', "correct its name, or ask for leave to see it")
    if len(found) > 1 and not all(one.get("scope") for one in found):
        raise SetupError(f'{len(found)} fields are named "{name}"', f"write the id for {column}: {' or '.join(ids)}")
    return ids


def epic_links(known: Sequence[Json]) -> tuple[str, ...]:
    """The ids of fields that lead to an epic by its key."""
    kinds = ((str(one.get("id")), one.get("schema")) for one in known)
    return tuple(
        field_id
        for field_id, schema in kinds
        if isinstance(schema, dict) and str(schema.get("custom", "")).endswith(EPIC_LINK)
    )


def parse_statuses(entries: Sequence[Json], chosen: Mapping[str, StatusCategory]) -> Statuses:
    names = {str(one["id"]): text(one.get("name")) or "" for one in entries if one.get("id")}
    found = {str(one["id"]): parse_category(one) for one in entries if one.get("id")}
    return Statuses(names, {status_id: one for status_id, one in found.items() if one}, chosen)


def parse_category(status: Json) -> StatusCategory | None:
    category = status.get("statusCategory")
    return CATEGORIES.get(str(category.get("key"))) if isinstance(category, dict) else None


# Issues


def parse_issue(
    issue: Json, moves: Sequence[Move], reading: Reading, links: Sequence[Json] = ()
) -> tuple[WorkItem, list[Transition]]:
    """One issue with its history and its web links. Raises one of `UNREADABLE` if it is none."""
    own: Json = issue["fields"]
    ref, key = ItemRef(reading.source, str(int(issue["id"]))), str(issue["key"])
    status_id, status = parse_status(own)
    created = parse_time(own.get("created"), reading.zone)
    since, certainty = stay(created, (status_id, status), moves, reading.clock)
    history = transitions(ref, moves, reading.statuses)
    category = reading.statuses.shown((status_id, status))[1] or parse_category(own["status"])
    owner = name_of(own.get("assignee"))
    values: dict[str, Any] = {
        "type": name_of(own.get("issuetype")),
        "project": name_of(own.get("project")),
        "priority": name_of(own.get("priority")),
        "description": parse_text(own.get("description")),
        "owner": owner,
        "assignees": (owner,) if owner else (),
        "due_at": parse_time(own.get("duedate"), reading.zone),
        "started_at": first_underway(history, created, category),
        "finished_at": parse_time(own.get("resolutiondate"), reading.zone),
    }
    mapped, fields, unknown = parse_mapped(own, reading) if reading.fields else ({}, {}, frozenset[str]())
    values |= mapped
    item = WorkItem(
        ref=ref,
        key=key,
        title=text(own["summary"]) or "",
        collection=str(own["project"]["id"]),
        url=f"{reading.url}/browse/{key}",
        parent_ref=parse_parent(own, reading),
        status=status,
        status_id=status_id,
        status_category=category,
        status_since=since,
        status_since_is=certainty,
        created_at=created,
        updated_at=parse_time(own.get("updated"), reading.zone),
        labels=tuple(sorted({str(label) for label in own.get("labels") or ()})),
        fields=fields,
        links=parse_links(links) if links else (),
        unknown=unknown | reading.unmapped if unknown else reading.unmapped,
        **values,
    )
    return item, history


def parse_links(entries: Sequence[Json]) -> tuple[str, ...]:
    """The addresses that web links lead to."""
    targets = (one["object"] for one in entries if isinstance(one.get("object"), dict))
    return tuple(sorted({address for target in targets if (address := text(target.get("url")))}))


def parse_status(own: Json) -> tuple[str | None, str]:
    """Id and name. Raises `ValueError` for an issue without one."""
    status = own.get("status")
    if not isinstance(status, dict) or not (name := text(status.get("name"))):
        raise ValueError("it has no status")
    return str(status["id"]) if status.get("id") else None, name


def parse_parent(own: Json, reading: Reading) -> ItemRef | None:
    parent = own.get("parent")
    if isinstance(parent, dict) and parent.get("id"):
        return ItemRef(reading.source, str(parent["id"]))
    found = reading.parents.get(epic_key(own, reading.epic_links) or "")
    return ItemRef(reading.source, found) if found else None


def epic_key(own: Json, links: Sequence[str]) -> str | None:
    """The key of the epic that an issue without a parent is linked to."""
    return next((own[link] for link in links if isinstance(own.get(link), str) and own[link]), None)


def parse_mapped(own: Json, reading: Reading) -> tuple[dict[str, Any], dict[str, str], frozenset[str]]:
    """Values of columns and of custom fields that config maps, and the names of those that this issue cannot answer.

    A field that is not in the answer is not there for the issue's project, which is not the same as empty; and one
    that holds what no person can read is no answer either.
    """
    columns: dict[str, Any] = {}
    custom: dict[str, str] = {}
    unknown: set[str] = set()
    for name, ids in reading.fields.items():
        for there in ids:
            if there in own:
                break
        else:
            unknown.add(name)
            continue
        try:
            if name in MAPPABLE:
                columns[name] = (
                    PARSERS.get(name, parse_text)(own[there])
                    if name not in TIMES
                    else parse_time(own[there], reading.zone)
                )
            else:
                custom[name] = parse_text(own[there]) or ""
        except UNREADABLE:
            unknown.add(name)
    return columns, custom, frozenset(unknown)


# Values


def text(value: object) -> str | None:
    """Text without surrounding space and without characters that only machines know."""
    if value is None:
        return None
    found = str(value)
    return (CONTROLS.sub("\ufffd", found) if not found.isprintable() else found).strip()


NAMES = ("displayName", "value", "name", "title", "key")
"""Where people, options, versions, components and issues have what is shown of them."""


def parse_text(value: object) -> str | None:
    """What people see of a field of any kind. Raises `ValueError` for an object that they see nothing of."""
    if value is None or isinstance(value, str):
        return text(value)
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)
    if isinstance(value, list):
        return ", ".join(filter(None, (parse_text(one) for one in value)))
    if is_document(value):
        return text(plain(value))  # type: ignore[arg-type]  # a document is a mapping
    return name_of(value)


def name_of(value: object) -> str | None:
    """The name of an object; of an option that has one below it, both."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("not an object")
    for name in NAMES:
        if (shown := value.get(name)) is not None:
            break
    else:
        raise ValueError("an object without a name")
    found = text(shown)
    child = value.get("child")
    return f"{found} - {name_of(child)}" if isinstance(child, dict) else found


def parse_names(value: object) -> tuple[str, ...]:
    several = value if isinstance(value, list) else [value]
    return tuple(name for name in map(parse_text, several) if name)


def parse_percent(value: object) -> float | None:
    """A number from 0 to 100, also as text. Raises `ValueError` for any other."""
    if value in (None, ""):
        return None
    percent = float(str(value).strip().removesuffix("%"))
    if not 0 <= percent <= 100:
        raise ValueError(f"{value} percent")
    return percent


def parse_time(value: object, zone: tzinfo) -> datetime | None:
    """A time with its offset, which Jira writes without a colon; a date is midnight in the source's zone."""
    if value in (None, ""):
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value / 1000, UTC)
    moment = datetime.fromisoformat(str(value).strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


PARSERS: Mapping[str, Callable[[object], Any]] = {"percent_complete": parse_percent, "assignees": parse_names}
"""For columns that are neither texts nor times."""
