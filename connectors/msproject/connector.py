"""Microsoft Project exports: each file a collection, its tasks the items, labels in a copy beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import BinaryIO, ClassVar

from connectors.base import (
    Capabilities,
    ChangeResult,
    Collection,
    Granularity,
    Notice,
    Option,
    Outcome,
    Page,
    SourceSetup,
)
from connectors.errors import ConnectorError, GoneError, InputError, SetupError, UnsafeError
from connectors.model import Cursor, LabelChange, WorkItem
from connectors.msproject.copies import Copy, Made, look, put, remember
from connectors.msproject.fields import find_field
from connectors.msproject.files import explained, hash_file, make_inbox, steady
from connectors.msproject.kinds import FileKind, Labelled, Mspdi, Shown, kind_of
from connectors.msproject.native import OPTIONS as NATIVE
from connectors.msproject.native import Native
from connectors.msproject.parse import File, Setting, open_file, parse_items
from connectors.msproject.reader import Export
from connectors.msproject.splice import DEFAULT_FIELD, FORBIDDEN, MAX_VALUE

PAGE = 500
MAX_SENTENCES = 100
_READING = "1"
"""Part of every cursor: raise it when the same bytes are read differently, so that files are read anew."""


class MSProjectConnector:
    """Reads `path` of the source; `apply` writes labelled copies into the folder `copies` beside each input."""

    system: ClassVar[str] = "msproject"
    summary: ClassVar[str] = (
        "Microsoft Project exports (XML); labels go into a custom text field of a copy beside each file"
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        writes=Granularity.COLLECTION,
        incremental=True,
        progress=True,
        label_max_length=MAX_VALUE,
        label_forbids=FORBIDDEN,
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option("path", "the exports to read, such as inbox/*.xml; relative to the config file", required=True),
        Option("copies", "the folder beside each export that labelled copies go into", default="labelled"),
        Option("label_field", "the custom text field that holds labels, by its title or name", default=DEFAULT_FIELD),
        Option("max_mb", "refuse larger files", kind="integer", default=1024),
        *NATIVE,
    )

    def __init__(self, setup: SourceSetup) -> None:
        given = {option.name: setup.options.get(option.name, option.default) for option in self.options}
        if not given["path"]:
            raise SetupError("the source has no path", 'give one, such as path = "inbox/*.xml"')
        if setup.timezone is None:
            raise SetupError("the source has no time zone, and Project writes local times", "set timezone")
        self._setup = setup
        self._inbox = make_inbox(setup.folder, given["path"], given["copies"], given["max_mb"])
        self._setting = Setting(setup.name, setup.timezone, setup.fields, setup.statuses, given["label_field"])
        self._setting.check()
        self._extra = _extra_elements(setup.fields)
        native = Native(given, setup.folder, setup.stopping, self._inputs)
        self._kinds: tuple[FileKind, ...] = (native, Mspdi())
        """Those with the plainer signature first."""
        self._heads: dict[str, Export | ConnectorError] | None = None
        self._pulled: dict[str, str] = {}
        """native_id -> SHA-256 of the input as it was pulled in this run."""

    def check(self) -> Sequence[Notice]:
        """Every export's head, its mapped fields, and whether copies can be written."""
        chosen = self.collections()
        notices = [Notice("fine", f"{len(chosen)} exports match {self._setup.options['path']}")]
        if not chosen:
            notices = [Notice("warning", f"no export matches {self._setup.options['path']}; put one there")]
        for collection in chosen:
            notices += self._check_file(collection.native_id)
        return notices

    def collections(self) -> Sequence[Collection]:
        """The files that match `path`, also those that cannot be read: their `pull` says why.

        Raises `GoneError` for one that config names and that is not there.
        """
        wanted = self._setup.collections
        found = [Collection(name, path.name) for name, path in self._inbox.find().items()]
        known = {name for each in found for name in (each.native_id, each.name)}
        for name in wanted:
            if name not in known:
                raise GoneError(f'there is no export "{name}"', "put it there, or correct `collections`")
        return [each for each in found if not wanted or each.native_id in wanted or each.name in wanted]

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        """All tasks, or one empty page if neither the file nor its copy changed since `cursor`.

        A changed file is read anew as a whole, so its pages are `full` with or without a cursor.
        """
        name = collection.native_id
        path = self._checked(name)
        copy = self._copy(name, path)
        if cursor:
            sha = hash_file(path, name)
            state, _, as_of = cursor.value.partition(" ")
            if state == self._state(sha, copy):
                self._pulled[name] = sha
                yield Page(
                    cursor=cursor,
                    complete=True,
                    as_of=datetime.fromisoformat(as_of) if as_of else None,
                    copy_outdated=copy.is_outdated(sha),
                )
                return
        yield from self._pull_all(name, path, copy)

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        """Make the labelled copy show exactly its input and these changes; write nothing if it does already."""
        if not self._setup.writable:
            raise UnsafeError("this run may not write", "allow it with --apply")
        name = collection.native_id
        yield from self._apply(name, self._checked(name), changes)

    def close(self) -> None:
        """Nothing is kept open between calls."""

    # -- reading

    def _checked(self, name: str) -> Path:
        path = self._inbox.checked(name)
        guid = self._guids().get(name)
        twins = [other for other, each in self._guids().items() if guid and each == guid and other != name]
        if twins:
            raise InputError(
                f"{name} and {twins[0]} are exports of the same project",
                "keep the newer one and take the other out of the folder",
            )
        return path

    def _guids(self) -> dict[str, str]:
        heads = self._read_heads()
        return {name: head.head.get("GUID", "").lower() for name, head in heads.items() if isinstance(head, Export)}

    def _read_heads(self) -> dict[str, Export | ConnectorError]:
        if self._heads is None:
            self._heads = {each.native_id: self._read_head(each.native_id) for each in self.collections()}
        return self._heads

    def _read_head(self, name: str) -> Export | ConnectorError:
        try:
            with steady(self._inbox.checked(name), name) as stream:
                return kind_of(stream, name, self._kinds).read_head(stream, name)
        except ConnectorError as error:
            return error

    def _inputs(self) -> Iterator[tuple[str, BinaryIO]]:
        """Opens every export that can be read now, one after the other."""
        for collection in self.collections():
            name = collection.native_id
            with suppress(ConnectorError), steady(self._inbox.checked(name), name) as stream:
                yield name, stream

    def _pull_all(self, name: str, path: Path, copy: Copy) -> Iterator[Page]:
        with steady(path, name) as stream:
            kind = kind_of(stream, name, self._kinds)
            export = kind.read(stream, name, self._extra)
        try:
            shown = self._shown_labels(kind, copy, export.sha)
            file = open_file(name, export, self._setting)
            self._pulled[name] = export.sha
            as_of = file.as_of.isoformat() if file.as_of else ""
            cursor = Cursor(f"{self._state(export.sha, copy)} {as_of}")
            yield from self._pages(file, shown, cursor, copy.is_outdated(export.sha))
        finally:
            export.close()

    def _pages(self, file: File, shown: Shown, cursor: Cursor, copy_outdated: bool) -> Iterator[Page]:
        skipped: list[str] = []
        items: list[WorkItem] = []
        for item in parse_items(file, skipped, shown):
            if len(items) == PAGE:
                yield Page(items=tuple(items), as_of=file.as_of)
                items.clear()
            items.append(item)
        more = len(skipped) - MAX_SENTENCES
        sentences = (
            *skipped[:MAX_SENTENCES],
            *([f"{file.native_id}: {more} more tasks were left out."] if more > 0 else ()),
        )
        last = Page(items=tuple(items), skipped=sentences, cursor=cursor, as_of=file.as_of)
        yield replace(last, complete=True, full=True, copy_outdated=copy_outdated)

    def _shown_labels(self, kind: FileKind, copy: Copy, input_sha: str) -> Shown:
        if not copy.shows(input_sha):
            return {}
        with steady(copy.path, copy.name) as stream:
            return kind.read_labels(stream, copy.name, self._setting.label_field)

    def _copy(self, name: str, path: Path) -> Copy:
        with steady(path, name) as stream:
            kind = kind_of(stream, name, self._kinds)
        return look(path, name, self._inbox.copies, kind.copy_name(path.name))

    def _state(self, input_sha: str, copy: Copy) -> str:
        """What the pages were made from, as one hash."""
        setup = self._setup
        parts = [_READING, input_sha, copy.state, sorted(setup.fields.items()), sorted(setup.statuses.items())]
        text = json.dumps([*parts, self._setting.label_field, str(setup.timezone)])
        return sha256(text.encode()).hexdigest()

    # -- checking

    def _check_file(self, name: str) -> Iterator[Notice]:
        try:
            path = self._checked(name)
            copy = self._copy(name, path)
        except ConnectorError as error:
            yield Notice("problem", f"{error}")
            return
        head = self._read_heads()[name]
        if isinstance(head, ConnectorError):
            yield Notice("problem", f"{head}")
            return
        yield from head.remarks
        for column, wanted in sorted(self._setup.fields.items()):
            if not find_field(wanted, head.definitions):
                yield Notice("warning", f'{name} has no field "{wanted}", so {column} is unknown there')
        if copy.is_foreign:
            yield Notice("warning", f"{_foreign(copy)}")

    # -- writing

    def _apply(self, name: str, path: Path, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        copy = self._copy(name, path)
        wanted = [(self._uid(change, name), change) for change in changes]
        with steady(path, name) as stream:
            kind = kind_of(stream, name, self._kinds)
            sha = self._pulled.get(name) or hash_file(path, name)
            shown = self._shown_labels(kind, copy, sha)
            labelled = kind.label(stream, name, wanted, shown, self._setting.label_field)
            if labelled.sha != sha:
                message = f"{name} was exported anew since it was read; the next run plans from the new one"
                yield from (ChangeResult(change.ref, Outcome.STALE, message) for change in changes)
                return
            yield from _issue(copy, labelled)

    def _uid(self, change: LabelChange, name: str) -> str | None:
        collection, _, uid = change.ref.native_id.rpartition("#")
        return uid if collection == name and change.ref.source == self._setup.name else None


def _issue(copy: Copy, labelled: Labelled) -> Iterator[ChangeResult]:
    """Put the new copy into place if one is due, and say what became of each change."""
    new = Made(labelled.digest(), labelled.sha)
    try:
        if copy.sha == new.copy:
            if copy.made[-1:] != (new,):
                remember(copy.path, (new,))
        elif copy.is_foreign:
            raise _foreign(copy)
        elif copy.sha or labelled.edited:
            put(copy, new, labelled.chunks())
        elif copy.made:
            remember(copy.path, ())
    except OSError as error:
        raise explained(error, copy.name) from error
    yield from labelled.results


def _foreign(copy: Copy) -> UnsafeError:
    return UnsafeError(
        f"{copy.name} is not as we wrote it, so a person changed it or put it there",
        "move it away (it is never overwritten), and the next run writes a new copy",
    )


def _extra_elements(fields: Mapping[str, str]) -> frozenset[str]:
    """Elements of tasks that the mapped names may need, beside those that every item needs."""
    found = (find_field(wanted, ()) for wanted in fields.values())
    wanted = ((("Baseline" if each.baseline is not None else each.element),) for each in found if each)
    return frozenset(chain.from_iterable(wanted)) - {""}
