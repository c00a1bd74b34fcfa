"""Labels in the input files themselves, where config says so in as many words.

What a file was before is kept first, in a folder beside it and under a name of its own for each content, so that no
backup is ever written over. There lies also `.unstuck.json`, as with copies: what we wrote, from which original.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from connectors.base import Notice, Outcome
from connectors.errors import BusyError, UnsafeError
from connectors.msproject.copies import Made, beside, recall, remember, verified
from connectors.msproject.files import Inbox, explained, hash_file, read_chunks, steady, write_whole
from connectors.msproject.kinds import Asked, FileKind, Labelled, Shown

OVER_INPUT = "the input files themselves, after a backup of each"
"""What config must say."""


@dataclass(frozen=True, slots=True)
class Overwriting:
    """The newest export of one project, whose labels go into itself."""

    inbox: Inbox
    file: str
    """Its path below the inbox."""
    memory: Path
    """The project's name in the folder for originals; no file is called so."""
    made: tuple[Made, ...]
    """What we remember to have written over, oldest first; also other exports of the project."""
    former: Path | None
    """Where it is remembered that labels went into a copy, if they did: then they are due in the input."""
    can: bool
    """Whether files of this kind can be written at all."""

    @property
    def state(self) -> str:
        return json.dumps([OVER_INPUT, [[made.copy, made.input, made.file] for made in self.made]])

    def is_outdated(self, input_sha: str, *, has_field: bool) -> bool:
        """A file that we labelled and that a person saved since is taken at its word: what is not in it was taken off.

        One without the field for labels was not saved from ours: it is exported anew, and so is one of another name.
        """
        if not self.can or any(made.copy == input_sha for made in self.made):
            return False
        is_edited = has_field and any(made.file == self.file for made in self.made)
        return not is_edited and bool(self.made or self.former)

    def origin(self, input_sha: str) -> str:
        return next((made.input for made in self.made if made.copy == input_sha), input_sha)

    def shown(self, kind: FileKind, input_sha: str, label_field: str) -> Shown:
        """Those in the input."""
        return {}

    def notices(self) -> Iterator[Notice]:
        if self.can:
            yield Notice("warning", f"{self.file}: labels are written into this very file, after a backup of it")
        else:
            yield Notice("problem", f"{self._refusal()}")

    def put(self, kind: FileKind, stream: BinaryIO, labelled: Labelled, changes: Asked, label_field: str) -> str:
        """Write over the input, if that makes a difference; bring back the original, if none of our labels is left."""
        if not self.can:
            raise self._refusal()
        wants_any = any(change.add for _, change in changes)
        try:
            if not labelled.edited:
                self._remember(
                    labelled.sha, Made(labelled.sha, self.origin(labelled.sha), self.file) if wants_any else None
                )
                sha = labelled.sha
            elif not wants_any and self._is_as_before(kind, stream, labelled, changes, label_field):
                sha = self._restore(labelled.sha)
            else:
                sha = self._write(stream, labelled)
            if self.former:
                remember(self.former, ())
        except OSError as error:
            raise explained(error, self.file) from error
        return sha

    def _refusal(self) -> UnsafeError:
        return UnsafeError(
            f"{self.file} is of a kind that only its own program can write, so labels cannot go into it",
            "save it as XML, or take labels_go_into out of this source to have labels in a copy beside it",
        )

    def _write(self, stream: BinaryIO, labelled: Labelled) -> str:
        """Keep the original unless the input is our own work, and write over the input."""
        origin = self.origin(labelled.sha)
        if origin == labelled.sha:
            self._back_up(stream, origin)
        new = Made(labelled.digest(), origin, self.file)
        self._remember(labelled.sha, new)
        self._replace(labelled.sha, verified(labelled.chunks(), new.copy, self.file))
        return new.copy

    def _restore(self, present: str) -> str:
        """Put the original's bytes back, and have nothing to do with the file any more."""
        origin = self.origin(present)
        backup = self._backup(origin)
        with steady(backup, backup.name) as original:
            self._replace(present, verified(read_chunks(original), origin, self.file))
        self._remember(present, None)
        return origin

    def _is_as_before(
        self, kind: FileKind, stream: BinaryIO, labelled: Labelled, changes: Asked, label_field: str
    ) -> bool:
        """Whether the input is our own work, and without our labels shows what its original did, which is still there.

        Then the original's own bytes are as good as what was worked out, and better: no empty field is left behind.
        """
        origin = self.origin(labelled.sha)
        backup = self._backup(origin)
        written = all(result.outcome in (Outcome.DONE, Outcome.UNCHANGED) for result in labelled.results)
        if not written or origin == labelled.sha or not backup.exists() or hash_file(backup, backup.name) != origin:
            return False
        stream.seek(0)
        shown = kind.read_labels(stream, self.file, label_field)
        shown |= {uid: each.labels or () for (uid, _), each in zip(changes, labelled.results, strict=True) if uid}
        with steady(backup, backup.name) as original:
            before = kind.read_labels(original, backup.name, label_field)
        return _carried(shown) == _carried(before)

    def _backup(self, origin: str) -> Path:
        """Where an original is kept: its name tells its content, so that each has a place of its own."""
        file = PurePosixPath(self.file)
        return self.memory.with_name(f"{file.stem}.{origin[:12]}{file.suffix}")

    def _back_up(self, stream: BinaryIO, sha: str) -> None:
        """Keep the input as it was read. Raises `UnsafeError` if there is another file in the backup's place."""
        backup = self._backup(sha)
        backup.parent.mkdir(exist_ok=True)
        if os.path.lexists(backup):
            if hash_file(backup, backup.name) != sha:
                raise UnsafeError(
                    f"{backup.parent.name}/{backup.name} was changed since it was kept, and is in the way",
                    "move it away; without a backup nothing is written over",
                )
            return
        stream.seek(0)
        write_whole(backup, verified(read_chunks(stream), sha, self.file), partial(shutil.copystat, self._path))

    def _replace(self, read: str, chunks: Iterator[bytes]) -> None:
        """Write over the input at one stroke, unless it is not the one any more that was read (its SHA-256)."""
        if self._path.is_symlink():
            raise UnsafeError(f"{self.file} is a link, which is not written over", "put the file itself there")

        def last_look(new: Path) -> None:
            shutil.copystat(self._path, new)  # the time too: what we write is no news
            owner = self._path.stat()
            with suppress(PermissionError):
                os.chown(new, owner.st_uid, owner.st_gid)
            if hash_file(self.inbox.checked(self.file), self.file) != read:
                raise BusyError(
                    f"{self.file} was saved anew while it was being labelled", "the next run reads it again"
                )

        write_whole(self._path, chunks, last_look)

    @property
    def _path(self) -> Path:
        return self.inbox.base / self.file

    def _remember(self, present: str, new: Made | None) -> None:
        """Enter what is written next beside what is there now, which a kill may leave there; `None` forgets all."""
        if not (new or self.made):
            return
        kept = [each for each in self.made if each.file != self.file or each.copy == present] if new else []
        self.memory.parent.mkdir(exist_ok=True)
        remember(self.memory, tuple(dict.fromkeys([*kept, *([new] if new else [])])))


def _carried(labels: Shown) -> dict[str, tuple[str, ...]]:
    """Without the tasks that have none."""
    return {uid: each for uid, each in labels.items() if each}


def look_over(inbox: Inbox, project: str, file: str, *, can: bool) -> Overwriting:
    """A project's newest export, `project` being what its copy would be called. Raises `UnsafeError` for a link."""
    memory, _ = beside(inbox, project, inbox.originals)
    copies, _ = beside(inbox, project, inbox.copies)
    return Overwriting(inbox, file, memory, recall(memory), copies if recall(copies) else None, can)
