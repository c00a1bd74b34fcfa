"""Commands that look at the store: `items`, `findings`, `status`, `backup`, and `connectors`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from connectors import registry
from connectors.wording import many
from rules.counts import RuleCount
from sync import clock as clocks
from sync import config as configs
from sync import health, log, output, told, vetoes
from sync.commands.shared import looking, only_source, stored, tell_unknown
from sync.config import Config
from sync.lastly import last_counts, last_summary
from sync.stops import Exit
from sync.store import Store

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
    from rules.ruleset import On

    with looking(path) as (config, store):
        where, parameters = only_source(config, source)
        columns = "source, key, title, owner, rule, label, reason, since"
        rows = [
            row
            for on in On
            for row in store.rows(
                f"SELECT {columns} FROM finding JOIN temp.{on.view} ON id = item_id {where} ORDER BY source, id, rule",
                parameters,
            )
        ]
    output.emit(rows, ("source", "key", "label", "title", "reason"), form, "The rules found nothing.")


def status(path: Path | None, form: str) -> int:
    """How things stand. Returns 1 if a source's data is older, or quieter, than it usually is."""
    with stored(path) as (config, store):
        clock = clocks.read()
        counts = last_counts(store)
        worries = {name: health.worries(config, store, clock, name) for name in config.sources}
        state = {
            "store": str(config.store),
            "stale": any(worries.values()),
            "runs": _last_runs(store),
            "sources": _source_states(config, store, worries),
            "rules": [{"rule": count.rule, "matched": count.matched, "unknown": count.unknown} for count in counts],
            "findings": store.value("SELECT count(*) FROM finding"),
            "labels": store.value("SELECT count(*) FROM ledger WHERE off_at IS NULL"),
            "vetoes": store.value("SELECT count(*) FROM veto"),
            "objections": vetoes.by_rule(store),
            **_as_of_the_last_run(store),
            "unsettled": store.value("SELECT count(*) FROM journal WHERE result_at IS NULL"),
            "waiting": _waiting(store),
            "brakes": _last_brakes(store),
        }
    if form == "json":
        output.emit_json(state)
    else:
        _tell_status(state, counts)
    return Exit.PARTLY if state["stale"] else Exit.FINE


def _tell_status(state: Mapping[str, Any], counts: Sequence[RuleCount]) -> None:
    output.say(f"Store: {state['store']}\n")
    columns = ("source", "system", "collections", "items", "oldest_data", "newest_data", "pulled_at", "problem")
    output.table([[output.as_text(row[name]) for name in columns] for row in state["sources"]], columns)
    output.say(
        f"\n{many(state['findings'], 'finding')}, {many(state['labels'], 'label')} put on by us, "
        f"{many(state['vetoes'], 'veto', 'vetoes')}, {many(state['unsettled'], 'write')} without a result.\n"
    )
    _tell_rules(state)
    tell_unknown(counts)
    shown = ("run", "started_at", "seconds", "command", "rehearsal", "exit_code")
    output.table([[output.as_text(run[name]) for name in shown] for run in state["runs"]], shown)
    waiting, brakes = state["waiting"], state["brakes"]
    if waiting["items"] or waiting["held"]:
        output.say(
            f"\nWaiting: changes on {many(waiting['items'], 'item')}, {many(waiting['held'], 'label')} held back."
        )
    if brakes:
        output.say(f"\nThe last brake tripped in run {brakes['run']}, {brakes['at']}: {', '.join(brakes['names'])}.")
    for source in state["sources"]:
        if source["away_since"]:
            output.say(f"\n{source['source']}: away since {source['away_since']}: {source['problem']}")
        for sentence in source["worries"]:
            log.say(sentence, "stale", source=source["source"])


def _as_of_the_last_run(store: Store) -> dict[str, Any]:
    summary = last_summary(store)
    exempt = summary.get("exemptions", {"items": 0, "entries": 0, "ended": []})
    return {"held": summary.get("held", {}), "exemptions": exempt}


def _tell_rules(state: Mapping[str, Any]) -> None:
    """Rules that people object to, and what stays as it is because of people."""
    rows = [row for row in state["objections"] if row["taken_off"] or row["paused_since"]]
    if rows:
        output.emit(rows, ("rule", "labels", "vetoes", "taken_off", "paused_since"), "table", "")
        click.echo("")
    for row in rows:
        if row["paused_since"]:
            output.say(f"Rule {row['rule']} is paused; `unstuck rules resume {row['rule']}` lets it go on.\n")
    held = [f"{number} {kind}" for kind, number in state["held"].items() if number]
    exempt = state["exemptions"]
    if held or exempt["items"] or exempt["entries"]:
        output.say(
            f"Held back in the last run: {', '.join(held) or 'nothing'}. "
            f"Exempt: {many(exempt['items'], 'item')} by label, {exempt['entries']} by file.\n"
        )


def _last_runs(store: Store) -> list[dict[str, Any]]:
    rows = store.rows(
        "SELECT id AS run, started_at, (julianday(finished_at) - julianday(started_at)) * 86400 AS seconds, "
        "command, rehearsal, exit_code FROM run ORDER BY id DESC LIMIT 5"
    )
    return [
        {
            **row,
            "seconds": None if row["seconds"] is None else round(row["seconds"]),
            "rehearsal": bool(row["rehearsal"]),
        }
        for row in rows
    ]


def _waiting(store: Store) -> dict[str, int]:
    """What the last run that came to a plan left to do: it only planned, was stopped, or a write failed."""
    summary = store.value(
        "SELECT summary FROM run WHERE json_extract(summary, '$.stopped') IS NULL AND summary IS NOT NULL "
        "ORDER BY id DESC LIMIT 1"
    )
    told = json.loads(summary or "{}")
    planned, written = (told.get(name, {}).get("items", 0) for name in ("planned", "written"))
    return {"items": planned - written, "held": sum(told.get("held", {}).values())}


def _last_brakes(store: Store) -> dict[str, Any] | None:
    rows = store.rows(
        "SELECT id AS run, started_at AS at, json_extract(summary, '$.brakes') AS names FROM run "
        "WHERE json_array_length(summary, '$.brakes') > 0 ORDER BY id DESC LIMIT 1"
    )
    for row in rows:
        return {**row, "names": sorted({brake["name"] for brake in json.loads(row["names"])})}
    return None


def _source_states(config: Config, store: Store, worries: Mapping[str, list[str]]) -> list[dict[str, Any]]:
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
    away = told.away(store)
    states = []
    for name, source in config.sources.items():
        since, why = away.get(name, (None, None))
        known = rows.get(name, empty)
        state = {"source": name, "system": source.system, "collections": 0, "items": 0, **known}
        states.append({**state, "problem": why or known["problem"], "away_since": since, "worries": worries[name]})
    return states


def backup(path: Path | None, file: Path) -> None:
    """A checked copy of the store; silent under cron."""
    from sync.backup import back_up

    config = configs.load(configs.find(path), secrets=False)
    size = back_up(config.store, file)
    if sys.stdout.isatty() or sys.stderr.isatty():
        output.say(f"Wrote {file}, {size / 2**20:.1f} MiB, and checked it.")


def export(path: Path | None, folder: Path, source: str | None) -> None:
    """The store as Parquet files; silent under cron."""
    from sync import parquet  # pyarrow is large, and no other command needs it

    with looking(path) as (config, store):
        only_source(config, source)
        done = parquet.export(store, folder, clocks.read().now, source)
    if sys.stdout.isatty() or sys.stderr.isatty():
        output.say(f"Wrote {many(done.written, 'file')} below {folder}; {done.unchanged} were as they should be.")


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
