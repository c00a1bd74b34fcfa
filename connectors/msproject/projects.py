"""Which files are exports of one project: `Portfolio (3).xml` continues `Portfolio.xml`.

Nothing in a file names its project reliably: copies that became other projects keep its GUID and its title, and older
versions write none (docs/decisions/18-many-exports-one-project.md). So the file's name decides, without the marks that
browsers, Explorer and people add to it, unless config says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Literal

Identity = Literal["name", "file", "guid", "title"]
IDENTITIES: tuple[Identity, ...] = ("name", "file", "guid", "title")

_COPY = "copy|kopie|copie|copia|cópia|копия"
_MONTH, _DAY, _TIME = r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])", r"[0-2]\d[-_.h]?[0-5]\d(?:[-_.]?[0-5]\d)?"
_DATE = (
    rf"20\d\d[-_.]?{_MONTH}(?:[-_.]?{_DAY}(?:[ T_-]?{_TIME})?)?"
    rf"|{_DAY}[-_.]{_MONTH}[-_.]20\d\d"
    rf"|{_MONTH}[-_.]20\d\d"
)
_BEFORE = re.compile(rf"(?:(?:{_COPY}) (?:of|von|de) |(?:{_DATE})(?!\d)[ _.-]*)", re.IGNORECASE)
_AFTER = re.compile(rf"(?:\s*\(\d{{1,3}}\)|\s+-\s+(?:{_COPY})|[ _.-]+(?:{_DATE}))$", re.IGNORECASE)


def plain_name(name: str) -> str:
    """A path without what does not tell one project from another: counters, marks of a copy, and dates.

    Days and months of this century, at the start or at the end; a year alone is part of the name, and so is everything
    where nothing else would be left.
    """
    path = PurePosixPath(name)
    stem, before = path.stem, ""
    while stem != before:
        before = stem
        lead = _BEFORE.match(stem)
        stem = _AFTER.sub("", stem[lead.end() :] if lead else stem).strip(" ") or before
    return str(path.with_name(stem + path.suffix))


@dataclass(frozen=True, slots=True)
class Project:
    """The exports of one project: one collection."""

    native_id: str
    name: str
    """For people."""
    files: tuple[str, ...]
    """By their paths below the source's folder; sorted by name."""
    copy: str
    """The name of its labelled copy, as a path below the source's folder with the suffix of an export."""


def group(files: Iterable[str], identity: Identity, head: Callable[[str], Mapping[str, str]]) -> dict[str, Project]:
    """native_id -> project, sorted. `head` has a file's GUID and Title, where it has them and can be read."""
    found: dict[str, list[str]] = {}
    for name in files:
        found.setdefault(_identify(name, identity, head), []).append(name)
    return {native_id: _project(native_id, found[native_id], identity) for native_id in sorted(found)}


def _identify(name: str, identity: Identity, head: Callable[[str], Mapping[str, str]]) -> str:
    if identity == "file":
        return name
    if identity == "guid" and (guid := head(name).get("GUID", "").strip("{}").lower()):
        return guid
    if identity == "title" and (title := head(name).get("Title", "")):
        return title
    return plain_name(name)


def _project(native_id: str, files: list[str], identity: Identity) -> Project:
    plain = files[0] if identity == "file" else plain_name(files[0])
    if native_id == plain:
        return Project(native_id, PurePosixPath(plain).name, tuple(files), plain)
    mark = sha256(native_id.encode()).hexdigest()[:6]
    clean = re.sub(r"[^\w .-]", "_", native_id).strip(" .")[:100]
    return Project(native_id, native_id, tuple(files), f"{clean}-{mark}{PurePosixPath(plain).suffix}")
