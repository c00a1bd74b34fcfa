"""Labelled copies: where they lie, and which of them we wrote from what.

Beside the copies lies `.unstuck.json`: file name -> the copies that we wrote, oldest first, each with the SHA-256 of
the input that it was made from. A new copy is entered before it is put into place, so that a kill between the two
leaves either copy known as ours. `connectors.msproject.overwriting` keeps the same of inputs that are written over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

from connectors.base import Notice
from connectors.errors import BusyError, UnsafeError
from connectors.msproject.files import Inbox, explained, hash_file, steady, write_whole
from connectors.msproject.kinds import Asked, FileKind, Labelled, Shown

MEMORY = ".unstuck.json"


@dataclass(frozen=True, slots=True)
class Made:
    """One labelled file as we wrote it."""

    copy: str
    """Its SHA-256."""
    input: str
    """SHA-256 of the input that it was made from."""
    file: str = ""
    """Of an input that was written over itself: its path below the source's folder."""


class Place(Protocol):
    """Where the labels of one project go."""

    @property
    def state(self) -> str:
        """Changes whenever what is there, or what we remember of it, changes."""
        ...

    def is_outdated(self, input_sha: str, *, has_field: bool) -> bool:
        """Whether labels of ours are to be shown anew, as this input is not the one that they were put on.

        `has_field`: whether the input has a field for labels at all.
        """
        ...

    def origin(self, input_sha: str) -> str:
        """SHA-256 of an input before we labelled it; its own, if we did not."""
        ...

    def shown(self, kind: FileKind, input_sha: str, label_field: str) -> Shown:
        """The labels that people see, where they see others than those in the input."""
        ...

    def notices(self) -> Iterator[Notice]:
        """What `check --live` is to tell."""
        ...

    def put(self, kind: FileKind, stream: BinaryIO, labelled: Labelled, changes: Asked, label_field: str) -> str:
        """Let people see what was worked out from the input in `stream`; the SHA-256 that the input has then.

        Raises `UnsafeError` for what is not ours, `BusyError` if the input changed meanwhile, and other
        `ConnectorError`s for what the operating system says.
        """
        ...


@dataclass(frozen=True, slots=True)
class Copy:
    """The labelled copy of one input, as it lies there now."""

    path: Path
    name: str
    """For people: the path below the source's folder."""
    sha: str | None
    """`None` if there is no copy."""
    made: tuple[Made, ...]
    """What we remember to have written, oldest first."""
    former: Path | None
    """Where it is remembered that labels went into the inputs themselves, if they did: then a copy is due."""

    @property
    def source(self) -> str | None:
        """SHA-256 of the input that the present copy was made from, if we wrote it and nobody changed it since."""
        return next((made.input for made in self.made if made.copy == self.sha), None)

    @property
    def is_foreign(self) -> bool:
        """There is a file, and it is not as we wrote it: a person edited it or put it there."""
        return self.sha is not None and self.source is None

    @property
    def state(self) -> str:
        return json.dumps([self.sha, [[made.copy, made.input] for made in self.made]])

    def is_outdated(self, input_sha: str, *, has_field: bool) -> bool:
        """A copy is due once one was made; one that vanished counts as carried off to Project, not as a wish to have
        the labels gone. A collection that never had a label to show never has a copy, and none is due.
        """
        if self.is_foreign:
            return False  # a person's file is theirs: it is never written over, so none is due
        return self.source != input_sha if self.sha else bool(self.made or self.former)

    def origin(self, input_sha: str) -> str:
        return input_sha

    def shown(self, kind: FileKind, input_sha: str, label_field: str) -> Shown:
        """Those of the copy, if it is of this input, or a person edited it."""
        if self.sha is None or self.source not in (None, input_sha):
            return {}
        with steady(self.path, self.name) as stream:
            return kind.read_labels(stream, self.name, label_field)

    def notices(self) -> Iterator[Notice]:
        if self.is_foreign:
            yield Notice("warning", f"{self._foreign()}")

    def put(self, kind: FileKind, stream: BinaryIO, labelled: Labelled, changes: Asked, label_field: str) -> str:
        """Put the new copy into place, if one is due."""
        new = Made(labelled.digest(), labelled.sha)
        try:
            if self.sha == new.copy:
                if self.made[-1:] != (new,):
                    remember(self.path, (new,))
            elif self.is_foreign:
                raise self._foreign()
            elif self.sha or labelled.edited:
                self._write(new, labelled.chunks())
            elif self.made:
                remember(self.path, ())
            if self.former:
                remember(self.former, ())
        except OSError as error:
            raise explained(error, self.name) from error
        return labelled.sha

    def _foreign(self) -> UnsafeError:
        return UnsafeError(
            f"{self.name} is not as we wrote it, so a person changed it or put it there",
            "move it away (it is never overwritten), and the next run writes a new copy",
        )

    def _write(self, new: Made, chunks: Iterator[bytes]) -> None:
        self.path.parent.mkdir(exist_ok=True)
        present = tuple(each for each in self.made if each.copy == self.sha)
        remember(self.path, (*present, new))
        write_whole(self.path, verified(chunks, new.copy, self.name))


def look(inbox: Inbox, copy: str) -> Copy:
    """The copy that is called so below the inbox, in the folder for copies beside its input.

    Raises `UnsafeError` for a link in its place.
    """
    path, name = beside(inbox, copy, inbox.copies)
    before, _ = beside(inbox, copy, inbox.originals)
    sha = hash_file(path, name) if path.exists() else None
    return Copy(path, name, sha, recall(path), before if recall(before) else None)


def beside(inbox: Inbox, file: str, folder: str) -> tuple[Path, str]:
    """Where a file of this name would lie in a folder beside it, and what people call that.

    Raises `UnsafeError` for a link in its place.
    """
    name = (PurePosixPath(file).parent / folder / PurePosixPath(file).name).as_posix()
    path = inbox.base / name
    for each in (path.parent, path):
        if each.is_symlink():
            raise UnsafeError(
                f"{name} is, or lies behind, a link", "remove the link; copies are written beside their input"
            )
    return path, name


def _memory(path: Path) -> dict[str, Any]:
    """What is remembered of all files in the folder; nothing, if that file is not there or not as we write it."""
    try:
        memory = json.loads((path.parent / MEMORY).read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise explained(error, path.parent / MEMORY) from error
    except ValueError:
        return {}
    return memory if isinstance(memory, dict) else {}


def recall(path: Path) -> tuple[Made, ...]:
    """What we remember to have written under this name, oldest first."""
    try:
        return tuple(Made(**entry) for entry in _memory(path).get(path.name, []))
    except TypeError:
        return ()


def remember(path: Path, made: tuple[Made, ...]) -> None:
    """Keep what we wrote at `path`; nothing to keep forgets it. Raises `OSError`."""
    memory = _memory(path)
    memory.pop(path.name, None)
    if made:
        memory[path.name] = [
            {"copy": each.copy, "input": each.input, **({"file": each.file} if each.file else {})} for each in made
        ]
    text = json.dumps(memory, indent=1, sort_keys=True) + "\n"
    write_whole(path.parent / MEMORY, iter([text.encode()]))


def verified(chunks: Iterator[bytes], sha: str, name: str) -> Iterator[bytes]:
    """The chunks. Raises `BusyError` at their end if they are not what has this SHA-256."""
    digest = sha256()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != sha:
        raise BusyError(f"the input of {name} was written to while it was copied", "the next run reads it again")
