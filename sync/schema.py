"""JSON Schema of config.toml, made from the very tables that it is checked against."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from connectors import registry
from connectors.base import Option
from connectors.model import StatusCategory
from sync import settings

_REFERENCE = {
    "type": "object",
    "properties": {
        "env": {"type": "string"},
        "file": {"type": "string"},
        "keyring": {"type": "string", "pattern": "^.+/[^/]+$"},
    },
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
_TYPES: dict[str, dict[str, Any]] = {
    "text": {"oneOf": [{"type": "string", "minLength": 1}, _REFERENCE]},
    "files": {"type": "string", "minLength": 1},
    "secret": _REFERENCE,
    "reference": _REFERENCE,
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "yes/no": {"type": "boolean"},
    "list of text": {"type": "array", "items": {"type": "string", "minLength": 1}},
    "table of text": {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}},
    "list of dates": {"type": "array", "items": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}},
}


def as_text(schema: dict[str, Any]) -> str:
    """The schema as a file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def config() -> dict[str, Any]:
    """The schema of a whole config.toml, with the options of every connector that is installed."""
    tables = {name: _table(options) for name, options in settings.TABLES.items()}
    tables["calendars"] = {"type": "object", "additionalProperties": _table(settings.CALENDAR)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "unstuck config.toml",
        **_table(settings.TOP, {**tables, "sources": _sources()}),
        "required": ["sources"],
    }


def _sources() -> dict[str, Any]:
    return {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"oneOf": [_source(name) for name in registry.names()]},
    }


def _source(system: str) -> dict[str, Any]:
    maps: dict[str, Any] = {
        "fields": {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}},
        "calendars": {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}},
        "statuses": {
            "type": "object",
            "additionalProperties": {"enum": [category.value for category in StatusCategory]},
        },
    }
    maps["brakes"] = _table(settings.SOURCE_BRAKES)
    table = _table((*settings.SOURCE, *registry.load(system).options), maps)
    table["properties"]["system"] = {"const": system}
    return table


def _table(options: Iterable[Option], also: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = {option.name: {**_TYPES[option.kind], "description": option.help} for option in options}
    required = [option.name for option in options if option.required]
    return {
        "type": "object",
        "properties": {**properties, **(also or {})},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }
