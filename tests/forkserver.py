"""Runs the real command many times without paying for Python's start each time.

A helper process imports the product once; each command is a fork of it: a process of its own, with its own arguments,
folder, environment and output, that ends like the real one. Tests start thousands of them.
"""

from __future__ import annotations

import atexit
import importlib
import json
import logging
import os
import pkgutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

_LONGEST = 60.0
"""Seconds a command may take."""


class ForkServer:
    """The helper process."""

    def __init__(self, root: Path) -> None:
        self.ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.forkserver", str(theirs.fileno())],
            cwd=root, pass_fds=[theirs.fileno()], env={**os.environ, "PYTHONPATH": str(root)},
        )  # fmt: skip
        theirs.close()
        self.ours.settimeout(_LONGEST)
        atexit.register(self.close)

    def run(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str, str]:
        """(exit code, stdout, stderr) of `unstuck ARGUMENTS` in a folder."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            asked = {"arguments": list(arguments), "folder": str(folder), "environment": dict(environment)}
            socket.send_fds(self.ours, [json.dumps(asked).encode()], [out.fileno(), err.fileno()])
            code = int(self.ours.recv(16))
            return code, _text(out.fileno()), _text(err.fileno())

    def close(self) -> None:
        self.ours.close()
        self.process.wait(timeout=10)


def _text(fd: int) -> str:
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(os.dup(fd), encoding="utf-8") as file:
        return file.read()


def _serve(fd: int) -> None:
    from sync import cli

    for name in _all_that_commands_load():
        importlib.import_module(name)
    with socket.socket(fileno=fd) as server:
        while True:
            asked, fds, _, _ = socket.recv_fds(server, 1_000_000, 2)
            if not asked:
                return
            child = os.fork()
            if not child:
                server.close()
                _be_the_command(cli.main, json.loads(asked), fds)
            for each in fds:
                os.close(each)
            server.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def _all_that_commands_load() -> Iterator[str]:
    """Each connector with its vendor's package, and each command."""
    import connectors
    import sync

    for package in (connectors, sync):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith("connectors.fakes"):
                yield module.name


def _be_the_command(main: Callable[[Sequence[str]], None], asked: Mapping[str, Any], fds: Sequence[int]) -> NoReturn:
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(fds[0], 1)
        os.dup2(fds[1], 2)
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.path[0] = asked["folder"]
        time.tzset()
        main(asked["arguments"])
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(bool(ending.code))
    except BaseException:  # noqa: BLE001 - whatever it is, this process is not to go on as the helper
        traceback.print_exc()
    finally:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
