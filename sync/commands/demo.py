"""`unstuck demo`: a made-up company on loopback servers, and the real command at work on it."""

from __future__ import annotations

import errno
import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import click
import filelock

from connectors.wording import many
from sync import clock as clocks
from sync import config as configs
from sync import log, output
from sync.commands.shared import tell_change
from sync.demo import CONFIG, LOCK, LOG, PLAN, TERMS
from sync.hosts import is_local
from sync.stopping import heeded
from sync.stops import Exit, InvalidStop, LockedStop, UnsafeStop

if TYPE_CHECKING:
    from sync.demo.company import Company

_SHOWN = 3
"""Items of each source whose changes are listed, where many are made."""
_HELD = 5
"""Labels that are listed as held back: week after week they are the same."""


def up(folder: Path, seed: int) -> int:
    """Begin a demo or go on with one, let the command work on it, and stay until told to stop."""
    with heeded() as stopping, _opened(folder, seed) as company:
        new = not (folder / "unstuck.db").exists()
        code = _first_runs(folder, company.now) if new else _labels(folder, company.now, most=_SHOWN)
        if code != Exit.FINE:
            return code
        _point_on(folder, company)
        while stopping.by is None:
            threading.Event().wait(0.1)
    output.say(f"Closed. `unstuck demo {shlex.quote(str(folder))}` opens it again as it was.")
    return Exit.FINE


def tick(folder: Path, days: int) -> int:
    """Let days go by, run again, and show what came of it."""
    if not (folder / TERMS).exists():
        raise InvalidStop(f"There is no demo in {folder}; begin one with `unstuck demo {shlex.quote(str(folder))}`.")
    try:
        with _opened(folder, 0) as company:
            return _tell_days(folder, company.tick(days), company.now, days)
    except LockedStop:
        answer = _knock(folder, days)
        return _tell_days(folder, answer["said"], datetime.fromisoformat(answer["now"]), days)


def _tell_days(folder: Path, said: Sequence[str], now: datetime, days: int) -> int:
    output.say(f"{many(days, 'day')} went by; it is {now:%A, %d %B %Y}.")
    for sentence in said:
        output.say(f"  {sentence}.")
    output.say("\nSo these labels come and go:")
    code = _labels(folder, now)
    click.echo(f"\nTo look around: export {clocks.VARIABLE}={_text(now)}")
    return code


# The company


@contextmanager
def _opened(folder: Path, seed: int) -> Iterator[Company]:
    """The company of a folder, begun if there is none. Raises `LockedStop` where it is up already."""
    if find_spec("graphql") is None:
        install = shlex.join([sys.executable, "-m", "pip", "install", "graphql-core"])
        raise InvalidStop(
            f"The demo's monday.com needs graphql-core, which is not installed here; `{install}` does it."
        )
    from sync.demo import folders
    from sync.demo.company import Company

    with ExitStack() as stack:
        with _in_words(folder):
            terms = folders.terms(folder, seed, clocks.read().now)
            stack.enter_context(filelock.FileLock(folder / LOCK).acquire(timeout=0))
            company = stack.enter_context(closing(Company(terms, folder / LOG, folder / PLAN)))
            folders.describe(folder, company)
        yield company


@contextmanager
def _in_words(folder: Path) -> Iterator[None]:
    """Why a demo cannot be opened."""
    try:
        yield
    except filelock.Timeout as error:
        raise LockedStop(f"The demo in {folder} is up already; stop that one first, or name another folder.") from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise InvalidStop(f"{folder}: cannot be used ({error.strerror}); name another folder.") from error
        raise InvalidStop(
            f"{folder}: another program has a port of this demo ({TERMS} has them); end it, or name another folder."
        ) from error


def _knock(folder: Path, days: int) -> dict[str, Any]:
    """Ask the demo that is up to let days go by."""
    import requests

    port = json.loads((folder / TERMS).read_text("utf-8"))["ports"]["demo"]
    try:
        answer = requests.post(f"http://127.0.0.1:{port}/tick", json={"days": days}, timeout=60)
    except requests.RequestException as error:
        raise InvalidStop(f"The demo in {folder} is busy or just ending; try again in a moment.") from error
    found: dict[str, Any] = answer.json()
    return found


# The command at work


def _first_runs(folder: Path, now: datetime) -> int:
    """New rules are seen before they write: so one run looks, and the next writes."""
    output.say("A made-up company, with its work in Jira, Trello, Smartsheet, monday.com and Microsoft Project.")
    output.say("First a look, as new rules are seen before they write; then these labels are put on:\n")
    _said(folder, now, "run", "--plan-only", "--json")
    return _labels(folder, now, most=_SHOWN)


def _labels(folder: Path, now: datetime, most: int | None = None) -> int:
    """Plan, show at most so many changes of each source, and write them. Returns the exit code."""
    plan, code = _said(folder, now, "plan", "--format", "json")
    if plan:
        _tell_plan(plan, most)
        summary, code = _said(folder, now, "run", "--apply", "--json")
        if summary:
            _tell_summary(summary)
    return code


def _refuse_elsewhere(folder: Path) -> None:
    """Whatever the config was edited to: the demo asks nobody beyond this machine."""
    for source in configs.load(folder / CONFIG, secrets=False).sources.values():
        url = str(source.setup.options.get("base_url") or "")
        if url and not is_local(url):
            raise UnsafeStop(f"{source.name}: base_url leads to {url}, and a demo does not leave this machine.")


def _said(folder: Path, now: datetime, *arguments: str) -> tuple[dict[str, Any], int]:
    """What the real command, in a process of its own at the demo's time, says in JSON; and its exit code."""
    _refuse_elsewhere(folder)
    command = [sys.executable, "-P", "-m", "sync.cli", "--config", str(folder / CONFIG), *arguments]
    ours = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": ours, clocks.VARIABLE: _text(now)}
    done = subprocess.run(  # noqa: S603 - it is this very program
        command, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    return json.loads(done.stdout) if done.stdout else {}, done.returncode


def _tell_plan(plan: Mapping[str, Any], most: int | None) -> None:
    told: dict[str, int] = {}
    for change in plan["changes"]:
        source = change["source"]
        told[source] = told.get(source, 0) + 1
        if most is None or told[source] <= most:
            _tell_change(change)
    more = {source: number - most for source, number in told.items() if most is not None and number > most}
    if more:
        output.say(f"  … and on {', '.join(f'{number} more in {source}' for source, number in more.items())}")
    held = plan["held"]
    for each in held[:_HELD]:
        output.say(f"  o {each['label']}  {each['source']} {each['key']}  held back: {each['why']}", 6)
    if len(held) > _HELD:
        output.say(f"  … and {many(len(held) - _HELD, 'label')} more held back")


def _tell_change(change: Mapping[str, Any]) -> None:
    where = f"{change['source']} {change['key']}"
    for label in (*change["add"], *change["remove"]):
        why = [reason["reason"] for reason in change["reasons"] if reason["label"] == label]
        tell_change("+" if label in change["add"] else "-", label, where, change["title"], why)


def _tell_summary(summary: Mapping[str, Any]) -> None:
    written = summary["written"]
    output.say(
        f"\n{many(summary['findings'], 'finding')} on {many(summary['considered'], 'item')}. "
        f"Written: {many(written['items'], 'item')}, +{written['added']} -{written['removed']} labels."
    )
    for sentence in [*summary["problems"], *(brake["why"] for brake in summary["brakes"])]:
        log.say(sentence, "problem", "error")


def _point_on(folder: Path, company: Company) -> None:
    """What a person should look at now."""
    where = shlex.quote(str(folder))
    program = _program()
    start = f"{program} --config {where}/{CONFIG}"
    click.echo(f"""
The tools are up until Ctrl-C, on this machine only. In another terminal, see labels come and go:
  {program} demo tick {where}      a week of people at work

Or look around, at the demo's time, which each tick says anew:
  export {clocks.VARIABLE}={_text(company.now)}
  {start} report -o {where}/report.html
  {start} findings           what was found
  {start} explain APP-2      each rule's answer: why, why not, and when
  {start} status             how things stand
  {start} plan               what would change, once you edited a rule in {where}/rules.d

Project's labels are in the copies in {where}/inbox/labelled; its exports stay as they are.""")


def _program() -> str:
    """What this program is called here, also where it is not on the path: in the `.venv` of `make demo`."""
    called = Path(sys.argv[0])
    if called.name != "unstuck" or which("unstuck"):
        return "unstuck"
    return shlex.quote(str(called.relative_to(Path.cwd()) if called.is_relative_to(Path.cwd()) else called))


def _text(now: datetime) -> str:
    return f"{now:%Y-%m-%dT%H:%M:%S}"
