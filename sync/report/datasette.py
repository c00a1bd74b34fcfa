"""Metadata for Datasette: what the views are called for, what to filter them by, and questions ready to be asked.

The shape is that of https://docs.datasette.io/en/stable/metadata.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sync import data

_FACETS: Mapping[str, tuple[str, ...]] = {
    "work_item": ("source", "project", "status", "status_category", "outcome_grade"),
    "finding": ("rule", "label"),
    "open_work": ("source", "project", "status", "outcome_grade", "owner"),
    "found_work": ("source", "rule", "label", "project", "owner"),
    "our_labels": ("source", "label", "project"),
    "kept_off": ("source", "label", "cause"),
    "run": ("command", "exit_code"),
    "journal": ("action", "label", "result"),
    "transition": ("to_status", "origin"),
}

_QUERIES: Mapping[str, tuple[str, str, str]] = {
    "longest_in_status": (
        "In one status for longest",
        "Open work by how many business days it has been in its status, that of one source or of all.",
        "SELECT source, key, title, owner, status, status_since, business_days_in_status, url FROM open_work "
        "WHERE status_category = 'in_progress' AND :source IN ('', source) "
        "ORDER BY business_days_in_status DESC LIMIT 100",
    ),
    "outcomes_by_project": (
        "Outcomes by project",
        "How much open work of each project serves a measured outcome, and how much names none.",
        "SELECT source, project, count(*) AS open, "
        "sum(outcome_grade IN ('no_baseline', 'no_target', 'unreviewed', 'complete')) AS measured, "
        "sum(outcome_grade IN ('missing', 'placeholder')) AS none FROM open_work "
        "GROUP BY source, project ORDER BY none DESC, open DESC",
    ),
    "owners_with_findings": (
        "Owners with most findings",
        "Whom to talk to first.",
        "SELECT owner, count(DISTINCT source || key) AS items, count(*) AS findings, "
        "group_concat(DISTINCT label) AS labels FROM found_work GROUP BY owner ORDER BY findings DESC LIMIT 100",
    ),
    "moves_of_an_item": (
        "Moves of an item",
        "The status history of the item that people call :key.",
        "SELECT t.at, t.from_status, t.to_status, t.percent_complete, t.origin FROM transition t "
        "JOIN item i ON i.id = t.item_id WHERE i.key = :key ORDER BY t.at",
    ),
    "what_a_run_wrote": (
        "What a run wrote",
        "Every write of the run with the number :run, with its reason.",
        "SELECT i.source, i.key, j.action, j.label, j.reason, j.result, j.message FROM journal j "
        "JOIN item i ON i.id = j.item_id WHERE j.run_id = :run ORDER BY j.id",
    ),
    "findings_by_rule": (
        "Findings by rule",
        "How many items each rule found in the last run.",
        "SELECT rule, count(*) AS findings, count(DISTINCT item_id) AS items FROM finding "
        "GROUP BY rule ORDER BY findings DESC",
    ),
}  # fmt: skip


def metadata(store: Path) -> dict[str, Any]:
    """For the database of this file's name. Tables that only runs need are hidden."""
    tables = {name: _table(name, described) for name, described in data.VIEWS.items()}
    for name, described in data.TABLES.items():
        tables[name] = {**_table(name, described), "hidden": name not in _FACETS}
    queries = {name: {"title": title, "description": text, "sql": sql} for name, (title, text, sql) in _QUERIES.items()}
    return {
        "title": "unstuck",
        "description": "Work items of all tools, what the rules found, and the labels that went on and off.",
        "databases": {store.stem: {"tables": tables, "queries": queries}},
    }


def _table(name: str, described: data.Described) -> dict[str, Any]:
    told: dict[str, Any] = {"description": described.text, "columns": dict(described.columns)}
    return {**told, "facets": list(_FACETS[name])} if name in _FACETS else told
