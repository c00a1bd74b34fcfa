"""How fast rules are: ours, the same by hand in SQL, DuckDB, and three rule engines; everything, and what changed.

    python bench/rules.py            100,000 and 1,000,000 items (1.5 GB of disk, some minutes)
    python bench/rules.py --small    2,000 only
    python bench/rules.py --write    also put the tables into docs/benchmarks.md

Twenty rules, each a few conditions that must all hold, are spelled for every engine from one list; all must match the
same items. The engines get each item as a dict that is made before the clock starts, with days, grades and inherited
outcomes worked out: only their matching is measured, on a sample. They need the extra `bench`. Every size runs in a
process of its own; the fastest of three rounds counts. DuckDB gets the rows into its memory before the clock starts,
and may use all processors. Exits 1 if a limit is missed, which --small only shows.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from tables import peak_mb, put_into_docs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from rules import calendar, engine, grading, loader, table  # noqa: E402 - the checkout's own
from rules.ruleset import RuleSet  # noqa: E402

SIZES = (100_000, 1_000_000)
SMALL = (2_000,)
MAX_BY_HAND, MIN_FASTER, MIN_FASTER_C7N, MIN_INCREMENTAL, MAX_MB = 1.3, 20, 5, 15, 100
SAMPLES = {"rule-engine": 10_000, "cel-python": 300, "c7n": 10_000}
LEAST = {"rule-engine": MIN_FASTER, "cel-python": MIN_FASTER, "c7n": MIN_FASTER_C7N}
NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
CALENDAR = calendar.make("DE", None, None, (), 1996, 2029)

Condition = tuple[str, str, Any]
OPEN: Condition = ("status_category", "not", "done")
DOING: Condition = ("status_category", "is", ["in_progress"])
RULES: dict[str, tuple[Condition, ...]] = {
    "no-sponsor": (OPEN, ("sponsor", "missing", None)),
    "sponsor-says-nothing": (OPEN, ("sponsor", "placeholder", None)),
    "no-owner": (OPEN, ("owner", "missing", None), ("age_days", "over", 30)),
    "stuck": (DOING, ("status", "is", ["in progress"]), ("business_days_in_status", "over", 150)),
    "stuck-in-review": (DOING, ("status", "is", ["in review"]), ("business_days_in_status", "over", 140)),
    "stuck-for-long": (DOING, ("business_days_in_status", "over", 300)),
    "blocked": (("status", "is", ["blocked", "on hold", "impeded"]), ("business_days_in_status", "over", 5)),
    "overdue": (OPEN, ("due_in", "under", 0)),
    "due-and-far-from-done": (OPEN, ("due_in", "within", 7), ("percent_complete", "under", 50)),
    "never-begun": (("status_category", "is", ["todo"]), ("age_days", "over", 180)),
    "outcome-missing": (OPEN, ("outcome_grade", "is", ["missing"])),
    "outcome-placeholder": (OPEN, ("outcome_grade", "is", ["placeholder"])),
    "outcome-technical": (OPEN, ("outcome_grade", "is", ["technical"])),
    "outcome-vague": (OPEN, ("outcome_grade", "is", ["vague"])),
    "outcome-unaimed": (OPEN, ("outcome_grade", "is", ["no_baseline", "no_target"])),
    "outcome-unreviewed": (OPEN, ("outcome_grade", "is", ["unreviewed"])),
    "outcome-no-category": (OPEN, ("outcome_category", "missing", None), ("outcome_metric", "present", None)),
    "orphaned-epic": (OPEN, ("type", "is", ["epic"]), ("owner", "missing", None)),
    "migration": (OPEN, ("title", "contains", "migration"), ("sponsor", "missing", None)),
    "urgent-and-untouched": (DOING, ("priority", "is", ["high"]), ("percent_complete", "under", 1)),
}
SAYS = {"stuck": "In {status} for {business_days_in_status} business days", "overdue": "Due on {due_at}"}
WORDS = [word for word in grading.SHIPPED if "*" not in word]


def today(days: int = 0) -> engine.Today:
    """The day of the measurement, or one so many days later."""
    return engine.Today(NOW + timedelta(days=days), UTC, CALENDAR)


# The rules, in each engine's words


def as_toml() -> str:
    """A rule file."""
    text = ""
    for name, conditions in RULES.items():
        when = "\n".join(_toml(*condition) for condition in conditions)
        text += f'[[rule]]\nid = "{name}"\nlabel = "{name}"\nsays = "{SAYS.get(name, name)}"\n[rule.when]\n{when}\n'
    return text


def _toml(column: str, how: str, value: Any) -> str:
    if column == "due_in":
        return 'due_at = "past"' if how == "under" else f'due_at = "within {value} days"'
    if how == "is":
        return f"{column} = {json.dumps(value)}"
    return f'{column} = "{how}"' if value is None else f'{column} = "{how} {value}"'


class Dialect(NamedTuple):
    """What is said otherwise in another database."""

    items: str
    business_days: str
    due: str


SQLITE = Dialect(
    # without the indexes that serve the incremental evaluation: they tempt SQLite, and would slow this one down
    "item i NOT INDEXED",
    table.business_days_sql("i.status_since_day", str(today().date.toordinal())),
    "strftime('%d.%m.%Y', i.due_at_day + 1721424.5)",
)
_COUNTED = "(SELECT business FROM calendar_day WHERE day = {})"
DUCKDB = Dialect(
    "item i",
    f"{_COUNTED.format(today().date.toordinal())} - {_COUNTED.format('i.status_since_day - 1')} - 1",
    "strftime(DATE '0001-01-01' + (i.due_at_day - 1), '%d.%m.%Y')",
)


def by_hand(name: str, dialect: Dialect = SQLITE) -> str:
    """One statement that finds what the rule finds, as someone who knows the tables would write it."""
    conditions = RULES[name]
    where = " AND ".join(_sql(*condition) for condition in conditions)
    reason = {
        "stuck": f"'In ' || i.status || ' for ' || ({dialect.business_days}) || ' business days'",
        "overdue": f"'Due on ' || {dialect.due}",
    }
    join = "JOIN item o ON o.id = i.outcome_id" if "o." in where else ""
    return (
        f"INSERT INTO temp.hand SELECT i.id, '{name}', '{name}', {reason.get(name, repr(name))} "
        f"FROM {dialect.items} {join} "
        f"WHERE i.missing_since IS NULL AND {where}"
    )


def _sql(column: str, how: str, value: Any) -> str:  # noqa: PLR0911 - a line for each way to ask
    day = today().date.toordinal()
    name = f"{'o' if column.startswith('outcome') else 'i'}.{column}"
    quoted = ", ".join("'" + str(each).replace("'", "''") + "'" for each in (WORDS if value is None else value)) if (
        how in ("placeholder", "is")
    ) else ""  # fmt: skip
    match column, how:
        case "outcome_grade", _:
            return "(" + " OR ".join(_GRADE_SQL[grade].replace(":today", str(day)) for grade in value) + ")"
        case "due_in", "under":
            return f"i.due_at_day < {day}"
        case "due_in", _:
            return f"i.due_at_day BETWEEN {day} AND {day + value}"
        case "age_days", _:
            return f"i.created_at_day < {day - value}"
        case "business_days_in_status", _:
            return f"i.status_since_day <= {CALENDAR.cutoff(today().date, value).toordinal()}"
        case "status_category", _:
            return f"{name} <> 'done'" if how == "not" else f"{name} IN ({quoted})"
        case _, "missing" | "present":
            return f"coalesce(trim({name}), '') {'=' if how == 'missing' else '<>'} ''"
        case _, "is" | "placeholder":
            return f"lower(trim({name})) IN ({quoted})"
        case _, "contains":
            return f"instr(lower({name}), '{value}') > 0"
    return f"{name} < {value}"


_AIMED = "o.metric_grade = 4 AND o.outcome_baseline <> '' AND o.outcome_target <> ''"
_GRADE_SQL = {
    "missing": "o.metric_grade = 0",
    "placeholder": "o.metric_grade = 1",
    "technical": "o.metric_grade = 2",
    "vague": "o.metric_grade = 3",
    "no_baseline": "(o.metric_grade = 4 AND coalesce(o.outcome_baseline, '') = '')",
    "no_target": "(o.metric_grade = 4 AND coalesce(o.outcome_target, '') = '' AND o.outcome_baseline <> '')",
    "unreviewed": f"({_AIMED} AND (o.outcome_reviewed_at_day IS NULL OR o.outcome_reviewed_at_day < :today - 92))",
}

Matcher = Callable[[Mapping[str, Any]], bool]


def expressions(both: str, contains: str) -> dict[str, str]:
    """The rules as expressions of rule-engine and of CEL, which differ in two places."""

    def spell(column: str, how: str, value: Any) -> str:
        return {
            "is": f"{column} in {json.dumps(value)}",
            "placeholder": f"{column} in {json.dumps(WORDS, ensure_ascii=False)}",
            "not": f'{column} != "{value}"',
            "missing": f'{column} == ""',
            "present": f'{column} != ""',
            "over": f"{column} > {value}",
            "under": f"{column} < {value}",
            "within": f"{column} >= 0{both}{column} <= {value}",
            "contains": contains.format(column=column, value=value),
        }[how]

    return {name: both.join(spell(*condition) for condition in conditions) for name, conditions in RULES.items()}


def with_rule_engine() -> dict[str, Matcher]:
    """The rules in the package rule-engine."""
    import rule_engine

    context = rule_engine.Context(resolver=rule_engine.resolve_item)
    spelled = expressions(" and ", '"{value}" in {column}')
    return {name: rule_engine.Rule(text, context=context).matches for name, text in spelled.items()}


def with_cel() -> dict[str, Matcher]:
    """The rules in the package cel-python."""
    import celpy

    environment = celpy.Environment()
    spelled = expressions(" && ", '{column}.contains("{value}")')
    programs = {name: environment.program(environment.compile(text)) for name, text in spelled.items()}
    return {name: program.evaluate for name, program in programs.items()}


def with_c7n() -> dict[str, Matcher]:
    """The rules as filters of Cloud Custodian."""
    from c7n.filters import ValueFilter

    operators = {"is": "in", "not": "ne", "over": "gt", "under": "lt", "contains": "contains"}

    def filters(column: str, how: str, value: Any) -> list[dict[str, Any]]:
        start = {"type": "value", "key": column}
        if how == "within":
            return [start | {"op": "gte", "value": 0}, start | {"op": "lte", "value": value}]
        if how in ("missing", "present"):
            return [start | {"value": "empty" if how == "missing" else "not-null"}]
        return [start | {"op": operators.get(how, "in"), "value": WORDS if how == "placeholder" else value}]

    def matcher(conditions: Iterable[Condition]) -> Matcher:
        chain = [ValueFilter(each).validate() for condition in conditions for each in filters(*condition)]
        return lambda item: all(each(item) for each in chain)

    return {name: matcher(conditions) for name, conditions in RULES.items()}


ENGINES = {"rule-engine": with_rule_engine, "cel-python": with_cel, "c7n": with_c7n}


def records(connection: sqlite3.Connection, count: int) -> list[dict[str, Any]]:
    """The first items as other engines get them: texts in small letters, everything worked out, nothing NULL."""
    texts = ["title", "type", "priority", "status", "status_category", "owner", "sponsor", "outcome_grade"]
    texts += ["outcome_category", "outcome_metric"]
    numbers = ["percent_complete", "age_days", "business_days_in_status"]
    columns = [*(f"lower(ifnull({name}, ''))" for name in texts), *numbers]
    due = f"ifnull(due_at_day - {today().date.toordinal()}, 99999)"
    rows = connection.execute(f"SELECT {', '.join(columns)}, {due} FROM work_item WHERE id <= ?", (count,))
    return [dict(zip((*texts, *numbers, "due_in"), row, strict=True)) for row in rows]


# Measuring, in a process of its own


def fastest(work: Callable[[], object], rounds: int = 3) -> float:
    """Seconds of the fastest round."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def fill(path: Path, count: int) -> None:
    """A store with so many items."""
    from generators.items import items

    from sync.store import open_store

    grader = grading.Grader()
    names = (*table.PULLED, "first_seen")
    with open_store(path) as store, store.transaction() as connection:
        connection.executemany(
            f"INSERT INTO item ({', '.join(names)}) VALUES ({', '.join('?' for _ in names)})",
            ((*table.pulled_row(item, UTC, grader), "") for item in items(count, NOW)),
        )
        connection.execute("INSERT INTO item_detail (item_id, description) SELECT id, printf('%.400c', 'x') FROM item")


def change(connection: sqlite3.Connection, count: int, chance: random.Random) -> None:
    """People change one item of a hundred: most move on, some get a sponsor or a metric, or go below another."""
    day = today().date.toordinal()
    for item_id in chance.sample(range(1, count + 1), count // 100):
        column, value = chance.choice(
            (
                ("status", "In Review"),
                ("status_since_day", day),
                ("percent_complete", chance.randrange(100)),
                ("sponsor", f"somebody {chance.random()}"),
                ("parent_native_id", str(chance.randrange(count) // 10 * 10)),
                ("metric_grade", chance.randrange(5)),
            )
        )
        connection.execute(f"UPDATE item SET {column} = ? WHERE id = ?", (value, item_id))


def evaluate(path: Path, ruleset: RuleSet, day: int, *, whole: bool) -> float:
    """Seconds of linking, evaluating and keeping the findings, as a run does."""
    from sync import findings
    from sync.store import open_store

    with open_store(path) as store:
        if whole:
            store.connection.execute("DELETE FROM setting")
        start = time.perf_counter()
        findings.link(store, findings.Links(("bench",), {}, {}))
        findings.evaluate(store, ruleset, today(day))
        return time.perf_counter() - start


def measure_ours(path: Path, count: int, ruleset: RuleSet) -> dict[str, Any]:
    """Everything, then only what changed on each of three days, and memory."""
    from sync.store import open_store

    evaluate(path, ruleset, 0, whole=True)
    chance, whole, part = random.Random(1), [], []
    for day in (1, 2, 3):
        for times, is_whole in ((part, False), (whole, True)):
            with open_store(path) as store, store.transaction() as connection:
                change(connection, count, chance)
            times.append(evaluate(path, ruleset, 2 * day + is_whole, whole=is_whole))
    return {"whole": min(whole), "incremental": min(part), "peak": peak_mb()}


def measure_sql(path: Path, ruleset: RuleSet) -> dict[str, Any]:
    """Our statements beside those by hand, in turns; both must find the same."""
    from sync.store import open_store

    with open_store(path) as store:
        connection = store.connection
        ours, hand = [], []
        for _ in range(4):
            ours.append(fastest(lambda: engine.evaluate(connection, ruleset, today()), 1))
            connection.execute("DROP TABLE IF EXISTS temp.hand")
            connection.execute("CREATE TEMP TABLE hand (item_id INTEGER, rule TEXT, label TEXT, reason TEXT)")
            hand.append(fastest(lambda: [connection.execute(by_hand(name)) for name in RULES], 1))
        both = [connection.execute(f"SELECT rule, count(*), sum(item_id) FROM {name} GROUP BY rule ORDER BY rule")
                .fetchall() for name in ("temp.found", "temp.hand")]  # fmt: skip
        if both[0] != both[1]:
            raise SystemExit(f"by hand finds something else: {set(both[0]) ^ set(both[1])}")
    return {"ours": min(ours[1:]), "hand": min(hand[1:]), "found": sum(row[1] for row in both[0])}


def measure_engines(path: Path, ruleset: RuleSet) -> dict[str, float]:
    """Seconds an item of each engine, which must match the same items as we do."""
    from sync.store import open_store

    result = {}
    with open_store(path) as store:
        engine.evaluate(store.connection, ruleset, today())
        for name, make in ENGINES.items():
            sample, matchers = records(store.connection, SAMPLES[name]), make()
            if name == "cel-python":
                import celpy

                sample = [{key: celpy.json_to_cel(value) for key, value in item.items()} for item in sample]

            def match_all(
                sample: list[dict[str, Any]] = sample, matchers: Mapping[str, Matcher] = matchers
            ) -> dict[str, int]:
                return {rule: sum(bool(match(item)) for item in sample) for rule, match in matchers.items()}

            want = dict.fromkeys(RULES, 0) | dict(
                store.connection.execute(
                    "SELECT rule, count(*) FROM temp.found WHERE item_id <= ? GROUP BY rule", (SAMPLES[name],)
                )
            )
            if match_all() != want:
                raise SystemExit(f"{name} matches something else: {set(match_all().items()) ^ set(want.items())}")
            result[name] = fastest(match_all, 2) / len(sample)
    return result


def measure_duckdb(path: Path, ruleset: RuleSet) -> dict[str, float]:
    """DuckDB, which must find the same as we do, and its memory."""
    import duck

    from sync.store import open_store

    with open_store(path) as store:
        engine.evaluate(store.connection, ruleset, today())
        want = store.connection.execute(
            "SELECT rule, count(*), sum(item_id) FROM temp.found GROUP BY rule ORDER BY rule"
        ).fetchall()
    seconds, found = duck.measure(duck.load(path, path.parent), [by_hand(name, DUCKDB) for name in RULES], 3)
    if found != want:
        raise SystemExit(f"DuckDB finds something else: {set(found) ^ set(want)}")
    return {"seconds": seconds, "peak": peak_mb()}


def child(what: str, path: Path, count: int) -> None:
    """In a process of its own: measure, and print the result as JSON."""
    (path.parent / "rules.toml").write_text(as_toml())
    ruleset = loader.load([path.parent / "rules.toml"])
    result: Any = {
        "fill": lambda: fill(path, count),
        "ours": lambda: measure_ours(path, count, ruleset),
        "sql": lambda: measure_sql(path, ruleset),
        "duckdb": lambda: measure_duckdb(path, ruleset),
        "engines": lambda: measure_engines(path, ruleset),
    }[what]()
    print(json.dumps(result))


def measured(what: str, path: Path, count: int) -> Any:
    """What the child says."""
    command = [sys.executable, __file__, "--child", what, str(path), str(count)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


# Tables


class Row(NamedTuple):
    """One line of the table: what, a number with its unit, and whether it is within its limit."""

    items: int
    what: str
    ours: str
    other: str
    ratio: str
    limit: str
    is_within: bool


def measure(count: int, folder: Path) -> list[Row]:
    """All lines for one size."""
    path = folder / f"{count}.db"
    measured("fill", path, count)
    ours = measured("ours", path, count)
    sql = measured("sql", path, count)
    faster, by_hand_ratio = ours["whole"] / ours["incremental"], sql["ours"] / sql["hand"]
    rows = [
        Row(
            count,
            f"20 rules, {sql['found']:,} findings, beside one SQL statement each by hand",
            f"{sql['ours']:.2f} s",
            f"{sql['hand']:.2f} s",
            f"{by_hand_ratio:.2f}×",
            f"at most {MAX_BY_HAND}×",
            by_hand_ratio <= MAX_BY_HAND,
        ),
        Row(
            count,
            "a new day and 1 % changed, beside links, rules and findings of all items",
            f"{ours['incremental'] * 1000:.0f} ms",
            f"{ours['whole']:.2f} s",
            f"1/{faster:.0f}",
            f"at most 1/{MIN_INCREMENTAL}",
            faster >= MIN_INCREMENTAL,
        ),
        Row(
            count,
            "peak memory of both",
            f"{ours['peak']:.0f} MB",
            "",
            "",
            f"at most {MAX_MB} MB",
            ours["peak"] <= MAX_MB,
        ),
    ]
    if _is_installed("duckdb"):
        duck = measured("duckdb", path, count)
        rows.append(_duckdb_row(count, sql["ours"], **duck))
    if count == min(SIZES) or count in SMALL:
        rows += [_engine_row(count, name, sql["ours"] / count, cost) for name, cost in _engines(path, count).items()]
    path.unlink()
    return rows


def _engines(path: Path, count: int) -> dict[str, float]:
    if any(shutil.which("python") is None or not _is_installed(name) for name in ("rule_engine", "celpy", "c7n")):
        print("rule-engine, cel-python and c7n are left out: install the extra `bench`", file=sys.stderr)
        return {}
    costs: dict[str, float] = measured("engines", path, count)
    return costs


def _is_installed(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None


def _duckdb_row(count: int, ours: float, seconds: float, peak: float) -> Row:
    """No limit: it is stated."""
    what = f"20 rules, beside DuckDB, which has the rows in memory ({peak:,.0f} MB)"
    return Row(count, what, f"{ours:.2f} s", f"{seconds:.2f} s", f"{ours / seconds:.1f}×", "", is_within=True)


def _engine_row(count: int, name: str, ours: float, other: float) -> Row:
    return Row(
        count,
        f"20 rules for one item, beside {name}",
        f"{ours * 1e6:.1f} µs",
        f"{other * 1e6:,.0f} µs",
        f"{other / ours:.0f}× faster",
        f"at least {LEAST[name]}×",
        other / ours >= LEAST[name],
    )


def as_table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| items | what | unstuck | the other | | limit |", "|--:|---|--:|--:|--:|--:|"]
    lines += [f"| {row.items:,} | {row.what} | {row.ours} | {row.other} | {row.ratio} | {row.limit} |" for row in rows]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "FILE", "ITEMS"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        child(chosen.child[0], Path(chosen.child[1]), int(chosen.child[2]))
        return 0
    rows = []
    with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as folder:
        for size in SMALL if chosen.small else SIZES:
            rows += measure(size, Path(folder))
            print(as_table(rows), flush=True)
    if chosen.write:
        put_into_docs("rules", "Evaluating rules", as_table(rows))
    missed = [row for row in rows if not row.is_within]
    for row in missed:
        print(f"missed: {row.items:,}: {row.what}: {row.ratio or row.ours}, {row.limit}", file=sys.stderr)
    return 1 if missed and not chosen.small else 0


if __name__ == "__main__":
    sys.exit(main())
