"""What a rule made of all items, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RuleCount:
    """What one rule made of all items."""

    rule: str
    matched: int
    considered: int
    """All items that are not missing, or all initiatives."""
    unknown: int
    """Items about which the rule could not tell, because a tool cannot answer; they get no label."""
