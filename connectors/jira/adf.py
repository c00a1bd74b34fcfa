"""Atlassian's document format, in which Cloud gives rich text, as the plain text that people read.

https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

LINES = frozenset({"paragraph", "heading", "codeBlock", "blockquote", "listItem", "tableRow", "rule", "taskItem"})
"""Nodes that begin and end a line."""

SPOKEN = ("text", "shortName", "title", "url", "timestamp")
"""Where the nodes without content keep what people see of them: mentions, statuses, emoji, cards and dates."""

DEEPEST = 100


def is_document(value: object) -> bool:
    return isinstance(value, Mapping) and value.get("type") == "doc"


def plain(document: Mapping[str, Any]) -> str:
    """The text of a document, a line for each block. Raises `ValueError` for one that is nested without reason."""
    lines = "".join(pieces(document, 0)).split("\n")
    return "\n".join(line.strip() for line in lines if line.strip())


def pieces(node: Mapping[str, Any], depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        raise ValueError("a document that is nested too deeply")
    kind = node.get("type")
    if kind == "text":
        yield str(node.get("text", ""))
    elif kind == "hardBreak":
        yield "\n"
    elif isinstance(content := node.get("content"), list):
        for child in content:
            if isinstance(child, Mapping):
                yield from pieces(child, depth + 1)
        yield " " if kind in ("tableCell", "tableHeader") else ""
    elif isinstance(known := node.get("attrs"), Mapping):
        yield next((str(known[name]) for name in SPOKEN if known.get(name)), "")
    yield "\n" if kind in LINES else ""


def document(text: str) -> dict[str, Any]:
    """Text as a document, a paragraph for each line."""
    lines = [[{"type": "text", "text": line}] if line else [] for line in text.split("\n")]
    return {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": line} for line in lines]}
