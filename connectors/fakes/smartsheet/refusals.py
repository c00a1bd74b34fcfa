"""What Smartsheet answers when it does not do as it is asked.

https://developers.smartsheet.com/api/smartsheet/error-codes
"""

from __future__ import annotations

from typing import Any

from connectors.fakes.server import Answer

CODES: dict[int, tuple[int, str]] = {
    1001: (401, "An Access Token is required."),
    1002: (401, "Your Access Token is invalid."),
    1004: (403, "You are not authorized to perform this action."),
    1006: (404, "Not Found."),
    1008: (400, "Unable to parse request. The following error occurred: {0}"),
    1036: (400, "The columnId {0} is invalid."),
    1037: (400, "The columnId {0} is included more than once in a single row."),
    1039: (403, "Cannot edit a locked column {0}."),
    1042: (400, "The value for cell in column {0}, {1}, did not conform to the strict requirements for type {2}."),
    1046: (400, "Cells containing system values cannot be inserted or updated through the API, columnId : {0}."),
    1050: (403, "You cannot edit a locked row."),
    1056: (400, "Column titles must be unique."),
    1110: (400, "cell.value must be null if cell.linkInFromCell is non-null."),
    1135: (400, "Input column index {0} is different from the first input column index {1}."),
    1235: (400, "Value not supported on column."),
    1277: (400, "Multi-picklist invalid size."),
    1302: (400, "Cannot edit column formula cells."),
    4000: (500, "An unexpected error has occurred. Please contact api@smartsheet.com for assistance."),
    4001: (503, "Smartsheet.com is currently offline for system maintenance. Please check back again shortly."),
    4003: (429, "Rate limit exceeded."),
    4004: (
        500,
        "Request failed because sheetId {0} is currently being updated by another request that uses the same access "
        "token. Please retry your request once the previous request has completed.",
    ),
}


class RefusalError(Exception):
    """Ends the handling of a request, or of one row of it."""

    def __init__(self, code: int, *words: object) -> None:
        self.code = code
        self.status, text = CODES[code]
        self.message = text.format(*words)
        super().__init__(self.message)

    @property
    def as_json(self) -> dict[str, Any]:
        return {"errorCode": self.code, "message": self.message, "refId": "12x24msuqfhih"}

    @property
    def answer(self) -> Answer:
        return Answer(self.status, self.as_json)


def refused(code: int, *words: object) -> Answer:
    return RefusalError(code, *words).answer
