"""Everything that a report shows, from one state of the store: the same numbers, whatever form they take."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from operator import attrgetter
from typing import Any

from rules import engine
from rules.columns import GRADES
from rules.compile import subjects_of
from rules.learned import least_items
from rules.ruleset import Rule, RuleSet
from sync import exemptionfiles, health, told
from sync.clock import Clock
from sync.config import Config
from sync.report import earlier
from sync.report.links import safe
from sync.report.model import (
    PERCENTILES,
    Aging,
    Column,
    Found,
    Group,
    Report,
    Row,
    RuleTold,
    SourceAge,
    Unstuck,
    Usual,
    Veto,
    Week,
    in_bands,
    percentiles,
)
from sync.standing import exempt_by_label
from sync.store import Store
from sync.today import today

WEEKS = 12
"""So many weeks, the one under way among them, make a trend."""
FINISHED_WITHIN = 180
"""Days: what was finished within them says how long work usually takes."""
ENOUGH = 10
"""Fewer finished items say nothing about what is usual."""
_CLOCKS = frozenset({"days_in_status", "business_days_in_status", "status_since"})
"""Columns that say how long an item has been where it is."""


def gather(config: Config, ruleset: RuleSet, store: Store, clock: Clock, since: date | None = None) -> Report:
    """Everything, as of now. With `since`, un-stuck counts from the last report of that day or before."""
    moment = today(config, clock.now)
    exemptions = exemptionfiles.read(config, ruleset, clock.now)
    stuck_rules = frozenset(rule.id for rule in ruleset.rules if is_about_time(rule))
    with store.snapshot():
        engine.prepare(store.connection, moment)
        rows = _rows(store, moment.date)
        stuck = sorted((row for row in rows if is_stuck(row, stuck_rules)), key=_longest_first)
        is_in = frozenset(row.id for row in stuck)
        before = earlier.before(store, clock, since or moment.date, including=since is not None)
        everything = _group("all", [row for row in rows if row.open], is_in)
        graded = {**earlier.grades(store, clock, moment.date), moment.date: everything.grades}
        return Report(
            made_at=clock.now.astimezone(config.timezone),
            rehearsal=clock.rehearsal,
            run=store.value("SELECT max(id) FROM run WHERE summary IS NOT NULL"),
            items=store.value("SELECT count(*) FROM work_item"),
            sources=tuple(_source(config, store, clock, name) for name in config.sources),
            all=everything,
            groups={name: _groups(rows, attrgetter(name), is_in) for name in ("source", "project", "owner")},
            rows=rows,
            aging=_aging(store, ruleset, rows, moment.date),
            stuck=tuple(stuck),
            compared_with=before.day if before else None,
            unstuck=_unstuck(store, before.stuck if before else (), is_in),
            weeks=_weeks(store, clock, moment.date, graded),
            graded_since=min(graded),
            rules=_rules(store, ruleset),
            vetoes=_vetoes(store),
            exempt_items=exempt_by_label(store, exemptions.unless),
            exemptions=exemptions.entries,
            findings=sum(len(row.found) for row in rows),
        )


def is_about_time(rule: Rule) -> bool:
    """Whether the rule asks how long an item has been where it is."""
    return any(not subject.custom and subject.name in _CLOCKS for subject in subjects_of(rule))


def is_stuck(row: Row, rules: frozenset[str]) -> bool:
    """Whether one of these rules found it."""
    return any(found.rule in rules for found in row.found)


def _longest_first(row: Row) -> tuple[int, date, str]:
    return -(row.business_days or 0), row.since or date.max, row.key


# Items


_ITEMS = """
SELECT w.id, w.source, w.key, w.title, w.url, w.project, coalesce(nullif(trim(w.owner), ''),
       json_extract(w.assignees, '$[0]')) AS owner, w.status, w.status_category, w.status_since_day,
       w.status_since_is, w.business_days_in_status,
       CASE WHEN w.status_category = 'in_progress' THEN coalesce(:today - w.started_at_day, w.days_in_status) END,
       EXISTS (SELECT 1 FROM item c WHERE c.parent_id = w.id), w.due_at_day, w.outcome_grade
FROM temp.work_item w
WHERE w.status_category IS NOT 'done' OR w.id IN (SELECT item_id FROM finding_kept) ORDER BY w.source, w.id
"""


def _rows(store: Store, day: date) -> tuple[Row, ...]:
    found = _found(store)
    cursor = store.connection.execute(_ITEMS, {"today": day.toordinal()})
    return tuple(_row(values, found.get(values[0], ())) for values in cursor)


def _row(values: Sequence[Any], found: Sequence[Found]) -> Row:
    (item, source, key, title, url, project, owner, status, category, since, since_is, business, age, plan, due,
     grade) = values  # fmt: skip
    return Row(
        id=item, source=source, key=key, title=title, url=safe(url), project=project, owner=owner, status=status,
        category=category, since=_day(since), at_least=since_is == "at_least", business_days=business,
        age=None if age is None else max(0, age), plan=bool(plan), due=_day(due), grade=grade,
        found=tuple(found),
    )  # fmt: skip


def _day(ordinal: int | None) -> date | None:
    return date.fromordinal(ordinal) if ordinal else None


def _found(store: Store) -> Mapping[int, Sequence[Found]]:
    """By item. The same texts come again and again: each is kept once."""
    kept: dict[str, str] = {}
    days: dict[str, date] = {}
    found: defaultdict[int, list[Found]] = defaultdict(list)
    for item, *texts, since in store.connection.execute("SELECT item_id, rule, label, reason, since FROM finding"):
        rule, label, reason = (kept.setdefault(text, text) for text in texts)
        day = days.get(since) or days.setdefault(since, date.fromisoformat(since[:10]))
        found[item].append(Found(rule, label, reason, day))
    return found


# Sources


def _source(config: Config, store: Store, clock: Clock, name: str) -> SourceAge:
    as_of = store.value(
        "SELECT min(coalesce(as_of, complete_at)) FROM collection WHERE source = ? AND complete_at IS NOT NULL "
        "AND NOT absent",
        (name,),
    )
    at = datetime.fromisoformat(as_of) if as_of else None
    warnings = health.worries(config, store, clock, name)
    away = told.away(store).get(name)
    if away:
        warnings.append(f"{name}: has not answered since {away[0][:16].replace('T', ' ')} UTC ({away[1]})")
    if at is None:
        warnings.append(f"{name}: has never answered completely; see `unstuck status`.")
    items = store.value("SELECT count(*) FROM item WHERE source = ? AND missing_since IS NULL", (name,))
    age = clock.now - at if at else None
    return SourceAge(name, config.sources[name].system, items, at, age, tuple(warnings))


# Outcomes


def _group(name: str, rows: Sequence[Row], stuck: frozenset[int]) -> Group:
    counted = Counter(row.grade or "unknown" for row in rows)
    grades = {grade: counted[grade] for grade in (*GRADES, "unknown")}
    return Group(
        name,
        len(rows),
        in_bands(grades),
        grades,
        sum(row.id in stuck for row in rows),
        sum(len(row.found) for row in rows),
    )


def _groups(rows: Iterable[Row], name: Callable[[Row], str | None], stuck: frozenset[int]) -> tuple[Group, ...]:
    by_name: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.open:
            by_name[name(row) or ""].append(row)
    groups = [_group(each, these, stuck) for each, these in by_name.items()]
    return tuple(sorted(groups, key=lambda group: (-group.open, group.name)))


# Work in progress


def _aging(store: Store, ruleset: RuleSet, rows: Iterable[Row], day: date) -> Aging:
    """What only sums up others is left out: it is as old as the oldest below it, and nobody works on it."""
    underway = sorted((row for row in rows if row.age is not None and not row.plan), key=lambda row: -(row.age or 0))
    took = sorted(
        took
        for (took,) in store.connection.execute(
            "SELECT finished_at_day - started_at_day FROM work_item AS item WHERE finished_at_day > ? "
            "AND started_at_day <= finished_at_day AND NOT EXISTS (SELECT 1 FROM item c WHERE c.parent_id = item.id)",
            (day.toordinal() - FINISHED_WITHIN,),
        )
    )
    usual = len(took) >= ENOUGH
    lines = percentiles(took if usual else sorted(row.age or 0 for row in underway)) if underway else {}
    by_status: defaultdict[str, list[int]] = defaultdict(list)
    for row in underway:
        by_status[row.status or ""].append(row.age or 0)
    usual_in = _usual(store, ruleset, day)
    columns = [
        Column(status, tuple(sorted(ages)), sum(age > lines[PERCENTILES[1]] for age in ages), tuple(usual_in[status]))
        for status, ages in sorted(by_status.items(), key=lambda each: (-len(each[1]), each[0]))
    ]
    return Aging(tuple(columns), tuple(underway), lines, usual, len(took))


_USUAL = """
SELECT in_status, percent, min(days), max(days), sum(items) FROM learned l
JOIN json_each(:least) asked ON asked.key = percent AND items >= asked.value
WHERE month = (SELECT max(month) FROM learned_month m WHERE m.percent = l.percent AND m.month <= :day)
AND EXISTS (SELECT 1 FROM work_item w WHERE w.source = in_source AND w.collection = in_collection
  AND ifnull(w.type, '') = of_type AND w.status = in_status AND w.status_category = 'in_progress')
GROUP BY in_status, percent ORDER BY percent
"""


def _usual(store: Store, ruleset: RuleSet, day: date) -> Mapping[str, Sequence[Usual]]:
    """By status, what rules learned of the kinds of items that are in progress in it."""
    usual = defaultdict[str, list[Usual]](list)
    least = json.dumps(least_items(ruleset))
    for status, *numbers in store.connection.execute(_USUAL, {"least": least, "day": day.isoformat()}):
        usual[status].append(Usual(*numbers))
    return usual


# What got un-stuck


def _unstuck(store: Store, before: Sequence[int], now: frozenset[int]) -> tuple[Unstuck, ...]:
    gone = [item for item in before if item not in now]
    rows = store.rows(
        "SELECT i.source, i.key, i.title, i.url, i.status, i.status_category, i.missing_since FROM json_each(?) "
        "JOIN item i ON i.id = value ORDER BY i.source, i.id",
        (json.dumps(gone),),
    )
    return tuple(Unstuck(row["source"], row["key"], row["title"], safe(row["url"]), _became(row)) for row in rows)


def _became(row: Mapping[str, Any]) -> str:
    if row["missing_since"]:
        return "gone from its tool"
    if row["status_category"] == "done":
        return f"done ({row['status']})" if row["status"] else "done"
    return f"now in {row['status']}" if row["status"] else "moved"


# Weeks

_WEEK = 7


def _weeks(store: Store, clock: Clock, day: date, graded: Mapping[date, Mapping[str, int]]) -> tuple[Week, ...]:
    """`graded` is by day, rising: the last of a week is what it ended with."""
    mondays = [day - timedelta(days=day.weekday() + _WEEK * back) for back in range(WEEKS - 1, -1, -1)]
    begun, finished = (_by_week(store, column, mondays[0]) for column in (_BEGUN, _FINISHED))
    told_by = _told(store, clock, mondays[0])
    graded_by = {each - timedelta(days=each.weekday()): grades for each, grades in graded.items()}
    return tuple(
        Week(
            monday,
            begun[monday],
            finished[monday],
            told_by[monday]["findings"] if monday in told_by else None,
            {each["rule"]: each["matched"] for each in told_by[monday]["rules"]} if monday in told_by else {},
            graded_by.get(monday, {}),
        )
        for monday in mondays
    )


_BEGUN = "started_at_day"
_FINISHED = "coalesce(finished_at_day, CASE WHEN status_category = 'done' THEN status_since_day END)"


def _by_week(store: Store, column: str, first: date) -> Counter[date]:
    rows = store.connection.execute(
        f"SELECT ({column} - 1) / {_WEEK} AS week, count(*) FROM work_item WHERE {column} >= ? GROUP BY week",
        (first.toordinal(),),
    )
    return Counter({date.fromordinal(week * _WEEK + 1): count for week, count in rows})


def _told(store: Store, clock: Clock, first: date) -> dict[date, Mapping[str, Any]]:
    """By Monday, what the last run of the week said that asked the rules. Rehearsals are beside rehearsals only."""
    rows = store.rows(
        f"SELECT week, summary FROM run JOIN (SELECT max(id) AS last, (CAST(julianday(started_at) - 1721425.5 AS "
        f"INTEGER)) / {_WEEK} AS week FROM run WHERE started_at >= ? AND rehearsal = ? AND summary IS NOT NULL "
        "AND json_array_length(summary, '$.rules') > 0 GROUP BY week) ON id = last",
        (first.isoformat(), int(clock.rehearsal)),
    )
    return {date.fromordinal(row["week"] * _WEEK + 1): json.loads(row["summary"]) for row in rows}


# Rules and people


def _rules(store: Store, ruleset: RuleSet) -> tuple[RuleTold, ...]:
    findings = dict(store.connection.execute("SELECT rule, count(*) FROM finding_kept GROUP BY rule").fetchall())
    unknown = dict(store.connection.execute("SELECT rule, unknown FROM rule_count").fetchall())
    vetoes = dict(store.connection.execute("SELECT rule, count(*) FROM veto GROUP BY rule").fetchall())
    paused = dict(store.connection.execute("SELECT rule, why FROM rule_pause WHERE paused_at > ''").fetchall())
    return tuple(
        RuleTold(
            rule.id,
            "".join(part if isinstance(part, str) else "…" for part in rule.says),
            findings.get(rule.id, 0),
            unknown.get(rule.id, 0),
            vetoes.get(rule.id, 0),
            paused.get(rule.id),
        )
        for rule in ruleset.rules
    )


def _vetoes(store: Store) -> tuple[Veto, ...]:
    rows = store.rows(
        "SELECT i.source, i.key, i.title, i.url, v.label, v.rule, v.cause, v.noticed_at, v.until FROM veto v "
        "JOIN item i ON i.id = v.item_id WHERE i.missing_since IS NULL ORDER BY v.noticed_at DESC, i.source, i.id"
    )
    return tuple(
        Veto(
            row["source"], row["key"], row["title"], safe(row["url"]), row["label"], row["rule"], row["cause"],
            date.fromisoformat(row["noticed_at"][:10]), date.fromisoformat(row["until"][:10]),
        )
        for row in rows
    )  # fmt: skip
