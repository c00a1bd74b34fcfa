"""Texts from tools and servers, made fit for one line of ours."""

from __future__ import annotations

from datetime import date

from sync.secrets import redacted


def line(text: str, most: int = 160) -> str:
    """On one line, without what is not to be seen (control characters, marks that turn the direction), cut short."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def said(reply: bytes | str) -> str:
    """What a server said, in brackets, without secrets; nothing if it said nothing."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    quoted = line(redacted(text)).rstrip(".;:,! ")
    return f" ({quoted})" if quoted else ""


def day(value: date) -> str:
    """3 Mar 2026."""
    return f"{value.day} {value:%b %Y}"
