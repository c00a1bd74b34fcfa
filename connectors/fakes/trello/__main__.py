"""Serves a big Trello in a process of its own, so that a benchmark measures who asks and not who answers.

    python -m connectors.fakes.trello --cards 5000 --moves 3

The first line that it prints is its URL, the second its key and token. When its input ends, it prints how many requests
came and how many of them it refused as too many, and ends.
"""

from __future__ import annotations

import argparse
import sys

from connectors.fakes.trello.api import KEY, TOKEN, Trello
from connectors.fakes.trello.many import many_cards


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m connectors.fakes.trello")
    parser.add_argument("--cards", type=int, default=5_000)
    parser.add_argument("--moves", type=int, default=3, help="of each card, on average")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--no-limits", action="store_true", help="as many requests as anybody wants")
    wish = parser.parse_args()
    trello = Trello(many_cards(wish.cards, wish.moves))
    trello.server.latency = wish.latency
    if wish.no_limits:
        passing = iter(range(0, 10**12, 10))
        trello.clock = lambda: float(next(passing))
    sys.stdout.write(f"{trello.url}\n{KEY} {TOKEN}\n")
    sys.stdout.flush()
    sys.stdin.read()
    trello.close()
    sys.stdout.write(f"{len(trello.requests)} {trello.refused}\n")


if __name__ == "__main__":
    main()
