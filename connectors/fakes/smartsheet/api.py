"""The server: every request is noted, let in or not, and led to what answers it."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.fakes.server import Answer, FakeServer, Request
from connectors.fakes.smartsheet import shapes
from connectors.fakes.smartsheet.account import TOKEN, US, Account, Cell, Place, Row, Sheet
from connectors.fakes.smartsheet.refusals import RefusalError
from connectors.fakes.smartsheet.shapes import Ask, listed_sheet, sheet_json, stamp
from connectors.fakes.smartsheet.writing import add_columns, update_rows

Json = dict[str, Any]

Handler = Callable[..., Answer]
"""Takes the request, and the ids that its path names."""


@dataclass
class Quirks:
    """What a real account does on some days."""

    listing_by_token: bool = False
    """`GET /sheets` pages by `lastKey`, as it is announced to."""
    listing_page: int = 100_000
    no_versions: bool = False
    """The listing has no versions."""
    past_the_end: str = "last"
    """A page past the end is the `last` page again, or `empty`."""
    largest_page: int = 100_000
    """Rows of a sheet in one answer, whatever is asked for."""
    between_pages: list[Callable[[], None]] = field(default_factory=list)
    """What people do before the second page of a sheet, each once."""
    history_page: int = 100
    """Entries of a cell's history in one answer, whatever is asked for."""
    oldest_first: bool = False
    """A cell's history begins with its first value; which comes first is not documented."""
    slow_write: float = 0.0
    """Seconds that a write takes."""


@dataclass
class Script:
    """An answer out of the ordinary for the next requests of a kind."""

    answer: Answer
    times: int
    method: str
    path: str

    def takes(self, request: Request) -> bool:
        return self.times > 0 and self.method in ("", request.method) and self.path in request.path


class Smartsheet:
    """One account at `url`, until it is closed."""

    def __init__(
        self,
        account: Account | None = None,
        *,
        judge: Callable[[Request, Answer], None] | None = None,
        port: int = 0,
    ) -> None:
        self.account = account or Account()
        self.quirks = Quirks()
        self.token = TOKEN
        self._judge = judge
        self._scripts: list[Script] = []
        self._lock = threading.RLock()
        self._writing: set[int] = set()
        self.server = FakeServer(self.answer, port)

    @property
    def url(self) -> str:
        """What `base_url` is to be."""
        return f"{self.server.url}/2.0"

    @property
    def requests(self) -> Sequence[Request]:
        return self.server.requests

    @property
    def counted(self) -> Counter[str]:
        """How many requests came, by method and path, ids as `*`: `GET /sheets/*`."""
        paths = ((one.method, re.sub(r"/\d{6,}", "/*", one.path.removeprefix("/2.0"))) for one in self.requests)
        return Counter(f"{method} {path}" for method, path in paths)

    def script(self, answer: Answer, times: int = 1, method: str = "", path: str = "") -> None:
        """Let the next `times` requests with this method, whose path contains `path`, get this answer."""
        self._scripts.append(Script(answer, times, method, path))

    def close(self) -> None:
        self.server.close()

    # Every request

    def answer(self, request: Request) -> Answer:
        answer = self._answer(request)
        if self._judge:
            with self._lock:
                self._judge(request, answer)
        headers = {"Content-Type": "application/json;charset=UTF-8", "Keep-Alive": "timeout=5, max=30"}
        return replace(answer, headers={**headers, **answer.headers})

    def _answer(self, request: Request) -> Answer:
        try:
            with self._lock:
                if (scripted := self._scripted(request)) is not None:
                    return scripted
                self._admit(request)
            return self._route(request)
        except RefusalError as refusal:
            return refusal.answer

    def _scripted(self, request: Request) -> Answer | None:
        for script in self._scripts:
            if script.takes(request):
                script.times -= 1
                return script.answer
        return None

    def _admit(self, request: Request) -> None:
        given = request.headers.get("Authorization")
        if not given:
            raise RefusalError(1001)
        if given != f"Bearer {self.token}":
            raise RefusalError(1002)

    # Where requests go

    def _route(self, request: Request) -> Answer:
        parts = request.path.removeprefix("/2.0").strip("/").split("/")
        for route, handler in self._routes().items():
            method, pattern = route.split(" ")
            names = pattern.split("/")
            if method == request.method and len(names) == len(parts):
                pairs = list(zip(names, parts, strict=True))
                if all(name in ("*", part) for name, part in pairs):
                    return self._handled(handler, request, [part for name, part in pairs if name == "*"])
        raise RefusalError(1006)

    def _handled(self, handler: Handler, request: Request, named: Sequence[str]) -> Answer:
        """A write of rows takes its time, and all others wait for nobody."""
        if not all(part.isdigit() for part in named):
            raise RefusalError(1006)
        if handler == self._update_rows:
            return handler(request, *map(int, named))
        with self._lock:
            return handler(request, *map(int, named))

    def _routes(self) -> Mapping[str, Handler]:
        return {
            "GET users/me": self._show_user,
            "GET sheets": self._list_sheets,
            "GET sheets/*": self._show_sheet,
            "GET sheets/*/version": self._show_version,
            "GET sheets/*/columns": self._list_columns,
            "POST sheets/*/columns": self._add_columns,
            "PUT sheets/*/rows": self._update_rows,
            "GET sheets/*/rows/*/columns/*/history": self._history,
            "GET reports": self._list_reports,
            "GET reports/*": self._show_report,
            "GET workspaces": self._list_workspaces,
            "GET workspaces/*/children": self._list_workspace,
            "GET folders/*/children": self._list_folder,
        }

    def _show_user(self, _: Request) -> Answer:
        return Answer(json={"id": 48569348493401200, "email": US, "firstName": "PMO", "lastName": "Bot"})

    def _sheet(self, number: int) -> Sheet:
        found = self.account.sheets.get(number)
        if found is None:
            raise RefusalError(1006)
        return found

    # Listings

    def _list_sheets(self, request: Request) -> Answer:
        query = request.query
        version = "sheetVersion" in query.get("include", "") and not self.quirks.no_versions
        found = [listed_sheet(sheet, version=version) for sheet in self.account.sheets.values()]
        return self._by_token(found, query) if self.quirks.listing_by_token else self._paged(found, query)

    def _list_reports(self, request: Request) -> Answer:
        return self._paged([{"id": one.id, "name": one.name} for one in self.account.reports.values()], request.query)

    def _list_workspaces(self, request: Request) -> Answer:
        found = [{"id": one.id, "name": one.name} for one in self.account.workspaces.values()]
        return self._by_token(found, request.query)

    def _list_workspace(self, request: Request, number: int) -> Answer:
        return self._children(self.account.workspaces.get(number), request.query)

    def _list_folder(self, request: Request, number: int) -> Answer:
        return self._children(self.account.folders.get(number), request.query)

    def _paged(self, found: Sequence[Json], query: Json) -> Answer:
        """By number; all at once if that is asked for, but for a quirk."""
        every = query.get("includeAll") == "true"
        size = self.quirks.listing_page if every else int(query.get("pageSize", 100))
        number = int(query.get("page", 1))
        total = max(1, -(-len(found) // size))
        data = found[(number - 1) * size : number * size]
        return Answer(json={"pageNumber": number, "totalPages": total, "totalCount": len(found), "data": data})

    def _by_token(self, found: Sequence[Json], query: Json) -> Answer:
        start = int(query.get("lastKey", "0").removeprefix("key-"))
        size = min(int(query.get("maxItems", 100)), self.quirks.listing_page)
        more = start + size < len(found)
        return Answer(json={"data": found[start : start + size]} | ({"lastKey": f"key-{start + size}"} if more else {}))

    def _children(self, place: Place | None, query: Json) -> Answer:
        if place is None:
            raise RefusalError(1006)
        kinds = query.get("childrenResourceTypes", "sheets,folders").split(",")
        sheets, folders = self.account.sheets, self.account.folders
        found = [
            *({"resourceType": "sheet", "id": one, "name": sheets[one].name} for one in place.sheets if one in sheets),
            *({"resourceType": "folder", "id": one, "name": folders[one].name} for one in place.folders),
        ]
        return self._by_token([one for one in found if f"{one['resourceType']}s" in kinds], query)

    def _show_report(self, request: Request, number: int) -> Answer:
        report = self.account.reports.get(number)
        if report is None:
            raise RefusalError(1006)
        sources = [{"id": one, "name": self.account.sheets[one].name} for one in report.sheets]
        shown: Json = {"id": report.id, "name": report.name, "totalRowCount": 0, "columns": [], "rows": []}
        return Answer(
            json=shown | ({"sourceSheets": sources} if "sourceSheets" in request.query.get("include", "") else {})
        )

    # One sheet

    def _show_version(self, _: Request, number: int) -> Answer:
        return Answer(json={"version": self._sheet(number).version})

    def _show_sheet(self, request: Request, number: int) -> Answer:
        sheet, query = self._sheet(number), request.query
        if int(query.get("page", 1)) > 1 and self.quirks.between_pages:
            self.quirks.between_pages.pop(0)()
        if sheet.version <= int(query.get("ifVersionAfter", -1)):
            return Answer(json={"version": sheet.version})
        if sheet.id not in self.account.sheets:
            raise RefusalError(1006)
        ids = numbers(query.get("columnIds", ""))
        columns = [column for column in sheet.columns if not ids or column.id in ids]
        return Answer(json=sheet_json(sheet, columns, self._rows(sheet, query), Ask(query)))

    def _rows(self, sheet: Sheet, query: Json) -> Iterable[Row]:
        """All rows, unless a page or ids are asked for."""
        rows = sheet.rows
        if "rowIds" in query:
            wanted = numbers(query["rowIds"])
            rows = [row for row in rows if row.id in wanted]
        if "page" not in query and "pageSize" not in query:
            return rows
        size, number = min(int(query.get("pageSize", 100)), self.quirks.largest_page), int(query.get("page", 1))
        pages = max(1, -(-len(rows) // size))
        if number > pages:
            if self.quirks.past_the_end == "empty":
                return []
            number = pages
        return rows[(number - 1) * size : number * size]

    def _add_columns(self, request: Request, number: int) -> Answer:
        return add_columns(self.account, self._sheet(number), request)

    def _list_columns(self, request: Request, number: int) -> Answer:
        sheet, query = self._sheet(number), request.query
        level = int(query.get("level", 0))
        found = [shapes.column_json(column, number, level) for number, column in enumerate(sheet.columns)]
        return self._paged(found, query)

    def _history(self, request: Request, number: int, row: int, column: int) -> Answer:
        """The newest first, if nothing else is wished."""
        sheet = self._sheet(number)
        shown = next((one for one in sheet.columns if one.id == column), None)
        if shown is None or sheet.row(row) is None:
            raise RefusalError(1006)
        entries = [
            {
                **shapes.cell_json(shown, Cell(entry.value), Ask({"level": 2})),
                "modifiedAt": stamp(entry.at),
                "modifiedBy": {"name": "Jane Roe", "email": "jane.roe@example.com"},
            }
            for entry in reversed(sheet.history.get((row, column), []))
        ]
        size = min(self.quirks.history_page, int(request.query.get("pageSize", 100)))
        return self._paged(entries[:: -1 if self.quirks.oldest_first else 1], {**request.query, "pageSize": size})

    def _update_rows(self, request: Request, number: int) -> Answer:
        """Two writes into one sheet at a time are one too many."""
        with self._lock:
            sheet = self._sheet(number)
            if sheet.id in self._writing:
                raise RefusalError(4004, sheet.id)
            self._writing.add(sheet.id)
        try:
            if self.quirks.slow_write:
                threading.Event().wait(self.quirks.slow_write)
            with self._lock:
                return update_rows(self.account, sheet, request)
        finally:
            self._writing.discard(sheet.id)


def numbers(text: str) -> set[int]:
    return {int(one) for one in text.split(",") if one.isdigit()}
