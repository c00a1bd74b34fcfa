"""Microsoft Project exports: each file a collection, its tasks the items, labels in a copy beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import ClassVar, Self

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
from connectors.errors import ConnectorError, SetupError, UnsafeError
from connectors.model import Cursor, LabelChange, WorkItem
from connectors.msproject.copies import Place, look
from connectors.msproject.exports import Exports, Member
from connectors.msproject.fields import find_definition, find_field
from connectors.msproject.files import archive, explained, hash_file, make_inbox, steady
from connectors.msproject.kinds import FileKind, Mspdi, Shown, kind_of
from connectors.msproject.native import OPTIONS as NATIVE
from connectors.msproject.native import Native
from connectors.msproject.overwriting import OVER_INPUT, look_over
from connectors.msproject.parse import File, Setting, open_file, parse_items, parse_uids
from connectors.msproject.projects import IDENTITIES, Project
from connectors.msproject.reader import Export
from connectors.msproject.splice import DEFAULT_FIELD, FORBIDDEN, MAX_VALUE
from connectors.msproject.tables.options import TABLE_OPTIONS, make_tables
from connectors.wording import many

PAGE = 500
MAX_SENTENCES = 100
_READING = "1"
"""Part of every cursor: raise it when the same bytes are read differently, so that files are read anew."""
BESIDE = "copies beside the input files"


class MSProjectConnector:
    """Reads `path` of the source; `apply` writes labelled copies into the folder `copies` beside each input.

    Only if config says so in as many words, it writes into the inputs themselves (`connectors.msproject.overwriting`).
    """

    system: ClassVar[str] = "msproject"
    summary: ClassVar[str] = (
        "files of Microsoft Project (XML; with Java .mpp, .mpx, and Primavera's .xer), and workbooks and CSV of "
        "Project, Planner and others; labels go into a copy beside each file"
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        writes=Granularity.COLLECTION,
        incremental=True,
        progress=True,
        label_max_length=MAX_VALUE,
        label_forbids=FORBIDDEN,
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option("path", "the exports to read, such as inbox/*.xml; relative to the config file", "files", required=True),
        Option("copies", "the folder beside each export that labelled copies go into", default="labelled"),
        Option(
            "labels_go_into",
            f'"{BESIDE}", or, in these very words, "{OVER_INPUT}"',
            default=BESIDE,
        ),
        Option("originals", "the folder beside each export for those backups", default="before-labels"),
        Option("label_field", "the custom text field that holds labels, by its title or name", default=DEFAULT_FIELD),
        Option("max_mb", "refuse larger files", kind="integer", default=1024),
        Option(
            "identity",
            "what makes files exports of one project: name (without counters and dates), file, guid or title",
            default="name",
        ),
        Option("task_key", "the field that tells tasks apart, if not their Unique ID, such as GUID"),
        Option("archive", "the folder beside the exports that older ones are moved into once they are history"),
        Option("settle_seconds", "how long a new file must have been left alone", kind="integer", default=2),
        *NATIVE,
        *TABLE_OPTIONS,
    )

    def __init__(self, setup: SourceSetup) -> None:
        given = {option.name: setup.options.get(option.name, option.default) for option in self.options}
        if not given["path"]:
            raise SetupError("the source has no path", 'give one, such as path = "inbox/*.xml"')
        if setup.timezone is None:
            raise SetupError("the source has no time zone, and Project writes local times", "set timezone")
        if given["identity"] not in IDENTITIES:
            raise SetupError(f'identity = "{given["identity"]}" is not known', f"choose of {', '.join(IDENTITIES)}")
        if given["labels_go_into"] not in (BESIDE, OVER_INPUT):
            said = f'labels_go_into = "{given["labels_go_into"]}" is neither of the two that it can be'
            raise SetupError(said, f'write "{BESIDE}" or, to have your files written over, "{OVER_INPUT}"')
        self._setup = setup
        self._given = given
        self._inbox = make_inbox(setup.folder, given)
        task_key = given["task_key"]
        self._setting = Setting(
            setup.name, setup.timezone, setup.fields, setup.statuses, given["label_field"], task_key
        )
        self._setting.check()
        self._extra = _extra_elements([*setup.fields.values(), *([task_key] if task_key else [])])
        self._exports = Exports(self._inbox, given["identity"], setup.collections, setup.timezone, self._read_head)
        native = Native(given, setup.folder, setup.stopping, self._exports.streams)
        self._kinds: tuple[FileKind, ...] = (*make_tables(given, setup.fields), native, Mspdi())
        """Those with the plainer signature first."""
        self._pulled: dict[str, str] = {}
        """native_id -> SHA-256 of the newest input as it was pulled in this run."""

    def check(self) -> Sequence[Notice]:
        """Every project's newest head, its mapped fields, and whether copies can be written."""
        chosen = self._exports.projects
        files = sum(len(project.files) for project in chosen.values())
        told = f"{many(files, 'export')} in {self._given['path']}" + (
            f", of {len(chosen)} projects" if len(chosen) < files else ""
        )
        notices = [Notice("fine", told)]
        if not chosen:
            notices = [Notice("warning", f"no export matches {self._given['path']}; put one there")]
        for project in chosen.values():
            notices += self._check_project(project)
        return notices

    def collections(self) -> Sequence[Collection]:
        """The projects whose exports match `path`, also those that cannot be read: their `pull` says why.

        Raises `GoneError` for one that config names and that is not there.
        """
        return [Collection(project.native_id, project.name) for project in self._exports.projects.values()]

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        """All tasks of the newest export, or one empty page if no export nor the copy changed since `cursor`.

        Older exports that were not read yet come before it, as pages of the past. A changed file is read anew as a
        whole, so its pages are `full` with or without a cursor.
        """
        project = self._exports.project(collection.native_id)
        members = self._exports.members(project)
        place = self._place(project, members[-1])
        start = 0
        if cursor:
            came = Came.of(cursor)
            shas = [hash_file(each.path, each.name) for each in members]
            start = came.first_to_read([place.origin(sha) for sha in shas])
            self._archive(members[:start])
            if came.state == self._state(shas[-1], place) and start == len(members) - 1:
                self._pulled[project.native_id] = shas[-1]
                outdated = place.is_outdated(shas[-1], has_field=self._has_field(members[-1]))
                yield Page(cursor=cursor, complete=True, as_of=came.as_of, copy_outdated=outdated)
                return
        self._exports.settle(project.files, self._given["settle_seconds"], self._setup.stopping)
        yield from self._pull_all(project, members, start, place)

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        """Make the labelled copy show exactly its input and these changes; write nothing if it does already.

        Where labels go into the input, make it show these changes beside what people did to it.
        """
        if not self._setup.writable:
            raise UnsafeError("this run may not write", "allow it with --apply")
        yield from self._apply(self._exports.project(collection.native_id), changes)

    def close(self) -> None:
        """Nothing is kept open between calls."""

    # -- reading

    def _read_head(self, path: Path, name: str) -> Export:
        with steady(path, name) as stream:
            return kind_of(stream, name, self._kinds).read_head(stream, name)

    def _pull_all(self, project: Project, members: Sequence[Member], start: int, place: Place) -> Iterator[Page]:
        """The past from member `start` on, and the present."""
        *past, newest = members
        shas = [hash_file(each.path, each.name) for each in past]
        for member in past[start:]:
            yield from self._pull_past(project, member)
        with self._reading(project, newest) as (kind, file):
            sha = file.export.sha
            shown = place.shown(kind, sha, self._setting.label_field)
            self._pulled[project.native_id] = sha
            as_of = newest.as_of if past else file.as_of
            came = Came(self._state(sha, place), as_of, frozenset(short(place.origin(each)) for each in [*shas, sha]))
            outdated = place.is_outdated(sha, has_field=self._has_field(newest))
            last = Page(cursor=came.cursor, as_of=as_of, complete=True, full=True, copy_outdated=outdated)
            yield from self._pages(file, shown, last)

    def _pull_past(self, project: Project, member: Member) -> Iterator[Page]:
        with self._reading(project, member) as (_, file):
            items = parse_items(file, [], {})
            while page := tuple(islice(items, PAGE)):
                yield Page(items=page, as_of=member.as_of, past=True)

    @contextmanager
    def _reading(self, project: Project, member: Member) -> Iterator[tuple[FileKind, File]]:
        """An export, read. Raises `InputError`, and `BusyError` if somebody wrote to it meanwhile."""
        with steady(member.path, member.name) as stream:
            kind = kind_of(stream, member.name, self._kinds)
            export = kind.read(stream, member.name, self._extra)
        try:
            yield kind, open_file(project.native_id, member.name, export, self._setting)
        finally:
            export.close()

    def _pages(self, file: File, shown: Shown, last: Page) -> Iterator[Page]:
        skipped: list[str] = []
        items: list[WorkItem] = []
        for item in parse_items(file, skipped, shown):
            if len(items) == PAGE:
                yield Page(items=tuple(items), as_of=last.as_of)
                items.clear()
            items.append(item)
        more = len(skipped) - MAX_SENTENCES
        sentences = (
            *skipped[:MAX_SENTENCES],
            *([f"{file.name}: {more} more tasks were left out."] if more > 0 else ()),
        )
        yield replace(last, items=tuple(items), skipped=sentences)

    def _archive(self, members: Sequence[Member]) -> None:
        """Move exports away that were read in an earlier run, if config says so: by now the store surely has them."""
        folder = self._given["archive"]
        if not (folder and self._setup.writable):
            return
        for member in members:
            try:
                archive(member.path, folder)
            except OSError as error:
                raise explained(error, member.name) from error

    def _place(self, project: Project, newest: Member) -> Place:
        with steady(newest.path, newest.name) as stream:
            kind = kind_of(stream, newest.name, self._kinds)
        if self._given["labels_go_into"] == OVER_INPUT:
            return look_over(self._inbox, kind.copy_name(project.copy), newest.name, can=kind.labels_itself)
        return look(self._inbox, kind.copy_name(project.copy))

    def _has_field(self, newest: Member) -> bool:
        """Whether the newest export has the field that carries labels."""
        definitions = self._exports.head(newest.name).definitions
        return find_definition(self._setting.label_field, definitions) is not None

    def _state(self, input_sha: str, place: Place) -> str:
        """What the pages were made from, as one hash."""
        setup = self._setup
        parts = [_READING, input_sha, place.state, sorted(setup.fields.items()), sorted(setup.statuses.items())]
        parts += [self._setting.label_field, str(setup.timezone), *filter(None, [self._setting.task_key])]
        text = json.dumps(parts)
        return sha256(text.encode()).hexdigest()

    # -- checking

    def _check_project(self, project: Project) -> Iterator[Notice]:
        try:
            *past, newest = self._exports.members(project)
            place = self._place(project, newest)
            head = self._exports.head(newest.name)
        except ConnectorError as error:
            yield Notice("problem", f"{error}")
            return
        if past:
            yield Notice(
                "fine", f"{newest.name} of {newest.as_of:%F} is the newest of {project.name}; older ones are history"
            )
        yield from self._remarks(newest)
        for column, wanted in sorted(self._setup.fields.items()):
            if not find_field(wanted, head.definitions):
                yield Notice("warning", f'{newest.name} has no field "{wanted}", so {column} is unknown there')
        yield from place.notices()

    def _remarks(self, newest: Member) -> Iterator[Notice]:
        """How a file is read, of which the last row may have something to tell."""
        try:
            with steady(newest.path, newest.name) as stream:
                export = kind_of(stream, newest.name, self._kinds).read(stream, newest.name, self._extra)
        except ConnectorError as error:
            yield Notice("problem", f"{error}")
            return
        export.close()
        yield from export.remarks

    # -- writing

    def _apply(self, project: Project, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        newest = self._exports.members(project)[-1]
        place = self._place(project, newest)
        uids = self._uids(project, newest) if self._setting.task_key else None
        wanted = [(self._uid(change, project, uids), change) for change in changes]
        with steady(newest.path, newest.name) as stream:
            kind = kind_of(stream, newest.name, self._kinds)
            sha = self._pulled.get(project.native_id) or hash_file(newest.path, newest.name)
            shown = place.shown(kind, sha, self._setting.label_field)
            labelled = kind.label(stream, newest.name, wanted, shown, self._setting.label_field)
            if labelled.sha != sha:
                message = f"{newest.name} was exported anew since it was read; the next run plans from the new one"
                yield from (ChangeResult(change.ref, Outcome.STALE, message) for change in changes)
                return
            sha = place.put(kind, stream, labelled, wanted, self._setting.label_field)
            self._pulled[project.native_id] = sha
            yield from labelled.results

    def _uid(self, change: LabelChange, project: Project, uids: Mapping[str, str] | None) -> str | None:
        """The UID of a change's task: `None` if its ref names none of this project."""
        start = f"{project.native_id}#"
        if not change.ref.native_id.startswith(start) or change.ref.source != self._setup.name:
            return None
        key = change.ref.native_id.removeprefix(start)
        return key if uids is None else uids.get(key)

    def _uids(self, project: Project, newest: Member) -> Mapping[str, str]:
        """Task key -> UID."""
        with self._reading(project, newest) as (_, file):
            return parse_uids(file)


@dataclass(frozen=True, slots=True)
class Came:
    """What a cursor says: what came of the last pull."""

    state: str
    """What the pages were made from, as one hash."""
    as_of: datetime | None
    read: frozenset[str]
    """The exports that were read, by the start of their SHA-256."""

    @classmethod
    def of(cls, cursor: Cursor) -> Self:
        state, as_of, *read = [*cursor.value.split(" "), ""][:3]
        return cls(state, datetime.fromisoformat(as_of) if as_of else None, frozenset("".join(read).split(",")))

    @property
    def cursor(self) -> Cursor:
        return Cursor(f"{self.state} {self.as_of.isoformat() if self.as_of else ''} {','.join(sorted(self.read))}")

    def first_to_read(self, shas: Sequence[str]) -> int:
        """The first of a project's exports that is to be read: what moved is seen from the one before a new one on."""
        new = [at for at, sha in enumerate(shas[:-1]) if short(sha) not in self.read]
        if not new:
            last_is_new = short(shas[-1]) not in self.read
            return max(len(shas) - 1 - last_is_new, 0)
        return max(new[0] - 1, 0)


def short(sha: str) -> str:
    return sha[:16]


def _extra_elements(names: Iterable[str]) -> frozenset[str]:
    """Elements of tasks that the mapped names may need, beside those that every item needs."""
    found = (find_field(wanted, ()) for wanted in names)
    wanted = ((("Baseline" if each.baseline is not None else each.element),) for each in found if each)
    return frozenset(chain.from_iterable(wanted)) - {""}
