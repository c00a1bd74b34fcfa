"""Which rules have been seen in a run, and all else that decides how fast labels go on: the facts of `sync.holds`.

A run has seen a rule in a source if it got to its end, the rule could be evaluated, and at least one collection of the
source answered completely; whether it wrote, planned, or was stopped by a brake, people could look at the findings.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from rules.ruleset import RuleSet
from rules.table import moment
from sync.config import Config
from sync.holds import Facts
from sync.plan import Plan
from sync.store import Store

WEEK = timedelta(days=7)


def facts(config: Config, ruleset: RuleSet, store: Store, plan: Plan, now: datetime, *, writes: bool) -> Facts:
    """What may hold back what is planned in this run. One that only plans shows what the next one would write."""
    rules = {rule.id: rule for rule in ruleset.rules}
    budget = config.per_person_per_week if plan.changes else 0
    in_turn = budget or (plan.changes and any(rule.rollout.per_run for rule in ruleset.rules))
    people = _people(store) if budget else {}
    return Facts(
        rules=rules,
        unseen=_unseen(store, ruleset, config.sources) if writes else frozenset(),
        paused=frozenset(row["rule"] for row in store.rows("SELECT rule FROM rule_pause WHERE paused_at IS NOT NULL")),
        collections=_collections(store),
        since=_since(store) if in_turn else {},
        people=people,
        spent=_spent(store, people, now) if budget else {},
        budget=budget,
    )


def nowhere(known: Facts) -> list[str]:
    """Sentences on rules whose labels go on nowhere, as no collection is called as their `rollout.first` says."""
    names = {each for (_, native_id), name in known.collections.items() for each in (native_id, name)}
    return [
        f'{rule.file}:{rule.line}: rule "{rule.id}": rollout.first names "{rule.rollout.first}", and no collection is '
        "called so, so it labels nothing; correct the name, or take it out."
        for rule in known.rules.values()
        if rule.rollout.first is not None and rule.rollout.first not in names
    ]


def _unseen(store: Store, ruleset: RuleSet, sources: Iterable[str]) -> frozenset[tuple[str, str]]:
    """A meaning of '' was adopted from a store that did not yet keep it: the rule had written before."""
    rows = store.rows("SELECT rule, source, meaning FROM rule_seen")
    seen = {(row["rule"], row["source"]): row["meaning"] for row in rows}
    return frozenset(
        (rule.id, source)
        for rule in ruleset.rules
        for source in sources
        if not rule.rollout.now and seen.get((rule.id, source)) not in ("", rule.meaning)
    )


def remember_seen(
    connection: sqlite3.Connection, ruleset: RuleSet, evaluated: Iterable[str], answered: Iterable[str], now: datetime
) -> None:
    """Keep which rules this run has seen in which sources; a rule that is deleted is new when it comes back."""
    known = {rule.id: rule.meaning for rule in ruleset.rules}
    connection.execute(f"DELETE FROM rule_seen WHERE rule NOT IN ({', '.join('?' for _ in known)})", [*known])
    sources = [*answered]
    connection.executemany(
        "INSERT INTO rule_seen (rule, source, meaning, seen_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (rule, source) DO UPDATE SET meaning = excluded.meaning, seen_at = excluded.seen_at "
        "WHERE meaning <> excluded.meaning",
        [(rule, source, known[rule], moment(now)) for rule in evaluated for source in sources],
    )


def _collections(store: Store) -> Mapping[tuple[str, str], str]:
    rows = store.rows("SELECT source, native_id, name FROM collection")
    return {(row["source"], row["native_id"]): row["name"] for row in rows}


def _since(store: Store) -> Mapping[tuple[int, str], str]:
    rows = store.connection.execute("SELECT item_id, label, min(since) FROM finding_on_item GROUP BY item_id, label")
    return {(item, label): since for item, label, since in rows}


def _people(store: Store) -> Mapping[int, str]:
    """Item -> its owner, else the first of those it is assigned to. The same name in two tools is one person."""
    spelled: dict[str, str] = {}
    return {
        item: spelled.setdefault(person.casefold(), person)
        for item, person in store.connection.execute(
            "SELECT id, trim(coalesce(nullif(trim(owner), ''), json_extract(assignees, '$[0]'))) AS person FROM item "
            "WHERE missing_since IS NULL AND person <> '' ORDER BY id"
        )
    }


def _spent(store: Store, people: Mapping[int, str], now: datetime) -> Mapping[str, int]:
    """Labels that went onto each person's items in the last seven days, but for a ladder's later steps."""
    spent: dict[str, int] = {}
    for item, labels in store.connection.execute(
        "SELECT item_id, count(*) FROM journal j WHERE action = 'add' AND result = 'done' AND result_at > ? "
        "AND NOT EXISTS (SELECT 1 FROM journal o WHERE o.item_id = j.item_id AND o.run_id = j.run_id "
        "AND o.rule = j.rule AND o.action = 'remove') GROUP BY item_id",
        (moment(now - WEEK),),
    ):
        if item in people:
            spent[people[item]] = spent.get(people[item], 0) + labels
    return spent
