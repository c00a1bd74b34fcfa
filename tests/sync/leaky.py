"""A connector that does everything wrong with its secret; a town that has one; and a keyring in memory."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import keyring.backend
import keyring.errors

from connectors import registry
from connectors.base import ChangeResult, Collection, Notice, Option, Outcome, Page, SourceSetup
from connectors.errors import AuthError, BusyError
from connectors.memory import MemoryConnector
from connectors.model import Cursor, LabelChange
from tests.sync.town import CONFIG, Said, Town

SECRET = "s3cr3t/made+up=for&tests"
"""With characters that URLs write otherwise."""


class LeakyConnector(MemoryConnector):
    """Says its token wherever a connector can say anything. `world` tells by its name when it fails."""

    options: ClassVar[tuple[Option, ...]] = (
        *MemoryConnector.options,
        Option("token", "the tool's API token", "secret", required=True),
        Option("fails", "where"),
    )

    def __init__(self, setup: SourceSetup) -> None:
        super().__init__(setup)
        if self.fail_at("make"):
            raise RuntimeError(self.told)

    @property
    def told(self) -> str:
        token = str(self._setup.options["token"])
        logging.getLogger("leaky").debug("GET /items?token=%s", quote(token, safe=""))
        return f"GET https://tool/items?token={quote(token, safe='')} with {token}"

    def fail_at(self, place: str) -> bool:
        return str(self._setup.options["fails"]) == place

    def check(self) -> Sequence[Notice]:
        if self.fail_at("check"):
            raise AuthError(f"refused: {self.told}", "renew it")
        return [Notice("problem", self.told)]

    def collections(self) -> Sequence[Collection]:
        if self.fail_at("collections"):
            raise KeyError(self.told)
        return super().collections()

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        if self.fail_at("pull"):
            raise BusyError(self.told, "the next run tries again")
        if self.fail_at("page"):
            yield Page(skipped=(self.told,), complete=True)
            return
        yield from super().pull(collection, cursor)

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        if self.fail_at("apply"):
            raise ValueError(self.told)
        for change in changes:
            yield ChangeResult(change.ref, Outcome.REFUSED, self.told)

    def close(self) -> None:
        if self.fail_at("close"):
            raise RuntimeError(self.told)


PLACES = ("make", "check", "collections", "pull", "page", "apply", "close", "nowhere")


class LeakyTown(Town):
    """A town whose only source is a leaky one. Its config is told where the token is, and where the connector fails."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.configure('{ env = "TOOL_TOKEN" }')
        self.add(1, sponsor="")

    def configure(self, token: str, fails: str = "nowhere") -> None:
        self.write_config(CONFIG + f'token = {token}\nfails = "{fails}"\n')

    def command(self, *arguments: str) -> Sequence[str]:
        return [sys.executable, "-c", "from tests.sync import leaky; leaky.main()", *arguments]

    def tolerant(self, *arguments: str, env: Mapping[str, str]) -> Said:
        """Run `unstuck …`, which may show a traceback."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(env),
            capture_output=True,
            text=True,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)


WITHOUT_KEYRING = "UNSTUCK_TEST_WITHOUT_KEYRING"


def main() -> None:
    """The command, with the leaky connector in place of the memory connector."""
    from sync import cli

    if WITHOUT_KEYRING in os.environ:
        sys.modules["keyring"] = None  # type: ignore[assignment]  # how Python marks what cannot be imported
    registry.load = lambda _: LeakyConnector  # type: ignore[assignment]  # in a process of its own
    cli.main()


# Keyrings, named by PYTHON_KEYRING_BACKEND


class ReadOnly(keyring.backend.KeyringBackend):
    """What both below have in common."""

    priority = 1.0

    def set_password(self, service: str, username: str, password: str) -> None:
        raise keyring.errors.PasswordSetError("this one is read only")


class InMemory(ReadOnly):
    """Holds one entry."""

    def get_password(self, service: str, username: str) -> str | None:
        return f"{SECRET}\n" if (service, username) == ("https://tool.example", "bot") else None


class Locked(ReadOnly):
    """Does not open, and says too much about it."""

    def get_password(self, service: str, username: str) -> str | None:
        raise keyring.errors.KeyringLocked(f"cannot open {service} with {SECRET}")
