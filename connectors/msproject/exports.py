"""The exports of one run: the project that each belongs to, the newest of each, and whether they are at rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from connectors.errors import BusyError, ConnectorError, GoneError, InputError
from connectors.msproject.files import Inbox, explained, steady
from connectors.msproject.parse import parse_as_of
from connectors.msproject.projects import Identity, Project, group
from connectors.msproject.reader import Export


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """One export of a project. They sort from the oldest to the newest."""

    as_of: datetime
    """When its state was the state of things; if the file does not say, when it was written."""
    saved: str
    """The project's last saving, which decides between two of one date."""
    written: float
    name: str
    path: Path


class Exports:
    """All exports that a source's `path` names, looked at once."""

    def __init__(
        self,
        inbox: Inbox,
        identity: Identity,
        wanted: Sequence[str],
        zone: tzinfo,
        read_head: Callable[[Path, str], Export],
    ) -> None:
        self._inbox = inbox
        self._identity: Identity = identity
        self._wanted = wanted
        self._zone = zone
        self._read = read_head
        self._heads: dict[str, Export | ConnectorError] = {}
        self._listed_at = 0.0
        self._stamps: dict[str, tuple[int, int] | None] = {}

    @cached_property
    def projects(self) -> Mapping[str, Project]:
        """native_id -> project, of those that config wants, sorted.

        Raises what `Inbox.find` does, and `GoneError` for one that config names and that is not there.
        """
        files = self._files
        self._listed_at = time.monotonic()
        self._stamps = {name: _stamp(path) for name, path in files.items()}
        found = group(files, self._identity, self._known_head)
        known = {name for each in found.values() for name in _names(each)}
        for name in self._wanted:
            if name not in known:
                raise GoneError(f'there is no export "{name}"', "put it there, or correct `collections`")
        wanted = {*self._wanted}
        return {each.native_id: each for each in found.values() if not wanted or wanted & _names(each)}

    @cached_property
    def _files(self) -> Mapping[str, Path]:
        return self._inbox.find()

    def streams(self) -> Iterator[tuple[str, BinaryIO]]:
        """Opens every export that can be read now, one after the other: its name, and the file at its start."""
        is_chosen = "projects" in self.__dict__  # else their heads are being read to know which there are
        names = [name for each in self.projects.values() for name in each.files] if is_chosen else self._files
        for name in names:
            with suppress(ConnectorError), steady(self._inbox.checked(name), name) as stream:
                yield name, stream

    def project(self, native_id: str) -> Project:
        """One of them. Raises `GoneError`."""
        found = self.projects.get(native_id)
        if found is None:
            raise GoneError(f"{native_id} is not there (any more)", "put it back if it was moved by mistake")
        return found

    def head(self, name: str) -> Export:
        """What a file says of itself before its tasks. Raises why it cannot be read."""
        if name not in self._heads:
            try:
                self._heads[name] = self._read(self._inbox.checked(name), name)
            except ConnectorError as error:
                self._heads[name] = error
        found = self._heads[name]
        if isinstance(found, ConnectorError):
            raise found
        return found

    def _known_head(self, name: str) -> Mapping[str, str]:
        try:
            return self.head(name).head
        except ConnectorError:
            return {}  # its pull says why

    def members(self, project: Project) -> Sequence[Member]:
        """The exports of a project, from the oldest to the newest.

        Raises what keeps one of them from being read (it may be the newest), and `InputError` if they seem to be of two
        projects, or another project to be this one.
        """
        found = sorted(self._member(name) for name in project.files)
        if self._identity == "name":
            self._check_one(project)
            self._check_no_twin(project)
        return found

    def _member(self, name: str) -> Member:
        path = self._inbox.checked(name)
        head = self.head(name)
        try:
            written = path.stat().st_mtime
        except OSError as error:
            raise explained(error, name) from error
        as_of = parse_as_of(head, self._zone) or datetime.fromtimestamp(written, UTC)
        return Member(as_of, head.head.get("LastSaved", ""), written, name, path)

    def _check_one(self, project: Project) -> None:
        """Two plans that people named alike were hardly begun on one day."""
        days = {self.head(name).head.get("CreationDate", "")[:10]: name for name in project.files}
        days.pop("", None)
        if len(days) > 1:
            one, other, *_ = sorted(days.values())
            raise InputError(
                f"{one} and {other} look like exports of one project by their names, and of two by the days they were "
                "created on",
                'rename one of them, or set identity = "file" for this source',
            )

    def _check_no_twin(self, project: Project) -> None:
        """Two names for one project would give its tasks twice."""
        guids = {self.head(name).head.get("GUID", "").lower() for name in project.files} - {""}
        for guid in sorted(guids):
            other = next((name for name in self._by_guid[guid] if name not in project.files), None)
            if other:
                raise InputError(
                    f"{project.files[-1]} and {other} are exports of the same project",
                    "keep the newer one and take the other out of the folder, or set identity for this source: "
                    '"guid" if they are one, "file" if not',
                )

    @cached_property
    def _by_guid(self) -> Mapping[str, Sequence[str]]:
        """GUID -> the files that have it."""
        found: dict[str, list[str]] = {}
        for name in [name for project in self.projects.values() for name in project.files]:
            found.setdefault(self._known_head(name).get("GUID", "").lower(), []).append(name)
        return found

    def settle(self, names: Iterable[str], seconds: int, stopping: threading.Event | None) -> None:
        """Make sure that files were at rest for so long since they were listed. Raises `BusyError` else."""
        if not seconds:
            return
        left = self._listed_at + seconds - time.monotonic()
        if left > 0 and (stopping or threading.Event()).wait(left):
            raise BusyError("the run was told to stop", "the next run reads what is left")
        for name in names:
            if _stamp(self._inbox.base / name) != self._stamps.get(name):
                raise BusyError(f"{name} is still being written", "nothing to do; the next run reads it")


def _names(project: Project) -> set[str]:
    """What config may call it in `collections`: its id, its name, and its files."""
    files = {part for name in project.files for part in (name, PurePosixPath(name).name)}
    return {project.native_id, project.name, *files}


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when a file is written to; `None` if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
