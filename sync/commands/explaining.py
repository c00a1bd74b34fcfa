"""The command `explain`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rules import engine
from rules import explain as explaining
from sync import clock as clocks
from sync import exemptionfiles, output, standing, trees
from sync.commands.shared import items_named, load, opened_store, rehearsal_note
from sync.store import Store
from sync.today import today


def explain(path: Path | None, key: str, form: str) -> None:
    """Every rule's answer for the items that people call KEY."""
    config, ruleset = load(path, secrets=False)
    clock = clocks.read()
    rehearsal_note(clock)
    with opened_store(config, create=False) as store:
        moment = today(config, clock.now)
        engine.prepare(store.connection, moment)
        exemptions, told = exemptionfiles.read(config, ruleset, clock.now), []
        for item in _with_initiatives(store, key):
            answers = explaining.explain(store.connection, ruleset, moment, item["id"])
            told.append((item, answers, standing.of_item(store, item, ruleset, exemptions, answers)))
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
        output.say(f'{item["key"]}  "{item["title"]}"  ({item["source"]})')
        for line in explaining.as_text(item["key"], answers).split("\n"):
            output.say(line, 7)
        for label in labels:
            output.say(f"{label['label']}: {label['state']}")


def _with_initiatives(store: Store, key: str) -> list[dict[str, Any]]:
    """What people call KEY, items and initiatives, and the initiatives that those items are in."""
    columns = "id, source, key, title"
    named = store.rows(f"SELECT {columns} FROM temp.initiative WHERE key = ? COLLATE NOCASE", (key,))
    items = items_named(store, key, required=not named)
    known = json.dumps(trees.initiatives_of(store, [item["id"] for item in items]))
    around = store.rows(f"SELECT {columns} FROM temp.initiative WHERE id IN (SELECT value FROM json_each(?))", (known,))
    return list({row["id"]: row for row in (*items, *named, *around)}.values())
