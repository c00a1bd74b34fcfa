"""How much a pull of Jira issues with their histories costs, beside what else one would use for it.

    python bench/jira_pull.py                     10,000 issues, 5 projects
    python bench/jira_pull.py --small             200
    python bench/jira_pull.py --write             also put the table into docs/benchmarks.md
    python bench/jira_pull.py --dlt PYTHON        another Python that has dlt[duckdb], if this one has not
    python bench/jira_pull.py --count             also count instructions, by valgrind, which takes some minutes

The issues are served by connectors/fakes/jira in a process of its own, so that what is measured is who asks. Each way
of reading runs in a process of its own too, from its start to its end with all imports, six times in turn (dlt once,
as it takes minutes); the least CPU time counts, and its peak memory. All of them keep the same: issues with two custom
fields, and their changes of status. The store is there and empty, as making it (0.07 s) is done once and for all.

- "jira objects" is what one writes with the `jira` package: its search, its Issue objects, rows into SQLite. It names
  no fields, as one does, and so gets all that an issue has; in "jira objects, named" it asks for what it keeps.
- "lean script" is what one writes who knows: requests, plain JSON, changelogs by the hundred, `executemany`. It goes by
  the ids of statuses and keeps their categories and when work began, without which its rows could not answer what the
  rules ask; it knows nothing of what was there before, of errors, or of what it cannot read.
- "dlt" is its REST source into DuckDB, with changelogs inline.

CPU seconds of one and the same program differ by a third here, with what else the machine has to do; more so for one
that fetches ahead, and so runs on both threads of a core at once. The instructions that a program takes differ by
hardly one in a hundred. So where they are counted, they are what the limit beside the lean script goes by.

Then unstuck pulls once more from the unchanged site, and once from scratch with 50 ms before each answer. It may send
45 requests a second (`JiraPolicy.rate`), and reading pages of 100 issues takes longer. So the share of
the rate that it uses is measured with pages of 10, where sending takes longer than reading.

Exits 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tables import peak_mb, put_into_docs, with_bytecode

ROOT = Path(__file__).resolve().parent.parent

ISSUES, FEW = 10_000, 200
MAX_MB = 80
MAX_REQUESTS = 3
LATENCY = 0.05
LEAST_USE = 0.9
SMALL_PAGE = 10
"""Issues: with so few, sending is what takes time, and not reading."""

FIELDS = (
    "summary", "status", "issuetype", "project", "parent", "labels", "description", "assignee", "priority", "duedate",
    "created", "updated", "resolutiondate",
)  # fmt: skip
OWN_FIELDS = ("Success metric", "Executive sponsor")
QUERY = "project in (APP0, APP1, APP2, APP3, APP4) ORDER BY key"

CREATE = """
CREATE TABLE issue (id TEXT PRIMARY KEY, key, title, type, project, status, category, since, created, updated, due,
  resolved, assignee, priority, labels, parent, description, metric, sponsor);
CREATE TABLE move (issue, at, from_status, to_status, UNIQUE (issue, at, to_status));
"""
CREATE_LEAN = """
CREATE TABLE issue (id TEXT PRIMARY KEY, key, url, title, type, project_id, project, status_id, status, category,
  since, started, created, updated, due, resolved, assignee, priority, labels, parent, description, metric, sponsor);
CREATE TABLE move (issue, at, from_status, from_category, to_status, to_category, UNIQUE (issue, at, to_status));
CREATE INDEX issue_of_project ON issue (project_id);
"""
INSERT = "INSERT OR REPLACE INTO issue VALUES ({})"
INSERT_MOVE = "INSERT OR IGNORE INTO move VALUES ({})"


@dataclass(frozen=True)
class Place:
    """Where the fake is, who may ask it, and where to put what it says."""

    url: str
    email: str
    token: str
    folder: Path


# The ways to read. Each returns what came: the number of issues and of changes of status.


def read_ours(place: Place) -> dict[str, Any]:
    """A pull as a run does it: the connector, into the store."""
    return pulled(place, place.folder / "ours", {})


def make_store(place: Place) -> dict[str, Any]:
    """The store that `read_ours` finds, as every run does but the first one ever."""
    from sync.store import open_store

    (place.folder / "ours").mkdir()
    with open_store(place.folder / "ours" / "unstuck.db"):
        return {}


def read_again(place: Place) -> dict[str, Any]:
    """The same into a store that has everything already.

    The fake's clock stands still, so that what changed in its last ten minutes would be asked for again for ever.
    """
    return pulled(place, place.folder / "again", {"overlap": 0})


def read_slowly(place: Place) -> dict[str, Any]:
    """The same in small pages, so that requests are what it waits for."""
    return pulled(place, place.folder / "slowly", {"page_size": SMALL_PAGE})


def pulled(place: Place, folder: Path, more: Mapping[str, Any]) -> dict[str, Any]:
    from datetime import UTC, datetime

    from rules.grading import SHIPPED, Grader
    from sync import config as configs
    from sync.cli import collect_less_often
    from sync.pull import SourcePull, Terms, steps
    from sync.store import open_store

    collect_less_often()
    folder.mkdir(exist_ok=True)
    os.environ["JIRA_TOKEN"] = place.token
    (folder / "config.toml").write_text(
        f'[sources.delivery]\nsystem = "jira"\nbase_url = "{place.url}"\nemail = "{place.email}"\n'
        'token = { env = "JIRA_TOKEN" }\n'
        + "".join(f"{name} = {value}\n" for name, value in more.items())
        + f'[sources.delivery.fields]\noutcome_metric = "{OWN_FIELDS[0]}"\nsponsor = "{OWN_FIELDS[1]}"\n'
    )
    config = configs.load(folder / "config.toml")
    source = config.sources["delivery"]
    terms = Terms(
        now=datetime(2026, 3, 20, 12, tzinfo=UTC),
        grader=Grader((*SHIPPED, *config.placeholders)),
        finder=config.finder,
        brakes=config.brakes,
    )
    with open_store(config.store) as store, closing(source.connector(source.setup)) as connector:
        before, started = store.connection.total_changes, time.perf_counter()
        pull = SourcePull(store, source, connector, terms)
        for step in steps(connector, pull.cursors(), threading.Event()):
            pull.take(step)
        seconds = time.perf_counter() - started
        if pull.report.problems:
            raise SystemExit("\n".join(pull.report.problems))
        traffic = connector._visit.site.http.traffic
        return {
            "issues": store.value("SELECT count(*) FROM item"),
            "moves": store.value("SELECT count(*) FROM transition WHERE from_status IS NOT NULL"),
            "requests": traffic.requests,
            "changed": pull.report.changed,
            "rows": store.connection.total_changes - before,
            "seconds": seconds,
        }


def read_objects(place: Place, named: Sequence[str] = ()) -> dict[str, Any]:
    """What one writes with the `jira` package."""
    import jira

    client = jira.JIRA(server=place.url, basic_auth=(place.email, place.token))
    own = {field["name"]: field["id"] for field in client.fields()}
    metric, sponsor = (own[name] for name in OWN_FIELDS)
    wanted = {"fields": [*named, metric, sponsor]} if named else {}
    found = client.search_issues(QUERY, maxResults=0, expand="changelog", **wanted)
    with closing(sqlite3.connect(place.folder / "objects.db")) as db, db:
        db.executescript(CREATE)
        for issue in found:
            moves = [
                (issue.id, instant(history.created), item.fromString, item.toString)
                for history in issue.changelog.histories
                for item in history.items
                if item.field == "status"
            ]
            moves.sort(key=lambda move: move[1])
            since = moves[-1][1] if moves else instant(issue.fields.created)
            fields = issue.fields
            db.execute(
                INSERT.format(", ".join("?" * 19)),
                (
                    issue.id, issue.key, fields.summary, fields.issuetype.name, fields.project.name, fields.status.name,
                    fields.status.statusCategory.key, since, instant(fields.created), instant(fields.updated),
                    fields.duedate, fields.resolutiondate, fields.assignee.displayName if fields.assignee else None,
                    fields.priority.name if fields.priority else None, json.dumps(fields.labels),
                    fields.parent.id if getattr(fields, "parent", None) else None, str(fields.description),
                    str(getattr(fields, metric)), getattr(fields, sponsor),
                ),
            )  # fmt: skip
            db.executemany(INSERT_MOVE.format("?, ?, ?, ?"), moves)
        return counts(db)


def read_named(place: Place) -> dict[str, Any]:
    """The same by one who has read what to ask for."""
    return read_objects(place, FIELDS)


def read_lean(place: Place) -> dict[str, Any]:
    """What one writes who knows the API and wants no more than rows."""
    import requests

    with closing(sqlite3.connect(place.folder / "lean.db")) as db, requests.Session() as session:
        db.executescript(CREATE_LEAN)
        session.auth = (place.email, place.token)
        api = f"{place.url}/rest/api/3"
        own = {field["name"]: field["id"] for field in json.loads(session.get(f"{api}/field").content)}
        metric, sponsor = (own[name] for name in OWN_FIELDS)
        statuses = {
            status["id"]: (status["name"], status["statusCategory"]["key"])
            for status in json.loads(session.get(f"{api}/status").content)
        }
        body = {"jql": QUERY, "fields": [*FIELDS, metric, sponsor], "maxResults": 100}
        while True:
            page = json.loads(session.post(f"{api}/search/jql", json=body).content)
            ids = [issue["id"] for issue in page["issues"]]
            asked = {"issueIdsOrKeys": ids, "fieldIds": ["status"], "maxResults": 10_000}
            logs = json.loads(session.post(f"{api}/changelog/bulkfetch", json=asked).content)["issueChangeLogs"]
            moves = {log["issueId"]: lean_moves(log, statuses) for log in logs}
            rows = [lean_row(issue, moves, metric, sponsor, place.url) for issue in page["issues"]]
            with db:
                db.executemany(INSERT.format(", ".join("?" * 23)), rows)
                db.executemany(
                    INSERT_MOVE.format("?, ?, ?, ?, ?, ?"), [move for found in moves.values() for move in found]
                )
            if not page.get("nextPageToken"):
                return counts(db)
            body["nextPageToken"] = page["nextPageToken"]


Moved = tuple[str, str, str, str | None, str, str | None]
"""A row of `move`."""


def lean_moves(log: Mapping[str, Any], statuses: Mapping[str, tuple[str, str]]) -> list[Moved]:
    """By the ids of statuses: names change, and several have one."""
    moves = []
    for history in log["changeHistories"]:
        for item in history["items"]:
            before = statuses.get(item["from"], (item["fromString"], None))
            after = statuses.get(item["to"], (item["toString"], None))
            moves.append((log["issueId"], instant(history["created"] / 1000), *before, *after))
    return sorted(moves, key=lambda move: move[1])


def lean_row(
    issue: Mapping[str, Any], moves: Mapping[str, Sequence[Moved]], metric: str, sponsor: str, url: str
) -> tuple[Any, ...]:
    own = issue["fields"]
    found, created = moves.get(issue["id"], ()), instant(own["created"])
    category = own["status"]["statusCategory"]["key"]
    if (found[0][3] if found else category) == "indeterminate":
        started = created
    else:
        started = next((move[1] for move in found if move[5] == "indeterminate"), None)
    return (
        issue["id"], issue["key"], f"{url}/browse/{issue['key']}", own["summary"], own["issuetype"]["name"],
        own["project"]["id"], own["project"]["name"], own["status"]["id"], own["status"]["name"], category,
        found[-1][1] if found else created, started, created, instant(own["updated"]), own["duedate"],
        instant(own["resolutiondate"]) if own["resolutiondate"] else None,
        own["assignee"]["displayName"] if own["assignee"] else None,
        own["priority"]["name"] if own["priority"] else None,
        json.dumps(own["labels"]), own["parent"]["id"] if own.get("parent") else None, words(own["description"]),
        words(own[metric]), own[sponsor],
    )  # fmt: skip


def words(document: Any) -> str | None:
    """The text of a document of Jira's."""
    if not isinstance(document, dict):
        return document
    if document["type"] == "text":
        return str(document["text"])
    return "".join(words(child) or "" for child in document.get("content", []))


def instant(value: str | float) -> str:
    """A time in UTC, as text that sorts."""
    from datetime import UTC, datetime

    moment = datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value, UTC)
    return moment.astimezone(UTC).isoformat()


def counts(db: sqlite3.Connection) -> dict[str, Any]:
    return {
        "issues": db.execute("SELECT count(*) FROM issue").fetchone()[0],
        "moves": db.execute("SELECT count(*) FROM move").fetchone()[0],
    }


def read_dlt(place: Place) -> dict[str, Any]:
    """dlt's REST source into DuckDB, as its documentation shows it."""
    import dlt
    from dlt.sources.rest_api import rest_api_source

    source = rest_api_source(
        {
            "client": {
                "base_url": f"{place.url}/rest/api/3/",
                "auth": {"type": "http_basic", "username": place.email, "password": place.token},
                "paginator": {"type": "cursor", "cursor_path": "nextPageToken", "cursor_param": "nextPageToken"},
            },
            "resources": [
                {
                    "name": "issues",
                    "primary_key": "id",
                    "endpoint": {
                        "path": "search/jql",
                        "data_selector": "issues",
                        "params": {
                            "jql": QUERY,
                            "fields": ",".join([*FIELDS, *os.environ["BENCH_FIELDS"].split(",")]),
                            "expand": "changelog",
                            "maxResults": 100,
                        },
                    },
                }
            ],
        }
    )
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=str(place.folder / "dlt"),
        destination=dlt.destinations.duckdb(str(place.folder / "dlt.duckdb")),
        dataset_name="jira",
    )
    pipeline.run(source)
    with pipeline.sql_client() as client:
        (issues,) = client.execute_sql("SELECT count(*) FROM issues")[0]
        (moves,) = client.execute_sql(
            "SELECT count(*) FROM issues__changelog__histories__items WHERE field_id = 'status'"
        )[0]
    return {"issues": issues, "moves": moves}


WAYS: Mapping[str, Callable[[Place], dict[str, Any]]] = {
    "unstuck": read_ours,
    "store": make_store,
    "again": read_again,
    "slowly": read_slowly,
    "jira objects": read_objects,
    "jira objects, named": read_named,
    "lean script": read_lean,
    "dlt": read_dlt,
}


# Measuring


def child(way: str, url: str, email: str, token: str, folder: str) -> None:
    """In a process of its own: read, and print what it took."""
    said = WAYS[way](Place(url, email, token, Path(folder)))
    print(json.dumps({**said, "cpu": time.process_time(), "peak": peak_mb()}))


@contextmanager
def serving(issues: int, latency: float = 0.0) -> Iterator[tuple[str, str, str]]:
    """The fake in a process of its own: its URL, e-mail address and token.

    It has each answer ready from the second time on: two busy processes on two threads of one core slow each other.
    """
    command = [sys.executable, "-m", "connectors.fakes.jira", "--ready"]
    command += ["--issues", str(issues), "--latency", str(latency)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            url, pair = process.stdout.readline().strip(), process.stdout.readline().split()
            yield url, pair[0], pair[1]
        finally:
            process.stdin.close()


def measure(way: str, door: tuple[str, str, str], folder: Path, python: str = sys.executable) -> dict[str, Any]:
    fields = own_fields(door) if way == "dlt" else ""
    environment = {**with_bytecode(), "PYTHONPATH": str(ROOT), "BENCH_FIELDS": fields}
    command = [python, __file__, "--child", way, *door, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{way}: {done.stderr}")
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


@dataclass(frozen=True)
class Line:
    """One line of the table below the race."""

    what: str
    found: str
    limit: str
    met: bool


def counted(issues: int, way: str) -> int:
    """The instructions that a way of reading takes, of the program and its libraries, without the kernel's."""
    with serving(issues) as door, tempfile.TemporaryDirectory(prefix="unstuck-bench-") as folder:
        if way == "unstuck":
            measure("store", door, Path(folder))
        told = Path(folder) / "callgrind"
        valgrind = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={told}"]
        command = [*valgrind, sys.executable, __file__, "--child", way, *door, folder]
        environment = {**with_bytecode(), "PYTHONPATH": str(ROOT)}
        subprocess.run(command, env=environment, capture_output=True, check=True)
        found = re.search(r"^(?:summary|totals): (\d+)", told.read_text(), re.MULTILINE)
        assert found
        return int(found[1])


def instructions(issues: int) -> Line:
    """Beside the lean script's."""
    ours, lean = (counted(issues, way) for way in ("unstuck", "lean script"))
    found = f"{ours / lean:.2f}× ({ours / 1e9:.1f} and {lean / 1e9:.1f} thousand million)"
    return Line("instructions, beside the lean script's", found, f"{MOST_OF_LEAN}×", ours / lean <= MOST_OF_LEAN)


def own_fields(door: tuple[str, str, str]) -> str:
    import requests

    known = requests.get(f"{door[0]}/rest/api/3/field", auth=door[1:], timeout=60).json()
    return ",".join(field["id"] for field in known if field["name"] in OWN_FIELDS)


def race(issues: int, rounds: int, pythons: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Each way's best round, of rounds in which they take turns."""
    best: dict[str, dict[str, Any]] = {}
    with serving(issues) as door:
        for number in range(rounds):
            for way, python in pythons.items():
                if way == "dlt" and number:
                    continue
                with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as folder:
                    if way == "unstuck":
                        measure("store", door, Path(folder))
                    said = measure(way, door, Path(folder), python)
                if said["issues"] != issues:
                    raise SystemExit(f"{way} read {said['issues']} of {issues} issues")
                best[way] = min(best.get(way, said), said, key=lambda one: float(one["cpu"]))
    moves = {way: one["moves"] for way, one in best.items()}
    if len(set(moves.values())) != 1:
        raise SystemExit(f"they read different histories: {moves}")
    return best


def unchanged(issues: int, folder: Path) -> dict[str, Any]:
    """The second pull of the same site."""
    with serving(issues) as door:
        measure("again", door, folder)
        return measure("again", door, folder)


MOST_OF_LEAN = 1.3
LIMITS = {"jira objects": 3.0, "lean script": 1 / MOST_OF_LEAN, "dlt": 6.0}
"""How many times as much CPU as unstuck each must take at least."""


def lines(again: Mapping[str, Any], slow: Mapping[str, Any], small: Mapping[str, Any], rate: float) -> list[Line]:
    uses = small["requests"] / (small["seconds"] * rate)
    requests = again["requests"]
    return [
        Line("requests to an unchanged site", str(requests), f"{MAX_REQUESTS}", requests <= MAX_REQUESTS),
        Line("issues written after pulling it", str(again["changed"]), "0", again["changed"] == 0),
        Line(
            f"a first pull with {LATENCY * 1000:.0f} ms before each answer",
            f"{slow['requests']} requests in {slow['seconds']:.1f} s, {slow['cpu']:.1f} s of CPU",
            "",
            True,
        ),
        Line(
            f"the same in pages of {SMALL_PAGE}: of {rate:.0f} requests a second",
            f"{uses:.0%} ({small['requests']} in {small['seconds']:.1f} s)",
            f"{LEAST_USE:.0%}",
            uses >= LEAST_USE,
        ),
    ]


def table(best: Mapping[str, Mapping[str, Any]], limits: Mapping[str, float]) -> tuple[str, bool]:
    """The race as a Markdown table, and whether the limits were met."""
    ours, met = best["unstuck"], best["unstuck"]["peak"] <= MAX_MB
    rows = ["| way | CPU | against unstuck | limit | peak | limit |", "|---|--:|--:|--:|--:|--:|"]
    for way, one in best.items():
        ratio, limit = one["cpu"] / ours["cpu"], limits.get(way)
        met = met and (limit is None or ratio >= limit)
        against = "" if one is ours else f"{ratio:.2f}×"
        least = f"{limit:.2f}× or more" if limit else ""
        most = f"{MAX_MB} MB" if one is ours else ""
        rows.append(f"| {way} | {one['cpu']:.2f} s | {against} | {least} | {one['peak']:.0f} MB | {most} |")
    return "\n".join(rows), met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--dlt", metavar="PYTHON", help="a Python that has dlt[duckdb]")
    parser.add_argument("--count", action="store_true")
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        child(*chosen.child)
        return 0
    issues, rounds = (FEW, 1) if chosen.small else (ISSUES, 6)
    dlt = chosen.dlt or (sys.executable if importlib.util.find_spec("dlt") else None)
    ways = ("unstuck", "jira objects", "jira objects, named", "lean script")
    pythons = dict.fromkeys(ways, sys.executable) | ({"dlt": dlt} if dlt else {})
    limits = {way: limit for way, limit in LIMITS.items() if not (chosen.count and way == "lean script")}
    text, met = table(race(issues, rounds, pythons), limits)
    with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as name:
        again = unchanged(issues, Path(name))
        with serving(issues, LATENCY) as door:
            slow, small = measure("unstuck", door, Path(name)), measure("slowly", door, Path(name))
    below = [instructions(issues)] if chosen.count else []
    below += lines(again, slow, small, allowed_rate())
    text += "\n\n| | | limit |\n|---|--:|--:|\n" + "\n".join(f"| {x.what} | {x.found} | {x.limit} |" for x in below)
    text = f"{issues:,} issues in 5 projects.\n\n{text}"
    print(text)
    if chosen.write:
        put_into_docs("jira_pull", "Pulling Jira", text)
    return 0 if met and all(one.met for one in below) else 1


def allowed_rate() -> float:
    from connectors.http import JiraPolicy

    return JiraPolicy.rate


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
