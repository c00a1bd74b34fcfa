"""Every table, view and column is described, the page says so, and Datasette shows it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sync import data
from sync.report.datasette import metadata
from sync.store import open_store
from tests.sync.town import LONG_AGO, Town

ROOT = Path(__file__).resolve().parents[2]


def schema(path: Path, kind: str) -> dict[str, list[str]]:
    with open_store(path, create=True) as store:
        names = [row["name"] for row in store.rows("SELECT name FROM sqlite_master WHERE type = ?", (kind,))]
        return {
            name: [row["name"] for row in store.rows("SELECT name FROM pragma_table_info(?)", (name,))]
            for name in names
            if name not in data.NOT_OURS
        }


@pytest.mark.parametrize(("kind", "told"), [("table", data.TABLES), ("view", data.VIEWS)])
def test_every_column_is_described_and_no_other(kind: str, told: Mapping[str, data.Described], tmp_path: Path) -> None:
    real = schema(tmp_path / "unstuck.db", kind)
    assert set(real) == set(told), "describe it in sync/data.py, then run python docs/generate.py"
    for name, columns in real.items():
        assert columns == list(told[name].columns), f"{name}: describe it in sync/data.py"
        assert all(told[name].columns.values()), name


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_code_says() -> None:
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    assert page == script("generate").data_page(), "run python docs/generate.py"


def test_the_pictures_show_todays_report() -> None:
    shots = script("screenshots")
    assert shots.SHA.read_text(encoding="utf-8").strip() == shots.sha(), "run make screenshots"
    assert {path.name for path in shots.IMAGES.glob("*.png")} == set(shots.VIEWS)


def test_what_the_command_prints(town: Town) -> None:
    town.unstuck("run")
    told = town.unstuck("report", "--datasette").json
    assert told == json.loads(json.dumps(metadata(town.folder / "unstuck.db")))
    assert town.unstuck("report", "--datasette", "-o", "metadata.json").code == 0
    assert json.loads((town.folder / "metadata.json").read_text()) == told
    assert town.unstuck("report", "--datasette", "--format", "csv").code == 2


def test_datasette_shows_views_facets_and_questions(town: Town) -> None:
    app = pytest.importorskip("datasette.app", reason="datasette is not installed (extra `dev`)")
    town.add(1, sponsor=None, status_since=LONG_AGO, project="Shop")
    town.add(2, sponsor=None, transitions=[{"at": LONG_AGO, "to_status": "Doing"}])
    town.unstuck("run", "--apply", "--force", "share")
    town.unlabel(2, "pmo-no-sponsor")
    town.unstuck("run")
    shown = app.Datasette([str(town.folder / "unstuck.db")], metadata=metadata(town.folder / "unstuck.db"))

    async def ask(path: str) -> Any:
        answer = await shown.client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        return answer

    facets = {"open_work": "source", "found_work": "rule"}

    async def look() -> None:
        for view, facet in facets.items():
            found = (await ask(f"/unstuck/{view}.json")).json()["facet_results"]
            assert facet in found, view
        for view, least in {"open_work": 2, "found_work": 2, "our_labels": 1, "kept_off": 1, "finding": 2}.items():
            answer = (await ask(f"/unstuck/{view}.json?_shape=objects")).json()
            assert len(answer["rows"]) >= least, view
            assert data.VIEWS[view].text in (await ask(f"/unstuck/{view}")).text
        for name in metadata(town.folder / "unstuck.db")["databases"]["unstuck"]["queries"]:
            answer = (await ask(f"/unstuck/{name}.json?source=&key=APP-1&run=1&_shape=objects")).json()
            assert answer["ok"], answer
            assert answer["rows"] or name in ("moves_of_an_item",), name

    asyncio.run(look())
