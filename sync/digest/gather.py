"""What there is to tell each owner, sponsor or project: what rules found of their items, less what people exempted."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from rules import engine
from rules.compile import subjects_of
from rules.explain import clears_when
from rules.ruleset import On, Rule, RuleSet
from rules.table import moment
from sync import exemptionfiles
from sync import told as telling
from sync.clock import Clock
from sync.config import Config
from sync.digest.memory import WEBHOOK, Last, of_name
from sync.digest.model import Better, Content, Entry, Kind, in_order
from sync.digest.terms import By
from sync.exemptions import Exemptions
from sync.report.gather import is_about_time
from sync.report.links import safe
from sync.store import Store
from sync.today import today

_WHO = {
    By.OWNER: "coalesce(nullif(trim(w.owner), ''), json_extract(w.assignees, '$[0]'))",
    By.SPONSOR: "w.sponsor",
    By.PROJECT: "w.project",
}
"""An owner is who the weekly budget of labels counts for: the owner, else the first of those it is assigned to."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """All there is to tell."""

    contents: tuple[Content, ...]
    """For each owner, sponsor or project, by name; none of them is empty."""
    nobodys: tuple[Entry, ...]
    """Found, and nobody's."""
    better: tuple[Better, ...]
    """Of what a chat was told the last time."""
    as_of: date | None
    """The day of the last run, if that was not today."""


def gather(
    config: Config, ruleset: RuleSet, store: Store, clock: Clock, by: By, before: Mapping[str, Last]
) -> Gathered:
    """As of the last run, from one state of the store."""
    exemptions = exemptionfiles.read(config, ruleset, clock.now)
    away, as_of = telling.away(store), _as_of(config, store, clock)
    with store.snapshot():
        engine.prepare(store.connection, today(config, clock.now))
        gathering = _Gathering(store, ruleset, exemptions, clock)
        entries = list(gathering.entries(by))
        better = {who: _better(store, last.items - gathering.found) for who, last in before.items()}
    names = {who: last.name for who, last in before.items() if who == of_name(last.name)}
    names |= {of_name(entry.whose): " ".join(entry.whose.split()) for entry in reversed(entries)}
    by_name: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_name[of_name(entry.whose)].append(entry)
    nobodys = by_name.pop(of_name(""), [])
    contents = [
        _content(name, by_name.get(who, ()), better.get(who, ()), away) for who, name in sorted(names.items()) if name
    ]
    told = tuple(replace(each, as_of=as_of) for each in contents if not each.empty)
    return Gathered(told, in_order(nobodys), better.get(WEBHOOK, ()), as_of)


def _as_of(config: Config, store: Store, clock: Clock) -> date | None:
    """The day of the last run that got to its end, if that was not today."""
    finished = store.value("SELECT max(finished_at) FROM run WHERE summary IS NOT NULL")
    if finished is None:
        return None
    day = datetime.fromisoformat(finished).astimezone(config.timezone).date()
    return day if day < clock.now.astimezone(config.timezone).date() else None


def _content(name: str, entries: Sequence[Entry], better: Sequence[Better], away: Mapping[str, object]) -> Content:
    return Content(
        (name,),
        in_order(entry for entry in entries if entry.kind is Kind.STUCK),
        in_order(entry for entry in entries if entry.kind is Kind.OUTCOME),
        tuple(better),
        tuple(sorted({entry.source for entry in entries} & away.keys())),
    )


def kind_of(rule: Rule) -> Kind | None:
    """What a digest takes the rule's findings for; most rules are no matter of a digest."""
    if is_about_time(rule):
        return Kind.STUCK
    return Kind.OUTCOME if any(subject.from_outcome for subject in subjects_of(rule)) else None


class _Gathering:
    """One look at the store."""

    def __init__(self, store: Store, ruleset: RuleSet, exemptions: Exemptions, clock: Clock) -> None:
        self.store, self.exemptions = store, exemptions
        paused = {row["rule"] for row in store.rows("SELECT rule FROM rule_pause WHERE paused_at > ''")}
        told_of = {rule.id: kind for rule in ruleset.rules if (kind := kind_of(rule))}
        self.rules = {rule.id: rule for rule in ruleset.rules if rule.id in told_of}
        self.kinds = {rule: kind for rule, kind in told_of.items() if rule not in paused}
        vetoes = store.rows("SELECT item_id, label FROM veto WHERE until > ?", (moment(clock.now),))
        self.vetoed = {(row["item_id"], row["label"]) for row in vetoes}
        names = store.rows("SELECT source, native_id, name FROM collection")
        self.collections = {(row["source"], row["native_id"]): row["name"] for row in names}
        self.findings = self._findings()

    @property
    def found(self) -> frozenset[int]:
        """`item.id` of everything that such a rule finds, whether it is told or not."""
        return frozenset(self.findings)

    def _findings(self) -> Mapping[int, Sequence[tuple[str, str, str, date]]]:
        """By item: rule, label, reason and since when."""
        findings: defaultdict[int, list[tuple[str, str, str, date]]] = defaultdict(list)
        for item, rule, label, reason, since in self.store.connection.execute(
            "SELECT item_id, rule, label, reason, since FROM finding WHERE rule IN (SELECT value FROM json_each(?)) "
            "ORDER BY item_id, rule",
            (json.dumps([*self.rules]),),
        ):
            findings[item].append((rule, label, reason, date.fromisoformat(since[:10])))
        return findings

    def entries(self, by: By) -> Iterator[Entry]:
        """Items and initiatives, each once."""
        for on in On:
            for row in self.store.rows(
                "SELECT w.id, w.source, w.key, w.title, w.url, w.collection, w.labels, w.calendar, "
                f"w.status_since_day, w.status_since_is, trim(ifnull({_WHO[by]}, '')) AS whose FROM temp.{on.view} w "
                "WHERE w.id IN (SELECT value FROM json_each(?)) ORDER BY w.source, w.id",
                (json.dumps([*self.findings]),),
            ):
                entry = self._entry(row)
                if entry is not None:
                    yield entry

    def _entry(self, row: Mapping[str, Any]) -> Entry | None:
        """What is to be told of an item, if anything is."""
        exempting = self.exemptions.unless.among(json.loads(row["labels"]))
        told = [each for each in self.findings[row["id"]] if not self._is_kept_off(row, each[0], each[1], exempting)]
        if not told:
            return None
        told.sort(key=lambda each: self.kinds[each[0]] is not Kind.STUCK)
        kind = self.kinds[told[0][0]]
        since = date.fromordinal(row["status_since_day"]) if row["status_since_day"] else None
        return Entry(
            item=row["id"], kind=kind, source=row["source"], key=row["key"], title=row["title"], url=safe(row["url"]),
            whose=row["whose"], calendar=row["calendar"],
            since=since if kind is Kind.STUCK and since else min(day for *_, day in told),
            at_least=kind is Kind.STUCK and row["status_since_is"] == "at_least",
            reasons=tuple(dict.fromkeys(reason for _, _, reason, _ in told)),
            clears=tuple(dict.fromkeys(clears_when(self.rules[rule]) for rule, *_ in told)),
        )  # fmt: skip

    def _is_kept_off(self, row: Mapping[str, Any], rule: str, label: str, exempting: str | None) -> bool:
        """Whether the label stays off by a person's word, or its rule does not label there yet."""
        return (
            rule not in self.kinds
            or (row["id"], label) in self.vetoed
            or self.exemptions.why(row["source"], row["key"], rule, exempting) is not None
            or self._is_elsewhere(self.rules[rule], row)
        )

    def _is_elsewhere(self, rule: Rule, row: Mapping[str, Any]) -> bool:
        first, collection = rule.rollout.first, row["collection"]
        names = (None, collection, self.collections.get((row["source"], collection)))
        return rule.on is On.ITEM and first not in names


def _better(store: Store, gone: frozenset[int]) -> tuple[Better, ...]:
    rows = store.rows(
        "SELECT i.id, i.source, i.key, i.title, i.url, i.status, i.status_category, i.missing_since "
        "FROM json_each(?) JOIN item i ON i.id = value ORDER BY i.source, i.id",
        (json.dumps(sorted(gone)),),
    )
    return tuple(
        Better(row["id"], row["source"], row["key"], row["title"], safe(row["url"]), _became(row)) for row in rows
    )


def _became(row: Mapping[str, Any]) -> str:
    if row["missing_since"]:
        return "gone from its tool"
    if row["status_category"] == "done":
        return f"done ({row['status']})" if row["status"] else "done"
    return f"in order, in {row['status']}" if row["status"] else "in order"
