"""What each command does, once its options are read."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

import click

from connectors import registry
from connectors.errors import ConnectorError
from rules import capture as capturing
from rules import edges as edge
from rules import engine, loader, selftest, sheets
from rules import explain as explaining
from rules import schema as rule_schema
from rules.calendar import Calendar
from rules.columns import COLUMNS
from rules.grading import SHIPPED
from rules.ruleset import Case, RuleSet
from sync import clock as clocks
from sync import config as configs
from sync import output, planfile, rulefiles, schema
from sync.backtest import Backtest, backtest, period
from sync.brakes import NAMES as BRAKES
from sync.compare import Comparison, compare
from sync.config import Config
from sync.plan import Plan
from sync.run import RunReport, Wish, cycle, locked, make, today
from sync.stops import Exit, InvalidStop
from sync.store import Store, explain_error, open_store

# Config and rules


def _load(path: Path | None) -> tuple[Config, RuleSet]:
    """Config and rules, or `InvalidStop` with all mistakes of whichever fails first."""
    config = configs.load(configs.find(path))
    return config, _ruleset(rule_files(config), config.prefix)


def rule_files(config: Config) -> list[Path]:
    """The rule files that are in force. Raises `InvalidStop` for a name that finds none."""
    if not config.rules:
        return loader.builtin_files()
    files: list[Path] = []
    for pattern in config.rules:
        found = sorted(path for path in config.folder.glob(pattern) if path.is_file())
        if not found:
            raise InvalidStop(f'{config.path}: rules: "{pattern}" finds no file below {config.folder}; correct it.')
        files += [path for path in map(_from_here, found) if path not in files]
    return files


def _from_here(path: Path) -> Path:
    """As a person who stands in this folder would name it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _ruleset(files: Sequence[Path], prefix: str) -> RuleSet:
    try:
        return loader.load(files, prefix=prefix)
    except loader.RuleErrors as errors:
        raise InvalidStop(*(str(problem) for problem in errors.problems)) from errors


@contextmanager
def _store(config: Config, *, create: bool) -> Iterator[Store]:
    """The open store; whatever SQLite says of it while it is used becomes one sentence."""
    with open_store(config.store, create=create) as store:
        try:
            yield store
        except sqlite3.DatabaseError as error:
            raise InvalidStop(explain_error(config.store, error)) from error


def _rehearsal_note(clock: clocks.Clock) -> None:
    if clock.rehearsal:
        click.echo(f"Rehearsal: UNSTUCK_NOW sets the clock to {clock.now:%d %b %Y %H:%M} UTC.", err=True)


# First steps


def welcome(path: Path | None, help_text: str) -> None:
    """What `unstuck` alone prints: help, and the first thing to do."""
    click.echo(help_text)
    try:
        found = configs.find(path)
    except InvalidStop:
        click.echo("\nThere is no config yet. Begin with `unstuck init .`")
    else:
        click.echo(f"\nThe config is {found}. See how things stand with `unstuck status`.")


def init(folder: Path) -> None:
    """Write config.toml and rules.d/, never over a file that exists."""
    existing = [path for path in (folder / "config.toml", folder / "rules.d") if path.exists()]
    if existing:
        raise InvalidStop(f"{existing[0]} exists already; name another folder, or move it away first.")
    try:
        (folder / "rules.d").mkdir(parents=True)
        (folder / "config.toml").write_text(example_config(), encoding="utf-8")
        for pack in loader.builtin_files():
            shutil.copyfile(pack, folder / "rules.d" / pack.name)
    except OSError as error:
        raise InvalidStop(f"{folder}: cannot be written to ({error.strerror}); name another folder.") from error
    click.echo(f"Wrote {folder / 'config.toml'} and {folder / 'rules.d'}.")
    click.echo("Next: describe your tools in config.toml, then `unstuck check`, `unstuck check --live`, `unstuck run`.")


def example_config() -> str:
    """The shipped config.example.toml: beside this module in a wheel, at the top of a checkout."""
    packaged = resources.files("sync") / "config.example.toml"
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parent.parent / "config.example.toml").read_text(encoding="utf-8")


def check(path: Path | None, live: bool) -> int:
    """Config, rules, store; with `live` also what each tool says."""
    config, ruleset = _load(path)
    today(config, clocks.read().now)
    for source in config.sources.values():
        make(source, writable=False).close()
    click.echo(f"{config.path}: fine, {len(config.sources)} source(s).")
    _warn(ruleset, config)
    click.echo(f"Rules: {len(ruleset.rules)} in {len(ruleset.files)} file(s), fine.")
    _check_store(config)
    return _check_live(config) if live else Exit.FINE


def _check_store(config: Config) -> None:
    import sqlite_utils.utils

    library = sqlite_utils.utils.sqlite3
    if library is not sqlite3:
        raise InvalidStop(
            f"sqlite-utils uses {library.__name__} here, a second SQLite library, and two of them on one file corrupt "
            f"it; uninstall {library.__name__.split('.')[0]} from this environment."
        )
    if not config.store.exists():
        click.echo(f"Store: {config.store} will be made by the first run.")
        return
    with _store(config, create=False) as store:
        verdict = store.value("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise InvalidStop(f"{config.store}: is damaged ({verdict}); restore it from a backup.")
        click.echo(f"Store: {config.store} is sound, {store.value('SELECT count(*) FROM item')} item(s).")


def _check_live(config: Config) -> int:
    failed = False
    for source in config.sources.values():
        connector = make(source, writable=False)
        try:
            for notice in connector.check():
                failed = failed or notice.level == "problem"
                click.echo(f"{source.name}: {notice.level}: {notice.text}")
        except ConnectorError as error:
            failed = True
            click.echo(f"{source.name}: problem: {error}.")
        finally:
            connector.close()
    return Exit.PARTLY if failed else Exit.FINE


# Runs


def run(
    path: Path | None, apply_: bool | None, source: str | None, full: bool, force: Sequence[str], as_json: bool
) -> int:
    """One cycle."""
    config, ruleset = _load(path)
    wish = Wish(
        command="run",
        apply=config.apply if apply_ is None else apply_,
        source=source,
        full=full,
        force=_forced(force),
        progress=_progress(),
    )
    return _run_and_tell(config, ruleset, wish, as_json)


def _forced(names: Sequence[str]) -> frozenset[str]:
    for name in names:
        if name not in BRAKES:
            raise InvalidStop(f"--force {name}: there is no such brake; {configs.did_you_mean(name, BRAKES)}")
    return frozenset(names)


def _progress() -> Callable[[str], None]:
    """Say what is being done, to people who watch."""
    if not sys.stderr.isatty():
        return lambda _: None
    return lambda doing: click.echo(f"… {doing}", err=True)


def _cycle(config: Config, ruleset: RuleSet, wish: Wish) -> RunReport:
    clock = clocks.read()
    with locked(config.store), _store(config, create=True) as store:
        return cycle(config, ruleset, store, clock, wish)


def _run_and_tell(config: Config, ruleset: RuleSet, wish: Wish, as_json: bool) -> int:
    report = _cycle(config, ruleset, wish)
    if as_json:
        output.emit_json(report.as_json())
        return report.exit_code
    if sys.stdout.isatty() or sys.stderr.isatty() or _needs_a_person(report):
        _tell(report)
    return report.exit_code


def _needs_a_person(report: RunReport) -> bool:
    """Whether cron should mail this: something failed, was refused, or waits to be approved."""
    return bool(report.problems or report.notices or report.tripped or (not report.applied and not report.plan.empty))


def _tell(report: RunReport) -> None:
    _rehearsal_note(report.clock)
    for source in report.sources:
        click.echo(
            f"{source.source}: {len(source.fresh)} collection(s), {source.seen} item(s) read, {source.changed} changed"
            + (f", {source.vanished} gone" if source.vanished else "")
        )
    click.echo(f"{report.findings} finding(s) on {report.plan.considered} item(s).")
    _tell_plan(report.plan)
    if report.applied and not report.tripped:
        written = report.written
        copies = f", {written.copies} labelled copies" if written.copies else ""
        click.echo(f"Written: {written.items} item(s), +{written.added} -{written.removed} label(s){copies}.")
    _tell_troubles(report)


def _tell_plan(plan: Plan) -> None:
    if plan.empty:
        click.echo("Nothing to change.")
    for change in plan.changes:
        for sign, labels in (("+", change.add), ("-", change.remove)):
            for label in labels:
                why = "; ".join(reason.text for reason in change.reasons[label])
                click.echo(f'  {sign} {label}  {change.key}  "{_short(change.title)}"  {why}')
    for source, collection in plan.copies:
        click.echo(f"  = {source}: the labelled copy of {collection} is made anew from the changed input")
    for held in plan.held:
        click.echo(f"  o {held.label}  {held.key}  held back: {held.why}")


def _short(title: str, most: int = 60) -> str:
    line = " ".join(title.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _tell_troubles(report: RunReport) -> None:
    for sentence in report.notices:
        click.echo(sentence, err=True)
    for sentence in report.problems:
        click.echo(sentence, err=True)
    for brake in report.tripped:
        click.echo(f"Brake {brake.name}: {brake.sentence}", err=True)
    if report.refused:
        click.echo("Nothing was written.", err=True)


def plan(path: Path | None, output_file: Path | None, source: str | None, form: str) -> int:
    """Pull, evaluate, plan, show; and save if asked."""
    config, ruleset = _load(path)
    report = _cycle(config, ruleset, Wish(command="plan", source=source, progress=_progress()))
    if output_file is not None:
        planfile.save(output_file, report.plan, ruleset.sha, report.clock.now)
    if form == "json":
        output.emit_json(report.plan.as_json())
    elif form == "csv":
        rows = [{**change.as_json(), "reasons": _sentences(change.as_json())} for change in report.plan.changes]
        output.emit(rows, ("source", "key", "title", "add", "remove", "reasons"), "csv", "")
    else:
        _rehearsal_note(report.clock)
        _tell_plan(report.plan)
        if output_file is not None:
            click.echo(f"Saved to {output_file}. Tick rows in `approve`, then `unstuck apply {output_file}`.")
    _tell_troubles(report)
    return report.exit_code


def _sentences(change: Mapping[str, Any]) -> str:
    return "; ".join(reason["reason"] for reason in change["reasons"])


def apply(path: Path | None, file: Path, every_row: bool, force: Sequence[str], as_json: bool) -> int:
    """Apply a saved plan: what was approved, and of that only what is still exactly so."""
    config, ruleset = _load(path)
    approved = planfile.load(file, ruleset.sha, clocks.read().now, every_row=every_row)
    if not approved:
        raise InvalidStop(f"{file}: no row is ticked; put an x into `approve` of the rows to apply, or use --all.")
    drifted: list[planfile.Row] = []

    def narrow(now: Plan) -> Plan:
        kept, gone = planfile.narrow(now, approved)
        drifted.extend(gone)
        return kept

    wish = Wish(command="apply", apply=True, force=_forced(force), narrow=narrow, progress=_progress())
    code = _run_and_tell(config, ruleset, wish, as_json)
    for row in drifted:
        click.echo(
            f"{row.source}: {row.native_id} changed since the plan was made and was left alone; plan it anew.", err=True
        )
    return code or (Exit.PARTLY if drifted else Exit.FINE)


# Looking


@contextmanager
def _looking(path: Path | None) -> Iterator[tuple[Config, Store]]:
    """A store to look at, with `work_item` as of now."""
    config = configs.load(configs.find(path))
    clock = clocks.read()
    _rehearsal_note(clock)
    with _store(config, create=False) as store:
        engine.prepare(store.connection, today(config, clock.now))
        yield config, store


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
    with _looking(path) as (config, store):
        where, parameters = _only(config, source)
        rows = store.rows(
            f"SELECT {', '.join(_ITEM_COLUMNS)} FROM temp.work_item {where} ORDER BY source, id", parameters
        )
    for row in rows:
        for name in ("assignees", "labels", "fields"):
            row[name] = json.loads(row[name] or "{}")
    output.emit(rows, _ITEM_TABLE, form, "There are no items yet; `unstuck run` pulls them.")


def _only(config: Config, source: str | None) -> tuple[str, tuple[str, ...]]:
    if source is None:
        return "", ()
    if source not in config.sources:
        raise InvalidStop(f'There is no source "{source}"; {configs.did_you_mean(source, list(config.sources))}')
    return "WHERE source = ?", (source,)


def findings(path: Path | None, source: str | None, form: str) -> None:
    """What the last run found."""
    with _looking(path) as (config, store):
        where, parameters = _only(config, source)
        rows = store.rows(
            "SELECT source, key, title, owner, rule, label, reason, since FROM finding "
            f"JOIN temp.work_item ON id = item_id {where} ORDER BY source, id, rule",
            parameters,
        )
    output.emit(rows, ("source", "key", "label", "title", "reason"), form, "The rules found nothing.")


def explain(path: Path | None, key: str, form: str) -> None:
    """Every rule's answer for the items that people call KEY."""
    config, ruleset = _load(path)
    clock = clocks.read()
    _rehearsal_note(clock)
    with _store(config, create=False) as store:
        moment = today(config, clock.now)
        engine.prepare(store.connection, moment)
        told = []
        for item in _items_named(store, key):
            answers = explaining.explain(store.connection, ruleset, moment, item["id"])
            told.append((item, answers, _held_labels(store, item["id"])))
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
        click.echo(f'{item["key"]}  "{item["title"]}"  ({item["source"]})')
        click.echo(explaining.as_text(item["key"], answers))
        for label in labels:
            click.echo(f"{label['label']}: {label['state']}")


def _held_labels(store: Store, item_id: int) -> list[dict[str, Any]]:
    """What the ledger and the vetoes say of an item."""
    return store.rows(
        "SELECT label, 'put on by us on ' || substr(put_at, 1, 10) AS state FROM ledger "
        "WHERE item_id = ?1 AND off_at IS NULL UNION ALL "
        "SELECT label, 'taken off by a person; stays off until ' || substr(until, 1, 10) || ', or until the status "
        "changes' FROM veto WHERE item_id = ?1 ORDER BY 1",
        (item_id,),
    )


def status(path: Path | None, form: str) -> None:
    """How things stand."""
    with _looking(path) as (config, store):
        state = {
            "store": str(config.store),
            "runs": _last_runs(store),
            "sources": _source_states(config, store),
            "findings": store.value("SELECT count(*) FROM finding"),
            "labels": store.value("SELECT count(*) FROM ledger WHERE off_at IS NULL"),
            "vetoes": store.value("SELECT count(*) FROM veto"),
            "unsettled": store.value("SELECT count(*) FROM journal WHERE result_at IS NULL"),
        }
    if form == "json":
        output.emit_json(state)
        return
    click.echo(f"Store: {state['store']}\n")
    columns = ("source", "system", "collections", "items", "oldest_data", "newest_data", "pulled_at", "problem")
    output.table([[output.as_text(row[name]) for name in columns] for row in state["sources"]], columns)
    click.echo(
        f"\n{state['findings']} finding(s), {state['labels']} label(s) put on by us, {state['vetoes']} veto(es), "
        f"{state['unsettled']} write(s) without a result.\n"
    )
    runs = [[output.as_text(value) for value in row.values()] for row in state["runs"]]
    output.table(runs, ("run", "started_at", "command", "rehearsal", "exit_code"))


def _last_runs(store: Store) -> list[dict[str, Any]]:
    rows = store.rows("SELECT id AS run, started_at, command, rehearsal, exit_code FROM run ORDER BY id DESC LIMIT 5")
    return [{**row, "rehearsal": bool(row["rehearsal"])} for row in rows]


def _source_states(config: Config, store: Store) -> list[dict[str, Any]]:
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
    return [
        {"source": name, "system": source.system, "collections": 0, "items": 0, **rows.get(name, empty)}
        for name, source in config.sources.items()
    ]


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


# Rules


def _rules_for(path: Path | None, files: Sequence[Path]) -> tuple[RuleSet, Config | None]:
    """The named files, or those of the config, or the shipped packs where there is no config."""
    if files:
        return _ruleset(files, ""), None
    try:
        found = configs.find(path)
    except InvalidStop:
        if path is not None:
            raise
        return _ruleset(loader.builtin_files(), ""), None
    config = configs.load(found)
    return _ruleset(rule_files(config), config.prefix), config


def _warn(ruleset: RuleSet, config: Config | None) -> int:
    forbidden, longest = {}, {}
    for source in config.sources.values() if config else ():
        can = source.connector.capabilities
        forbidden[source.name] = can.label_forbids
        if can.label_max_length is not None:
            longest[source.name] = can.label_max_length
    warnings = loader.lint(ruleset, forbidden, longest)
    for warning in warnings:
        click.echo(f"{warning} (warning)")
    return len(warnings)


def rules_check(path: Path | None, files: Sequence[Path]) -> int:
    """All mistakes (as `InvalidStop`), then what is worth a look."""
    ruleset, config = _rules_for(path, files)
    warnings = _warn(ruleset, config)
    click.echo(f"{len(ruleset.rules)} rule(s) in {len(ruleset.files)} file(s), {warnings} warning(s).")
    return Exit.FINE


def rules_test(path: Path | None, files: Sequence[Path], only: Sequence[str], edges: bool) -> int:
    """Run `[[rule.test]]` and the rows of tables, of all rules or of those named in `only`."""
    tables = [file for file in files if file.suffix.casefold() in sheets.SUFFIXES]
    ruleset, config = _rules_for(path, [file for file in files if file not in tables])
    ruleset, terms = _only_rules(ruleset, only), _test_terms(config)
    results, rows = selftest.run(ruleset, terms), list[Case]()
    for table in tables:
        for row in _rows_of(table, ruleset):
            results += selftest.run_case(ruleset, row.case, row.name, str(table), terms)
            rows.append(row.case)
    failures = [result for result in results if not result.passed]
    for failure in failures:
        click.echo(str(failure))
    click.echo(f"{len(results) - len(failures)} passed, {len(failures)} failed")
    if failures or not edges:
        return Exit.PARTLY if failures else Exit.FINE
    return _test_edges(ruleset, terms, rows)


def _only_rules(ruleset: RuleSet, names: Sequence[str]) -> RuleSet:
    known = [rule.id for rule in ruleset.rules]
    for name in names:
        if name not in known:
            raise InvalidStop(f'There is no rule "{name}"; {configs.did_you_mean(name, known)}')
    return replace(ruleset, rules=tuple(rule for rule in ruleset.rules if not names or rule.id in names))


def _rows_of(table: Path, ruleset: RuleSet) -> list[sheets.Row]:
    try:
        return sheets.read(table, ruleset.labels)
    except loader.RuleErrors as errors:
        raise InvalidStop(*(str(problem) for problem in errors.problems)) from errors


def _test_edges(ruleset: RuleSet, terms: selftest.Terms, rows: Sequence[Case]) -> int:
    unnoticed = edge.unnoticed(ruleset, terms, tuple(rows))
    for each in unnoticed:
        click.echo(str(each))
    click.echo(f"{len(unnoticed)} threshold(s) that no test holds in place")
    return Exit.PARTLY if unnoticed else Exit.FINE


def _test_terms(config: Config | None) -> selftest.Terms:
    """Holidays are left out, so that a test says the same in every country and year."""
    if config is None:
        return selftest.Terms()
    return selftest.Terms(
        Calendar(config.calendar.weekend),
        review_days=config.review_days,
        placeholders=(*SHIPPED, *config.placeholders),
        finder=config.finder,
    )


def rules_capture(path: Path | None, key: str, only: str | None) -> int:
    """Print a `[[rule.test]]` for each rule, or the one named, from the items that people call KEY."""
    config, ruleset = _load(path)
    chosen = _only_rules(ruleset, [only] if only else ()).rules
    clock, left_out = clocks.read(), False
    with _store(config, create=False) as store:
        moment = today(config, clock.now)
        engine.prepare(store.connection, moment)
        for item in _items_named(store, key):
            comment = f"{item['key']} of {item['source']}"
            for rule in chosen:
                try:
                    case = capturing.capture(
                        store.connection, ruleset, rule, item["id"], moment.date, _test_terms(config)
                    )
                except capturing.CaptureError as error:
                    left_out = True
                    click.echo(f"{error}; no test was written for it.", err=True)
                else:
                    click.echo(f"# Below rule {rule.id}, {rule.file}:{rule.line}\n{capturing.as_toml(case, comment)}")
    return Exit.PARTLY if left_out and only else Exit.FINE


def _items_named(store: Store, key: str) -> list[dict[str, Any]]:
    found = store.rows(
        "SELECT id, source, key, title FROM temp.work_item WHERE key = ? COLLATE NOCASE OR native_id = ?",
        (key, key),
    )
    if not found:
        raise InvalidStop(f'There is no item "{key}" in the store; `unstuck items` lists them.')
    return found


def rules_diff(path: Path | None, old: str, new: str, form: str) -> int:
    """Whose labels would change if the files were swapped now."""
    config = configs.load(configs.find(path))
    before, after = (_ruleset(rulefiles.find([name]), config.prefix) for name in (old, new))
    clock = clocks.read()
    _rehearsal_note(clock)
    with _store(config, create=False) as store:
        comparison = compare(store, before, after, today(config, clock.now))
    if form == "json":
        output.emit_json(comparison.as_json())
    else:
        _tell_comparison(comparison)
    return Exit.PARTLY if comparison.differences or comparison.failures else Exit.FINE


def _tell_comparison(comparison: Comparison) -> None:
    for each in comparison.differences:
        sign, why = ("+", each.reason) if each.action == "add" else ("-", f"no longer: {each.reason}")
        click.echo(f'{sign} {each.label}  {each.key}  "{_short(each.title)}"  {why}')
    for sentence in comparison.failures:
        click.echo(sentence, err=True)
    if not comparison.differences:
        click.echo("No label would change.")
        return
    click.echo("")
    output.emit(
        [rule.as_json() for rule in comparison.rules], ("rule", "before", "after", "add", "remove"), "table", ""
    )
    click.echo(f"\n{comparison.items} item(s) would change.")


def rules_backtest(path: Path | None, names: Sequence[str], since: date, until: date | None, form: str) -> int:
    """What the rules would have done on the days that the store remembers."""
    config = configs.load(configs.find(path))
    ruleset = _ruleset(rulefiles.find(names), config.prefix)
    clock = clocks.read()
    _rehearsal_note(clock)
    moment = today(config, clock.now)
    try:
        days = period(since, until, moment.date)
    except ValueError as error:
        raise InvalidStop(f"{error}.") from error
    with _store(config, create=False) as store:
        result = backtest(store, config, ruleset, moment, days, _progress())
    if form == "json":
        output.emit_json(result.as_json())
    else:
        _tell_backtest(result)
    return Exit.PARTLY if result.failures else Exit.FINE


_MOST_FLAPPING = 20
"""Rows shown to people; JSON has all."""


def _tell_backtest(result: Backtest) -> None:
    eventful = [day.as_json() for day in result.days if day.add or day.remove or day.tripped]
    for day in eventful:
        day["brakes"] = list(dict.fromkeys(brake["name"] for brake in day["brakes"]))
    output.emit(eventful, ("day", "add", "remove", "labelled", "brakes"), "table", "No rule would have put on a label.")
    click.echo("")
    output.emit(result.rules, ("rule", "items", "add", "remove", "most"), "table", "")
    flapping = result.flapping
    if flapping:
        click.echo(f"\n{len(flapping)} label(s) came back after they had been taken off:")
        output.emit(flapping[:_MOST_FLAPPING], ("source", "key", "label", "times", "title"), "table", "")
    click.echo(f"\n{result.items} item(s) would have got a label from {result.since} to {result.until}.")
    first = result.days[0]
    if first.unclear:
        click.echo(
            f"On {first.day} history does not tell the status of {first.unclear} of {first.considered} item(s): "
            "rules that ask for it leave them alone."
        )
    if result.todays:
        click.echo(f"The store keeps no history of {', '.join(result.todays)}: every day is given today's value.")
    for sentence in result.failures:
        click.echo(sentence, err=True)


def rules_list(path: Path | None, form: str) -> None:
    """The rules in force."""
    ruleset, _ = _rules_for(path, ())
    rows = [
        {"rule": rule.id, "labels": list(rule.labels), "says": rule.says, "file": str(rule.file), "line": rule.line}
        for rule in ruleset.rules
    ]
    output.emit(rows, ("rule", "labels", "says", "file", "line"), form, "There are no rules.")


def rules_columns(form: str) -> None:
    """The vocabulary."""
    rows = [{"column": column.name, "holds": str(column.kind), "help": column.help} for column in COLUMNS.values()]
    output.emit(rows, ("column", "holds", "help"), form, "")


def rules_schema(of_config: bool) -> None:
    """JSON Schema."""
    click.echo(json.dumps(schema.config() if of_config else rule_schema.schema(), indent=2))
