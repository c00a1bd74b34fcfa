"""Rule files that are named on the command line rather than in the config."""

from __future__ import annotations

from collections.abc import Sequence
from glob import glob
from pathlib import Path

from sync.stops import InvalidStop


def find(names: Sequence[str]) -> list[Path]:
    """The files behind names of files, folders (all their `.toml`) and globs; each once. Raises `InvalidStop`."""
    files: list[Path] = []
    for name in names:
        files += [file for file in _behind(name) if file not in files]
    return files


def _behind(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        found = sorted(path.glob("*.toml"))
        if not found:
            raise InvalidStop(f"{name}: the folder holds no rule file (*.toml); name another.")
        return found
    if path.exists():
        return [path]
    found = [each for each in map(Path, sorted(glob(name, recursive=True))) if each.is_file()]  # noqa: PTH207
    if not found:
        raise InvalidStop(f"{name}: there is no such file or folder, and it matches none; correct the name.")
    return found
