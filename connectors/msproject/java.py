"""The Java process that turns what only MPXJ reads into MSPDI: started once for many files, limited, killed if need be.

MPXJ (https://www.mpxj.org) comes as jars in the package `mpxj`. They run in a process of their own, so that no file can
take the run down, bloat it or hang it; `Convert.java` is what runs there. It is started from source, for which the
module `jdk.compiler` must be there: a JDK has it, and so has Debian's `default-jre-headless`.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import IO, Self

from connectors.errors import BusyError, SetupError

DRIVER = Path(__file__).with_name("Convert.java")
_POLL = 0.2
"""Seconds between two looks at whether the run was told to stop."""

_START_SECONDS = 60

_FLAGS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # files are small: what the second compiler saves comes too late
    "-XX:-UsePerfData",  # no file in /tmp
    "-Duser.timezone=UTC",  # the formats have local times; nothing is to be shifted
    "-Duser.language=en",
    "-Dfile.encoding=UTF-8",
    "-Dlog4j2.loggerContextFactory=org.apache.logging.log4j.simple.SimpleLoggerContextFactory",  # else it complains
    "-Djava.awt.headless=true",
)


@dataclass(frozen=True, slots=True)
class Order:
    """One file to convert."""

    kind: str
    """`mpp`, `mpx`, `xer` or `pmxml`: the reader that takes it."""
    source: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Limits:
    """What one conversion may take."""

    heap_mb: int
    seconds: int
    """For one file."""
    max_bytes: int
    """Of the MSPDI that comes out."""


def find_java() -> str:
    """The `java` to start: that of `JAVA_HOME`, else the one on the path. Raises `SetupError`."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home, "bin"))) if home else shutil.which("java")
    if not found:
        where = f"JAVA_HOME ({home}) has none" if home else "none is on the path"
        raise SetupError(
            f"it takes Java to read this kind of file, and {where}",
            "install one (on Debian: apt install default-jre-headless), or save as XML in Project",
        )
    return found


def find_jars() -> tuple[Path, str]:
    """The folder of MPXJ's jars, and its version. Raises `SetupError`."""
    try:
        package = metadata.distribution("mpxj")
    except metadata.PackageNotFoundError:
        package = None
    folder = Path(str(package.locate_file("mpxj/lib"))) if package else None
    if package is None or folder is None or not folder.is_dir():
        raise SetupError(
            "it takes MPXJ to read this kind of file, and it is not installed",
            'install it with: pip install "unstuck[mpp]", or save as XML in Project',
        )
    return folder, package.version


def convert(orders: Sequence[Order], limits: Limits, stopping: threading.Event | None) -> Iterator[str]:
    """One answer for each order, in their order: `done`, `memory`, `time`, `size`, `crashed`, `projects N`, `failed …`.

    A file that hangs or brings the process down ends it, and another one goes on with the files after it. Raises
    `SetupError` where Java does not start, and `BusyError` once `stopping` is set.
    """
    java, (jars, _) = find_java(), find_jars()
    done = 0
    while done < len(orders):
        with _started(java, jars, orders[done:], limits) as process:
            for answer in _answers(process, orders[done:], limits, stopping):
                done += 1
                yield answer


@contextmanager
def _started(java: str, jars: Path, orders: Iterable[Order], limits: Limits) -> Iterator[_Java]:
    with tempfile.TemporaryDirectory(prefix="unstuck-java-") as folder:
        listed = Path(folder, "orders")
        listed.write_text("".join(f"{each.kind}\t{each.source}\t{each.target}\n" for each in orders), "utf-8")
        heap = f"-Xmx{limits.heap_mb}m"
        command = [java, heap, *_FLAGS, f"-Djava.io.tmpdir={folder}", "-cp", f"{jars}/*", str(DRIVER), str(listed)]
        with Path(folder, "said").open("w+b") as said, _Java(command, folder, said) as process:
            if process.line(_START_SECONDS) != "ready":
                raise _not_started(java, said)
            yield process


def _not_started(java: str, said: IO[bytes]) -> SetupError:
    said.seek(0)
    words = said.read(2000).decode("utf-8", "replace").strip().splitlines()
    return SetupError(
        f"Java did not start ({words[0] if words else 'it said nothing'})",
        f"try {java} -version; it takes Java 11 or newer with its compiler (a JDK, or Debian's default-jre-headless), "
        "and java_mb of memory",
    )


class _Java:
    """The process, and what it says line by line. Leaving the context kills it."""

    def __init__(self, command: Sequence[str], folder: str, said: IO[bytes]) -> None:
        # A session of its own: an interrupt from the keyboard is for us, and we end it in order.
        self._process = subprocess.Popen(  # noqa: S603 - no shell, and no words but ours and the operator's
            command,
            cwd=folder,
            stdin=subprocess.PIPE,  # its end tells Convert.java that we are gone
            stdout=subprocess.PIPE,
            stderr=said,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
        self._output = self._process.stdout.fileno() if self._process.stdout else -1
        self._read = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        with self._process:  # closes the pipes and waits
            pass

    def line(self, seconds: float, is_enough: Callable[[], str] = lambda: "") -> str:
        """The next line that it says, else `time`, `crashed`, or what `is_enough` says."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._read:
            if reason := is_enough():
                return reason
            if time.monotonic() > deadline:
                return "time"
            if select.select([self._output], [], [], _POLL)[0]:
                piece = os.read(self._output, 4096)
                if not piece:
                    return "crashed"
                self._read += piece
        line, _, self._read = self._read.partition(b"\n")
        return line.decode("utf-8", "replace").strip()


def _answers(
    process: _Java, orders: Sequence[Order], limits: Limits, stopping: threading.Event | None
) -> Iterator[str]:
    """Answers until the last order has one, or until the process is good for no more; the reason is then the last."""
    for order in orders:
        line = process.line(limits.seconds, partial(_enough, order.target, limits, stopping))
        yield line
        if line in ("time", "size", "crashed"):
            return


def _enough(target: Path, limits: Limits, stopping: threading.Event | None) -> str:
    """`size` if too much comes out. Raises `BusyError` once the run is told to stop."""
    if stopping is not None and stopping.is_set():
        raise BusyError("the run was told to stop while files were converted", "the next run converts them")
    return "size" if target.exists() and target.stat().st_size > limits.max_bytes else ""
