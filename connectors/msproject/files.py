"""The folder of exports: which files there are, and reading one only while nobody changes it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from connectors.errors import AccessError, BusyError, ConnectorError, GoneError, InputError, SetupError, UnsafeError
from connectors.msproject.xml import CHUNK


@dataclass(frozen=True, slots=True)
class Inbox:
    """The files that one source's `path` names."""

    base: Path
    """The folder above the first wildcard: collections are named by their path below it."""
    pattern: str
    copies: str
    """The name of the folders that labelled copies go into, beside their inputs; never looked into."""
    archive: str
    """The name of the folders that read exports are moved into, if they are; never looked into."""
    originals: str
    """The name of the folders that keep inputs as they were before they were written over; never looked into."""
    max_bytes: int

    def find(self) -> dict[str, Path]:
        """Path below `base`, with `/` -> file; sorted.

        Raises `GoneError` or `AccessError` if a folder is not there or cannot be listed: that is not an empty one.
        """
        try:
            if not self.base.exists():
                do = "make it and put exports there, or correct path; if it was there before, put it back"
                raise GoneError(f"{self.base} is not there", do)
            self._check_listable()
            found = {path.relative_to(self.base).as_posix(): path for path in self.base.glob(self.pattern)}
        except OSError as error:
            raise explained(error, self.base) from error
        return {name: found[name] for name in sorted(found) if self._is_input(found[name], Path(name).parts)}

    def _check_listable(self) -> None:
        """Raise the `OSError` that `glob` would pass over."""
        folders = os.walk(self.base, onerror=_fail)
        if "/" in self.pattern:
            for _ in folders:
                pass
        else:
            next(folders)

    def _is_input(self, path: Path, parts: tuple[str, ...]) -> bool:
        hidden = any(part.startswith((".", "~$")) for part in parts)
        ours = {self.copies, self.archive, self.originals} & {*parts[:-1]}
        return not hidden and not ours and (path.is_file() or path.is_symlink())

    def checked(self, native_id: str) -> Path:
        """The path of a collection's file, if it may be read now.

        Raises `GoneError`, `UnsafeError` for a link that leads out of the folder, `BusyError` for a file that is open
        in another program, `InputError` for one that is no file or too large.
        """
        path = self.base / native_id
        try:
            if not path.resolve(strict=True).is_relative_to(self.base.resolve()):
                raise UnsafeError(f"{native_id} is a link out of its folder", "put the file itself there")
            status = path.stat()
        except OSError as error:
            raise explained(error, native_id) from error
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{native_id} is not a regular file", "take it out of the folder")
        if status.st_size > self.max_bytes:
            raise InputError(
                f"{native_id} is larger than {self.max_bytes >> 20} MB", "raise max_mb for this source if that is right"
            )
        self._check_lock(path, native_id)
        return path

    def _check_lock(self, path: Path, native_id: str) -> None:
        for lock in (f"~${path.name}", f".~lock.{path.name}#"):
            if os.path.lexists(path.with_name(lock)):
                raise BusyError(
                    f"{native_id} is open in another program ({lock} lies beside it)",
                    "close it there; the next run reads it",
                )


def _fail(error: OSError) -> None:
    raise error


def make_inbox(folder: Path, options: Mapping[str, Any]) -> Inbox:
    """The inbox for the option `path`, relative to `folder`. Raises `SetupError`."""
    path, folders = options["path"], {name: options[name] for name in _FOLDERS}
    taken: set[str] = set()
    for name, given in folders.items():
        is_left_out = name == "archive" and not given
        if not is_left_out and (not _is_folder_name(given) or given in taken):
            raise SetupError(f'{name} = "{given}" is not a folder name of its own', f'give one name, such as "{name}"')
        taken.add(given)
    parts = Path(path).parts
    wild = next((at for at, part in enumerate(parts) if any(sign in part for sign in "*?[")), len(parts) - 1)
    if not parts or parts[-1] in ("", "/", "**"):
        raise SetupError(f'path = "{path}" names no files', 'write it like "inbox/*.xml"')
    return Inbox(folder.joinpath(*parts[:wild]), "/".join(parts[wild:]), max_bytes=options["max_mb"] << 20, **folders)


_FOLDERS = ("copies", "originals", "archive")
"""Options that name a folder beside the exports."""


def _is_folder_name(name: str) -> bool:
    return name not in ("", ".", "..") and "/" not in name and "\\" not in name


@contextmanager
def steady(path: Path, name: str) -> Iterator[BinaryIO]:
    """Open a file for reading; `BusyError` if it changed before the block ended, whatever the block made of it."""
    try:
        with path.open("rb") as stream:
            before = os.fstat(stream.fileno())
            try:
                yield stream
            except InputError:
                _check_unchanged(before, stream, name)
                raise
            _check_unchanged(before, stream, name)
    except OSError as error:
        raise explained(error, name) from error


def _check_unchanged(before: os.stat_result, stream: BinaryIO, name: str) -> None:
    after = os.fstat(stream.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise BusyError(f"{name} was written to while it was read", "nothing to do; the next run reads it again")


def hash_file(path: Path, name: str) -> str:
    """SHA-256 of the bytes, in hexadecimal."""
    digest = sha256()
    with steady(path, name) as stream:
        for chunk in read_chunks(stream):
            digest.update(chunk)
    return digest.hexdigest()


def read_chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The rest of a file."""
    while chunk := stream.read(CHUNK):
        yield chunk


def explained(error: OSError, name: object) -> ConnectorError:
    """The connector error for what the operating system said."""
    if isinstance(error, FileNotFoundError):
        return GoneError(f"{name} is not there (any more)", "put it back if it was moved by mistake")
    if isinstance(error, PermissionError):
        return AccessError(f"no permission for {name}", "give the user that runs this access to it")
    return BusyError(f"{name} cannot be used now ({error.strerror or error})", "the next run tries again")


def write_whole(path: Path, chunks: Iterator[bytes], ready: Callable[[Path], object] = lambda _: None) -> None:
    """Write a file so that it is there whole or not at all: temporary file beside it, fsync, rename, fsync the folder.

    `ready` is handed the temporary file right before the rename, and may raise to keep it from that. Raises `OSError`.
    """
    temporary = path.with_name(f".{path.name}.part")
    temporary.unlink(missing_ok=True)
    try:
        with temporary.open("xb") as stream:
            for chunk in chunks:
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        ready(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def archive(path: Path, folder: str) -> None:
    """Move a file into a folder beside it, under a name that is free there. Raises `OSError`."""
    target = path.parent / folder / path.name
    target.parent.mkdir(exist_ok=True)
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f"{path.stem} ({number}){path.suffix}")
    path.rename(target)
