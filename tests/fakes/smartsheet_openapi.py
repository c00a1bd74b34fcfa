"""Holds what is asked of Smartsheet, and what it answers, to the vendor's own OpenAPI description.

Requests strictly, answers leniently, as for Jira. The description is behind the real API in a few places, which are
named here with what shows it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from connectors.fakes.server import Answer, Request
from tests.fakes.jira_openapi import Judge, lenient

Json = Any

NEWER = {
    "GET /workspaces": {"paginationType", "maxItems", "lastKey"},
    "GET /reports": {"includeAll"},
}
"""Parameters that the vendor's changelog and its own client have, and the description has not yet."""


class SmartsheetJudge(Judge):
    """Give it to `Smartsheet(judge=…)`; afterwards `complaints` is to be empty, and `judged` is not."""

    prefix = re.compile(r"/2\.0(/.+)")

    def __init__(self, description: Path) -> None:
        spec = either(json.loads(description.read_text("utf-8")))
        self.paths = resolved(spec["paths"], spec["components"])
        self._strict, self._lenient = spec["components"], lenient(spec["components"])
        self.complaints: list[str] = []
        self.judged: set[str] = set()

    def __call__(self, request: Request, answer: Answer) -> None:
        before = len(self.complaints)
        super().__call__(request, answer)
        newer = {f"{name}, request: there is no parameter {one}" for name, ones in NEWER.items() for one in ones}
        self.complaints[before:] = [one for one in self.complaints[before:] if one not in newer]


def either(value: Json) -> Json:
    """With `anyOf` in place of `oneOf`: a sheet is also what the description calls a sheet's version."""
    if isinstance(value, list):
        return [either(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {"anyOf" if name == "oneOf" else name: either(one) for name, one in value.items()}


def resolved(value: Json, components: Json) -> Json:
    """With what parameters, bodies and answers refer to put in their place; schemas keep their references."""
    if isinstance(value, list):
        return [resolved(one, components) for one in value]
    if not isinstance(value, dict):
        return value
    match = re.fullmatch(r"#/components/(parameters|requestBodies|responses)/(.+)", str(value.get("$ref", "")))
    if match:
        return resolved(components[match[1]][match[2]], components)
    return {name: resolved(one, components) for name, one in value.items()}
