"""The units for systemd and the CronJob for Kubernetes: they parse, their commands exist, and they give little away."""

from __future__ import annotations

import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from platformdirs import user_cache_path

from tests.test_docs import ROOT, used

UNITS = sorted((ROOT / "docs" / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
of_unit = pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)


class Unit(ConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr


def parsed(unit: Path) -> ConfigParser:
    parser = Unit(interpolation=None, strict=True)
    parser.read_string(unit.read_text(encoding="utf-8"))
    return parser


@of_unit
def test_a_units_command_exists(unit: Path) -> None:
    program, *words = parsed(unit)["Service"]["ExecStart"].split()
    assert program == "/opt/unstuck/bin/unstuck"
    assert used(words) & {"run", "daemon"}


@of_unit
def test_a_unit_gives_little_away(unit: Path) -> None:
    service = parsed(unit)["Service"]
    for key in ("DynamicUser", "NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome"):
        assert service[key] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] == "unstuck"
    assert service["CapabilityBoundingSet"] == ""


@of_unit
def test_a_unit_has_a_folder_for_what_was_converted_though_it_has_no_home(
    unit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = parsed(unit)["Service"]
    assert service["ProtectHome"] == "yes"
    name, _, value = service["Environment"].partition("=")
    monkeypatch.setenv(name, value.replace("%C", "/var/cache"))  # systemd.unit(5), specifiers
    assert user_cache_path("unstuck") == Path("/var/cache") / service["CacheDirectory"]


def test_the_timer_starts_a_unit_that_is_there() -> None:
    assert {unit.name for unit in UNITS} >= {"unstuck.timer", "unstuck.service"}
    assert parsed(ROOT / "docs" / "systemd" / "unstuck.timer")["Timer"]["OnCalendar"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8")
        (tmp_path / unit.name).write_text(text.replace("/opt/unstuck/bin/unstuck", shutil.which("true") or "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / unit.name) for unit in UNITS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "unstuck" in line]
    assert ours == []


@pytest.fixture
def manifests() -> dict[str, Any]:
    text = (ROOT / "docs" / "kubernetes" / "cronjob.yaml").read_text(encoding="utf-8")
    return {manifest["kind"]: manifest for manifest in yaml.safe_load_all(text)}


def test_the_cronjob_runs_what_exists_and_one_at_a_time(manifests: dict[str, Any]) -> None:
    spec = manifests["CronJob"]["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    [container] = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    program, *words = container["command"]
    assert program == "unstuck"
    assert "run" in used(words)


def test_the_cronjob_is_nobody_and_keeps_its_store(manifests: dict[str, Any]) -> None:
    pod = manifests["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    [container] = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if len(volume) == 2
              and "persistentVolumeClaim" in volume]  # fmt: skip
    assert claims == [manifests["PersistentVolumeClaim"]["metadata"]["name"]]
