"""What the company's people do from day to day: some finish, some name a sponsor, and some object to a label."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from sync.demo.portfolio import PEOPLE, SPONSORS, Stage, Work, good_metric, new_work
from sync.demo.tools import Server, Tool

PREFIX, EXEMPT = "pmo-", "pmo-exempt"

Act = Callable[["Staff"], str | None]


class Staff:
    """The people, the tools that they use, and what they know of their work."""

    def __init__(
        self, works: Sequence[Work], tools: Mapping[str, Tool], servers: Mapping[str, Server], now: datetime
    ) -> None:
        self._works = [*works]
        self._tools, self._servers = tools, servers
        self._chance, self._now = random.Random(0), now  # noqa: S311 - drawn anew for each stretch of time

    def work(self, chance: random.Random, times: Sequence[datetime]) -> Iterator[str]:
        """One thing at each time, in sentences; each kind comes up before any comes twice."""
        self._chance = chance
        acts: list[Act] = []
        for self._now in times:
            acts = acts or chance.sample(ACTS, len(ACTS))
            for tool in self._tools.values():
                tool.at(self._now)
            if (did := acts.pop()(self)) is not None:
                yield did

    # What can be done

    def finish(self) -> str | None:
        return self._advance(Stage.DONE, "finished", lambda work: work.stage in (Stage.DOING, Stage.REVIEW))

    def hand_over(self) -> str | None:
        return self._advance(Stage.REVIEW, "handed in for review", lambda work: work.stage is Stage.DOING)

    def start(self) -> str | None:
        return self._advance(Stage.DOING, "began", lambda work: work.stage is Stage.TODO)

    def name_a_sponsor(self) -> str | None:
        work = self._any(lambda work: "sponsor" not in work.values and work.stage is not Stage.DONE)
        if work is None:
            return None
        sponsor = self._chance.choice(SPONSORS)
        self._fill(work, {"sponsor": sponsor})
        return f"{sponsor} became the sponsor of {named(work)}"

    def set_a_metric(self) -> str | None:
        work = self._any(lambda work: "outcome_target" not in work.values and work.stage is not Stage.DONE)
        if work is None:
            return None
        values = good_metric(self._chance, self._now)
        self._fill(work, values)
        return f"{self._who(work)} said what {named(work)} is for: {values['outcome_metric']}"

    def object_to_a_label(self) -> str | None:
        """Take it off: from then on it is not to come back."""
        if not (labelled := list(self._labelled())):
            return None
        work, labels = self._chance.choice(labelled)
        label = self._chance.choice(labels)
        self._servers[work.source].unlabel(work.title, label)
        return f"{self._who(work)} took {label} off {named(work)}: a veto"

    def exempt(self) -> str | None:
        if not (labelled := list(self._labelled())):
            return None
        work, _ = self._chance.choice(labelled)
        self._servers[work.source].label(work.title, EXEMPT)
        return f"{self._who(work)} put {EXEMPT} on {named(work)}"

    def write_down(self) -> str | None:
        work = new_work(self._chance, self._now, len(self._works) + 1)
        self._works.append(work)
        self._tools[work.source].begin(work)
        return f"{self._who(work)} wrote down {named(work)}"

    # How

    def _advance(self, stage: Stage, said: str, may: Callable[[Work], bool]) -> str | None:
        work = self._any(may)
        if work is None:
            return None
        self._tools[work.source].move(work.title, stage)
        work.stage = stage
        return f"{self._who(work)} {said} {named(work)}"

    def _fill(self, work: Work, values: Mapping[str, str]) -> None:
        for name, text in values.items():
            self._tools[work.source].fill(work.title, name, text)
        work.values |= values

    def _any(self, may: Callable[[Work], bool]) -> Work | None:
        """One of those; mostly of those that carry a label, which is what labels are for."""
        fitting = [work for work in self._works if may(work)]
        labelled = {(work.source, work.title) for work, _ in self._labelled()}
        urged = [work for work in fitting if (work.source, work.title) in labelled]
        choice = urged if urged and self._chance.random() < 0.7 else fitting
        return self._chance.choice(choice) if choice else None

    def _labelled(self) -> Iterator[tuple[Work, list[str]]]:
        """Work with labels of ours on it that people see in their tool, and that is not exempt."""
        for work in self._works:
            if work.source in self._servers and work.stage is not Stage.DONE:
                labels = [one for one in self._servers[work.source].labels(work.title) if one.startswith(PREFIX)]
                if labels and EXEMPT not in labels:
                    yield work, labels

    def _who(self, work: Work) -> str:
        return work.owner or self._chance.choice(PEOPLE)


ACTS: Sequence[Act] = (
    Staff.finish,
    Staff.hand_over,
    Staff.start,
    Staff.name_a_sponsor,
    Staff.set_a_metric,
    Staff.object_to_a_label,
    Staff.exempt,
    Staff.write_down,
)


def named(work: Work) -> str:
    return f'"{work.title}" ({work.source})'
