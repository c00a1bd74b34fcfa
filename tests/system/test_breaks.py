"""A law that no test would miss is no law: each is broken on purpose, in a copy, and its tests must turn red."""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
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


_EVERYTHING_CAME = """        pull = self._pull(collection)
        with self.store.transaction() as connection:
            pull._finish(connection, Page(full=True), pull.present)
        self._open, self._failed = None, collection
"""

BREAKS = (
    Break(
        "1: an answer that was cut short counts as whole",
        "sync/pull.py",
        "        self._open, self._failed = None, collection\n",
        _EVERYTHING_CAME,
        "cut_short",
    ),
    Break("1: a sharp shrink is believed", "sync/pull.py", "gone <= limits.shrink * present", "True", "shrank_sharply"),
    Break(
        "1: an unreadable entry is gone",
        "sync/pull.py",
        "if not self.skipped:",
        "if True:",
        "whatever_the_connector_claims",
    ),
    Break(
        "1: a failing source ends the run",
        "sync/lanes.py",
        "if end.error is not None and not isinstance(end.error, Exception):",
        "if end.error is not None:",
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
        "1: an item that moved is gone from where it is now",
        "sync/pull.py",
        'AND collection = ? "',
        'AND ? IS NOT NULL "',
        "is_not_gone_though",
        "tests/sync/test_laws.py",
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
        "if change and (did or self._is_ours",
        "if change and (True or self._is_ours",
        "meanwhile",
    ),
    Break(
        "2: a label that was there is adopted beside one of ours",
        "sync/apply.py",
        " and intent.label not in result.already",
        "",
        "beside_one_that_we_put_on",
        "tests/sync/test_interrupted.py",
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
        "sync/planning.py",
        "    if report.tripped:\n        return\n",
        "",
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
        "7: --force lifts every brake",
        "sync/planning.py",
        "if brake.name not in wish.force)]",
        "if not wish.force)]",
        "one_rule",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "7: a source has no limit of its own",
        "sync/brakes.py",
        "of.count is not None and number > of.count",
        "of.count is not None and False",
        "too_many_items_of_one_source",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "7: a rule has no limit",
        "sync/brakes.py",
        "changed.rules, limits.per_rule",
        "changed.rules, 10**9",
        "for_one_rule",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "7: a person has no limit",
        "sync/brakes.py",
        "changed.people, limits.per_person",
        "changed.people, 10**9",
        "of_one_person",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "7: who only works on it is nobody",
        "sync/brakes.py",
        "nullif(trim(json_extract(assignees, '$[0]')), '')",
        "NULL",
        "of_one_person",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "7: nothing is unusual",
        "sync/usual.py",
        "number > max(least, times * most)",
        "False",
        "more_than_usual",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "7: one exception is a habit",
        "sync/usual.py",
        "sorted(days)[-2]",
        "sorted(days)[-1]",
        "exception or every_day",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "7: a plan that waits is a habit",
        "sync/planning.py",
        "    if report.applied:\n        sources",
        "    if True:\n        sources",
        "teaches_nothing",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "7: a new rule has to have habits",
        "sync/planning.py",
        "count_changes(report.plan, {}, known.knows)",
        "count_changes(report.plan, {})",
        "has_no_habits",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "7: collections may go by the dozen",
        "sync/pull.py",
        "if terms.accept_shrink or len(gone)",
        "if True or len(gone)",
        "lost_many_collections",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "7: a field may be emptied",
        "sync/drift.py",
        "return _LITTLE * filled <= was and",
        "return False and",
        "empty_on_all",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "7: a field that is not answered counts as filled",
        "sync/drift.py",
        'f"NOT i.unknown & {unknown_bit(column) or 0}"',
        '"1"',
        "does_not_have",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "7: brakes look away after they tripped",
        "sync/planning.py",
        'return store.setting("seen") == _look(last_run, config)',
        "return True",
        "config_maps",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "7: a status may be renamed",
        "sync/drift.py",
        "{**_alike(before, now, limits), **_same_id(before, now)}",
        "_same_id(before, now)",
        "rule_names",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "7: a status is known by its name alone",
        "sync/drift.py",
        "{**_alike(before, now, limits), **_same_id(before, now)}",
        "_alike(before, now, limits)",
        "config_maps",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "7: a label may vanish",
        "sync/planning.py",
        "        *drift.of_labels(vanished),\n",
        "",
        "deleted_in_the_tool",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "5: a label that was deleted in the tool is a veto",
        "sync/ledger.py",
        " AND NOT {shows} AND {kept}",
        " AND NOT {shows} AND ({kept} OR 1)",
        "deleted_in_the_tool",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "5: many removals are never people's",
        "sync/planning.py",
        'if "label" in wish.force:',
        "if False:",
        "took_off_everywhere",
        "tests/sync/test_brakes.py",
    ),
    Break(
        "flapping goes on",
        "sync/flapping.py",
        "if flap := flaps.get((change.item_id, label)):",
        "if flap := None:",
        "left_as_it_is",
        "tests/sync/test_flapping.py",
    ),
    Break(
        "flapping never ends",
        "sync/flapping.py",
        "WHERE turned_at <= ?",
        "WHERE turned_at > ? AND 0",
        "let_go_when",
        "tests/sync/test_flapping.py",
    ),
    Break(
        "flapping ends while it still turns",
        "sync/flapping.py",
        "WHERE wanted <> {wanted}",
        "WHERE 0 AND wanted <> {wanted}",
        "still_turns",
        "tests/sync/test_flapping.py",
    ),
    Break(
        "flapping tears a ladder apart",
        "sync/flapping.py",
        "for other in change.remove if label in change.add else change.add:",
        "for other in ():",
        "keeps_one_label",
        "tests/sync/test_flapping.py",
    ),
    Break(
        "8: what was written without an answer is not taken back",
        "sync/takeback.py",
        "action = 'add' AND result_at IS NULL) \"",
        "action = 'none') \"",
        "without_an_answer",
        "tests/sync/test_interrupted.py",
    ),
    Break(
        "8: the undo of a killed run forgets what it wrote",
        "sync/takeback.py",
        "(j.result = 'done' OR j.result_at IS NULL)",
        "j.result = 'done'",
        "without_an_answer",
        "tests/sync/test_interrupted.py",
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
        "8: a run is deaf to signals",
        "sync/stopping.py",
        "self.by = NAMES[signal.Signals(number)]",
        "pass",
        "signal_while_pulling",
        "tests/sync/test_side_by_side.py",
    ),
    Break(
        "8: writes run ahead of their results",
        "sync/apply.py",
        "ahead=0,",
        "ahead=1,",
        "before_the_result",
        "tests/sync/test_side_by_side.py",
    ),
    Break(
        "8: a first pull that was cut short begins anew",
        "sync/pull.py",
        "cursor=page.cursor.value, fingerprint=self.source.fingerprint",
        "cursor=page.cursor.value",
        "over_its_budget and polite",
        "tests/sync/test_side_by_side.py",
    ),
    Break(
        "8: what was wrong is reloaded",
        "sync/daemon.py",
        "            self._job = self._load()\n            log",
        "            self._job = Job(lambda _: Ended(0, True), 1)\n            self._load()\n            log",
        "reloading",
        "tests/sync/test_daemon.py",
    ),
    Break(
        "a slow source has no budget",
        "sync/lanes.py",
        "now >= self._ends_at",
        "False",
        "over_its_budget and polite",
        "tests/sync/test_side_by_side.py",
    ),
    Break(
        "a source that hangs is waited for",
        "sync/lanes.py",
        "self.stuck = now >= self._left_at",
        "self.stuck = False",
        "left_behind",
        "tests/sync/test_lanes.py",
    ),
    Break(
        "a pause after a failure is as long as any",
        "sync/daemon.py",
        "2.0 ** min(failures, 32)",
        "1.0",
        "pause_longer",
        "tests/sync/test_daemon.py",
    ),
    Break(
        "green runs that find nothing are fine",
        "sync/health.py",
        "3 * sorted(pauses)[-2]",
        "1e9",
        "green_runs",
        "tests/sync/test_monitoring.py",
    ),
    Break(
        "data may be as old as it likes",
        "sync/health.py",
        "1.5 * sorted(pauses)[-2]",
        "1e9",
        "older_than_usual",
        "tests/sync/test_monitoring.py",
    ),
    Break(
        "a source that is away is told again and again",
        "sync/told.py",
        "if _gist(sentence) not in before",
        "if True",
        "told_once",
        "tests/sync/test_monitoring.py",
    ),
    Break(
        "10: a ping that fails shows its secret",
        "sync/ping.py",
        "{urlsplit(url).hostname} {what}",
        "{url} {what}",
        "nobody_hears and status",
        "tests/sync/test_monitoring.py",
    ),
    Break(
        "10: a ping goes where it is sent",
        "sync/ping.py",
        "if _origin(target) != _origin(url):",
        "if False:",
        "nobody_hears and elsewhere",
        "tests/sync/test_monitoring.py",
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
        'frozenset({"item_detail", "transition", "finding_kept"})',
        'frozenset({"item_detail", "transition", "finding_kept", "ledger", "journal", "dirty"})',
        "label_of_ours_may_be_on_it",
    ),
    Break(
        "5: a person's no is forgotten with a vanished item",
        "sync/retention.py",
        'frozenset({"item_detail", "transition", "finding_kept"})',
        'frozenset({"item_detail", "transition", "finding_kept", "veto", "dirty"})',
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
        "9: exemptions are not looked at",
        "sync/exemptions.py",
        "yield self._narrowed(state, label) if label or self.entries else state",
        "yield state",
        "exempt_item or exempts_an_item",
    ),
    Break(
        "9: files of exemptions are not read again",
        "sync/apply.py",
        "changes, held = self.guard.narrowed(self.changes)",
        "changes, held = self.changes, list[Held]()",
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
        "sync/planning.py",
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
        "anything in any order: what people put on a moment before us is adopted",
        "sync/apply.py",
        " and intent.label not in result.already",
        "",
        "whatever_happens",
        "tests/system/test_machine.py",
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
        "13: a page that is none ends the run",
        "sync/pull.py",
        "except Exception as error:  # noqa: BLE001 - a page that is none is",
        "except KeyError as error:  # noqa: BLE001 - a page that is none is",
        "one_sentence",
        "tests/sync/test_side_by_side.py",
    ),
    Break(
        "13: a refused write is swallowed",
        "sync/apply.py",
        'self.report.problems.append(f"{self.source}: {key}: {message}")',
        "pass",
        "is_refused",
    ),
    Break(
        "evaluation: what was written is forgotten",
        "rules/incremental.py",
        '{touch} item_id FROM dirty")',
        '{touch} item_id FROM dirty WHERE kin")',
        "stands_around",
        "tests/sync/test_incremental.py",
    ),
    Break(
        "evaluation: heirs are forgotten",
        "rules/incremental.py",
        '(SELECT item_id FROM dirty WHERE kin)")\n    everything',
        '(SELECT 0)")\n    everything',
        "taken_again",
        "tests/sync/test_incremental.py",
    ),
    Break(
        "evaluation: a giver's target is not news to its heirs",
        "rules/incremental.py",
        '"outcome_baseline", "outcome_target", "outcome_actual",',
        '"outcome_baseline", "outcome_actual",',
        "taken_again",
        "tests/sync/test_incremental.py",
    ),
    Break(
        "evaluation: what is below a moved item keeps its outcome",
        "rules/incremental.py",
        '    "parent_native_id", "parent_id", "missing_since",',
        '    "missing_since",',
        "lies_below",
        "tests/sync/test_incremental.py",
    ),
    Break(
        "evaluation: the crossing of a threshold is forgotten",
        "rules/moved.py",
        "if was != now",
        "if was > now",
        "day_by_day",
        "tests/sync/test_incremental.py",
    ),
    Break(
        "evaluation: the end of a review's time is forgotten",
        "rules/moved.py",
        "& {*word.values}) == 1",
        "& {*word.values}) == 3",
        "day_by_day",
        "tests/sync/test_incremental.py",
    ),
    Break(
        "evaluation: heirs of a review that ran out are forgotten",
        "rules/incremental.py",
        "if column == REVIEWED:",
        "if False:",
        "day_by_day",
        "tests/sync/test_incremental.py",
    ),
    Break(
        "evaluation: a label stays where a threshold was crossed",
        "sync/findings.py",
        "IN (SELECT item_id, rule FROM temp.crossed) ",
        "IN (SELECT 0, rule FROM temp.crossed) ",
        "day_by_day",
        "tests/sync/test_incremental.py",
    ),
    Break(
        "evaluation: reasons go on telling yesterday's number",
        "rules/moved.py",
        "return any(subject.name in AGED for subject in said(rule)",
        "return any(False for subject in said(rule)",
        "day_by_day",
        "tests/sync/test_incremental.py",
    ),
    Break(
        "evaluation: a reason counts business days by another item's calendar",
        "rules/lasting.py",
        'f"-({calendar}) *',
        'f"-(0) *',
        "new_day_writes_no_finding",
        "tests/sync/test_incremental.py",
    ),
    Break(
        "evaluation: the business days of views do not reach back to the oldest item",
        "sync/today.py",
        "engine.first_day(store.connection, moment_))",
        "date(moment_.now.year, 1, 1))",
        "new_day_writes_no_finding",
        "tests/sync/test_incremental.py",
    ),
    Break(
        "evaluation: a new day rewrites the reasons that count days",
        "rules/lasting.py",
        'return f"{scope.ordinal} - {column}"',
        'return f"CAST({column} AS TEXT)"',
        "new_day_writes_no_finding",
        "tests/sync/test_incremental.py",
    ),
    Break(
        "store: after what is derived, a write into a tool is not on the disk before it is done",
        "sync/store.py",
        'finally:\n            self.connection.execute("PRAGMA synchronous = FULL")',
        'finally:\n            self.connection.execute("PRAGMA synchronous = NORMAL")',
        "derived",
        "tests/sync/test_store.py",
    ),
    Break(
        "evaluation: SQL on an age is taken for settled",
        "rules/moved.py",
        "return any(subject.name in AGED for subject in read",
        "return any(False for subject in read",
        "day_by_day",
        "tests/sync/test_incremental.py",
    ),
    Break(
        "evaluation: changes are forgotten before their findings are kept",
        "sync/findings.py",
        "    with store.deriving():\n        keep_calendar(store, today)\n        _keep_touched",
        '    connection.execute("DELETE FROM dirty")\n    with store.deriving():\n        _keep_touched',
        "is_killed",
        "tests/sync/test_incremental.py",
    ),
    Break(
        "evaluation: doubt is overlooked",
        "rules/find.py",
        "own |= mine",
        "own |= 0",
        "is_counted",
        "tests/rules/test_engine.py",
    ),
    Break(
        "evaluation: a rule that fails takes others with it",
        "rules/find.py",
        "if len(positions) == 1:",
        "if positions:",
        "stumbles or fails_alone",
        "tests/rules",
    ),
    Break(
        "1: Jira: what a listing leaves out is gone",
        "connectors/jira/pulling.py",
        'there = {str(issue.get("id")): project_of(issue) for issue in visit.site.fresh(asked, ["project"])}',
        "there: dict[str, str | None] = {}",
        "late_in_a_listing",
        "tests/connectors/test_jira_pull.py",
    ),
    Break(
        "1: Jira: an index that is being built is believed",
        "connectors/jira/pulling.py",
        "if len(still) == SAMPLE and not visit.wishes.jql:",
        "if False:",
        "being_built",
        "tests/connectors/test_jira_pull.py",
    ),
    Break(
        "1: Jira: a project that was closed to us is empty",
        "connectors/jira/pulling.py",
        'if gone and not visit.site.may(project, "BROWSE_PROJECTS"):',
        "if False:",
        "still_let_in",
        "tests/connectors/test_jira_pull.py",
    ),
    Break(
        "1: Jira: pages shift and nobody looks",
        "connectors/jira/site.py",
        "if found and (not places or places[0][0] not in found):",
        "if False:",
        "shifts_while",
        "tests/connectors/test_jira_pull.py",
    ),
    Break(
        "1: Jira: an edit that search sees late is lost",
        "connectors/jira/pulling.py",
        "visit.changed_since(mark.since - visit.wishes.overlap)",
        "visit.changed_since(mark.since)",
        "sees_late",
        "tests/connectors/test_jira_pull.py",
    ),
    Break(
        "1: Jira: an issue that cannot be read is gone",
        "connectors/jira/pulling.py",
        "complete=True, full=full and readable)",
        "complete=True, full=full)",
        "an_issue_that_is_none",
        "tests/connectors/test_jira_pull.py",
    ),
    Break(
        "2: Jira: all labels are set",
        "connectors/jira/writing.py",
        'return {"update": {"labels": steps}}',
        'return {"fields": {"labels": [*add]}} if steps else {}',
        "labels_of_others",
        "tests/contract/test_jira.py",
    ),
    Break(
        "4: Jira: a migration of workflows is movement",
        "connectors/jira/history.py",
        "if not move.migrated:",
        "if True:",
        "migration",
        "tests/connectors/test_jira_history.py",
    ),
    Break(
        "4: Jira: nobody looks whether a workflow was exchanged",
        "connectors/jira/pulling.py",
        "suspects = () if whole else",
        "suspects = () if True else",
        "migration_of_workflows and many",
        "tests/connectors/test_jira_pull.py",
    ),
    Break(
        "9: Jira: an exemption from after the pull is overlooked",
        "connectors/jira/writing.py",
        "change.unless.among(labels) if change.unless and change.add else None",
        "None",
        "exemption",
        "tests/contract/test_jira.py",
    ),
    Break(
        "11: Jira: a history that leads elsewhere is believed",
        "connectors/jira/history.py",
        "    if here != key_of(status, ids):\n        since = None\n    elif",
        "    if",
        "leads_elsewhere",
        "tests/connectors/test_jira_history.py",
    ),
    Break(
        "Jira: times are written, and read in another zone",
        "connectors/jira/visit.py",
        "{millis(moment)}",
        "'{moment:%Y-%m-%d %H:%M}'",
        "time_zone",
        "tests/connectors/test_jira_pull.py",
    ),
    Break(
        "1: cards that cannot be told apart are passed over",
        "connectors/trello/api.py",
        "or len(found) < len(answer)",
        "or False",
        "strange_answers",
        "tests/connectors/test_trello_reading.py",
    ),
    Break(
        "1: a thousand cards are taken for all",
        "connectors/trello/connector.py",
        'len(entries(raw["cards"])) >= MOST',
        "False",
        "over_a_thousand",
        "tests/connectors/test_trello_reading.py",
    ),
    Break(
        "2: the board's labels are made again and again",
        "connectors/trello/api.py",
        'labels", fields=LABEL_FIELDS, limit=MOST))',
        'labels", fields=LABEL_FIELDS))',
        "beyond_the_fiftieth",
        "tests/connectors/test_trello_writing.py",
    ),
    Break(
        "4: the last activity counts as movement",
        "connectors/trello/history.py",
        "proved.is_at(card):\n            return proved",
        "proved.is_at(card):\n            return replace(proved, since=touched_at(card))",
        "last_arrival",
        "tests/connectors/test_trello_history.py",
    ),
    Break(
        "5: what a move left behind is a veto",
        "sync/pull.py",
        "connection.executemany(_LEFT_BEHIND, places)",
        "pass",
        "left_behind",
        "tests/sync/test_laws.py",
    ),
    Break(
        "9: an exemption on the card is not looked at",
        "connectors/trello/labels.py",
        "if change.unless and change.add else None",
        "if False else None",
        "exemption_holds",
        "tests/contract/test_trello.py",
    ),
    Break(
        "10: the address at which a card takes mail is asked for",
        "connectors/trello/api.py",
        '"name,desc,closed,idList,',
        '"name,desc,closed,email,idList,',
        "only_what_is_needed",
        "tests/connectors/test_trello_reading.py",
    ),
    Break(
        "11: a start that history does not reach back to is exact",
        "connectors/trello/history.py",
        "    if read.is_whole:\n",
        "    if True:\n",
        "at_least",
        "tests/connectors/test_trello_history.py",
    ),
)


LAWS = range(1, 14)


def first_of_each(breaks: Sequence[Break]) -> list[Break]:
    """One for each law and each area; `make soak` runs all of them."""
    first: dict[str, Break] = {}
    for each in breaks:
        first.setdefault(each.name.partition(":")[0] if ":" in each.name else "", each)
    return list(first.values())


CHOSEN = BREAKS if os.environ.get("UNSTUCK_SOAK") else first_of_each(BREAKS)


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The product and its tests, compiled; each break mends what it broke, so that one copy serves all of a worker."""
    folder = tmp_path_factory.mktemp("broken")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    # Checked by content: a break and its mending may fall into the same second.
    compileall.compile_dir(folder, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("broken", CHOSEN, ids=lambda broken: broken.name)
def test_a_broken_law_is_noticed(copy: Path, broken: Break) -> None:
    file = copy / broken.file
    text = file.read_text()
    file.write_text(text.replace(broken.old, broken.new, 1))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *_QUICK, *told_apart(copy, broken), "-k", broken.tests],
            cwd=copy,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        file.write_text(text)
    assert done.returncode == 1, f"no test noticed:\n{done.stdout[-2000:]}"


_QUICK = ("-x", "-p", "no:cacheprovider", "-p", "no:xdist")


def told_apart(copy: Path, broken: Break) -> list[str]:
    """The test files in which any of the words stands that select the tests: to read the others takes longer."""
    if broken.where.endswith(".py"):
        return [broken.where]
    words = [word for word in re.findall(r"\w+", broken.tests) if word not in ("and", "or", "not")]
    files = sorted((copy / broken.where).rglob("test_*.py"))
    found = [str(file) for file in files if any(word in file.read_text() for word in words)]
    return found or [broken.where]


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name)
def test_what_is_broken_is_there_to_be_broken(broken: Break) -> None:
    assert broken.old in (ROOT / broken.file).read_text(), "the line is not there any more: correct this list"
    assert broken.old != broken.new
    assert (ROOT / broken.where).exists()


def test_every_law_is_broken() -> None:
    broken = {each.name.partition(":")[0] for each in BREAKS}
    assert {str(law) for law in LAWS} <= broken
