"""Smartsheet: each sheet a collection, its rows the items, labels in a multi-select column of the sheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from connectors.base import (
    Capabilities,
    ChangeResult,
    Collection,
    Cost,
    Dated,
    Granularity,
    Notice,
    Option,
    Page,
    SourceSetup,
)
from connectors.errors import ConnectorError, SetupError, UnsafeError
from connectors.model import Cursor, ItemRef, LabelChange
from connectors.smartsheet.api import BASE_URL, Api, Json
from connectors.smartsheet.columns import LABELS, Layout, Roles, lay_out
from connectors.smartsheet.dating import date_rows
from connectors.smartsheet.fresh import READERS, Fresh
from connectors.smartsheet.reading import Seen, parse_cursor, read
from connectors.smartsheet.rows import Setting, Sheet
from connectors.smartsheet.writing import (
    BATCH,
    FORBIDDEN,
    LONGEST,
    Writing,
    check_columns,
    missing_columns,
    problems,
)
from connectors.turn import alone
from connectors.wording import many

DEFAULT_LABELS = "PMO labels"
DEFAULT_ROWS = 1000
DEFAULT_HISTORIES = 30
"""Rows: with two histories of ten requests each, two minutes of what a token may ask for."""


class SmartsheetConnector:
    """Reads sheets whole when their version moved; writes into at most three columns that config names."""

    system: ClassVar[str] = "smartsheet"
    summary: ClassVar[str] = "Smartsheet; labels go into a multi-select column of each sheet, at wish also a flag."
    capabilities: ClassVar[Capabilities] = Capabilities(
        writes=Granularity.ITEM,
        incremental=True,
        progress=True,
        batch=BATCH,
        label_max_length=LONGEST,
        label_forbids=FORBIDDEN,
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option("token", "an API access token of the account that reads and writes", "secret", required=True),
        Option("base_url", "where the account's region is served", default=BASE_URL),
        Option("workspaces", "read the sheets of these workspaces too, by id or name", "list of text"),
        Option("folders", "read the sheets of these folders too, by id", "list of text"),
        Option("reports", "read the sheets that these reports draw from too, by id or name", "list of text"),
        Option("label_column", "the multi-select column for labels, by title or id", default=DEFAULT_LABELS),
        Option("flag_column", "a checkbox or flag column, ticked while a row has a label of ours"),
        Option("reason_column", "a text column that says why, in one line"),
        Option("page_rows", "how many rows to ask for at a time", "integer", default=DEFAULT_ROWS),
        Option(
            "history_rows",
            "of how many rows a run may ask the history, to know exactly since when they are stuck; 0 for none",
            "integer",
            default=DEFAULT_HISTORIES,
        ),
    )

    def __init__(self, setup: SourceSetup) -> None:
        self._setup = setup
        given = {option.name: setup.options.get(option.name) or option.default for option in self.options}
        limit = setup.options.get("history_rows")
        self._histories_left = DEFAULT_HISTORIES if limit is None else int(limit)
        self._places: dict[str, Sequence[str]] = {
            kind: [str(name) for name in given[kind] or ()] for kind in ("workspaces", "folders", "reports")
        }
        self._label_column = str(given["label_column"])
        own = (self._label_column, str(given["flag_column"] or ""), str(given["reason_column"] or ""))
        self._roles = Roles(setup.fields, *own)
        self._roles.check()
        self._setting = Setting(setup.name, setup.timezone, setup.statuses)
        self._page_rows = max(1, int(given["page_rows"]))
        self._api = Api(setup)
        self._listed: dict[str, Json] = {}
        """The account's sheets, as they were listed in this run."""
        self._seen: dict[str, Seen] = {}
        """The sheets as the store has them."""
        self._layouts: dict[str, Layout] = {}
        self._fresh: dict[str, Fresh] = {}
        """What is known of the rows of the sheet that was written last: the next changes may be in it too."""

    def check(self) -> Sequence[Notice]:
        """Who we are, and for each sheet which column is what, and whether labels can be written."""
        chosen = self.collections()
        notices = [Notice("fine", f"{self._api.who()} sees {many(len(self._listed), 'sheet')} and reads {len(chosen)}")]
        if not chosen:
            notices.append(Notice("warning", "no sheet is shared with this account; share one with it"))
        for collection in chosen:
            notices += self._check_sheet(collection)
        return notices

    def collections(self) -> Sequence[Collection]:
        self._listed = {str(sheet["id"]): sheet for sheet in self._api.sheets()}
        wanted = self._wanted()
        return [
            Collection(number, str(sheet.get("name") or number), sheet.get("permalink"))
            for number, sheet in sorted(self._listed.items())
            if wanted is None or number in wanted
        ]

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        """All rows of a sheet whose version moved; one empty page of a sheet as it was."""
        number, known = collection.native_id, parse_cursor(cursor)
        if known and self._version(number) == known.version:
            self._seen[number] = known
            yield Page(cursor=cursor, complete=True)
            return
        layout = self._layout(number, known)
        self._fresh.pop(number, None)
        self._refuse_lost_labels(layout, known)
        sheet = Sheet(number, collection.name, layout, self._setting)
        for page, seen in read(self._api, sheet, self._page_rows):
            if seen:
                self._seen[number] = seen
            yield page

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        """Alone: who writes into a sheet that the same token is writing into is refused (4004).

        https://developers.smartsheet.com/api/smartsheet/guides/advanced-topics/scalability-options
        """
        if not self._setup.writable:
            raise UnsafeError("this run may not write", "start it with --apply")
        number = collection.native_id
        layout = self._known_layout(number)
        check_columns(layout)
        fresh = self._fresh.pop(number, None) or Fresh(self._api, number, layout)
        fresh.seen = self._seen.pop(number, None)
        with alone(self.system, number, self._setup.stopping):
            yield from Writing(self._api, number, layout, fresh).write(changes)
        self._fresh = {number: fresh}
        if fresh.seen:
            self._seen[number] = fresh.seen

    def date(self, collection: Collection, refs: Sequence[ItemRef]) -> Iterator[Dated]:
        """By the histories of cells, of `history_rows` rows in a run."""
        number, asked = collection.native_id, refs[: max(0, self._histories_left)]
        if not asked:
            return
        self._histories_left -= len(asked)
        layout = self._known_layout(number)
        rows = [ref.native_id for ref in asked]
        for ref, (_, since) in zip(asked, date_rows(self._api, number, layout, rows), strict=True):
            yield Dated(ref, since)

    def prepare(self, collection: Collection, *, really: bool) -> Sequence[str]:
        """Add the columns for labels that config names and the sheet does not have."""
        number = collection.native_id
        columns = self._api.columns(number)
        wanted = missing_columns(lay_out(columns, self._roles, {}))
        if wanted and really:
            with alone(self.system, number, self._setup.stopping):
                self._api.add_columns(number, [one.as_json(at=len(columns)) for one in wanted])
        return [str(one) for one in wanted]

    @property
    def traffic(self) -> Cost:
        return self._api.traffic

    def close(self) -> None:
        self._api.close()

    # Which sheets

    def _wanted(self) -> set[str] | None:
        """The ids of the sheets that config names, one by one or by where they are; `None` for all."""
        names = self._setup.collections
        if not names and not any(self._places.values()):
            return None
        wanted = {chosen(name, [*self._listed.values()], "sheet") for name in names}
        for name in self._places["workspaces"]:
            wanted |= self._api.sheets_below("workspaces", chosen(name, self._api.workspaces(), "workspace"))
        for name in self._places["folders"]:
            wanted |= self._api.sheets_below("folders", name)
        for name in self._places["reports"]:
            wanted |= self._api.sheets_of_report(chosen(name, self._api.reports(), "report"))
        return wanted

    # One sheet

    def _version(self, number: str) -> int:
        """The sheet's version: of the listing, which one request gives for all sheets, or asked for."""
        listed = self._listed.get(number, {}).get("version")
        return listed if isinstance(listed, int) else self._api.version(number)

    def _layout(self, number: str, known: Seen | None) -> Layout:
        self._layouts[number] = lay_out(self._api.columns(number), self._roles, known.columns if known else {})
        return self._layouts[number]

    def _known_layout(self, number: str) -> Layout:
        """As it was found in this run; asked for where the sheet was not read, as it did not change."""
        return self._layouts.get(number) or self._layout(number, self._seen.get(number))

    def _refuse_lost_labels(self, layout: Layout, known: Seen | None) -> None:
        """A label column that is gone is not people taking every label off."""
        column = layout[LABELS]
        if known and LABELS in known.columns and (column is None or column.type != "MULTI_PICKLIST"):
            raise SetupError(
                f'the column "{self._label_column}" with our labels is gone from the sheet, or is of another type now',
                "put it back, or take unstuck off the sheet with `unstuck retire`",
            )

    # Checking

    def _check_sheet(self, collection: Collection) -> Iterator[Notice]:
        try:
            columns = self._api.columns(collection.native_id)
            layout = lay_out(columns, self._roles, {})
        except ConnectorError as error:
            yield Notice("problem", f"{collection.name}: {error}")
            return
        yield Notice("fine", f"{collection.name}: {described(layout)}")
        for role, name in sorted(layout.missing.items() & self._setup.fields.items()):
            yield Notice("warning", f'{collection.name} has no column "{name}", so {role} is unknown there')
        status = layout["status"]
        if status and status.formula:
            yield Notice("warning", f"{collection.name}: the {status} is a formula; its changes are seen by us only")
        level = str(self._listed.get(collection.native_id, {}).get("accessLevel") or "")
        if level in READERS:
            yield Notice("warning", f"{collection.name} is shared with us as {level.lower()}: no label can be written")
        for problem in problems(layout):
            yield Notice("warning", f"{collection.name}: {problem}")


def described(layout: Layout) -> str:
    """Which column is what, for people; guesses are marked."""
    parts = [
        f'{role} is "{column.title}"{" (guessed)" if role in layout.guessed else ""}'
        for role, column in sorted(layout.columns.items())
    ]
    return ", ".join(parts) or "no column is known"


def chosen(name: str, found: Sequence[Json], kind: str) -> str:
    """The id of what config calls `name`. Raises `SetupError` if nothing is called so, or several things are."""
    fitting = [one for one in found if name == str(one["id"])] or [one for one in found if name == one.get("name")]
    if not fitting:
        raise SetupError(f'there is no {kind} "{name}" that this account sees', "correct its name, or share it")
    if len(fitting) > 1:
        ids = " or ".join(str(one["id"]) for one in fitting)
        raise SetupError(f'there are {len(fitting)} {kind}s called "{name}"', f"name the one meant by its id: {ids}")
    return str(fitting[0]["id"])
