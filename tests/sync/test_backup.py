"""`unstuck backup`: whole at every moment, made beside a run that writes, and never over anything but a backup."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from sync.store import damage, open_store
from tests.sync.test_migrations import STEPS, make_old
from tests.sync.town import CONFIG, Town


@pytest.fixture
def labelled(town: Town) -> Town:
    town.add(1, sponsor="")
    town.add(2)
    assert town.unstuck("run", "--apply").code == 0
    return town


def titles(file: Path) -> list[str]:
    """The items in a backup, which is sound and is one file of its own."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)) as connection:
        assert damage(connection) is None
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        return [title for (title,) in connection.execute("SELECT title FROM item ORDER BY id")]


def beside(file: Path) -> list[str]:
    """What a backup left in its folder."""
    return sorted(path.name for path in file.parent.iterdir())


def test_a_store_that_is_lost_is_restored_from_its_backup(labelled: Town, tmp_path: Path) -> None:
    assert labelled.unstuck("backup", "backup.db") == labelled.unstuck("backup", "backup.db")  # over yesterday's
    said = labelled.unstuck("backup", str(tmp_path / "backup.db"))
    assert (said.code, said.out, said.err) == (0, "", "")  # silent under cron
    for path in tmp_path.glob("unstuck.db*"):
        path.unlink()
    shutil.move(tmp_path / "backup.db", tmp_path / "unstuck.db")
    labelled.edit(1, sponsor="Ada")
    assert labelled.unstuck("run", "--apply").code == 0
    assert labelled.labels(1) == []  # it was known to be ours


def test_a_backup_is_one_file_with_the_permissions_of_the_store(labelled: Town, tmp_path: Path) -> None:
    (tmp_path / "unstuck.db").chmod(0o640)
    (tmp_path / "backups").mkdir()
    assert labelled.unstuck("backup", "backups/today.db").code == 0
    assert beside(tmp_path / "backups" / "today.db") == ["today.db"]
    assert (tmp_path / "backups" / "today.db").stat().st_mode & 0o777 == 0o640
    assert titles(tmp_path / "backups" / "today.db") == ["Item 1", "Item 2"]


def test_backups_while_a_run_writes_hold_whole_transactions(town: Town, tmp_path: Path) -> None:
    town.write_config(CONFIG + "page_size = 10\n")
    world = town.world
    world["items"] = [
        {"native_id": str(n), "collection": "B1", "title": f"Item {n}", "changed": n} for n in range(1, 3_001)
    ]
    town.world = world
    run = subprocess.Popen(town.command("run"), cwd=town.folder, env=town.environment())
    counts: list[int] = []
    while run.poll() is None or not counts:
        said = town.unstuck("backup", "backup.db")
        if said.code == 0:
            counts.append(len(titles(tmp_path / "backup.db")))
        else:
            assert "there is no store yet" in said.err
    assert run.returncode == 0
    assert len(counts) >= 2
    assert counts == sorted(counts)
    assert [count for count in counts if count % 10] == []
    assert town.unstuck("backup", "backup.db").code == 0
    assert len(titles(tmp_path / "backup.db")) == 3_000


def test_an_old_store_is_backed_up_as_it_is(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_old(tmp_path / "unstuck.db", 3, monkeypatch)
    assert town.unstuck("backup", "backup.db").code == 0
    with closing(sqlite3.connect(tmp_path / "backup.db")) as connection:
        steps = [name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]
    assert steps == STEPS[:3]


def make_text(path: Path) -> None:
    path.write_text("minutes of the meeting " * 100)


def make_foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")


def make_store_in_use(path: Path) -> None:
    open_store(path).connection.close()
    Path(f"{path}.lock").touch()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (make_text, "is not an SQLite database"),
        (make_foreign, "is a database of another program"),
        (make_store_in_use, "is a store in use"),
        (Path.mkdir, "is a folder"),
        (os.mkfifo, "is no ordinary file"),
        (lambda path: path.symlink_to("unstuck.db"), "is the store itself"),
        (lambda path: path.hardlink_to(path.with_name("unstuck.db")), "is the store itself"),
    ],
    ids=["text", "foreign", "in use", "folder", "pipe", "symlink", "hardlink"],
)
def test_nothing_but_a_backup_is_overwritten(labelled: Town, tmp_path: Path, make: object, says: str) -> None:
    assert callable(make)
    target = tmp_path / "target.db"
    make(target)
    before = target.read_bytes() if target.is_file() else None
    said = labelled.unstuck("backup", "target.db")
    assert said.code == 2
    [line] = said.err.splitlines()
    assert says in line
    assert before is None or target.read_bytes() == before
    assert labelled.unstuck("check").code == 0


def test_the_store_itself_and_folders_that_are_not_there(labelled: Town) -> None:
    assert "is the store itself" in labelled.unstuck("backup", "unstuck.db").err
    assert "its folder does not exist" in labelled.unstuck("backup", "nowhere/backup.db").err
    assert labelled.unstuck("check").code == 0


def test_an_empty_file_is_nothing_to_lose(labelled: Town, tmp_path: Path) -> None:
    (tmp_path / "backup.db").touch()
    assert labelled.unstuck("backup", "backup.db").code == 0
    assert len(titles(tmp_path / "backup.db")) == 2


class NarrowTown(Town):
    """A town on a disk on which no file can grow beyond 50 kB."""

    def command(self, *arguments: str) -> Sequence[str]:
        narrow = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))"
        return [sys.executable, "-c", f"{narrow}\nfrom sync.cli import main\nmain()", *arguments]


def test_a_backup_that_finds_no_room_leaves_the_one_before(labelled: Town, tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    assert labelled.unstuck("backup", "backups/backup.db").code == 0
    labelled.add(3)
    assert labelled.unstuck("run").code == 0
    labelled.__class__ = NarrowTown
    said = labelled.unstuck("backup", "backups/backup.db")
    assert said.code == 2
    [line] = said.err.splitlines()
    assert line.startswith(f"{tmp_path / 'backups' / 'backup.db'}: there is no room for the backup")
    assert beside(tmp_path / "backups" / "backup.db") == ["backup.db"]
    assert len(titles(tmp_path / "backups" / "backup.db")) == 2


def test_there_is_no_store_yet(town: Town, tmp_path: Path) -> None:
    said = town.unstuck("backup", "backup.db")
    assert said.code == 2
    assert "there is no store yet" in said.err
    assert not (tmp_path / "backup.db").exists()
