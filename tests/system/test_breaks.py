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
        "8: a migration is done by halves",
        "sync/store.py",
        '        with store.transaction():\n            connection.execute(f"PRAGMA application_id',
        '        if True:\n            connection.execute(f"PRAGMA application_id',
        "killed_at_any_statement",
    ),
    Break(
        "8: a store that was taken away is written to",
        "sync/store.py",
        "if _identity(self.path) != self._file:",
        "if False:",
        "middle_of_apply",
    ),
    Break(
        "8: a folder that is not mounted is made",
        "sync/lock.py",
        "    refuse_unusable(store, create=True)\n",
        "",
        "folder_that_is_not_there",
    ),
    Break(
        "8: the journal of a label that is on is forgotten",
        "sync/retention.py",
        "WHERE l.item_id = journal.item_id AND",
        "WHERE 0 AND l.item_id = journal.item_id AND",
        "labels_that_are_still_on",
    ),
    Break(
        "2: a vanished item is forgotten with our label on it",
        "sync/retention.py",
        'frozenset({"item_detail", "transition", "finding"})',
        'frozenset({"item_detail", "transition", "finding", "ledger", "journal", "dirty"})',
        "label_of_ours_may_be_on_it",
    ),
    Break(
        "5: a person's no is forgotten with a vanished item",
        "sync/retention.py",
        'frozenset({"item_detail", "transition", "finding"})',
        'frozenset({"item_detail", "transition", "finding", "veto", "dirty"})',
        "persons_no_holds",
    ),
    Break("6: a rehearsal forgets", "sync/retention.py", "clock.rehearsal or", "", "rehearsal_forgets"),
    Break(
        "8: a backup overwrites anything",
        "sync/backup.py",
        "        _refuse_if_no_backup(target)\n",
        "        pass\n",
        "nothing_but_a_backup",
    ),
    Break(
        "8: a backup is not looked at",
        "sync/backup.py",
        "        _verify(copy, store)\n",
        "",
        "page_of_garbage or restored_from",
    ),
    Break(
        "10: a bug in a connector shows its secret",
        "sync/pull.py",
        'redacted(f"{type(error).__name__}: {error}")',
        'f"{type(error).__name__}: {error}"',
        "shows_nowhere",
    ),
    Break(
        "10: a refused write shows the secret",
        "sync/apply.py",
        "redacted(result.message)",
        "result.message",
        "shows_nowhere",
    ),
    Break(
        "10: the log shows the secret",
        "sync/secrets.py",
        "return redacted(super().format(record))",
        "return super().format(record)",
        "shows_nowhere",
    ),
    Break(
        "10: a traceback shows the secret",
        "sync/secrets.py",
        'redacted("".join(traceback.format_exception(error)))',
        '"".join(traceback.format_exception(error))',
        "traceback",
    ),
    Break("10: a file that all can read is fine", "sync/secrets.py", "& 0o077", "& 0", "other_accounts_can_use"),
    Break(
        "10: a literal secret is fine",
        "sync/config.py",
        '        if option.kind == "secret":',
        '        if option.kind == "never":',
        "literal_secret",
    ),
    Break(
        "11: silence is a no",
        "rules/columns.py",
        "return 1 << ANSWERABLE.index(basis) if basis in ANSWERABLE else None",
        "return 0",
        "cannot_answer",
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
        'self.report.problems.append(f"{self.source}: {key}: {message}")',
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
