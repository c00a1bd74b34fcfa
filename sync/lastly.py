"""What the last run left to say, for those who only look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rules.counts import RuleCount
from sync.store import Store


def last_counts(store: Store) -> list[RuleCount]:
    """What each rule made of all items when they were last evaluated; without those that failed."""
    known = json.loads(store.setting("evaluated") or '{"counts": {}}')
    return [
        RuleCount(rule, matched, known.get("others", {}).get(rule, known["considered"]), unknown)
        for rule, (matched, unknown) in known["counts"].items()
    ]


def last_summary(store: Store) -> Mapping[str, Any]:
    """What the last run that got to its end said of itself, in the shape of docs/json.md; empty if there is none."""
    told = store.value("SELECT summary FROM run WHERE summary IS NOT NULL ORDER BY id DESC LIMIT 1")
    return json.loads(told) if told else {}
