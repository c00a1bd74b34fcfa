"""The contract suite: what every connector, shipped or plugged in, is held to.

Subclass `ConnectorContract`, name the connector, and give it a `World`: a stand-in for the tool in which the suite can
act as the people who use it. For a tool behind HTTP take `connectors.contract_http.HttpConnectorContract` instead.
pytest is needed to run it, and nothing else imports it.

    class TestMemory(ConnectorContract):
        connector = MemoryConnector

        @pytest.fixture
        def world(self, tmp_path: Path) -> World:
            return MemoryWorld(tmp_path)

What a connector declares as its `capabilities` decides which tests apply, and is itself tested in both directions:
what is declared must work, and what works must be declared.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import ClassVar

import pytest

from connectors.base import (
    ChangeResult,
    Collection,
    Connector,
    Dated,
    Dating,
    Granularity,
    MadeLabel,
    Notice,
    Outcome,
    Page,
    SourceSetup,
    Tidied,
    Tidying,
)
from connectors.errors import (
    AccessError,
    ConnectorError,
    GoneError,
    SetupError,
    UnsafeError,
)
from connectors.model import Cursor, Exempting, ItemRef, LabelChange, Transition, WorkItem

HOSTILE_TITLES = (
    "🚀 Ship it 👩🏽‍💻",
    "שלום \u202eabc\u202c עולם",
    "<b>bold</b> &amp; <!-- ]]> -->",
    "Robert'); DROP TABLE item; --",
    '=HYPERLINK("http://evil.example")',
    "{status} %s {0} [red]$HOME",
    "first line\nsecond line",
    "  space around  ",
    "e\u0301 is not \u00e9",
    "x" * 10_000,
)
HOSTILE_LABELS = ("pmo-überfällig", "pmo-停滞", "pmo stuck", "pmo,<&>\"';", "PMO/#42?%20")


class World(ABC):
    """The tool as its people see it: a fake of it, or the files that it exports.

    Ids are those that the connector gives as `native_id`. Nothing here goes through the connector.
    """

    several_pages: ClassVar[int | None] = None
    """How many items surely take three pages with this set-up; `None` if a collection always comes in one."""

    @abstractmethod
    def setup(self, *, writable: bool = True) -> SourceSetup:
        """A source that reaches this world."""

    @abstractmethod
    def new_collection(self, name: str) -> str:
        """Make an empty collection and return its id. Of two, the second's id need not sort last."""

    @abstractmethod
    def new_item(self, collection: str, title: str) -> str:
        """Make an item, with every kind of date and with as much progress as the tool can record; return its id."""

    @abstractmethod
    def edit(self, item: str, title: str) -> None:
        """Give an item another title."""

    @abstractmethod
    def remove(self, item: str) -> None:
        """Delete an item."""

    @abstractmethod
    def put_label(self, item: str, label: str) -> None:
        """Put a label on as a person would; with `Granularity.COLLECTION`, in the input."""

    @abstractmethod
    def labels_of(self, item: str) -> set[str]:
        """The labels as teams see them; with `Granularity.COLLECTION` on the copy, if there is one."""

    @abstractmethod
    def everything(self) -> object:
        """All that the tool holds, to be compared with `==`: any write at all must make a difference."""

    @abstractmethod
    def ruin(self) -> None:
        """From now on nothing can be read: the host is down, the files are cut short."""

    def held(self, title: str) -> str:
        """What the tool makes of a title, if it cannot hold every text."""
        return title.strip()

    def settle(self) -> None:  # noqa: B027 - most worlds have nothing to do here
        """Let so much time go by that a later pull's overlap does not reach back to here."""

    def move(self, item: str) -> str:
        """Move an item to another status and return that status. Asked only of tools that have a history."""
        raise NotImplementedError("a connector with `history`, or that can date, needs a world in which items move")

    def labels_there(self, collection: str) -> set[str]:
        """The labels that a collection knows, carried or not. Asked only of connectors that tidy."""
        raise NotImplementedError("a connector that tidies needs a world that shows the labels of a collection")

    def input_of(self, collection: str) -> bytes:
        """The input itself, apart from its labelled copy. Asked only with `Granularity.COLLECTION`."""
        raise NotImplementedError("a connector that writes copies needs a world that shows the input")


@dataclass(frozen=True)
class Pulled:
    """All pages of one pull, put together."""

    pages: Sequence[Page]

    @property
    def items(self) -> dict[str, WorkItem]:
        """By `native_id`; of an item that came twice, the last."""
        return {item.ref.native_id: item for page in self.pages for item in page.items}

    @property
    def deleted(self) -> set[str]:
        return {ref.native_id for page in self.pages for ref in page.deleted}

    @property
    def transitions(self) -> list[Transition]:
        return [transition for page in self.pages for transition in page.transitions]

    @property
    def cursor(self) -> Cursor | None:
        return self.pages[-1].cursor


class ConnectorContract:
    """The tests. Each opens its connectors anew: nothing may live on in one that a later run would miss."""

    connector: ClassVar[type[Connector]]

    @pytest.fixture
    def world(self) -> World:
        raise NotImplementedError('give the suite a fixture "world"')

    # What the tests are made of.

    def pull(self, world: World, collection: str, cursor: Cursor | None = None, pages: int | None = None) -> Pulled:
        """Pull with a fresh connector; only so many `pages` if given, as if the run was killed then."""
        with closing(self.connector(world.setup())) as connector:
            stream = connector.pull(find(connector, collection), cursor)
            return Pulled(list(stream) if pages is None else [next(stream) for _ in range(pages)])

    def apply(self, world: World, collection: str, *changes: LabelChange) -> list[ChangeResult]:
        """Apply with a fresh connector that may write."""
        with closing(self.connector(world.setup())) as connector:
            return list(connector.apply(find(connector, collection), changes))

    def put(self, world: World, collection: str, item: str, *labels: str) -> ChangeResult:
        """Put labels on one item."""
        return self.apply(world, collection, LabelChange(ref(world, item), add=labels))[0]

    def take(self, world: World, collection: str, item: str, *labels: str) -> None:
        """Take our labels off the only item that has some."""
        whole = self.connector.capabilities.writes is Granularity.COLLECTION
        self.apply(world, collection, *(() if whole else (LabelChange(ref(world, item), remove=labels),)))

    def only_if(self, applies: object, why_not: str) -> None:
        if not applies:
            pytest.skip(why_not)

    def only_if_it_writes(self) -> None:
        self.only_if(self.connector.capabilities.writes, "it does not write labels")

    # What it says of itself.

    def test_the_class_says_what_it_is(self, world: World) -> None:
        connector = self.connector(world.setup())
        assert isinstance(connector, Connector), "a method or attribute of connectors.base.Connector is missing"
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", connector.system), "`system` is one lower-case word"
        assert is_sentence(connector.summary), "`summary` is one line"
        names = [option.name for option in connector.options]
        assert len(set(names)) == len(names), "an option is declared twice"
        assert all(is_sentence(option.help) for option in connector.options), "an option without help"
        assert set(world.setup().options) <= set(names), "the world uses an option that is not declared"
        assert not any(option.required and option.default is not None for option in connector.options), (
            "a required option cannot have a default"
        )

    def test_making_one_reaches_nothing(self, world: World) -> None:
        world.ruin()
        try:
            self.connector(world.setup()).close()
        except ConnectorError as error:
            raise AssertionError(f"__init__ does input or output: {error}") from error

    def test_looking_never_writes(self, world: World) -> None:
        board = world.new_collection("Board")
        world.new_item(board, "One")
        before = world.everything()
        with closing(self.connector(world.setup())) as connector:
            notices = connector.check()
            list(connector.pull(find(connector, board), None))
        assert world.everything() == before, "check, collections or pull wrote something"
        assert notices, "check has nothing to say"
        assert all(isinstance(notice, Notice) and is_sentence(notice.text) for notice in notices), "not one line each"
        assert all(notice.level != "problem" for notice in notices), f"a problem where none is: {notices}"

    def test_closing_is_quiet(self, world: World) -> None:
        board = world.new_collection("Board")
        world.new_item(board, "One")
        self.connector(world.setup()).close()
        connector = self.connector(world.setup())
        next(connector.pull(find(connector, board), None))
        world.ruin()
        try:
            connector.close()
        except Exception as error:
            raise AssertionError(f"close raised {error!r}") from error

    # Collections.

    def test_collections_are_sorted_and_stay(self, world: World) -> None:
        made = sorted([world.new_collection("Second"), world.new_collection("First")])
        for _ in range(2):
            with closing(self.connector(world.setup())) as connector:
                assert [found.native_id for found in connector.collections()] == made, "not all, or not sorted by id"

    def test_configured_collections_are_the_only_ones(self, world: World) -> None:
        wanted, _ = world.new_collection("First"), world.new_collection("Second")
        with closing(self.connector(world.setup())) as connector:
            name = find(connector, wanted).name
        for chosen in (wanted, name):
            with closing(self.connector(replace(world.setup(), collections=(chosen,)))) as connector:
                found = [collection.native_id for collection in connector.collections()]
                assert found == [wanted], f'collections = ["{chosen}"] gave {found}'

    def test_an_unknown_collection_is_a_mistake_not_nothing(self, world: World) -> None:
        world.new_collection("Board")
        setup = replace(world.setup(), collections=("No such thing",))
        with closing(self.connector(setup)) as connector:
            error = refused(connector.collections, "collections()", SetupError, GoneError, AccessError)
        assert "No such thing" in str(error), "the message does not say which"

    # Pull: what items are.

    def test_refs_name_the_source_and_stay(self, world: World) -> None:
        boards = [world.new_collection("First"), world.new_collection("Second")]
        made = {board: [world.new_item(board, "Same title") for _ in range(3)] for board in boards}
        world.edit(made[boards[0]][0], "Another title")
        for board in boards:
            items = self.pull(world, board).items
            assert set(items) == set(made[board]), "not the items of this collection, or not by their immutable id"
            assert {item.ref.source for item in items.values()} == {world.setup().name}, "not the source's name"
            assert {item.collection for item in items.values()} == {board}, "not the collection's id"

    def test_hostile_titles_arrive_whole(self, world: World) -> None:
        board = world.new_collection("Board")
        made = {world.new_item(board, title): title for title in HOSTILE_TITLES}
        items = self.pull(world, board).items
        for item, title in made.items():
            assert item in items, f"the item with the title {title[:40]!r} was lost"
            assert items[item].title == world.held(title), f"{title[:40]!r} became {items[item].title[:40]!r}"

    def test_times_are_aware(self, world: World) -> None:
        board = world.new_collection("Board")
        world.new_item(board, "One")
        pulled = self.pull(world, board)
        times = [time for item in pulled.items.values() for time in times_of(item)]
        assert times, "no item has any time; give the world's items dates"
        times += [transition.at for transition in pulled.transitions]
        times += [page.as_of for page in pulled.pages if page.as_of]
        assert all(time.utcoffset() is not None for time in times), "a time without an offset"

    def test_items_are_as_the_model_says(self, world: World) -> None:
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        for label in ("zebra", "ant"):
            world.put_label(item, label)
        found = self.pull(world, board).items[item]
        assert found.key, "an item without a key"
        assert {"zebra", "ant"} <= set(found.labels), "labels that people put on are missing"
        assert list(found.labels) == sorted(set(found.labels)), "labels are sorted, and each is there once"
        assert found.percent_complete is None or 0 <= found.percent_complete <= 100, "percent_complete is 0 to 100"
        texts = [value for value in values_of(found) if isinstance(value, str)]
        assert all(text == text.strip() for text in texts), "text with space around it"
        columns = {column.name for column in fields(WorkItem)} | set(world.setup().fields)
        assert found.unknown <= columns, f"`unknown` names what no column is: {found.unknown - columns}"

    # Pull: pages and cursors.

    def test_the_last_page_alone_is_complete(self, world: World) -> None:
        board = world.new_collection("Board")
        for number in range(world.several_pages or 3):
            world.new_item(board, f"Item {number}")
        pages = self.pull(world, board).pages
        only_last = [False] * (len(pages) - 1) + [True]
        assert [page.complete for page in pages] == only_last, "`complete` is for the last page, and for no other"
        assert [page.full for page in pages] == only_last, "a whole pull is full at its end, and no sooner"

    def test_an_empty_collection_is_complete(self, world: World) -> None:
        pages = self.pull(world, world.new_collection("Empty")).pages
        assert pages, "no page at all"
        assert not any(page.items for page in pages), "items out of nowhere"
        assert pages[-1].complete, "empty is an answer too"
        assert pages[-1].full, "empty is all that there is"

    def test_every_item_comes_once(self, world: World) -> None:
        self.only_if(world.several_pages, "a collection comes in one page")
        board = world.new_collection("Board")
        made = [world.new_item(board, f"Item {number}") for number in range(world.several_pages or 0)]
        pages = self.pull(world, board).pages
        came = [item.ref.native_id for page in pages for item in page.items]
        assert len(pages) >= 3, "the world's `several_pages` are not several"
        assert sorted(came) == sorted(made), "an item was lost between pages, or came twice"

    def test_a_pull_goes_on_after_any_page(self, world: World) -> None:
        self.only_if(world.several_pages, "a collection comes in one page")
        board = world.new_collection("Board")
        made = [world.new_item(board, f"Item {number}") for number in range(world.several_pages or 0)]
        for pages in range(1, len(self.pull(world, board).pages) + 1):
            first = self.pull(world, board, pages=pages)
            edited = made[pages % len(made)]
            world.edit(edited, f"Edited after page {pages}")
            rest = self.pull(world, board, first.cursor)
            together = first.items | rest.items
            assert set(together) == set(made), f"lost after page {pages}: {set(made) - set(together)}"
            assert together[edited].title == f"Edited after page {pages}", "an edit between two runs was lost"
            assert rest.pages[-1].complete, "the pull that went on never came to its end"

    def test_a_pull_that_goes_on_is_full_only_if_it_gave_everything(self, world: World) -> None:
        board = world.new_collection("Board")
        made = [world.new_item(board, f"Item {number}") for number in range(3)]
        cursor = self.pull(world, board).cursor
        self.only_if(cursor, "it gives no cursor")
        again = self.pull(world, board, cursor)
        assert set(again.items) == set(made) or not any(page.full for page in again.pages), "full, and not all there"
        world.edit(made[1], "Edited")
        again = self.pull(world, board, cursor)
        assert set(again.items) == set(made) or not any(page.full for page in again.pages), "full, and not all there"

    def test_incremental_as_declared(self, world: World) -> None:
        board = world.new_collection("Board")
        made = [world.new_item(board, f"Item {number}") for number in range(3)]
        world.settle()
        cursor = self.pull(world, board).cursor
        again = set(self.pull(world, board, cursor).items)
        if not self.connector.capabilities.incremental:
            assert again == set(made), "it gives less than everything, but is not declared `incremental`"
            return
        assert not again, "it is declared `incremental`, but gives what has not changed"
        world.edit(made[1], "Edited")
        new = world.new_item(board, "New")
        came = self.pull(world, board, cursor)
        assert {made[1], new} <= set(came.items), "what changed or is new did not come"
        assert came.items[made[1]].title == "Edited", "it came as it was"
        assert came.cursor != cursor, "the cursor did not move"

    def test_deletions_as_declared(self, world: World) -> None:
        board = world.new_collection("Board")
        stays, goes = world.new_item(board, "Stays"), world.new_item(board, "Goes")
        cursor = self.pull(world, board).cursor
        world.remove(goes)
        deleted = self.pull(world, board, cursor).deleted
        declared = self.connector.capabilities.deletions
        assert deleted == ({goes} if declared else set()), f"`deletions` is {declared}, but deleted are {deleted}"
        assert set(self.pull(world, board).items) == {stays}, "a whole pull still gives what was deleted"

    def test_history_as_declared(self, world: World) -> None:
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        if not self.connector.capabilities.history:
            assert not self.pull(world, board).transitions, "it gives transitions, but does not declare `history`"
            return
        cursor = self.pull(world, board).cursor
        moves = [world.move(item) for _ in range(2)]
        for pulled in (self.pull(world, board), self.pull(world, board, cursor)):
            found = sorted((one for one in pulled.transitions if one.ref.native_id == item), key=lambda one: one.at)
            assert [one.to_status for one in found][-2:] == moves, "moves are missing from the history"
            assert pulled.items[item].status == moves[-1], "the item and its history disagree"

    def test_progress_as_declared(self, world: World) -> None:
        self.only_if(self.connector.capabilities.progress, "progress is not what moves")
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        assert self.pull(world, board).items[item].percent_complete is not None, "`progress` without percent_complete"

    def test_a_status_is_dated_by_its_last_move(self, world: World) -> None:
        self.only_if(issubclass(self.connector, Dating), "it dates no status")
        board = world.new_collection("Board")
        item, other = world.new_item(board, "One"), world.new_item(board, "Other")
        found: list[datetime] = []
        for _ in range(2):
            world.settle()
            world.move(item)
            [dated] = self.date(world, board, item)
            assert dated.since is not None, "it has a history, and the start is unknown"
            assert dated.since.utcoffset() is not None, "a time without an offset"
            found.append(dated.since)
        assert found[0] < found[1], f"the first move is dated {found[0]}, and the second {found[1]}"
        world.settle()
        world.edit(item, "Edited")
        if self.connector.capabilities.writes:
            self.put(world, board, item, "pmo-one")
        dates = self.date(world, board, other, item)
        assert [dated.ref.native_id for dated in dates] == [other, item], "one answer for each, in their order"
        assert dates[1].since == found[1], "an edit, or our own write, is taken for a move"

    def date(self, world: World, collection: str, *items: str) -> list[Dated]:
        """What a fresh connector says of items after it pulled them; it sees nothing of what it asks changed."""
        with closing(self.connector(world.setup())) as connector:
            assert isinstance(connector, Dating)
            board = find(connector, collection)
            list(connector.pull(board, None))
            before = world.everything()
            found = list(connector.date(board, [ref(world, item) for item in items]))
        assert world.everything() == before, "date wrote something"
        return found

    # Apply.

    def test_writing_as_declared(self, world: World) -> None:
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        if self.connector.capabilities.writes:
            assert self.put(world, board, item, "pmo-one").outcome is Outcome.DONE
            assert "pmo-one" in world.labels_of(item), "it says that it is done, and it is not"
            return
        before = world.everything()
        refused(lambda: self.put(world, board, item, "pmo-one"), "apply()", UnsafeError)
        assert world.everything() == before, "it wrote, but does not declare `writes`"

    def test_labels_go_there_and_back(self, world: World) -> None:
        self.only_if_it_writes()
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        result = self.put(world, board, item, "pmo-one", "pmo-two")
        assert world.labels_of(item) == {"pmo-one", "pmo-two"}, "they do not arrive"
        assert result.labels is None or set(result.labels) == {"pmo-one", "pmo-two"}, "the result says otherwise"
        assert self.pull(world, board).items[item].labels == ("pmo-one", "pmo-two"), "a pull does not see them"
        self.take(world, board, item, "pmo-one", "pmo-two")
        assert world.labels_of(item) == set(), "they do not come off"
        assert self.pull(world, board).items[item].labels == (), "a pull still sees them"

    def test_hostile_labels_go_there_and_back(self, world: World) -> None:
        self.only_if_it_writes()
        can = self.connector.capabilities
        labels = {without(label, can.label_forbids)[: can.label_max_length].strip() for label in HOSTILE_LABELS}
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        for label in sorted(labels):
            self.put(world, board, item, label)
            assert world.labels_of(item) == {label}, f"{label!r} became {world.labels_of(item)}"
            assert self.pull(world, board).items[item].labels == (label,), f"a pull does not see {label!r}"
            self.take(world, board, item, label)

    def test_label_limits_as_declared(self, world: World) -> None:
        self.only_if_it_writes()
        can = self.connector.capabilities
        self.only_if(can.label_max_length or can.label_forbids, "labels have no limits")
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        longest = "x" * (can.label_max_length or 100)
        assert self.put(world, board, item, longest).outcome is Outcome.DONE, "the longest label is refused"
        assert world.labels_of(item) == {longest}, "the longest label was cut"
        self.take(world, board, item, longest)
        beyond = [f"pmo{character}x" for character in can.label_forbids]
        beyond += ["x" * (can.label_max_length + 1)] if can.label_max_length else []
        for label in beyond:
            result = self.put(world, board, item, label)
            assert result.outcome is Outcome.REFUSED, f"{label[:20]!r} cannot be a label, but is {result.outcome}"
            assert is_sentence(result.message), "a refusal says why"
            assert world.labels_of(item) == set(), f"{label[:20]!r} was written all the same"

    def test_labels_of_others_stay(self, world: World) -> None:
        self.only_if_it_writes()
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        world.put_label(item, "theirs")
        if self.connector.capabilities.writes is not Granularity.COLLECTION:
            self.pull(world, board)
            world.put_label(item, "put on after the pull")
        theirs = world.labels_of(item)
        self.put(world, board, item, "pmo-one")
        assert world.labels_of(item) == {*theirs, "pmo-one"}, "putting ours on touched theirs"
        self.take(world, board, item, "pmo-one")
        assert world.labels_of(item) == theirs, "taking ours off touched theirs"

    def test_nothing_but_the_labels_changes(self, world: World) -> None:
        self.only_if_it_writes()
        board = world.new_collection("Board")
        ours, other = world.new_item(board, "Ours"), world.new_item(board, "Other")
        world.put_label(other, "theirs")
        before = self.pull(world, board).items
        self.put(world, board, ours, "pmo-one")
        after = self.pull(world, board).items
        assert after[other] == before[other], "another item changed"
        may_differ = replace(before[ours], labels=("pmo-one",), version=None, updated_at=None)
        assert replace(after[ours], version=None, updated_at=None) == may_differ, "more than the labels changed"

    def test_twice_is_once(self, world: World) -> None:
        self.only_if_it_writes()
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        version = self.pull(world, board).items[item].version
        for conditional in (None, version):
            change = LabelChange(ref(world, item), add=("pmo-one",), version=conditional)
            self.apply(world, board, change)
            once = world.everything()
            again = self.apply(world, board, change)[0].outcome
            assert again in (Outcome.DONE, Outcome.UNCHANGED), f"the second time it is {again}"
            assert world.everything() == once, "applying twice is not applying once"

    def test_taking_off_what_is_not_there_is_fine(self, world: World) -> None:
        self.only_if_it_writes()
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        result = self.apply(world, board, LabelChange(ref(world, item), remove=("pmo-absent",)))[0]
        assert result.outcome in (Outcome.DONE, Outcome.UNCHANGED), f"it is {result.outcome}: {result.message}"
        assert world.labels_of(item) == set(), "a label out of nowhere"

    def test_one_result_for_each_change_in_order(self, world: World) -> None:
        self.only_if_it_writes()
        board = world.new_collection("Board")
        made = [world.new_item(board, f"Item {number}") for number in range(4)]
        wanted = [made[2], made[0], made[3], made[1]]
        world.remove(made[3])
        results = self.apply(world, board, *(LabelChange(ref(world, item), add=("pmo-one",)) for item in wanted))
        came = [result.ref.native_id for result in results]
        assert came == wanted, f"results for {came} to changes of {wanted}"
        outcomes = [result.outcome for result in results]
        assert outcomes == [Outcome.DONE, Outcome.DONE, Outcome.GONE, Outcome.DONE], "what is gone is `gone`, no more"
        assert is_sentence(results[2].message), "a result beside done and unchanged says what to do"

    def test_stale_writes_as_declared(self, world: World) -> None:
        self.only_if_it_writes()
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        version = self.pull(world, board).items[item].version
        if not self.connector.capabilities.conditional_writes:
            assert version is None, "items have a version, but `conditional_writes` is not declared"
            return
        world.edit(item, "Edited meanwhile")
        before = world.everything()
        stale = self.apply(world, board, LabelChange(ref(world, item), add=("pmo-one",), version=version))[0]
        assert stale.outcome is Outcome.STALE, f"a write onto a newer item is {stale.outcome}"
        assert is_sentence(stale.message), "a result beside done and unchanged says what to do"
        assert world.everything() == before, "it is called stale, but was written"
        newer = self.pull(world, board).items[item].version
        done = self.apply(world, board, LabelChange(ref(world, item), add=("pmo-one",), version=newer))[0]
        assert done.outcome is Outcome.DONE, "a write onto the item as it was pulled is refused"
        assert done.version in (None, self.pull(world, board).items[item].version), "the version after is not this one"

    def test_what_somebody_put_on_meanwhile_is_told(self, world: World) -> None:
        self.only_if_it_writes()
        is_file = self.connector.capabilities.writes is Granularity.COLLECTION
        self.only_if(not is_file, "nobody edits a labelled copy while it is made")
        board = world.new_collection("Board")
        item = world.new_item(board, "Item")
        self.pull(world, board)
        world.put_label(item, "pmo-theirs")
        result = self.apply(world, board, LabelChange(ref(world, item), add=("pmo-ours", "pmo-theirs")))[0]
        assert result.outcome is Outcome.DONE, f"one label was still to be put on, and that is {result.outcome}"
        assert result.already == {"pmo-theirs"}, "a label that a person put on before the write is taken for ours"

    def test_a_cursor_after_our_write_skips_it(self, world: World) -> None:
        self.only_if_it_writes()
        board, ours, other, cursor = self.written(world)
        self.only_if(cursor, "no write gives a cursor")
        again = self.pull(world, board, cursor)
        assert not again.items, "what we wrote ourselves came as news"
        assert again.pages[-1].complete, "the pull that went on never came to its end"
        for item in (other, ours):
            world.edit(item, "Edited after the write")
            came = self.pull(world, board, cursor).items
            assert item in came, "an edit after our write was lost"
            assert came[item].title == "Edited after the write", "it came as it was"

    def test_a_cursor_after_our_write_skips_nobody_elses(self, world: World) -> None:
        self.only_if_it_writes()
        whole = self.connector.capabilities.writes is Granularity.COLLECTION
        self.only_if(not whole, "no copy is made of what changed since it was read")
        board, _, other, cursor = self.written(world, meanwhile="Edited before the write")
        came = self.pull(world, board, cursor).items
        assert other in came, "an edit between the pull and our write was lost"
        assert came[other].title == "Edited before the write", "it came as it was"

    def written(self, world: World, meanwhile: str | None = None) -> tuple[str, str, str, Cursor | None]:
        """A board, the item on it that was labelled after a pull, another item, and the cursor that came of it.

        A person gave the other item the title `meanwhile` between the pull and the write.
        """
        board = world.new_collection("Board")
        ours, other = world.new_item(board, "Ours"), world.new_item(board, "Other")
        world.settle()
        with closing(self.connector(world.setup())) as connector:
            collection = find(connector, board)
            pages = list(connector.pull(collection, None))
            if meanwhile:
                world.edit(other, meanwhile)
            [result] = connector.apply(collection, [LabelChange(ref(world, ours), add=("pmo-one",))])
        assert result.outcome is Outcome.DONE, f"it is {result.outcome}: {result.message}"
        return board, ours, other, result.cursor or (pages[-1].cursor if meanwhile else None)

    def test_an_exemption_holds_at_the_moment_of_writing(self, world: World) -> None:
        self.only_if_it_writes()
        board = world.new_collection("Board")
        over, exempt, other = (world.new_item(board, title) for title in ("Over", "Exempt", "Other"))
        unless = Exempting("pmo-exempt", date(2026, 3, 20))
        version = self.pull(world, board).items[exempt].version
        world.put_label(over, "pmo-exempt-until-2026-03-19")
        world.put_label(exempt, "pmo-exempt-until-2026-03-20")
        before = world.labels_of(exempt)
        for planned in (version, None):
            changes = [LabelChange(ref(world, item), add=("pmo-one",), unless=unless) for item in (over, exempt, other)]
            changes[1] = replace(changes[1], version=planned)
            results = self.apply(world, board, *changes)
            left = (Outcome.EXEMPT, Outcome.STALE) if planned else (Outcome.EXEMPT,)
            assert results[1].outcome in left, f"an item that was exempted meanwhile is {results[1].outcome}"
            assert is_sentence(results[1].message), "a result beside done and unchanged says what to do"
            assert world.labels_of(exempt) == before, "a person exempted the item, and it was labelled"
            assert {results[0].outcome, results[2].outcome} <= {Outcome.DONE, Outcome.UNCHANGED}, "others go without"
            assert "pmo-one" in world.labels_of(over), "an exemption that is over still holds"
            assert "pmo-one" in world.labels_of(other), "another item's exemption holds it back"
        off = self.apply(world, board, LabelChange(ref(world, other), remove=("pmo-one",), unless=unless))[0]
        assert off.outcome is Outcome.DONE, "what puts nothing on is not held back"

    def test_without_leave_it_never_writes(self, world: World) -> None:
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        before = world.everything()
        with closing(self.connector(world.setup(writable=False))) as connector:
            collection = find(connector, board)
            change = LabelChange(ref(world, item), add=("pmo-one",))
            refused(lambda: list(connector.apply(collection, [change])), "apply()", UnsafeError)
        assert world.everything() == before, "it refused, but had written"

    def test_the_input_is_never_changed(self, world: World) -> None:
        self.only_if(self.connector.capabilities.writes is Granularity.COLLECTION, "it writes no copies")
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        before = world.input_of(board)
        self.put(world, board, item, "pmo-one")
        assert world.input_of(board) == before, "the input was written to"
        self.take(world, board, item, "pmo-one")
        assert world.input_of(board) == before, "the input was written to"

    def test_an_outdated_copy_is_said_to_be(self, world: World) -> None:
        board = world.new_collection("Board")
        item = world.new_item(board, "One")
        copies = self.connector.capabilities.writes is Granularity.COLLECTION
        if self.connector.capabilities.writes:
            self.put(world, board, item, "pmo-one")
            assert not self.pull(world, board).pages[-1].copy_outdated, "outdated right after the writing"
        world.edit(item, "Edited")
        pages = self.pull(world, board).pages
        assert pages[-1].copy_outdated is copies, f"after an edit of the input, copy_outdated is not {copies}"
        assert not any(page.copy_outdated for page in pages[:-1]), "only the last page may say so"

    def test_what_was_made_is_told_and_can_be_deleted(self, world: World) -> None:
        self.only_if(issubclass(self.connector, Tidying), "it deletes no labels")
        board = world.new_collection("Board")
        item, other = world.new_item(board, "One"), world.new_item(board, "Other")
        world.put_label(other, "theirs")
        before = world.labels_there(board)
        made = self.put(world, board, item, "pmo-one", "theirs").made
        assert [label.name for label in made] == ["pmo-one"], f"made was pmo-one, and told is {made}"
        assert not self.put(world, board, other, "pmo-one").made, "what was there already is told as made"
        self.take(world, board, item, "pmo-one", "theirs")
        [kept] = self.tidy(world, board, *made)
        assert kept.outcome is Outcome.REFUSED, f"an item carries it, and it is {kept.outcome}"
        assert is_sentence(kept.message), "what keeps it is not said"
        assert "pmo-one" in world.labels_of(other), "it was deleted, and an item carried it"
        self.apply(world, board, LabelChange(ref(world, other), remove=("pmo-one",)))
        refused(lambda: self.tidy(world, board, *made, writable=False), "tidy() without leave", UnsafeError)
        assert "pmo-one" in world.labels_there(board), "it refused, but had deleted"
        assert [tidied.outcome for tidied in self.tidy(world, board, *made)] == [Outcome.DONE]
        assert world.labels_there(board) == before, "it is still there, or another one is not"
        assert world.labels_of(other) == {"theirs"}, "a label of others went"
        assert [tidied.outcome for tidied in self.tidy(world, board, *made)] == [Outcome.GONE], "it is gone already"

    def tidy(self, world: World, collection: str, *made: MadeLabel, writable: bool = True) -> list[Tidied]:
        """What a fresh connector makes of labels that are to be deleted."""
        with closing(self.connector(world.setup(writable=writable))) as connector:
            assert isinstance(connector, Tidying)
            return list(connector.tidy(find(connector, collection), made))

    # Errors.

    def test_a_broken_tool_is_not_an_empty_one(self, world: World) -> None:
        board = world.new_collection("Board")
        world.new_item(board, "One")
        with closing(self.connector(world.setup())) as connector:
            collection = find(connector, board)
            world.ruin()
            came: list[Page] = []
            refused(lambda: came.extend(connector.pull(collection, None)), "pull()", ConnectorError)
        assert not any(page.complete for page in came), "a tool that cannot be read gave a complete answer"

    def test_a_collection_that_is_gone_is_not_an_empty_one(self, world: World) -> None:
        world.new_collection("Board")
        gone = Collection("no-such-id", "Gone")
        with closing(self.connector(world.setup())) as connector:
            refused(lambda: list(connector.pull(gone, None)), "pull()", GoneError, AccessError, SetupError)

    def test_errors_are_for_people(self, world: World) -> None:
        board = world.new_collection("Board")
        setup = world.setup()
        with closing(self.connector(setup)) as connector:
            collection = find(connector, board)
            world.ruin()
            error = refused(lambda: list(connector.pull(collection, None)), "pull()", ConnectorError)
        for_people(error, setup, self.connector)


# What the tests share.


def find(connector: Connector, native_id: str) -> Collection:
    """The collection as the connector names it."""
    found = {collection.native_id: collection for collection in connector.collections()}
    assert native_id in found, f"collections() does not give {native_id}, but {sorted(found)}"
    return found[native_id]


def ref(world: World, item: str) -> ItemRef:
    return ItemRef(world.setup().name, item)


def refused(call: object, what: str, *allowed: type[ConnectorError]) -> ConnectorError:
    """The error that `call` raises, which is one of `allowed`."""
    assert callable(call)
    try:
        call()
    except allowed as error:
        return error
    except Exception as error:
        raise AssertionError(
            f"{what} raised {error!r}, not {' or '.join(kind.__name__ for kind in allowed)}"
        ) from error
    raise AssertionError(f"{what} did not raise {' or '.join(kind.__name__ for kind in allowed)}")


def is_sentence(text: str) -> bool:
    """One line with something to read on it."""
    return bool(text.strip()) and "\n" not in text and "Traceback" not in text


def for_people(error: ConnectorError, setup: SourceSetup, connector: type[Connector]) -> None:
    """The error is one line that says what to do next; no secret is in it or in its causes, which a log may show."""
    assert is_sentence(str(error)), f"more than a sentence: {str(error)[:500]!r}"
    assert error.next_step.strip(), f"it does not say what to do next: {error}"
    assert not re.search(r"0x[0-9a-f]{6}|\w+\(.*\)$", str(error)), f"an object's repr is not for people: {error}"
    texts = "\n".join(repr(one) for one in chain_of(error))
    assert not [secret for secret in secrets_of(setup, connector) if secret in texts], "a secret is in an error"


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """The error and those that it came from."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__


def secrets_of(setup: SourceSetup, connector: type[Connector]) -> list[str]:
    names = [option.name for option in connector.options if option.kind == "secret"]
    return [str(setup.options[name]) for name in names if setup.options.get(name)]


def values_of(item: WorkItem) -> list[object]:
    """All that an item holds, also inside of tuples and mappings."""
    found: list[object] = []
    for column in fields(item):
        value = getattr(item, column.name)
        nested = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple) else (value,)
        found.extend(nested)
    return found


def times_of(item: WorkItem) -> list[datetime]:
    return [value for value in values_of(item) if isinstance(value, datetime)]


def without(text: str, characters: str) -> str:
    return text.translate(dict.fromkeys(map(ord, characters)))
