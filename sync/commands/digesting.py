"""The command `digest`: who gets what is worked out and shown first, and sent only if that is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from connectors.wording import many
from rules.ruleset import RuleSet
from sync import clock as clocks
from sync import config as configs
from sync import log, output, told
from sync.clock import Clock
from sync.commands.shared import load, opened_store, rehearsal_note
from sync.config import Config
from sync.digest import memory, sending, writing
from sync.digest.memory import Result, Way
from sync.digest.model import Better, Content, Entry
from sync.digest.plan import Delivery, Plan, State, plan
from sync.digest.sending import Sent
from sync.digest.terms import By, folded
from sync.lock import locked
from sync.report.writing import write
from sync.stopping import heeded
from sync.stops import Exit, InvalidStop
from sync.store import Store

_NAMED = 20
"""So many people stand in one sentence; the others are counted."""


def digest(path: Path | None, by: str | None, file: Path | None, form: str, apply_: bool, again: Sequence[str]) -> int:
    """Show who would get what; with `apply_`, send it."""
    config, ruleset = load(path, secrets=False)
    clock, audience = clocks.read(), By(by) if by else config.digest.by
    if apply_:
        return _send(config, ruleset, clock, audience, again, file, form)
    rehearsal_note(clock)
    with opened_store(config, create=False) as store:
        planned = plan(config, ruleset, store, clock, audience, frozenset())
    if form == "json":
        _give_json(_as_json(planned, None), file)
    elif planned.contents:
        _give(writing.markdown(planned.contents, audience, config.digest.items), file)
    for sentence in (*_would(config, planned), *_others(planned), *_asides(planned)):
        log.say(sentence, "digest", "info")
    return Exit.FINE


def _give(text: str, file: Path | None) -> None:
    if file is None:
        click.echo(text, nl=False)
    else:
        write(file, text.encode())


def _give_json(value: Mapping[str, Any], file: Path | None) -> None:
    if file is None:
        output.emit_json(value)
    else:
        write(file, (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())


# Sending


def _send(
    config: Config, ruleset: RuleSet, clock: Clock, by: By, again: Sequence[str], file: Path | None, form: str
) -> int:
    ways = sending.ways_of(config, clock)
    watching = sys.stdout.isatty() or sys.stderr.isatty()

    def give(here: Sequence[Delivery]) -> None:
        if form == "md":
            _give(writing.markdown([each.content for each in here], by, config.digest.items), file)

    with heeded() as stopping, locked(config.store), opened_store(config, create=False) as store:
        planned = plan(config, ruleset, store, clock, by, frozenset(map(folded, again)))
        _refuse_strangers(planned, again)
        sent = sending.send(planned, ways, store, clock, give, stopping)
        memory.forget(store, clock, config.retention.runs_days)
        problems = [*_troubles(sent), *_unknown(planned)]
        strangers = [*_without_address(planned)]
        news = [*problems, *strangers] if watching else _news(store, clock, problems, strangers)
    if form == "json":
        _give_json(_as_json(planned, sent), file)
    elif watching:
        rehearsal_note(clock)
        for sentence in (*_went(sent), *_others(planned), *_asides(planned)):
            click.echo(sentence)
    for sentence in news:
        log.say(sentence, "digest", "error" if sentence in problems else "warning")
    return Exit.PARTLY if problems or stopping.by else Exit.FINE


def _news(store: Store, clock: Clock, problems: Sequence[str], strangers: Sequence[str]) -> list[str]:
    """What cron has not mailed before. Who has no address is named once, though there are weeks without them."""
    new = told.news(store, "digest", problems, clock.now)
    return [*new, *(told.news(store, "digest:addresses", strangers, clock.now) if strangers else ())]


def _refuse_strangers(planned: Plan, names: Sequence[str]) -> None:
    known = {folded(name): name for delivery in planned.deliveries for name in delivery.names}
    for name in names:
        if folded(name) not in known:
            hint = configs.did_you_mean(name, [*known.values()]) if known else "there is nothing to tell anybody"
            raise InvalidStop(f'--again "{name}": there is no digest for that name; {hint}')


# Sentences


def _would(config: Config, planned: Plan) -> Iterator[str]:
    by_mail = [delivery for delivery in planned.due if delivery.way is Way.MAIL]
    if not planned.contents and not planned.due:
        yield "There is nothing to tell anybody."
        return
    if any(delivery.way is Way.WEBHOOK for delivery in planned.due):
        yield f"One of all would go into {config.digest.chat.title()}."
    if by_mail:
        yield f"Would be mailed: {_named([f'{_names(each)} <{each.address}>' for each in by_mail])}."
    yield from _without_address(planned)
    if planned.due and config.digest.send:
        yield f"Nothing was sent; send it with `unstuck digest --by {planned.by} --apply`."
    elif not config.digest.send:
        yield "digest.send is false: nothing is ever sent."
    elif config.digest.server is None and config.digest.webhook is None:
        yield "There is no way to send it: set smtp or webhook in [digest] (docs/digest.md)."


def _without_address(planned: Plan) -> Iterator[str]:
    here = [_names(each) for each in planned.due if each.way is Way.HERE]
    if here:
        yield f"Without an address, and so only printed: {_named(here)}; add them to [digest.addresses]."


def _others(planned: Plan) -> Iterator[str]:
    """Who gets none now."""
    for state, says in (
        (State.HAD, f"Had theirs of {planned.period.name}"),
        (State.DAY_OFF, "Have a day off, and get none today"),
    ):
        names = [_names(each) for each in planned.of(state)]
        if names:
            yield f"{says}: {_named(names)}."
    if planned.opted_out:
        yield f"Opted out: {_named(planned.opted_out)}."


def _asides(planned: Plan) -> Iterator[str]:
    if planned.nobodys:
        told_in = "the chat's digest only" if planned.posted else "no digest"
        yield f"{many(len(planned.nobodys), 'item')} without {planned.by} in {told_in}."


def _unknown(planned: Plan) -> Iterator[str]:
    """An earlier one whose end nobody knows."""
    for delivery in planned.of(State.UNKNOWN):
        yield (
            f"{_names(delivery)}: whether the digest of {planned.period.name} arrived is not known, so it is not sent "
            f'again; look there, and send it with `unstuck digest --apply --again "{delivery.names[0]}"` if it did not.'
        )


def _went(sent: Sent) -> Iterator[str]:
    gone = [delivery for delivery, outcome in sent.outcomes if outcome.result is Result.SENT]
    for way, says in ((Way.WEBHOOK, "Posted"), (Way.MAIL, "Mailed to"), (Way.HERE, "Printed")):
        names = [_names(delivery) for delivery in gone if delivery.way is way]
        if names:
            yield f"{says}: {_named(names)}."
    if not sent.outcomes and not sent.closed:
        yield "There was nothing to send."


def _troubles(sent: Sent) -> Iterator[str]:
    yield from sent.closed
    for delivery, outcome in sent.outcomes:
        why = f"{_names(delivery)}: {outcome.why}"
        if outcome.result is Result.REFUSED and f"{outcome.why}." not in sent.closed and outcome.why not in sent.closed:
            yield f"{why}; nothing was sent."
        elif outcome.result is Result.UNKNOWN:
            yield (
                f"{why}, so whether the digest arrived is not known; look there, and send it with "
                f'`unstuck digest --apply --again "{delivery.names[0]}"` if it did not.'
            )
    if sent.left:
        yield f"{many(sent.left, 'digest')} left untried; the next `unstuck digest --apply` goes on."


def _names(delivery: Delivery) -> str:
    return "the chat" if delivery.way is Way.WEBHOOK else ", ".join(delivery.names)


def _named(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return "; ".join(names[:_NAMED]) + (f"; and {rest} more" if rest > 0 else "")


# JSON


def _as_json(planned: Plan, sent: Sent | None) -> dict[str, Any]:
    """The shape of docs/json.md."""
    outcomes = {id(delivery): outcome for delivery, outcome in sent.outcomes} if sent else {}
    return {
        "by": planned.by,
        "period": planned.period.name,
        "digests": [
            {
                "way": each.way, "names": list(each.names), "address": each.address or None, "state": each.state,
                "result": outcomes[id(each)].result if id(each) in outcomes else None,
                "why": outcomes[id(each)].why or None if id(each) in outcomes else None,
                "items": len(each.content.items),
            }
            for each in planned.deliveries
        ],
        "contents": [_content(each) for each in planned.contents],
        "opted_out": list(planned.opted_out),
        "nobodys": [_entry(each) for each in planned.nobodys],
        "closed": sent.closed if sent else [],
    }  # fmt: skip


def _content(content: Content) -> dict[str, Any]:
    return {
        "name": content.names[0],
        "stuck": [_entry(each) for each in content.stuck],
        "outcome": [_entry(each) for each in content.outcome],
        "better": [_better(each) for each in content.better],
        "away": list(content.away),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "source": entry.source, "key": entry.key, "title": entry.title, "url": entry.url,
        "since": entry.since.isoformat(), "at_least": entry.at_least,
        "reasons": list(entry.reasons), "clears": list(entry.clears),
    }  # fmt: skip


def _better(better: Better) -> dict[str, Any]:
    return {name: getattr(better, name) for name in ("source", "key", "title", "url", "now")}
