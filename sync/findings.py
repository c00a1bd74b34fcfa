"""Keeps what the rules found: only what changed is evaluated where the last evaluation can be built on, else all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from rules import engine, incremental, table
from rules.compile import Doubts
from rules.ruleset import RuleSet
from sync.store import Store
from sync.today import keep_calendar

_WORTH_IT = 0.2
"""With more of the items written than this, evaluating all of them is faster."""
_FEW = 1_000
"""So many items are always worth it."""


@dataclass(frozen=True, slots=True)
class Links:
    """What config says of how items hang together."""

    inheriting: tuple[str, ...]
    """Sources whose items inherit outcomes."""
    of_sources: Mapping[str, int]
    """Source -> number of its calendar, where it is not the default one."""
    of_projects: table.ProjectCalendars

    @property
    def signature(self) -> str:
        """Where it differs, all items are linked anew."""
        return json.dumps([self.inheriting, sorted(self.of_sources.items()), sorted(self.of_projects.items())])


def link(store: Store, links: Links) -> None:
    """Link items to parents, to inherited outcomes and to calendars, as far as anything moved since it was done."""
    again = store.setting("resolved") == links.signature
    if again and not store.value("SELECT 1 FROM dirty LIMIT 1"):
        return
    with store.deriving() as connection:
        if again and _is_worth_it(store):
            with store.few_of_many():
                incremental.resolve(connection, links.inheriting)
        else:
            table.resolve(connection, links.inheriting)
        if not again or links.of_sources or links.of_projects:
            table.assign_calendars(connection, links.of_sources, links.of_projects)
        if not again:
            store.remember("resolved", links.signature)


def evaluate(store: Store, ruleset: RuleSet, today: engine.Today) -> engine.Evaluation:
    """Evaluate, and bring the stored findings up to date; those of a rule that failed stay as they are."""
    connection, signature = store.connection, incremental.signature(ruleset, today)
    last = _last(store, signature)
    if last is None:
        evaluation = engine.evaluate(connection, ruleset, today, lasting=True)
        with store.deriving():
            keep_calendar(store, today)
            _keep_all(store, evaluation, today.now)
            incremental.index(connection, ruleset, today)
            _remember(store, signature, evaluation, today)
        return evaluation
    if incremental.is_current(connection, today, last):
        return incremental.unchanged(ruleset, last)
    with store.few_of_many():
        return _build_on(store, ruleset, today, last, signature)


def _build_on(
    store: Store, ruleset: RuleSet, today: engine.Today, last: incremental.Last, signature: str
) -> engine.Evaluation:
    """What `evaluate` does where the last evaluation can be built on."""
    anew = incremental.asked_anew(ruleset, today, last)
    evaluation = incremental.evaluate(store.connection, ruleset, today, last, anew)
    with store.deriving():
        keep_calendar(store, today)
        _keep_touched(store, evaluation, [ruleset.rules[position].id for position in anew], today.now)
        _keep_unsure(store, ruleset, last, anew)
        _remember(store, signature, evaluation, today)
    return evaluation


def count(store: Store, evaluation: engine.Evaluation) -> int:
    """How many findings are stored after an evaluation: one for each item that a rule matched.

    Those of a rule that failed are as they were; then all are counted.
    """
    if evaluation.failures:
        return int(store.value("SELECT count(*) FROM finding_kept"))
    return sum(each.matched for each in evaluation.counts)


def last_counts(store: Store) -> list[engine.RuleCount]:
    """What each rule made of all items when they were last evaluated; without those that failed."""
    known = json.loads(store.setting("evaluated") or '{"counts": {}}')
    return [
        engine.RuleCount(rule, matched, known.get("others", {}).get(rule, known["considered"]), unknown)
        for rule, (matched, unknown) in known["counts"].items()
    ]


def _is_worth_it(store: Store) -> bool:
    dirty: int = store.value("SELECT count(*) FROM dirty")
    return dirty <= _FEW or dirty <= _WORTH_IT * store.value("SELECT max(id) FROM item")


def _last(store: Store, signature: str) -> incremental.Last | None:
    """The last evaluation, if it can be built on."""
    known = json.loads(store.setting("evaluated") or "{}")
    if known.get("signature") != signature or not _is_worth_it(store):
        return None
    counts = {rule: (matched, unknown) for rule, (matched, unknown) in known["counts"].items()}
    doubts = Doubts(**known.get("doubts", {}))
    return incremental.Last(known["day"], known["considered"], counts, known.get("others", {}), doubts)


def _remember(store: Store, signature: str, evaluation: engine.Evaluation, today: engine.Today) -> None:
    """After a failure there is nothing to build on: the next evaluation is a whole one."""
    store.connection.execute("DELETE FROM dirty")
    counts = {count.rule: (count.matched, count.unknown) for count in evaluation.counts}
    others = {count.rule: count.considered for count in evaluation.counts if count.considered != evaluation.items}
    last = incremental.Last(today.date.toordinal(), evaluation.items, counts, others, evaluation.doubts)
    told = json.dumps({"signature": None if evaluation.failures else signature, **asdict(last)})
    if store.setting("evaluated") != told:
        store.remember("evaluated", told)


def _keep_all(store: Store, evaluation: engine.Evaluation, now: datetime) -> None:
    connection = store.connection
    connection.execute("CREATE INDEX temp.found_by_item ON found (item_id, rule, label)")
    failed = [rule for rule, _ in evaluation.failures]
    gone = f"rule NOT IN ({_marks(failed)}) AND {_NOT_FOUND.format('finding_kept')}"
    connection.execute(f"DELETE FROM finding_kept WHERE {gone}", failed)
    connection.execute(_KEEP.format(_FOUND.format("true")), (table.moment(now),))
    connection.execute("DELETE FROM main.unsure")
    connection.execute("INSERT INTO main.unsure SELECT rule, item_id FROM temp.unsure")


def _keep_touched(store: Store, evaluation: engine.Evaluation, anew: Sequence[str], now: datetime) -> None:
    """What was found of the touched items, and all that the rules `anew` found; only what differs is written."""
    connection = store.connection
    connection.execute("CREATE INDEX temp.found_by_item ON found (item_id, rule, label)")
    failed = [rule for rule, _ in evaluation.failures]
    connection.execute(
        "DELETE FROM finding_kept WHERE (item_id, rule, label) IN (SELECT item_id, rule, label FROM temp.was "
        f"WHERE rule NOT IN ({_marks(failed)}) AND {_NOT_FOUND.format('was')})",
        failed,
    )
    for rule in anew:
        if rule not in failed:
            gone = f"rule = ? AND {_NOT_FOUND.format('finding_kept')}"
            connection.execute(f"DELETE FROM finding_kept WHERE {gone}", (rule,))
    # row by row: one statement for all would copy each page that it changes, in case it had to be undone by itself
    news = connection.execute(_FOUND.format(_IS_NEWS), (table.moment(now),))
    connection.executemany(_KEEP.format("VALUES (?, ?, ?, ?, ?, ?)"), news)


def _keep_unsure(store: Store, ruleset: RuleSet, last: incremental.Last, anew: Sequence[int]) -> None:
    for position, rule in enumerate(ruleset.rules):
        if last.counts[rule.id][1]:
            again, values = ("true", ()) if position in anew else (incremental.AGAIN, (position,))
            store.connection.execute(f"DELETE FROM main.unsure WHERE rule = ? AND {again}", (position, *values))
    store.connection.execute("INSERT INTO main.unsure SELECT rule, item_id FROM temp.unsure")


_NOT_FOUND = (
    "NOT EXISTS (SELECT 1 FROM temp.found f "
    "WHERE f.item_id = {0}.item_id AND f.rule = {0}.rule AND f.label = {0}.label)"
)


_KEEP = "INSERT INTO finding_kept (item_id, rule, label, reason, counts, since) {} ON CONFLICT (item_id, rule, label) "
_KEEP += "DO UPDATE SET reason = excluded.reason, counts = excluded.counts WHERE reason <> excluded.reason"
_FOUND = "SELECT item_id, rule, label, reason, counts, ? FROM temp.found f WHERE {} ORDER BY item_id, rule, label"
_IS_NEWS = (
    "NOT EXISTS (SELECT 1 FROM temp.was w "
    "WHERE w.item_id = f.item_id AND w.rule = f.rule AND w.label = f.label AND w.reason = f.reason)"
)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" for _ in values)
