"""Every key of config.toml outside of a source's own options: name, kind, default, help.

Config is checked against these tables, config.example.toml and the JSON Schema are held to them by tests.
"""

from __future__ import annotations

from connectors.base import Option

TOP = (
    Option("store", "the SQLite file that everything is kept in", default="unstuck.db"),
    Option("rules", "rule files, as paths or globs; the shipped packs unless set", "list of text", default=()),
    Option("exemptions", "files of items and rules that are exempt for a while", "list of text", default=()),
    Option("timezone", "for days, and for times that a tool gives without a zone", default="UTC"),
)

CALENDAR = (
    Option("country", "public holidays of this country, as two letters: DE, US, FR"),
    Option("region", "and of this part of it: BY, CA"),
    Option("weekend", "days that are never business days", "list of text", default=("saturday", "sunday")),
    Option("days_off", "other days on which nobody works", "list of dates", default=()),
)

NAMED = ("calendars", "sources")
"""Tables of tables, each under a name of the user's own; a `[calendars.NAME]` has the keys of `CALENDAR`."""

LABELS = (
    Option("prefix", "every label that a rule puts on begins so; no other label is ever touched", default="pmo-"),
    Option("veto_days", "how long a label that a person took off stays off, in days", "integer", default=90),
    Option(
        "flapping_times", "a label that went on and off so many times in flapping_days is held", "integer", default=3
    ),
    Option("flapping_days", "and is held until it was quiet for so many days", "integer", default=30),
    Option(
        "pause_share", "a rule is paused if people take off more than this share of its labels", "number", default=0.3
    ),
    Option("pause_least", "and at least so many of them", "integer", default=5),
    Option("per_person_per_week", "labels a person's items get in seven days; 0 is no limit", "integer", default=0),
)

OUTCOME = (
    Option("placeholders", "words that stand for no metric, beside the shipped ones", "list of text", default=()),
    Option("patterns", "labels of a metric in a description, beside the shipped ones", "list of text", default=()),
    Option("review_days", "an outcome metric not looked at for longer counts as unreviewed", "integer", default=92),
)

BRAKES = (
    Option("share", "stop if more than this share of a source's items would change", "number", default=0.3),
    Option("count", "stop if more items than this would change in one run", "integer", default=500),
    Option("least", "brakes that look at shares need at least so many items to act", "integer", default=10),
    Option("shrink", "stop if more than this share of a collection's items vanished at once", "number", default=0.3),
    Option("per_rule", "stop if one rule would change more items than this in one run", "integer", default=250),
    Option("per_person", "stop if more items of one person than this would change in one run", "integer", default=50),
    Option("unusual", "stop if more than so many times the usual number of items would change", "number", default=3),
)

SOURCE_BRAKES = (
    Option("share", "as in [brakes], for this source's items", "number"),
    Option("count", "stop if more of this source's items than this would change in one run", "integer"),
    Option("least", "as in [brakes], for this source's items", "integer"),
    Option("shrink", "as in [brakes], for this source's collections", "number"),
)
"""A `[sources.NAME.brakes]`: what is not set there is as in `[brakes]`; `count` comes on top of that of the run."""

WRITES = (
    Option("apply", "whether a plain `unstuck run` writes labels; otherwise it only plans", "yes/no", default=False),
)

METRICS = (
    Option("file", "after each run, numbers for Prometheus' textfile collector are written into this file"),
    Option("ping", "after each run, this URL is called; with /fail behind its path if the run was not fine"),
)

REPORT = (Option("file", "after each run, the report is written into this file: .html, .csv, .json, .xlsx or .md"),)

REPORT_ENDINGS = (".html", ".csv", ".json", ".xlsx", ".md")

STATUS = (
    Option("stale_after", "`unstuck status` ends with 1 if a source's data is older; learned if absent"),
    Option("quiet_after", "and if nothing changed in a source for so long; learned if absent"),
)

RETENTION = (
    Option("runs_days", "how long runs and what they wrote are kept, in days", "integer", default=400),
    Option(
        "vanished_days", "how long items that vanished are kept, with their history, in days", "integer", default=400
    ),
)

LINKS = (
    Option("key", "the field that holds an initiative's key, as [sources.NAME.fields] call it; none if absent"),
    Option("tools", "whether links that people make in the tools count", "yes/no", default=False),
    Option("patterns", "keys and addresses in titles and descriptions, as regular expressions", "list of text"),
    Option("most", "a key on more items than this says nothing and is not used", "integer", default=500),
)

INITIATIVES = (
    Option("order", "sources, the most trusted first; as the config has them if absent", "list of text"),
    Option("labels", "sources whose members get an initiative's labels; its head alone if absent", "list of text"),
    Option("columns", "a column = the source that is asked for it before all others", "table of text"),
)

DIGEST = (
    Option("by", "whom `unstuck digest` is for, unless it is told: owner, sponsor or project", default="owner"),
    Option("every", "nobody gets more than one in a day, week or month", default="week"),
    Option("items", "so many items stand in one digest; the others are counted", "integer", default=10),
    Option("most", "refuse to send to more people than this at once", "integer", default=200),
    Option("send", "false: nothing is sent, whatever is asked for", "yes/no", default=True),
    Option("opt_out", "files of people who want none", "list of text"),
    Option("addresses", "the name of a person or project in the tools = an e-mail address", "table of text"),
    Option(
        "domains", "addresses that tools show as a person's name are used if they are in one of these", "list of text"
    ),
    Option("pattern", "the address of a person who is not in addresses: {first}.{last}@example.com"),
    Option("from", "the sender of mails"),
    Option("unsubscribe", "to whom people write who want no digest; it stands in each mail"),
    Option("smtp", "the mail server, and its port if that is unusual; no mail is sent if absent"),
    Option("security", "starttls, tls, or none, which only this machine may have; starttls if absent"),
    Option("user", "the account at the mail server"),
    Option("password", "and its password", "reference"),
    Option("webhook", "one channel of a chat gets one digest of all", "reference"),
    Option("chat", "what the webhook is of: slack or teams"),
    Option("timeout", "how long the mail server or the chat may take to answer", default="30s"),
)

TABLES = {
    "calendar": CALENDAR,
    "labels": LABELS,
    "outcome": OUTCOME,
    "brakes": BRAKES,
    "writes": WRITES,
    "metrics": METRICS,
    "report": REPORT,
    "status": STATUS,
    "retention": RETENTION,
    "links": LINKS,
    "initiatives": INITIATIVES,
    "digest": DIGEST,
}

SOURCE = (
    Option("system", "which connector: see `unstuck connectors`", required=True),
    Option("collections", "ids or names of boards, sheets, projects; all that can be seen if absent", "list of text"),
    Option("timezone", "where this source's clocks stand, if not where the config's do"),
    Option("calendar", "the [calendars.NAME] that its items go by, if not the default [calendar]"),
    Option("inherit", "an item without an outcome metric takes the one of the item above it", "yes/no", default=False),
    Option("every", "runs take it in at most so often, such as 1h; each does if absent"),
    Option("budget", "how long a run may pull it, and then write to it, before its turn ends", default="30m"),
)
"""Keys that every `[sources.NAME]` has; its connector adds its own.

`fields`, `statuses`, `calendars` and `brakes` are tables of their own."""
