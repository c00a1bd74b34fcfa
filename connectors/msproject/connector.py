"""Microsoft Project exports: each file a collection, its tasks the items, labels in a copy beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import ClassVar

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
from connectors.errors import ConnectorError, InputError, SetupError, UnsafeError
from connectors.model import Cursor, LabelChange, WorkItem
from connectors.msproject.copies import Copy, Made, look, put, remember
from connectors.msproject.fields import find_field
from connectors.msproject.files import explained, hash_file, make_inbox, steady
from connectors.msproject.parse import File, Setting, open_file, parse_items
from connectors.msproject.reader import Export, read_export, read_head
from connectors.msproject.splice import DEFAULT_FIELD, MAX_VALUE, Bytes, Plan, plan_edits, read_labels, render, survey

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
        label_forbids=";\r\n\t",
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option("path", "the exports to read, such as inbox/*.xml; relative to the config file", required=True),
        Option("copies", "the folder beside each export that labelled copies go into", default="labelled"),
        Option("label_field", "the custom text field that holds labels, by its title or name", default=DEFAULT_FIELD),
        Option("max_mb", "refuse larger files", kind="integer", default=1024),
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
        self._heads: dict[str, Export | ConnectorError] | None = None
        self._pulled: dict[str, str] = {}
        """native_id -> SHA-256 of the input as it was pulled in this run."""

    def check(self) -> Sequence[Notice]:
        """Every export's head, its mapped fields, and whether copies can be written."""
        chosen = self.collections()
        notices = [Notice("fine", f"{len(chosen)} exports match {self._setup.options['path']}")]
        if not chosen:
            notices = [Notice("warning", f"no export matches {self._setup.options['path']}; put one there")]
        for wanted in sorted(set(self._setup.collections) - {name for c in chosen for name in (c.native_id, c.name)}):
            notices.append(Notice("warning", f'there is no export "{wanted}"; correct collections or put it there'))
        for collection in chosen:
            notices += self._check_file(collection.native_id)
        return notices

    def collections(self) -> Sequence[Collection]:
        """The files that match `path`, also those that cannot be read: their `pull` says why."""
        wanted = self._setup.collections
        found = (Collection(name, path.name) for name, path in self._inbox.find().items())
        return [each for each in found if not wanted or each.native_id in wanted or each.name in wanted]

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        """All tasks, or one empty page if neither the file nor its copy changed since `cursor`.

        A changed file is read anew as a whole, so its pages are `full` with or without a cursor.
        """
        name = collection.native_id
        path = self._checked(name)
        copy = look(path, name, self._inbox.copies)
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
                return read_head(stream, name)
        except ConnectorError as error:
            return error

    def _pull_all(self, name: str, path: Path, copy: Copy) -> Iterator[Page]:
        with steady(path, name) as stream:
            export = read_export(stream, name, self._extra)
        try:
            shown = self._shown_labels(copy, export.sha)
            file = open_file(name, export, self._setting)
            self._pulled[name] = export.sha
            as_of = file.as_of.isoformat() if file.as_of else ""
            cursor = Cursor(f"{self._state(export.sha, copy)} {as_of}")
            yield from self._pages(file, shown, cursor, copy.is_outdated(export.sha))
        finally:
            export.close()

    def _pages(
        self, file: File, shown: Mapping[int, tuple[str, ...]], cursor: Cursor, copy_outdated: bool
    ) -> Iterator[Page]:
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

    def _shown_labels(self, copy: Copy, input_sha: str) -> dict[int, tuple[str, ...]]:
        if not copy.shows(input_sha):
            return {}
        with steady(copy.path, copy.name) as stream:
            return read_labels(stream, copy.name, self._setting.label_field)

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
            copy = look(path, name, self._inbox.copies)
        except ConnectorError as error:
            yield Notice("problem", f"{error}")
            return
        head = self._read_heads()[name]
        if isinstance(head, ConnectorError):
            yield Notice("problem", f"{head}")
            return
        for column, wanted in sorted(self._setup.fields.items()):
            if not find_field(wanted, head.definitions):
                yield Notice("warning", f'{name} has no field "{wanted}", so {column} is unknown there')
        if copy.is_foreign:
            yield Notice("warning", f"{_foreign(copy)}")

    # -- writing

    def _apply(self, name: str, path: Path, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        copy = look(path, name, self._inbox.copies)
        wanted = [(self._uid(change, name), change) for change in changes]
        with steady(path, name) as stream:
            found = survey(stream, name, frozenset(uid for uid, _ in wanted if uid is not None))
            if self._pulled.get(name, found.sha) != found.sha:
                message = f"{name} was exported anew since it was read; the next run plans from the new one"
                yield from (ChangeResult(change.ref, Outcome.STALE, message) for change in changes)
                return
            shown = self._shown_labels(copy, found.sha)
            plan = plan_edits(Bytes(stream, found), found, wanted, shown, self._setting.label_field, name)
            digest = sha256()
            for chunk in render(stream, plan.edits):
                digest.update(chunk)
            new = Made(digest.hexdigest(), found.sha)
            yield from _issue(copy, new, plan, render(stream, plan.edits))

    def _uid(self, change: LabelChange, name: str) -> int | None:
        collection, _, uid = change.ref.native_id.rpartition("#")
        known = collection == name and uid.isascii() and uid.isdigit() and change.ref.source == self._setup.name
        return int(uid) if known else None


def _issue(copy: Copy, new: Made, plan: Plan, chunks: Iterator[bytes]) -> Iterator[ChangeResult]:
    """Put the new copy into place if one is due, and say what became of each change."""
    try:
        if copy.sha == new.copy:
            if copy.made[-1:] != (new,):
                remember(copy.path, (new,))
        elif copy.is_foreign:
            plan.results = [_refused(result, copy) for result in plan.results]
        elif copy.sha or plan.edits:
            put(copy, new, chunks)
        elif copy.made:
            remember(copy.path, ())
    except OSError as error:
        raise explained(error, copy.name) from error
    yield from plan.results


def _refused(result: ChangeResult, copy: Copy) -> ChangeResult:
    if result.outcome is Outcome.UNCHANGED:
        return result
    return replace(result, outcome=Outcome.REFUSED, message=_foreign(copy), labels=None)


def _foreign(copy: Copy) -> str:
    return (
        f"{copy.name} is not as we wrote it, so a person changed it or put it there; "
        f"move it away (it is never overwritten), and the next run writes a new copy"
    )


def _extra_elements(fields: Mapping[str, str]) -> frozenset[str]:
    """Elements of tasks that the mapped names may need, beside those that every item needs."""
    found = (find_field(wanted, ()) for wanted in fields.values())
    wanted = ((("Baseline" if each.baseline is not None else each.element),) for each in found if each)
    return frozenset(chain.from_iterable(wanted)) - {""}
