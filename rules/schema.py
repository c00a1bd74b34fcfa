"""JSON Schema of a rule file, made from the vocabulary, for editors that complete and check while one writes."""

from __future__ import annotations

import re
from typing import Any

from rules.calendar import WEEKDAYS
from rules.columns import ANSWERABLE, COLUMNS, Column, Kind
from rules.learned import TERMS
from rules.reader import DERIVED_FROM, RULE_KEYS, UNTESTABLE
from rules.ruleset import On
from rules.words import FORMS, NO_TEXT, PATTERNS


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
            "step": _step(),
            "steps": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/step"}},
            "ladder": _ladder(),
            "test": _test(),
        },
    }


def _step() -> dict[str, Any]:
    """A step over a number, or over a percentile with what goes with it."""
    percentile = {"type": "string", "pattern": r"^\s*[pP]0*[1-9][0-9]?\s*$"}
    numbers = {name: {"type": "integer", "minimum": 1, "description": text} for name, text in TERMS.items()}
    number = _table({"over": {"type": "number"}, "label": _text()}, "over", "label")
    learned = _table({"over": percentile, "label": _text(), **numbers}, "over", "label", "otherwise")
    return {"anyOf": [number, learned]}


def _text(description: str = "") -> dict[str, Any]:
    return {"type": "string", "minLength": 1} | ({"description": description} if description else {})


def _table(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """A table of these keys and no others."""
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": list(required)}


def _rule() -> dict[str, Any]:
    properties = {
        "id": _text(RULE_KEYS["id"]) | {"pattern": "^[a-z0-9]+([-_.][a-z0-9]+)*$"},
        "on": {"enum": [on.value for on in On], "description": RULE_KEYS["on"]},
        "says": _text(RULE_KEYS["says"]),
        "label": _text(RULE_KEYS["label"]),
        "when": {"$ref": "#/$defs/condition"},
        "ladder": {"$ref": "#/$defs/ladder"},
        "rollout": _rollout(),
        "test": {"type": "array", "items": {"$ref": "#/$defs/test"}},
    }
    either = [{"required": ["label"]}, {"required": ["ladder"]}]
    return _table(properties, "id", "says", "when") | {"oneOf": either}


def _rollout() -> dict[str, Any]:
    slowly = _table({"per_run": {"type": "integer", "minimum": 1}, "first": _text()}) | {"minProperties": 1}
    return {"anyOf": [{"const": "now"}, slowly], "description": RULE_KEYS["rollout"]}


def _condition() -> dict[str, Any]:
    # updated_at is left out: our own labels move it
    columns = {name: _value(column) for name, column in COLUMNS.items() if name != "updated_at"}
    groups = {name: {"$ref": "#/$defs/conditions"} for name in ("any", "all", "none")}
    fields = {"type": "object", "minProperties": 1, "additionalProperties": _words(Kind.TEXT)}
    return {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": columns | groups | {"fields": fields, "sql": _text("a condition in SQL over the columns")},
    }


def _value(column: Column) -> dict[str, Any]:
    return {"description": column.help, "examples": list(FORMS[column.kind]), **_words(column.kind)}


def _words(kind: Kind) -> dict[str, Any]:
    """What may stand to the right of a column. It may let more pass than the loader does, and never less."""
    if kind in (Kind.TEXT, Kind.PEOPLE):
        word = {"type": "string", "pattern": r"\S", "not": {"pattern": _whole(NO_TEXT[kind])}}
        return {"anyOf": [word, {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": r"\S"}}]}
    words: list[dict[str, Any]] = [{"type": "string", "pattern": _whole(PATTERNS[kind])}]
    if kind in (Kind.CATEGORY, Kind.GRADE):
        words.append({"type": "array", "minItems": 1, "items": words[0]})
    if kind is Kind.NUMBER:
        words.append({"type": "number"})
    return {"anyOf": [*words, _DAY]} if kind is Kind.DATE else {"anyOf": words}


def _whole(pattern: str) -> str:
    """A regular expression of Python's, in any case and over lines, as JSON Schema has it: without flags or names."""

    def plain(match: re.Match[str]) -> str:
        escaped, letter = match[1], match[2]
        return escaped or (f"[{letter.lower()}{letter.upper()}]" if letter else r"[\s\S]")

    unnamed = re.sub(r"\(\?P<[a-z]+>", "(?:", pattern)
    return "^(?:" + re.sub(r"(\\.)|([A-Za-z])|\.", plain, unnamed) + ")$"


def _ladder() -> dict[str, Any]:
    steps = {"$ref": "#/$defs/steps"}
    override = _table({"when": {"$ref": "#/$defs/condition"}, "steps": steps}, "when", "steps")
    measures = [name for name, column in COLUMNS.items() if column.kind is Kind.NUMBER]
    properties = {"measure": {"enum": measures}, "steps": steps, "override": {"type": "array", "items": override}}
    return _table(properties, "measure", "steps")


def _test() -> dict[str, Any]:
    expect, count = {"anyOf": [{"type": "string"}, _TEXTS]}, {"type": "integer", "minimum": 0}
    came = _table({"on": _DAY, "status": _text(), "status_category": _ITEM_VALUES[Kind.CATEGORY]}, "on", "status")
    later = _table({"on": _DAY, "expect": expect}, "on", "expect")
    properties = {
        "now": _DAY_OR_TIME,
        "item": _item(),
        "history": {"type": "array", "minItems": 1, "items": came},
        "calendar": {"anyOf": [_text(), _calendar()]},
        "learned": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"items": count},
            "patternProperties": {"^p[1-9][0-9]?$": count},
        },
        "expect": expect,
        "later": {"type": "array", "items": later},
    }
    return _table(properties, "now", "item", "expect")


_TEXTS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
# Editors hand TOML's days and times on as text.
_DAY = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}
_DAY_OR_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d([Tt ]\d\d:.*)?$"}
_ITEM_VALUES: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": "string"},
    Kind.CATEGORY: {"type": "string", "pattern": _whole(r"\s*(?:todo|in[\s_]+progress|done)\s*")},
    Kind.DATE: _DAY_OR_TIME,
    Kind.NUMBER: {"type": "number"},
    Kind.PEOPLE: _TEXTS,
    Kind.LABELS: _TEXTS,
}


def _item() -> dict[str, Any]:
    written = [column for column in COLUMNS.values() if column.name not in (*DERIVED_FROM, *UNTESTABLE)]
    columns = {column.name: {"description": column.help, **_ITEM_VALUES[column.kind]} for column in written}
    unknown = {"type": "array", "items": {"enum": list(ANSWERABLE)}}
    return _table(
        {**columns, "fields": {"type": "object", "additionalProperties": {"type": "string"}}, "unknown": unknown}
    )


def _calendar() -> dict[str, Any]:
    weekend = {"type": "array", "maxItems": 6, "items": {"type": "string", "pattern": _whole("|".join(WEEKDAYS))}}
    days_off = {"type": "array", "items": _DAY}
    whole = _table({"country": _text(), "region": _text(), "weekend": weekend, "days_off": days_off})
    return {**whole, "minProperties": 1, "dependentRequired": {"region": ["country"]}}
