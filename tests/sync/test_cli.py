"""The command line: what it prints, its exit codes, and that no traceback reaches a person."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rules.loader import builtin_files
from sync import cli
from sync.commands import looking
from sync.version import VERSION
from tests.sync.town import CONFIG, LONG_AGO, Town


def test_the_version(town: Town) -> None:
    assert town.unstuck("--version").out == f"unstuck {VERSION}\n"


VENDORS = {"requests", "jira", "trello", "smartsheet", "openpyxl", "tenacity"}
HEAVY = VENDORS | {"sqlite_utils", "rich", "holidays", "filelock", "tempfile", "importlib.metadata"}
A_SOURCE_OF_EACH = """
[sources.jira]
system   = "jira"
base_url = "https://example.atlassian.net"
email    = "bot@example.com"
token    = { env = "TOKEN" }
[sources.trello]
system = "trello"
key    = { env = "KEY" }
token  = { env = "TOKEN" }
[sources.sheets]
system = "smartsheet"
token  = { env = "TOKEN" }
[sources.monday]
system = "monday"
token  = { env = "TOKEN" }
[sources.plans]
system = "msproject"
path   = "*.xml"
"""


def imported(modules: set[str], *arguments: str, folder: Path) -> set[str]:
    """Which of the modules a command has imported when it ends."""
    code = (
        f"import atexit, sys; from sync.cli import main; atexit.register(lambda: print({modules!r} & set(sys.modules)"
    )
    code += f", file=sys.stderr)); main({arguments!r})"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    assert done.returncode in (0, 1), done.stderr
    said = done.stderr.splitlines()[-1]
    return set() if said == "set()" else set(ast.literal_eval(said))


def test_starting_imports_nothing_that_the_command_does_not_use(tmp_path: Path) -> None:
    assert not imported(HEAVY | {"sqlite3", "connectors.base"}, "--version", folder=tmp_path)


def test_status_imports_no_rules_and_nothing_of_a_vendor(town: Town) -> None:
    town.add(1)
    town.unstuck("run")
    town.write_config(CONFIG + A_SOURCE_OF_EACH)
    rules = {"rules.compile", "rules.loader", "rules.engine", "rules.explain"}
    assert not imported(HEAVY | rules, "status", folder=town.folder)
    assert imported(HEAVY | rules, "rules", "check", folder=town.folder) >= {"rules.compile", "rules.loader"}


def test_alone_it_says_what_to_do_first(tmp_path: Path, town: Town) -> None:
    assert "unstuck status" in town.unstuck().out
    (town.folder / "config.toml").unlink()
    said = town.unstuck(env={"XDG_CONFIG_HOME": str(tmp_path / "nothing")})
    assert said.code == 0
    assert "Begin with `unstuck init .`" in said.out
    said = town.unstuck("run", env={"XDG_CONFIG_HOME": str(tmp_path / "nothing")})
    assert said.code == 2
    assert "unstuck init ." in said.err


def test_init_writes_what_check_passes_once_a_source_is_described(town: Town) -> None:
    said = town.unstuck("init", "fresh")
    assert said.code == 0
    assert {path.name for path in (town.folder / "fresh" / "rules.d").iterdir()} >= {"outcomes.toml", "stuck.toml"}
    assert town.unstuck("--config", "fresh/config.toml", "check").code == 0
    said = town.unstuck("init", "fresh")
    assert said.code == 2
    assert "exists already" in said.err


def test_check_names_what_it_looked_at(town: Town) -> None:
    town.add(1)
    said = town.unstuck("check", "--live")
    assert said.code == 0
    assert "1 source." in said.out
    assert "Rules: 2 in 1 file," in said.out
    assert "tool: fine: world.json holds 1 items" in said.out
    town.unstuck("run")
    assert "is sound, 1 item." in town.unstuck("check").out
    town.world_file.unlink()
    said = town.unstuck("check", "--live")
    assert said.code == 1
    assert "tool: problem: " in said.out


def test_check_tells_all_mistakes_of_the_rules(town: Town) -> None:
    town.write_rules('[[rule]]\nid = "a"\nlabel = "pmo-a"\nsays = "x"\nwhen = { statsu = "Doing" }\n')
    for command in (["check"], ["run"], ["rules", "check"]):
        said = town.unstuck(*command)
        assert said.code == 2
        assert 'rules.d/pmo.toml:5: rule "a": statsu: ' in said.err.replace(f"{town.folder}/", "")
        assert 'did you mean "status"?' in said.err


def test_a_rules_key_that_finds_no_file(town: Town) -> None:
    (town.folder / "rules.d" / "pmo.toml").unlink()
    said = town.unstuck("run")
    assert said.code == 2
    assert '"rules.d/*.toml" finds no file' in said.err


def test_run_prints_the_plan_with_reasons_and_says_nothing_when_all_is_well(town: Town) -> None:
    town.add(1, sponsor="", title="A  title\nin two lines")
    said = town.unstuck("run")
    assert '+ pmo-no-sponsor  APP-1  "A title in two lines"  because nobody sponsors it' in said.out
    town.unstuck("run", "--apply")
    said = town.unstuck("run", "--apply")
    assert (said.code, said.out, said.err) == (0, "", "")


def test_the_summary_for_programs(town: Town) -> None:
    town.add(1, sponsor="")
    summary = town.unstuck("run", "--apply", "--json").json
    assert summary["written"] == {"items": 1, "added": 1, "removed": 0, "copies": 0, "deleted_labels": 0}
    assert summary["rehearsal"] is True
    assert summary["now"] == "2026-03-20T12:00:00Z"


def test_the_shapes_that_programs_rely_on(town: Town) -> None:
    town.add(1, sponsor="", status_since=LONG_AGO, parent="2", percent_complete=40, labels=["blue"])
    town.add(2)
    plan = town.unstuck("plan", "--format", "json").json
    assert plan["considered"] == 2
    [change] = plan["changes"]
    assert (change["source"], change["key"], change["remove"]) == ("tool", "APP-1", [])
    assert change["add"] == ["pmo-no-sponsor", "pmo-stuck-10d"]
    [item, _] = town.unstuck("items", "--format", "json").json
    expected = {
        "source": "tool",
        "native_id": "1",
        "key": "APP-1",
        "title": "Item 1",
        "status": "Doing",
        "status_category": "in_progress",
        "status_since": "2026-03-02T09:00:00Z",
        "percent_complete": 40,
        "parent_key": "APP-2",
        "labels": ["blue"],
        "outcome_grade": "missing",
        "fields": {},
    }
    assert {name: item[name] for name in expected} == expected
    first = town.unstuck("findings", "--format", "json").json[0]
    assert {name: first[name] for name in ("source", "key", "rule", "label", "reason")} == {
        "source": "tool",
        "key": "APP-1",
        "rule": "no-sponsor",
        "label": "pmo-no-sponsor",
        "reason": "Nobody sponsors it",
    }
    status = town.unstuck("status", "--format", "json").json
    assert status["sources"][0]["items"] == 2
    [told] = town.unstuck("explain", "app-1", "--format", "json").json
    assert told["key"] == "APP-1"


@pytest.mark.parametrize("form", ["table", "csv"])
@pytest.mark.parametrize(
    "command", [["items"], ["findings"], ["plan"], ["connectors"], ["rules", "list"], ["rules", "columns"]]
)
def test_people_can_read_it_too(town: Town, command: list[str], form: str) -> None:
    town.add(1, sponsor="", title="Überraschung 🎉")
    town.unstuck("run")
    said = town.unstuck(*command, "--format", form)
    assert said.code == 0
    assert len(said.out.splitlines()) >= 1


def test_explain_says_why_and_why_not(town: Town) -> None:
    town.add(1, sponsor="", status_since="2026-03-09T09:00:00+00:00")
    town.unstuck("run", "--apply")
    told = town.unstuck("explain", "APP-1").out
    assert "pmo-no-sponsor" in told
    assert "put on by us on 2026-03-20" in told
    assert "24 Mar 2026" in told  # the day on which it will have been there for over 10 business days
    said = town.unstuck("explain", "APP-99")
    assert said.code == 2
    assert 'no item "APP-99"' in said.err


def test_status_before_and_after(town: Town) -> None:
    said = town.unstuck("status")
    assert said.code == 2
    assert "`unstuck run` makes it" in said.err
    town.add(1, sponsor="")
    town.unstuck("run", "--apply")
    said = town.unstuck("status")
    assert "1 label put on by us" in said.out


def test_names_that_do_not_exist(town: Town) -> None:
    town.add(1)
    town.unstuck("run")
    for command in (["run", "--source", "tol"], ["items", "--source", "tol"], ["run", "--force", "shre"], ["nonsense"]):
        said = town.unstuck(*command)
        assert said.code == 2, command
        assert said.err


def test_rule_tests_are_run(town: Town) -> None:
    rule = '[[rule]]\nid = "a"\nlabel = "pmo-a"\nsays = "x"\nwhen = { sponsor = "missing" }\n'
    test = '[[rule.test]]\nnow = 2026-03-20\nitem = { sponsor = "" }\nexpect = '
    town.write_rules(rule + test + '"pmo-a"\n')
    said = town.unstuck("rules", "test")
    assert (said.code, said.out) == (0, "1 passed, 0 failed\n")
    town.write_rules(rule + test + "[]\n")
    said = town.unstuck("rules", "test")
    assert said.code == 1
    assert "0 passed, 1 failed" in said.out


def test_a_bug_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(looking, "connectors", broken)
    with pytest.raises(SystemExit) as stop:
        cli.main(["connectors"])
    assert stop.value.code == 70
    assert "ran into a bug (ZeroDivisionError: oops)" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        cli.main(["--debug", "connectors"])
    assert stop.value.code == 70
    assert "\nZeroDivisionError: oops\n" in capsys.readouterr().err


def test_a_time_that_is_none(town: Town) -> None:
    town.now = "next week"
    said = town.unstuck("run")
    assert said.code == 2
    assert "UNSTUCK_NOW" in said.err


def test_the_schema_of_config_is_json(town: Town) -> None:
    schema = town.unstuck("rules", "schema", "--config").json
    assert schema["properties"]["sources"]
    assert town.unstuck("rules", "schema").json["type"] == "object"


def test_thresholds_that_no_test_holds_are_named(town: Town) -> None:
    rule = '[[rule]]\nid = "a"\nlabel = "pmo-a"\nsays = "x"\nwhen = { age_days = "over 3" }\n'
    test = '[[rule.test]]\nnow = 2026-03-20\nitem = { created_at = 2026-03-16 }\nexpect = "pmo-a"\n'
    town.write_rules(rule + test)
    said = town.unstuck("rules", "test", "--edges")
    assert said.code == 1
    assert 'rule "a": no test notices when age_days over 3 becomes over 2' in said.out
    town.write_rules(rule + test + test.replace("16", "17").replace('"pmo-a"', "[]"))
    said = town.unstuck("rules", "test", "--edges")
    assert (said.code, said.out) == (0, "2 passed, 0 failed\n0 thresholds that no test holds in place\n")


def test_the_shipped_packs_pass_check_and_edges(town: Town) -> None:
    packs = [str(pack) for pack in builtin_files()]
    said = town.unstuck("rules", "check", *packs)
    assert (said.code, said.out.splitlines()[-1].split(", ")[-1]) == (0, "0 warnings.")
    assert town.unstuck("rules", "test", "--edges", *packs).code == 0


CAPTURED = """
[[rule]]
id    = "all"
label = "pmo-all"
says  = "x"
[rule.when]
status_category      = "in progress"
percent_complete     = "under 50"
age_days             = "over 3"
labels               = "has blue"
assignees            = "present"
outcome_grade        = "at most no baseline"
fields."Cost centre" = 'contains "4'
"""


def test_a_captured_test_passes_below_its_rule(town: Town) -> None:
    town.write_config(CONFIG + '[sources.tool.fields]\n"Cost centre" = "Cost centre"\n')
    town.write_rules(CAPTURED)
    town.add(1, created_at="2026-03-01T09:00:00+00:00", percent_complete=12.5, labels=["blue", "pmo-all"],
             assignees=['A "B" \\ C'], outcome_metric="TBD\n\t", fields={"Cost centre": 'x"47'})  # fmt: skip
    town.add(2, created_at="2026-03-17T09:00:00+00:00", unknown=["percent_complete"])
    town.unstuck("run")
    for key, expect in (("APP-1", 'expect = "pmo-all"'), ("app-2", "expect = []")):
        said = town.unstuck("rules", "capture", key)
        assert said.code == 0
        assert expect in said.out
        assert "pmo-all" not in said.out.split("expect")[0].split("item")[1]
        town.write_rules(CAPTURED + said.out)
        assert town.unstuck("rules", "test").out == "1 passed, 0 failed\n"
        town.write_rules(CAPTURED)
    said = town.unstuck("rules", "capture", "APP-9")
    assert (said.code, 'no item "APP-9"' in said.err) == (2, True)
    said = town.unstuck("rules", "capture", "APP-1", "--rule", "al")
    assert (said.code, 'no rule "al"' in said.err) == (2, True)


def test_what_a_test_cannot_hold_is_said_and_not_captured(town: Town) -> None:
    town.write_rules('[[rule]]\nid = "s"\nlabel = "pmo-s"\nsays = "x"\nwhen = { source = "tool" }\n')
    town.add(1)
    town.unstuck("run")
    said = town.unstuck("rules", "capture", "APP-1", "--rule", "s")
    assert (said.code, said.out) == (1, "")
    assert "asks about source, which the item of a test cannot have" in said.err


def test_tables_are_run_against_all_rules_or_those_named(town: Town) -> None:
    table = town.folder / "cases.csv"
    table.write_text("now,status category,status since,expect\n2026-03-20,in progress,2026-03-02,pmo-stuck-10d\n")
    said = town.unstuck("rules", "test", "cases.csv")
    assert said.code == 1
    assert "expected pmo-stuck-10d, got pmo-no-sponsor, pmo-stuck-10d (no-sponsor: Nobody sponsors it)" in said.out
    said = town.unstuck("rules", "test", "cases.csv", "--rule", "stuck")
    assert (said.code, said.out) == (0, "1 passed, 0 failed\n")
    assert town.unstuck("rules", "test", "cases.csv", "--rule", "stuk").code == 2
    table.write_text("now,expect,statsu\n")
    said = town.unstuck("rules", "test", "cases.csv")
    assert (said.code, 'did you mean "status"' in said.err) == (2, True)
