"""Whatever happens to the store's file: one sentence, the right exit code, and nothing lost. Each with the command."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sync.store import damage, open_store
from tests.sync import meddling
from tests.sync.town import CONFIG, Said, Town

LOOKING = (["items"], ["findings"], ["status"], ["explain", "APP-1"], ["check"], ["backup", "copy.db"])
EVERY = (["run", "--apply"], ["plan"], *LOOKING)


class TroubledTown(Town):
    """A town whose store lies in a folder of its own, and may be meddled with while the command works."""

    prelude = ""
    rightless = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 'store = "state/unstuck.db"\n' + CONFIG)
        self.store = folder / "state" / "unstuck.db"
        self.store.parent.mkdir()

    def command(self, *arguments: str) -> Sequence[str]:
        meddle = f"from pathlib import Path; from tests.sync import meddling; meddling.impatient(); {self.prelude}"
        python = [sys.executable, "-c", f"{meddle}\nfrom sync.cli import main\nmain()", *arguments]
        rights = "-dac_override,-dac_read_search"
        bare = ["setpriv", "--bounding-set", rights, "--inh-caps", rights]
        return [*bare, *python] if self.rightless and os.geteuid() == 0 else python

    @contextmanager
    def meddled(self, prelude: str) -> Iterator[None]:
        self.prelude = prelude
        yield
        self.prelude = ""

    def refused(self, *command: str) -> str:
        """Run a command that the store cannot serve; its one sentence."""
        said = self.unstuck(*command)
        assert said.code == 2, said
        [line] = (line for line in said.err.splitlines() if not line.startswith("Rehearsal: "))
        assert line.startswith((f"{self.store}: ", f"{self.store}.lock ")), line
        assert line.endswith(".")
        return line

    def ledger(self) -> set[tuple[str, str]]:
        with closing(sqlite3.connect(self.store)) as connection:
            sql = "SELECT key, label FROM ledger JOIN item ON item.id = item_id WHERE off_at IS NULL"
            return set(connection.execute(sql))


@pytest.fixture
def town(tmp_path: Path) -> TroubledTown:
    town = TroubledTown(tmp_path)
    for number in range(1, 5):
        town.add(number, sponsor="")
    return town


@pytest.fixture
def labelled(town: TroubledTown) -> TroubledTown:
    """All four items carry a label of ours."""
    assert town.unstuck("run", "--apply").code == 0
    return town


def rightless(town: TroubledTown) -> None:
    """From now on, permissions hold for this account too."""
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root may do everything here, and there is no setpriv to give that up")
    town.rightless = True


def assert_settled(town: TroubledTown) -> None:
    """All is as if nothing had happened: every label once, each known to be ours, and nothing more to write."""
    said = town.unstuck("run", "--apply", "--force", "share")
    assert said.code == 0, said
    assert [town.labels(number) for number in range(1, 5)] == [["pmo-no-sponsor"]] * 4
    assert sorted(write["item"] for write in town.writes) == ["1", "2", "3", "4"]
    assert town.ledger() == {(f"APP-{number}", "pmo-no-sponsor") for number in range(1, 5)}
    with open_store(town.store) as store:
        assert damage(store.connection) is None


# Before the command starts


def test_a_folder_in_its_place(town: TroubledTown) -> None:
    town.store.mkdir()
    for command in EVERY:
        assert "is a folder" in town.refused(*command)


def test_a_folder_that_is_not_there(town: TroubledTown) -> None:
    """It is not made: it may be a disk that is not mounted."""
    town.store.parent.rmdir()
    for command in (["run", "--apply"], ["plan"], ["status"], ["backup", "copy.db"]):
        assert "its folder does not exist" in town.refused(*command)


@pytest.mark.parametrize("size", [99, 600, 5000, 100_000])
def test_a_truncated_store(labelled: TroubledTown, size: int) -> None:
    whole = labelled.store.read_bytes()
    assert size < len(whole)
    labelled.store.write_bytes(whole[:size])
    for command in (["run", "--apply"], ["status"], ["backup", "copy.db"]):
        assert "damaged" in (said := labelled.refused(*command)) or "is not an SQLite database" in said
    assert labelled.store.read_bytes() == whole[:size]  # what is left is not touched: it may be all there is
    labelled.store.write_bytes(whole)
    assert_settled(labelled)


def test_a_page_of_garbage_is_found_by_check(labelled: TroubledTown) -> None:
    with closing(sqlite3.connect(labelled.store)) as connection:
        [page] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ledger'").fetchone()
    whole = bytearray(labelled.store.read_bytes())
    whole[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    labelled.store.write_bytes(whole)
    assert "is damaged" in labelled.refused("check")
    assert "is damaged" in labelled.refused("backup", "copy.db")
    assert "is damaged" in labelled.refused("run", "--apply")
    assert len(labelled.writes) == 4


def test_a_reference_to_nothing_is_found_by_check(labelled: TroubledTown) -> None:
    with closing(sqlite3.connect(labelled.store, isolation_level=None)) as connection:
        connection.execute("DELETE FROM item WHERE key = 'APP-1'")  # without foreign keys, as other programs do it
    assert "refers to a row of item that is not there" in labelled.refused("check")


def test_a_store_of_a_newer_version(labelled: TroubledTown) -> None:
    with open_store(labelled.store) as store:
        row = {"migration_set": "unstuck", "name": "m999_later", "applied_at": "2030-01-01"}
        store.db.table("_sqlite_migrations").insert(row)
    for command in (["run", "--apply"], ["status"], ["check"]):
        assert "was written by a newer unstuck (it has m999_later)" in labelled.refused(*command)
    assert labelled.unstuck("backup", "copy.db").code == 0  # a backup needs no understanding
    assert len(labelled.writes) == 4


def test_a_file_that_may_only_be_read(labelled: TroubledTown) -> None:
    rightless(labelled)
    labelled.store.chmod(0o444)
    labelled.edit(1, sponsor="Ada")
    assert "cannot be written to" in labelled.refused("run", "--apply")
    assert labelled.unstuck("items").code == 0  # whoever may read it may look
    for path in labelled.store.parent.glob("unstuck.db*"):  # what lies beside it has its permissions
        path.chmod(0o644)
    labelled.edit(1, sponsor="")
    assert_settled(labelled)


def test_a_folder_that_may_only_be_read(labelled: TroubledTown) -> None:
    rightless(labelled)
    for file in labelled.store.parent.glob("*.lock"):
        file.unlink()
    labelled.store.parent.chmod(0o555)
    try:
        assert "cannot be made" in labelled.refused("run", "--apply")
        assert "check the permissions of the file" in labelled.refused("items")
    finally:
        labelled.store.parent.chmod(0o755)
    assert_settled(labelled)


def test_a_file_that_may_not_even_be_read(labelled: TroubledTown) -> None:
    rightless(labelled)
    labelled.store.chmod(0)
    for command in (["run", "--apply"], ["items"], ["backup", "copy.db"]):
        assert "check the permissions" in labelled.refused(*command)
    labelled.store.chmod(0o644)
    assert_settled(labelled)


def test_another_program_that_holds_it(labelled: TroubledTown) -> None:
    holder = meddling.hold(labelled.store)
    assert "is held by another program" in labelled.refused("run", "--apply")
    assert labelled.unstuck("items").code == 0
    assert labelled.unstuck("backup", "copy.db").code == 0
    holder.communicate()
    assert_settled(labelled)


@pytest.mark.parametrize("left", ["nothing", "garbage", "half"])
def test_a_wal_that_is_not_what_it_was(labelled: TroubledTown, left: str) -> None:
    """What was not yet in the file itself is lost with its WAL; the file is as sound as it was before."""
    kept = {path: path.read_bytes() for path in labelled.store.parent.iterdir()}
    wal = labelled.store.with_name("unstuck.db-wal")
    with open_store(labelled.store) as store:
        with store.transaction() as connection:
            connection.execute("UPDATE item SET title = title || ' (from the WAL)'")
        live = wal.read_bytes()
    for path, content in kept.items():  # as a crash leaves it: the file without what stands in the WAL
        path.write_bytes(content)
    if left != "nothing":
        wal.write_bytes(live[: len(live) // 2] if left == "half" else bytes(reversed(live)))
    assert labelled.unstuck("check").code == 0
    assert_settled(labelled)


# In the middle of a run


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        ("hold", "is held by another program"),
        ("fill", "disk is not full, over quota or failing"),
        ("delete", "was deleted or replaced while it was in use"),
        ("replace", "was deleted or replaced while it was in use"),
    ],
)
def test_in_the_middle_of_apply(town: TroubledTown, trouble: str, says: str) -> None:
    assert town.unstuck("run").code == 0
    with town.meddled(f"meddling.after_the_first_write({trouble!r}, Path({str(town.store)!r}))"):
        assert says in town.refused("run", "--apply")
    assert len(town.writes) == 1  # nothing is written that could not be recorded
    if trouble in ("delete", "replace"):
        for ending in ("", "-wal", "-shm"):
            with_ending = town.store.with_name(town.store.name + ending)
            with_ending.unlink(missing_ok=True)
            if (deleted := town.store.with_name(f"deleted{ending}")).exists():
                deleted.rename(with_ending)
    assert_settled(town)


def full_until_it_fits(town: TroubledTown, prelude: str, sizes: Sequence[int]) -> list[Said]:
    """Run on a disk with ever more room; what each run said that did not fit."""
    failed = []
    for size in sizes:
        with town.meddled(prelude.format(size=size)):
            said = town.unstuck("run", "--apply", "--force", "share")
        if said.code != 0:
            failed.append(said)
        if town.store.exists():
            with open_store(town.store) as store:
                assert damage(store.connection) is None
    return failed


def test_a_full_disk_at_any_point(town: TroubledTown) -> None:
    """While the schema is made, while the calendar is kept, and while items are pulled."""
    for number in range(1, 5):
        town.edit(number, description="long " * 8_000)
    failed = full_until_it_fits(town, "meddling.no_room({size})", (20, 60, 80, 100, 160))
    assert len(failed) == 4
    for said in failed:
        assert said.code == 2
        assert said.err == f"{town.store}: the disk is full; make room, then run again: nothing was lost.\n"
    assert_settled(town)


def test_a_quota_at_any_point(town: TroubledTown) -> None:
    prelude = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"
    failed = full_until_it_fits(town, prelude, (0, 30_000, 250_000))
    assert len(failed) == 3
    for said in failed:
        assert said.code == 2
        assert "see that the disk is not full, over quota or failing" in said.err
    assert_settled(town)


# Beside others


def test_a_reader_that_holds_one_state_through_a_run(labelled: TroubledTown) -> None:
    """As Datasette does with a long query: it sees one state, and neither waits for the other."""
    with closing(sqlite3.connect(labelled.store, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        count = "SELECT count(*) FROM work_item"
        assert reader.execute(count).fetchone() == (4,)
        labelled.add(5, sponsor="")
        labelled.remove(4)
        assert labelled.unstuck("run", "--apply", "--full").code == 0
        labelled.add(6)
        assert labelled.unstuck("run", "--apply").code == 0
        assert labelled.unstuck("check").code == 0
        assert labelled.unstuck("backup", "copy.db").code == 0
        assert reader.execute(count).fetchone() == (4,)
        reader.execute("COMMIT")
        assert reader.execute(count).fetchone() == (5,)
    assert labelled.ledger() >= {("APP-5", "pmo-no-sponsor")}
    assert labelled.unstuck("run", "--apply").code == 0
    assert not labelled.store.with_name("unstuck.db-wal").exists()  # all of it is in the file again
