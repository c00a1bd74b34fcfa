"""The daemon: runs in processes of their own, signals, reloading, systemd, and what it does when all fails."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import daemon
from tests.sync.test_side_by_side import SlowTown, wait_until
from tests.sync.town import CONFIG, Town


class Served:
    """A daemon at work in a town, and what it says."""

    def __init__(self, town: Town, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self.town = town
        self.out, self.err = town.folder / "daemon.out", town.folder / "daemon.err"
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                town.command("--log-format", "json", "daemon", *arguments),
                cwd=town.folder, env=town.environment(env), stdout=out, stderr=err,
            )  # fmt: skip

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.err.read_text().splitlines() if line.endswith("}")]
        return [line for line in lines if line["event"] == name]

    def wait_for(self, name: str, times: int = 1) -> None:
        wait_until(lambda: len(self.events(name)) >= times or self.process.poll() is not None)
        assert len(self.events(name)) >= times, self.err.read_text()

    def end(self, number: signal.Signals = signal.SIGTERM, within: float = 20) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=within)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def serve(town: Town) -> Iterator[Any]:
    started: list[Served] = []

    def start(*arguments: str, at: Town = town, env: Mapping[str, str] | None = None) -> Served:
        started.append(Served(at, *arguments, env=env))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def test_it_runs_again_and_again_and_stops_when_told(town: Town, serve: Any) -> None:
    town.add(1, sponsor="")
    served = serve("--every", "0.2s", "--apply")
    served.wait_for("run_finished", 2)
    assert town.labels(1) == ["pmo-no-sponsor"]
    town.edit(1, sponsor="Ada")
    wait_until(lambda: town.labels(1) == [])
    assert served.end() == 0
    assert len(town.writes) == 2
    assert served.events("daemon_stopped")
    assert town.unstuck("run", "--apply").code == 0  # the lock is free


def test_a_process_for_each_run_and_none_of_them_left(town: Town, serve: Any) -> None:
    town.add(1)
    served = serve("--every", "0.1s")
    served.wait_for("run_finished", 2)
    before = resident(served.process.pid)
    served.wait_for("run_finished", 12)
    assert resident(served.process.pid) <= before + 512  # KiB: it holds nothing of a run
    children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text().split()
    assert len(children) <= 1
    assert len({event["run"] for event in served.events("run_finished")}) >= 12
    served.end()


def resident(process: int) -> int:
    """KiB that a process holds."""
    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc on this machine")
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_under_way_finishes_what_is_in_hand(tmp_path: Path, serve: Any, number: signal.Signals) -> None:
    (tmp_path / "slow").mkdir()
    slow = SlowTown(tmp_path / "slow")
    slow.days = {"slow": {"write": 0.5, "deaf": True}}
    served = serve("--every", "1h", "--apply", at=slow)
    wait_until(lambda: len(slow.log_of("slow")) >= 2)
    assert served.end(number) == 0
    assert 2 <= len(slow.log_of("slow")) < 6
    assert any("Stopped by SIGTERM" in event["text"] for event in served.events("problem"))
    slow.days = {}
    assert slow.unstuck("run", "--apply").code == 0
    assert slow.log_of("slow") == ["1", "2", "3", "4", "5", "6"]


def test_reloading_takes_what_is_right_and_refuses_what_is_wrong_once(town: Town, serve: Any) -> None:
    town.add(1, sponsor="")
    served = serve("--every", "0.2s", "--apply")
    served.wait_for("run_finished")
    wait_until(lambda: town.labels(1) == ["pmo-no-sponsor"])
    town.write_rules('[[rule]]\nid = "a"\nlabel = "pmo-a"\nsays = "x"\nwhen = { sponsr = "missing" }\n')
    served.wait_for("run_finished", len(served.events("run_finished")) + 2)
    assert not served.events("daemon_not_reloaded")  # nobody said that it is to be read
    served.process.send_signal(signal.SIGHUP)
    served.wait_for("daemon_not_reloaded", 2)
    served.wait_for("run_finished", len(served.events("run_finished")) + 2)
    said = [event["text"] for event in served.events("daemon_not_reloaded")]
    assert len(said) == 2
    assert 'did you mean "sponsor"?' in said[0]
    assert town.labels(1) == ["pmo-no-sponsor"]
    town.write_rules('[[rule]]\nid = "a"\nlabel = "pmo-a"\nsays = "x"\nwhen = { sponsor = "missing" }\n')
    served.process.send_signal(signal.SIGHUP)
    wait_until(lambda: town.labels(1) == ["pmo-a"])
    assert served.events("daemon_reloaded")
    assert served.end() == 0


def test_it_does_not_start_on_what_is_wrong(town: Town) -> None:
    town.write_config("nonsense = 1\n" + CONFIG)
    said = town.unstuck("daemon", "--every", "15m")
    assert (said.code, "nonsense" in said.err) == (2, True)
    town.write_config(CONFIG)
    said = town.unstuck("daemon", "--every", "soon")
    assert (said.code, '--every: "soon" is no length of time' in said.err) == (2, True)


def test_a_plan_that_waits_is_shown_once(town: Town, serve: Any) -> None:
    town.add(1, sponsor="")
    served = serve("--every", "0.1s", "--plan-only")
    served.wait_for("run_finished", 4)
    served.end()
    assert served.out.read_text().count("+ pmo-no-sponsor") == 1


def test_another_run_that_holds_the_lock_is_no_failure(town: Town, serve: Any) -> None:
    import filelock

    town.add(1, sponsor="")
    with filelock.FileLock(town.folder / "unstuck.db.lock"):
        served = serve("--every", "0.2s", "--apply")
        served.wait_for("refused", 3)  # no pause grew
    wait_until(lambda: town.labels(1) == ["pmo-no-sponsor"])
    assert served.end() == 0


def test_failures_make_the_pause_longer(town: Town, serve: Any) -> None:
    town.world_file.unlink()
    served = serve("--every", "0.2s")
    served.wait_for("run_finished", 4)
    assert served.events("daemon_backs_off")
    times = [event["ts"] for event in served.events("run_started")]
    seconds = [float(time_[17:23]) + 60 * float(time_[14:16]) for time_ in times]
    assert (seconds[3] - seconds[2]) % 3600 > 0.8  # 0.2 doubled twice
    served.end()


def test_a_run_that_hangs_is_ended_by_the_daemon(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, as no run hangs for hours on purpose."""
    monkeypatch.setattr(daemon, "PATIENCE", 0.3)
    before = [signal.getsignal(number) for number in daemon._SIGNALS]

    def deaf(_: str | None) -> daemon.Ended:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
        raise AssertionError

    one = daemon.Daemon(lambda: daemon.Job(deaf, 0.2), 60)
    try:
        signal.signal(signal.SIGCHLD, one._note)
        signal.set_wakeup_fd(one._wake)
        ended = one._watched(*one._forked())
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in zip(daemon._SIGNALS, before, strict=True):
            signal.signal(number, handler)
    assert (ended.code, ended.worked) == (70, False)


@given(st.floats(0.1, 1e6), st.integers(0, 1000))
def test_the_pause_grows_to_a_limit_and_never_shrinks(every: float, failures: int) -> None:
    assert daemon.pause(every, 0) == every
    assert every <= daemon.pause(every, failures) <= daemon.pause(every, failures + 1) <= max(every, 3600)


# systemd


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(30)
        yield listening


def heard(listening: socket.socket, until: str) -> list[str]:
    """All that was told, up to a message that holds `until`."""
    messages = [""]
    while until not in messages[-1]:
        messages.append(listening.recv(4096).decode())
    return messages[1:]


def test_systemd_hears_how_it_goes(town: Town, serve: Any, systemd: socket.socket) -> None:
    town.add(1)
    env = {"NOTIFY_SOCKET": str(systemd.getsockname()), "WATCHDOG_USEC": "400000"}
    served = serve("--every", "5s", env=env)
    assert heard(systemd, "READY=1") == ["READY=1\nSTATUS=Started."]
    assert "STATUS=The run" not in heard(systemd, "STATUS=A run is under way.")[-1]
    heard(systemd, "STATUS=The next run begins in ")
    assert heard(systemd, "WATCHDOG=1")
    assert heard(systemd, "WATCHDOG=1")
    served.process.send_signal(signal.SIGHUP)
    reloading = heard(systemd, "RELOADING=1")[-1]
    assert int(reloading.split("MONOTONIC_USEC=")[1]) <= time.monotonic_ns() // 1000
    heard(systemd, "READY=1")
    assert served.end() == 0
    assert heard(systemd, "STOPPING=1")


def test_without_systemd_nothing_is_told(town: Town, serve: Any, systemd: socket.socket) -> None:
    town.add(1)
    env = {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": str(os.getpid())}
    served = serve("--every", "0.2s", env=env)
    served.wait_for("run_finished", 2)
    assert served.end() == 0
