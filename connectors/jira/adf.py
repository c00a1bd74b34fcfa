"""Atlassian's document format, in which Cloud gives rich text, as the plain text that people read.

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LINES = frozenset({"paragraph", "heading", "codeBlock", "blockquote", "listItem", "tableRow", "rule", "taskItem"})
"""Nodes that begin and end a line."""

CELLS = frozenset({"tableCell", "tableHeader"})

SPOKEN = ("text", "shortName", "title", "url", "timestamp")
"""Where the nodes without content keep what people see of them: mentions, statuses, emoji, cards and dates."""

DEEPEST = 100


def is_document(value: object) -> bool:
    return isinstance(value, dict) and value.get("type") == "doc"


def plain(document: Mapping[str, Any]) -> str:
    """The text of a document, a line for each block. Raises `ValueError` for one that is nested without reason."""
    pieces: list[str] = []
    gather(document, pieces, 0)
    return "\n".join(line for line in map(str.strip, "".join(pieces).split("\n")) if line)


def gather(node: Mapping[str, Any], pieces: list[str], depth: int) -> None:
    """Append what people see of a node."""
    if depth > DEEPEST:
        raise ValueError("a document that is nested too deeply")
    kind = node.get("type")
    if kind == "hardBreak":
        pieces.append("\n")
    elif isinstance(content := node.get("content"), list):
        for child in content:
            if not isinstance(child, dict):
                continue
            if child.get("type") == "text":  # most are
                pieces.append(str(child.get("text", "")))
            else:
                gather(child, pieces, depth + 1)
        pieces.append("\n" if kind in LINES else " " if kind in CELLS else "")
    else:
        pieces.append(spoken(node.get("attrs")) + ("\n" if kind in LINES else ""))


def spoken(known: object) -> str:
    """What is shown of a node without content."""
    if not isinstance(known, dict):
        return ""
    return next((str(known[name]) for name in SPOKEN if known.get(name)), "")


def document(text: str) -> dict[str, Any]:
    """Text as a document, a paragraph for each line."""
    lines = [[{"type": "text", "text": line}] if line else [] for line in text.split("\n")]
    return {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": line} for line in lines]}
