"""Which of two ways of writing a file keeps to, told by its own values and never guessed.

`03/04/2026` is 3 April or 4 March, and `1.200` is 1200 or 1.2. A value that can be read in one way only is evidence;
where there is none, or it contradicts itself, and the ways differ, a person must settle it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connectors.errors import InputError

_REMEMBERED = 50_000
"""Texts that need not be looked at again: dates repeat."""


class Convention:
    """Collects the evidence of one file."""

    def __init__(
        self, ways: Mapping[str, str], readings: Callable[[str], Mapping[str, object]], option: str, settled: str = ""
    ) -> None:
        """`ways`: way -> what people call it, of which `option` in config settles one; `readings`: what a text means,
        by way, for those ways in which it means anything."""
        self._ways = ways
        self._readings = readings
        self._option = option
        self._settled = settled
        self._possible = {settled} if settled else set(ways)
        self._seen: set[str] = set()
        self._open = ""
        """A text that means different things in different ways, and where it stands."""
        self._proof: dict[str, str] = {}
        """Way that is ruled out -> the text that does it, and where it stands."""

    def see(self, text: str, where: str) -> None:
        """Take one value into account; `where` is the title of its column."""
        if text in self._seen:
            return
        if len(self._seen) < _REMEMBERED:
            self._seen.add(text)
        readings = self._readings(text)
        if not readings:
            return
        for way in self._possible - readings.keys():
            self._possible.discard(way)
            self._proof[way] = f'"{text}" in the column "{where}"'
        if not self._open and len(set(readings.values())) > 1:
            self._open = f'"{text}" in the column "{where}"'

    @property
    def is_told(self) -> bool:
        """Whether any value depends on the way."""
        return bool(self._open or self._proof)

    def settle(self, name: str) -> str:
        """The way of this file. Raises `InputError` where its values leave that open or contradict each other."""
        if len(self._possible) == 1 or (self._possible and not self._open):
            return next(way for way in self._ways if way in self._possible)
        choices = " or ".join(f'{self._option} = "{way}" ({people})' for way, people in self._ways.items())
        if self._possible:
            raise InputError(f"{name}: {self._open} can be read in two ways", f"settle it for this source: {choices}")
        if self._settled:
            raise InputError(
                f'{name}: {self._proof[self._settled]} does not fit {self._option} = "{self._settled}"',
                "correct the option, or give this export a source of its own",
            )
        raise InputError(
            f"{name}: {' and '.join(self._proof.values())} are not written in one way",
            "export it again from one machine, or correct the cell",
        )
