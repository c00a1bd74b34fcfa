"""How much usually changes: learned from the store's own past, so that a limit fits each rule and source.

Kept is the largest number of items that one run of a day changed, for all of them, for each source and for each
rule. A day counts, not a run: of a hundred runs a day, only the first after midnight may have anything to do. The
largest day of all is left out of the measure, as one exception (the first run, one that was forced) is no habit.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from datetime import date

from sync.brakes import Changed, Tripped

DAYS = 60
"""So many of the last days with runs are remembered: a quarter, where it runs on working days."""
ENOUGH = 10
"""With fewer days, nothing can be called usual."""

Subject = tuple[str, str]
"""("run", ""), or ("source" or "rule", its name)."""
ALL: Subject = ("run", "")


class Usual:
    """For each subject, how many items changed on each of the last days with runs, oldest first."""

    def __init__(self, days: Mapping[Subject, Iterable[int]] | None = None) -> None:
        self._days: dict[Subject, deque[int]] = defaultdict(lambda: deque(maxlen=DAYS))
        for subject, numbers in (days or {}).items():
            self._days[subject].extend(numbers)

    def add(self, changed: Changed, sources: Iterable[str], rules: Iterable[str]) -> None:
        """One more day. A source or rule that changed nothing has had a day as well."""
        for subject, number in numbers(changed, sources, rules).items():
            self._days[subject].append(number)

    def knows(self, rule: str) -> bool:
        """Whether a rule has been there long enough to have habits. Until then, other brakes look after it."""
        return len(self._days.get(("rule", rule), ())) >= ENOUGH

    def most(self, subject: Subject) -> int | None:
        """The second-largest day; None if there were too few."""
        days = self._days.get(subject, ())
        return sorted(days)[-2] if len(days) >= ENOUGH else None

    def check(self, changed: Changed, times: float, least: int) -> list[Tripped]:
        """The brake `unusual`, for a plan of which `changed` holds what the rules do that `knows` knows.

        Where rules are to blame, the sources and the run as a whole are not told of as well.
        """
        found: dict[str, list[Tripped]] = defaultdict(list)
        for subject, number in numbers(changed, changed.sources, changed.rules).items():
            most = self.most(subject)
            if most is not None and number > max(least, times * most):
                found[subject[0]].append(Tripped("unusual", self._sentence(subject, number, most, times)))
        return found["rule"] or found["source"] or found["run"]

    def _sentence(self, subject: Subject, number: int, most: int, times: float) -> str:
        kind, name = subject
        where = {"run": "", "source": f"{name}: ", "rule": f'rule "{name}": '}[kind]
        return (
            f"{where}{number} items would change, and on all but one of the last {len(self._days[subject])} days "
            f"with runs at most {most} did: more than the {times:g} times that [brakes] unusual allows. Look at them "
            "with `unstuck plan`; if they are right, run once with --force unusual."
        )


def numbers(changed: Changed, sources: Iterable[str], rules: Iterable[str]) -> dict[Subject, int]:
    """How many items changed, by subject."""
    return {
        ALL: changed.total,
        **{("source", name): changed.sources.get(name, 0) for name in sources},
        **{("rule", name): changed.rules.get(name, 0) for name in {*rules, *changed.rules}},
    }


def read(connection: sqlite3.Connection) -> Usual:
    """What the store remembers."""
    days: dict[Subject, list[int]] = defaultdict(list)
    for kind, name, items in connection.execute("SELECT kind, name, items FROM usual ORDER BY kind, name, day"):
        days[kind, name].append(items)
    return Usual(days)


def keep(connection: sqlite3.Connection, day: date, changed: Mapping[Subject, int]) -> None:
    """Remember what a run changed, in the caller's transaction, and forget the days before the last `DAYS`."""
    connection.executemany(
        "INSERT INTO usual (kind, name, day, items) VALUES (?, ?, ?, ?) ON CONFLICT (kind, name, day) "
        "DO UPDATE SET items = excluded.items WHERE excluded.items > usual.items",
        [(kind, name, day.isoformat(), items) for (kind, name), items in changed.items()],
    )
    connection.execute(
        "DELETE FROM usual WHERE day < (SELECT min(day) FROM "
        "(SELECT DISTINCT day FROM usual WHERE kind = 'run' ORDER BY day DESC LIMIT ?))",
        (DAYS,),
    )
