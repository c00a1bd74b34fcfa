"""How fast a board of monday.com is read, beside the `monday` package, and how few calls that takes.

    python bench/monday_pull.py            10,000 items of 25 columns
    python bench/monday_pull.py --small    600 items
    python bench/monday_pull.py --write    also put the table into docs/benchmarks.md

The board is served by the fake account of the tests, in a process of its own, which makes each answer once and then has
it ready. Each reading runs in a process of its own, three times, of which the fastest counts; times are CPU seconds.

`monday` reads a board with `fetch_all_items_by_board_id`. Against the real schema of version 2026-10 that query is
good, as are those for one board's columns and for items by their numbers; what takes ids as text, which they are, and
what filters by time is no GraphQL (`['1']`, `"greater_than_or_equals"`). It cannot choose columns and gives only texts
and raw values, so whoever uses it decodes these into statuses with their start, people, dates and tags: that is what
is compared. When an item was made, its address and which labels stand for done it never tells. Its column is empty
without the extra `bench`.

Exits 1 if a limit is missed: one call for the boards and one for each 500 items; two for a board where nothing changed;
at the full size a fifth of the package's time for items, which is missed: to receive and decode the answers, and do
nothing with them, takes between a fifth and a third of it already.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tables import peak_mb, put_into_docs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FULL, SMALL = 10_000, 600
COLUMNS = 25
PAGE = 500
LEAST_RATIO = 5
MANY_LABELS = 100


# The account


def serve(items: int) -> None:
    """A big board; prints its address and id. A line on stdin is answered with the calls so far, by what they asked."""
    from connectors.fakes.monday.api import Monday
    from connectors.fakes.server import Answer, Request

    fake = Monday()
    board = fake.account.new_board(
        "Big", [*PLAN, *((f"Column {number}", "text") for number in range(COLUMNS - len(PLAN)))]
    )
    for number in range(items):
        fake.account.add_item(board, f"Item {number} of the programme", **values_of(number))
    ready: dict[bytes, Answer] = {}

    def answer(request: Request) -> Answer:
        if b"mutation" in request.body:
            ready.clear()
            return fake.answer(request)
        if request.body not in ready:
            made = fake.answer(request)
            ready[request.body] = Answer(made.status, headers=made.headers, body=made.to_bytes())
        return ready[request.body]

    fake.server.answer = answer
    print(json.dumps([fake.url, board.id]), flush=True)
    for _ in sys.stdin:
        print(json.dumps(dict(fake.asked)), flush=True)
        fake.server.requests.clear()
    fake.close()


PLAN = [
    ("Status", "status"),
    ("Priority", "status"),
    ("Owner", "people"),
    ("Person", "people"),
    ("Sponsor", "people"),
    ("Timeline", "timeline"),
    ("Progress", "numbers"),
    ("PMO labels", "tags"),
]


def values_of(number: int) -> dict[str, Any]:
    """An item without an empty column."""
    plan: dict[str, Any] = {
        "Status": ("Working on it", "Done", "Stuck")[number % 3],
        "Priority": ("High", "Low")[number % 2],
        "Owner": [f"Person {number % 50}"],
        "Person": [f"Person {number % 50}", f"Person {number % 7}"],
        "Sponsor": [f"Person {number % 9}"],
        "Timeline": ("2026-01-01", f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}"),
        "Progress": number % 101,
        "PMO labels": ["theirs", f"team-{number % 9}"],
    }
    return plan | {f"Column {each}": f"text {number} in column {each}" for each in range(COLUMNS - len(PLAN))}


class Served:
    """The account, from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url, self.board = json.loads(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def calls(self) -> dict[str, int]:
        """How many calls came since the last time, by what they asked."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: dict[str, int] = json.loads(self._line())
        return found


@contextmanager
def served(items: int) -> Iterator[Served]:
    command = [sys.executable, __file__, "--serve", str(items)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Served(process)
        finally:
            process.kill()


# What is measured, each in a process of its own


def connector(url: str, board: str) -> Any:
    from connectors.base import SourceSetup
    from connectors.fakes.monday.account import TOKEN
    from connectors.monday import MondayConnector

    options = {"base_url": url, "token": TOKEN, "daily_calls": 100_000}
    return MondayConnector(SourceSetup("bench", options, collections=(board,), writable=True))


def read_ours(url: str, board: str) -> int:
    """A full pull through the connector, as a run does it."""
    with closing(connector(url, board)) as one:
        (found,) = one.collections()
        return sum(len(page.items) for page in one.pull(found, None))


def package(url: str) -> Any:
    """The package's client; its address can be changed in its own module only."""
    from monday.resources import base

    base._URLS["prod"] = url
    from monday import MondayClient

    from connectors.fakes.monday.account import TOKEN

    return MondayClient(TOKEN)


def read_package(url: str, board: str) -> int:
    """What the package itself does: it decodes the JSON of all columns, as it cannot ask for some."""
    return len(package(url).boards.fetch_all_items_by_board_id(int(board), limit=PAGE))


def read_package_as_items(url: str, board: str) -> int:
    """What one writes with the package to get as near to our items as what it asks for allows."""
    items = package(url).boards.fetch_all_items_by_board_id(int(board), limit=PAGE)
    mapped = {value["id"] for value in items[0]["column_values"] if value["type"] != "text"}
    found = [record_of(item, mapped) for item in items]
    return sum(record["status"] is not None for record in found)


def record_of(item: dict[str, Any], mapped: set[str]) -> dict[str, Any]:
    """One item of the package with its status, since when that holds, its people, dates, progress and tags."""
    found: dict[str, Any] = {"id": item["id"], "title": item["name"], "group": item["group"]["title"], "people": {}}
    for value in item["column_values"]:
        if value["id"] not in mapped:
            continue
        text, raw = value["text"] or "", json.loads(value["value"]) if value["value"] else {}
        if value["type"] == "status" and "status" not in found:
            found |= {"status": text, "since": datetime.fromisoformat(raw["changed_at"])}
        elif value["type"] == "timeline":
            found |= {end: datetime.fromisoformat(raw[end]).replace(tzinfo=UTC) for end in ("from", "to")}
        elif value["type"] == "people":
            found["people"][value["id"]] = tuple(text.split(", "))
        elif value["type"] == "numbers":
            found["progress"] = float(text)
        elif value["type"] == "tags":
            found["tags"] = sorted(text.split(", "))
    return found


def read_floor(url: str, board: str) -> int:
    """Our very queries, and nothing done with the answers but to decode them with the fastest parser there is."""
    import orjson
    import urllib3

    from connectors.fakes.monday.account import TOKEN

    queries: dict[str, Any] = runpy.run_path(str(ROOT / "connectors/monday/queries.py"))  # without the connector
    http = urllib3.PoolManager()

    def ask(query: str, **variables: Any) -> Any:
        body = orjson.dumps({"query": query, "variables": {"limit": PAGE, "columns": columns, **variables}})
        headers = {"Authorization": TOKEN, "Content-Type": "application/json"}
        return orjson.loads(http.request("POST", url, body=body, headers=headers).data)["data"]

    columns: list[str] = []
    [whole] = ask(queries["BOARDS"], ids=[board], page=1)["boards"]
    columns = [column["id"] for column in whole["columns"] if column["type"] != "text"]
    page = ask(queries["first_page"](queries["PLAIN"]), board=board)["boards"][0]["items_page"]
    count = len(page["items"])
    while page["cursor"]:
        page = ask(queries["next_page"](queries["PLAIN"]), cursor=page["cursor"])["next_items_page"]
        count += len(page["items"])
    return count


def read_unchanged(url: str, board: str) -> int:
    """Pull the board, and once more: only the second time is counted, by whoever asks."""
    from connectors.monday.reading import OVERLAP, State, parse_cursor

    with closing(connector(url, board)) as one:
        (found,) = one.collections()
        state = parse_cursor(list(one.pull(found, None))[-1].cursor)
        assert state is not None
    print("again", flush=True)
    sys.stdin.readline()
    later = State(state.since + 3 * OVERLAP, state.swept, state.columns, state.digest)
    with closing(connector(url, board)) as again:
        (found,) = again.collections()
        return sum(len(page.items) for page in again.pull(found, later.to_cursor()))


def write_some(url: str, board: str) -> int:
    """Put a label on the first items, as a run hands them over."""
    from connectors.model import LabelChange

    with closing(connector(url, board)) as one:
        (found,) = one.collections()
        refs = [item.ref for page in one.pull(found, None) for item in page.items][:MANY_LABELS]
        results = one.apply(found, [LabelChange(ref, add=("pmo-no-sponsor",)) for ref in refs])
        return sum(result.outcome == "done" for result in results)


CHILDREN: dict[str, Callable[[str, str], int]] = {
    "ours": read_ours,
    "package": read_package,
    "as items": read_package_as_items,
    "floor": read_floor,
    "unchanged": read_unchanged,
    "writes": write_some,
}


def child(who: str, url: str, board: str) -> None:
    started = time.process_time()
    count = CHILDREN[who](url, board)
    print(json.dumps([time.process_time() - started, peak_mb(), count]))


def run(who: str, account: Served) -> tuple[float, float, int]:
    command = [sys.executable, __file__, "--child", who, account.url, account.board]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, peak, count = json.loads(done.stdout)
    return seconds, peak, count


def unchanged(account: Served) -> int:
    """How many calls the second pull takes."""
    command = [sys.executable, __file__, "--child", "unchanged", account.url, account.board]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "again\n"
        account.calls()
        said, _ = process.communicate("go\n")
    assert json.loads(said)[2] == 0, "something changed"
    return sum(account.calls().values())


# The table

Line = tuple[str, str, str, str, str, bool]


def lines(items: int) -> Iterator[Line]:
    with served(items) as account:
        run("ours", account)
        calls = sum(account.calls().values())
        what, most = f"{items:,} items × {COLUMNS} columns", 1 + -(-items // PAGE)
        yield f"{what}, calls", str(calls), "", "", f"{most}", calls == most
        yield from compared(what, items, account)
        again = unchanged(account)
        yield "the same where nothing changed, calls", str(again), "", "", "2", again == 2
        account.calls()
        _, _, done = run("writes", account)
        asked = account.calls()
        said = f"{asked['items']} readings, {asked['change_multiple_column_values']} writes"
        yield f"{done:,} label changes", said, "", "", "", done == MANY_LABELS


def compared(what: str, items: int, account: Served) -> Iterator[Line]:
    """Time and memory, beside the package's if it is installed, and what no way of reading can be faster than."""
    seconds, peak = fastest("ours", items, account)
    floor, floor_peak = fastest("floor", items, account)
    package = importlib.util.find_spec("monday") is not None
    limit = f"at least {LEAST_RATIO}×" if items == FULL and package else ""
    theirs, ratio, peaks = "", "", ""
    fast = True
    if package:
        itemized, itemized_peak = fastest("as items", items, account)
        theirs, ratio, peaks = f"{itemized:.2f} s", f"{itemized / seconds:.1f}×", f"{itemized_peak:.0f} MB"
        fast = not limit or itemized / seconds >= LEAST_RATIO
    yield f"{what} as items, CPU", f"{seconds:.2f} s", theirs, ratio, limit, fast
    yield f"{what} as items, peak", f"{peak:.0f} MB", peaks, "", "", True
    if package:
        bare, bare_peak = fastest("package", items, account)
        yield "their JSON as the package gives it, all columns", "", f"{bare:.2f} s, {bare_peak:.0f} MB", "", "", True
    yield "our answers, decoded by `orjson` and thrown away", f"{floor:.2f} s, {floor_peak:.0f} MB", "", "", "", True


def fastest(who: str, items: int, account: Served) -> tuple[float, float]:
    """CPU seconds and peak of the fastest of three readings."""
    seconds, peak, count = min(run(who, account) for _ in range(3))
    if count != items:
        raise SystemExit(f"{who}: {count} items were read, of {items}")
    return seconds, peak


def table(found: list[Line]) -> str:
    heads = ["| what | unstuck | monday 2.2.1 | | limit |", "|---|--:|--:|--:|--:|"]
    return "\n".join([*heads, *(f"| {' | '.join(line[:-1])} |" for line in found)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve is not None:
        serve(chosen.serve)
        return 0
    if chosen.child:
        child(*chosen.child)
        return 0
    found = list(lines(SMALL if chosen.small else FULL))
    print(table(found))
    if chosen.write:
        put_into_docs("monday_pull", "Pulling a board of monday.com", table(found))
    return 0 if all(line[-1] for line in found) else 1


if __name__ == "__main__":
    sys.exit(main())
