"""A board with as many cards and actions as a benchmark wants, the same ones for the same seed."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from connectors.fakes.trello.site import Site
from connectors.fakes.trello.state import ADA, GRACE, Board, Member, text_of

YEAR = 365 * 24 * 60
"""Minutes."""
A_SENTENCE = "As a customer I want to see where my order is, so that I do not have to call anybody. "
COLUMNS = ("To Do", "Doing", "In Review", "Done")


def many_cards(cards: int, moves: int, seed: int = 1, site: Site | None = None) -> Site:
    """Cards made throughout a year, each moved `moves` times since, with labels, members and two custom fields."""
    site, chance = site or Site(), random.Random(seed)
    end = site.now
    site.now = end - timedelta(minutes=YEAR)
    board = site.new_board("Delivery", *COLUMNS)
    board.members[GRACE.id] = (GRACE, "normal")
    labels = [site.new_label(board, name) for name in ("customer", "backend", "frontend")]
    metric, sponsor = site.new_field(board, "Success metric"), site.new_field(board, "Sponsor")
    kinds = ["move"] * (cards * moves) + ["make"] * (cards - 1)
    chance.shuffle(kinds)
    minutes = sorted(chance.randrange(60, YEAR - 60) for _ in range(len(kinds) + 1))
    made: list[str] = []
    for minute, kind in zip(minutes, ["make", *kinds], strict=True):
        site.now = end - timedelta(minutes=YEAR - minute)
        if kind == "move":
            _move_one(site, board, chance.choice(made), chance)
        else:
            fields: dict[str, Any] = {
                "idLabels": chance.sample(labels, chance.randrange(3)),
                "idMembers": [_somebody(chance).id],
            }
            card = site.new_card(board, f"Show state {len(made)}", desc=A_SENTENCE * chance.randrange(1, 12), **fields)
            items = {metric: chance.choice(["Calls from 400 to 100 a week", "tbd"]), sponsor: "Ada Lovelace"}
            board.cards[card]["customFieldItems"] = [
                {"id": site.new_id(), "idCustomField": field, "value": {"text": text}} for field, text in items.items()
            ]
            made.append(card)
    site.now = end
    board.last_activity = text_of(end)
    site.log.clear()
    return site


def _move_one(site: Site, board: Board, card: str, chance: random.Random) -> None:
    here = board.lists[board.cards[card]["idList"]]["name"]
    site.move(card, chance.choice([name for name in COLUMNS if name != here]), _somebody(chance))


def _somebody(chance: random.Random) -> Member:
    return chance.choice([ADA, GRACE])
