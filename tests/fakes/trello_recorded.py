"""A board that was exported (Menu > Print, export and share > Export as JSON), served as it stood."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.fakes.trello.site import Site
from connectors.fakes.trello.state import Board, Member


def load_board(site: Site, file: Path) -> Board:
    """The board with all that the export holds; the site's clock comes to stand an hour after its last activity."""
    export = json.loads(file.read_text("utf-8"))
    board = Board(export["id"], export["name"], export["shortLink"], last_activity=export["dateLastActivity"])
    for part in ("lists", "labels", "cards", "checklists"):
        getattr(board, part).update({one["id"]: one for one in export[part]})
    board.custom_fields = {one["id"]: one for one in export.get("customFields", [])}
    board.actions = sorted(export["actions"], key=lambda action: str(action["id"]))
    board.limits = export["limits"]
    people = {one["id"]: Member(one["id"], one["fullName"], one["username"]) for one in export["members"]}
    board.members = {one: (member, "normal") for one, member in people.items()}
    board.members[site.us.id] = (site.us, "normal")
    site.boards[board.id] = board
    last = datetime.fromisoformat(export["dateLastActivity"])
    site.now = max(site.now, last.astimezone(UTC) + timedelta(hours=1))
    return board
