"""Docs, README, example config and example portfolio say what the program does: everything here is compared."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import click
import pytest

from connectors import registry
from connectors.base import Option
from rules import loader
from rules.columns import COLUMNS
from rules.ruleset import On
from sync import brakes, settings
from sync import config as configs
from sync.cli import unstuck
from sync.digest import optouts
from sync.stops import Exit
from tests.sync.town import fork_server

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
EXAMPLE_CONFIG = ROOT / "config.example.toml"


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


every_page = pytest.mark.parametrize("path", PAGES, ids=named)


# Commands


def fenced(text: str, language: str = "[a-z]*") -> list[str]:
    """The bodies of fenced code blocks."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def shown_lines(text: str) -> Iterator[str]:
    """Lines that a reader is shown to type: indented and fenced code, and of a terminal's what stands behind `$`."""
    for block in fenced(text):
        lines = block.replace("\\\n", " ").splitlines()
        typed = [line[2:] for line in lines if line.startswith("$ ")]
        yield from typed or lines
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from (line for line in prose.splitlines() if line.startswith("    "))


def mentions(text: str) -> list[str]:
    """Commands named within a sentence."""
    return re.findall(r"`((?:[A-Z_]+=\S+ )?unstuck [^`]*)`", " ".join(text.split()))


def invocations(line: str) -> Iterator[list[str]]:
    """The words after each `unstuck` on a line, up to where the shell takes over."""
    words = shlex.split(line.replace("…", ""), comments=True)
    for at, word in enumerate(words):
        if word == "unstuck" or word.endswith("bin/unstuck"):
            rest = words[at + 1 :]
            ends = [position for position, each in enumerate(rest) if each in ("&&", "|", ">", ";")]
            yield rest[: ends[0]] if ends else rest


def used(words: list[str]) -> set[str]:
    """Parse a command line as the program does; returns the command's path and its options."""
    command: click.Command = unstuck
    seen: list[str] = []
    options: set[str] = set()
    while isinstance(command, click.Group):
        context = click.Context(command)
        given, words, _ = command.make_parser(context).parse_args(list(words))
        options |= {f"--{name.replace('_', '-')}" for name in given}
        if not words:
            return {" ".join(seen), *options}
        found = command.get_command(context, words[0])
        if found is None:
            raise click.UsageError(f"there is no command {words[0]}")
        seen.append(words[0])
        command, words = found, words[1:]
    command.make_context(command.name, list(words)).close()
    return {" ".join(seen), *options, *(word for word in words if word.startswith("--"))}


@every_page
def test_shown_commands_can_be_typed(path: Path) -> None:
    for line in shown_lines(path.read_text(encoding="utf-8")):
        if "unstuck" in line:
            for words in invocations(line):
                used(words)


@pytest.mark.parametrize("path", [*PAGES, EXAMPLE_CONFIG], ids=named)
def test_mentioned_commands_exist(path: Path) -> None:
    for mention in mentions(path.read_text(encoding="utf-8")):
        for words in invocations(mention):
            with suppress(click.MissingParameter):  # a sentence may leave out what the command is given
                used(words)


def test_a_command_that_is_not_there_is_noticed() -> None:
    for wrong in (["no-such-command"], ["run", "--no-such-option"], ["rules", "chek"], ["items", "--format", "xml"]):
        with pytest.raises(click.UsageError):
            used(wrong)


def every_command(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from every_command(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def test_every_command_and_option_is_in_the_docs() -> None:
    told = set()
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for line in [*shown_lines(text), *mentions(text)]:
            for words in invocations(line) if "unstuck" in line else ():
                try:
                    told |= used(words)
                except click.MissingParameter:
                    told |= {" ".join(words[:1]), " ".join(words[:2])}
    commands = dict(every_command(unstuck))
    assert set(commands) - told == set()
    text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    for name, command in [("", unstuck), *commands.items()]:
        for option in (each for each in command.params if isinstance(each, click.Option)):
            assert any(re.search(rf"(?<![\w-]){each}\b", text) for each in option.opts), f"{name} {option.opts}"


# Links and tables


@every_page
def test_links_lead_somewhere(path: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", path.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), f"{path.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def first_cells(text: str, pattern: str) -> list[str]:
    return re.findall(rf"^\| {pattern} \|", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["README.md", "docs/operations.md"])
def test_exit_codes(name: str) -> None:
    assert [int(code) for code in first_cells(page(name), r"(\d+)")] == sorted(int(code) for code in Exit)


def test_systems() -> None:
    rows = re.findall(r"^\| \[`(\w+)`\]\(([^)]+)\)", page("README.md"), re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(registry.BUILTIN)
    for name, target in rows:
        assert name in page(target)


def test_brakes() -> None:
    table = page("docs/operations.md").split("## Brakes")[1].split("\n## ")[0]
    assert sorted(first_cells(table, r"`(\w+)`")) == sorted(brakes.NAMES)


def test_decisions_are_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((.*?)\)", page("docs/decisions/README.md"))
    assert sorted(listed) == sorted(path.name for path in folder.glob("[0-9]*.md"))


def test_no_file_names_a_package_registry() -> None:
    hosts = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".", "crates" + ".io"]
    folders = ("connectors", "rules", "sync", "tests", "docs", "examples", "bench", ".ci")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    endings = {".py", ".toml", ".md", ".xml", ""}
    for path in [*ROOT.iterdir(), *files]:
        if path.is_file() and path.suffix in endings and not path.name.startswith("."):
            text = path.read_text(encoding="utf-8")
            assert not [host for host in hosts if host in text], path


def named_in_config(folder: Path, lines: str) -> configs.Config:
    """A small config with these lines."""
    file = folder / "small.toml"
    file.write_text(f'[sources.tool]\nsystem = "memory"\nworld = "world.json"\n{lines}\n', encoding="utf-8")
    return configs.load(file)


@every_page
def test_toml_in_the_docs_loads(path: Path, tmp_path: Path) -> None:
    for block in fenced(path.read_text(encoding="utf-8"), "toml"):
        data = tomllib.loads(block)
        if "sources" in data:
            file = tmp_path / "config.toml"
            file.write_text(block, encoding="utf-8")
            configs.load(file)
        if "opt_out" in data:
            (tmp_path / "no.toml").write_text(block, encoding="utf-8")
            optouts.read(named_in_config(tmp_path, '[digest]\nopt_out = ["no.toml"]'), date(2026, 3, 20))
        if "rule" in data:
            file = tmp_path / "rules.toml"
            file.write_text(block, encoding="utf-8")
            loader.load([file])


# config.example.toml


def uncommented() -> str:
    """The example config with every key and every table taken out of its comment."""
    return re.sub(r'^#(?=[a-z_"]+[\w "-]* = |\[[\w.]+\]$)', "", page("config.example.toml"), flags=re.MULTILINE)


def example_tables() -> Iterator[tuple[Mapping[str, Any], tuple[Option, ...]]]:
    """Each table of the example, and the options that it is to show."""
    whole = tomllib.loads(uncommented())
    yield {key: value for key, value in whole.items() if not isinstance(value, dict)}, settings.TOP
    yield whole["calendars"]["munich"], tuple(replace(option, default=None) for option in settings.CALENDAR)
    for name, options in settings.TABLES.items():
        yield whole[name], options
    for source in whole["sources"].values():
        own = {key: value for key, value in source.items() if key not in (*configs.MAPS, "brakes")}
        yield own, (*settings.SOURCE, *registry.load(source["system"]).options)
        if "brakes" in source:
            yield source["brakes"], settings.SOURCE_BRAKES


def test_the_example_config_shows_every_key_and_no_other() -> None:
    for table, options in example_tables():
        assert set(table) == {option.name for option in options}
    whole = tomllib.loads(uncommented())
    assert set(whole) == {option.name for option in settings.TOP} | set(settings.TABLES) | set(settings.NAMED)


def test_the_example_config_shows_the_defaults() -> None:
    for table, options in example_tables():
        for option in options:
            if option.default and option.name != "rules":
                expected = list(option.default) if isinstance(option.default, tuple) else option.default
                assert table[option.name] == expected, option.name


def test_all_of_the_example_config_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in re.findall(r'\{ env = "(\w+)" \}', page("config.example.toml")):
        monkeypatch.setenv(name, "a secret")
    monkeypatch.setenv("UNSTUCK_PING", "https://hc-ping.com/a-check")
    file = tmp_path / "config.toml"
    file.write_text(uncommented(), encoding="utf-8")
    source = configs.load(file).sources["portfolio"]
    outcome = {name for name, column in COLUMNS.items() if name.startswith("outcome_") and not column.derived}
    assert set(source.setup.fields) >= {*outcome, "sponsor"}


def test_the_example_config_as_it_is_passes_check(tmp_path: Path) -> None:
    for command in (["init", "new"], ["--config", "new/config.toml", "check"]):
        assert fork_server().run(command, tmp_path, os.environ)[0] == 0
    assert page("config.example.toml") == (tmp_path / "new" / "config.toml").read_text(encoding="utf-8")


def test_editors_are_pointed_to_the_schema() -> None:
    assert page("config.example.toml").startswith("#:schema ./config.schema.json\n")


# The example portfolio


@dataclass(frozen=True)
class Example:
    """A copy of the example, on which the real commands are run."""

    root: Path

    @classmethod
    def copy(cls, root: Path) -> Example:
        generated = shutil.ignore_patterns("out", "labelled")
        shutil.copytree(ROOT / "examples", root / "examples", ignore=generated)
        return cls(root)

    @property
    def inbox(self) -> Path:
        return self.root / "examples" / "inbox"

    @property
    def environment(self) -> dict[str, str]:
        now = re.findall(r'^NOW = "(.*)"$', page("examples/run.py"), re.MULTILINE)[0]
        return {**os.environ, "PYTHONPATH": str(ROOT), "UNSTUCK_NOW": now}

    def make_run(self) -> str:
        """What `make run` does; its output."""
        command = [sys.executable, "examples/run.py"]
        done = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def unstuck(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, and what it said on stdout and stderr."""
        return fork_server().run(["--config", "examples/config.toml", *arguments], self.root, self.environment)

    def json(self, *arguments: str) -> Any:
        _, out, err = self.unstuck(*arguments)
        assert out, err
        return json.loads(out)

    def run(self) -> Any:
        """One more run, that writes: its summary of what was written."""
        return self.json("run", "--apply", "--json")["written"]

    def findings(self) -> set[tuple[str, str]]:
        return {(found["key"], found["label"]) for found in self.json("findings", "--format", "json")}

    def labels(self) -> dict[str, set[str]]:
        return {item["key"]: set(item["labels"]) for item in self.json("items", "--format", "json")}

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.inbox / name).read_text(encoding="utf-8")
        assert old in text
        (self.inbox / name).write_text(text.replace(old, new), encoding="utf-8", newline="")

    def copies(self) -> dict[str, tuple[bytes, int]]:
        """Labelled copies, with the moment of their last writing."""
        return {
            path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in (self.inbox / "labelled").glob("*.xml")
        }


@pytest.fixture
def example(tmp_path: Path) -> Example:
    return Example.copy(tmp_path)


@pytest.fixture(scope="module")
def as_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Example.copy(tmp_path_factory.mktemp("example"))
    made.make_run()
    return made.root


@pytest.fixture
def made(as_made: Path, tmp_path: Path) -> Example:
    """The example after `make run`."""
    shutil.copytree(as_made, tmp_path, dirs_exist_ok=True)
    return Example(tmp_path)


def test_the_example_shows_every_shipped_rule(example: Example) -> None:
    before = {path.name: path.read_bytes() for path in example.inbox.glob("*.xml")}
    said = example.make_run()
    assert before == {path.name: path.read_bytes() for path in example.inbox.glob("*.xml")}
    found = example.json("findings", "--format", "json")
    ruleset = loader.load(loader.builtin_files())
    of_items = [rule for rule in ruleset.rules if rule.on is On.ITEM]  # the example is one tool
    assert {each["rule"] for each in found} == {rule.id for rule in of_items}
    assert {each["label"] for each in found} == {label for rule in of_items for label in rule.labels}
    for each in found:
        assert each["key"] in said
        assert each["label"] in said
    clean = [key for key, labels in example.labels().items() if not any(label.startswith("pmo-") for label in labels)]
    assert len(clean) >= 30


def test_running_the_example_twice_changes_nothing(example: Example) -> None:
    example.make_run()
    copies, labels = example.copies(), example.labels()
    assert len(copies) == 3
    assert "nothing was written" in example.make_run()
    assert example.copies() == copies
    assert example.labels() == labels


def test_editing_a_file_of_the_example_changes_what_it_should(made: Example) -> None:
    before, copies = made.labels(), made.copies()
    made.edit("stores.xml", "<Value>n/a</Value>", "<Value>Paper bought by the stores: 40 to 12 tonnes a year</Value>")
    assert made.run()["copies"]
    after = made.labels()
    assert {key for key in after if after[key] != before[key]} == {"stores-18", "stores-20"}
    assert after["stores-20"] == {"pmo-outcome-no-target"}
    assert {name for name, copy in made.copies().items() if copy != copies[name]} == {"stores.xml"}
    assert "pmo-outcome-placeholder" not in (made.inbox / "labelled" / "stores.xml").read_text(encoding="utf-8")
    assert not made.run()["copies"]


def test_other_peoples_labels_in_the_example_stay(made: Example) -> None:
    assert made.labels()["stores-4"] == {"Peak freeze", "Vendor Axiom"}
    assert made.labels()["stores-6"] == {"Peak freeze", "pmo-blocked"}


def test_a_label_taken_off_a_copy_of_the_example_stays_off(made: Example) -> None:
    """Also where it is gone before the next run could see it there."""
    made.edit("labelled/stores.xml", "pmo-blocked", "")
    assert not made.run()["copies"]
    assert made.labels()["stores-6"] == {"Peak freeze"}
    assert "taken off by a person" in made.unstuck("explain", "stores-6")[1]


def test_the_example_agrees_with_its_config(example: Example) -> None:
    (example.root / "examples" / "out").mkdir()
    code, out, err = example.unstuck("check", "--live")
    assert code == 0, err
    assert "problem" not in out + err


def test_what_the_example_writes_is_not_for_git() -> None:
    ignored = page(".gitignore").splitlines()
    assert {"examples/out/", "examples/inbox/labelled/"} <= set(ignored)
    makefile = page("Makefile")
    assert "examples/out" in makefile.split("clean:")[1]
    assert "examples/inbox/labelled" in makefile.split("clean:")[1]


# docs/json.md


@pytest.fixture
def troubled(made: Example) -> Example:
    """The example with something of everything: a veto, a changed input, a finding more and a tripped brake."""
    made.edit("labelled/stores.xml", "pmo-blocked", "")
    made.edit("loyalty.xml", "<Value>TBD</Value>", "<Value>Offers redeemed: 9 % to 12 %</Value>")
    made.edit("../config.toml", "share = 0.5", "share = 0.001")
    return made


def assert_agrees(told: Any, real: Any, place: str) -> None:
    """Same keys, all the way down; lists by their first entries. What is empty on one side says nothing."""
    if isinstance(told, dict) and isinstance(real, dict) and not place.endswith(".fields"):
        assert set(told) == set(real), place
        for key in told:
            assert_agrees(told[key], real[key], f"{place}.{key}")
    elif isinstance(told, list) and told and real:
        assert isinstance(real, list), place
        assert_agrees(told[0], real[0], f"{place}[]")
    elif told is not None and real is not None:
        assert isinstance(real, (int, float) if isinstance(told, float) else type(told)), place


COMMANDS = {
    "links": ["links", "loyalty-5", "--format", "json"],
    "items": ["items", "--format", "json"],
    "findings": ["findings", "--format", "json"],
    "plan": ["plan", "--format", "json"],
    "explain": ["explain", "loyalty-5", "--format", "json"],
    "status": ["status", "--format", "json"],
    "run": ["run", "--json"],
    "report": ["report", "--format", "json"],
    "digest": ["digest", "--format", "json"],
    "rules backtest": ["rules", "backtest", f"{ROOT}/rules/builtin", "--since", "2026-11-12", "--format", "json"],
    "rules diff": ["rules", "diff", f"{ROOT}/rules/builtin/outcomes.toml", f"{ROOT}/rules/builtin", "--format", "json"],
}


def test_the_shapes_of_json(troubled: Example) -> None:
    sections = re.split(r"^## ", page("docs/json.md"), flags=re.MULTILINE)[1:]
    blocks = {section.split("\n")[0]: json.loads(fenced(section, "json")[0]) for section in sections}
    assert set(blocks) == set(COMMANDS)
    real = {name: troubled.json(*command) for name, command in COMMANDS.items()}
    for name, block in blocks.items():
        assert_agrees(block, real[name], name)
    plan = real["plan"]
    assert all(plan[name] for name in ("changes", "held", "copies"))
    assert real["run"]["brakes"]
    assert real["items"][0].keys() == blocks["items"][0].keys()
