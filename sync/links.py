"""Which items hang together across tools, as people said it: by a shared key, by links, and by keys in texts.

The table `link` holds what each item points at, how that was found and since when, and which item it leads to, if it
leads to one. It is worked out again for what was written since the last evaluation (`dirty`) only, and where an item
that links may lead to came, went or was renamed.
"""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit

from connectors.model import WorkItem
from rules.columns import COLUMNS, custom_path
from rules.grading import Placeholders
from rules.table import INITIATIVE, moment
from rules.text import fold, fold_sql, register

SCANNED = 20_000
"""So many characters of a title or description are searched for patterns."""

_PARENT_PATHS = 2
"""An address may go so many steps further than that of the item: `…/c/iq20ZNIV/12-faster-checkout`."""

TABLES = """
CREATE TABLE wide_key (name TEXT PRIMARY KEY, items INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE given_link (
  item_id INTEGER NOT NULL REFERENCES item(id) ON DELETE CASCADE, target TEXT NOT NULL,
  PRIMARY KEY (item_id, target)
) WITHOUT ROWID;
CREATE TABLE link (
  id INTEGER PRIMARY KEY,
  item_id INTEGER NOT NULL REFERENCES item(id) ON DELETE CASCADE,
  how TEXT NOT NULL CHECK (how IN ('key', 'tool', 'text')),
  target TEXT NOT NULL, name TEXT NOT NULL,
  to_id INTEGER REFERENCES item(id) ON DELETE SET NULL,
  problem TEXT CHECK (problem IN ('ambiguous', 'gone')),
  since TEXT NOT NULL,
  UNIQUE (item_id, how, name)
);
CREATE INDEX link_name ON link (name);
CREATE INDEX link_to ON link (to_id) WHERE to_id IS NOT NULL;
"""
"""`wide_key` holds the keys that too many items carry; `given_link` is what tools say.

Of a `link`, `name` is the target as it is looked up. A shared key leads to the item that is called so, if there is one.
"""

_INDEXES = (
    "CREATE INDEX IF NOT EXISTS item_by_key ON item (key COLLATE NOCASE)",
    "CREATE INDEX IF NOT EXISTS item_by_url ON item (url) WHERE url IS NOT NULL",
)
"""Made once links are wanted: they would cost a store without links for nothing."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What `[links]` says."""

    key: str | None = None
    """The column or custom field that holds the shared key."""
    tools: bool = False
    """Whether links that people make in the tools count."""
    patterns: tuple[str, ...] = ()
    """Regular expressions for keys and addresses in titles and descriptions."""
    most: int = 500
    """A key on more items than this says nothing."""
    placeholders: tuple[str, ...] = ()
    """Texts that are no key."""

    @property
    def wanted(self) -> bool:
        """Whether links are followed at all."""
        return bool(self.key or self.tools or self.patterns)


def keep_given(connection: sqlite3.Connection, items: Sequence[WorkItem]) -> None:
    """Store the links that tools keep of these items, which are stored already; in the caller's transaction."""
    of_item = "(SELECT id FROM item WHERE source = ? AND native_id = ?)"
    if connection.execute("SELECT 1 FROM given_link LIMIT 1").fetchone():
        places = ((item.ref.source, item.ref.native_id) for item in items)
        connection.executemany(f"DELETE FROM given_link WHERE item_id = {of_item}", places)
    given = ((item.ref.source, item.ref.native_id, target) for item in items for target in item.links)
    connection.executemany(f"INSERT OR IGNORE INTO given_link VALUES ({of_item}, ?)", given)


# Names: what links and items are looked up by


def name_of(target: str) -> str:
    """An address with its host in small letters, without fragment, user and last slash; any other text folded."""
    text = target.strip()
    if not text.lower().startswith(("http://", "https://")):
        return fold(text)
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return fold(text)
    return urlunsplit((parts.scheme.lower(), host, parts.path.rstrip("/"), parts.query, ""))


def variants(name: str) -> Iterator[str]:
    """The names that an item may have to which a link of this name leads, the closest first."""
    yield name
    if not name.startswith(("http://", "https://")):
        return
    path = name.partition("?")[0]
    if path != name:
        yield path
    for _ in range(_PARENT_PATHS):
        path = path.rpartition("/")[0]
        if path.count("/") <= 3:  # a site's first folder is no item
            return
        yield path


class Scanner:
    """Finds keys and addresses in texts."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = [re.compile(pattern) for pattern in patterns]

    def found(self, *texts: str | None) -> Iterator[str]:
        """What the patterns match: their first group, or all of it where they have none."""
        for text in filter(None, texts):
            for pattern in self._patterns:
                for match in pattern.finditer(text[:SCANNED]):
                    target = match[1 if pattern.groups else 0]
                    if target and target.strip():
                        yield target.strip()


# Bringing links up to date


def update(connection: sqlite3.Connection, terms: Terms, now: datetime, *, anew: bool) -> None:
    """Bring `link` up to date, in the caller's transaction; `anew` looks at every item.

    The temporary table `seed` (item_id) gets the items about whose links something changed.
    """
    register(connection)
    connection.create_function("link_name", 1, name_of, deterministic=True)
    for index in _INDEXES:
        connection.execute(index)
    for table in ("seed (item_id INTEGER PRIMARY KEY)", "looked (id INTEGER PRIMARY KEY)",
                  "again (id INTEGER PRIMARY KEY)", "moved_name (name TEXT PRIMARY KEY) WITHOUT ROWID",
                  "mention (item_id INTEGER, how TEXT, target TEXT, name TEXT, PRIMARY KEY (item_id, how, name)) "
                  "WITHOUT ROWID"):  # fmt: skip
        connection.execute(f"DROP TABLE IF EXISTS temp.{table.split()[0]}")
        connection.execute(f"CREATE TEMP TABLE {table}")
    which = "SELECT id FROM item WHERE" if anew else "SELECT id FROM dirty CROSS JOIN item ON id = item_id WHERE"
    connection.execute(f"INSERT INTO temp.looked {which} source <> ?", (INITIATIVE,))
    _gather(connection, terms)
    _keep(connection, now)
    _choose_again(connection, anew=anew, tools=terms.tools)
    _resolve(connection)
    if anew:
        connection.execute("INSERT OR IGNORE INTO temp.moved_name SELECT name FROM link WHERE how = 'key'")
        connection.execute(
            "INSERT OR IGNORE INTO temp.seed SELECT item_id FROM link UNION SELECT to_id FROM link "
            "WHERE to_id IS NOT NULL UNION SELECT item_id FROM anchor"
        )
    # whoever carries a key that others took up or put down, or names it in a text, is concerned as they are
    connection.execute(
        "INSERT OR IGNORE INTO temp.seed SELECT l.item_id FROM temp.moved_name m CROSS JOIN link l ON l.name = m.name"
    )


def forget(connection: sqlite3.Connection) -> None:
    """Links are not wanted any more; in the caller's transaction."""
    connection.execute("DELETE FROM link")


def _gather(connection: sqlite3.Connection, terms: Terms) -> None:
    """Fill `mention` with what the items in `looked` point at."""
    there = "temp.looked CROSS JOIN item i ON i.id = looked.id AND i.missing_since IS NULL"
    put = "INSERT OR IGNORE INTO temp.mention"
    if terms.key is not None:
        value, values = _key_sql(terms.key)
        connection.create_function("key_name", 1, _key_namer(terms.placeholders), deterministic=True)
        connection.execute(
            f"{put} SELECT id, 'key', trim(value), name FROM (SELECT id, value, key_name(value) AS name FROM "
            f"(SELECT i.id, {value} AS value FROM {there} LEFT JOIN item_detail d ON d.item_id = i.id) "
            "WHERE value <> '') WHERE name IS NOT NULL",
            values,
        )
    if terms.tools:
        connection.execute(
            f"{put} SELECT i.id, 'tool', target, link_name(target) FROM {there} "
            "CROSS JOIN given_link g ON g.item_id = i.id WHERE trim(target) <> ''"
        )
    if terms.patterns:
        scanner = Scanner(terms.patterns)
        texts = connection.execute(
            f"SELECT i.id, i.title, d.description FROM {there} LEFT JOIN item_detail d ON d.item_id = i.id"
        )
        connection.executemany(f"{put} VALUES (?, 'text', ?, ?)", _in_texts(scanner, texts))


def _key_sql(column: str) -> tuple[str, tuple[str, ...]]:
    """SQL for the shared key of the item `i` with the details `d`, and its parameters."""
    if column in COLUMNS:
        return f"i.{column}", ()
    return "json_extract(d.fields, ?)", (custom_path(column),)


def _key_namer(placeholders: Sequence[str]) -> Callable[[str], str | None]:
    says_nothing = Placeholders(placeholders)
    return lambda text: None if says_nothing(text) else fold(text) or None


def _in_texts(scanner: Scanner, texts: Iterable[tuple[int, str, str | None]]) -> Iterator[tuple[int, str, str]]:
    for item_id, title, description in texts:
        for target in scanner.found(title, description):
            yield item_id, target, name_of(target)


def _keep(connection: sqlite3.Connection, now: datetime) -> None:
    """Write the difference between `link` and `mention`; what stays keeps its day."""
    gone = (
        "FROM link WHERE item_id IN (SELECT id FROM temp.looked) AND NOT EXISTS (SELECT 1 FROM temp.mention m "
        "WHERE m.item_id = link.item_id AND m.how = link.how AND m.name = link.name)"
    )
    connection.execute(f"INSERT OR IGNORE INTO temp.seed SELECT item_id {gone}")
    connection.execute(f"INSERT OR IGNORE INTO temp.seed SELECT to_id {gone} AND to_id IS NOT NULL")
    connection.execute(f"INSERT OR IGNORE INTO temp.moved_name SELECT name {gone} AND how = 'key'")
    connection.execute(f"DELETE {gone}")
    last = connection.execute("SELECT ifnull(max(id), 0) FROM link").fetchone()[0]
    connection.execute(
        "INSERT INTO link (item_id, how, target, name, since) "
        "SELECT item_id, how, target, name, ? FROM temp.mention WHERE true ON CONFLICT DO NOTHING",
        (moment(now),),
    )
    connection.execute("INSERT OR IGNORE INTO temp.seed SELECT item_id FROM link WHERE id > ?", (last,))
    connection.execute(
        "INSERT OR IGNORE INTO temp.moved_name SELECT name FROM link WHERE id > ? AND how = 'key'", (last,)
    )
    connection.execute("INSERT INTO temp.again SELECT id FROM link WHERE id > ?", (last,))


# Where links lead


def _choose_again(connection: sqlite3.Connection, *, anew: bool, tools: bool) -> None:
    """Fill `again` with the links that may lead elsewhere than they did.

    An item is found by its key and address while it is there, and not while it links to that address itself: whose own
    links changed stands in `seed`, if links in tools count.
    """
    put = "INSERT OR IGNORE INTO temp.again SELECT l.id FROM"
    if anew:
        connection.execute(f"{put} link l")
        return
    named = "(kin OR id IN (SELECT item_id FROM temp.seed))" if tools else "true"
    looked = f"(SELECT id FROM temp.looked CROSS JOIN dirty ON item_id = id WHERE {named}) looked"
    written = f"{looked} CROSS JOIN item i ON i.id = looked.id CROSS JOIN link l"
    connection.execute(f"{put} {written} ON l.name = {fold_sql('i.key')}")
    longer = "l.name >= i.url AND l.name < i.url || char(1114111)"
    connection.execute(f"{put} {written} ON {longer} WHERE i.url <> ''")
    connection.execute(f"{put} {looked} CROSS JOIN link l ON l.to_id = looked.id")


def _resolve(connection: sqlite3.Connection) -> None:
    """Find out where the links in `again` lead; those that changed sow seeds at both ends."""
    found = _matches(connection)
    for link_id, item_id, before, problem_before in connection.execute(
        "SELECT l.id, item_id, to_id, problem FROM temp.again CROSS JOIN link l ON l.id = again.id"
    ).fetchall():
        to_id, problem = _where(found.get(link_id, ()))
        if (to_id, problem) != (before, problem_before):
            connection.execute("UPDATE link SET to_id = ?, problem = ? WHERE id = ?", (to_id, problem, link_id))
            ends = [(end,) for end in (item_id, before, to_id) if end is not None]
            connection.executemany("INSERT OR IGNORE INTO temp.seed VALUES (?)", ends)


_Match = tuple[int, int, bool]
"""How close a name came (0 is the closest), the item, and whether it is gone."""


def _matches(connection: sqlite3.Connection) -> dict[int, list[_Match]]:
    """By link: the items that go by one of its names."""
    connection.execute("DROP TABLE IF EXISTS temp.variant")
    connection.execute("CREATE TEMP TABLE variant (link_id INTEGER, closeness INTEGER, name TEXT)")
    named = connection.execute("SELECT l.id, name FROM temp.again CROSS JOIN link l ON l.id = again.id")
    rows = ((link, closeness, name) for link, whole in named for closeness, name in enumerate(variants(whole)))
    connection.executemany("INSERT INTO temp.variant VALUES (?, ?, ?)", rows)
    others = "CROSS JOIN link l ON l.id = v.link_id WHERE i.id <> l.item_id AND i.source <> ?"
    # an item may show as its own address what is only a link of its own: it is not found there
    at_home = "NOT EXISTS (SELECT 1 FROM given_link g WHERE g.item_id = i.id AND link_name(g.target) = v.name)"
    ask = "SELECT v.link_id, closeness, i.id, i.missing_since IS NOT NULL FROM temp.variant v CROSS JOIN item i"
    found = defaultdict[int, list[_Match]](list)
    for link, *match in connection.execute(
        f"{ask} INDEXED BY item_by_url ON i.url = v.name {others} AND i.url IS NOT NULL AND {at_home} UNION ALL "
        f"{ask} INDEXED BY item_by_key ON v.closeness = 0 AND i.key = v.name COLLATE NOCASE {others}",
        (INITIATIVE, INITIATIVE),
    ):
        found[link].append((match[0], match[1], bool(match[2])))
    return found


def _where(matches: Sequence[_Match]) -> tuple[int | None, str | None]:
    """The item that the closest name leads to, or why there is none."""
    there = [(closeness, item) for closeness, item, gone in matches if not gone]
    closest = min(there, default=(0, 0))[0]
    items = {item for closeness, item in there if closeness == closest}
    if len(items) == 1:
        return items.pop(), None
    return None, "ambiguous" if items else "gone" if matches else None
