"""The tool that is no server: a plan in Microsoft Project, which its manager saves as XML."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from connectors.fakes.msproject import TEXT1, define, project, task, value
from sync.demo.portfolio import FIELDS, Stage, Work

PERCENT = {Stage.TODO: 0, Stage.DOING: 40, Stage.REVIEW: 90, Stage.DONE: 100}
NUMBERS = {name: TEXT1 + 3 * number for number, name in enumerate(FIELDS)}
"""Text1, Text2 … are three apart."""


@dataclass
class Task:
    work: Work
    values: dict[str, str]
    reached: dict[Stage, datetime] = field(default_factory=dict)


class ProjectFile:
    """One plan. It is what it is in Project until it is saved."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self._tasks: dict[str, Task] = {}

    def at(self, now: datetime) -> None:
        self.now = max(self.now, now)

    def begin(self, work: Work) -> None:
        self._tasks[work.title] = Task(work, dict(work.values), {Stage.TODO: self.now})

    def move(self, title: str, stage: Stage) -> None:
        self._tasks[title].reached[stage] = self.now

    def fill(self, title: str, name: str, text: str) -> None:
        self._tasks[title].values[name] = text

    def save(self, file: Path) -> None:
        """Write the file at one stroke, unless it is so already: an export that nobody made anew keeps its time."""
        text = self._as_xml()
        if not file.exists() or file.read_text("utf-8") != text:
            file.parent.mkdir(exist_ok=True)
            saving = file.with_suffix(".saving")
            saving.write_text(text, encoding="utf-8")
            saving.replace(file)

    def _as_xml(self) -> str:
        definitions = [
            define(NUMBERS[name], f"Text{number}", shown) for number, (name, shown) in enumerate(FIELDS.items(), 1)
        ]
        tasks = [_task(number, one) for number, one in enumerate(self._tasks.values(), 1)]
        return project(*tasks, definitions=definitions, Title="Warehouse", CurrentDate=_time(self.now))


def _task(number: int, one: Task) -> str:
    begun = one.reached.get(Stage.DOING)
    return task(
        number,
        one.work.title,
        *(value(NUMBERS[name], text) for name, text in one.values.items()),
        CreateDate=_time(one.reached[Stage.TODO]),
        Contact=one.work.owner,
        Stop=_time(one.reached.get(Stage.REVIEW, begun)),
        PercentComplete=PERCENT[max(one.reached, key=list(Stage).index)],
        ActualStart=_time(begun),
        ActualFinish=_time(one.reached.get(Stage.DONE)),
    )


def _time(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%S}" if moment else None
