"""Commands on rule files: `rules check`, `test`, `capture`, `diff`, `backtest`, `list`, `columns`, `schema`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import click

from connectors.wording import many
from rules import capture as capturing
from rules import edges as edge
from rules import engine, loader, selftest, sheets
from rules import schema as rule_schema
from rules.calendar import Calendar
from rules.columns import COLUMNS
from rules.grading import SHIPPED
from rules.ruleset import Case, On, RuleSet
from rules.says import wrote
from sync import clock as clocks
from sync import config as configs
from sync import learning, log, output, rulefiles, schema, vetoes
from sync.backtest import Backtest, backtest, period
from sync.commands.shared import (
    items_named,
    load,
    load_rules,
    opened_store,
    rehearsal_note,
    rule_files,
    tell_change,
    warn,
)
from sync.compare import Comparison, compare
from sync.config import Config
from sync.plan import NO_LONGER
from sync.stops import Exit, InvalidStop
from sync.today import today
from sync.watching import watcher
from sync.wording import mid_sentence


def _rules_for(path: Path | None, names: Sequence[Path]) -> tuple[RuleSet, Config | None]:
    """The rules of the named files and folders, else those of the config, else the shipped packs; and the config."""
    config = _config_if_any(path)
    if names:
        files = rulefiles.find([str(name) for name in names])
    else:
        files = rule_files(config) if config else loader.builtin_files()
    return load_rules(files, config.prefix if config else "", config.calendars if config else {}), config


def _config_if_any(path: Path | None) -> Config | None:
    """Rules can be checked and tested before there is a config; one that was named must be there."""
    try:
        found = configs.find(path)
    except InvalidStop:
        if path is not None:
            raise
        return None
    return configs.load(found, secrets=False)


def rules_check(path: Path | None, files: Sequence[Path]) -> int:
    """All mistakes (as `InvalidStop`), then what is worth a look."""
    ruleset, config = _rules_for(path, files)
    warnings = warn(ruleset, config)
    click.echo(
        f"{many(len(ruleset.rules), 'rule')} in {many(len(ruleset.files), 'file')}, {many(warnings, 'warning')}."
    )
    return Exit.FINE


def rules_test(path: Path | None, files: Sequence[Path], only: Sequence[str], edges: bool) -> int:
    """Run `[[rule.test]]` and the rows of tables, of all rules or of those named in `only`."""
    tables = [file for file in files if file.suffix.casefold() in sheets.SUFFIXES]
    ruleset, config = _rules_for(path, [file for file in files if file not in tables])
    ruleset, terms = _only_rules(ruleset, only), _test_terms(config)
    results, rows = selftest.run(ruleset, terms), list[Case]()
    for table in tables:
        for row in _rows_of(table, ruleset, terms):
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


def _rows_of(table: Path, ruleset: RuleSet, terms: selftest.Terms) -> list[sheets.Row]:
    try:
        return sheets.read(table, ruleset.labels, terms.calendars)
    except loader.RuleErrors as errors:
        raise InvalidStop(*(str(problem) for problem in errors.problems)) from errors


def _test_edges(ruleset: RuleSet, terms: selftest.Terms, rows: Sequence[Case]) -> int:
    unnoticed = edge.unnoticed(ruleset, terms, tuple(rows))
    for each in unnoticed:
        click.echo(str(each))
    click.echo(f"{many(len(unnoticed), 'threshold')} that no test holds in place")
    return Exit.PARTLY if unnoticed else Exit.FINE


def _test_terms(config: Config | None) -> selftest.Terms:
    """Holidays are left out, so that a test says the same everywhere, unless it names a calendar."""
    if config is None:
        return selftest.Terms()
    return selftest.Terms(
        Calendar(config.calendar.weekend),
        review_days=config.review_days,
        placeholders=(*SHIPPED, *config.placeholders),
        finder=config.finder,
        calendars=config.calendars,
        usual=config.calendar,
    )


def rules_capture(path: Path | None, key: str, only: str | None) -> int:
    """Print a `[[rule.test]]` for each rule, or the one named, from the items that people call KEY."""
    config, ruleset = load(path, secrets=False)
    chosen = [rule for rule in _only_rules(ruleset, [only] if only else ()).rules if rule.on is On.ITEM]
    clock, left_out = clocks.read(), False
    with opened_store(config, create=False) as store:
        moment = today(config, clock.now)
        engine.prepare(store.connection, moment)
        for item in items_named(store, key):
            comment = f"{item['key']} of {item['source']}"
            for rule in chosen:
                try:
                    case = capturing.capture(
                        store.connection, ruleset, rule, item["id"], moment.date, _test_terms(config)
                    )
                except capturing.CaptureError as error:
                    left_out = True
                    log.say(f"{error}; no test was written for it.", "problem")
                else:
                    click.echo(f"# Below rule {rule.id}, {rule.file}:{rule.line}\n{capturing.as_toml(case, comment)}")
    return Exit.PARTLY if left_out and only else Exit.FINE


def rules_diff(path: Path | None, old: str, new: str, form: str) -> int:
    """Whose labels would change if the files were swapped now."""
    config = configs.load(configs.find(path), secrets=False)
    before, after = (load_rules(rulefiles.find([name]), config.prefix) for name in (old, new))
    clock = clocks.read()
    rehearsal_note(clock)
    with opened_store(config, create=False) as store:
        moment = today(config, clock.now)
        comparison = compare(store, before, after, moment, learning.clocks_of(config, moment))
    if form == "json":
        output.emit_json(comparison.as_json())
    else:
        _tell_comparison(comparison)
    return Exit.PARTLY if comparison.differences or comparison.failures else Exit.FINE


def _tell_comparison(comparison: Comparison) -> None:
    for each in comparison.differences:
        puts_on = each.action == "add"
        why = each.reason if puts_on else f"{NO_LONGER}{mid_sentence(each.reason)}"
        tell_change("+" if puts_on else "-", each.label, each.key, each.title, [why])
    for sentence in comparison.failures:
        log.say(sentence, "problem")
    if not comparison.differences:
        click.echo("No label would change.")
        return
    click.echo("")
    output.emit(
        [rule.as_json() for rule in comparison.rules], ("rule", "before", "after", "add", "remove"), "table", ""
    )
    click.echo(f"\n{many(comparison.items, 'item')} would change.")


def rules_backtest(path: Path | None, names: Sequence[str], since: date, until: date | None, form: str) -> int:
    """What the rules would have done on the days that the store remembers."""
    config = configs.load(configs.find(path), secrets=False)
    ruleset = load_rules(rulefiles.find(names), config.prefix)
    clock = clocks.read()
    rehearsal_note(clock)
    moment = today(config, clock.now)
    try:
        days = period(since, until, moment.date)
    except ValueError as error:
        raise InvalidStop(f"{error}.") from error
    with opened_store(config, create=False) as store:
        result = backtest(store, config, ruleset, moment, days, watcher())
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
        click.echo(f"\n{many(len(flapping), 'label')} came back after being taken off:")
        output.emit(flapping[:_MOST_FLAPPING], ("source", "key", "label", "times", "title"), "table", "")
    click.echo(f"\n{many(result.items, 'item')} would have got a label from {result.since} to {result.until}.")
    first = result.days[0]
    if first.unclear:
        click.echo(
            f"On {first.day} history does not tell the status of {first.unclear} of {many(first.considered, 'item')}, "
            "which rules that ask for it leave alone."
        )
    if result.todays:
        click.echo(f"The store keeps no history of {', '.join(result.todays)}: every day is given today's value.")
    _tell_learned(result)
    for sentence in result.failures:
        log.say(sentence, "problem")


def _tell_learned(result: Backtest) -> None:
    """The percentiles of the last month, and how many others there were."""
    if not result.learned:
        return
    last = result.learned[-1]["month"]
    newest = [row for row in result.learned if row["month"] == last]
    click.echo(f"\nLearned by {last}, in business days (--format json has every month):")
    rows = [{**row, "p": f"p{row['percent']}"} for row in newest[:_MOST_LEARNED]]
    output.emit(rows, ("source", "collection", "type", "status", "p", "days", "items"), "table", "")
    if len(newest) > len(rows):
        click.echo(f"… and {len(newest) - len(rows)} more.")


_MOST_LEARNED = 20


def rules_resume(path: Path | None, rule: str) -> None:
    """Let a paused rule go on."""
    config, ruleset = load(path)
    _only_rules(ruleset, [rule])
    with opened_store(config, create=False) as store:
        if not vetoes.resume(store, rule, clocks.read().now):
            raise InvalidStop(f'The rule "{rule}" is not paused; `unstuck status` lists those that are.')
    click.echo(f'The rule "{rule}" goes on with the next run; what people took off stays off.')


def rules_list(path: Path | None, form: str) -> None:
    """The rules in force."""
    ruleset, _ = _rules_for(path, ())
    rows = [
        {"rule": rule.id, "labels": list(rule.labels), "says": wrote(rule.says), "file": rule.file, "line": rule.line}
        for rule in ruleset.rules
    ]
    output.emit(rows, ("rule", "labels", "says", "file", "line"), form, "There are no rules.")


def rules_columns(form: str) -> None:
    """The vocabulary."""
    rows = [{"column": column.name, "holds": str(column.kind), "help": column.help} for column in COLUMNS.values()]
    output.emit(rows, ("column", "holds", "help"), form, "")


def rules_schema(of_config: bool) -> None:
    """JSON Schema."""
    click.echo(schema.as_text(schema.config() if of_config else rule_schema.schema()), nl=False)
