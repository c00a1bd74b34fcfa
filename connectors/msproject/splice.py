"""The writer: label changes as a few edits of the input's bytes, every other byte as it was.

`survey` finds the places in one pass; `plan_edits` decides, `render` gives the new bytes. A file is never parsed into a
tree and written again: that loses what Project put there and nobody else understands.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Literal

from connectors.base import ChangeResult, Outcome
from connectors.errors import BusyError
from connectors.model import ItemRef, LabelChange
from connectors.msproject.fields import (
    LOCAL,
    TEXT_FIELDS,
    Definition,
    Field,
    Kind,
    find_definition,
    find_field,
    parse_definitions,
    parse_int,
    plain,
    secondary_pid,
)
from connectors.msproject.parse import parse_labels
from connectors.msproject.xml import CHUNK, MAX_TAG, Pass, Record, Shape

DEFAULT_FIELD = "Labels"
MAX_VALUE = 255
"""Characters (UTF-16 units) in a custom text field."""
FORBIDDEN = ";\r\n\t"
"""Signs that no label can hold: the first sets labels apart, the others do not survive in XML."""
_AROUND = 4096
"""Bytes looked at before or after an offset."""

_WIDE = (
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
"""How a file in UTF-16 starts; all else is ASCII as far as markup goes."""

_AFTER = ("Baseline", "OutlineCode", "TimephasedData")
"""Children of a task that Project writes after the custom fields."""
_PARTS = ("Calendars", "Tasks", "Resources", "Assignments")
"""Children of the project that come after the definitions."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes `start` to `end` become `new`."""

    start: int
    end: int
    new: bytes


@dataclass(slots=True)
class Spot:
    """Where one task's values stand, in byte offsets."""

    first: int
    """Start of its UID, for how its children are set apart."""
    end: int
    """Its end tag."""
    after: int | None
    """Start of the first child that belongs after the custom fields."""
    values: list[Record]
    """Its `ExtendedAttribute` elements."""


@dataclass(slots=True)
class Survey:
    """What a splice needs to know of a file."""

    project: Record
    prefix: str
    codec: str
    sha: str
    definitions: list[Definition]
    spots: dict[int, Spot]
    """UID -> place, of the tasks that were asked for."""
    used: set[int] = field(default_factory=set)
    """FieldIDs with a definition or a value anywhere."""


def survey(stream: BinaryIO, name: str, uids: frozenset[int]) -> Survey:
    """Find the places of these tasks' labels. Raises `InputError`."""
    start = stream.read(2)
    stream.seek(0)
    spots: dict[int, Spot] = {}
    used: set[int] = set()
    one = Pass(_shape(uids, spots, used), name)
    one.read(stream)
    attributes = [a for part in one.project.get("ExtendedAttributes", ()) for a in part.get("ExtendedAttribute", ())]
    definitions = parse_definitions(attributes)
    used |= {each.field_id for each in definitions}
    wide = next((codec for sign, codec in _WIDE if start == sign), None)
    codec = wide or codecs.lookup(one.declared or "utf-8").name
    return Survey(one.project, one.prefix, codec, one.digest.hexdigest(), definitions, spots, used)


def _shape(uids: frozenset[int], spots: dict[int, Spot], used: set[int]) -> Shape:
    seen: set[int] = set()

    def task(record: Record) -> None:
        values = record.get("ExtendedAttribute", [])
        used.update(field_id for value in values if (field_id := parse_int(value.get("FieldID"))) is not None)
        uid = parse_int(record.get("UID"))
        if uid in uids and uid not in seen and not _is_no_item(record):
            seen.add(uid)
            after = min((part["@"] for name in _AFTER for part in record.get(name, ())), default=None)
            spots[uid] = Spot(record["@UID"], record["/@"], after, values)

    value = Shape("FieldID", "Value", placed=True)
    inside = {"ExtendedAttribute": value, **{name: Shape(placed=True) for name in _AFTER}}
    one = Shape("UID", "IsNull", "ExternalTask", nested=inside, placed=True, emit=task)
    choices = Shape(nested={"Value": Shape("Value")})
    definition = Shape(
        "FieldID", "FieldName", "Alias", "CFType", "Ltuid", "Formula", nested={"ValueList": choices}, placed=True
    )
    parts: dict[str, Shape] = {name: Shape(placed=True) for name in _PARTS}
    parts["Tasks"] = Shape(nested={"Task": one}, placed=True)
    parts["ExtendedAttributes"] = Shape(nested={"ExtendedAttribute": definition}, placed=True)
    return Shape(nested=parts, placed=True)


def _is_no_item(record: Record) -> bool:
    return any(record.get(name, "").strip() in ("1", "true") for name in ("IsNull", "ExternalTask"))


class Bytes:
    """The input's bytes around an offset, as text."""

    def __init__(self, stream: BinaryIO, survey: Survey) -> None:
        self._stream = stream
        self._codec = survey.codec
        self._width = 2 if survey.codec.startswith("utf-16") else 1

    def encode(self, text: str) -> bytes:
        """In the file's encoding; what that cannot hold becomes a character reference."""
        return text.encode(self._codec, "xmlcharrefreplace")

    def size(self, text: str) -> int:
        return len(text) * self._width

    def blank_before(self, offset: int) -> str:
        """The white space that ends at `offset`."""
        start = max(0, offset - _AROUND)
        text = self._text(start, offset - start)
        return text[len(text.rstrip(" \t\r\n")) :]

    def tag_end(self, offset: int) -> int:
        """The offset after the tag that starts at `offset`."""
        length = _AROUND
        while length <= 2 * self._width * MAX_TAG:
            match = re.match(r"""<(?:[^>"']|"[^"]*"|'[^']*')*+>""", self._text(offset, length))
            if match:
                return offset + self.size(match[0])
            length *= 2
        raise BusyError("an export was written to while it was read", "nothing to do; the next run reads it again")

    def element_end(self, end: int, local: str) -> int:
        """The offset after an element, given what a placed record holds as its `/@`."""
        return self.tag_end(end) if self.is_end_tag(end, local) else end

    def is_end_tag(self, offset: int, local: str) -> bool:
        """Whether the end tag of an element of this name stands at `offset`."""
        return re.match(rf"</(?:[^:>\s]+:)?{local}\s*>", self._text(offset, _AROUND)) is not None

    def _text(self, start: int, length: int) -> str:
        """One character for each unit of the encoding: enough for markup, and sizes can be counted."""
        self._stream.seek(start)
        data = self._stream.read(length)
        if self._width == 1:
            return data.decode("latin-1")
        order: Literal["little", "big"] = "little" if self._codec == "utf-16-le" else "big"
        return "".join(chr(int.from_bytes(data[at : at + 2], order)) for at in range(0, len(data), 2))


@dataclass(slots=True)
class Plan:
    """The edits that show the changes, and what becomes of each."""

    edits: list[Edit]
    results: list[ChangeResult]
    """What becomes of each change once the edits are in the copy."""


def plan_edits(
    source: Bytes,
    survey: Survey,
    changes: Sequence[tuple[int | None, LabelChange]],
    shown: Mapping[int, tuple[str, ...]],
    label_field: str,
    name: str,
) -> Plan:
    """Work out the edits for changes, each with the UID of its task (`None` if its ref names none).

    `shown` has the labels that the present copy shows, where it shows others than the input.
    """
    writer = _Writer(source, survey, shown, label_field, name)
    results = [writer.change(uid, change) for uid, change in changes]
    return Plan(sorted(writer.edits + writer.definition_edits(), key=lambda edit: edit.start), results)


class _Writer:
    def __init__(
        self, source: Bytes, survey: Survey, shown: Mapping[int, tuple[str, ...]], label_field: str, name: str
    ) -> None:
        self.edits: list[Edit] = []
        self._source = source
        self._survey = survey
        self._shown = shown
        self._name = name
        self._label_field = label_field
        self._prefix = survey.prefix
        self._defined = find_definition(label_field, survey.definitions)
        self._field_id, self._problem = self._choose_field()

    def _choose_field(self) -> tuple[int, str]:
        """The field that takes the labels, and why it cannot (`""` if it can)."""
        wanted = find_field(self._label_field, self._survey.definitions)
        if wanted and wanted.custom is not None:
            return wanted.custom, self._unfit(wanted)
        free = next((each for each in TEXT_FIELDS if each not in self._survey.used), None)
        if free is None:
            return 0, (
                f"{self._name} uses all 30 text fields, so there is none for labels; "
                f"free one in Project, or set label_field to one whose values labels may join"
            )
        return free, ""

    def _unfit(self, wanted: Field) -> str:
        is_local_text = wanted.custom in TEXT_FIELDS or wanted.custom not in LOCAL
        if wanted.kind is not Kind.TEXT or not is_local_text:
            return f'the field "{self._label_field}" of {self._name} is no text field; set label_field to another name'
        if self._defined and self._defined.restricted:
            return (
                f'the field "{self._label_field}" of {self._name} only takes values from a formula or a lookup table; '
                f"set label_field to another name"
            )
        return ""

    def change(self, uid: int | None, change: LabelChange) -> ChangeResult:
        """Note the edits for one change."""
        spot = None if uid is None else self._survey.spots.get(uid)
        if uid is None or spot is None:
            return ChangeResult(
                change.ref, Outcome.GONE, f"{change.ref} is not in {self._name} any more; the next run sees that"
            )
        unfit = next((label for label in change.add if set(label) & set(FORBIDDEN)), None)
        if unfit is not None:
            problem = f"{change.ref} cannot carry {unfit!r}; take semicolons and control characters out of the label"
            return ChangeResult(change.ref, Outcome.REFUSED, problem)
        own = [value for value in spot.values if parse_int(value.get("FieldID")) == self._field_id]
        before = "; ".join(value["Value"] for value in own if value.get("Value", "").strip())
        shown = self._shown.get(uid, parse_labels(before))
        exempt = change.unless.among((*parse_labels(before), *shown)) if change.unless else None
        if exempt and not {*change.add} <= {*shown}:
            self.change(uid, replace(change, add=tuple(label for label in change.add if label in shown)))
            problem = f'"{exempt}" was put on, so {change.ref} gets no new label; the next run takes that into account'
            return ChangeResult(change.ref, Outcome.EXEMPT, problem)
        after = change_text(before, change)
        if after != before:
            problem = self._problem or _unwritable(after, change.ref, self._name)
            if problem:
                return ChangeResult(change.ref, Outcome.REFUSED, problem, labels=parse_labels(before))
            self.edits += self._set(spot, own, after)
        labels = parse_labels(after)
        return ChangeResult(change.ref, Outcome.UNCHANGED if labels == shown else Outcome.DONE, labels=labels)

    def _set(self, spot: Spot, own: list[Record], text: str) -> Iterator[Edit]:
        if not own:
            yield self._insert(spot, text)
        elif text:
            yield self._replace(own[0], text)
        for value in own[1:] if text else own:
            yield self._delete(value)

    def _insert(self, spot: Spot, text: str) -> Edit:
        source = self._source
        if spot.values:
            blank = source.blank_before(spot.values[-1]["@"])
            at = source.element_end(spot.values[-1]["/@"], "ExtendedAttribute")
        elif spot.after is not None:
            blank = source.blank_before(spot.after)
            at = spot.after - source.size(blank)
        else:
            blank = source.blank_before(spot.first)
            at = spot.end - source.size(source.blank_before(spot.end))
        children = (("FieldID", str(self._field_id)), ("Value", text))
        return Edit(at, at, source.encode(self._element("ExtendedAttribute", children, blank)))

    def _replace(self, value: Record, text: str) -> Edit:
        source = self._source
        encoded = source.encode(escape(text))
        if "@Value" not in value:
            at = value["/@"] - source.size(source.blank_before(value["/@"]))
            blank = source.blank_before(value["@FieldID"])
            return Edit(at, at, source.encode(blank + self._leaf("Value", text)))
        start, end = value["@Value"], value["/@Value"]
        if source.is_end_tag(end, "Value"):
            return Edit(source.tag_end(start), end, encoded)
        return Edit(start, end, source.encode(self._leaf("Value", text)))

    def _delete(self, value: Record) -> Edit:
        source = self._source
        start = value["@"] - source.size(source.blank_before(value["@"]))
        return Edit(start, source.element_end(value["/@"], "ExtendedAttribute"), b"")

    def definition_edits(self) -> list[Edit]:
        """The edit that defines the field, if something was put into one that has no definition."""
        if self._defined or not any(edit.new for edit in self.edits):
            return []
        parts = self._survey.project.get("ExtendedAttributes")
        return [self._define_in(parts[0]) if parts else self._define_anew()]

    def _definition(self, blank: str) -> str:
        own_name = LOCAL[self._field_id][0]
        alias = DEFAULT_FIELD if plain(self._label_field) == plain(own_name) else self._label_field
        children = (
            ("FieldID", str(self._field_id)),
            ("FieldName", own_name),
            ("Alias", alias),
            ("SecondaryPID", str(secondary_pid(self._field_id))),
        )
        return self._element("ExtendedAttribute", children, blank)

    def _define_in(self, part: Record) -> Edit:
        source, start, end = self._source, part["@"], part["/@"]
        outer = source.blank_before(start)
        if part.get("ExtendedAttribute"):
            last = part["ExtendedAttribute"][-1]
            at = source.element_end(last["/@"], "ExtendedAttribute")
            return Edit(at, at, source.encode(self._definition(source.blank_before(last["@"]))))
        if source.is_end_tag(end, "ExtendedAttributes"):
            at = source.tag_end(start)
            return Edit(at, at, source.encode(self._definition(_deeper(outer))))
        return Edit(start, end, source.encode(self._block(outer)))

    def _define_anew(self) -> Edit:
        source = self._source
        start = min(part["@"] for name in _PARTS for part in self._survey.project.get(name, ()))
        blank = source.blank_before(start)
        at = start - source.size(blank)
        return Edit(at, at, source.encode(blank + self._block(blank)))

    def _block(self, blank: str) -> str:
        tag = f"{self._prefix}ExtendedAttributes"
        return f"<{tag}>{self._definition(_deeper(blank))}{blank}</{tag}>"

    def _element(self, name: str, children: Sequence[tuple[str, str]], blank: str) -> str:
        inside = "".join(_deeper(blank) + self._leaf(*child) for child in children)
        return f"{blank}<{self._prefix}{name}>{inside}{blank}</{self._prefix}{name}>"

    def _leaf(self, name: str, text: str) -> str:
        return f"<{self._prefix}{name}>{escape(text)}</{self._prefix}{name}>"


def _deeper(blank: str) -> str:
    """The white space before a child, given that before its parent."""
    if "\n" not in blank:
        return blank
    return blank + ("\t" if blank.endswith(("\t", "\n")) else "  ")


def escape(text: str) -> str:
    """Text as it stands between two tags. (The standard library's own would import its HTTP client.)"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def change_text(text: str, change: LabelChange) -> str:
    """A field's value after a change. What people wrote stays letter for letter; `""` if nothing is left."""
    parts = [part for part in text.split(";") if part.strip() not in change.remove]
    kept = ";".join(parts) if len(parts) < text.count(";") + 1 else text
    for label in change.add:
        if label not in parse_labels(kept):
            kept = f"{kept.rstrip()}{'' if kept.rstrip().endswith(';') else ';'} {label}" if kept.strip() else label
    return kept.strip() if kept != text else text


def _unwritable(text: str, ref: ItemRef, name: str) -> str:
    """Why this value cannot be written, or `""`."""
    length = len(text.encode("utf-16-le")) // 2
    if length > MAX_VALUE:
        return (
            f"the labels of {ref} would take {length} characters, and a text field of Project holds {MAX_VALUE}; "
            f"shorten what stands in the label field in {name}"
        )
    if any(ord(sign) < 32 for sign in text):
        return f"a label for {ref} has a control character in it; take that out of the rule"
    return ""


def render(stream: BinaryIO, edits: Sequence[Edit]) -> Iterator[bytes]:
    """The file's bytes with the edits made."""
    at = 0
    for edit in edits:
        yield from _span(stream, at, edit.start)
        yield edit.new
        at = edit.end
    yield from _span(stream, at, None)


def _span(stream: BinaryIO, start: int, end: int | None) -> Iterator[bytes]:
    stream.seek(start)
    left = end - start if end is not None else None
    while left is None or left > 0:
        chunk = stream.read(CHUNK if left is None else min(CHUNK, left))
        if not chunk:
            return
        if left is not None:
            left -= len(chunk)
        yield chunk


def read_labels(stream: BinaryIO, name: str, label_field: str) -> dict[int, tuple[str, ...]]:
    """UID -> labels, of every task of a labelled copy. Raises `InputError`."""
    found = _LabelReading(name, label_field)
    found.read(stream)
    if found.field_at_first_task != found.field_at_end:  # definitions after the tasks: nobody writes that, all may
        stream.seek(0)
        found = _LabelReading(name, label_field, found.field_at_end)
        found.read(stream)
    return found.labels


class _LabelReading:
    def __init__(self, name: str, label_field: str, field_id: int | None = None) -> None:
        self.labels: dict[int, tuple[str, ...]] = {}
        self.field_at_first_task = field_id
        self._known = field_id is not None
        self._label_field = label_field
        self._shared: dict[tuple[str, ...], tuple[str, ...]] = {}
        attribute = Shape("FieldID", "Value")
        task = Shape("UID", "IsNull", "ExternalTask", nested={"ExtendedAttribute": attribute}, emit=self._task)
        definition = Shape("FieldID", "FieldName", "Alias", "CFType")
        parts = {
            "ExtendedAttributes": Shape(nested={"ExtendedAttribute": definition}),
            "Tasks": Shape(nested={"Task": task}),
        }
        self._pass = Pass(Shape(nested=parts), name)
        self.read = self._pass.read

    @property
    def field_at_end(self) -> int | None:
        """The FieldID of the label field by the definitions read so far."""
        parts = self._pass.project.get("ExtendedAttributes", ())
        wanted = find_field(
            self._label_field, parse_definitions(a for p in parts for a in p.get("ExtendedAttribute", ()))
        )
        return wanted.custom if wanted else None

    def _task(self, record: Record) -> None:
        if not self._known:
            self.field_at_first_task, self._known = self.field_at_end, True
        uid = parse_int(record.get("UID"))
        if uid is None or uid in self.labels or _is_no_item(record):
            return
        own = [
            v for v in record.get("ExtendedAttribute", ()) if parse_int(v.get("FieldID")) == self.field_at_first_task
        ]
        labels = parse_labels(";".join(value.get("Value", "") for value in own))
        self.labels[uid] = self._shared.setdefault(labels, labels)
