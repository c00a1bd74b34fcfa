"""How much a pull of a big Trello board with its history costs, beside py-trello's own objects.

    python bench/trello_pull.py            5,000 cards and 20,000 actions (takes a minute or two)
    python bench/trello_pull.py --small    50 cards
    python bench/trello_pull.py --write    also put the table into docs/benchmarks.md

The board is served by connectors/fakes/trello in a process of its own, which also counts the requests. Each way of
reading runs in a process of its own too. Times are CPU seconds: of reading, and beside it of what it takes before that
to start Python and to import what is needed.

- "unstuck" is the connector's pull, into the store, within Trello's limits; "twice" is the same two times.
- "unstuck's connector" is the pull alone, of which nothing is kept, as of what py-trello reads. Both of ours collect
  garbage as seldom as the command does (`sync.cli.collect_less_often`).
- "py-trello objects" is what one writes with py-trello: its boards, lists, cards, custom fields and `list_movements`,
  and nothing is kept. It knows no limits, so for it alone the fake has none.

The least that the API allows is one request for the list of boards, one for the board with its first thousand cards,
one for each further thousand and to see that it was the last, and one for each thousand actions, back to the one that
shows when the last card came into its list.

Exits 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tables import peak_mb, put_into_docs

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

CARDS, FEW, MOVES = 5_000, 50, 3
ABOVE_LEAST = 1
TIMES_FEWER = 10
TIMES_LESS_CPU = 10


@dataclass(frozen=True)
class Place:
    """Where the fake is, who may ask it, and where to put what it says."""

    url: str
    key: str
    token: str
    folder: Path


Reading = Generator[None, None, tuple[int, int]]
"""Stops once all is imported, and returns how many cards and moves came."""


@dataclass(frozen=True)
class Cost:
    """What one way of reading cost."""

    cards: int
    moves: int
    cpu: float
    starting: float
    """CPU seconds before the reading, for Python and imports."""
    peak: float
    requests: int
    refused: int


def seldom() -> None:
    """As the command does when it starts."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def read_alone(place: Place) -> Reading:
    """The connector's pull."""
    import trello  # noqa: F401 - the connector imports it when it first asks

    from connectors.base import SourceSetup
    from connectors.trello import TrelloConnector

    seldom()
    yield
    options = {"base_url": place.url, "key": place.key, "token": place.token}
    setup = SourceSetup("boards", options, fields={"outcome_metric": "Success metric", "sponsor": "Sponsor"})
    cards = moves = 0
    with closing(TrelloConnector(setup)) as connector:
        [board] = connector.collections()
        for page in connector.pull(board, None):
            cards += len(page.items)
            moves += sum(step.from_status is not None for step in page.transitions)
    return cards, moves


def read_ours(place: Place) -> Reading:
    """A pull as a run does it: the connector, into the store."""
    from datetime import UTC, datetime

    from rules.grading import SHIPPED, Grader
    from sync import config as configs
    from sync.pull import SourcePull, Terms, steps
    from sync.store import open_store

    seldom()
    yield
    os.environ |= {"TRELLO_KEY": place.key, "TRELLO_TOKEN": place.token}
    (place.folder / "config.toml").write_text(
        f'[sources.boards]\nsystem = "trello"\nbase_url = "{place.url}"\n'
        'key = { env = "TRELLO_KEY" }\ntoken = { env = "TRELLO_TOKEN" }\n'
        '[sources.boards.fields]\noutcome_metric = "Success metric"\nsponsor = "Sponsor"\n'
    )
    config = configs.load(place.folder / "config.toml")
    source = config.sources["boards"]
    grader = Grader((*SHIPPED, *config.placeholders))
    terms = Terms(datetime(2026, 3, 20, 12, tzinfo=UTC), grader, config.finder, config.brakes)
    with open_store(config.store) as store, closing(source.connector(source.setup)) as connector:
        pull = SourcePull(store, source, connector, terms)
        for step in steps(connector, pull.cursors(), threading.Event()):
            pull.take(step)
        if pull.report.problems:
            raise SystemExit("\n".join(pull.report.problems))
        moves = store.value("SELECT count(*) FROM transition WHERE from_status IS NOT NULL")
        return store.value("SELECT count(*) FROM item"), moves


def read_objects(place: Place) -> Reading:
    """What one writes with py-trello."""
    import requests
    from trello import TrelloClient

    class Here(requests.Session):
        """py-trello has its host built in."""

        def request(self, method: Any, url: Any, **options: Any) -> requests.Response:
            return super().request(method, str(url).replace("https://api.trello.com/1", place.url), **options)

    yield
    session = Here()
    session.headers["Authorization"] = f'OAuth oauth_consumer_key="{place.key}", oauth_token="{place.token}"'
    cards = moves = 0
    for board in TrelloClient(api_key=None, http_service=session).list_boards():
        names = {one.id: one.name for one in board.get_custom_field_definitions()}
        for column in board.list_lists():
            for card in column.list_cards_iter(card_filter="all", batch=1000):
                values = {names[one.definition_id]: one.value for one in card.customFields}
                moves += len(card.list_movements())
                cards += bool(values)
    return cards, moves


def read_twice(place: Place) -> Reading:
    yield from read_ours(place)
    return (yield from read_ours(place))


READERS: dict[str, Callable[[Place], Reading]] = {
    "alone": read_alone,
    "ours": read_ours,
    "twice": read_twice,
    "objects": read_objects,
}


def child(who: str, place: Place) -> None:
    """In a process of its own: read, and print what came, CPU seconds and megabytes."""
    reading = READERS[who](place)
    next(reading)
    began = time.process_time()
    try:
        while True:
            next(reading)
    except StopIteration as end:
        cards, moves = end.value
    print(json.dumps([cards, moves, time.process_time() - began, began, peak_mb()]))


def measure(who: str, cards: int, folder: Path) -> Cost:
    """Read in one of the ways from a fake of its own."""
    command = [sys.executable, "-m", "connectors.fakes.trello", "--cards", str(cards), "--moves", str(MOVES)]
    command += ["--no-limits"] if who == "objects" else []
    folder.mkdir()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as fake:
        assert fake.stdout is not None
        where = [fake.stdout.readline().strip(), *fake.stdout.readline().split(), str(folder)]
        reader = [sys.executable, __file__, "--child", who, *where]
        done = subprocess.run(reader, check=True, capture_output=True, text=True)
        counted, _ = fake.communicate("")
    requests, refused = map(int, counted.split())
    return Cost(*json.loads(done.stdout), requests, refused)


def pages_of_actions(cards: int) -> int:
    """How many pages of a thousand actions, newest first, it takes to see each card come into its list."""
    from connectors.fakes.trello.many import many_cards

    [board] = many_cards(cards, MOVES).boards.values()
    newest_first = [action["data"].get("card", {}).get("id") for action in reversed(board.actions)]
    return 1 + max(newest_first.index(card) for card in board.cards) // 1000


def table(costs: dict[str, Cost], least: int) -> str:
    """The costs as a Markdown table."""
    alone, ours, twice, other = (costs[who] for who in READERS)
    lines = [
        f"{ours.cards:,} cards that moved {ours.moves:,} times; the least that the API allows is {least} requests.",
        "",
        "| | requests | CPU | before, to start | peak | requests refused |",
        "|---|--:|--:|--:|--:|--:|",
        *(
            f"| {name} | {cost.requests:,} | {cost.cpu:.2f} s | {cost.starting:.2f} s | {cost.peak:.0f} MB "
            f"| {cost.refused} |"
            for name, cost in (
                ("unstuck", ours),
                ("unstuck's connector", alone),
                ("unstuck, twice", twice),
                ("py-trello objects", other),
            )
        ),
        "",
        "| what | | limit |",
        "|---|--:|--:|",
        f"| requests above the least | {ours.requests - least} | {ABOVE_LEAST} |",
        f"| times fewer requests than py-trello's objects | {other.requests / ours.requests:.0f}× | {TIMES_FEWER}× |",
        f"| times less CPU than py-trello's objects, nothing kept | {other.cpu / alone.cpu:.1f}× | {TIMES_LESS_CPU}× |",
        f"| requests for a board on which nothing happened | {twice.requests - ours.requests - 1} | 1 |",
    ]
    return "\n".join(lines)


def is_within(costs: dict[str, Cost], least: int) -> bool:
    alone, ours, twice, other = (costs[who] for who in READERS)
    few = ours.requests <= least + ABOVE_LEAST and ours.requests * TIMES_FEWER <= other.requests
    return few and alone.cpu * TIMES_LESS_CPU <= other.cpu and twice.requests - ours.requests == 2 and not ours.refused


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--child", nargs=5, metavar=("WHO", "URL", "KEY", "TOKEN", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        who, url, key, token, folder = chosen.child
        child(who, Place(url, key, token, Path(folder)))
        return 0
    cards = FEW if chosen.small else CARDS
    with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as folder:
        costs = {who: measure(who, cards, Path(folder, who)) for who in READERS}
    if costs["ours"].cards != costs["objects"].cards:
        raise SystemExit(f"not the same was read: {costs}")
    least = 2 + cards // 1000 + pages_of_actions(cards)
    print(table(costs, least))
    if chosen.write:
        put_into_docs("trello_pull", "Pulling a Trello board", table(costs, least))
    return 0 if chosen.small or is_within(costs, least) else 1


if __name__ == "__main__":
    sys.exit(main())
