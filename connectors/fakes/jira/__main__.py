"""Serves a big Jira in a process of its own, so that a benchmark measures who asks and not who answers.

    python -m connectors.fakes.jira --issues 10000 --latency 0.05

The first line that it prints is its URL, the second its e-mail address and token. It ends when its input does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from connectors.fakes.jira.api import Jira
from connectors.fakes.jira.doors import TOKEN
from connectors.fakes.jira.many import many_issues
from connectors.fakes.server import Answer, Request


def ready(answer: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
    """The same answers, each made once: whoever only reads gets no other ones."""
    made: dict[tuple[str, str, bytes], Answer] = {}

    def given(request: Request) -> Answer:
        asked = (request.method, request.target, request.body)
        if asked not in made:
            found = answer(request)
            made[asked] = Answer(found.status, headers=found.headers, body=found.to_bytes())
        return made[asked]

    return given


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m connectors.fakes.jira")
    parser.add_argument("--issues", type=int, default=10_000)
    parser.add_argument("--data-center", action="store_true", help="instead of Cloud")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--ready", action="store_true", help="what was asked before is answered as it was, at no cost")
    parser.add_argument("--rate", type=float, help="requests a second to each endpoint; more get 429")
    wish = parser.parse_args()
    jira = Jira(many_issues(wish.issues, cloud=not wish.data_center))
    jira.server.latency = wish.latency
    jira.site.quirks.requests_per_second = wish.rate
    if wish.ready:
        jira.server.answer = ready(jira.server.answer)
    sys.stdout.write(f"{jira.url}\n{jira.site.us.email} {TOKEN}\n")
    sys.stdout.flush()
    sys.stdin.read()
    jira.close()


if __name__ == "__main__":
    main()
