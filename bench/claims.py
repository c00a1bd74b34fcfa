"""The claims of docs/benchmarks.md in one table at its top, read from the tables below it: nothing is measured here.

python bench/claims.py            print it
python bench/claims.py --write    put it into docs/benchmarks.md, after any other script wrote there
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass

from tables import DOCS

START, END = "<!-- claims -->", "<!-- end of claims -->"
WHY = "Why a limit is missed stands below the table that shows it."


@dataclass(frozen=True, slots=True)
class Claim:
    """A number in a script's table, and what it must be."""

    says: str
    script: str
    row: str
    """What the row begins with, after its first bar: a regular expression."""
    cell: int
    """Which cell of the row has the number; the first is 0."""
    limit: float
    at_least: bool = False


CLAIMS = (
    Claim("`unstuck --version`, beside a bare Python", "start", "`unstuck --version`", 3, 6),
    Claim("`unstuck status`, beside a bare Python", "start", r"`unstuck status` \|", 3, 12),
    Claim("the same, with a source of each system", "start", "`unstuck status`, a source", 3, 12),
    Claim("nothing changed, 1,000,000 items beside 10,000", "cycle", r"1,000,000 \| \d+ ms", 3, 1.5),
    Claim("planning 100,000 findings, beside the rules", "cycle", r"1,000,000 \| 100,000", 5, 2),
    Claim("MB of a whole run over 1,000,000 items", "cycle", r"1,000,000 \| 100,000", 7, 300),
    Claim("storing 100,000 items, beside raw `sqlite3`", "store", r"100,000 \| first", 4, 1.3),
    Claim("the same unchanged", "store", r"100,000 \| unchanged", 4, 0.25),
    Claim("bytes that unchanged items take", "store", r"100,000 \| bytes", 2, 0),
    Claim("times faster than `sqlite-utils`, first", "store", r"100,000 \| first", 8, 3, at_least=True),
    Claim("times faster than SQLAlchemy, first", "store", r"100,000 \| first", 9, 2, at_least=True),
    Claim("20 rules on 1,000,000 items, beside SQL by hand", "rules", r"1,000,000 \| 20 rules", 4, 1.3),
    Claim("a new day with 1 % changed, times less than all", "rules", r"1,000,000 \| a new day", 4, 15, at_least=True),
    Claim("times faster than rule-engine", "rules", r"100,000 \| .* beside rule-engine", 4, 20, True),
    Claim("times faster than cel-python", "rules", r"100,000 \| .* beside cel-python", 4, 20, True),
    Claim("times faster than c7n's filters", "rules", r"100,000 \| .* beside c7n", 4, 5, True),
    Claim(
        "Jira: CPU of the `jira` package's objects, beside ours", "jira_pull", r"jira objects \|", 2, 3, at_least=True
    ),
    Claim("Jira: instructions, beside a lean script's", "jira_pull", "instructions", 1, 1.3),
    Claim("Jira: CPU of dlt, beside ours", "jira_pull", "dlt", 2, 6, at_least=True),
    Claim("Jira: tap-jira into target-sqlite, beside ours", "jira_others", "tap-jira", 2, 6, at_least=True),
    Claim("Trello: times fewer requests than py-trello", "trello_pull", "times fewer", 1, 10, at_least=True),
    Claim("Trello: times less CPU than py-trello", "trello_pull", "times less CPU", 1, 10, at_least=True),
    Claim("Smartsheet: times less CPU than its SDK", "smartsheet_pull", "20,000 rows × 25 columns, CPU", 3, 20, True),
    Claim(
        "monday.com: CPU of its package, beside ours",
        "monday_pull",
        "10,000 items × 25 columns.* CPU",
        3,
        5,
        at_least=True,
    ),
    Claim("MS Project, 1,000 tasks: times faster than MPXJ", "msproject_pull", r"1,000 \|", 11, 10, at_least=True),
    Claim("MS Project, 20,000 tasks", "msproject_pull", r"20,000 \|", 11, 2, at_least=True),
    Claim("MS Project, 100,000 tasks", "msproject_pull", r"100,000 \|", 11, 1.3, at_least=True),
    Claim("MS Project, 1,000 tasks: times less memory", "msproject_pull", r"1,000 \|", 12, 20, at_least=True),
    Claim("MS Project, 20,000 tasks", "msproject_pull", r"20,000 \|", 12, 20, at_least=True),
    Claim("MS Project, 100,000 tasks", "msproject_pull", r"100,000 \|", 12, 20, at_least=True),
    Claim("MS Project, 100,000 tasks, beside bare iterparse", "msproject_pull", r"100,000 \|", 4, 1.5),
    Claim("Excel, 100,000 rows, beside pandas", "xlsx_pull", r"100,000 \|", 4, 1),
    Claim("five systems: % of the allowed rate, writing", "whole", "of the allowed rate, while", 1, 85, at_least=True),
    Claim("MB of that run, 100,000 items", "whole", "peak memory", 1, 200),
)


def told(claim: Claim, page: str) -> str:
    """The claim's line. Raises `SystemExit` where the page has no such number."""
    block = page.partition(f"<!-- {claim.script} -->\n")[2].partition(f"<!-- end of {claim.script} -->")[0]
    title = re.search(r"## (.+)", block)
    rows = [line for line in block.splitlines() if re.match(rf"\| (?:{claim.row})", line)]
    if not rows or title is None:
        raise SystemExit(f"docs/benchmarks.md has no row {claim.row!r} of bench/{claim.script}.py; write it first.")
    cell = rows[0].strip().strip("|").split("|")[claim.cell].strip()
    found = number(cell)
    met = found >= claim.limit if claim.at_least else found <= claim.limit
    words = "at least" if claim.at_least else "at most"
    link = f"[{claim.says}](#{anchor(title[1])})"
    return f"| {link} | {cell} | {words} {claim.limit:g} | {'met' if met else '**missed**'} |"


def number(cell: str) -> float:
    """The first number in a cell; `1/14` is how many times less."""
    part = re.search(r"1/(\d+)", cell) or re.search(r"(\d[\d,]*\.?\d*)", cell)
    if part is None:
        raise SystemExit(f"docs/benchmarks.md: {cell!r} holds no number.")
    return float(part[1].replace(",", ""))


def anchor(title: str) -> str:
    """Where a heading is, as GitHub names it."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def table(page: str) -> str:
    rows = ["| claim | measured | wanted | |", "|---|--:|--:|---|", *(told(claim, page) for claim in CLAIMS)]
    return "\n".join(rows)


def with_claims(page: str) -> str:
    """The page with its first table as the others have it."""
    block = f"{START}\n{table(page)}\n{END}"
    if START in page:
        return page.partition(START)[0] + block + page.partition(END)[2]
    return page.replace("# Benchmarks\n", f"# Benchmarks\n\n{block}\n\n{WHY}\n", 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    page = DOCS.read_text(encoding="utf-8")
    print(table(page))
    if parser.parse_args().write:
        DOCS.write_text(with_claims(page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
