"""What every table, view and column of the store holds: for docs/data.md, and for Datasette."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rules.columns import COLUMNS


@dataclass(frozen=True, slots=True)
class Described:
    """A table or a view, and each of its columns."""

    text: str
    columns: Mapping[str, str]


_WORDS = {name: column.help for name, column in COLUMNS.items()}

_OF_ITEMS = {
    **_WORDS,
    "id": "number of the item in this store",
    "native_id": "the tool's own id of the item; with `source` it names it for ever",
    "parent_native_id": "the tool's own id of the item above it",
    "parent_id": "`item.id` of the item above it",
    "outcome_id": "`item.id` of the item whose outcome counts for this one: itself, or the one that it inherits from",
    "version": "the tool's version of the item, for writes that refuse newer ones",
    "calendar": "number of the calendar that it goes by; 0 is the default one",
    "metric_grade": "of its metric's text alone: 0 missing, 1 placeholder, 2 technical, 3 vague, 4 has a number",
    "metric_described": "1 if the metric was found in the description",
    "unknown": "bits of the columns that the tool cannot answer for this item",
    "outcome_unknown": "the same, of the item that the outcome comes from",
    "outcome_described": "1 if the outcome's metric was found in a description",
    "hash": "changes with the content; a row that came again as it was is not written",
    "first_seen": "when a pull first saw it, UTC",
    "missing_since": "since when the tool does not have it any more, UTC; null if it has",
    "assignees": "who works on it: a JSON list",
    "labels": "the labels on it, ours and other people's: a JSON list",
    "fields": "other mapped fields: a JSON object of texts",
    **{f"{name}_day": f"the local day of `{name}`, as a number: days since 1 Jan of the year 1 (1)"
       for name in ("status_since", "created_at", "updated_at", "started_at", "finished_at", "due_at",
                    "outcome_reviewed_at")},
}  # fmt: skip

_ITEM = "`item.id` of the item"
_LABEL, _RULE, _RUN = "the label", "the rule's id", "`run.id` of the run"
_SHORT = {
    **{name: _OF_ITEMS[name] for name in ("source", "key", "title", "project", "status", "status_category", "url")},
    **{name: _OF_ITEMS[name] for name in ("status_since_is", "business_days_in_status", "age_days", "outcome_grade")},
    **{name: _OF_ITEMS[name] for name in ("outcome_metric", "sponsor")},
    "owner": "who answers for it, else the first who works on it",
    "label": _LABEL,
    "rule": _RULE,
}


def _of_items(names: str) -> dict[str, str]:
    return {name: _OF_ITEMS[name] for name in names.split()}


def _columns(names: str, **other: str) -> dict[str, str]:
    return {name: other.get(name) or _SHORT[name] for name in names.split()}


VIEWS: Mapping[str, Described] = {
    "work_item": Described(
        "Every work item that its tool still has, with all columns that rules can name, as of today (UTC). Start here.",
        _of_items("""
            id source native_id collection key title url type project status status_id status_category
            status_since_is percent_complete priority assignees owner sponsor labels unknown version calendar
            status_since status_since_day created_at created_at_day updated_at updated_at_day started_at
            started_at_day finished_at finished_at_day due_at due_at_day outcome_metric outcome_category
            outcome_baseline outcome_target outcome_actual outcome_reviewed_at outcome_reviewed_at_day
            age_days days_in_status business_days_in_status days_since_review outcome_grade outcome_from
            outcome_unknown outcome_described description fields parent_key items_below finished_below underway_days
            sponsor_above initiative_key disagree_on disagreement"""),
    ),
    "initiative": Described(
        "Every initiative over several tools, with the columns of `work_item`; below one is all that is in it.",
        _of_items("""
            id source native_id collection key title url type project status status_id status_category
            status_since_is percent_complete priority assignees owner sponsor labels unknown version calendar
            status_since status_since_day created_at created_at_day updated_at updated_at_day started_at
            started_at_day finished_at finished_at_day due_at due_at_day outcome_metric outcome_category
            outcome_baseline outcome_target outcome_actual outcome_reviewed_at outcome_reviewed_at_day
            age_days days_in_status business_days_in_status days_since_review outcome_grade outcome_from
            outcome_unknown outcome_described description fields parent_key items_below finished_below underway_days
            sponsor_above initiative_key disagree_on disagreement"""),
    ),
    "finding": Described(
        "What the rules found in the last run.",
        {"item_id": _ITEM, "rule": _RULE, "label": "the label that it asks for", "reason": "why, in words",
         "since": "when the rule first found the item, UTC"},
    ),
    "finding_on_item": Described(
        "The same, with those of an initiative on each of its parts that gets its labels.",
        {"item_id": _ITEM, "rule": _RULE, "label": "the label that it asks for", "reason": "why, in words",
         "since": "when the rule first found the item or initiative, UTC"},
    ),
    "open_work": Described(
        "Work that is not done: where it stands, for how long, and how good its outcome is.",
        _columns("source key title project owner status status_category status_since status_since_is "
                 "business_days_in_status age_days due_at outcome_grade outcome_metric sponsor url",
                 status_since="the day since which it is in this status", due_at="the day on which it is due"),
    ),
    "found_work": Described(
        "Work that a rule found, with the reason: a row for each finding.",
        _columns("source key title project owner status business_days_in_status rule label reason found_since url",
                 reason="why, in words", found_since="the day on which the rule first found it"),
    ),
    "our_labels": Described(
        "Labels that are on items through us.",
        _columns("source key title project label rule reason run_id put_on url", reason="why it went on",
                 run_id=f"{_RUN} that put it on", put_on="the day on which it went on"),
    ),
    "kept_off": Described(
        "Labels that people took off, or that were taken back: they stay off for a while.",
        _columns("source key title project label rule cause noticed until url", cause="`person`, or `undo`",
                 noticed="the day on which it was noticed", until="the day until which it stays off"),
    ),
    "gone_work": Described(
        "Items that are not in their tool any more; no rule looks at them.",
        _columns("source key title project owner status gone_since fate url", status="the status that it had",
                 gone_since="the day on which it was missed",
                 fate="`archived`, `deleted` or `moved`, where the tool tells; else null"),
    ),
}  # fmt: skip
"""For people."""

TABLES: Mapping[str, Described] = {
    "item": Described(
        "Work items as the rules read them: slim, one row each, also those that vanished from their tool.",
        _of_items("""
            id source collection native_id key title url type project parent_native_id status status_id
            status_category status_since_is priority assignees owner sponsor labels outcome_metric outcome_category
            outcome_baseline outcome_target outcome_actual version status_since status_since_day created_at
            created_at_day updated_at updated_at_day started_at started_at_day finished_at finished_at_day due_at
            due_at_day outcome_reviewed_at outcome_reviewed_at_day percent_complete metric_grade metric_described
            unknown parent_id outcome_id calendar hash first_seen missing_since"""),
    ),
    "item_detail": Described(
        "What is long of an item.", {"item_id": _ITEM, "description": "the long text", "fields": _OF_ITEMS["fields"]}
    ),
    "transition": Described(
        "History: every change of an item's status, or of its progress, that is known.",
        {"id": "number of the row", "item_id": _ITEM, "at": "when, UTC", "from_status": "the status before",
         "to_status": "the status from then on", "from_category": "its category: todo, in_progress or done",
         "to_category": "its category", "percent_complete": "the progress from then on, where that is what moves",
         "origin": "`tool`: told by the tool; `observed`: seen between two runs, so it was then or earlier"},
    ),
    "collection": Described(
        "Boards, sheets, projects and files, and where the pull of each stands.",
        {"id": "number of the row", "source": _WORDS["source"], "native_id": "the tool's own id of it",
         "name": "its name", "cursor": "where the next pull goes on; only the connector reads it",
         "fingerprint": "of the config that it was pulled with: with another one it is read anew",
         "as_of": "of when its data is, where that is not when it was pulled, UTC",
         "pulled_at": "when it was last asked, UTC", "complete_at": "when it last answered completely, UTC",
         "copy_outdated": "1 if its labelled copy is to be made anew", "problem": "what went wrong the last time",
         "absent": "1 if its tool does not list it any more"},
    ),
    "finding_kept": Described(
        "What the view `finding` is made of. Reasons that count days are kept so that a new day rewrites none.",
        {"item_id": _ITEM, "rule": _RULE, "label": "the label that it asks for",
         "reason": "why: text, or where `counts` is 1 a JSON list with days in the place of numbers",
         "counts": "1 if the reason counts days", "since": "when the rule first found the item, UTC"},
    ),
    "ledger": Described(
        "Labels of ours: only what stands here is ever taken off.",
        {"item_id": _ITEM, "label": _LABEL, "rule": _RULE, "reason": "why it went on",
         "run_id": f"{_RUN} that put it on", "put_at": "when, UTC",
         "home": "1 if an export came back with the label in it",
         "off_at": "since when it is to stay off the copies, UTC; null if it is on"},
    ),
    "veto": Described(
        "Labels that a person took off, or that were taken back: they stay off for a while.",
        {"item_id": _ITEM, "label": _LABEL, "rule": _RULE, "noticed_at": "when it was noticed, UTC",
         "until": "until when it stays off, UTC", "status": "the status then: a new one ends the veto",
         "cause": "`person`, or `undo`"},
    ),
    "veto_noticed": Described(
        "When people took labels of a rule off, for pausing it.",
        {"rule": _RULE, "noticed_at": "when it was noticed, UTC"},
    ),
    "journal": Described(
        "Every write into a tool: what was intended, before it was tried, and what came of it.",
        {"id": "number of the row", "run_id": _RUN, "item_id": _ITEM, "action": "`add` or `remove`", "label": _LABEL,
         "rule": _RULE, "reason": "why", "intent_at": "when it was about to be written, UTC",
         "result_at": "when that was known, UTC; null while it is not", "result": "`done`, or what else came of it",
         "message": "what the tool said"},
    ),
    "run": Described(
        "The runs.",
        {"id": "number of the run", "started_at": "UTC", "finished_at": "UTC; null if it was killed",
         "command": "what was typed", "rehearsal": "1 if `UNSTUCK_NOW` set the clock", "exit_code": "how it ended",
         "summary": "what `unstuck run --json` shows: JSON"},
    ),
    "rule_count": Described(
        "What each rule made of all items, in the last run that no brake stopped.",
        {"rule": _RULE, "run_id": _RUN, "matched": "items that it found", "considered": "items that it was asked about",
         "unknown": "items about which it could not tell"},
    ),
    "rule_seen": Described(
        "Which rules people saw before they write.",
        {"rule": _RULE, "source": _WORDS["source"], "meaning": "hash of what it labels", "seen_at": "since when, UTC"},
    ),
    "rule_pause": Described(
        "Rules whose labels people take off.",
        {"rule": _RULE, "meaning": "hash of what it labels", "counted_from": "since when objections count, UTC",
         "paused_at": "since when it is paused, UTC; null if it is not", "why": "why it is"},
    ),
    "flapping": Described(
        "Labels that are left as they are because they go on and off.",
        {"item_id": _ITEM, "label": _LABEL, "rule": _RULE, "held_since": "UTC", "wanted": "1 if a rule asks for it now",
         "turned_at": "when that last changed, UTC"},
    ),
    "usual": Described(
        "How much runs changed, by day: what is usual.",
        {"kind": "`run`, `source` or `rule`", "name": "of the source or rule", "day": "the local day",
         "items": "the most items that one run of the day changed"},
    ),
    "seen_field": Described(
        "Which mapped fields were filled, for the brake `field`.",
        {"source": _WORDS["source"], "collection": "its native id", "field_column": "the column",
         "field": "the field's name", "filled": "items in which it says something", "items": "items in all"},
    ),
    "seen_status": Described(
        "Which statuses were seen, for the brake `status`.",
        {"source": _WORDS["source"], "collection": "its native id", "status_id": "the tool's id of it",
         "status": "its name", "items": "items in it"},
    ),
    "given_link": Described(
        "Links that people made in a tool, as it keeps them.", {"item_id": _ITEM, "target": "the address or key"}
    ),
    "link": Described(
        "What each item points at across tools, and where that leads.",
        {"id": "number of the link", "item_id": _ITEM, "how": "`key`, `tool` or `text`", "target": "as it is written",
         "name": "as it is looked up", "to_id": "`item.id` of the item that it leads to, if there is just one",
         "problem": "`ambiguous` or `gone`, where it leads to none for that reason", "since": "UTC"},
    ),
    "wide_key": Described(
        "Shared keys that so many items carry that they say nothing.", {"name": "the key", "items": "how many"}
    ),
    "anchor": Described(
        "The items that initiatives are made of; what hangs below one is in its initiative, too.",
        {"item_id": _ITEM, "initiative_id": "`item.id` of the initiative", "labelled": "1 if it gets its labels"},
    ),
    "initiative_detail": Described(
        "What an initiative's row in `item` has no column for.",
        {"item_id": "`item.id` of the initiative", "head_id": "`item.id` of the part that it is called after",
         "members": "items in it", "finished": "how many of them are done",
         "disagree_on": _WORDS["disagree_on"], "disagreement": _WORDS["disagreement"],
         "came": "a JSON object: column -> `item.id` of the part that its value is from",
         "totals": "what all of its parts together say, to see whether that changed"},
    ),
    "unproved": Described(
        "Items of which their tool could not prove since when they are in their status.",
        {"item_id": _ITEM, "status_since": "what was known of that then"},
    ),
    "gone": Described(
        "What became of items that are not in their tool any more, where it was asked.",
        {"item_id": _ITEM, "missing_since": "`item.missing_since` when it was asked: of another one it says nothing",
         "fate": "`archived`, `deleted`, `moved`; null if the tool could not tell"},
    ),
    "made_label": Described(
        "Labels that we had to make in a tool before they could be put on; `retire` deletes them.",
        {"source": _WORDS["source"], "collection": "its native id", "native_id": "the tool's id of the label",
         "label": _LABEL},
    ),
    "report": Described(
        "What reports of earlier days showed as stuck, and how good outcomes were.",
        {"day": "the local day", "rehearsal": "1 if `UNSTUCK_NOW` set the clock", "made_at": "UTC",
         "stuck": "`item.id` of each: a JSON list",
         "grades": "grade of the outcome → open items: a JSON object; null in reports that did not keep it"},
    ),
    "digest": Described(
        "Digests that were sent, or are on their way: the intent is kept before, and what came of it after.",
        {"id": "number of the digest", "period": "the week from Monday on, or the day or month, that it is the one of",
         "rehearsal": "1 if `UNSTUCK_NOW` set the clock", "audience": "`owner`, `sponsor` or `project`",
         "way": "`mail`, `webhook`, or `here` where it was printed for want of an address",
         "begun_at": "when it was about to be sent, UTC", "ended_at": "when that was over, UTC; null if it was killed",
         "result": "`sent`, `refused`, or `unknown`: it may have arrived", "why": "what was said, if not sent",
         "items": "`item.id` of everything that it tells of: a JSON list"},
    ),
    "digest_for": Described(
        "For whom each digest is; no two that count are for the same.",
        {"digest_id": "`digest.id` of the digest", "period": "as the digest's", "rehearsal": "as the digest's",
         "who": "`name:` and a name, `here:` and one whose was printed, `address:` and a hash of it, or `webhook`",
         "name": "the name as the tool spells it, or what that is of",
         "counts": "1 if no other one may be sent for that period; 0 where it was refused, or sent again by force"},
    ),
    "told": Described(
        "What people were told already, so that cron tells it once.",
        {"what": "the subject", "since": "UTC", "sentences": "a JSON list"},
    ),
    "learned": Described(
        "How long finished items of each kind were in a status, as known when a month begins: for `over = \"p85\"`.",
        {"month": "its first day", "percent": "so many percent of the items …", "in_source": _WORDS["source"],
         "in_collection": "the native id of their collection", "of_type": "their type; empty if the tool tells none",
         "in_status": "the status", "days": "… took no more business days than this", "items": "how many items"},
    ),
    "learned_month": Described(
        "What was worked out for `learned`, also where that gave nothing.",
        {"month": "its first day", "percent": "the percentile", "rehearsal": "1 if `UNSTUCK_NOW` set the clock"},
    ),
    "calendar_day": Described(
        "Business days, counted up.",
        {"calendar": "number of the calendar", "day": "the day, as a number",
         "business": "business days up to and with it"},
    ),
    "dirty": Described(
        "Items that were written since the rules were last asked.",
        {"item_id": _ITEM, "was_there": "1 if they were asked about it then",
         "kin": "1 if others take something from it",
         "moved": "1 if what an initiative counts together was written"},
    ),
    "unsure": Described(
        "Items about which a rule could not tell.", {"rule": "position of the rule in the files", "item_id": _ITEM}
    ),
    "setting": Described(
        "What the store was last worked out with.", {"name": "of the setting", "value": "as text"}
    ),
}  # fmt: skip
"""What the views are made of, and what runs need."""

NOT_OURS = frozenset({"_sqlite_migrations"})
"""Tables of a library: which steps of the schema were done."""
