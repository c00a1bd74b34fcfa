"""`unstuck report`: its numbers, what tools may not do to it, and that it never gets in the way of a run."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.columns import GRADES
from sync import settings
from sync.clock import Clock
from sync.report import earlier, gather, page, writing
from sync.report.charts import sample
from sync.report.links import safe
from sync.report.model import BANDS, PERCENTILES, Found, Row, percentiles
from sync.stops import InvalidStop
from sync.store import open_store
from tests.sync.town import CONFIG, LONG_AGO, RULES, Town

HOSTILE = """<script>alert('x')</script> & "quotes" <img src=x onerror=alert(1)>"""


def told(town: Town, *more: str) -> Any:
    said = town.unstuck("report", "--format", "json", *more)
    assert said.code == 0, said.err
    return said.json


def written(town: Town, name: str, *more: str) -> str:
    said = town.unstuck("report", "-o", name, *more)
    assert said.code == 0, said.err
    return (town.folder / name).read_text(encoding="utf-8")


def number(html: str, name: str) -> str:
    found = re.search(rf"<dt>{name}[^<]*</dt><dd>([^<]+)</dd>", html)
    assert found, name
    return found[1]


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and all that is read as text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def unpacked(html: str) -> dict[str, Any]:
    packed = re.search(r'id="packed">([^<]*)</script>', html)
    assert packed
    loaded: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed[1])))
    return loaded


@pytest.fixture
def busy(town: Town) -> Town:
    """Some of everything: fine, stuck, without a sponsor, done, with an outcome, and with none."""
    town.add(1, url="https://tool.example/1", outcome_metric="Churn -2 points", outcome_baseline="11", project="Shop")
    town.add(2, status_since=LONG_AGO, sponsor=None, owner="Ben", title=HOSTILE, url="javascript:alert(1)")
    town.add(3, status_since="2026-01-05T09:00:00+00:00", outcome_metric="99 % uptime", status="Review")
    town.add(4, status="Done", status_category="done", finished_at="2026-03-18T09:00:00+00:00", sponsor=None)
    town.add(5, status="Backlog", status_category="todo", sponsor=None, title="=1+1", outcome_metric="TBD")
    assert town.unstuck("run", "--plan-only").code == 0
    return town


# Charts


def test_charts_are_the_same_without_lxml(busy: Town) -> None:
    """pygal draws with lxml where it is installed, which is not among what unstuck needs."""
    told = Tags(written(busy, "with.html"))
    without = "import sys; sys.modules['lxml'] = None; from sync.cli import main; main()"
    command = [sys.executable, "-c", without, "report", "-o", "without.html"]
    subprocess.run(command, cwd=busy.folder, env=busy.environment(), check=True, capture_output=True)
    plain = Tags((busy.folder / "without.html").read_text(encoding="utf-8"))
    assert [tag for tag, _ in plain.tags] == [tag for tag, _ in told.tags]
    dots = [attributes for tag, attributes in told.tags if tag == "a" and "tabindex" in attributes]
    assert dots
    assert dots == [attributes for tag, attributes in plain.tags if tag == "a" and "tabindex" in attributes]


# Numbers


def test_its_numbers_are_those_of_findings(busy: Town) -> None:
    found, report = busy.unstuck("findings", "--format", "json").json, told(busy)
    assert report["summary"]["findings"] == len(found) == sum(rule["findings"] for rule in report["rules"])
    by_item = Counter(each["key"] for each in found)
    assert {item["key"]: len(item["labels"]) for item in report["items"] if item["labels"]} == by_item
    assert {item["key"]: item["reasons"] for item in report["items"] if item["labels"]} == {
        key: [each["reason"] for each in found if each["key"] == key] for key in by_item
    }
    html = written(busy, "report.html")
    assert number(html, "Findings") == str(len(found))
    listed = unpacked(html)
    assert sum(len(each) for each in listed["found"]) == len(found)


def test_every_open_item_is_counted_once(busy: Town) -> None:
    report = told(busy)
    assert (report["summary"]["items"], report["summary"]["open"]) == (5, 4)
    assert [report["summary"][f"outcome_{band}"] for band in BANDS] == [1, 1, 2, 0]
    for by in ("all", "source", "project", "owner"):
        groups = [group for group in report["outcomes"] if group["by"] == by]
        for column in ("open", *BANDS, "stuck", *(f"grade_{grade}" for grade in GRADES)):
            assert sum(group[column] for group in groups) == report["outcomes"][0][column], (by, column)
    assert all(sum(group[band] for band in BANDS) == group["open"] for group in report["outcomes"])


def test_what_is_done_counts_where_a_rule_found_it(busy: Town) -> None:
    busy.write_rules(
        RULES
        + '[[rule]]\nid = "shipped"\nlabel = "pmo-shipped"\nsays = "Shipped"\nwhen = { status_category = "done" }\n'
    )
    busy.unstuck("run")
    report = told(busy)
    assert report["summary"]["findings"] == len(busy.unstuck("findings", "--format", "json").json) == 5
    assert [item["key"] for item in report["items"] if item["status_category"] == "done"] == ["APP-4"]
    assert report["summary"]["open"] == 4


def test_stuck_is_what_a_rule_about_time_found(busy: Town) -> None:
    report = told(busy)
    assert [(item["key"], item["business_days_in_status"]) for item in report["stuck"]] == [
        ("APP-3", 54),
        ("APP-2", 14),
    ]
    busy.edit(3, status="Done", status_category="done")
    busy.edit(2, status="Review", status_since="2026-03-19T09:00:00+00:00")
    busy.unstuck("run")
    assert told(busy)["stuck"] == []
    assert "Nothing is stuck" in written(busy, "report.html")


def test_what_got_unstuck_since_the_report_before(busy: Town) -> None:
    assert told(busy)["summary"]["compared_with"] is None
    busy.now = "2026-03-21T12:00:00"
    busy.edit(3, status="Shipped", status_category="done")
    busy.unstuck("run")
    assert [(each["key"], each["now"]) for each in told(busy)["unstuck"]] == [("APP-3", "done (Shipped)")]
    again = told(busy)
    assert again["summary"]["compared_with"] == "2026-03-20", "a second report of a day goes by the day before as well"
    assert again["unstuck"]
    html = written(busy, "report.html")
    assert "1 item got un-stuck since 20 Mar 2026" in html
    busy.now = "2026-03-22T12:00:00"
    busy.edit(2, status="Review", status_since="2026-03-21T09:00:00+00:00")
    busy.unstuck("run")
    assert [each["key"] for each in told(busy)["unstuck"]] == ["APP-2"]
    assert [each["key"] for each in told(busy, "--since", "2026-03-20")["unstuck"]] == ["APP-2", "APP-3"]


def test_what_is_gone_is_told_as_gone(busy: Town) -> None:
    told(busy)
    for key in range(10, 14):
        busy.add(key)
    busy.remove(3)
    busy.now = "2026-03-21T12:00:00"
    busy.unstuck("run", "--full")
    assert [(each["key"], each["now"]) for each in told(busy)["unstuck"]] == [("APP-3", "gone from its tool")]


def test_only_so_many_reports_are_remembered(tmp_path: Path) -> None:
    with open_store(tmp_path / "unstuck.db", create=True) as store:
        start = datetime(2026, 1, 1, 12, tzinfo=UTC)
        for back in range(100):
            clock = Clock(start + timedelta(days=back), rehearsal=False)
            earlier.remember(store, clock, clock.now.date(), [back], {})
        last = Clock(start + timedelta(days=99), rehearsal=False)
        assert store.value("SELECT count(*) FROM report") == earlier.KEPT
        assert earlier.before(store, last, date(2026, 3, 10), including=True) == earlier.Earlier(
            date(2026, 3, 10), [68]
        )
        assert earlier.before(store, last, date(2026, 3, 10), including=False) == earlier.Earlier(
            date(2026, 3, 9), [67]
        )
        rehearsal = Clock(last.now, rehearsal=True)
        assert earlier.before(store, rehearsal, date(2026, 3, 10), including=True) is None
        earlier.remember(store, rehearsal, date(2030, 1, 1), [1], {})
        assert earlier.before(store, last, date(2031, 1, 1), including=True) == earlier.Earlier(date(2026, 4, 10), [99])


def test_weeks(busy: Town) -> None:
    weeks = told(busy)["weeks"]
    assert len(weeks) == gather.WEEKS
    assert [week["monday"] for week in weeks[-2:]] == ["2026-03-09", "2026-03-16"]
    assert [week["finished"] for week in weeks[-2:]] == [0, 1]
    assert [week["findings"] for week in weeks[-2:]] == [None, 4]
    busy.now = "2026-03-23T12:00:00"
    busy.edit(5, sponsor="Ada")
    busy.unstuck("run")
    assert [week["findings"] for week in told(busy)["weeks"][-2:]] == [4, 3]
    found = {week["monday"]: week["findings"] for week in told(busy)["rules_by_week"] if week["rule"] == "no-sponsor"}
    assert found == {"2026-03-16": 2, "2026-03-23": 1}


def test_outcomes_by_week_are_those_of_its_last_report(busy: Town) -> None:
    def by_week() -> dict[str, tuple[int, ...]]:
        return {
            week["monday"]: (week["measured"], week["weak"], week["none"], week["grade_placeholder"])
            for week in told(busy)["outcomes_by_week"]
        }

    assert by_week() == {"2026-03-16": (1, 1, 2, 1)}, "the first report knows today"
    assert "; kept since 20 Mar 2026." in written(busy, "first.html")
    busy.edit(5, outcome_metric="Churn -1 point", outcome_baseline="11")
    busy.unstuck("run")
    assert by_week() == {"2026-03-16": (2, 1, 1, 0)}, "of one day the last counts"
    busy.now = "2026-03-31T12:00:00"
    busy.remove(3)
    busy.unstuck("run", "--full", "--force", "shrink")
    assert by_week() == {"2026-03-16": (2, 1, 1, 0), "2026-03-30": (2, 0, 1, 0)}, "nobody looked the week between"
    page = written(busy, "report.html")
    assert Counter(tag for tag, _ in Tags(page).tags)["svg"] >= 2
    assert "; kept since 20 Mar 2026." in page
    busy.now = "2026-06-29T12:00:00"
    assert list(by_week()) == ["2026-06-29"], "a trend has so many weeks"
    assert "; kept since" not in written(busy, "later.html")


def test_rehearsals_have_a_trend_of_their_own(busy: Town) -> None:
    told(busy)
    with open_store(busy.folder / "unstuck.db", create=False) as store, store.transaction() as connection:
        connection.execute("UPDATE report SET rehearsal = 0")  # a town rehearses
    busy.now = "2026-03-31T12:00:00"
    assert [week["monday"] for week in told(busy)["outcomes_by_week"]] == ["2026-03-30"]


def test_reports_that_kept_no_outcomes_are_no_weeks(busy: Town) -> None:
    told(busy)
    with open_store(busy.folder / "unstuck.db", create=False) as store, store.transaction() as connection:
        connection.execute("UPDATE report SET grades = NULL")
    busy.now = "2026-03-31T12:00:00"
    assert [week["monday"] for week in told(busy)["outcomes_by_week"]] == ["2026-03-30"]
    assert "; kept since 31 Mar 2026." in written(busy, "report.html")


def test_what_only_sums_up_others_is_no_work_in_progress(busy: Town) -> None:
    assert sum(status["items"] for status in told(busy)["aging"]) == 3
    busy.add(6, parent="1")
    busy.unstuck("run")
    assert sum(status["items"] for status in told(busy)["aging"]) == 3, (
        "one more below, and the one above does not count"
    )


def test_vetoes_exemptions_and_pauses(town: Town) -> None:
    town.write_config('exemptions = ["exempt.toml"]\n' + CONFIG)
    (town.folder / "exempt.toml").write_text(
        '[[exemption]]\nsource = "tool"\nkey = "APP-9"\nreason = "New <b>sponsor</b>"\n'
        'approver = "Ada"\nuntil = 2026-12-31\n'
    )
    town.add(1, sponsor=None)
    town.add(2, labels=["pmo-exempt"])
    town.unstuck("run", "--apply", "--force", "share")
    town.unlabel(1, "pmo-no-sponsor")
    town.unstuck("run")
    report = told(town)
    assert [(veto["key"], veto["label"], veto["cause"]) for veto in report["vetoes"]] == [
        ("APP-1", "pmo-no-sponsor", "person")
    ]
    assert report["summary"]["exempt_by_label"] == 1
    assert [each["reason"] for each in report["exemptions"]] == ["New <b>sponsor</b>"]
    html = written(town, "report.html")
    assert "People took off 1 label, and exempted 1 item" in html
    assert "New &lt;b&gt;sponsor&lt;/b&gt;" in html


def test_old_data_is_said_to_be_old(busy: Town) -> None:
    busy.write_config(CONFIG + '[status]\nstale_after = "36h"\n')
    assert "may be old" not in written(busy, "report.html")
    busy.now = "2026-03-23T12:00:00"
    html = written(busy, "report.html")
    assert "Some of this may be old" in html
    assert "its data is 3 days old" in html
    assert "> tool: its data is 3 days old" in written(busy, "report.md")


def test_a_source_that_is_away_is_named(busy: Town) -> None:
    busy.world_file.write_text("no JSON")
    busy.unstuck("run")
    assert "tool: has not answered since 2026-03-20 12:00 UTC" in written(busy, "report.html")


def test_a_store_without_items(town: Town) -> None:
    assert town.unstuck("run").code == 0
    html = written(town, "report.html")
    assert "Nothing is in progress" in html
    assert "There is no open item." in html
    assert unpacked(html)["key"] == []
    for form in ("md", "csv", "xlsx", "json"):
        assert town.unstuck("report", "-o", f"empty.{form}").code == 0


def test_without_a_store_it_says_what_to_do(town: Town) -> None:
    said = town.unstuck("report", "-o", "report.html")
    assert said.code == 2
    assert "unstuck run" in said.err
    assert not (town.folder / "report.html").exists()


# What tools may not do to it


def test_every_text_of_a_tool_is_only_text(busy: Town) -> None:
    html = written(busy, "report.html")
    page_ = Tags(html)
    assert "alert('x')</script>" not in html
    assert HOSTILE in page_.text
    assert [attributes for tag, attributes in page_.tags if tag == "img"] == []
    assert [name for _, attributes in page_.tags for name in attributes if name.startswith("on")] == []
    assert len([tag for tag, _ in page_.tags if tag == "script"]) == 2
    links = [attributes.get("href") or "" for tag, attributes in page_.tags if tag == "a"]
    assert not [link for link in links if not link.startswith(("https://tool.example/", "#"))]
    assert unpacked(html)["url"].count("https://tool.example/1") == 1
    assert unpacked(html)["title"].count(HOSTILE) == 1
    assert not any(url.startswith("java") for url in unpacked(html)["url"])


def test_its_policy_names_its_own_script_and_style_and_nothing_else(busy: Town) -> None:
    html = written(busy, "report.html")
    page_ = Tags(html)
    policy = next(
        each["content"] for tag, each in page_.tags if tag == "meta" and "content" in each and "http-equiv" in each
    )
    assert policy is not None
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        text = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert len(text) == 1
        sha = base64.b64encode(hashlib.sha256(text[0].encode()).digest()).decode()
        assert f"{kind} 'sha256-{sha}'" in policy
    assert "default-src 'none'" in policy
    assert [name for _, attributes in page_.tags for name in attributes if name in ("style", "src", "action")] == []


def test_no_spreadsheet_takes_a_title_for_a_formula(busy: Town) -> None:
    rows = list(csv.DictReader(io.StringIO(written(busy, "report.csv").removeprefix("\ufeff"))))
    assert {row["title"] for row in rows if row["key"] == "APP-5"} == {"'=1+1"}
    assert {row["title"] for row in rows if row["key"] == "APP-2"} == {HOSTILE}
    assert busy.unstuck("report", "-o", "report.xlsx").code == 0
    sheet = openpyxl.load_workbook(busy.folder / "report.xlsx")["items"]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "inlineStr", "n", "d"}
    assert "'=1+1" in [cell.value for cell in sheet["C"]]


def test_markdown_shows_a_title_as_it_is(busy: Town) -> None:
    busy.edit(2, title="a | b\n# c <b>d</b> [x](y)")
    busy.unstuck("run")
    assert r"a \| b # c \<b\>d\</b\> \[x\](y)" in written(busy, "report.md")


web = st.from_regex(r"https?://[a-z]{1,8}\.example/[\w?=&#/-]{0,20}", fullmatch=True)


@given(
    st.one_of(
        web,
        st.text(),
        st.sampled_from(["javascript:alert(1)", "data:text/html,x", " https://a/b", "//a/b", "httpſ://a/b"]),
    )
)
def test_only_what_is_of_the_web_becomes_a_link(url: str) -> None:
    assert safe(url) in (None, url)
    if safe(url):
        assert url.lower().startswith(("http://", "https://"))


@given(web)
def test_what_is_of_the_web_does(url: str) -> None:
    assert safe(url) == url


# Its parts


@given(st.lists(st.integers(0, 900), min_size=1))
def test_percentiles_leave_no_more_above_than_they_say(ages: list[int]) -> None:
    lines = percentiles(sorted(ages))
    for percent in PERCENTILES:
        assert lines[percent] in ages
        assert sum(age <= lines[percent] for age in ages) * 100 >= percent * len(ages)
        assert sum(age < lines[percent] for age in ages) * 100 < percent * len(ages)


@given(st.integers(0, 3000), st.integers(10, 500))
def test_a_sample_is_spread_over_all(many: int, most: int) -> None:
    rows: Any = range(many)
    taken: list[Any] = list(sample(rows, most))
    assert len(taken) == min(many, most)
    assert taken == sorted(set(taken))
    if many > most:
        assert taken[-1] >= many - 1 - 2 * (many // most + 1)


def test_a_list_that_does_not_fit_keeps_what_most_needs_somebody(busy: Town) -> None:
    rows = [_row(number, found=number % 10 == 0) for number in range(3000)]
    packed, listed = page.pack(rows, [rows[7]], most=8_000)
    assert len(packed) <= 8_000
    kept = json.loads(gzip.decompress(base64.b64decode(packed)))
    assert listed == len(kept["key"]) < 3000
    assert kept["key"][0] == rows[7].key
    assert all(kept["found"][1:301][:listed])


def _row(number: int, *, found: bool) -> Row:
    finding = Found("stuck", "pmo-stuck-10d", f"Doing for {number} days", date(2026, 3, 1))
    return Row(
        id=number, source="tool", key=f"APP-{number}", title=hashlib.sha256(str(number).encode()).hexdigest(), url=None,
        project=None, owner=None, status="Doing", category="in_progress", since=date(2026, 3, 1), at_least=False,
        business_days=number, age=number, plan=False, due=None, grade="vague", found=(finding,) if found else (),
    )  # fmt: skip


def test_it_reads_without_scripts(busy: Town) -> None:
    html = re.sub(r"<script.*?</script>", "", written(busy, "report.html"), flags=re.DOTALL)
    text = Tags(html).text
    for key in ("APP-1", "APP-2", "APP-3", "APP-5"):
        assert key in text
    assert "Nobody sponsors it" in text
    assert "<svg" in html


# Writing it


def test_a_format_that_is_not_known_is_said(busy: Town) -> None:
    said = busy.unstuck("report", "-o", "report.pdf")
    assert said.code == 2
    assert "report.pdf: a report ends in .html, .csv, .json, .xlsx, .md" in said.err
    assert busy.unstuck("report", "-o", "report.pdf", "--format", "md").code == 0


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report.html"
    writing.write(file, b"old")
    file.chmod(0o640)
    writing.write(file, b"new")
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o640

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InvalidStop, match="No space left on device"):
        writing.write(file, b"half")
    assert file.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_run_writes_the_report_that_config_asks_for(town: Town) -> None:
    town.write_config(CONFIG + '[report]\nfile = "report.html"\n')
    town.add(1, sponsor=None)
    said = town.unstuck("run", "--json")
    assert said.code == 0
    assert said.json["findings"] == 1
    assert number((town.folder / "report.html").read_text(), "Findings") == "1"
    town.edit(1, sponsor="Ada")
    town.unstuck("run", "--apply")
    assert number((town.folder / "report.html").read_text(), "Findings") == "0"


def test_a_report_that_fails_holds_up_no_label(town: Town) -> None:
    town.write_config(CONFIG + '[report]\nfile = "not/there.html"\n')
    town.add(1, sponsor=None)
    said = town.unstuck("run", "--apply", "--force", "share")
    assert said.code == 1
    assert "[report] file: " in said.err
    assert "not/there.html: cannot be written" in said.err
    assert town.labels(1) == ["pmo-no-sponsor"]
    said = town.unstuck("run", "--apply")
    assert (said.code, said.err) == (1, ""), "cron is not told twice"
    (town.folder / "not").mkdir()
    assert town.unstuck("run", "--apply").code == 0
    assert (town.folder / "not" / "there.html").exists()


def test_a_report_that_nobody_got_is_not_remembered(busy: Town) -> None:
    assert busy.unstuck("report", "-o", "not/there.html").code == 2
    busy.now = "2026-03-21T12:00:00"
    assert told(busy)["summary"]["compared_with"] is None


def test_config_knows_which_endings_a_report_has(town: Town) -> None:
    town.write_config(CONFIG + '[report]\nfile = "report.pdf"\n')
    said = town.unstuck("check")
    assert said.code == 2
    assert "report.file" in said.err
    assert ".html" in said.err


def test_it_shows_no_secret(town: Town) -> None:
    town.write_config('[sources.tool]\nsystem = "memory"\nworld = "world.json"\n[metrics]\nping = { env = "PING" }\n')
    town.add(1, sponsor=None)
    env = {"PING": "http://127.0.0.1:9/very-private"}
    town.unstuck("run", env=env)
    for form in writing.FORMS:
        assert town.unstuck("report", "-o", f"r.{form}", env=env).code == 0
        assert b"very-private" not in (town.folder / f"r.{form}").read_bytes()


def test_rules_may_ask_for_other_things_than_time(town: Town) -> None:
    town.write_rules(RULES.split("[[rule]]")[1].join(("[[rule]]", "")))
    town.add(1, sponsor=None, status_since=LONG_AGO)
    town.unstuck("run")
    assert told(town)["stuck"] == []


def test_config_and_report_know_the_same_endings() -> None:
    assert [ending.removeprefix(".") for ending in settings.REPORT_ENDINGS] == list(writing.FORMS)
