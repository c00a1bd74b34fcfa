"""The outcome metric of an item that has it in its description only: on a labelled line, or in a section of its own.

Success metric: churn down 2 points by December

## Business outcome
Fewer wrong prices found in audits: 9 % to 3 %
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property

from connectors.model import WorkItem
from rules.text import fold

SHIPPED = (
    "outcome", "outcomes", "business outcome", "business outcomes", "expected outcome", "outcome metric",
    "success metric", "success metrics", "success measure", "measure of success", "kpi", "kpis", "key result",
    "key results", "erfolgskennzahl", "erfolgsmessung", "messgröße", "geschäftsergebnis", "indicateur de succès",
    "mesure de succès", "métrica de éxito", "indicador de éxito",
)  # fmt: skip
"""What stands before a metric. Case does not matter."""

LONGEST = 500
"""Characters of a metric that are kept."""

_MARKS = r"[ \t]*(?:(?:[#>•*+-]+|h[1-6]\.|\d+[.)])[ \t]+)*[*_]{0,3}"
_HEADING = re.compile(r"\s*(?:#+\s|h[1-6]\.\s|[*_]{2,3}[^*_]+[*_]{2,3}\s*:?\s*$|[^\s:.][^:.]{0,40}:\s*$)", re.I)
_EDGES = re.compile(r"^[\s*_•-]+|[\s*_]+$")
"""White space of every kind and marks of lists and emphasis, around a text."""


class Finder:
    """Looks for labelled metrics. `labels` are plain texts."""

    def __init__(self, labels: Iterable[str] = SHIPPED) -> None:
        folded = sorted({fold(label) for label in labels}, key=lambda label: (-len(label), label))
        names = "|".join(r"\s+".join(map(re.escape, label.split())) for label in folded)
        self._pattern = rf"{_MARKS}(?:{names})[*_]{{0,3}}[ \t]*(?:[:=–—][*_]{{0,3}}[ \t]*(?P<text>.*))?$"
        self.sha = hashlib.sha256(self._pattern.encode()).hexdigest()[:16]
        """Changes when another text could be found."""

    @cached_property
    def _line(self) -> re.Pattern[str]:
        return re.compile(self._pattern, re.I)

    def find(self, description: str | None) -> str | None:
        """The first metric in the text, on one line; None where none is labelled, or nothing follows the label."""
        lines = (description or "").splitlines()
        for number, line in enumerate(lines):
            match = self._line.match(line)
            if match:
                text = _EDGES.sub("", match["text"] or "") or self._section(lines[number + 1 :])
                if text:
                    return text[:LONGEST].rstrip()
        return None

    def _section(self, lines: list[str]) -> str:
        """The first paragraph, where no other heading comes before it."""
        found: list[str] = []
        for line in lines:
            if not line.strip():
                if found:
                    break
            elif _HEADING.match(line) or self._line.match(line):
                break
            else:
                found.append(_EDGES.sub("", line))
        return " ".join(found).strip()

    def fill(self, item: WorkItem) -> tuple[WorkItem, bool]:
        """The item with the metric of its description, where it has no other, and whether that was so."""
        if fold(item.outcome_metric or "") or "description" in item.unknown:
            return item, False
        found = self.find(item.description)
        if found is None:
            return item, False
        return replace(item, outcome_metric=found, unknown=item.unknown - {"outcome_metric"}), True
