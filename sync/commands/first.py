"""First steps: `init`, `check`, and `unstuck` alone."""

from __future__ import annotations

import shlex
import shutil
import sqlite3
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from connectors.errors import ConnectorError
from connectors.wording import many
from rules import loader
from rules import schema as rule_schema
from rules.table import INITIATIVE
from sync import beginning, exemptionfiles, output, schema, turns
from sync import clock as clocks
from sync import config as configs
from sync.beginning import Tool
from sync.commands import asking
from sync.commands.shared import (
    load,
    opened_store,
    warn,
)
from sync.commands.visiting import asked
from sync.config import Config
from sync.digest import optouts
from sync.secrets import redacted
from sync.sources import make
from sync.stops import Exit, InvalidStop
from sync.store import damage
from sync.today import today

CONFIG_SCHEMA, RULES_SCHEMA = "config.schema.json", "rules.d/rules.schema.json"
"""Where the shipped files say that editors find their schemas."""


FIRST_PAGE = """\
unstuck labels work that serves no business outcome, and work that has quietly
stalled, in the tools that teams use.

There is no config yet. Begin with `unstuck init .`

  1. unstuck init .                 asks which tools you have; writes a config
  2. unstuck check --live           do the config and the tools agree?
  3. unstuck run                    the first plan, and why; it writes nothing
  4. unstuck report -o report.html  the same as a page to look at
  5. unstuck run --apply            writes the labels

No account at hand? `unstuck demo` is a made-up company on this machine.
`unstuck --help` lists all commands."""


def welcome(path: Path | None, help_text: str) -> None:
    """What `unstuck` alone prints: the way to the first plan, or where to look."""
    try:
        found = configs.find(path)
    except InvalidStop:
        for line in FIRST_PAGE.split("\n"):
            output.say(line, 5 if line.startswith(" ") else 0)
    else:
        output.say(f"{help_text}\n\nThe config is {found}. See how things stand with `unstuck status`.")


def init(folder: Path, named: Sequence[str], settings: Sequence[str]) -> None:
    """Write config.toml and rules.d/, each with the schema that it names, never over a file that exists.

    The config describes the tools that are named, or that a person names when asked; else it is the whole example.
    """
    existing = [path for path in (folder / "config.toml", folder / "rules.d") if path.exists()]
    if existing:
        raise InvalidStop(f"{existing[0]} exists already; name another folder, or move it away first.")
    tools = beginning.make_tools(named, settings)
    if not tools and sys.stdin.isatty() and sys.stdout.isatty():
        tools = asking.tools()
    config = beginning.compose(example_config(), tools) if tools else example_config()
    try:
        (folder / "rules.d").mkdir(parents=True)
        (folder / "config.toml").write_text(config, encoding="utf-8")
        for pack in loader.builtin_files():
            shutil.copyfile(pack, folder / "rules.d" / pack.name)
        for file, made in ((CONFIG_SCHEMA, schema.config()), (RULES_SCHEMA, rule_schema.schema())):
            (folder / file).write_text(schema.as_text(made), encoding="utf-8")
    except OSError as error:
        raise InvalidStop(f"{folder}: cannot be written to ({error.strerror}); name another folder.") from error
    output.say(f"Wrote {folder / 'config.toml'} and {folder / 'rules.d'}.")
    _point_on(folder, tools)


def _point_on(folder: Path, tools: Sequence[Tool]) -> None:
    """The steps to the first plan."""
    steps = [] if folder.resolve() == Path.cwd() else [f"cd {shlex.quote(str(folder))}"]
    steps += [] if tools else ["describe your tools in config.toml"]
    for tool in tools:
        steps += [f"in config.toml, [sources.{tool.name}], set {option.name}: {option.help}" for option in tool.missing]
        steps += [f"export {variable}=…    {option.help}" for variable, option in tool.variables.items()]
        steps += [
            f"mkdir -p {shlex.quote(new)}    for {option.help.partition(';')[0]}"
            for new, option in tool.new_folders(folder)
        ]
    steps += [
        "unstuck check           is config.toml right?",
        "unstuck check --live    and do the tools agree: credentials, permissions, fields?",
        "unstuck run             the first plan; nothing is written into a tool",
    ]
    output.say("\nNext:")
    for number, step in enumerate(steps, 1):
        output.say(f"  {number}. {step}", 6)


def example_config() -> str:
    """The shipped config.example.toml: beside this module in a wheel, at the top of a checkout."""
    packaged = resources.files("sync") / "config.example.toml"
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "config.example.toml").read_text(encoding="utf-8")


def check(path: Path | None, live: bool) -> int:
    """Config, rules, store; with `live` also what each tool says."""
    config, ruleset = load(path, tests=True)
    today(config, clocks.read().now)
    for source in config.sources.values():
        make(source, writable=False).close()
    output.say(f"{config.path}: fine, {many(len(config.sources), 'source')}.")
    for sentence in turns.too_often(config.sources.values()):
        output.say(f"{sentence} (warning)")
    warn(ruleset, config)
    output.say(f"Rules: {len(ruleset.rules)} in {many(len(ruleset.files), 'file')}, fine.")
    exemptions = exemptionfiles.read(config, ruleset, clocks.read().now)
    for ended in exemptions.ended:
        output.say(f"No exemption any more: {ended.about}, {ended}.")
    if config.exemptions:
        output.say(f"Exemptions: {len(exemptions.entries)} in force, fine.")
    if config.digest.opt_out:
        output.say(f"Opt-outs: {len(optouts.read(config, exemptions.unless.today))} in force, fine.")
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
        output.say(f"Store: {config.store} will be made by the first run.")
        return
    with opened_store(config, create=False) as store:
        wrong = damage(store.connection)
        if wrong is not None:
            raise InvalidStop(f"{config.store}: is damaged ({wrong}); restore it from a backup.")
        items = store.value("SELECT count(*) FROM item WHERE source <> ?", (INITIATIVE,))
        output.say(f"Store: {config.store} is sound, {many(items, 'item')}.")


def _check_live(config: Config) -> int:
    failed = False
    for source in config.sources.values():
        try:
            with asked(config, source, writable=False) as connector:
                for notice in connector.check():
                    failed = failed or notice.level == "problem"
                    output.say(redacted(f"{source.name}: {notice.level}: {notice.text}"))
        except ConnectorError as error:
            failed = True
            output.say(redacted(f"{source.name}: problem: {error}."))
    return Exit.PARTLY if failed else Exit.FINE
