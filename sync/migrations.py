"""The store's schema, as named steps with a record of each. All that are due run in one transaction.

A step that has shipped is never edited: a change of schema is a new step. Each command imports this page, and hardly
one takes a step: what only a step uses is imported in it.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from rules import table
from sync import links, views
from sync.steps import Steps

if TYPE_CHECKING:
    from sqlite_utils import Database

migrations = Steps("unstuck")


def _run(db: Database, script: str) -> None:
    """Statement by statement: `executescript` would commit the transaction that the step runs in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.conn.execute(statement)
            statement = ""


@migrations()
def m001_items(db: Database) -> None:
    """What is pulled: items, their transitions, and where each collection stands."""
    _run(db, table.TABLES)
    _run(
        db,
        """
CREATE INDEX item_collection ON item (source, collection);
CREATE INDEX item_parent ON item (parent_id) WHERE parent_id IS NOT NULL;
CREATE TABLE transition (
  id INTEGER PRIMARY KEY,
  item_id INTEGER NOT NULL REFERENCES item(id) ON DELETE CASCADE,
  at TEXT NOT NULL,
  from_status TEXT, to_status TEXT NOT NULL,
  from_category TEXT, to_category TEXT,
  percent_complete REAL,
  origin TEXT NOT NULL CHECK (origin IN ('tool', 'observed'))
);
CREATE UNIQUE INDEX transition_once ON transition (item_id, at, to_status, coalesce(percent_complete, -1));
CREATE TABLE collection (
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL, native_id TEXT NOT NULL, name TEXT NOT NULL,
  cursor TEXT, fingerprint TEXT,
  as_of TEXT, pulled_at TEXT, complete_at TEXT,
  copy_outdated INTEGER NOT NULL DEFAULT 0,
  problem TEXT,
  UNIQUE (source, native_id)
);
""",
    )
    db.conn.execute(table.view_sql("VIEW work_item"))


@migrations()
def m002_labels(db: Database) -> None:
    """What is found and written: findings, the ledger of our labels, vetoes, the journal, and the runs."""
    _run(
        db,
        """
CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  started_at TEXT NOT NULL, finished_at TEXT,
  command TEXT NOT NULL, rehearsal INTEGER NOT NULL DEFAULT 0,
  exit_code INTEGER, summary TEXT
);
CREATE TABLE finding (
  item_id INTEGER NOT NULL REFERENCES item(id) ON DELETE CASCADE,
  rule TEXT NOT NULL, label TEXT NOT NULL, reason TEXT NOT NULL, since TEXT NOT NULL,
  PRIMARY KEY (item_id, rule, label)
) WITHOUT ROWID;
CREATE TABLE rule_count (
  rule TEXT PRIMARY KEY, run_id INTEGER NOT NULL,
  matched INTEGER NOT NULL, considered INTEGER NOT NULL, unknown INTEGER NOT NULL
);
CREATE TABLE ledger (
  item_id INTEGER NOT NULL REFERENCES item(id) ON DELETE CASCADE,
  label TEXT NOT NULL, rule TEXT NOT NULL, reason TEXT NOT NULL,
  run_id INTEGER NOT NULL, put_at TEXT NOT NULL,
  home INTEGER NOT NULL DEFAULT 0,
  off_at TEXT,
  PRIMARY KEY (item_id, label)
) WITHOUT ROWID;
CREATE TABLE veto (
  item_id INTEGER NOT NULL REFERENCES item(id) ON DELETE CASCADE,
  label TEXT NOT NULL, rule TEXT NOT NULL,
  noticed_at TEXT NOT NULL, until TEXT NOT NULL, status TEXT,
  PRIMARY KEY (item_id, label)
) WITHOUT ROWID;
CREATE TABLE journal (
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL REFERENCES run(id),
  item_id INTEGER NOT NULL REFERENCES item(id) ON DELETE CASCADE,
  action TEXT NOT NULL CHECK (action IN ('add', 'remove')),
  label TEXT NOT NULL, rule TEXT NOT NULL, reason TEXT NOT NULL,
  intent_at TEXT NOT NULL, result_at TEXT, result TEXT, message TEXT
);
CREATE INDEX journal_open ON journal (item_id) WHERE result_at IS NULL;
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
""",
    )


@migrations()
def m003_incremental(db: Database) -> None:
    """What was written since the last evaluation, and what that one could not tell."""
    from rules import incremental

    _run(db, incremental.TABLES)
    _run(
        db,
        """
DROP INDEX item_collection;
CREATE INDEX item_collection ON item (source, collection, missing_since);
""",
    )


@migrations()
def m004_items_around(db: Database) -> None:
    """The view tells what hangs below and stands above an item."""
    db.conn.execute("DROP VIEW work_item")
    db.conn.execute(table.view_sql("VIEW work_item"))


@migrations()
def m005_calendars(db: Database) -> None:
    """Each item goes by a calendar of its own."""
    db.conn.execute("DROP VIEW work_item")
    db.conn.execute("DROP TABLE calendar_day")
    db.conn.execute(table.CALENDAR_DAY)
    db.conn.execute("DELETE FROM setting WHERE name IN ('calendar', 'resolved')")
    if "calendar" not in db.table("item").columns_dict:
        db.conn.execute("ALTER TABLE item ADD COLUMN calendar INTEGER NOT NULL DEFAULT 0")
    db.conn.execute(table.view_sql("VIEW work_item"))


@migrations()
def m006_described_metrics(db: Database) -> None:
    """A metric may come from the description."""
    db.conn.execute("DROP VIEW work_item")
    if "metric_described" not in db.table("item").columns_dict:
        db.conn.execute("ALTER TABLE item ADD COLUMN metric_described INTEGER NOT NULL DEFAULT 0")
    db.conn.execute(table.view_sql("VIEW work_item"))


@migrations()
def m007_findings_by_rule(db: Database) -> None:
    """Findings lie by rule, as they are found and as their reasons change; writes that concern others are told."""
    from rules import incremental

    _run(
        db,
        """
CREATE TABLE finding_by_rule (
  item_id INTEGER NOT NULL REFERENCES item(id) ON DELETE CASCADE,
  rule TEXT NOT NULL, label TEXT NOT NULL, reason TEXT NOT NULL, since TEXT NOT NULL,
  PRIMARY KEY (rule, item_id, label)
) WITHOUT ROWID;
INSERT INTO finding_by_rule SELECT item_id, rule, label, reason, since FROM finding;
DROP TABLE finding;
ALTER TABLE finding_by_rule RENAME TO finding;
CREATE INDEX finding_item ON finding (item_id);
DROP TRIGGER IF EXISTS item_is_new;
DROP TRIGGER IF EXISTS item_was_written;
DROP TRIGGER IF EXISTS item_was_moved;
""",
    )
    _know_of_dirty(db, "kin", "moved")
    _run(db, incremental.TRIGGERS)


@migrations()
def m008_brakes(db: Database) -> None:
    """What brakes compare with: what was seen in the tools, how much usually changes, and which labels flap."""
    _run(
        db,
        """
CREATE TABLE seen_field (
  source TEXT NOT NULL, collection TEXT NOT NULL, field_column TEXT NOT NULL, field TEXT NOT NULL,
  filled INTEGER NOT NULL, items INTEGER NOT NULL,
  PRIMARY KEY (source, collection, field_column, field)
) WITHOUT ROWID;
CREATE TABLE seen_status (
  source TEXT NOT NULL, collection TEXT NOT NULL, status_id TEXT NOT NULL, status TEXT NOT NULL,
  items INTEGER NOT NULL,
  PRIMARY KEY (source, collection, status_id, status)
) WITHOUT ROWID;
CREATE TABLE usual (
  kind TEXT NOT NULL CHECK (kind IN ('run', 'source', 'rule')), name TEXT NOT NULL, day TEXT NOT NULL,
  items INTEGER NOT NULL,
  PRIMARY KEY (kind, name, day)
) WITHOUT ROWID;
CREATE TABLE flapping (
  item_id INTEGER NOT NULL REFERENCES item(id) ON DELETE CASCADE,
  label TEXT NOT NULL, rule TEXT NOT NULL,
  held_since TEXT NOT NULL, wanted INTEGER NOT NULL, turned_at TEXT NOT NULL,
  PRIMARY KEY (item_id, label)
) WITHOUT ROWID;
""",
    )


@migrations()
def m009_holds(db: Database) -> None:
    """Which rules were seen before they write, and which ones people do not want.

    The rules of an older store have written already, and are not held up once more: their meaning is left open.
    """
    _run(
        db,
        """
CREATE TABLE rule_seen (
  rule TEXT NOT NULL, source TEXT NOT NULL, meaning TEXT NOT NULL, seen_at TEXT,
  PRIMARY KEY (rule, source)
) WITHOUT ROWID;
INSERT INTO rule_seen (rule, source, meaning)
  SELECT r.rule, c.source, '' FROM rule_count r, (SELECT DISTINCT source FROM collection) c;
CREATE TABLE veto_noticed (rule TEXT NOT NULL, noticed_at TEXT NOT NULL);
CREATE INDEX veto_noticed_rule ON veto_noticed (rule, noticed_at);
INSERT INTO veto_noticed (rule, noticed_at) SELECT rule, noticed_at FROM veto;
CREATE INDEX journal_of_item ON journal (item_id, run_id);
CREATE TABLE rule_pause (
  rule TEXT PRIMARY KEY, meaning TEXT NOT NULL, counted_from TEXT NOT NULL, paused_at TEXT, why TEXT
) WITHOUT ROWID;
""",
    )


@migrations()
def m010_operations(db: Database) -> None:
    """What people were told, and which collections are not listed any more."""
    db.conn.execute(
        "CREATE TABLE IF NOT EXISTS told (what TEXT PRIMARY KEY, since TEXT NOT NULL, sentences TEXT NOT NULL)"
    )
    if "absent" not in db.table("collection").columns_dict:
        db.conn.execute("ALTER TABLE collection ADD COLUMN absent INTEGER NOT NULL DEFAULT 0")


@migrations()
def m011_undo(db: Database) -> None:
    """A label stays off because a person took it off in the tool, or because a run was undone."""
    if "cause" not in db.table("veto").columns_dict:
        db.conn.execute("ALTER TABLE veto ADD COLUMN cause TEXT NOT NULL DEFAULT 'person'")
    db.conn.execute("CREATE INDEX IF NOT EXISTS journal_of_run ON journal (run_id)")
    db.conn.execute("CREATE INDEX IF NOT EXISTS journal_of_label ON journal (item_id, label)")


@migrations()
def m013_lasting_reasons(db: Database) -> None:
    """Findings lie by item, as items change one by one; their reasons are kept so that no day changes them.

    The view tells them as of the last evaluation. After this step, the next one asks about all items.
    """
    from rules import lasting

    _run(
        db,
        """
CREATE TABLE finding_kept (
  item_id INTEGER NOT NULL REFERENCES item(id) ON DELETE CASCADE,
  rule TEXT NOT NULL, label TEXT NOT NULL, reason TEXT NOT NULL, counts INTEGER NOT NULL DEFAULT 0,
  since TEXT NOT NULL,
  PRIMARY KEY (item_id, rule, label)
) WITHOUT ROWID;
INSERT INTO finding_kept (item_id, rule, label, reason, since)
  SELECT item_id, rule, label, reason, since FROM finding ORDER BY item_id;
DROP TABLE finding;
UPDATE setting SET value = json_set(value, '$.signature', NULL) WHERE name = 'evaluated';
""",
    )
    day = "(SELECT json_extract(value, '$.day') FROM setting WHERE name = 'evaluated')"
    told = f"{lasting.spoken_sql(day)} AS reason"
    db.conn.execute(f"CREATE VIEW finding AS SELECT item_id, rule, label, {told}, since FROM finding_kept")


@migrations()
def m015_starts_and_made_labels(db: Database) -> None:
    """Of which items no tool could prove since when they are in their status, and which labels we made on boards."""
    _run(
        db,
        """
CREATE TABLE unproved (item_id INTEGER PRIMARY KEY REFERENCES item(id) ON DELETE CASCADE, status_since TEXT);
CREATE TABLE made_label (
  source TEXT NOT NULL, collection TEXT NOT NULL, native_id TEXT NOT NULL, label TEXT NOT NULL,
  PRIMARY KEY (source, native_id)
) WITHOUT ROWID;
""",
    )


@migrations()
def m017_reports(db: Database) -> None:
    """What a report showed as stuck, so that the next one can tell what got un-stuck; and views for people."""
    db.conn.execute(
        "CREATE TABLE report (day TEXT NOT NULL, rehearsal INTEGER NOT NULL DEFAULT 0, made_at TEXT NOT NULL, "
        "stuck TEXT NOT NULL, PRIMARY KEY (day, rehearsal)) WITHOUT ROWID"
    )
    for view in views.ALL:
        db.conn.execute(view)


@migrations()
def m018_initiatives(db: Database) -> None:
    """What links items across tools, the initiatives that this makes, and which members get their labels."""
    from rules import incremental

    _run(db, links.TABLES)
    _run(db, table.INITIATIVE_TABLES)
    _run(db, incremental.ANCHOR_TRIGGERS)
    db.conn.execute("DROP VIEW work_item")
    db.conn.execute(table.view_sql("VIEW work_item"))
    db.conn.execute(table.initiative_view_sql("VIEW initiative"))
    db.conn.execute(
        "CREATE VIEW finding_on_item AS SELECT item_id, rule, label, reason, since FROM finding "
        "WHERE item_id NOT IN (SELECT item_id FROM initiative_detail) UNION ALL "
        "SELECT a.item_id, f.rule, f.label, f.reason || ' (initiative ' || n.key || ')', f.since FROM anchor a "
        "CROSS JOIN finding f ON f.item_id = a.initiative_id CROSS JOIN item n ON n.id = a.initiative_id "
        "WHERE a.labelled"
    )


@migrations()
def m019_learned(db: Database) -> None:
    """What the past of each kind of item says of how long its statuses take, by month."""
    _run(db, table.LEARNED_TABLES)


@migrations()
def m020_digests(db: Database) -> None:
    """Which digests were sent or are on their way; nobody gets a second one in the same week."""
    _run(
        db,
        """
CREATE TABLE digest (
  id INTEGER PRIMARY KEY,
  period TEXT NOT NULL, rehearsal INTEGER NOT NULL, audience TEXT NOT NULL,
  way TEXT NOT NULL CHECK (way IN ('mail', 'webhook', 'here')),
  begun_at TEXT NOT NULL, ended_at TEXT,
  result TEXT CHECK (result IN ('sent', 'refused', 'unknown')), why TEXT,
  items TEXT NOT NULL
);
CREATE TABLE digest_for (
  digest_id INTEGER NOT NULL REFERENCES digest(id) ON DELETE CASCADE,
  period TEXT NOT NULL, rehearsal INTEGER NOT NULL, who TEXT NOT NULL, name TEXT NOT NULL,
  counts INTEGER NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX digest_once ON digest_for (rehearsal, period, who) WHERE counts;
CREATE INDEX digest_for_digest ON digest_for (digest_id);
""",
    )


@migrations()
def m021_gone(db: Database) -> None:
    """What became of items that are not in their tool any more."""
    _run(
        db,
        """
CREATE TABLE gone (
  item_id INTEGER PRIMARY KEY REFERENCES item(id) ON DELETE CASCADE, missing_since TEXT NOT NULL, fate TEXT
);
""",
    )
    db.conn.execute(views.GONE_WORK)


@migrations()
def m022_graded_reports(db: Database) -> None:
    """What a report counted of outcomes, so that later ones can tell how that went, week by week."""
    db.conn.execute("ALTER TABLE report ADD COLUMN grades TEXT")


@migrations()
def m023_moved(db: Database) -> None:
    """Whether what an initiative counts together was written of an item, or something that matters to itself alone."""
    from rules import incremental

    _know_of_dirty(db, "moved")
    for name in ("item_is_new", "item_was_written", "item_was_moved"):
        db.conn.execute(f"DROP TRIGGER {name}")
    _run(db, incremental.TRIGGERS)


def _know_of_dirty(db: Database, *columns: str) -> None:
    """The triggers fill these columns: what is in there already counts as all that they can mean."""
    known = db.table("dirty").columns_dict
    for name in columns:
        if name not in known:
            db.conn.execute(f"ALTER TABLE dirty ADD COLUMN {name} INTEGER NOT NULL DEFAULT 1")
