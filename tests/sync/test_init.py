"""`unstuck init`: from nothing to a config that `check` passes, or that it says what is missing of."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import registry
from sync.beginning import Tool, compose
from sync.commands.first import example_config
from tests.sync.town import ROOT, Said, fork_server

TEXT = st.text(max_size=30)
VALUES = {
    "text": TEXT,
    "files": TEXT,
    "secret": TEXT.map(lambda name: {"env": name}),
    "integer": st.integers(0, 10**6),
    "number": st.floats(0, 10**6),
    "yes/no": st.booleans(),
    "list of text": st.lists(TEXT, max_size=3),
}


def unstuck(folder: Path, *arguments: str, **env: str) -> Said:
    return Said(*fork_server().run(arguments, folder, {**os.environ, "PYTHONPATH": str(ROOT), **env}))


@st.composite
def tools(draw: st.DrawFn) -> Tool:
    tool = Tool(draw(st.sampled_from(["here", "work-2", "R_D"])), draw(st.sampled_from(registry.names())))
    kinds = {name: option.kind for name, option in tool.known.items() if option.kind in VALUES}
    for name in draw(st.lists(st.sampled_from(sorted(kinds)), unique=True)):
        tool.options[name] = draw(VALUES[kinds[name]])
    maps = st.dictionaries(TEXT, TEXT, min_size=1, max_size=3)
    tool.maps.update(draw(st.dictionaries(st.sampled_from(["fields", "statuses"]), maps)))
    return tool


@given(tools())
def test_a_config_says_what_was_said_and_nothing_else(tool: Tool) -> None:
    config = tomllib.loads(compose(example_config(), [tool]))
    described: dict[str, Any] = {"system": tool.system, **tool.options, **tool.maps}
    assert list(config["sources"]) == [tool.name]
    found = {key: value for key, value in config["sources"][tool.name].items() if value != {}}
    assert found == {key: value for key, value in described.items() if value != {}}


def test_flags_make_a_config_that_check_passes(tmp_path: Path) -> None:
    said = unstuck(
        tmp_path, "init", "pmo",
        "--tool", "delivery=jira", "--tool", "msproject", "--tool", "trello",
        "--set", "delivery.base_url=https://acme.atlassian.net", "--set", "delivery.email=bot@acme.com",
        "--set", "delivery.collections=APP, OPS", "--set", "delivery.fields.sponsor=Executive sponsor",
        "--set", 'msproject.statuses.Waiting for "vendor"=in_progress', "--set", "msproject.path=inbox/*.xml",
    )  # fmt: skip
    assert said.code == 0, said.err
    steps = [line.split("  ")[1] for line in said.out.splitlines()[3:]]
    assert steps[:4] == ["1. cd pmo", "2. export DELIVERY_TOKEN=…", "3. mkdir -p inbox", "4. export TRELLO_KEY=…"]
    (tmp_path / "pmo" / "inbox").mkdir()
    secrets = {"DELIVERY_TOKEN": "made-up", "TRELLO_KEY": "made-up", "TRELLO_TOKEN": "made-up"}
    checked = unstuck(tmp_path / "pmo", "check", **secrets)
    assert (checked.code, checked.err) == (0, "")
    assert "3 sources" in checked.out


def test_what_is_missing_is_said_by_init_and_by_check(tmp_path: Path) -> None:
    said = unstuck(tmp_path, "init", ".", "--tool", "jira")
    assert said.code == 0
    assert "1. in config.toml, [sources.jira], set base_url: the site" in said.out
    checked = unstuck(tmp_path, "check")
    assert checked.code == 2
    assert [line.split(": ")[1] for line in checked.err.splitlines()] == ["sources.jira.base_url", "sources.jira.token"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--tool", "jia"], '--tool jia: there is no system "jia"; did you mean "jira"?'),
        (["--tool", "jira", "--tool", "jira"], '"jira" cannot be a source\'s name or is one already; write NAME=jira.'),
        (["--tool", "my jira=jira"], '"my jira" cannot be a source\'s name'),
        (["--tool", "jira", "--set", "jira.tokn=X"], '--set jira.tokn: jira has no key "tokn"; did you mean "token"?'),
        (
            ["--tool", "jira", "--set", "jra.token=X"],
            '--set jra.token: there is no --tool "jra"; did you mean "jira"?',
        ),
        (["--tool", "jira", "--set", "jira.overlap=soon"], "--set jira.overlap: is no integer."),
        (["--tool", "jira", "--set", "jira.inherit=maybe"], "is yes or no: write true or false."),
        (["--tool", "jira", "--set", "token"], "--set token: write it as NAME.KEY=VALUE."),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    said = unstuck(tmp_path, "init", "new", *arguments)
    assert said.code == 2
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("setting", ["jira.token=ATATT3x-made-up", "jra.token=made-up"])
def test_a_secret_is_refused_and_not_repeated(tmp_path: Path, setting: str) -> None:
    said = unstuck(tmp_path, "init", "new", "--tool", "jira", "--set", setting)
    assert (said.code, list(tmp_path.iterdir())) == (2, [])
    assert "made-up" not in said.err + said.out


def test_on_a_terminal_it_asks(tmp_path: Path) -> None:
    answers = [
        "jira, msproject, jra",
        "Jira, msproject",
        "acme.atlassian.net",
        "not a name",
        "JIRA_PAT",
        "",
        "Success metric",
        "",
    ]
    said = converse(tmp_path, ["init", "pmo"], [*answers, "inbox/*.xml", "", "Text7"])
    assert 'There is no "jra"; did you mean "jira"?' in said
    config = tomllib.loads((tmp_path / "pmo" / "config.toml").read_text())
    jira, msproject = config["sources"]["jira"], config["sources"]["msproject"]
    assert (jira["base_url"], jira["token"]) == ("https://acme.atlassian.net", {"env": "JIRA_PAT"})
    assert "email" not in jira
    assert jira["fields"] == {"outcome_metric": "Success metric"}
    assert (msproject["path"], msproject["fields"]) == ("inbox/*.xml", {"sponsor": "Text7"})


def converse(folder: Path, arguments: list[str], answers: list[str]) -> str:
    """What a person reads who types these answers at a terminal, one each time that they are asked."""
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sync.cli", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    os.close(theirs)
    said, left = "", list(answers)
    try:
        while select.select([terminal], [], [], 30)[0]:
            said += os.read(terminal, 4096).decode()
            if left and said.endswith(": "):
                os.write(terminal, f"{left.pop(0)}\n".encode())
    except OSError:  # the other end was closed
        pass
    finally:
        os.close(terminal)
    assert process.wait(30) == 0, said
    assert not left, said
    return said
