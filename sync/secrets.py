"""Secrets: fetched from where config points to, and kept out of everything that is printed, logged or stored.

Config holds references only: `{ env = "NAME" }`, `{ file = "PATH" }`, `{ keyring = "service/user" }`.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

HOW = '{ env = "NAME" }, { file = "PATH" } or { keyring = "service/user" }'
"""The references that config may hold."""

HIDDEN = "[secret]"
_LEAST = 6
"""What is shorter would also be found within ordinary words; no tool hands out tokens so short."""

_known: set[str] = set()
"""Every secret of this process, as it is and as URLs hold it. Logging is one for the whole process, and so is this."""


class NoSecretError(Exception):
    """A reference leads to no usable secret. The message says why and what to do, and holds nothing of the secret."""


def resolve(reference: Mapping[str, Any], folder: Path, *, private: bool) -> str:
    """What a reference stands for; relative paths start in `folder`. Raises `NoSecretError`.

    `private`: it is a secret, so that it is hidden from now on, and a file that others can read is refused.
    """
    match list(reference.items()):
        case [("env", str(name))]:
            value, place = _from_environment(name), f"the environment variable {name}"
        case [("file", str(name))]:
            value, place = _from_file(folder / name, private=private), f"the file {folder / name}"
        case [("keyring", str(name))]:
            value, place = _from_keyring(name), f'the keyring\'s entry "{name}"'
        case _:
            raise NoSecretError(f"must be {HOW}")
    if private:
        _refuse_unfit(value, place)
        hide(value)
    return value


def is_reference(given: object) -> bool:
    """Whether config points to a secret, be it there or not."""
    match [*given.items()] if isinstance(given, dict) else []:
        case [("env" | "file" | "keyring", str(name))]:
            return bool(name)
    return False


def _from_environment(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise NoSecretError(f"the environment variable {name} is not set; set it where unstuck runs")
    return value


def _from_file(path: Path, *, private: bool) -> str:
    try:
        value = path.read_text(encoding="utf-8-sig").strip()
        if private and _is_ours_and_open(path):
            raise NoSecretError(f"the file {path} can be read or changed by other accounts; run: chmod 600 {path}")
    except (OSError, UnicodeDecodeError) as error:
        raise NoSecretError(f"the file {path} cannot be read; create it, or correct the path") from error
    if not value:
        raise NoSecretError(f"the file {path} is empty; put the secret into it")
    return value


def _is_ours_and_open(path: Path) -> bool:
    """Whether other accounts can use a file that this one could have closed to them.

    The rule of OpenSSH for private keys: who else's file it is, decides who reads it (`root:unstuck`, mode 0640). A
    file on a read-only mount is nobody's to close: so Kubernetes and Docker mount secrets, 0644 or 0444.
    https://github.com/openssh/openssh-portable/blob/master/authfile.c (sshkey_perm_ok)
    """
    found = path.stat()
    read_only = os.statvfs(path).f_flag & os.ST_RDONLY
    return found.st_uid == os.geteuid() and bool(stat.S_IMODE(found.st_mode) & 0o077) and not read_only


def _from_keyring(name: str) -> str:
    service, _, user = name.rpartition("/")
    if not service or not user:
        raise NoSecretError(f'"{name}" names no entry; write keyring = "service/user"')
    value = (_ask_keyring(service, user) or "").strip()
    if not value:
        raise NoSecretError(
            f'the keyring has no entry "{service}" for "{user}"; make one with: keyring set {service} {user}'
        )
    return value


def _ask_keyring(service: str, user: str) -> str | None:
    try:
        import keyring
    except ImportError as error:
        raise NoSecretError(
            "the package keyring is not installed here; install it with: pip install 'unstuck[keyring]'"
        ) from error
    try:
        return keyring.get_password(service, user)
    except Exception as error:  # backends raise errors of their own, which may say more than is good
        raise NoSecretError(
            f"no keyring answers here ({type(error).__name__}); unlock or set one up for this account "
            "(cron has no desktop), or use env or file"
        ) from error


def _refuse_unfit(value: str, place: str) -> None:
    """A token is one line of ASCII: with anything else in it, HTTP libraries refuse the header and print it whole."""
    if not value.isprintable() or not value.isascii():
        raise NoSecretError(f"{place} holds more than one line of plain text; put the secret there alone")


# Hiding


def hide(value: str) -> None:
    """From now on, `redacted` and the log show this value no more."""
    if len(value) >= _LEAST:
        _known.update((value, quote(value, safe="")))


def redacted(text: str) -> str:
    """The text without any secret. The last line of defence: whoever handles a secret keeps it out of texts anyway."""
    longest_first = sorted(_known, key=len, reverse=True)  # one may be part of another
    return re.sub("|".join(map(re.escape, longest_first)), HIDDEN, text) if longest_first else text


class Formatter(logging.Formatter):
    """Log lines and their tracebacks, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def print_traceback(error: BaseException) -> None:
    """As Python would, on stderr, without secrets."""
    sys.stderr.write(redacted("".join(traceback.format_exception(error))))
