"""Views of the store for people who look at it with other programs: named, joined, and as of today."""

from __future__ import annotations

OPEN_WORK = """
CREATE VIEW open_work AS SELECT source, key, title, project,
  coalesce(nullif(owner, ''), json_extract(assignees, '$[0]')) AS owner,
  status, status_category, substr(status_since, 1, 10) AS status_since, status_since_is,
  business_days_in_status, age_days, substr(due_at, 1, 10) AS due_at, outcome_grade, outcome_metric, sponsor, url
FROM work_item WHERE status_category IS NOT 'done'
"""

FOUND_WORK = """
CREATE VIEW found_work AS SELECT w.source, w.key, w.title, w.project,
  coalesce(nullif(w.owner, ''), json_extract(w.assignees, '$[0]')) AS owner, w.status, w.business_days_in_status,
  f.rule, f.label, f.reason, substr(f.since, 1, 10) AS found_since, w.url
FROM finding f JOIN work_item w ON w.id = f.item_id
"""

OUR_LABELS = """
CREATE VIEW our_labels AS SELECT i.source, i.key, i.title, i.project, l.label, l.rule, l.reason, l.run_id,
  substr(l.put_at, 1, 10) AS put_on, i.url
FROM ledger l JOIN item i ON i.id = l.item_id WHERE l.off_at IS NULL
"""

KEPT_OFF = """
CREATE VIEW kept_off AS SELECT i.source, i.key, i.title, i.project, v.label, v.rule, v.cause,
  substr(v.noticed_at, 1, 10) AS noticed, substr(v.until, 1, 10) AS until, i.url
FROM veto v JOIN item i ON i.id = v.item_id
"""

GONE_WORK = """
CREATE VIEW gone_work AS SELECT i.source, i.key, i.title, i.project,
  coalesce(nullif(i.owner, ''), json_extract(i.assignees, '$[0]')) AS owner, i.status,
  substr(i.missing_since, 1, 10) AS gone_since, g.fate, i.url
FROM item i LEFT JOIN gone g ON g.item_id = i.id AND g.missing_since = i.missing_since
WHERE i.missing_since IS NOT NULL AND i.source <> 'initiative'
"""

ALL = (OPEN_WORK, FOUND_WORK, OUR_LABELS, KEPT_OFF)
"""In the order in which they are made."""
