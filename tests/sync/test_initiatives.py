"""Links and initiatives, kept up to date for what changed, are what a plain look at all items finds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.model import ItemRef, StatusCategory
from rules.columns import unknown_bit
from rules.grading import SHIPPED, Placeholders
from rules.loader import load
from rules.text import fold
from sync import findings, initiatives, links
from sync.merging import Order, Settings
from sync.store import Store
from tests.rules.items import NOW, TODAY, item
from tests.sync.test_incremental import agrees, lose, new_store, put

MOST = 3
PATTERN = r"\b[A-HK]\d?\b"
SOURCES = ("two", "one")
"""The most trusted first."""


def wanted(labelled: frozenset[str] = frozenset(), columns: Mapping[str, str] | None = None) -> Settings:
    terms = links.Terms("ini", tools=True, patterns=(PATTERN,), most=MOST, placeholders=SHIPPED)
    return Settings(terms, Order(SOURCES, columns or {}, labelled, "pmo-", Placeholders(SHIPPED)))


@dataclass(frozen=True)
class Piece:
    """An item, as far as it matters here."""

    name: str
    parent: str | None = None
    key: str = ""
    title: str = ""
    given: tuple[str, ...] = ()
    sponsor: str = ""
    done: bool = False
    since: int = 1
    """So many days it is in its status."""

    @property
    def source(self) -> str:
        return "one" if self.name < "E" else "two"

    @property
    def url(self) -> str:
        return f"https://x/i/{self.name.lower()}"


def write(store: Store, piece: Piece) -> None:
    """As a pull does."""
    ref = ItemRef(piece.source, piece.name)
    one = item(
        piece.name,
        parent_ref=ItemRef(piece.source, piece.parent) if piece.parent else None,
        title=piece.title or "-",
        url=piece.url,
        sponsor=piece.sponsor,
        status_since=NOW - timedelta(days=piece.since),
        started_at=NOW - timedelta(days=piece.since) if piece.done else None,
        status_category=StatusCategory.DONE if piece.done else StatusCategory.TODO,
        fields={"ini": piece.key},
        links=piece.given,
    )
    one = replace(one, ref=ref, key=piece.name, collection=piece.source)
    put(store, one)
    with store.transaction() as connection:
        links.keep_given(connection, [one])


def update(store: Store, how: Settings | None = None) -> None:
    findings.link(store, findings.Links((), {}, {}))
    initiatives.update(store, how or wanted(), NOW)


# The plain look


class Plain:
    """All items, looked at one by one. What hangs below an item that is gone hangs there still: `known` has it."""

    def __init__(self, pieces: Mapping[str, Piece], known: Mapping[str, Piece]) -> None:
        self.pieces, self.known = pieces, known
        carried = {name: fold(piece.key) for name, piece in pieces.items()}
        says_nothing = Placeholders(SHIPPED)
        carried = {name: key for name, key in carried.items() if key and not says_nothing(key)}
        many = Counter(carried.values())
        self.usable = {key for key in carried.values() if many[key] <= MOST}
        self.keys = {name: key for name, key in carried.items() if key in self.usable}
        for name, key in list(self.keys.items()):
            called = self.called(key, name)
            if called:
                self.keys.setdefault(called, key)

    def called(self, target: str, by: str) -> str | None:
        found = [name for name in self.pieces if name.lower() == target.lower() and name != by]
        return found[0] if len(found) == 1 else None

    def leads_to(self, url: str, by: str) -> str | None:
        found = re.match(r"https://x/i/(\w)(?:[/?#]|$)", url, re.I)
        other = self.called(found[1], by) if found else None
        # what shows as its own address one that it links to is not at home there
        return None if other is None or self.pieces[other].url in self.pieces[other].given else other

    def edges(self) -> set[tuple[str, str]]:
        found = set()
        for name, piece in self.pieces.items():
            texts = (self.called(text, name) for text in re.findall(PATTERN, piece.title))
            for other in (*texts, *(self.leads_to(url, name) for url in piece.given)):
                if other and self.pieces[other].source != piece.source:
                    found |= {(name, other), (other, name)}
        return found

    def anchors(self) -> dict[str, str]:
        edges = self.edges()
        found = {name: f"key:{key}" for name, key in self.keys.items()}
        left = [name for name in self.pieces if name not in self.keys]
        while left:
            group, todo, named = set[str](), [left[0]], set[str]()
            while todo:
                name = todo.pop()
                group.add(name)
                near = {other for one, other in edges if one == name}
                named |= {self.keys[other] for other in near if other in self.keys}
                named |= self.named(name)
                todo += [other for other in near if other not in self.keys and other not in group]
            left = [name for name in left if name not in group]
            if len(named) == 1:
                found |= dict.fromkeys(group, f"key:{named.pop()}")
            elif 1 < len(group) <= MOST:
                found |= dict.fromkeys(group, "+".join(sorted(group)))
        return found

    def named(self, name: str) -> set[str]:
        texts = {fold(text) for text in re.findall(PATTERN, self.pieces[name].title)}
        return {text for text in texts & self.usable if not self.called(text, name)}

    def above(self, name: str) -> list[str]:
        """The item and what is above it, up to where it ends or comes round."""
        found = [name]
        while (parent := self.known[found[-1]].parent) in self.known and parent not in found:
            found.append(str(parent))
        return found

    def whole(self) -> dict[str, tuple[int, int, str]]:
        """Initiative -> how many are in it, how many of them are done, and its sponsor."""
        anchors = self.anchors()
        where = {name: next((anchors[up] for up in self.above(name) if up in anchors), None) for name in self.known}
        found = {}
        for initiative in set(anchors.values()):
            within = [name for name in self.known if where[name] == initiative]
            members = [name for name in within if name in self.pieces]
            own = [name for name in members if name in anchors]
            tops = [name for name in own if self.pieces[name].parent not in within] or own
            ranked = sorted(tops, key=lambda name: (SOURCES.index(self.pieces[name].source), name))
            sponsors = [self.pieces[name].sponsor for name in ranked if self.pieces[name].sponsor]
            done = sum(self.pieces[name].done for name in members)
            found[initiative] = (len(members), done, sponsors[0] if sponsors else "")
        return found


_NAMES = st.sampled_from("ABCDEFGH")
_URLS = _NAMES.map(lambda name: f"https://x/i/{name.lower()}") | _NAMES.map(
    lambda name: f"https://X/i/{name.lower()}/s?q#z"
)
_PIECES = st.builds(
    Piece,
    name=_NAMES,
    parent=st.none() | _NAMES,
    key=st.sampled_from(["", "", "", "K1", " k1", "K2", "E", "TBD"]),
    title=st.sampled_from(["", "", "", "see A", "K1", "B and K2", "G"]),
    given=st.lists(_URLS, max_size=2).map(tuple),
    sponsor=st.sampled_from(["", "Ann", "Bob"]),
    done=st.booleans(),
    since=st.integers(1, 3),
)
_STEPS = st.lists(st.tuples(st.lists(_PIECES, max_size=4), st.lists(_NAMES, max_size=1)), min_size=1, max_size=7)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(_STEPS)
def test_they_are_what_a_plain_look_finds(steps: list[tuple[list[Piece], list[str]]]) -> None:
    pieces: dict[str, Piece] = {}
    known = {name: Piece(name) for name in "ABCDEFGH"}
    with new_store() as store:
        for name in "ABCDEFGH":  # the order in which they are known
            write(store, Piece(name))
            lose(store, name)
        for written, lost in steps:
            for piece in written:
                inside = piece.parent if piece.parent and Piece(piece.parent).source == piece.source else None
                pieces[piece.name] = known[piece.name] = replace(piece, parent=inside)
                write(store, pieces[piece.name])
            for name in lost:
                pieces.pop(name, None)
                lose(store, name)
            update(store)
            plain = Plain(pieces, known)
            assert anchors(store) == plain.anchors()
            assert whole(store) == plain.whole()
            store.connection.execute("DELETE FROM dirty")  # as the evaluation does
        before = everything(store)
        store.connection.execute("DELETE FROM setting WHERE name = 'initiatives'")
        update(store)
        assert everything(store) == before


def anchors(store: Store) -> dict[str, str]:
    rows = store.rows(
        "SELECT i.native_id AS name, n.native_id AS initiative FROM anchor a JOIN item i ON i.id = a.item_id "
        "JOIN item n ON n.id = a.initiative_id"
    )
    together: dict[str, list[str]] = {}
    for row in rows:
        together.setdefault(row["initiative"], []).append(row["name"])
    said = {each: each if each.startswith("key:") else "+".join(sorted(names)) for each, names in together.items()}
    return {row["name"]: said[row["initiative"]] for row in rows}


def whole(store: Store) -> dict[str, tuple[int, int, str]]:
    said = {row["id"]: row["name"] for row in store.rows("SELECT id, native_id AS name FROM item")}
    groups: dict[int, list[str]] = {}
    for initiative, one in store.connection.execute("SELECT initiative_id, item_id FROM anchor ORDER BY 2"):
        groups.setdefault(initiative, []).append(said[one])
    rows = store.rows("SELECT id, native_id, items_below, finished_below, sponsor FROM initiative")
    named = {
        row["id"]: row["native_id"] if row["native_id"][0] == "k" else "+".join(sorted(groups[row["id"]]))
        for row in rows
    }
    return {named[row["id"]]: (row["items_below"], row["finished_below"], row["sponsor"] or "") for row in rows}


def everything(store: Store) -> list[list[tuple[Any, ...]]]:
    queries = (
        "SELECT item_id, how, name, to_id, problem FROM link ORDER BY 1, 2, 3",
        "SELECT * FROM anchor ORDER BY 1",
        "SELECT * FROM wide_key ORDER BY 1",
        "SELECT * FROM initiative ORDER BY id",
    )
    return [store.connection.execute(query).fetchall() for query in queries]


# What was written only


def test_progress_that_all_parts_tell_is_known_once_there_is_some() -> None:
    with new_store() as store:
        write(store, Piece("A", key="K1"))
        write(store, Piece("B", parent="A"))
        store.connection.execute("UPDATE item SET unknown = ? WHERE key = 'A'", (unknown_bit("percent_complete"),))
        update(store)
        store.connection.execute("DELETE FROM dirty")
        write(store, Piece("B", parent="A", done=True))
        update(store)
        after = everything(store)
        assert store.rows("SELECT percent_complete, unknown FROM initiative") == [
            {"percent_complete": 50, "unknown": 0}
        ]
        store.connection.execute("DELETE FROM setting WHERE name = 'initiatives'")
        update(store)
        assert everything(store) == after


def test_a_part_far_below_that_did_not_move_is_not_counted_again() -> None:
    with new_store() as store:
        write(store, Piece("A", key="K1"))
        write(store, Piece("B", parent="A"))
        update(store)
        store.connection.execute("DELETE FROM dirty")
        write(store, Piece("B", parent="A", title="another", sponsor="Ann"))
        update(store)
        assert store.rows("SELECT * FROM temp.touched") == []
        write(store, Piece("B", parent="A", title="another", since=2))
        update(store)
        assert store.rows("SELECT i.status_since_day FROM initiative n JOIN item i USING (id)") == [
            {"status_since_day": (NOW - timedelta(days=1)).toordinal()}
        ]


def test_where_nothing_changed_nothing_is_looked_at() -> None:
    with new_store() as store:
        write(store, Piece("A", key="K1"))
        write(store, Piece("E", key="K1"))
        update(store)
        store.connection.execute("DELETE FROM dirty")
        told: list[str] = []
        store.connection.set_trace_callback(told.append)
        update(store)
        store.connection.set_trace_callback(None)
        assert [sql for sql in told if not sql.startswith("SELECT value FROM setting")] == [
            "SELECT 1 FROM dirty LIMIT 1"
        ] * 2


def test_an_initiative_that_nothing_changed_in_is_not_written() -> None:
    with new_store() as store:
        for name, key in zip("ABEF", ("K1", "K2", "K1", "K2"), strict=True):
            write(store, Piece(name, key=key))
        update(store)
        store.connection.execute("DELETE FROM dirty")
        write(store, Piece("A", key="K1", sponsor="Ann"))
        update(store)
        changed = "SELECT native_id FROM dirty JOIN item ON id = item_id ORDER BY 1"
        assert [row["native_id"] for row in store.rows(changed)] == ["A", "key:k1"]


def test_what_moves_far_below_moves_the_initiative() -> None:
    with new_store() as store:
        for piece in (Piece("A", key="K1"), Piece("B", parent="A"), Piece("C", parent="B")):
            write(store, piece)
        update(store)
        store.connection.execute("DELETE FROM dirty")
        write(store, Piece("C", parent="B", done=True))
        update(store)
        assert whole(store) == {"key:k1": (3, 1, "")}


def test_links_that_are_not_wanted_any_more_are_forgotten() -> None:
    with new_store() as store:
        write(store, Piece("A", key="K1"))
        update(store)
        assert whole(store)
        update(store, Settings(links.Terms(), wanted().order))
        assert not whole(store)
        assert not store.value("SELECT count(*) FROM link") + store.value("SELECT count(*) FROM anchor")


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("APP-3", ["app-3"]),
        ("https://Trello.com/c/iQ20/5-title/#x", ["https://trello.com/c/iQ20/5-title", "https://trello.com/c/iQ20"]),
        ("https://me:secret@x.org:8443/sheets/a?rowId=5", ["https://x.org:8443/sheets/a?rowId=5",
                                                           "https://x.org:8443/sheets/a"]),
        ("https://x.org", ["https://x.org"]),
        ("https://[half", ["https://[half"]),
    ],
)  # fmt: skip
def test_names_that_a_link_is_looked_up_by(target: str, names: list[str]) -> None:
    found = [*links.variants(links.name_of(target))]
    assert found == names
    assert "secret" not in " ".join(found)


# Rules on initiatives follow them


RULES = """
[[rule]]
id = "sponsor"
on = "initiative"
label = "pmo-sponsor"
says = "{title} {items_below} {finished_below} {sponsor}"
when = { sponsor = "missing" }
[[rule]]
id = "stuck"
on = "initiative"
label = "pmo-stuck"
says = "{days_in_status} {disagreement}"
when = { days_in_status = "over 3" }
[[rule]]
id = "in-one"
label = "pmo-in"
says = "{initiative_key}"
when = { initiative_key = "present" }
"""


def test_what_rules_find_is_what_a_whole_evaluation_finds(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    ruleset = load([file])
    changes = [
        [Piece("A", key="K1"), Piece("B", parent="A"), Piece("C", parent="B"), Piece("E", key="K1", sponsor="Bob")],
        [Piece("E", key="K1")],
        [Piece("B", parent="A", key="K2")],
        [Piece("B", parent="A", done=True)],
        [Piece("F", given=("https://x/i/a",))],
        [Piece("A")],
        [],
    ]
    with new_store() as store:
        for day, pieces in enumerate(changes):
            for piece in pieces:
                write(store, piece)
            update(store)
            assert agrees(store, ruleset, replace(TODAY, now=NOW + timedelta(days=day)), []) is bool(day)
        assert store.value("SELECT count(*) FROM finding WHERE rule = 'in-one'")
        assert store.value("SELECT count(*) FROM finding WHERE rule = 'stuck'")
