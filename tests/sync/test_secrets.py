"""Secrets: where they may be, and that they show nowhere. With the command, on a connector that leaks all it can."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import registry
from connectors.base import Connector
from sync import config as configs
from sync import schema, secrets
from sync.secrets import NoSecretError
from sync.stops import InvalidStop
from tests.sync.leaky import PLACES, SECRET, WITHOUT_KEYRING, LeakyConnector, LeakyTown
from tests.sync.town import Said

TOKEN = {"TOOL_TOKEN": SECRET}


@pytest.fixture
def town(tmp_path: Path) -> LeakyTown:
    return LeakyTown(tmp_path)


def refusal(town: LeakyTown, token: str, env: Mapping[str, str] | None = None) -> str:
    """The one sentence with which a config is refused."""
    town.configure(token)
    said = town.unstuck("check", env=env)
    assert (said.code, said.out) == (2, "")
    [line] = said.err.splitlines()
    assert SECRET not in line
    return line.removeprefix("config.toml: sources.tool.token: ")


def assert_works(town: LeakyTown, token: str, env: Mapping[str, str] | None = None) -> None:
    town.configure(token)
    said = town.unstuck("check", "--live", env=env)
    assert "[secret]" in said.out, said.err  # it was found, and the connector told it


# Where a secret may be


def test_an_environment_variable(town: LeakyTown) -> None:
    assert_works(town, '{ env = "TOOL_TOKEN" }', TOKEN)
    assert "TOOL_TOKEN is not set" in refusal(town, '{ env = "TOOL_TOKEN" }')
    assert "TOOL_TOKEN is not set" in refusal(town, '{ env = "TOOL_TOKEN" }', {"TOOL_TOKEN": " "})


def test_a_backup_needs_none(town: LeakyTown) -> None:
    """It may be another account's job, without any right in the tools."""
    assert town.unstuck("run", env=TOKEN).code == 0
    assert town.unstuck("backup", "backup.db").code == 0


def write_secret(town: LeakyTown, content: str, mode: int = 0o600) -> Path:
    file = town.folder / "token"
    file.write_text(content)
    file.chmod(mode)
    return file


@pytest.mark.parametrize("content", [SECRET, f"{SECRET}\n", f"\ufeff {SECRET}\r\n\n"])
def test_a_file(town: LeakyTown, content: str) -> None:
    write_secret(town, content)
    assert_works(town, '{ file = "token" }')


@pytest.mark.parametrize(
    ("content", "says"),
    [("", "is empty"), (" \n", "is empty"), (f"{SECRET}\n{SECRET}\n", "one line"), ("pässword", "plain text")],
)
def test_a_file_that_holds_no_secret(town: LeakyTown, content: str, says: str) -> None:
    write_secret(town, content)
    assert says in refusal(town, '{ file = "token" }')


def test_a_file_that_is_not_there(town: LeakyTown) -> None:
    assert "cannot be read" in refusal(town, '{ file = "token" }')
    (town.folder / "token").mkdir()
    assert "cannot be read" in refusal(town, '{ file = "token" }')


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o777])
def test_a_file_that_other_accounts_can_use_is_refused(town: LeakyTown, mode: int) -> None:
    file = write_secret(town, SECRET, mode)
    assert refusal(town, '{ file = "token" }').endswith(f"by other accounts; run: chmod 600 {file}")
    (town.folder / "link").symlink_to("token")
    assert "by other accounts" in refusal(town, '{ file = "link" }')
    file.chmod(0o400)
    assert_works(town, '{ file = "link" }')


def test_a_file_of_another_account_is_its_owners_affair(town: LeakyTown, monkeypatch: pytest.MonkeyPatch) -> None:
    """`root:unstuck` with mode 0640, and what systemd hands over, as OpenSSH sees it."""
    file = write_secret(town, SECRET, 0o640)
    owner = file.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert secrets.resolve({"file": "token"}, town.folder, private=True) == SECRET
    monkeypatch.setattr(os, "geteuid", lambda: owner)
    with pytest.raises(NoSecretError, match="by other accounts"):
        secrets.resolve({"file": "token"}, town.folder, private=True)


def test_a_secret_as_kubernetes_mounts_it(town: LeakyTown, monkeypatch: pytest.MonkeyPatch) -> None:
    """`token -> ..data/token`, `..data -> ..2026_11_20`, 0644 and owned by root, on a mount that is read-only."""
    mount = town.folder / "mount"
    (mount / "..2026_11_20").mkdir(parents=True)
    (mount / "..2026_11_20" / "token").write_text(SECRET)
    (mount / "..2026_11_20" / "token").chmod(0o644)
    (mount / "..data").symlink_to("..2026_11_20")
    (mount / "token").symlink_to("..data/token")
    with pytest.raises(NoSecretError, match="by other accounts"):
        secrets.resolve({"file": "mount/token"}, town.folder, private=True)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    assert secrets.resolve({"file": "mount/token"}, town.folder, private=True) == SECRET


def test_what_is_no_secret_may_lie_in_a_file_that_all_read(town: LeakyTown) -> None:
    write_secret(town, "world.json\n", 0o644)
    (town.folder / "config.toml").write_text(
        'rules = ["rules.d/*.toml"]\n[sources.tool]\nsystem = "memory"\nworld = { file = "token" }\n'
        'token = { env = "TOOL_TOKEN" }\n'
    )
    assert town.unstuck("check", env=TOKEN).code == 0


def backend(name: str) -> dict[str, str]:
    return {"PYTHON_KEYRING_BACKEND": name}


def test_a_keyring(town: LeakyTown) -> None:
    assert_works(town, '{ keyring = "https://tool.example/bot" }', backend("tests.sync.leaky.InMemory"))


@pytest.mark.parametrize(
    ("name", "entry", "says"),
    [
        ("tests.sync.leaky.InMemory", "tool/bot", 'no entry "tool" for "bot"; make one with: keyring set tool bot'),
        ("tests.sync.leaky.InMemory", "bot", 'names no entry; write keyring = "service/user"'),
        ("tests.sync.leaky.InMemory", "tool/", 'names no entry; write keyring = "service/user"'),
        ("tests.sync.leaky.Locked", "tool/bot", "no keyring answers here (KeyringLocked)"),
        ("keyring.backends.fail.Keyring", "tool/bot", "no keyring answers here (NoKeyringError)"),
        ("keyring.backends.null.Keyring", "tool/bot", "no entry"),
        ("no.such.module.Keyring", "tool/bot", "no keyring answers here (ModuleNotFoundError)"),
    ],
)
def test_a_keyring_that_does_not_help(town: LeakyTown, name: str, entry: str, says: str) -> None:
    assert says in refusal(town, f'{{ keyring = "{entry}" }}', backend(name))


def test_a_keyring_that_is_not_installed(town: LeakyTown) -> None:
    said = refusal(town, '{ keyring = "tool/bot" }', {WITHOUT_KEYRING: "1"})
    assert said.endswith("is not installed here; install it with: pip install 'unstuck[keyring]'")


# A literal one


CONNECTORS: list[type[Connector]] = [*map(registry.load, registry.names()), LeakyConnector]
WITH_SECRETS = [
    (connector, option.name) for connector in CONNECTORS for option in connector.options if option.kind == "secret"
]
"""Every option of every connector that holds a secret."""


@pytest.mark.parametrize(("connector", "name"), WITH_SECRETS)
@pytest.mark.parametrize("literal", [f'"{SECRET}"', f'["{SECRET}"]', "7", "true"])
def test_a_literal_secret_is_refused_with_the_way_to_do_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connector: type[Connector], name: str, literal: str
) -> None:
    monkeypatch.setattr(registry, "load", lambda _: connector)
    path = tmp_path / "config.toml"
    path.write_text(f'[sources.tool]\nsystem = "any"\n{name} = {literal}\n')
    with pytest.raises(InvalidStop) as stop:
        configs.load(path)
    [line] = [line for line in stop.value.lines if f"sources.tool.{name}:" in line]
    assert line.endswith(f"a secret must not stand in the config itself; write {name} = {secrets.HOW}")
    assert SECRET not in "".join(stop.value.lines)


def test_editors_know_how_a_secret_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load", lambda _: LeakyConnector)
    [source, *_] = schema.config()["properties"]["sources"]["additionalProperties"]["oneOf"]
    token = source["properties"]["token"]
    assert token["type"] == "object"
    assert set(token["properties"]) == set(re.findall(r"{ (\w+) =", secrets.HOW)) == {"env", "file", "keyring"}


# Nowhere to be seen


def everything(town: LeakyTown, said: list[Said]) -> bytes:
    """All that the commands printed, and every file that they left but the one with the secret."""
    printed = "".join(each.out + each.err for each in said).encode()
    files = (path for path in town.folder.rglob("*") if path.is_file() and path.name != "token")
    return printed + b"".join(path.read_bytes() for path in files)


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_shows_nowhere_wherever_its_connector_fails(town: LeakyTown, place: str) -> None:
    town.configure('{ env = "TOOL_TOKEN" }', place)
    commands = (
        ["run", "--apply", "--json"], ["--debug", "run", "--apply"], ["--debug", "check", "--live"],
        ["plan", "-o", "plan.csv"],
    )  # fmt: skip
    said = [town.tolerant(*command, env=TOKEN) for command in commands]
    seen = everything(town, said)
    assert b"[secret]" in seen  # it would have shown, but for us
    for form in (SECRET, "s3cr3t", "made%2Bup", json.dumps(SECRET)):
        assert form.encode() not in seen


def test_a_bug_of_ours_shows_no_secret_even_with_its_traceback(town: LeakyTown) -> None:
    town.configure('{ env = "TOOL_TOKEN" }', "make")
    said = town.tolerant("--debug", "run", env=TOKEN)
    assert said.code == 70
    assert "Traceback" in said.err
    assert "\nRuntimeError: GET https://tool/items?token=[secret] with [secret]\n" in said.err
    assert "s3cr3t" not in said.err


TOKENS = st.text("ABCDEF+/=%&0123456789", min_size=6, max_size=40)


@given(st.lists(TOKENS, min_size=1, max_size=4), st.text("abc ?", min_size=1), st.data())
def test_only_secrets_are_taken_out_of_a_text(hidden: list[str], around: str, data: st.DataObject) -> None:
    known = set(secrets._known)
    try:
        for value in hidden:
            secrets.hide(value)
        said = data.draw(st.lists(st.sampled_from([*hidden, *(quote(value, safe="") for value in hidden)]), max_size=6))
        without = around.join(secrets.HIDDEN for _ in said)
        assert secrets.redacted(around.join(said)) == without
        record = logging.LogRecord("x", logging.DEBUG, "", 0, "%s", (around.join(said),), None)
        assert secrets.Formatter().format(record) == without
    finally:
        secrets._known.clear()
        secrets._known.update(known)
