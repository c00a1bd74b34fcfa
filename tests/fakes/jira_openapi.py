"""Holds what is asked of a Jira Cloud, and what it answers, to the vendor's own OpenAPI description.

Requests strictly: a parameter or member that the description does not have is a mistake. Answers leniently: real ones
hold null where the description has text, members that it does not have, and times as numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from jsonschema import Draft202012Validator

from connectors.fakes.server import Answer, Request

PATHS = re.compile(r"(?:/ex/jira/[^/]+)?(/rest/api/3/.+)")
Json = Any


class Judge:
    """Give it to `Jira(judge=…)`; afterwards `complaints` is to be empty, and `judged` is not."""

    prefix: ClassVar[re.Pattern[str]] = PATHS
    """The path that the description has is the group of this."""

    def __init__(self, description: Path) -> None:
        self.paths, self._strict, self._lenient = read(description)
        self.complaints: list[str] = []
        self.judged: set[str] = set()
        """Operations that were asked for and answered, as `GET /rest/api/3/field`."""

    def __call__(self, request: Request, answer: Answer) -> None:
        match = self.prefix.fullmatch(request.path)
        path = self._template(match[1]) if match else None
        if path is None:
            return  # the description is a part of the vendor's: it does not have every path
        name = f"{request.method} {path}"
        operation = self.paths[path].get(request.method.lower())
        if operation is None:
            self.complaints.append(f"{name} is no operation")
            return
        self.judged.add(name)
        said = [*self._of_the_query(operation, request), *self._of_the_body(operation, request)]
        if answer.status < 300:
            self.complaints += [f"{name}, request: {one}" for one in said]
        self.complaints += [f"{name}, {answer.status}: {one}" for one in self._of_the_answer(operation, answer)]

    def _template(self, path: str) -> str | None:
        """The description's path, `{…}` and all; one without a name in it is meant if two fit."""
        fits = [one for one in self.paths if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one), path)]
        return min(fits, key=lambda one: one.count("{"), default=None)

    def _of_the_query(self, operation: Json, request: Request) -> Iterator[str]:
        asked = parse_qs(urlsplit(request.target).query, keep_blank_values=True)
        known = {one["name"]: one for one in operation.get("parameters", []) if one["in"] == "query"}
        yield from (f"there is no parameter {name}" for name in asked.keys() - known.keys())
        yield from (f"{name} is missing" for name, one in known.items() if one.get("required") and name not in asked)
        for name in asked.keys() & known.keys():
            schema = known[name]["schema"]
            if len(asked[name]) > 1 and schema.get("type") != "array":
                yield f"{name} is given more than once"
            for text in asked[name]:
                yield from self._errors(self._strict, schema, meant(text, schema), name)

    def _of_the_body(self, operation: Json, request: Request) -> Iterator[str]:
        content = operation.get("requestBody", {}).get("content", {})
        if not content:
            return
        kind = request.headers.get("Content-Type", "").partition(";")[0]
        if kind not in content:
            yield f"a body of the type {kind}"
            return
        yield from self._errors(self._strict, content[kind]["schema"], request.json, "body")

    def _of_the_answer(self, operation: Json, answer: Answer) -> Iterator[str]:
        response = operation["responses"].get(str(answer.status))
        if response is None:
            if answer.status < 300:
                yield "it does not answer with this status"
            return  # what every operation can answer, such as 429, is not listed
        schema = response.get("content", {}).get("application/json", {}).get("schema")
        if schema and answer.to_bytes():
            yield from self._errors(self._lenient, lenient(schema), json.loads(answer.to_bytes()), "answer")

    def _errors(self, components: Json, schema: Json, value: object, what: str) -> Iterator[str]:
        validator = Draft202012Validator({**schema, "components": components})
        for error in validator.iter_errors(value):
            yield f"{what}{error.json_path[1:]}: {error.message[:200]}"


@cache
def read(description: Path) -> tuple[Mapping[str, Json], Json, Json]:
    """The paths, and the schemas that they refer to: as they are, and lenient."""
    spec = json.loads(description.read_text("utf-8"))
    return spec["paths"], spec["components"], lenient(spec["components"])


def meant(text: str, schema: Json) -> object:
    """A parameter's text as the type that it is to be; as it stands if it is none of that type."""
    kind = schema.get("type")
    if kind == "array":
        return [meant(one, schema.get("items", {})) for one in text.split(",")]
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind in ("integer", "number") and re.fullmatch(r"-?\d+", text):
        return int(text)
    return text


def lenient(schema: Json) -> Json:
    """The same schema, for what real answers are like."""
    if isinstance(schema, list):
        return [lenient(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {name: lenient(value) for name, value in schema.items() if name not in ("required", "format")}
    if schema.get("additionalProperties") is False:
        del changed["additionalProperties"]
    if isinstance(schema.get("type"), str):
        changed["type"] = [schema["type"], "null"]
    if isinstance(schema.get("enum"), list):
        changed["enum"] = [*schema["enum"], None]
    if schema.get("format") == "date-time":
        changed["type"] = ["string", "integer", "null"]
    return changed
