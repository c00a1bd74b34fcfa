"""How fast and how small a pull of a full sheet is, beside the vendor's client, and how few requests are made.

    python bench/smartsheet_pull.py            20,000 rows of 25 columns, which is as large as a sheet can be
    python bench/smartsheet_pull.py --small    500 rows
    python bench/smartsheet_pull.py --write    also put the table into docs/benchmarks.md

The sheet is served by the fake account of the tests, in a process of its own. Each reading runs in a process of its
own: the whole pull through our connector, three times, of which the fastest counts; and `Sheets.get_sheet` of
smartsheet-python-sdk with the same `level` and `include`, once, since it takes minutes. Times are CPU seconds.

Exits 1 if a limit is missed: a twentieth of the client's time (at the full size), 120 MB, two requests for an unchanged
account of 100 sheets, and one write for 500 changed rows, with three readings of the whole sheet's labels before all of
them at most.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tables import peak_mb, put_into_docs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FULL, SMALL = 20_000, 500
COLUMNS = 25
SHEETS = 100
LEAST_RATIO = 20
MAX_MB = 120
BATCH = 500
MOST_READINGS = 3


# The account


def serve(rows: int) -> None:
    """A big sheet; prints its address. A line on stdin is answered with the requests so far; `sheets` adds more."""
    from connectors.fakes.smartsheet.api import Smartsheet

    fake = Smartsheet()
    plain = [(f"Column {number}", "TEXT_NUMBER") for number in range(COLUMNS - 7)]
    big = fake.account.new_sheet("Big", [*PLAN, *plain])
    for number in range(rows):
        fake.account.add_row(big, values_of(number))
    print(json.dumps([fake.url, big.id]), flush=True)
    for line in sys.stdin:
        if line.strip() == "sheets":
            for number in range(SHEETS - 1):
                fake.account.add_row(fake.account.new_sheet(f"Sheet {number}"), {"Task Name": "One"})
        print(json.dumps(fake.counted), flush=True)
        fake.server.requests.clear()
    fake.close()


PLAN = [
    ("Task Name", "TEXT_NUMBER"),
    ("Status", "PICKLIST"),
    ("% Complete", "TEXT_NUMBER"),
    ("Finish", "DATE"),
    ("Assigned To", "CONTACT_LIST"),
    ("Sponsor", "CONTACT_LIST"),
    ("PMO labels", "MULTI_PICKLIST"),
]


def values_of(number: int) -> dict[str, Any]:
    """A row without an empty cell."""
    person = {"name": f"Person {number % 50}", "email": f"person{number % 50}@example.com"}
    plan: dict[str, Any] = {
        "Task Name": f"Task {number} of the programme",
        "Status": ("Not Started", "In Progress", "On Hold", "Complete")[number % 4],
        "% Complete": number % 101 / 100,
        "Finish": f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}",
        "Assigned To": person,
        "Sponsor": person,
        "PMO labels": ["theirs", f"team-{number % 9}"],
    }
    return plan | {f"Column {each}": f"text {number} in column {each}" for each in range(COLUMNS - 7)}


class Served:
    """The account, from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url, self.sheet = json.loads(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def counted(self, word: str = "count") -> dict[str, int]:
        """How many requests came since the last time, by kind."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        found: dict[str, int] = json.loads(self._line())
        return found


@contextmanager
def served(rows: int) -> Iterator[Served]:
    command = [sys.executable, __file__, "--serve", str(rows)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Served(process)
        finally:
            process.kill()


# What is measured, each in a process of its own


def connector(url: str) -> Any:
    from connectors.base import SourceSetup
    from connectors.fakes.smartsheet.account import TOKEN
    from connectors.smartsheet import SmartsheetConnector

    return SmartsheetConnector(SourceSetup("bench", {"base_url": url, "token": TOKEN}, writable=True))


def read_ours(url: str, sheet: int) -> int:
    """A full pull through the connector, as a run does it."""
    one = connector(url)
    (found,) = (each for each in one.collections() if each.native_id == str(sheet))
    return sum(len(page.items) for page in one.pull(found, None))


def read_client(url: str, sheet: int) -> int:
    """What one writes with the vendor's client."""
    import smartsheet

    from connectors.fakes.smartsheet.account import TOKEN

    client = smartsheet.Smartsheet(access_token=TOKEN, api_base=url, user_agent="bench")
    return len(client.Sheets.get_sheet(sheet, level=2, include="objectValue").rows)


def read_unchanged(url: str, sheet: int) -> int:
    """Pull all sheets, and then all once more: only the second time is counted, by whoever asks."""
    one = connector(url)
    cursors = {
        each: list(one.pull(each, None))[-1].cursor for each in one.collections() if each.native_id != str(sheet)
    }
    print("again", flush=True)
    sys.stdin.readline()
    again = connector(url)
    return sum(
        len(page.items) for each in again.collections() if each in cursors for page in again.pull(each, cursors[each])
    )


def write_all(url: str, sheet: int) -> int:
    """Put a label on every row, as a run hands them over."""
    from connectors.model import LabelChange

    one = connector(url)
    (found,) = (each for each in one.collections() if each.native_id == str(sheet))
    refs = [item.ref for page in one.pull(found, None) for item in page.items]
    pieces = (refs[at : at + BATCH] for at in range(0, len(refs), BATCH))
    results = [
        result
        for piece in pieces
        for result in one.apply(found, [LabelChange(ref, add=("pmo-no-sponsor",)) for ref in piece])
    ]
    return sum(result.outcome == "done" for result in results)


CHILDREN = {"ours": read_ours, "client": read_client, "unchanged": read_unchanged, "writes": write_all}


def child(who: str, url: str, sheet: int) -> None:
    started = time.process_time()
    count = CHILDREN[who](url, sheet)
    print(json.dumps([time.process_time() - started, peak_mb(), count]))


def run(who: str, account: Served) -> tuple[float, float, int]:
    command = [sys.executable, __file__, "--child", who, account.url, str(account.sheet)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, peak, count = json.loads(done.stdout)
    return seconds, peak, count


def unchanged(account: Served) -> int:
    """How many requests the second pull of 100 sheets takes."""
    account.counted("sheets")
    command = [sys.executable, __file__, "--child", "unchanged", account.url, str(account.sheet)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "again\n"
        account.counted()
        process.communicate("go\n")
    return sum(account.counted().values())


# The table

Line = tuple[str, str, str, str, str, bool]


def lines(rows: int, *, sheets: bool) -> Iterator[Line]:
    with served(rows) as account:
        ours, peak, count = min(run("ours", account) for _ in range(3))
        client, client_peak, client_count = run("client", account)
        if (count, client_count) != (rows, rows):
            raise SystemExit(f"{count} and {client_count} rows were read, of {rows}")
        account.counted()
        what = f"{rows:,} rows × {COLUMNS} columns"
        limit = f"at least {LEAST_RATIO}×" if rows == FULL else ""
        times, fast = f"{client / ours:.0f}× less", rows < FULL or client / ours >= LEAST_RATIO
        yield f"{what}, CPU", f"{ours:.2f} s", f"{client:.1f} s", times, limit, fast
        yield f"{what}, peak", f"{peak:.0f} MB", f"{client_peak:.0f} MB", "", f"at most {MAX_MB} MB", peak <= MAX_MB
        yield written(rows, account)
        if sheets:
            again = unchanged(account)
            yield f"an unchanged account of {SHEETS} sheets", f"{again} request(s)", "", "", "at most 2", again <= 2


def written(rows: int, account: Served) -> Line:
    _, _, done = run("writes", account)
    asked = account.counted()
    puts, least = asked["PUT /sheets/*/rows"], -(-rows // BATCH)
    reads = asked["GET /sheets/*"] + asked.get("GET /sheets/*/version", 0) - -(-rows // 1000)
    said = f"{puts} writes, {reads} reading(s) of the labels before"
    limit = f"{least} writes, {MOST_READINGS} readings"
    return f"{done:,} label changes", said, "", "", limit, puts <= least and reads <= MOST_READINGS


def table(found: list[Line]) -> str:
    heads = ["| what | unstuck | smartsheet-python-sdk | | limit |", "|---|--:|--:|--:|--:|"]
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
        child(chosen.child[0], chosen.child[1], int(chosen.child[2]))
        return 0
    found = list(lines(SMALL if chosen.small else FULL, sheets=not chosen.small))
    print(table(found))
    if chosen.write:
        put_into_docs("smartsheet_pull", "Pulling a full sheet of Smartsheet", table(found))
    return 0 if all(line[-1] for line in found) else 1


if __name__ == "__main__":
    sys.exit(main())
