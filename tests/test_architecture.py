"""Who may import whom, and who may not look at the clock."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("connectors", "rules", "sync")

SHARED = {"model", "base", "errors", "wording", "http", "registry", "turn", "contract", "contract_http", "fakes"}
"""What is in `connectors` beside the connectors themselves."""

STORES = {"sqlite3", "sqlite_utils", "apsw", "pysqlite3"}
NETWORK = {"requests", "urllib3", "http", "socket", "ssl", "jira", "trello", "smartsheet"}
CLOCK = {"now", "utcnow", "today", "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.strftime"}


def modules() -> Iterator[tuple[str, str]]:
    """Name and source of every module that ships."""
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file.read_text("utf-8")


def imports(module: str, source: str) -> set[str]:
    """Full names of what a module imports, anywhere in it: `a.b` and, for `from a import b`, both `a` and `a.b`."""
    package = module.split(".")[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


def reads_the_clock(source: str) -> set[str]:
    """Calls that ask what time it is."""
    names = {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}
    return {name for name in names if name in CLOCK or name.rpartition(".")[2] in {"now", "utcnow", "today"}}


def room_of(name: str) -> str:
    return name.partition(".")[0]


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def wrong_in_connectors(module: str, name: str) -> str | None:
    """Why a module of `connectors` may not import `name`, if it may not."""
    if room_of(name) in {"sync", "rules"} | STORES:
        return "a connector does input, output and parsing"
    here, there = (part.split(".")[1:2] for part in (module, name))
    if room_of(name) == "connectors" and there and here != there and not {*there} <= SHARED - {"registry"}:
        return "no connector knows another; the registry imports them by name"
    return None


def wrong_in_rules(_: str, name: str) -> str | None:
    if room_of(name) == "connectors" and not is_within(name, "connectors.model") and name != "connectors":
        return "rules know work items, and nothing else of where they come from"
    if room_of(name) in {"sync"} | NETWORK:
        return "rules know neither the daemon nor the network"
    return None


def wrong_anywhere(module: str, name: str) -> str | None:
    is_suite = module.startswith("connectors.contract")
    if not is_suite and room_of(name) in {"pytest", "tests", "hypothesis"}:
        return "tests are not installed where the daemon runs"
    if not is_suite and name.startswith("connectors.contract"):
        return "the contract suite needs pytest"
    if is_within(name, "connectors.fakes") and not (is_suite or module.startswith(("connectors.fakes", "sync.demo"))):
        return "only the demo and the tests talk to stand-ins"
    return None


def wrong_in_model(module: str, name: str) -> str | None:
    if module == "connectors.model" and room_of(name) not in sys.stdlib_module_names:
        return "every room imports the model, so it brings nothing along"
    return None


def complaints(module: str, source: str) -> list[str]:
    """All that is wrong with a module."""
    of_the_room = {"connectors": (wrong_in_connectors,), "rules": (wrong_in_rules,)}.get(room_of(module), ())
    checks = (wrong_anywhere, wrong_in_model, *of_the_room)
    found = [
        f"{module} imports {name}: {why}"
        for name in sorted(imports(module, source))
        for check in checks
        if (why := check(module, name))
    ]
    if room_of(module) == "connectors":
        found += [f"{module} calls {name}: only the core knows the time" for name in sorted(reads_the_clock(source))]
    return found


def test_the_arrows_point_one_way() -> None:
    shipped = dict(modules())
    assert shipped.keys() >= {"connectors.model", "connectors.base", "rules.table", "sync"}, "modules are not found"
    assert [line for module, source in shipped.items() for line in complaints(module, source)] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("connectors.trello", "import sqlite3"),
        ("connectors.trello", "def f():\n    from sync import store"),
        ("connectors.trello", "from rules.columns import COLUMNS"),
        ("connectors.trello", "from connectors import jira"),
        ("connectors.trello", "from . import jira"),
        ("connectors.trello", "import connectors.jira as other"),
        ("connectors.trello", "from connectors.registry import load"),
        ("connectors.msproject.parse", "from ..jira import JiraConnector"),
        ("connectors.registry", "from connectors.memory import MemoryConnector"),
        ("connectors.trello", "from connectors.contract import World"),
        ("connectors.trello", "import pytest"),
        ("connectors.trello", "from connectors.fakes.server import FakeServer"),
        ("connectors.fakes.trello.site", "from connectors.trello import TrelloConnector"),
        ("connectors.fakes.trello.site", "from sync.demo import world"),
        ("connectors.fakes.trello.site", "import pytest"),
        ("connectors.fakes.trello.site", "from connectors.contract_http import HttpWorld"),
        ("connectors.fakes.trello.site", "from datetime import datetime\ndatetime.now()"),
        ("sync.run", "from connectors.fakes.jira.api import Jira"),
        ("connectors.model", "import requests"),
        ("connectors.model", "from connectors.base import Page"),
        ("connectors.trello", "from datetime import datetime\ndatetime.now(UTC)"),
        ("connectors.trello", "import datetime\ndatetime.date.today()"),
        ("connectors.trello", "import time\ntime.time()"),
        ("rules.engine", "from connectors.base import Page"),
        ("rules.engine", "from connectors import base"),
        ("rules.engine", "from sync.store import Store"),
        ("rules.engine", "import requests"),
        ("sync.run", "from connectors.contract import World"),
    ],
)
def test_an_arrow_that_points_the_other_way_is_seen(module: str, source: str) -> None:
    assert complaints(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("connectors.trello", "from connectors.base import Page\nfrom connectors import errors, http"),
        ("connectors.msproject.connector", "from connectors.msproject import splice\nfrom .parse import parse_item"),
        ("connectors.http", "import time\ntime.sleep(1)\ntime.monotonic()"),
        ("rules.engine", "import sqlite3\nfrom connectors.model import WorkItem\nfrom connectors import model"),
        ("connectors.fakes.trello.api", "from connectors.fakes.server import Answer"),
        ("sync.demo.town", "from connectors.fakes.jira.api import Jira"),
        ("sync.run", "import sqlite_utils\nfrom connectors.registry import load\nfrom rules import engine"),
    ],
)
def test_an_arrow_that_points_the_right_way_is_not(module: str, source: str) -> None:
    assert complaints(module, source) == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_only_a_docstring(room: str) -> None:
    body = ast.parse((ROOT / room / "__init__.py").read_text("utf-8")).body
    assert len(body) == 1
    assert ast.get_docstring(ast.Module(body, [])), "the three __init__.py hold a docstring and nothing else"


def test_one_module_alone_writes_to_stderr() -> None:
    """So that `--log-format json` holds whatever is said; progress is for terminals, which have no use for it."""
    loud = {module for module, source in modules() if "err=True" in source} - {"sync.log", "sync.watching"}
    assert loud == set()
