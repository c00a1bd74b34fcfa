"""The command line: options and help. What a command does is in `sync.commands`, imported only when one runs."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from sync import log
from sync.ending import exit_code
from sync.version import VERSION

_FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", help="Default: table."
)
_TABLE_OR_JSON = click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", help="Default: table."
)
_DAY = click.DateTime(["%Y-%m-%d"])
_PATH = click.Path(path_type=Path)


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"unstuck {VERSION}")
        context.exit()


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=_PATH, help="Default: config.toml here, then in the platform's config folder.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error, and each step on the way.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    is_eager=True,
    expose_value=False,
    callback=lambda _, __, form: log.choose(form),
    help="Of stderr. Default: text, for people.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show it and stop."
)
@click.pass_context
def unstuck(context: click.Context, config: Path | None, debug: bool) -> None:
    """Labels work that serves no business outcome, and work that has quietly stalled, in the tools that teams use.

    \b
    First steps:
      unstuck init .       a commented config.toml and rule files, ready to edit
      unstuck check        whether they are right
      unstuck run          pull, evaluate, and show what would be labelled
      unstuck run --apply  the same, and write the labels
    Or see it at work on a made-up company:
      unstuck demo
    """
    context.obj = config
    if debug:
        log.show_debug()
    if context.invoked_subcommand is None:
        from sync.commands import first

        first.welcome(config, context.get_help())


@unstuck.command(short_help="Write a config and rule files; asks which tools you have.")
@click.argument("folder", type=_PATH, required=False)
@click.option(
    "--tool", "tools", multiple=True, metavar="[NAME=]SYSTEM", help="A tool to describe: jira, plan=msproject."
)
@click.option("--set", "settings", multiple=True, metavar="NAME.KEY=VALUE", help="A key of it: plan.path=inbox/*.xml.")
@click.option("--sheet", multiple=True, metavar="NAME", help="Instead: add the columns for labels to this sheet.")
@click.option("--apply", "apply_", is_flag=True, help="With --sheet: add them. Without it, only show them.")
@click.pass_obj
def init(
    config: Path | None,
    folder: Path | None,
    tools: tuple[str, ...],
    settings: tuple[str, ...],
    sheet: tuple[str, ...],
    apply_: bool,
) -> None:
    """Write a commented config.toml and the rule files into FOLDER; on a terminal, it asks which tools you have."""
    if (folder is None) is not bool(sheet) or (apply_ and not sheet) or (sheet and (tools or settings)):
        raise click.UsageError("Name either a FOLDER to write into, or with --sheet the sheets to add columns to.")
    if folder is not None:
        from sync.commands import first

        first.init(folder, tools, settings)
    else:
        from sync.commands import preparing

        sys.exit(preparing.prepare(config, sheet, apply_))


@unstuck.command()
@click.option("--live", is_flag=True, help="Also ask every tool: credentials, permissions, mapped fields.")
@click.pass_obj
def check(config: Path | None, live: bool) -> None:
    """Check config, rules and store."""
    from sync.commands import first

    sys.exit(first.check(config, live))


@unstuck.command(short_help="One cycle: pull, evaluate, plan, and write where allowed.")
@click.option(
    "--apply/--plan-only", "apply_", default=None, help="Write labels, or only plan. Default: [writes] apply."
)
@click.option("--source", help="Only this source.")
@click.option("--full", is_flag=True, help="Ask for everything, not only for what changed.")
@click.option(
    "--force",
    multiple=True,
    metavar="BRAKE",
    help="Lift a brake for this run: share, count, per_rule, per_person, unusual, shrink, rule, field, status, label.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.pass_obj
def run(
    config: Path | None, apply_: bool | None, source: str | None, full: bool, force: tuple[str, ...], as_json: bool
) -> None:
    """One cycle: pull, evaluate, plan, and write labels where that is allowed or asked for."""
    from sync.commands import runs

    sys.exit(runs.run(config, apply_, source, full, force, as_json))


@unstuck.command(short_help="Pull, evaluate, and show what would change.")
@click.option("-o", "--output", type=_PATH, help="Save the plan as .csv, .xlsx or .json, to tick and apply.")
@click.option("--source", help="Only this source.")
@_FORMAT
@click.pass_obj
def plan(config: Path | None, output: Path | None, source: str | None, form: str) -> None:
    """Pull, evaluate, and show which labels would go on and off, and why. Writes into no tool."""
    from sync.commands import runs

    sys.exit(runs.plan(config, output, source, form))


_REALLY = click.option("--apply", "apply_", is_flag=True, help="Write. Without it, only show what would be written.")
_FORCE = click.option("--force", multiple=True, metavar="BRAKE", help="Lift this brake for this run.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")


@unstuck.command(name="apply")
@click.argument("file", type=_PATH, required=False)
@click.option("--expect", metavar="SHA", help="Instead of FILE: apply the plan of now if it is exactly the one of SHA.")
@click.option("--all", "every_row", is_flag=True, help="Apply every row, ticked or not.")
@_FORCE
@_JSON
@click.pass_obj
def apply_(
    config: Path | None, file: Path | None, expect: str | None, every_row: bool, force: tuple[str, ...], as_json: bool
) -> None:
    """Apply the ticked rows of a saved plan, exactly those."""
    from sync.commands import runs

    sys.exit(runs.apply(config, file, expect, every_row, force, as_json))


@unstuck.command(short_help="Take back what a run wrote.")
@click.argument("run", type=int)
@_REALLY
@_FORCE
@_JSON
@click.pass_obj
def undo(config: Path | None, run: int, apply_: bool, force: tuple[str, ...], as_json: bool) -> None:
    """Take back what RUN wrote, where it is still as that run left it. `unstuck status` numbers the runs."""
    from sync.commands import runs

    sys.exit(runs.undo(config, run, apply_, force, as_json))


@unstuck.command(short_help="Take off every label that unstuck ever put on.")
@click.option("--source", help="Only this source.")
@_REALLY
@_FORCE
@_JSON
@click.pass_obj
def retire(config: Path | None, source: str | None, apply_: bool, force: tuple[str, ...], as_json: bool) -> None:
    """Take off every label that unstuck ever put on, and nothing else."""
    from sync.commands import runs

    sys.exit(runs.retire(config, source, apply_, force, as_json))


@unstuck.command()
@click.option("--every", required=True, metavar="TIME", help="From the start of one run to the next: 15m, 2h.")
@click.option("--apply/--plan-only", "apply_", default=None, help="As for `run`.")
@click.pass_context
def daemon(context: click.Context, every: str, apply_: bool | None) -> None:
    """Run again and again until told to stop (SIGTERM, Ctrl-C). SIGHUP reads config and rules anew."""
    from sync.commands import serving

    debug = bool(context.find_root().params["debug"])
    sys.exit(serving.daemon(context.obj, every, apply_, debug=debug))


@unstuck.command(short_help="Why an item carries its labels, or when it will.")
@click.argument("key")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Default: text.")
@click.pass_obj
def explain(config: Path | None, key: str, form: str) -> None:
    """Why the item KEY carries its labels, why a rule does not match it, and when it will."""
    from sync.commands import explaining

    explaining.explain(config, key, form)


@unstuck.command()
@click.option("--source", help="Only this source.")
@_FORMAT
@click.pass_obj
def items(config: Path | None, source: str | None, form: str) -> None:
    """The work items in the store."""
    from sync.commands import looking

    looking.items(config, source, form)


@unstuck.command()
@click.option("--source", help="Only this source.")
@_FORMAT
@click.pass_obj
def findings(config: Path | None, source: str | None, form: str) -> None:
    """What the rules found in the last run."""
    from sync.commands import looking

    looking.findings(config, source, form)


@unstuck.command(short_help="An initiative across tools, or links that are not used.")
@click.argument("key", required=False)
@_TABLE_OR_JSON
@click.pass_obj
def links(config: Path | None, key: str | None, form: str) -> None:
    """The initiative KEY, or the one that the item KEY is in, across tools. Without KEY: links that are not used."""
    from sync.commands import linking

    linking.links(config, key, form)


@unstuck.command(short_help="The last runs, how old the data is, and what waits.")
@_TABLE_OR_JSON
@click.pass_obj
def status(config: Path | None, form: str) -> None:
    """The last runs, the age of each source's data, and what waits for a person."""
    from sync.commands import looking

    sys.exit(looking.status(config, form))


@unstuck.command(short_help="A page to look at: outcomes, what is stuck, what got better.")
@click.option("-o", "--output", type=_PATH, help="The file to write: report.html, .csv, .json, .xlsx or .md.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "csv", "json", "xlsx", "md"]),
    help="Default: as the file ends, else html.",
)
@click.option("--since", type=_DAY, metavar="DAY", help="Un-stuck since the report of this day, or the last before it.")
@click.option("--datasette", is_flag=True, help="Instead: metadata (JSON) for `datasette unstuck.db -m FILE`.")
@click.pass_obj
def report(config: Path | None, output: Path | None, form: str | None, since: datetime | None, datasette: bool) -> None:
    """A page to look at: what serves an outcome, what is stuck and what got un-stuck, across all tools."""
    if datasette and (form or since):
        raise click.UsageError("--datasette describes the store itself, and goes with -o only.")
    from sync.commands import reporting

    if datasette:
        reporting.describe(config, output)
    else:
        reporting.report(config, output, form, since.date() if since else None)


@unstuck.command(short_help="To each owner, sponsor or project, what of theirs waits.")
@click.option("--by", type=click.Choice(["owner", "sponsor", "project"]), help="Whom it is for. Default: [digest] by.")
@click.option("-o", "--output", type=_PATH, metavar="FILE.md", help="Write what would be printed into this file.")
@click.option("--format", "form", type=click.Choice(["md", "json"]), default="md", help="Default: md.")
@click.option("--apply", "apply_", is_flag=True, help="Send. Without it, only show who would get what.")
@click.option("--again", multiple=True, metavar="NAME", help="Also to NAME, who had one or may have had one.")
@click.pass_obj
def digest(
    config: Path | None, by: str | None, output: Path | None, form: str, apply_: bool, again: tuple[str, ...]
) -> None:
    """What is stuck or without an outcome, for each owner, sponsor or project: by mail, or into a chat."""
    if again and not apply_:
        raise click.UsageError("--again sends, and goes with --apply only.")
    from sync.commands import digesting

    sys.exit(digesting.digest(config, by, output, form, apply_, again))


@unstuck.command(short_help="Copy the store to FILE, also while a run works.")
@click.argument("file", type=_PATH)
@click.pass_obj
def backup(config: Path | None, file: Path) -> None:
    """Copy the store to FILE, also while a run works; over yesterday's backup, never over anything else."""
    from sync.commands import looking

    looking.backup(config, file)


@unstuck.command(short_help="Items, transitions and findings as Parquet files.")
@click.option("--parquet", "folder", type=_PATH, required=True, metavar="DIR", help="Where the files go.")
@click.option("--source", metavar="NAME", help="Only of this source.")
@click.pass_obj
def export(config: Path | None, folder: Path, source: str | None) -> None:
    """Write items, transitions and findings as Parquet files, by source and day, for DuckDB, Spark or a warehouse."""
    from sync.commands import looking

    looking.export(config, folder, source)


@unstuck.command()
@_FORMAT
def connectors(form: str) -> None:
    """The systems that can be connected, and what each can do."""
    from sync.commands import looking

    looking.connectors(form)


@unstuck.command(short_help="A made-up company on this machine, to try everything out.")
@click.argument("words", nargs=-1, metavar="[tick] [DIR]")
@click.option("--days", type=click.IntRange(1, 90), default=7, help="With tick: how many go by. Default: 7.")
@click.option("--seed", type=int, default=1, help="Of a new demo: another number is another company. Default: 1.")
@click.pass_obj
def demo(config: Path | None, words: tuple[str, ...], days: int, seed: int) -> None:
    """A made-up company whose tools run on this machine: label its work, in DIR (default: unstuck-demo).

    \b
    unstuck demo [DIR]       pull, plan and apply; then its tools stay up until Ctrl-C
    unstuck demo tick [DIR]  let some days go by in which people work, run again, and see which labels came and went
    """
    ticks = words[:1] == ("tick",)
    rest = words[1:] if ticks else words
    if len(rest) > 1 or config is not None:
        raise click.UsageError("Name at most one DIR, and no --config: the demo has its own in DIR.")
    from sync.commands import demo

    folder = Path(*rest) if rest else Path("unstuck-demo")
    sys.exit(demo.tick(folder, days) if ticks else demo.up(folder, seed))


@unstuck.group()
def rules() -> None:
    """Check, test and browse rule files."""


@rules.command(name="check")
@click.argument("files", nargs=-1, type=_PATH)
@click.pass_obj
def rules_check(config: Path | None, files: tuple[Path, ...]) -> None:
    """Every mistake in all rule files, and what is worth a look. Default: the config's files."""
    from sync.commands import rules

    sys.exit(rules.rules_check(config, files))


@rules.command(name="test", short_help="Run the tests beside the rules, and those in tables.")
@click.argument("files", nargs=-1, type=_PATH)
@click.option("--rule", "only", multiple=True, metavar="ID", help="Only this rule; may be given more than once.")
@click.option("--edges", is_flag=True, help="Also move every threshold by one, and name the moves no test notices.")
@click.pass_obj
def rules_test(config: Path | None, files: tuple[Path, ...], only: tuple[str, ...], edges: bool) -> None:
    """Run the tests beside the rules, and those in tables (.csv, .xlsx). Default: the config's rule files."""
    from sync.commands import rules

    sys.exit(rules.rules_test(config, files, only, edges))


@rules.command(name="capture", short_help="Print a test for each rule from a stored item.")
@click.argument("key")
@click.option("--rule", "only", metavar="ID", help="Only for this rule.")
@click.pass_obj
def rules_capture(config: Path | None, key: str, only: str | None) -> None:
    """Print a test for each rule from the stored item KEY, to paste below the rule."""
    from sync.commands import rules

    sys.exit(rules.rules_capture(config, key, only))


@rules.command(name="diff", short_help="Whose labels would change if rule files were swapped.")
@click.argument("old")
@click.argument("new")
@_TABLE_OR_JSON
@click.pass_obj
def rules_diff(config: Path | None, old: str, new: str, form: str) -> None:
    """Whose labels would change if the rule files OLD (a file, folder or glob) were swapped for NEW today."""
    from sync.commands import rules

    sys.exit(rules.rules_diff(config, old, new, form))


@rules.command(name="backtest", short_help="What rules would have done on each day of the stored past.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--since", type=_DAY, required=True, metavar="DAY", help="The first day, like 2026-06-01.")
@click.option("--until", type=_DAY, metavar="DAY", help="The last day. Default: today.")
@_TABLE_OR_JSON
@click.pass_obj
def rules_backtest(
    config: Path | None, files: tuple[str, ...], since: datetime, until: datetime | None, form: str
) -> None:
    """What the rules in FILE (a file, folder or glob) would have done on each day of the stored past."""
    from sync.commands import rules

    sys.exit(rules.rules_backtest(config, files, since.date(), until.date() if until else None, form))


@rules.command(name="resume", short_help="Let a rule go on that people's objections paused.")
@click.argument("rule", metavar="ID")
@click.pass_obj
def rules_resume(config: Path | None, rule: str) -> None:
    """Let the rule ID go on, which was paused because people took off too many of its labels."""
    from sync.commands import rules

    rules.rules_resume(config, rule)


@rules.command(name="list")
@_FORMAT
@click.pass_obj
def rules_list(config: Path | None, form: str) -> None:
    """The rules that are in force, their labels, and where they stand."""
    from sync.commands import rules

    rules.rules_list(config, form)


@rules.command(name="columns")
@_FORMAT
def rules_columns(form: str) -> None:
    """The words that a rule can use, and what they mean."""
    from sync.commands import rules

    rules.rules_columns(form)


@rules.command(name="schema")
@click.option("--config", "of_config", is_flag=True, help="Of config.toml instead.")
def rules_schema(of_config: bool) -> None:
    """JSON Schema of a rule file, for editors that complete and check."""
    from sync.commands import rules

    rules.rules_schema(of_config)


def collect_less_often() -> None:
    """Pulling makes many objects and hardly a circle of them: looking for circles took a tenth of a run's time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit. No traceback reaches a person who did not ask with --debug."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    collect_less_often()
    sys.exit(
        exit_code(lambda: unstuck.main(given, prog_name="unstuck", standalone_mode=False), debug="--debug" in given)
    )


if __name__ == "__main__":
    main()
