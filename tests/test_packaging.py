"""What is built is what ships: the wheel from the sdist, in an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from connectors import registry
from sync.version import VERSION

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("connectors", "rules", "sync")

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints; the test fails with all that it said if it does not succeed."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} said:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist, and with the wheel that was built from it and not from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def source_files() -> set[str]:
    """Every file in the three packages, as the checkout has them."""
    files = (file for room in ROOMS for file in (ROOT / room).rglob("*") if file.is_file())
    return {file.relative_to(ROOT).as_posix() for file in files if "__pycache__" not in file.parts}


def test_the_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    metadata = {name for name in names if name.split("/")[0] == f"unstuck-{VERSION}.dist-info"}
    assert names - metadata == source_files() | {"sync/config.example.toml"}
    assert names >= {f"{room}/py.typed" for room in ROOMS}
    assert any(name.startswith("rules/builtin/") and name.endswith(".toml") for name in names), "no shipped rules"


def test_the_example_config_is_shipped_as_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("sync/config.example.toml") == (ROOT / "config.example.toml").read_bytes()


def test_the_sdist_holds_what_it_takes_to_test(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= source_files() | {"pyproject.toml", "Makefile", "LICENSE", "README.md", "config.example.toml"}
    assert names >= {"tests/conftest.py", "tests/test_packaging.py"}
    assert {name.split("/")[0] for name in names if name} <= {
        *ROOMS,
        *("tests", "docs", "examples", "bench"),
        *("pyproject.toml", "Makefile", "LICENSE", "README.md", "CHANGELOG.md", "config.example.toml", "PKG-INFO"),
        ".gitignore",
    }


def test_entry_points_are_those_of_the_registry(wheel: Path) -> None:
    points = ConfigParser(delimiters=("=",))
    with zipfile.ZipFile(wheel) as archive:
        points.read_string(archive.read(f"unstuck-{VERSION}.dist-info/entry_points.txt").decode())
    assert dict(points[registry.GROUP]) == registry.BUILTIN
    assert dict(points["console_scripts"]) == {"unstuck": "sync.cli:main"}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a fresh environment with the wheel. Its dependencies are taken from ours: no network is needed."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    paths = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder)
    Path(paths.strip(), "dependencies.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    return folder / "bin"


def test_the_installed_command_runs(installed: Path, tmp_path: Path) -> None:
    assert VERSION in run(installed / "unstuck", "--version", cwd=tmp_path)


def test_what_runs_is_what_was_installed(installed: Path, tmp_path: Path) -> None:
    ask = "import connectors, rules, sync; print(*(room.__file__ for room in (connectors, rules, sync)), sep='\\n')"
    for file in run(installed / "python", "-c", ask, cwd=tmp_path).split():
        assert Path(file).is_relative_to(installed.parent), "the test would try out the checkout"


def test_every_shipped_connector_loads_without_test_tools(installed: Path, tmp_path: Path) -> None:
    ask = (
        "import sys\n"
        "from connectors import registry\n"
        "print(*(registry.load(name).system for name in registry.BUILTIN))\n"
        "print('pytest' in sys.modules)"
    )
    loaded, has_pytest = run(installed / "python", "-c", ask, cwd=tmp_path).splitlines()
    assert loaded.split() == list(registry.BUILTIN)
    assert has_pytest == "False"
