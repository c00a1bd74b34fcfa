"""The store as it was on a day, against a plain reading of the same history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.model import Certainty, ItemRef, StatusCategory, Transition, WorkItem
from rules.columns import unknown_bit
from rules.grading import Grader
from rules.table import PULLED, detail_row, moment, pulled_row
from sync import past
from sync.store import Store, open_store

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 31, 10, tzinfo=UTC)
TODAY = NOW.astimezone(BERLIN).date()
CATEGORIES = {"Open": StatusCategory.TODO, "Doing": StatusCategory.IN_PROGRESS, "Done": StatusCategory.DONE}


@dataclass(frozen=True)
class Life:
    """One item, and what its tool's history says of it, in order."""

    item: WorkItem
    moves: Sequence[Transition]


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """An item of a tool with a whole history, its last move being where it is now."""
    hours = sorted(draw(st.lists(st.integers(0, 30 * 24), min_size=1, max_size=6, unique=True)))
    created, *times = (NOW - timedelta(hours=each) for each in reversed(hours))
    names = [draw(st.sampled_from(sorted(CATEGORIES)))]
    moves = []
    for at in times:
        names.append(draw(st.sampled_from(sorted(set(CATEGORIES) - {names[-1]}))))
        before, after = names[-2:]
        moves.append(Transition(ItemRef("tool", "1"), at, after, CATEGORIES[after], before, CATEGORIES[before]))
    item = WorkItem(
        ref=ItemRef("tool", "1"),
        key="T-1",
        title="a title",
        collection="c",
        status=names[-1],
        status_category=CATEGORIES[names[-1]],
        status_since=times[-1] if times else created,
        status_since_is=Certainty.EXACT,
        created_at=created,
        finished_at=times[-1] if times and names[-1] == "Done" else None,
    )
    return Life(item, moves)


def local(at: datetime) -> date:
    return at.astimezone(BERLIN).date()


def keep(store: Store, life: Life, origin: str = "tool") -> None:
    """What a pull would store, the first one being now."""
    with store.transaction() as connection:
        connection.execute("DELETE FROM item")
        row = (*pulled_row(life.item, BERLIN, Grader()), moment(NOW))
        connection.execute(f"INSERT INTO item (id, {', '.join(PULLED)}, first_seen) VALUES (1{', ?' * len(row)})", row)
        connection.execute("INSERT INTO item_detail VALUES (1, ?, ?)", detail_row(life.item))
        connection.executemany(
            "INSERT OR IGNORE INTO transition "
            "(item_id, at, from_status, to_status, from_category, to_category, origin) VALUES (1, ?, ?, ?, ?, ?, ?)",
            [
                (moment(step.at), step.from_status, step.to_status, step.from_category, step.to_category, origin)
                for step in life.moves
            ],
        )


def read(life: Life, day: date) -> dict[str, Any] | None:
    """What a person who reads the history says of that day; None where there was no item."""
    assert life.item.created_at is not None
    if day < local(life.item.created_at):
        return None
    status = life.moves[0].from_status if life.moves else life.item.status
    since = life.item.created_at
    for step in life.moves:
        if local(step.at) <= day:
            status, since = step.to_status, step.at
    finished = life.item.finished_at
    return {
        "status": status,
        "status_category": CATEGORIES[status or ""],
        "status_since_day": local(since).toordinal(),
        "status_since_is": "exact",
        "finished_at_day": local(finished).toordinal() if finished and local(finished) <= day else None,
        "unknown": 0,
    }


def walk(store: Store, first: date) -> dict[date, dict[str, Any] | None]:
    """The item on each day until today, None where it was not there."""
    names = "status, status_category, status_since_day, status_since_is, finished_at_day, unknown"
    seen = {}
    with store.snapshot() as connection:
        past.lay(connection, {"tool": BERLIN}, UTC, TODAY.toordinal())
        for ordinal in range(first.toordinal(), TODAY.toordinal() + 1):
            past.go(connection, ordinal, TODAY.toordinal(), first=ordinal == first.toordinal())
            rows = store.rows(f"SELECT {names} FROM item WHERE missing_since IS NULL")
            seen[date.fromordinal(ordinal)] = rows[0] if rows else None
    return seen


@settings(max_examples=60, deadline=None)
@given(life=lives(), back=st.integers(0, 33))
def test_every_day_is_what_history_says(tmp_path_factory: Any, life: Life, back: int) -> None:
    first = TODAY - timedelta(days=back)
    with open_store(tmp_path_factory.mktemp("past") / "unstuck.db") as store:
        keep(store, life)
        assert walk(store, first) == {
            day: read(life, day) for day in (first + timedelta(days=each) for each in range(back + 1))
        }


def test_before_it_was_in_this_status_an_item_without_history_is_unknown(tmp_path: Path) -> None:
    since = NOW - timedelta(days=3)
    item = WorkItem(
        ItemRef("tool", "1"), "T-1", "a title", "c", status="Doing", status_category=StatusCategory.IN_PROGRESS,
        status_since=since, created_at=NOW - timedelta(days=9),
    )  # fmt: skip
    with open_store(tmp_path / "unstuck.db") as store:
        keep(store, Life(item, ()))
        days = walk(store, local(since) - timedelta(days=1))
    before, on, *_ = days.values()
    assert before is not None
    assert on is not None
    assert before["status"] is None
    assert before["unknown"] == sum(unknown_bit(name) or 0 for name in ("status", "status_category", "status_since"))
    assert (on["status"], on["unknown"], on["status_since_is"]) == ("Doing", 0, "at_least")


def test_a_move_from_before_an_item_was_first_seen_does_not_come_after_it(tmp_path: Path) -> None:
    """The tool told since when exactly; that it moved then was observed later."""
    ref, at = ItemRef("tool", "1"), NOW - timedelta(days=5)
    step = Transition(ref, at, "Doing", StatusCategory.IN_PROGRESS, "Open", StatusCategory.TODO)
    item = WorkItem(
        ref, "T-1", "a title", "c", status="Doing", status_category=StatusCategory.IN_PROGRESS, status_since=at,
        status_since_is=Certainty.EXACT, created_at=NOW - timedelta(days=9),
    )  # fmt: skip
    with open_store(tmp_path / "unstuck.db") as store:
        keep(store, Life(item, [step]), "observed")
        days = walk(store, local(at) - timedelta(days=1))
    assert [day and day["status"] for day in days.values()] == [None, *["Doing"] * 6]
