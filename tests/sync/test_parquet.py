"""`unstuck export --parquet`: what a warehouse reads of several stores is what each of them says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sync.stops import InvalidStop
from tests.sync.town import CONFIG, Town

WAREHOUSE = "warehouse"


def query(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of SQL in which `items`, `findings` and `transitions` are the files of all stores below `folder`."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for path in folder.iterdir():
            files = f"'{path}/**/*.parquet'"
            connection.execute(f"CREATE VIEW {path.name} AS FROM read_parquet({files}, hive_partitioning = true)")
        return connection.execute(sql).fetchall()


def files(folder: Path) -> dict[str, int]:
    """Path below the folder -> when it was written."""
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}


def towns(folder: Path) -> list[Town]:
    """Three stores, as a fleet has them: a source each, and one source of a name that needs quoting."""
    made: list[Town] = []
    for name in ("delivery", "portfolio", "R&D = new"):
        here = folder / f"store{len(made)}"
        here.mkdir()
        town = Town(here, CONFIG.replace("sources.tool", f'sources."{name}"'))
        made.append(town)
        for number in range(1, 4 + len(made)):
            town.add(number, sponsor="" if number == 1 else "Ada", title=f'"{name}" {number}\n=1+1')
        assert town.unstuck("run", "--apply").code == 0
    return made


def test_a_warehouse_answers_across_the_fleet(tmp_path: Path) -> None:
    fleet = towns(tmp_path)
    for town in fleet:
        said = town.unstuck("export", "--parquet", str(tmp_path / WAREHOUSE))
        assert (said.code, said.out) == (0, "")  # silent under cron
    told = [item for town in fleet for item in town.unstuck("items", "--format", "json").json]
    rows = query(tmp_path / WAREHOUSE, "SELECT source, native_id, title, business_days_in_status, labels FROM items")
    named = ("source", "native_id", "title", "business_days_in_status", "labels")
    assert sorted(rows) == sorted(tuple(item[name] for name in named) for item in told)
    assert query(tmp_path / WAREHOUSE, "SELECT DISTINCT day::text FROM items") == [("2026-03-20",)]
    found = query(tmp_path / WAREHOUSE, "SELECT source, key, rule, label, reason FROM findings ORDER BY ALL")
    findings = [finding for town in fleet for finding in town.unstuck("findings", "--format", "json").json]
    assert found == sorted(
        tuple(one[name] for name in ("source", "key", "rule", "label", "reason")) for one in findings
    )
    assert len(found) == len(fleet)


def test_every_column_is_exported_with_its_value(town: Town) -> None:
    town.write_config(CONFIG + '[sources.tool.fields]\n"Cost centre" = "Kostenstelle"\n')
    town.add(1, percent_complete=40.0, assignees=["Ada", "Bo"], fields={"Kostenstelle": "Ä7"}, outcome_metric=None)
    town.unstuck("run")
    town.unstuck("export", "--parquet", WAREHOUSE)
    [item] = town.unstuck("items", "--format", "json").json
    names = sorted(set(item) - {"source", "fields"})
    dates = {name for name in names if name.endswith("_at") or name == "status_since"}
    shown = [f"strftime({name}, '%Y-%m-%dT%H:%M:%SZ')" if name in dates else name for name in names]
    [row] = query(town.folder / WAREHOUSE, f"SELECT {', '.join(shown)} FROM items")
    assert dict(zip(names, row, strict=True)) == {name: item[name] for name in names}
    assert query(town.folder / WAREHOUSE, "SELECT fields->>'Cost centre' FROM items") == [("Ä7",)]


def moved(*steps: tuple[str, str]) -> list[dict[str, str]]:
    """A history as the tool keeps it, of (time, status)."""
    return [{"at": f"2026-03-{at}+00:00", "to_status": status} for at, status in steps]


def test_transitions_lie_by_the_day_on_which_they_happened_and_are_written_once(town: Town) -> None:
    steps = [("17T23:30:00", "Doing"), ("18T00:30:00", "Review")]
    town.add(1, transitions=moved(*steps))
    town.unstuck("run")
    town.unstuck("export", "--parquet", WAREHOUSE)
    before = files(town.folder / WAREHOUSE)
    told = "SELECT day::text, to_status FROM transitions ORDER BY moved_at"
    assert query(town.folder / WAREHOUSE, told) == [("2026-03-17", "Doing"), ("2026-03-18", "Review")]

    town.edit(1, transitions=moved(*steps, ("18T09:00:00", "Doing")))
    town.unstuck("run")
    town.unstuck("export", "--parquet", WAREHOUSE)
    after = files(town.folder / WAREHOUSE)
    assert query(town.folder / WAREHOUSE, told)[2:] == [("2026-03-18", "Doing")]
    rewritten = {path for path in after if after[path] != before.get(path)}
    assert {path for path in rewritten if path.startswith("transitions")} == {
        "transitions/source=tool/day=2026-03-18/transitions.parquet"
    }


def test_each_day_keeps_its_own_picture(town: Town) -> None:
    town.add(1, sponsor="")
    town.unstuck("run")
    town.unstuck("export", "--parquet", WAREHOUSE)
    town.edit(1, sponsor="Ada")
    town.unstuck("run")
    town.unstuck("export", "--parquet", WAREHOUSE)  # the same day: the last export stands
    town.now = "2026-03-23T12:00:00"
    town.edit(1, sponsor="")
    town.unstuck("run")
    town.unstuck("export", "--parquet", WAREHOUSE)
    told = query(town.folder / WAREHOUSE, "SELECT day::text, coalesce(sponsor, '') FROM items ORDER BY day")
    assert told == [("2026-03-20", "Ada"), ("2026-03-23", "")]
    assert query(town.folder / WAREHOUSE, "SELECT day::text FROM findings") == [("2026-03-23",)]


def test_one_source_of_a_store(town: Town) -> None:
    town.add(1)
    town.unstuck("run")
    said = town.unstuck("export", "--parquet", WAREHOUSE, "--source", "tol")
    assert (said.code, "did you mean" in said.err) == (2, True)
    assert town.unstuck("export", "--parquet", WAREHOUSE, "--source", "tool").code == 0
    assert files(town.folder / WAREHOUSE)


def test_a_folder_that_cannot_be_written_to_is_one_sentence(town: Town) -> None:
    town.add(1)
    town.unstuck("run")
    (town.folder / WAREHOUSE).write_text("a file")
    said = town.unstuck("export", "--parquet", WAREHOUSE)
    assert (said.code, len(said.err.splitlines())) == (2, 2)  # the first says that the clock is set
    assert "cannot be written" in said.err


def test_a_file_that_is_none_of_ours_is_made_anew(town: Town) -> None:
    town.add(1, transitions=moved(("17T23:30:00", "Doing")))
    town.unstuck("run")
    town.unstuck("export", "--parquet", WAREHOUSE)
    [path] = (town.folder / WAREHOUSE).rglob("transitions.parquet")
    path.write_bytes(b"half a file")
    town.unstuck("export", "--parquet", WAREHOUSE)
    assert query(town.folder / WAREHOUSE, "SELECT to_status FROM transitions") == [("Doing",)]


def test_without_pyarrow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sync.parquet", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InvalidStop, match=r"unstuck\[parquet\]"):
        import sync.parquet  # noqa: F401
