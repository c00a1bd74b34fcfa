"""How long a command takes to start, against a bare Python."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
LIMITS = {"--version": 6.0, "--help": 6.0}


def fastest(command: list[str], rounds: int) -> float:
    """Seconds of the fastest of some rounds: the others measure what else the machine did."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> int:
    rounds = 3 if "--small" in sys.argv else ROUNDS
    unstuck = str(Path(sys.executable).parent / "unstuck")
    bare = fastest([sys.executable, "-c", "pass"], rounds)
    print("| command | against | ratio | limit |\n|---|---|---|---|")
    met = True
    for option, limit in LIMITS.items():
        ratio = fastest([unstuck, option], rounds) / bare
        met = met and ratio <= limit
        print(f"| `unstuck {option}` | `python -c pass` | {ratio:.1f}× | {limit:.0f}× |")
    return 0 if met or "--small" in sys.argv else 1


if __name__ == "__main__":
    sys.exit(main())
