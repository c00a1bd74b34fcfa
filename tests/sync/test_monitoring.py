"""What monitors get: numbers, pings and logs; and what people are told, once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from connectors.fakes.server import Answer, FakeServer, Request
from sync import config as configs
from sync import durations, exemptionfiles, metrics, monitoring, ping
from sync.clock import Clock
from sync.summary import RunReport
from tests.sync.town import CONFIG, Town

BOTH = CONFIG + '[sources.other]\nsystem = "memory"\nworld = "other.json"\n'


# [metrics] file


def numbers(file: Path) -> dict[tuple[str, str], float]:
    """By name and the value of its one label, if it has any."""
    return {
        (sample.name, "".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(file.read_text())
        for sample in family.samples
    }


def test_the_numbers_are_what_prometheus_reads(town: Town) -> None:
    town.write_config(
        'metrics.file = "unstuck.prom"\n' + CONFIG + '[sources."o\\"x"]\nsystem="memory"\nworld="n.json"\n'
    )
    town.add(1, sponsor="")
    town.add(2)
    assert town.unstuck("run", "--apply").code == 1
    file = town.folder / "unstuck.prom"
    found = numbers(file)
    assert found["unstuck_source_up", "tool"] == 1
    assert found["unstuck_source_up", 'o"x'] == 0
    assert found["unstuck_source_items", "tool"] == 2
    assert not [name for name, _ in found if name == "unstuck_source_requests"], "files are not asked over a network"
    assert found["unstuck_last_run_exit_code", ""] == 1
    assert found["unstuck_labels", ""] == found["unstuck_written_items", ""] == 1
    assert found["unstuck_source_pulled_timestamp_seconds", "tool"] == 1773964800 + 12 * 3600
    assert found["unstuck_brake_tripped", "share"] == 0
    assert ("unstuck_last_success_timestamp_seconds", "") not in found
    assert file.stat().st_mode & 0o777 == 0o644
    assert not [path for path in town.folder.iterdir() if path.name.endswith(".new")]
    for family in text_string_to_metric_families(file.read_text()):
        assert (family.type, bool(family.documentation)) == ("gauge", True)
        assert family.name.startswith("unstuck_")


def test_a_tripped_brake_is_a_number(town: Town) -> None:
    town.write_config('metrics.file = "unstuck.prom"\nbrakes.count = 1\n' + CONFIG)
    for number in (1, 2):
        town.add(number, sponsor="")
    assert town.unstuck("run", "--apply").code == 3
    found = numbers(town.folder / "unstuck.prom")
    assert found["unstuck_brake_tripped", "count"] == 1
    assert (found["unstuck_planned_items", ""], found["unstuck_written_items", ""]) == (2, 0)


def test_a_file_that_cannot_be_written_is_told_once_and_changes_no_exit_code(town: Town) -> None:
    town.write_config('metrics.file = "nowhere/unstuck.prom"\n' + CONFIG)
    town.add(1)
    said = town.unstuck("run", "--apply")
    assert (said.code, "[metrics] file:" in said.err) == (0, True)
    said = town.unstuck("run", "--apply")
    assert (said.code, said.err) == (0, "")
    (town.folder / "nowhere").mkdir()
    assert town.unstuck("run", "--apply").code == 0
    (town.folder / "nowhere" / "unstuck.prom").unlink()
    (town.folder / "nowhere").rmdir()
    assert "[metrics] file:" in town.unstuck("run", "--apply").err  # it worked in between


def test_a_store_that_is_gone_when_the_numbers_are_written_is_one_sentence(town: Town) -> None:
    town.write_config('metrics.file = "unstuck.prom"\n' + CONFIG)
    config = configs.load(town.folder / "config.toml")
    clock = Clock(datetime(2026, 3, 20, tzinfo=UTC), rehearsal=True)
    report = RunReport(1, clock, applied=False, exemptions=exemptionfiles.by_label(config, clock.now))
    assert str(monitoring._write_numbers(config.store, town.folder / "x", report)).startswith("[metrics] file: ")


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_any_name_of_a_source_survives_the_format(name: str) -> None:
    gauge = metrics.Gauge("unstuck_x", "Help.", {(("source", name),): 1.5})
    [family] = text_string_to_metric_families(metrics.text(iter([gauge])))
    [sample] = family.samples
    assert (sample.labels, sample.value) == ({"source": name}, 1.5)


# [metrics] ping


class Monitor:
    """A service that waits for pings."""

    def __init__(self) -> None:
        self.status = 200
        self.sends_to: str | None = None
        self.server = FakeServer(self.answer)

    def answer(self, _: Request) -> Answer:
        if self.sends_to:
            return Answer(302, headers={"Location": self.sends_to})
        return Answer(self.status, json="OK")

    def heard(self) -> list[str]:
        """What came since the last look."""
        requests = [f"{request.method} {request.target}" for request in self.server.requests]
        self.server.requests.clear()
        return requests


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    monitor = Monitor()
    yield monitor
    monitor.server.close()


@pytest.fixture
def stranger() -> Iterator[Monitor]:
    monitor = Monitor()
    yield monitor
    monitor.server.close()


SECRET = "5ecre7-uuid"


@pytest.fixture
def pinging(town: Town, monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setenv("PING", f"{monitor.server.url}/{SECRET}?create=1")
    town.write_config('metrics.ping = { env = "PING" }\nbrakes.count = 1\n' + CONFIG)
    town.add(1, sponsor="")
    return town


FINE, FAIL = f"GET /{SECRET}?create=1", f"GET /{SECRET}/fail?create=1"


def test_every_run_pings_and_says_how_it_went(pinging: Town, monitor: Monitor) -> None:
    assert pinging.unstuck("run", "--apply").code == 0
    assert monitor.heard() == [FINE]
    assert pinging.unstuck("plan").code == 0
    assert pinging.unstuck("status").code == 0
    assert monitor.heard() == []
    pinging.add(2, sponsor="")
    pinging.add(3, sponsor="")
    assert pinging.unstuck("run", "--apply").code == 3
    assert monitor.heard() == [FAIL]
    pinging.write_rules("[[rule]]\n")
    assert pinging.unstuck("run", "--apply").code == 2
    assert monitor.heard() == [FAIL]


def test_a_lock_that_is_held_pings_nobody(pinging: Town, monitor: Monitor) -> None:
    import filelock

    with filelock.FileLock(pinging.folder / "unstuck.db.lock"):
        assert pinging.unstuck("run").code == 4
    assert monitor.heard() == []


@pytest.mark.parametrize("trouble", ["status", "elsewhere", "loop", "nobody"])
def test_a_ping_that_nobody_hears_is_told_once(
    pinging: Town, monitor: Monitor, stranger: Monitor, trouble: str
) -> None:
    if trouble == "status":
        monitor.status = 404
    elif trouble == "elsewhere":
        monitor.sends_to = f"{stranger.server.url}/{SECRET}"
    elif trouble == "loop":
        monitor.sends_to = f"/{SECRET}"
    else:
        monitor.server.close()
        monitor.server = FakeServer(monitor.answer)  # elsewhere, for the fixture to close
    first, second = (pinging.unstuck("--debug", "run", "--apply") for _ in range(2))
    assert (first.code, second.code) == (0, 0)
    assert "[metrics] ping: the call to 127.0.0.1" in first.err
    assert "[metrics] ping" not in second.err
    assert SECRET not in first.out + first.err + second.out + second.err
    assert SECRET.encode() not in (pinging.folder / "unstuck.db").read_bytes()
    assert stranger.heard() == []


def test_a_redirect_within_the_host_is_followed(pinging: Town, monitor: Monitor) -> None:
    def answer(request: Request) -> Answer:
        return Answer() if request.path == "/moved" else Answer(302, headers={"Location": "/moved"})

    monitor.server.answer = answer
    said = pinging.unstuck("run", "--apply")
    assert (said.code, said.err) == (0, "")
    assert monitor.heard() == [FINE, "GET /moved"]


def test_a_rehearsal_calls_no_other_host(town: Town) -> None:
    town.write_config('metrics.ping = "https://monitor.invalid/x"\n' + CONFIG)
    town.add(1)
    said = town.unstuck("run", "--apply")
    assert (said.code, said.err) == (0, "")  # monitor.invalid would not have answered


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hc-ping.com/x", "without encryption"),
        ("hc-ping.com/x", "is no URL"),
        ("https:///x", "is no URL"),
        ("https://[x", "is no URL"),
        ("https://a:b@hc-ping.com/x", "user and password"),
    ],
)
def test_urls_that_cannot_be_pinged(town: Town, url: str, why: str) -> None:
    town.write_config(f'metrics.ping = "{url}"\n' + CONFIG)
    said = town.unstuck("check")
    assert said.code == 2
    assert "metrics.ping: " in said.err
    assert why in said.err


@pytest.mark.parametrize("url", ["https://hc-ping.com/x", "http://127.0.0.1:8000/x", "http://localhost/x"])
def test_urls_that_can(url: str) -> None:
    assert ping.mistake(url) is None


# Told once


def test_a_source_that_goes_away_is_told_once_and_once_when_it_is_back(town: Town) -> None:
    town.write_config(BOTH)
    town.add(1)
    other = town.folder / "other.json"
    other.write_text(json.dumps({"collections": [{"native_id": "B1", "name": "Team"}]}))
    assert town.unstuck("run").code == 0
    other.rename(town.folder / "away.json")
    said = town.unstuck("run")
    assert (said.code, said.err.count("other: there is no file")) == (1, 1)
    for _ in range(2):
        town.now = town.now.replace("T12", "T13")
        said = town.unstuck("run")
        assert (said.code, said.out, said.err) == (1, "", "")
        told = town.unstuck("run", "--json").json
        assert (told["exit_code"], len(told["problems"])) == (1, 1)
    [_, away] = town.unstuck("status", "--format", "json").json["sources"]
    assert away["away_since"] == "2026-03-20T12:00:00Z"
    assert "there is no file" in away["problem"]
    assert "other: away since 2026-03-20T12:00:00Z" in town.unstuck("status").out
    (town.folder / "away.json").rename(other)
    said = town.unstuck("run")
    assert said.code == 0
    assert said.err.splitlines()[1:] == ["other: is back; it had been away since 2026-03-20 12:00 UTC."]
    said = town.unstuck("run")
    assert (said.code, said.err) == (0, "")


def test_another_reason_for_being_away_is_news_and_another_number_is_not(town: Town) -> None:
    town.write_config(BOTH)
    town.add(1)
    other = town.folder / "other.json"
    other.write_text("[1")
    assert "is not JSON" in town.unstuck("run").err
    other.write_text("[1, 22")
    assert town.unstuck("run").err == ""
    other.unlink()
    assert "there is no file" in town.unstuck("run").err


# --log-format json


def logged(err: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in err.splitlines()]


def test_every_line_of_the_log_is_an_object(town: Town) -> None:
    town.write_config(BOTH)
    town.add(1, sponsor="")
    said = town.unstuck("--log-format", "json", "run", "--apply")
    assert said.code == 1
    lines = logged(said.err)
    assert [line["event"] for line in lines] == [
        "run_started", "source_pulled", "source_pulled", "run_finished", "rehearsal", "problem",
    ]  # fmt: skip
    [problem] = [line for line in lines if line["event"] == "problem"]
    assert (problem["source"], problem["level"], problem["run"]) == ("other", "error", 1)
    assert problem["text"].startswith("other: there is no file")
    assert all(line["ts"].endswith("Z") for line in lines)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["run", "--source", "x"],
        ["run", "--force", "x"],
        ["rules", "check", "no-such.toml"],
        ["explain", "X"],
    ],
    ids=" ".join,
)
def test_mistakes_are_objects_too(town: Town, arguments: list[str]) -> None:
    said = town.unstuck("--log-format", "json", *arguments)
    assert said.code == 2
    assert logged(said.err)


def test_the_debug_log_is_objects_too_with_its_tracebacks(town: Town) -> None:
    town.world_file.unlink()
    done = subprocess.run(
        town.command("--log-format", "json", "--debug", "run"),
        cwd=town.folder, env=town.environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = [line for line in logged(done.stderr) if line["event"] == "log" and "there is no file" in line["text"]]
    assert [line["level"] for line in found if "Traceback" in line["text"]] == ["debug"]


def test_the_summary_is_as_ever(town: Town) -> None:
    town.add(1, sponsor="")
    assert town.unstuck("--log-format", "json", "run", "--json").json["planned"]["add"] == 1


# status


def runs(town: Town, times: Mapping[str, str | None]) -> None:
    """A run at each time; where there is a title, the item was given it before."""
    for time, title in times.items():
        town.now = time
        if title:
            town.edit(1, title=title)
        assert town.unstuck("run", "--apply").code == 0


def test_data_that_is_older_than_usual_is_an_alarm(town: Town) -> None:
    town.add(1)
    runs(town, {f"2026-03-{day:02}T06:00:00": f"day {day}" for day in (9, 10, 11, 12, 13, 16, 17)})
    town.now = "2026-03-18T17:00:00"  # 35 hours; the second longest pause is 24
    assert town.unstuck("status").code == 0
    town.now = "2026-03-18T19:00:00"
    said = town.unstuck("status")
    assert said.code == 1
    assert "tool: its data is 37 hours old, and should not be older than 36 hours" in said.err
    assert town.unstuck("status", "--format", "json").json["stale"] is True
    town.write_config('status.stale_after = "38h"\n' + CONFIG)
    assert town.unstuck("status").code == 0
    town.write_config('status.stale_after = "36h"\n' + CONFIG)
    assert town.unstuck("status").code == 1


def test_little_past_teaches_nothing(town: Town) -> None:
    town.add(1)
    runs(town, {f"2026-03-{day:02}T06:00:00": None for day in (9, 10, 11, 12, 13)})
    town.now = "2027-01-01T06:00:00"
    assert town.unstuck("status").code == 0


def test_green_runs_that_find_nothing_new_are_an_alarm(town: Town) -> None:
    town.add(1)
    runs(town, {f"2026-03-{day:02}T06:00:00": f"day {day}" for day in range(1, 8)})
    runs(town, {"2026-03-08T06:00:00": None, "2026-03-10T05:00:00": None})
    assert town.unstuck("status").code == 0
    runs(town, {"2026-03-10T07:00:00": None})
    said = town.unstuck("status")
    assert said.code == 1
    assert "tool: no item of it has changed for 3 days, where 3 days would be much" in said.err
    town.write_config('status.quiet_after = "30d"\n' + CONFIG)
    assert town.unstuck("status").code == 0


def test_a_source_that_is_away_grows_stale(town: Town) -> None:
    town.write_config('status.stale_after = "2h"\n' + CONFIG)
    town.add(1)
    runs(town, {"2026-03-09T06:00:00": None})
    town.world_file.rename(town.folder / "away.json")
    town.now = "2026-03-09T09:00:00"
    assert town.unstuck("run").code == 1
    assert town.unstuck("status").code == 1


def test_what_waits_and_which_brake_tripped(town: Town) -> None:
    town.write_config("brakes.count = 1\n" + CONFIG)
    for number in (1, 2):
        town.add(number, sponsor="")
    assert town.unstuck("run", "--apply").code == 3
    status = town.unstuck("status", "--format", "json").json
    assert status["waiting"] == {"items": 2, "held": 0}
    assert (status["brakes"]["run"], status["brakes"]["names"]) == (1, ["count"])
    told = town.unstuck("status").out
    assert "Waiting: changes on 2 items" in told
    assert "The last brake tripped in run 1, 2026-03-20T12:00:00Z: count." in told
    assert town.unstuck("run", "--apply", "--force", "count").code == 0
    assert town.unstuck("status", "--format", "json").json["waiting"] == {"items": 0, "held": 0}


def test_a_run_that_is_no_rehearsal_takes_its_time(town: Town) -> None:
    town.add(1)
    env = {"UNSTUCK_NOW": ""}
    summary = town.unstuck("run", "--json", env=env).json
    assert summary["seconds"] > 0
    [run] = town.unstuck("status", "--format", "json", env=env).json["runs"]
    assert 0 <= run["seconds"] < 600


# Lengths of time


@given(st.integers(1, 999), st.sampled_from("smhd"))
def test_lengths_of_time(amount: int, unit: str) -> None:
    assert durations.seconds(f"{amount}{unit}") == amount * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]


@given(st.floats(0.5, 86400 * 1000))
def test_what_is_spoken_is_never_too_long(length: float) -> None:
    number, unit = durations.spoken(length).split()
    assert float(number) * {"d": 86400, "h": 3600, "m": 60, "s": 1}[unit[0]] <= length * 1.01


@pytest.mark.parametrize("text", ["", "5", "m", "-1m", "0s", "1w", "1 h 5 m", "inf s", "99999d"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no length of time"):
        durations.seconds(text)
