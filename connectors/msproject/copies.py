"""Labelled copies: where they lie, and which of them we wrote from what.

Beside the copies lies `.unstuck.json`: file name -> the copies that we wrote, oldest first, each with the SHA-256 of
the input that it was made from. A new copy is entered before it is put into place, so that a kill between the two
leaves either copy known as ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

from connectors.errors import BusyError, UnsafeError
from connectors.msproject.files import explained, hash_file, write_whole

MEMORY = ".unstuck.json"


@dataclass(frozen=True, slots=True)
class Made:
    """One copy as we wrote it."""

    copy: str
    """SHA-256 of the copy."""
    input: str
    """SHA-256 of the input that it was made from."""


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

    @property
    def source(self) -> str | None:
        """SHA-256 of the input that the present copy was made from, if we wrote it and nobody changed it since."""
        return next((made.input for made in self.made if made.copy == self.sha), None)

    @property
    def is_foreign(self) -> bool:
        """There is a file, and it is not as we wrote it: a person edited it or put it there."""
        return self.sha is not None and self.source is None

    def is_outdated(self, input_sha: str) -> bool:
        """Whether a copy is due and there is none of this very input.

        A copy is due once one was made; one that vanished counts as carried off to Project, not as a wish to have the
        labels gone. A collection that never had a label to show never has a copy, and none is due.
        """
        if self.is_foreign:
            return False  # a person's file is theirs: it is never written over, so none is due
        return self.source != input_sha if self.sha else bool(self.made)

    def shows(self, input_sha: str) -> bool:
        """Whether the labels that people see are those of the copy: it is of this input, or a person edited it."""
        return self.is_foreign or (self.sha is not None and self.source == input_sha)

    @property
    def state(self) -> str:
        """Changes whenever the copy or what we remember of it changes."""
        return json.dumps([self.sha, [[made.copy, made.input] for made in self.made]])


def look(base: Path, copy: str, folder: str) -> Copy:
    """The copy that is called so below `base`, in the folder for copies beside its input.

    Raises `UnsafeError` for a link in its place.
    """
    name = (PurePosixPath(copy).parent / folder / PurePosixPath(copy).name).as_posix()
    path = base / name
    for each in (path.parent, path):
        if each.is_symlink():
            raise UnsafeError(
                f"{name} is, or lies behind, a link", "remove the link; copies are written beside their input"
            )
    sha = hash_file(path, name) if path.exists() else None
    return Copy(path, name, sha, _recall(path))


def _memory(path: Path) -> dict[str, list[dict[str, str]]]:
    """What is remembered of all copies in the folder; nothing, if that file is not there or not as we write it."""
    try:
        memory = json.loads((path.parent / MEMORY).read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise explained(error, path.parent / MEMORY) from error
    except ValueError:
        return {}
    return memory if isinstance(memory, dict) else {}


def _recall(path: Path) -> tuple[Made, ...]:
    try:
        return tuple(Made(entry["copy"], entry["input"]) for entry in _memory(path).get(path.name, []))
    except (TypeError, KeyError):
        return ()


def remember(path: Path, made: tuple[Made, ...]) -> None:
    """Keep what we wrote at `path`; nothing to keep forgets it. Raises `OSError`."""
    memory = _memory(path)
    memory.pop(path.name, None)
    if made:
        memory[path.name] = [{"copy": each.copy, "input": each.input} for each in made]
    text = json.dumps(memory, indent=1, sort_keys=True) + "\n"
    write_whole(path.parent / MEMORY, iter([text.encode()]))


def put(copy: Copy, new: Made, chunks: Iterator[bytes]) -> None:
    """Put a new copy into place, remembered beforehand.

    Raises `BusyError` if the chunks are not what `new` says, because the input changed meanwhile, and `OSError`.
    """
    copy.path.parent.mkdir(exist_ok=True)
    present = tuple(each for each in copy.made if each.copy == copy.sha)
    remember(copy.path, (*present, new))
    write_whole(copy.path, _verified(chunks, new.copy, copy.name))


def _verified(chunks: Iterator[bytes], sha: str, name: str) -> Iterator[bytes]:
    digest = sha256()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != sha:
        raise BusyError(f"the input of {name} was written to while it was copied", "the next run reads it again")
