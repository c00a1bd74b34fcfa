"""Conversions to MSPDI, each made once: kept by the content of the input, so that what did not change costs no Java.

They lie in a folder of the user's cache and not beside the inputs: an inbox may be read-only or shared, and a dry run
leaves it as it is. What lies there can be thrown away at any time.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from connectors.errors import AccessError, BusyError, InputError, SetupError
from connectors.msproject.files import explained
from connectors.msproject.java import DRIVER, Limits, Order, convert, find_jars
from connectors.msproject.xml import CHUNK

KEEP_DAYS = 60
"""A conversion that no run asked for in so long is thrown away."""

_PASSWORD = "password"  # noqa: S105 - a word in MPXJ's message, not one of ours


@dataclass(frozen=True, slots=True)
class Foreign:
    """One input that has to be converted."""

    name: str
    kind: str
    """The reader: see `java.Order`."""


Candidates = Callable[[], Iterable[tuple[Foreign, BinaryIO]]]
"""All inputs that may have to be converted in this run, opened one after the other: they share one start of Java."""


class Conversions:
    """The conversions of one source, in `folder`."""

    def __init__(self, folder: Path, limits: Limits, stopping: threading.Event | None) -> None:
        self._folder = folder
        self._limits = limits
        self._stopping = stopping
        self._tag: str | None = None
        self._failed: SetupError | None = None
        """Why Java does not start: asked once in a run."""
        self._crashed: set[Path] = set()
        """What brought Java down in this run, perhaps for want of memory: not remembered beyond it."""

    def get(self, foreign: Foreign, stream: BinaryIO, others: Candidates) -> tuple[Path, str]:
        """The MSPDI of an input, and the SHA-256 of the input; converts it, and the others, if that was not done.

        Raises `InputError` for what cannot be converted, `SetupError` without Java or MPXJ.
        """
        sha = _hash(stream)
        stream.seek(0)
        path = self._path(sha)
        if not self._is_known(path):
            self._convert_missing(foreign, stream, sha, others)
        if path in self._crashed:
            raise BusyError(
                f"the converter broke down on {foreign.name}", "the next run tries again; or save it as XML"
            )
        refusal = self._refusal(path)
        if refusal:
            raise _explained(refusal, foreign.name, self._limits)
        os.utime(path)
        return path, sha

    def _path(self, sha: str) -> Path:
        """Where the conversion of an input lies: another version of what converts makes another one."""
        if self._tag is None:
            _, version = find_jars()
            self._tag = f"{version}-{sha256(DRIVER.read_bytes()).hexdigest()[:8]}"
        return self._folder / f"{sha}-{self._tag}.xml"

    def _is_known(self, path: Path) -> bool:
        return path.exists() or path in self._crashed or self._refusal(path) != ""

    def _refusal(self, path: Path) -> str:
        """Why the input could not be converted within the present limits; `""` if that is not known."""
        try:
            told = json.loads(path.with_suffix(".refused").read_bytes())
            return str(told["why"]) if told["limits"] == self._terms() else ""
        except (OSError, ValueError, TypeError, KeyError):
            return ""

    def _terms(self) -> list[int]:
        return [self._limits.heap_mb, self._limits.seconds, self._limits.max_bytes]

    def _convert_missing(self, first: Foreign, stream: BinaryIO, sha: str, others: Candidates) -> None:
        if self._failed:
            raise self._failed
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".work-", dir=self._folder) as work:
                orders = {self._path(sha): _snapshot(first.kind, stream, Path(work, sha))}
                for other, source in others():
                    path = self._path(_hash(source))
                    source.seek(0)
                    if path not in orders and not self._is_known(path):
                        orders[path] = _snapshot(other.kind, source, Path(work, path.stem))
                self._convert(orders)
            self._tidy()
        except SetupError as error:
            self._failed = error
            raise
        except OSError as error:
            problem = explained(error, self._folder)
            hint = "set `cache` to a folder that this user can write to"
            raise AccessError(f"conversions cannot be kept: {problem.what}", hint) from error

    def _convert(self, orders: dict[Path, Order]) -> None:
        answers = convert(list(orders.values()), self._limits, self._stopping)
        for (path, order), answer in zip(orders.items(), answers, strict=True):
            if answer == "done" and order.target.stat().st_size <= self._limits.max_bytes:
                order.target.replace(path)
            elif answer == "crashed":
                self._crashed.add(path)
            else:
                told = {"why": "size" if answer == "done" else answer, "limits": self._terms()}
                path.with_suffix(".refused").write_text(json.dumps(told), "utf-8")

    def _tidy(self) -> None:
        """Throw away what was not asked for in a long time, by the file system's own clock."""
        times = {path: path.stat().st_mtime for path in self._folder.iterdir()}
        for path, used in times.items():
            if used < max(times.values()) - KEEP_DAYS * 86_400:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _hash(stream: BinaryIO) -> str:
    digest = sha256()
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _snapshot(kind: str, stream: BinaryIO, source: Path) -> Order:
    """A copy for Java to read: the very bytes that were hashed, under a name that is harmless."""
    with source.open("wb") as copy:
        shutil.copyfileobj(stream, copy)
    return Order(kind, source, source.with_name(f"{source.name}.out"))


def _explained(refusal: str, name: str, limits: Limits) -> InputError:
    """The sentence for what the converter answered."""
    word, _, rest = refusal.partition(" ")
    if word == "failed" and _PASSWORD in rest.lower():
        return InputError(f"{name} is protected by a password", "save it without one, or as XML, in Project")
    if word == "projects":
        many = "no project" if rest == "0" else f"{rest} projects"
        return InputError(f"{name} holds {many}", "export each project into a file of its own")
    if word == "memory":
        return InputError(f"{name} takes more than {limits.heap_mb} MB to convert", "raise java_mb, or save it as XML")
    if word == "time":
        what = f"{name} was not converted within {limits.seconds} seconds"
        return InputError(what, "raise java_seconds, or save it as XML")
    if word == "size":
        return InputError(f"{name} becomes larger than {limits.max_bytes >> 20} MB as XML", "raise max_mb")
    reason = rest.partition(":")[0].rpartition(".")[2]
    return InputError(f"{name} is damaged or no project file ({reason})", "open it in Project and save it again")
