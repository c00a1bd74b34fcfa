"""The real command, in a process of its own, with one connector more: to the board of tests/fakes.

python -m tests.system.launch run --apply
"""

from __future__ import annotations

from connectors import registry
from sync.cli import main

if __name__ == "__main__":
    registry.BUILTIN["board"] = "tests.fakes.board:BoardConnector"
    main()
