"""What only MPXJ reads: Project's own files (.mpp, .mpt, .mpx) and Primavera's (.xer, .pmxml), by way of MSPDI."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from connectors.base import Option
from connectors.errors import InputError
from connectors.msproject.kinds import START, Asked, Labelled, Mspdi, Shown, plan_copy
from connectors.msproject.reader import Export
from connectors.msproject.splice import Edit, render

if TYPE_CHECKING:
    from connectors.msproject.conversions import Conversions, Foreign

OPTIONS: tuple[Option, ...] = (
    Option("java_mb", "memory for converting .mpp, .mpx, .xer and .pmxml", kind="integer", default=1024),
    Option("java_seconds", "how long one such file may take to convert", kind="integer", default=120),
    Option("cache", "the folder that keeps their conversions; relative to the config file; the user's cache if absent"),
)

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""How the container starts that .mpp files are (and older files of Office)."""

_TAIL = 200
"""Bytes in which the end of a text format is looked for."""

Inputs = Callable[[], Iterable[tuple[str, BinaryIO]]]
"""Opens the files of the source that can be read, one after the other: name and stream."""


def signature(start: bytes) -> str:
    """The reader that takes a file with this start, `""` if none does."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(_OLE):
        return "mpp"
    if text.startswith(b"MPX") and text[3:4] in (b",", b";", b"\t"):
        return "mpx"
    if text.startswith(b"ERMHDR"):
        return "xer"
    return "pmxml" if text.startswith(b"<") and b"<APIBusinessObjects" in text else ""


class Native:
    """Converted, and read from there; the labelled copy is MSPDI, as nothing but Project writes its own files well."""

    title: ClassVar[str] = "MS Project and Primavera"
    suffixes: ClassVar[tuple[str, ...]] = (".mpp", ".mpt", ".mpx", ".xer", ".pmxml")
    labels_itself: ClassVar[bool] = False

    def __init__(
        self, options: Mapping[str, Any], folder: Path, stopping: threading.Event | None, inputs: Inputs
    ) -> None:
        self._options = options
        self._folder = folder
        self._stopping = stopping
        self._inputs = inputs
        self._mspdi = Mspdi()

    def fits(self, start: bytes, suffix: str) -> bool:
        return signature(start) != ""

    def read_head(self, stream: BinaryIO, name: str) -> Export:
        path, sha = self._converted(stream, name)
        with path.open("rb") as converted:
            return _named(self._mspdi.read_head(converted, name), sha)

    def read(self, stream: BinaryIO, name: str, extra: frozenset[str]) -> Export:
        path, sha = self._converted(stream, name)
        with path.open("rb") as converted:
            return _named(self._mspdi.read(converted, name, extra), sha)

    def copy_name(self, name: str) -> str:
        return f"{name}.xml"

    def read_labels(self, stream: BinaryIO, name: str, label_field: str) -> dict[str, tuple[str, ...]]:
        return self._mspdi.read_labels(stream, name, label_field)

    def label(
        self,
        stream: BinaryIO,
        name: str,
        changes: Asked,
        shown: Shown,
        label_field: str,
    ) -> Labelled:
        path, sha = self._converted(stream, name)
        with path.open("rb") as converted:
            _, plan = plan_copy(converted, name, changes, shown, label_field)
        return Labelled(sha, bool(plan.edits), plan.results, partial(_render_file, path, plan.edits))

    def _converted(self, stream: BinaryIO, name: str) -> tuple[Path, str]:
        """The file that holds the conversion, and the SHA-256 of the stream. Raises what `Conversions.get` does."""
        foreign = _meet(name, stream)
        if not foreign.kind:
            raise InputError(f"{name} is empty, or of another kind than its name says", "export it again")
        if _is_cut_short(foreign.kind, stream):
            raise InputError(f"{name} is cut short", "it may still be being written; export it again")
        return self._conversions.get(foreign, stream, self._others)

    def _others(self) -> Iterator[tuple[Foreign, BinaryIO]]:
        met = ((_meet(name, stream), stream) for name, stream in self._inputs())
        return ((foreign, stream) for foreign, stream in met if foreign.kind)

    @cached_property
    def _conversions(self) -> Conversions:
        """Made, and what it takes imported, when the first such file is met."""
        from platformdirs import user_cache_path

        from connectors.msproject.conversions import Conversions
        from connectors.msproject.java import Limits

        cache, options = self._options["cache"], self._options
        folder = self._folder / cache if cache else user_cache_path("unstuck") / "msproject"
        limits = Limits(options["java_mb"], options["java_seconds"], options["max_mb"] << 20)
        return Conversions(folder, limits, self._stopping)


def _meet(name: str, stream: BinaryIO) -> Foreign:
    from connectors.msproject.conversions import Foreign

    kind = signature(stream.read(START))
    stream.seek(0)
    return Foreign(name, kind)


_NEVER = {"CurrentDate": "1984-01-01T00:00:00"}


def _named(export: Export, sha: str) -> Export:
    """Of the input, without what MPXJ makes up for it: a file name, and a current date where none is known."""
    made_up = {"Name": export.head.get("Name"), **_NEVER}
    return replace(export, sha=sha, head={key: text for key, text in export.head.items() if made_up.get(key) != text})


def _is_cut_short(kind: str, stream: BinaryIO) -> bool:
    """Whether a text format lacks its end, which MPXJ does not mind: what is missing would look deleted."""
    ends = {"mpx": rb"\n\s*\Z", "xer": rb"^%E\s*\Z"}
    if kind not in ends:
        return False
    stream.seek(-min(_TAIL, stream.seek(0, os.SEEK_END)), os.SEEK_END)
    tail = stream.read()
    stream.seek(0)
    return re.search(ends[kind], tail, re.MULTILINE) is None


def _render_file(path: Path, edits: Sequence[Edit]) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from render(stream, edits)
