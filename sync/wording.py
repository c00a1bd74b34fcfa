"""Words as people write them: sentences within sentences."""

from __future__ import annotations


def mid_sentence(text: str) -> str:
    """A sentence as it goes on within another: "No owner" loses its capital, "In Progress for 9 days" does not."""
    first, second = (*text.split(maxsplit=2), "", "")[:2]
    is_name = first[1:] != first[1:].lower() or second[:1].isupper()
    return text if is_name else text[:1].lower() + text[1:]
