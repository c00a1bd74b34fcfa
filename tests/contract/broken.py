"""For every contract test a connector that is broken in one way, and that the test must catch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from connectors.base import (
    Capabilities,
    ChangeResult,
    Collection,
    Connector,
    Dated,
    MadeLabel,
    Notice,
    Option,
    Outcome,
    Page,
    SourceSetup,
)
from connectors.contract import World
from connectors.errors import ConnectorError, InputError, UnsafeError
from connectors.memory import OPTIONS, MemoryConnector, parse_collections, read_world, write_world
from connectors.model import Cursor, ItemRef, LabelChange, WorkItem
from tests.fakes.copying import CopyingConnector, CopyingWorld, load
from tests.fakes.memory import MemoryWorld
from tests.fakes.tidying import TidyingConnector, TidyingWorld


@dataclass(frozen=True)
class Broken:
    """A connector that the contract test `fails` must catch, and the world that it stands on."""

    fails: str
    connector: type[Connector]
    world: Callable[[Path], World]


BROKEN: list[Broken] = []

C = TypeVar("C", bound=type[MemoryConnector])


def breaks(fails: str) -> Callable[[C], C]:
    """Enter a broken connector into the list."""

    def enter(connector: C) -> C:
        worlds: dict[type[MemoryConnector], type[MemoryWorld]] = {
            CopyingConnector: CopyingWorld,
            TidyingConnector: TidyingWorld,
        }
        world = next((worlds[kind] for kind in worlds if issubclass(connector, kind)), MemoryWorld)
        BROKEN.append(Broken(fails, connector, world))
        return connector

    return enter


class Reshaping(MemoryConnector):
    """For breaking what comes out of a pull: pages or items."""

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        for page in super().pull(collection, cursor):
            items = tuple(self.item(item) for item in page.items)
            yield self.page(replace(page, items=items), cursor)

    def page(self, page: Page, cursor: Cursor | None) -> Page:
        return page

    def item(self, item: WorkItem) -> WorkItem:
        return item


class Rewriting(MemoryConnector):
    """For breaking what goes into a write, or what is said of it."""

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        for result in super().apply(collection, [self.change(change) for change in changes]):
            yield self.result(result)

    def change(self, change: LabelChange) -> LabelChange:
        return change

    def result(self, result: ChangeResult) -> ChangeResult:
        return result


# What it says of itself.


@breaks("test_the_class_says_what_it_is")
class TwoOptionsOfOneName(MemoryConnector):
    options: ClassVar[tuple[Option, ...]] = (*OPTIONS, Option("world", "another one"))


@breaks("test_the_class_says_what_it_is")
class HiddenOption(MemoryConnector):
    options: ClassVar[tuple[Option, ...]] = OPTIONS[:1]


@breaks("test_making_one_reaches_nothing")
class ReadsWhenMade(MemoryConnector):
    def __init__(self, setup: SourceSetup) -> None:
        super().__init__(setup)
        read_world(self._file)


@breaks("test_looking_never_writes")
class WritesWhenChecked(MemoryConnector):
    def check(self) -> Sequence[Notice]:
        world = read_world(self._file)
        write_world(self._file, {**world, "log": [{"by": "us", "checked": True}]})
        return super().check()


@breaks("test_looking_never_writes")
class SeesProblemsEverywhere(MemoryConnector):
    def check(self) -> Sequence[Notice]:
        return [Notice("problem", "something may be wrong")]


@breaks("test_closing_is_quiet")
class SaysGoodbye(MemoryConnector):
    def close(self) -> None:
        read_world(self._file)


# Collections.


@breaks("test_collections_are_sorted_and_stay")
class AsTheyCome(MemoryConnector):
    def collections(self) -> Sequence[Collection]:
        return super().collections()[::-1]


@breaks("test_configured_collections_are_the_only_ones")
class TakesAll(MemoryConnector):
    def collections(self) -> Sequence[Collection]:
        return parse_collections(read_world(self._file))


@breaks("test_configured_collections_are_the_only_ones")
class ByIdOnly(MemoryConnector):
    def collections(self) -> Sequence[Collection]:
        found, wanted = parse_collections(read_world(self._file)), self._setup.collections
        return [one for one in found if not wanted or one.native_id in wanted]


@breaks("test_an_unknown_collection_is_a_mistake_not_nothing")
class TakesNothing(MemoryConnector):
    def collections(self) -> Sequence[Collection]:
        found, wanted = parse_collections(read_world(self._file)), self._setup.collections
        return [one for one in found if not wanted or one.name in wanted]


# Pull: what items are.


@breaks("test_refs_name_the_source_and_stay")
class RefsByTitle(Reshaping):
    def item(self, item: WorkItem) -> WorkItem:
        return replace(item, ref=ItemRef(item.ref.source, item.title))


@breaks("test_refs_name_the_source_and_stay")
class RefsOfTheSystem(Reshaping):
    def item(self, item: WorkItem) -> WorkItem:
        return replace(item, ref=ItemRef(self.system, item.ref.native_id))


@breaks("test_hostile_titles_arrive_whole")
class CutsTitles(Reshaping):
    def item(self, item: WorkItem) -> WorkItem:
        return replace(item, title=item.title[:255])


@breaks("test_hostile_titles_arrive_whole")
class TakesMarkupOut(Reshaping):
    def item(self, item: WorkItem) -> WorkItem:
        return replace(item, title=item.title.replace("<b>", ""))


@breaks("test_times_are_aware")
class NaiveTimes(Reshaping):
    def item(self, item: WorkItem) -> WorkItem:
        return replace(item, due_at=item.due_at and item.due_at.replace(tzinfo=None))


@breaks("test_times_are_aware")
class NaiveAsOf(Reshaping):
    def page(self, page: Page, cursor: Cursor | None) -> Page:
        return replace(page, as_of=datetime.fromisoformat("2026-03-01T00:00:00"))


@breaks("test_items_are_as_the_model_says")
class LabelsAsTheyCome(Reshaping):
    def item(self, item: WorkItem) -> WorkItem:
        return replace(item, labels=item.labels[::-1])


@breaks("test_items_are_as_the_model_says")
class OurLabelsOnly(Reshaping):
    def item(self, item: WorkItem) -> WorkItem:
        return replace(item, labels=tuple(label for label in item.labels if label.startswith("pmo-")))


@breaks("test_items_are_as_the_model_says")
class UnknownUnknowns(Reshaping):
    def item(self, item: WorkItem) -> WorkItem:
        return replace(item, unknown=frozenset({"no_such_column"}))


# Pull: pages and cursors.


@breaks("test_the_last_page_alone_is_complete")
class EveryPageIsComplete(Reshaping):
    def page(self, page: Page, cursor: Cursor | None) -> Page:
        return replace(page, complete=True)


@breaks("test_the_last_page_alone_is_complete")
class NeverFull(Reshaping):
    def page(self, page: Page, cursor: Cursor | None) -> Page:
        return replace(page, full=False)


@breaks("test_an_empty_collection_is_complete")
class SilentWhenEmpty(MemoryConnector):
    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        yield from (page for page in super().pull(collection, cursor) if page.items)


@breaks("test_every_item_comes_once")
class LosesTheLastOfAPage(Reshaping):
    def page(self, page: Page, cursor: Cursor | None) -> Page:
        return page if page.complete else replace(page, items=page.items[:-1])


@breaks("test_every_item_comes_once")
class RepeatsAcrossPages(MemoryConnector):
    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        before: tuple[WorkItem, ...] = ()
        for page in super().pull(collection, cursor):
            yield replace(page, items=(*before[-1:], *page.items))
            before = page.items


@breaks("test_a_pull_goes_on_after_any_page")
class CursorOfTheEnd(MemoryConnector):
    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        pages = list(super().pull(collection, cursor))
        yield from (replace(page, cursor=pages[-1].cursor) for page in pages)


@breaks("test_a_pull_that_goes_on_is_full_only_if_it_gave_everything")
class AlwaysFull(Reshaping):
    def page(self, page: Page, cursor: Cursor | None) -> Page:
        return replace(page, full=page.complete)


@breaks("test_incremental_as_declared")
class StartsOver(MemoryConnector):
    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        return super().pull(collection, None)


@breaks("test_incremental_as_declared")
class ComesToRest(MemoryConnector):
    """Once it has a cursor it says for ever that nothing changed."""

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        return super().pull(collection, None) if cursor is None else iter([Page(cursor=cursor, complete=True)])


@breaks("test_incremental_as_declared")
class HidesThatItIsIncremental(MemoryConnector):
    capabilities: ClassVar[Capabilities] = replace(MemoryConnector.capabilities, incremental=False)


@breaks("test_deletions_as_declared")
class ForgetsDeletions(Reshaping):
    def page(self, page: Page, cursor: Cursor | None) -> Page:
        return replace(page, deleted=())


@breaks("test_deletions_as_declared")
class HidesThatItTellsDeletions(MemoryConnector):
    capabilities: ClassVar[Capabilities] = replace(MemoryConnector.capabilities, deletions=False)


@breaks("test_history_as_declared")
class ForgetsHistory(Reshaping):
    def page(self, page: Page, cursor: Cursor | None) -> Page:
        return replace(page, transitions=())


@breaks("test_history_as_declared")
class TellsHistoryOnce(Reshaping):
    """Only in a whole pull, so that later moves are never heard of."""

    def page(self, page: Page, cursor: Cursor | None) -> Page:
        return replace(page, transitions=page.transitions if cursor is None else ())


class HidesThatItHasHistory(Reshaping):
    """Undeclared, and caught on a world whose items come with a history."""

    capabilities: ClassVar[Capabilities] = replace(MemoryConnector.capabilities, history=False)


class StoriedWorld(MemoryWorld):
    def new_item(self, collection: str, title: str, **columns: object) -> str:
        item = super().new_item(collection, title, **columns)
        self.move(item)
        return item


BROKEN.append(Broken("test_history_as_declared", HidesThatItHasHistory, StoriedWorld))


@breaks("test_progress_as_declared")
class NoPercent(CopyingConnector):
    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        for page in super().pull(collection, cursor):
            yield replace(page, items=tuple(replace(item, percent_complete=None) for item in page.items))


class DatingConnector(MemoryConnector):
    """The last move in the file, as if it were dear to look it up. For breaking that."""

    def date(self, collection: Collection, refs: Sequence[ItemRef]) -> Iterator[Dated]:
        entries = {entry["native_id"]: entry for entry in read_world(self._file)["items"]}
        for one in refs:
            moves = [step["at"] for step in entries[one.native_id].get("transitions", ())]
            yield Dated(one, self.start(entries[one.native_id], [datetime.fromisoformat(at) for at in moves]))

    def start(self, entry: dict[str, Any], moves: Sequence[datetime]) -> datetime | None:
        return max(moves, default=None)


@breaks("test_a_status_is_dated_by_its_last_move")
class DatesByTheFirstMove(DatingConnector):
    def start(self, entry: dict[str, Any], moves: Sequence[datetime]) -> datetime | None:
        return min(moves, default=None)


@breaks("test_a_status_is_dated_by_its_last_move")
class DatesByTheLastEdit(DatingConnector):
    def start(self, entry: dict[str, Any], moves: Sequence[datetime]) -> datetime | None:
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=entry["changed"])


@breaks("test_a_status_is_dated_by_its_last_move")
class DatesNothing(DatingConnector):
    def start(self, entry: dict[str, Any], moves: Sequence[datetime]) -> datetime | None:
        return None


@breaks("test_a_status_is_dated_by_its_last_move")
class DatesAndLabels(DatingConnector):
    def start(self, entry: dict[str, Any], moves: Sequence[datetime]) -> datetime | None:
        world = read_world(self._file)
        write_world(self._file, {**world, "log": [{"by": "us", "item": entry["native_id"]}]})
        return max(moves, default=None)


# Apply.


@breaks("test_writing_as_declared")
class SaysDone(MemoryConnector):
    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        yield from (ChangeResult(change.ref, Outcome.DONE) for change in changes)


@breaks("test_writing_as_declared")
class HidesThatItWrites(MemoryConnector):
    capabilities: ClassVar[Capabilities] = replace(MemoryConnector.capabilities, writes=None)


@breaks("test_labels_go_there_and_back")
class OnlyPutsOn(Rewriting):
    def change(self, change: LabelChange) -> LabelChange:
        return replace(change, remove=())


@breaks("test_labels_go_there_and_back")
class TellsTheDelta(Rewriting):
    def result(self, result: ChangeResult) -> ChangeResult:
        return replace(result, labels=result.labels and result.labels[:1])


@breaks("test_labels_go_there_and_back")
class CopyNeverForgets(CopyingConnector):
    """The labels of an earlier copy stay in the next."""

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        shown = load(self.copy).get("labels", {})
        old = [LabelChange(ItemRef(self._setup.name, item), add=tuple(labels)) for item, labels in shown.items()]
        yield from [*super().apply(collection, [*old, *changes])][len(old) :]


@breaks("test_hostile_labels_go_there_and_back")
class NoSpaces(Rewriting):
    def change(self, change: LabelChange) -> LabelChange:
        return replace(change, add=tuple(label.replace(" ", "_") for label in change.add))


@breaks("test_hostile_labels_go_there_and_back")
class CommaSeparated(Rewriting):
    def change(self, change: LabelChange) -> LabelChange:
        return replace(change, add=tuple(part for label in change.add for part in label.split(",")))


@breaks("test_label_limits_as_declared")
class CutsLabels(CopyingConnector):
    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        cut = [replace(change, add=tuple(label[:40] for label in change.add)) for change in changes]
        return super().apply(collection, cut)


@breaks("test_label_limits_as_declared")
class PromisesLongerLabels(CopyingConnector):
    capabilities: ClassVar[Capabilities] = replace(CopyingConnector.capabilities, label_max_length=60)

    def _show(self, labels: dict[str, list[str]], change: LabelChange) -> ChangeResult:
        if any(len(label) > 40 for label in change.add):
            return ChangeResult(change.ref, Outcome.REFUSED, "the label is too long; shorten it")
        return super()._show(labels, change)


@breaks("test_labels_of_others_stay")
class SetsAll(MemoryConnector):
    """The labels are the ones of the change, whatever was there."""

    def _write(self, collection: Collection, change: LabelChange) -> ChangeResult:
        world = read_world(self._file)
        for entry in world["items"]:
            if entry["native_id"] == change.ref.native_id:
                entry["labels"] = [*change.add]
        write_world(self._file, world)
        return ChangeResult(change.ref, Outcome.DONE)


@breaks("test_labels_of_others_stay")
class CopiesOnlyOurs(CopyingConnector):
    def _show(self, labels: dict[str, list[str]], change: LabelChange) -> ChangeResult:
        labels[change.ref.native_id] = []
        return super()._show(labels, change)


class Meddling(MemoryConnector):
    """For writing more than was asked."""

    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        yield from super().apply(collection, changes)
        world = read_world(self._file)
        for entry in world["items"]:
            self.meddle(entry, any(change.ref.native_id == entry["native_id"] for change in changes))
        write_world(self._file, world)

    def meddle(self, entry: dict[str, object], is_ours: bool) -> None:
        """Change an entry of the file in place."""


@breaks("test_nothing_but_the_labels_changes")
class MarksTheTitle(Meddling):
    def meddle(self, entry: dict[str, object], is_ours: bool) -> None:
        entry["title"] = f"{entry['title']} (labelled)" if is_ours else entry["title"]


@breaks("test_nothing_but_the_labels_changes")
class TidiesOthers(Meddling):
    def meddle(self, entry: dict[str, object], is_ours: bool) -> None:
        entry["labels"] = entry["labels"] if is_ours else []


@breaks("test_twice_is_once")
class AppendsBlindly(MemoryConnector):
    def _write(self, collection: Collection, change: LabelChange) -> ChangeResult:
        world = read_world(self._file)
        for entry in world["items"]:
            entry["labels"] += change.add if entry["native_id"] == change.ref.native_id else ()
        write_world(self._file, world)
        return ChangeResult(change.ref, Outcome.DONE)


@breaks("test_twice_is_once")
class CallsTheSecondStale(Rewriting):
    def result(self, result: ChangeResult) -> ChangeResult:
        is_second = result.outcome is Outcome.UNCHANGED
        return replace(result, outcome=Outcome.STALE, message="it changed; plan anew") if is_second else result


@breaks("test_taking_off_what_is_not_there_is_fine")
class RefusesTheAbsent(Rewriting):
    def result(self, result: ChangeResult) -> ChangeResult:
        is_absent = result.outcome is Outcome.UNCHANGED
        return replace(result, outcome=Outcome.REFUSED, message="no such label; add it") if is_absent else result


@breaks("test_one_result_for_each_change_in_order")
class InItsOwnOrder(MemoryConnector):
    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        return super().apply(collection, sorted(changes, key=lambda change: change.ref))


@breaks("test_one_result_for_each_change_in_order")
class StopsAtTheGone(MemoryConnector):
    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        for result in super().apply(collection, changes):
            yield result
            if result.outcome is Outcome.GONE:
                return


@breaks("test_stale_writes_as_declared")
class WritesOntoNewer(Rewriting):
    def change(self, change: LabelChange) -> LabelChange:
        return replace(change, version=None)


@breaks("test_stale_writes_as_declared")
class SaysStaleButWrote(WritesOntoNewer):
    def result(self, result: ChangeResult) -> ChangeResult:
        return replace(result, outcome=Outcome.STALE, message="it changed; plan anew")


@breaks("test_stale_writes_as_declared")
class HidesThatItIsConditional(MemoryConnector):
    capabilities: ClassVar[Capabilities] = replace(MemoryConnector.capabilities, conditional_writes=False)


@breaks("test_stale_writes_as_declared")
class VersionFromBefore(Rewriting):
    def result(self, result: ChangeResult) -> ChangeResult:
        return replace(result, version="0")


@breaks("test_what_somebody_put_on_meanwhile_is_told")
class TakesTheirsForOurs(Rewriting):
    def result(self, result: ChangeResult) -> ChangeResult:
        return replace(result, already=frozenset())


class Repositioning(Rewriting):
    """Its writes give cursors, which are `where` they should not be."""

    where: ClassVar[str]

    def result(self, result: ChangeResult) -> ChangeResult:
        return replace(result, cursor=Cursor(self.where.format(read_world(self._file)["changed"])))


@breaks("test_a_cursor_after_our_write_skips_it")
class GoesOnFromTheStart(Repositioning):
    where: ClassVar[str] = "0:"


@breaks("test_a_cursor_after_our_write_skips_it")
class GoesOnFromTheFuture(Repositioning):
    where: ClassVar[str] = "1000:"


@breaks("test_a_cursor_after_our_write_skips_nobody_elses")
class GoesOnFromOurWrite(Repositioning):
    """Whatever came between the pull and the write."""

    where: ClassVar[str] = "{}:z"


@breaks("test_an_exemption_holds_at_the_moment_of_writing")
class LabelsTheExempt(Rewriting):
    def change(self, change: LabelChange) -> LabelChange:
        return replace(change, unless=None)


@breaks("test_an_exemption_holds_at_the_moment_of_writing")
class SaysExemptButWrote(LabelsTheExempt):
    def result(self, result: ChangeResult) -> ChangeResult:
        is_stale = result.outcome is Outcome.STALE
        return result if is_stale else replace(result, outcome=Outcome.EXEMPT, message="it is exempt; nothing to do")


@breaks("test_an_exemption_holds_at_the_moment_of_writing")
class ExemptForEver(Rewriting):
    def change(self, change: LabelChange) -> LabelChange:
        return replace(change, unless=change.unless and replace(change.unless, today=date.min))


@breaks("test_an_exemption_holds_at_the_moment_of_writing")
class LeavesTheExemptAsTheyAre(MemoryConnector):
    """It looks for exemptions where nothing is put on."""

    def _write(self, collection: Collection, change: LabelChange) -> ChangeResult:
        if change.unless and not change.add:
            return ChangeResult(change.ref, Outcome.EXEMPT, "it is exempt; nothing to do")
        return super()._write(collection, change)


@breaks("test_an_exemption_holds_at_the_moment_of_writing")
class CopiesLabelTheExempt(CopyingConnector):
    def _show(self, labels: dict[str, list[str]], change: LabelChange) -> ChangeResult:
        return super()._show(labels, replace(change, unless=None))


@breaks("test_without_leave_it_never_writes")
class TakesLeave(MemoryConnector):
    def __init__(self, setup: SourceSetup) -> None:
        super().__init__(replace(setup, writable=True))


@breaks("test_without_leave_it_never_writes")
class WritesAndThenRefuses(MemoryConnector):
    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        for change in changes:
            result = self._write(collection, change)
            if not self._setup.writable:
                raise UnsafeError("this run may not write", "start it with --apply")
            yield result


@breaks("test_the_input_is_never_changed")
class LabelsTheInput(CopyingConnector):
    def apply(self, collection: Collection, changes: Sequence[LabelChange]) -> Iterator[ChangeResult]:
        yield from super().apply(collection, changes)
        write_world(self._file, read_world(self._file) | {"labelled": True})


@breaks("test_an_outdated_copy_is_said_to_be")
class CopyIsNeverOutdated(CopyingConnector):
    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        yield from (replace(page, copy_outdated=False) for page in super().pull(collection, cursor))


@breaks("test_an_outdated_copy_is_said_to_be")
class OutdatedWithoutCopies(Reshaping):
    def page(self, page: Page, cursor: Cursor | None) -> Page:
        return replace(page, copy_outdated=page.complete)


@breaks("test_what_was_made_is_told_and_can_be_deleted")
class TellsWhatItFound(TidyingConnector):
    def told(self, wanted: Sequence[str], known: set[str]) -> tuple[MadeLabel, ...]:
        return super().told(wanted, set())


@breaks("test_what_was_made_is_told_and_can_be_deleted")
class DeletesWhatIsCarried(TidyingConnector):
    def is_carried(self, collection: Collection, label: MadeLabel) -> bool:
        return False


@breaks("test_what_was_made_is_told_and_can_be_deleted")
class DeletesMore(TidyingConnector):
    def less(self, known: set[str], label: MadeLabel) -> set[str]:
        return set()


@breaks("test_what_was_made_is_told_and_can_be_deleted")
class SaysDeletedButLeft(TidyingConnector):
    def less(self, known: set[str], label: MadeLabel) -> set[str]:
        return known


# Errors.


@breaks("test_a_broken_tool_is_not_an_empty_one")
class EmptyWhenBroken(MemoryConnector):
    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        try:
            yield from super().pull(collection, cursor)
        except ConnectorError:
            yield Page(complete=True, full=True)


@breaks("test_a_broken_tool_is_not_an_empty_one")
class RaisesWhatItMeets(MemoryConnector):
    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        json.loads(self._file.read_text("utf-8"))
        yield from super().pull(collection, cursor)


@breaks("test_a_collection_that_is_gone_is_not_an_empty_one")
class EmptyWhenGone(MemoryConnector):
    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        try:
            yield from super().pull(collection, cursor)
        except ConnectorError:
            yield Page(complete=True, full=True)


class Saying(MemoryConnector):
    """For breaking what errors say."""

    def pull(self, collection: Collection, cursor: Cursor | None) -> Iterator[Page]:
        try:
            yield from super().pull(collection, cursor)
        except ConnectorError as error:
            raise self.said(error) from None

    def said(self, error: ConnectorError) -> ConnectorError:
        return error


@breaks("test_errors_are_for_people")
class NoNextStep(Saying):
    def said(self, error: ConnectorError) -> ConnectorError:
        return InputError(error.what, "")


@breaks("test_errors_are_for_people")
class ShowsATraceback(Saying):
    def said(self, error: ConnectorError) -> ConnectorError:
        return InputError(f"Traceback (most recent call last):\n{error!r}", "ask us")


@breaks("test_errors_are_for_people")
class ShowsARepr(Saying):
    def said(self, error: ConnectorError) -> ConnectorError:
        return InputError("it failed", f"look at {object()}")


@breaks("test_errors_are_for_people")
class TellsASecret(Saying):
    """The file's name stands in for a token."""

    options: ClassVar[tuple[Option, ...]] = (Option("world", "where it is", "secret", required=True), OPTIONS[1])
