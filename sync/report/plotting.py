"""pygal, imported without what it leaves behind: a finder for its maps, of a kind that Python warns of."""

from __future__ import annotations

import sys

import pygal
from pygal.style import Style

sys.meta_path[:] = [finder for finder in sys.meta_path if not type(finder).__module__.startswith("pygal")]

__all__ = ["Style", "pygal"]
