"""How things stand between the rules, people and one item, or all of them: for `explain` and `status`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.model import Exempting
from rules.explain import RuleAnswer
from rules.ruleset import RuleSet
from sync.exemptions import Exemptions, told_of_label
from sync.store import Store

LabelState = dict[str, str]
"""`label` and `state`, the shape of docs/json.md."""


def of_item(
    store: Store, item: Mapping[str, Any], ruleset: RuleSet, exemptions: Exemptions, answers: Sequence[RuleAnswer]
) -> list[LabelState]:
    """Whose each label is, who took it off, and what else keeps one off. `item` has `id`, `source` and `key`."""
    return [
        *_ours_and_vetoed(store, item["id"]),
        *_exempt(store, item, ruleset, exemptions),
        *_paused(store, answers),
    ]


def _ours_and_vetoed(store: Store, item_id: int) -> list[LabelState]:
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


def _exempt(store: Store, item: Mapping[str, Any], ruleset: RuleSet, exemptions: Exemptions) -> Iterator[LabelState]:
    """A label of people's own, or entries of files with their reason and end."""
    present = json.loads(store.value("SELECT labels FROM item WHERE id = ?", (item["id"],)))
    label = exemptions.unless.among(present)
    if label is not None:
        yield {"label": label, "state": f"{told_of_label(exemptions.unless, label)}: no rule labels the item"}
        return
    for rule in ruleset.rules:
        entry = exemptions.entry_for(item["source"], item["key"], rule.id)
        if entry is not None:
            yield from ({"label": each, "state": str(entry)} for each in rule.labels)


def _paused(store: Store, answers: Sequence[RuleAnswer]) -> Iterator[LabelState]:
    """Labels that are found and do not go on, as people do not want their rule."""
    paused = {row["rule"]: row["why"] for row in store.rows("SELECT rule, why FROM rule_pause WHERE paused_at > ''")}
    for answer in answers:
        if answer.label and answer.rule in paused:
            yield {"label": answer.label, "state": f'rule "{answer.rule}" is paused: {paused[answer.rule]}'}


def exempt_by_label(store: Store, unless: Exempting) -> int:
    """How many items people have exempted in the tools themselves."""
    likely = store.rows(
        "SELECT labels FROM item WHERE missing_since IS NULL AND instr(lower(labels), lower(?))",
        (json.dumps(unless.label, ensure_ascii=False)[1:-1],),
    )
    return sum(unless.among(json.loads(row["labels"])) is not None for row in likely)
