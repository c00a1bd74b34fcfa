"""Named calendars, from config to label."""

from __future__ import annotations

from sync.migrations import migrations
from sync.store import open_store
from tests.sync.town import CONFIG, LONG_AGO, Town

NAMED = """
[calendars.stand]
weekend  = ["sunday"]
[calendars.museum]
weekend  = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
"""


def test_items_go_by_the_calendar_of_their_project_or_source(town: Town) -> None:
    for number, project in ((1, "Fair"), (2, "Archive"), (3, None)):
        town.add(number, status_since=LONG_AGO, project=project)
    assert set(town.plan()) == {"APP-1", "APP-2", "APP-3"}  # 14 business days, without a named calendar
    town.write_config(NAMED + CONFIG + 'calendar = "museum"\n')
    assert town.plan() == {}  # two Sundays
    town.write_config(NAMED + CONFIG + '[sources.tool.calendars]\nARCHIVE = "museum"\nFair = "stand"\n')
    assert set(town.plan()) == {"APP-1", "APP-3"}
    days = {row["key"]: row["business_days_in_status"] for row in town.unstuck("items", "--format", "json").json}
    assert days == {"APP-1": 16, "APP-2": 1, "APP-3": 14}
    assert "calendar stand" in town.unstuck("explain", "APP-1").out
    with open_store(town.folder / "unstuck.db") as store:  # as other programs see it, on whatever day they look
        store.connection.execute("UPDATE item SET status_since_day = 739000")
        seen = store.rows("SELECT business_days_in_status AS days FROM main.work_item ORDER BY id")
        assert seen[0]["days"] > seen[2]["days"] > seen[1]["days"]


def test_a_calendar_that_is_not_there_is_a_mistake(town: Town) -> None:
    town.write_config(NAMED + CONFIG + 'calendar = "musem"\n[sources.tool.calendars]\nFair = "moon"\n')
    said = town.unstuck("check")
    assert said.code == 2
    assert 'sources.tool.calendar: there is no calendar "musem"; did you mean "museum"?' in said.err
    assert 'sources.tool.calendars."Fair": there is no calendar "moon"' in said.err
    town.write_config('[calendars.x]\ncountry = "Atlantis"\n' + CONFIG)
    said = town.unstuck("check")
    assert said.code == 2
    assert "calendars.x: " in said.err
    town.write_config('[calendars.x]\nweekend = ["Funday"]\nyear = 1\n' + CONFIG)
    said = town.unstuck("check")
    assert "calendars.x.weekend" in said.err
    assert "calendars.x.year" in said.err


def test_a_store_from_before_there_were_calendars_is_brought_up_to_date(town: Town) -> None:
    town.add(1, status_since=LONG_AGO)
    town.unstuck("run")
    file = town.folder / "unstuck.db"
    with open_store(file) as store:
        connection = store.connection
        for (view,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
            if not view.startswith("finding"):
                connection.execute(f"DROP VIEW {view}")
        connection.execute("DROP TABLE report")
        connection.execute("CREATE VIEW work_item AS SELECT 1 AS id")
        connection.execute("ALTER TABLE item DROP COLUMN calendar")
        connection.execute("DROP TABLE calendar_day")
        connection.execute("CREATE TABLE calendar_day (day INTEGER PRIMARY KEY, business INTEGER NOT NULL)")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name BETWEEN 'm004' AND 'm007' OR name LIKE 'm017%'")
    assert set(town.plan()) == {"APP-1"}
    with open_store(file) as store:
        assert not migrations.pending(store.connection)
        assert store.value("SELECT calendar FROM work_item") == 0
