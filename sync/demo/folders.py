"""The folder that a demo lies in: what it was begun with, and the config, rules and made-up tokens for its tools."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

from connectors.fakes.jira import doors as jira
from connectors.fakes.jira.state import US
from connectors.fakes.monday import account as monday
from connectors.fakes.smartsheet import account as smartsheet
from connectors.fakes.trello import api as trello
from rules import loader
from rules import schema as rule_schema
from sync import schema
from sync.demo import CONFIG, LOCK, LOG, TERMS
from sync.demo.company import TOOLS, Company, Terms
from sync.demo.portfolio import FIELDS
from sync.stops import InvalidStop
from sync.version import VERSION

TOKENS = {
    "delivery": jira.TOKEN,
    "boards-key": trello.KEY,
    "boards": trello.TOKEN,
    "sheets": smartsheet.TOKEN,
    "rooms": monday.TOKEN,
}
"""What the tools let in, by the file that holds it."""

_HEAD = """\
# The demo's tools: four servers on this machine, and a folder of plans. `unstuck demo` wrote this; edit it as you like.
rules = ["rules.d/*.toml"]

[brakes]
share = 0.9      # the first run labels much at once, and that is what a demo is for; in a real portfolio leave 0.3
unusual = 100    # and a week of the demo is livelier than the one before"""


def terms(folder: Path, seed: int, now: datetime) -> Terms:
    """What the demo in a folder was begun with; new ones if the folder is empty. Raises `InvalidStop`."""
    if (folder / TERMS).exists():
        found = Terms.from_json(json.loads((folder / TERMS).read_text("utf-8")))
        if found.version != VERSION:
            raise InvalidStop(
                f"{folder}: this demo is of unstuck {found.version}, and this is {VERSION}; name another folder."
            )
        return found
    folder.mkdir(parents=True, exist_ok=True)
    if {file.name for file in folder.iterdir()} - {LOG, LOCK}:  # these two alone are of one that was killed at once
        raise InvalidStop(f"{folder} is neither empty nor a demo; name another folder.")
    return Terms(VERSION, seed, now, dict.fromkeys([*TOOLS, "demo"], 0))


def describe(folder: Path, company: Company) -> None:
    """Write what is not there yet, the config last: where there is one, people may have edited all of it since."""
    if (folder / CONFIG).exists():
        return
    (folder / TERMS).write_text(json.dumps(company.terms.as_json(), indent=2), encoding="utf-8")
    (folder / "rules.d").mkdir(exist_ok=True)
    for pack in loader.builtin_files():
        shutil.copyfile(pack, folder / "rules.d" / pack.name)
    (folder / "rules.d" / "rules.schema.json").write_text(schema.as_text(rule_schema.schema()), encoding="utf-8")
    for name, token in TOKENS.items():
        file = folder / f"{name}.token"
        file.touch(mode=0o600)
        file.write_text(token, encoding="utf-8")
    (folder / CONFIG).write_text(_config(company), encoding="utf-8")


def _config(company: Company) -> str:
    urls = {name: f'base_url = "{tool.url}"' for name, tool in company.servers.items()}
    options = {
        "delivery": ['system = "jira"', urls["delivery"], f'email = "{US.email}"'],
        "boards": ['system = "trello"', urls["boards"], 'key = { file = "boards-key.token" }'],
        "sheets": ['system = "smartsheet"', urls["sheets"]],
        "rooms": ['system = "monday"', urls["rooms"]],
        "plans": ['system = "msproject"', 'path = "inbox/*.xml"', "settle_seconds = 0  # it is saved at one stroke"],
    }
    fields = [f'{column} = "{shown}"' for column, shown in FIELDS.items()]
    parts = [_HEAD]
    for name, lines in options.items():
        token = [f'token = {{ file = "{name}.token" }}'] if name in urls else []
        parts.append("\n".join([f"[sources.{name}]", *lines, *token, f"[sources.{name}.fields]", *fields]))
    return "\n\n".join(parts) + "\n"
