"""Evaluates what changed and what time moved, and finds exactly what a whole evaluation would find.

The store remembers in `dirty` which items were written since the last evaluation; triggers see to it, so that nothing
can be forgotten, and it is emptied in the transaction that stores the findings, so that a killed run loses nothing.
What only grew older is found by range scans (`rules.moved`), and is put to the rules whose threshold it crossed only.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time

from rules import table
from rules.compile import Doubts, Scope
from rules.counts import RuleCount
from rules.engine import count_initiatives, doubts_of_all, prepare
from rules.find import Evaluation, clear, doubts_of, find, of_kind, together
from rules.moved import REVIEWED, Range, ages_in_sql, asked, cuts, ranges
from rules.ruleset import On, RuleSet
from rules.table import INITIATIVE
from rules.today import Today

TABLES = """
CREATE TABLE dirty (
  item_id INTEGER PRIMARY KEY, was_there INTEGER NOT NULL, kin INTEGER NOT NULL DEFAULT 1,
  moved INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE unsure (rule INTEGER NOT NULL, item_id INTEGER NOT NULL, PRIMARY KEY (rule, item_id)) WITHOUT ROWID;
CREATE INDEX item_orphan ON item (source, parent_native_id) WHERE parent_id IS NULL AND parent_native_id IS NOT NULL;
CREATE INDEX item_heir ON item (outcome_id) WHERE outcome_id <> id;
"""
"""`dirty.was_there`: whether the last evaluation counted the item. `dirty.kin`: whether what others take from it was
written, or what links it to others. `dirty.moved`: whether what a whole counts together of its parts was written.
`unsure`: about which items a rule, named by its position in the set, could not tell. Beside them it takes the store's
`finding_kept` (item_id, rule, label)."""

_KIN = (
    "parent_native_id", "parent_id", "missing_since", "key", "url", "unknown", "metric_grade", "metric_described",
    "outcome_metric", "outcome_category", "outcome_baseline", "outcome_target", "outcome_actual",
    "outcome_reviewed_at", "outcome_reviewed_at_day",
)  # fmt: skip
"""Columns that links and inheritance are made of, and those that an heir or a child shows as its own."""

_MOVED = ("status_category", "status_since", "status_since_day", "status_since_is", "started_at", "started_at_day")
"""Columns that are counted together over all that is in an initiative."""


def _differs(columns: Sequence[str]) -> str:
    return " OR ".join(f"old.{name} IS NOT new.{name}" for name in columns)


TRIGGERS = f"""
CREATE TRIGGER item_is_new AFTER INSERT ON item BEGIN
  INSERT INTO dirty (item_id, was_there) VALUES (new.id, 0) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER item_was_written AFTER UPDATE ON item BEGIN
  INSERT INTO dirty (item_id, was_there, kin, moved)
  VALUES (new.id, old.missing_since IS NULL, {_differs(_KIN)}, {_differs(_MOVED)})
  ON CONFLICT DO UPDATE SET kin = max(kin, excluded.kin), moved = max(moved, excluded.moved)
  WHERE excluded.kin > kin OR excluded.moved > moved;
END;
CREATE TRIGGER item_was_moved AFTER UPDATE OF parent_id ON item WHEN old.parent_id IS NOT new.parent_id BEGIN
  INSERT INTO dirty (item_id, was_there, kin, moved)
  SELECT id, missing_since IS NULL, 0, 0 FROM item WHERE id = old.parent_id
  ON CONFLICT DO NOTHING;
END;
"""
"""They fill `dirty`."""

ANCHOR_TRIGGERS = "".join(
    f"""CREATE TRIGGER IF NOT EXISTS anchor_{when.lower()} AFTER {when} ON anchor BEGIN
  INSERT INTO dirty (item_id, was_there) SELECT id, missing_since IS NULL FROM item WHERE id = {row}.item_id
  ON CONFLICT DO UPDATE SET kin = 1;
END;
"""
    for when, row in (("INSERT", "new"), ("DELETE", "old"))
)
"""An item that comes into an initiative, or leaves one, and whatever hangs below it, is asked about again."""

_BELOW = frozenset({"items_below", "finished_below", "underway_days"})
_AROUND = _BELOW | {"sponsor_above"}
"""Columns that are answered by other items: those below, and those above."""


@dataclass(frozen=True, slots=True)
class Last:
    """What the last evaluation left, under the same signature and without a failure."""

    day: int
    """Its local day, as an ordinal."""
    considered: int
    counts: Mapping[str, tuple[int, int]]
    """Rule -> how many items matched, and about how many it could not tell."""
    others: Mapping[str, int] = field(default_factory=dict)
    """Rule -> how many it looked at, where that is not `considered`: it is asked about initiatives."""
    doubts: Doubts = field(default=Doubts())
    """What was unknown of any item, at most: what is known by now is only forgotten by a whole evaluation."""

    def considered_by(self, rule: str) -> int:
        """How many the rule looked at."""
        return self.others.get(rule, self.considered)


def signature(ruleset: RuleSet, today: Today) -> str:
    """Names the rules and all that gives them their meaning but the day; where it differs, all is evaluated anew.

    A calendar knows the holidays of some years only, and moves on with the year.
    """
    free = [(sorted(calendar.weekend), sorted(calendar.holidays)) for calendar in today.calendars]
    meaning = (ruleset.sha, free, today.review_days, today.placeholders)
    return hashlib.sha256(repr(meaning).encode()).hexdigest()


def is_current(connection: sqlite3.Connection, today: Today, last: Last) -> bool:
    """Whether nothing was written since the last evaluation, and the day is still the same."""
    return last.day == today.date.toordinal() and not connection.execute("SELECT 1 FROM dirty LIMIT 1").fetchone()


def asked_anew(ruleset: RuleSet, today: Today, last: Last) -> list[int]:
    """The positions of rules that are to be asked about every item: what SQL makes of an age is not known."""
    if last.day == today.date.toordinal():
        return []
    return [position for position, rule in enumerate(ruleset.rules) if ages_in_sql(rule)]


def resolve(connection: sqlite3.Connection, inheriting: Sequence[str]) -> None:
    """What `table.resolve` does, for items that were written and those below them; in the caller's transaction."""
    # items that get or lose a parent become dirty by it
    _set(connection, "parent_id", table.parents_sql(_LINKED))
    marks = ", ".join("?" for _ in inheriting) or "NULL"
    connection.execute("DROP TABLE IF EXISTS temp.below")
    connection.execute("CREATE TEMP TABLE below (id INTEGER PRIMARY KEY)")
    connection.execute(
        "WITH RECURSIVE down(id) AS (SELECT item_id FROM dirty WHERE kin UNION SELECT item.id FROM down "
        f"CROSS JOIN item ON item.parent_id = down.id WHERE item.metric_grade = 0 AND item.source IN ({marks})) "
        "INSERT INTO temp.below SELECT id FROM down",
        tuple(inheriting),
    )
    outcomes = table.outcomes_sql("SELECT id FROM temp.below", len(inheriting))
    _set(connection, "outcome_id", outcomes, inheriting)


def _set(connection: sqlite3.Connection, column: str, wanted: str, values: Sequence[str] = ()) -> None:
    """Write what the query `wanted` (id, value) selects into the column of `item`, row by row.

    One statement for all of them would copy each page that it changes, in case it had to be undone by itself.
    """
    connection.execute("DROP TABLE IF EXISTS temp.wanted")
    connection.execute(f"CREATE TEMP TABLE wanted AS {wanted}", tuple(values))
    rows = connection.execute("SELECT value, id FROM temp.wanted")
    connection.executemany(f"UPDATE item SET {column} = ? WHERE id = ?", rows)


_LINKED = (
    "SELECT item_id FROM dirty WHERE kin UNION ALL SELECT orphan.id FROM dirty "
    "CROSS JOIN item new ON dirty.kin AND new.id = dirty.item_id "
    "CROSS JOIN item orphan INDEXED BY item_orphan ON orphan.source = new.source "
    "AND orphan.parent_native_id = new.native_id AND orphan.parent_id IS NULL AND orphan.parent_native_id IS NOT NULL"
)
"""Items whose parent may be another than it was: no item is ever deleted, or gets another id."""


def unchanged(ruleset: RuleSet, last: Last) -> Evaluation:
    """The last evaluation's result, where it is current."""
    counts = ((rule.id, last.considered_by(rule.id), *last.counts[rule.id]) for rule in ruleset.rules)
    result = tuple(RuleCount(rule, matched, there, unknown) for rule, there, matched, unknown in counts)
    return Evaluation(result, is_new=False, items=last.considered)


def evaluate(
    connection: sqlite3.Connection, ruleset: RuleSet, today: Today, last: Last, anew: Collection[int]
) -> Evaluation:
    """Fill the temporary tables `found` and `unsure` as `engine.evaluate` does, for what may differ from the last time.

    That are the items in `touched` (id) with every rule, the pairs in `crossed` (position, rule, item_id), and all
    items with the rules at the positions `anew`. Reasons are as `rules.lasting` keeps them: time alone does not change
    them. The counts are those of a whole evaluation.

    `was` (item_id, rule, label, reason) gets the stored findings of `touched` and `crossed`.
    """
    scope = Scope(today, ruleset, lasting=True)
    before = Scope(replace(today, now=datetime.combine(date.fromordinal(last.day), time(12), today.zone)), ruleset)
    followed = [position for position in range(len(ruleset.rules)) if position not in anew]
    _touch(connection, scope, before, followed)
    groups = _cross(connection, scope, before, followed)
    _recall(connection)
    prepare(connection, today)
    clear(connection)
    kinds = ((on, of_kind(ruleset, followed, on)) for on in On)
    parts = [(positions, _TOUCHED.format(on.view)) for on, positions in kinds if positions]
    parts += [(positions, _CROSSED.format(ruleset.rules[positions[0]].on.view, positions[0])) for positions in groups]
    there, doubts = _written(connection, last)
    knowing = replace(scope, doubts=doubts)
    considered = {On.ITEM: there, On.INITIATIVE: count_initiatives(connection)}
    found = [
        find(connection, knowing, positions, items, considered[ruleset.rules[positions[0]].on])
        for positions, items in parts
    ]
    whole = Evaluation(())
    if anew:
        of_all = replace(scope, doubts=doubts_of_all(connection))
        kinds = ((on, of_kind(ruleset, sorted(anew), on)) for on in On)
        asked_all = (
            find(connection, of_all, positions, f"temp.{on.view}", considered[on])
            for on, positions in kinds
            if positions
        )
        whole = together(ruleset, asked_all, considered[On.ITEM])
    failed = dict(failure for part in (*found, whole) for failure in part.failures)
    counts = _counts(connection, ruleset, found, whole, last, considered, failed)
    return Evaluation(counts, tuple(failed.items()), items=there, doubts=doubts)


_TOUCHED = "(SELECT * FROM temp.{} WHERE id IN (SELECT id FROM temp.touched))"
_CROSSED = "(SELECT * FROM temp.{} WHERE id IN (SELECT item_id FROM temp.crossed WHERE position = {}))"


def index(connection: sqlite3.Connection, ruleset: RuleSet, today: Today) -> None:
    """Make the indexes on the days that the rules' thresholds are about, where they are not there yet.

    Only once they are needed: they would cost a first pull of many items more than anything else.
    """
    scope = Scope(today, ruleset)
    for column in sorted({column for rule in ruleset.rules for column, _ in cuts(rule, scope)}):
        name = f"item_by_{column}"
        connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON item ({column}) WHERE {column} IS NOT NULL")


# What is touched


def _touch(connection: sqlite3.Connection, scope: Scope, before: Scope, followed: Sequence[int]) -> None:
    """List the items about which every rule is asked again: what was written, and what takes something from that."""
    connection.execute("DROP TABLE IF EXISTS temp.touched")
    connection.execute("CREATE TEMP TABLE touched (id INTEGER PRIMARY KEY)")
    touch = "INSERT OR IGNORE INTO temp.touched SELECT"
    connection.execute(f"{touch} item_id FROM dirty")
    connection.execute(f"{touch} id FROM item WHERE {_HEIRS} (SELECT item_id FROM dirty WHERE kin)")
    everything = set[str]().union(*(asked(rule) for rule in scope.ruleset.rules))
    if "parent_key" in everything:
        connection.execute(f"{touch} id FROM item WHERE parent_id IN (SELECT item_id FROM dirty WHERE kin)")
    if everything & {"sponsor_above", "initiative_key"}:
        connection.execute(f"{touch} id FROM ({_DESCENDANTS.format('dirty')})")
    if "initiative_key" in everything:
        renamed = "anchor WHERE initiative_id IN (SELECT item_id FROM dirty WHERE kin)"
        connection.execute(f"{touch} id FROM ({_DESCENDANTS.format(renamed)})")
    if everything & _BELOW:
        for position in followed:
            rule = scope.ruleset.rules[position]
            for moved in ranges(rule, scope, before) if asked(rule) & _BELOW else ():
                for sql in _moved_sql(moved):
                    connection.execute(f"{touch} {sql}", moved[1:])
        connection.execute(f"{touch} id FROM ({_ANCESTORS})")


_HEIRS = "outcome_id <> id AND outcome_id IN"


def _moved_sql(moved: Range) -> Iterator[str]:
    """What to select of the items whose day lies in the range, and of those that share it with them."""
    column = moved[0]
    aged = f"id FROM item WHERE {column} > ? AND {column} <= ?"
    yield aged
    if column == REVIEWED:
        yield f"id FROM item WHERE {_HEIRS} (SELECT {aged})"


def _cross(connection: sqlite3.Connection, scope: Scope, before: Scope, followed: Sequence[int]) -> list[list[int]]:
    """List the items that a threshold passed over, each with the rules whose it is.

    Returns the positions of rules of one kind by what passed over the same days, and so is asked about the same items.
    """
    connection.execute("DROP TABLE IF EXISTS temp.crossed")
    connection.execute(
        "CREATE TEMP TABLE crossed (position INTEGER, rule TEXT, item_id INTEGER, PRIMARY KEY (position, item_id)) "
        "WITHOUT ROWID"
    )
    groups = defaultdict[tuple[On, tuple[Range, ...]], list[int]](list)
    for position in followed:
        rule = scope.ruleset.rules[position]
        moved = ranges(rule, scope, before)
        if moved and not asked(rule) & _BELOW:
            groups[rule.on, moved].append(position)
            for each in moved:
                for sql in _moved_sql(each):
                    connection.execute(
                        f"INSERT OR IGNORE INTO temp.crossed SELECT ?, ?, id FROM (SELECT {sql}) "
                        "WHERE id NOT IN (SELECT id FROM temp.touched)",
                        (position, rule.id, *each[1:]),
                    )
    return list(groups.values())


def _recall(connection: sqlite3.Connection) -> None:
    """Look up once what is stored of the pairs that are asked about again: they lie scattered over the file.

    In the order in which they lie; LIMIT keeps SQLite from dropping the order of a part of a join.
    """
    connection.execute("DROP TABLE IF EXISTS temp.was")
    connection.execute(
        "CREATE TEMP TABLE was (item_id INTEGER, rule TEXT, label TEXT, reason TEXT, "
        "PRIMARY KEY (item_id, rule, label)) WITHOUT ROWID"
    )
    was = "INSERT INTO temp.was SELECT f.item_id, f.rule, f.label, f.reason FROM"
    connection.execute(f"{was} temp.touched t CROSS JOIN finding_kept f ON f.item_id = t.id")
    connection.execute(
        f"{was} (SELECT item_id, rule FROM temp.crossed ORDER BY item_id LIMIT -1) c "
        "CROSS JOIN finding_kept f ON f.item_id = c.item_id AND f.rule = c.rule"
    )


_DESCENDANTS = (
    "WITH RECURSIVE down(id) AS (SELECT item_id FROM {} UNION SELECT item.id FROM down "
    "CROSS JOIN item ON item.parent_id = down.id) SELECT id FROM down"
)
_ANCESTORS = (
    "WITH RECURSIVE up(id) AS (SELECT id FROM temp.touched UNION SELECT item.parent_id FROM up "
    "CROSS JOIN item ON item.id = up.id WHERE item.parent_id IS NOT NULL) SELECT id FROM up"
)


# Counts


def _written(connection: sqlite3.Connection, last: Last) -> tuple[int, Doubts]:
    """How many items there are now, and what is unknown of any of them: only what was written differs from the last."""
    written = connection.execute(
        "SELECT unknown, outcome_id IS NULL, sum(iif(source = ?, 0, (missing_since IS NULL) - was_there)) "
        "FROM dirty CROSS JOIN item ON item.id = item_id GROUP BY 1, 2",
        (INITIATIVE,),
    ).fetchall()
    doubts = doubts_of((mask, None if unlinked else mask) for mask, unlinked, _ in written)
    both = Doubts(doubts.own | last.doubts.own, doubts.outcome | last.doubts.outcome)
    return last.considered + sum(more for *_, more in written), both


def _counts(
    connection: sqlite3.Connection,
    ruleset: RuleSet,
    found: Sequence[Evaluation],
    whole: Evaluation,
    last: Last,
    considered: Mapping[On, int],
    failed: Collection[str],
) -> tuple[RuleCount, ...]:
    """The last counts, less what the items that were asked about had part in them, and with what they have now."""
    gone, now = _had(connection), Counter[str]()
    unsure = Counter[str]()
    for part in found:
        for count in part.counts:
            now[count.rule] += count.matched
            unsure[count.rule] += count.unknown
    counts = {count.rule: count for count in whole.counts}
    for position, rule in enumerate(ruleset.rules):
        if rule.id not in counts and rule.id not in failed:
            matched, unknown = last.counts[rule.id]
            unknown -= _was_unsure(connection, position) if unknown else 0
            matched, unknown = matched - gone[rule.id] + now[rule.id], unknown + unsure[rule.id]
            counts[rule.id] = RuleCount(rule.id, matched, considered[rule.on], unknown)
    return tuple(counts[rule.id] for rule in ruleset.rules if rule.id in counts)


def _had(connection: sqlite3.Connection) -> Counter[str]:
    """How many findings each rule had among the items that it was asked about again; those are in `was`."""
    return Counter(dict(connection.execute("SELECT rule, count(*) FROM temp.was GROUP BY rule").fetchall()))


def _was_unsure(connection: sqlite3.Connection, position: int) -> int:
    count: int = connection.execute(
        f"SELECT count(*) FROM main.unsure WHERE rule = ? AND {AGAIN}", (position, position)
    ).fetchone()[0]
    return count


AGAIN = "item_id IN (SELECT id FROM temp.touched UNION ALL SELECT item_id FROM temp.crossed WHERE position = ?)"
"""SQL for the items that the rule at a position was asked about again."""
