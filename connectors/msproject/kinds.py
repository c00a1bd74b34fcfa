"""The kinds of files that are exports: how one is told from another, how it is read, and how labels get into a copy.

Every kind reads into the same `Export`, whose records name their parts as MSPDI does, so that one parser serves all:
a row of a table is a record `{"UID": "12", "Name": "Dig", "PercentComplete": "40", …}`, and a column without such a
name is an `ExtendedAttribute` with a definition that has the column's title.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import BinaryIO, ClassVar, Protocol

from connectors.base import ChangeResult
from connectors.errors import InputError
from connectors.model import LabelChange
from connectors.msproject.fields import parse_int
from connectors.msproject.reader import Export, read_export, read_head
from connectors.msproject.splice import Bytes, Plan, plan_edits, read_labels, render, survey

START = 4096
"""Bytes that a kind is told by."""

Shown = Mapping[str, tuple[str, ...]]
"""Labels by UID."""

Asked = Sequence[tuple[str | None, LabelChange]]
"""Changes, each with its task's UID (`None`: it has none)."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A labelled copy, worked out and not yet written."""

    sha: str
    """SHA-256 of the input that it is made from."""
    edited: bool
    """Whether it differs from the input; where it does not, no copy is needed."""
    results: Sequence[ChangeResult]
    """What becomes of each change once the copy is in place."""
    chunks: Callable[[], Iterator[bytes]]
    """The bytes of the copy: the same each time, as long as the stream is open and unchanged."""

    def digest(self) -> str:
        """SHA-256 of the copy."""
        digest = sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()


class FileKind(Protocol):
    """One kind of file. Streams are open files at their start; every error of a file is an `InputError`."""

    title: ClassVar[str]
    """For people."""
    suffixes: ClassVar[tuple[str, ...]]
    """In small letters, with the dot."""
    labels_itself: ClassVar[bool]
    """Whether a labelled copy is of this kind too."""

    def fits(self, start: bytes, suffix: str) -> bool:
        """Whether a file whose first `START` bytes these are is of this kind.

        What has a signature goes by that, whatever the file is called; only text without one goes by the suffix.
        """
        ...

    def read_head(self, stream: BinaryIO, name: str) -> Export:
        """As much as it takes to know the project and its fields: `head`, `definitions`."""
        ...

    def read(self, stream: BinaryIO, name: str, extra: frozenset[str]) -> Export:
        """All of it; `sha` is that of the stream's bytes. `extra` names elements of tasks beyond the usual ones."""
        ...

    def copy_name(self, name: str) -> str:
        """The file name of the labelled copy of an input that is called `name`."""
        ...

    def read_labels(self, stream: BinaryIO, name: str, label_field: str) -> dict[str, tuple[str, ...]]:
        """UID -> labels, of every task in a labelled copy."""
        ...

    def label(
        self,
        stream: BinaryIO,
        name: str,
        changes: Asked,
        shown: Shown,
        label_field: str,
    ) -> Labelled:
        """Work out the copy that shows the input and these changes.

        `shown` has the labels that the present copy shows, where it shows others than the input.
        """
        ...


class Mspdi:
    """Project's own XML, *Save As > XML Format*."""

    title: ClassVar[str] = "MS Project XML"
    suffixes: ClassVar[tuple[str, ...]] = (".xml",)
    labels_itself: ClassVar[bool] = True

    def fits(self, start: bytes, suffix: str) -> bool:
        text = start.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")
        return text.startswith(b"<")

    def read_head(self, stream: BinaryIO, name: str) -> Export:
        return read_head(stream, name)

    def read(self, stream: BinaryIO, name: str, extra: frozenset[str]) -> Export:
        return read_export(stream, name, extra)

    def copy_name(self, name: str) -> str:
        return name

    def read_labels(self, stream: BinaryIO, name: str, label_field: str) -> dict[str, tuple[str, ...]]:
        return {str(uid): labels for uid, labels in read_labels(stream, name, label_field).items()}

    def label(
        self,
        stream: BinaryIO,
        name: str,
        changes: Asked,
        shown: Shown,
        label_field: str,
    ) -> Labelled:
        sha, plan = plan_copy(stream, name, changes, shown, label_field)
        return Labelled(sha, bool(plan.edits), plan.results, partial(render, stream, plan.edits))


def plan_copy(
    stream: BinaryIO,
    name: str,
    changes: Asked,
    shown: Shown,
    label_field: str,
) -> tuple[str, Plan]:
    """The SHA-256 of an MSPDI stream, and the edits that show these changes in it."""
    wanted = [(parse_int(uid), change) for uid, change in changes]
    found = survey(stream, name, frozenset(uid for uid, _ in wanted if uid is not None))
    known = {int(uid): labels for uid, labels in shown.items()}
    return found.sha, plan_edits(Bytes(stream, found), found, wanted, known, label_field, name)


def kind_of(stream: BinaryIO, name: str, kinds: Sequence[FileKind]) -> FileKind:
    """The kind that a file is by its content; by its suffix, where the content says nothing.

    Leaves the stream at its start. Raises `InputError` for what is of no kind.
    """
    start = stream.read(START)
    stream.seek(0)
    suffix = "." + name.rpartition(".")[2].lower()
    fitting = (kind for kind in kinds if kind.fits(start, suffix))
    named = (kind for kind in kinds if suffix in kind.suffixes)
    found = next(fitting, None) or next(named, None)
    if found is None:
        raise InputError(
            f"{name} is no export that can be read here",
            f"export it as one of {', '.join(suffix for kind in kinds for suffix in kind.suffixes)}, "
            "or take it out of the folder",
        )
    return found
