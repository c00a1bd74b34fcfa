"""Commands that look at the store: `items`, `findings`, `explain`, `status`, `backup`, and `connectors`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from connectors import registry
from rules import engine
from rules import explain as explaining
from sync import clock as clocks
from sync import config as configs
from sync import output
from sync.backup import back_up
from sync.commands.shared import (
    items_named,
    load,
    looking,
    only_source,
    opened_store,
    rehearsal_note,
    tell_unknown,
)
from sync.config import Config
from sync.findings import last_counts
from sync.store import Store
from sync.today import today

_ITEM_COLUMNS = (
    "source", "native_id", "key", "title", "url", "type", "project", "collection", "parent_key", "status",
    "status_category", "status_since", "status_since_is", "created_at", "updated_at", "started_at", "finished_at",
    "due_at", "percent_complete", "priority", "assignees", "owner", "sponsor", "labels", "outcome_metric",
    "outcome_category", "outcome_baseline", "outcome_target", "outcome_actual", "outcome_reviewed_at", "outcome_grade",
    "outcome_from", "age_days", "days_in_status", "business_days_in_status", "days_since_review", "description",
    "fields",
)  # fmt: skip


_ITEM_TABLE = ("source", "key", "title", "status", "business_days_in_status", "outcome_grade", "owner", "labels")


def items(path: Path | None, source: str | None, form: str) -> None:
    """Every item that is not gone."""
    with looking(path) as (config, store):
        where, parameters = only_source(config, source)
        rows = store.rows(
            f"SELECT {', '.join(_ITEM_COLUMNS)} FROM temp.work_item {where} ORDER BY source, id", parameters
        )
    for row in rows:
        for name in ("assignees", "labels", "fields"):
            row[name] = json.loads(row[name] or "{}")
    output.emit(rows, _ITEM_TABLE, form, "There are no items yet; `unstuck run` pulls them.")


def findings(path: Path | None, source: str | None, form: str) -> None:
    """What the last run found."""
    with looking(path) as (config, store):
        where, parameters = only_source(config, source)
        rows = store.rows(
            "SELECT source, key, title, owner, rule, label, reason, since FROM finding "
            f"JOIN temp.work_item ON id = item_id {where} ORDER BY source, id, rule",
            parameters,
        )
    output.emit(rows, ("source", "key", "label", "title", "reason"), form, "The rules found nothing.")


def explain(path: Path | None, key: str, form: str) -> None:
    """Every rule's answer for the items that people call KEY."""
    config, ruleset = load(path, secrets=False)
    clock = clocks.read()
    rehearsal_note(clock)
    with opened_store(config, create=False) as store:
        moment = today(config, clock.now)
        engine.prepare(store.connection, moment)
        told = []
        for item in items_named(store, key):
            answers = explaining.explain(store.connection, ruleset, moment, item["id"])
            told.append((item, answers, _held_labels(store, item["id"])))
    if form == "json":
        output.emit_json(
            [
                {**{name: item[name] for name in ("source", "key", "title")},
                 "rules": explaining.as_json(answers), "labels": labels}
                for item, answers, labels in told
            ]
        )  # fmt: skip
        return
    for item, answers, labels in told:
        click.echo(f'{item["key"]}  "{item["title"]}"  ({item["source"]})')
        click.echo(explaining.as_text(item["key"], answers))
        for label in labels:
            click.echo(f"{label['label']}: {label['state']}")


def _held_labels(store: Store, item_id: int) -> list[dict[str, Any]]:
    """What the ledger, the vetoes and the labels that flap say of an item."""
    return store.rows(
        "SELECT label, 'put on by us on ' || substr(put_at, 1, 10) AS state FROM ledger "
        "WHERE item_id = ?1 AND off_at IS NULL UNION ALL "
        "SELECT label, CASE cause WHEN 'undo' THEN 'taken back with `unstuck undo`' ELSE 'taken off by a person' END "
        "|| '; stays off until ' || substr(until, 1, 10) || ', or until the status changes' "
        "FROM veto WHERE item_id = ?1 UNION ALL "
        "SELECT label, 'goes on and off; left as it is since ' || substr(held_since, 1, 10) FROM flapping "
        "WHERE item_id = ?1 ORDER BY 1",
        (item_id,),
    )


def status(path: Path | None, form: str) -> None:
    """How things stand."""
    with looking(path) as (config, store):
        counts = last_counts(store)
        state = {
            "store": str(config.store),
            "runs": _last_runs(store),
            "sources": _source_states(config, store),
            "rules": [{"rule": count.rule, "matched": count.matched, "unknown": count.unknown} for count in counts],
            "findings": store.value("SELECT count(*) FROM finding"),
            "labels": store.value("SELECT count(*) FROM ledger WHERE off_at IS NULL"),
            "vetoes": store.value("SELECT count(*) FROM veto"),
            "unsettled": store.value("SELECT count(*) FROM journal WHERE result_at IS NULL"),
        }
    if form == "json":
        output.emit_json(state)
        return
    click.echo(f"Store: {state['store']}\n")
    columns = ("source", "system", "collections", "items", "oldest_data", "newest_data", "pulled_at", "problem")
    output.table([[output.as_text(row[name]) for name in columns] for row in state["sources"]], columns)
    click.echo(
        f"\n{state['findings']} finding(s), {state['labels']} label(s) put on by us, {state['vetoes']} veto(es), "
        f"{state['unsettled']} write(s) without a result.\n"
    )
    tell_unknown(counts)
    runs = [[output.as_text(value) for value in row.values()] for row in state["runs"]]
    output.table(runs, ("run", "started_at", "command", "rehearsal", "exit_code"))


def _last_runs(store: Store) -> list[dict[str, Any]]:
    rows = store.rows("SELECT id AS run, started_at, command, rehearsal, exit_code FROM run ORDER BY id DESC LIMIT 5")
    return [{**row, "rehearsal": bool(row["rehearsal"])} for row in rows]


def _source_states(config: Config, store: Store) -> list[dict[str, Any]]:
    rows = {
        row["source"]: row
        for row in store.rows(
            "SELECT c.source, count(*) AS collections, sum((SELECT count(*) FROM item i WHERE i.source = c.source "
            "AND i.collection = c.native_id AND i.missing_since IS NULL)) AS items, "
            "min(coalesce(c.as_of, c.complete_at)) AS oldest_data, "
            "max(coalesce(c.as_of, c.complete_at)) AS newest_data, max(c.pulled_at) AS pulled_at, "
            "max(c.problem) AS problem FROM collection c GROUP BY c.source"
        )
    }
    empty = dict.fromkeys(("oldest_data", "newest_data", "pulled_at", "problem"))
    return [
        {"source": name, "system": source.system, "collections": 0, "items": 0, **rows.get(name, empty)}
        for name, source in config.sources.items()
    ]


def backup(path: Path | None, file: Path) -> None:
    """A checked copy of the store; silent under cron."""
    config = configs.load(configs.find(path), secrets=False)
    size = back_up(config.store, file)
    if sys.stdout.isatty() or sys.stderr.isatty():
        click.echo(f"Wrote {file}, {size / 2**20:.1f} MiB, and checked it.")


def connectors(form: str) -> None:
    """What can be connected."""
    rows = []
    for name in registry.names():
        connector = registry.load(name)
        can = connector.capabilities
        rows.append(
            {
                "system": name,
                "summary": connector.summary,
                "writes": f"per {can.writes}" if can.writes else "no",
                "history": "from the tool" if can.history else "observed between runs",
                "options": [option.name for option in connector.options],
            }
        )
    output.emit(rows, ("system", "writes", "history", "options", "summary"), form, "")
