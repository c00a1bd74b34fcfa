"""A law that no test would miss is no law: each is broken on purpose, in a copy, and its tests must turn red."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("connectors", "sync", "rules", "tests", "pyproject.toml", "config.example.toml")


@dataclass(frozen=True)
class Break:
    """One line of the product, made wrong, and words that select the tests that must notice."""

    name: str
    file: str
    old: str
    new: str
    tests: str
    where: str = "tests/sync"


_EVERYTHING_CAME = """        self._finish(self.store.connection, Page(full=True), present)
        if not complete:"""

BREAKS = (
    Break(
        "1: an answer that was cut short counts as whole",
        "sync/pull.py",
        "        if not complete:",
        _EVERYTHING_CAME,
        "cut_short",
    ),
    Break("1: a sharp shrink is believed", "sync/pull.py", "gone <= terms.shrink * present", "True", "shrank_sharply"),
    Break(
        "1: an unreadable entry is gone",
        "sync/pull.py",
        "if not self.skipped:",
        "if True:",
        "whatever_the_connector_claims",
    ),
    Break(
        "1: a failing source ends the run",
        "sync/pull.py",
        "except Exception as error:",
        "except KeyError as error:",
        "is_down",
    ),
    Break(
        "1: an answer to nobody is taken at its word",
        "connectors/http/policy.py",
        'if "AUTHENTICATED_FAILED" in reason or',
        "if False and",
        "to_nobody",
        "tests/connectors/http/test_policies.py",
    ),
    Break(
        "1: a web page is an answer with nothing in it",
        "connectors/http/transport.py",
        "error = answers.checked(self._origin.host, answer, reads=asked.reads)",
        "error = None",
        "not_json",
        "tests/connectors/http/test_answers.py",
    ),
    Break(
        "1: nothing is an answer",
        "connectors/http/answers.py",
        'return InputError(f"{host} sent an empty answer", NEXT_RUN) if reads else None',
        "return None",
        "is_not_nothing",
        "tests/connectors/http/test_answers.py",
    ),
    Break(
        "1: half of an answer is an answer",
        "connectors/http/answers.py",
        "return None if is_whole(answer.body) else cut_short(host)",
        "return None",
        "was_cut",
        "tests/connectors/http/test_answers.py",
    ),
    Break(
        "2: other people's labels are taken off",
        "sync/plan.py",
        "in state.ours if label in state.present",
        "in state.present if True",
        "other_peoples",
    ),
    Break(
        "2: labels that were there are adopted",
        "sync/apply.py",
        "result.outcome is Outcome.DONE or self._is_ours",
        "True or self._is_ours",
        "meanwhile",
    ),
    Break(
        "3: labels stay when the cause is gone",
        "sync/plan.py",
        "and label not in state.desired))",
        "and False))",
        "cause_is_gone",
    ),
    Break(
        "3: what is there is put on again",
        "sync/plan.py",
        "for label in state.desired if label not in state.present}",
        "for label in state.desired}",
        "writes_nothing",
    ),
    Break(
        "4: our write counts as movement",
        "rules/table.py",
        "{today} - i.status_since_day AS",
        "{today} - coalesce(i.updated_at_day, i.status_since_day) AS",
        "resets_no_clock",
    ),
    Break(
        "5: a person's removal is forgotten",
        "sync/plan.py",
        "sorted(wanted - state.vetoed)",
        "sorted(wanted)",
        "took_off",
    ),
    Break(
        "5: a veto never ends",
        "sync/ledger.py",
        "DELETE FROM veto WHERE until <= ? OR",
        "DELETE FROM veto WHERE ? IS NULL AND",
        "veto_ends",
    ),
    Break(
        "5: what was undone comes back",
        "sync/takeback.py",
        "    if aim.run_id is None:\n        return\n",
        "    return\n",
        "stays_off",
    ),
    Break(
        "5: a rule that people do not want goes on",
        "sync/holds.py",
        "if rule_id in facts.paused:",
        "if False:",
        "not_want",
    ),
    Break(
        "5: objections are not counted",
        "sync/vetoes.py",
        "if off > config.pause_share * had]",
        "if False]",
        "not_want",
    ),
    Break(
        "5: objections never lapse",
        "sync/vetoes.py",
        "DELETE FROM veto_noticed WHERE noticed_at < ?",
        "DELETE FROM veto_noticed WHERE noticed_at < ? AND 0",
        "long_ago",
    ),
    Break(
        "6: a plan writes",
        "sync/run.py",
        "    if wish.apply and not report.tripped:\n        wish.progress",
        "    if not report.tripped:\n        wish.progress",
        "should_not_write",
    ),
    Break(
        "6: a request that writes is sent without leave",
        "connectors/http/transport.py",
        "if not reads and not self._writable:",
        "if False:",
        "without_leave",
        "tests/connectors/http/test_writing.py",
    ),
    Break(
        "6: a mutation passes for a query",
        "connectors/http/policy.py",
        r'not re.search(r"\b(mutation|subscription)\b", code)',
        "True",
        "plainly or hides",
        "tests/connectors/http/test_writing.py",
    ),
    Break(
        "7: a brake truncates",
        "sync/run.py",
        "    if wish.apply and not report.tripped:\n        wish.progress",
        "    if wish.apply:\n        wish.progress",
        "stop",
    ),
    Break(
        "7: brakes forget",
        "sync/run.py",
        "        if not report.tripped:\n            connection.executemany",
        "        if True:\n            connection.executemany",
        "suddenly_matches_nothing",
    ),
    Break(
        "8: what may have been written is written again",
        "connectors/http/transport.py",
        "repeatable = reads or method in IDEMPOTENT or promise is Promise.REPEATABLE",
        "repeatable = True",
        "may_have_been_done",
        "tests/connectors/http/test_writing.py",
    ),
    Break(
        "8: no intent is kept",
        "sync/ledger.py",
        "WHERE action = 'add' AND EXISTS",
        "WHERE action = 'none' AND EXISTS",
        "settles",
    ),
    Break(
        "10: a link leads to another host, and our token with it",
        "connectors/http/origin.py",
        "if place(urlsplit(url)) != place(self._own):",
        "if False:",
        "link_to_another",
        "tests/connectors/http/test_origin.py",
    ),
    Break(
        "10: a redirect leads to another host",
        "connectors/http/origin.py",
        "if not target or place(urlsplit(target)) != place(self._own):",
        "if False:",
        "redirect_to_another",
        "tests/connectors/http/test_origin.py",
    ),
    Break(
        "10: a token is sent unencrypted",
        "connectors/http/origin.py",
        'if self._own.scheme != "https" and not self.is_loopback:',
        "if False:",
        "bad_base_url",
        "tests/connectors/http/test_origin.py",
    ),
    Break(
        "10: a token is sent in an address",
        "connectors/http/transport.py",
        "if self.redact.sees(url):",
        "if False:",
        "into_an_address",
        "tests/connectors/http/test_secrets.py",
    ),
    Break(
        "10: a host's words are quoted with our token in them",
        "connectors/http/secrets.py",
        "self._pattern.sub(HIDDEN, text))",
        "text)",
        "shows_a_secret",
        "tests/connectors/http/test_secrets.py",
    ),
    Break(
        "10: a client's request holds our token",
        "connectors/http/transport.py",
        "sealed = request.copy()",
        "sealed = request",
        "never_shown or only_the_transport_knows",
        "tests/connectors/http",
    ),
    Break(
        "10: a client logs our token",
        "connectors/http/secrets.py",
        "logging.getLogger(name).addFilter(self)",
        "pass",
        "clients_log or it_logs",
        "tests/connectors/http",
    ),
    Break(
        "9: exemptions are not looked at",
        "sync/exemptions.py",
        "yield self._narrowed(state, label) if label or self.entries else state",
        "yield state",
        "exempt_item or exempts_an_item",
    ),
    Break(
        "9: files of exemptions are not read again",
        "sync/apply.py",
        "left, held = self.guard.narrowed(changes[at : at + size])",
        "left, held = [*changes[at : at + size]], list[Held]()",
        "exempts_after_the_plan",
    ),
    Break(
        "9: connectors are not told what exempts",
        "sync/apply.py",
        "change.version, self.guard.unless)",
        "change.version)",
        "exempts_after_the_pull_is_noticed",
    ),
    Break(
        "9: memory writes what was planned",
        "connectors/memory.py",
        "if exempt := exempted(before, change):",
        "if exempt := None:",
        "moment_of_writing",
        "tests/contract/test_memory.py",
    ),
    Break(
        "9: a copy shows what was planned",
        "connectors/msproject/splice.py",
        "if exempt and not",
        "if False and not",
        "moment_of_writing",
        "tests/connectors/test_msproject_contract.py",
    ),
    Break(
        "canary: a new rule writes at once",
        "sync/rollout.py",
        "if writes else frozenset()",
        "if not writes else frozenset()",
        "seen_in_one_run",
    ),
    Break(
        "canary: a changed rule takes labels off at once",
        "sync/holds.py",
        "if unseen is not None:",
        "if False:",
        "neither_adds_nor_removes",
    ),
    Break(
        "canary: what did not answer was seen",
        "sync/run.py",
        "for source in report.sources if source.fresh]",
        "for source in report.sources]",
        "did_not_answer",
    ),
    Break(
        "canary: an upgrade holds everything up",
        "sync/migrations.py",
        "SELECT r.rule, c.source, '' FROM",
        "SELECT r.rule, c.source, 'x' FROM",
        "older_store",
    ),
    Break(
        "rollout: all at once",
        "sync/holds.py",
        "per_run is None or self.used[rule] < per_run",
        "True",
        "so_many_a_run",
    ),
    Break(
        "budget: a person gets all at once",
        "sync/holds.py",
        "if person is not None and self.spent[person] >= self.facts.budget:",
        "if person is not None and False:",
        "labels_a_week",
    ),
    Break(
        "budget: a week never ends",
        "sync/rollout.py",
        "WEEK = timedelta(days=7)",
        "WEEK = timedelta(days=70)",
        "labels_a_week",
    ),
    Break(
        "11: silence is a no",
        "rules/columns.py",
        "return 1 << ANSWERABLE.index(basis) if basis in ANSWERABLE else None",
        "return 0",
        "cannot_answer",
    ),
    Break(
        "11: what cannot be told is passed over in silence",
        "sync/commands/runs.py",
        "    tell_unknown(report.counts)\n",
        "",
        "counted_and_shown",
    ),
    Break(
        "11: the count of what cannot be told goes stale",
        "sync/run.py",
        "WHERE (matched, considered, unknown) <> ",
        "WHERE (matched, considered, excluded.unknown) <> ",
        "counted_and_shown",
    ),
    Break(
        "rules: a test counts plain weeks whatever it asks for",
        "rules/selftest.py",
        "if case.calendar is None:",
        "if True:",
        "calendar_that_it_asks_for",
    ),
    Break(
        "rules: grades are no thresholds",
        "rules/edges.py",
        "if clause.subject.kind is Kind.GRADE else",
        "if False else",
        "holds_a_grade",
        "tests/rules/test_edges.py",
    ),
    Break(
        "rules: the days of a review are no threshold",
        "rules/edges.py",
        "if any(map(_asks_whether_reviewed, _tests(rule))):",
        "if False:",
        "days_of_a_review",
        "tests/rules/test_edges.py",
    ),
    Break(
        "rules: SQL reads other tables",
        "rules/escape.py",
        "        if table != _TABLE:",
        "        if table == _TABLE + _TABLE:",
        "refused_with_the_reason",
        "tests/rules/test_escape.py",
    ),
    Break(
        "rules: SQL makes texts without end",
        "rules/escape.py",
        "with limited(connection, 2, LARGEST_ALONE):",
        "with limited(connection, 2):",
        "refused_with_the_reason",
        "tests/rules/test_escape.py",
    ),
    Break(
        "12: the copy is written over its input",
        "connectors/msproject/copies.py",
        "path = source.parent / folder / source.name",
        "path = source",
        "comes_and_goes",
        "tests/system/test_msproject_run.py",
    ),
    Break(
        "12: the copy differs in more than the labels",
        "connectors/msproject/splice.py",
        "yield edit.new\n",
        "yield edit.new + b'<!-- labelled -->'\n",
        "restores or labels_only or comes_back",
        "tests/connectors/test_msproject_writing.py",
    ),
    Break(
        "Jira's stand-in: any token is ours",
        "tests/fakes/jira/doors.py",
        "return self.site.us if token in self.tokens and self.tokens[token] is None else None",
        "return self.site.us",
        "nobody or revoked",
        "tests/fakes",
    ),
    Break(
        "Jira's stand-in: an unbounded query is fine",
        "tests/fakes/jira/searching.py",
        "if bounded and query.condition is None:",
        "if False:",
        "cloud_refuses",
        "tests/fakes",
    ),
    Break(
        "Jira's stand-in: anybody may write quietly",
        "tests/fakes/jira/writing.py",
        'if quietly and "ADMINISTER_PROJECTS" not in may:',
        "if False:",
        "dropped_whole",
        "tests/fakes",
    ),
    Break(
        "Jira's stand-in: search never lags",
        "tests/fakes/jira/site.py",
        "self.now + self.quirks.lag",
        "self.now",
        "lags_behind",
        "tests/fakes",
    ),
    Break(
        "Jira's stand-in: every quoted time is UTC",
        "tests/fakes/jira/matching.py",
        "return datetime.strptime(text, form).replace(tzinfo=self._zone)",
        "return datetime.strptime(text, form).replace(tzinfo=UTC)",
        "quoted_times",
        "tests/fakes",
    ),
    Break(
        "13: a refused write is swallowed",
        "sync/apply.py",
        'self.report.problems.append(f"{self.source}: {key}: {result.message}")',
        "pass",
        "is_refused",
    ),
)


@pytest.mark.slow
@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name)
def test_a_broken_law_is_noticed(tmp_path: Path, broken: Break) -> None:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    file = tmp_path / broken.file
    text = file.read_text()
    assert broken.old in text, "the line to break is not there any more: correct this list"
    file.write_text(text.replace(broken.old, broken.new, 1))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", broken.where, "-k", broken.tests],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, f"no test noticed:\n{done.stdout[-2000:]}"
