"""What is asked of Smartsheet: everything that reaches it.

The vendor's client asks what is small (columns, histories, who we are) and writes. What is large, or changes its shape
while the vendor moves to another way of paging, is read as plain JSON, on the same session: for a full sheet the client
takes fifty times as long and a gigabyte.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from connectors.base import Cost, SourceSetup
from connectors.errors import AccessError, AuthError, GoneError, InputError
from connectors.smartsheet.columns import Column, parse_column

if TYPE_CHECKING:
    import smartsheet

Json = dict[str, Any]

BASE_URL = "https://api.smartsheet.com/2.0"

AGENT = "unstuck"
HEADERS = {"Smartsheet-Change-Agent": AGENT, "smartsheet-integration-source": f"SCRIPT,{AGENT},{AGENT}"}
"""Who changed a sheet, for webhooks that are not to go in circles, and for the vendor's statistics.
https://developers.smartsheet.com/api/smartsheet/guides/webhooks/webhook-callbacks#change-agent"""

AS_IT_IS = {"level": 2, "include": "objectValue"}
"""Below level 2, a cell's several values come as one text, in which a comma is no boundary.
https://developers.smartsheet.com/api/smartsheet/guides/advanced-topics/complex-column-types-and-compatibility"""

AT_ONCE = 1000
"""Entries of a listing; the vendor allows more."""

ROWS_IN_AN_ADDRESS = 250
"""Row ids in one address of less than the 8 KB that servers commonly bear."""

REGIONS = "renew it, or set base_url if it is of another region (api.smartsheet.eu, .au, api.smartsheetgov.com, …)"


class Api:
    """One account. Every method raises a `ConnectorError`, and nothing else."""

    def __init__(self, setup: SourceSetup) -> None:
        from connectors.http import Credentials, Http, SmartsheetPolicy

        self._base_url = str(setup.options.get("base_url") or BASE_URL).rstrip("/")
        token = str(setup.options.get("token") or "")
        self._http = Http(
            self._base_url,
            Credentials.bearer(token),
            writable=setup.writable,
            policy=SmartsheetPolicy(),
            stopping=setup.stopping,
        )
        self._http.session.headers.update(HEADERS)
        self._made: smartsheet.Smartsheet | None = None

    @property
    def _client(self) -> smartsheet.Smartsheet:
        """The vendor's client on our session, without a retry of its own. It must be given some token."""
        if self._made is None:
            import smartsheet

            self._made = smartsheet.Smartsheet(
                access_token="unused",  # noqa: S106 - no password: the transport lets us in
                max_retry_time=0,
                api_base=self._base_url,
                user_agent=AGENT,
            )
            self._made.errors_as_exceptions(True)
            self._made.with_change_agent(AGENT)
            self._made._session = self._http.session
        return self._made

    @property
    def traffic(self) -> Cost:
        return self._http.traffic

    def close(self) -> None:
        self._http.close()

    # What there is

    def who(self) -> str:
        """The address of the account that the token stands for."""
        return str(self._client.Users.get_current_user().email)

    def sheets(self) -> list[Json]:
        """Every sheet that the token sees, with `version` and `accessLevel`. One request."""
        return list(self._listed("/sheets", {"includeAll": "true", "include": "sheetVersion"}))

    def reports(self) -> list[Json]:
        return list(self._listed("/reports", {"includeAll": "true"}))

    def workspaces(self) -> list[Json]:
        return list(self._listed("/workspaces", {"paginationType": "token", "maxItems": AT_ONCE}))

    def sheets_of_report(self, report: str) -> set[str]:
        """The ids of the sheets that a report draws from."""
        answer = self._object(f"/reports/{report}", {"include": "sourceSheets", "pageSize": 1})
        return {str(one["id"]) for one in answer.get("sourceSheets") or ()}

    def sheets_below(self, kind: str, native_id: str) -> set[str]:
        """The ids of the sheets in a workspace or folder (`kind` is the plural), and in the folders below it."""
        found: set[str] = set()
        places, seen = [(kind, native_id)], {native_id}
        while places:
            kind, place = places.pop()
            asked = {"childrenResourceTypes": "sheets,folders", "maxItems": AT_ONCE}
            for child in self._listed(f"/{kind}/{place}/children", asked):
                number = str(child["id"])
                if child.get("resourceType") == "sheet":
                    found.add(number)
                elif child.get("resourceType") == "folder" and number not in seen:
                    seen.add(number)
                    places.append(("folders", number))
        return found

    def _listed(self, path: str, asked: Json) -> Iterator[Json]:
        """All of a listing, whether its next page is asked for by a token or by a number."""
        while True:
            answer = self._object(path, asked)
            if not isinstance(answer.get("data"), list):
                raise InputError(f"{path} was answered without a list", "the next run tries again")
            yield from answer["data"]
            number = answer.get("pageNumber") or 1
            if answer.get("lastKey"):
                asked = {**asked, "lastKey": answer["lastKey"]}
            elif number < (answer.get("totalPages") or 0):
                asked = {**asked, "page": number + 1}
            else:
                return

    # One sheet

    def version(self, sheet: str) -> int:
        """The number that every change of a sheet raises."""
        return int(self._object(f"/sheets/{identified(sheet)}/version", {})["version"])

    def columns(self, sheet: str) -> list[Column]:
        found = self._client.Sheets.get_columns(identified(sheet), level=2, include_all="true")
        return [parse_column(column.to_dict()) for column in found.data]

    def page(self, sheet: str, columns: Sequence[int], size: int, number: int) -> Json:
        """Rows by their place in the sheet, with these columns only."""
        return self.cells(sheet, columns, size, number, include="objectValue,rowPermalink")

    def cells(self, sheet: str, columns: Sequence[int], size: int, number: int, **asked: str) -> Json:
        """The same without their addresses, which are half of what comes where few cells are asked for."""
        place = {"pageSize": size, "page": number, "exclude": "nonexistentCells"}
        return self._rows(sheet, columns, {**place, **asked})

    def rows(self, sheet: str, columns: Sequence[int], rows: Sequence[str]) -> Json:
        """Some rows, at most `ROWS_IN_AN_ADDRESS`, with these columns only; those that are not there are left out."""
        return self._rows(sheet, columns, {"rowIds": ",".join(rows)})

    def _rows(self, sheet: str, columns: Sequence[int], asked: Json) -> Json:
        return whole(self._object(f"/sheets/{identified(sheet)}", {**AS_IT_IS, **of_columns(columns), **asked}))

    def history(self, sheet: str, row: str, column: int) -> list[Json]:
        """What a cell held, each with `modifiedAt`. Counts as ten requests, and more where it is long."""
        path = f"/sheets/{identified(sheet)}/rows/{row}/columns/{column}/history"
        return list(self._listed(path, {"level": 2, "include": "objectValue", "pageSize": AT_ONCE}))

    def update(self, sheet: str, rows: Sequence[Json]) -> Json:
        """Write cells; of rows that are refused the answer tells in `failedItems`, and the others are written.

        The client's own models of rows would send no empty value, and would fail on an answer with a kind of value
        that is newer than they are, after it was written.
        """
        answer = self._client.Passthrough.put(
            f"/sheets/{identified(sheet)}/rows", json.dumps(rows), {"allowPartialSuccess": "true"}
        )
        data = answer.data
        if not isinstance(data, dict):
            raise InputError("Smartsheet did not say what became of a write", "the next run looks what is there")
        return data

    def add_columns(self, sheet: str, columns: Sequence[Json]) -> None:
        """Raises `AccessError` if the account is no admin of the sheet."""
        from smartsheet.models import Column as Model

        try:
            self._client.Sheets.add_columns(identified(sheet), [Model(column) for column in columns])
        except AccessError as error:
            problem = AccessError(error.what, "use the token of an admin of the sheet, or let one add the columns")
        else:
            return
        raise problem

    def _object(self, path: str, asked: Json) -> Json:
        try:
            answer = self._http.get_json(path, asked)
        except AuthError as error:
            problem = AuthError(error.what, REGIONS)
        else:
            if isinstance(answer, dict):
                return answer
            raise InputError(f"{path} was answered with something else than was asked for", "correct base_url")
        raise problem


def identified(sheet: str) -> str:
    """A sheet's id, as the part of an address."""
    if not (sheet.isascii() and sheet.isdigit()):
        raise GoneError(f'there is no sheet with the id "{sheet}"', "correct the config")
    return sheet


def of_columns(columns: Sequence[int]) -> Json:
    return {"columnIds": ",".join(map(str, columns))} if columns else {}


def whole(answer: Json) -> Json:
    """A sheet's answer, if it is one: an answer without rows is not a sheet without rows."""
    if not isinstance(answer.get("rows"), list) or not isinstance(answer.get("columns"), list):
        raise InputError("Smartsheet sent a sheet without its rows", "the next run tries again")
    return answer
