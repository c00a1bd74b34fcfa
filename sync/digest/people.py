"""Who is whom: the e-mail address of an owner, sponsor or project, as far as config says it."""

from __future__ import annotations

import re

from sync.digest.terms import By, Terms, folded, is_address

_WORD = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*")


def address(terms: Terms, by: By, name: str) -> str | None:
    """Where a digest for `name` goes; None if that is not known. Nothing is guessed.

    What stands in a tool as a name may be anybody's address, so it counts only in a domain that config names; and a
    pattern counts only for people with a first and a last name in plain letters.
    """
    known = (terms.addresses or {}).get(folded(name))
    if known or by is By.PROJECT:
        return known
    if is_address(name.strip()):
        return name.strip() if name.strip().casefold().endswith(tuple(f"@{each}" for each in terms.domains)) else None
    words = name.split()
    if terms.pattern is None or len(words) != 2 or not all(_WORD.fullmatch(word) for word in words):
        return None
    first, last = (re.sub("['’]", "", word).lower() for word in words)
    return terms.pattern.format(first=first, last=last, initial=first[0])
