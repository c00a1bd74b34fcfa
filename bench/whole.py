"""A whole run over five systems: everything is pulled, evaluated and planned, and 2,000 labels are written.

    python bench/whole.py            100,000 items; the fakes answer after 50 ms and keep their vendors' limits
    python bench/whole.py --small    1,000 items
    python bench/whole.py --write    also put the tables into docs/benchmarks.md

Each fake server has a process of its own and notes when each request came. The run is the real command. How much of
what is allowed it used: in each half of the run, the least time that a source's requests can take is their number by
the vendor's limit in requests a second. Sources are asked side by side, so the least time of a half is that of its
slowest source, and its share is that time by what the half took. Exits 1 if a limit is missed, which --small only
shows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tables import peak_mb, put_into_docs, with_bytecode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

ITEMS = {"jira": 30_000, "trello": 15_000, "smartsheet": 20_000, "monday": 15_000, "msproject": 20_000}
LABELS = {"jira": 700, "trello": 400, "smartsheet": 500, "monday": 300, "msproject": 100}
SMALL = 100
"""The small form has so many times fewer items, and half as many times fewer labels."""
LATENCY = 0.05
LEAST_USE, MAX_MB = 0.85, 200


@dataclass(frozen=True)
class Allowed:
    """What a vendor allows a token."""

    rate: float
    """Requests a second."""
    said: str


ALLOWED = {
    "jira": Allowed(50, "50 writes a second to an endpoint"),
    "trello": Allowed(10, "100 in 10 seconds"),
    "smartsheet": Allowed(5, "300 a minute"),
    "monday": Allowed(1000 / 60, "1,000 a minute, in the smallest plan"),
}
"""As connectors/http/policy.py cites them."""


# The systems, each in a process of its own


def flagged(number: int, items: int, labels: int) -> str:
    """What is in the title of so many items, spread evenly."""
    return " flagged" if number % (items // labels) == 0 and number // (items // labels) < labels else ""


def serve_jira(items: int, labels: int) -> Any:
    from connectors.fakes.jira.api import Jira
    from connectors.fakes.jira.many import many_issues

    fake = Jira(many_issues(items))
    for number, issue in enumerate(fake.site.issues.values()):
        issue.fields["summary"] += flagged(number, items, labels)
    fake.site.quirks.requests_per_second = ALLOWED["jira"].rate
    return fake


def serve_trello(items: int, labels: int) -> Any:
    """Five boards."""
    from connectors.fakes.trello.api import Trello
    from connectors.fakes.trello.many import many_cards
    from connectors.fakes.trello.site import Site

    site = Site()
    for seed in range(5):
        many_cards(items // 5, 2, seed, site)
    cards = (card for board in site.boards.values() for card in board.cards.values())
    for number, card in enumerate(cards):
        card["name"] += flagged(number, items, labels)
    return Trello(site)


def serve_smartsheet(items: int, labels: int) -> Any:
    from smartsheet_pull import COLUMNS, PLAN, values_of

    from connectors.fakes.smartsheet.api import Smartsheet

    fake = Smartsheet()
    plain = [(f"Column {number}", "TEXT_NUMBER") for number in range(COLUMNS - 7)]
    sheet = fake.account.new_sheet("Big", [*PLAN, *plain])
    for number in range(items):
        title = f"Task {number}{flagged(number, items, labels)}"
        fake.account.add_row(sheet, {**values_of(number), "Task Name": title})
    return fake


def serve_monday(items: int, labels: int) -> Any:
    from monday_pull import COLUMNS, PLAN, values_of

    from connectors.fakes.monday.api import Monday

    fake = Monday()
    plain = [(f"Column {number}", "text") for number in range(COLUMNS - len(PLAN))]
    board = fake.account.new_board("Big", [*PLAN, *plain])
    for number in range(items):
        fake.account.add_item(board, f"Item {number}{flagged(number, items, labels)}", **values_of(number))
    return fake


SERVERS: Mapping[str, Callable[[int, int], Any]] = {
    "jira": serve_jira,
    "trello": serve_trello,
    "smartsheet": serve_smartsheet,
    "monday": serve_monday,
}


def serve(system: str, items: int, labels: int, latency: float) -> None:
    """Print the address; at the end of the input, when each request came, and how many were refused as too many."""
    fake = SERVERS[system](items, labels)
    times, refused, answer = list[float](), list[int](), fake.server.answer

    def noted(request: Any) -> Any:
        times.append(time.monotonic())
        given = answer(request)
        refused.extend([given.status] if given.status == 429 else [])
        return given

    fake.server.answer, fake.server.latency = noted, latency
    print(fake.url, flush=True)
    sys.stdin.read()
    fake.close()
    print(json.dumps({"times": times, "refused": len(refused)}))


@contextmanager
def served(system: str, size: tuple[int, int], latency: float, said: dict[str, Any]) -> Iterator[str]:
    """A system's address; afterwards `said` has what it says of the requests."""
    command = [sys.executable, __file__, "--serve", system, *map(str, size), str(latency)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=with_bytecode(), **pipes) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        said[system] = json.loads(process.communicate("")[0])


def write_plan(file: Path, items: int, labels: int) -> None:
    """The export of the fifth system."""
    from generators.msproject import lines

    with file.open("w", encoding="utf-8", newline="") as out:
        for number, line in enumerate(lines(items), start=-1):  # the head comes first
            name = f"Größe {number + 1}"
            out.write(line.replace(f"{name}<", f"{name}{flagged(max(number, 0), items, labels)}<", 1))


# The run

RULES = """
[[rule]]
id      = "flagged"
label   = "pmo-flagged"
says    = "It says so"
rollout = "now"
when    = { title = "contains flagged" }
"""
CONFIG = """
rules = ["rules.toml"]
[brakes]
share      = 1.0
count      = 100000
per_rule   = 100000
per_person = 100000
[labels]
per_person_per_week = 0
[sources.jira]
system   = "jira"
base_url = "{jira}"
email    = "{email}"
token    = {{ env = "JIRA_TOKEN" }}
[sources.trello]
system   = "trello"
base_url = "{trello}"
key      = {{ env = "TRELLO_KEY" }}
token    = {{ env = "TRELLO_TOKEN" }}
[sources.smartsheet]
system       = "smartsheet"
base_url     = "{smartsheet}"
token        = {{ env = "SMARTSHEET_TOKEN" }}
label_column = "PMO labels"
[sources.monday]
system       = "monday"
base_url     = "{monday}"
token        = {{ env = "MONDAY_TOKEN" }}
label_column = "PMO labels"
daily_calls  = 100000
[sources.msproject]
system = "msproject"
path   = "plan.xml"
"""


def configure(folder: Path, urls: Mapping[str, str]) -> None:
    """The config, and in the environment what it takes from there."""
    from connectors.fakes.jira.doors import TOKEN as JIRA
    from connectors.fakes.jira.state import US
    from connectors.fakes.monday.account import TOKEN as MONDAY
    from connectors.fakes.smartsheet.account import TOKEN as SMARTSHEET
    from connectors.fakes.trello.api import KEY
    from connectors.fakes.trello.api import TOKEN as TRELLO

    (folder / "rules.toml").write_text(RULES)
    (folder / "config.toml").write_text(CONFIG.format(**urls, email=US.email))
    os.environ |= {"JIRA_TOKEN": JIRA, "MONDAY_TOKEN": MONDAY, "SMARTSHEET_TOKEN": SMARTSHEET}
    os.environ |= {"TRELLO_KEY": KEY, "TRELLO_TOKEN": TRELLO}


def run(folder: Path) -> None:
    """The real command, and on stderr, what it took and when its halves began and ended."""
    from sync import cli
    from sync import run as runs

    moments = [time.monotonic()]
    write = runs.apply_plan
    linking = runs.findings.link

    def linked(*arguments: Any) -> None:
        moments.append(time.monotonic())
        linking(*arguments)

    def written(*arguments: Any) -> Any:
        moments.append(time.monotonic())
        done = write(*arguments)
        moments.append(time.monotonic())
        return done

    runs.findings.link, runs.apply_plan = linked, written
    os.chdir(folder)
    try:
        cli.main(["run", "--apply", "--json"])
    finally:
        print(json.dumps({"at": moments, "cpu": time.process_time(), "peak": peak_mb()}), file=sys.stderr)


def measured(items: Mapping[str, int], labels: Mapping[str, int], latency: float) -> dict[str, Any]:
    """Serve all systems, and run once."""
    said = dict[str, Any]()
    with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as name, ExitStack() as systems:
        folder = Path(name)
        urls = {one: systems.enter_context(served(one, (items[one], labels[one]), latency, said)) for one in SERVERS}
        configure(folder, urls)
        write_plan(folder / "plan.xml", items["msproject"], labels["msproject"])
        command = [sys.executable, __file__, "--child", name]
        done = subprocess.run(command, env=with_bytecode(), capture_output=True, text=True, check=False)
        if not done.stdout:
            raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    written = json.loads(done.stdout)["written"]
    if written["items"] != sum(labels.values()):
        raise SystemExit(f"not all was written: {written}\n{done.stderr}")
    return {**result, "systems": said}


# Telling


def table(found: Mapping[str, Any], items: Mapping[str, int], labels: Mapping[str, int]) -> tuple[str, list[str]]:
    """Both tables in Markdown, and what is missed."""
    start, pulled, began, end = found["at"]
    halves = {"pull": (start, pulled), "write": (began, end)}
    rows = [
        "| source | items | labels | requests to pull, at the limit | to write, at the limit | refused | the limit |"
    ]
    rows.append("|---|--:|--:|--:|--:|--:|---|")
    slowest = dict.fromkeys(halves, 0.0)
    for name, said in found["systems"].items():
        allowed, cells = ALLOWED[name], list[str]()
        for half, (since, until) in halves.items():
            count = sum(since <= at <= until for at in said["times"])
            slowest[half] = max(slowest[half], count / allowed.rate)
            cells.append(f"{count:,}, {count / allowed.rate:.1f} s")
        cells = [name, f"{items[name]:,}", f"{labels[name]:,}", *cells, str(said["refused"]), allowed.said]
        rows.append(f"| {' | '.join(cells)} |")
    rows.append(f"| msproject | {items['msproject']:,} | {labels['msproject']:,} | a file | a copy | | |")
    took = {half: until - since for half, (since, until) in halves.items()}
    use = slowest["write"] / took["write"]
    rows += ["", "| what | | limit |", "|---|--:|--:|"]
    rows.append(
        f"| pulling, beside the least that the limits allow | {took['pull']:.1f} s, {slowest['pull']:.1f} s | |"
    )
    rows.append(f"| evaluating and planning | {began - pulled:.1f} s | |")
    rows.append(
        f"| writing, beside the least that the limits allow | {took['write']:.1f} s, {slowest['write']:.1f} s | |"
    )
    rows.append(f"| of the allowed rate, while labels are written | {use:.0%} | {LEAST_USE:.0%} |")
    whole = (slowest["pull"] + slowest["write"]) / (end - start)
    rows.append(f"| of the allowed rate, from start to end | {whole:.0%} | |")
    rows.append(f"| CPU of the run | {found['cpu']:.1f} s | |")
    rows.append(f"| peak memory | {found['peak']:.0f} MB | {MAX_MB} MB |")
    missed = [f"{use:.0%} of the rate"] if use < LEAST_USE else []
    missed += [f"peak {found['peak']:.0f} MB"] if found["peak"] > MAX_MB else []
    return "\n".join(rows), missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--child", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--serve", nargs=4, metavar=("SYSTEM", "ITEMS", "LABELS", "LATENCY"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        system, count, wanted, latency = chosen.serve
        serve(system, int(count), int(wanted), float(latency))
        return 0
    if chosen.child:
        run(Path(chosen.child))
        return 0
    items = {name: count // SMALL for name, count in ITEMS.items()} if chosen.small else ITEMS
    labels = {name: max(1, count // (SMALL // 2)) for name, count in LABELS.items()} if chosen.small else LABELS
    text, missed = table(measured(items, labels, 0.0 if chosen.small else LATENCY), items, labels)
    print(text)
    if chosen.write:
        put_into_docs("whole", "A whole run over five systems", text)
    for each in missed:
        print(f"missed: {each}", file=sys.stderr)
    return 1 if missed and not chosen.small else 0


if __name__ == "__main__":
    sys.exit(main())
