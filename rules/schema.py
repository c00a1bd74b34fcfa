"""JSON Schema of a rule file, made from the vocabulary, for editors that complete and check while one writes."""

from __future__ import annotations

from typing import Any

from rules.columns import COLUMNS, Column, Kind
from rules.reader import RULE_KEYS
from rules.words import FORMS

_TYPES: dict[Kind, list[str]] = {
    Kind.TEXT: ["string", "array"],
    Kind.CATEGORY: ["string", "array"],
    Kind.GRADE: ["string", "array"],
    Kind.DATE: ["string"],
    Kind.NUMBER: ["string", "number"],
    Kind.PEOPLE: ["string", "array"],
    Kind.LABELS: ["string"],
}


def schema() -> dict[str, Any]:
    """The schema as a JSON document (draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "unstuck rule file",
        "type": "object",
        "additionalProperties": False,
        "required": ["rule"],
        "properties": {"rule": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/rule"}}},
        "$defs": {
            "rule": _rule(),
            "condition": _condition(),
            "conditions": {
                "anyOf": [
                    {"$ref": "#/$defs/condition"},
                    {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/condition"}},
                ]
            },
            "step": _table({"over": {"type": "number"}, "label": _text()}, "over", "label"),
            "steps": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/step"}},
            "ladder": _ladder(),
            "test": _test(),
        },
    }


def _text(description: str = "") -> dict[str, Any]:
    return {"type": "string", "minLength": 1} | ({"description": description} if description else {})


def _table(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": list(required)}


def _rule() -> dict[str, Any]:
    properties = {
        "id": _text(RULE_KEYS["id"]) | {"pattern": "^[a-z0-9]+([-_.][a-z0-9]+)*$"},
        "says": _text(RULE_KEYS["says"]),
        "label": _text(RULE_KEYS["label"]),
        "when": {"$ref": "#/$defs/condition"},
        "ladder": {"$ref": "#/$defs/ladder"},
        "test": {"type": "array", "items": {"$ref": "#/$defs/test"}},
    }
    either = [{"required": ["label"]}, {"required": ["ladder"]}]
    return _table(properties, "id", "says", "when") | {"oneOf": either}


def _condition() -> dict[str, Any]:
    # updated_at is left out: our own labels move it
    columns = {name: _value(column) for name, column in COLUMNS.items() if name != "updated_at"}
    groups = {name: {"$ref": "#/$defs/conditions"} for name in ("any", "all", "none")}
    fields = {"type": "object", "minProperties": 1, "additionalProperties": {"type": _TYPES[Kind.TEXT]}}
    return {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": columns | groups | {"fields": fields, "sql": _text("a condition in SQL over the columns")},
    }


def _value(column: Column) -> dict[str, Any]:
    return {"type": _TYPES[column.kind], "description": column.help, "examples": list(FORMS[column.kind])}


def _ladder() -> dict[str, Any]:
    steps = {"$ref": "#/$defs/steps"}
    override = _table({"when": {"$ref": "#/$defs/condition"}, "steps": steps}, "when", "steps")
    measures = [name for name, column in COLUMNS.items() if column.kind is Kind.NUMBER]
    properties = {"measure": {"enum": measures}, "steps": steps, "override": {"type": "array", "items": override}}
    return _table(properties, "measure", "steps")


def _test() -> dict[str, Any]:
    expect = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    came = _table({"on": {}, "status": _text(), "status_category": {"type": "string"}}, "on", "status")
    later = _table({"on": {}, "expect": expect}, "on", "expect")
    days = {"type": "array", "items": _text()}
    calendar = _table({"country": _text(), "region": _text(), "weekend": days, "days_off": {"type": "array"}})
    properties = {
        "now": {},
        "calendar": {"anyOf": [_text(), calendar | {"minProperties": 1}]},
        "item": {"type": "object"},
        "history": {"type": "array", "minItems": 1, "items": came},
        "expect": expect,
        "later": {"type": "array", "items": later},
    }
    return _table(properties, "now", "item", "expect")
