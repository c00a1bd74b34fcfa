"""A tool that holds as many items as it is told to, none of which lies in memory: what is measured is unstuck's own.

[sources.bench]
system  = "steady"
items   = 100000      how many there are
changed = 0           how many of them, spread evenly, were edited since the last pull: their titles say so
noted   = 0           of so many, spread evenly, rules find something; the others are in order
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

from generators.items import items

from connectors import registry
from connectors.base import Capabilities, ChangeResult, Collection, Granularity, Notice, Option, Page, SourceSetup
from connectors.model import Cursor, LabelChange, WorkItem

NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
PAGE = 1_000
KINDS = 20


class SteadyConnector:
    """Gives everything to a first pull, and what was edited to later ones."""

    system: ClassVar[str] = "steady"
    summary: ClassVar[str] = "Items that are made up as they are asked for. For measurements."
    capabilities: ClassVar[Capabilities] = Capabilities(
        writes=Granularity.LABEL, incremental=True, history=True, deletions=True
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option("items", "how many there are", "integer", default=1_000),
        Option("changed", "how many were edited since the last pull", "integer", default=0),
        Option("noted", "how many have a label that a rule may ask for", "integer", default=0),
    )

    def __init__(self, setup: SourceSetup) -> None:
        self._name = setup.name
        self._count, self._changed, self._noted = (int(setup.options[key]) for key in ("items", "changed", "noted"))

    def check(self) -> Sequence[Notice]:
        return []

    def collections(self) -> Sequence[Collection]:
        return [Collection("bench", "bench")]

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        page = list[WorkItem]()
        for item in self._edited() if cursor else self._all():
            page.append(item)
            if len(page) == PAGE:
                yield Page(items=tuple(page))
                page.clear()
        yield Page(items=tuple(page), cursor=Cursor("1"), complete=True, full=cursor is None)

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        raise NotImplementedError("measurements only plan")

    def close(self) -> None:
        """Nothing is open."""

    def _all(self) -> Iterator[WorkItem]:
        every = self._count // self._noted if self._noted else self._count + 1
        for number, item in enumerate(items(self._count, NOW)):
            ref = replace(item.ref, source=self._name)
            above = replace(item.parent_ref, source=self._name) if item.parent_ref else None
            labels = item.labels if number % every else (*item.labels, f"noted-{number // every % KINDS}")
            yield replace(item, ref=ref, parent_ref=above, labels=labels)

    def _edited(self) -> Iterator[WorkItem]:
        every = self._count // self._changed if self._changed else self._count + 1
        for number, item in enumerate(self._all() if self._changed else ()):
            if number % every == 0:
                yield replace(item, title=f"{item.title}, edited")


registry.BUILTIN["steady"] = "generators.steady:SteadyConnector"
