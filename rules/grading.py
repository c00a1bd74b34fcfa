"""How good an outcome metric is, as far as its text alone can tell."""

from __future__ import annotations


class Grader:
    """Grades metric texts: 0 missing, 1 placeholder, 2 technical, 3 vague, 4 has a number (see `columns.GRADES`)."""

    def grade(self, metric: str | None) -> int:
        """The grade of one text."""
        raise NotImplementedError
