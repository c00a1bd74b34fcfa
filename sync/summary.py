"""What a run was asked for, and how it went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.base import Collection, MadeLabel
from rules import engine
from sync import brakes
from sync.apply import ApplyReport
from sync.clock import Clock
from sync.exemptions import Exemptions
from sync.plan import Held, Plan, counted
from sync.pull import SourceReport
from sync.stopping import Stopping
from sync.stops import Exit
from sync.vetoes import Pause
from sync.watching import Watcher


@dataclass(frozen=True, slots=True)
class Wish:
    """What this run was asked for."""

    command: str
    apply: bool = False
    source: str | None = None
    full: bool = False
    force: frozenset[str] = frozenset()
    """Brakes lifted for this run."""
    expect: str | None = None
    """Only the plan of this SHA is applied."""
    narrow: Callable[[Plan], Plan] | None = None
    """Applied to the plan before brakes: keeps the approved changes of a saved plan only."""
    progress: Watcher = field(default_factory=Watcher)
    """Told what is being done, for people who watch."""
    stopping: Stopping = field(default_factory=Stopping)
    """Asked between two steps whether to stop."""


@dataclass(frozen=True, slots=True)
class UnusedLabel:
    """A label that we made in a collection, and that nothing carries once the plan is written."""

    source: str
    collection: Collection
    label: MadeLabel

    def as_json(self) -> dict[str, str]:
        """The shape of docs/json.md."""
        return {"source": self.source, "collection": self.collection.name, "label": self.label.name}


@dataclass(slots=True)
class RunReport:
    """How a run went: what is printed, and what `--json` shows."""

    run_id: int
    clock: Clock
    applied: bool
    exemptions: Exemptions
    sources: list[SourceReport] = field(default_factory=list)
    counts: Sequence[engine.RuleCount] = ()
    evaluated: bool = True
    """Whether rules were asked; they are not where nothing was written since they were asked on the same day."""
    waiting: list[str] = field(default_factory=list)
    """A sentence for each source whose turn it is not yet (`every`)."""
    rule_failures: list[str] = field(default_factory=list)
    unreached: list[str] = field(default_factory=list)
    """Where labels that are to be taken back lie beyond this run."""
    rule_notices: list[str] = field(default_factory=list)
    link_notices: list[str] = field(default_factory=list)
    """A sentence for each shared key that since this run says nothing any more."""
    findings: int = 0
    vetoes: int = 0
    flapping: list[str] = field(default_factory=list)
    """A sentence for each label that is held since this run because it goes on and off."""
    exempt_items: int = 0
    """Items that people have exempted by a label in the tool."""
    pauses: list[Pause] = field(default_factory=list)
    plan: Plan = field(default_factory=lambda: Plan(0))
    unused: list[UnusedLabel] = field(default_factory=list)
    """What a retiring deletes after all else."""
    tidying_notices: list[str] = field(default_factory=list)
    """Why labels that were to be deleted stay."""
    tripped: list[brakes.Tripped] = field(default_factory=list)
    written: ApplyReport = field(default_factory=ApplyReport)
    stopped: str | None = None
    """What asked the run to stop before it was done: `SIGTERM` or `Ctrl-C`."""
    seconds: float = 0.0
    """How long it took."""
    repeated: frozenset[str] = frozenset()
    """Problems of sources that people were told after an earlier run."""

    @property
    def problems(self) -> list[str]:
        """Every sentence about something that failed."""
        return [
            *(sentence for source in self.sources for sentence in source.problems),
            *self.rule_failures,
            *self.unreached,
            *self.written.problems,
            *([f"Stopped by {self.stopped}; what was done is kept, and the next run goes on."] if self.stopped else []),
        ]

    @property
    def news(self) -> list[str]:
        """The problems that people were not told before."""
        return [sentence for sentence in self.problems if sentence not in self.repeated]

    def source_of(self, sentence: str) -> str | None:
        """Which source a sentence is about, if it is about one."""
        name = sentence.partition(":")[0]
        return name if any(source.source == name for source in self.sources) else None

    @property
    def notices(self) -> list[str]:
        """Every sentence that is worth knowing, though nothing failed."""
        return [
            *(sentence for source in self.sources for sentence in source.notices),
            *self.rule_notices,
            *self.link_notices,
            *self.flapping,
            *self.tidying_notices,
        ]

    @property
    def held(self) -> tuple[Held, ...]:
        """Labels that stay as they are, whatever the rules say."""
        return (*self.plan.held, *self.written.held)

    @property
    def refused(self) -> bool:
        """Whether a brake stopped the run. A vanished part of a source stops it even where it only planned."""
        return bool(self.tripped) and (self.applied or any(brake.name == "shrink" for brake in self.tripped))

    @property
    def exit_code(self) -> Exit:
        """As documented in docs/operations.md."""
        if self.refused:
            return Exit.UNSAFE
        return Exit.PARTLY if self.problems else Exit.FINE

    def as_json(self) -> dict[str, Any]:
        """The shape of docs/json.md."""
        return {
            "run": self.run_id,
            "now": self.clock.now.isoformat().replace("+00:00", "Z"),
            "rehearsal": self.clock.rehearsal,
            "applied": self.applied and not self.refused,
            "exit_code": int(self.exit_code),
            "stopped": self.stopped,
            "seconds": round(self.seconds, 3),
            "sources": [
                {
                    "source": source.source,
                    "collections": len(source.fresh),
                    "items": source.seen,
                    "changed": source.changed,
                    "vanished": source.vanished,
                    "requests": source.requests,
                    "bytes": source.bytes,
                    "problems": source.problems,
                    "notices": source.notices,
                }
                for source in self.sources
            ],
            "waiting": self.waiting,
            "rules": [
                {"rule": count.rule, "matched": count.matched, "unknown": count.unknown} for count in self.counts
            ],
            "findings": self.findings,
            "vetoes": self.vetoes,
            "held": counted(self.held),
            "exemptions": {"items": self.exempt_items, **self.exemptions.as_json()},
            "paused": [pause.as_json() for pause in self.pauses],
            "considered": self.plan.considered,
            "planned": {
                "items": len(self.plan.changes),
                "add": sum(len(change.add) for change in self.plan.changes),
                "remove": sum(len(change.remove) for change in self.plan.changes),
                "copies": len(self.plan.copies),
            },
            "unused_labels": [label.as_json() for label in self.unused],
            "brakes": [{"name": brake.name, "why": brake.sentence} for brake in self.tripped],
            "written": {
                "items": self.written.items,
                "added": self.written.added,
                "removed": self.written.removed,
                "copies": self.written.copies,
                "deleted_labels": self.written.deleted,
            },
            "problems": self.problems,
        }
