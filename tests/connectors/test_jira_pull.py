"""Pulls and writes on a Jira with its bad days: what is late, cut, shifted, hidden, moved or gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from connectors.base import ChangeResult, Collection, Outcome, SourceSetup
from connectors.contract import Pulled
from connectors.errors import AccessError, AuthError, BusyError, ConnectorError, GoneError, InputError, SetupError
from connectors.fakes.jira.api import Jira
from connectors.fakes.jira.doors import ALL_SCOPES, GATEWAY, TOKEN
from connectors.fakes.jira.refusals import conflict
from connectors.fakes.jira.site import Site
from connectors.fakes.jira.state import ADA, AUTOMATION, US, issue_type
from connectors.fakes.server import Answer, Request
from connectors.jira import JiraConnector
from connectors.model import Cursor, ItemRef, LabelChange

DAY = timedelta(days=1)
HTML = {"Content-Type": "text/html"}


@dataclass
class Shop:
    """A Jira with the project APP, and how we reach it."""

    jira: Jira
    setup: SourceSetup
    collection: Collection

    @property
    def site(self) -> Site:
        return self.jira.site

    def pull(self, cursor: Cursor | None = None, pages: int | None = None, **options: Any) -> Pulled:
        with closing(self.connector(**options)) as connector:
            stream = connector.pull(self.collection, cursor)
            return Pulled(list(stream) if pages is None else [next(stream) for _ in range(pages)])

    def apply(self, *changes: LabelChange) -> list[ChangeResult]:
        with closing(self.connector()) as connector:
            return list(connector.apply(self.collection, changes))

    def connector(self, **options: Any) -> JiraConnector:
        return JiraConnector(replace(self.setup, options={**self.setup.options, **options}))

    def made(self, count: int, **fields: Any) -> list[str]:
        return [self.site.new_issue("APP", f"Item {number}", **fields).id for number in range(count)]

    def put(self, issue: str, label: str = "pmo-x") -> LabelChange:
        return LabelChange(ItemRef("delivery", issue), add=(label,))

    def asked(self, path: str) -> list[Request]:
        return [one for one in self.jira.requests if path in one.path]


def shop(*, cloud: bool) -> Shop:
    site = Site(cloud=cloud, zone="Asia/Shanghai")
    project = site.new_project("APP", "The app")
    jira = Jira(site)
    options = {"base_url": jira.url, "token": TOKEN, "page_size": 2, "sweep_hours": 24}
    setup = SourceSetup("delivery", options | ({"email": US.email} if cloud else {}), writable=True)
    return Shop(jira, setup, Collection(project.id, "The app"))


@pytest.fixture(params=["cloud", "data center"])
def any_shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    made = shop(cloud=request.param == "cloud")
    yield made
    made.jira.close()


@pytest.fixture
def cloud() -> Iterator[Shop]:
    made = shop(cloud=True)
    yield made
    made.jira.close()


@pytest.fixture
def server() -> Iterator[Shop]:
    made = shop(cloud=False)
    yield made
    made.jira.close()


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


# Listings


@pytest.mark.parametrize("ending", [{"isLast": True}, {}, {"nextPageToken": None}, {"nextPageToken": ""}])
def test_a_listing_ends_in_each_of_the_documented_ways(cloud: Shop, ending: dict[str, Any]) -> None:
    made = cloud.made(5)
    cloud.site.quirks.short_pages, cloud.site.quirks.last_page = [2, 0, 1], ending
    assert [*cloud.pull().items] == made


def test_pages_that_lead_in_a_circle_are_no_answer(cloud: Shop) -> None:
    cloud.made(5)
    cloud.site.quirks.short_pages, cloud.site.quirks.repeats_token = [2] * 99, True
    with pytest.raises(InputError, match="circle"):
        cloud.pull()


def shifted_by(shop: Shop, happen: Callable[[], object]) -> None:
    """Something happens after the first page of a listing."""
    answer, pages = shop.jira.answer, [0]

    def answered(request: Request) -> Answer:
        found = answer(request)
        if request.path.endswith("/search") and b'"startAt"' in request.body:
            pages[0] += 1
            if pages[0] == 1:
                happen()
        return found

    shop.jira.server.answer = answered


def test_what_shifts_while_it_is_listed_is_not_lost(server: Shop) -> None:
    """Data Center's pages count from the first issue: if two go, the next begins too late."""
    made = server.made(7)
    server.site.quirks.page_cap = 3

    def two_go() -> None:
        for issue in made[:2]:
            server.site.delete(issue)

    shifted_by(server, two_go)
    assert {*server.pull(page_size=100).items} == {*made[2:]}


def test_what_comes_while_it_is_listed_does_not_matter(server: Shop) -> None:
    made = server.made(7)
    server.site.quirks.page_cap = 3
    shifted_by(server, lambda: server.made(1))
    assert {*server.pull(page_size=100).items} >= {*made}


# Going on


def test_a_first_pull_that_was_cut_short_goes_on(any_shop: Shop) -> None:
    made = any_shop.made(30)
    any_shop.site.pass_time(timedelta(hours=1))
    first = any_shop.pull(pages=11)
    cursor = first.pages[9].cursor
    assert cursor is not None
    any_shop.site.retitle(made[0], "Edited meanwhile")
    any_shop.site.delete(made[1])
    any_shop.site.pass_time(timedelta(days=2))
    rest = any_shop.pull(cursor)
    came = [item for page in rest.pages for item in page.items]
    assert len(came) < 30, "it began anew"
    assert {*first.items} | {*rest.items} == {*made}
    assert rest.items[made[0]].title == "Edited meanwhile"
    assert rest.deleted == {made[1]}, "what vanished was given by the first part"
    assert not any(page.full for page in rest.pages)


def test_an_edit_that_search_sees_late_is_not_lost(any_shop: Shop) -> None:
    made = any_shop.made(3)
    any_shop.site.pass_time(timedelta(hours=1))
    cursor = any_shop.pull().cursor
    any_shop.site.quirks.lag = timedelta(minutes=5)
    any_shop.site.retitle(made[0], "Edited")
    any_shop.site.retitle(made[1], "Edited later, and seen at once")
    late = any_shop.pull(cursor)
    assert made[0] not in late.items
    any_shop.site.pass_time(timedelta(minutes=6))
    assert any_shop.pull(late.cursor).items[made[0]].title == "Edited"


def test_our_accounts_time_zone_does_not_matter(any_shop: Shop) -> None:
    """The site is in Shanghai, our account in Los Angeles: only a number means the same to both."""
    (issue,) = any_shop.made(1)
    any_shop.site.pass_time(timedelta(hours=3))
    cursor = any_shop.pull().cursor
    any_shop.site.pass_time(timedelta(hours=1))
    assert not any_shop.pull(cursor).items
    any_shop.site.retitle(issue, "Edited")
    assert [*any_shop.pull(cursor).items] == [issue]


# What vanished


def test_what_is_late_in_a_listing_is_not_gone(any_shop: Shop) -> None:
    made = any_shop.made(3)
    cursor = any_shop.pull().cursor
    any_shop.site.pass_time(2 * DAY)
    listed = any_shop.jira.answer

    def without_the_first(request: Request) -> Answer:
        found = listed(request)
        if found.body and request.path.endswith(("/search", "/search/jql")) and b'["key"]' in request.body:
            return replace(found, body=found.body.replace(b'"id": "%s"' % made[0].encode(), b'"id": "1"'))
        return found

    any_shop.jira.server.answer = without_the_first
    assert any_shop.pull(cursor).deleted == set()


def test_an_index_that_is_being_built_clears_nothing(server: Shop) -> None:
    server.made(30)
    cursor = server.pull().cursor
    server.site.pass_time(2 * DAY)
    server.site.quirks.reindexing = True
    with pytest.raises(BusyError, match="leaves out issues that are there"):
        server.pull(cursor)
    server.site.quirks.reindexing = False
    assert server.pull(cursor).deleted == set()


def test_what_was_moved_out_is_gone_and_what_was_moved_among_ours_is_not(any_shop: Shop) -> None:
    any_shop.site.new_project("OPS", "Operations")
    stays, goes = any_shop.made(2)
    any_shop.setup = replace(any_shop.setup, collections=("APP",))
    cursor = any_shop.pull().cursor
    any_shop.site.move_project(goes, "OPS")
    any_shop.site.pass_time(2 * DAY)
    assert any_shop.pull(cursor).deleted == {goes}
    any_shop.setup = replace(any_shop.setup, collections=())
    again = any_shop.pull(cursor)
    assert again.deleted == set()
    assert stays in any_shop.pull().items


def test_before_anything_is_called_gone_we_are_still_let_in(any_shop: Shop) -> None:
    """The last issues that we could see in a project that was just closed to us."""
    made = any_shop.made(3)
    cursor = any_shop.pull().cursor
    any_shop.site.delete(made[0])
    any_shop.site.pass_time(2 * DAY)
    answer = any_shop.jira.answer

    def closed_after_the_listing(request: Request) -> Answer:
        found = answer(request)
        if b"ORDER BY key" in request.body and b"updated" not in request.body:
            any_shop.site.permit("APP")
        return found

    any_shop.jira.server.answer = closed_after_the_listing
    with pytest.raises((GoneError, AccessError)):
        any_shop.pull(cursor)


def test_a_condition_of_the_config_is_kept(any_shop: Shop) -> None:
    wanted, other = any_shop.made(2)
    any_shop.site.spoil(wanted, issuetype=issue_type("Epic", 1))
    any_shop.site.spoil(other, issuetype=issue_type("Story"))
    jql = 'issuetype = "Epic" OR issuetype = Epic'
    first = any_shop.pull(jql=jql)
    assert [*first.items] == [wanted]
    any_shop.site.spoil(wanted, issuetype=issue_type("Story"))
    any_shop.site.spoil(other, issuetype=issue_type("Epic", 1))
    any_shop.site.pass_time(2 * DAY)
    later = any_shop.pull(first.cursor, jql=jql)
    assert (later.deleted, [*later.items]) == ({wanted}, [other])


# Issues


def test_an_issue_that_is_none_is_reported_and_the_others_come(any_shop: Shop) -> None:
    bad, good = any_shop.made(2)
    any_shop.site.spoil(bad, status=...)
    pulled = any_shop.pull()
    assert [*pulled.items] == [good]
    (said,) = [sentence for page in pulled.pages for sentence in page.skipped]
    assert "APP-1" in said
    assert "status" in said
    assert pulled.pages[-1].complete
    assert not pulled.pages[-1].full, "what could not be read is not gone"


@pytest.mark.parametrize("count", [3, 120], ids=["few", "many"])
def test_a_migration_of_workflows_restarts_no_clock(any_shop: Shop, count: int) -> None:
    """Also where only changes of status are asked for, and where `updated` does not tell."""
    made = any_shop.made(count)
    for issue in made:
        any_shop.site.transition(issue, "In Progress")
    any_shop.site.new_status("Doing", "indeterminate")
    before = {issue: item.status_since for issue, item in any_shop.pull(page_size=100).items.items()}
    any_shop.site.pass_time(30 * DAY)
    any_shop.site.migrate_workflow(made, "Doing")
    after = any_shop.pull(page_size=100)
    assert {item.status for item in after.items.values()} == {"Doing"}
    assert {issue: item.status_since for issue, item in after.items.items()} == before


def test_a_migration_counts_as_none_though_all_its_issues_moved_on(cloud: Shop) -> None:
    """It is their last change no more, but their first entry into the status that they came back to."""
    made = cloud.made(120)
    for issue in made:
        cloud.site.transition(issue, "In Progress")
    cloud.site.new_status("Doing", "indeterminate")
    before = {issue: item.status_since for issue, item in cloud.pull(clock="first", page_size=100).items.items()}
    cloud.site.pass_time(30 * DAY)
    cloud.site.migrate_workflow(made, "Doing")
    for status in ("Done", "Doing"):
        for issue in made:
            cloud.site.pass_time(DAY)
            cloud.site.transition(issue, status)
    after = cloud.pull(clock="first", page_size=100)
    assert {issue: item.status_since for issue, item in after.items.items()} == before


@pytest.mark.parametrize("pulled_before", [False, True], ids=["first pull", "later pull"])
def test_issues_that_were_migrated_far_apart_find_each_other(cloud: Shop, pulled_before: bool) -> None:
    """Each is the only one of the migration among those whose histories are read at once."""
    made = cloud.made(130)
    for issue in made:
        cloud.site.transition(issue, "In Progress")
        cloud.site.pass_time(DAY)
    first = cloud.pull(page_size=20)
    before = {issue: item.status_since for issue, item in first.items.items()}
    cloud.site.new_status("Doing", "indeterminate")
    far = [made[0], made[64], made[-1]]
    cloud.site.migrate_workflow(far, "Doing", moves_updated=True)
    cloud.site.pass_time(DAY)
    cloud.site.transition(made[7], "Done")  # alone, and no migration
    for issue in made:
        cloud.site.label(issue, add=["x"])
    after = cloud.pull(page_size=20, cursor=first.cursor if pulled_before else None)
    assert {issue: after.items[issue].status_since for issue in far} == {issue: before[issue] for issue in far}
    assert after.items[made[7]].status_since == cloud.site.issue(made[7]).histories[-2].at


def test_many_issues_moved_by_hand_at_once_did_move(cloud: Shop) -> None:
    made = cloud.made(120)
    cloud.site.pass_time(DAY)
    for issue in made[:40]:
        cloud.site.transition(issue, "In Progress", who=AUTOMATION)
    items = cloud.pull(page_size=100).items
    assert all(item.status_since and item.created_at and item.status_since > item.created_at for item in
               (items[issue] for issue in made[:40]))  # fmt: skip


def test_an_epic_link_is_followed(any_shop: Shop) -> None:
    link = any_shop.site.new_field("Epic Link", "gh-epic-link", "any").id
    epic, child, orphan = any_shop.made(3)
    any_shop.site.spoil(child, **{link: any_shop.site.issue(epic).key})
    any_shop.site.spoil(orphan, **{link: "APP-999"})
    items = any_shop.pull().items
    assert items[child].parent_ref == ItemRef("delivery", epic)
    assert items[orphan].parent_ref is None


def test_web_links_are_read_of_the_issues_that_config_names(any_shop: Shop) -> None:
    made = any_shop.made(3)
    epic = any_shop.site.new_issue("APP", "All of it", issuetype=issue_type("Epic", 1)).id
    for issue in (*made, epic):
        any_shop.site.link_web(issue, "https://trello.com/c/iQ20ZNIV")
    any_shop.site.link_web(epic, " https://example.com/plan ")
    pulled = any_shop.pull(web_links="issuetype = Epic")
    assert pulled.items[epic].links == ("https://example.com/plan", "https://trello.com/c/iQ20ZNIV")
    assert not any(pulled.items[issue].links for issue in made)
    assert len(any_shop.asked("remotelink")) == 1
    assert not any(item.links for item in any_shop.pull().items.values()), "nobody asked for them"


def test_a_web_link_is_found_by_the_sweep_where_updated_does_not_tell(any_shop: Shop) -> None:
    (issue, other) = any_shop.made(2)
    any_shop.site.pass_time(DAY)
    first = any_shop.pull(web_links="summary ~ Item")
    any_shop.site.pass_time(DAY / 2)
    any_shop.site.link_web(issue, "https://example.com/plan", moves_updated=False)
    unaware = any_shop.pull(first.cursor, web_links="summary ~ Item")
    assert not unaware.items
    any_shop.site.pass_time(DAY)
    swept = any_shop.pull(unaware.cursor, web_links="summary ~ Item")
    assert swept.items[issue].links == ("https://example.com/plan",)
    assert not swept.items[other].links


def test_web_links_of_an_issue_that_goes_meanwhile_stop_nothing(any_shop: Shop) -> None:
    made = any_shop.made(3)
    any_shop.site.link_web(made[0], "https://example.com/plan")
    any_shop.jira.script(Answer(404, {"errorMessages": ["gone"]}), path=f"issue/{made[0]}/remotelink")
    assert set(any_shop.pull(web_links="summary ~ Item").items) == {*made}


def test_migrated_issues_that_are_read_again_keep_their_links(cloud: Shop) -> None:
    made = cloud.made(130)
    cloud.site.new_status("Doing", "indeterminate")
    for issue in (made[0], made[-1]):
        cloud.site.link_web(issue, "https://example.com/plan")
        cloud.site.pass_time(DAY)
    cloud.site.migrate_workflow([made[0], made[-1]], "Doing")
    items = cloud.pull(page_size=20, web_links="project = APP").items
    assert items[made[0]].links == items[made[-1]].links == ("https://example.com/plan",)


def test_histories_come_in_any_order(server: Shop) -> None:
    (issue,) = server.made(1)
    for status in ("In Progress", "Done", "In Progress", "Done"):
        server.site.transition(issue, status)
    sorted_ = server.pull().items[issue]
    server.site.quirks.shuffles_histories = True
    assert server.pull().items[issue] == sorted_
    assert sorted_.finished_at is not None


# Who we are


def test_a_token_with_scopes_goes_its_own_way(cloud: Shop) -> None:
    cloud.jira.doors.tokens = {TOKEN: ALL_SCOPES}
    (issue,) = cloud.made(1)
    for more in ({}, {"email": None}):
        pulled = cloud.pull(base_url=cloud.jira.url + GATEWAY, **more)
        assert pulled.items[issue].url == f"{cloud.jira.url}/browse/APP-1"
    with pytest.raises(AuthError):
        cloud.pull()


def test_a_password_will_do_on_data_center(server: Shop) -> None:
    (issue,) = server.made(1)
    assert [*server.pull(user=US.login, token=server.jira.doors.password).items] == [issue]


def test_the_wrong_kind_of_jira_is_said_to_be(server: Shop) -> None:
    with pytest.raises(SetupError, match="Data Center"):
        server.pull(email=US.login, token=server.jira.doors.password)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(200, body=b"<html><form>Log in <input type=password></form>", headers=HTML), AuthError),
        (Answer(200, body=b"<html>Confluence", headers=HTML), InputError),
        (Answer(200, {"results": []}), InputError),
        (Answer(200, ["a"]), InputError),
        (Answer(200, body=b'{"accountId": "5b'), InputError),
        (Answer(404, {"message": "no such thing"}), GoneError),
    ],
)  # fmt: skip
def test_what_is_no_jira_is_said_to_be_none(cloud: Shop, answer: Answer, error: type[ConnectorError]) -> None:
    cloud.jira.script(answer, times=99)
    with pytest.raises(error):
        cloud.pull()


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("search/jql", Answer(200, {"issues": [{"id": "x", "key": "APP-1"}]})),
        ("search/jql", Answer(200, {"issues": {"id": "1"}})),
        ("search/jql", Answer(200, {"nothing": 1})),
        ("issue/bulkfetch", Answer(200, {"issues": "none"})),
        ("issue/bulkfetch", Answer(200, [])),
        ("changelog/bulkfetch", Answer(200, {})),
        ("project/search", Answer(200, {"values": [{"id": "1"}]})),
        ("/status", Answer(200, {"a": 1})),
    ],
)
def test_an_answer_of_another_shape_is_none(cloud: Shop, path: str, answer: Answer) -> None:
    cloud.made(2)
    cloud.jira.script(answer, times=99, path=path)
    with pytest.raises(InputError):
        cloud.pull()


# Writing


def test_one_write_for_each_issue_and_only_deltas(any_shop: Shop) -> None:
    first, second = any_shop.made(2)
    any_shop.site.label(first, add=["theirs", "pmo-old", "pmo-there"])
    change = LabelChange(ItemRef("delivery", first), add=("pmo-new", "pmo-there"), remove=("pmo-old", "pmo-absent"))
    results = any_shop.apply(change, any_shop.put(second))
    assert [result.outcome for result in results] == [Outcome.DONE, Outcome.DONE]
    assert results[0].labels == ("pmo-new", "pmo-there", "theirs")
    bodies = [request.json for request in any_shop.jira.writing_requests]
    assert bodies[0] == {"update": {"labels": [{"add": "pmo-new"}, {"remove": "pmo-old"}]}}
    assert len(bodies) == 2
    assert all("notifyUsers=false" in request.target for request in any_shop.jira.writing_requests)


def test_one_issue_in_conflict_stops_no_other(any_shop: Shop) -> None:
    first, second = any_shop.made(2)
    any_shop.jira.script(conflict(), times=99, method="PUT", path=f"/issue/{first}")
    failed, done = any_shop.apply(any_shop.put(first), any_shop.put(second))
    assert (failed.outcome, done.outcome) == (Outcome.FAILED, Outcome.DONE)
    assert any_shop.site.issue(first).labels == []


def test_an_issue_that_moved_meanwhile_is_planned_anew(any_shop: Shop) -> None:
    any_shop.site.new_project("OPS", "Operations")
    (issue,) = any_shop.made(1)
    any_shop.site.move_project(issue, "OPS")
    (result,) = any_shop.apply(any_shop.put(issue))
    assert result.outcome is Outcome.STALE
    assert any_shop.jira.writing_requests == []


def test_a_project_without_labels_on_its_screen_says_so(any_shop: Shop) -> None:
    any_shop.site.projects["APP"].labels_on_screen = False
    any_shop.site.quirks.translates = True
    (issue,) = any_shop.made(1)
    (result,) = any_shop.apply(any_shop.put(issue))
    assert result.outcome is Outcome.REFUSED
    assert "edit screen" in result.message


def test_labels_are_read_right_before_they_are_written(any_shop: Shop) -> None:
    """A batch at a time, so that what people put on while we write is seen."""
    made = any_shop.made(45)
    stream_of = any_shop.connector()
    with closing(stream_of) as connector:
        stream = connector.apply(any_shop.collection, [any_shop.put(issue) for issue in made])
        next(stream)
        any_shop.site.label(made[-1], add=["pmo-x"], who=ADA)
        assert [result.outcome for result in stream][-1] is Outcome.UNCHANGED


# Looking


def test_check_says_what_is_wrong(any_shop: Shop) -> None:
    any_shop.site.new_field("Sponsor", "textfield")
    any_shop.site.new_field("Sponsor", "textfield")
    any_shop.site.new_project("OPS", "Operations").we_may = {"BROWSE_PROJECTS"}
    fields = {"sponsor": "Sponsor", "outcome_metric": "No such field", "owner": "Reporter"}
    setup = replace(any_shop.setup, fields=fields, statuses={"Nowhere": "done"})  # type: ignore[dict-item]  # as text
    with closing(JiraConnector(setup)) as connector:
        said = {notice.level: "" for notice in connector.check()}
        for notice in connector.check():
            said[notice.level] += f"{notice.text}\n"
    assert '2 fields are named "Sponsor"' in said["problem"]
    assert '"No such field"' in said["problem"]
    assert '"Nowhere"' in said["problem"]
    assert "OPS: we may read, and not put labels on" in said["warning"]
    assert 'owner comes from "Reporter" (reporter)' in said["fine"]
    assert "Label bot" in said["fine"]
