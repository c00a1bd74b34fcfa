"""What people were told already: cron repeats no news. A source that goes away is told once, and once when it is back.

The exit code and `--json` are as if nothing had been told before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rules.table import moment
from sync.store import Store

if TYPE_CHECKING:
    from sync.pull import SourceReport


def news(store: Store, what: str, sentences: Sequence[str], now: datetime) -> list[str]:
    """The sentences on `what` that were not told the last time, numbers aside. From now on they are told."""
    told = store.value("SELECT sentences FROM told WHERE what = ?", (what,))
    before = {_gist(sentence) for sentence in json.loads(told or "[]")}
    with store.transaction() as connection:
        if sentences:
            connection.execute(
                "INSERT INTO told (what, since, sentences) VALUES (?, ?, ?) "
                "ON CONFLICT (what) DO UPDATE SET sentences = excluded.sentences",
                (what, moment(now), json.dumps(sentences, ensure_ascii=False)),
            )
        elif told:
            connection.execute("DELETE FROM told WHERE what = ?", (what,))
    return [sentence for sentence in sentences if _gist(sentence) not in before]


def _gist(sentence: str) -> str:
    """A wait of 37 seconds is no other news than one of 12."""
    return re.sub(r"\d+", "#", sentence)


def of_sources(store: Store, sources: Sequence[SourceReport], now: datetime) -> set[str]:
    """Notice which sources went away and which are back. Returns the problems that were told before."""
    repeated: set[str] = set()
    for source in sources:
        fresh = bool(source.fresh)
        away = [] if fresh else source.problems
        since = store.value("SELECT since FROM told WHERE what = ?", (f"away:{source.source}",))
        news(store, f"away:{source.source}", away, now)
        if since and fresh:
            source.notices.append(
                f"{source.source}: is back; it had been away since {since[:16].replace('T', ' ')} UTC."
            )
        repeated |= set(source.problems) - set(news(store, f"source:{source.source}", source.problems, now))
    return repeated


def away(store: Store) -> dict[str, tuple[str, str]]:
    """By source of which no collection answers: since when, and what it said the last time."""
    rows = store.rows("SELECT substr(what, 6) AS source, since, sentences FROM told WHERE what LIKE 'away:%'")
    return {row["source"]: (row["since"], json.loads(row["sentences"])[0]) for row in rows}
