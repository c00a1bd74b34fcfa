"""`unstuck demo` as its user has it: the real command in a process that stays up, and days that go by."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.fakes.jira.doors import TOKEN
from connectors.fakes.jira.state import US
from sync.demo.company import TOOLS, Company, Terms
from sync.demo.portfolio import Stage, portfolio
from tests.sync.town import ROOT, Said, fork_server

NOW = "2026-03-20T12:00:00"
READY = "Ctrl-C"
"""A word of what is said once the tools are up and labelled."""


def environment(now: str = NOW) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "UNSTUCK_NOW": now}


def unstuck(folder: Path, *arguments: str, now: str = NOW) -> Said:
    said = Said(*fork_server().run(arguments, folder, environment(now)))
    assert "Traceback" not in said.err, said.err
    return said


@contextmanager
def begun(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`unstuck demo …` in the background; it is killed if the test did not end it."""
    command = [sys.executable, "-m", "sync.cli", "demo", *arguments]
    with (folder / "said").open("a") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=file, stderr=file, text=True, start_new_session=True
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> None:
    """Kill it and what it started, as a terminal does that is closed."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)


@contextmanager
def up(folder: Path, *arguments: str) -> Iterator[str]:
    """A demo that is up, and all that it said so far; Ctrl-C ends it."""
    before = said(folder).count(READY)
    with begun(folder, *arguments) as process:
        until(lambda: said(folder).count(READY) > before or process.poll() is not None)
        assert process.poll() is None, said(folder)
        yield said(folder)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0, said(folder)


def said(folder: Path) -> str:
    return (folder / "said").read_text() if (folder / "said").exists() else ""


def until(done: Any) -> None:
    for _ in range(600):
        if done():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


def time_of(text: str) -> str:
    """The demo's time, as people are told to set it."""
    return str(re.findall(r"export UNSTUCK_NOW=(\S+)", text)[-1])


def planned(folder: Path, now: str) -> Any:
    done = unstuck(folder, "--config", "d/config.toml", "plan", "--format", "json", now=now)
    assert done.code == 0, done.err
    return done.json["changes"]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a demo that was up once."""
    folder = tmp_path_factory.mktemp("closed")
    with up(folder, "d"):
        again = unstuck(folder, "demo", "d")
        assert (again.code, "up already" in again.err) == (4, True), "two do not work in one folder"
    return folder / "d"


@pytest.fixture
def demo(closed: Path, tmp_path: Path) -> Path:
    """A demo of one's own that is not up, in `d` of the test's folder."""
    shutil.copytree(closed, tmp_path / "d")
    return tmp_path / "d"


# A demo that is up


def test_labels_come_and_go_and_every_command_works_on_it(tmp_path: Path) -> None:
    with up(tmp_path, "d") as first:
        assert int(re.findall(r"Written: (\d+) item", first)[0]) > 30
        assert planned(tmp_path, time_of(first)) == [], "what was planned is written"
        live = unstuck(tmp_path, "--config", "d/config.toml", "check", "--live", now=time_of(first))
        assert (live.code, "problem" in live.out) == (0, False), live.out
        for _ in range(2):
            ticked = unstuck(tmp_path, "demo", "tick", "d")
            assert ticked.code == 0, ticked.err
            for shown in ("  + pmo-stuck", "no longer:", "exempt by its label", "a person took it off", "a veto"):
                assert shown in ticked.out, ticked.out
            assert planned(tmp_path, time_of(ticked.out)) == [], "a tick settles"
            people_had_their_way(tmp_path, ticked.out)
    assert time_of(ticked.out) == "2026-04-03T12:00:00"


def people_had_their_way(folder: Path, ticked: str) -> None:
    """What they took off stays off, and what they exempted carries none."""
    (label, objected), *_ = re.findall(r' took (\S+) off "(.+?)" \(', ticked)
    exempt, *_ = re.findall(r' put pmo-exempt on "(.+?)" \(', ticked)
    config = ("--config", "d/config.toml")
    items = unstuck(folder, *config, "items", "--format", "json", now=time_of(ticked)).json
    labels = {item["title"]: item["labels"] for item in items}
    assert label not in labels[objected]
    assert [one for one in labels[exempt] if one.startswith("pmo-")] == ["pmo-exempt"]


def test_it_is_on_this_machine_alone_and_its_secrets_are_ours_alone(tmp_path: Path) -> None:
    with up(tmp_path, "d"):
        ports = json.loads((tmp_path / "d" / "demo.json").read_text())["ports"]
        elsewhere = socket.gethostbyname(socket.gethostname())
        for port in ports.values():
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            if not elsewhere.startswith("127."):
                with pytest.raises(OSError, match="refused"):
                    socket.create_connection((elsewhere, port), timeout=5)
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "d").glob("*.token")} == {0o600}
    assert set(re.findall(r'base_url = "http://(.+?):', (tmp_path / "d" / "config.toml").read_text())) == {"127.0.0.1"}


# A demo that was ended, or killed


@pytest.mark.usefixtures("demo")
def test_a_demo_that_is_opened_again_is_as_it_was(tmp_path: Path) -> None:
    ticked = unstuck(tmp_path, "demo", "tick", "d")  # while it is closed
    assert ticked.code == 0, ticked.err
    with up(tmp_path, "d") as again:
        assert time_of(again) == time_of(ticked.out)
        assert planned(tmp_path, time_of(again)) == []
        assert again.rpartition("Written:")[2].startswith(" 0 items, +0 -0"), "opening it again wrote"


def test_a_killed_demo_goes_on_where_it_was(tmp_path: Path) -> None:
    log = tmp_path / "d" / "demo.log"
    with begun(tmp_path, "d") as process:
        until(lambda: log.exists() and log.stat().st_size > 5_000)
        end(process)
    before = log.read_bytes()
    log.write_bytes(before + b'{"days": 40')
    with up(tmp_path, "d") as again:
        assert log.read_bytes().startswith(before[: before.rfind(b"\n") + 1])
        assert b'{"days": 40' not in log.read_bytes()
        assert planned(tmp_path, time_of(again)) == []
        assert unstuck(tmp_path, "demo", "tick", "d").code == 0


# What is refused


def test_it_does_not_leave_this_machine_whatever_its_config_says(demo: Path, tmp_path: Path) -> None:
    config = demo / "config.toml"
    config.write_text(re.sub(r"http://127\.0\.0\.1:\d+/1", "https://trello.example.com/1", config.read_text()))
    for command in (("demo", "d"), ("demo", "tick", "d")):
        refused = unstuck(tmp_path, *command)
        assert refused.code == 3
        assert "boards: base_url leads to https://trello.example.com/1" in refused.err
    config.write_text(re.sub(r"base_url = \"https://trello.+\n", "", config.read_text()))
    assert unstuck(tmp_path, "demo", "d").code == 3, "the default is beyond this machine too"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("demo", "tick", "nowhere"), 2, "There is no demo in nowhere"),
        (("demo", "."), 2, "neither empty nor a demo"),
        (("demo", "notes.txt"), 2, "notes.txt: cannot be used"),
        (("demo", "a", "b"), 2, "at most one DIR"),
        (("--config", "x.toml", "demo"), 2, "no --config"),
        (("demo", "tick", "--days", "0"), 2, "--days"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    refused = unstuck(tmp_path, *arguments)
    assert (refused.code, sentence in refused.err) == (code, True), refused.err
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


def test_a_port_that_is_taken_and_another_version_are_said(demo: Path, tmp_path: Path) -> None:
    file = demo / "demo.json"
    terms = json.loads(file.read_text())
    for port in terms["ports"].values():
        with socket.create_server(("127.0.0.1", port)):
            refused = unstuck(tmp_path, "demo", "tick", "d")
        assert (refused.code, "another program has a port" in refused.err) == (2, True), refused.err
    file.write_text(json.dumps({**terms, "version": "0.0.1"}))
    refused = unstuck(tmp_path, "demo", "tick", "d")
    assert (refused.code, "is of unstuck 0.0.1" in refused.err) == (2, True), refused.err


def test_without_graphql_it_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['graphql'] = None; from sync.cli import main; main(['demo', 'd'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, f"{sys.executable} -m pip install graphql-core` does it." in done.stderr) == (2, True)
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "d").exists()


# The company


def opened(folder: Path, seed: int = 7) -> Company:
    terms = Terms("1", seed, datetime.fromisoformat(NOW).replace(tzinfo=UTC), dict.fromkeys([*TOOLS, "demo"], 0))
    folder.mkdir(exist_ok=True)
    return Company(terms, folder / "log", folder / "inbox" / "plan.xml")


def everything(company: Company, folder: Path) -> object:
    tools: Any = company.servers
    sites = [tools["delivery"].site, tools["boards"].site, tools["sheets"].account, tools["rooms"].account]
    return [site.everything() for site in sites], company.now, (folder / "inbox" / "plan.xml").read_text()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=6))
def test_what_is_repeated_from_the_log_is_what_was(tmp_path_factory: pytest.TempPathFactory, steps: list[int]) -> None:
    """A step is days that go by, or (0) a label that is written by a request."""
    folder = tmp_path_factory.mktemp("company")
    with closing(opened(folder)) as company:
        jira: Any = company.servers["delivery"]
        for number, days in enumerate(steps):
            if days:
                company.tick(days)
            else:
                issue = list(jira.site.issues)[number]
                body = {"update": {"labels": [{"add": f"pmo-{number}"}]}}
                address = f"{jira.url}/rest/api/3/issue/{issue}"
                done = requests.put(address, json=body, auth=(US.email, TOKEN), timeout=10)
                assert done.status_code == 204, done.text
        was = everything(company, folder)
    with closing(opened(folder)) as company:
        assert everything(company, folder) == was


def test_a_seed_is_a_company(tmp_path: Path) -> None:
    found = []
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        with closing(opened(tmp_path / name, seed)) as company:
            found.append((company.tick(3), company.tick(7), everything(company, tmp_path / name)))
    one, same, other = found
    assert one == same
    assert one != other


@given(st.integers())
def test_a_portfolio_is_of_some_size_and_every_kind_and_its_histories_go_forward(seed: int) -> None:
    works = portfolio(seed, datetime(2026, 3, 20, tzinfo=UTC))
    for work in works:
        assert [stage for _, stage in work.history] == [*Stage][: len(work.history)]
        assert [at for at, _ in work.history] == sorted(at for at, _ in work.history)
    assert 60 <= len(works) <= 150
    assert len({(work.source, work.title) for work in works}) == len(works)
    assert {work.history[-1][1] for work in works} == {*Stage}
    assert all(at <= datetime(2026, 3, 20, tzinfo=UTC) for work in works for at, _ in work.history)
